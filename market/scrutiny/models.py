"""Rows of objections, expert opinions and flags."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values


class ObjectionSubject(enum.StrEnum):
    """What an objection is against."""

    CONTRACT = "contract"
    PRICING_NOTICE = "pricing_notice"


class ObjectionState(enum.StrEnum):
    """Where an objection (异议) stands: open → upheld | rejected | withdrawn."""

    OPEN = "open"
    UPHELD = "upheld"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Objection(SQLModel, table=True):
    """Somebody objects to a registration or to a price notice. It runs beside the thing's own states."""

    __tablename__ = "objection"
    __table_args__ = (
        sa.CheckConstraint(in_values("subject_kind", ObjectionSubject), name="subject_kind"),
        sa.CheckConstraint(in_values("state", ObjectionState), name="state"),
        sa.Index("ix_objection_subject", "subject_kind", "subject_id"),
    )
    id: int | None = columns.primary_key()
    subject_kind: str = Field(max_length=16)
    subject_id: int = columns.loose_reference(optional=False)
    organisation_id: int | None = columns.reference("organisation.id", optional=True)
    """For whom it is raised; None for a person alone."""
    objector_name: str = Field(max_length=200)
    contact: str = Field(default="", max_length=254)
    grounds: str = columns.text()
    state: str = Field(default=ObjectionState.OPEN.value, max_length=16)
    filed_at: dt.datetime = columns.instant()
    filed_by: int | None = columns.reference("person.id", optional=True, index=False)
    answer: str = columns.text()
    decided_at: dt.datetime | None = columns.instant(optional=True)
    decided_by: int | None = columns.reference("person.id", optional=True, index=False)
    version: int = 1


class Verdict(enum.StrEnum):
    """What an expert finds."""

    TECHNOLOGY_CONTRACT = "technology_contract"
    """It is one, of the kind and amount stated."""
    OTHER_KIND = "other_kind"
    OTHER_AMOUNT = "other_amount"
    NOT_TECHNOLOGY = "not_technology"


class ExpertOpinion(SQLModel, table=True):
    """One expert's written opinion in an expert review (专家评审); never edited, another may follow."""

    __tablename__ = "expert_opinion"
    __table_args__ = (sa.CheckConstraint(in_values("verdict", Verdict), name="verdict"),)
    id: int | None = columns.primary_key()
    contract_id: int = columns.reference("contract.id")
    expert_name: str = Field(max_length=80)
    expert_unit: str = Field(max_length=200)
    verdict: str = Field(max_length=24)
    kind: str = Field(default="", max_length=16)
    """The ContractKind that the expert finds; empty: the one stated."""
    technology_fen: int | None = columns.fen(optional=True)
    """The 技术交易额 that the expert finds; None: the one stated."""
    reasons: str = columns.text()
    given_on: dt.date
    entered_at: dt.datetime = columns.instant()
    entered_by: int | None = columns.reference("person.id", optional=True, index=False)


class FlagKind(enum.StrEnum):
    """What made a contract conspicuous. A flag never refuses anything."""

    DUPLICATE_TERMS = "duplicate_terms"
    """Same parties, like title, near amount and day."""
    DUPLICATE_FILE = "duplicate_file"
    """The same file lies with another contract."""
    DUPLICATE_NUMBER = "duplicate_number"
    """A registration number that differs from another's by one digit, or the same elsewhere."""
    CYCLE = "cycle"
    """A sells to B, who sells to A."""
    ROUND_YEAR_END = "round_year_end"
    """A round sum in the last days of a year."""
    YOUNG_FIRM = "young_firm"
    """A firm founded lately with a large deal."""
    NO_RECEIPT = "no_receipt"
    """Long after the price fell due nothing was received."""
    RELATED_PARTY = "related_party"
    """Parties that declared a relation, or the same people behind both."""


class ContractFlag(SQLModel, table=True):
    """Something about a contract that a reviewer should look at, and what the reviewer found."""

    __tablename__ = "contract_flag"
    __table_args__ = (
        sa.CheckConstraint(in_values("kind", FlagKind), name="kind"),
        sa.UniqueConstraint("contract_id", "kind", "about"),
    )
    id: int | None = columns.primary_key()
    contract_id: int = columns.reference("contract.id")
    kind: str = Field(max_length=24)
    about: str = Field(default="", max_length=80)
    """What tells two flags of one kind apart: the other contract's id, say."""
    other_id: int | None = columns.reference("contract.id", optional=True)
    detail: dict[str, Any] = columns.json_object()
    """What was found, for the sentence that the page says."""
    raised_at: dt.datetime = columns.instant()
    closed_at: dt.datetime | None = columns.instant(optional=True, index=True)
    closed_by: int | None = columns.reference("person.id", optional=True, index=False)
    reason: str = columns.text()
    """Why the reviewer closed it."""
    version: int = 1
