"""Reads of the figure: calibers, GDP releases, shares, breakdowns, the contracts inside.

A figure as of a moment counts what the register and the GDP releases were known to be then: what was entered
later about an earlier day was not known before. As of a day is as of its last moment.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.deals.models import Movement
from market.errors import NotFound
from market.statistics import counting as sums
from market.statistics import rules
from market.statistics.counting import (
    ALL,
    CALIBER,
    CaliberRow,
    Cell,
    Counted,
    Held,
    ReleaseRow,
    Scope,
    caliber_row,
)
from market.statistics.models import Caliber, GdpRelease, PlanTarget, Vintage
from market.statistics.rules import Dimension


@dataclass(frozen=True)
class Figure:
    """A share of GDP with everything it was computed from."""

    caliber: CaliberRow
    period: rules.Period
    as_of: dt.date
    known_at: dt.datetime
    """Asked again as of this moment, the figure is the same for ever."""
    numerator_fen: int
    """The sum that the caliber counts."""
    contract_count: int
    """How many contracts were counted."""
    cells: Mapping[Dimension, Sequence[Cell]] = field(repr=False)
    """The breakdowns that were asked for."""
    denominator: ReleaseRow | None
    held: tuple[Held, ...] = ()
    """What is not told yet and was left out."""
    taxonomies: tuple[int, ...] = ()
    """The oldest and the newest taxonomy of kinds among what was counted."""

    @property
    def scope(self) -> Scope:
        """What was counted."""
        return Scope(self.caliber, self.period.first, self.period.last, self.known_at, self.held)

    @property
    def share(self) -> Fraction | None:
        """The exact share; None where no GDP is published for the period."""
        if self.denominator is None:
            return None
        return rules.share(self.numerator_fen, self.denominator.value_fen)

    @property
    def percent(self) -> Decimal | None:
        """The share in percent with four decimals."""
        return None if self.share is None else rules.percent(self.share)

    @property
    def provisional(self) -> tuple[str, ...]:
        """Why it is not the last word; empty when it is."""
        vintage = self.denominator.vintage.value if self.denominator else None
        return rules.provisional(self.period, vintage, self.as_of)


_RELEASE = tuple(ReleaseRow.__dataclass_fields__)


def calibers(session: Session, on: dt.date | None = None) -> list[CaliberRow]:
    """The newest version of every caliber (valid on a day, where one is given), by code."""
    c = t(Caliber).c
    statement = sa.select(*(c[name] for name in CALIBER)).order_by(c.code, c.version)
    if on is not None:
        statement = statement.where(c.valid_from <= on, sa.or_(c.valid_to.is_(None), c.valid_to >= on))
    newest = {row.code: caliber_row(row) for row in session.execute(statement)}
    return list(newest.values())


def caliber(session: Session, code: str | None = None) -> CaliberRow:
    """A caliber by its code, or the default one. Raises NotFound."""
    found = calibers(session)
    for one in found:
        if one.code == code or (code is None and one.is_default):
            return one
    if code is None and found:
        return found[0]
    raise NotFound(field="caliber")


def releases(session: Session, region: str | None = None) -> list[ReleaseRow]:
    """Every GDP release, newest period first and, within it, newest publication first."""
    c = t(GdpRelease).c
    statement = sa.select(*(c[name] for name in _RELEASE)).order_by(
        c.year.desc(), c.quarter.desc(), c.published_on.desc(), c.id.desc()
    )
    if region is not None:
        statement = statement.where(c.region_code == region)
    return [
        replace(found, vintage=Vintage(found.vintage))
        for found in (ReleaseRow(*row) for row in session.execute(statement))
    ]


def choose_release(
    found: Iterable[ReleaseRow], period: rules.Period, as_of: dt.date, known_at: dt.datetime
) -> ReleaseRow | None:
    """The GDP figure of a period last published by a day, of those entered by a moment; of two published on
    one day the later vintage."""
    fitting = [
        one
        for one in found
        if (one.year, one.quarter) == (period.year, period.quarter)
        and one.published_on <= as_of
        and one.entered_at <= known_at
    ]
    return max(
        fitting,
        key=lambda one: (one.published_on, rules.VINTAGE_ORDER.index(one.vintage.value), one.id),
        default=None,
    )


def figure(
    session: Session,
    counting: CaliberRow,
    year: int,
    quarter: int = 4,
    *,
    as_of: dt.date,
    at: dt.datetime | None = None,
    dimensions: Sequence[Dimension] = ALL,
    held: tuple[Held, ...] = (),
) -> Figure:
    """The share of GDP of a year (to date through a quarter) under a caliber, with its breakdowns.

    As of the end of a day, or as of a moment (`at`), in which case `as_of` is its day.
    """
    period = rules.Period(year, quarter)
    known_at = sums.known(session, at or sums.end_of_day(as_of))
    as_of = local_date(at) if at else as_of
    scope = Scope(counting, period.first, period.last, known_at, held)
    whole, cells = sums.summed(session, scope, dimensions)
    found = choose_release(releases(session, counting.region_code), period, as_of, known_at)
    return Figure(
        counting,
        period,
        as_of,
        known_at,
        whole.fen or 0,
        whole.count,
        cells,
        found,
        held,
        whole.taxonomies,
    )


def held_back(session: Session, counting: CaliberRow, now: dt.datetime) -> tuple[Held, ...]:
    """What the public is not told yet of a caliber: since the last end of a quarter totals move in steps of at least
    three contracts of a quarter (`rules.told`), so that no step tells a single amount."""
    today = local_date(now)
    since = sums.end_of_day(rules.public_day(today - dt.timedelta(days=1), today))
    moves = list(sums.moved(session, counting, since))
    # What is recorded while this is being read was not judged, and is held back whole.
    seen = moves[-1].at if moves else since
    found = [Held(dt.date.min, dt.date.max, seen)]
    for (year, quarter), at in sorted(rules.told(moves, since).items()):
        found.append(Held(dt.date(year, quarter * 3 - 2, 1), rules.Period(year, quarter).last, at))
    return tuple(found)


def broken_down(session: Session, figure: Figure) -> Figure:
    """The same figure with all its breakdowns."""
    whole, cells = sums.summed(session, figure.scope)
    return replace(
        figure,
        numerator_fen=whole.fen or 0,
        contract_count=whole.count,
        cells=cells,
        taxonomies=whole.taxonomies,
    )


def figures(
    session: Session,
    counting: CaliberRow,
    years: Iterable[int],
    *,
    as_of: dt.date,
    held: tuple[Held, ...] = (),
) -> list[Figure]:
    """The figures of several whole years with their kinds, in the same number of statements as one."""
    wanted = sorted(set(years))
    if not wanted:
        return []
    known_at = sums.known(session, sums.end_of_day(as_of))
    published = releases(session, counting.region_code)
    scope = Scope(counting, dt.date(wanted[0], 1, 1), dt.date(wanted[-1], 12, 31), known_at, held)
    by_year = sums.by_year_and_kind(session, scope)
    found = []
    for year in wanted:
        period, cells = rules.Period(year, 4), list(by_year.get(year, {}).values())
        found.append(
            Figure(
                caliber=counting,
                period=period,
                as_of=as_of,
                known_at=known_at,
                numerator_fen=sum(cell.fen or 0 for cell in cells),
                contract_count=sum(cell.count for cell in cells),
                cells={Dimension.KIND: cells},
                denominator=choose_release(published, period, as_of, known_at),
                held=held,
                taxonomies=rules.ends([version for cell in cells for version in cell.taxonomies]),
            )
        )
    return found


def contracts(
    session: Session,
    figure: Figure,
    cells: Mapping[Dimension, str] | None = None,
    *,
    limit: int,
    offset: int = 0,
) -> list[Counted]:
    """A page of the contracts that a figure counts, or those of one cell by each dimension given."""
    return sums.contracts(session, figure.scope, cells or {}, limit=limit, offset=offset)


def all_contracts(
    session: Session, figure: Figure, cells: Mapping[Dimension, str] | None = None
) -> Iterator[Counted]:
    """All of them, a few hundred in memory at a time."""
    return sums.all_contracts(session, figure.scope, cells or {})


def total(session: Session, figure: Figure, cells: Mapping[Dimension, str]) -> tuple[int, int]:
    """How many contracts the cells hold, and what they come to in fen."""
    return sums.total(session, figure.scope, cells)


def years(session: Session, today: dt.date) -> list[int]:
    """The years that have a registered contract or a GDP release, and the present one; newest first."""
    m, g = t(Movement).c, t(GdpRelease).c
    ends = [sa.select(end(m.registered_on)).scalar_subquery() for end in (sa.func.min, sa.func.max)]
    low, high = session.execute(sa.select(*ends)).one()
    known = set(session.scalars(sa.select(g.year).distinct())) | {today.year}
    if low is not None:
        known |= set(range(low.year, high.year + 1))
    return sorted(known, reverse=True)


def default_year(found: list[Figure], today: dt.date) -> int:
    """The newest year whose share can be told; the present one where there is none."""
    return max((one.period.year for one in found if one.denominator is not None), default=today.year)


def breakdown(
    figure: Figure, dimension: Dimension, *, detail: bool, order: Sequence[str] | None = None
) -> list[Cell]:
    """The contracts of a figure and their amount by a dimension, largest first (or in an order). Without
    `detail`, small cells keep their count and lose their amount."""
    held = {cell.key: cell for cell in figure.cells[dimension]}
    hidden = (
        frozenset() if detail else rules.withheld({key: max(1, one.touched) for key, one in held.items()})
    )
    names = (
        list(order) if order is not None else sorted(held, key=lambda name: (-(held[name].fen or 0), name))
    )
    if not detail and order is None:
        # Sorted by amount, a withheld cell's place would hint at it.
        names = [name for name in names if name not in hidden] + sorted(hidden)
    cells = [held.get(name, Cell(name, 0, 0, 0)) for name in names]
    return [replace(cell, fen=None) if cell.key in hidden else cell for cell in cells]


def plan_target(session: Session, indicator: str = rules.PLAN_INDICATOR) -> PlanTarget | None:
    """The plan's target, as printed."""
    c = t(PlanTarget).c
    row = session.execute(
        sa.select(c.id, c.indicator, c.year, c.value, c.unit, c.source)
        .where(c.indicator == indicator)
        .order_by(c.year.desc())
        .limit(1)
    ).first()
    return None if row is None else PlanTarget(**dict(zip(row._fields, row, strict=True)))


def stamp(session: Session) -> tuple[int, ...]:
    """Changes whenever a figure can: every movement, release, caliber and target is a new row."""
    newest = [
        sa.select(sa.func.coalesce(sa.func.max(t(model).c.id), 0)).scalar_subquery()
        for model in (Movement, GdpRelease, Caliber, PlanTarget)
    ]
    return tuple(session.execute(sa.select(*newest)).one())
