"""Files of results and demands: who may attach, remove and open them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from market.db import Session
from market.errors import NotFound
from market.files import queries, rules, service
from market.files.models import Attachment, Visibility
from market.files.queries import FileView
from market.files.store import FileStore
from market.listings import lifecycle
from market.listings.lifecycle import Trade
from market.listings.queries import listing_contact_visible, standing
from market.listings.rules import Step, after
from market.permissions import Actor


def attach(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    store: FileStore,
    trade: Trade,
    model: type[Any],
    row_id: int,
    *,
    name: str,
    content: bytes,
    visibility: Visibility = Visibility.PUBLIC,
    limit: int = rules.MAX_BYTES,
) -> Attachment:
    """Attach a file to a listing that the actor may edit. Raises what `row_to_change` and
    `files.service.attach` raise, and WrongState for a concluded listing."""
    row = lifecycle.row_to_change(session, actor, trade, model, row_id)
    after(row.state, Step.EDIT)
    return service.attach(
        session, actor, now, store,
        owner_kind=trade.kind, owner_id=row_id, organisation_id=row.organisation_id,
        name=name, content=content, visibility=visibility, limit=limit,
    )  # fmt: skip


def remove(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    trade: Trade,
    model: type[Any],
    file: FileView,
) -> None:
    """Remove a file of a listing that the actor may edit."""
    if file.owner_kind != trade.kind:
        raise NotFound(kind="attachment")
    row = lifecycle.row_to_change(session, actor, trade, model, file.owner_id)
    after(row.state, Step.EDIT)
    service.remove(session, actor, now, file.id)


def may_open(session: Session, actor: Actor, trade: Trade, model: type[Any], file: FileView) -> bool:
    """Whether the actor may open a listing's file. At most two statements."""
    try:
        row = standing(session, actor, trade, model, file.owner_id)
    except NotFound:
        return False
    party = listing_contact_visible(session, actor, trade.kind, row.id, row.organisation_id)
    return file.visibility in queries.openable(actor, row.organisation_id, party=party)
