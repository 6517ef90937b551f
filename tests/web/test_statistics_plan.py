"""The plan's pages: what they show to whom, entering a value, what is refused, the download."""

from __future__ import annotations

import csv
import io

import pytest

from tests.web.register import As

ENTRY = {"indicator": "high_tech_firms", "year": "2022", "value": "400", "source": "温岭市2022年统计公报"}


def test_everybody_reads_the_table_and_officials_enter(as_: As) -> None:
    page = as_("visitor").get("/statistics/plan").text
    assert page.count('href="/statistics/plan/') == 15
    assert "does not agree with itself" in page
    assert 'name="value"' not in page
    assert as_("staff").post("/statistics/plan", data=ENTRY).status_code == 403
    client = as_("official")
    made = client.post("/statistics/plan", data=ENTRY)
    assert made.status_code == 303
    assert made.headers["location"].startswith("/statistics/plan/high_tech_firms")
    one = client.get("/statistics/plan/high_tech_firms").text
    # 276 to 560 in five years: 389.6 after two.
    for words in ("400", "389.6", "44%", "on the path", "温岭市2022年统计公报", "<svg"):
        assert words in one, words
    assert "style=" not in one
    assert 'name="source"' not in as_("visitor").get("/statistics/plan/high_tech_firms").text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"year": "2019"}, "Only years that are over, from 2020 on"),
        ({"year": "2026"}, "Only years that are over"),
        ({"value": "viele"}, 'value="viele"'),
        ({"value": "1.23456"}, "Too many decimals"),
        ({"value": "-1"}, 'value="-1"'),
        ({"source": ""}, "Source"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_lost(
    as_: As, change: dict[str, str], words: str
) -> None:
    answer = as_("official").post("/statistics/plan", data=ENTRY | change)
    assert answer.status_code == 422
    assert words in answer.text
    for name, typed in (ENTRY | change).items():
        assert name == "indicator" or f'value="{typed}"' in answer.text
    assert '<option value="high_tech_firms" selected' in answer.text


def test_an_unknown_indicator_is_no_page(as_: As) -> None:
    assert as_("visitor").get("/statistics/plan/nothing").status_code == 404
    answer = as_("official").post("/statistics/plan", data=ENTRY | {"indicator": "nothing"})
    assert answer.status_code == 404


def test_the_download_has_every_entry(as_: As) -> None:
    client = as_("official")
    for value in ("390", "400"):
        client.post("/statistics/plan", data=ENTRY | {"value": value})
    answer = as_("visitor").get("/statistics/plan.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len({row["indicator"] for row in rows}) == 15
    assert [(row["value"], row["path"], row["counts"]) for row in rows if row["year"]] == [
        ("390", "389.6", "0"), ("400", "389.6", "1")
    ]  # fmt: skip
