import threading
from typing import Any

import pytest
import sqlalchemy as sa

from market.db import Database, t
from market.demands.models import Demand
from market.dirty import DirtyMark, clear_marks, mark_dirty, read_marks
from market.listings.models import ListingState, Result
from matching import documents, indexer
from matching.documents import Document, Key, Kind
from matching.embedded import index as tantivy_index
from matching.embedded.index import TantivyIndex
from matching.index import IndexState
from matching.indexer import Indexer, await_rebuild, drain, reindex
from matching.models import Synonyms
from matching.synonyms import MARK
from tests.matching.rows import AT, Rows


@pytest.fixture
def index() -> TantivyIndex:
    return TantivyIndex(None)


@pytest.fixture
def ready(index: TantivyIndex) -> TantivyIndex:
    with index.rebuild():
        pass
    return index


def marks(db: Database) -> int:
    with db.read() as session:
        return session.execute(sa.select(sa.func.count()).select_from(t(DirtyMark))).scalar_one()


def change(db: Database, model: Any, row_id: int, **values: Any) -> None:
    kind = "result" if model is Result else "demand"
    with db.write() as session:
        session.execute(sa.update(t(model)).where(t(model).c.id == row_id).values(**values))
        mark_dirty(session, kind, row_id)


class TestDocuments:
    def test_a_result_is_read_whole(self, database: Database) -> None:
        with database.write() as session:
            rows = Rows(session)
            number = rows.result(
                "高效离心泵",
                "叶轮",
                patent="200710308494.X",
                keywords=["水泵", "节能"],
                ipc=["F04D 29/42"],
                trl=7,
                modes=["licence"],
                price_low_fen=100,
                inventors=["王工"],
            )
        with database.read() as session:
            key = Key(Kind.RESULT, number)
            document = documents.load(session, [key])[key]
        assert document.title == "高效离心泵"
        assert document.keywords == ("水泵", "节能")
        assert (document.price_low, document.price_high) == (100, 100)
        assert document.numbers[0] == "200710308494.X"
        assert document.owner_name == "浙江某大学"
        assert "王工" in document.inventors
        assert document.region == "330106"
        assert document.published_at == AT

    def test_only_published_rows_become_documents(self, database: Database) -> None:
        with database.write() as session:
            rows = Rows(session)
            keys = [Key(Kind.RESULT, rows.result("泵", state=state.value)) for state in ListingState]
        with database.read() as session:
            assert len(documents.load(session, keys)) == 1
            assert documents.published_count(session, Kind.RESULT) == 1
            assert documents.published_keys(session, Kind.RESULT) == [
                key for key in keys if key in documents.load(session, keys)
            ]


class TestDrain:
    def test_marked_rows_are_indexed_and_the_marks_cleared(
        self, database: Database, ready: TantivyIndex
    ) -> None:
        with database.write() as session:
            rows = Rows(session)
            rows.result("高效离心泵")
            rows.demand("离心泵效率提升")
        assert drain(database, ready) == 2
        assert ready.count() == 2
        assert marks(database) == 0
        assert drain(database, ready) == 0

    def test_an_edit_and_a_withdrawal_show(self, database: Database, ready: TantivyIndex) -> None:
        with database.write() as session:
            rows = Rows(session)
            result, demand = rows.result("高效离心泵"), rows.demand("离心泵效率提升")
        drain(database, ready)
        change(database, Result, result, title="石墨烯散热膜")
        change(database, Demand, demand, state="withdrawn")
        drain(database, ready)
        assert [hit.key.id for hit in ready.search("石墨烯").hits] == [result]
        assert ready.count() == 1

    def test_an_edit_in_between_is_seen_next_time(
        self, database: Database, ready: TantivyIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with database.write() as session:
            number = Rows(session).result("旧标题水泵")
        real = ready.apply

        def apply_while_somebody_edits(*given: Any) -> None:
            real(*given)
            monkeypatch.setattr(ready, "apply", real)
            change(database, Result, number, title="新标题电机")

        monkeypatch.setattr(ready, "apply", apply_while_somebody_edits)
        drain(database, ready)
        assert marks(database) == 1
        drain(database, ready)
        assert ready.search("新标题电机").total == 1
        assert marks(database) == 0

    def test_a_failure_of_the_index_keeps_the_marks(
        self, database: Database, ready: TantivyIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with database.write() as session:
            Rows(session).result("高效离心泵")

        def fail(*given: Any) -> None:
            raise OSError("disk full")

        monkeypatch.setattr(ready, "apply", fail)
        with pytest.raises(OSError, match="disk full"):
            drain(database, ready)
        assert marks(database) == 1

    def test_an_organisation_brings_all_it_lists(self, database: Database, ready: TantivyIndex) -> None:
        with database.write() as session:
            rows = Rows(session)
            rows.result("高效离心泵")
            drained = rows.university
        drain(database, ready)
        with database.write() as session:
            session.merge(drained).name = "台州某学院"
            mark_dirty(session, "organisation", drained.id or 0)
            mark_dirty(session, "unknown_kind", 1)
        assert drain(database, ready) == 2
        assert ready.search("台州某学院").total == 1


def write_synonyms(database: Database, *groups: tuple[str, ...]) -> None:
    """Replace all groups, as the staff's page would."""
    with database.write() as session:
        session.execute(sa.delete(t(Synonyms)))
        session.add_all(Synonyms(words=list(group), updated_at=AT) for group in groups)
        mark_dirty(session, MARK, 0)


class TestSynonyms:
    def test_an_edit_is_in_force_after_the_next_look(self, database: Database, ready: TantivyIndex) -> None:
        with database.write() as session:
            number = Rows(session).result("永磁电机控制器")
        write_synonyms(database, ("永磁电机", "PMSM"))
        assert ready.search("PMSM").total == 0
        drain(database, ready)
        assert [hit.key.id for hit in ready.search("PMSM").hits] == [number]
        assert drain(database, ready) == 0
        write_synonyms(database)
        drain(database, ready)
        assert ready.search("PMSM").total == 0

    def test_a_failure_keeps_the_mark_so_that_no_edit_is_lost(
        self, database: Database, ready: TantivyIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_synonyms(database, ("永磁电机", "PMSM"))

        def fail(groups: object) -> None:
            raise OSError(groups)

        with monkeypatch.context() as broken:
            broken.setattr(ready, "set_synonyms", fail)
            with pytest.raises(OSError, match="PMSM"):
                drain(database, ready)
        assert drain(database, ready) == 1
        assert ready.synonyms() == (("永磁电机", "PMSM"),)

    def test_an_edit_while_groups_are_handed_over_is_seen_next_time(
        self, database: Database, ready: TantivyIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_synonyms(database, ("甲机", "乙机"))
        real = ready.set_synonyms

        def edit_meanwhile(groups: Any) -> None:
            write_synonyms(database, ("甲机", "丙机"))
            real(groups)

        with monkeypatch.context() as slow:
            slow.setattr(ready, "set_synonyms", edit_meanwhile)
            drain(database, ready)
        drain(database, ready)
        assert ready.synonyms() == (("甲机", "丙机"),)

    def test_who_becomes_the_writer_looks_whether_the_index_has_other_groups(
        self, database: Database, tmp_path: Any
    ) -> None:
        write_synonyms(database, ("甲机", "乙机"))
        with database.write() as session:
            clear_marks(session, read_marks(session))
        index = TantivyIndex(tmp_path / "index")
        Indexer(database, index).step()
        assert index.synonyms() == (("甲机", "乙机"),)
        index.close()


class TestReindex:
    def test_everything_published_and_nothing_else(
        self, database: Database, index: TantivyIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(indexer, "BATCH", 3)
        with database.write() as session:
            rows = Rows(session)
            for number in range(7):
                rows.result(f"离心泵{number}")
            rows.result("草稿", state="draft", published_at=None)
            rows.demand("离心泵效率提升")
        told: list[tuple[int, int]] = []
        assert reindex(database, index, lambda done, total: told.append((done, total))) == 8
        assert index.count() == 8
        assert told[-1] == (8, 8)

    def test_what_is_edited_during_a_rebuild_is_not_lost(
        self, database: Database, ready: TantivyIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(indexer, "BATCH", 2)
        with database.write() as session:
            rows = Rows(session)
            first, *_ = [rows.result(f"离心泵{number}") for number in range(5)]

        def edit_once(done: int, _total: int) -> None:
            if done == 2:
                change(database, Result, first, title="石墨烯散热膜")

        reindex(database, ready, edit_once)
        while drain(database, ready):
            pass
        assert [hit.key.id for hit in ready.search("石墨烯").hits] == [first]
        assert ready.count() == 5


class TestAwaitedRebuild:
    def test_another_process_builds_and_this_one_sees_it(
        self, database: Database, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tantivy_index, "_FOLLOW_SECONDS", 0.0)
        monkeypatch.setattr(indexer, "INTERVAL_SECONDS", 0.01)
        with database.write() as session:
            Rows(session).result("离心泵")
        server, command = TantivyIndex(tmp_path / "index"), TantivyIndex(tmp_path / "index")
        worker = Indexer(database, server)
        worker.step()
        before = command.generation
        told: list[int] = []

        def serve(count: int) -> None:
            told.append(count)
            assert command.search("离心泵").total == 1, "search goes on"
            worker.step()

        assert await_rebuild(command, threading.Event(), serve)
        assert command.generation == server.generation == before + 1
        assert told == [1]
        assert not command.rebuild_requested()
        server.close()
        command.close()

    def test_it_need_not_be_awaited(self, tmp_path: Any) -> None:
        index = TantivyIndex(tmp_path / "index")
        stop = threading.Event()
        stop.set()
        assert not await_rebuild(index, stop, lambda count: None)
        assert index.rebuild_requested()
        index.close()


class TestIndexer:
    def test_first_it_builds_then_it_drains(self, database: Database, index: TantivyIndex) -> None:
        worker = Indexer(database, index)
        with database.write() as session:
            rows = Rows(session)
            rows.result("高效离心泵")
        assert worker.health().state is IndexState.BUILDING
        assert worker.step() == 1
        assert index.state is IndexState.READY
        assert worker.step() == 1  # its mark, from before the build
        assert worker.step() == 0
        index.request_rebuild()
        assert worker.step() == 1
        assert worker.health().generation == 2

    def test_only_the_holder_of_the_lock_works(self, database: Database, tmp_path: Any) -> None:
        holder, other = TantivyIndex(tmp_path / "index"), TantivyIndex(tmp_path / "index")
        holder.acquire()
        worker = Indexer(database, other)
        assert worker.step() == 0
        assert not worker.health().writing
        holder.close()
        worker.step()
        assert worker.health().writing
        other.close()

    def test_it_runs_until_told_to_stop_and_survives_failures(
        self, database: Database, index: TantivyIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(indexer, "RETRY_SECONDS", 0.01)
        monkeypatch.setattr(indexer, "INTERVAL_SECONDS", 0.01)
        worker, stop, found = Indexer(database, index), threading.Event(), threading.Event()
        real = index.apply
        calls = 0

        def fail_first(changed: Any, gone: Any = ()) -> None:
            nonlocal calls
            calls += 1
            if calls == 1:
                raise OSError("disk full")
            real(changed, gone)
            found.set()

        monkeypatch.setattr(index, "apply", fail_first)
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        with database.write() as session:
            Rows(session).result("高效离心泵")
        assert found.wait(20)
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
        assert index.search("离心泵").total == 1


def test_a_key_is_read_as_it_was_written() -> None:
    assert Key.parse(str(Key(Kind.DEMAND, 7))) == Key(Kind.DEMAND, 7)
    assert Document(Key(Kind.RESULT, 1), "泵").whole_text == "泵"
