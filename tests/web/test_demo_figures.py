"""The demonstration's published figures: signed, and one revised with the contract that changed it."""

from __future__ import annotations

import datetime as dt

from market.db import Database
from market.deals.movements import Cause
from market.statistics import snapshots
from tests.conftest import NOW
from web.demo import contracts, listings, people
from web.demo.content.generate import generate
from web.demo.content.statistics import SNAPSHOTS
from web.seed import seed


def test_a_published_figure_has_a_revision_that_names_its_contract(sqlite_database: Database) -> None:
    now = dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)
    content = generate(now.date())
    seed(sqlite_database, NOW)
    cast = people.Cast()
    with sqlite_database.write() as session:
        people.enter_organisations(session, cast, content.organisations, now)
        people.enter_people(session, cast, content.people, "a-demo-password", now)
        results = listings.enter_results(session, cast, content.results, now, lambda _n: None)
        contracts.enter_register(
            session, cast, content.contracts, content.gdp, results, now, lambda _n: None, SNAPSHOTS,
            lambda fingerprint: (f"signed:{fingerprint[:8]}", "key"),
        )  # fmt: skip
    with sqlite_database.read() as session:
        found, total = snapshots.snapshots(session)
        assert total == len(SNAPSHOTS)
        revision = found[0]
        assert revision.supersedes_id == found[1].id
        assert revision.reason
        assert revision.signature == f"signed:{revision.sha256[:8]}"
        changed = snapshots.explained(
            session, found[1], revision, snapshots.revised(session, found[1], revision)
        )
        assert [one.after_fen for one in changed] == [None]
        assert [step.cause for step in changed[0].steps] == [Cause.DEREGISTER]
