"""One spelling, whichever encoder writes it."""

from __future__ import annotations

import datetime as dt
import enum
import json
import typing
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auctions.rules import events
from auctions.rules.canonical import canonical, instant, iso
from auctions.rules.terms import Terms

TEXT = st.text() | st.text(
    st.sampled_from('"\\/\b\f\n\r\t\x00\x1f\x7f\x80\u2028\u2029\uffff竞价💧\U0010ffff'), max_size=8
)
WHOLE = st.integers() | st.sampled_from(
    [2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**30]
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | WHOLE | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.tuples(inner, inner) | st.dictionaries(TEXT, inner, max_size=6)
    ),
    max_leaves=20,
)


def standard(value: Any) -> str:
    """What the standard library writes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@given(DOCUMENTS)
def test_both_encoders_write_the_same_bytes(document: Any) -> None:
    assert canonical(document).encode() == standard(document).encode()


@given(st.text(min_size=1, max_size=3), st.text(min_size=1, max_size=3))
def test_keys_are_in_the_order_of_code_points(one: str, other: str) -> None:
    document = {one: 1, other: 2, "\ue000": 3, "\U00010000": 4, "z": 5}
    assert canonical(document) == standard(document)


def test_a_string_enumeration_is_its_value() -> None:
    class Colour(enum.StrEnum):
        RED = "red"

    assert canonical({"colour": Colour.RED}) == '{"colour":"red"}'
    assert canonical({Colour.RED: 2**70}) == f'{{"red":{2**70}}}'


@pytest.mark.parametrize(
    "value",
    [object(), {"at": dt.datetime.now}, dt.datetime(2026, 1, 1), b"bytes", {1, 2}, "\ud800", {"\udfff": 1}],
)
def test_what_has_no_single_spelling_is_refused(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical(value)


def test_nothing_that_is_hashed_has_a_field_for_a_float() -> None:
    for kind in (*events.EVENTS.values(), Terms):
        for hint in typing.get_type_hints(kind).values():
            assert float not in (hint, *typing.get_args(hint)), kind


@given(
    st.datetimes(timezones=st.sampled_from([dt.UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")]))
)
def test_an_instant_has_one_text(at: dt.datetime) -> None:
    text = iso(at)
    assert len(text) == 27
    assert instant(text) == at.astimezone(dt.UTC)
    assert iso(instant(text)) == text


def test_the_two_readings_of_a_repeated_hour_are_two_instants() -> None:
    once = dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    again = once.replace(fold=1)
    assert once == again  # as Python compares them, which a cache must not
    assert iso(once) == "2026-10-25T00:30:00.000000Z"
    assert iso(again) == "2026-10-25T01:30:00.000000Z"


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        iso(dt.datetime(2026, 1, 1))
