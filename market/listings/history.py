"""What a listing said before: versions kept when it changes, and the difference between two of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.audit import AuditRecord
from market.db import Session, t
from market.listings.models import ListingVersion
from market.permissions import Actor


@dataclass(frozen=True)
class Change:
    """One field that differs. Values are plain JSON (dates as ISO text)."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Revision:
    """One edit: the version it made, by whom, when, and what it changed."""

    version: int
    at: dt.datetime
    changed_by: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Event:
    """One step of a listing's life: `published`, `withdrawn`, …"""

    action: str
    at: dt.datetime
    actor: str
    reason: str


def keep(
    session: Session,
    kind: str,
    listing_id: int,
    version: int,
    content: Mapping[str, Any],
    actor: Actor,
    now: dt.datetime,
) -> None:
    """Keep what `version` said, just before `actor` replaces it."""
    session.add(
        ListingVersion(
            kind=kind,
            listing_id=listing_id,
            version=version,
            content=dict(content),
            changed_by=actor.name[:200],
            at=now,
        )
    )


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """The fields that differ, in the order of the newer content."""
    names = [*after, *(name for name in before if name not in after)]
    return tuple(
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )


def revisions(
    session: Session, kind: str, listing_id: int, current: Mapping[str, Any], *, limit: int = 100
) -> list[Revision]:
    """The latest edits, newest first, each compared with what it replaced. One statement."""
    c = t(ListingVersion).c
    rows = session.execute(
        sa.select(c.version, c.content, c.changed_by, c.at)
        .where(c.kind == kind, c.listing_id == listing_id)
        .order_by(c.version.desc())
        .limit(limit)
    ).all()
    found = []
    newer = current
    for row in rows:
        found.append(Revision(row.version, row.at, row.changed_by, differences(row.content, newer)))
        newer = row.content
    return found


def events(session: Session, kind: str, listing_id: int, *, limit: int = 100) -> list[Event]:
    """The latest steps other than edits, newest first. One statement."""
    c = t(AuditRecord).c
    rows = session.execute(
        sa.select(c.action, c.at, c.actor_name, c.reason)
        .where(c.subject == kind, c.subject_id == listing_id, c.action != f"{kind}.edited")
        .order_by(c.id.desc())
        .limit(limit)
    )
    return [Event(row.action.partition(".")[2], row.at, row.actor_name, row.reason or "") for row in rows]
