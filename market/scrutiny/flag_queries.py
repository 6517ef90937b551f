"""Reads of flags: for those who register contracts, and for nobody else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.deals.models import Contract, ContractState
from market.errors import NotFound
from market.parties.models import Person
from market.permissions import Action, Actor, require
from market.scrutiny.models import ContractFlag, FlagKind


@dataclass(frozen=True)
class FlaggedContract:
    """A contract as a reviewer compares it; amounts in fen."""

    id: int
    local_number: str
    registration_number: str | None
    title: str
    seller_name: str
    buyer_name: str
    deal_fen: int
    signed_on: dt.date | None
    state: ContractState


@dataclass(frozen=True)
class FlagView:
    """A flag with its contract, and the other one where it is about two.

    Closed without a reason it lapsed: what it was about was no longer so.
    """

    id: int
    kind: FlagKind
    about: str
    detail: dict[str, Any]
    raised_at: dt.datetime
    closed_at: dt.datetime | None
    closed_by: str | None
    reason: str
    version: int
    contract: FlaggedContract
    other: FlaggedContract | None

    @property
    def lapsed(self) -> bool:
        """Whether it went by itself."""
        return self.closed_at is not None and not self.reason


_OWN = ("id", "kind", "about", "detail", "raised_at", "closed_at", "reason", "version")
_CONTRACT = tuple(FlaggedContract.__dataclass_fields__)


def _select() -> sa.Select[Any]:
    f, c, o = t(ContractFlag), t(Contract).alias("c"), t(Contract).alias("o")
    return sa.select(
        *(f.c[name] for name in _OWN), t(Person).c.name, *(c.c[name] for name in _CONTRACT),
        *(o.c[name] for name in _CONTRACT),
    ).select_from(
        f.join(c, f.c.contract_id == c.c.id)
        .outerjoin(o, f.c.other_id == o.c.id)
        .outerjoin(t(Person), f.c.closed_by == t(Person).c.id)
    )  # fmt: skip


def _contract(values: Sequence[Any]) -> FlaggedContract | None:
    if values[0] is None:
        return None
    named = dict(zip(_CONTRACT, values, strict=True))
    named["state"] = ContractState(named["state"])
    return FlaggedContract(**named)


def _view(row: Sequence[Any]) -> FlagView:
    own = dict(zip(_OWN, row[: len(_OWN)], strict=True))
    own["kind"] = FlagKind(own["kind"])
    rest = row[len(_OWN) :]
    contract = _contract(rest[1 : 1 + len(_CONTRACT)])
    assert contract is not None
    other = _contract(rest[1 + len(_CONTRACT) :])
    return FlagView(**own, closed_by=rest[0], contract=contract, other=other)


def _where(kind: FlagKind | None, closed: bool) -> list[sa.ColumnElement[bool]]:
    c = t(ContractFlag).c
    where: list[sa.ColumnElement[bool]] = [c.closed_at.is_not(None) if closed else c.closed_at.is_(None)]
    if kind is not None:
        where.append(c.kind == kind.value)
    return where


def flags(
    session: Session,
    actor: Actor,
    *,
    kind: FlagKind | None = None,
    closed: bool = False,
    limit: int = 20,
    offset: int = 0,
) -> tuple[list[FlagView], int]:
    """Open flags, the newest first, or those closed, the latest first; and how many there are.

    Raises SignInRequired, NotAllowed.
    """
    require(actor, Action.CONTRACT_REGISTER)
    c, where = t(ContractFlag).c, _where(kind, closed)
    order = c.closed_at.desc() if closed else c.raised_at.desc()
    rows = session.execute(
        _select().where(*where).order_by(order, c.id.desc()).limit(limit).offset(offset)
    ).all()
    total = session.scalar(sa.select(sa.func.count()).select_from(t(ContractFlag)).where(*where)) or 0
    return [_view(row) for row in rows], total


def counts(session: Session, *, closed: bool = False) -> dict[FlagKind, int]:
    """How many flags of each kind are open, or closed."""
    c = t(ContractFlag).c
    rows = session.execute(
        sa.select(c.kind, sa.func.count()).where(*_where(None, closed)).group_by(c.kind)
    ).all()
    found = {row[0]: row[1] for row in rows}
    return {kind: found.get(kind.value, 0) for kind in FlagKind}


def of_contract(session: Session, actor: Actor, contract_id: int) -> list[FlagView]:
    """The flags on a contract and those on others that are about it, open ones first. Nothing for those who
    may not see flags."""
    if not actor.can(Action.CONTRACT_REGISTER):
        return []
    c = t(ContractFlag).c
    rows = session.execute(
        _select()
        .where(sa.or_(c.contract_id == contract_id, c.other_id == contract_id))
        .order_by(c.closed_at.is_not(None), c.raised_at.desc(), c.id.desc())
    )
    return [_view(row) for row in rows]


def flag(session: Session, actor: Actor, flag_id: int) -> FlagView:
    """One flag. Raises SignInRequired, NotAllowed, NotFound."""
    require(actor, Action.CONTRACT_REGISTER)
    row = session.execute(_select().where(t(ContractFlag).c.id == flag_id)).first()
    if row is None:
        raise NotFound(kind="contract_flag")
    return _view(row)
