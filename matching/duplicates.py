"""Listings that say nearly the same: open demands like a draft, and results that may be one.

Texts are compared by their shingles, the overlapping runs of four characters: the share that both have of all
that either has. Measured on 1,200 patents (719,400 pairs): no two of them reach 0.47; of copies with 15 % of the
clauses struck out and common words replaced, 91 % stay above 0.5. Two results with different patents are often
members of a family and must be all but equal. A shared patent number says more than any text.

The index guesses what is worth comparing, so that nothing is compared with everything; equal numbers and equal
titles are asked of the database, because the newest rows are not in the index yet. `look` is repeated by the
worker; what it finds is kept in `look_alike` until staff say that the two are two, or merge them.
"""

import datetime as dt
import enum
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from market import audit
from market.db import t, upsert
from market.errors import InvalidInput, NotFound
from market.listings.models import ListingState, Result, ResultIp
from market.parties.models import Organisation
from market.permissions import Action, Actor, require
from matching import documents, text
from matching.documents import Document, Key, Kind
from matching.index import SearchIndex
from matching.models import LookAlike, NotDuplicate

SHINGLE = 4
COMPARED = 4_000
"""Characters of a text that are compared."""
NEAR = 0.5
"""Share of common shingles from which two texts are nearly the same."""
ALL_BUT_EQUAL = 0.85
"""The same for two results that name different patents."""
LEAST_SHINGLES = 40
"""A shorter text proves nothing."""
NEAR_TITLE = 0.7
"""Share of common character pairs from which two titles of demands are nearly the same."""
GUESSED = 12
MOST_PAIRS = 8
"""Pairs kept for one result at a look: a number that hundreds share is a slip of somebody's import."""
CHUNK = 50
SETTLED = dt.timedelta(seconds=5)
"""Rows younger than this are looked at next time, when the others of their batch are in the index."""


class Ground(enum.StrEnum):
    """What makes two results alike."""

    SAME_NUMBER = "same_number"
    SAME_TITLE = "same_title"
    NEAR_TEXT = "near_text"


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two results are; nothing in `grounds` means they are not."""

    grounds: tuple[Ground, ...]
    numbers: tuple[str, ...]
    share: float
    """Of the texts' shingles, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of a pair, as a list shows it."""

    id: int
    title: str
    owner_id: int
    owner_name: str
    state: ListingState
    version: int


@dataclass(frozen=True, slots=True)
class Pair:
    """Two results that may be one."""

    one: Side
    other: Side
    grounds: tuple[Ground, ...]
    numbers: tuple[str, ...]
    share: float
    found_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Near:
    """An open demand like a draft."""

    document: Document
    share: float


@dataclass(frozen=True, slots=True)
class Found:
    """What one look brought: pairs that are alike, and kept ones (ids) that are so no longer."""

    alike: list[LookAlike]
    no_longer: list[int]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Up to where results were looked at; the beginning by default."""

    at: dt.datetime | None = None
    id: int = 0


def _bare(words: str) -> str:
    return "".join(re.findall(r"\w", text.fold(words)))


def shingles(words: str, size: int = SHINGLE) -> frozenset[str]:
    """The overlapping runs of `size` characters of a text, without blanks, marks and case."""
    bare = _bare(words[:COMPARED])
    return frozenset(bare[i : i + size] for i in range(len(bare) - size + 1))


def share(one: frozenset[str], other: frozenset[str]) -> float:
    """What two sets have in common, of all that either has."""
    both = len(one & other)
    return both / (len(one) + len(other) - both) if both else 0.0


def likeness(one: Document, other: Document) -> Likeness:
    """What makes two results alike. Numbers of `Document` end with the owner's credit code, which is no right."""
    ours, theirs = (
        {text.code_key(number): number for number in document.numbers[:-1]} for document in (one, other)
    )
    common = sorted(ours[key] for key in ours.keys() & theirs.keys())
    apart = bool(ours and theirs and not common)
    texts = [shingles(document.text) for document in (one, other)]
    near = share(*texts) if min(len(each) for each in texts) >= LEAST_SHINGLES else 0.0
    grounds = []
    if common:
        grounds.append(Ground.SAME_NUMBER)
    if _bare(one.title) == _bare(other.title) and one.owner_id == other.owner_id and not apart:
        grounds.append(Ground.SAME_TITLE)
    if near >= (ALL_BUT_EQUAL if apart else NEAR):
        grounds.append(Ground.NEAR_TEXT)
    return Likeness(tuple(grounds), tuple(common), near)


def near_demands(draft: Document, session: Session, index: SearchIndex, most: int = 3) -> list[Near]:
    """Open demands that say nearly what a draft says, the nearest first; the draft itself (by key) is none."""
    if not draft.title.strip():
        return []
    hits = index.candidates(draft.title, draft.text, Kind.DEMAND.value, GUESSED)
    found = documents.load(session, [hit.key for hit in hits if hit.key != draft.key])
    title, whole = shingles(draft.title, 2), shingles(draft.text)
    near = []
    for other in found.values():
        titles = share(title, shingles(other.title, 2))
        theirs = shingles(other.text)
        texts = share(whole, theirs) if min(len(whole), len(theirs)) >= LEAST_SHINGLES else 0.0
        if titles >= NEAR_TITLE or texts >= NEAR:
            near.append(Near(other, max(titles, texts)))
    near.sort(key=lambda one: (-one.share, one.document.key))
    return near[:most]


def look(
    session: Session, index: SearchIndex, now: dt.datetime, after: Cursor
) -> tuple[Found, Cursor | None]:
    """Compare the next published results, by when they changed, with what they may repeat.

    Returns what was found (see `keep`) and where to go on; None when nothing is left. Reads only, so that no
    write transaction is open while the index is asked.
    """
    c, a = t(Result).c, t(LookAlike).c
    statement = sa.select(c.id, c.updated_at).where(
        c.state == ListingState.PUBLISHED.value, c.updated_at <= now - SETTLED
    )
    if after.at is not None:
        later = sa.and_(c.updated_at == after.at, c.id > after.id)
        statement = statement.where(sa.or_(c.updated_at > after.at, later))
    rows = session.execute(statement.order_by(c.updated_at, c.id).limit(CHUNK)).all()
    if not rows:
        return Found([], []), None
    ids = [row.id for row in rows]
    subjects = documents.load(session, [Key(Kind.RESULT, row_id) for row_id in ids])
    kept = session.execute(
        sa.select(a.id, a.one_id, a.other_id).where(sa.or_(a.one_id.in_(ids), a.other_id.in_(ids)))
    ).all()
    pairs = _guesses(session, index, list(subjects.values())) | {(row.one_id, row.other_id) for row in kept}
    known = {key.id: document for key, document in subjects.items()}
    others = {row_id for pair in pairs for row_id in pair} - known.keys()
    loaded = documents.load(session, [Key(Kind.RESULT, row_id) for row_id in others])
    known.update({key.id: document for key, document in loaded.items()})
    judged = {
        (low, high): likeness(known[low], known[high])
        for low, high in sorted(pairs)
        if low in known and high in known
    }
    alike = [
        LookAlike(
            one_id=low,
            other_id=high,
            grounds=[ground.value for ground in one.grounds],
            numbers=list(one.numbers),
            rank=_rank(one),
            found_at=now,
        )
        for (low, high), one in judged.items()
        if one.grounds
    ]
    gone = [row.id for row in kept if not judged.get((row.one_id, row.other_id), _UNKNOWN).grounds]
    return Found(_bounded(alike), gone), Cursor(rows[-1].updated_at, rows[-1].id)


_UNKNOWN = Likeness((Ground.NEAR_TEXT,), (), 0.0)
"""Stands for a pair of which one is not published and cannot be compared: it is left as it was."""


def _bounded(alike: list[LookAlike]) -> list[LookAlike]:
    """The most alike first, no result in more than MOST_PAIRS of them."""
    times: Counter[int] = Counter()
    kept = []
    for one in sorted(alike, key=lambda each: (-each.rank, each.one_id, each.other_id)):
        if max(times[one.one_id], times[one.other_id]) < MOST_PAIRS:
            times.update((one.one_id, one.other_id))
            kept.append(one)
    return kept


def _rank(one: Likeness) -> int:
    return round(one.share * 10_000) + (10_000 if Ground.SAME_NUMBER in one.grounds else 0)


def _guesses(session: Session, index: SearchIndex, subjects: Sequence[Document]) -> set[tuple[int, int]]:
    """Pairs (lower id first) worth comparing: by number and by title of the database, by words of the index."""
    guesses: set[tuple[int, int]] = set()
    r, i = t(Result).c, t(ResultIp).c
    number = t(ResultIp).alias("other_ip")
    same_number = (
        sa.select(i.result_id, number.c.result_id)
        .join_from(t(ResultIp), number, number.c.number == i.number)
        .where(
            i.result_id.in_([subject.key.id for subject in subjects]),
            i.number != "",
            number.c.result_id != i.result_id,
        )
        .limit(CHUNK * MOST_PAIRS * 4)
    )
    guesses.update((min(pair), max(pair)) for pair in session.execute(same_number))
    by_title: dict[str, list[int]] = {}
    for subject in subjects:
        by_title.setdefault(subject.title, []).append(subject.key.id)
    same_title = (
        sa.select(r.id, r.title)
        .where(r.title.in_(list(by_title)), r.state == ListingState.PUBLISHED.value)
        .limit(CHUNK * MOST_PAIRS)
    )
    for other_id, title in session.execute(same_title):
        guesses.update((min(one, other_id), max(one, other_id)) for one in by_title[title] if one != other_id)
    for subject in subjects:
        mine = subject.key.id
        for hit in index.candidates(subject.title, subject.text, Kind.RESULT.value, GUESSED):
            if hit.key.id != mine:
                guesses.add((min(mine, hit.key.id), max(mine, hit.key.id)))
    return guesses


def keep(session: Session, found: Found) -> int:
    """Keep pairs, each once, and let go of those that are alike no longer. Returns how many are alike."""
    names = ("one_id", "other_id", "grounds", "numbers", "rank", "found_at")
    rows = [{name: getattr(one, name) for name in names} for one in found.alike]
    # `found_at` stays that of the first time.
    upsert(session, t(LookAlike), rows, key=["one_id", "other_id"], update=["grounds", "numbers", "rank"])
    if found.no_longer:
        session.execute(sa.delete(t(LookAlike)).where(t(LookAlike).c.id.in_(found.no_longer)))
    return len(rows)


_OPEN = (ListingState.PUBLISHED.value, ListingState.CONCLUDED.value, ListingState.EXPIRED.value)


def _open_pairs() -> tuple[sa.FromClause, list[sa.ColumnElement[bool]], sa.FromClause, sa.FromClause]:
    a, n = t(LookAlike).c, t(NotDuplicate).c
    one, other = t(Result).alias("one"), t(Result).alias("other")
    joined = (
        t(LookAlike)
        .join(one, one.c.id == a.one_id)
        .join(other, other.c.id == a.other_id)
        .outerjoin(t(NotDuplicate), sa.and_(n.one_id == a.one_id, n.other_id == a.other_id))
    )
    # Of two that are sold, or of which one is off the market, nothing is left to decide.
    sold = sa.and_(one.c.state == ListingState.CONCLUDED.value, other.c.state == ListingState.CONCLUDED.value)
    where = [
        n.id.is_(None),
        one.c.merged_into_id.is_(None),
        other.c.merged_into_id.is_(None),
        one.c.state.in_(_OPEN),
        other.c.state.in_(_OPEN),
        sa.not_(sold),
    ]
    return joined, where, one, other


def pairs(session: Session, actor: Actor, *, limit: int, offset: int = 0) -> tuple[list[Pair], int]:
    """Results that may be one and nobody has decided on, the most alike first, and how many pairs there are.
    Two statements. Raises SignInRequired, NotAllowed."""
    require(actor, Action.RESULT_MERGE)
    joined, where, one, other = _open_pairs()
    total = session.scalar(sa.select(sa.func.count()).select_from(joined).where(*where)) or 0
    a = t(LookAlike).c
    owner, other_owner = t(Organisation).alias("owner"), t(Organisation).alias("other_owner")
    rows = session.execute(
        sa.select(
            a.grounds, a.numbers, a.rank, a.found_at,
            *_side(one, owner, "one"), *_side(other, other_owner, "other"),
        )
        .select_from(
            joined.join(owner, owner.c.id == one.c.organisation_id).join(
                other_owner, other_owner.c.id == other.c.organisation_id
            )
        )
        .where(*where).order_by(a.rank.desc(), a.id).limit(limit).offset(offset)
    )  # fmt: skip
    found = []
    for row in rows.mappings():
        one_side, other_side = (
            Side(
                row[f"{name}_id"], row[f"{name}_title"], row[f"{name}_owner_id"], row[f"{name}_owner"],
                ListingState(row[f"{name}_state"]), row[f"{name}_version"],
            )
            for name in ("one", "other")
        )  # fmt: skip
        grounds = tuple(Ground(ground) for ground in row["grounds"])
        shared = row["rank"] - (10_000 if Ground.SAME_NUMBER in grounds else 0)
        found.append(
            Pair(one_side, other_side, grounds, tuple(row["numbers"]), shared / 10_000, row["found_at"])
        )
    return found, total


def _side(result: sa.FromClause, owner: sa.FromClause, name: str) -> list[sa.Label[object]]:
    return [
        result.c.id.label(f"{name}_id"),
        result.c.title.label(f"{name}_title"),
        owner.c.id.label(f"{name}_owner_id"),
        owner.c.name.label(f"{name}_owner"),
        result.c.state.label(f"{name}_state"),
        result.c.version.label(f"{name}_version"),
    ]


def count_pairs(session: Session) -> int:
    """How many pairs wait for a decision. One statement."""
    joined, where, _, _ = _open_pairs()
    return session.scalar(sa.select(sa.func.count()).select_from(joined).where(*where)) or 0


def compare(session: Session, one_id: int, other_id: int) -> Likeness:
    """What makes two published results alike, as they stand now; without grounds when one is not published."""
    found = documents.load(session, [Key(Kind.RESULT, one_id), Key(Kind.RESULT, other_id)])
    if len(found) < 2:
        return Likeness((), (), 0.0)
    return likeness(*found.values())


def not_duplicates(
    session: Session, actor: Actor, now: dt.datetime, one_id: int, other_id: int, reason: str
) -> None:
    """Say that two results are two, and why; the pair is not shown again. The latest word stands.

    Raises SignInRequired, NotAllowed, NotFound, InvalidInput without a reason (field `reason`).
    """
    require(actor, Action.RESULT_MERGE)
    low, high = sorted((one_id, other_id))
    known = session.scalars(sa.select(t(Result).c.id).where(t(Result).c.id.in_((low, high)))).all()
    if low == high or len(known) < 2:
        raise NotFound(kind="result")
    if not reason.strip():
        raise InvalidInput([("reason", "missing", {})])
    if len(reason.strip()) > 300:
        raise InvalidInput([("reason", "string_too_long", {"max_length": 300})])
    row = {
        "one_id": low, "other_id": high, "person_id": actor.person_id, "reason": reason.strip(), "at": now,
    }  # fmt: skip
    upsert(session, t(NotDuplicate), [row], key=["one_id", "other_id"], update=["person_id", "reason", "at"])
    audit.record(
        session, actor, "result.not_duplicate", low, now, after={"other": high}, reason=reason.strip()
    )
    session.flush()
