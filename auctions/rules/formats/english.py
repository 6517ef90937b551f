"""English auction (多次报价): open ascending bids by whole steps, with a soft close, and maxima.

The first bid is start + k·step, k ≥ 0; every next one is standing price + k·step, k ≥ 1, with the step in
force at the standing price. A holder of priority may instead equal the standing price of somebody with
less priority. Extensions: see `Terms`.

A bid is worth its amount. A *maximum* (委托最高价) is worth more than it shows: the market bids for its
holder, no further than it takes to lead. When a bid meets the leader's maximum:

- the higher worth leads; equal worths: the holder of the higher priority, else the earlier;
- a leader kept by a maximum answers with min(maximum, bid + step), an entry of its own;
- a new leader with a maximum pays max(least bid, min(maximum, beaten worth + step)), or the beaten worth
  itself where priority decided; a plain bid pays itself, and a first maximum the start price.

The leader may not bid over itself but may raise the own maximum: neither price nor end moves. A reserve
is no bidder: maxima are not driven up to it. Reaching the cap: see `CapRule`.
"""

# ruff: noqa: ARG001  (every function has the signature that `formats.Rules` names, whatever it needs of it)
from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from auctions.rules.commands import PlaceBid
from auctions.rules.events import BidAccepted, Closed, CloseReason, Event
from auctions.rules.formats.parameters import Parameter
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import Lot
from auctions.rules.terms import CapRule, Problem, SoleBidderRule, Terms

NAME = "english"
ACTS = ("bid", "maximum")
PARAMETERS: tuple[Parameter, ...] = ()
SOFT_CLOSE = True
STEPS = True

AUTO = "auto"
"""The act of an entry that the market made from a maximum."""


def problems(terms: Terms) -> list[Problem]:
    """See `formats.Rules`."""
    return []


def ends_at(terms: Terms) -> dt.datetime:
    """See `formats.Rules`."""
    return terms.ends_at


def minimum_after(terms: Terms, price_fen: int | None) -> int | None:
    """See `formats.Rules`; None when the cap is reached."""
    least = terms.start_fen if price_fen is None else price_fen + terms.step(price_fen)
    return None if terms.cap_fen is not None and least > terms.cap_fen else least


def before(lot: Lot, alias: int, other: int) -> bool:
    """Whether a bidder has the higher priority of two."""
    mine, theirs = lot.admitted.get(alias), lot.admitted.get(other)
    return mine is not None and (theirs is None or mine < theirs)


def worth(lot: Lot) -> int:
    """What the standing bid is worth: its price, or its holder's maximum where that is higher."""
    assert lot.price_fen is not None
    maximum = lot.book.get(str(lot.leader))
    return lot.price_fen if maximum is None else max(lot.price_fen, maximum)


def decide_bid(lot: Lot, bid: PlaceBid, now: dt.datetime) -> tuple[Event, ...] | Refusal:
    """See `formats.Rules`."""
    terms, alias, amount = lot.terms, bid.alias, bid.amount_fen
    assert alias is not None
    assert lot.ends_at is not None
    if bid.act not in ACTS:
        return Refusal(RefusalCode.ACT_NOT_TAKEN, lot.state_seq, {"act": bid.act})
    if amount is None:
        return Refusal(RefusalCode.AMOUNT_MISSING, lot.seq)
    by_maximum = bid.act == "maximum"
    if by_maximum and not terms.maxima:
        return Refusal(RefusalCode.MAXIMA_NOT_TAKEN, 1)
    leads = lot.leader == alias
    if leads and not by_maximum:
        return Refusal(RefusalCode.LEADER_CANNOT_RAISE, lot.leader_seq)
    matched = (
        lot.price_fen is not None
        and lot.leader is not None
        and amount == lot.price_fen
        and before(lot, alias, lot.leader)
    )
    refusal = (None if matched else _amount_refusal(lot, bid)) or _cover_refusal(lot, alias, amount)
    if refusal is not None:
        return refusal
    if leads:
        return _raised(lot, bid)
    end = extended_end(lot, bid.received_at)
    if lot.leader is None or lot.price_fen is None:
        price = terms.start_fen if by_maximum else amount
        return _capped(lot, (_standing(bid, price, end, matched=False),))
    theirs = worth(lot)
    if amount > theirs or (amount == theirs and before(lot, alias, lot.leader)):
        price = amount
        if by_maximum and amount > theirs:
            price = max(lot.price_fen + terms.step(lot.price_fen), min(amount, theirs + terms.step(theirs)))
        return _capped(lot, (_standing(bid, price, end, matched=price == lot.price_fen or amount == theirs),))
    # The leader's maximum answers. What was bid is exposed whole by losing, so nothing of it is secret.
    return _capped(
        lot,
        (
            BidAccepted(alias, amount, bid.received_at, matched, end, act=bid.act),
            BidAccepted(
                lot.leader,
                min(theirs, amount + terms.step(amount)),
                bid.received_at,
                amount == theirs,
                end,
                act=AUTO,
            ),
        ),
    )


def _amount_refusal(lot: Lot, bid: PlaceBid) -> Refusal | None:
    terms, amount = lot.terms, bid.amount_fen or 0
    base = terms.start_fen if lot.price_fen is None else lot.price_fen
    step = terms.step(base)
    least = base if lot.price_fen is None else base + step
    if amount < least:
        if lot.price_fen is None:
            return Refusal(RefusalCode.BID_BELOW_START, 1, {"minimum_fen": least})
        return Refusal(
            RefusalCode.BID_TOO_LOW, lot.leader_seq, {"minimum_fen": least, "price_fen": lot.price_fen}
        )
    if terms.cap_fen is not None and amount > terms.cap_fen:
        return Refusal(RefusalCode.BID_ABOVE_CAP, 1, {"cap_fen": terms.cap_fen})
    steps, rest = divmod(amount - base, step)
    if rest:
        return Refusal(
            RefusalCode.BID_OFF_STEP,
            lot.leader_seq or 1,
            {
                "step_fen": step,
                "lower_fen": max(least, base + steps * step),
                "upper_fen": base + (steps + 1) * step,
            },
        )
    # The guard against a slipped zero is for amounts that would be paid as typed.
    if bid.act == "bid" and terms.max_steps is not None and steps > terms.max_steps:
        return Refusal(
            RefusalCode.BID_TOO_FAR, lot.leader_seq or 1, {"maximum_fen": base + terms.max_steps * step}
        )
    return None


def _cover_refusal(lot: Lot, alias: int, amount: int) -> Refusal | None:
    share = lot.terms.cover_bp
    if share is None:
        return None
    limit = lot.deposits.get(alias, 0) * 10_000 // share
    if amount <= limit:
        return None
    return Refusal(RefusalCode.DEPOSIT_DOES_NOT_COVER, 1, {"limit_fen": limit})


def _standing(bid: PlaceBid, price: int, end: dt.datetime, *, matched: bool) -> BidAccepted:
    secret = bid.act == "maximum"
    assert bid.alias is not None
    return BidAccepted(
        bid.alias,
        price,
        bid.received_at,
        matched,
        end,
        act=bid.act,
        maximum_fen=bid.amount_fen if secret else None,
        nonce=bid.nonce if secret else None,
    )


def _raised(lot: Lot, bid: PlaceBid) -> tuple[Event, ...] | Refusal:
    now = worth(lot)
    assert bid.amount_fen is not None
    if bid.amount_fen <= now:
        return Refusal(RefusalCode.MAXIMUM_NOT_HIGHER, lot.leader_seq, {"maximum_fen": now})
    assert bid.alias is not None
    assert lot.ends_at is not None
    return (
        BidAccepted(
            bid.alias,
            None,
            bid.received_at,
            False,
            lot.ends_at,
            act=bid.act,
            standing=False,
            maximum_fen=bid.amount_fen,
            nonce=bid.nonce,
        ),
    )


def _capped(lot: Lot, events: tuple[BidAccepted, ...]) -> tuple[Event, ...]:
    last = events[-1]
    if lot.terms.cap_rule is not CapRule.CLOSE or last.amount_fen != lot.terms.cap_fen:
        return events
    bidders = tuple(dict.fromkeys((*lot.bidders, *(event.alias for event in events))))
    closed = outcome(replace(lot, leader=last.alias, price_fen=last.amount_fen, bidders=bidders))
    # A sole bidder at the cap waits for the end: others may still come and match by priority.
    return (*events, closed) if closed.winner is not None else events


def book_after(lot: Lot, event: Event, seq: int) -> Mapping[str, Any]:
    """See `formats.Rules`: alias → maximum, of everyone who left one and led with it."""
    if isinstance(event, BidAccepted) and event.maximum_fen is not None:
        return {**lot.book, str(event.alias): event.maximum_fen}
    return lot.book


def extended_end(lot: Lot, received_at: dt.datetime) -> dt.datetime:
    """The end in force after a bid received at an instant: never earlier than before, never past the
    hard end (soft close S1–S3)."""
    end = lot.ends_at
    assert end is not None
    if received_at < end - dt.timedelta(seconds=lot.terms.window_s):
        return end
    later = max(end, received_at + dt.timedelta(seconds=lot.terms.extension_s))
    return later if lot.hard_end is None else max(end, min(later, lot.hard_end))


def close(lot: Lot, now: dt.datetime) -> tuple[Event, ...]:
    """See `formats.Rules`."""
    return (outcome(lot),)


def outcome(lot: Lot, detail: Mapping[str, Any] | None = None) -> Closed:
    """Who has won when the lot closes as it stands; `detail` goes with a sale."""
    terms = lot.terms
    if lot.leader is None or lot.price_fen is None:
        return closed(lot, CloseReason.NO_BID)
    if terms.reserve_fen is not None and lot.price_fen < terms.reserve_fen:
        return closed(lot, CloseReason.RESERVE_NOT_MET)
    if len(lot.bidders) < 2 and terms.sole_bidder is SoleBidderRule.PASS_IN:
        return closed(lot, CloseReason.SOLE_BIDDER)
    return closed(lot, CloseReason.SOLD, detail=detail)


def closed(
    lot: Lot,
    reason: CloseReason,
    *,
    winner: int | None = None,
    hammer_fen: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> Closed:
    """The closing entry; the leader at the standing price unless another winner is given."""
    sold = reason is CloseReason.SOLD
    return Closed(
        reason=reason,
        winner=(lot.leader if winner is None else winner) if sold else None,
        hammer_fen=(lot.price_fen if hammer_fen is None else hammer_fen) if sold else None,
        reserve_fen=lot.terms.reserve_fen,
        reserve_nonce=lot.terms.reserve_nonce,
        detail=dict(detail or {}),
    )
