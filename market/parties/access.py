"""From a secret to an actor: what a cookie or a token stands for at this moment.

Only digests are stored, so a stolen database opens no session. Looking one up takes two statements.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

import sqlalchemy as sa

from market.db import Session, t
from market.parties.models import (
    ApiToken,
    MembershipRow,
    Organisation,
    OrganisationState,
    Person,
    SignInSession,
)
from market.permissions import Actor, Membership, Role, Scope, Via


def new_secret() -> str:
    """A secret that cannot be guessed, safe in a cookie and in a header."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret. The secret is random, so a plain hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()


def actor_for_session(session: Session, secret: str, now: dt.datetime) -> Actor | None:
    """The person signed in by a cookie's secret; None when it is unknown, revoked or expired."""
    s, p = t(SignInSession).c, t(Person).c
    row = session.execute(
        sa.select(s.id, s.seen_at, p.id.label("person_id"), p.name)
        .join_from(t(SignInSession), t(Person), s.person_id == p.id)
        .where(
            s.secret_hash == digest(secret), s.revoked_at.is_(None), s.expires_at > now, p.active.is_(True)
        )
    ).first()
    if row is None:
        return None
    return Actor(
        row.person_id,
        row.name,
        Via.SESSION,
        memberships_of(session, row.person_id),
        session_id=row.id,
        seen_at=row.seen_at,
    )


def actor_for_token(session: Session, secret: str, now: dt.datetime) -> Actor | None:
    """The person behind an API token, narrowed to its scopes; None when it is unknown or spent."""
    k, p = t(ApiToken).c, t(Person).c
    row = session.execute(
        sa.select(k.id, k.used_at, k.scopes, p.id.label("person_id"), p.name)
        .join_from(t(ApiToken), t(Person), k.person_id == p.id)
        .where(
            k.secret_hash == digest(secret),
            k.revoked_at.is_(None),
            sa.or_(k.expires_at.is_(None), k.expires_at > now),
            p.active.is_(True),
        )
    ).first()
    if row is None:
        return None
    scopes = frozenset(Scope(scope) for scope in row.scopes)
    return Actor(
        row.person_id,
        row.name,
        Via.TOKEN,
        memberships_of(session, row.person_id),
        scopes,
        token_id=row.id,
        seen_at=row.used_at,
    )


def memberships_of(session: Session, person_id: int) -> tuple[Membership, ...]:
    """The roles that a person holds now."""
    m, o = t(MembershipRow).c, t(Organisation).c
    rows = session.execute(
        sa.select(o.id, o.name, m.role, o.state)
        .join_from(t(MembershipRow), t(Organisation), m.organisation_id == o.id)
        .where(m.person_id == person_id, m.ended_at.is_(None))
        .order_by(m.id)
    )
    return tuple(
        Membership(row.id, row.name, Role(row.role), row.state == OrganisationState.VERIFIED.value)
        for row in rows
    )
