"""Lots that were bid for and sold, for tests of what follows: the clock of each is its own."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from auctions import after_sale, journal
from auctions.models import Lot, SettlementInput
from auctions.rules import commands as c
from auctions.rules.settlement import SettlementTerms
from market.db import Session
from market.deals import service as deals
from market.listings import service as listings
from market.payments import service as payments
from market.permissions import SYSTEM, Actor
from tests.auctions.rows import ENDS, OPENS, Rows

CLOSED = ENDS + dt.timedelta(seconds=1)
BIDS = ((1, 1_000_000), (2, 1_100_000), (1, 1_200_000), (3, 1_300_000))
"""(bidder's number, amount): 3 wins, 1 is next at 1,200,000, then 2 at 1,100,000."""


@dataclass
class Sold:
    """A lot with its bidders by number, and what was done about it."""

    rows: Rows
    lot_id: int
    bidders: dict[int, Actor] = field(default_factory=dict)
    settlement_id: int = 0
    contract_id: int = 0

    def organisation(self, alias: int) -> int:
        """The organisation of a bidder."""
        return self.bidders[alias].memberships[0].organisation_id


def organisation_of(actor: Actor) -> int:
    """The organisation that an actor is of."""
    return actor.memberships[0].organisation_id


def sold(
    session: Session, *, bids: tuple[tuple[int, int], ...] = BIDS, bidders: int = 3, deposit_fen: int = 100_000,
    settlement: dict[str, Any] | None = None, priorities: dict[int, int] | None = None, **terms: Any,
) -> Sold:  # fmt: skip
    """A lot that was bid for and sold at `CLOSED`, settled as the worker settles it."""
    rows = Rows(session)
    promised = SettlementInput(**({"runner_up": True} | (settlement or {})))
    lot_id = rows.lot(deposit_fen=deposit_fen, settlement=promised, **terms)
    ranks = priorities or {}
    found = Sold(rows, lot_id)
    for number in range(1, bidders + 1):
        found.bidders[number] = rows.admitted(lot_id, priority=ranks.get(number))
    journal.apply(session, c.Open(lot_id=lot_id), OPENS)
    for number, (alias, amount) in enumerate(bids):
        bid(session, found, alias, amount, OPENS + dt.timedelta(seconds=number + 1))
    journal.apply(session, c.Close(lot_id=lot_id), CLOSED)
    follow(session, found, CLOSED)
    return found


def bid(session: Session, lot: Sold, alias: int, amount: int | None, at: dt.datetime, **more: Any) -> None:
    """One accepted bid."""
    journal.apply(
        session,
        c.PlaceBid(
            lot_id=lot.lot_id, person_id=lot.bidders[alias].person_id, client_bid_id=f"bid-{at:%H%M%S}-{alias}",
            amount_fen=amount, received_at=at, alias=alias, **more,
        ),
        at,
    )  # fmt: skip


def follow(session: Session, lot: Sold, now: dt.datetime) -> None:
    """What the worker does about a lot that is over."""
    session.expire_all()
    row = session.get_one(Lot, lot.lot_id)
    assert row.winner_organisation_id is not None
    assert row.hammer_fen is not None
    if row.state == "sold":
        lot.contract_id = deals.draft_from_lot(
            session, now, lot_id=lot.lot_id, title=row.title, result_id=row.result_id,
            seller_organisation_id=row.seller_organisation_id, buyer_organisation_id=row.winner_organisation_id,
            hammer_fen=row.hammer_fen,
        )  # fmt: skip
        listings.conclude_result(session, SYSTEM, now, row.result_id)
    lot.settlement_id = after_sale.open_for_winner(session, now, lot.lot_id, lot.contract_id or None) or 0
    payments.settle_lot_deposits(
        session, now, lot.lot_id, row.winner_organisation_id,
        refund_hours=SettlementTerms.read(row.terms["settlement"]).refund_hours,
    )  # fmt: skip
    session.flush()


def default(session: Session, lot: Sold, now: dt.datetime) -> None:
    """The winner did not keep to the terms, and the worker has followed."""
    journal.apply(
        session,
        c.RecordDefault(lot_id=lot.lot_id, person_id=lot.rows.staff.person_id, reason="逾期未付款"),
        now,
    )
    after_sale.defaulted(session, now, lot.lot_id)
    session.expire_all()
    listings.reopen_result(session, SYSTEM, now, session.get_one(Lot, lot.lot_id).result_id)
    session.flush()
