"""Reads of deposits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.errors import NotFound
from market.parties.models import Organisation
from market.payments.models import Deposit, DepositState
from market.permissions import Action, Actor, require


@dataclass(frozen=True)
class DepositLine:
    """A deposit as lists show it."""

    id: int
    lot_id: int
    organisation_id: int
    organisation_name: str
    amount_fen: int
    currency: str
    state: DepositState
    gateway: str
    gateway_reference: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


def _select() -> sa.Select[Any]:
    d, o = t(Deposit).c, t(Organisation).c
    return sa.select(
        d.id, d.lot_id, d.organisation_id, o.name, d.amount_fen, d.currency, d.state, d.gateway,
        d.gateway_reference, d.created_at, d.updated_at,
    ).select_from(t(Deposit).join(t(Organisation), d.organisation_id == o.id))  # fmt: skip


_NAMES = tuple(DepositLine.__dataclass_fields__)


def _line(row: Sequence[Any]) -> DepositLine:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    values["state"] = DepositState(values["state"])
    return DepositLine(**values)


def deposit_of(session: Session, lot_id: int, organisation_id: int) -> DepositLine | None:
    """An organisation's deposit for a lot, if it was asked for."""
    d = t(Deposit).c
    row = session.execute(_select().where(d.lot_id == lot_id, d.organisation_id == organisation_id)).first()
    return None if row is None else _line(row)


def deposits_of_lot(session: Session, lot_id: int) -> list[DepositLine]:
    """Every deposit for a lot, in the order of asking."""
    d = t(Deposit).c
    return [_line(row) for row in session.execute(_select().where(d.lot_id == lot_id).order_by(d.id))]


def deposit(session: Session, actor: Actor, deposit_id: int) -> DepositLine:
    """One deposit. Raises NotFound for what the actor may not see."""
    row = session.execute(_select().where(t(Deposit).c.id == deposit_id)).first()
    if row is None:
        raise NotFound
    found = _line(row)
    if not (actor.can(Action.LOT_ADMIT) or actor.can(Action.BID_PLACE, found.organisation_id)):
        raise NotFound
    return found


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
    rows = session.execute(_select().where(*where).order_by(d.id.desc()).limit(limit).offset(offset))
    found = [_line(row) for row in rows]
    count = session.scalar(sa.select(sa.func.count()).select_from(t(Deposit)).where(*where)) or 0
    return found, count


def held_for(session: Session, lot_id: int, organisation_id: int) -> bool:
    """Whether an organisation's deposit for a lot is held now."""
    found = deposit_of(session, lot_id, organisation_id)
    return found is not None and found.state is DepositState.HELD
