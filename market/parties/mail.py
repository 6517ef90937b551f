"""Leaving mail to people as work, in the transaction of the change that causes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.parties.models import MembershipRow, Person
from market.work import enqueue


def mail_people(
    session: Session,
    people: Iterable[int],
    template: str,
    params: Mapping[str, Any],
    *,
    key: str,
    now: dt.datetime,
) -> None:
    """Mail each active person of `people` in their language. Once for each `key` and person.

    `template` names a text in the mail templates; `params` are its variables and hold no secrets.
    """
    c = t(Person).c
    rows = session.execute(
        sa.select(c.id, c.email, c.language).where(c.id.in_(sorted(set(people))), c.active.is_(True))
    ).all()
    for row in rows:
        payload = {
            "to": row.email, "template": template, "language": row.language, "params": dict(params),
        }  # fmt: skip
        enqueue(session, "mail.send", payload, key=f"{template}:{key}:{row.id}", now=now)


def members_of(session: Session, organisation_id: int) -> list[int]:
    """The people who hold a role in an organisation."""
    c = t(MembershipRow).c
    statement = (
        sa.select(c.person_id).distinct().where(c.organisation_id == organisation_id, c.ended_at.is_(None))
    )
    return list(session.scalars(statement.order_by(c.person_id)))
