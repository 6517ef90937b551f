"""What somebody typed into the search box, read as people mean it; never an error.

    离心泵 节能              words: entries that hold most of them come first
    "离心泵" “离心泵” 「离心泵」  a phrase: exactly these characters side by side
    -汽蚀  －"轴向力"         without this word or phrase
    title:叶轮 单位: 浙江大学   only in that part of an entry (`Field`); `-单位:…` leaves out
    号:ZL 2007 1 0308494.X   numbers may be written with blanks

Whatever means nothing in this language (a lone quotation mark, a field's name without a value) is taken as
words. Pure, and the same for every engine.
"""

import enum
import re
from dataclasses import dataclass, replace

from matching import text

MOST_CLAUSES = 20
"""Phrases, exclusions and field filters read of one query; what goes beyond is taken as words."""


class Field(enum.StrEnum):
    """Parts of an entry that can be asked for by name. The values are the names in the address."""

    TITLE = "title"
    OWNER = "owner"
    """Name of the organisation, its English name, pinyin or initials."""
    NUMBER = "number"
    """A patent's number or the organisation's credit code, exactly."""
    IPC = "ipc"
    """A symbol of the patent classification or the beginning of one: `F04`, `F04D`, `F04D29`, `F04D 29/42`."""
    INVENTOR = "inventor"
    """A result's inventors, a demand's experts."""


_NAMES = {
    "title": Field.TITLE,
    "标题": Field.TITLE,
    "標題": Field.TITLE,
    "名称": Field.TITLE,
    "owner": Field.OWNER,
    "单位": Field.OWNER,
    "單位": Field.OWNER,
    "机构": Field.OWNER,
    "number": Field.NUMBER,
    "号": Field.NUMBER,
    "號": Field.NUMBER,
    "专利号": Field.NUMBER,
    "信用代码": Field.NUMBER,
    "ipc": Field.IPC,
    "分类号": Field.IPC,
    "分類號": Field.IPC,
    "inventor": Field.INVENTOR,
    "发明人": Field.INVENTOR,
    "發明人": Field.INVENTOR,
}

_FIELD = f"(?:{'|'.join(sorted(_NAMES, key=len, reverse=True))})"
_PART = re.compile(
    rf"""
    (?P<minus> (?<!\S) [-－−] )?
    (?: (?P<field> {_FIELD} ) [:：] (?P<blank> \s+ (?! [-－−] | {_FIELD}[:：] ) )? )?
    (?: ["＂“”] (?P<straight> [^"＂“”]+ ) ["＂“”]
      | 「 (?P<corner> [^「」]+ ) 」
      | 『 (?P<double> [^『』]+ ) 』
      | (?P<word> [^\s"＂“”「『]+ ) )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SIGN = re.compile(r'["＂“”「『:：]|(?<!\S)[-－−]')
"""Without any of these there are only words."""
_REST_OF_CODE = re.compile(r"(?:\s+(?:[A-Z0-9./-]*\d[A-Z0-9./-]*|\.?\s?X)(?!\S))+", re.ASCII | re.IGNORECASE)
"""Further groups of a number that is written with blanks."""
_WHOLE_CODE = 12
"""Letters and digits of a number that needs no further ones."""
_REGISTERED = re.compile(r"(?:19|20)\d{10}[\dX]?|(?=.*[A-Z])[0-9A-Z]{18}|\d{18}")
"""A patent's application number or a credit code, as a key."""
_MOST_GROUPS = 6
_FULL_WIDTH = {
    code: code - 0xFEE0 for span in ("０９", "ＡＺ", "ａｚ") for code in range(ord(span[0]), ord(span[1]) + 1)
}
_QUOTES = re.compile('["＂“”]')
_WORDLIKE = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition beside the plain words: every clause must hold (`excluded`: must not).

    `phrase`: the characters stand side by side in one part of the entry. Otherwise `field` or `excluded` is
    set, and a field holds every term of the text.
    """

    text: str
    field: Field | None = None
    phrase: bool = False
    excluded: bool = False

    def __str__(self) -> str:
        value = f'"{self.text}"' if self.phrase else self.text
        return f"{'-' if self.excluded else ''}{f'{self.field.value}:' if self.field else ''}{value}"


@dataclass(frozen=True, slots=True)
class Query:
    """A query read. `str()` writes it so that it is read the same again."""

    words: tuple[str, ...] = ()
    """Plain words as typed, parted by blanks."""
    clauses: tuple[Clause, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.words or self.clauses)

    def __str__(self) -> str:
        return " ".join((*self.words, *map(str, self.clauses)))

    @property
    def plain(self) -> str:
        """The words alone."""
        return " ".join(self.words)

    @property
    def codes(self) -> tuple[str, ...]:
        """Keys (`text.code_key`) of what may be a patent number, a credit code or an IPC symbol among the
        words: an entry with exactly such a number is found, and comes first, whatever else was typed. Blanks
        within a number do not matter."""
        joined = [
            "".join(self.words[first:last])
            for first in range(len(self.words))
            for last in range(first + 2, min(first + _MOST_GROUPS, len(self.words)) + 1)
        ]
        groups = [one for one in joined if len(one) < 40 and _REGISTERED.fullmatch(text.code_key(one))]
        written = dict.fromkeys((self.plain, *groups, *self.words))
        return tuple(dict.fromkeys(text.code_key(word) for word in written if text.looks_like_code(word)))

    @property
    def loosened(self) -> "Query | None":
        """The query with its phrases taken as words, for when nothing holds them; None if it has none or is
        nothing but phrases: who typed only that wants exactly that, who pasted a title with quotation marks
        does not."""
        phrases = [
            clause for clause in self.clauses if clause.phrase and not (clause.excluded or clause.field)
        ]
        if not (self.words and phrases):
            return None
        words = (*self.words, *(word for clause in phrases for word in clause.text.split()))
        return Query(words, tuple(clause for clause in self.clauses if clause not in phrases))

    def without(self, clause: Clause) -> "Query":
        """The query less one clause, for a page that lets it be taken away."""
        return replace(self, clauses=tuple(one for one in self.clauses if one != clause))


def parse(typed: str) -> Query:
    """Read what was typed."""
    if not _SIGN.search(typed):
        return Query(tuple(typed.split()))
    typed = typed.translate(_FULL_WIDTH)
    words: list[str] = []
    clauses: list[Clause] = []
    place = 0
    while part := _PART.search(typed, place):
        place = part.end()
        phrase = part["straight"] or part["corner"] or part["double"]
        # Marks of the one kind inside those of the other part nothing, and could not be written again.
        value = " ".join(_QUOTES.sub(" ", phrase or part["word"]).split())
        field = _NAMES[part["field"].lower()] if part["field"] else None
        numbered = field in (Field.NUMBER, Field.IPC) and phrase is None
        begun = text.looks_like_code(value) or value.upper() in ("ZL", "CN")
        if numbered and begun and len(text.code_key(value)) < _WHOLE_CODE:
            rest = _REST_OF_CODE.match(typed, place)
            if rest:
                place = rest.end()
                value = " ".join(f"{value}{rest[0]}".split())
        clause = Clause(value, field, phrase is not None, part["minus"] is not None)
        if not (clause.phrase or clause.field or clause.excluded):
            words.append(value)
        elif (
            not _WORDLIKE.search(value)
            or len(clauses) == MOST_CLAUSES
            or (numbered and part["blank"] and not text.looks_like_code(value))
        ):
            words += part[0].split()
        elif clause not in clauses:
            clauses.append(clause)
    return Query(tuple(words), tuple(clauses))
