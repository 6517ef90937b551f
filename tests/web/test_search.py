import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from market.db import Database, t
from market.listings.models import Result
from matching import query
from matching.index import IndexState
from matching.indexer import reindex
from tests.matching.rows import Rows
from web import wiring
from web.app import create_app
from web.searching import price_bounds
from web.settings import Environment, Settings

WAN = 1_000_000


@pytest.fixture
def numbers(database: Database) -> dict[str, int]:
    with database.write() as session:
        rows = Rows(session)
        return {
            "pump": rows.result(
                "高效离心泵叶轮",
                "一种<b>叶轮</b>结构，降低汽蚀，提高离心泵效率。",
                patent="200710308494.X",
                trl=7,
                modes=["licence"],
                price_low_fen=20 * WAN,
                price_high_fen=40 * WAN,
            ),
            "lathe": rows.result("数控机床主轴", "主轴温升补偿", industry_code="machine-tools", trl=5),
            "demand": rows.demand(
                "离心泵叶轮效率提升",
                "现有离心泵叶轮效率低，汽蚀严重。",
                wanted_trl=8,
                modes=["licence"],
                budget_low_fen=5 * WAN,
                budget_high_fen=10 * WAN,
            ),
        }


@pytest.fixture
def parts(database: Database, tmp_path: Path) -> Iterator[wiring.Parts]:
    settings = Settings(
        environment=Environment.TEST,
        data_dir=tmp_path / "data",
        database_url=database.url.render_as_string(hide_password=False),  # type: ignore[arg-type]
        base_url="http://testserver",
    )
    parts = wiring.build(settings)
    yield parts
    parts.index.close()
    parts.db.dispose()


@pytest.fixture
def client(parts: wiring.Parts, numbers: dict[str, int]) -> TestClient:
    reindex(parts.db, parts.index)
    return TestClient(create_app(parts), headers={"accept-language": "en"})


def titles(page: str) -> list[str]:
    found = re.findall(r'<h3 class="card__title"><a href="[^"]*">(.*?)</a>', page)
    return [html.unescape(re.sub("<[^>]+>", "", title)) for title in found]


class TestPage:
    def test_what_is_found_is_marked_and_escaped(self, client: TestClient) -> None:
        page = client.get("/search", params={"q": "离心泵 汽蚀"}).text
        assert set(titles(page)) == {"高效离心泵叶轮", "离心泵叶轮效率提升"}
        assert "<mark>离心泵</mark>" in page
        assert "&lt;b&gt;" in page
        assert "<b>叶轮" not in page

    @pytest.mark.parametrize("typed", ["！？", "😀", '""', "-"])
    def test_what_holds_no_word_is_told(self, client: TestClient, typed: str) -> None:
        page = client.get("/search", params={"q": typed}).text
        assert "There is nothing to look for in what was typed." in page
        assert "There is nothing to look for" not in client.get("/search", params={"q": f"{typed} 泵"}).text

    def test_what_is_too_long_is_read_in_part_and_told(self, client: TestClient) -> None:
        page = client.get("/search", params={"q": "离心泵 " + "a" * 5000}).text
        assert "Only the first 500 characters were read." in page
        assert titles(page)
        assert "Only the first" not in client.get("/search", params={"q": "离心泵 " * 100}).text

    def test_marks_nobody_sees_part_no_word(self, client: TestClient) -> None:
        hidden = "\u202e离心\u200b泵\ufeff"
        assert titles(client.get("/search", params={"q": hidden}).text) == titles(
            client.get("/search", params={"q": "离心泵"}).text
        )

    def test_words_come_back_escaped(self, client: TestClient) -> None:
        page = client.get("/search", params={"q": '"><script>alert(1)</script>'}).text
        assert "<script>alert" not in page

    def test_filters_and_their_removal(self, client: TestClient) -> None:
        page = client.get("/search", params={"industry": "machine-tools", "price": "", "trl": "4-6"}).text
        assert titles(page) == ["数控机床主轴"]
        assert 'href="/search?price=&amp;trl=4-6"' in page or 'href="/search?trl=4-6"' in page

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"kind": "demand"}, {"离心泵叶轮效率提升"}),
            ({"mode": "licence"}, {"高效离心泵叶轮", "离心泵叶轮效率提升"}),
            ({"owner": "university"}, {"高效离心泵叶轮", "数控机床主轴"}),
            ({"region": "331000"}, {"离心泵叶轮效率提升"}),
            ({"price": "10-50"}, {"高效离心泵叶轮", "离心泵叶轮效率提升"}),
            ({"price": "30-"}, {"高效离心泵叶轮"}),
            ({"q": "ZL200710308494.X"}, {"高效离心泵叶轮"}),
            (
                {
                    "kind": "?",
                    "trl": "x",
                    "mode": "x",
                    "owner": "x",
                    "region": "x",
                    "price": "x",
                    "page": "x",
                },
                {"高效离心泵叶轮", "数控机床主轴", "离心泵叶轮效率提升"},
            ),
        ],
    )
    def test_narrowing(self, client: TestClient, query: dict[str, str], expected: set[str]) -> None:
        assert set(titles(client.get("/search", params=query).text)) == expected

    @pytest.mark.parametrize("page", ["0", "-1", "9999999", "9" * 5000, "2"])
    def test_pages_beyond_the_end(self, client: TestClient, page: str) -> None:
        assert client.get("/search", params={"page": page}).status_code == 200

    def test_nothing_found_offers_a_way_on(self, client: TestClient) -> None:
        assert 'href="/demands/new"' in client.get("/search", params={"q": "火星"}).text
        narrowed = client.get("/search", params={"q": "火星", "trl": "4-6"}).text
        assert "Clear all filters" in narrowed

    def test_a_withdrawn_row_is_not_shown_even_if_still_indexed(
        self, client: TestClient, parts: wiring.Parts, numbers: dict[str, int]
    ) -> None:
        with parts.db.write() as session:
            c = t(Result).c
            session.execute(sa.update(t(Result)).where(c.id == numbers["pump"]).values(state="withdrawn"))
        assert titles(client.get("/search", params={"kind": "result"}).text) == ["数控机床主轴"]

    def test_an_index_being_built_says_so(self, parts: wiring.Parts, numbers: dict[str, int]) -> None:
        client = TestClient(create_app(parts), headers={"accept-language": "en"})
        assert "being built" in client.get("/search").text
        assert client.get("/api/v1/search").json()["complete"] is False

    def test_chinese_page_has_no_english_left(self, client: TestClient) -> None:
        page = client.get("/search", params={"q": "火星"}, headers={"accept-language": "zh-CN"}).text
        assert "没有找到相关内容" in page
        assert "Nothing was found" not in page


def facet(page: str, name: str) -> dict[str, str]:
    """The options of a facet as the form shows them: value → text and count."""
    found = re.findall(
        rf'<input type="\w+" id="facet-[\d-]+" name="{name}" value="([^"]*)"[^>]*><label[^>]*>(.*?)</label>',
        page,
    )
    return {value: re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", text)).strip() for value, text in found}


def tags(page: str) -> dict[str, str]:
    """What may be taken away: text → address without it."""
    found = re.findall(
        r'<a class="tag tag--remove" href="([^"]*)"><span class="vh">.*?</span>(.*?)<svg', page
    )
    return {html.unescape(text).strip(): html.unescape(href) for href, text in found}


class TestFacets:
    def test_every_facet_has_counts(self, client: TestClient) -> None:
        page = client.get("/search").text
        assert facet(page, "industry") == {
            "pumps": "泵与电机 entries: 2",
            "machine-tools": "机床工具 entries: 1",
        }
        assert facet(page, "trl") == {
            "4-6": "4–6: prototype and pilot entries: 1",
            "7-9": "7–9: demonstration and production entries: 2",
        }
        assert set(facet(page, "mode")) == {"licence"}
        assert {value: text[-1] for value, text in facet(page, "owner").items()} == {
            "university": "2",
            "firm": "1",
        }
        assert facet(page, "year") == {"2026": "2026 entries: 3"}
        assert {value: text[-1] for value, text in facet(page, "price").items()} == {
            "0-10": "1",
            "10-50": "2",
        }

    def test_circles_hold_each_other_and_come_before_divisions(self, client: TestClient) -> None:
        page = client.get("/search").text
        found = {value: text[-1] for value, text in facet(page, "region").items()}
        assert found == {"city": "1", "prefecture": "1", "province": "3", "330100": "2", "330106": "2"}
        assert list(found)[:3] == ["city", "prefecture", "province"]
        chosen = client.get("/search?region=city").text
        assert titles(chosen) == ["离心泵叶轮效率提升"]
        assert tags(chosen) == {"This city": "/search"}
        assert titles(client.get("/search?region=outside").text) == []
        assert set(titles(client.get("/search?region=province").text)) == set(titles(page))

    def test_an_old_link_to_the_citys_code_is_the_citys_circle(self, client: TestClient) -> None:
        page = client.get("/search?region=331081").text
        assert titles(page) == ["离心泵叶轮效率提升"]
        assert re.search(r'name="region" value="city" checked', page)
        assert tags(page) == {"This city": "/search"}

    def test_a_facets_counts_ignore_its_own_choice(self, client: TestClient) -> None:
        page = client.get("/search?price=0-10&year=2026").text
        assert {value: text[-1] for value, text in facet(page, "price").items() if value} == {
            "0-10": "1",
            "10-50": "2",
        }
        assert facet(page, "year") == {"2026": "2026 entries: 1"}
        assert set(tags(page)) == {"up to ¥100k", "2026"}

    def test_a_range_of_prices_of_ones_own_is_kept(self, client: TestClient) -> None:
        page = client.get("/search?price=30-35").text
        assert titles(page) == ["高效离心泵叶轮"]
        assert re.search(r'name="price" value="30-35" checked', page)

    def test_without_filters_nothing_is_narrowed(self, client: TestClient) -> None:
        page = client.get("/search?industry=machine-tools&trl=4-6&q=主轴&sort=newest").text
        clear = re.search(r'<a class="btn btn--quiet" href="([^"]*)">Clear</a>', page)
        assert clear is not None
        assert html.unescape(clear[1]) == "/search?q=%E4%B8%BB%E8%BD%B4&sort=newest"


class TestUnderstood:
    def test_each_condition_is_shown_and_can_be_taken_away(self, client: TestClient) -> None:
        typed = '叶轮 "离心泵" -机床 单位:某大学'
        page = client.get("/search", params={"q": typed, "kind": "result"}).text
        assert titles(page) == ["高效离心泵叶轮"]
        found = tags(page)
        assert list(found) == ["“离心泵”", "without 机床", "Organisation: 某大学"]
        assert parse_qs(urlsplit(found["“离心泵”"]).query) == {
            "q": ["叶轮 -机床 owner:某大学"],
            "kind": ["result"],
        }
        again = client.get(found["Organisation: 某大学"]).text
        assert list(tags(again)) == ["“离心泵”", "without 机床"]

    def test_plain_words_need_no_explanation(self, client: TestClient) -> None:
        assert "Understood as" not in client.get("/search", params={"q": "离心泵"}).text

    def test_the_query_language_is_explained(self, client: TestClient) -> None:
        page = client.get("/search", headers={"accept-language": "zh-CN"}).text
        assert "<summary>搜索技巧</summary>" in page
        for sample in ("屏蔽电泵", "水泵 -柴油", "标题: 单位: 发明人: 分类号: 号:"):
            assert sample in page

    def test_what_is_shown_as_an_example_is_read_as_told(self) -> None:
        assert [str(one) for one in query.parse("水泵 -柴油").clauses] == ["-柴油"]
        assert [one.phrase for one in query.parse('"屏蔽电泵"').clauses] == [True]
        typed = "标题:a 单位:b 发明人:c 分类号:F04D 号:1"
        assert [one.field for one in query.parse(typed).clauses] == [
            query.Field.TITLE, query.Field.OWNER, query.Field.INVENTOR, query.Field.IPC, query.Field.NUMBER,
        ]  # fmt: skip


class TestNothingFound:
    def test_another_spelling_is_offered(self, client: TestClient) -> None:
        page = client.get("/search", params={"q": "离心蹦", "kind": "result"}).text
        found = re.search(r'Did you mean: <a href="([^"]*)"><b>(.*?)</b>', page)
        assert found is not None
        assert titles(client.get(html.unescape(found[1])).text) == ["高效离心泵叶轮"]

    def test_one_word_alone_is_offered_when_nothing_holds_all(self, client: TestClient) -> None:
        page = client.get("/search", params={"q": "汽蚀 火星人", "sort": "newest"}).text
        assert "Nothing holds all of these words" in page
        found = dict(re.findall(r'<a class="tag" href="([^"]*)">(.*?)</a>', page))
        assert found == {
            f"/search?q={quote('汽蚀')}&amp;sort=newest": "汽蚀",
            f"/search?q={quote('火星人')}&amp;sort=newest": "火星人",
        }

    def test_filters_can_be_left_out_one_by_one(self, client: TestClient) -> None:
        page = client.get("/search?trl=7-9&industry=machine-tools").text
        assert "Nothing matches these filters" in page
        ways = page[page.index("Leave out one filter:") :]
        left = {html.unescape(href) for href in re.findall(r'<a class="tag" href="([^"]*)">', ways)}
        assert left == {"/search?trl=7-9", "/search?industry=machine-tools"}
        assert all(titles(client.get(href).text) for href in left)
        assert "Save the search" in ways
        assert 'href="/demands/new"' in ways


@pytest.mark.parametrize(
    ("state", "said"), [(IndexState.STALE, "last known index"), (IndexState.BUILDING, "being built")]
)
def test_an_index_that_is_not_whole_says_so(
    client: TestClient, parts: wiring.Parts, monkeypatch: pytest.MonkeyPatch, state: IndexState, said: str
) -> None:
    monkeypatch.setattr(type(parts.index), "state", property(lambda _self: state))
    assert said in client.get("/search?q=离心泵").text
    answer = client.get("/api/v1/search?q=离心泵").json()
    assert answer["state"] == state.value
    assert answer["complete"] is (state is IndexState.STALE)


class TestApi:
    def test_new_filters_and_what_was_understood(self, client: TestClient, numbers: dict[str, int]) -> None:
        answer = client.get("/api/v1/search", params={"circle": "city", "year": "2026"}).json()
        assert [item["id"] for item in answer["items"]] == [numbers["demand"]]
        assert answer["circles"] == {"city": 1, "prefecture": 1, "province": 3, "outside": 0}
        assert answer["facets"]["year"] == {"2026": 1}
        assert answer["facets"]["price"] == {"0-10": 1, "10-50": 1}
        assert client.get("/api/v1/search?circle=outside").json()["total"] == 0
        assert client.get("/api/v1/search?circle=outside&region=33").json()["total"] == 3
        assert client.get("/api/v1/search?year=2025").json()["total"] == 0
        answer = client.get("/api/v1/search", params={"q": '叶轮 "离心泵" -title:机床'}).json()
        assert answer["conditions"] == [
            {"text": "离心泵", "field": None, "phrase": True, "excluded": False},
            {"text": "机床", "field": "title", "phrase": False, "excluded": True},
        ]
        assert answer["suggestion"] == ""
        assert client.get("/api/v1/search", params={"q": "离心蹦"}).json()["suggestion"]

    def test_search(self, client: TestClient, numbers: dict[str, int]) -> None:
        answer = client.get("/api/v1/search", params={"q": "离心泵", "kind": "result", "trl": [6, 7]}).json()
        assert (answer["total"], answer["complete"], answer["relaxed"]) == (1, True, False)
        item = answer["items"][0]
        assert (item["kind"], item["id"], item["href"]) == (
            "result",
            numbers["pump"],
            f"/results/{numbers['pump']}",
        )
        assert item["price_low_fen"] == 20 * WAN
        assert item["owner"]["kind"] == "university"
        assert answer["facets"]["kind"] == {"result": 1}

    @pytest.mark.parametrize(
        "query",
        [
            {"trl": "10"},
            {"kind": "lot"},
            {"price_from": "-1"},
            {"region": "x"},
            {"per_page": "1000"},
            {"circle": "moon"},
            {"year": "26"},
        ],
    )
    def test_bad_values_are_refused(self, client: TestClient, query: dict[str, str]) -> None:
        answer = client.get("/api/v1/search", params=query)
        assert answer.status_code == 422
        assert answer.json()["errors"]

    def test_partners_with_reasons(self, client: TestClient, numbers: dict[str, int]) -> None:
        answer = client.get(f"/api/v1/demands/{numbers['demand']}/partners").json()
        best = answer["items"][0]
        assert (best["kind"], best["id"], best["band"]) == ("result", numbers["pump"], "strong")
        codes: dict[str, Any] = {reason["code"]: reason for reason in best["reasons"]}
        assert {
            "shared_words",
            "same_industry",
            "not_ready",
            "above_budget",
            "same_mode",
            "same_province",
        } == set(codes)
        assert codes["not_ready"]["value"] < 0
        assert "TRL 7" in codes["not_ready"]["text"]
        assert "percent" not in str(answer)

    def test_reasons_in_chinese(self, client: TestClient, numbers: dict[str, int]) -> None:
        answer = client.get(
            f"/api/v1/results/{numbers['pump']}/partners", headers={"accept-language": "zh-CN"}
        ).json()
        said = " ".join(reason["text"] for reason in answer["items"][0]["reasons"])
        assert "同属产业：泵与电机" in said
        assert "reason." not in said

    def test_no_partners_of_what_is_not_published(
        self, client: TestClient, parts: wiring.Parts, numbers: dict[str, int]
    ) -> None:
        with parts.db.write() as session:
            c = t(Result).c
            session.execute(sa.update(t(Result)).where(c.id == numbers["pump"]).values(state="draft"))
        assert client.get(f"/api/v1/results/{numbers['pump']}/partners").status_code == 404
        assert client.get("/api/v1/results/999999/partners").status_code == 404


@pytest.mark.parametrize(
    ("written", "bounds"),
    [
        ("10-50", (10 * WAN, 50 * WAN)),
        ("500-", (500 * WAN, None)),
        ("-5", (None, 5 * WAN)),
        ("-", (None, None)),
        ("", (None, None)),
        ("x-5", (None, None)),
        ("1-99999999", (None, None)),
        ("１-５", (None, None)),
    ],
)
def test_price_bounds(written: str, bounds: tuple[int | None, int | None]) -> None:
    assert price_bounds(written) == bounds
