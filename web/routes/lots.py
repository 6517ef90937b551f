"""Lots for everybody: lists, the live room, journal, admission. Bids by form are `lot_bids`'."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from auctions import lookups, papers, queries, service
from auctions.lookups import Standing
from auctions.models import AdmissionState, RelatedTo
from auctions.queries import AdmissionLine, LotCard, LotDetail
from auctions.relations import Declaration
from auctions.rules.canonical import maybe_instant
from auctions.rules.formats import RULES, scoring
from auctions.rules.settlement import SettlementTerms
from auctions.rules.state import ENDED, OPEN, STOPPED, UPCOMING, LotState
from auctions.sales import Predecessor, waits_for
from market.clock import local_date
from market.db import Session
from market.errors import InvalidInput, NotFound
from market.files.models import Visibility
from market.payments import service as payments
from market.payments.queries import DepositLine, deposit_of
from market.permissions import Action, Actor, Membership
from market.settlements import queries as settlements
from market.settlements.models import OfferState
from market.settlements.queries import OfferLine, SettlementLine
from market.settlements.service import may_see
from web import bid_forms, i18n, own_bids, refusals, rooms
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.own_bids import OwnBid, OwnBids
from web.render import Page
from web.rooms import Entry, Notice, Paper, PriceStep, entry
from web.routes.payments import Way, ways

__all__ = ["Entry", "entry"]  # the console's too

router = APIRouter()

TABS: dict[str, frozenset[LotState]] = {
    "live": OPEN | STOPPED,
    "upcoming": UPCOMING,
    "ended": ENDED,
}
JOURNAL_LIMIT = 60
OWN_LIMIT = 100
"""Own answers that are read, so many of which are shown:"""
OWN_SHOWN = 20
PAPER_LABELS = {Visibility.PUBLIC: "lots.for_everyone", Visibility.PARTIES: "lots.for_admitted"}


@dataclass(frozen=True)
class LotsPage:
    """Context of the list of lots."""

    tab: str
    tabs: list[tuple[str, str, int]]
    lots: list[LotCard]
    total: int
    page: int
    pages: int


@router.get("/lots")
def list_lots(page: PageDep, session: ReadTx, paging: PagingDep, show: str = "") -> Response:
    """What is live, what comes, what has ended."""
    counts = queries.count_by_state(session)
    numbers = {name: sum(counts.get(state, 0) for state in states) for name, states in TABS.items()}
    tab = show if show in TABS else next((name for name in TABS if numbers[name]), "upcoming")
    lots, total = queries.list_lots(session, states=TABS[tab], limit=paging.per_page, offset=paging.offset)
    return page.render(
        "lots/list.html",
        LotsPage(
            tab,
            [(name, i18n.term(f"lots.{name}", page.language), numbers[name]) for name in TABS],
            lots,
            total,
            paging.page,
            max(1, -(-total // paging.per_page)),
        ),
    )


@dataclass(frozen=True)
class AfterSale:
    """What followed a sale: the settlements that the asker may know of, and offers to next bidders."""

    settlements: list[SettlementLine]
    offers: list[OfferLine]
    own_offer: int | None
    """The open offer to one of the asker's organisations."""
    today: dt.date


def _after_sale(session: Session, actor: Actor, lot: LotDetail, now: dt.datetime) -> AfterSale | None:
    if lot.card.state not in (LotState.SOLD, LotState.DEFAULTED):
        return None
    found = [
        line
        for line in settlements.of_lot(session, lot.card.id)
        if may_see(actor, line.seller_organisation_id, line.buyer_organisation_id)
    ]
    offers = settlements.offers_of_lot(session, lot.card.id) if lot.card.state is LotState.DEFAULTED else []
    own = next(
        (
            one.id
            for one in offers
            if one.state is OfferState.OPEN and actor.can(Action.BID_PLACE, one.organisation_id)
        ),
        None,
    )
    return AfterSale(found, offers, own, local_date(now))


@dataclass(frozen=True)
class RoomPage:
    """Context of a lot's page, live or not."""

    lot: LotDetail
    waits: Predecessor | None
    view: dict[str, Any]
    terms: dict[str, Any]
    admission: AdmissionLine | None
    deposit: DepositLine | None
    ways: list[Way]
    can_bid: bool
    can_conduct: bool
    organisations: list[Membership]
    entries: list[Entry]
    choices: list[int]
    client_bid_id: str
    room: dict[str, Any]
    opens_at: dt.datetime
    ends_at: dt.datetime
    bidding: bool
    ended: bool
    watchers: int
    deposit_due_at: dt.datetime | None
    too_late: bool
    """Whether a deposit that is asked for now would come after its deadline."""
    own: OwnBids
    own_lines: list[tuple[OwnBid, str]]
    """Own bids with why they were refused."""
    standing: str
    cover_fen: int | None
    """How far the deposit covers bids, where the terms ask for that; fen."""
    steps: list[PriceStep]
    least_points: str
    papers: list[Paper]
    notices: list[Notice]
    may_add_papers: bool
    paper_choices: list[tuple[str, str]]
    max_mb: int
    base_url: str = ""
    watching: bool = False
    may_confirm: bool = False
    placing: Standing | None = None
    """Where the asker came in, once the lot has ended."""
    after: AfterSale | None = None
    """What followed the sale, as far as the asker may know of it."""
    error: str = ""
    error_act: str = ""
    percent: Callable[[int], str] = bid_forms.percent
    form: Form = field(default_factory=Form)


def may_have_confirmation(actor: Actor, lot: LotDetail) -> bool:
    """Whether somebody may have a lot's confirmation of sale: its parties, and those who hold it."""
    parties = {lot.card.seller_organisation_id, lot.winner_organisation_id} - {None}
    return bool(parties & actor.organisation_ids) or actor.can(Action.LOT_CONDUCT)


def room_page(
    page: Page, lot_id: int, *, error: str = "", form: Form | None = None, status: int = 200
) -> Response:
    """A lot's page as it is now, in its own short read. `error` is about the act in the form."""
    actor, language = page.actor, page.language
    with page.parts.db.read() as session:
        lot = queries.lot_detail(session, lot_id, draft=actor.can(Action.LOT_CREATE))
        seller = lot.card.seller_organisation_id
        if lot.card.state is LotState.DRAFT:
            if not actor.can(Action.LOT_CREATE, seller):
                raise NotFound
            return page.redirect(f"/lots/{lot_id}/edit")
        state = queries.room_state(session, lot_id)
        upcoming = lot.card.sale_id is not None and lot.card.state in UPCOMING
        waits = waits_for(session, lot_id) if upcoming else None
        admission = deposit = placing = looked_at = None
        watching = False
        own = OwnBids()
        if actor.person_id is not None:
            watching = lookups.is_watching(session, lot_id, actor.person_id)
            looked_at = papers.last_look(session, lot_id, actor.person_id)
            admission = queries.my_admission(session, lot_id, actor.person_id)
            if admission is not None:
                deposit = deposit_of(session, lot_id, admission.organisation_id)
                own = own_bids.read(queries.bid_answers(session, lot_id, actor.person_id, OWN_LIMIT))
                if lot.card.state in ENDED and admission.alias is not None:
                    placing = lookups.standing(session, lot_id, admission.alias)
        after = _after_sale(session, actor, lot, page.now)
        alias = admission.alias if admission and admission.state is AdmissionState.ADMITTED else None
        files = papers.papers(session, actor, lot_id, seller, admitted=alias is not None)
        last = queries.journal_page(
            session, lot_id, after_seq=max(0, state.seq - JOURNAL_LIMIT), limit=JOURNAL_LIMIT
        )
    can_bid = (
        admission is not None and alias is not None and actor.can(Action.BID_PLACE, admission.organisation_id)
    )
    you = {"alias": alias, "can_bid": can_bid, "priority": admission.priority if admission else None}
    cover = None
    if lot.terms.get("cover_bp") and deposit is not None:
        cover = deposit.amount_fen * 10_000 // lot.terms["cover_bp"]
    due = SettlementTerms.read(lot.terms.get("settlement")).deposit_due_at
    config = {
        "lot_id": lot_id,
        "socket": f"/ws/lots/{lot_id}",
        "bids": f"/api/v1/lots/{lot_id}/bids",
        "looks": f"/lots/{lot_id}/looks" if actor.is_signed_in else None,
        "seq": state.seq,
        "epoch": state.epoch,
        "view": state.view,
        "you": you,
        "mine": own.seqs,
        "maximum_fen": own.maximum_fen,
        "envelope": asdict(own.envelope) if own.envelope else None,
        "cover_fen": cover,
        "ended": lot.card.state in ENDED,
        "texts": rooms.texts(language),
    }
    context = RoomPage(
        lot=lot,
        waits=waits,
        view=state.view,
        terms=dict(lot.terms),
        admission=admission,
        deposit=deposit,
        ways=ways(page.parts),
        can_bid=can_bid,
        can_conduct=actor.can(Action.LOT_CONDUCT),
        organisations=_bidders_for(actor, seller),
        entries=[entry(line, language, alias) for line in reversed(last)],
        choices=rooms.choices(state.view),
        client_bid_id=secrets.token_hex(16),
        room=config,
        opens_at=dt.datetime.fromisoformat(state.view["opens_at"]),
        ends_at=dt.datetime.fromisoformat(state.view["ends_at"]),
        bidding=lot.card.state in OPEN,
        ended=lot.card.state in ENDED,
        watchers=page.parts.hub.watchers(lot_id),
        deposit_due_at=due,
        too_late=due is not None and page.now > due,
        own=own,
        own_lines=[(line, _why(line, language)) for line in own.lines[:OWN_SHOWN]],
        standing=_standing(state.view, alias, own),
        cover_fen=cover,
        steps=rooms.price_steps(state.terms, state.view, page.now) if lot.terms["format"] == "dutch" else [],
        least_points=_least_points(state),
        papers=rooms.marked(files, looked_at, reader=actor.is_signed_in),
        notices=rooms.notices(last, looked_at, language, reader=actor.is_signed_in),
        may_add_papers=actor.can(Action.LOT_CREATE, seller) and lot.card.state not in ENDED,
        paper_choices=[(one.value, i18n.term(PAPER_LABELS[one], language)) for one in papers.VISIBILITIES],
        max_mb=page.parts.settings.max_upload_mb,
        base_url=page.parts.settings.base_url.rstrip("/"),
        watching=watching,
        may_confirm=lot.card.state is LotState.SOLD and may_have_confirmation(actor, lot),
        placing=placing,
        after=after,
        error=error,
        error_act=(form.value("act") if form else "") or RULES[lot.terms["format"]].ACTS[0],
        form=form or Form(),
    )
    return page.render("lots/room.html", context, status=status)


def _bidders_for(actor: Actor, seller_organisation_id: int) -> list[Membership]:
    """The memberships by which somebody could ask to be admitted, one for each organisation."""
    found = {
        m.organisation_id: m
        for m in actor.memberships
        if actor.can(Action.BID_PLACE, m.organisation_id) and m.organisation_id != seller_organisation_id
    }
    return list(found.values())


def _why(line: OwnBid, language: str) -> str:
    """Why an own bid was refused; nothing for one that was accepted."""
    return "" if line.accepted else refusals.sentence(line.code, line.params, language)


def _standing(view: dict[str, Any], alias: int | None, own: OwnBids) -> str:
    """How a bidder stands: `lead`, `outbid` or `none`."""
    if alias is not None and view["leader"] == alias:
        return "lead"
    # An envelope that is still closed is not beaten by an open one.
    open_bids = view["format"] in ("english", "scoring")
    return "outbid" if alias is not None and open_bids and own.seqs and view["leader"] is not None else "none"


def _least_points(state: queries.RoomState) -> str:
    """The score that the next offer needs; nothing before the first."""
    view, terms = state.view, state.terms
    if terms.format != "scoring" or view["leader"] is None:
        return ""
    least = Fraction(view["lead_detail"]["score"]) + Fraction(terms.params["score_step"], 100)
    return scoring.points(least, up=True)


@router.get("/lots/{lot_id}")
def show_lot(page: PageDep, lot_id: RowId) -> Response:
    """The lot: terms, price, journal, and for the admitted the form to bid."""
    return room_page(page, lot_id)


def hold_until(lot: LotDetail) -> dt.datetime:
    """How long a lot can need its deposits: losers get theirs back and the winner's is taken at the close."""
    latest = maybe_instant(lot.terms.get("hard_end")) or lot.card.ends_at
    return latest + dt.timedelta(days=1)


@router.post("/lots/{lot_id}/admission")
def ask_admission(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Accept the terms and ask to be admitted; the deposit is asked for with it."""

    def act(session: Any) -> str:
        declaration, problems = _declaration(form)
        if not form.has("accept"):
            problems.append(("accept", "accept_terms", {}))
        if problems:
            raise InvalidInput(problems)
        organisation_id = form.number("organisation_id")
        service.request_admission(
            session, page.actor, lot_id, organisation_id, form.value("terms_hash"), page.now, declaration
        )
        lot = queries.lot_detail(session, lot_id)
        if lot.card.deposit_fen and declaration.to is None:
            payments.request_deposit(
                session,
                page.actor,
                page.now,
                lot_id=lot_id,
                organisation_id=organisation_id,
                amount_fen=lot.card.deposit_fen,
                hold_until=hold_until(lot),
            )
        return f"/lots/{lot_id}#admission"

    return page.submit(
        form, act, lambda form: room_page(page, lot_id, form=form), flash="admission_requested"
    )


def _declaration(form: Form) -> tuple[Declaration, list[tuple[str, str, dict[str, Any]]]]:
    """What the bidder says about its relations (that there is none, or which), and what is missing of it."""
    said, text = form.value("relation"), form.value("declaration").strip()[:500]
    if said == "none":
        return Declaration(), []
    if said not in list(RelatedTo):
        return Declaration(), [("relation", "missing", {})]
    return Declaration(RelatedTo(said), text), [] if text else [("declaration", "missing", {})]


@dataclass(frozen=True)
class JournalPage:
    """Context of the whole journal."""

    lot: LotDetail
    entries: list[Entry]
    after: int
    following: int | None
    public_key: str
    receipts: list[OwnBid]
    ended: bool


@router.get("/lots/{lot_id}/journal")
def show_journal(page: PageDep, session: ReadTx, lot_id: RowId, after: int = 0) -> Response:
    """Every entry, oldest first, with its hash; how to check it; one's own receipts."""
    lot = queries.lot_detail(session, lot_id)
    after = max(0, min(after, 2**31 - 1))
    lines = queries.journal_page(session, lot_id, after_seq=after, limit=200)
    person_id = page.actor.person_id
    receipts = list(own_bids.read(queries.bid_answers(session, lot_id, person_id)).lines) if person_id else []
    return page.render(
        "lots/journal.html",
        JournalPage(
            lot,
            [entry(line, page.language) for line in lines],
            after,
            lines[-1].seq if lines and lines[-1].seq < lot.head_seq else None,
            page.parts.public_key,
            receipts,
            lot.card.state in ENDED,
        ),
    )


@router.get("/lots/{lot_id}/journal.jsonl")
def download_journal(page: PageDep, lot_id: RowId) -> Response:
    """The journal as JSON Lines, for `market verify` and for anybody's own program."""

    def lines() -> Iterator[str]:
        with page.parts.db.read() as session:
            yield from queries.export_journal(session, lot_id)

    stream = lines()
    first = next(stream)

    def whole() -> Iterator[str]:
        yield first
        yield from stream

    return StreamingResponse(
        whole(),
        media_type="application/jsonl; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="lot-{lot_id}-journal.jsonl"'},
    )
