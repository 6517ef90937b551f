"""The demonstration's prices: every state is there, entered by the services, and nothing refused."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from market.clock import UTC
from market.db import Database, t
from market.deals.seed import seed_policies
from market.pricing.models import (
    LicenceState,
    NoticeState,
    OpenLicence,
    PricingNotice,
    PriorityAnswer,
    PriorityRight,
    RevenueSplit,
    Trial,
    TrialState,
)
from web.demo import contracts, listings, people
from web.demo.content.generate import generate
from web.demo.pricing import enter_pricing
from web.seed import seed

NOW = dt.datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def day() -> dt.date:
    return NOW.date()


def test_every_state_of_a_price_is_shown(sqlite_database: Database, day: dt.date) -> None:
    content = generate(day)
    seed(sqlite_database, NOW)
    cast = people.Cast()
    with sqlite_database.write() as session:
        seed_policies(session)
        people.enter_organisations(session, cast, content.organisations, NOW)
        people.enter_people(session, cast, content.people, "a-demo-password", NOW)
        results = listings.enter_results(session, cast, content.results, NOW, lambda _n: None)
        contracts.enter_register(session, cast, content.contracts, content.gdp, results, NOW, lambda _n: None)
        enter_pricing(session, cast, NOW)
    with sqlite_database.read() as session:
        states = set(session.scalars(sa.select(t(PricingNotice).c.state)))
        assert states == set(NoticeState) - {NoticeState.WITHDRAWN}
        answers = set(session.scalars(sa.select(t(PriorityRight).c.answer)))
        assert answers == {PriorityAnswer.SILENT, PriorityAnswer.WAITING}
        trials = set(session.scalars(sa.select(t(Trial).c.state)))
        assert trials == {TrialState.APPLIED, TrialState.AGREED, TrialState.IN_TRIAL}
        assert session.scalars(sa.select(t(OpenLicence).c.state)).all() == [LicenceState.DECLARED]
        lines, net = session.execute(sa.select(t(RevenueSplit).c.lines, t(RevenueSplit).c.net_fen)).one()
        assert sum(line["fen"] for line in lines) == net
        assert not session.scalar(
            sa.select(sa.func.count())
            .select_from(t(PricingNotice))
            .where(t(PricingNotice).c.updated_at > NOW)
        )
