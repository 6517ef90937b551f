"""Rows of industries and regions, and what people may enter about them."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated

from pydantic import AfterValidator
from pydantic import Field as Entered
from sqlmodel import Field, SQLModel

from market import columns
from market.errors import Invalid
from market.inputs import Input, Line


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


_IPC_BEGINNING = re.compile(r"^[A-H](\d{2}([A-Z]( \d{1,4}(/\d{2,6})?)?)?)?$")


def _ipc_beginning(value: str) -> str:
    compact = value.upper()
    if not _IPC_BEGINNING.match(compact):
        raise Invalid("ipc_prefix")
    return compact


IpcPrefix = Annotated[Line, Entered(max_length=20, examples=["F04D"]), AfterValidator(_ipc_beginning)]
"""The beginning of an IPC symbol: section, class, subclass or group."""

IndustryCode = Annotated[
    str, Entered(pattern=r"^[a-z][a-z0-9_]{1,31}$", max_length=32, examples=["pumps_motors"])
]
"""How programs name an industry; never changes once given."""


class IndustryInput(Input):
    """What an administrator enters about an industry."""

    name: Line = Entered(min_length=1, max_length=80, description="Name in Chinese.", examples=["泵与电机"])
    name_en: Line = Entered("", max_length=80, description="Name in English.", examples=["Pumps and motors"])
    ipc_prefixes: list[IpcPrefix] = Entered(
        [],
        max_length=60,
        description="Beginnings of IPC symbols that suggest it.",
        examples=[["F04", "H02K"]],
    )
    sort: int = Entered(0, ge=0, le=9999, description="Place in lists; the lower comes first.", examples=[10])
    active: bool = Entered(True, description="Whether new listings may choose it.")


class NewIndustryInput(IndustryInput):
    """What an administrator enters to add an industry."""

    code: IndustryCode
