from typing import Any

import pytest

from tests.web.test_results import As, as_, parts, told

__all__ = ["as_", "parts"]

FORM: dict[str, Any] = {
    "organisation_id": "2",
    "title": "潜水电泵密封寿命",
    "industry_code": "pumps",
    "difficulty": "含砂工况下密封寿命不足。",
    "targets.0.name": "流量",
    "targets.0.comparator": "between",
    "targets.0.threshold": "25",
    "targets.0.threshold_high": "30",
    "targets.0.unit": "m³/h",
    "targets.1.comparator": "at_least",
    "budget_high_fen": "50",
    "deadline": "2026-12-31",
    "contact_name": "陈工",
    "contact_email": "chen@example.com",
}


class TestPages:
    def test_posted_and_shown(self, as_: As) -> None:
        owner = as_("owner")
        answer = owner.post("/demands", data={**FORM, "do": "publish"})
        assert answer.headers["location"] == "/demands/1"
        page = as_("", "zh").get("/demands/1").text
        assert "25–30 m³/h" in page
        assert "chen@example.com" not in page
        assert "/enquiries/new?demand=1" in page
        assert "chen@example.com" in owner.get("/demands/1").text
        assert "潜水电泵密封寿命" in as_().get("/demands?price=10-50").text
        edited = owner.post("/demands/1/edit", data={**FORM, "version": "2", "budget_high_fen": "60"})
        assert edited.status_code == 303
        history = owner.get("/demands/1/history").text
        assert "<del>¥500,000</del>" in history
        assert "潜水电泵密封寿命" in owner.get("/my/listings").text

    def test_a_vague_need_is_not_published(self, as_: As) -> None:
        answer = as_("owner").post("/demands", data={**FORM, "targets.0.threshold": "", "do": "publish"})
        assert answer.status_code == 422
        assert 'id="f-targets.0.threshold-error"' in answer.text
        bare = {key: value for key, value in FORM.items() if not key.startswith("targets")}
        answer = as_("owner").post("/demands", data={**bare, "do": "publish"})
        assert told(answer.text) == ["Give at least one target figure."] or len(told(answer.text)) == 1

    @pytest.mark.parametrize("path", ["/edit", "/history", "/withdraw", "/conclude"])
    def test_keepers_only(self, as_: As, path: str) -> None:
        as_("owner").post("/demands", data={**FORM, "do": "publish"})
        assert as_("owner").get(f"/demands/1{path}").status_code == 200
        assert as_("officer").get(f"/demands/1{path}").status_code == 403
        assert as_().get(f"/demands/1{path}").status_code == 303

    def test_steps(self, as_: As) -> None:
        owner = as_("owner")
        owner.post("/demands", data={**FORM, "do": "publish"})
        assert owner.post("/demands/1/withdraw", data={"reason": "已解决"}).status_code == 303
        assert as_().get("/demands/1").status_code == 404
        assert owner.post("/demands/1/reconfirm").headers["location"] == "/demands/1"
        assert owner.post("/demands/1/conclude", data={"reason": "已签约"}).status_code == 303
        assert "已签约" in as_().get("/demands/1").text


class TestApi:
    def test_round_trip(self, as_: As) -> None:
        owner = as_("owner")
        body = {
            "organisation_id": 2,
            "title": "需求",
            "industry_code": "pumps",
            "difficulty": "难",
            "targets": [{"name": "流量", "threshold": "25", "unit": "m³/h"}],
            "contact_name": "陈",
            "contact_phone": "1",
        }
        made = owner.post("/api/v1/demands", json=body)
        where = made.headers["location"]
        assert made.json()["targets"][0]["comparator"] == "at_least"
        assert owner.post(f"{where}/publish").headers["etag"] == '"2"'
        content = {key: value for key, value in body.items() if key != "organisation_id"}
        assert owner.put(where, json=content).status_code == 428
        assert owner.put(where, json=content, headers={"if-match": '"1"'}).status_code == 412
        same = owner.put(where, json=content, headers={"if-match": '"2"'})
        assert (same.status_code, same.headers["etag"]) == (200, '"2"')
        assert as_().get("/api/v1/demands", params={"industry": "pumps"}).json()["total"] == 1
        assert owner.post(f"{where}/withdraw", json={"reason": ""}).status_code == 422
        assert owner.post(f"{where}/withdraw", json={"reason": "x"}).json()["state"] == "withdrawn"
        assert owner.post(f"{where}/withdraw", json={"reason": "x"}).status_code == 409
        assert as_().get(where).status_code == 404
        assert owner.get("/api/v1/demands", params={"state": "withdrawn"}).json()["total"] == 1
