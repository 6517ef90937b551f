"""Background threads: each runs a function until told to stop, and survives its failures.

A loop that raises is logged and entered again after a pause, so that one bad row cannot end indexing
or mail for everybody.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import structlog

from market.clock import Clock
from market.db import Database
from market.work import Handler, run_one

log = structlog.get_logger()
PAUSE = 1.0


class Background:
    """A named thread around a function that takes a stop event and returns when it is set."""

    def __init__(self, name: str, run: Callable[[threading.Event], None]) -> None:
        self.name = name
        self._run = run
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._loop, name=self.name, daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Ask the thread to end and wait for it."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout)

    def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                self._run(self._stop)
            except Exception:
                log.exception("background.failed", thread=self.name)
                self._stop.wait(PAUSE)


def work_loop(
    db: Database, handlers: Mapping[str, Handler], clock: Clock, interval: float = 0.5
) -> Callable[[threading.Event], None]:
    """A loop that runs due work and looks again every `interval` seconds."""

    def run(stop: threading.Event) -> None:
        while not stop.is_set():
            if not run_one(db, handlers, clock.now):
                stop.wait(interval)

    return run


def every(seconds: float, action: Callable[[], None]) -> Callable[[threading.Event], None]:
    """A loop that runs an action at once and then every so many seconds."""

    def run(stop: threading.Event) -> None:
        while not stop.is_set():
            action()
            stop.wait(seconds)

    return run
