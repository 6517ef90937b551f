"""What runs beside a contract's steps, over the API: experts' opinions and objections."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from market.db import Session
from market.deals import queries
from market.deals.models import ContractKind
from market.errors import NotFound
from market.permissions import Actor
from market.scrutiny import objections, opinions
from market.scrutiny.models import ObjectionState, Verdict
from market.scrutiny.objections import DecisionInput, ObjectionInput
from market.scrutiny.opinions import OpinionInput
from web.deps import CurrentActor, Now, ReadTx, RowId, SignedIn, Tx
from web.routes.api import problems

router = APIRouter(prefix="/contracts/{contract_id}", tags=["contracts"])


class OpinionOut(BaseModel):
    """An expert's opinion. The expert is named to officials alone."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    expert_name: str
    expert_unit: str
    verdict: Verdict
    kind: ContractKind | None
    technology_fen: int | None
    reasons: str
    given_on: dt.date


class Opinions(BaseModel):
    """The opinions on a contract, oldest first."""

    items: list[OpinionOut]


class ObjectionOut(BaseModel):
    """An objection as the asker may see it; what they may not know is empty."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    state: ObjectionState
    filed_at: dt.datetime
    decided_at: dt.datetime | None
    answer: str
    grounds: str = Field(description="For parties, officials and the objector.")
    objector_name: str = Field(description="For officials and the objector.")
    contact: str
    own: bool
    version: int


class Objections(BaseModel):
    """The objections to a contract, newest first."""

    items: list[ObjectionOut]


def _opinions(session: Session, actor: Actor, contract_id: int) -> Opinions:
    if not queries.contract(session, actor, contract_id).detail:
        raise NotFound
    found = opinions.opinions(session, actor, contract_id)
    return Opinions(items=[OpinionOut.model_validate(one) for one in found])


def _objections(session: Session, actor: Actor, contract_id: int) -> Objections:
    detail = queries.contract(session, actor, contract_id).detail
    found = objections.of_contract(session, actor, contract_id, detail=detail)
    return Objections(items=[ObjectionOut.model_validate(one) for one in found])


@router.get("/opinions", responses=problems(404))
def list_opinions(session: ReadTx, actor: CurrentActor, contract_id: RowId) -> Opinions:
    """What experts found, for the contract's parties and officials."""
    return _opinions(session, actor, contract_id)


@router.post("/opinions", status_code=201, responses=problems(404, 409))
def enter_opinion(session: Tx, actor: SignedIn, now: Now, contract_id: RowId, data: OpinionInput) -> Opinions:
    """Enter an expert's opinion while the contract is with the experts. For officials."""
    opinions.enter(session, actor, now, contract_id, data)
    return _opinions(session, actor, contract_id)


@router.get("/objections", responses=problems(404))
def list_objections(session: ReadTx, actor: CurrentActor, contract_id: RowId) -> Objections:
    """Objections to a contract; the public learns that there are some, and the answers."""
    return _objections(session, actor, contract_id)


@router.post("/objections", status_code=201, responses=problems(404, 409))
def file_objection(
    session: Tx, actor: SignedIn, now: Now, contract_id: RowId, data: ObjectionInput
) -> Objections:
    """Object to a registered contract. Visitors do so on its page."""
    objections.file(session, actor, now, contract_id, data)
    return _objections(session, actor, contract_id)


@router.post("/objections/{objection_id}/answer", responses=problems(404, 409))
def answer_objection(
    session: Tx, actor: SignedIn, now: Now, contract_id: RowId, objection_id: RowId, data: DecisionInput
) -> Objections:
    """Uphold or reject an objection that is open. For officials."""
    objections.decide(session, actor, now, contract_id, objection_id, data)
    return _objections(session, actor, contract_id)


@router.post("/objections/{objection_id}/withdraw", responses=problems(404, 409))
def withdraw_objection(
    session: Tx, actor: SignedIn, now: Now, contract_id: RowId, objection_id: RowId
) -> Objections:
    """Take one's own objection back."""
    objections.withdraw(session, actor, now, contract_id, objection_id)
    return _objections(session, actor, contract_id)
