"""A socket's rights are those of its moment: sign-in, roles and scopes are looked at again while it bids."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from auctions.protocol import CloseCode
from market.db import t
from market.parties import accounts
from market.parties.inputs import TokenInput
from market.parties.models import MembershipRow, Organisation
from market.permissions import Actor, Role
from tests import factories
from web.deps import COOKIE
from web.wiring import Parts

Change = Callable[[Parts, factories.Account], None]


def end_role(parts: Parts, account: factories.Account) -> None:
    m = t(MembershipRow).c
    with parts.db.write() as session:
        session.execute(
            sa.update(t(MembershipRow))
            .where(m.person_id == account.person_id)
            .values(ended_at=parts.clock.now())
        )


def suspend(parts: Parts, account: factories.Account) -> None:
    with parts.db.write() as session:
        session.execute(
            sa.update(t(Organisation))
            .where(t(Organisation).c.id == account.organisation_id)
            .values(state="suspended")
        )


def bid(number: int) -> dict[str, Any]:
    return {"v": 1, "type": "bid", "client_bid_id": f"socket-bid-{number:04}", "amount_fen": 2_000_000}


def receive(socket: Any, kinds: set[str]) -> dict[str, Any]:
    """The next message of some kinds."""
    while True:
        message: dict[str, Any] = socket.receive_json()
        if message["type"] in kinds:
            return message


@pytest.mark.parametrize("change", [end_role, suspend])
def test_a_role_that_ended_bids_no_more(
    live_client: TestClient, parts: Parts, monkeypatch: pytest.MonkeyPatch, change: Change
) -> None:
    monkeypatch.setattr("auctions.room.RECHECK_S", -1.0)
    market = factories.fill(parts.db, parts.clock.now(), results_=2, demands_=1, lots_=1, bids=2)
    bidder = market.accounts[Role.BIDDER]
    live_client.cookies.set(COOKIE, bidder.cookie)
    with live_client.websocket_connect(f"/ws/lots/{market.lots[0]}") as socket:
        socket.send_json({"v": 1, "type": "hello"})
        assert receive(socket, {"you"})["can_bid"] is True
        change(parts, bidder)
        socket.send_json(bid(1))
        with pytest.raises(WebSocketDisconnect) as ended:
            receive(socket, {"receipt", "refused"})
    assert ended.value.code == CloseCode.SESSION_ENDED


def test_a_token_that_may_only_read_watches(live_client: TestClient, parts: Parts) -> None:
    market = factories.fill(parts.db, parts.clock.now(), results_=2, demands_=1, lots_=1, bids=2)
    bidder: Actor = market.accounts[Role.BIDDER].actor
    with parts.db.write() as session:
        entered = TokenInput.model_validate({"name": "read", "scopes": ["read", "write"], "days": 30})
        _, secret = accounts.create_token(session, bidder, entered, parts.clock.now())
    headers = {"authorization": f"Bearer {secret}"}
    with live_client.websocket_connect(f"/ws/lots/{market.lots[0]}", headers=headers) as socket:
        socket.send_json({"v": 1, "type": "hello"})
        receive(socket, {"you"})
        socket.send_json(bid(2))
        refused = receive(socket, {"receipt", "refused"})
        # The test client cancels a conversation that it closes; let this one end by itself.
        socket.close()
        for _ in range(500):
            if not parts.hub.watchers(market.lots[0]):
                break
            time.sleep(0.01)
    assert refused["code"] == "not_allowed"
    answer = live_client.post(
        f"/api/v1/lots/{market.lots[0]}/bids",
        json={"client_bid_id": "http-bid-0001", "amount_fen": 2_000_000},
        headers=headers,
    )
    assert answer.status_code == 403
