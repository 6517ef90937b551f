"""Column shorthands for SQLModel tables, so that every row declares the same thing the same way.

Each call makes a fresh column: SQLAlchemy columns cannot be shared between tables.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlmodel import Field

from market.db import Fen, Id, JsonDoc, UtcDateTime


def primary_key() -> Any:
    """A 64-bit key given by the database."""
    return Field(default=None, sa_column=sa.Column(Id, primary_key=True, autoincrement=True))


def reference(target: str, *, optional: bool = False, index: bool = True, **options: Any) -> Any:
    """A foreign key to `table.column`; rows that are referred to cannot be deleted."""
    column = sa.Column(Id, sa.ForeignKey(target, ondelete="RESTRICT"), nullable=optional, index=index)
    return (
        Field(default=None, sa_column=column, **options) if optional else Field(sa_column=column, **options)
    )


def loose_reference(*, optional: bool = True) -> Any:
    """The key of a row in a higher room's table, which this room may not name."""
    column = sa.Column(Id, nullable=optional, index=True)
    return Field(default=None, sa_column=column) if optional else Field(sa_column=column)


def fen(*, optional: bool = False, default: int | None = None) -> Any:
    """An amount in fen."""
    column = sa.Column(Fen, nullable=optional)
    if optional or default is not None:
        return Field(default=default, sa_column=column)
    return Field(sa_column=column)


def instant(*, optional: bool = False, index: bool = False) -> Any:
    """An instant in UTC."""
    column = sa.Column(UtcDateTime, nullable=optional, index=index)
    return Field(default=None, sa_column=column) if optional else Field(sa_column=column)


def text(*, default: str | None = "") -> Any:
    """Text without a length limit in the database; input models limit it."""
    return Field(default=default, sa_column=sa.Column(sa.Text, nullable=default is None))


def json_list() -> Any:
    """A JSON list; assign a new list to change it."""
    return Field(default_factory=list, sa_column=sa.Column(JsonDoc, nullable=False))


def json_object() -> Any:
    """A JSON object; assign a new object to change it."""
    return Field(default_factory=dict, sa_column=sa.Column(JsonDoc, nullable=False))
