"""Help at the form of a demand, with and without its script, and over the API."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
import sqlalchemy as sa

from market.db import t
from market.demands.models import Demand
from matching import indexer
from tests.web.test_demands import FORM
from tests.web.test_results import As, as_, parts, told
from web import wiring

__all__ = ["as_", "parts"]

VAGUE: dict[str, Any] = {
    "organisation_id": "2",
    "title": "潜水电泵密封寿命提升",
    "industry_code": "pumps",
    "difficulty": "含砂井水中密封寿命短，用户投诉多。要求流量不低于 25 立方米/小时，请联系 13800138000。",
    "contact_name": "陈工",
    "contact_phone": "0576-86000000",
}
TEXT = "离心泵叶轮与蜗壳的水力模型优化，降低汽蚀，提高机组效率，适用于清水介质，额定扬程五十米，流量每小时二十五立方米，配套三相电机。"


def hints(page: str) -> list[str]:
    found = re.findall(r'<li><a href="#f-([\w.]+)">[^<]*</a>: (.*?)</li>', page)
    return [f"{field}: {html.unescape(text)}" for field, text in found]


def stored(parts: wiring.Parts) -> int:
    with parts.db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(t(Demand))) or 0


def indexed(parts: wiring.Parts) -> None:
    assert parts.index.acquire()
    indexer.reindex(parts.db, parts.index)


class TestTheButton:
    def test_says_what_is_vague_and_keeps_what_was_entered(self, as_: As, parts: wiring.Parts) -> None:
        answer = as_("owner").post("/demands", data={**VAGUE, "do": "check"})
        assert answer.status_code == 200
        said = hints(answer.text)
        assert any(line.startswith("difficulty: “寿命短”") for line in said)
        assert any("13800138000" in line for line in said)
        assert {line.split(":")[0] for line in said} >= {"difficulty", "modes", "budget_high_fen", "deadline"}
        for value in ("潜水电泵密封寿命提升", "陈工", "0576-86000000", VAGUE["difficulty"]):
            assert value in html.unescape(answer.text)
        assert stored(parts) == 0

    def test_in_chinese(self, as_: As) -> None:
        page = html.unescape(as_("owner", "zh").post("/demands", data={**VAGUE, "do": "check"}).text)
        assert "“寿命短”：现在能用多少小时或多少次" in page
        assert "条建议" in page
        assert "HintCode" not in page
        assert "%" not in "".join(re.findall(r"<li><a href=\"#f-.*?</li>", page)).replace("1.5%", "")

    def test_every_hint_leads_to_a_field(self, as_: As) -> None:
        data = {**VAGUE, "targets.0.name": "流量", "targets.0.threshold": "25", "do": "check"}
        page = as_("owner").post("/demands", data=data).text
        fields = re.findall(r'<a href="#f-([\w.]+)">', page)
        assert "targets.0.unit" in fields
        assert [field for field in fields if f'id="f-{field}"' not in page] == []

    def test_a_good_draft_is_told_so(self, as_: As) -> None:
        good = {
            **VAGUE,
            "difficulty": "含砂量 1.2% 的井水中，机械密封平均 2300 小时即泄漏，拆检发现端面沟槽深 0.3 mm，扬程 50 m。",
            "targets.0.name": "寿命",
            "targets.0.threshold": "8000",
            "targets.0.unit": "小时",
            "modes": ["licence"],
            "budget_high_fen": "50",
            "deadline": "2026-12-31",
            "do": "check",
        }
        page = as_("owner").post("/demands", data=good).text
        assert "A stranger can tell what is wanted" in page
        assert hints(page) == []

    def test_its_buttons_never_publish(self, as_: As, parts: wiring.Parts) -> None:
        """Wherever the form was shown from, checking leads to an address that only checks."""
        owner = as_("owner")
        owner.post("/demands", data={**VAGUE, "targets.0.name": "流量", "targets.0.threshold": "25"})
        indexed(parts)
        pages = {
            "/demands/new": [owner.get("/demands/new"), owner.post("/demands", data={**VAGUE, "title": ""})],
            "/demands/1/edit": [owner.get("/demands/1/edit")],
        }
        owner.post("/demands", data={**FORM, "title": VAGUE["title"], "do": "publish"})
        indexed(parts)
        refused = owner.post("/demands/1/publish")
        assert refused.status_code == 422
        pages["/demands/1/edit"].append(refused)
        for action, answers in pages.items():
            for answer in answers:
                assert {
                    found.split("#")[0] for found in re.findall(r'formaction="([^"]*)"', answer.text)
                } == {action}
            assert owner.post(action, data={**VAGUE, "version": "1", "do": "check"}).status_code == 200

    def test_a_stored_draft_shows_its_hints_at_once(self, as_: As) -> None:
        owner = as_("owner")
        owner.post("/demands", data=VAGUE)
        assert any("寿命短" in line for line in hints(owner.get("/demands/1/edit").text))


class TestFigures:
    def test_one_click_adds_a_row(self, as_: As, parts: wiring.Parts) -> None:
        owner = as_("owner")
        page = owner.post("/demands", data={**VAGUE, "do": "check"}).text
        values = [html.unescape(v) for v in re.findall(r'name="add_target" value="([^"]*)"', page)]
        assert values == ['["流量", "at_least", "25", "", "m³/h"]']
        page = owner.post("/demands", data={**VAGUE, "add_target": values[0]}).text
        for part, value in (("name", "流量"), ("threshold", "25"), ("unit", "m³/h")):
            assert re.search(rf'name="targets.0.{part}"[^>]* value="{value}"', page)
        assert 'name="add_target"' not in page
        assert stored(parts) == 0

    def test_on_a_stored_draft_too(self, as_: As) -> None:
        owner = as_("owner")
        owner.post("/demands", data={**VAGUE, "targets.0.name": "扬程", "targets.0.threshold": "50"})
        value = json.dumps(["流量", "at_least", "25", "", "m³/h"])
        data = {
            **VAGUE,
            "version": "1",
            "targets.0.name": "扬程",
            "targets.0.threshold": "50",
            "add_target": value,
        }
        page = owner.post("/demands/1/edit", data=data).text
        assert re.search(r'name="targets.0.name"[^>]* value="扬程"', page)
        assert re.search(r'name="targets.1.name"[^>]* value="流量"', page)

    @pytest.mark.parametrize(
        "value",
        ["", "x", "[]", "{}", "[1,2,3,4,5]", '["a","b","c","d","e"]', "[[[[", '["a","about","c","d"]'],
    )
    def test_nonsense_adds_nothing(self, as_: As, value: str) -> None:
        answer = as_("owner").post("/demands", data={**VAGUE, "add_target": value})
        assert answer.status_code == 200
        assert 'name="targets.0.name" type="text" value=""' in answer.text


class TestWhatItWouldMeet:
    def test_results_that_fit_are_counted_and_named(self, as_: As, parts: wiring.Parts) -> None:
        with parts.db.write() as session:
            from market.listings.models import Result
            from tests.matching.rows import AT

            session.add(
                Result(
                    organisation_id=1, title="离心泵叶轮水力优化", abstract=TEXT, industry_code="pumps",
                    state="published", published_at=AT, created_at=AT, updated_at=AT,
                )
            )  # fmt: skip
        data = {**VAGUE, "title": "离心泵叶轮水力效率提升", "difficulty": TEXT, "do": "check"}
        assert "The search index is being built" in as_("owner").post("/demands", data=data).text
        indexed(parts)
        page = as_("owner").post("/demands", data=data).text
        assert "1 result may fit" in page
        assert re.search(r'<a href="/results/1" target="_blank" rel="noopener">离心泵叶轮水力优化</a>', page)
        other = {**VAGUE, "title": "棉花病虫害防治", "difficulty": "棉铃虫抗药性强。", "do": "check"}
        assert "None yet" in as_("owner").post("/demands", data=other).text

    def test_before_something_like_an_open_demand_is_published_it_is_asked(
        self, as_: As, parts: wiring.Parts
    ) -> None:
        owner = as_("owner")
        owner.post("/demands", data={**FORM, "do": "publish"})
        indexed(parts)
        again = {**FORM, "do": "publish"}
        answer = owner.post("/demands", data=again)
        assert answer.status_code == 422
        assert "This is something else" in answer.text
        assert re.search(
            r'<a href="/demands/1" target="_blank" rel="noopener">潜水电泵密封寿命</a>', answer.text
        )
        assert 'href="#f-distinct"' in answer.text
        assert 'id="f-distinct"' in answer.text
        assert FORM["difficulty"] in answer.text
        assert stored(parts) == 1
        # A draft is not asked; nor is one that says so.
        draft = owner.post("/demands", data={**FORM, "do": "save"}).headers["location"]
        assert owner.post("/demands", data={**again, "distinct": "1"}).status_code == 303
        assert stored(parts) == 3
        # The draft is asked when it is to be published, from its page or from its form.
        answer = owner.post(f"{draft}/publish")
        assert answer.status_code == 422
        assert 'id="f-distinct"' in answer.text
        answer = owner.post(f"{draft}/edit", data={**again, "version": "1"})
        assert answer.status_code == 422
        answer = owner.post(f"{draft}/edit", data={**again, "version": "1", "distinct": "1"})
        assert answer.headers["location"] == draft
        assert "潜水电泵密封寿命" in as_().get(draft).text

    def test_what_is_wrong_comes_first(self, as_: As, parts: wiring.Parts) -> None:
        owner = as_("owner")
        owner.post("/demands", data={**FORM, "do": "publish"})
        indexed(parts)
        answer = owner.post("/demands", data={**FORM, "contact_name": "", "do": "publish"})
        assert answer.status_code == 422
        assert 'id="f-distinct"' not in answer.text
        assert told(answer.text)

    def test_a_demand_is_not_like_itself(self, as_: As, parts: wiring.Parts) -> None:
        owner = as_("owner")
        owner.post("/demands", data={**FORM, "do": "publish"})
        indexed(parts)
        page = owner.post("/demands/1/edit", data={**FORM, "version": "2", "do": "check"}).text
        assert "Open demands much like it" not in page
        owner.post("/demands/1/withdraw", data={"reason": "改一改"})
        assert owner.post("/demands/1/publish").status_code == 303


class TestTheScript:
    def test_the_help_alone(self, as_: As, parts: wiring.Parts) -> None:
        indexed(parts)
        answer = as_("owner").post("/demands/check", data=VAGUE)
        assert answer.status_code == 200
        assert answer.text.strip().startswith("<div")
        assert "<html" not in answer.text
        assert any("寿命短" in line for line in hints(answer.text))
        assert 'data-said="' in answer.text
        assert stored(parts) == 0

    def test_who_may_ask(self, as_: As) -> None:
        assert as_("").post("/demands/check", data=VAGUE).status_code == 303
        assert as_("officer").post("/demands/check", data=VAGUE).status_code == 403

    @pytest.mark.parametrize("listing", ["x", "-1", "9" * 30, "5"])
    def test_nonsense(self, as_: As, parts: wiring.Parts, listing: str) -> None:
        indexed(parts)
        data = {"title": "\x00", "targets.x.name": "a", "targets.7.threshold": "１", "modes": ["?", "!"]}
        assert as_("owner").post(f"/demands/check?listing={listing}", data=data).status_code == 200
        assert as_("owner").post("/demands/check").status_code == 200


class TestBrokers:
    def test_only_they_see_how_many_hints_are_left(self, as_: As, parts: wiring.Parts) -> None:
        as_("owner").post("/demands", data={**FORM, "do": "publish"})
        assert "hints left" not in as_("owner").get("/demands").text
        assert "hints left" not in as_().get("/demands").text
        with parts.db.write() as session:
            from market.parties.models import MembershipRow
            from tests.matching.rows import AT

            session.add(MembershipRow(person_id=1, organisation_id=1, role="broker", created_at=AT))
        assert re.search(r"\d hints? left", as_("officer").get("/demands").text)


class TestApi:
    BODY = {
        "title": "潜水电泵密封寿命提升",
        "difficulty": VAGUE["difficulty"],
        "industry_code": "pumps",
        "targets": [{"name": "扬程", "threshold": "50"}],
    }

    def test_codes_and_sentences(self, as_: As, parts: wiring.Parts) -> None:
        indexed(parts)
        answer = as_("owner").post("/api/v1/demands/check", json=self.BODY)
        assert answer.status_code == 200
        body = answer.json()
        vague = next(hint for hint in body["hints"] if hint["code"] == "vague")
        assert (vague["field"], vague["words"]) == ("difficulty", ["寿命短"])
        assert "how many hours" in vague["message"]
        assert {"code": "target_without_unit", "field": "targets.0.unit"}.items() <= next(
            hint for hint in body["hints"] if hint["code"] == "target_without_unit"
        ).items()
        assert body["figures"] == [
            {
                "name": "流量",
                "comparator": "at_least",
                "threshold": "25",
                "threshold_high": "",
                "unit": "m³/h",
            }
        ]
        assert (body["results"], body["demands"]) == ([], [])
        assert stored(parts) == 0

    def test_what_is_near(self, as_: As, parts: wiring.Parts) -> None:
        as_("owner").post("/demands", data={**FORM, "do": "publish"})
        indexed(parts)
        body = {"title": FORM["title"], "difficulty": FORM["difficulty"]}
        found = as_("owner").post("/api/v1/demands/check", json=body).json()["demands"]
        assert [(one["id"], one["title"]) for one in found] == [(1, "潜水电泵密封寿命")]

    def test_who_may_ask(self, as_: As) -> None:
        assert as_().post("/api/v1/demands/check", json=self.BODY).status_code == 401
        assert as_("officer").post("/api/v1/demands/check", json=self.BODY).status_code == 403
        assert as_("owner").post("/api/v1/demands/check", json={"title": 1}).status_code == 422
        assert as_("owner").post("/api/v1/demands/check", json={}).status_code == 200
