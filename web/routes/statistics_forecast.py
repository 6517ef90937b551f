"""What the running year may come to, for officials: the forecast with its parts, the contracts that wait, a table."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from dataclasses import dataclass
from decimal import Decimal

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.deals.models import ContractState
from market.money import FEN_PER_YI, yuan
from market.permissions import Action, require
from market.statistics import forecast, queries, rules
from market.statistics.counting import end_of_day
from market.statistics.forecast import Forecast
from web import charts, i18n
from web.deps import PageDep, ReadTx
from web.render import Page, url
from web.routes.statistics import asked_for, caliber_asked

router = APIRouter()
PER_PAGE = 50


@dataclass(frozen=True)
class Rates:
    """Shares in percent with two decimals; None where there is none."""

    registered: Decimal | None
    low: Decimal | None
    mid: Decimal | None
    high: Decimal | None
    growth: Decimal | None


@dataclass(frozen=True)
class StageRow:
    """What waits in a state, in words."""

    stage: forecast.Stage
    rate: str
    expected_fen: int
    href: str


@dataclass(frozen=True)
class ForecastPage:
    """Context of the forecast. `found` is None for a caliber that has none."""

    found: Forecast | None
    counting: queries.CaliberRow
    calibers: list[queries.CaliberRow]
    as_of: dt.date
    is_today: bool
    rates: Rates | None
    stages: list[StageRow]
    registered_href: str
    waiting_href: str
    csv_href: str
    chart: Markup
    table: list[list[str]]


def _percent(found: Forecast, fen: int | None) -> Decimal | None:
    share = None if fen is None else found.share(fen)
    return None if share is None else rules.percent(share, 2)


def _chart(found: Forecast, language: str) -> Markup:
    names = [i18n.term(f"forecast.{key}", language) for key in ("registered", "later", "waiting", "beyond")]
    registered, later, waiting, beyond = names
    parts = []
    for one in found.earlier:
        parts.append(charts.Part(str(one.year), registered, _yi(one.by_day_fen)))
        parts.append(charts.Part(str(one.year), later, _yi(one.whole_fen - one.by_day_fen)))
    this = str(found.year)
    amounts = ((registered, found.registered_fen), (waiting, found.expected_fen), (beyond, found.beyond_fen))
    parts += [charts.Part(this, name, _yi(fen)) for name, fen in amounts if fen]
    words = []
    if found.target is not None:
        target = {"value": f"{found.target.value}{found.target.unit}", "year": found.target.year}
        words = [
            i18n.term("chart.target_name", language),
            i18n.term("chart.target_value", language, target),
        ]
    return charts.outlook(
        parts,
        xs=[*(str(one.year) for one in found.earlier), this],
        series=names,
        low=_yi(found.low_fen),
        high=_yi(found.high_fen),
        needed=None if found.needed_fen is None else _yi(found.needed_fen),
        words=words,
        title=i18n.term("forecast.chart", language, {"year": found.year}),
        axis=i18n.term("chart.kind_axis", language),
    )


def _yi(fen: int) -> Decimal:
    return Decimal(fen) / FEN_PER_YI


def table_of(found: Forecast, language: str) -> tuple[list[str], list[list[str]]]:
    """The forecast as a table: a row for each earlier year and each part of this one; amounts in yuan."""

    def say(key: str) -> str:
        return i18n.term(f"forecast.{key}", language)

    head = [say(key) for key in ("part", "contracts", "amount", "share", "remark")]
    rows = [
        [f"{one.year} {say(key)}", "", yuan(fen), "", ""]
        for one in found.earlier
        for key, fen in (("registered", one.by_day_fen), ("later", one.whole_fen - one.by_day_fen))
    ]

    def amount(key: str, fen: int | None, count: int | None = None, remark: str = "") -> list[str]:
        share = _percent(found, fen)
        return [
            f"{found.year} {say(key)}",
            "" if count is None else str(count),
            "" if fen is None else yuan(fen),
            "" if share is None else f"{share}%",
            remark,
        ]

    rows.append(amount("registered", found.registered_fen, found.registered_count))
    for stage in found.stages:
        remark = f"{rules.percent(stage.rate, 2)}%"
        name = f"{found.year} {say('waits')}: {i18n.label(stage.state, language)}"
        rows.append([name, str(stage.count), yuan(stage.fen), "", remark])
    rows += [
        amount("waiting", found.expected_fen),
        amount("beyond", found.beyond_fen),
        amount("low", found.low_fen, remark=say("not_a_statistic")),
        amount("mid", found.mid_fen, remark=say("not_a_statistic")),
        amount("high", found.high_fen, remark=say("not_a_statistic")),
        amount("needed", found.needed_fen),
        amount("gdp", found.gdp.fen or None, remark=i18n.label(found.gdp.basis, language)),
    ]
    return head, rows


def _context(page: Page, session: Session) -> ForecastPage:
    asked = asked_for(page)
    counting = caliber_asked(session, asked.caliber)
    every = [one for one in queries.calibers(session) if forecast.can_foretell(one)]
    today = local_date(page.now)
    day = None if asked.as_of >= today else asked.as_of.isoformat()
    place = {"caliber": counting.code, "as_of": day}
    found = None
    if forecast.can_foretell(counting):
        found = forecast.forecast(session, counting, at=end_of_day(asked.as_of))
    stages = []
    for stage in found.stages if found else ():
        href = url("/statistics/forecast/waiting", **place, state=stage.state.value)
        rate = f"{rules.percent(stage.rate, 0)}% ({stage.came + 1}/{stage.waited + 2})"
        stages.append(StageRow(stage, rate, int(stage.fen * stage.rate), href))
    growth = found.gdp.growth if found else None
    return ForecastPage(
        found=found,
        counting=counting,
        calibers=every,
        as_of=asked.as_of,
        is_today=day is None,
        rates=Rates(
            _percent(found, found.registered_fen),
            _percent(found, found.low_fen),
            _percent(found, found.mid_fen),
            _percent(found, found.high_fen),
            None if growth is None else rules.percent(growth, 2),
        )
        if found
        else None,
        stages=stages,
        registered_href=url("/statistics/contracts", year=asked.as_of.year, **place),
        waiting_href=url("/statistics/forecast/waiting", **place),
        csv_href=url("/statistics/forecast.csv", **place),
        chart=_chart(found, page.language) if found else Markup(),
        table=table_of(found, page.language)[1] if found else [],
    )


@router.get("/statistics/forecast")
def show_forecast(page: PageDep, session: ReadTx) -> Response:
    """The forecast of the year of a day (today), as of that day."""
    require(page.actor, Action.STATISTICS_READ_DETAIL)
    return page.render("statistics/forecast.html", _context(page, session))


@router.get("/statistics/forecast.csv")
def download_forecast(page: PageDep, session: ReadTx) -> Response:
    """The same as a table for a spreadsheet; amounts in yuan. Raises InvalidInput for a caliber without a forecast."""
    require(page.actor, Action.STATISTICS_READ_DETAIL)
    asked = asked_for(page)
    found = forecast.forecast(session, caliber_asked(session, asked.caliber), at=end_of_day(asked.as_of))
    head, rows = table_of(found, page.language)
    out = io.StringIO()
    csv.writer(out).writerows([head, *rows])
    name = f"forecast-{found.year}-{found.caliber.code}-{found.day.isoformat()}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    # The mark tells spreadsheets that the file is UTF-8.
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@dataclass(frozen=True)
class WaitingPage:
    """Context of the contracts that wait."""

    counting: queries.CaliberRow
    contracts: list[forecast.WaitingContract]
    states: list[tuple[ContractState, int, str]]
    state: ContractState | None
    total: int
    sum_fen: int
    current_page: int
    pages: int
    as_of: dt.date
    back: str
    all_href: str


@router.get("/statistics/forecast/waiting")
def show_waiting(page: PageDep, session: ReadTx) -> Response:
    """The contracts behind the forecast's waiting part, all or of one state."""
    require(page.actor, Action.STATISTICS_READ_DETAIL)
    asked = asked_for(page)
    counting = caliber_asked(session, asked.caliber)
    at = end_of_day(asked.as_of)
    every = forecast.waiting(session, counting, at, known=at) if forecast.can_foretell(counting) else []
    wanted = page.request.query_params.get("state", "")
    state = next((one for one in forecast.WAITING if one.value == wanted), None)
    found = [one for one in every if state is None or one.state is state]
    number = page.request.query_params.get("page", "")
    pages = max(1, -(-len(found) // PER_PAGE))
    current = max(1, min(int(number), pages)) if re.fullmatch(r"[0-9]{1,6}", number) else 1
    place = {
        "caliber": counting.code,
        "as_of": None if asked.as_of >= local_date(page.now) else asked.as_of.isoformat(),
    }
    context = WaitingPage(
        counting=counting,
        contracts=forecast.named(session, found[(current - 1) * PER_PAGE : current * PER_PAGE]),
        states=[
            (
                one,
                sum(waits.state is one for waits in every),
                url("/statistics/forecast/waiting", **place, state=one.value),
            )
            for one in forecast.WAITING
        ],
        state=state,
        total=len(found),
        sum_fen=sum(one.fen for one in found),
        current_page=current,
        pages=pages,
        as_of=asked.as_of,
        back=url("/statistics/forecast", **place),
        all_href=url("/statistics/forecast/waiting", **place),
    )
    return page.render("statistics/forecast_waiting.html", context)
