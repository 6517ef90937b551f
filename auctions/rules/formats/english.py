"""English auction: open ascending bids by whole steps, with a soft close.

The first bid is start + k·step, k ≥ 0; every next one is standing price + k·step, k ≥ 1, with the step
in force at the standing price. A holder of priority may instead equal the standing price of somebody
with less priority. The leader may not raise the own bid. Extensions: see `Terms`.
"""

# ruff: noqa: ARG001  (every handler has one signature, whatever it needs of it)
from __future__ import annotations

import datetime as dt

from auctions.rules.commands import PlaceBid
from auctions.rules.events import BidAccepted, Closed, CloseReason, Event
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import Lot
from auctions.rules.terms import SoleBidderRule, Terms


def minimum_after(terms: Terms, price_fen: int | None) -> int | None:
    """See `formats.Rules`; None when the cap is reached."""
    least = terms.start_fen if price_fen is None else price_fen + terms.step(price_fen)
    return None if terms.cap_fen is not None and least > terms.cap_fen else least


def _may_match(lot: Lot, alias: int) -> bool:
    mine = lot.admitted.get(alias)
    if mine is None or lot.leader is None:
        return False
    theirs = lot.admitted.get(lot.leader)
    return theirs is None or mine < theirs


def decide_bid(lot: Lot, bid: PlaceBid, now: dt.datetime) -> tuple[Event, ...] | Refusal:
    """See `formats.Rules`."""
    terms, alias, amount = lot.terms, bid.alias, bid.amount_fen
    assert alias is not None
    assert lot.ends_at is not None
    if lot.leader == alias:
        return Refusal(RefusalCode.LEADER_CANNOT_RAISE, lot.leader_seq)
    base = terms.start_fen if lot.price_fen is None else lot.price_fen
    step = terms.step(base)
    matched = lot.price_fen is not None and amount == lot.price_fen and _may_match(lot, alias)
    if not matched:
        least = base if lot.price_fen is None else base + step
        if amount < least:
            if lot.price_fen is None:
                return Refusal(RefusalCode.BID_BELOW_START, 1, {"minimum_fen": least})
            return Refusal(
                RefusalCode.BID_TOO_LOW,
                lot.leader_seq,
                {"minimum_fen": least, "price_fen": lot.price_fen},
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
        if terms.max_steps is not None and steps > terms.max_steps:
            return Refusal(
                RefusalCode.BID_TOO_FAR, lot.leader_seq or 1, {"maximum_fen": base + terms.max_steps * step}
            )
    return (
        BidAccepted(
            alias=alias,
            amount_fen=amount,
            received_at=bid.received_at,
            matched=matched,
            ends_at=extended_end(lot, bid.received_at),
        ),
    )


def extended_end(lot: Lot, received_at: dt.datetime) -> dt.datetime:
    """The end in force after a bid received at an instant: never earlier than before, never past the
    hard end (soft close S1–S3)."""
    end = lot.ends_at
    assert end is not None
    if received_at < end - dt.timedelta(seconds=lot.terms.window_s):
        return end
    later = max(end, received_at + dt.timedelta(seconds=lot.terms.extension_s))
    return later if lot.hard_end is None else max(end, min(later, lot.hard_end))


def outcome(lot: Lot) -> Closed:
    """See `formats.Rules`."""
    terms = lot.terms

    def closed(reason: CloseReason) -> Closed:
        sold = reason is CloseReason.SOLD
        return Closed(
            reason=reason,
            winner=lot.leader if sold else None,
            hammer_fen=lot.price_fen if sold else None,
            reserve_fen=terms.reserve_fen,
            reserve_nonce=terms.reserve_nonce,
        )

    if lot.leader is None or lot.price_fen is None:
        return closed(CloseReason.NO_BID)
    if terms.reserve_fen is not None and lot.price_fen < terms.reserve_fen:
        return closed(CloseReason.RESERVE_NOT_MET)
    if len(lot.bidders) < 2 and terms.sole_bidder is SoleBidderRule.PASS_IN:
        return closed(CloseReason.SOLE_BIDDER)
    return closed(CloseReason.SOLD)
