"""Rows of industries and regions."""

from __future__ import annotations

import datetime as dt

from sqlmodel import Field, SQLModel

from market import columns


class Industry(SQLModel, table=True):
    """One of the city's industries (产业). Retired rather than deleted; `sort` orders lists."""

    __tablename__ = "industry"
    code: str = Field(primary_key=True, max_length=32)
    name: str = Field(max_length=80)
    name_en: str = Field(default="", max_length=80)
    ipc_prefixes: list[str] = columns.json_list()
    """IPC symbols or their beginnings that suggest this industry (`F04`)."""
    sort: int = 0
    active: bool = True
    version: int = 1
    updated_at: dt.datetime = columns.instant()


class Region(SQLModel, table=True):
    """A region by its GB/T 2260 code. Codes change: rows carry the days between which they hold."""

    __tablename__ = "region"
    code: str = Field(primary_key=True, max_length=6)
    name: str = Field(max_length=80)
    name_en: str = Field(default="", max_length=80)
    parent_code: str = Field(default="", max_length=6)
    valid_from: dt.date | None = None
    valid_to: dt.date | None = None
