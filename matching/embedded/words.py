"""Questions to the embedded index's dictionary of terms: suggestions while typing, and other spellings."""

import re

import tantivy
from tantivy import Order, Query

from matching import spelling, text
from matching.embedded.queries import holds, keys_of
from matching.embedded.schema import PART, SCHEMA, key_of
from matching.embedded.search import phrase
from matching.index import Suggestion, SuggestionKind

LONGEST_PREFIX = 64
SHORTEST_PINYIN = 3
"""Letters from which on titles are looked for by pinyin: fewer begin too many."""


def suggest(searcher: tantivy.Searcher, typed: str, limit: int) -> list[Suggestion]:
    """See `matching.index.SearchIndex.suggest`."""
    prefix = "".join(text.fold(typed).split())[:LONGEST_PREFIX]
    if limit < 1 or not text.is_wordlike(prefix) or (len(prefix) == 1 and prefix.isascii()):
        return []
    owners = _owners(searcher, prefix, limit)
    keywords = _keywords(searcher, prefix, limit)
    titles = _titles(searcher, typed, prefix, limit)
    # A third for each kind; what one kind leaves free goes to the next.
    share = -(-limit // 3)
    least_titles = min(len(titles), share)
    found = owners[: max(share, limit - len(keywords[:share]) - least_titles)]
    found += keywords[: max(share, limit - len(found) - least_titles)]
    found += titles
    seen: set[str] = set()
    once = [one for one in found if not (one.text in seen or seen.add(one.text))]  # type: ignore[func-returns-value]
    return once[:limit]


def _begun(searcher: tantivy.Searcher, field: str, prefix: str, limit: int) -> list[str]:
    """What the terms that begin with the prefix stand for, in most entries first; only of entries still there."""
    found: dict[str, None] = {}
    for row, _ in searcher.terms_with_prefix(field, prefix, limit=limit * 4):
        standing_for = row.partition(PART)[2]
        # The dictionary forgets what has gone only when segments are merged.
        if standing_for not in found and searcher.search(holds(field, row), 1, False).hits:
            found[standing_for] = None
            if len(found) == limit:
                break
    return list(found)


def _owners(searcher: tantivy.Searcher, prefix: str, limit: int) -> list[Suggestion]:
    found: list[Suggestion] = []
    for standing_for in _begun(searcher, "owner_lead", prefix, limit):
        number, _, name = standing_for.partition(PART)
        found.append(Suggestion(SuggestionKind.ORGANISATION, name, owner_id=int(number)))
    return found


def _keywords(searcher: tantivy.Searcher, prefix: str, limit: int) -> list[Suggestion]:
    words = _begun(searcher, "keyword_lead", prefix, limit)
    return [Suggestion(SuggestionKind.KEYWORD, word) for word in words]


def _titles(searcher: tantivy.Searcher, typed: str, prefix: str, limit: int) -> list[Suggestion]:
    """Titles that hold what was typed, the newest first; then those whose pinyin begins with it."""
    units = text.adjacent(typed)
    if not (units and text.words(typed)):
        query = Query.empty_query()  # 一种 begins a third of all patents and says nothing
    elif not units[-1].isascii():
        query = phrase("title_units", typed)
    elif len(units) > 1:
        query = Query.phrase_prefix_query(SCHEMA, "title_units", list(units))
    else:
        query = Query.regex_query(SCHEMA, "title_units", f"{re.escape(units[0])}.*")
    found = searcher.search(query, limit, False, order_by_field="recency", order=Order.Desc).hits
    addresses = [address for _, address in found]
    if len(addresses) < limit and prefix.isascii() and len(prefix) >= SHORTEST_PINYIN:
        for number in _begun(searcher, "title_lead", prefix, limit - len(addresses)):
            answer = searcher.search(holds("key", str(key_of(int(number)))), 1, False).hits
            addresses += [address for _, address in answer]
    keys = keys_of(searcher, addresses)
    return [
        Suggestion(SuggestionKind.TITLE, searcher.doc(address)["shown"][0], key=key)
        for key, address in zip(keys, addresses, strict=True)
    ]


def nearly_same(searcher: tantivy.Searcher, documents: int) -> bool:
    """Whether a searcher's size is within 2 % of a number of entries: what was counted of them still holds."""
    return abs(searcher.num_docs - documents) * 50 <= documents


class Vocabulary:
    """What one searcher knows of characters and Latin words, for other spellings; read when first needed."""

    def __init__(self, searcher: tantivy.Searcher, generation: int) -> None:
        self._searcher = searcher
        self._generation = generation
        self._documents = searcher.num_docs
        self._alphabet: list[str] | None = None

    def still_good(self, searcher: tantivy.Searcher, generation: int) -> bool:
        """Whether another searcher knows nearly the same."""
        return generation == self._generation and nearly_same(searcher, self._documents)

    @property
    def alphabet(self) -> list[str]:
        """Han characters in the entries, common ones first."""
        if self._alphabet is None:
            counts: dict[str, int] = {}
            for field in ("title_units", "text_units"):
                for unit, count in self._searcher.terms_with_prefix(field, ""):
                    if len(unit) == 1 and not unit.isascii() and unit != text.BREAK:
                        counts[unit] = counts.get(unit, 0) + count
            self._alphabet = sorted(counts, key=lambda char: (-counts[char], char))
        return self._alphabet

    def frequency(self, term: str) -> int:
        """Entries that hold the term."""
        return int(self._searcher.doc_freq("body", term))

    def latin(self, word: str) -> list[str]:
        """Words, and organisations by their pinyin, that a Latin word may have been meant for."""
        known = {
            term: count
            for term, count in self._searcher.terms_with_prefix("body", word[0])
            if term.isascii() and term.isalpha()
        }
        names: dict[str, str] = {}
        for row, _ in self._searcher.terms_with_prefix("owner_lead", word[0]):
            lead, number_and_name = row.split(PART, 1)
            if lead.isascii() and lead.isalpha():
                names.setdefault(lead, number_and_name.partition(PART)[2])
        near = spelling.closest(word, dict.fromkeys(names, 1))
        found = (
            *spelling.begun(word, names),
            *spelling.closest(word, known),
            *(names[lead] for lead in near),
        )
        return list(dict.fromkeys(found))
