"""What happens when something is asked of a lot.

`now` is the lot's own time (`Lot.time`). The answer is a tuple of events, or a `Refusal` that names the
rule and the journal entry that made it apply. Nothing here changes anything.
"""

# ruff: noqa: ARG001  (every handler has one signature, whatever it needs of it)
from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import singledispatch

from auctions.rules import commands as c
from auctions.rules import events as e
from auctions.rules.formats import problems as problems_of
from auctions.rules.formats import rules_of
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import BIDDING, ENDED, OPEN, STOPPED, UPCOMING, Lot, LotState

LATE_OPENING = dt.timedelta(seconds=5)
"""A lot opened later than this after its time ends later by as much, so bidders keep their time."""

Decision = tuple[e.Event, ...] | Refusal


def decide(lot: Lot, command: c.Command, now: dt.datetime) -> Decision:
    """Judge a command. Raises nothing for any command of these types; TypeError for another."""
    return _decide(command, lot, now)


def _wrong_state(lot: Lot, command: c.Command) -> Refusal:
    return Refusal(
        RefusalCode.WRONG_LOT_STATE,
        lot.state_seq,
        {"state": lot.state.value, "command": type(command).__name__},
    )


@singledispatch
def _decide(command: c.Command, lot: Lot, now: dt.datetime) -> Decision:
    raise TypeError(type(command))


@_decide.register
def _(command: c.Publish, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state is not LotState.DRAFT:
        return _wrong_state(lot, command)
    problems = problems_of(lot.terms, now)
    if problems:
        return Refusal(
            RefusalCode.TERMS_CANNOT_BE_PUBLISHED,
            0,
            {"problems": [[field, code] for field, code, _ in problems]},
        )
    announced = e.Announced(lot.terms.hash())
    starts = lot.terms.registration_opens_at
    return (announced, e.RegistrationOpened()) if starts is None or starts <= now else (announced,)


@_decide.register
def _(command: c.OpenRegistration, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state is not LotState.ANNOUNCED:
        return _wrong_state(lot, command)
    starts = lot.terms.registration_opens_at
    if starts is not None and now < starts:
        return Refusal(RefusalCode.NOT_DUE, lot.state_seq, {"due_at": starts.isoformat()})
    return (e.RegistrationOpened(),)


@_decide.register
def _(command: c.Admit, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state is not LotState.REGISTRATION and lot.state not in BIDDING | STOPPED:
        return _wrong_state(lot, command)
    if command.is_staff:
        return Refusal(RefusalCode.STAFF_MAY_NOT_BID, 1)
    if lot.terms.is_barred(command.organisation_id):
        return Refusal(RefusalCode.BARRED_FROM_BIDDING, 1)
    if command.deposit_fen < lot.terms.deposit_fen:
        return Refusal(RefusalCode.DEPOSIT_MISSING, 1, {"deposit_fen": lot.terms.deposit_fen})
    if command.alias in lot.admitted:
        return Refusal(RefusalCode.ALREADY_ADMITTED, lot.seq)
    alias = lot.alias_count + 1 if command.alias is None else command.alias
    return (e.BidderAdmitted(alias, command.commitment, command.deposit_fen, command.priority),)


@_decide.register
def _(command: c.RevokeAdmission, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state in ENDED or lot.state is LotState.DRAFT:
        return _wrong_state(lot, command)
    if not command.reason.strip():
        return Refusal(RefusalCode.REASON_MISSING, lot.seq)
    if command.alias not in lot.admitted:
        return Refusal(RefusalCode.NOT_ADMITTED, lot.seq)
    if command.alias == lot.leader:
        return Refusal(RefusalCode.LEADER_CANNOT_LEAVE, lot.leader_seq)
    return (e.AdmissionRevoked(command.alias, command.reason.strip()),)


@_decide.register
def _(command: c.Open, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state is not LotState.REGISTRATION:
        return _wrong_state(lot, command)
    assert lot.opens_at is not None
    assert lot.ends_at is not None
    late = now - lot.opens_at
    if late < dt.timedelta(0):
        return Refusal(RefusalCode.NOT_DUE, lot.state_seq, {"due_at": lot.opens_at.isoformat()})
    shift = late if late > LATE_OPENING else dt.timedelta(0)
    return (e.Opened(lot.ends_at + shift, None if lot.hard_end is None else lot.hard_end + shift),)


@_decide.register
def _(command: c.PlaceBid, lot: Lot, now: dt.datetime) -> Decision:
    if command.alias is None or command.alias not in lot.admitted:
        return Refusal(RefusalCode.NOT_ADMITTED, lot.seq)
    if command.problem is not None:
        return Refusal(command.problem, lot.seq)
    if lot.state not in OPEN:
        if lot.state in ENDED:
            return Refusal(RefusalCode.LOT_ENDED, lot.state_seq)
        code = RefusalCode.LOT_PAUSED if lot.state in STOPPED else RefusalCode.LOT_NOT_OPEN
        return Refusal(code, lot.state_seq)
    assert lot.ends_at is not None
    if command.received_at > now:
        # Stamped by a clock ahead of the lot's time: nothing is received after it is decided.
        command = replace(command, received_at=now)
    if command.received_at >= lot.ends_at:
        return Refusal(RefusalCode.BID_AFTER_END, lot.leader_seq or lot.state_seq)
    return rules_of(lot).decide_bid(lot, command, now)


@_decide.register
def _(command: c.Pause, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state not in OPEN:
        return _wrong_state(lot, command)
    if not command.reason.strip():
        return Refusal(RefusalCode.REASON_MISSING, lot.seq)
    return (e.Paused(command.reason.strip()),)


@_decide.register
def _(command: c.Suspend, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state not in UPCOMING | OPEN | {LotState.PAUSED}:
        return _wrong_state(lot, command)
    if not command.reason.strip():
        return Refusal(RefusalCode.REASON_MISSING, lot.seq)
    return (e.Suspended(command.reason.strip()),)


@_decide.register
def _(command: c.Resume, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state not in STOPPED:
        return _wrong_state(lot, command)
    assert lot.opens_at is not None
    assert lot.ends_at is not None
    assert lot.stopped_at is not None
    opens_at, nothing = lot.opens_at, dt.timedelta(0)
    if lot.stopped_from in OPEN:
        shift = now - lot.stopped_at
    else:
        # Stopped before it opened: only what the stop has eaten of the lead is given back.
        shift = max(nothing, now - lot.opens_at)
        opens_at += shift
    return (e.Resumed(opens_at, lot.ends_at + shift, None if lot.hard_end is None else lot.hard_end + shift),)


@_decide.register
def _(command: c.Withdraw, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state in ENDED or lot.state is LotState.DRAFT:
        return _wrong_state(lot, command)
    if lot.bid_count:
        return Refusal(RefusalCode.BIDS_EXIST, lot.leader_seq)
    if not command.reason.strip():
        return Refusal(RefusalCode.REASON_MISSING, lot.seq)
    return (e.Withdrawn(command.reason.strip()),)


@_decide.register
def _(command: c.Cancel, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state in ENDED or lot.state is LotState.DRAFT:
        return _wrong_state(lot, command)
    if not command.reason.strip():
        return Refusal(RefusalCode.REASON_MISSING, lot.seq)
    return (e.Cancelled(command.reason.strip()),)


@_decide.register
def _(command: c.Close, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state not in OPEN:
        return _wrong_state(lot, command)
    assert lot.ends_at is not None
    due = lot.ends_at + lot.terms.ingress_margin
    if now < due:
        return Refusal(RefusalCode.NOT_DUE, lot.leader_seq or lot.state_seq, {"due_at": due.isoformat()})
    if now > due + dt.timedelta(seconds=lot.terms.outage_grace_s):
        end = now + dt.timedelta(seconds=lot.terms.outage_extension_s)
        return (e.OutageExtended(end, None if lot.hard_end is None else max(end, lot.hard_end)),)
    if lot.terms.ends_together and command.together_until is not None and command.together_with is not None:
        followed = _followed(lot, command.together_until, command.together_with)
        if followed is not None:
            return (followed,)
    return rules_of(lot).close(lot, now)


def _followed(lot: Lot, until: dt.datetime, with_lot: int) -> e.ExtendedTogether | None:
    assert lot.ends_at is not None
    if until <= lot.ends_at:
        return None
    return e.ExtendedTogether(until, None if lot.hard_end is None else max(until, lot.hard_end), with_lot)


@_decide.register
def _(command: c.ExtendTogether, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state not in BIDDING or not lot.terms.ends_together:
        return _wrong_state(lot, command)
    followed = _followed(lot, command.ends_at, command.with_lot)
    return (followed,) if followed else Refusal(RefusalCode.NOT_DUE, lot.seq, {"due_at": ""})


@_decide.register
def _(command: c.Extend, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state not in BIDDING:
        return _wrong_state(lot, command)
    assert lot.ends_at is not None
    if not command.reason.strip():
        return Refusal(RefusalCode.REASON_MISSING, lot.seq)
    if lot.hand_extensions >= lot.terms.hand_extensions:
        return Refusal(RefusalCode.NO_MORE_EXTENSIONS, 1, {"extensions": lot.terms.hand_extensions})
    if now >= lot.ends_at:
        return Refusal(RefusalCode.LOT_ENDED, lot.state_seq)
    more = dt.timedelta(seconds=lot.terms.hand_extension_s)
    hard = None if lot.hard_end is None else lot.hard_end + more
    return (e.ExtendedByHand(lot.ends_at + more, hard, command.reason.strip()),)


@_decide.register
def _(command: c.Announce, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state is LotState.DRAFT:
        return _wrong_state(lot, command)
    if not command.text.strip():
        return Refusal(RefusalCode.REASON_MISSING, lot.seq)
    return (e.Announcement(command.text.strip()),)


@_decide.register
def _(command: c.RecordDefault, lot: Lot, now: dt.datetime) -> Decision:
    if lot.state is not LotState.SOLD:
        return _wrong_state(lot, command)
    if not command.reason.strip():
        return Refusal(RefusalCode.REASON_MISSING, lot.seq)
    return (e.Defaulted(command.reason.strip()),)
