"""Beside the steps: late clocks, experts, objections, and two officials at once."""

from __future__ import annotations

import datetime as dt
import html
import re
import threading
from collections.abc import Callable

import sqlalchemy as sa
from starlette.testclient import TestClient

from market.db import t
from market.deals import deadlines, service
from market.deals.models import Contract, ContractEvent
from market.deals.rules import Step
from market.permissions import SYSTEM, Actor
from market.work import WorkItem
from tests.web.register import As, Register
from web import wiring
from web.app import create_app
from web.worker import housekeeping

SignIn = Callable[[TestClient, Actor], TestClient]


def take(register: Register, contract: int, *steps: Step) -> None:
    with register.db.write() as session:
        for step in steps:
            service.step(session, SYSTEM, register.now, contract, step, reason="理由")


def mails(register: Register, template: str) -> list[str]:
    w = t(WorkItem).c
    with register.db.read() as session:
        found = session.scalars(sa.select(w.payload).where(w.kind == "mail.send").order_by(w.id)).all()
    return sorted(one["to"] for one in found if one["template"] == template)


def test_two_officials_accept_at_once_and_one_is_told_what_the_other_did(
    parts: wiring.Parts, sign_in: SignIn, register: Register
) -> None:
    contract = register.draft()
    take(register, contract, Step.SUBMIT)
    address = f"/contracts/{contract}"
    clients = [
        sign_in(
            TestClient(create_app(parts), headers={"accept-language": "en"}, follow_redirects=False),
            register.actors["official"],
        )
        for _ in range(2)
    ]
    version = re.search(r'name="version" value="(\d+)"', clients[0].get(address).text)
    assert version is not None
    answers: dict[int, tuple[int, str]] = {}
    start = threading.Barrier(2)

    def accept(number: int) -> None:
        data = {"step": "accept", "version": version.group(1), "reason": f"材料齐全{number}"}
        start.wait()
        answer = clients[number].post(f"{address}/steps", data=data)
        answers[number] = (answer.status_code, html.unescape(answer.text))

    threads = [threading.Thread(target=accept, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers.values()) == [303, 409]
    loser = next(number for number, (status, _) in answers.items() if status == 409)
    told = answers[loser][1]
    assert "Somebody was faster" in told
    assert "Submitted → Accepted" in told
    assert f"材料齐全{loser}" in told
    e = t(ContractEvent).c
    with register.db.read() as session:
        reasons = session.scalars(
            sa.select(e.reason).where(e.contract_id == contract, e.step == "accept")
        ).all()
    assert reasons == [f"材料齐全{1 - loser}"]


def test_a_stale_step_keeps_what_was_typed_and_can_be_taken_again(as_: As, register: Register) -> None:
    contract = register.draft()
    take(register, contract, Step.SUBMIT, Step.ACCEPT)
    address = f"/contracts/{contract}"
    stale = {"step": "ask_supplement", "version": "2", "reason": "缺少授权书"}
    answer = as_("official").post(f"{address}/steps", data=stale)
    assert answer.status_code == 409
    page = html.unescape(answer.text)
    assert "Submitted → Accepted" in page
    assert ">\n缺少授权书</textarea>" in page
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version is not None
    again = as_("official").post(f"{address}/steps", data=stale | {"version": version.group(1)})
    assert again.status_code == 303


def test_a_stale_form_shows_what_the_other_wrote_and_keeps_ones_own(as_: As, register: Register) -> None:
    contract = register.draft()
    address = f"/contracts/{contract}/edit"
    form = {
        "title": "别人的题目", "kind": "development", "subkind": "joint_development",
        "seller_id": str(register.organisations["university"]), "buyer_id": str(register.organisations["firm"]),
        "deal_fen": "60万", "price_form": "lump", "technical_field": "new_energy", "signed_on": "2024-02-01",
        "version": "1",
    }  # fmt: skip
    assert as_("buyer").post(address, data=form).status_code == 303
    late = as_("officer").post(address, data=form | {"title": "我的题目", "deal_fen": "70万"})
    assert late.status_code == 409
    page = html.unescape(late.text)
    assert "高效离心泵水力模型技术开发 → 别人的题目" in page
    assert "¥500,000 → ¥600,000" in page
    assert "Commissioned development → Joint development" in page
    assert 'value="我的题目"' in page
    assert 'value="70万"' in page
    assert 'name="version" value="2"' in page
    mine = form | {"title": "我的题目", "deal_fen": "70万", "version": "2"}
    assert as_("officer").post(address, data=mine).status_code == 303
    take(register, contract, Step.SUBMIT)
    gone = as_("officer").post(address, data=mine | {"version": "3", "title": "太迟"})
    assert gone.status_code == 409
    assert 'value="太迟"' in gone.text
    assert "can no longer be changed" in gone.text


def test_a_late_clock_is_told_once_for_each_run(parts: wiring.Parts, as_: As, register: Register) -> None:
    contract = register.draft()
    take(register, contract, Step.SUBMIT, Step.ACCEPT)
    c = t(Contract).c
    with register.db.read() as session:
        last = session.scalar(sa.select(c.decide_by).where(c.id == contract))
    assert last is not None
    noon = dt.datetime.combine(last, dt.time(4), dt.UTC)
    for moment, told in ((noon, 0), (noon + dt.timedelta(days=1), 1), (noon + dt.timedelta(days=2), 0)):
        with register.db.write() as session:
            assert deadlines.escalate_due(session, moment) == told
    assert mails(register, "contract_late") == ["official@example.com"]
    assert "told on" in as_("official").get(f"/contracts/{contract}").text
    with register.db.write() as session:
        service.step(session, SYSTEM, noon, contract, Step.ASK_SUPPLEMENT, reason="补正")
        service.step(session, SYSTEM, noon, contract, Step.RESUME)
    with register.db.write() as session:
        assert deadlines.escalate_due(session, noon + dt.timedelta(days=60)) == 1
    assert len(mails(register, "contract_late")) == 2
    housekeeping(parts)


def test_experts_opinions_are_entered_and_taken_over(as_: As, register: Register) -> None:
    contract = register.draft()
    take(register, contract, Step.SUBMIT, Step.ACCEPT)
    address = f"/contracts/{contract}"
    form = {
        "expert_name": "评审专家甲", "expert_unit": "某研究所", "verdict": "other_kind", "kind": "",
        "reasons": "以既有技术提供服务，不含新的研究开发。", "given_on": "2024-03-01",
    }  # fmt: skip
    assert as_("official").post(f"{address}/opinions", data=form).status_code == 409
    take(register, contract, Step.SEND_TO_EXPERTS)
    assert "No opinion has been entered yet" in as_("official").get(address).text
    refused = as_("official").post(f"{address}/opinions", data=form)
    assert refused.status_code == 422
    assert 'value="评审专家甲"' in refused.text
    assert refused.text.count('id="f-kind"') == 1
    for wrong in ({"kind": "development"}, {"kind": "service", "technology_fen": "5万"}, {"given_on": "2099-01-01", "kind": "service"}):  # fmt: skip
        assert as_("official").post(f"{address}/opinions", data=form | wrong).status_code == 422
    assert as_("officer").post(f"{address}/opinions", data=form | {"kind": "service"}).status_code == 403
    assert as_("stranger").post(f"{address}/opinions", data=form | {"kind": "service"}).status_code == 404
    assert as_("official").post(f"{address}/opinions", data=form | {"kind": "service"}).status_code == 303
    assert "评审专家甲" in as_("official").get(address).text
    party = as_("officer").get(address).text
    assert "不含新的研究开发" in party
    assert "评审专家甲" not in party
    version = re.search(r'name="version" value="(\d+)"', as_("official").get(address).text)
    assert version is not None
    step = {
        "step": "register", "version": version.group(1), "kind": "service", "subkind": "joint_development",
        "deductions.0.item": "样机", "deductions.0.fen": "10万",
    }  # fmt: skip
    assert as_("official").post(f"{address}/steps", data=step).status_code == 422
    done = as_("official").post(f"{address}/steps", data=step | {"subkind": "general_service"})
    assert done.status_code == 303
    found = as_("official").get(f"/api/v1/contracts/{contract}").json()
    assert (found["kind"], found["subkind"]) == ("service", "general_service")
    assert found["technology_fen"] == 40_000_000


OBJECTION = {
    "objector_name": "异议人某", "contact": "someone@example.org",
    "grounds": "该合同与另一份已登记的合同内容相同。",
}  # fmt: skip


def test_an_objection_is_answered_and_nobody_outside_learns_who_raised_it(
    as_: As, register: Register
) -> None:
    contract = register.enter(dt.date(2024, 5, 6))
    address = f"/contracts/{contract}"
    refused = as_("visitor").post(f"{address}/objections", data=OBJECTION | {"contact": "nowhere"})
    assert refused.status_code == 422
    assert OBJECTION["grounds"] in refused.text
    assert as_("visitor").post(f"{address}/objections", data=OBJECTION).status_code == 303
    assert mails(register, "objection_filed") == [
        "buyer@example.com", "officer@example.com", "official@example.com",
    ]  # fmt: skip
    seen = {
        who: as_(who).get(address).text for who in ("visitor", "stranger", "officer", "staff", "official")
    }
    for who, page in seen.items():
        known = who == "official"
        assert (OBJECTION["contact"] in page) is known, who
        assert (OBJECTION["objector_name"] in page) is known, who
        assert (OBJECTION["grounds"] in page) is (who not in ("visitor", "stranger")), who
        assert 'id="objections"' in page
    listed = as_("official").get("/contracts/objections").text
    assert OBJECTION["objector_name"] in listed
    assert "Objections to be answered" in as_("official").get("/workbench").text
    assert as_("staff").get("/contracts/objections").status_code == 403
    found = re.search(r"/objections/(\d+)/answer", seen["official"])
    assert found is not None
    answer = {"state": "rejected", "answer": "经核对，两份合同的标的不同。", "version": "1"}
    assert (
        as_("officer").post(f"{address}/objections/{found.group(1)}/answer", data=answer).status_code == 403
    )
    unsure = as_("official").post(
        f"{address}/objections/{found.group(1)}/answer", data=answer | {"state": "open"}
    )
    assert unsure.status_code == 422
    assert answer["answer"] in unsure.text
    sent = as_("official").post(f"{address}/objections/{found.group(1)}/answer", data=answer)
    assert sent.status_code == 303
    public = as_("visitor").get(address).text
    assert answer["answer"] in public
    assert OBJECTION["grounds"] not in public
    assert mails(register, "objection_answered") == [
        "buyer@example.com", "officer@example.com", "someone@example.org",
    ]  # fmt: skip
    late = answer | {"version": "2", "answer": "另一位的答复"}
    again = as_("official").post(f"{address}/objections/{found.group(1)}/answer", data=late)
    assert again.status_code == 409
    assert "另一位的答复" in again.text


def test_an_objection_is_for_what_the_public_knows_and_may_be_taken_back(as_: As, register: Register) -> None:
    draft = register.draft()
    assert as_("visitor").post(f"/contracts/{draft}/objections", data=OBJECTION).status_code == 404
    contract = register.enter(dt.date(2024, 5, 6))
    address = f"/contracts/{contract}"
    other = {"organisation_id": str(register.organisations["firm"])}
    assert as_("stranger").post(f"{address}/objections", data=OBJECTION | other).status_code == 422
    own = {"organisation_id": str(register.organisations["other"])}
    assert as_("stranger").post(f"{address}/objections", data=OBJECTION | own).status_code == 303
    page = as_("stranger").get(address).text
    assert "上海研究院" in page
    assert OBJECTION["grounds"] in page
    found = re.search(r"/objections/(\d+)/withdraw", page)
    assert found is not None
    back = f"{address}/objections/{found.group(1)}/withdraw"
    assert as_("visitor").post(back).status_code == 303
    assert as_("officer").post(back).status_code == 403
    assert as_("stranger").post(back).status_code == 303
    assert as_("stranger").post(back).status_code == 409
    take(register, contract, Step.REVOKE)
    assert as_("visitor").post(f"{address}/objections", data=OBJECTION).status_code == 409


def test_objections_over_the_api_tell_no_more_than_the_page(as_: As, register: Register) -> None:
    contract, other = register.enter(dt.date(2024, 5, 6)), register.enter(dt.date(2024, 5, 7), title="另一份")
    address = f"/api/v1/contracts/{contract}/objections"
    assert as_("visitor").post(address, json=OBJECTION).status_code == 401
    made = as_("stranger").post(address, json=OBJECTION)
    assert made.status_code == 201
    one = made.json()["items"][0]
    assert one["own"]
    public = as_("visitor").get(address).json()["items"][0]
    assert (public["state"], public["grounds"], public["objector_name"], public["contact"]) == (
        "open",
        "",
        "",
        "",
    )
    party = as_("buyer").get(address).json()["items"][0]
    assert (party["grounds"], party["objector_name"]) == (OBJECTION["grounds"], "")
    answer = {"state": "upheld", "answer": "属重复登记，将予撤销。"}
    elsewhere = f"/api/v1/contracts/{other}/objections/{one['id']}/answer"
    assert as_("official").post(elsewhere, json=answer).status_code == 404
    assert as_("staff").post(f"{address}/{one['id']}/answer", json=answer).status_code == 403
    done = as_("official").post(f"{address}/{one['id']}/answer", json=answer).json()["items"][0]
    assert (done["state"], done["answer"]) == ("upheld", answer["answer"])
    assert as_("stranger").post(f"{address}/{one['id']}/withdraw").status_code == 409
    assert as_("visitor").get(f"/api/v1/contracts/{contract}/opinions").status_code == 404
    assert as_("buyer").get(f"/api/v1/contracts/{contract}/opinions").json() == {"items": []}
