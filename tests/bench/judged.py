"""Judged data for measuring: reading it, the measures, and known-item search.

The folder holds bdci_demands.jsonl, bdci_achievements.jsonl, bdci_judgments.jsonl, csl_docs.jsonl and
patents.jsonl; any may be absent. The data is not part of the project.
"""

import json
import math
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matching.documents import Document, Key
from matching.embedded.index import TantivyIndex
from matching.index import SearchIndex

Row = dict[str, Any]


def read(folder: Path, name: str) -> list[Row]:
    """The rows of a JSONL file; empty, with a loud word, if it is not there."""
    path = folder / f"{name}.jsonl"
    if not path.exists():
        print(f"SKIPPED: {path} is not there", file=sys.stderr)
        return []
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def ndcg(levels: Sequence[int], places: int = 10) -> float:
    """Of judged levels in the order shown, gain 2^(level-1) - 1."""

    def gain(ordered: Sequence[int]) -> float:
        return sum(
            (2 ** (level - 1) - 1) / math.log2(place + 2) for place, level in enumerate(ordered[:places])
        )

    best = gain(sorted(levels, reverse=True))
    return gain(levels) / best if best else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank, in the values' own unit."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else math.nan


def bootstrap(differences: Sequence[float], rounds: int = 2000) -> tuple[float, float]:
    """The 95 % interval of a mean of paired differences."""
    rng = random.Random(7)
    means = sorted(
        sum(rng.choices(differences, k=len(differences))) / len(differences) for _ in range(rounds)
    )
    return means[int(rounds * 0.025)], means[int(rounds * 0.975)]


def build(documents: list[Document]) -> tuple[SearchIndex, float]:
    """An index in memory and the seconds it took."""
    index = TantivyIndex(None)
    start = time.perf_counter()
    with index.rebuild() as beside:
        beside.add(documents)
    return index, time.perf_counter() - start


def known_items(index: SearchIndex, questions: Sequence[tuple[str, Key]]) -> Row:
    """Whether search finds the one right entry: nDCG and MRR over ten places, recall over a hundred."""
    gain, reciprocal, hundred, latency = 0.0, 0.0, 0, []
    for words, right in questions:
        start = time.perf_counter()
        hits = index.search(words, limit=100).hits
        latency.append(time.perf_counter() - start)
        for place, hit in enumerate(hits, 1):
            if hit.key == right:
                hundred += 1
                if place <= 10:
                    reciprocal += 1 / place
                    gain += 1 / math.log2(place + 1)
                break
    return {
        "queries": len(questions),
        "ndcg10": round(gain / len(questions), 4),
        "mrr10": round(reciprocal / len(questions), 4),
        "r100": round(hundred / len(questions), 4),
        "p50_ms": round(percentile(latency, 0.5) * 1000, 3),
        "p99_ms": round(percentile(latency, 0.99) * 1000, 3),
    }
