"""Enquiries and the workbench by page and by API."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from market.clock import FixedClock
from market.db import t
from market.deals.models import Contract
from market.demands.models import Demand
from market.enquiries.models import EnquiryState
from market.listings.inputs import ResultInput
from market.listings.models import Result
from market.listings.service import edit_result
from market.permissions import Actor, Role
from market.work import run_one
from tests.auctions.rows import NOW, Rows
from web import wiring
from web.mail import MemoryMailer
from web.worker import handlers

SignIn = Callable[[TestClient, Actor], TestClient]


class World:
    """A university with a published result, a firm with a demand, a broker, staff, an official."""

    def __init__(self, parts: wiring.Parts) -> None:
        with parts.db.write() as session:
            rows = Rows(session)
            self.officer, self.staff = rows.officer, rows.staff
            self.broker = rows.actor(rows.market, Role.BROKER)
            self.official = rows.actor(rows.market, Role.OFFICIAL)
            self.firm = rows.organisation("某泵业")
            self.asker = rows.actor(self.firm, Role.DEMAND_OWNER)
            self.bidder = rows.bidder()
            self.result, self.seller = rows.result(), rows.seller
            session.execute(sa.update(t(Result)).values(source="list", abstract="a", trl=4, confirmed_at=NOW))
            demand = Demand(
                organisation_id=self.firm, title="降噪", difficulty="难", industry_code="pumps",
                state="draft", created_at=NOW, updated_at=NOW,
            )  # fmt: skip
            session.add(demand)


@pytest.fixture
def world(parts: wiring.Parts) -> World:
    return World(parts)


def ask(client: TestClient, world: World) -> str:
    answer = client.post(
        "/enquiries", data={"subject_kind": "result", "subject_id": str(world.result), "body": "价格？"}
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def work_off(parts: wiring.Parts) -> None:
    while run_one(parts.db, handlers(parts), parts.clock.now):
        pass


def test_from_a_question_to_a_contract(
    client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn, clock: FixedClock
) -> None:
    assert client.get(f"/enquiries/new?result={world.result}").status_code == 303
    sign_in(client, world.asker)
    form = client.get(f"/enquiries/new?result={world.result}")
    assert form.status_code == 200
    assert "No promise" in form.text
    place = ask(client, world)
    assert "价格？" in client.get(place).text
    again = client.post(
        "/enquiries", data={"subject_kind": "result", "subject_id": str(world.result), "body": "x"}
    )
    assert again.status_code == 409
    assert "Go on in that enquiry" in again.text
    assert client.post(f"{place}/agree").status_code == 403
    work_off(parts)
    mailer = parts.mailer
    assert isinstance(mailer, MemoryMailer)
    assert any("无堵塞自吸泵叶轮" in mail.subject for mail in mailer.sent)

    sign_in(client, world.officer)
    bench = client.get("/workbench")
    assert "Enquiries to answer" in bench.text
    clock.advance(hours=3)
    assert client.post(f"{place}/reply", data={"body": ""}).status_code == 422
    assert client.post(f"{place}/reply", data={"body": "三十万"}).status_code == 303
    assert (
        client.post(f"{place}/next-step", data={"next_step": "看样", "due_on": "2026-03-09"}).status_code
        == 303
    )
    page = client.get(place).text
    assert "3.0 hours" in page
    assert "看样" in page
    assert client.post(f"{place}/negotiate").status_code == 303
    answer = client.post(f"{place}/agree", data={"outcome": "普通许可"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/contracts/")
    with parts.db.read() as session:
        contract = session.execute(sa.select(t(Contract).c.source, t(Contract).c.title)).one()
    assert tuple(contract) == ("enquiry", "无堵塞自吸泵叶轮")
    sign_in(client, world.asker)
    assert client.post(f"{place}/contract").headers["location"].startswith("/contracts/")
    work_off(parts)


def test_passing_and_being_invited_again(
    client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn
) -> None:
    sign_in(client, world.asker)
    place = ask(client, world)
    low = client.post(f"{place}/pass", data={"reason": "too_early", "reinvite_trl": "3"})
    assert low.status_code == 422
    assert "is at TRL 4 already" in low.text
    assert client.post(f"{place}/pass", data={"reason": "too_early", "reinvite_trl": "6"}).status_code == 303
    assert "Too early" in client.get(place).text
    with parts.db.write() as session:
        data = ResultInput(title="无堵塞自吸泵叶轮", industry_code="pumps", abstract="a", trl=6)
        edit_result(session, world.officer, parts.clock.now(), world.result, data)
    work_off(parts)
    assert isinstance(parts.mailer, MemoryMailer)
    assert any("TRL 6" in mail.subject for mail in parts.mailer.sent)
    assert "invited again" in client.get("/enquiries").text
    assert "Invited again" in client.get("/workbench").text
    assert client.post(f"{place}/resume").status_code == 303


def test_the_board_is_for_brokers(
    client: TestClient, world: World, sign_in: SignIn, clock: FixedClock
) -> None:
    sign_in(client, world.asker)
    place = ask(client, world)
    assert client.get("/enquiries/board").status_code == 403
    clock.advance(days=9)
    sign_in(client, world.broker)
    assert "overdue" in client.get("/enquiries/board?only=overdue").text
    assert "Overdue enquiries" in client.get("/workbench").text
    assert client.post(f"{place}/take").status_code == 303
    assert client.post(f"{place}/assign", data={"person_id": str(world.asker.person_id)}).status_code == 422
    sign_in(client, world.bidder)
    assert client.get(place).status_code == 404


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_everybody_has_a_workbench(client: TestClient, world: World, sign_in: SignIn, language: str) -> None:
    client.cookies.set("lang", language)
    assert client.get("/workbench").status_code == 303
    for actor in (world.officer, world.asker, world.bidder, world.broker, world.staff, world.official):
        sign_in(client, actor)
        for path in ("/workbench", "/enquiries", "/enquiries?box=mine&state=open"):
            answer = client.get(path)
            assert answer.status_code == 200, (path, answer.text)
            assert "workbench." not in answer.text
    sign_in(client, world.asker)
    assert "降噪" in client.get("/workbench").text


def test_api(client: TestClient, world: World, sign_in: SignIn) -> None:
    sign_in(client, world.asker)
    body = {"subject_kind": "result", "subject_id": world.result, "body": "价格？"}
    made = client.post("/api/v1/enquiries", json=body)
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    assert made.json()["state"] == EnquiryState.OPEN
    assert made.json()["messages"][0]["side"] == "asking"
    assert client.post("/api/v1/enquiries", json=body).status_code == 409
    assert client.post("/api/v1/enquiries", json={**body, "body": "\x00"}).status_code == 422
    assert client.get("/api/v1/enquiries/board").status_code == 403
    sign_in(client, world.officer)
    place = f"/api/v1/enquiries/{number}"
    answered = client.post(f"{place}/messages", json={"body": "三十万"})
    assert answered.json()["state"] == "answered"
    step = {"next_step": "看样", "due_on": "2026-03-20"}
    assert client.put(f"{place}/next-step", json=step).status_code == 428
    assert client.put(f"{place}/next-step", json=step, headers={"if-match": '"1"'}).status_code == 412
    tag = client.get(place).headers["etag"]
    assert (
        client.put(f"{place}/next-step", json=step, headers={"if-match": tag}).json()["next_step"] == "看样"
    )
    assert client.put(f"{place}/owner", json={"person_id": world.broker.person_id}).status_code == 200
    assert client.post(f"{place}/negotiate", json={}).json()["state"] == "negotiating"
    assert client.post(f"{place}/withdraw", json={}).status_code == 403
    passed = client.post(f"{place}/pass", json={"reason": "price"}).json()
    assert (passed["state"], passed["pass_reason"]) == ("passed", "price")
    assert client.get("/api/v1/enquiries?box=received").json()["total"] == 1
    client.cookies.clear()
    assert client.get("/api/v1/enquiries").status_code == 401
    replies = client.get(f"/api/v1/organisations/{world.seller}/reply-time").json()
    assert replies == {"promised_hours": None, "median_hours": 0.0, "answered": 1, "waiting": 0}
