"""A lot that is played to its end by a real writer, with the receipts that its bidders got."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from auctions.rules import commands as c
from auctions.writer import Writer
from market.clock import FixedClock
from market.db import Database
from market.permissions import Actor
from tests.auctions.rows import ENDS, OPENS, Rows, stage

SECOND = dt.timedelta(seconds=1)


@dataclass
class Played:
    """The lot, its three bidders (the first one won, the third never bid), and their receipts."""

    lot_id: int
    bidders: list[Actor]
    rows: Rows
    accepted: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)

    @property
    def winner(self) -> Actor:
        return self.bidders[0]

    @property
    def loser(self) -> Actor:
        return self.bidders[1]


def play(
    database: Database, writer: Writer, clock: FixedClock, *, until: str = "closed", **terms: Any
) -> Played:
    """Open, three bids (two of them good), close. `until`: open | bid | closed. The writer must be running."""
    (lot_id,), (bidders,), rows = stage(database, bidders=3, deposit_fen=50_000, **terms)
    played = Played(lot_id, bidders, rows)
    clock.set(OPENS)
    writer.submit(c.Open(lot_id=lot_id)).result(20)
    if until == "open":
        return played
    bids = [(1, 1_000_000, "first-bid"), (0, 1_005_000, "lower-bid"), (0, 1_020_000, "second-bid")]
    for second, (who, amount, name) in enumerate(bids, 1):
        clock.set(OPENS + second * SECOND)
        bid = c.PlaceBid(
            lot_id=lot_id,
            person_id=bidders[who].person_id,
            client_bid_id=name,
            amount_fen=amount,
            received_at=clock.now(),
        )
        answer = writer.submit(bid).result(20)
        assert answer.receipt is not None
        (played.accepted if answer.accepted else played.refused).append(answer.receipt)
    assert (len(played.accepted), len(played.refused)) == (2, 1)
    if until == "closed":
        clock.set(ENDS + SECOND)
        assert writer.submit(c.Close(lot_id=lot_id)).result(20).accepted
    return played
