"""Background work: which handler does which kind, and what is looked after from time to time."""

from __future__ import annotations

from market.deals import deadlines
from market.demands import service as demands
from market.listings import service as listings
from market.pricing import licences, notices, priority, trials
from market.work import Handler
from matching.indexer import Indexer
from web import (
    duplicate_work,
    enquiry_work,
    flag_work,
    importing,
    lot_mail,
    mailing,
    open_data_work,
    payment_work,
    proposal_work,
    saved_search_mail,
    semantic,
    settlement,
    settlement_work,
    spare_work,
)
from web.background import Background, every, work_loop
from web.demo import renew
from web.wiring import Parts

HOUSEKEEPING = 600
"""Seconds between two looks at the deadlines of listings."""


def handlers(parts: Parts) -> dict[str, Handler]:
    """Every kind of work and who does it."""
    return {
        **mailing.handlers(parts),
        **enquiry_work.handlers(parts),
        **flag_work.handlers(parts),
        **importing.handlers(parts),
        **lot_mail.handlers(parts),
        **open_data_work.handlers(parts),
        **saved_search_mail.handlers(parts),
        settlement.KIND: settlement.handler(parts.db, parts.clock),
        **payment_work.handlers(parts),
    }


def housekeeping(parts: Parts) -> None:
    """Deadlines of listings, price notices, priority rights, trials and open licences: hide or mark what expired,
    remind owners of what will. In a demo, keep lots open."""
    if parts.settings.demo:
        renew.keep_fresh(parts)
    now = parts.clock.now()
    with parts.db.write() as session:
        flag_work.daily(session, now)
        open_data_work.once(session, now)
    settlement_work.escalate(parts)
    more = True
    while more:
        with parts.db.write() as session:
            more = bool(deadlines.escalate_due(session, now))
    for service in (listings, demands):
        more = True
        while more:
            with parts.db.write() as session:
                more = bool(service.expire_due(session, now))
        after: int | None = 0
        while after is not None:
            with parts.db.write() as session:
                _, after = service.remind_expiring(session, now, after)
    for days in (notices, priority, trials, licences):
        more = True
        while more:
            with parts.db.write() as session:
                more = bool(days.expire_due(session, now))


class Worker:
    """The threads of background work: due work, the search index, news of lots, housekeeping."""

    def __init__(self, parts: Parts) -> None:
        self._threads = [
            Background("work", work_loop(parts.db, handlers(parts), parts.clock)),
            Background("indexer", Indexer(parts.db, parts.index).run),
            Background("search spare", every(spare_work.INTERVAL, spare_work.Keeper(parts))),
            Background("lot mail", every(lot_mail.INTERVAL, lot_mail.Sweeper(parts))),
            Background("saved searches", every(saved_search_mail.INTERVAL, saved_search_mail.Sweeper(parts))),
            Background("proposals", every(proposal_work.INTERVAL, proposal_work.Sweeper(parts))),
            Background("vectors", every(semantic.INTERVAL, semantic.Sweeper(parts))),
            Background("duplicates", every(duplicate_work.INTERVAL, duplicate_work.Sweeper(parts))),
            Background("payments", every(payment_work.INTERVAL, payment_work.Sweeper(parts))),
            Background("settlements", every(settlement_work.INTERVAL, settlement_work.Sweeper(parts))),
            Background("housekeeping", every(HOUSEKEEPING, lambda: housekeeping(parts))),
        ]

    def start(self) -> None:
        """Start every thread."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ask every thread to end, last first, and wait for each."""
        for thread in reversed(self._threads):
            thread.stop()
