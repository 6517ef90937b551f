"""Verbs on accounts: signing in and out, passwords, mailed links, API tokens. They never commit.

Hashes are made and checked by the caller before its transaction writes (see `passwords`). Secrets
leave these functions once, as return values, and are stored as digests only.
"""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market import audit
from market.db import Session, t
from market.errors import NotAllowed, NotFound, SignInRequired
from market.parties import access, mail, rules
from market.parties.inputs import TokenInput
from market.parties.models import ApiToken, PasswordReset, Person, SignInSession
from market.permissions import Action, Actor, Via, require
from market.work import enqueue

RESET_LASTS = dt.timedelta(hours=1)
INVITATION_LASTS = dt.timedelta(days=7)
TOKEN_MARK = "mkt_"  # noqa: S105 (what tokens begin with, so that a leaked one can be recognised)


@dataclass(frozen=True)
class Account:
    """What signing in needs to know of a person."""

    id: int
    name: str
    email: str
    language: str
    password_hash: str
    demo: bool


def _accounts() -> sa.Select[Any]:
    c = t(Person).c
    return sa.select(c.id, c.name, c.email, c.language, c.password_hash, c.demo).where(c.active.is_(True))


def account_of(session: Session, email: str) -> Account | None:
    """The active account with an e-mail address."""
    row = session.execute(_accounts().where(t(Person).c.email == email.strip().lower())).first()
    return Account(*row) if row else None


def account(session: Session, person_id: int) -> Account | None:
    """The active account of a person."""
    row = session.execute(_accounts().where(t(Person).c.id == person_id)).first()
    return Account(*row) if row else None


def sign_in(
    session: Session,
    person_id: int,
    now: dt.datetime,
    *,
    lasts: dt.timedelta,
    address: str = "",
    agent: str = "",
    replacing: str | None = None,
    newer_hash: str | None = None,
) -> str:
    """Begin a session for somebody whose password was right; returns its secret.

    `replacing` is the secret of a session that the same browser held: it ends. `lasts` counts from the
    last use.
    """
    if replacing:
        _end_sessions(session, t(SignInSession).c.secret_hash == access.digest(replacing), now)
    secret = access.new_secret()
    session.add(
        SignInSession(
            person_id=person_id,
            secret_hash=access.digest(secret),
            created_at=now,
            seen_at=now,
            expires_at=now + lasts,
            address=_storable(address)[:64],
            agent=_storable(agent)[:300],
        )
    )
    values: dict[str, object] = {"last_sign_in_at": now}
    if newer_hash is not None:
        values["password_hash"] = newer_hash
    session.execute(sa.update(t(Person)).where(t(Person).c.id == person_id).values(**values))
    session.flush()
    return secret


def sign_out(session: Session, actor: Actor, now: dt.datetime) -> None:
    """End the session that the actor came with, if any."""
    if actor.session_id is not None:
        _end_sessions(session, t(SignInSession).c.id == actor.session_id, now)


def revoke_session(session: Session, actor: Actor, session_id: int, now: dt.datetime) -> None:
    """End one of the actor's own sessions. Raises NotFound for anybody else's."""
    s = t(SignInSession).c
    if not _end_sessions(session, sa.and_(s.id == session_id, s.person_id == actor.person_id), now):
        raise NotFound
    assert actor.person_id is not None
    after = {"session_id": session_id}
    audit.record(session, actor, "person.session_revoked", actor.person_id, now, after=after)


def revoke_sessions(
    session: Session, actor: Actor, person_id: int, now: dt.datetime, *, but: int | None = None
) -> int:
    """End every session of a person (but one); returns how many. Others' need the right to manage people."""
    if actor.person_id != person_id:
        require(actor, Action.PEOPLE_MANAGE)
    s = t(SignInSession).c
    ended = _end_sessions(session, sa.and_(s.person_id == person_id, s.id != (but or 0)), now)
    if ended:
        after = {"sessions": ended}
        audit.record(session, actor, "person.session_revoked", person_id, now, after=after)
    return ended


def revoke_everything(session: Session, person_id: int, now: dt.datetime) -> None:
    """End every session, token and open link of a person (who is being deactivated)."""
    _end_sessions(session, t(SignInSession).c.person_id == person_id, now)
    k, r = t(ApiToken).c, t(PasswordReset).c
    session.execute(
        sa.update(t(ApiToken)).where(k.person_id == person_id, k.revoked_at.is_(None)).values(revoked_at=now)
    )
    session.execute(
        sa.update(t(PasswordReset)).where(r.person_id == person_id, r.used_at.is_(None)).values(used_at=now)
    )


def note_use(session: Session, actor: Actor, now: dt.datetime, lasts: dt.timedelta) -> None:
    """Note that a session (whose end moves on) or a token was used. Callers do so now and then only."""
    if actor.session_id is not None:
        s = t(SignInSession).c
        session.execute(
            sa.update(t(SignInSession))
            .where(s.id == actor.session_id, s.revoked_at.is_(None), s.expires_at > now, s.seen_at < now)
            .values(seen_at=now, expires_at=now + lasts)
        )
    elif actor.token_id is not None:
        k = t(ApiToken).c
        session.execute(sa.update(t(ApiToken)).where(k.id == actor.token_id).values(used_at=now))


def change_password(session: Session, actor: Actor, password_hash: str, now: dt.datetime) -> None:
    """Store a signed-in person's new password: their other sessions end and they are told by mail.

    The caller has checked the old password and `rules.check_password`.
    """
    if actor.person_id is None or actor.via is not Via.SESSION:
        raise SignInRequired
    _store_password(session, actor, actor.person_id, password_hash, now)
    s = t(SignInSession).c
    others = sa.and_(s.person_id == actor.person_id, s.id != (actor.session_id or 0))
    _end_sessions(session, others, now)


def set_password(
    session: Session, actor: Actor, person_id: int, password_hash: str, now: dt.datetime
) -> None:
    """An administrator stores a password for somebody: all their sessions end and they are told by mail."""
    require(actor, Action.PEOPLE_MANAGE)
    _store_password(session, actor, person_id, password_hash, now)
    _end_sessions(session, t(SignInSession).c.person_id == person_id, now)


def ask_reset(session: Session, email: str, language: str, now: dt.datetime) -> None:
    """Leave as work the mailing of a link by which to choose a new password.

    Whether there is such an account is found out by the worker, so neither the answer nor its time tells.
    """
    payload = {"email": email.strip().lower(), "language": language, "template": "password_reset"}
    enqueue(session, "account.link", payload, key=secrets.token_hex(8), now=now)


def invite(session: Session, email: str, language: str, now: dt.datetime) -> None:
    """Leave as work the mailing of a link by which a new person chooses their first password."""
    payload = {"email": email, "language": language, "template": "invitation"}
    enqueue(session, "account.link", payload, key=secrets.token_hex(8), now=now)


def new_link(session: Session, person_id: int, now: dt.datetime, lasts: dt.timedelta) -> str:
    """The secret of a fresh link; older ones of the person stop working. The worker's step."""
    r = t(PasswordReset).c
    session.execute(
        sa.update(t(PasswordReset)).where(r.person_id == person_id, r.used_at.is_(None)).values(used_at=now)
    )
    secret = access.new_secret()
    session.add(
        PasswordReset(
            person_id=person_id, secret_hash=access.digest(secret), created_at=now, expires_at=now + lasts
        )
    )
    session.flush()
    return secret


def account_of_link(session: Session, secret: str, now: dt.datetime) -> Account:
    """Whose password a mailed link may set. Raises LinkExpired."""
    r = t(PasswordReset).c
    found = session.execute(
        sa.select(r.person_id).where(
            r.secret_hash == access.digest(secret), r.used_at.is_(None), r.expires_at > now
        )
    ).first()
    person = account(session, found.person_id) if found else None
    if person is None:
        raise rules.LinkExpired
    return person


def reset_password(session: Session, secret: str, password_hash: str, now: dt.datetime) -> Account:
    """Store a password chosen behind a mailed link: all sessions end. Raises LinkExpired."""
    person = account_of_link(session, secret, now)
    r = t(PasswordReset).c
    claimed = session.execute(
        sa.update(t(PasswordReset))
        .where(r.secret_hash == access.digest(secret), r.used_at.is_(None))
        .values(used_at=now)
    )
    if not claimed.rowcount:  # type: ignore[attr-defined]
        raise rules.LinkExpired
    actor = Actor(person.id, person.name, Via.VISITOR)
    _store_password(session, actor, person.id, password_hash, now)
    _end_sessions(session, t(SignInSession).c.person_id == person.id, now)
    return person


def create_token(
    session: Session, actor: Actor, entered: TokenInput, now: dt.datetime
) -> tuple[ApiToken, str]:
    """Make an API token; returns its row and its secret, which cannot be shown again.

    One token cannot make another that may do more or lasts longer. Raises SignInRequired, NotAllowed,
    TooManyTokens.
    """
    if actor.person_id is None:
        raise SignInRequired
    if not set(entered.scopes) <= actor.scopes:
        raise NotAllowed(action=Action.TOKEN_MANAGE.value)
    k = t(ApiToken).c
    working = sa.and_(k.person_id == actor.person_id, k.revoked_at.is_(None), k.expires_at > now)
    held = session.scalar(sa.select(sa.func.count()).select_from(t(ApiToken)).where(working))
    if (held or 0) >= rules.MOST_TOKENS:
        raise rules.TooManyTokens(most=rules.MOST_TOKENS, field="name")
    expires_at = now + dt.timedelta(days=entered.days)
    if actor.token_id is not None:
        maker_ends = session.scalar(sa.select(k.expires_at).where(k.id == actor.token_id))
        expires_at = min(expires_at, maker_ends or expires_at)
    secret = TOKEN_MARK + access.new_secret()
    scopes = sorted({scope.value for scope in entered.scopes})
    row = ApiToken(
        person_id=actor.person_id,
        name=entered.name,
        prefix=secret[:12],
        secret_hash=access.digest(secret),
        scopes=scopes,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    after = {"name": row.name, "scopes": scopes, "expires_at": row.expires_at}
    audit.record(session, actor, "token.created", row.id, now, after=after)
    return row, secret


def revoke_token(session: Session, actor: Actor, token_id: int, now: dt.datetime) -> None:
    """End one of the actor's own tokens; ending it twice does nothing. Raises NotFound for anybody else's."""
    k = t(ApiToken).c
    row = session.execute(
        sa.select(k.name, k.revoked_at).where(k.id == token_id, k.person_id == actor.person_id)
    ).first()
    if row is None:
        raise NotFound
    if row.revoked_at is None:
        session.execute(sa.update(t(ApiToken)).where(k.id == token_id).values(revoked_at=now))
        audit.record(session, actor, "token.revoked", token_id, now, before={"name": row.name})


def _store_password(
    session: Session, actor: Actor, person_id: int, password_hash: str, now: dt.datetime
) -> None:
    p, r = t(Person).c, t(PasswordReset).c
    session.execute(
        sa.update(t(Person)).where(p.id == person_id).values(password_hash=password_hash, updated_at=now)
    )
    session.execute(
        sa.update(t(PasswordReset)).where(r.person_id == person_id, r.used_at.is_(None)).values(used_at=now)
    )
    audit.record(session, actor, "person.password_changed", person_id, now)
    mail.mail_people(session, [person_id], "password_changed", {}, key=now.isoformat(), now=now)


def _end_sessions(session: Session, which: sa.ColumnElement[bool], now: dt.datetime) -> int:
    ended = session.execute(
        sa.update(t(SignInSession))
        .where(which, t(SignInSession).c.revoked_at.is_(None), t(SignInSession).c.expires_at > now)
        .values(revoked_at=now)
    )
    return int(ended.rowcount)  # type: ignore[attr-defined]


def _storable(text: str) -> str:
    # A browser may send anything; PostgreSQL stores no NUL and no lone surrogate.
    return "".join(character for character in text if character.isprintable())
