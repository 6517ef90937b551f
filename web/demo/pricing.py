"""Demo price notices, priority rights, a revenue split, trials and an open licence, entered by their services."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.deals.models import Contract, ContractKind, ContractState
from market.errors import InvalidInput
from market.listings.models import CooperationMode, IpStatus, ListingState, PricingMode, Result, ResultIp
from market.permissions import Actor, Membership, Role
from market.pricing import licences, notices, priority, splits, trials
from market.pricing.inputs import (
    LicenceInput,
    NoticeInput,
    ObjectionInput,
    PriorityInput,
    SharerInput,
    SplitInput,
    StartInput,
    TrialInput,
    TrialTermsInput,
)
from market.pricing.licences import PATENTS
from market.pricing.models import PriorityBasis
from web.demo.content import pricing as say
from web.demo.content.pricing import DemoNotice
from web.demo.people import Cast

DAY = dt.timedelta(days=1)
EARLIEST = dt.date(2024, 1, 1)
"""A contract signed before is not given a notice: rules in force then are not kept."""


def enter_pricing(session: Session, cast: Cast, now: dt.datetime) -> None:
    """How prices of one owner's results come about, in every state that a page shows."""
    officer = cast.anyone(Role.RESULTS_OFFICER)
    owner = _place(officer, Role.RESULTS_OFFICER)
    firms = _firms(cast, owner)
    if not firms:
        return
    found = iter(_results(session, owner))
    for number, (item, result) in enumerate(zip(say.NOTICES, found, strict=False)):
        _notice(session, officer, firms[number % len(firms)], item, result, now)
        if number == 0:
            _rights(session, officer, result, now)
    _signed(session, officer, owner, now)
    _trials(session, officer, firms, found, now)
    _licence(session, officer, owner, now)


def _place(actor: Actor, role: Role) -> int:
    return next(one.organisation_id for one in actor.memberships if one.role is role)


def _firms(cast: Cast, owner: int) -> list[tuple[Actor, Membership]]:
    found = []
    for (_, role), key in cast.roles.items():
        actor = cast.actors[key]
        if role is Role.DEMAND_OWNER:
            found += [
                (actor, one)
                for one in actor.memberships
                if one.role is role and one.verified and one.organisation_id != owner
            ]
    return found


def _results(session: Session, owner: int) -> list[Any]:
    """The owner's published results, those priced by negotiation first."""
    c = t(Result).c
    return list(
        session.execute(
            sa.select(c.id, c.title, c.abstract, c.inventors)
            .where(c.organisation_id == owner, c.state == ListingState.PUBLISHED.value)
            .order_by(c.pricing_mode != PricingMode.NEGOTIATED.value, c.id)
            .limit(20)
        )
    )


def _notice(
    session: Session,
    officer: Actor,
    firm: tuple[Actor, Membership],
    item: DemoNotice,
    result: Any,
    now: dt.datetime,
) -> None:
    asker, member = firm
    began = now - item.days_ago * DAY
    data = NoticeInput(
        title=result.title,
        abstract=result.abstract[:4000] or result.title,
        transfer_mode=CooperationMode(item.mode),
        price_fen=item.price_fen,
        transferee_id=member.organisation_id,
        related_party=item.related,
        relation_note=say.RELATION if item.related else "",
        procedure=say.PROCEDURE,
        unit_place=say.UNIT_PLACE,
    )
    notice = notices.create(session, officer, began, result.id, data)
    if item.state == "draft":
        return
    start = StartInput(unit_place=say.UNIT_PLACE, unit_from=local_date(began))
    notices.start(session, officer, began, notice, start)
    if item.raised_days_ago is not None:
        raised = now - item.raised_days_ago * DAY
        changed = {"price_fen": item.price_fen * 11 // 10, "unit_from": local_date(raised)}
        notices.edit(session, officer, raised, notice, data.model_copy(update=changed))
    if item.state == "objected":
        objection = ObjectionInput(contact=say.CONTACT, grounds=say.GROUNDS)
        notices.object_to(session, asker, began + DAY, notice, objection)
    if item.state == "expired":
        notices.expire_due(session, now)


def _rights(session: Session, officer: Actor, result: Any, now: dt.datetime) -> None:
    """Inventors who were asked: the first long ago without an answer, the second lately."""
    for number, name in enumerate(result.inventors[:2]):
        asked = now - (5 if number else 40) * DAY
        data = PriorityInput(
            basis=PriorityBasis.INVENTOR,
            holder_name=name,
            asked_on=local_date(asked),
            answer_by=local_date(asked + 15 * DAY),
        )
        priority.ask(session, officer, asked, result.id, data)
    priority.expire_due(session, now)


def _signed(session: Session, officer: Actor, owner: int, now: dt.datetime) -> None:
    """A notice that led to a registered contract, whose income was shared out."""
    c = t(Contract).c
    row = session.execute(
        sa.select(
            c.id, c.title, c.result_id, c.deal_fen, c.buyer_id, c.buyer_name, c.signed_on, c.registered_on
        )
        .where(
            c.seller_id == owner,
            c.state == ContractState.REGISTERED.value,
            c.kind.in_([ContractKind.LICENCE.value, ContractKind.ASSIGNMENT.value]),
            c.signed_on >= EARLIEST,
            c.buyer_id.is_not(None),
        )
        .order_by(c.signed_on.desc(), c.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return
    results = _results(session, owner)
    result_id = row.result_id or (results[-1].id if results else None)
    if result_id is None:
        return
    signed = now - ((local_date(now) - row.signed_on).days) * DAY
    began = signed - 20 * DAY
    data = NoticeInput(
        title=row.title,
        abstract=row.title,
        transfer_mode=CooperationMode.LICENCE,
        price_fen=row.deal_fen,
        transferee_id=row.buyer_id,
        procedure=say.PROCEDURE,
        unit_place=say.UNIT_PLACE,
    )
    notice = notices.create(session, officer, began, result_id, data)
    start = StartInput(unit_place=say.UNIT_PLACE, unit_from=local_date(began))
    notices.start(session, officer, began, notice, start)
    notices.expire_due(session, signed)
    notices.sign(session, officer, signed, notice, row.id)
    split = SplitInput(
        received_on=row.registered_on or row.signed_on,
        income_fen=row.deal_fen,
        award_ppm=700_000,
        main_ppm=750_000,
        transfer_ppm=50_000,
        people=_sharers(results),
    )
    splits.save(session, officer, signed, row.id, split)


def _sharers(results: list[Any]) -> list[SharerInput]:
    names = results[0].inventors[:3] if results else []
    return [SharerInput(name=name, part="main", weight=3 - number) for number, name in enumerate(names)]


def _trials(
    session: Session,
    officer: Actor,
    firms: list[tuple[Actor, Membership]],
    results: Iterator[Any],
    now: dt.datetime,
) -> None:
    """One asked for, one whose terms are offered, one under way."""
    for number, (result, (firm, member)) in enumerate(zip(results, firms[:3], strict=False)):
        asked = now - (30 - 10 * number) * DAY
        wish = TrialInput(result_id=result.id, user_id=member.organisation_id, purpose=say.TRIAL_PURPOSE)
        try:
            trial = trials.apply(session, firm, asked, wish)
        except InvalidInput:
            continue
        if number == 2:
            continue
        terms = TrialTermsInput(
            terms=say.TRIAL_TERMS,
            transfer_mode=CooperationMode.LICENCE,
            price_fen=24_000_000,
            starts_on=local_date(asked + 3 * DAY),
            ends_on=local_date(asked + 93 * DAY),
            insured=number == 0,
        )
        trials.agree(session, officer, asked + DAY, trial, terms)
        if number == 0:
            trials.begin(session, firm, asked + 2 * DAY, trial)


def _licence(session: Session, officer: Actor, owner: int, now: dt.datetime) -> None:
    r, p = t(Result).c, t(ResultIp).c
    row = session.execute(
        sa.select(r.id, p.number)
        .select_from(t(Result).join(t(ResultIp), p.result_id == r.id))
        .where(
            r.organisation_id == owner,
            r.state == ListingState.PUBLISHED.value,
            p.kind.in_([kind.value for kind in PATENTS]),
            p.status == IpStatus.GRANTED.value,
            p.pledged.is_(False),
            p.number != "",
        )
        .order_by(r.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return
    began = now - 60 * DAY
    data = LicenceInput(
        patent_number=row.number,
        fee=say.FEE,
        starts_on=local_date(began),
        ends_on=local_date(began + 3 * 365 * DAY),
        evaluation_report=True,
        free_of_bars=True,
    )
    licence = licences.create(session, officer, began, row.id, data)
    licences.declare(session, officer, began, licence)
