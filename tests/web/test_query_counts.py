"""No page asks the database more often because the market has grown.

Every statement of a request is counted, on a small market and on one a hundred times larger. The
numbers must be equal, and no more than the page's bound: a page that needs more must say so here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from market.clock import FixedClock
from market.permissions import Role
from matching.indexer import reindex
from tests import factories
from tests.conftest import NOW, make_database
from web import wiring
from web.app import create_app
from web.deps import COOKIE
from web.mail import MemoryMailer
from web.matches import RecentMatches
from web.settings import Environment, Settings, WorkerMode

SMALL = {"results_": 20, "demands_": 10, "lots_": 6, "bids": 4, "contracts_": 6, "enquiries_": 6}
LARGE = {
    "results_": 2000,
    "demands_": 1000,
    "lots_": 60,
    "bids": 80,
    "contracts_": 400,
    "enquiries_": 300,
    "proposals_": 300,
}

PAGES: list[tuple[str, Role | None, int]] = [
    ("/", None, 16),
    ("/results", None, 5),
    ("/results?industry=pumps_motors", None, 5),
    ("/results/{result}", None, 17),
    ("/demands", None, 5),
    ("/demands/{demand}", None, 17),
    ("/search?q=自吸泵", None, 8),
    ("/search?q=自吸泵&region=city&price=10-50&year=2026", None, 8),
    ("/search?q=自吸泵", Role.DEMAND_OWNER, 11),
    ("/search/feed.atom?q=自吸泵", None, 8),
    ("/search/suggestions?q=自吸", None, 0),
    ("/account/searches", Role.DEMAND_OWNER, 5),
    ("/admin/synonyms", Role.STAFF, 4),
    ("/lots", None, 4),
    ("/lots?show=upcoming", None, 4),
    ("/lots/{lot}", None, 8),
    ("/lots/{lot}/journal", None, 4),
    ("/organisations", None, 5),
    ("/organisations/{organisation}", None, 9),
    ("/notices", None, 4),
    ("/open-licences", None, 4),
    ("/results/{result}/pricing", Role.RESULTS_OFFICER, 14),
    ("/contracts/{contract}/splits", Role.OFFICIAL, 14),
    ("/trials", Role.OFFICIAL, 4),
    ("/contracts/{contract}/pricing", Role.OFFICIAL, 16),
    ("/statistics", None, 14),
    ("/statistics/plan", None, 4),
    ("/statistics/plan/rd_expenditure", None, 4),
    ("/sign-in", None, 2),
    ("/workbench", Role.STAFF, 19),
    ("/workbench", Role.BROKER, 14),
    ("/proposals", Role.BROKER, 6),
    ("/proposals/{proposal}", Role.BROKER, 10),
    ("/statistics/funnel", Role.BROKER, 18),
    ("/statistics/funnel/steps?step=suggested", Role.BROKER, 6),
    ("/workbench", Role.RESULTS_OFFICER, 18),
    ("/workbench", Role.DEMAND_OWNER, 16),
    ("/workbench", Role.BIDDER, 10),
    ("/workbench", Role.OFFICIAL, 12),
    ("/lots/{lot}", Role.BIDDER, 15),
    ("/results/{result}", Role.RESULTS_OFFICER, 19),
    ("/demands/{demand}", Role.DEMAND_OWNER, 19),
    ("/enquiries", Role.RESULTS_OFFICER, 6),
    ("/enquiries/{enquiry}", Role.RESULTS_OFFICER, 9),
    ("/contracts", Role.OFFICIAL, 7),
    ("/contracts/{contract}", Role.OFFICIAL, 17),
    ("/flags", Role.OFFICIAL, 5),
    ("/flags/{flag}", Role.OFFICIAL, 4),
    ("/statistics/contracts", Role.OFFICIAL, 11),
    ("/api/v1/results?per_page=100", None, 4),
    ("/api/v1/results/{result}", None, 6),
    ("/api/v1/demands?per_page=100", None, 4),
    ("/api/v1/demands/{demand}/partners", None, 11),
    ("/api/v1/search?q=自吸泵&per_page=50", None, 6),
    ("/api/v1/lots?per_page=100", None, 4),
    ("/api/v1/lots/{lot}/journal?limit=500", None, 4),
    ("/api/v1/organisations?per_page=100", None, 4),
    ("/api/v1/contracts?per_page=100", Role.OFFICIAL, 6),
    ("/api/v1/statistics/gdp-share", None, 7),
]


@dataclass
class Served:
    """A market over a full database, and the statements that it has run."""

    client: TestClient
    market: factories.Market
    statements: list[str]

    def count(self, path: str, role: Role | None) -> list[str]:
        """The statements of one request, which must succeed."""
        m = self.market
        path = path.format(
            result=m.results[0],
            demand=m.demands[0],
            lot=m.lots[0],
            contract=m.contracts[0],
            enquiry=m.enquiries[0],
            proposal=m.proposals[0],
            flag=m.flags[0],
            organisation=m.accounts[Role.RESULTS_OFFICER].organisation_id,
        )
        self.client.cookies.clear()
        if role is not None:
            self.client.cookies.set(COOKIE, m.accounts[role].cookie)
        self.statements.clear()
        answer = self.client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return list(self.statements)


def serve(request: pytest.FixtureRequest, folder: Path, size: dict[str, int]) -> Iterator[Served]:
    for database in make_database("sqlite", request, folder):
        settings = Settings(
            environment=Environment.TEST,
            data_dir=folder / "data",
            database_url=database.url.render_as_string(hide_password=False),  # type: ignore[arg-type]
            base_url="http://testserver",
            worker=WorkerMode.SEPARATE,
        )
        parts = wiring.build(
            settings, clock=FixedClock(NOW), monotonic=None, db=database, mailer=MemoryMailer()
        )
        market = factories.fill(database, NOW, **size)
        assert parts.index.acquire()
        reindex(database, parts.index)
        statements: list[str] = []

        def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any, kept: list[str] = statements) -> None:
            if statement not in ("BEGIN", "BEGIN IMMEDIATE"):
                kept.append(statement)

        sa.event.listen(database.engine, "before_cursor_execute", note)
        client = TestClient(create_app(parts), headers={"accept-language": "zh"}, follow_redirects=False)
        served = Served(client, market, statements)
        served.count("/", None)  # finds the newest matches, which the home page then keeps for a minute
        yield served
        client.close()
        parts.index.close()


@pytest.fixture(scope="module")
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serve(request, tmp_path_factory.mktemp("small"), SMALL)


@pytest.fixture(scope="module")
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serve(request, tmp_path_factory.mktemp("large"), LARGE)


@pytest.mark.xdist_group("query_counts")
@pytest.mark.parametrize(
    ("path", "role", "bound"), PAGES, ids=lambda value: str(value) if value else "visitor"
)
def test_statements_do_not_grow_with_the_rows(
    small: Served, large: Served, path: str, role: Role | None, bound: int
) -> None:
    few, many = small.count(path, role), large.count(path, role)
    again = large.count(path, role)
    assert len(many) == len(few), "\n".join(many)
    assert len(again) <= len(many) <= bound, "\n".join(many)


def test_finding_the_newest_matches_takes_a_bounded_number(small: Served, large: Served) -> None:
    """Once a minute the home page looks for partners of the twelve newest demands: four statements each."""
    for served in (small, large):
        app: Any = served.client.app
        app.state.recent_matches = RecentMatches()
        assert len(served.count("/", None)) <= 16 + 12 * 4
