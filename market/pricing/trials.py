"""Verbs on trials (先用后付) and their reads. None commits.

The firm applies and begins (`contract:create`), the owner offers terms or refuses (`result:edit`); either side
may end a trial, and either may turn it into a contract while it lasts. A trial counts for nothing in the
figures before a priced contract is registered.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.deals import service as deals
from market.errors import Conflict, InvalidInput, NotFound
from market.listings.models import ListingState, Result
from market.parties.models import Organisation
from market.permissions import SYSTEM, Action, Actor, reaches, require_party
from market.pricing import rules
from market.pricing.inputs import TrialInput, TrialTermsInput
from market.pricing.models import PricingSubject, Trial, TrialState
from market.pricing.recording import EventView, add_event, events, locked, overdue, require_reason, result_of
from market.pricing.rules import TrialStep

OPEN = (TrialState.APPLIED, TrialState.AGREED, TrialState.IN_TRIAL)


def apply(session: Session, actor: Actor, now: dt.datetime, data: TrialInput) -> int:
    """Ask to try a published result; returns the trial's id.

    Raises NotFound, SignInRequired, NotAllowed, InvalidInput (one's own result, one asked for already).
    """
    result = result_of(session, data.result_id)
    if result is None or result.state != ListingState.PUBLISHED.value:
        raise NotFound(kind="result")
    require_party(actor, Action.CONTRACT_CREATE, data.user_id)
    if data.user_id == result.organisation_id:
        raise InvalidInput([("user_id", "same_party", {})])
    if session.get(Organisation, data.user_id) is None:
        raise InvalidInput([("user_id", "unknown_choice", {})])
    c = t(Trial).c
    open_one = session.scalar(
        sa.select(c.id).where(
            c.result_id == data.result_id,
            c.user_id == data.user_id,
            c.state.in_([state.value for state in OPEN]),
        )
    )
    if open_one is not None:
        raise InvalidInput([("user_id", "trial_open", {"number": open_one})])
    row = Trial(
        result_id=data.result_id,
        owner_id=result.organisation_id,
        user_id=data.user_id,
        purpose=data.purpose,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    add_event(session, actor, now, PricingSubject.TRIAL, row, TrialStep.APPLY.value, "", row.state)
    return row.id


def _trial(session: Session, actor: Actor, trial_id: int, version: int | None) -> Trial:
    row = locked(session, Trial, trial_id)
    if row is None or not may_read(actor, row.owner_id, row.user_id):
        raise NotFound(kind="trial")
    if version is not None and row.version != version:
        raise Conflict(field="version", current=row.version)
    return row


def may_read(actor: Actor, owner_id: int, user_id: int) -> bool:
    """Whether an actor may know of a trial: both sides, staff and officials."""
    return reaches(actor, Action.CONTRACT_READ, owner_id, user_id)


def _step(session: Session, actor: Actor, now: dt.datetime, row: Trial, step: TrialStep, **more: Any) -> None:
    before = row.state
    row.state = rules.after_trial(TrialState(before), step).value
    row.version += 1
    row.updated_at = now
    add_event(session, actor, now, PricingSubject.TRIAL, row, step.value, before, row.state, **more)


def agree(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    trial_id: int,
    data: TrialTermsInput,
    *,
    version: int | None = None,
) -> None:
    """Offer the terms for the owner: the price afterwards, its mode, the days of the trial.

    Raises NotFound, NotAllowed, WrongState, Conflict, InvalidInput.
    """
    row = _trial(session, actor, trial_id, version)
    require_party(actor, Action.RESULT_EDIT, row.owner_id)
    if data.ends_on < data.starts_on:
        raise InvalidInput([("ends_on", "range_order", {})])
    if data.ends_on < local_date(now):
        raise InvalidInput([("ends_on", "date_past", {})])
    values = {**data.model_dump(), "transfer_mode": data.transfer_mode.value}
    detail = rules.changes({name: getattr(row, name) for name in values}, values)
    for name, value in values.items():
        setattr(row, name, value)
    _step(session, actor, now, row, TrialStep.AGREE, detail=detail)


def refuse(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    trial_id: int,
    reason: str,
    *,
    version: int | None = None,
) -> None:
    """Refuse for the owner, saying why."""
    row = _trial(session, actor, trial_id, version)
    require_party(actor, Action.RESULT_EDIT, row.owner_id)
    require_reason(reason)
    _step(session, actor, now, row, TrialStep.REFUSE, reason=reason)


def begin(
    session: Session, actor: Actor, now: dt.datetime, trial_id: int, *, version: int | None = None
) -> None:
    """Accept the terms for the firm, before the last day is over; the trial begins."""
    row = _trial(session, actor, trial_id, version)
    require_party(actor, Action.CONTRACT_CREATE, row.user_id)
    rules.after_trial(TrialState(row.state), TrialStep.BEGIN)
    _in_time(row, now)
    _step(session, actor, now, row, TrialStep.BEGIN)


def _in_time(row: Trial, now: dt.datetime) -> None:
    if row.ends_on is not None and local_date(now) > row.ends_on:
        raise InvalidInput([("ends_on", "date_past", {})])


def end(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    trial_id: int,
    reason: str,
    *,
    version: int | None = None,
) -> None:
    """End a trial without a contract, for either side, saying why."""
    row = _trial(session, actor, trial_id, version)
    _side(actor, row)
    require_reason(reason)
    _step(session, actor, now, row, TrialStep.END, reason=reason)


def _side(actor: Actor, row: Trial) -> None:
    if not reaches(actor, Action.RESULT_EDIT, row.owner_id):
        require_party(actor, Action.CONTRACT_CREATE, row.user_id)


def convert(
    session: Session, actor: Actor, now: dt.datetime, trial_id: int, *, version: int | None = None
) -> int:
    """Turn a running trial into a draft contract at the terms agreed before it; returns the contract's id.

    Raises NotFound, NotAllowed, WrongState, Conflict, InvalidInput once its last day is over.
    """
    row = _trial(session, actor, trial_id, version)
    _side(actor, row)
    rules.after_trial(TrialState(row.state), TrialStep.CONVERT)
    _in_time(row, now)
    assert row.price_fen is not None
    result = result_of(session, row.result_id)
    contract_id = deals.draft_from_trial(
        session,
        actor,
        now,
        title=result.title if result is not None else "",
        result_id=row.result_id,
        seller_id=row.owner_id,
        buyer_id=row.user_id,
        deal_fen=row.price_fen,
        mode=row.transfer_mode,
    )
    row.contract_id = contract_id
    _step(session, actor, now, row, TrialStep.CONVERT, detail={"contract_id": [None, contract_id]})
    return contract_id


def expire_due(session: Session, now: dt.datetime, limit: int = 200) -> list[int]:
    """Let trials lapse whose last day is over, a bounded number at a time; returns their ids."""
    c = t(Trial).c
    found = overdue(
        session,
        Trial,
        c.state.in_([TrialState.AGREED.value, TrialState.IN_TRIAL.value]),
        c.ends_on < local_date(now),
        limit=limit,
    )
    for row in found:
        _step(session, SYSTEM, now, row, TrialStep.LAPSE)
    return [row.id for row in found if row.id is not None]


@dataclass(frozen=True)
class TrialView:
    """A trial with what both sides agreed; its life where it is shown alone."""

    id: int
    result_id: int
    result_title: str
    owner_id: int
    owner_name: str
    user_id: int
    user_name: str
    purpose: str
    terms: str
    transfer_mode: str
    price_fen: int | None
    starts_on: dt.date | None
    ends_on: dt.date | None
    insured: bool
    contract_id: int | None
    state: TrialState
    version: int
    events: tuple[EventView, ...] = ()


_VIEW = tuple(name for name in TrialView.__dataclass_fields__ if name != "events")


def _select() -> sa.Select[Any]:
    c, owner, user = t(Trial).c, t(Organisation).alias("owner"), t(Organisation).alias("firm")
    joined = {
        "result_title": t(Result).c.title.label("result_title"),
        "owner_name": owner.c.name.label("owner_name"),
        "user_name": user.c.name.label("user_name"),
    }
    return sa.select(*(joined[name] if name in joined else c[name] for name in _VIEW)).select_from(
        t(Trial)
        .join(t(Result), c.result_id == t(Result).c.id)
        .join(owner, c.owner_id == owner.c.id)
        .join(user, c.user_id == user.c.id)
    )


def _view(row: Any) -> TrialView:
    values: dict[str, Any] = dict(zip(_VIEW, row, strict=True))
    return TrialView(**{**values, "state": TrialState(values["state"])})


def trials(
    session: Session,
    actor: Actor,
    *,
    result_id: int | None = None,
    contract_id: int | None = None,
    states: tuple[TrialState, ...] = (),
    limit: int = 20,
    offset: int = 0,
) -> tuple[list[TrialView], int]:
    """The trials that the actor may know of, the latest change first, and how many there are."""
    c = t(Trial).c
    where: list[sa.ColumnElement[bool]] = []
    reach = actor.organisations_for(Action.CONTRACT_READ)
    if reach is not None:
        where.append(sa.or_(c.owner_id.in_(reach), c.user_id.in_(reach)))
    if result_id is not None:
        where.append(c.result_id == result_id)
    if contract_id is not None:
        where.append(c.contract_id == contract_id)
    if states:
        where.append(c.state.in_([state.value for state in states]))
    rows = session.execute(
        _select().where(*where).order_by(c.updated_at.desc(), c.id.desc()).limit(limit).offset(offset)
    )
    total = session.scalar(sa.select(sa.func.count()).select_from(t(Trial)).where(*where)) or 0
    return [_view(row) for row in rows], total


def trial(session: Session, actor: Actor, trial_id: int) -> TrialView:
    """One trial with its life. Raises NotFound."""
    row = session.execute(_select().where(t(Trial).c.id == trial_id)).first()
    if row is None or not may_read(actor, row.owner_id, row.user_id):
        raise NotFound(kind="trial")
    return replace(_view(row), events=events(session, PricingSubject.TRIAL, trial_id))


def steps_for(actor: Actor, found: TrialView, today: dt.date) -> list[TrialStep]:
    """What the actor may do with a trial now."""
    owner = reaches(actor, Action.RESULT_EDIT, found.owner_id)
    user = reaches(actor, Action.CONTRACT_CREATE, found.user_id)
    allowed = {
        TrialStep.AGREE: owner,
        TrialStep.REFUSE: owner,
        TrialStep.BEGIN: user,
        TrialStep.CONVERT: owner or user,
        TrialStep.END: owner or user,
    }
    late = found.ends_on is not None and today > found.ends_on
    return [
        step
        for step, may in allowed.items()
        if may
        and (found.state, step) in rules.TRIAL_STEPS
        and not (late and step in (TrialStep.BEGIN, TrialStep.CONVERT))
    ]
