"""What every answer carries and every write must show.

Writes are accepted only from our own pages (Sec-Fetch-Site, else Origin), or with a bearer token; no
form tokens are needed. Nothing inline runs: the content security policy allows our own files alone.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from market.errors import MarketError
from web.errors import _answer as answer
from web.settings import Settings

POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:",
        "font-src 'self'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'",
        "frame-ancestors 'none'", "manifest-src 'self'",
    )
)  # fmt: skip

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class CrossSite(MarketError):
    """A write that another site's page made the browser send."""


def same_origin(headers: Headers, base_url: str) -> bool:
    """Whether a browser says that our own page made the request; True for what is no browser."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    host = urlsplit(origin).netloc
    return host in (headers.get("host", ""), urlsplit(base_url).netloc)


class Guard:
    """ASGI middleware: refuses cross-site writes and adds the security headers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.base_url = settings.base_url
        headers = {
            "content-security-policy": POLICY,
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "permissions-policy": "camera=(), microphone=(), geolocation=()",
            "cross-origin-opener-policy": "same-origin",
            "x-frame-options": "DENY",
        }
        if settings.base_url.startswith("https://"):
            headers["strict-transport-security"] = "max-age=31536000"
        self.headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] not in _SAFE:
            headers = Headers(scope=scope)
            bearer = headers.get("authorization", "").lower().startswith("bearer ")
            if not bearer and not same_origin(headers, self.base_url):
                response = answer(Request(scope), 403, "cross_site", {}, [])
                await response(scope, receive, send_guarded)
                return
        await self.app(scope, receive, send_guarded)
