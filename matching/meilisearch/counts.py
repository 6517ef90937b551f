"""How common words are on a Meilisearch server, and which of a text's words say most by that.

`Ask` sends several searches of the index in use as one request and returns their results in order.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from matching import pinyin, spelling
from matching.index import Rarity
from matching.meilisearch import queries

Ask = Callable[[Sequence[dict[str, Any]]], list[dict[str, Any]]]


class Counts:
    """`matching.index.Rarity` as the server counts it: of the commonest `MOST_VALUES` grams and words. What is rarer
    than those counts as standing in one entry."""

    def __init__(self, documents: int, generation: int, told: Mapping[str, Mapping[str, int]]) -> None:
        self.documents = documents
        self.generation = generation
        self.weights: dict[str, float] = {}
        self._grams, self._words = told.get("grams", {}), told.get("words", {})
        self._units, self._owners = told.get("units", {}), told.get("owner_name", {})

    def frequency(self, term: str) -> int:
        """Number of titles holding the gram."""
        return self._of(self._grams, term)

    def mentions(self, word: str) -> int:
        """Number of entries whose whole text holds the word."""
        return self._of(self._words, word)

    @staticmethod
    def _of(counts: Mapping[str, int], value: str) -> int:
        return counts.get(value, 1 if len(counts) >= queries.MOST_VALUES else 0)

    @cached_property
    def vocabulary(self) -> "Words":
        """The same counts as other spellings are made of."""
        return Words(self._words, self._units, self._owners)


class Words:
    """The server's counts as `matching.spelling.Vocabulary`."""

    def __init__(self, words: Mapping[str, int], units: Mapping[str, int], owners: Mapping[str, int]) -> None:
        self._words, self._owners = words, owners
        self.alphabet = [unit for unit in units if len(unit) == 1 and not unit.isascii()]

    def frequency(self, term: str) -> int:
        """Entries that hold the term, of the commonest."""
        return self._words.get(term, 0)

    def latin(self, word: str) -> list[str]:
        """Words, and organisations by their pinyin, that a Latin word may have been meant for."""
        known = {one: n for one, n in self._words.items() if one[0] == word[0] and _is_latin(one)}
        names: dict[str, str] = {}
        for name in self._owners:
            for lead in pinyin.beginnings(name):
                if lead[0] == word[0] and _is_latin(lead):
                    names.setdefault(lead, name)
        near = spelling.closest(word, dict.fromkeys(names, 1))
        found = (
            *spelling.begun(word, names),
            *spelling.closest(word, known),
            *(names[lead] for lead in near),
        )
        return list(dict.fromkeys(found))


def _is_latin(word: str) -> bool:
    return word.isascii() and word.isalpha()


def count_terms(ask: Ask, documents: int, generation: int) -> Counts:
    """Count anew."""
    (answer,) = ask([{"limit": 0, "facets": ["grams", "words", "units", "owner_name"]}])
    return Counts(documents, generation, answer["facetDistribution"])


def weightiest(terms: Iterable[str], rarity: Rarity, most: int) -> list[str]:
    """Those of the terms that say most of a text: often in it and rare elsewhere; known ones first."""
    weights: dict[str, float] = {}
    for term, times in Counter(terms).items():
        frequency = rarity.mentions(term)
        known = math.log(1 + (rarity.documents + 1) / frequency) if frequency else 0.0
        weights[term] = (1 + math.log(times)) * known
    return sorted(weights, key=lambda term: (-weights[term], term))[:most]
