"""What is wrong with a row of an import: where, which field, why. No sentence lives here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from market.errors import InvalidInput

VALUE_CHARACTERS = 120
"""How much of an offending value a report repeats."""


class UnreadableFile(InvalidInput):
    """The file as a whole cannot be read: `invalid.file_<reason>` says why, at `line` where known."""

    code = InvalidInput.code

    def __init__(self, reason: str, *, line: int = 0) -> None:
        super().__init__([("file", f"file_{reason}", {"line": line} if line else {})])
        self.reason = reason
        self.line = line


class BadMapping(InvalidInput):
    """A mapping names something that is not there: `invalid.mapping_<reason>` with `name`."""

    code = InvalidInput.code

    def __init__(self, reason: str, name: str = "") -> None:
        super().__init__([("mapping", f"mapping_{reason}", {"name": name})])
        self.reason = reason
        self.name = name


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one row.

    `line` is the line of a text file or the row of a sheet, counted from 1; `field` one of ours (dotted
    for parts: `targets.0.unit`), empty for the whole row; `code` has its sentence under `invalid.<code>`.
    """

    line: int
    field: str
    code: str
    params: dict[str, Any] = dataclasses.field(default_factory=dict)
    value: str = ""

    def document(self) -> dict[str, Any]:
        """As it is stored with the run."""
        return {
            "line": self.line,
            "field": self.field,
            "code": self.code,
            "params": self.params,
            "value": self.value,
        }


def shown(value: Any) -> str:
    """An offending value as a report repeats it: one line, shortened, printable."""
    text = "" if value is None else str(value)
    text = "".join(c if c.isprintable() else "␀" if c == "\x00" else " " for c in text)
    return text if len(text) <= VALUE_CHARACTERS else text[: VALUE_CHARACTERS - 1] + "…"


def from_validation(
    line: int, error: ValidationError, names: dict[str, str], written: Mapping[str, Any] | None = None
) -> list[Problem]:
    """What an input model refused, by our field names (`names`: the model's name → ours).

    `written` holds what the row said by the model's names: a refused amount may already be one in fen.
    """
    found = []
    for item in error.errors(include_url=False):
        place = [str(part) for part in item["loc"] if part not in ("function-after", "function-before")]
        if place:
            place[0] = names.get(place[0], place[0])
        params = {
            key: value if isinstance(value, str | int | float | bool) else str(value)
            for key, value in (item.get("ctx") or {}).items()
            if key != "error"
        }
        given = item.get("input")
        if written is not None and len(item["loc"]) == 1:
            given = written.get(str(item["loc"][0]), given)
        value = "" if item["type"] == "missing" else shown(given)
        code = item["type"]
        if code in ("too_short", "too_long") and isinstance(item.get("input"), str):
            # A limit behind a validator of ours is reported as if text were a list.
            code = f"string_{code}"
        found.append(Problem(line, ".".join(place), code, params, value))
    return found
