"""Rows of calibers, GDP releases, plan targets and published snapshots."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values


class AmountMeasure(enum.StrEnum):
    """Which amount a caliber adds up."""

    DEAL = "deal"
    TECHNOLOGY = "technology"
    RECEIVED = "received"
    """What was received under the contracts (到账)."""


class DatedBy(enum.StrEnum):
    """Which day puts a contract into a period."""

    REGISTRATION = "registration"
    SIGNING = "signing"
    EFFECT = "effect"
    RECEIPT = "receipt"


class AmendmentRule(enum.StrEnum):
    """Which period a later change counts in."""

    RESTATE = "restate"
    """The contract's own: the period is counted anew."""
    WHEN_CHANGED = "when_changed"
    """That of the change: earlier periods stay as they were."""


class Side(enum.StrEnum):
    """Whose region decides whether a contract counts."""

    SELLER = "seller"
    BUYER = "buyer"
    EITHER = "either"
    """Seller or buyer, each contract once."""


class Vintage(enum.StrEnum):
    """Which issue of a GDP figure a release is."""

    FIRST = "first"
    """初步核算"""
    FINAL = "final"
    """最终核实"""
    CENSUS = "census"
    """普查修订"""


class Caliber(SQLModel, table=True):
    """A named way to count (口径). A published version is never edited; a new one gets a new number."""

    __tablename__ = "caliber"
    __table_args__ = (
        sa.UniqueConstraint("code", "version"),
        sa.CheckConstraint(in_values("measure", AmountMeasure), name="measure"),
        sa.CheckConstraint(in_values("side", Side), name="side"),
        sa.CheckConstraint(in_values("dated_by", DatedBy), name="dated_by"),
        sa.CheckConstraint(in_values("amendments", AmendmentRule), name="amendments"),
    )
    id: int | None = columns.primary_key()
    code: str = Field(max_length=8)
    version: int = 1
    name: str = Field(max_length=120)
    name_en: str = Field(default="", max_length=200)
    measure: str = Field(max_length=16)
    side: str = Field(max_length=16)
    region_code: str = Field(max_length=6)
    states: list[str] = columns.json_list()
    """ContractState values that count."""
    dated_by: str = Field(default=DatedBy.REGISTRATION.value, max_length=16)
    amendments: str = Field(default=AmendmentRule.RESTATE.value, max_length=16)
    is_default: bool = False
    valid_from: dt.date
    valid_to: dt.date | None = None
    note: str = columns.text()
    note_en: str = columns.text()
    published_at: dt.datetime | None = columns.instant(optional=True)
    """When an official published this version; None for those that the market began with."""
    published_by: int | None = columns.reference("person.id", optional=True, index=False)


class GdpRelease(SQLModel, table=True):
    """One published GDP figure at current prices. Restatements are new rows."""

    __tablename__ = "gdp_release"
    __table_args__ = (
        sa.CheckConstraint(in_values("vintage", Vintage), name="vintage"),
        sa.CheckConstraint("value_fen > 0", name="value"),
        sa.UniqueConstraint("region_code", "year", "quarter", "vintage", "published_on"),
    )
    id: int | None = columns.primary_key()
    region_code: str = Field(max_length=6)
    year: int
    quarter: int = 4
    """Year to date through this quarter; 4 is the whole year."""
    vintage: str = Field(max_length=16)
    value_fen: int = columns.fen()
    published_on: dt.date
    source: str = Field(max_length=300)
    entered_at: dt.datetime = columns.instant()
    entered_by: int | None = columns.reference("person.id", optional=True, index=False)


class PlanTarget(SQLModel, table=True):
    """An indicator of the plan's Table 1 as printed, with its base; nothing is derived from it."""

    __tablename__ = "plan_target"
    __table_args__ = (sa.UniqueConstraint("indicator", "year"),)
    id: int | None = columns.primary_key()
    indicator: str = Field(max_length=64)
    year: int
    value: str = Field(max_length=40)
    """As printed: `2`."""
    unit: str = Field(max_length=20)
    source: str = Field(max_length=300)
    position: int = 0
    """The row of the table."""
    name: str = Field(default="", max_length=120)
    name_en: str = Field(default="", max_length=200)
    base_year: int | None = None
    base_value: str = Field(default="", max_length=40)
    """As printed; `—` where the plan gives none."""
    note: str = columns.text()
    """What does not agree inside the plan, said and not corrected."""
    note_en: str = columns.text()


class PlanValue(SQLModel, table=True):
    """What an indicator reached in a year, as entered with its source; never edited, the newest counts."""

    __tablename__ = "plan_value"
    __table_args__ = (sa.Index("ix_plan_value_indicator_year", "indicator", "year"),)
    id: int | None = columns.primary_key()
    indicator: str = Field(max_length=64)
    year: int
    value: str = Field(max_length=40)
    """A decimal number in the indicator's unit."""
    source: str = Field(max_length=300)
    entered_at: dt.datetime = columns.instant()
    entered_by: int | None = columns.reference("person.id", optional=True, index=False)


class Snapshot(SQLModel, table=True):
    """A published figure, frozen with everything it was computed from."""

    __tablename__ = "snapshot"
    id: int | None = columns.primary_key()
    caliber_id: int = columns.reference("caliber.id")
    gdp_release_id: int = columns.reference("gdp_release.id")
    year: int
    quarter: int = 4
    numerator_fen: int = columns.fen()
    denominator_fen: int = columns.fen()
    contract_count: int
    content: dict[str, Any] = columns.json_object()
    """Contract ids with the amounts counted, the caliber's text, the release."""
    sha256: str = Field(max_length=64)
    published_at: dt.datetime = columns.instant(index=True)
    published_by: int | None = columns.reference("person.id", optional=True, index=False)
    supersedes_id: int | None = columns.reference("snapshot.id", optional=True, index=False)
    known_at: dt.datetime | None = columns.instant(optional=True)
    """The register's time that it was computed at."""
    signature: str = Field(default="", max_length=200)
    """Ed25519 over `sha256`, base64; empty for those published before signing began."""
    key_id: str = Field(default="", max_length=64)
    reason: str = columns.text()
    """Why a revision was published."""


class SnapshotLine(SQLModel, table=True):
    """A contract inside a published figure, with the amount that was counted; never edited."""

    __tablename__ = "snapshot_line"
    __table_args__ = (sa.UniqueConstraint("snapshot_id", "contract_id"),)
    id: int | None = columns.primary_key()
    snapshot_id: int = columns.reference("snapshot.id")
    contract_id: int = columns.reference("contract.id")
    local_number: str = Field(max_length=32)
    registered_on: dt.date
    fen: int = columns.fen()


@sa.event.listens_for(Snapshot, "before_update")
@sa.event.listens_for(Snapshot, "before_delete")
def _published_is_published(_mapper: Any, _connection: Any, _target: Snapshot) -> None:
    raise TypeError("a published snapshot is never changed")
