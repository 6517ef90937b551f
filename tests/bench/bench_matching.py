"""How well matching ranks judged pairs of demand and result, and how fast; the last line is one JSON object.

    make bench-matching DATA=PATH       (or MARKET_TEST_DATA=PATH)

PATH holds bdci_demands.jsonl, bdci_achievements.jsonl and bdci_judgments.jsonl. The data is not part of the
project: its licences do not allow it.

`ndcg10` has gain 2^(level-1)-1 over the judged results of each demand that has at least three of them on more than
one level; ties by id. `spearman` is over all pairs. `mae` is that of whole levels, by thresholds on the score that
are learned on four fifths of the demands and used on the last; `score` is 1/(1+mae).

`bm25` is BM25 (k1 1.2, b 0.75) over words and bigrams, asked with a demand's title and text; `index` the engine's
own order; `shipped` the weights that come with the program; `shipped_vectors` the same with the vectors of the
optional extra (null where it is not installed; kept under the system's temporary folder, for they are slow).
`feedback` is given half of each demand's judgments and ranks the other half, over several seeded splits (levels: the
first); its `shipped_ndcg10` and `shipped_score` are what the shipped order and level come to on those same halves,
`feedback_vectors` the same with vectors on both sides. Intervals are 95 % paired bootstraps by demand. `recall300` is the share of the results of level 3 and 4 that are among 300 candidates from the whole catalogue.
"""

import argparse
import bisect
import json
import math
import os
import random
import struct
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matching import feedback, text, vectors, weights
from matching.documents import Document, Key, Kind
from matching.feedback import Judged
from matching.index import SearchIndex
from matching.recommend import COMPARED, GUESSED
from matching.scoring import Known, Weigher, score
from matching.vectors import EmbeddingKind
from tests.bench.judged import Row, bootstrap, build, ndcg, percentile, read

FOLDS = 5
SPLITS = 10
"""Halvings of each demand's judgments that the feedback is averaged over."""
DEPTH = 300


@dataclass(frozen=True)
class Data:
    """Demands with their judged results. Pairs whose demand or result is not there are left out."""

    demands: dict[str, Document]
    results: dict[str, Document]
    judged: dict[str, dict[str, int]]

    @property
    def ranked(self) -> list[str]:
        """The demands over which nDCG is meant."""
        return [
            demand
            for demand, levels in self.judged.items()
            if len(levels) >= 3 and len(set(levels.values())) > 1
        ]


Scores = dict[str, dict[str, float]]
"""Demand → result → score."""


def load(folder: Path) -> Data | None:
    """The judged data of a folder; None if a part of it is missing."""
    demand_rows, result_rows, judged_rows = (
        read(folder, f"bdci_{name}") for name in ("demands", "achievements", "judgments")
    )
    if not (demand_rows and result_rows and judged_rows):
        return None
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
    judged: dict[str, dict[str, int]] = defaultdict(dict)
    for row in judged_rows:
        if row["demand"] in demands and row["achievement"] in results:
            judged[row["demand"]][row["achievement"]] = int(row["level"])
    return Data(demands, results, dict(judged))


class Bm25:
    """What a search box alone would order."""

    def __init__(self, corpus: Mapping[str, Document]) -> None:
        self._found = {name: Counter(text.terms(document.whole_text)) for name, document in corpus.items()}
        self._postings: dict[str, list[str]] = defaultdict(list)
        for name, found in self._found.items():
            for term in found:
                self._postings[term].append(name)
        self._mean = sum(sum(found.values()) for found in self._found.values()) / max(1, len(corpus))

    def __call__(self, asked: Document) -> dict[str, float]:
        """The score of every result that shares a term."""
        scores: dict[str, float] = defaultdict(float)
        for term, times in Counter(text.terms(asked.whole_text)).items():
            holding = self._postings.get(term, ())
            idf = math.log(1 + (len(self._found) - len(holding) + 0.5) / (len(holding) + 0.5))
            for name in holding:
                found = self._found[name]
                norm = 1.2 * (0.25 + 0.75 * sum(found.values()) / self._mean)
                scores[name] += times * idf * found[term] * 2.2 / (found[term] + norm)
        return scores


def ranking(data: Data, scores: Scores) -> dict[str, float]:
    """nDCG@10 of each demand."""
    found = {}
    for demand in data.ranked:
        levels = data.judged[demand]
        ordered = sorted(levels, key=lambda result: (-scores[demand][result], result))
        found[demand] = ndcg([levels[result] for result in ordered])
    return found


def spearman(pairs: Sequence[tuple[float, float]]) -> float:
    """Of ranks, equal values sharing the mean of theirs."""

    def ranks(values: Sequence[float]) -> list[float]:
        ordered = sorted(values)
        return [
            (bisect.bisect_left(ordered, value) + bisect.bisect_right(ordered, value) - 1) / 2
            for value in values
        ]

    ours, theirs = ranks([a for a, _ in pairs]), ranks([b for _, b in pairs])
    middle = (len(pairs) - 1) / 2
    together = math.fsum((a - middle) * (b - middle) for a, b in zip(ours, theirs, strict=True))
    spread = math.sqrt(
        math.fsum((a - middle) ** 2 for a in ours) * math.fsum((b - middle) ** 2 for b in theirs)
    )
    return together / spread if spread else 0.0


def thresholds(pairs: Sequence[tuple[float, int]]) -> list[float]:
    """The scores from which level 2, 3 and 4 are said, with the least absolute error on these pairs."""
    ordered = sorted(pairs)
    cuts = [
        -math.inf,
        *sorted({round(value, 6) for value, _ in ordered[:: max(1, len(ordered) // 200)]}),
        math.inf,
    ]
    # cost[c] is that of saying the level of everything below cuts[c]; one level after the other is settled.
    sums = {level: [0.0] for level in (1, 2, 3, 4)}
    place = 0
    for cut in cuts[1:]:
        costs = dict.fromkeys(sums, 0.0)
        while place < len(ordered) and ordered[place][0] < cut:
            for level in costs:
                costs[level] += abs(level - ordered[place][1])
            place += 1
        for level, known in sums.items():
            known.append(known[-1] + costs[level])
    best, choice = list(sums[1]), []
    for level in (2, 3, 4):
        running, at, came, following = math.inf, 0, [], []
        for number in range(len(cuts)):
            start = best[number] - sums[level][number]
            if start < running:
                running, at = start, number
            came.append(at)
            following.append(running + sums[level][number])
        choice.append(came)
        best = following
    end, found = len(cuts) - 1, []
    for came in reversed(choice):
        end = came[end]
        found.append(cuts[end])
    return found[::-1]


def levels_error(data: Data, scores: Scores) -> float | None:
    """The mean absolute error of whole levels, each fold's thresholds learned on the others; None with fewer than two
    demands."""
    demands = sorted(data.judged)
    if len(demands) < 2:
        return None
    random.Random(1).shuffle(demands)
    error = count = 0
    for fold in range(FOLDS):
        pairs = [
            (scores[demand][result], level)
            for number, demand in enumerate(demands)
            if number % FOLDS != fold
            for result, level in data.judged[demand].items()
        ]
        cuts = thresholds(pairs)
        for demand in demands[fold::FOLDS]:
            for result, level in data.judged[demand].items():
                error += abs(1 + bisect.bisect_right(cuts, scores[demand][result]) - level)
                count += 1
    return error / count


def measured(data: Data, order: Scores, absolute: Scores) -> Row:
    """The four figures of a scorer: `order` ranks within a demand, `absolute` compares across demands. None for what
    there is nothing to measure by."""
    pairs = [
        (absolute[demand][result], float(level))
        for demand, levels in data.judged.items()
        for result, level in levels.items()
    ]
    gains = ranking(data, order)
    mae = levels_error(data, absolute)
    return {
        "ndcg10": round(sum(gains.values()) / len(gains), 4) if gains else None,
        "spearman": round(spearman(pairs), 4) if pairs else None,
        "mae": None if mae is None else round(mae, 4),
        "score": None if mae is None else round(1 / (1 + mae), 4),
    }


def difference(data: Data, ours: Scores, theirs: Scores) -> Row | None:
    """The gain of one order over another, with its interval; None if nothing can be ranked."""
    one, other = ranking(data, ours), ranking(data, theirs)
    gains = [one[demand] - other[demand] for demand in one]
    if not gains:
        return None
    low, high = bootstrap(gains)
    return {"gain": round(sum(gains) / len(gains), 4), "low": round(low, 4), "high": round(high, 4)}


def by_score(
    data: Data, weigher: Weigher, known_of: Callable[[str], Known]
) -> tuple[Scores, Scores, dict[weights.Band, Counter[int]]]:
    """What the shipped scoring says of every judged pair: the order, the expected level, the levels by band."""
    order: Scores = {}
    absolute: Scores = {}
    bands: dict[weights.Band, Counter[int]] = {band: Counter() for band in weights.Band}
    for demand, levels in data.judged.items():
        names = {data.results[result].key: result for result in levels}
        scored = score(
            data.demands[demand],
            [data.results[result] for result in levels],
            weigher,
            weights.shipped(),
            known_of(demand),
        )
        order[demand] = {names[one.document.key]: one.total for one in scored}
        absolute[demand] = {names[one.document.key]: one.absolute for one in scored}
        for one in scored:
            bands[one.band][levels[names[one.document.key]]] += 1
    return order, absolute, bands


def feedback_measured(data: Data, weigher: Weigher, known_of: Callable[[str], Known]) -> Row | None:
    """With half of a demand's judgments given, how the other half ranks, beside the shipped order of it; None if
    no half can be ranked."""
    gains: dict[str, list[float]] = defaultdict(list)
    before: list[float] = []
    after: list[float] = []
    expected: Scores = {}
    shipped: Scores = {}
    rng = random.Random(4)
    for split in range(SPLITS):
        for demand, levels in data.judged.items():
            names = sorted(levels)
            rng.shuffle(names)
            given, rest = names[: len(names) // 2], names[len(names) // 2 :]
            name_of = {data.results[name].key: name for name in names}
            # Both orders are standardised over all the candidates, as the market does.
            documents = [data.results[name] for name in names]
            scored = score(data.demands[demand], documents, weigher, known=known_of(demand))
            judged = [Judged(data.results[name], levels[name]) for name in given]
            plain = {name_of[one.document.key]: one for one in scored}
            moved = {
                name_of[one.document.key]: one
                for one in feedback.moved(scored, judged, weigher, weights.shipped())
            }
            if split == 0:
                liked = {name: moved[name].liking for name in rest}
                shipped[demand] = {name: plain[name].level for name in rest}
                expected[demand] = {
                    name: plain[name].level if liking is None else liking.expected
                    for name, liking in liked.items()
                }
            if len(rest) < 3 or len({levels[name] for name in rest}) < 2:
                continue
            was, now = (
                ndcg([levels[name] for name in sorted(rest, key=lambda name: (-by[name].total, name))])
                for by in (plain, moved)
            )
            before.append(was)
            after.append(now)
            gains[demand].append(now - was)
    if not gains:
        return None
    means = [sum(values) / len(values) for values in gains.values()]
    low, high = bootstrap(means)
    halves = Data({}, {}, {key: {name: data.judged[key][name] for name in expected[key]} for key in expected})
    figures = measured(halves, expected, expected)
    return {
        **figures,
        "ndcg10": round(sum(after) / len(after), 4),
        "shipped_ndcg10": round(sum(before) / len(before), 4),
        "shipped_score": measured(halves, shipped, shipped)["score"],
        "gain": round(sum(means) / len(means), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "splits": SPLITS,
    }


def engine_scores(data: Data, index: SearchIndex) -> Scores:
    """The engine's own score of every judged result for the words of its demand; what it does not find is last."""
    names = {document.key: name for name, document in data.results.items()}
    found: Scores = {}
    for demand, levels in data.judged.items():
        asked = data.demands[demand]
        hits = index.candidates(asked.title, asked.text, Kind.RESULT, len(data.results))
        reached = {names[hit.key]: hit.score for hit in hits}
        found[demand] = {result: reached.get(result, 0.0) for result in levels}
    return found


def recall(data: Data, found: Mapping[str, Sequence[str]]) -> float | None:
    """The share of the results of level 3 and 4 that are among those found for their demand; None without any."""
    wanted = [
        (demand, r) for demand, levels in data.judged.items() for r, level in levels.items() if level >= 3
    ]
    if not wanted:
        return None
    return round(sum(result in set(found[demand]) for demand, result in wanted) / len(wanted), 4)


class KeptVectors:
    """Vectors of the bench, kept between runs by model and text."""

    def __init__(self, model: vectors.VectorModel) -> None:
        self._model = model
        self._path = Path(tempfile.gettempdir()) / f"bench-matching-{model.name}.vectors"
        self._kept: dict[bytes, vectors.Vector] = {}
        if self._path.exists():
            raw = self._path.read_bytes()
            for start in range(0, len(raw) - 799, 800):
                self._kept[raw[start : start + 32]] = struct.unpack("<384e", raw[start + 32 : start + 800])

    def __call__(self, written: str, role: EmbeddingKind) -> vectors.Vector:
        hashed = bytes.fromhex(vectors.text_hash(f"{role}:{written}"))
        if hashed not in self._kept:
            made = self._model.embed([written], role)[0]
            assert made is not None
            with self._path.open("ab") as file:
                file.write(hashed + vectors.pack(made))
            self._kept[hashed] = vectors.unpack(vectors.pack(made))
        return self._kept[hashed]


def vector_model() -> vectors.VectorModel | None:
    """The optional extra's model, if it is installed."""
    try:
        from matching.e5_vectors import E5Model

        return E5Model()
    except ImportError:
        print("shipped_vectors: the extra `vectors` is not installed", file=sys.stderr)
        return None


def meanings(data: Data, model: vectors.VectorModel) -> dict[str, Known]:
    """The cosines of vectors for every judged pair."""
    kept = KeptVectors(model)
    found = {}
    for demand, levels in data.judged.items():
        title, whole = (kept(one, EmbeddingKind.QUERY) for one in vectors.texts_of(data.demands[demand]))
        cosines = {}
        for result in levels:
            document = data.results[result]
            other, other_whole = (kept(one, EmbeddingKind.PASSAGE) for one in vectors.texts_of(document))
            cosines[document.key] = vectors.cosine(title, other), vectors.cosine(whole, other_whole)
        found[demand] = Known(meaning=cosines)
    return found


def run(data: Data) -> Row:
    """Everything that is measured."""
    index, seconds = build([*data.demands.values(), *data.results.values()])
    weigher = Weigher(index.rarity())
    bm25 = Bm25(data.results)
    everywhere = {demand: bm25(data.demands[demand]) for demand in data.judged}
    baseline = {
        demand: {result: everywhere[demand].get(result, 0.0) for result in levels}
        for demand, levels in data.judged.items()
    }
    engine = engine_scores(data, index)
    order, absolute, bands = by_score(data, weigher, lambda _: Known())
    pairs = sum(len(levels) for levels in data.judged.values())
    report: Row = {
        "bench": "matching",
        "bm25": measured(data, baseline, baseline),
        "index": measured(data, engine, engine),
        "shipped": measured(data, order, absolute),
        "shipped_vectors": None,
        "feedback": feedback_measured(data, weigher, lambda _: Known()),
        "feedback_vectors": None,
        "shipped_over_bm25": difference(data, order, baseline),
        "shipped_vectors_over_bm25": None,
    }
    model = vector_model()
    if model is not None:
        known = meanings(data, model)
        with_vectors, level, _ = by_score(data, weigher, known.__getitem__)
        report["shipped_vectors"] = measured(data, with_vectors, level)
        report["shipped_vectors_over_bm25"] = difference(data, with_vectors, baseline)
        report["feedback_vectors"] = feedback_measured(data, weigher, known.__getitem__)
    names = {document.key: name for name, document in data.results.items()}
    reached = {}
    latency = []
    for demand in data.judged:
        asked = data.demands[demand]
        hits = index.candidates(asked.title, asked.text, Kind.RESULT, DEPTH)
        reached[demand] = [names[hit.key] for hit in hits[:DEPTH]]
        start = time.perf_counter()
        hits = index.candidates(asked.title, asked.text, Kind.RESULT, GUESSED)
        score(asked, [data.results[names[hit.key]] for hit in hits[:COMPARED]], weigher)
        latency.append(time.perf_counter() - start)
    best = {
        demand: sorted(found, key=lambda result: (-found[result], result))[:DEPTH]
        for demand, found in everywhere.items()
    }
    report["recall300"] = {
        "candidates": recall(data, reached),
        "bm25": recall(data, best),
    }
    report["bands"] = {
        band.value: {
            "share": round(sum(levels.values()) / max(1, pairs), 4),
            "level_3_or_4": round((levels[3] + levels[4]) / max(1, sum(levels.values())), 3),
            "level_1": round(levels[1] / max(1, sum(levels.values())), 3),
        }
        for band, levels in bands.items()
    }
    report["demands"], report["ranked"], report["pairs"] = len(data.judged), len(data.ranked), pairs
    report["match_ms"] = {
        f"p{share}": round(percentile(latency, share / 100) * 1000, 2) if latency else None
        for share in (50, 99)
    }
    report["index_seconds"] = round(seconds, 2)
    report["load"] = [round(value, 2) for value in os.getloadavg()]
    index.close()
    return report


def table(report: Row) -> None:
    """The figures for people."""
    print(f"{'':16}{'nDCG@10':>9}{'Spearman':>10}{'MAE':>8}{'score':>8}")
    for name in ("bm25", "index", "shipped", "shipped_vectors", "feedback", "feedback_vectors"):
        row: dict[str, Any] | None = report[name]
        if row is not None:
            figures = [row[figure] for figure in ("ndcg10", "spearman", "mae", "score")]
            told = ["-" if figure is None else f"{figure:.4f}" for figure in figures]
            print(f"{name:16}{told[0]:>9}{told[1]:>10}{told[2]:>8}{told[3]:>8}")
    for name in ("shipped_over_bm25", "shipped_vectors_over_bm25", "feedback", "feedback_vectors"):
        row = report[name]
        if row is not None:
            print(f"{name}: {row['gain']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]")
    print("recall300:", report["recall300"], " bands:", report["bands"])
    print("match ms:", report["match_ms"], " load:", report["load"])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "data", nargs="?", default=os.environ.get("DATA") or os.environ.get("MARKET_TEST_DATA", "")
    )
    given = parser.parse_args().data
    folder = Path(given) if given else Path()
    if given and not (folder / "bdci_demands.jsonl").exists() and (folder / "public").is_dir():
        folder = folder / "public"
    data = load(folder) if given and folder.is_dir() else None
    if data is None:
        print(f"SKIPPED: no judged data at {given!r}; give a folder or set MARKET_TEST_DATA", file=sys.stderr)
        print(json.dumps({"bench": "matching", "skipped": True}))
        return
    report = run(data)
    table(report)
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
