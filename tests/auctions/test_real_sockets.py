"""The room over real sockets: Starlette's WebSocket under uvicorn, as `web` serves it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
import websockets
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from auctions.bus import LocalBus
from auctions.hub import Hub
from auctions.protocol import SERVER, CloseCode
from auctions.receipts import Signer
from auctions.room import Services, place_bid, serve_viewer
from auctions.rules import commands as c
from auctions.writer import Writer
from market.clock import FixedClock
from market.db import Database
from market.permissions import Actor
from tests.auctions.rows import OPENS, stage


@contextlib.asynccontextmanager
async def served(services: Services, actors: dict[str, Actor]) -> AsyncIterator[str]:
    async def watch(websocket: WebSocket) -> None:
        await websocket.accept()
        actor = actors.get(websocket.query_params.get("as", ""))
        await serve_viewer(websocket, int(websocket.path_params["lot"]), actor, services, address="local")

    app = Starlette(routes=[WebSocketRoute("/ws/lots/{lot:int}", watch)])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app, ws="websockets-sansio", ws_per_message_deflate=False, lifespan="off", log_level="warning"
        )
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
            if message["type"] == type_:
                return message  # type: ignore[no-any-return]


def test_bidding_watching_leaving_and_draining(sqlite_database: Database, clock: FixedClock) -> None:
    (lot,), (people,), _ = stage(sqlite_database)
    clock.set(OPENS)

    async def scene() -> None:
        bus = LocalBus()
        writer = Writer(sqlite_database, clock, Signer(bytes(32)), bus)
        hub = Hub(sqlite_database, bus, clock)
        services = Services(sqlite_database, clock, writer, hub)
        await bus.start()
        await hub.start()
        writer.start()
        await writer.ask(c.Open(lot_id=lot))
        async with served(services, {"one": people[0], "two": people[1]}) as url:
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
        await hub.stop()
        await asyncio.to_thread(writer.stop, 20)
        await bus.stop()

    asyncio.run(scene())
