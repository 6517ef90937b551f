"""The figure carried away: the report as PDF and XLSX, its tables as CSV, a card for other people's pages."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.errors import NotFound
from market.exchange.readers import FileForm
from market.exchange.writers import MEDIA_TYPES
from market.permissions import Action
from market.statistics import queries, rules
from web import figure_report
from web.deps import PageDep, ReadTx
from web.figures import KeptFigures
from web.render import Page, url
from web.routes.statistics import YEARS_SHOWN, asked_for, caliber_asked, csv_line

router = APIRouter()


def _figures(page: Page, session: Session) -> tuple[queries.Figure, list[queries.Figure]]:
    """The figure that the page of the same address shows, and its course over the years.

    `month=2026-03` asks for the year to the end of that month, as known then.
    """
    asked = asked_for(page)
    month = re.fullmatch(r"((?:19|20)[0-9]{2})-(0[1-9]|1[0-2])", page.request.query_params.get("month", ""))
    if month:
        year, number = int(month[1]), int(month[2])
        end = min(rules.month_end(year, number), local_date(page.now))
        if not page.actor.can(Action.STATISTICS_READ_DETAIL):
            end = rules.public_day(end, local_date(page.now))
        asked = replace(asked, year=year, quarter=4, as_of=end)
    counting = caliber_asked(session, asked.caliber)
    known = queries.years(session, asked.as_of)
    shown = sorted({*known[:YEARS_SHOWN], *([asked.year] if asked.year in known else [])})
    kept: KeptFigures = page.request.app.state.figures
    course = kept.years(session, counting, shown, as_of=asked.as_of, actor=page.actor, now=page.now)
    year = asked.year or queries.default_year(course, asked.as_of)
    held = course[0].held
    figure = queries.figure(session, counting, year, asked.quarter, as_of=asked.as_of, held=held)
    return figure, course


def _report(page: Page, session: Session) -> tuple[figure_report.Report, str]:
    figure, course = _figures(page, session)
    report = figure_report.build(
        session,
        figure,
        course,
        queries.plan_target(session),
        page.language,
        detail=page.actor.can(Action.STATISTICS_READ_DETAIL),
        now=page.now,
    )
    return report, f"figure-{figure.period.year}-{figure.caliber.code}-{figure.as_of.isoformat()}"


def _file(body: bytes | str, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return Response(body, media_type=media_type, headers=headers)


@router.get("/statistics/report.pdf")
def report_pdf(page: PageDep, session: ReadTx) -> Response:
    """The report on the figure that the same address shows as a page."""
    report, name = _report(page, session)
    made = figure_report.pdf(report, page.parts.settings, page.language)
    return _file(made, "application/pdf", f"{name}.pdf")


@router.get("/statistics/report.xlsx")
def report_xlsx(page: PageDep, session: ReadTx) -> Response:
    """The same as a workbook."""
    report, name = _report(page, session)
    return _file(figure_report.xlsx(report), MEDIA_TYPES[FileForm.XLSX], f"{name}.xlsx")


@router.get("/statistics/table.csv")
def table_csv(page: PageDep, session: ReadTx) -> Response:
    """One table of the report (`of`): `share` over the years, or a breakdown. Amounts are in yuan."""
    report, name = _report(page, session)
    wanted = page.request.query_params.get("of", "")
    table = next((one for one in report.tables if one.key == wanted), None)
    if table is None:
        raise NotFound(subject="table")
    lines = [csv_line(table.head), *(csv_line([str(cell) for cell in row]) for row in table.rows)]
    # The mark tells spreadsheets that the file is UTF-8.
    return _file("\ufeff" + "".join(lines), "text/csv; charset=utf-8", f"{name}-{table.key}.csv")


@dataclass(frozen=True)
class EmbeddedFigure:
    """Context of the card."""

    figure: queries.Figure
    address: str
    market_name: str
    demo: bool


@router.get("/embed/statistics")
def embed(page: PageDep, session: ReadTx) -> Response:
    """The newest figure of a caliber, for a frame in somebody else's page."""
    asked = asked_for(page)
    counting = caliber_asked(session, asked.caliber)
    kept: KeptFigures = page.request.app.state.figures
    today = local_date(page.now)
    years = queries.years(session, today)[:YEARS_SHOWN]
    course = kept.years(session, counting, years, as_of=today, actor=page.actor, now=page.now)
    year = asked.year or queries.default_year(course, today)
    figure = next((one for one in course if one.period.year == year), None)
    if figure is None:
        raise NotFound(subject="figure")
    settings = page.parts.settings
    context = EmbeddedFigure(
        figure=figure,
        address=settings.base_url.rstrip("/") + url("/statistics", year=year, caliber=counting.code),
        market_name=settings.name_en if page.language == "en" else settings.name,
        demo=settings.demo,
    )
    return page.render("statistics/embed.html", context)
