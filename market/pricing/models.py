"""Rows of price notices, priority rights, revenue splits, trials and open licences, and their events."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values


class NoticeState(enum.StrEnum):
    """A price notice's life: draft → running ⇄ objected → expired → signed | withdrawn.

    A change of price or transferee while it runs starts the days anew.
    """

    DRAFT = "draft"
    RUNNING = "running"
    OBJECTED = "objected"
    EXPIRED = "expired"
    """公示期满"""
    SIGNED = "signed"
    WITHDRAWN = "withdrawn"


class PricingNotice(SQLModel, table=True):
    """A notice of a negotiated price (协议定价公示), in the owner's unit and on the market.

    浙江省促进科技成果转化条例 16–19: at least fifteen days, by a policy row.
    """

    __tablename__ = "pricing_notice"
    __table_args__ = (sa.CheckConstraint(in_values("state", NoticeState), name="state"),)
    id: int | None = columns.primary_key()
    result_id: int = columns.reference("result.id")
    organisation_id: int = columns.reference("organisation.id")
    """The owner who sells."""
    contract_id: int | None = columns.reference("contract.id", optional=True)
    title: str = Field(max_length=200)
    abstract: str = columns.text()
    transfer_mode: str = Field(max_length=24)
    """A `listings.models.CooperationMode`."""
    price_fen: int = columns.fen()
    transferee_name: str = Field(max_length=200)
    transferee_id: int | None = columns.reference("organisation.id", optional=True)
    related_party: bool = False
    relation_note: str = columns.text()
    """Who of the owner's people is related to the transferee, and how."""
    procedure: str = columns.text()
    """How to object, as published."""
    unit_place: str = Field(default="", max_length=300)
    """Where the unit's own notice hangs: an address or a board."""
    unit_from: dt.date | None = None
    market_from: dt.date | None = None
    ends_on: dt.date | None = None
    """The last day of the notice."""
    restarts: int = 0
    state: str = Field(default=NoticeState.DRAFT.value, max_length=16, index=True)
    version: int = 1
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()


class PriorityBasis(enum.StrEnum):
    """Why somebody comes first at equal terms."""

    INVENTOR = "inventor"
    """民法典 847: those who made a service invention."""
    CLIENT = "client"
    """民法典 859: the client of a commissioned development."""
    JOINT_DEVELOPER = "joint_developer"
    """民法典 860: the other parties of a joint development."""


class PriorityAnswer(enum.StrEnum):
    """What the holder of a priority right said."""

    WAITING = "waiting"
    WAIVED = "waived"
    EXERCISED = "exercised"
    SILENT = "silent"
    """Did not answer by the day named."""


class PriorityRight(SQLModel, table=True):
    """Somebody who had to be asked first, and what they answered."""

    __tablename__ = "priority_right"
    __table_args__ = (
        sa.CheckConstraint(in_values("basis", PriorityBasis), name="basis"),
        sa.CheckConstraint(in_values("answer", PriorityAnswer), name="answer"),
    )
    id: int | None = columns.primary_key()
    result_id: int = columns.reference("result.id")
    contract_id: int | None = columns.reference("contract.id", optional=True)
    basis: str = Field(max_length=24)
    holder_name: str = Field(max_length=200)
    asked_on: dt.date
    answer_by: dt.date
    answer: str = Field(default=PriorityAnswer.WAITING.value, max_length=16)
    answered_on: dt.date | None = None
    attachment_id: int | None = columns.reference("attachment.id", optional=True, index=False)
    note: str = Field(default="", max_length=500)
    version: int = 1
    created_at: dt.datetime = columns.instant()
    created_by: int | None = columns.reference("person.id", optional=True, index=False)


class RevenueSplit(SQLModel, table=True):
    """How the income of a transfer was shared out (收益分配); never edited, a new one supersedes it."""

    __tablename__ = "revenue_split"
    __table_args__ = (sa.CheckConstraint("net_fen >= 0", name="net"),)
    id: int | None = columns.primary_key()
    contract_id: int = columns.reference("contract.id")
    receipt_id: int | None = columns.reference("contract_receipt.id", optional=True, index=False)
    income_fen: int = columns.fen()
    costs_fen: int = columns.fen()
    taxes_fen: int = columns.fen()
    net_fen: int = columns.fen()
    terms: dict[str, Any] = columns.json_object()
    """The rates used, in millionths, with the policy rows that they were checked against."""
    lines: list[dict[str, Any]] = columns.json_list()
    """[{"name": text, "part": "award" | "main" | "transfer" | "unit", "fen": int}], summing to the net income."""
    supersedes_id: int | None = columns.reference("revenue_split.id", optional=True, index=False)
    made_at: dt.datetime = columns.instant()
    made_by: int | None = columns.reference("person.id", optional=True, index=False)


class TrialState(enum.StrEnum):
    """A trial's life (先用后付): applied → agreed → in_trial → converted | ended | lapsed; refused."""

    APPLIED = "applied"
    AGREED = "agreed"
    IN_TRIAL = "in_trial"
    CONVERTED = "converted"
    ENDED = "ended"
    LAPSED = "lapsed"
    REFUSED = "refused"


class Trial(SQLModel, table=True):
    """A firm tries a result first, on terms and a price agreed before, and pays when it keeps it."""

    __tablename__ = "trial"
    __table_args__ = (sa.CheckConstraint(in_values("state", TrialState), name="state"),)
    id: int | None = columns.primary_key()
    result_id: int = columns.reference("result.id")
    owner_id: int = columns.reference("organisation.id")
    user_id: int = columns.reference("organisation.id")
    """The firm that tries it."""
    purpose: str = columns.text()
    terms: str = columns.text()
    transfer_mode: str = Field(default="", max_length=24)
    price_fen: int | None = columns.fen(optional=True)
    """The price agreed for afterwards; None until agreed."""
    starts_on: dt.date | None = None
    ends_on: dt.date | None = None
    insured: bool = False
    contract_id: int | None = columns.reference("contract.id", optional=True)
    state: str = Field(default=TrialState.APPLIED.value, max_length=16, index=True)
    version: int = 1
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()


class LicenceState(enum.StrEnum):
    """An open licence declaration's life: draft → declared → withdrawn | lapsed."""

    DRAFT = "draft"
    DECLARED = "declared"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"


class OpenLicence(SQLModel, table=True):
    """A patent offered to everybody at a stated fee (专利开放许可, 专利法 50; 细则 85–86)."""

    __tablename__ = "open_licence"
    __table_args__ = (sa.CheckConstraint(in_values("state", LicenceState), name="state"),)
    id: int | None = columns.primary_key()
    result_id: int = columns.reference("result.id")
    organisation_id: int = columns.reference("organisation.id")
    patent_number: str = Field(max_length=20)
    """Canonical: thirteen characters with the check digit."""
    fee: str = columns.text()
    """The fee's standard and way of payment, as declared."""
    starts_on: dt.date
    ends_on: dt.date
    evaluation_report: bool = False
    """Needed for utility models and designs."""
    free_of_bars: bool = False
    """The owner states: not exclusively licensed, annual fee paid, no pledge without consent, no dispute."""
    announced_number: str = Field(default="", max_length=40)
    """The number under which the patent office announced it."""
    state: str = Field(default=LicenceState.DRAFT.value, max_length=16, index=True)
    version: int = 1
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()


class PricingSubject(enum.StrEnum):
    """Whose event it is."""

    NOTICE = "notice"
    PRIORITY = "priority"
    TRIAL = "trial"
    LICENCE = "licence"


class PricingEvent(SQLModel, table=True):
    """One step of a notice, a priority right, a trial or an open licence; never edited."""

    __tablename__ = "pricing_event"
    __table_args__ = (
        sa.CheckConstraint(in_values("subject_kind", PricingSubject), name="subject_kind"),
        sa.Index("ix_pricing_event_subject", "subject_kind", "subject_id"),
    )
    id: int | None = columns.primary_key()
    subject_kind: str = Field(max_length=16)
    subject_id: int = columns.loose_reference(optional=False)
    at: dt.datetime = columns.instant()
    step: str = Field(max_length=24)
    state_before: str = Field(default="", max_length=16)
    state_after: str = Field(max_length=16)
    actor_id: int | None = columns.reference("person.id", optional=True, index=False)
    actor_name: str = Field(max_length=200)
    reason: str = columns.text()
    detail: dict[str, Any] = columns.json_object()
    """What changed: {"field": [before, after]}."""
