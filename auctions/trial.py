"""Trying a bid: what the rules would say to it now, without placing it.

For pages that ask before they send: nobody should confirm what would be refused anyway. It promises
nothing, for the lot may have moved on when the bid comes; and a trial tells no more than a refusal would.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import sqlalchemy as sa

from auctions.models import Lot as LotRow
from auctions.rules.commands import PlaceBid
from auctions.rules.decide import decide
from auctions.rules.refusal import Refusal
from auctions.rules.state import Lot
from auctions.rules.terms import Terms
from market.db import Session, t
from market.errors import NotFound


def would_refuse(
    session: Session,
    lot_id: int,
    alias: int | None,
    act: str,
    amount_fen: int | None,
    extra: Mapping[str, int | str],
    now: dt.datetime,
) -> Refusal | None:
    """Why a bid would be refused now, if it would. The amount is in fen. One statement. Raises NotFound.

    What the writer looks up for itself (the deposit, the organisation's standing) is not asked here.
    """
    c = t(LotRow).c
    row = session.execute(sa.select(c.terms, c.fold).where(c.id == lot_id)).one_or_none()
    if row is None or not row.fold:
        raise NotFound(subject="lot")
    bid = PlaceBid(
        lot_id=lot_id,
        client_bid_id="",
        amount_fen=amount_fen,
        act=act,
        extra=extra,
        received_at=now,
        alias=alias,
    )
    verdict = decide(Lot.from_fold(lot_id, Terms.from_private(row.terms), row.fold), bid, now)
    return verdict if isinstance(verdict, Refusal) else None
