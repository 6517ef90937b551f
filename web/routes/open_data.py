"""The register as open data in the Open Contracting Data Standard: a page that explains it, feed, download."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import orjson
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from market.opendata import queries
from market.opendata.queries import Publisher
from web.deps import PageDep, ReadTx
from web.wiring import Parts

router = APIRouter()

Number = Annotated[int, Query(ge=0, le=2**62)]


@dataclass(frozen=True)
class OpenDataPage:
    """Context of the page."""

    releases: int
    processes: int
    licence: str
    prefix: str
    registered: bool
    """Whether the prefix is one that was given to this publisher."""


def publisher(parts: Parts) -> Publisher:
    """The market as a publisher."""
    settings = parts.settings
    return Publisher(settings.name, settings.open_licence, settings.base_url.rstrip("/"))


@router.get("/open-data")
def open_data(page: PageDep, session: ReadTx) -> Response:
    """What is published, what is left out and why, and how to follow it."""
    releases, processes = queries.summary(session)
    settings = page.parts.settings
    context = OpenDataPage(
        releases, processes, settings.open_licence, settings.ocid_prefix, settings.ocid_prefix != UNREGISTERED
    )
    return page.render("open_data.html", context)


UNREGISTERED = "ocds-000000"


@router.get("/open-data/releases")
def releases(page: PageDep, session: ReadTx, after: Number = 0) -> Response:
    """A package of the releases that follow a number."""
    some = queries.after(session, after)
    package = queries.package(publisher(page.parts), session, page.now, after, some)
    return Response(orjson.dumps(package), media_type="application/json")


@router.get("/open-data/releases.jsonl")
def download(page: PageDep) -> Response:
    """Every release, one a line."""

    def body() -> Iterator[bytes]:
        with page.parts.db.read() as session:
            yield from queries.lines(session)

    return StreamingResponse(
        body(),
        media_type="application/x-ndjson; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="releases.jsonl"'},
    )
