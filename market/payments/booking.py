"""What a gateway sees becomes what the ledger says: the differences since the last look, each booked once."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from market import alarms
from market.db import Session, t
from market.payments import ledger
from market.payments.gateway import Seen, SeenDispute, Status
from market.payments.ledger import Account
from market.payments.models import (
    AccountKind,
    Payment,
    PaymentDispute,
    Purpose,
)
from market.permissions import Actor

ALARMS = "payments"
"""Who rings where no process does: the alarm is written with what it is about."""


def destination(payment: Payment) -> Account:
    """Where the money of a payment belongs when it comes."""
    if payment.purpose == Purpose.DEPOSIT:
        return ledger.held(payment.organisation_id, payment.lot_id)
    if payment.purpose == Purpose.BALANCE:
        return ledger.price(payment.lot_id)
    return Account(AccountKind.INCOME, lot_id=payment.lot_id)


def book(session: Session, payment: Payment, seen: Seen, now: dt.datetime) -> None:
    """Book what changed at the gateway since the last look, then promise back what shall not be kept."""
    outside = ledger.authorised(payment.gateway)
    money = ledger.cash(payment.gateway)
    here = destination(payment)
    covered = payment.authorised_fen + payment.captured_fen + payment.let_go_fen
    if seen.status is Status.AUTHORISED and covered == 0:
        _post(session, payment, now, "authorised", outside, here, seen.amount_fen, seen.amount_fen)
        payment.authorised_fen = seen.amount_fen

    came = seen.captured_fen - payment.captured_fen
    if came > 0:
        set_aside = min(came, payment.authorised_fen)
        if set_aside:
            _post(session, payment, now, "captured", money, outside, set_aside, seen.captured_fen)
            payment.authorised_fen -= set_aside
        if came > set_aside:
            _post(session, payment, now, "paid", money, here, came - set_aside, seen.captured_fen)
        payment.captured_fen = seen.captured_fen

    if payment.authorised_fen and seen.status in (Status.CANCELLED, Status.PAID):
        let_go, payment.authorised_fen = payment.authorised_fen, 0
        _take_back(session, payment, now, "let_go", outside, let_go, payment.let_go_fen + let_go)
        payment.let_go_fen += let_go

    back = seen.refunded_fen - payment.refunded_fen
    if back > 0:
        _take_back(session, payment, now, "refunded", money, back, seen.refunded_fen)
        payment.refunded_fen = seen.refunded_fen
    elif back < 0:
        returning = ledger.returning(payment.organisation_id, payment.lot_id)
        key = f"{seen.refunded_fen}:{payment.version}"
        _post(session, payment, now, "refund_came_back", money, returning, -back, key)
        payment.refunded_fen = seen.refunded_fen

    if seen.fee_fen is not None and seen.fee_fen != payment.fee_fen:
        fees, more = Account(AccountKind.FEES, gateway=payment.gateway), seen.fee_fen - payment.fee_fen
        debit, credit = (fees, money) if more > 0 else (money, fees)
        _post(session, payment, now, "fee", debit, credit, abs(more), f"{seen.fee_fen}:{payment.version}")
        payment.fee_fen = seen.fee_fen

    for dispute in seen.disputes:
        _book_dispute(session, payment, dispute, now)
    promise(session, payment, now)


def promise(session: Session, payment: Payment, now: dt.datetime, actor: Actor | None = None) -> int:
    """Book as promised back what came or was set aside beyond what shall be kept; returns how much that is now."""
    keep = payment.amount_fen if payment.keep_fen is None else payment.keep_fen
    have = payment.authorised_fen + payment.let_go_fen + payment.captured_fen
    more = have - keep - payment.promised_fen
    if more <= 0:
        return 0
    payment.promised_fen += more
    ledger.post(
        session, f"payment:{payment.id}:promised:{payment.promised_fen}", "payment.promised",
        destination(payment), ledger.returning(payment.organisation_id, payment.lot_id), more, now,
        currency=payment.currency, payment_id=payment.id, actor=actor,
    )  # fmt: skip
    return more


def _take_back(
    session: Session, payment: Payment, now: dt.datetime, word: str, credit: Account, fen: int, key: int
) -> None:
    """Book what left: first against what was promised, then against what is there, then as owed to us."""
    unmet = max(payment.promised_fen - payment.refunded_fen - payment.let_go_fen, 0)
    parts = [(ledger.returning(payment.organisation_id, payment.lot_id), min(fen, unmet))]
    rest = fen - parts[0][1]
    if rest:
        # Nobody here decided this: an authorisation lapsed, or somebody gave it back at the gateway itself.
        there = max(ledger.balance(session, destination(payment), payment.currency), 0)
        parts += [(destination(payment), min(rest, there))]
        parts += [(ledger.owed(payment.organisation_id, payment.lot_id), rest - min(rest, there))]
        payment.promised_fen += rest
    for account, amount in parts:
        if amount:
            # What came back can leave again: the same sum, another movement.
            again = f"{key}:{account.kind.value}:{payment.version}"
            _post(session, payment, now, word, account, credit, amount, again)


def _post(
    session: Session, payment: Payment, now: dt.datetime, word: str, debit: Account, credit: Account,
    fen: int, key: int | str,
) -> None:  # fmt: skip
    ledger.post(
        session, f"payment:{payment.id}:{word}:{key}", f"payment.{word}", debit, credit, fen, now,
        currency=payment.currency, payment_id=payment.id,
    )  # fmt: skip


def _book_dispute(session: Session, payment: Payment, seen: SeenDispute, now: dt.datetime) -> None:
    c = t(PaymentDispute).c
    row = session.scalars(
        sa.select(PaymentDispute).where(c.payment_id == payment.id, c.reference == seen.reference)
    ).one_or_none()
    if row is None:
        assert payment.id is not None
        row = PaymentDispute(
            payment_id=payment.id, reference=seen.reference, amount_fen=seen.amount_fen, status="",
            reason=seen.reason, created_at=now, updated_at=now,
        )  # fmt: skip
        session.add(row)
        alarms.record(session, ALARMS, "payment_disputed", {"payment_id": payment.id}, now)
    if (row.status, row.evidence_due_at) != (seen.status, seen.evidence_due_at):
        row.status, row.evidence_due_at, row.updated_at = seen.status, seen.evidence_due_at, now
    wanted = seen.amount_fen if seen.withdrawn else 0
    change = wanted - row.withdrawn_fen
    if not change:
        return
    row.withdrawn_fen = wanted
    money, debtor = ledger.cash(payment.gateway), ledger.owed(payment.organisation_id, payment.lot_id)
    debit, credit = (debtor, money) if change > 0 else (money, debtor)
    word = "dispute_withdrawn" if change > 0 else "dispute_reinstated"
    _post(session, payment, now, word, debit, credit, abs(change), f"{seen.reference}:{payment.version}")
