"""Groups of synonyms as staff keep them: what may be entered, verbs and reads. `matching.synonyms` reads with them.

The rows are followed by every process's index within two seconds (`synonyms.MARK`).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

import sqlalchemy as sa
from pydantic import Field, field_validator

from market import audit
from market.db import Session, t
from market.dirty import mark_dirty
from market.errors import Conflict, Invalid, InvalidInput, NotFound
from market.inputs import Input, Line
from market.permissions import Action, Actor, require
from matching import text
from matching.models import Synonyms
from matching.synonyms import LONGEST_WORD, MARK

MOST_WORDS = 20
"""Words of one group; each may be tried for each other."""
_APART = re.compile(r"[\n,，、;；=＝|]+")


def split(typed: str) -> list[str]:
    """Words as typed into one field: each in its own line, or apart by commas, semicolons or equals signs."""
    return [word.strip() for word in _APART.split(typed) if word.strip()]


def key(word: str) -> str:
    """What makes two spellings one word: folded, without blanks."""
    return "".join(text.fold(word).split())


class GroupInput(Input):
    """Two or more words that mean the same, and a note for whoever looks after them."""

    words: list[Line] = Field(max_length=MOST_WORDS)
    note: Line = Field("", max_length=200)

    @field_validator("words")
    @classmethod
    def _sound(cls, words: list[str]) -> list[str]:
        """Folded, each once. Raises synonyms_few and synonym_word."""
        found: dict[str, str] = {}
        for word in words:
            folded = text.fold(word).strip()
            if not any(character.isalnum() for character in folded) or len(key(folded)) > LONGEST_WORD:
                raise Invalid("synonym_word", word=word[:80], most=LONGEST_WORD)
            found.setdefault(key(folded), folded)
        if len(found) < 2:
            raise Invalid("synonyms_few")
        return list(found.values())


@dataclass(frozen=True)
class Group:
    """A group as staff see it."""

    id: int
    words: tuple[str, ...]
    note: str
    updated_at: dt.datetime


_c = t(Synonyms).c


def find(session: Session, word: str = "") -> list[Group]:
    """Every group, or those with a word that holds the given one; the last changed first. One statement."""
    rows = session.execute(
        sa.select(_c.id, _c.words, _c.note, _c.updated_at).order_by(_c.updated_at.desc(), _c.id.desc())
    )
    groups = [Group(row.id, tuple(map(str, row.words)), row.note, row.updated_at) for row in rows]
    wanted = key(word)
    return [group for group in groups if not wanted or any(wanted in key(one) for one in group.words)]


def one(session: Session, group_id: int) -> Group | None:
    """A group."""
    row = session.get(Synonyms, group_id)
    return Group(group_id, tuple(map(str, row.words)), row.note, row.updated_at) if row else None


def add(session: Session, actor: Actor, entered: GroupInput, now: dt.datetime) -> int:
    """Make a group; returns its id. Raises NotAllowed, and InvalidInput naming the group that has a word already."""
    _begin(session, actor)
    _check(session, entered.words, None)
    row = Synonyms(words=entered.words, note=entered.note, changed_by=actor.person_id, updated_at=now)
    session.add(row)
    session.flush()
    assert row.id is not None
    after = {"words": entered.words, "note": entered.note}
    audit.record(session, actor, "synonyms.added", row.id, now, after=after)
    return row.id


def change(
    session: Session, actor: Actor, group_id: int, entered: GroupInput, seen: str, now: dt.datetime
) -> None:
    """Give a group other words. `seen` is the `stamp` of the group that its changer looked at.

    Raises NotAllowed, NotFound, Conflict when somebody changed it meanwhile, and InvalidInput as `add`.
    """
    _begin(session, actor)
    row = _row(session, group_id)
    if stamp(row.updated_at) != seen:
        raise Conflict(field="words")
    _check(session, entered.words, group_id)
    before = {"words": row.words, "note": row.note}
    after = {"words": entered.words, "note": entered.note}
    row.words, row.note = entered.words, entered.note
    row.changed_by, row.updated_at = actor.person_id, now
    session.flush()
    audit.record(session, actor, "synonyms.changed", group_id, now, before=before, after=after)


def delete(session: Session, actor: Actor, group_id: int, now: dt.datetime) -> None:
    """Let the words of a group find each other no more. Raises NotAllowed, NotFound."""
    _begin(session, actor)
    row = _row(session, group_id)
    before = {"words": row.words, "note": row.note}
    session.delete(row)
    session.flush()
    audit.record(session, actor, "synonyms.deleted", group_id, now, before=before)


def stamp(updated_at: dt.datetime) -> str:
    """What a form carries, to tell whether the group was changed since."""
    return updated_at.isoformat()


def _begin(session: Session, actor: Actor) -> None:
    require(actor, Action.SYNONYMS_EDIT)
    # The mark's row also makes two editors wait for each other, so that no word enters two groups at once.
    mark_dirty(session, MARK, 0)


def _row(session: Session, group_id: int) -> Synonyms:
    row = session.get(Synonyms, group_id)
    if row is None:
        raise NotFound(subject="synonyms")
    return row


def _check(session: Session, words: list[str], but: int | None) -> None:
    taken = {
        key(word): group for group in find(session) if group.id != but for word in group.words
    }  # fmt: skip
    problems = [
        ("words", "synonym_taken", {"word": word, "group": " = ".join(taken[key(word)].words)})
        for word in words
        if key(word) in taken
    ]
    if problems:
        raise InvalidInput(problems)
