"""What entered the register last, for the open dashboard. Titles and parties, no amounts."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from market.db import Session, t
from market.deals.models import Contract, Movement
from market.deals.movements import Cause


@dataclass(frozen=True)
class Registered:
    """A contract as it entered the register."""

    id: int
    local_number: str
    title: str
    kind: str
    registered_on: dt.date
    recorded_at: dt.datetime
    """The register's time."""


def newest(session: Session, *, limit: int = 8) -> list[Registered]:
    """The contracts registered last that are counted still, newest first by the register's time."""
    m, c = t(Movement).c, t(Contract).c
    rows = session.execute(
        sa.select(c.id, c.local_number, c.title, c.kind, m.registered_on, m.recorded_at)
        .select_from(t(Movement).join(t(Contract), m.contract_id == c.id))
        .where(m.step == Cause.REGISTER.value, m.received_on.is_(None), c.state == "registered")
        .order_by(m.recorded_at.desc(), m.id.desc())
        .limit(limit)
    )
    return [Registered(*row) for row in rows]
