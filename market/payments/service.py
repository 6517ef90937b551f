"""Deposits: asked for, held, and then given back, counted towards the price, or forfeited.

Each movement is one ledger transfer under a key of its own, so that doing it twice moves it once.
Staff move deposits of everybody; a bidder asks for its own organisation's. None of the verbs commits.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa

from market import audit
from market.db import Session, for_update, t
from market.errors import Conflict, InvalidInput, NotFound
from market.payments import ledger, rules
from market.payments.gateway import Gateway, HoldState
from market.payments.models import Deposit, DepositState
from market.payments.rules import Line, Movement
from market.permissions import Action, Actor, require
from market.work import enqueue

SETTLE_KIND = "deposit.settle"
"""Work: release or apply one deposit. Payload: `deposit_id`, `movement`."""


def request_deposit(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    lot_id: int,
    organisation_id: int,
    amount_fen: int,
    gateway: Gateway,
) -> int:
    """Ask for the deposit of an organisation for a lot; returns the deposit's id.

    Asked again, the same deposit is returned (a failed one is asked for afresh). A gateway that holds
    at once makes it held; otherwise it is due until confirmed. Raises NotAllowed; Conflict when another
    amount was asked for before; InvalidInput for an amount that is not positive.
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
        if deposit.state != DepositState.FAILED.value:
            return _id(deposit)
        deposit.state = rules.next_state(DepositState.FAILED, Movement.REQUEST).value
        deposit.updated_at = now
    else:
        if actor.person_id is None:
            raise InvalidInput([("person_id", "missing", {})])
        deposit = Deposit(
            lot_id=lot_id,
            organisation_id=organisation_id,
            person_id=actor.person_id,
            amount_fen=amount_fen,
            gateway=gateway.name,
            created_at=now,
            updated_at=now,
        )
        session.add(deposit)
        session.flush()
    deposit_id = _id(deposit)
    hold = gateway.hold(f"deposit-{deposit_id}", amount_fen, deposit.currency)
    deposit.gateway, deposit.gateway_reference = gateway.name, hold.reference
    audit.record(
        session, actor, "deposit.requested", deposit_id, now,
        after={"lot_id": lot_id, "organisation_id": organisation_id, "amount_fen": amount_fen},
    )  # fmt: skip
    if hold.state is HoldState.HELD:
        _move(session, actor, now, deposit, Movement.CONFIRM)
    session.flush()
    return deposit_id


def confirm_deposit(
    session: Session, actor: Actor, now: dt.datetime, deposit_id: int, *, gateway: Gateway | None = None
) -> DepositState:
    """Say that the money arrived. Confirming a held deposit again changes nothing.

    Staff confirm; at a simulated gateway, where no money moves, the payer presses the button too.
    Raises NotFound, NotAllowed, WrongState.
    """
    return _settle(
        session,
        actor,
        now,
        deposit_id,
        Movement.CONFIRM,
        DepositState.HELD,
        None,
        payer_may=gateway is not None and gateway.simulated,
    )


def fail_deposit(
    session: Session, actor: Actor, now: dt.datetime, deposit_id: int, *, reason: str
) -> DepositState:
    """Say that the money did not arrive; it may be asked for again."""
    return _settle(session, actor, now, deposit_id, Movement.FAIL, DepositState.FAILED, None, reason=reason)


def release_deposit(
    session: Session, actor: Actor, now: dt.datetime, deposit_id: int, gateway: Gateway
) -> DepositState:
    """Give a held deposit back. Raises NotFound, NotAllowed, WrongState."""
    return _settle(session, actor, now, deposit_id, Movement.RELEASE, DepositState.RELEASED, gateway)


def apply_deposit(
    session: Session, actor: Actor, now: dt.datetime, deposit_id: int, gateway: Gateway
) -> DepositState:
    """Count the winner's deposit towards the price. Raises NotFound, NotAllowed, WrongState."""
    return _settle(session, actor, now, deposit_id, Movement.APPLY, DepositState.APPLIED, gateway)


def forfeit_deposit(
    session: Session, actor: Actor, now: dt.datetime, deposit_id: int, gateway: Gateway, *, reason: str
) -> DepositState:
    """Keep the deposit of somebody who broke the terms. Raises also InvalidInput without a reason."""
    if not reason.strip():
        raise InvalidInput([("reason", "missing", {})])
    return _settle(
        session,
        actor,
        now,
        deposit_id,
        Movement.FORFEIT,
        DepositState.FORFEITED,
        gateway,
        reason=reason.strip(),
    )


def settle_lot_deposits(
    session: Session,
    now: dt.datetime,
    lot_id: int,
    winner_organisation_id: int | None,
    *,
    defaulted_organisation_id: int | None = None,
    forfeiting: Collection[int] = (),
) -> int:
    """After a lot has closed, leave work for each held deposit: the winner's counts towards the price,
    the others go back, save those of organisations that the terms let forfeit theirs (`forfeiting`). What a
    defaulter put down stays where it is, for staff to decide on. Called twice it leaves the work once.
    Returns the deposits concerned."""
    d = t(Deposit).c
    where = [d.lot_id == lot_id, d.state == DepositState.HELD.value]
    if defaulted_organisation_id is not None:
        where.append(d.organisation_id != defaulted_organisation_id)
    rows = session.execute(sa.select(d.id, d.organisation_id).where(*where).order_by(d.id)).all()
    for row in rows:
        movement = Movement.RELEASE
        if row.organisation_id == winner_organisation_id:
            movement = Movement.APPLY
        elif row.organisation_id in forfeiting:
            movement = Movement.FORFEIT
        enqueue(
            session, SETTLE_KIND, {"deposit_id": row.id, "movement": movement.value}, key=str(row.id), now=now
        )
    return len(rows)


def record_settled(
    session: Session, actor: Actor, now: dt.datetime, deposit_id: int, movement: Movement
) -> DepositState:
    """Record what a gateway has done with a held deposit; once is enough.

    Raises NotFound, NotAllowed, WrongState.
    """
    return _settle(session, actor, now, deposit_id, movement, _ENDS[movement], None)


def movement_key(deposit_id: int, movement: Movement) -> str:
    """What makes a gateway's movement of a deposit happen once."""
    return f"deposit-{deposit_id}-{movement.value}"


def _id(deposit: Deposit) -> int:
    assert deposit.id is not None
    return deposit.id


def _settle(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    deposit_id: int,
    movement: Movement,
    target: DepositState,
    gateway: Gateway | None,
    *,
    reason: str = "",
    payer_may: bool = False,
) -> DepositState:
    deposit = session.scalars(
        for_update(sa.select(Deposit).where(t(Deposit).c.id == deposit_id), session).execution_options(
            populate_existing=True
        )
    ).one_or_none()
    if deposit is None:
        raise NotFound
    if not (payer_may and actor.can(Action.BID_PLACE, deposit.organisation_id)):
        require(actor, Action.LOT_ADMIT)
    if deposit.state == target.value:
        return target
    rules.next_state(DepositState(deposit.state), movement)
    if gateway is not None:
        call = {
            Movement.RELEASE: gateway.release,
            Movement.APPLY: gateway.apply,
            Movement.FORFEIT: gateway.forfeit,
        }[movement]
        call(movement_key(deposit_id, movement), deposit.gateway_reference or "", deposit.amount_fen)
    _move(session, actor, now, deposit, movement, reason=reason)
    session.flush()
    return target


_ENDS = {
    Movement.RELEASE: DepositState.RELEASED,
    Movement.APPLY: DepositState.APPLIED,
    Movement.FORFEIT: DepositState.FORFEITED,
}

_PAST = {
    Movement.CONFIRM: "held",
    Movement.FAIL: "failed",
    Movement.RELEASE: "released",
    Movement.APPLY: "applied",
    Movement.FORFEIT: "forfeited",
}


def _move(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    deposit: Deposit,
    movement: Movement,
    *,
    reason: str = "",
) -> None:
    """Change the state and post the transfer that goes with it."""
    before = DepositState(deposit.state)
    after = rules.next_state(before, movement)
    deposit.state, deposit.updated_at = after.value, now
    deposit_id = _id(deposit)
    account = rules.held(deposit.organisation_id, deposit.lot_id)
    lines: list[Line] = []
    if movement is Movement.CONFIRM:
        lines = [
            Line(rules.outside(deposit.gateway), -deposit.amount_fen, deposit.currency),
            Line(account, deposit.amount_fen, deposit.currency),
        ]
    elif movement is not Movement.FAIL:
        lines = [
            Line(account, -deposit.amount_fen, deposit.currency),
            Line(
                rules.settled(movement, deposit.gateway, deposit.lot_id), deposit.amount_fen, deposit.currency
            ),
        ]
    if lines:
        ledger.post(
            session,
            f"deposit:{deposit_id}:{after.value}",
            f"deposit.{_PAST[movement]}",
            lines,
            now,
            deposit_id=deposit_id,
            detail={"reason": reason} if reason else None,
        )
    audit.record(
        session,
        actor,
        f"deposit.{_PAST[movement]}",
        deposit_id,
        now,
        before={"state": before.value},
        after={"state": after.value},
        reason=reason or None,
    )
