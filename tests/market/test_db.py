from __future__ import annotations

import datetime as dt
import threading

import pytest
import sqlalchemy as sa

from market.clock import UTC
from market.db import Database, t
from market.taxonomy.models import Industry


def industry(code: str, now: dt.datetime) -> Industry:
    return Industry(code=code, name=code, updated_at=now)


def test_write_commits_and_an_exception_rolls_back(database: Database, now: dt.datetime) -> None:
    with database.write() as session:
        session.add(industry("kept", now))
    with pytest.raises(RuntimeError, match="stop"), database.write() as session:
        session.add(industry("lost", now))
        session.flush()
        raise RuntimeError("stop")
    with database.read() as session:
        codes = session.scalars(sa.select(Industry.code).where(Industry.code.in_(["kept", "lost"]))).all()  # type: ignore[attr-defined]
    assert codes == ["kept"]


def test_read_never_writes(database: Database, now: dt.datetime) -> None:
    with database.read() as session:
        session.add(industry("ghost", now))
        session.flush()
    with database.read() as session:
        assert session.get(Industry, "ghost") is None


def test_instants_come_back_aware_and_in_utc(database: Database) -> None:
    shanghai = dt.datetime(2026, 3, 2, 10, 30, 0, 123456, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    with database.write() as session:
        session.add(industry("time", shanghai))
    with database.read() as session:
        value = session.execute(
            sa.select(t(Industry).c.updated_at).where(t(Industry).c.code == "time")
        ).scalar_one()
    assert value == shanghai
    assert value.tzinfo is UTC or value.utcoffset() == dt.timedelta(0)


def test_naive_instants_are_refused(database: Database) -> None:
    with pytest.raises(sa.exc.StatementError, match="naive"), database.write() as session:
        session.add(industry("naive", dt.datetime(2026, 1, 1)))


def test_write_transactions_queue_up_instead_of_failing(database: Database, now: dt.datetime) -> None:
    with database.write() as session:
        session.add(Industry(code="sum", name="sum", sort=0, updated_at=now))

    def add() -> None:
        for _ in range(10):
            with database.write() as session:
                statement = sa.select(t(Industry).c.sort).where(t(Industry).c.code == "sum")
                if not database.is_sqlite:
                    statement = statement.with_for_update()
                sort = session.execute(statement).scalar_one()
                session.execute(
                    sa.update(t(Industry)).where(t(Industry).c.code == "sum").values(sort=sort + 1)
                )

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        row = session.get(Industry, "sum")
        assert row is not None
        assert row.sort == 40
