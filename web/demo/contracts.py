"""Demo contracts: those registered long ago as entered, those under way step by step; GDP releases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from market.clock import local_date, start_of_local_day
from market.db import Session
from market.deals import receipts
from market.deals import service as deals
from market.deals.inputs import ContractInput, Deduction
from market.deals.models import ContractSource, ContractState
from market.deals.receipts import ReceiptInput
from market.deals.rules import Step
from market.errors import Duplicate
from market.permissions import Actor, Role
from market.statistics import service as statistics
from market.statistics.inputs import GdpReleaseInput, SnapshotInput
from web.demo.content import payments
from web.demo.content.contracts import DemoContract
from web.demo.content.statistics import DemoGdp, DemoSnapshot
from web.demo.people import Cast

NOON = dt.timedelta(hours=12)
EVENING = dt.timedelta(hours=18)

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
        **payments.terms(item),
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


def enter_register(
    session: Session,
    cast: Cast,
    found: Sequence[DemoContract],
    releases: Sequence[DemoGdp],
    results: Mapping[str, int],
    now: dt.datetime,
    tell: Callable[[int], None],
    published: Sequence[DemoSnapshot] = (),
    seal: statistics.Seal | None = None,
) -> None:
    """Contracts with the steps that each went through, and estimates of GDP that say that they are; the one
    official figure comes with the market's own seed. Figures are published, and revised, on their days.

    All in the order of their days, as the register takes them: its time only rises, and a figure as of a
    past day is what was entered by then.
    """
    official = cast.anyone(Role.OFFICIAL)
    steps: list[tuple[dt.datetime, Callable[[dt.datetime], None]]] = []
    for item in releases:
        if item.published_on <= local_date(now):
            steps.append((_at(item.published_on, now), partial(_release, session, official, item)))
    for number, one in enumerate(sorted(found, key=lambda one: (_last_day(one), one.key))):
        data = _input(one, cast, results)
        enter = _Contract(session, official, one, data, now, partial(tell, number + 1))
        steps.append((_at(_last_day(one), now), enter.begin))
        if one.registered_on is not None and one.amended_on is not None:
            steps.append((_at(one.amended_on, now), enter.amend))
        if one.registered_on is not None and one.ended_on is not None:
            steps.append((_at(one.ended_on, now), enter.end))
        steps += [
            (_at(day, now), partial(enter.receive, day, fen))
            for day, fen in payments.received(one, local_date(now))
        ]
    for snapshot in published:
        if snapshot.published_on <= local_date(now):
            # In the evening, after what the register took in that day.
            at = min(start_of_local_day(snapshot.published_on) + EVENING, now)
            steps.append((at, partial(_publish, session, official, snapshot, seal)))
    for at, step in sorted(steps, key=lambda pair: pair[0]):
        step(at)


def _last_day(item: DemoContract) -> dt.date:
    return item.registered_on or item.accepted_on or item.submitted_on or item.signed_on


def _at(day: dt.date, now: dt.datetime) -> dt.datetime:
    return min(start_of_local_day(day) + NOON, now)


@dataclass
class _Contract:
    """One contract on its way through the register."""

    session: Session
    official: Actor
    item: DemoContract
    data: ContractInput
    now: dt.datetime
    tell: Callable[[], None]
    id: int = 0

    def begin(self, at: dt.datetime) -> None:
        """Enter what was registered, or take what was not as far as it got."""
        if self.item.registered_on is None:
            _under_way(self.session, self.official, self.item, self.data, self.now)
        else:
            self.id = deals.enter_registered(
                self.session,
                self.official,
                at,
                self.data,
                registered_on=self.item.registered_on,
                submitted_on=self.item.submitted_on,
                accepted_on=self.item.accepted_on,
                source=ContractSource.ENTERED,
            )
        self.tell()

    def amend(self, at: dt.datetime) -> None:
        """The amendment, where there was one."""
        item = self.item
        deals.step(
            self.session,
            self.official,
            at,
            self.id,
            Step.AMEND,
            reason=item.reason,
            deal_fen=item.amended_deal_fen,
            technology_fen=item.amended_technology_fen,
            deductions=_deductions(item.amended_deductions),
        )

    def receive(self, day: dt.date, fen: int, at: dt.datetime) -> None:
        """Money that came in on a day."""
        receipts.add(self.session, self.official, at, self.id, ReceiptInput(received_on=day, fen=fen))

    def end(self, at: dt.datetime) -> None:
        """Its end, where it came to one."""
        ending = Step.REVOKE if self.item.state is ContractState.REVOKED else Step.DEREGISTER
        deals.step(self.session, self.official, at, self.id, ending, reason=self.item.reason)


def enter_under_way(
    session: Session,
    official: Actor,
    item: DemoContract,
    cast: Cast,
    results: Mapping[str, int],
    now: dt.datetime,
) -> None:
    """Enter one contract as far as it got before registration."""
    _under_way(session, official, item, _input(item, cast, results), now)


def _under_way(
    session: Session, official: Actor, item: DemoContract, data: ContractInput, now: dt.datetime
) -> None:
    contract_id = deals.create_contract(session, official, _at(item.signed_on, now), data)
    for step in _PATHS[item.state]:
        day = (item.submitted_on if step is Step.SUBMIT else item.accepted_on) or local_date(now)
        deals.step(session, official, _at(day, now), contract_id, step, reason=item.reason)


def _publish(
    session: Session, official: Actor, item: DemoSnapshot, seal: statistics.Seal | None, at: dt.datetime
) -> None:
    data = SnapshotInput(caliber=item.caliber, year=item.year, reason=item.reason)
    statistics.publish_snapshot(session, official, at, data, seal)


def _release(session: Session, official: Actor, item: DemoGdp, at: dt.datetime) -> None:
    with suppress(Duplicate):
        statistics.add_gdp_release(session, official, at, GdpReleaseInput(**vars(item)))
