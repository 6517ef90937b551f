"""Pages for staff: results that look alike, two of them side by side, merging them and undoing it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.responses import Response

from market.db import Session, t
from market.enquiries.models import Enquiry
from market.errors import InvalidInput, NotFound
from market.files.models import Attachment
from market.listings import merging, service
from market.listings.models import ListingState, Result
from market.parties.models import Organisation
from market.permissions import Action, require
from market.taxonomy.queries import industries
from matching import duplicates
from matching.duplicates import Likeness, Pair
from matching.models import Proposal
from matching.text import Segment
from web import i18n
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.differences import differences
from web.errors import FieldProblem, field_problems
from web.forms import Form
from web.merging import hindrance, merge, separate
from web.render import Page
from web.routes import listing_forms
from web.routes.admin import Tab, tabs

router = APIRouter()
MERGED_SHOWN = 10
BASE = "/admin/duplicates"


@dataclass(frozen=True)
class Gone:
    """A result that was merged into another."""

    id: int
    title: str
    into_id: int
    into_title: str
    at: dt.datetime
    can_undo: bool


@dataclass(frozen=True)
class QueuePage:
    """Context of the pairs to decide on."""

    tabs: list[Tab]
    pairs: list[Pair]
    merged: list[Gone]
    form: Form
    total: int
    current_page: int
    pages: int


@dataclass(frozen=True)
class Side:
    """One of two results being compared."""

    id: int
    title: str
    owner_name: str
    state: ListingState
    version: int
    updated_at: dt.datetime


@dataclass(frozen=True)
class Line:
    """One thing in which the two differ, in words. `both` says whether both may be kept, `chosen` what is."""

    group: str
    staying: list[Segment]
    going: list[Segment]
    both: bool
    chosen: str
    result: str
    """What the one that stays will say of it."""


@dataclass(frozen=True)
class ComparePage:
    """Context of two results side by side, and of the preview of their merger."""

    staying: Side
    going: Side
    likeness: Likeness
    lines: list[Line]
    same: list[str]
    form: Form
    fixed: bool
    """The one that stays is concluded and keeps what it says."""
    hindered: str
    """Why the one cannot go; empty when it can."""
    moving: list[tuple[str, int]]
    """What moves, by the key of its name."""


@dataclass(frozen=True)
class SeparatePage:
    """Context of undoing a merger."""

    going_id: int
    going_title: str
    staying_id: int
    staying_title: str
    reason: str
    at: dt.datetime
    form: Form


def _queue(page: Page, session: Session, number: int, per_page: int, form: Form) -> Response:
    found, total = duplicates.pairs(session, page.actor, limit=per_page, offset=(number - 1) * per_page)
    context = QueuePage(
        tabs=tabs(page, {BASE: total}),
        pairs=found,
        merged=_merged(session, page.now),
        form=form,
        total=total,
        current_page=number,
        pages=-(-total // per_page),
    )
    return page.render("duplicates/queue.html", context, status=422 if form.problems else 200)


def _merged(session: Session, now: dt.datetime) -> list[Gone]:
    gone, into = t(Result).alias("gone"), t(Result).alias("into")
    rows = session.execute(
        sa.select(gone.c.id, gone.c.title, into.c.id, into.c.title, gone.c.updated_at)
        .join_from(gone, into, gone.c.merged_into_id == into.c.id)
        .order_by(gone.c.updated_at.desc(), gone.c.id)
        .limit(MERGED_SHOWN)
    )
    limit = dt.timedelta(days=merging.UNDO_DAYS)
    return [Gone(*row, now - row[4] <= limit) for row in rows]


@router.get(BASE)
def queue(page: PageDep, session: ReadTx, paging: PagingDep, staying: str = "", going: str = "") -> Response:
    """Pairs that nobody has decided on, the most alike first; with two numbers those two, side by side."""
    require(page.actor, Action.RESULT_MERGE)
    form = Form.from_values({"staying": staying, "going": going})
    if form.number("staying") and form.number("going"):
        form = form.with_problems(_wrong_numbers(page, session, form))
        if not form.problems:
            return _compare(page, form)
    return _queue(page, session, paging.page, min(paging.per_page, 20), form)


def _wrong_numbers(page: Page, session: Session, form: Form) -> list[FieldProblem]:
    """What is wrong with two numbers that were entered: no result has one, or both are the same."""
    found = [
        (name, "no_such_result")
        for name in ("staying", "going")
        if session.get(Result, form.number(name)) is None
    ]
    if not found and form.number("staying") == form.number("going"):
        found = [("going", "same_result")]
    return [FieldProblem(name, code, i18n.term(f"invalid.{code}", page.language)) for name, code in found]


def _side(session: Session, result_id: int) -> tuple[Side, Result, dict[str, Any]]:
    row = session.get(Result, result_id)
    if row is None:
        raise NotFound(kind="result")
    name = session.scalar(
        sa.select(t(Organisation).c.name).where(t(Organisation).c.id == row.organisation_id)
    )
    side = Side(result_id, row.title, name or "", ListingState(row.state), row.version, row.updated_at)
    return side, row, service.content_of(session, row)


def _choices(form: Form) -> dict[str, str]:
    return {group: form.value(f"keep.{group}") for group in merging.GROUPS if form.has(f"keep.{group}")}


def _compare(page: Page, form: Form, *, preview: bool = False) -> Response:
    language = page.language
    with page.parts.db.read() as session:
        staying, row, ours = _side(session, form.number("staying"))
        going, other, theirs = _side(session, form.number("going"))
        if staying.id == going.id:
            raise NotFound(kind="result")
        for one in (row, other):
            if one.merged_into_id is not None:
                return page.redirect(f"{BASE}/{one.id}/separate")
        likeness = duplicates.compare(session, staying.id, going.id)
        names = {item.code: item.called(language) for item in industries(session, retired=True)}
        hindered = hindrance(session, going.id)
        moving = _moving(session, row, other)
    fixed = staying.state is ListingState.CONCLUDED
    chosen = {} if fixed else {**merging.proposed(ours, theirs), **_choices(form)}
    differing = merging.differing(ours, theirs)
    lines = []
    for group in differing:
        mine, yours = (_words(content, group, language, names) for content in (ours, theirs))
        left, right = differences(mine, yours)
        pick = chosen.get(group, merging.STAYING)
        try:
            after = merging.merged(ours, theirs, {**dict.fromkeys(differing, merging.STAYING), group: pick})
        except InvalidInput:
            after, pick = ours, merging.STAYING
        result = _words(after, group, language, names)
        lines.append(Line(group, left, right, group in merging.LISTS, pick, result))
    context = ComparePage(
        staying=staying,
        going=going,
        likeness=likeness,
        lines=lines,
        same=[group for group in merging.GROUPS if group not in differing],
        form=form,
        fixed=fixed,
        hindered=i18n.term(f"invalid.{hindered[0]}", language, hindered[1]) if hindered else "",
        moving=moving,
    )
    return page.render(f"duplicates/{'preview' if preview else 'compare'}.html", context)


def _words(content: Mapping[str, Any], group: str, language: str, names: Mapping[str, str]) -> str:
    shown = (listing_forms.shown(name, content.get(name), language, names) for name in merging.GROUPS[group])
    return "\n".join(text for text in shown if text)


def _moving(session: Session, staying: Result, going: Result) -> list[tuple[str, int]]:
    """How much moves with the one that goes."""
    a, e, p = t(Attachment).c, t(Enquiry).c, t(Proposal).c
    same = staying.organisation_id == going.organisation_id
    files = [a.owner_kind == "result", a.owner_id == going.id, a.removed_at.is_(None)]
    if not same:
        files.append(a.visibility == "public")
    about = sa.or_(
        sa.and_(e.subject_kind == "result", e.subject_id == going.id), e.offered_result_id == going.id
    )
    counts = [
        ("attachments", sa.select(sa.func.count()).select_from(t(Attachment)).where(*files)),
        ("proposals", sa.select(sa.func.count()).select_from(t(Proposal)).where(p.result_id == going.id)),
    ]
    if same:
        counts.append(("enquiries", sa.select(sa.func.count()).select_from(t(Enquiry)).where(about)))
    return [(name, session.scalar(statement) or 0) for name, statement in counts]


@router.get(f"{BASE}/merge")
def back_to_queue(page: PageDep) -> Response:
    """Whoever comes back to the preview's address, by changing the language say, begins anew."""
    return page.redirect(BASE)


@router.post(f"{BASE}/merge")
def merge_pair(page: PageDep, form: FormDep) -> Response:
    """Show what would come of a merger, or carry it out."""
    require(page.actor, Action.RESULT_MERGE)
    staying, going = form.number("staying"), form.number("going")
    if form.value("do") != "merge":
        if form.value("reason").strip():
            return _compare(page, form, preview=True)
        missing = Form(form.entered).with_problems(_missing(page, "reason"))
        answer = _compare(page, missing)
        answer.status_code = 422
        return answer

    def action(session: Session) -> str:
        merge(
            session, page.actor, page.now, staying, going, _choices(form), form.value("reason"),
            versions=(form.number("staying_version"), form.number("going_version")),
            days=page.parts.settings.listing_days,
        )  # fmt: skip
        return f"/results/{staying}"

    return page.submit(form, action, lambda refused: _compare(page, refused), flash="merged")


def _missing(page: Page, name: str) -> list[FieldProblem]:
    return field_problems(InvalidInput([(name, "missing", {})]), page.language)


@router.post(f"{BASE}/distinct")
def are_distinct(page: PageDep, form: FormDep) -> Response:
    """Say that the two are two; they are not shown again."""
    require(page.actor, Action.RESULT_MERGE)

    def action(session: Session) -> str:
        duplicates.not_duplicates(
            session, page.actor, page.now, form.number("staying"), form.number("going"), form.value("distinct_reason")
        )  # fmt: skip
        return BASE

    def again(refused: Form) -> Response:
        problems = [replace(one, field="distinct_reason") for one in refused.problems]
        return _compare(page, refused.with_problems(problems))

    return page.submit(form, action, again, flash="not_duplicates")


def _separate(page: Page, going_id: int, form: Form) -> Response:
    require(page.actor, Action.RESULT_MERGE)
    with page.parts.db.read() as session:
        merger = merging.merger_of(session, going_id)
        if merger is None:
            raise NotFound(kind="result")
        r = t(Result).c
        rows = session.execute(sa.select(r.id, r.title).where(r.id.in_((going_id, merger.staying_id)))).all()
        titles = {row.id: row.title for row in rows}
    context = SeparatePage(
        going_id, titles[going_id], merger.staying_id, titles[merger.staying_id], merger.reason, merger.at, form
    )  # fmt: skip
    return page.render("duplicates/separate.html", context)


@router.get(f"{BASE}/{{going_id}}/separate")
def ask_separate(page: PageDep, going_id: RowId) -> Response:
    """Ask why a merger is undone, and say what comes back."""
    return _separate(page, going_id, Form())


@router.post(f"{BASE}/{{going_id}}/separate")
def do_separate(page: PageDep, form: FormDep, going_id: RowId) -> Response:
    """Undo a merger."""
    outcome: list[str] = []

    def action(session: Session) -> str:
        restored = separate(session, page.actor, page.now, going_id, form.value("reason"))
        outcome.append("separated" if restored else "separated_only")
        return f"/results/{going_id}"

    answer = page.submit(form, action, lambda refused: _separate(page, going_id, refused))
    return page.redirect(f"/results/{going_id}", flash=outcome[0]) if outcome else answer
