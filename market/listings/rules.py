"""Decisions about results and demands: steps between states, completeness, validity, evidence grades.

    draft ──publish──► published ──conclude──► concluded
                        ▲  │  │ ▲
      publish,          │  │  │ └─ reconfirm (validity starts anew)
      reconfirm         │  │  └─expire (day after `valid_until`)──► expired ──withdraw─┐
                        │  └──withdraw (with a reason)──► withdrawn ◄──────────────────┘
                        └──────────────── withdrawn, expired
    concluded ──reopen (the buyer defaulted)──► published
    published, expired, withdrawn ──merge (into another result)──► withdrawn ──separate──► published

Everything but a concluded listing may be edited. Demands stand in the same states.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Iterable
from typing import Any

from market.clock import local_date
from market.errors import InvalidInput, WrongState
from market.listings.models import EvidenceGrade, ListingState, PricingMode

LISTING_DAYS = 180
"""Days a listing is shown without being reconfirmed, unless the market sets another number."""
REMIND_DAYS = 14
"""Days before the last day on which its owner is reminded."""

SHOWN = frozenset({ListingState.PUBLISHED, ListingState.CONCLUDED})
"""States in which anybody may see a listing."""

Problem = tuple[str, str, dict[str, Any]]
"""A dotted field, a code, and the parameters of its sentence."""


class Step(enum.StrEnum):
    """What may be done to a listing."""

    EDIT = "edit"
    PUBLISH = "publish"
    RECONFIRM = "reconfirm"
    WITHDRAW = "withdraw"
    EXPIRE = "expire"
    CONCLUDE = "conclude"
    REOPEN = "reopen"
    MERGE = "merge"
    SEPARATE = "separate"


_S = ListingState
STEPS: dict[Step, dict[ListingState, ListingState]] = {
    Step.EDIT: {state: state for state in _S if state is not _S.CONCLUDED},
    Step.PUBLISH: dict.fromkeys((_S.DRAFT, _S.WITHDRAWN, _S.EXPIRED), _S.PUBLISHED),
    Step.RECONFIRM: dict.fromkeys((_S.PUBLISHED, _S.WITHDRAWN, _S.EXPIRED), _S.PUBLISHED),
    Step.WITHDRAW: dict.fromkeys((_S.PUBLISHED, _S.EXPIRED), _S.WITHDRAWN),
    Step.EXPIRE: {_S.PUBLISHED: _S.EXPIRED},
    Step.CONCLUDE: {_S.PUBLISHED: _S.CONCLUDED},
    Step.REOPEN: {_S.CONCLUDED: _S.PUBLISHED},
    Step.MERGE: dict.fromkeys((_S.PUBLISHED, _S.EXPIRED, _S.WITHDRAWN), _S.WITHDRAWN),
    Step.SEPARATE: {_S.WITHDRAWN: _S.PUBLISHED},
}
"""Step → state before → state after; what is not listed is refused."""
OWN = frozenset({Step.EXPIRE, Step.REOPEN, Step.MERGE, Step.SEPARATE})
"""Steps that the market takes by itself or its staff on pages of their own."""


def after(state: ListingState | str, step: Step) -> ListingState:
    """The state that a step leads to. Raises WrongState(state, action)."""
    state = ListingState(state)
    following = STEPS[step].get(state)
    if following is None:
        raise WrongState(state=state.value, action=step.value)
    return following


def steps_from(state: ListingState | str) -> frozenset[Step]:
    """The steps that a person may take from a state."""
    state = ListingState(state)
    return frozenset(step for step, table in STEPS.items() if state in table and step not in OWN)


def grade(figure: str, comparator: str, source: str) -> EvidenceGrade:
    """How well a claim is supported. Each grade needs the one before it: a comparator without a number
    compares nothing, and a source without a comparison proves no advantage."""
    if not re.search(r"\d", figure):
        return EvidenceGrade.STATED
    if not comparator.strip():
        return EvidenceGrade.QUANTIFIED
    if not source.strip():
        return EvidenceGrade.COMPARED
    return EvidenceGrade.SOURCED


def last_day(confirmed: dt.datetime, days: int, wanted: dt.date | None = None) -> dt.date:
    """The last day on which a listing confirmed at an instant is shown: `days` later, or earlier if wanted."""
    limit = local_date(confirmed) + dt.timedelta(days=days)
    return limit if wanted is None else min(wanted, limit)


def is_past(valid_until: dt.date | None, now: dt.datetime) -> bool:
    """Whether the last day has gone by in Shanghai."""
    return valid_until is not None and valid_until < local_date(now)


def missing_for_publication(
    *,
    title: str,
    abstract: str,
    industry_code: str,
    trl: int | None,
    stage: str | None,
    modes: Iterable[str],
    pricing_mode: str,
    price_low_fen: int | None,
    contact_name: str,
    contact_phone: str,
    contact_email: str,
    imported: bool,
) -> list[Problem]:
    """What a result lacks before it may be shown.

    An imported result needs a title, an abstract and an industry; what its source did not say stays
    unsaid. One entered here also needs its maturity, a co-operation mode, somebody to ask and, when it
    is listed or auctioned, a base price (浙江省促进科技成果转化条例, articles 16 to 19).
    """
    missing: list[Problem] = [
        (name, "missing", {})
        for name, value in (("title", title), ("abstract", abstract), ("industry_code", industry_code))
        if not value.strip()
    ]
    if imported:
        return missing
    if trl is None and not stage:
        missing.append(("trl", "maturity_missing", {}))
    if not list(modes):
        missing.append(("modes", "missing", {}))
    if pricing_mode != PricingMode.NEGOTIATED.value and price_low_fen is None:
        missing.append(("price_low_fen", "base_price_missing", {}))
    return missing + missing_contact(contact_name, contact_phone, contact_email)


def missing_contact(name: str, phone: str, email: str) -> list[Problem]:
    """What is lacking before somebody can be asked about a listing."""
    missing: list[Problem] = []
    if not name.strip():
        missing.append(("contact_name", "missing", {}))
    if not phone.strip() and not email.strip():
        missing.append(("contact_phone", "contact_missing", {}))
    return missing


def refuse(problems: list[Problem]) -> None:
    """Raise InvalidInput when there are problems."""
    if problems:
        raise InvalidInput(problems)
