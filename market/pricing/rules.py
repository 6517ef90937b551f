"""What may happen to price notices, priority rights, trials and open licences. Pure.

    notice   draft ──start──► running ──expire──► expired ──sign──► signed
                                │  ▲                │
                              object │ settle       │ object is refused: the days are over
                                ▼  │                │
                              objected ──settle──► expired
             change (price, transferee, mode, relation): running | objected | expired ──► running, anew
             withdraw: draft | running | objected | expired ──► withdrawn

    right    waiting ──waive──► waived | ──exercise──► exercised | ──fall_silent──► silent
             silent ──waive | exercise──► the same, where the answer came in time and was entered late

    trial    applied ──agree──► agreed ──begin──► in_trial ──convert──► converted
                │                 │                  ├──end──► ended
                └──refuse──► refused                 └──lapse──► lapsed
             agreed ──end──► ended | ──lapse──► lapsed

    licence  draft ──declare──► declared ──withdraw──► withdrawn
               └──withdraw──► withdrawn  └──lapse──► lapsed

How many days a notice runs is a policy row. A limit in days leaves out the day it starts on.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from typing import Any

from market.deals.rules import Deadline, deadline
from market.errors import WrongState
from market.pricing.models import LicenceState, NoticeState, PriorityAnswer, TrialState

_N, _T, _L, _P = NoticeState, TrialState, LicenceState, PriorityAnswer


class NoticeStep(enum.StrEnum):
    """What can happen to a price notice."""

    CREATE = "create"
    EDIT = "edit"
    START = "start"
    CHANGE = "change"
    OBJECT = "object"
    SETTLE = "settle"
    EXPIRE = "expire"
    SIGN = "sign"
    WITHDRAW = "withdraw"


class PriorityStep(enum.StrEnum):
    """What can happen to a priority right."""

    ASK = "ask"
    WAIVE = "waive"
    EXERCISE = "exercise"
    FALL_SILENT = "fall_silent"


class TrialStep(enum.StrEnum):
    """What can happen to a trial."""

    APPLY = "apply"
    AGREE = "agree"
    REFUSE = "refuse"
    BEGIN = "begin"
    CONVERT = "convert"
    END = "end"
    LAPSE = "lapse"


class LicenceStep(enum.StrEnum):
    """What can happen to an open licence."""

    CREATE = "create"
    EDIT = "edit"
    DECLARE = "declare"
    WITHDRAW = "withdraw"
    LAPSE = "lapse"


_OPEN = (_N.RUNNING, _N.OBJECTED, _N.EXPIRED)
NOTICE_STEPS: dict[tuple[NoticeState, NoticeStep], frozenset[NoticeState]] = {
    (_N.DRAFT, NoticeStep.EDIT): frozenset({_N.DRAFT}),
    (_N.DRAFT, NoticeStep.START): frozenset({_N.RUNNING}),
    **{(state, NoticeStep.EDIT): frozenset({state}) for state in _OPEN},
    **{(state, NoticeStep.CHANGE): frozenset({_N.RUNNING, _N.OBJECTED}) for state in _OPEN},
    (_N.RUNNING, NoticeStep.OBJECT): frozenset({_N.OBJECTED}),
    (_N.OBJECTED, NoticeStep.OBJECT): frozenset({_N.OBJECTED}),
    (_N.OBJECTED, NoticeStep.SETTLE): frozenset({_N.OBJECTED, _N.RUNNING, _N.EXPIRED}),
    (_N.RUNNING, NoticeStep.EXPIRE): frozenset({_N.EXPIRED}),
    (_N.EXPIRED, NoticeStep.SIGN): frozenset({_N.SIGNED}),
    **{(state, NoticeStep.WITHDRAW): frozenset({_N.WITHDRAWN}) for state in (_N.DRAFT, *_OPEN)},
}
"""Which states a step may lead to from a state; what is not here is refused."""

TRIAL_STEPS: dict[tuple[TrialState, TrialStep], TrialState] = {
    (_T.APPLIED, TrialStep.AGREE): _T.AGREED,
    (_T.APPLIED, TrialStep.REFUSE): _T.REFUSED,
    (_T.AGREED, TrialStep.BEGIN): _T.IN_TRIAL,
    (_T.AGREED, TrialStep.END): _T.ENDED,
    (_T.IN_TRIAL, TrialStep.CONVERT): _T.CONVERTED,
    (_T.IN_TRIAL, TrialStep.END): _T.ENDED,
    (_T.AGREED, TrialStep.LAPSE): _T.LAPSED,
    (_T.IN_TRIAL, TrialStep.LAPSE): _T.LAPSED,
}

LICENCE_STEPS: dict[tuple[LicenceState, LicenceStep], LicenceState] = {
    (_L.DRAFT, LicenceStep.EDIT): _L.DRAFT,
    (_L.DRAFT, LicenceStep.DECLARE): _L.DECLARED,
    (_L.DRAFT, LicenceStep.WITHDRAW): _L.WITHDRAWN,
    (_L.DECLARED, LicenceStep.WITHDRAW): _L.WITHDRAWN,
    (_L.DECLARED, LicenceStep.LAPSE): _L.LAPSED,
}

PRIORITY_STEPS: dict[tuple[PriorityAnswer, PriorityStep], PriorityAnswer] = {
    (_P.WAITING, PriorityStep.WAIVE): _P.WAIVED,
    (_P.WAITING, PriorityStep.EXERCISE): _P.EXERCISED,
    (_P.WAITING, PriorityStep.FALL_SILENT): _P.SILENT,
    (_P.SILENT, PriorityStep.WAIVE): _P.WAIVED,
    (_P.SILENT, PriorityStep.EXERCISE): _P.EXERCISED,
}
"""Where a right goes; an answered one goes nowhere. The day of an answer must be within the time given, so a
silent right can only be mended by an answer that was entered late."""

REASONED = frozenset({NoticeStep.WITHDRAW, TrialStep.REFUSE, TrialStep.END, LicenceStep.WITHDRAW})
"""Steps that must say why."""

RESTARTING = ("price_fen", "transferee_name", "transferee_id", "transfer_mode", "related_party")
"""What must be published for its full days: changed while the notice runs, the days start anew."""


def check_notice(state: NoticeState, step: NoticeStep) -> None:
    """Raise WrongState where a notice's state does not permit a step."""
    if (state, step) not in NOTICE_STEPS:
        raise WrongState(state=state.value, action=step.value)


def after_trial(state: TrialState, step: TrialStep) -> TrialState:
    """Where a step leads a trial. Raises WrongState."""
    after = TRIAL_STEPS.get((state, step))
    if after is None:
        raise WrongState(state=state.value, action=step.value)
    return after


def after_licence(state: LicenceState, step: LicenceStep) -> LicenceState:
    """Where a step leads an open licence. Raises WrongState."""
    after = LICENCE_STEPS.get((state, step))
    if after is None:
        raise WrongState(state=state.value, action=step.value)
    return after


def after_priority(answer: PriorityAnswer, step: PriorityStep) -> PriorityAnswer:
    """Where a step leads a priority right. Raises WrongState."""
    after = PRIORITY_STEPS.get((answer, step))
    if after is None:
        raise WrongState(state=answer.value, action=step.value)
    return after


def notice_ends(unit_from: dt.date, market_from: dt.date, limit: int, unit: str) -> Deadline:
    """The last day of a notice: the limit after the later of the two notices' first days."""
    return deadline(max(unit_from, market_from), limit, unit)


def settled(*, open_objections: int, upheld: bool, today: dt.date, ends_on: dt.date | None) -> NoticeState:
    """Where a notice stands by its objections: objected while one is open, or was upheld and nothing has
    been changed since; else running through its last day, and over after it."""
    if open_objections or upheld:
        return _N.OBJECTED
    return _N.RUNNING if ends_on is None or today <= ends_on else _N.EXPIRED


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """What differs: {"field": [before, after]}."""
    return {name: [before[name], after[name]] for name in after if before.get(name) != after[name]}


def restarts(changed: Iterable[str]) -> bool:
    """Whether changes of these fields start the days of a published notice anew."""
    return bool(set(changed) & set(RESTARTING))


def priority_silent(answer: PriorityAnswer, answer_by: dt.date, today: dt.date) -> bool:
    """Whether a right's holder has let the day pass. The day itself still counts."""
    return answer is _P.WAITING and today > answer_by
