"""The pages about money in a browser: nothing grave for axe, nothing wider than the window, two officers at work."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from market.clock import SystemClock
from market.db import Database, t
from market.parties import access
from market.parties.models import MembershipRow, Person
from market.payments.bank import accounts, service
from market.payments.bank.inputs import AccountInput, ProposalInput
from market.payments.bank.models import BankLine, MatchKind
from market.payments.bank.rules import StatementLine
from market.permissions import Actor, Role, Via
from tests.e2e.conftest import Served
from tests.e2e.site import DESKTOP, PHONE, Site, Visit
from tests.e2e.test_accessibility import violations
from tests.market.bank import ACCOUNT
from tests.market.parties import Parties

LOOKS = [("zh-Hans", "light", DESKTOP), pytest.param("en", "dark", PHONE, marks=pytest.mark.long)]


@pytest.fixture(scope="module")
def site(demo_market: Served, browser) -> Site:  # type: ignore[no-untyped-def]
    return Site(demo_market, browser)


def _actor(session, person_id: int) -> Actor:  # type: ignore[no-untyped-def]
    person = session.get(Person, person_id)
    return Actor(person_id, person.name, Via.SESSION, access.memberships_of(session, person_id))


@pytest.fixture(scope="module")
def lines(site: Site) -> tuple[int, int]:
    """A statement with a line to explain and one to confirm, said by another than the demo's officer."""
    database, now = Database(f"sqlite:///{site.served.folder / 'market.db'}"), SystemClock().now()
    try:
        with database.write() as session:
            officer = _actor(session, site.person(Role.STAFF))
            other = Parties(session, now).market(Role.STAFF)
            account = accounts.propose(session, other, now, None, AccountInput.model_validate(ACCOUNT))
            accounts.confirm(session, officer, now, account)
            statement = service.upload_statement(session, other, now, account, "流水.csv", "0" * 64)
            rows = [
                StatementLine(1, now.date(), 300_00, "某单位", "1234", "货款", "E1", 300_00),
                StatementLine(2, now.date(), -5_00, "某银行", "", "手续费", "E2", 295_00),
            ]
            service.import_statement(session, other, now, statement, rows)
            c = t(BankLine).c
            first, second = session.scalars(
                sa.select(c.id).where(c.statement_id == statement).order_by(c.position)
            )
            service.propose(session, other, now, second, ProposalInput(kind=MatchKind.FEE), [])
        return int(first), int(second)
    finally:
        database.dispose()


@pytest.mark.parametrize(("language", "theme", "viewport"), LOOKS, ids=["zh-Hans-wide", "en-dark-narrow"])
def test_money_s_pages_have_no_grave_violation(
    site: Site, lines: tuple[int, int], language: str, theme: str, viewport: dict[str, int]
) -> None:
    m = t(MembershipRow).c
    bidder = site.person(Role.BIDDER)
    organisation = site.read(sa.select(m.organisation_id).where(m.person_id == bidder).limit(1))[0][0]
    visits = [
        Visit("accounts", "/bank", Role.STAFF),
        Visit("lines", "/bank/lines", Role.STAFF),
        Visit("to confirm", "/bank/lines?state=proposed", Role.STAFF),
        Visit("a line", f"/bank/lines/{lines[0]}", Role.STAFF),
        Visit("a proposal", f"/bank/lines/{lines[1]}", Role.STAFF),
        Visit("pay-outs", "/bank/pay-outs", Role.STAFF),
        Visit("reconciliation", "/bank/reconciliation", Role.STAFF),
        Visit("statements", "/money/organisations", Role.STAFF),
        Visit("own statement", f"/money/organisations/{organisation}", Role.BIDDER),
        Visit("own account", f"/organisations/{organisation}/bank-account", Role.BIDDER),
    ]
    found = {}
    for visit in visits:
        assert visit.role is not None
        context = site.context(
            site.person(visit.role), language=language, theme=theme, viewport=viewport, bypass_csp=True
        )
        page = site.visit(context, visit)
        page.evaluate("document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
        wrong = violations(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append("wider than the window")
        if wrong:
            found[visit.name] = wrong
        context.close()
    assert found == {}


def test_an_officer_confirms_what_another_said(site: Site, lines: tuple[int, int]) -> None:
    context = site.context(site.person(Role.STAFF), language="en")
    page = context.new_page()
    page.goto(f"/bank/lines/{lines[1]}")
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_load_state()
    assert page.get_by_text("Confirmed by").is_visible()
    assert page.get_by_role("button", name="Withdraw").count() == 0
    page.goto(f"/bank/lines/{lines[0]}")
    page.get_by_role("textbox", name="Reference").fill("TM 2222 229")
    page.locator("section[aria-labelledby=by-reference] button").click()
    page.wait_for_load_state()
    assert page.get_by_role("textbox", name="Reference").input_value() == "TM 2222 229"
    assert page.get_by_text("There is no such reference").first.is_visible()
    context.close()
