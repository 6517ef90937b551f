"""The pieces that questions to tantivy are made of, and the question for candidates.

No state: every function takes the searcher it is to use. `matching.embedded.index` owns files and threads,
`matching.embedded.search` asks for what was typed.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import tantivy
from tantivy import FieldType, Occur, Query

from matching import text
from matching.documents import Key
from matching.embedded.schema import SCHEMA, key_of
from matching.index import Facet, Filters, Hit, region_stem

MOST_TERMS = 40
"""Terms kept of a long query: demand texts have hundreds, and the common ones only cost time."""
MOST_GRAMS = 120
LONGEST_COMPARED = 500
"""Characters of a text whose grams are looked for among titles; more finds no more."""


def keys_of(searcher: tantivy.Searcher, addresses: Sequence[tantivy.DocAddress]) -> list[Key]:
    """Which entries the engine means."""
    return [key_of(int(number or 0)) for number in searcher.fast_field_values("number", list(addresses))]


def total_of(answer: tantivy.SearchResult) -> int:
    """How many match; the binding's stub forgets this attribute."""
    return int(getattr(answer, "count") or 0)  # noqa: B009


def holds(field: str, value: str, option: str = "basic") -> Query:
    return Query.term_query(SCHEMA, field, value, option)


def both(matching: Query, clauses: Iterable[Query]) -> Query:
    """What matches and passes every clause; the clauses change no score."""
    filters = [(Occur.Must, Query.const_score_query(clause, 0.0)) for clause in clauses]
    return Query.boolean_query([(Occur.Must, matching), *filters]) if filters else matching


def weightiest(searcher: tantivy.Searcher, field: str, terms: Iterable[str], most: int) -> list[str]:
    """Those terms, of the ones that occur at all, that say most of a text: often in it and rare elsewhere."""
    weights = weights_of(searcher, field, terms)
    return sorted(weights, key=lambda term: (-weights[term], term))[:most]


def weights_of(searcher: tantivy.Searcher, field: str, terms: Iterable[str]) -> dict[str, float]:
    """How much each term that occurs at all says of a text."""
    weights: dict[str, float] = {}
    total = searcher.num_docs + 1
    for term, times in Counter(terms).items():
        frequency = searcher.doc_freq(field, term)
        if frequency:
            weights[term] = (1 + math.log(times)) * math.log(1 + total / frequency)
    return weights


def _any_of(field: str, terms: Sequence[str]) -> Query | None:
    if not terms:
        return None
    return Query.boolean_query([(Occur.Should, holds(field, term, "freq")) for term in terms])


def filter_clauses(filters: Filters, without: Facet | None = None) -> list[Query]:
    """Filters as queries, but for those of one facet."""
    clauses: list[Query] = []
    for facet, field, values in (
        (Facet.KIND, "kind", filters.kinds),
        (Facet.INDUSTRY, "industry", filters.industries),
        (Facet.MODE, "mode", filters.modes),
        (Facet.OWNER_KIND, "owner_kind", filters.owner_kinds),
        (Facet.REGION, "region", {region_stem(filters.region)} if filters.region else set()),
    ):
        if values and facet is not without:
            clauses.append(Query.term_set_query(SCHEMA, field, sorted(values)))
    if filters.outside and without is not Facet.REGION:
        inside = Query.term_query(SCHEMA, "region", region_stem(filters.outside))
        placed = Query.exists_query("region")
        clauses.append(Query.boolean_query([(Occur.Must, placed), (Occur.MustNot, inside)]))
    for facet, field, numbers in (
        (Facet.TRL, "trl", filters.trls),
        (Facet.YEAR, "year", filters.years),
    ):
        if numbers and facet is not without:
            clauses.append(Query.term_set_query(SCHEMA, field, sorted(numbers)))
    if without is Facet.PRICE:
        return clauses
    if filters.price_from is not None:
        clauses.append(
            Query.range_query(SCHEMA, "price_high", FieldType.Unsigned, max(0, filters.price_from), None)
        )
    if filters.price_to is not None:
        clauses.append(
            Query.range_query(SCHEMA, "price_low", FieldType.Unsigned, 0, max(0, filters.price_to))
        )
    return clauses


def candidates(searcher: tantivy.Searcher, title: str, prose: str, kind: str, limit: int) -> list[Hit]:
    """See `matching.index.SearchIndex.candidates`.

    Four in five by the characters of title and text among the titles, one in five by words over everything:
    the first find more of the good ones (of the judged pairs of levels 3 and 4 0.71 within 300, the words
    alone 0.62), and words find those whose titles say nothing.
    """
    only = [holds("kind", str(kind))]
    # The title's words count four times: they name the thing, the text only tells of it.
    terms = [*text.terms(title) * 4, *text.terms(prose)]
    by_grams = _like_both(searcher, title, prose[:LONGEST_COMPARED])
    by_words = _any_of("body", weightiest(searcher, "body", terms, MOST_TERMS))
    lists: list[list[tuple[float, tantivy.DocAddress]]] = []
    for query, most in ((by_grams, limit), (by_words, limit // 4)):
        found = [] if query is None else searcher.search(both(query, only), most, False).hits
        best = found[0][0] if found else 1.0
        # Scores of two fields are not comparable; each is told as a share of its list's best.
        lists.append([(round(score / best, 4), address) for score, address in found])
    by_title, by_text = lists
    turns = [*by_text[:1]]
    for rank in range(limit):
        turns.extend(by_title[rank * 4 : rank * 4 + 4])
        turns.extend(by_text[rank + 1 : rank + 2])
    taken: dict[Key, Hit] = {}
    for (score, _), key in zip(turns, keys_of(searcher, [address for _, address in turns]), strict=True):
        taken.setdefault(key, Hit(key, score))
    return list(taken.values())[:limit]


def _like_both(searcher: tantivy.Searcher, title: str, prose: str) -> Query | None:
    """Titles alike in characters to a title and to the text under it: what `scoring` compares, as nearly as an
    engine can. Each of the two weighs alike, however long it is."""
    weights: dict[str, float] = {}
    for written in (title, f"{title}\n{prose}"):
        found = weights_of(searcher, "grams", text.grams(written))
        length = math.sqrt(math.fsum(weight * weight for weight in found.values()))
        for gram, weight in found.items():
            weights[gram] = weights.get(gram, 0.0) + weight / length
    best = sorted(weights, key=lambda gram: (-weights[gram], gram))[:MOST_GRAMS]
    parts = [(Occur.Should, Query.boost_query(holds("grams", gram, "freq"), weights[gram])) for gram in best]
    return Query.boolean_query(parts) if parts else None
