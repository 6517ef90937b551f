"""Rows of saved column mappings and import runs."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values


class RunState(enum.StrEnum):
    """Where an import run stands.

    uploaded → queued → running → done | refused | failed; checked dry runs end in done or refused too,
    and go back to queued when they are run for good.
    """

    UPLOADED = "uploaded"
    """The file is here; nobody has said yet how its columns are to be read."""
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    """Some rows were bad and the run was all or nothing: nothing was taken."""
    FAILED = "failed"
    """The file could not be read through, or the import broke off: nothing was taken."""


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
    """Whose it is; None for the market's own, which everybody who imports may use."""
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()


class ImportRun(SQLModel, table=True):
    """One import: which file, how it was read, what it did, which rows were bad."""

    __tablename__ = "import_run"
    __table_args__ = (sa.CheckConstraint(in_values("state", RunState), name="state"),)
    id: int | None = columns.primary_key()
    kind: str = Field(max_length=16)
    file_name: str = Field(max_length=255)
    sha256: str = Field(max_length=64)
    """The file's bytes in the file store."""
    size: int = 0
    """Bytes."""
    dry_run: bool
    options: dict[str, Any] = columns.json_object()
    """{"mapping": …, "source": text, "publish": bool, "partial": bool}"""
    state: str = Field(max_length=16, index=True)
    total: int = 0
    checked: int = 0
    """Rows looked at so far."""
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    bad: int = 0
    problems: list[dict[str, Any]] = columns.json_list()
    """[{"line": int, "field": text, "code": text, "params": object, "value": text}]"""
    person_id: int | None = columns.reference("person.id", optional=True)
    started_at: dt.datetime = columns.instant(index=True)
    finished_at: dt.datetime | None = columns.instant(optional=True)
