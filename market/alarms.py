"""Alarms: what people on duty must know of, from whichever process it came.

A process writes what it rings, alike ones within a minute as one with a count, and reads what others
wrote. `clock_accepted` goes the other way: the word of somebody in charge to a process whose clock is
distrusted, which that process looks for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market.db import Id, JsonDoc, Session, UtcDateTime, t

ACCEPTED = "clock_accepted"
PAUSING = ("clock_jumped", "clock_apart", "closings_paused")
"""After these a process closes no lot."""
RESUMING = ("clock_trusted", "stopped")
"""After these it does again, or is no more."""
FRESH = dt.timedelta(minutes=10)
"""How long a process that fell silent counts as running; a paused one repeats itself sooner."""


class AlarmRecord(SQLModel, table=True):
    """One alarm of one process. `process` is the host and the process's number."""

    __tablename__ = "alarm"
    __table_args__ = (sa.Index("ix_alarm_at", "at"),)
    id: int | None = Field(default=None, sa_column=sa.Column(Id, primary_key=True, autoincrement=True))
    at: dt.datetime = Field(sa_type=UtcDateTime)
    process: str = Field(max_length=120)
    code: str = Field(max_length=48)
    count: int = 1
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=sa.Column(JsonDoc, nullable=False))


ALARM = t(AlarmRecord)


@dataclass(frozen=True)
class Alarm:
    """An alarm as staff read it."""

    id: int
    at: dt.datetime
    process: str
    code: str
    count: int
    detail: dict[str, Any]


def record(
    session: Session,
    process: str,
    code: str,
    detail: Mapping[str, Any],
    at: dt.datetime,
    count: int = 1,
) -> int:
    """Write an alarm; returns its id."""
    row = AlarmRecord(at=at, process=process, code=code, count=count, detail=dict(detail))
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def recent(session: Session, *, offset: int = 0, limit: int = 50) -> tuple[list[Alarm], int]:
    """A page of alarms, newest first, and how many there are. Two statements."""
    c = ALARM.c
    total = session.scalar(sa.select(sa.func.count()).select_from(ALARM)) or 0
    rows = session.execute(
        sa.select(c.id, c.at, c.process, c.code, c.count, c.detail)
        .order_by(c.id.desc())
        .offset(offset)
        .limit(limit)
    )
    return [Alarm(*row) for row in rows], total


def paused(session: Session, now: dt.datetime) -> list[Alarm]:
    """The latest word of each process that closes no lots at present. One statement."""
    c = ALARM.c
    last = (
        sa.select(sa.func.max(c.id).label("id"))
        .where(c.at > now - FRESH, c.code.in_([*PAUSING, *RESUMING]))
        .group_by(c.process)
        .subquery()
    )
    rows = session.execute(
        sa.select(c.id, c.at, c.process, c.code, c.count, c.detail)
        .where(c.id.in_(sa.select(last.c.id)), c.code.in_(PAUSING))
        .order_by(c.process)
    )
    return [Alarm(*row) for row in rows]


def accepted_since(session: Session, process: str, alarm_id: int) -> int | None:
    """The id of the latest word, after an alarm, that a process's clock is right; None without one."""
    c = ALARM.c
    return session.scalar(
        sa.select(sa.func.max(c.id)).where(c.code == ACCEPTED, c.process == process, c.id > alarm_id)
    )


def latest_id(session: Session) -> int:
    """The id of the last alarm; 0 before the first."""
    return session.scalar(sa.select(sa.func.max(ALARM.c.id))) or 0
