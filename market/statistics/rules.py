"""How a figure is counted: regions, periods, shares, what makes it provisional, what is withheld.

Pure. Amounts are fen; days are calendar days in Shanghai.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import TypeVar

SMALL_CELL = 3
"""A cell of fewer contracts than this would tell the public a single contract's amount."""

PLAN_INDICATOR = "technology_transactions_gdp_share"

VINTAGE_ORDER = ("first", "final", "census")


def region_prefix(code: str) -> str:
    """What the codes of a region and of everything in it begin with (GB/T 2260).

    `330000` a province → `33`; `331000` a prefecture → `3310`; `331081` a county → itself.
    """
    if code.endswith("0000"):
        return code[:2]
    if code.endswith("00"):
        return code[:4]
    return code


def in_region(code: str, region: str) -> bool:
    """Whether a place is a region or lies in it."""
    return code.startswith(region_prefix(region))


@dataclass(frozen=True)
class Period:
    """A year to date: from its first day through the end of a quarter."""

    year: int
    quarter: int

    @property
    def first(self) -> dt.date:
        """1 January."""
        return dt.date(self.year, 1, 1)

    @property
    def last(self) -> dt.date:
        """The last day of the quarter."""
        month = self.quarter * 3
        following = dt.date(self.year + (month == 12), month % 12 + 1, 1)
        return following - dt.timedelta(days=1)


def share(numerator_fen: int, denominator_fen: int) -> Fraction:
    """The exact share as a fraction of one."""
    return Fraction(numerator_fen, denominator_fen)


def percent(value: Fraction, digits: int = 4) -> Decimal:
    """A share in percent, rounded half up to so many decimals; exact arithmetic throughout."""
    scale = 10**digits
    scaled = value * 100 * scale
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return (Decimal(whole) / scale).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def provisional(period: Period, vintage: str | None, today: dt.date) -> tuple[str, ...]:
    """Why a figure is not the last word: `year_running`, `part_of_year`, `first_release`."""
    reasons = []
    if today <= period.last:
        reasons.append("year_running")
    if period.quarter < 4:
        reasons.append("part_of_year")
    if vintage == "first":
        reasons.append("first_release")
    return tuple(reasons)


Key = TypeVar("Key")


def public_day(as_of: dt.date, today: dt.date) -> dt.date:
    """The day as of which the public is told figures: today, or the end of the quarter that was last over.

    Figures day by day would differ by single contracts and so tell their amounts.
    """
    if as_of >= today:
        return today
    following = as_of + dt.timedelta(days=1)
    return dt.date(following.year, (following.month - 1) // 3 * 3 + 1, 1) - dt.timedelta(days=1)


def withheld(counts: Mapping[Key, int], order: Sequence[Key] | None = None) -> frozenset[Key]:
    """The cells of a breakdown whose amounts the public is not told.

    Every cell of fewer than SMALL_CELL contracts; and where that is a single cell, the next smallest
    with it, since the total would give the one away.
    """
    keys = [key for key in (order or list(counts)) if counts.get(key, 0) > 0]
    small = [key for key in keys if counts[key] < SMALL_CELL]
    if len(small) == 1 and len(keys) > 1:
        rest = sorted((key for key in keys if key not in small), key=lambda key: counts[key])
        small.append(rest[0])
    return frozenset(small)
