"""Imports of technology contracts that were registered before, here on paper or at another office.

A contract is known by its registration number; without one, by its parties, its title and the day of its
signature. What is registered is not edited by a file: a row that says something else than the register is
told as a bad row, with the fields in which it differs, and amended by hand with a reason. So a plan has only
new contracts, and running the same file again finds everything unchanged.

However long the file is, few rows are held at once: planning reads them one by one and lays what is good
aside in a temporary file, from which it is written.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa
from pydantic import ValidationError
from sqlalchemy.exc import IntegrityError

from market.db import Session, t
from market.deals import entering, recording
from market.deals.models import Contract, ContractSource, ContractState
from market.deals.rules import PUBLIC
from market.errors import Conflict, InvalidInput
from market.exchange import content, contract_rows
from market.exchange.fields import FIELDS, Kind
from market.exchange.importing import DEFAULT_SOURCE, Options, Plan, Progress
from market.exchange.mapping import Mapper
from market.exchange.problems import Problem, from_validation, shown
from market.exchange.readers import Row
from market.identifiers import BadIdentifier, parse_credit_code
from market.money import yuan
from market.permissions import Actor

SOURCES = (ContractSource.IMPORTED, ContractSource.DECLARED)
"""What a new row may say of where it comes from."""

_NAMES = {spec.model_name: spec.name for spec in FIELDS[Kind.CONTRACTS]} | {
    "seller_id": "seller_code",
    "buyer_id": "buyer_code",
    "royalty_ppm": "royalty",
}
_REQUIRED = tuple(spec for spec in FIELDS[Kind.CONTRACTS] if spec.required)
_DAYS = ("signed_on", "effective_on", "ends_on", "rate_on", "registered_on")
_PARTY = tuple(f"{side}_{name}" for side in ("seller", "buyer") for name in ("code", "name", "region"))
_REGION = re.compile("[0-9]{6}")
_IN_MEMORY = 4 * 1024 * 1024


class Aside:
    """Settled contracts in a temporary file, in the order in which they were read."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - lives as long as its plan
        self.count = 0
        self.years: Counter[int] = Counter()
        """How many were registered in each year."""

    def add(self, line: int, values: Mapping[str, Any]) -> None:
        """Lay one aside."""
        self._file.write(orjson.dumps([line, values]) + b"\n")
        self.count += 1
        self.years[values["registered_on"].year] += 1

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        self._file.seek(0)
        for raw in self._file:
            line, values = orjson.loads(raw)
            for name in _DAYS:
                if values[name] is not None:
                    values[name] = dt.date.fromisoformat(values[name])
            yield line, values


@dataclass
class ContractPlan(Plan):
    """What an import of contracts would do: only new ones."""

    new: Aside = field(default_factory=Aside)
    lost: set[int] = field(default_factory=set)
    """Lines that could not be written after all."""

    @property
    def created(self) -> int:
        """Contracts that are new."""
        return self.new.count - len(self.lost)

    @property
    def updated(self) -> int:
        """None: what is registered is not edited by a file."""
        return 0


@dataclass(frozen=True)
class _Read:
    """A row that its model took."""

    line: int
    key: bytes
    data: entering.RegisteredInput
    source: ContractSource
    spoken: frozenset[str]
    """The model's names of what the row says."""


def _said(name: str, value: Any) -> Any:
    """A value as a report repeats it: amounts in yuan, as files hold them; of records, nothing."""
    if isinstance(value, list):
        return ""
    return yuan(value) if name.endswith("_fen") and isinstance(value, int) else value


def _digest(*parts: object) -> bytes:
    text = "\n".join(" ".join(str(part).split()) for part in parts)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=12).digest()


def plan(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    mapper: Mapper,
    rows: Iterable[Row],
    options: Options,
    progress: Progress = lambda _count: None,
) -> ContractPlan:
    """What importing `rows` would do. Reads only."""
    made = ContractPlan(Kind.CONTRACTS, options)
    planner = _Planner(session, actor, now, mapper, made)
    for some in content.chunks(rows):
        planner.take(some)
        made.total += len(some)
        progress(made.total)
    made.problems.sort(key=lambda problem: problem.line)
    return made


class _Planner:
    def __init__(
        self, session: Session, actor: Actor, now: dt.datetime, mapper: Mapper, made: ContractPlan
    ) -> None:
        self.session, self.actor, self.now, self.mapper, self.made = session, actor, now, mapper, made
        self.known = recording.known(session)
        self.first_lines: dict[bytes, int] = {}
        self.unnumbered: dict[bytes, int] | None = None

    def take(self, rows: list[Row]) -> None:
        """Judge some rows."""
        read = [one for one in map(self._read, rows) if one is not None]
        here = self._here(read)
        for one in read:
            try:
                values = entering.settle(self.session, self.actor, self.now, one.data, one.source, self.known)
            except InvalidInput as error:
                for name, code, params in error.problems:
                    said = getattr(one.data, name, None)
                    self._tell(one.line, _NAMES.get(name, name), code, params, _said(name, said))
                continue
            old = here.get(one.key)
            if old is not None:
                self._compare(one, values, old)
            elif one.source not in SOURCES:
                self._tell(one.line, "source", "unknown_choice", {}, one.source.value)
            else:
                key = None if one.data.registration_number else one.key.hex()
                self.made.new.add(one.line, values | {"import_key": key})

    def _tell(
        self, line: int, place: str, code: str, params: dict[str, Any] | None = None, value: Any = ""
    ) -> None:
        self.made.problems.append(Problem(line, place, code, params or {}, shown(value)))

    def _read(self, row: Row) -> _Read | None:
        values, problems = self.mapper.values(row)
        told = {problem.field.split(".")[0] for problem in problems}
        for spec in _REQUIRED:
            if values.get(spec.model_name) is None and spec.name not in told and not row.fault:
                problems.append(Problem(row.line, spec.name, "missing"))
        given = {name: value for name, value in values.items() if value is not None}
        source = ContractSource(given.pop("source", ContractSource.IMPORTED))
        spoken = frozenset(given)
        for side in ("seller", "buyer"):
            code = given.pop(f"{side}_code", None)
            if code is not None:
                problems += self._party(row.line, side, code, given)
            region = given.get(f"{side}_region")
            if region is not None and not _REGION.fullmatch(region):
                problems.append(Problem(row.line, f"{side}_region", "region_code", {}, shown(region)))
        if problems:
            self.made.problems += problems
            return None
        try:
            data = entering.RegisteredInput.model_validate(given)
        except ValidationError as error:
            self.made.problems += from_validation(row.line, error, _NAMES, given)
            return None
        key = self._key(data)
        first = self.first_lines.setdefault(key, row.line)
        if first != row.line:
            place = "registration_number" if data.registration_number else "title"
            self._tell(
                row.line, place, "repeated_row", {"line": first}, data.registration_number or data.title
            )
            return None
        return _Read(row.line, key, data, source, spoken)

    def _party(self, line: int, side: str, code: str, given: dict[str, Any]) -> list[Problem]:
        """Name the member whose credit code it is; a code of nobody here leaves the name that stands beside."""
        try:
            code = parse_credit_code(code)
        except BadIdentifier as error:
            return [
                Problem(
                    line,
                    f"{side}_code",
                    f"credit_code_{error.code}",
                    {"expected": error.expected},
                    shown(code),
                )
            ]
        found = self.mapper.vocabulary.organisations.get(code)
        if found:
            given[f"{side}_id"] = found
        return []

    def _key(self, data: entering.RegisteredInput) -> bytes:
        if data.registration_number:
            return _digest(data.registration_number)
        names = [self._name(data, side) for side in ("seller", "buyer")]
        return _digest(*names, data.title, data.signed_on)

    def _name(self, data: entering.RegisteredInput, side: str) -> str:
        record = self.known.organisations.get(getattr(data, f"{side}_id") or 0)
        return str(record.name if record is not None else getattr(data, f"{side}_name"))

    def _here(self, read: list[_Read]) -> dict[bytes, dict[str, Any]]:
        """The contracts of the register that rows are about, by key."""
        c = t(Contract).c
        numbers = [one.data.registration_number for one in read if one.data.registration_number]
        found: dict[bytes, dict[str, Any]] = {}
        if numbers:
            for row in contract_rows.load(self.session, c.registration_number.in_(numbers)):
                found[_digest(row["registration_number"])] = row
        unnumbered = [one.key for one in read if not one.data.registration_number]
        if unnumbered:
            if self.unnumbered is None:
                self.unnumbered = self._all_keys()
            ids = {self.unnumbered[key]: key for key in unnumbered if key in self.unnumbered}
            for row in contract_rows.load(self.session, c.id.in_(sorted(ids))) if ids else ():
                found[ids[row["id"]]] = row
        return found

    def _all_keys(self) -> dict[bytes, int]:
        """Every contract by what it is known by without a number; refused ones may come again."""
        c = t(Contract).c
        statement = sa.select(c.id, c.seller_name, c.buyer_name, c.title, c.signed_on).where(
            c.signed_on.is_not(None), c.state != ContractState.REFUSED.value
        )
        rows = self.session.execute(statement.execution_options(yield_per=2_000))
        return {_digest(*row[1:]): row.id for row in rows}

    def _compare(self, one: _Read, values: Mapping[str, Any], old: Mapping[str, Any]) -> None:
        if ContractState(old["state"]) not in PUBLIC:
            self._tell(one.line, "", "contract_not_registered_yet", {"number": old["local_number"]})
            return
        differs = [
            name
            for name in sorted(one.spoken)
            if name in old and name not in _PARTY and values.get(name) != old[name]
        ]
        for side in ("seller", "buyer"):
            if values[f"{side}_id"] is not None and values[f"{side}_id"] == old[f"{side}_id"]:
                continue
            said = getattr(one.data, f"{side}_name") or values[f"{side}_name"]
            differs += [f"{side}_name"] if said != old[f"{side}_name"] else []
        if differs:
            params = {"number": old["local_number"], "count": len(differs)}
            for name in differs:
                said = _said(name, values.get(name))
                self._tell(one.line, _NAMES.get(name, name), "differs_from_register", params, said)
        else:
            self.made.unchanged += 1


def apply(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    rows: Aside | Sequence[tuple[int, dict[str, Any]]],
    options: Options,
    progress: Progress = lambda _count: None,
) -> None:
    """Write what a plan laid aside, or some of it.

    Raises Conflict when a registration number was taken since, or when another import has entered a contract
    without a number meanwhile: plan again.
    """
    reason = "" if options.source == DEFAULT_SOURCE else options.source
    years = rows.years if isinstance(rows, Aside) else None
    settled = (values for _line, values in rows)
    try:
        entering.enter(session, actor, now, settled, reason, years=years, progress=progress)
        session.flush()
    except IntegrityError as error:
        raise Conflict(field="file") from error
