"""Verbs on attachments. Whether the actor may change the thing a file belongs to is decided by the
thing's own feature before these are called."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from market import audit
from market.db import Session, for_update, t
from market.errors import NotFound
from market.files import rules
from market.files.models import Attachment, Visibility
from market.files.store import FileStore
from market.permissions import Actor


def attach(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    store: FileStore,
    *,
    owner_kind: str,
    owner_id: int,
    organisation_id: int,
    name: str,
    content: bytes,
    visibility: Visibility = Visibility.PUBLIC,
    limit: int = rules.MAX_BYTES,
) -> Attachment:
    """Keep a file with a thing. The bytes are stored first; a rollback leaves them unreferenced, which
    harms nobody. Equal bytes attached twice to one thing are one attachment.

    Raises FileEmpty, FileTooLarge, FileTypeRefused and its kinds, TooManyFiles.
    """
    name = rules.clean_name(name)
    media_type = rules.check(name, content, limit)
    c = t(Attachment).c
    here = [c.owner_kind == owner_kind, c.owner_id == owner_id, c.removed_at.is_(None)]
    number = session.scalar(sa.select(sa.func.count()).where(*here)) or 0
    if number >= rules.MAX_FILES:
        raise rules.TooManyFiles(field="file", limit=rules.MAX_FILES)
    sha256 = store.put(content)
    same = session.scalars(
        sa.select(Attachment).where(*here, c.sha256 == sha256, c.visibility == visibility.value).limit(1)
    ).first()
    if same is not None:
        return same
    row = Attachment(
        owner_kind=owner_kind,
        owner_id=owner_id,
        organisation_id=organisation_id,
        name=name,
        media_type=media_type,
        size=len(content),
        sha256=sha256,
        visibility=visibility.value,
        uploaded_by=actor.person_id,
        created_at=now,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    audit.record(
        session, actor, f"{owner_kind}.file_attached", owner_id, now,
        after={"attachment_id": row.id, "name": name, "sha256": sha256, "visibility": visibility},
    )  # fmt: skip
    session.flush()
    return row


def remove(session: Session, actor: Actor, now: dt.datetime, attachment_id: int) -> None:
    """Take a file away; its row and its bytes stay for the record. Raises NotFound."""
    statement = sa.select(Attachment).where(
        t(Attachment).c.id == attachment_id, t(Attachment).c.removed_at.is_(None)
    )
    row = session.scalars(for_update(statement, session)).one_or_none()
    if row is None:
        raise NotFound(kind="attachment")
    row.removed_at = now
    audit.record(
        session, actor, f"{row.owner_kind}.file_removed", row.owner_id, now,
        before={"attachment_id": attachment_id, "name": row.name, "sha256": row.sha256},
    )  # fmt: skip
    session.flush()
