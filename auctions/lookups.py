"""Reads for proofs, certificates, calendars and notices. Each names how many statements it makes.

Bodies are read as plain JSON: what is looked for here is the same in every format.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from auctions.models import Admission, AdmissionState, BidAnswer, JournalEntry, Lot
from auctions.proof import Places
from auctions.protocol import CLIENT_BID_ID
from auctions.rules.events import Kind
from auctions.rules.state import LotState
from auctions.watching import LotWatch
from market.db import Session, t
from market.parties.models import Organisation

_HASH = re.compile(r"[0-9a-f]{64}")
LOT, ENTRY, ADMISSION, WATCH = t(Lot), t(JournalEntry), t(Admission), t(LotWatch)
ANSWER, ORGANISATION = t(BidAnswer), t(Organisation)


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of a journal, found by its kind or seq."""

    seq: int
    kind: Kind
    at: dt.datetime
    hash: str
    data: Mapping[str, Any]


def entry_at(session: Session, lot_id: int, seq: int) -> Place | None:
    """The entry at a seq. One statement."""
    return _one(session, ENTRY.c.lot_id == lot_id, ENTRY.c.seq == seq)


def last_of(session: Session, lot_id: int, kind: Kind) -> Place | None:
    """The latest entry of a kind. One statement."""
    return _one(session, ENTRY.c.lot_id == lot_id, ENTRY.c.kind == kind.value)


def _one(session: Session, *where: Any) -> Place | None:
    c = ENTRY.c
    row = session.execute(
        sa.select(c.seq, c.kind, c.at, c.hash, c.body).where(*where).order_by(c.seq.desc()).limit(1)
    ).one_or_none()
    return None if row is None else Place(row.seq, Kind(row.kind), row.at, row.hash, json.loads(row.body))


def places(session: Session, lot_id: int, cited: Collection[Mapping[str, Any]]) -> Places:
    """The places of a published lot's journal that receipts' contents cite. Two statements."""
    found = Places()
    state = session.execute(sa.select(LOT.c.state).where(LOT.c.id == lot_id)).scalar_one_or_none()
    if state is None or state == LotState.DRAFT:
        return found
    found.lot_id = lot_id
    seqs = {content["seq"] for content in cited if 0 <= content["seq"] < 2**31}
    # A receipt may hold any text, also such as PostgreSQL takes for no text.
    hashes = {content["hash"] for content in cited if _HASH.fullmatch(content["hash"])}
    c = ENTRY.c
    rows = session.execute(
        sa.select(c.seq, c.hash, c.body).where(
            c.lot_id == lot_id, sa.or_(c.seq.in_(sorted(seqs)), c.hash.in_(sorted(hashes)))
        )
    )
    for row in rows:
        found.add(row.seq, row.hash, row.body, seqs, hashes)
    return found


@dataclass(frozen=True, slots=True)
class Party:
    """An organisation as a document names it."""

    name: str
    credit_code: str


def party(session: Session, organisation_id: int) -> Party:
    """An organisation's name and credit code. One statement."""
    c = ORGANISATION.c
    row = session.execute(sa.select(c.name, c.credit_code).where(c.id == organisation_id)).one()
    return Party(row.name, row.credit_code or "")


@dataclass(frozen=True, slots=True)
class Appointment:
    """A lot in a calendar. `seq` and `changed_at` are those of the last entry that moved its times."""

    lot_id: int
    title: str
    state: LotState
    seller_name: str
    start_fen: int
    opens_at: dt.datetime
    ends_at: dt.datetime
    seq: int
    changed_at: dt.datetime


_MOVING = frozenset(Kind) - {
    Kind.BID_ACCEPTED, Kind.BIDDER_ADMITTED, Kind.ADMISSION_REVOKED, Kind.ANNOUNCEMENT
}  # fmt: skip
"""Kinds of entries after which a lot's times or standing may be others."""


def appointments(
    session: Session,
    *,
    lot_id: int | None = None,
    states: Collection[LotState] | None = None,
    opens_before: dt.datetime | None = None,
    ends_after: dt.datetime | None = None,
    limit: int = 500,
) -> list[Appointment]:
    """Published lots as appointments, by opening. One statement."""
    last = (
        sa.select(sa.func.max(ENTRY.c.seq))
        .where(
            ENTRY.c.lot_id == LOT.c.id,
            # In the closing window every bid may move the end.
            sa.or_(
                ENTRY.c.kind.in_(sorted(kind.value for kind in _MOVING)),
                sa.and_(LOT.c.state == LotState.EXTENDING.value, ENTRY.c.seq == LOT.c.head_seq),
            ),
        )
        .correlate(LOT)
        .scalar_subquery()
    )
    where: list[Any] = [LOT.c.state != LotState.DRAFT.value]
    if lot_id is not None:
        where.append(LOT.c.id == lot_id)
    if states is not None:
        where.append(LOT.c.state.in_([state.value for state in states]))
    if opens_before is not None:
        where.append(LOT.c.opens_at < opens_before)
    if ends_after is not None:
        where.append(LOT.c.ends_at >= ends_after)
    c = LOT.c
    rows = session.execute(
        sa.select(
            c.id, c.title, c.state, ORGANISATION.c.name, c.start_fen, c.opens_at, c.ends_at,
            ENTRY.c.seq, ENTRY.c.at,
        )
        .join_from(LOT, ORGANISATION, c.seller_organisation_id == ORGANISATION.c.id)
        .join(ENTRY, sa.and_(ENTRY.c.lot_id == c.id, ENTRY.c.seq == last))
        .where(*where)
        .order_by(c.opens_at, c.id)
        .limit(limit)
    )  # fmt: skip
    return [Appointment(row[0], row[1], LotState(row[2]), *row[3:]) for row in rows]


@dataclass(frozen=True, slots=True)
class Turn:
    """A published lot and the entry that brought its present state about."""

    lot_id: int
    state: LotState
    state_seq: int
    opens_at: dt.datetime


def turns(session: Session, since: dt.datetime) -> list[Turn]:
    """Where every lot stands that is open, comes, or ended after an instant. One statement."""
    return _turns(session, sa.or_(LOT.c.closed_at.is_(None), LOT.c.closed_at >= since))


def turn(session: Session, lot_id: int) -> Turn | None:
    """Where a published lot stands. One statement."""
    found = _turns(session, LOT.c.id == lot_id)
    return found[0] if found else None


def _turns(session: Session, *where: Any) -> list[Turn]:
    c = LOT.c
    rows = session.execute(
        sa.select(c.id, c.state, c.fold, c.opens_at).where(c.state != LotState.DRAFT.value, *where)
    )
    return [Turn(row.id, LotState(row.state), row.fold["state_seq"], row.opens_at) for row in rows]


def followers(session: Session, lot_id: int) -> dict[int, int | None]:
    """Whom a lot concerns: person → alias, for those who asked to bid and those who asked to be reminded.

    The alias is None for whoever was never admitted. Two statements.
    """
    watching = session.scalars(sa.select(WATCH.c.person_id).where(WATCH.c.lot_id == lot_id))
    found: dict[int, int | None] = dict.fromkeys(watching)
    a = ADMISSION.c
    states = (AdmissionState.REQUESTED.value, AdmissionState.ADMITTED.value)
    rows = session.execute(sa.select(a.person_id, a.alias).where(a.lot_id == lot_id, a.state.in_(states)))
    found.update({row.person_id: row.alias for row in rows})
    return found


def is_watching(session: Session, lot_id: int, person_id: int) -> bool:
    """Whether a person asked to be reminded of a lot. One statement."""
    statement = sa.select(WATCH.c.lot_id).where(WATCH.c.lot_id == lot_id, WATCH.c.person_id == person_id)
    return session.execute(statement).first() is not None


def closing(session: Session, lot_id: int) -> Place | None:
    """The entry that closed a lot with or without a sale. One statement."""
    return last_of(session, lot_id, Kind.CLOSED)


def answer(session: Session, lot_id: int, person_id: int, client_bid_id: str) -> Mapping[str, Any] | None:
    """The stored answer to a person's own bid, receipt and all. One statement."""
    if not re.fullmatch(CLIENT_BID_ID, client_bid_id):
        return None
    c = ANSWER.c
    statement = sa.select(c.answer).where(
        c.lot_id == lot_id, c.person_id == person_id, c.client_bid_id == client_bid_id
    )
    found: Mapping[str, Any] | None = session.execute(statement).scalar_one_or_none()
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a bidder came in, 1 the first. Amounts in fen; `gap_fen` is what was missing to the best."""

    rank: int
    bidders: int
    last_fen: int
    best_fen: int
    gap_fen: int


RANKED = frozenset({"english", "sealed"})
"""Formats in which the higher amount is the better bid."""


def standing(session: Session, lot_id: int, alias: int) -> Standing | None:
    """Where one bidder of an ended lot came in; None for whoever bid nothing. Statements as `standings`."""
    return standings(session, lot_id).get(alias)


def standings(session: Session, lot_id: int) -> dict[int, Standing]:
    """Alias → where each bidder of an ended lot came in by the last amount of each; nobody in a format that
    amounts alone do not rank. One statement for the lot and one for every 500 entries read: from the
    end, only as far back as needed to meet everybody who has bid.
    """
    c = LOT.c
    row = session.execute(sa.select(c.terms, c.fold).where(c.id == lot_id)).one_or_none()
    if row is None or row.terms["format"] not in RANKED:
        return {}
    last = last_amounts(session, lot_id, set(row.fold.get("bidders", [])))
    winner = row.fold.get("winner")
    # Equal amounts: the later entry is the matching holder of priority, and comes first here.
    order = sorted(last, key=lambda who: (who != winner, -last[who]))
    best = last[order[0]] if order else 0
    return {
        who: Standing(rank, len(last), last[who], best, max(0, best - last[who]))
        for rank, who in enumerate(order, 1)
    }


def last_amounts(session: Session, lot_id: int, wanted: Collection[int]) -> dict[int, int]:
    """Alias → the last amount of each, the latest entry first. One statement for every 500 entries read: from the
    end, as far back as needed to meet all of `wanted`."""
    asked, last = set(wanted), dict[int, int]()
    for who, amount in _amounts(session, lot_id):
        last.setdefault(who, amount)
        if asked and asked <= last.keys():
            break
    return last


def _amounts(session: Session, lot_id: int) -> Iterator[tuple[int, int]]:
    """(alias, amount) of accepted bids that name one, the latest first."""
    c = ENTRY.c
    before = 2**31 - 1
    while True:
        rows = session.execute(
            sa.select(c.seq, c.body)
            .where(c.lot_id == lot_id, c.kind == Kind.BID_ACCEPTED.value, c.seq < before)
            .order_by(c.seq.desc())
            .limit(500)
        ).all()
        for row in rows:
            body = json.loads(row.body)
            amount = body.get("amount_fen")
            if isinstance(amount, int):
                yield body["alias"], amount
        if len(rows) < 500:
            return
        before = rows[-1].seq
