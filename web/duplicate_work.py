"""The look for results that may be one, in the background.

Every half minute the results that changed since the last look are compared; once a day all of them are, because
what was not yet in the index then is there now. Safe to repeat and to lose: pairs are kept once each.
"""

from __future__ import annotations

import datetime as dt

from matching import duplicates
from matching.duplicates import Cursor
from matching.index import IndexState
from web.wiring import Parts

INTERVAL = 30
"""Seconds between two looks."""
MOST_CHUNKS = 4
"""Chunks at one look, so that a full round leaves the machine to others."""
ROUND = dt.timedelta(days=1)


class Sweeper:
    """The looks of one process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._cursor = Cursor()
        self._round: dt.datetime | None = None

    def __call__(self) -> None:
        """Look once."""
        parts, now = self._parts, self._parts.clock.now()
        if parts.index.state is IndexState.BUILDING:
            return
        if self._round is None or now - self._round >= ROUND:
            self._cursor, self._round = Cursor(), now
        for _ in range(MOST_CHUNKS):
            with parts.db.read() as session:
                found, following = duplicates.look(session, parts.index, now, self._cursor)
            if following is None:
                return
            if found.alike or found.no_longer:
                with parts.db.write() as session:
                    duplicates.keep(session, found)
            self._cursor = following
