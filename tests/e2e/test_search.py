"""The search in a browser: suggestions by keyboard, while an input method composes, and without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import Served
from tests.e2e.site import PHONE, Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(180)]
FIELD = "#mast-q"
LIST = "#mast-q-list"


@pytest.fixture(scope="module")
def site(demo_market: Served, browser: Browser) -> Site:
    return Site(demo_market, browser)


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    """The home page, whose requests for suggestions are noted in `page.asked`."""
    context = site.context()
    page = context.new_page()
    page.asked = []  # type: ignore[attr-defined]
    page.on(
        "request",
        lambda request: (
            page.asked.append(request.url) if "/search/suggestions" in request.url else None  # type: ignore[attr-defined]
        ),
    )
    page.goto("/")
    yield page
    context.close()


def options(page: Page) -> list[str]:
    """The suggestions shown, once there are some."""
    page.wait_for_selector(f"{LIST}:not([hidden]) [role=option]")
    return page.locator(f"{LIST} [role=option] span").all_inner_texts()


def chosen(page: Page) -> str | None:
    """The text of the option that the field says is the active one; it must be the one marked as chosen."""
    active = page.get_attribute(FIELD, "aria-activedescendant")
    marked = page.locator(f"{LIST} [aria-selected=true]")
    if active is None:
        assert marked.count() == 0
        return None
    assert marked.count() == 1
    assert marked.get_attribute("id") == active
    return marked.locator("span").inner_text()


def test_the_list_is_walked_and_left_by_keyboard(page: Page) -> None:
    assert page.get_attribute(FIELD, "role") == "combobox"
    assert page.get_attribute(FIELD, "aria-expanded") == "false"
    page.keyboard.press("/")
    page.keyboard.type("泵")
    texts = options(page)
    assert len(texts) >= 2
    assert page.get_attribute(FIELD, "aria-expanded") == "true"
    assert page.get_attribute(FIELD, "aria-controls") == LIST[1:]
    assert chosen(page) is None, "nothing is chosen for anybody"
    page.keyboard.press("ArrowDown")
    assert chosen(page) == texts[0]
    page.keyboard.press("ArrowDown")
    assert chosen(page) == texts[1]
    assert page.input_value(FIELD) == "泵", "what was typed stays"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert chosen(page) is None
    page.keyboard.press("ArrowUp")
    assert chosen(page) == texts[-1], "the list is a ring with the field in it"
    page.keyboard.press("Home")
    assert chosen(page) is None
    assert page.evaluate("document.activeElement.selectionStart") == 0
    page.keyboard.press("Escape")
    assert page.get_attribute(FIELD, "aria-expanded") == "false"
    assert page.input_value(FIELD) == "泵", "the first Escape only closes"
    assert page.locator(LIST).is_hidden()
    page.keyboard.press("ArrowDown")
    assert options(page) == texts
    page.keyboard.press("Tab")
    page.wait_for_selector(LIST, state="hidden")


def test_a_chosen_suggestion_leads_on_and_enter_alone_searches(page: Page) -> None:
    page.fill(FIELD, "泵")
    kinds = page.locator(f"{LIST} [role=option] small")
    texts = options(page)
    keyword = kinds.all_inner_texts().index("关键词")
    for _ in range(keyword + 1):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/search\?q="))
    assert page.input_value("#f-q") == texts[keyword]
    page.goto("/")
    page.fill(FIELD, "泵")
    texts = options(page)
    assert kinds.all_inner_texts()[0] == "单位"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/organisations/\d+$"))
    assert texts[0] in page.inner_text("h1")
    page.goto("/")
    page.fill(FIELD, "泵")
    options(page)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/search\?q=%E6%B3%B5$"))


def test_a_suggestion_is_chosen_by_pointer(page: Page) -> None:
    page.fill(FIELD, "泵")
    options(page)
    page.locator(f"{LIST} [role=option]").first.click()
    page.wait_for_url(re.compile(r"/organisations/\d+$"))


def test_fast_typing_asks_once_and_the_same_again_not_at_all(page: Page) -> None:
    page.click(FIELD)
    for letter in "abc":
        page.keyboard.type(letter)
    page.wait_for_timeout(600)
    assert [url.rsplit("=", 1)[1] for url in page.asked] == ["abc"]  # type: ignore[attr-defined]
    page.keyboard.type("d")
    page.wait_for_timeout(600)
    page.keyboard.press("Backspace")
    page.wait_for_timeout(600)
    assert [url.rsplit("=", 1)[1] for url in page.asked] == ["abc", "abcd"]  # type: ignore[attr-defined]


def test_nothing_is_asked_while_an_input_method_composes(page: Page) -> None:
    """As Chromium tells of pinyin typed with an input method: letters in the field, none of them meant."""
    page.click(FIELD)
    devtools = page.context.new_cdp_session(page)
    for letters in ("b", "be", "ben", "beng"):
        devtools.send(
            "Input.imeSetComposition",
            {"text": letters, "selectionStart": len(letters), "selectionEnd": len(letters)},
        )
        page.wait_for_timeout(250)
    assert page.input_value(FIELD) == "beng"
    assert page.asked == []  # type: ignore[attr-defined]
    assert page.locator(LIST).is_hidden()
    devtools.send("Input.insertText", {"text": "泵"})
    assert options(page)
    assert [url.rsplit("=", 1)[1] for url in page.asked] == ["%E6%B3%B5"]  # type: ignore[attr-defined]


def test_enter_that_ends_a_composition_chooses_nothing(page: Page) -> None:
    page.fill(FIELD, "泵")
    options(page)
    page.keyboard.press("ArrowDown")
    page.evaluate(
        f"""document.querySelector("{FIELD}").dispatchEvent(new KeyboardEvent("keydown",
            {{ key: "Enter", keyCode: 229, isComposing: true, bubbles: true, cancelable: true }}))"""
    )
    assert page.url.endswith("/")
    assert chosen(page) is not None


def test_a_refusal_is_kept_to_and_the_field_goes_on(page: Page) -> None:
    page.route(
        "**/search/suggestions*", lambda route: route.fulfill(status=429, headers={"Retry-After": "60"})
    )
    page.fill(FIELD, "泵")
    page.wait_for_timeout(400)
    page.fill(FIELD, "泵站")
    page.wait_for_timeout(400)
    assert len(page.asked) == 1  # type: ignore[attr-defined]
    assert page.locator(LIST).is_hidden()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/search\?q="))


def test_the_search_goes_without_scripts(site: Site) -> None:
    context = site.context(language="en", java_script_enabled=False, viewport=PHONE)
    page = context.new_page()
    page.goto("/")
    assert page.get_attribute(FIELD, "role") is None
    page.fill(FIELD, "泵")
    page.press(FIELD, "Enter")
    page.wait_for_url(re.compile(r"/search\?q="))
    assert page.locator(".card").count() > 0
    page.click("summary:has-text('Region')")
    page.locator("label", has_text="This city").first.click()
    page.click("text=Apply filters")
    page.wait_for_url(re.compile(r"region=city"))
    assert page.locator("a.tag--remove", has_text="This city").count() == 1
    context.close()
