"""Decisions about suggested pairs: states, what a rejection says of the match, which pairs the queue holds.

    suggested ──accept──► accepted
      │  ▲  ▲──reopen── rejected ◄──reject──┐
      │  │                                  │
      │  └──return, reopen── snoozed ◄──snooze
      ▼
    lapsed ──return──► suggested

Accepting is not undone: both sides have been told, and pass on or withdraw the enquiry instead. Only what
nobody has decided lapses, and comes back when the pair fits again.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping

from market.clock import local_date
from market.errors import Conflict, InvalidInput, WrongState
from matching.models import ProposalState, RejectReason

OPEN_EACH = 5
"""Pairs suggested for one demand: so many of the best that nobody has decided on."""
KEPT_EACH = 10
"""A suggested pair lapses when it is no longer among so many best of its demand, so that those which a new
score moves about at the edge are not taken away and brought back."""
LONGEST_SNOOZE = dt.timedelta(days=366)
ACCEPTED_LEVEL = 4

S = ProposalState


class ProposalStep(enum.StrEnum):
    """What happens to a suggested pair. The values of those of the past stand in the events."""

    SUGGEST = "suggested"
    ASSIGN = "assigned"
    SNOOZE = "snoozed"
    RETURN = "returned"
    ACCEPT = "accepted"
    REJECT = "rejected"
    LAPSE = "lapsed"
    REOPEN = "reopened"


STEPS: Mapping[ProposalStep, Mapping[ProposalState, ProposalState]] = {
    ProposalStep.ASSIGN: {S.SUGGESTED: S.SUGGESTED, S.SNOOZED: S.SNOOZED},
    ProposalStep.SNOOZE: {S.SUGGESTED: S.SNOOZED, S.SNOOZED: S.SNOOZED},
    ProposalStep.RETURN: {S.SNOOZED: S.SUGGESTED, S.LAPSED: S.SUGGESTED},
    ProposalStep.ACCEPT: {S.SUGGESTED: S.ACCEPTED, S.SNOOZED: S.ACCEPTED},
    ProposalStep.REJECT: {S.SUGGESTED: S.REJECTED, S.SNOOZED: S.REJECTED},
    ProposalStep.LAPSE: {S.SUGGESTED: S.LAPSED, S.SNOOZED: S.LAPSED},
    ProposalStep.REOPEN: {S.REJECTED: S.SUGGESTED, S.SNOOZED: S.SUGGESTED},
}
"""ProposalStep → state before → state after; what is not listed is refused."""

UNDECIDED = (S.SUGGESTED, S.SNOOZED)

LEVELS: Mapping[RejectReason, int] = {RejectReason.OTHER_PROBLEM: 1, RejectReason.CONDITIONS: 2}
"""What a rejection says of the match on the four levels of judgments. A result that is too early or too
expensive, or whose owner is known already, is about the right thing all the same: that says nothing."""


class PairGone(Conflict):
    """One of the two sides is no longer on offer."""


def after(state: ProposalState | str, step: ProposalStep) -> ProposalState:
    """The state that a step leads to. Raises WrongState(state, action)."""
    state = ProposalState(state)
    following = STEPS[step].get(state)
    if following is None:
        raise WrongState(state=state.value, action=step.value)
    return following


def steps_from(state: ProposalState | str) -> frozenset[ProposalStep]:
    """The steps that a broker may take from a state."""
    state = ProposalState(state)
    return frozenset(
        step
        for step, table in STEPS.items()
        if state in table and step not in (ProposalStep.RETURN, ProposalStep.LAPSE)
    )


def check_snooze(until: dt.date, now: dt.datetime) -> None:
    """Refuse a day that is not ahead, or too far ahead. Raises InvalidInput."""
    today = local_date(now)
    if until <= today:
        raise InvalidInput([("until", "day_not_ahead", {})])
    if until > today + LONGEST_SNOOZE:
        raise InvalidInput([("until", "day_too_far", {})])


def check_rejection(reason: RejectReason, note: str) -> None:
    """Refuse `other` without a word. Raises InvalidInput."""
    if reason is RejectReason.OTHER and not note:
        raise InvalidInput([("note", "missing", {})])


def chosen(best: Iterable[int], decided: frozenset[int]) -> list[int]:
    """Which results the queue shows for a demand: the first of the best that nobody has decided on."""
    return [result_id for result_id in best if result_id not in decided][:OPEN_EACH]
