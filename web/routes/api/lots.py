"""Lots over the API: lists, the state of a lot, its journal, and bids."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from auctions import queries
from auctions.errors import Busy
from auctions.protocol import CLIENT_BID_ID, Act, Extra, Receipt, Refused
from auctions.queries import LotCard
from auctions.room import RETRY, answer_message, error_message, place_bid
from auctions.rules.canonical import iso
from auctions.rules.events import Kind
from auctions.rules.state import LotState
from market.errors import MarketError
from market.money import MAX_FEN
from web.deps import CurrentActor, PagingDep, PartsDep, ReadTx
from web.doorkeeper import LATE_S
from web.routes.api import Listed, problems
from web.wiring import Parts

router = APIRouter(prefix="/lots", tags=["auctions"])

LotId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The lot's id.", examples=[1])]


class LotSummary(BaseModel):
    """A lot as lists show it."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    state: LotState
    result_id: int
    seller_organisation_id: int
    seller_name: str
    start_fen: int = Field(description="Start price, fen.")
    deposit_fen: int
    price_fen: int | None = Field(description="Standing price, fen; null before the first bid.")
    bid_count: int
    opens_at: dt.datetime
    ends_at: dt.datetime = Field(description="End in force; a late bid moves it.")
    hammer_fen: int | None
    closed_at: dt.datetime | None


class Lots(Listed):
    """A page of lots."""

    items: list[LotSummary]


class LotNow(BaseModel):
    """A lot as its room shows it at a seq."""

    seq: int = Field(description="Head of the journal at the reading.")
    hash: str = Field(description="Hash of that entry.")
    epoch: str
    state: dict[str, Any] = Field(description="The same view as a snapshot on the socket.")
    terms: dict[str, Any] = Field(description="The published terms.")


class JournalEntryOut(BaseModel):
    """An entry of the journal."""

    seq: int
    kind: Kind
    at: dt.datetime
    data: dict[str, Any]
    prev_hash: str
    hash: str


class JournalOut(BaseModel):
    """Part of a journal."""

    items: list[JournalEntryOut]
    head_seq: int


class BidIn(BaseModel):
    """A bid. Make the id before sending and send the same one again until it is answered.

    What may be done depends on the lot's format: `bid` or `maximum` (english), `seal` or `open` (sealed),
    `take` (dutch), `offer` (scoring).
    """

    model_config = ConfigDict(extra="forbid")
    client_bid_id: str = Field(pattern=CLIENT_BID_ID, examples=["3f1c9a7e5b2d4c60"])
    act: Act = Field(default="bid", description="What is done.", examples=["bid"])
    amount_fen: int | None = Field(
        default=None,
        gt=0,
        le=MAX_FEN,
        description="Amount in fen. Left out only for `seal`: no one may know the amount of an envelope.",
        examples=[35_000_000],
    )
    extra: Extra = Field(
        default_factory=dict,
        description="What else the act needs: `commitment` for `seal`, `nonce` for `open`, `step` for `take`, "
        "`royalty_bp` for `offer`.",
    )


def _summary(card: LotCard) -> LotSummary:
    return LotSummary.model_validate(card)


@router.get("", responses=problems())
def list_lots(
    session: ReadTx,
    paging: PagingDep,
    state: Annotated[list[LotState] | None, Query(description="Only these states.")] = None,
    result_id: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Lots:
    """Published lots: open and upcoming ones by what happens next, ended ones latest first."""
    cards, total = queries.list_lots(
        session, states=state, result_id=result_id, limit=paging.per_page, offset=paging.offset
    )
    return Lots(
        items=[_summary(card) for card in cards], total=total, page=paging.page, per_page=paging.per_page
    )


@router.get("/{lot_id}", responses=problems(404))
def get_lot(session: ReadTx, lot_id: LotId) -> LotNow:
    """A lot: its terms and its state at the head of the journal."""
    detail = queries.lot_detail(session, lot_id)
    state = queries.room_state(session, lot_id)
    return LotNow(
        seq=state.seq, hash=state.hash, epoch=state.epoch, state=state.view, terms=dict(detail.terms)
    )


@router.get("/{lot_id}/journal", responses=problems(404))
def get_journal(
    session: ReadTx,
    lot_id: LotId,
    after_seq: Annotated[int, Query(ge=0, le=2**31 - 1, description="Entries later than this.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> JournalOut:
    """Entries of the journal in order, each with its hash."""
    detail = queries.lot_detail(session, lot_id)
    lines = queries.journal_page(session, lot_id, after_seq=after_seq, limit=limit)
    return JournalOut(
        items=[
            JournalEntryOut(
                seq=line.seq, kind=line.kind, at=line.at, data=dict(line.data), prev_hash=line.prev_hash,
                hash=line.hash,
            )
            for line in lines
        ],
        head_seq=detail.head_seq,
    )  # fmt: skip


@router.post(
    "/{lot_id}/bids",
    response_model=Receipt,
    responses={
        **problems(404),
        409: {"model": Refused, "description": "The rules refused the bid; `code` says which, signed."},
        429: {"model": Refused, "description": "Too many bids at once (`retry`): send the same id again."},
        503: {"model": Refused, "description": "No answer yet (`retry`): send the same id and body again."},
    },
)
async def bid(parts: PartsDep, actor: CurrentActor, lot_id: LotId, body: BidIn) -> Response:
    """Place a bid. The same id and body always get the same answer, by socket or here, on any process."""
    try:
        now = asyncio.get_running_loop().time()
        if actor.person_id is not None and not parts.door.may_bid(actor.person_id, now):
            # As a socket's bids beyond its pace: the same id may be sent again. Late, as every refusal at the door.
            await asyncio.sleep(LATE_S)
            return _again(body.client_bid_id, Busy(), parts, 429)
        answer = await place_bid(
            parts.room,
            actor,
            lot_id,
            body.client_bid_id,
            body.amount_fen,
            act=body.act,
            extra=body.extra,
        )
    except MarketError as error:
        if not isinstance(error, RETRY):
            raise
        return _again(body.client_bid_id, error, parts, 503)
    message = answer_message(body.client_bid_id, answer, iso(parts.clock.now()))
    return JSONResponse(message.model_dump(mode="json"), status_code=200 if answer.accepted else 409)


def _again(client_bid_id: str, error: MarketError, parts: Parts, status: int) -> Response:
    refused = error_message(client_bid_id, error, iso(parts.clock.now()))
    return JSONResponse(refused.model_dump(mode="json"), status_code=status, headers={"Retry-After": "1"})
