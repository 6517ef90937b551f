"""Verbs on suggested pairs. Those of people are for brokers and staff, take the version that was read
(Conflict, field `version`, when somebody was faster), and raise NotFound and WrongState.

Every step is an event, which is never edited; decisions stand in the audit too, and judge the match.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market import audit
from market.clock import local_date
from market.db import Session, for_update, t, upsert
from market.demands.models import Demand
from market.enquiries.pairing import Introduced, introduce
from market.errors import Conflict, InvalidInput, NotFound
from market.listings.lifecycle import of_verified
from market.listings.models import ListingState, Result
from market.parties.mail import mail_people
from market.parties.models import MembershipRow, Person
from market.permissions import SYSTEM, Action, Actor, Role, require
from matching import judgments
from matching.models import Judgment, JudgmentSource, Proposal, ProposalEvent, ProposalState
from matching.proposals import rules
from matching.proposals.inputs import AcceptInput, AssignInput, RejectInput, SnoozeInput
from matching.proposals.rules import PairGone, ProposalStep
from matching.scoring import Reason

CHUNK = 200
"""Pairs returned or lapsed at a time."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A result that may answer a demand, as it was scored: best first in a list of them."""

    result_id: int
    band: str
    rank: int
    reasons: tuple[Reason, ...]


def suggest(
    session: Session,
    now: dt.datetime,
    demand_id: int,
    found: Sequence[Suggestion],
    weights_id: int | None = None,
) -> int:
    """Bring the queue of one demand up to what was found for it; returns how many pairs are new.

    Pairs already suggested are scored anew, those no longer found lapse unless somebody holds or put them
    off; what was decided stays as it is. Safe to repeat. Does nothing for a demand that is not on offer.
    """
    c = t(Demand).c
    industry = session.scalar(
        sa.select(c.industry_code).where(
            c.id == demand_id, c.state == ListingState.PUBLISHED.value, of_verified(c)
        )
    )
    if industry is None:
        return 0
    known = _of_demand(session, demand_id)
    decided = frozenset(one for one, row in known.items() if row.state not in (*rules.UNDECIDED, "lapsed"))
    scores = {one.result_id: one for one in found}
    wanted = set(rules.chosen(scores, decided))
    for result_id, row in known.items():
        if result_id in decided:
            continue
        score = scores.get(result_id)
        if score is not None:
            _score(row, score, industry, weights_id, now)
            if row.state == ProposalState.LAPSED and result_id in wanted:
                _move(session, SYSTEM, now, row, ProposalStep.RETURN)
        elif row.state == ProposalState.SUGGESTED and row.assigned_to is None:
            _move(session, SYSTEM, now, row, ProposalStep.LAPSE, {"reason": "score"})
    fresh = [scores[one] for one in scores if one in wanted and one not in known]
    return _insert(session, now, demand_id, industry, fresh, weights_id)


def _of_demand(session: Session, demand_id: int) -> dict[int, Proposal]:
    statement = sa.select(Proposal).where(t(Proposal).c.demand_id == demand_id).order_by(t(Proposal).c.id)
    rows = session.scalars(for_update(statement.execution_options(populate_existing=True), session))
    return {row.result_id: row for row in rows}


def _score(row: Proposal, score: Suggestion, industry: str, weights_id: int | None, now: dt.datetime) -> None:
    # Not a new version: a broker who is about to decide is not to be stopped by a score.
    values = {
        "band": score.band, "rank": score.rank, "reasons": _plain(score.reasons),
        "industry_code": industry, "weights_id": weights_id,
    }  # fmt: skip
    if any(getattr(row, name) != value for name, value in values.items()):
        for name, value in values.items():
            setattr(row, name, value)
        row.updated_at = now


def _plain(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    return [
        {
            "part": one.part.value,
            "code": one.code.value,
            "value": one.value,
            "params": {
                key: list(value) if isinstance(value, tuple) else value for key, value in one.params.items()
            },
        }
        for one in reasons
    ]


def _insert(
    session: Session,
    now: dt.datetime,
    demand_id: int,
    industry: str,
    found: Sequence[Suggestion],
    weights_id: int | None,
) -> int:
    rows = [
        {
            "demand_id": demand_id,
            "result_id": one.result_id,
            "industry_code": industry,
            "band": one.band,
            "rank": one.rank,
            "reasons": _plain(one.reasons),
            "weights_id": weights_id,
            "state": ProposalState.SUGGESTED.value,
            "note": "",
            "version": 1,
            "created_at": now,
            "updated_at": now,
        }
        for one in found
    ]
    # Another worker may have been there between the look and now: what it has made is left to it.
    if not upsert(session, t(Proposal), rows, key=("demand_id", "result_id")):
        return 0
    p, e = t(Proposal).c, t(ProposalEvent).c
    made = session.scalars(
        sa.select(p.id)
        .where(
            p.demand_id == demand_id,
            p.result_id.in_([one.result_id for one in found]),
            ~sa.exists().where(e.proposal_id == p.id),
        )
        .order_by(p.id)
    ).all()
    for proposal_id in made:
        _tell(session, SYSTEM, now, proposal_id, ProposalStep.SUGGEST, {})
    return len(made)


def _tell(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    proposal_id: int,
    step: ProposalStep,
    params: Mapping[str, Any],
) -> None:
    session.add(
        ProposalEvent(
            proposal_id=proposal_id,
            step=step.value,
            person_id=actor.person_id,
            params=dict(params),
            at=now,
        )
    )


def _move(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    row: Proposal,
    step: ProposalStep,
    params: Mapping[str, Any] | None = None,
) -> None:
    row.state = rules.after(row.state, step).value
    if row.state != ProposalState.SNOOZED:
        row.snoozed_until = None
    row.version += 1
    row.updated_at = now
    assert row.id is not None
    _tell(session, actor, now, row.id, step, params or {})


def return_snoozed(session: Session, now: dt.datetime) -> int:
    """Bring back what was put off until today or before; returns how many."""
    c = t(Proposal).c
    rows = _some(session, c.state == ProposalState.SNOOZED.value, c.snoozed_until <= local_date(now))
    for row in rows:
        _move(session, SYSTEM, now, row, ProposalStep.RETURN)
    return len(rows)


def lapse_gone(session: Session, now: dt.datetime) -> int:
    """Take undecided pairs out of the queue of which a side is no longer on offer; returns how many."""
    rows = _some(session, gone())
    for row in rows:
        _move(session, SYSTEM, now, row, ProposalStep.LAPSE, {"reason": "gone"})
    return len(rows)


def gone() -> sa.ColumnElement[bool]:
    """The condition that a pair is undecided and one of its sides is not on offer."""
    c, d, r = t(Proposal).c, t(Demand).c, t(Result).c
    published = ListingState.PUBLISHED.value
    wanted = sa.exists().where(d.id == c.demand_id, d.state == published, of_verified(d))
    offered = sa.exists().where(r.id == c.result_id, r.state == published, of_verified(r))
    undecided = c.state.in_([state.value for state in rules.UNDECIDED])
    return sa.and_(undecided, sa.or_(~wanted, ~offered))


def _some(session: Session, *where: sa.ColumnElement[bool]) -> list[Proposal]:
    statement = sa.select(Proposal).where(*where).order_by(t(Proposal).c.id).limit(CHUNK)
    return list(
        session.scalars(for_update(statement.execution_options(populate_existing=True), session)).all()
    )


def _locked(session: Session, actor: Actor, proposal_id: int, version: int) -> Proposal:
    require(actor, Action.ENQUIRY_OVERSEE)
    statement = sa.select(Proposal).where(t(Proposal).c.id == proposal_id)
    row: Proposal | None = session.scalars(
        for_update(statement.execution_options(populate_existing=True), session)
    ).one_or_none()
    if row is None:
        raise NotFound(kind="proposal")
    if row.version != version:
        raise Conflict(field="version", current=row.version)
    return row


def workers(session: Session) -> dict[int, str]:
    """Who works the queue: brokers and staff, id → name. One statement."""
    m, p = t(MembershipRow).c, t(Person).c
    rows = session.execute(
        sa.select(p.id, p.name)
        .distinct()
        .join_from(t(MembershipRow), t(Person), m.person_id == p.id)
        .where(m.ended_at.is_(None), p.active.is_(True), m.role.in_([Role.BROKER.value, Role.STAFF.value]))
        .order_by(p.name, p.id)
        .limit(500)
    )
    return {row.id: row.name for row in rows}


def assign(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    proposal_id: int,
    data: AssignInput,
    version: int,
) -> None:
    """Give a pair to somebody who works the queue, who is told, or to nobody. Raises InvalidInput."""
    row = _locked(session, actor, proposal_id, version)
    if data.person_id is not None and data.person_id not in workers(session):
        raise InvalidInput([("person_id", "not_a_follower", {})])
    before = {"assigned_to": row.assigned_to}
    row.assigned_to = data.person_id
    _move_assigned(session, actor, now, row)
    audit.record(
        session, actor, "proposal.assigned", proposal_id, now, before=before,
        after={"assigned_to": data.person_id},
    )  # fmt: skip
    if data.person_id is not None and data.person_id != actor.person_id:
        title = session.scalar(sa.select(t(Demand).c.title).where(t(Demand).c.id == row.demand_id))
        told = {"proposal_id": proposal_id, "title": title, "by": actor.name}
        mail_people(
            session, [data.person_id], "proposal_assigned", told, key=f"{proposal_id}:v{row.version}", now=now
        )


def _move_assigned(session: Session, actor: Actor, now: dt.datetime, row: Proposal) -> None:
    until = row.snoozed_until
    _move(session, actor, now, row, ProposalStep.ASSIGN, {"person_id": row.assigned_to})
    row.snoozed_until = until
    session.flush()


def accept(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    proposal_id: int,
    data: AcceptInput,
    version: int,
) -> Introduced:
    """Bring the two together: an enquiry is opened, or the one that is going on is named.

    Raises PairGone when a side is no longer on offer, InvalidInput for a day that is past.
    """
    row = _locked(session, actor, proposal_id, version)
    rules.after(row.state, ProposalStep.ACCEPT)
    words = [
        word
        for reason in row.reasons
        if reason.get("code") == "shared_words"
        for word in reason.get("params", {}).get("words", ())
    ]
    try:
        made = introduce(session, actor, now, row.demand_id, row.result_id, data, words=words)
    except NotFound:
        raise PairGone(field="version") from None
    row.enquiry_id = made.enquiry_id
    row.assigned_to = row.assigned_to or actor.person_id
    _decide(session, actor, now, row, ProposalStep.ACCEPT, data.note, {"linked": made.linked})
    judgments.record(
        session, actor, now, row.demand_id, row.result_id, rules.ACCEPTED_LEVEL, JudgmentSource.QUEUE
    )
    return made


def reject(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    proposal_id: int,
    data: RejectInput,
    version: int,
) -> None:
    """Turn a pair down, with a coded reason. It is not suggested again. Raises InvalidInput."""
    row = _locked(session, actor, proposal_id, version)
    rules.check_rejection(data.reason, data.note)
    row.reject_reason = data.reason.value
    _decide(session, actor, now, row, ProposalStep.REJECT, data.note, {"reason": data.reason.value})
    level = rules.LEVELS.get(data.reason)
    if level is not None:
        judgments.record(session, actor, now, row.demand_id, row.result_id, level, JudgmentSource.QUEUE)


def _decide(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    row: Proposal,
    step: ProposalStep,
    note: str,
    params: Mapping[str, Any],
) -> None:
    before = {"state": row.state}
    row.note = note
    row.decided_by, row.decided_at = actor.person_id, now
    _move(session, actor, now, row, step, params)
    assert row.id is not None
    audit.record(
        session, actor, f"proposal.{step.value}", row.id, now, before=before,
        after={"state": row.state, **params}, reason=note or None,
    )  # fmt: skip
    session.flush()


def snooze(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    proposal_id: int,
    data: SnoozeInput,
    version: int,
) -> None:
    """Put a pair off until a day; whoever does so keeps it unless somebody has it. Raises InvalidInput."""
    row = _locked(session, actor, proposal_id, version)
    rules.check_snooze(data.until, now)
    _move(session, actor, now, row, ProposalStep.SNOOZE, {"until": data.until.isoformat()})
    row.snoozed_until, row.note = data.until, data.note
    row.assigned_to = row.assigned_to or actor.person_id
    audit.record(
        session, actor, "proposal.snoozed", proposal_id, now, after={"until": data.until.isoformat()}
    )
    session.flush()


def reopen(session: Session, actor: Actor, now: dt.datetime, proposal_id: int, version: int) -> None:
    """Undo a rejection or a putting off: the pair is in the queue again, and its judgment is taken back."""
    row = _locked(session, actor, proposal_id, version)
    before = {"state": row.state}
    c = t(Judgment).c
    session.execute(
        sa.delete(t(Judgment)).where(
            c.demand_id == row.demand_id,
            c.result_id == row.result_id,
            c.person_id == row.decided_by,
            c.source == JudgmentSource.QUEUE.value,
        )
    )
    row.reject_reason = row.decided_by = row.decided_at = None
    row.assigned_to = actor.person_id
    _move(session, actor, now, row, ProposalStep.REOPEN)
    audit.record(
        session, actor, "proposal.reopened", proposal_id, now, before=before, after={"state": row.state}
    )
    session.flush()
