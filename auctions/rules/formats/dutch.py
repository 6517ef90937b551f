"""Descending price (降价式): the price falls by published steps until somebody takes it.

Step k lasts `interval_s` and asks max(floor, start − k·decrement), until the floor price has had its
interval. A take names the step and the price that the bidder saw; it stands if that step is in force at
its receipt, by the lot's own time, and ends the lot. The first by seq wins. Without a take the lot ends
without a sale. While the lot is paused the price stands still; after an outage it is the floor's.

There is nothing to extend, no reserve below which it would not be sold (the floor is that), no maximum,
and no right to match: one who wants it first takes it.
"""

# ruff: noqa: ARG001  (every function has the signature that `formats.Rules` names, whatever it needs of it)
from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from auctions.rules.canonical import instant, iso
from auctions.rules.commands import PlaceBid
from auctions.rules.events import BidAccepted, CloseReason, Event, Resumed
from auctions.rules.formats.english import closed
from auctions.rules.formats.parameters import Parameter, Unit
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import BIDDING, Lot
from auctions.rules.terms import Problem, SoleBidderRule, Terms

NAME = "dutch"
ACTS = ("take",)
PARAMETERS = (
    Parameter("floor_fen", Unit.FEN, 0, low=1),
    Parameter("decrement_fen", Unit.FEN, 0, low=1),
    Parameter("interval_s", Unit.SECONDS, 60, low=5, high=86_400),
)
SOFT_CLOSE = False
STEPS = False


def steps(terms: Terms) -> int:
    """How many prices there are, from the start price to the floor."""
    fall = terms.start_fen - terms.params["floor_fen"]
    return -(-fall // terms.params["decrement_fen"]) + 1


def price_at(terms: Terms, step: int) -> int:
    """The price that a step asks, in fen."""
    return max(int(terms.params["floor_fen"]), terms.start_fen - step * int(terms.params["decrement_fen"]))


def problems(terms: Terms) -> list[Problem]:
    """See `formats.Rules`."""
    found: list[Problem] = []
    if terms.params["floor_fen"] >= terms.start_fen:
        return [("params.floor_fen", "floor_not_below_start", {})]
    if steps(terms) > 1000:
        return [("params.decrement_fen", "too_many_steps", {"most": 1000})]
    for name in ("reserve_fen", "cap_fen", "cover_bp"):
        if getattr(terms, name) is not None:
            found.append((name, "not_with_this_format", {}))
    if terms.sole_bidder is SoleBidderRule.PASS_IN:
        found.append(("sole_bidder", "not_with_this_format", {}))
    return found


def ends_at(terms: Terms) -> dt.datetime:
    """See `formats.Rules`: when the floor price has had its interval."""
    if terms.params["floor_fen"] >= terms.start_fen:
        return terms.ends_at
    return terms.opens_at + steps(terms) * dt.timedelta(seconds=terms.params["interval_s"])


def minimum_after(terms: Terms, price_fen: int | None) -> int | None:
    """See `formats.Rules`: what a take must offer depends on the time, not on other bids."""
    return None


def step_at(lot: Lot, at: dt.datetime) -> int:
    """The step in force at an instant of the lot's time, counted from its end, which pauses move; the last
    after an outage, which moved the end and must not raise the price. What was received before the lot last
    went on is judged as of then, for the same reason."""
    assert lot.ends_at is not None
    count = steps(lot.terms)
    if lot.outages:
        return count - 1
    interval = dt.timedelta(seconds=lot.terms.params["interval_s"])
    if "since" in lot.book:
        at = max(at, instant(lot.book["since"]))
    gone = count * interval - (lot.ends_at - at)
    return min(max(gone // interval, 0), count - 1)


def decide_bid(lot: Lot, bid: PlaceBid, now: dt.datetime) -> tuple[Event, ...] | Refusal:
    """See `formats.Rules`."""
    if bid.act not in ACTS:
        return Refusal(RefusalCode.ACT_NOT_TAKEN, lot.state_seq, {"act": bid.act})
    assert bid.alias is not None
    assert lot.ends_at is not None
    step = step_at(lot, bid.received_at)
    price = price_at(lot.terms, step)
    if bid.amount_fen != price or bid.extra.get("step") != step:
        return Refusal(RefusalCode.PRICE_MOVED, lot.state_seq, {"step": step, "price_fen": price})
    return (
        BidAccepted(
            bid.alias, price, bid.received_at, False, lot.ends_at, act=bid.act, detail={"step": step}
        ),
        closed(lot, CloseReason.SOLD, winner=bid.alias, hammer_fen=price),
    )


def book_after(lot: Lot, event: Event, seq: int) -> Mapping[str, Any]:
    """See `formats.Rules`: `since`, when the lot last went on: what was received before is judged as of
    then."""
    if isinstance(event, Resumed) and lot.stopped_from in BIDDING:
        assert lot.ends_at is not None
        assert lot.stopped_at is not None
        return {**lot.book, "since": iso(lot.stopped_at + (event.ends_at - lot.ends_at))}
    return lot.book


def close(lot: Lot, now: dt.datetime) -> tuple[Event, ...]:
    """See `formats.Rules`: the end comes only where nobody took."""
    return (closed(lot, CloseReason.NO_BID),)
