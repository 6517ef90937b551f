"""The embedded index: tantivy files in a directory of their own, or in memory for tests.

Layout of the directory:

    CURRENT              name of the generation in use; replaced by an atomic rename
    generation-000007/   one tantivy index
    lock                 held (flock) by the one process that may change anything here
    rebuild-wanted       its presence asks that process for a rebuild
    synonyms.json        the groups in force; replaced by an atomic rename

Other processes on the machine read the same files and follow CURRENT. A directory that is absent,
damaged or of another schema makes the state BUILDING: searches answer nothing and the indexer
rebuilds from the database, which is the truth; so nothing here needs a backup.

Threads: searches from any thread; changes from one thread at a time (guarded by a lock anyway).
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

import tantivy
from tantivy import Query

from matching import spelling
from matching.documents import Document, Key
from matching.embedded import queries, words
from matching.embedded import search as searching
from matching.embedded.schema import FINGERPRINT, SCHEMA, entry
from matching.embedded.words import Vocabulary, nearly_same
from matching.index import Facet, Filters, Hit, Hits, IndexState, Rarity, Sort, Suggestion
from matching.query import Query as Asked
from matching.query import parse
from matching.synonyms import Groups, Thesaurus

_HEAP = 48_000_000
_FOLLOW_SECONDS = 0.5
"""How often a process that only reads looks for a new commit or generation."""
_GENERATION = re.compile(r"generation-(\d{6})")


class _Generation:
    """One tantivy index with its reader and, in the writing process, its writer."""

    def __init__(self, number: int, path: Path | None, *, create: bool) -> None:
        self.number = number
        self.path = path
        if path is None:
            self.index = tantivy.Index(SCHEMA)
        elif create:
            path.mkdir(parents=True)
            self.index = tantivy.Index(SCHEMA, path=str(path), reuse=False)
            (path / "fingerprint").write_text(FINGERPRINT)
        else:
            if (path / "fingerprint").read_text() != FINGERPRINT:
                raise ValueError("index of another schema")
            self.index = tantivy.Index.open(str(path))
        self.index.register_tokenizer(
            "terms", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        )
        self.index.config_reader("manual")
        self._writer: tantivy.IndexWriter | None = None
        self.changes = 0
        """Grows whenever what is found may have changed."""
        self._seen: tuple[int, ...] = ()
        self.reload()

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
            writer.add_document(entry(document))

    def commit(self) -> None:
        self.writer.commit()
        self.reload()

    def reload(self) -> None:
        self._seen = _state_of(self.path / "meta.json") if self.path else ()
        self.index.reload()
        self.changes += 1

    def reload_if_changed(self) -> None:
        """Every commit, of whichever process, replaces the file that names the index's segments."""
        if self.path is None or _state_of(self.path / "meta.json") != self._seen:
            self.reload()

    def close(self) -> None:
        if self._writer is not None:
            # Waits for background merges: files must not appear in a directory being removed.
            writer, self._writer = self._writer, None
            writer.rollback()
            writer.wait_merging_threads()


def _state_of(path: Path) -> tuple[int, ...]:
    """Another value for another file in the same place; empty if there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


class _Rarity:
    """Document frequencies in one searcher, with what was derived from them."""

    def __init__(self, searcher: tantivy.Searcher, generation: int) -> None:
        self._searcher = searcher
        self._generation = generation
        self.documents = searcher.num_docs
        self.weights: dict[str, float] = {}

    def frequency(self, gram: str) -> int:
        return int(self._searcher.doc_freq("grams", gram))

    def mentions(self, word: str) -> int:
        return int(self._searcher.doc_freq("body", word))

    def still_good(self, searcher: tantivy.Searcher, generation: int) -> bool:
        """Whether these counts are near enough to another searcher's."""
        return generation == self._generation and nearly_same(searcher, self.documents)


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
        self._vocabulary: Vocabulary | None = None
        self._seen: str | None = None
        self._synonyms: Groups = ()
        self._thesaurus = Thesaurus()
        self._synonyms_seen: tuple[int, ...] = ()
        self._synonyms_changes = 0
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

    @property
    def stamp(self) -> tuple[int, int]:
        """Generation, and its changes with those of the synonyms."""
        live = self._current()
        return (0, 0) if live is None else (live.number, live.changes + self._synonyms_changes)

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
            found = searcher.search(Query.all_query(), searcher.num_docs, count=False).hits
            yield from queries.keys_of(searcher, [address for _, address in found])

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
            self._live = built
            if old is not None:
                old.close()
            self._sweep()

    def set_synonyms(self, groups: Iterable[Sequence[str]]) -> None:
        """Written beside the generations, where readers look for it as they look for commits."""
        given = tuple(tuple(group) for group in groups)
        with self._changing:
            if not self.acquire():
                raise RuntimeError("another process may change this index")
            if self._root is not None:
                self._replace("synonyms.json", json.dumps(given, ensure_ascii=False))
                self._synonyms_seen = _state_of(self._root / "synonyms.json")
            self._take_synonyms(given)

    def synonyms(self) -> Groups:
        """As given, by whichever process."""
        self._follow()
        return self._synonyms

    def _take_synonyms(self, groups: Groups) -> None:
        self._synonyms, self._thesaurus = groups, Thesaurus(groups)
        self._synonyms_changes += 1

    def _replace(self, name: str, content: str) -> None:
        """Durably put a small file in place of another, which is there whole at any moment."""
        assert self._root is not None
        draft = self._root / f"{name}.new"
        with draft.open("w", encoding="utf-8") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        draft.replace(self._root / name)

    def _publish(self, built: _Generation) -> None:
        if self._root is None or built.path is None:
            return
        self._replace("CURRENT", built.path.name)
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
            self._follow_synonyms()
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
                    self._live.reload_if_changed()
            except (OSError, ValueError):
                # Damaged, of an older schema, or swept away between the two reads: not ours to mend here.
                # The state says so, and whoever may write rebuilds.
                self._live, self._seen = None, None

    def _follow_synonyms(self) -> None:
        assert self._root is not None
        state = _state_of(self._root / "synonyms.json")
        if state == self._synonyms_seen:
            return
        try:
            read = json.loads((self._root / "synonyms.json").read_text(encoding="utf-8"))
            self._take_synonyms(tuple(tuple(map(str, group)) for group in read))
        except (OSError, ValueError, TypeError):
            # Gone or damaged: searched without, and whoever may write puts the rows' groups there again.
            self._take_synonyms(())
        self._synonyms_seen = state

    # -- questions --------------------------------------------------------------------------------

    def rarity(self) -> Rarity:
        """Of a searcher at most 2 % of entries behind the one in use."""
        live = self._current()
        if live is None:
            return _Rarity(tantivy.Index(SCHEMA).searcher(), 0)
        known, searcher = self._rarity, live.index.searcher()
        if known is None or not known.still_good(searcher, live.number):
            known = self._rarity = _Rarity(searcher, live.number)
        return known

    def search(
        self,
        query: Asked | str = "",
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
            return Hits(facets={facet: {} for facet in facets})
        asked = parse(query) if isinstance(query, str) else query
        searcher, thesaurus = live.index.searcher(), self._thesaurus
        hits = searching.search(
            searcher, asked, filters, thesaurus, sort=sort, offset=offset, limit=limit, facets=facets
        )
        already = 0 if hits.relaxed else hits.total
        if asked.words and not asked.loosened and spelling.is_doubted(asked, already):
            finds = partial(searching.matches, searcher, filters=filters, thesaurus=thesaurus)
            other = spelling.other_query(asked, self._words(live), finds, already=already)
            hits = replace(hits, suggestion=other)
        return hits

    def _words(self, live: _Generation) -> Vocabulary:
        """What other spellings are made of; of a searcher as near as that of `rarity`."""
        known, searcher = self._vocabulary, live.index.searcher()
        if known is None or not known.still_good(searcher, live.number):
            known = self._vocabulary = Vocabulary(searcher, live.number)
        return known

    def suggest(self, prefix: str, limit: int = 8) -> list[Suggestion]:
        """From the dictionary of terms, so as fresh as what is found."""
        live = self._current()
        return [] if live is None else words.suggest(live.index.searcher(), prefix, limit)

    def candidates(self, title: str, text_: str, kind: str, limit: int = 200) -> list[Hit]:
        """`limit` by the grams of titles and half as many by words over everything, taken in turns.

        Measured on judged pairs: the grams of titles find more of the good ones than words do, and words
        find those whose titles say nothing.
        """
        live = self._current()
        if live is None:
            return []
        return queries.candidates(live.index.searcher(), title, text_, kind, limit)


class _Building:
    """What `rebuild` hands out."""

    def __init__(self, generation: _Generation, changing: threading.RLock) -> None:
        self._generation = generation
        self._changing = changing

    def add(self, documents: Iterable[Document]) -> None:
        """Replace or add."""
        with self._changing:
            self._generation.put(documents)
