"""Running processes: the server and the separate worker."""

from __future__ import annotations

import gc
import logging
import signal
import socket
import sys
import threading
from contextlib import ExitStack

import uvicorn
from fastapi import FastAPI

from market.clock import SystemClock
from web.app import create_app
from web.process_lock import ProcessLock
from web.wiring import Parts
from web.worker import Worker

MAX_SOCKET_MESSAGE = 16_384
"""Above what the room takes (4,096), so that it is the room that says which limit was passed."""


def run(parts: Parts, *, host: str | None = None, port: int | None = None) -> None:
    """Serve until told to stop. Raises AlreadyServing when this SQLite database has its server."""
    settings = parts.settings
    with ExitStack() as stack:
        if parts.db.is_sqlite:
            stack.enter_context(ProcessLock(settings.data_dir / "serving.lock"))
        DrainingServer(server_config(parts, host=host, port=port), parts).run()


def server_config(parts: Parts, *, host: str | None = None, port: int | None = None) -> uvicorn.Config:
    """How uvicorn serves the market; benches serve it the same way."""
    settings = parts.settings
    http, websocket = parts.door.protocols()
    app = create_app(parts)
    make_routes(app)
    return uvicorn.Config(
        app,
        host=host or settings.host,
        port=settings.port if port is None else port,
        http=http,
        ws=websocket,
        ws_per_message_deflate=False,
        ws_max_size=MAX_SOCKET_MESSAGE,
        ws_ping_interval=20,
        ws_ping_timeout=20,
        timeout_graceful_shutdown=30,
        access_log=False,
        log_level="info",
        proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
        server_header=False,
    )


def make_routes(app: FastAPI) -> None:
    """Have every route made now. FastAPI makes one when a request is first held against it, all of a router's
    at once: left to the first bid over HTTP, that keeps everybody waiting for a fifth of a second.
    """
    for route in app.routes:
        for kind in ("http", "websocket"):
            # A path that is nobody's is held against every route.
            route.matches({"type": kind, "method": "GET", "path": "/-", "root_path": "", "headers": []})


SWITCH_S = 0.0005
YOUNG = 20_000


def settle() -> None:
    """Make a loaded process answer sooner; for the whole process, and for its life.

    What start-up made stays, so garbage collections need not look at it again; a batch of bids makes thousands
    of objects that are gone a moment later, so they are not looked for after every 700. And a thread that wants the
    interpreter waits half a millisecond for it instead of five: the auction writer asks for it after every
    statement, while the event loop is busy telling a room.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 3, 33)  # those of the middle look at less, and stop nobody for 20 ms
    sys.setswitchinterval(SWITCH_S)


class DrainingServer(uvicorn.Server):
    """Tells the watchers of lots when to come back before their sockets are closed."""

    def __init__(self, config: uvicorn.Config, parts: Parts) -> None:
        super().__init__(config)
        self._parts = parts

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # From here on uvicorn would write three lines for every socket that somebody opens.
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        settle()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._parts.hub.drain()
        await super().shutdown(sockets)


def run_worker(parts: Parts) -> None:
    """Do background work until told to stop. Raises AlreadyServing on SQLite, whose server does it.

    By the machine's own clock: nothing here closes a lot, and nobody could say that a clock set anew is right.
    """
    parts.clock = SystemClock()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        if parts.db.is_sqlite:
            stack.enter_context(ProcessLock(parts.settings.data_dir / "serving.lock"))
        worker = Worker(parts)
        worker.start()
        stop.wait()
        worker.stop()
        parts.close()
