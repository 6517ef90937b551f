"""The report: PDF, XLSX and CSV open and tell what the page tells; the public's rules hold in all of them."""

from __future__ import annotations

import csv
import datetime as dt
import io
from decimal import Decimal

import openpyxl
import pypdf
import pytest

from market.deals.models import ContractKind
from tests.web.register import As, Register, make_register
from web import figure_report, i18n, wiring

DAY = dt.date(2024, 5, 6)
THEN = dt.datetime(2025, 3, 3, 4, tzinfo=dt.UTC)
"""A quarter that is over: what was recorded then is told to everybody."""
QUERY = "year=2024&caliber=C4"


@pytest.fixture
def register(parts: wiring.Parts) -> Register:
    made = make_register(parts.db, parts.clock.now())
    for _ in range(3):
        made.enter(DAY, THEN, deal_fen=123_456_789_01, deductions=[])
    made.enter(DAY, THEN, deal_fen=777_123_00, deductions=[], kind="licence", subkind="patent")
    return made


def sheets(body: bytes) -> dict[str, list[tuple[object, ...]]]:
    book = openpyxl.load_workbook(io.BytesIO(body))
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


def test_pdf_and_xlsx_agree_with_the_page(as_: As) -> None:
    client = as_("official")
    page = client.get(f"/statistics?{QUERY}").text
    share = client.get(f"/api/v1/statistics/gdp-share?{QUERY}").json()
    total = figure_report.yuan(share["numerator_fen"])
    assert total == Decimal("371147490.03")
    assert f"{total:,.2f}" in page
    answer = client.get(f"/statistics/report.pdf?{QUERY}")
    assert answer.headers["content-type"] == "application/pdf"
    text = "".join(one.extract_text() for one in pypdf.PdfReader(io.BytesIO(answer.content)).pages)
    for words in (f"{total:,.2f}", f"{share['share_percent']}%", "777,123.00", "141,763,000,000.00"):
        assert words in text, words
    found = sheets(client.get(f"/statistics/report.xlsx?{QUERY}").content)
    facts = dict(row[:2] for row in next(iter(found.values()))[1:] if len(row) > 1)
    assert Decimal(str(facts["Amount (yuan)"])) == total
    assert facts["Contracts"] == share["contract_count"] == 4
    assert facts["Share of GDP"] == f"{share['share_percent']}%"
    assert f"{share['share_percent']}%" in page
    for title, rows in found.items():
        if title.startswith("By"):
            assert sum(Decimal(str(row[2])) for row in rows[1:]) == total, title
            assert sum(int(str(row[1])) for row in rows[1:]) == 4, title


def test_every_table_is_a_csv_too(as_: As) -> None:
    client = as_("official")
    page = client.get(f"/statistics?{QUERY}").text
    for of in (
        "share",
        "kinds",
        "kind",
        "subkind",
        "month",
        "flow",
        "industry",
        "field",
        "circle",
        "town",
        "source",
    ):
        answer = client.get(f"/statistics/table.csv?{QUERY}&of={of}")
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert f"of={of}" in page
        assert len(rows) > 1, of
        if of not in ("share", "kinds"):
            assert sum(Decimal(row[2]) for row in rows[1:]) == Decimal("371147490.03")
    every = list(
        csv.reader(
            io.StringIO(client.get(f"/statistics/table.csv?{QUERY}&of=kinds").content.decode("utf-8-sig"))
        )
    )
    told = dict(zip(every[0], next(row for row in every if row[0] == "2024"), strict=True))
    names = [i18n.label(kind, "en") for kind in (ContractKind.DEVELOPMENT, ContractKind.LICENCE)]
    assert [told[name] for name in names] == ["370370367.03", "777123.00"]
    assert page.count('class="chart"') == page.count("of=share") + page.count("of=kinds") == 2
    assert client.get(f"/statistics/table.csv?{QUERY}&of=nothing").status_code == 404


def test_the_public_s_report_withholds_what_the_page_withholds(as_: As) -> None:
    client = as_("visitor")
    text = "".join(
        one.extract_text()
        for one in pypdf.PdfReader(io.BytesIO(client.get(f"/statistics/report.pdf?{QUERY}").content)).pages
    )
    assert "777,123" not in text
    assert "Withheld" in text
    found = sheets(client.get(f"/statistics/report.xlsx?{QUERY}").content)
    kinds = next(rows for title, rows in found.items() if title.startswith("By") and "ind" in title)
    assert {row[2] for row in kinds[1:]} == {"*"}
    assert "777123" not in client.get(f"/statistics/table.csv?{QUERY}&of=kind").text


def test_a_month_is_told_as_it_was_known_at_its_end(as_: As, register: Register) -> None:
    register.enter(dt.date(2026, 1, 5), dt.datetime(2026, 1, 6, tzinfo=dt.UTC), deal_fen=100, deductions=[])
    register.enter(dt.date(2026, 1, 5), dt.datetime(2026, 2, 6, tzinfo=dt.UTC), deal_fen=1000, deductions=[])
    client = as_("official")

    def amount(month: str) -> str:
        rows = client.get(f"/statistics/table.csv?caliber=C4&month={month}&of=share").text.splitlines()
        return next(row.split(",")[2] for row in rows if row.startswith("2026"))

    assert [amount(f"2026-0{month}") for month in (3, 2, 1)] == ["11.00", "11.00", "1.00"]
    assert amount("2025-12") == "0.00"


def test_the_card_may_be_framed_and_names_its_caliber(as_: As) -> None:
    answer = as_("visitor").get(f"/embed/statistics?{QUERY}")
    assert answer.status_code == 200
    assert "x-frame-options" not in answer.headers
    for words in ("C4", "371,147,490.03", "each contract once", "2025-02-28", "0.26"):
        assert words in answer.text, words
    assert "x-frame-options" in as_("visitor").get("/statistics").headers


def test_a_sheet_s_name_is_one_that_spreadsheets_allow() -> None:
    used: set[str] = set()
    for text in ("a/b:c*d", "甲" * 40, "甲" * 40, "[]", ""):
        name = figure_report._sheet_name(text, used)
        assert 0 < len(name) <= 31
        assert name not in used
        assert not set(name) & set("[]:*?/\\")
        used.add(name)
    assert len(used) >= 4
