"""What the contract does not ask: records, settings, several processes, vectors, long queries, deep pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from matching.documents import Document, Key, Kind
from matching.index import DEEPEST, Facet, IndexState, Sort
from matching.meilisearch import index as meilisearch_index
from matching.meilisearch import queries
from matching.meilisearch import search as meilisearch_search
from matching.meilisearch.checkup import SearchServerUnfit, checkup
from matching.meilisearch.client import Connection, KeyRefused, Patience, Refused
from matching.meilisearch.index import MeilisearchIndex
from tests.meilisearch_server import MeilisearchServer, running

PATIENT = Patience(connect=2, question=10, change=10, task=30, probe=2, pause=0.0)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MeilisearchServer]:
    monkeypatch.setattr(meilisearch_index, "_FOLLOW_SECONDS", 0.0)
    with running() as one:
        yield one


@pytest.fixture
def index(server: MeilisearchServer) -> MeilisearchIndex:
    return another(server)


def another(server: MeilisearchServer, prefix: str = "market", **options: object) -> MeilisearchIndex:
    """As a second process, or a second market, sees the server."""
    return MeilisearchIndex(Connection(server.url, None, PATIENT), prefix, **options)  # type: ignore[arg-type]


def result(number: int, title: str, text: str = "", **values: object) -> Document:
    return Document(Key(Kind.RESULT, number), title, text, **values)  # type: ignore[arg-type]


def fill(index: MeilisearchIndex, *documents: Document) -> None:
    with index.rebuild() as beside:
        beside.add(documents)


def ids(index: MeilisearchIndex, words: str) -> list[int]:
    return [hit.key.id for hit in index.search(words).hits]


class TestProcesses:
    def test_another_process_sees_changes_rebuilds_wishes_and_synonyms(
        self, index: MeilisearchIndex, server: MeilisearchServer
    ) -> None:
        other = another(server)
        assert other.state is IndexState.BUILDING
        fill(index, result(1, "离心泵"))
        assert (other.state, other.generation, ids(other, "离心泵")) == (IndexState.READY, 1, [1])
        stamp = other.stamp
        index.apply([result(2, "石墨烯")])
        assert other.stamp != stamp
        other.request_rebuild()
        assert index.rebuild_requested()
        fill(index, result(3, "水轮机"))
        assert not other.rebuild_requested()
        assert (other.generation, ids(other, "石墨烯"), ids(other, "水轮机")) == (2, [], [3])
        index.set_synonyms([("水轮机", "透平")])
        assert ids(other, "透平") == [3]

    def test_without_the_lock_nothing_is_changed(self, server: MeilisearchServer) -> None:
        class Taken:
            def acquire(self) -> bool:
                return False

            def release(self) -> None:
                """Nothing is held."""

        index = another(server, lock=Taken())
        assert not index.acquire()
        for change in (lambda: index.apply([]), lambda: fill(index), lambda: index.set_synonyms([])):
            with pytest.raises(RuntimeError, match="another process"):
                change()
        assert not server.indexes

    def test_two_markets_share_a_server(self, index: MeilisearchIndex, server: MeilisearchServer) -> None:
        other = another(server, "county")
        fill(index, result(1, "离心泵"))
        fill(other, result(2, "离心泵"), result(3, "离心泵"))
        assert (index.count(), other.count(), ids(index, "离心泵")) == (1, 2, [1])

    def test_what_a_crash_left_of_a_rebuild_does_no_harm(
        self, index: MeilisearchIndex, server: MeilisearchServer
    ) -> None:
        fill(index, result(1, "离心泵"))
        with pytest.raises(KeyboardInterrupt), index.rebuild() as beside:
            beside.add([result(9, "离心泵")])
            server.stop()
            raise KeyboardInterrupt
        server.start()
        assert "market-beside" in server.indexes
        fill(another(server), result(2, "离心泵"))
        assert ids(index, "离心泵") == [2]
        assert "market-beside" not in server.indexes


class TestSettings:
    def test_an_index_of_other_settings_is_built_anew(
        self, index: MeilisearchIndex, server: MeilisearchServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(index, result(1, "离心泵"))
        monkeypatch.setattr(queries, "SCHEMA_VERSION", queries.SCHEMA_VERSION + 1)
        newer = another(server)
        assert newer.state is IndexState.BUILDING
        assert newer.search("离心泵").total == 0
        with pytest.raises(RuntimeError, match="no index"):
            newer.apply([])
        fill(newer, result(1, "离心泵"))
        assert (newer.state, index.state) == (IndexState.READY, IndexState.BUILDING)

    def test_all_settings_are_one_task(self, index: MeilisearchIndex, server: MeilisearchServer) -> None:
        fill(index, result(1, "离心泵"))
        kinds = [task["type"] for task in server.tasks]
        assert kinds.count("settingsUpdate") == 1
        assert kinds.index("settingsUpdate") < len(kinds) - 1 - kinds[::-1].index("documentAdditionOrUpdate")

    def test_nothing_is_left_to_the_server_s_reading_of_chinese(self) -> None:
        settings = queries.settings(None, {})
        assert settings["typoTolerance"] == {"enabled": False}
        assert settings["prefixSearch"] == "disabled"
        stored = queries.entry(result(1, "离心泵", "叶轮", owner_name="浙江大学"), None, vectors=False)
        for name in settings["searchableAttributes"]:
            assert str(stored[name]).isascii()

    def test_synonyms_of_single_terms_reach_the_server(
        self, index: MeilisearchIndex, server: MeilisearchServer
    ) -> None:
        fill(index, result(1, "车床"))
        index.set_synonyms([("车床", "镗床"), ("一个很长的说法", "长话")])
        kept = server.indexes["market"].settings["synonyms"]
        assert kept[queries.token("车床")] == [queries.token("镗床")]


class TestSearching:
    def test_the_rarer_word_and_the_title_come_first(self, index: MeilisearchIndex) -> None:
        many = [result(n, "水泵", "水泵 轴承") for n in range(10, 40)]
        fill(
            index,
            *many,
            result(1, "杂物", "水泵 电机 石墨烯"),
            result(2, "石墨烯 水泵"),
            result(3, "石墨烯水泵轴承"),
        )
        assert ids(index, "石墨烯 水泵")[:3] == [2, 3, 1]

    def test_a_long_text_finds_its_entry(self, index: MeilisearchIndex) -> None:
        sentence = "高温熔盐泵的叶轮采用镍基合金并在出口处设置导叶以降低汽蚀余量适用于光热电站的储热循环系统"
        others = [result(n, f"第{n}号通用水泵", "叶轮 出口 系统 电站") for n in range(10, 60)]
        fill(index, *others, result(1, "熔盐泵", sentence))
        assert ids(index, sentence * 3)[0] == 1

    def test_totals_are_exact_beyond_what_can_be_paged(self, index: MeilisearchIndex) -> None:
        fill(index, *(result(n, "同步带轮") for n in range(1, DEEPEST + 102)))
        answer = index.search("同步带轮", offset=DEEPEST - 5, limit=50, facets=[Facet.KIND])
        assert answer.total == answer.facets[Facet.KIND]["result"] == DEEPEST + 101
        assert len(answer.hits) == 5
        assert len(list(index.keys())) == index.count() == DEEPEST + 101

    def test_a_number_comes_before_words_and_pages_go_on_across_both(self, index: MeilisearchIndex) -> None:
        exact = [result(n, "水泵", numbers=("ZL200710308494.X",)) for n in (1, 2, 3)]
        fill(index, *exact, *(result(n, "200710308494 水泵") for n in range(10, 17)))
        typed = "200710308494.X"
        pages = [index.search(typed, offset=offset, limit=2) for offset in range(0, 12, 2)]
        found = [hit.key.id for page in pages for hit in page.hits]
        assert set(found[:3]) == {1, 2, 3}
        assert len(found) == len(set(found)) == pages[0].total

    def test_a_phrase_in_more_entries_than_are_looked_at_is_told_by_its_pairs(
        self, index: MeilisearchIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(index, result(1, "离心水泵"), result(2, "水泵离心水"), result(3, "离心 心水 水泵"))
        assert set(ids(index, '"离心水泵"')) == {1}
        monkeypatch.setattr(meilisearch_search, "LOOKED_AT", 1)
        assert 1 in ids(index, '"离心水泵"')

    @pytest.mark.parametrize(
        "typed", ['a"b\\c', "x\\", 'title:"\\"', "number:\\", '单位:"a\\"b"', "' OR id = '"]
    )
    def test_no_quotation_mark_gets_out_of_a_filter(self, index: MeilisearchIndex, typed: str) -> None:
        fill(index, result(1, "离心泵"))
        for sort in Sort:
            index.search(typed, sort=sort, facets=list(Facet))
        index.suggest(typed)
        index.candidates(typed, typed, "result")

    def test_one_request_for_a_page_with_all_its_counts(
        self, index: MeilisearchIndex, server: MeilisearchServer
    ) -> None:
        fill(index, result(1, "离心泵"))
        index.search("离心泵")
        before = len(server.requests)
        index.search("离心泵", facets=list(Facet))
        assert [one for one in server.requests[before:] if "multi-search" in one] == ["POST /multi-search"]

    def test_counts_are_kept_while_the_index_is_nearly_the_same(
        self, index: MeilisearchIndex, server: MeilisearchServer
    ) -> None:
        fill(index, *(result(n, "离心泵") for n in range(1, 101)))
        kept = index.rarity()
        index.apply([result(101, "离心泵")])
        assert index.rarity() is kept
        index.apply([result(n, "离心泵") for n in range(102, 106)])
        assert index.rarity() is not kept
        assert index.rarity().frequency("离心泵") == 105


class TestVectors:
    """Meaning as three numbers, known of some texts."""

    KNOWN = {"水泵": (1.0, 0.0, 0.0), "抽水机": (0.9, 0.1, 0.0), "机床": (0.0, 1.0, 0.0)}

    def vector_of(self, written: str, kind: Kind) -> tuple[float, ...] | None:
        return self.KNOWN.get(written.strip())

    def test_an_entry_without_a_common_word_is_found_by_its_vector(self, server: MeilisearchServer) -> None:
        entries = [result(1, "抽水机"), result(2, "机床"), result(3, "水轮")]
        plain = another(server)
        fill(plain, *entries)
        assert Key(Kind.RESULT, 1) not in {hit.key for hit in plain.candidates("泵站用泵", "", "result")}
        index = another(server, "hybrid", vector_of=self.vector_of, dimensions=3)
        fill(index, *entries)
        assert index.candidates("水泵", "", "result")[0].key.id == 1
        index.apply([result(4, "抽水机")])
        assert {1, 4} <= {hit.key.id for hit in index.candidates("水泵", "", "result")}

    def test_entries_and_queries_without_vectors_are_served_all_the_same(
        self, server: MeilisearchServer
    ) -> None:
        index = another(server, vector_of=self.vector_of, dimensions=3)
        fill(index, result(1, "抽水机"), result(3, "水轮"))
        assert ids(index, "水轮") == [3]
        assert index.search("水泵").total == 0, "a vector changes the order, not what is found"

    def test_switching_vectors_on_builds_anew(self, server: MeilisearchServer) -> None:
        fill(another(server), result(1, "抽水机"))
        assert another(server, vector_of=self.vector_of, dimensions=3).state is IndexState.BUILDING


class TestCheckup:
    def test_a_fit_server_is_left_as_it_was(self, server: MeilisearchServer) -> None:
        assert checkup(Connection(server.url), "market") == server.version_text
        assert server.indexes == {}

    @pytest.mark.parametrize(
        ("missing", "right"),
        [
            ("version", "version"),
            ("indexes.create", "indexes.create, tasks.get"),
            ("settings.update", "settings.update"),
            ("documents.add", "documents.add"),
            ("search", "search"),
            ("indexes.swap", "indexes.swap"),
        ],
    )
    def test_a_key_that_lacks_a_right(self, missing: str, right: str) -> None:
        rights = {action for _, _, action, _ in server_routes() if action} - {missing}
        with running(keys={"k": rights}) as server, pytest.raises(SearchServerUnfit) as caught:
            checkup(Connection(server.url, "k", PATIENT), "market")
        assert caught.value.code == "search_server_key_refused"
        assert caught.value.params == {"right": right}

    def test_other_troubles(self, server: MeilisearchServer) -> None:
        def code() -> str:
            with pytest.raises(SearchServerUnfit) as caught:
                checkup(Connection(server.url, None, PATIENT), "market")
            return caught.value.code

        server.failing.append("documentAdditionOrUpdate")
        assert code() == "search_server_task_failed"
        server.version_text = "1.9.0"
        assert code() == "search_server_too_old"
        server.stop()
        assert code() == "search_server_out_of_reach"

    def test_without_a_key_where_one_is_needed(self) -> None:
        with running(keys={"k": {"*"}}) as server, pytest.raises(KeyRefused):
            MeilisearchIndex(Connection(server.url, None, PATIENT)).count()


def server_routes() -> list[tuple[str, str, str, str]]:
    from tests.meilisearch_server import ROUTES

    return ROUTES


class TestTheServerForTests:
    """That it refuses what it does not know, so that what passes here was not guessed at."""

    def test_unknown_parameters_filters_and_settings(self, index: MeilisearchIndex) -> None:
        fill(index, result(1, "离心泵"))
        ask = index._ask
        for question, code in (
            ({"q": "泵", "page": 1}, "bad_request"),
            ({"filter": "title = 泵"}, "invalid_search_filter"),
            ({"filter": "words CONTAINS 泵"}, "not_spoken_here"),
            ({"filter": "kind > 1"}, "invalid_search_filter"),
            ({"filter": 'kind = "a" OR'}, "invalid_search_filter"),
            ({"filter": '(kind = "a"'}, "invalid_search_filter"),
            ({"facets": ["title"]}, "invalid_search_facets"),
            ({"sort": ["title:asc"]}, "invalid_search_sort"),
            ({"attributesToSearchOn": ["kind"]}, "invalid_search_attributes_to_search_on"),
        ):
            with pytest.raises((Refused, RuntimeError), match=code):
                ask([question])

    def test_only_ten_words_of_a_query_count(self, index: MeilisearchIndex) -> None:
        fill(index, result(1, "离心泵"))
        mark = f'"{queries.MARK}"'
        assert index._ask([{"q": f"{mark} {'x1 ' * 9}", "matchingStrategy": "all"}])[0]["hits"] == []
        nine = f"{mark} {(queries.token('离心泵') + ' ') * 9} nowhere"
        assert len(index._ask([{"q": nine, "matchingStrategy": "all"}])[0]["hits"]) == 1

    def test_tasks_wait_their_turn(self, server: MeilisearchServer) -> None:
        connection = Connection(server.url, None, PATIENT)
        with server._lock:
            order = server._create_index({"uid": "one", "primaryKey": "id"})
            assert server.tasks[order["taskUid"]]["status"] == "enqueued"
        connection._wait(order["taskUid"])
        assert server.tasks[order["taskUid"]]["status"] == "succeeded"


def test_two_of_many_conditions(server: MeilisearchServer) -> None:
    """The filter for two words of n, against counting."""
    index = another(server)
    words = [f"词{chr(0x4E00 + n)}" for n in range(9)]
    entries = [
        result(n, "标题", " ".join(w for k, w in enumerate(words) if n >> k & 1)) for n in range(1, 512, 5)
    ]
    fill(index, *entries)
    condition = queries.at_least_two([queries.holding(word) for word in words])
    found = {hit["id"] for hit in index._ask([{"filter": condition, "limit": 1000}])[0]["hits"]}
    assert found == {f"result-{n}" for n in range(1, 512, 5) if n.bit_count() >= 2}


def test_a_second_memory_does_not_disturb(server: MeilisearchServer, tmp_path: Path) -> None:
    memory = tmp_path / "confirmed"
    index = another(server, memory=memory)
    fill(index, result(1, "离心泵"))
    index.apply([result(2, "石墨烯")])
    assert not index.rebuild_requested()
    memory.write_text("nonsense")
    assert not index.rebuild_requested()
