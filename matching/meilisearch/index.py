"""Meilisearch as the search index: for markets that have outgrown the index in their own process.

Of each market the server holds (`prefix` is the market's own):

    PREFIX          the entries in use
    PREFIX-beside   those of a rebuild, until the two are swapped
    PREFIX-state    records: which generation is in use and how often it was changed; the groups of synonyms;
                    the wish for a rebuild

Every process follows the state, twice a second at most. Changes are tasks of the server, which are waited
for: what `apply` returned from is durable and searchable. What the server cannot do raises
`client.Trouble`; `matching.spared_index` answers from a spare meanwhile.

Only the holder of `lock` changes anything; without one the caller sees to it.
"""

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from matching import spelling, text
from matching.documents import Document, Key
from matching.index import (
    Facet,
    Filters,
    Hit,
    Hits,
    IndexState,
    Rarity,
    Sort,
    Suggestion,
)
from matching.meilisearch import candidates, queries, suggestions
from matching.meilisearch.client import Connection, Order, OutOfReach, Refused, Trouble
from matching.meilisearch.counts import Counts, count_terms
from matching.meilisearch.queries import VectorOf
from matching.meilisearch.search import Search
from matching.query import Query, parse
from matching.synonyms import Groups, Thesaurus

_FOLLOW_SECONDS = 0.5
_PAGE = 1000
"""Documents read at once when all are read."""


class Lock(Protocol):
    """Held by the one process that may change the index."""

    def acquire(self) -> bool:
        """Whether it is held; tried without waiting if not."""
        ...

    def release(self) -> None:
        """Give it away."""
        ...


@dataclass(frozen=True, slots=True)
class _State:
    """What the records say."""

    generation: int = 0
    changes: int = 0
    fingerprint: str = ""
    groups: Groups = ()
    groups_change: int = 0
    wishes: tuple[str, ...] = ()


class MeilisearchIndex:
    """The Meilisearch adapter of `matching.index.SearchIndex`.

    `counts` tells how common words are (a local index beside does it best); without it they are asked of the
    server. `vector_of` and `dimensions` switch on hybrid search where a vector is known. `memory` is a file
    in which the writing process notes the last change the server has confirmed: a server that comes back
    with less than that (an old backup) is known by it, and the index is built anew.
    """

    def __init__(
        self,
        connection: Connection,
        prefix: str = "market",
        *,
        lock: Lock | None = None,
        counts: Callable[[], Rarity] | None = None,
        vector_of: VectorOf | None = None,
        dimensions: int | None = None,
        memory: Path | None = None,
    ) -> None:
        self.connection = connection
        self._live, self._aside, self._records = prefix, f"{prefix}-beside", f"{prefix}-state"
        self._lock = lock
        self._counts = counts
        self._vector_of = vector_of
        self._dimensions = dimensions if vector_of is not None else None
        self._fingerprint = queries.fingerprint(self._dimensions)
        self._memory = memory
        self._changing = threading.RLock()
        self._looking = threading.Lock()
        self._known: _State | None = None
        self._looked = float("-inf")
        self._beside = False
        self._highest = 0
        self._rarity: Counts | None = None
        self._thesaurus: tuple[Groups, Thesaurus] = ((), Thesaurus())

    # -- state ----------------------------------------------------------------------------------------------

    @property
    def state(self) -> IndexState:
        """READY if there is an index of these settings and this analysis."""
        return IndexState.READY if self._usable(self._look()) else IndexState.BUILDING

    @property
    def generation(self) -> int:
        """Number of the generation in use; 0 if none."""
        return self._look().generation

    @property
    def stamp(self) -> tuple[int, int]:
        """Generation and changes, those of the synonyms among them."""
        state = self._look()
        return state.generation, state.changes + state.groups_change

    def acquire(self) -> bool:
        """Take the lock."""
        return self._lock is None or self._lock.acquire()

    def count(self) -> int:
        """Number of entries in use."""
        return self._entries() if self._usable(self._look()) else 0

    def keys(self) -> Iterator[Key]:
        """Every key, page by page."""
        if not self._usable(self._look()):
            return
        offset = 0
        while True:
            wanted = {"fields": ["id"], "offset": offset, "limit": _PAGE}
            rows = self._rows(self._live, wanted)
            for row in rows:
                yield queries.key_of(row["id"])
            if len(rows) < _PAGE:
                return
            offset += _PAGE

    def request_rebuild(self) -> None:
        """Leave the wish on the server, where whichever process may change the index finds it."""
        self._ensure_records()
        self._record({"id": f"wish-{secrets.token_hex(8)}"})
        self._forget()

    def rebuild_requested(self) -> bool:
        """True if the wish is there, or if the server holds less than it has confirmed."""
        state = self._look()
        return bool(state.wishes) or (state.generation, state.changes) < self._confirmed()

    def close(self) -> None:
        """Give the lock away."""
        if self._lock is not None:
            self._lock.release()

    def _usable(self, state: _State) -> bool:
        return state.generation > 0 and state.fingerprint == self._fingerprint

    def _look(self, *, fresh: bool = False) -> _State:
        """The state, read again if the last look is half a second ago. Raises Trouble.

        While one thread reads, the others go on with what was known: a slow server holds up one page, not all.
        What was known before a trouble is no answer while it lasts: the server may be gone.
        """
        known, trouble = self._known, self.connection.trouble
        recent = not trouble and time.monotonic() - self._looked < _FOLLOW_SECONDS
        if known is not None and not fresh and recent:
            return known
        if not self._looking.acquire(blocking=fresh or known is None):
            if trouble:
                raise OutOfReach(trouble)
            return known or _State()
        try:
            looking = time.monotonic()
            if self._known is None or fresh or trouble or looking - self._looked >= _FOLLOW_SECONDS:
                self._known = self._read_state()
                self._looked = looking
                self._highest = max(self._highest, self._known.generation)
            return self._known
        finally:
            self._looking.release()

    def _forget(self) -> None:
        self._looked = float("-inf")

    def _read_state(self) -> _State:
        try:
            rows = {row["id"]: row for row in self._rows(self._records, {"limit": 100})}
        except Refused as refused:
            if refused.code != "index_not_found":
                raise
            return _State()
        state, groups = rows.get("state", {}), rows.get("synonyms", {})
        return _State(
            int(state.get("generation", 0)),
            int(state.get("changes", 0)),
            str(state.get("fingerprint", "")),
            tuple(tuple(map(str, group)) for group in groups.get("groups", ())),
            int(groups.get("changes", 0)),
            tuple(sorted(row for row in rows if row.startswith("wish-"))),
        )

    def _rows(self, index: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        found = self.connection.ask(lambda client: client.index(index).get_documents(dict(wanted)))
        return [dict(vars(row)) for row in found.results]

    def _entries(self) -> int:
        stats = self.connection.ask(lambda client: client.index(self._live).get_stats())
        return stats.number_of_documents

    # -- changes --------------------------------------------------------------------------------------------

    def apply(self, changed: Iterable[Document], gone: Iterable[Key] = ()) -> None:
        """Tasks for the entries and for the state, all of them succeeded on return."""
        with self._changing:
            self._demand_lock()
            state = self._look(fresh=True)
            if not self._usable(state):
                raise RuntimeError("no index was built yet")
            documents, keys = list(changed), list(gone)
            for index in (self._live, self._aside) if self._beside else (self._live,):
                self._put(index, documents, keys)
            self._note(state.generation, state.changes + 1)

    @contextlib.contextmanager
    def rebuild(self) -> Iterator["_Building"]:
        """An index beside, swapped in at the end."""
        with self._changing:
            self._demand_lock()
            if self._beside:
                raise RuntimeError("a rebuild is under way")
            self._ensure_records()
            # Granted when all is done; a wish made from here on is for another rebuild.
            wishes = self._look(fresh=True).wishes
            self._clear_aside()
            self._create(self._aside, "id")
            wanted = queries.settings(self._dimensions, self._token_synonyms())
            self.connection.change(lambda client: client.index(self._aside).update_settings(wanted))
            self._beside = True
        try:
            yield _Building(self._put_aside)
        except BaseException:
            with self._changing:
                self._beside = False
                self._forget()
                # A server that died in the middle has to be left as it is; the next rebuild begins by clearing.
                with contextlib.suppress(Trouble):
                    self._clear_aside()
            raise
        with self._changing:
            try:
                self._swap()
                for wish in wishes:
                    self._unwish(wish)
            finally:
                self._beside = False
                self._forget()

    def set_synonyms(self, groups: Iterable[Sequence[str]]) -> None:
        """Groups as a record, and those of single terms as the index's own synonyms, for its ranking."""
        with self._changing:
            self._demand_lock()
            self._ensure_records()
            state = self._look(fresh=True)
            wanted = [list(group) for group in groups]
            self._record({"id": "synonyms", "groups": wanted, "changes": state.groups_change + 1})
            self._forget()
            change = {"synonyms": self._token_synonyms()}
            if self._usable(state):
                self.connection.change(lambda client: client.index(self._live).update_settings(change))
            if self._beside:
                self.connection.change(lambda client: client.index(self._aside).update_settings(change))

    def synonyms(self) -> Groups:
        """The groups of the record."""
        return self._look().groups

    def _demand_lock(self) -> None:
        if not self.acquire():
            raise RuntimeError("another process may change this index")

    def _swap(self) -> None:
        before = self._look(fresh=True).generation
        self._create(self._live, "id")
        pair = [{"indexes": [self._live, self._aside]}]
        self.connection.change(lambda client: client.swap_indexes(pair))  # type: ignore[arg-type]
        self._rarity = None
        self._note(max(before, self._confirmed()[0], self._highest) + 1, 0)
        self._clear_aside()

    def _unwish(self, wish: str) -> None:
        self.connection.change(lambda client: client.index(self._records).delete_document(wish))

    def _note(self, generation: int, changes: int) -> None:
        """Say on the server, and beside it, how far the index has come."""
        self._record(
            {"id": "state", "generation": generation, "changes": changes, "fingerprint": self._fingerprint}
        )
        if self._memory is not None:
            self._memory.write_text(json.dumps([generation, changes]))
        self._forget()

    def _confirmed(self) -> tuple[int, int]:
        if self._memory is None:
            return 0, 0
        try:
            generation, changes = json.loads(self._memory.read_text())
            return int(generation), int(changes)
        except (OSError, ValueError, TypeError):
            return 0, 0

    def _put(self, index: str, documents: Sequence[Document], gone: Sequence[Key]) -> None:
        orders: list[Order] = []
        if gone:
            condition = queries.one_of("id", map(queries.row_of, gone))
            orders.append(lambda client: client.index(index).delete_documents(filter=condition))
        if documents:
            of, vectors = self._vector_of, self._dimensions is not None
            entries = [
                queries.entry(
                    one, of(one.whole_text, one.key.kind) if of and vectors else None, vectors=vectors
                )
                for one in documents
            ]
            orders.append(lambda client: client.index(index).add_documents(entries, "id"))
        self.connection.change(*orders)

    def _put_aside(self, documents: Sequence[Document]) -> None:
        with self._changing:
            self._put(self._aside, documents, ())

    def _record(self, row: dict[str, Any]) -> None:
        self.connection.change(lambda client: client.index(self._records).add_documents([row], "id"))

    def _ensure_records(self) -> None:
        self._create(self._records, "id")

    def _create(self, index: str, primary_key: str) -> None:
        """Create an index unless there is one."""
        try:
            self.connection.ask(lambda client: client.get_raw_index(index))
        except Refused as refused:
            if refused.code != "index_not_found":
                raise
            self.connection.change(lambda client: client.create_index(index, {"primaryKey": primary_key}))

    def _clear_aside(self) -> None:
        try:
            self.connection.ask(lambda client: client.get_raw_index(self._aside))
        except Refused as refused:
            if refused.code == "index_not_found":
                return
            raise
        self.connection.change(lambda client: client.delete_index(self._aside))

    def _token_synonyms(self) -> dict[str, list[str]]:
        """Those of the groups' words that are one term each, as the index's searchable words spell them."""
        mapped: dict[str, list[str]] = {}
        for word, others in self._readings().others.items():
            terms = [set(text.terms(one)) for one in (word, *others)]
            if len(terms[0]) == 1:
                alike = [queries.token(next(iter(one))) for one in terms[1:] if len(one) == 1]
                if alike:
                    mapped[queries.token(next(iter(terms[0])))] = alike
        return mapped

    def _readings(self) -> Thesaurus:
        groups = self._look().groups
        if self._thesaurus[0] != groups:
            self._thesaurus = (groups, Thesaurus(groups))
        return self._thesaurus[1]

    # -- questions ------------------------------------------------------------------------------------------

    def search(
        self,
        query: Query | str = "",
        filters: Filters = Filters(),
        *,
        sort: Sort = Sort.RELEVANCE,
        offset: int = 0,
        limit: int = 20,
        facets: Sequence[Facet] = (),
    ) -> Hits:
        """Filters find, words and attributes rank (`queries`)."""
        if not self._usable(self._look()):
            return Hits(facets={facet: {} for facet in facets})
        asked = parse(query) if isinstance(query, str) else query
        search = Search(self._ask, self._readings(), self._term_counts, self._vector_of)
        hits = search.find(asked, filters, sort=sort, offset=offset, limit=limit, facets=facets)
        already = 0 if hits.relaxed else hits.total
        if asked.words and spelling.is_doubted(asked, already):

            def finds(other: Query) -> int:
                found = search.find(other, filters, sort=Sort.NEWEST, offset=0, limit=0, facets=())
                return 0 if found.relaxed else found.total

            words = self._server_counts().vocabulary
            hits = replace(hits, suggestion=spelling.other_query(asked, words, finds, already=already))
        return hits

    def suggest(self, prefix: str, limit: int = 8) -> list[Suggestion]:
        """By stored beginnings, and by the characters of titles."""
        if not self._usable(self._look()):
            return []
        return suggestions.suggest(self._ask, prefix, limit)

    def candidates(self, title: str, text_: str, kind: str, limit: int = 200) -> list[Hit]:
        """By the rarest grams of the title, by the words of both, and by the vector where there is one."""
        if not self._usable(self._look()):
            return []
        return candidates.candidates(
            self._ask, self._term_counts(), title, text_, str(kind), limit, self._vector_of
        )

    def rarity(self) -> Rarity:
        """The server's counts of grams and words, kept while the index is within 2 % of its size."""
        if not self._usable(self._look()):
            return Counts(0, 0, {})
        return self._server_counts()

    def _server_counts(self) -> Counts:
        generation, known = self.generation, self._rarity
        entries = self._entries()
        if known is None or known.generation != generation or abs(entries - known.documents) * 50 > entries:
            known = self._rarity = count_terms(self._ask, entries, generation)
        return known

    def _term_counts(self) -> Rarity:
        return self.rarity() if self._counts is None else self._counts()

    def _ask(self, questions: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Several searches of the entries in one request."""
        wanted = [{"indexUid": self._live, **one} for one in questions]
        answer = self.connection.ask(lambda client: client.multi_search(wanted))
        results = answer["results"]
        if len(results) != len(wanted):
            raise OutOfReach("answered another number of searches")
        return results


class _Building:
    """What `rebuild` hands out."""

    def __init__(self, put: Callable[[Sequence[Document]], None]) -> None:
        self._put = put

    def add(self, documents: Iterable[Document]) -> None:
        """Replace or add."""
        self._put(list(documents))
