"""Pure decisions about industries and regions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def suggest(symbols: Iterable[str], prefixes: Mapping[str, Sequence[str]]) -> str | None:
    """The industry (by code) that most of the IPC symbols point at; None when none does.

    `prefixes` gives each industry's beginnings. A symbol counts for the industry with the longest
    beginning that fits it; ties go to the industry named first.
    """
    votes: dict[str, int] = {}
    for symbol in symbols:
        best, length = None, 0
        for code, beginnings in prefixes.items():
            for beginning in beginnings:
                if symbol.startswith(beginning) and len(beginning) > length:
                    best, length = code, len(beginning)
        if best is not None:
            votes[best] = votes.get(best, 0) + 1
    return max(votes, key=lambda code: votes[code], default=None)


def ancestors(code: str) -> list[str]:
    """A GB/T 2260 code and the codes of what it lies in, nearest first: county, prefecture, province."""
    found = [code]
    for wider in (f"{code[:4]}00", f"{code[:2]}0000"):
        if wider not in found:
            found.append(wider)
    return found


def lies_in(code: str, region: str) -> bool:
    """Whether a region is, or lies in, another (both GB/T 2260; `000000` is abroad and lies in nothing)."""
    return code == region or region in ancestors(code)
