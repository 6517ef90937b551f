"""What the public is told of a running quarter: steps of three contracts, of every quarter that they count for."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from market.clock import local_date
from market.db import Session
from market.statistics import queries, rules
from market.statistics.counting import Held
from market.statistics.models import AmendmentRule, AmountMeasure, DatedBy, Side
from tests.market.test_statistics_properties import by_chance, caliber, seeds, world

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SPRING, SUMMER = dt.date(2026, 2, 3), dt.date(2026, 6, 30)


def move(
    minute: int, contract_id: int, day: dt.date = SPRING, contracts: int = 1, fen: int = 100
) -> rules.Move:
    return rules.Move(at(minute), day, contract_id, contracts, fen)


def at(minute: int) -> dt.datetime:
    return BEGIN + dt.timedelta(minutes=minute)


def test_nothing_moves_before_three_contracts_did() -> None:
    moves = [move(1, 1), move(2, 1, contracts=0), move(3, 2)]
    assert rules.told(moves, BEGIN) == {(2026, 1): BEGIN}
    assert rules.told([*moves, move(4, 3)], BEGIN) == {}
    assert rules.told([*moves, move(4, 3), move(5, 1, contracts=0)], BEGIN) == {(2026, 1): at(4)}


def test_what_came_and_went_is_no_contract_of_a_step() -> None:
    moves = [move(1, 1), move(2, 1, contracts=-1, fen=-100), move(3, 2), move(4, 3)]
    assert rules.told(moves[:2], BEGIN) == {}
    assert rules.told(moves, BEGIN) == {(2026, 1): BEGIN}
    assert rules.told([*moves, move(5, 4)], BEGIN) == {}


def test_what_is_recorded_together_is_told_together() -> None:
    moves = [*(move(1, number) for number in range(5)), move(2, 5), move(3, 6)]
    assert rules.told(moves, BEGIN) == {(2026, 1): at(1)}


def test_each_quarter_waits_for_its_own() -> None:
    moves = [move(1, 1), move(2, 2, SUMMER), move(3, 3), move(4, 4)]
    assert rules.told(moves, BEGIN) == {(2026, 2): BEGIN}
    assert rules.quarter_of(dt.date(2026, 12, 31)) == (2026, 4)


@given(
    seeds,
    st.sampled_from(list(AmountMeasure)),
    st.sampled_from(list(Side)),
    st.sampled_from([DatedBy.REGISTRATION, DatedBy.EFFECT]),
    st.sampled_from(list(AmendmentRule)),
)
@by_chance
def test_two_totals_that_the_public_sees_in_a_quarter_differ_by_three_contracts_or_none(
    session: Session, seed: int, measure: AmountMeasure, side: Side, day: DatedBy, amendments: AmendmentRule
) -> None:
    counted = caliber(measure=measure, side=side, dated_by=day, amendments=amendments, region_code="330000")
    periods = [rules.Period(year, quarter) for year in (2023, 2024, 2025) for quarter in (1, 2, 3, 4)]

    def seen(now: dt.datetime, held: tuple[Held, ...]) -> dict[rules.Period, dict[int, int]]:
        found = {}
        for period in periods:
            figure = queries.figure(
                session,
                counted,
                period.year,
                period.quarter,
                as_of=local_date(now),
                at=now,
                dimensions=(),
                held=held,
            )
            listed = {one.id: one.fen for one in queries.all_contracts(session, figure)}
            assert sum(listed.values()) == figure.numerator_fen
            found[period] = listed
        return found

    with world(session, seed) as one:
        one.enter_many(4)
        before: dict[rules.Period, dict[int, int]] = {}
        quarter = None
        for _ in range(14):
            one.step()
            if rules.quarter_of(local_date(one.now)) != quarter:
                before, quarter = {}, rules.quarter_of(local_date(one.now))
            held = queries.held_back(session, counted, one.now)
            now = seen(one.now, held)
            for period, was in before.items():
                told = now[period]
                moved = {key for key in {*was, *told} if was.get(key) != told.get(key)}
                assert len(moved) == 0 or len(moved) >= rules.SMALL_CELL
            before = now
        if len(held) == 1:
            assert now == seen(one.now, ())
