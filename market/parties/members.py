"""Verbs on people and on the roles they hold. They take the caller's session, never commit.

An administrator always remains: whoever would end the last one is refused.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from market import audit
from market.db import Session, for_update, t
from market.errors import Duplicate, InvalidInput, NotFound
from market.parties import accounts
from market.parties.inputs import MembershipInput, ProfileInput
from market.parties.models import MembershipRow, Organisation, OrganisationState, Person
from market.parties.passwords import UNUSABLE
from market.parties.rules import LastAdministrator
from market.permissions import MARKET_ROLES, Action, Actor, Role, require


class EmailTaken(Duplicate):
    """There is an account with this e-mail address already. Params: `value`."""


class RoleHeld(Duplicate):
    """The person holds this role in this organisation already. Params: `value`."""


def new_person(
    session: Session,
    *,
    email: str,
    name: str,
    now: dt.datetime,
    phone: str = "",
    language: str = "zh-Hans",
    password_hash: str = UNUSABLE,
    demo: bool = False,
) -> Person:
    """A person's row; without a password hash they must choose one by a mailed link. Raises EmailTaken."""
    c = t(Person).c
    if session.execute(sa.select(c.id).where(c.email == email)).first() is not None:
        raise EmailTaken(field="email", value=email)
    row = Person(
        name=name,
        email=email,
        phone=phone,
        language=language,
        password_hash=password_hash,
        demo=demo,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError:  # somebody else took it between the look and the insert
        raise EmailTaken(field="email", value=email) from None
    return row


def add_membership(
    session: Session, actor: Actor, organisation_id: int, entered: MembershipInput, now: dt.datetime
) -> MembershipRow:
    """Give a person a role in an organisation; whoever has no account is made one and invited by mail.

    Roles that reach beyond their organisation are given by administrators only. Raises NotFound,
    NotAllowed, RoleHeld at `role`, InvalidInput at `name` when a new person's name is missing.
    """
    c = t(Organisation).c
    if session.execute(sa.select(c.id).where(c.id == organisation_id)).first() is None:
        raise NotFound
    _require(actor, entered.role, organisation_id)
    person = session.scalars(sa.select(Person).where(t(Person).c.email == entered.email)).one_or_none()
    if person is None:
        if not entered.name:
            raise InvalidInput([("name", "missing", {})])
        person = new_person(session, email=entered.email, name=entered.name, now=now)
        assert person.id is not None
        audit.record(
            session, actor, "person.invited", person.id, now,
            after={"name": person.name, "email": person.email},
        )  # fmt: skip
        accounts.invite(session, person.email, person.language, now)
    assert person.id is not None
    return grant(session, actor, person.id, organisation_id, entered.role, now)


def grant(
    session: Session, actor: Actor, person_id: int, organisation_id: int, role: Role, now: dt.datetime
) -> MembershipRow:
    """Give an existing person a role. Raises NotAllowed and RoleHeld."""
    _require(actor, role, organisation_id)
    m = t(MembershipRow).c
    statement = sa.select(MembershipRow).where(
        m.person_id == person_id, m.organisation_id == organisation_id, m.role == role.value
    )
    row: MembershipRow | None = session.scalars(for_update(statement, session)).one_or_none()
    if row is None:
        row = MembershipRow(
            person_id=person_id, organisation_id=organisation_id, role=role.value, created_at=now
        )
        session.add(row)
    elif row.ended_at is None:
        raise RoleHeld(field="role", value=role.value)
    else:
        row.ended_at = None
        row.created_at = now
    session.flush()
    assert row.id is not None
    audit.record(
        session, actor, "membership.granted", row.id, now,
        after={"person_id": person_id, "organisation_id": organisation_id, "role": role},
    )  # fmt: skip
    return row


def end_membership(
    session: Session, actor: Actor, organisation_id: int, membership_id: int, now: dt.datetime
) -> None:
    """End a role that somebody holds in an organisation. Raises NotFound, NotAllowed, LastAdministrator."""
    m = t(MembershipRow).c
    statement = sa.select(MembershipRow).where(
        m.id == membership_id, m.organisation_id == organisation_id, m.ended_at.is_(None)
    )
    row: MembershipRow | None = session.scalars(for_update(statement, session)).one_or_none()
    if row is None:
        require(actor, Action.ORGANISATION_MEMBERS, organisation_id)
        raise NotFound
    role = Role(row.role)
    _require(actor, role, organisation_id)
    if role is Role.ADMINISTRATOR:
        keep_an_administrator(session, without_membership=membership_id)
    row.ended_at = now
    session.flush()
    held = {"person_id": row.person_id, "organisation_id": organisation_id, "role": role}
    audit.record(session, actor, "membership.ended", membership_id, now, before=held)


def edit_profile(
    session: Session, actor: Actor, person_id: int, entered: ProfileInput, now: dt.datetime
) -> Person:
    """A person changes their own name, telephone or language; administrators may change anybody's."""
    if actor.person_id != person_id:
        require(actor, Action.PEOPLE_MANAGE)
    row = session.get(Person, person_id)
    if row is None:
        raise NotFound
    wanted = entered.model_dump()
    before = {name: getattr(row, name) for name in wanted}
    if wanted != before:
        for name, value in wanted.items():
            setattr(row, name, value)
        row.updated_at = now
        audit.record(session, actor, "person.edited", person_id, now, before=before, after=wanted)
    session.flush()
    return row


def set_active(session: Session, actor: Actor, person_id: int, active: bool, now: dt.datetime) -> Person:
    """Deactivate a person (ending every sign-in and token) or activate them again.

    Raises NotAllowed, NotFound, LastAdministrator.
    """
    require(actor, Action.PEOPLE_MANAGE)
    statement = sa.select(Person).where(t(Person).c.id == person_id)
    row: Person | None = session.scalars(for_update(statement, session)).one_or_none()
    if row is None:
        raise NotFound
    if row.active is active:
        return row
    if not active:
        keep_an_administrator(session, without_person=person_id)
        accounts.revoke_everything(session, person_id, now)
    row.active = active
    row.updated_at = now
    session.flush()
    action = "person.activated" if active else "person.deactivated"
    audit.record(
        session, actor, action, person_id, now, before={"active": not active}, after={"active": active}
    )
    return row


def keep_an_administrator(
    session: Session, *, without_membership: int = 0, without_person: int = 0, without_organisation: int = 0
) -> None:
    """Raise LastAdministrator if there are administrators and none would be left without the one named.

    Locks the administrators' memberships in order of id, so that two of them cannot end each other.
    """
    m, p, o = t(MembershipRow).c, t(Person).c, t(Organisation).c
    role = sa.and_(m.role == Role.ADMINISTRATOR.value, m.ended_at.is_(None))
    session.execute(for_update(sa.select(m.id).where(role).order_by(m.id), session)).all()
    rows = session.execute(
        sa.select(m.id, m.person_id, m.organisation_id)
        .join_from(t(MembershipRow), t(Person), m.person_id == p.id)
        .join(t(Organisation), m.organisation_id == o.id)
        .where(role, p.active.is_(True))
        .where(sa.or_(o.state == OrganisationState.VERIFIED.value, o.id == without_organisation))
    ).all()
    left = [
        row
        for row in rows
        if row.id != without_membership
        and row.person_id != without_person
        and row.organisation_id != without_organisation
    ]
    if rows and not left:
        raise LastAdministrator


def _require(actor: Actor, role: Role, organisation_id: int) -> None:
    require(actor, Action.ORGANISATION_MEMBERS, organisation_id)
    if role in MARKET_ROLES:
        require(actor, Action.PEOPLE_MANAGE)
