"""Running processes: the server and the separate worker."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack

import uvicorn

from web.app import create_app
from web.process_lock import ProcessLock
from web.wiring import Parts

MAX_SOCKET_MESSAGE = 4096


def run(parts: Parts, *, host: str | None = None, port: int | None = None) -> None:
    """Serve until told to stop. Raises AlreadyServing when this SQLite database has its server."""
    settings = parts.settings
    with ExitStack() as stack:
        if parts.db.is_sqlite:
            stack.enter_context(ProcessLock(settings.data_dir / "serving.lock"))
        uvicorn.run(
            create_app(parts),
            host=host or settings.host,
            port=settings.port if port is None else port,
            ws="websockets-sansio",
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


def run_worker(parts: Parts) -> None:
    """Do background work until told to stop. Raises AlreadyServing on SQLite, whose server does it."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        if parts.db.is_sqlite:
            stack.enter_context(ProcessLock(parts.settings.data_dir / "serving.lock"))
        parts.start_worker()
        stop.wait()
        parts.stop_worker()
        parts.close()
