"""Sealed bids (一次报价): everyone commits to one amount, and opens it only after the end.

An envelope is a commitment: SHA-256 of `lot:alias:amount:nonce`, amount in fen, nonce 32 to 64
hexadecimal digits made and kept by the bidder. The market never sees the amount before it is opened, so
neither operators nor logs can tell it. An envelope may be replaced until the end; the last one counts,
with its own place in the order.

After the end comes the opening, `reveal_s` long: each bidder sends amount and nonce, which must give the
commitment. What is not opened, or holds less than the start price or more than the cap, does not count, and
`unopened` says what becomes of its deposit (not of one whose admission was taken back: it could not open).
The highest opened amount wins; equal amounts: the higher priority, else the earlier envelope. With
`pricing` own the winner pays its own amount, with second the highest of the next amount, the reserve and
the start price. The sole bidder, by the terms' rule, is who alone has opened.
"""

# ruff: noqa: ARG001  (every function has the signature that `formats.Rules` names, whatever it needs of it)
from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from auctions.rules.canonical import digest
from auctions.rules.commands import PlaceBid
from auctions.rules.events import BidAccepted, Closed, CloseReason, Event, OpeningBegan
from auctions.rules.formats.english import closed
from auctions.rules.formats.parameters import Parameter, Unit
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import Lot, LotState
from auctions.rules.terms import Problem, SoleBidderRule, Terms

NAME = "sealed"
ACTS = ("seal", "open")
PARAMETERS = (
    Parameter("pricing", Unit.CHOICE, "own", choices=("own", "second")),
    Parameter("reveal_s", Unit.SECONDS, 3600, low=60, high=7 * 86_400),
    Parameter("unopened", Unit.CHOICE, "void", choices=("void", "forfeit")),
)
SOFT_CLOSE = False
STEPS = False

COMMITMENT = re.compile(r"[0-9a-f]{64}")
NONCE = re.compile(r"[0-9a-f]{32,64}")


def seal(lot_id: int, alias: int, amount_fen: int, nonce: str) -> str:
    """The commitment to an amount in fen."""
    return digest(f"{lot_id}:{alias}:{amount_fen}:{nonce}")


def problems(terms: Terms) -> list[Problem]:
    """See `formats.Rules`."""
    return [("cover_bp", "not_with_this_format", {})] if terms.cover_bp is not None else []


def ends_at(terms: Terms) -> dt.datetime:
    """See `formats.Rules`."""
    return terms.ends_at


def minimum_after(terms: Terms, price_fen: int | None) -> int | None:
    """See `formats.Rules`: every envelope may hold the start price or more."""
    return terms.start_fen


def decide_bid(lot: Lot, bid: PlaceBid, now: dt.datetime) -> tuple[Event, ...] | Refusal:
    """See `formats.Rules`."""
    if bid.act == "seal" and lot.state is not LotState.REVEALING:
        return _sealed(lot, bid)
    if bid.act == "open" and lot.state is LotState.REVEALING:
        return _opened(lot, bid)
    return Refusal(RefusalCode.ACT_NOT_TAKEN, lot.state_seq, {"act": bid.act})


def _sealed(lot: Lot, bid: PlaceBid) -> tuple[Event, ...] | Refusal:
    commitment = bid.extra.get("commitment")
    # An amount sent along would be an amount that somebody could read.
    if bid.amount_fen is not None or not isinstance(commitment, str) or not COMMITMENT.fullmatch(commitment):
        return Refusal(RefusalCode.COMMITMENT_MALFORMED, lot.state_seq)
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
            detail={"commitment": commitment},
        ),
    )


def _opened(lot: Lot, bid: PlaceBid) -> tuple[Event, ...] | Refusal:
    alias, amount, nonce = bid.alias, bid.amount_fen, bid.extra.get("nonce")
    assert alias is not None
    assert lot.ends_at is not None
    envelope = lot.book.get("sealed", {}).get(str(alias))
    if envelope is None:
        return Refusal(RefusalCode.NOT_SEALED, lot.state_seq)
    commitment, seq = envelope
    if str(alias) in lot.book.get("opened", {}):
        return Refusal(RefusalCode.ALREADY_OPENED, lot.seq)
    if amount is None:
        return Refusal(RefusalCode.AMOUNT_MISSING, lot.seq)
    if not isinstance(nonce, str) or not NONCE.fullmatch(nonce):
        return Refusal(RefusalCode.OPENING_DIFFERS, seq)
    if seal(lot.lot_id, alias, amount, nonce) != commitment:
        return Refusal(RefusalCode.OPENING_DIFFERS, seq)
    if amount < lot.terms.start_fen:
        return Refusal(RefusalCode.BID_BELOW_START, 1, {"minimum_fen": lot.terms.start_fen})
    if lot.terms.cap_fen is not None and amount > lot.terms.cap_fen:
        return Refusal(RefusalCode.BID_ABOVE_CAP, 1, {"cap_fen": lot.terms.cap_fen})
    ranked = _ranked(lot)
    best = not ranked or _rank(lot, alias, amount, seq) < ranked[0][0]
    return (
        BidAccepted(
            alias,
            amount,
            bid.received_at,
            False,
            lot.ends_at,
            act=bid.act,
            standing=best,
            detail={"nonce": nonce, "sealed_seq": seq},
        ),
    )


def _rank(lot: Lot, alias: int, amount: int, seq: int) -> tuple[int, bool, int, int]:
    priority = lot.admitted.get(alias)
    return (-amount, priority is None, priority or 0, seq)


def _ranked(lot: Lot) -> list[tuple[tuple[int, bool, int, int], int, int]]:
    """(rank, alias, amount) of what was opened, best first."""
    return sorted(
        (_rank(lot, int(alias), amount, seq), int(alias), amount)
        for alias, (amount, seq) in lot.book.get("opened", {}).items()
    )


def book_after(lot: Lot, event: Event, seq: int) -> Mapping[str, Any]:
    """See `formats.Rules`: `sealed` alias → [commitment, seq], `opened` alias → [amount, seq of the
    envelope]."""
    if not isinstance(event, BidAccepted):
        return lot.book
    if event.act == "seal":
        sealed = {**lot.book.get("sealed", {}), str(event.alias): [event.detail["commitment"], seq]}
        return {**lot.book, "sealed": sealed}
    opened = {
        **lot.book.get("opened", {}),
        str(event.alias): [event.amount_fen, event.detail["sealed_seq"]],
    }
    return {**lot.book, "opened": opened}


def close(lot: Lot, now: dt.datetime) -> tuple[Event, ...]:
    """See `formats.Rules`: the opening after the end, the outcome after the opening."""
    if lot.state is not LotState.REVEALING and lot.book.get("sealed"):
        return (OpeningBegan(now + dt.timedelta(seconds=lot.terms.params["reveal_s"])),)
    return (outcome(lot),)


def outcome(lot: Lot) -> Closed:
    """Who has won, of what was opened."""
    terms, ranked = lot.terms, _ranked(lot)
    opened = lot.book.get("opened", {})
    # Whoever was kept from opening, by losing the admission, has not failed to open.
    unopened = sorted(
        int(alias)
        for alias in lot.book.get("sealed", {})
        if alias not in opened and int(alias) in lot.admitted
    )
    detail = {"unopened": unopened, "unopened_rule": terms.params["unopened"]}
    if not ranked:
        return closed(lot, CloseReason.NO_BID, detail=detail)
    _, winner, amount = ranked[0]
    if terms.reserve_fen is not None and amount < terms.reserve_fen:
        return closed(lot, CloseReason.RESERVE_NOT_MET, detail=detail)
    if len(ranked) < 2 and terms.sole_bidder is SoleBidderRule.PASS_IN:
        return closed(lot, CloseReason.SOLE_BIDDER, detail=detail)
    pays = amount
    if terms.params["pricing"] == "second":
        runner_up = ranked[1][2] if len(ranked) > 1 else 0
        pays = max(runner_up, terms.reserve_fen or 0, terms.start_fen)
    return closed(lot, CloseReason.SOLD, winner=winner, hammer_fen=pays, detail=detail)
