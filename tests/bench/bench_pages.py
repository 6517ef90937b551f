"""Requests a second of the main pages, beside a bare application that renders the same thing.

    python -m tests.bench.bench_pages [--seconds 2] [--runs 3] [--connections 4] [--only NAME]

The market is served as by `market serve`, on SQLite, with 2,000 results and 1,000 demands. The floor is a
FastAPI application in a process of its own whose handlers do nothing but render the same template with
the same context, recorded from the real page, into an answer of the same size: no database, no session, no
rights, no search. Both are asked in turn by a load generator in a third process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import Template

from market.clock import SystemClock
from market.db import Database
from market.permissions import Role
from matching.indexer import reindex
from tests import factories
from tests.bench.floor import emit, in_turn, load_average, median, say
from web import wiring
from web.app import create_app
from web.deps import COOKIE
from web.settings import WorkerMode, load

SIZE = {"results_": 2000, "demands_": 1000, "lots_": 12, "bids": 40, "contracts_": 200, "enquiries_": 60}
PAGES: list[tuple[str, str, Role | None]] = [
    ("home", "/", None),
    ("results", "/results", None),
    ("result", "/results/20", None),
    ("demands", "/demands", None),
    ("demand", "/demands/20", None),
    ("search", "/search?q=" + urllib.parse.quote("自吸泵"), None),
    ("lots", "/lots", None),
    ("live-room", "/lots/1", None),
    ("statistics", "/statistics", None),
    ("organisations", "/organisations", None),
    ("workbench", "/workbench", Role.STAFF),
]
COOKIES = "BENCH_COOKIES"


def prepare(folder: Path) -> dict[Role, str]:
    """Fill the market in a folder; the cookies of its people."""
    import migrations

    os.environ["MARKET_DATA_DIR"] = str(folder)
    settings = load()
    database = Database(settings.database_address)
    migrations.upgrade(database)
    parts = wiring.build(settings, db=database)
    market = factories.fill(database, SystemClock().now(), **SIZE)
    parts.index.acquire()
    reindex(database, parts.index)
    parts.close()
    return {role: f"{COOKIE}={account.cookie}" for role, account in market.accounts.items()}


def floor_app() -> FastAPI:
    """The bare application: made by uvicorn in a process of its own, over the same market."""
    from starlette.testclient import TestClient

    parts = wiring.build(load().model_copy(update={"worker": WorkerMode.SEPARATE}))
    client = TestClient(create_app(parts), headers={"accept-language": "zh"})
    cookies = dict(pair.split(":", 1) for pair in os.environ[COOKIES].split(","))
    recorded: list[tuple[Template, dict[str, Any]]] = []
    render = Template.render

    def note(template: Template, *arguments: Any, **more: Any) -> str:
        recorded.append((template, dict(*arguments, **more)))
        return render(template, *arguments, **more)

    bare = FastAPI()

    def add(path: str, template: Template, values: dict[str, Any]) -> None:
        @bare.get(path.partition("?")[0])
        async def page() -> HTMLResponse:
            return HTMLResponse(template.render(values))

    for name, path, role in PAGES:
        headers = {"cookie": cookies[role.value]} if role else {}
        client.get(path, headers=headers)  # what is kept between requests is kept before it is recorded
        recorded.clear()
        Template.render = note  # type: ignore[method-assign,assignment]
        try:
            answer = client.get(path, headers=headers)
        finally:
            Template.render = render  # type: ignore[method-assign]
        if answer.status_code != 200:
            raise RuntimeError(f"{name}: {answer.status_code}")
        # The page's own template is rendered last; parts that handlers render before it are in its context.
        template, values = recorded[-1]
        if render(template, values) != answer.text:
            say(
                f"{name}: the recorded context renders {len(render(template, values))} of {len(answer.text)} characters"
            )
        add(path, template, values)
    return bare


@contextmanager
def serving(command: list[str], port: int, path: str, folder: Path) -> Iterator[None]:
    """A server in a process of its own, until the block is left."""
    environment = {**os.environ, "MARKET_PORT": str(port), "MARKET_BASE_URL": f"http://127.0.0.1:{port}"}
    log = folder / f"serve-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, *command], env=environment, stdout=output, stderr=output)
    try:
        for _ in range(600):
            if process.poll() is not None:
                raise RuntimeError(log.read_text(errors="replace")[-3000:])
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(60)


def rate(port: int, path: str, cookie: str, options: argparse.Namespace) -> tuple[float, int]:
    """One run of the load generator."""
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.bench.load", str(port), path, str(options.seconds),
            str(options.connections), cookie,
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    figure, size = done.stdout.split()
    return float(figure), int(size)


def free_port() -> int:
    """A port nobody listens on."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a run")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn")
    parser.add_argument("--connections", type=int, default=4, help="kept alive at a time")
    parser.add_argument("--only", default="", help="one page")
    options = parser.parse_args()
    say(load_average())
    rows = []
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        folder = Path(name)
        cookies = prepare(folder)
        os.environ[COOKIES] = ",".join(f"{role.value}:{cookie}" for role, cookie in cookies.items())
        market, bare = free_port(), free_port()
        uvicorn = [
            "-m", "uvicorn", "--factory", "tests.bench.bench_pages:floor_app", "--host", "127.0.0.1",
            "--port", str(bare), "--no-access-log", "--log-level", "warning",
        ]  # fmt: skip
        with serving(["-m", "web", "serve"], market, "/health", folder), serving(uvicorn, bare, "/", folder):
            for page, path, role in PAGES:
                if options.only not in ("", page):
                    continue
                cookie = cookies[role] if role else ""
                sizes = [warm(port, path, cookie, options) for port in (market, bare)]
                figures = in_turn(
                    options.runs,
                    {
                        "market": lambda path=path, cookie=cookie: rate(market, path, cookie, options)[0],  # type: ignore[misc]
                        "floor": lambda path=path, cookie=cookie: rate(bare, path, cookie, options)[0],  # type: ignore[misc]
                    },
                )
                real, least = median(figures["market"]), median(figures["floor"])
                say(
                    f"{page:<14} {real:8,.0f}/s  floor {least:8,.0f}/s  ratio {real / least:.2f}  "
                    f"{sizes[0] / 1024:.0f} KiB (floor {sizes[1] / 1024:.0f})"
                )
                rows.append(
                    {
                        "bench": "pages",
                        "page": page,
                        "rps": round(real, 1),
                        "floor_rps": round(least, 1),
                        "ratio": round(real / least, 3),
                        "bytes": sizes[0],
                    }
                )
    say(load_average())
    emit(rows)


def warm(port: int, path: str, cookie: str, options: argparse.Namespace) -> int:
    """Ask for a page once, however long that takes, then for a moment; the size of its body."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept-Language": "zh"})
    if cookie:
        request.add_header("Cookie", cookie)
    urllib.request.urlopen(request, timeout=60).close()
    short = argparse.Namespace(**{**vars(options), "seconds": 0.5})
    return rate(port, path, cookie, short)[1]


if __name__ == "__main__":
    main()
