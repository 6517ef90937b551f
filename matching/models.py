"""Rows that searching and matching keep: words, saved searches, proposals, judgments, weights, vectors.

Everything here is about rows of `market`; nothing of `market` knows of it. An index can be thrown away at any
time, these rows cannot.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values
from market.demands.models import Demand
from market.enquiries.models import Enquiry
from market.listings.models import Result
from market.parties.models import Person

_ = Demand, Enquiry, Person, Result  # the tables that the foreign keys below name


class Synonyms(SQLModel, table=True):
    """Words that mean the same to a searcher (同义词): each finds what the others find."""

    __tablename__ = "search_synonyms"
    id: int | None = columns.primary_key()
    words: list[str] = columns.json_list()
    """Two or more, folded (`matching.text.fold`)."""
    note: str = Field(default="", max_length=200)
    changed_by: int | None = columns.reference("person.id", optional=True, index=False)
    updated_at: dt.datetime = columns.instant()


class SavedSearch(SQLModel, table=True):
    """A search that somebody wants to keep, and perhaps to hear of (订阅)."""

    __tablename__ = "saved_search"
    __table_args__ = (sa.UniqueConstraint("person_id", "query"),)
    id: int | None = columns.primary_key()
    person_id: int = columns.reference("person.id")
    name: str = Field(max_length=120)
    query: str = Field(max_length=1500)
    """The query string of the search page in its canonical order, without page and sort."""
    alert: bool = True
    """Whether new entries are told by mail."""
    since: dt.datetime = columns.instant()
    """Entries published from then on are told: when it was saved, or when its mail was turned on again."""
    created_at: dt.datetime = columns.instant()
    checked_at: dt.datetime = columns.instant(index=True)
    """When it was last looked at for new entries."""


class SavedSearchTold(SQLModel, table=True):
    """An entry of which the keeper of a saved search was told, so that nothing is told twice."""

    __tablename__ = "saved_search_told"
    __table_args__ = (sa.UniqueConstraint("search_id", "kind", "row_id"),)
    id: int | None = columns.primary_key()
    search_id: int = columns.reference("saved_search.id")
    kind: str = Field(max_length=16)
    row_id: int = columns.loose_reference(optional=False)
    at: dt.datetime = columns.instant()


class ProposalState(enum.StrEnum):
    """Where a suggested pair stands.

    suggested → accepted | rejected | snoozed | lapsed; snoozed → suggested (on its day); lapsed → suggested
    """

    SUGGESTED = "suggested"
    SNOOZED = "snoozed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    """A side is no longer on offer, or the score has fallen, before anybody decided."""


class RejectReason(enum.StrEnum):
    """Why a broker turns a suggested pair down. What speaks of the match itself also judges the pair."""

    OTHER_PROBLEM = "other_problem"
    """The result solves something else."""
    TOO_EARLY = "too_early"
    TOO_EXPENSIVE = "too_expensive"
    CONDITIONS = "conditions"
    """It does not reach the figures or conditions wanted."""
    KNOWN = "known"
    """The two know each other already."""
    DUPLICATE = "duplicate"
    """The same pair, or nearly, was proposed before."""
    OTHER = "other"


class Proposal(SQLModel, table=True):
    """A demand and a result that a broker might bring together (撮合建议). One row for each pair, ever."""

    __tablename__ = "proposal"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", ProposalState), name="state"),
        sa.CheckConstraint(
            f"reject_reason IS NULL OR {in_values('reject_reason', RejectReason)}", name="reject_reason"
        ),
        sa.UniqueConstraint("demand_id", "result_id"),
        sa.Index("ix_proposal_queue", "state", "industry_code", "rank"),
    )
    id: int | None = columns.primary_key()
    demand_id: int = columns.reference("demand.id", index=False)
    result_id: int = columns.reference("result.id")
    industry_code: str = Field(max_length=32)
    """The demand's industry when it was last scored."""
    band: str = Field(max_length=16)
    """A `matching.scoring.Band`."""
    rank: int
    """The absolute score times 10,000: orders the queue, means nothing else."""
    reasons: list[Any] = columns.json_list()
    """As `matching.scoring.Reason` writes them."""
    weights_id: int | None = columns.reference("match_weights.id", optional=True, index=False)
    """The weights it was scored with; None for those shipped."""
    state: str = Field(default=ProposalState.SUGGESTED.value, max_length=16)
    assigned_to: int | None = columns.reference("person.id", optional=True)
    snoozed_until: dt.date | None = None
    """The day (Shanghai) on which it comes back."""
    reject_reason: str | None = Field(default=None, max_length=32)
    note: str = columns.text()
    enquiry_id: int | None = columns.reference("enquiry.id", optional=True)
    """What came of accepting it."""
    decided_by: int | None = columns.reference("person.id", optional=True, index=False)
    decided_at: dt.datetime | None = columns.instant(optional=True)
    version: int = 1
    created_at: dt.datetime = columns.instant(index=True)
    updated_at: dt.datetime = columns.instant()


class ProposalEvent(SQLModel, table=True):
    """One step of a proposal; never edited. The officials' funnel counts these."""

    __tablename__ = "proposal_event"
    id: int | None = columns.primary_key()
    proposal_id: int = columns.reference("proposal.id")
    step: str = Field(max_length=16)
    """`suggested`, `assigned`, `snoozed`, `returned`, `accepted`, `rejected`, `lapsed`, `reopened`"""
    person_id: int | None = columns.reference("person.id", optional=True, index=False)
    params: dict[str, Any] = columns.json_object()
    at: dt.datetime = columns.instant(index=True)


class JudgmentSource(enum.StrEnum):
    """What somebody did that says whether a pair fits."""

    CLICK = "click"
    """相关 / 不相关 beside a proposed partner"""
    QUEUE = "queue"
    """A broker accepted or rejected the proposal."""
    CONTACT = "contact"
    """An enquiry about the pair was opened, agreed or passed for a reason that speaks of the match."""


class Judgment(SQLModel, table=True):
    """What somebody thinks of a pair. One row for each pair, person and source; the latest word stands."""

    __tablename__ = "match_judgment"
    __table_args__ = (
        sa.CheckConstraint(in_values("source", JudgmentSource), name="source"),
        sa.CheckConstraint("level BETWEEN 1 AND 4", name="level"),
        sa.UniqueConstraint("demand_id", "result_id", "person_id", "source"),
    )
    id: int | None = columns.primary_key()
    demand_id: int = columns.reference("demand.id", index=False)
    result_id: int = columns.reference("result.id")
    person_id: int = columns.reference("person.id")
    organisation_id: int | None = columns.loose_reference()
    """The side that the person spoke for; None for the market's brokers and staff, whose word counts for all."""
    source: str = Field(max_length=16)
    level: int
    """1 unrelated (无相关) … 4 strongly related (强相关); a click says 1 or 4."""
    at: dt.datetime = columns.instant(index=True)


class MatchWeights(SQLModel, table=True):
    """A set of weights and calibration for scoring, with the report of how it was found. Never edited but for
    `adopted_at`, `retired_at` and who did it."""

    __tablename__ = "match_weights"
    id: int | None = columns.primary_key()
    weights: dict[str, Any] = columns.json_object()
    """Part → weight, and the calibration of bands, as `matching.weights` reads them."""
    report: dict[str, Any] = columns.json_object()
    """Data, folds, nDCG of both, bootstrap interval."""
    trained_at: dt.datetime = columns.instant()
    trained_by: int | None = columns.reference("person.id", optional=True, index=False)
    adopted_at: dt.datetime | None = columns.instant(optional=True)
    adopted_by: int | None = columns.reference("person.id", optional=True, index=False)
    retired_at: dt.datetime | None = columns.instant(optional=True)


class Embedding(SQLModel, table=True):
    """A text's vector, kept by the hash of the text and the model, so that no text is embedded twice."""

    __tablename__ = "embedding"
    __table_args__ = (sa.UniqueConstraint("model", "text_hash"),)
    id: int | None = columns.primary_key()
    model: str = Field(max_length=64)
    text_hash: str = Field(max_length=64)
    """SHA-256 of the folded text, hex."""
    vector: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False))
    """Little-endian float16, of length one."""
    created_at: dt.datetime = columns.instant()


class NotDuplicate(SQLModel, table=True):
    """Two results that look alike and were found by staff to be two (`one_id` below `other_id`)."""

    __tablename__ = "not_duplicate"
    __table_args__ = (
        sa.UniqueConstraint("one_id", "other_id"),
        sa.CheckConstraint("one_id < other_id", name="order"),
    )
    id: int | None = columns.primary_key()
    one_id: int = columns.reference("result.id", index=False)
    other_id: int = columns.reference("result.id")
    person_id: int = columns.reference("person.id", index=False)
    reason: str = Field(default="", max_length=300)
    at: dt.datetime = columns.instant()


class LookAlike(SQLModel, table=True):
    """Two results that may be one (`one_id` below `other_id`), as last looked at. It is judged by what stands in
    `not_duplicate` and `result.merged_into_id`, not here."""

    __tablename__ = "look_alike"
    __table_args__ = (
        sa.UniqueConstraint("one_id", "other_id"),
        sa.CheckConstraint("one_id < other_id", name="order"),
        sa.Index("ix_look_alike_rank", "rank", "id"),
    )
    id: int | None = columns.primary_key()
    one_id: int = columns.reference("result.id", index=False)
    other_id: int = columns.reference("result.id")
    grounds: list[str] = columns.json_list()
    """`matching.duplicates.Ground` values."""
    numbers: list[str] = columns.json_list()
    """Numbers of rights that both name."""
    rank: int
    """Likeness of the texts, 0 to 10,000; a shared number adds 10,000."""
    found_at: dt.datetime = columns.instant()
