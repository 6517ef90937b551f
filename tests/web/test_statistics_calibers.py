"""Calibers: versions are added and never edited, count from then on, and published figures keep theirs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from market.statistics import calibers
from tests.web.register import As, Register
from web import wiring

NEXT: dict[str, Any] = {
    "code": "C4", "name": "技术交易合同技术交易额", "measure": "technology", "side": "either",
    "dated_by": "registration", "amendments": "restate", "states": ["registered"],
    "valid_from": "2026-01-01", "note": "自第二版起按技术交易额计，其余不变。",
}  # fmt: skip


def test_a_new_version_counts_from_then_on_and_published_figures_stay(
    as_: As, register: Register, parts: wiring.Parts
) -> None:
    register.enter(dt.date(2024, 5, 6))
    client = as_("official")
    wanted = {"caliber": "C4", "year": "2024", "quarter": "4"}
    first = client.post("/statistics/snapshots", data=wanted).headers["location"]
    share = "/api/v1/statistics/gdp-share?year=2024&caliber=C4"
    assert client.get(share).json()["numerator_fen"] == 50_000_000
    assert as_("staff").post("/statistics/calibers", data=NEXT).status_code == 403
    client = as_("official")
    assert client.post("/statistics/calibers", data=NEXT).status_code == 303
    told = client.get(share).json()
    assert (told["numerator_fen"], told["caliber"]["version"]) == (42_000_000, 2)
    assert NEXT["note"] in client.get("/statistics?year=2024&caliber=C4").text
    assert "500,000" in client.get(first).text
    second = client.post("/statistics/snapshots", data=wanted | {"reason": "口径改版"}).headers["location"]
    page = client.get(second).text
    assert "version 1 → 2" in page
    assert "another amount" in page
    with parts.db.read() as session:
        kept = [one for one in calibers.versions(session) if one.caliber.code == "C4"]
    assert [(one.caliber.version, one.current, one.published_by) for one in kept] == [
        (2, True, "official"), (1, False, None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"dated_by": "receipt"}, "Only what is received can be dated by receipt"),
        ({"valid_from": "2026-03-03"}, "cannot lie in the future"),
        ({"note": "短"}, 'id="f-note-error"'),
        ({"states": []}, "States counted"),
        ({"code": "c4"}, 'value="c4"'),
    ],
)
def test_what_cannot_be_is_told_and_kept(as_: As, change: dict[str, Any], words: str) -> None:
    client = as_("official")
    answer = client.post("/statistics/calibers", data=NEXT | change)
    assert answer.status_code == 422
    assert words in answer.text
    assert f'value="{NEXT["name"]}"' in answer.text
    assert client.get("/api/v1/statistics/calibers").json()["items"][3]["version"] == 1


def test_the_form_begins_with_the_version_in_force_and_wants_a_change(as_: As) -> None:
    page = as_("official").get("/statistics/calibers?caliber=C1").text
    assert 'value="技术输出合同成交额"' in page
    same = NEXT | {"note_en": "Another text"}
    assert as_("official").post("/statistics/calibers", data=same).status_code == 303
    again = as_("official").post("/statistics/calibers", data=same)
    assert "It says what the version in force says" in again.text
    public = as_("visitor").get("/statistics/calibers").text
    assert 'name="code"' not in public
    assert public.count("superseded") == 1


def test_the_switch_leads_to_the_same_side_s_other_amounts(as_: As) -> None:
    page = as_("visitor").get("/statistics?caliber=C4").text
    switch = page.split('aria-label="Amount counted"')[1].split("</nav>")[0]
    assert [code for code in ("C1", "C2", "C3", "C4", "C5", "C6", "C7") if f"caliber={code}" in switch] == [
        "C4", "C5", "C7"
    ]  # fmt: skip


def test_a_new_code_is_a_new_caliber(as_: As, register: Register) -> None:
    client = as_("official")
    assert client.post("/statistics/calibers", data=NEXT | {"code": "D1", "side": "buyer"}).status_code == 303
    found = client.get("/api/v1/statistics/calibers").json()["items"]
    assert (found[-1]["code"], found[-1]["version"], found[-1]["is_default"]) == ("D1", 1, False)
    assert found[-1]["region_code"] == "331081"
