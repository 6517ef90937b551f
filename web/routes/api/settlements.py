"""Settlements over the API: what follows a sale, for its parties and the market's staff."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from market.clock import local_date
from market.deals.models import ContractState
from market.payments.rules import RestTo
from market.settlements import queries
from market.settlements.models import Origin, Party, ReceiptState, SettlementState
from market.settlements.queries import SettlementDetail, SettlementLine, Show
from market.settlements.rules import StepKind
from web.deps import CurrentActor, Now, PagingDep, ReadTx, RowId
from web.routes.api import Listed, problems

router = APIRouter(prefix="/settlements", tags=["settlements"])


class StepOut(BaseModel):
    """A line of the checklist."""

    kind: StepKind
    due_on: dt.date | None = Field(description="The last day in time, in Shanghai; none for registration.")
    done_on: dt.date | None
    days_late: int = Field(description="Calendar days past `due_on`, when it was done or else by today.")


class SettlementOut(BaseModel):
    """A settlement as lists show it. Amounts in fen."""

    id: int
    lot_id: int
    origin: Origin
    title: str
    seller_organisation_id: int
    seller_name: str
    buyer_organisation_id: int
    buyer_name: str
    price_fen: int
    currency: str
    state: SettlementState
    closed_at: dt.datetime = Field(description="What the working days count from.")
    owed_fen: int = Field(description="What a forfeited deposit did not cover.")
    owed_by: dt.date | None
    steps: list[StepOut]
    late: bool


class SignatureOut(BaseModel):
    """A party's acknowledgement of the confirmation of sale."""

    model_config = ConfigDict(from_attributes=True)
    party: Party
    person_name: str
    facts_hash: str
    at: dt.datetime


class DirectPaymentOut(BaseModel):
    """Money paid to the seller directly; it counts once a second officer approved it."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    amount_fen: int
    paid_on: dt.date
    note: str
    attachment_id: int | None
    state: ReceiptState


class SettlementDetailOut(SettlementOut):
    """A settlement with its money and signatures."""

    facts: dict[str, Any] = Field(description="What the confirmation of sale says.")
    facts_hash: str = Field(description="SHA-256 of the facts as canonical JSON; signatures are bound to it.")
    deposit_fen: int
    deposit_there_fen: int = Field(description="How much of the deposit counts towards the price now.")
    paid_fen: int
    outstanding_fen: int
    rest_to: RestTo
    contract_id: int | None
    contract_state: ContractState | None
    signatures: list[SignatureOut]
    direct_payments: list[DirectPaymentOut]
    forfeited_at: dt.datetime | None
    costs_fen: int | None
    shortfall_fen: int | None
    ended_at: dt.datetime | None


class Settlements(Listed):
    """A page of settlements."""

    items: list[SettlementOut]


def _plain(line: SettlementLine, today: dt.date) -> dict[str, Any]:
    names = [name for name in SettlementOut.model_fields if name not in ("steps", "late")]
    return {
        **{name: getattr(line, name) for name in names},
        "steps": [
            StepOut(kind=step.kind, due_on=step.due_on, done_on=step.done_on, days_late=step.days_late(today))
            for step in line.steps
        ],
        "late": line.state is SettlementState.OPEN and any(step.is_late(today) for step in line.steps),
    }


def _whole(it: SettlementDetail, today: dt.date) -> SettlementDetailOut:
    own = (
        "facts", "facts_hash", "deposit_fen", "deposit_there_fen", "paid_fen", "outstanding_fen", "rest_to",
        "contract_id", "contract_state", "forfeited_at", "costs_fen", "shortfall_fen", "ended_at",
    )  # fmt: skip
    return SettlementDetailOut(
        **_plain(it.line, today),
        **{name: getattr(it, name) for name in own},
        signatures=[SignatureOut.model_validate(one) for one in it.signatures.values()],
        direct_payments=[DirectPaymentOut.model_validate(one) for one in it.receipts],
    )


@router.get("", response_model=Settlements, responses=problems(401))
def list_settlements(
    session: ReadTx,
    actor: CurrentActor,
    now: Now,
    paging: PagingDep,
    show: Annotated[Show | None, Query(description="Only these; left out: all.")] = None,
) -> Settlements:
    """The settlements that the asker may know of: staff all, parties their own; what is due first stands first."""
    today = local_date(now)
    found, total = queries.settlements(
        session, actor, show=show, today=today, limit=paging.per_page, offset=paging.offset
    )
    return Settlements(
        items=[SettlementOut(**_plain(line, today)) for line in found],
        total=total,
        page=paging.page,
        per_page=paging.per_page,
    )


@router.get("/{settlement_id}", response_model=SettlementDetailOut, responses=problems(404))
def get_settlement(
    session: ReadTx, actor: CurrentActor, now: Now, settlement_id: RowId
) -> SettlementDetailOut:
    """One settlement: its checklist with days, money and signatures."""
    return _whole(queries.settlement(session, actor, settlement_id), local_date(now))
