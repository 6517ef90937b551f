"""Verbs on open licences (专利开放许可, 专利法 50; 实施细则 85, 86) and their reads. None commits.

Patents are declared at the patent office; this market shows the declaration, with the number under which the
office announced it. The owner's people and staff (`result:edit`) write it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.errors import Conflict, InvalidInput, NotFound
from market.listings.models import IpKind, IpStatus, Result, ResultIp
from market.parties.models import Organisation
from market.permissions import SYSTEM, Action, Actor, reaches, require_party
from market.pricing import rules
from market.pricing.inputs import LicenceInput
from market.pricing.models import LicenceState, OpenLicence, PricingEvent, PricingSubject
from market.pricing.recording import EventView, add_event, events, locked, overdue, require_reason, result_of
from market.pricing.rules import LicenceStep

PATENTS = (IpKind.INVENTION, IpKind.UTILITY_MODEL, IpKind.DESIGN)


@dataclass(frozen=True)
class PatentChoice:
    """A patent that a result rests on."""

    number: str
    kind: IpKind
    status: IpStatus
    pledged: bool


def patents_of(session: Session, result_id: int) -> list[PatentChoice]:
    """The patents of a result."""
    c = t(ResultIp).c
    rows = session.execute(
        sa.select(c.number, c.kind, c.status, c.pledged)
        .where(c.result_id == result_id, c.kind.in_([kind.value for kind in PATENTS]), c.number != "")
        .order_by(c.id)
    )
    return [
        PatentChoice(number, IpKind(kind), IpStatus(status), pledged)
        for number, kind, status, pledged in rows
    ]


def _patent(session: Session, result_id: int, number: str) -> PatentChoice:
    for one in patents_of(session, result_id):
        if one.number == number:
            return one
    raise InvalidInput([("patent_number", "patent_of_other_result", {})])


def _check(session: Session, result_id: int, data: LicenceInput) -> dict[str, Any]:
    _patent(session, result_id, data.patent_number)
    if data.ends_on < data.starts_on:
        raise InvalidInput([("ends_on", "range_order", {})])
    return data.model_dump()


def create(session: Session, actor: Actor, now: dt.datetime, result_id: int, data: LicenceInput) -> int:
    """Write an open licence down; returns its id. Raises NotFound, NotAllowed, InvalidInput."""
    result = result_of(session, result_id)
    if result is None:
        raise NotFound(kind="result")
    require_party(actor, Action.RESULT_EDIT, result.organisation_id)
    row = OpenLicence(
        result_id=result_id,
        organisation_id=result.organisation_id,
        created_at=now,
        updated_at=now,
        **_check(session, result_id, data),
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    add_event(session, actor, now, PricingSubject.LICENCE, row, LicenceStep.CREATE.value, "", row.state)
    return row.id


def _mine(session: Session, actor: Actor, licence_id: int, version: int | None) -> OpenLicence:
    row = locked(session, OpenLicence, licence_id)
    if row is None or not may_read(session, actor, row):
        raise NotFound(kind="open_licence")
    require_party(actor, Action.RESULT_EDIT, row.organisation_id)
    if version is not None and row.version != version:
        raise Conflict(field="version", current=row.version)
    return row


def may_read(session: Session, actor: Actor, row: Any) -> bool:
    """Whether an actor may know of an open licence: what was ever declared is public. One statement at most."""
    if LicenceState(row.state) in (LicenceState.DECLARED, LicenceState.LAPSED):
        return True
    if reaches(actor, Action.RESULT_EDIT, row.organisation_id) or reaches(actor, Action.CONTRACT_REGISTER):
        return True
    c = t(PricingEvent).c
    return bool(
        session.scalar(
            sa.select(
                sa.exists().where(
                    c.subject_kind == PricingSubject.LICENCE.value,
                    c.subject_id == row.id,
                    c.step == LicenceStep.DECLARE.value,
                )
            )
        )
    )


def _step(
    session: Session, actor: Actor, now: dt.datetime, row: OpenLicence, step: LicenceStep, **more: Any
) -> None:
    before = row.state
    row.state = rules.after_licence(LicenceState(before), step).value
    row.version += 1
    row.updated_at = now
    add_event(session, actor, now, PricingSubject.LICENCE, row, step.value, before, row.state, **more)


def edit(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    licence_id: int,
    data: LicenceInput,
    *,
    version: int | None = None,
) -> None:
    """Change a draft. Raises NotFound, NotAllowed, WrongState, Conflict, InvalidInput."""
    row = _mine(session, actor, licence_id, version)
    rules.after_licence(LicenceState(row.state), LicenceStep.EDIT)
    values = _check(session, row.result_id, data)
    changed = rules.changes({name: getattr(row, name) for name in values}, values)
    for name, value in values.items():
        setattr(row, name, value)
    _step(session, actor, now, row, LicenceStep.EDIT, detail=changed)


def declare(
    session: Session, actor: Actor, now: dt.datetime, licence_id: int, *, version: int | None = None
) -> None:
    """Show a draft to everybody. The patent must be granted, its owner state that nothing bars the licence,
    and a utility model or design have its evaluation report (专利法 50).

    Raises NotFound, NotAllowed, WrongState, Conflict, InvalidInput.
    """
    row = _mine(session, actor, licence_id, version)
    rules.after_licence(LicenceState(row.state), LicenceStep.DECLARE)
    patent = _patent(session, row.result_id, row.patent_number)
    problems: list[tuple[str, str, dict[str, Any]]] = []
    if patent.status is not IpStatus.GRANTED:
        problems.append(("patent_number", "patent_not_granted", {}))
    if patent.kind is not IpKind.INVENTION and not row.evaluation_report:
        problems.append(("evaluation_report", "missing", {}))
    if not row.free_of_bars:
        problems.append(("free_of_bars", "missing", {}))
    if row.ends_on < local_date(now):
        problems.append(("ends_on", "date_past", {}))
    if problems:
        raise InvalidInput(problems)
    _step(session, actor, now, row, LicenceStep.DECLARE)


def withdraw(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    licence_id: int,
    reason: str,
    *,
    version: int | None = None,
) -> None:
    """Take it back, saying why; licences given before stay good (recalled)."""
    row = _mine(session, actor, licence_id, version)
    rules.after_licence(LicenceState(row.state), LicenceStep.WITHDRAW)
    require_reason(reason)
    _step(session, actor, now, row, LicenceStep.WITHDRAW, reason=reason)


def expire_due(session: Session, now: dt.datetime, limit: int = 200) -> list[int]:
    """Let declared licences lapse whose last day is over, a bounded number at a time; returns their ids."""
    c = t(OpenLicence).c
    found = overdue(
        session, OpenLicence, c.state == LicenceState.DECLARED.value, c.ends_on < local_date(now), limit=limit
    )
    for row in found:
        _step(session, SYSTEM, now, row, LicenceStep.LAPSE)
    return [row.id for row in found if row.id is not None]


@dataclass(frozen=True)
class LicenceView:
    """An open licence as its readers see it; its life where it is shown alone."""

    id: int
    result_id: int
    result_title: str
    organisation_id: int
    owner_name: str
    patent_number: str
    fee: str
    starts_on: dt.date
    ends_on: dt.date
    evaluation_report: bool
    free_of_bars: bool
    announced_number: str
    state: LicenceState
    version: int
    events: tuple[EventView, ...] = ()
    keeper: bool = False


_VIEW = tuple(name for name in LicenceView.__dataclass_fields__ if name not in ("events", "keeper"))


def _select() -> sa.Select[Any]:
    c = t(OpenLicence).c
    joined = {
        "result_title": t(Result).c.title.label("result_title"),
        "owner_name": t(Organisation).c.name.label("owner_name"),
    }
    return sa.select(*(joined[name] if name in joined else c[name] for name in _VIEW)).select_from(
        t(OpenLicence)
        .join(t(Result), c.result_id == t(Result).c.id)
        .join(t(Organisation), c.organisation_id == t(Organisation).c.id)
    )


def _view(row: Any) -> LicenceView:
    values: dict[str, Any] = dict(zip(_VIEW, row, strict=True))
    return LicenceView(**{**values, "state": LicenceState(values["state"])})


def licences(
    session: Session,
    actor: Actor,
    *,
    result_id: int | None = None,
    limit: int = 20,
    offset: int = 0,
) -> tuple[list[LicenceView], int]:
    """What is declared now, the latest first; of one result also what its owner has written besides."""
    c = t(OpenLicence).c
    shown: sa.ColumnElement[bool] = c.state == LicenceState.DECLARED.value
    where = [shown]
    if result_id is not None:
        reach = actor.organisations_for(Action.RESULT_EDIT)
        own = sa.true() if reach is None else c.organisation_id.in_(reach)
        where = [c.result_id == result_id, sa.or_(shown, own)]
    rows = session.execute(_select().where(*where).order_by(c.id.desc()).limit(limit).offset(offset))
    total = session.scalar(sa.select(sa.func.count()).select_from(t(OpenLicence)).where(*where)) or 0
    return [_view(row) for row in rows], total


def licence(session: Session, actor: Actor, licence_id: int) -> LicenceView:
    """One open licence with its life. Raises NotFound."""
    row = session.execute(_select().where(t(OpenLicence).c.id == licence_id)).first()
    if row is None or not may_read(session, actor, row):
        raise NotFound(kind="open_licence")
    keeper = reaches(actor, Action.RESULT_EDIT, row.organisation_id)
    life = events(session, PricingSubject.LICENCE, licence_id)
    if not keeper and not reaches(actor, Action.CONTRACT_REGISTER):
        life = tuple(
            replace(event, actor_name="", detail={})
            for event in life
            if event.step not in (LicenceStep.CREATE.value, LicenceStep.EDIT.value)
        )
    return replace(_view(row), events=life, keeper=keeper)


def steps_for(found: LicenceView) -> list[LicenceStep]:
    """What the reader of an open licence may do with it now."""
    if not found.keeper:
        return []
    return [
        step
        for step in (LicenceStep.EDIT, LicenceStep.DECLARE, LicenceStep.WITHDRAW)
        if (found.state, step) in rules.LICENCE_STEPS
    ]
