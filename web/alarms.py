"""Alarms on their way to people: the log at once, then the record, staff's pages and their mail.

Whatever rings (`ring`, from any thread) neither waits nor fails. A thread of its own writes to the record what
was rung, also later when the database was away, and leaves mail to staff: one a code and half an hour, from
all processes together. It also repeats, while closings stand still, that they do, reads how it stands with
the other processes, and looks for the word of somebody in charge that this process's clock is right.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
import structlog

from market import alarms
from market.clock import Clock
from market.db import Database, Session, t
from market.parties.mail import mail_people
from market.parties.models import MembershipRow
from market.permissions import Role

log = structlog.get_logger()

LOOK_S = 2.0
TOGETHER = dt.timedelta(minutes=1)
"""Alarms of a code within it are one row; what tells of the clock is never held back."""
REPEAT = dt.timedelta(minutes=4)
MAIL = dt.timedelta(minutes=30)
ON_DUTY = (Role.STAFF, Role.ADMINISTRATOR)


@dataclass
class _Rung:
    code: str
    at: dt.datetime
    detail: dict[str, Any]
    count: int = 1


@dataclass(frozen=True)
class Standing:
    """How it stands with the clocks, as last seen: processes that close no lots."""

    paused: tuple[alarms.Alarm, ...] = ()


@dataclass
class AlarmBook:
    """See the module. `trusted` and `trust` are the writer's; a process without one has nothing to trust."""

    db: Database
    clock: Clock
    trusted: Callable[[], bool] = lambda: True
    trust: Callable[[], None] = lambda: None
    process: str = field(
        default_factory=lambda: f"{platform.node()[:80]}:{os.getpid()}:{secrets.token_hex(2)}"
    )
    standing: Standing = Standing()

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Rung] = []
        self._held: dict[str, _Rung] = {}
        self._written: dict[str, dt.datetime] = {}
        self._seen: int | None = None
        self._repeated_at: dt.datetime | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def closings_paused(self) -> bool:
        """Whether any process is known to close no lots."""
        return not self.trusted() or bool(self.standing.paused)

    def ring(self, code: str, detail: Mapping[str, Any]) -> None:
        """Note an alarm. Any thread; never waits, never fails."""
        log.error("auction.alarm", code=code, **detail)
        plain = {
            key: value if isinstance(value, int | float | str) else str(value)
            for key, value in detail.items()
        }
        now = self.clock.now()
        with self._lock:
            if code.startswith("clock_") and code != "clock_behind_journal":
                self._waiting.append(_Rung(code, now, plain))
                return
            held = self._held.get(code)
            if held is None:
                self._held[code] = _Rung(code, now, plain)
            else:
                held.count += 1

    def start(self) -> None:
        """Begin to write and to look."""
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Write what is left, and that this process is no more if it had closings paused."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)
        if not self.trusted():
            with self._lock:
                self._repeated_at = self.clock.now()
                self._waiting.append(_Rung("stopped", self._repeated_at, {}))
        self._try()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            self._try()

    def _try(self) -> None:
        try:
            self.look()
        except Exception as error:  # the next look tries again
            log.warning("alarms.not_written", error=repr(error))

    def look(self) -> None:
        """Write what was rung, see how it stands, and obey the word of somebody in charge."""
        now = self.clock.now()
        paused = not self.trusted()
        with self._lock:
            if paused and (self._repeated_at is None or now - self._repeated_at >= REPEAT):
                if self._repeated_at is not None:
                    self._waiting.append(_Rung("closings_paused", now, {}))
                self._repeated_at = now
            elif not paused:
                self._repeated_at = None
            due, self._waiting = self._waiting, []
            for code in [code for code in self._held if self._due(code, now)]:
                due.append(self._held.pop(code))
        if due:
            try:
                self._write(due, now)
            except BaseException:
                with self._lock:
                    self._waiting = due + self._waiting
                raise
        with self.db.read() as session:
            self.standing = Standing(tuple(alarms.paused(session, now)))
            if not paused or self._seen is None:
                self._seen = alarms.latest_id(session)
            word = alarms.accepted_since(session, self.process, self._seen) if paused else None
        if word is not None:
            self._seen = word
            self.trust()

    def _write(self, due: list[_Rung], now: dt.datetime) -> None:
        with self.db.write() as session:
            for rung in due:
                alarms.record(session, self.process, rung.code, rung.detail, rung.at, rung.count)
                if rung.code != "stopped":
                    self._mail(session, rung, now)
        self._written.update((rung.code, now) for rung in due)

    def _due(self, code: str, now: dt.datetime) -> bool:
        written = self._written.get(code)
        return written is None or abs(now - written) >= TOGETHER

    def _mail(self, session: Session, rung: _Rung, now: dt.datetime) -> None:
        span = int(now.timestamp() // MAIL.total_seconds())
        m = t(MembershipRow).c
        people = session.scalars(
            sa.select(m.person_id)
            .distinct()
            .where(m.role.in_([role.value for role in ON_DUTY]), m.ended_at.is_(None))
        )
        params = {"code": rung.code, "detail": rung.detail, "process": self.process}
        mail_people(session, people, "alarm", params, key=f"{rung.code}:{span}", now=now)
