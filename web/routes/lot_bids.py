"""Bids by form, for every format: first what the rules would say, then a page that asks, then the bid.

The room's script does the same over its socket; nobody who cannot or will not run it is worse off. The
id in the form makes it safe to send twice.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from auctions import queries, trial
from auctions.errors import Busy
from auctions.models import AdmissionState
from auctions.protocol import CLIENT_BID_ID
from auctions.queries import LotDetail
from auctions.room import place_bid
from market.errors import InvalidInput, SignInRequired
from web import bid_forms, refusals
from web.bid_forms import Entered, percent
from web.deps import FormDep, PageDep, RowId
from web.errors import FieldProblem, field_problems
from web.forms import Form
from web.render import Page, capital_numerals
from web.routes.lots import room_page

router = APIRouter()

LARGE_JUMP = 10
"""Steps above the least bid from which the page warns of a slipped zero; the script warns alike."""
FLASHES = {
    "maximum": "maximum_accepted", "seal": "envelope_sealed", "open": "envelope_opened",
    "take": "price_taken", "offer": "offer_accepted",
}  # fmt: skip


@dataclass(frozen=True)
class ConfirmPage:
    """Context of the page that asks before a bid is placed."""

    lot_id: int
    title: str
    bid: Entered
    words: str
    """The amount in capital numerals; nothing where there is none."""
    royalty: str
    hidden: dict[str, str]
    large_jump: int


@router.post("/lots/{lot_id}/bids")
async def bid(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Bid without a script."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    if not page.parts.door.may_bid(page.actor.person_id or 0, asyncio.get_running_loop().time()):
        raise Busy
    sent_id = form.value("client_bid_id")
    client_bid_id = sent_id if re.fullmatch(CLIENT_BID_ID, sent_id) else secrets.token_hex(16)
    entered = await run_in_threadpool(_prepare, page, lot_id, form, client_bid_id)
    if isinstance(entered, Response):
        return entered
    answer = await place_bid(
        page.parts.room,
        page.actor,
        lot_id,
        client_bid_id,
        entered.amount_fen,
        act=entered.act,
        extra=entered.extra,
    )
    if answer.accepted:
        return page.redirect(f"/lots/{lot_id}", flash=FLASHES.get(entered.act, "bid_accepted"))
    error = refusals.sentence(answer.code or "", answer.params, page.language)
    return await run_in_threadpool(room_page, page, lot_id, error=error, form=form, status=409)


def _prepare(page: Page, lot_id: int, form: Form, client_bid_id: str) -> Entered | Response:
    """The bid to place, or the page that comes before it."""
    with page.parts.db.read() as session:
        lot = queries.lot_detail(session, lot_id)
        mine = queries.my_admission(session, lot_id, page.actor.person_id or 0)
        alias = mine.alias if mine is not None and mine.state is AdmissionState.ADMITTED else None
        found, refused = _read(page, form, lot), None
        if isinstance(found, Entered):
            if form.has("confirmed"):
                return found
            refused = trial.would_refuse(
                session, lot_id, alias, found.act, found.amount_fen, found.extra, page.now
            )
    if not isinstance(found, Entered):
        return room_page(page, lot_id, error=found[0].message, form=form.with_problems(found), status=422)
    if refused is not None:
        error_text = refusals.sentence(refused.code.value, refused.params, page.language)
        return room_page(page, lot_id, error=error_text, form=form, status=409)
    return _confirm(page, lot, found, client_bid_id)


def _read(page: Page, form: Form, lot: LotDetail) -> Entered | list[FieldProblem]:
    try:
        return bid_forms.read(form, lot.terms["format"])
    except InvalidInput as error:
        return field_problems(error, page.language)


def _confirm(page: Page, lot: LotDetail, entered: Entered, client_bid_id: str) -> Response:
    jump, amount = 0, entered.amount_fen
    if entered.act in ("bid", "maximum") and lot.next_fen is not None and amount is not None:
        jump = (amount - lot.next_fen) // lot.step_fen
    royalty = entered.extra.get("royalty_bp")
    context = ConfirmPage(
        lot_id=lot.card.id,
        title=lot.card.title,
        bid=entered,
        words="" if amount is None else capital_numerals(amount),
        royalty=percent(royalty) if isinstance(royalty, int) else "",
        hidden={**entered.hidden(), "client_bid_id": client_bid_id, "confirmed": "1"},
        large_jump=jump if jump >= LARGE_JUMP and entered.act == "bid" else 0,
    )
    return page.render("lots/confirm.html", context)
