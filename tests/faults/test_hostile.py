"""Hostile clients against a real server: each gets its named close or refusal, and nobody else notices.

Well-behaved bidders bid all the while in the same room: every bid must be answered by the rules, and every
frame come in order. How long their answers took, calm and under attack, is printed and not asserted;
`make bench-hostile` reports it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
import websockets

from auctions.protocol import CloseCode
from market.clock import SystemClock
from market.db import Database, t
from market.parties.models import ApiToken
from tests.conftest import make_database
from tests.faults import hostile, servers, staging

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("hostile")]

REFUSED = "status:429"
"""Too many sockets tried from one address; may come beside any other fate."""
FATES: dict[str, tuple[float, set[str], set[str]]] = {
    # attack: seconds, what must come of it, what else may
    "nonsense": (4, {"error:bad_message", "open"}, set()),
    "nonsense_first": (2, {"close:4400"}, set()),
    "binary": (2, {"close:4400"}, set()),
    "oversized": (2, {"close:4413"}, set()),
    "huge": (2, {"close:1009"}, {"close:4429"}),
    "fragments": (2, {"close:4429"}, {"close:1009"}),
    "broken": (2, {"close:1002", "close:1007"}, set()),
    "flood": (2, {"close:4429"}, set()),
    "ping_flood": (2, {"close:4429"}, set()),
    "pong_flood": (2, {"close:4429"}, set()),
    "hellos": (2, {"open"}, set()),
    "silent": (18, {"close:4408"}, set()),
    "half_open": (14, {"status:408", "cut"}, set()),
    "wrong_origin": (2, {"close:4403"}, set()),
    "bad_token": (2, {"close:4401"}, set()),
    "bad_cookie": (2, {"open", "refused:sign_in_required"}, set()),
    "many": (60, {"open", "close:4430", REFUSED}, set()),
    "account": (5, {"open", "close:4430"}, set()),
    "churn": (2, {"served"}, set()),
    "stranger": (4, {"open", "refused:not_admitted"}, set()),
    "http_bids": (3, {"status:409"}, {"status:429"}),
}


@dataclass
class Site:
    """A served market with bidders in one lot, and somebody who is admitted to another only."""

    database: Database
    stage: staging.Stage
    stranger: staging.Bidder
    other_lot: int
    process: servers.Process

    def friends(self) -> hostile.Friends:
        return hostile.Friends(self.process.port, self.stage.lot, self.stage.bidders[:4])

    def url(self, lot: int) -> str:
        return f"ws://127.0.0.1:{self.process.port}/ws/lots/{lot}"


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("hostile")
    for database in make_database("sqlite", request, folder):
        stage = staging.stage(database, bidders=6, opens_in_s=1.0, lasts_s=3600.0)
        others = staging.stage(database, bidders=1, opens_in_s=1.0, lasts_s=3600.0)
        url = database.url.render_as_string(hide_password=False)
        env = servers.environment(folder / "data", url, servers.free_port())
        with servers.market_serve(env) as process:
            process.wait_listening()
            yield Site(database, stage, others.bidders[0], others.lot, process)
            assert process.alive
            log = process.log.read_text(errors="replace")
            # What hostile clients send is no fault of the server's.
            assert "Traceback" not in log, log[-4000:]


def ms(took: list[float]) -> str:
    return " ".join(
        f"p{int(part * 100)} {hostile.percentile(took, part) * 1000:.1f} ms" for part in (0.5, 0.99)
    )


def test_every_attack_has_its_expected_fate() -> None:
    assert set(FATES) == set(hostile.ATTACKS)


@pytest.mark.parametrize("name", FATES)
def test_an_attack_gets_what_it_deserves_and_nobody_notices(site: Site, name: str) -> None:
    seconds, must, may = FATES[name]

    async def scene() -> tuple[hostile.Friends, dict[str, int], list[float], list[float]]:
        friends = site.friends()
        await friends.come()
        calm = await friends.bid(1.5)
        attack = asyncio.create_task(
            hostile.run(name, site.process.port, site.stage.lot, seconds, site.stranger.token)
        )
        under: list[float] = []
        while not attack.done():
            under += await friends.bid(1.0)
        await friends.leave()
        return friends, attack.result(), calm, under

    friends, fates, calm, under = asyncio.run(scene())
    print(f"{name}: calm {ms(calm)}; under attack {ms(under)}; {fates}")
    assert must <= set(fates) <= must | may | {REFUSED}
    assert friends.faults == []
    assert len(friends.took) == friends.bids
    assert friends.accepted > 0
    if name == "many":
        assert sum(fates.values()) == 5_000
        assert fates["open"] <= 200
    if name == "account":
        assert fates["open"] == 10
    if name == "silent":
        assert fates["close:4408"] == 150
    if name == "half_open":
        assert sum(fates.values()) == 600


async def join(url: str, token: str) -> Any:
    socket = await websockets.connect(
        url, additional_headers={"Authorization": f"Bearer {token}"}, local_addr=(hostile.FRIEND, 0)
    )
    await socket.send(hostile.HELLO)
    return socket


async def ask(socket: Any, **bid: Any) -> dict[str, Any]:
    """Send a bid; its answer, or the error."""
    await socket.send(json.dumps({"v": 1, "type": "bid", **bid}))
    async with asyncio.timeout(30):
        while True:
            message: dict[str, Any] = json.loads(await socket.recv())
            if message["type"] in ("receipt", "refused", "error"):
                return message


@pytest.mark.parametrize("how", ["revoked_at", "expires_at"])
def test_a_sign_in_that_ends_takes_its_socket_along(site: Site, how: str) -> None:
    leaver = site.stage.bidders[4 if how == "revoked_at" else 5]

    async def scene() -> tuple[int | None, list[str]]:
        socket = await join(site.url(site.stage.lot), leaver.token)
        answers = [(await ask(socket, client_bid_id=f"leaver-{how}", amount_fen=100))["code"]]
        past = SystemClock().now() - dt.timedelta(seconds=1)
        with site.database.write() as session:
            session.execute(
                sa.update(t(ApiToken)).where(t(ApiToken).c.person_id == leaver.person_id).values({how: past})
            )
        try:
            for number in range(40):
                answers.append(
                    (await ask(socket, client_bid_id=f"leaver-{how}-{number}", amount_fen=100))["code"]
                )
                await asyncio.sleep(0.5)
        except websockets.ConnectionClosed:
            return socket.close_code, answers
        return None, answers

    code, answers = asyncio.run(scene())
    assert code == CloseCode.SESSION_ENDED
    assert set(answers) == {"bid_too_low"} or set(answers) == {"bid_below_start"}


def test_other_peoples_ids_and_lots_are_of_no_use(site: Site) -> None:
    mine, theirs = site.stage.bidders[:2]

    async def scene() -> None:
        one = await join(site.url(site.stage.lot), mine.token)
        two = await join(site.url(site.stage.lot), theirs.token)
        first = await ask(one, client_bid_id="shared-id-1", amount_fen=100)
        second = await ask(two, client_bid_id="shared-id-1", amount_fen=200)
        # Each has an answer of its own; neither learns the other's, nor blocks it.
        assert first["code"] == second["code"] != "client_bid_id_reused"
        contents = [json.loads(answer["receipt"]["content"]) for answer in (first, second)]
        assert [content["amount_fen"] for content in contents] == [100, 200]
        assert contents[0]["alias"] != contents[1]["alias"]
        for field in ("alias", "person_id", "organisation_id"):
            refused = await ask(one, client_bid_id="as-another-1", amount_fen=100, **{field: 1})
            assert refused == {"v": 1, "type": "error", "code": "bad_message"}
        away = await join(site.url(site.other_lot), mine.token)
        assert (await ask(away, client_bid_id="away-bid-1", amount_fen=10**9))["code"] == "not_admitted"
        for socket in (one, two, away):
            await socket.close()

    asyncio.run(scene())
