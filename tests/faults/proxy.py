"""A relay between clients and a server that can lose what passes, in either direction, without a word."""

from __future__ import annotations

import asyncio
import contextlib


class Relay:
    """Relays TCP connections on a port of its own. Set `deaf` or `mute` to lose what is under way.

    `mute`: what clients send does not arrive. `deaf`: what the server answers does not arrive. Neither side
    is told: no end, no reset, as when a phone leaves its network.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()
        self.mute = self.deaf = False
        self.port = 0
        self.dropped = 0

    async def start(self) -> None:
        """Begin to relay."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        for one, other, up in ((reader, far_writer, True), (far_reader, writer, False)):
            task = asyncio.create_task(self._pipe(one, other, up))
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, up: bool) -> None:
        lost = False
        try:
            while data := await reader.read(65_536):
                # Once bytes are missing, nothing more of this connection may pass.
                lost = lost or (self.mute if up else self.deaf)
                if lost:
                    self.dropped += len(data)
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        if lost:
            await asyncio.sleep(3600)  # the end does not arrive either
        writer.transport.abort()

    async def stop(self) -> None:
        """Relay no more."""
        assert self._server is not None
        self._server.close()
        for task in list(self._pipes):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._pipes, return_exceptions=True)
