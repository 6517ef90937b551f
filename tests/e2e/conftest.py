"""A served market in a process of its own, and a browser."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import services
from tests.conftest import missing
from tests.e2e import canaries

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BROWSER_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
LOGS: list[Path] = []
"""What the servers of this session wrote, for `nothing_leaked`."""
HOW_BROWSER = "install Chromium (Debian: apt-get install chromium fonts-noto-cjk) or set MARKET_TEST_CHROMIUM"


@dataclass
class Served:
    """A running market."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    def market(
        self, *arguments: str, check: bool = True, typed: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the same market; `typed` is its standard input."""
        return subprocess.run(
            [sys.executable, "-m", "web", *arguments],
            env=self.environment, check=check, capture_output=True, text=True, input=typed,
        )  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path, port: int, **settings: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MARKET_")}
    return {
        **clean,
        "MARKET_DATA_DIR": str(folder),
        "MARKET_PORT": str(port),
        "MARKET_BASE_URL": f"http://127.0.0.1:{port}",
        **settings,
    }


def run_market(variables: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command; its output is shown when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "web", *arguments], env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
    return done


def start(folder: Path, variables: dict[str, str], port: int) -> Served:
    """Serve until told to stop; returns when it answers."""
    LOGS.append(folder / "serve.log")
    with LOGS[-1].open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "web", "serve"], env=variables, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    for _ in range(900):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
                if answer.status == 200:
                    return Served(url, folder, process, variables)
        except OSError:
            time.sleep(0.1)
    process.kill()
    process.wait()
    raise RuntimeError((folder / "serve.log").read_text(errors="replace")[-4000:])


def stop(served: Served) -> None:
    served.process.send_signal(signal.SIGTERM)
    try:
        served.process.wait(30)
    except subprocess.TimeoutExpired:
        served.process.kill()
        served.process.wait()


def leaks(logs: list[Path]) -> list[str]:
    """Card numbers, secrets and payers' data in logs, with the file."""
    return [
        f"{log}: {one}"
        for log in logs
        if log.exists()
        for one in canaries.found_in(log.read_text(encoding="utf-8", errors="replace"))
    ]


@pytest.fixture(scope="session", autouse=True)
def nothing_leaked() -> Iterator[None]:
    """When all is over, no server that was started here has written what none may write."""
    yield
    assert leaks(LOGS) == []


@pytest.fixture(scope="session")
def demo_market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """What `make run` serves, on a free port."""
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    variables = environment(folder, port, MARKET_DEMO="true")
    run_market(variables, "migrate")
    run_market(variables, "demo")
    served = start(folder, variables, port)
    yield served
    stop(served)


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Makes an empty market and serves it: `serve(prepare=…, MARKET_…=…)`."""
    running: list[Served] = []

    def run(prepare: Callable[[dict[str, str]], None] | None = None, **settings: str) -> Served:
        folder, port = tmp_path_factory.mktemp("market"), free_port()
        variables = environment(folder, port, **settings)
        run_market(variables, "migrate")
        if prepare is not None:
            prepare(variables)
        running.append(start(folder, variables, port))
        return running[-1]

    yield run
    for served in running:
        stop(served)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; skipped, with how to get it, where there is none.

    It ends with its module: while it is open its thread has a running event loop, and no other test of
    the process could start one.
    """
    program = services.chromium()
    if program is None:
        missing("Chromium", HOW_BROWSER)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=BROWSER_FLAGS)
        yield found
        found.close()
