"""Clients of the live room for the fault tests: they watch, bid, lose their connections and come back.

What a client may rely on is `docs/live-room.md` and nothing else. A bidder writes the id of a bid into
its notebook before sending it, sends the same id again until it is answered, now by socket, now by HTTP,
and takes over its notebook after a restart of its own. Everything that a client was told is judged at once
(`Record.faults`) or kept for the judgement at the end (`tests.faults.checks`).

Instants are seconds of this machine's monotonic clock; all clients of a test live in one process, so they
are comparable. Amounts are fen.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidHandshake, InvalidMessage, WebSocketException

from auctions.protocol import SERVER, project

AGAIN = frozenset({"unknown", "busy", "draining", "command_failed"})
LOST = (OSError, EOFError, TimeoutError, WebSocketException, InvalidHandshake, InvalidMessage)
FINAL = frozenset({"sold", "passed_in", "withdrawn", "cancelled"})


@dataclass
class Told:
    """An answer by the rules as it came: `text` without what may differ between two tellings."""

    at: float
    by: str
    message: dict[str, Any]

    @property
    def text(self) -> str:
        """The answer, word for word, but for the server's time at the telling."""
        return json.dumps({k: v for k, v in self.message.items() if k != "server_time"}, sort_keys=True)


@dataclass
class Bid:
    """One bid with its life: first sent at `invoked`; `told` holds every answer by the rules."""

    client: str
    person_id: int
    alias: int
    id: str
    amount_fen: int
    invoked: float
    sent: Counter[str] = field(default_factory=Counter)
    told: list[Told] = field(default_factory=list)
    asked_again: Counter[str] = field(default_factory=Counter)
    """Answers that ask for the same id again, by code."""

    @property
    def returned(self) -> float | None:
        """When it was first answered; None while its outcome is not known."""
        return self.told[0].at if self.told else None


@dataclass
class Read:
    """A reading of the lot over HTTP: the head, and the digest of the view there."""

    client: str
    invoked: float
    returned: float
    seq: int
    hash: str
    digest: str


@dataclass
class Record:
    """What all clients of a test were told together."""

    bids: dict[tuple[int, str], Bid] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    seen: dict[tuple[int, str], str] = field(default_factory=dict)
    """(seq, digest of a snapshot) → the first client that was shown it."""
    arrivals: list[tuple[int, float, float]] = field(default_factory=list)
    """(seq, when a client was shown it, since when that client's connection stood)."""
    watchers: int = 0
    """How many sockets a server last said that it has."""
    faults: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def fault(self, client: str, what: str) -> None:
        """Something was told that may not be told."""
        self.faults.append(f"{client}: {what}")

    def lags(self, start: float, end: float) -> list[float]:
        """Seconds from an acceptance told to its bidder between two instants until each connected client
        was shown it, ascending. Only for reports: nothing is asserted of it."""
        told = {
            bid.told[0].message["seq"]: bid.told[0].at
            for bid in self.bids.values()
            if bid.told and bid.told[0].message["type"] == "receipt" and start <= bid.told[0].at < end
        }
        return sorted(
            max(0.0, at - told[seq]) for seq, at, since in self.arrivals if since < told.get(seq, 0.0)
        )

    def first_answers(self) -> list[dict[str, Any]]:
        """Every answered bid's first answer."""
        return [bid.told[0].message for bid in self.bids.values() if bid.told]


class Notebook:
    """Where a bidder keeps the ids of its bids: a file, written before anything is sent."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def plan(self, id_: str, amount_fen: int) -> None:
        """Note a bid that is about to be sent."""
        self._write({"id": id_, "amount_fen": amount_fen})

    def done(self, id_: str) -> None:
        """Note that a bid was answered, or given up."""
        self._write({"id": id_, "done": True})

    def _write(self, line: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def open_bids(self) -> list[tuple[str, int]]:
        """The bids that were planned and not answered."""
        if not self._path.exists():
            return []
        waiting: dict[str, int] = {}
        for text in self._path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            if line.get("done"):
                waiting.pop(line["id"], None)
            else:
                waiting[line["id"]] = line["amount_fen"]
        return list(waiting.items())


class Projector:
    """Reads frames and projects views, each but once however many clients were told the same."""

    def __init__(self) -> None:
        self._messages: dict[str, dict[str, Any]] = {}
        self._views: dict[tuple[int, int, str], tuple[dict[str, Any], dict[str, Any]]] = {}

    def read(self, text: str) -> dict[str, Any]:
        """A message, checked against the published schema."""
        message = self._messages.get(text)
        if message is None:
            if len(self._messages) > 4_000:
                self._messages.clear()
            message = json.loads(text)
            SERVER.validate_python(message)
            self._messages[text] = message
        return message

    def after(self, view: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
        """The view after an event; the same object for the same view and event."""
        key = (id(view), event["seq"], event["hash"])
        known = self._views.get(key)
        if known is None:
            if len(self._views) > 4_000:
                self._views.clear()
            known = self._views[key] = (view, project(view, event))
        return known[1]


def digest(view: dict[str, Any]) -> str:
    """A short name of a view: equal views have equal digests."""
    text = json.dumps(view, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass
class World:
    """What the clients of one test share. `address` names a server for the n-th try: host:port."""

    lot: int
    address: Callable[[str, int], str]
    record: Record
    seed: int
    projector: Projector = field(default_factory=Projector)
    ping_s: float = 2.0
    deaf_s: float = 10.0
    """A socket that is silent for so long, although pinged, is given up."""
    wait_s: float = 5.0
    """How long a bid waits for its answer before it is sent again."""
    longest_pause_s: float = 0.4
    """The longest mean pause between two tries to connect."""
    forwarded: bool = True
    """Whether clients come from addresses of their own, as through a proxy."""
    http: httpx.AsyncClient | None = None

    def headers(self, name: str, token: str | None) -> dict[str, str]:
        """What a client says of itself."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if self.forwarded:
            number = int(hashlib.sha256(name.encode()).hexdigest()[:4], 16)
            headers["X-Forwarded-For"] = f"10.{number % 7}.{number >> 8}.{number & 255}"
        return headers


class Watcher:
    """Watches the lot: keeps a view by snapshots and events, and comes back whenever it is cut off."""

    def __init__(self, name: str, world: World, token: str | None = None) -> None:
        self.name, self.world, self.token = name, world, token
        self.random = random.Random(f"{world.seed}/{name}")
        self.epoch: str | None = None
        self.seq = 0
        self.hash = ""
        self.view: dict[str, Any] | None = None
        self.known = 0
        """The latest seq that this client was told of, by whatever way."""
        self.socket: ClientConnection | None = None
        self.greeted = asyncio.Event()
        self.tries = 0
        self.stopping = False
        self._fresh = False
        self._asked = 0
        self._pause = 0.05
        self._heard = self._since = 0.0

    @property
    def digest(self) -> str:
        """The name of what this client shows now."""
        return digest(self.view or {})

    def fault(self, what: str) -> None:
        """Note that something was told that may not be told."""
        self.world.record.fault(self.name, what)

    async def watch(self) -> None:
        """Watch until told to stop."""
        while not self.stopping:
            address = self.world.address(self.name, self.tries)
            self.tries += 1
            wait: float | None = None
            try:
                async with asyncio.timeout(20):
                    socket = await websockets.connect(
                        f"ws://{address}/ws/lots/{self.world.lot}",
                        additional_headers=self.world.headers(self.name, self.token),
                        compression=None, ping_interval=None, close_timeout=1, max_queue=256,
                        open_timeout=None, proxy=None,
                    )  # fmt: skip
            except LOST:
                self.world.record.counts["refused connections"] += 1
            else:
                try:
                    wait = await self._converse(socket)
                finally:
                    self.socket = None
                    self.greeted.clear()
                    socket.transport.abort()
                    self.world.record.counts["connections lost"] += not self.stopping
            if self.stopping:
                return
            await asyncio.sleep(wait if wait is not None else self._pause * self.random.uniform(0.5, 1.5))
            self._pause = min(self.world.longest_pause_s, self._pause * 1.5)

    async def _converse(self, socket: ClientConnection) -> float | None:
        """Until the socket ends; the pause that the server asked for, if it did."""
        self.world.record.counts["connections"] += 1
        hello: dict[str, Any] = {"v": 1, "type": "hello"}
        self._fresh = True
        self._asked = self.known
        if self.view is not None and self.seq == self.known:
            hello |= {"epoch": self.epoch, "resume_after_seq": self.seq}
        elif self.known:
            # No epoch: nothing to resume from, and a snapshot that is no older than what is known.
            hello |= {"resume_after_seq": self.known}
        pause: float | None = None
        self._heard = self._since = time.monotonic()
        pinger = asyncio.create_task(self._ping(socket))
        try:
            await socket.send(json.dumps(hello))
            while True:
                text = await socket.recv()
                self._heard = time.monotonic()
                message = self.world.projector.read(text if isinstance(text, str) else text.decode())
                if message["type"] == "draining":
                    pause = message["reconnect_after_ms"] / 1000
                    self.world.record.counts["told to come back"] += 1
                elif not self._take(message, socket):
                    return None
        except LOST:
            return pause
        finally:
            pinger.cancel()
            await asyncio.gather(pinger, return_exceptions=True)

    async def _ping(self, socket: ClientConnection) -> None:
        with contextlib.suppress(*LOST):
            while True:
                await asyncio.sleep(self.world.ping_s * self.random.uniform(0.7, 1.3))
                if time.monotonic() - self._heard > self.world.deaf_s:
                    self.world.record.counts["deaf connections"] += 1
                    socket.transport.abort()
                    return
                await socket.send(json.dumps({"v": 1, "type": "ping", "sent": 0}))

    def _take(self, message: dict[str, Any], socket: ClientConnection) -> bool:
        kind = message["type"]
        if kind == "snapshot":
            self._snapshot(message)
        elif kind == "event":
            self._event(message)
        elif kind == "events":
            for event in message["events"]:
                self._event(event)
        elif kind == "heartbeat":
            self.known = max(self.known, message["seq"])
            if message["seq"] != self.seq or message["hash"] != self.hash:
                # Frames and heartbeats come in one order: a head that is not ours is a silent gap.
                self.fault(f"a heartbeat at {message['seq']} while shown {self.seq}")
                return False
        elif kind == "watchers":
            self.world.record.watchers = message["n"]
        elif kind == "you":
            self.socket = socket
            self.greeted.set()
            self._pause = 0.05
        elif kind in ("receipt", "refused"):
            self.answered(message, "socket")
        elif kind == "error":
            self.fault(f"not understood: {message['code']}")
        return True

    def _snapshot(self, message: dict[str, Any]) -> None:
        record, seq = self.world.record, message["seq"]
        record.counts["snapshots"] += 1
        if self._fresh and seq < self._asked:
            self.fault(f"a snapshot at {seq} after {self._asked} was known (R2)")
        if seq < self.seq:
            self.fault(f"a snapshot at {seq} after {self.seq} was shown")
        if self.epoch not in (None, message["epoch"]):
            self.fault("another epoch")
        self._fresh = False
        self.epoch, self.seq, self.hash = message["epoch"], seq, message["hash"]
        self.view = message["state"]
        self.known = max(self.known, seq)
        record.seen.setdefault((seq, self.digest), self.name)

    def _event(self, event: dict[str, Any]) -> None:
        if self.view is None or event["seq"] != self.seq + 1:
            self.fault(f"event {event['seq']} after {self.seq} (R1)")
            return
        if self._fresh:
            self.world.record.counts["resumed"] += 1
        self._fresh = False
        self.world.record.counts["events"] += 1
        self.world.record.arrivals.append((event["seq"], time.monotonic(), self._since))
        self.view = self.world.projector.after(self.view, event)
        self.seq, self.hash = event["seq"], event["hash"]
        self.known = max(self.known, self.seq)

    def answered(self, message: dict[str, Any], by: str) -> None:
        """An answer to a bid came; watchers have none."""
        self.fault(f"an answer to a bid that was never made: {message}")

    def drop(self) -> None:
        """Lose the connection without a word, as a phone does."""
        if self.socket is not None:
            self.socket.transport.abort()

    async def stop(self) -> None:
        """Watch no more."""
        self.stopping = True
        if self.socket is not None:
            self.socket.transport.abort()


class Bidder(Watcher):
    """Bids relative to the price it sees, and sends each bid again until it is answered."""

    def __init__(
        self, name: str, world: World, person_id: int, alias: int, token: str, notebook: Path,
        *, pace_s: float = 0.3, by_http: float = 0.3, gives_up: float = 0.02,
    ) -> None:  # fmt: skip
        super().__init__(name, world, token)
        self.person_id, self.alias = person_id, alias
        self.notebook = Notebook(notebook)
        self.pace_s, self.by_http, self.gives_up = pace_s, by_http, gives_up
        self.quiet = False
        """Set to bid no more, but to see to the end of what is open."""
        self._news = asyncio.Event()
        self._life = self.random.getrandbits(32)
        self._made = 0

    def answered(self, message: dict[str, Any], by: str) -> None:
        """See `Watcher`: note an answer, and whether it is one by the rules."""
        bid = self.world.record.bids.get((self.person_id, message["client_bid_id"]))
        if bid is None:
            super().answered(message, by)
            return
        if message["type"] == "refused" and message["receipt"] is None:
            bid.asked_again[message["code"]] += 1
            if message["code"] not in AGAIN or not message["retry"]:
                self.fault(f"refused without a receipt: {message['code']}")
        else:
            bid.told.append(Told(time.monotonic(), by, message))
            self.world.record.counts["answers"] += 1
            if message["type"] == "receipt":
                self.world.record.counts["receipts"] += 1
                self.known = max(self.known, message["seq"])
        self._news.set()

    async def bid(self) -> None:
        """Bid until quiet, then until everything open is answered. Begins with what the notebook holds."""
        for id_, amount in self.notebook.open_bids():
            await self._see_through(id_, amount)
        while not self.quiet and not self.stopping:
            await asyncio.sleep(self.pace_s * self.random.uniform(0.3, 1.7))
            view = self.view
            if self.quiet or view is None or view["next_fen"] is None or view["state"] in FINAL:
                continue
            if view["leader"] == self.alias and self.random.random() < 0.95:
                continue
            if self.random.random() < 0.05:
                await self.look()
            self._made += 1
            id_ = f"{self.name}-{self._life:08x}-{self._made:05d}"
            amount = self._amount(view)
            self.notebook.plan(id_, amount)
            await self._see_through(id_, amount, give_up=self.random.random() < self.gives_up)

    def _amount(self, view: dict[str, Any]) -> int:
        """Relative to the price shown: most often the least that is allowed, now and then something odd."""
        least, step = view["next_fen"], view["step_fen"]
        kind = self.random.random()
        if kind < 0.50:
            return int(least)
        if kind < 0.93:
            return int(least + step * self.random.randint(1, 6))
        return max(1, int(self.random.choice((least - step, least + step // 3))))

    async def _see_through(self, id_: str, amount: int, *, give_up: bool = False) -> None:
        """Send a bid until it is answered; one that is given up is sent once and its answer not awaited."""
        key = (self.person_id, id_)
        bid = self.world.record.bids.get(key)
        if bid is None:
            bid = Bid(self.name, self.person_id, self.alias, id_, amount, time.monotonic())
            self.world.record.bids[key] = bid
        while not self.stopping:
            self._news.clear()
            if self.socket is not None and self.random.random() >= self.by_http:
                await self._by_socket(bid)
            else:
                await self._by_http(bid)
            if bid.told or give_up:
                self.notebook.done(id_)
                if self.random.random() < 0.05 and bid.told:
                    await self._by_http(bid)  # asking again changes nothing
                return
            await asyncio.sleep(0.1 * self.random.uniform(0.5, 1.5))

    async def _by_socket(self, bid: Bid) -> None:
        assert self.socket is not None
        bid.sent["socket"] += 1
        message = {"v": 1, "type": "bid", "client_bid_id": bid.id, "amount_fen": bid.amount_fen}
        with contextlib.suppress(*LOST):
            await self.socket.send(json.dumps(message))
            async with asyncio.timeout(self.world.wait_s):
                await self._news.wait()

    async def _by_http(self, bid: Bid) -> None:
        bid.sent["http"] += 1
        answer = await self._ask(
            "POST", "/bids", {"client_bid_id": bid.id, "amount_fen": bid.amount_fen}
        )  # fmt: skip
        if answer is None:
            return
        if answer.status_code in (200, 409, 429, 503) and "client_bid_id" in answer.text:
            self.answered(answer.json(), "http")
        elif answer.status_code < 500:
            self.fault(f"HTTP {answer.status_code}: {answer.text[:200]}")
        else:
            self.world.record.counts[f"HTTP {answer.status_code}"] += 1

    async def look(self) -> None:
        """Read the lot over HTTP."""
        invoked, known = time.monotonic(), self.known
        answer = await self._ask("GET", "")
        if answer is None or answer.status_code != 200:
            return
        value = answer.json()
        if value["seq"] < known:
            self.fault(f"read {value['seq']} after {known} was known (R2)")
        self.known = max(self.known, value["seq"])
        self.world.record.reads.append(
            Read(self.name, invoked, time.monotonic(), value["seq"], value["hash"], digest(value["state"]))
        )

    async def _ask(self, method: str, path: str, body: Any = None) -> httpx.Response | None:
        assert self.world.http is not None
        self.tries += 1
        address = self.world.address(self.name, self.tries)
        try:
            return await self.world.http.request(
                method, f"http://{address}/api/v1/lots/{self.world.lot}{path}", json=body,
                headers=self.world.headers(self.name, self.token), timeout=self.world.wait_s,
            )  # fmt: skip
        except httpx.HTTPError:
            self.world.record.counts["HTTP lost"] += 1
            return None


class Crowd:
    """Clients at work: started together, told to be quiet together, and stopped."""

    def __init__(self, world: World, watchers: Sequence[Watcher], bidders: Sequence[Bidder]) -> None:
        self.world = world
        self.watchers, self.bidders = list(watchers), list(bidders)
        self._watching: dict[str, asyncio.Task[None]] = {}
        self._bidding: dict[str, asyncio.Task[None]] = {}

    @property
    def everybody(self) -> list[Watcher]:
        """Watchers and bidders."""
        return [*self.watchers, *self.bidders]

    async def __aenter__(self) -> Crowd:
        limits = httpx.Limits(max_connections=400, max_keepalive_connections=100)
        self.world.http = httpx.AsyncClient(limits=limits, trust_env=False)
        for watcher in self.everybody:
            self._watching[watcher.name] = asyncio.create_task(watcher.watch())
        for bidder in self.bidders:
            self._bidding[bidder.name] = asyncio.create_task(bidder.bid())
        return self

    async def restart(self, bidder: Bidder) -> Bidder:
        """A bidder's program dies and starts anew with nothing but its notebook; it takes its place."""
        tasks = (self._watching.pop(bidder.name), self._bidding.pop(bidder.name))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await bidder.stop()
        again = Bidder(
            bidder.name, self.world, bidder.person_id, bidder.alias, bidder.token or "",
            bidder.notebook._path, pace_s=bidder.pace_s, by_http=bidder.by_http, gives_up=bidder.gives_up,
        )  # fmt: skip
        again.random.seed(f"{self.world.seed}/{bidder.name}/{bidder.tries}/{bidder._made}")
        again._life = again.random.getrandbits(32)
        again.quiet = bidder.quiet
        self.bidders[self.bidders.index(bidder)] = again
        self._watching[again.name] = asyncio.create_task(again.watch())
        self._bidding[again.name] = asyncio.create_task(again.bid())
        self.world.record.counts["clients restarted"] += 1
        return again

    async def settle(self, seconds: float = 60.0) -> None:
        """Let nobody begin a new bid, and wait until every open one is answered."""
        for bidder in self.bidders:
            bidder.quiet = True
        async with asyncio.timeout(seconds):
            await asyncio.gather(*self._bidding.values())

    async def until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait for something that must come. Raises AssertionError saying what did not."""
        end = time.monotonic() + seconds
        while not condition():
            for task in (*self._watching.values(), *self._bidding.values()):
                if task.done() and not task.cancelled() and task.exception():
                    raise AssertionError("a client broke") from task.exception()
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s in vain: {what}")
            await asyncio.sleep(0.05)

    def closed(self) -> bool:
        """Whether everybody was shown the end of the lot."""
        return all(each.view is not None and each.view["state"] in FINAL for each in self.everybody)

    def level(self) -> bool:
        """Whether everybody shows the same seq, and at least what anybody was told of."""
        return {each.seq for each in self.everybody} == {max(each.known for each in self.everybody)}

    async def ask_again(self, most: int) -> None:
        """Send so many bids of the record once more, by HTTP: each answer must be as it was."""
        every = max(1, len(self.world.record.bids) // most)
        bidders = {bidder.person_id: bidder for bidder in self.bidders}
        gate = asyncio.Semaphore(16)

        async def once(bid: Bid) -> None:
            async with gate:
                for _ in range(20):
                    before = len(bid.told)
                    await bidders[bid.person_id]._by_http(bid)
                    if len(bid.told) > before:
                        self.world.record.counts["asked again at the end"] += 1
                        return
                    await asyncio.sleep(0.3)
                bidders[bid.person_id].fault(f"{bid.id} was not answered again")

        await asyncio.gather(*(once(bid) for bid in list(self.world.record.bids.values())[::every]))

    async def __aexit__(self, *_: object) -> None:
        for watcher in self.everybody:
            await watcher.stop()
        tasks = [*self._watching.values(), *self._bidding.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert self.world.http is not None
        await self.world.http.aclose()
