"""Help: what each error code means, and the API's reference, both made from the code itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from babel.messages.pofile import read_po
from fastapi import APIRouter
from starlette.responses import Response

from web import i18n
from web.deps import PageDep

router = APIRouter()


@dataclass(frozen=True)
class Code:
    """An error code and its sentence."""

    code: str
    sentence: str


@dataclass(frozen=True)
class ErrorsPage:
    """Context of the list of error codes."""

    refusals: list[Code]
    inputs: list[Code]


def codes(prefix: str, language: str) -> list[Code]:
    """Every code of a family in the terms catalogue, in order."""
    with i18n.catalogue_path(language, "terms").open("rb") as file:
        entries = read_po(file)
    return sorted(
        (
            Code(str(entry.id).removeprefix(prefix), str(entry.string))
            for entry in entries
            if entry.id and str(entry.id).startswith(prefix)
        ),
        key=lambda item: item.code,
    )


@router.get("/help/errors")
def error_codes(page: PageDep) -> Response:
    """The codes that answers of the API carry; problem details link here."""
    return page.render(
        "help/errors.html", ErrorsPage(codes("error.", page.language), codes("invalid.", page.language))
    )


@dataclass(frozen=True)
class Parameter:
    """A parameter or a member of a body."""

    name: str
    place: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """One operation of the API."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Parameter]
    answers: list[tuple[str, str]]


@dataclass(frozen=True)
class ApiPage:
    """Context of the API's reference."""

    groups: dict[str, list[Operation]]
    description: str


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " | ".join(_kind(item) for item in schema["anyOf"])
    if schema.get("type") == "array":
        return f"[{_kind(schema.get('items', {}))}]"
    return str(schema.get("type", "any"))


def _operation(path: str, method: str, made: dict[str, Any], schemas: dict[str, Any]) -> Operation:
    found = [
        Parameter(
            item["name"],
            item["in"],
            _kind(item["schema"]),
            item.get("required", False),
            item.get("description", ""),
        )
        for item in made.get("parameters", [])
    ]
    for content in made.get("requestBody", {}).get("content", {}).values():
        body = schemas.get(_kind(content["schema"]), {})
        for name, schema in body.get("properties", {}).items():
            required = name in body.get("required", [])
            found.append(Parameter(name, "body", _kind(schema), required, schema.get("description", "")))
    answers = [(status, answer.get("description", "")) for status, answer in made["responses"].items()]
    return Operation(
        made["operationId"],
        method.upper(),
        path,
        made.get("summary", ""),
        made.get("description", ""),
        found,
        answers,
    )


@router.get("/help/api")
def api_reference(page: PageDep) -> Response:
    """Every operation with its parameters and answers, from the same description that programs read."""
    described = page.request.app.openapi()
    schemas = described.get("components", {}).get("schemas", {})
    groups: dict[str, list[Operation]] = {}
    for path, methods in described["paths"].items():
        for method, made in methods.items():
            tag = made.get("tags", ["other"])[0]
            groups.setdefault(tag, []).append(_operation(path, method, made, schemas))
    return page.render(
        "help/api.html", ApiPage(dict(sorted(groups.items())), described["info"]["description"])
    )
