"""A nursery of servers: a warm process that forks `market serve` on demand, and ways for it to die.

    python -m tests.faults.child

Orders come in as JSON lines, `{"env": {…}, "log": path, "port": n, "death": plan}`; the child's pid goes out.
A forked server does what `market serve` does; it only need not import everything again, so that fifty
deaths fit into a minute. `death` kills the child from within at a named point, as `SIGKILL` does:

    before_commit    the writer has decided and written a batch, and is about to commit
    after_commit     the batch is on disk, nobody has been answered
    before_publish   the answers are handed over, nobody else has been told
    after_publish    everybody has been told
    between_work     the work that an ended lot left was claimed, its handler has not run
    after_work       its handler has committed, the end of the work is not recorded

with how often the point is passed unharmed first: `after_commit:17`. With `:stop` behind it the process is
not killed but stopped there, as by a machine that is paused, until somebody continues it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

PARENT_DEATH = 1


class Death:
    """Counts passages of a point, and kills (or, once, stops) this process at the last."""

    def __init__(self, passages: int, signal_: signal.Signals) -> None:
        self._left = passages
        self._signal = signal_
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left >= 0 or (self._signal is signal.SIGSTOP and self._left < -1):
                return
        os.kill(os.getpid(), self._signal)
        time.sleep(60 if self._signal is signal.SIGKILL else 0.2)  # the signal may take another thread first


def arrange(plan: str) -> None:
    """Put a death where the plan says. Named places of the standard parts are wrapped, none replaced."""
    from sqlalchemy.engine.default import DefaultDialect

    from auctions.bus import LocalBus
    from auctions.redis_bus import RedisBus

    point, passages, *how = plan.split(":")
    death = Death(int(passages), signal.SIGSTOP if how == ["stop"] else signal.SIGKILL)
    if point in ("before_commit", "after_commit"):
        commit = DefaultDialect.do_commit

        def do_commit(self: DefaultDialect, connection: Any) -> None:
            mine = threading.current_thread().name.startswith("auction-writer")
            if mine and point == "before_commit":
                death()
            commit(self, connection)
            if mine and point == "after_commit":
                death()

        for dialect in (DefaultDialect, *_subclasses(DefaultDialect)):
            if "do_commit" in vars(dialect):
                setattr(dialect, "do_commit", do_commit)  # noqa: B010
    elif point in ("before_publish", "after_publish"):
        for bus in (LocalBus, RedisBus):
            _wrap(bus, "publish", death, before=point == "before_publish")
    elif point in ("between_work", "after_work"):
        _wrap_handlers(death, before=point == "between_work")
    else:
        raise ValueError(plan)


def _subclasses(kind: type) -> list[type]:
    return [each for sub in kind.__subclasses__() for each in (sub, *_subclasses(sub))]


def _wrap(owner: Any, name: str, death: Death, *, before: bool) -> None:
    inner: Callable[..., Any] = getattr(owner, name)

    def outer(*arguments: Any, **named: Any) -> Any:
        if before:
            death()
        result = inner(*arguments, **named)
        if not before:
            death()
        return result

    setattr(owner, name, outer)


def _wrap_handlers(death: Death, *, before: bool) -> None:
    from web import settlement, worker

    inner = worker.handlers

    def handlers(parts: Any) -> dict[str, Any]:
        made = inner(parts)
        handler = made[settlement.KIND]

        def run(item: Any) -> None:
            if before:
                death()
            handler(item)
            if not before:
                death()

        return {**made, settlement.KIND: run}

    worker.handlers = handlers  # type: ignore[assignment]


def serve(order: dict[str, Any]) -> None:
    """What `market serve` does, in this process."""
    ctypes.CDLL(None).prctl(PARENT_DEATH, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((0, nothing), (1, log), (2, log)):
        os.dup2(new, old)
    os.environ.update(order["env"])
    if order.get("death"):
        arrange(order["death"])
    from web.cli_support import parts
    from web.serve import run

    run(parts(), port=order["port"])


def main() -> None:
    """Take orders until they end."""
    import web.app
    import web.cli
    import web.serve
    import web.worker  # noqa: F401

    assert len(os.listdir("/proc/self/task")) == 1, "a process with threads may not be forked"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print(json.dumps({"ready": True}), flush=True)
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                serve(order)
                code = 0
            except BaseException as error:
                sys.stderr.write(f"{error!r}\n")
                sys.stderr.flush()
            finally:
                os._exit(code)
        print(json.dumps({"pid": pid}), flush=True)


if __name__ == "__main__":
    main()
