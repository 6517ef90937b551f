"""Oneself and, for administrators, everybody with an account, as JSON."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from market.inputs import Line
from market.parties import members, queries
from market.parties.inputs import ProfileInput
from market.permissions import Role, Scope, Via
from web.deps import Now, PagingDep, ReadTx, RowId, SignedIn, Tx
from web.routes.api import Listed, problems

router = APIRouter(tags=["people"])


class RoleHeld(BaseModel):
    """A role held in an organisation."""

    organisation_id: int
    organisation: str
    role: Role


class OwnRole(RoleHeld):
    """A role held in an organisation that may still have to be verified."""

    verified: bool = Field(description="Roles count only while their organisation is verified.")


class Me(BaseModel):
    """Whoever asks."""

    id: int
    name: str
    email: str
    phone: str
    language: str = Field(examples=["zh-Hans"])
    roles: list[OwnRole]
    via: Via = Field(description="How the asker proved who they are.")
    scopes: list[Scope] = Field(description="What this token may do; everything for a session.")


class PersonOut(BaseModel):
    """A person with an account."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    email: str
    phone: str
    active: bool
    created_at: dt.datetime
    last_sign_in_at: dt.datetime | None
    roles: list[RoleHeld]


class PersonList(Listed):
    """A page of people."""

    items: list[PersonOut]


class Activity(BaseModel):
    """Whether an account works."""

    id: int
    active: bool


@router.get("/me", responses=problems())
def get_me(session: ReadTx, actor: SignedIn) -> Me:
    """Who is asking, with which roles and scopes."""
    assert actor.person_id is not None
    found = queries.profile(session, actor.person_id)
    roles = [
        OwnRole(
            organisation_id=each.organisation_id,
            organisation=each.organisation_name,
            role=each.role,
            verified=each.verified,
        )
        for each in actor.memberships
    ]
    return Me(
        id=found.id,
        name=found.name,
        email=found.email,
        phone=found.phone,
        language=found.language,
        roles=roles,
        via=actor.via,
        scopes=sorted(actor.scopes),
    )


@router.put("/me", responses=problems())
def edit_me(session: Tx, actor: SignedIn, now: Now, entered: ProfileInput) -> Me:
    """Change one's name, telephone and language."""
    assert actor.person_id is not None
    members.edit_profile(session, actor, actor.person_id, entered, now)
    return get_me(session, actor)


@router.get("/people", responses=problems())
def list_people(
    session: ReadTx,
    actor: SignedIn,
    paging: PagingDep,
    q: Annotated[Line, Query(max_length=100, description="Part of a name or e-mail address.")] = "",
    active: bool | None = None,
    role: Role | None = None,
) -> PersonList:
    """Everybody with an account, newest first; for administrators."""
    found, total = queries.people(
        session, actor, words=q, active=active, role=role, offset=paging.offset, limit=paging.per_page
    )
    items = [
        PersonOut(
            id=row.id,
            name=row.name,
            email=row.email,
            phone=row.phone,
            active=row.active,
            created_at=row.created_at,
            last_sign_in_at=row.last_sign_in_at,
            roles=[
                RoleHeld(organisation_id=organisation_id, organisation=name, role=held)
                for organisation_id, name, held in row.roles
            ],
        )
        for row in found
    ]
    return PersonList(items=items, total=total, page=paging.page, per_page=paging.per_page)


@router.post("/people/{person_id}/deactivate", responses=problems(404, 409))
def deactivate(session: Tx, actor: SignedIn, now: Now, person_id: RowId) -> Activity:
    """End an account: its sign-ins and tokens stop working at once. The last administrator stays."""
    row = members.set_active(session, actor, person_id, False, now)
    return Activity(id=person_id, active=row.active)


@router.post("/people/{person_id}/activate", responses=problems(404))
def activate(session: Tx, actor: SignedIn, now: Now, person_id: RowId) -> Activity:
    """Let somebody sign in again."""
    row = members.set_active(session, actor, person_id, True, now)
    return Activity(id=person_id, active=row.active)
