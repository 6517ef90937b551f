"""A search engine on a server, with an embedded index beside that answers when the server does not.

The same indexer keeps both: a change goes to the spare, then to the engine, and counts as done when both have
it. While the engine is out of reach, or builds its index anew, searches are answered by the spare and the
state is STALE; the marks of what has changed stay in the database, so that the engine catches up by
itself. An engine that has lost its index is given a new one.

What is asked with every keystroke or hundreds of times for one page (suggestions, frequencies) is asked of
the spare in any case: it needs no network.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from matching.documents import Document, Key
from matching.index import (
    Facet,
    Filters,
    Hit,
    Hits,
    IndexState,
    Rarity,
    Rebuild,
    SearchIndex,
    Sort,
    Suggestion,
)
from matching.meilisearch.client import Trouble
from matching.query import Query

log = logging.getLogger(__name__)

T = TypeVar("T")


class SparedIndex:
    """Two indexes as one `matching.index.SearchIndex`."""

    def __init__(self, engine: SearchIndex, spare: SearchIndex) -> None:
        self.engine = engine
        self.spare = spare
        self._trouble = ""
        self._serial = 0
        self._seen: tuple[object, ...] = ()
        self._counting = threading.Lock()

    @property
    def trouble(self) -> str:
        """What the engine failed with when it was last asked; empty if it answered."""
        return self._trouble

    @property
    def state(self) -> IndexState:
        """READY if the engine is; STALE if the spare has to answer."""
        if self._engine_state() is IndexState.READY:
            return IndexState.READY
        return IndexState.STALE if self._spare_ready() else IndexState.BUILDING

    @property
    def generation(self) -> int:
        """That of the engine; of the spare while the engine is out of reach."""
        return self._answer(lambda index: index.generation)

    @property
    def stamp(self) -> tuple[int, int]:
        """The generation, and a number that grows whenever either the answering index or its stamp is another."""
        engine = self._engine_state() is IndexState.READY
        seen = (engine, self._answer(lambda index: index.stamp) if engine else self.spare.stamp)
        with self._counting:
            if seen != self._seen:
                self._seen = seen
                self._serial += 1
            return self.generation, self._serial

    def acquire(self) -> bool:
        """Both locks. A process that holds the spare's alone keeps nothing but the spare (`Indexer`)."""
        return self.spare.acquire() and self.engine.acquire()

    def apply(self, changed: Iterable[Document], gone: Iterable[Key] = ()) -> None:
        """The spare first: it is the nearer to the present if the engine fails, which is told by what is raised."""
        documents, keys = list(changed), list(gone)
        if self._spare_ready():
            self.spare.apply(documents, keys)
        self._tell(lambda: self.engine.apply(documents, keys))

    @contextlib.contextmanager
    def rebuild(self) -> Iterator[Rebuild]:
        """Both anew. Without the engine only a spare that has nothing to answer with is built."""
        with contextlib.ExitStack() as stack:
            sides: list[Rebuild] = []
            try:
                sides.append(self._tell(lambda: stack.enter_context(self.engine.rebuild())))
            except Trouble:
                if self._spare_ready():
                    raise
            sides.append(stack.enter_context(self.spare.rebuild()))
            yield _Both(sides)

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
        """The engine's answer, or the spare's."""
        return self._answer(
            lambda index: index.search(query, filters, sort=sort, offset=offset, limit=limit, facets=facets)
        )

    def suggest(self, prefix: str, limit: int = 8) -> list[Suggestion]:
        """The spare's, which takes no network."""
        return self._near(lambda index: index.suggest(prefix, limit))

    def set_synonyms(self, groups: Iterable[Sequence[str]]) -> None:
        """In both; like a change it counts when the engine has them too."""
        wanted = [tuple(group) for group in groups]
        self.spare.set_synonyms(wanted)
        self._tell(lambda: self.engine.set_synonyms(wanted))

    def synonyms(self) -> tuple[tuple[str, ...], ...]:
        """Those of whichever answers."""
        return self._answer(lambda index: index.synonyms())

    def candidates(self, title: str, text: str, kind: str, limit: int = 200) -> list[Hit]:
        """The engine's answer, or the spare's."""
        return self._answer(lambda index: index.candidates(title, text, kind, limit))

    def rarity(self) -> Rarity:
        """The spare's, which takes no network."""
        return self._near(lambda index: index.rarity())

    def keys(self) -> Iterator[Key]:
        """Of whichever answers, all read before the first is handed out."""
        return iter(self._answer(lambda index: list(index.keys())))

    def count(self) -> int:
        """Of whichever answers."""
        return self._answer(lambda index: index.count())

    def request_rebuild(self) -> None:
        """Left with the engine, or with the spare until the engine is back."""
        try:
            self._tell(self.engine.request_rebuild)
        except Trouble:
            self.spare.request_rebuild()

    def rebuild_requested(self) -> bool:
        """True if somebody asked, or one of the two has no index; without the engine only for the spare's sake."""
        state = self._engine_state()
        if state is None:
            return not self._spare_ready()
        if state is not IndexState.READY or not self._spare_ready() or self.spare.rebuild_requested():
            return True
        try:
            return self._tell(self.engine.rebuild_requested)
        except Trouble:
            return False

    def close(self) -> None:
        """Both."""
        self.engine.close()
        self.spare.close()

    # -- which of the two

    def _spare_ready(self) -> bool:
        return self.spare.state is IndexState.READY

    def _engine_state(self) -> IndexState | None:
        """None if it is out of reach."""
        try:
            return self._tell(lambda: self.engine.state)
        except Trouble:
            return None

    def _answer(self, question: Callable[[SearchIndex], T]) -> T:
        try:
            if self._tell(lambda: self.engine.state) is IndexState.READY:
                return self._tell(lambda: question(self.engine))
        except Trouble:
            pass
        return question(self.spare)

    def _near(self, question: Callable[[SearchIndex], T]) -> T:
        return question(self.spare) if self._spare_ready() else self._answer(question)

    def _tell(self, question: Callable[[], T]) -> T:
        """Ask the engine, and log when it goes and when it comes back."""
        try:
            answer = question()
        except Trouble as trouble:
            if not self._trouble:
                log.warning("search engine out of reach, the spare answers: %s", trouble)
            self._trouble = str(trouble)
            raise
        if self._trouble:
            log.warning("search engine is back")
            self._trouble = ""
        return answer


class _Both:
    """What `rebuild` hands out."""

    def __init__(self, sides: Sequence[Rebuild]) -> None:
        self._sides = sides

    def add(self, documents: Iterable[Document]) -> None:
        """Into each side that is built."""
        found = list(documents)
        for side in self._sides:
            side.add(found)
