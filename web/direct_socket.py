"""Websocket frames written straight to the transport: the same bytes for every watcher of a room.

uvicorn's own `send` frames each text anew, behind a chain of coroutines. Its protocol gets a subclass here that
offers in the scope's extensions what `auctions.viewer.Direct` describes. That is sound because the server's
frames are not masked (RFC 6455 section 5.1) and each write is one whole, uncompressed frame: it stands before
or after whatever `send` writes, never within, and once a close frame has gone out nothing follows it.

`tests/auctions/test_real_sockets.py` holds uvicorn to what this module believes of it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from starlette.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from auctions.viewer import Direct

EXTENSION = "techmart.direct"
MOST_UNWRITTEN = 32_768
"""Bytes that a transport carries before it is left alone; more waits in the room, where it can be conflated."""

LINGER_S = 10.0
"""How long, in seconds, what a socket was last sent may take to be taken, once it is served no more."""


class DirectProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol with a `Direct` way past its `send`, and an end to peers that take nothing."""

    _last_wait: asyncio.TimerHandle | None = None
    taker: Callable[[str], bool] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=MOST_UNWRITTEN)
        peer = transport.get_extra_info("socket")
        if peer is not None and hasattr(socket, "TCP_NOTSENT_LOWAT") and peer.family != socket.AF_UNIX:
            # What cannot be sent yet shall wait here and not in the kernel, where it grows old.
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNWRITTEN)

    async def run_asgi(self) -> None:
        extensions = cast("dict[str, object]", self.scope["extensions"])
        extensions[EXTENSION] = _Way(self)
        await super().run_asgi()
        if not self.disconnected:
            # A peer that takes nothing any more would keep its transport, and all that it carries, for ever.
            self._last_wait = self.loop.call_later(LINGER_S, self.transport.abort)

    def send_receive_event_to_app(self) -> None:
        taker = self.taker
        if taker is not None and self.curr_msg_data_type == "text" and not self.close_sent:
            if taker(b"".join(self.frames).decode()):
                self.frames = []
                return
            self.taker = None
        super().send_receive_event_to_app()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._last_wait is not None:
            self._last_wait.cancel()
            self._last_wait = None
        self.taker = None
        super().connection_lost(exc)


class _Way:
    __slots__ = ("_protocol",)

    def __init__(self, protocol: DirectProtocol) -> None:
        self._protocol = protocol

    def write_frame(self, data: bytes) -> bool:
        protocol = self._protocol
        transport = protocol.transport
        # Not writable: the transport carries more than its limit. Not open: a close frame has gone or come.
        if not protocol.writable.is_set() or protocol.conn.state is not State.OPEN or transport.is_closing():
            return False
        transport.write(data)
        return True

    def unwritten(self) -> int:
        return self._protocol.transport.get_write_buffer_size()

    async def writable(self) -> None:
        await self._protocol.writable.wait()

    def hear(self, taker: Callable[[str], bool] | None) -> None:
        if taker is None or self._protocol.queue.empty():
            self._protocol.taker = taker


def direct(scope: Scope) -> Direct | None:
    """The way past `send`, where the server is ours; None under any other, and in tests."""
    return cast("Direct | None", scope.get("extensions", {}).get(EXTENSION))
