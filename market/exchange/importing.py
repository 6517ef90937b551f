"""Imports: from rows to a plan, and from a plan to changes.

Planning reads only. It maps each row, finds what is here already under the row's key, and validates
what would result with the same input models and rules as a page; every bad row is told with its line,
field and reason. Applying writes what the plan says in the caller's transaction: new rows in bulk,
changed ones through the verbs that pages use. Running the same file again finds everything unchanged.

The key of a listing is (source, source_id). A row without an id is known again by its organisation
and title. What an export of this market names (`market`, row id) is that row. Organisations are known
by their credit code.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ValidationError

from market.clock import local_date
from market.db import Session
from market.demands.inputs import DemandInput
from market.demands.rules import missing_for_publication as demand_missing
from market.errors import NotAllowed, WrongState
from market.exchange import content
from market.exchange.exporting import LOCAL_SOURCE
from market.exchange.fields import FIELDS, Kind, as_json
from market.exchange.mapping import Mapper
from market.exchange.problems import Problem, from_validation, shown
from market.exchange.readers import Row
from market.listings.inputs import ResultInput
from market.listings.models import ListingState, PricingMode
from market.listings.rules import LISTING_DAYS, Step, after
from market.listings.rules import missing_for_publication as result_missing
from market.parties.inputs import OrganisationInput
from market.permissions import Action, Actor, require

DEFAULT_SOURCE = "import"

MODELS: dict[Kind, type[BaseModel]] = {
    Kind.RESULTS: ResultInput,
    Kind.DEMANDS: DemandInput,
    Kind.ORGANISATIONS: OrganisationInput,
}
_RIGHTS: dict[Kind, tuple[Action, ...]] = {
    Kind.RESULTS: (Action.IMPORT, Action.RESULT_CREATE, Action.RESULT_EDIT),
    Kind.DEMANDS: (Action.IMPORT, Action.DEMAND_CREATE, Action.DEMAND_EDIT),
    Kind.ORGANISATIONS: (Action.IMPORT, Action.ORGANISATION_EDIT),
    Kind.CONTRACTS: (Action.IMPORT, Action.CONTRACT_REGISTER),
}
_BESIDE = {
    Kind.RESULTS: ("organisation_id", "source", "source_id"),
    Kind.DEMANDS: ("organisation_id", "source", "source_id"),
    Kind.ORGANISATIONS: (),
}
"""Mapped values that are not part of the input model."""


def reach(actor: Actor, kind: Kind) -> frozenset[int] | None:
    """The organisations for which an actor may import; None for all.

    Raises SignInRequired or NotAllowed for who may import nothing of the kind. Organisations are
    imported only by those whose right to edit them reaches all.
    """
    allowed: frozenset[int] | None = None
    for action in _RIGHTS[kind]:
        require(actor, action)
        extent = actor.organisations_for(action)
        if extent is not None:
            allowed = extent if allowed is None else allowed & extent
    if allowed is not None and (not allowed or kind is Kind.ORGANISATIONS):
        raise NotAllowed(action=Action.IMPORT.value)
    return allowed


@dataclass(frozen=True)
class Options:
    """How an import is to be done."""

    source: str = DEFAULT_SOURCE
    publish: bool = False
    """Show listings at once, and count imported organisations as verified."""
    partial: bool = False
    """Take the good rows although others are bad."""
    days: int = LISTING_DAYS


@dataclass(frozen=True)
class Change:
    """What one good row asks for. `row_id` None makes a new row."""

    line: int
    organisation_id: int
    source: str
    source_id: str
    data: Any
    row_id: int | None = None
    version: int = 0
    changed: bool = True
    publish: bool = False


@dataclass
class Plan:
    """What an import would do."""

    kind: Kind
    options: Options
    total: int = 0
    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)

    @property
    def bad_lines(self) -> set[int]:
        """The lines with something wrong."""
        return {problem.line for problem in self.problems}

    @property
    def created(self) -> int:
        """Rows that are new."""
        return sum(change.row_id is None for change in self.changes)

    @property
    def updated(self) -> int:
        """Rows that are here and change."""
        return len(self.changes) - self.created

    @property
    def refused(self) -> bool:
        """Whether nothing will be taken because something is bad."""
        return bool(self.problems) and not self.options.partial


@dataclass(frozen=True)
class _Mapped:
    line: int
    key: tuple[str, str]
    organisation_id: int
    values: dict[str, Any]


@dataclass(frozen=True)
class _Here:
    """A row that is here already."""

    id: int
    organisation_id: int
    state: str
    version: int
    merged_into_id: int | None = None


Progress = Callable[[int], None]
"""Is told how many rows have been looked at."""


def plan(
    session: Session,
    now: dt.datetime,
    mapper: Mapper,
    rows: Sequence[Row],
    options: Options,
    progress: Progress = lambda _count: None,
) -> Plan:
    """What importing `rows` would do. `mapper`'s vocabulary holds only organisations within the right."""
    made = Plan(mapper.kind, options, len(rows))
    first_lines: dict[tuple[str, str], int] = {}
    done = 0
    for some in content.chunks(rows):
        mapped = []
        for row in some:
            one = _map(mapper, row, options, made.problems)
            if one is None:
                continue
            first = first_lines.setdefault(one.key, one.line)
            if first != one.line:
                place = "credit_code" if mapper.kind is Kind.ORGANISATIONS else "source_id"
                made.problems.append(
                    Problem(one.line, place, "repeated_row", {"line": first}, shown(one.values.get(place)))
                )
                continue
            mapped.append(one)
        _plan_chunk(session, now, made, mapped)
        done += len(some)
        progress(done)
    made.problems.sort(key=lambda problem: problem.line)
    return made


def _map(mapper: Mapper, row: Row, options: Options, problems: list[Problem]) -> _Mapped | None:
    values, found = mapper.values(row)
    kind = mapper.kind
    for spec in FIELDS[kind]:
        told = any(problem.field.split(".")[0] == spec.name for problem in found)
        if spec.required and values.get(spec.model_name) is None and not told and not row.fault:
            found.append(Problem(row.line, spec.name, "missing"))
    if found:
        problems.extend(found)
        return None
    if kind is Kind.ORGANISATIONS:
        code = str(values["credit_code"]).replace(" ", "").replace("-", "").upper()
        return _Mapped(row.line, ("", code), 0, values)
    organisation_id: int = values["organisation_id"]
    source = values.get("source") or options.source
    source_id = values.get("source_id") or _derived_id(organisation_id, values["title"])
    for name, text, limit in (("source", source, 64), ("source_id", source_id, 128)):
        if len(text) > limit:
            problems.append(Problem(row.line, name, "string_too_long", {"max_length": limit}, shown(text)))
            return None
        if not text.isprintable():
            problems.append(Problem(row.line, name, "control_character", {}, shown(text)))
            return None
    return _Mapped(row.line, (source, source_id), organisation_id, values)


def _derived_id(organisation_id: int, title: str) -> str:
    text = f"{organisation_id}\n{' '.join(title.split())}"
    return f"title:{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:40]}"


def _find_here(session: Session, kind: Kind, mapped: Iterable[_Mapped]) -> dict[tuple[str, str], _Here]:
    table = content.TABLES[kind]
    c = table.c
    owner = c.id if kind is Kind.ORGANISATIONS else c.organisation_id
    into = c.merged_into_id if kind is Kind.RESULTS else sa.null()
    shown_columns: tuple[Any, ...] = (
        c.id, owner.label("owner"), c.state, c.version, into.label("merged_into_id"),
    )  # fmt: skip
    found: dict[tuple[str, str], _Here] = {}
    if kind is Kind.ORGANISATIONS:
        codes = [one.key[1] for one in mapped]
        for row in session.execute(sa.select(*shown_columns, c.credit_code).where(c.credit_code.in_(codes))):
            found["", row.credit_code] = _Here(row.id, row.owner, row.state, row.version, row.merged_into_id)
        return found
    by_source: dict[str, list[str]] = {}
    for one in mapped:
        by_source.setdefault(one.key[0], []).append(one.key[1])
    for source, keys in by_source.items():
        statement = sa.select(*shown_columns, c.source_id).where(c.source == source, c.source_id.in_(keys))
        for row in session.execute(statement):
            found[source, row.source_id] = _Here(
                row.id, row.owner, row.state, row.version, row.merged_into_id
            )
    wanted = {
        int(one.key[1]): one.organisation_id
        for one in mapped
        if one.key[0] == LOCAL_SOURCE and one.key not in found and re.fullmatch(r"[0-9]{1,18}", one.key[1])
    }
    statement = sa.select(*shown_columns).where(c.id.in_(sorted(wanted)), c.source_id.is_(None))
    for row in session.execute(statement) if wanted else ():
        if row.owner == wanted[row.id]:
            found[LOCAL_SOURCE, str(row.id)] = _Here(
                row.id, row.owner, row.state, row.version, row.merged_into_id
            )
    return found


def _plan_chunk(session: Session, now: dt.datetime, made: Plan, mapped: list[_Mapped]) -> None:
    kind, options = made.kind, made.options
    here = _find_here(session, kind, mapped)
    contents = content.load(session, kind, sorted({one.id for one in here.values()}))
    names = {spec.model_name: spec.name for spec in FIELDS[kind]}
    model = MODELS[kind]
    compared = [name for name in names if name in model.model_fields]
    for one in mapped:
        old = here.get(one.key)
        if old is not None and kind is not Kind.ORGANISATIONS and old.organisation_id != one.organisation_id:
            made.problems.append(Problem(one.line, "source_id", "other_organisation", {}, shown(one.key[1])))
            continue
        values = {name: value for name, value in one.values.items() if name not in _BESIDE[kind]}
        kept = contents[old.id] if old is not None else {}
        merged = {name: kept[name] for name in compared if name in kept and name not in values}
        merged |= {name: value for name, value in values.items() if value is not None}
        try:
            data: Any = model.model_validate(merged)
        except ValidationError as error:
            made.problems.extend(from_validation(one.line, error, names, merged))
            continue
        new = data.model_dump(mode="json")
        changed = old is None or any(new[name] != as_json(kept[name]) for name in compared)
        publish = options.publish and (old is None or old.state in ("draft", "pending"))
        if not changed and not publish:
            made.unchanged += 1
            continue
        problems = _judge(kind, now, old, data, publish, names, one, changed)
        if problems:
            made.problems.extend(problems)
            continue
        made.changes.append(
            Change(
                one.line,
                one.organisation_id,
                one.key[0],
                one.key[1],
                data,
                old.id if old else None,
                old.version if old else 0,
                changed,
                publish,
            )
        )


def _judge(
    kind: Kind,
    now: dt.datetime,
    old: _Here | None,
    data: Any,
    publish: bool,
    names: dict[str, str],
    one: _Mapped,
    changed: bool,
) -> list[Problem]:
    """What the rules say against a valid row: steps its state forbids, what it lacks to be shown."""
    if kind is Kind.ORGANISATIONS:
        return []
    if old is not None and old.merged_into_id is not None:
        return [Problem(one.line, "", "merged", {"into": old.merged_into_id})]
    if old is not None and changed:
        try:
            after(old.state, Step.EDIT)
        except WrongState as error:
            return [Problem(one.line, "", "wrong_state", {"state": str(error.params["state"])})]
    if not publish and (old is None or old.state != ListingState.PUBLISHED.value):
        return []
    if kind is Kind.RESULTS:
        missing = result_missing(
            title=data.title,
            abstract=data.abstract,
            industry_code=data.industry_code,
            trl=data.trl,
            stage=data.stage.value if data.stage else None,
            modes=[mode.value for mode in data.modes],
            pricing_mode=PricingMode(data.pricing_mode).value,
            price_low_fen=data.price_low_fen,
            contact_name=data.contact_name,
            contact_phone=data.contact_phone,
            contact_email=data.contact_email,
            imported=bool(one.key[0] != LOCAL_SOURCE),
        )
    else:
        missing = demand_missing(
            title=data.title,
            difficulty=data.difficulty,
            industry_code=data.industry_code,
            targets=len(data.targets),
            deadline=data.deadline,
            today=local_date(now),
            contact_name=data.contact_name,
            contact_phone=data.contact_phone,
            contact_email=data.contact_email,
            imported=bool(one.key[0] != LOCAL_SOURCE),
        )
    return [Problem(one.line, names.get(place, place), code, params) for place, code, params in missing]
