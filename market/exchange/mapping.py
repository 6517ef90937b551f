"""How a source's columns become our fields: columns, constants, splitting, words for our choices.

A mapping is a small document that can be saved and given again:

    {"fields": {"title": "发明名称",
                "industry": {"constant": "other"},
                "keywords": {"column": "关键词", "split": " "},
                "ips": {"parts": {"kind": {"constant": "invention"}, "number": "申请号"}}}}

`guess` proposes one from a file's column names, by the names and labels that a `Vocabulary` carries:
labels live with the languages, above this room, and are handed in.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from market.errors import Invalid
from market.exchange.fields import Field as Spec
from market.exchange.fields import Form, Kind, importable
from market.exchange.problems import BadMapping, Problem, shown
from market.exchange.readers import Row
from market.inputs import Input

Json = Any
STRONG = re.compile(r"[;；\n]+")
WEAK = re.compile(r"[;；、,，\n]+")
_DAY = re.compile(
    r"^(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?$"
)
_WIDE = re.compile(r"[０-９Ａ-Ｚａ-ｚ]+")
"""A code in full-width letters and digits, as an input method may leave it."""
_NARROW = str.maketrans("０１２３４５６７８９．－％", "0123456789.-%")
_SERIAL = re.compile(r"[34567]\d{4}")
"""What a spreadsheet shows of a day between 1982 and 2118 whose cell is not formatted as one."""
_SERIAL_ZERO = dt.date(1899, 12, 30)
_REMEMBERED = 10_000
"""How many cells' readings are kept."""
_YES = frozenset({"1", "true", "yes", "y", "是", "有", "√"})
_NO = frozenset({"0", "false", "no", "n", "否", "无", "×"})


class FieldSource(Input):
    """Where one field comes from."""

    # A separator may be a space.
    model_config = ConfigDict(str_strip_whitespace=False)

    column: str | None = Field(
        default=None, max_length=200, description="The source's column; dots go inside."
    )
    constant: Json = Field(default=None, description="A value for every row.")
    fallback: str | None = Field(
        default=None, max_length=200, description="Another column for rows whose column is empty."
    )
    default: Json = Field(default=None, description="A value for rows whose column is empty.")
    split: str | None = Field(default=None, max_length=8, description="What separates words in a cell.")
    join: str | None = Field(
        default=None, max_length=8, description="What to put between the items of a list."
    )
    cut: int | None = Field(default=None, ge=1, le=100_000, description="Keep so many characters at most.")
    values: dict[str, str] = Field(default={}, max_length=200, description="The source's words → our codes.")
    unit: Literal["wan", "yi"] | None = Field(
        default=None, description="What bare numbers of an amount are counted in: 万 or 亿 yuan."
    )
    parts: dict[str, FieldSource] | None = Field(default=None, description="For one record of parts.")

    def columns_within(self) -> list[str]:
        """The columns that it reads, dots and all."""
        inner = [column for part in (self.parts or {}).values() for column in part.columns_within()]
        return [one for one in (self.column, self.fallback) if one] + inner

    @model_validator(mode="before")
    @classmethod
    def _column_alone(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value


class ColumnMapping(Input):
    """A whole mapping."""

    name: str = Field(default="", max_length=80)
    kind: Kind | None = None
    source: str = Field(default="", max_length=64, description="What the source is called; part of the key.")
    fields: dict[str, FieldSource] = Field(default={}, max_length=100)

    @field_validator("fields")
    @classmethod
    def _no_empty(cls, value: dict[str, FieldSource]) -> dict[str, FieldSource]:
        return {name: one for name, one in value.items() if one != FieldSource()}

    @model_validator(mode="after")
    def _can_be_stored(self) -> ColumnMapping:
        # PostgreSQL stores neither NUL nor lone surrogates, in JSON or in text.
        try:
            text = json.dumps(self.document(), ensure_ascii=False)
            text.encode()
        except (UnicodeEncodeError, RecursionError):
            raise Invalid("control_character") from None
        if "\\u0000" in text:
            raise Invalid("control_character")
        return self

    def with_constants(self, constants: Mapping[str, str]) -> ColumnMapping:
        """The same mapping with some fields set to constants."""
        fields = dict(self.fields) | {name: FieldSource(constant=value) for name, value in constants.items()}
        return ColumnMapping.model_validate(self.model_dump() | {"fields": fields})

    def document(self) -> dict[str, Any]:
        """As it is saved."""
        return self.model_dump(mode="json", exclude_defaults=True)


def read_mapping(text: str | bytes) -> ColumnMapping:
    """A mapping from its JSON text. Raises BadMapping."""
    try:
        return ColumnMapping.model_validate(json.loads(text))
    except ValidationError as error:
        first = error.errors()[0]
        raise BadMapping("form", ".".join(str(part) for part in first["loc"])) from None
    except (ValueError, RecursionError):
        raise BadMapping("json") from None


def check(mapping: ColumnMapping, kind: Kind, columns: Iterable[str] | None = None) -> None:
    """Refuse a mapping whose fields or columns are not there. Raises BadMapping."""
    specs = importable(kind)
    if mapping.kind not in (None, kind):
        raise BadMapping("kind", mapping.kind.value if mapping.kind else "")
    known = None if columns is None else set(columns)
    for name, source in mapping.fields.items():
        spec = specs.get(name)
        if spec is None:
            raise BadMapping("field", name)
        if source.parts is not None and spec.form is not Form.PARTS:
            raise BadMapping("parts", name)
        names = {part.name for part in spec.parts}
        for part in source.parts or {}:
            if part not in names:
                raise BadMapping("field", f"{name}.{part}")
        for column in source.columns_within():
            if known is not None and column not in known and column.split(".")[0] not in known:
                raise BadMapping("column", column)


def unmet(mapping: ColumnMapping, kind: Kind) -> list[str]:
    """Fields that every row needs and that the mapping takes from nowhere."""
    return [name for name, spec in importable(kind).items() if spec.required and name not in mapping.fields]


@dataclass(frozen=True)
class Vocabulary:
    """The words that people may write for our codes, in every language of the market."""

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Field name → what a column of it may be headed."""
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Enumeration's name → (word → code)."""
    industries: Mapping[str, str] = field(default_factory=dict)
    """Code or name → code."""
    organisations: Mapping[str, int] = field(default_factory=dict)
    """Credit code or name → row id; names that several bear map to 0."""


def folded(text: str) -> str:
    """Text for comparing headings and choices: no case, no space, no brackets' content but codes."""
    return re.sub(r"[\s_\-*＊:：]+", "", text).lower()


_BRACKETS = re.compile(r"[\[［(（][^\])）］]*[\])）］]\s*$")
_HEADED_UNIT = re.compile(r"[\[［(（/／](?:单位[:：]?)?\s*(?:人民币)?\s*(万|亿)元?\s*[\])）］]?\s*$")
_UNITS: dict[str, Literal["wan", "yi"]] = {"万": "wan", "亿": "yi"}
_SAYS_UNIT = re.compile("[元万亿]")
_UNIT_WORDS = {unit: word for word, unit in _UNITS.items()}


def from_column(spec: Spec, column: str) -> FieldSource:
    """A column as a field's source; an amount is counted in what the column's heading says: `成交额（万元）`."""
    unit = _HEADED_UNIT.search(column) if spec.form is Form.AMOUNT else None
    return FieldSource(column=column, unit=_UNITS[unit[1]] if unit else None)


def guess(kind: Kind, columns: Iterable[str], vocabulary: Vocabulary) -> ColumnMapping:
    """The mapping that the columns' names suggest; each column is used once."""
    specs = importable(kind)
    by_word: dict[str, str] = {}
    for name in specs:
        for word in (name, specs[name].model_name, *vocabulary.fields.get(name, ())):
            by_word.setdefault(folded(word), name)
            by_word.setdefault(folded(_BRACKETS.sub("", word)), name)
    found: dict[str, FieldSource] = {}
    names = list(columns)
    for column in names:
        code = re.search(r"[\[［(（]\s*([a-z_]+)\s*[\])）］]\s*$", column)
        bare = _HEADED_UNIT.sub("", _BRACKETS.sub("", column))
        tries = ([code.group(1)] if code else []) + [column, bare]
        meant = next((by_word[folded(one)] for one in tries if one and folded(one) in by_word), None)
        if meant is not None and meant not in found:
            found[meant] = from_column(specs[meant], column)
    if "source_id" in specs and "source_id" not in found:
        for column in names:
            if folded(column) in ("id", "编号", "uuid") and "source_id" not in found:
                found["source_id"] = FieldSource(column=column)
    return ColumnMapping(fields=found)


def _look_up(values: Mapping[str, Any], column: str) -> Any:
    if column in values:
        return values[column]
    here: Any = values
    for part in column.split("."):
        if not isinstance(here, Mapping) or part not in here:
            return None
        here = here[part]
    return here


def _empty(value: Any) -> bool:
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or value in ([], {})


class Refused(Exception):
    """A cell that cannot become its field's value."""

    def __init__(self, code: str, value: Any, place: str = "", **params: Any) -> None:
        super().__init__(code)
        self.code, self.value, self.place, self.params = code, value, place, params


@dataclass(frozen=True)
class Mapper:
    """Turns rows into the values of an input model. Pure: the same row gives the same values."""

    kind: Kind
    mapping: ColumnMapping
    vocabulary: Vocabulary

    def values(self, row: Row) -> tuple[dict[str, Any], list[Problem]]:
        """Values by the input model's names for every mapped field (None where empty), and what is wrong."""
        if row.fault:
            return {}, [Problem(row.line, "", row.fault)]
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        for name, spec, source in self._wanted:
            try:
                values[spec.model_name] = self._value(spec, source, row.values)
            except Refused as refused:
                place = f"{name}.{refused.place}" if refused.place else name
                problems.append(Problem(row.line, place, refused.code, refused.params, shown(refused.value)))
        return values, problems

    @functools.cached_property
    def _wanted(self) -> list[tuple[str, Spec, FieldSource]]:
        specs = importable(self.kind)
        return [(name, specs[name], source) for name, source in self.mapping.fields.items()]

    @functools.cached_property
    def _read(self) -> dict[tuple[int, str], Any]:
        """What cells have been read as, by field and text: files say the same few things over and over."""
        return {}

    def _value(self, spec: Spec, source: FieldSource, row: Mapping[str, Any]) -> Any:
        if source.parts is not None:
            given = {part.name: part for part in spec.parts}
            record = {name: self._value(given[name], one, row) for name, one in source.parts.items()}
            from_row = [record[name] for name, one in source.parts.items() if one.constant is None]
            if from_row and all(value is None for value in from_row):
                return None
            return [{name: value for name, value in record.items() if value is not None}]
        raw = source.constant if source.constant is not None else _look_up(row, source.column or "")
        if _empty(raw) and source.fallback is not None:
            raw = _look_up(row, source.fallback)
        if _empty(raw):
            raw = source.default
        if _empty(raw):
            return None
        if source.join is not None and isinstance(raw, list):
            raw = source.join.join(str(item) for item in raw)
        if isinstance(raw, str) and raw.strip() in source.values:
            raw = source.values[raw.strip()]
        value = self._converted(spec, raw, source)
        if source.cut is not None and isinstance(value, str):
            value = value[: source.cut].strip()
        return value

    def _converted(self, spec: Spec, raw: Any, source: FieldSource) -> Any:
        form = spec.form
        if form in (Form.WORDS, Form.CHOICES):
            items = _words(raw, source.split)
            if form is Form.WORDS:
                return items
            return [self._choice(spec, source.values.get(item, item)) for item in items]
        if form is Form.PARTS:
            return self._records(spec, raw)
        if isinstance(raw, dict | list):
            raise Refused("not_text", json.dumps(raw, ensure_ascii=False)[:200])
        text = raw if isinstance(raw, str) else _scalar_text(raw)
        text = text.strip()
        if _WIDE.fullmatch(text):
            text = unicodedata.normalize("NFKC", text)
        if form in (Form.AMOUNT, Form.PERCENT):
            text = text.translate(_NARROW)
        if form is Form.AMOUNT and source.unit is not None and not _SAYS_UNIT.search(text):
            return text + _UNIT_WORDS[source.unit]
        if form in (Form.LINE, Form.TEXT, Form.AMOUNT, Form.PERCENT):
            return text
        key = (id(spec), text)
        value = self._read.get(key)
        if value is None:
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            value = self._read[key] = self._one(spec, text)
        return value

    def _one(self, spec: Spec, text: str) -> Any:
        form = spec.form
        if form is Form.CHOICE:
            return self._choice(spec, text)
        if form is Form.DATE:
            return _day(text)
        if form is Form.NUMBER:
            match = re.fullmatch(r"(?:TRL)?\s*(\d{1,9})(?:\.0+)?\s*级?", text, re.IGNORECASE)
            if match is None:
                raise Refused("int_parsing", text)
            return int(match.group(1))
        if form is Form.FLAG:
            return _flag(text)
        if form is Form.INDUSTRY:
            code = self.vocabulary.industries.get(text) or self.vocabulary.industries.get(folded(text))
            if code is None:
                raise Refused("unknown_industry", text)
            return code
        return self._organisation(text)

    def _organisation(self, text: str) -> int:
        known = self.vocabulary.organisations
        compact = re.sub(r"[\s\-]", "", text).upper()
        row_id = known.get(compact, known.get(text))
        if row_id is None:
            raise Refused("unknown_organisation", text)
        if row_id == 0:
            raise Refused("ambiguous_organisation", text)
        return row_id

    def _choice(self, spec: Spec, text: Any) -> str:
        assert spec.choices is not None
        words = self.vocabulary.choices.get(spec.choices.__name__, {})
        codes = {str(member.value) for member in spec.choices}
        text = str(text).strip()
        for tried in (text, words.get(text), words.get(folded(text)), text.lower()):
            if tried in codes:
                return str(tried)
        raise Refused("unknown_choice", text)

    def _records(self, spec: Spec, raw: Any) -> list[dict[str, Any]]:
        if isinstance(raw, str):
            if raw.lstrip().startswith("[{"):
                try:
                    raw = json.loads(raw)
                except (ValueError, RecursionError):
                    raise Refused("json", raw) from None
            else:
                raw = [_cells(line) for line in raw.split("\n") if line.strip()]
        if isinstance(raw, dict):
            raw = [raw]
        if not isinstance(raw, list):
            raise Refused("not_records", raw)
        records = []
        for number, item in enumerate(raw):
            if isinstance(item, list) and len(item) <= len(spec.parts):
                item = {part.name: cell for part, cell in zip(spec.parts, item, strict=False)}
            if not isinstance(item, dict):
                raise Refused("not_records", item, str(number))
            records.append(self._record(spec, item, number))
        return records

    def _record(self, spec: Spec, item: dict[str, Any], number: int) -> dict[str, Any]:
        parts = {part.name: part for part in spec.parts}
        record: dict[str, Any] = {}
        for name, value in item.items():
            if name not in parts:
                raise Refused("extra_forbidden", name, f"{number}.{shown(name)[:40]}")
            if _empty(value):
                continue
            try:
                record[name] = self._converted(parts[name], value, FieldSource())
            except Refused as refused:
                raise Refused(refused.code, refused.value, f"{number}.{name}", **refused.params) from None
        return record


def _scalar_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def _words(raw: Any, split: str | None) -> list[str]:
    if isinstance(raw, str):
        text = raw.strip()
        if text.startswith('["'):
            try:
                return _words(json.loads(text), None)
            except ValueError:
                pass
        if split:
            items: list[Any] = text.split(split)
        else:
            items = (STRONG if STRONG.search(text) else WEAK).split(text)
    elif isinstance(raw, list):
        items = raw
    else:
        items = [raw]
    if any(isinstance(item, dict | list) for item in items):
        raise Refused("not_text", raw)
    words = [_scalar_text(item).strip() for item in items if item is not None]
    return list(dict.fromkeys(word for word in words if word))


_ESCAPED = re.compile(r"\\(.)|(\|)|([^\\|]+|\\$)")


def _cells(line: str) -> list[str]:
    """The parts of a record's line; `\\|`, `\\n` and `\\\\` stand for themselves without the backslash."""
    cells = [""]
    for match in _ESCAPED.finditer(line):
        escaped, bar, text = match.groups()
        if bar:
            cells.append("")
        else:
            cells[-1] += text if escaped is None else "\n" if escaped == "n" else escaped
    return [cell.strip() for cell in cells]


def _day(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text)
    if _SERIAL.fullmatch(plain):
        meant = _SERIAL_ZERO + dt.timedelta(days=int(plain))
        raise Refused("date_serial", text, day=meant.isoformat())
    match = _DAY.match(plain) or re.fullmatch(r"(\d{4})(\d{2})(\d{2})", plain)
    try:
        if match is None:
            raise ValueError
        return dt.date(*(int(part) for part in match.groups())).isoformat()
    except ValueError:
        raise Refused("date", text) from None


def _flag(text: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise Refused("flag", text)
