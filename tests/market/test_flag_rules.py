"""What the rules find, at the edge of each threshold and on both sides of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.deals.models import ContractSource, ContractState
from market.scrutiny import flag_rules as rules
from market.scrutiny.flag_rules import Party, Seen
from market.scrutiny.models import FlagKind

VALUES = {
    rules.DUPLICATE_TITLE: 80,
    rules.DUPLICATE_AMOUNT: 500,
    rules.DUPLICATE_DAYS: 60,
    rules.CYCLE_DAYS: 365,
    rules.YEAR_END_DAYS: 10,
    rules.ROUND_UNIT: 10_000_000,
    rules.ROUND_FROM: 100_000_000,
    rules.YOUNG_DAYS: 365,
    rules.YOUNG_FROM: 100_000_000,
    rules.NO_RECEIPT_DAYS: 180,
}
TODAY = dt.date(2026, 3, 2)
A, B, C = Party(1, "甲大学"), Party(2, "乙泵业"), Party(None, "丙公司")
BASE = Seen(
    id=1, title="高效离心泵水力模型技术开发", seller=A, buyer=B, deal_fen=20_000_000, signed_on=dt.date(2025, 6, 1),
    registration_number=None, state=ContractState.REGISTERED, source=ContractSource.ENTERED,
)  # fmt: skip


def like(**changes: Any) -> Seen:
    return dataclasses.replace(BASE, **changes)


def kinds(one: Seen, other: Seen, values: dict[str, int] = VALUES) -> set[str]:
    found = rules.between(one, other, values)
    assert found == rules.between(other, one, values)
    assert all((each.contract_id, each.other_id, each.about) == (2, 1, "1") for each in found)
    return {each.kind.value for each in found}


def alone(today: dt.date = TODAY, values: dict[str, int] = VALUES, **changes: Any) -> list[tuple[str, str]]:
    return [(each.kind.value, each.about) for each in rules.alone(like(**changes), values, today)]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, True),
        ({"title": "高效 离心泵：水力模型技术开发"}, True),
        ({"title": "不锈钢阀门密封性能检测服务"}, False),
        ({"deal_fen": 19_000_000}, True),
        ({"deal_fen": 18_999_999}, False),
        ({"signed_on": dt.date(2025, 7, 31)}, True),
        ({"signed_on": dt.date(2025, 8, 1)}, False),
        ({"signed_on": None}, False),
        ({"seller": Party(None, "甲大学")}, True),
        ({"seller": Party(3, "甲大学")}, False),
        ({"buyer": C}, False),
        ({"seller": B, "buyer": A}, False),
    ],
)
def test_same_parties_like_title_near_amount_and_day(changes: dict[str, Any], found: bool) -> None:
    assert ("duplicate_terms" in kinds(BASE, like(id=2, **changes))) is found


def test_likeness_is_whole_percent_of_shared_characters() -> None:
    assert rules.likeness("水泵Ａ型（改进）", "水泵a型改进") == 100
    assert rules.likeness("一二三四", "一二三五") == 75
    assert rules.likeness("", "") == 100
    assert rules.likeness("甲乙", "丙丁") == 0


@given(st.text(max_size=30), st.text(max_size=30))
def test_likeness_is_the_same_in_either_order(one: str, other: str) -> None:
    assert rules.likeness(one, other) == rules.likeness(other, one)
    assert 0 <= rules.likeness(one, other) <= 100
    assert rules.likeness(one, one) == 100


@given(st.text("0123456789", min_size=16, max_size=16))
def test_neighbours_are_all_numbers_one_digit_off(number: str) -> None:
    near = list(rules.neighbours(number))
    assert len(set(near)) == len(near) == 16 * 9
    assert all(rules.one_digit_off(number, other) for other in near)
    assert not rules.one_digit_off(number, number)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, True),
        ({"registration_number": "2025330100000013"}, False),  # two digits
        ({"registration_number": None}, False),
        ({"deal_fen": 20_000_001}, False),
        ({"seller": C}, True),
        ({"seller": C, "buyer": Party(9, "丁公司")}, False),
    ],
)
def test_a_number_one_digit_off_with_a_party_and_the_amount_in_common(
    changes: dict[str, Any], found: bool
) -> None:
    one = like(registration_number="2025330100000001", title="甲")
    values = {"id": 2, "title": "完全不同", "registration_number": "2025330100000002"} | changes
    assert ("duplicate_number" in kinds(one, like(**values))) is found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, True),
        ({"signed_on": dt.date(2026, 6, 1)}, True),
        ({"signed_on": dt.date(2026, 6, 2)}, False),
        ({"seller": A, "buyer": B}, False),
        ({"buyer": C}, False),
    ],
)
def test_what_was_sold_there_comes_back(changes: dict[str, Any], found: bool) -> None:
    other = like(**({"id": 2, "seller": B, "buyer": A, "title": "别的", "deal_fen": 1} | changes))
    assert ("cycle" in kinds(BASE, other)) is found


@pytest.mark.parametrize(
    ("fen", "day", "found"),
    [
        (100_000_000, dt.date(2025, 12, 22), True),
        (100_000_000, dt.date(2025, 12, 21), False),
        (100_000_000, dt.date(2026, 1, 1), False),
        (250_000_000, dt.date(2025, 12, 31), True),
        (250_000_100, dt.date(2025, 12, 31), False),
        (90_000_000, dt.date(2025, 12, 31), False),
        (100_000_000, None, False),
    ],
)
def test_round_sums_in_the_last_days_of_a_year(fen: int, day: dt.date | None, found: bool) -> None:
    assert (alone(deal_fen=fen, signed_on=day) == [("round_year_end", "")]) is found


@pytest.mark.parametrize(
    ("founded", "fen", "found"),
    [
        (dt.date(2024, 6, 1), 100_000_000, True),
        (dt.date(2024, 5, 31), 100_000_000, False),
        (dt.date(2025, 7, 1), 100_000_000, True),  # founded after it signed
        (dt.date(2025, 5, 1), 99_999_999, False),
        (None, 900_000_000, False),
    ],
)
def test_a_young_firm_with_a_large_deal(founded: dt.date | None, fen: int, found: bool) -> None:
    young = dataclasses.replace(B, founded_on=founded)
    assert alone(buyer=young, deal_fen=fen) == ([("young_firm", "buyer")] if found else [])
    assert alone(seller=young, buyer=A, deal_fen=fen) == ([("young_firm", "seller")] if found else [])


DUE = dt.date(2025, 9, 1)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"instalments": ((DUE, 1), (dt.date(2099, 1, 1), 2))}, True),
        ({"instalments": ((DUE + dt.timedelta(days=2), 1),)}, False),
        ({"ends_on": DUE}, True),
        ({"ends_on": DUE, "instalments": ((dt.date(2099, 1, 1), 1),)}, False),
        ({}, False),  # nothing says when
        ({"ends_on": DUE, "received_fen": 1}, False),
        ({"ends_on": DUE, "received_fen": 0}, True),
        ({"ends_on": DUE, "state": ContractState.ACCEPTED}, False),
        ({"ends_on": DUE, "source": ContractSource.IMPORTED}, False),
    ],
)
def test_nothing_received_long_after_the_price_fell_due(changes: dict[str, Any], found: bool) -> None:
    assert (alone(**changes) == [("no_receipt", "")]) is found
    day = DUE + dt.timedelta(days=180)
    assert alone(today=day, **changes) == []


def test_receipts_from_before_they_were_entered_are_not_asked_for() -> None:
    one = like(ends_on=DUE)
    assert rules.alone(one, VALUES, TODAY, DUE) != []
    assert rules.alone(one, VALUES, TODAY, DUE + dt.timedelta(days=1)) == []


def test_a_declared_relation_is_told() -> None:
    assert alone(related_party=True) == [("related_party", "declared")]


@pytest.mark.parametrize("kind", [kind for kind in FlagKind if rules.POLICIES[kind]])
def test_a_rule_whose_row_is_missing_finds_nothing(kind: FlagKind) -> None:
    year_end = dt.date(2024, 12, 31)
    full = like(
        signed_on=year_end, deal_fen=100_000_000, ends_on=dt.date(2025, 1, 1),
        buyer=dataclasses.replace(B, founded_on=year_end),
    )  # fmt: skip
    back = like(id=2, seller=B, buyer=A)

    def found(values: dict[str, int]) -> set[str]:
        single = {each.kind.value for each in rules.alone(full, values, TODAY)}
        return single | kinds(BASE, like(id=2), values) | kinds(BASE, back, values)

    everything = found(VALUES)
    assert everything == {one.value for one in FlagKind if rules.POLICIES[one]}
    for name in rules.POLICIES[kind]:
        left = {key: value for key, value in VALUES.items() if key != name}
        assert everything - found(left) == {kind.value}
