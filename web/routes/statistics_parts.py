"""What the figure's page shows of a figure: its charts, their numbers, its breakdowns with links."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from market.db import Session
from market.deals.models import ContractKind, ContractSubkind, TechnicalField
from market.money import FEN_PER_YI, FEN_PER_YUAN
from market.statistics import queries, rules
from market.statistics.rules import Dimension
from market.taxonomy.queries import industry_names
from web import charts, i18n
from web.render import url


@dataclass(frozen=True)
class Row:
    """A row of a breakdown, in words. `fen` is None where it is withheld."""

    text: str
    count: int
    fen: int | None
    href: str


@dataclass(frozen=True)
class Breakdown:
    """A table of the figure by one thing."""

    key: str
    title: str
    rows: list[Row]
    withheld: bool
    flag: str = ""
    """Which taxonomy of kinds it is told by, where that matters: `break`, `joined`."""


def share_chart(course: list[queries.Figure], target: Any, language: str) -> Markup:
    """The shares over the years, with the plan's target."""
    points = [
        charts.Point(
            str(one.period.year),
            one.percent,
            "" if one.percent is None else f"{one.percent.quantize(Decimal('0.01'))}%",
        )
        for one in course
    ]
    words = (
        [
            i18n.term("chart.target_name", language),
            i18n.term(
                "chart.target_value", language, {"value": f"{target.value}{target.unit}", "year": target.year}
            ),
        ]
        if target
        else []
    )
    return charts.shares(
        points,
        title=i18n.term("chart.share_title", language),
        axis=i18n.term("chart.share_percent", language),
        target=Decimal(target.value) if target else None,
        target_words=words,
    )


def _cells_by_year(course: list[queries.Figure], *, detail: bool) -> dict[int, dict[str, queries.Cell]]:
    return {
        one.period.year: {
            series_of(cell): cell for cell in queries.breakdown(one, Dimension.KIND, detail=detail)
        }
        for one in course
    }


JOINED = "joined"
"""The key of assignments with licences inside, as they were told apart before 2021: a series of its own."""


def series_of(cell: queries.Cell) -> str:
    """What a cell by kind is drawn and told as: what cannot be compared across a break is not one series."""
    if cell.key == ContractKind.ASSIGNMENT.value and rules.joined(cell.taxonomies):
        return JOINED
    return cell.key


def _kinds(cells: dict[int, dict[str, queries.Cell]], language: str) -> dict[str, str]:
    """The series that the years have, with their names; assignments with licences inside only where there are some."""
    names = {kind.value: i18n.label(kind, language) for kind in ContractKind}
    if any(JOINED in by_kind for by_kind in cells.values()):
        names[JOINED] = i18n.term("chart.kind_joined", language)
    return names


def kind_chart(course: list[queries.Figure], language: str, *, detail: bool) -> Markup:
    """The amounts over the years, stacked by kind of contract."""
    by_year = _cells_by_year(course, detail=detail)
    labels = _kinds(by_year, language)
    parts = [
        charts.Part(str(year), labels[key], Decimal(cell.fen) / FEN_PER_YI)
        for year, cells in by_year.items()
        for key, cell in cells.items()
        if cell.fen
    ]
    return charts.stacked(
        parts,
        xs=[str(one.period.year) for one in course],
        series=list(labels.values()),
        title=i18n.term("chart.kind_title", language),
        axis=i18n.term("chart.kind_axis", language),
    )


def by_kind_and_year(
    course: list[queries.Figure], language: str, *, detail: bool
) -> tuple[list[str], list[list[str]]]:
    """The numbers of the chart by kind: 万元 with two decimals, `*` where withheld."""
    head, found = kinds_over_years(course, language, detail=detail)
    return head, [
        [str(year), *("—" if cell is None else "*" if cell.fen is None else _wan(cell.fen) for cell in cells)]
        for year, cells in found
    ]


def kinds_over_years(
    course: list[queries.Figure], language: str, *, detail: bool
) -> tuple[list[str], list[tuple[int, list[queries.Cell | None]]]]:
    """The kinds' names behind the word for years, and of each year, newest first, the cell of each."""
    cells = _cells_by_year(course, detail=detail)
    names = _kinds(cells, language)
    rows = [(year, [cells[year].get(key) for key in names]) for year in sorted(cells, reverse=True)]
    return [i18n.term("field.year", language), *names.values()], rows


def _wan(fen: int) -> str:
    hundredths = (fen * 2 + FEN_PER_YUAN * 100) // (2 * FEN_PER_YUAN * 100)
    return f"{hundredths // 100:,}.{hundredths % 100:02d}"


def cell_names(session: Session, figure: queries.Figure, language: str) -> dict[Dimension, dict[str, str]]:
    """What the keys of each breakdown are called; a key that is none of these is its own name (a town)."""

    def labels(kind: type[enum.StrEnum]) -> dict[str, str]:
        return {one.value: i18n.label(one, language) for one in kind}

    kinds, subkinds = labels(ContractKind), labels(ContractSubkind)
    industries = industry_names(session, language)
    industries[""] = i18n.term("statistics.industry_not_stated", language)
    natures = labels(rules.NatureGroup)
    months = [f"{number:02d}" for number in range(1, figure.period.quarter * 3 + 1)]
    return {
        Dimension.KIND: kinds,
        Dimension.SUBKIND: {f"{a}/{b}": f"{kinds[a]} · {subkinds[b]}" for a in kinds for b in subkinds},
        Dimension.MONTH: {month: f"{figure.period.year}-{month}" for month in months},
        Dimension.FLOW: labels(rules.Flow),
        Dimension.INDUSTRY: industries,
        Dimension.FIELD: labels(TechnicalField),
        Dimension.SELLER: natures,
        Dimension.BUYER: natures,
        Dimension.CIRCLE: labels(rules.Circle),
        Dimension.TOWN: {"": i18n.term("statistics.town_not_stated", language)},
        Dimension.SOURCE: labels(rules.Coverage),
    }


def breakdowns(session: Session, language: str, figure: queries.Figure, *, detail: bool) -> list[Breakdown]:
    """The figure by everything that it can be broken down by, each row linked to its contracts."""
    found = []
    for key, names in cell_names(session, figure, language).items():
        order = list(names) if key is Dimension.MONTH else None
        cells = queries.breakdown(figure, key, detail=detail, order=order)
        rows = [
            Row(
                names.get(cell.key, cell.key),
                cell.count,
                cell.fen,
                drill(figure, **{key.value: cell.key or "-"}),
            )
            for cell in cells
        ]
        title = i18n.label(key, language)
        flag = ""
        if key in (Dimension.KIND, Dimension.SUBKIND) and rules.joined(figure.taxonomies):
            flag = "break" if rules.breaks([figure.taxonomies]) else "joined"
        found.append(Breakdown(key.value, title, rows, any(cell.fen is None for cell in cells), flag))
    return found


def drill(figure: queries.Figure, **filters: str) -> str:
    """The address of the contracts behind a part of a figure."""
    return url(
        "/statistics/contracts",
        year=figure.period.year,
        quarter=figure.period.quarter if figure.period.quarter < 4 else None,
        caliber=figure.caliber.code,
        as_of=figure.as_of.isoformat(),
        **filters,
    )
