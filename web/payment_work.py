"""Payments in the background: pursued when something was decided or heard, looked after when nothing was."""

from __future__ import annotations

from market.errors import MarketError
from market.payments import collecting, holding, stripe_inbox, wishes
from market.work import Handler
from web.settings import Settings
from web.wiring import Parts

INTERVAL = 60.0
"""Seconds between two looks for payments that nobody has told anything about."""


def addresses(settings: Settings) -> collecting.Addresses:
    """Where a payer's browser comes back to: the payment's own page."""

    def of(payment_id: int) -> tuple[str, str]:
        page = f"{settings.base_url.rstrip('/')}/payments/{payment_id}"
        return f"{page}?from=paid", f"{page}?from=cancelled"

    return of


def handlers(parts: Parts) -> dict[str, Handler]:
    """Pursues one payment, or the one that a message of Stripe's is about."""
    joined = (parts.db, parts.clock, parts.gateways, addresses(parts.settings))
    return {wishes.KIND: collecting.handler(*joined), stripe_inbox.KIND: stripe_inbox.handler(*joined)}


def pursue_now(parts: Parts, payment_id: int) -> MarketError | None:
    """Pursue a payment while somebody waits for it, with no transaction open; what failed is tried again by
    the worker, and returned."""
    try:
        collecting.pursue(parts.db, parts.clock, parts.gateways, addresses(parts.settings), payment_id)
    except MarketError as error:
        return error
    return None


class Sweeper:
    """Leaves work for payments that were not looked at for a while."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def __call__(self) -> None:
        with self._parts.db.write() as session:
            collecting.sweep(session, self._parts.clock.now())
            holding.escalate_late(session, self._parts.clock.now())
