"""The home page: the market as it is now."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.responses import Response

from auctions import queries as lots
from auctions.queries import LotCard
from auctions.rules.state import OPEN, STOPPED, UPCOMING
from market.clock import local_date
from market.db import Session, t
from market.deals.models import Contract, ContractState
from market.demands import queries as demands
from market.demands.queries import DemandCard
from market.listings import queries as results
from market.listings.queries import ResultCard
from market.parties.models import Organisation, OrganisationState
from market.permissions import VISITOR
from market.statistics import queries as statistics
from web.deps import PageDep, ReadTx
from web.figures import KeptFigures
from web.matches import Match, RecentMatches
from web.render import Page

router = APIRouter()

SHOWN = 6
LOOKED_AT = 12


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


def _figure(session: Session, page: Page) -> YearFigure | None:
    today = local_date(page.now)
    counting = statistics.caliber(session)
    published = statistics.releases(session, counting.region_code)
    told = [one.year for one in published if one.quarter == 4 and one.published_on <= today]
    if not told:
        return None
    year = max(told)
    kept: KeptFigures = page.request.app.state.figures
    (chosen,) = kept.years(session, counting, [year], as_of=today, actor=page.actor, now=page.now)
    if chosen.denominator is None or chosen.percent is None:
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


def _counted(table: sa.Table, state: str) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(table).where(table.c.state == state).scalar_subquery()


def _held(session: Session) -> tuple[int, int]:
    """Verified organisations, registered contracts."""
    row = session.execute(
        sa.select(
            _counted(t(Organisation), OrganisationState.VERIFIED),
            _counted(t(Contract), ContractState.REGISTERED),
        )
    ).one()
    return row[0], row[1]


@router.get("/")
def home(page: PageDep, session: ReadTx) -> Response:
    """What is live, what is new, what matched, and the figure of the year."""
    english = page.language == "en"
    newest_results, result_count = results.results(
        session, VISITOR, results.Filter(), limit=SHOWN, english=english
    )
    newest_demands, demand_count = demands.demands(
        session, VISITOR, results.Filter(), limit=LOOKED_AT, english=english
    )
    open_lots, _ = lots.list_lots(session, states=OPEN | STOPPED | UPCOMING, limit=50)
    organisations, contracts = _held(session)
    matches: RecentMatches = page.request.app.state.recent_matches
    return page.render(
        "home.html",
        HomePage(
            [lot for lot in open_lots if lot.state not in UPCOMING][:SHOWN],
            [lot for lot in open_lots if lot.state in UPCOMING][:SHOWN],
            newest_results,
            newest_demands[:SHOWN],
            matches.get(session, page.parts.index, [one.id for one in newest_demands], page.now),
            _figure(session, page),
            Counts(result_count, demand_count, organisations, contracts),
        ),
    )


@router.get("/style")
def style(page: PageDep) -> Response:
    """Every component on one page, for those who write pages."""
    return page.render("style.html")
