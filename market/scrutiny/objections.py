"""Objections (异议) to registered contracts. They run beside the contract's own states.

    open ──uphold──► upheld
      ├───reject───► rejected
      └──withdraw──► withdrawn          (by whoever filed it)

Anybody may object to a contract that the public may know of. Who objected is known to officials alone: the parties
read the grounds, the public that there is an objection and what was answered. What follows from an objection that
is upheld (an amendment, a revocation) is a step of its own.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import Field

from market import audit
from market.db import Session, for_update, t
from market.deals import rules
from market.deals.inputs import Key
from market.deals.models import Contract, ContractState
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound, SignInRequired, WrongState
from market.inputs import Email, Input, Line, Text
from market.parties.mail import mail_people
from market.parties.models import Organisation, Person
from market.permissions import Action, Actor, reaches, require
from market.scrutiny.models import Objection, ObjectionState, ObjectionSubject
from market.scrutiny.recipients import officials, party_people
from market.work import enqueue

_S = ObjectionState
UNKNOWN_LANGUAGE = "zh-Hans"
"""In which a visitor is answered."""
DECISIONS = (_S.UPHELD, _S.REJECTED)


class ObjectionInput(Input):
    """What somebody holds against a registration, and where the answer goes."""

    objector_name: Annotated[Line, Field(min_length=1, max_length=200)]
    contact: Email
    grounds: Annotated[Text, Field(min_length=10, max_length=5000)]
    organisation_id: Annotated[Key, Field(description="One's own organisation, if it objects.")] | None = None


class DecisionInput(Input):
    """What an official finds."""

    state: Annotated[ObjectionState, Field(description="`upheld` or `rejected`.")]
    answer: Annotated[Text, Field(min_length=1, max_length=5000)]


def file(session: Session, actor: Actor, now: dt.datetime, contract_id: int, data: ObjectionInput) -> int:
    """Object to a registered contract; returns the objection's id. Parties and officials are mailed.

    Raises NotFound, WrongState once the contract has ended,
    InvalidInput for an organisation that is not the actor's.
    """
    contract = session.get(Contract, contract_id)
    if contract is None or ContractState(contract.state) not in rules.PUBLIC:
        raise NotFound
    if ContractState(contract.state) is not ContractState.REGISTERED:
        raise WrongState(state=contract.state, action="object")
    name = data.objector_name
    if data.organisation_id is not None:
        if data.organisation_id not in actor.organisation_ids:
            raise InvalidInput([("organisation_id", "unknown_choice", {})])
        o = t(Organisation).c
        name = session.scalar(sa.select(o.name).where(o.id == data.organisation_id)) or name
    row = Objection(
        subject_kind=ObjectionSubject.CONTRACT.value,
        subject_id=contract_id,
        organisation_id=data.organisation_id,
        objector_name=name,
        contact=data.contact,
        grounds=data.grounds,
        filed_at=now,
        filed_by=actor.person_id,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    audit.record(session, actor, "contract.objection_filed", contract_id, now, after={"objection_id": row.id})
    told = {"contract_id": contract_id, "title": contract.title, "local_number": contract.local_number}
    people = {*party_people(session, contract), *officials(session)}
    mail_people(session, people, "objection_filed", told, key=str(row.id), now=now)
    session.flush()
    return row.id


def decide(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    contract_id: int,
    objection_id: int,
    data: DecisionInput,
    *,
    version: int | None = None,
) -> None:
    """Answer an objection to a contract. Parties and objector are mailed the answer.

    Raises NotFound, NotAllowed, WrongState (it is not open), Conflict, InvalidInput (no decision).
    """
    require(actor, Action.CONTRACT_REGISTER)
    row = _locked(session, contract_id, objection_id)
    if version is not None and row.version != version:
        raise Conflict(current=row.version)
    if data.state not in DECISIONS:
        raise InvalidInput([("state", "unknown_choice", {})])
    _close(row, data.state, now, actor, data.answer)
    contract = session.get(Contract, row.subject_id)
    assert contract is not None
    audit.record(
        session, actor, f"contract.objection_{data.state.value}", row.subject_id, now,
        after={"objection_id": objection_id, "answer": data.answer},
    )  # fmt: skip
    told = {
        "contract_id": row.subject_id,
        "title": contract.title,
        "local_number": contract.local_number,
        "state": data.state.value,
        "answer": data.answer,
    }
    mail_people(
        session, party_people(session, contract), "objection_answered", told, key=str(objection_id), now=now
    )
    p = t(Person).c
    language = session.scalar(sa.select(p.language).where(p.id == row.filed_by)) or UNKNOWN_LANGUAGE
    payload = {
        "to": row.contact, "template": "objection_answered", "language": language, "params": told,
    }  # fmt: skip
    enqueue(session, "mail.send", payload, key=f"objection_answered:{objection_id}:objector", now=now)
    session.flush()


def withdraw(session: Session, actor: Actor, now: dt.datetime, contract_id: int, objection_id: int) -> None:
    """Take one's own objection back.

    Raises SignInRequired, NotFound, NotAllowed for anybody else's, WrongState.
    """
    if actor.person_id is None:
        raise SignInRequired
    row = _locked(session, contract_id, objection_id)
    if row.filed_by != actor.person_id:
        raise NotAllowed
    _close(row, _S.WITHDRAWN, now, actor, "")
    audit.record(
        session,
        actor,
        "contract.objection_withdrawn",
        row.subject_id,
        now,
        after={"objection_id": objection_id},
    )
    session.flush()


def _locked(session: Session, contract_id: int, objection_id: int) -> Objection:
    o = t(Objection).c
    statement = sa.select(Objection).where(
        o.id == objection_id,
        o.subject_id == contract_id,
        o.subject_kind == ObjectionSubject.CONTRACT.value,
    )
    row: Objection | None = session.scalars(
        for_update(statement.execution_options(populate_existing=True), session)
    ).one_or_none()
    if row is None:
        raise NotFound
    return row


def _close(row: Objection, state: ObjectionState, now: dt.datetime, actor: Actor, answer: str) -> None:
    if row.state != _S.OPEN.value:
        raise WrongState(state=row.state, action=state.value)
    row.state = state.value
    row.answer = answer
    row.decided_at, row.decided_by = now, actor.person_id
    row.version += 1


@dataclass(frozen=True)
class ObjectionView:
    """An objection as the asker may see it; what they may not know is empty."""

    id: int
    contract_id: int
    state: ObjectionState
    filed_at: dt.datetime
    decided_at: dt.datetime | None
    answer: str
    grounds: str
    objector_name: str
    contact: str
    own: bool
    version: int


def of_contract(session: Session, actor: Actor, contract_id: int, *, detail: bool) -> list[ObjectionView]:
    """The objections to a contract, newest first. `detail`: the asker may read the contract in detail, and so the
    grounds. One statement."""
    o = t(Objection).c
    return _views(session, actor, [o.subject_id == contract_id], detail=detail)


def register_of(
    session: Session, actor: Actor, states: tuple[ObjectionState, ...], *, limit: int, offset: int
) -> tuple[list[tuple[ObjectionView, str, str]], int]:
    """The objections in some states (all for none), oldest first, with local number and title of each contract,
    and how many there are. Raises SignInRequired, NotAllowed for anybody but officials."""
    require(actor, Action.CONTRACT_REGISTER)
    o, c = t(Objection).c, t(Contract).c
    where = [o.subject_kind == ObjectionSubject.CONTRACT.value]
    if states:
        where.append(o.state.in_([state.value for state in states]))
    total = session.scalar(sa.select(sa.func.count()).select_from(t(Objection)).where(*where)) or 0
    rows = session.execute(
        sa.select(*(o[name] for name in _READ), c.local_number, c.title)
        .select_from(t(Objection).join(t(Contract), o.subject_id == c.id))
        .where(*where)
        .order_by(o.filed_at, o.id)
        .limit(limit)
        .offset(offset)
    )
    return [(_view(row, actor, named=True, grounds=True), row.local_number, row.title) for row in rows], total


_READ = (
    "id", "subject_id", "state", "filed_at", "decided_at", "answer", "grounds", "objector_name", "contact",
    "filed_by", "version",
)  # fmt: skip


def _views(
    session: Session, actor: Actor, where: list[sa.ColumnElement[bool]], *, detail: bool
) -> list[ObjectionView]:
    o = t(Objection).c
    named = reaches(actor, Action.CONTRACT_REGISTER)
    rows = session.execute(
        sa.select(*(o[name] for name in _READ))
        .where(o.subject_kind == ObjectionSubject.CONTRACT.value, *where)
        .order_by(o.filed_at.desc(), o.id.desc())
    )
    return [_view(row, actor, named=named, grounds=detail) for row in rows]


def _view(row: Any, actor: Actor, *, named: bool, grounds: bool) -> ObjectionView:
    own = actor.person_id is not None and row.filed_by == actor.person_id
    return ObjectionView(
        row.id,
        row.subject_id,
        ObjectionState(row.state),
        row.filed_at,
        row.decided_at,
        row.answer,
        row.grounds if grounds or own else "",
        row.objector_name if named or own else "",
        row.contact if named or own else "",
        own,
        row.version,
    )
