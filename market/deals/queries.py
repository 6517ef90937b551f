"""Reads of the register. What the asker may not know of is not found; the public sees registered
contracts without amounts, reasons and people."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from market.audit import AuditRecord
from market.db import Session, t
from market.deals import rules
from market.deals.models import (
    Contract,
    ContractEvent,
    ContractKind,
    ContractSource,
    ContractState,
    ContractSubkind,
    PriceForm,
)
from market.deals.rules import Step
from market.errors import NotFound
from market.listings.models import Result
from market.parties.models import Organisation, OrganisationState
from market.permissions import Action, Actor, reaches, require
from market.taxonomy.models import Industry


@dataclass(frozen=True)
class ContractCard:
    """A contract as lists show it."""

    id: int
    local_number: str
    registration_number: str | None
    title: str
    kind: ContractKind
    state: ContractState
    seller_name: str
    buyer_name: str
    deal_fen: int
    technology_fen: int
    signed_on: dt.date | None
    accepted_on: dt.date | None
    decide_by: dt.date | None
    registered_on: dt.date | None
    version: int


@dataclass(frozen=True)
class EventView:
    """One step of a contract's life."""

    at: dt.datetime
    step: str
    state_before: ContractState | None
    state_after: ContractState
    actor_name: str
    reason: str
    deal_fen_before: int | None
    deal_fen_after: int | None
    technology_fen_before: int | None
    technology_fen_after: int | None

    @property
    def amounts_changed(self) -> bool:
        """Whether the step changed an amount."""
        return self.deal_fen_before is not None and (
            self.deal_fen_before != self.deal_fen_after
            or self.technology_fen_before != self.technology_fen_after
        )


@dataclass(frozen=True)
class ContractDetail:
    """A contract with its life. `detail` is False in the public's view: amounts are None and the terms of the
    price empty then, and a trade secret's rights are not named."""

    id: int
    local_number: str
    registration_number: str | None
    title: str
    kind: ContractKind
    subkind: ContractSubkind
    seller_id: int | None
    seller_name: str
    seller_region: str
    seller_town: str
    seller_nature: str
    seller_country: str
    buyer_id: int | None
    buyer_name: str
    buyer_region: str
    buyer_town: str
    buyer_nature: str
    buyer_country: str
    deal_fen: int | None
    technology_fen: int | None
    deductions: list[dict[str, Any]]
    price_form: PriceForm
    instalments: list[dict[str, Any]]
    entry_fee_fen: int | None
    royalty_base: str
    royalty_ppm: int | None
    currency: str
    foreign_minor: int | None
    exchange_rate: str
    rate_on: dt.date | None
    ip: list[dict[str, Any]]
    pricing_mode: str
    trade_secret: bool
    technical_field: str
    industry_code: str | None
    industry_name: str | None
    industry_name_en: str | None
    related_party: bool
    signed_on: dt.date | None
    effective_on: dt.date | None
    ends_on: dt.date | None
    state: ContractState
    accepted_on: dt.date | None
    decide_by: dt.date | None
    escalated_on: dt.date | None
    registered_on: dt.date | None
    ended_on: dt.date | None
    source: ContractSource
    source_lot_id: int | None
    source_enquiry_id: int | None
    result_id: int | None
    result_title: str | None
    version: int
    created_at: dt.datetime
    updated_at: dt.datetime
    detail: bool = True
    events: tuple[EventView, ...] = ()


_CARD = tuple(ContractCard.__dataclass_fields__)
_EVENT = tuple(EventView.__dataclass_fields__)
_JOINED = ("industry_name", "industry_name_en", "result_title")
_PLAIN = tuple(
    name for name in ContractDetail.__dataclass_fields__ if name not in (*_JOINED, "detail", "events")
)


@dataclass(frozen=True)
class Filter:
    """Which contracts a list shows."""

    states: tuple[ContractState, ...] = ()
    kind: ContractKind | None = None
    year: int | None = None
    """Of registration."""
    words: str = ""
    queue: bool = False
    """Only what waits for a decision, the nearest deadline first."""


def _card(row: Sequence[Any]) -> ContractCard:
    values: dict[str, Any] = dict(zip(_CARD, row, strict=True))
    values["kind"], values["state"] = ContractKind(values["kind"]), ContractState(values["state"])
    return ContractCard(**values)


def _visible(actor: Actor) -> list[sa.ColumnElement[bool]]:
    reach = actor.organisations_for(Action.CONTRACT_READ)
    if reach is None:
        return []
    c = t(Contract).c
    return [sa.or_(c.seller_id.in_(reach), c.buyer_id.in_(reach))]


def contracts(
    session: Session, actor: Actor, wanted: Filter, *, limit: int = 20, offset: int = 0
) -> tuple[list[ContractCard], int]:
    """The contracts that the actor's rights reach, latest change first, and how many there are.

    Raises SignInRequired, NotAllowed for those who read no contracts at all.
    """
    require(actor, Action.CONTRACT_READ)
    c = t(Contract).c
    where = _visible(actor)
    states = rules.OPEN if wanted.queue else wanted.states
    if states:
        where.append(c.state.in_([state.value for state in states]))
    if wanted.kind is not None:
        where.append(c.kind == wanted.kind.value)
    if wanted.year is not None:
        where.append(c.registered_on.between(dt.date(wanted.year, 1, 1), dt.date(wanted.year, 12, 31)))
    for word in wanted.words.split()[:8]:
        where.append(
            sa.or_(
                *(
                    column.icontains(word, autoescape=True)
                    for column in (
                        c.title, c.seller_name, c.buyer_name, c.local_number, c.registration_number,
                    )
                )
            )
        )  # fmt: skip
    order = [sa.nulls_last(c.decide_by), c.id] if wanted.queue else [c.updated_at.desc(), c.id.desc()]
    rows = session.execute(
        sa.select(*(c[name] for name in _CARD)).where(*where).order_by(*order).limit(limit).offset(offset)
    )
    found = [_card(row) for row in rows]
    total = session.scalar(sa.select(sa.func.count()).select_from(t(Contract)).where(*where)) or 0
    return found, total


def count_by_state(session: Session, actor: Actor) -> dict[ContractState, int]:
    """How many contracts the actor's rights reach in each state."""
    c = t(Contract).c
    rows = session.execute(sa.select(c.state, sa.func.count()).where(*_visible(actor)).group_by(c.state))
    counts = dict.fromkeys(ContractState, 0)
    for state, count in rows:
        counts[ContractState(state)] = count
    return counts


def contract(session: Session, actor: Actor, contract_id: int) -> ContractDetail:
    """One contract as the actor may see it. Raises NotFound."""
    c, i, r = t(Contract).c, t(Industry).c, t(Result).c
    row = session.execute(
        sa.select(
            *(c[name] for name in _PLAIN),
            i.name.label("industry_name"),
            i.name_en.label("industry_name_en"),
            r.title.label("result_title"),
        )
        .select_from(
            t(Contract)
            .outerjoin(t(Industry), c.industry_code == i.code)
            .outerjoin(t(Result), c.result_id == r.id)
        )
        .where(c.id == contract_id)
    ).first()
    if row is None:
        raise NotFound
    values: dict[str, Any] = dict(zip((*_PLAIN, *_JOINED), row, strict=True))
    for name, enum in (
        ("kind", ContractKind), ("subkind", ContractSubkind), ("state", ContractState),
        ("source", ContractSource), ("price_form", PriceForm),
    ):  # fmt: skip
        values[name] = enum(values[name])
    found = ContractDetail(**values)
    if reaches(actor, Action.CONTRACT_READ, found.seller_id, found.buyer_id):
        return replace(found, events=_events(session, contract_id))
    if found.state not in rules.PUBLIC:
        raise NotFound
    public = tuple(
        replace(
            event, actor_name="", reason="", deal_fen_before=None, deal_fen_after=None,
            technology_fen_before=None, technology_fen_after=None,
        )
        for event in _events(session, contract_id)
        if event.step in _PUBLIC_STEPS
    )  # fmt: skip
    return replace(
        found,
        deal_fen=None,
        technology_fen=None,
        deductions=[],
        instalments=[],
        entry_fee_fen=None,
        royalty_base="",
        royalty_ppm=None,
        currency="",
        foreign_minor=None,
        exchange_rate="",
        rate_on=None,
        ip=[] if found.trade_secret else found.ip,
        accepted_on=None,
        decide_by=None,
        escalated_on=None,
        source_enquiry_id=None,
        detail=False,
        events=public,
    )


_PUBLIC_STEPS = frozenset({Step.REGISTER.value, Step.AMEND.value, Step.DEREGISTER.value, Step.REVOKE.value})


def _events(session: Session, contract_id: int) -> tuple[EventView, ...]:
    e = t(ContractEvent).c
    rows = session.execute(
        sa.select(*(e[name] for name in _EVENT)).where(e.contract_id == contract_id).order_by(e.at, e.id)
    )
    found = []
    for row in rows:
        values: dict[str, Any] = dict(zip(_EVENT, row, strict=True))
        before = values["state_before"]
        values["state_before"] = ContractState(before) if before else None
        values["state_after"] = ContractState(values["state_after"])
        found.append(EventView(**values))
    return tuple(found)


@dataclass(frozen=True)
class Change:
    """What somebody changed in a contract: field, value before and value after, as the record keeps them."""

    at: dt.datetime
    actor_name: str
    action: str
    fields: tuple[tuple[str, Any, Any], ...]


def changes_since(session: Session, actor: Actor, contract_id: int, version: int) -> list[Change]:
    """What happened to a contract after a version that somebody has read, oldest first; empty for those who may
    not read it in detail. Raises NotFound."""
    if not contract(session, actor, contract_id).detail:
        return []
    a = t(AuditRecord).c
    rows = session.execute(
        sa.select(a.at, a.actor_name, a.action, a.before, a.after)
        .where(a.subject == "contract", a.subject_id == contract_id)
        .order_by(a.id)
    )
    found = []
    for row in rows:
        reached = row.after.get("version")
        if not isinstance(reached, int) or reached <= version:
            continue
        names = [name for name in {**row.before, **row.after} if name not in ("version", "local_number")]
        found.append(
            Change(
                row.at,
                row.actor_name,
                row.action,
                tuple((name, row.before.get(name), row.after.get(name)) for name in names),
            )
        )
    return found


def steps_for(actor: Actor, found: ContractDetail) -> list[Step]:
    """The steps that the actor may take with a contract now."""
    writer = rules.registrant(found.seller_id, found.seller_region, found.buyer_id)
    return [
        step
        for step in rules.steps_from(found.state)
        if (
            reaches(actor, Action.CONTRACT_EDIT, writer)
            if step in rules.PARTY_STEPS
            else reaches(actor, Action.CONTRACT_REGISTER)
        )
    ]


def may_edit(actor: Actor, found: ContractDetail) -> bool:
    """Whether the actor may change what a contract says now."""
    return found.state in rules.EDITABLE and reaches(
        actor, Action.CONTRACT_EDIT, found.seller_id, found.buyer_id
    )


@dataclass(frozen=True)
class PartyChoice:
    """An organisation that can be a party."""

    id: int
    name: str


def party_choices(session: Session, also: Iterable[int | None] = ()) -> list[PartyChoice]:
    """The verified organisations by name (the first two thousand), and those named besides."""
    o = t(Organisation).c
    extra = [one for one in also if one is not None]
    rows = session.execute(
        sa.select(o.id, o.name)
        .where(sa.or_(o.state == OrganisationState.VERIFIED.value, o.id.in_(extra)))
        .order_by(o.name)
        .limit(2000)
    )
    return [PartyChoice(*row) for row in rows]
