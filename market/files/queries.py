"""Reads of attachments; each is one statement."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.errors import NotFound
from market.files import rules
from market.files.models import Attachment, Visibility
from market.permissions import Action, Actor, can


@dataclass(frozen=True)
class FileView:
    """An attachment as lists show it."""

    id: int
    owner_kind: str
    owner_id: int
    organisation_id: int
    name: str
    media_type: str
    size: int
    sha256: str
    visibility: Visibility
    created_at: dt.datetime

    @property
    def href(self) -> str:
        """Where it is opened."""
        return f"/attachments/{self.id}"


def _select() -> sa.Select[Any]:
    c = t(Attachment).c
    return sa.select(
        c.id, c.owner_kind, c.owner_id, c.organisation_id, c.name, c.media_type, c.size, c.sha256,
        c.visibility, c.created_at,
    ).where(c.removed_at.is_(None))  # fmt: skip


def _view(row: sa.RowMapping) -> FileView:
    return FileView(**{**row, "visibility": Visibility(row["visibility"])})


def of(
    session: Session, owner_kind: str, owner_id: int, visibilities: Collection[Visibility]
) -> list[FileView]:
    """A thing's attachments of some visibilities, in the order of upload."""
    c = t(Attachment).c
    rows = session.execute(
        _select()
        .where(
            c.owner_kind == owner_kind,
            c.owner_id == owner_id,
            c.visibility.in_([visibility.value for visibility in visibilities]),
        )
        .order_by(c.id)
    )
    return [_view(row) for row in rows.mappings()]


def one(session: Session, attachment_id: int) -> FileView:
    """An attachment that is not removed. Raises NotFound. Who may open it is the caller's question."""
    row = session.execute(_select().where(t(Attachment).c.id == attachment_id)).mappings().first()
    if row is None:
        raise NotFound(kind="attachment")
    return _view(row)


def openable(actor: Actor, organisation_id: int, *, party: bool) -> frozenset[Visibility]:
    """What the actor may open of a thing of an organisation; `party`: on either side of an enquiry."""
    keeper = can(actor, Action.ATTACHMENT_READ_PRIVATE, organisation_id)
    return rules.openable(keeper=keeper, party=party)
