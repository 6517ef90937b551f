"""Verbs on priority rights (同等条件优先受让权, 民法典 847, 859, 860) and their reads. None commits.

The owner's people and staff (`result:edit`) ask and enter what was answered; a waiver needs its file.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.deals.models import Contract
from market.errors import InvalidInput, NotFound
from market.files import rules as file_rules
from market.files import service as files
from market.files.models import Visibility
from market.files.queries import FileView
from market.files.store import FileStore
from market.listings.models import Result
from market.permissions import SYSTEM, Action, Actor, can, reaches, require_party
from market.pricing import rules
from market.pricing.inputs import AnswerInput, PriorityInput
from market.pricing.models import PricingSubject, PriorityAnswer, PriorityBasis, PriorityRight
from market.pricing.recording import add_event, locked, overdue, result_of
from market.pricing.rules import PriorityStep

FILE_KIND = "priority_right"
"""The owner kind of the files that answers come with."""


def ask(session: Session, actor: Actor, now: dt.datetime, result_id: int, data: PriorityInput) -> int:
    """Record that somebody was asked first; returns the right's id.

    Raises NotFound, SignInRequired, NotAllowed, InvalidInput.
    """
    result = result_of(session, result_id)
    if result is None:
        raise NotFound(kind="result")
    require_party(actor, Action.RESULT_EDIT, result.organisation_id)
    if data.asked_on > local_date(now):
        raise InvalidInput([("asked_on", "signed_in_future", {})])
    if data.answer_by < data.asked_on:
        raise InvalidInput([("answer_by", "range_order", {})])
    if data.contract_id is not None:
        seller = session.scalar(
            sa.select(t(Contract).c.seller_id).where(t(Contract).c.id == data.contract_id)
        )
        if seller != result.organisation_id:
            raise InvalidInput([("contract_id", "unknown_choice", {})])
    row = PriorityRight(
        result_id=result_id,
        created_at=now,
        created_by=actor.person_id,
        **{**data.model_dump(), "basis": data.basis.value},
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    add_event(session, actor, now, PricingSubject.PRIORITY, row, PriorityStep.ASK.value, "", row.answer)
    return row.id


def answer(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    store: FileStore,
    right_id: int,
    step: PriorityStep,
    data: AnswerInput,
    *,
    file: tuple[str, bytes] | None = None,
    limit: int = file_rules.MAX_BYTES,
) -> None:
    """Enter a holder's answer. A waiver needs the paper it was given on; the answer's day lies between the
    day of asking and the last day for answering.

    Raises NotFound, NotAllowed, WrongState, InvalidInput, and what a file may raise.
    """
    row = locked(session, PriorityRight, right_id)
    if row is None:
        raise NotFound(kind="priority_right")
    owner = _owner(session, row)
    if not _may_read(actor, owner):
        raise NotFound(kind="priority_right")
    require_party(actor, Action.RESULT_EDIT, owner)
    before = row.answer
    after = rules.after_priority(PriorityAnswer(before), step)
    if data.answered_on > local_date(now):
        raise InvalidInput([("answered_on", "signed_in_future", {})])
    if not row.asked_on <= data.answered_on <= row.answer_by:
        raise InvalidInput(
            [
                (
                    "answered_on",
                    "answer_out_of_time",
                    {"first": row.asked_on.isoformat(), "last": row.answer_by.isoformat()},
                )
            ]
        )
    if file is None and step is PriorityStep.WAIVE:
        raise InvalidInput([("file", "missing", {})])
    if file is not None:
        kept = files.attach(
            session, actor, now, store,
            owner_kind=FILE_KIND, owner_id=right_id, organisation_id=owner,
            name=file[0], content=file[1], visibility=Visibility.PARTIES, limit=limit,
        )  # fmt: skip
        row.attachment_id = kept.id
    row.answer, row.answered_on = after.value, data.answered_on
    row.note = data.note or row.note
    row.version += 1
    add_event(
        session, actor, now, PricingSubject.PRIORITY, row, step.value, before, row.answer,
        detail={"answered_on": [None, data.answered_on]},
    )  # fmt: skip


def _owner(session: Session, row: PriorityRight) -> int:
    owner = session.scalar(sa.select(t(Result).c.organisation_id).where(t(Result).c.id == row.result_id))
    assert owner is not None
    return owner


def _may_read(actor: Actor, owner_id: int) -> bool:
    return reaches(actor, Action.RESULT_EDIT, owner_id) or can(actor, Action.CONTRACT_REGISTER)


def expire_due(session: Session, now: dt.datetime, limit: int = 200) -> list[int]:
    """Mark as silent those who let their day pass, a bounded number at a time; returns the rights' ids."""
    c = t(PriorityRight).c
    found = overdue(
        session,
        PriorityRight,
        c.answer == PriorityAnswer.WAITING.value,
        c.answer_by < local_date(now),
        limit=limit,
    )
    for row in found:
        before = row.answer
        row.answer = rules.after_priority(PriorityAnswer(before), PriorityStep.FALL_SILENT).value
        row.version += 1
        step = PriorityStep.FALL_SILENT.value
        add_event(session, SYSTEM, now, PricingSubject.PRIORITY, row, step, before, row.answer)
    return [row.id for row in found if row.id is not None]


@dataclass(frozen=True)
class RightView:
    """A priority right as its owner, the parties of its contract and officials see it."""

    id: int
    result_id: int
    contract_id: int | None
    basis: PriorityBasis
    holder_name: str
    asked_on: dt.date
    answer_by: dt.date
    answer: PriorityAnswer
    answered_on: dt.date | None
    attachment_id: int | None
    note: str
    version: int


_VIEW = tuple(RightView.__dataclass_fields__)


def rights_of(
    session: Session, *, result_id: int | None = None, contract_id: int | None = None
) -> list[RightView]:
    """The priority rights about a result, or those named for a contract and those about its result that name
    no contract, oldest first. Who may see them is the caller's question."""
    p, c = t(PriorityRight).c, t(Contract).c
    if contract_id is None:
        where = p.result_id == result_id
    else:
        about = sa.select(c.result_id).where(c.id == contract_id).scalar_subquery()
        where = sa.or_(p.contract_id == contract_id, sa.and_(p.contract_id.is_(None), p.result_id == about))
    rows = session.execute(sa.select(*(p[name] for name in _VIEW)).where(where).order_by(p.id).limit(200))
    found = []
    for row in rows.mappings():
        values = dict(row)
        values["basis"] = PriorityBasis(values["basis"])
        values["answer"] = PriorityAnswer(values["answer"])
        found.append(RightView(**values))
    return found


def may_open(session: Session, actor: Actor, file: FileView) -> bool:
    """Whether the actor may open the file of an answer: the owner's people, officials, and the parties of
    the contract that the right is named for."""
    row = session.get(PriorityRight, file.owner_id)
    if row is None:
        return False
    if _may_read(actor, file.organisation_id):
        return True
    if row.contract_id is None:
        return False
    c = t(Contract).c
    parties = session.execute(sa.select(c.seller_id, c.buyer_id).where(c.id == row.contract_id)).one()
    return reaches(actor, Action.CONTRACT_READ, *parties)
