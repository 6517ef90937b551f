"""Atom feeds of searches: as the standard wants them, as a reader reads them, and quiet when nothing changed."""

from __future__ import annotations

import datetime as dt
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import quote

import feedparser
import pytest
import sqlalchemy as sa
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from market.clock import UTC
from market.db import t
from market.listings.models import Result
from matching.indexer import reindex
from tests.matching.rows import AT, Rows
from web import feeds, wiring

ATOM = "{http://www.w3.org/2005/Atom}"
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def numbers(parts: wiring.Parts) -> dict[str, int]:
    assert parts.index.acquire()
    with parts.db.write() as session:
        rows = Rows(session)
        found = {
            "pump": rows.result(
                "离心泵 <叶轮> & 蜗壳", "降低\x07汽蚀。", published_at=AT, updated_at=AT + HOUR
            ),
            "lathe": rows.result("数控机床主轴", industry_code="machine-tools", published_at=AT + HOUR / 2),
            "demand": rows.demand("求离心泵", published_at=AT + 2 * HOUR, updated_at=AT + 2 * HOUR),
        }
    reindex(parts.db, parts.index)
    return found


def read(answer: Any) -> Any:
    """The feed as a feed reader has it; not well-formed is a failure."""
    feed = feedparser.parse(answer.content, response_headers=dict(answer.headers))
    assert not feed.bozo, feed.get("bozo_exception")
    assert feed.version == "atom10"
    return feed


def texts(node: ET.Element, name: str) -> list[str]:
    return [one.text or "" for one in node.findall(ATOM + name)]


def links(node: ET.Element) -> dict[str, str]:
    return {one.attrib["rel"]: one.attrib["href"] for one in node.findall(f"{ATOM}link")}


def test_it_is_what_the_standard_asks_for(client: TestClient, numbers: dict[str, int]) -> None:
    answer = client.get("/search/feed.atom?kind=result&q=离心泵&lang=en&page=2&sort=price_up")
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    root = ET.fromstring(answer.content)
    assert root.tag == f"{ATOM}feed"
    assert root.attrib["{http://www.w3.org/XML/1998/namespace}lang"] == "en"
    asked = f"q={quote('离心泵')}&kind=result"
    assert texts(root, "id") == [f"tag:testserver,2026:search?{asked}"]
    assert texts(root, "title") == ["离心泵 · Results – Wenling Technology Market"]
    assert links(root) == {
        "self": f"http://testserver/search/feed.atom?{asked}&lang=en",
        "alternate": f"http://testserver/search?{asked}",
    }
    (entry,) = root.findall(f"{ATOM}entry")
    assert texts(entry, "id") == [f"tag:testserver,2026:result/{numbers['pump']}"]
    assert texts(entry, "title") == ["[Result] 离心泵 <叶轮> & 蜗壳"]
    assert texts(entry, "summary") == ["降低汽蚀。"], "what XML cannot hold is left out"
    assert links(entry) == {"alternate": f"http://testserver/results/{numbers['pump']}"}
    assert texts(entry, "published") == [AT.isoformat().replace("+00:00", "Z")]
    changed = (AT + HOUR).isoformat().replace("+00:00", "Z")
    assert texts(entry, "updated") == texts(root, "updated") == [changed]
    for node in (root, entry):
        for once in ("id", "title", "updated", "author"):
            assert len(node.findall(ATOM + once)) == 1, once
    category = entry.find(f"{ATOM}category")
    assert category is not None
    assert category.attrib["term"] == "泵与电机"


def test_a_reader_reads_it_newest_first(client: TestClient, numbers: dict[str, int]) -> None:
    feed = read(client.get("/search/feed.atom", headers={"accept-language": "zh-CN"}))
    assert [entry.title for entry in feed.entries] == [
        "[需求] 求离心泵",
        "[成果] 数控机床主轴",
        "[成果] 离心泵 <叶轮> & 蜗壳",
    ]
    assert feed.feed.title == "全部 – 温岭科技大市场"
    assert len({entry.id for entry in feed.entries}) == 3
    assert all(entry.author and entry.published_parsed for entry in feed.entries)
    assert read(client.get("/search/feed.atom?q=火星")).entries == []


def test_what_holds_only_some_of_the_words_is_no_news(
    client: TestClient, parts: wiring.Parts, numbers: dict[str, int]
) -> None:
    assert parts.index.search("火星 主轴").relaxed
    assert read(client.get("/search/feed.atom?q=火星 主轴")).entries == []


def test_equal_searches_are_one_feed(client: TestClient, numbers: dict[str, int]) -> None:
    one = client.get("/search/feed.atom?trl=7-9&trl=4-6&q=a++b&kind=result&nonsense=1")
    other = client.get("/search/feed.atom?kind=result&q=a%20b&trl=4-6&trl=7-9&page=3")
    assert one.content == other.content


def test_the_page_leads_to_its_feed(client: TestClient, numbers: dict[str, int]) -> None:
    page = client.get("/search?q=离心泵&page=1").text
    address = f"/search/feed.atom?q={quote('离心泵')}&amp;lang=en"
    assert '<link rel="alternate" type="application/atom+xml"' in page
    assert page.count(f'href="{address}"') == 2
    assert read(client.get(address.replace("&amp;", "&"))).entries


def test_a_reader_that_has_it_gets_nothing(
    client: TestClient, parts: wiring.Parts, numbers: dict[str, int]
) -> None:
    first = client.get("/search/feed.atom")
    assert first.headers["cache-control"] == "public, max-age=300"
    etag, modified = first.headers["etag"], first.headers["last-modified"]
    for asked in (
        {"if-none-match": etag},
        {"if-none-match": f'"other", W/{etag}'},
        {"if-none-match": "*"},
        {"if-modified-since": modified},
    ):
        again = client.get("/search/feed.atom", headers=asked)
        assert (again.status_code, again.content) == (304, b""), asked
        assert again.headers["etag"] == etag
    for asked in (
        {"if-none-match": '"other"', "if-modified-since": modified},
        {"if-modified-since": "Thu, 01 Jan 2026 00:00:00 GMT"},
        {"if-modified-since": "nonsense"},
        {"if-modified-since": "Thu, 01 Jan 99999999999 00:00:00 GMT"},
        {"if-modified-since": "Thu, 01 Jan 2027 00:00:00 +99999999999999"},
    ):
        assert client.get("/search/feed.atom", headers=asked).status_code == 200, asked
    with parts.db.write() as session:
        c = t(Result).c
        session.execute(sa.update(t(Result)).where(c.id == numbers["pump"]).values(updated_at=AT + 9 * HOUR))
    changed = client.get("/search/feed.atom", headers={"if-none-match": etag, "if-modified-since": modified})
    assert changed.status_code == 200
    assert changed.headers["last-modified"] == "Mon, 02 Mar 2026 11:00:00 GMT"


def test_what_is_withdrawn_is_gone(client: TestClient, parts: wiring.Parts, numbers: dict[str, int]) -> None:
    with parts.db.write() as session:
        c = t(Result).c
        session.execute(sa.update(t(Result)).where(c.id == numbers["pump"]).values(state="withdrawn"))
    titles = [entry.title for entry in read(client.get("/search/feed.atom")).entries]
    assert len(titles) == 2
    assert "[Result] 数控机床主轴" in titles


@pytest.mark.parametrize("base", ["https://market.example.org", "https://market.example.org:8443/"])
def test_an_id_holds_no_port(base: str) -> None:
    assert feeds.tag_uri(base, "result/1") == "tag:market.example.org,2026:result/1"


def test_an_empty_feed_never_changed() -> None:
    feed = feeds.Feed("search?", "t", "s", "en", "p", "https://a/f", "https://a/", ())
    assert feed.updated == dt.datetime(1970, 1, 1, tzinfo=UTC)
    answer = feeds.answer(feed, "https://a", Headers(), 300)
    assert answer.headers["last-modified"] == "Thu, 01 Jan 1970 00:00:00 GMT"
