"""What people say of a pair of demand and result (判断): the verbs and the reads.

A click beside a proposed partner, a decision in the brokers' queue and what becomes of an enquiry all say how
well a pair fits, on the four levels of the judged data. One row stands for each pair, person and source: the
latest word. `recommend` ranks a listing's partners by them, `training` learns from them.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from market import audit
from market.db import t, upsert
from market.demands.models import Demand
from market.errors import NotAllowed, NotFound, SignInRequired
from market.listings.models import ListingState, Result
from market.permissions import Action, Actor, can
from matching.documents import Key, Kind
from matching.models import Judgment, JudgmentSource

UNRELATED, RELATED = 1, 4
"""What a click says: 不相关, 相关."""
LEAST_RELEVANT = 3
"""From this level on a pair is judged relevant."""


@dataclass(frozen=True, slots=True)
class Word:
    """What stands of a pair: its level, and whether the demand's own side said it."""

    level: int
    by_demand_side: bool

    @property
    def relevant(self) -> bool:
        """Whether the pair fits."""
        return self.level >= LEAST_RELEVANT


def record(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    demand_id: int,
    result_id: int,
    level: int,
    source: JudgmentSource,
    organisation_id: int | None = None,
) -> None:
    """Keep what the actor's person thinks of a pair, in place of what they said before from the same source.

    `organisation_id` is the side spoken for; None for the market's own people. Who may say so is for the verb
    that calls to know. Says nothing for an actor without a person (the system has no opinion).
    """
    if actor.person_id is None:
        return
    upsert(
        session,
        t(Judgment),
        [
            {
                "demand_id": demand_id,
                "result_id": result_id,
                "person_id": actor.person_id,
                "source": source.value,
                "organisation_id": organisation_id,
                "level": level,
                "at": now,
            }
        ],
        key=("demand_id", "result_id", "person_id", "source"),
        update=("organisation_id", "level", "at"),
    )


def click(
    session: Session, actor: Actor, now: dt.datetime, demand_id: int, result_id: int, level: int | None
) -> None:
    """Say 相关 or 不相关 of a proposed pair (`RELATED`, `UNRELATED`), or take one's word back (None).

    Raises NotFound unless both are on offer, SignInRequired and NotAllowed for who is neither of the demand's
    side nor one of the market's people.
    """
    owner = _owner(session, demand_id, result_id)
    side = speaks_for(actor, owner)
    if level is None:
        c = t(Judgment).c
        session.execute(
            sa.delete(t(Judgment)).where(
                c.demand_id == demand_id,
                c.result_id == result_id,
                c.person_id == actor.person_id,
                c.source == JudgmentSource.CLICK.value,
            )
        )
    else:
        record(session, actor, now, demand_id, result_id, level, JudgmentSource.CLICK, side)
    said = {"result_id": result_id, "level": level}
    audit.record(session, actor, "match.judged", demand_id, now, after=said)


def may_judge(actor: Actor, demand_owner_id: int) -> bool:
    """Whether the actor may say what fits a demand: its own side, and the market's brokers and staff."""
    return actor.person_id is not None and (
        can(actor, Action.DEMAND_EDIT, demand_owner_id) or can(actor, Action.ENQUIRY_OVERSEE)
    )


def speaks_for(actor: Actor, demand_owner_id: int) -> int | None:
    """The organisation of the demand if the actor is one of its people, None for one of the market's.

    Raises SignInRequired and NotAllowed for anybody else.
    """
    if not may_judge(actor, demand_owner_id):
        if not actor.is_signed_in:
            raise SignInRequired(action=Action.DEMAND_EDIT.value)
        raise NotAllowed(action=Action.DEMAND_EDIT.value)
    return demand_owner_id if demand_owner_id in actor.organisation_ids else None


def _owner(session: Session, demand_id: int, result_id: int) -> int:
    d, r = t(Demand).c, t(Result).c
    statement = sa.select(d.organisation_id).where(
        d.id == demand_id,
        d.state == ListingState.PUBLISHED.value,
        sa.exists().where(r.id == result_id, r.state == ListingState.PUBLISHED.value),
    )
    owner = session.scalar(statement)
    if owner is None:
        raise NotFound(kind="demand")
    return owner


def words_on(session: Session, key: Key) -> dict[Key, Word]:
    """What stands of each pair of a listing. One statement.

    The demand's own side is heard before the market's people, and within either the latest word counts.
    """
    c = t(Judgment).c
    mine, theirs = (c.demand_id, c.result_id) if key.kind is Kind.DEMAND else (c.result_id, c.demand_id)
    own_side = c.organisation_id.is_not(None)
    statement = (
        sa.select(theirs, c.level, own_side)
        .where(mine == key.id)
        .order_by(sa.case((own_side, 1), else_=0), c.at, c.id)
    )
    rows = session.execute(statement)
    return {Key(key.kind.other, other): Word(level, bool(own)) for other, level, own in rows}


def stamp(session: Session, key: Key) -> tuple[int, dt.datetime | None]:
    """Another value after every word on a listing's pairs. One statement."""
    c = t(Judgment).c
    mine = c.demand_id if key.kind is Kind.DEMAND else c.result_id
    row = session.execute(sa.select(sa.func.count(), sa.func.max(c.at)).where(mine == key.id)).one()
    return row[0], row[1]


def clicked_by(session: Session, actor: Actor, key: Key) -> frozenset[int]:
    """The other sides of a listing's pairs that the actor's person has clicked on. One statement."""
    c = t(Judgment).c
    mine, theirs = (c.demand_id, c.result_id) if key.kind is Kind.DEMAND else (c.result_id, c.demand_id)
    statement = sa.select(theirs).where(
        mine == key.id, c.person_id == actor.person_id, c.source == JudgmentSource.CLICK.value
    )
    return frozenset(session.scalars(statement))


def training_pairs(session: Session, demand_ids: Sequence[int] | None = None) -> list[tuple[int, int, int]]:
    """Demand, result and level of every pair that somebody has judged, as `words_on` would settle it."""
    c = t(Judgment).c
    own_side = sa.case((c.organisation_id.is_not(None), 1), else_=0)
    statement = sa.select(c.demand_id, c.result_id, c.level).order_by(own_side, c.at, c.id)
    if demand_ids is not None:
        statement = statement.where(c.demand_id.in_(demand_ids))
    settled = {(demand, result): level for demand, result, level in session.execute(statement)}
    return [(demand, result, level) for (demand, result), level in sorted(settled.items())]
