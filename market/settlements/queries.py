"""Reads of settlements and offers. Each names how many statements it makes."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.deals.models import Contract, ContractState
from market.errors import NotFound, SignInRequired
from market.files.models import Attachment
from market.parties.models import Organisation, Person
from market.payments.models import Purpose
from market.payments.queries import DepositLine, PaymentLine, deposit_of, payments_of_lot
from market.payments.rules import RestTo
from market.permissions import Action, Actor
from market.settlements import rules, service
from market.settlements.models import (
    OfferState,
    Origin,
    Party,
    ReceiptState,
    RunnerUpOffer,
    Settlement,
    SettlementReceipt,
    SettlementSignature,
    SettlementState,
)
from market.settlements.rules import Step


class Show(enum.StrEnum):
    """Which settlements a list holds."""

    OPEN = "open"
    LATE = "late"
    COMPLETE = "complete"
    DEFAULTED = "defaulted"


@dataclass(frozen=True)
class SettlementLine:
    """A settlement as lists show it."""

    id: int
    lot_id: int
    origin: Origin
    title: str
    seller_organisation_id: int
    seller_name: str
    buyer_organisation_id: int
    buyer_name: str
    price_fen: int
    currency: str
    state: SettlementState
    closed_at: dt.datetime
    owed_fen: int
    owed_by: dt.date | None
    steps: tuple[Step, ...]

    @property
    def next_step(self) -> Step | None:
        """The open step that is due first."""
        waiting = [step for step in self.steps if step.done_on is None]
        return min(waiting, key=lambda step: step.due_on or dt.date.max, default=None)

    def days_late(self, today: dt.date) -> int:
        """Days by which the latest open step is late; 0 where none is."""
        return max((step.days_late(today) for step in self.steps if step.is_late(today)), default=0)


@dataclass(frozen=True)
class SignatureLine:
    """Who signed for a party, and when."""

    party: Party
    person_name: str
    facts_hash: str
    at: dt.datetime


@dataclass(frozen=True)
class DirectPaymentLine:
    """A payment to the seller as entered by staff."""

    id: int
    amount_fen: int
    paid_on: dt.date
    note: str
    attachment_id: int | None
    attachment_name: str | None
    state: ReceiptState
    entered_by: int
    entered_name: str
    entered_at: dt.datetime
    decided_name: str | None
    reason: str


@dataclass(frozen=True)
class SettlementDetail:
    """A settlement with everything that its page shows."""

    line: SettlementLine
    organiser_name: str | None
    deposit_fen: int
    rest_to: RestTo
    runner_up: bool
    facts: Mapping[str, Any]
    facts_hash: str
    contract_id: int | None
    contract_number: str | None
    contract_state: ContractState | None
    signatures: Mapping[Party, SignatureLine]
    receipts: tuple[DirectPaymentLine, ...]
    payments: tuple[PaymentLine, ...]
    deposit: DepositLine | None
    deposit_there_fen: int
    paid_fen: int
    outstanding_fen: int
    ended_at: dt.datetime | None
    forfeited_at: dt.datetime | None
    costs_fen: int | None
    shortfall_fen: int | None
    version: int


@dataclass(frozen=True)
class OfferLine:
    """An offer to a next bidder. The name is for whoever may know it."""

    id: int
    lot_id: int
    settlement_id: int
    organisation_id: int
    organisation_name: str
    alias: int
    amount_fen: int
    state: OfferState
    offered_at: dt.datetime
    answer_by: dt.datetime
    answered_at: dt.datetime | None
    reason: str


_SELLER, _BUYER = t(Organisation).alias("seller"), t(Organisation).alias("buyer")
_ORGANISER = t(Organisation).alias("organiser")


def _select(*more: Any) -> sa.Select[Any]:
    s = t(Settlement).c
    return (
        sa.select(
            *(column for column in s), _SELLER.c.name.label("seller_name"), _BUYER.c.name.label("buyer_name"),
            *more,
        )
        .join_from(t(Settlement), _SELLER, s.seller_organisation_id == _SELLER.c.id)
        .join(_BUYER, s.buyer_organisation_id == _BUYER.c.id)
    )  # fmt: skip


_PLAIN = (
    "id", "lot_id", "title", "seller_organisation_id", "seller_name", "buyer_organisation_id", "buyer_name",
    "price_fen", "currency", "closed_at", "owed_fen", "owed_by",
)  # fmt: skip


def _line(row: Any) -> SettlementLine:
    return SettlementLine(
        **{name: getattr(row, name) for name in _PLAIN},
        origin=Origin(row.origin),
        state=SettlementState(row.state),
        steps=tuple(service.steps_of(row)),
    )


def settlements(
    session: Session,
    actor: Actor,
    *,
    show: Show | None = None,
    today: dt.date,
    limit: int = 20,
    offset: int = 0,
) -> tuple[list[SettlementLine], int]:
    """The settlements that an actor may know of (staff: all), those that are due first, and how many there are.

    Two statements. Raises SignInRequired.
    """
    s = t(Settlement).c
    where = _known(actor)
    if show is not None:
        where += _shown(show, today)
    total = session.scalar(sa.select(sa.func.count()).select_from(t(Settlement)).where(*where)) or 0
    closed = sa.case((s.state == SettlementState.OPEN.value, 0), else_=1)
    due = sa.case(
        (s.confirmed_on.is_(None), s.confirm_by), (s.contract_signed_on.is_(None), s.contract_by),
        else_=s.balance_by,
    )  # fmt: skip
    rows = session.execute(
        _select().where(*where).order_by(closed, due, s.id.desc()).limit(limit).offset(offset)
    )
    return [_line(row) for row in rows], total


def _known(actor: Actor) -> list[Any]:
    if actor.can(Action.LOT_CONDUCT):
        return []
    if not actor.is_signed_in:
        raise SignInRequired
    s, own = t(Settlement).c, sorted(actor.organisation_ids)
    return [sa.or_(s.seller_organisation_id.in_(own), s.buyer_organisation_id.in_(own))]


def _shown(show: Show, today: dt.date) -> list[Any]:
    s = t(Settlement).c
    if show is Show.LATE:
        return [s.state == SettlementState.OPEN.value, service.is_late(today)]
    return [s.state == show.value]


def of_lot(session: Session, lot_id: int) -> list[SettlementLine]:
    """Every settlement of a lot, the first first; for whoever may know of each. One statement."""
    s = t(Settlement).c
    return [_line(row) for row in session.execute(_select().where(s.lot_id == lot_id).order_by(s.id))]


def settlement(session: Session, actor: Actor, settlement_id: int) -> SettlementDetail:
    """One settlement. Eight statements. Raises NotFound for what the actor may not know of."""
    c, s = t(Contract).c, t(Settlement).c
    row = session.execute(
        _select(_ORGANISER.c.name.label("organiser_name"), c.local_number, c.state.label("contract_state"))
        .outerjoin(_ORGANISER, s.organiser_organisation_id == _ORGANISER.c.id)
        .outerjoin(t(Contract), s.contract_id == c.id)
        .where(s.id == settlement_id)
    ).one_or_none()
    if row is None or not service.may_see(actor, row.seller_organisation_id, row.buyer_organisation_id):
        raise NotFound(kind=service.KIND)
    there, paid = service.deposit_there(session, row), service.paid(session, row)
    return SettlementDetail(
        line=_line(row),
        organiser_name=row.organiser_name,
        deposit_fen=row.deposit_fen,
        rest_to=RestTo(row.rest_to),
        runner_up=row.runner_up,
        facts=row.facts,
        facts_hash=row.facts_hash,
        contract_id=row.contract_id,
        contract_number=row.local_number,
        contract_state=ContractState(row.contract_state) if row.contract_state else None,
        signatures=_signatures(session, settlement_id),
        receipts=_receipts(session, settlement_id),
        payments=tuple(
            payments_of_lot(
                session, row.lot_id, organisation_id=row.buyer_organisation_id, purpose=Purpose.BALANCE
            )
        ),
        deposit=deposit_of(session, row.lot_id, row.buyer_organisation_id),
        deposit_there_fen=there,
        paid_fen=paid,
        outstanding_fen=rules.outstanding(row.price_fen, there, paid),
        ended_at=row.ended_at,
        forfeited_at=row.forfeited_at,
        costs_fen=row.costs_fen,
        shortfall_fen=row.shortfall_fen,
        version=row.version,
    )


def _signatures(session: Session, settlement_id: int) -> dict[Party, SignatureLine]:
    g, p = t(SettlementSignature).c, t(Person).c
    rows = session.execute(
        sa.select(g.party, p.name, g.facts_hash, g.at)
        .join_from(t(SettlementSignature), t(Person), g.person_id == p.id)
        .where(g.settlement_id == settlement_id)
    )
    return {
        Party(row.party): SignatureLine(Party(row.party), row.name, row.facts_hash, row.at) for row in rows
    }


def _receipts(session: Session, settlement_id: int) -> tuple[DirectPaymentLine, ...]:
    r, a = t(SettlementReceipt).c, t(Attachment).c
    entered, decided = t(Person).alias("entered"), t(Person).alias("decided")
    rows = session.execute(
        sa.select(
            r.id, r.amount_fen, r.paid_on, r.note, r.attachment_id, a.name.label("attachment_name"), r.state,
            r.entered_by, entered.c.name.label("entered_name"), r.entered_at,
            decided.c.name.label("decided_name"), r.reason,
        )
        .join_from(t(SettlementReceipt), entered, r.entered_by == entered.c.id)
        .outerjoin(decided, r.decided_by == decided.c.id)
        .outerjoin(t(Attachment), r.attachment_id == a.id)
        .where(r.settlement_id == settlement_id)
        .order_by(r.id)
    ).mappings()  # fmt: skip
    return tuple(DirectPaymentLine(**{**row, "state": ReceiptState(row["state"])}) for row in rows)


def facts_hash(session: Session, lot_id: int, buyer_organisation_id: int) -> str:
    """The hash of what a lot's confirmation of sale says to a buyer; empty without a settlement. One statement."""
    s = t(Settlement).c
    found = session.scalar(
        sa.select(s.facts_hash).where(s.lot_id == lot_id, s.buyer_organisation_id == buyer_organisation_id)
    )
    return found or ""


def counts(session: Session, actor: Actor, today: dt.date) -> dict[Show, int]:
    """How many settlements of each sort an actor may know of. One statement."""
    sums = {show: sa.func.sum(sa.case((sa.and_(*_shown(show, today)), 1), else_=0)) for show in Show}
    row = session.execute(
        sa.select(*(one.label(show.value) for show, one in sums.items()))
        .select_from(t(Settlement))
        .where(*_known(actor))
    ).one()
    return {show: int(getattr(row, show.value) or 0) for show in Show}


def offer(session: Session, offer_id: int) -> OfferLine | None:
    """One offer; for whoever may know of it. One statement."""
    return next(iter(_offers(session, t(RunnerUpOffer).c.id == offer_id)), None)


def offers_of_lot(session: Session, lot_id: int) -> list[OfferLine]:
    """The offers to next bidders, in order. One statement."""
    return _offers(session, t(RunnerUpOffer).c.lot_id == lot_id)


def _offers(session: Session, *where: Any) -> list[OfferLine]:
    o, g = t(RunnerUpOffer).c, t(Organisation).c
    rows = session.execute(
        sa.select(
            o.id, o.lot_id, o.settlement_id, o.organisation_id, g.name.label("organisation_name"), o.alias,
            o.amount_fen, o.state, o.offered_at, o.answer_by, o.answered_at, o.reason,
        )
        .join_from(t(RunnerUpOffer), t(Organisation), o.organisation_id == g.id)
        .where(*where)
        .order_by(o.id)
    ).mappings()  # fmt: skip
    return [OfferLine(**{**row, "state": OfferState(row["state"])}) for row in rows]
