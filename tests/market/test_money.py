from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.money import MAX_FEN, parse_fen, share_bp, yuan


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("1", 100),
        ("1,234.56", 123456),
        ("¥3.5万", 3_500_000),
        ("35 万元", 35_000_000),
        ("2亿", 20_000_000_000),
        ("0.01", 1),
        ("-5", -500),
        ("1，000", 100_000),
    ],
)
def test_reads_amounts_as_people_type_them(text: str, fen: int) -> None:
    assert parse_fen(text) == fen


@pytest.mark.parametrize("text", ["", "abc", "1.001", "1e5", "万", "1..2", "９９９", str(MAX_FEN), "1 000"])
def test_refuses_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|fen|large"):
        parse_fen(text)


def test_default_unit_applies_only_without_one() -> None:
    assert parse_fen("5", "万元") == 5_000_000
    assert parse_fen("5元", "万元") == 500


@given(st.integers(-MAX_FEN, MAX_FEN))
def test_text_and_back(fen: int) -> None:
    assert parse_fen(yuan(fen)) == fen


def test_share_rounds_half_up_and_has_no_value_over_nothing() -> None:
    assert share_bp(2, 100) == 20_000
    assert share_bp(1, 3) == 333_333
    assert share_bp(2, 3) == 666_667
    assert share_bp(1, 0) is None
