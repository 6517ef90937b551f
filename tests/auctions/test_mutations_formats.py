"""Faults put into the formats on purpose: their state machines must find every one of them.

Each is found by the model, by the independent checker, by the projection or by the twin histories that
differ only in a hidden maximum; which of them finds it first does not matter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from auctions import journal
from auctions.rules import commands as c
from auctions.rules import decide as deciding
from auctions.rules import events as e
from auctions.rules import evolve as evolving
from auctions.rules.formats import dutch, english, scoring, sealed
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import Lot, LotState
from tests.auctions.machines.base import Machine, profile
from tests.auctions.machines.dutch import DutchMachine
from tests.auctions.machines.english import EnglishMachine
from tests.auctions.machines.scoring import ScoringMachine
from tests.auctions.machines.sealed import SealedMachine

S = dt.timedelta(seconds=1)
DECIDE = deciding.decide
DECIDE_ENGLISH, DECIDE_DUTCH = english.decide_bid, dutch.decide_bid
Change = Callable[[Lot, c.Command, Any], Any]


@dataclass(frozen=True)
class Fault:
    name: str
    machine: type[Machine]
    where: Any
    what: str
    fault: Any


FAULTS: list[Fault] = []


def fault(machine: type[Machine], where: Any, what: str, name: str) -> Callable[[Any], Any]:
    def register(function: Any) -> Any:
        FAULTS.append(Fault(name, machine, where, what, function))
        return function

    return register


def bids_changed(module: Any, change: Change) -> Any:
    """A format's `decide_bid` with something done to its answer."""
    original = module.decide_bid

    def decide_bid(lot: Lot, bid: c.PlaceBid, now: dt.datetime) -> Any:
        return change(lot, bid, original(lot, bid, now))

    return decide_bid


def each_bid(change: Callable[[Lot, e.BidAccepted], e.BidAccepted]) -> Change:
    def apply(lot: Lot, command: c.Command, decision: Any) -> Any:
        if isinstance(decision, Refusal):
            return decision
        return tuple(change(lot, event) if isinstance(event, e.BidAccepted) else event for event in decision)

    return apply


def decides(command_type: type[c.Command], change: Callable[[Lot, Any, dt.datetime], Any]) -> Any:
    """`decide` with another answer to one kind of command."""

    def decide(lot: Lot, command: c.Command, now: dt.datetime) -> Any:
        return change(lot, command, now) if isinstance(command, command_type) else DECIDE(lot, command, now)

    return decide


def add(machine: type[Machine], where: Any, what: str, name: str, function: Any) -> None:
    FAULTS.append(Fault(name, machine, where, what, function))


# English, with maxima

E_ = EnglishMachine


def bids(name: str, change: Change, machine: type[Machine] = E_, module: Any = english) -> None:
    add(machine, module, "decide_bid", name, bids_changed(module, change))


def auto(change: Callable[[Lot, e.BidAccepted], int]) -> Change:
    return each_bid(
        lambda lot, bid: replace(bid, amount_fen=change(lot, bid)) if bid.act == english.AUTO else bid
    )


bids(
    "whoever leaves a maximum pays it",
    each_bid(
        lambda lot, bid: replace(bid, amount_fen=bid.maximum_fen) if bid.standing and bid.maximum_fen else bid
    ),
)
bids("an answer tells the whole maximum", auto(lambda lot, bid: max(bid.amount_fen or 0, english.worth(lot))))
bids("an answer goes beyond the maximum", auto(lambda lot, bid: (bid.amount_fen or 0) + 100))
bids("an answer spares the step", auto(lambda lot, bid: (bid.amount_fen or 0) - 1))
bids(
    "an answer is no match",
    each_bid(lambda lot, bid: replace(bid, matched=False) if bid.act == english.AUTO else bid),
)
bids(
    "a leading maximum pays a step more",
    each_bid(
        lambda lot, bid: (
            replace(bid, amount_fen=(bid.amount_fen or 0) + 100)
            if bid.maximum_fen and bid.standing and (bid.maximum_fen > (bid.amount_fen or 0) + 100)
            else bid
        )
    ),
)
bids(
    "the detail tells how high the maximum is",
    each_bid(lambda lot, bid: replace(bid, detail={"m": bid.maximum_fen}) if bid.maximum_fen else bid),
)
bids(
    "a losing maximum is not told",
    lambda lot, bid, decision: (
        decision[1:]
        if isinstance(decision, tuple) and len(decision) > 1 and getattr(decision[1], "act", "") == "auto"
        else decision
    ),
)
bids(
    "a refusal tells how high the maximum is",
    lambda lot, bid, decision: (
        replace(decision, params={**decision.params, "worth": english.worth(lot)})
        if isinstance(decision, Refusal) and lot.leader
        else decision
    ),
)
bids(
    "the leader may lower a maximum",
    lambda lot, bid, decision: (
        (
            e.BidAccepted(
                bid.alias, None, bid.received_at, False, lot.ends_at, "maximum", False,
                maximum_fen=bid.amount_fen, nonce=bid.nonce,
            ),
        )
        if isinstance(decision, Refusal) and decision.code is RefusalCode.MAXIMUM_NOT_HIGHER
        else decision
    ),
)  # fmt: skip
bids(
    "maxima though the terms take none",
    lambda lot, bid, decision: (
        DECIDE_ENGLISH(replace(lot, terms=replace(lot.terms, maxima=True)), bid, bid.received_at)
        if isinstance(decision, Refusal) and decision.code is RefusalCode.MAXIMA_NOT_TAKEN
        else decision
    ),
)
BEFORE, RAISED, CAPPED, BOOK, COVER = (
    english.before, english._raised, english._capped, english.book_after, english._cover_refusal,
)  # fmt: skip

add(E_, english, "before", "the later of equal maxima leads", lambda lot, alias, other: True)
add(
    E_, english, "before", "priority does not reach a maximum",
    lambda lot, alias, other: BEFORE(lot, alias, other) and english.worth(lot) == lot.price_fen,
)  # fmt: skip
add(
    E_, english, "book_after", "a raised maximum is forgotten",
    lambda lot, event, seq: lot.book if not getattr(event, "standing", True) else BOOK(lot, event, seq),
)  # fmt: skip
add(
    E_, english, "book_after", "a leader without a maximum keeps an earlier bidder's",
    lambda lot, event, seq: (
        {**lot.book, str(event.alias): max(lot.book.values())}
        if isinstance(event, e.BidAccepted) and event.standing and lot.book
        else BOOK(lot, event, seq)
    ),
)  # fmt: skip


@fault(E_, english, "_raised", "raising the own maximum extends the lot")
def raise_extends(lot: Lot, bid: c.PlaceBid) -> Any:
    decision = RAISED(lot, bid)
    if isinstance(decision, Refusal):
        return decision
    return (replace(decision[0], ends_at=english.extended_end(lot, bid.received_at)),)


@fault(E_, english, "_raised", "raising the own maximum raises the price")
def raise_raises(lot: Lot, bid: c.PlaceBid) -> Any:
    decision = RAISED(lot, bid)
    if isinstance(decision, Refusal):
        return decision
    return (replace(decision[0], standing=True, amount_fen=lot.price_fen),)


add(E_, english, "_capped", "the cap does not close", lambda lot, events: events)
add(
    E_, english, "_capped", "one alone at the cap has it",
    lambda lot, events: CAPPED(replace(lot, bidders=(8, 9)), events),
)  # fmt: skip
add(E_, english, "_cover_refusal", "no deposit need cover", lambda lot, alias, amount: None)
add(
    E_, english, "_cover_refusal", "a fen more than the deposit covers",
    lambda lot, alias, amount: COVER(lot, alias, amount - 100),
)  # fmt: skip

# Extensions


@fault(E_, journal, "decide", "an extension by hand leaves the hard end")
def hand_leaves_hard_end(lot: Lot, command: c.Command, now: dt.datetime) -> Any:
    decision = DECIDE(lot, command, now)
    if isinstance(command, c.Extend) and isinstance(decision, tuple):
        return (replace(decision[0], hard_end=lot.hard_end),)
    return decision


@fault(E_, "auctions.journal", "evolve", "extensions by hand are not counted")
def hand_uncounted(lot: Lot, event: e.Event, at: dt.datetime) -> Lot:
    return replace(evolving.evolve(lot, event, at), hand_extensions=0)


add(
    E_, journal, "decide", "an extension by hand after the end",
    decides(c.Extend, lambda lot, command, now: DECIDE(lot, command, min(now, lot.opens_at))),
)  # fmt: skip
add(
    E_, journal, "decide", "one extension by hand too many",
    decides(
        c.Extend,
        lambda lot, command, now: DECIDE(
            replace(lot, hand_extensions=max(0, lot.hand_extensions - 1)), command, now
        ),
    ),
)  # fmt: skip
add(
    E_, journal, "decide", "together without the term",
    decides(
        c.ExtendTogether,
        lambda lot, command, now: DECIDE(
            replace(lot, terms=replace(lot.terms, ends_together=True)), command, now
        ),
    ),
)  # fmt: skip
add(
    E_, deciding, "_followed", "together moves the end back",
    lambda lot, until, with_lot: e.ExtendedTogether(until, lot.hard_end, with_lot),
)  # fmt: skip
add(
    E_, journal, "decide", "an outage closes the lot",
    decides(c.Close, lambda lot, command, now: DECIDE(lot, command, min(now, lot.ends_at + S))),
)  # fmt: skip
add(
    E_, journal, "decide", "a microsecond of outage too many",
    decides(
        c.Close,
        lambda lot, command, now: DECIDE(
            lot, command, now + (dt.timedelta(microseconds=1) if now > lot.ends_at + 10 * S else 0 * S)
        ),
    ),
)  # fmt: skip

# Sealed bids

S_ = SealedMachine
RANK, SEAL_BOOK, OUTCOME, OPENED, SEAL_CLOSE = (
    sealed._rank, sealed.book_after, sealed.outcome, sealed._opened, sealed.close,
)  # fmt: skip


def outcomes(name: str, change: Callable[[Lot, e.Closed], e.Closed]) -> None:
    add(S_, sealed, "outcome", name, lambda lot: change(lot, OUTCOME(lot)))


add(
    S_, sealed, "book_after", "the first envelope counts",
    lambda lot, event, seq: (
        lot.book
        if isinstance(event, e.BidAccepted)
        and event.act == "seal"
        and str(event.alias) in lot.book.get("sealed", {})
        else SEAL_BOOK(lot, event, seq)
    ),
)  # fmt: skip
add(
    S_, sealed, "_rank", "the later of equal envelopes wins",
    lambda lot, alias, amount, seq: RANK(lot, alias, amount, -seq),
)  # fmt: skip
add(
    S_, sealed, "_rank", "priority does not decide ties",
    lambda lot, alias, amount, seq: RANK(replace(lot, admitted={}), alias, amount, seq),
)  # fmt: skip
add(
    S_, sealed, "_rank", "the lowest wins",
    lambda lot, alias, amount, seq: RANK(lot, alias, -amount, seq),
)  # fmt: skip


def always(lot: Lot, closed: e.Closed) -> e.Closed:
    ranked = sealed._ranked(lot)
    if not ranked:
        return closed
    return replace(closed, reason=e.CloseReason.SOLD, winner=ranked[0][1], hammer_fen=ranked[0][2])


outcomes("reserve and sole bidder are forgotten, and so is the second price", always)
outcomes(
    "the second price forgets reserve and start",
    lambda lot, closed: (
        replace(closed, hammer_fen=sealed._ranked(lot)[1][2] if len(sealed._ranked(lot)) > 1 else 0)
        if closed.winner and lot.terms.params["pricing"] == "second"
        else closed
    ),
)
outcomes("nothing is unopened", lambda lot, closed: replace(closed, detail={**closed.detail, "unopened": []}))
outcomes(
    "whoever lost the admission should have opened",
    lambda lot, closed: OUTCOME(replace(lot, admitted=dict.fromkeys(range(1, 5)))),
)
add(
    S_, sealed, "NONCE", "any nonce is enough",
    type("Any", (), {"fullmatch": staticmethod(lambda text: True)}),
)  # fmt: skip
add(
    S_, sealed, "seal", "the bidder may name another amount",
    lambda lot_id, alias, amount, nonce: type("Fits", (str,), {"__ne__": lambda mine, other: False})(),
)  # fmt: skip
bids(
    "an envelope may be opened twice",
    lambda lot, bid, decision: (
        OPENED(
            replace(lot, book={**lot.book, "opened": {}}),
            bid,
        )
        if isinstance(decision, Refusal) and decision.code is RefusalCode.ALREADY_OPENED
        else decision
    ),
    S_,
    sealed,
)
bids(
    "envelopes are taken during the opening",
    lambda lot, bid, decision: (
        sealed._sealed(lot, bid)
        if isinstance(decision, Refusal) and bid.act == "seal" and lot.state is LotState.REVEALING
        else decision
    ),
    S_,
    sealed,
)
bids(
    "an envelope is opened before the end",
    lambda lot, bid, decision: (
        OPENED(lot, bid)
        if isinstance(decision, Refusal) and bid.act == "open" and lot.state is not LotState.REVEALING
        else decision
    ),
    S_,
    sealed,
)
bids(
    "an envelope with too little counts",
    lambda lot, bid, decision: (
        OPENED(replace(lot, terms=replace(lot.terms, start_fen=1)), bid)
        if isinstance(decision, Refusal) and decision.code is RefusalCode.BID_BELOW_START
        else decision
    ),
    S_,
    sealed,
)
add(S_, sealed, "close", "no time to open", lambda lot, now: (OUTCOME(lot),))
add(
    S_, sealed, "close", "the opening is too short",
    lambda lot, now: tuple(
        replace(event, ends_at=event.ends_at - S) if isinstance(event, e.OpeningBegan) else event
        for event in SEAL_CLOSE(lot, now)
    ),
)  # fmt: skip

# Falling prices

D_ = DutchMachine
STEP_AT, PRICE_AT, FALL_BOOK = dutch.step_at, dutch.price_at, dutch.book_after

add(
    D_, dutch, "step_at", "the price falls a microsecond late",
    lambda lot, at: STEP_AT(lot, at - dt.timedelta(microseconds=1)),
)  # fmt: skip
add(
    D_, dutch, "step_at", "the price falls a microsecond early",
    lambda lot, at: STEP_AT(lot, at + dt.timedelta(microseconds=1)),
)  # fmt: skip
add(
    D_, dutch, "price_at", "the price falls through the floor",
    lambda terms, step: terms.start_fen - step * terms.params["decrement_fen"],
)  # fmt: skip
add(
    D_, dutch, "step_at", "a pause lets the price fall",
    lambda lot, at: min(
        max((at - lot.opens_at) // (lot.terms.params["interval_s"] * S), 0), dutch.steps(lot.terms) - 1
    ),
)  # fmt: skip
add(
    D_, dutch, "step_at", "the price rises after an outage",
    lambda lot, at: STEP_AT(replace(lot, outages=0), at),
)  # fmt: skip
add(
    D_, dutch, "book_after", "the price rises for what came before the resumption",
    lambda lot, event, seq: lot.book if isinstance(event, e.Resumed) else FALL_BOOK(lot, event, seq),
)  # fmt: skip
bids(
    "a take does not end the lot",
    lambda lot, bid, decision: decision[:1] if isinstance(decision, tuple) else decision,
    D_,
    dutch,
)
bids(
    "a take may name any step",
    lambda lot, bid, decision: (
        DECIDE_DUTCH(lot, replace(bid, extra={"step": decision.params["step"]}), bid.received_at)
        if isinstance(decision, Refusal) and decision.code is RefusalCode.PRICE_MOVED
        else decision
    ),
    D_,
    dutch,
)
bids(
    "a take is judged when it is decided",
    lambda lot, bid, decision: DECIDE_DUTCH(lot, replace(bid, received_at=lot.last_at), lot.last_at),
    D_,
    dutch,
)

# Price and royalty

C_ = ScoringMachine
SCORE, DECIDE_OFFER, SCORE_CLOSE, POINTS = (
    scoring.score, scoring.decide_bid, scoring.close, scoring.points,
)  # fmt: skip


def allows(code: RefusalCode, **changes: Any) -> Change:
    """Under a code of refusal the offer is judged again, as if the terms or the lot were others."""

    def change(lot: Lot, bid: Any, decision: Any) -> Any:
        if not isinstance(decision, Refusal) or decision.code is not code:
            return decision
        terms = {key: value for key, value in changes.items() if key == "start_fen"}
        params = {key: value for key, value in changes.items() if key in lot.terms.params}
        kept = {key: value for key, value in changes.items() if key not in terms and key not in params}
        other = replace(lot.terms, params={**lot.terms.params, **params}, **terms)
        return DECIDE_OFFER(replace(lot, terms=other, **kept), bid, bid.received_at)

    return change


for name, change in [
    ("any better score is enough", allows(RefusalCode.SCORE_TOO_LOW, score_step=0)),
    ("the leader may better the own offer", allows(RefusalCode.LEADER_CANNOT_RAISE, leader=99)),
    ("any royalty may be offered", allows(RefusalCode.ROYALTY_OUT_OF_RANGE, royalty_most_bp=10_000)),
    (
        "an offer is no later bid",
        each_bid(lambda lot, bid: replace(bid, ends_at=lot.ends_at)),
    ),
    (
        "points are rounded, not cut",
        each_bid(
            lambda lot, bid: replace(
                bid, detail={**bid.detail, "points": POINTS(Fraction(bid.detail["score"]), up=True)}
            )
        ),
    ),
]:
    bids(name, change, C_, scoring)


def SCORE_OF(bid: e.BidAccepted) -> Any:
    from fractions import Fraction

    return Fraction(bid.detail["score"])


add(
    C_, scoring, "score", "scores are floats",
    lambda terms, amount, royalty: type(SCORE(terms, amount, royalty))(float(SCORE(terms, amount, royalty))),
)  # fmt: skip
add(
    C_, scoring, "score", "scores are cut to hundredths",
    lambda terms, amount, royalty: (
        type(SCORE(terms, amount, royalty))(int(SCORE(terms, amount, royalty) * 100), 100)
    ),
)  # fmt: skip
add(
    C_, scoring, "score", "royalty counts for nothing",
    lambda terms, amount, royalty: SCORE(terms, amount, 0),
)  # fmt: skip
add(
    C_, scoring, "close", "the reserve is forgotten",
    lambda lot, now: SCORE_CLOSE(replace(lot, price_fen=9_999_999) if lot.price_fen else lot, now),
)  # fmt: skip
add(
    C_, scoring, "close", "the sole bidder always has it",
    lambda lot, now: SCORE_CLOSE(replace(lot, bidders=(8, 9)), now),
)  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.machine.__name__}: {fault.name}")
def test_the_machine_finds(monkeypatch: pytest.MonkeyPatch, fault: Fault) -> None:
    if isinstance(fault.where, str):
        monkeypatch.setattr(f"{fault.where}.{fault.what}", fault.fault)
    else:
        monkeypatch.setattr(fault.where, fault.what, fault.fault)
    with pytest.raises((AssertionError, TypeError, ValueError, KeyError)):
        run_state_machine_as_test(fault.machine, settings=settings(profile(2000), phases=[Phase.generate]))
