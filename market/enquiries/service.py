"""Verbs on enquiries (对接). Each raises NotFound for an enquiry that the actor may not know of, NotAllowed
for a step that is not theirs to take, WrongState for one that the state does not allow.

Every step is told in the thread as a message of kind `step` (its body is `step` and what belongs to it
as JSON text: sentences are for the pages), recorded in the audit, and mailed to those it concerns.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import sqlalchemy as sa

from market import audit
from market.clock import local_date
from market.db import Session, for_update, t
from market.demands.models import Demand
from market.enquiries import rules
from market.enquiries.inputs import EnquiryInput, NextStepInput, PassInput, SubjectKind
from market.enquiries.models import Enquiry, EnquiryState
from market.enquiries.rules import Side, Step
from market.enquiries.thread import asking_people, day_text, mail, owner_people, say, tell, touch
from market.errors import Duplicate, InvalidInput, NotAllowed, NotFound
from market.listings.lifecycle import of_verified
from market.listings.models import ListingState, Result
from market.parties.models import MembershipRow, Organisation, Person
from market.permissions import SYSTEM, Action, Actor, Role, can, require
from market.work import enqueue


def sides_of(
    actor: Actor, from_person_id: int, from_organisation_id: int | None, to_organisation_id: int
) -> frozenset[Side]:
    """On which sides of an enquiry an actor stands; none for a stranger."""
    sides = set()
    if actor.person_id is not None and actor.person_id == from_person_id:
        sides.add(Side.ASKING)
    if from_organisation_id is not None and can(actor, Action.ENQUIRY_READ, from_organisation_id):
        mine = {m.organisation_id for m in actor.memberships if m.verified}
        if from_organisation_id in mine:
            sides.add(Side.ASKING)
    if can(actor, Action.ENQUIRY_OVERSEE):
        sides.add(Side.MARKET)
    follow = actor.organisations_for(Action.ENQUIRY_FOLLOW)
    own = {m.organisation_id for m in actor.memberships if m.verified and m.role in _OWNERS}
    if to_organisation_id in own and (follow is None or to_organisation_id in follow):
        sides.add(Side.OWNER)
    return frozenset(sides)


_OWNERS = (Role.RESULTS_OFFICER, Role.DEMAND_OWNER, Role.BROKER, Role.STAFF)
"""Roles whose holders answer for their own organisation."""


def may_read(actor: Actor, enquiry: Any) -> bool:
    """Whether an actor may know of an enquiry (anything with its columns)."""
    return bool(
        sides_of(actor, enquiry.from_person_id, enquiry.from_organisation_id, enquiry.to_organisation_id)
    ) or can(actor, Action.ENQUIRY_READ, enquiry.to_organisation_id)


def _enquiry(session: Session, actor: Actor, enquiry_id: int) -> tuple[Enquiry, frozenset[Side]]:
    statement = (
        sa.select(Enquiry).where(t(Enquiry).c.id == enquiry_id).execution_options(populate_existing=True)
    )
    row: Enquiry | None = session.scalars(for_update(statement, session)).one_or_none()
    if row is None or not may_read(actor, row):
        raise NotFound(kind="enquiry")
    return row, sides_of(actor, row.from_person_id, row.from_organisation_id, row.to_organisation_id)


def open_enquiry(session: Session, actor: Actor, now: dt.datetime, data: EnquiryInput) -> int:
    """Ask about a published result, or answer a published demand; returns the enquiry's id.

    Raises NotFound for a subject that is not on offer, InvalidInput for one's own, and Duplicate (with the
    other's id as `value`) when the same party has an enquiry about it that is not finished.
    """
    require(actor, Action.ENQUIRY_CREATE)
    asker = _asking_organisation(actor, data.from_organisation_id)
    subject = _subject(session, data.subject_kind, data.subject_id)
    if subject.organisation_id in {m.organisation_id for m in actor.memberships if m.verified}:
        raise InvalidInput([("subject_id", "own_listing", {})])
    if data.offered_result_id is not None:
        _check_offer(session, data, asker)
    open_one = find_active(session, actor, data.subject_kind, data.subject_id, asker)
    if open_one is not None:
        raise Duplicate(field="body", value=open_one)
    promised = session.scalar(
        sa.select(t(Organisation).c.promised_reply_hours).where(
            t(Organisation).c.id == subject.organisation_id
        )
    )
    assert actor.person_id is not None
    row = Enquiry(
        subject_kind=data.subject_kind.value,
        subject_id=data.subject_id,
        offered_result_id=data.offered_result_id,
        from_organisation_id=asker,
        from_person_id=actor.person_id,
        to_organisation_id=subject.organisation_id,
        state=EnquiryState.OPEN.value,
        due_on=rules.reply_due(now, promised),
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    say(session, row.id, actor, now, data.body)
    audit.record(
        session, actor, "enquiry.opened", row.id, now,
        after={"subject": f"{data.subject_kind.value}:{data.subject_id}", "to": subject.organisation_id},
    )  # fmt: skip
    mail(session, row, actor, now, "enquiry_new", owner_people(session, row), key="opened")
    return row.id


def _asking_organisation(actor: Actor, chosen: int | None) -> int:
    mine = list(dict.fromkeys(m.organisation_id for m in actor.memberships if m.verified))
    if chosen is None and len(mine) == 1:
        return mine[0]
    if chosen is None:
        raise InvalidInput([("from_organisation_id", "missing", {})])
    if chosen not in mine:
        raise InvalidInput([("from_organisation_id", "not_your_organisation", {})])
    return chosen


def _subject(session: Session, kind: SubjectKind, subject_id: int) -> Any:
    c = t(Result if kind is SubjectKind.RESULT else Demand).c
    statement = sa.select(c.organisation_id, c.state, c.title).where(c.id == subject_id, of_verified(c))
    row = session.execute(statement).first()
    if row is None or row.state != ListingState.PUBLISHED.value:
        raise NotFound(kind=kind.value)
    return row


def _check_offer(session: Session, data: EnquiryInput, asker: int) -> None:
    if data.subject_kind is not SubjectKind.DEMAND:
        raise InvalidInput([("offered_result_id", "only_for_demands", {})])
    c = t(Result).c
    row = session.execute(sa.select(c.organisation_id, c.state).where(c.id == data.offered_result_id)).first()
    if row is None or (row.state != ListingState.PUBLISHED.value and row.organisation_id != asker):
        raise InvalidInput([("offered_result_id", "unknown_result", {})])


def find_active(
    session: Session, actor: Actor, kind: SubjectKind, subject_id: int, organisation_id: int | None
) -> int | None:
    """The enquiry about a subject that a party has not finished, if any."""
    c = t(Enquiry).c
    return session.scalar(
        sa.select(c.id).where(
            c.subject_kind == kind.value,
            c.subject_id == subject_id,
            c.state.in_([state.value for state in rules.ACTIVE]),
            c.from_person_id == actor.person_id
            if organisation_id is None
            else c.from_organisation_id == organisation_id,
        ).order_by(c.id).limit(1)
    )  # fmt: skip


def reply(session: Session, actor: Actor, now: dt.datetime, enquiry_id: int, body: str) -> None:
    """Write into the thread. The owner's first reply answers the enquiry and stops the reply clock."""
    row, sides = _enquiry(session, actor, enquiry_id)
    if not sides:
        raise NotAllowed(action=Action.ENQUIRY_FOLLOW.value)
    rules.after(row.state, Step.FOLLOW)
    say(session, enquiry_id, actor, now, body)
    if Side.OWNER in sides and row.first_reply_at is None:
        row.first_reply_at = now
        row.due_on = rules.due_after_answer(now, row.for_demand_id is not None)
        if row.due_on is not None:
            row.next_step = ""
        if row.state == EnquiryState.OPEN.value:
            row.state = rules.after(row.state, Step.ANSWER).value
        if row.owner_person_id is None:
            row.owner_person_id = actor.person_id
        audit.record(session, actor, "enquiry.answered", enquiry_id, now, after={"state": row.state})
    touch(session, row, now)
    people = owner_people(session, row) if Side.ASKING in sides else asking_people(row)
    if Side.MARKET in sides and not sides & {Side.ASKING, Side.OWNER}:
        people = {*people, *owner_people(session, row)}
    mail(session, row, actor, now, "enquiry_reply", people, key=f"v{row.version}")


def set_next_step(
    session: Session, actor: Actor, now: dt.datetime, enquiry_id: int, data: NextStepInput
) -> None:
    """Say what is to be done next and by which day."""
    row = _stepping(session, actor, enquiry_id, Step.FOLLOW)
    if data.due_on is not None and data.due_on < local_date(now):
        raise InvalidInput([("due_on", "date_past", {})])
    before = {"next_step": row.next_step, "due_on": row.due_on}
    row.next_step, row.due_on = data.next_step, data.due_on
    tell(session, row, actor, now, "next_step", {"text": data.next_step, "due_on": day_text(data.due_on)})
    audit.record(
        session, actor, "enquiry.step_set", enquiry_id, now, before=before,
        after={"next_step": row.next_step, "due_on": row.due_on},
    )  # fmt: skip
    touch(session, row, now)


def take(session: Session, actor: Actor, now: dt.datetime, enquiry_id: int) -> None:
    """Follow an enquiry up oneself."""
    row = _stepping(session, actor, enquiry_id, Step.FOLLOW)
    assert actor.person_id is not None
    _give(session, actor, now, row, actor.person_id)


def assign(session: Session, actor: Actor, now: dt.datetime, enquiry_id: int, person_id: int) -> None:
    """Give an enquiry to somebody of the owner's organisation, a broker or staff."""
    row = _stepping(session, actor, enquiry_id, Step.FOLLOW)
    if person_id not in followers(session, row.to_organisation_id):
        raise InvalidInput([("person_id", "not_a_follower", {})])
    _give(session, actor, now, row, person_id)
    mail(session, row, actor, now, "enquiry_assigned", [person_id], key=f"v{row.version}")


def _give(session: Session, actor: Actor, now: dt.datetime, row: Enquiry, person_id: int) -> None:
    before = {"owner": row.owner_person_id}
    row.owner_person_id = person_id
    name = session.scalar(sa.select(t(Person).c.name).where(t(Person).c.id == person_id))
    tell(session, row, actor, now, "taken", {"person": name})
    audit.record(
        session, actor, "enquiry.assigned", row.id or 0, now, before=before, after={"owner": person_id}
    )
    touch(session, row, now)


def followers(session: Session, organisation_id: int) -> dict[int, str]:
    """Who may follow up an enquiry to an organisation: id → name. One statement."""
    m, p = t(MembershipRow).c, t(Person).c
    rows = session.execute(
        sa.select(p.id, p.name)
        .distinct()
        .join_from(t(MembershipRow), t(Person), m.person_id == p.id)
        .where(
            m.ended_at.is_(None),
            p.active.is_(True),
            sa.or_(
                m.role.in_([Role.BROKER.value, Role.STAFF.value]),
                sa.and_(m.organisation_id == organisation_id, m.role.in_([role.value for role in _OWNERS])),
            ),
        )
        .order_by(p.name, p.id)
        .limit(500)
    )
    return {row.id: row.name for row in rows}


def negotiate(session: Session, actor: Actor, now: dt.datetime, enquiry_id: int) -> None:
    """Both sides talk terms."""
    row = _stepping(session, actor, enquiry_id, Step.NEGOTIATE)
    _move(session, actor, now, row, Step.NEGOTIATE, {})


def pass_on(session: Session, actor: Actor, now: dt.datetime, enquiry_id: int, data: PassInput) -> None:
    """Say no, with a coded reason that the other side sees; `reinvite_trl` asks to hear again.

    A readiness to hear again at must be above the result's present one (InvalidInput), and there must be
    a result to speak of.
    """
    row = _stepping(session, actor, enquiry_id, Step.DECLINE)
    if data.reinvite_trl is not None:
        result_id = row.subject_id if row.subject_kind == SubjectKind.RESULT.value else row.offered_result_id
        if result_id is None:
            raise InvalidInput([("reinvite_trl", "no_result", {})])
        trl = session.scalar(sa.select(t(Result).c.trl).where(t(Result).c.id == result_id))
        if trl is not None and data.reinvite_trl <= trl:
            raise InvalidInput([("reinvite_trl", "trl_reached", {"trl": trl})])
    row.pass_reason = data.reason.value
    row.reinvite_trl = data.reinvite_trl
    row.reinvited_at = None
    row.outcome = data.note
    told = {"reason": data.reason.value, "trl": data.reinvite_trl, "note": data.note}
    _move(session, actor, now, row, Step.DECLINE, told)


def withdraw(session: Session, actor: Actor, now: dt.datetime, enquiry_id: int, reason: str = "") -> None:
    """Take one's own enquiry back."""
    row = _stepping(session, actor, enquiry_id, Step.WITHDRAW)
    row.outcome = reason
    _move(session, actor, now, row, Step.WITHDRAW, {"note": reason})


def agree(session: Session, actor: Actor, now: dt.datetime, enquiry_id: int, outcome: str = "") -> None:
    """Both sides have agreed; the contract is drafted in the room above."""
    row = _stepping(session, actor, enquiry_id, Step.AGREE)
    row.outcome = outcome
    _move(session, actor, now, row, Step.AGREE, {"note": outcome})


def resume(session: Session, actor: Actor, now: dt.datetime, enquiry_id: int) -> None:
    """Take up a passed enquiry again after the result has reached the readiness that was asked for."""
    row = _stepping(session, actor, enquiry_id, Step.RESUME)
    if row.reinvited_at is None:
        raise NotAllowed(action=Step.RESUME.value)
    row.pass_reason = None
    _move(session, actor, now, row, Step.RESUME, {})


def reinvite_due(session: Session, now: dt.datetime, result_id: int, trl: int) -> list[int]:
    """Tell those who passed on a result and asked to hear again at a readiness it has now reached.

    Returns the enquiries; each is told once. Safe to repeat.
    """
    c = t(Enquiry).c
    about = sa.or_(
        sa.and_(c.subject_kind == SubjectKind.RESULT.value, c.subject_id == result_id),
        c.offered_result_id == result_id,
    )
    statement = (
        sa.select(Enquiry)
        .where(about, c.state == EnquiryState.PASSED.value, c.reinvite_trl <= trl, c.reinvited_at.is_(None))
        .order_by(c.id)
        .limit(500)
    )
    rows = list(session.scalars(for_update(statement, session)))
    for row in rows:
        row.reinvited_at = now
        tell(session, row, SYSTEM, now, "reinvited", {"trl": trl})
        asked = row.subject_kind == SubjectKind.RESULT.value
        people = asking_people(row) if asked else owner_people(session, row)
        touch(session, row, now)
        mail(session, row, SYSTEM, now, "enquiry_reinvited", people, key="reinvited", trl=trl)
        audit.record(session, SYSTEM, "enquiry.reinvited", row.id or 0, now, after={"trl": trl})
    return [row.id for row in rows if row.id is not None]


def _stepping(session: Session, actor: Actor, enquiry_id: int, step: Step) -> Enquiry:
    row, sides = _enquiry(session, actor, enquiry_id)
    if not rules.TAKERS[step] & sides:
        raise NotAllowed(action=step.value)
    rules.after(row.state, step)
    return row


def _move(
    session: Session, actor: Actor, now: dt.datetime, row: Enquiry, step: Step, told: dict[str, Any]
) -> None:
    before = {"state": row.state}
    row.state = rules.after(row.state, step).value
    if EnquiryState(row.state) not in rules.ACTIVE:
        row.due_on = None
    tell(session, row, actor, now, step.value, told)
    audit.record(
        session, actor, f"enquiry.{_DONE[step]}", row.id or 0, now, before=before,
        after={"state": row.state, **{key: value for key, value in told.items() if value}},
    )  # fmt: skip
    touch(session, row, now)
    _leave_word(session, actor, now, row, step)
    people = {*asking_people(row), *owner_people(session, row)}
    mail(session, row, actor, now, "enquiry_step", people, key=f"v{row.version}", step=step.value, **told)


def _leave_word(session: Session, actor: Actor, now: dt.datetime, row: Enquiry, step: Step) -> None:
    """Leave as work what a step says of how well a demand and a result fit, for the room above to keep."""
    asked = row.subject_kind == SubjectKind.RESULT.value
    demand_id, result_id = (
        (row.for_demand_id, row.subject_id) if asked else (row.subject_id, row.offered_result_id)
    )
    related = rules.word_on_pair(step, row.pass_reason)
    if related is None or demand_id is None or result_id is None or actor.person_id is None:
        return
    wanting = row.from_organisation_id if asked else row.to_organisation_id
    own = {m.organisation_id for m in actor.memberships if m.verified}
    payload = {
        "demand_id": demand_id, "result_id": result_id, "related": related, "person_id": actor.person_id,
        "organisation_id": wanting if wanting in own else None,
    }  # fmt: skip
    enqueue(session, "enquiry.judged", payload, key=f"{row.id}:v{row.version}", now=now)


_DONE = {
    Step.NEGOTIATE: "negotiating", Step.AGREE: "agreed", Step.DECLINE: "passed", Step.WITHDRAW: "withdrawn",
    Step.RESUME: "resumed",
}  # fmt: skip
