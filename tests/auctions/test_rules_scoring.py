"""Price and royalty: rows of offers → accepted with a score, or the rule that refuses."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import Any

import pytest

from auctions.rules import commands as c
from auctions.rules.formats import scoring
from auctions.rules.refusal import RefusalCode
from auctions.rules.terms import SoleBidderRule
from tests.auctions.histories import ENDS, LOT, OPENS, History, with_terms

S = dt.timedelta(seconds=1)
Offer = tuple[int, int, Any]


def opened(**terms: Any) -> History:
    params = {
        "price_weight": 60, "royalty_weight": 40, "royalty_unit_bp": 100, "royalty_most_bp": 1000,
        "score_step": 100, **terms.pop("params", {}),
    }  # fmt: skip
    values = {
        "start_fen": 300_000, "format": "scoring", "params": params, "cap_fen": None, "hard_end": None,
        "reserve_fen": None, "reserve_nonce": "", **terms,
    }  # fmt: skip
    history = History(with_terms(**values))
    assert history.do(c.Publish(lot_id=LOT)) is None
    for organisation_id in (11, 12, 13):
        assert history.admit(organisation_id) is None
    assert history.do(c.Open(lot_id=LOT), OPENS) is None
    return history


def offer(history: History, one: Offer, at: dt.datetime | None = None) -> Any:
    alias, amount, royalty = one
    return history.bid(alias, amount, at or history.clock + S, act="offer", royalty_bp=royalty)


FIRST = (1, 300_000, 0)
SECOND = (2, 300_000, 3)


@pytest.mark.parametrize(
    ("before", "one", "score", "points"),
    [
        ([], FIRST, "60", "60.00"),
        ([], (1, 300_001, 0), "3000010/50000", "60.00"),
        ([], (1, 300_000, 1000), "460", "460.00"),
        ([FIRST], SECOND, "306/5", "61.20"),
        # Exactly the least: 60 + 1.
        ([FIRST], (2, 305_000, 0), "61", "61.00"),
        ([FIRST], (2, 303_000, 1), "61", "61.00"),
        ([FIRST, SECOND], (1, 310_000, 1), "312/5", "62.40"),
        # The price may fall where the royalty makes up for it.
        ([(1, 320_000, 0)], (2, 300_000, 13), "326/5", "65.20"),
    ],
)
def test_offers_that_count(before: list[Offer], one: Offer, score: str, points: str) -> None:
    history = opened()
    for earlier in before:
        assert offer(history, earlier) is None
    assert offer(history, one) is None
    detail = history.entries[-1].data["detail"]
    assert Fraction(detail["score"]) == Fraction(score)
    assert detail["score"] == str(Fraction(score))
    assert (detail["points"], detail["royalty_bp"]) == (points, one[2])
    assert (history.lot.leader, history.lot.price_fen) == one[:2]


@pytest.mark.parametrize(
    ("before", "one", "code", "params"),
    [
        ([], (1, 299_999, 1000), RefusalCode.BID_BELOW_START, {"minimum_fen": 300_000}),
        ([], (1, 300_000, -1), RefusalCode.ROYALTY_OUT_OF_RANGE, {"low_bp": 0, "high_bp": 1000}),
        ([], (1, 300_000, 1001), RefusalCode.ROYALTY_OUT_OF_RANGE, None),
        ([], (1, 300_000, "5"), RefusalCode.ROYALTY_OUT_OF_RANGE, None),
        ([], (1, 300_000, True), RefusalCode.ROYALTY_OUT_OF_RANGE, None),
        ([], (1, None, 5), RefusalCode.AMOUNT_MISSING, None),
        ([FIRST], (1, 900_000, 0), RefusalCode.LEADER_CANNOT_RAISE, None),
        ([FIRST], (2, 300_000, 2), RefusalCode.SCORE_TOO_LOW, {"score": "60.80", "minimum_score": "61.00"}),
        # A fen below the least.
        ([FIRST], (2, 304_999, 0), RefusalCode.SCORE_TOO_LOW, {"score": "60.99", "minimum_score": "61.00"}),
        ([FIRST], (2, 300_000, 0), RefusalCode.SCORE_TOO_LOW, None),
    ],
)
def test_offers_that_do_not(
    before: list[Offer], one: Any, code: RefusalCode, params: dict[str, Any] | None
) -> None:
    history = opened()
    for earlier in before:
        assert offer(history, earlier) is None
    refusal = offer(history, one)
    assert refusal.code is code
    if params is not None:
        assert dict(refusal.params) == params


def test_thirds_are_exact() -> None:
    # 100 · (1 · p ÷ 300,000 + 1 · r ÷ 3) ÷ 2: a third is no decimal, and no float.
    history = opened(params={"price_weight": 1, "royalty_weight": 1, "royalty_unit_bp": 3, "score_step": 100})
    assert offer(history, (1, 300_000, 1)) is None
    assert history.entries[-1].data["detail"] == {"royalty_bp": 1, "score": "200/3", "points": "66.66"}
    # The least is 66 2/3 + 1: 306,000 with the same royalty, 406,000 with none, to the fen.
    assert scoring.score(history.lot.terms, 306_000, 1) == Fraction(203, 3)
    for short, enough in (((2, 305_999, 1), (2, 306_000, 1)), ((2, 405_999, 0), (2, 406_000, 0))):
        history = opened(params={"price_weight": 1, "royalty_weight": 1, "royalty_unit_bp": 3})
        assert offer(history, (1, 300_000, 1)) is None
        refusal = offer(history, short)
        assert (refusal.code, refusal.params["minimum_score"]) == (RefusalCode.SCORE_TOO_LOW, "67.67")
        assert offer(history, enough) is None


@pytest.mark.parametrize(
    ("terms", "offers", "expected"),
    [
        ({}, [], ("no_bid", None, None, {})),
        ({}, [FIRST], ("sold", 1, 300_000, {"royalty_bp": 0, "score": "60"})),
        ({"sole_bidder": SoleBidderRule.PASS_IN}, [FIRST], ("sole_bidder", None, None, {})),
        ({}, [FIRST, SECOND], ("sold", 2, 300_000, {"royalty_bp": 3, "score": "306/5"})),
        # The reserve is on the price, whatever the score.
        ({"reserve_fen": 300_001, "reserve_nonce": "5" * 32}, [FIRST, SECOND], ("reserve_not_met", None, None, {})),
        ({"reserve_fen": 300_000, "reserve_nonce": "5" * 32}, [FIRST], ("sold", 1, 300_000, {"royalty_bp": 0, "score": "60"})),
    ],
)  # fmt: skip
def test_outcomes(terms: dict[str, Any], offers: list[Offer], expected: tuple[Any, ...]) -> None:
    history = opened(**terms)
    for one in offers:
        assert offer(history, one) is None
    assert history.do(c.Close(lot_id=LOT), ENDS + S) is None
    closed = history.entries[-1].data
    assert (closed["reason"], closed["winner"], closed["hammer_fen"], closed["detail"]) == expected


def test_late_offers_extend() -> None:
    history = opened()
    assert offer(history, FIRST, ENDS - 10 * S) is None
    assert history.lot.ends_at == ENDS + 50 * S
