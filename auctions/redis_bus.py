"""News between processes over Redis pub/sub: the only place that imports redis.

Delivery is at most once by nature: losing Redis delays what watchers of *other* processes see until
their next look at the journal, and never loses anything. This process's own watchers are told
directly, whatever happens to Redis.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable, Sequence

import redis.asyncio
from redis.exceptions import RedisError

from auctions.bus import Listener, LocalBus, LotNews

CHANNEL = "techmart:lots"
MAX_WAITING = 2_000


class RedisBus:
    """A `Bus` over one Redis channel. `on_trouble(code)` hears of lost connections."""

    def __init__(
        self, url: str, *, channel: str = CHANNEL, on_trouble: Callable[[str], None] | None = None
    ) -> None:
        self._url = url
        self._channel = channel
        self._origin = secrets.token_hex(8)
        self._near = LocalBus()
        self._on_trouble = on_trouble or (lambda _code: None)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._out: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)
        self._tasks: list[asyncio.Task[None]] = []
        self.listening = asyncio.Event()

    async def start(self) -> None:
        """See `Bus`."""
        await self._near.start()
        self._loop = asyncio.get_running_loop()
        self._client = redis.asyncio.Redis.from_url(self._url, socket_connect_timeout=3)
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
        text = [
            json.dumps(
                {"origin": self._origin, "lot": item.lot_id, "frames": item.frames}, ensure_ascii=False
            )
            for item in news
        ]
        # A closed loop means that the process is going; its successor's watchers take a snapshot.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._hand_over, tuple(news), text)

    def _hand_over(self, news: tuple[LotNews, ...], text: list[str]) -> None:
        self._near.deliver(news)
        for item in text:
            try:
                self._out.put_nowait(item)
            except asyncio.QueueFull:
                self._on_trouble("redis_queue_full")
                return

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """See `Bus`."""
        return self._near.subscribe(listener)

    async def _send(self) -> None:
        while True:
            item = await self._out.get()
            try:
                await self._client.publish(self._channel, item)
            except (RedisError, OSError):
                self._on_trouble("redis_send_failed")
                await asyncio.sleep(0.2)

    async def _receive(self) -> None:
        pause = 0.1
        while True:
            try:
                async with self._client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(self._channel)
                    self.listening.set()
                    pause = 0.1
                    async for message in pubsub.listen():
                        self._take(message["data"])
            except (RedisError, OSError):
                self._on_trouble("redis_connection_lost")
            self.listening.clear()
            await asyncio.sleep(pause)
            pause = min(5.0, pause * 2)

    def _take(self, data: bytes) -> None:
        try:
            value = json.loads(data)
            if value["origin"] == self._origin:
                return
            frames = tuple((int(seq), str(hash_), str(frame)) for seq, hash_, frame in value["frames"])
            news = LotNews(int(value["lot"]), frames)
        except (ValueError, KeyError, TypeError):
            self._on_trouble("redis_bad_message")
            return
        self._near.deliver([news])
