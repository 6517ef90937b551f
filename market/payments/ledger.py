"""The double-entry ledger: each transfer moves one amount from one account to another; none is ever edited.

A balance is what an account was credited less what it was debited, in fen: what the market owes is
positive, the money that it has is negative. All balances sum to zero.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t, upsert
from market.errors import Conflict
from market.payments.models import AccountKind, LedgerAccount, LedgerTransfer
from market.permissions import Actor


class KeyReused(Conflict):
    """The same key was posted before for another movement: a bug. Params: `key`."""


@dataclass(frozen=True)
class Account:
    """An account by what it is of. `whose` tells apart accounts of one kind and lot."""

    kind: AccountKind
    organisation_id: int | None = None
    lot_id: int | None = None
    gateway: str | None = None
    whose: str | None = None

    @property
    def code(self) -> str:
        """How the account is called in the ledger: `held:12:7`, `cash:stripe`, `forfeited:7:seller`."""
        parts = (self.kind.value, self.organisation_id, self.lot_id, self.gateway, self.whose)
        return ":".join(str(part) for part in parts if part is not None)


def cash(gateway: str) -> Account:
    """Money that has come, at a gateway."""
    return Account(AccountKind.CASH, gateway=gateway)


def authorised(gateway: str) -> Account:
    """Amounts set aside at payers' banks through a gateway."""
    return Account(AccountKind.AUTHORISED, gateway=gateway)


def held(organisation_id: int, lot_id: int) -> Account:
    """One bidder's deposit for one lot."""
    return Account(AccountKind.HELD, organisation_id, lot_id)


def returning(organisation_id: int, lot_id: int) -> Account:
    """What was promised back to a payer and is not there yet."""
    return Account(AccountKind.RETURNING, organisation_id, lot_id)


def owed(organisation_id: int, lot_id: int) -> Account:
    """What a payer owes."""
    return Account(AccountKind.OWED, organisation_id, lot_id)


def price(lot_id: int) -> Account:
    """What was paid towards the price of a lot."""
    return Account(AccountKind.PRICE, lot_id=lot_id)


def post(
    session: Session,
    key: str,
    cause: str,
    debit: Account,
    credit: Account,
    amount_fen: int,
    now: dt.datetime,
    *,
    currency: str = "CNY",
    payment_id: int | None = None,
    actor: Actor | None = None,
    detail: Mapping[str, Any] | None = None,
) -> bool:
    """Move an amount from one account (`debit`) to another; False when this key was posted before.

    Raises KeyReused when the key stands for another movement, ValueError for an amount that is not positive.
    """
    if amount_fen <= 0:
        raise ValueError("an amount moved is positive")
    row = {
        "key": key,
        "cause": cause,
        "debit_id": _account(session, debit, currency),
        "credit_id": _account(session, credit, currency),
        "amount_fen": amount_fen,
        "payment_id": payment_id,
        "actor_id": actor.person_id if actor else None,
        "at": now,
        "detail": dict(detail or {}),
    }
    if upsert(session, t(LedgerTransfer), [row], key=["key"]):
        return True
    c = t(LedgerTransfer).c
    stored = session.execute(sa.select(c.debit_id, c.credit_id, c.amount_fen).where(c.key == key)).one()
    if tuple(stored) != (row["debit_id"], row["credit_id"], amount_fen):
        raise KeyReused(key=key)
    return False


@dataclass(frozen=True)
class Move:
    """One of many movements with one cause. `key`, `debit`, `credit`, `amount_fen`, `detail` are as in `post`."""

    key: str
    debit: Account
    credit: Account
    amount_fen: int
    detail: Mapping[str, Any]


def post_new(
    session: Session,
    cause: str,
    moves: Sequence[Move],
    now: dt.datetime,
    *,
    currency: str = "CNY",
    actor: Actor | None = None,
) -> None:
    """Post many movements that are new for certain, in few statements.

    Raises KeyReused where one is not, ValueError for an amount that is not positive.
    """
    accounts = {one: _account(session, one, currency) for move in moves for one in (move.debit, move.credit)}
    rows: list[dict[str, Any]] = [
        {
            "key": one.key,
            "cause": cause,
            "debit_id": accounts[one.debit],
            "credit_id": accounts[one.credit],
            "amount_fen": one.amount_fen,
            "payment_id": None,
            "actor_id": actor.person_id if actor else None,
            "at": now,
            "detail": dict(one.detail),
        }
        for one in moves
    ]
    if any(one.amount_fen <= 0 for one in moves):
        raise ValueError("an amount moved is positive")
    if upsert(session, t(LedgerTransfer), rows, key=["key"]) != len(rows):
        raise KeyReused(key=rows[0]["key"])


def _account(session: Session, account: Account, currency: str) -> int:
    c = t(LedgerAccount).c
    wanted = sa.select(c.id).where(c.code == account.code, c.currency == currency)
    found = session.scalar(wanted)
    if found is not None:
        return int(found)
    row = {
        "code": account.code,
        "currency": currency,
        "kind": account.kind.value,
        "organisation_id": account.organisation_id,
        "lot_id": account.lot_id,
        "gateway": account.gateway,
    }
    upsert(session, t(LedgerAccount), [row], key=["code", "currency"])
    return int(session.execute(wanted).scalar_one())


def balance(session: Session, account: Account, currency: str = "CNY") -> int:
    """What an account holds, fen."""
    return balances(session, code=account.code).get((account.code, currency), 0)


def balances(
    session: Session,
    *,
    code: str | None = None,
    kind: AccountKind | None = None,
    organisation_id: int | None = None,
    lot_id: int | None = None,
) -> dict[tuple[str, str], int]:
    """What accounts hold, by (code, currency), narrowed as asked; empty ones are left out. One statement."""
    a, x = t(LedgerAccount).c, t(LedgerTransfer).c
    sides = sa.union_all(
        sa.select(x.credit_id.label("account_id"), x.amount_fen.label("fen")),
        sa.select(x.debit_id, -x.amount_fen),
    ).subquery()
    total = sa.func.sum(sides.c.fen)
    statement = (
        sa.select(a.code, a.currency, total)
        .join(sides, sides.c.account_id == a.id)
        .group_by(a.code, a.currency)
        .having(total != 0)
        .order_by(a.code, a.currency)
    )
    for column, value in (
        (a.code, code),
        (a.kind, None if kind is None else kind.value),
        (a.organisation_id, organisation_id),
        (a.lot_id, lot_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    return {(row[0], row[1]): int(row[2]) for row in session.execute(statement)}


def total(session: Session) -> dict[str, int]:
    """The sum of all balances by currency; anything but zero is damage. For the health check."""
    sums: dict[str, int] = {}
    for (_, currency), fen in balances(session).items():
        sums[currency] = sums.get(currency, 0) + fen
    return sums
