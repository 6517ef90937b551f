"""Deposits over the API: what an organisation has put down, and what staff do with it."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from market.errors import InvalidInput
from market.inputs import Input, Text
from market.payments import queries, service
from market.payments.gateway import Decline, Method, Status
from market.payments.models import DepositState, Purpose
from market.payments.rules import RestTo
from web import payment_work
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
    gateway: str | None = Field(
        description="Where it is paid; `simulated` moves no money.", examples=["simulated"]
    )
    gateway_reference: str | None
    created_at: dt.datetime
    updated_at: dt.datetime


class Deposits(Listed):
    """A page of deposits."""

    items: list[DepositOut]


class MovementName(enum.StrEnum):
    """What staff do with a deposit."""

    RELEASE = "release"
    APPLY = "apply"
    FORFEIT = "forfeit"


class MovementInput(Input):
    """A movement. `forfeit` says why, what the failed sale cost, what the lot fetched less the second
    time, and whose the rest is; amounts in fen."""

    movement: MovementName
    costs_fen: Annotated[int, Field(ge=0)] = 0
    shortfall_fen: Annotated[int, Field(ge=0)] = 0
    rest_to: RestTo = RestTo.MARKET
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
    session: Tx, actor: CurrentActor, now: Now, deposit_id: RowId, data: MovementInput
) -> DepositOut:
    """Decide on a deposit. Deciding the same twice does it once; the gateway follows in the background."""
    queries.deposit(session, actor, deposit_id)
    match data.movement:
        case MovementName.RELEASE:
            service.release_deposit(session, actor, now, deposit_id, reason=data.reason)
        case MovementName.APPLY:
            service.apply_deposit(session, actor, now, deposit_id)
        case MovementName.FORFEIT:
            service.forfeit_deposit(
                session,
                actor,
                now,
                deposit_id,
                reason=data.reason,
                costs_fen=data.costs_fen,
                shortfall_fen=data.shortfall_fen,
                rest_to=data.rest_to,
            )
    session.flush()
    return DepositOut.model_validate(queries.deposit(session, actor, deposit_id))


class PaymentInput(Input):
    """How a deposit shall be paid; `GET /payments/ways` lists the ways."""

    gateway: Annotated[str, Field(max_length=16)]
    method: Method


class WayOut(BaseModel):
    """A way to pay."""

    gateway: str
    method: Method
    simulated: bool = Field(description="Whether no money moves.")


class PaymentOut(BaseModel):
    """A payment and where it stands at its gateway, as last seen."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    purpose: Purpose
    deposit_id: int | None
    lot_id: int
    organisation_id: int
    amount_fen: int
    currency: str
    gateway: str
    method: Method
    reference: str | None = Field(description="The gateway's; what a bank transfer must say.")
    pay_url: str | None = Field(description="Where the payer pays, in a browser.")
    status: Status
    decline: Decline | None
    expires_at: dt.datetime | None
    captured_fen: int
    refunded_fen: int
    settled: bool
    created_at: dt.datetime
    seen_at: dt.datetime | None


payments = APIRouter(prefix="/payments", tags=["deposits"])


@payments.get("/ways", response_model=list[WayOut])
def list_ways(parts: PartsDep) -> list[WayOut]:
    """Every way to pay here, in the order in which payers are offered them."""
    return [
        WayOut(gateway=gateway.name, method=method, simulated=gateway.simulated)
        for gateway, method in parts.gateways.offers()
    ]


@payments.get("/{payment_id}", response_model=PaymentOut, responses=problems(404))
def get_payment(session: ReadTx, actor: CurrentActor, payment_id: RowId) -> PaymentOut:
    """Where a payment stands, as last seen at its gateway."""
    return PaymentOut.model_validate(queries.payment(session, actor, payment_id))


@router.post(
    "/{deposit_id}/payments", response_model=PaymentOut, status_code=201, responses=problems(404, 409)
)
def begin_payment(
    actor: CurrentActor, now: Now, parts: PartsDep, deposit_id: RowId, data: PaymentInput
) -> PaymentOut:
    """Choose how a deposit is paid. The answer says where: `pay_url`, or the `reference` of a transfer.

    The same way chosen again continues the open payment. A gateway that could not be reached is asked
    again in the background: ask for the payment until its reference is there.
    """
    found = [one for one in parts.gateways.each if one.name == data.gateway]
    if not found:
        raise InvalidInput([("gateway", "unknown_choice", {})])
    with parts.db.write() as session:
        queries.deposit(session, actor, deposit_id)
        payment_id = service.begin_payment(session, actor, now, deposit_id, found[0], data.method)
    payment_work.pursue_now(parts, payment_id)
    with parts.db.read() as session:
        return PaymentOut.model_validate(queries.payment(session, actor, payment_id))
