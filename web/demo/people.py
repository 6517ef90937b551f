"""Demo organisations and accounts, entered as their registration and verification would."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from market.db import Session, t
from market.parties import members, passwords
from market.parties.access import memberships_of
from market.parties.inputs import OrganisationInput
from market.parties.models import Organisation, OrganisationState, Person
from market.parties.service import create_organisation
from market.permissions import COMMAND_LINE, Actor, Role, Via
from web.demo.content.organisations import DemoOrganisation, DemoPerson

BEFORE = dt.timedelta(days=6 * 365 + 30)
"""The demo market has been there for this long."""


@dataclass
class Cast:
    """Who is who: rows and actors by the content's keys."""

    organisations: dict[str, int] = field(default_factory=dict)
    actors: dict[str, Actor] = field(default_factory=dict)
    roles: dict[tuple[str, Role], str] = field(default_factory=dict)

    def actor(self, organisation: str, role: Role) -> Actor | None:
        """Somebody who holds a role in an organisation."""
        key = self.roles.get((organisation, role))
        return self.actors[key] if key is not None else None

    def anyone(self, role: Role) -> Actor:
        """Somebody who holds a role anywhere. Raises KeyError."""
        key = next(person for (_, held), person in self.roles.items() if held is role)
        return self.actors[key]


def enter_organisations(
    session: Session, cast: Cast, found: Iterable[DemoOrganisation], now: dt.datetime
) -> None:
    """Register and verify every organisation."""
    at = now - BEFORE
    for item in found:
        row = create_organisation(
            session,
            COMMAND_LINE,
            OrganisationInput(
                name=item.name,
                name_en=item.name_en,
                kind=item.kind,
                credit_code=item.credit_code,
                region_code=item.region_code,
                town="" if item.town == "-" else item.town,
                nature_code=item.nature_code,
                introduction=item.introduction,
                contact_name=item.contact_name,
                contact_phone=item.contact_phone,
                contact_email=item.contact_email,
                promised_reply_hours=item.promised_reply_hours,
            ),
            at,
        )
        row.state, row.verified_at = OrganisationState.VERIFIED.value, at
        assert row.id is not None
        cast.organisations[item.key] = row.id
    session.flush()


def enter_people(
    session: Session, cast: Cast, found: Iterable[DemoPerson], password: str, now: dt.datetime
) -> None:
    """Accounts that share one published password; only the featured ones are offered on the sign-in page."""
    at = now - BEFORE
    password_hash = passwords.hash_password(password)
    for item in found:
        person = members.new_person(
            session,
            email=item.email,
            name=item.name,
            phone=item.phone,
            password_hash=password_hash,
            demo=item.featured,
            now=at,
        )
        assert person.id is not None
        organisation_id = cast.organisations[item.organisation]
        members.grant(session, COMMAND_LINE, person.id, organisation_id, item.role, at)
        cast.roles.setdefault((item.organisation, item.role), item.key)
        cast.actors[item.key] = Actor(person.id, person.name, Via.SESSION, memberships_of(session, person.id))


def is_loaded(session: Session) -> bool:
    """Whether demo accounts are there."""
    return (
        session.execute(sa.select(t(Person).c.id).where(t(Person).c.demo.is_(True)).limit(1)).first()
        is not None
    )


def is_empty(session: Session) -> bool:
    """Whether the market has no organisation yet."""
    return session.execute(sa.select(t(Organisation).c.id).limit(1)).first() is None
