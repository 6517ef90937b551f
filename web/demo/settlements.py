"""The demonstration's sold lots, settled as their parties would have: signed, paid, the contract handed in.

One is left with its price unpaid past its day, and the latest two are as far as they got.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from market.clock import FixedClock, local_date, start_of_local_day
from market.db import t
from market.deals import service as deals
from market.deals.inputs import ContractInput
from market.deals.models import Contract, TechnicalField
from market.deals.rules import Step
from market.payments import service as payments
from market.payments.gateway import Method
from market.payments.models import Purpose
from market.payments.simulated import PayerAct, SimulatedGateway
from market.permissions import Actor, Role
from market.settlements import queries, service
from market.settlements.models import Party, SettlementState
from market.settlements.queries import SettlementLine
from web import payment_work
from web.demo.people import Cast
from web.wiring import Parts

PAID_AFTER = dt.timedelta(days=7)
LATEST = 2
"""So many of the latest sales are only signed."""


def settle(parts: Parts, clock: FixedClock, cast: Cast, now: dt.datetime) -> None:
    """Settle what was sold, each at its time by the market's clock, which ends where it was. Call it with no
    transaction open, once the lots are over."""
    staff = cast.anyone(Role.STAFF)
    with parts.db.read() as session:
        lines, _ = queries.settlements(session, staff, today=local_date(now), limit=100)
    sold = sorted((one for one in lines if one.state is SettlementState.OPEN), key=lambda one: one.closed_at)
    for place, line in enumerate(sold):
        buyer = _somebody(cast, line.buyer_organisation_id, Role.BIDDER)
        seller = _somebody(cast, line.seller_organisation_id, Role.RESULTS_OFFICER)
        if buyer is None or seller is None:
            continue
        _sign(parts, line, {Party.BUYER: buyer, Party.SELLER: seller, Party.ORGANISER: staff})
        if place >= len(sold) - LATEST:
            continue
        _hand_in(parts, line, seller, now)
        at = min(line.closed_at + PAID_AFTER, now)
        clock.set(at)
        if place != len(sold) - LATEST - 1:
            _pay(parts, line, buyer, at)
        with parts.db.write() as session:
            service.advance(session, at, line.id)
    clock.set(now)


def _somebody(cast: Cast, organisation_id: int, role: Role) -> Actor | None:
    key = next((key for key, one in cast.organisations.items() if one == organisation_id), "")
    return cast.actor(key, role)


def _sign(parts: Parts, line: SettlementLine, people: dict[Party, Actor]) -> None:
    at = line.closed_at + dt.timedelta(hours=20)
    with parts.db.write() as session:
        facts = queries.facts_hash(session, line.lot_id, line.buyer_organisation_id)
        for number, (party, actor) in enumerate(people.items()):
            service.sign(session, actor, at + number * dt.timedelta(hours=1), line.id, party, facts)


def _hand_in(parts: Parts, line: SettlementLine, seller: Actor, now: dt.datetime) -> None:
    c = t(Contract).c
    with parts.db.write() as session:
        row = session.execute(
            sa.select(t(Contract)).where(c.source_lot_id == line.lot_id, c.state == "draft")
        ).one_or_none()
        if row is None:
            return
        signed = local_date(line.closed_at) + dt.timedelta(days=3)
        at = min(start_of_local_day(signed) + dt.timedelta(hours=15), now)
        data = ContractInput(
            title=row.title, kind=row.kind, subkind=row.subkind, seller_id=row.seller_id, seller_name="",
            seller_region=None, buyer_id=row.buyer_id, buyer_name="", buyer_region=None, deal_fen=row.deal_fen,
            technology_fen=row.deal_fen, deductions=[],
            technical_field=TechnicalField.ADVANCED_MANUFACTURING, industry_code=row.industry_code,
            signed_on=signed, effective_on=signed, result_id=row.result_id,
        )  # fmt: skip
        deals.edit_contract(session, seller, at, row.id, data)
        deals.step(session, seller, at, row.id, Step.SUBMIT)


def _pay(parts: Parts, line: SettlementLine, buyer: Actor, now: dt.datetime) -> None:
    gateway = parts.gateways.named(SimulatedGateway.name)
    assert isinstance(gateway, SimulatedGateway)
    with parts.db.write() as session:
        left = queries.settlement(session, buyer, line.id).outstanding_fen
        payment_id = payments.request_payment(
            session, buyer, now, purpose=Purpose.BALANCE, lot_id=line.lot_id,
            organisation_id=line.buyer_organisation_id, amount_fen=left, currency=line.currency,
            gateway=gateway, method=Method.ALIPAY,
        )  # fmt: skip
    payment_work.pursue_now(parts, payment_id)
    gateway.act(f"sim-{payment_id}", PayerAct.SUCCEED)
    payment_work.pursue_now(parts, payment_id)
