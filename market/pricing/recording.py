"""How verbs on prices find, lock, check and record; used by the services of this folder alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlmodel import SQLModel

from market import audit
from market.db import Session, for_update, t
from market.errors import InvalidInput
from market.listings.models import Result
from market.parties.models import Organisation
from market.permissions import Actor
from market.pricing.models import PricingEvent, PricingSubject

Row = TypeVar("Row", bound=SQLModel)


def locked(session: Session, model: type[Row], row_id: int) -> Row | None:
    """A row as it is now, locked until the transaction ends."""
    statement = sa.select(model).where(t(model).c.id == row_id).execution_options(populate_existing=True)
    return session.scalars(for_update(statement, session)).one_or_none()


def overdue(session: Session, model: type[Row], *conditions: sa.ColumnElement[bool], limit: int) -> list[Row]:
    """The first rows under some conditions, locked; those that another sweep holds are passed over."""
    statement = (
        sa.select(model)
        .where(*conditions)
        .order_by(t(model).c.id)
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(for_update(statement, session, skip_locked=True)))


def require_reason(reason: str) -> None:
    """Raise InvalidInput where a step must say why and does not."""
    if not reason.strip():
        raise InvalidInput([("reason", "missing", {})])


def result_of(session: Session, result_id: int) -> Any:
    """A result's organisation, title, modes, state and inventors; None where there is none."""
    c = t(Result).c
    return session.execute(
        sa.select(c.organisation_id, c.title, c.abstract, c.modes, c.state, c.inventors).where(
            c.id == result_id
        )
    ).first()


def organisation_name(session: Session, organisation_id: int) -> str | None:
    """What an organisation is called; None where there is none."""
    c = t(Organisation).c
    return session.scalar(sa.select(c.name).where(c.id == organisation_id))


def plain(value: Any) -> Any:
    """A value as JSON keeps it."""
    return value.isoformat() if isinstance(value, dt.date) else value


def add_event(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    kind: PricingSubject,
    row: Any,
    step: str,
    before: str,
    after: str,
    *,
    reason: str = "",
    detail: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """Add an event and its audit record. `detail` is {"field": [before, after]}."""
    found = {name: [plain(old), plain(new)] for name, (old, new) in (detail or {}).items()}
    session.add(
        PricingEvent(
            subject_kind=kind.value,
            subject_id=row.id,
            at=now,
            step=step,
            state_before=before,
            state_after=after,
            actor_id=actor.person_id,
            actor_name=actor.name,
            reason=reason.strip(),
            detail=found,
        )
    )
    audit.record(
        session, actor, f"{_SUBJECTS[kind]}.{_PAST.get(step, step)}", row.id, now,
        before={"state": before, **{name: old for name, (old, _) in found.items()}},
        after={"state": after, **{name: new for name, (_, new) in found.items()}},
        reason=reason.strip() or None,
    )  # fmt: skip
    session.flush()


_SUBJECTS = {
    PricingSubject.NOTICE: "pricing_notice",
    PricingSubject.PRIORITY: "priority_right",
    PricingSubject.TRIAL: "trial",
    PricingSubject.LICENCE: "open_licence",
}
_PAST = {
    "create": "created", "edit": "edited", "start": "started", "change": "changed", "object": "objected",
    "settle": "settled", "expire": "expired", "sign": "signed", "withdraw": "withdrawn", "ask": "asked",
    "waive": "waived", "exercise": "exercised", "fall_silent": "fallen_silent", "apply": "applied",
    "agree": "agreed", "refuse": "refused", "begin": "begun", "convert": "converted", "end": "ended",
    "lapse": "lapsed", "declare": "declared",
}  # fmt: skip


@dataclass(frozen=True)
class EventView:
    """One step, as pages show it."""

    at: dt.datetime
    step: str
    state_before: str
    state_after: str
    actor_name: str
    reason: str
    detail: dict[str, Any]


def events(session: Session, kind: PricingSubject, subject_id: int) -> tuple[EventView, ...]:
    """The steps of one thing, oldest first."""
    c = t(PricingEvent).c
    rows = session.execute(
        sa.select(*(c[name] for name in EventView.__dataclass_fields__))
        .where(c.subject_kind == kind.value, c.subject_id == subject_id)
        .order_by(c.id)
    )
    return tuple(EventView(*row) for row in rows)
