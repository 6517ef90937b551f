"""Rows for tests of the register and its figure: organisations, people with roles, contracts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.testclient import TestClient

from market.db import Database
from market.deals import service
from market.deals.inputs import ContractInput
from market.deals.models import ContractSource
from market.deals.seed import seed_policies
from market.parties.models import MembershipRow, Organisation, Person
from market.permissions import SYSTEM, Actor, Membership, Role, Via
from market.statistics.seed import seed_statistics
from market.taxonomy.models import Industry, Region

As = Callable[[str], TestClient]
"""The client as one of `ROLES`, or as a `visitor`."""

ROLES = {
    "officer": ("university", Role.RESULTS_OFFICER),
    "buyer": ("firm", Role.DEMAND_OWNER),
    "bidder": ("firm", Role.BIDDER),
    "stranger": ("other", Role.RESULTS_OFFICER),
    "staff": ("market", Role.STAFF),
    "official": ("bureau", Role.OFFICIAL),
}
ORGANISATIONS = {
    "university": ("浙江大学", "university", "330106"),
    "firm": ("温岭泵业有限公司", "firm", "331081"),
    "other": ("上海研究院", "research_institute", "310115"),
    "market": ("温岭科技大市场", "service_agency", "331081"),
    "bureau": ("温岭市科技局", "government", "331081"),
}


@dataclass
class Register:
    """What was made, and verbs to make more."""

    db: Database
    now: dt.datetime
    organisations: dict[str, int]
    actors: dict[str, Actor]

    def body(self, **changes: Any) -> dict[str, Any]:
        """A contract as a program sends it."""
        return {
            "title": "高效离心泵水力模型技术开发",
            "kind": "development",
            "subkind": "commissioned_development",
            "seller_id": self.organisations["university"],
            "buyer_id": self.organisations["firm"],
            "deal_fen": 50_000_000,
            "deductions": [{"item": "样机", "fen": 8_000_000}],
            "technical_field": "advanced_manufacturing",
            "industry_code": "pump",
            "signed_on": "2024-02-01",
        } | changes

    def enter(self, on: dt.date, at: dt.datetime | None = None, **changes: Any) -> int:
        """A contract registered on a day; known now, or since a moment."""
        data = ContractInput.model_validate(self.body(signed_on=on.isoformat(), **changes))
        with self.db.write() as session:
            return service.enter_registered(
                session, SYSTEM, at or self.now, data, registered_on=on, source=ContractSource.IMPORTED
            )

    def draft(self, **changes: Any) -> int:
        """A draft by the seller's officer."""
        data = ContractInput.model_validate(self.body(**changes))
        with self.db.write() as session:
            return service.create_contract(session, self.actors["officer"], self.now, data)


def make_register(db: Database, now: dt.datetime) -> Register:
    """Organisations, one person for each role, policies, calibers and the GDP of 2024."""
    organisations: dict[str, int] = {}
    actors: dict[str, Actor] = {}
    with db.write() as session:
        seed_policies(session)
        seed_statistics(session, now)
        session.add(Industry(code="pump", name="泵与电机", name_en="Pumps and motors", updated_at=now))
        session.add(Region(code="331081", name="温岭市", name_en="Wenling", parent_code="331000"))
        for number, (key, (name, kind, region)) in enumerate(ORGANISATIONS.items()):
            row = Organisation(
                name=name,
                kind=kind,
                credit_code=f"91331081MA{number:08d}",
                region_code=region,
                state="verified",
                created_at=now,
                updated_at=now,
            )
            session.add(row)
            session.flush()
            assert row.id
            organisations[key] = row.id
        for key, (place, role) in ROLES.items():
            person = Person(
                name=key, email=f"{key}@example.com", password_hash="x", created_at=now, updated_at=now
            )
            session.add(person)
            session.flush()
            assert person.id
            session.add(
                MembershipRow(
                    person_id=person.id, organisation_id=organisations[place], role=role.value, created_at=now
                )
            )
            member = Membership(organisations[place], ORGANISATIONS[place][0], role, True)
            actors[key] = Actor(person.id, key, Via.SESSION, (member,))
    return Register(db, now, organisations, actors)
