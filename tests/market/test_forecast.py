"""The forecast: what its parts are, that its range holds on histories whose truth is known, and that it can be asked again."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.clock import local_date, start_of_local_day
from market.db import Session
from market.deals import service as deals
from market.deals.inputs import ContractInput
from market.deals.models import ContractState
from market.deals.rules import Step
from market.deals.seed import seed_policies
from market.errors import InvalidInput
from market.permissions import SYSTEM
from market.statistics import counting, forecast, queries, seed, service
from market.statistics.forecast import Forecast, GdpBasis
from market.statistics.inputs import GdpReleaseInput
from market.statistics.models import AmountMeasure, Side, Vintage
from tests.market.test_statistics_properties import by_chance, caliber, seeds, world

WENLING, HANGZHOU = "331081", "330106"
MIDSUMMER = dt.date(2025, 6, 30)
EACH = 1_000
"""Fen of each contract that waits."""


@pytest.fixture(autouse=True)
def seeded(session: Session) -> None:
    seed_policies(session)
    seed.seed_statistics(session, noon(dt.date(2015, 1, 1)))


def noon(day: dt.date) -> dt.datetime:
    return start_of_local_day(day) + dt.timedelta(hours=12)


def draft_of(fen: int, signed: dt.date, seller: str = WENLING) -> ContractInput:
    return ContractInput.model_validate(
        {
            "title": "技术服务", "kind": "service", "subkind": "general_service", "seller_name": "甲",
            "seller_region": seller, "buyer_name": "乙", "buyer_region": HANGZHOU, "deal_fen": fen,
            "technical_field": "advanced_manufacturing", "signed_on": signed,
        }
    )  # fmt: skip


def enter(session: Session, day: dt.date, fen: int) -> None:
    """Registered elsewhere, known here on the same day."""
    deals.enter_registered(session, SYSTEM, noon(day), draft_of(fen, day), registered_on=day)


def submit(session: Session, day: dt.date, fen: int = EACH, seller: str = WENLING) -> int:
    found = deals.create_contract(session, SYSTEM, noon(day), draft_of(fen, day, seller))
    deals.step(session, SYSTEM, noon(day) + dt.timedelta(hours=1), found, Step.SUBMIT)
    return found


def register(session: Session, contract_id: int, day: dt.date) -> None:
    deals.step(session, SYSTEM, noon(day), contract_id, Step.ACCEPT)
    deals.step(session, SYSTEM, noon(day) + dt.timedelta(hours=1), contract_id, Step.REGISTER)


def live_through(session: Session, years: Mapping[int, tuple[int, int, int]]) -> None:
    """Of each year: fen entered by midsummer and after it, and how many of four that wait are registered in it."""
    for year, (before, after, came) in years.items():
        if before:
            enter(session, dt.date(year, 3, 1), before)
        waiting = [submit(session, dt.date(year, 5, 4 + number)) for number in range(4)]
        for contract_id in waiting[:came]:
            register(session, contract_id, dt.date(year, 9, 10))
        if after:
            enter(session, dt.date(year, 10, 9), after)


def ask(session: Session, day: dt.date = MIDSUMMER, code: str = "C1") -> Forecast:
    return forecast.forecast(session, queries.caliber(session, code), at=counting.end_of_day(day))


def test_its_parts_are_what_the_model_says(session: Session) -> None:
    live_through(
        session, {2022: (10_000, 5_000, 1), 2023: (20_000, 20_000, 2), 2024: (10_000, 8_000, 3), 2025: (40_000, 0, 0)}
    )  # fmt: skip
    found = ask(session)
    assert (found.year, found.registered_fen, found.registered_count) == (2025, 40_000, 1)
    stages = {stage.state: stage for stage in found.stages if stage.count or stage.waited}
    # Those that stayed behind in one year have gone stale by the next year's May, not by its midsummer.
    assert list(stages) == [ContractState.SUBMITTED]
    stage = stages[ContractState.SUBMITTED]
    assert (stage.count, stage.fen, stage.waited, stage.came) == (4, 4_000, 12, 6)
    assert found.expected_fen == 4_000 * 7 // 14
    assert [
        (one.year, one.by_day_fen, one.whole_fen, one.came_fen, one.beyond_fen) for one in found.earlier
    ] == [
        (2022, 10_000, 16_000, 1_000, 20_000),
        (2023, 20_000, 42_000, 2_000, 40_000),
        (2024, 10_000, 21_000, 3_000, 32_000),
    ]
    assert (found.low_fen, found.mid_fen, found.high_fen) == (
        40_000 + 1_000 + 20_000, 40_000 + 2_000 + 32_000, 40_000 + 3_000 + 40_000,
    )  # fmt: skip


RATES = ((2, 1), (9, 2), (5, 3))
"""Of three earlier years: tenths of what was entered by midsummer that came after it, and how many of four that waited."""


@pytest.mark.parametrize("order", list(itertools.permutations(RATES)))
@pytest.mark.parametrize(("tenths", "came"), [(2, 3), (9, 1), (5, 2), (7, 2), (3, 3)])
def test_the_range_holds_a_year_that_goes_on_like_those_before(
    session: Session, order: tuple[tuple[int, int], ...], tenths: int, came: int
) -> None:
    lived = {
        2022 + place: (base, base * rate // 10, number)
        for place, (base, (rate, number)) in enumerate(zip((70_000, 30_000, 110_000), order, strict=True))
    }
    live_through(session, lived | {2025: (50_000, 50_000 * tenths // 10, came)})
    then = ask(session)
    truth = ask(session, dt.date(2025, 12, 31)).registered_fen
    assert truth == 50_000 + 5_000 * tenths + EACH * came
    assert then.registered_fen <= then.low_fen <= truth <= then.high_fen
    assert then.mid_fen is not None
    assert then.low_fen <= then.mid_fen <= then.high_fen
    told = ask(session, dt.date(2025, 12, 31))
    assert told.low_fen >= truth


def test_thin_history_gives_no_middle_and_what_waits_as_its_range(session: Session) -> None:
    live_through(session, {2023: (10_000, 5_000, 1), 2024: (10_000, 5_000, 1), 2025: (40_000, 0, 0)})
    found = ask(session)
    assert (found.low_fen, found.mid_fen, found.high_fen, found.beyond_fen) == (40_000, None, 44_000, 0)


def test_thin_history_and_nothing_that_waits_is_what_is_registered(session: Session) -> None:
    enter(session, dt.date(2025, 3, 1), 7_000)
    found = ask(session)
    assert (found.low_fen, found.mid_fen, found.high_fen) == (7_000, None, 7_000)
    assert (found.waiting_count, found.waiting_fen) == (0, 0)


def test_nothing_registered_yet_is_no_ground_for_a_middle(session: Session) -> None:
    live_through(session, dict.fromkeys((2022, 2023, 2024), (10000, 5000, 1)))
    found = ask(session, dt.date(2025, 2, 1))
    assert found.mid_fen is None
    assert found.low_fen == 0


def test_of_years_whose_waiting_is_unknown_all_that_came_counts_less_what_waits_now(session: Session) -> None:
    for year in (2022, 2023, 2024):
        enter(session, dt.date(year, 3, 1), 10_000)
        enter(session, dt.date(year, 10, 9), 5_000)
    enter(session, dt.date(2025, 3, 1), 10_000)
    submit(session, dt.date(2025, 5, 4), 2_000)
    found = ask(session)
    assert [one.came_fen for one in found.earlier] == [None, None, None]
    assert found.expected_fen == 1_000
    assert (found.low_fen, found.mid_fen, found.high_fen) == (14_000, 15_000, 16_000)


def test_only_what_the_caliber_would_count_waits(session: Session) -> None:
    submit(session, dt.date(2025, 5, 4), 2_000)
    submit(session, dt.date(2025, 5, 5), 3_000, seller=HANGZHOU)
    assert ask(session).waiting_fen == 2_000
    assert ask(session, code="C3").waiting_fen == 0
    for code in ("C6", "C7"):
        with pytest.raises(InvalidInput):
            ask(session, code=code)


def test_a_past_moment_knows_nothing_of_later_steps(session: Session) -> None:
    live_through(
        session, {2022: (10_000, 5_000, 1), 2023: (20_000, 20_000, 2), 2024: (10_000, 8_000, 3), 2025: (40_000, 0, 0)}
    )  # fmt: skip
    before = ask(session)
    found = forecast.waiting(session, queries.caliber(session), before.at, known=before.at)
    register(session, found[0].id, dt.date(2025, 7, 1))
    deals.step(session, SYSTEM, noon(dt.date(2025, 7, 2)), found[1].id, Step.REFUSE, reason="不属于技术合同")
    # Entered later with days before: known only since then.
    late = dt.date(2025, 8, 1)
    deals.enter_registered(
        session, SYSTEM, noon(late), draft_of(9_000, dt.date(2025, 2, 2)),
        registered_on=dt.date(2025, 7, 20), submitted_on=dt.date(2025, 2, 3), accepted_on=dt.date(2025, 2, 4),
    )  # fmt: skip
    again = ask(session)
    assert replace(again, known_at=before.known_at) == before
    after = ask(session, dt.date(2025, 8, 2))
    assert (after.registered_fen, after.waiting_fen) == (40_000 + 1_000 + 9_000, 2_000)


def test_what_has_not_moved_for_a_year_no_longer_waits(session: Session) -> None:
    submit(session, dt.date(2024, 6, 29), 5_000)
    submit(session, dt.date(2024, 7, 2), 3_000)
    assert ask(session).waiting_fen == 3_000


@pytest.mark.parametrize(
    ("values", "basis", "fen"),
    [
        ({}, GdpBasis.LAST, 14_176_300_000_000),
        ({2025: 15_000}, GdpBasis.OWN, 15_000),
        ({2022: 10_000, 2023: 11_000}, GdpBasis.GROWN, None),
    ],
)
def test_the_gdp_is_the_year_s_own_or_the_last_one_grown(
    session: Session, values: dict[int, int], basis: GdpBasis, fen: int | None
) -> None:
    for year, value in values.items():
        data = GdpReleaseInput(
            region_code=WENLING, year=year, vintage=Vintage.FINAL, value_fen=value,
            published_on=dt.date(year + 1, 1, 15), source="统计公报",
        )  # fmt: skip
        service.add_gdp_release(session, SYSTEM, noon(dt.date(2026, 1, 20)), data)
    found = forecast.gdp_of(
        queries.releases(session, WENLING), 2025, dt.date(2026, 2, 1), noon(dt.date(2026, 2, 1))
    )
    assert found.basis is basis
    if basis is GdpBasis.GROWN:
        # 11,000 / 10,000 and the seed's 2024 / 11,000: the median of two is their mean.
        assert found.growth is not None
        assert found.fen == int(14_176_300_000_000 * (1 + found.growth))
    else:
        assert found.fen == fen


def test_without_any_gdp_there_are_amounts_and_no_share() -> None:
    none = forecast.gdp_of([], 2025, MIDSUMMER, noon(MIDSUMMER))
    assert (none.basis, none.fen) == (GdpBasis.NONE, 0)


def test_the_target_is_held_against_the_gdp_and_rounded_up(session: Session) -> None:
    found = ask(session)
    assert found.needed_fen == 14_176_300_000_000 // 50
    assert found.share(found.needed_fen) == queries.rules.share(2, 100)


@given(seeds, st.sampled_from([AmountMeasure.DEAL, AmountMeasure.TECHNOLOGY]), st.sampled_from(list(Side)))
@by_chance
def test_in_registers_made_by_chance_its_order_holds_and_it_can_be_asked_again(
    session: Session, seed: int, measure: AmountMeasure, side: Side
) -> None:
    with world(session, seed) as one:
        counted = caliber(measure=measure, side=side, region_code="330000")
        told = []
        for number in range(16):
            one.step()
            if number % 3 == 1:
                data = draft_of(one.chance.randint(1, 10**9), local_date(one.now))
                deals.create_contract(session, SYSTEM, one.now, data)
            if number % 5 == 4:
                told.append(forecast.forecast(session, counted, at=one.now))
        for found in told:
            again = forecast.forecast(session, counted, at=found.at)
            assert replace(again, known_at=found.known_at) == found
            middle = found.low_fen if found.mid_fen is None else found.mid_fen
            assert found.registered_fen <= found.low_fen <= middle <= found.high_fen
            amounts = (
                found.low_fen,
                middle,
                found.high_fen,
                found.expected_fen,
                found.beyond_fen,
                found.gdp.fen,
            )
            assert all(type(fen) is int for fen in amounts)
