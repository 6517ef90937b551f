"""What every figure keeps to, whatever happened in the register: sums, single counting, periods, moments.

Registers are made by chance through the register's own verbs (`worlds`), and each figure is counted once more
from contracts, events and receipts (`recounting`), which knows nothing of movements.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from market.clock import local_date
from market.db import Database, Session
from market.deals.rules import Step
from market.statistics import counting, queries
from market.statistics.counting import CaliberRow, Scope
from market.statistics.models import AmendmentRule, AmountMeasure, DatedBy, Side
from market.statistics.queries import Figure
from market.statistics.rules import Dimension, caliber_problem
from tests.conftest import make_database
from tests.market.recounting import lives, recount
from tests.market.worlds import World

STATES = (
    ("registered",),
    ("registered", "deregistered"),
    ("registered", "deregistered", "revoked"),
    ("revoked",),
)
YEARS = range(2021, 2027)
ALWAYS = (dt.date(1990, 1, 1), dt.date(2100, 12, 31))


def caliber(**changes: Any) -> CaliberRow:
    values: dict[str, Any] = {
        "id": 1, "code": "T1", "version": 1, "name": "口径", "name_en": "", "measure": AmountMeasure.DEAL,
        "side": Side.SELLER, "region_code": "331081", "states": ("registered",),
        "dated_by": DatedBy.REGISTRATION, "amendments": AmendmentRule.RESTATE, "is_default": False,
        "valid_from": dt.date(2021, 1, 1), "valid_to": None, "note": "", "note_en": "",
    }  # fmt: skip
    return CaliberRow(**values | changes)


CALIBERS = [
    caliber(
        measure=measure,
        side=side,
        dated_by=dated_by,
        amendments=amendments,
        states=states,
        region_code=region,
    )
    for measure, side, dated_by, amendments, states, region in itertools.product(
        AmountMeasure, Side, DatedBy, AmendmentRule, STATES, ("331081", "331000", "330000")
    )
    if caliber_problem(measure, dated_by) is None
]

by_chance = settings(
    max_examples=6,
    deadline=None,
    # A smaller seed is no smaller register.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
seeds = st.integers(0, 10**6)
few_calibers = st.lists(st.sampled_from(CALIBERS), min_size=4, max_size=4, unique_by=id)


@contextmanager
def world(session: Session, seed: int) -> Iterator[World]:
    """A register that is forgotten afterwards."""
    nested = session.begin_nested()
    try:
        yield World(session, random.Random(seed))
    finally:
        nested.rollback()
        session.expire_all()


def ask(session: Session, counted: CaliberRow, year: int, at: dt.datetime) -> Figure:
    return queries.figure(session, counted, year, as_of=local_date(at), at=at)


def cells(figure: Figure) -> dict[str, dict[str, tuple[int, int | None]]]:
    return {
        dimension.value: {cell.key: (cell.count, cell.fen) for cell in found}
        for dimension, found in figure.cells.items()
        if found
    }


def agrees(session: Session, counted: CaliberRow, year: int, at: dt.datetime, found: list[Any]) -> None:
    """A figure is what counting once more gives, down to each contract."""
    figure = ask(session, counted, year, at)
    again = recount(found, counted, figure.period.first, figure.period.last, at)
    assert (figure.numerator_fen, figure.contract_count) == (again.fen, again.count), (counted, year)
    assert cells(figure) == again.cells, (counted, year)
    listed = list(queries.all_contracts(session, figure))
    assert {one.id: one.fen for one in listed} == again.contracts
    kinds = {life.row.id: life.kind(at) for life in found if life.known <= at}
    assert all((one.kind, one.subkind) == kinds[one.id] for one in listed)
    assert len(listed) == len(again.contracts)
    assert all(type(one.fen) is int for one in listed)


@given(seeds, few_calibers)
@by_chance
def test_every_figure_is_what_counting_once_more_gives(
    session: Session, seed: int, counted: list[CaliberRow]
) -> None:
    with world(session, seed) as one:
        moments = [one.now]
        for _ in range(14):
            one.step()
            moments.append(one.now)
        found = lives(session, one.kinds)
        for at in (moments[-1], one.chance.choice(moments)):
            for which in counted:
                agrees(session, which, one.chance.choice(YEARS), at, found)


@given(seeds, few_calibers)
@by_chance
def test_breakdowns_sum_to_the_whole_and_cells_to_their_contracts(
    session: Session, seed: int, counted: list[CaliberRow]
) -> None:
    with world(session, seed) as one:
        for _ in range(14):
            one.step()
        for which in counted:
            figure = ask(session, which, one.chance.choice((2024, 2025)), one.now)
            for dimension in Dimension:
                held = figure.cells[dimension]
                assert sum(cell.fen or 0 for cell in held) == figure.numerator_fen
                if which.measure is not AmountMeasure.RECEIVED:
                    assert sum(cell.count for cell in held) == figure.contract_count
                for cell in held:
                    number, fen = queries.total(session, figure, {dimension: cell.key})
                    assert fen == cell.fen
                    assert number == cell.touched
                    assert number == cell.count or which.amendments is AmendmentRule.WHEN_CHANGED


@given(seeds, few_calibers)
@by_chance
def test_no_contract_counts_twice_and_the_union_is_out_and_in_less_local(
    session: Session, seed: int, counted: list[CaliberRow]
) -> None:
    with world(session, seed) as one:
        for _ in range(14):
            one.step()
        for which in counted:
            sides = {}
            for side in Side:
                each = caliber(**{**vars(which), "side": side})
                whole, by = counting.summed(session, Scope(each, *ALWAYS, one.now))
                listed = list(counting.all_contracts(session, Scope(each, *ALWAYS, one.now), {}))
                assert len({row.id for row in listed}) == len(listed)
                if which.measure is not AmountMeasure.RECEIVED:
                    amounts = {
                        row.id: row.deal_fen if which.measure is AmountMeasure.DEAL else row.technology_fen
                        for row in listed
                    }
                    assert {row.id: row.fen for row in listed} == amounts
                    assert whole.count == len(listed)
                flows = {cell.key: (cell.count, cell.fen or 0) for cell in by[Dimension.FLOW]}
                sides[side] = (whole.count, whole.fen or 0), flows.get("local", (0, 0))
            (union, in_union), (out, local), (absorbed, also) = (
                sides[Side.EITHER], sides[Side.SELLER], sides[Side.BUYER],
            )  # fmt: skip
            assert local == also == in_union
            assert union == tuple(a + b - c for a, b, c in zip(out, absorbed, local, strict=True))


@given(seeds, st.sampled_from([Step.AMEND, Step.DEREGISTER]), st.sampled_from(list(DatedBy)[:3]))
@by_chance
def test_a_change_counts_in_exactly_the_periods_that_the_caliber_says(
    session: Session, seed: int, what: Step, dated_by: DatedBy
) -> None:
    with world(session, seed) as one:
        for _ in range(8):
            one.step()
        changed = one.chance.choice(one.open) if one.open else one.enter()
        one.now += dt.timedelta(days=one.chance.choice((1, 400)))
        (region,) = (life.row.seller_region for life in lives(session, one.kinds) if life.row.id == changed)
        pairs = {
            rule: caliber(region_code=region, dated_by=dated_by, amendments=rule) for rule in AmendmentRule
        }
        before = {
            (rule, year): ask(session, which, year, one.now)
            for rule, which in pairs.items()
            for year in YEARS
        }
        if what is Step.AMEND:
            one.amend(changed)
        else:
            one.end(changed)
        (life,) = [life for life in lives(session, one.kinds) if life.row.id == changed]
        own = {
            DatedBy.REGISTRATION: life.row.registered_on,
            DatedBy.SIGNING: life.row.signed_on,
            DatedBy.EFFECT: life.row.effective_on or life.row.signed_on,
        }[dated_by]
        said = {AmendmentRule.RESTATE: own.year, AmendmentRule.WHEN_CHANGED: local_date(one.now).year}
        stood = [life.first[0], *(deal for _, deal, _ in life.amended)]
        difference = stood[-1] - stood[-2] if what is Step.AMEND else -stood[-1]
        for rule, which in pairs.items():
            for year in YEARS:
                was, now = before[rule, year], ask(session, which, year, one.now)
                moved = difference if year == said[rule] else 0
                ended = -1 if what is not Step.AMEND and year == said[rule] else 0
                assert now.numerator_fen - was.numerator_fen == moved, (rule, year)
                assert now.contract_count - was.contract_count == ended, (rule, year)


@given(seeds, few_calibers)
@by_chance
def test_an_answer_as_of_a_moment_never_changes(
    session: Session, seed: int, counted: list[CaliberRow]
) -> None:
    with world(session, seed) as one:
        told: list[tuple[CaliberRow, int, Figure, list[Any]]] = []
        for _ in range(12):
            one.step()
            if one.chance.random() < 0.3:
                one.now -= dt.timedelta(days=50)  # a clock that was set back
            which, year = one.chance.choice(counted), one.chance.choice((2024, 2025))
            figure = ask(session, which, year, one.now + dt.timedelta(days=one.chance.choice((-30, 0, 30))))
            told.append((which, year, figure, list(queries.all_contracts(session, figure))))
        for which, year, figure, listed in told:
            again = queries.figure(session, which, year, as_of=figure.as_of, at=figure.known_at)
            assert (again.numerator_fen, again.contract_count) == (
                figure.numerator_fen,
                figure.contract_count,
            )
            assert (again.cells, again.denominator) == (figure.cells, figure.denominator)
            assert list(queries.all_contracts(session, again)) == listed


SHIPPED = [
    caliber(measure=measure, side=side)
    for measure, side in (
        (AmountMeasure.DEAL, Side.SELLER), (AmountMeasure.TECHNOLOGY, Side.SELLER),
        (AmountMeasure.DEAL, Side.BUYER), (AmountMeasure.DEAL, Side.EITHER),
        (AmountMeasure.TECHNOLOGY, Side.EITHER),
    )
]  # fmt: skip


def grow(database: Database, seed: int, contracts: int, together: int) -> None:
    """A world of so many contracts, some entered together, two of five with another step; as of its end and of a
    moment before, every figure under C1 to C5 and three calibers drawn by lot is what counting once more gives."""
    moments = []
    chance = random.Random(seed)
    with database.write() as session:
        one = World(session, chance)
        while len(one.ids) < contracts:
            one.now += dt.timedelta(minutes=chance.randint(1, 900))
            number = min(together, contracts - len(one.ids))
            if number > 1:
                one.enter_many(number)
            else:
                one.enter()
            for _ in range(number):
                if chance.random() < 0.4:
                    one.now += dt.timedelta(minutes=chance.randint(1, 900))
                    what = chance.choice((one.amend, one.amend, one.amend, one.end, one.receive, one.receive))
                    what(chance.choice(one.open))
                    moments.append(one.now)
            if chance.random() < 0.05 * number:
                # Never at the moment of another step: which came first would be anybody's guess.
                one.now += dt.timedelta(minutes=1)
                one.reverse(chance.choice(one.ids))
            moments.append(one.now)
    with database.read() as session:
        found = lives(session, one.kinds)
        assert len(found) == contracts
        assert any(life.amended for life in found)
        for at in (moments[-1], chance.choice(moments)):
            for which in (*SHIPPED, *chance.sample(CALIBERS, 3)):
                agrees(session, which, chance.randint(2023, local_date(at).year), at, found)


def test_a_larger_world_agrees_to_the_fen(database: Database) -> None:
    grow(database, 1, 150, 1)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(50))
def test_worlds_of_two_thousand_contracts_agree_to_the_fen(
    seed: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Every other world on PostgreSQL."""
    for database in make_database(("sqlite", "postgresql")[seed % 2], request, tmp_path):
        grow(database, seed, 2000, 40)
