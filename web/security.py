"""What every answer carries and every write must show.

Writes are accepted only from our own pages (Sec-Fetch-Site, else Origin), or with a bearer token; no
form tokens are needed. Nothing inline runs: the content security policy allows our own files alone.
No request is read beyond its limit, and what was made for somebody signed in is kept in no cache.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.answers import answer
from web.deps import COOKIE
from web.settings import Settings

POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:",
        "font-src 'self'", "connect-src 'self'", "form-action 'self'", "base-uri 'none'",
        "frame-ancestors 'none'", "manifest-src 'self'",
    )
)  # fmt: skip

EMBEDDED = "/embed/"
"""Pages below may stand in anybody's frame: they show what is public, hold no form and know no one."""

PLAIN_BYTES = 2 * 1024 * 1024
"""Largest request without files."""
FILES_AT_ONCE = 5
"""Attachments of the largest size that fit into one form."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


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


def most_bytes(content_type: str, settings: Settings) -> int:
    """How large the body of a request may be, bytes."""
    if not content_type.lower().startswith("multipart/form-data"):
        return PLAIN_BYTES
    files = max(settings.max_upload_mb * FILES_AT_ONCE, settings.max_import_mb)
    return files * 1024 * 1024 + PLAIN_BYTES


def bounded(receive: Receive, limit: int) -> Receive:
    """The same messages until their bodies exceed the limit; HTTPException(413) then."""
    taken = 0

    async def receive_bounded() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413)
        return message

    return receive_bounded


class Guard:
    """ASGI middleware: refuses cross-site writes and oversized requests, adds the security headers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
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
        self.embedded = {name: value for name, value in headers.items() if name != "x-frame-options"}
        self.embedded["content-security-policy"] = POLICY.replace(
            "frame-ancestors 'none'", "frame-ancestors *"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        asked = Headers(scope=scope)
        personal = "authorization" in asked or f"{COOKIE}=" in asked.get("cookie", "")

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                sent = self.embedded if scope["path"].startswith(EMBEDDED) else self.headers
                for name, value in sent.items():
                    headers.setdefault(name, value)
                if personal and not scope["path"].startswith("/static/"):
                    headers.setdefault("cache-control", "private, no-store")
            await send(message)

        refusal = self._refusal(scope["method"], asked)
        if refusal is not None:
            await answer(Request(scope), *refusal, {}, [])(scope, receive, send_guarded)
            return
        limit = most_bytes(asked.get("content-type", ""), self.settings)
        await self.app(scope, bounded(receive, limit), send_guarded)

    def _refusal(self, method: str, asked: Headers) -> tuple[int, str] | None:
        length = asked.get("content-length", "")
        limit = most_bytes(asked.get("content-type", ""), self.settings)
        if length.isascii() and length.isdigit() and (len(length) > 15 or int(length) > limit):
            return 413, "too_large"
        bearer = asked.get("authorization", "").lower().startswith("bearer ")
        if method not in _SAFE and not bearer and not same_origin(asked, self.base_url):
            return 403, "cross_site"
        return None
