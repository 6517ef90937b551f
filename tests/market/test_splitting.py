"""Sharing out an income: to the fen, by the stated rule, checked against the rows in force."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from market.db import Session, t
from market.deals import seed, service
from market.deals.models import PolicyRow, Receipt
from market.errors import InvalidInput, NotAllowed, NotFound
from market.permissions import Actor, Membership, Role, Via
from market.pricing import splits, splitting
from market.pricing.inputs import SplitInput
from market.pricing.models import RevenueSplit
from market.pricing.splitting import Sharer
from tests.market.test_deals import OFFICIAL, World, make_world

PARTS = ("main", "transfer", "award")
AMOUNT = st.integers(0, 10**14)


@st.composite
def shares(draw: st.DrawFn) -> tuple[int, int, int, list[Sharer]]:
    award, main = draw(st.integers(0, 1_000_000)), draw(st.integers(0, 1_000_000))
    transfer = draw(st.integers(0, 1_000_000 - main))
    people = draw(
        st.lists(st.builds(Sharer, st.just("某"), st.sampled_from(PARTS), st.integers(1, 1000)), max_size=8)
    )
    return award, main, transfer, people


@given(AMOUNT, shares())
def test_the_lines_sum_to_the_net_income_and_no_rate_is_undercut(
    net: int, terms: tuple[int, int, int, list[Sharer]]
) -> None:
    award, main, transfer, people = terms
    found = splitting.split(net, award, main, transfer, people)
    assert sum(line.fen for line in found.lines) == net
    assert all(line.fen >= 0 for line in found.lines)
    parts = {part: sum(line.fen for line in found.lines if line.part == part) for part in (*PARTS, "unit")}
    assert found.award_fen == net - parts["unit"] == sum(parts[part] for part in PARTS)
    assert 0 <= found.award_fen - Fraction(net * award, 1_000_000) < 1
    assert 0 <= parts["main"] - Fraction(found.award_fen * main, 1_000_000) < 1
    # What main rounds up may take from the transfer staff less than one fen, and no more.
    assert abs(parts["transfer"] - Fraction(found.award_fen * transfer, 1_000_000)) < 1


@given(AMOUNT, st.lists(st.integers(1, 10**6), min_size=1, max_size=30))
def test_weights_share_to_the_fen(fen: int, weights: list[int]) -> None:
    found = splitting.apportion(fen, weights)
    assert sum(found) == fen
    for share, weight in zip(found, weights, strict=True):
        assert abs(share - Fraction(fen * weight, sum(weights))) < 1
    for one, other in zip(range(len(weights)), range(1, len(weights)), strict=False):
        if weights[one] == weights[other]:
            assert found[one] in (found[other], found[other] + 1)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (dt.date(2026, 8, 31), 6, dt.date(2027, 2, 28)),
        (dt.date(2027, 8, 31), 6, dt.date(2028, 2, 29)),
        (dt.date(2026, 6, 15), 6, dt.date(2026, 12, 15)),
        (dt.date(2026, 7, 1), 6, dt.date(2027, 1, 1)),
    ],
)
def test_months_end_on_the_same_day_or_the_months_last(day: dt.date, months: int, expected: dt.date) -> None:
    assert splitting.months_after(day, months) == expected


@pytest.fixture
def world(session: Session, now: dt.datetime) -> World:
    seed.seed_policies(session)
    return make_world(session, now)


def data(**changes: object) -> SplitInput:
    values = {
        "received_on": "2026-02-28", "income_fen": 10_000_001, "costs_fen": 1_000_000, "taxes_fen": 500_000,
        "award_ppm": "70", "main_ppm": "70%", "transfer_ppm": "5.5",
        "people": [
            {"name": "张三", "part": "main", "weight": 2}, {"name": "李四", "part": "main", "weight": 1},
            {"name": "王五", "part": "transfer"},
        ],
    }  # fmt: skip
    return SplitInput.model_validate(values | changes)


def buyer(world: World) -> Actor:
    return Actor(
        world.person, "企业", Via.SESSION, (Membership(world.buyer, "泵业", Role.DEMAND_OWNER, True),)
    )


def test_a_split_is_kept_with_the_rules_it_was_checked_against(
    session: Session, now: dt.datetime, world: World
) -> None:
    officer = world.officer()
    contract = service.create_contract(session, officer, now, world.input())
    first = splits.save(session, officer, now, contract, data())
    second = splits.save(session, OFFICIAL, now, contract, data(award_ppm="60", transfer_ppm="3"))
    latest, older = splits.splits_of(session, contract)
    assert (latest.id, older.id, latest.supersedes_id) == (second, first, first)
    assert (latest.stands, older.stands) == (True, False)
    assert older.net_fen == 8_500_001 == sum(line["fen"] for line in older.lines)
    # 70 % of 8,500,001 fen is 5,950,000.7: rounded up; 70 % of that is 4,165,000.7, shared two to one.
    assert [line["fen"] for line in older.lines] == [2_776_667, 1_388_334, 327_251, 1_457_749, 2_550_000]
    assert older.terms["pay_by"] == "2026-08-28"
    assert older.terms["below"] == []
    assert latest.terms["below"] == ["split.award_share", "split.transfer_share"]
    standing = {one["name"]: one["standing"] for one in latest.terms["policies"]}
    assert standing["split.award_share"] == "local"
    assert standing["split.award_share_national"] == "law"


def test_the_least_rates_are_policy_rows(session: Session, now: dt.datetime, world: World) -> None:
    officer = world.officer()
    contract = service.create_contract(session, officer, now, world.input())
    session.execute(
        sa.update(t(PolicyRow)).where(t(PolicyRow).c.name == "split.award_share").values(value=8000)
    )
    splits.save(session, officer, now, contract, data())
    assert splits.splits_of(session, contract)[0].terms["below"] == ["split.award_share"]
    elsewhere = splits.rules_for(session, "310115", now.date())
    assert [one.policy for one in elsewhere.minimums] == ["split.award_share_national"]
    assert splits.rules_for(session, "330106", dt.date(2010, 1, 1)).minimums == ()


def test_a_split_belongs_to_a_receipt_of_the_contract(
    session: Session, now: dt.datetime, world: World
) -> None:
    officer = world.officer()
    contract = service.create_contract(session, officer, now, world.input())
    other = service.create_contract(session, officer, now, world.input(title="另一份"))
    receipts = []
    for one in (contract, other):
        row = Receipt(contract_id=one, received_on=now.date(), fen=100, technology_fen=100, entered_at=now)
        session.add(row)
        session.flush()
        assert row.id
        receipts.append(row.id)
    assert [one.id for one in splits.receipts_of(session, contract)] == [receipts[0]]
    whole = splits.save(session, officer, now, contract, data())
    splits.save(session, officer, now, contract, data(receipt_id=receipts[0]))
    assert [one.stands for one in splits.splits_of(session, contract)] == [True, True]
    again = splits.save(session, officer, now, contract, data())
    assert {one.id: one.stands for one in splits.splits_of(session, contract)}[whole] is False
    assert again != whole
    with pytest.raises(InvalidInput):
        splits.save(session, officer, now, contract, data(receipt_id=receipts[1]))


def test_the_buyer_learns_nothing_of_the_sellers_splits(
    session: Session, now: dt.datetime, world: World
) -> None:
    contract = service.create_contract(session, world.officer(), now, world.input())
    with pytest.raises(NotFound):
        splits.contract_for(session, buyer(world), contract)
    with pytest.raises(NotFound):
        splits.save(session, buyer(world), now, contract, data())
    administrator = Actor(987654, "管理员", Via.SESSION, (Membership(9, "市场", Role.ADMINISTRATOR, True),))
    with pytest.raises(NotAllowed):
        splits.save(session, administrator, now, contract, data())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"costs_fen": 10_000_000}, ("costs_fen", "costs_exceed_income")),
        ({"main_ppm": "96"}, ("transfer_ppm", "shares_exceed_award")),
        ({"transfer_ppm": "0"}, ("people.2.part", "part_gets_nothing")),
    ],
)
def test_what_cannot_be_shared_is_said_at_its_field(
    session: Session, world: World, changes: dict[str, object], problem: tuple[str, str]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        splits.work_out(session, "330106", data(**changes))
    assert problem in [found[:2] for found in refused.value.problems]


def test_a_saved_split_is_never_edited(session: Session, now: dt.datetime, world: World) -> None:
    contract = service.create_contract(session, world.officer(), now, world.input())
    split = splits.save(session, world.officer(), now, contract, data())
    with pytest.raises(sa.exc.DBAPIError), session.begin_nested():
        session.execute(sa.update(t(RevenueSplit)).where(t(RevenueSplit).c.id == split).values(net_fen=1))
