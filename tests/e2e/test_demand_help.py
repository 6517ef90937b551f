"""The help beside the form of a demand in a browser: after a pause in typing, never while a word is composed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from market.db import t
from market.listings.models import Result
from market.permissions import Role
from tests.e2e.conftest import Served
from tests.e2e.site import PHONE, Site
from tests.e2e.test_accessibility import violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]
VAGUE = "现有密封使用寿命短，用户投诉多。要求流量不低于 25 立方米/小时。"


@pytest.fixture(scope="module")
def site(demo_market: Served, browser: Browser) -> Site:
    return Site(demo_market, browser)


@pytest.fixture
def form(site: Site) -> Iterator[Page]:
    context = site.context(site.person(Role.DEMAND_OWNER), viewport=PHONE)
    page = context.new_page()
    page.goto("/demands/new")
    yield page
    context.close()


def test_hints_come_by_themselves_and_are_spoken(form: Page) -> None:
    from playwright.sync_api import expect

    faults: list[str] = []
    form.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    form.fill("#f-title", "潜水电泵机械密封寿命提升")
    form.fill("#f-difficulty", VAGUE)
    form.wait_for_selector("#help a[href='#f-difficulty']")
    assert "“寿命短”" in form.inner_text("#help")
    expect(form.locator("#announcer")).to_contain_text("条建议")
    # What was said already is not said again; what is gone is gone.
    form.fill("#f-difficulty", VAGUE.replace("现有密封使用寿命短，", ""))
    expect(form.locator("#help")).not_to_contain_text("寿命短")
    assert form.input_value("#f-title") == "潜水电泵机械密封寿命提升"
    assert faults == []


def test_nothing_is_asked_while_a_word_is_composed(form: Page) -> None:
    asked: list[str] = []
    form.on("request", lambda request: asked.append(request.url) if "/demands/check" in request.url else None)
    form.focus("#f-difficulty")
    form.evaluate(
        """text => {
            const area = document.getElementById("f-difficulty");
            area.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
            area.value = text;
            area.dispatchEvent(new InputEvent("input", { bubbles: true, isComposing: true }));
        }""",
        VAGUE,
    )
    form.wait_for_timeout(2500)
    assert asked == []
    form.evaluate(
        "document.getElementById('f-difficulty').dispatchEvent(new CompositionEvent('compositionend', { bubbles: true }))"
    )
    form.wait_for_selector("#help a[href='#f-difficulty']")
    assert len(asked) == 1


def test_a_found_figure_becomes_a_row(form: Page) -> None:
    form.fill("#f-difficulty", VAGUE)
    form.click("#help button[name=add_target]")
    form.wait_for_selector("[name='targets.0.name'][value='流量']")
    assert form.input_value("[name='targets.0.threshold']") == "25"
    assert form.input_value("[name='targets.0.unit']") == "m³/h"
    assert form.input_value("#f-difficulty") == VAGUE


def test_without_scripts(site: Site) -> None:
    context = site.context(site.person(Role.DEMAND_OWNER), java_script_enabled=False)
    page = context.new_page()
    page.goto("/demands/new")
    page.fill("#f-difficulty", VAGUE)
    page.click("button[name=do][value=check]")
    assert "“寿命短”" in page.inner_text("#help")
    page.click("#help button[name=add_target]")
    assert page.input_value("[name='targets.0.name']") == "流量"
    context.close()


def test_no_grave_violation(site: Site) -> None:
    first, second = (
        row.id
        for row in site.read(
            sa.select(t(Result).c.id)
            .where(t(Result).c.state == "published")
            .order_by(t(Result).c.id)
            .limit(2)
        )
    )
    found = {}
    for role, path in (
        (Role.DEMAND_OWNER, "/demands/new"),
        (Role.STAFF, "/admin/duplicates"),
        (Role.STAFF, f"/admin/duplicates?staying={first}&going={second}"),
    ):
        context = site.context(site.person(role), viewport=PHONE, bypass_csp=True)
        page = context.new_page()
        page.goto(path)
        if role is Role.DEMAND_OWNER:
            page.fill("#f-difficulty", VAGUE)
            page.click("button[name=do][value=check]")
            page.wait_for_selector("#help a[href='#f-difficulty']")
        if wrong := violations(page):
            found[path] = wrong
        context.close()
    assert found == {}
