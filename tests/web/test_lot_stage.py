"""The big screen, the replay and the rehearsal, over the web."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from auctions import protocol
from auctions.models import SaleInput
from auctions.rules.formats import RULES
from auctions.sales import create_sale
from market.clock import FixedClock
from tests.auctions.ended import play
from tests.auctions.rows import OPENS
from web.wiring import Parts


def data(page: str, name: str) -> dict[str, Any]:
    found = re.search(rf'data-{name}="([^"]*)"', page)
    assert found, page[:400]
    value: dict[str, Any] = json.loads(unescape(found[1]))
    return value


def test_the_screen_shows_a_lot_and_how_to_follow_it(
    live_client: TestClient, parts: Parts, clock: FixedClock
) -> None:
    played = play(parts.db, parts.writer, clock, until="bid")
    page = live_client.get(f"/lots/{played.lot_id}/screen")
    assert page.status_code == 200
    wall = data(page.text, "wall")
    assert wall["socket"] == f"/ws/lots/{played.lot_id}"
    assert wall["view"]["price_fen"] == 1_020_000
    assert "¥10,200" in page.text
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in page.text
    assert live_client.get("/lots/999/screen").status_code == 404


def test_the_screen_of_a_sale_shows_what_is_on_and_survives_an_empty_one(
    live_client: TestClient, parts: Parts, clock: FixedClock
) -> None:
    played = play(parts.db, parts.writer, clock, until="open")
    with parts.db.write() as session:
        sale_id = create_sale(
            session, played.rows.staff, SaleInput(title="秋季专场", starts_at=OPENS), clock.now()
        )
    page = live_client.get(f"/sales/{sale_id}/screen")
    assert page.status_code == 200
    assert "秋季专场" in page.text
    assert "Nothing is being bid for just now" in page.text
    assert live_client.get("/sales/999/screen").status_code == 404


def test_a_replay_is_for_lots_that_are_over(live_client: TestClient, parts: Parts, clock: FixedClock) -> None:
    played = play(parts.db, parts.writer, clock, until="bid")
    assert live_client.get(f"/lots/{played.lot_id}/replay").status_code == 404
    assert live_client.get(f"/lots/{played.lot_id}/replay.json").status_code == 404


def test_a_replay_shows_the_moment_that_is_asked_for(
    live_client: TestClient, parts: Parts, clock: FixedClock
) -> None:
    played = play(parts.db, parts.writer, clock)
    early = live_client.get(f"/lots/{played.lot_id}/replay?second=1")
    late = live_client.get(f"/lots/{played.lot_id}/replay?second=99999999")
    assert "Price now" in early.text
    assert "¥10,000" in early.text
    assert "¥10,200" not in early.text
    assert "¥10,200" in late.text
    assert live_client.get(f"/lots/{played.lot_id}/replay?second=-5").status_code == 200
    film = live_client.get(f"/lots/{played.lot_id}/replay.json").json()
    view = film["view"]
    for event in film["events"]:
        view = protocol.project(view, event)
    assert view["outcome"]["hammer_fen"] == 1_020_000


@pytest.mark.parametrize("format_name", sorted(RULES))
def test_anybody_can_rehearse_every_format(live_client: TestClient, format_name: str) -> None:
    with live_client.websocket_connect(f"/ws/rehearsal/{format_name}") as socket:
        socket.send_json({"v": 1, "type": "hello"})
        snapshot = socket.receive_json()
        assert (snapshot["type"], snapshot["state"]["format"]) == ("snapshot", format_name)
        assert socket.receive_json() == {"v": 1, "type": "you", "alias": 1, "can_bid": True, "reason": None}
        socket.send_json({"v": 1, "type": "ping", "sent": 5})
        assert socket.receive_json()["type"] == "pong"
        socket.send_json({"v": 1, "type": "bid", "client_bid_id": "too-early-1", "amount_fen": 10_000_000})
        refused = socket.receive_json()
        assert (refused["type"], refused["code"]) == ("refused", "lot_not_open")
        socket.send_text("{")
        assert socket.receive_json() == {"v": 1, "type": "error", "code": "bad_message"}


def test_there_is_no_rehearsal_of_a_format_that_is_not(live_client: TestClient) -> None:
    with (
        live_client.websocket_connect("/ws/rehearsal/barter") as socket,
        pytest.raises(WebSocketDisconnect) as ended,
    ):
        socket.receive_json()
    assert ended.value.code == protocol.CloseCode.NO_SUCH_LOT


def test_no_other_site_may_rehearse(live_client: TestClient) -> None:
    with (
        live_client.websocket_connect(
            "/ws/rehearsal/english", headers={"origin": "https://elsewhere.example"}
        ) as socket,
        pytest.raises(WebSocketDisconnect) as ended,
    ):
        socket.receive_json()
    assert ended.value.code == protocol.CloseCode.FORBIDDEN_ORIGIN
