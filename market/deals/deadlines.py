"""The registrar's clock, looked after: what ran out is escalated once.

A sweep finds contracts whose last day to decide has passed and tells officials and administrators; the day on which
they were told stands in the contract, so that nobody is told twice. Accepting anew after a supplement starts the
clock, and with it the escalation, again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa

from market import audit
from market.clock import local_date
from market.db import Session, for_update, t
from market.deals.models import Contract, ContractState
from market.parties.mail import mail_people
from market.parties.models import MembershipRow, Organisation, OrganisationState
from market.permissions import SYSTEM, Role

CLOCKED = (ContractState.ACCEPTED, ContractState.EXPERT_REVIEW)
"""States in which the registrar's clock runs."""

TOLD = (Role.OFFICIAL, Role.ADMINISTRATOR)
AT_ONCE = 100


def people_with(session: Session, roles: Collection[Role]) -> list[int]:
    """The people who hold one of some roles of the market in a verified organisation."""
    m, o = t(MembershipRow).c, t(Organisation).c
    statement = (
        sa.select(m.person_id)
        .distinct()
        .select_from(t(MembershipRow).join(t(Organisation), m.organisation_id == o.id))
        .where(
            m.role.in_([role.value for role in roles]),
            m.ended_at.is_(None),
            o.state == OrganisationState.VERIFIED.value,
        )
        .order_by(m.person_id)
    )
    return list(session.scalars(statement))


def escalate_due(session: Session, now: dt.datetime) -> int:
    """Tell those above of contracts whose clock has run out, each once for each run of the clock; returns how
    many were found, at most `AT_ONCE`. Called again while it finds some."""
    c = t(Contract).c
    today = local_date(now)
    statement = (
        sa.select(Contract)
        .where(c.state.in_([state.value for state in CLOCKED]), c.decide_by < today, c.escalated_on.is_(None))
        .order_by(c.id)
        .limit(AT_ONCE)
    )
    found = session.scalars(for_update(statement, session, skip_locked=True)).all()
    people = people_with(session, TOLD) if found else []
    for contract in found:
        assert contract.id is not None
        assert contract.decide_by is not None
        contract.escalated_on = today
        told = {
            "contract_id": contract.id,
            "title": contract.title,
            "local_number": contract.local_number,
            "decide_by": contract.decide_by.isoformat(),
        }
        key = f"{contract.id}:{contract.decide_by.isoformat()}"
        mail_people(session, people, "contract_late", told, key=key, now=now)
        audit.record(
            session, SYSTEM, "contract.escalated", contract.id, now,
            before={"escalated_on": None}, after={"escalated_on": today},
        )  # fmt: skip
    session.flush()
    return len(found)
