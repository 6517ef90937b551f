"""The bus: a doorbell between whoever commits and whoever watches.

News may be lost, doubled or late, and nothing may depend on it: a room sees gaps by seq and heals them
from the journal. `publish` is called from the writer's thread and returns at once; listeners run on
the event loop that `start` was called on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LotNews:
    """Entries of one lot, encoded as frames: (seq, hash, frame), ascending without a gap."""

    lot_id: int
    frames: tuple[tuple[int, str, str], ...]


Listener = Callable[[LotNews], None]


class Bus(Protocol):
    """Carries news of lots. Every implementation passes the same tests."""

    async def start(self) -> None:
        """Begin to deliver, on the running event loop."""
        ...

    async def stop(self) -> None:
        """Deliver nothing more."""
        ...

    def publish(self, news: Sequence[LotNews]) -> None:
        """Tell everyone. Any thread; never blocks, never raises."""
        ...

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Be told; returns what ends it. On the event loop."""
        ...

    def count(self, watchers: Mapping[int, int]) -> None:
        """Tell other processes how many watch which lot in this one. On the event loop."""
        ...

    def elsewhere(self, lot_id: int) -> int:
        """How many watch a lot in other processes, as far as is known. On the event loop."""
        ...


class LocalBus:
    """News within one process: enough with SQLite, and the near half of the Redis bus."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: list[Listener] = []

    async def start(self) -> None:
        """See `Bus`."""
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """See `Bus`."""
        self._loop = None

    def publish(self, news: Sequence[LotNews]) -> None:
        """See `Bus`. One wake-up of the loop, however many news."""
        loop = self._loop
        if loop is None or not news:
            return
        try:
            loop.call_soon_threadsafe(self.deliver, tuple(news))
        except RuntimeError:
            self._loop = None  # the loop was closed; the next reader takes a snapshot anyway

    def deliver(self, news: Sequence[LotNews]) -> None:
        """Tell this process's listeners now. On the event loop."""
        for item in news:
            for listener in tuple(self._listeners):
                listener(item)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """See `Bus`."""
        self._listeners.append(listener)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    def count(self, watchers: Mapping[int, int]) -> None:
        """See `Bus`. There is nobody else."""

    def elsewhere(self, lot_id: int) -> int:  # noqa: ARG002
        """See `Bus`."""
        return 0
