"""The register's pages and API: who sees what, forms that keep what was typed, edit preconditions."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from market.clock import FixedClock
from market.payments import service as payments
from market.payments.simulated import PayerAct, SimulatedGateway
from tests.web.register import As, Register
from web import wiring

API = "/api/v1/contracts"


def test_a_draft_is_for_its_parties_and_the_market(as_: As, register: Register) -> None:
    contract = register.draft()
    expected = {
        "visitor": 404,
        "stranger": 404,
        "bidder": 404,
        "officer": 200,
        "buyer": 200,
        "staff": 200,
        "official": 200,
    }
    for who, status in expected.items():
        client = as_(who)
        assert client.get(f"/contracts/{contract}").status_code == status, who
        assert client.get(f"{API}/{contract}").status_code == status, who


def test_of_a_registered_contract_the_public_learns_no_amount(as_: As, register: Register) -> None:
    contract = register.enter(dt.date(2024, 5, 6), deal_fen=98_765_400, deductions=[])
    for who, seen in (("visitor", False), ("stranger", False), ("officer", True), ("official", True)):
        client = as_(who)
        page = client.get(f"/contracts/{contract}")
        assert page.status_code == 200
        assert ("987,654" in page.text) is seen, who
        body = client.get(f"{API}/{contract}").json()
        assert body["detail"] is seen
        assert (body["deal_fen"] == 98_765_400) is seen
        assert any(event["actor_name"] for event in body["events"]) is seen


@pytest.mark.parametrize(
    ("who", "status"),
    [("visitor", 303), ("bidder", 403), ("officer", 200), ("staff", 200), ("official", 200)],
)
def test_the_list_is_for_those_who_read_contracts(as_: As, register: Register, who: str, status: int) -> None:
    register.draft()
    assert as_(who).get("/contracts").status_code == status


def test_the_list_shows_what_a_right_reaches(as_: As, register: Register) -> None:
    register.draft(title="看得见的合同")
    assert "看得见的合同" in as_("buyer").get("/contracts").text
    assert "看得见的合同" not in as_("stranger").get("/contracts").text
    assert as_("official").get(API, params={"q": "看得见"}).json()["total"] == 1
    assert as_("official").get("/contracts", params={"q": "%", "state": "nonsense"}).status_code == 200
    assert as_("visitor").get(API).status_code == 401


def test_a_contract_is_typed_in_and_registered_by_pages(as_: As, register: Register) -> None:
    client = as_("officer")
    assert client.get("/contracts/new").status_code == 200
    form = {
        "title": "泵用电机降噪技术服务", "kind": "service", "subkind": "general_service",
        "seller_id": str(register.organisations["university"]), "seller_name": "", "seller_region": "",
        "buyer_id": "", "buyer_name": "杭州某厂", "buyer_region": "",
        "deal_fen": "35万", "technology_fen": "", "deductions.0.item": "仪器", "deductions.0.fen": "5万",
        "deductions.1.item": "", "deductions.1.fen": "",
        "technical_field": "new_energy", "industry_code": "", "signed_on": "2026-02-27",
    }  # fmt: skip
    refused = client.post("/contracts", data=form)
    assert refused.status_code == 422
    assert 'value="35万"' in refused.text
    assert 'href="#f-buyer_region"' in refused.text
    made = client.post("/contracts", data=form | {"buyer_region": "331081"})
    assert made.status_code == 303
    address = made.headers["location"]
    page = client.get(address).text
    assert "¥350,000" in page
    assert "¥300,000" in page

    def step(who: str, name: str, **more: str) -> int:
        client = as_(who)
        version = re.search(r'name="version" value="(\d+)"', client.get(address).text)
        assert version is not None
        data = {"step": name, "version": version.group(1)} | more
        return client.post(f"{address}/steps", data=data).status_code

    assert step("officer", "submit") == 303
    assert as_("officer").post(f"{address}/steps", data={"step": "accept"}).status_code == 403
    assert step("official", "accept") == 303
    queue = as_("official").get("/contracts?view=queue").text
    assert "泵用电机降噪技术服务" in queue
    assert "15 working days left" in queue
    assert "still to be checked" in as_("official").get(address).text.lower()
    assert step("official", "refuse") == 422
    assert step("official", "register", registration_number="2025 3301 0000 0001") == 303
    registered = as_("official").get(address).text
    assert "2025330100000001" in registered
    assert registered.count("notice--warn") == 2
    assert step("official", "amend", deal_fen="40万", reason="补充协议", **{"deductions.0.item": "仪器", "deductions.0.fen": "5万"}) == 303  # fmt: skip
    assert "¥350,000 → ¥400,000" in as_("official").get(address).text
    assert as_("official").post(f"{address}/steps", data={"step": "submit"}).status_code == 409


def test_a_form_made_from_an_old_version_is_refused(as_: As, register: Register) -> None:
    contract = register.draft()
    client = as_("officer")
    page = client.get(f"/contracts/{contract}/edit").text
    assert 'value="500000.00"' in page
    form = {
        "title": "新题目", "kind": "development", "subkind": "joint_development", "version": "1",
        "seller_id": str(register.organisations["university"]),
        "buyer_id": str(register.organisations["firm"]), "deal_fen": "10万",
        "technical_field": "new_energy", "signed_on": "2026-02-27",
    }  # fmt: skip
    assert client.post(f"/contracts/{contract}/edit", data=form).status_code == 303
    assert client.post(f"/contracts/{contract}/edit", data=form).status_code == 409
    assert as_("stranger").get(f"/contracts/{contract}/edit").status_code == 404
    assert as_("stranger").post(f"/contracts/{contract}/edit", data=form).status_code == 404


def test_the_api_asks_for_the_version_that_is_changed(as_: As, register: Register) -> None:
    client = as_("officer")
    made = client.post(API, json=register.body())
    assert made.status_code == 201
    address, tag = made.headers["location"], made.headers["etag"]
    assert made.json()["technology_fen"] == 42_000_000
    assert made.json()["steps"] == ["submit"]
    assert client.put(address, json=register.body()).status_code == 428
    assert client.put(address, json=register.body(), headers={"If-Match": '"9"'}).status_code == 412
    changed = client.put(address, json=register.body(deal_fen=60_000_000), headers={"If-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert client.put(address, json=register.body(), headers={"If-Match": tag}).status_code == 412
    step = {"step": "submit"}
    assert client.post(f"{address}/steps", json=step).status_code == 428
    done = client.post(f"{address}/steps", json=step, headers={"If-Match": changed.headers["etag"]})
    assert done.json()["state"] == "submitted"
    assert (
        as_("staff").post(f"{address}/steps", json={"step": "accept"}, headers={"If-Match": "*"}).status_code
        == 403
    )


def test_the_api_names_every_field_at_fault(as_: As, register: Register) -> None:
    answer = as_("officer").post(API, json=register.body(subkind="training", technology_fen=1))
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == {"subkind", "deductions"}
    assert as_("stranger").post(API, json=register.body()).status_code == 403
    assert as_("visitor").post(API, json=register.body()).status_code == 401


def test_a_payer_who_comes_back_does_not_wait_for_the_message(
    as_: As, register: Register, parts: wiring.Parts, clock: FixedClock
) -> None:
    with parts.db.write() as session:
        actor, firm = register.actors["bidder"], register.organisations["firm"]
        deposit = payments.request_deposit(session, actor, register.now, 5, firm, 1_000)
    way = {"gateway": "simulated", "method": "card"}
    begun = as_("bidder").post(f"/api/v1/deposits/{deposit}/payments", json=way).json()
    gateway = parts.gateways.named("simulated")
    assert isinstance(gateway, SimulatedGateway)
    gateway.act(begun["reference"], PayerAct.SUCCEED)
    page = f"/payments/{begun['id']}"
    assert "being processed" in as_("bidder").get(f"{page}?from=paid").text, "looked a moment ago"
    clock.advance(seconds=6)
    assert "set aside" not in as_("bidder").get(page).text
    assert "set aside on the card" in as_("bidder").get(f"{page}?from=paid").text


def test_deposits_over_the_api_are_the_bidder_s_own(as_: As, register: Register, parts: wiring.Parts) -> None:
    actor = register.actors["bidder"]
    firm = register.organisations["firm"]
    with parts.db.write() as session:
        deposit = payments.request_deposit(session, actor, register.now, 5, firm, 1_000)
    for who, status in (("visitor", 404), ("officer", 404), ("bidder", 200), ("staff", 200)):
        assert as_(who).get(f"/api/v1/deposits/{deposit}").status_code == status, who
    assert as_("officer").get("/api/v1/deposits").status_code == 403
    way = {"gateway": "simulated", "method": "card"}
    assert as_("stranger").post(f"/api/v1/deposits/{deposit}/payments", json=way).status_code == 404
    unknown = as_("bidder").post(f"/api/v1/deposits/{deposit}/payments", json={**way, "gateway": "cash"})
    assert [error["field"] for error in unknown.json()["errors"]] == ["gateway"]
    begun = as_("bidder").post(f"/api/v1/deposits/{deposit}/payments", json=way).json()
    assert begun["pay_url"].endswith(f"/payments/simulated/{begun['reference']}")
    paid = as_("bidder").post(f"/payments/simulated/{begun['reference']}", data={"act": "succeed"})
    assert paid.status_code == 303
    assert as_("bidder").get(f"/api/v1/payments/{begun['id']}").json()["status"] == "authorised"
    assert as_("officer").get(f"/api/v1/payments/{begun['id']}").status_code == 404
    assert as_("bidder").get(f"/api/v1/deposits/{deposit}").json()["state"] == "held"
    assert (
        as_("bidder").post(f"/api/v1/deposits/{deposit}/movements", json={"movement": "release"}).status_code
        == 403
    )
    back = as_("staff").post(f"/api/v1/deposits/{deposit}/movements", json={"movement": "release"})
    assert back.json()["state"] == "releasing"
    assert (
        as_("staff").post(f"/api/v1/deposits/{deposit}/movements", json={"movement": "apply"}).status_code
        == 409
    )


def statements(parts: wiring.Parts, run: Callable[[], object]) -> int:
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    sa.event.listen(parts.db.engine, "before_cursor_execute", note)
    run()
    sa.event.remove(parts.db.engine, "before_cursor_execute", note)
    return len(seen)


def test_the_list_takes_as_many_statements_for_many_as_for_few(
    as_: As, register: Register, parts: wiring.Parts
) -> None:
    register.draft()
    client = as_("official")
    few = statements(parts, lambda: client.get("/contracts"))
    for _ in range(10):
        register.draft()
    assert statements(parts, lambda: client.get("/contracts")) == few
    assert few <= 8
