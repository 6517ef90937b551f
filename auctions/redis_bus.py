"""News between processes over Redis pub/sub: the only place that imports redis.

Delivery is at most once by nature: losing Redis delays what watchers of *other* processes see until
their next look at the journal, and never loses anything. This process's own watchers are told
directly, whatever happens to Redis. What could not be sent is not kept for later: whoever missed it has
read it from the journal long before, and the newest news alone shows that something is missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from auctions.bus import Listener, LocalBus, LotNews

CHANNEL = "techmart:lots"
MOST_WAITING = 4 * 1024 * 1024
"""Bytes that may wait to be sent; the oldest give way."""
LONGEST_PAUSE = 2.0
"""Seconds between tries to come back."""
COUNT_S = 5.0
"""How often, in seconds, a process repeats how many watch there."""
COUNT_VALID_S = 16.0


class RedisBus:
    """A `Bus` over one Redis channel. `on_trouble(code)` hears of lost connections, once for each loss."""

    def __init__(
        self, url: str, *, channel: str = CHANNEL, on_trouble: Callable[[str], None] | None = None
    ) -> None:
        self._url = url
        self._channel = channel
        self._origin = secrets.token_hex(8)
        self._near = LocalBus()
        self._on_trouble = on_trouble or (lambda _code: None)
        self._known_trouble: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._out: deque[bytes] = deque()
        self._out_bytes = 0
        self._more = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._told: tuple[float, dict[int, int]] = (0.0, {})
        self._elsewhere: dict[str, tuple[float, dict[int, int]]] = {}
        self.listening = asyncio.Event()

    async def start(self) -> None:
        """See `Bus`."""
        await self._near.start()
        self._loop = asyncio.get_running_loop()
        # No tries again inside the client: they would hold up the newest news for the sake of old ones.
        self._client = redis.asyncio.Redis.from_url(
            self._url,
            socket_connect_timeout=3,
            socket_timeout=3,
            retry=Retry(NoBackoff(), 0),
            **_keepalive(self._url),
        )
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]

    async def stop(self) -> None:
        """See `Bus`."""
        self._loop = None
        await self._near.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def publish(self, news: Sequence[LotNews]) -> None:
        """See `Bus`."""
        loop = self._loop
        if loop is None or not news:
            return
        texts = [
            orjson.dumps({"origin": self._origin, "lot": item.lot_id, "frames": item.frames}) for item in news
        ]
        # A closed loop means that the process is going; its successor's watchers take a snapshot.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._hand_over, tuple(news), texts)

    def _hand_over(self, news: tuple[LotNews, ...], texts: Sequence[bytes]) -> None:
        self._near.deliver(news)
        self._queue(texts)

    def _queue(self, texts: Sequence[bytes]) -> None:
        self._out.extend(texts)
        self._out_bytes += sum(map(len, texts))
        while self._out_bytes > MOST_WAITING and len(self._out) > 1:
            self._out_bytes -= len(self._out.popleft())
            self._trouble("redis_queue_full")
        self._more.set()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """See `Bus`."""
        return self._near.subscribe(listener)

    def count(self, watchers: Mapping[int, int]) -> None:
        """See `Bus`. Told when something changed, and now and then."""
        loop = asyncio.get_running_loop()
        at, told = self._told
        if watchers != told or loop.time() - at > COUNT_S:
            self._told = (loop.time(), dict(watchers))
            pairs = list(watchers.items())
            self._queue([orjson.dumps({"origin": self._origin, "watchers": pairs})])

    def elsewhere(self, lot_id: int) -> int:
        """See `Bus`. A process that has not been heard for a while counts no more."""
        oldest = asyncio.get_running_loop().time() - COUNT_VALID_S
        self._elsewhere = {origin: kept for origin, kept in self._elsewhere.items() if kept[0] > oldest}
        return sum(counts.get(lot_id, 0) for _, counts in self._elsewhere.values())

    async def _send(self) -> None:
        while True:
            await self._more.wait()
            while self._out:
                item = self._out.popleft()
                self._out_bytes -= len(item)
                try:
                    await self._client.publish(self._channel, item)
                except (RedisError, OSError):
                    self._trouble("redis_send_failed")
                    await asyncio.sleep(0.2)
                    self._out.clear()
                    self._out_bytes = 0
                else:
                    self._known_trouble -= {"redis_send_failed", "redis_queue_full"}
            self._more.clear()

    async def _receive(self) -> None:
        pause = 0.1
        while True:
            try:
                async with self._client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(self._channel)
                    self.listening.set()
                    self._known_trouble.discard("redis_connection_lost")
                    pause = 0.1
                    async for message in pubsub.listen():
                        self._take(message["data"])
            except (RedisError, OSError):
                self._trouble("redis_connection_lost")
            self.listening.clear()
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    def _trouble(self, code: str) -> None:
        if code not in self._known_trouble:
            self._known_trouble.add(code)
            self._on_trouble(code)

    def _take(self, data: bytes) -> None:
        try:
            value = orjson.loads(data)
            origin = str(value["origin"])
            if origin == self._origin:
                return
            if "watchers" in value:
                counts = {int(lot_id): int(n) for lot_id, n in value["watchers"]}
                self._elsewhere[origin] = (asyncio.get_running_loop().time(), counts)
                return
            frames = tuple((int(seq), str(hash_), str(frame)) for seq, hash_, frame in value["frames"])
            news = LotNews(int(value["lot"]), frames)
        except (ValueError, KeyError, TypeError):
            self._on_trouble("redis_bad_message")
            return
        self._near.deliver([news])


def _keepalive(url: str) -> dict[str, Any]:
    """A server that vanished without a word is noticed within half a minute."""
    if url.startswith("unix:"):
        return {}
    names = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
    options = {getattr(socket, name): value for name, value in names.items() if hasattr(socket, name)}
    return {"socket_keepalive": True, "socket_keepalive_options": options}
