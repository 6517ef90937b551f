"""Hostile clients, each attack a process of its own, and the well-behaved bidders who must not notice.

    python -m tests.faults.hostile ATTACK PORT LOT SECONDS [TOKEN]

Each attack comes from an address of its own in 127.0.1.0/24, speaks frames made by hand so that nothing keeps
it from being wrong, runs for so many seconds at the lowest priority, and prints what became of it as one line
of JSON: how often the server closed with which code (`close:4400`), answered with which status (`status:400`),
cut without a word (`cut`), told an error (`error:bad_message`) or a refusal, or left a socket open to the end
(`open`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import struct
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

from tests.faults.staging import Bidder

FRIEND = "127.0.0.2"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
HELLO = '{"v":1,"type":"hello"}'


class Refused(Exception):
    """The server did not open a socket. `str()` says what it did instead."""


def frame(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    """A client's frame, masked with zeros: the server cannot tell it from any other mask."""
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(data) < 126:
        head += bytes([0x80 | len(data)])
    elif len(data) < 65_536:
        head += bytes([0x80 | 126]) + struct.pack("!H", len(data))
    else:
        head += bytes([0x80 | 127]) + struct.pack("!Q", len(data))
    return head + b"\0\0\0\0" + data


class Raw:
    """A socket whose frames are made by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, address: str, port: int, path: str, **headers: str) -> Raw:
        """Upgrade. Raises Refused and OSError."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
        lines = {
            "Host": f"127.0.0.1:{port}", "Upgrade": "websocket", "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), "Sec-WebSocket-Version": "13",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }  # fmt: skip
        text = f"GET {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        writer.write(text.encode() + b"\r\n")
        try:
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            writer.close()
            raise Refused("cut") from None
        status = answer.split(b" ", 2)[1].decode()
        if status != "101":
            writer.close()
            raise Refused(f"status:{status}")
        return cls(reader, writer)

    def send(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)

    def say(self, text: str) -> None:
        """Send a text as one frame."""
        self.writer.write(frame(TEXT, text.encode()))

    async def read(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. Raises IncompleteReadError and OSError at the end."""
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(size)

    async def fate(self, seconds: float, counts: Counter[str]) -> str:
        """Listen until the server closes, or for so long; errors and refusals on the way are counted."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    opcode, data = await self.read()
                    if opcode == CLOSE:
                        self.send(frame(CLOSE, data))
                        return f"close:{struct.unpack('!H', data[:2])[0]}" if len(data) > 1 else "close:1005"
                    if opcode == PING:
                        self.send(frame(PONG, data))
                    elif opcode == TEXT and (b'"error"' in data[:40] or b'"refused"' in data[:40]):
                        message = json.loads(data)
                        counts[f"{message['type']}:{message['code']}"] += 1
        except TimeoutError:
            return "open"
        except (asyncio.IncompleteReadError, OSError):
            return "cut"

    def drop(self) -> None:
        """Let go without a word."""
        self.writer.transport.abort()


@dataclass
class Attack:
    """One attack under way."""

    port: int
    lot: int
    seconds: float
    token: str
    address: str = "127.0.1.1"
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.until = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """Seconds until it ends."""
        return self.until - time.monotonic()

    @property
    def path(self) -> str:
        """The lot's room."""
        return f"/ws/lots/{self.lot}"

    async def open(self, *says: str, **headers: str) -> Raw:
        """A socket that has said something. Raises Refused."""
        raw = await Raw.open(self.address, self.port, self.path, **headers)
        for text in says:
            raw.say(text)
        return raw

    async def again(self, one: Callable[[], Awaitable[str]], at_once: int, most: int = 1_000_000) -> None:
        """Do something again and again, so many at once, and count what comes of it."""
        left = [most]

        async def repeat() -> None:
            while self.left > 0 and left[0] > 0:
                left[0] -= 1
                try:
                    self.counts[await one()] += 1
                except Refused as refused:
                    self.counts[str(refused)] += 1
                except OSError as error:
                    self.counts[f"os:{type(error).__name__}"] += 1
                    await asyncio.sleep(0.01)

        await asyncio.gather(*(repeat() for _ in range(at_once)))

    async def poke(self, before: tuple[str, ...], data: bytes, seconds: float = 5.0, **headers: str) -> str:
        """Open, say something proper, then something improper; the fate."""
        raw = await self.open(*before, **headers)
        try:
            raw.send(data)
            return await raw.fate(seconds, self.counts)
        finally:
            raw.drop()


def text(value: str) -> bytes:
    """A text frame."""
    return frame(TEXT, value.encode())


NONSENSE = (
    "", "{", "[]", "null", '"hello"', '{"v":1}', '{"type":"bid"}', '{"v":2,"type":"hello"}', "\x00", "9" * 4000,
    '{"v":1,"type":"bid","client_bid_id":"abcdefgh","amount_fen":"a lot"}',
    '{"v":1,"type":"bid","client_bid_id":"abcdefgh","amount_fen":1.5}',
    '{"v":1,"type":"bid","client_bid_id":"abcdefgh","amount_fen":true}',
    '{"v":1,"type":"bid","client_bid_id":"abcdefgh","amount_fen":"100000000"}',
    '{"v":1,"type":"bid","client_bid_id":"abcdefgh","amount_fen":-1}',
    '{"v":1,"type":"bid","client_bid_id":"abcdefgh","amount_fen":1e400}',
    '{"v":1,"type":"bid","client_bid_id":"../../etc","amount_fen":100}',
    '{"v":1,"type":"bid","client_bid_id":"abcdefgh","amount_fen":100000000,"alias":1}',
    '{"v":1,"type":"bid","client_bid_id":"abcdefgh","amount_fen":100000000,"person_id":1}',
    '{"v":1,"type":"bid","client_bid_id":"abcdefgh","amount_fen":100000000,"organisation_id":1}',
    '{"v":1,"type":"snapshot"}', '{"v":1,"type":"hello","epoch":{}}', "[" * 2000, '{"a":' * 600,
)  # fmt: skip
"""Texts that no conversation holds."""


async def nonsense(attack: Attack) -> None:
    """Nonsense after a proper hello, slowly enough not to be a flood: each is answered, the socket stays."""

    async def one() -> str:
        raw = await attack.open(HELLO)
        try:
            for each in NONSENSE:
                raw.say(each)
                await asyncio.sleep(0.11)
            return await raw.fate(0.5, attack.counts)
        finally:
            raw.drop()

    await attack.again(one, 20)


async def nonsense_first(attack: Attack) -> None:
    """Nonsense instead of a hello."""
    turn = iter(range(10**9))
    await attack.again(lambda: attack.poke((), text(NONSENSE[next(turn) % len(NONSENSE)])), 8)


async def binary(attack: Attack) -> None:
    """Frames that are no text."""
    await attack.again(lambda: attack.poke((HELLO,), frame(BINARY, os.urandom(200))), 8)


async def oversized(attack: Attack) -> None:
    """Messages that are a little too long."""
    await attack.again(lambda: attack.poke((HELLO,), text("x" * 5000)), 8)


async def huge(attack: Attack) -> None:
    """Messages of a mebibyte."""
    await attack.again(lambda: attack.poke((HELLO,), text("x" * 2**20)), 4)


async def fragments(attack: Attack) -> None:
    """A message in pieces that never ends, and pieces that hold nothing."""
    endless = frame(TEXT, b"[", fin=False) + frame(0, b"[", fin=False) * 20_000
    nothing = frame(TEXT, b"", fin=False) + frame(0, b"", fin=False) * 20_000
    turn = iter(range(10**9))
    await attack.again(lambda: attack.poke((HELLO,), (endless, nothing)[next(turn) % 2]), 4)


async def broken(attack: Attack) -> None:
    """Frames that are none: reserved bits and opcodes, no mask, no UTF-8, long pings."""
    wrong = (
        bytes([0xF1, 0x80, 0, 0, 0, 0]), frame(3, b"x"), frame(11, b"x"), bytes([0x81, 0x02]) + b"hi",
        frame(TEXT, b"\xff\xfe"), frame(PING, b"x" * 200), frame(0, b"x"), frame(CLOSE, b"\x00"),
    )  # fmt: skip
    turn = iter(range(10**9))
    await attack.again(lambda: attack.poke((HELLO,), wrong[next(turn) % len(wrong)]), 8)


async def flood(attack: Attack) -> None:
    """Messages as fast as they can be written."""
    ping = text('{"v":1,"type":"ping","sent":1}') * 500
    await attack.again(lambda: attack.poke((HELLO,), ping), 20)


async def ping_flood(attack: Attack) -> None:
    """The protocol's own pings as fast as they can be written."""
    await attack.again(lambda: attack.poke((HELLO,), frame(PING, b"x" * 100) * 5_000), 20)


async def pong_flood(attack: Attack) -> None:
    """Pongs that nobody asked for."""
    await attack.again(lambda: attack.poke((HELLO,), frame(PONG, b"x" * 100) * 5_000), 20)


async def hellos(attack: Attack) -> None:
    """Hello again and again, also with a seq that no journal has reached."""
    far = '{"v":1,"type":"hello","epoch":"0123456789abcdef","resume_after_seq":%d}'
    says = text(HELLO) + text(far % 2**62) + text(far % 10**40)
    await attack.again(lambda: attack.poke((far % 2**62,), says * 3, 0.5), 40)


async def silent(attack: Attack) -> None:
    """Sockets that never say hello."""

    async def one() -> str:
        raw = await attack.open()
        try:
            return await raw.fate(attack.left, attack.counts)
        finally:
            raw.drop()

    await attack.again(one, 150, most=150)


async def half_open(attack: Attack) -> None:
    """Connections that say nothing, or a line of a request now and then, or stop in the middle."""

    async def one(kind: int) -> str:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", attack.port, local_addr=(attack.address, 0)
        )
        try:
            if kind:
                writer.write(f"GET {attack.path} HTTP/1.1\r\nHost: x\r\n".encode())
            async with asyncio.timeout(max(0.1, attack.left)):
                while True:
                    try:
                        async with asyncio.timeout(1.0):
                            data = await reader.read(4096)
                            return "status:" + data.split(b" ")[1].decode() if data[:5] == b"HTTP/" else "cut"
                    except TimeoutError:
                        if kind == 1:
                            writer.write(b"X-Slow: 1\r\n")
        except TimeoutError:
            return "open"
        finally:
            writer.transport.abort()

    turn = iter(range(10**9))
    await attack.again(lambda: one(next(turn) % 3), 600, most=600)


async def wrong_origin(attack: Attack) -> None:
    """Another site's page opens sockets with its visitor's cookie."""
    headers = {"Origin": "https://elsewhere.example", "Cookie": "market_session=x"}
    await attack.again(lambda: attack.poke((), text(HELLO), **headers), 8)


async def bad_token(attack: Attack) -> None:
    """Tokens that are guessed."""

    def one() -> Awaitable[str]:
        return attack.poke((), text(HELLO), Authorization=f"Bearer {random.getrandbits(128):032x}")

    await attack.again(one, 8)


async def bad_cookie(attack: Attack) -> None:
    """Sign-ins that ended long ago: such a one may watch, as anybody may."""

    async def one() -> str:
        raw = await attack.open(HELLO, Cookie=f"market_session={random.getrandbits(128):032x}")
        raw.say('{"v":1,"type":"bid","client_bid_id":"abcdefgh","amount_fen":900000000}')
        try:
            return await raw.fate(0.3, attack.counts)
        finally:
            raw.drop()

    await attack.again(one, 16)


async def many(attack: Attack) -> None:
    """Five thousand sockets from one address, those that were let in held open."""
    held: list[Raw] = []

    async def one() -> str:
        raw = await attack.open(HELLO)
        fate = await raw.fate(3.0, attack.counts)
        if fate == "open":
            held.append(raw)
        else:
            raw.drop()
        return fate

    await attack.again(one, 500, most=5_000)
    for raw in held:
        raw.drop()


async def account(attack: Attack) -> None:
    """Many sockets of one account, each let in held open."""

    async def one() -> str:
        raw = await attack.open(HELLO, Authorization=f"Bearer {attack.token}")
        try:
            return await raw.fate(attack.left, attack.counts)
        finally:
            raw.drop()

    await attack.again(one, 60, most=60)


async def churn(attack: Attack) -> None:
    """Come, take a snapshot, go, as often as possible."""

    async def one() -> str:
        raw = await attack.open(HELLO)
        try:
            async with asyncio.timeout(5):
                opcode, data = await raw.read()
        except (asyncio.IncompleteReadError, TimeoutError):
            return "cut"
        finally:
            raw.drop()
        return f"close:{struct.unpack('!H', data[:2])[0]}" if opcode == CLOSE else "served"

    await attack.again(one, 16)


async def stranger(attack: Attack) -> None:
    """Somebody signed in and not admitted bids as fast as a socket may, by ten sockets."""

    async def one() -> str:
        raw = await attack.open(HELLO, Authorization=f"Bearer {attack.token}")
        try:
            for number in range(int(max(1.0, attack.left) * 9)):
                id_ = f"{random.getrandbits(64):016x}"
                raw.say(
                    json.dumps({"v": 1, "type": "bid", "client_bid_id": id_, "amount_fen": 10**9 + number})
                )
                await asyncio.sleep(0.11)
            return await raw.fate(0.5, attack.counts)
        finally:
            raw.drop()

    await attack.again(one, 10, most=10)


async def http_bids(attack: Attack) -> None:
    """The same over HTTP, as fast as possible."""
    import httpx

    transport = httpx.AsyncHTTPTransport(local_address=attack.address)
    headers = {"Authorization": f"Bearer {attack.token}"}
    async with httpx.AsyncClient(
        transport=transport, base_url=f"http://127.0.0.1:{attack.port}", headers=headers
    ) as http:

        async def one() -> str:
            body = {"client_bid_id": f"{random.getrandbits(64):016x}", "amount_fen": 10**9}
            return f"status:{(await http.post(f'/api/v1/lots/{attack.lot}/bids', json=body)).status_code}"

        await attack.again(one, 8)


ATTACKS: dict[str, Callable[[Attack], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        nonsense, nonsense_first, binary, oversized, huge, fragments, broken, flood, ping_flood, pong_flood, hellos,
        silent, half_open, wrong_origin, bad_token, bad_cookie, many, account, churn, stranger, http_bids,
    )
}  # fmt: skip


async def run(name: str, port: int, lot: int, seconds: float, token: str) -> dict[str, int]:
    """Start an attack in a process of its own and wait for its end; what became of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.hostile", name, str(port), str(lot), str(seconds), token,
        cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, _ = await asyncio.wait_for(process.communicate(), seconds + 120)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    counts: dict[str, int] = json.loads(out.splitlines()[-1])
    return counts


@dataclass
class Friends:
    """Well-behaved bidders in one room: they bid in turn, and note how long each answer took.

    `faults` holds whatever was not as promised: a frame out of order, a bid without an answer, a close.
    """

    port: int
    lot: int
    bidders: list[Bidder]
    rate: float = 4.0
    """Bids a second of each."""
    took: list[float] = field(default_factory=list)
    """Seconds from sending to the answer, in order."""
    faults: list[str] = field(default_factory=list)
    bids: int = 0
    accepted: int = 0

    def __post_init__(self) -> None:
        self._amount = 1_000_000
        self._sockets: list[ClientConnection] = []
        self._readers: list[asyncio.Task[None]] = []
        self._sent: list[dict[str, float]] = []

    async def come(self) -> None:
        """Open the sockets."""
        for place, bidder in enumerate(self.bidders):
            socket = await websockets.connect(
                f"ws://127.0.0.1:{self.port}/ws/lots/{self.lot}", compression=None, local_addr=(FRIEND, 0),
                additional_headers={"Authorization": f"Bearer {bidder.token}"}, max_queue=None,
            )  # fmt: skip
            await socket.send(HELLO)
            self._sockets.append(socket)
            self._sent.append({})
            self._readers.append(asyncio.create_task(self._listen(place, socket)))

    async def _listen(self, place: int, socket: ClientConnection) -> None:
        seq: int | None = None
        try:
            async for data in socket:
                now = time.monotonic()
                message: dict[str, Any] = json.loads(data)
                kind = message["type"]
                if kind == "snapshot":
                    seq = message["seq"]
                for event in {"event": [message], "events": message.get("events", [])}.get(kind, []):
                    if seq is None or event["seq"] != seq + 1:
                        self.faults.append(f"{place}: event {event['seq']} after {seq}")
                    seq = event["seq"]
                    if event["kind"] == "bid_accepted":
                        self._amount = max(self._amount, event["data"]["amount_fen"])
                if kind in ("receipt", "refused"):
                    sent = self._sent[place].pop(message["client_bid_id"], None)
                    if sent is None:
                        self.faults.append(f"{place}: answered what was not asked: {data!r}")
                        continue
                    self.took.append(now - sent)
                    self.accepted += kind == "receipt"
                    if message.get("retry"):
                        self.faults.append(f"{place}: {message['code']}")
        except websockets.ConnectionClosed as closed:
            self.faults.append(f"{place}: closed {closed}")

    async def bid(self, seconds: float) -> list[float]:
        """Bid for a while; how long the answers took, in seconds."""
        first = len(self.took)
        until = time.monotonic() + seconds

        async def one(place: int) -> None:
            await asyncio.sleep(place / len(self.bidders) / self.rate)
            while time.monotonic() < until:
                self._amount += 10_000
                self.bids += 1
                id_ = f"friend-{place}-{self.bids:08d}"
                begun = time.monotonic()
                self._sent[place][id_] = begun
                body = {"v": 1, "type": "bid", "client_bid_id": id_, "amount_fen": self._amount}
                await self._sockets[place].send(json.dumps(body))
                await asyncio.sleep(max(0.0, begun + 1 / self.rate - time.monotonic()))

        await asyncio.gather(*(one(place) for place in range(len(self.bidders))))
        for _ in range(600):
            if not any(self._sent):
                break
            await asyncio.sleep(0.05)
        for place, waiting in enumerate(self._sent):
            self.faults += [f"{place}: never answered {id_}" for id_ in waiting]
            waiting.clear()
        return self.took[first:]

    async def leave(self) -> None:
        """Close the sockets."""
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        for socket in self._sockets:
            await socket.close()


def percentile(values: list[float], part: float) -> float:
    """The value that so large a part of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def main() -> None:
    """Run one attack."""
    name, port, lot, seconds, *token = sys.argv[1:]
    os.nice(19)
    address = f"127.0.1.{list(ATTACKS).index(name) + 1}"
    attack = Attack(int(port), int(lot), float(seconds), "".join(token), address)

    async def all_of_it() -> None:
        await ATTACKS[name](attack)

    asyncio.run(all_of_it())
    print(json.dumps(attack.counts))


if __name__ == "__main__":
    main()
