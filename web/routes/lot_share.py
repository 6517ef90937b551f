"""Lots carried elsewhere: calendar feeds, cards in other people's pages, reminders."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from auctions import lookups, queries, watching
from auctions.queries import LotCard
from auctions.rules.state import ENDED, OPEN, UPCOMING, LotState
from market.errors import NotFound, SignInRequired
from web import calendars
from web.deps import FormDep, PageDep, ReadTx, RowId
from web.render import Page

router = APIRouter()

AHEAD = dt.timedelta(days=366)
"""How far ahead the feed looks."""
BEHIND = dt.timedelta(days=30)
"""How long a lot that was called off stays in the feed, marked so."""
OPEN_STATES = frozenset(LotState) - ENDED - {LotState.DRAFT}
CALLED_OFF = frozenset({LotState.WITHDRAWN, LotState.CANCELLED})


def _calendar(page: Page, items: list[lookups.Appointment], name: str) -> Response:
    body = calendars.feed(items, page.parts.settings, page.language)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": "public, max-age=300",
        "Vary": "Cookie, Accept-Language",
        "Content-Language": page.language,
        "Content-Disposition": f'inline; filename="{name}.ics"',
    }
    asked = page.request.headers.get("if-none-match", "")
    if tag in {one.strip().removeprefix("W/") for one in asked.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="text/calendar; charset=utf-8", headers=headers)


@router.get("/lots/calendar.ics")
def calendar(page: PageDep, session: ReadTx) -> Response:
    """Every lot to come or open, a year ahead; what was called off lately, marked so."""
    today = page.now.replace(hour=0, minute=0, second=0, microsecond=0)
    items = lookups.appointments(session, states=OPEN_STATES, opens_before=today + AHEAD)
    items += lookups.appointments(session, states=CALLED_OFF, ends_after=today - BEHIND)
    return _calendar(page, items, "auctions")


@router.get("/lots/{lot_id}/calendar.ics")
def calendar_of_lot(page: PageDep, session: ReadTx, lot_id: RowId) -> Response:
    """One lot, whatever became of it."""
    items = lookups.appointments(session, lot_id=lot_id)
    if not items:
        raise NotFound(subject="lot")
    return _calendar(page, items, f"lot-{lot_id}")


@router.post("/lots/{lot_id}/watch")
def watch(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Ask to be reminded of a lot, or (`step=stop`) no more."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    stop = form.value("step") == "stop"
    with page.parts.db.write() as session:
        if stop:
            watching.unwatch(session, page.actor, lot_id)
        else:
            watching.watch(session, page.actor, lot_id, page.now)
    return page.redirect(f"/lots/{lot_id}#share", flash="unwatching_lot" if stop else "watching_lot")


@dataclass(frozen=True)
class EmbedPage:
    """Context of a lot's card for other people's pages."""

    lot: LotCard
    upcoming: bool
    ended: bool
    refresh_s: int
    address: str


@router.get("/embed/lots/{lot_id}")
def embed(page: PageDep, session: ReadTx, lot_id: RowId) -> Response:
    """A card that others may put into their pages: it knows nobody and offers nothing to press but a link."""
    lot = queries.lot_detail(session, lot_id).card
    context: dict[str, Any] = {
        "lot": lot,
        "upcoming": lot.state in UPCOMING,
        "ended": lot.state in ENDED,
        "refresh_s": 0 if lot.state in ENDED else 15 if lot.state in OPEN else 300,
        "address": f"{page.parts.settings.base_url.rstrip('/')}/lots/{lot_id}",
    }
    return page.render("lots/embed.html", EmbedPage(**context))
