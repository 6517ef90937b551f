"""The rehearsal room: every format tried out on a lot of one's own, with nothing at stake and no account."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from auctions.hub import TooManySockets
from auctions.protocol import CloseCode
from auctions.rehearsal import Rehearsal, rehearse
from auctions.rules.formats import RULES
from web import i18n
from web.errors import language_of
from web.security import same_origin
from web.wiring import Parts

router = APIRouter()


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
