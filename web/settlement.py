"""What follows from the end of a lot: a contract draft, its settlement, deposits. Left as work by the writer.

The close writes one `lot.closed` item in its own transaction, so nothing can be forgotten; the handler
may run twice and does everything once.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from auctions import after_sale
from auctions.models import Lot
from auctions.rules.settlement import SettlementTerms
from auctions.rules.state import LotState
from market.clock import Clock
from market.db import Database, t
from market.deals import service as deals
from market.listings import service as listings
from market.listings.models import ListingState, Result
from market.payments import service as payments
from market.permissions import SYSTEM
from market.work import Claimed, Handler

KIND = "lot.closed"


def handler(db: Database, clock: Clock) -> Handler:
    """The handler of `lot.closed`."""

    def settle(item: Claimed) -> None:
        lot_id, now = int(item.payload["lot_id"]), clock.now()
        with db.write() as session:
            c = t(Lot).c
            lot: Any = session.execute(
                sa.select(
                    c.id, c.title, c.state, c.result_id, c.seller_organisation_id, c.winner_organisation_id,
                    c.hammer_fen, c.terms,
                ).where(c.id == lot_id)
            ).one()  # fmt: skip
            contract_id = None
            if lot.state == LotState.SOLD:
                contract_id = deals.draft_from_lot(
                    session,
                    now,
                    lot_id=lot_id,
                    title=lot.title,
                    result_id=lot.result_id,
                    seller_organisation_id=lot.seller_organisation_id,
                    buyer_organisation_id=lot.winner_organisation_id,
                    hammer_fen=lot.hammer_fen,
                )
                result = session.get(Result, lot.result_id)
                if result is not None and result.state == ListingState.PUBLISHED:
                    listings.conclude_result(session, SYSTEM, now, lot.result_id)
            elif lot.state == LotState.DEFAULTED:
                result = session.get(Result, lot.result_id)
                if result is not None and result.state == ListingState.CONCLUDED:
                    listings.reopen_result(session, SYSTEM, now, lot.result_id)
            if lot.state in (LotState.SOLD, LotState.DEFAULTED):
                after_sale.open_for_winner(session, now, lot_id, contract_id)
            if lot.state == LotState.DEFAULTED:
                after_sale.defaulted(session, now, lot_id)
            # A default may be recorded before this runs: the defaulter's deposit is not given back then.
            winner = lot.winner_organisation_id
            payments.settle_lot_deposits(
                session,
                now,
                lot_id=lot_id,
                winner_organisation_id=winner if lot.state == LotState.SOLD else None,
                defaulted_organisation_id=winner if lot.state == LotState.DEFAULTED else None,
                forfeiting=item.payload.get("forfeiting", ()),
                refund_hours=SettlementTerms.read(lot.terms.get("settlement")).refund_hours,
            )

    return settle
