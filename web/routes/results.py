"""Pages of results: the public list, one result, its form, its history and its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from market.errors import NotFound
from market.listings import service
from market.listings.inputs import ResultInput
from market.listings.models import ListingState, Result
from market.listings.queries import ResultDetail, gone_to, result_detail, results
from market.listings.rules import Step
from market.listings.service import RESULT
from market.permissions import Action
from market.taxonomy.queries import industries
from matching import judgments
from matching.documents import Key, Kind
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.matches import KeptPartners, PartnersView
from web.routes import listing_forms, listing_pages
from web.routes.listing_forms import Facet
from web.routes.listing_pages import Feature

router = APIRouter()

FEATURE = Feature(
    trade=RESULT,
    model=Result,
    input=ResultInput,
    base="/results",
    lists=("claims", "ip", "inventors"),
    create=service.create_result,
    edit=service.edit_result,
    publish=service.publish_result,
    reconfirm=service.reconfirm_result,
    withdraw=service.withdraw_result,
    conclude=service.conclude_result,
    content_of=service.content_of,
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


@dataclass(frozen=True)
class ResultPage:
    """Context of one result. `partners` are demands it might meet."""

    result: ResultDetail
    steps: frozenset[str]
    may_edit: bool
    may_auction: bool
    is_owner: bool
    partners: PartnersView | None
    may_judge: bool
    my_words: frozenset[int]


@router.get("/results")
def list_results(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """What is on offer, newest first."""
    wanted = listing_forms.filter_of(page.request.query_params)
    cards, total = results(
        session, page.actor, wanted,
        limit=paging.per_page, offset=paging.offset, english=page.language == "en",
    )  # fmt: skip
    groups = listing_forms.facets(page, industries(session))
    context = ListPage(
        items=[{**card.__dict__, "state": None, "tags": card.keywords[:4]} for card in cards],
        total=total,
        current_page=paging.page,
        pages=-(-total // paging.per_page),
        facets=groups,
        active=listing_forms.active(page, groups),
        may_create=page.actor.can(Action.RESULT_CREATE),
    )
    return page.render("results/list.html", context)


@router.get("/results/new")
def new_result(page: PageDep) -> Response:
    """The empty form."""
    return listing_pages.new(page, FEATURE)


@router.post("/results")
def create_result(page: PageDep, form: FormDep) -> Response:
    """Make a draft, or publish at once."""
    return listing_pages.create(page, FEATURE, form)


def moved_to(path: str) -> Response:
    """The answer for a result that was merged: permanent, but asked for again after a day, for a merger can be
    undone."""
    return RedirectResponse(path, status_code=301, headers={"Cache-Control": "public, max-age=86400"})


@router.get("/results/{result_id}")
def show_result(page: PageDep, session: ReadTx, result_id: RowId) -> Response:
    """One result."""
    try:
        detail = result_detail(session, page.actor, result_id, english=page.language == "en")
    except NotFound:
        into = gone_to(session, page.actor, result_id)
        if into is None:
            raise
        return moved_to(f"/results/{into}")
    kept: KeptPartners = page.request.app.state.kept_partners
    steps = listing_pages.rights(page, RESULT, detail.organisation_id, detail.state)
    if detail.merged_into_id is not None:
        steps = frozenset()
    may_judge = page.actor.can(Action.ENQUIRY_OVERSEE)
    context = ResultPage(
        result=detail,
        steps=frozenset(step.value for step in steps),
        may_edit=page.actor.can(Action.RESULT_EDIT, detail.organisation_id),
        may_auction=page.actor.can(Action.LOT_CREATE, detail.organisation_id),
        is_owner=detail.organisation_id in page.actor.organisation_ids,
        partners=(
            kept.get(
                Kind.RESULT, detail.id, session, page.parts.index, page.language, page.now, inside=may_judge
            )
            if detail.state is ListingState.PUBLISHED
            else None
        ),
        may_judge=may_judge,
        my_words=(
            judgments.clicked_by(session, page.actor, Key(Kind.RESULT, detail.id))
            if may_judge
            else frozenset()
        ),
    )
    return page.render("results/detail.html", context)


@router.get("/results/{result_id}/edit")
def edit_result(page: PageDep, result_id: RowId) -> Response:
    """The filled form."""
    return listing_pages.edit(page, FEATURE, result_id)


@router.post("/results/{result_id}/edit")
def save_result(page: PageDep, form: FormDep, result_id: RowId) -> Response:
    """Save the form."""
    return listing_pages.save(page, FEATURE, result_id, form)


@router.get("/results/{result_id}/history")
def result_history(page: PageDep, result_id: RowId) -> Response:
    """What it said before."""
    return listing_pages.past(page, FEATURE, result_id)


@router.post("/results/{result_id}/publish")
def publish_result(page: PageDep, form: FormDep, result_id: RowId) -> Response:
    """Show it to everybody."""
    return listing_pages.show_again(page, FEATURE, result_id, form, Step.PUBLISH, f"/results/{result_id}")


@router.post("/results/{result_id}/reconfirm")
def reconfirm_result(page: PageDep, form: FormDep, result_id: RowId) -> Response:
    """Say that it still stands."""
    back = listing_pages.back_of(form, f"/results/{result_id}")
    return listing_pages.show_again(page, FEATURE, result_id, form, Step.RECONFIRM, back)


@router.get("/results/{result_id}/withdraw")
def ask_withdraw_result(page: PageDep, result_id: RowId) -> Response:
    """Ask why it is withdrawn."""
    return listing_pages.ask(page, FEATURE, result_id, Step.WITHDRAW)


@router.post("/results/{result_id}/withdraw")
def withdraw_result(page: PageDep, form: FormDep, result_id: RowId) -> Response:
    """Take it off the market."""
    return listing_pages.take(page, FEATURE, result_id, Step.WITHDRAW, form)


@router.get("/results/{result_id}/conclude")
def ask_conclude_result(page: PageDep, result_id: RowId) -> Response:
    """Ask how it ended."""
    return listing_pages.ask(page, FEATURE, result_id, Step.CONCLUDE)


@router.post("/results/{result_id}/conclude")
def conclude_result(page: PageDep, form: FormDep, result_id: RowId) -> Response:
    """Mark it as sold or licensed."""
    return listing_pages.take(page, FEATURE, result_id, Step.CONCLUDE, form)


@router.post("/results/{result_id}/attachments")
def attach_to_result(page: PageDep, form: FormDep, result_id: RowId) -> Response:
    """Attach files."""
    return listing_pages.upload(page, FEATURE, result_id, form)
