"""How a price is made up: forms of payment, foreign currency to the fen, what falls due when."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.deals import price
from market.deals.models import PriceForm
from market.deals.price import Instalment, Price

LUMP = Price(deal_fen=100_000, form=PriceForm.LUMP)
DAY = dt.date(2026, 3, 1)
PARTS = (Instalment(DAY, 60_000), Instalment(DAY + dt.timedelta(days=30), 40_000, "验收后"))
DOLLARS = Price(
    deal_fen=None, form=PriceForm.LUMP, currency="USD", foreign_amount="1,200.50", exchange_rate="7.1234",
    rate_on=DAY,
)  # fmt: skip


def problems(stated: Price, **changes: object) -> list[tuple[str, str]]:
    return [
        (name, code)
        for name, code, _ in price.settle(dataclasses.replace(stated, **changes))[1]  # type: ignore[arg-type]
    ]


@given(
    minor=st.integers(min_value=1, max_value=10**13),
    decimals=st.sampled_from([0, 2, 3]),
    rate=st.decimals(min_value="0.0001", max_value="9999", places=8),
)
def test_yuan_follow_from_a_rate_exactly_and_are_rounded_half_up(
    minor: int, decimals: int, rate: Decimal
) -> None:
    exact = Decimal(minor).scaleb(-decimals) * rate
    assert price.in_fen(minor, decimals, rate) == int(exact.scaleb(2).quantize(Decimal(1), ROUND_HALF_UP))


def test_half_a_fen_goes_up() -> None:
    assert price.in_fen(1, 2, Decimal("0.5")) == 1
    assert price.in_fen(1, 2, Decimal("0.49999999")) == 0
    assert price.in_fen(1, 0, Decimal("0.046")) == 5


def test_a_foreign_price_gives_the_deal() -> None:
    values, wrong = price.settle(DOLLARS)
    assert wrong == []
    assert values["deal_fen"] == 855_164  # 1,200.50 × 7.1234 = 8,551.6417
    assert (values["foreign_minor"], values["exchange_rate"], values["rate_on"]) == (120_050, "7.1234", DAY)
    assert price.in_units(120_050, "USD") == "1200.50"
    assert price.in_units(5_000, "JPY") == "5000"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"deal_fen": 855_164}, []),
        ({"deal_fen": 855_165}, [("deal_fen", "deal_differs_from_rate")]),
        ({"currency": "XYZ"}, [("currency", "unknown_choice")]),
        ({"foreign_amount": ""}, [("foreign_amount", "missing")]),
        ({"foreign_amount": "-5"}, [("foreign_amount", "foreign_amount")]),
        ({"foreign_amount": "NaN"}, [("foreign_amount", "foreign_amount")]),
        ({"foreign_amount": "1e30"}, [("foreign_amount", "foreign_amount")]),
        ({"foreign_amount": "1.005"}, [("foreign_amount", "foreign_amount")]),
        ({"currency": "JPY", "foreign_amount": "1.5"}, [("foreign_amount", "foreign_amount")]),
        ({"exchange_rate": "seven"}, [("exchange_rate", "exchange_rate")]),
        ({"exchange_rate": "0"}, [("exchange_rate", "exchange_rate")]),
        ({"exchange_rate": "7.123456789"}, [("exchange_rate", "exchange_rate")]),
        ({"rate_on": None}, [("rate_on", "missing")]),
        (
            {"currency": "CNY"},
            [("foreign_amount", "only_foreign"), ("exchange_rate", "only_foreign"), ("rate_on", "only_foreign"), ("deal_fen", "missing")],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_foreign_price_is_told_at_its_field(
    changes: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert problems(DOLLARS, **changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"deal_fen": None}, [("deal_fen", "missing")]),
        ({"instalments": PARTS}, [("instalments", "of_other_price_form")]),
        ({"entry_fee_fen": 1}, [("entry_fee_fen", "of_other_price_form")]),
        ({"royalty_base": "sales"}, [("royalty_base", "of_other_price_form")]),
        ({"form": PriceForm.INSTALMENTS}, [("instalments", "missing")]),
        ({"form": PriceForm.INSTALMENTS, "instalments": PARTS}, []),
        ({"form": PriceForm.INSTALMENTS, "instalments": PARTS[:1]}, [("instalments", "instalments_sum")]),
        ({"form": PriceForm.ROYALTY}, [("royalty_base", "missing"), ("royalty_ppm", "missing")]),
        ({"form": PriceForm.ROYALTY, "royalty_base": "sales", "royalty_ppm": 35_000}, []),
        (
            {"form": PriceForm.ENTRY_ROYALTY, "royalty_base": "profit", "royalty_ppm": 1, "entry_fee_fen": 100_001},
            [("entry_fee_fen", "entry_fee_exceeds_deal")],
        ),
        (
            {"form": PriceForm.ENTRY_ROYALTY, "royalty_base": "profit", "royalty_ppm": 1, "entry_fee_fen": 100_000},
            [],
        ),
    ],
)  # fmt: skip
def test_each_form_of_payment_has_what_belongs_to_it(
    changes: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert problems(LUMP, **changes) == expected


@given(
    parts=st.lists(
        st.tuples(st.integers(min_value=0, max_value=400), st.integers(min_value=1, max_value=10**9)),
        max_size=8,
    ),
    received=st.integers(min_value=-(10**9), max_value=10**10),
    today=st.integers(min_value=0, max_value=400),
)
def test_receipts_pay_the_earliest_instalments_first(
    parts: list[tuple[int, int]], received: int, today: int
) -> None:
    day = DAY + dt.timedelta(days=today)
    found = price.schedule([Instalment(DAY + dt.timedelta(days=d), fen) for d, fen in parts], received, day)
    assert [one.due_on for one in found] == sorted(one.due_on for one in found)
    assert sum(one.received_fen for one in found) == min(max(0, received), sum(fen for _, fen in parts))
    paid = [one.open_fen == 0 for one in found]
    assert paid == sorted(paid, reverse=True)
    assert all(one.late == (one.open_fen > 0 and one.due_on < day) for one in found)


def test_a_finer_nature_code_is_named_by_its_group() -> None:
    assert [price.nature_group(code) for code in ("022", "029", "151", "230", "310", "410")] == [
        "022", "020", "190", "200", "300", "400",
    ]  # fmt: skip
