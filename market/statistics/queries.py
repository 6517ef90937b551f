"""Reads of the figure: calibers, GDP releases, counted contracts, shares, breakdowns, snapshots.

A figure as of a day counts what the register held then: contracts registered by that day and not ended
by it, with the amounts that stood then, over the GDP figure last published by then. Each contract is
read once, so that a caliber of "seller or buyer" cannot count it twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from market.clock import start_of_local_day
from market.db import Session, t
from market.deals.models import Contract, ContractEvent, ContractState
from market.errors import NotFound
from market.parties.models import Organisation
from market.statistics import rules
from market.statistics.models import AmountMeasure, Caliber, GdpRelease, PlanTarget, Side, Vintage


@dataclass(frozen=True)
class CaliberRow:
    """A caliber as figures use it."""

    id: int
    code: str
    version: int
    name: str
    name_en: str
    measure: AmountMeasure
    side: Side
    region_code: str
    states: tuple[str, ...]
    is_default: bool
    valid_from: dt.date
    valid_to: dt.date | None
    note: str
    note_en: str


@dataclass(frozen=True)
class ReleaseRow:
    """A GDP release. `value_fen` is at current prices."""

    id: int
    region_code: str
    year: int
    quarter: int
    vintage: Vintage
    value_fen: int
    published_on: dt.date
    source: str
    entered_at: dt.datetime


@dataclass(frozen=True)
class Counted:
    """A contract inside a figure. `fen` is the amount that the caliber counts."""

    id: int
    local_number: str
    registration_number: str | None
    title: str
    kind: str
    registered_on: dt.date
    seller_name: str
    seller_region: str
    seller_kind: str | None
    buyer_name: str
    buyer_region: str
    industry_code: str | None
    source: str
    deal_fen: int
    technology_fen: int
    fen: int


@dataclass(frozen=True)
class Figure:
    """A share of GDP with everything it was computed from."""

    caliber: CaliberRow
    period: rules.Period
    as_of: dt.date
    contracts: tuple[Counted, ...]
    denominator: ReleaseRow | None

    @property
    def numerator_fen(self) -> int:
        """The sum that the caliber counts."""
        return sum(contract.fen for contract in self.contracts)

    @property
    def contract_count(self) -> int:
        """How many contracts were counted."""
        return len(self.contracts)

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


_COUNTED = tuple(name for name in Counted.__dataclass_fields__ if name != "fen")
_CALIBER = tuple(CaliberRow.__dataclass_fields__)
_RELEASE = tuple(ReleaseRow.__dataclass_fields__)


def _caliber(row: Any) -> CaliberRow:
    found = CaliberRow(*row)
    return replace(
        found, measure=AmountMeasure(found.measure), side=Side(found.side), states=tuple(found.states)
    )


def calibers(session: Session, on: dt.date | None = None) -> list[CaliberRow]:
    """The newest version of every caliber (valid on a day, where one is given), by code."""
    c = t(Caliber).c
    statement = sa.select(*(c[name] for name in _CALIBER)).order_by(c.code, c.version)
    if on is not None:
        statement = statement.where(c.valid_from <= on, sa.or_(c.valid_to.is_(None), c.valid_to >= on))
    newest = {row.code: _caliber(row) for row in session.execute(statement)}
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


def choose_release(found: Iterable[ReleaseRow], period: rules.Period, as_of: dt.date) -> ReleaseRow | None:
    """The GDP figure of a period last published by a day; of two on one day the later vintage."""
    fitting = [
        one
        for one in found
        if (one.year, one.quarter) == (period.year, period.quarter) and one.published_on <= as_of
    ]
    return max(
        fitting,
        key=lambda one: (one.published_on, rules.VINTAGE_ORDER.index(one.vintage.value), one.id),
        default=None,
    )


def _counted(row: Sequence[Any]) -> Counted:
    values: dict[str, Any] = dict(zip(_COUNTED, row, strict=True))
    return Counted(**values, fen=0)


def counted(
    session: Session, counting: CaliberRow, first: dt.date, last: dt.date, as_of: dt.date
) -> list[Counted]:
    """The contracts that a caliber counts between two days, as the register stood at the end of a day."""
    c, o = t(Contract).c, t(Organisation).c
    prefix = rules.region_prefix(counting.region_code)
    seller, buyer = c.seller_region.startswith(prefix), c.buyer_region.startswith(prefix)
    side = {Side.SELLER: seller, Side.BUYER: buyer, Side.EITHER: sa.or_(seller, buyer)}[counting.side]
    ended = c.state.in_([ContractState.DEREGISTERED.value, ContractState.REVOKED.value])
    state = sa.case((sa.and_(ended, c.ended_on > as_of), ContractState.REGISTERED.value), else_=c.state)
    rows = session.execute(
        sa.select(
            c.id, c.local_number, c.registration_number, c.title, c.kind, c.registered_on, c.seller_name,
            c.seller_region, o.kind.label("seller_kind"), c.buyer_name, c.buyer_region, c.industry_code,
            c.source, c.deal_fen, c.technology_fen,
        )
        .select_from(t(Contract).outerjoin(t(Organisation), c.seller_id == o.id))
        .where(side, state.in_(counting.states), c.registered_on.between(first, min(last, as_of)))
        .order_by(c.registered_on, c.id)
    )  # fmt: skip
    found = [_counted(row) for row in rows]
    then = _amounts_then(session, [one.id for one in found], as_of)
    by_deal = counting.measure is AmountMeasure.DEAL
    result = []
    for one in found:
        deal, technology = then.get(one.id, (one.deal_fen, one.technology_fen))
        result.append(
            replace(one, deal_fen=deal, technology_fen=technology, fen=deal if by_deal else technology)
        )
    return result


def _amounts_then(session: Session, ids: list[int], as_of: dt.date) -> dict[int, tuple[int, int]]:
    """The amounts before the first amendment that came after a day, for contracts that had one."""
    if not ids:
        return {}
    e = t(ContractEvent).c
    rows = session.execute(
        sa.select(e.contract_id, e.deal_fen_before, e.technology_fen_before)
        .where(e.step == "amend", e.at >= start_of_local_day(as_of + dt.timedelta(days=1)))
        .order_by(e.at.desc(), e.id.desc())
    )
    wanted = set(ids)
    return {row.contract_id: (row[1], row[2]) for row in rows if row.contract_id in wanted}


def figure(session: Session, counting: CaliberRow, year: int, quarter: int = 4, *, as_of: dt.date) -> Figure:
    """The share of GDP of a year (to date through a quarter) under a caliber, as of a day."""
    period = rules.Period(year, quarter)
    contracts = counted(session, counting, period.first, period.last, as_of)
    found = choose_release(releases(session, counting.region_code), period, as_of)
    return Figure(counting, period, as_of, tuple(contracts), found)


def figures(session: Session, counting: CaliberRow, years: Iterable[int], *, as_of: dt.date) -> list[Figure]:
    """The figures of several whole years, in the same number of statements as one."""
    wanted = sorted(set(years))
    if not wanted:
        return []
    published = releases(session, counting.region_code)
    rows = counted(session, counting, dt.date(wanted[0], 1, 1), dt.date(wanted[-1], 12, 31), as_of)
    by_year: dict[int, list[Counted]] = {year: [] for year in wanted}
    for row in rows:
        if row.registered_on.year in by_year:
            by_year[row.registered_on.year].append(row)
    return [
        Figure(
            counting,
            (period := rules.Period(year, 4)),
            as_of,
            tuple(by_year[year]),
            choose_release(published, period, as_of),
        )
        for year in wanted
    ]


def years(session: Session, today: dt.date) -> list[int]:
    """The years that have a registered contract or a GDP release, and the present one; newest first."""
    c, g = t(Contract).c, t(GdpRelease).c
    low, high = session.execute(sa.select(sa.func.min(c.registered_on), sa.func.max(c.registered_on))).one()
    known = set(session.scalars(sa.select(g.year).distinct())) | {today.year}
    if low is not None:
        known |= set(range(low.year, high.year + 1))
    return sorted(known, reverse=True)


def default_year(found: list[Figure], today: dt.date) -> int:
    """The newest year whose share can be told; the present one where there is none."""
    return max((one.period.year for one in found if one.denominator is not None), default=today.year)


@dataclass(frozen=True)
class Cell:
    """One row of a breakdown. `fen` is None where it is withheld from the public."""

    key: str
    count: int
    fen: int | None


def breakdown(
    contracts: Iterable[Counted],
    key: Callable[[Counted], str],
    *,
    detail: bool,
    order: list[str] | None = None,
) -> list[Cell]:
    """Contracts and their amount by a key, largest first (or in an order). Without `detail`, small
    cells keep their count and lose their amount."""
    counts: dict[str, int] = {}
    sums: dict[str, int] = {}
    for one in contracts:
        name = key(one)
        counts[name] = counts.get(name, 0) + 1
        sums[name] = sums.get(name, 0) + one.fen
    hidden = frozenset() if detail else rules.withheld(counts)
    names = order if order is not None else sorted(counts, key=lambda name: (-sums[name], name))
    if not detail and order is None:
        # Sorted by amount, a withheld cell's place would hint at it.
        names = [name for name in names if name not in hidden] + sorted(hidden)
    return [Cell(name, counts.get(name, 0), None if name in hidden else sums.get(name, 0)) for name in names]


def by_kind(contract: Counted) -> str:
    """Key of a breakdown: the contract's kind."""
    return contract.kind


def by_month(contract: Counted) -> str:
    """Key of a breakdown: the month of registration, `01` to `12`."""
    return f"{contract.registered_on.month:02d}"


def by_industry(contract: Counted) -> str:
    """Key of a breakdown: the industry served; empty where none is named."""
    return contract.industry_code or ""


def by_seller_kind(contract: Counted) -> str:
    """Key of a breakdown: what the seller is; empty where it is no member."""
    return contract.seller_kind or ""


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
    """Changes whenever a figure can: every step of a contract, release, caliber and target is a new row,
    and an organisation that changes its kind changes its version."""
    newest = [
        sa.select(sa.func.coalesce(sa.func.max(t(model).c.id), 0)).scalar_subquery()
        for model in (ContractEvent, GdpRelease, Caliber, PlanTarget)
    ]
    versions = sa.select(sa.func.coalesce(sa.func.sum(t(Organisation).c.version), 0)).scalar_subquery()
    return tuple(session.execute(sa.select(*newest, versions)).one())
