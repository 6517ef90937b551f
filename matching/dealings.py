"""How organisations got on with each other, read from their enquiries: for the score, and for those who may know."""

import datetime as dt
import statistics
from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from market.db import t
from market.enquiries.models import Enquiry, EnquiryState, PassReason
from matching.scoring import Dealing

LEAST_ANSWERS = 3
"""First answers from which half of them say something."""
LATEST_ANSWERS = 2000
"""First answers read, the latest, of all the organisations asked about."""
_OF_THE_OTHER = (PassReason.NOT_RELEVANT, PassReason.OTHER, PassReason.RIGHTS_UNCLEAR)
"""Reasons for passing that may hold for the next thing too; no budget or too early is of that one."""


def dealings(session: Session, owner_id: int, others: Iterable[int]) -> dict[int, Dealing]:
    """What is to be said of each other organisation, those of whom nothing is left out. Two statements."""
    wanted = sorted(set(others) - {owner_id})
    if not wanted:
        return {}
    c = t(Enquiry).c
    asked = sa.and_(c.from_organisation_id == owner_id, c.to_organisation_id.in_(wanted))
    asking = sa.and_(c.to_organisation_id == owner_id, c.from_organisation_id.in_(wanted))
    other = sa.case((c.from_organisation_id == owner_id, c.to_organisation_id), else_=c.from_organisation_id)
    refused = sa.and_(
        c.state == EnquiryState.PASSED.value, c.pass_reason.in_([reason.value for reason in _OF_THE_OTHER])
    )
    between = session.execute(
        sa.select(
            other.label("other"),
            sa.func.count(sa.case((c.state == EnquiryState.AGREED.value, 1))),
            sa.func.count(sa.case((refused, 1))),
        )
        .where(sa.or_(asked, asking))
        .group_by(other)
    )
    counts = {row[0]: (row[1], row[2]) for row in between}
    answered = session.execute(
        sa.select(c.to_organisation_id, c.created_at, c.first_reply_at)
        .where(c.to_organisation_id.in_(wanted), c.first_reply_at.is_not(None))
        .order_by(c.id.desc())
        .limit(LATEST_ANSWERS)
    )
    hours: dict[int, list[float]] = defaultdict(list)
    for organisation, opened, replied in answered:
        hours[organisation].append((replied - opened) / dt.timedelta(hours=1))
    found: dict[int, Dealing] = {}
    for organisation in wanted:
        agreed, turned_down = counts.get(organisation, (0, 0))
        times = hours[organisation]
        half = statistics.median(times) if len(times) >= LEAST_ANSWERS else None
        if agreed or turned_down or half is not None:
            found[organisation] = Dealing(agreed, turned_down, half)
    return found
