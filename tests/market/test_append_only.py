"""The database refuses to change or delete what the record promises to keep."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import SQLModel

import migrations
from market import audit
from market.db import Database
from market.payments import ledger
from market.permissions import SYSTEM, Role
from market.statistics import queries
from market.statistics import service as statistics
from market.statistics.inputs import SnapshotInput
from tests import factories
from tests.conftest import NOW, make_empty_database

FIRST: tuple[str, ...] = importlib.import_module("migrations.versions.0002_append_only").TABLES
TABLES = sorted({*FIRST, "ledger_account"} - {"ledger_line"})
"""A ledger transfer carries its two sides itself since migration 0014."""


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    for database in make_empty_database(request.param, request, tmp_path):
        migrations.upgrade(database)
        yield database


def fill(database: Database) -> None:
    market = factories.fill(database, NOW, results_=3, demands_=1, lots_=1, bids=2)
    people = market.accounts
    with database.write() as session:
        audit.record(session, SYSTEM, "thing.done", 1, NOW)
        ledger.post(session, "test", "test", ledger.cash("simulated"), ledger.price(1), 5, NOW)
        official = people[Role.OFFICIAL].actor
        year = session.scalar(
            sa.select(sa.func.min(SQLModel.metadata.tables["gdp_release"].c.year)).where(
                SQLModel.metadata.tables["gdp_release"].c.quarter == 4
            )
        )
        assert year is not None
        statistics.publish_snapshot(
            session, official, NOW, SnapshotInput(year=year, caliber=queries.caliber(session).code)
        )
        answers = SQLModel.metadata.tables["bid_answer"]
        session.execute(
            sa.insert(answers).values(
                lot_id=market.lots[0], person_id=1, client_bid_id="x" * 8, body_hash="0" * 64, accepted=True,
                seq=1, answer={}, at=NOW + dt.timedelta(seconds=1),
            )
        )  # fmt: skip


def test_nothing_kept_is_changed_or_deleted(migrated: Database) -> None:
    fill(migrated)
    for name in TABLES:
        table = SQLModel.metadata.tables[name]
        first = next(iter(table.primary_key.columns))
        with migrated.read() as session:
            before = session.scalar(sa.select(sa.func.count()).select_from(table))
        assert before, name
        for statement in (sa.update(table).values({first.name: first}), sa.delete(table)):
            with pytest.raises(IntegrityError, match="append-only"), migrated.write() as session:
                session.execute(statement)
        if not migrated.is_sqlite:
            with pytest.raises(DBAPIError), migrated.write() as session:
                session.execute(sa.text(f'TRUNCATE "{name}" CASCADE'))
        with migrated.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(table)) == before


def test_the_step_down_takes_the_guard_away(migrated: Database) -> None:
    with migrated.write() as session:
        audit.record(session, SYSTEM, "thing.done", 1, NOW)
    migrations.downgrade(migrated, "0001")
    with migrated.write() as session:
        session.execute(sa.delete(SQLModel.metadata.tables["audit_record"]))
    migrations.upgrade(migrated)
