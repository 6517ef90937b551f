"""How well and how fast search finds the one right entry, beside the bare engine; prints one line of JSON.

    make bench-search DATA=PATH         (or MARKET_TEST_DATA=PATH)

PATH holds csl_docs.jsonl and patents.jsonl (either may be absent; what it serves is then skipped, loudly).
The entries are abstracts (a patent's with its title cut out), the questions titles or keywords; the same
questions are then asked of 100,000 entries, the data's own and more made of its sentences.

Each question goes to the index (`p50_ms`, `p99_ms`: from the text typed to the keys of a hundred hits and the
total) and, in turn, to the bare engine (`floor_…`: the text cut into the same terms and asked for as a plain
disjunction in the same searcher; a hundred keys, no total). Of five times asked the least counts, for other work on the machine
falls on both. `faceted_…`: a page as people see it, twenty hits with all facets. MRR and nDCG count ten places.
"""

import argparse
import json
import math
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tantivy
from tantivy import Occur

from matching import text
from matching.documents import Document, Key, Kind
from matching.embedded.index import TantivyIndex
from matching.embedded.queries import keys_of
from matching.embedded.schema import SCHEMA
from matching.index import Facet
from tests.bench.judged import Row, percentile, read

LARGE = 100_000
ASKED_OF_LARGE = 500
"""Questions of each set asked of the large index, drawn by lot (always the same ones)."""
TIMES = 5
HITS = 100
BATCH = 1000

Questions = list[tuple[str, Key]]


@dataclass(frozen=True)
class Corpus:
    """Entries and the sets of questions asked of them."""

    abstracts: list[str]
    sets: dict[str, Questions]


def patents(folder: Path, first: int = 1) -> Corpus:
    """Patents asked for by title."""
    rows = read(folder, "patents")
    abstracts = [row["abstract"].replace(row["title"], "") for row in rows]
    asked = [(row["title"], Key(Kind.RESULT, number)) for number, row in enumerate(rows, first)]
    return Corpus(abstracts, {"patents": asked} if rows else {})


def papers(folder: Path, first: int = 1) -> Corpus:
    """Papers asked for by title and by their keywords."""
    rows = read(folder, "csl_docs")
    keys = [Key(Kind.RESULT, number) for number in range(first, first + len(rows))]
    titles = [row["title"] for row in rows]
    keywords = [" ".join(words) if isinstance(words := row["keywords"], list) else words for row in rows]
    sets = {
        "papers_titles": list(zip(titles, keys, strict=True)),
        "papers_keywords": list(zip(keywords, keys, strict=True)),
    }
    return Corpus([row["abstract"] for row in rows], sets if rows else {})


def made(abstracts: Sequence[str], count: int) -> Iterator[str]:
    """Abstracts of sentences drawn from those given, as long as one of them; always the same."""
    apart = [[s for s in re.split(r"(?<=[。；！？])", abstract) if s.strip()] for abstract in abstracts]
    sentences = [sentence for one in apart for sentence in one]
    lengths = [len(one) for one in apart if one]
    rng = random.Random(11)
    for _ in range(count):
        yield "".join(rng.choices(sentences, k=rng.choice(lengths)))


def build(folder: Path, abstracts: Iterator[str]) -> tuple[TantivyIndex, float, int]:
    """An index in a folder, the seconds it took and the bytes it takes."""
    index = TantivyIndex(folder)
    start = time.perf_counter()
    with index.rebuild() as beside:
        batch: list[Document] = []
        for number, abstract in enumerate(abstracts, 1):
            batch.append(Document(Key(Kind.RESULT, number), "", abstract))
            if len(batch) == BATCH:
                beside.add(batch)
                batch = []
        beside.add(batch)
    seconds = time.perf_counter() - start
    return index, seconds, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def bare(searcher: tantivy.Searcher, words: str) -> list[Key]:
    """The engine alone: any of the terms, the best hundred."""
    terms = dict.fromkeys(text.terms(words))
    one_of = [(Occur.Should, tantivy.Query.term_query(SCHEMA, "body", term, "freq")) for term in terms]
    hits = searcher.search(tantivy.Query.boolean_query(one_of), HITS, False).hits
    return keys_of(searcher, [address for _, address in hits])


def timed(call: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(index: TantivyIndex, questions: Questions) -> Row:
    """One set of questions asked of one index."""
    live = index._current()  # the floor is this very searcher
    assert live is not None
    searcher = live.index.searcher()
    gain = reciprocal = 0.0
    hundred = 0
    ours: list[float] = []
    floor: list[float] = []
    faceted: list[float] = []
    for words, right in questions:
        pairs = [
            (
                timed(lambda: index.search(words, limit=HITS)),  # noqa: B023 - called at once
                timed(lambda: bare(searcher, words)),  # noqa: B023
            )
            for _ in range(TIMES)
        ]
        ours.append(min(one for one, _ in pairs))
        floor.append(min(one for _, one in pairs))
        faceted.append(timed(lambda: index.search(words, facets=list(Facet))))  # noqa: B023
        found = [hit.key for hit in index.search(words, limit=HITS).hits]
        if right in found:
            place = found.index(right) + 1
            hundred += 1
            if place <= 10:
                reciprocal += 1 / place
                gain += 1 / math.log2(place + 1)
    count = len(questions)
    report: Row = {
        "queries": count,
        "ndcg10": round(gain / count, 4),
        "mrr10": round(reciprocal / count, 4),
        "r100": round(hundred / count, 4),
    }
    for name, times in (("", ours), ("floor_", floor), ("faceted_", faceted)):
        for share in (0.5, 0.99):
            report[f"{name}p{share * 100:.0f}_ms"] = round(percentile(times, share) * 1000, 3)
    return report


def run(name: str, abstracts: Iterator[str], sets: dict[str, Questions]) -> list[Row]:
    """Build one index and ask it every set; a line to read for each."""
    reports: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        index, seconds, size = build(Path(folder), abstracts)
        for set_name, questions in sets.items():
            report: Row = {
                "name": f"{set_name}{name}",
                "documents": index.count(),
                **measure(index, questions),
                "index_seconds": round(seconds, 2),
                "index_bytes": size,
            }
            print(json.dumps(report), file=sys.stderr, flush=True)
            reports.append(report)
        index.close()
    return reports


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "data", nargs="?", default=os.environ.get("DATA") or os.environ.get("MARKET_TEST_DATA", "")
    )
    parser.add_argument("--large", type=int, default=LARGE, help="entries of the large index; 0: none")
    options = parser.parse_args()
    folder = Path(options.data)
    if not options.data or not folder.is_dir():
        print(f"SKIPPED: no data at {options.data!r}; give a folder or set MARKET_TEST_DATA", file=sys.stderr)
        print(json.dumps({"bench": "search", "skipped": True, "sets": []}))
        return
    if not (folder / "patents.jsonl").exists() and (folder / "public").is_dir():
        folder = folder / "public"
    before = os.getloadavg()[0]
    sets: list[Row] = []
    for corpus in (patents(folder), papers(folder)):
        if corpus.sets:
            sets += run("", iter(corpus.abstracts), corpus.sets)
    first = patents(folder)
    second = papers(folder, len(first.abstracts) + 1)
    own = [*first.abstracts, *second.abstracts]
    if own and options.large:
        rng = random.Random(7)
        drawn = {
            name: rng.sample(questions, min(ASKED_OF_LARGE, len(questions)))
            for name, questions in (first.sets | second.sets).items()
        }
        more = made(own, max(0, options.large - len(own)))
        sets += run(f"@{options.large}", (abstract for part in (own, more) for abstract in part), drawn)
    report = {
        "bench": "search",
        "skipped": not sets,
        "sets": sets,
        "cores": os.cpu_count(),
        "load": [round(before, 2), round(os.getloadavg()[0], 2)],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
