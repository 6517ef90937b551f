"""Pages of demands: the public list, one demand, its form, its history and its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from market.demands import service
from market.demands.inputs import DemandInput
from market.demands.models import Demand
from market.demands.queries import DemandDetail, demand_detail, demands
from market.demands.service import DEMAND
from market.listings.models import ListingState
from market.listings.rules import Step
from market.permissions import Action, require
from market.taxonomy.queries import industries
from matching import judgments
from matching.documents import Key, Kind
from web import demand_help
from web.demand_help import DemandHelp
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.matches import KeptPartners, PartnersView
from web.render import Page
from web.routes import listing_forms, listing_pages
from web.routes.listing_forms import Facet
from web.routes.listing_pages import Feature

router = APIRouter()


def aid(page: Page, form: Form, listing_id: int | None, *, look: bool = True) -> DemandHelp:
    """Help with what is entered; with `look` also what it would meet and repeat."""
    draft = demand_help.draft_of(form)
    if not look:
        return demand_help.help_for(draft, page.language)
    with page.parts.db.read() as session:
        return demand_help.help_for(
            draft, page.language, session, page.parts.index, listing_id=listing_id, own=page.actor.organisation_ids
        )  # fmt: skip


FEATURE = Feature(
    trade=DEMAND,
    model=Demand,
    input=DemandInput,
    base="/demands",
    lists=("targets",),
    create=service.create_demand,
    edit=service.edit_demand,
    publish=service.publish_demand,
    reconfirm=service.reconfirm_demand,
    withdraw=service.withdraw_demand,
    conclude=service.conclude_demand,
    content_of=service.content_of,
    aid=aid,
)


@dataclass(frozen=True)
class ListPage:
    """Context of a public list."""

    items: list[dict[str, Any]]
    total: int
    current_page: int
    pages: int
    facets: list[Facet]
    active: list[tuple[str, str]]
    may_create: bool
    hints: dict[int, int]
    """For brokers: how many hints are left on a demand."""


@dataclass(frozen=True)
class HelpPage:
    """Context of the help alone, as the form's script asks for it."""

    aid: DemandHelp
    action: str
    """Where the form is sent to be shown again."""


@dataclass(frozen=True)
class DemandPage:
    """Context of one demand. `partners` are results that might meet it."""

    demand: DemandDetail
    steps: frozenset[str]
    may_edit: bool
    is_owner: bool
    partners: PartnersView | None
    may_judge: bool
    my_words: frozenset[int]


@router.get("/demands")
def list_demands(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """What is wanted, newest first."""
    wanted = listing_forms.filter_of(page.request.query_params)
    cards, total = demands(
        session, page.actor, wanted,
        limit=paging.per_page, offset=paging.offset, english=page.language == "en",
    )  # fmt: skip
    groups = listing_forms.facets(page, industries(session), demands=True)
    overseen = page.actor.can(Action.ENQUIRY_OVERSEE)
    hints = demand_help.hints_left(session, [card.id for card in cards]) if overseen and cards else {}
    context = ListPage(
        items=[{**card.__dict__, "budget_fen": card.budget_fen, "state": None} for card in cards],
        total=total,
        current_page=paging.page,
        pages=-(-total // paging.per_page),
        facets=groups,
        active=listing_forms.active(page, groups),
        may_create=page.actor.can(Action.DEMAND_CREATE),
        hints=hints,
    )
    return page.render("demands/list.html", context)


@router.get("/demands/new")
def new_demand(page: PageDep) -> Response:
    """The empty form."""
    return listing_pages.new(page, FEATURE)


@router.post("/demands")
@router.post("/demands/new")  # the buttons of the help lead here, so that a switch of language finds the form
def create_demand(page: PageDep, form: FormDep) -> Response:
    """Make a draft, or publish at once."""
    return listing_pages.create(page, FEATURE, form)


@router.post("/demands/check")
def check_draft(page: PageDep, form: FormDep, listing: str = "") -> Response:
    """The help beside the form, anew for what is entered now. Stores nothing."""
    require(page.actor, Action.DEMAND_CREATE)
    listing_id = int(listing) if listing.isdecimal() and len(listing) < 19 else None
    action = f"/demands/{listing_id}/edit" if listing_id else "/demands/new"
    return page.render("demands/help.html", HelpPage(aid(page, form, listing_id), action))


@router.get("/demands/{demand_id}")
def show_demand(page: PageDep, session: ReadTx, demand_id: RowId) -> Response:
    """One demand."""
    detail = demand_detail(session, page.actor, demand_id, english=page.language == "en")
    kept: KeptPartners = page.request.app.state.kept_partners
    steps = listing_pages.rights(page, DEMAND, detail.organisation_id, detail.state)
    may_judge = judgments.may_judge(page.actor, detail.organisation_id)
    context = DemandPage(
        demand=detail,
        steps=frozenset(step.value for step in steps),
        may_edit=page.actor.can(Action.DEMAND_EDIT, detail.organisation_id),
        is_owner=detail.organisation_id in page.actor.organisation_ids,
        partners=(
            kept.get(
                Kind.DEMAND, detail.id, session, page.parts.index, page.language, page.now, inside=may_judge
            )
            if detail.state is ListingState.PUBLISHED
            else None
        ),
        may_judge=may_judge,
        my_words=(
            judgments.clicked_by(session, page.actor, Key(Kind.DEMAND, detail.id))
            if may_judge
            else frozenset()
        ),
    )
    return page.render("demands/detail.html", context)


@router.get("/demands/{demand_id}/edit")
def edit_demand(page: PageDep, demand_id: RowId) -> Response:
    """The filled form."""
    return listing_pages.edit(page, FEATURE, demand_id)


@router.post("/demands/{demand_id}/edit")
def save_demand(page: PageDep, form: FormDep, demand_id: RowId) -> Response:
    """Save the form."""
    return listing_pages.save(page, FEATURE, demand_id, form)


@router.get("/demands/{demand_id}/history")
def demand_history(page: PageDep, demand_id: RowId) -> Response:
    """What it said before."""
    return listing_pages.past(page, FEATURE, demand_id)


@router.post("/demands/{demand_id}/publish")
def publish_demand(page: PageDep, form: FormDep, demand_id: RowId) -> Response:
    """Show it to everybody."""
    return listing_pages.show_again(page, FEATURE, demand_id, form, Step.PUBLISH, f"/demands/{demand_id}")


@router.post("/demands/{demand_id}/reconfirm")
def reconfirm_demand(page: PageDep, form: FormDep, demand_id: RowId) -> Response:
    """Say that it still stands."""
    back = listing_pages.back_of(form, f"/demands/{demand_id}")
    return listing_pages.show_again(page, FEATURE, demand_id, form, Step.RECONFIRM, back)


@router.get("/demands/{demand_id}/withdraw")
def ask_withdraw_demand(page: PageDep, demand_id: RowId) -> Response:
    """Ask why it is withdrawn."""
    return listing_pages.ask(page, FEATURE, demand_id, Step.WITHDRAW)


@router.post("/demands/{demand_id}/withdraw")
def withdraw_demand(page: PageDep, form: FormDep, demand_id: RowId) -> Response:
    """Take it off the market."""
    return listing_pages.take(page, FEATURE, demand_id, Step.WITHDRAW, form)


@router.get("/demands/{demand_id}/conclude")
def ask_conclude_demand(page: PageDep, demand_id: RowId) -> Response:
    """Ask how it ended."""
    return listing_pages.ask(page, FEATURE, demand_id, Step.CONCLUDE)


@router.post("/demands/{demand_id}/conclude")
def conclude_demand(page: PageDep, form: FormDep, demand_id: RowId) -> Response:
    """Mark it as solved."""
    return listing_pages.take(page, FEATURE, demand_id, Step.CONCLUDE, form)


@router.post("/demands/{demand_id}/attachments")
def attach_to_demand(page: PageDep, form: FormDep, demand_id: RowId) -> Response:
    """Attach files."""
    return listing_pages.upload(page, FEATURE, demand_id, form)
