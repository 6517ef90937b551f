"""Chinese in Latin letters: full pinyin and initials, as people type the names of places, schools and firms.

Characters with several readings are read by the word they stand in (重庆 chongqing, 长春 changchun). Tones are
left out. Pure and thread-safe; the dictionary is loaded when first needed.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import rjieba

from matching import text

MOST_STARTS = 4
"""Words at which somebody may begin a name: 温岭市·大溪·泵业 is asked for by any of the three."""

_FORM = re.compile(r"(?:集团|控股|股份)*(?:有限)?(?:责任)?公司$|集团$|合作社$|\([^()]*\)$")
"""Legal forms and branches in brackets, which nobody types."""
_SCHOOL = re.compile("(?:大学|学院|学校|研究院|研究所|实验室|医院)$")
_LATIN = re.compile(r"[a-z]+")


@functools.lru_cache(50_000)
def _read(word: str) -> tuple[str, ...]:
    """A syllable for each character of a folded word; Latin runs stay whole, other characters fall away."""
    from pypinyin import lazy_pinyin

    read = lazy_pinyin(word, errors=_latin_runs)
    return tuple(syllable.replace("ü", "v") for syllable in read if syllable)


def _latin_runs(rest: str) -> Any:
    return re.findall(r"[a-z0-9]+", rest)


def syllables(written: str) -> list[str]:
    """The syllables of a text, word by word."""
    return [syllable for word in rjieba.cut(text.fold(written)) for syllable in _read(word)]


def full(written: str) -> str:
    """`浙江大学` as `zhejiangdaxue`."""
    return "".join(syllables(written))


def initials(written: str) -> str:
    """`浙江大学` as `zjdx`."""
    return "".join(syllable[0] for syllable in syllables(written))


def _starts(name: str) -> Iterator[str]:
    """The name from each of its first words on."""
    folded = text.fold(name)
    place = 0
    for number, word in enumerate(rjieba.cut(folded)):
        if number == MOST_STARTS:
            return
        rest = folded[place:]
        if len(rest) > 1 and text.is_wordlike(word) and _FORM.sub("", rest):
            yield rest
        place += len(word)


def _short(name: str) -> list[tuple[str, list[str]]]:
    """How people shorten the name of a school or an institute, each with its syllables: its first word to one
    character (浙理工大学, 括理工大学), or each of its words (浙大, 温医大). None for a name that does not part
    into two to four words of two characters or more."""
    folded = text.fold(name)
    if not _SCHOOL.search(folded):
        return []
    known = [word for word in rjieba.cut_for_search(folded) if len(word) > 1]
    words: list[str] = []
    while folded:
        # The shortest word, from the left: 理工大学 is two.
        words.append(next((word for word in known if folded.startswith(word)), folded[0]))
        folded = folded[len(words[-1]) :]
    read = [syllables(word) for word in words]
    if not 2 <= len(words) <= 4 or any(
        len(word) < 2 or len(word) != len(one) for word, one in zip(words, read, strict=True)
    ):
        return []
    rest = [syllable for one in read[1:] for syllable in one]
    return [
        (words[0][0] + "".join(words[1:]), [read[0][0], *rest]),
        ("".join(word[0] for word in words), [one[0] for one in read]),
    ]


@functools.lru_cache(20_000)
def beginnings(name: str) -> tuple[str, ...]:
    """What somebody may start typing who means this organisation: the name from each of its first words on,
    folded and without blanks, what people shorten it to, and the same in full pinyin and in initials."""
    forms: dict[str, None] = {}
    for start in _starts(name):
        forms["".join(start.split())] = None
        if not start.isascii():
            forms[full(start)] = None
            forms[initials(start)] = None
    for short, read in _short(name):
        forms |= dict.fromkeys((short, "".join(read), "".join(syllable[0] for syllable in read)))
    return tuple(form for form in forms if len(form) > 1)


@functools.lru_cache(20_000)
def names(name: str) -> tuple[str, ...]:
    """What somebody may have typed in full who means this organisation or person, in Latin letters: pinyin
    and initials of the name and of what follows its place, with and without its legal form, those of what
    people shorten it to, and the pinyin of each of its words."""
    forms: dict[str, None] = {}
    if name.isascii():
        return ()
    for start in _starts(name):
        for form in (start, _FORM.sub("", start)):
            read = syllables(form)
            if len(read) > 1:
                forms["".join(read)] = None
            if len(read) > 2 or (len(read) == 2 and form == start == text.fold(name)):
                forms["".join(syllable[0] for syllable in read)] = None
    for _, read in _short(name):
        forms["".join(read)] = None
        if len(read) > 2:
            forms["".join(syllable[0] for syllable in read)] = None
    for word in rjieba.cut(text.fold(name)):
        if len(word) > 1 and not word.isascii() and _FORM.sub("", word):
            forms["".join(_read(word))] = None
    return tuple(form for form in forms if len(form) > 1 and _LATIN.fullmatch(form))


@functools.lru_cache(1)
def _readings() -> dict[str, frozenset[str]]:
    from pypinyin.pinyin_dict import pinyin_dict

    def bare(marked: str) -> str:
        apart = unicodedata.normalize("NFD", marked.replace("ü", "v"))
        return "".join(char for char in apart if not unicodedata.combining(char))

    return {chr(code): frozenset(map(bare, marked.split(","))) for code, marked in pinyin_dict.items()}


def sounds(character: str) -> frozenset[str]:
    """All toneless readings of a character; empty if it has none."""
    return _readings().get(character, frozenset())


_NEAR = (
    (re.compile("^([zcs])h"), r"\1"),
    (re.compile("^n(?!$)"), "l"),
    (re.compile("^h(?=u)"), "f"),
    (re.compile("(?<=[aei]n)g$"), ""),
)


@functools.lru_cache(1024)
def near(syllable: str) -> str:
    """A spelling that syllables share which people of the south tell apart with pains: zh/z, n/l, hu/f, ng/n."""
    for pattern, replacement in _NEAR:
        syllable = pattern.sub(replacement, syllable)
    return syllable
