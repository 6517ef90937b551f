"""The home page: the market as it is now."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.responses import Response

from auctions import queries as lots
from auctions.queries import LotCard
from auctions.rules.state import BIDDING, STOPPED, UPCOMING
from market.clock import local_date
from market.db import Session, t
from market.deals.models import Contract, ContractState
from market.demands import queries as demands
from market.demands.models import Demand
from market.demands.queries import DemandCard
from market.listings import queries as results
from market.listings.models import ListingState, Result
from market.listings.queries import ResultCard
from market.parties.models import Organisation, OrganisationState
from market.permissions import VISITOR
from market.statistics import queries as statistics
from matching import recommend
from matching.documents import Kind
from matching.index import IndexState
from matching.scoring import Band
from web.deps import PageDep, ReadTx
from web.render import Page
from web.wiring import Parts

router = APIRouter()

SHOWN = 6
MATCHED_FROM = 12
MATCHES_LAST = dt.timedelta(minutes=1)


@dataclass(frozen=True)
class Match:
    """A demand and the result that may answer it best."""

    demand_id: int
    demand_title: str
    result_id: int
    result_title: str
    band: Band


@dataclass(frozen=True)
class YearFigure:
    """The figure of the newest year that has a GDP; `value` and `target` in percent."""

    year: int
    value: Decimal
    numerator_fen: int
    gdp_fen: int
    target: Decimal | None
    caliber_name: str
    as_of: dt.date


@dataclass(frozen=True)
class Counts:
    """What the market holds."""

    results: int
    demands: int
    organisations: int
    contracts: int


@dataclass(frozen=True)
class HomePage:
    """Context of the home page."""

    live_lots: list[LotCard]
    upcoming_lots: list[LotCard]
    newest_results: list[ResultCard]
    newest_demands: list[DemandCard]
    recent_matches: list[Match]
    figure: YearFigure | None
    counts: Counts


@dataclass
class RecentMatches:
    """Matches of the newest demands, computed at most once a minute and whenever the index was rebuilt."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    at: dt.datetime | None = None
    generation: int = -1
    found: list[Match] = field(default_factory=list)

    def get(self, parts: Parts, session: Session, newest: list[DemandCard], now: dt.datetime) -> list[Match]:
        """The matches; whoever comes while another computes gets the previous ones."""
        index = parts.index
        if index.state is not IndexState.READY:
            return []
        old = self.at is None or now - self.at > MATCHES_LAST or self.generation != index.generation
        if old and self.lock.acquire(blocking=False):
            try:
                self.found = self._compute(parts, session, newest)
                self.at, self.generation = now, index.generation
            finally:
                self.lock.release()
        return self.found

    @staticmethod
    def _compute(parts: Parts, session: Session, newest: list[DemandCard]) -> list[Match]:
        found: list[Match] = []
        for demand in newest:
            if len(found) == SHOWN:
                break
            for partner in recommend.partners(Kind.DEMAND, demand.id, session, parts.index, 1):
                if partner.band is not Band.WEAK:
                    key, title = partner.document.key, partner.document.title
                    found.append(Match(demand.id, demand.title, key.id, title, partner.band))
        return found


def _figure(session: Session, page: Page) -> YearFigure | None:
    today = local_date(page.now)
    counting = statistics.caliber(session)
    found = statistics.figures(session, counting, statistics.years(session, today), as_of=today)
    year = statistics.default_year(found, today)
    chosen: Any = next((one for one in found if one.period.year == year), None)
    if chosen is None or chosen.denominator is None:
        return None
    target = statistics.plan_target(session)
    return YearFigure(
        year,
        chosen.percent,
        chosen.numerator_fen,
        chosen.denominator.value_fen,
        Decimal(target.value) if target is not None else None,
        counting.name if page.language == "zh-Hans" else counting.name_en or counting.name,
        today,
    )


def _counts(session: Session) -> Counts:
    def counted(table: sa.Table, state: str) -> sa.ScalarSelect[int]:
        return sa.select(sa.func.count()).select_from(table).where(table.c.state == state).scalar_subquery()

    row = session.execute(
        sa.select(
            counted(t(Result), ListingState.PUBLISHED),
            counted(t(Demand), ListingState.PUBLISHED),
            counted(t(Organisation), OrganisationState.VERIFIED),
            counted(t(Contract), ContractState.REGISTERED),
        )
    ).one()
    return Counts(*row)


@router.get("/")
def home(page: PageDep, session: ReadTx) -> Response:
    """What is live, what is new, what matched, and the figure of the year."""
    english = page.language == "en"
    newest_results, _ = results.results(
        session, VISITOR, results.Filter(), limit=SHOWN, english=english
    )
    newest_demands, _ = demands.demands(
        session, VISITOR, results.Filter(), limit=MATCHED_FROM, english=english
    )
    live, _ = lots.list_lots(session, states=BIDDING | STOPPED, limit=SHOWN)
    upcoming, _ = lots.list_lots(session, states=UPCOMING, limit=SHOWN)
    matches: RecentMatches = page.request.app.state.recent_matches
    return page.render(
        "home.html",
        HomePage(
            live,
            upcoming,
            newest_results,
            newest_demands[:SHOWN],
            matches.get(page.parts, session, newest_demands, page.now),
            _figure(session, page),
            _counts(session),
        ),
    )


@router.get("/style")
def style(page: PageDep) -> Response:
    """Every component on one page, for those who write pages."""
    return page.render("style.html")
