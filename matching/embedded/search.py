"""The embedded index asked for what somebody typed.

How a query is asked, and what it cost when it was measured (patents asked for by title, 100,000 entries, on two
cores):

- All words go to one field, as a flat list of terms. Terms in several fields each took three times as long.
- Words that more than one entry in ten holds are left out if enough others remain: they cost most of the time
  and the ranking is better without them (nDCG@10 0.832 against 0.825).
- An entry must hold two of the words left, or one that is rare. Demanding two in any case loses the entry
  sought more often (of 1,993 the first hundred hits hold 94 % against 91 %), and demanding one makes totals and
  other orders than by relevance mean nothing.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

import tantivy
from tantivy import Occur, Order, Query

from matching import synonyms, text
from matching.embedded.queries import (
    both,
    filter_clauses,
    holds,
    keys_of,
    total_of,
)
from matching.embedded.schema import SCHEMA, key_of
from matching.index import DEEPEST, Facet, Filters, Hit, Hits, Sort
from matching.query import Clause, Field
from matching.query import Query as Asked
from matching.synonyms import Reading, Thesaurus
from matching.telling import is_rare, telling

NEEDED = 2
_CODE_SCORE = 1000.0
_LONGEST_TIE = 5000
"""Entries of equal score that are put in order by key; beyond that the engine's own order has to do."""
_SPARE_HITS = 10
"""Entries fetched beyond a page: most ties end within them."""
_UNITS = ("title_units", "text_units", "owner_units", "inventor_units")
_NUMBERS = frozenset({Facet.TRL, Facet.YEAR})


class Question:
    """A query made ready for one searcher."""

    def __init__(self, searcher: tantivy.Searcher, asked: Asked, thesaurus: Thesaurus) -> None:
        self._searcher = searcher
        self._asked = asked
        self._thesaurus = thesaurus
        self._readings = thesaurus.readings(asked.plain) if asked.words else []
        self._terms = {reading.text: terms_of(reading.text) for reading in self._readings}

    @property
    def ranks(self) -> bool:
        """Whether anything in it says that one entry fits better than another."""
        return bool(self._asked.words) or any(
            not clause.excluded and clause.field in (None, Field.TITLE) for clause in self._asked.clauses
        )

    @property
    def can_relax(self) -> bool:
        """Whether it has more words than one."""
        return any(len(terms) > 1 for terms in self._terms.values())

    @cached_property
    def marked(self) -> tuple[str, ...]:
        """Terms to mark in what is shown."""
        return synonyms.marked(self._asked, self._readings, self._thesaurus)

    def query(self, needed: int = NEEDED) -> Query:
        """What matches, without filters. `needed`: how many words an entry must hold."""
        parts: list[tuple[Occur, Query]] = []
        if self._asked.words:
            parts.append((Occur.Must, self._words(needed)))
        for clause in self._asked.clauses:
            parts.append((Occur.MustNot if clause.excluded else Occur.Must, self._clause(clause)))
        if not any(occur is Occur.Must for occur, _ in parts):
            parts.insert(0, (Occur.Must, Query.all_query()))
        return parts[0][1] if len(parts) == 1 else Query.boolean_query(parts)

    def _words(self, needed: int) -> Query:
        choices = [query for reading in self._readings if (query := self._reading(reading, needed))]
        if len(choices) > 1:
            # One entry counts by that reading which fits it best, never by two.
            choices = [Query.disjunction_max_query(choices)]
        for code in self._asked.codes:
            choices += [
                Query.const_score_query(holds(field, code), _CODE_SCORE)
                for field in ("codes", "ipc")
                if self._searcher.doc_freq(field, code)
            ]
        return _any(choices)

    def _reading(self, reading: Reading, needed: int) -> Query | None:
        terms = self._terms[reading.text]
        needed = min(needed, len(terms))
        if all(len(term) == 1 for term in terms):
            # The body holds words and pairs, so a lone character is sought where every character stands.
            lone = [(Occur.Should, _any(holds(field, term, "freq") for field in _UNITS)) for term in terms]
            return Query.boolean_query(lone, needed) if lone else None
        frequency = {term: count for term in terms if (count := self._searcher.doc_freq("body", term))}
        parts = [(Occur.Should, name) for term in terms if term.isascii() and (name := self._name(term))]
        documents = self._searcher.num_docs  # counted anew whenever it is asked for
        found = telling(frequency, documents)
        parts += [(Occur.Should, holds("body", term, "freq")) for term in found]
        if len(parts) < needed:
            return None
        if needed > 1:
            parts += [
                (Occur.Should, Query.const_score_query(holds("body", term), 0.0))
                for term in found
                if is_rare(frequency[term], documents)
            ]
        query = Query.boolean_query(parts, needed)
        if reading.others:
            query = both(query, (_any(phrase(field, other) for field in _UNITS) for other in reading.others))
        weight = self._weight(reading)
        return query if weight == 1.0 else Query.boost_query(query, weight)

    def _name(self, term: str) -> Query | None:
        """Organisations and persons whose name is spelt so."""
        if len(term) < 2 or not term.isalpha():
            return None
        named = [f for f in ("owner_pinyin", "inventor_pinyin") if self._searcher.doc_freq(f, term)]
        return _any(holds(field, term) for field in named) if named else None

    def _weight(self, reading: Reading) -> float:
        """What makes an alternative count as the words it stands for: rarer ones would count for more."""
        ours, typed = (self._rarity(one.differs) for one in (reading, self._readings[0]))
        return min(1.0, typed / ours) if ours and typed else 1.0

    def _rarity(self, pieces: Iterable[str]) -> float:
        """The weights that the engine itself gives the terms, summed."""
        total = self._searcher.num_docs
        found = {term: self._searcher.doc_freq("body", term) for piece in pieces for term in terms_of(piece)}
        return math.fsum(
            math.log1p((max(total, count) - count + 0.5) / (count + 0.5)) for count in found.values() if count
        )

    def _clause(self, clause: Clause) -> Query:
        written = clause.text
        match clause.field:
            case Field.NUMBER:
                return _any(holds("codes", key) for key in text.code_keys(written))
            case Field.IPC:
                return holds("ipc", text.code_key(written))
            case Field.OWNER | Field.INVENTOR:
                spelt = "".join(text.fold(written).split())
                return _any(
                    (
                        phrase(f"{clause.field.value}_units", written),
                        holds(f"{clause.field.value}_pinyin", spelt),
                    )
                )
            case Field.TITLE if not (clause.phrase or clause.excluded):
                return _any(self._title(reading.text) for reading in self._thesaurus.readings(written))
            case Field.TITLE:
                return phrase("title_units", written)
            case _:
                return _any(phrase(field, written) for field in _UNITS)

    def _title(self, written: str) -> Query:
        terms = terms_of(written)
        if all(len(term) == 1 for term in terms):
            return phrase("title_units", written)
        return Query.boolean_query([(Occur.Must, holds("title", term, "freq")) for term in terms])


def terms_of(words: str) -> list[str]:
    """The terms of what was typed, each once; single characters if there is nothing longer."""
    found = dict.fromkeys(text.terms(words))
    return [term for term in found if term not in text.STOP_WORDS] or list(
        found or dict.fromkeys(text.characters(words))
    )


def phrase(field: str, written: str) -> Query:
    """Entries whose field has exactly these characters and words side by side."""
    units = text.adjacent(written)
    if not units:
        return Query.empty_query()
    return (
        holds(field, units[0], "freq") if len(units) == 1 else Query.phrase_query(SCHEMA, field, list(units))
    )


def _any(queries: Iterable[Query]) -> Query:
    choices = list(queries)
    if len(choices) < 2:
        return choices[0] if choices else Query.empty_query()
    return Query.boolean_query([(Occur.Should, choice) for choice in choices])


def search(
    searcher: tantivy.Searcher,
    asked: Asked,
    filters: Filters,
    thesaurus: Thesaurus,
    *,
    sort: Sort,
    offset: int,
    limit: int,
    facets: Sequence[Facet],
) -> Hits:
    """See `matching.index.SearchIndex.search`; spelling is another module's matter."""
    question = Question(searcher, asked, thesaurus)
    offset = max(0, min(offset, DEEPEST))
    limit = max(0, min(limit, DEEPEST - offset))
    if sort is Sort.RELEVANCE and not question.ranks:
        sort = Sort.NEWEST
    clauses = filter_clauses(filters)
    matching = question.query()
    hits, total = _page(searcher, both(matching, clauses), sort, offset, limit)
    relaxed = False
    for looser, needed in _relaxations(searcher, asked, question, thesaurus):
        if total:
            break
        matching = looser.query(needed)
        hits, total = _page(searcher, both(matching, clauses), sort, offset, limit)
        relaxed = total > 0
    counts = facet_counts(searcher, matching, filters, facets) if facets else {}
    return Hits(tuple(hits), total, counts, question.marked, relaxed)


def _relaxations(
    searcher: tantivy.Searcher, asked: Asked, question: Question, thesaurus: Thesaurus
) -> Iterator[tuple[Question, int]]:
    """What to ask for if nothing is found, and how many words an entry must hold then."""
    loosened = asked.loosened
    if loosened is not None:
        question = Question(searcher, loosened, thesaurus)
        yield question, NEEDED
    if question.can_relax:
        yield question, 1


def matches(searcher: tantivy.Searcher, asked: Asked, filters: Filters, thesaurus: Thesaurus) -> int:
    """How many entries a query finds without being relaxed."""
    query = both(Question(searcher, asked, thesaurus).query(), filter_clauses(filters))
    return total_of(searcher.search(query, 1))


def _page(
    searcher: tantivy.Searcher, query: Query, sort: Sort, offset: int, limit: int
) -> tuple[list[Hit], int]:
    if sort is Sort.RELEVANCE:
        return _by_relevance(searcher, query, offset, limit)
    field, order = {
        Sort.NEWEST: ("recency", Order.Desc),
        Sort.PRICE_UP: ("price_up", Order.Asc),
        Sort.PRICE_DOWN: ("price_down", Order.Desc),
    }[sort]
    answer = searcher.search(query, max(limit, 1), True, order_by_field=field, offset=offset, order=order)
    found = keys_of(searcher, [address for _, address in answer.hits[:limit]])
    return [Hit(key, 0.0) for key in found], total_of(answer)


def _by_relevance(searcher: tantivy.Searcher, query: Query, offset: int, limit: int) -> tuple[list[Hit], int]:
    """Best first. Equal scores are ordered by key, which the engine by itself does not promise: so those that
    tie with the page's last are all fetched before they are put in order."""
    wanted = offset + limit
    fetched = wanted + _SPARE_HITS
    while True:
        answer = searcher.search(query, fetched, True)
        found = answer.hits  # copied whenever it is asked for
        whole = len(found) < fetched or not wanted or found[-1][0] < found[wanted - 1][0]
        if whole or fetched > _LONGEST_TIE:
            break
        fetched = fetched * 2 + 50
    numbers = searcher.fast_field_values("number", [address for _, address in found])
    ordered = sorted([(-score, int(number or 0)) for (score, _), number in zip(found, numbers, strict=True)])
    return [Hit(key_of(number), -score) for score, number in ordered[offset:wanted]], total_of(answer)


def facet_counts(
    searcher: tantivy.Searcher, matching: Query, filters: Filters, facets: Sequence[Facet]
) -> dict[Facet, dict[str, int]]:
    """Counts of each facet's values, a facet's own filter left aside. Those without a filter of their own are
    counted together, in one pass over what matches."""
    passes: dict[Facet | None, list[Facet]] = {}
    everything = len(filter_clauses(filters))
    for facet in facets:
        own = len(filter_clauses(filters, facet)) < everything
        passes.setdefault(facet if own else None, []).append(facet)
    counts: dict[Facet, dict[str, int]] = {}
    for without, together in passes.items():
        query = both(matching, filter_clauses(filters, without))
        answer = searcher.aggregate(
            query, {facet.value: {"terms": {"field": facet.value, "size": 200}} for facet in together}
        )
        for facet in together:
            buckets = answer[facet.value]["buckets"]
            counts[facet] = {_value(facet, bucket["key"]): bucket["doc_count"] for bucket in buckets}
    return {facet: counts[facet] for facet in facets}


def _value(facet: Facet, key: object) -> str:
    return str(int(float(str(key)))) if facet in _NUMBERS else str(key)
