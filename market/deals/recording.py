"""How verbs on contracts find, lock, check and record; used by `service` alone."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from market.db import Session, for_update, t, upsert
from market.deals import rules
from market.deals.inputs import ContractInput
from market.deals.models import Contract, ContractEvent, ContractNumber, ContractState
from market.errors import Conflict, Duplicate, InvalidInput, NotAllowed, NotFound, SignInRequired
from market.listings.models import Result
from market.listings.queries import standing
from market.listings.service import RESULT
from market.parties.models import Organisation
from market.permissions import Action, Actor
from market.taxonomy.models import Industry


def reaches(actor: Actor, action: Action, *organisations: int | None) -> bool:
    """Whether a right reaches a contract of these parties."""
    reach = actor.organisations_for(action)
    return reach is None or any(one in reach for one in organisations if one is not None)


def require_party(actor: Actor, action: Action, *organisations: int | None) -> None:
    if reaches(actor, action, *organisations):
        return
    if not actor.is_signed_in:
        raise SignInRequired(action=action.value)
    raise NotAllowed(action=action.value)


def next_number(session: Session, year: int) -> str:
    """The next local number of a year. Holds the year's row until the transaction ends."""
    series = t(ContractNumber)
    upsert(session, series, [{"year": year, "last": 0}], key=["year"])
    last = session.execute(
        sa.update(series).where(series.c.year == year).values(last=series.c.last + 1).returning(series.c.last)
    ).scalar_one()
    return f"WL-{year:04d}-{last:06d}"


def locked(session: Session, actor: Actor, contract_id: int, version: int | None) -> Contract:
    contract = session.scalars(
        for_update(sa.select(Contract).where(t(Contract).c.id == contract_id), session).execution_options(
            populate_existing=True
        )
    ).one_or_none()
    if contract is None:
        raise NotFound
    public = ContractState(contract.state) in rules.PUBLIC
    if not public and not reaches(actor, Action.CONTRACT_READ, contract.seller_id, contract.buyer_id):
        raise NotFound
    if version is not None and contract.version != version:
        raise Conflict(current=contract.version)
    return contract


def touch(contract: Contract, now: dt.datetime) -> None:
    contract.version += 1
    contract.updated_at = now


def give_number(session: Session, contract: Contract, number: str | None) -> None:
    if number is None:
        return
    c = t(Contract).c
    taken = session.scalar(sa.select(c.id).where(c.registration_number == number))
    if taken is not None and taken != contract.id:
        raise Duplicate(field="registration_number", value=number)
    contract.registration_number = number


def organisation(session: Session, organisation_id: int) -> Any:
    o = t(Organisation).c
    return session.execute(sa.select(o.name, o.region_code).where(o.id == organisation_id)).first()


def _may_name(session: Session, actor: Actor, result_id: int) -> bool:
    """Whether the actor may know of a result: the contract will show its title to both parties."""
    try:
        standing(session, actor, RESULT, Result, result_id)
    except NotFound:
        known = session.scalar(sa.select(t(Result).c.id).where(t(Result).c.id == result_id)) is not None
        return known and reaches(actor, Action.CONTRACT_REGISTER)
    return True


def values_of(
    session: Session, actor: Actor, data: ContractInput, *, result_before: int | None = None
) -> dict[str, Any]:
    """The columns that an input fills, or InvalidInput with everything that is wrong.

    A result must be one that the actor may know of, or the one named before.
    """
    problems: rules.Problems = list(rules.check_kind(data.kind, data.subkind))
    technology, wrong = rules.amounts(
        data.deal_fen, data.technology_fen, [(item.item, item.fen) for item in data.deductions]
    )
    problems += wrong
    parties: dict[str, Any] = {}
    for side, key, name, region in (
        ("seller", data.seller_id, data.seller_name, data.seller_region),
        ("buyer", data.buyer_id, data.buyer_name, data.buyer_region),
    ):
        if key is not None:
            found = organisation(session, key)
            if found is None:
                problems.append((f"{side}_id", "unknown_choice", {}))
                continue
            name, region = found.name, found.region_code
        if not name:
            problems.append((f"{side}_name", "missing", {}))
        if not region:
            problems.append((f"{side}_region", "missing", {}))
        parties |= {f"{side}_id": key, f"{side}_name": name, f"{side}_region": region}
    if not problems and (
        (data.seller_id is not None and data.seller_id == data.buyer_id)
        or parties["seller_name"] == parties["buyer_name"]
    ):
        problems.append(("buyer_id" if data.buyer_id else "buyer_name", "same_party", {}))
    if data.effective_on and data.ends_on and data.ends_on < data.effective_on:
        problems.append(("ends_on", "range_order", {}))
    if data.industry_code and session.get(Industry, data.industry_code) is None:
        problems.append(("industry_code", "unknown_choice", {}))
    named = data.result_id if data.result_id != result_before else None
    if named is not None and not _may_name(session, actor, named):
        problems.append(("result_id", "unknown_choice", {}))
    if problems:
        raise InvalidInput(problems)
    return {
        **parties,
        "title": data.title,
        "kind": data.kind.value,
        "subkind": data.subkind.value,
        "deal_fen": data.deal_fen,
        "technology_fen": technology,
        "deductions": [{"item": item.item, "fen": item.fen} for item in data.deductions],
        "technical_field": data.technical_field.value,
        "industry_code": data.industry_code or None,
        "related_party": data.related_party,
        "signed_on": data.signed_on,
        "effective_on": data.effective_on,
        "ends_on": data.ends_on,
        "result_id": data.result_id,
    }


_AUDITED = (
    "title", "kind", "subkind", "seller_name", "buyer_name", "deal_fen", "technology_fen", "deductions",
    "technical_field", "industry_code", "related_party", "signed_on", "effective_on", "ends_on", "state",
    "accepted_on", "decide_by", "registered_on", "ended_on", "registration_number", "local_number",
)  # fmt: skip


def audited(contract: Contract) -> dict[str, Any]:
    return {name: getattr(contract, name) for name in _AUDITED}


def add_event(
    session: Session,
    actor: Actor,
    at: dt.datetime,
    contract: Contract,
    what: str,
    before: ContractState | None,
    *,
    after: ContractState | None = None,
    reason: str = "",
    amounts: tuple[int, int] | None = None,
) -> None:
    """Add an event. Amounts after are those of the contract now; before, those given or the same."""
    deal, technology = amounts or (contract.deal_fen, contract.technology_fen)
    assert contract.id is not None
    session.add(
        ContractEvent(
            contract_id=contract.id,
            at=at,
            step=what,
            state_before=before.value if before else None,
            state_after=(after.value if after else contract.state),
            actor_id=actor.person_id,
            actor_name=actor.name,
            reason=reason,
            deal_fen_before=deal if before else None,
            deal_fen_after=contract.deal_fen,
            technology_fen_before=technology if before else None,
            technology_fen_after=contract.technology_fen,
        )
    )
