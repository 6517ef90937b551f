"""Faults put into the engine on purpose: the state machine must find every one of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from auctions import journal
from auctions.rules import commands as c
from auctions.rules import decide as deciding
from auctions.rules import events as e
from auctions.rules.formats import english
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import Lot
from tests.auctions.test_machine import LotMachine

DECIDE_BID, EXTEND, OUTCOME, DECIDE, STEP = (
    english.decide_bid,
    english.extended_end,
    english.outcome,
    deciding.decide,
    journal.step,
)
S = dt.timedelta(seconds=1)


def forgives(*codes: RefusalCode) -> Callable[..., Any]:
    def decide_bid(lot: Lot, bid: c.PlaceBid, now: dt.datetime) -> Any:
        decision = DECIDE_BID(lot, bid, now)
        if isinstance(decision, Refusal) and decision.code in codes:
            end = EXTEND(lot, bid.received_at)
            return (e.BidAccepted(bid.alias or 0, bid.amount_fen, bid.received_at, False, end),)
        return decision

    return decide_bid


def refuses_matches(lot: Lot, bid: c.PlaceBid, now: dt.datetime) -> Any:
    return DECIDE_BID(replace(lot, admitted=dict.fromkeys(lot.admitted)), bid, now)


def matches_for_all(lot: Lot, bid: c.PlaceBid, now: dt.datetime) -> Any:
    return DECIDE_BID(replace(lot, admitted={alias: alias for alias in lot.admitted}), bid, now)


def closes_with(change: Callable[[Lot, e.Closed], e.Closed]) -> Callable[..., Any]:
    return lambda lot: change(lot, OUTCOME(lot))


def closes_early(lot: Lot, command: c.Command, now: dt.datetime) -> Any:
    if isinstance(command, c.Close):
        return DECIDE(lot, command, now + 2 * S)
    return DECIDE(lot, command, now)


def late_bids_count(lot: Lot, command: c.Command, now: dt.datetime) -> Any:
    if isinstance(command, c.PlaceBid):
        return DECIDE(lot, replace(command, received_at=command.received_at - S), now)
    return DECIDE(lot, command, now)


def pause_eats_time(lot: Lot, command: c.Command, now: dt.datetime) -> Any:
    decision = DECIDE(lot, command, now)
    if isinstance(command, c.Resume) and isinstance(decision, tuple):
        assert lot.ends_at is not None
        return (replace(decision[0], ends_at=lot.ends_at, hard_end=lot.hard_end),)
    return decision


def bids_while_paused(lot: Lot, command: c.Command, now: dt.datetime) -> Any:
    decision = DECIDE(lot, command, now)
    if isinstance(decision, Refusal) and decision.code is RefusalCode.LOT_PAUSED and lot.stopped_from:
        return DECIDE(replace(lot, state=lot.stopped_from), command, now)
    return decision


def revoked_may_bid(lot: Lot, command: c.Command, now: dt.datetime) -> Any:
    if isinstance(command, c.PlaceBid):
        return DECIDE(replace(lot, admitted={**dict.fromkeys(range(1, 5)), **lot.admitted}), command, now)
    return DECIDE(lot, command, now)


def time_runs_back(head: journal.Head, command: c.Command, clock: dt.datetime) -> Any:
    return STEP(replace(head, lot=replace(head.lot, last_at=None)), command, clock)


FAULTS: list[tuple[str, Any, str, Any]] = [
    ("low bids pass", english, "decide_bid", forgives(RefusalCode.BID_TOO_LOW)),
    ("bids below the start pass", english, "decide_bid", forgives(RefusalCode.BID_BELOW_START)),
    ("steps are not counted", english, "decide_bid", forgives(RefusalCode.BID_OFF_STEP)),
    ("the leader may raise", english, "decide_bid", forgives(RefusalCode.LEADER_CANNOT_RAISE)),
    ("the cap does not hold", english, "decide_bid", forgives(RefusalCode.BID_ABOVE_CAP)),
    ("priority is forgotten", english, "decide_bid", refuses_matches),
    ("everyone has priority", english, "decide_bid", matches_for_all),
    ("no extension", english, "extended_end", lambda lot, received: lot.ends_at),
    ("hard end ignored", english, "extended_end", lambda lot, at: EXTEND(replace(lot, hard_end=None), at)),
    ("extension always", english, "extended_end", lambda lot, at: lot.ends_at + S),
    ("end may fall", english, "extended_end", lambda lot, at: min(EXTEND(lot, at), at + 60 * S)),
    (
        "reserve ignored",
        english,
        "outcome",
        closes_with(
            lambda lot, closed: (
                closed
                if lot.leader is None
                else replace(closed, reason=e.CloseReason.SOLD, winner=lot.leader, hammer_fen=lot.price_fen)
            )
        ),
    ),
    (
        "first bidder wins",
        english,
        "outcome",
        closes_with(lambda lot, closed: replace(closed, winner=lot.bidders[0]) if closed.winner else closed),
    ),
    ("closes early", journal, "decide", closes_early),
    ("late bids count", journal, "decide", late_bids_count),
    ("a pause eats time", journal, "decide", pause_eats_time),
    ("bids while paused", journal, "decide", bids_while_paused),
    ("the revoked may bid", journal, "decide", revoked_may_bid),
    ("time runs back", "tests.auctions.histories", "step", time_runs_back),
]


@pytest.mark.parametrize(("name", "where", "what", "fault"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_the_machine_finds(
    monkeypatch: pytest.MonkeyPatch, name: str, where: Any, what: str, fault: Any
) -> None:
    if isinstance(where, str):
        monkeypatch.setattr(f"{where}.{what}", fault)
    else:
        monkeypatch.setattr(where, what, fault)
    with pytest.raises((AssertionError, TypeError, ValueError)):
        run_state_machine_as_test(
            LotMachine,
            settings=settings(
                max_examples=3000,
                stateful_step_count=30,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                derandomize=True,
                database=None,
                print_blob=False,
                report_multiple_bugs=False,
            ),
        )
