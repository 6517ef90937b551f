"""Lots for everybody: lists, the live room with its form, the confirmation of a bid, journal, admission."""

from __future__ import annotations

import datetime as dt
import functools
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cn2an
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from auctions import lookups, queries, service
from auctions.lookups import Standing
from auctions.models import AdmissionState
from auctions.protocol import CLIENT_BID_ID
from auctions.queries import AdmissionLine, JournalLine, LotCard, LotDetail
from auctions.room import place_bid
from auctions.rules.events import Kind
from auctions.rules.state import BIDDING, ENDED, STOPPED, UPCOMING, LotState
from market.errors import InvalidInput, NotFound, SignInRequired
from market.money import MAX_FEN, parse_fen
from market.payments import service as payments
from market.payments.queries import DepositLine, deposit_of
from market.permissions import Action, Actor, Membership
from web import i18n, refusals
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.render import Page

router = APIRouter()

TABS: dict[str, frozenset[LotState]] = {
    "live": BIDDING | STOPPED,
    "upcoming": UPCOMING,
    "ended": ENDED,
}
JOURNAL_LIMIT = 60


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
class Entry:
    """A journal entry as the list shows it."""

    seq: int
    kind: Kind
    at: dt.datetime
    text: str
    amount_fen: int | None
    bidder: str | None
    hash: str
    mine: bool


def entry(line: JournalLine, language: str, alias: int | None = None) -> Entry:
    """A journal line in words."""
    data = line.data
    amount = data.get("amount_fen") if line.kind is Kind.BID_ACCEPTED else data.get("hammer_fen")
    who = data.get("alias", data.get("winner"))
    words = [i18n.label(line.kind, language), str(data.get("text") or "")]
    if line.kind is Kind.CLOSED:
        words.append(i18n.term(f"CloseReason.{data['reason']}", language))
    else:
        words.append(str(data.get("reason") or ""))
    return Entry(
        line.seq,
        line.kind,
        line.at,
        " ".join(word for word in words if word),
        amount,
        i18n.term("lots.bidder", language, {"n": who}) if who is not None else None,
        line.hash,
        who is not None and who == alias,
    )


@dataclass(frozen=True)
class RoomPage:
    """Context of a lot's page, live or not."""

    lot: LotDetail
    view: dict[str, Any]
    terms: dict[str, Any]
    admission: AdmissionLine | None
    deposit: DepositLine | None
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
    base_url: str = ""
    watching: bool = False
    may_confirm: bool = False
    placing: Standing | None = None
    """Where the asker came in, once the lot has ended."""
    error: str = ""
    form: Form = field(default_factory=Form)


@functools.cache
def _room_texts(language: str) -> dict[str, Any]:
    names = (
        "spoken_bid", "spoken_extended", "bidder", "hammer", "start", "now", "nobody", "leads", "outbid",
        "you_lead", "you", "closing", "day", "minutes_left", "seconds_left", "not_an_amount", "large_jump",
        "sending", "unsure", "accepted", "refused_by", "won", "opens_in", "time_left",
    )  # fmt: skip
    texts: dict[str, Any] = {name: i18n.term(f"lots.{name}", language) for name in names}
    texts["kinds"] = {kind.value: i18n.label(kind, language) for kind in Kind}
    texts["states"] = {state.value: i18n.label(state, language) for state in LotState}
    texts["refusals"] = refusals.patterns(language)
    return texts


def may_have_confirmation(actor: Actor, lot: LotDetail) -> bool:
    """Whether somebody may have a lot's confirmation of sale: its parties, and those who hold it."""
    parties = {lot.card.seller_organisation_id, lot.winner_organisation_id} - {None}
    return bool(parties & actor.organisation_ids) or actor.can(Action.LOT_CONDUCT)


def room_page(
    page: Page, lot_id: int, *, error: str = "", form: Form | None = None, status: int = 200
) -> Response:
    """A lot's page as it is now, in its own short read."""
    actor = page.actor
    with page.parts.db.read() as session:
        lot = queries.lot_detail(session, lot_id, draft=actor.can(Action.LOT_CREATE))
        if lot.card.state is LotState.DRAFT:
            if not actor.can(Action.LOT_CREATE, lot.card.seller_organisation_id):
                raise NotFound
            return page.redirect(f"/lots/{lot_id}/edit")
        state = queries.room_state(session, lot_id)
        admission = deposit = placing = None
        watching = False
        mine: list[int] = []
        if actor.person_id is not None:
            watching = lookups.is_watching(session, lot_id, actor.person_id)
            admission = queries.my_admission(session, lot_id, actor.person_id)
            if admission is not None:
                deposit = deposit_of(session, lot_id, admission.organisation_id)
                mine = [
                    answer.seq
                    for answer in queries.bid_answers(session, lot_id, actor.person_id, 20)
                    if answer.accepted
                ]
                if lot.card.state in ENDED and admission.alias is not None:
                    placing = lookups.standing(session, lot_id, admission.alias)
        last = queries.journal_page(
            session, lot_id, after_seq=max(0, state.seq - JOURNAL_LIMIT), limit=JOURNAL_LIMIT
        )
    alias = admission.alias if admission and admission.state is AdmissionState.ADMITTED else None
    bidding = lot.card.state in BIDDING
    can_bid = alias is not None
    least, step = state.view["next_fen"], state.view["step_fen"]
    organisations = {
        m.organisation_id: m
        for m in actor.memberships
        if actor.can(Action.BID_PLACE, m.organisation_id)
        and m.organisation_id != lot.card.seller_organisation_id
    }
    config = {
        "lot_id": lot_id,
        "socket": f"/ws/lots/{lot_id}",
        "bids": f"/api/v1/lots/{lot_id}/bids",
        "seq": state.seq,
        "epoch": state.epoch,
        "view": state.view,
        "you": {"alias": alias, "can_bid": can_bid},
        "mine": mine,
        "ended": lot.card.state in ENDED,
        "texts": _room_texts(page.language),
    }
    context = RoomPage(
        lot=lot,
        view=state.view,
        terms=dict(lot.terms),
        admission=admission,
        deposit=deposit,
        can_bid=can_bid,
        can_conduct=actor.can(Action.LOT_CONDUCT),
        organisations=list(organisations.values()),
        entries=[entry(line, page.language, alias) for line in reversed(last)],
        choices=[least + step * n for n in (0, 1, 2, 5, 10, 20)] if least is not None else [],
        client_bid_id=secrets.token_hex(16),
        room=config,
        opens_at=dt.datetime.fromisoformat(state.view["opens_at"]),
        ends_at=dt.datetime.fromisoformat(state.view["ends_at"]),
        bidding=bidding,
        ended=lot.card.state in ENDED,
        watchers=page.parts.hub.watchers(lot_id),
        base_url=page.parts.settings.base_url.rstrip("/"),
        watching=watching,
        may_confirm=lot.card.state is LotState.SOLD and may_have_confirmation(actor, lot),
        placing=placing,
        error=error,
        form=form or Form(),
    )
    return page.render("lots/room.html", context, status=status)


@router.get("/lots/{lot_id}")
def show_lot(page: PageDep, lot_id: RowId) -> Response:
    """The lot: terms, price, journal, and for the admitted the form to bid."""
    return room_page(page, lot_id)


@dataclass(frozen=True)
class ConfirmPage:
    """Context of the page that asks before a bid is placed."""

    lot_id: int
    title: str
    amount_fen: int
    words: str
    hidden: dict[str, str]
    large_jump: int


@router.post("/lots/{lot_id}/bids")
async def bid(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Bid without a script: first a page that asks, then the bid. The id in the form makes it safe to send twice."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    typed = form.value("amount_fen") or form.value("amount")
    try:
        amount = (
            int(typed) if form.has("amount_fen") and typed.isascii() and typed.isdigit() else parse_fen(typed)
        )
        if not 0 < amount <= MAX_FEN:
            raise ValueError("not an amount of money")
    except ValueError:
        error = i18n.term("lots.not_an_amount", page.language)
        return await run_in_threadpool(room_page, page, lot_id, error=error, form=form, status=422)
    sent_id = form.value("client_bid_id")
    client_bid_id = sent_id if re.fullmatch(CLIENT_BID_ID, sent_id) else secrets.token_hex(16)
    if not form.has("confirmed"):
        return await run_in_threadpool(_confirm, page, lot_id, amount, client_bid_id)
    answer = await place_bid(page.parts.room, page.actor, lot_id, client_bid_id, amount)
    if answer.accepted:
        return page.redirect(f"/lots/{lot_id}", flash="bid_accepted")
    error = refusals.sentence(answer.code or "", answer.params, page.language)
    return await run_in_threadpool(room_page, page, lot_id, error=error, form=form, status=409)


def _confirm(page: Page, lot_id: int, amount: int, client_bid_id: str) -> Response:
    with page.parts.db.read() as session:
        lot = queries.lot_detail(session, lot_id)
    jump = 0 if lot.next_fen is None else (amount - lot.next_fen) // lot.step_fen
    hidden = {"client_bid_id": client_bid_id, "amount_fen": str(amount), "confirmed": "1"}
    return page.render(
        "lots/confirm.html",
        ConfirmPage(
            lot_id, lot.card.title, amount, capital_numerals(amount), hidden, jump if jump >= 10 else 0
        ),
    )


def capital_numerals(fen: int) -> str:
    """An amount in Chinese capital numerals (大写), as contracts and bids are written out."""
    yuan, rest = divmod(fen, 100)
    return str(cn2an.an2cn(f"{yuan}.{rest:02d}" if rest else str(yuan), "rmb"))


@router.post("/lots/{lot_id}/admission")
def ask_admission(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Accept the terms and ask to be admitted; the deposit is asked for with it."""

    def act(session: Any) -> str:
        if not form.has("accept"):
            raise InvalidInput([("accept", "accept_terms", {})])
        organisation_id = form.number("organisation_id")
        service.request_admission(
            session, page.actor, lot_id, organisation_id, form.value("terms_hash"), page.now
        )
        lot = queries.lot_detail(session, lot_id)
        if lot.card.deposit_fen:
            payments.request_deposit(
                session,
                page.actor,
                page.now,
                lot_id=lot_id,
                organisation_id=organisation_id,
                amount_fen=lot.card.deposit_fen,
                gateway=page.parts.gateway,
            )
        return f"/lots/{lot_id}#admission"

    return page.submit(
        form, act, lambda form: room_page(page, lot_id, form=form), flash="admission_requested"
    )


@router.post("/lots/{lot_id}/deposit")
def pay_deposit(page: PageDep, lot_id: RowId) -> Response:
    """Pay the deposit at the simulated gateway (labelled so); other gateways confirm it themselves."""
    if not page.parts.gateway.simulated:
        raise NotFound
    with page.parts.db.write() as session:
        admission = queries.my_admission(session, lot_id, page.actor.person_id or 0)
        deposit = deposit_of(session, lot_id, admission.organisation_id) if admission else None
        if deposit is None:
            raise NotFound
        payments.confirm_deposit(session, page.actor, page.now, deposit.id, gateway=page.parts.gateway)
    return page.redirect(f"/lots/{lot_id}#admission", flash="deposit_paid")


@dataclass(frozen=True)
class JournalPage:
    """Context of the whole journal."""

    lot: LotDetail
    entries: list[Entry]
    after: int
    following: int | None
    public_key: str
    receipts: list[queries.BidAnswerLine]
    ended: bool


@router.get("/lots/{lot_id}/journal")
def show_journal(page: PageDep, session: ReadTx, lot_id: RowId, after: int = 0) -> Response:
    """Every entry, oldest first, with its hash; how to check it; one's own receipts."""
    lot = queries.lot_detail(session, lot_id)
    after = max(0, min(after, 2**31 - 1))
    lines = queries.journal_page(session, lot_id, after_seq=after, limit=200)
    receipts = queries.bid_answers(session, lot_id, page.actor.person_id) if page.actor.person_id else []
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
