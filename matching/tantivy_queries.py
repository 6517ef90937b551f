"""What the embedded index stores of a document, and how it asks tantivy.

No state: every function takes the searcher it is to use. `matching.tantivy_index` owns files and threads.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version

import tantivy
from tantivy import FieldType, Occur, Order, Query

from matching import text
from matching.documents import Document, Key, Kind
from matching.index import DEEPEST, Facet, Filters, Hit, Hits, Sort

SCHEMA_VERSION = 1
MOST_TERMS = 40
"""Terms kept of a long query: demand texts have hundreds, and the common ones only cost time."""
MOST_GRAMS = 120
TITLE_BOOST = 0.3
"""How much a term in the title adds to its score in the whole text, which holds the title already."""
_NO_PRICE = 2**63 - 1


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("key", stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("title", "body", "names", "grams"):
        builder.add_text_field(name, tokenizer_name="terms", index_option="freq")
    builder.add_text_field("codes", tokenizer_name="raw", index_option="basic")
    for name in ("kind", "industry", "mode", "region", "owner_kind"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_unsigned_field("trl", indexed=True, fast=True)
    for name in ("price_low", "price_high"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    for name in ("tie", "recency", "price_up", "price_down"):
        builder.add_unsigned_field(name, fast=True)
    return builder.build()


SCHEMA = _schema()
FINGERPRINT = f"{SCHEMA_VERSION}.{text.ANALYSIS_VERSION}.{version('tantivy').rsplit('.', 1)[0]}"


def tie_of(key: Key) -> int:
    """Twenty bits that order equal values always alike; the id's own low bits, so neighbours differ."""
    return (key.id * 2 + (key.kind is Kind.DEMAND)) & 0xFFFFF


def ranked(value: int, key: Key) -> int:
    """A sortable number that no two entries share (up to 2^43 of value, with half a million ids)."""
    return min(max(value, 0), 2**43 - 1) << 20 | tie_of(key)


def entry(document: Document) -> tantivy.Document:
    """What is stored of a document; only its key can be read back."""
    entry = tantivy.Document()
    entry.add_text("key", str(document.key))
    entry.add_text("title", " ".join(text.terms(document.title)))
    entry.add_text("body", " ".join(text.terms(document.whole_text)))
    entry.add_text("names", " ".join(text.terms(" ".join(document.names))))
    entry.add_text("grams", " ".join(text.grams(document.title)))
    codes = {code for number in (*document.numbers, *document.ipc) for code in text.code_keys(number)}
    codes.update(text.code_key(symbol)[:4] for symbol in document.ipc)
    for code in sorted(codes):
        entry.add_text("codes", code)
    entry.add_text("kind", document.key.kind.value)
    if document.industry:
        entry.add_text("industry", document.industry)
    for mode in document.modes:
        entry.add_text("mode", mode)
    stem = _region_stem(document.region)
    for length in range(2, len(stem) + 1, 2):
        # Codes of GB/T 2260 nest by pairs of digits: each level is its own value.
        entry.add_text("region", stem[:length])
    if document.owner_kind:
        entry.add_text("owner_kind", document.owner_kind)
    if document.trl is not None:
        entry.add_unsigned("trl", document.trl)
    if document.price_low is not None and document.price_high is not None:
        entry.add_unsigned("price_low", document.price_low)
        entry.add_unsigned("price_high", document.price_high)
    published = int(document.published_at.timestamp()) if document.published_at else 0
    entry.add_unsigned("tie", tie_of(document.key))
    entry.add_unsigned("recency", ranked(published, document.key))
    # Without a price an entry comes last in either direction.
    entry.add_unsigned(
        "price_up", ranked(_NO_PRICE if document.price_low is None else document.price_low, document.key)
    )
    entry.add_unsigned(
        "price_down", ranked(-1 if document.price_high is None else document.price_high + 1, document.key)
    )
    return entry


def search(
    searcher: tantivy.Searcher,
    words: str,
    filters: Filters,
    *,
    sort: Sort,
    offset: int,
    limit: int,
    facets: Sequence[Facet],
) -> Hits:
    """See `matching.index.SearchIndex.search`."""
    clauses = filter_clauses(filters)
    wanted = wanted_terms(words)
    relaxed = False
    matching = matching_query(searcher, words, wanted)
    query = both(matching, clauses)
    if len(wanted) > 1 and not total_of(searcher.search(query, 1)):
        relaxed = True
        matching = matching_query(searcher, words, wanted, needed=1)
        query = both(matching, clauses)
    offset = max(0, min(offset, DEEPEST))
    limit = max(0, min(limit, DEEPEST - offset))
    if sort is Sort.RELEVANCE and not wanted:
        sort = Sort.NEWEST
    if sort is Sort.RELEVANCE:
        hits, total = _by_relevance(searcher, query, offset, limit)
    else:
        field, order = {
            Sort.NEWEST: ("recency", Order.Desc),
            Sort.PRICE_UP: ("price_up", Order.Asc),
            Sort.PRICE_DOWN: ("price_down", Order.Desc),
        }[sort]
        answer = searcher.search(query, max(limit, 1), True, order_by_field=field, offset=offset, order=order)
        total = total_of(answer)
        hits = [Hit(Key.parse(searcher.doc(address)["key"][0]), 0.0) for _, address in answer.hits[:limit]]
    counts = {facet: facet_counts(searcher, matching, filters, facet) for facet in facets}
    return Hits(tuple(hits), total, counts, tuple(wanted), relaxed and total > 0)


def candidates(searcher: tantivy.Searcher, title: str, prose: str, kind: str, limit: int) -> list[Hit]:
    """See `matching.index.SearchIndex.candidates`."""
    only = [_term("kind", str(kind))]
    # The title's words count four times: they name the thing, the text only tells of it.
    terms = [*text.terms(title) * 4, *text.terms(prose)]
    by_grams = _any_of("grams", _weightiest(searcher, "grams", text.grams(title), MOST_GRAMS))
    by_words = _any_of("body", _weightiest(searcher, "body", terms, MOST_TERMS))
    lists: list[list[tuple[float, tantivy.DocAddress]]] = []
    for query, most in ((by_grams, limit), (by_words, limit // 2)):
        found = [] if query is None else searcher.search(both(query, only), most, False).hits
        best = found[0][0] if found else 1.0
        # Scores of two fields are not comparable; each is told as a share of its list's best.
        lists.append([(round(score / best, 4), address) for score, address in found])
    taken: dict[tuple[int, int], Hit] = {}
    for rank in range(limit):
        for found in lists:
            if rank < len(found):
                score, address = found[rank]
                place = (address.segment_ord, address.doc)
                if place not in taken:
                    taken[place] = Hit(Key.parse(searcher.doc(address)["key"][0]), score)
    return list(taken.values())


def total_of(answer: tantivy.SearchResult) -> int:
    """How many match; the binding's stub forgets this attribute."""
    return int(getattr(answer, "count") or 0)  # noqa: B009


def _term(field: str, value: str, option: str = "basic") -> Query:
    return Query.term_query(SCHEMA, field, value, option)


def both(matching: Query, clauses: Iterable[Query]) -> Query:
    filters = [(Occur.Must, Query.const_score_query(clause, 0.0)) for clause in clauses]
    return Query.boolean_query([(Occur.Must, matching), *filters]) if filters else matching


def _weightiest(searcher: tantivy.Searcher, field: str, terms: Iterable[str], most: int) -> list[str]:
    """Those terms, of the ones that occur at all, that say most of a text: often in it and rare elsewhere."""
    weights: dict[str, float] = {}
    total = searcher.num_docs + 1
    for term, times in Counter(terms).items():
        frequency = searcher.doc_freq(field, term)
        if frequency:
            weights[term] = (1 + math.log(times)) * math.log(1 + total / frequency)
    return sorted(weights, key=lambda term: (-weights[term], term))[:most]


def _any_of(field: str, terms: Sequence[str]) -> Query | None:
    if not terms:
        return None
    return Query.boolean_query([(Occur.Should, _term(field, term, "freq")) for term in terms])


def wanted_terms(words: str) -> list[str]:
    """The terms of what was typed, each once; single characters if there is nothing longer."""
    return list(dict.fromkeys(text.terms(words) or text.grams(words, 1)))


def matching_query(
    searcher: tantivy.Searcher, words: str, wanted: Sequence[str], needed: int | None = None
) -> Query:
    """The query for what was typed: nothing typed matches everything.

    An entry matches if it holds at least `needed` of the terms (a good part of them by default), or if
    one of its numbers is exactly a word typed.
    """
    words = words.strip()
    if not words:
        return Query.all_query()
    kept: Sequence[str] = wanted
    if len(wanted) > MOST_TERMS:
        kept = _weightiest(searcher, "body", text.terms(words), MOST_TERMS)
    choices: list[Query] = []
    if kept:
        parts: list[tuple[Occur, Query]] = []
        for term in kept:
            alternatives = [
                _term("body", term, "freq"),
                Query.boost_query(_term("title", term, "freq"), TITLE_BOOST),
                _term("names", term, "freq"),
            ]
            if len(term) == 1:
                alternatives.append(_term("grams", term, "freq"))
            parts.append((Occur.Should, Query.boolean_query([(Occur.Should, q) for q in alternatives])))
        choices.append(Query.boolean_query(parts, _needed(len(kept)) if needed is None else needed))
    codes = {text.code_key(word) for word in (words, *words.split()) if text.looks_like_code(word)}
    choices.extend(Query.const_score_query(_term("codes", code), 1000.0) for code in sorted(codes))
    if not choices:
        return Query.empty_query()
    return Query.boolean_query([(Occur.Should, choice) for choice in choices])


def _needed(count: int) -> int:
    """How many of the terms an entry must hold: two, or the only one.

    Measured: demanding more empties the list for whoever types a sentence (of 1,993 patents asked for by
    title, the first hundred hits hold 93 % with two, 87 % with four); demanding one lets totals and counts
    mean nothing.
    """
    return min(2, count)


def _region_stem(code: str) -> str:
    """`331000` is written for all of `3310`: trailing pairs of zeros say nothing."""
    while len(code) > 2 and code.endswith("00"):
        code = code[:-2]
    return code


def filter_clauses(filters: Filters, without: Facet | None = None) -> list[Query]:
    clauses: list[Query] = []
    for facet, field, values in (
        (Facet.KIND, "kind", filters.kinds),
        (Facet.INDUSTRY, "industry", filters.industries),
        (Facet.MODE, "mode", filters.modes),
        (Facet.OWNER_KIND, "owner_kind", filters.owner_kinds),
        (Facet.REGION, "region", {_region_stem(filters.region)} if filters.region else set()),
    ):
        if values and facet is not without:
            clauses.append(Query.term_set_query(SCHEMA, field, sorted(values)))
    if filters.trls and without is not Facet.TRL:
        clauses.append(Query.term_set_query(SCHEMA, "trl", sorted(filters.trls)))
    if filters.price_from is not None:
        clauses.append(
            Query.range_query(SCHEMA, "price_high", FieldType.Unsigned, max(0, filters.price_from), None)
        )
    if filters.price_to is not None:
        clauses.append(
            Query.range_query(SCHEMA, "price_low", FieldType.Unsigned, 0, max(0, filters.price_to))
        )
    return clauses


def facet_counts(
    searcher: tantivy.Searcher, matching: Query, filters: Filters, facet: Facet
) -> dict[str, int]:
    query = both(matching, filter_clauses(filters, facet))
    answer = searcher.aggregate(query, {"by": {"terms": {"field": facet.value, "size": 200}}})
    return {_facet_value(bucket["key"]): bucket["doc_count"] for bucket in answer["by"]["buckets"]}


def _facet_value(key: object) -> str:
    return str(int(key)) if isinstance(key, float) else str(key)


def _by_relevance(searcher: tantivy.Searcher, query: Query, offset: int, limit: int) -> tuple[list[Hit], int]:
    """Best first. Equal scores are ordered by key, which the engine by itself does not promise."""
    answer = searcher.search(query, offset + limit + 50, True)
    addresses = [address for _, address in answer.hits]
    ties = searcher.fast_field_values("tie", addresses)
    ranked = sorted(
        zip(answer.hits, ties, strict=True), key=lambda item: (-round(item[0][0], 4), item[1] or 0)
    )
    page = ranked[offset : offset + limit]
    return [Hit(Key.parse(searcher.doc(a)["key"][0]), round(s, 4)) for (s, a), _ in page], total_of(answer)
