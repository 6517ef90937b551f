"""Every route of the web, by feature: pages here, the JSON API under `api/`."""

from __future__ import annotations

from fastapi import APIRouter

from web.routes import preferences, search
from web.routes.api import search as api_search

PAGES: list[APIRouter] = [
    preferences.router,
    search.router,
]
API: list[APIRouter] = [
    api_search.router,
]
