"""What judgments of some of a listing's candidates say of the others (反馈). Pure.

Where a judgment differs from what the order led one to expect, candidates like the judged one should differ
alike: a Gaussian process over the candidates. A level is expected to be the usual one, plus what the order says,
plus what is peculiar to this listing's judgments as a whole, plus what like candidates share, and the rest is the
judge's own. How much each of these varies was fitted by marginal likelihood to the judgments of 59 demands and
measured on others: `make bench-matching` says what it brings.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from matching.documents import Document
from matching.scoring import Liking, Scored, Weigher, cosine
from matching.weights import Weights

MOST_JUDGED = 60
"""Judged listings compared with, the latest ones."""
USUAL_LEVEL = 1.7
"""Expected of a candidate in the middle of the order before anybody has judged."""
OF_THE_WHOLE, OF_LIKENESS, OF_THE_JUDGE = 0.135, 0.2, 0.15
"""Variances in levels squared: of a listing's mean from the usual level, of what a candidate shares with one just
like it, and of what it shares with none."""
LOWEST, HIGHEST = 1.0, 4.0
LEAST_LIKE = 0.05
"""Below this two listings share common characters and no more."""
LEAST_RELEVANT = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """A listing of the other side that somebody has judged, and its level."""

    document: Document
    level: float


def moved(
    scored: Sequence[Scored], judged: Sequence[Judged], weigher: Weigher, weighing: Weights
) -> list[Scored]:
    """The scored candidates in the order that the judgments make of theirs, each with its `liking`.

    What is judged should be among the scored; of what is not, the usual level was expected. Bands stay.
    """
    judged = judged[:MOST_JUDGED]
    if not judged:
        return list(scored)
    expected = {one.document.key: _expected(one, weighing) for one in scored}
    vectors = [weigher.vector(one.document.whole_text) for one in judged]
    likenesses = [[cosine(one, other) for other in vectors[: row + 1]] for row, one in enumerate(vectors)]
    # An order may expect less than the lowest level; a judgment of that level is no surprise then.
    surprises = [
        one.level - min(HIGHEST, max(LOWEST, expected.get(one.document.key, USUAL_LEVEL))) for one in judged
    ]
    covariances = [[OF_THE_WHOLE + OF_LIKENESS * value for value in row] for row in likenesses]
    for number, row in enumerate(covariances):
        row[number] += OF_THE_JUDGE
    pulls = _solved(covariances, surprises)
    whole = OF_THE_WHOLE * math.fsum(pulls)
    places = {one.document.key: place for place, one in enumerate(judged)}
    found = []
    for one in scored:
        place = places.get(one.document.key)
        if place is None:
            vector = weigher.vector(one.document.whole_text)
            near = [cosine(vector, other) for other in vectors]
        else:
            near = likenesses[place] + [row[place] for row in likenesses[place + 1 :]]
        levels = OF_LIKENESS * math.fsum(a * b for a, b in zip(near, pulls, strict=True))
        nearest = max(range(len(judged)), key=near.__getitem__)
        liking = Liking(
            levels,
            expected[one.document.key] + whole + levels,
            judged[nearest].document.title if near[nearest] >= LEAST_LIKE else "",
            judged[nearest].level >= LEAST_RELEVANT,
        )
        found.append(replace(one, total=one.total + weighing.liking * levels, liking=liking))
    found.sort(key=lambda one: (-round(one.total, 9), one.document.key))
    return found


def _expected(one: Scored, weighing: Weights) -> float:
    """The level that the order alone leads one to expect."""
    return USUAL_LEVEL + (one.total / weighing.liking if weighing.liking > 0 else 0.0)


def _solved(lower: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """The solution of a positive definite system given by its lower triangle (Cholesky)."""
    rows: list[list[float]] = []
    forward: list[float] = []
    for given, value in zip(lower, right, strict=True):
        row: list[float] = []
        for column, other in zip(given, rows, strict=False):
            row.append((column - math.fsum(a * b for a, b in zip(row, other, strict=False))) / other[-1])
        row.append(math.sqrt(given[-1] - math.fsum(a * a for a in row)))
        forward.append((value - math.fsum(a * b for a, b in zip(row, forward, strict=False))) / row[-1])
        rows.append(row)
    solution = [0.0] * len(rows)
    for number in range(len(rows) - 1, -1, -1):
        rest = math.fsum(rows[n][number] * solution[n] for n in range(number + 1, len(rows)))
        solution[number] = (forward[number] - rest) / rows[number][-1]
    return solution
