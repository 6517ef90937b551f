"""JSON API of results."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import RedirectResponse

from market.db import Session
from market.errors import NotFound
from market.files.queries import FileView
from market.inputs import Line
from market.listings import history, service
from market.listings.inputs import ReasonInput, ResultInput
from market.listings.lifecycle import row_to_change
from market.listings.models import (
    CooperationMode,
    EvidenceGrade,
    IpKind,
    IpStatus,
    ListingState,
    PricingMode,
    Result,
    Stage,
)
from market.listings.queries import Filter, editable, gone_to, result_detail, results
from market.listings.service import RESULT
from market.money import MAX_FEN
from market.parties.models import OrganisationKind
from web.deps import CurrentActor, Now, PagingDep, PartsDep, ReadTx, RowId, SignedIn, Tx, etag, require_match
from web.routes.api import Listed, problems
from web.routes.api.attachments import AttachmentOut

router = APIRouter(tags=["results"])

AmountQuery = Query(ge=0, le=MAX_FEN, description="Amount in fen.")
Level = Annotated[int | None, Query(ge=1, le=9, description="Technology readiness level.")]
States = Annotated[
    list[ListingState],
    Query(
        max_length=5,
        description="States wanted. What is not published is found by its owner and by staff only.",
    ),
]
Industry = Annotated[Line, Query(max_length=32, description="Code of an industry.")]
OwnerKind = Annotated[OrganisationKind | None, Query(description="Kind of owner.")]
Mode = Annotated[CooperationMode | None, Query(description="Co-operation mode.")]
OrganisationId = Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Owner's id.")]


class Out(BaseModel):
    """Base of what is answered."""

    model_config = ConfigDict(from_attributes=True)


class ResultSummary(Out):
    """A result in a list."""

    id: int = Field(examples=[1])
    version: int = Field(description="Rises with every change; its ETag.", examples=[3])
    title: str
    summary: str = Field(description="The beginning of the abstract.")
    organisation_id: int = Field(examples=[1])
    owner_name: str
    owner_kind: OrganisationKind
    industry_code: str = Field(examples=["pumps"])
    industry_name: str
    trl: int | None = Field(description="Technology readiness level, 1 to 9.")
    stage: Stage | None
    modes: list[CooperationMode]
    pricing_mode: PricingMode
    price_low_fen: int | None = Field(description="Fen; with no upper end either, the price is negotiable.")
    price_high_fen: int | None = Field(description="Fen.")
    keywords: list[str]
    state: ListingState
    published_at: dt.datetime | None = Field(description="First publication, UTC.")
    confirmed_at: dt.datetime | None = Field(description="When its owner last said that it stands, UTC.")
    valid_until: dt.date | None = Field(description="Last day (Shanghai) on which it is offered.")
    updated_at: dt.datetime = Field(description="UTC.")


class ResultList(Listed):
    """A page of results, newest publication first."""

    items: list[ResultSummary]


class ContactOut(Out):
    """Whom to ask."""

    name: str
    phone: str
    email: str


class ClaimOut(Out):
    """A claim, graded by what supports it."""

    statement: str
    figure: str
    comparator: str
    source: str
    grade: EvidenceGrade = Field(description="Follows from figure, comparator and source; cannot be set.")


class IpOut(Out):
    """A right."""

    kind: IpKind
    number: str = Field(description="Canonical.", examples=["200710308494.X"])
    title: str
    status: IpStatus
    fee_paid_to: dt.date | None
    pledged: bool


class ResultOut(Out):
    """A result as the asker may see it."""

    id: int = Field(examples=[1])
    version: int = Field(description="Rises with every change; its ETag.", examples=[3])
    organisation_id: int = Field(examples=[1])
    owner_name: str
    owner_kind: OrganisationKind
    title: str
    title_en: str
    abstract: str
    advantages: str
    application: str
    keywords: list[str]
    industry_code: str = Field(examples=["pumps"])
    industry_name: str
    ipc: list[str]
    trl: int | None = Field(description="Technology readiness level, 1 to 9.")
    stage: Stage | None
    modes: list[CooperationMode]
    pricing_mode: PricingMode
    price_low_fen: int | None = Field(description="Fen; with no upper end either, the price is negotiable.")
    price_high_fen: int | None = Field(description="Fen.")
    inventors: list[str]
    holder: str = Field(description="Who holds the rights, where the owner lists on another's behalf.")
    awards: str
    state: ListingState
    state_reason: str
    published_at: dt.datetime | None = Field(description="First publication, UTC.")
    confirmed_at: dt.datetime | None = Field(description="When its owner last said that it stands, UTC.")
    valid_until: dt.date | None = Field(description="Last day (Shanghai) on which it is offered.")
    source: str = Field(description="Where an imported result came from.")
    source_id: str | None = Field(description="Its key there.")
    merged_into_id: int | None = Field(description="The result that goes on for it, once it was merged.")
    created_at: dt.datetime
    updated_at: dt.datetime
    contact: ContactOut | None = Field(
        description="null while it is hidden: it is shown to both sides of an enquiry."
    )
    claims: list[ClaimOut]
    ip: list[IpOut]
    attachments: list[AttachmentOut]


class NewResult(ResultInput):
    """A result to create as a draft."""

    organisation_id: int = Field(ge=1, le=2**63 - 1, description="The owner's id.", examples=[1])


class ChangeOut(Out):
    """A field that differs."""

    field: str
    before: Any = Field(description="Value before, as JSON.")
    after: Any = Field(description="Value after, as JSON.")


class RevisionOut(Out):
    """One edit, compared with what it replaced."""

    version: int = Field(description="The version that was replaced.")
    at: dt.datetime
    changed_by: str
    changes: list[ChangeOut]


class EventOut(Out):
    """One step: created, published, withdrawn, …"""

    action: str = Field(examples=["published"])
    at: dt.datetime
    actor: str
    reason: str


class HistoryOut(Out):
    """Edits and steps, newest first, at most 100 of each."""

    revisions: list[RevisionOut]
    events: list[EventOut]


def files_out(files: list[FileView]) -> list[dict[str, Any]]:
    """Attachments as they are answered."""
    return [AttachmentOut.of(file).model_dump() for file in files]


def _answer(response: Response, session: Session, actor: Any, result_id: int) -> ResultOut:
    detail = result_detail(session, actor, result_id)
    response.headers["ETag"] = etag(detail.version)
    return ResultOut.model_validate({**detail.__dict__, "attachments": files_out(detail.attachments)})


@router.get("/results", responses=problems())
def list_results(
    session: ReadTx,
    actor: CurrentActor,
    paging: PagingDep,
    state: States = [ListingState.PUBLISHED],  # noqa: B006
    industry: Industry = "",
    owner_kind: OwnerKind = None,
    trl_min: Level = None,
    trl_max: Level = None,
    mode: Mode = None,
    price_from_fen: Annotated[int | None, AmountQuery] = None,
    price_to_fen: Annotated[int | None, AmountQuery] = None,
    organisation_id: OrganisationId = None,
) -> ResultList:
    """Results, newest publication first. A price range finds results whose own range overlaps it, and none
    that are negotiable. For words, use the search."""
    wanted = Filter(
        states=tuple(state), industry=industry, owner_kind=owner_kind, trl_min=trl_min, trl_max=trl_max,
        mode=mode, price_from_fen=price_from_fen, price_to_fen=price_to_fen,
        organisation_ids=None if organisation_id is None else frozenset({organisation_id}),
    )  # fmt: skip
    cards, total = results(session, actor, wanted, limit=paging.per_page, offset=paging.offset)
    items = [ResultSummary.model_validate(card) for card in cards]
    return ResultList(items=items, total=total, page=paging.page, per_page=paging.per_page)


@router.post("/results", status_code=201, responses=problems(409))
def create_result(session: Tx, actor: SignedIn, now: Now, response: Response, data: NewResult) -> ResultOut:
    """Create a draft. Publish it when it is complete."""
    content = ResultInput.model_validate(data.model_dump(exclude={"organisation_id"}))
    row = service.create_result(session, actor, now, data.organisation_id, content)
    assert row.id is not None
    response.headers["Location"] = f"/api/v1/results/{row.id}"
    return _answer(response, session, actor, row.id)


@router.get("/results/{result_id}", response_model=ResultOut, responses=problems(404))
def get_result(
    session: ReadTx, actor: CurrentActor, response: Response, result_id: RowId
) -> ResultOut | RedirectResponse:
    """One result, with its ETag. One that was merged into another is answered 301."""
    try:
        return _answer(response, session, actor, result_id)
    except NotFound:
        into = gone_to(session, actor, result_id)
        if into is None:
            raise
    return RedirectResponse(
        f"/api/v1/results/{into}", status_code=301, headers={"Cache-Control": "public, max-age=86400"}
    )


@router.put("/results/{result_id}", responses=problems(404, 409, 412, 428))
def replace_result(
    request: Request,
    response: Response,
    session: Tx,
    actor: SignedIn,
    now: Now,
    parts: PartsDep,
    result_id: RowId,
    data: ResultInput,
) -> ResultOut:
    """Replace what a result says. `If-Match` names the version that is replaced; the old one is kept."""
    row = row_to_change(session, actor, RESULT, Result, result_id)
    require_match(request, row.version)
    service.edit_result(session, actor, now, result_id, data, days=parts.settings.listing_days)
    return _answer(response, session, actor, result_id)


@router.post("/results/{result_id}/publish", responses=problems(404, 409))
def publish_result(
    response: Response, session: Tx, actor: SignedIn, now: Now, parts: PartsDep, result_id: RowId
) -> ResultOut:
    """Show a complete result to everybody; 422 says what is missing."""
    service.publish_result(session, actor, now, result_id, days=parts.settings.listing_days)
    return _answer(response, session, actor, result_id)


@router.post("/results/{result_id}/reconfirm", responses=problems(404, 409))
def reconfirm_result(
    response: Response, session: Tx, actor: SignedIn, now: Now, parts: PartsDep, result_id: RowId
) -> ResultOut:
    """Say that a result still stands; its validity starts anew."""
    service.reconfirm_result(session, actor, now, result_id, days=parts.settings.listing_days)
    return _answer(response, session, actor, result_id)


@router.post("/results/{result_id}/withdraw", responses=problems(404, 409))
def withdraw_result(
    response: Response, session: Tx, actor: SignedIn, now: Now, result_id: RowId, data: ReasonInput
) -> ResultOut:
    """Take a result off the market; a reason is needed."""
    service.withdraw_result(session, actor, now, result_id, data.reason)
    return _answer(response, session, actor, result_id)


@router.post("/results/{result_id}/conclude", responses=problems(404, 409))
def conclude_result(
    response: Response, session: Tx, actor: SignedIn, now: Now, result_id: RowId, data: ReasonInput
) -> ResultOut:
    """Mark a result as sold or licensed: still shown, no longer on offer."""
    service.conclude_result(session, actor, now, result_id, data.reason)
    return _answer(response, session, actor, result_id)


@router.get("/results/{result_id}/history", responses=problems(404))
def result_history(session: ReadTx, actor: SignedIn, result_id: RowId) -> HistoryOut:
    """What a result said before. For its owner and staff."""
    row = editable(session, actor, RESULT, Result, result_id)
    current = service.content_of(session, row)
    return HistoryOut.model_validate(
        {
            "revisions": history.revisions(session, "result", result_id, current),
            "events": history.events(session, "result", result_id),
        }
    )
