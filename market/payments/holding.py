"""What becomes of a deposit when something is seen of its payments, and who is told of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from market import alarms, audit
from market.db import Session, for_update, t
from market.parties.mail import mail_people, members_of
from market.payments import booking, rules
from market.payments.gateway import Seen, Status
from market.payments.models import Deposit, DepositState, Payment
from market.payments.rules import Movement
from market.payments.wishes import call_off
from market.permissions import SYSTEM

TOLD = (
    DepositState.HELD,
    DepositState.RELEASING,
    DepositState.RELEASED,
    DepositState.APPLIED,
    DepositState.FORFEITED,
)
"""States that a bidder is told of by mail; of a failure only where the deposit was held before."""


def move(
    session: Session,
    deposit: Deposit,
    movement: Movement,
    now: dt.datetime,
    reason: str = "",
    actor: Any = SYSTEM,
) -> None:
    """Change the state of a deposit, on the record. Raises WrongState."""
    before = DepositState(deposit.state)
    after = rules.next_state(before, movement)
    deposit.state, deposit.updated_at = after.value, now
    audit.record(
        session, actor, f"deposit.{after.value}", deposit.id or 0, now,
        before={"state": before.value}, after={"state": after.value}, reason=reason or None,
    )  # fmt: skip
    if after in TOLD or movement is Movement.LAPSE:
        _tell(session, deposit, after.value, now, f"{deposit.id}:{now.isoformat()}")


def follow(session: Session, payment: Payment, seen: Seen | None, now: dt.datetime) -> None:
    """Carry a deposit where its payments have brought it, after something was seen of one of them."""
    deposit: Deposit | None = session.scalars(
        for_update(
            sa.select(Deposit).where(t(Deposit).c.id == payment.deposit_id), session
        ).execution_options(populate_existing=True)
    ).one_or_none()
    if deposit is None:
        return
    session.flush()
    c = t(Payment).c
    others: list[Payment] = list(
        session.scalars(sa.select(Payment).where(c.deposit_id == deposit.id, c.id != payment.id))
    )
    stands = [one for one in others if _stands(one, deposit)]
    state = DepositState(deposit.state)
    paid = seen is not None and seen.status is Status.PAID
    # What a payer's bank has in its hands cannot be given back as well.
    disputed = seen is not None and any(one.withdrawn for one in seen.disputes)
    covered = seen is not None and rules.is_covered(seen, deposit.amount_fen) and payment.keep_fen is None
    if covered and state in (DepositState.DUE, DepositState.FAILED):
        move(session, deposit, Movement.HOLD, now)
        for other in others:
            if not other.settled:
                call_off(session, other, now)
    elif covered and state is not DepositState.HELD:
        # The lot is over: nobody needs it any more.
        call_off(session, payment, now)
    elif covered and stands:
        # The authorisation was renewed, or the payer paid twice: the earlier one goes back.
        assert payment.id is not None
        for other in stands:
            assert other.id is not None
            first, second = sorted((payment, other), key=lambda one: one.id or 0)
            call_off(session, first if second.follows_id == first.id else second, now)
    elif state is DepositState.HELD and not covered and not stands and not _kept(payment, seen):
        move(session, deposit, Movement.LAPSE, now)
        alarms.record(session, booking.ALARMS, "deposit_lapsed", {"deposit_id": deposit.id}, now)
        left = payment.captured_fen - payment.refunded_fen + payment.authorised_fen
        if left and not disputed:
            call_off(session, payment, now)
    elif paid and not covered and not disputed and payment.keep_fen is None:
        # A part was given back at the gateway itself before anybody knew of the whole.
        call_off(session, payment, now)
    if payment.follows_id and seen is not None and seen.decline and payment.keep_fen is None:
        alarms.record(session, booking.ALARMS, "deposit_not_renewed", {"deposit_id": deposit.id}, now)
        _tell(session, deposit, "expiring", now, f"{deposit.id}:{payment.id}")
        call_off(session, payment, now)
    elif state is DepositState.DUE and payment.settled and all(one.settled for one in others):
        move(session, deposit, Movement.FAIL, now)
    state = DepositState(deposit.state)
    called_off = (DepositState.DUE, DepositState.FAILED, DepositState.RELEASED)
    still_open = any(one.keep_fen is None and not one.settled for one in others)
    going_back = payment.keep_fen == 0 and payment.promised_fen and not payment.settled
    if going_back and state in called_off and not still_open:
        move(session, deposit, Movement.RELEASE, now)
        state = DepositState.RELEASING
    if state is DepositState.RELEASING and payment.settled and all(one.settled for one in others):
        move(session, deposit, Movement.RETURNED, now)


def _stands(payment: Payment, deposit: Deposit) -> bool:
    """Whether another payment of the same deposit covers it, as far as was booked."""
    have = payment.authorised_fen + payment.captured_fen - payment.promised_fen
    return have >= deposit.amount_fen and (payment.keep_fen is None or payment.keep_fen >= deposit.amount_fen)


def _kept(payment: Payment, seen: Seen | None) -> bool:
    """Whether a payment that shall be kept still stands for the deposit."""
    return (
        seen is not None
        and payment.keep_fen not in (None, 0)
        and rules.is_covered(seen, payment.keep_fen or 0)
    )


def _tell(session: Session, deposit: Deposit, state: str, now: dt.datetime, key: str) -> None:
    params = {"lot_id": deposit.lot_id, "amount_fen": deposit.amount_fen, "state": state}
    people = {deposit.person_id, *members_of(session, deposit.organisation_id)}
    mail_people(session, people, "deposit", params, key=f"{key}:{state}", now=now)


def escalate_late(session: Session, now: dt.datetime, limit: int = 200) -> int:
    """Ring, once each, for deposits that were promised back by a time that is over; staff see which on the page
    of reconciliation. Returns how many are new."""
    d = t(Deposit).c
    rows = session.scalars(
        sa.select(d.id)
        .where(d.state == DepositState.RELEASING.value, d.release_by < now)
        .order_by(d.id)
        .limit(limit)
    ).all()
    return sum(ring_once(session, "refund_late", deposit_id, "deposit", now) for deposit_id in rows)


def ring_once(session: Session, code: str, subject_id: int, about: str, now: dt.datetime) -> bool:
    """Write an alarm about a thing unless it was written before; whether it is new."""
    c = t(alarms.AlarmRecord).c
    detail: dict[str, Any] = {"id": subject_id, "about": about}
    known = session.scalars(sa.select(c.detail).where(c.code == code, c.process == booking.ALARMS))
    if detail in list(known):
        return False
    alarms.record(session, booking.ALARMS, code, detail, now)
    return True
