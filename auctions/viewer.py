"""One watcher's end of a room: what waits to be sent, and how it is kept bounded.

Frames for everyone wait in one queue, what concerns only this watcher in another that goes first. When
the first grows past its bytes, it is thrown away whole and one fresh snapshot takes its place
(conflation): the watcher skips ahead, knowingly, and the server's memory does not grow. Private
answers are never thrown away; a watcher that does not take them is cut off.

Everything here runs on the event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from auctions.protocol import CloseCode


class Socket(Protocol):
    """What a room needs of a websocket; Starlette's `WebSocket` (accepted) has it as it is.

    A socket may also have `try_send_text(text) -> bool`, which hands a frame to the transport at once and
    answers False when that has too much to carry already: then broadcasting needs no task switch.
    """

    async def receive(self) -> Mapping[str, Any]:
        """The next ASGI message: websocket.receive or websocket.disconnect."""
        ...

    async def send_text(self, data: str) -> None:
        """Send a text frame."""
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close."""
        ...


class Viewer:
    """A watcher. `snapshot` makes the text of a fresh snapshot when the queue was conflated."""

    def __init__(
        self,
        socket: Socket,
        snapshot: Callable[[], str],
        *,
        max_bytes: int = 65_536,
        max_private_bytes: int = 262_144,
    ) -> None:
        self._socket = socket
        self._snapshot = snapshot
        self._try_send: Callable[[str], bool] | None = getattr(socket, "try_send_text", None)
        self._max_bytes = max_bytes
        self._max_private_bytes = max_private_bytes
        self._public: deque[str] = deque()
        self._bytes = 0
        self._private: deque[str] = deque()
        self._private_bytes = 0
        self._conflated = False
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._sending_since: float | None = None
        self.heard_at = self._loop.time()
        self.conflations = 0
        self.cut = asyncio.Event()
        """Set when not even the closing gets through: whoever serves the socket lets go of it."""
        self.closing: tuple[CloseCode, str] | None = None

    @property
    def behind(self) -> bool:
        """Whether anything still waits to be sent."""
        return bool(self._public or self._private or self._conflated)

    @property
    def waiting_bytes(self) -> int:
        """How much waits, in characters (our frames are nearly all ASCII)."""
        return self._bytes + self._private_bytes

    def stalled_for(self) -> float:
        """For how many seconds the present send has been under way."""
        return 0.0 if self._sending_since is None else self._loop.time() - self._sending_since

    def offer(self, frames: Sequence[str], size: int | None = None) -> None:
        """Frames that everyone gets, in order; `size` is their length together, where it is known."""
        if self._conflated or self.closing:
            return
        if self._try_send is not None and not self.behind and self._sending_since is None:
            for place, frame in enumerate(frames):
                if not self._try_send(frame):
                    frames, size = frames[place:], None
                    break
            else:
                return
        self._public.extend(frames)
        self._bytes += sum(map(len, frames)) if size is None else size
        if self._bytes > self._max_bytes:
            self.conflate()
        self._wake.set()

    def conflate(self) -> None:
        """Replace what waits by one fresh snapshot, made when it can be sent."""
        self._public.clear()
        self._bytes = 0
        self._conflated = True
        self.conflations += 1
        self._wake.set()

    def tell(self, frame: str) -> None:
        """A frame for this watcher alone; goes before everything that waits."""
        self._private.append(frame)
        self._private_bytes += len(frame)
        if self._private_bytes > self._max_private_bytes:
            self.end(CloseCode.TOO_SLOW)
        self._wake.set()

    def end(self, code: CloseCode, reason: str = "") -> None:
        """Close as soon as what is private has been sent."""
        if self.closing is None:
            self.closing = (code, reason)
        self._wake.set()

    async def send(self) -> None:
        """Send what is offered until the end; run it as a task. Ends by itself when the socket fails."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while True:
                text = self._next()
                if text is None:
                    break
                self._sending_since = self._loop.time()
                await self._socket.send_text(text)
                self._sending_since = None
            if self.closing is not None:
                self._sending_since = self._loop.time()
                await self._socket.close(int(self.closing[0]), self.closing[1])
                return

    def _next(self) -> str | None:
        if self._private:
            text = self._private.popleft()
            self._private_bytes -= len(text)
            return text
        if self.closing is not None:
            return None
        if self._conflated:
            self._conflated = False
            return self._snapshot()
        if self._public:
            text = self._public.popleft()
            self._bytes -= len(text)
            return text
        return None
