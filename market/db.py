"""The database: engine, column types, and the only begin and commit besides the auction writer's.

Two dialects are served alike: SQLite (embedded default; WAL, synchronous=FULL, one serving
process) and PostgreSQL (psycopg 3). What differs between them is written here and nowhere else.

`Database.write()` begins a write transaction (`BEGIN IMMEDIATE` on SQLite, so that it never has to
upgrade a read lock and fail half-way), commits on leaving and rolls back on any exception.
`Database.read()` always rolls back. Sessions are SQLAlchemy's own (`session.execute(select(…))`), not
SQLModel's subclass, whose `execute` is deprecated in favour of a narrower `exec`. Sessions belong to the thread that opened them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeDecorator
from sqlmodel import SQLModel

from market.clock import UTC, as_utc

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[dt.datetime]):
    """An aware instant: `timestamptz` on PostgreSQL, sortable UTC text-compatible value on SQLite.

    Refuses naive datetimes (ValueError); always returns aware UTC.
    """

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        value = as_utc(value)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


JsonDoc = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
"""A JSON document: JSONB on PostgreSQL, text on SQLite. Assign a new value to change it."""

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""Primary keys: 64 bits everywhere (SQLite's own integer key is)."""

Fen = sa.BigInteger
"""An amount in fen (1/100 yuan)."""


def in_values(column: str, enum: Any) -> str:
    """The text of a CHECK that a column holds one of a string enumeration's values."""
    values = ", ".join(f"'{member.value}'" for member in enum)
    return f"{column} IN ({values})"


class Database:
    """Connections to one database. Create one per process; thread-safe."""

    def __init__(self, url: str | URL, *, pool_size: int = 20, echo: bool = False) -> None:
        self.url = make_url(url)
        if self.url.drivername in ("postgresql", "postgres"):
            self.url = self.url.set(drivername="postgresql+psycopg")
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            self.engine: Engine = sa.create_engine(
                self.url,
                echo=echo,
                poolclass=sa.QueuePool,
                pool_size=pool_size,
                max_overflow=40,
                connect_args={"timeout": 30, "check_same_thread": False},
            )
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = sa.create_engine(
                self.url,
                echo=echo,
                pool_size=pool_size,
                max_overflow=20,
                pool_pre_ping=True,
                connect_args={"options": "-c timezone=UTC -c lock_timeout=10000"},
            )
        self._writing = self.engine.execution_options(market_write=True)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A write transaction: committed on leaving the block, rolled back on any exception."""
        with Session(self._writing, expire_on_commit=False, autoflush=True) as session:
            try:
                yield session
                session.commit()
            except BaseException:
                session.rollback()
                raise

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A read transaction on one snapshot of the moment; always rolled back."""
        with Session(self.engine, expire_on_commit=False, autoflush=False) as session:
            try:
                yield session
            finally:
                session.rollback()

    @contextmanager
    def connect_for_writing(self) -> Iterator[Connection]:
        """A bare connection whose transactions begin as writes; its user commits (auction writer)."""
        with self._writing.connect() as connection:
            yield connection

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transaction control starts transactions late and commits before DDL;
    # with it off, the begin listener below decides.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "busy_timeout=30000",
        "cache_size=-65536",
        "temp_store=MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("market_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def upsert(
    session: Session | Connection,
    table: sa.Table,
    rows: Sequence[dict[str, Any]],
    *,
    key: Sequence[str],
    update: Sequence[str] = (),
) -> int:
    """Insert rows; where `key` exists already, set the columns in `update` (or leave it alone).

    Returns the number of rows inserted or changed.
    """
    if not rows:
        return 0
    connection = session.connection() if isinstance(session, Session) else session
    maker: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    changed = 0
    # Rows are counted by what comes back: the drivers' row counts of upserts do not agree.
    for start in range(0, len(rows), 400):
        statement = maker(table).values(list(rows[start : start + 400]))
        if update:
            statement = statement.on_conflict_do_update(
                index_elements=list(key), set_={name: statement.excluded[name] for name in update}
            )
        else:
            statement = statement.on_conflict_do_nothing(index_elements=list(key))
        changed += len(connection.execute(statement.returning(table.c[key[0]])).all())
    return changed


def for_update(statement: sa.Select[Any], session: Session | Connection, *, skip_locked: bool = False) -> Any:
    """Lock the selected rows on PostgreSQL; on SQLite the write transaction is the lock already."""
    bind = session.connection() if isinstance(session, Session) else session
    if bind.dialect.name == "postgresql":
        return statement.with_for_update(skip_locked=skip_locked)
    return statement


def t(model: type[SQLModel]) -> sa.Table:
    """The table of a row class, for Core statements (`t(Result).c.title`)."""
    return model.__table__  # type: ignore[attr-defined]
