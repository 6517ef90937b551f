"""Pages of priority rights, splits, trials and open licences."""

from __future__ import annotations

import re

from market.clock import FixedClock
from tests.web.pricing import PDF, make_result
from tests.web.register import As, Register
from web import wiring
from web.worker import housekeeping


def test_somebody_is_asked_first_and_waives_on_paper(
    as_: As, register: Register, clock: FixedClock, parts: wiring.Parts
) -> None:
    result = make_result(register)
    here = f"/results/{result}/pricing"
    asked = {
        "basis": "inventor", "holder_name": "张三", "asked_on": "2026-03-02", "answer_by": "2026-03-17",
        "contract_id": "", "note": "",
    }  # fmt: skip
    rights = f"/results/{result}/priority-rights"
    assert as_("visitor").post(rights, data=asked).status_code == 303
    assert as_("buyer").post(rights, data=asked).status_code == 403
    officer = as_("officer")
    assert "Inventors not asked yet" in officer.get(here).text
    refused = officer.post(rights, data=asked | {"answer_by": "2026-02-01"})
    assert (refused.status_code, 'value="2026-02-01"' in refused.text) == (422, True)
    assert officer.post(rights, data=asked).status_code == 303
    assert officer.post(rights, data=asked | {"holder_name": "李四"}).status_code == 303
    page = officer.get(here).text
    assert "Inventors not asked yet" not in page
    answer = {"step": "waive", "answered_on": "2026-03-02", "note": ""}
    assert officer.post(f"{rights}/1", data=answer).status_code == 422
    file = {"file": ("放弃.pdf", PDF, "application/pdf")}
    assert officer.post(f"{rights}/1", data=answer, files=file).status_code == 303
    page = officer.get(here).text
    paper = re.search(r"/attachments/\d+", page)
    assert paper is not None
    for who, status in (("officer", 200), ("official", 200), ("buyer", 404), ("visitor", 404)):
        assert as_(who).get(paper.group()).status_code == status, who
        seen = as_(who).get(here)
        assert seen.status_code == 200
        assert ("李四" in seen.text) is (status == 200), who
    clock.advance(days=16)
    housekeeping(parts)
    assert "No answer in time" in as_("officer").get(here).text


def test_an_income_is_worked_out_kept_and_superseded(as_: As, register: Register) -> None:
    contract = register.draft()
    here = f"/contracts/{contract}/splits"
    for who, status in (("visitor", 404), ("buyer", 404), ("officer", 200), ("official", 200)):
        assert as_(who).get(here).status_code == status, who
    page = as_("officer").get(here).text
    assert 'name="award_ppm"' in page
    assert 'value="70"' in page
    form = {
        "received_on": "2026-02-28", "income_fen": "10万", "costs_fen": "1万", "taxes_fen": "", "award_ppm": "60",
        "main_ppm": "70", "transfer_ppm": "5", "people.0.name": "张三", "people.0.part": "main",
        "people.0.weight": "1", "people.1.name": "", "people.1.part": "main", "people.1.weight": "1",
    }  # fmt: skip
    officer = as_("officer")
    shown = officer.post(here, data=form)
    assert shown.status_code == 200
    assert "¥37,800" in shown.text
    assert "Below the least rate of 70%" in shown.text
    assert "2026-08-28" in shown.text
    assert "Superseded" not in officer.get(here).text
    refused = officer.post(here, data=form | {"costs_fen": "11万"})
    assert (refused.status_code, 'value="11万"' in refused.text) == (422, True)
    refused = officer.post(here, data=form | {"award_ppm": "多"})
    assert (refused.status_code, 'value="多"' in refused.text) == (422, True)
    for rate in ("60", "70"):
        assert officer.post(here, data=form | {"award_ppm": rate, "keep": "1"}).status_code == 303
    page = officer.get(here).text
    assert page.count("Superseded") == 1
    assert as_("buyer").post(here, data=form).status_code == 404
    assert as_("buyer").post(here, data=form | {"keep": "1"}).status_code == 404


def test_a_trial_goes_from_the_application_to_the_contract(as_: As, register: Register) -> None:
    result = make_result(register)
    assert "Ask for a trial" in as_("buyer").get(f"/results/{result}/pricing").text
    assert as_("visitor").get(f"/results/{result}/trials/new").status_code == 303
    buyer = as_("buyer")
    form = {"user_id": str(register.organisations["firm"]), "purpose": ""}
    assert buyer.get(f"/results/{result}/trials/new").status_code == 200
    assert buyer.post(f"/results/{result}/trials", data=form).status_code == 422
    here = buyer.post(f"/results/{result}/trials", data=form | {"purpose": "两台泵"}).headers["location"]
    again = buyer.post(f"/results/{result}/trials", data=form | {"purpose": "三台泵"})
    assert (again.status_code, "三台泵" in again.text) == (422, True)
    assert as_("stranger").get(here).status_code == 404
    terms = {
        "terms": "免费", "transfer_mode": "licence", "price_fen": "20万", "starts_on": "2026-03-02",
        "ends_on": "2026-02-01", "insured": "on",
    }  # fmt: skip
    assert as_("buyer").post(f"{here}/agree", data=terms).status_code == 403
    refused = as_("officer").post(f"{here}/agree", data=terms)
    assert (refused.status_code, 'value="20万"' in refused.text) == (422, True)
    assert as_("officer").post(f"{here}/agree", data=terms | {"ends_on": "2026-06-01"}).status_code == 303
    assert "高效离心泵" in as_("buyer").get("/workbench").text
    assert as_("buyer").post(f"{here}/begin", data={"version": "1"}).status_code == 409
    assert as_("buyer").post(f"{here}/begin", data={"version": "2"}).status_code == 303
    made = as_("buyer").post(f"{here}/convert", data={"version": "3"})
    assert re.fullmatch(r"/contracts/\d+/edit", made.headers["location"])
    assert "Converted trial" in as_("buyer").get(made.headers["location"].removesuffix("/edit")).text
    assert as_("buyer").post(f"{here}/nonsense").status_code == 404
    assert "高效离心泵" in as_("official").get("/trials").text


def test_an_open_licence_is_written_declared_and_taken_back(as_: As, register: Register) -> None:
    result = make_result(register)
    form = {
        "patent_number": "200710308494.X", "fee": "每年五万元", "starts_on": "2026-03-02", "ends_on": "2027-03-01",
        "announced_number": "",
    }  # fmt: skip
    licences = f"/results/{result}/open-licences"
    assert as_("buyer").post(licences, data=form).status_code == 403
    officer = as_("officer")
    assert officer.get(f"{licences}/new").status_code == 200
    refused = officer.post(licences, data=form | {"ends_on": "2025-01-01"})
    assert (refused.status_code, "每年五万元" in refused.text) == (422, True)
    here = officer.post(licences, data=form).headers["location"]
    assert as_("visitor").get(here).status_code == 404
    refused = as_("officer").post(f"{here}/declare")
    assert (refused.status_code, "Nothing bars it" in refused.text) == (422, True)
    assert as_("officer").get(f"{here}/edit").status_code == 200
    assert as_("officer").post(f"{here}/edit", data=form | {"free_of_bars": "on"}).status_code == 303
    assert as_("officer").post(f"{here}/declare").status_code == 303
    for place in (here, "/open-licences", f"/results/{result}/pricing"):
        assert "200710308494.X" in as_("visitor").get(place).text
    assert as_("officer").post(f"{here}/withdraw", data={"reason": ""}).status_code == 422
    assert as_("officer").post(f"{here}/withdraw", data={"reason": "独占许可"}).status_code == 303
    assert "独占许可" in as_("visitor").get(here).text
    assert "200710308494.X" not in as_("visitor").get("/open-licences").text
