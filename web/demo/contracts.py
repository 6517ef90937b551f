"""Demo contracts: those registered long ago as entered, those under way step by step; GDP releases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence

from market.clock import local_date, start_of_local_day
from market.db import Session
from market.deals import service as deals
from market.deals.inputs import ContractInput, Deduction
from market.deals.models import ContractSource, ContractState
from market.deals.rules import Step
from market.errors import Duplicate
from market.permissions import Actor, Role
from market.statistics import service as statistics
from market.statistics.inputs import GdpReleaseInput
from web.demo.content.contracts import DemoContract
from web.demo.content.statistics import DemoGdp
from web.demo.people import Cast

NOON = dt.timedelta(hours=12)

_PATHS: dict[ContractState, tuple[Step, ...]] = {
    ContractState.DRAFT: (),
    ContractState.SUBMITTED: (Step.SUBMIT,),
    ContractState.ACCEPTED: (Step.SUBMIT, Step.ACCEPT),
    ContractState.SUPPLEMENT: (Step.SUBMIT, Step.ACCEPT, Step.ASK_SUPPLEMENT),
    ContractState.EXPERT_REVIEW: (Step.SUBMIT, Step.ACCEPT, Step.SEND_TO_EXPERTS),
    ContractState.REFUSED: (Step.SUBMIT, Step.ACCEPT, Step.REFUSE),
}


def _deductions(found: Sequence[tuple[str, int]] | None) -> list[Deduction]:
    return [Deduction(item=item, fen=fen) for item, fen in found or ()]


def _input(item: DemoContract, cast: Cast, results: Mapping[str, int]) -> ContractInput:
    return ContractInput(
        title=item.title,
        kind=item.kind,
        subkind=item.subkind,
        seller_id=cast.organisations[item.seller] if item.seller else None,
        seller_name="" if item.seller else item.seller_name,
        seller_region=None if item.seller else item.seller_region,
        buyer_id=cast.organisations[item.buyer] if item.buyer else None,
        buyer_name="" if item.buyer else item.buyer_name,
        buyer_region=None if item.buyer else item.buyer_region,
        deal_fen=item.deal_fen,
        technology_fen=item.technology_fen,
        deductions=_deductions(item.deductions),
        technical_field=item.technical_field,
        industry_code=item.industry_code or None,
        related_party=item.related_party,
        signed_on=item.signed_on,
        effective_on=item.effective_on,
        ends_on=item.ends_on,
        result_id=results.get(item.result),
    )


def enter_contracts(
    session: Session,
    cast: Cast,
    found: Sequence[DemoContract],
    results: Mapping[str, int],
    now: dt.datetime,
    tell: Callable[[int], None],
) -> None:
    """Contracts in the order of their last known day, each with the steps it went through."""
    official = cast.anyone(Role.OFFICIAL)
    for number, item in enumerate(sorted(found, key=lambda one: (_last_day(one), one.key))):
        if item.registered_on is None:
            _under_way(session, official, item, _input(item, cast, results), now)
        else:
            _registered(session, official, item, _input(item, cast, results), now)
        tell(number + 1)


def _last_day(item: DemoContract) -> dt.date:
    return item.registered_on or item.accepted_on or item.submitted_on or item.signed_on


def _at(day: dt.date, now: dt.datetime) -> dt.datetime:
    return min(start_of_local_day(day) + NOON, now)


def _registered(
    session: Session, official: Actor, item: DemoContract, data: ContractInput, now: dt.datetime
) -> None:
    assert item.registered_on is not None
    contract_id = deals.enter_registered(
        session,
        official,
        _at(item.registered_on, now),
        data,
        registered_on=item.registered_on,
        submitted_on=item.submitted_on,
        accepted_on=item.accepted_on,
        source=ContractSource.ENTERED,
    )
    if item.amended_on is not None:
        deals.step(
            session,
            official,
            _at(item.amended_on, now),
            contract_id,
            Step.AMEND,
            reason=item.reason,
            deal_fen=item.amended_deal_fen,
            technology_fen=item.amended_technology_fen,
            deductions=_deductions(item.amended_deductions),
        )
    if item.ended_on is not None:
        ending = Step.REVOKE if item.state is ContractState.REVOKED else Step.DEREGISTER
        deals.step(session, official, _at(item.ended_on, now), contract_id, ending, reason=item.reason)


def _under_way(
    session: Session, official: Actor, item: DemoContract, data: ContractInput, now: dt.datetime
) -> None:
    contract_id = deals.create_contract(session, official, _at(item.signed_on, now), data)
    for step in _PATHS[item.state]:
        day = (item.submitted_on if step is Step.SUBMIT else item.accepted_on) or local_date(now)
        deals.step(session, official, _at(day, now), contract_id, step, reason=item.reason)


def enter_gdp(session: Session, cast: Cast, found: Iterable[DemoGdp], now: dt.datetime) -> None:
    """Estimates that say that they are; the one official figure comes with the market's own seed."""
    official = cast.anyone(Role.OFFICIAL)
    for item in found:
        if item.published_on > local_date(now):
            continue
        try:
            statistics.add_gdp_release(session, official, now, GdpReleaseInput(**vars(item)))
        except Duplicate:
            continue
