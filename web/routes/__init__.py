"""Every route of the web, by feature: pages here, the JSON API under `api/`."""

from __future__ import annotations

from fastapi import APIRouter

from web.routes import (
    account,
    attachments,
    auth,
    demands,
    exchange,
    health,
    home,
    listings,
    lot_console,
    lots,
    organisations,
    preferences,
    results,
    search,
    sockets,
)
from web.routes.api import exchange as api_exchange
from web.routes.api import lots as api_lots
from web.routes.api import search as api_search

PAGES: list[APIRouter] = [
    account.router,
    attachments.router,
    auth.router,
    demands.router,
    exchange.router,
    health.router,
    home.router,
    listings.router,
    organisations.router,
    preferences.router,
    results.router,
    search.router,
    # Before `lots`: their fixed paths would be taken for a lot's id.
    lot_console.router,
    sockets.router,
    lots.router,
]
API: list[APIRouter] = [
    api_exchange.router,
    api_lots.router,
    api_search.router,
]
