"""Rows of attachments."""

from __future__ import annotations

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values


class Visibility(enum.StrEnum):
    """Who may open an attachment."""

    PUBLIC = "public"
    PARTIES = "parties"
    """Both sides of an enquiry or a contract about the thing."""
    PRIVATE = "private"
    """The owner's organisation and the market's staff."""


class Attachment(SQLModel, table=True):
    """An uploaded file. Its bytes lie in the file store under `sha256`; equal bytes are stored once."""

    __tablename__ = "attachment"
    __table_args__ = (
        sa.CheckConstraint(in_values("visibility", Visibility), name="visibility"),
        sa.Index("ix_attachment_owner", "owner_kind", "owner_id"),
        sa.Index("ix_attachment_sha256", "sha256"),
    )
    id: int | None = columns.primary_key()
    owner_kind: str = Field(max_length=32)
    """`result`, `demand`, `enquiry`, `contract`, `organisation`."""
    owner_id: int = columns.loose_reference(optional=False)
    organisation_id: int = columns.reference("organisation.id")
    name: str = Field(max_length=255)
    media_type: str = Field(max_length=127)
    size: int
    """Bytes."""
    sha256: str = Field(max_length=64)
    visibility: str = Field(default=Visibility.PUBLIC.value, max_length=16)
    uploaded_by: int | None = columns.reference("person.id", optional=True, index=False)
    created_at: dt.datetime = columns.instant()
    removed_at: dt.datetime | None = columns.instant(optional=True)
