"""English auctions with maxima: rows of (what came before, a bid) → (leader, price) or the rule that refuses."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from auctions.rules import commands as c
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import LotState
from auctions.rules.terms import CapRule, SoleBidderRule
from tests.auctions.histories import ENDS, LOT, OPENS, History, with_terms

S = dt.timedelta(seconds=1)
US = dt.timedelta(microseconds=1)
Move = tuple[int, str, int]
BID, MAX = "bid", "maximum"
FREE: dict[str, Any] = {"max_steps": None, "reserve_fen": None, "reserve_nonce": "", "hard_end": None}


def opened(**terms: Any) -> History:
    """Deposits of 1, 3, 10 and 10 yuan for 1 to 4; 4 has priority."""
    history = History(with_terms(**{**FREE, **terms}))
    assert history.do(c.Publish(lot_id=LOT)) is None
    for place, deposit in enumerate((100, 300, 1000), 1):
        assert history.admit(10 + place, deposit_fen=deposit) is None
    assert history.admit(14, priority=1, deposit_fen=1000) is None
    assert history.do(c.Open(lot_id=LOT), OPENS) is None
    return history


def after(history: History, *moves: Move) -> History:
    for alias, act, amount in moves:
        refusal = history.bid(alias, amount, history.clock + S, act=act)
        assert refusal is None, (alias, act, amount, refusal)
    return history


ROWS: list[tuple[str, list[Move], Move, tuple[int, int, int]]] = [
    # (what is shown, what came before, the bid, (leader, price, entries that it makes))
    ("a first maximum pays the start", [], (1, MAX, 2500), (1, 1000, 1)),
    ("a first maximum of the start", [], (1, MAX, 1000), (1, 1000, 1)),
    ("the maximum answers by a step", [(1, MAX, 2500)], (2, BID, 1300), (1, 1400, 2)),
    ("it answers less than a step, to its end", [(1, MAX, 2500)], (2, BID, 2400), (1, 2500, 2)),
    ("equal: the earlier", [(1, MAX, 2500)], (2, BID, 2500), (1, 2500, 2)),
    ("equal maxima: the earlier", [(1, MAX, 2500)], (2, MAX, 2500), (1, 2500, 2)),
    ("equal: but by priority", [(1, MAX, 2500)], (4, BID, 2500), (4, 2500, 1)),
    ("equal maxima: by priority, at that", [(1, MAX, 2500)], (4, MAX, 2500), (4, 2500, 1)),
    ("priority is beaten by more", [(4, MAX, 2500)], (1, BID, 2600), (1, 2600, 1)),
    ("priority that leads keeps equal", [(4, MAX, 2500)], (1, BID, 2500), (4, 2500, 2)),
    ("a match of the price is answered", [(1, MAX, 2500), (2, BID, 1300)], (4, BID, 1400), (1, 1500, 2)),
    ("a match of an exhausted maximum", [(1, MAX, 2500), (2, BID, 2500)], (4, BID, 2500), (4, 2500, 1)),
    ("a match as a maximum", [(1, BID, 1500)], (4, MAX, 1500), (4, 1500, 1)),
    ("a higher maximum pays one step more", [(1, MAX, 2500)], (2, MAX, 9000), (2, 2600, 1)),
    ("a higher maximum of less than a step", [(1, MAX, 3000)], (2, MAX, 3100), (2, 3100, 1)),
    ("the step in force is the beaten worth's", [(1, MAX, 3000)], (2, MAX, 9000), (2, 3500, 1)),
    ("a plain bid pays itself", [(1, MAX, 2500)], (2, BID, 4000), (2, 4000, 1)),
    ("over a plain bid a maximum pays the least", [(1, BID, 1500)], (2, MAX, 9000), (2, 1600, 1)),
    ("the answer's step is the bid's", [(1, MAX, 9000)], (2, BID, 3000), (1, 3500, 2)),
    ("the leader raises: nothing moves", [(1, MAX, 2500)], (1, MAX, 2600), (1, 1000, 1)),
    ("a plain leader leaves a maximum", [(1, BID, 1500)], (1, MAX, 1600), (1, 1500, 1)),
    ("a raised maximum answers", [(1, MAX, 2500), (1, MAX, 4000)], (2, BID, 2600), (1, 2700, 2)),
    ("a beaten maximum is dead", [(1, MAX, 2500), (2, BID, 2600), (1, BID, 2700)], (2, BID, 2800), (2, 2800, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("shown", "before", "move", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_who_leads_at_what(
    shown: str, before: list[Move], move: Move, expected: tuple[int, int, int]
) -> None:
    history = after(opened(), *before)
    had = len(history.entries)
    after(history, move)
    assert (history.lot.leader, history.lot.price_fen, len(history.entries) - had) == expected


def test_a_table_that_falls_still_asks_the_least_bid() -> None:
    # 2,000 + 100 is less than 1,900 + 300.
    history = opened(steps=((0, 300), (2000, 100)))
    after(history, (1, MAX, 2200), (2, BID, 1900))
    assert history.lot.price_fen == 2200
    history = opened(steps=((0, 700), (1700, 100)))
    after(history, (1, BID, 1000), (1, MAX, 1700), (2, MAX, 9400))
    assert (history.lot.leader, history.lot.price_fen) == (2, 1800)


REFUSALS: list[tuple[str, dict[str, Any], list[Move], Move, RefusalCode, dict[str, Any] | None]] = [
    ("maxima are not taken", {"maxima": False}, [], (1, MAX, 2500), RefusalCode.MAXIMA_NOT_TAKEN, None),
    ("off the step", {}, [(1, BID, 1000)], (2, MAX, 2550), RefusalCode.BID_OFF_STEP, None),
    ("under the step", {}, [(1, MAX, 2500)], (2, MAX, 1000), RefusalCode.BID_TOO_LOW, {"minimum_fen": 1100, "price_fen": 1000}),
    ("above the cap", {"cap_fen": 2000}, [], (1, MAX, 2100), RefusalCode.BID_ABOVE_CAP, {"cap_fen": 2000}),
    ("the leader bids", {}, [(1, MAX, 2500)], (1, BID, 2600), RefusalCode.LEADER_CANNOT_RAISE, None),
    ("not raised", {}, [(1, MAX, 2500)], (1, MAX, 2500), RefusalCode.MAXIMUM_NOT_HIGHER, {"maximum_fen": 2500}),
    ("a bid too far", {"max_steps": 5}, [], (1, BID, 1600), RefusalCode.BID_TOO_FAR, {"maximum_fen": 1500}),
    ("not covered", {"cover_bp": 1000}, [], (1, MAX, 1100), RefusalCode.DEPOSIT_DOES_NOT_COVER, {"limit_fen": 1000}),
    ("a raise not covered", {"cover_bp": 1000}, [(2, MAX, 3000)], (2, MAX, 3100), RefusalCode.DEPOSIT_DOES_NOT_COVER, {"limit_fen": 3000}),
    ("another act", {}, [], (1, "take", 1000), RefusalCode.ACT_NOT_TAKEN, {"act": "take"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "terms", "before", "move", "code", "params"), REFUSALS, ids=[row[0] for row in REFUSALS]
)
def test_what_is_refused(
    shown: str,
    terms: dict[str, Any],
    before: list[Move],
    move: Move,
    code: RefusalCode,
    params: dict[str, Any] | None,
) -> None:
    history = after(opened(**terms), *before)
    refusal = history.bid(move[0], move[2], history.clock + S, act=move[1])
    assert isinstance(refusal, Refusal)
    assert refusal.code is code
    if params is not None:
        assert dict(refusal.params) == params


def test_a_maximum_leaps_where_a_bid_may_not() -> None:
    assert after(opened(max_steps=5), (1, MAX, 9000)).lot.price_fen == 1000


def test_an_exactly_covered_amount_is_taken() -> None:
    assert after(opened(cover_bp=1000), (1, MAX, 1000)).lot.leader == 1
    # ⌊100 · 10,000 ÷ 900⌋ = 1,111: 1,111 is off the step, 1,100 is covered.
    assert after(opened(cover_bp=900), (1, MAX, 1100)).lot.leader == 1


@pytest.mark.parametrize(
    ("moves", "sole", "state"),
    [
        ([(1, BID, 2000)], SoleBidderRule.SELL, LotState.SOLD),
        ([(1, BID, 2000)], SoleBidderRule.PASS_IN, LotState.LIVE),
        ([(1, BID, 2000), (4, BID, 2000)], SoleBidderRule.PASS_IN, LotState.SOLD),
        ([(1, MAX, 2000)], SoleBidderRule.SELL, LotState.LIVE),
        ([(1, MAX, 2000), (2, BID, 1900)], SoleBidderRule.PASS_IN, LotState.SOLD),
        ([(1, MAX, 2000), (2, MAX, 2000)], SoleBidderRule.SELL, LotState.SOLD),
        ([(1, BID, 1900), (2, MAX, 2000)], SoleBidderRule.SELL, LotState.SOLD),
    ],
)
def test_the_cap_closes_when_the_price_reaches_it(
    moves: list[Move], sole: SoleBidderRule, state: LotState
) -> None:
    closing = after(opened(cap_fen=2000, cap_rule=CapRule.CLOSE, sole_bidder=sole), *moves)
    assert closing.lot.state is state
    leading = after(opened(cap_fen=2000, cap_rule=CapRule.LEAD, sole_bidder=sole), *moves)
    assert leading.lot.state is LotState.LIVE
    assert (closing.lot.leader, closing.lot.price_fen) == (leading.lot.leader, leading.lot.price_fen)


def test_who_reached_the_cap_leads_against_all_but_priority() -> None:
    history = after(opened(cap_fen=2000), (1, BID, 2000))
    refusal = history.bid(2, 2000, act=BID)
    assert refusal is not None
    assert refusal.code is RefusalCode.BID_TOO_LOW
    after(history, (4, BID, 2000))
    assert history.lot.leader == 4


@pytest.mark.parametrize(
    ("left", "extended"),
    [(60 * S + US, False), (60 * S, False), (60 * S - US, True), (US, True)],
)
def test_only_what_changes_price_or_leader_extends(left: dt.timedelta, extended: bool) -> None:
    bids = opened()
    assert bids.bid(1, 2000, ENDS - left, act=MAX) is None
    assert (bids.lot.ends_at != ENDS) == extended
    raises = after(opened(), (1, MAX, 2000))
    assert raises.bid(1, 2100, ENDS - left, act=MAX) is None
    assert raises.lot.ends_at == ENDS
    answered = after(opened(), (1, MAX, 2000))
    assert answered.bid(2, 1500, ENDS - left) is None
    assert (answered.lot.ends_at, answered.lot.leader) == (max(ENDS, ENDS - left + 60 * S), 1)


def test_nothing_is_received_after_it_is_decided() -> None:
    history = opened()
    assert history.bid(1, 1000, ENDS - 60 * S, received=ENDS - S) is None
    assert history.entries[-1].data["received_at"] == history.entries[-1].data["at"]
    assert history.lot.ends_at == ENDS


def test_a_reserve_is_no_bidder() -> None:
    history = after(opened(reserve_fen=1500, reserve_nonce="5" * 32), (1, MAX, 9000))
    assert history.do(c.Close(lot_id=LOT), ENDS + S) is None
    assert (history.lot.state, history.lot.price_fen) == (LotState.PASSED_IN, 1000)


@pytest.mark.parametrize(
    ("terms", "at", "code"),
    [
        ({}, ENDS - S, RefusalCode.NO_MORE_EXTENSIONS),
        ({"hand_extensions": 1, "hand_extension_s": 120}, ENDS, RefusalCode.LOT_ENDED),
        ({"hand_extensions": 1, "hand_extension_s": 120}, ENDS - US, None),
    ],
)
def test_extensions_by_hand(terms: dict[str, Any], at: dt.datetime, code: RefusalCode | None) -> None:
    history = opened(**{**terms, "hard_end": ENDS + 10 * S})
    refusal = history.do(c.Extend(lot_id=LOT, reason="网络拥堵"), at)
    assert (refusal.code if refusal else None) is code
    if code is None:
        assert (history.lot.ends_at, history.lot.hard_end) == (ENDS + 120 * S, ENDS + 130 * S)
        again = history.do(c.Extend(lot_id=LOT, reason="网络拥堵"))
        assert again is not None
        assert again.code is RefusalCode.NO_MORE_EXTENSIONS


def test_lots_of_a_sale_end_together() -> None:
    history = opened(ends_together=True, sale_id=3, hard_end=ENDS + 10 * S)
    early = c.ExtendTogether(lot_id=LOT, ends_at=ENDS, with_lot=8)
    assert history.do(early, OPENS + S) is not None
    assert history.do(c.ExtendTogether(lot_id=LOT, ends_at=ENDS + 45 * S, with_lot=8)) is None
    assert (history.lot.ends_at, history.lot.hard_end) == (ENDS + 45 * S, ENDS + 45 * S)
    until = ENDS + 90 * S
    close = c.Close(lot_id=LOT, together_until=until, together_with=8)
    assert history.do(close, ENDS + 46 * S) is None
    assert (history.lot.state, history.lot.ends_at) == (LotState.EXTENDING, until)
    assert history.do(close, until + S) is None
    assert history.lot.state is LotState.PASSED_IN
