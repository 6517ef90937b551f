"""A websocket's stand-in for tests: what Starlette's has, over queues."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from auctions.protocol import SERVER


class FakeSocket:
    """`say` is the client's voice, `sent` what it got. `blocked` holds the server's sends back."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._news = asyncio.Event()
        self.taker: Callable[[str], bool] | None = None

    def say(self, **message: Any) -> None:
        self.say_text(json.dumps(message))

    def say_text(self, text: str) -> None:
        if self.taker is not None and self.taker(text):
            return
        self.taker = None
        self._inbox.put_nowait({"type": "websocket.receive", "text": text})

    def hang_up(self) -> None:
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def receive(self) -> Mapping[str, Any]:
        return await self._inbox.get()

    async def send_text(self, data: str) -> None:
        await self.flowing.wait()
        self.take(data)

    def take(self, data: str) -> None:
        """A text frame has come; events that came together count one by one."""
        message = json.loads(data)
        SERVER.validate_python(message)
        self.messages.append(message)
        self.sent.extend(message["events"] if message["type"] == "events" else [message])
        self._news.set()

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        if self.closed is None:
            self.closed = code
            self._inbox.put_nowait({"type": "websocket.disconnect", "code": code})
        self._news.set()

    def of(self, type_: str) -> list[dict[str, Any]]:
        return [message for message in self.sent if message["type"] == type_]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self._news.clear()
                try:
                    await asyncio.wait_for(self._news.wait(), 0.05)
                except TimeoutError:
                    continue

    async def got(self, type_: str, count: int = 1) -> list[dict[str, Any]]:
        await self.until(lambda: len(self.of(type_)) >= count)
        return self.of(type_)
