"""What programs ask for unasked: whether this process serves, and the icon."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.responses import Response

from web.deps import PartsDep
from web.render import static_url

router = APIRouter()


@router.get("/favicon.ico")
def favicon() -> Response:
    """Browsers ask for it beside whatever is no page, such as an answer of the API."""
    return RedirectResponse(static_url("favicon.svg"), status_code=301)


@router.get("/health")
def health(parts: PartsDep) -> Response:
    """200 while the database answers and the auction threads work; 503 with what is wrong otherwise.

    A clock that is not trusted is a `warning`: bids go on, and a process started anew would take the wrong
    clock for right.
    """
    wrong = [] if parts.writer.alive else ["writer"]
    if not parts.timekeeper.alive:
        wrong.append("timekeeper")
    warnings = ["clock"] if parts.writer.closings_paused else []
    with parts.db.read() as session:
        session.execute(sa.text("SELECT 1"))
    return JSONResponse({"ok": not wrong, "wrong": wrong, "warnings": warnings}, 503 if wrong else 200)
