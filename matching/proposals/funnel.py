"""From suggestions to contracts: each step counted when it was taken, by industry and by broker.

A step counts in the period in which it was taken, so a contract may follow from a suggestion of an earlier
period. What a broker opened by accepting a suggestion is told apart by the demand that its enquiry names
(`for_demand_id`); pairs that were in touch already, and whatever people opened by themselves, are counted
beside it, never in it. A bounded number of statements.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from market.audit import AuditRecord
from market.clock import local_date, start_of_local_day
from market.db import Session, t
from market.deals.models import Contract, ContractState
from market.demands.models import Demand
from market.enquiries.models import Enquiry
from market.errors import NotAllowed, SignInRequired
from market.listings.models import Result
from market.parties.models import Organisation, Person
from market.permissions import Action, Actor, can
from matching.models import Proposal, ProposalEvent, ProposalState

DAY = dt.timedelta(days=1)


class FunnelStep(enum.StrEnum):
    """What is counted, in the order in which it happens."""

    SUGGESTED = "suggested"
    """A pair came into the queue for the first time."""
    REJECTED = "rejected"
    """A broker turned it down, and nobody undid that."""
    CONTACTS = "contacts"
    """A broker accepted it, and an enquiry was opened."""
    ANSWERED = "answered"
    """The owner of the result answered for the first time."""
    NEGOTIATIONS = "negotiations"
    """Negotiations began."""
    CONTRACTS = "contracts"
    """A contract was drafted."""
    REGISTERED = "registered"
    """That contract was registered, and stands."""


OWN_STEPS = tuple(FunnelStep)[2:]
"""What can be counted where nothing was suggested."""
Counts = Mapping[FunnelStep, int]


@dataclass(frozen=True)
class Period:
    """Days in Shanghai, both included."""

    since: dt.date
    until: dt.date

    @classmethod
    def of(cls, year: int, quarter: int | None = None) -> Period:
        """A year, or one of its quarters (1 to 4)."""
        if quarter is None:
            return cls(dt.date(year, 1, 1), dt.date(year, 12, 31))
        first = dt.date(year, 3 * quarter - 2, 1)
        after = dt.date(year + quarter // 4, 3 * quarter % 12 + 1, 1)
        return cls(first, after - DAY)

    def holds(self, column: Any) -> sa.ColumnElement[bool]:
        """The condition that an instant falls into the period."""
        found: sa.ColumnElement[bool] = sa.and_(
            column >= start_of_local_day(self.since), column < start_of_local_day(self.until + DAY)
        )
        return found


@dataclass(frozen=True)
class Funnel:
    """The numbers of a period. A broker of None is nobody: what no one has taken or decided yet."""

    total: Counts
    industries: Mapping[str, Counts]
    brokers: Mapping[int | None, Counts]
    broker_names: Mapping[int, str]
    without: Counts
    """Enquiries that nobody suggested, and what came of them."""


@dataclass(frozen=True)
class Which:
    """What a list behind a number holds: a step, narrowed to an industry or a broker (0: nobody), or the
    steps without a suggestion."""

    step: FunnelStep
    industry: str = ""
    broker: int | None = None
    without: bool = False


@dataclass(frozen=True)
class Taken:
    """One step of one pair, behind a number."""

    at: dt.datetime | dt.date
    demand_title: str
    result_title: str
    wanting_name: str
    having_name: str
    industry_code: str
    broker_name: str
    proposal_id: int | None
    enquiry_id: int | None
    contract_id: int | None
    contract_number: str = field(default="")
    demand_id: int | None = None
    result_id: int | None = None


def may_read(actor: Actor, *, without: bool = False) -> bool:
    """Officials see what came of suggestions; what people write to each other unsuggested is for brokers and
    staff, who may read it anyway."""
    oversees = can(actor, Action.ENQUIRY_OVERSEE)
    return oversees or (not without and can(actor, Action.STATISTICS_READ_DETAIL))


def _require(actor: Actor, *, without: bool = False) -> None:
    if not may_read(actor, without=without):
        raise (NotAllowed if actor.is_signed_in else SignInRequired)(
            action=Action.STATISTICS_READ_DETAIL.value
        )


def funnel(session: Session, actor: Actor, period: Period) -> Funnel:
    """The numbers of a period. Raises SignInRequired, NotAllowed. Thirteen statements."""
    _require(actor)
    p = t(Proposal).c
    total: dict[FunnelStep, int] = dict.fromkeys(FunnelStep, 0)
    industries: dict[str, dict[FunnelStep, int]] = {}
    brokers: dict[int | None, dict[FunnelStep, int]] = {}
    broker = _broker()
    for step in FunnelStep:
        source, where, _at, key = _facts(step, period)
        statement = (
            sa.select(p.industry_code, broker.label("broker"), sa.func.count(key.distinct()).label("n"))
            .select_from(source)
            .where(*where)
            .group_by(p.industry_code, broker)
        )
        for row in session.execute(statement):
            total[step] += row.n
            industries.setdefault(row.industry_code, dict.fromkeys(FunnelStep, 0))[step] += row.n
            brokers.setdefault(row.broker, dict.fromkeys(FunnelStep, 0))[step] += row.n
    without = {step: _without(session, step, period) for step in OWN_STEPS}
    return Funnel(total, industries, brokers, _names(session, brokers), without)


def _names(session: Session, people: Iterable[int | None]) -> dict[int, str]:
    c = t(Person).c
    ids = sorted(one for one in people if one is not None)
    return {row.id: row.name for row in session.execute(sa.select(c.id, c.name).where(c.id.in_(ids)))}


def _broker() -> sa.ColumnElement[Any]:
    """Whose a pair is: who decided it, else who has it."""
    p = t(Proposal).c
    found: sa.ColumnElement[Any] = sa.func.coalesce(p.decided_by, p.assigned_to)
    return found


def _without(session: Session, step: FunnelStep, period: Period) -> int:
    source, where, _at, key = _facts(step, period, suggested=False)
    return session.scalar(sa.select(sa.func.count(key.distinct())).select_from(source).where(*where)) or 0


def _facts(step: FunnelStep, period: Period, *, suggested: bool = True) -> tuple[Any, list[Any], Any, Any]:
    """Where a step is read from: tables, conditions, the instant (or day), and what is counted once."""
    p, e, c, ev, a = t(Proposal).c, t(Enquiry).c, t(Contract).c, t(ProposalEvent).c, t(AuditRecord).c
    if step is FunnelStep.SUGGESTED:
        both = sa.join(t(ProposalEvent), t(Proposal), ev.proposal_id == p.id)
        return both, [ev.step == step.value, period.holds(ev.at)], ev.at, p.id
    if step is FunnelStep.REJECTED:
        rejected = p.state == ProposalState.REJECTED.value
        return t(Proposal), [rejected, period.holds(p.decided_at)], p.decided_at, p.id
    source: Any = t(Enquiry)
    where = [e.for_demand_id.is_not(None) if suggested else e.for_demand_id.is_(None)]
    if suggested:
        source = source.join(t(Proposal), sa.and_(p.enquiry_id == e.id, p.demand_id == e.for_demand_id))
    if step is FunnelStep.CONTACTS:
        return source, [*where, period.holds(e.created_at)], e.created_at, e.id
    if step is FunnelStep.ANSWERED:
        return source, [*where, period.holds(e.first_reply_at)], e.first_reply_at, e.id
    if step is FunnelStep.NEGOTIATIONS:
        began = [a.subject == "enquiry", a.action == "enquiry.negotiating", period.holds(a.at)]
        return source.join(t(AuditRecord), a.subject_id == e.id), [*where, *began], a.at, e.id
    source = source.join(t(Contract), c.source_enquiry_id == e.id)
    if step is FunnelStep.CONTRACTS:
        return source, [*where, period.holds(c.created_at)], c.created_at, c.id
    stands = [
        c.state == ContractState.REGISTERED.value,
        c.registered_on >= period.since,
        c.registered_on <= period.until,
    ]
    return source, [*where, *stands], c.registered_on, c.id


@dataclass(frozen=True)
class _Sides:
    """Which columns name the two sides of a step."""

    demand: Any
    result: Any
    wanting: Any
    having: Any
    person: Any
    industry: Any


def _suggested() -> _Sides:
    p, d, r = t(Proposal).c, t(Demand).c, t(Result).c
    return _Sides(p.demand_id, p.result_id, d.organisation_id, r.organisation_id, _broker(), p.industry_code)


def _by_themselves() -> _Sides:
    e, d, r = t(Enquiry).c, t(Demand).c, t(Result).c
    asked = e.subject_kind == "result"
    return _Sides(
        sa.case((asked, None), else_=e.subject_id),
        sa.case((asked, e.subject_id), else_=e.offered_result_id),
        sa.case((asked, e.from_organisation_id), else_=e.to_organisation_id),
        sa.case((asked, e.to_organisation_id), else_=e.from_organisation_id),
        e.owner_person_id,
        sa.func.coalesce(d.industry_code, r.industry_code),
    )


def taken(
    session: Session, actor: Actor, period: Period, which: Which, *, offset: int = 0, limit: int = 50
) -> tuple[list[Taken], int]:
    """The steps behind a number, the latest first, and how many. Raises SignInRequired, NotAllowed.

    Two statements.
    """
    _require(actor, without=which.without)
    p, e, c, d, r = t(Proposal).c, t(Enquiry).c, t(Contract).c, t(Demand).c, t(Result).c
    suggested = not which.without
    if which.without and which.step not in OWN_STEPS:
        return [], 0
    source, where, at, key = _facts(which.step, period, suggested=suggested)
    if suggested and which.industry:
        where.append(p.industry_code == which.industry)
    if suggested and which.broker is not None:
        where.append(_broker() == which.broker if which.broker else _broker().is_(None))
    total = session.scalar(sa.select(sa.func.count(key.distinct())).select_from(source).where(*where)) or 0
    with_enquiry = which.step in OWN_STEPS
    with_contract = which.step in (FunnelStep.CONTRACTS, FunnelStep.REGISTERED)
    side = _suggested() if suggested else _by_themselves()
    wanting, having, person = t(Organisation).alias(), t(Organisation).alias(), t(Person).alias()
    none = sa.null()
    # A step that was taken twice is one line, at its latest.
    shown = (
        d.id.label("demand_id"), r.id.label("result_id"),
        d.title.label("demand_title"), r.title.label("result_title"), wanting.c.name.label("wanting_name"),
        having.c.name.label("having_name"),
        side.industry.label("industry"),
        person.c.name.label("broker_name"), (p.id if suggested else none).label("proposal_id"),
        (e.id if with_enquiry else none).label("enquiry_id"),
        (c.id if with_contract else none).label("contract_id"),
        (c.local_number if with_contract else none).label("number"),
    )  # fmt: skip
    grouped = [one.element for one in shown if not isinstance(one.element, sa.Null)]
    statement = (
        sa.select(sa.func.max(at).label("at"), *shown)
        .select_from(
            source.outerjoin(t(Demand), d.id == side.demand)
            .outerjoin(t(Result), r.id == side.result)
            .outerjoin(wanting, wanting.c.id == side.wanting)
            .outerjoin(having, having.c.id == side.having)
            .outerjoin(person, person.c.id == side.person)
        )
        .where(*where)
        .group_by(key, *grouped)
        .order_by(sa.desc("at"), key)
        .offset(offset)
        .limit(limit)
    )
    rows = session.execute(statement)
    return [
        Taken(
            row.at, row.demand_title or "", row.result_title or "", row.wanting_name or "",
            row.having_name or "", row.industry or "", row.broker_name or "", row.proposal_id,
            row.enquiry_id, row.contract_id, row.number or "", row.demand_id, row.result_id,
        )
        for row in rows
    ], total  # fmt: skip


def years(session: Session, now: dt.datetime) -> list[int]:
    """The years in which anything could be counted, the latest first. One statement."""
    first = session.scalar(sa.select(sa.func.min(t(ProposalEvent).c.at)))
    this = local_date(now).year
    return list(range(this, (local_date(first).year if first is not None else this) - 1, -1))
