import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from market.db import Database, t
from market.listings.models import Result
from matching.indexer import reindex
from tests.matching.rows import Rows
from web import wiring
from web.app import create_app
from web.routes.search import price_bounds
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


class TestApi:
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
        "query", [{"trl": "10"}, {"kind": "lot"}, {"price_from": "-1"}, {"region": "x"}, {"per_page": "1000"}]
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
        assert {"shared_words", "same_industry", "not_ready", "above_budget", "same_mode"} == set(codes)
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
