"""Deposits and other payments: asked for, held, and then given back, counted towards the price, or forfeited.

A verb decides and books; what a gateway must do about it is left as work in the same transaction
(`collecting`). Staff move deposits of everybody; a bidder asks for its own organisation's and pays them.
None of the verbs commits.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from market import audit
from market.db import Session, for_update, t
from market.errors import Conflict, InvalidInput, NotFound, WrongState
from market.payments import holding, ledger, rules, wishes
from market.payments.gateway import Gateway, Method, Status
from market.payments.ledger import Account
from market.payments.models import (
    AccountKind,
    Deposit,
    DepositState,
    OperationKind,
    Payment,
    Purpose,
)
from market.payments.rules import Movement, RestTo, Told, Waterfall
from market.permissions import SYSTEM, Action, Actor, require

REFUND_HOURS = 24
"""How long a loser's deposit may take to go back where the terms say nothing (recalled as practice)."""


def request_deposit(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    lot_id: int,
    organisation_id: int,
    amount_fen: int,
    *,
    currency: str = "CNY",
    hold_until: dt.datetime | None = None,
) -> int:
    """Ask for the deposit of an organisation for a lot; returns the deposit's id.

    Asked again, the same deposit is returned (one that failed or went back is due again). How it is
    paid is the payer's to choose (`begin_payment`). `hold_until` is how long the lot can need it.
    Raises NotAllowed; Conflict when another amount was asked for before; InvalidInput for an amount that is
    not positive.
    """
    require(actor, Action.BID_PLACE, organisation_id)
    if amount_fen <= 0:
        raise InvalidInput([("amount_fen", "greater_than", {"gt": 0})])
    d = t(Deposit).c
    deposit = session.scalars(
        for_update(
            sa.select(Deposit).where(d.lot_id == lot_id, d.organisation_id == organisation_id), session
        )
    ).one_or_none()
    if deposit is not None:
        if deposit.amount_fen != amount_fen:
            raise Conflict(current=deposit.amount_fen)
        if hold_until is not None:
            deposit.hold_until = hold_until
        if deposit.state in (DepositState.FAILED, DepositState.RELEASED):
            deposit.release_by = None
            holding.move(session, deposit, Movement.REQUEST, now, actor=actor)
        session.flush()
        return _id(deposit)
    if actor.person_id is None:
        raise InvalidInput([("person_id", "missing", {})])
    deposit = Deposit(
        lot_id=lot_id,
        organisation_id=organisation_id,
        person_id=actor.person_id,
        amount_fen=amount_fen,
        currency=currency,
        hold_until=hold_until,
        created_at=now,
        updated_at=now,
    )
    session.add(deposit)
    session.flush()
    audit.record(
        session, actor, "deposit.requested", _id(deposit), now,
        after={"lot_id": lot_id, "organisation_id": organisation_id, "amount_fen": amount_fen},
    )  # fmt: skip
    return _id(deposit)


def begin_payment(
    session: Session, actor: Actor, now: dt.datetime, deposit_id: int, gateway: Gateway, method: Method
) -> int:
    """Choose how a deposit is paid; returns the payment's id, to be pursued once this is committed.

    The same way chosen again continues the payment that is open; another way calls that one off.
    Raises NotFound; NotAllowed; WrongState unless the deposit is due or failed; InvalidInput for a method that
    the gateway does not have.
    """
    deposit = _locked(session, deposit_id)
    require(actor, Action.BID_PLACE, deposit.organisation_id)
    if deposit.state == DepositState.FAILED:
        holding.move(session, deposit, Movement.REQUEST, now, actor=actor)
    if deposit.state != DepositState.DUE:
        raise WrongState(state=deposit.state, action="pay")
    c = t(Payment).c
    for row in session.scalars(
        sa.select(Payment).where(
            c.deposit_id == deposit_id, c.settled.is_(False), sa.or_(c.keep_fen.is_(None), c.keep_fen > 0)
        )
    ):
        if row.gateway == gateway.name and row.method == method.value and row.status == Status.WAITING:
            assert row.id is not None
            return row.id
        wishes.call_off(session, row, now)
    return _begin(
        session, actor, now, Purpose.DEPOSIT, deposit.lot_id, deposit.organisation_id, deposit.amount_fen,
        deposit.currency, gateway, method, deposit_id,
    )  # fmt: skip


def request_payment(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    *,
    purpose: Purpose,
    lot_id: int,
    organisation_id: int,
    amount_fen: int,
    currency: str,
    gateway: Gateway,
    method: Method,
) -> int:
    """Ask for something other than a deposit, such as the balance of a price; returns the payment's id.

    One that is open for the same purpose, lot and amount is continued; one that came is returned. Raises
    NotAllowed, InvalidInput.
    """
    require(actor, Action.BID_PLACE, organisation_id)
    if purpose is Purpose.DEPOSIT:
        raise ValueError("deposits have a verb of their own")
    if amount_fen <= 0:
        raise InvalidInput([("amount_fen", "greater_than", {"gt": 0})])
    c = t(Payment).c
    for row in session.scalars(
        sa.select(Payment).where(
            c.purpose == purpose.value, c.lot_id == lot_id, c.organisation_id == organisation_id,
            c.status != Status.CANCELLED.value, sa.or_(c.keep_fen.is_(None), c.keep_fen > 0),
        )
    ):  # fmt: skip
        same = (row.gateway, row.method, row.amount_fen) == (gateway.name, method.value, amount_fen)
        if same or row.status in (Status.PAID, Status.PROCESSING):
            assert row.id is not None
            return row.id
        wishes.call_off(session, row, now)
    return _begin(
        session, actor, now, purpose, lot_id, organisation_id, amount_fen, currency, gateway, method, None
    )


def _begin(
    session: Session, actor: Actor, now: dt.datetime, purpose: Purpose, lot_id: int, organisation_id: int,
    amount_fen: int, currency: str, gateway: Gateway, method: Method, deposit_id: int | None,
) -> int:  # fmt: skip
    if method not in gateway.methods:
        raise InvalidInput([("method", "unknown_choice", {})])
    payment = Payment(
        purpose=purpose.value,
        deposit_id=deposit_id,
        lot_id=lot_id,
        organisation_id=organisation_id,
        person_id=actor.person_id,
        amount_fen=amount_fen,
        currency=currency,
        gateway=gateway.name,
        method=method.value,
        customer=_customer(session, gateway.name, organisation_id),
        created_at=now,
    )
    session.add(payment)
    session.flush()
    assert payment.id is not None
    wishes.plan(session, payment.id, Told(OperationKind.START, amount_fen), now)
    wishes.leave_pursuit(session, payment.id, now, "start")
    audit.record(
        session, actor, "payment.begun", payment.id, now,
        after={
            "purpose": purpose.value, "lot_id": lot_id, "organisation_id": organisation_id,
            "amount_fen": amount_fen, "gateway": gateway.name, "method": method.value,
        },
    )  # fmt: skip
    return payment.id


def _customer(session: Session, gateway: str, organisation_id: int) -> str | None:
    """How a gateway calls an organisation that has paid there before."""
    c = t(Payment).c
    return session.scalar(
        sa.select(c.customer)
        .where(c.gateway == gateway, c.organisation_id == organisation_id, c.customer.is_not(None))
        .order_by(c.id.desc())
        .limit(1)
    )


def release_deposit(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    deposit_id: int,
    *,
    refund_hours: int = REFUND_HOURS,
    reason: str = "",
) -> DepositState:
    """Promise a held deposit back; it is released when the gateway says that it went.

    One that is only due is called off. Doing it again changes nothing. Raises NotFound, NotAllowed, WrongState.
    """
    require(actor, Action.LOT_ADMIT)
    deposit = _locked(session, deposit_id)
    state = DepositState(deposit.state)
    if state in (DepositState.RELEASING, DepositState.RELEASED, DepositState.FAILED):
        return state
    if state is DepositState.DUE:
        payments = _payments(session, deposit_id)
        for payment in payments:
            wishes.call_off(session, payment, now)
        if not payments:
            holding.move(session, deposit, Movement.FAIL, now, reason, actor)
        return DepositState(deposit.state)
    rules.next_state(state, Movement.RELEASE)
    deposit.release_by = now + dt.timedelta(hours=refund_hours)
    holding.move(session, deposit, Movement.RELEASE, now, reason, actor)
    for payment in _payments(session, deposit_id):
        wishes.call_off(session, payment, now)
    session.flush()
    return DepositState(deposit.state)


def secure_deposit(session: Session, actor: Actor, now: dt.datetime, deposit_id: int) -> None:
    """Have the winner's deposit taken where it is only authorised, so that it cannot lapse. It stays held.

    Raises NotFound, NotAllowed, WrongState.
    """
    require(actor, Action.LOT_ADMIT)
    deposit = _locked(session, deposit_id)
    if deposit.state != DepositState.HELD:
        raise WrongState(state=deposit.state, action="secure")
    _keep(session, actor, now, deposit, deposit.amount_fen)


def apply_deposit(session: Session, actor: Actor, now: dt.datetime, deposit_id: int) -> DepositState:
    """Count the winner's deposit towards the price. Again changes nothing.

    Raises NotFound, NotAllowed, WrongState.
    """
    require(actor, Action.LOT_ADMIT)
    deposit = _locked(session, deposit_id)
    if deposit.state == DepositState.APPLIED:
        return DepositState.APPLIED
    rules.next_state(DepositState(deposit.state), Movement.APPLY)
    _keep(session, actor, now, deposit, deposit.amount_fen)
    ledger.post(
        session, f"deposit:{deposit_id}:applied", "deposit.applied",
        ledger.held(deposit.organisation_id, deposit.lot_id), ledger.price(deposit.lot_id),
        deposit.amount_fen, now, currency=deposit.currency, actor=actor,
    )  # fmt: skip
    holding.move(session, deposit, Movement.APPLY, now, actor=actor)
    session.flush()
    return DepositState.APPLIED


def forfeit_deposit(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    deposit_id: int,
    *,
    reason: str,
    costs_fen: int = 0,
    shortfall_fen: int = 0,
    rest_to: RestTo = RestTo.MARKET,
) -> Waterfall:
    """Take the deposit of somebody who broke the terms: costs, then the shortfall, then whose the rest is.

    A rest that is the bidder's goes back. Returns where it went; `open_fen` is what the bidder still owes and
    is booked nowhere. Raises NotFound, NotAllowed, WrongState, InvalidInput (no reason, a negative amount).
    """
    require(actor, Action.LOT_ADMIT)
    problems: list[tuple[str, str, dict[str, Any]]] = [] if reason.strip() else [("reason", "missing", {})]
    problems += [
        (name, "greater_than_equal", {"ge": 0})
        for name, value in (("costs_fen", costs_fen), ("shortfall_fen", shortfall_fen))
        if value < 0
    ]
    if problems:
        raise InvalidInput(problems)
    deposit = _locked(session, deposit_id)
    rules.next_state(DepositState(deposit.state), Movement.FORFEIT)
    parts = rules.waterfall(deposit.amount_fen, costs_fen, shortfall_fen)
    lot = deposit.lot_id
    back = parts.rest_fen if rest_to is RestTo.BIDDER else 0
    for name, account, amount in (
        ("costs", Account(AccountKind.COSTS, lot_id=lot), parts.costs_fen),
        ("shortfall", Account(AccountKind.SHORTFALL, lot_id=lot), parts.shortfall_fen),
        ("rest", Account(AccountKind.FORFEITED, lot_id=lot, whose=rest_to.value), parts.rest_fen - back),
    ):
        if amount:
            ledger.post(
                session, f"deposit:{deposit_id}:forfeited:{name}", f"deposit.forfeited_{name}",
                ledger.held(deposit.organisation_id, lot), account, amount, now,
                currency=deposit.currency, actor=actor, detail={"reason": reason.strip()},
            )  # fmt: skip
    _keep(session, actor, now, deposit, deposit.amount_fen - back)
    holding.move(session, deposit, Movement.FORFEIT, now, reason.strip(), actor)
    session.flush()
    return parts


def settle_lot_deposits(
    session: Session,
    now: dt.datetime,
    lot_id: int,
    winner_organisation_id: int | None,
    *,
    defaulted_organisation_id: int | None = None,
    forfeiting: Collection[int] = (),
    refund_hours: int = REFUND_HOURS,
) -> int:
    """After a lot has closed: the winner's deposit is secured and stays held until the price is paid, the others
    go back, save those of organisations that the terms let forfeit theirs (`forfeiting`). What a defaulter put
    down is secured too, for staff to decide on. Again changes nothing. Returns the deposits concerned."""
    d = t(Deposit).c
    open_states = (DepositState.HELD.value, DepositState.DUE.value, DepositState.FAILED.value)
    rows = session.execute(
        sa.select(d.id, d.organisation_id, d.state)
        .where(d.lot_id == lot_id, d.state.in_(open_states))
        .order_by(d.id)
    ).all()
    concerned = 0
    for row in rows:
        is_held = row.state == DepositState.HELD
        concerned += is_held
        if is_held and row.organisation_id in (winner_organisation_id, defaulted_organisation_id):
            secure_deposit(session, SYSTEM, now, row.id)
        elif is_held and row.organisation_id in forfeiting:
            forfeit_deposit(session, SYSTEM, now, row.id, reason="unopened")
        else:
            release_deposit(session, SYSTEM, now, row.id, refund_hours=refund_hours)
    return concerned


def _payments(session: Session, deposit_id: int) -> list[Payment]:
    """The payments of a deposit that something may still come of, locked."""
    c = t(Payment).c
    statement = sa.select(Payment).where(
        c.deposit_id == deposit_id, sa.or_(c.keep_fen.is_(None), c.keep_fen > 0)
    )
    return [
        one
        for one in session.scalars(
            for_update(statement.order_by(c.id), session).execution_options(populate_existing=True)
        )
        if one.status != Status.CANCELLED or not one.settled
    ]


def _keep(session: Session, actor: Actor, now: dt.datetime, deposit: Deposit, keep_fen: int) -> None:
    """Keep so much of the one payment that covers a deposit, and call off what else is open."""
    left: int | None = keep_fen
    for payment in _payments(session, _id(deposit)):
        have = payment.authorised_fen + payment.captured_fen - payment.refunded_fen
        if left is not None and have >= deposit.amount_fen:
            wishes.keep(session, payment, left, now, actor)
            left = None
        else:
            wishes.call_off(session, payment, now)


def _locked(session: Session, deposit_id: int) -> Deposit:
    deposit: Deposit | None = session.scalars(
        for_update(sa.select(Deposit).where(t(Deposit).c.id == deposit_id), session).execution_options(
            populate_existing=True
        )
    ).one_or_none()
    if deposit is None:
        raise NotFound(kind="deposit")
    return deposit


def _id(deposit: Deposit) -> int:
    assert deposit.id is not None
    return deposit.id
