"""JSON API of demands."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from market.db import Session
from market.demands import service
from market.demands.inputs import DemandInput
from market.demands.models import Comparator, Demand, DemandSource
from market.demands.queries import demand_detail, demands
from market.demands.service import DEMAND
from market.listings import history
from market.listings.inputs import ReasonInput
from market.listings.lifecycle import row_to_change
from market.listings.models import CooperationMode, ListingState
from market.listings.queries import Filter, editable
from market.parties.models import OrganisationKind
from market.permissions import Action, require
from matching.drafting import Draft, DraftTarget
from matching.scoring import Band
from web.demand_help import help_for
from web.deps import CurrentActor, Now, PagingDep, PartsDep, ReadTx, RowId, SignedIn, Tx, etag, require_match
from web.errors import language_of
from web.routes.api import Listed, problems
from web.routes.api.attachments import AttachmentOut
from web.routes.api.results import (
    AmountQuery,
    ContactOut,
    HistoryOut,
    Industry,
    Level,
    Mode,
    OrganisationId,
    Out,
    OwnerKind,
    States,
    files_out,
)

router = APIRouter(tags=["demands"])


class DemandSummary(Out):
    """A demand in a list."""

    id: int = Field(examples=[1])
    version: int = Field(description="Rises with every change; its ETag.", examples=[3])
    title: str
    summary: str = Field(description="The beginning of the difficulty.")
    organisation_id: int = Field(examples=[1])
    owner_name: str
    owner_kind: OrganisationKind
    industry_code: str = Field(examples=["pumps"])
    industry_name: str
    wanted_trl: int | None = Field(description="The lowest readiness that would help, 1 to 9.")
    modes: list[CooperationMode]
    budget_low_fen: int | None = Field(description="Fen; with no upper end either, it is negotiable.")
    budget_high_fen: int | None = Field(description="Fen.")
    deadline: dt.date | None = Field(description="Day by which a solution is wanted.")
    origin: DemandSource
    keywords: list[str]
    state: ListingState
    published_at: dt.datetime | None = Field(description="First publication, UTC.")
    confirmed_at: dt.datetime | None = Field(description="When its owner last said that it stands, UTC.")
    valid_until: dt.date | None = Field(description="Last day (Shanghai) on which it is shown.")
    updated_at: dt.datetime = Field(description="UTC.")


class DemandList(Listed):
    """A page of demands, newest publication first."""

    items: list[DemandSummary]


class TargetOut(Out):
    """A figure that a solution must reach."""

    name: str = Field(examples=["流量"])
    comparator: Comparator
    threshold: str = Field(description="Decimal number.", examples=["25"])
    threshold_high: str = Field(description="Upper end when the comparator is `between`.")
    unit: str = Field(examples=["m³/h"])
    condition: str


class DemandOut(Out):
    """A demand as the asker may see it."""

    id: int = Field(examples=[1])
    version: int = Field(description="Rises with every change; its ETag.", examples=[3])
    organisation_id: int = Field(examples=[1])
    owner_name: str
    owner_kind: OrganisationKind
    title: str
    title_en: str
    difficulty: str
    research: str
    background: str
    keywords: list[str]
    industry_code: str = Field(examples=["pumps"])
    industry_name: str
    ipc: list[str]
    modes: list[CooperationMode]
    wanted_trl: int | None = Field(description="The lowest readiness that would help, 1 to 9.")
    budget_low_fen: int | None = Field(description="Fen; with no upper end either, it is negotiable.")
    budget_high_fen: int | None = Field(description="Fen.")
    deadline: dt.date | None = Field(description="Day by which a solution is wanted.")
    experts: str
    origin: DemandSource
    state: ListingState
    state_reason: str
    published_at: dt.datetime | None = Field(description="First publication, UTC.")
    confirmed_at: dt.datetime | None = Field(description="When its owner last said that it stands, UTC.")
    valid_until: dt.date | None = Field(description="Last day (Shanghai) on which it is shown.")
    source: str = Field(description="Where an imported demand came from.")
    source_id: str | None = Field(description="Its key there.")
    created_at: dt.datetime
    updated_at: dt.datetime
    contact: ContactOut | None = Field(
        description="null while it is hidden: it is shown to both sides of an enquiry."
    )
    targets: list[TargetOut]
    attachments: list[AttachmentOut]


class NewDemand(DemandInput):
    """A demand to create as a draft."""

    organisation_id: int = Field(ge=1, le=2**63 - 1, description="The owner's id.", examples=[1])


def _answer(response: Response, session: Session, actor: Any, demand_id: int) -> DemandOut:
    detail = demand_detail(session, actor, demand_id)
    response.headers["ETag"] = etag(detail.version)
    return DemandOut.model_validate({**detail.__dict__, "attachments": files_out(detail.attachments)})


class DraftTargetIn(Out):
    """A target figure as far as it is written."""

    name: str = Field("", max_length=120)
    threshold: str = Field("", max_length=40)
    unit: str = Field("", max_length=40)
    condition: str = Field("", max_length=200)


class DraftIn(Out):
    """A demand as far as it is written; everything may be missing."""

    title: str = Field("", max_length=200)
    difficulty: str = Field("", max_length=20_000)
    research: str = Field("", max_length=20_000)
    background: str = Field("", max_length=20_000)
    experts: str = Field("", max_length=20_000)
    industry_code: str = Field("", max_length=32)
    keywords: list[str] = Field([], max_length=20)
    targets: list[DraftTargetIn] = Field([], max_length=30)
    modes: list[CooperationMode] = []
    budget_low_fen: int | None = None
    budget_high_fen: int | None = None
    deadline: dt.date | None = None
    id: int | None = Field(None, ge=1, le=2**63 - 1, description="The stored demand that this will change.")

    def draft(self) -> Draft:
        """As the rules read it."""
        return Draft(
            title=self.title,
            difficulty=self.difficulty,
            research=self.research,
            background=self.background,
            experts=self.experts,
            industry=self.industry_code,
            keywords=tuple(self.keywords),
            targets=tuple(
                (row, DraftTarget(one.name, one.threshold, one.unit, one.condition))
                for row, one in enumerate(self.targets)
            ),
            has_mode=bool(self.modes),
            has_budget=self.budget_low_fen is not None or self.budget_high_fen is not None,
            has_deadline=self.deadline is not None,
        )


class HintOut(Out):
    """One thing to say better. Hints never block."""

    code: str = Field(examples=["vague"])
    field: str = Field(description="Dotted name of the input.", examples=["difficulty"])
    message: str = Field(description="A sentence in the language asked for.")
    words: list[str] = Field(description="What caused it, quoted.")


class FigureOut(Out):
    """A figure found in the text that could be a target."""

    name: str = Field(examples=["流量"])
    comparator: Comparator
    threshold: str = Field(examples=["25"])
    threshold_high: str
    unit: str = Field(examples=["m³/h"])


class LikeOut(Out):
    """A published listing that the draft would meet or repeat."""

    id: int
    title: str
    owner_name: str
    band: Band | None = Field(description="How strong the match is; null for demands.")


class CheckOut(Out):
    """What a draft still lacks and what there is already."""

    hints: list[HintOut]
    figures: list[FigureOut]
    results: list[LikeOut] = Field(description="Results that may fit, the best three.")
    demands: list[LikeOut] = Field(description="Open demands much like it, the nearest three.")
    building: bool = Field(description="The index is being built: nothing could be looked for.")


@router.post("/demands/check", responses=problems())
def check_draft(
    request: Request, session: ReadTx, actor: SignedIn, parts: PartsDep, data: DraftIn
) -> CheckOut:
    """Read a draft as a broker would: what is vague, which figures it holds, what it would meet. Stores nothing."""
    require(actor, Action.DEMAND_CREATE)
    aid = help_for(
        data.draft(), language_of(request), session, parts.index,
        listing_id=data.id, own=actor.organisation_ids,
    )  # fmt: skip
    return CheckOut.model_validate(
        {
            "hints": aid.hints,
            "figures": [found.figure for found in aid.figures],
            "results": aid.results,
            "demands": aid.demands,
            "building": aid.building,
        }
    )


@router.get("/demands", responses=problems())
def list_demands(
    session: ReadTx,
    actor: CurrentActor,
    paging: PagingDep,
    state: States = [ListingState.PUBLISHED],  # noqa: B006
    industry: Industry = "",
    owner_kind: OwnerKind = None,
    trl_min: Level = None,
    trl_max: Level = None,
    mode: Mode = None,
    budget_from_fen: Annotated[int | None, AmountQuery] = None,
    budget_to_fen: Annotated[int | None, AmountQuery] = None,
    organisation_id: OrganisationId = None,
) -> DemandList:
    """Demands, newest publication first. A budget range finds demands whose own range overlaps it, and none
    that are negotiable. For words, use the search."""
    wanted = Filter(
        states=tuple(state), industry=industry, owner_kind=owner_kind, trl_min=trl_min, trl_max=trl_max,
        mode=mode, price_from_fen=budget_from_fen, price_to_fen=budget_to_fen,
        organisation_ids=None if organisation_id is None else frozenset({organisation_id}),
    )  # fmt: skip
    cards, total = demands(session, actor, wanted, limit=paging.per_page, offset=paging.offset)
    items = [DemandSummary.model_validate(card) for card in cards]
    return DemandList(items=items, total=total, page=paging.page, per_page=paging.per_page)


@router.post("/demands", status_code=201, responses=problems(409))
def create_demand(session: Tx, actor: SignedIn, now: Now, response: Response, data: NewDemand) -> DemandOut:
    """Create a draft. Publish it when it is complete."""
    content = DemandInput.model_validate(data.model_dump(exclude={"organisation_id"}))
    row = service.create_demand(session, actor, now, data.organisation_id, content)
    assert row.id is not None
    response.headers["Location"] = f"/api/v1/demands/{row.id}"
    return _answer(response, session, actor, row.id)


@router.get("/demands/{demand_id}", responses=problems(404))
def get_demand(session: ReadTx, actor: CurrentActor, response: Response, demand_id: RowId) -> DemandOut:
    """One demand, with its ETag."""
    return _answer(response, session, actor, demand_id)


@router.put("/demands/{demand_id}", responses=problems(404, 409, 412, 428))
def replace_demand(
    request: Request,
    response: Response,
    session: Tx,
    actor: SignedIn,
    now: Now,
    parts: PartsDep,
    demand_id: RowId,
    data: DemandInput,
) -> DemandOut:
    """Replace what a demand says. `If-Match` names the version that is replaced; the old one is kept."""
    row = row_to_change(session, actor, DEMAND, Demand, demand_id)
    require_match(request, row.version)
    service.edit_demand(session, actor, now, demand_id, data, days=parts.settings.listing_days)
    return _answer(response, session, actor, demand_id)


@router.post("/demands/{demand_id}/publish", responses=problems(404, 409))
def publish_demand(
    response: Response, session: Tx, actor: SignedIn, now: Now, parts: PartsDep, demand_id: RowId
) -> DemandOut:
    """Show a complete demand to everybody; 422 says what is missing."""
    service.publish_demand(session, actor, now, demand_id, days=parts.settings.listing_days)
    return _answer(response, session, actor, demand_id)


@router.post("/demands/{demand_id}/reconfirm", responses=problems(404, 409))
def reconfirm_demand(
    response: Response, session: Tx, actor: SignedIn, now: Now, parts: PartsDep, demand_id: RowId
) -> DemandOut:
    """Say that a demand still stands; its validity starts anew."""
    service.reconfirm_demand(session, actor, now, demand_id, days=parts.settings.listing_days)
    return _answer(response, session, actor, demand_id)


@router.post("/demands/{demand_id}/withdraw", responses=problems(404, 409))
def withdraw_demand(
    response: Response, session: Tx, actor: SignedIn, now: Now, demand_id: RowId, data: ReasonInput
) -> DemandOut:
    """Take a demand off the market; a reason is needed."""
    service.withdraw_demand(session, actor, now, demand_id, data.reason)
    return _answer(response, session, actor, demand_id)


@router.post("/demands/{demand_id}/conclude", responses=problems(404, 409))
def conclude_demand(
    response: Response, session: Tx, actor: SignedIn, now: Now, demand_id: RowId, data: ReasonInput
) -> DemandOut:
    """Mark a demand as solved: still shown, no longer open."""
    service.conclude_demand(session, actor, now, demand_id, data.reason)
    return _answer(response, session, actor, demand_id)


@router.get("/demands/{demand_id}/history", responses=problems(404))
def demand_history(session: ReadTx, actor: SignedIn, demand_id: RowId) -> HistoryOut:
    """What a demand said before. For its owner and staff."""
    row = editable(session, actor, DEMAND, Demand, demand_id)
    current = service.content_of(session, row)
    return HistoryOut.model_validate(
        {
            "revisions": history.revisions(session, "demand", demand_id, current),
            "events": history.events(session, "demand", demand_id),
        }
    )
