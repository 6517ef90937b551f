"""Writing what a plan says. New rows go in bulk, changed ones through the verbs that pages use.

Everything happens in the caller's transaction. Each new row gets what the verbs give it: first state,
audit record, dirty mark when it is shown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from market import audit
from market.db import Session, t
from market.demands import service as demands
from market.demands.models import DemandTarget
from market.dirty import mark_dirty
from market.errors import Conflict, NotFound
from market.exchange import content
from market.exchange.fields import Kind
from market.exchange.importing import Change, Options, Progress
from market.listings import rules
from market.listings import service as results
from market.listings.models import ListingState, ResultClaim, ResultIp
from market.parties.models import Organisation, OrganisationState
from market.permissions import Action, Actor, require


def apply(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    kind: Kind,
    changes: Sequence[Change],
    options: Options,
    progress: Progress = lambda _count: None,
) -> None:
    """Do what the changes of a plan ask for.

    Raises Conflict when somebody changed a row, or took its key, since the plan was made: plan again.
    """
    if kind is Kind.ORGANISATIONS and options.publish:
        require(actor, Action.ORGANISATION_VERIFY)
    done = 0
    for some in content.chunks(changes):
        new = [change for change in some if change.row_id is None]
        try:
            if new:
                _CREATE[kind](session, actor, now, new, options)
            for change in some:
                if change.row_id is not None:
                    _UPDATE[kind](session, actor, now, change, options)
            session.flush()
        except IntegrityError as error:
            raise Conflict(field="file") from error
        session.expunge_all()
        done += len(some)
        progress(done)


def _insert(session: Session, table: sa.Table, rows: list[dict[str, Any]]) -> list[int]:
    statement = sa.insert(table).returning(table.c.id, sort_by_parameter_order=True)
    return list(session.scalars(statement, rows))


def _listing(
    actor: Actor, now: dt.datetime, change: Change, options: Options, names: Sequence[str]
) -> dict[str, Any]:
    """The columns that results and demands share, beside what the input model says."""
    plain = change.data.model_dump(mode="json", include=set(names))
    shown = change.publish
    state = ListingState.PUBLISHED if shown else ListingState.DRAFT
    return plain | {
        "organisation_id": change.organisation_id,
        "source": change.source,
        "source_id": change.source_id,
        "state": state.value,
        "state_reason": "",
        "published_at": now if shown else None,
        "confirmed_at": now if shown else None,
        "valid_until": rules.last_day(now, options.days) if shown else None,
        "version": 1,
        "created_by": actor.person_id,
        "created_at": now,
        "updated_at": now,
    }


def _told(
    session: Session, actor: Actor, now: dt.datetime, kind: str, ids: Sequence[int], changes: list[Change]
) -> None:
    for row_id, change in zip(ids, changes, strict=True):
        said = change.data.model_dump(mode="json", exclude_defaults=True)
        said |= {"source": change.source, "source_id": change.source_id}
        audit.record(session, actor, f"{kind}.imported", row_id, now, after=said)
    shown = [row_id for row_id, change in zip(ids, changes, strict=True) if change.publish]
    if shown:
        mark_dirty(session, kind, *shown)


def _create_results(
    session: Session, actor: Actor, now: dt.datetime, changes: list[Change], options: Options
) -> None:
    table = content.TABLES[Kind.RESULTS]
    rows = [_listing(actor, now, change, options, results.CONTENT) for change in changes]
    ids = _insert(session, table, rows)
    claims, rights = [], []
    for row_id, change in zip(ids, changes, strict=True):
        for claim in change.data.claims:
            grade = rules.grade(claim.figure, claim.comparator, claim.source).value
            claims.append({"result_id": row_id, **claim.model_dump(mode="json"), "grade": grade})
        rights += [
            {"result_id": row_id, **right.model_dump(mode="json"), "fee_paid_to": right.fee_paid_to}
            for right in change.data.ip
        ]
    if claims:
        session.execute(sa.insert(t(ResultClaim)), claims)
    if rights:
        session.execute(sa.insert(t(ResultIp)), rights)
    _told(session, actor, now, "result", ids, changes)


def _create_demands(
    session: Session, actor: Actor, now: dt.datetime, changes: list[Change], options: Options
) -> None:
    table = content.TABLES[Kind.DEMANDS]
    rows = [
        _listing(actor, now, change, options, demands.CONTENT) | {"deadline": change.data.deadline}
        for change in changes
    ]
    ids = _insert(session, table, rows)
    targets = [
        {"demand_id": row_id, **target.model_dump(mode="json")}
        for row_id, change in zip(ids, changes, strict=True)
        for target in change.data.targets
    ]
    if targets:
        session.execute(sa.insert(t(DemandTarget)), targets)
    _told(session, actor, now, "demand", ids, changes)


def _create_organisations(
    session: Session, actor: Actor, now: dt.datetime, changes: list[Change], options: Options
) -> None:
    state = OrganisationState.VERIFIED if options.publish else OrganisationState.PENDING
    rows = [
        change.data.model_dump(mode="json")
        | {
            "state": state.value,
            "state_reason": "",
            "verified_at": now if options.publish else None,
            "version": 1,
            "created_at": now,
            "updated_at": now,
        }
        for change in changes
    ]
    ids = _insert(session, t(Organisation), rows)
    for row_id, change in zip(ids, changes, strict=True):
        audit.record(
            session, actor, "organisation.imported", row_id, now, after=change.data.model_dump(mode="json")
        )
    mark_dirty(session, "organisation", *ids)


def _update_result(
    session: Session, actor: Actor, now: dt.datetime, change: Change, options: Options
) -> None:
    assert change.row_id is not None
    if change.changed:
        results.edit_result(
            session, actor, now, change.row_id, change.data, change.version, days=options.days
        )
    if change.publish:
        results.publish_result(session, actor, now, change.row_id, days=options.days)


def _update_demand(
    session: Session, actor: Actor, now: dt.datetime, change: Change, options: Options
) -> None:
    assert change.row_id is not None
    if change.changed:
        demands.edit_demand(
            session, actor, now, change.row_id, change.data, change.version, days=options.days
        )
    if change.publish:
        demands.publish_demand(session, actor, now, change.row_id, days=options.days)


def _update_organisation(
    session: Session, actor: Actor, now: dt.datetime, change: Change, _options: Options
) -> None:
    row = session.get(Organisation, change.row_id, populate_existing=True)
    if row is None:
        raise NotFound(kind="organisation")
    if row.version != change.version:
        raise Conflict(field="file")
    new = change.data.model_dump(mode="json")
    before = {name: getattr(row, name) for name in new} | {"state": row.state}
    for name, value in new.items():
        setattr(row, name, value)
    if change.publish:
        row.state = OrganisationState.VERIFIED.value
        row.verified_at = now
    row.version += 1
    row.updated_at = now
    audit.record(
        session, actor, "organisation.edited", row.id or 0, now,
        before=before, after=new | {"state": row.state},
    )  # fmt: skip
    mark_dirty(session, "organisation", row.id or 0)


_CREATE: dict[Kind, Callable[[Session, Actor, dt.datetime, list[Change], Options], None]] = {
    Kind.RESULTS: _create_results,
    Kind.DEMANDS: _create_demands,
    Kind.ORGANISATIONS: _create_organisations,
}
_UPDATE: dict[Kind, Callable[[Session, Actor, dt.datetime, Change, Options], None]] = {
    Kind.RESULTS: _update_result,
    Kind.DEMANDS: _update_demand,
    Kind.ORGANISATIONS: _update_organisation,
}
