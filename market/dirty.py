"""The dirty set: which rows the search index no longer shows as they are.

A change upserts (kind, id) with a fresh random token in its own transaction. The indexer reads
some marks, indexes each row as it is *now*, and clears a mark only if its token is unchanged, so an
edit that lands in between is indexed again. Nothing is lost by a crash on either side.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market.db import Id, Session, t, upsert


class DirtyMark(SQLModel, table=True):
    """One row that the index must look at again."""

    __tablename__ = "dirty_mark"
    kind: str = Field(primary_key=True, max_length=32)
    row_id: int = Field(sa_column=sa.Column(Id, primary_key=True, autoincrement=False))
    token: str = Field(max_length=32)


@dataclass(frozen=True)
class Mark:
    """A mark as the indexer read it."""

    kind: str
    row_id: int
    token: str


def mark_dirty(session: Session, kind: str, *row_ids: int) -> None:
    """Mark rows of a kind (`result`, `demand`, …) as changed, in the caller's transaction."""
    rows = [{"kind": kind, "row_id": row_id, "token": secrets.token_hex(16)} for row_id in row_ids]
    upsert(session, t(DirtyMark), rows, key=["kind", "row_id"], update=["token"])


def read_marks(session: Session, limit: int = 500) -> list[Mark]:
    """Some of the marks, in a stable order."""
    c = t(DirtyMark).c
    rows = session.execute(sa.select(c.kind, c.row_id, c.token).order_by(c.kind, c.row_id).limit(limit))
    return [Mark(*row) for row in rows]


def clear_marks(session: Session, marks: list[Mark]) -> None:
    """Clear those marks whose token is still the one that was read."""
    c = t(DirtyMark).c
    for mark in marks:
        session.execute(
            sa.delete(t(DirtyMark)).where(c.kind == mark.kind, c.row_id == mark.row_id, c.token == mark.token)
        )
