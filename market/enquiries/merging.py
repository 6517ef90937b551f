"""Enquiries follow a result that was merged into another of the same organisation.

Between organisations they stay where they are: the thread belongs to its two sides, and a merger of listings must
not hand it to a third. It goes on as before; only its result's page leads on to the one that stayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from market.db import Session, t
from market.enquiries.inputs import SubjectKind
from market.enquiries.models import Enquiry


def move(session: Session, from_id: int, to_id: int) -> dict[str, list[int]]:
    """Point enquiries about a result, and answers that offer it, to another. Returns the ids moved."""
    c = t(Enquiry).c
    about = [c.subject_kind == SubjectKind.RESULT.value, c.subject_id == from_id]
    moved = {
        "enquiries": list(session.scalars(sa.select(c.id).where(*about).order_by(c.id))),
        "offers": list(session.scalars(sa.select(c.id).where(c.offered_result_id == from_id).order_by(c.id))),
    }
    session.execute(sa.update(t(Enquiry)).where(*about).values(subject_id=to_id))
    session.execute(
        sa.update(t(Enquiry)).where(c.offered_result_id == from_id).values(offered_result_id=to_id)
    )
    return moved


def move_back(session: Session, moved: Mapping[str, Sequence[int]], to_id: int) -> None:
    """Undo `move`, given what it returned."""
    c = t(Enquiry).c
    about, offering = moved.get("enquiries", ()), moved.get("offers", ())
    session.execute(sa.update(t(Enquiry)).where(c.id.in_(about)).values(subject_id=to_id))
    session.execute(sa.update(t(Enquiry)).where(c.id.in_(offering)).values(offered_result_id=to_id))
