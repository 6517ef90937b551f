"""What only the embedded adapter promises: files, locks, readers beside a writer."""

import shutil
import threading
from pathlib import Path

import pytest

from matching import indexer
from matching.documents import Document, Key, Kind
from matching.embedded import index as tantivy_index
from matching.embedded.index import TantivyIndex
from matching.index import IndexState

FOLLOW_SECONDS = tantivy_index._FOLLOW_SECONDS


def entry(number: int, title: str = "离心泵") -> Document:
    return Document(Key(Kind.RESULT, number), title)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def written(folder: Path) -> Path:
    index = TantivyIndex(folder)
    with index.rebuild() as beside:
        beside.add([entry(1), entry(2)])
    index.close()
    return folder


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers look for news at every question, so that no test has to wait."""
    monkeypatch.setattr(tantivy_index, "_FOLLOW_SECONDS", 0.0)


def test_it_is_there_again_after_a_restart(written: Path) -> None:
    index = TantivyIndex(written)
    assert index.state is IndexState.READY
    assert index.count() == 2
    index.close()


def test_one_process_writes_and_another_follows(written: Path) -> None:
    writer, reader = TantivyIndex(written), TantivyIndex(written)
    assert writer.acquire()
    assert not reader.acquire()
    with pytest.raises(RuntimeError):
        reader.apply([entry(3)])
    writer.apply([entry(3)])
    assert reader.count() == 3
    with writer.rebuild() as beside:
        beside.add([entry(9)])
    assert reader.count() == 1
    assert reader.generation == writer.generation
    writer.close()
    assert reader.acquire()
    reader.apply([entry(10)])
    assert reader.count() == 2
    reader.close()


def test_a_reader_asks_the_writer_to_rebuild(written: Path) -> None:
    writer, reader = TantivyIndex(written), TantivyIndex(written)
    assert writer.acquire()
    reader.request_rebuild()
    assert writer.rebuild_requested()
    writer.close()
    reader.close()


@pytest.mark.parametrize("damage", ["meta", "pointer", "folder", "schema", "nonsense"])
def test_damage_is_seen_and_mended_by_a_rebuild(written: Path, damage: str) -> None:
    generation = next(written.glob("generation-*"))
    if damage == "meta":
        (generation / "meta.json").write_text("{")
    elif damage == "pointer":
        (written / "CURRENT").unlink()
    elif damage == "folder":
        shutil.rmtree(generation)
    elif damage == "schema":
        (generation / "fingerprint").write_text("0.0.0")
    else:
        (written / "CURRENT").write_text("../../etc")
    index = TantivyIndex(written)
    assert index.state is IndexState.BUILDING
    assert index.search("离心泵").total == 0
    with index.rebuild() as beside:
        beside.add([entry(1)])
    assert index.state is IndexState.READY
    assert index.search("离心泵").total == 1
    index.close()


def test_what_a_crash_left_half_built_is_swept_away(written: Path) -> None:
    shutil.copytree(next(written.glob("generation-*")), written / "generation-000099")
    index = TantivyIndex(written)
    assert index.acquire()
    assert not (written / "generation-000099").exists()
    assert index.count() == 2
    index.close()


def test_searches_go_on_during_changes(written: Path) -> None:
    index = TantivyIndex(written)
    failures: list[BaseException] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                assert index.search("离心泵").total >= 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(20):
        index.apply([entry(number)])
    with index.rebuild() as beside:
        beside.add([entry(1)])
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    index.close()


def test_readers_follow_synonyms_and_only_the_writer_sets_them(written: Path) -> None:
    writer, reader = TantivyIndex(written), TantivyIndex(written)
    assert writer.acquire()
    with pytest.raises(RuntimeError):
        reader.set_synonyms([("离心泵", "甲泵")])
    before = reader.stamp
    writer.set_synonyms([("离心泵", "旋转泵")])
    assert reader.search("旋转泵").total == 2
    assert reader.stamp != before
    writer.set_synonyms([])
    assert reader.search("旋转泵").total == 0
    writer.close()
    reader.close()


def test_synonyms_are_there_again_after_a_restart_and_damage_leaves_none(written: Path) -> None:
    index = TantivyIndex(written)
    index.set_synonyms([("离心泵", "旋转泵")])
    index.close()
    index = TantivyIndex(written)
    assert index.synonyms() == (("离心泵", "旋转泵"),)
    index.close()
    (written / "synonyms.json").write_text('[["离心', encoding="utf-8")
    index = TantivyIndex(written)
    assert index.synonyms() == ()
    assert index.search("离心泵").total == 2
    index.close()


def test_a_readers_stamp_stands_still_while_nothing_happens(written: Path) -> None:
    writer, reader = TantivyIndex(written), TantivyIndex(written)
    before = reader.stamp
    assert reader.search("离心泵").total == 2
    assert reader.stamp == before
    writer.apply([entry(3)])
    assert reader.stamp != before
    writer.close()
    reader.close()


def test_an_edit_is_searchable_everywhere_within_two_seconds() -> None:
    """The longest waits on its way add up to less: the indexer's rest and a reader's."""
    assert indexer.INTERVAL_SECONDS + FOLLOW_SECONDS < 1.0
