"""From a refusal to what its receiver sees: status, sentence, fields. The only place that maps them.

An HTML request gets a page; anything under `/api/` gets problem details (RFC 9457) with an `errors`
list whose members name the field, a stable code and a sentence in the asker's language.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.requests import HTTPConnection

from market import errors
from market.files import rules as files
from market.money import yuan
from market.parties import rules as parties
from matching.saved import rules as saved
from web import i18n

STATUS: dict[type[errors.MarketError], int] = {
    errors.NotFound: 404,
    errors.NotAllowed: 403,
    errors.SignInRequired: 401,
    errors.Conflict: 409,
    errors.WrongState: 409,
    errors.Duplicate: 409,
    errors.InvalidInput: 422,
    errors.TooManyRequests: 429,
    errors.Unavailable: 503,
    files.FileTooLarge: 413,
    files.FileTypeRefused: 415,
    files.FileEmpty: 422,
    files.TooManyFiles: 409,
    parties.BadCredentials: 422,
    parties.LastAdministrator: 409,
    parties.LinkExpired: 410,
    parties.TooManyTokens: 409,
    saved.TooManySaved: 409,
    saved.SavedAlready: 409,
    saved.SearchTooLong: 422,
}
"""Status by class; a subclass takes its nearest ancestor's, and 400 when none is listed."""


def status_of(error: errors.MarketError) -> int:
    """The HTTP status of a refusal."""
    for ancestor in type(error).__mro__:
        if ancestor in STATUS:
            return STATUS[ancestor]
    return 400


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one input. `field` is a dotted path (`targets.2.unit`); empty for the whole."""

    field: str
    code: str
    message: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)


def _sentence(code: str, language: str, params: dict[str, Any], fallback: str) -> str:
    if code == "string_too_short" and params.get("min_length") == 1:
        code = "missing"  # to people an empty text is one that is not there
    key = f"invalid.{code}"
    params = {name: f"¥{yuan(value)}" if name.endswith("_fen") else value for name, value in params.items()}
    return i18n.term(key, language, params) if i18n.has_term(key, language) else fallback


def problems_of(error: ValidationError | RequestValidationError, language: str) -> list[FieldProblem]:
    """A pydantic error as translated field problems."""
    found = []
    for item in error.errors():
        place = [str(part) for part in item["loc"] if part not in ("body", "query", "path", "header")]
        params = {key: value for key, value in (item.get("ctx") or {}).items() if key != "error"}
        code = item["type"]
        if code in ("too_short", "too_long") and isinstance(item.get("input"), str):
            # A limit behind a validator of ours is reported as if text were a list.
            code = f"string_{code}"
        message = _sentence(code, language, params, i18n.term("invalid.other", language))
        found.append(FieldProblem(".".join(place), code, message, params))
    return found


def field_problems(error: Exception, language: str) -> list[FieldProblem]:
    """What a form should show at its fields for an error; empty when the error is not about fields."""
    if isinstance(error, ValidationError | RequestValidationError):
        return problems_of(error, language)
    if isinstance(error, errors.InvalidInput):
        return [
            FieldProblem(name, code, _sentence(code, language, params, code), params)
            for name, code, params in error.problems
        ]
    if isinstance(error, errors.MarketError) and error.field is not None:
        message = i18n.term(f"error.{error.code}", language, error.params)
        return [FieldProblem(error.field, error.code, message, error.params)]
    return []


class Problem(JSONResponse):
    """A problem details answer."""

    media_type = "application/problem+json"


def problem(
    request: Request, status: int, code: str, params: dict[str, Any], fields: list[FieldProblem]
) -> Problem:
    """RFC 9457 problem details in the asker's language."""
    language = language_of(request)
    body: dict[str, Any] = {
        "type": f"{str(request.base_url).rstrip('/')}/help/errors#{code}",
        "title": i18n.term(f"error.{code}", language, params),
        "status": status,
        "code": code,
    }
    if fields:
        body["errors"] = [
            {"field": item.field, "code": item.code, "message": item.message} for item in fields
        ]
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="market"'
    if "retry_after" in params:
        headers["Retry-After"] = str(params["retry_after"])
    return Problem(body, status_code=status, headers=headers)


def language_of(request: HTTPConnection) -> str:
    """The language of an answer."""
    return i18n.choose(
        request.query_params.get("lang") or request.cookies.get("lang"),
        request.headers.get("accept-language"),
    )


def wants_json(request: Request) -> bool:
    """Whether the asker is a program."""
    return request.url.path.startswith("/api/")
