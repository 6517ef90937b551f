"""GDP figures that the demonstration divides by. Estimates, and each says so in its source.

Only 2024 is an official figure; it comes with the market's own seed and is repeated here as the measure
by which the contracts of that year are scaled.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from market.statistics.models import Vintage
from web.demo.content.organisations import WENLING

YI = 10_000_000_000
"""A hundred million yuan (亿元) in fen."""

OFFICIAL_2024_FEN = 14_176_300_000_000
"""温岭 2024, first release: 1,417.63 亿元 (the city's statistics communiqué)."""

ESTIMATE = "演示估算，非官方数据；仅用于展示比重的计算方法"


@dataclass(frozen=True)
class DemoGdp:
    """A GDP release. `value_fen` is year to date through `quarter`, current prices."""

    year: int
    quarter: int
    vintage: Vintage
    value_fen: int
    published_on: dt.date
    source: str
    region_code: str = WENLING


def _estimate(year: int, quarter: int, vintage: Vintage, yi: int, on: tuple[int, int, int]) -> DemoGdp:
    return DemoGdp(year, quarter, vintage, yi * YI, dt.date(*on), ESTIMATE)


GDP_RELEASES: tuple[DemoGdp, ...] = (
    _estimate(2020, 4, Vintage.FIRST, 1135, (2021, 2, 26)),
    _estimate(2021, 4, Vintage.FIRST, 1245, (2022, 2, 25)),
    _estimate(2022, 4, Vintage.FIRST, 1300, (2023, 2, 24)),
    _estimate(2023, 4, Vintage.FIRST, 1330, (2024, 2, 28)),
    _estimate(2023, 4, Vintage.FINAL, 1345, (2024, 12, 20)),
    _estimate(2025, 1, Vintage.FIRST, 330, (2025, 4, 28)),
    _estimate(2025, 2, Vintage.FIRST, 695, (2025, 7, 28)),
    _estimate(2025, 3, Vintage.FIRST, 1070, (2025, 10, 28)),
    _estimate(2025, 4, Vintage.FIRST, 1485, (2026, 2, 27)),
    _estimate(2026, 1, Vintage.FIRST, 345, (2026, 4, 28)),
    _estimate(2026, 2, Vintage.FIRST, 730, (2026, 7, 28)),
    _estimate(2026, 3, Vintage.FIRST, 1120, (2026, 10, 28)),
)
"""Round numbers on purpose: an estimate should look like one. 2023 has two vintages."""


@dataclass(frozen=True)
class DemoSnapshot:
    """A figure that was published; `reason` where it revises the one before."""

    caliber: str
    year: int
    published_on: dt.date
    reason: str = ""


SNAPSHOTS: tuple[DemoSnapshot, ...] = (
    DemoSnapshot("C1", 2024, dt.date(2025, 3, 10)),
    DemoSnapshot("C1", 2025, dt.date(2026, 3, 5)),
    DemoSnapshot("C1", 2025, dt.date(2026, 6, 15), "一份2025年登记的合同解除并注销登记，重新公布"),
)
"""In the order of their days; between the last two a contract of 2025 is deregistered."""


def yearly_gdp_fen(year: int) -> int:
    """What a year's contracts are divided by; for 2026 the estimate of the first three quarters."""
    if year == 2024:
        return OFFICIAL_2024_FEN
    found = [one for one in GDP_RELEASES if one.year == year]
    return max(found, key=lambda one: (one.quarter, one.published_on)).value_fen
