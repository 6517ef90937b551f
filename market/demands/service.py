"""Verbs on demands (需求): create, edit, publish, withdraw, reconfirm, expire, conclude.

Each raises NotFound for a demand the actor may not know of, SignInRequired or NotAllowed without the
right, WrongState for a step its state does not allow, and InvalidInput for what the rules refuse.
`days` is how long a listing is shown without being reconfirmed.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from market import audit
from market.clock import local_date
from market.db import Session, t
from market.demands.inputs import DemandInput
from market.demands.models import Demand, DemandTarget
from market.demands.rules import missing_for_publication
from market.dirty import mark_dirty
from market.errors import Duplicate, InvalidInput
from market.listings import history, lifecycle, rules
from market.listings.lifecycle import Trade
from market.listings.models import ListingState
from market.listings.rules import LISTING_DAYS, Step
from market.permissions import Action, Actor, Role, require

DEMAND = Trade(
    "demand", Action.DEMAND_CREATE, Action.DEMAND_EDIT, Action.DEMAND_READ_UNPUBLISHED, Role.DEMAND_OWNER
)

CONTENT = (
    "title", "title_en", "difficulty", "research", "background", "keywords", "industry_code", "ipc", "modes",
    "wanted_trl", "budget_low_fen", "budget_high_fen", "experts", "origin",
    "contact_name", "contact_phone", "contact_email",
)  # fmt: skip
"""Fields that a person writes; `deadline`, `valid_until` and `targets` come beside."""


def create_demand(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    organisation_id: int,
    data: DemandInput,
    *,
    source: str = "",
    source_id: str | None = None,
) -> Demand:
    """Make a draft. An import names its `source` and the row's key there; the pair is unique (Duplicate)."""
    require(actor, Action.DEMAND_CREATE, organisation_id)
    if source_id is not None and find_by_source(session, source, source_id) is not None:
        raise Duplicate(field="source_id", value=f"{source}:{source_id}")
    lifecycle.check_places(session, organisation_id, data.industry_code)
    row = Demand(
        organisation_id=organisation_id,
        state=ListingState.DRAFT.value,
        source=source,
        source_id=source_id,
        version=1,
        created_by=actor.person_id,
        created_at=now,
        updated_at=now,
        valid_until=data.valid_until,
        deadline=data.deadline,
        **_columns(data),
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    _write_targets(session, row.id, data)
    audit.record(session, actor, "demand.created", row.id, now, after=_content(data))
    session.flush()
    return row


def edit_demand(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    demand_id: int,
    data: DemandInput,
    version: int | None = None,
    *,
    days: int = LISTING_DAYS,
) -> Demand:
    """Replace what a demand says; the old content is kept. Nothing happens when nothing changed.

    With `version`, raises Conflict when the demand is no longer at it. A published demand must stay
    complete, and its validity cannot be stretched by editing: only reconfirming does that.
    """
    row = lifecycle.row_to_change(session, actor, DEMAND, Demand, demand_id, version=version)
    rules.after(row.state, Step.EDIT)
    lifecycle.check_places(session, None, data.industry_code, known_industry=row.industry_code)
    old = content_of(session, row)
    new = _content(data)
    published = row.state == ListingState.PUBLISHED.value
    if published:
        if rules.is_past(data.valid_until, now):
            raise InvalidInput([("valid_until", "date_past", {})])
        assert row.confirmed_at is not None
        kept = data.valid_until or row.valid_until
        new["valid_until"] = _plain_day(rules.last_day(row.confirmed_at, days, kept))
    elif data.valid_until is None:
        new["valid_until"] = old["valid_until"]
    if new == old:
        return row
    history.keep(session, "demand", demand_id, row.version, old, actor, now)
    deadline_kept = row.deadline == data.deadline
    for name, value in _columns(data).items():
        setattr(row, name, value)
    row.deadline = data.deadline
    row.valid_until = None if new["valid_until"] is None else dt.date.fromisoformat(new["valid_until"])
    if published:
        # A deadline that went by while the demand was shown need not block other edits.
        problems = missing(row, len(data.targets), now)
        rules.refuse([item for item in problems if not (deadline_kept and item[0] == "deadline")])
    row.version += 1
    row.updated_at = now
    _write_targets(session, demand_id, data)
    audit.record(session, actor, "demand.edited", demand_id, now, before=old, after=new)
    if ListingState(row.state) in rules.SHOWN:
        mark_dirty(session, "demand", demand_id)
    session.flush()
    return row


def publish_demand(
    session: Session, actor: Actor, now: dt.datetime, demand_id: int, *, days: int = LISTING_DAYS
) -> Demand:
    """Show a complete demand to everybody."""
    return _show(session, actor, now, demand_id, Step.PUBLISH, days)


def reconfirm_demand(
    session: Session, actor: Actor, now: dt.datetime, demand_id: int, *, days: int = LISTING_DAYS
) -> Demand:
    """Say that a demand still stands: its validity starts anew, and it is shown again if it was not."""
    return _show(session, actor, now, demand_id, Step.RECONFIRM, days)


def _show(session: Session, actor: Actor, now: dt.datetime, demand_id: int, step: Step, days: int) -> Demand:
    row = lifecycle.row_to_change(session, actor, DEMAND, Demand, demand_id)
    rules.after(row.state, step)
    rules.refuse(missing(row, len(read_targets(session, demand_id)), now))
    lifecycle.move(session, actor, now, DEMAND, row, step, days=days)
    return row


def withdraw_demand(session: Session, actor: Actor, now: dt.datetime, demand_id: int, reason: str) -> Demand:
    """Take a demand off the market; the reason is shown to those who may still see it."""
    row = lifecycle.row_to_change(session, actor, DEMAND, Demand, demand_id)
    rules.after(row.state, Step.WITHDRAW)
    if not reason.strip():
        raise InvalidInput([("reason", "missing", {})])
    lifecycle.move(session, actor, now, DEMAND, row, Step.WITHDRAW, reason=reason.strip())
    return row


def conclude_demand(
    session: Session, actor: Actor, now: dt.datetime, demand_id: int, reason: str = ""
) -> Demand:
    """Mark a demand as solved: still shown, no longer open."""
    row = lifecycle.row_to_change(session, actor, DEMAND, Demand, demand_id)
    lifecycle.move(session, actor, now, DEMAND, row, Step.CONCLUDE, reason=reason.strip())
    return row


def expire_due(session: Session, now: dt.datetime) -> list[int]:
    """Expire demands whose last day has gone by: a bounded number, returned as ids; call until empty."""
    return lifecycle.expire_due(session, now, DEMAND, Demand)


def remind_expiring(session: Session, now: dt.datetime, after_id: int = 0) -> tuple[int, int | None]:
    """See `lifecycle.remind_expiring`."""
    return lifecycle.remind_expiring(session, now, DEMAND, Demand, after_id=after_id)


def find_by_source(session: Session, source: str, source_id: str) -> int | None:
    """The id of the demand imported under a source's key."""
    c = t(Demand).c
    return session.scalar(sa.select(c.id).where(c.source == source, c.source_id == source_id))


def missing(row: Demand, targets: int, now: dt.datetime) -> list[rules.Problem]:
    """What a demand with so many target figures lacks before it may be shown."""
    return missing_for_publication(
        title=row.title,
        difficulty=row.difficulty,
        industry_code=row.industry_code,
        targets=targets,
        deadline=row.deadline,
        today=local_date(now),
        contact_name=row.contact_name,
        contact_phone=row.contact_phone,
        contact_email=row.contact_email,
        imported=bool(row.source),
    )


def content_of(session: Session, row: Demand) -> dict[str, Any]:
    """What a demand says now, as plain JSON. One statement."""
    assert row.id is not None
    content: dict[str, Any] = {name: getattr(row, name) for name in CONTENT}
    content["deadline"] = _plain_day(row.deadline)
    content["valid_until"] = _plain_day(row.valid_until)
    names = ("name", "comparator", "threshold", "threshold_high", "unit", "condition")
    content["targets"] = [
        {name: getattr(target, name) for name in names} for target in read_targets(session, row.id)
    ]
    return content


def read_targets(session: Session, demand_id: int) -> list[Any]:
    """A demand's target figures as rows, in order."""
    c = t(DemandTarget).c
    return list(session.execute(sa.select(t(DemandTarget)).where(c.demand_id == demand_id).order_by(c.id)))


def _plain_day(day: dt.date | None) -> str | None:
    return None if day is None else day.isoformat()


def _columns(data: DemandInput) -> dict[str, Any]:
    plain = data.model_dump(mode="json")
    return {name: plain[name] for name in CONTENT}


def _content(data: DemandInput) -> dict[str, Any]:
    plain = data.model_dump(mode="json")
    return {name: plain[name] for name in (*CONTENT, "deadline", "valid_until", "targets")}


def _write_targets(session: Session, demand_id: int, data: DemandInput) -> None:
    session.execute(sa.delete(t(DemandTarget)).where(t(DemandTarget).c.demand_id == demand_id))
    rows = [{"demand_id": demand_id, **target.model_dump(mode="json")} for target in data.targets]
    if rows:
        session.execute(sa.insert(t(DemandTarget)), rows)
