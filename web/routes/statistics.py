"""The officials' figure: the share of GDP with its caliber and inputs, down to the single contract.

Everybody may read it. Single contracts' amounts, and cells so small that they would tell one, are for
those who may read the detail.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response, StreamingResponse

from market.clock import local_date
from market.db import Session
from market.deals.models import ContractKind
from market.errors import NotFound
from market.money import yuan
from market.permissions import Action, require
from market.statistics import calibers, forecast, queries, rules, service, snapshots
from market.statistics.counting import Held
from market.statistics.inputs import GdpReleaseInput, SnapshotInput
from market.statistics.models import AmountMeasure, Vintage
from market.statistics.rules import Dimension
from matching.proposals import funnel
from web import i18n
from web.deps import FormDep, PageDep, ReadTx
from web.figures import KeptFigures
from web.forms import Form
from web.render import Page, url
from web.routes.statistics_parts import (
    Breakdown,
    breakdowns,
    by_kind_and_year,
    cell_names,
    drill,
    kind_chart,
    share_chart,
)

router = APIRouter()

YEARS_SHOWN = 6
PER_PAGE = 50


@dataclass(frozen=True)
class FigurePage:
    """Context of the figure's page."""

    figure: queries.Figure
    figures: list[queries.Figure]
    calibers: list[queries.CaliberRow]
    by_measure: list[tuple[AmountMeasure, queries.CaliberRow]]
    years: list[int]
    quarter: int
    as_of: dt.date
    is_today: bool
    target: Any
    share_chart: Markup
    kind_chart: Markup
    kind_table: tuple[list[str], list[list[str]]]
    kinds_break: bool
    """Whether years stand side by side of which some counted licences as assignments."""
    breakdowns: list[Breakdown]
    releases: list[queries.ReleaseRow]
    published: list[snapshots.SnapshotRow]
    empty: bool
    detail: bool
    may_manage: bool
    may_funnel: bool
    may_foretell: bool


@dataclass(frozen=True)
class Asked:
    """What the address asks for; a value that means nothing is ignored, for links grow old."""

    caliber: str | None
    year: int | None
    quarter: int
    as_of: dt.date


def asked_for(page: Page) -> Asked:
    """What the address asks for."""
    query, today = page.request.query_params, local_date(page.now)
    code, year, quarter = query.get("caliber", ""), query.get("year", ""), query.get("quarter", "")
    try:
        as_of = dt.date.fromisoformat(query.get("as_of", ""))
    except ValueError:
        as_of = today
    as_of = min(as_of, today) if as_of.year >= 1990 else today
    return Asked(
        code if re.fullmatch(r"[A-Z][0-9A-Z]{0,7}", code) else None,
        int(year) if re.fullmatch(r"(19|20)[0-9]{2}", year) else None,
        int(quarter) if quarter in ("1", "2", "3", "4") else 4,
        as_of if page.actor.can(Action.STATISTICS_READ_DETAIL) else rules.public_day(as_of, today),
    )


def caliber_asked(session: Session, code: str | None) -> queries.CaliberRow:
    """The caliber of a code; the default one for a code that is none."""
    try:
        return queries.caliber(session, code)
    except NotFound:
        return queries.caliber(session)


def held_back(page: Page, session: Session, counting: queries.CaliberRow, as_of: dt.date) -> tuple[Held, ...]:
    """What the page's reader is not told of a caliber yet."""
    kept: KeptFigures = page.request.app.state.figures
    return kept.held(session, counting, as_of=as_of, actor=page.actor, now=page.now)


@router.get("/statistics")
def show_figure(page: PageDep, session: ReadTx) -> Response:
    """The figure, its inputs, its course over the years and what it is made of."""
    asked = asked_for(page)
    detail = page.actor.can(Action.STATISTICS_READ_DETAIL)
    counting = caliber_asked(session, asked.caliber)
    known = queries.years(session, asked.as_of)
    shown = sorted({*known[:YEARS_SHOWN], *([asked.year] if asked.year in known else [])})
    kept: KeptFigures = page.request.app.state.figures
    course = kept.years(session, counting, shown, as_of=asked.as_of, actor=page.actor, now=page.now)
    year = asked.year or queries.default_year(course, asked.as_of)
    by_year = {one.period.year: one for one in course}
    if asked.quarter == 4 and year in by_year:
        figure = kept.whole(session, by_year[year])
    else:
        held = course[0].held
        figure = queries.figure(session, counting, year, asked.quarter, as_of=asked.as_of, held=held)
    target = queries.plan_target(session)
    table = by_kind_and_year(course, page.language, detail=detail)
    published, _ = snapshots.snapshots(session, limit=8)
    every = queries.calibers(session)
    context = FigurePage(
        figure=figure,
        figures=course[::-1],
        calibers=every,
        by_measure=calibers.by_measure(every, counting),
        years=sorted({*known, year}, reverse=True),
        quarter=asked.quarter,
        as_of=asked.as_of,
        is_today=asked.as_of == local_date(page.now),
        target=target,
        share_chart=share_chart(course, target, page.language),
        kind_chart=kind_chart(course, page.language, detail=detail),
        kind_table=table,
        kinds_break=rules.breaks(one.taxonomies for one in course),
        breakdowns=breakdowns(session, page.language, figure, detail=detail),
        releases=queries.releases(session, counting.region_code),
        published=published,
        empty=not any(one.contract_count for one in course) and not figure.contract_count,
        detail=detail,
        may_manage=page.actor.can(Action.STATISTICS_MANAGE),
        may_funnel=funnel.may_read(page.actor),
        may_foretell=detail and forecast.can_foretell(counting),
    )
    return page.render("statistics/figure.html", context)


@dataclass(frozen=True)
class CountedPage:
    """Context of the contracts inside a figure."""

    figure: queries.Figure
    contracts: list[queries.Counted]
    kinds: dict[str, ContractKind]
    filters: list[tuple[str, str]]
    total: int
    sum_fen: int | None
    current_page: int
    pages: int
    detail: bool
    csv_href: str


def _narrowed(page: Page) -> tuple[dict[Dimension, str], dict[str, str]]:
    query = page.request.query_params
    wanted = {key.value: query[key.value] for key in Dimension if query.get(key.value)}
    return {Dimension(key): "" if value == "-" else value for key, value in wanted.items()}, wanted


def _figure_asked(page: Page, session: Session) -> queries.Figure:
    asked = asked_for(page)
    counting = caliber_asked(session, asked.caliber)
    year = asked.year
    if year is None:
        published = queries.releases(session, counting.region_code)
        year = max((one.year for one in published if one.quarter == asked.quarter), default=asked.as_of.year)
    held = held_back(page, session, counting, asked.as_of)
    return queries.figure(session, counting, year, asked.quarter, as_of=asked.as_of, dimensions=(), held=held)


@router.get("/statistics/contracts")
def show_counted(page: PageDep, session: ReadTx) -> Response:
    """The contracts that a figure counts, each with a link to its record."""
    figure = _figure_asked(page, session)
    cells, wanted = _narrowed(page)
    detail = page.actor.can(Action.STATISTICS_READ_DETAIL)
    number = page.request.query_params.get("page", "")
    total, sum_fen = queries.total(session, figure, cells)
    pages = max(1, -(-total // PER_PAGE))
    current = max(1, min(int(number), pages)) if re.fullmatch(r"[0-9]{1,6}", number) else 1
    context = CountedPage(
        figure=figure,
        contracts=queries.contracts(session, figure, cells, limit=PER_PAGE, offset=(current - 1) * PER_PAGE),
        kinds={kind.value: kind for kind in ContractKind},
        filters=_filter_words(session, page, figure, wanted),
        total=total,
        sum_fen=sum_fen if detail else None,
        current_page=current,
        pages=pages,
        detail=detail,
        csv_href=drill(figure, **wanted).replace("/statistics/contracts", "/statistics/contracts.csv", 1),
    )
    return page.render("statistics/contracts.html", context)


def _filter_words(
    session: Session, page: Page, figure: queries.Figure, wanted: dict[str, str]
) -> list[tuple[str, str]]:
    words: list[tuple[str, str]] = []
    if not wanted:
        return words
    names = cell_names(session, figure, page.language)
    for key, value in wanted.items():
        text = names[Dimension(key)].get("" if value == "-" else value, value)
        rest = {name: one for name, one in page.request.query_params.items() if name not in (key, "page")}
        words.append(
            (f"{i18n.label(Dimension(key), page.language)}: {text}", url(page.request.url.path, **rest))
        )
    return words


_CSV = (
    "local_number", "registration_number", "title", "kind", "registered_on", "seller_name", "seller_region",
    "buyer_name", "buyer_region", "industry_code", "source", "deal_fen", "technology_fen", "fen",
)  # fmt: skip


@router.get("/statistics/contracts.csv")
def download_counted(page: PageDep, session: ReadTx) -> Response:
    """The contracts inside a figure as a table for a spreadsheet; amounts in yuan."""
    require(page.actor, Action.STATISTICS_READ_DETAIL)
    figure = _figure_asked(page, session)
    cells, _ = _narrowed(page)
    language = page.language
    head = [i18n.term(f"csv.{name}", language) for name in _CSV]
    kinds = {kind.value: i18n.label(kind, language) for kind in ContractKind}

    def lines() -> Iterator[str]:
        with page.parts.db.read() as reading:
            yield from _table(queries.all_contracts(reading, figure, cells))

    def _table(found: Iterable[queries.Counted]) -> Iterator[str]:
        # The mark tells spreadsheets that the file is UTF-8.
        yield "\ufeff"
        yield csv_line(head)
        for one in found:
            values = [getattr(one, name) for name in _CSV]
            values[_CSV.index("kind")] = kinds[one.kind]
            for name in ("deal_fen", "technology_fen", "fen"):
                values[_CSV.index(name)] = yuan(getattr(one, name))
            yield csv_line(["" if value is None else str(value) for value in values])

    name = f"contracts-{figure.period.year}-{figure.caliber.code}.csv"
    return StreamingResponse(
        lines(),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


def csv_line(values: list[str]) -> str:
    """A line of a table for a spreadsheet, safe to open."""
    out = io.StringIO()
    # A spreadsheet would run a title that begins like a formula.
    csv.writer(out).writerow(
        [f"'{value}" if value[:1] in "=+-@\t" and value[:1] else value for value in values]
    )
    return out.getvalue()


@dataclass(frozen=True)
class ManagePage:
    """Context of the page where officials enter GDP releases and publish figures."""

    release_form: Form
    snapshot_form: Form
    calibers: list[queries.CaliberRow]
    releases: list[queries.ReleaseRow]
    published: list[snapshots.SnapshotRow]
    vintages: list[Vintage]
    region_code: str


def _manage(page: Page, release_form: Form | None = None, snapshot_form: Form | None = None) -> Response:
    require(page.actor, Action.STATISTICS_MANAGE)
    year = local_date(page.now).year - 1
    with page.parts.db.read() as session:
        counting = queries.caliber(session)
        context = ManagePage(
            release_form=release_form
            or Form.from_values(
                {"region_code": counting.region_code, "year": year, "quarter": 4, "vintage": "first"}
            ),
            snapshot_form=snapshot_form
            or Form.from_values({"caliber": counting.code, "year": year, "quarter": 4}),
            calibers=queries.calibers(session),
            releases=queries.releases(session),
            published=snapshots.snapshots(session, limit=20)[0],
            vintages=list(Vintage),
            region_code=counting.region_code,
        )
    return page.render("statistics/manage.html", context)


@router.get("/statistics/manage")
def manage(page: PageDep) -> Response:
    """Enter GDP releases, publish figures."""
    return _manage(page)


@router.post("/statistics/releases")
def add_release(page: PageDep, form: FormDep) -> Response:
    """Enter a GDP release."""

    def action(session: Session) -> str:
        service.add_gdp_release(session, page.actor, page.now, form.parse(GdpReleaseInput))
        return "/statistics/manage"

    require(page.actor, Action.STATISTICS_MANAGE)
    return page.submit(form, action, lambda form: _manage(page, release_form=form), flash="saved")


@router.post("/statistics/snapshots")
def publish(page: PageDep, form: FormDep) -> Response:
    """Freeze and publish a figure."""

    def action(session: Session) -> str:
        data = form.parse(SnapshotInput)
        number = service.publish_snapshot(session, page.actor, page.now, data, page.parts.seal)
        return f"/statistics/snapshots/{number}"

    require(page.actor, Action.STATISTICS_MANAGE)
    return page.submit(form, action, lambda form: _manage(page, snapshot_form=form), flash="published")
