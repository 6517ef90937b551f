"""Loads the demo market: everything enters through the services that people use.

Safe to repeat: a market with demo data only gets fresh lots when none is open or announced; a market with
other data is left alone.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from market.clock import FixedClock, local_date
from market.errors import MarketError
from market.work import run_one
from web import wiring
from web.demo import (
    auctions,
    bank,
    conspicuous,
    contracts,
    enquiries,
    listings,
    pairs,
    people,
    pricing,
    renew,
    settlements,
)
from web.demo.content.generate import generate
from web.demo.content.statistics import SNAPSHOTS
from web.mail import MemoryMailer
from web.wiring import Parts
from web.worker import handlers, housekeeping

Tell = Callable[[int, int, str], None]


class NotEmpty(MarketError):
    """The market holds data that is no demo data; demo data does not mix with it."""


def load_demo(parts: Parts, tell: Tell) -> str:
    """Load the demo data, or renew its lots; says in a few words what was done. Raises NotEmpty."""
    with parts.db.read() as session:
        loaded, empty = people.is_loaded(session), people.is_empty(session)
    if loaded:
        fresh = renew.keep_fresh(parts)
        return f"demo data is there; {fresh} fresh lots"
    if not empty:
        raise NotEmpty
    return _load(parts, parts.clock.now(), tell)


def _load(parts: Parts, now: dt.datetime, tell: Tell) -> str:
    content = generate(local_date(now))
    clock = FixedClock(now)
    # The same market under a clock of its own: mail of the past is not sent today.
    past = wiring.build(
        parts.settings, clock=clock, monotonic=None, db=parts.db, mailer=MemoryMailer(), index=parts.index
    )
    cast = people.Cast()
    with parts.db.write() as session:
        people.enter_organisations(session, cast, content.organisations, now)
        people.enter_people(
            session, cast, content.people, parts.settings.demo_password.get_secret_value(), now
        )
        results = listings.enter_results(
            session, cast, content.results, now, lambda n: tell(n, len(content.results), "results")
        )
        demands = listings.enter_demands(
            session, cast, content.demands, now, lambda n: tell(n, len(content.demands), "demands")
        )
        contracts.enter_register(
            session, cast, content.contracts, content.gdp, results, now,
            lambda n: tell(n, len(content.contracts), "contracts"), SNAPSHOTS, past.seal,
        )  # fmt: skip
        conspicuous.enter(session, cast, content.contracts, results, now)
        enquiries.enter_enquiries(session, cast, content.enquiries, results, demands, now)
        pricing.enter_pricing(session, cast, now)
    past.writer.start()
    try:
        auctions.Replay(past, clock, cast, results).run(
            content.sales, content.lots, now, lambda n, total: tell(n, total, "auctions")
        )
    finally:
        past.writer.stop()
    clock.set(now)
    settlements.settle(past, clock, cast, now)
    bank.open_bank(past, cast, now)
    housekeeping(past)
    suggested = pairs.enter_pairs(past, cast, now)
    work = handlers(past)
    while run_one(parts.db, work, clock.now):
        pass
    return (
        f"{len(content.organisations)} organisations, {len(results)} results, {len(demands)} demands, "
        f"{len(content.contracts)} contracts, {len(content.lots)} lots, {len(content.enquiries)} enquiries, "
        f"{suggested} suggested pairs"
    )
