"""Which shared words are told to people as the reason of a match. The scores know nothing of this.

Units and plain English prose, which bilingual listings hold by the hundred, tell nobody why two of them fit.
"""

import functools
import re
from collections.abc import Callable, Iterable, Sequence

from matching import drafting, text

_PIECES = re.compile(r"[/·*]")
_AROUND = re.compile(r"^[0-9.]+|[²³]+$")
_LATIN = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")


def is_measure(word: str, known: frozenset[str] | None = None) -> bool:
    """A unit, alone, with its number or in a quotient: `mm`, `24h`, `mg/m³`, `kWh/100`."""
    known = drafting.units() if known is None else known
    if word in known:
        return True
    pieces = [_AROUND.sub("", piece) for piece in _PIECES.split(word)]
    if len(pieces) > 1:
        return any(piece in known for piece in pieces)
    # A number with one letter is a grade (304L, 5A) rather than a volume or a current, but for hours.
    return pieces[0] in known and (len(pieces[0]) > 1 or pieces[0] == "h")


def is_prose(word: str) -> bool:
    """English prose rather than a name: `die-casting`, `Loading`, `air`; not `PLC`, `pcb`, `C5`."""
    if not _LATIN.fullmatch(word):
        return False
    small = all(part.islower() or (part.istitle() and len(part) > 3) for part in word.split("-"))
    return small and ("-" in word or len(word) > 3 or any(vowel in word for vowel in "aeiouy"))


def technical(words: Sequence[str]) -> tuple[str, ...]:
    """Of technical terms as they were written, those that name something."""
    return tuple(word for word in words if not is_measure(word) and not is_prose(word))


def common(words: Sequence[str], *, chinese: bool) -> tuple[str, ...]:
    """Of folded words that both sides use, those worth telling.

    To readers of Chinese, Latin words are told only where there is no Chinese one: what names something is
    among the technical terms, spelled as it was written.
    """
    folded = _folded_units()
    telling = _but(words, lambda word: is_measure(word, folded))
    if chinese:
        return _but(telling, lambda word: bool(_LATIN.fullmatch(word))) or telling
    return telling


def _but(words: Iterable[str], dropped: Callable[[str], bool]) -> tuple[str, ...]:
    return tuple(word for word in words if not dropped(word))


@functools.cache
def _folded_units() -> frozenset[str]:
    return frozenset(text.fold(unit) for unit in drafting.units())
