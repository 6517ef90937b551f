"""What every search index must do, run on each adapter (`INDEXES`)."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from market.clock import UTC
from matching import query, text
from matching.documents import Document, Key, Kind
from matching.embedded.index import TantivyIndex
from matching.index import (
    Circle,
    Facet,
    Filters,
    IndexState,
    SearchIndex,
    Sort,
    SuggestionKind,
    circle_codes,
    circle_counts,
)
from tests.meilisearch_setup import throwaway, throwaway_with_spare

INDEXES: dict[str, Callable[[Path], SearchIndex]] = {
    "memory": lambda folder: TantivyIndex(None),
    "files": lambda folder: TantivyIndex(folder / "index"),
    "meilisearch": throwaway,
    "spared": throwaway_with_spare,
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
        owner_id=11,
        names=("浙江某大学", "Zhejiang University of Something"),
        inventors=("王工程师",),
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
        owner_name="温岭市大溪泵业有限公司",
        owner_id=12,
        names=("温岭市大溪泵业有限公司",),
        keywords=("热误差补偿", "主轴"),
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
    """One with the documents, for a test that changes it."""
    with empty.rebuild() as beside:
        beside.add(DOCUMENTS)
    return empty


@pytest.fixture(params=INDEXES, scope="module")
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchIndex]:
    """The same for all who only ask."""
    index = INDEXES[request.param](tmp_path_factory.mktemp("filled"))
    with index.rebuild() as beside:
        beside.add(DOCUMENTS)
    yield index
    index.close()


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

    def test_a_rebuild_makes_it_ready(self, filled: SearchIndex) -> None:
        assert filled.state is IndexState.READY
        assert filled.count() == 4
        assert set(filled.keys()) == {document.key for document in DOCUMENTS}

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
    def test_words(self, filled: SearchIndex) -> None:
        assert ids(filled, "离心泵")[:2] in ([1, 4], [4, 1])
        assert ids(filled, "主轴温升") == [2]
        assert ids(filled, "王工程师") == [1]

    def test_a_single_character(self, filled: SearchIndex) -> None:
        assert set(ids(filled, "泵")) == {1, 2, 3, 4}
        assert ids(filled, "轴") == [2]

    def test_spelling_does_not_matter(self, index: SearchIndex) -> None:
        index.apply([result(5, "PLC 控制柜")])
        assert ids(index, "ｐｌｃ") == [5]

    @pytest.mark.parametrize(
        "written", ["ZL200710308494.X", "CN200710308494X", "2007 1 0308494 X", "200710308494"]
    )
    def test_a_patent_number_finds_its_result(self, filled: SearchIndex, written: str) -> None:
        assert ids(filled, written)[0] == 1

    def test_a_patent_class(self, filled: SearchIndex) -> None:
        assert ids(filled, "F04D29/42") == [1]
        assert ids(filled, "F04D") == [1]

    def test_partly_matching_is_said_to_be(self, filled: SearchIndex) -> None:
        answer = filled.search("水稻叶轮")
        assert [hit.key.id for hit in answer.hits] == [1]
        assert answer.relaxed
        assert not filled.search("主轴温升").relaxed

    @pytest.mark.parametrize(
        "words", ["", "  ", "的", "？！", '"', "AND OR NOT", "title:泵", "a" * 5000, "泵" * 3000]
    )
    def test_nothing_typed_breaks_it(self, filled: SearchIndex, words: str) -> None:
        filled.search(words, facets=list(Facet))

    def test_a_run_too_long_for_a_word_is_not_taken_apart(self, index: SearchIndex) -> None:
        index.apply([result(20, "维生素 A 检测")])
        assert index.search("a" * 5000).total == 0
        assert ids(index, "A") == [20]

    def test_a_number_with_blanks_among_words(self, filled: SearchIndex) -> None:
        for typed in (
            "zl 2007 1 0308494.x 主轴",
            "number: ZL 2007 1 0308494.X",
            "号：ｚｌ２００７１０３０８４９４．Ｘ",
        ):
            assert ids(filled, typed)[0] == 1
        assert ids(filled, "ipc:F04D 29/42 叶轮") == [1]
        assert set(ids(filled, "标题：　离心泵")) == {1, 4}

    def test_nothing_found(self, filled: SearchIndex) -> None:
        answer = filled.search("火星", facets=[Facet.KIND])
        assert (answer.hits, answer.total, answer.facets) == ((), 0, {Facet.KIND: {}})

    def test_terms_to_mark_are_told(self, filled: SearchIndex) -> None:
        assert "离心泵" in filled.search("离心泵").terms


class TestQueryLanguage:
    @pytest.mark.parametrize(
        ("typed", "expected"),
        [
            ('"离心泵"', {1, 4}),
            ("“节能离心”", {1}),
            ("「节能离心」", {1}),
            ('"节能泵"', set()),
            ('"离心泵效"', {4}),
            ('"叶轮结构降低"', set()),  # no phrase reaches across punctuation
            ('"叶轮结构，降低"', {1}),
            ('"泵 一种"', set()),  # nor from the title into the text
            ("离心泵 -效率", {1}),
            ("离心泵 －效率", {1}),
            ('-"离心泵"', {2, 3}),
            ("-泵 -主轴", set()),
            ("title:泵", {1, 4}),
            ("标题：电机", {3}),
            ("title:变频", set()),
            ('title:"主轴温升"', {2}),
            ("-title:泵 泵", {2, 3}),
            ("单位:大溪泵业", {2}),
            ("owner:zjmdx", {1}),
            ("owner:university", {1}),
            ("-owner:浙江某大学 离心泵", {4}),
            ("number:ZL200710308494.X", {1}),
            ("号:叶轮", set()),
            ("ipc:F04", {1}),
            ("ipc:F04D29", {1}),
            ("分类号:F04D29/42", {1}),
            ("ipc:F04D30", set()),
            ("发明人:王工程师", {1}),
            ("inventor:叶轮", set()),
            ("inventor:wanggongchengshi", {1}),
        ],
    )
    def test_clauses(self, filled: SearchIndex, typed: str, expected: set[int]) -> None:
        assert set(ids(filled, typed)) == expected
        assert filled.search(typed).total == len(expected)
        assert set(ids(filled, typed, sort=Sort.NEWEST)) == expected

    def test_a_query_already_read_is_the_same(self, filled: SearchIndex) -> None:
        typed = '离心泵 -效率 "节能"'
        assert filled.search(query.parse(typed)) == filled.search(typed)

    def test_clauses_go_with_filters_facets_and_orders(self, filled: SearchIndex) -> None:
        narrowed = Filters(kinds=frozenset({"result"}))
        answer = filled.search('"离心泵"', narrowed, facets=[Facet.KIND, Facet.REGION])
        assert [hit.key.id for hit in answer.hits] == [1]
        assert answer.facets[Facet.KIND] == {"result": 1, "demand": 1}
        assert answer.facets[Facet.REGION] == {"33": 1, "3301": 1, "330106": 1}
        assert ids(filled, "-主轴", sort=Sort.PRICE_DOWN) == [1, 4, 3]

    @pytest.mark.parametrize(
        "typed", ['"', "“", "-", "title:", "号：", 'title:"', "- -", '"" “”', "-：", "title:-泵", "-title:-"]
    )
    def test_what_means_nothing_is_taken_as_words(self, filled: SearchIndex, typed: str) -> None:
        filled.search(typed, facets=list(Facet))
        assert ids(filled, f"{typed} 离心泵", sort=Sort.NEWEST)[-1:] == [1]

    def test_a_pasted_title_with_quotation_marks_is_found_by_its_words(self, filled: SearchIndex) -> None:
        answer = filled.search("高效“离心式”泵的设计")
        assert answer.hits[0].key.id == 1
        assert answer.relaxed
        assert filled.search("“离心式”").total == 0

    def test_a_phrase_is_told_for_marking(self, filled: SearchIndex) -> None:
        assert "节能离心泵" in filled.search('"节能离心泵"').terms
        assert filled.search("-节能").terms == ()


class TestSpellings:
    def test_traditional_characters(self, index: SearchIndex) -> None:
        assert set(ids(index, "離心泵")) == {1, 4}
        assert ids(index, '"溫升補償"') == [2]
        index.apply([result(6, "乾燥機餘熱回收")])
        assert ids(index, "干燥机余热") == [6]

    def test_pinyin_of_an_organisation(self, index: SearchIndex) -> None:
        assert ids(index, "zjmdx") == ids(index, "zhejiangmoudaxue") == [1]
        assert ids(index, "dxby") == ids(index, "daxibengye") == [2]
        index.apply([result(6, "变速箱", owner_name="重庆大学", names=("重庆大学",))])
        assert ids(index, "cqdx") == ids(index, "chongqingdaxue") == [6]

    def test_pinyin_goes_with_words(self, index: SearchIndex) -> None:
        index.apply([result(6, "离心泵")])
        assert ids(index, "zjmdx 离心泵")[0] == 1

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [("离心蹦", "离心泵"), ("离新泵", "离心泵"), ("主周温升", "主轴温升"), ("心离泵", "离心泵")],
    )
    def test_another_spelling_is_suggested(self, filled: SearchIndex, typed: str, meant: str) -> None:
        assert filled.search(typed).suggestion == meant

    def test_another_spelling_is_suggested_although_the_rest_finds_something(
        self, index: SearchIndex
    ) -> None:
        index.apply([result(20, "离心机节能"), result(21, "离心泵节能")])
        answer = index.search("离心蹦 节能")
        assert (answer.hits != (), answer.relaxed, answer.suggestion) == (True, False, "离心泵 节能")
        assert index.search("主轴离心蹦").suggestion == "主轴离心泵", "轴离 stands nowhere, and need not"
        assert index.search("离心泵 节能").suggestion == ""

    def test_the_beginning_of_initials_suggests_the_organisation(self, index: SearchIndex) -> None:
        index.apply([result(20, "车床", owner_name="括苍理工大学", owner_id=13, names=("括苍理工大学",))])
        assert index.search("klgdx").hits[0].key.id == index.search("owner:kclgdx").hits[0].key.id == 20
        assert index.search("kclg").suggestion == index.search("klg").suggestion == "括苍理工大学"
        for typed in ("klgdx", "klg", "kclg", "KCLGDX", "括理工"):
            assert [one.text for one in index.suggest(typed)] == ["括苍理工大学"]

    def test_a_latin_slip(self, index: SearchIndex) -> None:
        index.apply([result(6, "Graphene 散热膜")])
        assert index.search("graphane").suggestion == "graphene"
        assert index.search("garphene").suggestion == "graphene"

    def test_a_slip_in_pinyin_suggests_the_organisation(self, filled: SearchIndex) -> None:
        assert filled.search("zhejiangmuodaxue").suggestion == "浙江某大学"

    def test_the_rest_of_the_query_stays(self, filled: SearchIndex) -> None:
        assert filled.search("离心蹦 -效率").suggestion == "离心泵 -效率"
        narrowed = Filters(industries=frozenset({"machine-tools"}))
        assert filled.search("离心蹦", narrowed).suggestion == ""

    def test_none_where_something_was_found_or_nothing_is_like_it(self, filled: SearchIndex) -> None:
        assert filled.search("离心泵").suggestion == ""
        assert filled.search("").suggestion == ""
        assert filled.search("火星移民").suggestion == ""
        assert filled.search("xyzzyq").suggestion == ""


class TestSynonyms:
    def test_each_word_finds_the_others(self, index: SearchIndex) -> None:
        assert ids(index, "PMSM") == []
        index.set_synonyms([("永磁同步电机", "PMSM"), ("车床", "旋床", "镟床")])
        assert ids(index, "PMSM") == [3]
        assert ids(index, "镟床") == [2]
        assert "永磁同步电机" in index.search("PMSM").terms
        assert index.synonyms() == (("永磁同步电机", "PMSM"), ("车床", "旋床", "镟床"))
        index.set_synonyms([("车床", "旋床")])
        assert ids(index, "PMSM") == ids(index, "镟床") == []

    def test_an_entry_with_two_words_of_a_group_is_found_once_and_counts_once(
        self, index: SearchIndex
    ) -> None:
        index.apply([result(n, "轴承 铣刀") for n in (20, 21)] + [result(22, "轴承 铣刀 锪钻")])
        index.set_synonyms([("铣刀", "锪钻")])
        answer = index.search("铣刀", facets=[Facet.KIND])
        assert answer.total == answer.facets[Facet.KIND]["result"] == 3
        assert answer.hits[-1].key.id == 22, "a longer title with both must not rank above those with one"

    def test_a_field_knows_synonyms_and_a_phrase_does_not(self, index: SearchIndex) -> None:
        index.set_synonyms([("永磁同步电机", "PMSM")])
        assert ids(index, "title:PMSM") == [3]
        assert ids(index, '"PMSM"') == []
        assert ids(index, "水泵 -PMSM")  # what is left out is what was typed

    def test_another_word_is_found_whole_and_marked_whole(self, index: SearchIndex) -> None:
        index.set_synonyms([("步进电机", "步电机", "步进电动机")])
        index.apply(
            [
                result(20, "两挡变速器", "电动车发动机减振。"),
                result(21, "步进电动机驱动"),
                result(22, "三相异步电机"),
            ]
        )
        assert ids(index, "步进电机")[0] == 21
        assert 20 not in ids(index, "步进电机"), "电动 and 动机 are not what was asked for"
        terms = index.search("步进电机").terms
        assert set(terms) == {"步进", "电机", "步电机", "步进电动机"}
        assert [s.text for s in text.highlight("三相异步电机", terms) if s.matched] == ["电机"]
        assert [s.text for s in text.highlight("步进电动机驱动", terms) if s.matched] == ["步进电动机"]

    def test_they_outlive_a_rebuild_and_move_the_stamp(self, index: SearchIndex) -> None:
        before = index.stamp
        index.set_synonyms([("永磁同步电机", "PMSM")])
        assert index.stamp != before
        with index.rebuild() as beside:
            beside.add(DOCUMENTS)
        assert ids(index, "PMSM") == [3]

    def test_they_need_no_built_index(self, empty: SearchIndex) -> None:
        empty.set_synonyms([("甲机", "乙机")])
        assert empty.synonyms() == (("甲机", "乙机"),)


class TestSuggestions:
    @pytest.mark.parametrize("typed", ["浙江", "浙江某", "zhejiang", "zjm", "ZJMDX", "某大学", "浙江某大學"])
    def test_organisations(self, filled: SearchIndex, typed: str) -> None:
        found = filled.suggest(typed)[0]
        assert (found.kind, found.text, found.owner_id) == (SuggestionKind.ORGANISATION, "浙江某大学", 11)

    @pytest.mark.parametrize("typed", ["热误", "rewucha", "rwcbc", "补偿"])
    def test_keywords(self, filled: SearchIndex, typed: str) -> None:
        assert (SuggestionKind.KEYWORD, "热误差补偿") in [
            (one.kind, one.text) for one in filled.suggest(typed)
        ]

    @pytest.mark.parametrize("typed", ["数控", "主轴温", "skjc", "shukongjichuang"])
    def test_titles(self, filled: SearchIndex, typed: str) -> None:
        found = [one for one in filled.suggest(typed) if one.kind is SuggestionKind.TITLE]
        assert [(one.text, one.key) for one in found] == [("数控机床主轴温升补偿", Key(Kind.RESULT, 2))]

    def test_none_twice_and_no_more_than_asked_for(self, index: SearchIndex) -> None:
        index.apply([result(n, "离心泵", keywords=("离心泵",)) for n in range(20, 30)])
        found = [one.text for one in index.suggest("离心", 3)]
        assert len(found) == len(set(found)) == 3

    @pytest.mark.parametrize(
        "typed", ["", " ", "？", "火星", "a" * 3000, "泵" * 3000, "\x1f", ".*", "(", "%"]
    )
    def test_nothing_for_nothing(self, filled: SearchIndex, typed: str) -> None:
        assert filled.suggest(typed) == []

    def test_as_fresh_as_what_is_found(self, index: SearchIndex, empty: SearchIndex) -> None:
        index.apply([result(2, "石墨烯散热膜", owner_id=12, owner_name="温岭市大溪泵业有限公司")])
        assert [one.text for one in index.suggest("石墨")] == ["石墨烯散热膜"]
        assert index.suggest("热误") == []
        index.apply([], [Key(Kind.RESULT, 2)])
        assert index.suggest("石墨") == index.suggest("大溪") == []

    def test_an_absent_index_suggests_nothing(self, empty: SearchIndex) -> None:
        assert empty.suggest("浙江") == []


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
            (Filters(outside="3310"), {1}),
            (Filters(outside="330000"), set()),
            (Filters(years=frozenset({2026})), {1, 2, 3, 4}),
            (Filters(years=frozenset({2024, 2025})), set()),
            (Filters(kinds=frozenset({"result"}), industries=frozenset({"pumps"}), trls=frozenset({7})), {1}),
        ],
    )
    def test_narrowing(self, filled: SearchIndex, filters: Filters, expected: set[int]) -> None:
        assert set(ids(filled, "", filters)) == expected
        assert filled.search("", filters).total == len(expected)

    def test_filters_do_not_change_scores(self, filled: SearchIndex) -> None:
        plain = {hit.key: hit.score for hit in filled.search("离心泵").hits}
        narrowed = filled.search("离心泵", Filters(industries=frozenset({"pumps"})))
        assert all(hit.score == plain[hit.key] for hit in narrowed.hits)

    def test_counts_ignore_their_own_filter(self, filled: SearchIndex) -> None:
        answer = filled.search("", Filters(kinds=frozenset({"result"})), facets=list(Facet))
        assert answer.facets[Facet.KIND] == {"result": 3, "demand": 1}
        assert answer.facets[Facet.INDUSTRY] == {"pumps": 2, "machine-tools": 1}
        assert answer.facets[Facet.TRL] == {"7": 1, "5": 1}
        assert answer.facets[Facet.REGION] == {"33": 3, "3301": 1, "330106": 1, "3310": 2, "331081": 1}
        assert answer.facets[Facet.YEAR] == {"2026": 3}
        assert answer.facets[Facet.MODE] == {"licence": 1, "equity": 1, "assignment": 1}

    def test_years_are_those_of_the_market_s_place(self, index: SearchIndex) -> None:
        index.apply([result(7, "新年", published_at=dt.datetime(2025, 12, 31, 16, tzinfo=UTC))])
        index.apply([result(8, "旧年", published_at=dt.datetime(2025, 12, 31, 15, 59, tzinfo=UTC))])
        index.apply([result(9, "何年")])
        counts = index.search("", facets=[Facet.YEAR]).facets[Facet.YEAR]
        assert counts == {"2026": 5, "2025": 1}
        assert ids(index, "", Filters(years=frozenset({2025}))) == [8]

    def test_an_entry_counts_in_every_band_its_price_touches(self, index: SearchIndex) -> None:
        index.apply([result(7, "高价", price_low=9 * 10**6, price_high=60 * 10**6)])
        wan_50 = Filters(price_from=50 * 10**6)
        counts = index.search("", wan_50, facets=[Facet.PRICE]).facets[Facet.PRICE]
        assert counts == {"0-10": 4, "10-50": 1, "50-100": 1}
        assert ids(index, "", wan_50) == [7]

    def test_circles_around_the_market(self, index: SearchIndex) -> None:
        index.apply([result(7, "江苏", region="320500"), result(8, "何处")])
        regions = index.search("", Filters(region="331081"), facets=[Facet.REGION]).facets[Facet.REGION]
        assert circle_counts(regions, "331081") == {
            Circle.CITY: 2,
            Circle.PREFECTURE: 3,
            Circle.PROVINCE: 4,
            Circle.OUTSIDE: 1,
        }
        for circle, code in circle_codes("331081").items():
            narrowed = Filters(outside=code) if circle is Circle.OUTSIDE else Filters(region=code)
            assert index.search("", narrowed).total == circle_counts(regions, "331081")[circle]
        assert list(circle_codes("331000")) == [Circle.PREFECTURE, Circle.PROVINCE, Circle.OUTSIDE]


class TestOrder:
    def test_sorts(self, filled: SearchIndex) -> None:
        assert ids(filled) == ids(filled, sort=Sort.NEWEST) == [4, 3, 2, 1]
        assert ids(filled, sort=Sort.PRICE_UP) == [4, 1, 2, 3]
        assert ids(filled, sort=Sort.PRICE_DOWN) == [2, 1, 4, 3]

    @pytest.mark.parametrize("sort", Sort)
    def test_pages_hold_everything_once_even_if_all_are_equal(self, index: SearchIndex, sort: Sort) -> None:
        index.apply([result(n, "同步带轮", published_at=day(9)) for n in range(100, 307)])
        seen: list[int] = []
        for offset in range(0, 220, 20):
            seen.extend(ids(index, "同步带轮", sort=sort, offset=offset, limit=20))
        assert sorted(seen) == list(range(100, 307))
        assert index.search("同步带轮", sort=sort, limit=10).total == 207

    def test_beyond_the_end(self, filled: SearchIndex) -> None:
        answer = filled.search("", offset=100, limit=10)
        assert (answer.hits, answer.total) == ((), 4)


class TestCandidates:
    def test_only_the_kind_asked_for(self, filled: SearchIndex) -> None:
        found = filled.candidates("离心泵效率提升", "现有水泵效率低", "result")
        assert found[0].key == Key(Kind.RESULT, 1)
        assert {hit.key.kind for hit in found} == {Kind.RESULT}

    def test_found_by_text_when_titles_differ(self, filled: SearchIndex) -> None:
        found = filled.candidates("零件", "汽蚀 叶轮", "result")
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
