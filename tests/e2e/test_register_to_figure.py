"""From a file of contracts to a published figure in a browser: bad rows, mending, publishing, amending, reporting."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

import openpyxl
import pypdf
import pytest
import sqlalchemy as sa

from market.clock import SystemClock, local_date
from market.db import t
from market.deals.models import Contract, ContractState
from market.parties.models import MembershipRow, Organisation, Person
from market.permissions import Role
from market.statistics.models import GdpRelease
from tests.e2e.conftest import Served
from tests.e2e.site import PHONE, Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Download, Page

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(300)]

CALIBER = "C3"
"""Contracts whose buyer is in the city."""
HEAD = (
    "登记编号", "项目名称", "合同类别", "合同小类", "卖方名称", "卖方行政区划", "买方名称", "买方行政区划",
    "合同成交额（万元）", "技术交易额（万元）", "技术领域", "所属产业", "签订日期", "登记日期", "经办人",
)  # fmt: skip
FEN = 1_000_000
"""Fen in 万元."""


@pytest.fixture(scope="module")
def site(demo_market: Served, browser: Browser) -> Site:
    return Site(demo_market, browser)


@pytest.fixture
def official(site: Site) -> Iterator[Page]:
    """An official's window, in Chinese, that must have nothing to complain of."""
    context = site.context(site.person(Role.OFFICIAL), accept_downloads=True)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    # A refused form is answered with its status, which the browser writes down.
    assert [fault for fault in faults if "status of 4" not in fault] == []


def batch(year: int, today: dt.date, **changes: str) -> bytes:
    """Six contracts as an office elsewhere exports them; `changes` put bad values at `<line>.<column>`."""
    rows = []
    for number in range(6):
        day = today if number == 5 else dt.date(year, 5, 6)
        rows.append(
            dict(
                zip(
                    HEAD,
                    (
                        f"{year}3301{number:08d}", f"水泵叶轮增材修复试验第{number}号", "技术开发", "委托开发",
                        f"钱塘流体试验所第{number}部", "330106", f"温岭试验泵业第{number}有限公司", "331081",
                        f"{100 + number}.5", f"{100 + number}.5", "先进制造", "泵与电机",
                        dt.date(year, 3, 4).isoformat(), day.isoformat(), "",
                    ),
                    strict=True,
                )
            )
        )  # fmt: skip
    for place, value in changes.items():
        line, _, column = place.partition(".")
        rows[int(line) - 2][column] = value
    out = io.StringIO()
    writer = csv.DictWriter(out, HEAD)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("gb18030")


def fen(text: str) -> int:
    """An exact amount in yuan, as a page tells it, in fen."""
    found = re.search(r"¥([\d,]+(?:\.\d{1,2})?)", text)
    assert found, text
    return int(Decimal(found[1].replace(",", "")) * 100)


def press(page: Page, name: str, within: str = "main") -> None:
    page.locator(within).get_by_role("button", name=name, exact=True).click()
    page.wait_for_load_state()


def upload(page: Page, name: str, body: bytes) -> None:
    page.set_input_files('input[name="file"]', {"name": name, "mimeType": "text/csv", "buffer": body})


def shown(page: Page, year: int) -> tuple[int, int, str]:
    """What the page of the figure says: fen counted, contracts, percent."""
    page.goto(f"/statistics?year={year}&caliber={CALIBER}")
    panel = page.locator(".panel", has=page.get_by_role("heading", name="分子"))
    number = re.search(r"[\d,]+", panel.locator('a[href^="/statistics/contracts"]').inner_text())
    assert number
    notes = page.locator(".figure__note .num")
    percent = notes.last.inner_text() if notes.count() else "—"
    return fen(panel.inner_text()), int(number[0].replace(",", "")), percent


def saved(take: Callable[[], None], page: Page) -> bytes:
    """What a click downloads."""
    with page.expect_download() as waiting:
        take()
    download: Download = waiting.value
    return download.path().read_bytes()


def publish(page: Page, year: int, reason: str) -> None:
    page.goto("/statistics/manage")
    page.select_option("#f-snapshot-caliber", CALIBER)
    page.fill("#f-snapshot-year", str(year))
    if reason:
        page.fill("#f-reason", reason)
    press(page, "固定并发布")


def report_agrees(pdf: bytes, book: bytes, figure: tuple[int, int, str]) -> None:
    """Both files open and tell the page's amount to the fen, its contracts and its share."""
    amount, contracts, percent = figure
    yuan = Decimal(amount) / 100
    text = "".join(one.extract_text() for one in pypdf.PdfReader(io.BytesIO(pdf)).pages)
    for words in (f"{yuan:,.2f}", percent, f"{contracts:,}"):
        assert words in text, words
    sheets = list(openpyxl.load_workbook(io.BytesIO(book)))
    facts = {row[0]: row[1] for row in sheets[0].iter_rows(min_row=2, max_col=2, values_only=True)}
    assert Decimal(str(facts["金额（元）"])) == yuan
    assert facts["合同数"] == contracts
    assert percent in facts.values()
    breakdowns = [sheet for sheet in sheets if sheet.title.startswith("按")]
    assert len(breakdowns) >= 10
    for sheet in breakdowns:
        cells = list(sheet.iter_rows(min_row=2, max_col=3, values_only=True))
        assert sum(Decimal(str(row[2])) for row in cells) == yuan, sheet.title
        assert sum(int(str(row[1])) for row in cells) == contracts, sheet.title


def test_from_a_file_with_bad_rows_to_a_revised_figure_and_its_report(site: Site, official: Page) -> None:
    g = t(GdpRelease).c
    year = max(row.year for row in site.read(sa.select(g.year).where(g.quarter == 4)))
    today = local_date(SystemClock().now())
    page = official
    before = shown(page, year)

    # A file with three bad rows: nothing is taken, each is explained at its line.
    page.goto("/exchange")
    page.get_by_label("技术合同", exact=True).first.check()
    bad = {"3.登记日期": f"{year}-02-30", "5.技术交易额（万元）": "900", "6.登记编号": "1234"}
    upload(page, "登记合同.csv", batch(year, today, **bad))
    press(page, "上传并对应列")
    assert "经办人" in page.inner_text(".notice")
    press(page, "导入")
    rows = [row.split("\t") for row in page.locator("table tbody tr").all_inner_texts()]
    assert [(row[0].strip(), row[2].strip()) for row in rows] == [
        ("3", f"{year}-02-30"), ("5", "9000000.00"), ("6", "1234"),
    ]  # fmt: skip
    assert all(re.search(r"[\u4e00-\u9fff]{4}", row[3]) for row in rows)
    told = saved(lambda: page.get_by_role("link", name=re.compile("下载报告")).click(), page)
    lines = list(csv.reader(io.StringIO(told.decode("utf-8-sig"))))
    assert [line[0] for line in lines[1:]] == ["3", "5", "6"]
    assert shown(page, year) == before

    # The file is mended and uploaded again from the report; the columns stay matched.
    page.go_back()
    upload(page, "登记合同（改）.csv", batch(year, today))
    press(page, "上传")
    press(page, "只检查，不写入")
    press(page, "正式导入")
    assert "6" in page.locator(".stats").inner_text()
    brought = sum((100 + number) * FEN + FEN // 2 for number in range(5))
    imported = shown(page, year)
    assert imported[0] - before[0] == brought
    assert imported[1] - before[1] == 5
    assert imported[2] != before[2]

    # Published, then a contract is amended: the revision names it, with why.
    publish(page, year, "年报")
    first = page.url
    assert re.fullmatch(r".*/statistics/snapshots/\d+", first)
    assert f"{imported[1]:,}" in page.inner_text("main")
    c = t(Contract).c
    chosen = site.read(
        sa.select(c.id, c.local_number, c.deal_fen).where(c.title == "水泵叶轮增材修复试验第2号")
    )[0]
    page.goto(f"/contracts/{chosen.id}")
    page.get_by_text("变更登记", exact=True).first.click()
    form = page.locator('form:has(input[name="step"][value="amend"])')
    form.locator('input[name="deal_fen"]').fill("150.25万")
    form.locator('textarea[name="reason"]').fill("补充协议调整价款")
    form.get_by_role("button", name="变更登记").click()
    page.wait_for_load_state()
    amended = shown(page, year)
    assert amended[0] - imported[0] == 150_250_000 - chosen.deal_fen
    publish(page, year, "")
    assert "请说明" in page.locator(".errors").inner_text(), "a figure is not published anew without a reason"
    page.fill("#f-reason", "一份合同变更了价款")
    press(page, "固定并发布")
    assert page.url != first
    changes = page.locator("section", has=page.get_by_role("heading", name="本次修订的变化"))
    assert "一份合同变更了价款" in changes.inner_text()
    (named,) = changes.locator("table tbody tr").all_inner_texts()
    for words in (chosen.local_number, "补充协议调整价款", "102.5", "150.25"):
        assert words in named, words
    site_number = page.url.rpartition("/")[2]
    language = site.context(site.person(Role.OFFICIAL), language="en", viewport=PHONE)
    english = language.new_page()
    english.goto(f"/statistics/snapshots/{site_number}")
    assert "What this revision changed" in english.inner_text("main")
    assert chosen.local_number in english.inner_text("main")
    assert "Contract value, buyer in the city" in english.inner_text(".figure")
    assert english.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    language.close()

    # The report as PDF and XLSX, of the year and of the month, through the page.
    for of, is_month in ((year, False), (today.year, True)):
        figure = shown(page, of)
        if is_month:
            page.get_by_text("月度报告", exact=True).click()
            page.select_option("#f-month", f"{today:%Y-%m}")
            within = page.locator("details", has=page.locator("#f-month"))
            take = [
                lambda name=name, box=within: box.get_by_role("button", name=name).click()
                for name in ("PDF", "XLSX")
            ]
        else:
            take = [
                lambda name=name: page.locator("main").get_by_role("link", name=name).first.click()
                for name in ("PDF", "XLSX")
            ]
        pdf, book = (saved(one, page) for one in take)
        report_agrees(pdf, book, figure)
    assert shown(page, today.year)[1] >= 1


def test_two_officials_who_accept_the_same_contract_are_told_apart(site: Site) -> None:
    p, m, o, c = t(Person).c, t(MembershipRow).c, t(Organisation).c, t(Contract).c
    first = site.read(
        sa.select(p.name, o.credit_code)
        .join_from(t(Person), t(MembershipRow), m.person_id == p.id)
        .join(t(Organisation), o.id == m.organisation_id)
        .where(p.id == site.person(Role.OFFICIAL), m.role == Role.OFFICIAL.value)
    )[0]
    email, password = "second.official@example.com", "compasses over the estuary 7"
    site.served.market(
        "user", "add", email, "第二经办人", "--role", "official", "--organisation", first.credit_code, "--password-stdin",
        typed=f"{password}\n",
    )  # fmt: skip
    contract = site.read(
        sa.select(c.id, c.local_number)
        .where(c.state == ContractState.SUBMITTED.value)
        .order_by(c.id)
        .limit(1)
    )[0]
    windows = [site.context(site.person(Role.OFFICIAL)), site.context()]
    one, other = (window.new_page() for window in windows)
    other.goto("/sign-in")
    other.fill("#f-email", email)
    other.fill("#f-password", password)
    press(other, "登录")
    notes = {one: "先受理，材料齐全", other: "拟受理；附件三页码有误，请补一页"}
    forms = {}
    for page, note in notes.items():
        page.goto(f"/contracts/{contract.id}")
        page.locator("summary", has_text="受理").first.click()
        forms[page] = page.locator('form:has(input[name="step"][value="accept"])')
        forms[page].locator('textarea[name="reason"]').fill(note)
    for page, form in forms.items():
        form.locator("button").click()
        page.wait_for_load_state()
    assert "已受理" in one.inner_text("main")
    assert one.locator("main .notice[role=alert]").count() == 0
    told = other.locator("main .notice[role=alert]").inner_text()
    assert "受理" in told
    assert first.name in told
    assert notes[other] in other.inner_text("main") + "".join(
        area.input_value() for area in other.locator("textarea").all()
    )
    assert notes[one] in other.inner_text("main"), "what the winner noted stands in the contract's steps"
    assert len(site.read(sa.select(c.id).where(c.id == contract.id, c.state != "submitted"))) == 1
    for window in windows:
        window.close()
