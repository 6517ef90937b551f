"""What Meilisearch stores of a document, the settings of its indexes, and filters in its language. Pure.

Filters decide, words rank. Everything that says whether an entry is found (words, exclusions, fields,
codes, narrowing) is a filter over lists of our own terms, compared as whole strings, so that it is exact
whatever the server's tokenizer makes of Chinese. Order by relevance comes from a query of at most nine
terms, written as opaque Latin words, which no tokenizer cuts; a mandatory phrase that every entry holds
keeps the query from narrowing anything.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from market.clock import SHANGHAI
from matching import pinyin, text
from matching.documents import Document, Key, Kind
from matching.index import DEEPEST, Facet, Filters, price_bands, region_stem

SCHEMA_VERSION = 1
MOST_VALUES = 20_000
"""Values counted of one facet: the table of frequencies is cut there."""
EMBEDDER = "market"
HEAD_LENGTHS = (1, 2, 4, 8)
PINYIN_OF_TITLE = 40
"""Characters of a title whose pinyin can be typed to find it."""
RANKED_WORDS = 9
"""Meilisearch reads ten words of a query, and one is the mark."""
MARK = "every entry"
_NO_PRICE = 2**53 - 1
"""Behind all prices; the largest integer that JSON and the server keep exact."""

SHOWN = ["id", "title", "keywords", "parts", "owners", "inventors", "owner_name", "owner_id"]
_EQUAL = [
    "id", "kind", "industry", "mode", "region", "owner_kind", "price", "words", "name_words", "title_words",
    "grams", "units", "title_units", "owner_pinyin", "inventor_pinyin", "owner_name", "codes", "numbers", "ipc",
    "heads",
]  # fmt: skip
_COMPARED = ["trl", "year", "price_low", "price_high"]

NEWEST = ["recency:desc", "tie:asc"]

Vector = Sequence[float]
VectorOf = Callable[[str, Kind], Vector | None]
"""The vector of a text where one is known already (it must not take time): of what a demand or what a result says."""


def settings(dimensions: int | None, synonyms: Mapping[str, list[str]]) -> dict[str, Any]:
    """All settings of an index, given as one task. `dimensions`: of the vectors, None without."""

    def rule(names: list[str], comparison: bool) -> dict[str, Any]:
        filters = {"equality": True, "comparison": comparison}
        return {"attributePatterns": names, "features": {"facetSearch": False, "filter": filters}}

    wanted: dict[str, Any] = {
        "displayedAttributes": SHOWN,
        "searchableAttributes": ["title_tokens", "text_tokens", "name_tokens", "mark"],
        "filterableAttributes": [rule(_EQUAL, False), rule(_COMPARED, True)],
        "sortableAttributes": ["recency", "price_up", "price_down", "tie"],
        "rankingRules": ["words", "attribute", "sort", "tie:asc"],
        "synonyms": dict(synonyms),
        # Whole terms are compared, and two characters of Chinese have no room for a typing error.
        "typoTolerance": {"enabled": False},
        "prefixSearch": "disabled",
        "proximityPrecision": "byAttribute",
        # For people who look at the index by other means; our own questions do not depend on it.
        "localizedAttributes": [{"attributePatterns": ["title", "keywords", "parts"], "locales": ["cmn"]}],
        "faceting": {
            "maxValuesPerFacet": MOST_VALUES,
            "sortFacetValuesBy": {"*": "count"},
        },
        "pagination": {"maxTotalHits": DEEPEST},
    }
    if dimensions is not None:
        wanted["embedders"] = {EMBEDDER: {"source": "userProvided", "dimensions": dimensions}}
    return wanted


def fingerprint(dimensions: int | None) -> str:
    """Of settings and analysis: an index built with another one is built anew. Synonyms are not part of it."""
    told = json.dumps([SCHEMA_VERSION, text.ANALYSIS_VERSION, settings(dimensions, {})], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def row_of(key: Key) -> str:
    """A key as a document's id, which may hold no colon."""
    return f"{key.kind.value}-{key.id}"


def key_of(row: str) -> Key:
    """The key of a document's id. Raises ValueError."""
    kind, _, number = row.partition("-")
    return Key(Kind(kind), int(number))


def token(term: str) -> str:
    """A term as one Latin word that no tokenizer cuts."""
    return "x" + term.encode().hex()


def tokens(terms: Iterable[str]) -> str:
    """Terms as a text of such words."""
    return " ".join(map(token, terms))


def parts(document: Document) -> list[str]:
    """The parts of an entry within which a phrase may stand."""
    names = (document.owner_name, *document.names, *document.inventors)
    found = (document.title, *document.keywords, document.text, *names)
    return list(dict.fromkeys(part for part in found if part))


def heads(document: Document) -> set[str]:
    """How what can be suggested begins: the first one, two, four and eight characters of each form of it."""
    forms = [squeezed(document.title), *title_leads(document.title)]
    for name in (document.owner_name, *document.names, *document.keywords):
        forms += [squeezed(name), *pinyin.beginnings(name)]
    return {form[:length] for form in forms for length in HEAD_LENGTHS if len(form) >= length}


def title_leads(title: str) -> list[str]:
    """A title in full pinyin and in initials."""
    read = pinyin.syllables(title[:PINYIN_OF_TITLE])
    return ["".join(read), "".join(syllable[0] for syllable in read)]


def squeezed(written: str) -> str:
    """Folded, without blanks."""
    return "".join(text.fold(written).split())


def entry(document: Document, vector: Vector | None, *, vectors: bool) -> dict[str, Any]:
    """What is stored of a document. `vectors`: whether this index holds any; `vector` is None where one is missing."""
    title_terms, whole_terms = text.terms(document.title), text.terms(document.whole_text)
    owners = list(dict.fromkeys(name for name in (document.owner_name, *document.names) if name))
    owner_pinyin = {form for name in owners for form in pinyin.names(name)}
    inventor_pinyin = {form for name in document.inventors for form in pinyin.names(name)}
    name_terms = [term for name in (*owners, *document.inventors) for term in text.terms(name)]
    name_terms += sorted(owner_pinyin | inventor_pinyin)
    pieces = parts(document)
    ids = document.key.id * 2 + (document.key.kind is Kind.DEMAND)
    numbers = sorted({code for number in document.numbers for code in text.code_keys(number)})
    symbols = sorted({key for symbol in document.ipc for key in text.ipc_keys(symbol)})
    stem = region_stem(document.region)
    published = document.published_at
    stored: dict[str, Any] = {
        "id": row_of(document.key),
        "kind": document.key.kind.value,
        "title": document.title,
        "keywords": list(document.keywords),
        "parts": pieces,
        "owners": owners,
        "inventors": list(document.inventors),
        "owner_id": document.owner_id,
        "owner_name": document.owner_name,
        "mark": MARK,
        "title_tokens": tokens(title_terms),
        "text_tokens": tokens(whole_terms),
        "name_tokens": tokens(name_terms),
        "words": sorted(set(whole_terms)),
        "name_words": sorted(set(name_terms)),
        "title_words": sorted(set(title_terms)),
        "grams": sorted(set(text.grams(document.title))),
        "units": sorted({unit for piece in pieces for unit in text.adjacent(piece)} - {text.BREAK}),
        "title_units": sorted(set(text.adjacent(document.title)) - {text.BREAK}),
        "owner_pinyin": sorted(owner_pinyin),
        "inventor_pinyin": sorted(inventor_pinyin),
        "heads": sorted(heads(document)),
        "codes": sorted({*numbers, *symbols}),
        "numbers": numbers,
        "ipc": symbols,
        "mode": list(document.modes),
        "tie": ids,
        "recency": int(published.timestamp()) if published else 0,
        "price_up": _NO_PRICE if document.price_low is None else document.price_low,
        "price_down": -1 if document.price_high is None else document.price_high,
    }
    if stem:
        stored["region"] = [stem[:length] for length in range(2, len(stem) + 1, 2)]
    if document.industry:
        stored["industry"] = document.industry
    if document.owner_kind:
        stored["owner_kind"] = document.owner_kind
    if document.trl is not None:
        stored["trl"] = document.trl
    if published is not None:
        stored["year"] = published.astimezone(SHANGHAI).year
    low, high = document.price_low, document.price_high
    if low is not None and high is not None:
        stored["price_low"], stored["price_high"] = low, high
        stored["price"] = price_bands(low, high)
    if vectors:
        stored["_vectors"] = {EMBEDDER: None if vector is None else list(vector)}
    return stored


# -- filters ------------------------------------------------------------------------------------------------


def quoted(value: str) -> str:
    """A value of a filter. What would end or escape the quotation stands in no term, code or id."""
    return '"' + value.replace("\\", "").replace('"', "") + '"'


def one_of(attribute: str, values: Iterable[object]) -> str:
    """The attribute holds one of the values."""
    listed = ", ".join(quoted(str(value)) for value in values)
    return f"{attribute} IN [{listed}]"


def holding(term: str) -> str:
    """The entry holds a term, wherever."""
    return either([one_of("words", [term]), one_of("name_words", [term])])


def holding_each(terms: Sequence[str]) -> list[str]:
    """The same for each of several. Lone characters are sought among all characters if there is nothing longer."""
    if all(len(term) == 1 for term in terms):
        return [one_of("units", [term]) for term in terms]
    return [holding(term) for term in terms]


def every(conditions: Sequence[str]) -> str:
    """All of the conditions; the empty text, which narrows nothing, for none."""
    return conditions[0] if len(conditions) == 1 else " AND ".join(f"({one})" for one in conditions)


def either(conditions: Sequence[str]) -> str:
    """At least one of the conditions (there must be some)."""
    return conditions[0] if len(conditions) == 1 else " OR ".join(f"({one})" for one in conditions)


def at_least_two(conditions: Sequence[str]) -> str:
    """Two of the conditions or more; the only one, if there is one."""
    if len(conditions) <= 2:
        return every(conditions)
    # Two on one side, or one on each: grows with n log n where naming the pairs would grow with n².
    left, right = conditions[: len(conditions) // 2], conditions[len(conditions) // 2 :]
    choices = [every([either(left), either(right)])]
    choices += [at_least_two(side) for side in (left, right) if len(side) > 1]
    return either(choices)


def narrowing(filters: Filters, without: Facet | None = None) -> list[str]:
    """The conditions of a narrowing, less those of one facet."""
    conditions = []
    for facet, attribute, values in (
        (Facet.KIND, "kind", filters.kinds),
        (Facet.INDUSTRY, "industry", filters.industries),
        (Facet.MODE, "mode", filters.modes),
        (Facet.OWNER_KIND, "owner_kind", filters.owner_kinds),
        (Facet.TRL, "trl", filters.trls),
        (Facet.YEAR, "year", filters.years),
    ):
        if values and facet is not without:
            conditions.append(one_of(attribute, sorted(values)))
    if without is not Facet.REGION:
        if filters.region:
            conditions.append(one_of("region", [region_stem(filters.region)]))
        if filters.outside:
            inside = one_of("region", [region_stem(filters.outside)])
            conditions.append(f"region EXISTS AND NOT ({inside})")
    if without is not Facet.PRICE:
        if filters.price_from is not None:
            conditions.append(f"price_high >= {filters.price_from}")
        if filters.price_to is not None:
            conditions.append(f"price_low <= {filters.price_to}")
    return conditions


def ranking(terms: Iterable[str]) -> dict[str, Any]:
    """Order by these terms, and leave nothing out for want of them."""
    return {"q": f'"{MARK}" {tokens(terms)}', "matchingStrategy": "frequency"}
