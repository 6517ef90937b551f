"""Documents of a lot (标的资料), and when each person last looked at them.

The seller and the market's staff add documents until the lot has ended; everybody may open the public ones,
admitted bidders also what is for them. What came after a person's last look carries a mark, so that nobody
bids on papers that have changed unnoticed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from auctions.models import Admission, AdmissionState, Lot
from auctions.rules.state import ENDED, LotState
from market import columns
from market.db import Id, Session, t, upsert
from market.errors import InvalidInput, NotFound, SignInRequired, WrongState
from market.files import queries as files
from market.files import rules as file_rules
from market.files import service as file_service
from market.files.models import Attachment, Visibility
from market.files.queries import FileView
from market.files.store import FileStore
from market.parties.models import Person
from market.permissions import Action, Actor, require

_ = Person  # the table that a foreign key below names

KIND = "lot"
"""The owner kind of a lot's attachments."""
VISIBILITIES = (Visibility.PUBLIC, Visibility.PARTIES)
"""Who may open a lot's documents: everybody, or (parties) its admitted bidders."""


class LotLook(SQLModel, table=True):
    """When a person last looked at a lot's documents and announcements."""

    __tablename__ = "lot_look"
    lot_id: int = Field(
        sa_column=sa.Column(Id, sa.ForeignKey("lot.id", ondelete="CASCADE"), primary_key=True)
    )
    person_id: int = Field(
        sa_column=sa.Column(Id, sa.ForeignKey("person.id", ondelete="CASCADE"), primary_key=True, index=True)
    )
    looked_at: dt.datetime = columns.instant()


LOOK, ADMISSION = t(LotLook), t(Admission)


def attach(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    store: FileStore,
    lot_id: int,
    *,
    name: str,
    content: bytes,
    visibility: Visibility = Visibility.PUBLIC,
    limit: int = file_rules.MAX_BYTES,
) -> Attachment:
    """Add a document to a lot. Raises NotFound, NotAllowed, WrongState for an ended lot, InvalidInput for
    a visibility that lots do not have, and what `files.service.attach` raises."""
    lot = _lot_to_change(session, actor, lot_id)
    if visibility not in VISIBILITIES:
        raise InvalidInput([("visibility", "unknown_choice", {"choices": ", ".join(VISIBILITIES)})])
    return file_service.attach(
        session, actor, now, store,
        owner_kind=KIND, owner_id=lot_id, organisation_id=lot.seller_organisation_id,
        name=name, content=content, visibility=visibility, limit=limit,
    )  # fmt: skip


def remove(session: Session, actor: Actor, now: dt.datetime, file: FileView) -> None:
    """Take a document away. Raises as `attach` does."""
    if file.owner_kind != KIND:
        raise NotFound(kind="attachment")
    _lot_to_change(session, actor, file.owner_id)
    file_service.remove(session, actor, now, file.id)


def _lot_to_change(session: Session, actor: Actor, lot_id: int) -> Lot:
    lot = session.get(Lot, lot_id)
    if lot is None:
        raise NotFound(subject="lot")
    if lot.state == LotState.DRAFT and not actor.can(Action.LOT_CREATE, lot.seller_organisation_id):
        raise NotFound(subject="lot")
    require(actor, Action.LOT_CREATE, lot.seller_organisation_id)
    if LotState(lot.state) in ENDED:
        raise WrongState(state=lot.state, action="change_documents")
    return lot


def openable(actor: Actor, seller_organisation_id: int, *, admitted: bool) -> Collection[Visibility]:
    """What somebody may open of a lot that they may know of."""
    keeper = actor.can(Action.LOT_CREATE, seller_organisation_id)
    return VISIBILITIES if keeper or admitted else (Visibility.PUBLIC,)


def may_open(session: Session, actor: Actor, file: FileView) -> bool:
    """Whether the actor may open a lot's document. At most two statements."""
    c = t(Lot).c
    row = session.execute(
        sa.select(c.state, c.seller_organisation_id).where(c.id == file.owner_id)
    ).one_or_none()
    if row is None:
        return False
    if actor.can(Action.LOT_CREATE, row.seller_organisation_id):
        return True
    if row.state == LotState.DRAFT:
        return False
    admitted = file.visibility is Visibility.PARTIES and is_admitted(session, file.owner_id, actor)
    return file.visibility in openable(actor, row.seller_organisation_id, admitted=admitted)


def is_admitted(session: Session, lot_id: int, actor: Actor) -> bool:
    """Whether somebody is admitted to bid for a lot. One statement, none for a visitor."""
    if actor.person_id is None:
        return False
    c = ADMISSION.c
    statement = sa.select(c.id).where(
        c.lot_id == lot_id, c.person_id == actor.person_id, c.state == AdmissionState.ADMITTED.value
    )
    return session.execute(statement.limit(1)).first() is not None


def papers(
    session: Session, actor: Actor, lot_id: int, seller_organisation_id: int, *, admitted: bool
) -> list[FileView]:
    """The documents that somebody may open. One statement."""
    return files.of(session, KIND, lot_id, openable(actor, seller_organisation_id, admitted=admitted))


def look(session: Session, actor: Actor, lot_id: int, now: dt.datetime) -> None:
    """Record that a person has looked at a lot's documents and announcements as they are now.

    Raises SignInRequired, NotFound."""
    if actor.person_id is None:
        raise SignInRequired
    lot = session.get(Lot, lot_id)
    if lot is None or lot.state == LotState.DRAFT:
        raise NotFound(subject="lot")
    row = {"lot_id": lot_id, "person_id": actor.person_id, "looked_at": now}
    upsert(session, LOOK, [row], key=["lot_id", "person_id"], update=["looked_at"])


def last_look(session: Session, lot_id: int, person_id: int) -> dt.datetime | None:
    """When a person last looked; None for never. One statement."""
    c = LOOK.c
    statement = sa.select(c.looked_at).where(c.lot_id == lot_id, c.person_id == person_id)
    at: dt.datetime | None = session.execute(statement).scalar_one_or_none()
    return at
