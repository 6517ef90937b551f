"""What somebody who is still typing may be after, for the search fields' own script: public, and the same for all."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from matching.index import Suggestion, SuggestionKind
from web import rate
from web.deps import PartsDep
from web.matches import href_of
from web.searching import storable

router = APIRouter()
LONGEST = 60
"""Characters of the beginning that is looked at."""
SHOWN = 8
LASTS_S = 60
"""How long a browser or a cache may keep an answer, seconds."""


@router.get("/search/suggestions")
def suggestions(request: Request, parts: PartsDep, q: str = "") -> JSONResponse:
    """At most eight of {kind, text, href}, best first; `kind`: organisation, keyword, result or demand."""
    rate.spend(parts, rate.SUGGESTIONS, request.client.host if request.client else "")
    found = parts.index.suggest(" ".join(storable(q).split())[:LONGEST], SHOWN)
    items = [
        {"kind": one.key.kind.value if one.key else one.kind.value, "text": one.text, "href": _leads_to(one)}
        for one in found
    ]
    return JSONResponse({"items": items}, headers={"Cache-Control": f"public, max-age={LASTS_S}"})


def _leads_to(one: Suggestion) -> str:
    if one.kind is SuggestionKind.TITLE and one.key is not None:
        return href_of(one.key)
    if one.kind is SuggestionKind.ORGANISATION and one.owner_id is not None:
        return f"/organisations/{one.owner_id}"
    return f"/search?{urlencode({'q': one.text})}"
