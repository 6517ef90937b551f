"""The inbox: what other systems told us, kept once each, before anything is done about it.

A webhook is verified, inserted here under its unique (source, external id) and answered only after
that commit; the worker handles it later. Duplicates and disorder are normal.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market.db import Id, JsonDoc, Session, UtcDateTime, t, upsert
from market.errors import NotFound
from market.work import enqueue


class InboxMessage(SQLModel, table=True):
    """One message from outside. `handled_at` is set only when its handler succeeded."""

    __tablename__ = "inbox_message"
    __table_args__ = (sa.UniqueConstraint("source", "external_id"),)
    id: int | None = Field(default=None, sa_column=sa.Column(Id, primary_key=True, autoincrement=True))
    source: str = Field(max_length=32)
    external_id: str = Field(max_length=255)
    kind: str = Field(max_length=128)
    body: dict[str, Any] = Field(sa_column=sa.Column(JsonDoc, nullable=False))
    received_at: dt.datetime = Field(sa_type=UtcDateTime)
    handled_at: dt.datetime | None = Field(default=None, sa_type=UtcDateTime)


def receive(
    session: Session, source: str, external_id: str, kind: str, body: dict[str, Any], now: dt.datetime
) -> bool:
    """Keep a message and leave its handling as work; False when it was here already."""
    row = {"source": source, "external_id": external_id, "kind": kind, "body": body, "received_at": now}
    new = upsert(session, t(InboxMessage), [row], key=["source", "external_id"]) == 1
    if new:
        payload = {"source": source, "external_id": external_id}
        enqueue(session, f"inbox.{source}", payload, key=external_id, now=now)
    return new


def body_of(session: Session, source: str, external_id: str) -> dict[str, Any]:
    """What was kept of a message. Raises NotFound."""
    c = t(InboxMessage).c
    body: dict[str, Any] | None = session.scalar(
        sa.select(c.body).where(c.source == source, c.external_id == external_id)
    )
    if body is None:
        raise NotFound(kind="message")
    return body


def mark_handled(session: Session, source: str, external_id: str, now: dt.datetime) -> None:
    """Record that a message's handler succeeded; the first time stays."""
    c = t(InboxMessage).c
    session.execute(
        sa.update(t(InboxMessage))
        .where(c.source == source, c.external_id == external_id, c.handled_at.is_(None))
        .values(handled_at=now)
    )


def handle_again(session: Session, source: str, external_id: str, now: dt.datetime) -> None:
    """Leave the handling of a message as work once more, whether it was handled or not. Raises NotFound."""
    body_of(session, source, external_id)
    payload = {"source": source, "external_id": external_id}
    enqueue(session, f"inbox.{source}", payload, key=f"{external_id}:{now.isoformat()}", now=now)
