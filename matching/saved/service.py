"""Verbs of saved searches. What somebody looks for is theirs alone: nothing of it enters the audit log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa

from market.db import Session, for_update, t, upsert
from market.errors import NotFound, SignInRequired
from market.parties.models import Person
from market.permissions import Actor
from market.work import enqueue
from matching.documents import Key
from matching.models import SavedSearch, SavedSearchTold
from matching.saved import queries, rules
from matching.saved.inputs import SavedSearchChange

NEWS = "saved_search.news"
"""Work: tell the keeper of a search what is new. Payload {search_id, keys, total}."""
LISTED = 20
"""Entries that one mail lists; the others are counted."""


def save(session: Session, actor: Actor, name: str, query: str, alert: bool, now: dt.datetime) -> SavedSearch:
    """Keep a search. `query` is canonical.

    Raises SignInRequired, SearchTooLong, TooManySaved and SavedAlready.
    """
    if actor.person_id is None:
        raise SignInRequired
    if len(query) > rules.LONGEST_QUERY:
        raise rules.SearchTooLong(field="name")
    # Counted under a lock, so that two forms sent at once do not both pass.
    session.execute(for_update(sa.select(t(Person).c.id).where(t(Person).c.id == actor.person_id), session))
    c = t(SavedSearch).c
    same = session.execute(
        sa.select(c.id, c.name).where(c.person_id == actor.person_id, c.query == query)
    ).first()
    if same is not None:
        raise rules.SavedAlready(field="name", name=same.name, id=same.id)
    held = session.scalar(sa.select(sa.func.count()).where(c.person_id == actor.person_id))
    if (held or 0) >= rules.MOST:
        raise rules.TooManySaved(field="name", most=rules.MOST)
    row = SavedSearch(
        person_id=actor.person_id,
        name=name,
        query=query,
        alert=alert,
        since=now,
        created_at=now,
        checked_at=now,
    )
    session.add(row)
    session.flush()
    return row


def change(
    session: Session, actor: Actor, search_id: int, entered: SavedSearchChange, now: dt.datetime
) -> None:
    """Rename one's search and turn its mail on or off. Raises SignInRequired, NotFound."""
    row = _own(session, actor, search_id)
    if entered.alert and not row.alert:
        # What came meanwhile was not wanted by mail.
        row.since = row.checked_at = now
    row.name, row.alert = entered.name, entered.alert
    session.flush()


def delete(session: Session, actor: Actor, search_id: int) -> None:
    """Keep one's search no longer. Raises SignInRequired, NotFound."""
    row = _own(session, actor, search_id)
    session.execute(sa.delete(t(SavedSearchTold)).where(t(SavedSearchTold).c.search_id == row.id))
    session.delete(row)
    session.flush()


def stop_mail(session: Session, search_id: int) -> None:
    """Turn a search's mail off, for whoever holds the link that its mail carries; twice is once."""
    c = t(SavedSearch).c
    session.execute(sa.update(t(SavedSearch)).where(c.id == search_id).values(alert=False))


def note(
    session: Session, search_id: int, checked_at: dt.datetime, found: Sequence[Key], now: dt.datetime
) -> int:
    """Record a look at a search, and leave the mail of what its keeper was not told of. Returns how many.

    All in the caller's transaction: what is told is noted, what is noted is told. Does nothing if the search
    was looked at by somebody else since `checked_at`, is gone or wants no mail any more.
    """
    c = t(SavedSearch).c
    statement = sa.select(c.checked_at, c.alert).where(c.id == search_id)
    row = session.execute(for_update(statement, session)).first()
    if row is None or row.checked_at != checked_at or not row.alert:
        return 0
    session.execute(sa.update(t(SavedSearch)).where(c.id == search_id).values(checked_at=now))
    known = queries.told(session, search_id)
    fresh = [key for key in dict.fromkeys(found) if key not in known]
    if fresh:
        rows = [
            {"search_id": search_id, "kind": key.kind.value, "row_id": key.id, "at": now} for key in fresh
        ]
        upsert(session, t(SavedSearchTold), rows, key=["search_id", "kind", "row_id"])
        payload = {
            "search_id": search_id,
            "keys": [str(key) for key in fresh[:LISTED]],
            "total": len(fresh),
        }
        enqueue(session, NEWS, payload, key=f"{search_id}:{now.isoformat()}", now=now)
    return len(fresh)


def _own(session: Session, actor: Actor, search_id: int) -> SavedSearch:
    if actor.person_id is None:
        raise SignInRequired
    row = session.get(SavedSearch, search_id)
    if row is None or row.person_id != actor.person_id:
        raise NotFound(subject="saved_search")
    return row
