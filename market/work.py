"""Work: what must happen after a change, for as long as it takes.

Mail, gateway calls, certificates and deadlines are rows written in the transaction of the change
that needs them, so neither a crash nor a rollback can lose or invent one. A worker claims a due
row in a short transaction, runs its handler with no transaction open, and records the end in a
second one. A handler may run more than once and must be idempotent.

    pending ──claim──► running ──done──► done
       ▲                  │
       └──── retry ───────┤ (tries left: backoff; a claim that outlives its lease is free again)
                          └──► dead   (staff see it and may retry)
"""

from __future__ import annotations

import datetime as dt
import enum
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlmodel import Field, SQLModel

from market.db import Database, Id, JsonDoc, Session, UtcDateTime, for_update, in_values, t, upsert

LEASE = dt.timedelta(minutes=5)
MAX_TRIES = 10
LOST = "the process ended during every try"


class WorkState(enum.StrEnum):
    """Where a piece of work stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


class WorkItem(SQLModel, table=True):
    """One piece of work for one handler. `key` makes the same piece enqueued twice one row."""

    __tablename__ = "work_item"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", WorkState), name="state"),
        sa.Index("ix_work_item_state_due_at", "state", "due_at"),
    )
    id: int | None = Field(default=None, sa_column=sa.Column(Id, primary_key=True, autoincrement=True))
    kind: str = Field(max_length=64)
    key: str = Field(max_length=200, unique=True)
    payload: dict[str, Any] = Field(default_factory=dict, sa_column=sa.Column(JsonDoc, nullable=False))
    state: str = Field(default=WorkState.PENDING.value, max_length=16)
    due_at: dt.datetime = Field(sa_type=UtcDateTime)
    tries: int = 0
    lease_until: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_error: str | None = Field(default=None, sa_column=sa.Column(sa.Text))
    created_at: dt.datetime = Field(sa_type=UtcDateTime)
    finished_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)


def enqueue(
    session: Session | Connection,
    kind: str,
    payload: Mapping[str, Any],
    *,
    key: str,
    now: dt.datetime,
    due_at: dt.datetime | None = None,
) -> None:
    """Leave a piece of work in the caller's transaction. Enqueuing the same `key` again does nothing."""
    row = {
        "kind": kind,
        "key": f"{kind}:{key}",
        "payload": dict(payload),
        "state": WorkState.PENDING.value,
        "due_at": due_at or now,
        "tries": 0,
        "created_at": now,
    }
    upsert(session, t(WorkItem), [row], key=["key"])


@dataclass(frozen=True)
class Claimed:
    """A piece of work in a worker's hands."""

    id: int
    kind: str
    payload: dict[str, Any]
    tries: int


Handler = Callable[[Claimed], None]
"""Does the work. It opens its own transactions; an exception means: try again later."""


def claim(session: Session, now: dt.datetime, kinds: list[str] | None = None) -> Claimed | None:
    """Take the next due piece, marking it running with a lease. At most one worker gets each."""
    c = t(WorkItem).c
    due = sa.or_(
        sa.and_(c.state == WorkState.PENDING.value, c.due_at <= now),
        sa.and_(c.state == WorkState.RUNNING.value, c.lease_until <= now),
    )
    statement = sa.select(c.id, c.kind, c.payload, c.tries).where(due).order_by(c.due_at, c.id).limit(1)
    if kinds is not None:
        statement = statement.where(c.kind.in_(kinds))
    row = session.execute(for_update(statement, session, skip_locked=True)).first()
    if row is None:
        return None
    if row.tries >= MAX_TRIES:
        # Every try took its process along; one more would do the same.
        dead = {"state": WorkState.DEAD.value, "lease_until": None, "last_error": LOST}
        session.execute(sa.update(t(WorkItem)).where(c.id == row.id).values(**dead))
        return None
    session.execute(
        sa.update(t(WorkItem))
        .where(c.id == row.id)
        .values(state=WorkState.RUNNING.value, tries=row.tries + 1, lease_until=now + LEASE)
    )
    return Claimed(row.id, row.kind, row.payload, row.tries + 1)


def _held(item: Claimed) -> sa.ColumnElement[bool]:
    """That a piece is still in these hands: a lease that ran out may have given it to others."""
    c = t(WorkItem).c
    return sa.and_(c.id == item.id, c.state == WorkState.RUNNING.value, c.tries == item.tries)


def finish(session: Session, item: Claimed, now: dt.datetime) -> None:
    """Record that a piece is done. What others have taken over meanwhile is left to them."""
    session.execute(
        sa.update(t(WorkItem))
        .where(_held(item))
        .values(state=WorkState.DONE.value, finished_at=now, lease_until=None, last_error=None)
    )


def fail(session: Session, item: Claimed, now: dt.datetime, error: str) -> WorkState:
    """Record a failed try: again after a growing pause, or dead when the tries are used up."""
    state = WorkState.DEAD if item.tries >= MAX_TRIES else WorkState.PENDING
    pause = dt.timedelta(seconds=min(3600, 2**item.tries))
    session.execute(
        sa.update(t(WorkItem))
        .where(_held(item))
        .values(state=state.value, due_at=now + pause, lease_until=None, last_error=error[-4000:])
    )
    return state


def retry_dead(session: Session, item_id: int, now: dt.datetime) -> bool:
    """Give a dead piece a fresh set of tries; False when it was not dead."""
    c = t(WorkItem).c
    done = session.execute(
        sa.update(t(WorkItem))
        .where(c.id == item_id, c.state == WorkState.DEAD.value)
        .values(state=WorkState.PENDING.value, tries=0, due_at=now)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Listed:
    """A piece of work as staff see it."""

    id: int
    kind: str
    key: str
    payload: dict[str, Any]
    state: WorkState
    due_at: dt.datetime
    tries: int
    last_error: str | None
    created_at: dt.datetime
    finished_at: dt.datetime | None


def find(
    session: Session, state: WorkState, *, offset: int = 0, limit: int = 50
) -> tuple[list[Listed], dict[WorkState, int]]:
    """A page of the work in a state, newest first, and how much there is in each state. Two statements."""
    c = t(WorkItem).c
    each_state = session.execute(sa.select(c.state, sa.func.count().label("n")).group_by(c.state))
    counted = {row.state: row.n for row in each_state}
    rows = session.execute(
        sa.select(
            c.id, c.kind, c.key, c.payload, c.state, c.due_at, c.tries, c.last_error, c.created_at,
            c.finished_at,
        )
        .where(c.state == state.value)
        .order_by(c.id.desc())
        .offset(offset)
        .limit(limit)
    )  # fmt: skip
    listed = [Listed(**{**row, "state": WorkState(row["state"])}) for row in rows.mappings()]
    return listed, {each: counted.get(each.value, 0) for each in WorkState}


def run_one(db: Database, handlers: Mapping[str, Handler], now: Callable[[], dt.datetime]) -> bool:
    """Claim and run one due piece; False when nothing was due."""
    with db.write() as session:
        item = claim(session, now(), sorted(handlers))
    if item is None:
        return False
    try:
        handlers[item.kind](item)
    except Exception:
        with db.write() as session:
            fail(session, item, now(), traceback.format_exc())
        return True
    with db.write() as session:
        finish(session, item, now())
    return True
