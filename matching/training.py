"""Weights learned from a market's own judgments (训练), and whether they may take over.

What is learned: one weight for each part of the score, by least squares on the levels within each demand, held
to the weights in force (a ridge around them, so that few judgments move little), and the rising line from
absolute score to level. No weight becomes negative: a reason that speaks for a pair must not count against it.

What is adopted: nothing, unless the order of demands that were left out (five folds) is better than that of the
weights in force with the lower end of a 95 % paired bootstrap by demand above zero.
"""

import json
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from market.db import t
from market.enquiries.models import Enquiry, EnquiryState, PassReason
from matching import documents, judgments, scoring, weights
from matching.documents import Document, Key, Kind
from matching.embedded.index import TantivyIndex
from matching.index import SearchIndex
from matching.scoring import Weigher
from matching.weights import Part, Weights

FOLDS = 5
LEAST_DEMANDS = 20
"""Judged demands below which nothing is learned: an interval of fewer means nothing."""
HELD_TO = 200.0
"""How much the weights in force count, in judged pairs."""
ROUNDS = 2000
PLACES = 10


@dataclass(frozen=True, slots=True)
class Pair:
    """A judged pair: what its parts came to, its two cosines, and its level. `name` settles ties."""

    name: str
    parts: Mapping[Part, float]
    title: float
    text: float
    level: int


Examples = dict[str, list[Pair]]
"""Judged pairs by demand; only demands with at least three, on more than one level."""


@dataclass(frozen=True, slots=True)
class Report:
    """What training found. `before` and `after` are the mean nDCG@10 over demands left out; `enough` is False if
    there was too little to learn from, and then nothing else means anything."""

    enough: bool
    demands: int
    pairs: int
    before: float = 0.0
    after: float = 0.0
    gain: float = 0.0
    low: float = 0.0
    high: float = 0.0

    @property
    def better(self) -> bool:
        """Whether the new weights may take over."""
        return self.enough and self.low > 0

    def as_json(self) -> dict[str, Any]:
        """For the row that keeps it."""
        return {
            "demands": self.demands,
            "pairs": self.pairs,
            "folds": FOLDS,
            "before": round(self.before, 4),
            "after": round(self.after, 4),
            "gain": round(self.gain, 4),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
            "better": self.better,
        }


# -- what there is to learn from -----------------------------------------------------------------------


def from_market(session: Session, index: SearchIndex) -> Examples:
    """The market's own judgments, and what became of enquiries about pairs that nobody has judged."""
    levels = {
        (demand, result): level
        for source in (contacts(session), judgments.training_pairs(session))
        for demand, result, level in source
    }
    by_demand: dict[int, dict[int, int]] = defaultdict(dict)
    for (demand, result), level in levels.items():
        by_demand[demand][result] = level
    weigher = Weigher(index.rarity())
    examples: Examples = {}
    for demand, judged in sorted(by_demand.items()):
        keys = [Key(Kind.RESULT, result) for result in judged]
        found = documents.load(session, [Key(Kind.DEMAND, demand), *keys])
        subject = found.get(Key(Kind.DEMAND, demand))
        if subject is not None:
            there = [found[key] for key in keys if key in found]
            _add(examples, str(demand), subject, there, [judged[one.key.id] for one in there], weigher)
    return examples


def contacts(session: Session) -> list[tuple[int, int, int]]:
    """Demand, result and level of pairs about which there was an enquiry: agreed is 4, under way is 3, passed for
    not being relevant is 1; other endings say nothing of the match."""
    c = t(Enquiry).c
    of_demand = c.subject_kind == "demand"
    demand = sa.case((of_demand, c.subject_id), else_=c.for_demand_id)
    result = sa.case((of_demand, c.offered_result_id), else_=c.subject_id)
    statement = (
        sa.select(demand, result, c.state, c.pass_reason)
        .where(demand.is_not(None), result.is_not(None))
        .order_by(c.id)
    )
    found = []
    for demand_id, result_id, state, reason in session.execute(statement):
        if state == EnquiryState.AGREED.value:
            found.append((demand_id, result_id, 4))
        elif state in (EnquiryState.ANSWERED.value, EnquiryState.NEGOTIATING.value):
            found.append((demand_id, result_id, 3))
        elif state == EnquiryState.PASSED.value and reason == PassReason.NOT_RELEVANT.value:
            found.append((demand_id, result_id, 1))
    return found


def from_folder(folder: Path) -> Examples:
    """Judged files of the bench's shape: `bdci_demands.jsonl`, `bdci_achievements.jsonl`, `bdci_judgments.jsonl`.

    Raises OSError for what cannot be read and ValueError naming the line of what makes no sense.
    """
    demands = {
        row["id"]: Document(Key(Kind.DEMAND, number), row["title"], row.get("text", ""))
        for number, row in enumerate(_rows(folder / "bdci_demands.jsonl", "id", "title"), 1)
    }
    results = {
        row["id"]: Document(
            Key(Kind.RESULT, number),
            row.get("title") or " ".join(row.get("title_tokens", ())),
            row.get("text", ""),
        )
        for number, row in enumerate(_rows(folder / "bdci_achievements.jsonl", "id"), 1)
    }
    judged: dict[str, dict[str, int]] = defaultdict(dict)
    for row in _rows(folder / "bdci_judgments.jsonl", "demand", "achievement", "level"):
        if row["demand"] in demands and row["achievement"] in results:
            judged[row["demand"]][row["achievement"]] = int(row["level"])
    index = TantivyIndex(None)
    with index.rebuild() as beside:
        beside.add([*demands.values(), *results.values()])
    weigher = Weigher(index.rarity())
    examples: Examples = {}
    for demand, levels in judged.items():
        there = [results[result] for result in levels]
        _add(examples, demand, demands[demand], there, list(levels.values()), weigher)
    index.close()
    return examples


def _rows(path: Path, *needed: str) -> Iterable[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            row = json.loads(line)
            missing = [name for name in needed if name not in row] if isinstance(row, dict) else needed
            if missing:
                raise ValueError(f"{path.name}:{number}: without {', '.join(missing)}")
            yield row


def _add(
    examples: Examples,
    name: str,
    subject: Document,
    there: Sequence[Document],
    levels: Sequence[int],
    weigher: Weigher,
) -> None:
    if len(there) < 3 or len(set(levels)) < 2:
        return
    level_of = {document.key: level for document, level in zip(there, levels, strict=True)}
    examples[name] = [
        Pair(str(one.document.key), one.parts, one.title, one.text, level_of[one.document.key])
        for one in scoring.score(subject, there, weigher)
    ]


# -- learning ------------------------------------------------------------------------------------------


def train(examples: Examples, current: Weights, seed: int = 1) -> tuple[Weights, Report]:
    """The weights learned from all the examples, and what came of those learned from some of them on the others.

    With too few demands the weights are those given.
    """
    pairs = sum(len(judged) for judged in examples.values())
    if len(examples) < LEAST_DEMANDS:
        return current, Report(False, len(examples), pairs)
    names = sorted(examples)
    random.Random(seed).shuffle(names)  # noqa: S311 - folds must come out alike
    before: dict[str, float] = {}
    after: dict[str, float] = {}
    for fold in range(FOLDS):
        left_out = names[fold::FOLDS]
        kept = {name: examples[name] for name in names if name not in set(left_out)}
        fitted = fit(kept, current.parts)
        for name in left_out:
            before[name] = ndcg(examples[name], current.parts)
            after[name] = ndcg(examples[name], fitted)
    gains = [after[name] - before[name] for name in names]
    low, high = interval(gains, seed)
    count = len(names)
    report = Report(
        True,
        count,
        pairs,
        math.fsum(before.values()) / count,
        math.fsum(after.values()) / count,
        math.fsum(gains) / count,
        low,
        high,
    )
    return replace(calibrated(examples, current), parts=fit(examples, current.parts), id=None), report


def fit(examples: Examples, around: Mapping[Part, float]) -> dict[Part, float]:
    """Weights by least squares on levels about each demand's mean, held to the given ones."""
    columns = [
        part for part in Part if any(pair.parts.get(part) for judged in examples.values() for pair in judged)
    ]
    rows: list[tuple[list[float], float]] = []
    for judged in examples.values():
        means = [math.fsum(pair.parts.get(part, 0.0) for pair in judged) / len(judged) for part in columns]
        level = math.fsum(pair.level for pair in judged) / len(judged)
        rows.extend(
            (
                [pair.parts.get(part, 0.0) - mean for part, mean in zip(columns, means, strict=True)],
                pair.level - level,
            )
            for pair in judged
        )
    given = [around.get(part, 0.0) for part in columns]
    sums = [math.fsum(x * w for x, w in zip(row, given, strict=True)) for row, _ in rows]
    square = math.fsum(value * value for value in sums)
    # What one unit of the score in force is worth in levels; without it there is nothing to hold on to.
    worth = math.fsum(value * y for value, (_, y) in zip(sums, rows, strict=True)) / square if square else 0.0
    if worth <= 0:
        return dict(around)
    left = [
        [
            math.fsum(row[i] * row[j] for row, _ in rows) + (HELD_TO if i == j else 0.0)
            for j in range(len(columns))
        ]
        for i in range(len(columns))
    ]
    right = [
        math.fsum(row[i] * y for row, y in rows) + HELD_TO * worth * given[i] for i in range(len(columns))
    ]
    solved = solve(left, right)
    learned = dict(around)
    learned.update((part, max(0.0, value / worth)) for part, value in zip(columns, solved, strict=True))
    return learned


def solve(left: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """The x of a regular system of equations, by elimination with pivots."""
    rows = [[*row, value] for row, value in zip(left, right, strict=True)]
    size = len(rows)
    for column in range(size):
        pivot = max(range(column, size), key=lambda number: abs(rows[number][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for number in range(column + 1, size):
            factor = rows[number][column] / rows[column][column]
            for place in range(column, size + 1):
                rows[number][place] -= factor * rows[column][place]
    found = [0.0] * size
    for number in reversed(range(size)):
        rest = math.fsum(rows[number][place] * found[place] for place in range(number + 1, size))
        found[number] = (rows[number][size] - rest) / rows[number][number]
    return found


def calibrated(examples: Examples, current: Weights) -> Weights:
    """The same weights with the rising line of these examples; as they were if the line would not rise."""
    line = [
        (current.calibration.absolute(pair.title, pair.text), float(pair.level))
        for judged in examples.values()
        for pair in judged
    ]
    try:
        points = weights.rising_line(line)
    except ValueError:
        return current
    return replace(current, calibration=replace(current.calibration, points=points))


def ndcg(judged: Sequence[Pair], parts: Mapping[Part, float]) -> float:
    """nDCG@10 of the order that weights make of a demand's judged pairs, gain 2^(level-1) - 1."""

    def gain(levels: Sequence[int]) -> float:
        return math.fsum(
            (2 ** (level - 1) - 1) / math.log2(place + 2) for place, level in enumerate(levels[:PLACES])
        )

    def total(pair: Pair) -> float:
        return math.fsum(parts.get(part, 0.0) * value for part, value in pair.parts.items())

    ordered = sorted(judged, key=lambda pair: (-total(pair), pair.name))
    best = gain(sorted((pair.level for pair in judged), reverse=True))
    return gain([pair.level for pair in ordered]) / best if best else 0.0


def interval(gains: Sequence[float], seed: int) -> tuple[float, float]:
    """The 95 % interval of the mean of paired differences."""
    rng = random.Random(seed)  # noqa: S311 - and so must the interval
    means = sorted(math.fsum(rng.choices(gains, k=len(gains))) / len(gains) for _ in range(ROUNDS))
    return means[int(ROUNDS * 0.025)], means[int(ROUNDS * 0.975)]
