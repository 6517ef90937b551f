"""Search goes on without its server, and the server catches up by itself. Each fault on both databases."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from market.db import Database, t
from market.dirty import DirtyMark, mark_dirty
from market.listings.models import Result
from matching.embedded.index import TantivyIndex
from matching.index import IndexState
from matching.indexer import Indexer
from matching.meilisearch import index as meilisearch_index
from matching.meilisearch.client import Connection, Patience, TaskFailed, Trouble
from matching.meilisearch.index import MeilisearchIndex
from matching.models import Synonyms
from matching.spared_index import SparedIndex
from matching.synonyms import MARK
from tests.matching.rows import AT, Rows
from tests.meilisearch_server import MeilisearchServer, running

KEY = "a-key-that-nobody-may-read"
QUICK = Patience(connect=2, question=5, change=5, task=30, probe=2, pause=0.0)
"""Enough for a busy machine: only a server that is made to stand still is waited for, and then with HASTY."""
HASTY = Patience(connect=2, question=0.2, change=0.2, task=30, probe=0.2, pause=0.0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MeilisearchServer]:
    monkeypatch.setattr(meilisearch_index, "_FOLLOW_SECONDS", 0.0)
    with running(keys={KEY: {"*"}}) as one:
        yield one


class Market:
    """A market with two results, whose index is kept by hand."""

    def __init__(self, db: Database, server: MeilisearchServer, folder: Path) -> None:
        self.db, self.server, self.folder = db, server, folder
        with db.write() as session:
            rows = Rows(session)
            self.pump = rows.result("高效节能离心泵")
            self.lathe = rows.result("数控机床主轴温升补偿", industry_code="machine-tools")
        self.open()

    def open(self, patience: Patience = QUICK) -> None:
        """The index and its indexer as a process has them."""
        embedded = TantivyIndex(self.folder / "index")
        connection = Connection(self.server.url, KEY, patience)
        memory = self.folder / "index" / "confirmed"
        engine = MeilisearchIndex(connection, counts=embedded.rarity, memory=memory)
        self.engine, self.index = engine, SparedIndex(engine, embedded)
        self.indexer = Indexer(self.db, self.index)

    def rename(self, title: str) -> None:
        """Edit the first result."""
        with self.db.write() as session:
            session.execute(sa.update(t(Result)).where(t(Result).c.id == self.pump).values(title=title))
            mark_dirty(session, "result", self.pump)

    def marks(self) -> int:
        with self.db.read() as session:
            return session.execute(sa.select(sa.func.count()).select_from(t(DirtyMark))).scalar_one()

    def found(self, words: str) -> list[int]:
        return [hit.key.id for hit in self.index.search(words).hits]

    def on_the_server(self, words: str) -> list[int]:
        return [hit.key.id for hit in self.engine.search(words).hits]

    def settle(self) -> None:
        """Step until nothing is left to do."""
        while self.indexer.step():
            pass


@pytest.fixture
def market(database: Database, server: MeilisearchServer, tmp_path: Path) -> Iterator[Market]:
    one = Market(database, server, tmp_path)
    yield one
    server.fault = ""
    one.index.close()


@pytest.fixture
def ready(market: Market) -> Market:
    market.settle()
    assert market.index.state is IndexState.READY
    return market


def test_both_are_built_and_the_server_answers(ready: Market) -> None:
    asked = len(ready.server.requests)
    assert ready.found("离心泵") == [ready.pump]
    assert "POST /multi-search" in ready.server.requests[asked:]
    assert ready.index.spare.count() == ready.engine.count() == 2
    assert ready.marks() == 0


def test_suggestions_and_frequencies_need_no_network(ready: Market) -> None:
    asked = len(ready.server.requests)
    assert ready.index.suggest("离心")
    assert ready.index.rarity().frequency("离心泵") == 1
    assert not [one for one in ready.server.requests[asked:] if "multi-search" in one]


class TestOutOfReach:
    def test_dead_at_the_start(self, market: Market) -> None:
        market.server.stop()
        assert market.index.state is IndexState.BUILDING
        market.indexer.step()
        assert market.index.state is IndexState.STALE
        assert market.found("离心泵") == [market.pump]
        assert market.marks() == 2, "what the server lacks stays marked"
        with pytest.raises(Trouble):
            market.indexer.step()
        market.server.start()
        market.settle()
        assert market.index.state is IndexState.READY
        assert market.on_the_server("离心泵") == [market.pump]
        assert market.marks() == 0

    def test_dies_in_the_middle_of_a_search(self, ready: Market) -> None:
        ready.server.dying.append("multi_search")
        assert ready.found("离心泵") == [ready.pump]
        assert ready.index.state is IndexState.STALE
        ready.server.start()
        assert ready.index.state is IndexState.READY

    @pytest.mark.parametrize("fault", ["error", "garbage", "slow"])
    def test_answers_what_it_must_not_or_not_at_all(self, ready: Market, fault: str) -> None:
        if fault == "slow":
            ready.index.close()
            ready.open(HASTY)
        ready.server.fault = fault
        assert ready.found("离心泵") == [ready.pump]
        assert ready.index.candidates("离心泵", "", "result")
        assert ready.index.state is IndexState.STALE
        assert (ready.index.count(), len(list(ready.index.keys()))) == (2, 2)
        ready.server.fault = ""
        ready.index.close()
        ready.open()
        assert ready.index.state is IndexState.READY

    def test_what_was_known_of_a_dead_server_is_not_held_to_be_so_still(
        self, ready: Market, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(meilisearch_index, "_FOLLOW_SECONDS", 3600.0)
        ready.server.stop()
        for _ in range(3):
            assert ready.found("离心泵") == [ready.pump]
            assert ready.index.state is IndexState.STALE
        assert "is back" not in caplog.text
        ready.server.start()
        assert ready.index.state is IndexState.READY

    def test_dies_in_the_middle_of_a_change(self, ready: Market) -> None:
        ready.server.dying.append("add_documents")
        ready.rename("石墨烯散热膜")
        with pytest.raises(Trouble):
            ready.indexer.step()
        assert ready.marks() == 1
        assert ready.found("石墨烯") == [ready.pump], "the spare has it already"
        ready.server.start()
        ready.settle()
        assert ready.on_the_server("石墨烯") == [ready.pump]
        assert ready.marks() == 0

    @pytest.mark.parametrize("step", ["create_index", "update_settings", "add_documents", "swap", "get_task"])
    def test_dies_in_the_middle_of_a_rebuild(self, ready: Market, step: str) -> None:
        ready.index.request_rebuild()
        ready.server.dying.append(step)
        with pytest.raises(Trouble):
            ready.indexer.step()
        assert ready.found("离心泵") == [ready.pump]
        ready.server.start()
        assert ready.index.rebuild_requested(), "the wish outlives the attempt"
        ready.settle()
        assert not ready.index.rebuild_requested()
        assert ready.on_the_server("离心泵") == [ready.pump]

    def test_a_wish_made_meanwhile_is_granted_afterwards(self, ready: Market) -> None:
        before = ready.index.generation
        ready.server.stop()
        ready.index.request_rebuild()
        ready.server.start()
        ready.settle()
        assert ready.index.generation > before
        assert not ready.index.rebuild_requested()

    def test_synonyms_edited_meanwhile(self, ready: Market) -> None:
        ready.server.stop()
        with ready.db.write() as session:
            session.add(Synonyms(words=["离心泵", "锦葵机"], note="", updated_at=AT))
            mark_dirty(session, MARK, 0)
        with pytest.raises(Trouble):
            ready.indexer.step()
        assert ready.found("锦葵机") == [ready.pump]
        ready.server.start()
        ready.settle()
        assert ready.on_the_server("锦葵机") == [ready.pump]

    def test_the_stamp_tells_who_answers(self, ready: Market) -> None:
        before = ready.index.stamp
        assert ready.index.stamp == before
        ready.server.stop()
        away = ready.index.stamp
        assert away != before
        ready.server.start()
        assert ready.index.stamp not in (before, away)


class TestWhatIsLost:
    def test_a_task_that_fails_leaves_the_mark(self, ready: Market) -> None:
        ready.server.failing.append("documentAdditionOrUpdate")
        ready.rename("石墨烯散热膜")
        with pytest.raises(TaskFailed, match="no space left"):
            ready.indexer.step()
        assert ready.marks() == 1
        assert ready.index.state is IndexState.READY, "one failed change is no outage"
        ready.settle()
        assert ready.on_the_server("石墨烯") == [ready.pump]

    @pytest.mark.parametrize(
        "kind", ["indexCreation", "settingsUpdate", "documentAdditionOrUpdate", "indexSwap"]
    )
    def test_a_rebuild_whose_task_fails_leaves_the_old_index(self, ready: Market, kind: str) -> None:
        ready.index.request_rebuild()
        ready.server.failing.append(kind)
        with pytest.raises(TaskFailed):
            ready.indexer.step()
        assert ready.on_the_server("离心泵") == [ready.pump]
        assert ready.index.rebuild_requested()
        ready.settle()
        assert not ready.index.rebuild_requested()

    def test_everything(self, ready: Market) -> None:
        before = ready.index.generation
        ready.server.lose_everything()
        assert ready.index.state is IndexState.STALE
        assert ready.found("离心泵") == [ready.pump]
        ready.settle()
        assert ready.index.state is IndexState.READY
        assert ready.on_the_server("离心泵") == [ready.pump]
        assert ready.index.generation > before

    def test_an_older_backup_is_noticed_even_after_a_restart(self, ready: Market) -> None:
        backup = ready.server.copy()
        ready.rename("石墨烯散热膜")
        ready.settle()
        ready.index.close()
        ready.server.restore(backup)
        ready.open()
        assert ready.on_the_server("石墨烯") == []
        ready.settle()
        assert ready.on_the_server("石墨烯") == [ready.pump]

    def test_an_empty_spare_is_built_while_the_server_answers(self, ready: Market, tmp_path: Path) -> None:
        ready.index.close()
        ready.folder = tmp_path / "another"
        ready.open()
        assert ready.index.state is IndexState.READY
        ready.settle()
        ready.server.stop()
        assert ready.found("离心泵") == [ready.pump]


class TestPatience:
    def test_a_server_in_trouble_is_left_alone(self, ready: Market) -> None:
        ready.index.close()
        ready.open(Patience(pause=3600.0, longest_pause=3600.0))
        assert ready.found("离心泵") == [ready.pump]
        ready.server.fault = "error"
        before = len(ready.server.requests)
        for _ in range(50):
            assert ready.found("离心泵") == [ready.pump]
            assert ready.index.state is IndexState.STALE
        assert len(ready.server.requests) - before == 1

    def test_after_the_pause_one_look_goes_before_the_question(self, ready: Market) -> None:
        ready.server.fault = "error"
        assert ready.found("离心泵") == [ready.pump]
        before = len(ready.server.requests)
        ready.found("离心泵")
        assert set(ready.server.requests[before:]) == {"GET /health"}

    def test_an_outage_is_logged_once_and_without_the_key(
        self, ready: Market, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        ready.server.keys = {"another": {"*"}}
        for _ in range(5):
            assert ready.found("离心泵") == [ready.pump]
        assert ready.index.state is IndexState.STALE
        told = [record for record in caplog.records if record.name == "matching.spared_index"]
        assert len(told) == 1
        assert "403" in told[0].getMessage()
        assert KEY not in caplog.text
        ready.server.keys = {}
        assert ready.index.state is IndexState.READY
        assert "is back" in caplog.text

    def test_a_server_that_is_too_old_is_not_used(self, ready: Market) -> None:
        ready.index.close()
        ready.server.version_text = "1.13.3"
        ready.open()
        assert ready.found("离心泵") == [ready.pump]
        assert ready.index.state is IndexState.STALE
        assert ready.index.trouble == "Meilisearch 1.13.3 is too old: 1.14 or newer is needed"
