"""Organisations and the roles that people hold in them, as JSON."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from market.db import Session
from market.inputs import Line
from market.parties import access, members, queries, service
from market.parties.inputs import MembershipInput, OrganisationInput, ReasonInput
from market.parties.models import OrganisationKind, OrganisationState
from market.parties.rules import OrganisationStep
from market.permissions import Action, Actor, Role, require
from web.deps import CurrentActor, Now, PagingDep, ReadTx, RowId, SignedIn, Tx, etag, require_match
from web.routes.api import Listed, problems

router = APIRouter(tags=["organisations"])


class OrganisationShort(BaseModel):
    """An organisation in a list."""

    model_config = ConfigDict(from_attributes=True)

    id: int = Field(examples=[1])
    name: str = Field(examples=["浙江某泵业有限公司"])
    name_en: str
    kind: OrganisationKind
    region_code: str = Field(description="GB/T 2260.", examples=["331081"])
    town: str
    state: OrganisationState
    credit_code: str = Field(examples=["91330100799655058B"])
    introduction: str
    promised_reply_hours: int | None = Field(description="Hours.")
    created_at: dt.datetime
    verified_at: dt.datetime | None


class OrganisationOut(OrganisationShort):
    """One organisation. Contacts and `state_reason` are empty for whoever is neither member nor staff."""

    country_code: str = Field(examples=["CHN"])
    nature_code: str
    founded_on: dt.date | None = Field(description="As on the business licence.")
    website: str
    contact_name: str
    contact_phone: str
    contact_email: str
    state_reason: str
    version: int = Field(description="Send it back in If-Match, in quotes.", examples=[1])
    updated_at: dt.datetime


class OrganisationList(Listed):
    """A page of organisations."""

    items: list[OrganisationShort]


class MembershipOut(BaseModel):
    """A role that somebody holds."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    person_id: int
    name: str
    email: str
    active: bool = Field(description="Whether the person's account works.")
    role: Role
    since: dt.datetime


class MembershipList(BaseModel):
    """The roles held in one organisation."""

    items: list[MembershipOut]


def _shown(session: Session, actor: Actor, organisation_id: int, response: Response) -> OrganisationOut:
    found = OrganisationOut.model_validate(queries.organisation(session, actor, organisation_id))
    response.headers["ETag"] = etag(found.version)
    return found


@router.get("/organisations", responses=problems())
def list_organisations(
    session: ReadTx,
    actor: CurrentActor,
    paging: PagingDep,
    kind: OrganisationKind | None = None,
    state: Annotated[
        OrganisationState | None, Query(description="Other states than verified are for staff.")
    ] = None,
    region: Annotated[
        str,
        Query(
            pattern=r"^(\d{6})?$", max_length=6, description="GB/T 2260; a prefecture's covers its counties."
        ),
    ] = "",
    q: Annotated[Line, Query(max_length=100, description="Part of a name, or a credit code.")] = "",
) -> OrganisationList:
    """Verified organisations, by name."""
    items, total = queries.organisations(
        session,
        actor,
        kind=kind,
        state=state,
        region=region,
        words=q,
        offset=paging.offset,
        limit=paging.per_page,
    )
    return OrganisationList(
        items=[OrganisationShort.model_validate(item) for item in items],
        total=total,
        page=paging.page,
        per_page=paging.per_page,
    )


@router.post("/organisations", status_code=201, responses=problems(409))
def create_organisation(
    session: Tx, actor: SignedIn, now: Now, entered: OrganisationInput, response: Response
) -> OrganisationOut:
    """Register an organisation; it waits to be checked by staff."""
    row = service.create_organisation(session, actor, entered, now)
    assert row.id is not None
    assert actor.person_id is not None
    response.headers["Location"] = f"/api/v1/organisations/{row.id}"
    # Its maker may not be staff and holds the new roles only from the next request on.
    seen = Actor(
        actor.person_id, actor.name, actor.via, access.memberships_of(session, actor.person_id), actor.scopes
    )
    return _shown(session, seen, row.id, response)


@router.get("/organisations/{organisation_id}", responses=problems(404))
def get_organisation(
    session: ReadTx, actor: CurrentActor, organisation_id: RowId, response: Response
) -> OrganisationOut:
    """One organisation."""
    return _shown(session, actor, organisation_id, response)


@router.put("/organisations/{organisation_id}", responses=problems(404, 409, 412, 428))
def edit_organisation(
    session: Tx,
    actor: SignedIn,
    now: Now,
    organisation_id: RowId,
    entered: OrganisationInput,
    request: Request,
    response: Response,
) -> OrganisationOut:
    """Replace what an organisation says about itself. What staff have checked only staff may change."""
    row = service.locked(session, actor, organisation_id)
    require(actor, Action.ORGANISATION_EDIT, organisation_id)
    require_match(request, row.version)
    service.edit_organisation(session, actor, organisation_id, row.version, entered, now)
    return _shown(session, actor, organisation_id, response)


def _decide(
    session: Session, actor: Actor, organisation_id: int, step: OrganisationStep, now: dt.datetime,
    response: Response, reason: str = "",
) -> OrganisationOut:  # fmt: skip
    service.decide(session, actor, organisation_id, step, now, reason=reason)
    return _shown(session, actor, organisation_id, response)


@router.post("/organisations/{organisation_id}/verify", responses=problems(404, 409))
def verify(
    session: Tx, actor: SignedIn, now: Now, organisation_id: RowId, response: Response
) -> OrganisationOut:
    """Staff confirm that an organisation is what it says."""
    return _decide(session, actor, organisation_id, OrganisationStep.VERIFY, now, response)


@router.post("/organisations/{organisation_id}/reject", responses=problems(404, 409))
def reject(
    session: Tx, actor: SignedIn, now: Now, organisation_id: RowId, entered: ReasonInput, response: Response
) -> OrganisationOut:
    """Staff turn an organisation down; its members may correct it and are told the reason."""
    return _decide(session, actor, organisation_id, OrganisationStep.REJECT, now, response, entered.reason)


@router.post("/organisations/{organisation_id}/suspend", responses=problems(404, 409))
def suspend(
    session: Tx, actor: SignedIn, now: Now, organisation_id: RowId, entered: ReasonInput, response: Response
) -> OrganisationOut:
    """Staff suspend a verified organisation; its members are told the reason."""
    return _decide(session, actor, organisation_id, OrganisationStep.SUSPEND, now, response, entered.reason)


@router.post("/organisations/{organisation_id}/reinstate", responses=problems(404, 409))
def reinstate(
    session: Tx, actor: SignedIn, now: Now, organisation_id: RowId, response: Response
) -> OrganisationOut:
    """Staff end a suspension."""
    return _decide(session, actor, organisation_id, OrganisationStep.REINSTATE, now, response)


@router.get("/organisations/{organisation_id}/memberships", responses=problems(404))
def list_memberships(session: ReadTx, actor: SignedIn, organisation_id: RowId) -> MembershipList:
    """Who holds which role in an organisation; for staff and administrators."""
    queries.organisation(session, actor, organisation_id)
    require(actor, Action.ORGANISATION_MEMBERS, organisation_id)
    held = queries.members(session, organisation_id)
    return MembershipList(items=[MembershipOut.model_validate(item) for item in held])


@router.post("/organisations/{organisation_id}/memberships", status_code=201, responses=problems(404, 409))
def add_membership(
    session: Tx, actor: SignedIn, now: Now, organisation_id: RowId, entered: MembershipInput
) -> MembershipOut:
    """Give somebody a role; without an account they are invited by mail. Market roles: administrators only."""
    queries.organisation(session, actor, organisation_id)
    row = members.add_membership(session, actor, organisation_id, entered, now)
    held = queries.members(session, organisation_id)
    return MembershipOut.model_validate(next(item for item in held if item.id == row.id))


@router.delete(
    "/organisations/{organisation_id}/memberships/{membership_id}",
    status_code=204,
    responses=problems(404, 409),
)
def end_membership(
    session: Tx, actor: SignedIn, now: Now, organisation_id: RowId, membership_id: RowId
) -> None:
    """End a role. The last administrator stays."""
    queries.organisation(session, actor, organisation_id)
    members.end_membership(session, actor, organisation_id, membership_id, now)
