"""The workbench: what is waiting for me, by what I may do. Each section is a bounded number of reads."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from auctions import queries as lots
from auctions.models import AdmissionState
from auctions.rules.state import OPEN, STOPPED, UPCOMING
from market import work
from market.clock import local_date
from market.db import Session
from market.deals import queries as deals
from market.deals.models import ContractState
from market.demands.queries import demands
from market.enquiries import queries as enquiries
from market.errors import SignInRequired
from market.listings.models import ListingState
from market.listings.queries import Filter, results
from market.listings.rules import REMIND_DAYS
from market.parties import queries as parties
from market.parties.models import OrganisationState
from market.permissions import Action, Role
from market.pricing import queries as pricing
from market.pricing import trials
from market.pricing.models import NoticeState
from market.scrutiny import flag_queries, objections
from market.scrutiny.models import ObjectionState
from market.settlements import queries as settlements
from market.settlements.queries import Show
from market.work import WorkState
from matching import duplicates
from matching.proposals import queries as proposals
from web import i18n
from web.deps import PageDep, ReadTx
from web.render import Page, day, local

router = APIRouter()
SHOWN = 6
"""Lines of a section."""


@dataclass(frozen=True)
class Line:
    """One thing that waits."""

    text: str
    href: str
    note: str = ""
    state: Any = None
    overdue: bool = False


@dataclass(frozen=True)
class Section:
    """Things of one sort: `key` names its title under `workbench.<key>`."""

    key: str
    lines: list[Line]
    total: int
    href: str

    @property
    def is_enquiries(self) -> bool:
        """Whether its lines are enquiries, whose states have marks of their own."""
        return self.key.startswith(("enquiries_", "board_"))


@dataclass(frozen=True)
class BenchPage:
    """Context of the workbench."""

    sections: list[Section]
    quiet: list[str]
    """Sections with nothing in them."""
    unverified: list[tuple[int, str]]
    may_import: bool


def _own(page: Page, role: Role) -> frozenset[int]:
    return frozenset(m.organisation_id for m in page.actor.memberships if m.verified and m.role is role)


def _listings(page: Page, session: Session, kind: str, own: frozenset[int]) -> list[Section]:
    """An organisation's drafts, and what ends within REMIND_DAYS."""
    find: Callable[..., tuple[list[Any], int]] = results if kind == "results" else demands
    english = page.language == "en"
    drafts, total = find(
        session, page.actor, Filter(states=(ListingState.DRAFT,), organisation_ids=own),
        limit=SHOWN, english=english,
    )  # fmt: skip
    shown, _ = find(
        session, page.actor, Filter(organisation_ids=own), limit=50, english=english, expiring_first=True
    )
    last = local_date(page.now) + dt.timedelta(days=REMIND_DAYS)
    ending = [card for card in shown if card.valid_until is not None and card.valid_until <= last]
    return [
        Section(
            f"{kind}_drafts",
            [Line(card.title, f"/{kind}/{card.id}", day(card.updated_at), card.state) for card in drafts],
            total,
            f"/my/listings?kind={kind[:-1]}",
        ),
        Section(
            f"{kind}_expiring",
            [
                Line(card.title, f"/{kind}/{card.id}", day(card.valid_until), card.state)
                for card in ending[:SHOWN]
            ],
            len(ending),
            f"/my/listings?kind={kind[:-1]}",
        ),
    ]


def _enquiry(card: enquiries.Card) -> Line:
    note = " · ".join(
        one for one in (card.from_name, card.next_step, day(card.due_on) if card.due_on else "") if one
    )
    return Line(card.title, f"/enquiries/{card.id}", note, card.state, card.overdue)


def _enquiries(page: Page, session: Session) -> list[Section]:
    waiting, total = enquiries.waiting_for_reply(session, page.actor, page.now, limit=SHOWN)
    again = enquiries.reinvitations(session, page.actor, page.now, limit=SHOWN)
    return [
        Section(
            "enquiries_waiting",
            [_enquiry(card) for card in waiting],
            total,
            "/enquiries?box=received&state=open",
        ),
        Section("enquiries_again", [_enquiry(card) for card in again], len(again), "/enquiries?state=passed"),
    ]


def _board(page: Page, session: Session) -> list[Section]:
    overdue, _, numbers = enquiries.board(session, page.actor, page.now, only="overdue", limit=SHOWN)
    nobodys, _, _ = enquiries.board(session, page.actor, page.now, only="unassigned", limit=SHOWN)
    return [
        Section(
            "board_overdue",
            [_enquiry(card) for card in overdue],
            numbers["overdue"],
            "/enquiries/board?only=overdue",
        ),
        Section(
            "board_unassigned",
            [_enquiry(card) for card in nobodys],
            numbers["unassigned"],
            "/enquiries/board?only=unassigned",
        ),
    ]


def _pairs(page: Page, session: Session) -> list[Section]:
    """For brokers: suggested pairs given to me, those that nobody has, and what I let become overdue."""
    actor, wanted = page.actor, proposals.Wanted()
    numbers = proposals.numbers(session, actor, wanted).whose
    sections = []
    for whose in (proposals.Whose.MINE, proposals.Whose.NOBODY):
        found = proposals.queue(session, actor, proposals.Wanted(whose=whose), limit=SHOWN)
        lines = [
            Line(card.demand_title, f"/proposals/{card.id}?whose={whose.value}", card.result_title)
            for card in found
        ]
        sections.append(
            Section(f"proposals_{whose.value}", lines, numbers[whose], f"/proposals?whose={whose.value}")
        )
    late = proposals.due(session, before=local_date(page.now), owner_id=actor.person_id)
    lines = [
        Line(one.result_title, f"/enquiries/{one.enquiry_id}", one.next_step or one.demand_title, None, True)
        for one in late
    ]
    return [*sections, Section("proposals_overdue", lines[:SHOWN], len(lines), "/proposals")]


def _bidding(page: Page, session: Session) -> Section:
    assert page.actor.person_id is not None
    open_states = OPEN | STOPPED | UPCOMING
    mine = [
        one
        for one in lots.admissions_of_person(session, page.actor.person_id)
        if one.lot_state in open_states and one.state in (AdmissionState.ADMITTED, AdmissionState.REQUESTED)
    ]
    lines = [
        Line(one.lot_title, f"/lots/{one.lot_id}", i18n.label(one.state, page.language), one.lot_state)
        for one in mine
    ]
    return Section("my_lots", lines[:SHOWN], len(lines), "/lots")


def _staff(page: Page, session: Session) -> list[Section]:
    found, total = parties.organisations(session, page.actor, state=OrganisationState.PENDING, limit=SHOWN)
    asked = lots.admissions_waiting(session)
    return [
        Section(
            "organisations_to_verify",
            [Line(one.name, f"/organisations/{one.id}", local(one.created_at), one.state) for one in found],
            total,
            "/admin",
        ),
        Section(
            "admissions_to_decide",
            [
                Line(one.organisation_name, f"/lots/{one.lot_id}/console", one.lot_title, one.state)
                for one in asked[:SHOWN]
            ],
            len(asked),
            "/lots",
        ),
    ]


def _settlements(page: Page, session: Session, show: Show) -> Section:
    """For staff: sold lots with a step that is late; for parties: their own that are not done."""
    today = local_date(page.now)
    found, total = settlements.settlements(session, page.actor, show=show, today=today, limit=SHOWN)
    lines = []
    for one in found:
        step = one.next_step
        note = i18n.label(step.kind, page.language) if step else ""
        due = f" · {day(step.due_on)}" if step and step.due_on else ""
        lines.append(Line(one.title, f"/settlements/{one.id}", note + due, None, one.days_late(today) > 0))
    return Section(f"settlements_{show.value}", lines, total, f"/settlements?show={show.value}")


def _duplicates(page: Page, session: Session) -> Section:
    """For staff: results that look alike."""
    pairs, total = duplicates.pairs(session, page.actor, limit=SHOWN)
    lines = [
        Line(one.one.title, f"/admin/duplicates?staying={one.one.id}&going={one.other.id}", one.other.title)
        for one in pairs
    ]
    return Section("duplicates", lines, total, "/admin/duplicates")


def _contracts(page: Page, session: Session) -> Section:
    """For the registrar: what waits for a decision, by its clock."""
    cards, total = deals.contracts(session, page.actor, deals.Filter(queue=True), limit=SHOWN)
    today = local_date(page.now)
    lines = [
        Line(
            card.title,
            f"/contracts/{card.id}",
            day(card.decide_by) if card.decide_by else card.local_number,
            card.state,
            card.decide_by is not None and card.decide_by < today,
        )
        for card in cards
    ]
    return Section("contracts_to_decide", lines, total, "/contracts?view=queue")


def _objections(page: Page, session: Session) -> Section:
    """For the registrar: objections to registered contracts that nobody has answered."""
    found, total = objections.register_of(session, page.actor, (ObjectionState.OPEN,), limit=SHOWN, offset=0)
    lines = [
        Line(title, f"/contracts/{one.contract_id}#objection-{one.id}", day(one.filed_at))
        for one, _, title in found
    ]
    return Section("objections", lines, total, "/contracts/objections")


def _flags(page: Page, session: Session) -> Section:
    """For the registrar: what deserves a second look."""
    found, total = flag_queries.flags(session, page.actor, limit=SHOWN)
    lines = [
        Line(
            one.contract.title or one.contract.local_number,
            f"/flags/{one.id}",
            i18n.label(one.kind, page.language),
        )
        for one in found
    ]
    return Section("contract_flags", lines, total, "/flags")


def _own_contracts(page: Page, session: Session) -> Section:
    """For a party: drafts to complete and what the registrar sent back."""
    wanted = deals.Filter(states=(ContractState.DRAFT, ContractState.SUPPLEMENT))
    cards, total = deals.contracts(session, page.actor, wanted, limit=SHOWN)
    lines = [Line(card.title, f"/contracts/{card.id}", card.local_number, card.state) for card in cards]
    return Section("contracts_to_complete", lines, total, "/contracts")


def _notices(page: Page, session: Session) -> Section:
    """For an owner: price notices to publish, to answer for, to sign after."""
    states = (NoticeState.DRAFT, NoticeState.OBJECTED, NoticeState.EXPIRED)
    cards, total = pricing.own_notices(session, page.actor, states, limit=SHOWN)
    lines = [Line(card.title, f"/notices/{card.id}", card.transferee_name, card.state) for card in cards]
    return Section("price_notices", lines, total, "/notices?show=mine")


def _trials(page: Page, session: Session) -> Section:
    """For both sides: trials that are asked for, agreed or under way."""
    found, total = trials.trials(session, page.actor, states=trials.OPEN, limit=SHOWN)
    lines = [Line(one.result_title, f"/trials/{one.id}", one.user_name, one.state) for one in found]
    return Section("trials", lines, total, "/trials")


def _dead(session: Session) -> Section:
    items, counts = work.find(session, WorkState.DEAD, limit=SHOWN)
    lines = [Line(item.kind, "/admin/work", local(item.created_at), item.state, True) for item in items]
    return Section("dead_letters", lines, counts[WorkState.DEAD], "/admin/work")


@router.get("/workbench")
def workbench(page: PageDep, session: ReadTx) -> Response:
    """What is waiting for me."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    actor = page.actor
    roles = actor.roles
    sections: list[Section] = []
    if roles & {Role.RESULTS_OFFICER, Role.DEMAND_OWNER, Role.BIDDER}:
        sections += _enquiries(page, session)
    if actor.can(Action.ENQUIRY_OVERSEE):
        sections += _pairs(page, session)
        sections += _board(page, session)
    if actor.can(Action.ORGANISATION_VERIFY):
        sections += _staff(page, session)
    if actor.can(Action.LOT_CONDUCT):
        sections.append(_settlements(page, session, Show.LATE))
    elif roles & {Role.RESULTS_OFFICER, Role.BIDDER}:
        sections.append(_settlements(page, session, Show.OPEN))
    if actor.can(Action.RESULT_MERGE):
        sections.append(_duplicates(page, session))
    if actor.can(Action.CONTRACT_REGISTER):
        sections += [_contracts(page, session), _flags(page, session)]
        sections.append(_objections(page, session))
    if Role.BIDDER in roles:
        sections.append(_bidding(page, session))
    if own := _own(page, Role.RESULTS_OFFICER):
        sections += _listings(page, session, "results", own)
        sections.append(_notices(page, session))
    if own := _own(page, Role.DEMAND_OWNER):
        sections += _listings(page, session, "demands", own)
    if actor.can(Action.CONTRACT_CREATE) and actor.organisations_for(Action.CONTRACT_CREATE) is not None:
        sections.append(_own_contracts(page, session))
        sections.append(_trials(page, session))
    if actor.can(Action.WORK_MANAGE):
        sections.append(_dead(session))
    context = BenchPage(
        [section for section in sections if section.total],
        [section.key for section in sections if not section.total],
        sorted({(m.organisation_id, m.organisation_name) for m in actor.memberships if not m.verified}),
        actor.can(Action.IMPORT) or actor.can(Action.EXPORT),
    )
    return page.render("workbench/workbench.html", context)
