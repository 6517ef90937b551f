"""Opinions of experts in an expert review (专家评审), as the official enters them.

An opinion is never edited; another may follow. It decides nothing: the official registers or refuses, and may take
over the kind and the amount that the experts found.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from pydantic import Field

from market import audit
from market.clock import local_date
from market.db import Session, t
from market.deals import recording
from market.deals.inputs import Day
from market.deals.models import Contract, ContractKind, ContractState
from market.errors import InvalidInput, WrongState
from market.inputs import Input, Line, Text, TypedAmount
from market.permissions import Action, Actor, reaches, require_party
from market.scrutiny.models import ExpertOpinion, Verdict


class OpinionInput(Input):
    """What an expert wrote."""

    expert_name: Annotated[Line, Field(min_length=1, max_length=80)]
    expert_unit: Annotated[Line, Field(min_length=1, max_length=200)]
    verdict: Verdict
    kind: Annotated[ContractKind | None, Field(description="The kind that the expert finds.")] = None
    technology_fen: Annotated[
        TypedAmount | None, Field(description="The 技术交易额 that the expert finds, fen.")
    ] = None
    reasons: Annotated[Text, Field(min_length=1, max_length=5000)]
    given_on: Day


def problems(
    data: OpinionInput, contract: Contract, today: dt.date
) -> list[tuple[str, str, dict[str, object]]]:
    """What is wrong with an opinion: a finding without its verdict, a verdict without its finding."""
    found: list[tuple[str, str, dict[str, object]]] = []
    for name, verdict, stated in (
        ("kind", Verdict.OTHER_KIND, contract.kind),
        ("technology_fen", Verdict.OTHER_AMOUNT, contract.technology_fen),
    ):
        value = getattr(data, name)
        if data.verdict is verdict and value is None:
            found.append((name, "missing", {}))
        elif data.verdict is verdict and value == stated:
            found.append((name, "same_as_stated", {}))
        elif data.verdict is not verdict and value is not None:
            found.append((name, "of_other_verdict", {}))
    if data.technology_fen is not None and data.technology_fen > contract.deal_fen:
        found.append(("technology_fen", "technology_exceeds_deal", {}))
    if data.given_on > today:
        found.append(("given_on", "signed_in_future", {}))
    return found


def enter(session: Session, actor: Actor, now: dt.datetime, contract_id: int, data: OpinionInput) -> int:
    """Enter an expert's opinion; returns its id.

    Raises NotFound, NotAllowed, WrongState unless the contract is with the experts, InvalidInput.
    """
    contract = recording.locked(session, actor, contract_id, None)
    require_party(actor, Action.CONTRACT_REGISTER)
    state = ContractState(contract.state)
    if state is not ContractState.EXPERT_REVIEW:
        raise WrongState(state=state.value, action="enter_opinion")
    wrong = problems(data, contract, local_date(now))
    if wrong:
        raise InvalidInput(wrong)
    row = ExpertOpinion(
        contract_id=contract_id,
        expert_name=data.expert_name,
        expert_unit=data.expert_unit,
        verdict=data.verdict.value,
        kind=data.kind.value if data.kind else "",
        technology_fen=data.technology_fen,
        reasons=data.reasons,
        given_on=data.given_on,
        entered_at=now,
        entered_by=actor.person_id,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    audit.record(
        session, actor, "contract.opinion_entered", contract_id, now,
        after={
            "opinion_id": row.id, "expert_name": row.expert_name, "expert_unit": row.expert_unit,
            "verdict": row.verdict, "kind": row.kind, "technology_fen": row.technology_fen,
            "given_on": row.given_on,
        },
    )  # fmt: skip
    session.flush()
    return row.id


@dataclass(frozen=True)
class OpinionView:
    """An opinion. The expert is named to officials alone."""

    id: int
    expert_name: str
    expert_unit: str
    verdict: Verdict
    kind: ContractKind | None
    technology_fen: int | None
    reasons: str
    given_on: dt.date


def opinions(session: Session, actor: Actor, contract_id: int) -> list[OpinionView]:
    """The opinions on a contract that the actor may read in detail, oldest first. One statement."""
    named = reaches(actor, Action.CONTRACT_REGISTER)
    e = t(ExpertOpinion).c
    rows = session.execute(
        sa.select(
            e.id, e.expert_name, e.expert_unit, e.verdict, e.kind, e.technology_fen, e.reasons, e.given_on
        )
        .where(e.contract_id == contract_id)
        .order_by(e.id)
    )
    return [
        OpinionView(
            row.id,
            row.expert_name if named else "",
            row.expert_unit if named else "",
            Verdict(row.verdict),
            ContractKind(row.kind) if row.kind else None,
            row.technology_fen,
            row.reasons,
            row.given_on,
        )
        for row in rows
    ]
