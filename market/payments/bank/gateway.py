"""The gateway of bank transfers (对公转账): the payer transfers at its bank, and the statement says what came.

To whoever calls it, it is an outside system like any other: it keeps rows of its own and writes them in
transactions of its own. What came is the sum of the statement lines that two people have said to be a
payment; what went back is the sum of the pay-outs that left. A transfer cannot be refused: one that comes
after the payment was called off, in parts or in excess is told as it is.
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError

from market.clock import Clock
from market.db import Database, Session, for_update, t, upsert
from market.payments.bank.models import (
    BankLine,
    BankMatch,
    BankPayment,
    MatchKind,
    MatchState,
    PayOut,
    PayOutKind,
    PayOutState,
)
from market.payments.bank.references import COUNT, reference
from market.payments.gateway import (
    Ask,
    GatewayRefused,
    GatewayUnavailable,
    Method,
    RefundStatus,
    Seen,
    SeenRefund,
    Status,
)

TRIES = 20
"""How often another reference is thrown where one is taken."""


class OfflineGateway:
    """A bank account that payers transfer to, watched by people."""

    name = "offline"
    simulated = False
    methods: tuple[Method, ...] = (Method.BANK_TRANSFER,)

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock

    def start(self, key: str, ask: Ask) -> Seen:
        """Give the payer a reference to write on the transfer."""
        row = {
            "key": key,
            "payment_id": ask.payment_id,
            "organisation_id": ask.organisation_id,
            "lot_id": ask.lot_id,
            "purpose": ask.purpose,
            "amount_fen": ask.amount_fen,
            "currency": ask.currency,
        }
        for _ in range(TRIES):
            try:
                with self._db.write() as session:
                    row |= {"reference": new_reference(), "created_at": self._clock.now()}
                    upsert(session, t(BankPayment), [row], key=["key"])
                    stored = _find(session, key=key)
                    if (stored.amount_fen, stored.currency) != (ask.amount_fen, ask.currency):
                        raise GatewayRefused(reason="key_reused")
                    return seen(session, stored)
            except IntegrityError:
                continue
            except OperationalError:
                raise GatewayUnavailable from None
        raise GatewayUnavailable

    def look(self, reference: str) -> Seen:
        """What came and what went back."""
        try:
            with self._db.read() as session:
                return seen(session, _find(session, reference=reference))
        except OperationalError:
            raise GatewayUnavailable from None

    def capture(self, key: str, reference: str, amount_fen: int) -> Seen:
        """Refused: a transfer is there or it is not."""
        del key, amount_fen
        self.look(reference)
        raise GatewayRefused(reason="nothing_authorised")

    def cancel(self, key: str, reference: str) -> Seen:
        """Expect it no more. Refused while money that came is here."""
        del key
        try:
            with self._db.write() as session:
                row = _find(session, reference=reference, lock=True)
                now_seen = seen(session, row)
                if now_seen.captured_fen - now_seen.refunded_fen - now_seen.refunding_fen > 0:
                    raise GatewayRefused(reason="already_paid")
                if row.cancelled_at is None:
                    c = t(BankPayment).c
                    session.execute(
                        sa.update(t(BankPayment)).where(c.id == row.id).values(cancelled_at=self._clock.now())
                    )
                return seen(session, _find(session, reference=reference))
        except OperationalError:
            raise GatewayUnavailable from None

    def refund(self, key: str, reference: str, amount_fen: int) -> Seen:
        """Order a pay-out. It is on its way until the statement, or somebody, says that it left."""
        for _ in range(TRIES):
            try:
                with self._db.write() as session:
                    return self._refund(session, key, reference, amount_fen)
            except IntegrityError:
                continue
            except OperationalError:
                raise GatewayUnavailable from None
        raise GatewayUnavailable

    def _refund(self, session: Session, key: str, reference: str, amount_fen: int) -> Seen:
        row = _find(session, reference=reference, lock=True)
        c = t(PayOut).c
        known = session.execute(sa.select(c.bank_payment_id, c.amount_fen).where(c.key == key)).first()
        if known is not None:
            if tuple(known) != (row.id, amount_fen):
                raise GatewayRefused(reason="key_reused")
            return seen(session, row)
        now_seen, now = seen(session, row), self._clock.now()
        left = now_seen.captured_fen - now_seen.refunded_fen - now_seen.refunding_fen
        if not 0 < amount_fen <= left:
            raise GatewayRefused(reason="beyond_what_is_left")
        session.add(
            PayOut(
                key=key,
                reference=new_reference(),
                kind=PayOutKind.REFUND.value,
                bank_payment_id=row.id,
                organisation_id=row.organisation_id,
                lot_id=row.lot_id,
                amount_fen=amount_fen,
                currency=row.currency,
                created_at=now,
                updated_at=now,
            )
        )
        session.flush()
        return seen(session, row)

    def authorise_again(self, key: str, ask: Ask, reference: str) -> Seen:
        """Refused: nothing is ever set aside."""
        del key, ask
        self.look(reference)
        raise GatewayRefused(reason="nothing_authorised")


def new_reference() -> str:
    """A reference thrown at random; whoever stores it throws again where it is taken."""
    return reference(secrets.randbelow(COUNT))


def _find(session: Session, *, key: str = "", reference: str = "", lock: bool = False) -> Any:
    c = t(BankPayment).c
    statement = sa.select(
        c.id, c.reference, c.organisation_id, c.lot_id, c.amount_fen, c.currency, c.cancelled_at
    ).where(c.key == key if key else c.reference == reference)
    row = session.execute(for_update(statement, session) if lock else statement).first()
    if row is None:
        raise GatewayRefused(reason="unknown_reference")
    return row


def came(session: Session, bank_payment_id: int) -> int:
    """What came of a payment: the lines that two people say to be it, fen."""
    m, line = t(BankMatch).c, t(BankLine).c
    total = session.scalar(
        sa.select(sa.func.sum(line.amount_fen))
        .select_from(t(BankMatch).join(t(BankLine), line.id == m.line_id))
        .where(
            m.bank_payment_id == bank_payment_id,
            m.kind == MatchKind.PAYMENT.value,
            m.state == MatchState.CONFIRMED.value,
        )
    )
    return int(total or 0)


def seen(session: Session, row: Any) -> Seen:
    """A payment as the bank's rows tell it."""
    c = t(PayOut).c
    captured = came(session, row.id)
    refunds = tuple(
        SeenRefund(
            one.reference,
            one.amount_fen,
            RefundStatus.DONE if one.state == PayOutState.LEFT else RefundStatus.PENDING,
            one.key,
        )
        for one in session.execute(
            sa.select(c.reference, c.amount_fen, c.state, c.key)
            .where(c.bank_payment_id == row.id)
            .order_by(c.id)
        )
    )
    status = Status.WAITING
    if row.cancelled_at is not None:
        status = Status.CANCELLED
    elif captured >= row.amount_fen:
        status = Status.PAID
    return Seen(
        reference=row.reference,
        status=status,
        amount_fen=row.amount_fen,
        currency=row.currency,
        captured_fen=captured,
        refunds=refunds,
    )
