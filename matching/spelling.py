"""What somebody may have meant who typed what no entry holds. Pure: what is known of the index is handed in."""

import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Protocol

import rjieba
from rapidfuzz import process
from rapidfuzz.distance import OSA

from matching import pinyin, text
from matching.query import Query

LONGEST_RUN = 16
"""Characters of a run that is looked at; a longer one has broken pairs anyway."""
MOST_PLACES = 3
"""Places of a run at which another character is tried."""
MOST_TRIED = 6
"""Other spellings of one piece that are asked for before giving up."""
MOST_CHARACTERS = 2000
"""Common characters that are tried where none of the same sound will do."""
LONGEST_DOUBTED = 8
"""Characters of a query that is doubted although it finds something; longer ones are pasted, not typed."""
_SAME_SOUND, _NEAR_SOUND = 100.0, 50.0
_MOST_CUT = 200

Frequency = Callable[[str], int]
"""How many entries hold a term: a pair of characters or a word."""


def respelt(run: str, alphabet: Sequence[str], frequency: Frequency, *, sure: bool = False) -> list[str]:
    """Spellings of a run of Han characters that differ at one place, best first.

    A run is misspelt where two neighbours stand side by side in no entry. A character of the same sound is
    the likeliest (离心蹦, 离心泵), then one of nearly the same, then any that the entries do hold between its
    neighbours; then a pair turned round, a character too many, and one too few. What is spelt right falls into
    fewer words than what is not; for the same sound or a pair turned round, in three characters or more, as
    many will do.
    `sure`: only what sounds the same, in the place of a character that belongs to no word, and pairs turned
    round: for where the rest of a query does find something.
    `alphabet`: characters to try.
    """
    if not 2 <= len(run) <= LONGEST_RUN:
        return []
    seams = _seams(run)
    broken = [
        place
        for place in range(len(run) - 1)
        if (place not in seams or run[place] == run[place + 1]) and not frequency(run[place : place + 2])
    ]
    if not broken:
        return []
    places = _suspects(broken)
    if sure:
        places = [place for place in places if place in _lone(run)]
    by_sound = _by_sound(tuple(alphabet))
    scores: dict[str, float] = {}
    for place in places:
        meant = pinyin.sounds(run[place])
        for near in {pinyin.near(sound) for sound in meant}:
            for spelling, held in _with_another(run, place, by_sound.get(near, ()), frequency, seams):
                same = not meant.isdisjoint(pinyin.sounds(spelling[place]))
                if same or not sure:
                    scores[spelling] = held + (_SAME_SOUND if same else _NEAR_SOUND)
    if sure:
        for place in broken[:MOST_PLACES]:
            turned = f"{run[:place]}{run[place + 1]}{run[place]}{run[place + 2 :]}"
            scores.setdefault(turned, _held(turned, frequency))
    found = _words_of(run, scores, strict=_in_words(run, broken))
    if sure or found or len(run) < 3:
        return found
    for place in places:
        for spelling, held in _with_another(run, place, alphabet[:MOST_CHARACTERS], frequency, seams):
            scores.setdefault(spelling, held)
    for place in broken[:MOST_PLACES]:
        turned = f"{run[:place]}{run[place + 1]}{run[place]}{run[place + 2 :]}"
        for spelling in (turned, *(f"{run[:at]}{run[at + 1 :]}" for at in (place, place + 1))):
            scores.setdefault(spelling, _held(spelling, frequency))
        for char in alphabet[:MOST_CHARACTERS] if not scores else ():
            spelling = f"{run[: place + 1]}{char}{run[place + 1 :]}"
            if frequency(spelling[place : place + 2]) and frequency(spelling[place + 1 : place + 3]):
                scores.setdefault(spelling, _held(spelling, frequency))
    return _words_of(run, scores, strict=_in_words(run, broken))


def _lone(run: str) -> frozenset[int]:
    """Places of the characters that belong to no longer word of the dictionary."""
    words = rjieba.cut(run, False)
    return frozenset(
        end - 1 for end, word in zip(accumulate(map(len, words)), words, strict=True) if len(word) == 1
    )


def _in_words(run: str, broken: Sequence[int]) -> bool:
    """True if every broken pair stands inside a word of the dictionary: that no entry holds 步进 does not make
    it a slip."""
    ends = list(accumulate(map(len, rjieba.cut(run, False))))
    return not any(place + 1 in ends for place in broken)


def _words_of(run: str, scores: Mapping[str, float], *, strict: bool) -> list[str]:
    """The spellings that make words, the best first. `strict`: fewer words than the run as it stands, in any case."""
    most = len(rjieba.cut(run))
    found: list[tuple[float, int, str]] = []
    for spelling in sorted(scores, key=lambda spelling: (-scores[spelling], spelling))[:_MOST_CUT]:
        score = scores[spelling]
        alike = not strict and len(run) > 2 and (score >= _SAME_SOUND or sorted(spelling) == sorted(run))
        count = len(rjieba.cut(spelling))
        if score > 0 and count < most + alike:
            found.append((-(score // _NEAR_SOUND), count, spelling))
    # Of those that sound equally near, the one in fewest words: 同步电机 before the commoner 同 and 补.
    return [spelling for _, _, spelling in sorted(found, key=lambda one: one[:2])]


def _suspects(broken: Sequence[int]) -> list[int]:
    """Places of the characters that may be wrong: one that stands in two broken pairs, else either of a pair."""
    shared = [place for place in broken if place - 1 in broken]
    places = shared or [place for pair in broken for place in (pair + 1, pair)]
    return list(dict.fromkeys(places))[:MOST_PLACES]


def _seams(run: str) -> frozenset[int]:
    """Places after which one word of two characters or more ends and another begins: that no entry holds the
    two side by side says nothing of how they are spelt."""
    words = rjieba.cut(run)
    ends = accumulate(map(len, words))
    return frozenset(
        end - 1
        for end, (word, after) in zip(ends, pairwise(words), strict=False)
        if min(len(word), len(after)) > 1
    )


@functools.lru_cache(4)
def _by_sound(alphabet: tuple[str, ...]) -> dict[str, list[str]]:
    """Characters by what they sound nearly like."""
    found: dict[str, list[str]] = {}
    for char in alphabet:
        for near in {pinyin.near(sound) for sound in pinyin.sounds(char)}:
            found.setdefault(near, []).append(char)
    return found


def _with_another(
    run: str, place: int, characters: Sequence[str], frequency: Frequency, seams: frozenset[int]
) -> Iterator[tuple[str, float]]:
    """Spellings with one of the characters at a place, and how well the entries hold them."""
    before, after = run[:place], run[place + 1 :]
    for char in characters:
        if char == run[place] or (before and not frequency(before[-1] + char)):
            continue
        if after and not frequency(char + after[0]):
            continue
        spelling = f"{before}{char}{after}"
        # Only the two pairs with the other character in them must be known at a seam as well.
        held = _held(spelling, frequency, seams - {place - 1, place})
        if held:
            yield spelling, held


def _held(spelling: str, frequency: Frequency, seams: frozenset[int] = frozenset()) -> float:
    """0 if some pair of the spelling, but for those at `seams`, is in no entry; more, the commoner its rarest
    pair and if it is a word."""
    pairs = [
        frequency(spelling[place : place + 2]) for place in range(len(spelling) - 1) if place not in seams
    ]
    if not pairs or not all(pairs):
        return 0.0
    word = frequency(spelling) if len(spelling) > 2 else 0
    return math.log1p(min(pairs)) + math.log1p(word)


def begun(word: str, names: Mapping[str, str]) -> list[str]:
    """Organisations, by one of their `names` in Latin letters, that one begins to spell; the shortest first."""
    return [names[lead] for lead in sorted(names, key=lambda one: (len(one), one)) if lead.startswith(word)]


def closest(word: str, counts: Mapping[str, int], most: int = 3) -> list[str]:
    """Those of the known Latin words that differ from a word by one slip (by two from eight letters on),
    nearest first; of equals the commoner by `counts`. None for a word of three letters or fewer."""
    if len(word) < SHORTEST_MISSPELT:
        return []
    slips = 2 if len(word) >= 8 else 1
    near = process.extract(word, counts.keys(), scorer=OSA.distance, score_cutoff=slips, limit=None)
    ordered = sorted(near, key=lambda one: (one[1], -counts[one[0]], one[0]))
    return [found for found, distance, _ in ordered[:most] if distance]


PIECES = re.compile(r"[a-z]{3,}|[㐀-䶿一-鿿]{2,}")
"""What can be misspelt in a folded query, or a name begun: a Latin word of three letters, or a run of Han
characters."""
SHORTEST_MISSPELT = 4
"""Letters from which on a Latin word with a slip is like few others."""


class Vocabulary(Protocol):
    """What an index knows of characters and words."""

    @property
    def alphabet(self) -> Sequence[str]:
        """Han characters in the entries, common ones first."""
        ...

    def frequency(self, term: str) -> int:
        """Entries that hold the term."""
        ...

    def latin(self, word: str) -> list[str]:
        """Words, and organisations by their pinyin, that a Latin word may have been meant for."""
        ...


def is_doubted(asked: Query, already: int) -> bool:
    """Whether another spelling is worth seeking for a query that finds so many entries."""
    return not already or len(asked.plain) <= LONGEST_DOUBTED


def other_query(
    asked: Query, vocabulary: Vocabulary, finds: Callable[[Query], int], *, already: int = 0
) -> str:
    """The query with one of its words spelt otherwise so that it `finds` something; empty if there is none.

    `already`: how many entries the query itself finds. If any, only what sounds alike is tried, and it must
    find more.
    """
    tried = 0
    for place, word in enumerate(asked.words):
        folded = text.fold(word)
        for piece in PIECES.finditer(folded):
            run = piece[0]
            if not run.isascii():
                others = respelt(run, vocabulary.alphabet, vocabulary.frequency, sure=already > 0)
            else:
                others = [] if already or vocabulary.frequency(run) else vocabulary.latin(run)
            for other in others[:MOST_TRIED]:
                if tried == 2 * MOST_TRIED:
                    return ""
                tried += 1
                changed = f"{folded[: piece.start()]}{other}{folded[piece.end() :]}"
                words = (*asked.words[:place], changed, *asked.words[place + 1 :])
                if finds(replace(asked, words=words)) > already:
                    return str(replace(asked, words=words))
    return ""
