"""Rows of results on offer, and the enumerations that demands share."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values


class ListingState(enum.StrEnum):
    """Where a result or a demand stands.

    draft → published → withdrawn | expired | concluded; withdrawn, expired → published (reconfirmed)
    """

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    CONCLUDED = "concluded"
    """Sold, licensed or solved; still shown, no longer on offer."""


class Stage(enum.StrEnum):
    """The lay stage of a technology beside its TRL."""

    RESEARCH = "research"
    """正在研发"""
    PROTOTYPE = "prototype"
    """已有样品"""
    SMALL_TRIAL = "small_trial"
    """通过小试"""
    PILOT = "pilot"
    """通过中试"""
    PRODUCTION = "production"
    """可以量产"""


class CooperationMode(enum.StrEnum):
    """What an owner offers, or a firm wants, to do together."""

    ASSIGNMENT = "assignment"
    EXCLUSIVE_LICENCE = "exclusive_licence"
    SOLE_LICENCE = "sole_licence"
    LICENCE = "licence"
    EQUITY = "equity"
    JOINT_DEVELOPMENT = "joint_development"
    COMMISSIONED_DEVELOPMENT = "commissioned_development"
    CONSULTING = "consulting"
    SERVICE = "service"


class PricingMode(enum.StrEnum):
    """How the price comes about (促进科技成果转化法, article 18)."""

    NEGOTIATED = "negotiated"
    """协议定价"""
    LISTING = "listing"
    """挂牌交易"""
    AUCTION = "auction"
    """拍卖（竞价）"""


class IpKind(enum.StrEnum):
    """The kind of a right."""

    INVENTION = "invention"
    UTILITY_MODEL = "utility_model"
    DESIGN = "design"
    SOFTWARE = "software"
    KNOW_HOW = "know_how"
    PLANT_VARIETY = "plant_variety"
    LAYOUT_DESIGN = "layout_design"


class IpStatus(enum.StrEnum):
    """Where a right stands."""

    APPLIED = "applied"
    GRANTED = "granted"
    LAPSED = "lapsed"
    UNKNOWN = "unknown"


class EvidenceGrade(enum.StrEnum):
    """How well a claim is supported: a number, what it is compared with, where it was measured."""

    STATED = "stated"
    """Neither number nor source."""
    QUANTIFIED = "quantified"
    """A number with its unit."""
    COMPARED = "compared"
    """A number and a comparator."""
    SOURCED = "sourced"
    """A number, a comparator and a source that can be looked up."""


class Result(SQLModel, table=True):
    """A result on offer (成果)."""

    __tablename__ = "result"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", ListingState), name="state"),
        sa.CheckConstraint(in_values("pricing_mode", PricingMode), name="pricing_mode"),
        sa.CheckConstraint("trl BETWEEN 1 AND 9", name="trl"),
        sa.CheckConstraint(
            "price_low_fen IS NULL OR price_high_fen IS NULL OR price_low_fen <= price_high_fen", name="price"
        ),
        sa.Index("ix_result_state_published_at", "state", "published_at"),
    )
    id: int | None = columns.primary_key()
    organisation_id: int = columns.reference("organisation.id")
    title: str = Field(max_length=200)
    title_en: str = Field(default="", max_length=300)
    abstract: str = columns.text()
    advantages: str = columns.text()
    application: str = columns.text()
    keywords: list[str] = columns.json_list()
    industry_code: str = Field(foreign_key="industry.code", max_length=32, index=True)
    ipc: list[str] = columns.json_list()
    trl: int | None = None
    """Technology readiness level 1–9; None where an import did not say."""
    stage: str | None = Field(default=None, max_length=16)
    modes: list[str] = columns.json_list()
    """CooperationMode values."""
    pricing_mode: str = Field(default=PricingMode.NEGOTIATED.value, max_length=16)
    price_low_fen: int | None = columns.fen(optional=True)
    price_high_fen: int | None = columns.fen(optional=True)
    """Both None means negotiable (面议)."""
    inventors: list[str] = columns.json_list()
    holder: str = Field(default="", max_length=300)
    """Who holds the rights (权利人), where the organisation lists on another's behalf."""
    awards: str = columns.text()
    contact_name: str = Field(default="", max_length=80)
    contact_phone: str = Field(default="", max_length=40)
    contact_email: str = Field(default="", max_length=254)
    state: str = Field(default=ListingState.DRAFT.value, max_length=16)
    state_reason: str = columns.text()
    published_at: dt.datetime | None = columns.instant(optional=True)
    valid_until: dt.date | None = None
    """The last day (Shanghai) on which it is shown without being reconfirmed."""
    confirmed_at: dt.datetime | None = columns.instant(optional=True)
    source: str = Field(default="", max_length=64)
    """Where an imported row came from; with `source_id` it is the import's key."""
    source_id: str | None = Field(default=None, max_length=128)
    merged_into_id: int | None = columns.reference("result.id", optional=True)
    """The result that goes on in its place, after staff found both to be one; it is withdrawn then."""
    version: int = 1
    created_by: int | None = columns.reference("person.id", optional=True, index=False)
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant(index=True)


sa.Index(
    "uq_result_source_source_id",
    Result.__table__.c.source,  # type: ignore[attr-defined]
    Result.__table__.c.source_id,  # type: ignore[attr-defined]
    unique=True,
)


class ResultIp(SQLModel, table=True):
    """A right that a result rests on."""

    __tablename__ = "result_ip"
    __table_args__ = (
        sa.CheckConstraint(in_values("kind", IpKind), name="kind"),
        sa.CheckConstraint(in_values("status", IpStatus), name="status"),
    )
    id: int | None = columns.primary_key()
    result_id: int = columns.reference("result.id")
    kind: str = Field(max_length=16)
    number: str = Field(default="", max_length=32, index=True)
    """A patent's application number in canonical form, or another right's registration number."""
    title: str = Field(default="", max_length=300)
    status: str = Field(default=IpStatus.UNKNOWN.value, max_length=16)
    fee_paid_to: dt.date | None = None
    pledged: bool = False


class ResultClaim(SQLModel, table=True):
    """Something a result claims to do better; its grade follows from what supports it."""

    __tablename__ = "result_claim"
    id: int | None = columns.primary_key()
    result_id: int = columns.reference("result.id")
    statement: str = Field(max_length=300)
    figure: str = Field(default="", max_length=80)
    """Number with unit: `86.5 %`."""
    comparator: str = Field(default="", max_length=200)
    source: str = Field(default="", max_length=300)
    grade: str = Field(default=EvidenceGrade.STATED.value, max_length=16)


class ListingVersion(SQLModel, table=True):
    """What a result or a demand said at a version, kept when it changes."""

    __tablename__ = "listing_version"
    __table_args__ = (sa.UniqueConstraint("kind", "listing_id", "version"),)
    id: int | None = columns.primary_key()
    kind: str = Field(max_length=16)
    listing_id: int = columns.loose_reference(optional=False)
    version: int
    content: dict[str, Any] = columns.json_object()
    changed_by: str = Field(default="", max_length=200)
    at: dt.datetime = columns.instant()
