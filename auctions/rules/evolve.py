"""What is true after an event."""

# ruff: noqa: ARG001  (every handler has one signature, whatever it needs of it)
from __future__ import annotations

import datetime as dt
from functools import singledispatch
from typing import Any

from auctions.rules import events as e
from auctions.rules.formats import rules_of
from auctions.rules.state import Lot, LotState


def evolve(lot: Lot, event: e.Event, at: dt.datetime) -> Lot:
    """The lot after its next entry. Trusts the event: rules are judged in `decide` and in `verify`."""
    seq = lot.seq + 1
    changes = _changes(event, lot, seq, at)
    changes["book"] = rules_of(lot).book_after(lot, event, seq)
    if "state" in changes and changes["state"] is not lot.state:
        changes["state_seq"] = seq
    changes["seq"] = seq
    changes["last_at"] = at
    return lot.changed(changes)


@singledispatch
def _changes(event: e.Event, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    raise TypeError(type(event))


@_changes.register
def _(event: e.Announced, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {"state": LotState.ANNOUNCED}


@_changes.register
def _(event: e.RegistrationOpened, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {"state": LotState.REGISTRATION}


@_changes.register
def _(event: e.BidderAdmitted, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {
        "admitted": {**lot.admitted, event.alias: event.priority},
        "deposits": {**lot.deposits, event.alias: event.deposit_fen},
        "alias_count": max(lot.alias_count, event.alias),
    }


@_changes.register
def _(event: e.AdmissionRevoked, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {"admitted": {alias: rank for alias, rank in lot.admitted.items() if alias != event.alias}}


@_changes.register
def _(event: e.Opened, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {"state": LotState.LIVE, "opens_at": at, "ends_at": event.ends_at, "hard_end": event.hard_end}


@_changes.register
def _(event: e.BidAccepted, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    extended = lot.ends_at is not None and event.ends_at > lot.ends_at
    changes: dict[str, Any] = {
        "state": LotState.EXTENDING if extended else lot.state,
        "bid_count": lot.bid_count + 1,
        "bidders": lot.bidders if event.alias in lot.bidders else (*lot.bidders, event.alias),
        "ends_at": event.ends_at,
    }
    if event.standing:
        changes.update(price_fen=event.amount_fen, leader=event.alias, leader_seq=seq)
    return changes


@_changes.register
def _(event: e.OpeningBegan, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {"state": LotState.REVEALING, "ends_at": event.ends_at}


@_changes.register
def _(event: e.Paused, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {"state": LotState.PAUSED, "stopped_at": at, "stopped_from": lot.state}


@_changes.register
def _(event: e.Suspended, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    if lot.state is LotState.PAUSED:
        return {"state": LotState.SUSPENDED}
    return {"state": LotState.SUSPENDED, "stopped_at": at, "stopped_from": lot.state}


@_changes.register
def _(event: e.Resumed, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {
        "state": lot.stopped_from,
        "stopped_at": None,
        "stopped_from": None,
        "opens_at": event.opens_at,
        "ends_at": event.ends_at,
        "hard_end": event.hard_end,
    }


@_changes.register
def _(event: e.OutageExtended, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {**_extended(lot, event.ends_at, event.hard_end), "outages": lot.outages + 1}


@_changes.register
def _(event: e.ExtendedTogether, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return _extended(lot, event.ends_at, event.hard_end)


@_changes.register
def _(event: e.ExtendedByHand, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {
        **_extended(lot, event.ends_at, event.hard_end),
        "hand_extensions": lot.hand_extensions + 1,
    }


def _extended(lot: Lot, ends_at: dt.datetime, hard_end: dt.datetime | None) -> dict[str, Any]:
    # More time for opening envelopes is no more time for bidding.
    state = lot.state if lot.state is LotState.REVEALING else LotState.EXTENDING
    return {"state": state, "ends_at": ends_at, "hard_end": hard_end}


@_changes.register
def _(event: e.Announcement, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {}


@_changes.register
def _(event: e.Closed, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {
        "state": LotState.PASSED_IN if event.winner is None else LotState.SOLD,
        "winner": event.winner,
        "hammer_fen": event.hammer_fen,
        "closed_at": at,
    }


@_changes.register
def _(event: e.Withdrawn, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {"state": LotState.WITHDRAWN, "closed_at": at}


@_changes.register
def _(event: e.Cancelled, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {"state": LotState.CANCELLED, "closed_at": at}


@_changes.register
def _(event: e.Defaulted, lot: Lot, seq: int, at: dt.datetime) -> dict[str, Any]:
    return {"state": LotState.DEFAULTED}
