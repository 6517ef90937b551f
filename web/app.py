"""The ASGI application: routes, handlers of errors, guards, and the life of the background parts."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from web import answers, routes, semantic
from web.figures import KeptFigures
from web.matches import KeptPartners, RecentMatches
from web.proofs import KeptReports
from web.render import STATIC
from web.security import Guard
from web.sessions import KeepSeen
from web.settings import WorkerMode
from web.wiring import Parts
from web.worker import Worker


class HashedStatic(StaticFiles):
    """Static files whose address carries a hash of their content: cached for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        if b"v=" in scope.get("query_string", b"") and response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


@functools.cache
def _routes() -> list[BaseRoute]:
    """The routes of every application of this process. They know no application, and making them takes most of
    a second, which tests with an application each would pay again and again.
    """
    together = APIRouter()
    for router in routes.PAGES:
        for route in router.routes:
            # Monitors and link checkers ask for a page's head; the server leaves out the body itself.
            if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
                route.methods.add("HEAD")
        together.include_router(router, include_in_schema=False)
    for router in routes.API:
        together.include_router(router, prefix="/api/v1")
    return together.routes


def create_app(parts: Parts) -> FastAPI:
    """The application over joined parts. Its lifespan starts and stops their background work."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await parts.start()
        worker = Worker(parts) if parts.settings.worker is WorkerMode.EMBEDDED else None
        if worker is not None:
            worker.start()
        try:
            yield
        finally:
            await parts.stop()
            if worker is not None:
                await asyncio.to_thread(worker.stop)
            parts.close()

    app = FastAPI(
        title="Techmart API",
        version="1",
        description="Results, demands, matching, live auctions, the register of technology contracts "
        "and the figures read from it. Errors are problem details (RFC 9457). Amounts are integer fen "
        "(1/100 yuan), instants are UTC.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.parts = parts
    app.state.recent_matches = RecentMatches()
    app.state.figures = KeptFigures()
    app.state.kept_partners = KeptPartners(meanings=semantic.meanings(parts.settings))
    app.state.reports = KeptReports()
    answers.install(app)
    app.router.routes.extend(_routes())
    app.mount("/static", HashedStatic(directory=STATIC))
    app.add_middleware(KeepSeen, parts=parts)
    app.add_middleware(Guard, settings=parts.settings)
    return app
