"""How the income of a transfer is shared out (收益分配). Pure, integer fen, nothing lost.

    net   = income − costs − taxes          (fiscal money for research is no cost)
    award = net × award rate, rounded up to the fen; the unit keeps the rest
    main  = award × main rate, rounded up; transfer = award × transfer rate, rounded up, of what main left;
            the others of the award get the rest

Within a part people share by weight: each gets the whole fen of their share, and the fen left over go one
each to the largest fractions, in the order of the list where they are equal.
"""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MILLION = 1_000_000


@dataclass(frozen=True)
class Sharer:
    """Somebody with a share of a part (`main`, `transfer`, `award`), by weight."""

    name: str
    part: str
    weight: int = 1


@dataclass(frozen=True)
class Line:
    """What one gets. Without a name it is the whole part's, to be shared later."""

    name: str
    part: str
    fen: int


@dataclass(frozen=True)
class Split:
    """A net income shared out; the lines sum to it."""

    net_fen: int
    award_fen: int
    lines: tuple[Line, ...]


def net_income(income_fen: int, costs_fen: int, taxes_fen: int) -> int:
    """净收入; negative where costs and taxes exceed the income."""
    return income_fen - costs_fen - taxes_fen


def rounded_up(fen: int, ppm: int) -> int:
    """A rate of an amount, rounded up to the fen."""
    return -(-fen * ppm // MILLION)


def apportion(fen: int, weights: Sequence[int]) -> list[int]:
    """An amount by weights, summing to it exactly (largest remainders; equal ones in order)."""
    total = sum(weights)
    shares = [fen * weight // total for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(fen * weights[i] % total), i))
    for i in order[: fen - sum(shares)]:
        shares[i] += 1
    return shares


def split(net_fen: int, award_ppm: int, main_ppm: int, transfer_ppm: int, people: Sequence[Sharer]) -> Split:
    """Share out a net income of zero or more; `main_ppm + transfer_ppm` is at most a million."""
    award = rounded_up(net_fen, award_ppm)
    main = rounded_up(award, main_ppm)
    transfer = min(rounded_up(award, transfer_ppm), award - main)
    parts = {"main": main, "transfer": transfer, "award": award - main - transfer}
    lines: list[Line] = []
    for part, fen in parts.items():
        sharers = [one for one in people if one.part == part]
        if not sharers:
            lines += [Line("", part, fen)] if fen else []
            continue
        shares = apportion(fen, [one.weight for one in sharers])
        lines += [Line(one.name, part, share) for one, share in zip(sharers, shares, strict=True)]
    return Split(net_fen, award, (*lines, Line("", "unit", net_fen - award)))


@dataclass(frozen=True)
class Minimum:
    """A least rate, in millionths, of the net income (`award_ppm`) or of the award (the others)."""

    rate: str
    policy: str
    ppm: int


def below(rates: dict[str, int], minimums: Sequence[Minimum]) -> list[Minimum]:
    """The minimums that the rates undercut."""
    return [one for one in minimums if rates[one.rate] < one.ppm]


def months_after(day: dt.date, months: int) -> dt.date:
    """The same day some months on, or the last of that month where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def problems(
    net_fen: int, main_ppm: int, transfer_ppm: int, people: Sequence[Sharer]
) -> list[tuple[str, str, dict[str, Any]]]:
    """What makes an income impossible to share out so."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    if net_fen < 0:
        found.append(("costs_fen", "costs_exceed_income", {}))
    if main_ppm + transfer_ppm > MILLION:
        found.append(("transfer_ppm", "shares_exceed_award", {}))
    rates = {"main": main_ppm, "transfer": transfer_ppm, "award": MILLION - main_ppm - transfer_ppm}
    for number, one in enumerate(people):
        if rates[one.part] <= 0:
            found.append((f"people.{number}.part", "part_gets_nothing", {}))
    return found
