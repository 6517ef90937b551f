"""Forms: what was typed, kept as it was typed, with what is wrong beside it.

Field names of lists carry an index: `targets.0.unit`. A name repeated (check boxes) is a list.
Empty text counts as not given. `Form.parse` builds a pydantic model; whatever is refused, by it or by
the rules behind it, comes back at its field, and nothing that was entered is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile

from web.errors import FieldProblem

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Form:
    """Entered values by field name, uploaded files, and the problems found."""

    entered: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[UploadFile]] = field(default_factory=dict)
    problems: tuple[FieldProblem, ...] = ()

    @classmethod
    def from_data(cls, data: FormData) -> Form:
        """What a browser sent."""
        entered: dict[str, list[str]] = {}
        files: dict[str, list[UploadFile]] = {}
        for name, value in data.multi_items():
            if isinstance(value, UploadFile):
                if value.filename:
                    files.setdefault(name, []).append(value)
            else:
                entered.setdefault(name, []).append(value)
        return cls(entered, files)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Form:
        """A form filled from what is stored: nested lists and mappings become dotted names."""
        entered: dict[str, list[str]] = {}

        def put(name: str, value: Any) -> None:
            if isinstance(value, Mapping):
                for key, item in value.items():
                    put(f"{name}.{key}" if name else str(key), item)
            elif isinstance(value, list | tuple | set | frozenset):
                items = list(value)
                if items and isinstance(items[0], Mapping):
                    for number, item in enumerate(items):
                        put(f"{name}.{number}", item)
                else:
                    entered[name] = [_text(item) for item in items]
            else:
                entered[name] = [_text(value)]

        put("", values)
        return cls(entered)

    def value(self, name: str, default: str = "") -> str:
        """The (first) text entered under a name."""
        values = self.entered.get(name)
        return values[0] if values else default

    def values(self, name: str) -> list[str]:
        """Every text entered under a name."""
        return self.entered.get(name, [])

    def number(self, name: str) -> int:
        """The id or version entered under a name; 0 for what is none."""
        text = self.value(name).strip()
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0

    def has(self, name: str) -> bool:
        """Whether a name was sent at all (a ticked box)."""
        return name in self.entered

    def rows(self, name: str, *, at_least: int = 0) -> list[int]:
        """The indexes used by a list of rows, padded with fresh ones to `at_least`."""
        used = sorted(
            {
                int(part)
                for key in self.entered
                if key.startswith(f"{name}.") and _is_index(part := key[len(name) + 1 :].split(".")[0])
            }
        )
        following = (used[-1] + 1) if used else 0
        return used + list(range(following, following + max(0, at_least - len(used))))

    def errors(self, name: str) -> list[str]:
        """The sentences about a field."""
        return [problem.message for problem in self.problems if problem.field == name]

    def error(self, name: str) -> str:
        """The first sentence about a field, or nothing."""
        found = self.errors(name)
        return found[0] if found else ""

    def with_problems(self, problems: Iterable[FieldProblem]) -> Form:
        """The same form with problems beside its fields."""
        return replace(self, problems=tuple(problems))

    def nested(self, *, multiple: Iterable[str] = ()) -> dict[str, Any]:
        """The entered values as nested mappings and lists; empty text is left out.

        Names in `multiple` are lists even with one value; rows with nothing in them are dropped.
        """
        many = set(multiple)
        tree: dict[str, Any] = {}
        for name, values in self.entered.items():
            kept: Any = [value.strip() for value in values if value.strip()]
            if name not in many:
                if not kept:
                    continue
                kept = kept[-1]
            place = tree
            *parents, last = name.split(".")
            for part in parents:
                place = place.setdefault(part, {})
                if not isinstance(place, dict):
                    break
            else:
                place[last] = kept
        return {key: _lists(value) for key, value in tree.items()}

    def parse(self, model: type[Model]) -> Model:
        """Build an input model. Raises pydantic.ValidationError."""
        multiple = [name for name, info in model.model_fields.items() if "list[" in str(info.annotation)]
        values = self.nested(multiple=[name for name in multiple if name in self.entered])
        return model.model_validate(values)


def _is_index(part: str) -> bool:
    return part.isdecimal() and len(part) < 7


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _lists(item) for key, item in value.items()}
    if inner and all(_is_index(key) for key in inner):
        return [inner[key] for key in sorted(inner, key=int)]
    return inner


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    return str(getattr(value, "value", value))
