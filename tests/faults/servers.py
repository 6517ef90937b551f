"""Real server processes for the fault tests: started, killed, frozen and stopped by their ids."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
KEY = bytes(range(32))
"""The private key that all servers of these tests sign receipts with."""


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def environment(folder: Path, url: str, port: int, redis: str | None = None) -> dict[str, str]:
    """The settings of one server: its own data folder, the shared database, the shared key."""
    values = {
        "MARKET_ENVIRONMENT": "test",
        "MARKET_DATA_DIR": str(folder),
        "MARKET_DATABASE_URL": url,
        "MARKET_BASE_URL": f"http://127.0.0.1:{port}",
        "MARKET_PORT": str(port),
        "MARKET_SECRET_KEY": "fault-tests",
        "MARKET_SIGNING_KEY": base64.b64encode(KEY).decode(),
        "MARKET_LOG_JSON": "true",
    }
    if redis:
        values["MARKET_REDIS_URL"] = redis
    return values


class Process:
    """A server process, held by a descriptor of its own: its id cannot be mistaken for another's."""

    def __init__(self, pid: int, port: int, log: Path) -> None:
        self.pid, self.port, self.log = pid, port, log
        self._fd = os.pidfd_open(pid)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return not select.select([self._fd], [], [], 0)[0]

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing when it has ended already."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._fd, number)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it came."""
        return bool(select.select([self._fd], [], [], seconds)[0])

    def kill(self) -> None:
        """Kill it at once and wait until it is gone."""
        self.send(signal.SIGKILL)
        if not self.wait(30):
            raise RuntimeError("a killed process is still there")

    @property
    def stopped(self) -> bool:
        """Whether it is stopped, by a signal, and not ended."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
        return False

    def listening(self) -> bool:
        """Whether somebody listens on its port."""
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def wait_listening(self, seconds: float = 150.0) -> None:
        """Wait until it serves. Raises RuntimeError, with what it has written, when it ends instead."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.listening():
                return
            if not self.alive:
                break
            time.sleep(0.01)
        raise RuntimeError("the server does not serve: " + self.log.read_text(errors="replace")[-4000:])


class Nursery:
    """Forks servers from a warm process; see `tests.faults.child`."""

    def __init__(self) -> None:
        self._warm = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self._children: list[Process] = []
        assert self._line() == {"ready": True}

    def _line(self) -> dict[str, Any]:
        assert self._warm.stdout is not None
        value: dict[str, Any] = json.loads(self._warm.stdout.readline())
        return value

    def serve(self, env: dict[str, str], *, death: str | None = None) -> Process:
        """Start a server. `death` is a plan of `tests.faults.child.arrange`."""
        assert self._warm.stdin is not None
        port, log = int(env["MARKET_PORT"]), Path(env["MARKET_DATA_DIR"], "server.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        order = {"env": env, "log": str(log), "port": port, "death": death}
        self._warm.stdin.write(json.dumps(order) + "\n")
        self._warm.stdin.flush()
        process = Process(self._line()["pid"], port, log)
        self._children = [child for child in self._children if child.alive] + [process]
        return process

    def close(self) -> None:
        """Kill what is left."""
        for child in self._children:
            child.send(signal.SIGCONT)
            child.kill()
        for pipe in (self._warm.stdin, self._warm.stdout):
            assert pipe is not None
            pipe.close()
        self._warm.wait(30)


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    """A nursery, closed at the end with everything that lives in it."""
    warm = Nursery()
    try:
        yield warm
    finally:
        warm.close()


@contextlib.contextmanager
def market_serve(env: dict[str, str]) -> Iterator[Process]:
    """The command `market serve` itself, killed at the end if it still runs."""
    folder = Path(env["MARKET_DATA_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "server.log"
    with log.open("ab") as out:
        started = subprocess.Popen(
            [sys.executable, "-m", "web", "serve"], cwd=ROOT, stdout=out, stderr=out,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
        )  # fmt: skip
    process = Process(started.pid, int(env["MARKET_PORT"]), log)
    try:
        yield process
    finally:
        process.send(signal.SIGCONT)
        process.send(signal.SIGKILL)
        started.wait(30)


class Redis:
    """A Redis server of our own that can be killed and started again on the same port."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [
            str(program), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
            "--dir", str(folder),
        ]  # fmt: skip
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._server = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        Process(self._server.pid, self.port, Path(os.devnull)).wait_listening()

    def kill(self) -> None:
        """Kill it; nothing when it does not run."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(30)
            self._server = None


def descendants(pid: int) -> list[int]:
    """A process and all that come of it, itself first."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(child) for child in task.read_text().split()]
    return found


@contextlib.contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process and all that come of it while the block runs."""
    pids = descendants(pid)
    for each in pids:
        os.kill(each, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in reversed(pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGCONT)
