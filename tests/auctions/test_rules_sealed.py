"""Sealed bids: rows of envelopes and openings → outcome, and what is refused."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from auctions.rules import commands as c
from auctions.rules.formats import problems
from auctions.rules.refusal import RefusalCode
from auctions.rules.state import LotState
from auctions.rules.terms import SoleBidderRule
from tests.auctions.histories import ENDS, LOT, OPENS, History, with_terms
from tests.auctions.machines.sealed import envelope

S = dt.timedelta(seconds=1)
US = dt.timedelta(microseconds=1)
NONCE = "a" * 32
CLOSES = ENDS + S


def opened(pricing: str = "own", unopened: str = "void", **terms: Any) -> History:
    """Four bidders; 3 has priority 2, 4 priority 1."""
    params = {"pricing": pricing, "reveal_s": 120, "unopened": unopened}
    values = {
        "format": "sealed", "params": params, "window_s": 0, "hard_end": None, "cap_fen": None,
        "reserve_fen": None, "reserve_nonce": "", **terms,
    }  # fmt: skip
    history = History(with_terms(**values))
    assert history.do(c.Publish(lot_id=LOT)) is None
    for organisation_id, priority in ((11, None), (12, None), (13, 2), (14, 1)):
        assert history.admit(organisation_id, priority=priority) is None
    assert history.do(c.Open(lot_id=LOT), OPENS) is None
    return history


def seal(history: History, alias: int, amount: int, at: dt.datetime | None = None) -> Any:
    at = at or history.clock + S
    return history.bid(alias, None, at, act="seal", commitment=envelope(alias, amount, NONCE))


def reveal(history: History, alias: int, amount: int, at: dt.datetime | None = None) -> Any:
    return history.bid(alias, amount, at or history.clock + S, act="open", nonce=NONCE)


def played(history: History, sealed: list[tuple[int, int]], opens: list[int]) -> History:
    last = dict(sealed)
    for alias, amount in sealed:
        assert seal(history, alias, amount) is None
    assert history.do(c.Close(lot_id=LOT), CLOSES) is None
    for alias in opens:
        assert reveal(history, alias, last[alias]) is None
    assert history.do(c.Close(lot_id=LOT), CLOSES + 121 * S) is None
    return history


RESERVE = {"reserve_fen": 1500, "reserve_nonce": "5" * 32}
OUTCOMES: list[tuple[str, dict[str, Any], list[tuple[int, int]], list[int], tuple[int | None, int | None, str]]] = [
    ("the highest, own price", {}, [(1, 1800), (2, 2400)], [1, 2], (2, 2400, "sold")),
    ("the highest, second price", {"pricing": "second"}, [(1, 1800), (2, 2400)], [1, 2], (2, 1800, "sold")),
    ("second price, alone", {"pricing": "second"}, [(1, 1800)], [1], (1, 1000, "sold")),
    ("second price, alone over a reserve", {"pricing": "second", **RESERVE}, [(1, 1800)], [1], (1, 1500, "sold")),
    ("second below the reserve", {"pricing": "second", **RESERVE}, [(1, 1200), (2, 2400)], [1, 2], (2, 1500, "sold")),
    ("second above the reserve", {"pricing": "second", **RESERVE}, [(1, 1600), (2, 2400)], [1, 2], (2, 1600, "sold")),
    ("the reserve exactly", RESERVE, [(1, 1500)], [1], (1, 1500, "sold")),
    ("below the reserve", RESERVE, [(1, 1499)], [1], (None, None, "reserve_not_met")),
    ("equal: the earlier envelope", {}, [(2, 1800), (1, 1800)], [1, 2], (2, 1800, "sold")),
    ("equal: a replaced envelope is later", {}, [(2, 1500), (1, 1800), (2, 1800)], [1, 2], (1, 1800, "sold")),
    ("equal: the higher priority", {}, [(1, 1800), (3, 1800), (4, 1800)], [1, 3, 4], (4, 1800, "sold")),
    ("equal, second price pays the same", {"pricing": "second"}, [(1, 1800), (2, 1800)], [2, 1], (1, 1800, "sold")),
    ("the order of opening decides nothing", {}, [(1, 1800), (2, 1800)], [2, 1], (1, 1800, "sold")),
    ("the last envelope counts", {}, [(1, 2400), (2, 1800), (1, 1500)], [1, 2], (2, 1800, "sold")),
    ("unopened does not count", {}, [(1, 2400), (2, 1800)], [2], (2, 1800, "sold")),
    ("nothing opened", {}, [(1, 2400)], [], (None, None, "no_bid")),
    ("alone, passed in", {"sole_bidder": SoleBidderRule.PASS_IN}, [(1, 2400)], [1], (None, None, "sole_bidder")),
    ("alone is who alone has opened", {"sole_bidder": SoleBidderRule.PASS_IN}, [(1, 2400), (2, 1800)], [1], (None, None, "sole_bidder")),
    ("the cap exactly", {"cap_fen": 2000}, [(1, 2000)], [1], (1, 2000, "sold")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "terms", "sealed", "opens", "expected"), OUTCOMES, ids=[row[0] for row in OUTCOMES]
)
def test_outcomes(
    shown: str,
    terms: dict[str, Any],
    sealed: list[tuple[int, int]],
    opens: list[int],
    expected: tuple[int | None, int | None, str],
) -> None:
    history = played(opened(**terms), sealed, opens)
    closed = history.entries[-1].data
    assert (closed["winner"], closed["hammer_fen"], closed["reason"]) == expected


def test_who_did_not_open_is_named_but_not_who_could_not() -> None:
    history = opened(unopened="forfeit")
    for alias in (1, 2, 3):
        assert seal(history, alias, 1800) is None
    assert history.do(c.Close(lot_id=LOT), CLOSES) is None
    assert reveal(history, 1, 1800) is None
    assert history.do(c.RevokeAdmission(lot_id=LOT, alias=2, reason="资料有误")) is None
    refusal = reveal(history, 2, 1800)
    assert refusal.code is RefusalCode.NOT_ADMITTED
    assert history.do(c.Close(lot_id=LOT), CLOSES + 121 * S) is None
    assert history.entries[-1].data["detail"] == {"unopened": [3], "unopened_rule": "forfeit"}


def test_without_envelopes_there_is_nothing_to_open() -> None:
    history = opened()
    assert history.do(c.Close(lot_id=LOT), CLOSES) is None
    assert history.lot.state is LotState.PASSED_IN
    assert history.entries[-1].data["detail"] == {"unopened": [], "unopened_rule": "void"}


def test_the_last_microseconds() -> None:
    history = opened()
    assert seal(history, 1, 1800, ENDS - US) is None
    assert seal(history, 2, 1800, ENDS).code is RefusalCode.BID_AFTER_END
    assert reveal(history, 1, 1800).code is RefusalCode.BID_AFTER_END
    assert history.do(c.Close(lot_id=LOT), CLOSES) is None
    until = history.lot.ends_at
    assert until == CLOSES + 120 * S
    assert seal(history, 2, 1800, CLOSES + S).code is RefusalCode.ACT_NOT_TAKEN
    assert reveal(history, 1, 1800, until).code is RefusalCode.BID_AFTER_END
    history.clock = until
    assert history.bid(1, 1800, until, until - US, act="open", nonce=NONCE) is None


def test_time_to_open_stands_still_and_survives_an_outage() -> None:
    history = opened()
    assert seal(history, 1, 1800) is None
    assert history.do(c.Close(lot_id=LOT), CLOSES) is None
    assert history.do(c.Pause(lot_id=LOT, reason="故障"), CLOSES + 10 * S) is None
    assert reveal(history, 1, 1800).code is RefusalCode.LOT_PAUSED
    assert history.do(c.Resume(lot_id=LOT), CLOSES + 300 * S) is None
    assert history.lot.state is LotState.REVEALING
    assert history.lot.ends_at == CLOSES + 410 * S
    assert history.do(c.Close(lot_id=LOT), CLOSES + 3600 * S) is None
    assert history.lot.state is LotState.REVEALING
    assert history.lot.ends_at == CLOSES + 3900 * S
    assert reveal(history, 1, 1800) is None


def test_openings_that_are_refused() -> None:
    history = opened(cap_fen=2000)
    for alias, amount in ((1, 999), (2, 2001), (3, 1800)):
        assert seal(history, alias, amount) is None
    assert reveal(history, 3, 1800).code is RefusalCode.ACT_NOT_TAKEN
    assert history.do(c.Close(lot_id=LOT), CLOSES) is None
    assert reveal(history, 1, 999).code is RefusalCode.BID_BELOW_START
    assert reveal(history, 2, 2001).code is RefusalCode.BID_ABOVE_CAP
    assert reveal(history, 4, 1800).code is RefusalCode.NOT_SEALED
    assert reveal(history, 3, 1801).code is RefusalCode.OPENING_DIFFERS
    assert history.bid(3, 1800, act="open", nonce="b" * 32).code is RefusalCode.OPENING_DIFFERS
    assert history.bid(3, 1800, act="open", nonce="a" * 31).code is RefusalCode.OPENING_DIFFERS
    assert history.bid(3, None, act="open", nonce=NONCE).code is RefusalCode.AMOUNT_MISSING
    assert reveal(history, 3, 1800) is None
    assert reveal(history, 3, 1800).code is RefusalCode.ALREADY_OPENED
    leave = history.do(c.RevokeAdmission(lot_id=LOT, alias=3, reason="退出"))
    assert leave is not None
    assert leave.code is RefusalCode.LEADER_CANNOT_LEAVE


@pytest.mark.parametrize("commitment", ["", "0" * 63, "0" * 65, "F" * 64, "g" * 64, 7])
def test_envelopes_that_are_none(commitment: str | int) -> None:
    refusal = opened().bid(1, None, act="seal", commitment=commitment)
    assert refusal is not None
    assert refusal.code is RefusalCode.COMMITMENT_MALFORMED


def test_an_envelope_with_an_amount_is_refused() -> None:
    refusal = opened().bid(1, 1800, act="seal", commitment="0" * 64)
    assert refusal is not None
    assert refusal.code is RefusalCode.COMMITMENT_MALFORMED


def test_an_envelope_is_its_bidders_and_its_lots() -> None:
    one = envelope(1, 1800, NONCE)
    assert len({one, envelope(2, 1800, NONCE), envelope(1, 1801, NONCE), envelope(1, 1800, "b" * 32),
                envelope(1, 1800, NONCE, lot=8)}) == 5  # fmt: skip
    history = opened()
    assert history.bid(2, None, OPENS + S, act="seal", commitment=one) is None
    assert history.do(c.Close(lot_id=LOT), CLOSES) is None
    assert reveal(history, 2, 1800).code is RefusalCode.OPENING_DIFFERS


@pytest.mark.parametrize("name", ["window_s", "hard_end", "cover_bp", "hand_extensions", "ends_together"])
def test_terms_that_do_not_go_with_it(name: str) -> None:
    values: dict[str, Any] = {
        "window_s": 60, "hard_end": ENDS + S, "cover_bp": 500, "hand_extensions": 1, "ends_together": True,
    }  # fmt: skip
    good = opened().lot.terms
    assert problems(good) == []
    from dataclasses import replace

    found = problems(replace(good, **{name: values[name]}))
    assert (name, "not_with_this_format", {}) in found
