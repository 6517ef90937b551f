"""Statements of the ledger: of an organisation, or of a lot, account by account.

Each account opens with what it held before the first day, lists what moved with its cause and the account on
the other side, and closes with what it holds after the last. What an organisation paid to accounts that are
nobody's own (the price of a lot, the market's fees) is listed as its own payments there.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.clock import start_of_local_day
from market.db import Session, t
from market.errors import NotFound
from market.parties.models import Organisation
from market.payments.models import AccountKind, LedgerAccount, LedgerTransfer, Payment
from market.permissions import Action, Actor

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Side:
    """An account as a statement names it."""

    kind: AccountKind
    lot_id: int | None
    gateway: str | None
    organisation_name: str


@dataclass(frozen=True)
class Entry:
    """A movement. `fen` is positive where it was credited to the account; `balance_fen` is what it held then."""

    id: int
    at: dt.datetime
    cause: str
    counter: Side
    fen: int
    balance_fen: int
    reason: str


@dataclass(frozen=True)
class Section:
    """An account with what moved. `opening_fen` plus the entries is `closing_fen`."""

    account: Side
    currency: str
    opening_fen: int
    entries: tuple[Entry, ...]
    closing_fen: int


@dataclass(frozen=True)
class Statement:
    """A statement from a day to a day, both included; None for without bound."""

    organisation_name: str
    lot_id: int | None
    since: dt.date | None
    until: dt.date | None
    sections: tuple[Section, ...]


def may_read_organisation(actor: Actor, organisation_id: int) -> bool:
    """Whether an actor may read an organisation's statement: its own people, staff, administrators."""
    return actor.can(Action.MONEY_READ, organisation_id)


def of_organisation(
    session: Session,
    actor: Actor,
    organisation_id: int,
    since: dt.date | None = None,
    until: dt.date | None = None,
    *,
    lot_id: int | None = None,
) -> Statement:
    """An organisation's statement, of one lot where asked. Raises NotFound for what the actor may not know of."""
    name = session.scalar(sa.select(t(Organisation).c.name).where(t(Organisation).c.id == organisation_id))
    if name is None or not may_read_organisation(actor, organisation_id):
        raise NotFound(kind="organisation")
    a, x, p = t(LedgerAccount).c, t(LedgerTransfer).c, t(Payment).c
    own: list[sa.ColumnElement[bool]] = [a.organisation_id == organisation_id]
    paid: list[sa.ColumnElement[bool]] = [
        a.organisation_id.is_(None),
        a.kind.in_([AccountKind.PRICE.value, AccountKind.INCOME.value]),
        x.payment_id.in_(sa.select(p.id).where(p.organisation_id == organisation_id)),
    ]
    if lot_id is not None:
        own.append(a.lot_id == lot_id)
        paid.append(a.lot_id == lot_id)
    sections = _sections(session, sa.or_(sa.and_(*own), sa.and_(*paid)), since, until)
    return Statement(str(name), lot_id, since, until, sections)


def of_lot(
    session: Session, actor: Actor, lot_id: int, since: dt.date | None = None, until: dt.date | None = None
) -> Statement:
    """A lot's statement with all who put money down. Raises NotFound for whoever may not read everybody's."""
    if actor.organisations_for(Action.MONEY_READ) is not None:
        raise NotFound(kind="lot")
    return Statement(
        "", lot_id, since, until, _sections(session, t(LedgerAccount).c.lot_id == lot_id, since, until)
    )


def _sections(
    session: Session, where: sa.ColumnElement[bool], since: dt.date | None, until: dt.date | None
) -> tuple[Section, ...]:
    begin = None if since is None else start_of_local_day(since)
    end = None if until is None else start_of_local_day(until + DAY)
    found: dict[int, list[Any]] = defaultdict(list)
    opening: dict[int, int] = defaultdict(int)
    sides: dict[int, tuple[Side, str]] = {}
    for row in _rows(session, where, end):
        sides[row.account_id] = (
            Side(AccountKind(row.kind), row.lot_id, row.gateway, row.organisation or ""),
            row.currency,
        )
        if begin is not None and row.at < begin:
            opening[row.account_id] += row.fen
        else:
            found[row.account_id].append(row)
    sections = []
    for account_id, (side, currency) in sides.items():
        balance, entries = opening[account_id], []
        for row in found[account_id]:
            balance += row.fen
            entries.append(
                Entry(
                    row.id, row.at, row.cause,
                    Side(AccountKind(row.other_kind), row.other_lot_id, row.other_gateway, row.other_name or ""),
                    row.fen, balance, str(row.detail.get("reason", "")),
                )
            )  # fmt: skip
        if entries or opening[account_id]:
            sections.append(Section(side, currency, opening[account_id], tuple(entries), balance))
    order = list(AccountKind)
    return tuple(
        sorted(
            sections,
            key=lambda one: (
                one.account.lot_id or 0, order.index(one.account.kind), one.account.organisation_name, one.currency,
            ),
        )
    )  # fmt: skip


def _rows(session: Session, where: sa.ColumnElement[bool], end: dt.datetime | None) -> list[Any]:
    """Every movement of the accounts up to `end`, once for each side that is one of them, in order of time."""
    a, x = t(LedgerAccount).c, t(LedgerTransfer).c
    other, org, whose = t(LedgerAccount).alias(), t(Organisation).alias(), t(Organisation).alias()

    def side(mine: Any, theirs: Any, fen: Any) -> sa.Select[Any]:
        statement = (
            sa.select(
                x.id, x.at, x.cause, x.detail, fen.label("fen"), a.id.label("account_id"), a.kind, a.lot_id,
                a.gateway, a.currency, org.c.name.label("organisation"), other.c.kind.label("other_kind"),
                other.c.lot_id.label("other_lot_id"), other.c.gateway.label("other_gateway"),
                whose.c.name.label("other_name"),
            )
            .select_from(
                t(LedgerTransfer)
                .join(t(LedgerAccount), a.id == mine)
                .join(other, other.c.id == theirs)
                .outerjoin(org, org.c.id == a.organisation_id)
                .outerjoin(whose, whose.c.id == other.c.organisation_id)
            )
            .where(where)
        )  # fmt: skip
        return statement if end is None else statement.where(x.at < end)

    rows = [
        *session.execute(side(x.credit_id, x.debit_id, x.amount_fen)),
        *session.execute(side(x.debit_id, x.credit_id, -x.amount_fen)),
    ]
    return sorted(rows, key=lambda row: (row.at, row.id))


@dataclass(frozen=True)
class Holder:
    """An organisation with money in the ledger."""

    id: int
    name: str
    moved: int


def holders(
    session: Session, *, words: str = "", limit: int = 20, offset: int = 0
) -> tuple[list[Holder], int]:
    """Organisations with accounts in the ledger by name, and how many there are."""
    a, o = t(LedgerAccount).c, t(Organisation).c
    statement = (
        sa.select(o.id, o.name, sa.func.count().label("moved"))
        .select_from(t(LedgerAccount).join(t(Organisation), o.id == a.organisation_id))
        .group_by(o.id, o.name)
    )
    if words:
        statement = statement.where(o.name.icontains(words, autoescape=True))
    total = session.scalar(sa.select(sa.func.count()).select_from(statement.subquery())) or 0
    rows = session.execute(statement.order_by(o.name, o.id).limit(limit).offset(offset))
    return [Holder(*row) for row in rows], total


def lots(session: Session, *, limit: int = 50) -> list[int]:
    """The lots with money in the ledger, the latest first."""
    a = t(LedgerAccount).c
    statement = sa.select(a.lot_id).where(a.lot_id.is_not(None)).distinct().order_by(a.lot_id.desc())
    return [int(one) for one in session.scalars(statement.limit(limit))]
