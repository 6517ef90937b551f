"""Verbs on import runs and saved mappings. Running one is `runner.execute`.

An uploaded file becomes a run; the run is told how to read the file and queued as work; its page shows
how far it is. Who may import at all is decided by `importing.reach`.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import Field

from market import audit
from market.db import Session, for_update, t
from market.errors import Duplicate, InvalidInput, NotFound, WrongState
from market.exchange import importing
from market.exchange.fields import Kind
from market.exchange.mapping import ColumnMapping, check, unmet
from market.exchange.models import ImportRun, RunState, SavedMapping
from market.inputs import Input, Line
from market.permissions import Action, Actor, Via
from market.work import enqueue

WORK_KIND = "import.run"


class RunOptions(Input):
    """How a run is to be done, as it is stored with it."""

    mapping: ColumnMapping = Field(default_factory=ColumnMapping)
    source: Annotated[Line, Field(max_length=64)] = Field(
        "", description="What the source is called; with the row's id it is the key. Default `import`."
    )
    publish: bool = Field(False, description="Show listings, or count organisations as verified, at once.")
    partial: bool = Field(False, description="Take the good rows although others are bad.")

    def plan_options(self, days: int) -> importing.Options:
        """As planning takes them."""
        source = self.source or self.mapping.source or importing.DEFAULT_SOURCE
        return importing.Options(source, self.publish, self.partial, days)


def create_run(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    kind: Kind,
    file_name: str,
    sha256: str,
    size: int,
    *,
    like: int | None = None,
) -> int:
    """Record an uploaded file as a run that waits for its mapping. Raises NotAllowed.

    `like` is an earlier run, whose mapping and options it begins with: the same table, mended. Raises
    NotFound for one that is not the actor's to see.
    """
    importing.reach(actor, kind)
    options: dict[str, Any] = {}
    if like is not None:
        earlier = _own_run(session, actor, like)
        if earlier.kind == kind.value:
            options = {name: one for name, one in earlier.options.items() if name != "attempt"}
    run = ImportRun(
        kind=kind.value,
        file_name=_short_name(file_name),
        sha256=sha256,
        size=size,
        dry_run=True,
        state=RunState.UPLOADED.value,
        options=options,
        person_id=actor.person_id,
        started_at=now,
    )
    session.add(run)
    session.flush()
    assert run.id is not None
    audit.record(
        session, actor, "import_run.uploaded", run.id, now, after={"kind": kind, "file": run.file_name}
    )
    return run.id


def _short_name(name: str) -> str:
    plain = "".join(c for c in name if c.isprintable()).replace("\\", "/").rpartition("/")[2]
    return plain[-255:] or "file"


def queue_run(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    run_id: int,
    options: RunOptions,
    *,
    dry_run: bool,
    columns: tuple[str, ...] | None = None,
    as_work: bool = True,
) -> None:
    """Say how a run is to be done and leave it as work (or only mark it, when the caller runs it itself).

    Raises NotFound, WrongState while it is queued or running or when it was done for good, BadMapping,
    InvalidInput for fields of contracts that every row needs and that nothing fills (`column.<field>`).
    """
    run = _own_run(session, actor, run_id)
    kind = Kind(run.kind)
    importing.reach(actor, kind)
    check(options.mapping, kind, columns)
    # A contract is only ever made new; other rows may change what is here and leave the rest as it is.
    # With neither fields nor columns the columns are matched by their names when it runs.
    if kind is Kind.CONTRACTS and (options.mapping.fields or columns is not None):
        lacking = unmet(options.mapping, kind)
        if lacking:
            raise InvalidInput([(f"column.{name}", "no_column", {}) for name in lacking])
    state = RunState(run.state)
    if state in (RunState.QUEUED, RunState.RUNNING) or (state is RunState.DONE and not run.dry_run):
        raise WrongState(state=state.value, action="import")
    attempt = int(run.options.get("attempt", 0)) + 1
    run.options = options.model_dump(mode="json", exclude_defaults=True) | {"attempt": attempt}
    run.dry_run = dry_run
    run.state = RunState.QUEUED.value
    run.checked = run.total = run.created = run.updated = run.unchanged = run.bad = 0
    run.problems = []
    run.finished_at = None
    session.flush()
    audit.record(
        session, actor, "import_run.checked" if dry_run else "import_run.run", run_id, now, after=run.options
    )
    if as_work:
        enqueue(
            session, WORK_KIND, {"run_id": run_id, "kind": kind.value}, key=f"{run_id}:{attempt}", now=now
        )


def stored_options(options: dict[str, Any]) -> RunOptions:
    """The options that a run was queued with."""
    return RunOptions.model_validate({name: one for name, one in options.items() if name != "attempt"})


def may_see(actor: Actor, person_id: int | None) -> bool:
    """Whether an actor may see a run: their own, or all with a right that reaches all."""
    if actor.via in (Via.SYSTEM, Via.COMMAND) or (person_id is not None and person_id == actor.person_id):
        return True
    return actor.can(Action.IMPORT) and actor.organisations_for(Action.IMPORT) is None


def _own_run(session: Session, actor: Actor, run_id: int) -> ImportRun:
    statement = sa.select(ImportRun).where(t(ImportRun).c.id == run_id)
    run: ImportRun | None = session.scalars(for_update(statement, session)).one_or_none()
    if run is None or not may_see(actor, run.person_id):
        raise NotFound(kind="import_run")
    return run


def save_mapping(
    session: Session, actor: Actor, now: dt.datetime, kind: Kind, name: str, mapping: ColumnMapping
) -> int:
    """Keep a mapping under a name: the market's own by those whose right reaches all, else the
    organisation's. Saving under the same name replaces it; raises Duplicate when it is another's."""
    allowed = importing.reach(actor, kind)
    check(mapping, kind)
    owner = None if allowed is None else min(allowed)
    c = t(SavedMapping).c
    statement = sa.select(SavedMapping).where(c.name == name, c.kind == kind.value)
    row = session.scalars(for_update(statement, session)).one_or_none()
    if row is None:
        row = SavedMapping(name=name, kind=kind.value, organisation_id=owner, created_at=now, updated_at=now)
        session.add(row)
    elif allowed is not None and row.organisation_id not in allowed:
        raise Duplicate(field="mapping_name", value=name)
    before = dict(row.content)
    row.content = mapping.document()
    row.updated_at = now
    session.flush()
    assert row.id is not None
    audit.record(session, actor, "mapping.saved", row.id, now, before=before, after=row.content)
    return row.id


def delete_mapping(session: Session, actor: Actor, now: dt.datetime, mapping_id: int) -> None:
    """Forget a saved mapping. Raises NotFound for one that is not the actor's to forget."""
    row = session.get(SavedMapping, mapping_id)
    if row is None:
        raise NotFound(kind="mapping")
    allowed = importing.reach(actor, Kind(row.kind))
    if allowed is not None and row.organisation_id not in allowed:
        raise NotFound(kind="mapping")
    audit.record(session, actor, "mapping.deleted", mapping_id, now, before={"name": row.name})
    session.delete(row)
    session.flush()
