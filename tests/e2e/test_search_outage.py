"""A served market whose search server is killed and comes back with nothing: all of them processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from market.clock import SystemClock
from market.db import Database
from tests import factories
from tests.e2e.conftest import Served, free_port

WORD = "泵"
NOTICES = {
    "zh-Hans": "暂时无法连接搜索引擎，以下结果来自最近一次的索引，可能缺少最新的变动。",
    "en": "The search engine cannot be reached. What follows comes from the last known index; "
    "the newest changes may be missing.",
}


class SearchServer:
    """The stand-in for Meilisearch as a process; its index goes with it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.meilisearch_server", str(self.port)], cwd=Path(__file__).parents[2]
        )
        until("the search server answers", lambda: reachable(f"{self.url}/health"))

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def entries(self) -> int:
        """What it holds of the market."""
        try:
            with urllib.request.urlopen(f"{self.url}/indexes/market/stats", timeout=10) as answer:
                return int(json.load(answer)["numberOfDocuments"])
        except urllib.error.HTTPError:
            return 0


def reachable(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10):
            return True
    except OSError:
        return False


def until(what: str, there: Callable[[], bool]) -> None:
    for _ in range(600):
        if there():
            return
        time.sleep(0.1)
    raise AssertionError(f"it does not happen that {what}")


def found(served: Served, word: str = WORD) -> dict[str, Any]:
    """What the API finds."""
    with urllib.request.urlopen(
        f"{served.url}/api/v1/search?q={urllib.parse.quote(word)}", timeout=60
    ) as answer:
        return dict(json.load(answer))


def page(served: Served, path: str, language: str) -> str:
    request = urllib.request.Request(served.url + path, headers={"cookie": f"lang={language}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
        return str(answer.read().decode())


def add_results(folder: Path, count: int) -> list[int]:
    database, now = Database(f"sqlite:///{folder / 'market.db'}"), SystemClock().now()
    with database.write() as session:
        (owner,) = factories.organisations(session, now, "university", 1, 1_000)
        ids = factories.results(session, now, [owner], count)
    database.dispose()
    return ids


@pytest.fixture
def search_server() -> Iterator[SearchServer]:
    server = SearchServer()
    server.start()
    yield server
    server.kill()


def test_pages_go_on_without_the_search_server_and_it_catches_up_by_itself(
    serve: Callable[..., Served], search_server: SearchServer
) -> None:
    served = serve(
        lambda variables: add_results(Path(variables["MARKET_DATA_DIR"]), 12),
        MARKET_SEARCH="meilisearch",
        MARKET_MEILISEARCH_URL=search_server.url,
    )
    search = f"/search?q={urllib.parse.quote(WORD)}"
    until("the server holds the market's entries", lambda: search_server.entries() == 12)
    until("the server answers for the market", lambda: found(served)["state"] == "ready")
    before = found(served)["total"]
    assert before > 0
    for language, notice in NOTICES.items():
        assert notice not in page(served, search, language)

    search_server.kill()
    assert found(served)["state"] == "stale"
    assert found(served)["total"] == before
    for language, notice in NOTICES.items():
        told = page(served, search, language)
        assert notice in told
        assert "/results/" in told
        for path in ("/", "/results", "/demands", "/search/suggestions?q=" + urllib.parse.quote(WORD)):
            page(served, path, language)

    search_server.start()
    assert search_server.entries() == 0, "it has forgotten everything"
    until("the server has caught up", lambda: search_server.entries() == 12)
    until("the notice is gone", lambda: found(served)["state"] == "ready")
    assert found(served)["total"] == before
    for language, notice in NOTICES.items():
        assert notice not in page(served, search, language)
