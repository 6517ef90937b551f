"""Reads of saved searches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from market.db import Session, t
from market.demands.models import Demand
from market.errors import NotFound, SignInRequired
from market.listings.models import Result
from market.permissions import Actor
from matching.documents import Key, Kind
from matching.models import SavedSearch, SavedSearchTold

CHUNK = 400
"""Keys in one statement, well below SQLite's limit of bound parameters."""


@dataclass(frozen=True)
class Saved:
    """A saved search. `query` is the canonical query string of the search page."""

    id: int
    person_id: int
    name: str
    query: str
    alert: bool
    since: dt.datetime
    created_at: dt.datetime
    checked_at: dt.datetime


_c = t(SavedSearch).c
_COLUMNS = (
    _c.id, _c.person_id, _c.name, _c.query, _c.alert, _c.since, _c.created_at, _c.checked_at,
)  # fmt: skip


def of_person(session: Session, actor: Actor) -> list[Saved]:
    """One's own saved searches, newest first. Raises SignInRequired."""
    if actor.person_id is None:
        raise SignInRequired
    rows = session.execute(sa.select(*_COLUMNS).where(_c.person_id == actor.person_id).order_by(_c.id.desc()))
    return [Saved(*row) for row in rows]


def own(session: Session, actor: Actor, search_id: int) -> Saved:
    """One of one's own. Raises SignInRequired, and NotFound for anybody else's."""
    if actor.person_id is None:
        raise SignInRequired
    found = one(session, search_id)
    if found is None or found.person_id != actor.person_id:
        raise NotFound(subject="saved_search")
    return found


def kept_as(session: Session, actor: Actor, query: str) -> str:
    """The name under which the actor keeps a search already; empty for none, and for a visitor."""
    if actor.person_id is None:
        return ""
    statement = sa.select(_c.name).where(_c.person_id == actor.person_id, _c.query == query)
    return session.scalar(statement) or ""


def one(session: Session, search_id: int) -> Saved | None:
    """A saved search, whoever keeps it."""
    row = session.execute(sa.select(*_COLUMNS).where(_c.id == search_id)).first()
    return Saved(*row) if row else None


def due(session: Session, before: dt.datetime, after_id: int = 0, limit: int = 50) -> list[Saved]:
    """Searches with mail that were last looked at before an instant or at it, with an id above `after_id`."""
    rows = session.execute(
        sa.select(*_COLUMNS)
        .where(_c.alert.is_(True), _c.checked_at <= before, _c.id > after_id)
        .order_by(_c.id)
        .limit(limit)
    )
    return [Saved(*row) for row in rows]


def published_since(session: Session, keys: Iterable[Key], horizon: dt.datetime) -> set[Key]:
    """Those of the keys whose row was published at or after an instant. A statement per kind and chunk."""
    found: set[Key] = set()
    wanted = sorted(set(keys))
    for kind, model in ((Kind.RESULT, Result), (Kind.DEMAND, Demand)):
        c, ids = t(model).c, [key.id for key in wanted if key.kind is kind]
        for start in range(0, len(ids), CHUNK):
            statement = sa.select(c.id).where(c.id.in_(ids[start : start + CHUNK]), c.published_at >= horizon)
            found.update(Key(kind, row_id) for row_id in session.scalars(statement))
    return found


def told(session: Session, search_id: int) -> set[Key]:
    """What the keeper of a search was told of already."""
    c = t(SavedSearchTold).c
    rows = session.execute(sa.select(c.kind, c.row_id).where(c.search_id == search_id))
    return {Key(Kind(row.kind), row.row_id) for row in rows}
