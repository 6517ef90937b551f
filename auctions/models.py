"""Rows of lots, their journals, admissions and answers.

The journal is the truth; everything else on the `lot` row after publication is a cache of its fold,
written in the same transaction. `state`, times and price columns exist for lists and indexes.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic import Field as Input
from sqlmodel import Field, SQLModel

from auctions.rules.formats import DEFAULT
from auctions.rules.settlement import MOST_DAYS, MOST_HOURS, ForfeitRest
from auctions.rules.state import LotState
from auctions.rules.terms import CapRule, OrganiserType, SoleBidderRule
from market import columns
from market.db import Id, in_values
from market.inputs import Line, Text
from market.listings.models import Result
from market.money import MAX_FEN
from market.parties.models import Organisation, Person

_ = Result, Organisation, Person  # the tables that the foreign keys below name


class AdmissionState(enum.StrEnum):
    """Where a wish to bid stands.

    requested → admitted | refused; admitted → revoked → admitted; refused → requested (asked again)
    """

    REQUESTED = "requested"
    ADMITTED = "admitted"
    REFUSED = "refused"
    REVOKED = "revoked"


class SaleMode(enum.StrEnum):
    """How the lots of a sale follow each other."""

    PARALLEL = "parallel"
    """Each lot keeps its own times."""
    SEQUENTIAL = "sequential"
    """One after another by number: a lot is not opened before every earlier one has ended."""


class RelatedTo(enum.StrEnum):
    """To whom somebody who asks to bid declares a relation."""

    SELLER = "seller"
    ORGANISER = "organiser"
    STAFF = "staff"


class RelationKind(enum.StrEnum):
    """What relates two parties."""

    OWNERSHIP = "ownership"
    CONTROL = "control"
    EMPLOYMENT = "employment"
    FAMILY = "family"
    OTHER = "other"


class RelationSource(enum.StrEnum):
    """Who said that two parties are related."""

    BIDDER = "bidder"
    SELLER = "seller"
    STAFF = "staff"


class Sale(SQLModel, table=True):
    """A session of an auction (专场): lots that are held together.

    `mode` and `ends_together` are fixed once a lot of it is published; it is over at `closed_at`.
    """

    __tablename__ = "sale"
    __table_args__ = (sa.CheckConstraint(in_values("mode", SaleMode), name="mode"),)
    id: int | None = columns.primary_key()
    title: str = Field(max_length=200)
    introduction: str = columns.text()
    organiser_organisation_id: int | None = columns.reference("organisation.id", optional=True)
    starts_at: dt.datetime = columns.instant(index=True)
    mode: str = Field(default=SaleMode.PARALLEL.value, max_length=16)
    ends_together: bool = False
    """Whether an extension of one lot takes the other open lots along."""
    closed_at: dt.datetime | None = columns.instant(optional=True)
    created_by: int | None = columns.reference("person.id", optional=True, index=False)
    created_at: dt.datetime = columns.instant()
    version: int = 1
    """Counts the edits, for optimistic locking."""


class Lot(SQLModel, table=True):
    """A lot (标的). Before publication `terms` may change; afterwards only the journal moves it."""

    __tablename__ = "lot"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", LotState), name="state"),
        sa.CheckConstraint("head_seq >= 0", name="head_seq"),
        sa.Index("ix_lot_state_ends_at", "state", "ends_at"),
        sa.Index("ix_lot_next_due_at", "next_due_at"),
    )
    id: int | None = columns.primary_key()
    sale_id: int | None = columns.reference("sale.id", optional=True)
    number: int = 1
    """The place in its sale, from 1."""
    result_id: int = columns.reference("result.id")
    seller_organisation_id: int = columns.reference("organisation.id")
    organiser_organisation_id: int | None = columns.reference("organisation.id", optional=True)
    """As in the terms; None is the market itself."""
    previous_lot_id: int | None = columns.reference("lot.id", optional=True)
    """The lot that this one offers again."""
    title: str = Field(max_length=200)
    state: str = Field(default=LotState.DRAFT.value, max_length=16)
    terms: dict[str, Any] = columns.json_object()
    """`Terms.private()`: holds the secret reserve. Show `Terms.public()` only."""
    terms_hash: str = Field(default="", max_length=64)
    """The genesis of the journal; empty while a draft."""
    fold: dict[str, Any] = columns.json_object()
    """`rules.state.Lot.fold()` at `head_seq`; empty while a draft."""
    head_seq: int = 0
    head_hash: str = Field(default="", max_length=64)
    start_fen: int = columns.fen()
    deposit_fen: int = columns.fen(default=0)
    price_fen: int | None = columns.fen(optional=True)
    leader: int | None = None
    """Alias of the standing bidder."""
    bid_count: int = 0
    opens_at: dt.datetime = columns.instant(index=True)
    ends_at: dt.datetime = columns.instant()
    next_due_at: dt.datetime | None = columns.instant(optional=True)
    """When the timekeeper must act next."""
    winner_organisation_id: int | None = columns.reference("organisation.id", optional=True)
    winner_alias: int | None = None
    hammer_fen: int | None = columns.fen(optional=True)
    close_reason: str | None = Field(default=None, max_length=32)
    closed_at: dt.datetime | None = columns.instant(optional=True)
    created_by: int | None = columns.reference("person.id", optional=True, index=False)
    created_at: dt.datetime = columns.instant()
    published_at: dt.datetime | None = columns.instant(optional=True)
    version: int = 1
    """Counts the edits of a draft, for optimistic locking."""


class JournalEntry(SQLModel, table=True):
    """One entry of a lot's journal. Never updated, never deleted."""

    __tablename__ = "journal_entry"
    lot_id: int = Field(
        sa_column=sa.Column(Id, sa.ForeignKey("lot.id", ondelete="RESTRICT"), primary_key=True)
    )
    seq: int = Field(sa_column=sa.Column(sa.Integer, primary_key=True, autoincrement=False))
    kind: str = Field(max_length=32)
    at: dt.datetime = columns.instant()
    body: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    """Canonical JSON: the very bytes that were hashed."""
    prev_hash: str = Field(max_length=64)
    hash: str = Field(max_length=64)
    actor_person_id: int | None = columns.loose_reference()
    """Who caused it; not part of the public journal."""
    client_bid_id: str | None = Field(default=None, max_length=64)
    secret: str | None = Field(default=None, sa_column=sa.Column(sa.Text))
    """What the body only seals (a maximum): opened after the lot, to those it concerns."""


class Admission(SQLModel, table=True):
    """An organisation's wish, and later right, to bid for a lot, through one person."""

    __tablename__ = "admission"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", AdmissionState), name="state"),
        sa.UniqueConstraint("lot_id", "organisation_id"),
        sa.UniqueConstraint("lot_id", "person_id"),
        sa.UniqueConstraint("lot_id", "alias"),
    )
    id: int | None = columns.primary_key()
    lot_id: int = columns.reference("lot.id")
    organisation_id: int = columns.reference("organisation.id")
    person_id: int = columns.reference("person.id")
    state: str = Field(default=AdmissionState.REQUESTED.value, max_length=16)
    alias: int | None = None
    """竞买人 number in the order of admission; kept for good once given."""
    priority: int | None = None
    """Rank of a right to match the standing price (优先购买权), 1 first."""
    deposit_id: int | None = columns.loose_reference()
    nonce: str = Field(max_length=64)
    """Opens the journal's commitment to organisation and person."""
    accepted_terms_hash: str = Field(max_length=64)
    reason: str = columns.text()
    related_to: str | None = Field(default=None, max_length=16)
    """The relation that the bidder declared when it asked; None declares that there is none."""
    declaration: str = columns.text()
    """What the bidder said about that relation."""
    requested_at: dt.datetime = columns.instant()
    admitted_at: dt.datetime | None = columns.instant(optional=True)


class Relation(SQLModel, table=True):
    """Two parties that are related, each an organisation or a person; it counts both ways until ended."""

    __tablename__ = "relation"
    __table_args__ = (
        sa.CheckConstraint(in_values("kind", RelationKind), name="kind"),
        sa.CheckConstraint(in_values("source", RelationSource), name="source"),
        sa.CheckConstraint("(organisation_id IS NULL) <> (person_id IS NULL)", name="one"),
        sa.CheckConstraint("(other_organisation_id IS NULL) <> (other_person_id IS NULL)", name="other"),
    )
    id: int | None = columns.primary_key()
    organisation_id: int | None = columns.reference("organisation.id", optional=True)
    person_id: int | None = columns.reference("person.id", optional=True)
    other_organisation_id: int | None = columns.reference("organisation.id", optional=True)
    other_person_id: int | None = columns.reference("person.id", optional=True)
    kind: str = Field(max_length=16)
    source: str = Field(max_length=16)
    reason: str = columns.text()
    declared_by: int | None = columns.reference("person.id", optional=True, index=False)
    declared_at: dt.datetime = columns.instant()
    ended_at: dt.datetime | None = columns.instant(optional=True)
    end_reason: str = columns.text()


class BidAnswer(SQLModel, table=True):
    """The answer that a bid got. The same id from the same person gets it again, word for word."""

    __tablename__ = "bid_answer"
    lot_id: int = Field(
        sa_column=sa.Column(Id, sa.ForeignKey("lot.id", ondelete="RESTRICT"), primary_key=True)
    )
    person_id: int = Field(sa_column=sa.Column(Id, primary_key=True, autoincrement=False))
    client_bid_id: str = Field(sa_column=sa.Column(sa.String(64), primary_key=True))
    body_hash: str = Field(max_length=64)
    accepted: bool
    seq: int
    answer: dict[str, Any] = columns.json_object()
    """The signed receipt."""
    at: dt.datetime = columns.instant()


class SettlementInput(BaseModel):
    """What is entered about the deposit and about what follows a sale; see `SettlementTerms`.

    What is left out takes the limit of the policy in force, or else the terms' own default.
    """

    model_config = ConfigDict(extra="forbid")
    deposit_share_bp: int | None = Input(default=None, ge=1, le=10_000)
    """The deposit as a share of the start price; the amount follows from it."""
    deposit_due_at: dt.datetime | None = None
    refund_hours: int | None = Input(default=None, ge=1, le=MOST_HOURS)
    confirm_days: int | None = Input(default=None, ge=1, le=MOST_DAYS)
    contract_days: int | None = Input(default=None, ge=1, le=MOST_DAYS)
    balance_days: int | None = Input(default=None, ge=1, le=MOST_DAYS)
    forfeit_rest: ForfeitRest = ForfeitRest.SELLER
    runner_up: bool = False


class TermsInput(BaseModel):
    """What a seller or staff enter for a lot. Amounts in fen, times aware, durations in seconds."""

    model_config = ConfigDict(extra="forbid")
    format: str = Input(default=DEFAULT, max_length=32)
    params: dict[str, int | str] = Input(default_factory=dict, max_length=20)
    """The format's own terms; what is left out takes the format's default."""
    start_fen: int = Input(gt=0, le=MAX_FEN)
    reserve_fen: int | None = Input(default=None, gt=0, le=MAX_FEN)
    step_fen: int | None = Input(default=None, gt=0, le=MAX_FEN)
    """One step for every price; or give `steps`."""
    steps: list[tuple[int, int]] = Input(default_factory=list, max_length=20)
    """Rows of (from price, step), ascending, starting at 0."""
    max_steps: int | None = Input(default=None, ge=1, le=10_000)
    cap_fen: int | None = Input(default=None, gt=0, le=MAX_FEN)
    deposit_fen: int = Input(default=0, ge=0, le=MAX_FEN)
    """0 also where `settlement.deposit_share_bp` makes it."""
    registration_opens_at: dt.datetime | None = None
    """None: at publication."""
    opens_at: dt.datetime
    ends_at: dt.datetime | None = None
    """None only where the format computes it."""
    hard_end: dt.datetime | None = None
    window_s: int = Input(default=300, ge=0, le=3600)
    """Ignored, as `extension_s`, by formats without a soft close."""
    extension_s: int = Input(default=300, ge=0, le=3600)
    sole_bidder: SoleBidderRule = SoleBidderRule.SELL
    cap_rule: CapRule = CapRule.LEAD
    maxima: bool = True
    cover_bp: int | None = Input(default=None, ge=1, le=10_000)
    hand_extension_s: int = Input(default=0, ge=0, le=86_400)
    hand_extensions: int = Input(default=0, ge=0, le=20)
    organiser_type: OrganiserType = OrganiserType.MARKET
    organiser_organisation_id: int | None = None
    barred_organisation_ids: list[int] = Input(default_factory=list, max_length=200)
    settlement: SettlementInput = Input(default_factory=SettlementInput)


class LotInput(BaseModel):
    """A draft lot."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    title: str = Input(min_length=2, max_length=200)
    sale_id: int | None = None
    number: int = Input(default=1, ge=1, le=9999)
    terms: TermsInput


class SaleInput(BaseModel):
    """A session of an auction. Times are aware."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    title: Line = Input(min_length=2, max_length=200)
    introduction: Text = Input(default="", max_length=5000)
    organiser_organisation_id: int | None = Input(default=None, ge=1, le=2**63 - 1)
    starts_at: AwareDatetime = Input(
        ge=dt.datetime(2000, 1, 1, tzinfo=dt.UTC), lt=dt.datetime(2200, 1, 1, tzinfo=dt.UTC)
    )
    mode: SaleMode = SaleMode.PARALLEL
    ends_together: bool = False


class RelationForm(BaseModel):
    """Two parties that are related, as people write them: an organisation's full name or credit code, or the
    e-mail address that a person signs in with."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    one: Line = Input(min_length=2, max_length=254)
    other: Line = Input(min_length=2, max_length=254)
    kind: RelationKind = RelationKind.OTHER
    reason: Line = Input(min_length=2, max_length=1000)


class RelationInput(BaseModel):
    """Two parties that are related: on each side an organisation or a person, not both."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    organisation_id: int | None = Input(default=None, ge=1, le=2**63 - 1)
    person_id: int | None = Input(default=None, ge=1, le=2**63 - 1)
    other_organisation_id: int | None = Input(default=None, ge=1, le=2**63 - 1)
    other_person_id: int | None = Input(default=None, ge=1, le=2**63 - 1)
    kind: RelationKind = RelationKind.OTHER
    reason: Line = Input(min_length=2, max_length=1000)
