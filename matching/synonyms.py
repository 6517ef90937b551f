"""Words that mean the same (同义词): how a query is read in other words, and the rows that say so.

Rows of `search_synonyms` are the truth. Whoever changes them marks the row dirty (`MARK`) in the same
transaction; the indexer then hands all groups to the index, which every process follows.
"""

import csv
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from market.db import t
from market.dirty import mark_dirty
from matching import text
from matching.models import Synonyms
from matching.query import Field, Query

MARK = "synonyms"
"""Kind of a dirty mark that says: the groups have changed (the row may be gone)."""
MOST_READINGS = 8
"""Ways in which one query is read at most, the way it was typed among them."""
LONGEST_WORD = 40
MOST_MARKED = 80
"""Terms told for marking."""

_SEED = Path(__file__).with_name("synonyms.csv")

Groups = tuple[tuple[str, ...], ...]


def groups(session: Session) -> Groups:
    """All groups, oldest first."""
    c = t(Synonyms).c
    rows = session.execute(sa.select(c.words).order_by(c.id)).scalars()
    return tuple(tuple(str(word) for word in words) for words in rows)


def shipped() -> list[tuple[tuple[str, ...], str]]:
    """The groups that come with the software, each with its note."""
    with _SEED.open(encoding="utf-8", newline="") as lines:
        return [
            (tuple(map(text.fold, row["words"].split("|"))), row["note"]) for row in csv.DictReader(lines)
        ]


def seed_synonyms(session: Session, now: dt.datetime) -> int:
    """Put the shipped groups into an empty table; what a market has made of them is left alone. Returns how
    many were put in."""
    if session.execute(sa.select(t(Synonyms).c.id).limit(1)).first():
        return 0
    rows = [{"words": list(words), "note": note, "updated_at": now} for words, note in shipped()]
    session.execute(sa.insert(t(Synonyms)), rows)
    mark_dirty(session, MARK, 0)
    return len(rows)


@dataclass(frozen=True, slots=True)
class Reading:
    """A query in some words. `typed` are those pieces of it that stand where the other readings differ."""

    text: str
    differs: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Those of `differs` that stand for something else that was typed. An entry found by this reading holds
    them as they are: of 步进电动机 taken apart, 电动 and 动机 are in every entry about cars and engines."""


def marked(asked: Query, readings: Sequence[Reading], thesaurus: "Thesaurus") -> tuple[str, ...]:
    """Terms to mark in what a query finds: its words, and what its other `readings` say instead, whole."""
    found = text.marks(asked.plain) if asked.words else []
    found += [other for reading in readings for other in reading.others]
    for clause in asked.clauses:
        if clause.excluded:
            continue
        if clause.phrase:
            found.append(text.fold(clause.text))
            continue
        found += text.marks(clause.text)
        if clause.field is Field.TITLE:
            found += [other for reading in thesaurus.readings(clause.text) for other in reading.others]
    return tuple(dict.fromkeys(found))[:MOST_MARKED]


class Thesaurus:
    """Groups made ready for reading queries. Immutable, so threads may share it."""

    def __init__(self, given: Iterable[Sequence[str]] = ()) -> None:
        self._others: dict[str, list[str]] = {}
        for group in given:
            words = list(dict.fromkeys(text.fold(word).strip() for word in group))
            for word in words:
                key = "".join(word.split())
                if key and len(key) <= LONGEST_WORD:
                    known = self._others.setdefault(key, [])
                    known += [other for other in words if other != word and other not in known]
        self._longest = max(map(len, self._others), default=0)

    @property
    def others(self) -> Mapping[str, Sequence[str]]:
        """For each word (folded, without blanks) those that mean the same."""
        return self._others

    def readings(self, typed: str) -> list[Reading]:
        """The query as typed, then with its words replaced by those that mean the same, fewest changes first.

        The longest word wins where two overlap; Latin words count only whole.
        """
        folded = text.fold(typed)
        spans = self._spans(folded) if self._others else []
        if not spans:
            return [Reading(folded)]
        choices = [[folded[start:end], *others] for start, end, others in spans]
        numbers = sorted(
            product(*(range(len(choice)) for choice in choices)),
            key=lambda chosen: (sum(number > 0 for number in chosen), sum(chosen), chosen),
        )
        found: list[Reading] = []
        for chosen in numbers[:MOST_READINGS]:
            parts, place = [], 0
            differs = tuple(choice[number] for choice, number in zip(choices, chosen, strict=True))
            others = tuple(word for word, number in zip(differs, chosen, strict=True) if number)
            for (start, end, _), words in zip(spans, differs, strict=True):
                # Blanks keep an alternative from running into its neighbours; what was typed stays as it is.
                parts += [folded[place:start], words if words == folded[start:end] else f" {words} "]
                place = end
            found.append(Reading("".join((*parts, folded[place:])), differs, others))
        return found

    def _spans(self, folded: str) -> list[tuple[int, int, list[str]]]:
        places = [place for place, char in enumerate(folded) if not char.isspace()]
        squeezed = "".join(folded[place] for place in places)
        found: list[tuple[int, int, list[str]]] = []
        first = 0
        while first < len(squeezed) and len(found) < 4:
            for size in range(min(self._longest, len(squeezed) - first), 0, -1):
                others = self._others.get(squeezed[first : first + size])
                if others:
                    start, end = places[first], places[first + size - 1] + 1
                    if not text.cuts_a_word(folded, start, end):
                        found.append((start, end, others[: MOST_READINGS - 1]))
                        first += size - 1
                        break
            first += 1
        return found
