"""Events a second delivered to many watchers, beside `websockets.broadcast()` on a bare server.

    python -m tests.bench.bench_fanout [--viewers 100,1000,5000] [--runs 3] [--seconds 2] [--rate 500]

The market runs in a process of its own, served as `market serve` serves it; events enter through its bus and
leave through hub, application and uvicorn. The floor is a bare `websockets` server that broadcasts the same
texts. Both are watched by the same program (`tests/bench/watchers.py`), another process over raw sockets,
which reports when the last watcher has each event.

- `frames_per_s`: one frame an event, as fast as they are taken, at most 32 events under way; the room's
  pauses are off. `ratio` is to the floor.
- `cpu_ratio`: the same for a second of the server's processor time: what a shared machine disturbs least.
- `bundled_events_per_s`: the same, with the room bundling and pausing as it is set.
- `p99_ms`: from publishing to the last watcher, ten events a second.
- `kib_per_viewer`: what the server's resident memory grew by, divided; after the runs, garbage collected.
- `bids`: real bids at `--rate` from sixty bidders, through the writer (SQLite, durable): from a bid's
  sending to its receipt, and to the last of 1,000 watchers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import gc
import json
import os
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import uvicorn

import migrations
from auctions import protocol
from auctions.bus import LotNews
from auctions.hub import Room
from auctions.rules.canonical import canonical, iso
from market.clock import SystemClock
from market.db import Session
from market.permissions import Role
from tests import factories
from tests.bench.floor import emit, load_average, median, say, spread
from web import wiring
from web.seed import seed
from web.serve import DrainingServer, server_config
from web.settings import Environment, Settings, WorkerMode

SIZE = 512
"""Bytes of an event frame; a real bid's is about as long."""
WINDOW = 32
BIDDERS = 60
FIRST_FEN, STEP_FEN = 1_000_000, 10_000
ACK = struct.Struct("!QQQ")
ROOT = Path(__file__).parents[2]


def event_text(lot_id: int, seq: int) -> str:
    """A bid's event frame, padded to its size."""
    now = iso(SystemClock().now())
    text = canonical(
        {
            "v": 1, "type": "event", "lot_id": lot_id, "seq": seq, "kind": "bid_accepted", "at": now,
            "state": "live", "ends_at": now, "server_time": now, "hash": "0" * 64,
            "data": {"alias": 1, "amount_fen": seq * STEP_FEN, "matched": False, "received_at": now},
            "next_fen": seq * STEP_FEN, "step_fen": STEP_FEN,
        }
    )  # fmt: skip
    return text[:-1].ljust(SIZE - 1) + "}"


class Side(Protocol):
    """A server under measurement."""

    def publish(self, number: int) -> None:
        """Send the next event to every watcher."""
        ...

    def pauses(self, on: bool) -> None:
        """Whether events may be bundled."""
        ...

    def describe(self) -> dict[str, Any]:
        """What clients need to know."""
        ...

    def holds(self, watchers: int) -> bool:
        """Whether so many are told of the next event."""
        ...


class Market:
    """The market, with one live lot and sixty bidders."""

    def __init__(self, folder: Path) -> None:
        settings = Settings(
            environment=Environment.TEST, data_dir=folder, worker=WorkerMode.SEPARATE, log_json=False
        )
        self.parts = wiring.build(settings)
        migrations.upgrade(self.parts.db)
        seed(self.parts.db, SystemClock().now())
        with self.parts.db.write() as session:
            self.lot_id, self.tokens = stage(session)
        limits = self.parts.hub.limits
        # All watchers come from one address here.
        self.parts.hub.limits = dataclasses.replace(limits, sockets_per_address=1_000_000)
        self._room: Room | None = None
        self._seq = 0

    async def serve(self, listener: socket.socket) -> None:
        """Serve until cancelled."""
        await DrainingServer(server_config(self.parts, port=0), self.parts).serve(sockets=[listener])

    def pauses(self, on: bool) -> None:
        hub = self.parts.hub
        if hasattr(hub.limits, "rest_factor"):
            default = type(hub.limits)().rest_factor
            hub.limits = dataclasses.replace(hub.limits, rest_factor=default if on else 0.0)

    def publish(self, number: int) -> None:
        room = self.parts.hub._rooms[self.lot_id]
        if room is not self._room:  # the first time, and after a while without watchers
            self._room, self._seq = room, room.heard
        self._seq = seq = max(self._seq, room.heard) + 1
        frame = event_text(self.lot_id, seq)
        self.parts.bus.publish([LotNews(self.lot_id, ((seq, "0" * 64, frame),))])

    def describe(self) -> dict[str, Any]:
        hello = protocol.encode(protocol.Hello())
        return {"path": f"/ws/lots/{self.lot_id}", "hello": hello, "lot": self.lot_id, "tokens": self.tokens}

    def holds(self, watchers: int) -> bool:
        return True  # each was greeted by its room


def stage(session: Session) -> tuple[int, list[str]]:
    """A live lot; its id and the bidders' tokens."""
    now = SystemClock().now()

    (university,) = factories.organisations(session, now, "university", 1, 1)
    (agency,) = factories.organisations(session, now, "service_agency", 1, 2)
    firms = factories.organisations(session, now, "firm", BIDDERS, 10)
    staff = factories.account(session, now, agency, Role.STAFF, 0)
    bidders = [
        factories.account(session, now, firm, Role.BIDDER, number) for number, firm in enumerate(firms)
    ]
    (result,) = factories.results(session, now, [university], 1)
    lot_id = factories.live_lot(
        session,
        now,
        staff.actor,
        result,
        bidders,
        bids=1,
        start_fen=FIRST_FEN,
        step_fen=STEP_FEN,
        max_steps=None,
    )
    return lot_id, [bidder.token for bidder in bidders]


class Floor:
    """A bare `websockets` server."""

    def __init__(self) -> None:
        self.connections: set[Any] = set()

    async def serve(self, listener: socket.socket) -> None:
        """Serve until cancelled."""
        from websockets.asyncio.server import serve

        async def handler(connection: Any) -> None:
            self.connections.add(connection)
            try:
                await connection.wait_closed()
            finally:
                self.connections.discard(connection)

        async with serve(handler, sock=listener, compression=None):
            await asyncio.Future()

    def pauses(self, on: bool) -> None:
        pass

    def publish(self, number: int) -> None:
        from websockets.asyncio.server import broadcast

        broadcast(self.connections, event_text(1, number))

    def describe(self) -> dict[str, Any]:
        return {"path": "/", "hello": ""}

    def holds(self, watchers: int) -> bool:
        return len(self.connections) >= watchers


class Driver:
    """Answers the bench's commands in the server's process; hears the watchers' reports."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.sent: list[int] = []
        self.seen: list[int] = []
        self.spared = 0
        self.news = asyncio.Event()
        self.ready = asyncio.Event()
        self.base = 0

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A control connection: of watchers, or of the bench."""
        try:
            first = await reader.readline()
            if first == b"watchers\n":
                await self.watch(reader)
            else:
                while first:
                    answer = await self.do(**json.loads(first))
                    writer.write(json.dumps(answer).encode() + b"\n")
                    await writer.drain()
                    first = await reader.readline()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def watch(self, reader: asyncio.StreamReader) -> None:
        self.seen, self.spared = [], 0
        await reader.readline()
        self.ready.set()
        while True:
            number, at, self.spared = ACK.unpack(await reader.readexactly(ACK.size))
            assert number == len(self.seen) + 1
            self.seen.append(at)
            self.news.set()

    async def do(self, what: str, **options: Any) -> Any:
        action: Callable[..., Awaitable[Any]] = getattr(self, f"do_{what}")
        return await action(**options)

    async def do_describe(self) -> Any:
        return self.side.describe()

    async def do_ready(self, watchers: int) -> None:
        await self.ready.wait()
        self.ready.clear()
        # A handshake is answered before its handler runs.
        while not self.side.holds(watchers):
            await asyncio.sleep(0.01)

    async def do_memory(self) -> int:
        """Resident bytes."""
        await asyncio.sleep(0.5)
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()

    async def do_seen(self) -> Any:
        return {"seen": self.seen, "spared": self.spared}

    async def _until(self, number: int) -> None:
        async with asyncio.timeout(60):
            while len(self.seen) < number:
                self.news.clear()
                await self.news.wait()

    async def do_flood(self, seconds: float, pauses: bool) -> dict[str, float]:
        """As many as are taken, for a while."""
        self.side.pauses(pauses)
        start, first, spared = time.perf_counter(), len(self.seen), self.spared
        number = first
        cpu = time.process_time()
        while time.perf_counter() - start < seconds:
            number += 1
            self._publish(number)
            await asyncio.sleep(0)
            await self._until(number - WINDOW)
        await self._until(number)
        took = time.perf_counter() - start
        if self.spared > spared:
            raise RuntimeError("watchers were given snapshots in place of events")
        return {"events": number - first, "seconds": took, "cpu": (time.process_time() - cpu) / took}

    async def do_pace(self, count: int, interval: float) -> list[float]:
        """One after the other, with pauses: milliseconds from publishing to the last watcher."""
        self.side.pauses(True)
        sent = []
        for number in range(len(self.seen) + 1, len(self.seen) + 1 + count):
            sent.append(time.monotonic_ns())
            self._publish(number)
            await asyncio.sleep(interval)
            await self._until(number)
        return [(at - since) / 1e6 for since, at in zip(sent, self.seen[-count:], strict=True)]

    def _publish(self, number: int) -> None:
        # Watchers count from their own beginning; the lot's numbers go on.
        self.base = max(self.base, 0)
        self.side.publish(self.base + number)

    async def do_forget(self) -> None:
        """New watchers count anew."""
        self.base += len(self.seen)
        self.seen = []

    async def do_cpu(self) -> float:
        return time.process_time()


async def serve(kind: str, folder: Path) -> None:
    """Be one of the two servers until told to end."""
    side: Any = Market(folder) if kind == "market" else Floor()
    driver = Driver(side)
    control = await asyncio.start_server(driver.hear, "127.0.0.1", 0)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    ports = {"port": listener.getsockname()[1], "control": control.sockets[0].getsockname()[1]}
    print(json.dumps(ports), flush=True)
    await side.serve(listener)


class Server:
    """A server's process, commanded from here."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder
        self.log = (folder / "log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bench_fanout", "--serve", kind, "--folder", str(folder)],
            stdout=subprocess.PIPE, stderr=self.log, cwd=ROOT,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError((folder / "log").read_text(errors="replace")[-3000:])
        ports = json.loads(line)
        self.port, self.control = int(ports["port"]), int(ports["control"])
        self._wire = socket.create_connection(("127.0.0.1", self.control), timeout=300).makefile("rwb")
        self.described = self.ask("describe")

    def ask(self, what: str, **options: Any) -> Any:
        """Command, and wait for the answer."""
        self._wire.write(json.dumps({"what": what, **options}).encode() + b"\n")
        self._wire.flush()
        line = self._wire.readline()
        if not line:
            raise RuntimeError((self.folder / "log").read_text(errors="replace")[-3000:])
        return json.loads(line)

    @contextlib.contextmanager
    def watched(self, count: int) -> Iterator[None]:
        """With so many watchers, all of them in the room."""
        command = [sys.executable, "-m", "tests.bench.watchers", str(self.control), str(self.port)]
        crowd = subprocess.Popen(
            [*command, self.described["path"], str(count), self.described["hello"]], cwd=ROOT
        )
        try:
            self.ask("ready", watchers=count)
            yield
        finally:
            crowd.terminate()
            crowd.wait(30)
            self.ask("forget")
            time.sleep(1.0)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


@contextlib.contextmanager
def server(kind: str) -> Iterator[Server]:
    """A server in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="bench", ignore_cleanup_errors=True) as name:
        made = Server(kind, Path(name))
        try:
            yield made
        finally:
            made.stop()


def p99(values: list[float]) -> float:
    """The 99th of a hundred."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def measure(kind: str, viewers: int, seconds: float) -> dict[str, float]:
    """Everything about one server with so many watchers, in a fresh process."""
    with server(kind) as one:
        with one.watched(50):
            one.ask("flood", seconds=0.3, pauses=False)
        before = one.ask("memory")
        with one.watched(viewers):
            one.ask("flood", seconds=0.5, pauses=False)
            flood = one.ask("flood", seconds=seconds, pauses=False)
            frames = flood["events"] * viewers / flood["seconds"]
            figures = {"frames": frames, "per_cpu": frames / flood["cpu"]}
            if kind == "market":
                bundled = one.ask("flood", seconds=seconds, pauses=True)
                figures["bundled"] = bundled["events"] * viewers / bundled["seconds"]
                figures["bundled_cpu"] = bundled["cpu"]
            paced = one.ask("pace", count=100, interval=0.1)
            figures["p50"], figures["p99"] = median(paced), p99(paced)
            figures["kib"] = (one.ask("memory") - before) / viewers / 1024
        return figures


def bids_to_the_last(viewers: int = 1000, rate: float = 500.0, seconds: float = 10.0) -> dict[str, Any]:
    """Milliseconds from a bid's sending to its receipt and to the last of the watchers, at a steady rate."""
    with server("market") as one, one.watched(viewers):
        cpu, start = one.ask("cpu"), time.perf_counter()
        done = subprocess.run(
            [
                sys.executable, "-m", "tests.bench.bidders", str(one.port), str(one.described["lot"]), str(rate),
                str(seconds), str(FIRST_FEN + STEP_FEN), str(STEP_FEN), *one.described["tokens"][1:],
            ],
            stdout=subprocess.PIPE, check=True, cwd=ROOT,
        )  # fmt: skip
        cpu = (one.ask("cpu") - cpu) / (time.perf_counter() - start)
        time.sleep(1.0)
        watched = one.ask("seen")
        seen: list[int] = watched["seen"]
    lines = json.loads(done.stdout)
    accepted = sorted((seq, sent, got) for sent, got, seq in lines if seq is not None)
    if len(seen) != len(accepted):
        raise RuntimeError(f"{len(accepted)} bids accepted, {len(seen)} events seen by all")
    first = accepted[0][0]
    last = [(seen[seq - first] - sent) / 1e6 for seq, sent, _ in accepted]
    receipts = [(got - sent) / 1e6 for _, sent, got in accepted]
    span = (max(sent for sent, _, _ in lines) - min(sent for sent, _, _ in lines)) / 1e9
    return {
        "bench": "bids-to-the-last",
        "viewers": viewers,
        "offered_per_s": round(len(lines) / span, 1),
        "accepted": len(accepted),
        "refused": sum(1 for _, got, seq in lines if got is not None and seq is None),
        "unanswered": sum(1 for _, got, _ in lines if got is None),
        "receipt_p50_ms": round(median(receipts), 1),
        "receipt_p99_ms": round(p99(receipts), 1),
        "last_p50_ms": round(median(last), 1),
        "last_p99_ms": round(p99(last), 1),
        "spared_by_snapshots": round(watched["spared"] / viewers / len(seen), 4),
        "cpu": round(cpu, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--viewers", default="100,1000,5000", help="how many watch")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a run at full speed")
    parser.add_argument("--rate", type=float, default=500.0, help="bids a second; 0 leaves them out")
    parser.add_argument("--serve", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
            runner.run(serve(options.serve, Path(options.folder)))
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, hard), hard))
    say(load_average())
    rows: list[dict[str, Any]] = []
    for viewers in [int(part) for part in options.viewers.split(",") if part]:
        runs: dict[str, list[dict[str, float]]] = {"market": [], "floor": []}
        for _ in range(options.runs):
            for kind, figures in runs.items():
                figures.append(measure(kind, viewers, options.seconds))
        pick = {kind: {key: [run[key] for run in done] for key in done[0]} for kind, done in runs.items()}
        market, floor = ({key: median(values) for key, values in pick[kind].items()} for kind in runs)
        say(
            f"{viewers:>5} viewers: {spread(pick['market']['frames'])} frames/s, floor "
            f"{spread(pick['floor']['frames'])}, ratio {market['frames'] / floor['frames']:.2f}; "
            f"a second of the server's processor {market['per_cpu']:,.0f}, floor {floor['per_cpu']:,.0f}, "
            f"ratio {market['per_cpu'] / floor['per_cpu']:.2f}; bundled {market['bundled']:,.0f} events/s at "
            f"{market['bundled_cpu']:.2f} of a core; p99 {market['p99']:.1f} ms, floor {floor['p99']:.1f}; "
            f"{market['kib']:.1f} KiB a viewer, floor {floor['kib']:.1f}; {load_average()}"
        )
        rows.append(
            {
                "bench": "fanout",
                "viewers": viewers,
                "bytes": SIZE,
                "frames_per_s": round(market["frames"]),
                "floor_per_s": round(floor["frames"]),
                "ratio": round(market["frames"] / floor["frames"], 3),
                "per_cpu_s": round(market["per_cpu"]),
                "floor_per_cpu_s": round(floor["per_cpu"]),
                "cpu_ratio": round(market["per_cpu"] / floor["per_cpu"], 3),
                "bundled_events_per_s": round(market["bundled"]),
                "p50_ms": round(market["p50"], 1),
                "p99_ms": round(market["p99"], 1),
                "floor_p99_ms": round(floor["p99"], 1),
                "kib_per_viewer": round(market["kib"], 1),
                "floor_kib": round(floor["kib"], 1),
                "load": round(os.getloadavg()[0], 2),
            }
        )
    if options.rate:
        done = [bids_to_the_last(rate=options.rate) for _ in range(options.runs)]
        row = sorted(done, key=lambda one: one["last_p99_ms"])[len(done) // 2]
        say(
            f"{row['offered_per_s']:.0f} bids/s, 1,000 viewers: p99 {row['receipt_p99_ms']} ms to the receipt, "
            f"{row['last_p99_ms']} ms to the last viewer "
            f"(all runs {', '.join(str(one['last_p99_ms']) for one in done)}); {load_average()}"
        )
        rows.append({**row, "load": round(os.getloadavg()[0], 2)})
    emit(rows)


if __name__ == "__main__":
    main()
