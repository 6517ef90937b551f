"""The demo market's bank: an account, a second officer to confirm, and a statement with lines to explain."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.exchange import statements as reading
from market.parties import members
from market.parties.access import memberships_of
from market.parties.models import Person
from market.payments.bank import accounts, service
from market.payments.bank.inputs import AccountInput, ProposalInput
from market.payments.bank.models import BankLine, MatchKind
from market.permissions import COMMAND_LINE, Actor, Role, Via
from web.demo.people import Cast
from web.wiring import Parts

SECOND = ("资金复核岗（演示）", "staff2@example.com", "")
ACCOUNT = {
    "holder": "温岭市科技大市场服务中心（演示）",
    "bank": "演示银行温岭支行",
    "number": "0000 0000 0000 0001",
}
FILE = "演示流水.csv"
LINES = """交易日期,流水号,收入,支出,余额,对方户名,对方账号,附言
{day},D000001,50000.00,,150000.00,某单位,,往来款
{day},D000002,,12.50,149987.50,演示银行,,账户手续费
{day},D000003,88.60,,150076.10,演示银行,,结息
"""
CHARGE = 3
"""The charge's line in the file."""


def open_bank(parts: Parts, cast: Cast, now: dt.datetime) -> None:
    """Put an account in force and import a statement: a transfer that nobody has explained, a charge that one
    officer has, interest."""
    content = LINES.format(day=local_date(now) - dt.timedelta(days=1)).encode()
    file = reading.open_statement(content, FILE)
    mapping = reading.guess(file.table.columns)
    lines, _ = reading.read_lines(file, mapping)
    sha256 = parts.files.put(content)
    first = cast.anyone(Role.STAFF)
    with parts.db.write() as session:
        second = _second(session, first, now)
        account = accounts.propose(session, first, now, None, AccountInput.model_validate(ACCOUNT))
        accounts.confirm(session, second, now, account)
        statement = service.upload_statement(session, first, now, account, FILE, sha256)
        service.import_statement(session, first, now, statement, lines, mapping.columns())
        c = t(BankLine).c
        charge = session.execute(
            sa.select(c.id).where(c.statement_id == statement, c.position == CHARGE)
        ).scalar_one()
        service.propose(session, first, now, charge, ProposalInput(kind=MatchKind.FEE), [])


def _second(session: Session, first: Actor, now: dt.datetime) -> Actor:
    name, email, phone = SECOND
    p = t(Person).c
    password_hash = session.execute(sa.select(p.password_hash).where(p.id == first.person_id)).scalar_one()
    person = members.new_person(
        session, email=email, name=name, phone=phone, password_hash=password_hash, demo=True, now=now
    )
    assert person.id is not None
    organisation_id = next(one.organisation_id for one in first.memberships if one.role is Role.STAFF)
    members.grant(session, COMMAND_LINE, person.id, organisation_id, Role.STAFF, now)
    return Actor(person.id, person.name, Via.SESSION, memberships_of(session, person.id))
