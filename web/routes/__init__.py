"""Every route of the web, by feature: pages here, the JSON API under `api/`."""

from __future__ import annotations

from fastapi import APIRouter

from web.routes import preferences

PAGES: list[APIRouter] = [
    preferences.router,
]
API: list[APIRouter] = []
