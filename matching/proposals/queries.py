"""Reads of suggested pairs: the queue, one pair, what is overdue. A bounded number of statements each."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.demands.models import Demand
from market.demands.service import read_targets
from market.enquiries import rules as enquiries
from market.enquiries.models import Enquiry, EnquiryState
from market.errors import NotFound
from market.listings.models import Result
from market.listings.service import read_claims
from market.parties.models import Organisation, Person
from market.permissions import Action, Actor, require
from matching.models import Proposal, ProposalEvent, ProposalState, RejectReason
from matching.proposals import rules
from matching.proposals.rules import ProposalStep
from matching.scoring import Band, Part, Reason, ReasonCode


class Whose(enum.StrEnum):
    """Whose pairs."""

    ALL = "all"
    MINE = "mine"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Wanted:
    """Which pairs are wanted; an empty industry does not narrow."""

    state: ProposalState = ProposalState.SUGGESTED
    whose: Whose = Whose.ALL
    industry: str = ""


@dataclass(frozen=True)
class Card:
    """A pair in the queue."""

    id: int
    demand_id: int
    demand_title: str
    wanting_name: str
    """The organisation that has the demand."""
    result_id: int
    result_title: str
    having_name: str
    """The organisation that has the result."""
    industry_code: str
    band: Band
    reasons: tuple[Reason, ...]
    state: ProposalState
    assigned_to: int | None
    assigned_name: str
    snoozed_until: dt.date | None
    reject_reason: RejectReason | None
    enquiry_id: int | None
    decided_at: dt.datetime | None
    version: int
    created_at: dt.datetime


@dataclass(frozen=True)
class Event:
    """A step of a pair's history."""

    step: ProposalStep
    at: dt.datetime
    person_name: str
    params: Mapping[str, Any]


@dataclass(frozen=True)
class Listing:
    """One side of a pair, as the broker compares it. `texts` are field names and what stands there."""

    organisation_id: int
    texts: tuple[tuple[str, str], ...]
    figures: tuple[str, ...]
    """Targets of a demand, claims of a result, as they are written."""
    keywords: tuple[str, ...]
    trl: int | None
    low_fen: int | None
    high_fen: int | None
    modes: tuple[str, ...]
    promised_reply_hours: int | None
    on_offer: bool


@dataclass(frozen=True)
class Pair(Card):
    """A pair with both sides and its history."""

    note: str
    decided_name: str
    demand: Listing
    result: Listing
    steps: frozenset[ProposalStep]
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Due:
    """An accepted pair whose next step is due: what the broker must do, and by when."""

    proposal_id: int
    enquiry_id: int
    demand_title: str
    result_title: str
    owner_person_id: int | None
    owner_name: str
    state: EnquiryState
    next_step: str
    due_on: dt.date


def reasons_of(stored: Sequence[Any]) -> tuple[Reason, ...]:
    """Stored reasons as scoring gives them; what a later version no longer knows is left out."""
    found = []
    for one in stored:
        try:
            found.append(Reason(Part(one["part"]), ReasonCode(one["code"]), one["value"], one["params"]))
        except (KeyError, TypeError, ValueError):
            continue
    return tuple(found)


def _cards(*more: Any) -> Any:
    p, d, r = t(Proposal).c, t(Demand).c, t(Result).c
    wanting, having, person = t(Organisation).alias(), t(Organisation).alias(), t(Person).alias()
    return (
        sa.select(
            p.id, p.demand_id, d.title.label("demand_title"), wanting.c.name.label("wanting_name"),
            p.result_id, r.title.label("result_title"), having.c.name.label("having_name"),
            p.industry_code, p.band, p.reasons, p.state, p.assigned_to,
            person.c.name.label("assigned_name"), p.snoozed_until, p.reject_reason, p.enquiry_id,
            p.decided_at, p.version, p.created_at, *more,
        )
        .select_from(t(Proposal))
        .join(t(Demand), d.id == p.demand_id)
        .join(t(Result), r.id == p.result_id)
        .join(wanting, wanting.c.id == d.organisation_id)
        .join(having, having.c.id == r.organisation_id)
        .outerjoin(person, person.c.id == p.assigned_to)
    )  # fmt: skip


def _values(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "demand_id": row.demand_id,
        "demand_title": row.demand_title,
        "wanting_name": row.wanting_name,
        "result_id": row.result_id,
        "result_title": row.result_title,
        "having_name": row.having_name,
        "industry_code": row.industry_code,
        "band": Band(row.band),
        "reasons": reasons_of(row.reasons),
        "state": ProposalState(row.state),
        "assigned_to": row.assigned_to,
        "assigned_name": row.assigned_name or "",
        "snoozed_until": row.snoozed_until,
        "reject_reason": RejectReason(row.reject_reason) if row.reject_reason else None,
        "enquiry_id": row.enquiry_id,
        "decided_at": row.decided_at,
        "version": row.version,
        "created_at": row.created_at,
    }


def _where(actor: Actor, wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    c = t(Proposal).c
    where: list[sa.ColumnElement[bool]] = [c.state == wanted.state.value]
    if wanted.whose is Whose.MINE:
        where.append(c.assigned_to == actor.person_id)
    elif wanted.whose is Whose.NOBODY:
        where.append(c.assigned_to.is_(None))
    if wanted.industry:
        where.append(c.industry_code == wanted.industry)
    return where


def _order(state: ProposalState) -> list[Any]:
    c = t(Proposal).c
    if state is ProposalState.SUGGESTED:
        return [c.rank.desc(), c.id]
    if state is ProposalState.SNOOZED:
        return [c.snoozed_until, c.id]
    return [c.updated_at.desc(), c.id]


def queue(session: Session, actor: Actor, wanted: Wanted, *, offset: int = 0, limit: int = 20) -> list[Card]:
    """A page of the queue: the strongest first; put-off pairs by day, decided ones the latest first.

    For brokers and staff. One statement.
    """
    require(actor, Action.ENQUIRY_OVERSEE)
    statement = (
        _cards().where(*_where(actor, wanted)).order_by(*_order(wanted.state)).offset(offset).limit(limit)
    )
    return [Card(**_values(row)) for row in session.execute(statement)]


@dataclass(frozen=True)
class Numbers:
    """How many pairs there are in a state: by whose they are (of all industries), by industry (of those asked
    for)."""

    whose: Mapping[Whose, int]
    industries: Mapping[str, int]


def numbers(session: Session, actor: Actor, wanted: Wanted) -> Numbers:
    """The numbers of the queue's tabs. For brokers and staff. One statement."""
    require(actor, Action.ENQUIRY_OVERSEE)
    c = t(Proposal).c
    mine = sa.func.count(sa.case((c.assigned_to == actor.person_id, 1)))
    nobodys = sa.func.count(sa.case((c.assigned_to.is_(None), 1)))
    rows = session.execute(
        sa.select(c.industry_code, sa.func.count().label("of_all"), mine.label("mine"), nobodys.label("nobody"))
        .where(c.state == wanted.state.value)
        .group_by(c.industry_code)
    ).mappings().all()  # fmt: skip
    column = {Whose.ALL: "of_all", Whose.MINE: "mine", Whose.NOBODY: "nobody"}
    return Numbers(
        {whose: sum(row[name] for row in rows) for whose, name in column.items()},
        {row["industry_code"]: row[column[wanted.whose]] for row in rows if row[column[wanted.whose]]},
    )


def following(session: Session, actor: Actor, wanted: Wanted, proposal_id: int) -> int | None:
    """The first pair of the queue but this one: where a broker goes on after deciding. One statement."""
    c = t(Proposal).c
    statement = (
        sa.select(c.id)
        .where(*_where(actor, wanted), c.id != proposal_id)
        .order_by(*_order(wanted.state))
        .limit(1)
    )
    return session.scalar(statement)


def pair(session: Session, actor: Actor, proposal_id: int) -> Pair:
    """A pair with both sides side by side and its history. For brokers and staff; raises NotFound.

    Four statements.
    """
    require(actor, Action.ENQUIRY_OVERSEE)
    p, d, r = t(Proposal).c, t(Demand).c, t(Result).c
    decided, having = t(Person).alias(), t(Organisation).alias()
    row = session.execute(
        _cards(
            p.note, decided.c.name.label("decided_name"), having.c.promised_reply_hours,
            d.organisation_id.label("wanting_id"), d.difficulty, d.research, d.background,
            d.keywords.label("demand_keywords"), d.wanted_trl, d.budget_low_fen, d.budget_high_fen,
            d.modes.label("demand_modes"), r.organisation_id.label("having_id"), r.abstract,
            r.advantages, r.application, r.keywords.label("result_keywords"), r.trl, r.price_low_fen,
            r.price_high_fen, r.modes.label("result_modes"),
            d.state.label("demand_state"), r.state.label("result_state"),
        )
        .outerjoin(decided, decided.c.id == p.decided_by)
        .join(having, having.c.id == r.organisation_id)
        .where(p.id == proposal_id)
    ).first()  # fmt: skip
    if row is None:
        raise NotFound(kind="proposal")
    return Pair(
        **_values(row),
        note=row.note,
        decided_name=row.decided_name or "",
        demand=Listing(
            row.wanting_id, _texts(row, "difficulty", "research", "background"),
            tuple(_target(one) for one in read_targets(session, row.demand_id)), tuple(row.demand_keywords),
            row.wanted_trl, row.budget_low_fen, row.budget_high_fen, tuple(row.demand_modes), None,
            row.demand_state == "published",
        ),
        result=Listing(
            row.having_id, _texts(row, "abstract", "advantages", "application"),
            tuple(
                _joined(one.statement, one.figure) for one in read_claims(session, row.result_id)
            ),
            tuple(row.result_keywords), row.trl, row.price_low_fen, row.price_high_fen,
            tuple(row.result_modes), row.promised_reply_hours, row.result_state == "published",
        ),
        steps=rules.steps_from(row.state),
        events=_events(session, proposal_id),
    )  # fmt: skip


def _texts(row: Any, *names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, getattr(row, name)) for name in names if getattr(row, name))


_SIGNS = {"at_least": "≥", "at_most": "≤", "about": "≈", "between": ""}


def _target(one: Any) -> str:
    ends = f"{one.threshold}–{one.threshold_high}" if one.threshold_high else one.threshold
    figure = _joined(one.name, _SIGNS[one.comparator], ends, one.unit)
    return f"{figure}（{one.condition}）" if one.condition else figure


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _events(session: Session, proposal_id: int) -> tuple[Event, ...]:
    e, person = t(ProposalEvent).c, t(Person).alias()
    given = t(Person).alias()
    rows = session.execute(
        sa.select(e.step, e.at, e.params, person.c.name, given.c.name.label("given_name"))
        .select_from(t(ProposalEvent))
        .outerjoin(person, person.c.id == e.person_id)
        .outerjoin(given, given.c.id == e.params["person_id"].as_integer())
        .where(e.proposal_id == proposal_id)
        .order_by(e.id)
        .limit(500)
    )
    return tuple(
        Event(ProposalStep(row.step), row.at, row.name or "", {**row.params, "given": row.given_name or ""})
        for row in rows
    )


def due(
    session: Session,
    *,
    before: dt.date,
    since: dt.date | None = None,
    owner_id: int | None = None,
    limit: int = 200,
) -> list[Due]:
    """Accepted pairs whose next step was due before a day (and not before `since`), the oldest day first.

    `owner_id` narrows to those that somebody follows up. One statement.
    """
    p, e, d, r = t(Proposal).c, t(Enquiry).c, t(Demand).c, t(Result).c
    where = [e.state.in_([state.value for state in enquiries.ACTIVE]), e.due_on < before]
    if since is not None:
        where.append(e.due_on >= since)
    if owner_id is not None:
        where.append(e.owner_person_id == owner_id)
    person = t(Person).alias()
    rows = session.execute(
        sa.select(
            p.id.label("proposal_id"), e.id.label("enquiry_id"), d.title.label("demand_title"),
            r.title.label("result_title"), e.owner_person_id, person.c.name.label("owner_name"), e.state,
            e.next_step, e.due_on,
        )
        .select_from(t(Enquiry))
        .join(t(Proposal), p.enquiry_id == e.id)
        .join(t(Demand), d.id == p.demand_id)
        .join(t(Result), r.id == p.result_id)
        .outerjoin(person, person.c.id == e.owner_person_id)
        .where(p.state == ProposalState.ACCEPTED.value, *where)
        .order_by(e.due_on, e.id, p.id)
        .limit(limit)
    )  # fmt: skip
    return [
        Due(
            row.proposal_id, row.enquiry_id, row.demand_title, row.result_title, row.owner_person_id,
            row.owner_name or "", EnquiryState(row.state), row.next_step, row.due_on,
        )
        for row in rows
    ]  # fmt: skip


@dataclass(frozen=True)
class Behind:
    """What stands behind an enquiry that a broker opened: why the two were brought together, and by whom."""

    proposal_id: int
    band: Band
    reasons: tuple[Reason, ...]
    by_name: str


def behind(session: Session, enquiry_id: int) -> Behind | None:
    """The suggestion of which an enquiry came, with the reasons that both sides may read: what a broker or the
    firm thought of other results is not among them. One statement."""
    p, person = t(Proposal).c, t(Person).c
    row = session.execute(
        sa.select(p.id, p.band, p.reasons, person.name)
        .select_from(t(Proposal))
        .outerjoin(t(Person), person.id == p.decided_by)
        .where(p.enquiry_id == enquiry_id)
        .order_by(p.id)
        .limit(1)
    ).first()
    if row is None:
        return None
    reasons = tuple(one for one in reasons_of(row.reasons) if not one.inside and one.code not in _OF_OTHERS)
    return Behind(row.id, Band(row.band), reasons, row.name or "")


_OF_OTHERS = (ReasonCode.LIKE_RELEVANT, ReasonCode.LIKE_UNRELATED)
