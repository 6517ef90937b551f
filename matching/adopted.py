"""Which weights are in force: the row adopted last and not retired, else what is shipped."""

import datetime as dt
import logging
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from market import audit
from market.db import t
from market.permissions import Action, Actor, require
from matching import weights
from matching.models import MatchWeights
from matching.weights import Weights

log = logging.getLogger(__name__)


def in_force(session: Session) -> Weights:
    """The weights to score with. One statement. A row that cannot be read is logged and passed over."""
    c = t(MatchWeights).c
    statement = (
        sa.select(c.id, c.weights)
        .where(c.adopted_at.is_not(None), c.retired_at.is_(None))
        .order_by(c.adopted_at.desc(), c.id.desc())
        .limit(1)
    )
    row = session.execute(statement).one_or_none()
    if row is not None:
        try:
            return weights.read(row.weights, row.id)
        except ValueError:
            log.exception("adopted weights cannot be read", extra={"weights_id": row.id})
    return weights.shipped()


def keep(
    session: Session, actor: Actor, now: dt.datetime, found: Weights, report: dict[str, Any], *, adopt: bool
) -> int:
    """Write trained weights with their report and, if told so, let them take over. Returns the row's id."""
    require(actor, Action.TAXONOMY_EDIT)
    row = MatchWeights(
        weights=weights.write(found),
        report=report,
        trained_at=now,
        trained_by=actor.person_id,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    if adopt:
        _retire(session, now)
        row.adopted_at, row.adopted_by = now, actor.person_id
        session.flush()
    audit.record(session, actor, "weights.trained", row.id, now, after={"adopted": adopt})
    return row.id


def back_to_shipped(session: Session, actor: Actor, now: dt.datetime) -> None:
    """Put what is shipped in force again; changes nothing if it is."""
    require(actor, Action.TAXONOMY_EDIT)
    current = in_force(session).id
    if _retire(session, now) and current is not None:
        audit.record(session, actor, "weights.retired", current, now)


def _retire(session: Session, now: dt.datetime) -> int:
    c = t(MatchWeights).c
    statement = (
        sa.update(t(MatchWeights))
        .where(c.adopted_at.is_not(None), c.retired_at.is_(None))
        .values(retired_at=now)
        .returning(c.id)
    )
    return len(session.execute(statement).all())
