"""Verbs on organisations: registering, editing, checking. They take the caller's session, never commit."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from market import audit
from market.db import Session, for_update, t
from market.dirty import mark_dirty
from market.errors import Conflict, Duplicate, InvalidInput, NotFound, SignInRequired, WrongState
from market.parties import mail, members, rules
from market.parties.inputs import OrganisationInput, RegistrationInput
from market.parties.models import MembershipRow, Organisation, OrganisationState, Person
from market.parties.rules import OrganisationStep
from market.permissions import Action, Actor, Via, require
from market.taxonomy import queries as taxonomy

FIELDS = tuple(OrganisationInput.model_fields)


def register(
    session: Session, entered: RegistrationInput, password_hash: str, language: str, now: dt.datetime
) -> tuple[Person, Organisation]:
    """A visitor signs up with their organisation, which waits to be checked.

    The person gets every role that reaches only their own organisation. Raises Duplicate at `email` or
    `organisation.credit_code`, InvalidInput at `organisation.region_code` or `password`.
    """
    rules.check_password(entered.password, email=entered.email, name=entered.name)
    person = members.new_person(
        session,
        email=entered.email,
        name=entered.name,
        phone=entered.phone,
        language=language,
        password_hash=password_hash,
        now=now,
    )
    assert person.id is not None
    actor = Actor(person.id, person.name, Via.SESSION)
    audit.record(
        session,
        actor,
        "person.registered",
        person.id,
        now,
        after={"name": person.name, "email": person.email},
    )
    organisation = create_organisation(session, actor, entered.organisation, now, prefix="organisation.")
    return person, organisation


def create_organisation(
    session: Session, actor: Actor, entered: OrganisationInput, now: dt.datetime, *, prefix: str = ""
) -> Organisation:
    """Register an organisation; it waits to be checked. Its maker acts for it, unless they are staff.

    Raises SignInRequired, Duplicate at `credit_code`, InvalidInput at `region_code`; `prefix` goes before
    those names.
    """
    if not actor.is_signed_in and actor.via is not Via.COMMAND:
        raise SignInRequired
    _check_region(session, entered.region_code, prefix)
    _check_unique(session, entered.credit_code, prefix)
    row = Organisation(
        **_values(entered), state=OrganisationState.PENDING.value, created_at=now, updated_at=now
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError:  # somebody else registered it between the look and the insert
        raise OrganisationRegistered(field=f"{prefix}credit_code", value=entered.credit_code) from None
    assert row.id is not None
    audit.record(session, actor, "organisation.registered", row.id, now, after=_stored(row))
    if actor.person_id is not None and not actor.can(Action.ORGANISATION_VERIFY):
        for role in rules.OWN_ROLES:
            session.add(
                MembershipRow(
                    person_id=actor.person_id, organisation_id=row.id, role=role.value, created_at=now
                )
            )
        session.flush()
    return row


def edit_organisation(
    session: Session,
    actor: Actor,
    organisation_id: int,
    version: int,
    entered: OrganisationInput,
    now: dt.datetime,
) -> Organisation:
    """Change what an organisation says about itself, as it was at `version`.

    A rejected organisation is thereby sent in again. Raises NotFound, NotAllowed, Conflict, InvalidInput
    (what staff have checked stays), Duplicate.
    """
    row = locked(session, actor, organisation_id)
    require(actor, Action.ORGANISATION_EDIT, organisation_id)
    if row.version != version:
        raise Conflict(field="version")
    before, wanted = _stored(row), _values(entered)
    state = OrganisationState(row.state)
    if not actor.can(Action.ORGANISATION_VERIFY):
        rules.check_identity(state, before, wanted)
    if wanted["region_code"] != before["region_code"]:
        _check_region(session, entered.region_code, "")
    if wanted["credit_code"] != before["credit_code"]:
        _check_unique(session, entered.credit_code, "")
    for name, value in wanted.items():
        setattr(row, name, value)
    if state is OrganisationState.REJECTED:
        row.state = rules.next_state(state, OrganisationStep.RESUBMIT).value
        row.state_reason = ""
    after = _stored(row)
    if after != before:
        row.version += 1
        row.updated_at = now
        audit.record(session, actor, "organisation.edited", organisation_id, now, before=before, after=after)
        mark_dirty(session, "organisation", organisation_id)
    session.flush()
    return row


_PAST = {
    OrganisationStep.VERIFY: "verified",
    OrganisationStep.REJECT: "rejected",
    OrganisationStep.SUSPEND: "suspended",
    OrganisationStep.REINSTATE: "reinstated",
}


def decide(
    session: Session,
    actor: Actor,
    organisation_id: int,
    step: OrganisationStep,
    now: dt.datetime,
    *,
    reason: str = "",
) -> Organisation:
    """Staff verify, reject, suspend or reinstate an organisation; its members are told by mail.

    Raises NotFound, NotAllowed, InvalidInput at `reason` (a refusal needs one), WrongState, and
    LastAdministrator when no administrator would be left.
    """
    row = locked(session, actor, organisation_id)
    require(actor, Action.ORGANISATION_VERIFY, organisation_id)
    if step in (OrganisationStep.REJECT, OrganisationStep.SUSPEND) and not reason.strip():
        raise InvalidInput([("reason", "missing", {})])
    if step not in _PAST:
        raise WrongState(state=row.state, action=step.value)
    before = row.state
    row.state = rules.next_state(OrganisationState(row.state), step).value
    if step is OrganisationStep.SUSPEND:
        members.keep_an_administrator(session, without_organisation=organisation_id)
    row.state_reason = reason
    if step is OrganisationStep.VERIFY:
        row.verified_at = now
    row.version += 1
    row.updated_at = now
    session.flush()
    audit.record(
        session, actor, f"organisation.{_PAST[step]}", organisation_id, now,
        before={"state": before}, after={"state": row.state}, reason=reason or None,
    )  # fmt: skip
    mark_dirty(session, "organisation", organisation_id)
    mail.mail_people(
        session, mail.members_of(session, organisation_id), f"organisation_{_PAST[step]}",
        {"organisation_id": organisation_id, "organisation": row.name, "reason": reason},
        key=f"{organisation_id}:{row.version}", now=now,
    )  # fmt: skip
    return row


def locked(session: Session, actor: Actor, organisation_id: int) -> Organisation:
    """An organisation's row, locked for a change. Raises NotFound for one that the actor may not know of."""
    statement = sa.select(Organisation).where(t(Organisation).c.id == organisation_id)
    row: Organisation | None = session.scalars(for_update(statement, session)).one_or_none()
    if row is None or not may_see(actor, organisation_id, row.state):
        raise NotFound
    return row


def may_see(actor: Actor, organisation_id: int, state: str) -> bool:
    """Whether an actor may know of an organisation: verified ones are public."""
    return (
        state == OrganisationState.VERIFIED.value
        or organisation_id in actor.organisation_ids
        or actor.can(Action.ORGANISATION_MEMBERS)
        or actor.can(Action.AUDIT_READ)
    )


def _check_region(session: Session, code: str, prefix: str) -> None:
    if not taxonomy.knows_region(session, code):
        raise InvalidInput([(f"{prefix}region_code", "region_unknown", {})])


def _check_unique(session: Session, credit_code: str, prefix: str) -> None:
    c = t(Organisation).c
    if session.execute(sa.select(c.id).where(c.credit_code == credit_code)).first() is not None:
        raise OrganisationRegistered(field=f"{prefix}credit_code", value=credit_code)


def _values(entered: OrganisationInput) -> dict[str, Any]:
    return {**entered.model_dump(), "kind": entered.kind.value}


def _stored(row: Organisation) -> dict[str, Any]:
    return {**{name: getattr(row, name) for name in FIELDS}, "state": row.state}


class OrganisationRegistered(Duplicate):
    """An organisation with this credit code is here already. Params: `value`."""
