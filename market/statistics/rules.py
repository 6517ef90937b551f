"""How a figure is counted: regions, periods, shares, what makes it provisional, what is withheld.

Pure. Amounts are fen; days are calendar days in Shanghai.
"""

from __future__ import annotations

import datetime as dt
import enum
import itertools
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from market.statistics.models import AmountMeasure, DatedBy

BREAK = 2021
"""The taxonomy since which licences are a kind of their own (民法典 862, 863; in force since 2021-01-01): before it
they were inside assignments."""

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


class Dimension(enum.StrEnum):
    """What a figure can be broken down by."""

    KIND = "kind"
    SUBKIND = "subkind"
    """`kind/subkind`, for kinds share sub-kinds."""
    INDUSTRY = "industry"
    FIELD = "field"
    SELLER = "seller"
    """A NatureGroup."""
    BUYER = "buyer"
    CIRCLE = "circle"
    """Where the other party is: a Circle."""
    TOWN = "town"
    """Of the party that is in the region; of the seller where both are and it counts."""
    MONTH = "month"
    """`01` to `12`."""
    FLOW = "flow"
    SOURCE = "source"
    """A Coverage."""


class NatureGroup(enum.StrEnum):
    """What a party is, from the nature code of the contract form."""

    GOVERNMENT = "government"
    INSTITUTE = "institute"
    UNIVERSITY = "university"
    HOSPITAL = "hospital"
    INSTITUTION = "institution"
    """Another public institution."""
    ASSOCIATION = "association"
    FIRM = "firm"
    FOREIGN = "foreign"
    """Held from Hong Kong, Macao, Taiwan or abroad."""
    PERSON = "person"
    UNKNOWN = "unknown"


NATURES: tuple[tuple[str, NatureGroup], ...] = (
    ("01", NatureGroup.GOVERNMENT),
    ("021", NatureGroup.INSTITUTE),
    ("022", NatureGroup.UNIVERSITY),
    ("023", NatureGroup.HOSPITAL),
    ("02", NatureGroup.INSTITUTION),
    ("03", NatureGroup.ASSOCIATION),
    ("1", NatureGroup.FIRM),
    ("2", NatureGroup.FOREIGN),
    ("3", NatureGroup.FOREIGN),
    ("4", NatureGroup.PERSON),
    ("", NatureGroup.UNKNOWN),
)
"""What the codes of each group begin with, the first that fits; 010 机关, 020 事业, 030 社团, 1xx 内资,
2xx 港澳台, 3xx 外商, 4xx 个人."""


class Circle(enum.StrEnum):
    """How far away the other party is (台州湾—长三角—国内—国际)."""

    TAIZHOU_BAY = "taizhou_bay"
    YANGTZE_DELTA = "yangtze_delta"
    DOMESTIC = "domestic"
    INTERNATIONAL = "international"


CIRCLES: tuple[tuple[str, Circle], ...] = tuple(
    (prefix, Circle(circle))
    for prefix, circle in json.loads((Path(__file__).parent / "circles.json").read_text("utf-8"))["circles"]
)
"""What the codes of regions in each circle begin with, the first that fits; the file says where it is from."""


class Flow(enum.StrEnum):
    """Which way the technology goes, seen from the caliber's region."""

    OUT = "out"
    """输出: only the seller is in the region."""
    IN = "in"
    """吸纳: only the buyer is."""
    LOCAL = "local"
    """本地流转: both are."""


class Coverage(enum.StrEnum):
    """How the register knows of a contract."""

    OWN = "own"
    IMPORTED = "imported"
    DECLARED = "declared"


COVERAGE: tuple[tuple[str, Coverage], ...] = (
    ("imported", Coverage.IMPORTED),
    ("declared", Coverage.DECLARED),
    ("", Coverage.OWN),
)
"""By ContractSource."""

Fold = Sequence[tuple[str, enum.StrEnum]]

FOLDS: Mapping[Dimension, Fold] = {
    Dimension.SELLER: NATURES,
    Dimension.BUYER: NATURES,
    Dimension.CIRCLE: CIRCLES,
    Dimension.SOURCE: COVERAGE,
}
"""How what is stored becomes a breakdown's key."""


def folded(code: str, fold: Fold) -> str:
    """The group of a code: of the first prefix that fits."""
    return next(group.value for prefix, group in fold if code.startswith(prefix))


def caliber_problem(measure: AmountMeasure, dated_by: DatedBy) -> str | None:
    """Why a caliber cannot be: only what is received has a day of receipt."""
    if dated_by is DatedBy.RECEIPT and measure is not AmountMeasure.RECEIVED:
        return "receipt_dates_receipts"
    return None


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
        return month_end(self.year, self.quarter * 3)


def month_end(year: int, month: int) -> dt.date:
    """The last day of a month."""
    following = dt.date(year + (month == 12), month % 12 + 1, 1)
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


def ends(versions: Collection[int]) -> tuple[int, ...]:
    """The oldest and the newest of some taxonomies; one where they are the same, none of none."""
    return tuple(sorted({min(versions), max(versions)})) if versions else ()


def breaks(taxonomies: Iterable[Collection[int]]) -> bool:
    """Whether amounts by kind stand side by side that were recorded before and after licences became a kind."""
    versions = {version for found in taxonomies for version in found}
    return any(one < BREAK for one in versions) and any(one >= BREAK for one in versions)


def joined(taxonomies: Collection[int]) -> bool:
    """Whether licences may be inside what is called assignments here."""
    return any(one < BREAK for one in taxonomies)


def quarter_of(day: dt.date) -> tuple[int, int]:
    """The year and the quarter of a day."""
    return day.year, (day.month + 2) // 3


@dataclass(frozen=True)
class Move:
    """A movement as it bears on a total: the day that it counts for, and what it adds."""

    at: dt.datetime
    day: dt.date
    contract_id: int
    contracts: int
    fen: int


def told(moves: Iterable[Move], since: dt.datetime) -> dict[tuple[int, int], dt.datetime]:
    """Up to when the public is told what was recorded since a moment, of each quarter of which something waits.

    `moves` come in the order of time. What counts for a quarter is told once SMALL_CELL contracts of it count
    otherwise than when it was told last, all that was recorded at one time together; so two totals that the public
    sees one after the other never differ by fewer.
    """
    until: dict[tuple[int, int], dt.datetime] = {}
    pending: dict[tuple[int, int], dict[int, tuple[int, int]]] = {}
    for at, together in itertools.groupby(moves, key=lambda one: one.at):
        touched = set()
        for one in together:
            quarter = quarter_of(one.day)
            net = pending.setdefault(quarter, {})
            contracts, fen = net.get(one.contract_id, (0, 0))
            net[one.contract_id] = contracts + one.contracts, fen + one.fen
            if net[one.contract_id] == (0, 0):
                del net[one.contract_id]
            touched.add(quarter)
        for quarter in touched:
            if len(pending[quarter]) >= SMALL_CELL:
                until[quarter] = at
                del pending[quarter]
    return {quarter: until.get(quarter, since) for quarter, net in pending.items() if net}


def withheld(counts: Mapping[Key, int], order: Sequence[Key] | None = None) -> frozenset[Key]:
    """The cells of a breakdown whose amounts the public is not told.

    Every cell of fewer than SMALL_CELL contracts; and where that is a single cell, the next smallest
    with it, since the total would give the one away.
    """
    keys = [key for key in (order or list(counts)) if counts.get(key, 0) > 0]
    small = [key for key in keys if counts[key] < SMALL_CELL]
    if len(small) == 1 and len(keys) > 1:
        rest = sorted((key for key in keys if key not in small), key=lambda key: (counts[key], str(key)))
        small.append(rest[0])
    return frozenset(small)
