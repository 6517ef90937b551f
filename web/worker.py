"""Background work: which handler does which kind, and what is looked after from time to time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from market.demands import service as demands
from market.listings import service as listings
from market.payments import settling
from market.work import Handler
from web import enquiry_work, importing, mailing, settlement
from web.demo import renew

if TYPE_CHECKING:
    from web.wiring import Parts


def handlers(parts: Parts) -> dict[str, Handler]:
    """Every kind of work and who does it."""
    return {
        **mailing.handlers(parts),
        **enquiry_work.handlers(parts),
        **importing.handlers(parts),
        settlement.KIND: settlement.handler(parts.db, parts.clock),
        settling.KIND: settling.handler(parts.db, parts.clock, parts.gateway),
    }


def housekeeping(parts: Parts) -> None:
    """Deadlines of listings: hide what expired, remind owners of what will. In a demo, keep lots open."""
    if parts.settings.demo:
        renew.keep_fresh(parts)
    now = parts.clock.now()
    for service in (listings, demands):
        more = True
        while more:
            with parts.db.write() as session:
                more = bool(service.expire_due(session, now))
        after: int | None = 0
        while after is not None:
            with parts.db.write() as session:
                _, after = service.remind_expiring(session, now, after)
