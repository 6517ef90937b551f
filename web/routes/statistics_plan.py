"""The plan monitor: Table 1 with base and target as printed, yearly values with their sources, a table to download."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.permissions import Action, require
from market.statistics import plan, rules
from market.statistics.inputs import PlanValueInput
from web import charts, i18n
from web.deps import FormDep, PageDep, ReadTx
from web.forms import Form
from web.render import Page, iso
from web.routes.statistics import csv_line

router = APIRouter()


@dataclass(frozen=True)
class Row:
    """A row of the plan's table, with words for what was computed."""

    indicator: plan.Indicator
    path: str
    """Where the line is in the newest value's year."""
    way: str
    way_percent: int | None
    """For the bar: 0 to 100."""


@dataclass(frozen=True)
class PlanPage:
    """Context of the plan's table."""

    rows: list[Row]
    notes: list[str]
    states: list[tuple[plan.PlanState, int]]
    source: str
    form: Form
    may_manage: bool
    may_foretell: bool
    share_code: str
    last_year: int


def decimals(value: Fraction, places: int = 2) -> str:
    """A fraction with so many decimals at most, rounded half up."""
    scaled = rules.percent(value / 100, places)
    text = f"{scaled:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _row(one: plan.Indicator) -> Row:
    path = None if one.newest is None else one.path(one.newest.year)
    way = one.way
    return Row(
        one,
        "" if path is None else decimals(path),
        "" if way is None else f"{rules.percent(way, 0)}%",
        None if way is None else int(min(Fraction(1), max(Fraction(0), way)) * 100),
    )


def _note(one: plan.Indicator, language: str) -> str:
    return one.note_en if language == "en" and one.note_en else one.note


def _show(page: Page, session: Session, form: Form | None = None, *, status: int = 200) -> Response:
    found = plan.indicators(session)
    last = local_date(page.now).year - 1
    context = PlanPage(
        rows=[_row(one) for one in found],
        notes=list(dict.fromkeys(note for one in found if (note := _note(one, page.language)))),
        states=[(state, sum(one.state is state for one in found)) for state in plan.PlanState],
        source=found[0].source if found else "",
        form=form or Form.from_values({"indicator": "", "year": last}),
        may_manage=page.actor.can(Action.STATISTICS_MANAGE),
        may_foretell=page.actor.can(Action.STATISTICS_READ_DETAIL),
        share_code=rules.PLAN_INDICATOR,
        last_year=last,
    )
    return page.render("statistics/plan.html", context, status=status)


@router.get("/statistics/plan")
def show_plan(page: PageDep, session: ReadTx) -> Response:
    """Table 1 with the state of each indicator; for officials, the form to enter a value."""
    return _show(page, session)


@router.post("/statistics/plan")
def enter_value(page: PageDep, form: FormDep) -> Response:
    """Enter what an indicator reached in a year."""
    require(page.actor, Action.STATISTICS_MANAGE)

    def action(session: Session) -> str:
        data = form.parse(PlanValueInput)
        plan.add_value(session, page.actor, page.now, data)
        return f"/statistics/plan/{data.indicator}"

    def again(form: Form) -> Response:
        with page.parts.db.read() as session:
            return _show(page, session, form)

    return page.submit(form, action, again, flash="saved")


_CSV = (
    "indicator", "name", "name_en", "unit", "base_year", "base", "target_year", "target", "year", "value",
    "path", "source", "entered_at", "counts",
)  # fmt: skip


def _lines(found: Iterable[plan.Indicator]) -> Iterator[str]:
    # The mark tells spreadsheets that the file is UTF-8.
    yield "\ufeff" + csv_line(list(_CSV))
    for one in found:
        head = [
            one.code, one.name, one.name_en, one.unit, str(one.base_year or ""), one.base_text,
            str(one.target_year), one.target_text,
        ]  # fmt: skip
        for entry in one.entries or (None,):
            if entry is None:
                yield csv_line([*head, "", "", "", "", "", ""])
                continue
            path = one.path(entry.year)
            told = [
                str(entry.year), f"{entry.value:f}", "" if path is None else decimals(path, 4), entry.source,
                iso(entry.entered_at), "1" if entry.counts else "0",
            ]  # fmt: skip
            yield csv_line([*head, *told])


@router.get("/statistics/plan.csv")
def download_plan(session: ReadTx) -> Response:
    """The table with every value entered, superseded ones marked; a row for each value."""
    return Response(
        "".join(_lines(plan.indicators(session))),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="plan.csv"'},
    )


@dataclass(frozen=True)
class IndicatorPage:
    """Context of one indicator."""

    row: Row
    chart: Markup
    table: list[list[str]]
    note: str
    is_share: bool
    form: Form
    may_manage: bool
    may_foretell: bool


def _chart(one: plan.Indicator, language: str) -> Markup:
    corners = [charts.Mark(one.target_year, one.target, f"{one.target_text}{one.unit}")]
    if one.base is not None and one.base_year is not None:
        corners.insert(0, charts.Mark(one.base_year, one.base, f"{one.base_text}{one.unit}"))
    marks = [charts.Mark(value.year, value.value, f"{value.value:f}{one.unit}") for value in one.values]
    years = {mark.year for mark in (*corners, *marks)}
    title = i18n.term("chart.plan_title", language, {"name": one.name_en if language == "en" else one.name})
    return charts.path(
        corners, marks, years=list(range(min(years), max(years) + 1)), title=title, axis=one.unit
    )


def _quantized(value: Fraction | None) -> str:
    return "—" if value is None else f"{Decimal(decimals(value)).quantize(Decimal('0.01'), ROUND_HALF_UP):f}"


@router.get("/statistics/plan/{code}")
def show_indicator(page: PageDep, session: ReadTx, code: str) -> Response:
    """One indicator: the path, its values, what was entered before and by whom."""
    one = plan.indicator(session, code)
    values = {value.year: f"{value.value:f}" for value in one.values}
    years = range(min([one.base_year or one.target_year, *values]), max([one.target_year, *values]) + 1)
    context = IndicatorPage(
        row=_row(one),
        chart=_chart(one, page.language),
        table=[[str(year), _quantized(one.path(year)), values.get(year, "—")] for year in years],
        note=_note(one, page.language),
        is_share=one.code == rules.PLAN_INDICATOR,
        form=Form.from_values({"indicator": one.code, "year": local_date(page.now).year - 1}),
        may_manage=page.actor.can(Action.STATISTICS_MANAGE),
        may_foretell=page.actor.can(Action.STATISTICS_READ_DETAIL),
    )
    return page.render("statistics/plan_indicator.html", context)
