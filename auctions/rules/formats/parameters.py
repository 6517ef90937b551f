"""The parameters that a format adds to the terms, described once for the form, the API and the check."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auctions.rules.terms import Problem
from market.money import MAX_FEN


class Unit(enum.StrEnum):
    """How a parameter is typed and shown."""

    FEN = "fen"
    SECONDS = "seconds"
    BASIS_POINTS = "basis_points"
    NUMBER = "number"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `low` and `high` bound a number; `choices` are the values of a choice."""

    name: str
    unit: Unit
    default: int | str
    low: int = 0
    high: int = MAX_FEN
    choices: tuple[str, ...] = ()


def parameter_problems(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with a format's parameters, each taken alone."""
    found: list[Problem] = [
        (f"params.{name}", "unknown_parameter", {})
        for name in values
        if name not in {parameter.name for parameter in parameters}
    ]
    for parameter in parameters:
        field, value = f"params.{parameter.name}", values.get(parameter.name)
        if parameter.unit is Unit.CHOICE:
            if value not in parameter.choices:
                found.append((field, "unknown_choice", {"choices": ", ".join(parameter.choices)}))
        elif not isinstance(value, int) or isinstance(value, bool):
            found.append((field, "missing", {}))
        elif not parameter.low <= value <= parameter.high:
            found.append((field, "out_of_range", {"low": parameter.low, "high": parameter.high}))
    return found
