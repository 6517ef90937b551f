"""Verbs on settlements: signed, paid, registered, defaulted, forfeited. None commits.

Buyer, seller and the market's staff sign; the rest is noticed by looking (`advance`): at payments, at what
was paid directly, at the contract. A step that is done stays done.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from market import alarms, audit
from market.clock import local_date
from market.db import Session, for_update, t
from market.deals.deadlines import people_with
from market.deals.models import Contract, ContractState
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound, WrongState
from market.files.models import Attachment
from market.parties.mail import mail_people, members_of
from market.payments import service as payments
from market.payments import wishes
from market.payments.bank.rules import check_second
from market.payments.models import Deposit, DepositState, Payment, Purpose
from market.payments.rules import RestTo, Waterfall, waterfall
from market.permissions import SYSTEM, Action, Actor, Role, require
from market.settlements import rules
from market.settlements.inputs import DirectPaymentInput, ForfeitInput
from market.settlements.models import (
    Origin,
    Party,
    ReceiptState,
    Settlement,
    SettlementReceipt,
    SettlementSignature,
    SettlementState,
)
from market.settlements.rules import Step, StepKind

KIND = "settlement"
"""Kind of a settlement's attachments."""
TOLD = (Role.STAFF, Role.ADMINISTRATOR)
AT_ONCE = 100
ALARMS = "settlements"


def open_settlement(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    *,
    lot_id: int,
    origin: Origin,
    title: str,
    seller_organisation_id: int,
    buyer_organisation_id: int,
    organiser_organisation_id: int | None,
    price_fen: int,
    currency: str,
    deposit_fen: int,
    rest_to: RestTo,
    runner_up: bool,
    facts: Mapping[str, Any],
    closed_at: dt.datetime,
    confirm_days: int,
    contract_days: int,
    balance_days: int,
    contract_id: int | None,
) -> int:
    """Begin the settlement of a lot with a buyer; returns its id, the same one when asked again.

    The days are working days after `closed_at`.
    """
    s = t(Settlement).c
    existing = session.scalar(
        sa.select(s.id).where(s.lot_id == lot_id, s.buyer_organisation_id == buyer_organisation_id)
    )
    if existing is not None:
        return int(existing)
    row = Settlement(
        lot_id=lot_id,
        origin=origin.value,
        title=title[:200],
        seller_organisation_id=seller_organisation_id,
        buyer_organisation_id=buyer_organisation_id,
        organiser_organisation_id=organiser_organisation_id,
        price_fen=price_fen,
        currency=currency,
        deposit_fen=deposit_fen,
        rest_to=rest_to.value,
        runner_up=runner_up,
        facts=dict(facts),
        facts_hash=rules.digest(facts),
        closed_at=closed_at,
        confirm_by=rules.last_day(closed_at, confirm_days),
        contract_by=rules.last_day(closed_at, contract_days),
        balance_by=rules.last_day(closed_at, balance_days),
        contract_id=contract_id,
        created_at=now,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    audit.record(
        session, actor, "settlement.opened", row.id, now,
        after={
            "lot_id": lot_id, "origin": origin, "buyer_organisation_id": buyer_organisation_id,
            "price_fen": price_fen, "facts_hash": row.facts_hash, "confirm_by": row.confirm_by,
            "contract_by": row.contract_by, "balance_by": row.balance_by,
        },
    )  # fmt: skip
    session.flush()
    return row.id


def steps_of(row: Any) -> list[Step]:
    """The checklist of a settlement's row."""
    return [
        Step(StepKind.CONFIRMATION, row.confirm_by, row.confirmed_on),
        Step(StepKind.CONTRACT, row.contract_by, row.contract_signed_on),
        Step(StepKind.BALANCE, row.balance_by, row.balance_paid_on),
        Step(StepKind.REGISTRATION, None, row.registered_on),
    ]


def may_see(actor: Actor, seller_organisation_id: int, buyer_organisation_id: int) -> bool:
    """Whether somebody may know of a settlement: its parties' people, and the market's staff."""
    parties = {seller_organisation_id, buyer_organisation_id}
    return bool(parties & actor.organisation_ids) or actor.can(Action.LOT_CONDUCT)


def signs_for(actor: Actor, seller_organisation_id: int, buyer_organisation_id: int) -> list[Party]:
    """The parties that somebody may sign for."""
    found = []
    if actor.can(Action.BID_PLACE, buyer_organisation_id):
        found.append(Party.BUYER)
    # Not staff, though they may draft lots for everybody: nobody signs for two sides.
    if seller_organisation_id in actor.organisation_ids and actor.can(
        Action.LOT_CREATE, seller_organisation_id
    ):
        found.append(Party.SELLER)
    if actor.can(Action.LOT_CONDUCT):
        found.append(Party.ORGANISER)
    return found


def sign(
    session: Session, actor: Actor, now: dt.datetime, settlement_id: int, party: Party, facts_hash: str
) -> None:
    """Acknowledge the confirmation of sale for a party; again changes nothing.

    `facts_hash` is that of the facts that were read. Raises NotFound, NotAllowed, WrongState (not open),
    Conflict (other facts).
    """
    row = _locked(session, settlement_id)
    if not may_see(actor, row.seller_organisation_id, row.buyer_organisation_id):
        raise NotFound(kind=KIND)
    if party not in signs_for(actor, row.seller_organisation_id, row.buyer_organisation_id):
        raise NotAllowed(action=f"settlement:sign_{party.value}")
    c = t(SettlementSignature).c
    signed = {
        one.party: one.person_id
        for one in session.execute(sa.select(c.party, c.person_id).where(c.settlement_id == settlement_id))
    }
    if party.value in signed:
        return
    if actor.person_id is None or actor.person_id in signed.values():
        raise NotAllowed(action=f"settlement:sign_{party.value}")
    _need_open(row, "sign")
    if facts_hash != row.facts_hash:
        raise Conflict(current=row.facts_hash)
    organisation_id = {
        Party.BUYER: row.buyer_organisation_id,
        Party.SELLER: row.seller_organisation_id,
        Party.ORGANISER: row.organiser_organisation_id,
    }[party]
    session.add(
        SettlementSignature(
            settlement_id=settlement_id,
            party=party.value,
            organisation_id=organisation_id,
            person_id=actor.person_id,
            facts_hash=facts_hash,
            at=now,
        )
    )
    audit.record(
        session, actor, "settlement.signed", settlement_id, now,
        after={"party": party, "facts_hash": facts_hash},
    )  # fmt: skip
    session.flush()
    advance(session, now, settlement_id)


def enter_direct_payment(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    settlement_id: int,
    data: DirectPaymentInput,
    attachment_id: int | None,
) -> int:
    """Enter money that the buyer paid the seller directly, with the file that proves it; returns its id.

    It counts once another officer approves it. Raises NotFound, NotAllowed, WrongState, InvalidInput (a day to come,
    more than is outstanding, a file that is not this settlement's).
    """
    require(actor, Action.MONEY_MANAGE)
    row = _locked(session, settlement_id)
    _need_open(row, "enter_payment")
    problems: list[tuple[str, str, dict[str, Any]]] = []
    if data.paid_on > local_date(now):
        problems.append(("paid_on", "signed_in_future", {}))
    left = outstanding(session, row)
    if data.amount_fen > left:
        problems.append(("amount_fen", "more_than_outstanding", {"left_fen": left}))
    a = t(Attachment).c
    if attachment_id is None:
        problems.append(("file", "missing", {}))
    elif (
        session.scalar(
            sa.select(a.id).where(a.id == attachment_id, a.owner_kind == KIND, a.owner_id == settlement_id)
        )
        is None
    ):
        problems.append(("file", "unknown_choice", {"choices": ""}))
    if problems:
        raise InvalidInput(problems)
    if actor.person_id is None:
        raise NotAllowed(action=Action.MONEY_MANAGE.value)
    receipt = SettlementReceipt(
        settlement_id=settlement_id,
        amount_fen=data.amount_fen,
        paid_on=data.paid_on,
        note=data.note,
        attachment_id=attachment_id,
        entered_by=actor.person_id,
        entered_at=now,
    )
    session.add(receipt)
    session.flush()
    assert receipt.id is not None
    audit.record(
        session, actor, "settlement.payment_entered", settlement_id, now,
        after={"receipt_id": receipt.id, "amount_fen": data.amount_fen, "paid_on": data.paid_on},
    )  # fmt: skip
    return receipt.id


def decide_direct_payment(
    session: Session, actor: Actor, now: dt.datetime, receipt_id: int, *, approve: bool, reason: str = ""
) -> None:
    """Approve or refuse a payment that another officer entered; the same decision again changes nothing.

    Raises NotFound, NotAllowed, SecondPerson (who entered it), WrongState, InvalidInput (refused without a reason).
    """
    require(actor, Action.MONEY_MANAGE)
    c = t(SettlementReceipt).c
    settlement_id = session.scalar(sa.select(c.settlement_id).where(c.id == receipt_id))
    if settlement_id is None:
        raise NotFound(kind=KIND)
    row = _locked(session, settlement_id)
    receipt = session.get_one(SettlementReceipt, receipt_id, populate_existing=True)
    wanted = ReceiptState.APPROVED if approve else ReceiptState.REFUSED
    if receipt.state == wanted:
        return
    if receipt.state != ReceiptState.ENTERED:
        raise WrongState(state=receipt.state, action="decide_payment")
    check_second(receipt.entered_by, actor.person_id)
    if not approve and not reason.strip():
        raise InvalidInput([("reason", "missing", {})])
    if approve:
        _need_open(row, "decide_payment")
        if receipt.amount_fen > outstanding(session, row):
            raise WrongState(state="paid", action="decide_payment")
    receipt.state, receipt.reason = wanted.value, reason.strip()
    receipt.decided_by, receipt.decided_at = actor.person_id, now
    audit.record(
        session, actor, f"settlement.payment_{wanted.value}", settlement_id, now,
        after={"receipt_id": receipt_id, "amount_fen": receipt.amount_fen}, reason=reason.strip() or None,
    )  # fmt: skip
    session.flush()
    if approve:
        advance(session, now, settlement_id)


def deposit_there(session: Session, row: Any) -> int:
    """How much of the buyer's deposit counts towards the price now, in fen."""
    d = t(Deposit).c
    there = (DepositState.HELD.value, DepositState.APPLIED.value)
    return (
        session.scalar(
            sa.select(d.amount_fen).where(
                d.lot_id == row.lot_id, d.organisation_id == row.buyer_organisation_id, d.state.in_(there)
            )
        )
        or 0
    )


def paid(session: Session, row: Any) -> int:
    """What has come of the price beside the deposit, in fen: through gateways, and directly as approved."""
    p, r = t(Payment).c, t(SettlementReceipt).c
    gateways = session.scalar(
        sa.select(sa.func.sum(p.captured_fen - p.refunded_fen)).where(
            p.lot_id == row.lot_id,
            p.organisation_id == row.buyer_organisation_id,
            p.purpose == Purpose.BALANCE.value,
        )
    )
    directly = session.scalar(
        sa.select(sa.func.sum(r.amount_fen)).where(
            r.settlement_id == row.id, r.state == ReceiptState.APPROVED.value
        )
    )
    return int(gateways or 0) + int(directly or 0)


def outstanding(session: Session, row: Any) -> int:
    """What is still to be paid, in fen."""
    return rules.outstanding(row.price_fen, deposit_there(session, row), paid(session, row))


def advance(session: Session, now: dt.datetime, settlement_id: int) -> SettlementState:
    """Note what has been done meanwhile: signatures, payments, the contract. Again changes nothing.

    With the price whole the deposit is counted towards it; with every step done the settlement is complete.
    """
    row = _locked(session, settlement_id)
    if row.state != SettlementState.OPEN:
        return SettlementState(row.state)
    today = local_date(now)
    _ask_deposit_again(session, row, now)
    if row.confirmed_on is None:
        s = t(SettlementSignature).c
        signed = session.scalar(sa.select(sa.func.count()).where(s.settlement_id == settlement_id))
        if signed == len(Party):
            row.confirmed_on = today
            _done(session, row, StepKind.CONFIRMATION, today, now)
    if row.contract_id is not None and row.registered_on is None:
        c = t(Contract).c
        contract = session.execute(
            sa.select(c.state, c.signed_on, c.registered_on).where(c.id == row.contract_id)
        ).one()
        if row.contract_signed_on is None and contract.signed_on and contract.state != ContractState.DRAFT:
            row.contract_signed_on = contract.signed_on
            _done(session, row, StepKind.CONTRACT, contract.signed_on, now)
        if contract.state == ContractState.REGISTERED:
            row.registered_on = contract.registered_on or today
            _done(session, row, StepKind.REGISTRATION, row.registered_on, now)
    if row.balance_paid_on is None and outstanding(session, row) == 0:
        _settle_balance(session, row, now)
        row.balance_paid_on = today
        _done(session, row, StepKind.BALANCE, today, now)
    if all(step.done_on for step in steps_of(row)):
        row.state, row.ended_at = SettlementState.COMPLETE.value, now
        row.version += 1
        audit.record(session, SYSTEM, "settlement.completed", settlement_id, now)
    session.flush()
    return SettlementState(row.state)


def _done(session: Session, row: Settlement, kind: StepKind, day: dt.date, now: dt.datetime) -> None:
    row.version += 1
    assert row.id is not None
    audit.record(
        session, SYSTEM, "settlement.step_done", row.id, now, after={"step": kind, "on": day}
    )  # fmt: skip


def _settle_balance(session: Session, row: Settlement, now: dt.datetime) -> None:
    d, p = t(Deposit).c, t(Payment).c
    mine = (d.lot_id == row.lot_id, d.organisation_id == row.buyer_organisation_id)
    held = session.scalar(sa.select(d.id).where(*mine, d.state == DepositState.HELD.value))
    if held is not None:
        payments.apply_deposit(session, SYSTEM, now, held)
    for payment in session.scalars(
        for_update(
            sa.select(Payment).where(
                p.lot_id == row.lot_id,
                p.organisation_id == row.buyer_organisation_id,
                p.purpose == Purpose.BALANCE.value,
                p.keep_fen.is_(None),
            ),
            session,
        )
    ):
        # What came stays; what was begun and did not come is called off.
        wishes.keep(session, payment, payment.captured_fen - payment.refunded_fen, now)


def _ask_deposit_again(session: Session, row: Settlement, now: dt.datetime) -> None:
    """Ask a next bidder once more for a deposit that went back when the lot closed, and take it when it is there."""
    if row.origin != Origin.RUNNER_UP or not row.deposit_fen:
        return
    d = t(Deposit).c
    deposit = session.execute(
        sa.select(d.id, d.state).where(d.lot_id == row.lot_id, d.organisation_id == row.buyer_organisation_id)
    ).one_or_none()
    if deposit is not None and deposit.state == DepositState.HELD:
        payments.secure_deposit(session, SYSTEM, now, deposit.id)
    if row.deposit_asked_at is not None:
        return
    state = deposit.state if deposit else None
    if state == DepositState.RELEASING:
        return  # It is on its way back; once it is there it is asked for anew.
    if state in (DepositState.RELEASED, DepositState.FAILED):
        payments.request_deposit(
            session,
            SYSTEM,
            now,
            row.lot_id,
            row.buyer_organisation_id,
            row.deposit_fen,
            currency=row.currency,
        )
    row.deposit_asked_at = now


def advance_due(session: Session, now: dt.datetime, after: int = 0) -> int | None:
    """Look at open settlements beyond an id; returns the id to go on after, None at the end."""
    s = t(Settlement).c
    ids = session.scalars(
        sa.select(s.id)
        .where(s.state == SettlementState.OPEN.value, s.id > after)
        .order_by(s.id)
        .limit(AT_ONCE)
    ).all()
    for settlement_id in ids:
        advance(session, now, settlement_id)
    return ids[-1] if len(ids) == AT_ONCE else None


def is_late(today: dt.date) -> sa.ColumnElement[bool]:
    """The condition that a step of a settlement is late."""
    s = t(Settlement).c
    return sa.or_(
        sa.and_(s.confirm_by < today, s.confirmed_on.is_(None)),
        sa.and_(s.contract_by < today, s.contract_signed_on.is_(None)),
        sa.and_(s.balance_by < today, s.balance_paid_on.is_(None)),
    )


def escalate_due(session: Session, now: dt.datetime, after: int = 0) -> int | None:
    """Tell the parties and those above of steps that are late, each step once; returns the id to go on after,
    None at the end."""
    s, today = t(Settlement).c, local_date(now)
    statement = (
        sa.select(Settlement)
        .where(s.state == SettlementState.OPEN.value, s.id > after, is_late(today))
        .order_by(s.id)
        .limit(AT_ONCE)
    )
    rows = session.scalars(for_update(statement, session, skip_locked=True)).all()
    above = people_with(session, TOLD) if rows else []
    for row in rows:
        assert row.id is not None
        fresh = [step for step in steps_of(row) if step.is_late(today) and step.kind not in row.told]
        if not fresh:
            continue
        row.told = [*row.told, *(step.kind.value for step in fresh)]
        people = {
            *above,
            *members_of(session, row.seller_organisation_id),
            *members_of(session, row.buyer_organisation_id),
        }
        params = {
            "lot_id": row.lot_id,
            "title": row.title,
            "steps": [{"kind": step.kind.value, "due_on": str(step.due_on)} for step in fresh],
        }
        key = f"{row.id}:{':'.join(step.kind.value for step in fresh)}"
        mail_people(session, people, "settlement_late", params, key=key, now=now)
        for step in fresh:
            detail = {"lot_id": row.lot_id, "step": step.kind.value, "due_on": str(step.due_on)}
            alarms.record(session, ALARMS, "settlement_late", detail, now)
        audit.record(
            session, SYSTEM, "settlement.escalated", row.id, now,
            after={"steps": [step.kind.value for step in fresh]},
        )  # fmt: skip
    session.flush()
    return rows[-1].id if len(rows) == AT_ONCE else None


def mark_defaulted(
    session: Session, actor: Actor, now: dt.datetime, settlement_id: int, reason: str = ""
) -> None:
    """Record that the buyer did not keep to the terms; again changes nothing. The deposit stays where it is
    until staff decide on it. Raises NotFound, NotAllowed."""
    require(actor, Action.LOT_CONDUCT)
    row = _locked(session, settlement_id)
    if row.state == SettlementState.DEFAULTED:
        return
    before = row.state
    row.state, row.ended_at = SettlementState.DEFAULTED.value, now
    row.version += 1
    audit.record(
        session, actor, "settlement.defaulted", settlement_id, now,
        before={"state": before}, after={"state": row.state}, reason=reason or None,
    )  # fmt: skip
    session.flush()


def forfeit(
    session: Session, actor: Actor, now: dt.datetime, settlement_id: int, data: ForfeitInput
) -> Waterfall:
    """Take a defaulter's deposit for costs and shortfall; the rest is whose the terms say. What it does not
    cover is owed by a day. Once only.

    Raises NotFound, NotAllowed, WrongState (not defaulted, or done), InvalidInput (no day for what is owed).
    """
    require(actor, Action.MONEY_MANAGE)
    row = _locked(session, settlement_id)
    if row.state != SettlementState.DEFAULTED:
        raise WrongState(state=row.state, action="forfeit")
    if row.forfeited_at is not None:
        raise WrongState(state="forfeited", action="forfeit")
    d = t(Deposit).c
    deposit = session.execute(
        sa.select(d.id, d.amount_fen).where(
            d.lot_id == row.lot_id,
            d.organisation_id == row.buyer_organisation_id,
            d.state == DepositState.HELD.value,
        )
    ).one_or_none()
    parts = waterfall(deposit.amount_fen if deposit else 0, data.costs_fen, data.shortfall_fen)
    if parts.open_fen and (data.owed_by is None or data.owed_by < local_date(now)):
        code = "missing" if data.owed_by is None else "day_is_over"
        raise InvalidInput([("owed_by", code, {"today": local_date(now).isoformat()})])
    if deposit is not None:
        payments.forfeit_deposit(
            session, actor, now, deposit.id, reason=data.reason, costs_fen=data.costs_fen,
            shortfall_fen=data.shortfall_fen, rest_to=RestTo(row.rest_to),
        )  # fmt: skip
    row.forfeited_at, row.costs_fen, row.shortfall_fen = now, data.costs_fen, data.shortfall_fen
    row.owed_fen = parts.open_fen
    row.owed_by = data.owed_by if parts.open_fen else None
    row.version += 1
    audit.record(
        session, actor, "settlement.forfeited", settlement_id, now,
        after={
            "costs_fen": data.costs_fen, "shortfall_fen": data.shortfall_fen, "rest_fen": parts.rest_fen,
            "rest_to": row.rest_to, "owed_fen": parts.open_fen, "owed_by": row.owed_by,
        },
        reason=data.reason,
    )  # fmt: skip
    session.flush()
    return parts


def _need_open(row: Settlement, action: str) -> None:
    if row.state != SettlementState.OPEN:
        raise WrongState(state=row.state, action=action)


def _locked(session: Session, settlement_id: int) -> Settlement:
    statement = sa.select(Settlement).where(t(Settlement).c.id == settlement_id)
    row: Settlement | None = session.scalars(
        for_update(statement, session).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(kind=KIND)
    return row
