"""What follows a sale, looked at: axe finds nothing serious, and nothing is wider than the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from market.db import t
from market.permissions import Role
from market.settlements.models import Settlement, SettlementState
from tests.e2e.conftest import Served
from tests.e2e.site import Site, Visit
from tests.e2e.test_accessibility import BOTH_ENDS, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def site(demo_market: Served, browser: Browser) -> Site:
    return Site(demo_market, browser)


@pytest.mark.parametrize(("language", "theme", "viewport"), BOTH_ENDS, ids=["zh-Hans-wide", "en-dark-narrow"])
def test_settlements_have_no_grave_violation(
    site: Site, language: str, theme: str, viewport: dict[str, int]
) -> None:
    s = t(Settlement).c
    paid, unpaid, defaulted = (
        site.read(sa.select(s.id, s.lot_id).where(*where).order_by(s.id).limit(1))[0]
        for where in (
            (s.balance_paid_on.is_not(None),),
            (s.balance_paid_on.is_(None), s.state == SettlementState.OPEN.value),
            (s.state == SettlementState.DEFAULTED.value,),
        )
    )
    visits = [
        Visit("list", "/settlements?show=all", Role.STAFF),
        Visit("late", "/settlements?show=late", Role.STAFF),
        Visit("paid", f"/settlements/{paid.id}", Role.STAFF),
        Visit("unpaid", f"/settlements/{unpaid.id}", Role.STAFF),
        Visit("defaulted", f"/settlements/{defaulted.id}", Role.STAFF),
        Visit("lot", f"/lots/{unpaid.lot_id}", Role.STAFF),
        Visit("public", f"/lots/{defaulted.lot_id}"),
    ]
    found = {}
    for visit in visits:
        person = None if visit.role is None else site.person(visit.role)
        context = site.context(person, language=language, theme=theme, viewport=viewport, bypass_csp=True)
        page = site.visit(context, visit)
        page.evaluate("document.querySelectorAll('main details').forEach((one) => { one.open = true; })")
        wrong = violations(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append("wider than the window")
        if wrong:
            found[visit.name] = wrong
        context.close()
    assert found == {}
