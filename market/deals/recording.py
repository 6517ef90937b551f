"""How verbs on contracts find, lock, check and record; used by the verbs of `deals` and `scrutiny`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market import work
from market.db import Session, for_update, t, upsert
from market.deals import price, rules
from market.deals.inputs import ContractInput
from market.deals.models import Contract, ContractEvent, ContractNumber, ContractState
from market.deals.rules import Step
from market.errors import Conflict, Duplicate, InvalidInput, NotFound
from market.listings.models import Result
from market.listings.queries import standing
from market.listings.service import RESULT
from market.parties.models import Organisation
from market.permissions import Action, Actor, reaches
from market.taxonomy.models import Industry


def next_number(session: Session, year: int) -> str:
    """The next local number of a year. Holds the year's row until the transaction ends."""
    return next_numbers(session, year, 1)[0]


def next_numbers(session: Session, year: int, count: int) -> list[str]:
    """The next local numbers of a year; the same lock."""
    series = t(ContractNumber)
    upsert(session, series, [{"year": year, "last": 0}], key=["year"])
    last = session.execute(
        sa.update(series)
        .where(series.c.year == year)
        .values(last=series.c.last + count)
        .returning(series.c.last)
    ).scalar_one()
    return [f"WL-{year:04d}-{number:06d}" for number in range(last - count + 1, last + 1)]


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
    return session.execute(
        sa.select(o.name, o.region_code, o.town, o.nature_code, o.country_code).where(o.id == organisation_id)
    ).first()


def party_columns(side: str, key: int, record: Any) -> dict[str, Any]:
    """The columns of a party that is a member, as its record says."""
    return {
        f"{side}_id": key,
        f"{side}_name": record.name,
        f"{side}_region": record.region_code,
        f"{side}_town": record.town,
        f"{side}_nature": record.nature_code,
        f"{side}_country": rules.country_of(record.region_code, record.country_code),
    }


def _may_name(session: Session, actor: Actor, result_id: int) -> bool:
    """Whether the actor may know of a result: the contract will show its title to both parties."""
    try:
        standing(session, actor, RESULT, Result, result_id)
    except NotFound:
        known = session.scalar(sa.select(t(Result).c.id).where(t(Result).c.id == result_id)) is not None
        return known and reaches(actor, Action.CONTRACT_REGISTER)
    return True


def price_of(data: ContractInput) -> price.Price:
    """The price that an input states."""
    return price.Price(
        deal_fen=data.deal_fen,
        form=data.price_form,
        instalments=tuple(price.Instalment(one.due_on, one.fen, one.condition) for one in data.instalments),
        entry_fee_fen=data.entry_fee_fen,
        royalty_base=data.royalty_base.value if data.royalty_base else "",
        royalty_ppm=data.royalty_ppm,
        currency=data.currency,
        foreign_amount=data.foreign_amount,
        exchange_rate=data.exchange_rate,
        rate_on=data.rate_on,
    )


@dataclass(frozen=True)
class Known:
    """Records read beforehand, for those who judge many contracts."""

    organisations: Mapping[int, Any]
    """By id, with the columns that `organisation` reads."""
    industries: frozenset[str]


def known(session: Session) -> Known:
    """Every organisation and industry of the market."""
    o = t(Organisation).c
    rows = session.execute(sa.select(o.id, o.name, o.region_code, o.town, o.nature_code, o.country_code))
    return Known({row.id: row for row in rows}, frozenset(session.scalars(sa.select(t(Industry).c.code))))


def _party(
    session: Session, side: str, data: ContractInput, read: Known | None
) -> tuple[dict[str, Any], rules.Problems]:
    key: int | None = getattr(data, f"{side}_id")
    name, region = getattr(data, f"{side}_name"), getattr(data, f"{side}_region")
    town, nature, country = (getattr(data, f"{side}_{what}") for what in ("town", "nature", "country"))
    problems: rules.Problems = []
    if key is not None:
        found = organisation(session, key) if read is None else read.organisations.get(key)
        if found is None:
            return {}, [(f"{side}_id", "unknown_choice", {})]
        own = party_columns(side, key, found)
        name, region = own[f"{side}_name"], own[f"{side}_region"]
        town, nature = town or own[f"{side}_town"], nature or own[f"{side}_nature"]
        country = country or own[f"{side}_country"]
    if not name:
        problems.append((f"{side}_name", "missing", {}))
    if not region:
        problems.append((f"{side}_region", "missing", {}))
    elif country and not rules.country_fits(region, country):
        problems.append((f"{side}_country", "country_of_other_region", {}))
    return {
        f"{side}_id": key,
        f"{side}_name": name,
        f"{side}_region": region,
        f"{side}_town": town,
        f"{side}_nature": nature or "",
        f"{side}_country": country or rules.country_of(region or "", ""),
    }, problems


def _is_industry(session: Session, code: str, read: Known | None) -> bool:
    return session.get(Industry, code) is not None if read is None else code in read.industries


def values_of(
    session: Session,
    actor: Actor,
    data: ContractInput,
    *,
    result_before: int | None = None,
    read: Known | None = None,
) -> dict[str, Any]:
    """The columns that an input fills, or InvalidInput with everything that is wrong.

    A result must be one that the actor may know of, or the one named before. With `read` nothing is asked of
    the database but such a result.
    """
    problems: rules.Problems = list(rules.check_kind(data.kind, data.subkind))
    stated, wrong = price.settle(price_of(data))
    problems += wrong
    technology, wrong = rules.amounts(
        stated["deal_fen"], data.technology_fen, [(item.item, item.fen) for item in data.deductions]
    )
    problems += wrong
    parties: dict[str, Any] = {}
    for side in ("seller", "buyer"):
        party, wrong = _party(session, side, data, read)
        parties |= party
        problems += wrong
    if not problems and (
        (data.seller_id is not None and data.seller_id == data.buyer_id)
        or parties["seller_name"] == parties["buyer_name"]
    ):
        problems.append(("buyer_id" if data.buyer_id else "buyer_name", "same_party", {}))
    if data.effective_on and data.ends_on and data.ends_on < data.effective_on:
        problems.append(("ends_on", "range_order", {}))
    if data.industry_code and not _is_industry(session, data.industry_code, read):
        problems.append(("industry_code", "unknown_choice", {}))
    named = data.result_id if data.result_id != result_before else None
    if named is not None and not _may_name(session, actor, named):
        problems.append(("result_id", "unknown_choice", {}))
    if problems:
        raise InvalidInput(problems)
    return {
        **parties,
        **stated,
        "title": data.title,
        "kind": data.kind.value,
        "subkind": data.subkind.value,
        "technology_fen": technology,
        "deductions": [{"item": item.item, "fen": item.fen} for item in data.deductions],
        "ip": [{"kind": item.kind.value, "number": item.number} for item in data.ip],
        "pricing_mode": data.pricing_mode.value if data.pricing_mode else "",
        "trade_secret": data.trade_secret,
        "technical_field": data.technical_field.value,
        "industry_code": data.industry_code or None,
        "related_party": data.related_party,
        "signed_on": data.signed_on,
        "effective_on": data.effective_on,
        "ends_on": data.ends_on,
        "result_id": data.result_id,
    }


_AUDITED = (
    "version", "title", "kind", "subkind", "seller_name", "seller_region", "seller_town", "seller_nature",
    "seller_country", "buyer_name", "buyer_region", "buyer_town", "buyer_nature", "buyer_country", "deal_fen",
    "technology_fen", "deductions", "price_form", "instalments", "entry_fee_fen", "royalty_base", "royalty_ppm",
    "currency", "foreign_minor", "exchange_rate", "rate_on", "ip", "pricing_mode", "trade_secret", "technical_field", "industry_code", "related_party", "signed_on", "effective_on", "ends_on", "state",
    "accepted_on", "decide_by", "registered_on", "ended_on", "registration_number", "local_number",
)  # fmt: skip


def audited(contract: Contract) -> dict[str, Any]:
    return {name: getattr(contract, name) for name in _AUDITED}


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the audit log says of a new contract whose columns are given."""
    return {name: row.get(name) for name in _AUDITED}


NEWS = "contract.news"
"""Work: an event of contracts that the public may know of; {"contract_ids": [id]}."""

PUBLIC_STEPS = frozenset(step.value for step in (Step.REGISTER, Step.AMEND, Step.DEREGISTER, Step.REVOKE))


ENTERED = "contract.entered"
"""Kind of the work that follows from contracts entered in bulk as registered."""


def leave_news(session: Session, now: dt.datetime, key: str, contract_ids: Sequence[int]) -> None:
    """Leave the telling of what happened as work in the same transaction."""
    work.enqueue(session, NEWS, {"contract_ids": list(contract_ids)}, key=key, now=now)


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
    if what in PUBLIC_STEPS:
        leave_news(session, contract.updated_at, f"{contract.id}:{contract.version}:{what}", [contract.id])
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
