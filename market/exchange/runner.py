"""Running an import from beginning to end: the one place of this feature that opens transactions.

Rows are read, mapped and judged with only a read open, so that a long file keeps nobody waiting; what
is good is then written, all of it in one transaction or nothing, or in chunks when good rows are to be
taken beside bad ones. A run that broke off may be executed again: it finds what it did unchanged.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from market.db import Database, t
from market.errors import Conflict, InvalidInput, MarketError
from market.exchange import applying, content, contracts, importing
from market.exchange.contracts import ContractPlan
from market.exchange.fields import Kind
from market.exchange.importing import Plan
from market.exchange.mapping import Mapper, Vocabulary, check, guess
from market.exchange.models import ImportRun, RunState
from market.exchange.problems import Problem
from market.exchange.readers import open_table
from market.exchange.service import stored_options
from market.exchange.vocabulary import with_places
from market.files.store import FileStore
from market.listings.rules import LISTING_DAYS
from market.parties.access import memberships_of
from market.parties.models import Person
from market.permissions import COMMAND_LINE, Actor, Via

Watch = Callable[[str, int, int], None]
"""Is told (`checking` or `writing`, rows done, rows in all)."""


def execute(
    db: Database,
    store: FileStore,
    run_id: int,
    words: Vocabulary,
    now: Callable[[], dt.datetime],
    *,
    days: int = LISTING_DAYS,
    watch: Watch = lambda _phase, _done, _total: None,
    last_try: bool = True,
) -> None:
    """Execute a queued run and record its outcome; a run that is not queued or running is left alone.

    What the file, the mapping or the rules refuse ends as the run's outcome. Anything else is raised;
    with `last_try` the run is marked failed first.
    """
    with db.write() as session:
        run = session.get(ImportRun, run_id)
        if run is None or run.state not in (RunState.QUEUED.value, RunState.RUNNING.value):
            return
        run.state = RunState.RUNNING.value
        kind, file_name, sha256 = Kind(run.kind), run.file_name, run.sha256
        options, dry_run, person_id = stored_options(run.options), run.dry_run, run.person_id
    try:
        with store.open(sha256) as file:
            data = file.read()
        with db.read() as session:
            actor = _actor(session, person_id)
            allowed = importing.reach(actor, kind)
            vocabulary = with_places(session, words, allowed)
            table = open_table(data, file_name)
            mapping = options.mapping
            if not mapping.fields:
                mapping = guess(kind, table.columns, vocabulary)
            check(mapping, kind, table.columns)
            total = sum(1 for _row in table.rows)
            step = max(content.CHUNK, total // 50)
            _save(db, run_id, {"total": total})

            def checked(count: int) -> None:
                # A commit for each piece of a long file would cost others more than it tells anybody.
                if count == total or count // step > (count - content.CHUNK) // step:
                    _save(db, run_id, {"checked": count})
                watch("checking", count, total)

            plan_options = options.plan_options(days)
            mapper = Mapper(kind, mapping, vocabulary)
            plan = (
                contracts.plan(session, actor, now(), mapper, table.rows, plan_options, checked)
                if kind is Kind.CONTRACTS
                else importing.plan(session, now(), mapper, list(table.rows), plan_options, checked)
            )
        if dry_run or plan.refused:
            state = RunState.REFUSED if plan.refused else RunState.DONE
            _save(db, run_id, _outcome(plan, state, now()))
        elif isinstance(plan, contracts.ContractPlan):
            _take_contracts(db, run_id, actor, now, plan, watch)
        else:
            _take(db, run_id, actor, now, plan, watch)
    except MarketError as error:
        _save(db, run_id, _failure(error, now()))
    except Exception:
        if last_try:
            _save(db, run_id, _failure(None, now()))
        raise


def _take(
    db: Database, run_id: int, actor: Actor, now: Callable[[], dt.datetime], plan: Plan, watch: Watch
) -> None:
    total = len(plan.changes)
    if not plan.options.partial:
        with db.write() as session:
            applying.apply(
                session, actor, now(), plan.kind, plan.changes, plan.options,
                lambda count: watch("writing", count, total),
            )  # fmt: skip
            _write(session, run_id, _outcome(plan, RunState.DONE, now()))
        return
    done = 0
    for some in content.chunks(list(plan.changes)):
        try:
            with db.write() as session:
                applying.apply(session, actor, now(), plan.kind, some, plan.options)
        except MarketError as error:
            code = "conflict" if isinstance(error, Conflict) else error.code
            plan.problems += [Problem(change.line, "", code) for change in some]
            lines = {change.line for change in some}
            plan.changes = [change for change in plan.changes if change.line not in lines]
        done += len(some)
        watch("writing", done, total)
    _save(db, run_id, _outcome(plan, RunState.DONE, now()))


def _take_contracts(
    db: Database,
    run_id: int,
    actor: Actor,
    now: Callable[[], dt.datetime],
    plan: ContractPlan,
    watch: Watch,
) -> None:
    total = plan.new.count
    if not plan.options.partial:
        with db.write() as session:
            contracts.apply(
                session, actor, now(), plan.new, plan.options, lambda count: watch("writing", count, total)
            )
            _write(session, run_id, _outcome(plan, RunState.DONE, now()))
        return
    done = 0
    for some in content.chunks(plan.new):
        try:
            with db.write() as session:
                contracts.apply(session, actor, now(), some, plan.options)
        except MarketError as error:
            code = "conflict" if isinstance(error, Conflict) else error.code
            plan.lost |= {line for line, _values in some}
            plan.problems += [Problem(line, "", code) for line, _values in some]
        done += len(some)
        watch("writing", done, total)
    _save(db, run_id, _outcome(plan, RunState.DONE, now()))


def _actor(session: Any, person_id: int | None) -> Actor:
    """Whoever asked for the run, with the rights of this moment; without a person, the command line."""
    if person_id is None:
        return COMMAND_LINE
    person = session.get(Person, person_id)
    memberships = memberships_of(session, person_id) if person.active else ()
    return Actor(person_id, person.name, Via.SESSION, memberships)


def _outcome(plan: Plan, state: RunState, now: dt.datetime) -> dict[str, Any]:
    return {
        "state": state.value,
        "total": plan.total,
        "checked": plan.total,
        "created": plan.created,
        "updated": plan.updated,
        "unchanged": plan.unchanged,
        "bad": len(plan.bad_lines),
        "problems": [problem.document() for problem in plan.problems],
        "finished_at": now,
    }


def _failure(error: MarketError | None, now: dt.datetime) -> dict[str, Any]:
    if isinstance(error, InvalidInput):
        problems = [
            Problem(params.get("line", 0), place, code, params) for place, code, params in error.problems
        ]
    else:
        problems = [Problem(0, "", "internal" if error is None else error.code)]
    return {
        "state": RunState.FAILED.value,
        "created": 0,
        "updated": 0,
        "unchanged": 0,
        "problems": [problem.document() for problem in problems],
        "finished_at": now,
    }


def _save(db: Database, run_id: int, values: dict[str, Any]) -> None:
    with db.write() as session:
        _write(session, run_id, values)


def _write(session: Any, run_id: int, values: dict[str, Any]) -> None:
    session.execute(sa.update(t(ImportRun)).where(t(ImportRun).c.id == run_id).values(**values))
