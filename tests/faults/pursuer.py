"""Processes that pursue payments, and die.

    python -m tests.faults.pursuer <market's database> <gateway's database>

Reads one JSON line for each life: `{"at": iso instant, "point": name, "passages": n, "seconds": s}`. A child is
forked, works off what is due at that instant and ends, unless it is killed first: at a named point, after so
many passages, or after so many seconds. What became of it (`killed`, `done`) is answered in one line. Points:

    before_call      the operation is a row, the gateway has not been told
    after_call       the gateway has done it, nothing is recorded
    after_record     it is recorded, what comes next has not begun
"""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import sys
import threading
from typing import Any

from market.clock import FixedClock
from market.db import Database
from market.payments import collecting
from market.payments.gateway import Gateways
from market.payments.simulated import SimulatedGateway
from market.work import run_one
from tests.paying import handlers

CALLS = ("start", "look", "capture", "cancel", "refund", "authorise_again")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arrange(point: str, passages: int) -> None:
    """Put a death at a point; named places are wrapped, none replaced."""
    left = passages

    def pass_by() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            _die()

    def wrap(owner: Any, name: str, *, before: bool) -> None:
        inner = getattr(owner, name)

        def outer(*arguments: Any, **named: Any) -> Any:
            if before:
                pass_by()
            result = inner(*arguments, **named)
            if not before:
                pass_by()
            return result

        setattr(owner, name, outer)

    if point == "after_record":
        inner = collecting._record

        def record(*arguments: Any, **named: Any) -> Any:
            answer = inner(*arguments, **named)
            nonlocal armed
            armed = True
            return answer

        armed = False
        setattr(collecting, "_record", record)  # noqa: B010
        commit = Database.write

        def write(self: Database) -> Any:
            nonlocal armed
            if armed:
                armed = False
                pass_by()
            return commit(self)

        setattr(Database, "write", write)  # noqa: B010
        return
    for name in CALLS:
        wrap(SimulatedGateway, name, before=point == "before_call")


def live(market_url: str, gateway_url: str, order: dict[str, Any]) -> None:
    """One life."""
    if order.get("point"):
        _arrange(order["point"], int(order["passages"]))
    if order.get("seconds") is not None:
        threading.Timer(float(order["seconds"]), _die).start()
    clock = FixedClock(dt.datetime.fromisoformat(order["at"]))
    database = Database(market_url)
    gateway = SimulatedGateway(Database(gateway_url), clock)
    work = handlers(database, clock, Gateways((gateway,)))
    with database.write() as session:
        collecting.sweep(session, clock.now())
    while run_one(database, work, clock.now):
        pass


def main() -> None:
    """Fork a child for each order."""
    market_url, gateway_url = sys.argv[1:]
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                live(market_url, gateway_url, json.loads(line))
            finally:
                os._exit(0)
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print("killed" if killed else "done", flush=True)


if __name__ == "__main__":
    main()
