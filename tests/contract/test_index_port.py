"""What every search index must do, run on each adapter (`INDEXES`)."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from market.clock import UTC
from matching.documents import Document, Key, Kind
from matching.index import Facet, Filters, IndexState, SearchIndex, Sort
from matching.tantivy_index import TantivyIndex

INDEXES: dict[str, Callable[[Path], SearchIndex]] = {
    "memory": lambda folder: TantivyIndex(None),
    "files": lambda folder: TantivyIndex(folder / "index"),
}


@pytest.fixture(params=INDEXES)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SearchIndex]:
    index = INDEXES[request.param](tmp_path)
    yield index
    index.close()


def result(number: int, title: str, text: str = "", **values: object) -> Document:
    return Document(Key(Kind.RESULT, number), title, text, **values)  # type: ignore[arg-type]


def demand(number: int, title: str, text: str = "", **values: object) -> Document:
    return Document(Key(Kind.DEMAND, number), title, text, **values)  # type: ignore[arg-type]


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 1, number, tzinfo=UTC)


DOCUMENTS = [
    result(
        1,
        "高效节能离心泵",
        "一种叶轮结构，降低汽蚀。",
        industry="pumps",
        trl=7,
        modes=("licence", "equity"),
        price_low=100,
        price_high=200,
        region="330106",
        owner_kind="university",
        owner_name="浙江某大学",
        names=("浙江某大学", "王工程师"),
        numbers=("200710308494.X",),
        ipc=("F04D 29/42",),
        published_at=day(1),
    ),
    result(
        2,
        "数控机床主轴温升补偿",
        "用于车床主轴。",
        industry="machine-tools",
        trl=5,
        modes=("assignment",),
        price_low=500,
        price_high=900,
        region="331081",
        owner_kind="firm",
        published_at=day(2),
    ),
    result(
        3, "永磁同步电机控制器", "水泵用变频电机。", industry="pumps", region="331000", published_at=day(3)
    ),
    demand(
        4,
        "离心泵效率提升",
        "现有水泵效率低。",
        industry="pumps",
        trl=6,
        price_low=50,
        price_high=120,
        region="331081",
        owner_kind="firm",
        published_at=day(4),
    ),
]


@pytest.fixture
def index(empty: SearchIndex) -> SearchIndex:
    with empty.rebuild() as beside:
        beside.add(DOCUMENTS)
    return empty


def ids(index: SearchIndex, words: str = "", filters: Filters = Filters(), **options: object) -> list[int]:
    return [hit.key.id for hit in index.search(words, filters, **options).hits]  # type: ignore[arg-type]


class TestLife:
    def test_an_absent_index_says_so_and_answers_nothing(self, empty: SearchIndex) -> None:
        assert empty.state is IndexState.BUILDING
        assert (empty.generation, empty.count(), empty.search("泵").total) == (0, 0, 0)
        assert empty.search("泵", facets=[Facet.KIND]).facets == {Facet.KIND: {}}
        assert empty.candidates("泵", "", "result") == []
        with pytest.raises(RuntimeError):
            empty.apply(DOCUMENTS)

    def test_a_rebuild_makes_it_ready(self, index: SearchIndex) -> None:
        assert index.state is IndexState.READY
        assert index.count() == 4
        assert set(index.keys()) == {document.key for document in DOCUMENTS}

    def test_a_change_is_found_at_once_and_replaces(self, index: SearchIndex) -> None:
        index.apply([result(1, "石墨烯散热膜")])
        assert ids(index, "石墨烯") == [1]
        assert 1 not in ids(index, "叶轮")
        assert index.count() == 4

    def test_what_is_gone_is_not_found(self, index: SearchIndex) -> None:
        index.apply([], [Key(Kind.RESULT, 1), Key(Kind.RESULT, 999)])
        assert 1 not in ids(index, "离心泵")
        assert index.count() == 3

    def test_kinds_have_their_own_numbers(self, index: SearchIndex) -> None:
        index.apply([demand(1, "水稻")], [Key(Kind.DEMAND, 4)])
        assert Key(Kind.RESULT, 1) in set(index.keys())

    def test_the_old_index_answers_until_the_swap(self, index: SearchIndex) -> None:
        before = index.generation
        with index.rebuild() as beside:
            beside.add([result(9, "石墨烯")])
            assert index.count() == 4
            assert ids(index, "石墨烯") == []
        assert ids(index, "石墨烯") == [9]
        assert index.count() == 1
        assert index.generation > before

    def test_a_failed_rebuild_changes_nothing(self, index: SearchIndex) -> None:
        index.request_rebuild()

        def broken() -> Iterator[Document]:
            yield result(9, "石墨烯")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), index.rebuild() as beside:
            beside.add(broken())
        assert index.count() == 4
        assert index.rebuild_requested()

    def test_a_change_during_a_rebuild_reaches_both(self, index: SearchIndex) -> None:
        with index.rebuild() as beside:
            index.apply([result(9, "石墨烯")], [Key(Kind.RESULT, 2)])
            assert ids(index, "石墨烯") == [9]
            beside.add([result(9, "石墨烯")])
        assert index.count() == 1

    def test_a_wish_is_granted_once(self, index: SearchIndex) -> None:
        assert not index.rebuild_requested()
        index.request_rebuild()
        assert index.rebuild_requested()
        with index.rebuild():
            pass
        assert not index.rebuild_requested()


class TestSearch:
    def test_words(self, index: SearchIndex) -> None:
        assert ids(index, "离心泵")[:2] in ([1, 4], [4, 1])
        assert ids(index, "主轴温升") == [2]
        assert ids(index, "王工程师") == [1]

    def test_a_single_character(self, index: SearchIndex) -> None:
        assert set(ids(index, "泵")) == {1, 4}

    def test_spelling_does_not_matter(self, index: SearchIndex) -> None:
        index.apply([result(5, "PLC 控制柜")])
        assert ids(index, "ｐｌｃ") == [5]

    @pytest.mark.parametrize(
        "written", ["ZL200710308494.X", "CN200710308494X", "2007 1 0308494 X", "200710308494"]
    )
    def test_a_patent_number_finds_its_result(self, index: SearchIndex, written: str) -> None:
        assert ids(index, written)[0] == 1

    def test_a_patent_class(self, index: SearchIndex) -> None:
        assert ids(index, "F04D29/42") == [1]
        assert ids(index, "F04D") == [1]

    def test_partly_matching_is_said_to_be(self, index: SearchIndex) -> None:
        answer = index.search("水稻叶轮")
        assert [hit.key.id for hit in answer.hits] == [1]
        assert answer.relaxed
        assert not index.search("主轴温升").relaxed

    @pytest.mark.parametrize(
        "words", ["", "  ", "的", "？！", '"', "AND OR NOT", "title:泵", "a" * 5000, "泵" * 3000]
    )
    def test_nothing_typed_breaks_it(self, index: SearchIndex, words: str) -> None:
        index.search(words, facets=list(Facet))

    def test_nothing_found(self, index: SearchIndex) -> None:
        answer = index.search("火星", facets=[Facet.KIND])
        assert (answer.hits, answer.total, answer.facets) == ((), 0, {Facet.KIND: {}})

    def test_terms_to_mark_are_told(self, index: SearchIndex) -> None:
        assert "离心泵" in index.search("离心泵").terms


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            (Filters(kinds=frozenset({"demand"})), {4}),
            (Filters(industries=frozenset({"pumps"})), {1, 3, 4}),
            (Filters(industries=frozenset({"pumps", "machine-tools"})), {1, 2, 3, 4}),
            (Filters(modes=frozenset({"equity"})), {1}),
            (Filters(owner_kinds=frozenset({"firm"})), {2, 4}),
            (Filters(trls=frozenset({6, 7, 8})), {1, 4}),
            (Filters(trls=frozenset({1, 5, 6})), {2, 4}),
            (Filters(trls=frozenset({5})), {2}),
            (Filters(price_from=150), {1, 2}),
            (Filters(price_to=99), {4}),
            (Filters(price_from=201, price_to=499), set()),
            (Filters(region="331081"), {2, 4}),
            (Filters(region="331000"), {2, 3, 4}),
            (Filters(region="33"), {1, 2, 3, 4}),
            (Filters(kinds=frozenset({"result"}), industries=frozenset({"pumps"}), trls=frozenset({7})), {1}),
        ],
    )
    def test_narrowing(self, index: SearchIndex, filters: Filters, expected: set[int]) -> None:
        assert set(ids(index, "", filters)) == expected
        assert index.search("", filters).total == len(expected)

    def test_filters_do_not_change_scores(self, index: SearchIndex) -> None:
        plain = {hit.key: hit.score for hit in index.search("离心泵").hits}
        narrowed = index.search("离心泵", Filters(industries=frozenset({"pumps"})))
        assert all(hit.score == plain[hit.key] for hit in narrowed.hits)

    def test_counts_ignore_their_own_filter(self, index: SearchIndex) -> None:
        answer = index.search("", Filters(kinds=frozenset({"result"})), facets=list(Facet))
        assert answer.facets[Facet.KIND] == {"result": 3, "demand": 1}
        assert answer.facets[Facet.INDUSTRY] == {"pumps": 2, "machine-tools": 1}
        assert answer.facets[Facet.TRL] == {"7": 1, "5": 1}
        assert answer.facets[Facet.REGION] == {"33": 3, "3301": 1, "330106": 1, "3310": 2, "331081": 1}
        assert answer.facets[Facet.MODE] == {"licence": 1, "equity": 1, "assignment": 1}


class TestOrder:
    def test_sorts(self, index: SearchIndex) -> None:
        assert ids(index) == ids(index, sort=Sort.NEWEST) == [4, 3, 2, 1]
        assert ids(index, sort=Sort.PRICE_UP) == [4, 1, 2, 3]
        assert ids(index, sort=Sort.PRICE_DOWN) == [2, 1, 4, 3]

    @pytest.mark.parametrize("sort", Sort)
    def test_pages_hold_everything_once_even_if_all_are_equal(self, index: SearchIndex, sort: Sort) -> None:
        index.apply([result(n, "同步带轮", published_at=day(9)) for n in range(100, 157)])
        seen: list[int] = []
        for offset in range(0, 60, 10):
            seen.extend(ids(index, "同步带轮", sort=sort, offset=offset, limit=10))
        assert sorted(seen) == list(range(100, 157))
        assert index.search("同步带轮", sort=sort, limit=10).total == 57

    def test_beyond_the_end(self, index: SearchIndex) -> None:
        answer = index.search("", offset=100, limit=10)
        assert (answer.hits, answer.total) == ((), 4)


class TestCandidates:
    def test_only_the_kind_asked_for(self, index: SearchIndex) -> None:
        found = index.candidates("离心泵效率提升", "现有水泵效率低", "result")
        assert found[0].key == Key(Kind.RESULT, 1)
        assert {hit.key.kind for hit in found} == {Kind.RESULT}

    def test_found_by_text_when_titles_differ(self, index: SearchIndex) -> None:
        found = index.candidates("零件", "汽蚀 叶轮", "result")
        assert Key(Kind.RESULT, 1) in {hit.key for hit in found}

    def test_rarity_counts_titles(self, index: SearchIndex) -> None:
        rarity = index.rarity()
        assert rarity.documents == 4
        assert rarity.frequency("离心泵") == 2
        assert rarity.frequency("石墨烯") == 0
        assert rarity.mentions("叶轮") == 1
        index.apply([result(8, "离心泵")])
        assert index.rarity().frequency("离心泵") == 3


def test_the_stamp_moves_with_every_change_and_with_nothing_else(empty: SearchIndex) -> None:
    assert empty.acquire()
    with empty.rebuild() as beside:
        beside.add(DOCUMENTS)
    seen = [empty.stamp]
    empty.search("泵")
    empty.candidates("泵", "", "result")
    assert empty.stamp == seen[0]
    empty.apply([result(1, "另一个题目")])
    seen.append(empty.stamp)
    empty.apply([], [Key(Kind.RESULT, 1)])
    seen.append(empty.stamp)
    with empty.rebuild() as beside:
        beside.add(DOCUMENTS)
    seen.append(empty.stamp)
    assert len(set(seen)) == len(seen)
