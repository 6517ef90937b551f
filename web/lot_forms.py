"""The form of a draft lot: from what was typed to terms, and from terms to what is typed.

Amounts are typed in yuan, times in Beijing time, shares in percent. A format's own parameters are asked for
by their description (`Parameter`), so a new format needs no form of its own; each stands under the format's
name, so that two formats may call something alike.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from auctions.models import LotInput
from auctions.rules.formats import DEFAULT, RULES
from auctions.rules.formats.parameters import Parameter, Unit
from auctions.rules.settlement import NEXT_BIDDER
from auctions.rules.terms import Terms
from market.clock import SHANGHAI
from market.errors import InvalidInput
from market.money import parse_fen, yuan
from web.bid_forms import basis_points, percent
from web.forms import Form

Problems = list[tuple[str, str, dict[str, Any]]]

AMOUNTS = ("start_fen", "reserve_fen", "step_fen", "cap_fen", "deposit_fen")
TIMES = ("registration_opens_at", "opens_at", "ends_at", "hard_end")
PLAIN = (
    "window_s", "extension_s", "max_steps", "hand_extension_s", "hand_extensions", "sole_bidder",
    "organiser_type", "organiser_organisation_id", "cap_rule",
)  # fmt: skip
SETTLED = ("refund_hours", "confirm_days", "contract_days", "balance_days", "forfeit_rest")
SOFT = ("hard_end", "window_s", "extension_s", "hand_extensions", "hand_extension_s")


@dataclass(frozen=True)
class Asked:
    """One parameter of a format as the form asks for it."""

    name: str
    field: str
    """The name of the input."""
    id: str
    unit: Unit
    low: int
    high: int
    choices: tuple[str, ...]
    required: bool


def asked(chosen: str) -> dict[str, list[Asked]]:
    """The parameters of every format. Those of the chosen one carry the id that problems point at."""
    return {
        name: [_asked(name, parameter, chosen) for parameter in RULES[name].PARAMETERS] for name in formats()
    }


def formats() -> list[str]:
    """The formats' names, the usual one first."""
    return sorted(RULES, key=lambda name: (name != DEFAULT, name))


def _asked(lot_format: str, parameter: Parameter, chosen: str) -> Asked:
    field = f"terms.params.{lot_format}.{parameter.name}"
    return Asked(
        parameter.name,
        field,
        f"f-terms.params.{parameter.name}" if lot_format == chosen else f"f-{field}",
        parameter.unit,
        parameter.low,
        parameter.high,
        parameter.choices,
        _required(parameter),
    )


def read(form: Form) -> LotInput:
    """The form as an input model, without what the chosen format does not use: the page does not show
    those fields, so nobody could mend what is wrong in them. Raises InvalidInput, ValidationError.
    """
    problems: Problems = []
    terms: dict[str, Any] = {"format": form.value("terms.format") or DEFAULT}
    rules = RULES.get(terms["format"])
    stepped = rules is None or rules.STEPS
    for name in AMOUNTS:
        if name == "step_fen" and not stepped:
            continue
        _put(form, f"terms.{name}", parse_fen, "amount", terms, name, problems)
    for name in TIMES:
        _put(form, f"terms.{name}", _instant, "datetime_parsing", terms, name, problems)
    for name in PLAIN:
        typed = form.value(f"terms.{name}").strip()
        if typed:
            terms[name] = typed
    if stepped:
        _put(form, "terms.cover_bp", basis_points, "percent", terms, "cover_bp", problems)
    terms["settlement"] = _settlement(form, terms["format"], problems)
    if form.has("terms.format"):
        terms["maxima"] = form.has("terms.maxima")
    terms["barred_organisation_ids"] = form.values("terms.barred_organisation_ids")
    terms["steps"] = _steps(form, problems) if stepped else []
    if rules is not None:
        terms["params"] = _params(form, terms["format"], rules.PARAMETERS, problems)
        if rules.STEPS and not form.value("terms.step_fen").strip():
            problems.append(("terms.step_fen", "missing", {}))
        if not rules.SOFT_CLOSE:
            for name in SOFT:
                terms.pop(name, None)
        if not rules.STEPS:
            terms.pop("max_steps", None)
    if problems:
        raise InvalidInput(problems)
    values: dict[str, Any] = {"title": form.value("title"), "terms": terms}
    for name in ("sale_id", "number"):
        if form.value(name).strip():
            values[name] = form.value(name).strip()
    return LotInput.model_validate(values)


def fill(title: str, sale_id: int | None, number: int, terms: Terms) -> Form:
    """The form of a stored draft."""
    values: dict[str, Any] = {"title": title, "sale_id": sale_id, "number": number}
    values["terms.format"] = terms.format
    rules = RULES[terms.format]
    for name in ("start_fen", "reserve_fen", "cap_fen", "deposit_fen"):
        values[f"terms.{name}"] = _yuan(getattr(terms, name))
    promised = terms.settlement
    if promised.deposit_share_bp is not None:
        # The amount is worked out again from the share: the start price may be changed in this form.
        values["terms.deposit_fen"] = ""
        values["terms.settlement.deposit_share_bp"] = percent(promised.deposit_share_bp).rstrip("%")
    values["terms.settlement.deposit_due_at"] = _local(promised.deposit_due_at)
    for name in SETTLED:
        values[f"terms.settlement.{name}"] = getattr(promised, name)
    if promised.runner_up:
        values["terms.settlement.runner_up"] = "on"
    if rules.STEPS:
        values["terms.step_fen"] = _yuan(terms.steps[0][1])
        for place, (floor, step) in enumerate(terms.steps[1:]):
            values[f"terms.steps.{place}.from"] = _yuan(floor)
            values[f"terms.steps.{place}.step"] = _yuan(step)
    for name in TIMES:
        values[f"terms.{name}"] = _local(getattr(terms, name))
    for name in PLAIN:
        values[f"terms.{name}"] = getattr(terms, name)
    values["terms.cover_bp"] = "" if terms.cover_bp is None else percent(terms.cover_bp).rstrip("%")
    if terms.maxima:
        values["terms.maxima"] = "on"
    values["terms.barred_organisation_ids"] = list(terms.barred_organisation_ids)
    form = Form.from_values(values)
    form.entered.update(_defaults({terms.format: dict(terms.params)}))
    return form


def fresh(values: dict[str, Any]) -> Form:
    """A form with the formats' defaults and some values."""
    form = Form.from_values({"terms.format": DEFAULT, "terms.maxima": "on", "number": 1, **values})
    form.entered.update(_defaults({}))
    return form


def _defaults(given: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    found = {}
    for name in formats():
        for parameter in RULES[name].PARAMETERS:
            value = given.get(name, {}).get(parameter.name, parameter.default)
            found[f"terms.params.{name}.{parameter.name}"] = [_shown(parameter, value)]
    return found


def _required(parameter: Parameter) -> bool:
    """Whether the default is out of bounds: a value must be typed."""
    return isinstance(parameter.default, int) and not parameter.low <= parameter.default <= parameter.high


def _shown(parameter: Parameter, value: Any) -> str:
    if parameter.unit is Unit.FEN:
        return _yuan(value) if value else ""
    return percent(value).rstrip("%") if parameter.unit is Unit.BASIS_POINTS else str(value)


def _params(
    form: Form, lot_format: str, parameters: tuple[Parameter, ...], problems: Problems
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    readers: dict[Unit, tuple[Callable[[str], Any], str]] = {
        Unit.FEN: (parse_fen, "amount"),
        Unit.BASIS_POINTS: (basis_points, "percent"),
        Unit.SECONDS: (int, "int_parsing"),
        Unit.NUMBER: (int, "int_parsing"),
        Unit.CHOICE: (str, "unknown_choice"),
    }
    for parameter in parameters:
        typed = form.value(f"terms.params.{lot_format}.{parameter.name}").strip()
        if not typed:
            if _required(parameter):
                problems.append((f"terms.params.{parameter.name}", "missing", {}))
            continue
        reader, code = readers[parameter.unit]
        try:
            found[parameter.name] = reader(typed)
        except ValueError:
            problems.append((f"terms.params.{parameter.name}", code, {}))
    return found


def _steps(form: Form, problems: Problems) -> list[tuple[int, int]]:
    """The rows after the first step, which counts from 0."""
    rows = []
    for place in form.rows("terms.steps"):
        typed = [form.value(f"terms.steps.{place}.{name}").strip() for name in ("from", "step")]
        if not any(typed):
            continue
        row = []
        for name, text in zip(("from", "step"), typed, strict=True):
            try:
                row.append(parse_fen(text))
            except ValueError:
                problems.append((f"terms.steps.{place}.{name}", "amount", {}))
        if len(row) == 2:
            rows.append((row[0], row[1]))
    return rows


def _put(
    form: Form,
    field: str,
    reader: Callable[[str], Any],
    code: str,
    into: dict[str, Any],
    name: str,
    problems: Problems,
) -> None:
    typed = form.value(field).strip()
    if not typed:
        return
    try:
        into[name] = reader(typed)
    except (ValueError, OverflowError):
        problems.append((field, code, {}))


def _settlement(form: Form, lot_format: str, problems: Problems) -> dict[str, Any]:
    found: dict[str, Any] = {
        "runner_up": lot_format in NEXT_BIDDER and form.has("terms.settlement.runner_up")
    }
    _put(
        form, "terms.settlement.deposit_share_bp", basis_points, "percent", found, "deposit_share_bp", problems
    )  # fmt: skip
    _put(
        form, "terms.settlement.deposit_due_at", _instant, "datetime_parsing", found, "deposit_due_at", problems
    )  # fmt: skip
    for name in SETTLED:
        typed = form.value(f"terms.settlement.{name}").strip()
        if typed:
            found[name] = typed
    if "deposit_share_bp" in found and form.value("terms.deposit_fen").strip():
        problems.append(("terms.deposit_fen", "share_or_amount", {}))
    return found


def _local(at: dt.datetime | None) -> str:
    return "" if at is None else at.astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M")


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(dt.UTC)


def _yuan(fen: int | None) -> str:
    return "" if fen is None else yuan(fen).removesuffix(".00")
