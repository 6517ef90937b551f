"""Entries worth comparing with a text, from a Meilisearch server."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from matching import text
from matching.documents import Kind
from matching.index import DEEPEST, Hit, Rarity
from matching.meilisearch import queries
from matching.meilisearch.counts import Ask, weightiest
from matching.meilisearch.queries import (
    EMBEDDER,
    NEWEST,
    RANKED_WORDS,
    VectorOf,
    every,
    holding,
    one_of,
    ranking,
)
from matching.telling import MOST_TERMS

MOST_GRAMS = 120
LONGEST_COMPARED = 500
"""Characters of a text whose grams are looked for among titles; more finds no more."""


def candidates(
    ask: Ask,
    rarity: Rarity,
    title: str,
    prose: str,
    kind: str,
    limit: int,
    vector_of: VectorOf | None = None,
) -> list[Hit]:
    """See `matching.index.SearchIndex.candidates`.

    Entries whose titles share one of the weightiest grams are fetched (as many grams as bring a thousand
    entries) and weighed here by all the grams they share; entries by words, and by the vector, are ranked by the server. Four
    of the first in turn with one of each of the others, as the embedded index does.
    """
    only = one_of("kind", [kind])
    wanted = _gram_weights(title, prose[:LONGEST_COMPARED], rarity)
    # The title's words count four times: they name the thing, the text only tells of it.
    words = weightiest([*text.terms(title) * 4, *text.terms(prose)], rarity, MOST_TERMS)
    questions: list[dict[str, Any]] = []
    if wanted:
        condition = every([only, one_of("grams", _rare(wanted, rarity))])
        asked = {"filter": condition, "limit": DEEPEST, "sort": NEWEST}
        questions.append({**asked, "attributesToRetrieve": ["id", "title"]})
    ranked_only = {"attributesToRetrieve": ["id"], "showRankingScore": True, "limit": max(1, limit // 4)}
    if words:
        condition = every([only, queries.either([holding(term) for term in words])])
        questions.append({"filter": condition, **ranked_only, **ranking(words[:RANKED_WORDS])})
    vector = None
    if vector_of is not None:
        vector = vector_of(f"{title}\n{prose}" if prose else title, Kind(kind).other)
    if vector is not None:
        hybrid = {"embedder": EMBEDDER, "semanticRatio": 1.0}
        questions.append({"filter": only, **ranked_only, "vector": list(vector), "hybrid": hybrid})
    if not questions:
        return []
    lists = []
    for number, answer in enumerate(ask(questions)):
        if wanted and number == 0:
            scored = [(_shared(wanted, hit["title"]), hit["id"]) for hit in answer["hits"]]
            ranked = sorted(scored, key=lambda one: (-one[0], one[1]))[:limit]
        else:
            ranked = [(hit["_rankingScore"], hit["id"]) for hit in answer["hits"]]
        best = ranked[0][0] if ranked and ranked[0][0] > 0 else 1.0
        # Scores of two lists are not comparable; each is told as a share of its list's best.
        lists.append([Hit(queries.key_of(row), round(score / best, 4)) for score, row in ranked])
    by_title, others = (lists[0], lists[1:]) if wanted else ([], lists)
    taken = {found[0].key: found[0] for found in others if found}
    for rank in range(limit):
        for hit in by_title[rank * 4 : rank * 4 + 4]:
            taken.setdefault(hit.key, hit)
        for found in others:
            for hit in found[rank + 1 : rank + 2]:
                taken.setdefault(hit.key, hit)
    return list(taken.values())[:limit]


def _gram_weights(title: str, prose: str, rarity: Rarity) -> dict[str, float]:
    """What the characters of a title, and of the text under it, weigh among titles; each of the two alike."""
    weights: dict[str, float] = {}
    for written in (title, f"{title}\n{prose}"):
        found = {}
        for gram, times in Counter(text.grams(written)).items():
            frequency = rarity.frequency(gram)
            if frequency:
                found[gram] = (1 + math.log(times)) * math.log(1 + (rarity.documents + 1) / frequency)
        length = math.hypot(*found.values()) or 1.0
        for gram, weight in found.items():
            weights[gram] = weights.get(gram, 0.0) + weight / length
    best = sorted(weights, key=lambda gram: (-weights[gram], gram))[:MOST_GRAMS]
    return {gram: weights[gram] for gram in best}


def _rare(weights: Mapping[str, float], rarity: Rarity) -> list[str]:
    """The weightiest grams, as many as bring no more entries than can be fetched; the first in any case."""
    chosen: list[str] = []
    expected = 0
    for gram in weights:
        expected += rarity.frequency(gram)
        if chosen and expected > DEEPEST:
            break
        chosen.append(gram)
    return chosen


def _shared(wanted: Mapping[str, float], title: str) -> float:
    grams = set(text.grams(title))
    return sum(wanted.get(gram, 0.0) for gram in grams) / math.sqrt(len(grams) or 1)
