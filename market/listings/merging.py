"""Making one of two results that staff found to be the same (合并), and undoing it.

One stays and goes on; the other goes: it is withdrawn, points to the one that stays and keeps its rows and its
history. What the two say differently is chosen field by field. Public files move; the others move only within
one organisation, because a merger must not show an organisation's papers to another.

A result in an auction, sold or named by a contract cannot go: let it stay. What belongs to rooms above
(enquiries, lots, suggested pairs) is moved or asked by `web.merging`, in the same transaction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market import audit
from market.db import Session, t
from market.dirty import mark_dirty
from market.errors import InvalidInput, NotFound
from market.files.models import Attachment, Visibility
from market.listings import history, lifecycle, rules
from market.listings.inputs import ResultInput
from market.listings.models import ListingState, ListingVersion, Result
from market.listings.rules import LISTING_DAYS, Step
from market.listings.service import RESULT, content_of, edit_result
from market.permissions import Action, Actor, require

UNDO_DAYS = 30
"""Days within which a merger can be undone: later, people have relied on the one that stayed."""

STAYING, GOING, BOTH = "staying", "going", "both"

GROUPS: Mapping[str, tuple[str, ...]] = {
    "title": ("title",),
    "title_en": ("title_en",),
    "abstract": ("abstract",),
    "advantages": ("advantages",),
    "application": ("application",),
    "keywords": ("keywords",),
    "industry_code": ("industry_code",),
    "ipc": ("ipc",),
    "maturity": ("trl", "stage"),
    "modes": ("modes",),
    "price": ("pricing_mode", "price_low_fen", "price_high_fen"),
    "inventors": ("inventors",),
    "holder": ("holder",),
    "awards": ("awards",),
    "contact": ("contact_name", "contact_phone", "contact_email"),
    "claims": ("claims",),
    "ip": ("ip",),
}
"""What is chosen together: a price without its way of pricing means nothing."""
LISTS: Mapping[str, int] = {"keywords": 20, "ipc": 20, "modes": 20, "inventors": 50, "claims": 30, "ip": 50}
"""Fields of which both may be kept, and how many entries they take."""
_LONGER = frozenset({"abstract", "advantages", "application", "awards"})


def differing(staying: Mapping[str, Any], going: Mapping[str, Any]) -> list[str]:
    """The groups in which two contents differ."""
    return [
        group
        for group, names in GROUPS.items()
        if any((staying.get(name) or None) != (going.get(name) or None) for name in names)
    ]


def proposed(staying: Mapping[str, Any], going: Mapping[str, Any]) -> dict[str, str]:
    """The fuller choice for each group that differs."""
    chosen = {}
    for group in differing(staying, going):
        mine, theirs = ([content.get(name) for name in GROUPS[group]] for content in (staying, going))
        empty = not any(_says(value) for value in mine)
        if group in LISTS:
            united = _both(group, staying[group], going[group])
            chosen[group] = BOTH if len(united) <= LISTS[group] else _fuller(staying[group], going[group])
        elif group in _LONGER:
            chosen[group] = _fuller(mine[0], theirs[0])
        else:
            # Whom to ask is the business of the one that stays.
            chosen[group] = GOING if empty and group != "contact" else STAYING
    return chosen


def _says(value: Any) -> bool:
    return bool(value) and value != "negotiated"


def _fuller(mine: Any, theirs: Any) -> str:
    return GOING if len(theirs or "") > len(mine or "") else STAYING


def _both(group: str, mine: Iterable[Any], theirs: Iterable[Any]) -> list[Any]:
    def mark(entry: Any) -> Any:
        if group == "ip":
            return (entry["kind"], entry["number"] or entry["title"])
        return entry["statement"] if group == "claims" else entry

    united: dict[Any, Any] = {}
    for entry in (*mine, *theirs):
        united.setdefault(mark(entry), entry)
    return list(united.values())


def merged(
    staying: Mapping[str, Any], going: Mapping[str, Any], choices: Mapping[str, str]
) -> dict[str, Any]:
    """What the one that stays will say. Raises InvalidInput (field `keep.<group>`) for a choice there is not."""
    content = dict(staying)
    for group in differing(staying, going):
        chosen = choices.get(group, STAYING)
        if chosen == BOTH and group in LISTS:
            content[group] = _both(group, staying[group], going[group])
        elif chosen == GOING:
            content.update({name: going[name] for name in GROUPS[group]})
        elif chosen != STAYING:
            raise InvalidInput([(f"keep.{group}", "unknown_choice", {})])
    return content


def lock(
    session: Session,
    actor: Actor,
    staying_id: int,
    going_id: int,
    versions: tuple[int | None, int | None] = (None, None),
) -> tuple[Result, Result]:
    """Both rows, locked, if the one may go on for the other.

    Raises SignInRequired, NotAllowed, NotFound, Merged, Conflict when one is no longer at its version, and
    InvalidInput (field `going`) for a pair that cannot be merged.
    """
    require(actor, Action.RESULT_MERGE)
    if staying_id == going_id:
        raise InvalidInput([("going", "merge_same", {})])
    wanted = dict(zip((staying_id, going_id), versions, strict=True))
    # Always in the same order, or two mergers of one pair could wait for each other.
    rows = {
        row_id: lifecycle.row_to_change(session, actor, RESULT, Result, row_id, version=wanted[row_id])
        for row_id in sorted(wanted)
    }
    staying, going = rows[staying_id], rows[going_id]
    if staying.state == ListingState.DRAFT.value or going.state == ListingState.DRAFT.value:
        raise InvalidInput([("going", "merge_draft", {})])
    if going.state == ListingState.CONCLUDED.value:
        raise InvalidInput([("going", "merge_concluded", {})])
    return staying, going


def merge(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    staying: Result,
    going: Result,
    choices: Mapping[str, str],
    reason: str,
    *,
    moved: Mapping[str, Any],
    days: int = LISTING_DAYS,
) -> None:
    """Let `staying` go on for `going`; both come from `lock`. `moved` is what rooms above moved, for undoing it.

    A concluded result keeps what it says: only what it lacks the files of is added. Raises InvalidInput for a
    reason that is missing, a choice there is not, and a content that its input model or publication refuses.
    """
    assert staying.id is not None
    assert going.id is not None
    if not reason.strip():
        raise InvalidInput([("reason", "missing", {})])
    before = content_of(session, staying)
    if staying.state != ListingState.CONCLUDED.value:
        content = merged(before, content_of(session, going), choices)
        edit_result(session, actor, now, staying.id, ResultInput.model_validate(content), days=days)
    files = _move_files(session, staying, going)
    earlier = _repoint(session, going.id, staying.id)
    was, valid_until = going.state, going.valid_until
    history.keep(session, "result", going.id, going.version, content_of(session, going), actor, now)
    going.state = rules.after(going.state, Step.MERGE).value
    going.state_reason = reason.strip()
    going.merged_into_id = staying.id
    _touch(going, now)
    audit.record(
        session, actor, "result.merged", going.id, now,
        before={"state": was, "valid_until": valid_until},
        after={
            "state": going.state, "into": staying.id, "into_version": staying.version,
            "moved": {**moved, "attachments": files, "results": earlier},
        },
        reason=reason.strip(),
    )  # fmt: skip
    audit.record(
        session, actor, "result.absorbed", staying.id, now, after={"from": going.id}, reason=reason.strip()
    )
    mark_dirty(session, "result", staying.id, going.id)
    session.flush()


def _move_files(session: Session, staying: Result, going: Result) -> list[int]:
    c = t(Attachment).c
    mine = sa.select(c.sha256).where(
        c.owner_kind == "result", c.owner_id == staying.id, c.removed_at.is_(None)
    )
    where = [
        c.owner_kind == "result", c.owner_id == going.id, c.removed_at.is_(None), c.sha256.not_in(mine),
    ]  # fmt: skip
    if staying.organisation_id != going.organisation_id:
        where.append(c.visibility == Visibility.PUBLIC.value)
    ids = list(session.scalars(sa.select(c.id).where(*where).order_by(c.id)))
    values = {"owner_id": staying.id, "organisation_id": staying.organisation_id}
    session.execute(sa.update(t(Attachment)).where(c.id.in_(ids)).values(**values))
    return ids


def _repoint(session: Session, from_id: int, to_id: int) -> list[int]:
    """Results merged earlier follow, so that nobody is sent on twice."""
    c = t(Result).c
    ids = list(session.scalars(sa.select(c.id).where(c.merged_into_id == from_id).order_by(c.id)))
    session.execute(sa.update(t(Result)).where(c.id.in_(ids)).values(merged_into_id=to_id))
    return ids


def _touch(row: Result, now: dt.datetime) -> None:
    row.version += 1
    row.updated_at = now


@dataclass(frozen=True)
class Merger:
    """A merger that stands: what was merged into what, when and why, and what moved."""

    going_id: int
    staying_id: int
    at: dt.datetime
    reason: str
    state_before: ListingState
    version_after: int
    """That of the one that stays, right after the merger."""
    moved: Mapping[str, Any]


def merger_of(session: Session, going_id: int) -> Merger | None:
    """The merger by which a result went; None for one that is there itself. Two statements."""
    r, a = t(Result).c, t(audit.AuditRecord).c
    into = session.scalar(sa.select(r.merged_into_id).where(r.id == going_id))
    if into is None:
        return None
    row = session.execute(
        sa.select(a.at, a.reason, a.before, a.after)
        .where(a.subject == "result", a.subject_id == going_id, a.action == "result.merged")
        .order_by(a.id.desc()).limit(1)
    ).first()  # fmt: skip
    if row is None:
        return None
    state = ListingState(row.before["state"]) if "state" in row.before else ListingState.WITHDRAWN
    return Merger(
        going_id, into, row.at, row.reason or "", state, row.after["into_version"], row.after["moved"]
    )


def can_undo(merger: Merger, now: dt.datetime) -> bool:
    """Whether a merger is young enough to be undone."""
    return now - merger.at <= dt.timedelta(days=UNDO_DAYS)


def separate(
    session: Session, actor: Actor, now: dt.datetime, going_id: int, reason: str
) -> tuple[Merger, bool]:
    """Undo a merger: files come back, the result that went stands for itself again, published if it was and its
    last day has not gone by. Returns what was undone, for the rooms above to move theirs back, and whether the
    one that stayed says again what it said before: an edit since then is not lost for it.

    Raises SignInRequired, NotAllowed, NotFound, and InvalidInput (field `reason`) without a reason, or when the
    merger is too old or its target was merged on.
    """
    require(actor, Action.RESULT_MERGE)
    merger = merger_of(session, going_id)
    if merger is None:
        raise NotFound(kind="result")
    if not reason.strip():
        raise InvalidInput([("reason", "missing", {})])
    if not can_undo(merger, now):
        raise InvalidInput([("reason", "merge_too_old", {"days": UNDO_DAYS})])
    rows = {
        row_id: lifecycle.locked_row(session, Result, row_id)
        for row_id in sorted((going_id, merger.staying_id))
    }
    going, staying = rows[going_id], rows[merger.staying_id]
    if staying.merged_into_id is not None or going.merged_into_id != merger.staying_id:
        raise InvalidInput([("reason", "merge_went_on", {})])
    restored = staying.version == merger.version_after and _restore(session, actor, now, staying, merger)
    c, r = t(Attachment).c, t(Result).c
    back = {"owner_id": going_id, "organisation_id": going.organisation_id}
    session.execute(sa.update(t(Attachment)).where(c.id.in_(merger.moved["attachments"])).values(**back))
    session.execute(
        sa.update(t(Result))
        .where(r.id.in_(merger.moved["results"]), r.merged_into_id == merger.staying_id)
        .values(merged_into_id=going_id)
    )
    going.merged_into_id = None
    if merger.state_before is ListingState.PUBLISHED and not rules.is_past(going.valid_until, now):
        going.state = rules.after(going.state, Step.SEPARATE).value
    going.state_reason = ""
    _touch(going, now)
    audit.record(
        session, actor, "result.separated", going_id, now,
        after={"state": going.state, "from": merger.staying_id, "restored": restored}, reason=reason.strip(),
    )  # fmt: skip
    mark_dirty(session, "result", going_id, merger.staying_id)
    session.flush()
    return merger, restored


def _restore(session: Session, actor: Actor, now: dt.datetime, staying: Result, merger: Merger) -> bool:
    c = t(ListingVersion).c
    old = session.scalar(
        sa.select(c.content).where(
            c.kind == "result", c.listing_id == staying.id, c.version == merger.version_after - 1, c.at == merger.at
        )
    )  # fmt: skip
    if old is None or staying.state == ListingState.CONCLUDED.value:
        # The merger changed nothing of what it says.
        return True
    assert staying.id is not None
    edit_result(session, actor, now, staying.id, ResultInput.model_validate(old))
    return True
