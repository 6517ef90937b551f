"""Keeps the index like the database: drains the dirty set, and rebuilds from scratch when asked to.

One thread of one process runs `Indexer.run`. Each step is safe to repeat and safe to lose: marks are
cleared only after the index has committed, and only with the token that was read, so a crash or an edit in
between means one more look at the row. No database transaction is open while the index works.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from market.db import Database
from market.dirty import Mark, clear_marks, read_marks
from matching import documents, synonyms
from matching.documents import Key, Kind
from matching.index import IndexState, Rebuild, SearchIndex

log = logging.getLogger(__name__)

BATCH = 400
"""Marks taken at once; also the rows of one step of a rebuild."""
INTERVAL_SECONDS = 0.3
"""Rest between two looks when nothing was found."""
RETRY_SECONDS = 5.0
"""Rest after a failure, and between two attempts to become the process that writes."""

ORGANISATION = "organisation"
"""A mark of this kind means: everything that the organisation lists."""

_KINDS = frozenset(kind.value for kind in Kind)

Progress = Callable[[int, int], None]
"""Told the number of rows indexed so far, and of all there were when it began."""


def drain(db: Database, index: SearchIndex, limit: int = BATCH) -> int:
    """Bring up to `limit` marked rows into the index as they are now. Returns how many marks were seen.

    Raises RuntimeError if this process may not change the index.
    """
    with db.read() as session:
        marks = read_marks(session, limit)
        if not marks:
            return 0
        groups = synonyms.groups(session) if any(mark.kind == synonyms.MARK for mark in marks) else None
        owners = [mark.row_id for mark in marks if mark.kind == ORGANISATION]
        keys = {Key(Kind(mark.kind), mark.row_id) for mark in marks if mark.kind in _KINDS}
        if owners:
            keys.update(documents.keys_of_owner(session, owners))
        found = documents.load(session, keys)
    if groups is not None:
        index.set_synonyms(groups)
    if keys:
        index.apply(found.values(), keys - found.keys())
    _clear(db, marks)
    return len(marks)


def match_synonyms(db: Database, index: SearchIndex) -> None:
    """Give the index the groups of the rows if it has others: a new folder, or a database put back."""
    with db.read() as session:
        groups = synonyms.groups(session)
    if groups != index.synonyms():
        index.set_synonyms(groups)


def _clear(db: Database, marks: list[Mark]) -> None:
    with db.write() as session:
        clear_marks(session, marks)


def reindex(
    db: Database, index: SearchIndex, progress: Progress | None = None, *, draining: bool = True
) -> int:
    """Build a new index from every published row beside the old one, then swap. Returns the rows indexed.

    Edits made meanwhile reach both: the dirty set is drained between two steps of the reading. Without
    `draining` the marks are left alone, for they are another index's.
    """
    done = 0
    match_synonyms(db, index)
    with db.read() as session:
        total = sum(documents.published_count(session, kind) for kind in Kind)
    with index.rebuild() as beside:
        for chunk in _chunks(db):
            done += _copy(db, beside, chunk)
            if progress is not None:
                progress(done, total)
            if draining and index.state is IndexState.READY:
                drain(db, index)
    return done


def _chunks(db: Database) -> Iterator[list[Key]]:
    for kind in Kind:
        after = 0
        while True:
            with db.read() as session:
                keys = documents.published_keys(session, kind, after, BATCH)
            if not keys:
                break
            yield keys
            after = keys[-1].id


def _copy(db: Database, beside: Rebuild, keys: list[Key]) -> int:
    with db.read() as session:
        found = documents.load(session, keys)
    beside.add(found.values())
    return len(found)


def await_rebuild(index: SearchIndex, stop: threading.Event, told: Callable[[int], None]) -> bool:
    """Ask the process that may change the index to build it anew, and wait until searches here are answered
    from the new one. Tells the number of entries now and then; False if told to stop before."""
    before = index.generation
    index.request_rebuild()
    while index.generation <= before:
        told(index.count())
        if stop.wait(INTERVAL_SECONDS):
            return False
    return True


@dataclass(frozen=True)
class Health:
    """What an operator wants to know."""

    state: IndexState
    writing: bool
    generation: int
    entries: int
    last_error: str


class Indexer:
    """The indexing thread's work. Wiring starts `run` in a thread and sets the event to stop it."""

    def __init__(self, db: Database, index: SearchIndex) -> None:
        self._db = db
        self._index = index
        self._writing = False
        self._matched = False
        self._last_error = ""

    def health(self) -> Health:
        """From any thread."""
        return Health(
            self._index.state, self._writing, self._index.generation, self._index.count(), self._last_error
        )

    def step(self) -> int:
        """One look: rebuild if needed, else drain once. Returns how many rows or marks were dealt with.

        Does nothing in a process that is not the one that writes (and stands by to become it).
        """
        self._writing = self._index.acquire()
        if not self._writing:
            self._matched = False
            return 0
        if not self._matched:
            match_synonyms(self._db, self._index)
            self._matched = True
        if self._index.state is IndexState.BUILDING or self._index.rebuild_requested():
            done = reindex(self._db, self._index)
            log.info("index rebuilt", extra={"rows": done, "generation": self._index.generation})
            return done
        return drain(self._db, self._index)

    def run(self, stop: threading.Event) -> None:
        """Step until told to stop. A failure is logged and tried again; it never ends the thread."""
        while not stop.is_set():
            try:
                done = self.step()
                self._last_error = ""
                rest = 0.0 if done >= BATCH else INTERVAL_SECONDS if self._writing else RETRY_SECONDS
            except Exception as error:
                if repr(error) != self._last_error:
                    # Once for each trouble: a server that is away for a day must not fill the log.
                    log.exception("indexing failed")
                self._last_error = repr(error)
                rest = RETRY_SECONDS
            stop.wait(rest)
