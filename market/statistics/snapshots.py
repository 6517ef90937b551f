"""Reads of published figures and of what a revision changed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.errors import NotFound
from market.statistics import rules
from market.statistics.models import Caliber, Snapshot


@dataclass(frozen=True)
class SnapshotRow:
    """A published figure; `content` is everything it was computed from."""

    id: int
    caliber_code: str
    year: int
    quarter: int
    numerator_fen: int
    denominator_fen: int
    contract_count: int
    sha256: str
    published_at: dt.datetime
    supersedes_id: int | None

    @property
    def percent(self) -> Decimal:
        """The share in percent with four decimals."""
        return rules.percent(rules.share(self.numerator_fen, self.denominator_fen))


def _snapshots() -> sa.Select[Any]:
    s, c = t(Snapshot).c, t(Caliber).c
    return sa.select(
        s.id, c.code, s.year, s.quarter, s.numerator_fen, s.denominator_fen, s.contract_count, s.sha256,
        s.published_at, s.supersedes_id,
    ).select_from(t(Snapshot).join(t(Caliber), s.caliber_id == c.id))  # fmt: skip


def snapshots(session: Session, *, limit: int = 20, offset: int = 0) -> tuple[list[SnapshotRow], int]:
    """Published figures, newest first, and how many there are."""
    s = t(Snapshot).c
    rows = session.execute(
        _snapshots().order_by(s.published_at.desc(), s.id.desc()).limit(limit).offset(offset)
    )
    total = session.scalar(sa.select(sa.func.count()).select_from(t(Snapshot))) or 0
    return [SnapshotRow(*row) for row in rows], total


def snapshot(session: Session, snapshot_id: int) -> tuple[SnapshotRow, dict[str, Any]]:
    """A published figure with its content. Raises NotFound."""
    s = t(Snapshot).c
    row = session.execute(_snapshots().add_columns(s.content).where(s.id == snapshot_id)).first()
    if row is None:
        raise NotFound
    *values, content = row
    return SnapshotRow(*values), content


@dataclass(frozen=True)
class Change:
    """A contract that two snapshots count differently; None where one does not count it."""

    contract_id: int
    local_number: str
    before_fen: int | None
    after_fen: int | None


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """What a revision changed: contracts added, gone, or counted with another amount."""
    old = {item["id"]: item for item in before.get("contracts", [])}
    new = {item["id"]: item for item in after.get("contracts", [])}
    found = []
    for key in sorted({**old, **new}):
        was, now = old.get(key), new.get(key)
        if was and now and was["fen"] == now["fen"]:
            continue
        number = (now or was or {})["local_number"]
        found.append(Change(key, number, was["fen"] if was else None, now["fen"] if now else None))
    return found
