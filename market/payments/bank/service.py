"""Verbs of statements and their lines. None commits.

Every line is booked when it is imported, against money that nobody has explained (`unexplained`); who says
what it is moves it from there. So the ledger's money in the bank is always the sum of the lines. What
the offline gateway's payments are booked against, `cash:offline`, is a place that money passes through: empty
when every payment was pursued.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market import audit
from market.db import Session, for_update, t, upsert
from market.errors import InvalidInput, NotFound, WrongState
from market.payments import ledger, wishes
from market.payments.bank import payouts, rules
from market.payments.bank.gateway import OfflineGateway
from market.payments.bank.inputs import ProposalInput
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
    StatementState,
)
from market.payments.bank.rules import StatementLine
from market.payments.ledger import Account
from market.payments.models import AccountKind, Payment
from market.permissions import Action, Actor, require

UNEXPLAINED = Account(AccountKind.UNEXPLAINED)
PASSING = ledger.cash(OfflineGateway.name)


def bank_cash(account_id: int) -> Account:
    """The ledger's account of the money in one of the market's bank accounts."""
    return Account(AccountKind.CASH, gateway="bank", whose=str(account_id))


def upload_statement(
    session: Session, actor: Actor, now: dt.datetime, account_id: int, file_name: str, sha256: str
) -> int:
    """Record a statement's file that waits to be read; returns the statement's id. Raises NotFound, NotAllowed."""
    require(actor, Action.MONEY_MANAGE)
    if actor.person_id is None:
        raise rules.SecondPerson
    _own_account(session, account_id)
    plain = "".join(c for c in file_name if c.isprintable()).replace("\\", "/").rpartition("/")[2]
    row = BankStatement(
        account_id=account_id, file_name=plain[-255:] or "file", sha256=sha256, person_id=actor.person_id,
        created_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    assert row.id is not None
    audit.record(session, actor, "bank_statement.uploaded", row.id, now, after={"file": row.file_name})
    return row.id


@dataclass(frozen=True)
class Imported:
    """What an import brought: lines that are new, and lines that were here."""

    new: int
    known: int


def import_statement(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    statement_id: int,
    lines: Sequence[StatementLine],
    mapping: Mapping[str, Any] | None = None,
) -> Imported:
    """Take a statement's lines, each once however often it is imported, and book them.

    `mapping` is kept for the account's next statement. Imports of one account wait for each other. Raises
    NotFound, NotAllowed, WrongState for one that was imported; InvalidInput where balances do not add up or
    a file tells serial numbers and an earlier one of the same days does not (`lines.<position>`).
    """
    require(actor, Action.MONEY_MANAGE)
    statement = _statement(session, statement_id)
    if statement.state != StatementState.UPLOADED:
        raise WrongState(state=statement.state, action="import")
    account = _own_account(session, statement.account_id, lock=True)
    problems: list[tuple[str, str, dict[str, Any]]] = [
        (f"lines.{one.position}", "bank_balance", {}) for one in rules.balance_breaks(lines)
    ]
    problems += _mixed(session, statement.account_id, lines)
    if problems or not lines:
        raise InvalidInput(problems or [("file", "file_no_rows", {})])
    ordered = rules.oldest_first(lines)
    marks = dict(zip(rules.fingerprints(ordered), ordered, strict=True))
    new = _new(session, statement.account_id, marks)
    if new:
        _add(session, actor, now, statement, account.currency, {mark: marks[mark] for mark in new})
    statement.state, statement.imported_at = StatementState.IMPORTED.value, now
    statement.new_lines, statement.known_lines = len(new), len(lines) - len(new)
    statement.first_on, statement.last_on = ordered[0].booked_on, ordered[-1].booked_on
    if ordered[0].balance_fen is not None:
        statement.opening_fen = ordered[0].balance_fen - ordered[0].amount_fen
    statement.closing_fen = ordered[-1].balance_fen
    if mapping is not None:
        account.mapping = dict(mapping)
    session.flush()
    audit.record(
        session, actor, "bank_statement.imported", statement_id, now,
        after={"new": len(new), "known": len(lines) - len(new)},
    )  # fmt: skip
    return Imported(len(new), len(lines) - len(new))


def _mixed(
    session: Session, account_id: int, lines: Sequence[StatementLine]
) -> list[tuple[str, str, dict[str, Any]]]:
    """Lines that could be here already without showing it: with a serial number in one file and without in another."""
    c = t(BankLine).c
    days = [one.booked_on for one in lines]
    known = session.execute(
        sa.select(c.booked_on, c.amount_fen, (c.serial != "").label("numbered")).where(
            c.account_id == account_id, c.booked_on.between(min(days), max(days))
        )
        if days
        else sa.select(c.booked_on, c.amount_fen, (c.serial != "").label("numbered")).where(sa.false())
    ).all()
    other = {(row.booked_on, row.amount_fen, bool(row.numbered)) for row in known}
    return [
        (f"lines.{one.position}", "bank_serial_mixed", {})
        for one in lines
        if (one.booked_on, one.amount_fen, not one.serial) in other
        and (one.booked_on, one.amount_fen, bool(one.serial)) not in other
    ]


def _new(session: Session, account_id: int, marks: Collection[str]) -> list[str]:
    c = t(BankLine).c
    wanted, known = list(marks), set()
    for start in range(0, len(wanted), 400):
        some = wanted[start : start + 400]
        known |= set(
            session.scalars(
                sa.select(c.fingerprint).where(c.account_id == account_id, c.fingerprint.in_(some))
            )
        )
    return [mark for mark in wanted if mark not in known]


def _add(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    statement: BankStatement,
    currency: str,
    new: Mapping[str, StatementLine],
) -> None:
    """Insert lines by their marks and book each; in few statements, for everybody else waits meanwhile."""
    rows = [
        {
            "account_id": statement.account_id,
            "statement_id": statement.id,
            "position": line.position,
            "fingerprint": mark,
            "booked_on": line.booked_on,
            "amount_fen": line.amount_fen,
            "counterparty": line.counterparty,
            "counterparty_tail": line.tail,
            "remark": line.remark,
            "serial": line.serial,
            "balance_fen": line.balance_fen,
            "state": LineState.OPEN.value,
        }
        for mark, line in new.items()
    ]
    upsert(session, t(BankLine), rows, key=["account_id", "fingerprint"])
    c = t(BankLine).c
    own = bank_cash(statement.account_id)
    moves = [
        ledger.Move(
            f"bank_line:{row.id}:booked",
            own if row.amount_fen > 0 else UNEXPLAINED,
            UNEXPLAINED if row.amount_fen > 0 else own,
            abs(row.amount_fen),
            {"line_id": row.id},
        )
        for row in session.execute(
            sa.select(c.id, c.amount_fen).where(c.statement_id == statement.id).order_by(c.id)
        )
    ]
    ledger.post_new(session, "bank_line.booked", moves, now, currency=currency, actor=actor)


def _move(
    session: Session, actor: Actor, now: dt.datetime, key: str, cause: str, into: Account, out_of: Account,
    amount_fen: int, currency: str, line_id: int, payment_id: int | None = None,
) -> None:  # fmt: skip
    """Post a line's amount: for money that came as named, for money that went the other way round."""
    debit, credit = (into, out_of) if amount_fen > 0 else (out_of, into)
    ledger.post(
        session, key, cause, debit, credit, abs(amount_fen), now,
        currency=currency, payment_id=payment_id, actor=actor, detail={"line_id": line_id},
    )  # fmt: skip


def propose(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    line_id: int,
    data: ProposalInput,
    gateways: Collection[str],
) -> None:
    """Say what a line is; another person confirms it. `gateways` are those that settle with our bank.

    Raises NotFound, NotAllowed, WrongState unless the line is open, InvalidInput.
    """
    require(actor, Action.MONEY_MANAGE)
    if actor.person_id is None:
        raise rules.SecondPerson
    line = _line(session, line_id)
    if line.state != LineState.OPEN:
        raise WrongState(state=line.state, action="propose")
    account = _own_account(session, line.account_id)
    problems = _problems(session, line, account.currency, data, gateways)
    if problems:
        raise InvalidInput(problems)
    payment = data.target if data.kind is MatchKind.PAYMENT else None
    pay_out = data.target if data.kind in (MatchKind.PAY_OUT, MatchKind.RETURNED) else None
    session.add(
        BankMatch(
            line_id=line_id,
            kind=data.kind.value,
            bank_payment_id=payment,
            pay_out_id=pay_out,
            gateway=data.gateway if data.kind is MatchKind.SETTLEMENT else "",
            reason=data.reason,
            proposed_by=actor.person_id,
            proposed_at=now,
        )
    )
    line.state = LineState.PROPOSED.value
    session.flush()
    audit.record(
        session, actor, "bank_line.proposed", line_id, now,
        after={"kind": data.kind, "target": data.target, "gateway": data.gateway}, reason=data.reason or None,
    )  # fmt: skip


def _problems(
    session: Session, line: BankLine, currency: str, data: ProposalInput, gateways: Collection[str]
) -> list[tuple[str, str, dict[str, Any]]]:
    comes, goes = rules.DIRECTIONS[data.kind]
    if not (comes if line.amount_fen > 0 else goes):
        return [("kind", "bank_direction", {})]
    if data.kind is MatchKind.IGNORED and not data.reason.strip():
        return [("reason", "missing", {})]
    if data.kind is MatchKind.SETTLEMENT and data.gateway not in gateways:
        return [("gateway", "unknown_choice", {})]
    if data.kind is MatchKind.PAYMENT:
        p = t(BankPayment).c
        found = session.execute(sa.select(p.currency).where(p.id == data.target)).first()
        if found is None:
            return [("target", "unknown_choice", {})]
        return [] if found.currency == currency else [("target", "bank_currency", {})]
    if data.kind in (MatchKind.PAY_OUT, MatchKind.RETURNED):
        return _pay_out_problems(session, line, currency, data)
    return []


def _pay_out_problems(
    session: Session, line: BankLine, currency: str, data: ProposalInput
) -> list[tuple[str, str, dict[str, Any]]]:
    o, m = t(PayOut).c, t(BankMatch).c
    wanted = sa.select(o.state, o.amount_fen, o.currency, o.tries).where(o.id == data.target)
    order = session.execute(for_update(wanted, session)).first()
    if order is None:
        return [("target", "unknown_choice", {})]
    if order.currency != currency:
        return [("target", "bank_currency", {})]
    if order.amount_fen != abs(line.amount_fen):
        return [("target", "bank_amount", {"wanted_fen": order.amount_fen})]
    if order.tries == 0:
        return [("target", "bank_not_exported", {})]
    # Money can leave for one order as often as it was exported, and come back as often as it left.
    counted = session.execute(
        sa.select(m.kind, sa.func.count().label("n"))
        .where(m.pay_out_id == data.target, m.state != MatchState.WITHDRAWN.value)
        .group_by(m.kind)
    ).all()
    many = {row.kind: row.n for row in counted}
    out, back = many.get(MatchKind.PAY_OUT.value, 0), many.get(MatchKind.RETURNED.value, 0)
    taken = out >= order.tries if data.kind is MatchKind.PAY_OUT else back >= order.tries
    return [("target", "bank_matched", {})] if taken else []


def withdraw(session: Session, actor: Actor, now: dt.datetime, line_id: int) -> None:
    """Take back what a line was said to be, before it is confirmed. Raises NotFound, NotAllowed, WrongState."""
    require(actor, Action.MONEY_MANAGE)
    line, match = _line_and_match(session, line_id, "withdraw")
    match.state, match.decided_by, match.decided_at = MatchState.WITHDRAWN.value, actor.person_id, now
    line.state = LineState.OPEN.value
    session.flush()
    audit.record(session, actor, "bank_line.withdrawn", line_id, now, before={"kind": match.kind})


def confirm(session: Session, actor: Actor, now: dt.datetime, line_id: int) -> None:
    """Confirm what another person said a line is: it is booked, and the payment concerned is pursued.

    Raises NotFound, NotAllowed, SecondPerson for whoever proposed it, WrongState.
    """
    require(actor, Action.MONEY_MANAGE)
    line, match = _line_and_match(session, line_id, "confirm")
    rules.check_second(match.proposed_by, actor.person_id)
    kind = MatchKind(match.kind)
    currency = _own_account(session, line.account_id).currency
    if match.pay_out_id is not None:
        step = payouts.saw_leave if kind is MatchKind.PAY_OUT else payouts.saw_return
        step(session, actor, now, match.pay_out_id, line_id)
    match.state, match.decided_by, match.decided_at = MatchState.CONFIRMED.value, actor.person_id, now
    line.state = (LineState.IGNORED if kind is MatchKind.IGNORED else LineState.EXPLAINED).value
    session.flush()
    payment_id = None
    if match.bank_payment_id is not None:
        payment_id = payment_of(session, match.bank_payment_id)
    _move(
        session, actor, now, f"bank_line:{line_id}:explained", f"bank_line.{kind.value}",
        UNEXPLAINED, _belongs(kind, match.gateway, line.account_id), line.amount_fen, currency, line_id,
        payment_id,
    )  # fmt: skip
    if payment_id is not None:
        wishes.leave_pursuit(session, payment_id, now, f"bank_line:{line_id}")
    audit.record(session, actor, "bank_line.confirmed", line_id, now, after={"kind": kind})


def _belongs(kind: MatchKind, gateway: str, account_id: int) -> Account:
    """The other side of what a line is."""
    if kind is MatchKind.SETTLEMENT:
        return ledger.cash(gateway)
    if kind is MatchKind.FEE:
        return Account(AccountKind.FEES, gateway="bank")
    if kind is MatchKind.INTEREST:
        return Account(AccountKind.INCOME)
    return bank_cash(account_id) if kind is MatchKind.IGNORED else PASSING


def payment_of(session: Session, bank_payment_id: int) -> int | None:
    """The market's payment behind a transfer that was asked for."""
    p, b = t(Payment).c, t(BankPayment).c
    found = session.scalar(
        sa.select(p.id)
        .select_from(t(Payment).join(t(BankPayment), b.payment_id == p.id))
        .where(b.id == bank_payment_id)
    )
    return None if found is None else int(found)


def _line(session: Session, line_id: int) -> BankLine:
    statement = sa.select(BankLine).where(t(BankLine).c.id == line_id)
    row: BankLine | None = session.scalars(
        for_update(statement, session).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(kind="bank_line")
    return row


def _line_and_match(session: Session, line_id: int, action: str) -> tuple[BankLine, BankMatch]:
    line = _line(session, line_id)
    if line.state != LineState.PROPOSED:
        raise WrongState(state=line.state, action=action)
    c = t(BankMatch).c
    match = session.scalars(
        sa.select(BankMatch)
        .where(c.line_id == line_id, c.state == MatchState.PROPOSED.value)
        .execution_options(populate_existing=True)
    ).one()
    return line, match


def _statement(session: Session, statement_id: int) -> BankStatement:
    statement = sa.select(BankStatement).where(t(BankStatement).c.id == statement_id)
    row: BankStatement | None = session.scalars(
        for_update(statement, session).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(kind="bank_statement")
    return row


def _own_account(session: Session, account_id: int, *, lock: bool = False) -> BankAccount:
    c = t(BankAccount).c
    statement = sa.select(BankAccount).where(
        c.id == account_id,
        c.organisation_id.is_(None),
        c.state.in_([AccountState.IN_FORCE.value, AccountState.REPLACED.value]),
    )
    row: BankAccount | None = session.scalars(
        for_update(statement, session) if lock else statement
    ).one_or_none()
    if row is None:
        raise NotFound(kind="bank_account")
    return row
