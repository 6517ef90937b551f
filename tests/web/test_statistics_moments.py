"""The figure as of a moment, over the API: to the second for officials, in ends of quarters and steps for the public."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.web.register import As, Register

SHARE = "/api/v1/statistics/gdp-share?year=2024&caliber=C4"
DAY = dt.date(2024, 5, 6)
MORNING = dt.datetime(2025, 3, 3, 4, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("moment", "count"),
    [
        ("2025-03-03T03:59:59Z", 0),
        ("2025-03-03T12:00:00%2B08:00", 1),
        ("2025-03-03T12:00:00+08:00", 1),
        ("2025-03-03T00:00:00Z", 0),
        ("2025-03-03", 1),
        ("2025-03-02", 0),
    ],
)
def test_a_moment_is_to_the_second(as_: As, register: Register, moment: str, count: int) -> None:
    register.enter(DAY, MORNING)
    client = as_("official")
    told = client.get(f"{SHARE}&as_of={moment}").json()
    assert told["contract_count"] == count
    assert client.get(told["contracts"]).json()["total"] == count


def test_the_public_gets_the_end_of_the_quarter_for_any_moment(as_: As, register: Register) -> None:
    register.enter(DAY, MORNING)
    client = as_("visitor")
    before = client.get(f"{SHARE}&as_of=2025-03-30T12:00:00Z").json()
    assert (before["as_of"], before["contract_count"]) == ("2024-12-31", 0)
    after = client.get(f"{SHARE}&as_of=2025-04-01T12:00:00Z").json()
    assert (after["as_of"], after["contract_count"]) == ("2025-03-31", 1)


@pytest.mark.parametrize(
    "moment",
    ["2025-03-03T12:00:00", "2025-03-03T25:00:00Z", "nonsense", "9999-12-31T23:59:59Z", "2025-13-01"],
)
def test_what_is_no_moment_is_refused_in_words(as_: As, moment: str) -> None:
    answer = as_("official").get(f"{SHARE}&as_of={moment}")
    assert answer.status_code == 422
    assert "as_of" in answer.text


def test_totals_move_for_the_public_in_steps_of_three_everywhere(as_: As, register: Register) -> None:
    places = (
        "/statistics?year=2024&caliber=C4",
        "/statistics/live?caliber=C4",
        "/embed/statistics?caliber=C4",
        SHARE,
    )
    for number in (1, 2):
        register.enter(DAY, deal_fen=111_111_00, deductions=[])
        client = as_("visitor")
        for place in places:
            page = client.get(place).text
            assert "111,111" not in page, place
            assert "222,222" not in page, place
        told = client.get(SHARE).json()
        assert (told["contract_count"], told["numerator_fen"]) == (0, 0)
        assert client.get(told["contracts"]).json()["total"] == 0
        for kind in ("csv?of=share", "csv?of=month"):
            table = client.get(f"/statistics/table.{kind}&year=2024&caliber=C4").text
            assert "111111.00" not in table
            assert "222222.00" not in table
        assert as_("official").get(SHARE).json()["contract_count"] == number
    register.enter(DAY, deal_fen=111_111_00, deductions=[])
    client = as_("visitor")
    assert client.get(SHARE).json()["numerator_fen"] == 333_333_00
    assert "333,333" in client.get(places[0]).text
