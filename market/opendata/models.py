"""Rows of published releases."""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns


class OpenRelease(SQLModel, table=True):
    """One release about one contracting process, as it was published; never edited, never taken back.

    Its number is given when it is committed, so that who reads on from the last number misses nothing.
    """

    __tablename__ = "open_release"
    __table_args__ = (sa.UniqueConstraint("release_id"),)
    id: int | None = columns.primary_key()
    contract_id: int = columns.reference("contract.id")
    ocid: str = Field(max_length=64, index=True)
    release_id: str = Field(max_length=96)
    published_at: dt.datetime = columns.instant(index=True)
    content: dict[str, Any] = columns.json_object()
    sha256: str = Field(max_length=64)
