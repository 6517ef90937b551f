"""Suggestions while somebody types, from a Meilisearch server: by stored beginnings, and by the characters of titles."""

from collections.abc import Iterator, Mapping
from typing import Any

from matching import pinyin, text
from matching.index import Suggestion, SuggestionKind
from matching.meilisearch import queries
from matching.meilisearch.counts import Ask
from matching.meilisearch.queries import NEWEST, every, one_of
from matching.telling import MOST_TERMS

LONGEST_PREFIX = 64


def suggest(ask: Ask, prefix: str, limit: int) -> list[Suggestion]:
    """See `matching.index.SearchIndex.suggest`. Of what many entries begin with, the newest 200 are looked at."""
    typed = queries.squeezed(prefix)[:LONGEST_PREFIX]
    if limit < 1 or not text.is_wordlike(typed):
        return []
    head = typed[: max(length for length in queries.HEAD_LENGTHS if length <= len(typed))]
    shown = {
        "attributesToRetrieve": ["id", "title", "keywords", "owner_name", "owner_id"],
        "sort": NEWEST,
        "limit": 200,
    }
    questions: list[dict[str, Any]] = [{"filter": one_of("heads", [head]), **shown}]
    inside = [one_of("title_words", [pair]) for pair in dict.fromkeys(text.bigrams(typed)[:MOST_TERMS])]
    if inside:
        questions.append({"filter": every(inside), **shown})
    kinds: dict[SuggestionKind, dict[str, tuple[int, Suggestion]]] = {kind: {} for kind in SuggestionKind}
    for answer in ask(questions):
        for hit in answer["hits"]:
            for rank, one in _offers(hit, typed):
                known = kinds[one.kind].get(one.text)
                if known is None or rank < known[0]:
                    kinds[one.kind][one.text] = (rank, one)
    owners, keywords, titles = (
        [one for _, one in sorted(kinds[kind].values(), key=lambda ranked: ranked[0])]
        for kind in (SuggestionKind.ORGANISATION, SuggestionKind.KEYWORD, SuggestionKind.TITLE)
    )
    # A third for each kind; what one kind leaves free goes to the next.
    share = -(-limit // 3)
    least_titles = min(len(titles), share)
    found = owners[: max(share, limit - len(keywords[:share]) - least_titles)]
    found += keywords[: max(share, limit - len(found) - least_titles)]
    once = {one.text: one for one in reversed([*found, *titles])}
    return list(reversed(once.values()))[:limit]


def _offers(hit: Mapping[str, Any], typed: str) -> Iterator[tuple[int, Suggestion]]:
    """What of one entry goes on from what was typed; 0 for a beginning, 1 for a place inside."""
    name, title = hit["owner_name"], hit["title"]
    if hit["owner_id"] and name and _begins(name, typed):
        yield 0, Suggestion(SuggestionKind.ORGANISATION, name, owner_id=hit["owner_id"])
    for keyword in hit["keywords"]:
        if _begins(keyword, typed):
            yield 0, Suggestion(SuggestionKind.KEYWORD, keyword)
    place = queries.squeezed(title).find(typed)
    if place >= 0:
        yield min(place, 1), Suggestion(SuggestionKind.TITLE, title, queries.key_of(hit["id"]))
    elif any(lead.startswith(typed) for lead in queries.title_leads(title)):
        yield 1, Suggestion(SuggestionKind.TITLE, title, queries.key_of(hit["id"]))


def _begins(written: str, typed: str) -> bool:
    return any(form.startswith(typed) for form in (queries.squeezed(written), *pinyin.beginnings(written)))
