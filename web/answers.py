"""Every exception becomes an answer here: problem details for programs, a page for people."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from market import errors
from web.errors import FieldProblem, field_problems, language_of, problem, problems_of, status_of, wants_json
from web.render import error_page

log = structlog.get_logger()


def answer(
    request: Request, status: int, code: str, params: dict[str, Any], fields: list[FieldProblem]
) -> Response:
    """A refusal as its asker can read it: problem details, the way to sign in, or a page."""
    if wants_json(request):
        return problem(request, status, code, params, fields)
    if status == 401:
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(target)}", status_code=303)
    page = error_page(request, status, code, params, fields)
    if "retry_after" in params:
        page.headers["Retry-After"] = str(params["retry_after"])
    return page


def is_duplicate(error: IntegrityError) -> bool:
    """Whether a unique key was there already, on either database."""
    return getattr(error.orig, "sqlstate", "") == "23505" or "UNIQUE constraint" in str(error.orig)


def install(app: FastAPI) -> None:
    """Register the handlers that turn every exception into an answer."""

    @app.exception_handler(errors.MarketError)
    def _market_error(request: Request, error: errors.MarketError) -> Response:
        fields = field_problems(error, language_of(request))
        return answer(request, status_of(error), error.code, error.params, fields)

    @app.exception_handler(RequestValidationError)
    def _bad_request(request: Request, error: RequestValidationError) -> Response:
        if not wants_json(request) and any(item["loc"][0] == "path" for item in error.errors()):
            # An address that no page can have is a page that is not there.
            return answer(request, 404, "not_found", {}, [])
        return answer(request, 422, "invalid_input", {}, problems_of(error, language_of(request)))

    @app.exception_handler(ValidationError)
    def _bad_model(request: Request, error: ValidationError) -> Response:
        return answer(request, 422, "invalid_input", {}, problems_of(error, language_of(request)))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        codes = {
            400: "bad_request", 401: "sign_in_required", 403: "not_allowed", 404: "not_found",
            405: "method_not_allowed", 413: "too_large", 429: "too_many_requests",
        }  # fmt: skip
        code = codes.get(error.status_code, "bad_request")
        response = answer(request, error.status_code, code, {}, [])
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response

    @app.exception_handler(OperationalError)
    def _database_gone(request: Request, error: OperationalError) -> Response:
        log.error("database.unavailable", error=type(error.orig).__name__)
        return answer(request, 503, "unavailable", {"retry_after": 2}, [])

    @app.exception_handler(IntegrityError)
    def _raced(request: Request, error: IntegrityError) -> Response:
        if not is_duplicate(error):
            return _bug(request, error)
        # Two requests passed the same check at once; the second sees what the first has made.
        log.warning("request.raced", path=request.url.path)
        return answer(request, 409, "conflict", {}, [])

    @app.exception_handler(Exception)
    def _bug(request: Request, error: Exception) -> Response:
        hide = isinstance(error, DBAPIError)
        log.error("request.failed", path=request.url.path, exc_info=None if hide else error)
        return answer(request, 500, "internal", {}, [])
