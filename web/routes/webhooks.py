"""What other systems tell us: verified, kept in the inbox, answered after that commit, handled by the worker."""

from __future__ import annotations

import datetime as dt

import structlog
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from market.errors import NotFound
from market.payments import stripe_inbox
from market.payments.stripe_gateway import Event, NotGenuine, StripeGateway, read_event
from web.deps import Now, PartsDep
from web.wiring import Parts

router = APIRouter()
log = structlog.get_logger()

MOST_BYTES = 512 * 1024
"""The largest message that is read; Stripe's are a few kilobytes."""


async def _raw(request: Request) -> bytes:
    """The body as it came, byte for byte: that is what is signed. Raises HTTPException(413)."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > MOST_BYTES:
            raise HTTPException(413)
    return bytes(found)


def _keep(parts: Parts, event: Event, now: dt.datetime) -> bool:
    with parts.db.write() as session:
        return stripe_inbox.keep(session, event, now)


@router.post("/webhooks/stripe")
async def hear_stripe(request: Request, parts: PartsDep, now: Now) -> Response:
    """A message of Stripe's. There is no such page while no signing secret is set.

    200 says that it is kept (or was, or is none of ours), and Stripe sends it no more; anything else lets
    Stripe send it again.
    """
    secret = parts.settings.stripe_webhook_secret
    gateway = next((one for one in parts.gateways.known if isinstance(one, StripeGateway)), None)
    if not secret or not secret.get_secret_value() or gateway is None:
        raise NotFound(kind="page")
    raw = await _raw(request)
    try:
        event = read_event(raw, request.headers.get("stripe-signature"), secret.get_secret_value(), now)
    except NotGenuine:
        log.warning("webhook.not_genuine", source=stripe_inbox.SOURCE, bytes=len(raw))
        raise HTTPException(400) from None
    if event is not None and stripe_inbox.is_ours(gateway, event):
        new = await run_in_threadpool(_keep, parts, event, now)
        log.info("webhook.kept" if new else "webhook.repeated", source=stripe_inbox.SOURCE, kind=event.type)
    return Response(status_code=200)
