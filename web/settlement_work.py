"""Settlements in the background: steps that were done elsewhere are noticed, offers lapse, lateness is told."""

from __future__ import annotations

from auctions import after_sale
from market.permissions import SYSTEM
from market.settlements import offers, service
from web import i18n
from web.wiring import Parts

INTERVAL = 30.0
"""Seconds between two looks at open settlements."""


class Sweeper:
    """Looks at every open settlement, and ends offers whose time is over."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def __call__(self) -> None:
        after: int | None = 0
        while after is not None:
            with self._parts.db.write() as session:
                after = service.advance_due(session, self._parts.clock.now(), after)
        with self._parts.db.write() as session:
            now = self._parts.clock.now()
            for lot_id, alias in sorted(offers.lapse_due(session, now)):
                text = i18n.term("settlement.announce.lapsed", i18n.DEFAULT, {"n": alias})
                after_sale.announce(session, SYSTEM, now, lot_id, text)


def escalate(parts: Parts) -> None:
    """Tell parties and staff of steps that are late, each once."""
    after: int | None = 0
    while after is not None:
        with parts.db.write() as session:
            after = service.escalate_due(session, parts.clock.now(), after)
