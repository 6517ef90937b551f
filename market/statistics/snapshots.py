"""Reads of published figures, and of what a revision changed: contract by contract, each with its cause."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.deals.models import ContractEvent, Movement
from market.deals.movements import Cause
from market.errors import NotFound
from market.statistics import rules, service
from market.statistics.models import Caliber, Snapshot, SnapshotLine


@dataclass(frozen=True)
class SnapshotRow:
    """A published figure without its contracts."""

    id: int
    caliber_code: str
    caliber_version: int
    year: int
    quarter: int
    numerator_fen: int
    denominator_fen: int
    contract_count: int
    sha256: str
    published_at: dt.datetime
    supersedes_id: int | None
    known_at: dt.datetime | None
    signature: str
    key_id: str
    reason: str
    caliber_name_en: str
    """The caliber's English words are beside what was frozen: its version is never edited."""
    caliber_note_en: str

    @property
    def percent(self) -> Decimal:
        """The share in percent with four decimals."""
        return rules.percent(rules.share(self.numerator_fen, self.denominator_fen))


def _snapshots() -> sa.Select[Any]:
    s, c = t(Snapshot).c, t(Caliber).c
    return sa.select(
        s.id, c.code, c.version, s.year, s.quarter, s.numerator_fen, s.denominator_fen, s.contract_count, s.sha256,
        s.published_at, s.supersedes_id, s.known_at, s.signature, s.key_id, s.reason,
        c.name_en, c.note_en,
    ).select_from(t(Snapshot).join(t(Caliber), s.caliber_id == c.id))  # fmt: skip


def snapshots(session: Session, *, limit: int = 20, offset: int = 0) -> tuple[list[SnapshotRow], int]:
    """Published figures, newest first, and how many there are."""
    s = t(Snapshot).c
    rows = session.execute(
        _snapshots().order_by(s.published_at.desc(), s.id.desc()).limit(limit).offset(offset)
    )
    total = session.scalar(sa.select(sa.func.count()).select_from(t(Snapshot))) or 0
    return [SnapshotRow(*row) for row in rows], total


def head(session: Session, snapshot_id: int) -> tuple[SnapshotRow, dict[str, Any]]:
    """A published figure and what was frozen with it, without its contracts. Raises NotFound."""
    s = t(Snapshot).c
    row = session.execute(_snapshots().add_columns(s.content).where(s.id == snapshot_id)).first()
    if row is None:
        raise NotFound(subject="snapshot")
    *values, content = row
    return SnapshotRow(*values), content


_l = t(SnapshotLine).c
_LINE = (_l.contract_id, _l.local_number, _l.registered_on, _l.fen)


def _line(item: dict[str, Any]) -> dict[str, Any]:
    """A line of what format 1 kept in the content."""
    return {
        "contract_id": item["id"],
        "local_number": item["local_number"],
        "registered_on": dt.date.fromisoformat(item["registered_on"]),
        "fen": item["fen"],
    }


def lines(
    session: Session, snapshot_id: int, content: dict[str, Any], *, limit: int | None = None, offset: int = 0
) -> list[dict[str, Any]]:
    """The contracts that a published figure counts, by day of registration: `contract_id`, `local_number`,
    `registered_on`, `fen`."""
    if "contracts" in content:
        end = None if limit is None else offset + limit
        return [_line(item) for item in content["contracts"][offset:end]]
    found = sa.select(*_LINE).where(_l.snapshot_id == snapshot_id).order_by(_l.registered_on, _l.contract_id)
    return [dict(row) for row in session.execute(found.limit(limit).offset(offset)).mappings()]


def line_count(session: Session, snapshot_id: int, content: dict[str, Any]) -> int:
    """How many contracts `lines` tells of: more than are counted where changes count by their own day."""
    if "contracts" in content:
        return len(content["contracts"])
    return session.scalar(sa.select(sa.func.count()).where(_l.snapshot_id == snapshot_id)) or 0


def snapshot(session: Session, snapshot_id: int) -> tuple[SnapshotRow, dict[str, Any]]:
    """A published figure with everything that its fingerprint covers. Raises NotFound."""
    row, content = head(session, snapshot_id)
    if "contracts" in content:
        return row, content
    return row, service.whole(content, lines(session, snapshot_id, content))


@dataclass(frozen=True)
class Step:
    """What happened to a contract in the register between two published figures."""

    cause: Cause
    at: dt.datetime
    """The register's time."""
    reason: str
    """As given with the step; empty where none was."""


@dataclass(frozen=True)
class Change:
    """A contract that two published figures count differently; None where one does not count it."""

    contract_id: int
    local_number: str
    before_fen: int | None
    after_fen: int | None
    steps: tuple[Step, ...] = ()


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """What a revision changed, by contract: added, gone, or counted with another amount."""
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


def revised(session: Session, before: SnapshotRow, after: SnapshotRow) -> list[Change]:
    """What a revision changed, without causes. Lines that are the same are left in the database."""
    first, last = (head(session, one.id)[1] for one in (before, after))
    if "contracts" in first or "contracts" in last:
        return changes(snapshot(session, before.id)[1], snapshot(session, after.id)[1])
    a, b = sa.alias(t(SnapshotLine)), sa.alias(t(SnapshotLine))

    def missing_or_other(one: Any, other: Any, one_id: int, other_id: int) -> sa.Select[Any]:
        joined = one.outerjoin(
            other, sa.and_(other.c.snapshot_id == other_id, other.c.contract_id == one.c.contract_id)
        )
        return (
            sa.select(one.c.contract_id, one.c.local_number, one.c.fen, other.c.fen)
            .select_from(joined)
            .where(one.c.snapshot_id == one_id, other.c.fen.is_distinct_from(one.c.fen))
        )

    found = {
        row[0]: Change(row[0], row[1], row[3], row[2])
        for row in session.execute(missing_or_other(b, a, after.id, before.id))
    }
    for contract_id, number, was, now in session.execute(missing_or_other(a, b, before.id, after.id)):
        found.setdefault(contract_id, Change(contract_id, number, was, now))
    return [found[key] for key in sorted(found)]


def explained(
    session: Session, before: SnapshotRow, after: SnapshotRow, found: Sequence[Change]
) -> list[Change]:
    """The same changes (a page of them) with the steps of the register that lie between the two figures."""
    if before.known_at is None or after.known_at is None:
        return list(found)
    ids = [one.contract_id for one in found]
    m, e = t(Movement).c, t(ContractEvent).c
    moved = session.execute(
        sa.select(m.contract_id, m.step, m.recorded_at)
        .where(m.contract_id.in_(ids), m.recorded_at > before.known_at, m.recorded_at <= after.known_at)
        .distinct()
        .order_by(m.recorded_at)
    ).all()
    events = session.execute(
        sa.select(e.contract_id, e.step, e.at, e.reason).where(e.contract_id.in_(ids)).order_by(e.at, e.id)
    ).all()
    steps: dict[int, list[Step]] = {}
    for contract_id, step, at in moved:
        # A step's event is told by the time of the request, its movements by the register's, never earlier.
        reasons = [one.reason for one in events if one[:2] == (contract_id, step) and one.at <= at]
        known = steps.setdefault(contract_id, [])
        if not known or (known[-1].cause, known[-1].reason) != (Cause(step), (reasons or [""])[-1]):
            known.append(Step(Cause(step), at, (reasons or [""])[-1]))
    return [replace(one, steps=tuple(steps.get(one.contract_id, ()))) for one in found]
