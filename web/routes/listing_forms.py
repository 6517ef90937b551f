"""Forms and filters that the pages of results and of demands share."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from starlette.datastructures import QueryParams

from market.demands.models import Comparator, DemandSource
from market.listings.models import CooperationMode, IpKind, IpStatus, ListingState, PricingMode, Stage
from market.listings.queries import Filter
from market.money import FEN_PER_WAN, MAX_FEN
from market.parties.models import OrganisationKind
from market.taxonomy.queries import IndustryView
from web import i18n
from web.forms import Form
from web.render import Page, changed_url, money

WORDS = ("keywords", "ipc")
"""Lists that are typed into one field, separated by commas."""
AMOUNTS = ("price_low_fen", "price_high_fen", "budget_low_fen", "budget_high_fen")
"""Amounts that are typed in units of 10,000 yuan unless they name another."""
CONTROLS = frozenset({"organisation_id", "version", "do", "add_row", "add_target", "distinct"})
"""What a form sends beside the input model's fields."""
_PRESET = {"comparator", "status"}
_PLAIN_NUMBER = re.compile(r"^[0-9][0-9,，]*(\.[0-9]+)?$")
MAX_ROWS = 60


def compact(form: Form, lists: Sequence[str]) -> tuple[Form, dict[str, int]]:
    """The form with blank rows dropped and the others renumbered, and how many of each list were blank."""
    entered: dict[str, list[str]] = {}
    rows: dict[str, dict[int, dict[str, list[str]]]] = {name: {} for name in lists}
    for key, values in form.entered.items():
        name, _, rest = key.partition(".")
        index, _, inner = rest.partition(".")
        if name in rows and index.isdecimal() and len(index) < 6:
            rows[name].setdefault(int(index), {})[inner] = values
        elif name not in rows and "." not in key:
            entered[key] = values
    blank = {}
    for name, found in rows.items():
        kept = [
            row
            for _, row in sorted(found.items())
            if any(value.strip() for inner, values in row.items() if inner not in _PRESET for value in values)
        ][:MAX_ROWS]
        blank[name] = len(found) - len(kept)
        for number, row in enumerate(kept):
            for inner, values in row.items():
                entered[f"{name}.{number}.{inner}" if inner else f"{name}.{number}"] = values
    return replace(form, entered=entered), blank


def for_parsing(form: Form) -> Form:
    """The form as the input model reads it: lists split, amounts in their unit, controls left out."""
    entered = {}
    for name, values in form.entered.items():
        if name in CONTROLS:
            continue
        if name in WORDS:
            values = [word for value in values for word in re.split(r"[,，、;；\n]", value)]
        elif name in AMOUNTS:
            values = [f"{v.strip()}万" if _PLAIN_NUMBER.match(v.strip()) else v for v in values]
        entered[name] = values
    return replace(form, entered=entered)


def with_problems_in_place(form: Form) -> Form:
    """Problems of single words at the field that they were typed into, of the version at the whole form."""
    moved = []
    for problem in form.problems:
        name, _, rest = problem.field.partition(".")
        if name == "version":
            problem = replace(problem, field="")
        moved.append(replace(problem, field=name) if name in (*WORDS, "modes") and rest else problem)
    return form.with_problems(moved)


def form_of(content: Mapping[str, Any], **controls: Any) -> Form:
    """A form filled with a listing's content."""
    values = {**content, **controls}
    for name in WORDS:
        values[name] = "，".join(values.get(name) or [])
    for name in AMOUNTS:
        if values.get(name) is not None:
            values[name] = wan_text(values[name])
    inventors = values.pop("inventors", [])
    form = Form.from_values(values)
    for number, name in enumerate(inventors):
        form.entered[f"inventors.{number}"] = [name]
    return form


def wan_text(fen: int) -> str:
    """An amount in units of 10,000 yuan, exactly."""
    whole, rest = divmod(fen, FEN_PER_WAN)
    decimals = f"{rest:06d}".rstrip("0")
    return f"{whole}.{decimals}" if decimals else str(whole)


Member = TypeVar("Member", bound=enum.Enum)


def member(kind: type[Member], value: str | None) -> Member | None:
    """The member of an enumeration with a value, or None."""
    return next((item for item in kind if item.value == value), None)


def _span(text: str, most: int) -> tuple[int | None, int | None]:
    low, dash, high = text.partition("-")
    numbers = [int(part) if part.isdecimal() and len(part) < 10 else None for part in (low, high)]
    if not dash:
        numbers[1] = numbers[0]
    return tuple(min(n, most) if n is not None else None for n in numbers)  # type: ignore[return-value]


def filter_of(query: QueryParams) -> Filter:
    """What the query of a list asks for; what makes no sense is passed over, as a visitor would expect.

    `trl=4-6`, `price=10-50` (10,000 yuan; either end may be left out).
    """
    trl_min, trl_max = _span(query.get("trl", ""), 9)
    price_from, price_to = _span(query.get("price", ""), MAX_FEN // FEN_PER_WAN)
    organisation = query.get("organisation", "")
    ids = frozenset({int(organisation)}) if organisation.isdecimal() and len(organisation) < 19 else None
    state = member(ListingState, query.get("state"))
    return Filter(
        states=(state,) if state is ListingState.CONCLUDED else (ListingState.PUBLISHED,),
        industry=re.sub(r"[^\w.-]", "", query.get("industry", ""))[:32],
        owner_kind=member(OrganisationKind, query.get("owner")),
        trl_min=trl_min,
        trl_max=trl_max,
        mode=member(CooperationMode, query.get("mode")),
        price_from_fen=None if price_from is None else price_from * FEN_PER_WAN,
        price_to_fen=None if price_to is None else price_to * FEN_PER_WAN,
        organisation_ids=ids,
    )


@dataclass(frozen=True)
class Choice:
    """One choice of a facet."""

    value: str
    text: str
    selected: bool
    count: int | None = None


@dataclass(frozen=True)
class Facet:
    """One group of choices."""

    name: str
    legend: str
    options: list[Choice]
    kind: str = "radio"
    open: bool = False


TRL_SPANS = ("1-3", "4-6", "7-9")
PRICE_SPANS = ("0-10", "10-50", "50-200", "200-")


def facets(page: Page, industries: Iterable[IndustryView], *, demands: bool = False) -> list[Facet]:
    """The filters of a public list, each single choice with a way back to any."""
    query, language = page.request.query_params, page.language

    def group(name: str, legend: str, options: Iterable[tuple[str, str]]) -> Facet:
        now = query.get(name, "")
        choices = [Choice(value, text, value == now) for value, text in options]
        anything = Choice("", i18n.term("filter.any", language), False)
        return Facet(name, i18n.term(legend, language), [anything, *choices])

    def labels(kind: Iterable[enum.Enum]) -> list[tuple[str, str]]:
        return [(str(item.value), i18n.label(item, language)) for item in kind]

    return [
        group("industry", "field.industry_code", [(item.code, item.called(language)) for item in industries]),
        group(
            "trl",
            "field.wanted_trl" if demands else "field.trl",
            [
                (span, i18n.term("filter.trl", language, {"span": span.replace("-", "–")}))
                for span in TRL_SPANS
            ],
        ),
        group("mode", "field.modes", labels(CooperationMode)),
        group(
            "price",
            "field.budget" if demands else "field.price",
            [(span, i18n.term(f"filter.price.{span}", language)) for span in PRICE_SPANS],
        ),
        group("owner", "field.owner_kind", labels(OrganisationKind)),
    ]


def active(page: Page, groups: Iterable[Facet]) -> list[tuple[str, str]]:
    """The filters in force, each with the address without it."""
    return [
        (choice.text, changed_url(page.request, **{group.name: None, "page": None}))
        for group in groups
        for choice in group.options
        if choice.selected and choice.value
    ]


_ENUMS: dict[str, type[enum.Enum]] = {
    "stage": Stage,
    "pricing_mode": PricingMode,
    "origin": DemandSource,
    "kind": IpKind,
    "status": IpStatus,
    "comparator": Comparator,
}


def shown(name: str, value: Any, language: str, industries: Mapping[str, str]) -> str:
    """A value of a listing's content in words, for its history."""
    if value is None or value == "" or value == [] or value is False:
        return ""
    if value is True:
        return i18n.term("value.yes", language)
    if name.endswith("_fen"):
        return money(value)
    if name == "industry_code":
        return industries.get(value, value)
    if name == "modes":
        return "、".join(i18n.term(f"CooperationMode.{item}", language) for item in value)
    # A claim's comparator is prose, a target's a choice: only a member has a name of its own.
    if name in _ENUMS and member(_ENUMS[name], value) is not None:
        return i18n.term(f"{_ENUMS[name].__name__}.{value}", language)
    if isinstance(value, list):
        if isinstance(value[0], Mapping):
            return "\n".join(
                " · ".join(
                    text for key, item in row.items() if (text := shown(key, item, language, industries))
                )
                for row in value
            )
        return "、".join(str(item) for item in value)
    return str(value)
