"""At the door: a pace for each address, patience for heads, a count of frames. Over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from auctions.hub import Limits
from tests.faults.hostile import PING, TEXT, Raw, Refused, frame, text
from web import doorkeeper
from web.doorkeeper import Doorkeeper, Pace

HERE = "127.0.0.1"


def test_so_many_at_once_then_at_a_steady_rate() -> None:
    pace = Pace()
    at_once = [pace.wait("a", 0.0, burst=3, rate=1, most_s=2.0) for _ in range(6)]
    assert at_once == [0.0, 0.0, 0.0, 1.0, 2.0, None]
    assert pace.wait("b", 0.0, burst=3, rate=1) == 0.0
    # What was refused is not counted, and what has passed is forgotten.
    assert pace.wait("a", 1.0, burst=3, rate=1, most_s=2.0) == 2.0
    assert [pace.wait("a", 100.0, burst=3, rate=1) for _ in range(4)] == [0.0, 0.0, 0.0, None]


def test_the_pace_does_not_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorkeeper, "FORGET", 100)
    pace = Pace()
    for number in range(1000):
        pace.wait(str(number), 0.0, burst=1, rate=0.001, most_s=10_000)
    assert len(pace._due) <= 101
    for number in range(1000):
        pace.wait(str(number), number * 10.0, burst=1, rate=1)
    assert len(pace._due) <= 101


def test_only_a_trusted_proxy_is_believed() -> None:
    door = Doorkeeper(Limits, "127.0.0.1,10.0.0.0/8")
    assert door.address("192.0.2.7", "203.0.113.9") == "192.0.2.7"
    assert door.address("127.0.0.1", "203.0.113.9") == "203.0.113.9"
    assert door.address("10.1.2.3", "198.51.100.1, 203.0.113.9, 10.9.9.9") == "203.0.113.9"
    assert door.address("127.0.0.1", "") == "127.0.0.1"


async def listen(websocket: WebSocket) -> None:
    await websocket.accept()
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text(str(len(await websocket.receive_text())))


async def page(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


@contextlib.asynccontextmanager
async def served(limits: Limits) -> AsyncIterator[int]:
    app = Starlette(routes=[WebSocketRoute("/ws", listen), Route("/", page)])
    http, websocket = Doorkeeper(lambda: limits, "").protocols()
    listener = socket.create_server((HERE, 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app, http=http, ws=websocket, ws_per_message_deflate=False, ws_max_size=16_384, lifespan="off",
            log_level="warning", loop="asyncio",
        )
    )  # fmt: skip
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


def play(scene: Callable[[int], Awaitable[None]], limits: Limits | None = None) -> None:
    async def run() -> None:
        async with served(limits or Limits()) as port, asyncio.timeout(60):
            await scene(port)

    asyncio.run(run())


async def raw(port: int) -> Raw:
    return await Raw.open(HERE, port, "/ws")


async def fate(port: int, data: bytes) -> str:
    one = await raw(port)
    one.send(data)
    try:
        return await one.fate(20.0, Counter())
    finally:
        one.drop()


FLOODS = {
    "pings": frame(PING, b"x") * 5000,
    "empty pings": frame(PING, b"") * 10_000,
    "pongs": frame(10, b"x") * 5000,
    "empty pieces": frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * 10_000,
    "texts": text("x") * 5000,
    "bytes": text("x" * 9000) * 20,
}


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_with_its_name_and_the_next_one_is_served(name: str) -> None:
    async def scene(port: int) -> None:
        assert await fate(port, FLOODS[name]) == "close:4429"
        good = await raw(port)
        good.say("hello")
        assert (await good.read())[1] == b"5"
        good.drop()

    play(scene)


def test_what_is_not_utf8_is_no_fault_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(port: int) -> None:
        assert await fate(port, frame(TEXT, b"\xff\xfe")) == "close:1007"
        assert await fate(port, frame(TEXT, b"\xff", fin=False) + frame(0, b"x")) == "close:1007"

    play(scene)
    assert [record for record in caplog.records if record.exc_info] == []


def test_a_text_in_pieces_is_whole() -> None:
    async def scene(port: int) -> None:
        one = await raw(port)
        data = "标的".encode()
        for piece in (frame(TEXT, data[:2], fin=False), frame(0, data[2:4], fin=False), frame(0, data[4:])):
            one.send(piece)
        assert (await one.read())[1] == b"2"
        one.drop()

    play(scene)


def test_a_crowd_of_one_address_waits_and_what_is_too_much_is_told_so() -> None:
    async def scene(port: int) -> None:
        async def one() -> str:
            try:
                opened = await raw(port)
            except Refused as refused:
                return str(refused)
            opened.say("hello")
            said = (await opened.read())[1].decode()
            opened.drop()
            return said

        # One at once and two a second: ten more wait their turn, the others come too often.
        fates = Counter(await asyncio.gather(*(one() for _ in range(30))))
        assert set(fates) == {"5", "status:429"}
        assert 11 <= fates["5"] < 30

    play(scene, Limits(sockets_per_address=10))


def test_heads_that_never_end_and_connections_that_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorkeeper, "HEAD_S", 0.3)

    async def answer(port: int, *said: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(HERE, port)
        with contextlib.suppress(OSError):
            for part in said:
                writer.write(part)
                await writer.drain()
        try:
            return await reader.read()
        except OSError:
            return b"reset"
        finally:
            writer.transport.abort()

    async def scene(port: int) -> None:
        assert await answer(port) == b""
        assert (await answer(port, b"GET / HTTP/1.1\r\nHost: x\r\n")).startswith(b"HTTP/1.1 408 ")
        whole = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        # A second request that stops in the middle, after one that was answered.
        both = await answer(port, whole, b"GET / HTTP/1.1\r\n")
        assert both.startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 408 " in both
        endless = [b"GET / HTTP/1.1\r\n", *[b"X-More: " + b"x" * 1000 + b"\r\n"] * 200]
        assert (await answer(port, *endless))[:12] in (b"HTTP/1.1 431", b"reset", b"")

    play(scene)
