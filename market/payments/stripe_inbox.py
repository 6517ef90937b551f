"""Messages of Stripe's: which payment each is about, and pursuing that one.

A message says only that something happened. What happened is read back from Stripe, so messages that come
late, twice or in the wrong order do no harm, and one that is handled again changes nothing.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from market import inbox
from market.clock import Clock
from market.db import Database, Session, t
from market.payments import collecting
from market.payments.collecting import Addresses
from market.payments.gateway import GatewayRefused, Gateways
from market.payments.models import Payment
from market.payments.stripe_gateway import Event, StripeGateway
from market.work import Claimed, Handler

SOURCE = "stripe"
KIND = f"inbox.{SOURCE}"
"""Work: handle one message of Stripe's. Payload: `source`, `external_id`."""


def keep(session: Session, event: Event, now: dt.datetime) -> bool:
    """Keep the ids of a proved message, once; False when it was here already."""
    body = {"payment_id": event.payment_id, "reference": event.reference}
    return inbox.receive(session, SOURCE, event.id, event.type, body, now)


def is_ours(gateway: StripeGateway, event: Event) -> bool:
    """Whether a message can be about a payment of this market: not one of another that shares the account."""
    return event.livemode is gateway.livemode and event.market in (None, gateway.market)


def handler(db: Database, clock: Clock, gateways: Gateways, addresses: Addresses) -> Handler:
    """The handler of `inbox.stripe`."""

    def work(item: Claimed) -> None:
        handle(db, clock, gateways, addresses, str(item.payload["external_id"]))

    return work


def handle(
    db: Database, clock: Clock, gateways: Gateways, addresses: Addresses, external_id: str
) -> int | None:
    """Pursue the payment that a kept message is about; returns its id, None where it is about nothing here.

    Call it with no transaction open. Raises NotFound; GatewayUnavailable while Stripe cannot answer, and what
    `collecting.pursue` raises: the message then counts as not handled.
    """
    with db.read() as session:
        body = inbox.body_of(session, SOURCE, external_id)
        payment_id = _known(session, body["payment_id"], body["reference"])
    gateway = gateways.named(SOURCE)
    if payment_id is None and body["reference"] and isinstance(gateway, StripeGateway):
        payment_id = _asked(db, gateway, str(body["reference"]))
    if payment_id is not None:
        collecting.pursue(db, clock, gateways, addresses, payment_id)
    with db.write() as session:
        inbox.mark_handled(session, SOURCE, external_id, clock.now())
    return payment_id


def _known(session: Session, payment_id: int | None, reference: str | None) -> int | None:
    """The payment by its id or reference; None where this market has none of it at Stripe."""
    c = t(Payment).c
    named = sa.or_(c.id == payment_id, c.reference == reference)
    found: int | None = session.scalar(sa.select(c.id).where(c.gateway == SOURCE, named).limit(1))
    return found


def _asked(db: Database, gateway: StripeGateway, reference: str) -> int | None:
    """The payment of an intent whose message does not name it (a dispute's), from what Stripe keeps."""
    try:
        payment_id = gateway.payment_of(reference)
    except GatewayRefused:
        return None
    with db.read() as session:
        return _known(session, payment_id, None)
