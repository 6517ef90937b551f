"""What may happen to a technology contract, and what its amounts, numbers and days must satisfy.

    draft ──submit──► submitted ──accept──► accepted ⇄ supplement     (ask_supplement, resume)
                          │                  │    └──send_to_experts──► expert_review
                          │                  ├──register──► registered ◄──register──┤
                          └────refuse────────┴──refuse────► refused    ◄──refuse────┘
    registered ──amend──► registered
    registered ──deregister──► deregistered
    registered ──revoke──► revoked

Accepting starts the registrar's clock, and so does resuming after a supplement (the acceptance day
restarts: draft of 2024, article 14). The limits themselves are policy rows, never constants.
Everything here is pure.
"""

from __future__ import annotations

import datetime as dt
import enum
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import chinese_calendar

from market.deals.models import ContractKind, ContractState, ContractSubkind
from market.errors import InvalidInput, WrongState

_K, _S, _C = ContractKind, ContractSubkind, ContractState

SUBKINDS: dict[ContractKind, tuple[ContractSubkind, ...]] = {
    _K.DEVELOPMENT: (_S.COMMISSIONED_DEVELOPMENT, _S.JOINT_DEVELOPMENT, _S.TECHNOLOGY_CONVERSION),
    _K.ASSIGNMENT: (
        _S.PATENT, _S.PATENT_APPLICATION, _S.KNOW_HOW, _S.SOFTWARE, _S.LAYOUT_DESIGN, _S.PLANT_VARIETY,
    ),
    _K.LICENCE: (_S.PATENT, _S.KNOW_HOW, _S.SOFTWARE, _S.LAYOUT_DESIGN, _S.PLANT_VARIETY),
    _K.CONSULTING: (_S.FEASIBILITY, _S.FORECAST, _S.SURVEY, _S.EVALUATION),
    _K.SERVICE: (_S.GENERAL_SERVICE, _S.TRAINING, _S.INTERMEDIARY),
}  # fmt: skip
"""Which sub-kinds a kind has (民法典 851, 862, 863, 876, 878, 887)."""


def taxonomy(kind: str, registered_on: dt.date) -> int:
    """The taxonomy of kinds that a contract was registered under, named by its first year.

    Since 2021 (民法典, in force from 1 January) licences are a kind of their own; under the 合同法 (1999) they were
    inside assignments. Whoever enters an older contract as a licence told the kinds apart.
    """
    return 2021 if registered_on.year >= 2021 or kind == ContractKind.LICENCE else 1999


ABROAD = "000000"
HOME_COUNTRIES = frozenset({"CHN", "HKG", "MAC", "TWN"})
"""Countries and territories that have region codes of GB/T 2260."""


class Step(enum.StrEnum):
    """What can be done to a contract in the register."""

    SUBMIT = "submit"
    ACCEPT = "accept"
    ASK_SUPPLEMENT = "ask_supplement"
    RESUME = "resume"
    SEND_TO_EXPERTS = "send_to_experts"
    REGISTER = "register"
    REFUSE = "refuse"
    AMEND = "amend"
    DEREGISTER = "deregister"
    REVOKE = "revoke"


TRANSITIONS: dict[tuple[ContractState, Step], ContractState] = {
    (_C.DRAFT, Step.SUBMIT): _C.SUBMITTED,
    (_C.SUBMITTED, Step.ACCEPT): _C.ACCEPTED,
    (_C.SUBMITTED, Step.REFUSE): _C.REFUSED,
    (_C.ACCEPTED, Step.ASK_SUPPLEMENT): _C.SUPPLEMENT,
    (_C.SUPPLEMENT, Step.RESUME): _C.ACCEPTED,
    (_C.ACCEPTED, Step.SEND_TO_EXPERTS): _C.EXPERT_REVIEW,
    (_C.ACCEPTED, Step.REGISTER): _C.REGISTERED,
    (_C.ACCEPTED, Step.REFUSE): _C.REFUSED,
    (_C.EXPERT_REVIEW, Step.REGISTER): _C.REGISTERED,
    (_C.EXPERT_REVIEW, Step.REFUSE): _C.REFUSED,
    (_C.REGISTERED, Step.AMEND): _C.REGISTERED,
    (_C.REGISTERED, Step.DEREGISTER): _C.DEREGISTERED,
    (_C.REGISTERED, Step.REVOKE): _C.REVOKED,
}

EDITABLE = frozenset({_C.DRAFT, _C.SUPPLEMENT})
"""States in which the parties may still change what they wrote."""

PUBLIC = frozenset({_C.REGISTERED, _C.DEREGISTERED, _C.REVOKED})
"""States of which the public may know, without amounts."""

OPEN = (_C.SUBMITTED, _C.ACCEPTED, _C.SUPPLEMENT, _C.EXPERT_REVIEW)
"""States in which a contract waits for somebody's decision."""

PARTY_STEPS = frozenset({Step.SUBMIT, Step.RESUME})
"""Steps of whoever registers; the others are the official's."""

REASONED = frozenset({Step.ASK_SUPPLEMENT, Step.REFUSE, Step.AMEND, Step.DEREGISTER, Step.REVOKE})
"""Steps that must say why."""


def next_state(state: ContractState, step: Step) -> ContractState:
    """Where a step leads. Raises WrongState."""
    after = TRANSITIONS.get((state, step))
    if after is None:
        raise WrongState(state=state.value, action=step.value)
    return after


def steps_from(state: ContractState) -> list[Step]:
    """The steps that a state permits, in the order of a contract's life."""
    return [step for step in Step if (state, step) in TRANSITIONS]


def registrant(seller_id: int | None, seller_region: str, buyer_id: int | None) -> int | None:
    """The organisation that submits: the seller (卖方登记), or the buyer of imported technology.

    The buyer stands in also for a seller that is not a member of this market.
    """
    if seller_region == ABROAD or seller_id is None:
        return buyer_id
    return seller_id


def country_of(region: str, recorded: str) -> str:
    """The country of a party: the one on record where it fits the region, else China, or for a party abroad
    empty, which says that nobody stated it."""
    if recorded and country_fits(region, recorded):
        return recorded
    return "" if region == ABROAD else "CHN"


def country_fits(region: str, country: str) -> bool:
    """Whether a country and a region can be one party's: codes of regions are China's alone."""
    return (region == ABROAD) != (country in HOME_COUNTRIES)


Problems = list[tuple[str, str, dict[str, Any]]]


def amounts(
    deal_fen: int, technology_fen: int | None, deductions: Sequence[tuple[str, int]]
) -> tuple[int, Problems]:
    """The 技术交易额 and what is wrong: deal ≥ technology ≥ 0, deal − technology = Σ deductions.

    Not given, the technology amount is what the deductions leave of the deal.
    """
    deducted = sum(fen for _, fen in deductions)
    problems: Problems = []
    if deducted > deal_fen:
        problems.append(("deductions", "deductions_exceed_deal", {}))
        return max(0, technology_fen or 0), problems
    if technology_fen is None:
        return deal_fen - deducted, problems
    if technology_fen > deal_fen:
        problems.append(("technology_fen", "technology_exceeds_deal", {}))
    elif deal_fen - technology_fen != deducted:
        problems.append(
            ("deductions", "deductions_sum", {"missing": _yuan(deal_fen - technology_fen - deducted)})
        )
    return technology_fen, problems


def _yuan(fen: int) -> str:
    whole, rest = divmod(abs(fen), 100)
    return f"{'-' if fen < 0 else ''}{whole}.{rest:02d}"


def check_kind(kind: ContractKind, subkind: ContractSubkind) -> Problems:
    """A sub-kind must belong to its kind."""
    return [] if subkind in SUBKINDS[kind] else [("subkind", "subkind_of_other_kind", {})]


def check_days(days: Sequence[tuple[str, dt.date | None]], today: dt.date) -> Problems:
    """Days of a contract that was registered before, by name in the order in which they must lie; the last,
    its registration, must not be to come."""
    known = [(name, day) for name, day in days if day is not None]
    problems: Problems = [
        (name, "day_order", {"after": earlier.isoformat()})
        for (_, earlier), (name, later) in itertools.pairwise(known)
        if later < earlier
    ]
    if known and known[-1][1] > today:
        problems.append((known[-1][0], "signed_in_future", {}))
    return problems


def missing_to_submit(
    *,
    title: str,
    technical_field: str,
    signed_on: dt.date | None,
    deal_fen: int,
    today: dt.date,
) -> Problems:
    """What a draft made from a lot or an enquiry still lacks before it can be submitted."""
    problems: Problems = []
    if not title:
        problems.append(("title", "missing", {}))
    if not technical_field:
        problems.append(("technical_field", "missing", {}))
    if signed_on is None:
        problems.append(("signed_on", "missing", {}))
    elif signed_on > today:
        problems.append(("signed_on", "signed_in_future", {}))
    if deal_fen <= 0:
        problems.append(("deal_fen", "greater_than", {"gt": 0}))
    return problems


def require_reason(step: Step, reason: str) -> None:
    """Raise InvalidInput where a step must say why and does not."""
    if step in REASONED and not reason.strip():
        raise InvalidInput([("reason", "missing", {})])


def registration_number_doubts(number: str | None, registered_on: dt.date | None, region: str) -> list[str]:
    """What looks odd about a registration number: `year`, `area`. Its parts are derived, not published,
    so they are warned of and never refused."""
    if number is None:
        return []
    doubts = []
    if registered_on is not None and number[:4] != f"{registered_on.year:04d}":
        doubts.append("year")
    if number[4:8] != region[:4]:
        doubts.append("area")
    return doubts


def suggest_kind(modes: Collection[str]) -> tuple[ContractKind, ContractSubkind]:
    """The likeliest kind for what a result offers; the parties confirm it before they submit."""
    if "assignment" in modes or "equity" in modes:
        return _K.ASSIGNMENT, _S.PATENT
    if {"licence", "exclusive_licence", "sole_licence"} & set(modes):
        return _K.LICENCE, _S.PATENT
    if "joint_development" in modes:
        return _K.DEVELOPMENT, _S.JOINT_DEVELOPMENT
    if "commissioned_development" in modes:
        return _K.DEVELOPMENT, _S.COMMISSIONED_DEVELOPMENT
    if "consulting" in modes:
        return _K.CONSULTING, _S.FEASIBILITY
    if "service" in modes:
        return _K.SERVICE, _S.GENERAL_SERVICE
    return _K.ASSIGNMENT, _S.PATENT


@dataclass(frozen=True)
class Deadline:
    """A last day. `calendar_known` is False where holidays of a year are not published yet, so that
    every Monday to Friday was counted."""

    day: dt.date
    calendar_known: bool


def is_working_day(day: dt.date) -> tuple[bool, bool]:
    """Whether a day is worked in China, and whether that is known (else Monday to Friday)."""
    try:
        return bool(chinese_calendar.is_workday(day)), True
    except NotImplementedError:
        return day.weekday() < 5, False


def deadline(start: dt.date, limit: int, unit: str) -> Deadline:
    """The last day of a limit. The day it starts on does not count; `unit` is `working_days` or `days`."""
    if unit == "days":
        return Deadline(start + dt.timedelta(days=limit), True)
    day, counted, known = start, 0, True
    while counted < limit:
        day += dt.timedelta(days=1)
        worked, sure = is_working_day(day)
        counted += worked
        known = known and sure
    return Deadline(day, known)


def working_days_left(today: dt.date, last: dt.date) -> int:
    """Working days after today up to and including the last day; negative when it has passed."""
    if today == last:
        return 0
    step = 1 if last > today else -1
    day, count = today, 0
    while day != last:
        if step > 0:
            day += dt.timedelta(days=1)
            count += is_working_day(day)[0]
        else:
            count -= is_working_day(day)[0]
            day -= dt.timedelta(days=1)
    return count
