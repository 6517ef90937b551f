"""Rooms: what a watcher sees, and what befalls one who cannot keep up."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import websockets.frames

from auctions import protocol, queries, reads, service
from auctions.bus import LocalBus, LotNews
from auctions.hub import Hub, Limits
from auctions.protocol import CloseCode
from auctions.receipts import Signer, verify
from auctions.room import Services, place_bid, serve_viewer
from auctions.rules import commands as c
from auctions.viewer import Frame
from auctions.writer import Writer
from market.clock import FixedClock
from market.db import Database
from market.errors import NotAllowed, SignInRequired
from market.permissions import VISITOR, Actor
from tests.auctions.rows import ENDS, OPENS, Rows, stage
from tests.auctions.sockets import FakeSocket

SIGNER = Signer(bytes(32))


class UnrulyBus(LocalBus):
    """Drops and doubles news by a seeded throw."""

    def __init__(self, seed: int, drop: float, double: float) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self._drop, self._double = drop, double

    def publish(self, news: Any) -> None:
        kept: list[LotNews] = []
        for item in news:
            for frame in item.frames:
                if self._random.random() < self._drop:
                    continue
                one = LotNews(item.lot_id, (frame,))
                kept.extend([one] * (2 if self._random.random() < self._double else 1))
        super().publish(kept)


class House:
    def __init__(self, database: Database, clock: FixedClock, bus: LocalBus, limits: Limits | None) -> None:
        self.bus, self.clock, self.db = bus, clock, database
        self.writer = Writer(database, clock, SIGNER, bus)
        self.hub = Hub(database, bus, clock, limits=limits)
        self.services = Services(database, clock, self.writer, self.hub)
        self.tasks: list[asyncio.Task[None]] = []

    def enter(self, lot_id: int, actor: Actor | None = None, **hello: Any) -> FakeSocket:
        socket = FakeSocket()
        socket.say(v=1, type="hello", **hello)
        self.join(socket, lot_id, actor)
        return socket

    def join(
        self, socket: FakeSocket, lot_id: int, actor: Actor | None, **options: Any
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(
            serve_viewer(socket, lot_id, actor, self.services, address="10.0.0.1", **options)
        )
        self.tasks.append(task)
        return task

    async def bid(self, lot_id: int, actor: Actor, amount: int, id_: str) -> Any:
        return await place_bid(self.services, actor, lot_id, id_, amount)


@contextlib.asynccontextmanager
async def house(
    database: Database, clock: FixedClock, *, bus: LocalBus | None = None, limits: Limits | None = None
) -> AsyncIterator[House]:
    made = House(database, clock, bus or LocalBus(), limits)
    await made.bus.start()
    await made.hub.start()
    made.writer.start()
    try:
        yield made
    finally:
        await made.hub.drain(0.0, 5.0)
        await asyncio.gather(*made.tasks)
        await made.hub.stop()
        await asyncio.to_thread(made.writer.stop, 20)
        await made.bus.stop()


def fresh(database: Database, lot_id: int) -> dict[str, Any]:
    with database.read() as session:
        state = reads.room_state(session, lot_id)
    return {"epoch": state.epoch, "seq": state.seq, "hash": state.hash, "state": state.view}


def projected(socket: FakeSocket) -> dict[str, Any]:
    """What a browser would show: the last snapshot and every event since, which must be gapless."""
    view: dict[str, Any] = {}
    for message in socket.sent:
        if message["type"] == "snapshot":
            view = {key: message[key] for key in ("epoch", "seq", "hash", "state")}
        elif message["type"] == "event":
            assert message["seq"] == view["seq"] + 1, "a silent gap"
            view = {
                **view,
                "seq": message["seq"],
                "hash": message["hash"],
                "state": protocol.project(view["state"], message),
            }
    return view


QUICK = Limits(poll_s=0.02, heartbeat_s=0.05)


@pytest.mark.parametrize(("drop", "double"), [(0.0, 0.0), (0.5, 0.3), (1.0, 0.0)])
def test_snapshot_and_what_follows_equal_a_fresh_snapshot(
    database: Database, clock: FixedClock, drop: float, double: float
) -> None:
    (lot,), (people,), rows = stage(database, reserve_fen=1_000_000)

    async def scene() -> None:
        async with house(database, clock, bus=UnrulyBus(7, drop, double), limits=QUICK) as h:
            sockets = [h.enter(lot)]
            await sockets[0].got("snapshot")
            clock.set(OPENS)
            assert (await h.writer.ask(c.Open(lot_id=lot))).accepted
            for n in range(12):
                await h.bid(lot, people[n % 3], 1_000_000 + n * 10_000, f"bid-{n:05d}")
                if n % 4 == 0:
                    sockets.append(h.enter(lot))
            await h.writer.ask(c.Announce(lot_id=lot, text="最后一分钟"))
            await h.writer.ask(c.Pause(lot_id=lot, reason="故障"))
            clock.advance(seconds=30)
            await h.writer.ask(c.Resume(lot_id=lot))
            await asyncio.to_thread(_admit_another, database, rows, lot)
            clock.set(ENDS)
            clock.advance(seconds=29)
            await h.bid(lot, people[0], 1_500_000, "bid-last1")
            clock.advance(seconds=61)
            assert (await h.writer.ask(c.Close(lot_id=lot))).accepted
            expected = fresh(database, lot)
            for socket in sockets:
                await socket.until(lambda s=socket: s.sent and projected(s).get("seq") == expected["seq"])
                assert projected(socket) == expected
            assert expected["state"]["outcome"]["winner"] == 1
            late = h.enter(lot)
            snapshot = (await late.got("snapshot"))[0]
            assert {key: snapshot[key] for key in expected} == expected

    asyncio.run(scene())


def _admit_another(database: Database, rows: Rows, lot_id: int) -> None:
    # Outside the writer: the room hears of it by looking at the heads.
    with database.write() as session:
        rows.session = session
        rows.admitted(lot_id)


def test_answers_are_private_and_the_same_over_http(sqlite_database: Database, clock: FixedClock) -> None:
    (lot,), (people,), _ = stage(sqlite_database)

    async def scene() -> None:
        async with house(sqlite_database, clock) as h:
            clock.set(OPENS)
            await h.writer.ask(c.Open(lot_id=lot))
            mine, theirs, guest = h.enter(lot, people[0]), h.enter(lot, people[1]), h.enter(lot, VISITOR)
            assert (await mine.got("you"))[0]["alias"] == 1
            assert (await guest.got("you"))[0] == {
                "v": 1, "type": "you", "alias": None, "can_bid": False, "reason": "sign_in_required",
            }  # fmt: skip
            await theirs.got("you")
            mine.say(v=1, type="bid", client_bid_id="bid-00001", amount_fen=1_000_000)
            receipt = (await mine.got("receipt"))[0]
            content = verify(receipt["receipt"], SIGNER.public_key)
            assert content is not None
            assert (content["seq"], content["amount_fen"], content["alias"]) == (receipt["seq"], 1_000_000, 1)
            event = (await theirs.got("event"))[0]
            assert (event["seq"], event["hash"]) == (receipt["seq"], receipt["hash"])
            assert (event["next_fen"], event["data"]["alias"]) == (1_010_000, 1)
            over_http = await h.bid(lot, people[0], 1_000_000, "bid-00001")
            assert over_http.receipt == receipt["receipt"]
            theirs.say(v=1, type="bid", client_bid_id="bid-00001", amount_fen=1_000_000)
            refused = (await theirs.got("refused"))[0]
            assert (refused["code"], refused["seq"]) == ("bid_too_low", receipt["seq"])
            guest.say(v=1, type="bid", client_bid_id="bid-00001", amount_fen=1_010_000)
            assert (await guest.got("refused"))[0]["code"] == "sign_in_required"
            assert mine.of("refused") == theirs.of("receipt") == guest.of("receipt") == []

    asyncio.run(scene())


def test_resuming_brings_every_later_event_or_a_new_snapshot(
    sqlite_database: Database, clock: FixedClock
) -> None:
    (lot,), (people,), _ = stage(sqlite_database)

    async def scene() -> None:
        async with house(sqlite_database, clock, limits=Limits(tail=5, poll_s=60)) as h:
            first = h.enter(lot)
            snapshot = (await first.got("snapshot"))[0]
            clock.set(OPENS)
            await h.writer.ask(c.Open(lot_id=lot))
            for n in range(4):
                await h.bid(lot, people[n % 3], 1_000_000 + n * 10_000, f"bid-{n:05d}")
            await first.got("event", 5)
            resumed = h.enter(lot, epoch=snapshot["epoch"], resume_after_seq=snapshot["seq"])
            await resumed.got("event", 5)
            assert resumed.of("snapshot") == []
            assert [m["seq"] for m in resumed.of("event")] == [m["seq"] for m in first.of("event")]
            await h.bid(lot, people[1], 1_100_000, "bid-more1")
            await first.got("event", 6)
            too_old = h.enter(lot, epoch=snapshot["epoch"], resume_after_seq=snapshot["seq"])
            other = h.enter(lot, epoch="0" * 16, resume_after_seq=snapshot["seq"] + 6)
            for socket in (too_old, other):
                assert (await socket.got("snapshot"))[0]["seq"] == snapshot["seq"] + 6

    asyncio.run(scene())


def test_a_client_that_knows_more_than_this_process_is_caught_up_first(
    sqlite_database: Database, clock: FixedClock
) -> None:
    (lot,), (people,), _ = stage(sqlite_database)

    async def scene() -> None:
        deaf = UnrulyBus(1, 1.0, 0.0)
        async with house(sqlite_database, clock, bus=deaf, limits=Limits(poll_s=60)) as h:
            first = h.enter(lot)
            snapshot = (await first.got("snapshot"))[0]
            clock.set(OPENS)
            await h.writer.ask(c.Open(lot_id=lot))
            answer = await h.bid(lot, people[0], 1_000_000, "bid-00001")
            ahead = h.enter(lot, epoch=snapshot["epoch"], resume_after_seq=answer.seq)
            await ahead.got("you")
            assert ahead.of("snapshot") == ahead.of("event") == []
            await h.bid(lot, people[1], 1_010_000, "bid-00002")

    asyncio.run(scene())


def test_a_slow_watcher_is_conflated_and_the_others_are_not_held_up(
    sqlite_database: Database, clock: FixedClock
) -> None:
    (lot,), (people,), _ = stage(sqlite_database)

    async def scene() -> None:
        limits = Limits(viewer_bytes=4_000, poll_s=60, rest_s=0.0)
        async with house(sqlite_database, clock, limits=limits) as h:
            clock.set(OPENS)
            await h.writer.ask(c.Open(lot_id=lot))
            slow, quick = h.enter(lot), h.enter(lot)
            await slow.got("you")
            await quick.got("you")
            slow.flowing.clear()
            room = await h.hub.room(lot)
            for n in range(100):
                await h.bid(lot, people[n % 2], 1_000_000 + n * 10_000, f"bid-{n:05d}")
                assert all(viewer.waiting_bytes < 6_000 for viewer in room.viewers)
            await quick.got("event", 100)
            slow.flowing.set()
            expected = fresh(sqlite_database, lot)
            await slow.until(lambda: slow.sent[-1].get("seq") == expected["seq"])
            assert len(slow.of("snapshot")) == 2
            assert len(slow.of("event")) < 20
            last = slow.of("snapshot")[-1]
            assert {key: last[key] for key in expected} == expected

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ("{", CloseCode.BAD_MESSAGE),
        ('{"v":1,"type":"ping","sent":1}', CloseCode.BAD_MESSAGE),
        ('{"v":2,"type":"hello"}', CloseCode.BAD_MESSAGE),
        ('{"v":1,"type":"hello","extra":1}', CloseCode.BAD_MESSAGE),
        ('{"v":1,"type":"hello","epoch":"%s"}' % ("x" * 5000), CloseCode.TOO_LARGE),
    ],
)
def test_a_bad_beginning_ends_with_its_code(
    sqlite_database: Database, clock: FixedClock, first: str, code: CloseCode
) -> None:
    (lot,), _, _ = stage(sqlite_database)

    async def scene() -> None:
        async with house(sqlite_database, clock) as h:
            socket = FakeSocket()
            socket.say_text(first)
            await h.join(socket, lot, None)
            assert socket.closed == code

    asyncio.run(scene())


def test_limits_have_their_codes(sqlite_database: Database, clock: FixedClock) -> None:
    (lot,), (people,), rows = stage(sqlite_database)
    with sqlite_database.write() as session:
        rows.session = session
        draft = rows.draft()

    async def scene() -> None:
        limits = Limits(message_burst=5, messages_per_second=0.001, sockets_per_person=1, hello_s=0.05)
        async with house(sqlite_database, clock, limits=limits) as h:
            for missing in (draft, 10**9):
                nowhere = h.enter(missing)
                await nowhere.until(lambda s=nowhere: s.closed)
                assert nowhere.closed == CloseCode.NO_SUCH_LOT
            mute = FakeSocket()
            await h.join(mute, lot, None)
            assert mute.closed == CloseCode.IDLE
            chatty = h.enter(lot, people[0])
            await chatty.got("you")
            second = h.enter(lot, people[0])
            await second.until(lambda: second.closed)
            assert second.closed == CloseCode.TOO_MANY_SOCKETS
            chatty.say_text("nonsense")
            assert (await chatty.got("error"))[0]["code"] == "bad_message"
            for n in range(10):
                chatty.say(v=1, type="ping", sent=n)
            await chatty.until(lambda: chatty.closed)
            assert chatty.closed == CloseCode.TOO_MANY_MESSAGES
            assert [m["sent"] for m in chatty.of("pong")] == [0, 1, 2]
            await h.tasks[-2]
            assert h.hub.sockets == 0
            third = h.enter(lot, people[0])
            await third.got("you")
            third.hang_up()

    asyncio.run(scene())


def test_those_who_are_gone_or_stuck_are_let_go(sqlite_database: Database, clock: FixedClock) -> None:
    (lot,), _, _ = stage(sqlite_database)

    async def scene() -> None:
        limits = Limits(idle_s=0.1, poll_s=0.02)
        async with house(sqlite_database, clock, limits=limits) as h:
            silent = h.enter(lot)
            await silent.until(lambda: silent.closed)
            assert silent.closed == CloseCode.IDLE

    asyncio.run(scene())


def test_a_lapsed_sign_in_ends_the_socket_at_the_next_bid(
    sqlite_database: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lot,), (people,), _ = stage(sqlite_database)
    monkeypatch.setattr("auctions.room.RECHECK_S", -1.0)

    async def gone() -> bool:
        return False

    async def scene() -> None:
        async with house(sqlite_database, clock) as h:
            socket = FakeSocket()
            socket.say(v=1, type="hello")
            h.join(socket, lot, people[0], still_in=gone)
            await socket.got("you")
            socket.say(v=1, type="bid", client_bid_id="bid-00001", amount_fen=1)
            await socket.until(lambda: socket.closed)
            assert socket.closed == CloseCode.SESSION_ENDED

    asyncio.run(scene())


def test_heartbeats_carry_the_head_and_draining_says_when_to_return(
    sqlite_database: Database, clock: FixedClock
) -> None:
    (lot,), _, _ = stage(sqlite_database)

    async def scene() -> None:
        async with house(sqlite_database, clock, limits=QUICK) as h:
            socket = h.enter(lot)
            beat = (await socket.got("heartbeat"))[0]
            assert beat["seq"] == socket.of("snapshot")[0]["seq"]
            assert (await socket.got("watchers"))[0]["n"] == 1
            await h.hub.drain(1.0, 5.0)
            assert socket.of("draining")[0]["reconnect_after_ms"] >= 200
            assert socket.closed == CloseCode.DRAINING
            refused = h.enter(lot)
            await refused.until(lambda: refused.closed)
            assert refused.closed == CloseCode.DRAINING

    asyncio.run(scene())


def test_who_may_bid_at_all(sqlite_database: Database, clock: FixedClock) -> None:
    (lot,), _, rows = stage(sqlite_database)

    async def scene() -> None:
        async with house(sqlite_database, clock) as h:
            with pytest.raises(SignInRequired):
                await h.bid(lot, VISITOR, 1, "bid-00001")
            with pytest.raises(NotAllowed):
                await h.bid(lot, rows.staff, 1, "bid-00001")

    asyncio.run(scene())


def test_frames_written_by_hand_are_the_models(database: Database, clock: FixedClock) -> None:
    (lot,), _, _ = stage(database)
    with database.read() as session:
        entries = queries.entries_after(session, lot, 0)
        terms = queries.private_terms(session, lot)
    for entry in entries:
        frame = json.loads(protocol.event_frame(terms, lot, entry.seq, entry.hash, entry.data, clock.now()))
        assert protocol.Event.model_validate(frame).model_dump(mode="json") == frame


def test_a_stuck_socket_is_cut_off(sqlite_database: Database, clock: FixedClock) -> None:
    (lot,), _, _ = stage(sqlite_database)

    async def scene() -> None:
        async with house(sqlite_database, clock, limits=Limits(poll_s=0.02, stall_s=0.05)) as h:
            stuck = h.enter(lot)
            stuck.flowing.clear()
            async with asyncio.timeout(20):
                await asyncio.gather(*h.tasks)
            assert h.hub.sockets == 0
            assert stuck.closed == CloseCode.TOO_SLOW

    asyncio.run(scene())


def test_an_admission_is_told_to_who_asks_again(sqlite_database: Database, clock: FixedClock) -> None:
    (lot,), _, rows = stage(sqlite_database, bidders=0)
    with sqlite_database.write() as session:
        rows.session = session
        bidder = rows.bidder()
        admission = rows.request(lot, bidder)

    async def scene() -> None:
        async with house(sqlite_database, clock, limits=QUICK) as h:
            socket = h.enter(lot, bidder)
            assert (await socket.got("you"))[0]["reason"] == "not_admitted"
            with sqlite_database.write() as session:
                service.admit(session, rows.staff, admission, clock.now())
            await socket.got("event")
            socket.say(v=1, type="hello")
            assert (await socket.got("you", 2))[1] == {
                "v": 1, "type": "you", "alias": 1, "can_bid": True, "reason": None,
            }  # fmt: skip

    asyncio.run(scene())


class Way:
    """A way straight to a fake transport, which takes so many frames and then no more for a while."""

    def __init__(self, socket: FakeSocket, room: int) -> None:
        self.socket, self.room = socket, room
        self.at_once = 0

    def write_frame(self, data: bytes) -> bool:
        if self.room <= 0 or self.socket.closed is not None:
            return False
        self.room -= 1
        self.at_once += 1
        self.socket.take(unframed(data))
        return True

    def unwritten(self) -> int:
        return 0

    async def writable(self) -> None:
        return None

    def hear(self, taker: Callable[[str], bool] | None) -> None:
        self.socket.taker = taker


def unframed(data: bytes) -> str:
    """The text of a whole websocket frame."""
    assert data[0] == 0x81
    head = {126: 4, 127: 10}.get(data[1], 2)
    return data[head:].decode()


@pytest.mark.parametrize("room", [0, 3, 1000])
def test_frames_handed_over_at_once_stay_in_order(
    sqlite_database: Database, clock: FixedClock, room: int
) -> None:
    (lot,), (people,), _ = stage(sqlite_database)

    async def scene() -> None:
        async with house(sqlite_database, clock, limits=Limits(poll_s=60)) as h:
            clock.set(OPENS)
            await h.writer.ask(c.Open(lot_id=lot))
            socket = FakeSocket()
            way = Way(socket, room)
            socket.say(v=1, type="hello")
            h.join(socket, lot, None, direct=way)
            await socket.got("you")
            for n in range(20):
                await h.bid(lot, people[n % 2], 1_000_000 + n * 10_000, f"bid-{n:05d}")
            await socket.got("event", 20)
            assert projected(socket) == fresh(sqlite_database, lot)
            assert way.at_once <= room

    asyncio.run(scene())


class Browser:
    """What the page does: it applies what is next, drops what is old, and resumes after a gap.

    The way to it is bad: it doubles and loses whole messages by a seeded throw.
    """

    def __init__(self, h: House, lot_id: int, seed: int) -> None:
        self.h, self.lot_id = h, lot_id
        self.chance = random.Random(seed)
        self.view: dict[str, Any] = {}
        self.kinds: set[str] = set()
        self.socket = self.connect()

    def connect(self) -> FakeSocket:
        self.read = 0
        at = {key: self.view[key] for key in ("epoch", "seq") if self.view}
        return self.h.enter(self.lot_id, **{name: at[key] for name, key in HELLO.items() if at})

    async def watch(self, seq: int) -> None:
        """Until as far as a seq."""
        async with asyncio.timeout(30):
            while self.view.get("seq") != seq:
                await self.socket.until(lambda: len(self.socket.messages) > self.read)
                message = self.socket.messages[self.read]
                self.read += 1
                self.kinds.add(message["type"])
                lost = message["type"] != "snapshot" and self.chance.random() < 0.3
                for _ in range(0 if lost else self.chance.choice((1, 1, 2))):
                    if not self.take(message):
                        self.socket.hang_up()
                        self.socket = self.connect()
                        break

    def take(self, message: dict[str, Any]) -> bool:
        if message["type"] == "snapshot":
            self.view = {key: message[key] for key in ("epoch", "seq", "hash", "state")}
        elif message["type"] == "heartbeat":
            return bool(message["seq"] <= self.view["seq"])
        elif message["type"] in ("event", "events"):
            for event in message.get("events", [message]):
                if event["seq"] <= self.view["seq"]:
                    continue
                if event["seq"] != self.view["seq"] + 1:
                    return False
                state = protocol.project(self.view["state"], event)
                self.view |= {"seq": event["seq"], "hash": event["hash"], "state": state}
        return True


HELLO = {"epoch": "epoch", "resume_after_seq": "seq"}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_bundles_lost_and_doubled_leave_a_fresh_snapshot(
    sqlite_database: Database, clock: FixedClock, seed: int
) -> None:
    (lot,), (people,), _ = stage(sqlite_database, max_steps=None)

    async def scene() -> None:
        # A long rest after each telling: most bids are told together with others.
        limits = Limits(poll_s=0.05, heartbeat_s=0.05, rest_factor=1e9, rest_s=0.03, sockets_per_address=1000)
        async with house(sqlite_database, clock, limits=limits) as h:
            clock.set(OPENS)
            await h.writer.ask(c.Open(lot_id=lot))
            browsers = [Browser(h, lot, seed * 10 + n) for n in range(5)]
            chance = random.Random(seed)
            seq = 0
            for n in range(60):
                answer = await h.bid(lot, people[n % 3], 1_000_000 + n * 10_000, f"bid-{n:05d}")
                seq = answer.seq
                if chance.random() < 0.2:
                    await asyncio.sleep(0.04)
                if chance.random() < 0.1:
                    browsers.append(Browser(h, lot, seed * 100 + n))
            await asyncio.gather(*(browser.watch(seq) for browser in browsers))
            expected = fresh(sqlite_database, lot)
            assert [browser.view for browser in browsers] == [expected] * len(browsers)
            assert set().union(*(browser.kinds for browser in browsers)) >= {"events", "snapshot"}

    asyncio.run(scene())


def test_a_receipt_goes_before_the_event_and_waits_for_no_rest(
    sqlite_database: Database, clock: FixedClock
) -> None:
    (lot,), (people,), _ = stage(sqlite_database)

    async def scene() -> None:
        limits = Limits(poll_s=60, rest_factor=1e9, rest_s=3600.0)
        async with house(sqlite_database, clock, limits=limits) as h:
            clock.set(OPENS)
            socket, other = FakeSocket(), h.enter(lot)
            socket.say(v=1, type="hello")
            h.join(socket, lot, people[0], direct=Way(socket, 1000))
            await socket.got("you")
            await other.got("you")
            await h.writer.ask(c.Open(lot_id=lot))
            await other.got("event")
            # The room rests for an hour now; what it hears meanwhile is told when somebody needs it.
            socket.say(v=1, type="bid", client_bid_id="bid-00001", amount_fen=1_000_000)
            receipt = (await socket.got("receipt"))[0]
            assert len(socket.of("event")) == len(other.of("event")) == 1
            snapshot = socket.of("snapshot")[0]
            ahead = h.enter(lot, epoch=snapshot["epoch"], resume_after_seq=receipt["seq"])
            await ahead.got("you")
            assert ahead.of("snapshot") == []
            assert [m["seq"] for m in socket.of("event")] == [receipt["seq"] - 1, receipt["seq"]]
            kinds = [message["type"] for message in socket.sent]
            assert kinds == ["snapshot", "you", "event", "receipt", "event"]

    asyncio.run(scene())


def test_more_than_a_bundle_holds_is_a_snapshot_for_all(sqlite_database: Database, clock: FixedClock) -> None:
    (lot,), (people,), _ = stage(sqlite_database)

    async def scene() -> None:
        limits = Limits(poll_s=60, bundle_bytes=6_000, rest_factor=1e9, rest_s=0.5)
        async with house(sqlite_database, clock, limits=limits) as h:
            clock.set(OPENS)
            plain, quick = h.enter(lot), FakeSocket()
            quick.say(v=1, type="hello")
            h.join(quick, lot, None, direct=Way(quick, 1000))
            for socket in (plain, quick):
                await socket.got("you")
            await h.writer.ask(c.Open(lot_id=lot))
            for n in range(30):
                await h.bid(lot, people[n % 2], 1_000_000 + n * 10_000, f"bid-{n:05d}")
            expected = fresh(sqlite_database, lot)
            for socket in (plain, quick):
                await socket.until(lambda s=socket: projected(s).get("seq") == expected["seq"])
                assert projected(socket) == expected
                assert len(socket.of("snapshot")) >= 2
            behind = h.enter(lot, epoch=expected["epoch"], resume_after_seq=expected["seq"] - 25)
            assert (await behind.got("snapshot"))[0]["seq"] == expected["seq"]
            near = h.enter(lot, epoch=expected["epoch"], resume_after_seq=expected["seq"] - 5)
            await near.got("event", 5)
            assert {m["type"] for m in near.messages} == {"events", "you"}, (
                "what was missed comes as one message"
            )

    asyncio.run(scene())


def test_a_room_that_fails_to_tell_reads_the_journal_again(
    sqlite_database: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lot,), (people,), _ = stage(sqlite_database)

    async def scene() -> None:
        trouble: list[str] = []
        async with house(sqlite_database, clock, limits=QUICK) as h:
            h.hub.trouble = lambda code, _error: trouble.append(code)
            clock.set(OPENS)
            await h.writer.ask(c.Open(lot_id=lot))
            socket = h.enter(lot)
            await socket.got("you")
            seq = socket.of("snapshot")[0]["seq"]
            with monkeypatch.context() as broken:
                broken.setattr("auctions.hub.protocol.project", None)
                await h.bid(lot, people[0], 1_000_000, "bid-00001")
                await socket.until(lambda: trouble)
            event = (await socket.got("event"))[0]
            assert event["seq"] == seq + 1
            assert set(trouble) == {"room_not_told"}
            assert projected(socket) == fresh(sqlite_database, lot)

    asyncio.run(scene())


@pytest.mark.parametrize("size", [0, 1, 125, 126, 300, 65_535, 65_536, 100_000])
def test_a_frame_is_what_the_library_would_write(size: int) -> None:
    for text in ("x" * size, "标" * (size // 3)):
        expected = websockets.frames.Frame(websockets.frames.Opcode.TEXT, text.encode()).serialize(mask=False)
        assert Frame(text).data == expected
