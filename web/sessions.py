"""The sign-in cookie, and sessions that last as long as they are used.

A session's end moves on when its holder opens a page, noted at most once in ten minutes, in a small
write of its own after the answer has left: no page waits for it and no read becomes a write.
"""

from __future__ import annotations

import datetime as dt

import structlog
from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market.parties import accounts
from market.permissions import Actor, Via
from web.deps import COOKIE
from web.settings import Settings
from web.wiring import Parts

log = structlog.get_logger()
NOTED_EVERY = dt.timedelta(minutes=10)


def lasts(settings: Settings) -> dt.timedelta:
    """How long a session lasts unused."""
    return dt.timedelta(days=settings.session_days)


def set_cookie(response: Response, secret: str, settings: Settings) -> None:
    """Give the browser a session: not readable by scripts, not sent with other sites' writes."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(lasts(settings).total_seconds()),
        httponly=True,
        samesite="lax",
        secure=settings.base_url.startswith("https://"),
    )


def delete_cookie(response: Response, settings: Settings) -> None:
    """Take the session from the browser."""
    response.delete_cookie(
        COOKIE, httponly=True, samesite="lax", secure=settings.base_url.startswith("https://")
    )


class KeepSeen:
    """ASGI middleware that notes the use of sessions (pages) and tokens, now and then."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self.app = app
        self.parts = parts

    def _is_due(self, scope: Scope) -> Actor | None:
        actor: Actor | None = scope.get("state", {}).get("actor")
        if actor is None or actor.via not in (Via.SESSION, Via.TOKEN):
            return None
        if actor.via is Via.SESSION and (scope["method"] != "GET" or scope["path"].startswith("/api/")):
            return None
        if actor.seen_at is not None and self.parts.clock.now() - actor.seen_at < NOTED_EVERY:
            return None
        return actor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        due: Actor | None = None

        async def send_noting(message: Message) -> None:
            nonlocal due
            if message["type"] == "http.response.start" and message["status"] < 400:
                due = self._is_due(scope)
                secret = Request(scope).cookies.get(COOKIE)
                if due is not None and due.via is Via.SESSION and secret:
                    carrier = Response()
                    set_cookie(carrier, secret, self.parts.settings)
                    MutableHeaders(scope=message).append("set-cookie", carrier.headers["set-cookie"])
            await send(message)

        await self.app(scope, receive, send_noting)
        if due is not None:
            await to_thread.run_sync(self._note, due)

    def _note(self, actor: Actor) -> None:
        try:
            with self.parts.db.write() as session:
                accounts.note_use(session, actor, self.parts.clock.now(), lasts(self.parts.settings))
        except Exception:
            # The answer has left already; the next page notes it again.
            log.exception("session.not_noted")
