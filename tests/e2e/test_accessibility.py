"""axe finds nothing serious on the main pages, in both languages, light and dark, wide and narrow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from market.db import t
from market.listings.models import ListingState, Result
from market.permissions import Role
from market.scrutiny.models import ContractFlag, FlagKind
from market.statistics.models import Snapshot
from matching.models import Proposal, ProposalState
from tests.e2e.conftest import Served
from tests.e2e.site import DESKTOP, LANGUAGES, PHONE, THEMES, Site, Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]
GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def site(demo_market: Served, browser: Browser) -> Site:
    return Site(demo_market, browser)


def violations(page: Page) -> list[str]:
    """What axe holds to be serious or critical, with where."""
    from axe_playwright_python.sync_playwright import Axe

    response: dict[str, Any] = Axe().run(page).response
    return [
        f"{one['id']} ({one['impact']}): "
        + "; ".join(" ".join(map(str, node["target"])) for node in one["nodes"][:5])
        for one in response["violations"]
        if one["impact"] in GRAVE
    ]


LOOKS = [
    *((language, theme, DESKTOP) for language in LANGUAGES for theme in THEMES),
    ("zh-Hans", "light", PHONE),
    ("en", "dark", PHONE),
]
BOTH_ENDS = [LOOKS[0], pytest.param(*LOOKS[-1], marks=pytest.mark.long)]
"""One look at each change, the other with the long tests: a look at all pages takes the better part of a minute."""


def test_the_checker_sees_what_is_wrong(browser: Browser) -> None:
    page = browser.new_page()
    page.set_content('<html lang="en"><title>x</title><main><h1>x</h1><img src="x.png"><input></main></html>')
    assert {one.split()[0] for one in violations(page)} >= {"image-alt", "label"}
    page.close()


@pytest.mark.parametrize(
    ("language", "theme", "viewport"),
    [
        look if look in (LOOKS[0], LOOKS[-1]) else pytest.param(*look, marks=pytest.mark.long)
        for look in LOOKS
    ],
    ids=lambda value: str(value["width"]) if isinstance(value, dict) else value,
)
def test_main_pages_have_no_grave_violation(
    site: Site, language: str, theme: str, viewport: dict[str, int]
) -> None:
    found = {}
    for visit in site.main_pages():
        person = None if visit.role is None else site.person(visit.role)
        # The checker is put into the page, which the page's own policy would refuse.
        context = site.context(person, language=language, theme=theme, viewport=viewport, bypass_csp=True)
        wrong = violations(site.visit(context, visit))
        if wrong:
            found[visit.name] = wrong
        context.close()
    assert found == {}


@pytest.mark.parametrize(("language", "theme", "viewport"), BOTH_ENDS, ids=["zh-Hans-wide", "en-dark-narrow"])
def test_searching_has_no_grave_violation(
    site: Site, language: str, theme: str, viewport: dict[str, int]
) -> None:
    visits = [
        Visit("nothing-found", "/search?q=%22%E7%81%AB%E6%98%9F%22&trl=7-9&region=city"),
        Visit("relaxed", "/search?q=%E6%B3%B5+%E7%81%AB%E6%98%9F&kind=result"),
        Visit("saving", "/search?q=%E6%B3%B5+-%E6%9F%B4%E6%B2%B9", Role.DEMAND_OWNER),
        Visit("saved-searches", "/account/searches", Role.DEMAND_OWNER),
        Visit("synonyms", "/admin/synonyms", Role.STAFF),
    ]
    found = {}
    for visit in visits:
        person = None if visit.role is None else site.person(visit.role)
        context = site.context(person, language=language, theme=theme, viewport=viewport, bypass_csp=True)
        page = site.visit(context, visit)
        for summary in page.locator("main section details > summary").all():
            summary.click()
        if visit.role is None:
            page.fill("#mast-q", "泵")
            page.wait_for_selector("#mast-q-list [role=option]")
            page.keyboard.press("ArrowDown")
        wrong = violations(page)
        if wrong:
            found[visit.name] = wrong
        context.close()
    assert found == {}


@pytest.mark.parametrize(("language", "theme", "viewport"), BOTH_ENDS, ids=["zh-Hans-wide", "en-dark-narrow"])
def test_flags_have_no_grave_violation(
    site: Site, language: str, theme: str, viewport: dict[str, int]
) -> None:
    c = t(ContractFlag).c
    duplicates = c.kind == FlagKind.DUPLICATE_TERMS.value
    pair = site.read(sa.select(c.id, c.contract_id).where(duplicates).limit(1))[0]
    visits = [
        Visit("flags", "/flags", Role.OFFICIAL),
        Visit("one kind", "/flags?kind=round_year_end", Role.OFFICIAL),
        Visit("pair", f"/flags/{pair.id}", Role.OFFICIAL),
        Visit("contract", f"/contracts/{pair.contract_id}", Role.OFFICIAL),
    ]
    found = {}
    for visit in visits:
        context = site.context(
            site.person(Role.OFFICIAL), language=language, theme=theme, viewport=viewport, bypass_csp=True
        )
        page = site.visit(context, visit)
        wrong = violations(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append("wider than the window")
        if wrong:
            found[visit.name] = wrong
        context.close()
    assert found == {}


@pytest.mark.parametrize(("language", "theme", "viewport"), BOTH_ENDS, ids=["zh-Hans-wide", "en-dark-narrow"])
def test_matching_has_no_grave_violation(
    site: Site, language: str, theme: str, viewport: dict[str, int]
) -> None:
    p, r = t(Proposal).c, t(Result).c
    pair = site.read(sa.select(p.id).where(p.state == ProposalState.SUGGESTED.value).order_by(p.id).limit(1))[
        0
    ].id
    one, other = (
        row.id
        for row in site.read(
            sa.select(r.id).where(r.state == ListingState.PUBLISHED.value).order_by(r.id).limit(2)
        )
    )
    visits = [
        Visit("queue", "/proposals", Role.BROKER),
        Visit("pair", f"/proposals/{pair}", Role.BROKER),
        Visit("partners", f"/results/{one}", Role.BROKER),
        Visit("experts", "/experts"),
        Visit("funnel", "/statistics/funnel", Role.OFFICIAL),
        Visit("steps", "/statistics/funnel/steps?step=suggested", Role.OFFICIAL),
        Visit("duplicates", "/admin/duplicates", Role.STAFF),
        Visit("compared", f"/admin/duplicates?staying={one}&going={other}", Role.STAFF),
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


@pytest.mark.parametrize(("language", "theme", "viewport"), BOTH_ENDS, ids=["zh-Hans-wide", "en-dark-narrow"])
def test_the_figure_s_pages_have_no_grave_violation(
    site: Site, language: str, theme: str, viewport: dict[str, int]
) -> None:
    revision = site.read(sa.select(sa.func.max(t(Snapshot).c.id).label("id")))[0].id
    visits = [
        Visit("figure", "/statistics", Role.OFFICIAL),
        Visit("figure of an earlier day", "/statistics?caliber=C4&as_of=2025-09-30&quarter=3"),
        Visit("contracts inside", "/statistics/contracts?kind=service", Role.OFFICIAL),
        Visit("plan", "/statistics/plan", Role.OFFICIAL),
        Visit("indicator", "/statistics/plan/technology_transactions_gdp_share", Role.OFFICIAL),
        Visit("calibers", "/statistics/calibers?caliber=C1", Role.OFFICIAL),
        Visit("live", "/statistics/live"),
        Visit("manage", "/statistics/manage", Role.OFFICIAL),
        Visit("revision", f"/statistics/snapshots/{revision}", Role.OFFICIAL),
        Visit("forecast", "/statistics/forecast?caliber=C4", Role.OFFICIAL),
        Visit("forecast of a caliber without one", "/statistics/forecast?caliber=C6", Role.OFFICIAL),
        Visit("waiting", "/statistics/forecast/waiting?caliber=C4", Role.OFFICIAL),
        Visit("card", "/embed/statistics"),
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
