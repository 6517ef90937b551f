"""What handlers ask for: transactions, the actor, a page, a form, paging, edit preconditions.

A handler is a plain `def` in the threadpool. `Tx` commits when the handler has returned and before
the first byte of the answer leaves (FastAPI's `scope="function"`), and rolls back on any exception;
`ReadTx` always rolls back. A page that takes a form uses `Page.submit`, which does the same and shows
the form again when the rules refuse.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Security
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from market.db import Session
from market.errors import MarketError, NotAllowed, SignInRequired
from market.parties import access
from market.permissions import VISITOR, Actor, Scope, Via
from web.errors import STATUS
from web.forms import Form
from web.render import Page
from web.wiring import Parts

COOKIE = "market_session"


# What touches no database is `async`: it then runs where it is, without a turn of the threadpool.


async def get_parts(connection: HTTPConnection) -> Parts:
    """The application's joined parts."""
    parts: Parts = connection.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(get_parts)]


async def get_now(parts: PartsDep) -> dt.datetime:
    """The instant of the request, UTC."""
    return parts.clock.now()


Now = Annotated[dt.datetime, Depends(get_now)]


def resolve_actor(parts: Parts, connection: HTTPConnection) -> Actor:
    """Who asks, by bearer token or by cookie. Raises SignInRequired for a token that is no good."""
    authorization = connection.headers.get("authorization", "")
    scheme, _, secret = authorization.partition(" ")
    if scheme.lower() == "bearer":
        with parts.db.read() as session:
            actor = access.actor_for_token(session, secret.strip(), parts.clock.now())
        if actor is None:
            raise SignInRequired
        return actor
    cookie = connection.cookies.get(COOKIE)
    if not cookie:
        return VISITOR
    with parts.db.read() as session:
        return access.actor_for_session(session, cookie, parts.clock.now()) or VISITOR


_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_bearer = HTTPBearer(
    auto_error=False, description="An API token made on the page “API tokens”: `Authorization: Bearer …`."
)


async def get_actor(
    request: Request, parts: PartsDep, _credentials: Annotated[Any, Security(_bearer)] = None
) -> Actor:
    """Who asks, checked against the token's scopes for this method."""
    signed = "authorization" in request.headers or COOKIE in request.cookies
    actor = await run_in_threadpool(resolve_actor, parts, request) if signed else VISITOR
    request.state.actor = actor
    if actor.via is Via.TOKEN:
        needed = Scope.READ if request.method in _SAFE else Scope.WRITE
        bidding = Scope.BID in actor.scopes and request.url.path.endswith("/bids")
        if needed not in actor.scopes and not bidding:
            raise NotAllowed(action=f"token:{needed.value}")
    return actor


CurrentActor = Annotated[Actor, Depends(get_actor)]


async def get_signed_in(actor: CurrentActor) -> Actor:
    """Who asks; raises SignInRequired for a visitor."""
    if not actor.is_signed_in:
        raise SignInRequired
    return actor


SignedIn = Annotated[Actor, Depends(get_signed_in)]


def _read_tx(parts: PartsDep) -> Iterator[Session]:
    with parts.db.read() as session:
        yield session


def _write_tx(parts: PartsDep) -> Iterator[Session]:
    with parts.db.write() as session:
        yield session


ReadTx = Annotated[Session, Depends(_read_tx, scope="function")]
Tx = Annotated[Session, Depends(_write_tx, scope="function")]


async def _get_form(request: Request) -> Form:
    return Form.from_data(await request.form(max_fields=2000, max_files=50))


FormDep = Annotated[Form, Depends(_get_form)]


async def get_page(request: Request, parts: PartsDep, actor: CurrentActor, now: Now) -> Page:
    """The page about to be rendered."""
    return Page(request, parts, actor, now)


PageDep = Annotated[Page, Depends(get_page)]


@dataclass(frozen=True)
class Paging:
    """Which part of a list is wanted; pages count from 1."""

    page: int = 1
    per_page: int = 20

    @property
    def offset(self) -> int:
        """Rows before the page."""
        return (self.page - 1) * self.per_page


async def get_paging(
    page: Annotated[int, Query(ge=1, le=10_000, description="Page, counted from 1.")] = 1,
    per_page: Annotated[int, Query(ge=1, le=100, description="Items a page, at most 100.")] = 20,
) -> Paging:
    """The part of a list that a request asks for."""
    return Paging(page, per_page)


PagingDep = Annotated[Paging, Depends(get_paging)]


class PreconditionFailed(MarketError):
    """The thing changed since the version named in If-Match. Params: `current`."""


class PreconditionRequired(MarketError):
    """An edit must name in If-Match the version that it changes."""


STATUS[PreconditionFailed] = 412
STATUS[PreconditionRequired] = 428


def etag(version: int) -> str:
    """The entity tag of a row's version."""
    return f'"{version}"'


def require_match(request: Request, version: int) -> None:
    """Refuse an edit of another version than the one its maker saw (no lost update).

    Raises PreconditionRequired without If-Match, PreconditionFailed when it names another version.
    """
    wanted = request.headers.get("if-match")
    if wanted is None:
        raise PreconditionRequired
    tags = {tag.strip().removeprefix("W/") for tag in wanted.split(",")}
    if "*" not in tags and etag(version) not in tags:
        raise PreconditionFailed(current=etag(version))


RowId = Annotated[int, Path(ge=1, le=2**63 - 1, description="The row's id.", examples=[1])]
