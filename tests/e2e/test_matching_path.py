"""The way of a pair in a browser: a demand is posted and improved, partners appear with reasons, a broker brings
two together, the university answers, a contract is drafted, and the officials' funnel has counted each step."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from market.clock import SystemClock
from market.db import Database
from market.listings.models import Result
from market.permissions import Role
from tests import factories
from tests.e2e.conftest import Served
from tests.e2e.test_accessibility import violations
from web.deps import COOKIE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

TITLE = "求含纤维污水用自吸泵叶轮防堵塞与降噪技术"
VAGUE = "现有自吸泵叶轮输送含纤维污水时经常堵塞，噪声太大，希望大幅降低噪声。流量 25 m³/h 不能下降。"
CLEAR = (
    "现有自吸泵叶轮输送含纤维污水时每周堵塞三次，停机清理。希望额定流量 25 m³/h、扬程 12 m 工况下，"
    "一米处噪声由 78 dB(A) 降到 70 dB(A) 以下；介质为温度不超过 40 ℃ 的生活污水，纤维长度不超过 50 mm。"
)
RESULTS = (
    ("含纤维污水用自吸泵双流道防堵塞叶轮", "自吸泵叶轮采用双流道，输送含长纤维污水不堵塞，流量 25 m³/h 时噪声降低 8 dB(A)。"),
    ("自吸泵叶轮防堵塞结构与降噪设计", "叶轮前缘后掠并带切割齿，自吸泵输送含纤维污水时纤维不缠绕，叶片不等距布置降低噪声。"),
    ("污水用自吸泵叶轮降噪与防堵塞设计方法", "自吸泵叶轮与蜗壳隔舌间隙匹配，降低噪声，含纤维污水不堵塞。"),
    ("鞋底用热塑性弹性体发泡材料", "一种耐磨轻量的鞋底发泡材料。"),
    ("数控车床主轴热误差补偿方法", "建立主轴热误差模型并实时补偿。"),
)  # fmt: skip


@dataclass
class People:
    """Who takes part."""

    owner: factories.Account
    officer: factories.Account
    broker: factories.Account
    official: factories.Account


def prepare(variables: dict[str, str]) -> People:
    """A university with five results, a firm, a broker and an official."""
    database = Database(f"sqlite:///{Path(variables['MARKET_DATA_DIR']) / 'market.db'}")
    now = SystemClock().now()
    with database.write() as session:
        (university,) = factories.organisations(session, now, "university", 1, 1_000)
        (firm,) = factories.organisations(session, now, "firm", 1, 5_000)
        (agency,) = factories.organisations(session, now, "service_agency", 1, 9_000)
        people = factories.accounts(session, now, university, firm, agency)
        factories.bulk(
            session,
            Result,
            [
                {
                    "organisation_id": university, "title": title, "abstract": abstract,
                    "industry_code": "pumps_motors" if "自吸泵" in title else "other", "trl": 7, "modes": ["licence"],
                    "keywords": [], "ipc": [], "inventors": [], "state": "published", "published_at": now,
                    "confirmed_at": now, "valid_until": (now + 90 * factories.DAY).date(), "created_at": now,
                    "updated_at": now,
                }
                for title, abstract in RESULTS
            ],
        )  # fmt: skip
    database.dispose()
    return People(
        people[Role.DEMAND_OWNER], people[Role.RESULTS_OFFICER], people[Role.BROKER], people[Role.OFFICIAL]
    )


def as_(browser: Browser, served: Served, account: factories.Account) -> BrowserContext:
    """A window of somebody's own; the checker of accessibility is put past the page's policy."""
    context = browser.new_context(base_url=served.url, reduced_motion="reduce", bypass_csp=True)
    context.set_default_timeout(60_000)
    context.add_cookies(
        [
            {"name": COOKIE, "value": account.cookie, "url": served.url},
            {"name": "lang", "value": "zh-Hans", "url": served.url},
        ]
    )
    return context


def until(page: Page, path: str, there: Callable[[], bool]) -> None:
    """Look at a page again until something is there that background work brings."""
    for _ in range(60):
        page.goto(path)
        if there():
            return
        page.wait_for_timeout(1_000)
    raise AssertionError(f"{path}: {page.inner_text('main')[:2000]}")


def hints(page: Page) -> int:
    return page.locator("section[aria-labelledby=hints] li").count()


def check(page: Page) -> None:
    page.click("button[name=do][value=check]")
    page.wait_for_selector("section[aria-labelledby=hints]")


def number(page: Page, step: str) -> int:
    """The number of a step in the funnel's bars."""
    row = page.locator(".bars__row", has_text=step)
    return int(row.locator(".bars__n").inner_text())


def test_from_a_vague_demand_to_a_contract_that_the_funnel_counts(
    browser: Browser, serve: Callable[..., Served]
) -> None:
    prepared: list[People] = []
    served = serve(lambda variables: prepared.append(prepare(variables)))
    people = prepared[0]

    demand = a_firm_posts_a_demand(as_(browser, served, people.owner))
    enquiry = the_broker_accepts_one(as_(browser, served, people.broker))
    the_firm_sees_who_asked_in_its_name(as_(browser, served, people.owner), enquiry, demand)
    the_university_answers_and_agrees(as_(browser, served, people.officer), enquiry)
    the_funnel_has_counted(as_(browser, served, people.official))


def a_firm_posts_a_demand(context: BrowserContext) -> str:
    """The form says what is vague; what is answered is said no more; three partners appear, with reasons."""
    page = context.new_page()
    page.goto("/demands/new")
    page.fill("#f-title", TITLE)
    page.select_option("#f-industry_code", "pumps_motors")
    page.fill("#f-difficulty", VAGUE)
    check(page)
    vague = hints(page)
    assert vague >= 3
    assert page.input_value("#f-difficulty") == VAGUE
    page.fill("#f-difficulty", CLEAR)
    page.check('input[name=modes][value="licence"]')
    page.fill("#f-budget_high_fen", "30")
    check(page)
    assert hints(page) < vague
    assert page.locator("section[aria-labelledby=fitting] li").count() == 3
    page.locator("button[name=add_target]").first.click()
    page.wait_for_selector('input[name="targets.0.name"]')
    assert page.input_value('input[name="targets.0.threshold"]')
    page.fill("#f-contact_name", "林工")
    page.fill("#f-contact_phone", "0576-86200000")
    page.click("button[name=do][value=publish]")
    page.wait_for_url(re.compile(r"/demands/\d+$"))
    partners = page.locator("section[aria-labelledby=partners] li.card")
    assert partners.count() >= 3
    assert [partners.nth(n).locator(".card__why li").count() > 0 for n in range(3)] == [True] * 3
    place = page.url
    context.close()
    return place


def the_broker_accepts_one(context: BrowserContext) -> str:
    """The pairs appear in the queue by themselves; one becomes an enquiry with a step and a day."""
    page = context.new_page()
    pairs = page.locator("li.card", has_text=TITLE)
    until(page, "/proposals", lambda: pairs.count() >= 3)
    assert violations(page) == []
    chosen = page.locator("li.card", has_text=RESULTS[0][0])
    assert chosen.locator(".card__why li").count() > 0
    chosen.locator("h2 a").click()
    page.wait_for_selector("#result")
    assert page.locator("mark").count() > 0
    assert violations(page) == []
    page.fill("#f-body", "两位好，建议先通个电话。")
    page.locator("form[action*='/accept'] button[type=submit]").click()
    page.wait_for_selector(".notice--ok a[href^='/enquiries/']")
    href = page.locator("main .notice--ok a[href^='/enquiries/']").get_attribute("href")
    assert href is not None
    context.close()
    return href


def the_firm_sees_who_asked_in_its_name(context: BrowserContext, enquiry: str, demand: str) -> None:
    """The firm did not write it, is told so, and may pass."""
    page = context.new_page()
    page.goto(enquiry)
    assert "本对接并非贵单位主动发起" in page.inner_text("main")
    assert page.locator(f"a[href='{re.sub('^https?://[^/]+', '', demand)}']").count() >= 1
    assert page.locator(f"form[action='{enquiry}/pass']").count() == 1
    assert violations(page) == []
    context.close()


def the_university_answers_and_agrees(context: BrowserContext, enquiry: str) -> None:
    """Answer, negotiate, agree: the draft names the university as seller and the firm as buyer."""
    page = context.new_page()
    page.goto("/enquiries?box=received")
    page.click(f"a[href='{enquiry}']")
    page.fill("#f-body", "感谢推荐，样机可以寄送测试。")
    page.locator(f"form[action='{enquiry}/reply'] button").click()
    page.locator(f"form[action='{enquiry}/negotiate'] button").click()
    page.fill("#f-agreed", "普通许可，三年。")
    page.locator(f"form[action='{enquiry}/agree'] button").click()
    page.wait_for_url(re.compile(r"/contracts/\d+/edit$"))
    page.goto(re.sub("/edit$", "", page.url))
    text = page.inner_text("main")
    assert RESULTS[0][0] in text
    assert text.index("大学") < text.index("有限公司"), "the seller stands before the buyer"
    context.close()


def the_funnel_has_counted(context: BrowserContext) -> None:
    """One contact, answered, negotiated, drafted, of three suggestions; each number leads to its pair."""
    page = context.new_page()
    page.goto("/statistics/funnel")
    assert number(page, "撮合建议") == 3
    for step in ("促成对接", "对方答复", "进入洽谈", "形成合同"):
        assert number(page, step) == 1
    assert number(page, "登记合同") == 0
    assert violations(page) == []
    page.locator(".bars__row", has_text="形成合同").locator("a").click()
    page.wait_for_selector("table")
    assert TITLE in page.inner_text("table")
    assert violations(page) == []
    context.close()
