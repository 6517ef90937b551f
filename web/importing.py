"""Imports and exports as people meet them: labels of fields and choices, templates, reports, the handler.

Labels live in the catalogues of languages; the exchange of files is handed what it needs of them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from typing import Any

from market.exchange import runner, writers
from market.exchange.fields import Field, Form, Kind, importable
from market.exchange.mapping import Vocabulary, folded
from market.exchange.readers import FileForm
from market.exchange.service import WORK_KIND
from market.work import MAX_TRIES, Claimed, Handler
from web import i18n
from web.wiring import Parts


def field_label(field: Field, language: str) -> str:
    """What a field is called."""
    return i18n.term(f"field.{field.name}", language)


def heading(field: Field, language: str) -> str:
    """A column's header: the field's name for the reader and its code for programs."""
    return f"{field_label(field, language)} [{field.name}]"


def _headings(kind: Kind, field: Field, language: str) -> list[str]:
    """How a column of a field may be headed: its label, and what registers elsewhere call it."""
    key = f"columns.{kind.value}.{field.name}"
    others = i18n.term(key, language).split("；") if i18n.has_term(key, language) else []
    return [field_label(field, language), *others]


@functools.cache
def words(kind: Kind) -> Vocabulary:
    """What people may write for a kind's fields and choices, in every language."""
    names: dict[str, tuple[str, ...]] = {}
    choices: dict[str, dict[str, str]] = {}
    for field in importable(kind).values():
        names[field.name] = tuple(
            word for language in i18n.LANGUAGES for word in _headings(kind, field, language)
        )
        for one in (field, *field.parts):
            if one.choices is None:
                continue
            known = choices.setdefault(one.choices.__name__, {})
            for member in one.choices:
                for language in i18n.LANGUAGES:
                    label = i18n.label(member, language)
                    known[label] = known[folded(label)] = str(member.value)
    return Vocabulary(fields=names, choices=choices)


def sentence(problem: dict[str, Any], language: str) -> str:
    """What is wrong with a row, in words."""
    key = f"invalid.{problem['code']}"
    if not i18n.has_term(key, language):
        key = f"error.{problem['code']}"
    if not i18n.has_term(key, language):
        key = "invalid.other"
    return i18n.term(key, language, problem["params"])


def place(problem: dict[str, Any], language: str) -> str:
    """The field that a problem is about, in words; parts of records keep their number."""
    name, _, rest = problem["field"].partition(".")
    if not name:
        return ""
    key = f"field.{name}"
    called = i18n.term(key, language) if i18n.has_term(key, language) else name
    if not rest:
        return called
    number, _, part = rest.partition(".")
    shown = str(int(number) + 1) if number.isdigit() else number
    part_key = f"field.{name}.{part}"
    if part and i18n.has_term(part_key, language):
        part = i18n.term(part_key, language)
    return " ".join(one for one in (called, shown, part) if one)


def report_csv(problems: Iterable[dict[str, Any]], language: str) -> Iterator[bytes]:
    """A report of bad rows as CSV: line, field, value, reason, and the stable codes."""
    names = (
        "report.line",
        "report.field",
        "report.value",
        "report.reason",
        "report.field_code",
        "report.code",
    )
    header = [i18n.term(name, language) for name in names]
    rows = (
        [
            str(one["line"] or ""),
            place(one, language),
            one["value"],
            sentence(one, language),
            one["field"],
            one["code"],
        ]
        for one in problems
    )
    return writers.write_csv(header, rows)


def _example(kind: Kind, field: Field, language: str) -> str:
    key = f"example.{kind.value}.{field.name}"
    return i18n.term(key, language) if i18n.has_term(key, language) else ""


def _allowed(field: Field, language: str) -> str:
    if field.choices is not None:
        return "\n".join(f"{i18n.label(member, language)} [{member.value}]" for member in field.choices)
    if field.parts:
        return " | ".join(i18n.term(f"field.{field.name}.{part.name}", language) for part in field.parts)
    return ""


def template(kind: Kind, form: FileForm, language: str) -> bytes:
    """An empty table to fill in: headers, one example row and, in a workbook, a sheet that explains."""
    fields = list(importable(kind).values())
    example = [_example(kind, field, language) for field in fields]
    if form is FileForm.JSONL:
        row: dict[str, Any] = {}
        for field, text in zip(fields, example, strict=True):
            if text:
                row[field.name] = text.split("；") if field.form in (Form.WORDS, Form.CHOICES) else text
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    header = [heading(field, language) for field in fields]
    if form is FileForm.CSV:
        return b"".join(writers.write_csv(header, [example]))
    told = [
        [
            field_label(field, language),
            field.name,
            i18n.term("exchange.required" if field.required else "exchange.optional", language),
            i18n.term(f"exchange.form.{field.form.value}", language),
            _allowed(field, language),
        ]
        for field in fields
    ]
    names = ("field", "code", "needed", "how", "allowed")
    explanation = [i18n.term(f"exchange.sheet.{name}", language) for name in names]
    return writers.write_xlsx(
        [
            (i18n.term(f"exchange.kind.{kind.value}", language), header, [example]),
            (i18n.term("exchange.sheet.title", language), explanation, told),
        ]
    )


def run(parts: Parts, run_id: int, kind: Kind, *, last_try: bool = True) -> None:
    """Execute a queued run in this thread."""
    runner.execute(
        parts.db,
        parts.files,
        run_id,
        words(kind),
        parts.clock.now,
        days=parts.settings.listing_days,
        last_try=last_try,
    )


def run_import(parts: Parts, item: Claimed) -> None:
    """Handler of `import.run`: {run_id, kind}."""
    run(parts, item.payload["run_id"], Kind(item.payload["kind"]), last_try=item.tries >= MAX_TRIES)


def handlers(parts: Parts) -> dict[str, Handler]:
    """The work kinds of this module."""
    return {WORK_KIND: functools.partial(run_import, parts)}
