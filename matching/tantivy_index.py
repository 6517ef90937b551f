"""The embedded index: tantivy files in a directory of their own, or in memory for tests.

Layout of the directory:

    CURRENT              name of the generation in use; replaced by an atomic rename
    generation-000007/   one tantivy index
    lock                 held (flock) by the one process that may change anything here
    rebuild-wanted       its presence asks that process for a rebuild

Other processes on the machine read the same files and follow CURRENT. A directory that is absent,
damaged or of another schema makes the state BUILDING: searches answer nothing and the indexer
rebuilds from the database, which is the truth; so nothing here needs a backup.

Threads: searches from any thread; changes from one thread at a time (guarded by a lock anyway).
"""

import contextlib
import fcntl
import math
import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import IO

import tantivy
from tantivy import FieldType, Occur, Order, Query

from matching import text
from matching.documents import Document, Key, Kind
from matching.index import DEEPEST, Facet, Filters, Hit, Hits, IndexState, Rarity, Sort

SCHEMA_VERSION = 1
MOST_TERMS = 40
"""Terms kept of a long query: demand texts have hundreds, and the common ones only cost time."""
MOST_GRAMS = 120
TITLE_BOOST = 0.3
"""How much a term in the title adds to its score in the whole text, which holds the title already."""
_HEAP = 48_000_000
_FOLLOW_SECONDS = 0.5
"""How often a process that only reads looks for a new commit or generation."""
_NO_PRICE = 2**63 - 1
_GENERATION = re.compile(r"generation-(\d{6})")


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("key", stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("title", "body", "names", "grams"):
        builder.add_text_field(name, tokenizer_name="terms", index_option="freq")
    builder.add_text_field("codes", tokenizer_name="raw", index_option="basic")
    for name in ("kind", "industry", "mode", "region", "owner_kind"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_unsigned_field("trl", indexed=True, fast=True)
    for name in ("price_low", "price_high"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    for name in ("tie", "recency", "price_up", "price_down"):
        builder.add_unsigned_field(name, fast=True)
    return builder.build()


_SCHEMA = _schema()
_FINGERPRINT = f"{SCHEMA_VERSION}.{text.ANALYSIS_VERSION}.{version('tantivy').rsplit('.', 1)[0]}"


def _tie(key: Key) -> int:
    """Twenty bits that order equal values always alike; the id's own low bits, so neighbours differ."""
    return (key.id * 2 + (key.kind is Kind.DEMAND)) & 0xFFFFF


def _ranked(value: int, key: Key) -> int:
    """A sortable number that no two entries share (up to 2^43 of value, with half a million ids)."""
    return min(max(value, 0), 2**43 - 1) << 20 | _tie(key)


def _entry(document: Document) -> tantivy.Document:
    entry = tantivy.Document()
    entry.add_text("key", str(document.key))
    entry.add_text("title", " ".join(text.terms(document.title)))
    entry.add_text("body", " ".join(text.terms(document.whole_text)))
    entry.add_text("names", " ".join(text.terms(" ".join(document.names))))
    entry.add_text("grams", " ".join(text.grams(document.title)))
    codes = {code for number in (*document.numbers, *document.ipc) for code in text.code_keys(number)}
    codes.update(text.code_key(symbol)[:4] for symbol in document.ipc)
    for code in sorted(codes):
        entry.add_text("codes", code)
    entry.add_text("kind", document.key.kind.value)
    if document.industry:
        entry.add_text("industry", document.industry)
    for mode in document.modes:
        entry.add_text("mode", mode)
    stem = _region_stem(document.region)
    for length in range(2, len(stem) + 1, 2):
        # Codes of GB/T 2260 nest by pairs of digits: each level is its own value.
        entry.add_text("region", stem[:length])
    if document.owner_kind:
        entry.add_text("owner_kind", document.owner_kind)
    if document.trl is not None:
        entry.add_unsigned("trl", document.trl)
    if document.price_low is not None and document.price_high is not None:
        entry.add_unsigned("price_low", document.price_low)
        entry.add_unsigned("price_high", document.price_high)
    published = int(document.published_at.timestamp()) if document.published_at else 0
    entry.add_unsigned("tie", _tie(document.key))
    entry.add_unsigned("recency", _ranked(published, document.key))
    # Without a price an entry comes last in either direction.
    entry.add_unsigned(
        "price_up", _ranked(_NO_PRICE if document.price_low is None else document.price_low, document.key)
    )
    entry.add_unsigned(
        "price_down", _ranked(-1 if document.price_high is None else document.price_high + 1, document.key)
    )
    return entry


class _Generation:
    """One tantivy index with its reader and, in the writing process, its writer."""

    def __init__(self, number: int, path: Path | None, *, create: bool) -> None:
        self.number = number
        self.path = path
        if path is None:
            self.index = tantivy.Index(_SCHEMA)
        elif create:
            path.mkdir(parents=True)
            self.index = tantivy.Index(_SCHEMA, path=str(path), reuse=False)
            (path / "fingerprint").write_text(_FINGERPRINT)
        else:
            if (path / "fingerprint").read_text() != _FINGERPRINT:
                raise ValueError("index of another schema")
            self.index = tantivy.Index.open(str(path))
        self.index.register_tokenizer(
            "terms", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        )
        self.index.config_reader("manual")
        self.index.reload()
        self._writer: tantivy.IndexWriter | None = None

    @property
    def writer(self) -> tantivy.IndexWriter:
        if self._writer is None:
            self._writer = self.index.writer(_HEAP, 1)
        return self._writer

    def put(self, documents: Iterable[Document], gone: Iterable[Key] = ()) -> None:
        writer = self.writer
        for key in gone:
            writer.delete_documents_by_term("key", str(key))
        for document in documents:
            writer.delete_documents_by_term("key", str(document.key))
            writer.add_document(_entry(document))

    def commit(self) -> None:
        self.writer.commit()
        self.index.reload()

    def close(self) -> None:
        if self._writer is not None:
            # Waits for background merges: files must not appear in a directory being removed.
            writer, self._writer = self._writer, None
            writer.rollback()
            writer.wait_merging_threads()


class _Rarity:
    """Document frequencies of grams in one searcher, remembered while that searcher lasts."""

    def __init__(self, searcher: tantivy.Searcher) -> None:
        self._searcher = searcher
        self._known: dict[str, int] = {}
        self.documents = searcher.num_docs

    def frequency(self, gram: str) -> int:
        known = self._known.get(gram)
        if known is None:
            known = self._known[gram] = self._searcher.doc_freq("grams", gram)
        return known

    def mentions(self, word: str) -> int:
        return self._searcher.doc_freq("body", word)


class TantivyIndex:
    """The embedded adapter of `matching.index.SearchIndex`. `TantivyIndex(None)` lives in memory."""

    def __init__(self, directory: Path | str | None) -> None:
        self._root = None if directory is None else Path(directory)
        self._changing = threading.RLock()
        self._live: _Generation | None = None
        self._beside: _Generation | None = None
        self._lock_file: IO[str] | None = None
        self._wanted = False
        self._followed = 0.0
        self._rarity: _Rarity | None = None
        self._seen: str | None = None
        if self._root is not None:
            self._root.mkdir(parents=True, exist_ok=True)
            self._follow(force=True)

    # -- state ------------------------------------------------------------------------------------

    @property
    def state(self) -> IndexState:
        """READY once a complete generation is open."""
        return IndexState.BUILDING if self._current() is None else IndexState.READY

    @property
    def generation(self) -> int:
        """Number of the generation in use; 0 if none."""
        live = self._current()
        return live.number if live else 0

    def acquire(self) -> bool:
        """Take the directory's lock, which the system frees when the process ends however it ends."""
        if self._root is None or self._lock_file is not None:
            return True
        handle = (self._root / "lock").open("a+")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
            return False
        self._lock_file = handle
        self._follow(force=True)
        self._sweep()
        return True

    def request_rebuild(self) -> None:
        """Leave the wish for whichever process holds the lock."""
        if self._root is None:
            self._wanted = True
        else:
            (self._root / "rebuild-wanted").touch()

    def rebuild_requested(self) -> bool:
        """True if the wish is there."""
        return self._wanted if self._root is None else (self._root / "rebuild-wanted").exists()

    def count(self) -> int:
        """Number of entries in use."""
        live = self._current()
        return live.index.searcher().num_docs if live else 0

    def keys(self) -> Iterator[Key]:
        """Every key, read in one pass over one searcher."""
        live = self._current()
        if live is None:
            return
        searcher = live.index.searcher()
        if searcher.num_docs:
            for _, address in searcher.search(Query.all_query(), searcher.num_docs, count=False).hits:
                yield Key.parse(searcher.doc(address)["key"][0])

    def close(self) -> None:
        """Finish merges, drop the lock."""
        with self._changing:
            for generation in (self._live, self._beside):
                if generation is not None:
                    generation.close()
            self._live = self._beside = None
            if self._lock_file is not None:
                self._lock_file.close()
                self._lock_file = None

    # -- changes ----------------------------------------------------------------------------------

    def apply(self, changed: Iterable[Document], gone: Iterable[Key] = ()) -> None:
        """One commit for the lot. Replacing what is not there yet is adding it."""
        with self._changing:
            if not self.acquire():
                raise RuntimeError("another process may change this index")
            live = self._current()
            if live is None:
                raise RuntimeError("no index was built yet")
            changed, gone = list(changed), list(gone)
            for generation in (live, self._beside):
                if generation is not None:
                    generation.put(changed, gone)
            live.commit()
            self._rarity = None

    @contextlib.contextmanager
    def rebuild(self) -> Iterator["_Building"]:
        """A fresh generation beside the one in use, swapped in at the end."""
        with self._changing:
            if not self.acquire():
                raise RuntimeError("another process may change this index")
            if self._beside is not None:
                raise RuntimeError("a rebuild is under way")
            number = self._newest() + 1
            path = None if self._root is None else self._root / f"generation-{number:06d}"
            self._beside = _Generation(number, path, create=True)
            wish, self._wanted = self._wanted, False
            if self._root is not None:
                # Taken back before reading begins: a wish made from here on is for another rebuild.
                wish = (self._root / "rebuild-wanted").exists()
                (self._root / "rebuild-wanted").unlink(missing_ok=True)
        building = _Building(self._beside, self._changing)
        try:
            yield building
        except BaseException:
            with self._changing:
                thrown, self._beside = self._beside, None
                thrown.close()
                if thrown.path is not None:
                    shutil.rmtree(thrown.path, ignore_errors=True)
                if wish:
                    self.request_rebuild()
            raise
        with self._changing:
            built, self._beside = self._beside, None
            built.commit()
            old = self._live
            self._publish(built)
            self._live, self._rarity = built, None
            if old is not None:
                old.close()
            self._sweep()

    def _publish(self, built: _Generation) -> None:
        if self._root is None or built.path is None:
            return
        draft = self._root / "CURRENT.new"
        with draft.open("w") as handle:
            handle.write(built.path.name)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(self._root / "CURRENT")
        self._seen = built.path.name

    def _sweep(self) -> None:
        """Remove generations no longer in use, and rebuilds that a crash left half done. Lock held."""
        if self._root is None or self._lock_file is None:
            return
        keep = {g.path.name for g in (self._live, self._beside) if g is not None and g.path is not None}
        for path in self._root.glob("generation-*"):
            if path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)

    def _newest(self) -> int:
        if self._root is None:
            return self._live.number if self._live else 0
        found = (_GENERATION.fullmatch(path.name) for path in self._root.glob("generation-*"))
        newest = max((int(match.group(1)) for match in found if match), default=0)
        return max(newest, self._live.number if self._live else 0)

    def _current(self) -> _Generation | None:
        self._follow()
        return self._live

    def _follow(self, *, force: bool = False) -> None:
        """In a process that only reads: see what the writing process has committed or swapped."""
        if self._root is None or (self._lock_file is not None and not force):
            return
        now = time.monotonic()
        if not force and now - self._followed < _FOLLOW_SECONDS:
            return
        with self._changing:
            self._followed = now
            try:
                name = (self._root / "CURRENT").read_text().strip()
            except OSError:
                self._live, self._seen = None, None
                return
            match = _GENERATION.fullmatch(name)
            try:
                if name != self._seen or self._live is None:
                    if match is None:
                        raise ValueError(f"no generation: {name!r}")
                    self._live = _Generation(int(match.group(1)), self._root / name, create=False)
                    self._seen = name
                else:
                    self._live.index.reload()
                self._rarity = None
            except (OSError, ValueError):
                # Damaged, of an older schema, or swept away between the two reads: not ours to mend here.
                # The state says so, and whoever may write rebuilds.
                self._live, self._seen = None, None

    # -- questions --------------------------------------------------------------------------------

    def rarity(self) -> Rarity:
        """Of the searcher in use; remembered until the next commit."""
        live = self._current()
        if live is None:
            return _Rarity(tantivy.Index(_SCHEMA).searcher())
        known = self._rarity
        if known is None:
            known = self._rarity = _Rarity(live.index.searcher())
        return known

    def search(
        self,
        words: str = "",
        filters: Filters = Filters(),
        *,
        sort: Sort = Sort.RELEVANCE,
        offset: int = 0,
        limit: int = 20,
        facets: Sequence[Facet] = (),
    ) -> Hits:
        """BM25 over words and bigrams of title, text and names; exact numbers first."""
        live = self._current()
        if live is None:
            return Hits()
        searcher = live.index.searcher()
        clauses = _clauses(filters)
        wanted = _wanted(words)
        relaxed = False
        matching = _matching(searcher, words, wanted)
        query = _both(matching, clauses)
        if len(wanted) > 1 and not _total(searcher.search(query, 1)):
            relaxed = True
            matching = _matching(searcher, words, wanted, needed=1)
            query = _both(matching, clauses)
        offset = max(0, min(offset, DEEPEST))
        limit = max(0, min(limit, DEEPEST - offset))
        if sort is Sort.RELEVANCE and not wanted:
            sort = Sort.NEWEST
        if sort is Sort.RELEVANCE:
            hits, total = _by_relevance(searcher, query, offset, limit)
        else:
            field, order = {
                Sort.NEWEST: ("recency", Order.Desc),
                Sort.PRICE_UP: ("price_up", Order.Asc),
                Sort.PRICE_DOWN: ("price_down", Order.Desc),
            }[sort]
            answer = searcher.search(
                query, max(limit, 1), True, order_by_field=field, offset=offset, order=order
            )
            total = _total(answer)
            hits = [
                Hit(Key.parse(searcher.doc(address)["key"][0]), 0.0) for _, address in answer.hits[:limit]
            ]
        counts = {facet: _count(searcher, matching, filters, facet) for facet in facets}
        return Hits(tuple(hits), total, counts, tuple(wanted), relaxed and total > 0)

    def candidates(self, title: str, text_: str, kind: str, limit: int = 200) -> list[Hit]:
        """`limit` by the grams of titles and half as many by words over everything, taken in turns.

        Measured on judged pairs: the grams of titles find more of the good ones than words do, and words
        find those whose titles say nothing.
        """
        live = self._current()
        if live is None:
            return []
        searcher = live.index.searcher()
        only = [_term("kind", str(kind))]
        # The title's words count four times: they name the thing, the text only tells of it.
        terms = [*text.terms(title) * 4, *text.terms(text_)]
        by_grams = _any_of("grams", _weightiest(searcher, "grams", text.grams(title), MOST_GRAMS))
        by_words = _any_of("body", _weightiest(searcher, "body", terms, MOST_TERMS))
        lists: list[list[tuple[float, tantivy.DocAddress]]] = []
        for query, most in ((by_grams, limit), (by_words, limit // 2)):
            found = [] if query is None else searcher.search(_both(query, only), most, False).hits
            best = found[0][0] if found else 1.0
            # Scores of two fields are not comparable; each is told as a share of its list's best.
            lists.append([(round(score / best, 4), address) for score, address in found])
        taken: dict[tuple[int, int], Hit] = {}
        for rank in range(limit):
            for found in lists:
                if rank < len(found):
                    score, address = found[rank]
                    place = (address.segment_ord, address.doc)
                    if place not in taken:
                        taken[place] = Hit(Key.parse(searcher.doc(address)["key"][0]), score)
        return list(taken.values())


class _Building:
    """What `rebuild` hands out."""

    def __init__(self, generation: _Generation, changing: threading.RLock) -> None:
        self._generation = generation
        self._changing = changing

    def add(self, documents: Iterable[Document]) -> None:
        """Replace or add."""
        with self._changing:
            self._generation.put(documents)


def _total(answer: tantivy.SearchResult) -> int:
    """How many match; the binding's stub forgets this attribute."""
    return int(getattr(answer, "count") or 0)  # noqa: B009


# -- queries --------------------------------------------------------------------------------------


def _term(field: str, value: str, option: str = "basic") -> Query:
    return Query.term_query(_SCHEMA, field, value, option)


def _both(matching: Query, clauses: Iterable[Query]) -> Query:
    filters = [(Occur.Must, Query.const_score_query(clause, 0.0)) for clause in clauses]
    return Query.boolean_query([(Occur.Must, matching), *filters]) if filters else matching


def _weightiest(searcher: tantivy.Searcher, field: str, terms: Iterable[str], most: int) -> list[str]:
    """Those terms, of the ones that occur at all, that say most of a text: often in it and rare elsewhere."""
    weights: dict[str, float] = {}
    total = searcher.num_docs + 1
    for term, times in Counter(terms).items():
        frequency = searcher.doc_freq(field, term)
        if frequency:
            weights[term] = (1 + math.log(times)) * math.log(1 + total / frequency)
    return sorted(weights, key=lambda term: (-weights[term], term))[:most]


def _any_of(field: str, terms: Sequence[str]) -> Query | None:
    if not terms:
        return None
    return Query.boolean_query([(Occur.Should, _term(field, term, "freq")) for term in terms])


def _wanted(words: str) -> list[str]:
    """The terms of what was typed, each once; single characters if there is nothing longer."""
    return list(dict.fromkeys(text.terms(words) or text.grams(words, 1)))


def _matching(
    searcher: tantivy.Searcher, words: str, wanted: Sequence[str], needed: int | None = None
) -> Query:
    """The query for what was typed: nothing typed matches everything.

    An entry matches if it holds at least `needed` of the terms (a good part of them by default), or if
    one of its numbers is exactly a word typed.
    """
    words = words.strip()
    if not words:
        return Query.all_query()
    kept: Sequence[str] = wanted
    if len(wanted) > MOST_TERMS:
        kept = _weightiest(searcher, "body", text.terms(words), MOST_TERMS)
    choices: list[Query] = []
    if kept:
        parts: list[tuple[Occur, Query]] = []
        for term in kept:
            alternatives = [
                _term("body", term, "freq"),
                Query.boost_query(_term("title", term, "freq"), TITLE_BOOST),
                _term("names", term, "freq"),
            ]
            if len(term) == 1:
                alternatives.append(_term("grams", term, "freq"))
            parts.append((Occur.Should, Query.boolean_query([(Occur.Should, q) for q in alternatives])))
        choices.append(Query.boolean_query(parts, _needed(len(kept)) if needed is None else needed))
    codes = {text.code_key(word) for word in (words, *words.split()) if text.looks_like_code(word)}
    choices.extend(Query.const_score_query(_term("codes", code), 1000.0) for code in sorted(codes))
    if not choices:
        return Query.empty_query()
    return Query.boolean_query([(Occur.Should, choice) for choice in choices])


def _needed(count: int) -> int:
    """How many of the terms an entry must hold: two, or the only one.

    Measured: demanding more empties the list for whoever types a sentence (of 1,993 patents asked for by
    title, the first hundred hits hold 93 % with two, 87 % with four); demanding one lets totals and counts
    mean nothing.
    """
    return min(2, count)


def _region_stem(code: str) -> str:
    """`331000` is written for all of `3310`: trailing pairs of zeros say nothing."""
    while len(code) > 2 and code.endswith("00"):
        code = code[:-2]
    return code


def _clauses(filters: Filters, without: Facet | None = None) -> list[Query]:
    clauses: list[Query] = []
    for facet, field, values in (
        (Facet.KIND, "kind", filters.kinds),
        (Facet.INDUSTRY, "industry", filters.industries),
        (Facet.MODE, "mode", filters.modes),
        (Facet.OWNER_KIND, "owner_kind", filters.owner_kinds),
        (Facet.REGION, "region", {_region_stem(filters.region)} if filters.region else set()),
    ):
        if values and facet is not without:
            clauses.append(Query.term_set_query(_SCHEMA, field, sorted(values)))
    if without is not Facet.TRL and (filters.trl_from is not None or filters.trl_to is not None):
        clauses.append(
            Query.range_query(_SCHEMA, "trl", FieldType.Unsigned, filters.trl_from or 0, filters.trl_to)
        )
    if filters.price_from is not None:
        clauses.append(
            Query.range_query(_SCHEMA, "price_high", FieldType.Unsigned, max(0, filters.price_from), None)
        )
    if filters.price_to is not None:
        clauses.append(
            Query.range_query(_SCHEMA, "price_low", FieldType.Unsigned, 0, max(0, filters.price_to))
        )
    return clauses


def _count(searcher: tantivy.Searcher, matching: Query, filters: Filters, facet: Facet) -> dict[str, int]:
    query = _both(matching, _clauses(filters, facet))
    answer = searcher.aggregate(query, {"by": {"terms": {"field": facet.value, "size": 200}}})
    return {_facet_value(bucket["key"]): bucket["doc_count"] for bucket in answer["by"]["buckets"]}


def _facet_value(key: object) -> str:
    return str(int(key)) if isinstance(key, float) else str(key)


def _by_relevance(searcher: tantivy.Searcher, query: Query, offset: int, limit: int) -> tuple[list[Hit], int]:
    """Best first. Equal scores are ordered by key, which the engine by itself does not promise."""
    answer = searcher.search(query, offset + limit + 50, True)
    addresses = [address for _, address in answer.hits]
    ties = searcher.fast_field_values("tie", addresses)
    ranked = sorted(
        zip(answer.hits, ties, strict=True), key=lambda item: (-round(item[0][0], 4), item[1] or 0)
    )
    page = ranked[offset : offset + limit]
    return [Hit(Key.parse(searcher.doc(a)["key"][0]), round(s, 4)) for (s, a), _ in page], _total(answer)
