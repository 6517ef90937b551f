"""Enquiries that a broker opens for two sides that have not written to each other (撮合对接).

Such an enquiry is about a result and asked in the name of the organisation that has the demand, because that
is who will buy: contract drafts take the asking side of an enquiry about a result for the buyer. The
organisation did not write it. So it is told at once, its people see who opened it and for which of their
demands, and may pass on it as on any other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market import audit
from market.clock import local_date
from market.db import Session, for_update, t
from market.demands.models import Demand
from market.enquiries import rules
from market.enquiries.inputs import IntroductionInput, SubjectKind
from market.enquiries.models import Enquiry, EnquiryState
from market.enquiries.thread import asking_people, day_text, mail, members_for, owner_people, say, tell, touch
from market.errors import InvalidInput, NotFound
from market.listings.lifecycle import of_verified
from market.listings.models import ListingState, Result
from market.parties.models import MembershipRow, Person
from market.permissions import Action, Actor, Role, require


@dataclass(frozen=True)
class Introduced:
    """What became of bringing two sides together: the enquiry, and whether it was there before."""

    enquiry_id: int
    linked: bool


def introduce(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    demand_id: int,
    result_id: int,
    data: IntroductionInput,
    *,
    words: Sequence[str] = (),
) -> Introduced:
    """Open an enquiry about a result for a demand, followed up by the actor; or name the one that is going on.

    For brokers and staff. `words` are what both sides speak of: the mail names them. Where the two are in touch
    already nothing is opened; the thread tells of the demand, and the actor follows it up if nobody does.
    Raises NotFound unless both are on offer, InvalidInput when both are of one organisation or the day is past.
    """
    require(actor, Action.ENQUIRY_OVERSEE)
    demand, result = _on_offer(session, Demand, demand_id), _on_offer(session, Result, result_id)
    if demand.organisation_id == result.organisation_id:
        raise InvalidInput([("result_id", "own_listing", {})])
    if data.due_on < local_date(now):
        raise InvalidInput([("due_on", "date_past", {})])
    told = {"demand_id": demand_id, "demand": demand.title, "words": list(words)}
    known = going_on(session, demand_id, demand.organisation_id, result_id, result.organisation_id)
    if known is not None:
        _join(session, actor, now, known, data, told)
        return Introduced(known, True)
    asker = speaker(session, demand.organisation_id, demand.created_by) or actor.person_id
    assert asker is not None
    row = Enquiry(
        subject_kind=SubjectKind.RESULT.value,
        subject_id=result_id,
        for_demand_id=demand_id,
        from_organisation_id=demand.organisation_id,
        from_person_id=asker,
        to_organisation_id=result.organisation_id,
        owner_person_id=actor.person_id,
        state=EnquiryState.OPEN.value,
        next_step=data.next_step,
        due_on=data.due_on,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    tell(session, row, actor, now, "introduced", told)
    if data.body:
        say(session, row.id, actor, now, data.body)
    audit.record(
        session, actor, "enquiry.introduced", row.id, now,
        after={"subject": f"result:{result_id}", "demand": demand_id, "to": result.organisation_id},
    )  # fmt: skip
    about = {"demand": demand.title, "words": list(words), "body": data.body}
    mail(session, row, actor, now, "enquiry_introduced", [asker], key="asking", side="asking", **about)
    owners = members_for(session, result.organisation_id, Role.RESULTS_OFFICER)
    mail(session, row, actor, now, "enquiry_introduced", owners, key="owner", side="owner", **about)
    return Introduced(row.id, False)


def speaker(session: Session, organisation_id: int, creator_id: int | None) -> int | None:
    """Who speaks for an organisation about its demand: who wrote it, if they are still there, else whoever
    looks after its demands, else any of its people; None where nobody has an account. One statement."""
    m, p = t(MembershipRow).c, t(Person).c
    rank = sa.case((m.person_id == creator_id, 0), (m.role == Role.DEMAND_OWNER.value, 1), else_=2)
    return session.scalar(
        sa.select(m.person_id)
        .join_from(t(MembershipRow), t(Person), m.person_id == p.id)
        .where(m.organisation_id == organisation_id, m.ended_at.is_(None), p.active.is_(True))
        .order_by(rank, m.person_id)
        .limit(1)
    )


def going_on(session: Session, demand_id: int, wanting: int, result_id: int, having: int) -> int | None:
    """The unfinished enquiry in which two organisations speak of a demand or of a result for it, if any."""
    c = t(Enquiry).c
    asked = sa.and_(
        c.subject_kind == SubjectKind.RESULT.value,
        c.subject_id == result_id,
        c.from_organisation_id == wanting,
    )
    offered = sa.and_(
        c.subject_kind == SubjectKind.DEMAND.value,
        c.subject_id == demand_id,
        c.from_organisation_id == having,
        sa.or_(c.offered_result_id == result_id, c.offered_result_id.is_(None)),
    )
    active = c.state.in_([state.value for state in rules.ACTIVE])
    return session.scalar(sa.select(c.id).where(active, sa.or_(asked, offered)).order_by(c.id).limit(1))


def _on_offer(session: Session, model: type[Demand] | type[Result], row_id: int) -> Any:
    c = t(model).c
    row = session.execute(
        sa.select(c.organisation_id, c.title, c.created_by).where(
            c.id == row_id, c.state == ListingState.PUBLISHED.value, of_verified(c)
        )
    ).first()
    if row is None:
        raise NotFound(kind=model.__tablename__)
    return row


def _join(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    enquiry_id: int,
    data: IntroductionInput,
    told: dict[str, Any],
) -> None:
    statement = (
        sa.select(Enquiry).where(t(Enquiry).c.id == enquiry_id).execution_options(populate_existing=True)
    )
    row: Enquiry = session.scalars(for_update(statement, session)).one()
    tell(session, row, actor, now, "introduced", told)
    if row.owner_person_id is None:
        row.owner_person_id = actor.person_id
        row.next_step, row.due_on = data.next_step, data.due_on
        tell(session, row, actor, now, "taken", {"person": actor.name})
        tell(
            session,
            row,
            actor,
            now,
            "next_step",
            {"text": data.next_step, "due_on": day_text(data.due_on)},
        )
    if data.body:
        say(session, enquiry_id, actor, now, data.body)
    after = {"demand": told["demand_id"], "owner": row.owner_person_id}
    audit.record(session, actor, "enquiry.joined", enquiry_id, now, after=after)
    touch(session, row, now)
    if data.body:
        people = {*asking_people(row), *owner_people(session, row)}
        mail(session, row, actor, now, "enquiry_reply", people, key=f"v{row.version}")
