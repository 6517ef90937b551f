"""Pages of enquiries: mine, a new one, one with its thread and steps, the board."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.deals import service as deals
from market.demands.queries import demand_detail
from market.enquiries import queries, service
from market.enquiries.inputs import (
    AssignInput,
    EnquiryInput,
    NextStepInput,
    OutcomeInput,
    PassInput,
    ReplyInput,
    SubjectKind,
)
from market.enquiries.models import EnquiryState, PassReason
from market.enquiries.queries import Box, Card, Detail, ReplyTime
from market.enquiries.rules import Side
from market.errors import NotFound, SignInRequired
from market.listings.models import ListingState
from market.listings.queries import Filter, result_detail, results
from market.permissions import Action, require
from market.taxonomy.queries import industry_names
from matching.proposals import queries as proposals
from matching.proposals.queries import Behind
from web import i18n
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.matches import told
from web.render import Page

router = APIRouter()
OFFERS = 100
"""Own results that may be chosen as an offer, at most."""


@dataclass(frozen=True)
class ListPage:
    """Context of the list."""

    cards: list[Card]
    total: int
    page: int
    pages: int
    boxes: list[tuple[str, str, bool]]
    box: str
    states: list[EnquiryState]
    state: str
    may_oversee: bool


@router.get("/enquiries")
def list_page(
    page: PageDep, session: ReadTx, paging: PagingDep, box: str = "all", state: str = ""
) -> Response:
    """The enquiries that I sent, received or follow up."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    chosen = Box(box) if box in list(Box) else Box.ALL
    wanted = EnquiryState(state) if state in list(EnquiryState) else None
    cards, total = queries.enquiries(
        session, page.actor, page.now, box=chosen, state=wanted, offset=paging.offset, limit=paging.per_page
    )
    context = ListPage(
        cards,
        total,
        paging.page,
        max(1, -(-total // paging.per_page)),
        [(one.value, i18n.label(one, page.language), one is chosen) for one in Box],
        chosen.value,
        list(EnquiryState),
        wanted.value if wanted else "",
        page.actor.can(Action.ENQUIRY_OVERSEE),
    )
    return page.render("enquiries/list.html", context)


@dataclass(frozen=True)
class BoardPage:
    """Context of the board."""

    cards: list[Card]
    total: int
    page: int
    pages: int
    only: str
    numbers: dict[str, int]


@router.get("/enquiries/board")
def board_page(page: PageDep, session: ReadTx, paging: PagingDep, only: str = "") -> Response:
    """What is still to be done in all enquiries, overdue first."""
    only = only if only in ("overdue", "unassigned") else ""
    cards, total, numbers = queries.board(
        session, page.actor, page.now, only=only, offset=(paging.page - 1) * 50, limit=50
    )
    return page.render(
        "enquiries/board.html", BoardPage(cards, total, paging.page, max(1, -(-total // 50)), only, numbers)
    )


@dataclass(frozen=True)
class NewPage:
    """Context of the form of a new enquiry."""

    form: Form
    kind: SubjectKind
    subject_id: int
    title: str
    owner_name: str
    replies: ReplyTime
    organisations: list[tuple[str, str]]
    offers: list[tuple[str, str]]
    existing: int | None


def _new_page(page: Page, session: Session, kind: SubjectKind, subject_id: int, form: Form) -> Response:
    require(page.actor, Action.ENQUIRY_CREATE)
    english = page.language == "en"
    detail: Any = (
        result_detail(session, page.actor, subject_id, english=english)
        if kind is SubjectKind.RESULT
        else demand_detail(session, page.actor, subject_id, english=english)
    )
    if detail.state is not ListingState.PUBLISHED:
        raise NotFound(kind=kind.value)
    mine = list(
        dict.fromkeys((m.organisation_id, m.organisation_name) for m in page.actor.memberships if m.verified)
    )
    offers: list[tuple[str, str]] = []
    if kind is SubjectKind.DEMAND:
        own = frozenset(number for number, _name in mine)
        cards, _total = results(
            session, page.actor, Filter(organisation_ids=own), limit=OFFERS, english=english
        )
        offers = [(str(card.id), card.title) for card in cards]
    existing = None
    if len(mine) == 1:
        existing = service.find_active(session, page.actor, kind, subject_id, mine[0][0])
    context = NewPage(
        form,
        kind,
        subject_id,
        detail.title,
        detail.owner_name,
        queries.reply_time(session, detail.organisation_id, page.now),
        [(str(number), name) for number, name in mine],
        offers,
        existing,
    )
    return page.render("enquiries/new.html", context)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


@router.get("/enquiries/new")
def new_page(page: PageDep, session: ReadTx, result: str = "", demand: str = "", offer: str = "") -> Response:
    """Ask about a result, or answer a demand."""
    kind = SubjectKind.RESULT if result else SubjectKind.DEMAND
    form = Form.from_values({"offered_result_id": offer} if _number(offer) else {})
    return _new_page(page, session, kind, _number(result or demand), form)


@router.post("/enquiries")
def create(page: PageDep, form: FormDep) -> Response:
    """Send a new enquiry."""
    if not page.actor.is_signed_in:
        raise SignInRequired

    def action(session: Session) -> str:
        return f"/enquiries/{service.open_enquiry(session, page.actor, page.now, form.parse(EnquiryInput))}"

    def again(form: Form) -> Response:
        kind = SubjectKind.DEMAND if form.value("subject_kind") == "demand" else SubjectKind.RESULT
        with page.parts.db.read() as session:
            return _new_page(page, session, kind, _number(form.value("subject_id")), form)

    return page.submit(form, action, again, flash="enquiry_sent")


@dataclass(frozen=True)
class EnquiryPage:
    """Context of an enquiry's page."""

    enquiry: Detail
    form: Form
    steps: frozenset[str]
    followers: list[tuple[str, str]]
    reasons: list[PassReason]
    replies: ReplyTime
    may_contract: bool
    today: str
    may_write: bool
    behind: Behind | None
    why: list[str]
    """Why a broker brought the two together."""
    asked_for: bool
    """Whether the reader's organisation is asked for without having written this itself."""


def _enquiry_page(page: Page, session: Session, enquiry_id: int, form: Form) -> Response:
    detail = queries.enquiry(session, page.actor, enquiry_id, page.now)
    steps = frozenset(step.value for step in detail.steps)
    people = service.followers(session, detail.to_organisation_id) if "follow" in steps else {}
    sides = [one for one in (detail.from_organisation_id, detail.to_organisation_id) if one is not None]
    behind = proposals.behind(session, enquiry_id)
    names = industry_names(session, page.language) if behind is not None else {}
    why = told(behind.reasons, names, page.language)[0] if behind else []
    context = EnquiryPage(
        detail,
        form,
        steps,
        [(str(number), name) for number, name in people.items()],
        list(PassReason),
        queries.reply_time(session, detail.to_organisation_id, page.now),
        detail.state is EnquiryState.AGREED
        and len(sides) == 2
        and any(page.actor.can(Action.CONTRACT_CREATE, one) for one in sides),
        local_date(page.now).isoformat(),
        bool(detail.sides)
        and detail.state in (EnquiryState.OPEN, EnquiryState.ANSWERED, EnquiryState.NEGOTIATING),
        behind,
        why,
        detail.for_demand_id is not None and Side.ASKING in detail.sides,
    )
    return page.render("enquiries/detail.html", context)


@router.get("/enquiries/{enquiry_id}")
def enquiry_page(page: PageDep, session: ReadTx, enquiry_id: RowId) -> Response:
    """One enquiry with its thread and what may be done."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    return _enquiry_page(page, session, enquiry_id, Form())


def _step(page: Page, form: Form, enquiry_id: int, act: Callable[[Session], str | None]) -> Response:
    if not page.actor.is_signed_in:
        raise SignInRequired

    def action(session: Session) -> str:
        return act(session) or f"/enquiries/{enquiry_id}"

    def again(form: Form) -> Response:
        with page.parts.db.read() as session:
            return _enquiry_page(page, session, enquiry_id, form)

    return page.submit(form, action, again, flash="saved")


@router.post("/enquiries/{enquiry_id}/reply")
def reply(page: PageDep, form: FormDep, enquiry_id: RowId) -> Response:
    """Write into the thread."""

    def act(session: Session) -> None:
        service.reply(session, page.actor, page.now, enquiry_id, form.parse(ReplyInput).body)

    return _step(page, form, enquiry_id, act)


@router.post("/enquiries/{enquiry_id}/next-step")
def next_step(page: PageDep, form: FormDep, enquiry_id: RowId) -> Response:
    """Say what is next, and by when."""

    def act(session: Session) -> None:
        service.set_next_step(session, page.actor, page.now, enquiry_id, form.parse(NextStepInput))

    return _step(page, form, enquiry_id, act)


@router.post("/enquiries/{enquiry_id}/take")
def take(page: PageDep, form: FormDep, enquiry_id: RowId) -> Response:
    """Follow it up oneself."""
    return _step(
        page, form, enquiry_id, lambda session: service.take(session, page.actor, page.now, enquiry_id)
    )


@router.post("/enquiries/{enquiry_id}/assign")
def assign(page: PageDep, form: FormDep, enquiry_id: RowId) -> Response:
    """Give it to somebody."""

    def act(session: Session) -> None:
        service.assign(session, page.actor, page.now, enquiry_id, form.parse(AssignInput).person_id)

    return _step(page, form, enquiry_id, act)


@router.post("/enquiries/{enquiry_id}/negotiate")
def negotiate(page: PageDep, form: FormDep, enquiry_id: RowId) -> Response:
    """Begin to talk terms."""
    return _step(
        page, form, enquiry_id, lambda session: service.negotiate(session, page.actor, page.now, enquiry_id)
    )


@router.post("/enquiries/{enquiry_id}/pass")
def pass_on(page: PageDep, form: FormDep, enquiry_id: RowId) -> Response:
    """Pass, with a reason."""

    def act(session: Session) -> None:
        service.pass_on(session, page.actor, page.now, enquiry_id, form.parse(PassInput))

    return _step(page, form, enquiry_id, act)


@router.post("/enquiries/{enquiry_id}/withdraw")
def withdraw(page: PageDep, form: FormDep, enquiry_id: RowId) -> Response:
    """Take one's own enquiry back."""

    def act(session: Session) -> None:
        service.withdraw(session, page.actor, page.now, enquiry_id, form.parse(OutcomeInput).outcome)

    return _step(page, form, enquiry_id, act)


@router.post("/enquiries/{enquiry_id}/resume")
def resume(page: PageDep, form: FormDep, enquiry_id: RowId) -> Response:
    """Take it up again."""
    return _step(
        page, form, enquiry_id, lambda session: service.resume(session, page.actor, page.now, enquiry_id)
    )


@router.post("/enquiries/{enquiry_id}/agree")
def agree(page: PageDep, form: FormDep, enquiry_id: RowId) -> Response:
    """Record the agreement; who may write contracts for a side goes on to the draft."""

    def act(session: Session) -> str | None:
        detail = queries.enquiry(session, page.actor, enquiry_id, page.now)
        service.agree(session, page.actor, page.now, enquiry_id, form.parse(OutcomeInput).outcome)
        sides = (detail.from_organisation_id, detail.to_organisation_id)
        if None in sides or not any(page.actor.can(Action.CONTRACT_CREATE, one) for one in sides):
            return None
        number = deals.draft_from_enquiry(session, page.actor, page.now, enquiry_id)
        return f"/contracts/{number}/edit"

    return _step(page, form, enquiry_id, act)


@router.post("/enquiries/{enquiry_id}/contract")
def contract(page: PageDep, form: FormDep, enquiry_id: RowId) -> Response:
    """Go to the draft contract of what was agreed; it is made when there is none."""

    def act(session: Session) -> str:
        detail = queries.enquiry(session, page.actor, enquiry_id, page.now)
        if detail.state is not EnquiryState.AGREED:
            raise NotFound(kind="contract")
        return f"/contracts/{deals.draft_from_enquiry(session, page.actor, page.now, enquiry_id)}"

    return _step(page, form, enquiry_id, act)
