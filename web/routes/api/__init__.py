"""The JSON API, version 1, by feature. Mounted under `/api/v1`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class FieldError(BaseModel):
    """What is wrong with one input."""

    field: str = Field(description="Dotted path of the input.", examples=["targets.0.unit"])
    code: str = Field(description="Stable code.", examples=["missing"])
    message: str = Field(description="Sentence in the asker's language.")


class ProblemDetails(BaseModel):
    """An error, RFC 9457."""

    type: str = Field(description="Address that explains the code.")
    title: str = Field(description="Sentence in the asker's language.")
    status: int = Field(description="HTTP status.", examples=[422])
    code: str = Field(description="Stable code.", examples=["invalid_input"])
    errors: list[FieldError] = Field(default=[], description="What is wrong with which input.")


_MEANINGS = {
    400: "The request could not be understood.",
    401: "Nobody is signed in, or the token is no good.",
    403: "The asker may see this but not do it.",
    404: "There is no such thing, or the asker may not know of it.",
    409: "The thing's state, or another thing, stands in the way.",
    412: "The thing changed since the version named in If-Match.",
    413: "Too large.",
    415: "A kind of file that is not taken.",
    422: "Some inputs are not right; `errors` names each.",
    428: "Name the version that you change in If-Match.",
    429: "Too many requests.",
    503: "Busy; send the same request again.",
}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "model": ProblemDetails,
        "description": meaning,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }
    for status, meaning in _MEANINGS.items()
}
"""Documented errors; pass `responses=problems(404, 422)` to a route."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Those of the documented errors that a route may answer with."""
    return {status: PROBLEMS[status] for status in (400, 401, 403, 422, *statuses)}


class Listed(BaseModel):
    """What every list answer carries beside its items."""

    total: int = Field(description="Items in all.", examples=[42])
    page: int = Field(description="This page, counted from 1.", examples=[1])
    per_page: int = Field(description="Items a page.", examples=[20])
