"""Audit: who changed what, from what to what.

Every service verb records its change in the same transaction. Records are never edited or deleted.
Actions are `subject.verb-in-the-past` (`result.published`); values that are secret never enter.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import orjson
import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market.db import Id, Inserter, JsonDoc, Session, UtcDateTime, json_text, t
from market.permissions import Action, Actor, require


class AuditRecord(SQLModel, table=True):
    """One change. `before` and `after` hold only the fields that changed."""

    __tablename__ = "audit_record"
    __table_args__ = (sa.Index("ix_audit_record_subject", "subject", "subject_id", "id"),)
    id: int | None = Field(default=None, sa_column=sa.Column(Id, primary_key=True, autoincrement=True))
    at: dt.datetime = Field(sa_type=UtcDateTime, index=True)
    actor_id: int | None = Field(default=None, sa_column=sa.Column(Id, index=True))
    actor_name: str = Field(max_length=200)
    via: str = Field(max_length=32)
    action: str = Field(max_length=64)
    subject: str = Field(max_length=32)
    subject_id: int = Field(sa_column=sa.Column(Id, nullable=False))
    before: dict[str, Any] = Field(default_factory=dict, sa_column=sa.Column(JsonDoc, nullable=False))
    after: dict[str, Any] = Field(default_factory=dict, sa_column=sa.Column(JsonDoc, nullable=False))
    reason: str | None = Field(default=None, sa_column=sa.Column(sa.Text))


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject_id: int,
    now: dt.datetime,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Record a change. With both sides given, only the fields that differ are kept."""
    old, new = dict(before or {}), dict(after or {})
    if before is not None and after is not None:
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        old = {key: old[key] for key in changed if key in old}
        new = {key: new[key] for key in changed if key in new}
    session.add(
        AuditRecord(
            at=now,
            actor_id=actor.person_id,
            actor_name=actor.name,
            via=actor.via.value,
            action=action,
            subject=action.partition(".")[0],
            subject_id=subject_id,
            before=_plain(old),
            after=_plain(new),
            reason=reason,
        )
    )


def record_new(
    session: Session,
    actor: Actor,
    action: str,
    now: dt.datetime,
    made: Iterable[tuple[int, Mapping[str, Any]]],
    reason: str | None = None,
) -> None:
    """Record many new things at once: (id, what it says)."""
    head = (now, actor.person_id, actor.name, actor.via.value, action, action.partition(".")[0], reason, "{}")
    _INSERTER.insert(
        session.connection(), [(*head, subject_id, _plain_text(after)) for subject_id, after in made]
    )


_INSERTER = Inserter(
    t(AuditRecord),
    ("at", "actor_id", "actor_name", "via", "action", "subject", "reason", "before", "subject_id", "after"),
)


def _plain_text(value: Mapping[str, Any]) -> str:
    """The text of what `_plain` makes of a value, at once where the writer of JSON makes the same of it."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return json_text(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dt.datetime | dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    return value


@dataclass(frozen=True)
class Entry:
    """One change as staff read it."""

    id: int
    at: dt.datetime
    actor_id: int | None
    actor_name: str
    via: str
    action: str
    subject: str
    subject_id: int
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str | None


def find(
    session: Session,
    actor: Actor,
    *,
    subject: str = "",
    subject_id: int | None = None,
    actor_id: int | None = None,
    actor_name: str = "",
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    offset: int = 0,
    limit: int = 50,
) -> tuple[list[Entry], int]:
    """A page of changes, newest first, and how many there are in all. Two statements.

    `since` is included, `until` is not. Raises SignInRequired and NotAllowed.
    """
    require(actor, Action.AUDIT_READ)
    c = t(AuditRecord).c
    where: list[sa.ColumnElement[bool]] = []
    if subject:
        where.append(c.subject == subject)
    if subject_id is not None:
        where.append(c.subject_id == subject_id)
    if actor_id is not None:
        where.append(c.actor_id == actor_id)
    if actor_name:
        where.append(c.actor_name.icontains(actor_name, autoescape=True))
    if since is not None:
        where.append(c.at >= since)
    if until is not None:
        where.append(c.at < until)
    total = session.scalar(sa.select(sa.func.count()).select_from(t(AuditRecord)).where(*where)) or 0
    shown = [c[item.name] for item in fields(Entry)]
    rows = session.execute(sa.select(*shown).where(*where).order_by(c.id.desc()).offset(offset).limit(limit))
    return [Entry(*row) for row in rows], total


def subjects(session: Session) -> list[str]:
    """The kinds of things that have been changed."""
    return list(session.scalars(sa.select(t(AuditRecord).c.subject).distinct().order_by("subject")))
