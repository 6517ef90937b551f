"""The only place that asks the machine what time it is.

Everything else receives `now` as an argument, so that a test, a replay and a production
process decide alike. All instants are aware datetimes in UTC.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol
from zoneinfo import ZoneInfo

UTC = dt.UTC
SHANGHAI = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    """Tells the present instant."""

    def now(self) -> dt.datetime:
        """The present instant, aware, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(UTC)


class FixedClock:
    """A clock for tests and replays: it moves only when told to."""

    def __init__(self, at: dt.datetime) -> None:
        self.at = as_utc(at)

    def now(self) -> dt.datetime:
        return self.at

    def set(self, at: dt.datetime) -> None:
        """Jump to an instant, forwards or backwards."""
        self.at = as_utc(at)

    def advance(self, **delta: float) -> dt.datetime:
        """Move on by a timedelta given as keywords (seconds=…, days=…); returns the new instant."""
        self.at += dt.timedelta(**delta)
        return self.at


def as_utc(value: dt.datetime) -> dt.datetime:
    """The same instant in UTC. Raises ValueError for a naive datetime: guessing a zone loses bids."""
    if value.tzinfo is None:
        raise ValueError("naive datetime")
    return value.astimezone(UTC)


def local_date(value: dt.datetime) -> dt.date:
    """The calendar day in Shanghai on which an instant falls."""
    return value.astimezone(SHANGHAI).date()


def start_of_local_day(day: dt.date) -> dt.datetime:
    """The instant at which a Shanghai calendar day begins, in UTC."""
    return dt.datetime.combine(day, dt.time(), SHANGHAI).astimezone(UTC)
