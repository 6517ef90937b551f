"""The socket of a lot's room, and the published schema of its messages."""

from __future__ import annotations

import functools
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.concurrency import run_in_threadpool

from auctions import protocol
from auctions.protocol import CloseCode
from auctions.room import serve_viewer
from market.errors import MarketError
from market.permissions import VISITOR, Action
from web.deps import resolve_actor
from web.direct_socket import direct
from web.security import same_origin
from web.wiring import Parts

router = APIRouter()


async def watch_lot(websocket: WebSocket) -> None:
    """Watch a lot and bid for it; `/lots/protocol.json` has the messages."""
    parts: Parts = websocket.app.state.parts
    lot_id: int = websocket.path_params["lot_id"]
    await websocket.accept()
    if not same_origin(websocket.headers, parts.settings.base_url):
        await websocket.close(CloseCode.FORBIDDEN_ORIGIN, "forbidden_origin")
        return
    if not 0 < lot_id < 2**63:
        await websocket.close(CloseCode.NO_SUCH_LOT, "no_such_lot")
        return
    try:
        actor = await run_in_threadpool(resolve_actor, parts, websocket)
    except MarketError:
        await websocket.close(CloseCode.SESSION_ENDED, "session_ended")
        return

    async def still_in() -> bool:
        try:
            again = await run_in_threadpool(resolve_actor, parts, websocket)
        except MarketError:
            return False
        # A role that ended ends the conversation too: the next one begins with the rights of its moment.
        same_rights = again.organisations_for(Action.BID_PLACE) == actor.organisations_for(Action.BID_PLACE)
        return again.person_id == actor.person_id and again.scopes == actor.scopes and same_rights

    address = websocket.client.host if websocket.client else ""
    await serve_viewer(
        websocket,
        lot_id,
        None if actor is VISITOR else actor,
        parts.room,
        address=address,
        still_in=still_in if actor.is_signed_in else None,
        direct=direct(websocket.scope),
    )


# Starlette's own route: FastAPI's keeps the stacks of its dependencies for as long as the socket is open.
router.add_websocket_route("/ws/lots/{lot_id:int}", watch_lot)


@functools.cache
def _schema() -> dict[str, Any]:
    return protocol.schema()


@router.get("/lots/protocol.json")
def socket_schema() -> dict[str, Any]:
    """The JSON schema of every message of the room's socket, with close codes and limits."""
    return _schema()
