"""Reads of price notices and of the objections to them. The public never learns who objected."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.deals.models import Contract
from market.errors import NotFound
from market.listings.models import CooperationMode, Result
from market.parties.models import Organisation
from market.permissions import Action, Actor, can, reaches
from market.pricing.models import NoticeState, PricingNotice, PricingSubject
from market.pricing.notices import may_read
from market.pricing.recording import EventView, events
from market.pricing.rules import NoticeStep
from market.scrutiny.models import Objection, ObjectionState, ObjectionSubject

ACTIVE = (NoticeState.RUNNING, NoticeState.OBJECTED)


@dataclass(frozen=True)
class NoticeCard:
    """A notice as lists show it."""

    id: int
    result_id: int
    organisation_id: int
    owner_name: str
    title: str
    transfer_mode: CooperationMode
    price_fen: int
    transferee_name: str
    related_party: bool
    market_from: dt.date | None
    ends_on: dt.date | None
    restarts: int
    state: NoticeState
    contract_id: int | None


@dataclass(frozen=True)
class ObjectionView:
    """An objection as the reader may see it: who raised it and why is for both sides and officials."""

    id: int
    state: ObjectionState
    filed_at: dt.datetime
    decided_at: dt.datetime | None
    objector_name: str
    contact: str
    grounds: str
    answer: str
    mine: bool


@dataclass(frozen=True)
class NoticeDetail(NoticeCard):
    """A notice with its life."""

    abstract: str
    transferee_id: int | None
    relation_note: str
    procedure: str
    unit_place: str
    unit_from: dt.date | None
    result_title: str
    version: int
    events: tuple[EventView, ...] = ()
    objections: tuple[ObjectionView, ...] = ()
    keeper: bool = False
    """Whether the reader may change it."""


_CARD = tuple(NoticeCard.__dataclass_fields__)
_DETAIL = (
    *_CARD, "abstract", "transferee_id", "relation_note", "procedure", "unit_place", "unit_from",
    "result_title", "version",
)  # fmt: skip


def _select(names: tuple[str, ...]) -> sa.Select[Any]:
    n = t(PricingNotice).c
    joined = {
        "owner_name": t(Organisation).c.name.label("owner_name"),
        "result_title": t(Result).c.title.label("result_title"),
    }
    return sa.select(*(joined[name] if name in joined else n[name] for name in names)).select_from(
        t(PricingNotice)
        .join(t(Organisation), n.organisation_id == t(Organisation).c.id)
        .join(t(Result), n.result_id == t(Result).c.id)
    )


def _typed(names: tuple[str, ...], row: Any) -> dict[str, Any]:
    values: dict[str, Any] = dict(zip(names, row, strict=True))
    values["state"] = NoticeState(values["state"])
    values["transfer_mode"] = CooperationMode(values["transfer_mode"])
    return values


def public_notices(
    session: Session, *, over: bool = False, limit: int = 20, offset: int = 0
) -> tuple[list[NoticeCard], int]:
    """The notices that run (`over`: those that ran), the one that ends first first, and how many there are."""
    c = t(PricingNotice).c
    running = [state.value for state in ACTIVE]
    where = [c.market_from.is_not(None), c.state.not_in(running) if over else c.state.in_(running)]
    order = [c.ends_on.desc(), c.id.desc()] if over else [c.ends_on, c.id]
    rows = session.execute(_select(_CARD).where(*where).order_by(*order).limit(limit).offset(offset))
    total = session.scalar(sa.select(sa.func.count()).select_from(t(PricingNotice)).where(*where)) or 0
    return [NoticeCard(**_typed(_CARD, row)) for row in rows], total


def own_notices(
    session: Session,
    actor: Actor,
    states: tuple[NoticeState, ...] = (),
    *,
    limit: int = 20,
    offset: int = 0,
) -> tuple[list[NoticeCard], int]:
    """The notices that the actor may change, the latest change first, and how many there are."""
    c = t(PricingNotice).c
    where: list[sa.ColumnElement[bool]] = []
    reach = actor.organisations_for(Action.RESULT_EDIT)
    if reach is not None:
        where.append(c.organisation_id.in_(reach))
    if states:
        where.append(c.state.in_([state.value for state in states]))
    rows = session.execute(
        _select(_CARD).where(*where).order_by(c.updated_at.desc(), c.id.desc()).limit(limit).offset(offset)
    )
    total = session.scalar(sa.select(sa.func.count()).select_from(t(PricingNotice)).where(*where)) or 0
    return [NoticeCard(**_typed(_CARD, row)) for row in rows], total


def notice(session: Session, actor: Actor, notice_id: int) -> NoticeDetail:
    """One notice as the actor may see it. Raises NotFound."""
    row = session.execute(_select(_DETAIL).where(t(PricingNotice).c.id == notice_id)).first()
    if row is None or not may_read(actor, row.organisation_id, row.market_from):
        raise NotFound(kind="pricing_notice")
    found = NoticeDetail(**_typed(_DETAIL, row))
    keeper = can(actor, Action.RESULT_EDIT, found.organisation_id)
    insider = keeper or can(actor, Action.CONTRACT_REGISTER)
    steps = events(session, PricingSubject.NOTICE, notice_id)
    if not insider:
        steps = tuple(
            replace(
                event, actor_name="", reason="" if event.step == NoticeStep.SETTLE.value else event.reason,
                detail={key: value for key, value in event.detail.items() if key in _PUBLIC_CHANGES},
            )
            for event in steps
            if event.step in _PUBLIC_STEPS
        )  # fmt: skip
    return replace(
        found, events=steps, objections=_objections(session, actor, notice_id, insider), keeper=keeper
    )


_PUBLIC_CHANGES = (
    "price_fen", "transferee_name", "transfer_mode", "related_party", "market_from", "unit_from", "ends_on",
)  # fmt: skip
_PUBLIC_STEPS = frozenset(
    step.value for step in NoticeStep if step not in (NoticeStep.CREATE, NoticeStep.EDIT)
)


def _objections(session: Session, actor: Actor, notice_id: int, insider: bool) -> tuple[ObjectionView, ...]:
    c = t(Objection).c
    rows = session.execute(
        sa.select(
            c.id, c.state, c.filed_at, c.decided_at, c.objector_name, c.contact, c.grounds, c.answer, c.filed_by
        )
        .where(c.subject_kind == ObjectionSubject.PRICING_NOTICE.value, c.subject_id == notice_id)
        .order_by(c.id)
    )  # fmt: skip
    found = []
    for row in rows:
        mine = actor.person_id is not None and row.filed_by == actor.person_id
        seen = insider or mine
        found.append(
            ObjectionView(
                row.id, ObjectionState(row.state), row.filed_at, row.decided_at,
                row.objector_name if seen else "", row.contact if seen else "",
                row.grounds if seen else "", row.answer if seen else "", mine,
            )
        )  # fmt: skip
    return tuple(found)


def steps_for(found: NoticeDetail, today: dt.date) -> list[NoticeStep]:
    """What the reader of a notice may do with it now."""
    if not found.keeper:
        return []
    steps = {
        NoticeState.DRAFT: [NoticeStep.START, NoticeStep.WITHDRAW],
        NoticeState.EXPIRED: [NoticeStep.SIGN, NoticeStep.WITHDRAW],
        NoticeState.RUNNING: [NoticeStep.WITHDRAW],
        NoticeState.OBJECTED: [NoticeStep.WITHDRAW],
    }.get(found.state, [])
    if found.state is NoticeState.RUNNING and found.ends_on is not None and today > found.ends_on:
        return [NoticeStep.SIGN, *steps]
    return steps


@dataclass(frozen=True)
class ContractChoice:
    """A contract that a notice, a right or a split can belong to."""

    id: int
    local_number: str
    title: str


def contracts_of(session: Session, seller_id: int, result_id: int | None = None) -> list[ContractChoice]:
    """An owner's contracts about a result, and its others after them, the latest first; at most 200."""
    c = t(Contract).c
    about = sa.case((c.result_id == result_id, 0), else_=1) if result_id is not None else sa.literal(0)
    rows = session.execute(
        sa.select(c.id, c.local_number, c.title)
        .where(c.seller_id == seller_id)
        .order_by(about, c.id.desc())
        .limit(200)
    )
    return [ContractChoice(*row) for row in rows]


def notices_of(
    session: Session, actor: Actor, *, result_id: int | None = None, contract_id: int | None = None
) -> list[NoticeCard]:
    """The notices about a result or a contract that the actor may know of, oldest first."""
    c = t(PricingNotice).c
    where = [c.contract_id == contract_id] if contract_id is not None else [c.result_id == result_id]
    rows = session.execute(_select(_CARD).where(*where).order_by(c.id).limit(100))
    found = [NoticeCard(**_typed(_CARD, row)) for row in rows]
    return [
        one
        for one in found
        if one.market_from is not None
        or reaches(actor, Action.RESULT_EDIT, one.organisation_id)
        or can(actor, Action.CONTRACT_REGISTER)
    ]
