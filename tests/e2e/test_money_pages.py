"""Pages about money in a browser: nothing grave for the accessibility checker, and nothing wider than a phone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from auctions.models import Admission, Lot
from auctions.rules.state import LotState
from market.db import t
from market.parties.models import MembershipRow, Organisation
from market.payments.bank.models import BankLine, BankStatement
from market.payments.models import Deposit, DepositState, Payment
from market.permissions import Role
from market.settlements.models import Settlement, SettlementState
from tests.e2e.conftest import Served
from tests.e2e.site import DESKTOP, Site
from tests.e2e.test_accessibility import BOTH_ENDS, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(240)]
SECOND, PASSWORD = "second.staff@example.com", "two pairs of eyes at the weir 5"
LINES = """交易日期,流水号,收入,支出,余额,对方户名,对方账号,附言
2026-11-02,S1,345000.00,,345000.00,试验付款单位,3300177790003334445,保证金
2026-11-03,S2,,12.50,344987.50,,,手续费"""


@pytest.fixture(scope="module")
def site(demo_market: Served, browser: Browser) -> Site:
    site = Site(demo_market, browser)
    m, o = t(MembershipRow).c, t(Organisation).c
    (code,) = site.read(
        sa.select(o.credit_code)
        .join_from(t(Organisation), t(MembershipRow), m.organisation_id == o.id)
        .where(m.person_id == site.person(Role.STAFF), m.role == Role.STAFF.value)
    )[0]
    site.served.market(
        "user", "add", SECOND, "第二经办人", "--role", "staff", "--organisation", code, "--password-stdin",
        typed=f"{PASSWORD}\n",
    )  # fmt: skip
    one, other = site.context(site.person(Role.STAFF)), site.context()
    assert other.request.post("/sign-in", form={"email": SECOND, "password": PASSWORD}).ok
    account: dict[str, str | float | bool] = {
        "holder": "试验科技市场",
        "bank": "试验银行",
        "number": "33001234567890",
    }
    assert one.request.post("/bank/accounts", form=account).ok
    found = re.search(r"/bank/accounts/(\d+)/confirm", other.request.get("/bank").text())
    assert found
    assert other.request.post(f"/bank/accounts/{found[1]}/confirm").ok
    page = one.new_page()
    page.goto("/bank")
    page.set_input_files(
        'input[name="file"]', {"name": "流水.csv", "mimeType": "text/csv", "buffer": LINES.encode()}
    )
    page.locator('form[action$="/bank/statements"] button').click()
    page.wait_for_url("**/bank/statements/*")
    page.get_by_role("button", name="全部导入").click()
    page.wait_for_load_state()
    assert len(site.read(sa.select(t(BankLine).c.id).where(t(BankLine).c.serial.in_(("S1", "S2"))))) == 2
    # The account that is shown is another one, which waits for the second officer.
    assert one.request.post("/bank/accounts", form=account | {"number": "33001234567891"}).ok
    one.close()
    other.close()
    return site


def judged(page: Page, viewport: dict[str, int]) -> list[str]:
    """What is wrong with a page, with everything that folds open."""
    page.evaluate("document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
    wrong = violations(page)
    if page.evaluate("document.documentElement.scrollWidth") > viewport["width"]:
        wrong.append("wider than the window")
    return wrong


def opened(context: BrowserContext, path: str) -> Page:
    page = context.new_page()
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 200, f"{path}: {answer.status}"
    return page


@pytest.mark.parametrize(("language", "theme", "viewport"), BOTH_ENDS, ids=["zh-Hans-wide", "en-dark-narrow"])
def test_officers_pages_have_no_grave_violation(
    site: Site, language: str, theme: str, viewport: dict[str, int]
) -> None:
    s, p, d = t(Settlement).c, t(Payment).c, t(Deposit).c
    (running,), (broken,) = (
        site.read(sa.select(s.id).where(s.state == state.value).order_by(s.id))[0]
        for state in (SettlementState.OPEN, SettlementState.DEFAULTED)
    )
    paid = site.read(sa.select(p.id, p.organisation_id, p.lot_id).order_by(p.id))[0]
    held = site.read(
        sa.select(p.id)
        .join_from(t(Payment), t(Deposit), d.id == p.deposit_id)
        .where(d.state == DepositState.HELD.value)
    )[0]
    statement, line = (site.read(sa.select(t(model).c.id))[0].id for model in (BankStatement, BankLine))
    paths = [
        "/settlements?show=all", f"/settlements/{running}", f"/settlements/{broken}",
        f"/payments/{paid.id}", f"/payments/{held.id}",
        "/bank", f"/bank/statements/{statement}", "/bank/lines", f"/bank/lines/{line}", "/bank/pay-outs",
        f"/bank/orders/new?lot={paid.lot_id}", "/bank/reconciliation", "/money/organisations",
        f"/money/organisations/{paid.organisation_id}", f"/money/lots/{paid.lot_id}",
        f"/organisations/{paid.organisation_id}/bank-account",
    ]  # fmt: skip
    found = {}
    with site.context(
        site.person(Role.STAFF), language=language, theme=theme, viewport=viewport, bypass_csp=True
    ) as context:
        for path in paths:
            page = opened(context, path)
            wrong = judged(page, viewport)
            if wrong:
                found[path] = wrong
            page.close()
    assert found == {}


@pytest.mark.parametrize(("language", "theme", "viewport"), BOTH_ENDS, ids=["zh-Hans-wide", "en-dark-narrow"])
def test_payers_pages_have_no_grave_violation(
    site: Site, language: str, theme: str, viewport: dict[str, int]
) -> None:
    lot = t(Lot).c
    waiting = site.read(
        sa.select(lot.id)
        .where(lot.state == LotState.REGISTRATION.value, lot.terms["deposit_fen"].as_integer() > 0)
        .order_by(lot.id)
    )
    # Each look begins anew, with a lot of its own.
    number = waiting[0 if viewport == DESKTOP else 1].id
    a, m = t(Admission).c, t(MembershipRow).c
    asked = sa.select(a.person_id).where(a.lot_id == number)
    person = next(
        one for one in site.bidders(site.live_lot()) if one not in {row.person_id for row in site.read(asked)}
    )
    (organisation,) = site.read(
        sa.select(m.organisation_id).where(m.person_id == person, m.role == "bidder")
    )[0]
    found: dict[str, list[str]] = {}

    def look(name: str) -> None:
        wrong = judged(page, viewport)
        if wrong:
            found[name] = wrong

    with site.context(person, language=language, theme=theme, viewport=viewport, bypass_csp=True) as context:
        page = opened(context, f"/lots/{number}")
        page.check('input[name="relation"][value="none"]')
        page.check('input[name="accept"]')
        page.locator('form[action$="/admission"] button').click()
        page.wait_for_load_state()
        look("room")
        pay = page.locator('form[action$="/deposit"]')
        pay.evaluate("(form) => { form.noValidate = true; for (const one of form.way) one.checked = false; }")
        pay.locator("button").click()
        page.wait_for_load_state()
        assert page.locator(".field__error, .errors, [aria-invalid=true]").count() > 0
        look("choose")
        page.locator('form[action$="/deposit"] input[name="way"]').first.check()
        page.locator('form[action$="/deposit"] button').click()
        page.wait_for_url("**/payments/simulated/*")
        look("simulated")
        page.locator('button[value="authenticate"]').click()
        page.wait_for_load_state()
        look("authenticating")
        page.locator('button[value="authentication_failed"]').click()
        page.wait_for_load_state()
        look("simulated, declined")
        page.locator('main a[href^="/payments/"]:not([href*="simulated"])').last.click()
        page.wait_for_load_state()
        look("payment, declined")
        page.goto(f"/organisations/{organisation}/bank-account")
        look("account for pay-outs")
        page.goto(f"/money/organisations/{organisation}")
        look("statement")
    assert found == {}
