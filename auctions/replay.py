"""A finished lot as it went: the frames that its room sent, and the view at any moment between them."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from auctions import protocol
from auctions.models import Lot
from auctions.reads import entries_after
from auctions.rules.canonical import instant
from auctions.rules.events import Kind
from auctions.rules.state import ENDED, LotState
from auctions.rules.terms import Terms
from market.db import Session, t
from market.errors import NotFound

LOT = t(Lot)


@dataclass(frozen=True, slots=True)
class Replay:
    """A lot from its first entry to its last. `events` are frames as the room sends them, parsed."""

    view: dict[str, Any]
    """The view before the first entry."""
    events: list[dict[str, Any]]

    @property
    def begins_at(self) -> dt.datetime:
        """When the bidding began, or the lot itself where it never did."""
        opened = next((event for event in self.events if event["kind"] == Kind.OPENED), self.events[0])
        return instant(opened["at"])

    @property
    def lasts_s(self) -> int:
        """Seconds from the beginning to the last entry, rounded up."""
        took = instant(self.events[-1]["at"]) - self.begins_at
        return max(0, -(-took // dt.timedelta(seconds=1)))

    def count_at(self, second: int) -> int:
        """How many entries there were so many seconds after the beginning."""
        until = self.begins_at + dt.timedelta(seconds=second)
        return sum(instant(event["at"]) <= until for event in self.events)

    def view_after(self, count: int) -> dict[str, Any]:
        """The view after the first `count` entries."""
        view = self.view
        for event in self.events[:count]:
            view = protocol.project(view, event)
        return view


def replay(session: Session, lot_id: int) -> Replay:
    """The replay of an ended lot. One statement and one for every 500 entries. Raises NotFound, also while
    the lot goes on: its room shows that."""
    c = LOT.c
    row = session.execute(sa.select(c.title, c.state, c.terms).where(c.id == lot_id)).one_or_none()
    if row is None or LotState(row.state) not in ENDED:
        raise NotFound(subject="lot")
    terms = Terms.from_private(row.terms)
    events: list[dict[str, Any]] = []
    while entries := entries_after(session, lot_id, len(events)):
        events += [
            json.loads(protocol.event_frame(terms, lot_id, entry.seq, entry.hash, entry.data, entry.at))
            for entry in entries
        ]
    return Replay(protocol.start_view(lot_id, row.title, terms), events)
