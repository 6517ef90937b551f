from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.identifiers import (
    BadIdentifier,
    parse_credit_code,
    parse_ipc,
    parse_patent_number,
    parse_registration_number,
)


@pytest.mark.parametrize("number", ["200710308494.X", "201710601862.3", "95115608.X", "97101765.4"])
def test_published_patent_numbers_pass(number: str) -> None:
    assert parse_patent_number(number).canonical == number


@pytest.mark.parametrize(
    "text", ["ZL 2007 1 0308494.X", "CN200710308494X", "zl200710308494x", "2007-10308494.X"]
)
def test_spellings_of_one_number(text: str) -> None:
    assert parse_patent_number(text).canonical == "200710308494.X"


def test_wrong_check_digit_says_what_would_be_right() -> None:
    with pytest.raises(BadIdentifier) as refusal:
        parse_patent_number("200710308494.3")
    assert (refusal.value.code, refusal.value.expected) == ("check_digit", "X")


@pytest.mark.parametrize("code", ["113310220026852503", "91330100799655058B", "9144030071526726XG"])
def test_published_credit_codes_pass(code: str) -> None:
    assert parse_credit_code(f" {code.lower()} ") == code


@given(st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"), st.integers(0, 17))
def test_any_changed_character_of_a_credit_code_is_noticed(character: str, place: int) -> None:
    code = "91330100799655058B"
    changed = code[:place] + character + code[place + 1 :]
    if changed != code:
        with pytest.raises(BadIdentifier):
            parse_credit_code(changed)


def test_ipc_and_registration_number() -> None:
    assert parse_ipc("f04d29/42") == "F04D 29/42"
    assert parse_registration_number("2026 3310 0000 0123") == "2026331000000123"
    for parse, text in ((parse_ipc, "F4D"), (parse_registration_number, "12")):
        with pytest.raises(BadIdentifier):
            parse(text)
