"""Reads: what pages, rooms, exports and the timekeeper need. Each names how many statements it makes.

Nothing here shows a reserve before the close, nor who is behind an alias, save where the docstring says
so; callers check rights for those.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from auctions import protocol
from auctions.models import (
    Admission,
    AdmissionState,
    BidAnswer,
    JournalEntry,
    Lot,
    RelatedTo,
    Sale,
    SaleMode,
)
from auctions.reads import RoomState, entries_after, epoch, latest, room_state
from auctions.rules.canonical import canonical, maybe_instant, maybe_iso
from auctions.rules.events import Kind
from auctions.rules.formats import minimum_after
from auctions.rules.state import ENDED, LotState
from auctions.rules.terms import Terms
from market.db import Session, t
from market.errors import NotFound
from market.parties.models import Organisation, Person

__all__ = ["RoomState", "room_state"]  # read by pages too

LOT, SALE, ENTRY, ADMISSION, ANSWER = t(Lot), t(Sale), t(JournalEntry), t(Admission), t(BidAnswer)
ORGANISATION, PERSON = t(Organisation), t(Person)


@dataclass(frozen=True, slots=True)
class LotCard:
    """A lot as lists show it. `price_fen` is None before the first bid."""

    id: int
    number: int
    title: str
    state: LotState
    result_id: int
    sale_id: int | None
    seller_organisation_id: int
    seller_name: str
    start_fen: int
    deposit_fen: int
    price_fen: int | None
    bid_count: int
    opens_at: dt.datetime
    ends_at: dt.datetime
    hammer_fen: int | None
    close_reason: str | None
    closed_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class LotDetail:
    """A lot's page. `terms` are the public ones (`Terms.public()`).

    `winner_organisation_id` and `winner_name` are set only once the lot is sold or defaulted.
    """

    card: LotCard
    sale_title: str | None
    terms: Mapping[str, Any]
    terms_hash: str
    epoch: str
    head_seq: int
    head_hash: str
    leader: int | None
    next_fen: int | None
    step_fen: int
    hard_end: dt.datetime | None
    bidders_admitted: int
    outcome: Mapping[str, Any] | None
    winner_organisation_id: int | None
    winner_name: str | None
    published_at: dt.datetime | None
    created_by: int | None
    version: int
    previous_lot_id: int | None = None
    """The lot that this one offers again."""
    next_lot_id: int | None = None
    """The published lot that offers this one again."""
    hand_extensions: int = 0
    """Extensions by hand so far."""
    stopped_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class JournalLine:
    """A journal entry for a page; `data` is the parsed body."""

    seq: int
    kind: Kind
    at: dt.datetime
    hash: str
    prev_hash: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AdmissionLine:
    """An admission with names. For staff, and for the bidder's own."""

    id: int
    lot_id: int
    lot_title: str
    lot_state: LotState
    organisation_id: int
    organisation_name: str
    person_id: int
    person_name: str
    state: AdmissionState
    alias: int | None
    priority: int | None
    deposit_id: int | None
    reason: str
    requested_at: dt.datetime
    admitted_at: dt.datetime | None
    related_to: RelatedTo | None
    declaration: str


@dataclass(frozen=True, slots=True)
class SaleCard:
    """A session of an auction with the number of its published lots, and of those that are not over."""

    id: int
    title: str
    introduction: str
    organiser_organisation_id: int | None
    organiser_name: str | None
    starts_at: dt.datetime
    mode: SaleMode
    ends_together: bool
    closed_at: dt.datetime | None
    version: int
    lot_count: int
    open_count: int


@dataclass(frozen=True, slots=True)
class BidAnswerLine:
    """A person's own bid answer with its signed receipt."""

    client_bid_id: str
    accepted: bool
    seq: int
    at: dt.datetime
    receipt: Mapping[str, Any]


_CARD = (
    LOT.c.id,
    LOT.c.number,
    LOT.c.title,
    LOT.c.state,
    LOT.c.result_id,
    LOT.c.sale_id,
    LOT.c.seller_organisation_id,
    ORGANISATION.c.name.label("seller_name"),
    LOT.c.start_fen,
    LOT.c.deposit_fen,
    LOT.c.price_fen,
    LOT.c.bid_count,
    LOT.c.opens_at,
    LOT.c.ends_at,
    LOT.c.hammer_fen,
    LOT.c.close_reason,
    LOT.c.closed_at,
)


def _card(row: Any) -> LotCard:
    return LotCard(
        row.id,
        row.number,
        row.title,
        LotState(row.state),
        *(getattr(row, column.name) for column in _CARD[4:]),
    )


def list_lots(
    session: Session,
    *,
    states: Collection[LotState] | None = None,
    sale_id: int | None = None,
    result_id: int | None = None,
    seller_organisation_ids: Collection[int] | None = None,
    drafts: bool = False,
    limit: int = 20,
    offset: int = 0,
) -> tuple[list[LotCard], int]:
    """Lots and how many there are in all. Two statements.

    Open and upcoming ones come by what happens next, ended ones latest first; `drafts` must be asked for.
    """
    where: list[Any] = []
    if states is not None:
        where.append(LOT.c.state.in_([state.value for state in states]))
    if not drafts:
        where.append(LOT.c.state != LotState.DRAFT.value)
    if sale_id is not None:
        where.append(LOT.c.sale_id == sale_id)
    if result_id is not None:
        where.append(LOT.c.result_id == result_id)
    if seller_organisation_ids is not None:
        where.append(LOT.c.seller_organisation_id.in_(list(seller_organisation_ids)))
    total = session.execute(sa.select(sa.func.count()).select_from(LOT).where(*where)).scalar_one()
    ended = LOT.c.state.in_([state.value for state in ENDED])
    order: list[Any]
    if sale_id is not None:
        order = [LOT.c.number, LOT.c.id]
    elif states is not None and set(states) <= ENDED:
        order = [LOT.c.closed_at.desc(), LOT.c.id.desc()]
    else:
        order = [
            sa.case((ended, 1), else_=0),
            LOT.c.next_due_at.is_(None),
            LOT.c.next_due_at,
            LOT.c.id.desc(),
        ]
    rows = session.execute(
        sa.select(*_CARD)
        .join_from(LOT, ORGANISATION, LOT.c.seller_organisation_id == ORGANISATION.c.id)
        .where(*where)
        .order_by(*order)
        .limit(limit)
        .offset(offset)
    )
    return [_card(row) for row in rows], total


def count_by_state(session: Session) -> dict[LotState, int]:
    """How many lots stand in each state. One statement."""
    rows = session.execute(sa.select(LOT.c.state, sa.func.count()).group_by(LOT.c.state))
    counts = dict.fromkeys(LotState, 0)
    counts.update({LotState(state): count for state, count in rows})
    return counts


def lot_detail(session: Session, lot_id: int, *, draft: bool = False) -> LotDetail:
    """A lot's page. Two statements. Raises NotFound, also for a draft unless `draft` is given."""
    winner, again = ORGANISATION.alias("winner"), LOT.alias("again")
    following = (
        sa.select(sa.func.max(again.c.id))
        .where(again.c.previous_lot_id == LOT.c.id, again.c.state != LotState.DRAFT.value)
        .correlate(LOT)
        .scalar_subquery()
    )
    row = session.execute(
        sa.select(
            *_CARD,
            LOT.c.terms,
            LOT.c.terms_hash,
            LOT.c.fold,
            LOT.c.head_seq,
            LOT.c.head_hash,
            LOT.c.leader,
            LOT.c.winner_organisation_id,
            LOT.c.published_at,
            LOT.c.created_by,
            LOT.c.version,
            LOT.c.previous_lot_id,
            following.label("next_lot_id"),
            SALE.c.title.label("sale_title"),
            winner.c.name.label("winner_name"),
        )
        .join_from(LOT, ORGANISATION, LOT.c.seller_organisation_id == ORGANISATION.c.id)
        .outerjoin(SALE, LOT.c.sale_id == SALE.c.id)
        .outerjoin(winner, LOT.c.winner_organisation_id == winner.c.id)
        .where(LOT.c.id == lot_id)
    ).one_or_none()
    if row is None or (row.state == LotState.DRAFT and not draft):
        raise NotFound(subject="lot")
    terms = Terms.from_private(row.terms)
    closed = latest(session, lot_id, [Kind.CLOSED], row.head_seq)
    hard_end = row.fold.get("hard_end") if row.fold else maybe_iso(terms.hard_end)
    base = terms.start_fen if row.price_fen is None else row.price_fen
    return LotDetail(
        card=_card(row),
        sale_title=row.sale_title,
        terms=terms.public(),
        terms_hash=row.terms_hash or terms.hash(),
        epoch=epoch(row.terms_hash),
        head_seq=row.head_seq,
        head_hash=row.head_hash,
        leader=row.leader,
        next_fen=minimum_after(terms, row.price_fen),
        step_fen=terms.step(base),
        hard_end=dt.datetime.fromisoformat(hard_end) if hard_end else None,
        bidders_admitted=len(row.fold.get("admitted", [])),
        outcome=protocol.outcome(closed) if closed else None,
        winner_organisation_id=row.winner_organisation_id,
        winner_name=row.winner_name,
        published_at=row.published_at,
        created_by=row.created_by,
        version=row.version,
        previous_lot_id=row.previous_lot_id,
        next_lot_id=row.next_lot_id,
        hand_extensions=row.fold.get("hand_extensions", 0),
        stopped_at=maybe_instant(row.fold.get("stopped_at")),
    )


def private_terms(session: Session, lot_id: int) -> Terms:
    """The terms with the reserve: for the form of a draft, and for those who may see it. One statement."""
    value = session.execute(sa.select(LOT.c.terms).where(LOT.c.id == lot_id)).scalar_one_or_none()
    if value is None:
        raise NotFound(subject="lot")
    return Terms.from_private(value)


def journal_page(session: Session, lot_id: int, *, after_seq: int = 0, limit: int = 100) -> list[JournalLine]:
    """A page of the public journal. One statement."""
    return [
        JournalLine(entry.seq, Kind(entry.kind), entry.at, entry.hash, entry.prev_hash, entry.data)
        for entry in entries_after(session, lot_id, after_seq, limit)
    ]


def export_journal(session: Session, lot_id: int, *, openings: bool = False) -> Iterator[str]:
    """A lot's journal as JSON Lines (each with its line end), for `auctions.verify` and for the public.

    The first line holds the public terms as the very text that was hashed. Once the lot has ended, lines
    follow that open the maxima which the bidding exposed: all but what the last leader would still have
    paid. With `openings`, that is opened too, and so are the admissions' commitments (who was behind each
    alias): only for those who may see it. Raises NotFound.
    """
    c = LOT.c
    row = session.execute(
        sa.select(c.id, c.title, c.state, c.terms, c.terms_hash, c.head_seq, c.leader, c.price_fen).where(
            c.id == lot_id
        )
    ).one_or_none()
    if row is None or row.state == LotState.DRAFT:
        raise NotFound(subject="lot")
    first = {
        "type": "terms",
        "v": 1,
        "lot": row.id,
        "title": row.title,
        "terms": Terms.from_private(row.terms).canonical(),
        "terms_hash": row.terms_hash,
    }
    yield canonical(first) + "\n"
    seq = 0
    while seq < row.head_seq:
        entries = entries_after(session, lot_id, seq, min(500, row.head_seq - seq))
        if not entries:
            break
        for entry in entries:
            line = {
                "type": "entry",
                "seq": entry.seq,
                "prev_hash": entry.prev_hash,
                "hash": entry.hash,
                "body": entry.body,
            }
            yield canonical(line) + "\n"
        seq = entries[-1].seq
    if LotState(row.state) not in ENDED:
        return
    for seq, alias, text in _secrets(session, lot_id):
        exposed = alias != row.leader or (row.price_fen or 0) >= json.loads(text)["maximum_fen"]
        if exposed or openings:
            yield canonical({"type": "secret", "seq": seq, "text": text}) + "\n"
    if openings:
        a = ADMISSION.c
        for opening in session.execute(
            sa.select(a.alias, a.organisation_id, a.person_id, a.nonce)
            .where(a.lot_id == lot_id, a.alias.is_not(None))
            .order_by(a.alias)
        ).mappings():
            yield canonical({"type": "opening", **opening}) + "\n"


def _secrets(session: Session, lot_id: int) -> Iterator[tuple[int, int, str]]:
    c = ENTRY.c
    rows = session.execute(
        sa.select(c.seq, c.body, c.secret).where(c.lot_id == lot_id, c.secret.is_not(None)).order_by(c.seq)
    )
    for row in rows:
        yield row.seq, json.loads(row.body)["alias"], row.secret


_ADMISSION = (
    ADMISSION.c.id,
    ADMISSION.c.lot_id,
    LOT.c.title.label("lot_title"),
    LOT.c.state.label("lot_state"),
    ADMISSION.c.organisation_id,
    ORGANISATION.c.name.label("organisation_name"),
    ADMISSION.c.person_id,
    PERSON.c.name.label("person_name"),
    ADMISSION.c.state,
    ADMISSION.c.alias,
    ADMISSION.c.priority,
    ADMISSION.c.deposit_id,
    ADMISSION.c.reason,
    ADMISSION.c.requested_at,
    ADMISSION.c.admitted_at,
    ADMISSION.c.related_to,
    ADMISSION.c.declaration,
)


def _admissions(session: Session, *where: Any) -> list[AdmissionLine]:
    rows = session.execute(
        sa.select(*_ADMISSION)
        .join_from(ADMISSION, LOT, ADMISSION.c.lot_id == LOT.c.id)
        .join(ORGANISATION, ADMISSION.c.organisation_id == ORGANISATION.c.id)
        .join(PERSON, ADMISSION.c.person_id == PERSON.c.id)
        .where(*where)
        .order_by(ADMISSION.c.requested_at, ADMISSION.c.id)
    )
    lines = []
    for row in rows.mappings():
        values: dict[str, Any] = dict(row)
        values["lot_state"] = LotState(values["lot_state"])
        values["state"] = AdmissionState(values["state"])
        values["related_to"] = RelatedTo(values["related_to"]) if values["related_to"] else None
        lines.append(AdmissionLine(**values))
    return lines


def admissions_of_lot(
    session: Session, lot_id: int, *, state: AdmissionState | None = None
) -> list[AdmissionLine]:
    """Who asked to bid, with names: for staff. One statement."""
    where = [ADMISSION.c.lot_id == lot_id]
    if state is not None:
        where.append(ADMISSION.c.state == state.value)
    return _admissions(session, *where)


def admissions_waiting(session: Session) -> list[AdmissionLine]:
    """Every request not yet answered, oldest first: for staff. One statement."""
    return _admissions(session, ADMISSION.c.state == AdmissionState.REQUESTED.value)


def admissions_of_person(session: Session, person_id: int) -> list[AdmissionLine]:
    """A person's own admissions in all lots. One statement."""
    return _admissions(session, ADMISSION.c.person_id == person_id)


def my_admission(session: Session, lot_id: int, person_id: int) -> AdmissionLine | None:
    """A person's own admission in a lot, if any. One statement."""
    lines = _admissions(session, ADMISSION.c.lot_id == lot_id, ADMISSION.c.person_id == person_id)
    return lines[0] if lines else None


def bid_answers(session: Session, lot_id: int, person_id: int, limit: int = 200) -> list[BidAnswerLine]:
    """A person's own answers in a lot, latest first. One statement."""
    c = ANSWER.c
    rows = session.execute(
        sa.select(c.client_bid_id, c.accepted, c.seq, c.at, c.answer)
        .where(c.lot_id == lot_id, c.person_id == person_id)
        .order_by(c.at.desc())
        .limit(limit)
    )
    return [BidAnswerLine(*row) for row in rows]


def list_sales(session: Session, *, limit: int = 20, offset: int = 0) -> list[SaleCard]:
    """Sessions of auctions, latest first, with their lots counted. One statement."""
    return _sales(session, limit, offset)


def sale_card(session: Session, sale_id: int) -> SaleCard:
    """One session of an auction. One statement. Raises NotFound."""
    cards = _sales(session, 1, 0, SALE.c.id == sale_id)
    if not cards:
        raise NotFound(subject="sale")
    return cards[0]


def _sales(session: Session, limit: int, offset: int, *where: Any) -> list[SaleCard]:
    def lots(states: Collection[LotState]) -> Any:
        return (
            sa.select(sa.func.count())
            .select_from(LOT)
            .where(LOT.c.sale_id == SALE.c.id, LOT.c.state.not_in([state.value for state in states]))
            .correlate(SALE)
            .scalar_subquery()
        )

    c = SALE.c
    rows = session.execute(
        sa.select(
            c.id, c.title, c.introduction, c.organiser_organisation_id, ORGANISATION.c.name, c.starts_at,
            c.mode, c.ends_together, c.closed_at, c.version,
            lots([LotState.DRAFT]), lots([LotState.DRAFT, *ENDED]),
        )
        .join_from(SALE, ORGANISATION, c.organiser_organisation_id == ORGANISATION.c.id, isouter=True)
        .where(*where)
        .order_by(c.starts_at.desc(), c.id.desc())
        .limit(limit)
        .offset(offset)
    )  # fmt: skip
    names = SaleCard.__dataclass_fields__
    cards = []
    for row in rows:
        values: dict[str, Any] = dict(zip(names, row, strict=True))
        values["mode"] = SaleMode(values["mode"])
        cards.append(SaleCard(**values))
    return cards
