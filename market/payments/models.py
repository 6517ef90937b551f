"""Rows of deposits and of the double-entry ledger."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values


class DepositState(enum.StrEnum):
    """Where a deposit (保证金) stands.

    due → held → released | applied | forfeited; due → failed → due
    """

    DUE = "due"
    HELD = "held"
    RELEASED = "released"
    APPLIED = "applied"
    FORFEITED = "forfeited"
    FAILED = "failed"


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
    gateway: str = Field(max_length=16)
    gateway_reference: str | None = Field(default=None, max_length=255, unique=True)
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()


class LedgerTransfer(SQLModel, table=True):
    """A movement of money and its cause. Its lines sum to zero; neither is ever edited."""

    __tablename__ = "ledger_transfer"
    id: int | None = columns.primary_key()
    key: str = Field(max_length=200, unique=True)
    """What makes the same movement happen once: `deposit:12:held`."""
    cause: str = Field(max_length=64)
    deposit_id: int | None = columns.reference("deposit.id", optional=True)
    at: dt.datetime = columns.instant(index=True)
    detail: dict[str, Any] = columns.json_object()


class LedgerLine(SQLModel, table=True):
    """One side of a transfer: positive into the account, negative out of it."""

    __tablename__ = "ledger_line"
    __table_args__ = (sa.CheckConstraint("amount_fen <> 0", name="amount"),)
    id: int | None = columns.primary_key()
    transfer_id: int = columns.reference("ledger_transfer.id")
    account: str = Field(max_length=80, index=True)
    """`gateway:simulated`, `deposits:held:<organisation>:<lot>`, `market:forfeited`, …"""
    amount_fen: int = columns.fen()
    currency: str = Field(default="CNY", max_length=3)
