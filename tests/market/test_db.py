from __future__ import annotations

import datetime as dt
import json
import threading
import traceback

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from market.audit import AuditRecord
from market.clock import UTC
from market.db import (
    Database,
    Fen,
    Id,
    Inserter,
    JsonDoc,
    UtcDateTime,
    json_rows,
    json_text,
    reserve_ids,
    rows_at_once,
    t,
)
from market.parties.models import Person
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


def _table(database: Database, name: str) -> sa.Table:
    table = sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", Id, primary_key=True),
        sa.Column("label", sa.String(64)),
        sa.Column("body", sa.Text),
        sa.Column("fen", Fen),
        sa.Column("done", sa.Boolean),
        sa.Column("document", JsonDoc),
        sa.Column("at", UtcDateTime),
    )
    table.create(database.engine)
    return table


LABELS = ["plain", "", "竞价💧", "tab\tline\nback\\slash\\N", "\\N", "'quote\"", None]


@pytest.mark.parametrize("count", [1, 2, 7, 255, 256, 257, 700])
def test_many_rows_are_stored_as_core_stores_them(database: Database, now: dt.datetime, count: int) -> None:
    one, other = _table(database, "by_core"), _table(database, "by_inserter")
    names = [column.name for column in one.columns]
    shanghai = now.astimezone(dt.timezone(dt.timedelta(hours=8)))
    instants = [now, None, shanghai, now + dt.timedelta(microseconds=1), now.replace(microsecond=123456)]
    document = {"标的": [1, None, 2**62], "text": "a\tb\\n"}
    rows = [
        (n, LABELS[n % 7], f"{LABELS[(n + 3) % 7]}", n * 10**13, bool(n % 2), document, instants[n % 5])
        for n in range(count)
    ]
    inserter = Inserter(other, names)
    with database.write() as session:
        session.execute(sa.insert(one), [dict(zip(names, row, strict=True)) for row in rows])
        inserter.insert(session.connection(), [(*row[:5], json_text(row[5]), row[6]) for row in rows])
        inserter.insert(session.connection(), [])
    with database.read() as session:
        assert session.execute(sa.select(other).order_by("id")).all() == rows
        raw = ", ".join(
            f"typeof({name}), quote({name})" if database.is_sqlite else f"{name}::text" for name in names
        )
        stored = [
            session.execute(sa.text(f"SELECT {raw} FROM {table.name} ORDER BY id")).all()
            for table in (one, other)
        ]
    assert stored[0] == stored[1]


def test_many_rows_are_all_stored_or_none(database: Database, now: dt.datetime) -> None:
    table = _table(database, "all_or_none")
    inserter = Inserter(table, ["id", "label", "at"])
    with database.connect_for_writing() as connection:
        inserter.insert(connection, [(1, "kept", now)])
        connection.commit()
        with pytest.raises(Exception, match=r"(?i)unique"):
            inserter.insert(connection, [(2, "lost", now), (1, "again", now)])
        connection.rollback()
    with database.read() as session:
        assert session.execute(sa.select(table.c.id, table.c.at)).all() == [(1, now)]
    with pytest.raises(ValueError, match="naive"), database.write() as session:
        inserter.insert(session.connection(), [(3, "naive", dt.datetime(2026, 1, 1))])


def test_json_comes_back_as_it_went(database: Database) -> None:
    table = _table(database, "documents")
    documents = [{"标的": ['a\tb\n"', None, True, 2**62, -1]}, {"big": 2**80, "no": {}}, [], {"7": [[1, 2]]}]
    with database.write() as session:
        session.execute(
            sa.insert(table), [{"id": n, "document": document} for n, document in enumerate(documents)]
        )
        with pytest.raises((TypeError, sa.exc.StatementError)):
            session.execute(sa.insert(table), [{"id": 99, "document": {"at": dt.datetime(2026, 1, 1)}}])
    with database.read() as session:
        assert session.scalars(sa.select(table.c.document).order_by(table.c.id)).all() == documents


def test_rows_come_at_once_as_they_come_one_by_one(database: Database, now: dt.datetime) -> None:
    with database.write() as session:
        for code in ("制", "b'\"\\", "c"):
            session.add(industry(code, now))
    c = t(Industry).c
    statement = (
        sa.select(c.code, sa.cast(2**40, sa.BigInteger), sa.null().label("n"))
        .where(c.code.in_(sa.bindparam("codes", expanding=True)))
        .order_by(c.code)
    )
    with database.read() as session:
        connection = session.connection()
        for codes in (["制", "b'\"\\", "c"], [], ["c"]):
            together = rows_at_once(connection, statement, {"codes": codes})
            assert [tuple(row) for row in together] == [
                tuple(row) for row in connection.execute(statement, {"codes": codes})
            ]


def test_rows_of_json_can_be_joined(database: Database, now: dt.datetime) -> None:
    wanted = [{"code": "制", "n": 1}, {"code": "b'\"\\", "n": 2**40}, {"code": "none", "n": 3}]
    with database.write() as session:
        for code in ("制", "b'\"\\", "unasked"):
            session.add(industry(code, now))
    with database.read() as session:
        given = json_rows(session.connection().dialect.name, {"code": sa.Text, "n": sa.BigInteger})
        found = session.execute(
            sa.select(t(Industry).c.code, given.c.n)
            .join(given, given.c.code == t(Industry).c.code)
            .order_by(given.c.n),
            {"rows": json.dumps(wanted)},
        ).all()
        assert found == [("制", 1), ("b'\"\\", 2**40)]


def test_keys_are_kept_for_rows_to_come_and_a_doubled_one_is_refused(
    database: Database, now: dt.datetime
) -> None:
    table = t(Industry)
    names = [column.name for column in table.columns]
    with database.write() as session:
        session.add(industry("one", now))
    with database.read() as session:
        (row,) = session.execute(sa.select(table))
    with pytest.raises(IntegrityError), database.write() as session:
        Inserter(table, names).insert(
            session.connection(), [tuple((row._asdict() | {"ipc_prefixes": "[]"}).values())]
        )
    audit = t(AuditRecord)
    entry = {"at": now, "actor_name": "x", "via": "command", "action": "a.b", "subject": "a", "subject_id": 1}
    entry |= {"before": {}, "after": {}}
    with database.write() as session:
        first = reserve_ids(session, audit, 3)
        session.execute(sa.insert(audit), [{**entry, "id": key} for key in first])
        session.execute(sa.insert(audit), entry)
        then = reserve_ids(session, audit, 2)
        session.execute(sa.insert(audit), [{**entry, "id": key} for key in then])
    assert len(set(first + then)) == 5
    assert first + then == sorted(first + then)
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(audit)) == 6


def test_errors_quote_no_value(database: Database, now: dt.datetime) -> None:
    """What fails is told in logs and kept with work that failed: neither may hold what people entered."""
    secret = "somebody@personal.example"
    row = {
        "name": "甲", "email": secret, "password_hash": "-", "language": "en", "active": True, "demo": False,
        "created_at": now, "updated_at": now, "phone": secret,
    }  # fmt: skip
    person = t(Person)
    with database.write() as session:
        session.execute(sa.insert(person), row)
    for statement in (
        sa.insert(person).values(row),
        sa.insert(person).values({**row, "email": "x", "name": None}),
    ):
        with pytest.raises(IntegrityError) as caught, database.write() as session:
            session.execute(statement)
        told = (
            "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(caught.value.orig)
        )
        assert "person" in told
        assert secret not in told
