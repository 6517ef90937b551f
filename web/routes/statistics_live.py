"""The open dashboard: the running year's figure and what was registered last, asked for anew every second.

To visitors the answer carries a tag of its bytes, so that asking again costs nothing while nothing was
registered. Without scripts the page stands still and has a link.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.deals.models import ContractKind
from market.permissions import Action
from market.statistics import live, queries
from web.deps import PageDep, ReadTx
from web.figures import KeptFigures
from web.routes.statistics import caliber_asked

router = APIRouter()
REFRESH_S = 1


@dataclass(frozen=True)
class LivePage:
    """Context of the dashboard."""

    running: queries.Figure
    """The year that runs, mostly without a GDP yet."""
    told: queries.Figure | None
    """The newest year whose share can be told, where that is another."""
    newest: list[live.Registered]
    kinds: dict[str, ContractKind]
    calibers: list[queries.CaliberRow]
    exact: bool
    """Whether totals are told at once, not in steps."""
    refresh_s: int


@router.get("/statistics/live")
def show_live(page: PageDep, session: ReadTx) -> Response:
    """The figure as it grows."""
    counting = caliber_asked(session, page.request.query_params.get("caliber"))
    today = local_date(page.now)
    kept: KeptFigures = page.request.app.state.figures
    years = sorted({today.year, *queries.years(session, today)[:4]})
    course = kept.years(session, counting, years, as_of=today, actor=page.actor, now=page.now)
    running = next(one for one in course if one.period.year == today.year)
    told = next((one for one in reversed(course) if one.denominator is not None), None)
    context = LivePage(
        running=running,
        told=told if told is not running else None,
        newest=live.newest(session),
        kinds={kind.value: kind for kind in ContractKind},
        calibers=queries.calibers(session),
        exact=page.actor.can(Action.STATISTICS_READ_DETAIL),
        refresh_s=REFRESH_S,
    )
    answer = page.render("statistics/live.html", context)
    if page.actor.is_signed_in:
        return answer
    tag = f'"{hashlib.sha256(bytes(answer.body)).hexdigest()[:32]}"'
    answer.headers.update({"ETag": tag, "Cache-Control": "no-cache", "Vary": "Cookie, Accept-Language"})
    asked = page.request.headers.get("if-none-match", "")
    if tag in {one.strip().removeprefix("W/") for one in asked.split(",")}:
        kept_headers = {name: answer.headers[name] for name in ("etag", "cache-control", "vary")}
        return Response(status_code=304, headers=kept_headers)
    return answer
