"""The plan's Table 1: as printed, values only added, the line exact, states."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import pytest
import sqlalchemy as sa

from market.db import Session, t
from market.errors import InvalidInput, NotAllowed, NotFound
from market.permissions import Actor, Membership, Role, Via
from market.statistics import plan, seed
from market.statistics.inputs import PlanValueInput
from market.statistics.models import PlanTarget
from market.statistics.plan import PlanState

OFFICIAL = Actor(None, "官员", Via.SESSION, (Membership(999, "科技局", Role.OFFICIAL, True),))
STAFF = Actor(1, "工作人员", Via.SESSION, (Membership(998, "市场", Role.STAFF, True),))

PRINTED = [
    ("28.2", "58"), ("2.0", "3.3"), ("110", "130"), ("2.6", "3.5"), ("18", "50"), ("276", "560"),
    ("1283", "1800"), ("5", "7"), ("—", "2"), ("2.6", "10"), ("—", "4.5"), ("68.8", "72"), ("—", "2"),
    ("4", "8"), ("4", "8"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def seeded(session: Session, now: dt.datetime) -> None:
    seed.seed_statistics(session, now)


def value(indicator: str, year: int, number: str) -> PlanValueInput:
    return PlanValueInput.model_validate(
        {"indicator": indicator, "year": year, "value": number, "source": "统计公报"}
    )


def test_the_table_stands_as_printed_with_its_two_disagreements(session: Session, now: dt.datetime) -> None:
    found = plan.indicators(session)
    assert [(one.base_text, one.target_text) for one in found] == PRINTED
    assert {one.base_year for one in found} == {2020}
    assert {one.target_year for one in found} == {2025}
    assert [one.position for one in found] == list(range(1, 16))
    noted = {one.code for one in found if "不一致" in one.note}
    assert noted == {"rd_expenditure", "rd_gdp_share", "rd_revenue_share", "digital_core_share"}
    seed.seed_statistics(session, now)
    assert len(plan.indicators(session)) == 15


def test_a_target_stored_before_gets_its_row_and_keeps_its_value(session: Session, now: dt.datetime) -> None:
    c = t(PlanTarget).c
    session.execute(
        sa.update(t(PlanTarget))
        .where(c.indicator == "technology_transactions_gdp_share")
        .values(position=0, name="", base_value="", base_year=None, value="2.1")
    )
    seed.seed_statistics(session, now)
    one = plan.indicator(session, "technology_transactions_gdp_share")
    assert (one.position, one.name, one.base_text, one.target_text) == (
        9, "技术交易总额相当于地区生产总值比重", "—", "2.1"
    )  # fmt: skip


def test_a_correction_is_a_new_entry_and_the_newest_counts(session: Session, now: dt.datetime) -> None:
    for number in ("40", "41.5"):
        plan.add_value(session, OFFICIAL, now, value("rd_expenditure", 2022, number))
    plan.add_value(session, OFFICIAL, now, value("rd_expenditure", 2021, "30"))
    one = plan.indicator(session, "rd_expenditure")
    assert [(entry.year, entry.value, entry.counts) for entry in one.entries] == [
        (2021, Decimal(30), True), (2022, Decimal(40), False), (2022, Decimal("41.5"), True)
    ]  # fmt: skip
    assert one.newest is not None
    assert one.newest.value == Decimal("41.5")
    assert one.way == Fraction("13.3") / Fraction("29.8")
    assert one.state is PlanState.ON_PATH


def test_the_line_is_exact_and_flat_outside() -> None:
    line = [plan.on_line(2020, Decimal("28.2"), 2025, Decimal(58), year) for year in range(2019, 2027)]
    assert line[0] == line[1] == Fraction(141, 5)
    assert line[2] == Fraction("34.16")
    assert line[-1] == line[-2] == 58
    assert plan.on_line(2025, Decimal(1), 2025, Decimal(2), 2025) == 2


@pytest.mark.parametrize(
    ("number", "path", "found"),
    [
        ("58", Fraction(30), PlanState.REACHED),
        ("30", Fraction(30), PlanState.ON_PATH),
        ("29.9999", Fraction(30), PlanState.BEHIND),
        ("57", None, PlanState.NO_PATH),
    ],
)
def test_states(number: str, path: Fraction | None, found: PlanState) -> None:
    assert plan.state(Decimal(number), Decimal(58), path) is found


def test_without_a_value_nothing_is_judged(session: Session, now: dt.datetime) -> None:
    assert {one.state for one in plan.indicators(session)} == {PlanState.NO_VALUE}
    plan.add_value(session, OFFICIAL, now, value("technology_transactions_gdp_share", 2024, "1.2"))
    one = plan.indicator(session, "technology_transactions_gdp_share")
    assert (one.state, one.path(2024), one.way) == (PlanState.NO_PATH, None, None)


def test_who_may_enter_what(session: Session, now: dt.datetime) -> None:
    with pytest.raises(NotAllowed):
        plan.add_value(session, STAFF, now, value("rd_expenditure", 2022, "1"))
    with pytest.raises(NotFound):
        plan.add_value(session, OFFICIAL, now, value("unknown", 2022, "1"))
    for year in (2019, now.year):
        with pytest.raises(InvalidInput) as refused:
            plan.add_value(session, OFFICIAL, now, value("rd_expenditure", year, "1"))
        assert refused.value.problems[0][:2] == ("year", "year_not_over")
