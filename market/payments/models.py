"""Rows of deposits and other payments, of what gateways were told to do, and of the double-entry ledger."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values
from market.payments.gateway import Method, Status


class DepositState(enum.StrEnum):
    """Where a deposit (保证金) stands; the machine is drawn in `rules`."""

    DUE = "due"
    HELD = "held"
    RELEASING = "releasing"
    """Promised back; the gateway has not said that it went."""
    RELEASED = "released"
    APPLIED = "applied"
    FORFEITED = "forfeited"
    FAILED = "failed"


class Purpose(enum.StrEnum):
    """What a payment is for."""

    DEPOSIT = "deposit"
    BALANCE = "balance"
    """What the winner owes beyond the deposit (成交余款)."""
    FEE = "fee"
    """The market's own fee (服务费)."""


class OperationKind(enum.StrEnum):
    """What a gateway is told to do."""

    START = "start"
    AUTHORISE_AGAIN = "authorise_again"
    CAPTURE = "capture"
    CANCEL = "cancel"
    REFUND = "refund"


class OperationState(enum.StrEnum):
    """Where an operation stands: planned (told, or about to be), done, refused."""

    PLANNED = "planned"
    DONE = "done"
    REFUSED = "refused"


class Deposit(SQLModel, table=True):
    """Money that a bidder puts down for one lot."""

    __tablename__ = "deposit"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", DepositState), name="state"),
        sa.CheckConstraint("amount_fen >= 0", name="amount"),
        sa.UniqueConstraint("lot_id", "organisation_id"),
    )
    id: int | None = columns.primary_key()
    lot_id: int = columns.loose_reference(optional=False)
    organisation_id: int = columns.reference("organisation.id")
    person_id: int = columns.reference("person.id")
    amount_fen: int = columns.fen()
    currency: str = Field(default="CNY", max_length=3)
    state: str = Field(default=DepositState.DUE.value, max_length=16)
    hold_until: dt.datetime | None = columns.instant(optional=True)
    """How long the lot can need it; an authorisation that lapses earlier is made again before."""
    release_by: dt.datetime | None = columns.instant(optional=True, index=True)
    """When a deposit that was promised back is late, by the terms."""
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()


class Payment(SQLModel, table=True):
    """One payment asked of an organisation at one gateway, and what was last seen of it there.

    `keep_fen` is how much of it shall stay with the market in the end; None while that is open. The other
    amounts are what the ledger has booked: set aside now, come, gone back, promised back in all.
    `version` rises with every look that was recorded, so that a look from before is not.
    """

    __tablename__ = "payment"
    __table_args__ = (
        sa.CheckConstraint(in_values("purpose", Purpose), name="purpose"),
        sa.CheckConstraint(in_values("method", Method), name="method"),
        sa.CheckConstraint(in_values("status", Status), name="status"),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint("keep_fen >= 0 AND keep_fen <= amount_fen", name="keep"),
        sa.CheckConstraint("(purpose = 'deposit') = (deposit_id IS NOT NULL)", name="deposit"),
        sa.UniqueConstraint("gateway", "reference"),
    )
    id: int | None = columns.primary_key()
    purpose: str = Field(max_length=16)
    deposit_id: int | None = columns.reference("deposit.id", optional=True)
    lot_id: int = columns.loose_reference(optional=False)
    organisation_id: int = columns.reference("organisation.id")
    person_id: int | None = columns.reference("person.id", optional=True)
    amount_fen: int = columns.fen()
    currency: str = Field(default="CNY", max_length=3)
    gateway: str = Field(max_length=16)
    method: str = Field(max_length=16)
    follows_id: int | None = columns.reference("payment.id", optional=True)
    """The payment whose authorisation this one takes over from."""
    reference: str | None = Field(default=None, max_length=255)
    customer: str | None = Field(default=None, max_length=255)
    pay_url: str | None = columns.text(default=None)
    status: str = Field(default=Status.WAITING.value, max_length=16)
    decline: str | None = Field(default=None, max_length=32)
    expires_at: dt.datetime | None = columns.instant(optional=True, index=True)
    keep_fen: int | None = columns.fen(optional=True)
    authorised_fen: int = columns.fen(default=0)
    let_go_fen: int = columns.fen(default=0)
    """What was set aside and let go again, uncaptured."""
    captured_fen: int = columns.fen(default=0)
    refunded_fen: int = columns.fen(default=0)
    promised_fen: int = columns.fen(default=0)
    fee_fen: int = columns.fen(default=0)
    settled: bool = False
    """Nothing more is to be done or expected: what is left is what shall be kept."""
    version: int = 1
    created_at: dt.datetime = columns.instant()
    seen_at: dt.datetime | None = columns.instant(optional=True)


class PaymentOperation(SQLModel, table=True):
    """Something that a gateway was told, written before it was told. `key` is its idempotency key."""

    __tablename__ = "payment_operation"
    __table_args__ = (
        sa.CheckConstraint(in_values("kind", OperationKind), name="kind"),
        sa.CheckConstraint(in_values("state", OperationState), name="state"),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
    )
    id: int | None = columns.primary_key()
    payment_id: int = columns.reference("payment.id")
    kind: str = Field(max_length=16)
    key: str = Field(max_length=64, unique=True)
    amount_fen: int = columns.fen()
    state: str = Field(default=OperationState.PLANNED.value, max_length=16)
    error: str | None = Field(default=None, max_length=64)
    """The gateway's code where it refused."""
    created_at: dt.datetime = columns.instant()
    told_at: dt.datetime | None = columns.instant(optional=True)
    """When the gateway was first told, or was about to be."""
    finished_at: dt.datetime | None = columns.instant(optional=True)


class PaymentDispute(SQLModel, table=True):
    """A payer's bank takes a payment back (拒付), as last seen at the gateway."""

    __tablename__ = "payment_dispute"
    __table_args__ = (sa.UniqueConstraint("payment_id", "reference"),)
    id: int | None = columns.primary_key()
    payment_id: int = columns.reference("payment.id")
    reference: str = Field(max_length=255)
    amount_fen: int = columns.fen()
    status: str = Field(max_length=32)
    reason: str = Field(max_length=64)
    withdrawn_fen: int = columns.fen(default=0)
    """What the ledger has booked as taken back."""
    evidence_due_at: dt.datetime | None = columns.instant(optional=True)
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()


class AccountKind(enum.StrEnum):
    """What an account of the ledger is for."""

    AUTHORISED = "authorised"
    """At a gateway: set aside at payers' banks, not ours yet."""
    CASH = "cash"
    """At a gateway or bank: money that has come."""
    HELD = "held"
    """Owed to a bidder or to a seller, undecided: a deposit for a lot."""
    RETURNING = "returning"
    """Promised back to a payer and not yet there."""
    PRICE = "price"
    """Paid towards the price of a lot; owed to its seller."""
    PAYING_OUT = "paying_out"
    """Approved for the seller and not yet seen to have left the bank."""
    COSTS = "costs"
    """Forfeited for the costs of a failed sale."""
    SHORTFALL = "shortfall"
    """Forfeited for what a lot fetched less the second time; owed to its seller."""
    FORFEITED = "forfeited"
    """Forfeited beyond costs and shortfall; the terms say whose it is."""
    OWED = "owed"
    """What a payer owes because a payment that was counted on did not come or was taken back."""
    FEES = "fees"
    """What gateways charge the market."""
    INCOME = "income"
    """The market's own fees."""
    UNEXPLAINED = "unexplained"
    """Money in the bank that nobody has explained yet (不明来款)."""


class LedgerAccount(SQLModel, table=True):
    """An account, made when first used. `code` is its kind with what it is of: `held:12:7`, `cash:stripe`."""

    __tablename__ = "ledger_account"
    __table_args__ = (
        sa.CheckConstraint(in_values("kind", AccountKind), name="kind"),
        sa.UniqueConstraint("code", "currency"),
    )
    id: int | None = columns.primary_key()
    code: str = Field(max_length=80)
    currency: str = Field(max_length=3)
    kind: str = Field(max_length=16)
    organisation_id: int | None = columns.reference("organisation.id", optional=True)
    lot_id: int | None = columns.loose_reference()
    gateway: str | None = Field(default=None, max_length=16)


class LedgerTransfer(SQLModel, table=True):
    """An amount moved from one account to another, and its cause. Never edited, never deleted.

    Each row debits one account and credits another with one positive amount, so every row and any set
    of rows sums to zero; the database's own checks hold it. An account's balance is what it was credited
    less what it was debited: a debt of the market's is positive, its money is negative.
    """

    __tablename__ = "ledger_transfer"
    __table_args__ = (
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint("debit_id <> credit_id", name="accounts"),
    )
    id: int | None = columns.primary_key()
    key: str = Field(max_length=200, unique=True)
    """What makes the same movement happen once: `payment:12:captured:50000`."""
    cause: str = Field(max_length=64)
    debit_id: int = columns.reference("ledger_account.id")
    credit_id: int = columns.reference("ledger_account.id")
    amount_fen: int = columns.fen()
    payment_id: int | None = columns.reference("payment.id", optional=True)
    actor_id: int | None = columns.reference("person.id", optional=True)
    at: dt.datetime = columns.instant(index=True)
    detail: dict[str, Any] = columns.json_object()
