"""The room over real sockets: Starlette's WebSocket under uvicorn, as `web` serves it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

import pytest
import uvicorn
import websockets
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from auctions import reads
from auctions.bus import LocalBus
from auctions.hub import Hub, Limits
from auctions.protocol import SERVER, CloseCode
from auctions.receipts import Signer
from auctions.room import Services, place_bid, serve_viewer
from auctions.rules import commands as c
from auctions.viewer import Direct, Frame
from auctions.writer import Writer
from market.clock import FixedClock
from market.db import Database
from market.permissions import Actor
from tests.auctions.rows import OPENS, stage
from web.direct_socket import MOST_UNWRITTEN, DirectProtocol, direct

Handler = Callable[[WebSocket], Awaitable[None]]
Ws = Literal["websockets-sansio"] | type[DirectProtocol]


def watching(services: Services, actors: dict[str, Actor]) -> Handler:
    """The room's socket, as `web/routes/sockets.py` serves it."""

    async def watch(websocket: WebSocket) -> None:
        await websocket.accept()
        actor = actors.get(websocket.query_params.get("as", ""))
        lot_id = int(websocket.path_params["lot"])
        way = direct(websocket.scope)
        await serve_viewer(websocket, lot_id, actor, services, address="local", direct=way)

    return watch


@contextlib.asynccontextmanager
async def served(watch: Handler, ws: Ws = DirectProtocol) -> AsyncIterator[str]:
    app = Starlette(routes=[WebSocketRoute("/ws/lots/{lot:int}", watch)])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, ws=ws, ws_per_message_deflate=False, lifespan="off", log_level="warning")
    )
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/ws/lots"
    finally:
        server.should_exit = True
        await task
        listener.close()


async def read_until(connection: Any, type_: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            message = json.loads(await connection.recv())
            SERVER.validate_python(message)
            # Of events told together the last is as far as one gets by reading them.
            last = message["events"][-1] if message["type"] == "events" else message
            if last["type"] == type_:
                return last  # type: ignore[no-any-return]


@contextlib.asynccontextmanager
async def staged(
    database: Database, clock: FixedClock, limits: Limits | None = None
) -> AsyncIterator[Services]:
    """An open room without a server."""
    bus = LocalBus()
    writer = Writer(database, clock, Signer(bytes(32)), bus)
    hub = Hub(database, bus, clock, limits=limits)
    await bus.start()
    await hub.start()
    writer.start()
    try:
        yield Services(database, clock, writer, hub)
    finally:
        await hub.drain(0.0, 5.0)
        await hub.stop()
        await asyncio.to_thread(writer.stop, 20)
        await bus.stop()


@pytest.mark.parametrize("ws", [DirectProtocol, "websockets-sansio"])
def test_what_comes_in_one_go_is_taken_in_order(sqlite_database: Database, clock: FixedClock, ws: Ws) -> None:
    (lot,), (people,), _ = stage(sqlite_database)
    clock.set(OPENS)

    def plain(n: int) -> str:
        return f'{{"v":1,"type":"bid","client_bid_id":"bid-{n:05}","amount_fen":{1_000_000 + n * 10_000}}}'

    async def scene() -> None:
        async with (
            staged(sqlite_database, clock, Limits(message_burst=12)) as services,
            served(watching(services, {"one": people[0]}), ws) as url,
            websockets.connect(f"{url}/{lot}?as=one") as one,
        ):
            await services.writer.ask(c.Open(lot_id=lot))
            hello, ping = '{"v":1,"type":"hello"}', '{"v":1,"type":"ping","sent":7}'
            # Before the room has let it in, as its own bids, and beside messages that take the long way.
            for text in (hello, plain(1), hello, plain(2), plain(3), ping, " " + plain(4), plain(5), hello):
                await one.send(text)
            answers: list[tuple[str, str | None]] = []
            while len(answers) < 5:
                message = json.loads(await asyncio.wait_for(one.recv(), 20))
                if message["type"] in ("receipt", "refused"):
                    answers.append((message["client_bid_id"], message.get("code")))
            assert [id_ for id_, _ in answers] == [f"bid-{n:05}" for n in range(1, 6)]
            assert answers[0][1] is None
            assert {code for _, code in answers[1:]} == {answers[1][1]}
            for n in range(6, 20):
                await one.send(plain(n))
            with pytest.raises(websockets.ConnectionClosed) as closed:
                async with asyncio.timeout(20):
                    while True:
                        await one.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == CloseCode.TOO_MANY_MESSAGES

    asyncio.run(scene())


@pytest.mark.parametrize("ws", [DirectProtocol, "websockets-sansio"])
def test_bidding_watching_leaving_and_draining(sqlite_database: Database, clock: FixedClock, ws: Ws) -> None:
    (lot,), (people,), _ = stage(sqlite_database)
    clock.set(OPENS)

    async def scene() -> None:
        async with (
            staged(sqlite_database, clock) as services,
            served(watching(services, {"one": people[0], "two": people[1]}), ws) as url,
        ):
            hub, writer = services.hub, services.writer
            await writer.ask(c.Open(lot_id=lot))
            hello = json.dumps({"v": 1, "type": "hello"})
            watchers = [await websockets.connect(f"{url}/{lot}") for _ in range(30)]
            one, two = [await websockets.connect(f"{url}/{lot}?as={name}") for name in ("one", "two")]
            for connection in (*watchers, one, two):
                await connection.send(hello)
                await read_until(connection, "snapshot")
            bid = {"v": 1, "type": "bid", "client_bid_id": "bid-00001", "amount_fen": 1_000_000}
            await one.send(json.dumps(bid))
            receipt = await read_until(one, "receipt")
            await two.send(json.dumps(bid))
            assert (await read_until(two, "refused"))["code"] == "bid_too_low"
            for connection in watchers:
                assert (await read_until(connection, "event"))["hash"] == receipt["hash"]
            # Some leave politely, some just vanish; the others still hear.
            for connection in watchers[:10]:
                await connection.close()
            for connection in watchers[10:20]:
                connection.transport.abort()
            await place_bid(services, people[1], lot, "bid-00002", 1_010_000)
            for connection in watchers[20:]:
                assert (await read_until(connection, "event"))["seq"] == receipt["seq"] + 1
            async with asyncio.timeout(20):
                while hub.watchers(lot) > 12:
                    await asyncio.sleep(0.01)
            await one.send(b"\x00binary")
            await one.wait_closed()
            assert one.close_code == CloseCode.BAD_MESSAGE
            await hub.drain(0.5, 10.0)
            assert (await read_until(two, "draining"))["reconnect_after_ms"] >= 200
            await two.wait_closed()
            assert two.close_code == CloseCode.DRAINING
            for connection in watchers[20:]:
                await connection.wait_closed()

    asyncio.run(scene())


async def joined(url: str) -> Any:
    """A watcher who was told the snapshot and who it is."""
    connection = await websockets.connect(url, compression=None, max_size=None)
    await connection.send(json.dumps({"v": 1, "type": "hello"}))
    await read_until(connection, "you")
    return connection


def test_frames_pass_by_what_the_server_has_for_one(
    sqlite_database: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The whole gain hangs on names inside uvicorn; when an upgrade moves them, this fails.
    through: list[str] = []
    send = WebSocketsSansIOProtocol.send

    async def note(self: Any, message: Any) -> None:
        through.append(message["type"])
        await send(self, message)

    monkeypatch.setattr(WebSocketsSansIOProtocol, "send", note)
    (lot,), (people,), _ = stage(sqlite_database)
    clock.set(OPENS)

    async def scene() -> None:
        async with (
            staged(sqlite_database, clock) as services,
            served(watching(services, {"one": people[0]})) as url,
        ):
            await services.writer.ask(c.Open(lot_id=lot))
            watchers = [await joined(f"{url}/{lot}?as={name}") for name in ("one", "", "")]
            bid = {"v": 1, "type": "bid", "client_bid_id": "bid-00001", "amount_fen": 1_000_000}
            await watchers[0].send(json.dumps(bid))
            seq = (await read_until(watchers[0], "receipt"))["seq"]
            for connection in watchers:
                assert (await read_until(connection, "event"))["seq"] == seq
            assert through == ["websocket.accept"] * 3
            room = await services.hub.room(lot)
            assert not any(viewer.behind for viewer in room.viewers), "no task sends for anybody"
            await services.hub.drain(0.0, 5.0)
            for connection in watchers:
                await connection.wait_closed()
        assert through == ["websocket.accept"] * 3 + ["websocket.close"] * 3

    asyncio.run(scene())


def test_frames_of_both_ways_stand_in_line(clock: FixedClock) -> None:
    sizes = [0, 1, 125, 126, 65_535, 65_536, 200_000]
    ways: list[Direct] = []

    async def watch(websocket: WebSocket) -> None:
        await websocket.accept()
        way = direct(websocket.scope)
        assert way is not None
        ways.append(way)
        for number, size in enumerate(sizes):
            text = f"{number} " + "标" * size
            if number % 2:
                await websocket.send_text(text)
            else:
                await way.writable()
                assert way.write_frame(Frame(text).data)
        await websocket.receive()
        await websocket.close(4000)
        assert not way.write_frame(Frame("late").data), "nothing follows a close frame"

    async def scene() -> None:
        async with served(watch) as url:
            connection = await websockets.connect(f"{url}/1", compression=None, max_size=None)
            for number, size in enumerate(sizes):
                assert await connection.recv() == f"{number} " + "标" * size
            await connection.send("enough")
            await connection.wait_closed()
            assert connection.close_code == 4000
            gone = await websockets.connect(f"{url}/1", compression=None, max_size=None)
            gone.transport.abort()
            async with asyncio.timeout(20):
                while len(ways) < 2 or ways[1].write_frame(Frame("to nobody").data):
                    await asyncio.sleep(0.01)

    asyncio.run(scene())


def test_a_transport_carries_so_much_and_no_more(clock: FixedClock) -> None:
    counts: list[int] = []
    go = asyncio.Event()

    async def watch(websocket: WebSocket) -> None:
        await websocket.accept()
        way = direct(websocket.scope)
        assert way is not None
        number = 0
        while way.write_frame(Frame(f"{number} " + "x" * 8000).data):
            number += 1
            assert way.unwritten() <= MOST_UNWRITTEN + 8100
            await asyncio.sleep(0)
        counts.append(number)
        assert way.unwritten() > 0
        go.set()
        await way.writable()
        assert way.write_frame(Frame("last").data)
        await websocket.receive()

    async def scene() -> None:
        async with served(watch) as url:
            connection = await websockets.connect(f"{url}/1", compression=None, max_size=None, max_queue=1)
            await go.wait()
            texts = [await connection.recv()]
            while texts[-1] != "last":
                texts.append(await connection.recv())
            assert [text.split()[0] for text in texts] == [*map(str, range(counts[0])), "last"]
            await connection.close()

    asyncio.run(scene())


def test_who_takes_nothing_is_let_go_with_all_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.direct_socket.LINGER_S", 0.1)
    protocols: list[WebSocketsSansIOProtocol] = []
    lost = WebSocketsSansIOProtocol.connection_lost

    def note(self: WebSocketsSansIOProtocol, exc: Exception | None) -> None:
        protocols.append(self)
        lost(self, exc)

    monkeypatch.setattr(WebSocketsSansIOProtocol, "connection_lost", note)

    async def watch(websocket: WebSocket) -> None:
        await websocket.accept()
        way = direct(websocket.scope)
        assert way is not None
        while way.write_frame(Frame("x" * 8000).data):
            await asyncio.sleep(0.001)
        # Served no more, with much unwritten that nobody takes.

    async def scene() -> None:
        async with served(watch) as url:
            small = socket.socket()
            small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            small.connect(("127.0.0.1", int(url.split(":")[2].split("/")[0])))
            connection = await websockets.connect(f"{url}/1", sock=small, compression=None, max_queue=1)
            connection.transport.pause_reading()
            async with asyncio.timeout(20):
                while not protocols:
                    await asyncio.sleep(0.01)
            connection.transport.abort()

    asyncio.run(scene())


def test_who_does_not_read_costs_little_and_catches_up(sqlite_database: Database, clock: FixedClock) -> None:
    (lot,), (people,), _ = stage(sqlite_database)
    clock.set(OPENS)
    text = "公告" * 400

    async def scene() -> None:
        limits = Limits(viewer_bytes=100_000, poll_s=60)
        async with (
            staged(sqlite_database, clock, limits) as services,
            served(watching(services, {"slow": people[0]})) as url,
        ):
            await services.writer.ask(c.Open(lot_id=lot))
            quick = await joined(f"{url}/{lot}")
            slow = await joined(f"{url}/{lot}?as=slow")
            slow.transport.pause_reading()
            bid = {"v": 1, "type": "bid", "client_bid_id": "bid-00001", "amount_fen": 1_000_000}
            room = await services.hub.room(lot)
            seq = room.seq
            while not any(viewer.conflations for viewer in room.viewers):
                answers = await asyncio.gather(
                    *(services.writer.ask(c.Announce(lot_id=lot, text=f"{n} {text}")) for n in range(20))
                )
                while seq < max(answer.seq for answer in answers):
                    seq = (await read_until(quick, "event"))["seq"]
                assert all(viewer.waiting_bytes < 200_000 for viewer in room.viewers)
            await slow.send(json.dumps(bid))
            event = await read_until(quick, "event")
            assert event["kind"] == "bid_accepted"
            slow.transport.resume_reading()
            kinds: list[str] = []
            latest: dict[str, Any] = {}
            async with asyncio.timeout(20):
                while latest.get("seq") != event["seq"] or "receipt" not in kinds:
                    message = json.loads(await slow.recv())
                    kinds.append(message["type"])
                    if message["type"] == "snapshot":
                        latest = message
            assert kinds.index("receipt") < kinds.index("snapshot"), "what is private goes first"
            assert latest["state"] == reads_state(services, lot)

    asyncio.run(scene())


def reads_state(services: Services, lot: int) -> dict[str, Any]:
    with services.db.read() as session:
        return reads.room_state(session, lot).view
