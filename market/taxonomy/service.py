"""Verbs on industries. They take the caller's session and never commit."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from market import audit
from market.db import Session, for_update, t
from market.errors import Conflict, Duplicate, NotFound
from market.permissions import Action, Actor, require
from market.taxonomy.models import Industry, IndustryInput

_FIELDS = ("name", "name_en", "ipc_prefixes", "sort", "active")


def add_industry(
    session: Session, actor: Actor, code: str, entered: IndustryInput, now: dt.datetime
) -> Industry:
    """Add an industry under a code. Raises Duplicate when the code is taken."""
    require(actor, Action.TAXONOMY_EDIT)
    if session.get(Industry, code) is not None:
        raise Duplicate(field="code", value=code)
    row = Industry(code=code, updated_at=now, **entered.model_dump(exclude={"code"}))
    session.add(row)
    session.flush()
    audit.record(session, actor, "industry.added", 0, now, after=_named(code, _values(row)))
    return row


def change_industry(
    session: Session, actor: Actor, code: str, version: int, entered: IndustryInput, now: dt.datetime
) -> Industry:
    """Change an industry as it was at `version`. Raises NotFound, and Conflict for an older version.

    Retiring one (`active` off) keeps it on the listings that have it.
    """
    require(actor, Action.TAXONOMY_EDIT)
    statement = sa.select(Industry).where(t(Industry).c.code == code)
    row: Industry | None = session.scalars(for_update(statement, session)).one_or_none()
    if row is None:
        raise NotFound
    if row.version != version:
        raise Conflict(field="version")
    before = _values(row)
    for name, value in entered.model_dump().items():
        setattr(row, name, value)
    after = _values(row)
    if after != before:
        row.version += 1
        row.updated_at = now
        changed = {name for name in _FIELDS if before[name] != after[name]}
        audit.record(
            session, actor, "industry.changed", 0, now,
            before=_named(code, {name: before[name] for name in changed}),
            after=_named(code, {name: after[name] for name in changed}),
        )  # fmt: skip
    session.flush()
    return row


def _values(row: Industry) -> dict[str, object]:
    return {name: getattr(row, name) for name in _FIELDS}


def _named(code: str, values: dict[str, object]) -> dict[str, object]:
    # Industries have no number for the audit's subject_id, so each field carries the code.
    return {f"{code}.{name}": value for name, value in values.items()}
