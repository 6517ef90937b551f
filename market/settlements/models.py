"""Rows of settlements. A lot is in a higher room: its id is a plain number, and what is shown of it is copied."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values
from market.payments.rules import RestTo


class SettlementState(enum.StrEnum):
    """Where a settlement stands. open → complete | defaulted; complete → defaulted."""

    OPEN = "open"
    COMPLETE = "complete"
    DEFAULTED = "defaulted"


class Origin(enum.StrEnum):
    """How the buyer came to the lot."""

    SALE = "sale"
    """Won it."""
    RUNNER_UP = "runner_up"
    """Took it after the winner's default, at its own last bid."""


class Party(enum.StrEnum):
    """Who signs the confirmation of sale."""

    BUYER = "buyer"
    SELLER = "seller"
    ORGANISER = "organiser"


class ReceiptState(enum.StrEnum):
    """Where a payment stands that staff enter as made to the seller directly."""

    ENTERED = "entered"
    APPROVED = "approved"
    REFUSED = "refused"


class OfferState(enum.StrEnum):
    """Where an offer to the next bidder stands. open → accepted | declined | lapsed."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    LAPSED = "lapsed"


class Settlement(SQLModel, table=True):
    """What a sale asks of its parties, and what of it is done. Days are days in Shanghai.

    `facts` are what the confirmation of sale says, frozen; signatures are bound to their hash.
    """

    __tablename__ = "settlement"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", SettlementState), name="state"),
        sa.CheckConstraint(in_values("origin", Origin), name="origin"),
        sa.CheckConstraint(in_values("rest_to", RestTo), name="rest_to"),
        sa.CheckConstraint("price_fen > 0", name="price_fen"),
        sa.CheckConstraint("deposit_fen >= 0", name="deposit_fen"),
        sa.CheckConstraint("owed_fen >= 0", name="owed_fen"),
        sa.UniqueConstraint("lot_id", "buyer_organisation_id"),
        sa.Index("ix_settlement_state_closed_at", "state", "closed_at"),
    )
    id: int | None = columns.primary_key()
    lot_id: int = columns.loose_reference(optional=False)
    origin: str = Field(default=Origin.SALE.value, max_length=16)
    title: str = Field(max_length=200)
    seller_organisation_id: int = columns.reference("organisation.id")
    buyer_organisation_id: int = columns.reference("organisation.id")
    organiser_organisation_id: int | None = columns.reference("organisation.id", optional=True, index=False)
    """None: the market itself."""
    price_fen: int = columns.fen()
    currency: str = Field(default="CNY", max_length=3)
    deposit_fen: int = columns.fen(default=0)
    """What the terms ask for; how much of it is there, payments tell."""
    rest_to: str = Field(default=RestTo.SELLER.value, max_length=16)
    """Whose the rest of the deposit is after a default, by the terms."""
    runner_up: bool = False
    """Whether the terms let the next bidder be asked after a default."""
    facts: dict[str, Any] = columns.json_object()
    facts_hash: str = Field(max_length=64)
    """SHA-256 of the facts as canonical JSON."""
    closed_at: dt.datetime = columns.instant()
    """The close of the lot, or when the next bidder accepted: what the days count from."""
    confirm_by: dt.date
    contract_by: dt.date
    balance_by: dt.date
    contract_id: int | None = columns.reference("contract.id", optional=True)
    state: str = Field(default=SettlementState.OPEN.value, max_length=16)
    confirmed_on: dt.date | None = None
    contract_signed_on: dt.date | None = None
    balance_paid_on: dt.date | None = None
    registered_on: dt.date | None = None
    deposit_asked_at: dt.datetime | None = columns.instant(optional=True)
    """When a next bidder whose deposit had gone back was asked for it again."""
    told: list[str] = columns.json_list()
    """The steps whose lateness those above were told of."""
    ended_at: dt.datetime | None = columns.instant(optional=True)
    """When it was complete, or defaulted."""
    forfeited_at: dt.datetime | None = columns.instant(optional=True)
    costs_fen: int | None = columns.fen(optional=True)
    shortfall_fen: int | None = columns.fen(optional=True)
    owed_fen: int = columns.fen(default=0)
    """What the deposit did not cover of costs and shortfall."""
    owed_by: dt.date | None = None
    created_at: dt.datetime = columns.instant()
    version: int = 1


class SettlementSignature(SQLModel, table=True):
    """A party's electronic acknowledgement of the confirmation of sale. Never edited, never deleted."""

    __tablename__ = "settlement_signature"
    __table_args__ = (
        sa.CheckConstraint(in_values("party", Party), name="party"),
        sa.UniqueConstraint("settlement_id", "party"),
    )
    id: int | None = columns.primary_key()
    settlement_id: int = columns.reference("settlement.id")
    party: str = Field(max_length=16)
    organisation_id: int | None = columns.reference("organisation.id", optional=True, index=False)
    person_id: int = columns.reference("person.id", index=False)
    facts_hash: str = Field(max_length=64)
    """What was signed."""
    at: dt.datetime = columns.instant()


class SettlementReceipt(SQLModel, table=True):
    """Money that the buyer paid the seller directly, entered by one officer and approved by another."""

    __tablename__ = "settlement_receipt"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", ReceiptState), name="state"),
        sa.CheckConstraint("amount_fen > 0", name="amount_fen"),
        sa.CheckConstraint("decided_by <> entered_by", name="decided_by"),
    )
    id: int | None = columns.primary_key()
    settlement_id: int = columns.reference("settlement.id")
    amount_fen: int = columns.fen()
    paid_on: dt.date
    note: str = Field(default="", max_length=300)
    attachment_id: int | None = columns.reference("attachment.id", optional=True, index=False)
    state: str = Field(default=ReceiptState.ENTERED.value, max_length=16)
    entered_by: int = columns.reference("person.id", index=False)
    entered_at: dt.datetime = columns.instant()
    decided_by: int | None = columns.reference("person.id", optional=True, index=False)
    decided_at: dt.datetime | None = columns.instant(optional=True)
    reason: str = columns.text()


class RunnerUpOffer(SQLModel, table=True):
    """A lot offered to the next bidder after a default. Nobody is offered one lot twice."""

    __tablename__ = "runner_up_offer"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", OfferState), name="state"),
        sa.CheckConstraint("amount_fen > 0", name="amount_fen"),
        sa.UniqueConstraint("lot_id", "organisation_id"),
        # One lot has one open offer at most.
        sa.Index(
            "ux_runner_up_offer_open", "lot_id", unique=True,
            sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"),
        ),
    )  # fmt: skip
    id: int | None = columns.primary_key()
    lot_id: int = columns.loose_reference(optional=False)
    settlement_id: int = columns.reference("settlement.id")
    """The settlement that was defaulted."""
    organisation_id: int = columns.reference("organisation.id")
    alias: int
    """The bidder's number in the lot."""
    amount_fen: int = columns.fen()
    state: str = Field(default=OfferState.OPEN.value, max_length=16)
    offered_by: int | None = columns.reference("person.id", optional=True, index=False)
    offered_at: dt.datetime = columns.instant()
    answer_by: dt.datetime = columns.instant(index=True)
    answered_by: int | None = columns.reference("person.id", optional=True, index=False)
    answered_at: dt.datetime | None = columns.instant(optional=True)
    reason: str = columns.text()
