"""Pages on prices in a browser: nothing grave for the accessibility checker, and nothing wider than a phone."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser

from market.db import t
from market.permissions import Role
from market.pricing.models import OpenLicence, PricingNotice, PriorityRight, Trial
from tests.e2e.conftest import Served
from tests.e2e.site import Site, Visit
from tests.e2e.test_accessibility import BOTH_ENDS, violations

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def site(demo_market: Served, browser: Browser) -> Site:
    return Site(demo_market, browser)


@pytest.mark.parametrize(("language", "theme", "viewport"), BOTH_ENDS, ids=["zh-Hans-wide", "en-dark-narrow"])
def test_prices_have_no_grave_violation(
    site: Site, language: str, theme: str, viewport: dict[str, int]
) -> None:
    n = t(PricingNotice).c
    notices = {row.state: row for row in site.read(sa.select(n.id, n.state, n.contract_id))}
    (right, *_), (trial, *_), (licence, *_) = (
        site.read(sa.select(column).order_by(column))
        for column in (t(PriorityRight).c.result_id, t(Trial).c.id, t(OpenLicence).c.id)
    )
    contract = notices["signed"].contract_id
    officer = Role.RESULTS_OFFICER
    visits = [
        Visit("notices", "/notices"),
        Visit("running", f"/notices/{notices['running'].id}", Role.DEMAND_OWNER),
        Visit("objected", f"/notices/{notices['objected'].id}", officer),
        Visit("expired", f"/notices/{notices['expired'].id}", officer),
        Visit("notice-form", f"/notices/{notices['draft'].id}/edit", officer),
        Visit("result", f"/results/{right[0]}/pricing", officer),
        Visit("contract", f"/contracts/{contract}/pricing", Role.OFFICIAL),
        Visit("splits", f"/contracts/{contract}/splits", Role.OFFICIAL),
        Visit("trials", "/trials", Role.OFFICIAL),
        Visit("trial", f"/trials/{trial[0]}", Role.OFFICIAL),
        Visit("licences", "/open-licences"),
        Visit("licence", f"/open-licences/{licence[0]}"),
    ]
    found = {}
    for visit in visits:
        person = None if visit.role is None else site.person(visit.role)
        context = site.context(person, language=language, theme=theme, viewport=viewport, bypass_csp=True)
        page = site.visit(context, visit)
        for summary in page.locator("main details > summary").all():
            if summary.locator("xpath=..").get_attribute("open") is None:
                summary.click()
        wrong = violations(page)
        if page.evaluate("document.documentElement.scrollWidth") > viewport["width"]:
            wrong.append("wider than the window")
        if wrong:
            found[visit.name] = wrong
        context.close()
    assert found == {}
