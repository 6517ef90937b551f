"""How good matching and search are on judged data, and how fast; prints a table and one line of JSON.

    make bench-matching DATA=PATH       (or MARKET_TEST_DATA=PATH)

PATH holds bdci_demands.jsonl, bdci_achievements.jsonl, bdci_judgments.jsonl, csl_docs.jsonl and
patents.jsonl (any may be absent; what it serves is then skipped, loudly). The data is not part of the
project: its licences do not allow it.

Conventions: nDCG@10 with gain 2^(level-1)-1 over the judged results of each demand that has at least three
of them on more than one level; ties by id. Known-item search indexes the abstract only (a patent's with its
title cut out) and asks for it by title or keywords; MRR counts the first ten places.
"""

import argparse
import json
import math
import os
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matching import text
from matching.documents import Document, Key, Kind
from matching.index import SearchIndex
from matching.recommend import COMPARED, GUESSED
from matching.scoring import Band, Weigher, band_of, score, standardised, textual
from matching.tantivy_index import TantivyIndex

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
    """Of judged levels in the order shown."""

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


def build(documents: list[Document]) -> tuple[SearchIndex, float]:
    """An index in memory and the seconds it took."""
    index = TantivyIndex(None)
    start = time.perf_counter()
    with index.rebuild() as beside:
        beside.add(documents)
    return index, time.perf_counter() - start


_terms_of: dict[Key, list[str]] = {}


def _terms(document: Document) -> list[str]:
    if document.key not in _terms_of:
        _terms_of[document.key] = text.terms(document.whole_text)
    return _terms_of[document.key]


def matching_quality(folder: Path) -> Row:
    """Order, bands and candidates on judged pairs of demand and result."""
    demand_rows = read(folder, "bdci_demands")
    result_rows = read(folder, "bdci_achievements")
    judged_rows = read(folder, "bdci_judgments")
    if not (demand_rows and result_rows and judged_rows):
        return {}
    demands = {
        row["id"]: Document(Key(Kind.DEMAND, number), row["title"], row.get("text", ""))
        for number, row in enumerate(demand_rows, 1)
    }
    results = {
        row["id"]: Document(
            Key(Kind.RESULT, number), row.get("title") or " ".join(row["title_tokens"]), row.get("text", "")
        )
        for number, row in enumerate(result_rows, 1)
    }
    judged: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in judged_rows:
        if row["demand"] in demands and row["achievement"] in results:
            judged[row["demand"]].append((row["achievement"], int(row["level"])))
    index, seconds = build([*demands.values(), *results.values()])
    weigher = Weigher(index.rarity())
    corpus = list(results.values())
    by_key = {document.key: document for document in corpus}
    order: dict[str, list[float]] = defaultdict(list)
    bands: dict[Band, Counter[int]] = {band: Counter() for band in Band}
    pairs: list[tuple[float, int]] = []
    found = wanted = 0
    latency: list[float] = []
    baseline_of = _Baseline(corpus)
    for demand_id, pairs_of in judged.items():
        demand = demands[demand_id]
        shown = [results[result_id] for result_id, _ in pairs_of]
        level = {results[result_id].key: value for result_id, value in pairs_of}
        name = {results[result_id].key: result_id for result_id, _ in pairs_of}
        cosines = textual(demand, shown, weigher)
        for document, (title, whole) in zip(shown, cosines, strict=True):
            bands[band_of(title + whole)][level[document.key]] += 1
            pairs.append((title + whole, level[document.key]))
        start = time.perf_counter()
        hits = index.candidates(demand.title, demand.text, Kind.RESULT, GUESSED)
        score(demand, [by_key[hit.key] for hit in hits[:COMPARED]], weigher)
        latency.append(time.perf_counter() - start)
        reached = {hit.key for hit in hits}
        for key, value in level.items():
            if value >= 3:
                wanted += 1
                found += key in reached
        if len(pairs_of) < 3 or len(set(level.values())) < 2:
            continue
        baseline = baseline_of(f"{demand.title}\n{demand.text}", shown)
        titles = [title for title, _ in cosines]
        texts = [whole for _, whole in cosines]
        fused = [a + b for a, b in zip(standardised(titles), standardised(texts), strict=True)]
        for scorer, values in (
            ("bm25", baseline),
            ("title", titles),
            ("text", texts),
            ("matching", fused),
        ):
            ranked = sorted(zip(values, shown, strict=True), key=lambda one: (-one[0], name[one[1].key]))
            order[scorer].append(ndcg([level[document.key] for _, document in ranked]))
    gains = [ours - theirs for ours, theirs in zip(order["matching"], order["bm25"], strict=True)]
    low, high = bootstrap(gains)
    report: Row = {
        "demands": len(order["matching"]),
        "pairs": len(pairs),
        "ndcg10": {scorer: round(sum(values) / len(values), 4) for scorer, values in order.items()},
        "gain_over_bm25": round(sum(gains) / len(gains), 4),
        "gain_95": [round(low, 4), round(high, 4)],
        "bands": {
            band.value: {
                "share": round(sum(levels.values()) / len(pairs), 4),
                "mean_level": round(sum(k * v for k, v in levels.items()) / max(1, sum(levels.values())), 3),
                "level_3_or_4": round((levels[3] + levels[4]) / max(1, sum(levels.values())), 3),
                "level_1": round(levels[1] / max(1, sum(levels.values())), 3),
            }
            for band, levels in bands.items()
        },
        "candidate_recall": round(found / max(1, wanted), 4),
        "match_ms_p50": round(percentile(latency, 0.5) * 1000, 2),
        "match_ms_p99": round(percentile(latency, 0.99) * 1000, 2),
        "index_seconds": round(seconds, 2),
    }
    pairs.sort(reverse=True)
    report["absolute_by_rank"] = {
        f"{share:.0%}": round(pairs[int(len(pairs) * share)][0], 3) for share in (0.01, 0.03, 0.1, 0.25, 0.5)
    }
    return report


class _Baseline:
    """BM25 (k1 1.2, b 0.75) over words and bigrams of title and text: what a search box alone would order."""

    def __init__(self, corpus: Sequence[Document]) -> None:
        self._frequency: Counter[str] = Counter()
        self._size = len(corpus)
        total = 0
        for document in corpus:
            found = _terms(document)
            self._frequency.update(set(found))
            total += len(found)
        self._mean = total / max(1, self._size)

    def __call__(self, query: str, documents: Sequence[Document]) -> list[float]:
        asked = Counter(text.terms(query))
        answer = []
        for document in documents:
            found = Counter(_terms(document))
            norm = 1.2 * (0.25 + 0.75 * sum(found.values()) / self._mean)
            answer.append(
                sum(
                    times * self._idf(term) * found[term] * 2.2 / (found[term] + norm)
                    for term, times in asked.items()
                    if term in found
                )
            )
        return answer

    def _idf(self, term: str) -> float:
        frequency = self._frequency[term]
        return math.log(1 + (self._size - frequency + 0.5) / (frequency + 0.5))


def bootstrap(differences: Sequence[float], rounds: int = 2000) -> tuple[float, float]:
    """The 95 % interval of a mean of paired differences."""
    rng = random.Random(7)
    means = sorted(
        sum(rng.choices(differences, k=len(differences))) / len(differences) for _ in range(rounds)
    )
    return means[int(rounds * 0.025)], means[int(rounds * 0.975)]


def known_items(index: SearchIndex, questions: Sequence[tuple[str, Key]]) -> Row:
    """Whether search finds the one right entry."""
    reciprocal, hundred, latency = 0.0, 0, []
    for words, right in questions:
        start = time.perf_counter()
        hits = index.search(words, limit=100).hits
        latency.append(time.perf_counter() - start)
        for place, hit in enumerate(hits, 1):
            if hit.key == right:
                hundred += 1
                reciprocal += 1 / place if place <= 10 else 0
                break
    return {
        "queries": len(questions),
        "mrr10": round(reciprocal / len(questions), 4),
        "recall100": round(hundred / len(questions), 4),
        "ms_p50": round(percentile(latency, 0.5) * 1000, 2),
        "ms_p99": round(percentile(latency, 0.99) * 1000, 2),
    }


def search_quality(folder: Path) -> Row:
    """Known-item search among papers and among patents."""
    report: Row = {}
    papers = read(folder, "csl_docs")
    if papers:
        documents = [Document(Key(Kind.RESULT, n), "", row["abstract"]) for n, row in enumerate(papers, 1)]
        index, seconds = build(documents)
        by_title = [(row["title"], document.key) for row, document in zip(papers, documents, strict=True)]
        by_words = [
            (
                " ".join(row["keywords"]) if isinstance(row["keywords"], list) else row["keywords"],
                document.key,
            )
            for row, document in zip(papers, documents, strict=True)
        ]
        report["csl_title"] = known_items(index, by_title)
        report["csl_keywords"] = known_items(index, by_words)
        report["csl_index_seconds"] = round(seconds, 2)
        index.close()
    patents = read(folder, "patents")
    if patents:
        documents = [
            Document(Key(Kind.RESULT, n), "", row["abstract"].replace(row["title"], ""))
            for n, row in enumerate(patents, 1)
        ]
        index, seconds = build(documents)
        asked = [(row["title"], document.key) for row, document in zip(patents, documents, strict=True)]
        report["patents"] = known_items(index, asked)
        report["patents_index_seconds"] = round(seconds, 2)
        index.close()
    return report


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "data", nargs="?", default=os.environ.get("DATA") or os.environ.get("MARKET_TEST_DATA", "")
    )
    given = parser.parse_args().data
    if not given or not Path(given).is_dir():
        print(f"SKIPPED: no judged data at {given!r}; give a folder or set MARKET_TEST_DATA", file=sys.stderr)
        print(json.dumps({"bench": "matching", "skipped": True}))
        return
    folder = Path(given)
    if not (folder / "bdci_demands.jsonl").exists() and (folder / "public").is_dir():
        folder = folder / "public"
    report = {
        "bench": "matching",
        "skipped": False,
        "matching": matching_quality(folder),
        "search": search_quality(folder),
    }
    print(json.dumps(report, ensure_ascii=False, indent=2))
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
