"""The register over the API: contracts and their steps."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from market.deals import queries, service
from market.deals.inputs import ContractInput, StepInput
from market.deals.models import ContractKind, ContractSource, ContractState, ContractSubkind, PriceForm
from market.deals.rules import Step
from market.inputs import Line
from market.listings.models import IpKind
from web.deps import CurrentActor, Now, PagingDep, ReadTx, RowId, Tx, etag, require_match
from web.routes.api import Listed, problems

router = APIRouter(prefix="/contracts", tags=["contracts"])


class ContractSummary(BaseModel):
    """A contract as lists show it."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    local_number: str = Field(description="This register's own number.", examples=["WL-2026-000123"])
    registration_number: str | None = Field(description="登记编号, issued by the national system.")
    title: str
    kind: ContractKind
    state: ContractState
    seller_name: str
    buyer_name: str
    deal_fen: int = Field(description="合同成交额, fen.")
    technology_fen: int = Field(description="技术交易额, fen.")
    signed_on: dt.date | None
    accepted_on: dt.date | None
    decide_by: dt.date | None = Field(description="The last day of the registrar's clock.")
    registered_on: dt.date | None
    version: int


class Contracts(Listed):
    """A page of contracts."""

    items: list[ContractSummary]


class EventOut(BaseModel):
    """One step of a contract's life."""

    model_config = ConfigDict(from_attributes=True)
    at: dt.datetime
    step: str
    state_before: ContractState | None
    state_after: ContractState
    actor_name: str
    reason: str
    deal_fen_before: int | None
    deal_fen_after: int | None
    technology_fen_before: int | None
    technology_fen_after: int | None


class DeductionOut(BaseModel):
    """A non-technical cost inside the price."""

    item: str
    fen: int


class InstalmentOut(BaseModel):
    """A part of the price and the day on which it falls due."""

    due_on: dt.date
    fen: int
    condition: str


class ConcernedOut(BaseModel):
    """A right that the contract concerns."""

    kind: IpKind
    number: str


class ContractOut(BaseModel):
    """A contract. To the public `detail` is false and amounts are null."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    local_number: str
    registration_number: str | None
    title: str
    kind: ContractKind
    subkind: ContractSubkind
    seller_id: int | None
    seller_name: str
    seller_region: str
    seller_town: str
    seller_nature: str = Field(description="Party nature code; empty where it is not known.")
    seller_country: str = Field(description="ISO 3166-1 alpha-3; empty for abroad, not stated.")
    buyer_id: int | None
    buyer_name: str
    buyer_region: str
    buyer_town: str
    buyer_nature: str
    buyer_country: str
    deal_fen: int | None
    technology_fen: int | None
    deductions: list[DeductionOut]
    price_form: PriceForm
    instalments: list[InstalmentOut]
    entry_fee_fen: int | None
    royalty_base: str = Field(description="What the royalty is a share of; empty without one.")
    royalty_ppm: int | None = Field(description="Millionths: 5 % is 50,000.")
    currency: str = Field(description="ISO 4217; empty in the public's view.")
    foreign_minor: int | None = Field(description="The price in minor units of a foreign currency.")
    exchange_rate: str = Field(description="Yuan for one unit of it.")
    rate_on: dt.date | None
    ip: list[ConcernedOut]
    pricing_mode: str = Field(description="How the price came about; empty where no mode is needed.")
    trade_secret: bool
    technical_field: str
    industry_code: str | None
    related_party: bool
    signed_on: dt.date | None
    effective_on: dt.date | None
    ends_on: dt.date | None
    state: ContractState
    accepted_on: dt.date | None
    decide_by: dt.date | None
    escalated_on: dt.date | None = Field(description="When those above were told that the clock ran out.")
    registered_on: dt.date | None
    ended_on: dt.date | None
    source: ContractSource
    source_lot_id: int | None
    result_id: int | None
    version: int
    created_at: dt.datetime
    updated_at: dt.datetime
    detail: bool
    events: list[EventOut]
    steps: list[Step] = Field(default=[], description="Steps that the asker may take now.")


def _out(session: Any, actor: Any, contract_id: int, response: Response) -> ContractOut:
    found = queries.contract(session, actor, contract_id)
    response.headers["ETag"] = etag(found.version)
    answer = ContractOut.model_validate(found)
    return answer.model_copy(update={"steps": queries.steps_for(actor, found)})


@router.get("", response_model=Contracts, responses=problems())
def list_contracts(
    session: ReadTx,
    actor: CurrentActor,
    paging: PagingDep,
    state: Annotated[list[ContractState] | None, Query(description="Only these states.")] = None,
    kind: ContractKind | None = None,
    year: Annotated[int | None, Query(ge=1985, le=2100, description="Year of registration.")] = None,
    q: Annotated[Line, Query(max_length=100, description="Words in title, parties or numbers.")] = "",
    queue: Annotated[
        bool, Query(description="Only what waits for a decision, the nearest deadline first.")
    ] = False,
) -> Contracts:
    """The contracts that the asker's rights reach."""
    wanted = queries.Filter(tuple(state or ()), kind, year, q, queue)
    found, total = queries.contracts(session, actor, wanted, limit=paging.per_page, offset=paging.offset)
    return Contracts(
        items=[ContractSummary.model_validate(one) for one in found],
        total=total,
        page=paging.page,
        per_page=paging.per_page,
    )


@router.post("", response_model=ContractOut, status_code=201, responses=problems())
def create_contract(
    session: Tx, actor: CurrentActor, now: Now, data: ContractInput, response: Response
) -> ContractOut:
    """Write a contract down as a draft, for one of its parties."""
    contract_id = service.create_contract(session, actor, now, data)
    session.flush()
    response.headers["Location"] = f"/api/v1/contracts/{contract_id}"
    return _out(session, actor, contract_id, response)


@router.get("/{contract_id}", response_model=ContractOut, responses=problems(404))
def get_contract(session: ReadTx, actor: CurrentActor, contract_id: RowId, response: Response) -> ContractOut:
    """One contract; the public sees registered ones without amounts."""
    return _out(session, actor, contract_id, response)


@router.put("/{contract_id}", response_model=ContractOut, responses=problems(404, 409, 412, 428))
def edit_contract(
    request: Request,
    session: Tx,
    actor: CurrentActor,
    now: Now,
    contract_id: RowId,
    data: ContractInput,
    response: Response,
) -> ContractOut:
    """Replace what a draft says. Name in If-Match the version that you saw."""
    version = queries.contract(session, actor, contract_id).version
    require_match(request, version)
    service.edit_contract(session, actor, now, contract_id, data, version=version)
    session.flush()
    return _out(session, actor, contract_id, response)


@router.post("/{contract_id}/steps", response_model=ContractOut, responses=problems(404, 409, 412, 428))
def take_step(
    request: Request,
    session: Tx,
    actor: CurrentActor,
    now: Now,
    contract_id: RowId,
    data: StepInput,
    response: Response,
) -> ContractOut:
    """Take a contract one step further: submit, accept, register, amend, … Needs If-Match."""
    version = queries.contract(session, actor, contract_id).version
    require_match(request, version)
    service.step(
        session,
        actor,
        now,
        contract_id,
        data.step,
        reason=data.reason,
        registration_number=data.registration_number,
        kind=data.kind,
        subkind=data.subkind,
        deal_fen=data.deal_fen,
        technology_fen=data.technology_fen,
        deductions=data.deductions,
        instalments=data.instalments,
        entry_fee_fen=data.entry_fee_fen,
        royalty_ppm=data.royalty_ppm,
        foreign_amount=data.foreign_amount,
        version=version,
    )
    session.flush()
    return _out(session, actor, contract_id, response)
