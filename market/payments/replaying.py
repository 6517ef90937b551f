"""Asking again: for staff, when messages were lost or a gateway was away.

All of it may be done at any time and as often as one likes: a payment is looked at and what is missing is
done, so asking again changes nothing that is as it should be.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from market import audit, inbox
from market.db import Session, t
from market.inbox import InboxMessage
from market.payments import wishes
from market.payments.models import Payment
from market.permissions import Action, Actor, require


@dataclass(frozen=True)
class Message:
    """A message from outside as staff see it. `handled_at` is None while it waits."""

    source: str
    external_id: str
    kind: str
    payment_id: int | None
    received_at: dt.datetime
    handled_at: dt.datetime | None


def unsettled(session: Session) -> list[int]:
    """The payments of which something is still to be done or expected, oldest first."""
    c = t(Payment).c
    return list(session.scalars(sa.select(c.id).where(sa.not_(c.settled)).order_by(c.id)))


def pursue_unsettled(session: Session, actor: Actor, now: dt.datetime) -> int:
    """Leave work for every unsettled payment; returns how many. Raises NotAllowed."""
    require(actor, Action.WORK_MANAGE)
    found = unsettled(session)
    for payment_id in found:
        wishes.leave_pursuit(session, payment_id, now, f"asked-{now.isoformat()}")
    audit.record(session, actor, "payments.asked", 0, now, after={"payments": len(found)})
    return len(found)


def handle_again(session: Session, actor: Actor, now: dt.datetime, source: str, external_id: str) -> None:
    """Leave the handling of a message once more. Raises NotAllowed, NotFound."""
    require(actor, Action.WORK_MANAGE)
    inbox.handle_again(session, source, external_id, now)
    c = t(InboxMessage).c
    row_id = session.scalar(sa.select(c.id).where(c.source == source, c.external_id == external_id))
    audit.record(session, actor, "message.handled_again", row_id or 0, now, after={"source": source})


def messages(
    session: Session, actor: Actor, *, waiting: bool = False, offset: int = 0, limit: int = 50
) -> tuple[list[Message], int, int]:
    """Messages, newest first; how many of those there are; how many wait. Raises NotAllowed."""
    require(actor, Action.WORK_MANAGE)
    c = t(InboxMessage).c
    open_ = c.handled_at.is_(None)
    total, count_waiting = session.execute(
        sa.select(sa.func.count(), sa.func.count().filter(open_)).select_from(t(InboxMessage))
    ).one()
    columns = sa.select(c.source, c.external_id, c.kind, c.body, c.received_at, c.handled_at)
    rows = session.execute(
        columns.where(open_ if waiting else sa.true())
        .order_by(c.received_at.desc(), c.id.desc())
        .offset(offset)
        .limit(limit)
    )
    found = [
        Message(
            row.source, row.external_id, row.kind, row.body.get("payment_id"), row.received_at, row.handled_at
        )
        for row in rows
    ]
    return found, count_waiting if waiting else total, count_waiting
