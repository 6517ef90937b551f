"""What people do in a browser, in Chromium against the served demo market."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from market.permissions import Role
from tests.e2e.conftest import Served
from tests.e2e.site import LANGUAGES, PHONE, Site, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def site(demo_market: Served, browser: Browser) -> Site:
    return Site(demo_market, browser)


def complaints(page: Page) -> list[str]:
    """What the page's console will complain about: errors of scripts, of the content policy, of addresses."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found


def fen(text: str) -> int:
    match = re.search(r"¥([\d,]+)(?:\.(\d\d))?", text)
    assert match, text
    return int(match[1].replace(",", "")) * 100 + int(match[2] or 0)


def price(page: Page) -> int:
    return fen(page.inner_text('[data-live="price"]'))


def bid_least(page: Page) -> int:
    """Bid the least amount through the first button and its confirmation; the amount in fen."""
    from playwright.sync_api import expect

    choice = page.locator(".bid__choice").first
    expect(choice).to_be_enabled()
    amount = fen(choice.inner_text())
    choice.click()
    dialog = page.locator('[data-live="confirm"]')
    assert fen(dialog.locator('[data-confirm="amount"]').inner_text()) == amount
    dialog.locator('button[value="yes"]').click()
    return amount


def test_two_windows_bid_against_each_other(site: Site) -> None:
    from playwright.sync_api import expect

    lot = site.live_lot()
    first, second = site.bidders(lot)[:2]
    windows = [site.browser.new_context(base_url=site.url) for _ in range(2)]
    pages = [window.new_page() for window in windows]
    errors = [complaints(page) for page in pages]
    for page, person in zip(pages, (first, second), strict=True):
        sign_in(page, person)
        page.goto(f"/lots/{lot}")
        expect(page.locator('[data-live="connection"]')).to_have_attribute("data-state", "on")
    one, two = pages
    before = price(one)
    assert price(two) == before
    starter, other = (
        (two, one) if one.get_attribute('[data-live="standing"]', "data-state") == "lead" else (one, two)
    )

    for bidder, watcher in ((starter, other), (other, starter), (starter, other)):
        amount = bid_least(bidder)
        expect(bidder.locator('[data-live="standing"]')).to_have_attribute("data-state", "lead")
        for page in pages:
            expect(page.locator('[data-live="price"]')).to_have_text(re.compile(f"{amount // 100:,}"))
            assert price(page) == amount
        assert amount > before
        before = amount
        standing = watcher.locator('[data-live="standing"]')
        expect(standing).not_to_have_attribute("data-state", "lead")
    expect(other.locator('[data-live="standing"]')).to_have_attribute("data-state", "outbid")
    assert other.locator('[data-live="standing"] [data-when="outbid"]').is_visible()
    assert not other.locator('[data-live="standing"] [data-when="lead"]').is_visible()
    assert starter.locator('[data-live="standing"] [data-when="lead"]').is_visible()
    assert errors == [[], []]
    for window in windows:
        window.close()


def test_a_bid_that_is_too_low_is_refused_in_words(site: Site) -> None:
    from playwright.sync_api import expect

    lot = site.live_lot()
    context = site.context(site.bidders(lot)[0])
    page = context.new_page()
    page.goto(f"/lots/{lot}")
    expect(page.locator('[data-live="connection"]')).to_have_attribute("data-state", "on")
    before = price(page)
    page.fill("#bid-amount", "1")
    page.locator(".bid__free button[type=submit]").first.click()
    error = page.locator('[data-live="bid-error"]')
    expect(error).to_be_visible()
    assert error.inner_text().strip()
    assert price(page) == before
    context.close()


def test_without_scripts_a_bid_goes_through_the_page_that_asks(site: Site) -> None:
    lot = site.live_lot()
    context = site.context(site.bidders(lot)[0], java_script_enabled=False)
    page = context.new_page()
    page.goto(f"/lots/{lot}")
    choice = page.locator(".bid__choice").first
    amount = fen(choice.inner_text())
    choice.click()
    assert fen(page.inner_text(".bidask__figure")) == amount
    assert page.inner_text(".bidask__words").strip()
    page.click(".bidask button[type=submit]")
    assert page.url == f"{site.url}/lots/{lot}"
    assert price(page) == amount
    assert page.get_attribute('[data-live="standing"]', "data-state") == "lead"
    context.close()


def test_a_visitor_watches_without_an_account(site: Site) -> None:
    from playwright.sync_api import expect

    context = site.context()
    page = context.new_page()
    page.goto(f"/lots/{site.live_lot()}")
    expect(page.locator('[data-live="connection"]')).to_have_attribute("data-state", "on")
    assert page.locator(".bid__choice").count() == 0
    assert price(page) > 0
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_official_sees_the_figure_and_the_contracts_in_it(site: Site, language: str) -> None:
    context = site.context(site.person(Role.OFFICIAL), language=language)
    page = context.new_page()
    errors = complaints(page)
    page.goto("/statistics")
    assert re.search(r"\d+\.\d+\s*%", page.inner_text("main"))
    page.click('main a[href^="/statistics/contracts?"]')
    page.wait_for_url("**/statistics/contracts?*")
    assert page.locator('main a[href^="/contracts/"]').count() > 0
    assert "¥" in page.inner_text("main") or "元" in page.inner_text("main")
    assert errors == []
    context.close()


@pytest.mark.parametrize(
    ("language", "theme"),
    [
        ("zh-Hans", "light"),
        ("en", "dark"),
        pytest.param("zh-Hans", "dark", marks=pytest.mark.long),
        pytest.param("en", "light", marks=pytest.mark.long),
    ],
)
def test_main_pages_load_without_complaint_and_fit_a_phone(site: Site, language: str, theme: str) -> None:
    found = {}
    for visit in site.main_pages():
        person = None if visit.role is None else site.person(visit.role)
        context = site.context(person, language=language, theme=theme, viewport=PHONE, has_touch=True)
        page = context.new_page()
        errors = complaints(page)
        page.goto(visit.path)
        page.wait_for_load_state("load")
        assert page.locator("h1").count() == 1, visit.name
        assert page.get_attribute("html", "lang") == language
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            errors.append("wider than the window")
        if errors:
            found[visit.name] = errors
        context.close()
    assert found == {}
