"""Reads of import runs and saved mappings."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.errors import NotFound
from market.exchange import importing
from market.exchange.fields import Kind
from market.exchange.models import ImportRun, RunState, SavedMapping
from market.exchange.service import may_see
from market.parties.models import Person
from market.permissions import Action, Actor, require


@dataclass(frozen=True)
class RunView:
    """A run as lists and its page show it."""

    id: int
    kind: Kind
    file_name: str
    sha256: str
    size: int
    dry_run: bool
    options: dict[str, Any]
    state: RunState
    total: int
    checked: int
    created: int
    updated: int
    unchanged: int
    bad: int
    problems: list[dict[str, Any]]
    person_id: int | None
    person_name: str
    started_at: dt.datetime
    finished_at: dt.datetime | None

    @property
    def is_going(self) -> bool:
        """Whether it is waiting for its turn or at work."""
        return self.state in (RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True)
class MappingView:
    """A saved mapping."""

    id: int
    name: str
    kind: Kind
    content: dict[str, Any]
    organisation_id: int | None
    updated_at: dt.datetime


def _views(statement: Any, session: Session) -> list[RunView]:
    found = []
    for row in session.execute(statement):
        values = row._asdict()
        values |= {"kind": Kind(row.kind), "state": RunState(row.state), "person_name": row.person_name or ""}
        found.append(RunView(**values))
    return found


def _select(*, with_problems: bool) -> Any:
    c, p = t(ImportRun).c, t(Person).c
    problems = c.problems if with_problems else sa.literal(None).label("problems")
    return sa.select(
        c.id, c.kind, c.file_name, c.sha256, c.size, c.dry_run, c.options, c.state, c.total, c.checked,
        c.created, c.updated, c.unchanged, c.bad, problems, c.person_id, p.name.label("person_name"),
        c.started_at, c.finished_at,
    ).join_from(t(ImportRun), t(Person), c.person_id == p.id, isouter=True)  # fmt: skip


def run(session: Session, actor: Actor, run_id: int) -> RunView:
    """One run with everything it found wrong. Raises NotFound."""
    found = _views(_select(with_problems=True).where(t(ImportRun).c.id == run_id), session)
    if not found or not may_see(actor, found[0].person_id):
        raise NotFound(kind="import_run")
    return found[0]


def runs(session: Session, actor: Actor, *, offset: int = 0, limit: int = 20) -> tuple[list[RunView], int]:
    """The runs that an actor may see, newest first, without their problems; and how many there are."""
    require(actor, Action.IMPORT)
    c = t(ImportRun).c
    mine = sa.true() if may_see(actor, None) else c.person_id == actor.person_id
    total = session.scalar(sa.select(sa.func.count()).select_from(t(ImportRun)).where(mine)) or 0
    statement = _select(with_problems=False).where(mine).order_by(c.id.desc()).offset(offset).limit(limit)
    return _views(statement, session), total


def mappings(session: Session, actor: Actor, kind: Kind) -> list[MappingView]:
    """The saved mappings that an actor may use: the market's and their organisations'."""
    allowed = importing.reach(actor, kind)
    c = t(SavedMapping).c
    statement = sa.select(c.id, c.name, c.kind, c.content, c.organisation_id, c.updated_at).where(
        c.kind == kind.value
    )
    if allowed is not None:
        statement = statement.where(
            sa.or_(c.organisation_id.is_(None), c.organisation_id.in_(sorted(allowed)))
        )
    return [
        MappingView(row.id, row.name, Kind(row.kind), row.content, row.organisation_id, row.updated_at)
        for row in session.execute(statement.order_by(c.name))
    ]


def mapping(session: Session, actor: Actor, kind: Kind, mapping_id: int) -> MappingView:
    """One saved mapping. Raises NotFound."""
    found = next((one for one in mappings(session, actor, kind) if one.id == mapping_id), None)
    if found is None:
        raise NotFound(kind="mapping")
    return found
