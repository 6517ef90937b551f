"""Organisations: the public list, one's profile, its form, and its members."""

from __future__ import annotations

import datetime as dt
import statistics
from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Query
from starlette.responses import Response

from market.db import Session, t
from market.demands.queries import DemandCard, demands
from market.enquiries.models import Enquiry
from market.errors import SignInRequired
from market.inputs import Line
from market.listings.queries import Filter, ResultCard, results
from market.parties import members, queries, rules, service
from market.parties.inputs import MembershipInput, OrganisationInput
from market.parties.models import OrganisationKind, OrganisationState
from market.parties.rules import OrganisationStep
from market.permissions import MARKET_ROLES, Action, Role, require
from market.taxonomy import queries as taxonomy
from web import i18n
from web.deps import FormDep, Page, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.routes.auth import region_options

router = APIRouter()
REPLIES_OF = dt.timedelta(days=365)
SHOWN = 3
"""Newest results and demands on a profile."""
Words = Annotated[Line, Query(max_length=100)]


@dataclass(frozen=True)
class Option:
    """A choice of a filter."""

    value: str
    text: str
    count: int | None
    selected: bool


@dataclass(frozen=True)
class ListPage:
    """Context of the public list."""

    items: list[queries.OrganisationRow]
    regions: dict[str, str]
    total: int
    current_page: int
    pages: int
    words: str
    kind: str
    groups: list[dict[str, Any]]


@dataclass(frozen=True)
class Replies:
    """How long enquiries to an organisation waited for a first answer, over the last year."""

    median_hours: float | None
    answered: int
    open: int


@dataclass(frozen=True)
class ProfilePage:
    """Context of one organisation."""

    organisation: queries.OrganisationProfile
    region: str
    results: list[ResultCard]
    results_total: int
    demands: list[DemandCard]
    demands_total: int
    replies: Replies
    is_insider: bool
    may_edit: bool
    may_manage_members: bool
    may_read_audit: bool
    steps: list[OrganisationStep]


@dataclass(frozen=True)
class EditPage:
    """Context of the form."""

    form: Form
    action: str
    organisation: queries.OrganisationProfile | None
    kinds: list[OrganisationKind]
    regions: list[tuple[str, str]]
    identity_locked: bool


@dataclass(frozen=True)
class MembersPage:
    """Context of the members' page."""

    organisation: queries.OrganisationProfile
    members: list[queries.Member]
    roles: list[Role]
    form: Form


def replies_of(session: Session, organisation_id: int, now: dt.datetime) -> Replies:
    """How fast an organisation really answers. One statement."""
    c = t(Enquiry).c
    rows = session.execute(
        sa.select(c.created_at, c.first_reply_at)
        .where(c.to_organisation_id == organisation_id, c.created_at >= now - REPLIES_OF)
        .order_by(c.id.desc())
        .limit(500)
    ).all()
    waits = [
        (row.first_reply_at - row.created_at).total_seconds() / 3600
        for row in rows
        if row.first_reply_at is not None
    ]
    median = statistics.median(waits) if waits else None
    return Replies(median, len(waits), len(rows) - len(waits))


@router.get("/organisations")
def list_organisations(
    page: PageDep, session: ReadTx, paging: PagingDep, q: Words = "", kind: str = ""
) -> Response:
    """The verified organisations, by name."""
    chosen = OrganisationKind(kind) if kind in {each.value for each in OrganisationKind} else None
    items, total = queries.organisations(
        session, page.actor, kind=chosen, words=q, offset=paging.offset, limit=paging.per_page
    )
    options = [Option("", i18n.term("filter.all", page.language), None, chosen is None)]
    options += [
        Option(each.value, i18n.label(each, page.language), None, each is chosen) for each in OrganisationKind
    ]
    context = ListPage(
        items=items,
        regions=taxonomy.region_names(session, [item.region_code for item in items], page.language),
        total=total,
        current_page=paging.page,
        pages=-(-total // paging.per_page),
        words=q,
        kind=chosen.value if chosen else "",
        groups=[
            {"name": "kind", "legend": i18n.term("field.organisation_kind", page.language), "kind": "radio",
             "options": options}
        ],
    )  # fmt: skip
    return page.render("organisations/list.html", context)


@router.get("/organisations/new")
def new_form(page: PageDep) -> Response:
    """Ask for a further organisation."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    home = {"region_code": page.parts.settings.region_code}
    return _edit_page(page, Form.from_values(home), "/organisations/new", None)


@router.post("/organisations/new")
def create(page: PageDep, form: FormDep) -> Response:
    """Register a further organisation."""

    def action(session: Session) -> str:
        entered = form.parse(OrganisationInput)
        return f"/organisations/{service.create_organisation(session, page.actor, entered, page.now).id}"

    return page.submit(
        form, action, lambda form: _edit_page(page, form, "/organisations/new", None), flash="registered"
    )


@router.get("/organisations/{organisation_id}")
def profile(page: PageDep, session: ReadTx, organisation_id: RowId) -> Response:
    """One organisation in public, with its state and contacts for members and staff."""
    actor, english = page.actor, page.language == "en"
    found = queries.organisation(session, actor, organisation_id)
    theirs = Filter(organisation_ids=frozenset({organisation_id}))
    offered, results_total = results(session, actor, theirs, limit=SHOWN, english=english)
    wanted, demands_total = demands(session, actor, theirs, limit=SHOWN, english=english)
    region = taxonomy.region_names(session, [found.region_code], page.language)[found.region_code]
    context = ProfilePage(
        organisation=found,
        region=region,
        results=offered,
        results_total=results_total,
        demands=wanted,
        demands_total=demands_total,
        replies=replies_of(session, organisation_id, page.now),
        is_insider=organisation_id in actor.organisation_ids or actor.can(Action.ORGANISATION_MEMBERS),
        may_edit=actor.can(Action.ORGANISATION_EDIT, organisation_id),
        may_manage_members=actor.can(Action.ORGANISATION_MEMBERS, organisation_id),
        may_read_audit=actor.can(Action.AUDIT_READ),
        steps=rules.steps_from(found.state) if actor.can(Action.ORGANISATION_VERIFY) else [],
    )
    return page.render("organisations/profile.html", context)


def _edit_page(
    page: Page, form: Form, action: str, organisation: queries.OrganisationProfile | None
) -> Response:
    checked = (OrganisationState.VERIFIED, OrganisationState.SUSPENDED)
    locked = (
        organisation is not None
        and organisation.state in checked
        and not page.actor.can(Action.ORGANISATION_VERIFY)
    )
    context = EditPage(form, action, organisation, list(OrganisationKind), region_options(page), locked)
    return page.render("organisations/edit.html", context)


def _editable(page: Page, organisation_id: int) -> queries.OrganisationProfile:
    with page.parts.db.read() as session:
        found = queries.organisation(session, page.actor, organisation_id)
    require(page.actor, Action.ORGANISATION_EDIT, organisation_id)
    return found


@router.get("/organisations/{organisation_id}/edit")
def edit_form(page: PageDep, organisation_id: RowId) -> Response:
    """The form, filled with what is stored."""
    found = _editable(page, organisation_id)
    values = {name: getattr(found, name) for name in service.FIELDS}
    form = Form.from_values({**values, "version": found.version})
    return _edit_page(page, form, f"/organisations/{organisation_id}/edit", found)


@router.post("/organisations/{organisation_id}/edit")
def edit(page: PageDep, form: FormDep, organisation_id: RowId) -> Response:
    """Store the changes."""
    found = _editable(page, organisation_id)
    version = form.value("version")

    def action(session: Session) -> str:
        kept = {name: values for name, values in form.entered.items() if name != "version"}
        for name in ("country_code", "nature_code"):
            kept.setdefault(name, [getattr(found, name)])
        entered = Form(kept).parse(OrganisationInput)
        seen = int(version) if version.isdecimal() and len(version) < 10 else 0
        service.edit_organisation(session, page.actor, organisation_id, seen, entered, page.now)
        return f"/organisations/{organisation_id}"

    path = f"/organisations/{organisation_id}/edit"
    return page.submit(form, action, lambda form: _edit_page(page, form, path, found), flash="saved")


@router.post("/organisations/{organisation_id}/{step}")
def decide(page: PageDep, form: FormDep, organisation_id: RowId, step: OrganisationStep) -> Response:
    """Staff verify, reject, suspend or reinstate."""
    target = "/admin" if form.value("from") == "queue" else f"/organisations/{organisation_id}"
    with page.parts.db.write() as session:
        service.decide(
            session, page.actor, organisation_id, step, page.now, reason=form.value("reason").strip()[:1000]
        )
    return page.redirect(target, flash=f"organisation_{step.value}")


def _members_page(page: Page, organisation_id: int, form: Form) -> Response:
    with page.parts.db.read() as session:
        found = queries.organisation(session, page.actor, organisation_id)
        require(page.actor, Action.ORGANISATION_MEMBERS, organisation_id)
        held = queries.members(session, organisation_id)
    administers = page.actor.can(Action.PEOPLE_MANAGE)
    roles = [role for role in Role if administers or role not in MARKET_ROLES]
    return page.render("organisations/members.html", MembersPage(found, held, roles, form))


@router.get("/organisations/{organisation_id}/members")
def members_page(page: PageDep, organisation_id: RowId) -> Response:
    """Who holds which role."""
    return _members_page(page, organisation_id, Form())


@router.post("/organisations/{organisation_id}/members/add")
def add_member(page: PageDep, form: FormDep, organisation_id: RowId) -> Response:
    """Give somebody a role, inviting them if need be."""

    def action(session: Session) -> str:
        members.add_membership(session, page.actor, organisation_id, form.parse(MembershipInput), page.now)
        return f"/organisations/{organisation_id}/members"

    return page.submit(
        form, action, lambda form: _members_page(page, organisation_id, form), flash="member_added"
    )


@router.post("/organisations/{organisation_id}/members/{membership_id}/end")
def end_member(page: PageDep, organisation_id: RowId, membership_id: RowId) -> Response:
    """End a role."""
    with page.parts.db.write() as session:
        members.end_membership(session, page.actor, organisation_id, membership_id, page.now)
    return page.redirect(f"/organisations/{organisation_id}/members", flash="member_ended")
