"""The plan's Table 1: fifteen indicators with base and target as printed, and what was entered of each year.

The plan names two years and nothing between them. The path drawn here is the straight line from base to
target: the market's own yardstick, called so wherever it is shown. Nothing is filled in by the market itself.
"""

from __future__ import annotations

import datetime as dt
import enum
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction

import sqlalchemy as sa

from market import audit
from market.clock import local_date
from market.db import Session, t
from market.errors import InvalidInput, NotFound
from market.parties.models import Person
from market.permissions import Action, Actor, require
from market.statistics.inputs import PlanValueInput
from market.statistics.models import PlanTarget, PlanValue


class PlanState(enum.StrEnum):
    """Where an indicator stands by its newest value."""

    REACHED = "reached"
    """At its target, or beyond."""
    ON_PATH = "on_path"
    BEHIND = "behind"
    NO_PATH = "no_path"
    """The plan gives no base, so that there is no line to stand on; the target is not reached."""
    NO_VALUE = "no_value"


@dataclass(frozen=True)
class Value:
    """A value of a year as entered."""

    id: int
    year: int
    value: Decimal
    source: str
    entered_at: dt.datetime
    entered_by: str | None
    counts: bool
    """Whether it is the newest of its year."""


@dataclass(frozen=True)
class Indicator:
    """A row of Table 1. All targets of the plan lie above their bases."""

    code: str
    position: int
    name: str
    name_en: str
    unit: str
    base_year: int | None
    base_text: str
    target_year: int
    target_text: str
    source: str
    note: str
    note_en: str
    entries: tuple[Value, ...]
    """By year, then as entered."""

    @property
    def base(self) -> Decimal | None:
        """The base as a number; None where the plan prints none."""
        return number(self.base_text)

    @property
    def target(self) -> Decimal:
        """The target as a number."""
        found = number(self.target_text)
        assert found is not None
        return found

    @property
    def values(self) -> tuple[Value, ...]:
        """What counts of each year."""
        return tuple(one for one in self.entries if one.counts)

    @property
    def newest(self) -> Value | None:
        """What counts of the last year that has a value."""
        return self.values[-1] if self.values else None

    def path(self, year: int) -> Fraction | None:
        """Where the straight line from base to target is at the end of a year."""
        if self.base_year is None or self.base is None:
            return None
        return on_line(self.base_year, self.base, self.target_year, self.target, year)

    @property
    def state(self) -> PlanState:
        """Where it stands."""
        if self.newest is None:
            return PlanState.NO_VALUE
        return state(self.newest.value, self.target, self.path(self.newest.year))

    @property
    def way(self) -> Fraction | None:
        """Which part of the way from base to target is done; below 0 and above 1 are possible."""
        if self.newest is None or self.base is None or self.base == self.target:
            return None
        return Fraction(self.newest.value - self.base) / Fraction(self.target - self.base)


def number(text: str) -> Decimal | None:
    """A printed number; None for `—` and what else is none."""
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def on_line(base_year: int, base: Decimal, target_year: int, target: Decimal, year: int) -> Fraction:
    """The straight line between two years, exact; flat before the first and after the last."""
    year = min(max(year, base_year), target_year)
    if target_year == base_year:
        return Fraction(target)
    return Fraction(base) + Fraction(target - base) * Fraction(year - base_year, target_year - base_year)


def state(value: Decimal, target: Decimal, path: Fraction | None) -> PlanState:
    """Where a value stands; `path` is the line's value of the same year."""
    if value >= target:
        return PlanState.REACHED
    if path is None:
        return PlanState.NO_PATH
    return PlanState.ON_PATH if Fraction(value) >= path else PlanState.BEHIND


def indicators(session: Session) -> list[Indicator]:
    """The table in the plan's order, with everything entered."""
    v, p = t(PlanValue).c, t(Person).c
    rows = session.execute(
        sa.select(v.indicator, v.id, v.year, v.value, v.source, v.entered_at, p.name)
        .select_from(t(PlanValue).outerjoin(t(Person), v.entered_by == p.id))
        .order_by(v.year, v.id)
    ).all()
    newest = {(row.indicator, row.year): row.id for row in rows}
    entries: dict[str, list[Value]] = {}
    for code, *rest, who in rows:
        number, year, value, source, at = rest
        counts = newest[code, year] == number
        entries.setdefault(code, []).append(Value(number, year, Decimal(value), source, at, who, counts))
    c = t(PlanTarget).c
    targets = session.execute(
        sa.select(
            c.indicator, c.position, c.name, c.name_en, c.unit, c.base_year, c.base_value, c.year, c.value,
            c.source, c.note, c.note_en,
        ).order_by(c.position, c.id)
    )  # fmt: skip
    return [
        Indicator(
            code=row.indicator,
            position=row.position,
            name=row.name,
            name_en=row.name_en,
            unit=row.unit,
            base_year=row.base_year,
            base_text=row.base_value,
            target_year=row.year,
            target_text=row.value,
            source=row.source,
            note=row.note,
            note_en=row.note_en,
            entries=tuple(entries.get(row.indicator, ())),
        )
        for row in targets
    ]


def indicator(session: Session, code: str) -> Indicator:
    """One row of the table. Raises NotFound."""
    found = next((one for one in indicators(session) if one.code == code), None)
    if found is None:
        raise NotFound(subject="indicator")
    return found


def add_value(session: Session, actor: Actor, now: dt.datetime, data: PlanValueInput) -> int:
    """Enter what an indicator reached in a year; returns the entry's id. A correction is a new entry.

    Raises NotAllowed, NotFound (the indicator), InvalidInput for a year that has not ended or lies before
    the base.
    """
    require(actor, Action.STATISTICS_MANAGE)
    found = indicator(session, data.indicator)
    first = found.base_year or found.target_year
    if not first <= data.year < local_date(now).year:
        raise InvalidInput([("year", "year_not_over", {"first": first})])
    row = PlanValue(
        indicator=data.indicator,
        year=data.year,
        value=f"{data.value:f}",
        source=data.source,
        entered_at=now,
        entered_by=actor.person_id,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    after = {"indicator": row.indicator, "year": row.year, "value": row.value, "source": row.source}
    audit.record(session, actor, "plan_value.entered", row.id, now, after=after)
    return row.id
