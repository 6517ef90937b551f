"""Chinese and Latin text as terms: folding, words, character grams, phrases, and marking of matched spans.

Two analyses are used, because they won different jobs when measured on judged pairs and known items:
words (search-mode segmentation) together with character bigrams for search, and character 1- to 3-grams
for comparing titles. Nothing here knows of an index or a row; all functions are pure and thread-safe.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import opencc
import rjieba

ANALYSIS_VERSION = 3
"""Part of the index's schema: raise it whenever terms come out differently, and the index is rebuilt."""

LONGEST_TERM = 48
"""Characters; longer runs (hashes, encoded blobs) are not words anybody searches for."""

_SHORT = 200
"""Characters of a text whose folding is kept."""

BREAK = "¶"
"""Stands in `adjacent` for punctuation, so that no phrase reaches across it."""

_HAN = "㐀-䶿一-鿿豈-﫿\U00020000-\U0002fa1f々〇"
_HAN_RUN = re.compile(f"[{_HAN}]+")
_KEPT = re.compile(f"[{_HAN}]+|[^\\W_]+(?:[-.+#/][^\\W_]+)*[+#]*")
_WORDLIKE = re.compile(r"[^\W_]")
_DIGIT = re.compile(r"\d")
_WINDOW = 12
"""Characters on either side of a compound that are cut into words to see whether it cuts one."""
_SIDE_BY_SIDE = re.compile(f"(?P<unit>[{_HAN}]|[^\\W_{_HAN}]+(?:[-.+#/][^\\W_{_HAN}]+)*[+#]*)|[^\\s]")

_STOPPED = (
    "的 了 和 与 及 或 在 对 是 为 等 中 其 以 之 于 由 从 并 且 而 也 都 就 被 把 将 向 该 此 各 个 种 一种 一个 "
    "这 那 有 可 能 可以 能够 以及 及其 或者 并且 通过 进行 具有 采用 所述 其中 包括 根据 基于 用于 使用 我们 他们 "
    "我 你 他 它 们 上 下 不 没有 如 等等 由于 因此 同时 目前 主要 相关 有关 实现 提供 "
    "a an and are as at be by for from in into is it its of on or that the this to was were with"
)
STOP_WORDS = frozenset(_STOPPED.split())


_simplified = opencc.OpenCC("t2s").convert


def fold(text: str) -> str:
    """One spelling for one thing: full-width to half-width, compatibility forms, lower case, traditional
    characters to simplified ones (by phrase: 乾燥 is 干燥, 乾坤 stays)."""
    return _folded_short(text) if len(text) <= _SHORT else _folded(text)


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return folded if folded.isascii() else _simplified(folded)


_folded_short = functools.lru_cache(4096)(_folded)
"""One search folds its query half a dozen times, for words, pairs, synonyms and marks."""


def words(text: str) -> list[str]:
    """Search-mode words of the text in reading order, without punctuation and stop words; repeats are kept."""
    found: list[str] = []
    for word in rjieba.cut_for_search(fold(text)):
        if word in STOP_WORDS or len(word) > LONGEST_TERM:
            continue
        if word.isalnum():
            found.append(word)
        elif _WORDLIKE.search(word):
            found.append("".join(word.split()))
    return found


def bigrams(text: str) -> list[str]:
    """Overlapping pairs of Han characters, never across punctuation or Latin text."""
    return [run[i : i + 2] for run in _HAN_RUN.findall(fold(text)) for i in range(len(run) - 1)]


def terms(text: str) -> list[str]:
    """What is indexed and searched: words, and the bigrams that are not already among the words.

    A two-character word and the bigram at the same place are one term, not two; elsewhere repeats are
    kept, for the frequency matters.
    """
    found = words(text)
    known = set(found)
    found.extend(pair for pair in bigrams(text) if pair not in known)
    return found


def grams(text: str, longest: int = 3) -> list[str]:
    """Character 1- to `longest`-grams of each run of letters and digits, for comparing short texts."""
    found: list[str] = []
    for run in _KEPT.findall(fold(text)):
        size = len(run)
        for length in range(1, longest + 1):
            found += [run[i : i + length] for i in range(size - length + 1)]
    return found


def characters(text: str) -> list[str]:
    """Single letters and characters, for a query that holds nothing longer; none of runs that are too long to be
    words anybody searches for."""
    return [unit for run in fold(text).split() if len(run) <= LONGEST_TERM for unit in grams(run, 1)]


def is_wordlike(text: str) -> bool:
    """True if anything in it can be searched for: a letter, a character or a digit."""
    return _WORDLIKE.search(text) is not None


def adjacent(text: str) -> list[str]:
    """What stands side by side, for finding phrases: each Han character and each Latin word for itself, and a
    `BREAK` wherever punctuation parts them. Blanks part nothing: `PM 电机` is `PM电机`."""
    found: list[str] = []
    for piece in _SIDE_BY_SIDE.finditer(fold(text)):
        unit = piece[0]
        if piece.lastgroup == "unit" and len(unit) <= LONGEST_TERM:
            found.append(unit)
        elif found and found[-1] != BREAK:
            found.append(BREAK)
    if found and found[-1] == BREAK:
        found.pop()
    return found


def code_key(text: str) -> str:
    """A number of any register in one spelling: `ZL 2007 1 0308494.X` and `CN200710308494X` meet.

    The letters CN and ZL in front of digits are dropped; what is left has no blanks, dots or dashes.
    """
    bare = re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text)).upper()
    return re.sub(r"^(?:CN|ZL)+(?=\d)", "", bare)


def code_keys(text: str) -> tuple[str, ...]:
    """Keys under which a stored number is found: whole, and a patent application without its check digit."""
    key = code_key(text)
    if re.fullmatch(r"(?:19|20)\d{10}[\dX]", key):
        return key, key[:-1]
    return (key,) if key else ()


def ipc_keys(symbol: str) -> tuple[str, ...]:
    """Keys under which a classification symbol is found, widest first: class, subclass, main group, itself
    (`F04D 29/42`: F04, F04D, F04D29, F04D2942)."""
    key, group = code_key(symbol), code_key(symbol.partition("/")[0])
    return tuple(dict.fromkeys(level for level in (key[:3], key[:4], group, key) if len(level) > 2))


def looks_like_code(text: str) -> bool:
    """True for what may be a patent number, a credit code or an IPC symbol rather than a word."""
    if not _DIGIT.search(text):
        return False
    key = code_key(text)
    return 3 <= len(key) <= 40 and key.isascii() and any(c.isdigit() for c in key)


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text; `matched` pieces are to be marked. The pieces joined are the text again."""

    text: str
    matched: bool


@functools.lru_cache(16_384)
def _lowered(char: str) -> str:
    """Marking words folds character by character; a language has few thousand."""
    return unicodedata.normalize("NFKC", char).casefold()


def _folded_with_origin(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its characters the place in the original it came from."""
    parts: list[str] = []
    origin: list[int] = []
    for place, char in enumerate(text):
        lowered = _lowered(char)
        parts.append(lowered)
        origin.extend([place] * len(lowered))
    lowered = "".join(parts)
    folded = lowered if lowered.isascii() else _simplified(lowered)
    if len(folded) != len(lowered):
        # A phrase that got shorter or longer: what moved cannot be told, so single characters have to do.
        folded = "".join(map(_simplified_character, lowered))
    return folded, origin


@functools.lru_cache(16_384)
def _simplified_character(char: str) -> str:
    return _simplified(char)[:1] or char


def marks(typed: str) -> list[str]:
    """What of a query is worth marking where it is found: its words, the shorter words that a compound is made
    of, and each run of characters as typed. No pairs of characters that say nothing, unless there is nothing
    else."""
    found: dict[str, None] = {}
    for word in fold(typed).split():
        pieces = [piece for piece in rjieba.cut(word) if _WORDLIKE.search(piece) and piece not in STOP_WORDS]
        long = [piece for piece in pieces if len(piece) > 1]
        if len(long) < len(pieces) or len(pieces) == 1:
            found.update(dict.fromkeys(_HAN_RUN.findall(word)))
        found.update(
            dict.fromkeys(
                part for piece in long for part in (piece, *(_side_by_side(piece) if len(piece) > 2 else ()))
            )
        )
    useful = [mark for mark in found if mark not in STOP_WORDS and len(mark) <= LONGEST_TERM]
    return useful or list(dict.fromkeys(terms(typed) or characters(typed)))


def _side_by_side(word: str) -> list[str]:
    """The shorter words of a word that do not overlap, from the left: 理工 and 大学 of 理工大学, and not 工大."""
    found: list[str] = []
    place = 0
    for part in rjieba.cut_for_search(word):
        at = word.find(part, place)
        if 1 < len(part) < len(word) and at >= 0:
            found.append(part)
            place = at + len(part)
    return found


@functools.lru_cache(16_384)
def _is_compound(term: str) -> bool:
    """Whether a term in Chinese is more than one word."""
    return _HAN_RUN.search(term) is not None and len(rjieba.cut(term)) > 1


def _cuts_a_compound(folded: str, start: int, end: int) -> bool:
    """True if the span starts or ends inside a word of the text: 步电机 must not be marked in 异步电机."""
    first = max(0, start - _WINDOW)
    # Words of the dictionary alone: a guessed one (与步 in 与步电机) would forbid what is right.
    words = rjieba.cut(folded[first : end + _WINDOW], False)
    return not {start - first, end - first} <= {0, *accumulate(map(len, words))}


def _spans(text: str, wanted: Iterable[str]) -> list[tuple[int, int]]:
    """Merged spans of the original text where a wanted (folded) term stands; Latin terms and compounds as
    whole words."""
    folded, origin = _folded_with_origin(text)
    marked = [False] * len(text)
    for term in {t for t in wanted if t}:
        start = folded.find(term)
        while start >= 0:
            end = start + len(term)
            if not (
                cuts_a_word(folded, start, end)
                or (_is_compound(term) and _cuts_a_compound(folded, start, end))
            ):
                for place in range(origin[start], origin[end - 1] + 1):
                    marked[place] = True
            start = folded.find(term, start + 1)
    spans: list[tuple[int, int]] = []
    for place, on in enumerate(marked):
        if not on:
            continue
        if spans and spans[-1][1] == place:
            spans[-1] = (spans[-1][0], place + 1)
        else:
            spans.append((place, place + 1))
    return spans


def cuts_a_word(folded: str, start: int, end: int) -> bool:
    """True if the span starts or ends inside a Latin word: `art` must not be marked in `smart`."""

    def latin(char: str) -> bool:
        return char.isascii() and char.isalnum()

    before = start > 0 and latin(folded[start - 1]) and latin(folded[start])
    after = end < len(folded) and latin(folded[end - 1]) and latin(folded[end])
    return before or after


def _cut(text: str, spans: Sequence[tuple[int, int]], first: int, last: int) -> list[Segment]:
    segments: list[Segment] = []
    place = first
    for start, end in spans:
        start, end = max(start, first), min(end, last)
        if start >= end:
            continue
        if place < start:
            segments.append(Segment(text[place:start], False))
        segments.append(Segment(text[start:end], True))
        place = end
    if place < last:
        segments.append(Segment(text[place:last], False))
    return segments


def highlight(text: str, wanted: Iterable[str]) -> list[Segment]:
    """The whole text in pieces, those that match a wanted term marked."""
    return _cut(text, _spans(text, wanted), 0, len(text))


def excerpt(text: str, wanted: Iterable[str], length: int = 120) -> list[Segment]:
    """The window of about `length` characters with most marked characters, earliest first; ellipses where cut."""
    text = " ".join(text.split())
    spans = _spans(text, wanted)
    if len(text) <= length:
        return _cut(text, spans, 0, len(text))
    best, best_marked = 0, -1
    for start, _ in [(0, 0), *spans]:
        first = min(max(0, start - length // 6), len(text) - length)
        marked = sum(max(0, min(e, first + length) - max(s, first)) for s, e in spans)
        if marked > best_marked:
            best, best_marked = first, marked
    segments = _cut(text, spans, best, best + length)
    if best > 0:
        segments.insert(0, Segment("…", False))
    if best + length < len(text):
        segments.append(Segment("…", False))
    return segments
