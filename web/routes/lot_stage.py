"""What a hall looks at: the big screen of a lot or a sale, and the replay of a lot that is over."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass
from typing import Any

import segno
from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from auctions import queries
from auctions.queries import JournalLine, LotCard, LotDetail
from auctions.replay import replay
from auctions.rules.canonical import instant
from auctions.rules.events import Kind
from auctions.rules.state import ENDED, OPEN, STOPPED, UPCOMING
from market.db import Session
from web import i18n
from web.deps import PageDep, ReadTx, RowId
from web.render import Page
from web.rooms import Entry, entry, texts

router = APIRouter()

WALL_LOTS = 6
"""More lots than this cannot be read from the back of a hall."""
WALL_ENTRIES = 6


@dataclass(frozen=True)
class WallLot:
    """One lot of the big screen."""

    lot: LotDetail
    view: dict[str, Any]
    room: dict[str, Any]
    ends_at: dt.datetime
    entries: list[Entry]


@dataclass(frozen=True)
class WallPage:
    """Context of the big screen. `address` is where people in the hall can follow, `code` its QR code."""

    title: str
    lots: list[WallLot]
    following: list[LotCard]
    address: str
    code: Markup


def qr_code(text: str) -> Markup:
    """A QR code as inline SVG that takes the colours of its surroundings."""
    out = io.BytesIO()
    segno.make(text, error="m").save(
        out, kind="svg", xmldecl=False, svgns=True, omitsize=True, svgclass="qr", lineclass=None, border=2
    )
    return Markup(out.getvalue().decode().strip())  # noqa: S704  (made here, of shapes alone)


def _wall_lot(page: Page, session: Session, lot_id: int) -> WallLot:
    lot = queries.lot_detail(session, lot_id)
    state = queries.room_state(session, lot_id)
    lines = queries.journal_page(
        session, lot_id, after_seq=max(0, state.seq - WALL_ENTRIES), limit=WALL_ENTRIES
    )
    entries = [entry(line, page.language) for line in reversed(lines)]
    room = {
        "lot_id": lot_id,
        "socket": f"/ws/lots/{lot_id}",
        "seq": state.seq,
        "epoch": state.epoch,
        "view": state.view,
        "texts": texts(page.language),
    }
    return WallLot(lot, state.view, room, instant(state.view["ends_at"]), entries)


def _wall(page: Page, title: str, lots: list[WallLot], following: list[LotCard], path: str) -> Response:
    address = page.parts.settings.base_url.rstrip("/") + path
    return page.render("lots/screen.html", WallPage(title, lots, following, address, qr_code(address)))


@router.get("/lots/{lot_id}/screen")
def lot_screen(page: PageDep, session: ReadTx, lot_id: RowId) -> Response:
    """One lot on the big screen."""
    shown = _wall_lot(page, session, lot_id)
    return _wall(page, shown.lot.sale_title or shown.lot.card.title, [shown], [], f"/lots/{lot_id}")


@router.get("/sales/{sale_id}/screen")
def sale_screen(page: PageDep, session: ReadTx, sale_id: RowId) -> Response:
    """A sale on the big screen: what is being bid for now, and what comes next."""
    sale = queries.sale_card(session, sale_id)
    cards, _ = queries.list_lots(session, sale_id=sale_id, limit=200)
    now = [card for card in cards if card.state in OPEN | STOPPED]
    following = [card for card in cards if card.state in UPCOMING]
    done = [card for card in cards if card.state in ENDED]
    shown = now[:WALL_LOTS] or following[:1] or done[-1:]
    lots = [_wall_lot(page, session, card.id) for card in shown]
    rest = [card for card in following if card not in shown][:WALL_LOTS]
    return _wall(page, sale.title, lots, rest, f"/sales/{sale_id}")


@dataclass(frozen=True)
class ReplayPage:
    """Context of a replay. `second` counts from the beginning of the bidding."""

    lot: LotDetail
    view: dict[str, Any]
    second: int
    lasts_s: int
    begins_at: dt.datetime
    at: dt.datetime
    entries: list[Entry]
    count: int
    total: int
    room: dict[str, Any]


def _entry(event: dict[str, Any], language: str) -> Entry:
    kind, at = Kind(event["kind"]), instant(event["at"])
    return entry(JournalLine(event["seq"], kind, at, event["hash"], "", event["data"]), language)


@router.get("/lots/{lot_id}/replay")
def show_replay(page: PageDep, session: ReadTx, lot_id: RowId, second: int = 0) -> Response:
    """A finished lot as it went, at a moment of it."""
    shown = replay(session, lot_id)
    second = max(0, min(second, shown.lasts_s))
    count = shown.count_at(second)
    room = {
        "frames": f"/lots/{lot_id}/replay.json",
        "second": second,
        "texts": {
            **texts(page.language),
            "replay_place": i18n.term("lots.replay_place", page.language),
        },
    }
    context = ReplayPage(
        lot=queries.lot_detail(session, lot_id),
        view=shown.view_after(count),
        second=second,
        lasts_s=shown.lasts_s,
        begins_at=shown.begins_at,
        at=shown.begins_at + dt.timedelta(seconds=second),
        entries=[
            _entry(event, page.language) for event in reversed(shown.events[max(0, count - 12) : count])
        ],
        count=count,
        total=len(shown.events),
        room=room,
    )
    return page.render("lots/replay.html", context)


@router.get("/lots/{lot_id}/replay.json")
def replay_frames(session: ReadTx, lot_id: RowId) -> dict[str, Any]:
    """What the replay is made of: the view before the first entry, and every frame that the room sent."""
    shown = replay(session, lot_id)
    return {
        "view": shown.view,
        "begins_at": shown.begins_at.isoformat(),
        "lasts_s": shown.lasts_s,
        "events": shown.events,
    }
