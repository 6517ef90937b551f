"""Lots that open and end by the machine's own clock, with bidders who hold tokens."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from auctions import service
from auctions.models import Lot
from auctions.queries import room_state
from market.clock import SystemClock
from market.db import Database
from market.parties import access
from market.parties.models import ApiToken
from tests.auctions.rows import NOW, Rows


@dataclass(frozen=True)
class Bidder:
    """Who may bid in the staged lots: the same alias in each."""

    person_id: int
    alias: int
    token: str


@dataclass(frozen=True)
class Stage:
    """Published lots; the first is `lot`. `first` is its room's state before any server ran."""

    lots: list[int]
    bidders: list[Bidder]
    first: tuple[int, dict[str, Any]]

    @property
    def lot(self) -> int:
        """The lot that everybody bids for."""
        return self.lots[0]


def stage(
    database: Database,
    *,
    bidders: int,
    opens_in_s: float = 3.0,
    lasts_s: float = 20.0,
    window_s: int = 20,
    extension_s: int = 12,
    more_lots_ending_s: tuple[float, ...] = (),
    outage_grace_s: int | None = None,
    outage_extension_s: int | None = None,
) -> Stage:
    """Publish lots and admit everybody to each; all of it long ago, but for the times of the bidding."""
    now = SystemClock().now()
    opens = now + dt.timedelta(seconds=opens_in_s)
    ends = [opens + dt.timedelta(seconds=lasts_s)]
    ends += [opens + dt.timedelta(seconds=end) for end in more_lots_ending_s]
    with database.write() as session:
        rows = Rows(session)
        lots = []
        for end in ends:
            lot_id = rows.draft(
                opens_at=opens,
                ends_at=end,
                window_s=window_s if end is ends[0] else 0,
                extension_s=extension_s,
            )
            row = session.get(Lot, lot_id)
            assert row is not None
            changed = {"outage_grace_s": outage_grace_s, "outage_extension_s": outage_extension_s}
            row.terms = {**row.terms, **{key: value for key, value in changed.items() if value is not None}}
            session.flush()
            service.publish(session, rows.staff, lot_id, NOW)
            lots.append(lot_id)
        made = []
        for number in range(bidders):
            actor = rows.bidder()
            assert actor.person_id is not None
            for lot_id in lots:
                service.admit(session, rows.staff, rows.request(lot_id, actor), NOW)
            secret = access.new_secret()
            session.add(
                ApiToken(
                    person_id=actor.person_id, name="program", prefix=secret[:8],
                    secret_hash=access.digest(secret), scopes=["read", "bid"], created_at=NOW,
                )
            )  # fmt: skip
            made.append(Bidder(actor.person_id, number + 1, secret))
        session.flush()
        state = room_state(session, lots[0])
    return Stage(lots, made, (state.seq, json.loads(json.dumps(state.view))))
