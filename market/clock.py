"""The only place that asks the machine what time it is.

Everything else receives `now` as an argument, so that a test, a replay and a production
process decide alike. All instants are aware datetimes in UTC.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol
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


def elapsed() -> float:
    """Seconds since some fixed instant; never set, and where the system can, counted through its sleep."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class GuardedClock:
    """The time of what must not be moved by a clock that somebody sets: a steady count, slowly corrected.

    Between readings it goes on by `elapsed`, and follows the clock that it guards by no more than
    `drift` seconds a second, as time servers correct a clock. So it never jumps by itself: while the clock
    stands still, runs wild or was set, a reading is what was right before plus the time that has passed.

    It is `trusted` while the clock, and the witness where there is one (`compare`: the database's clock,
    which all processes share), are within `tolerance_s` of it. It is trusted again once they are, or when
    somebody in charge says that the clock is right as it is (`accept`); never by waiting, since a wrong
    clock goes on as steadily as a right one. A process takes the clock that it starts with as right.

    Without `elapsed` (tests) a reading is the clock's own, and only a jump backwards shows.
    Any thread may ask.
    """

    def __init__(
        self,
        clock: Clock,
        elapsed: Callable[[], float] | None = None,
        *,
        tolerance_s: float = 1.0,
        drift: float = 0.0001,
    ) -> None:
        self._clock = clock
        self._elapsed = elapsed
        self._tolerance_s = tolerance_s
        self._drift = drift
        self._lock = threading.Lock()
        self._zero: dt.datetime | None = None
        self._ahead_s = 0.0
        self._tick = 0.0
        self._high: dt.datetime | None = None
        self._bias_s: float | None = 0.0
        self._jumped = self._apart = False
        self._told = (False, False)
        self.offset_s = 0.0
        """How far the clock is ahead of the reading, as last seen."""
        self.witness_offset_s = 0.0
        """How far the witness is ahead of the reading, as last seen."""
        self._read()

    @property
    def trusted(self) -> bool:
        """Whether the clock and the witness were as they should be when last looked at."""
        return not (self._jumped or self._apart)

    def now(self) -> dt.datetime:
        """See the class."""
        with self._lock:
            return self._read()

    def accept(self) -> None:
        """Trust the clock as it is now, and the witness as it will next be found."""
        with self._lock:
            self._zero = self._high = None
            self._jumped = self._apart = False
            self._bias_s = None
            self._read()

    def compare(self, ask: Callable[[], dt.datetime | None]) -> None:
        """Ask a witness for its time (None when it has none to give), and see how far it is off.

        A witness within the tolerance is followed, so that processes whose clocks differ share its time. An
        answer that took so long that it says little is passed over.
        """
        if self._elapsed is None:
            return
        asked = self._elapsed()
        theirs = ask()
        answered = self._elapsed()
        uncertain_s = (answered - asked) / 2
        if theirs is None or uncertain_s > self._tolerance_s / 4:
            return
        with self._lock:
            self._read()
            off_s = (theirs - self._at((asked + answered) / 2)).total_seconds()
            self.witness_offset_s = off_s
            if self._bias_s is None:
                self._bias_s = off_s if abs(off_s) > self._tolerance_s else 0.0
            off_s -= self._bias_s
            self._apart = abs(off_s) > self._tolerance_s
            if not self._apart and abs(off_s) > uncertain_s:
                self._ahead_s += off_s
                self._read()

    def changes(self) -> list[tuple[str, dict[str, Any]]]:
        """What is to be told since the last call: clock_jumped, clock_apart, or clock_trusted."""
        with self._lock:
            self._read()
            was, now = self._told, (self._jumped, self._apart)
            self._told = now
        told: list[tuple[str, dict[str, Any]]] = []
        if now[0] and not was[0]:
            told.append(("clock_jumped", {"offset_s": round(self.offset_s, 3)}))
        if now[1] and not was[1]:
            told.append(("clock_apart", {"offset_s": round(self.witness_offset_s, 3)}))
        if any(was) and not any(now):
            told.append(("clock_trusted", {}))
        return told

    def _at(self, tick: float) -> dt.datetime:
        assert self._zero is not None
        return self._zero + dt.timedelta(seconds=tick + self._ahead_s)

    def _read(self) -> dt.datetime:
        shown = self._clock.now()
        if self._elapsed is None:
            if self._high is None or shown > self._high:
                self._high = shown
            self.offset_s = (shown - self._high).total_seconds()
            self._jumped = -self.offset_s > self._tolerance_s
            return shown
        tick = self._elapsed()
        if self._zero is None:
            self._zero, self._ahead_s, self._tick = shown - dt.timedelta(seconds=tick), 0.0, tick
        self._judge(shown, tick)
        return self._at(tick)

    def _judge(self, shown: dt.datetime, tick: float) -> None:
        off_s = (shown - self._at(tick)).total_seconds()
        if abs(off_s) <= self._tolerance_s:
            most = max(0.0, tick - self._tick) * self._drift
            step = min(most, max(-most, off_s))
            self._ahead_s += step
            off_s -= step
        self._tick = max(self._tick, tick)
        self.offset_s = off_s
        self._jumped = abs(off_s) > self._tolerance_s


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
