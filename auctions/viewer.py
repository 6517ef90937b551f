"""One watcher's end of a room: what waits to be sent, and how it is kept bounded.

Most of the time nothing waits: a frame is written straight to the transport (`Direct`), its bytes the same
for everybody, and no task is there to be switched to. When the transport has enough to carry, or where
there is no way straight to it, a task sends what waits: what concerns only this watcher first, then what is
for all. When that grows past its bytes, the transport's included, it is thrown away whole and one fresh
snapshot takes its place (conflation): the watcher skips ahead, knowingly, and the server's memory does not
grow. Private answers are never thrown away; a watcher that does not take them is cut off.

Everything here runs on the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from auctions.protocol import CloseCode


class Socket(Protocol):
    """What a room needs of a websocket; Starlette's `WebSocket` (accepted) has it as it is."""

    async def receive(self) -> Mapping[str, Any]:
        """The next ASGI message: websocket.receive or websocket.disconnect."""
        ...

    async def send_text(self, data: str) -> None:
        """Send a text frame."""
        ...

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close."""
        ...


class Direct(Protocol):
    """The way straight to a socket's transport, where the server offers one."""

    def write_frame(self, data: bytes) -> bool:
        """Write a whole websocket frame; False, and nothing written, when the transport should not take it:
        it has much to carry already, or the socket is not open."""
        ...

    def unwritten(self) -> int:
        """Bytes that the transport carries."""
        ...

    async def writable(self) -> None:
        """Wait until the transport has room, or is lost."""
        ...

    def hear(self, taker: Callable[[str], bool] | None) -> None:
        """Have texts given to `taker` as they arrive, past the socket's `receive`, until it answers False: that
        text, and those after it, are received as ever. Nothing changes while something waits to be received.
        """
        ...


class Frame:
    """A text for one or for many: as text, and as the bytes of a whole websocket frame (not masked, not
    compressed), made once."""

    __slots__ = ("data", "text")

    def __init__(self, text: str) -> None:
        body = text.encode()
        self.text = text
        self.data = head(len(body)) + body


def head(length: int) -> bytes:
    """What stands before a text of so many bytes (RFC 6455 section 5.2: one final text frame, not masked)."""
    if length < 126:
        return bytes((0x81, length))
    if length < 65_536:
        return b"\x81\x7e" + length.to_bytes(2, "big")
    return b"\x81\x7f" + length.to_bytes(8, "big")


class Viewer:
    """A watcher. `snapshot` makes a fresh snapshot when what waited was conflated."""

    __slots__ = (
        "_bytes", "_conflated", "_direct", "_done", "_loop", "_max_bytes", "_max_private_bytes", "_private",
        "_private_bytes", "_public", "_sender", "_sending_since", "_snapshot", "_socket", "closing",
        "conflations", "heard_at", "on_over",
    )  # fmt: skip

    def __init__(
        self,
        socket: Socket,
        snapshot: Callable[[], Frame],
        *,
        direct: Direct | None = None,
        max_bytes: int = 131_072,
        max_private_bytes: int = 262_144,
    ) -> None:
        self._socket = socket
        self._snapshot = snapshot
        self._direct = direct
        self._max_bytes = max_bytes
        self._max_private_bytes = max_private_bytes
        # Lists, not deques: they are short, nearly always empty, and an empty deque is ten times the size.
        self._public: list[Frame] = []
        self._bytes = 0
        self._private: list[Frame] = []
        self._private_bytes = 0
        self._conflated = False
        self._loop = asyncio.get_running_loop()
        self._sender: asyncio.Task[None] | None = None
        self._sending_since: float | None = None
        self._done = False
        self.heard_at = self._loop.time()
        self.conflations = 0
        self.closing: tuple[CloseCode, str] | None = None
        self.on_over: Callable[[], None] | None = None
        """Called once, when nothing more can be sent: whoever serves the socket lets go of it."""

    @property
    def behind(self) -> bool:
        """Whether anything still waits to be sent."""
        return self._sender is not None

    @property
    def waiting_bytes(self) -> int:
        """How much waits here, in bytes; what the transport carries is not in it."""
        return self._bytes + self._private_bytes

    def stalled_for(self) -> float:
        """For how many seconds the present send has been under way."""
        return 0.0 if self._sending_since is None else self._loop.time() - self._sending_since

    def offer(self, frame: Frame) -> None:
        """A frame that everyone gets."""
        if self._sender is None:
            if self.closing is not None:
                return
            if self._direct is not None and self._direct.write_frame(frame.data):
                return
        elif self._conflated or self.closing is not None:
            return
        self._public.append(frame)
        self._bytes += len(frame.data)
        carried = 0 if self._direct is None else self._direct.unwritten()
        if self._bytes + carried > self._max_bytes:
            self.conflate()
        self._begin()

    def skip_to(self, snapshot: Frame) -> None:
        """A snapshot that everyone gets, in place of frames."""
        if self._sender is None:
            self.offer(snapshot)
        elif not self._conflated and self.closing is None:
            self.conflate()

    def conflate(self) -> None:
        """Replace what waits by one fresh snapshot, made when it can be sent."""
        self._public.clear()
        self._bytes = 0
        self._conflated = True
        self.conflations += 1

    def tell(self, text: str) -> None:
        """A frame for this watcher alone; goes before everything that waits."""
        frame = Frame(text)
        if self._sender is None and self.closing is None:
            if self._direct is not None and self._direct.write_frame(frame.data):
                return
        elif self._done:
            return
        self._private.append(frame)
        self._private_bytes += len(frame.data)
        if self._private_bytes > self._max_private_bytes:
            self.end(CloseCode.TOO_SLOW)
        self._begin()

    def end(self, code: CloseCode, reason: str = "") -> None:
        """Close as soon as what is private has been sent."""
        if self.closing is None:
            self.closing = (code, reason)
        self._begin()

    def cut(self) -> None:
        """Not even the closing gets through: over at once."""
        self._over()

    async def finish(self, patience_s: float) -> None:
        """Nothing more will be heard: let the last words out for a while, if the closing is ours."""
        sender = self._sender
        if sender is None:
            return
        if self.closing is not None and not self._done:
            await asyncio.wait({sender}, timeout=patience_s)
        self._done = True
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)

    def _over(self) -> None:
        if not self._done:
            self._done = True
            if self.on_over is not None:
                self.on_over()

    def _begin(self) -> None:
        if self._sender is None and not self._done:
            self._sender = self._loop.create_task(self._send())

    async def _send(self) -> None:
        """Send what waits; ends when nothing does any more, or the socket fails, or is closed."""
        try:
            while True:
                self._sending_since = self._loop.time()
                if self._direct is not None:
                    await self._direct.writable()  # first: a snapshot is made when it can be sent
                frame = self._next()
                if frame is None:
                    break
                if self._direct is None or not self._direct.write_frame(frame.data):
                    await self._socket.send_text(frame.text)
            if self.closing is not None:
                await self._socket.close(int(self.closing[0]), self.closing[1])
                self._over()
        except Exception:  # however a socket fails, it is the end of this watcher and of nobody else
            self._over()
        finally:
            self._sending_since = None
            self._sender = None

    def _next(self) -> Frame | None:
        if self._private:
            frame = self._private.pop(0)
            self._private_bytes -= len(frame.data)
            return frame
        if self.closing is not None:
            return None
        if self._conflated:
            self._conflated = False
            return self._snapshot()
        if self._public:
            frame = self._public.pop(0)
            self._bytes -= len(frame.data)
            return frame
        return None
