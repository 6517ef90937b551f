"""Rows of the bank: accounts, transfers asked for, statements with their lines, what explains a line, pay-outs.

Of a counterparty's account a statement line keeps the last four digits. Of an account that money is paid to the
whole number is kept, for a bank needs it; it is shown whole in no page but the one of those who may pay it out.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values


class AccountState(enum.StrEnum):
    """Where a bank account stands: proposed by one person, in force when another has confirmed it.

    proposed → in_force | withdrawn; in_force → replaced by the next one that is confirmed
    """

    PROPOSED = "proposed"
    IN_FORCE = "in_force"
    REPLACED = "replaced"
    WITHDRAWN = "withdrawn"


class StatementState(enum.StrEnum):
    """Where a bank statement's file stands."""

    UPLOADED = "uploaded"
    IMPORTED = "imported"


class LineState(enum.StrEnum):
    """Where a statement line stands; the machine is drawn in `rules`."""

    OPEN = "open"
    PROPOSED = "proposed"
    EXPLAINED = "explained"
    IGNORED = "ignored"


class MatchKind(enum.StrEnum):
    """What a statement line is said to be."""

    PAYMENT = "payment"
    """A payer's transfer."""
    PAY_OUT = "pay_out"
    """A pay-out that left."""
    RETURNED = "returned"
    """A pay-out that came back (退汇)."""
    SETTLEMENT = "settlement"
    """What another gateway paid over to our bank, or took from it."""
    FEE = "fee"
    """What the bank charges."""
    INTEREST = "interest"
    """What the bank pays."""
    IGNORED = "ignored"
    """No money of the market's: it leaves the books again, for a reason."""


class MatchState(enum.StrEnum):
    """Where an explanation stands: proposed by one person, confirmed by another or withdrawn."""

    PROPOSED = "proposed"
    CONFIRMED = "confirmed"
    WITHDRAWN = "withdrawn"


class PayOutKind(enum.StrEnum):
    """What is paid out."""

    REFUND = "refund"
    """A transfer given back."""
    PRICE = "price"
    """A lot's price to its seller."""
    SHORTFALL = "shortfall"
    """What was forfeited for a lot's shortfall, to its seller."""
    FORFEITED = "forfeited"
    """The rest of a forfeited deposit where the terms give it to the seller."""


class PayOutState(enum.StrEnum):
    """Where a pay-out stands; the machine is drawn in `rules`."""

    WAITING = "waiting"
    PREPARED = "prepared"
    APPROVED = "approved"
    EXPORTED = "exported"
    LEFT = "left"
    CANCELLED = "cancelled"


class BankAccount(SQLModel, table=True):
    """An account at a bank: the market's own (no organisation), or where an organisation is paid.

    Never edited: a change is a new row, proposed by one person and confirmed by another.
    """

    __tablename__ = "bank_account"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", AccountState), name="state"),
        sa.CheckConstraint(
            "decided_by IS NULL OR state = 'withdrawn' OR decided_by <> proposed_by", name="eyes"
        ),
    )
    id: int | None = columns.primary_key()
    organisation_id: int | None = columns.reference("organisation.id", optional=True)
    holder: str = Field(max_length=200)
    bank: str = Field(max_length=200)
    branch_code: str = Field(default="", max_length=12)
    """The bank's number in the payment system (联行号), twelve digits."""
    number: str = Field(max_length=34)
    currency: str = Field(default="CNY", max_length=3)
    state: str = Field(default=AccountState.PROPOSED.value, max_length=16)
    proposed_by: int = columns.reference("person.id")
    proposed_at: dt.datetime = columns.instant()
    decided_by: int | None = columns.reference("person.id", optional=True)
    decided_at: dt.datetime | None = columns.instant(optional=True)
    mapping: dict[str, Any] = columns.json_object()
    """Of the market's own: how the columns of this bank's statements are read."""


class BankPayment(SQLModel, table=True):
    """A transfer that a payer was asked for, as the gateway keeps it. `key` makes asking twice one row."""

    __tablename__ = "bank_payment"
    __table_args__ = (sa.CheckConstraint("amount_fen > 0", name="amount"),)
    id: int | None = columns.primary_key()
    key: str = Field(max_length=64, unique=True)
    reference: str = Field(max_length=16, unique=True)
    payment_id: int = columns.loose_reference(optional=False)
    organisation_id: int = columns.loose_reference(optional=False)
    lot_id: int | None = columns.loose_reference()
    purpose: str = Field(max_length=16)
    amount_fen: int = columns.fen()
    currency: str = Field(max_length=3)
    created_at: dt.datetime = columns.instant()
    cancelled_at: dt.datetime | None = columns.instant(optional=True)


class BankStatement(SQLModel, table=True):
    """A statement's file. Its lines are taken all or none."""

    __tablename__ = "bank_statement"
    __table_args__ = (sa.CheckConstraint(in_values("state", StatementState), name="state"),)
    id: int | None = columns.primary_key()
    account_id: int = columns.reference("bank_account.id")
    file_name: str = Field(max_length=255)
    sha256: str = Field(max_length=64)
    """The file's bytes in the file store."""
    state: str = Field(default=StatementState.UPLOADED.value, max_length=16)
    new_lines: int = 0
    known_lines: int = 0
    first_on: dt.date | None = None
    last_on: dt.date | None = None
    opening_fen: int | None = columns.fen(optional=True)
    """The account's balance before the first line, where the file has balances."""
    closing_fen: int | None = columns.fen(optional=True)
    """The account's balance after the last line, where the file has balances."""
    person_id: int = columns.reference("person.id")
    created_at: dt.datetime = columns.instant()
    imported_at: dt.datetime | None = columns.instant(optional=True)


class BankLine(SQLModel, table=True):
    """A line of a bank statement, once however often it is imported. Money that came is positive."""

    __tablename__ = "bank_line"
    __table_args__ = (
        sa.CheckConstraint(in_values("state", LineState), name="state"),
        sa.CheckConstraint("amount_fen <> 0", name="amount"),
        sa.UniqueConstraint("account_id", "fingerprint"),
        sa.Index("ix_bank_line_state_booked_on", "state", "booked_on"),
    )
    id: int | None = columns.primary_key()
    account_id: int = columns.reference("bank_account.id")
    statement_id: int = columns.reference("bank_statement.id")
    position: int
    """The line of the file."""
    fingerprint: str = Field(max_length=64)
    booked_on: dt.date
    amount_fen: int = columns.fen()
    counterparty: str = Field(default="", max_length=200)
    counterparty_tail: str = Field(default="", max_length=4)
    """The last four digits of the counterparty's account."""
    remark: str = columns.text()
    serial: str = Field(default="", max_length=64)
    balance_fen: int | None = columns.fen(optional=True)
    state: str = Field(default=LineState.OPEN.value, max_length=16)


class PayOutBatch(SQLModel, table=True):
    """A list of pay-outs as it was handed to the bank."""

    __tablename__ = "pay_out_batch"
    id: int | None = columns.primary_key()
    count: int
    amount_fen: int = columns.fen()
    currency: str = Field(max_length=3)
    made_by: int = columns.reference("person.id")
    made_at: dt.datetime = columns.instant()


class PayOut(SQLModel, table=True):
    """An order to the bank to pay an organisation. `reference` is written on the transfer."""

    __tablename__ = "pay_out"
    __table_args__ = (
        sa.CheckConstraint(in_values("kind", PayOutKind), name="kind"),
        sa.CheckConstraint(in_values("state", PayOutState), name="state"),
        sa.CheckConstraint("amount_fen > 0", name="amount"),
        sa.CheckConstraint("(kind = 'refund') = (bank_payment_id IS NOT NULL)", name="refund"),
        sa.CheckConstraint("approved_by IS NULL OR approved_by <> prepared_by", name="eyes"),
    )
    id: int | None = columns.primary_key()
    key: str = Field(max_length=64, unique=True)
    reference: str = Field(max_length=16, unique=True)
    kind: str = Field(max_length=16)
    state: str = Field(default=PayOutState.WAITING.value, max_length=16, index=True)
    bank_payment_id: int | None = columns.reference("bank_payment.id", optional=True)
    organisation_id: int = columns.loose_reference(optional=False)
    lot_id: int | None = columns.loose_reference()
    amount_fen: int = columns.fen()
    currency: str = Field(max_length=3)
    account_id: int | None = columns.reference("bank_account.id", optional=True)
    prepared_by: int | None = columns.reference("person.id", optional=True)
    approved_by: int | None = columns.reference("person.id", optional=True)
    batch_id: int | None = columns.reference("pay_out_batch.id", optional=True)
    tries: int = 0
    """How often it was exported."""
    trouble: str = columns.text()
    """Why the last try failed or came back."""
    version: int = 1
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()


class BankMatch(SQLModel, table=True):
    """What a statement line is said to be, by whom, and who confirmed it."""

    __tablename__ = "bank_match"
    __table_args__ = (
        sa.CheckConstraint(in_values("kind", MatchKind), name="kind"),
        sa.CheckConstraint(in_values("state", MatchState), name="state"),
        sa.CheckConstraint("(kind = 'payment') = (bank_payment_id IS NOT NULL)", name="payment"),
        sa.CheckConstraint("(kind IN ('pay_out', 'returned')) = (pay_out_id IS NOT NULL)", name="pay_out"),
        sa.CheckConstraint("state <> 'confirmed' OR decided_by <> proposed_by", name="eyes"),
        sa.Index(
            "uq_bank_match_line",
            "line_id",
            unique=True,
            sqlite_where=sa.text("state <> 'withdrawn'"),
            postgresql_where=sa.text("state <> 'withdrawn'"),
        ),
    )
    id: int | None = columns.primary_key()
    line_id: int = columns.reference("bank_line.id", index=False)
    kind: str = Field(max_length=16)
    bank_payment_id: int | None = columns.reference("bank_payment.id", optional=True)
    pay_out_id: int | None = columns.reference("pay_out.id", optional=True)
    gateway: str = Field(default="", max_length=16)
    reason: str = columns.text()
    state: str = Field(default=MatchState.PROPOSED.value, max_length=16)
    proposed_by: int = columns.reference("person.id")
    proposed_at: dt.datetime = columns.instant()
    decided_by: int | None = columns.reference("person.id", optional=True)
    decided_at: dt.datetime | None = columns.instant(optional=True)
