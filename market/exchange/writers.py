"""Writing tables into files: CSV with a byte order mark, XLSX, JSON Lines.

Text that a spreadsheet would take for a formula gets an apostrophe before it in CSV and XLSX, and
loses it again when read (`readers.unguard`). Records of parts become lines of cells.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from market.exchange.fields import FIELDS, Field, Form, Kind, plain
from market.exchange.mapping import STRONG, WEAK
from market.exchange.readers import GUARDED, FileForm
from market.money import yuan

MEDIA_TYPES = {
    FileForm.CSV: "text/csv; charset=utf-8",
    FileForm.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileForm.JSONL: "application/x-ndjson; charset=utf-8",
}
SPREADSHEET_CELL = 32_767
"""Characters that a cell of a spreadsheet can hold."""


def guard(text: str) -> str:
    """Text that no spreadsheet takes for a formula; one more apostrophe where some stand there already."""
    return f"'{text}" if text.lstrip("'").startswith(GUARDED) else text


def _joined(items: Sequence[Any]) -> str:
    words = [str(plain(item)) for item in items]
    if any(STRONG.search(word) or word != word.strip() for word in words):
        return json.dumps(words, ensure_ascii=False)
    text = "；".join(words)
    # A single word with a comma in it would fall apart when read; a separator at the end says it is one.
    return f"{text}；" if len(words) == 1 and WEAK.search(text) else text


def _flat(field: Field, value: Any) -> str:
    value = plain(value)
    if value is None or value == "":
        return ""
    if field.form is Form.FLAG or isinstance(value, bool):
        return "1" if value else "0"
    if field.form is Form.AMOUNT:
        return yuan(value)
    if field.form is Form.PERCENT:
        return percent(value)
    return str(value)


def percent(ppm: int) -> str:
    """Millionths in percent: 35,000 is `3.5`."""
    whole, rest = divmod(ppm, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".")


def _record(field: Field, record: dict[str, Any]) -> str:
    cells = [_flat(part, record.get(part.name)) for part in field.parts]
    escaped = (cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", "\\n") for cell in cells)
    text = "|".join(escaped)
    while text.endswith("|") and not text.endswith("\\|"):
        text = text[:-1]
    return text


def cell_text(field: Field, value: Any) -> str:
    """A field's value as text in a cell."""
    if field.form in (Form.WORDS, Form.CHOICES):
        return _joined(value or [])
    if field.form is Form.PARTS:
        return "\n".join(_record(field, record) for record in value or [])
    return _flat(field, value)


def json_value(field: Field, value: Any) -> Any:
    """A field's value in JSON Lines: text, whole numbers, lists and objects; amounts as text in yuan."""
    if field.form is Form.PARTS:
        parts = {part.name: part for part in field.parts}
        return [
            {
                name: json_value(parts[name], item)
                for name, item in record.items()
                if name in parts and item not in (None, "")
            }
            for record in value or []
        ]
    if isinstance(value, list):
        return [plain(item) for item in value]
    if field.form is Form.AMOUNT:
        return None if value is None else yuan(value)
    if field.form is Form.PERCENT:
        return None if value is None else percent(value)
    return plain(value)


def write_jsonl(kind: Kind, rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Lines of JSON; fields without a value are left out. Rows are by field name."""
    for row in rows:
        shown = {field.name: json_value(field, row.get(field.name)) for field in FIELDS[kind]}
        kept = {name: value for name, value in shown.items() if value not in (None, "", [])}
        yield json.dumps(kept, ensure_ascii=False).encode() + b"\n"


def write_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """CSV in UTF-8 with a byte order mark, so that spreadsheets read Chinese."""
    held = io.StringIO(newline="")
    writer = csv.writer(held)

    def taken() -> bytes:
        text = held.getvalue()
        held.seek(0)
        held.truncate()
        return text.encode()

    yield b"\xef\xbb\xbf"
    writer.writerow([guard(text) for text in header])
    for row in rows:
        writer.writerow([guard(text) for text in row])
        if held.tell() > 64 * 1024:
            yield taken()
    yield taken()


def write_xlsx(sheets: Sequence[tuple[str, Sequence[str], Iterable[Sequence[str]]]]) -> bytes:
    """A workbook of (sheet's title, header, rows); every cell is text. Headers stay in view."""
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    for title, header, rows in sheets:
        sheet: Any = book.create_sheet(title)
        sheet.freeze_panes = "A2"

        def cell(text: str, *, bold: bool = False, on: Any = sheet) -> Any:
            made: Any = WriteOnlyCell(on, value=_sheet_text(text) or None)
            if made.value is not None:
                made.data_type = "s"
            if bold:
                made.font = Font(bold=True)
            elif "\n" in text:
                made.alignment = Alignment(wrap_text=True, vertical="top")
            return made

        for number, text in enumerate(header, 1):
            sheet.column_dimensions[get_column_letter(number)].width = max(12, min(40, len(text) * 2))
        sheet.append([cell(text, bold=True) for text in header])
        for row in rows:
            sheet.append([cell(text) for text in row])
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


def _sheet_text(text: str) -> str:
    # Cells cannot hold most control characters; stored text has none, so this only guards old rows.
    kept = "".join(c for c in text if c in "\n\t" or c >= " ")
    return guard(kept)[:SPREADSHEET_CELL]


def write(
    kind: Kind,
    form: FileForm,
    rows: Iterable[dict[str, Any]],
    heading: Callable[[Field], str],
    title: str,
) -> Iterator[bytes]:
    """An export in any form. `heading` gives a column's header in the reader's language."""
    if form is FileForm.JSONL:
        return write_jsonl(kind, rows)
    header = [heading(field) for field in FIELDS[kind]]
    texts = ([cell_text(field, row.get(field.name)) for field in FIELDS[kind]] for row in rows)
    if form is FileForm.CSV:
        return write_csv(header, texts)
    return iter([write_xlsx([(title, header, texts)])])
