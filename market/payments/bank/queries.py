"""Reads of the bank: accounts, statements, lines with what they could be, pay-outs. For who may see them the
callers ask; what a page needs of a right is said there."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.errors import NotFound
from market.parties.models import Organisation, Person
from market.payments.bank.models import (
    AccountState,
    BankAccount,
    BankLine,
    BankMatch,
    BankPayment,
    BankStatement,
    LineState,
    MatchKind,
    MatchState,
    PayOut,
    PayOutBatch,
    PayOutKind,
    PayOutState,
    StatementState,
)
from market.payments.bank.references import PREFIX, references_in
from market.payments.bank.rules import Candidate, Suggestion, masked, suggest


@dataclass(frozen=True)
class AccountView:
    """A bank account as pages show it: `number` is masked save for the market's own."""

    id: int
    organisation_id: int | None
    holder: str
    bank: str
    branch_code: str
    number: str
    currency: str
    state: AccountState
    proposed_by: int
    proposed_by_name: str
    proposed_at: dt.datetime
    decided_at: dt.datetime | None


def _accounts(session: Session, *where: sa.ColumnElement[bool]) -> list[AccountView]:
    a, p = t(BankAccount).c, t(Person).c
    rows = session.execute(
        sa.select(
            a.id, a.organisation_id, a.holder, a.bank, a.branch_code, a.number, a.currency, a.state,
            a.proposed_by, p.name, a.proposed_at, a.decided_at,
        )
        .select_from(t(BankAccount).join(t(Person), p.id == a.proposed_by))
        .where(*where)
        .order_by(a.id.desc())
    )  # fmt: skip
    return [
        AccountView(
            row.id, row.organisation_id, row.holder, row.bank, row.branch_code,
            row.number if row.organisation_id is None else masked(row.number),
            row.currency, AccountState(row.state), row.proposed_by, row.name, row.proposed_at, row.decided_at,
        )
        for row in rows
    ]  # fmt: skip


def own_accounts(session: Session) -> list[AccountView]:
    """The market's own accounts that count, or wait to be confirmed."""
    a = t(BankAccount).c
    states = [AccountState.PROPOSED.value, AccountState.IN_FORCE.value]
    return _accounts(session, a.organisation_id.is_(None), a.state.in_(states))


def receiving_account(session: Session, currency: str = "CNY") -> AccountView | None:
    """The account that payers are told: the market's own that was put in force last."""
    a = t(BankAccount).c
    found = _accounts(
        session,
        a.organisation_id.is_(None),
        a.state == AccountState.IN_FORCE.value,
        a.currency == currency,
    )
    return max(found, key=lambda one: (one.decided_at or one.proposed_at, one.id), default=None)


def accounts_of(session: Session, organisation_id: int) -> list[AccountView]:
    """Where an organisation is, was and shall be paid, the latest first."""
    return _accounts(session, t(BankAccount).c.organisation_id == organisation_id)


def accounts_waiting(session: Session) -> list[tuple[AccountView, str]]:
    """Accounts of organisations that wait to be confirmed, with the organisation's name."""
    a, o = t(BankAccount).c, t(Organisation).c
    found = _accounts(session, a.organisation_id.is_not(None), a.state == AccountState.PROPOSED.value)
    ids = {one.organisation_id for one in found}
    names = {row.id: row.name for row in session.execute(sa.select(o.id, o.name).where(o.id.in_(ids)))}
    return [(one, names.get(one.organisation_id, "")) for one in found]


def mapping_of(session: Session, account_id: int) -> dict[str, Any]:
    """How the columns of an account's statements were read last."""
    a = t(BankAccount).c
    return dict(session.execute(sa.select(a.mapping).where(a.id == account_id)).scalar_one_or_none() or {})


@dataclass(frozen=True)
class StatementView:
    """A statement's file as pages show it."""

    id: int
    account_id: int
    file_name: str
    sha256: str
    state: StatementState
    new_lines: int
    known_lines: int
    first_on: dt.date | None
    last_on: dt.date | None
    closing_fen: int | None
    created_at: dt.datetime


_STATEMENT = tuple(StatementView.__dataclass_fields__)


def statements(session: Session, *, limit: int = 10) -> list[StatementView]:
    """The files imported last."""
    s = t(BankStatement).c
    rows = session.execute(
        sa.select(*(s[name] for name in _STATEMENT))
        .where(s.state == StatementState.IMPORTED.value)
        .order_by(s.id.desc())
        .limit(limit)
    ).mappings()
    return [StatementView(**{**row, "state": StatementState(row["state"])}) for row in rows]


def statement(session: Session, statement_id: int) -> StatementView:
    """One file. Raises NotFound."""
    s = t(BankStatement).c
    row = (
        session.execute(sa.select(*(s[name] for name in _STATEMENT)).where(s.id == statement_id))
        .mappings()
        .first()
    )
    if row is None:
        raise NotFound(kind="bank_statement")
    return StatementView(**{**row, "state": StatementState(row["state"])})


@dataclass(frozen=True)
class MatchView:
    """What a line is said to be. `about` is the reference of the transfer or pay-out, or a gateway's name."""

    kind: MatchKind
    about: str
    organisation_name: str
    lot_id: int | None
    reason: str
    proposed_by: int
    proposed_by_name: str
    proposed_at: dt.datetime
    confirmed_by_name: str


@dataclass(frozen=True)
class LineView:
    """A statement line as pages show it."""

    id: int
    account_id: int
    booked_on: dt.date
    amount_fen: int
    currency: str
    counterparty: str
    tail: str
    remark: str
    serial: str
    state: LineState
    match: MatchView | None = None


def _line_select() -> sa.Select[Any]:
    line, a = t(BankLine).c, t(BankAccount).c
    return sa.select(
        line.id, line.account_id, line.booked_on, line.amount_fen, a.currency, line.counterparty,
        line.counterparty_tail, line.remark, line.serial, line.state,
    ).select_from(t(BankLine).join(t(BankAccount), a.id == line.account_id))  # fmt: skip


def _line_views(session: Session, rows: Collection[Any]) -> list[LineView]:
    matches = _matches(session, [row.id for row in rows])
    return [
        LineView(
            row.id, row.account_id, row.booked_on, row.amount_fen, row.currency, row.counterparty,
            row.counterparty_tail, row.remark, row.serial, LineState(row.state), matches.get(row.id),
        )
        for row in rows
    ]  # fmt: skip


def _matches(session: Session, lines: Collection[int]) -> dict[int, MatchView]:
    m, b, o = t(BankMatch).c, t(BankPayment).c, t(PayOut).c
    first, second, org = t(Person).alias(), t(Person).alias(), t(Organisation).c
    rows = session.execute(
        sa.select(
            m.line_id, m.kind, m.gateway, m.reason, m.proposed_by, m.proposed_at,
            first.c.name.label("first"), second.c.name.label("second"), org.name.label("organisation"),
            sa.func.coalesce(b.reference, o.reference).label("reference"),
            sa.func.coalesce(b.lot_id, o.lot_id).label("lot_id"), m.state,
        )
        .select_from(
            t(BankMatch)
            .join(first, first.c.id == m.proposed_by)
            .outerjoin(second, second.c.id == m.decided_by)
            .outerjoin(t(BankPayment), b.id == m.bank_payment_id)
            .outerjoin(t(PayOut), o.id == m.pay_out_id)
            .outerjoin(
                t(Organisation), org.id == sa.func.coalesce(b.organisation_id, o.organisation_id)
            )
        )
        .where(m.line_id.in_(list(lines)), m.state != MatchState.WITHDRAWN.value)
    )  # fmt: skip
    return {
        row.line_id: MatchView(
            MatchKind(row.kind), row.reference or row.gateway, row.organisation or "", row.lot_id, row.reason,
            row.proposed_by, row.first, row.proposed_at,
            (row.second or "") if row.state == MatchState.CONFIRMED else "",
        )
        for row in rows
    }  # fmt: skip


def lines(
    session: Session, state: LineState, *, limit: int = 20, offset: int = 0
) -> tuple[list[LineView], dict[LineState, int]]:
    """A page of the lines in a state, the oldest first where somebody must act, and how many are in each."""
    c = t(BankLine).c
    counted = {
        row.state: row.n
        for row in session.execute(sa.select(c.state, sa.func.count().label("n")).group_by(c.state))
    }
    waiting = state in (LineState.OPEN, LineState.PROPOSED)
    order = (c.booked_on, c.id) if waiting else (c.booked_on.desc(), c.id.desc())
    rows = session.execute(
        _line_select().where(c.state == state.value).order_by(*order).limit(limit).offset(offset)
    ).all()
    return _line_views(session, rows), {each: counted.get(each.value, 0) for each in LineState}


def line(session: Session, line_id: int) -> LineView:
    """One line. Raises NotFound."""
    rows = session.execute(_line_select().where(t(BankLine).c.id == line_id)).all()
    if not rows:
        raise NotFound(kind="bank_line")
    return _line_views(session, rows)[0]


@dataclass(frozen=True)
class TransferView:
    """A transfer that was asked for, and what came of it."""

    id: int
    payment_id: int
    reference: str
    organisation_id: int
    organisation_name: str
    lot_id: int | None
    purpose: str
    amount_fen: int
    currency: str
    came_fen: int
    created_at: dt.datetime
    cancelled_at: dt.datetime | None


def _transfers(
    session: Session, *where: sa.ColumnElement[bool], limit: int | None = None
) -> list[TransferView]:
    b, m, line, o = t(BankPayment).c, t(BankMatch).c, t(BankLine).c, t(Organisation).c
    arrived = (
        sa.select(m.bank_payment_id, sa.func.sum(line.amount_fen).label("fen"))
        .select_from(t(BankMatch).join(t(BankLine), line.id == m.line_id))
        .where(m.kind == MatchKind.PAYMENT.value, m.state == MatchState.CONFIRMED.value)
        .group_by(m.bank_payment_id)
        .subquery()
    )
    rows = session.execute(
        sa.select(
            b.id, b.payment_id, b.reference, b.organisation_id, sa.func.coalesce(o.name, ""), b.lot_id, b.purpose,
            b.amount_fen, b.currency, sa.cast(sa.func.coalesce(arrived.c.fen, 0), sa.BigInteger), b.created_at, b.cancelled_at,
        )
        .select_from(
            t(BankPayment)
            .outerjoin(t(Organisation), o.id == b.organisation_id)
            .outerjoin(arrived, arrived.c.bank_payment_id == b.id)
        )
        .where(*where)
        .order_by(b.id.desc())
        .limit(limit)
    )  # fmt: skip
    return [TransferView(*row) for row in rows]


def transfer(session: Session, reference: str) -> TransferView:
    """The transfer of a reference. Raises NotFound."""
    found = _transfers(session, t(BankPayment).c.reference == reference)
    if not found:
        raise NotFound(kind="bank_payment")
    return found[0]


def by_reference(session: Session, text: str) -> tuple[MatchKind, int] | None:
    """What a reference that somebody typed stands for: a transfer, or a pay-out."""
    for one in references_in(text if text.strip().upper().startswith(PREFIX) else PREFIX + text):
        b, o = t(BankPayment).c, t(PayOut).c
        found = session.scalar(sa.select(b.id).where(b.reference == one))
        if found is not None:
            return MatchKind.PAYMENT, int(found)
        found = session.scalar(sa.select(o.id).where(o.reference == one))
        if found is not None:
            return MatchKind.PAY_OUT, int(found)
    return None


COMPARED = 5_000
"""How many transfers, and how many pay-outs, a line is compared with."""


def candidates(session: Session, currency: str) -> list[Candidate]:
    """What lines of a currency could be: the latest transfers that were asked for, those that came whole or were
    called off among them, for people pay twice and late; and pay-outs that the bank has or had."""
    b, o, a, org = t(BankPayment).c, t(PayOut).c, t(BankAccount).c, t(Organisation).c
    found = [
        Candidate(
            MatchKind.PAYMENT, one.id, one.reference, max(one.amount_fen - one.came_fen, 0),
            (one.organisation_name,), "", local_date(one.created_at), one.cancelled_at is not None,
        )
        for one in _transfers(session, b.currency == currency, limit=COMPARED)
    ]  # fmt: skip
    rows = session.execute(
        sa.select(o.id, o.reference, o.amount_fen, o.created_at, o.state, org.name, a.number, a.holder)
        .select_from(
            t(PayOut)
            .outerjoin(t(BankAccount), a.id == o.account_id)
            .outerjoin(t(Organisation), org.id == o.organisation_id)
        )
        .where(o.currency == currency, o.tries > 0)
        .order_by(o.id.desc())
        .limit(COMPARED)
    ).all()
    m = t(BankMatch).c
    many: dict[tuple[int, str], int] = {
        (row.pay_out_id, row.kind): row.n
        for row in session.execute(
            sa.select(m.pay_out_id, m.kind, sa.func.count().label("n"))
            .where(m.pay_out_id.is_not(None), m.state != MatchState.WITHDRAWN.value)
            .group_by(m.pay_out_id, m.kind)
        )
    }
    for row in rows:
        out = many.get((row.id, MatchKind.PAY_OUT.value), 0)
        back = many.get((row.id, MatchKind.RETURNED.value), 0)
        kind, amount = MatchKind.PAY_OUT, -row.amount_fen
        if out > back and row.state == PayOutState.LEFT:
            kind, amount = MatchKind.RETURNED, row.amount_fen
        names = tuple(name for name in (row.name, row.holder) if name)
        tail = (row.number or "")[-4:]
        found.append(Candidate(kind, row.id, row.reference, amount, names, tail, local_date(row.created_at)))
    return found


def suggestions(session: Session, found: LineView, known: list[Candidate] | None = None) -> list[Suggestion]:
    """What an open line could be, best first."""
    if known is None:
        known = candidates(session, found.currency)
    return suggest(found.amount_fen, found.booked_on, found.remark, found.counterparty, found.tail, known)


@dataclass(frozen=True)
class PayOutView:
    """A pay-out as pages show it; account numbers are masked."""

    id: int
    reference: str
    kind: PayOutKind
    state: PayOutState
    organisation_id: int
    organisation_name: str
    lot_id: int | None
    amount_fen: int
    currency: str
    account: str
    prepared_by: int | None
    prepared_by_name: str
    approved_by: int | None
    approved_by_name: str
    batch_id: int | None
    tries: int
    trouble: str
    created_at: dt.datetime


def pay_outs(
    session: Session, state: PayOutState, *, limit: int = 20, offset: int = 0
) -> tuple[list[PayOutView], dict[PayOutState, int]]:
    """A page of the pay-outs in a state, the oldest first, and how many are in each."""
    o, a, org = t(PayOut).c, t(BankAccount).c, t(Organisation).c
    counted = {
        row.state: row.n
        for row in session.execute(sa.select(o.state, sa.func.count().label("n")).group_by(o.state))
    }
    first, second = t(Person).alias(), t(Person).alias()
    done = state in (PayOutState.LEFT, PayOutState.CANCELLED)
    rows = session.execute(
        sa.select(
            o.id, o.reference, o.kind, o.state, o.organisation_id, org.name, o.lot_id, o.amount_fen, o.currency,
            a.bank, a.number, o.prepared_by, first.c.name.label("first"), o.approved_by,
            second.c.name.label("second"), o.batch_id, o.tries, o.trouble, o.created_at,
        )
        .select_from(
            t(PayOut)
            .outerjoin(t(BankAccount), a.id == o.account_id)
            .outerjoin(t(Organisation), org.id == o.organisation_id)
            .outerjoin(first, first.c.id == o.prepared_by)
            .outerjoin(second, second.c.id == o.approved_by)
        )
        .where(o.state == state.value)
        .order_by(o.id.desc() if done else o.id)
        .limit(limit)
        .offset(offset)
    )  # fmt: skip
    found = [
        PayOutView(
            row.id, row.reference, PayOutKind(row.kind), PayOutState(row.state), row.organisation_id,
            row.name or "", row.lot_id, row.amount_fen, row.currency,
            f"{row.bank} {masked(row.number)}" if row.number else "", row.prepared_by, row.first or "",
            row.approved_by, row.second or "", row.batch_id, row.tries, row.trouble, row.created_at,
        )
        for row in rows
    ]  # fmt: skip
    return found, {each: counted.get(each.value, 0) for each in PayOutState}


def accounts_for(session: Session, organisations: Collection[int]) -> dict[int, list[AccountView]]:
    """The accounts in force of organisations, by organisation."""
    a = t(BankAccount).c
    found: dict[int, list[AccountView]] = defaultdict(list)
    where = (a.organisation_id.in_(list(organisations)), a.state == AccountState.IN_FORCE.value)
    for one in _accounts(session, *where):
        assert one.organisation_id is not None
        found[one.organisation_id].append(one)
    return found


def tails_of(session: Session, pay_outs: Collection[int]) -> dict[int, set[str]]:
    """From which accounts (last four digits) the transfers came that pay-outs give back."""
    o, m, line = t(PayOut).c, t(BankMatch).c, t(BankLine).c
    found: dict[int, set[str]] = defaultdict(set)
    for row in session.execute(
        sa.select(o.id, line.counterparty_tail)
        .select_from(
            t(PayOut)
            .join(t(BankMatch), m.bank_payment_id == o.bank_payment_id)
            .join(t(BankLine), line.id == m.line_id)
        )
        .where(o.id.in_(list(pay_outs)), m.state == MatchState.CONFIRMED.value, line.counterparty_tail != "")
    ):
        found[row.id].add(row.counterparty_tail)
    return found


@dataclass(frozen=True)
class BatchView:
    """A list as it was handed to the bank."""

    id: int
    count: int
    amount_fen: int
    currency: str
    made_by_name: str
    made_at: dt.datetime


def batches(session: Session, *, limit: int = 10) -> list[BatchView]:
    """The lists made last."""
    b, p = t(PayOutBatch).c, t(Person).c
    rows = session.execute(
        sa.select(b.id, b.count, b.amount_fen, b.currency, p.name, b.made_at)
        .select_from(t(PayOutBatch).join(t(Person), p.id == b.made_by))
        .order_by(b.id.desc())
        .limit(limit)
    )
    return [BatchView(*row) for row in rows]
