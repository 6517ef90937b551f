"""Suggestions as one types: public, cached for a moment, at a pace."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from matching.documents import Key, Kind
from matching.index import Suggestion, SuggestionKind
from web import rate, wiring


@pytest.fixture
def asked(parts: wiring.Parts, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the index was asked for; it knows three things."""
    found: list[str] = []

    def suggest(_self: Any, prefix: str, limit: int = 8) -> list[Suggestion]:
        found.append(prefix)
        known = [
            Suggestion(SuggestionKind.ORGANISATION, "浙江大学", owner_id=7),
            Suggestion(SuggestionKind.KEYWORD, "离心泵 & 叶轮"),
            Suggestion(SuggestionKind.TITLE, "离心泵叶轮", key=Key(Kind.DEMAND, 3)),
        ]
        return known[:limit] if prefix else []

    monkeypatch.setattr(type(parts.index), "suggest", suggest)
    return found


def test_each_kind_leads_where_it_should(client: TestClient, asked: list[str]) -> None:
    answer = client.get("/search/suggestions", params={"q": "  离心\u3000泵\x00 "})
    assert answer.json() == {
        "items": [
            {"kind": "organisation", "text": "浙江大学", "href": "/organisations/7"},
            {
                "kind": "keyword",
                "text": "离心泵 & 叶轮",
                "href": "/search?q=%E7%A6%BB%E5%BF%83%E6%B3%B5+%26+%E5%8F%B6%E8%BD%AE",
            },
            {"kind": "demand", "text": "离心泵叶轮", "href": "/demands/3"},
        ]
    }
    assert asked == ["离心 泵"]
    assert answer.headers["cache-control"] == "public, max-age=60"


def test_only_a_beginning_is_looked_at(client: TestClient, asked: list[str]) -> None:
    assert client.get("/search/suggestions", params={"q": "泵" * 5000}).status_code == 200
    assert asked == ["泵" * 60]
    assert client.get("/search/suggestions").json() == {"items": []}


def test_there_is_a_pace(
    client: TestClient, asked: list[str], parts: wiring.Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate, "SUGGESTIONS", rate.RateLimitItemPerMinute(2, namespace="few"))
    answers = [client.get("/search/suggestions", params={"q": "a"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["retry-after"]) > 0
    assert len(asked) == 2


@pytest.mark.parametrize("path", ["/", "/search", "/search?q=a"])
def test_search_fields_are_plain_fields_that_say_where_suggestions_are(client: TestClient, path: str) -> None:
    page = client.get(path).text
    fields = 2 if path.startswith("/search") else 1
    assert page.count('data-suggest="/search/suggestions"') == fields
    assert 'role="combobox"' not in page, "without scripts it is a field like any other"
    assert 'data-suggest-count="{n} suggestions"' in page
