"""Deposits over the API: what an organisation has put down, and what staff do with it."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from market.inputs import Input, Text
from market.payments import queries, service
from market.payments.gateway import Gateway
from market.payments.models import DepositState
from web.deps import CurrentActor, Now, PagingDep, PartsDep, ReadTx, RowId, Tx
from web.routes.api import Listed, problems

router = APIRouter(prefix="/deposits", tags=["deposits"])


class DepositOut(BaseModel):
    """A deposit for a lot."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    lot_id: int
    organisation_id: int
    organisation_name: str
    amount_fen: int
    currency: str
    state: DepositState
    gateway: str = Field(description="`simulated` moves no money.", examples=["simulated"])
    gateway_reference: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


class Deposits(Listed):
    """A page of deposits."""

    items: list[DepositOut]


class MovementName(enum.StrEnum):
    """What staff do with a deposit."""

    CONFIRM = "confirm"
    FAIL = "fail"
    RELEASE = "release"
    APPLY = "apply"
    FORFEIT = "forfeit"


class MovementInput(Input):
    """A movement; `fail` and `forfeit` say why."""

    movement: MovementName
    reason: Annotated[Text, Field(max_length=2000)] = ""


@router.get("", response_model=Deposits, responses=problems())
def list_deposits(
    session: ReadTx,
    actor: CurrentActor,
    paging: PagingDep,
    lot_id: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Deposits:
    """The deposits that the asker may see, newest first."""
    found, total = queries.deposits(
        session, actor, lot_id=lot_id, limit=paging.per_page, offset=paging.offset
    )
    return Deposits(
        items=[DepositOut.model_validate(one) for one in found],
        total=total,
        page=paging.page,
        per_page=paging.per_page,
    )


@router.get("/{deposit_id}", response_model=DepositOut, responses=problems(404))
def get_deposit(session: ReadTx, actor: CurrentActor, deposit_id: RowId) -> DepositOut:
    """One deposit."""
    return DepositOut.model_validate(queries.deposit(session, actor, deposit_id))


@router.post("/{deposit_id}/movements", response_model=DepositOut, responses=problems(404, 409))
def move_deposit(
    session: Tx, actor: CurrentActor, now: Now, parts: PartsDep, deposit_id: RowId, data: MovementInput
) -> DepositOut:
    """Move a deposit. Doing the same movement twice does it once."""
    queries.deposit(session, actor, deposit_id)
    gateway: Gateway = parts.gateway
    match data.movement:
        case MovementName.CONFIRM:
            service.confirm_deposit(session, actor, now, deposit_id, gateway=gateway)
        case MovementName.FAIL:
            service.fail_deposit(session, actor, now, deposit_id, reason=data.reason)
        case MovementName.RELEASE:
            service.release_deposit(session, actor, now, deposit_id, gateway)
        case MovementName.APPLY:
            service.apply_deposit(session, actor, now, deposit_id, gateway)
        case MovementName.FORFEIT:
            service.forfeit_deposit(session, actor, now, deposit_id, gateway, reason=data.reason)
    session.flush()
    return DepositOut.model_validate(queries.deposit(session, actor, deposit_id))
