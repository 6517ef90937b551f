"""What judgments of some of a listing's candidates say of the others (反馈). Pure.

A candidate should fit as well as the judged ones that it is like: the mean of their levels, the nearer the
heavier (the square of the cosine of the characters), held back where nothing judged is near. With half of a
demand's judgments given the rest rank better for it; `make bench-matching` says by how much.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from matching.documents import Document, Key
from matching.scoring import Liking, Vector, Weigher, cosine

MOST_JUDGED = 60
"""Judged listings compared with, the latest ones."""
HOLDING_BACK = 0.1
"""Weight of knowing nothing, beside the squares of the likenesses."""
USUAL_LEVEL, USUAL_COUNT = 1.8, 2
"""What is expected before anybody has judged, as so many judgments: the mean level of the judged pairs. Without
it a single "not relevant" would say nothing, being its own mean."""
LEAST_LIKE = 0.05
"""Below this two listings share common characters and no more."""
LEAST_RELEVANT = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """A listing of the other side that somebody has judged, and its level."""

    document: Document
    level: float


def likings(judged: Sequence[Judged], candidates: Sequence[Document], weigher: Weigher) -> dict[Key, Liking]:
    """How the likeness to judged listings moves each candidate, in levels; silent where nothing is near."""
    judged = judged[:MOST_JUDGED]
    if not judged:
        return {}
    seen = [(one, weigher.vector(one.document.whole_text)) for one in judged]
    usual = (sum(one.level for one in judged) + USUAL_LEVEL * USUAL_COUNT) / (len(judged) + USUAL_COUNT)
    found: dict[Key, Liking] = {}
    for candidate in candidates:
        liking = _liking(weigher.vector(candidate.whole_text), seen, usual)
        if liking is not None:
            found[candidate.key] = liking
    return found


def _liking(candidate: Vector, seen: Sequence[tuple[Judged, Vector]], usual: float) -> Liking | None:
    total, weight, moved = HOLDING_BACK, 0.0, 0.0
    nearest: tuple[float, Judged] | None = None
    for one, vector in seen:
        likeness = cosine(candidate, vector)
        if likeness < LEAST_LIKE:
            continue
        weight = likeness * likeness
        total += weight
        moved += weight * (one.level - usual)
        if nearest is None or likeness > nearest[0]:
            nearest = (likeness, one)
    if nearest is None:
        return None
    likeness, one = nearest
    return Liking(moved / total, one.document.title, one.level >= LEAST_RELEVANT, likeness)
