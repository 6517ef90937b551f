"""The work that settles one deposit: the gateway first, with no transaction open, then the record.

The gateway gets a key of its own per deposit and movement, so that a crash between the two, and the
retry after it, move the money once.
"""

from __future__ import annotations

import sqlalchemy as sa

from market.clock import Clock
from market.db import Database, t
from market.payments import service
from market.payments.gateway import Gateway
from market.payments.models import Deposit, DepositState
from market.payments.rules import Movement
from market.permissions import SYSTEM
from market.work import Claimed, Handler

KIND = service.SETTLE_KIND


def handler(db: Database, clock: Clock, gateway: Gateway) -> Handler:
    """The handler of `deposit.settle`; payload `deposit_id`, `movement`."""

    def settle(item: Claimed) -> None:
        deposit_id, movement = int(item.payload["deposit_id"]), Movement(item.payload["movement"])
        with db.read() as session:
            d = t(Deposit).c
            deposit = session.execute(
                sa.select(d.state, d.gateway_reference, d.amount_fen).where(d.id == deposit_id)
            ).first()
        if deposit is None or deposit.state != DepositState.HELD.value:
            return
        moves = {
            Movement.APPLY: gateway.apply,
            Movement.RELEASE: gateway.release,
            Movement.FORFEIT: gateway.forfeit,
        }
        moves[movement](
            service.movement_key(deposit_id, movement), deposit.gateway_reference or "", deposit.amount_fen
        )
        with db.write() as session:
            service.record_settled(session, SYSTEM, clock.now(), deposit_id, movement)

    return settle
