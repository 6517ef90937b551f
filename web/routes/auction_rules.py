"""What keeps lots and bidders in order, for those who keep it: rules with a number, and declared relations."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from auctions import policies, relations
from auctions.models import RelationForm, RelationKind
from auctions.policies import AuctionRule, PolicyInput
from auctions.relations import RelationLine
from auctions.rules.terms import OrganiserType
from market.clock import local_date
from market.deals.models import PolicyStanding
from market.deals.policies import Policy
from market.parties import queries as parties
from market.permissions import Action, require
from web.deps import FormDep, PageDep, RowId
from web.forms import Form
from web.render import Page
from web.routes.admin import Tab, tabs

router = APIRouter()
MOST_OFFERED = 500
"""Names of organisations that the form offers while one types."""


@dataclass(frozen=True)
class Version:
    """A row of a rule, and whether it holds today."""

    rule: AuctionRule
    policy: Policy
    holds: bool


@dataclass(frozen=True)
class RulesPage:
    """Context of the rules by organiser."""

    tabs: list[Tab]
    groups: list[tuple[OrganiserType, list[Version]]]
    form: Form
    organisers: list[OrganiserType]
    rules: list[AuctionRule]
    standings: list[PolicyStanding]
    may_edit: bool


@dataclass(frozen=True)
class RelationsPage:
    """Context of the declared relations."""

    tabs: list[Tab]
    lines: list[RelationLine]
    form: Form
    kinds: list[RelationKind]
    may_end: bool
    names: list[str]
    """Verified organisations, offered while typing."""


def _rules(page: Page, form: Form) -> Response:
    today = local_date(page.now)
    groups = []
    with page.parts.db.read() as session:
        for organiser in OrganiserType:
            in_force = policies.in_force(session, organiser, today)
            groups.append(
                (
                    organiser,
                    [
                        Version(rule, row, in_force.get(rule) == row)
                        for rule, rows in policies.versions(session, organiser)
                        for row in rows
                    ],
                )
            )
    context = RulesPage(
        tabs(page),
        groups,
        form,
        list(OrganiserType),
        list(AuctionRule),
        list(PolicyStanding),
        page.actor.can(Action.POLICY_EDIT),
    )
    return page.render("admin/auction_rules.html", context)


@router.get("/admin/auction-rules")
def show_rules(page: PageDep) -> Response:
    """Every rule with its versions and where they come from."""
    require(page.actor, Action.AUDIT_READ)
    day = local_date(page.now) + dt.timedelta(days=1)
    values = {"valid_from": day.isoformat(), "standing": PolicyStanding.RECALLED}
    return _rules(page, Form.from_values(values))


@router.post("/admin/auction-rules")
def add_rule(page: PageDep, form: FormDep) -> Response:
    """Let a rule have another value from a day on."""
    require(page.actor, Action.POLICY_EDIT)

    def act(session: Any) -> str:
        policies.add_version(session, page.actor, form.parse(PolicyInput), page.now)
        return "/admin/auction-rules"

    return page.submit(form, act, lambda form: _rules(page, form), flash="saved")


def _relations(page: Page, form: Form) -> Response:
    mine = page.actor.organisations_for(Action.LOT_CREATE)
    with page.parts.db.read() as session:
        lines = relations.lines(session, organisation_ids=mine)
        known, _ = parties.organisations(session, page.actor, limit=MOST_OFFERED)
    context = RelationsPage(
        tabs(page),
        lines,
        form,
        list(RelationKind),
        page.actor.can(Action.LOT_ADMIT),
        [one.name for one in known],
    )
    return page.render("admin/relations.html", context)


@router.get("/admin/relations")
def show_relations(page: PageDep) -> Response:
    """Who is related to whom, as declared; a seller's people see those of their organisation."""
    require(page.actor, Action.LOT_CREATE)
    return _relations(page, Form.from_values({"kind": RelationKind.OTHER}))


@router.post("/admin/relations")
def declare_relation(page: PageDep, form: FormDep) -> Response:
    """Declare that two parties are related; it counts for the next bid."""
    require(page.actor, Action.LOT_CREATE)

    def act(session: Any) -> str:
        values = relations.found(session, form.parse(RelationForm))
        relations.declare(session, page.actor, values, page.now)
        return "/admin/relations"

    return page.submit(form, act, lambda form: _relations(page, form), flash="saved")


@router.post("/admin/relations/{relation_id}/end")
def end_relation(page: PageDep, form: FormDep, relation_id: RowId) -> Response:
    """Say that a relation is over, and why."""

    def act(session: Any) -> str:
        relations.end(session, page.actor, relation_id, form.value("end_reason"), page.now)
        return "/admin/relations"

    return page.submit(form, act, lambda form: _relations(page, form), flash="saved")
