"""Alembic's entry: runs migrations on the database handed over in the configuration."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

from alembic import context
from sqlalchemy.engine import Connection
from sqlmodel import SQLModel

import auctions.models
import auctions.papers
import auctions.watching
import market.tables  # noqa: F401
import matching.models
from market.db import Database, Id, JsonDoc, UtcDateTime

del auctions, matching


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our column types by their portable spelling, so that old migrations outlive our classes."""
    if kind == "type":
        if isinstance(item, UtcDateTime):
            return "UtcDateTime()"
        if item is Id:
            return "Id"
        if item is JsonDoc:
            return "JsonDoc"
        if type(item).__name__ == "AutoString":
            return f"sa.String({item.length or ''})"
    return False


@contextlib.contextmanager
def _rebuilding(database: Database, connection: Connection) -> Iterator[None]:
    # SQLite changes a table by making it anew, and dropping the old one would strike whatever refers to it.
    if not database.is_sqlite:
        yield
        return
    sqlite: Any = connection.connection.driver_connection
    sqlite.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
        broken = sqlite.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise RuntimeError(f"a migration left broken references: {broken[:5]}")
    finally:
        sqlite.execute("PRAGMA foreign_keys=ON")


def run() -> None:
    """Run the migrations in one transaction (PostgreSQL) or one per migration (SQLite)."""
    database: Database = context.config.attributes["database"]
    with database.connect_for_writing() as connection, _rebuilding(database, connection):
        context.configure(
            connection=connection,
            target_metadata=SQLModel.metadata,
            render_as_batch=True,
            render_item=render_item,
            compare_type=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
