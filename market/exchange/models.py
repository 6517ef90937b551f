"""Rows of saved column mappings and import runs."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns


class SavedMapping(SQLModel, table=True):
    """How a source's columns become our fields, with constants for what the source lacks."""

    __tablename__ = "import_mapping"
    __table_args__ = (sa.UniqueConstraint("name", "kind"),)
    id: int | None = columns.primary_key()
    name: str = Field(max_length=80)
    kind: str = Field(max_length=16)
    """`results`, `demands`, `organisations`."""
    content: dict[str, Any] = columns.json_object()
    organisation_id: int | None = columns.reference("organisation.id", optional=True)
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()


class ImportRun(SQLModel, table=True):
    """One import: which file, what it did, which rows were bad."""

    __tablename__ = "import_run"
    id: int | None = columns.primary_key()
    kind: str = Field(max_length=16)
    file_name: str = Field(max_length=255)
    sha256: str = Field(max_length=64)
    dry_run: bool
    state: str = Field(max_length=16)
    total: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    bad: int = 0
    problems: list[dict[str, Any]] = columns.json_list()
    """[{"line": int, "field": text, "code": text, "params": object, "value": text}]"""
    person_id: int | None = columns.reference("person.id", optional=True, index=False)
    started_at: dt.datetime = columns.instant()
    finished_at: dt.datetime | None = columns.instant(optional=True)
