"""The hall's big screen, the replay and the rehearsal room, in Chromium against the served demo market."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from market.db import t
from market.listings.models import ListingState, PricingMode, Result
from market.permissions import Role
from tests.e2e.conftest import Served
from tests.e2e.site import PHONE, Site
from tests.e2e.test_browser import bid_least, complaints, fen, price

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def site(demo_market: Served, browser: Browser) -> Site:
    return Site(demo_market, browser)


def test_a_visitor_rehearses_leads_and_is_outbid(site: Site) -> None:
    from playwright.sync_api import expect

    with site.context(viewport=PHONE) as context:
        page = context.new_page()
        wrong = complaints(page)
        page.goto(f"{site.url}/rehearsal/english")
        amount = bid_least(page)
        expect(page.locator('[data-live="standing"]')).to_have_attribute("data-state", "lead")
        assert price(page) == amount
        # A practice bidder answers within seconds.
        expect(page.locator('[data-live="standing"]')).to_have_attribute(
            "data-state", "outbid", timeout=30_000
        )
        assert price(page) > amount
        assert page.locator('[data-live="own"] li').count() == 1
        assert wrong == []


def test_an_envelope_is_sealed_in_rehearsal(site: Site) -> None:
    from playwright.sync_api import expect

    with site.context() as context:
        page = context.new_page()
        wrong = complaints(page)
        page.goto(f"{site.url}/rehearsal/sealed")
        page.locator('[data-live="seal-button"]').wait_for()
        expect(page.locator('[data-live="bid"] fieldset')).to_be_enabled()
        page.fill("#bid-amount", "150000")
        page.click('[data-live="seal-button"]')
        page.click('[data-live="confirm"] button[value="yes"]')
        expect(page.locator('[data-live="envelope-state"]')).to_have_attribute("data-state", "sealed")
        expect(page.locator('[data-live="slip"]')).to_be_visible()
        assert wrong == []


def test_the_screen_follows_the_room(site: Site) -> None:
    from playwright.sync_api import expect

    lot = site.live_lot()
    with site.context() as context:
        page = context.new_page()
        wrong = complaints(page)
        page.goto(f"{site.url}/lots/{lot}/screen")
        expect(page.locator('[data-live="connection"]')).to_have_attribute("data-state", "on")
        assert page.locator("svg.qr").is_visible()
        shown = fen(page.inner_text('[data-live="price"]'))
        assert shown > 0
        assert ":" in page.inner_text('[data-live="face"]')
        assert wrong == []


def test_a_replay_is_walked_through_with_the_keyboard(site: Site) -> None:
    from playwright.sync_api import expect

    with site.context() as context:
        page = context.new_page()
        wrong = complaints(page)
        page.goto(f"{site.url}/lots/{site.sold_lot()}/replay")
        expect(page.locator('[data-live="play"]')).to_be_visible()
        slider = page.locator('[data-live="slider"]')
        slider.focus()
        page.keyboard.press("End")
        last = page.inner_text('[data-live="price"]')
        page.keyboard.press("Home")
        expect(page.locator('[data-live="price"]')).not_to_have_text(last)
        for _ in range(40):
            page.click('[data-live="next"]')
        expect(page.locator('[data-live="price"]')).to_have_text(last)
        assert "¥" in (slider.get_attribute("aria-valuetext") or "")
        assert wrong == []


def test_a_field_of_another_format_does_not_hold_the_form_up(site: Site) -> None:
    r = t(Result).c
    result = site.read(
        sa.select(r.id).where(r.state == ListingState.PUBLISHED, r.pricing_mode == PricingMode.AUCTION)
    )[0].id
    with site.context(site.person(Role.STAFF), language="en") as context:
        page = context.new_page()
        page.goto(f"{site.url}/lots/new?result={result}")
        page.fill('[name="terms.start_fen"]', "100000")
        page.fill('[name="terms.opens_at"]', "2099-01-05T10:00")
        page.check('input[name="terms.format"][value="sealed"]')
        page.fill('input[name$="reveal_s"]', "2")
        page.check('input[name="terms.format"][value="english"]')
        page.click('button:has-text("Save draft")')
        # Sent and answered: what the English form lacks is told by the server, not swallowed by the browser.
        page.wait_for_selector("#errors")
        assert "terms.params.reveal_s" not in page.inner_html("#errors")
