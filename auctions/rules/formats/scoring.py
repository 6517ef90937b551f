"""Scored offers (综合评分报价): a price now and a royalty (提成) later, weighed as the terms say.

An offer is an upfront price and a royalty rate. Its score, in points, is

    100 · (price_weight · price ÷ start price + royalty_weight · royalty ÷ royalty_unit_bp)
        ÷ (price_weight + royalty_weight)

computed in exact fractions. The first offer needs the start price; every next one must beat the standing
score by at least `score_step` hundredths of a point. Offers are open, the end is soft as in an English
auction, the leader may not better the own offer. The highest score wins, at its own price and royalty; a
reserve is on the price.
"""

# ruff: noqa: ARG001  (every function has the signature that `formats.Rules` names, whatever it needs of it)
from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from auctions.rules.commands import PlaceBid
from auctions.rules.events import BidAccepted, Event
from auctions.rules.formats.english import extended_end, outcome
from auctions.rules.formats.parameters import Parameter, Unit
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import Lot
from auctions.rules.terms import Problem, Terms

NAME = "scoring"
ACTS = ("offer",)
PARAMETERS = (
    Parameter("price_weight", Unit.NUMBER, 60, low=1, high=1000),
    Parameter("royalty_weight", Unit.NUMBER, 40, low=1, high=1000),
    Parameter("royalty_unit_bp", Unit.BASIS_POINTS, 100, low=1, high=10_000),
    Parameter("royalty_most_bp", Unit.BASIS_POINTS, 1000, low=1, high=10_000),
    Parameter("score_step", Unit.NUMBER, 100, low=1, high=100_000),
)
SOFT_CLOSE = True
STEPS = False


def problems(terms: Terms) -> list[Problem]:
    """See `formats.Rules`."""
    names = ("cover_bp", "cap_fen")
    return [(name, "not_with_this_format", {}) for name in names if getattr(terms, name) is not None]


def ends_at(terms: Terms) -> dt.datetime:
    """See `formats.Rules`."""
    return terms.ends_at


def minimum_after(terms: Terms, price_fen: int | None) -> int | None:
    """See `formats.Rules`: whatever the score asks, the price is the start price or more."""
    return terms.start_fen


def score(terms: Terms, amount_fen: int, royalty_bp: int) -> Fraction:
    """The points of an offer, exactly."""
    p = terms.params
    price = Fraction(p["price_weight"] * amount_fen, terms.start_fen)
    royalty = Fraction(p["royalty_weight"] * royalty_bp, p["royalty_unit_bp"])
    return 100 * (price + royalty) / (p["price_weight"] + p["royalty_weight"])


def points(value: Fraction, *, up: bool = False) -> str:
    """A score as decimal text with two places, cut off; `up` rounds a minimum so that it suffices."""
    hundredths = -(-value * 100 // 1) if up else value * 100 // 1
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def decide_bid(lot: Lot, bid: PlaceBid, now: dt.datetime) -> tuple[Event, ...] | Refusal:
    """See `formats.Rules`."""
    terms, alias, amount, royalty = lot.terms, bid.alias, bid.amount_fen, bid.extra.get("royalty_bp")
    if bid.act not in ACTS:
        return Refusal(RefusalCode.ACT_NOT_TAKEN, lot.state_seq, {"act": bid.act})
    if amount is None:
        return Refusal(RefusalCode.AMOUNT_MISSING, lot.seq)
    most = terms.params["royalty_most_bp"]
    if not isinstance(royalty, int) or isinstance(royalty, bool) or not 0 <= royalty <= most:
        return Refusal(RefusalCode.ROYALTY_OUT_OF_RANGE, 1, {"low_bp": 0, "high_bp": most})
    if lot.leader == alias:
        return Refusal(RefusalCode.LEADER_CANNOT_RAISE, lot.leader_seq)
    if amount < terms.start_fen:
        return Refusal(RefusalCode.BID_BELOW_START, 1, {"minimum_fen": terms.start_fen})
    mine = score(terms, amount, royalty)
    if lot.leader is not None:
        least = Fraction(lot.book["score"]) + Fraction(terms.params["score_step"], 100)
        if mine < least:
            return Refusal(
                RefusalCode.SCORE_TOO_LOW,
                lot.leader_seq,
                {"score": points(mine), "minimum_score": points(least, up=True)},
            )
    assert alias is not None
    return (
        BidAccepted(
            alias,
            amount,
            bid.received_at,
            False,
            extended_end(lot, bid.received_at),
            act=bid.act,
            detail={"royalty_bp": royalty, "score": str(mine), "points": points(mine)},
        ),
    )


def book_after(lot: Lot, event: Event, seq: int) -> Mapping[str, Any]:
    """See `formats.Rules`: the standing score and royalty."""
    if isinstance(event, BidAccepted):
        return {"score": event.detail["score"], "royalty_bp": event.detail["royalty_bp"]}
    return lot.book


def close(lot: Lot, now: dt.datetime) -> tuple[Event, ...]:
    """See `formats.Rules`: as in an English auction; the sale names royalty and score."""
    return (outcome(lot, lot.book),)
