"""A published caliber is never edited, by hand neither: the database refuses, on both of its kinds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

import migrations
from market.db import Database, t
from market.statistics.models import Caliber, PlanTarget
from market.statistics.seed import seed_statistics
from tests.conftest import NOW, make_empty_database

LAST = dt.date(2030, 12, 31)


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    for database in make_empty_database(request.param, request, tmp_path):
        migrations.upgrade(database)
        with database.write() as session:
            seed_statistics(session, NOW)
        yield database


def test_only_the_last_day_can_be_set_and_once(migrated: Database) -> None:
    c = t(Caliber).c
    first = c.code == "C1"
    edits: list[dict[str, object]] = [
        {"note": "另一种算法"}, {"measure": "technology"}, {"states": ["revoked"]}, {"is_default": False},
        {"valid_to": None}, {"valid_to": LAST, "name": "改名"}, {"code": "X9"},
    ]  # fmt: skip
    for values in edits:
        with pytest.raises(IntegrityError, match="append-only"), migrated.write() as session:
            session.execute(sa.update(t(Caliber)).where(first).values(**values))
    with pytest.raises(IntegrityError, match="append-only"), migrated.write() as session:
        session.execute(sa.delete(t(Caliber)).where(c.code == "C7"))
    if not migrated.is_sqlite:
        with pytest.raises(DBAPIError), migrated.write() as session:
            session.execute(sa.text("TRUNCATE caliber CASCADE"))
    with migrated.write() as session:
        session.execute(sa.update(t(Caliber)).where(first).values(valid_to=LAST))
    with pytest.raises(IntegrityError, match="append-only"), migrated.write() as session:
        session.execute(sa.update(t(Caliber)).where(first).values(valid_to=dt.date(2031, 1, 1)))
    with migrated.read() as session:
        assert session.scalar(sa.select(c.valid_to).where(first)) == LAST
        assert session.scalar(sa.select(sa.func.count()).select_from(t(Caliber))) == 7


def test_the_step_down_takes_the_guard_and_the_whole_name_away(migrated: Database) -> None:
    p = t(PlanTarget).c
    ninth = sa.select(p.name).where(p.indicator == "technology_transactions_gdp_share")
    migrations.downgrade(migrated, "0011")
    with migrated.write() as session:
        assert session.scalar(ninth) == "技术交易总额占GDP比重"
        session.execute(sa.update(t(Caliber)).values(note="改"))
    migrations.upgrade(migrated)
    with migrated.read() as session:
        assert session.scalar(ninth) == "技术交易总额相当于地区生产总值比重"
