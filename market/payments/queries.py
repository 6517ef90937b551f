"""Reads of deposits and payments."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.errors import NotFound
from market.parties.models import Organisation
from market.payments.gateway import Decline, Method, Status
from market.payments.models import Deposit, DepositState, Payment, Purpose
from market.permissions import Action, Actor, require


@dataclass(frozen=True)
class PaymentLine:
    """A payment as pages show it. `reference` is the gateway's, or what a transfer must say."""

    id: int
    purpose: Purpose
    deposit_id: int | None
    lot_id: int
    organisation_id: int
    organisation_name: str
    amount_fen: int
    currency: str
    gateway: str
    method: Method
    reference: str | None
    pay_url: str | None
    status: Status
    decline: Decline | None
    expires_at: dt.datetime | None
    keep_fen: int | None
    authorised_fen: int
    captured_fen: int
    refunded_fen: int
    promised_fen: int
    settled: bool
    created_at: dt.datetime
    seen_at: dt.datetime | None


@dataclass(frozen=True)
class DepositLine:
    """A deposit as lists show it; `payment` is the one that covers it, or else the last."""

    id: int
    lot_id: int
    organisation_id: int
    organisation_name: str
    amount_fen: int
    currency: str
    state: DepositState
    release_by: dt.datetime | None
    created_at: dt.datetime
    updated_at: dt.datetime
    payment: PaymentLine | None = None

    @property
    def gateway(self) -> str | None:
        """Where it is paid."""
        return self.payment.gateway if self.payment else None

    @property
    def gateway_reference(self) -> str | None:
        """How the gateway calls it."""
        return self.payment.reference if self.payment else None


def _select() -> sa.Select[Any]:
    d, o = t(Deposit).c, t(Organisation).c
    return sa.select(
        d.id, d.lot_id, d.organisation_id, o.name, d.amount_fen, d.currency, d.state, d.release_by,
        d.created_at, d.updated_at,
    ).select_from(t(Deposit).join(t(Organisation), d.organisation_id == o.id))  # fmt: skip


_NAMES = tuple(name for name in DepositLine.__dataclass_fields__ if name != "payment")


def _lines(session: Session, rows: Sequence[Sequence[Any]]) -> list[DepositLine]:
    """Deposits with their payments. One more statement."""
    by_deposit: dict[int, PaymentLine] = {}
    if rows:
        found = _payments(session, t(Payment).c.deposit_id.in_([row[0] for row in rows]))
        for one in sorted(found, key=_stands):
            assert one.deposit_id is not None
            by_deposit[one.deposit_id] = one
    lines = []
    for row in rows:
        values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
        values["state"] = DepositState(values["state"])
        lines.append(DepositLine(**values, payment=by_deposit.get(values["id"])))
    return lines


def _stands(payment: PaymentLine) -> tuple[bool, int]:
    have = payment.authorised_fen + payment.captured_fen - payment.refunded_fen
    return (have >= payment.amount_fen, payment.id)


def _payments(session: Session, *conditions: sa.ColumnElement[bool]) -> list[PaymentLine]:
    p, o = t(Payment).c, t(Organisation).c
    names = [name for name in PaymentLine.__dataclass_fields__ if name != "organisation_name"]
    rows = session.execute(
        sa.select(*(p[name] for name in names), o.name.label("organisation_name"))
        .join_from(Payment, Organisation, p.organisation_id == o.id)
        .where(*conditions)
        .order_by(p.id)
    ).mappings()
    return [
        PaymentLine(
            **{
                **row,
                "purpose": Purpose(row["purpose"]),
                "method": Method(row["method"]),
                "status": Status(row["status"]),
                "decline": Decline(row["decline"]) if row["decline"] else None,
            }
        )
        for row in rows
    ]


def payment(session: Session, actor: Actor, payment_id: int) -> PaymentLine:
    """One payment. Raises NotFound for what the actor may not see."""
    found = _payments(session, t(Payment).c.id == payment_id)
    if not found or not _may_see(actor, found[0].organisation_id):
        raise NotFound(kind="payment")
    return found[0]


def payments_of_lot(
    session: Session, lot_id: int, *, organisation_id: int | None = None, purpose: Purpose | None = None
) -> list[PaymentLine]:
    """The payments about a lot, in the order of asking."""
    p = t(Payment).c
    conditions = [p.lot_id == lot_id]
    if organisation_id is not None:
        conditions.append(p.organisation_id == organisation_id)
    if purpose is not None:
        conditions.append(p.purpose == purpose.value)
    return _payments(session, *conditions)


def payments_of_deposit(session: Session, deposit_id: int) -> list[PaymentLine]:
    """Every payment of a deposit, in the order of asking."""
    return _payments(session, t(Payment).c.deposit_id == deposit_id)


def deposit_of(session: Session, lot_id: int, organisation_id: int) -> DepositLine | None:
    """An organisation's deposit for a lot, if it was asked for."""
    d = t(Deposit).c
    rows = session.execute(_select().where(d.lot_id == lot_id, d.organisation_id == organisation_id)).all()
    return next(iter(_lines(session, rows)), None)


def deposits_of_lot(session: Session, lot_id: int) -> list[DepositLine]:
    """Every deposit for a lot, in the order of asking."""
    d = t(Deposit).c
    return _lines(session, session.execute(_select().where(d.lot_id == lot_id).order_by(d.id)).all())


def _may_see(actor: Actor, organisation_id: int) -> bool:
    return actor.can(Action.LOT_ADMIT) or actor.can(Action.BID_PLACE, organisation_id)


def deposit(session: Session, actor: Actor, deposit_id: int) -> DepositLine:
    """One deposit. Raises NotFound for what the actor may not see."""
    found = _lines(session, session.execute(_select().where(t(Deposit).c.id == deposit_id)).all())
    if not found or not _may_see(actor, found[0].organisation_id):
        raise NotFound(kind="deposit")
    return found[0]


def deposits(
    session: Session, actor: Actor, *, lot_id: int | None = None, limit: int = 20, offset: int = 0
) -> tuple[list[DepositLine], int]:
    """The deposits that an actor may see (its organisations' own; staff: all), newest first, and how
    many there are. Raises SignInRequired, NotAllowed."""
    d = t(Deposit).c
    where: list[sa.ColumnElement[bool]] = []
    if not actor.can(Action.LOT_ADMIT):
        require(actor, Action.BID_PLACE)
        where.append(d.organisation_id.in_(actor.organisations_for(Action.BID_PLACE) or frozenset()))
    if lot_id is not None:
        where.append(d.lot_id == lot_id)
    rows = session.execute(_select().where(*where).order_by(d.id.desc()).limit(limit).offset(offset)).all()
    count = session.scalar(sa.select(sa.func.count()).select_from(t(Deposit)).where(*where)) or 0
    return _lines(session, rows), count


def held_for(session: Session, lot_id: int, organisation_id: int) -> bool:
    """Whether an organisation's deposit for a lot is held now."""
    found = deposit_of(session, lot_id, organisation_id)
    return found is not None and found.state is DepositState.HELD
