"""Organisations and people for tests: valid credit codes on demand, actors with roles that stand in rows."""

from __future__ import annotations

import datetime as dt
import itertools

from stdnum.cn import uscc

from market.db import Session
from market.parties import access
from market.parties.inputs import OrganisationInput
from market.parties.models import MembershipRow, Organisation, OrganisationKind, Person
from market.permissions import Actor, Role, Via
from market.taxonomy.seed import seed_taxonomy

_numbers = itertools.count(1)


def credit_code() -> str:
    """A valid unified social credit code that no other call gives."""
    body = f"91331081MA{next(_numbers):07d}"
    return body + uscc.calc_check_digit(body)


def organisation_input(**changes: object) -> OrganisationInput:
    """A firm of the city, with some of its values changed."""
    values = {
        "name": "温岭某泵业有限公司",
        "kind": OrganisationKind.FIRM,
        "credit_code": credit_code(),
        "region_code": "331081",
        **changes,
    }
    return OrganisationInput.model_validate(values)


class Parties:
    """Writes organisations and people in a session the caller owns."""

    def __init__(self, session: Session, now: dt.datetime) -> None:
        self.session, self.now = session, now
        seed_taxonomy(session, now)

    def organisation(
        self, name: str = "温岭某泵业有限公司", *, state: str = "verified", **values: object
    ) -> int:
        """An organisation's id."""
        row = Organisation(
            **{
                "name": name,
                "kind": "firm",
                "credit_code": credit_code(),
                "region_code": "331081",
                "state": state,
                "created_at": self.now,
                "updated_at": self.now,
                **values,
            }
        )
        self.session.add(row)
        self.session.flush()
        assert row.id is not None
        return row.id

    def person(
        self, *roles: tuple[int, Role], name: str = "林晓", password_hash: str = "!", **values: object
    ) -> int:
        """The id of a person who holds roles in organisations."""
        row = Person(
            **{
                "name": name,
                "email": f"person{next(_numbers)}@example.com",
                "password_hash": password_hash,
                "created_at": self.now,
                "updated_at": self.now,
                **values,
            }
        )
        self.session.add(row)
        self.session.flush()
        assert row.id is not None
        for organisation_id, role in roles:
            self.session.add(
                MembershipRow(
                    person_id=row.id, organisation_id=organisation_id, role=role.value, created_at=self.now
                )
            )
        self.session.flush()
        return row.id

    def actor(self, person_id: int) -> Actor:
        """A person as they stand now, signed in."""
        person = self.session.get(Person, person_id)
        assert person is not None
        return Actor(person_id, person.name, Via.SESSION, access.memberships_of(self.session, person_id))

    def market(self, role: Role) -> Actor:
        """Somebody of the market itself, with a role in its verified office."""
        office = self.organisation("温岭市科技大市场", kind="government")
        return self.actor(self.person((office, role), name=f"某{role.value}"))
