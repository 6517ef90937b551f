"""Pages of the brokers' queue: the suggested pairs of each industry, one pair side by side, its decisions."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.enquiries.rules import reply_due
from market.errors import SignInRequired
from market.taxonomy.queries import industry_names
from matching import text
from matching.models import ProposalState, RejectReason
from matching.proposals import queries, service
from matching.proposals.inputs import AcceptInput, AssignInput, RejectInput, SnoozeInput
from matching.proposals.queries import Card, Due, Pair, Wanted, Whose
from matching.proposals.rules import LONGEST_SNOOZE
from matching.scoring import ReasonCode
from web import i18n
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.matches import mode_name, told
from web.render import Page, url

router = APIRouter()
SHOWN = (ProposalState.SUGGESTED, ProposalState.SNOOZED, ProposalState.ACCEPTED, ProposalState.REJECTED)
"""States whose pairs have a list; what has lapsed is of no use to anybody."""
OVERDUE = 20
"""Overdue pairs shown above the queue, at most."""
DAY = dt.timedelta(days=1)
INDUSTRY = re.compile(r"[\w-]{1,32}")
"""What may be an industry's code in an address."""
Act = Literal["accept", "reject", "snooze", "assign", "take", "reopen"]
"""What may be done with a pair, as it stands in an address."""


@dataclass(frozen=True)
class Shown:
    """A pair in the list, with its reasons in words."""

    card: Card
    why: list[str]
    against: list[str]
    industry_name: str


@dataclass(frozen=True)
class QueuePage:
    """Context of the queue."""

    pairs: list[Shown]
    total: int
    page: int
    pages: int
    states: list[ProposalState]
    state: ProposalState
    whose: list[tuple[Whose, int]]
    whose_now: Whose
    industries: list[tuple[str, str, int]]
    industry: str
    overdue: list[Due]
    me: int


def _wanted(page: Page) -> Wanted:
    """What the address asks for; a value that means nothing is ignored."""
    query = page.request.query_params
    state, whose, industry = (query.get(name, "") for name in ("state", "whose", "industry"))
    return Wanted(
        ProposalState(state) if state in SHOWN else ProposalState.SUGGESTED,
        Whose(whose) if whose in list(Whose) else Whose.ALL,
        industry if INDUSTRY.fullmatch(industry) else "",
    )


@router.get("/proposals")
def queue_page(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """The suggested pairs, the strongest first."""
    if page.actor.person_id is None:
        raise SignInRequired
    wanted = _wanted(page)
    numbers = queries.numbers(session, page.actor, wanted)
    names = industry_names(session, page.language)
    industries = [(code, names.get(code, code), count) for code, count in numbers.industries.items()]
    total = (
        numbers.industries.get(wanted.industry, 0) if wanted.industry else sum(numbers.industries.values())
    )
    cards = queries.queue(session, page.actor, wanted, offset=paging.offset, limit=paging.per_page)
    context = QueuePage(
        [
            Shown(
                card,
                *told(card.reasons, names, page.language),
                names.get(card.industry_code, card.industry_code),
            )
            for card in cards
        ],
        total,
        paging.page,
        max(1, -(-total // paging.per_page)),
        list(SHOWN),
        wanted.state,
        list(numbers.whose.items()),
        wanted.whose,
        sorted(industries, key=lambda one: (-one[2], one[0])),
        wanted.industry,
        queries.due(session, before=local_date(page.now), limit=OVERDUE),
        page.actor.person_id,
    )
    return page.render("proposals/queue.html", context)


@dataclass(frozen=True)
class Side:
    """A listing in words and marked pieces."""

    texts: list[tuple[str, list[text.Segment]]]
    figures: list[list[text.Segment]]
    keywords: list[list[text.Segment]]
    title: list[text.Segment]
    modes: list[str]


@dataclass(frozen=True)
class PairPage:
    """Context of a pair's page. `tried` is the step whose form was refused, `left` what somebody entered who
    came too late to use it."""

    pair: Pair
    form: Form
    demand: Side
    result: Side
    why: list[str]
    against: list[str]
    industry_name: str
    steps: frozenset[str]
    people: list[tuple[str, str]]
    reasons: list[RejectReason]
    defaults: dict[str, str]
    today: str
    tomorrow: str
    latest: str
    next_href: str
    queue_href: str
    here: str
    query: str
    tried: str
    left: list[str]


def _side(title: str, listing: queries.Listing, words: list[str], language: str) -> Side:
    def marked(written: str) -> list[text.Segment]:
        return text.highlight(written, words)

    return Side(
        [(i18n.term(f"field.{name}", language), marked(written)) for name, written in listing.texts],
        [marked(one) for one in listing.figures],
        [marked(one) for one in listing.keywords],
        marked(title),
        [mode_name(mode, language) for mode in listing.modes],
    )


def _pair_page(page: Page, session: Session, proposal_id: int, form: Form, tried: str = "") -> Response:
    pair = queries.pair(session, page.actor, proposal_id)
    names = industry_names(session, page.language)
    wanted = _wanted(page)
    wanted = Wanted(ProposalState.SUGGESTED, wanted.whose, wanted.industry)
    following = queries.following(session, page.actor, wanted, proposal_id)
    kept = {
        "whose": wanted.whose.value if wanted.whose is not Whose.ALL else None,
        "industry": wanted.industry,
    }
    words = [
        word
        for reason in pair.reasons
        if reason.code is ReasonCode.SHARED_WORDS
        for word in reason.params["words"]
    ]
    today = local_date(page.now)
    steps = frozenset(step.value for step in pair.steps)
    why, against = told(pair.reasons, names, page.language)
    entered = [form.value(name) for name in ("body", "note", "next_step")]
    context = PairPage(
        pair,
        form,
        _side(pair.demand_title, pair.demand, words, page.language),
        _side(pair.result_title, pair.result, words, page.language),
        why,
        against,
        names.get(pair.industry_code, pair.industry_code),
        steps,
        [(str(number), name) for number, name in service.workers(session).items()],
        list(RejectReason),
        {
            "next_step": i18n.term("proposal.first_step", page.language),
            "due_on": reply_due(page.now, pair.result.promised_reply_hours).isoformat(),
        },
        today.isoformat(),
        (today + DAY).isoformat(),
        (today + LONGEST_SNOOZE).isoformat(),
        url(f"/proposals/{following}", **kept) if following is not None else "",
        url("/proposals", **kept),
        f"/proposals/{proposal_id}",
        url("", **kept),
        tried,
        [one for one in entered if one] if form.problems and "accepted" not in steps else [],
    )
    return page.render("proposals/pair.html", context)


@router.get("/proposals/{proposal_id}")
def pair_page(page: PageDep, session: ReadTx, proposal_id: RowId) -> Response:
    """A pair side by side, with the words both use, and what may be done."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    return _pair_page(page, session, proposal_id, Form())


@router.get("/proposals/{proposal_id}/{step}")
def back_to_the_pair(page: PageDep, proposal_id: RowId, step: Act) -> Response:  # noqa: ARG001
    """Where a refused form's address leads when it is loaded anew or the language is changed."""
    query = page.request.url.query
    return page.redirect(f"/proposals/{proposal_id}" + (f"?{query}" if query else ""))


def _step(
    page: Page, form: Form, proposal_id: int, act: Callable[[Session, int], str], *, stay: bool = True
) -> Response:
    """Take a step with the version that was read. Who came too late sees what happened, and keeps what they
    entered."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    query = page.request.url.query
    place = f"/proposals/{proposal_id}" if stay else "/proposals"
    flash = ""

    def action(session: Session) -> str:
        nonlocal flash
        flash = act(session, form.number("version"))
        return f"{place}?{query}" if query else place

    def again(form: Form) -> Response:
        with page.parts.db.read() as session:
            return _pair_page(page, session, proposal_id, form, page.request.url.path.rpartition("/")[2])

    answer = page.submit(form, action, again)
    return page.redirect(answer.headers["location"], flash=flash) if flash else answer


def _entered(form: Form) -> Form:
    """The form without what only the page needs."""
    return Form({name: values for name, values in form.entered.items() if name != "version"})


@router.post("/proposals/{proposal_id}/accept")
def accept(page: PageDep, form: FormDep, proposal_id: RowId) -> Response:
    """Bring the two together."""

    def act(session: Session, version: int) -> str:
        data = _entered(form).parse(AcceptInput)
        made = service.accept(session, page.actor, page.now, proposal_id, data, version)
        return "proposal_linked" if made.linked else "proposal_accepted"

    return _step(page, form, proposal_id, act)


@router.post("/proposals/{proposal_id}/reject")
def reject(page: PageDep, form: FormDep, proposal_id: RowId) -> Response:
    """Turn the pair down."""

    def act(session: Session, version: int) -> str:
        data = _entered(form).parse(RejectInput)
        service.reject(session, page.actor, page.now, proposal_id, data, version)
        return "proposal_rejected"

    return _step(page, form, proposal_id, act)


@router.post("/proposals/{proposal_id}/snooze")
def snooze(page: PageDep, form: FormDep, proposal_id: RowId) -> Response:
    """Put the pair off."""

    def act(session: Session, version: int) -> str:
        data = _entered(form).parse(SnoozeInput)
        service.snooze(session, page.actor, page.now, proposal_id, data, version)
        return "proposal_snoozed"

    return _step(page, form, proposal_id, act)


@router.post("/proposals/{proposal_id}/assign")
def assign(page: PageDep, form: FormDep, proposal_id: RowId) -> Response:
    """Give the pair to somebody, or to nobody."""

    def act(session: Session, version: int) -> str:
        data = _entered(form).parse(AssignInput)
        service.assign(session, page.actor, page.now, proposal_id, data, version)
        return "proposal_assigned"

    return _step(page, form, proposal_id, act)


@router.post("/proposals/{proposal_id}/take")
def take(page: PageDep, form: FormDep, proposal_id: RowId) -> Response:
    """Take the pair, from the queue, and stay there."""

    def act(session: Session, version: int) -> str:
        mine = AssignInput(person_id=page.actor.person_id)
        service.assign(session, page.actor, page.now, proposal_id, mine, version)
        return "proposal_taken"

    return _step(page, form, proposal_id, act, stay=False)


@router.post("/proposals/{proposal_id}/reopen")
def reopen(page: PageDep, form: FormDep, proposal_id: RowId) -> Response:
    """Undo a rejection or a putting off."""

    def act(session: Session, version: int) -> str:
        service.reopen(session, page.actor, page.now, proposal_id, version)
        return "proposal_reopened"

    return _step(page, form, proposal_id, act)
