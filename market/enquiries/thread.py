"""The thread of an enquiry: what is said, what is told of steps, and who gets mail about it.

The body of a message of kind `step` is JSON: `step` and what belongs to it. Sentences are for the pages.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.demands.models import Demand
from market.enquiries.inputs import SubjectKind
from market.enquiries.models import Enquiry, EnquiryMessage
from market.listings.models import Result
from market.parties.mail import mail_people, members_of
from market.parties.models import MembershipRow
from market.permissions import Actor, Role


def touch(session: Session, row: Enquiry, now: dt.datetime) -> None:
    """Count the change."""
    row.version += 1
    row.updated_at = now
    session.flush()


def day_text(day: dt.date | None) -> str | None:
    """A day as JSON holds it."""
    return None if day is None else day.isoformat()


def say(session: Session, enquiry_id: int, actor: Actor, now: dt.datetime, body: str) -> None:
    """Add a message to the thread."""
    session.add(EnquiryMessage(enquiry_id=enquiry_id, person_id=actor.person_id, body=body, at=now))


def tell(
    session: Session, row: Enquiry, actor: Actor, now: dt.datetime, step: str, told: dict[str, Any]
) -> None:
    """Add a step to the thread."""
    body = json.dumps(
        {"step": step, **{key: value for key, value in told.items() if value}}, ensure_ascii=False
    )
    assert row.id is not None
    session.add(EnquiryMessage(enquiry_id=row.id, person_id=actor.person_id, kind="step", body=body, at=now))


def asking_people(row: Enquiry) -> set[int]:
    """Who is told on the asking side."""
    return {row.from_person_id}


def owner_people(session: Session, row: Enquiry) -> set[int]:
    """Who is told on the owner's side: whoever of its people follows it up, else those who look after such
    things; and the market's broker who follows it up."""
    wanted = Role.RESULTS_OFFICER if row.subject_kind == SubjectKind.RESULT.value else Role.DEMAND_OWNER
    if row.owner_person_id is None:
        return members_for(session, row.to_organisation_id, wanted)
    follower = {row.owner_person_id}
    if row.owner_person_id in members_of(session, row.to_organisation_id):
        return follower
    return follower | members_for(session, row.to_organisation_id, wanted)


def members_for(session: Session, organisation_id: int, role: Role) -> set[int]:
    """An organisation's people with a role; all of its people where nobody holds it."""
    m = t(MembershipRow).c
    found = set(
        session.scalars(
            sa.select(m.person_id).where(
                m.organisation_id == organisation_id, m.role == role.value, m.ended_at.is_(None)
            )
        )
    )
    return found or set(members_of(session, organisation_id))


def mail(
    session: Session,
    row: Enquiry,
    actor: Actor,
    now: dt.datetime,
    template: str,
    people: Iterable[int],
    *,
    key: str,
    **params: Any,
) -> None:
    """Leave mail for people, but not for whoever did it."""
    c = t(Result if row.subject_kind == SubjectKind.RESULT.value else Demand).c
    title = session.scalar(sa.select(c.title).where(c.id == row.subject_id)) or ""
    told = {"enquiry_id": row.id, "title": title, "kind": row.subject_kind, "by": actor.name, **params}
    others = [person for person in people if person != actor.person_id]
    mail_people(session, others, template, told, key=f"{row.id}:{key}", now=now)
