"""Rows of demands and their target figures."""

from __future__ import annotations

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values
from market.listings.models import ListingState


class DemandSource(enum.StrEnum):
    """How a demand reached the market."""

    DECLARED = "declared"
    """企业申报"""
    COLLECTED = "collected"
    """专班征集"""
    RECOMMENDED = "recommended"
    """部门推荐"""


class Comparator(enum.StrEnum):
    """How a target figure is to be met."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    ABOUT = "about"
    BETWEEN = "between"


class Demand(SQLModel, table=True):
    """A technology wanted (需求)."""

    __tablename__ = "demand"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", ListingState), name="state"),
        sa.CheckConstraint(in_values("origin", DemandSource), name="origin"),
        sa.CheckConstraint("wanted_trl IS NULL OR wanted_trl BETWEEN 1 AND 9", name="wanted_trl"),
        sa.CheckConstraint(
            "budget_low_fen IS NULL OR budget_high_fen IS NULL OR budget_low_fen <= budget_high_fen",
            name="budget",
        ),
        sa.Index("ix_demand_state_published_at", "state", "published_at"),
    )
    id: int | None = columns.primary_key()
    organisation_id: int = columns.reference("organisation.id")
    title: str = Field(max_length=200)
    title_en: str = Field(default="", max_length=300)
    difficulty: str = columns.text()
    """难点: what has not been solved."""
    research: str = columns.text()
    """研究内容: what is to be done."""
    background: str = columns.text()
    keywords: list[str] = columns.json_list()
    industry_code: str = Field(foreign_key="industry.code", max_length=32, index=True)
    ipc: list[str] = columns.json_list()
    modes: list[str] = columns.json_list()
    """CooperationMode values."""
    wanted_trl: int | None = None
    """The lowest readiness that would help."""
    budget_low_fen: int | None = columns.fen(optional=True)
    budget_high_fen: int | None = columns.fen(optional=True)
    """Both None means negotiable (面议)."""
    deadline: dt.date | None = None
    """The day by which a solution is wanted."""
    experts: str = columns.text()
    """意向专家或团队: whom the firm would like to work with."""
    origin: str = Field(default=DemandSource.DECLARED.value, max_length=16)
    contact_name: str = Field(default="", max_length=80)
    contact_phone: str = Field(default="", max_length=40)
    contact_email: str = Field(default="", max_length=254)
    state: str = Field(default=ListingState.DRAFT.value, max_length=16)
    state_reason: str = columns.text()
    published_at: dt.datetime | None = columns.instant(optional=True)
    valid_until: dt.date | None = None
    confirmed_at: dt.datetime | None = columns.instant(optional=True)
    source: str = Field(default="", max_length=64)
    source_id: str | None = Field(default=None, max_length=128)
    version: int = 1
    created_by: int | None = columns.reference("person.id", optional=True, index=False)
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant(index=True)


sa.Index(
    "uq_demand_source_source_id",
    Demand.__table__.c.source,  # type: ignore[attr-defined]
    Demand.__table__.c.source_id,  # type: ignore[attr-defined]
    unique=True,
)


class DemandTarget(SQLModel, table=True):
    """A figure that a solution must reach: `flow at_least 25 m³/h at 50 m head`."""

    __tablename__ = "demand_target"
    __table_args__ = (sa.CheckConstraint(in_values("comparator", Comparator), name="comparator"),)
    id: int | None = columns.primary_key()
    demand_id: int = columns.reference("demand.id")
    name: str = Field(max_length=120)
    comparator: str = Field(max_length=16)
    threshold: str = Field(max_length=40)
    """A decimal number as typed."""
    threshold_high: str = Field(default="", max_length=40)
    """The upper end when the comparator is `between`."""
    unit: str = Field(default="", max_length=40)
    condition: str = Field(default="", max_length=200)
