"""What matching knows of a result follows it into another: suggested pairs and what people said of pairs.

Nothing is deleted. Where both results were suggested for one demand, or judged by one person, both rows stay:
of two suggestions the undecided one is turned down as a repetition, of two words the later one counts for the
result that stays.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from market.db import t
from market.permissions import Actor
from matching.models import Judgment, Proposal, ProposalEvent, ProposalState, RejectReason

_UNDECIDED = (ProposalState.SUGGESTED.value, ProposalState.SNOOZED.value, ProposalState.LAPSED.value)


def move(session: Session, actor: Actor, now: dt.datetime, from_id: int, to_id: int) -> dict[str, Any]:
    """Point proposals and judgments of a result to another. Returns what moved, as `move_back` takes it."""
    return {
        "proposals": _move_proposals(session, actor, now, from_id, to_id),
        **_move_judgments(session, from_id, to_id),
    }


def _move_proposals(session: Session, actor: Actor, now: dt.datetime, from_id: int, to_id: int) -> list[int]:
    c = t(Proposal).c
    rows = session.scalars(sa.select(Proposal).where(c.result_id.in_((from_id, to_id))).order_by(c.id)).all()
    there = {row.demand_id: row for row in rows if row.result_id == to_id}
    moved = []
    for row in rows:
        if row.result_id != from_id:
            continue
        assert row.id is not None
        other = there.get(row.demand_id)
        if other is None:
            row.result_id = to_id
            moved.append(row.id)
        elif row.state in _UNDECIDED:
            _turn_down(session, actor, now, row)
        elif other.state in _UNDECIDED:
            _turn_down(session, actor, now, other)
    session.flush()
    return moved


def _turn_down(session: Session, actor: Actor, now: dt.datetime, row: Proposal) -> None:
    assert row.id is not None
    row.state = ProposalState.REJECTED.value
    row.reject_reason = RejectReason.DUPLICATE.value
    row.snoozed_until = None
    row.decided_by, row.decided_at = actor.person_id, now
    row.version += 1
    row.updated_at = now
    session.add(
        ProposalEvent(
            proposal_id=row.id,
            step="rejected",
            person_id=actor.person_id,
            params={"reason": RejectReason.DUPLICATE.value},
            at=now,
        )
    )


def _move_judgments(session: Session, from_id: int, to_id: int) -> dict[str, Any]:
    c = t(Judgment).c
    rows = session.scalars(sa.select(Judgment).where(c.result_id.in_((from_id, to_id))).order_by(c.id)).all()
    there = {(row.demand_id, row.person_id, row.source): row for row in rows if row.result_id == to_id}
    moved, raised = [], []
    for row in rows:
        if row.result_id != from_id:
            continue
        other = there.get((row.demand_id, row.person_id, row.source))
        if other is None:
            row.result_id = to_id
            moved.append(row.id)
        elif row.at > other.at:
            raised.append([other.id, other.level, other.at.isoformat()])
            other.level, other.at = row.level, row.at
    session.flush()
    return {"judgments": moved, "words": raised}


def move_back(session: Session, moved: Mapping[str, Any], to_id: int) -> None:
    """Undo `move`, given what it returned. What was turned down as a repetition stays so: a broker can reopen it."""
    p, j = t(Proposal).c, t(Judgment).c
    session.execute(
        sa.update(t(Proposal)).where(p.id.in_(moved.get("proposals", ()))).values(result_id=to_id)
    )
    session.execute(
        sa.update(t(Judgment)).where(j.id.in_(moved.get("judgments", ()))).values(result_id=to_id)
    )
    for row_id, level, at in moved.get("words", ()):
        values = {"level": level, "at": dt.datetime.fromisoformat(at)}
        session.execute(sa.update(t(Judgment)).where(j.id == row_id).values(**values))
