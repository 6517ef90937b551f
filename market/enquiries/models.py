"""Rows of enquiries and their messages."""

from __future__ import annotations

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values


class EnquiryState(enum.StrEnum):
    """Where an enquiry (对接) stands.

    open → answered → negotiating → agreed; any of the first three → passed | withdrawn
    """

    OPEN = "open"
    ANSWERED = "answered"
    NEGOTIATING = "negotiating"
    AGREED = "agreed"
    PASSED = "passed"
    WITHDRAWN = "withdrawn"


class PassReason(enum.StrEnum):
    """Why somebody passes on a result or an offer."""

    TOO_EARLY = "too_early"
    BENEFIT_UNCLEAR = "benefit_unclear"
    PRICE = "price"
    NOT_RELEVANT = "not_relevant"
    RIGHTS_UNCLEAR = "rights_unclear"
    HAVE_SOLUTION = "have_solution"
    NO_BUDGET = "no_budget"
    OTHER = "other"


class Enquiry(SQLModel, table=True):
    """One party asking another about a result, or answering its demand."""

    __tablename__ = "enquiry"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", EnquiryState), name="state"),
        sa.CheckConstraint("subject_kind IN ('result', 'demand')", name="subject_kind"),
        sa.CheckConstraint(
            f"pass_reason IS NULL OR {in_values('pass_reason', PassReason)}", name="pass_reason"
        ),
        sa.Index("ix_enquiry_subject", "subject_kind", "subject_id"),
        sa.Index("ix_enquiry_state_due_on", "state", "due_on"),
    )
    id: int | None = columns.primary_key()
    subject_kind: str = Field(max_length=16)
    subject_id: int = columns.loose_reference(optional=False)
    offered_result_id: int | None = columns.reference("result.id", optional=True)
    """The result offered in answer to a demand."""
    for_demand_id: int | None = columns.reference("demand.id", optional=True)
    """The demand that the result asked about is to meet, where a broker brought the two together."""
    from_organisation_id: int | None = columns.reference("organisation.id", optional=True)
    from_person_id: int = columns.reference("person.id")
    to_organisation_id: int = columns.reference("organisation.id")
    owner_person_id: int | None = columns.reference("person.id", optional=True)
    """Who follows it up; None while nobody has taken it."""
    state: str = Field(default=EnquiryState.OPEN.value, max_length=16)
    next_step: str = Field(default="", max_length=300)
    due_on: dt.date | None = None
    """The day (Shanghai) by which the next step is to be done."""
    outcome: str = columns.text()
    pass_reason: str | None = Field(default=None, max_length=32)
    reinvite_trl: int | None = None
    """Ask again when the result reaches this readiness."""
    reinvited_at: dt.datetime | None = columns.instant(optional=True)
    first_reply_at: dt.datetime | None = columns.instant(optional=True)
    version: int = 1
    created_at: dt.datetime = columns.instant(index=True)
    updated_at: dt.datetime = columns.instant()


class EnquiryMessage(SQLModel, table=True):
    """One message of an enquiry's thread; never edited."""

    __tablename__ = "enquiry_message"
    id: int | None = columns.primary_key()
    enquiry_id: int = columns.reference("enquiry.id")
    person_id: int | None = columns.reference("person.id", optional=True, index=False)
    kind: str = Field(default="message", max_length=16)
    """`message`, or `step` for a change of state, owner or due date told in the thread."""
    body: str = columns.text()
    at: dt.datetime = columns.instant()
