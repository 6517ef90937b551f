"""Falling prices: rows of (instant) → (step, price), at the microsecond; takes; stops; an outage."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from auctions.rules import commands as c
from auctions.rules.formats import dutch, problems
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import LotState
from auctions.rules.terms import SoleBidderRule
from tests.auctions.histories import LOT, OPENS, History, with_terms

S = dt.timedelta(seconds=1)
US = dt.timedelta(microseconds=1)
ENDS = OPENS + 240 * S
TERMS = with_terms(
    format="dutch", params={"floor_fen": 400, "decrement_fen": 250, "interval_s": 60}, ends_at=ENDS,
    window_s=0, hard_end=None, reserve_fen=None, reserve_nonce="", cap_fen=None,
)  # fmt: skip


def opened(late: dt.timedelta = 0 * S) -> History:
    history = History(TERMS)
    assert history.do(c.Publish(lot_id=LOT)) is None
    for organisation_id in (11, 12):
        assert history.admit(organisation_id) is None
    assert history.do(c.Open(lot_id=LOT), OPENS + late) is None
    return history


def take(
    history: History, at: dt.datetime, step: int, amount: int, received: dt.datetime | None = None
) -> Refusal | None:
    return history.bid(1, amount, at, received, act="take", step=step)


@pytest.mark.parametrize(
    ("since", "step", "price"),
    [
        (0 * S, 0, 1000),
        (60 * S - US, 0, 1000),
        (60 * S, 1, 750),
        (120 * S - US, 1, 750),
        (120 * S, 2, 500),
        (180 * S, 3, 400),
        (240 * S - US, 3, 400),
    ],
)
def test_the_price_at_an_instant(since: dt.timedelta, step: int, price: int) -> None:
    history = opened()
    for other in (step - 1, step + 1):
        refusal = take(history, OPENS + since, other, dutch.price_at(TERMS, other))
        assert refusal is not None
        assert (refusal.code, dict(refusal.params)) == (
            RefusalCode.PRICE_MOVED, {"step": step, "price_fen": price},
        )  # fmt: skip
    assert take(history, OPENS + since, step, price) is None
    assert (history.lot.state, history.lot.hammer_fen, history.lot.winner) == (LotState.SOLD, price, 1)
    assert [entry.kind for entry in history.entries[-2:]] == ["bid_accepted", "closed"]


@pytest.mark.parametrize(("step", "amount"), [(0, 750), (1, 1000), (0, 999), (0, 1001)])
def test_a_take_names_both_step_and_price(step: int, amount: int) -> None:
    refusal = take(opened(), OPENS + S, step, amount)
    assert refusal is not None
    assert refusal.code is RefusalCode.PRICE_MOVED


def test_the_receipt_decides_and_the_first_has_it() -> None:
    history = opened()
    # Received in the first step, decided in the second.
    assert take(history, OPENS + 60 * S + 300 * US, 0, 1000, OPENS + 60 * S - US) is None
    late = history.bid(2, 750, act="take", step=1)
    assert late is not None
    assert late.code is RefusalCode.LOT_ENDED


def test_a_take_at_the_end_is_too_late() -> None:
    refusal = take(opened(), ENDS, 3, 400)
    assert refusal is not None
    assert refusal.code is RefusalCode.BID_AFTER_END


def test_nobody_takes() -> None:
    history = opened()
    assert history.do(c.Close(lot_id=LOT), ENDS + S) is None
    assert history.entries[-1].data["reason"] == "no_bid"


@pytest.mark.parametrize(
    ("pause", "resumed_for", "step", "price"),
    [
        (90 * S, 30 * S - US, 1, 750),
        (90 * S, 30 * S, 2, 500),
        # A pause on the very boundary of a step.
        (60 * S - US, 0 * S, 0, 1000),
        (60 * S - US, US, 1, 750),
        (60 * S, 0 * S, 1, 750),
        (60 * S, 60 * S - US, 1, 750),
    ],
)
def test_the_price_stands_still_with_the_lot(
    pause: dt.timedelta, resumed_for: dt.timedelta, step: int, price: int
) -> None:
    history = opened()
    assert history.do(c.Pause(lot_id=LOT, reason="故障"), OPENS + pause) is None
    during = take(history, OPENS + pause + S, step, price)
    assert during is not None
    assert during.code is RefusalCode.LOT_PAUSED
    again = OPENS + 1000 * S
    assert history.do(c.Resume(lot_id=LOT), again) is None
    assert take(history, again + resumed_for, step, price) is None


def test_what_came_before_a_resumption_does_not_lift_the_price() -> None:
    history = opened()
    assert history.do(c.Pause(lot_id=LOT, reason="故障"), OPENS + 61 * S) is None
    again = OPENS + 200 * S
    assert history.do(c.Resume(lot_id=LOT), again) is None
    # Received during the pause: counted back from the end it would be in the first step.
    assert take(history, again + S, 0, 1000, again - 10 * S) is not None
    assert take(history, again + S, 1, 750, again - 10 * S) is None


def test_a_late_opening_moves_the_steps_with_the_end() -> None:
    late = opened(100 * S)
    assert take(late, OPENS + 159 * S, 0, 1000) is None
    # Not by so little: the steps are where they were published.
    punctual = opened(5 * S)
    assert take(punctual, OPENS + 60 * S, 1, 750) is None


def test_after_an_outage_it_is_the_floor() -> None:
    history = opened()
    assert history.do(c.Close(lot_id=LOT), ENDS + 3600 * S) is None
    assert history.lot.state is LotState.EXTENDING
    assert take(history, ENDS + 3601 * S, 3, 400) is None
    assert history.lot.hammer_fen == 400


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"ends_at": ENDS + S}, "ends_at", "end_not_of_format"),
        ({"reserve_fen": 1500, "reserve_nonce": "5" * 32}, "reserve_fen", "not_with_this_format"),
        ({"cap_fen": 2000}, "cap_fen", "not_with_this_format"),
        ({"cover_bp": 500}, "cover_bp", "not_with_this_format"),
        ({"window_s": 60}, "window_s", "not_with_this_format"),
        ({"sole_bidder": SoleBidderRule.PASS_IN}, "sole_bidder", "not_with_this_format"),
        ({"params": {"floor_fen": 1000, "decrement_fen": 1, "interval_s": 60}}, "params.floor_fen", "floor_not_below_start"),
        ({"params": {"floor_fen": 1, "decrement_fen": 0, "interval_s": 60}}, "params.decrement_fen", "out_of_range"),
        ({"start_fen": 100_000, "params": {"floor_fen": 1, "decrement_fen": 1, "interval_s": 60}}, "params.decrement_fen", "too_many_steps"),
    ],
)  # fmt: skip
def test_terms_that_cannot_be(change: dict[str, Any], field: str, code: str) -> None:
    assert problems(TERMS) == []
    assert (field, code) in [problem[:2] for problem in problems(replace(TERMS, **change))]


def test_a_fall_that_is_no_whole_number_of_decrements_ends_on_the_floor() -> None:
    assert [dutch.price_at(TERMS, step) for step in range(dutch.steps(TERMS))] == [1000, 750, 500, 400]
    even = replace(TERMS, params={**TERMS.params, "floor_fen": 500})
    assert [dutch.price_at(even, step) for step in range(dutch.steps(even))] == [1000, 750, 500]
