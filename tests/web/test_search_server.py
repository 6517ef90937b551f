"""A market whose searches are answered by a Meilisearch server: settings, wiring, the doctor, two machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient

from market.clock import FixedClock
from market.db import Database
from matching.embedded.index import TantivyIndex
from matching.index import IndexState
from matching.index_lock import AdvisoryLock
from matching.indexer import Indexer
from matching.meilisearch import index as meilisearch_index
from matching.meilisearch.client import Connection, Patience
from matching.meilisearch.index import MeilisearchIndex
from matching.spared_index import SparedIndex
from tests.conftest import make_database
from tests.matching.rows import Rows
from tests.meilisearch_server import MeilisearchServer, running
from web import doctor, wiring
from web.app import create_app
from web.mail import MemoryMailer
from web.settings import Environment, Settings, WorkerMode
from web.spare_work import Keeper

KEY = "a-key-that-nobody-may-read"
Machine = Callable[[str], wiring.Parts]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MeilisearchServer]:
    monkeypatch.setattr(meilisearch_index, "_FOLLOW_SECONDS", 0.0)
    with running(keys={KEY: {"*"}}) as one:
        yield one


@pytest.fixture
def postgres(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    yield from make_database("postgresql", request, tmp_path)


def machine(server: MeilisearchServer, folder: Path, db: Database, clock: FixedClock) -> wiring.Parts:
    """A market's process with a data folder of its own. The server is never given time to rest."""
    settings = Settings(
        environment=Environment.TEST,
        data_dir=folder,
        database_url=db.url.render_as_string(hide_password=False),
        base_url="http://testserver",
        worker=WorkerMode.SEPARATE,
        search="meilisearch",
        meilisearch_url=server.url,
        meilisearch_key=KEY,
    )
    parts = wiring.build(settings, clock=clock, monotonic=None, db=db, mailer=MemoryMailer())
    assert isinstance(parts.index, SparedIndex)
    assert isinstance(parts.index.engine, MeilisearchIndex)
    parts.index.engine.connection = Connection(server.url, KEY, Patience(pause=0.0))
    return parts


@pytest.fixture
def parts(
    server: MeilisearchServer, database: Database, tmp_path: Path, clock: FixedClock
) -> Iterator[wiring.Parts]:
    with database.write() as session:
        Rows(session).result("高效节能离心泵")
    one = machine(server, tmp_path / "data", database, clock)
    yield one
    one.index.close()


def settle(parts: wiring.Parts) -> None:
    while Indexer(parts.db, parts.index).step():
        pass


class TestSettings:
    def test_the_engine_needs_its_address(self) -> None:
        with pytest.raises(ValidationError, match="MARKET_MEILISEARCH_URL"):
            Settings(search="meilisearch")

    def test_the_embedded_index_is_the_default(self, database: Database, tmp_path: Path) -> None:
        index = wiring.make_index(Settings(data_dir=tmp_path), database)
        assert isinstance(index, TantivyIndex)
        index.close()

    def test_a_prefix_is_a_name_that_the_server_takes(self) -> None:
        with pytest.raises(ValidationError):
            Settings(meilisearch_prefix="a/b")

    def test_the_key_is_not_printed(self) -> None:
        assert KEY not in repr(Settings(meilisearch_key=KEY))

    def test_production_asks_for_a_key(self) -> None:
        with pytest.raises(ValidationError, match="MARKET_MEILISEARCH_KEY"):
            Settings(environment="production", search="meilisearch", meilisearch_url="http://search")


class TestPages:
    def test_the_search_page_answers_with_and_without_the_server(
        self, parts: wiring.Parts, server: MeilisearchServer
    ) -> None:
        settle(parts)
        client = TestClient(create_app(parts), headers={"accept-language": "en"})
        assert "高效节能" in client.get("/search?q=离心泵").text.replace("<mark>", "").replace("</mark>", "")
        server.stop()
        page = client.get("/search?q=离心泵")
        assert page.status_code == 200
        assert "高效节能" in page.text.replace("<mark>", "").replace("</mark>", "")
        assert parts.index.state is IndexState.STALE

    def test_a_dead_server_does_not_keep_a_process_from_starting(
        self, server: MeilisearchServer, database: Database, tmp_path: Path, clock: FixedClock
    ) -> None:
        server.stop()
        parts = machine(server, tmp_path / "data", database, clock)
        client = TestClient(create_app(parts))
        assert client.get("/search?q=离心泵").status_code == 200
        parts.index.close()


class TestDoctor:
    def searches(self, parts: wiring.Parts, language: str = "en") -> dict[str, doctor.Check]:
        return {one.part: one for one in doctor.examine(parts, language) if one.part.startswith("search")}

    def test_a_sound_server(self, parts: wiring.Parts, server: MeilisearchServer) -> None:
        settle(parts)
        checks = self.searches(parts)
        assert checks["search"].ok
        assert checks["search"].state == f"version {server.version_text}, writes and finds, 1 documents"
        assert checks["search spare"].state == "1 documents"

    def test_what_is_wrong_is_said_in_both_languages(
        self, parts: wiring.Parts, server: MeilisearchServer
    ) -> None:
        server.version_text = "1.2.0"
        check = self.searches(parts)["search"]
        assert not check.ok
        assert check.state == "The search server runs Meilisearch 1.2.0; 1.14 or newer is needed: upgrade it."
        assert "请先升级" in self.searches(parts, "zh-Hans")["search"].state
        server.keys = {KEY: {"version", "indexes.*", "tasks.get"}}
        server.version_text = "1.20.0"
        assert "settings.update" in self.searches(parts)["search"].state
        server.stop()
        told = self.searches(parts)["search"].state
        assert "out of reach" in told
        assert KEY not in told


class TestSeveralMachines:
    def test_the_database_tells_which_may_change_the_index(self, postgres: Database) -> None:
        one, other = AdvisoryLock(postgres, "index"), AdvisoryLock(postgres, "index")
        another_market = AdvisoryLock(postgres, "another index")
        assert one.acquire()
        assert one.acquire()
        assert not other.acquire()
        assert another_market.acquire()
        one.release()
        assert other.acquire()
        assert not one.acquire()
        other.release()
        another_market.release()

    def test_a_lock_whose_connection_has_died_is_lost(self, postgres: Database) -> None:
        one, other = AdvisoryLock(postgres, "index"), AdvisoryLock(postgres, "index")
        assert one.acquire()
        with postgres.engine.connect() as connection:
            # Of this database alone: others are tested on the same server. It waits until the backend is gone.
            ended = connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory'"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            assert ended.scalars().all() == [True]
        assert other.acquire()
        assert not one.acquire()
        other.release()

    def test_the_second_machine_keeps_a_spare_and_takes_over(
        self, server: MeilisearchServer, postgres: Database, tmp_path: Path, clock: FixedClock
    ) -> None:
        with postgres.write() as session:
            Rows(session).result("高效节能离心泵")
        first = machine(server, tmp_path / "first", postgres, clock)
        second = machine(server, tmp_path / "second", postgres, clock)
        settle(first)
        assert Indexer(postgres, second.index).step() == 0
        assert second.index.search("离心泵").total == 1
        server.stop()
        assert second.index.search("离心泵").total == 0, "its spare is empty so far"
        Keeper(first)()
        Keeper(second)()
        assert second.index.search("离心泵").total == 1
        assert second.index.state is IndexState.STALE
        server.start()
        first.index.close()
        assert second.index.acquire()
        second.index.close()

    def test_keeping_a_spare_leaves_the_marks_to_the_index(
        self, server: MeilisearchServer, postgres: Database, tmp_path: Path, clock: FixedClock
    ) -> None:
        first = machine(server, tmp_path / "first", postgres, clock)
        second = machine(server, tmp_path / "second", postgres, clock)
        settle(first)
        with postgres.write() as session:
            Rows(session).result("高效节能离心泵")
        Keeper(second)()
        Keeper(second)()
        assert first.index.search("离心泵").total == 0
        settle(first)
        assert first.index.search("离心泵").total == 1
        first.index.close()
        second.index.close()
