"""The simulated gateway: a pay page to click, and no money. Refused in production, labelled everywhere.

It behaves as an outside system does: it keeps what it knows in rows of its own, written in transactions
of its own, so it must be called with none open; it knows keys, authorisations that lapse, and ceilings.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.clock import Clock
from market.db import Database, Session, for_update, t
from market.payments.gateway import (
    Ask,
    Decline,
    GatewayRefused,
    Method,
    RefundStatus,
    Seen,
    SeenRefund,
    Status,
)

LIFE = dt.timedelta(days=7)
"""How long an authorisation of the simulated card lives."""
SLOW = dt.timedelta(seconds=20)
"""How long a slow payment takes."""


class PayerAct(enum.StrEnum):
    """What a payer does on the simulated pay page."""

    SUCCEED = "succeed"
    AUTHENTICATE = "authenticate"
    """The bank asks for a code first."""
    SLOW = "slow"
    CANCEL = "cancel"
    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    AUTHENTICATION_FAILED = "authentication_failed"


class SimulatedPayment(SQLModel, table=True):
    """What the simulated gateway knows of one payment. Nothing else reads it."""

    __tablename__ = "simulated_payment"
    id: int | None = columns.primary_key()
    reference: str = Field(max_length=64, unique=True)
    amount_fen: int = columns.fen()
    currency: str = Field(max_length=3)
    method: str = Field(max_length=16)
    manual_capture: bool
    status: str = Field(max_length=16)
    captured_fen: int = columns.fen(default=0)
    decline: str | None = Field(default=None, max_length=32)
    authenticating: bool = False
    ready_at: dt.datetime | None = columns.instant(optional=True)
    expires_at: dt.datetime | None = columns.instant(optional=True)
    refunds: list[dict[str, Any]] = columns.json_list()
    keys: dict[str, Any] = columns.json_object()
    """The keys that it was asked with, and for how much."""
    return_url: str = columns.text()
    cancel_url: str = columns.text()


class SimulatedGateway:
    """Pretends: the payer presses a button that says so, and no money moves."""

    name = "simulated"
    simulated = True
    methods: tuple[Method, ...] = (Method.CARD, Method.ALIPAY)

    def __init__(self, db: Database, clock: Clock, base_url: str = "") -> None:
        self.db, self.clock, self.base_url = db, clock, base_url.rstrip("/")

    def start(self, key: str, ask: Ask) -> Seen:
        """Ask a payer for an amount; the pay page is this market's own."""
        return self._begin(key, ask, Status.WAITING)

    def authorise_again(self, key: str, ask: Ask, reference: str) -> Seen:
        """Authorise anew; a card that was declined before stays declined."""
        with self.db.read() as session:
            earlier = self._find(session, reference)
            declined = earlier.decline
        return self._begin(key, ask, Status.WAITING if declined else Status.AUTHORISED, declined)

    def look(self, reference: str) -> Seen:
        """What it sees. Raises GatewayRefused for a reference that it did not give."""
        with self.db.write() as session:
            return self._seen(self._find(session, reference))

    def capture(self, key: str, reference: str, amount_fen: int) -> Seen:
        """Take an authorised amount or a part of it."""
        with self.db.write() as session:
            row = self._find(session, reference)
            if self._known(row, key, amount_fen):
                return self._seen(row)
            if row.status != Status.AUTHORISED or not 0 < amount_fen <= row.amount_fen:
                raise GatewayRefused(reason="not_capturable")
            row.status, row.captured_fen, row.expires_at = Status.PAID.value, amount_fen, None
            row.keys = {**row.keys, key: amount_fen}
            return self._seen(row)

    def cancel(self, key: str, reference: str) -> Seen:
        """Call off what was not captured."""
        with self.db.write() as session:
            row = self._find(session, reference)
            if row.captured_fen:
                raise GatewayRefused(reason="already_captured")
            row.status, row.expires_at = Status.CANCELLED.value, None
            row.keys = {**row.keys, key: 0}
            return self._seen(row)

    def refund(self, key: str, reference: str, amount_fen: int) -> Seen:
        """Give back what was captured, or a part of it."""
        with self.db.write() as session:
            row = self._find(session, reference)
            if self._known(row, key, amount_fen):
                return self._seen(row)
            gone = sum(int(one["amount_fen"]) for one in row.refunds)
            if not 0 < amount_fen <= row.captured_fen - gone:
                raise GatewayRefused(reason="beyond_captured")
            refund = {
                "reference": f"{reference}-r{len(row.refunds) + 1}",
                "amount_fen": amount_fen,
                "key": key,
            }
            row.refunds = [*row.refunds, refund]
            row.keys = {**row.keys, key: amount_fen}
            return self._seen(row)

    def act(self, reference: str, act: PayerAct) -> Seen:
        """What the payer does on the pay page. Acting on what is over changes nothing."""
        with self.db.write() as session:
            row = self._find(session, reference)
            if row.status != Status.WAITING:
                return self._seen(row)
            now = self.clock.now()
            row.decline, row.authenticating = None, False
            match act:
                case PayerAct.SUCCEED:
                    self._succeed(row, now)
                case PayerAct.AUTHENTICATE:
                    row.authenticating = True
                case PayerAct.SLOW:
                    row.status, row.ready_at = Status.PROCESSING.value, now + SLOW
                case PayerAct.CANCEL:
                    row.status = Status.CANCELLED.value
                case _:
                    row.decline = Decline(act.value).value
            return self._seen(row)

    def page(self, reference: str) -> SimulatedPayment | None:
        """What the pay page shows."""
        with self.db.write() as session:
            c = t(SimulatedPayment).c
            row = session.scalars(sa.select(SimulatedPayment).where(c.reference == reference)).one_or_none()
            if row is not None:
                self._pass_time(row)
                session.flush()
                session.expunge(row)
            return row

    def _begin(self, key: str, ask: Ask, status: Status, decline: str | None = None) -> Seen:
        with self.db.write() as session:
            c = t(SimulatedPayment).c
            reference = f"sim-{ask.payment_id}"
            row = session.scalars(sa.select(SimulatedPayment).where(c.reference == reference)).one_or_none()
            if row is None:
                row = SimulatedPayment(
                    reference=reference,
                    amount_fen=ask.amount_fen,
                    currency=ask.currency,
                    method=ask.method.value,
                    manual_capture=ask.manual_capture,
                    status=status.value,
                    decline=decline,
                    keys={key: ask.amount_fen},
                    return_url=ask.return_url,
                    cancel_url=ask.cancel_url,
                )
                if status is Status.AUTHORISED:
                    row.expires_at = self.clock.now() + LIFE
                session.add(row)
                session.flush()
            elif row.keys.get(key) != ask.amount_fen:
                raise GatewayRefused(reason="key_reused")
            return self._seen(row)

    def _known(self, row: SimulatedPayment, key: str, amount_fen: int) -> bool:
        if key not in row.keys:
            return False
        if row.keys[key] != amount_fen:
            raise GatewayRefused(reason="key_reused")
        return True

    def _find(self, session: Session, reference: str) -> SimulatedPayment:
        statement = sa.select(SimulatedPayment).where(t(SimulatedPayment).c.reference == reference)
        row: SimulatedPayment | None = session.scalars(for_update(statement, session)).one_or_none()
        if row is None:
            raise GatewayRefused(reason="unknown_reference")
        self._pass_time(row)
        return row

    def _pass_time(self, row: SimulatedPayment) -> None:
        now = self.clock.now()
        if row.status == Status.PROCESSING and row.ready_at is not None and row.ready_at <= now:
            self._succeed(row, now)
        if row.status == Status.AUTHORISED and row.expires_at is not None and row.expires_at <= now:
            row.status, row.expires_at = Status.CANCELLED.value, None

    def _succeed(self, row: SimulatedPayment, now: dt.datetime) -> None:
        row.ready_at = None
        if row.manual_capture:
            row.status, row.expires_at = Status.AUTHORISED.value, now + LIFE
        else:
            row.status, row.captured_fen = Status.PAID.value, row.amount_fen

    def _seen(self, row: SimulatedPayment) -> Seen:
        payable = row.status == Status.WAITING
        return Seen(
            reference=row.reference,
            status=Status(row.status),
            amount_fen=row.amount_fen,
            currency=row.currency,
            captured_fen=row.captured_fen,
            pay_url=f"{self.base_url}/payments/simulated/{row.reference}" if payable else None,
            expires_at=row.expires_at,
            decline=Decline(row.decline) if row.decline else None,
            refunds=tuple(
                SeenRefund(one["reference"], int(one["amount_fen"]), RefundStatus.DONE, one["key"])
                for one in row.refunds
            ),
        )
