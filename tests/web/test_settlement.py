"""What follows from the end of a lot happens once, however often and however late the work runs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from auctions.models import Lot
from auctions.rules.state import LotState
from market.clock import FixedClock
from market.db import Database, t
from market.deals.models import Contract
from market.listings.models import Result
from market.payments import ledger
from market.payments.gateway import Gateways
from market.payments.models import Deposit
from market.payments.simulated import SimulatedGateway
from market.permissions import Role
from market.settlements import queries
from market.work import Claimed
from tests import factories
from tests.paying import put_down, work_off
from web import settlement


def end_of_lot(database: Database, clock: FixedClock, state: LotState) -> tuple[int, dict[int, int]]:
    """A lot that ended, its winner first; two deposits held: (lot, organisation → deposit)."""
    now = clock.now()
    market = factories.fill(database, now, results_=2, demands_=1, lots_=1, bids=2)
    lot_id = market.lots[0]
    with database.write() as session:
        other = factories.organisations(session, now, "firm", 1, 70_000)[0]
        bidders = [market.accounts[Role.BIDDER], factories.account(session, now, other, Role.BIDDER, 700)]
        session.execute(
            sa.update(t(Lot))
            .where(t(Lot).c.id == lot_id)
            .values(
                state=state.value, winner_organisation_id=bidders[0].organisation_id, hammer_fen=1_010_000,
                closed_at=now,
            )
        )  # fmt: skip
    deposits = {
        one.organisation_id: put_down(database, clock, one.actor, lot_id, one.organisation_id, 50_000)
        for one in bidders
    }
    return lot_id, deposits


def settle(
    database: Database, clock: FixedClock, lot_id: int, times: int, forfeiting: tuple[int, ...] = ()
) -> None:
    handle = settlement.handler(database, clock)
    for number in range(times):
        handle(Claimed(number, settlement.KIND, {"lot_id": lot_id, "forfeiting": list(forfeiting)}, 1))
        work_off(database, clock, Gateways((SimulatedGateway(database, clock),)))


def states(database: Database, deposits: dict[int, int]) -> list[str]:
    with database.read() as session:
        d = t(Deposit).c
        found: Any = session.execute(sa.select(d.id, d.state).where(d.id.in_(deposits.values())))
        by_id = {row.id: row.state for row in found}
    return [by_id[deposit] for deposit in deposits.values()]


def test_an_envelope_left_unopened_may_cost_the_deposit(database: Database, clock: FixedClock) -> None:
    lot_id, deposits = end_of_lot(database, clock, LotState.SOLD)
    winner, loser = deposits
    settle(database, clock, lot_id, 2, forfeiting=(loser,))
    assert states(database, deposits) == ["held", "forfeited"]
    with database.read() as session:
        balances = ledger.balances(session)
        assert balances[f"forfeited:{lot_id}:market", "CNY"] == 50_000
        assert sum(balances.values()) == 0
    assert winner != loser


def test_a_sale_is_settled_once(database: Database, clock: FixedClock) -> None:
    lot_id, deposits = end_of_lot(database, clock, LotState.SOLD)
    settle(database, clock, lot_id, 3)
    assert states(database, deposits) == ["held", "released"]
    with database.read() as session:
        drafts = session.execute(
            sa.select(t(Contract).c.deal_fen).where(t(Contract).c.source_lot_id == lot_id)
        ).all()
        assert [row.deal_fen for row in drafts] == [1_010_000]
        assert sum(ledger.balances(session).values()) == 0
        result_id = session.scalar(sa.select(t(Lot).c.result_id).where(t(Lot).c.id == lot_id))
        state = session.scalar(sa.select(t(Result).c.state).where(t(Result).c.id == result_id))
    assert state == "concluded"


@pytest.mark.parametrize("times", [1, 2])
def test_a_defaulter_gets_nothing_back_by_itself(database: Database, clock: FixedClock, times: int) -> None:
    lot_id, deposits = end_of_lot(database, clock, LotState.DEFAULTED)
    settle(database, clock, lot_id, times)
    assert states(database, deposits) == ["held", "released"]


def test_nobody_wins_what_was_passed_in(database: Database, clock: FixedClock) -> None:
    lot_id, deposits = end_of_lot(database, clock, LotState.PASSED_IN)
    settle(database, clock, lot_id, 2)
    assert states(database, deposits) == ["released", "released"]


def test_a_default_puts_the_result_on_offer_again(database: Database, clock: FixedClock) -> None:
    lot_id, _ = end_of_lot(database, clock, LotState.SOLD)
    settle(database, clock, lot_id, 1)
    with database.write() as session:
        lot = session.get(Lot, lot_id)
        assert lot is not None
        result = session.get(Result, lot.result_id)
        assert result is not None
        assert result.state == "concluded"
        lot.state = LotState.DEFAULTED.value
        session.add(lot)
    settle(database, clock, lot_id, 2)
    with database.read() as session:
        again = session.get(Result, lot.result_id)
        assert again is not None
        assert again.state == "published"


def test_deposits_go_back_within_the_hours_that_the_terms_promise(
    database: Database, clock: FixedClock
) -> None:
    lot_id, deposits = end_of_lot(database, clock, LotState.SOLD)
    with database.write() as session:
        lot = session.get_one(Lot, lot_id)
        lot.terms = {**lot.terms, "settlement": {**lot.terms["settlement"], "refund_hours": 7}}
    settlement.handler(database, clock)(Claimed(1, settlement.KIND, {"lot_id": lot_id, "forfeiting": []}, 1))
    _, loser = deposits.values()
    with database.read() as session:
        assert session.get_one(Deposit, loser).release_by == clock.now() + dt.timedelta(hours=7)
        [line] = queries.of_lot(session, lot_id)
        assert (line.state.value, line.price_fen) == ("open", 1_010_000)
