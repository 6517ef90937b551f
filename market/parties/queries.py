"""Reads of organisations, people, memberships, sessions and tokens; a bounded number of statements each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.errors import NotFound
from market.parties.models import (
    ApiToken,
    MembershipRow,
    Organisation,
    OrganisationKind,
    OrganisationState,
    Person,
    SignInSession,
)
from market.parties.service import may_see
from market.permissions import Action, Actor, Role, Scope, require


@dataclass(frozen=True)
class OrganisationRow:
    """An organisation in a list."""

    id: int
    name: str
    name_en: str
    kind: OrganisationKind
    region_code: str
    town: str
    state: OrganisationState
    credit_code: str
    introduction: str
    promised_reply_hours: int | None
    created_at: dt.datetime
    verified_at: dt.datetime | None


@dataclass(frozen=True)
class OrganisationProfile(OrganisationRow):
    """An organisation by itself. Contacts and the reason of its state are for members and staff only:
    empty for everybody else."""

    country_code: str
    nature_code: str
    founded_on: dt.date | None
    website: str
    contact_name: str
    contact_phone: str
    contact_email: str
    state_reason: str
    version: int
    updated_at: dt.datetime


@dataclass(frozen=True)
class Member:
    """A role that somebody holds in an organisation."""

    id: int
    person_id: int
    name: str
    email: str
    active: bool
    role: Role
    since: dt.datetime


@dataclass(frozen=True)
class PersonRow:
    """A person in the administrators' list. `roles` are (organisation's id, its name, role)."""

    id: int
    name: str
    email: str
    phone: str
    active: bool
    demo: bool
    created_at: dt.datetime
    last_sign_in_at: dt.datetime | None
    roles: tuple[tuple[int, str, Role], ...]


@dataclass(frozen=True)
class SessionRow:
    """A sign-in that is still good."""

    id: int
    created_at: dt.datetime
    seen_at: dt.datetime
    expires_at: dt.datetime
    address: str
    agent: str
    current: bool


@dataclass(frozen=True)
class TokenRow:
    """An API token of its owner; its secret is not known to us."""

    id: int
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: dt.datetime
    expires_at: dt.datetime | None
    used_at: dt.datetime | None


def _like(column: sa.ColumnElement[str], words: str) -> sa.ColumnElement[bool]:
    return column.icontains(words, autoescape=True)


_LISTED = (
    "id", "name", "name_en", "kind", "region_code", "town", "state", "credit_code", "introduction",
    "promised_reply_hours", "created_at", "verified_at",
)  # fmt: skip


def organisations(
    session: Session,
    actor: Actor,
    *,
    kind: OrganisationKind | None = None,
    state: OrganisationState | None = None,
    region: str = "",
    words: str = "",
    offset: int = 0,
    limit: int = 20,
) -> tuple[list[OrganisationRow], int]:
    """A page of organisations, by name, and how many there are in all. Two statements.

    Everybody sees the verified ones; staff see those of any `state` (the oldest first).
    """
    c = t(Organisation).c
    wanted = state or OrganisationState.VERIFIED
    if wanted is not OrganisationState.VERIFIED:
        require(actor, Action.ORGANISATION_MEMBERS)
    where = [c.state == wanted.value]
    if kind is not None:
        where.append(c.kind == kind.value)
    if region:
        beginning = region[:2] if region.endswith("0000") else region[:4] if region.endswith("00") else region
        where.append(c.region_code.startswith(beginning, autoescape=True))
    if words:
        where.append(sa.or_(_like(c.name, words), _like(c.name_en, words), c.credit_code == words.upper()))
    total = session.scalar(sa.select(sa.func.count()).select_from(t(Organisation)).where(*where)) or 0
    order = [c.name, c.id] if wanted is OrganisationState.VERIFIED else [c.created_at, c.id]
    statement = sa.select(*(c[name] for name in _LISTED)).where(*where).order_by(*order)
    rows = session.execute(statement.offset(offset).limit(limit))
    return [OrganisationRow(**_enums(row)) for row in rows.mappings()], total


_PRIVATE = ("contact_name", "contact_phone", "contact_email", "state_reason")
_WHOLE = (
    *_LISTED,
    "country_code",
    "nature_code",
    "founded_on",
    "website",
    *_PRIVATE,
    "version",
    "updated_at",
)


def organisation(session: Session, actor: Actor, organisation_id: int) -> OrganisationProfile:
    """One organisation as the actor may see it. Raises NotFound for one that they may not know of."""
    c = t(Organisation).c
    row = (
        session.execute(sa.select(*(c[name] for name in _WHOLE)).where(c.id == organisation_id))
        .mappings()
        .first()
    )
    if row is None or not may_see(actor, organisation_id, row["state"]):
        raise NotFound
    values = _enums(row)
    if organisation_id not in actor.organisation_ids and not actor.can(Action.ORGANISATION_MEMBERS):
        values.update(dict.fromkeys(_PRIVATE, ""))
    return OrganisationProfile(**values)


def count_by_state(session: Session) -> dict[OrganisationState, int]:
    """How many organisations stand in each state."""
    c = t(Organisation).c
    rows = session.execute(sa.select(c.state, sa.func.count().label("n")).group_by(c.state))
    found = {row.state: row.n for row in rows}
    return {state: found.get(state.value, 0) for state in OrganisationState}


def members(session: Session, organisation_id: int) -> list[Member]:
    """The roles held in an organisation, by person."""
    m, p = t(MembershipRow).c, t(Person).c
    rows = session.execute(
        sa.select(m.id, m.person_id, p.name, p.email, p.active, m.role, m.created_at)
        .join_from(t(MembershipRow), t(Person), m.person_id == p.id)
        .where(m.organisation_id == organisation_id, m.ended_at.is_(None))
        .order_by(p.name, p.id, m.role)
    )
    return [
        Member(row.id, row.person_id, row.name, row.email, row.active, Role(row.role), row.created_at)
        for row in rows
    ]


def people(
    session: Session,
    actor: Actor,
    *,
    words: str = "",
    active: bool | None = None,
    role: Role | None = None,
    offset: int = 0,
    limit: int = 20,
) -> tuple[list[PersonRow], int]:
    """A page of people with their roles, newest first, and how many there are. Three statements."""
    require(actor, Action.PEOPLE_MANAGE)
    p, m = t(Person).c, t(MembershipRow).c
    where: list[sa.ColumnElement[bool]] = []
    if words:
        where.append(sa.or_(_like(p.name, words), _like(p.email, words)))
    if active is not None:
        where.append(p.active.is_(active))
    if role is not None:
        holders = sa.select(m.person_id).where(m.role == role.value, m.ended_at.is_(None))
        where.append(p.id.in_(holders))
    total = session.scalar(sa.select(sa.func.count()).select_from(t(Person)).where(*where)) or 0
    statement = (
        sa.select(p.id, p.name, p.email, p.phone, p.active, p.demo, p.created_at, p.last_sign_in_at)
        .where(*where)
        .order_by(p.id.desc())
    )
    rows = session.execute(statement.offset(offset).limit(limit)).all()
    roles = roles_of(session, [row.id for row in rows])
    return [PersonRow(*row, roles=roles.get(row.id, ())) for row in rows], total


def demo_people(session: Session) -> list[PersonRow]:
    """The demo accounts, in the order they were made. Two statements."""
    p = t(Person).c
    rows = session.execute(
        sa.select(p.id, p.name, p.email, p.phone, p.active, p.demo, p.created_at, p.last_sign_in_at)
        .where(p.demo.is_(True), p.active.is_(True))
        .order_by(p.id)
        .limit(60)
    ).all()
    roles = roles_of(session, [row.id for row in rows])
    return [PersonRow(*row, roles=roles.get(row.id, ())) for row in rows]


def roles_of(session: Session, people: Iterable[int]) -> dict[int, tuple[tuple[int, str, Role], ...]]:
    """Person's id → the roles held now."""
    m, o = t(MembershipRow).c, t(Organisation).c
    rows = session.execute(
        sa.select(m.person_id, o.id, o.name, m.role)
        .join_from(t(MembershipRow), t(Organisation), m.organisation_id == o.id)
        .where(m.person_id.in_(sorted(set(people))), m.ended_at.is_(None))
        .order_by(m.id)
    )
    found: dict[int, tuple[tuple[int, str, Role], ...]] = {}
    for row in rows:
        found[row.person_id] = (*found.get(row.person_id, ()), (row.id, row.name, Role(row.role)))
    return found


@dataclass(frozen=True)
class Profile:
    """A person as they see themselves."""

    id: int
    name: str
    email: str
    phone: str
    language: str


def profile(session: Session, person_id: int) -> Profile:
    """A person's own data. Raises NotFound."""
    p = t(Person).c
    row = session.execute(
        sa.select(p.id, p.name, p.email, p.phone, p.language).where(p.id == person_id)
    ).first()
    if row is None:
        raise NotFound
    return Profile(*row)


def sessions_of(session: Session, actor: Actor, now: dt.datetime) -> list[SessionRow]:
    """The actor's own sign-ins that are still good, the last used first."""
    s = t(SignInSession).c
    rows = session.execute(
        sa.select(s.id, s.created_at, s.seen_at, s.expires_at, s.address, s.agent)
        .where(s.person_id == actor.person_id, s.revoked_at.is_(None), s.expires_at > now)
        .order_by(s.seen_at.desc(), s.id.desc())
        .limit(50)
    )
    return [SessionRow(*row, current=row.id == actor.session_id) for row in rows]


def tokens_of(session: Session, actor: Actor, now: dt.datetime) -> list[TokenRow]:
    """The actor's own working tokens, newest first."""
    k = t(ApiToken).c
    rows = session.execute(
        sa.select(k.id, k.name, k.prefix, k.scopes, k.created_at, k.expires_at, k.used_at)
        .where(k.person_id == actor.person_id, k.revoked_at.is_(None))
        .where(sa.or_(k.expires_at.is_(None), k.expires_at > now))
        .order_by(k.id.desc())
    )
    return [
        TokenRow(
            row.id, row.name, row.prefix, [Scope(scope) for scope in row.scopes],
            row.created_at, row.expires_at, row.used_at,
        )
        for row in rows
    ]  # fmt: skip


def _enums(row: Any) -> dict[str, Any]:
    return {**row, "kind": OrganisationKind(row["kind"]), "state": OrganisationState(row["state"])}
