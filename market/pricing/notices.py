"""Verbs on price notices (协议定价公示) and on objections to them. None commits.

Rights: the owner's people and staff (`result:edit`) write, start, change, answer objections, sign and
withdraw; whoever is signed in may object while the notice runs, and take the objection back.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, for_update, t
from market.deals.models import Contract
from market.deals.policies import Policy, policy_at
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound, SignInRequired, WrongState
from market.parties.mail import mail_people
from market.parties.models import MembershipRow
from market.permissions import SYSTEM, Action, Actor, Role, can, require_party
from market.pricing import rules
from market.pricing.inputs import DecisionInput, NoticeInput, ObjectionInput, StartInput
from market.pricing.models import NoticeState, PricingEvent, PricingNotice, PricingSubject
from market.pricing.recording import add_event, locked, organisation_name, overdue, require_reason, result_of
from market.pricing.rules import NoticeStep
from market.scrutiny.models import Objection, ObjectionState, ObjectionSubject

DAYS = "pricing.notice_days"
"""The policy row that says how long a notice runs."""

_WRITTEN = (
    "title", "abstract", "transfer_mode", "price_fen", "transferee_name", "transferee_id", "related_party",
    "relation_note", "procedure", "unit_place",
)  # fmt: skip


def may_read(actor: Actor, organisation_id: int, market_from: dt.date | None) -> bool:
    """Whether an actor may know of a notice: what was ever shown is public."""
    if market_from is not None:
        return True
    return can(actor, Action.RESULT_EDIT, organisation_id) or can(actor, Action.CONTRACT_REGISTER)


def _notice(session: Session, actor: Actor, notice_id: int, version: int | None) -> PricingNotice:
    """The notice, locked. Raises NotFound, Conflict."""
    row = locked(session, PricingNotice, notice_id)
    if row is None or not may_read(actor, row.organisation_id, row.market_from):
        raise NotFound(kind="pricing_notice")
    if version is not None and row.version != version:
        raise Conflict(field="version", current=row.version)
    return row


def _mine(session: Session, actor: Actor, notice_id: int, version: int | None) -> PricingNotice:
    row = _notice(session, actor, notice_id, version)
    require_party(actor, Action.RESULT_EDIT, row.organisation_id)
    return row


def _record(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    row: PricingNotice,
    step: NoticeStep,
    before: str,
    **more: Any,
) -> None:
    row.version += 1
    row.updated_at = now
    add_event(
        session, actor, now, PricingSubject.NOTICE, row, step.value, before, row.state, **more
    )  # fmt: skip


def _values(session: Session, owner_id: int, data: NoticeInput) -> dict[str, Any]:
    problems: list[tuple[str, str, dict[str, Any]]] = []
    name = data.transferee_name
    if data.transferee_id is not None:
        found = organisation_name(session, data.transferee_id)
        if found is None:
            problems.append(("transferee_id", "unknown_choice", {}))
        elif data.transferee_id == owner_id:
            problems.append(("transferee_id", "same_party", {}))
        name = found or name
    if not name:
        problems.append(("transferee_name", "missing", {}))
    if data.related_party and not data.relation_note:
        problems.append(("relation_note", "missing", {}))
    if problems:
        raise InvalidInput(problems)
    return {
        **{key: getattr(data, key) for key in _WRITTEN},
        "transferee_name": name,
        "transfer_mode": data.transfer_mode.value,
        "relation_note": data.relation_note if data.related_party else "",
    }


def create(session: Session, actor: Actor, now: dt.datetime, result_id: int, data: NoticeInput) -> int:
    """Write a notice about a result's price; returns its id. It is seen by nobody else before it starts.

    Raises NotFound, SignInRequired, NotAllowed, InvalidInput.
    """
    result = result_of(session, result_id)
    if result is None:
        raise NotFound(kind="result")
    require_party(actor, Action.RESULT_EDIT, result.organisation_id)
    row = PricingNotice(
        result_id=result_id,
        organisation_id=result.organisation_id,
        created_at=now,
        updated_at=now,
        **_values(session, result.organisation_id, data),
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    add_event(session, actor, now, PricingSubject.NOTICE, row, NoticeStep.CREATE.value, "", row.state)
    return row.id


def edit(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    notice_id: int,
    data: NoticeInput,
    *,
    version: int | None = None,
) -> bool:
    """Say something else; returns whether the days started anew.

    A published notice whose price, transferee, mode or relation changes runs its full days again from
    today; the unit's own notice must be put up again (`unit_from`). Raises NotFound, NotAllowed,
    WrongState, Conflict, InvalidInput.
    """
    row = _mine(session, actor, notice_id, version)
    before, state = NoticeState(row.state), row.state
    rules.check_notice(before, NoticeStep.EDIT)
    values = _values(session, row.organisation_id, data)
    changed = rules.changes({name: getattr(row, name) for name in values}, values)
    if not changed:
        return False
    anew = before is not NoticeState.DRAFT and rules.restarts(changed)
    for name, value in values.items():
        setattr(row, name, value)
    if anew:
        if data.unit_from is None:
            raise InvalidInput([("unit_from", "missing", {})])
        was = {name: getattr(row, name) for name in ("unit_from", "market_from", "ends_on")}
        _run(session, row, data.unit_from, local_date(now))
        changed |= rules.changes(was, {name: getattr(row, name) for name in was})
        row.restarts += 1
        row.state = (
            NoticeState.OBJECTED if _counts(session, row, since=now)[0] else NoticeState.RUNNING
        ).value
    step = NoticeStep.CHANGE if anew else NoticeStep.EDIT
    _record(session, actor, now, row, step, state, detail=changed)
    return anew


def _run(session: Session, row: PricingNotice, unit_from: dt.date, today: dt.date) -> None:
    policy = days(session, today)
    if policy is None:
        raise InvalidInput([("unit_from", "no_policy", {})])
    if unit_from > today + dt.timedelta(days=366):
        raise InvalidInput([("unit_from", "day_too_far", {})])
    row.unit_from, row.market_from = unit_from, today
    row.ends_on = rules.notice_ends(unit_from, today, policy.value, policy.unit).day


def days(session: Session, day: dt.date) -> Policy | None:
    """The rule in force on a day about how long a notice runs."""
    return policy_at(session, DAYS, day)


def start(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    notice_id: int,
    data: StartInput,
    *,
    version: int | None = None,
) -> dt.date:
    """Publish a notice on the market from today; returns its last day.

    The days count from the later of today and the day of the unit's own notice.
    """
    row = _mine(session, actor, notice_id, version)
    before = row.state
    rules.check_notice(NoticeState(before), NoticeStep.START)
    row.unit_place = data.unit_place
    _run(session, row, data.unit_from, local_date(now))
    row.state = NoticeState.RUNNING.value
    assert row.ends_on is not None
    _record(
        session, actor, now, row, NoticeStep.START, before,
        detail={name: [None, getattr(row, name)] for name in ("unit_from", "market_from", "ends_on")},
    )  # fmt: skip
    return row.ends_on


def _counts(session: Session, row: PricingNotice, *, since: dt.datetime | None = None) -> tuple[int, bool]:
    """How many objections are open, and whether one was upheld after the notice last started (`since` now:
    after this very change none)."""
    c = t(Objection).c
    began = since or _last_started(session, row.id)
    found = session.execute(
        sa.select(c.state, c.decided_at).where(
            c.subject_kind == ObjectionSubject.PRICING_NOTICE.value, c.subject_id == row.id
        )
    ).all()
    upheld = any(
        state == ObjectionState.UPHELD.value and began is not None and decided_at > began
        for state, decided_at in found
    )
    return sum(state == ObjectionState.OPEN.value for state, _ in found), upheld


def _last_started(session: Session, notice_id: int | None) -> dt.datetime | None:
    c = t(PricingEvent).c
    return session.scalar(
        sa.select(sa.func.max(c.at)).where(
            c.subject_kind == PricingSubject.NOTICE.value,
            c.subject_id == notice_id,
            c.step.in_([NoticeStep.START.value, NoticeStep.CHANGE.value]),
        )
    )


def object_to(session: Session, actor: Actor, now: dt.datetime, notice_id: int, data: ObjectionInput) -> int:
    """Object to a running notice; returns the objection's id. The owner's people are mailed.

    Raises NotFound, SignInRequired, NotAllowed (another's organisation), WrongState once its days are over.
    """
    if not actor.is_signed_in:
        raise SignInRequired
    row = _notice(session, actor, notice_id, None)
    before = NoticeState(row.state)
    rules.check_notice(before, NoticeStep.OBJECT)
    if row.ends_on is not None and local_date(now) > row.ends_on:
        raise WrongState(state=NoticeState.EXPIRED.value, action=NoticeStep.OBJECT.value)
    name = actor.name
    assert row.id is not None
    if data.organisation_id is not None:
        if data.organisation_id not in actor.organisation_ids:
            raise InvalidInput([("organisation_id", "not_your_organisation", {})])
        name = organisation_name(session, data.organisation_id) or name
    objection = Objection(
        subject_kind=ObjectionSubject.PRICING_NOTICE.value,
        subject_id=row.id,
        organisation_id=data.organisation_id,
        objector_name=name,
        contact=data.contact,
        grounds=data.grounds,
        filed_at=now,
        filed_by=actor.person_id,
    )
    session.add(objection)
    session.flush()
    row.state = NoticeState.OBJECTED.value
    _record(
        session,
        actor,
        now,
        row,
        NoticeStep.OBJECT,
        before.value,
        detail={"objection_id": [None, objection.id]},
    )
    assert objection.id is not None
    told = {"notice_id": notice_id, "title": row.title}
    mail_people(
        session,
        _officers(session, row.organisation_id),
        "notice_objection",
        told,
        key=str(objection.id),
        now=now,
    )
    return objection.id


def _officers(session: Session, organisation_id: int) -> list[int]:
    """The owner's people who look after results."""
    m = t(MembershipRow).c
    return list(
        session.scalars(
            sa.select(m.person_id).where(
                m.organisation_id == organisation_id,
                m.role == Role.RESULTS_OFFICER.value,
                m.ended_at.is_(None),
            )
        )
    )


def _objection(session: Session, objection_id: int, notice_id: int) -> Objection:
    statement = sa.select(Objection).where(
        t(Objection).c.id == objection_id,
        t(Objection).c.subject_kind == ObjectionSubject.PRICING_NOTICE.value,
        t(Objection).c.subject_id == notice_id,
    )
    found: Objection | None = session.scalars(
        for_update(statement.execution_options(populate_existing=True), session)
    ).one_or_none()
    if found is None:
        raise NotFound(kind="objection")
    return found


def decide(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    notice_id: int,
    objection_id: int,
    data: DecisionInput,
) -> NoticeState:
    """Answer an objection for the owner; returns the notice's state. Whoever objected is mailed the answer.

    Upheld, the notice stays objected until what it says is changed (its days start anew) or it is
    withdrawn; rejected, it goes on where it was. Raises NotFound, NotAllowed, WrongState.
    """
    row = _mine(session, actor, notice_id, None)
    return _settle(
        session, actor, now, row, _objection(session, objection_id, notice_id),
        ObjectionState.UPHELD if data.upheld else ObjectionState.REJECTED, data.answer,
    )  # fmt: skip


def take_back(
    session: Session, actor: Actor, now: dt.datetime, notice_id: int, objection_id: int
) -> NoticeState:
    """Take one's own objection back. Raises NotFound, NotAllowed, WrongState."""
    row = _notice(session, actor, notice_id, None)
    objection = _objection(session, objection_id, notice_id)
    if actor.person_id is None or objection.filed_by != actor.person_id:
        raise NotAllowed
    return _settle(session, actor, now, row, objection, ObjectionState.WITHDRAWN, "")


def _settle(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    row: PricingNotice,
    objection: Objection,
    to: ObjectionState,
    answer: str,
) -> NoticeState:
    if objection.state != ObjectionState.OPEN.value:
        raise WrongState(state=objection.state, action=to.value)
    before = NoticeState(row.state)
    objection.state, objection.answer = to.value, answer
    objection.decided_at, objection.decided_by = now, actor.person_id
    objection.version += 1
    session.flush()
    # A notice that was signed or withdrawn meanwhile stays so; the objection is answered all the same.
    if (before, NoticeStep.SETTLE) in rules.NOTICE_STEPS:
        open_, upheld = _counts(session, row)
        row.state = rules.settled(
            open_objections=open_, upheld=upheld, today=local_date(now), ends_on=row.ends_on
        ).value
    if to is not ObjectionState.WITHDRAWN and objection.filed_by is not None:
        told = {"notice_id": row.id, "title": row.title, "state": to.value, "answer": answer}
        mail_people(
            session, [objection.filed_by], "notice_objection_answered", told, key=str(objection.id), now=now
        )
    _record(
        session, actor, now, row, NoticeStep.SETTLE, before.value,
        detail={"objection": [ObjectionState.OPEN.value, to.value]}, reason=answer,
    )  # fmt: skip
    return NoticeState(row.state)


def expire_due(session: Session, now: dt.datetime, limit: int = 200) -> list[int]:
    """Mark notices whose last day is over, a bounded number at a time; returns their ids."""
    c = t(PricingNotice).c
    found = overdue(
        session, PricingNotice, c.state == NoticeState.RUNNING.value, c.ends_on < local_date(now), limit=limit
    )
    for row in found:
        _expire(session, now, row)
    return [row.id for row in found if row.id is not None]


def _expire(session: Session, now: dt.datetime, row: PricingNotice) -> None:
    before = row.state
    row.state = NoticeState.EXPIRED.value
    _record(session, SYSTEM, now, row, NoticeStep.EXPIRE, before)


def sign(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    notice_id: int,
    contract_id: int,
    *,
    version: int | None = None,
) -> None:
    """Record that the contract was made after the days were over, at the price and with the transferee of
    the notice. Raises NotFound, NotAllowed, WrongState, Conflict, InvalidInput (another's contract, another
    price, another buyer)."""
    row = _mine(session, actor, notice_id, version)
    if row.state == NoticeState.RUNNING.value and row.ends_on is not None and local_date(now) > row.ends_on:
        _expire(session, now, row)
    before = row.state
    rules.check_notice(NoticeState(before), NoticeStep.SIGN)
    c = t(Contract).c
    contract = session.execute(
        sa.select(c.seller_id, c.buyer_id, c.buyer_name, c.deal_fen).where(c.id == contract_id)
    ).first()
    if contract is None or contract.seller_id != row.organisation_id:
        raise InvalidInput([("contract_id", "unknown_choice", {})])
    problems: list[tuple[str, str, dict[str, Any]]] = []
    same = (
        contract.buyer_id == row.transferee_id
        if row.transferee_id is not None
        else contract.buyer_name == row.transferee_name
    )
    if not same:
        problems.append(("contract_id", "notice_transferee", {"name": row.transferee_name}))
    if contract.deal_fen != row.price_fen:
        problems.append(("contract_id", "notice_price", {"price_fen": row.price_fen}))
    if problems:
        raise InvalidInput(problems)
    row.contract_id, row.state = contract_id, NoticeState.SIGNED.value
    _record(session, actor, now, row, NoticeStep.SIGN, before, detail={"contract_id": [None, contract_id]})


def withdraw(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    notice_id: int,
    reason: str,
    *,
    version: int | None = None,
) -> None:
    """Take a notice back, saying why; what was shown stays to be read."""
    row = _mine(session, actor, notice_id, version)
    before = row.state
    rules.check_notice(NoticeState(before), NoticeStep.WITHDRAW)
    require_reason(reason)
    row.state = NoticeState.WITHDRAWN.value
    _record(session, actor, now, row, NoticeStep.WITHDRAW, before, reason=reason)
