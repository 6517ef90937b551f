"""Two texts side by side, with what differs marked."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from matching.text import Segment

LONGEST = 6_000
"""Characters compared; what follows is shown as it is."""
_CLAUSE = re.compile(r"[^，。；,;\n]*[，。；,;\n]?")
_PIECE = re.compile(r"[A-Za-z0-9.]+|.", re.DOTALL)


def differences(one: str, other: str) -> tuple[list[Segment], list[Segment]]:
    """Both texts in pieces, those marked that the other does not have at that place.

    Clauses are matched first and characters only within clauses that changed, which is what a reader does and
    keeps long texts cheap.
    """
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    ours, theirs = (_CLAUSE.findall(text[:LONGEST]) for text in (one, other))
    for tag, a, b, c, d in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        mine, yours = "".join(ours[a:b]), "".join(theirs[c:d])
        if tag == "equal":
            left.append((mine, False))
            right.append((yours, False))
            continue
        before, after = _PIECE.findall(mine), _PIECE.findall(yours)
        for kind, i, j, k, m in SequenceMatcher(None, before, after).get_opcodes():
            left.append(("".join(before[i:j]), kind != "equal"))
            right.append(("".join(after[k:m]), kind != "equal"))
    left.append((one[LONGEST:], False))
    right.append((other[LONGEST:], False))
    return _joined(left), _joined(right)


def _joined(pieces: list[tuple[str, bool]]) -> list[Segment]:
    joined: list[Segment] = []
    for text, marked in pieces:
        if text and joined and joined[-1].matched == marked:
            joined[-1] = Segment(joined[-1].text + text, marked)
        elif text:
            joined.append(Segment(text, marked))
    return joined
