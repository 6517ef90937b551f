"""Decisions about enquiries: states, who may take which step, when the next step is due.

    open ──reply (owner)──► answered ──negotiate──► negotiating ──agree──► agreed
      │                        │  ▲                    │
      │                        │  └── resume ──┐       │
      ├──────── pass ──────────┼──────────────►│◄──────┤
      │                        │             passed    │
      └──────── withdraw ──────┴──────────► withdrawn ◄┘

The asking side wrote first; the owner's side has the result or the demand. Either side may pass, with a
coded reason that the other sees. Whoever passed and asked to be told at a higher readiness may resume
once the result has reached it. Only the asking side withdraws. Brokers and staff follow up without
being a side: they take an enquiry, name the next step and its day, and write into the thread.
"""

from __future__ import annotations

import datetime as dt
import enum

from market.clock import local_date
from market.enquiries.models import EnquiryState, PassReason
from market.errors import WrongState

DEFAULT_REPLY_HOURS = 72
"""When a first reply is due from an organisation that promises nothing."""
BROKERED_DAYS = 7
"""By when a broker who brought two sides together names the next step after the owner has answered."""
S = EnquiryState
ACTIVE = frozenset({S.OPEN, S.ANSWERED, S.NEGOTIATING})
"""States in which something is still to be done."""


class Step(enum.StrEnum):
    """What may be done to an enquiry beside writing into it."""

    ANSWER = "answer"
    """The owner's first reply."""
    NEGOTIATE = "negotiate"
    AGREE = "agree"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    RESUME = "resume"
    FOLLOW = "follow"
    """Take, assign, name the next step and its day."""


class Side(enum.StrEnum):
    """On which side of an enquiry somebody stands."""

    ASKING = "asking"
    OWNER = "owner"
    MARKET = "market"
    """Brokers and staff."""


STEPS: dict[Step, dict[EnquiryState, EnquiryState]] = {
    Step.ANSWER: {S.OPEN: S.ANSWERED},
    Step.NEGOTIATE: {S.ANSWERED: S.NEGOTIATING},
    Step.AGREE: {S.NEGOTIATING: S.AGREED},
    Step.DECLINE: dict.fromkeys(ACTIVE, S.PASSED),
    Step.WITHDRAW: dict.fromkeys(ACTIVE, S.WITHDRAWN),
    Step.RESUME: {S.PASSED: S.ANSWERED},
    Step.FOLLOW: {state: state for state in ACTIVE},
}
"""Step → state before → state after; what is not listed is refused."""

TAKERS: dict[Step, frozenset[Side]] = {
    Step.ANSWER: frozenset({Side.OWNER}),
    Step.NEGOTIATE: frozenset(Side),
    Step.AGREE: frozenset({Side.OWNER, Side.MARKET}),
    Step.DECLINE: frozenset({Side.ASKING, Side.OWNER}),
    Step.WITHDRAW: frozenset({Side.ASKING}),
    Step.RESUME: frozenset({Side.ASKING, Side.OWNER}),
    Step.FOLLOW: frozenset({Side.OWNER, Side.MARKET}),
}
"""Who may take a step."""


def after(state: EnquiryState | str, step: Step) -> EnquiryState:
    """The state that a step leads to. Raises WrongState(state, action)."""
    state = EnquiryState(state)
    following = STEPS[step].get(state)
    if following is None:
        raise WrongState(state=state.value, action=step.value)
    return following


def steps_from(state: EnquiryState | str, sides: frozenset[Side]) -> frozenset[Step]:
    """The steps that somebody on these sides may take from a state; answering happens by replying."""
    state = EnquiryState(state)
    return frozenset(
        step
        for step, table in STEPS.items()
        if state in table and TAKERS[step] & sides and step is not Step.ANSWER
    )


def reply_due(opened: dt.datetime, promised_hours: int | None) -> dt.date:
    """The Shanghai day by which a first reply is due."""
    return local_date(opened + dt.timedelta(hours=promised_hours or DEFAULT_REPLY_HOURS))


def due_after_answer(answered: dt.datetime, brokered: bool) -> dt.date | None:
    """The Shanghai day by which something is to be done once the owner has answered.

    None for two sides who found each other: it is for them. What a broker began is not left without a day.
    """
    return local_date(answered) + dt.timedelta(days=BROKERED_DAYS) if brokered else None


def word_on_pair(step: Step, reason: PassReason | str | None) -> bool | None:
    """Whether a step says that the demand and the result fit; None where it says nothing of that.

    A price, a missing budget or unclear rights keep apart what fits.
    """
    if step is Step.AGREE:
        return True
    return False if step is Step.DECLINE and reason == PassReason.NOT_RELEVANT else None


def is_overdue(state: EnquiryState | str, due_on: dt.date | None, today: dt.date) -> bool:
    """Whether the day of the next step has gone by undone."""
    return EnquiryState(state) in ACTIVE and due_on is not None and due_on < today


def median_hours(waits: list[dt.timedelta]) -> float | None:
    """The middle of some waiting times in hours, to one decimal; None when there are none."""
    if not waits:
        return None
    ordered = sorted(waits)
    half = len(ordered) // 2
    middle = ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return round(middle.total_seconds() / 3600, 1)
