"""Administration: organisations to check, changes, people, industries, background work."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from market import audit, work
from market.clock import start_of_local_day
from market.db import Session
from market.errors import NotFound
from market.inputs import Line
from market.parties import members, queries
from market.parties.models import OrganisationState
from market.permissions import Action, Actor, Role, require
from market.taxonomy import queries as taxonomy
from market.taxonomy import service as industries_service
from market.taxonomy.models import IndustryInput, NewIndustryInput
from market.work import WorkState
from web import i18n
from web.deps import FormDep, Page, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form

router = APIRouter()
Words = Annotated[Line, Query(max_length=100)]
Tab = tuple[str, str, bool, int | None]


@dataclass(frozen=True)
class QueuePage:
    """Context of the organisations to check, or of those in another state."""

    tabs: list[Tab]
    states: list[tuple[OrganisationState, int]]
    state: OrganisationState
    items: list[queries.OrganisationRow]
    regions: dict[str, str]
    total: int
    current_page: int
    pages: int
    may_verify: bool


@dataclass(frozen=True)
class Change:
    """One field of an audited change, as text."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class AuditPage:
    """Context of the audit log."""

    tabs: list[Tab]
    entries: list[audit.Entry]
    changes: dict[int, list[Change]]
    subjects: list[str]
    form: Form
    total: int
    current_page: int
    pages: int


@dataclass(frozen=True)
class PeoplePage:
    """Context of the list of people."""

    tabs: list[Tab]
    people: list[queries.PersonRow]
    roles: list[Role]
    form: Form
    total: int
    current_page: int
    pages: int


@dataclass(frozen=True)
class IndustriesPage:
    """Context of the industries. `changing` is the code of the one in the form; empty for a new one."""

    tabs: list[Tab]
    industries: list[taxonomy.IndustryView]
    changing: str
    form: Form


@dataclass(frozen=True)
class WorkPage:
    """Context of the background work."""

    tabs: list[Tab]
    items: list[work.Listed]
    payloads: dict[int, str]
    causes: dict[int, str]
    states: list[tuple[WorkState, int]]
    state: WorkState
    total: int
    current_page: int
    pages: int


_TABS: tuple[tuple[str, str, Action], ...] = (
    ("/admin", "admin.organisations", Action.ORGANISATION_MEMBERS),
    ("/admin/people", "admin.people", Action.PEOPLE_MANAGE),
    ("/admin/industries", "admin.industries", Action.TAXONOMY_EDIT),
    ("/admin/duplicates", "admin.duplicates", Action.RESULT_MERGE),
    ("/admin/synonyms", "admin.synonyms", Action.SYNONYMS_EDIT),
    ("/admin/auction-rules", "admin.auction_rules", Action.AUDIT_READ),
    ("/admin/relations", "admin.relations", Action.LOT_ADMIT),
    ("/bank/reconciliation", "admin.bank", Action.MONEY_MANAGE),
    ("/admin/work", "admin.work", Action.WORK_MANAGE),
    ("/admin/messages", "admin.messages", Action.WORK_MANAGE),
    ("/admin/alarms", "admin.alarms", Action.WORK_MANAGE),
    ("/admin/audit", "admin.audit", Action.AUDIT_READ),
)


def tabs(page: Page, counts: Mapping[str, int] | None = None) -> list[Tab]:
    """The pages of the administration that the actor may open."""
    path = page.request.url.path
    return [
        (i18n.term(key, page.language), href, href == path, (counts or {}).get(href))
        for href, key, action in _TABS
        if page.actor.can(action)
    ]


def _pages(total: int, per_page: int) -> int:
    return -(-total // per_page)


@router.get("/admin")
def queue(page: PageDep, session: ReadTx, paging: PagingDep, state: str = "pending") -> Response:
    """Organisations to check, the oldest first; whoever may not see them is led to the audit."""
    actor = page.actor
    if not actor.can(Action.ORGANISATION_MEMBERS):
        require(actor, Action.AUDIT_READ)
        return page.redirect("/admin/audit")
    known = {each.value: each for each in OrganisationState}
    chosen = known.get(state, OrganisationState.PENDING)
    items, total = queries.organisations(
        session, actor, state=chosen, offset=paging.offset, limit=paging.per_page
    )
    counts = queries.count_by_state(session)
    context = QueuePage(
        tabs=tabs(page, {"/admin": counts[OrganisationState.PENDING]}),
        states=list(counts.items()),
        state=chosen,
        items=items,
        regions=taxonomy.region_names(session, [item.region_code for item in items], page.language),
        total=total,
        current_page=paging.page,
        pages=_pages(total, paging.per_page),
        may_verify=actor.can(Action.ORGANISATION_VERIFY),
    )
    return page.render("admin/organisations.html", context)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _changes(entry: audit.Entry) -> list[Change]:
    names = list(dict.fromkeys([*entry.before, *entry.after]))
    return [Change(name, _text(entry.before.get(name)), _text(entry.after.get(name))) for name in names]


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


@router.get("/admin/audit")
def audit_log(
    page: PageDep,
    session: ReadTx,
    paging: PagingDep,
    subject: Annotated[Line, Query(max_length=32)] = "",
    subject_id: str = "",
    actor: Words = "",
    since: str = "",
    until: str = "",
) -> Response:
    """Every change, newest first, by what was changed, who did it and on which days."""
    first, last = _day(since), _day(until)
    number = int(subject_id) if subject_id.isdecimal() and len(subject_id) < 19 else None
    entries, total = audit.find(
        session,
        page.actor,
        subject=subject,
        subject_id=number,
        actor_name=actor,
        since=start_of_local_day(first) if first else None,
        until=start_of_local_day(last + dt.timedelta(days=1)) if last and last.year < 9999 else None,
        offset=paging.offset,
        limit=paging.per_page,
    )
    sought = {"subject": subject, "subject_id": subject_id, "actor": actor, "since": since, "until": until}
    context = AuditPage(
        tabs=tabs(page),
        entries=entries,
        changes={entry.id: _changes(entry) for entry in entries},
        subjects=audit.subjects(session),
        form=Form.from_values(sought),
        total=total,
        current_page=paging.page,
        pages=_pages(total, paging.per_page),
    )
    return page.render("admin/audit.html", context)


@router.get("/admin/people")
def people(
    page: PageDep, session: ReadTx, paging: PagingDep, q: Words = "", role: str = "", active: str = ""
) -> Response:
    """Everybody with an account."""
    chosen = Role(role) if role in {each.value for each in Role} else None
    found, total = queries.people(
        session,
        page.actor,
        words=q,
        role=chosen,
        active={"yes": True, "no": False}.get(active),
        offset=paging.offset,
        limit=paging.per_page,
    )
    context = PeoplePage(
        tabs=tabs(page),
        people=found,
        roles=list(Role),
        form=Form.from_values({"q": q, "role": role, "active": active}),
        total=total,
        current_page=paging.page,
        pages=_pages(total, paging.per_page),
    )
    return page.render("admin/people.html", context)


def _set_active(page: Page, person_id: int, active: bool) -> Response:
    with page.parts.db.write() as session:
        members.set_active(session, page.actor, person_id, active, page.now)
    return page.redirect("/admin/people", flash="activated" if active else "deactivated")


@router.post("/admin/people/{person_id}/deactivate")
def deactivate(page: PageDep, person_id: RowId) -> Response:
    """End an account: its sign-ins and tokens stop working at once."""
    return _set_active(page, person_id, active=False)


@router.post("/admin/people/{person_id}/activate")
def activate(page: PageDep, person_id: RowId) -> Response:
    """Let somebody sign in again."""
    return _set_active(page, person_id, active=True)


def _industries_page(page: Page, form: Form | None, changing: str) -> Response:
    require(page.actor, Action.TAXONOMY_EDIT)
    with page.parts.db.read() as session:
        found = taxonomy.industries(session, retired=True)
    if form is None:
        view = next((each for each in found if each.code == changing), None)
        if changing and view is None:
            raise NotFound
        form = _filled(view) if view else Form.from_values({"sort": len(found) * 10 + 10, "active": True})
    return page.render("admin/industries.html", IndustriesPage(tabs(page), found, changing, form))


def _filled(view: taxonomy.IndustryView) -> Form:
    return Form.from_values(
        {
            "code": view.code,
            "name": view.name,
            "name_en": view.name_en,
            "ipc_prefixes": " ".join(prefix.replace(" ", "_") for prefix in view.ipc_prefixes),
            "sort": view.sort,
            "active": view.active,
            "version": view.version,
        }
    )


@router.get("/admin/industries")
def industries(page: PageDep, code: Annotated[Line, Query(max_length=32)] = "") -> Response:
    """The industries, and a form for one of them or a new one."""
    return _industries_page(page, None, code)


@router.post("/admin/industries")
def save_industry(page: PageDep, form: FormDep) -> Response:
    """Add an industry, or change the one whose version the form carries."""
    changing = form.value("code") if form.has("version") else ""

    def action(session: Session) -> str:
        # Beginnings are typed in one line, apart by spaces; an underscore stands for the space in a group's.
        typed = form.value("ipc_prefixes").replace(",", " ").replace("，", " ").split()
        values = {
            "name": form.values("name"),
            "name_en": form.values("name_en"),
            "ipc_prefixes": [prefix.replace("_", " ") for prefix in typed],
            "sort": form.values("sort"),
            "active": ["true" if form.has("active") else "false"],
        }
        if changing:
            entered = Form(values).parse(IndustryInput)
            version = form.value("version")
            seen = int(version) if version.isdecimal() and len(version) < 10 else 0
            industries_service.change_industry(session, page.actor, changing, seen, entered, page.now)
        else:
            new = Form({**values, "code": form.values("code")}).parse(NewIndustryInput)
            industries_service.add_industry(session, page.actor, new.code, new, page.now)
        return "/admin/industries"

    return page.submit(
        form, action, lambda form: _industries_page(page, form, changing), flash="industry_saved"
    )


def _cause(error: str | None) -> str:
    lines = [line for line in (error or "").strip().splitlines() if line.strip()]
    return lines[-1].strip()[:300] if lines else ""


@router.get("/admin/work")
def background(page: PageDep, session: ReadTx, paging: PagingDep, state: str = "dead") -> Response:
    """Mail, payments and other work behind the scenes: what died, what waits, what was done."""
    require(page.actor, Action.WORK_MANAGE)
    chosen = WorkState(state) if state in {each.value for each in WorkState} else WorkState.DEAD
    items, counts = work.find(session, chosen, offset=paging.offset, limit=paging.per_page)
    context = WorkPage(
        tabs=tabs(page, {"/admin/work": counts[WorkState.DEAD]}),
        items=items,
        payloads={item.id: json.dumps(item.payload, ensure_ascii=False, indent=1) for item in items},
        causes={item.id: _cause(item.last_error) for item in items},
        states=list(counts.items()),
        state=chosen,
        total=counts[chosen],
        current_page=paging.page,
        pages=_pages(counts[chosen], paging.per_page),
    )
    return page.render("admin/work.html", context)


def retry(session: Session, actor: Actor, item_id: int, now: dt.datetime) -> None:
    """Give a dead piece of work a fresh set of tries. Raises NotAllowed, and NotFound for one not dead."""
    require(actor, Action.WORK_MANAGE)
    if not work.retry_dead(session, item_id, now):
        raise NotFound
    audit.record(session, actor, "work.retried", item_id, now)


@router.post("/admin/work/{item_id}/retry")
def retry_work(page: PageDep, item_id: RowId) -> Response:
    """Try a dead piece again."""
    with page.parts.db.write() as session:
        retry(session, page.actor, item_id, page.now)
    return page.redirect("/admin/work", flash="retried")
