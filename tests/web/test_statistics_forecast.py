"""The forecast's page, table and API: who reads them, that they agree, what lies behind each part."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest

from market.deals import service as deals
from market.deals.rules import Step
from market.permissions import SYSTEM
from tests.web.register import As, Register

PAGE, API = "/statistics/forecast", "/api/v1/statistics/forecast"
THEN = dt.datetime(2025, 3, 3, 4, tzinfo=dt.UTC)


def history(register: Register) -> None:
    """Three years, each with half as much again after 2 March, and this one so far."""
    for year in (2023, 2024, 2025):
        register.enter(dt.date(year, 2, 10), deal_fen=100_000_000_00, deductions=[])
        register.enter(dt.date(year, 9, 10), deal_fen=50_000_000_00, deductions=[])
    register.enter(dt.date(2026, 2, 10), deal_fen=200_000_000_00, deductions=[])


def test_officials_alone_read_it(as_: As) -> None:
    for place in (PAGE, f"{PAGE}.csv", f"{PAGE}/waiting"):
        for who, status in (("visitor", 303), ("officer", 403), ("official", 200)):
            assert as_(who).get(place).status_code == status, (place, who)
    assert as_("visitor").get(API).status_code == 401
    assert as_("officer").get(API).status_code == 403
    assert as_("official").get(API).status_code == 200
    for place in ("/statistics", "/statistics/plan", "/statistics/plan/technology_transactions_gdp_share"):
        assert 'href="/statistics/forecast' not in as_("visitor").get(place).text
        assert 'href="/statistics/forecast' in as_("official").get(place).text


def test_page_table_and_api_tell_the_same(as_: As, register: Register) -> None:
    history(register)
    waiting = register.draft(deal_fen=60_000_000_00, deductions=[])
    client = as_("official")
    told = client.get(f"{API}?caliber=C4").json()
    assert told["registered_fen"] == 200_000_000_00
    assert [one["fen"] for one in told["stages"] if one["count"]] == [60_000_000_00]
    assert told["expected_fen"] == 30_000_000_00
    # Half as much again, less what waits.
    assert told["beyond_fen"] == 70_000_000_00
    assert (told["low_fen"], told["mid_fen"], told["high_fen"]) == (
        270_000_000_00,
        300_000_000_00,
        330_000_000_00,
    )
    assert (told["gdp_basis"], told["gdp_fen"]) == ("last", 14_176_300_000_000)
    assert (told["low_percent"], told["mid_percent"], told["high_percent"]) == ("0.1905", "0.2116", "0.2328")
    assert told["needed_fen"] == 14_176_300_000_000 // 50
    page = client.get(f"{PAGE}?caliber=C4").text
    for words in (
        "forecast, not a statistic",
        "300,000,000",
        "270,000,000",
        "330,000,000",
        "0.21",
        "2,835,260,000",
    ):
        assert words in page, words
    assert "style=" not in page
    assert page.count("<svg xmlns") == 1
    rows = list(csv.reader(io.StringIO(client.get(f"{PAGE}.csv?caliber=C4").content.decode("utf-8-sig"))))
    amounts = {row[0]: row[2] for row in rows}
    assert amounts["2026 low end of the range"] == "270000000.00"
    assert amounts["2026 middle"] == "300000000.00"
    assert amounts["2024 registered by the day"] == "100000000.00"
    listed = client.get(f"{PAGE}/waiting?caliber=C4&state=draft").text
    assert f'href="/contracts/{waiting}"' in listed
    assert f'href="/contracts/{waiting}"' not in client.get(f"{PAGE}/waiting?caliber=C4&state=submitted").text
    assert "¥60,000,000" in listed
    assert client.get(told["caliber"]["code"] and f"{PAGE}/waiting?state=nonsense&page=-1").status_code == 200


def test_thin_history_says_so_and_gives_a_range_alone(as_: As, register: Register) -> None:
    register.enter(dt.date(2026, 2, 10), deal_fen=7_000_000_00, deductions=[])
    register.draft(deal_fen=60_000_000_00, deductions=[])
    told = as_("official").get(f"{API}?caliber=C4").json()
    assert (told["low_fen"], told["mid_fen"], told["high_fen"]) == (7_000_000_00, None, 67_000_000_00)
    page = as_("official").get(f"{PAGE}?caliber=C4").text
    assert "History is too thin" in page
    assert "67,000,000" in page


def test_a_caliber_of_receipts_has_none(as_: As) -> None:
    client = as_("official")
    assert "so there is no forecast" in client.get(f"{PAGE}?caliber=C6").text
    answer = client.get(f"{API}?caliber=C6")
    assert answer.status_code == 422
    assert "no forecast" in answer.text
    assert "No contracts here" in client.get(f"{PAGE}/waiting?caliber=C6").text


def test_a_past_day_s_forecast_is_of_that_day(as_: As, register: Register) -> None:
    register.enter(dt.date(2025, 2, 10), THEN, deal_fen=7_000_000_00, deductions=[])
    waiting = register.draft(deal_fen=60_000_000_00, deductions=[])
    with register.db.write() as session:
        deals.step(session, SYSTEM, register.now, waiting, Step.SUBMIT)
    client = as_("official")
    told = client.get(f"{API}?caliber=C4&as_of=2025-03-31").json()
    assert (told["year"], told["registered_fen"], told["high_fen"]) == (2025, 7_000_000_00, 7_000_000_00)
    assert client.get(f"{API}?caliber=C4&as_of=2025-03-03T03:59:59Z").json()["registered_fen"] == 0
    page = client.get(f"{PAGE}?caliber=C4&as_of=2025-03-31").text
    assert "Forecast of the year 2025" in page
    assert "as of 2025-03-31" in page


@pytest.mark.parametrize(
    "query", ["as_of=nonsense", "as_of=9999-12-31", "caliber=ZZ", "caliber=%00&as_of=0001-01-01"]
)
def test_old_or_odd_links_still_open(as_: As, query: str) -> None:
    assert as_("official").get(f"{PAGE}?{query}").status_code == 200
