"""At the door, before anything is spent on a client: who may open a socket, and what a socket may send.

uvicorn's protocols get subclasses here. `PatientHttp` gives the head of a request ten seconds and 64 KiB, and
opens the sockets of one address at a steady pace, as many in five seconds as it may hold: who comes in a
crowd waits a moment, who comes too often is answered 429, late, without the application hearing of it. `PatientSocket` counts frames of every
kind, pings and empty pieces too, and bytes, and reads what came in small pieces, so that a flood costs
the others a moment of reading and its sender the socket (4429).

The limits are the room's (`auctions.hub.Limits`), taken at each use.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.frames import Frame

from auctions.hub import Limits
from auctions.protocol import CloseCode
from web.direct_socket import DirectProtocol

HEAD_S = 10.0
"""Seconds for the head of a request."""
HEAD_BYTES = 65_536
PIECE_BYTES = 1024
"""What is read of a socket at a time: some 170 of the smallest frames."""
BURST_BYTES = 65_536
"""What a socket may send at once; then as much in ten seconds."""
LATE_S = 1.0
"""How long a refusal is held back, about: whoever waits for it comes the less often."""
HELD = 1000
"""Refusals held back at a time; more are let go without a word."""
LINGER_S = 1.0
"""How long a socket that was closed at the door may take to read why."""
WAIT_S = 5.0
"""How long a socket may have to wait for its turn among those of its address."""
FORGET = 10_000
"""Names remembered at a time."""


class Pace:
    """Who comes how often, by name: so many at once, then so many a second. Seconds are the loop's.

    Kept is one instant a name: when all that it has asked for would have come at the steady rate.
    """

    def __init__(self) -> None:
        self._due: dict[str, float] = {}

    def wait(self, name: str, now: float, *, burst: float, rate: float, most_s: float = 0.0) -> float | None:
        """Ask for one more: the seconds until its turn, or None (and nothing counted) when that is too long."""
        due = max(now, self._due.get(name, now)) + 1.0 / rate
        wait = max(0.0, due - now - burst / rate)
        if wait > most_s:
            return None
        self._due[name] = due
        if len(self._due) > FORGET:
            self._forget(now)
        return wait

    def _forget(self, now: float) -> None:
        kept = {name: due for name, due in self._due.items() if due > now}
        # All busy at once: rather forget some than grow.
        self._due = kept if len(kept) <= FORGET else dict(list(kept.items())[FORGET // 2 :])


class Doorkeeper:
    """What the protocols of one server share. `trusted` names the proxies whose word counts."""

    def __init__(self, limits: Callable[[], Limits], trusted: str) -> None:
        self._limits = limits
        self._proxies = ProxyHeadersMiddleware(_nobody, trusted).trusted_hosts
        self._upgrades = Pace()
        self._bids = Pace()
        self.held = 0

    @property
    def limits(self) -> Limits:
        """The room's, at this moment."""
        return self._limits()

    def address(self, peer: str, forwarded: str) -> str:
        """The client's address: the peer's, or what a trusted proxy says."""
        if forwarded and peer in self._proxies:
            return self._proxies.get_trusted_client_address(forwarded)[0] or peer
        return peer

    def upgrade_in(self, address: str, now: float) -> float | None:
        """Seconds until one more socket of an address is opened; None when it comes too often."""
        rate = self.limits.sockets_per_address / WAIT_S
        # One at a time: opening many in one go would keep everybody else waiting for as long as it takes.
        return self._upgrades.wait(address, now, burst=1.0, rate=rate, most_s=WAIT_S)

    def may_bid(self, person_id: int, now: float) -> bool:
        """Whether a person may send one more bid past the sockets, which count their own."""
        burst, rate = float(self.limits.message_burst), self.limits.messages_per_second
        return self._bids.wait(str(person_id), now, burst=burst, rate=rate) is not None

    def protocols(self) -> tuple[type[PatientHttp], type[PatientSocket]]:
        """The protocols for uvicorn, with this door."""
        http = type("Http", (PatientHttp,), {"door": self})
        return http, type("Socket", (PatientSocket,), {"door": self})


async def _nobody(*_: Any) -> None:
    raise AssertionError


class PatientHttp(HttpToolsProtocol):
    """uvicorn's, with limits before a request has begun and at the upgrade."""

    door: Doorkeeper
    _timer: asyncio.TimerHandle | None = None
    _head = 0
    _begun = False
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._timer is not None:
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self._end(431, b"Request Header Fields Too Large")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun = True
        if self._timer is None:
            self._wait()

    def on_headers_complete(self) -> None:
        self._unwait()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        self._unwait()
        forwarded = b",".join(value for name, value in self.headers if name == b"x-forwarded-for")
        peer = self.client[0] if self.client else ""
        address = self.door.address(peer, forwarded.decode("latin-1"))
        wait = self.door.upgrade_in(address, self.loop.time())
        if wait == 0.0:
            super().handle_websocket_upgrade()
            return
        self._refused = wait is None
        if self.door.held >= HELD:
            self.transport.abort()
            return
        self.door.held += 1
        self.transport.pause_reading()
        if wait is None:
            late = LATE_S * random.uniform(0.5, 1.5)  # noqa: S311  (a spread, not a secret)
            self.loop.call_later(late, self._refuse)
        else:
            self.loop.call_later(wait, self._upgrade)

    def _upgrade(self) -> None:
        self.door.held -= 1
        if not self.transport.is_closing():
            self.transport.resume_reading()
            super().handle_websocket_upgrade()

    def _refuse(self) -> None:
        self.door.held -= 1
        self._end(429, b"Too Many Requests", b"retry-after: 10\r\n")

    def _wait(self) -> None:
        self._head = 0
        self._timer = self.loop.call_later(HEAD_S, self._late)

    def _unwait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self._begun:
            self._end(408, b"Request Timeout")
        else:
            self.transport.close()

    def _end(self, status: int, phrase: bytes, more: bytes = b"") -> None:
        self._refused = True
        self._unwait()
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 %d %s\r\ncontent-length: 0\r\nconnection: close\r\n%s\r\n" % (status, phrase, more)
            )
            self.transport.close()


class PatientSocket(DirectProtocol):
    """`DirectProtocol`, with limits on what comes in before it is understood."""

    door: Doorkeeper
    _frames_left = 0.0
    _bytes_left = 0.0
    _counted_at = 0.0
    _over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._frames_left = self.door.limits.message_burst * 2.0
        self._bytes_left = float(BURST_BYTES)
        self._counted_at = self.loop.time()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        self._refill()
        for start in range(0, len(data), PIECE_BYTES):
            piece = data[start : start + PIECE_BYTES]
            self._bytes_left -= len(piece)
            if self._bytes_left < 0:
                self._flood()
            if self._over or self.transport.is_closing():
                return
            super().data_received(piece)

    def handle_text(self, event: Frame) -> None:
        if self._spend():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        if self._spend():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        if self._spend():
            super().handle_cont(event)

    def handle_ping(self) -> None:
        if self._spend():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        if self._spend():
            super().handle_pong(event)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                # uvicorn would do the same, and write a traceback for it.
                self._end(1007, "not UTF-8")
                return
        super().send_receive_event_to_app()

    def _refill(self) -> None:
        now, limits = self.loop.time(), self.door.limits
        passed, self._counted_at = now - self._counted_at, now
        burst = limits.message_burst * 2.0
        self._frames_left = min(burst, self._frames_left + passed * limits.messages_per_second * 2.0)
        self._bytes_left = min(float(BURST_BYTES), self._bytes_left + passed * BURST_BYTES / 10)

    def _spend(self) -> bool:
        self._frames_left -= 1.0
        if self._frames_left < 0:
            self._flood()
        return not self._over

    def _flood(self) -> None:
        self._end(int(CloseCode.TOO_MANY_MESSAGES), "too_many_messages")

    def _end(self, code: int, reason: str) -> None:
        """Say why, then let go. What still comes is thrown away unread, so that the reason arrives."""
        if self._over:
            return
        self._over = True
        self.frames = []
        if self.transport.is_closing():
            return
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(LINGER_S, self.transport.close)
