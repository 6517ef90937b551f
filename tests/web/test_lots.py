"""Lots on pages and over the API: from a draft to a contract."""

from __future__ import annotations

import datetime as dt
import io
import json
import time
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from auctions.verify import verify_lines
from market.clock import SHANGHAI, FixedClock
from market.db import t
from market.deals.models import Contract
from market.listings.models import ListingState, Result
from market.payments.models import Deposit, DepositState
from market.permissions import Actor, Role
from market.work import run_one
from tests.auctions.rows import Rows
from web import wiring
from web.worker import handlers

SignIn = Callable[[TestClient, Actor], TestClient]


class World:
    """A seller's result, staff and two firms' bidders."""

    def __init__(self, parts: wiring.Parts) -> None:
        with parts.db.write() as session:
            rows = Rows(session)
            self.staff, self.result_id = rows.staff, rows.result()
            self.firms = [rows.organisation("某泵业"), rows.organisation("某机电")]
            self.bidders = [rows.actor(firm, Role.BIDDER) for firm in self.firms]


@pytest.fixture
def world(parts: wiring.Parts) -> World:
    return World(parts)


def draft(world: World, now: dt.datetime, **changes: str) -> dict[str, str]:
    opens = (now + dt.timedelta(days=7)).astimezone(SHANGHAI)
    return {
        "result_id": str(world.result_id),
        "title": "自吸泵叶轮专利",
        "terms.start_fen": "10万",
        "terms.step_fen": "5000",
        "terms.deposit_fen": "1万",
        "terms.opens_at": opens.strftime("%Y-%m-%dT%H:%M"),
        "terms.ends_at": (opens + dt.timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M"),
        "terms.window_s": "300",
        "terms.extension_s": "300",
        **changes,
    }


def publish(client: TestClient, world: World, now: dt.datetime) -> int:
    made = client.post("/lots/new", data=draft(world, now))
    assert made.status_code == 303, made.text
    edit = made.headers["location"]
    lot_id = int(edit.split("/")[2])
    frozen = client.post(edit, data={**draft(world, now), "version": "1", "publish": "1"})
    assert frozen.headers.get("location") == f"/lots/{lot_id}", frozen.text
    return lot_id


def test_a_bad_draft_says_what_is_wrong_and_keeps_what_was_typed(
    client: TestClient, world: World, sign_in: SignIn, now: dt.datetime
) -> None:
    sign_in(client, world.staff)
    page = client.post(
        "/lots/new", data=draft(world, now, **{"terms.step_fen": "一些", "terms.deposit_fen": "7777"})
    )
    assert page.status_code == 422
    assert "Enter an amount" in page.text
    assert 'value="7777"' in page.text


def test_what_the_chosen_format_does_not_use_stands_in_nobodys_way(
    client: TestClient, world: World, sign_in: SignIn, now: dt.datetime
) -> None:
    sign_in(client, world.staff)
    unused = {
        "terms.step_fen": "0",
        "terms.max_steps": "many",
        "terms.cover_bp": "?",
        "terms.steps.0.from": "?",
        "terms.window_s": "99999",
        "terms.extension_s": "soon",
    }
    made = client.post("/lots/new", data=draft(world, now, **{"terms.format": "sealed", **unused}))
    assert made.status_code == 303, made.text


def test_a_falling_price_without_a_floor_asks_for_it_by_name(
    client: TestClient, world: World, sign_in: SignIn, now: dt.datetime
) -> None:
    sign_in(client, world.staff)
    page = client.post("/lots/new", data=draft(world, now, **{"terms.format": "dutch"}))
    assert page.status_code == 422
    assert "Lowest price: This is required" in page.text
    assert "Fall at each step: This is required" in page.text


def test_drafts_are_nobody_elses_business(
    client: TestClient, world: World, sign_in: SignIn, now: dt.datetime
) -> None:
    sign_in(client, world.staff)
    edit = client.post("/lots/new", data=draft(world, now)).headers["location"]
    sign_in(client, world.bidders[0])
    for path in (edit, edit.removesuffix("/edit"), "/api/v1" + edit.removesuffix("/edit")):
        assert client.get(path).status_code == 404
    assert client.get(edit.replace("edit", "console")).status_code in (403, 404)
    # Nor does writing tell that there is one, with a good form or a bad one.
    for form in ({**draft(world, now), "version": "1"}, {"terms.start_fen": "?"}):
        assert client.post(edit, data=form).status_code == 404


def test_a_result_that_is_not_published_is_not_told_of_by_the_form_of_a_lot(
    client: TestClient, world: World, parts: wiring.Parts, sign_in: SignIn
) -> None:
    asked = f"/lots/new?result={world.result_id}"
    sign_in(client, world.bidders[0])
    assert client.get(asked).status_code == 403
    with parts.db.write() as session:
        result = session.get_one(Result, world.result_id)
        result.state = ListingState.DRAFT.value
    assert client.get(asked).status_code == 404
    sign_in(client, world.staff)
    assert client.get(asked).status_code == 409


def test_from_admission_to_contract(
    live_client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn, clock: FixedClock
) -> None:
    client = live_client
    sign_in(client, world.staff)
    lot_id = publish(client, world, clock.now())
    terms_hash = client.get(f"/api/v1/lots/{lot_id}").json()["state"]["terms_hash"]

    for bidder, firm in zip(world.bidders, world.firms, strict=True):
        sign_in(client, bidder)
        form = {"organisation_id": str(firm), "terms_hash": terms_hash, "relation": "none"}
        refused = client.post(f"/lots/{lot_id}/admission", data=form)
        assert refused.status_code == 422
        assert "accept the terms" in refused.text
        asked = client.post(f"/lots/{lot_id}/admission", data={**form, "accept": "on"})
        assert asked.status_code == 303, asked.text
        assert "simulated" in client.get(f"/lots/{lot_id}").text
        assert client.post(f"/lots/{lot_id}/deposit").status_code == 422
        paying = client.post(f"/lots/{lot_id}/deposit", data={"way": "simulated:alipay"})
        assert paying.status_code == 303
        declined = client.post(paying.headers["location"], data={"act": "insufficient_funds"})
        assert "not enough money" in client.get(declined.headers["location"]).text
        paid = client.post(paying.headers["location"], data={"act": "succeed"})
        assert "The money has come" in client.get(paid.headers["location"]).text

    sign_in(client, world.staff)
    clock.advance(days=7, seconds=1)
    _settle(parts)
    with parts.db.read() as session:
        from auctions import queries

        admissions = [line.id for line in queries.admissions_of_lot(session, lot_id)]
    for admission_id in admissions:
        done = client.post(f"/lots/{lot_id}/admissions/{admission_id}", data={"step": "admit"})
        assert done.status_code == 303, done.text
    _settle(parts)

    def bid(amount: int, key: str) -> tuple[int, dict[str, object]]:
        answer = client.post(f"/api/v1/lots/{lot_id}/bids", json={"client_bid_id": key, "amount_fen": amount})
        return answer.status_code, answer.json()

    sign_in(client, world.bidders[0])
    first = bid(10_000_000, "aaaaaaaa1")
    assert first[0] == 200, first
    assert bid(10_000_000, "aaaaaaaa1")[1]["receipt"] == first[1]["receipt"]
    assert bid(20_000_000, "aaaaaaaa1")[1]["code"] == "client_bid_id_reused"
    assert bid(10_500_000, "aaaaaaaa2")[1]["code"] == "leader_cannot_raise"

    sign_in(client, world.bidders[1])
    status, low = bid(10_200_000, "bbbbbbbb1")
    assert (status, low["code"]) == (409, "bid_too_low")
    ask = client.post(f"/lots/{lot_id}/bids", data={"amount": "10.5万", "client_bid_id": "bbbbbbbb2"})
    assert ask.status_code == 200
    assert "壹拾万伍仟元整" in ask.text
    placed = client.post(
        f"/lots/{lot_id}/bids",
        data={"amount_fen": "10500000", "client_bid_id": "bbbbbbbb2", "confirmed": "1"},
    )
    assert placed.status_code == 303, placed.text
    again = client.post(f"/lots/{lot_id}/bids", data={"amount": "10万元零三", "client_bid_id": "bbbbbbbb3"})
    assert again.status_code == 422
    assert "10万元零三" in again.text

    clock.advance(minutes=30)
    _settle(parts)
    work = handlers(parts)
    while run_one(parts.db, work, clock.now):
        pass
    with parts.db.read() as session:
        contract = session.execute(
            sa.select(t(Contract).c.deal_fen, t(Contract).c.buyer_id, t(Contract).c.state).where(
                t(Contract).c.source_lot_id == lot_id
            )
        ).one()
        deposits = dict(session.execute(sa.select(t(Deposit).c.organisation_id, t(Deposit).c.state)).all())
    assert tuple(contract) == (10_500_000, world.firms[1], "draft")
    assert deposits == {
        world.firms[0]: DepositState.RELEASED.value,
        world.firms[1]: DepositState.HELD.value,
    }
    page = client.get(f"/lots/{lot_id}")
    assert "Hammer price" in page.text
    exported = client.get(f"/lots/{lot_id}/journal.jsonl")
    report = verify_lines(io.StringIO(exported.text))
    assert report.violations == []
    assert client.get(f"/lots/{lot_id}/journal").status_code == 200


def _settle(parts: wiring.Parts) -> None:
    """Let the timekeeper act at the clock's present instant."""
    for _ in range(5):
        for answer in parts.timekeeper.tick():
            answer.result(10)


def test_watching_by_socket_needs_no_account(
    live_client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn, clock: FixedClock
) -> None:
    sign_in(live_client, world.staff)
    lot_id = publish(live_client, world, clock.now())
    live_client.cookies.clear()
    with live_client.websocket_connect(f"/ws/lots/{lot_id}") as socket:
        socket.send_text(json.dumps({"v": 1, "type": "hello"}))
        kinds = {}
        for _ in range(2):
            message = socket.receive_json()
            kinds[message["type"]] = message
        # The test client cancels a conversation that it closes; let this one end by itself.
        socket.close()
        for _ in range(500):
            if not parts.hub.watchers(lot_id):
                break
            time.sleep(0.01)
        assert kinds["snapshot"]["state"]["lot_id"] == lot_id
        assert kinds["you"] == {
            "v": 1,
            "type": "you",
            "alias": None,
            "can_bid": False,
            "reason": "sign_in_required",
        }


def test_a_socket_from_another_site_is_closed(live_client: TestClient) -> None:
    with live_client.websocket_connect("/ws/lots/1", headers={"origin": "https://evil.example"}) as socket:
        closed = socket.receive()
    assert closed["code"] == 4403


def test_writes_from_another_site_are_refused(client: TestClient) -> None:
    answer = client.post("/lots/1/bids", data={}, headers={"origin": "https://evil.example"})
    assert answer.status_code == 403
    answer = client.post("/lots/1/bids", data={}, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403
    assert client.post("/lots/1/bids", data={}, headers={"origin": "http://testserver"}).status_code == 303


def test_the_published_schema_is_served(client: TestClient) -> None:
    schema = client.get("/lots/protocol.json").json()
    assert set(schema) == {"version", "client", "server", "close_codes", "max_message_bytes"}
