"""Searching on a Meilisearch server. See `queries` for the idea."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from matching import synonyms, text
from matching.documents import Kind
from matching.index import DEEPEST, Facet, Filters, Hit, Hits, Rarity, Sort
from matching.meilisearch import queries
from matching.meilisearch.counts import Ask, weightiest
from matching.meilisearch.queries import EMBEDDER, NEWEST, RANKED_WORDS, VectorOf, every, one_of, ranking
from matching.query import Clause, Field, Query
from matching.synonyms import Thesaurus
from matching.telling import MOST_TERMS, is_rare, telling

LOOKED_AT = 1000
"""Entries read to see whether a phrase stands in them; beyond, its pairs of characters have to do."""
_NOTHING = one_of("id", [])
_CODE_SCORE = 2.0
"""Above every ranking score, which is 1 at most."""

_SORTS = {
    Sort.NEWEST: NEWEST,
    Sort.PRICE_UP: ["price_up:asc", "tie:asc"],
    Sort.PRICE_DOWN: ["price_down:desc", "tie:asc"],
}


class Search:
    """One search for people."""

    def __init__(
        self,
        ask: Ask,
        thesaurus: Thesaurus,
        counts: Callable[[], Rarity],
        vector_of: VectorOf | None = None,
    ) -> None:
        self._ask, self._thesaurus, self._counts, self._vector_of = ask, thesaurus, counts, vector_of

    def find(
        self, asked: Query, filters: Filters, *, sort: Sort, offset: int, limit: int, facets: Sequence[Facet]
    ) -> Hits:
        """See `matching.index.SearchIndex.search`; spelling is another's matter."""
        offset = max(0, min(offset, DEEPEST))
        limit = max(0, min(limit, DEEPEST - offset))
        readings = self._thesaurus.readings(asked.plain) if asked.words else []
        marked = synonyms.marked(asked, readings, self._thesaurus)
        page, relaxed = Hits(facets={facet: {} for facet in facets}), False
        for query, least in self._attempts(asked):
            page = self._attempt(query, least, filters, sort, offset, limit, facets)
            relaxed = page.total > 0 and (least or query is not asked)
            if page.total:
                break
        return Hits(page.hits, page.total, page.facets, marked, relaxed)

    def _attempts(self, asked: Query) -> Iterator[tuple[Query, bool]]:
        """What to ask for until something is found, and whether a single word is enough."""
        yield asked, False
        loosened = asked.loosened
        if loosened is not None:
            yield loosened, False
        query = loosened or asked
        if any(len(terms_of(reading.text)) > 1 for reading in self._thesaurus.readings(query.plain)):
            yield query, True

    def _attempt(
        self,
        asked: Query,
        least: bool,
        filters: Filters,
        sort: Sort,
        offset: int,
        limit: int,
        facets: Sequence[Facet],
    ) -> Hits:
        readings = self._thesaurus.readings(asked.plain) if asked.words else []
        terms = [self._kept(reading.text) for reading in readings]
        codes = one_of("codes", asked.codes) if asked.codes else ""
        alternatives = [
            queries.every([_enough(one, self._counts(), relaxed=least), *map(_side_by_side, reading.others)])
            for reading, one in zip(readings, terms, strict=True)
            if one
        ]
        if codes:
            alternatives.append(codes)
        if asked.words and not alternatives:
            return Hits(facets={facet: {} for facet in facets})
        found = self._conditions(asked.clauses)
        if alternatives:
            found.append(queries.either(alternatives))
        ranked = terms[0] if terms else _ranking_clauses(asked.clauses)
        return self._page(asked, ranked, found, codes, filters, sort, offset, limit, facets)

    def _kept(self, reading: str) -> list[str]:
        terms = terms_of(reading)
        return (
            terms if len(terms) <= MOST_TERMS else weightiest(text.terms(reading), self._counts(), MOST_TERMS)
        )

    def _page(
        self,
        asked: Query,
        ranked: Sequence[str],
        found: Sequence[str],
        codes: str,
        filters: Filters,
        sort: Sort,
        offset: int,
        limit: int,
        facets: Sequence[Facet],
    ) -> Hits:
        """Hits, total and counts in one request; two where an exact number comes before the rest."""
        if sort is Sort.RELEVANCE and not ranked:
            sort = Sort.NEWEST
        narrowed = [*found, *queries.narrowing(filters)]
        exact: list[Hit] = []
        total = 0
        if codes and sort is Sort.RELEVANCE:
            first = self._ask(
                [
                    {
                        "filter": every([*narrowed, codes]),
                        "sort": NEWEST,
                        "offset": offset,
                        "limit": limit,
                        "attributesToRetrieve": ["id"],
                        "facets": ["kind"],
                    }
                ]
            )[0]
            total = _total(first)
            exact = [Hit(queries.key_of(hit["id"]), _CODE_SCORE) for hit in first["hits"]]
            narrowed.append(f"NOT ({codes})")
        question: dict[str, Any] = {
            "filter": every(narrowed),
            "offset": max(0, offset - total),
            "limit": limit - len(exact),
            "attributesToRetrieve": ["id"],
            **(self._ranking(asked, ranked) if sort is Sort.RELEVANCE else {"sort": _SORTS[sort]}),
        }
        # Counted beside: where a query has words, counts depend on how many hits are asked for
        # (Meilisearch's issue 4634).
        everything = {"filter": every(narrowed), "limit": 0, "facets": ["kind"]}
        passes = _passes(filters, facets)
        asked_too = [everything, *(_count(found, filters, *one) for one in passes.items())]
        rest, matching, *counted = self._ask([question, *asked_too])
        hits = [
            Hit(queries.key_of(hit["id"]), round(hit.get("_rankingScore", 0.0), 4)) for hit in rest["hits"]
        ]
        counts: dict[Facet, dict[str, int]] = {facet: {} for facet in facets}
        for together, answer in zip(passes.values(), counted, strict=True):
            for facet in together:
                counts[facet] = dict(answer["facetDistribution"].get(facet.value, {}))
        return Hits((*exact, *hits), total + _total(matching), counts)

    def _ranking(self, asked: Query, terms: Sequence[str]) -> dict[str, Any]:
        kept = terms if len(terms) <= RANKED_WORDS else weightiest(terms, self._counts(), RANKED_WORDS)
        wanted: dict[str, Any] = {**ranking(kept), "showRankingScore": True}
        vector = (
            self._vector_of(asked.plain, Kind.DEMAND) if self._vector_of is not None and asked.words else None
        )
        if vector is not None:
            wanted |= {"vector": list(vector), "hybrid": {"embedder": EMBEDDER, "semanticRatio": 0.5}}
        return wanted

    # -- clauses

    def _conditions(self, clauses: Sequence[Clause]) -> list[str]:
        """What the clauses demand. Phrases that pairs of characters do not tell are looked for in what comes back."""
        near = [_near(clause, self._thesaurus) for clause in clauses]
        open_ones = [number for number, (_, exact) in enumerate(near) if not exact]
        questions = [
            {
                "filter": near[number][0],
                "limit": LOOKED_AT,
                "sort": NEWEST,
                "attributesToRetrieve": ["id", "title", "parts", "owners", "inventors"],
                "facets": ["kind"],
            }
            for number in open_ones
        ]
        conditions = [condition for condition, _ in near]
        for number, answer in zip(open_ones, self._ask(questions) if questions else [], strict=True):
            if _total(answer) <= LOOKED_AT:
                rows = [hit["id"] for hit in answer["hits"] if _has_phrase(hit, clauses[number])]
                also = _by_pinyin(clauses[number])
                conditions[number] = queries.either([one_of("id", rows), *([also] if also else [])])
        return [
            f"NOT ({condition})" if clause.excluded else condition
            for clause, condition in zip(clauses, conditions, strict=True)
        ]


def _passes(filters: Filters, facets: Sequence[Facet]) -> dict[Facet | None, list[Facet]]:
    """Facets that can be counted together: those without a filter of their own under None, each other for itself."""
    everything = queries.narrowing(filters)
    passes: dict[Facet | None, list[Facet]] = {}
    for facet in facets:
        own = queries.narrowing(filters, facet) != everything
        passes.setdefault(facet if own else None, []).append(facet)
    return passes


def _count(
    found: Sequence[str], filters: Filters, without: Facet | None, together: Sequence[Facet]
) -> dict[str, Any]:
    """A question for the counts of some facets, the filter of one left aside."""
    conditions = [*found, *queries.narrowing(filters, without)]
    return {"filter": every(conditions), "limit": 0, "facets": [facet.value for facet in together]}


def _enough(terms: Sequence[str], rarity: Rarity, *, relaxed: bool) -> str:
    """The entry holds enough of the words: two, or a rare one (`embedded.search` tells what was measured)."""
    if relaxed:
        return queries.either(queries.holding_each(terms))
    frequency = {term: count for term in terms if (count := rarity.mentions(term))}
    found = telling(frequency, rarity.documents)
    # What no text holds may still be a name, in characters or in Latin letters.
    names = [term for term in terms if term not in frequency]
    two = queries.at_least_two(queries.holding_each([*found, *names]))
    rare = [term for term in found if is_rare(frequency[term], rarity.documents)]
    return queries.either([two, one_of("words", rare)]) if rare else two


def _side_by_side(written: str) -> str:
    """What every entry holds that holds these characters and words side by side."""
    units = [unit for unit in text.adjacent(written) if unit != text.BREAK]
    pairs = [queries.holding(pair) for pair in dict.fromkeys(text.bigrams(written))]
    return queries.every([*(one_of("units", [unit]) for unit in dict.fromkeys(units)), *pairs])


def _ranking_clauses(clauses: Iterable[Clause]) -> list[str]:
    """The terms that say which entry fits better, of a query without words."""
    return [
        term
        for clause in clauses
        if not clause.excluded and clause.field in (None, Field.TITLE)
        for term in terms_of(clause.text)
    ]


def _near(clause: Clause, thesaurus: Thesaurus) -> tuple[str, bool]:
    """A condition that every entry passes for which the clause holds, and whether no other entry does."""
    written = clause.text
    if clause.field is Field.NUMBER:
        return one_of("numbers", text.code_keys(written)), True
    if clause.field is Field.IPC:
        return one_of("ipc", [text.code_key(written)]), True
    if clause.field is Field.TITLE and not (clause.phrase or clause.excluded):
        choices = []
        for reading in thesaurus.readings(written):
            terms = terms_of(reading.text)[:MOST_TERMS]
            name = "title_units" if all(len(term) == 1 for term in terms) else "title_words"
            choices.append(every([one_of(name, [term]) for term in terms]) if terms else _NOTHING)
        return queries.either(choices), True
    units = [unit for unit in text.adjacent(written) if unit != text.BREAK]
    if not units:
        return _NOTHING, True
    held = "title_units" if clause.field is Field.TITLE else "units"
    if len(units) == 1 and clause.field in (None, Field.TITLE):
        return one_of(held, units), True
    pairs = list(dict.fromkeys(text.bigrams(written)))[:MOST_TERMS]
    conditions = [every([one_of(held, [unit]) for unit in dict.fromkeys(units[:MOST_TERMS])])]
    if pairs and clause.field is Field.TITLE:
        conditions = [every([one_of("title_words", [pair]) for pair in pairs])]
    elif pairs:
        conditions = [every([queries.holding(pair) for pair in pairs])]
    also = _by_pinyin(clause)
    return queries.either([*conditions, *([also] if also else [])]), False


def _by_pinyin(clause: Clause) -> str:
    """A name may be asked for in Latin letters as well."""
    if clause.field not in (Field.OWNER, Field.INVENTOR):
        return ""
    return one_of(f"{clause.field.value}_pinyin", [queries.squeezed(clause.text)])


def _has_phrase(hit: Mapping[str, Any], clause: Clause) -> bool:
    wanted = f" {' '.join(text.adjacent(clause.text))} "
    return any(wanted in f" {' '.join(text.adjacent(part))} " for part in _parts(hit, clause.field))


def _parts(hit: Mapping[str, Any], field: Field | None) -> list[str]:
    if field is Field.TITLE:
        return [hit["title"]]
    if field is Field.OWNER:
        return list(hit["owners"])
    if field is Field.INVENTOR:
        return list(hit["inventors"])
    return list(hit["parts"])


def terms_of(words: str) -> list[str]:
    """The terms of what was typed, each once; single characters if there is nothing longer."""
    return list(dict.fromkeys(text.terms(words) or text.characters(words)))


def _total(answer: Mapping[str, Any]) -> int:
    """How many match, exactly: each entry is of one kind. The server's own total is an estimate up to a limit."""
    return sum(answer["facetDistribution"].get("kind", {}).values())
