"""Reads of enquiries: lists, one with its thread, the board, reply times. A bounded number of statements."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.demands.models import Demand
from market.enquiries import rules
from market.enquiries.inputs import SubjectKind
from market.enquiries.models import Enquiry, EnquiryMessage, EnquiryState, PassReason
from market.enquiries.rules import Side, Step
from market.enquiries.service import may_read, sides_of
from market.errors import NotFound
from market.listings.models import Result
from market.parties.models import MembershipRow, Organisation, Person
from market.permissions import Action, Actor, require

REPLY_WINDOW = dt.timedelta(days=365)
"""How far back reply times are counted."""
REPLY_SAMPLE = 1000
"""The latest enquiries that are counted at most."""


class Box(enum.StrEnum):
    """Which enquiries of mine."""

    ALL = "all"
    SENT = "sent"
    RECEIVED = "received"
    MINE = "mine"
    """Those that I follow up."""


@dataclass(frozen=True)
class Card:
    """An enquiry in a list."""

    id: int
    subject_kind: SubjectKind
    subject_id: int
    title: str
    from_organisation_id: int | None
    from_name: str
    to_organisation_id: int
    to_name: str
    owner_person_id: int | None
    owner_name: str
    state: EnquiryState
    next_step: str
    due_on: dt.date | None
    overdue: bool
    reinvited: bool
    created_at: dt.datetime
    updated_at: dt.datetime


@dataclass(frozen=True)
class Message:
    """One message, or one step told in the thread (`step` and `told`; `body` is empty then)."""

    id: int
    at: dt.datetime
    person_name: str
    organisation_side: Side | None
    body: str
    step: str
    told: dict[str, Any]


@dataclass(frozen=True)
class Detail(Card):
    """An enquiry with its thread."""

    from_person_id: int
    from_person_name: str
    offered_result_id: int | None
    offered_title: str
    for_demand_id: int | None
    """The demand for which a broker brought the two together."""
    for_demand_title: str
    outcome: str
    pass_reason: PassReason | None
    reinvite_trl: int | None
    reinvited_at: dt.datetime | None
    first_reply_at: dt.datetime | None
    version: int
    sides: frozenset[Side]
    steps: frozenset[Step]
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class ReplyTime:
    """What an organisation promises and how long it takes in fact, over the last year."""

    promised_hours: int | None
    median_hours: float | None
    """Median time to the owner's first reply, hours; None while nothing was answered."""
    answered: int
    waiting: int


def _select(*more: Any) -> Any:
    e, r, d = t(Enquiry), t(Result), t(Demand)
    asking, owner, person = t(Organisation).alias(), t(Organisation).alias(), t(Person).alias()
    return (
        sa.select(
            e.c.id, e.c.subject_kind, e.c.subject_id,
            sa.func.coalesce(r.c.title, d.c.title, "").label("title"),
            e.c.from_organisation_id, asking.c.name.label("from_name"),
            e.c.to_organisation_id, owner.c.name.label("to_name"),
            e.c.owner_person_id, person.c.name.label("owner_name"),
            e.c.state, e.c.next_step, e.c.due_on, e.c.reinvited_at, e.c.created_at, e.c.updated_at, *more,
        )
        .select_from(e)
        .outerjoin(r, sa.and_(e.c.subject_kind == "result", r.c.id == e.c.subject_id))
        .outerjoin(d, sa.and_(e.c.subject_kind == "demand", d.c.id == e.c.subject_id))
        .outerjoin(asking, asking.c.id == e.c.from_organisation_id)
        .join(owner, owner.c.id == e.c.to_organisation_id)
        .outerjoin(person, person.c.id == e.c.owner_person_id)
    )  # fmt: skip


@functools.cache
def _cards() -> Any:
    """The statement of lists, built once: building it takes longer than running it."""
    return _select()


def _card_values(row: Any, today: dt.date) -> dict[str, Any]:
    state = EnquiryState(row.state)
    return {
        "id": row.id,
        "subject_kind": SubjectKind(row.subject_kind),
        "subject_id": row.subject_id,
        "title": row.title,
        "from_organisation_id": row.from_organisation_id,
        "from_name": row.from_name or "",
        "to_organisation_id": row.to_organisation_id,
        "to_name": row.to_name,
        "owner_person_id": row.owner_person_id,
        "owner_name": row.owner_name or "",
        "state": state,
        "next_step": row.next_step,
        "due_on": row.due_on,
        "overdue": rules.is_overdue(state, row.due_on, today),
        "reinvited": row.reinvited_at is not None and state is EnquiryState.PASSED,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _readable(actor: Actor) -> sa.ColumnElement[bool]:
    """The enquiries that an actor may know of, as a condition."""
    c = t(Enquiry).c
    reach = actor.organisations_for(Action.ENQUIRY_READ)
    if reach is None:
        return sa.true()
    own = sorted(reach)
    return sa.or_(
        c.from_person_id == actor.person_id, c.from_organisation_id.in_(own), c.to_organisation_id.in_(own)
    )


def _own(actor: Actor) -> list[int]:
    return sorted({m.organisation_id for m in actor.memberships if m.verified})


def enquiries(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    *,
    box: Box = Box.ALL,
    state: EnquiryState | None = None,
    offset: int = 0,
    limit: int = 20,
) -> tuple[list[Card], int]:
    """The enquiries that an actor may know of, latest change first, and how many. Two statements."""
    c = t(Enquiry).c
    where = [_readable(actor)]
    if box is Box.SENT:
        where.append(sa.or_(c.from_person_id == actor.person_id, c.from_organisation_id.in_(_own(actor))))
    elif box is Box.RECEIVED:
        where.append(c.to_organisation_id.in_(_own(actor)))
    elif box is Box.MINE:
        where.append(c.owner_person_id == actor.person_id)
    if state is not None:
        where.append(c.state == state.value)
    total = session.scalar(sa.select(sa.func.count()).select_from(t(Enquiry)).where(*where)) or 0
    statement = _cards().where(*where).order_by(c.updated_at.desc(), c.id.desc()).offset(offset).limit(limit)
    today = local_date(now)
    return [Card(**_card_values(row, today)) for row in session.execute(statement)], total


def board(
    session: Session, actor: Actor, now: dt.datetime, *, only: str = "", offset: int = 0, limit: int = 50
) -> tuple[list[Card], int, dict[str, int]]:
    """What is still to be done, overdue first and then by day; how many; and the numbers of each tab.

    `only` is `overdue`, `unassigned` or empty. For brokers and staff (NotAllowed otherwise).
    """
    require(actor, Action.ENQUIRY_OVERSEE)
    c = t(Enquiry).c
    today = local_date(now)
    active = c.state.in_([state.value for state in rules.ACTIVE])
    overdue, unassigned = sa.and_(active, c.due_on < today), sa.and_(active, c.owner_person_id.is_(None))
    counted = session.execute(
        sa.select(
            sa.func.count(),
            sa.func.count(sa.case((overdue, 1))),
            sa.func.count(sa.case((unassigned, 1))),
        )
        .select_from(t(Enquiry))
        .where(active)
    ).one()
    numbers = {"": counted[0], "overdue": counted[1], "unassigned": counted[2]}
    where = {"overdue": overdue, "unassigned": unassigned}.get(only, active)
    statement = _cards().where(where).order_by(c.due_on.is_(None), c.due_on, c.id).offset(offset).limit(limit)
    cards = [Card(**_card_values(row, today)) for row in session.execute(statement)]
    return cards, numbers.get(only, numbers[""]), numbers


def waiting_for_reply(
    session: Session, actor: Actor, now: dt.datetime, *, limit: int = 20
) -> tuple[list[Card], int]:
    """Enquiries to an actor's organisations that nobody there has answered, the oldest day first."""
    c = t(Enquiry).c
    where = sa.and_(c.to_organisation_id.in_(_own(actor)), c.state == EnquiryState.OPEN.value)
    total = session.scalar(sa.select(sa.func.count()).select_from(t(Enquiry)).where(where)) or 0
    statement = _cards().where(where).order_by(c.due_on.is_(None), c.due_on, c.id).limit(limit)
    today = local_date(now)
    return [Card(**_card_values(row, today)) for row in session.execute(statement)], total


def reinvitations(session: Session, actor: Actor, now: dt.datetime, *, limit: int = 20) -> list[Card]:
    """Passed enquiries of an actor whose result has reached the readiness that was asked for."""
    c = t(Enquiry).c
    own = _own(actor)
    asked = sa.and_(
        c.subject_kind == "result",
        sa.or_(c.from_person_id == actor.person_id, c.from_organisation_id.in_(own)),
    )
    offered = sa.and_(c.subject_kind == "demand", c.to_organisation_id.in_(own))
    statement = (
        _cards()
        .where(c.state == EnquiryState.PASSED.value, c.reinvited_at.is_not(None), sa.or_(asked, offered))
        .order_by(c.reinvited_at.desc(), c.id)
        .limit(limit)
    )
    today = local_date(now)
    return [Card(**_card_values(row, today)) for row in session.execute(statement)]


def enquiry(session: Session, actor: Actor, enquiry_id: int, now: dt.datetime) -> Detail:
    """One enquiry with its thread. Raises NotFound. Two statements."""
    e, offered, asker, wanted = t(Enquiry).c, t(Result).alias(), t(Person).alias(), t(Demand).alias()
    statement = (
        _select(
            e.from_person_id, asker.c.name.label("from_person_name"), e.offered_result_id,
            offered.c.title.label("offered_title"), e.for_demand_id,
            wanted.c.title.label("for_demand_title"), e.outcome, e.pass_reason, e.reinvite_trl,
            e.first_reply_at, e.version,
        )
        .join(asker, asker.c.id == e.from_person_id)
        .outerjoin(offered, offered.c.id == e.offered_result_id)
        .outerjoin(wanted, wanted.c.id == e.for_demand_id)
        .where(e.id == enquiry_id)
    )  # fmt: skip
    row = session.execute(statement).first()
    if row is None or not may_read(actor, row):
        raise NotFound(kind="enquiry")
    sides = sides_of(actor, row.from_person_id, row.from_organisation_id, row.to_organisation_id)
    steps = rules.steps_from(row.state, sides)
    if row.reinvited_at is None:
        steps -= {Step.RESUME}
    return Detail(
        **_card_values(row, local_date(now)),
        from_person_id=row.from_person_id,
        from_person_name=row.from_person_name,
        offered_result_id=row.offered_result_id,
        offered_title=row.offered_title or "",
        for_demand_id=row.for_demand_id,
        for_demand_title=row.for_demand_title or "",
        outcome=row.outcome,
        pass_reason=PassReason(row.pass_reason) if row.pass_reason else None,
        reinvite_trl=row.reinvite_trl,
        reinvited_at=row.reinvited_at,
        first_reply_at=row.first_reply_at,
        version=row.version,
        sides=sides,
        steps=steps,
        messages=_messages(session, enquiry_id, row),
    )


def _messages(session: Session, enquiry_id: int, about: Any) -> tuple[Message, ...]:
    m, p, h = t(EnquiryMessage).c, t(Person).c, t(MembershipRow).c
    of_owner = sa.exists().where(h.person_id == m.person_id, h.organisation_id == about.to_organisation_id)
    of_asker = sa.exists().where(h.person_id == m.person_id, h.organisation_id == about.from_organisation_id)
    rows = session.execute(
        sa.select(
            m.id,
            m.at,
            m.kind,
            m.body,
            m.person_id,
            p.name,
            of_owner.label("of_owner"),
            of_asker.label("of_asker"),
        )
        .join_from(t(EnquiryMessage), t(Person), m.person_id == p.id, isouter=True)
        .where(m.enquiry_id == enquiry_id)
        .order_by(m.id)
        .limit(1000)
    )
    found = []
    for row in rows:
        told: dict[str, Any] = json.loads(row.body) if row.kind == "step" else {}
        side = None
        if row.person_id == about.from_person_id or row.of_asker:
            side = Side.ASKING
        elif row.person_id is not None:
            side = Side.OWNER if row.of_owner else Side.MARKET
        step = str(told.pop("step", ""))
        found.append(Message(row.id, row.at, row.name or "", side, "" if step else row.body, step, told))
    return tuple(found)


def reply_time(session: Session, organisation_id: int, now: dt.datetime) -> ReplyTime:
    """An organisation's promised and actual time to a first reply. Two statements."""
    c = t(Enquiry).c
    promised = session.scalar(
        sa.select(t(Organisation).c.promised_reply_hours).where(t(Organisation).c.id == organisation_id)
    )
    rows = session.execute(
        sa.select(c.created_at, c.first_reply_at, c.state)
        .where(c.to_organisation_id == organisation_id, c.created_at >= now - REPLY_WINDOW)
        .order_by(c.id.desc())
        .limit(REPLY_SAMPLE)
    ).all()
    waits = [row.first_reply_at - row.created_at for row in rows if row.first_reply_at is not None]
    waiting = sum(row.first_reply_at is None and row.state == EnquiryState.OPEN.value for row in rows)
    return ReplyTime(promised, rules.median_hours(waits), len(waits), waiting)
