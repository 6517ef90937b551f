"""The report on a figure: one set of words and tables, as PDF, as XLSX and as CSV.

All three are made of what the page of the figure is made of, so that they cannot tell different numbers. Text
that a spreadsheet would take for a formula gets an apostrophe.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.styles import Font

from market.clock import SHANGHAI
from market.db import Session
from market.exchange.writers import guard
from market.money import FEN_PER_YUAN
from market.statistics import queries, rules
from market.statistics.models import PlanTarget
from web import i18n
from web.confirmations import font, typeset
from web.render import local
from web.routes.statistics_parts import breakdowns, kinds_over_years
from web.settings import Settings

TEMPLATE = Path(__file__).parent / "documents" / "figure_report.typ"
WITHHELD = "*"

CellValue = str | int | Decimal
"""Words, a number of things, or yuan."""


@dataclass(frozen=True)
class Table:
    """A table of the report. `key` names its CSV."""

    key: str
    title: str
    head: list[str]
    rows: list[list[CellValue]]


@dataclass(frozen=True)
class Report:
    """What a report says."""

    title: str
    facts: list[tuple[str, CellValue]]
    notes: list[str]
    tables: list[Table]
    at: dt.datetime
    """When it was made."""


def yuan(fen: int) -> Decimal:
    """An amount in yuan, exact."""
    return (Decimal(fen) / FEN_PER_YUAN).quantize(Decimal("0.01"))


def words(value: CellValue) -> str:
    """A cell as people read it."""
    if isinstance(value, Decimal):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else value


def _part(fen: int, whole: int) -> str:
    """A tenth of a percent, half up; nothing of nothing."""
    return f"{Decimal((2000 * fen + whole) // (2 * whole)) / 10:.1f}%" if whole else "—"


def build(
    session: Session,
    figure: queries.Figure,
    course: Sequence[queries.Figure],
    target: PlanTarget | None,
    language: str,
    *,
    detail: bool,
    now: dt.datetime,
) -> Report:
    """The report on a figure with all its breakdowns; `course` are the years under the same caliber."""

    def say(key: str, **params: Any) -> str:
        return i18n.term(f"report.{key}", language, params)

    def named(member: Any) -> str:
        return i18n.label(member, language)

    counting, release = figure.caliber, figure.denominator
    english = language == "en"
    name = counting.name_en if english and counting.name_en else counting.name
    months = figure.period.quarter * 3
    facts: list[tuple[str, CellValue]] = [
        (say("period"), say("through", year=figure.period.year, month=months)),
        (say("as_of"), figure.as_of.isoformat()),
        (say("known_at"), local(figure.known_at, "%Y-%m-%d %H:%M:%S")),
        (say("caliber"), f"{counting.code} {name} · {say('version', n=counting.version)}"),
        (say("note"), counting.note_en if english and counting.note_en else counting.note),
        (say("contracts"), figure.contract_count),
        (say("amount"), yuan(figure.numerator_fen)),
        (say("gdp"), yuan(release.value_fen) if release else "—"),
        (say("gdp_source"), f"{named(release.vintage)} · {release.source}" if release else say("no_gdp")),
        (say("share"), "—" if figure.percent is None else f"{figure.percent}%"),
    ]
    if target is not None:
        facts.append((say("target"), f"{target.value}{target.unit} ({target.year}) · {target.source}"))
    notes = [i18n.term(f"Provisional.{reason}", language) for reason in figure.provisional]
    years: list[list[CellValue]] = [
        [
            str(one.period.year),
            one.contract_count,
            yuan(one.numerator_fen),
            yuan(one.denominator.value_fen) if one.denominator else "—",
            "—" if one.percent is None else f"{one.percent}%",
        ]
        for one in course
    ]
    heads = [say("year"), say("contracts"), say("amount"), say("gdp"), say("share")]
    tables = [Table("share", say("years"), heads, years)]
    head, by_kind = kinds_over_years(list(course), language, detail=detail)
    kinds: list[list[CellValue]] = [
        [
            str(year),
            *("—" if cell is None else WITHHELD if cell.fen is None else yuan(cell.fen) for cell in cells),
        ]
        for year, cells in reversed(by_kind)
    ]
    tables.append(Table("kinds", say("kinds"), head, kinds))
    if rules.breaks(one.taxonomies for one in course):
        notes.append(say("kinds_break"))
    elif rules.joined(figure.taxonomies):
        notes.append(say("kinds_joined"))
    parts = breakdowns(session, language, figure, detail=detail)
    for part in parts:
        rows: list[list[CellValue]] = [
            [
                row.text,
                row.count,
                WITHHELD if row.fen is None else yuan(row.fen),
                "—" if row.fen is None else _part(row.fen, figure.numerator_fen),
            ]
            for row in part.rows
        ]
        head = [part.title, say("contracts"), say("amount"), say("part")]
        tables.append(Table(part.key, say("by", what=part.title), head, rows))
    hidden = any(cell is not None and cell.fen is None for _, cells in by_kind for cell in cells)
    if hidden or any(part.withheld for part in parts):
        notes.append(say("withheld"))
    if not detail:
        notes.append(say("steps"))
    notes.append(say("units"))
    return Report(say("title", year=figure.period.year), facts, notes, tables, now)


def pdf(report: Report, settings: Settings, language: str) -> bytes:
    """The report as PDF/A. Raises FontMissing."""
    chinese = language == "zh-Hans"
    at = report.at.astimezone(SHANGHAI)
    data = {
        "lang": "zh" if chinese else "en",
        "region": "cn" if chinese else "gb",
        "font": [font()],
        "market": settings.name if chinese else settings.name_en,
        "mark": i18n.term("confirmation.demo", language) if settings.demo else "",
        "title": report.title,
        "facts": [[name, words(value)] for name, value in report.facts],
        "notes": report.notes,
        "tables": [
            {
                "title": one.title,
                "head": one.head,
                "rows": [[words(cell) for cell in row] for row in one.rows],
            }
            for one in report.tables
            if one.rows
        ],
        "date": [at.year, at.month, at.day, at.hour, at.minute, at.second],
        "made": i18n.term("report.made", language, {"at": local(report.at)}),
    }
    return typeset(TEMPLATE, data, report.at)


def xlsx(report: Report) -> bytes:
    """The report as a workbook: a sheet of facts, a sheet for each table; amounts in yuan as numbers."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = _sheet_name(report.title, set())
    used = {sheet.title}
    bold = Font(bold=True)
    sheet.append([report.title])
    sheet.cell(1, 1).font = bold
    for name, value in report.facts:
        sheet.append([name, _cell(value)])
        _shape(sheet.cell(sheet.max_row, 2))
    for note in report.notes:
        sheet.append([guard(note)])
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 28, 60
    for table in report.tables:
        page = book.create_sheet(_sheet_name(table.title, used))
        used.add(page.title)
        page.append([guard(text) for text in table.head])
        for cell in page[1]:
            cell.font = bold
        for row in table.rows:
            page.append([_cell(value) for value in row])
            for cell in page[page.max_row]:
                _shape(cell)
        page.freeze_panes = "A2"
        widths = (10, *(22 for _ in table.head[1:])) if table.key == "kinds" else (36, 14, 22, 22, 14)
        for column, width in zip("ABCDEFGH", widths, strict=False):
            page.column_dimensions[column].width = width
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(value: CellValue) -> CellValue:
    return guard(value) if isinstance(value, str) else value


def _shape(cell: Any) -> None:
    if isinstance(cell.value, Decimal):
        cell.number_format = "#,##0.00"
    elif isinstance(cell.value, int):
        cell.number_format = "#,##0"


def _sheet_name(text: str, used: set[str]) -> str:
    """A name that spreadsheets allow: 31 characters, none of `[]:*?/\\`, not used yet."""
    plain = "".join(" " if letter in "[]:*?/\\" else letter for letter in text).strip()[:28] or "-"
    name, number = plain, 2
    while name in used:
        name, number = f"{plain} {number}", number + 1
    return name
