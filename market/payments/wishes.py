"""What shall be kept of a payment, and what its gateway is told: rows, and the work of pursuing them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from market import work
from market.db import Session, t
from market.payments import booking
from market.payments.models import OperationState, Payment, PaymentOperation
from market.payments.rules import Told

KIND = "payment.pursue"
"""Work: pursue one payment. Payload: `payment_id`."""


def leave_pursuit(session: Session, payment_id: int, now: dt.datetime, cause: str) -> None:
    """Leave the work of pursuing a payment; `cause` makes it once for each cause."""
    work.enqueue(session, KIND, {"payment_id": payment_id}, key=f"{payment_id}:{cause}", now=now)


def plan(session: Session, payment_id: int, told: Told, now: dt.datetime) -> PaymentOperation:
    """Write what a gateway shall be told before it is told; a plan that is still open is used again."""
    c = t(PaymentOperation).c
    rows = session.scalars(
        sa.select(PaymentOperation)
        .where(c.payment_id == payment_id, c.kind == told.kind.value)
        .order_by(c.id)
    ).all()
    for row in rows:
        if row.state == OperationState.PLANNED and row.amount_fen == told.amount_fen:
            return row
        if row.state == OperationState.PLANNED:
            row.state, row.error, row.finished_at = OperationState.REFUSED.value, "superseded", now
    row = PaymentOperation(
        payment_id=payment_id,
        kind=told.kind.value,
        key=f"payment-{payment_id}-{told.kind.value}-{len(rows) + 1}",
        amount_fen=told.amount_fen,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def keep(session: Session, payment: Payment, keep_fen: int, now: dt.datetime, actor: Any = None) -> None:
    """Say how much of a payment shall be kept, and leave the work. It may be lowered later, never raised
    beyond what came. The promise to give the rest back is booked at once."""
    if payment.keep_fen == keep_fen:
        return
    payment.keep_fen = keep_fen
    payment.settled = False
    booking.promise(session, payment, now, actor)
    assert payment.id is not None
    session.flush()
    leave_pursuit(session, payment.id, now, f"keep-{keep_fen}-{payment.version}")


def call_off(session: Session, payment: Payment, now: dt.datetime) -> None:
    """Say that nothing of a payment shall be kept: what came goes back, what has not come is called off."""
    keep(session, payment, 0, now)
