"""The figure's page and API: inputs beside the share, drill-down, what the public is not told."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re

import pytest
import sqlalchemy as sa

from tests.web.register import As, Register
from web import charts, wiring

DAY = dt.date(2024, 5, 6)
THEN = dt.datetime(2025, 3, 3, 4, tzinfo=dt.UTC)
"""A quarter that is over: what was recorded then is told to everybody."""


def test_an_empty_market_has_a_page_that_says_so(as_: As) -> None:
    page = as_("visitor").get("/statistics")
    assert page.status_code == 200
    assert "No contract is registered yet" in page.text


def test_the_share_stands_beside_its_caliber_and_inputs(as_: As, register: Register) -> None:
    register.enter(DAY, THEN, deal_fen=283_526_000_000, deductions=[])
    page = as_("visitor").get("/statistics?caliber=C4").text
    assert re.search(r"2\.00<small>%</small>", page)
    for words in (
        "C4",
        "2,835,260,000",
        "141,763,000,000",
        "2025-02-28",
        "2.0000%",
        "Plan target for 2025: 2%",
    ):
        assert words in page, words
    assert "style=" not in page
    assert page.count("<svg xmlns") == 2
    other = as_("visitor").get("/statistics?caliber=C1&year=2024").text
    assert re.search(r"0\.00<small>%</small>", other)


def test_without_a_gdp_the_page_shows_no_share(as_: As, register: Register) -> None:
    register.enter(dt.date(2023, 5, 6), THEN)
    page = as_("visitor").get("/statistics?year=2023&caliber=C4").text
    assert "Nothing is estimated in its place" in page
    share = as_("visitor").get("/api/v1/statistics/gdp-share?year=2023&caliber=C4").json()
    assert (share["numerator_fen"], share["denominator_fen"], share["share_percent"]) == (
        50_000_000,
        None,
        None,
    )


@pytest.mark.parametrize(
    "query",
    [
        "year=abc",
        "year=1800",
        "caliber=ZZ",
        "caliber=%00",
        "quarter=9",
        "as_of=9999-12-31",
        "as_of=0001-01-01",
    ],
)
def test_old_or_odd_links_still_open(as_: As, query: str) -> None:
    assert as_("visitor").get(f"/statistics?{query}").status_code == 200
    assert as_("visitor").get(f"/statistics/contracts?{query}&kind=%27&page=-1").status_code == 200


def test_the_share_over_the_api_carries_everything(as_: As, register: Register) -> None:
    register.enter(DAY, THEN, deal_fen=283_526_000_000, deductions=[])
    client = as_("visitor")
    share = client.get("/api/v1/statistics/gdp-share?caliber=C4").json()
    assert share["year"] == 2024
    assert share["share_percent"] == "2.0000"
    assert share["caliber"]["code"] == "C4"
    assert share["gdp_release"]["value_fen"] == share["denominator_fen"] == 14_176_300_000_000
    assert share["plan_target"]["value"] == "2"
    assert share["provisional"] == ["first_release"]
    found = client.get(share["contracts"]).json()
    assert found["total"] == share["contract_count"] == 1
    assert found["items"][0]["deal_fen"] is None
    assert as_("official").get(share["contracts"]).json()["items"][0]["deal_fen"] == 283_526_000_000
    before = client.get("/api/v1/statistics/gdp-share?year=2024&as_of=2025-02-27").json()
    assert before["denominator_fen"] is None
    for query, status in (
        ("caliber=C9", 404),
        ("caliber=c4", 422),
        ("year=1", 422),
        ("as_of=9999-12-31", 422),
    ):
        assert client.get(f"/api/v1/statistics/gdp-share?{query}").status_code == status, query
    assert len(client.get("/api/v1/statistics/calibers").json()["items"]) == 7
    assert len(client.get("/api/v1/statistics/gdp-releases").json()["items"]) == 1


def test_small_cells_are_withheld_from_the_public_only(as_: As, register: Register) -> None:
    for _ in range(3):
        register.enter(DAY, deal_fen=1_111_111_00, deductions=[])
    register.enter(DAY, deal_fen=777_123_00, deductions=[], kind="licence", subkind="patent")
    public, official = (
        as_("visitor").get("/statistics?caliber=C4").text,
        as_("official").get("/statistics?caliber=C4").text,
    )
    assert "777,123" not in public
    assert "withheld" in public
    assert "777,123" in official
    assert "withheld" not in official
    drilled = "/statistics/contracts?year=2024&caliber=C4&kind=licence"
    assert "777,123" not in as_("visitor").get(drilled).text
    page = as_("official").get(drilled).text
    assert "777,123" in page
    assert page.count("WL-2024-") == 1


def test_the_download_is_for_officials_and_runs_no_formula(as_: As, register: Register) -> None:
    register.enter(DAY, title="=HYPERLINK(1)")
    assert as_("visitor").get("/statistics/contracts.csv").status_code == 303
    assert as_("officer").get("/statistics/contracts.csv").status_code == 403
    answer = as_("official").get("/statistics/contracts.csv?year=2024&caliber=C4")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 2
    assert rows[1][0] == "WL-2024-000001"
    assert rows[1][2] == "'=HYPERLINK(1)"
    assert rows[1][-3:] == ["500000.00", "420000.00", "500000.00"]


def test_officials_enter_a_gdp_figure_and_publish(as_: As, register: Register) -> None:
    register.enter(DAY)
    for who, status in (("visitor", 303), ("officer", 403), ("staff", 403), ("official", 200)):
        assert as_(who).get("/statistics/manage").status_code == status, who
    form = {"region_code": "331081", "year": "2024", "quarter": "4", "vintage": "final",
            "value_fen": "1450.5亿", "published_on": "2026-01-15", "source": "温岭统计年鉴2025"}  # fmt: skip
    assert as_("staff").post("/statistics/releases", data=form).status_code == 403
    client = as_("official")
    refused = client.post("/statistics/releases", data=form | {"published_on": "2027-01-01"})
    assert refused.status_code == 422
    assert 'value="1450.5亿"' in refused.text
    assert client.post("/statistics/releases", data=form).status_code == 303
    share = client.get("/api/v1/statistics/gdp-share?year=2024").json()
    assert share["denominator_fen"] == 14_505_000_000_000
    made = client.post("/statistics/snapshots", data={"caliber": "C4", "year": "2024", "quarter": "4"})
    assert made.status_code == 303
    register.enter(DAY, deal_fen=123_456_00, deductions=[])
    wanted = {"caliber": "C4", "year": "2024", "quarter": "4"}
    assert "say why it is published anew" in client.post("/statistics/snapshots", data=wanted).text
    again = client.post("/statistics/snapshots", data=wanted | {"reason": "补登一份合同"})
    page = client.get(again.headers["location"]).text
    assert "¥123,456" in page
    assert "added" in page
    public = as_("visitor").get(again.headers["location"])
    assert public.status_code == 200
    assert "123,456" not in public.text
    nothing = as_("official").post(
        "/statistics/snapshots", data={"caliber": "C4", "year": "2020", "quarter": "4"}
    )
    assert nothing.status_code == 422
    number = again.headers["location"].rsplit("/", 1)[1]
    frozen = f"/api/v1/statistics/snapshots/{number}"
    assert as_("official").get(frozen).json()["content"]["contracts"]
    assert as_("visitor").get(frozen).json()["content"] is None
    assert as_("visitor").get("/api/v1/statistics/snapshots").json()["total"] == 2
    assert as_("visitor").get("/api/v1/statistics/snapshots/999999").status_code == 404
    assert (
        as_("visitor").post("/api/v1/statistics/snapshots", json={"caliber": "C4", "year": 2024}).status_code
        == 401
    )


def test_the_page_takes_as_many_statements_for_many_contracts_as_for_few(
    as_: As, register: Register, parts: wiring.Parts
) -> None:
    client = as_("official")

    def count() -> int:
        seen: list[str] = []

        def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
            seen.append(statement)

        sa.event.listen(parts.db.engine, "before_cursor_execute", note)
        assert client.get("/statistics").status_code == 200
        sa.event.remove(parts.db.engine, "before_cursor_execute", note)
        return len(seen)

    register.enter(DAY)
    few = count()
    for year in range(2020, 2026):
        register.enter(dt.date(year, 6, 3))
    assert count() == few
    assert few <= 18


def test_a_chart_styles_nothing_inline_and_names_itself() -> None:
    point = charts.Point("2024", None, "")
    drawn = charts.shares([point], title='<占比 "x">', axis="%")
    assert "style=" not in drawn
    assert "font-family" not in drawn
    assert 'role="img"' in drawn
    assert "<占比" not in drawn
    assert "var(--sea)" in charts.shares([charts.Point("2024", charts.Decimal(2), "2%")], title="t", axis="%")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("2025-02-27", "2024-12-31"),
        ("2024-12-31", "2024-12-31"),
        ("2024-12-30", "2024-09-30"),
        ("2025-03-31", "2025-03-31"),
        ("2025-04-01", "2025-03-31"),
    ],
)
def test_the_public_cannot_tell_single_amounts_from_day_to_day(
    as_: As, register: Register, asked: str, told: str
) -> None:
    register.enter(DAY, dt.datetime(2024, 5, 6, tzinfo=dt.UTC), deal_fen=777_123_00, deductions=[])
    share = "/api/v1/statistics/gdp-share?year=2024"
    for who, day in (("visitor", told), ("official", asked)):
        client = as_(who)
        assert client.get(f"{share}&as_of={asked}").json()["as_of"] == day
        assert f"as of {day}" in client.get(f"/statistics?as_of={asked}").text
        assert client.get(f"/api/v1/statistics/contracts?year=2024&as_of={asked}").status_code == 200
        assert client.get(f"{share}&caliber=C4").json()["contract_count"] == 1
