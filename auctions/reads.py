"""Reads for what runs: rooms, their healing, and the timekeeper. Pages use `auctions.queries`."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from auctions import protocol
from auctions.journal import Entry
from auctions.models import JournalEntry, Lot
from auctions.rules.events import Kind
from auctions.rules.formats import minimum_after
from auctions.rules.state import LotState
from auctions.rules.terms import Terms
from auctions.sales import not_yet
from market.clock import as_utc
from market.db import Session, t
from market.errors import NotFound

LOT, ENTRY = t(Lot), t(JournalEntry)


def epoch(terms_hash: str) -> str:
    """The incarnation of a lot's journal: a client that holds another one must take a new snapshot."""
    return terms_hash[:16]


_NOTICES = (
    Kind.ANNOUNCEMENT,
    Kind.PAUSED,
    Kind.SUSPENDED,
    Kind.RESUMED,
    Kind.WITHDRAWN,
    Kind.CANCELLED,
    Kind.DEFAULTED,
)


@dataclass(frozen=True, slots=True)
class RoomState:
    """What a room starts from: the public view at a seq, and the terms to encode later events with."""

    lot_id: int
    epoch: str
    seq: int
    hash: str
    view: dict[str, Any]
    terms: Terms


def room_state(session: Session, lot_id: int) -> RoomState:
    """A published lot as its room shows it, read at one seq. Four or five statements. Raises NotFound.

    The head is read first and everything else only up to it, so that a concurrent commit between the
    statements (PostgreSQL's READ COMMITTED) cannot mix two instants.
    """
    row = session.execute(sa.select(LOT).where(LOT.c.id == lot_id)).one_or_none()
    if row is None or row.state == LotState.DRAFT:
        raise NotFound(subject="lot")
    terms, fold = Terms.from_private(row.terms), row.fold
    bodies = session.execute(
        sa.select(ENTRY.c.seq, ENTRY.c.body)
        .where(ENTRY.c.lot_id == lot_id, ENTRY.c.kind == Kind.BID_ACCEPTED.value, ENTRY.c.seq <= row.head_seq)
        .order_by(ENTRY.c.seq.desc())
        .limit(protocol.RECENT_BIDS)
    ).all()
    recent, standing = [], None
    for seq, body in bodies:
        data = json.loads(body)
        recent.append(protocol.bid_line(seq, data["at"], data))
        if seq == fold["leader_seq"]:
            standing = data
    if standing is None and fold["leader_seq"]:
        standing = _body(session, lot_id, fold["leader_seq"])
    last = latest(session, lot_id, _NOTICES, row.head_seq)
    notice = None if last is None else last.get("text", last.get("reason"))
    closed = latest(session, lot_id, [Kind.CLOSED], row.head_seq)
    price = fold["price_fen"]
    view = {
        **protocol.start_view(lot_id, row.title, terms),
        "state": fold["state"],
        "price_fen": price,
        "leader": fold["leader"],
        "bid_count": fold["bid_count"],
        "next_fen": minimum_after(terms, price),
        "step_fen": terms.step(terms.start_fen if price is None else price),
        "lead_detail": standing.get("detail", {}) if standing else {},
        "opens_at": fold["opens_at"],
        "ends_at": fold["ends_at"],
        "hard_end": fold["hard_end"],
        "stopped_at": fold["stopped_at"],
        "outages": fold.get("outages", 0),
        "bidders_admitted": len(fold["admitted"]),
        "recent": recent,
        "notice": notice,
        "outcome": protocol.outcome(closed) if closed else None,
    }
    return RoomState(lot_id, epoch(row.terms_hash), row.head_seq, row.head_hash, view, terms)


def _body(session: Session, lot_id: int, seq: int) -> dict[str, Any]:
    body = session.execute(
        sa.select(ENTRY.c.body).where(ENTRY.c.lot_id == lot_id, ENTRY.c.seq == seq)
    ).scalar_one()
    value: dict[str, Any] = json.loads(body)
    return value


def latest(session: Session, lot_id: int, kinds: Sequence[Kind], seq: int) -> dict[str, Any] | None:
    """The parsed body of the latest entry of some kinds, not later than a seq. One statement."""
    body = session.execute(
        sa.select(ENTRY.c.body)
        .where(
            ENTRY.c.lot_id == lot_id,
            ENTRY.c.kind.in_([kind.value for kind in kinds]),
            ENTRY.c.seq <= seq,
        )
        .order_by(ENTRY.c.seq.desc())
        .limit(1)
    ).scalar_one_or_none()
    return None if body is None else json.loads(body)


def entries_after(session: Session, lot_id: int, seq: int, limit: int = 500) -> list[Entry]:
    """Journal entries later than a seq, in order. One statement."""
    c = ENTRY.c
    rows = session.execute(
        sa.select(c.lot_id, c.seq, c.kind, c.at, c.body, c.prev_hash, c.hash)
        .where(c.lot_id == lot_id, c.seq > seq)
        .order_by(c.seq)
        .limit(limit)
    )
    return [Entry(*row, json.loads(row.body)) for row in rows]


def database_time(session: Session) -> dt.datetime | None:
    """The clock of the database's machine; None where that is the asker's own (SQLite)."""
    if session.get_bind().dialect.name == "sqlite":
        return None
    at: dt.datetime = session.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return as_utc(at)


def heads(session: Session, lot_ids: Collection[int]) -> dict[int, int]:
    """Lot → head seq. One statement."""
    if not lot_ids:
        return {}
    rows = session.execute(sa.select(LOT.c.id, LOT.c.head_seq).where(LOT.c.id.in_(sorted(lot_ids))))
    return {row.id: row.head_seq for row in rows}


@dataclass(frozen=True, slots=True)
class Due:
    """A lot that the timekeeper must move on."""

    lot_id: int
    state: LotState
    due_at: dt.datetime


def due(session: Session, now: dt.datetime, limit: int = 200) -> list[Due]:
    """Lots whose time has come, the longest overdue first; not those whose turn in their sale has not.
    One statement."""
    c = LOT.c
    rows = session.execute(
        sa.select(c.id, c.state, c.next_due_at)
        .where(c.next_due_at <= now, _in_turn())
        .order_by(c.next_due_at, c.id)
        .limit(limit)
    )
    return [Due(row.id, LotState(row.state), row.next_due_at) for row in rows]


def next_due(session: Session) -> dt.datetime | None:
    """The next instant at which some lot must be moved on. One statement."""
    return session.execute(sa.select(sa.func.min(LOT.c.next_due_at)).where(_in_turn())).scalar_one()


def _in_turn() -> Any:
    """A lot of a sequential sale is opened only when every earlier one has ended."""
    opening = LOT.c.state == LotState.REGISTRATION.value
    return sa.or_(sa.not_(opening), LOT.c.sale_id.is_(None), sa.not_(not_yet()))
