"""The hub: every room of this process, and who watches in it.

A room is subscribed to the news before it reads its first snapshot, and applies what came meanwhile, so
nothing falls between. News with a seq that is not the next makes the room read the journal; so does a
look at the heads of all watched lots once a second, which catches whatever the bus lost and whatever was
committed outside the writer. The view that a room keeps by `protocol.project` equals a fresh snapshot
at the same seq; so joining costs no read once a room is there.

What a room hears it tells one turn of the loop later, after the receipts that came with it. Then it rests
for a multiple of the time the telling took, and what it hears meanwhile goes out as one message to all:
so an idle room tells everything at once, and a busy one spends a bounded share of the process on telling.

Everything here runs on one event loop; the database is read on threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from auctions import protocol, reads
from auctions.bus import Bus, LotNews
from auctions.journal import Entry
from auctions.protocol import CloseCode, event_frame
from auctions.rules.canonical import iso
from auctions.viewer import Frame, Viewer
from market.clock import Clock
from market.db import Database


@dataclass(frozen=True, slots=True)
class Limits:
    """What a room grants. Times in seconds."""

    max_message_bytes: int = protocol.MAX_MESSAGE_BYTES
    messages_per_second: float = 10.0
    message_burst: int = 30
    bids_in_flight: int = 8
    viewer_bytes: int = 131_072
    sockets_per_person: int = 10
    sockets_per_address: int = 200
    hello_s: float = 10.0
    idle_s: float = 180.0
    """Longer than twice a minute: browsers let hidden pages speak but once a minute."""
    stall_s: float = 20.0
    heartbeat_s: float = 10.0
    poll_s: float = 1.0
    linger_s: float = 30.0
    """How long a room without watchers is kept."""
    tail: int = 512
    """Events that a room remembers for resuming watchers."""
    bundle_bytes: int = 32_768
    """Events told at once, together; instead of more than that goes a snapshot."""
    rest_factor: float = 19.0
    """A room rests so many times as long as telling everybody took of the processor's time."""
    rest_s: float = 0.1
    """Its longest rest."""


class TooManySockets(Exception):
    """An account or an address has as many sockets open as it may."""


class Room:
    """A lot being watched."""

    def __init__(self, hub: Hub, start: reads.RoomState) -> None:
        self._hub = hub
        self.lot_id = start.lot_id
        self.epoch = start.epoch
        self.terms = start.terms
        self.seq = start.seq
        self.hash = start.hash
        self.view = start.view
        self.viewers: set[Viewer] = set()
        self._heard = start.seq
        self._untold: list[tuple[int, str, str]] = []
        self._resting = False
        self._tail: deque[tuple[int, str]] = deque(maxlen=hub.limits.tail)
        self._view_text: bytes | None = None
        self._healing: asyncio.Task[None] | None = None
        self._told_watchers = 0
        self.used_at = asyncio.get_running_loop().time()

    @property
    def watchers(self) -> int:
        """How many watch, here and in other processes."""
        return len(self.viewers) + self._hub.elsewhere(self.lot_id)

    @property
    def heard(self) -> int:
        """The last seq that was heard of; what watchers were told ends at `seq`."""
        return self._heard

    def snapshot(self) -> Frame:
        """A fresh snapshot; the lot's part of it is encoded once per seq."""
        return Frame(self._snapshot_text())

    def _snapshot_text(self) -> str:
        if self._view_text is None:
            self._view_text = orjson.dumps(self.view)
        head = orjson.dumps(
            {
                "v": protocol.VERSION,
                "type": "snapshot",
                "epoch": self.epoch,
                "seq": self.seq,
                "hash": self.hash,
                "server_time": iso(self._hub.clock.now()),
            }
        )
        return (head[:-1] + b',"state":' + self._view_text + b"}").decode()

    def hear(self, news: LotNews) -> None:
        """Take news: what is next will be told, what is old is dropped, a gap is healed."""
        fresh = []
        for entry in news.frames:
            if entry[0] <= self._heard:
                continue
            if entry[0] != self._heard + 1:
                self.heal()
                break
            self._heard = entry[0]
            fresh.append(entry)
        if fresh:
            # Not at once: bidders whose receipts came just before this news are woken in this turn of the loop.
            asyncio.get_running_loop().call_soon(self._take_up, fresh)

    def _take_up(self, fresh: list[tuple[int, str, str]]) -> None:
        self._untold += fresh
        if not self._resting:
            self._resting = True
            self._turn()

    def _turn(self) -> None:
        if not self._untold:
            self._resting = False
            return
        begun = time.thread_time()
        try:
            self.tell()
        except Exception as error:
            self._heard = self.seq  # the next look at the heads reads it again
            self._hub.trouble("room_not_told", error)
        # The loop writes at the end of its turn; how long that took is known in the next one.
        asyncio.get_running_loop().call_soon(self._rest, begun)

    def _rest(self, begun: float) -> None:
        limits = self._hub.limits
        pause = min(limits.rest_s, limits.rest_factor * (time.thread_time() - begun))
        asyncio.get_running_loop().call_later(pause, self._turn)

    def tell(self) -> None:
        """Tell everybody now what was heard."""
        untold, self._untold = self._untold, []
        told: list[str] = []
        for seq, hash_, frame in untold:
            if seq != self.seq + 1:  # one before it could not be told
                continue
            self.view = protocol.project(self.view, orjson.loads(frame))
            self.seq, self.hash = seq, hash_
            self._tail.append((seq, frame))
            told.append(frame)
        if not told:
            return
        self._view_text = None
        if not self.viewers:
            return
        bundle = self._bundle(told)
        if bundle is not None:
            for viewer in self.viewers:
                viewer.offer(bundle)
        else:
            snapshot = self.snapshot()
            for viewer in self.viewers:
                viewer.skip_to(snapshot)

    def _bundle(self, frames: list[str]) -> Frame | None:
        """Event frames as one message; None where they are more than is sent at once."""
        if len(frames) > 1 and sum(map(len, frames)) > self._hub.limits.bundle_bytes:
            return None
        return Frame(protocol.bundle(frames))

    def heal(self) -> asyncio.Task[None]:
        """Read what the journal has and this room has not."""
        if self._healing is None or self._healing.done():
            self._healing = asyncio.create_task(self._heal())
            self._healing.add_done_callback(self._hub.report)
        return self._healing

    async def _heal(self) -> None:
        while True:
            entries = await asyncio.to_thread(self._hub.read_entries, self.lot_id, self._heard)
            now = self._hub.clock.now()
            frames = tuple(
                (e.seq, e.hash, event_frame(self.terms, e.lot_id, e.seq, e.hash, e.data, now))
                for e in entries
                if e.seq > self._heard
            )
            if not frames or frames[0][0] != self._heard + 1:
                return
            self.hear(LotNews(self.lot_id, frames))

    async def reach(self, seq: int) -> None:
        """Get as far as a seq that somebody has seen already, if the journal has it."""
        if self._heard < seq:
            await self.heal()
        await asyncio.sleep(0)  # what was heard is taken up
        if self.seq < seq:
            self.tell()

    def welcome(self, viewer: Viewer, epoch: str | None, after: int | None) -> bool:
        """Let a watcher in and queue what it needs; True when it resumed, False for a snapshot.

        No await between the two: nothing can be missed or doubled.
        """
        self.viewers.add(viewer)
        missed = self._since(epoch, after)
        if missed is None:
            viewer.tell(self._snapshot_text())
            return False
        if missed:
            bundle = self._bundle(missed)
            if bundle is None:
                viewer.tell(self._snapshot_text())
                return False
            viewer.offer(bundle)
        return True

    def _since(self, epoch: str | None, after: int | None) -> list[str] | None:
        if epoch != self.epoch or after is None or after > self.seq:
            return None
        if after == self.seq:
            return []
        if not self._tail or self._tail[0][0] > after + 1:
            return None
        return [frame for seq, frame in self._tail if seq > after]

    def heartbeat(self) -> None:
        """Tell those who have nothing waiting that the room lives, and its head."""
        self._mention(
            protocol.Heartbeat(
                seq=self.seq,
                hash=self.hash,
                watchers=self.watchers,
                server_time=iso(self._hub.clock.now()),
            )
        )

    def tell_watchers(self) -> None:
        """Tell how many watch, if that has changed."""
        if self.watchers != self._told_watchers:
            self._told_watchers = self.watchers
            self._mention(protocol.Watchers(n=self._told_watchers))

    def _mention(self, message: protocol.Heartbeat | protocol.Watchers) -> None:
        """Tell what nobody misses: only those who have nothing waiting."""
        if not self.viewers:
            return
        frame = Frame(protocol.encode(message))
        for viewer in self.viewers:
            if not viewer.behind:
                viewer.offer(frame)


class Hub:
    """All rooms of one process. Create it on any thread; `start` it on the event loop."""

    def __init__(
        self,
        db: Database,
        bus: Bus,
        clock: Clock,
        *,
        limits: Limits | None = None,
        on_trouble: Callable[[str, BaseException], None] | None = None,
    ) -> None:
        self._db = db
        self._bus = bus
        self.clock = clock
        self.limits = limits or Limits()
        self.trouble = on_trouble or (lambda _code, _error: None)
        self._rooms: dict[int, Room] = {}
        self._opening: dict[int, asyncio.Task[Room]] = {}
        self._early: dict[int, list[LotNews]] = {}
        self._people: Counter[int] = Counter()
        self._addresses: Counter[str] = Counter()
        self._tasks: list[asyncio.Task[None]] = []
        self._turns_time: str | None = None
        self._end_subscription: Callable[[], None] = lambda: None
        self.draining = False

    async def start(self) -> None:
        """Listen to the bus (which the caller starts and stops) and keep time."""
        self._end_subscription = self._bus.subscribe(self._hear)
        self._tasks = [
            asyncio.create_task(self._every(self.limits.heartbeat_s, self._beat)),
            asyncio.create_task(self._every(self.limits.poll_s, self._poll)),
        ]

    async def stop(self) -> None:
        """Stop keeping time; watchers still there are not closed: see `drain`."""
        self._end_subscription()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drain(self, spread_s: float = 10.0, patience_s: float = 10.0) -> None:
        """Ask every watcher to come back, at moments spread over `spread_s`, and close the sockets."""
        self.draining = True
        viewers = [viewer for room in self._rooms.values() for viewer in room.viewers]
        for viewer in viewers:
            pause = random.uniform(0.2, max(0.3, spread_s))  # noqa: S311  (a spread, not a secret)
            viewer.tell(protocol.encode(protocol.Draining(reconnect_after_ms=int(pause * 1000))))
            viewer.end(CloseCode.DRAINING)
        for _ in range(max(1, int(patience_s * 20))):
            if not any(room.viewers for room in self._rooms.values()):
                return
            await asyncio.sleep(0.05)

    def about_now(self) -> str:
        """The time as messages tell it, read once in a turn of the loop: for answers, which come many at a time."""
        if self._turns_time is None:
            self._turns_time = iso(self.clock.now())
            asyncio.get_running_loop().call_soon(self._end_turn)
        return self._turns_time

    def _end_turn(self) -> None:
        self._turns_time = None

    def watchers(self, lot_id: int) -> int:
        """How many of this process's sockets watch a lot."""
        room = self._rooms.get(lot_id)
        return len(room.viewers) if room else 0

    def elsewhere(self, lot_id: int) -> int:
        """How many watch a lot in other processes, as far as is known."""
        return self._bus.elsewhere(lot_id)

    @property
    def sockets(self) -> int:
        """How many sockets are in rooms."""
        return sum(len(room.viewers) for room in self._rooms.values())

    @contextlib.contextmanager
    def counted(self, person_id: int | None, address: str) -> Iterator[None]:
        """Count a socket against its account and address while it is open. Raises TooManySockets."""
        if self._addresses[address] >= self.limits.sockets_per_address or (
            person_id is not None and self._people[person_id] >= self.limits.sockets_per_person
        ):
            raise TooManySockets
        self._addresses[address] += 1
        if person_id is not None:
            self._people[person_id] += 1
        try:
            yield
        finally:
            _less(self._addresses, address)
            if person_id is not None:
                _less(self._people, person_id)

    async def room(self, lot_id: int) -> Room:
        """The room of a lot, opened if need be. Raises NotFound for a lot that is not published."""
        room = self._rooms.get(lot_id)
        if room is not None:
            room.used_at = asyncio.get_running_loop().time()
            return room
        task = self._opening.get(lot_id)
        if task is None:
            self._early[lot_id] = []  # subscribed from here on; the read comes after
            task = self._opening[lot_id] = asyncio.create_task(self._open(lot_id))
        return await asyncio.shield(task)

    async def _open(self, lot_id: int) -> Room:
        try:
            room = Room(self, await asyncio.to_thread(self._read_state, lot_id))
            self._rooms[lot_id] = room
            for news in self._early[lot_id]:
                room.hear(news)
            return room
        finally:
            del self._early[lot_id], self._opening[lot_id]

    def leave(self, room: Room, viewer: Viewer) -> None:
        """Let a watcher go. An empty room is kept for a while, for whoever comes back."""
        room.viewers.discard(viewer)
        room.used_at = asyncio.get_running_loop().time()

    def _hear(self, news: LotNews) -> None:
        early = self._early.get(news.lot_id)
        if early is not None:
            early.append(news)
        room = self._rooms.get(news.lot_id)
        if room is not None:
            room.hear(news)

    async def _beat(self) -> None:
        for room in list(self._rooms.values()):
            room.heartbeat()

    async def _poll(self) -> None:
        loop_time = asyncio.get_running_loop().time()
        self._bus.count({lot_id: len(room.viewers) for lot_id, room in self._rooms.items()})
        for room in list(self._rooms.values()):
            if not room.viewers and loop_time - room.used_at > self.limits.linger_s:
                del self._rooms[room.lot_id]
                continue
            room.tell_watchers()
            for viewer in list(room.viewers):
                if viewer.stalled_for() > self.limits.stall_s:
                    if viewer.closing is not None:
                        viewer.cut()
                    viewer.end(CloseCode.TOO_SLOW)
                elif loop_time - viewer.heard_at > self.limits.idle_s:
                    viewer.end(CloseCode.IDLE)
        if self._rooms:
            heads = await asyncio.to_thread(self._read_heads, list(self._rooms))
            for lot_id, seq in heads.items():
                room_ = self._rooms.get(lot_id)
                if room_ is not None and seq > room_.heard:
                    room_.heal()

    async def _every(self, seconds: float, action: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await action()
            except Exception as error:
                self.trouble("hub_tick_failed", error)

    def report(self, task: asyncio.Task[None]) -> None:
        """Tell of a task's failure. What a failed healing left undone, the next look does."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.trouble("room_not_healed", error)

    def read_entries(self, lot_id: int, seq: int) -> list[Entry]:
        """Journal entries after a seq, in a short read of its own. On any thread."""
        with self._db.read() as session:
            return reads.entries_after(session, lot_id, seq)

    def _read_state(self, lot_id: int) -> reads.RoomState:
        with self._db.read() as session:
            return reads.room_state(session, lot_id)

    def _read_heads(self, lot_ids: list[int]) -> dict[int, int]:
        with self._db.read() as session:
            return reads.heads(session, lot_ids)


def _less(counter: Counter[Any], key: object) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
