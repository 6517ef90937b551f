"""Verbs of bank accounts: one person proposes an account, another confirms it. None commits.

What an account was and who said so stays: a change is a new row. The audit log keeps masked numbers.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from market import audit
from market.db import Session, for_update, t
from market.errors import NotFound, WrongState
from market.payments.bank import rules
from market.payments.bank.inputs import AccountInput
from market.payments.bank.models import AccountState, BankAccount
from market.permissions import Action, Actor, require


def propose(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    organisation_id: int | None,
    data: AccountInput,
    *,
    currency: str = "CNY",
) -> int:
    """Propose where an organisation is paid, or (None) an account of the market's own; returns its id.

    An earlier proposal that nobody confirmed is withdrawn. Raises SignInRequired, NotAllowed.
    """
    if organisation_id is None:
        require(actor, Action.MONEY_MANAGE)
    else:
        require(actor, Action.MONEY_ACCOUNT, organisation_id)
    if actor.person_id is None:
        raise rules.SecondPerson
    a = t(BankAccount).c
    if organisation_id is not None:
        earlier = session.scalars(
            sa.select(BankAccount).where(
                a.organisation_id == organisation_id,
                a.currency == currency,
                a.state == AccountState.PROPOSED.value,
            )
        )
        for one in earlier:
            _decide(session, actor, now, one, AccountState.WITHDRAWN)
    row = BankAccount(
        organisation_id=organisation_id,
        currency=currency,
        proposed_by=actor.person_id,
        proposed_at=now,
        **data.model_dump(),
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    audit.record(session, actor, "bank_account.proposed", row.id, now, after=_told(row))
    return row.id


def confirm(session: Session, actor: Actor, now: dt.datetime, account_id: int) -> None:
    """Put a proposed account in force; it replaces the organisation's last one.

    Raises NotFound, NotAllowed, SecondPerson for whoever proposed it, WrongState.
    """
    row = _proposed(session, actor, account_id)
    require(actor, Action.MONEY_MANAGE)
    rules.check_second(row.proposed_by, actor.person_id)
    if row.organisation_id is not None:
        a = t(BankAccount).c
        for one in session.scalars(
            sa.select(BankAccount).where(
                a.organisation_id == row.organisation_id,
                a.currency == row.currency,
                a.state == AccountState.IN_FORCE.value,
            )
        ):
            one.state = AccountState.REPLACED.value
    _decide(session, actor, now, row, AccountState.IN_FORCE)


def withdraw(session: Session, actor: Actor, now: dt.datetime, account_id: int) -> None:
    """Take a proposed account back, by whoever may propose one. Raises NotFound, NotAllowed, WrongState."""
    row = _proposed(session, actor, account_id)
    if row.organisation_id is None:
        require(actor, Action.MONEY_MANAGE)
    else:
        require(actor, Action.MONEY_ACCOUNT, row.organisation_id)
    _decide(session, actor, now, row, AccountState.WITHDRAWN)


def _proposed(session: Session, actor: Actor, account_id: int) -> BankAccount:
    statement = sa.select(BankAccount).where(t(BankAccount).c.id == account_id)
    row: BankAccount | None = session.scalars(
        for_update(statement, session).execution_options(populate_existing=True)
    ).one_or_none()
    may_know = row is not None and (
        actor.can(Action.MONEY_MANAGE)
        or (row.organisation_id is not None and actor.can(Action.MONEY_READ, row.organisation_id))
    )
    if row is None or not may_know:
        raise NotFound(kind="bank_account")
    if row.state != AccountState.PROPOSED:
        raise WrongState(state=row.state, action="decide")
    return row


def _decide(session: Session, actor: Actor, now: dt.datetime, row: BankAccount, state: AccountState) -> None:
    row.state, row.decided_by, row.decided_at = state.value, actor.person_id, now
    session.flush()
    assert row.id is not None
    word = "confirmed" if state is AccountState.IN_FORCE else "withdrawn"
    audit.record(session, actor, f"bank_account.{word}", row.id, now, after=_told(row))


def _told(row: BankAccount) -> dict[str, object]:
    return {
        "organisation_id": row.organisation_id,
        "holder": row.holder,
        "bank": row.bank,
        "number": rules.masked(row.number),
    }
