"""The calibers, the plan's fifteen targets and the one GDP figure that are known at the start.

Nothing is invented: a year without a published GDP has no denominator until an official enters one.
"""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from market.clock import start_of_local_day
from market.db import Session, t, upsert
from market.statistics.models import Caliber, GdpRelease, PlanTarget


def seed_statistics(session: Session, now: dt.datetime) -> None:
    """Add what is not there yet; rows that are there stay as they are."""
    data: dict[str, Any] = json.loads((Path(__file__).parent / "seed.json").read_text(encoding="utf-8"))
    calibers = [
        _dated({**data["caliber_defaults"], **row}, "valid_from", "valid_to") for row in data["calibers"]
    ]
    upsert(session, t(Caliber), calibers, key=["code", "version"])
    upsert(session, t(PlanTarget), data["plan_targets"], key=["indicator", "year"])
    _complete(session, data["plan_targets"])
    # A market that begins takes over what was published before it; what a later version of the market
    # brings is known from when it came, so that no earlier answer changes.
    begins = session.scalar(sa.select(sa.func.count()).select_from(t(GdpRelease))) == 0
    releases = []
    for row in data["gdp_releases"]:
        release = _dated(row, "published_on")
        day = start_of_local_day(release["published_on"])
        releases.append(release | {"entered_at": min(now, day) if begins else now})
    upsert(
        session, t(GdpRelease), releases, key=["region_code", "year", "quarter", "vintage", "published_on"]
    )


def _complete(session: Session, targets: list[dict[str, Any]]) -> None:
    """Give a target that was stored before the whole table was its row of the table; value and year stay."""
    c = t(PlanTarget).c
    for row in targets:
        rest = {
            name: value for name, value in row.items() if name not in ("indicator", "year", "value", "unit")
        }
        session.execute(
            sa.update(t(PlanTarget))
            .where(c.indicator == row["indicator"], c.year == row["year"], c.position == 0)
            .values(**rest)
        )


def _dated(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return row | {name: dt.date.fromisoformat(row[name]) if row[name] else None for name in names}
