"""The rehearsal room: every format tried out on a lot of one's own, with nothing at stake and no account."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.responses import Response

from auctions.hub import TooManySockets
from auctions.protocol import CloseCode
from auctions.rehearsal import YOU, Rehearsal, rehearse
from auctions.rules.canonical import instant
from auctions.rules.formats import RULES
from market.errors import NotFound
from web import bid_forms, i18n, rooms
from web.deps import PageDep
from web.errors import language_of
from web.forms import Form
from web.own_bids import OwnBids
from web.rooms import PriceStep
from web.security import same_origin
from web.wiring import Parts

router = APIRouter()


@dataclass(frozen=True)
class RehearsalsPage:
    """Context of the list of formats that can be rehearsed."""

    formats: list[str]


@dataclass(frozen=True)
class PracticeCard:
    """What the forms of a room ask of a lot's card."""

    title: str
    id: int = 0


@dataclass(frozen=True)
class PracticeLot:
    """What the forms of a room ask of a lot."""

    card: PracticeCard


@dataclass(frozen=True)
class PracticeAdmission:
    """What the forms of a room ask of an admission."""

    alias: int = YOU


@dataclass(frozen=True)
class RehearsalPage:
    """Context of a rehearsal: what the forms of a room need, of a lot that begins when its socket opens."""

    lot: PracticeLot
    view: dict[str, Any]
    terms: dict[str, Any]
    opens_at: dt.datetime
    ends_at: dt.datetime
    room: dict[str, Any]
    steps: list[PriceStep]
    choices: list[int]
    admission: PracticeAdmission = field(default_factory=PracticeAdmission)
    own: OwnBids = field(default_factory=OwnBids)
    own_lines: tuple[()] = ()
    form: Form = field(default_factory=Form)
    error: str = ""
    error_act: str = ""
    client_bid_id: str = ""
    least_points: str = ""
    cover_fen: int | None = None
    bidding: bool = False
    percent: Callable[[int], str] = bid_forms.percent


@router.get("/rehearsal")
def list_rehearsals(page: PageDep) -> Response:
    """Which formats there are, and a way in to each."""
    return page.render("lots/rehearsals.html", RehearsalsPage(list(RULES)))


@router.get("/rehearsal/{format_name}")
def show_rehearsal(page: PageDep, format_name: str) -> Response:
    """The bidder's page of a practice lot. The lot itself begins with the socket."""
    if format_name not in RULES:
        raise NotFound
    language = page.language
    title = i18n.term("lots.rehearsal_lot", language)
    start = Rehearsal(format_name, title, page.parts.clock)
    view = start.view
    config = {
        "lot_id": 0,
        "practice": True,
        "socket": f"/ws/rehearsal/{format_name}",
        "bids": None,
        "looks": None,
        "seq": 0,
        "epoch": None,
        "view": view,
        "you": {"alias": YOU, "can_bid": True, "priority": None},
        "mine": [],
        "ended": False,
        "texts": rooms.texts(language),
    }
    context = RehearsalPage(
        lot=PracticeLot(PracticeCard(title)),
        view=view,
        terms=start.terms.public(),
        opens_at=instant(view["opens_at"]),
        ends_at=instant(view["ends_at"]),
        room=config,
        steps=rooms.price_steps(start.terms, view, page.now) if format_name == "dutch" else [],
        choices=rooms.choices(view),
    )
    return page.render("lots/rehearsal.html", context)


@router.websocket("/ws/rehearsal/{format_name}")
async def rehearsal_socket(websocket: WebSocket, format_name: str) -> None:
    """A rehearsal; the messages are those of the live room."""
    parts: Parts = websocket.app.state.parts
    await websocket.accept()
    if not same_origin(websocket.headers, parts.settings.base_url):
        await websocket.close(CloseCode.FORBIDDEN_ORIGIN, "forbidden_origin")
        return
    if format_name not in RULES:
        await websocket.close(CloseCode.NO_SUCH_LOT, "no_such_lot")
        return
    address = websocket.client.host if websocket.client else ""
    language = language_of(websocket)
    try:
        with parts.hub.counted(None, address):
            title = i18n.term("lots.rehearsal_lot", language)
            await rehearse(websocket, Rehearsal(format_name, title, parts.clock))
    except TooManySockets:
        await websocket.close(CloseCode.TOO_MANY_SOCKETS, "too_many_sockets")
