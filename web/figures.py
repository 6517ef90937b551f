"""Figures kept while nothing changed that they were computed from.

A figure is a sum over all that its year registered, and looked at far more often than it changes. What it depends on
only ever gains rows, so the newest ids tell whether a kept one is still the figure of this moment.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Hashable, Iterable

from market.db import Session
from market.statistics import queries
from market.statistics.queries import CaliberRow, Figure

MOST = 64


class KeptFigures:
    """The memory of one process; used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._figures: dict[Hashable, list[Figure]] = {}

    def years(
        self, session: Session, counting: CaliberRow, years: Iterable[int], *, as_of: dt.date
    ) -> list[Figure]:
        """As `queries.figures`: whole years, oldest first."""
        wanted = tuple(sorted(set(years)))
        stamp = queries.stamp(session)
        with self._lock:
            if stamp != self._stamp:
                self._stamp, self._figures = stamp, {}
        return self._kept(
            (counting.id, wanted, as_of),
            stamp,
            lambda: queries.figures(session, counting, wanted, as_of=as_of),
        )

    def whole(self, session: Session, one: Figure) -> Figure:
        """A figure of `years` with all its breakdowns."""
        key = (one.caliber.id, one.period, one.known_at, one.denominator)
        (found,) = self._kept(key, self._stamp, lambda: [queries.broken_down(session, one)])
        return found

    def _kept(self, key: Hashable, stamp: tuple[int, ...], read: Callable[[], list[Figure]]) -> list[Figure]:
        with self._lock:
            found = self._figures.get(key)
        if found is None:
            # Read after the stamp: it can only be newer than the stamp says, and is then read again.
            found = read()
            with self._lock:
                if stamp == self._stamp:
                    if len(self._figures) >= MOST:
                        self._figures.clear()
                    self._figures[key] = found
        return found
