"""Verbs of pay-outs: prepared by one person, approved by another, handed to the bank, seen to leave. None commits.

What goes to a seller is booked as being paid out when it is approved, and as gone when it leaves; of a refund
its payment books what is seen.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market import audit
from market.db import Session, for_update, t
from market.errors import InvalidInput, NotFound, WrongState
from market.payments import ledger, wishes
from market.payments.bank import rules
from market.payments.bank.gateway import OfflineGateway, new_reference
from market.payments.bank.inputs import PayOutInput, PrepareInput, TroubleInput
from market.payments.bank.models import (
    AccountState,
    BankAccount,
    BankMatch,
    BankPayment,
    MatchState,
    PayOut,
    PayOutBatch,
    PayOutKind,
    PayOutState,
)
from market.payments.bank.rules import PayOutStep
from market.payments.ledger import Account
from market.payments.models import AccountKind, LedgerAccount, Payment
from market.permissions import Action, Actor, require

PASSING = ledger.cash(OfflineGateway.name)


def source(kind: PayOutKind, lot_id: int) -> Account:
    """The account that a seller's money is taken from."""
    if kind is PayOutKind.SHORTFALL:
        return Account(AccountKind.SHORTFALL, lot_id=lot_id)
    if kind is PayOutKind.FORFEITED:
        return Account(AccountKind.FORFEITED, lot_id=lot_id, whose="seller")
    return ledger.price(lot_id)


def available(session: Session, kind: PayOutKind, lot_id: int, currency: str = "CNY") -> int:
    """What of a lot's money for its seller nobody has ordered to be paid yet, fen."""
    o = t(PayOut).c
    ordered = session.scalar(
        sa.select(sa.func.sum(o.amount_fen)).where(
            o.kind == kind.value,
            o.lot_id == lot_id,
            o.currency == currency,
            o.state.in_([PayOutState.WAITING.value, PayOutState.PREPARED.value]),
        )
    )
    return ledger.balance(session, source(kind, lot_id), currency) - int(ordered or 0)


def order(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    data: PayOutInput,
    organisation_id: int,
    *,
    currency: str = "CNY",
) -> int:
    """Put money for a lot's seller on the list; returns the pay-out's id.

    Orders for one lot wait for each other. Raises NotAllowed; InvalidInput for a refund, which payments ask for
    themselves, and for more than there is.
    """
    require(actor, Action.MONEY_MANAGE)
    if data.kind is PayOutKind.REFUND:
        raise InvalidInput([("kind", "unknown_choice", {})])
    a = t(LedgerAccount).c
    code = source(data.kind, data.lot_id).code
    session.execute(for_update(sa.select(a.id).where(a.code == code, a.currency == currency), session))
    there = available(session, data.kind, data.lot_id, currency)
    if data.amount_fen > there:
        raise InvalidInput([("amount_fen", "bank_not_there", {"there_fen": there})])
    o = t(PayOut).c
    number = session.scalar(sa.select(sa.func.count()).select_from(t(PayOut)).where(o.lot_id == data.lot_id))
    row = PayOut(
        key=f"seller-{data.lot_id}-{number}",
        reference=new_reference(),
        kind=data.kind.value,
        organisation_id=organisation_id,
        lot_id=data.lot_id,
        amount_fen=data.amount_fen,
        currency=currency,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    audit.record(
        session, actor, "pay_out.ordered", row.id, now,
        after={
            "kind": data.kind, "lot_id": data.lot_id, "organisation_id": organisation_id,
            "amount_fen": data.amount_fen,
        },
    )  # fmt: skip
    return row.id


def prepare(session: Session, actor: Actor, now: dt.datetime, pay_out_id: int, data: PrepareInput) -> None:
    """Say to which account of the payee a pay-out goes. Raises NotFound, NotAllowed, WrongState, InvalidInput."""
    row = _locked(session, actor, pay_out_id)
    if actor.person_id is None:
        raise rules.SecondPerson
    if not _payable(session, row, data.account_id):
        raise InvalidInput([("account_id", "unknown_choice", {})])
    _step(session, actor, now, row, PayOutStep.PREPARE)
    row.account_id, row.prepared_by = data.account_id, actor.person_id
    session.flush()


def approve(session: Session, actor: Actor, now: dt.datetime, pay_out_id: int) -> None:
    """Approve what another has prepared. Raises NotFound, NotAllowed, SecondPerson, WrongState; InvalidInput
    where the account was replaced meanwhile."""
    row = _locked(session, actor, pay_out_id)
    if PayOutState(row.state) is PayOutState.PREPARED:
        rules.check_second(row.prepared_by, actor.person_id)
        if row.account_id is None or not _payable(session, row, row.account_id):
            raise InvalidInput([("account_id", "account_replaced", {})])
    _step(session, actor, now, row, PayOutStep.APPROVE)
    row.approved_by = actor.person_id
    _book(session, actor, now, row, "approved", _source(row), _paying_out(row))
    session.flush()


def withdraw(session: Session, actor: Actor, now: dt.datetime, pay_out_id: int) -> None:
    """Put a pay-out that was not handed to the bank back to waiting. Raises NotFound, NotAllowed, WrongState."""
    row = _locked(session, actor, pay_out_id)
    was_booked = row.state == PayOutState.APPROVED
    _step(session, actor, now, row, PayOutStep.WITHDRAW)
    _forget(row)
    if was_booked:
        _book(session, actor, now, row, "withdrawn", _paying_out(row), _source(row))
    session.flush()


def cancel(session: Session, actor: Actor, now: dt.datetime, pay_out_id: int) -> None:
    """Take a seller's pay-out that was ordered by mistake off the list. Raises NotFound, NotAllowed, WrongState."""
    row = _locked(session, actor, pay_out_id)
    if row.kind == PayOutKind.REFUND:
        raise WrongState(state=row.state, action="cancel")
    _step(session, actor, now, row, PayOutStep.CANCEL)
    session.flush()


def export(session: Session, actor: Actor, now: dt.datetime, *, currency: str = "CNY") -> int:
    """Gather all that is approved into one list for the bank; each is in one list only. Returns the list's id.

    Raises NotAllowed; InvalidInput where nothing is approved.
    """
    require(actor, Action.MONEY_MANAGE)
    if actor.person_id is None:
        raise rules.SecondPerson
    o = t(PayOut).c
    statement = sa.select(PayOut).where(o.state == PayOutState.APPROVED.value, o.currency == currency)
    rows = list(
        session.scalars(
            for_update(statement.order_by(o.id), session).execution_options(populate_existing=True)
        )
    )
    if not rows:
        raise InvalidInput([("", "bank_nothing_approved", {})])
    batch = PayOutBatch(
        count=len(rows),
        amount_fen=sum(one.amount_fen for one in rows),
        currency=currency,
        made_by=actor.person_id,
        made_at=now,
    )
    session.add(batch)
    session.flush()
    assert batch.id is not None
    for row in rows:
        _step(session, actor, now, row, PayOutStep.EXPORT)
        row.batch_id, row.tries = batch.id, row.tries + 1
    session.flush()
    audit.record(
        session, actor, "pay_out_batch.made", batch.id, now,
        after={"count": batch.count, "amount_fen": batch.amount_fen},
    )  # fmt: skip
    return batch.id


@dataclass(frozen=True)
class BankOrder:
    """A line of a list for the bank, with the whole account number."""

    holder: str
    number: str
    bank: str
    branch_code: str
    amount_fen: int
    currency: str
    reference: str


def carry_away(session: Session, actor: Actor, now: dt.datetime, batch_id: int) -> list[BankOrder]:
    """What a list tells the bank; taking it is recorded. What failed meanwhile is left out: it is in another
    list, or will be. Raises NotFound, NotAllowed."""
    require(actor, Action.MONEY_MANAGE)
    o, a = t(PayOut).c, t(BankAccount).c
    if session.get(PayOutBatch, batch_id) is None:
        raise NotFound(kind="pay_out_batch")
    audit.record(session, actor, "pay_out_batch.carried_away", batch_id, now)
    rows = session.execute(
        sa.select(a.holder, a.number, a.bank, a.branch_code, o.amount_fen, o.currency, o.reference)
        .select_from(t(PayOut).join(t(BankAccount), a.id == o.account_id))
        .where(o.batch_id == batch_id, o.state == PayOutState.EXPORTED.value)
        .order_by(o.id)
    )
    return [BankOrder(*row) for row in rows]


def say_left(session: Session, actor: Actor, now: dt.datetime, pay_out_id: int) -> None:
    """Say that a pay-out left the bank, before the statement does. Whoever approved it may not.

    Raises NotFound, NotAllowed, SecondPerson, WrongState.
    """
    row = _locked(session, actor, pay_out_id)
    if row.state != PayOutState.EXPORTED:
        raise WrongState(state=row.state, action=PayOutStep.LEAVE.value)
    rules.check_second(row.approved_by, actor.person_id)
    _leave(session, actor, now, row)


def saw_leave(session: Session, actor: Actor, now: dt.datetime, pay_out_id: int, line_id: int) -> None:
    """The statement shows that a pay-out left; somebody may have said so before. Raises NotFound, WrongState."""
    del line_id
    row = _locked(session, actor, pay_out_id)
    if row.state != PayOutState.LEFT:
        _leave(session, actor, now, row)


def fail(session: Session, actor: Actor, now: dt.datetime, pay_out_id: int, data: TroubleInput) -> None:
    """The bank did not carry a pay-out out: it waits again. Raises NotFound, NotAllowed; WrongState, also
    while somebody says that a line of the statement is it."""
    row = _locked(session, actor, pay_out_id)
    m = t(BankMatch).c
    if session.scalar(
        sa.select(sa.func.count())
        .select_from(t(BankMatch))
        .where(m.pay_out_id == pay_out_id, m.state == MatchState.PROPOSED.value)
    ):
        raise WrongState(state="matched", action=PayOutStep.FAIL.value)
    _step(session, actor, now, row, PayOutStep.FAIL, data.reason)
    _forget(row)
    row.trouble = data.reason
    _book(session, actor, now, row, "failed", _paying_out(row), _source(row))
    session.flush()


def saw_return(session: Session, actor: Actor, now: dt.datetime, pay_out_id: int, line_id: int) -> None:
    """The statement shows that a pay-out came back (退汇): it waits again. Raises NotFound, WrongState."""
    row = _locked(session, actor, pay_out_id)
    _step(session, actor, now, row, PayOutStep.RETURN)
    _forget(row)
    row.trouble = ""
    _book(session, actor, now, row, "returned", PASSING, _source(row))
    session.flush()
    _pursue(session, row, now, f"returned:{line_id}")


def _leave(session: Session, actor: Actor, now: dt.datetime, row: PayOut) -> None:
    booked = row.state in (PayOutState.APPROVED, PayOutState.EXPORTED)
    _step(session, actor, now, row, PayOutStep.LEAVE)
    _book(session, actor, now, row, "left", _paying_out(row) if booked else _source(row), PASSING)
    session.flush()
    _pursue(session, row, now, f"left:{row.id}:{row.version}")


def _step(
    session: Session, actor: Actor, now: dt.datetime, row: PayOut, step: PayOutStep, reason: str = ""
) -> None:
    before = PayOutState(row.state)
    row.state = rules.next_state(before, step, row.tries).value
    row.updated_at, row.version = now, row.version + 1
    assert row.id is not None
    audit.record(
        session, actor, f"pay_out.{_PAST[step]}", row.id, now,
        before={"state": before}, after={"state": row.state}, reason=reason or None,
    )  # fmt: skip


_PAST = {
    PayOutStep.PREPARE: "prepared",
    PayOutStep.WITHDRAW: "withdrawn",
    PayOutStep.APPROVE: "approved",
    PayOutStep.EXPORT: "exported",
    PayOutStep.LEAVE: "left",
    PayOutStep.FAIL: "failed",
    PayOutStep.RETURN: "returned",
    PayOutStep.CANCEL: "cancelled",
}


def _forget(row: PayOut) -> None:
    row.account_id = row.prepared_by = row.approved_by = row.batch_id = None


def _source(row: PayOut) -> Account:
    return source(PayOutKind(row.kind), row.lot_id or 0)


def _paying_out(row: PayOut) -> Account:
    return Account(AccountKind.PAYING_OUT, row.organisation_id, row.lot_id)


def _book(
    session: Session, actor: Actor, now: dt.datetime, row: PayOut, word: str, debit: Account, credit: Account
) -> None:
    if row.kind == PayOutKind.REFUND:
        return
    ledger.post(
        session, f"pay_out:{row.id}:{word}:{row.version}", f"pay_out.{word}", debit, credit, row.amount_fen, now,
        currency=row.currency, actor=actor, detail={"pay_out_id": row.id},
    )  # fmt: skip


def _pursue(session: Session, row: PayOut, now: dt.datetime, cause: str) -> None:
    if row.bank_payment_id is None:
        return
    p, b = t(Payment).c, t(BankPayment).c
    payment_id = session.scalar(
        sa.select(p.id)
        .select_from(t(Payment).join(t(BankPayment), b.payment_id == p.id))
        .where(b.id == row.bank_payment_id, p.gateway == OfflineGateway.name)
    )
    if payment_id is not None:
        wishes.leave_pursuit(session, payment_id, now, f"pay_out:{cause}")


def _payable(session: Session, row: PayOut, account_id: int) -> bool:
    a = t(BankAccount).c
    found: Any = session.execute(
        sa.select(a.id).where(
            a.id == account_id,
            a.organisation_id == row.organisation_id,
            a.currency == row.currency,
            a.state == AccountState.IN_FORCE.value,
        )
    ).first()
    return found is not None


def _locked(session: Session, actor: Actor, pay_out_id: int) -> PayOut:
    require(actor, Action.MONEY_MANAGE)
    statement = sa.select(PayOut).where(t(PayOut).c.id == pay_out_id)
    row: PayOut | None = session.scalars(
        for_update(statement, session).execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(kind="pay_out")
    return row
