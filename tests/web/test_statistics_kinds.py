"""Kinds over the years: where some counted licences as assignments, the page says so and draws no one line."""

from __future__ import annotations

import csv
import datetime as dt
import io

from market.deals.models import ContractKind
from tests.web.register import As, Register
from web import i18n

BREAK = "The kinds changed in 2021"
JOINED = "Assignment with licences (before 2021)"


def assignment(register: Register, year: int) -> None:
    register.enter(
        dt.date(year, 5, 6), deal_fen=1_000_000_00, deductions=[], kind="assignment", subkind="patent"
    )


def test_years_of_both_taxonomies_are_flagged_and_told_apart(as_: As, register: Register) -> None:
    assignment(register, 2020)
    assignment(register, 2022)
    client = as_("official")
    page = client.get("/statistics?caliber=C4&year=2022").text
    assert page.count(BREAK) >= 1
    assert "Broken series" in page
    drawn, table = page.split("<svg xmlns")[2].split("</svg>", 1)
    assert "Assignment with" in drawn
    assert JOINED in table
    rows = list(
        csv.DictReader(
            io.StringIO(
                client.get("/statistics/table.csv?caliber=C4&year=2022&of=kinds").content.decode("utf-8-sig")
            )
        )
    )
    told = {row["Year"]: row for row in rows}
    plain = i18n.label(ContractKind.ASSIGNMENT, "en")
    assert (told["2020"][plain], told["2020"][JOINED]) == ("—", "1000000.00")
    assert (told["2022"][plain], told["2022"][JOINED]) == ("1000000.00", "—")
    report = client.get("/statistics/report.xlsx?caliber=C4&year=2022")
    assert report.status_code == 200
    # The year alone: nothing is compared, but what it says means something else.
    assert "assignments have licences inside" in client.get("/statistics?caliber=C4&year=2020").text
    assert "assignments have licences inside" not in page


def test_an_older_contract_entered_as_a_licence_told_the_kinds_apart(as_: As, register: Register) -> None:
    day = dt.date(2020, 5, 6)
    register.enter(day, deal_fen=1_000_000_00, deductions=[], kind="licence", subkind="patent")
    page = as_("official").get("/statistics?caliber=C4&year=2020").text
    assert BREAK not in page
    assert "licences inside" not in page


def test_years_of_one_taxonomy_have_no_flag(as_: As, register: Register) -> None:
    for year in (2021, 2022, 2024):
        assignment(register, year)
    page = as_("official").get("/statistics?caliber=C4").text
    assert BREAK not in page
    assert JOINED not in page


def test_every_breakdown_is_one_link_away(as_: As, register: Register) -> None:
    register.enter(dt.date(2024, 5, 6))
    page = as_("official").get("/statistics?caliber=C4&year=2024").text
    links = page.split('class="jump"')[1].split("</nav>")[0]
    assert links.count('href="#by-') == 11
    for key in (
        "kind",
        "subkind",
        "industry",
        "field",
        "seller",
        "buyer",
        "circle",
        "town",
        "month",
        "flow",
        "source",
    ):
        assert f'href="#by-{key}"' in links
        assert page.count(f'id="by-{key}"') == 1
