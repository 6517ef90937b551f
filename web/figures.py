"""Figures kept while nothing changed that they were computed from.

A figure is a sum over all that its year registered, and looked at far more often than it changes. What it depends on
only ever gains rows, so the newest ids tell whether a kept one is still the figure of this moment.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable, Hashable, Iterable
from typing import Any, TypeVar

from market.clock import local_date
from market.db import Session
from market.permissions import Action, Actor
from market.statistics import queries
from market.statistics.counting import Held
from market.statistics.queries import CaliberRow, Figure

Kept = TypeVar("Kept")

MOST = 64


def tells_all(actor: Actor, as_of: dt.date, now: dt.datetime) -> bool:
    """Whether nothing is held back."""
    return actor.can(Action.STATISTICS_READ_DETAIL) or as_of < local_date(now)


class KeptFigures:
    """The memory of one process; used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamp: tuple[int, ...] = ()
        self._figures: dict[Hashable, Any] = {}

    def years(
        self,
        session: Session,
        counting: CaliberRow,
        years: Iterable[int],
        *,
        as_of: dt.date,
        actor: Actor,
        now: dt.datetime,
    ) -> list[Figure]:
        """As `queries.figures`: whole years, oldest first, less what somebody is not told yet (`held`)."""
        wanted, stamp = tuple(sorted(set(years))), self._fresh(session)
        held = self._held(session, counting, actor, as_of, now, stamp)
        return self._kept(
            (counting.id, wanted, as_of, held),
            stamp,
            lambda: queries.figures(session, counting, wanted, as_of=as_of, held=held),
        )

    def held(
        self, session: Session, counting: CaliberRow, *, as_of: dt.date, actor: Actor, now: dt.datetime
    ) -> tuple[Held, ...]:
        """What somebody is not told of a caliber as of a day: nothing is held back from those who may tell single
        amounts, nor of days that are over, which the public is told by ends of quarters."""
        if tells_all(actor, as_of, now):
            return ()
        return self._held(session, counting, actor, as_of, now, self._fresh(session))

    def _held(
        self,
        session: Session,
        counting: CaliberRow,
        actor: Actor,
        as_of: dt.date,
        now: dt.datetime,
        stamp: tuple[int, ...],
    ) -> tuple[Held, ...]:
        if tells_all(actor, as_of, now):
            return ()
        return self._kept(
            ("held", counting.id, as_of), stamp, lambda: queries.held_back(session, counting, now)
        )

    def _fresh(self, session: Session) -> tuple[int, ...]:
        stamp = queries.stamp(session)
        with self._lock:
            if stamp != self._stamp:
                self._stamp, self._figures = stamp, {}
        return stamp

    def whole(self, session: Session, one: Figure) -> Figure:
        """A figure of `years` with all its breakdowns."""
        key = (one.caliber.id, one.period, one.known_at, one.denominator, one.held)
        (found,) = self._kept(key, self._stamp, lambda: [queries.broken_down(session, one)])
        return found

    def _kept(self, key: Hashable, stamp: tuple[int, ...], read: Callable[[], Kept]) -> Kept:
        with self._lock:
            found: Kept | None = self._figures.get(key)
        if found is None:
            # Read after the stamp: it can only be newer than the stamp says, and is then read again.
            found = read()
            with self._lock:
                if stamp == self._stamp:
                    if len(self._figures) >= MOST:
                        self._figures.clear()
                    self._figures[key] = found
        return found
