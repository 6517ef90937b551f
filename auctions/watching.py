"""Who asked to be reminded of a lot, besides its bidders."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from auctions.models import Lot
from auctions.rules.state import ENDED, LotState
from market import columns
from market.db import Id, Session, t, upsert
from market.errors import NotFound, SignInRequired, WrongState
from market.parties.models import Person
from market.permissions import Actor

_ = Person  # the table that a foreign key below names


class LotWatch(SQLModel, table=True):
    """A person's wish to be reminded of a lot."""

    __tablename__ = "lot_watch"
    lot_id: int = Field(
        sa_column=sa.Column(Id, sa.ForeignKey("lot.id", ondelete="CASCADE"), primary_key=True)
    )
    person_id: int = Field(
        sa_column=sa.Column(Id, sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True, index=True)
    )
    created_at: dt.datetime = columns.instant()


WATCH = t(LotWatch)


def watch(session: Session, actor: Actor, lot_id: int, now: dt.datetime) -> None:
    """Ask to be reminded; asking twice is asking once. Raises SignInRequired, NotFound, WrongState."""
    if actor.person_id is None:
        raise SignInRequired
    lot = session.get(Lot, lot_id)
    if lot is None or lot.state == LotState.DRAFT:
        raise NotFound(subject="lot")
    if LotState(lot.state) in ENDED:
        raise WrongState(state=lot.state, action="watch_lot")
    row = {"lot_id": lot_id, "person_id": actor.person_id, "created_at": now}
    upsert(session, WATCH, [row], key=["lot_id", "person_id"])


def unwatch(session: Session, actor: Actor, lot_id: int) -> None:
    """Ask no more. Raises SignInRequired."""
    if actor.person_id is None:
        raise SignInRequired
    c = WATCH.c
    session.execute(sa.delete(WATCH).where(c.lot_id == lot_id, c.person_id == actor.person_id))
