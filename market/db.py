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
import functools
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.engine.interfaces import Dialect, ExceptionContext
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


def json_text(value: Any) -> str:
    """A JSON document as it is stored; what orjson does not take (say, an integer beyond 64 bits) goes the slow way."""
    try:
        return orjson.dumps(value, option=_JSON_OPTIONS).decode()
    except orjson.JSONEncodeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


_JSON_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


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
                hide_parameters=True,
                json_serializer=json_text,
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
                hide_parameters=True,
                json_serializer=json_text,
                pool_size=pool_size,
                max_overflow=20,
                pool_pre_ping=True,
                # A process that stands still with rows locked would hold everybody up for as long.
                connect_args={
                    "options": "-c timezone=UTC -c lock_timeout=10000"
                    " -c idle_in_transaction_session_timeout=20000"
                },
            )
            sa.event.listen(self.engine, "handle_error", _tell_no_values)
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


def _tell_no_values(context: ExceptionContext) -> None:
    # After its first line PostgreSQL quotes whole rows (DETAIL): names, addresses. Errors end up in logs and
    # in the rows of work that failed.
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None and error.args and isinstance(error.args[0], str):
            error.args = (error.args[0].partition("\n")[0], *error.args[1:])


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


class Inserter:
    """Inserts many rows of one table at once, past the statement compiler: the auction writer's way.

    Rows are tuples in the order of `names`, of what a Core insert takes, and are stored as it would store
    them; only a JSON column takes its text. On SQLite one statement holds up to 256 rows, because the
    driver lets other threads in once a row when it is given many; on PostgreSQL it is a COPY.
    """

    CHUNK = 256

    def __init__(self, table: sa.Table, names: Sequence[str]) -> None:
        self._table = table
        self._columns = [table.c[name] for name in names]
        self._into = f"{table.name} ({', '.join(names)})"
        self._processors: dict[str, list[tuple[int, Any]]] = {}

    def insert(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows in the connection's transaction. Raises IntegrityError where a constraint refuses one."""
        if not rows:
            return
        if not connection.in_transaction():
            connection.begin()
        rows = self._processed(connection.dialect, rows)
        if connection.dialect.name == "postgresql":
            cursor: Any = connection.connection.cursor()
            statement = f"COPY {self._into} FROM STDIN"
            try:
                with cursor, cursor.copy(statement) as copy:
                    for row in rows:
                        copy.write_row(row)
            except connection.dialect.loaded_dbapi.IntegrityError as error:
                raise sa.exc.IntegrityError(statement, None, error) from error
            return
        one = f"({', '.join('?' * len(self._columns))})"
        start, size = 0, self.CHUNK
        while start < len(rows):
            while size > len(rows) - start:
                size //= 2  # few sizes, so that the driver's cache of statements knows them all
            values = ", ".join([one] * size)
            connection.exec_driver_sql(
                f"INSERT INTO {self._into} VALUES {values}",  # noqa: S608
                tuple(itertools.chain.from_iterable(rows[start : start + size])),
            )
            start += size

    def _processed(self, dialect: Dialect, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        processors = self._processors.get(dialect.name)
        if processors is None:
            found = [
                (place, column.type.dialect_impl(dialect).bind_processor(dialect))
                for place, column in enumerate(self._columns)
                if not isinstance(column.type, sa.JSON)
            ]
            processors = self._processors[dialect.name] = [(place, one) for place, one in found if one]
        if not processors:
            return rows
        columns = list(zip(*rows, strict=True))
        for place, process in processors:
            # By identity: a batch holds the same few instants hundreds of times.
            distinct = {id(value): value for value in columns[place]}
            stored = {key: process(value) for key, value in distinct.items()}
            columns[place] = tuple(stored[id(value)] for value in columns[place])
        return list(zip(*columns, strict=True))


def reserve_ids(session: Session, table: sa.Table, count: int) -> list[int]:
    """Keys, in rising order, for rows that the transaction will insert with them.

    On SQLite they follow the highest key: the write transaction is the lock.
    """
    connection = session.connection()
    if connection.dialect.name == "postgresql":
        sequence = sa.func.pg_get_serial_sequence(table.name, "id")
        numbers = sa.select(sa.func.nextval(sequence)).select_from(sa.func.generate_series(1, count))
        return sorted(connection.scalars(numbers))
    last = connection.scalar(sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0)))
    assert last is not None
    return list(range(last + 1, last + 1 + count))


def json_rows(dialect: str, types: Mapping[str, Any], parameter: str = "rows") -> sa.FromClause:
    """A table made of a JSON array of objects, which is bound as text to `parameter`.

    For joining with many keys at once: one statement for any number of them.
    """
    given = sa.bindparam(parameter, type_=sa.Text)
    if dialect == "postgresql":
        record = sa.func.jsonb_to_recordset(sa.cast(given, postgresql.JSONB))
        columns = [sa.column(name, kind) for name, kind in types.items()]
        return record.table_valued(*columns).render_derived(name=parameter, with_types=True)
    each = sa.func.json_each(given).table_valued("value")
    return sa.select(
        *(
            sa.func.json_extract(each.c.value, sa.literal_column(f"'$.{name}'"), type_=kind).label(name)
            for name, kind in types.items()
        )
    ).subquery(parameter)


def rows_at_once(
    connection: Connection, statement: sa.Select[Any], parameters: Mapping[str, Any]
) -> list[Sequence[Any]]:
    """All rows of a statement, of numbers, texts and NULL only. Give the same statement object each time.

    SQLite's driver lets other threads in at every row, and each then keeps the interpreter for a while: the
    rows of a busy server's writer would take longer than all the rest. There they come as one JSON text.
    """
    if connection.dialect.name == "sqlite":
        return list(json.loads(connection.execute(_as_json(statement), dict(parameters)).scalar_one()))
    return list(connection.execute(statement, dict(parameters)).all())


@functools.lru_cache(64)
def _as_json(statement: sa.Select[Any]) -> sa.Select[Any]:
    rows = statement.subquery()
    return sa.select(sa.func.json_group_array(sa.func.json_array(*rows.c)))


def for_update(
    statement: sa.Select[Any],
    session: Session | Connection,
    *,
    skip_locked: bool = False,
    idle_s: int | None = None,
) -> Any:
    """Lock the selected rows on PostgreSQL; on SQLite the write transaction is the lock already.

    With `idle_s` a process that stands still with the rows locked loses them, and its transaction, after so
    many seconds.
    """
    bind = session.connection() if isinstance(session, Session) else session
    if bind.dialect.name != "postgresql":
        return statement
    if idle_s is not None:
        fence = sa.func.set_config("idle_in_transaction_session_timeout", f"{idle_s}s", sa.true())
        statement = statement.add_columns(fence.label("fence"))
    return statement.with_for_update(skip_locked=skip_locked)


def t(model: type[SQLModel]) -> sa.Table:
    """The table of a row class, for Core statements (`t(Result).c.title`)."""
    return model.__table__  # type: ignore[attr-defined]
