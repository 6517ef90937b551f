"""Pursuing a payment: look at the gateway, book what is seen, tell it what is next, until nothing is.

    row (what shall be kept) ──► look ──► record + plan ──► call ──► look ──► … ──► settled

Whoever decides only says how much of a payment shall be kept, in the transaction of the decision, and leaves
work. So nothing is lost when a process dies between two steps or a message is late, comes twice or never:
the next pursuit looks, and does what is still missing. What a gateway is told is a row before it is told, and
the row's key makes it one effect. A look that began before another was recorded is thrown away.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from market.clock import Clock
from market.db import Database, Session, for_update, t
from market.parties.models import Person
from market.payments import booking, rules
from market.payments.gateway import (
    AUTHORISED_FIRST,
    Ask,
    Gateway,
    GatewayRefused,
    Gateways,
    Method,
    RefundStatus,
    Seen,
    Status,
)
from market.payments.holding import follow, ring_once
from market.payments.models import (
    Deposit,
    DepositState,
    OperationKind,
    OperationState,
    Payment,
    PaymentOperation,
    Purpose,
)
from market.payments.rules import Told
from market.payments.wishes import leave_pursuit, plan
from market.work import Claimed, Handler

DEFAULT_LOCALE = "zh-Hans"
ROUNDS = 12
"""Calls within one pursuit; a gateway that is still not where it should be is asked again later."""

Addresses = Callable[[int], tuple[str, str]]
"""Payment → where the payer's browser comes back to when paid, and when not."""


def handler(db: Database, clock: Clock, gateways: Gateways, addresses: Addresses) -> Handler:
    """The handler of `payment.pursue`."""

    def handle(item: Claimed) -> None:
        pursue(db, clock, gateways, addresses, int(item.payload["payment_id"]))

    return handle


@dataclass(frozen=True)
class _Call:
    """What to ask a gateway, worked out in a transaction and asked outside of it."""

    payment_id: int
    gateway: str
    reference: str | None
    version: int
    kind: OperationKind | None = None
    """None: look."""
    operation_id: int | None = None
    key: str = ""
    amount_fen: int = 0
    ask: Ask | None = None
    earlier: str | None = None


def pursue(db: Database, clock: Clock, gateways: Gateways, addresses: Addresses, payment_id: int) -> None:
    """Do all that can be done about a payment now. Call it with no transaction open.

    Raises GatewayUnavailable, or GatewayRefused where the gateway refuses what it should not; what was
    done until then is kept, and the next pursuit goes on from there.
    """
    with db.write() as session:
        call = _first(session, clock.now(), payment_id, addresses)
    refused: GatewayRefused | None = None
    for _ in range(ROUNDS):
        if call is None:
            return
        gateway = gateways.named(call.gateway)
        try:
            seen = _ask(gateway, call)
        except GatewayRefused as error:
            if call.kind is None or (refused is not None and refused.params == error.params):
                raise
            refused = error
            with db.write() as session:
                call = _note_refusal(session, clock.now(), call, str(error.params.get("reason", "")))
            continue
        with db.write() as session:
            call = _record(session, clock.now(), call, seen)


def _ask(gateway: Gateway, call: _Call) -> Seen:
    reference = call.reference or ""
    match call.kind:
        case OperationKind.START:
            assert call.ask is not None
            return gateway.start(call.key, call.ask)
        case OperationKind.AUTHORISE_AGAIN:
            assert call.ask is not None
            return gateway.authorise_again(call.key, call.ask, call.earlier or "")
        case OperationKind.CAPTURE:
            return gateway.capture(call.key, reference, call.amount_fen)
        case OperationKind.CANCEL:
            return gateway.cancel(call.key, reference)
        case OperationKind.REFUND:
            return gateway.refund(call.key, reference, call.amount_fen)
        case _:
            return gateway.look(reference)


def _locked(session: Session, payment_id: int) -> Payment | None:
    # The deposit first, as everywhere, so that nobody waits for each other.
    c = t(Payment).c
    deposit_id = session.scalar(sa.select(c.deposit_id).where(c.id == payment_id))
    if deposit_id is not None:
        session.execute(for_update(sa.select(t(Deposit).c.id).where(t(Deposit).c.id == deposit_id), session))
    statement = sa.select(Payment).where(t(Payment).c.id == payment_id)
    found: Payment | None = session.scalars(
        for_update(statement, session).execution_options(populate_existing=True)
    ).one_or_none()
    return found


def _first(session: Session, now: dt.datetime, payment_id: int, addresses: Addresses) -> _Call | None:
    payment = _locked(session, payment_id)
    if payment is None:
        return None
    if payment.reference is not None:
        return _look(payment)
    planned = _planned(session, payment_id)
    if planned is None:
        return None
    if payment.keep_fen == 0 and planned.told_at is None:
        # Called off before anybody was asked.
        planned.state, planned.error, planned.finished_at = OperationState.REFUSED.value, "called_off", now
        payment.status, payment.settled = Status.CANCELLED.value, True
        payment.version += 1
        follow(session, payment, None, now)
        return None
    planned.told_at = planned.told_at or now
    return_url, cancel_url = addresses(payment_id)
    method = Method(payment.method)
    deposit = payment.purpose == Purpose.DEPOSIT
    payer = session.get(Person, payment.person_id) if payment.person_id else None
    ask = Ask(
        payment_id=payment_id,
        organisation_id=payment.organisation_id,
        lot_id=payment.lot_id,
        purpose=payment.purpose,
        amount_fen=payment.amount_fen,
        currency=payment.currency,
        method=method,
        manual_capture=deposit and method in AUTHORISED_FIRST,
        return_url=return_url,
        cancel_url=cancel_url,
        reusable=deposit and method in AUTHORISED_FIRST,
        locale=payer.language if payer else DEFAULT_LOCALE,
        customer=payment.customer,
    )
    earlier = session.get(Payment, payment.follows_id) if payment.follows_id else None
    return _Call(
        payment_id, payment.gateway, None, payment.version, OperationKind(planned.kind), planned.id, planned.key,
        planned.amount_fen, ask, earlier.reference if earlier else None,
    )  # fmt: skip


def _look(payment: Payment) -> _Call:
    assert payment.id is not None
    return _Call(payment.id, payment.gateway, payment.reference, payment.version)


def _planned(session: Session, payment_id: int) -> PaymentOperation | None:
    c = t(PaymentOperation).c
    return session.scalars(
        sa.select(PaymentOperation)
        .where(c.payment_id == payment_id, c.state == OperationState.PLANNED.value)
        .order_by(c.id)
        .limit(1)
    ).one_or_none()


def _note_refusal(session: Session, now: dt.datetime, call: _Call, reason: str) -> _Call | None:
    payment = _locked(session, call.payment_id)
    operation = session.get(PaymentOperation, call.operation_id)
    assert payment is not None
    assert operation is not None
    if operation.state == OperationState.PLANNED:
        operation.state, operation.error, operation.finished_at = (
            OperationState.REFUSED.value, reason[:64], now,
        )  # fmt: skip
    if payment.reference is None:
        payment.status, payment.settled = Status.CANCELLED.value, True
        payment.version += 1
        follow(session, payment, None, now)
        return None
    return _look(payment)


def _record(session: Session, now: dt.datetime, call: _Call, seen: Seen) -> _Call | None:
    payment = _locked(session, call.payment_id)
    assert payment is not None
    if payment.version != call.version:
        # Somebody else recorded meanwhile: what was seen may be from before that.
        return _look(payment) if payment.reference else _again(session, call)
    record(session, payment, seen, now, operation_id=call.operation_id)
    told = rules.next_step(seen, payment.amount_fen, payment.keep_fen)
    if told is None or (told.kind is call.kind and told.kind is not OperationKind.REFUND):
        # What was just told and has not happened yet is looked for later, not told again at once.
        return None
    operation = plan(session, call.payment_id, told, now)
    operation.told_at = operation.told_at or now
    return _Call(
        call.payment_id, payment.gateway, payment.reference, payment.version, told.kind, operation.id,
        operation.key, told.amount_fen,
    )  # fmt: skip


def _again(session: Session, call: _Call) -> _Call | None:
    planned = _planned(session, call.payment_id)
    return call if planned is not None and planned.id == call.operation_id else None


def record(
    session: Session, payment: Payment, seen: Seen, now: dt.datetime, *, operation_id: int | None = None
) -> None:
    """Record what a gateway sees of a payment: the ledger, the deposit, what was told and is done."""
    assert payment.id is not None
    if payment.reference is None:
        payment.reference = seen.reference
    payment.status, payment.decline = seen.status.value, seen.decline.value if seen.decline else None
    payment.pay_url, payment.expires_at = seen.pay_url, seen.expires_at
    payment.customer = seen.customer or payment.customer
    booking.book(session, payment, seen, now)
    payment.version += 1
    payment.seen_at = now
    payment.settled = rules.is_settled(seen, payment.keep_fen)
    _finish_operations(session, payment.id, seen, now, operation_id, settled=payment.settled)
    for refund in seen.refunds:
        if refund.status is RefundStatus.FAILED:
            ring_once(session, "refund_failed", payment.id, refund.reference, now)
    if payment.purpose == Purpose.DEPOSIT:
        follow(session, payment, seen, now)
    session.flush()


def _finish_operations(
    session: Session,
    payment_id: int,
    seen: Seen,
    now: dt.datetime,
    operation_id: int | None,
    *,
    settled: bool,
) -> None:
    c = t(PaymentOperation).c
    made = {one.key for one in seen.refunds if one.key}
    begun = (OperationKind.START, OperationKind.AUTHORISE_AGAIN)
    for row in session.scalars(
        sa.select(PaymentOperation).where(c.payment_id == payment_id, c.state == OperationState.PLANNED.value)
    ):
        # What was told and not answered shows in what is seen, or in its answer now.
        shows = (
            row.id == operation_id
            or row.key in made
            or row.kind in begun
            or (row.kind == OperationKind.CAPTURE and seen.captured_fen > 0)
            or (row.kind == OperationKind.CANCEL and seen.status is Status.CANCELLED)
        )
        if shows:
            row.state, row.finished_at = OperationState.DONE.value, now
        elif settled:
            row.state, row.error, row.finished_at = OperationState.REFUSED.value, "superseded", now


def sweep(session: Session, now: dt.datetime, limit: int = 200) -> int:
    """Leave work for payments that were not looked at for a while, and renew authorisations that lapse too early.

    A payment that waits is looked at every ten minutes, one that is held every six hours, what is on its way
    every ten minutes: so a message that never comes is made good. Returns how many were left.
    """
    c = t(Payment).c
    busy = now - dt.timedelta(minutes=10)
    quiet = now - dt.timedelta(hours=6)
    still = sa.and_(c.status.in_([Status.AUTHORISED.value, Status.PAID.value]), c.keep_fen.is_(None))
    due = sa.or_(
        c.seen_at.is_(None) & (c.created_at <= busy),
        sa.not_(still) & (c.seen_at <= busy),
        c.seen_at <= quiet,
    )
    rows = session.execute(
        sa.select(c.id).where(sa.not_(c.settled), due).order_by(c.seen_at, c.id).limit(limit)
    ).all()
    slot = int(now.timestamp()) // 600
    for (payment_id,) in rows:
        leave_pursuit(session, payment_id, now, f"sweep-{slot}")
    return len(rows) + _renew(session, now, limit)


RENEW_BEFORE = dt.timedelta(hours=36)
"""How long before an authorisation lapses it is made again: time for the payer to help where that fails."""


def _renew(session: Session, now: dt.datetime, limit: int) -> int:
    c, d = t(Payment).c, t(Deposit).c
    later = t(Payment).alias("later")
    rows = session.scalars(
        sa.select(Payment)
        .join(Deposit, d.id == c.deposit_id)
        .where(
            c.status == Status.AUTHORISED.value,
            c.keep_fen.is_(None),
            c.expires_at <= now + RENEW_BEFORE,
            d.state == DepositState.HELD.value,
            sa.or_(d.hold_until.is_(None), d.hold_until > c.expires_at),
            ~sa.exists().where(later.c.follows_id == c.id),
        )
        .limit(limit)
    ).all()
    for row in rows:
        follower = Payment(
            purpose=row.purpose, deposit_id=row.deposit_id, lot_id=row.lot_id,
            organisation_id=row.organisation_id, person_id=row.person_id, amount_fen=row.amount_fen,
            currency=row.currency, gateway=row.gateway, method=row.method, follows_id=row.id,
            customer=row.customer, created_at=now,
        )  # fmt: skip
        session.add(follower)
        session.flush()
        assert follower.id is not None
        plan(session, follower.id, Told(OperationKind.AUTHORISE_AGAIN, row.amount_fen), now)
        leave_pursuit(session, follower.id, now, "start")
    return len(rows)
