"""Deposits of the demonstration: paid at the simulated gateway, by the path that people take."""

from __future__ import annotations

from market.payments import service
from market.payments.gateway import Method
from market.payments.simulated import PayerAct, SimulatedGateway
from market.permissions import Actor
from web import payment_work
from web.wiring import Parts


def put_down(parts: Parts, bidder: Actor, lot_id: int, organisation_id: int, amount_fen: int) -> int:
    """Ask for a deposit and pay it; returns the deposit's id. Call it with no transaction open.

    Charged at once: lots of the demonstration begin weeks ago, and a card's authorisation would have lapsed.
    """
    gateway = parts.gateways.named(SimulatedGateway.name)
    assert isinstance(gateway, SimulatedGateway)
    now = parts.clock.now()
    with parts.db.write() as session:
        deposit_id = service.request_deposit(session, bidder, now, lot_id, organisation_id, amount_fen)
        payment_id = service.begin_payment(session, bidder, now, deposit_id, gateway, Method.ALIPAY)
    payment_work.pursue_now(parts, payment_id)
    gateway.act(f"sim-{payment_id}", PayerAct.SUCCEED)
    payment_work.pursue_now(parts, payment_id)
    return deposit_id
