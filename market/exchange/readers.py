"""Reading tables out of files: CSV, XLSX and JSON Lines, with line numbers and guards against bombs.

A table gives its column names first and then its rows one by one; nothing but a CSV's or a JSON Lines
file's bytes is held whole. Text is what a person would read in the cell; JSON keeps its types.
Every refusal of a whole file is `UnreadableFile`; a single bad line becomes a row with a `fault`.
"""

from __future__ import annotations

import csv
import datetime as dt
import enum
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from market.exchange.problems import UnreadableFile

MAX_ROWS = 100_000
MAX_COLUMNS = 200
MAX_CELL = 200_000
"""Characters in one cell."""
MAX_UNPACKED = 400 * 1024 * 1024
"""Bytes that an XLSX file may unpack to."""
MAX_RATIO = 200
"""How many times its packed size a part of an XLSX file may unpack to, past the first megabyte."""
SAMPLED_ROWS = 200
"""Rows of JSON Lines that are looked at for the names of columns."""

GUARDED = ("=", "+", "-", "@", "\t", "\r")
"""First characters that a spreadsheet would take for a formula; written with an apostrophe before them."""


class FileForm(enum.StrEnum):
    """The kinds of files that go in and out."""

    CSV = "csv"
    XLSX = "xlsx"
    JSONL = "jsonl"


@dataclass(frozen=True)
class Row:
    """One row: where it stands, what its columns hold, and why it could not be read at all."""

    line: int
    values: dict[str, Any]
    fault: str = ""


@dataclass(frozen=True)
class Table:
    """A file as a table. `rows` may be iterated as often as wanted; each time reads anew."""

    form: FileForm
    columns: tuple[str, ...]
    content: bytes = field(repr=False)
    encoding: str = ""
    delimiter: str = ""

    @property
    def rows(self) -> Iterator[Row]:
        """The rows with something in them, in the file's order. May raise UnreadableFile."""
        if self.form is FileForm.CSV:
            return _csv_rows(self)
        return _xlsx_rows(self) if self.form is FileForm.XLSX else _json_rows(self.content)

    def sample(self, count: int) -> list[Row]:
        """The first rows."""
        found: list[Row] = []
        for row in self.rows:
            if len(found) == count:
                break
            found.append(row)
        return found


def form_of(name: str) -> FileForm:
    """The form that a file's name promises. Raises UnreadableFile(`form`)."""
    ending = name.lower().rpartition(".")[2]
    forms = {"csv": FileForm.CSV, "tsv": FileForm.CSV, "txt": FileForm.CSV, "xlsx": FileForm.XLSX}
    forms |= {"jsonl": FileForm.JSONL, "ndjson": FileForm.JSONL}
    if ending not in forms:
        raise UnreadableFile("form")
    return forms[ending]


def open_table(content: bytes, name: str) -> Table:
    """A table out of a file's bytes. Raises UnreadableFile."""
    form = form_of(name)
    if not content.strip():
        raise UnreadableFile("empty")
    if form is FileForm.CSV:
        return _open_csv(content)
    if form is FileForm.XLSX:
        return _open_xlsx(content)
    names: dict[str, None] = {}
    for number, row in enumerate(_json_rows(content)):
        if number == SAMPLED_ROWS:
            break
        names.update(dict.fromkeys(row.values))
    if not names:
        raise UnreadableFile("no_rows")
    _check_columns(list(names))
    return Table(form, tuple(names), content)


def _check_columns(names: list[str]) -> None:
    if len(names) > MAX_COLUMNS:
        raise UnreadableFile("too_many_columns")


def _header(cells: list[Any]) -> list[str]:
    """Names for columns: as written, numbered where one repeats, empty for a column without a name."""
    names: list[str] = []
    for cell in cells:
        name = re.sub(r"\s+", " ", _cell_text(cell)).strip().lstrip("\ufeff")
        if name and name in names:
            name = f"{name} ({sum(one == name or one.startswith(f'{name} (') for one in names) + 1})"
        names.append(name)
    while names and not names[-1]:
        names.pop()
    if not any(names):
        raise UnreadableFile("no_header")
    _check_columns(names)
    return names


def unguard(text: str) -> str:
    """Take off the apostrophe that keeps a spreadsheet from reading text as a formula."""
    return text[1:] if text.startswith("'") and text.lstrip("'").startswith(GUARDED) else text


def _decode(content: bytes) -> tuple[str, str]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise UnreadableFile("encoding")


def _delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    outside = re.sub(r'"[^"]*"', "", first)
    return max((",", "\t", ";", "|"), key=outside.count)


def _open_csv(content: bytes) -> Table:
    text, encoding = _decode(content)
    delimiter = _delimiter(text)
    for _line, cells in _csv_records(text, delimiter):
        return Table(FileForm.CSV, tuple(_header(cells)), content, encoding, delimiter)
    raise UnreadableFile("empty")


def _csv_records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Records with the line on which each begins; blank ones are left out."""
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    begins = 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise UnreadableFile("csv", line=begins) from None
        if any(cell.strip() for cell in cells):
            yield begins, cells
        begins = reader.line_num + 1


def _csv_rows(table: Table) -> Iterator[Row]:
    records = _csv_records(table.content.decode(table.encoding), table.delimiter)
    next(records, None)
    for number, (line, cells) in enumerate(records, 1):
        if number > MAX_ROWS:
            raise UnreadableFile("too_many_rows", line=line)
        if any(cell.strip() for cell in cells[len(table.columns) :]):
            yield Row(line, {}, "extra_cells")
            continue
        values = {name: unguard(cell) for name, cell in zip(table.columns, cells, strict=False) if name}
        yield Row(line, values)


def _check_archive(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise UnreadableFile("xlsx") from None
    if len(parts) > 2_000 or sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise UnreadableFile("too_large")
    for part in parts:
        if part.file_size > 1_000_000 and part.file_size > MAX_RATIO * max(1, part.compress_size):
            raise UnreadableFile("too_large")


class _Formula(enum.Enum):
    """What stands for a formula whose result the file does not hold."""

    UNSOLVED = ""


def _has_formulas(content: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if not name.startswith("xl/worksheets/"):
                continue
            with archive.open(name) as part:
                tail = b""
                while piece := part.read(1 << 20):
                    if b"<f>" in tail + piece or b"<f " in tail + piece:
                        return True
                    tail = piece[-2:]
    return False


def _sheet_records(content: bytes) -> Iterator[tuple[int, list[Any]]]:
    """The rows of the sheet with something in them, numbered from 1; formulas without a result are marked."""
    rows = _marked(content) if _has_formulas(content) else _lines(content, cells=False)
    for line, values in enumerate(rows, 1):
        if line > MAX_ROWS + 100:
            raise UnreadableFile("too_many_rows", line=line)
        if any(value is not None and str(value).strip() for value in values):
            yield line, list(values)


def _marked(content: bytes) -> Iterator[list[Any]]:
    written = _lines(content, cells=True, results=False)
    for cells, sources in zip(_lines(content, cells=True), written, strict=True):
        # A formula that gives no text has the type of text; one without a result has none.
        yield [
            _Formula.UNSOLVED
            if cell.value is None and source.value is not None and cell.data_type == "n"
            else cell.value
            for cell, source in zip(cells, sources, strict=True)
        ]


def _lines(content: bytes, *, cells: bool, results: bool = True) -> Iterator[Any]:
    """Every row of the first visible sheet as values, or as cells; formulas as their results or as written."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(
            io.BytesIO(content), read_only=True, data_only=results, keep_links=False
        )
        sheet: Any = next((one for one in book.worksheets if one.sheet_state == "visible"), None)
        if sheet is None:
            raise UnreadableFile("no_rows")
        sheet.reset_dimensions()
        yield from sheet.iter_rows(values_only=not cells, max_col=MAX_COLUMNS + 1)
        book.close()
    except UnreadableFile:
        raise
    except Exception as error:
        # openpyxl raises whatever its parsers meet in a damaged file; the reader only needs to know that.
        raise UnreadableFile("xlsx") from error


def _open_xlsx(content: bytes) -> Table:
    _check_archive(content)
    for _line, cells in _sheet_records(content):
        return Table(FileForm.XLSX, tuple(_header(cells)), content)
    raise UnreadableFile("empty")


def _cell_text(value: Any) -> str:
    if value is None or value is _Formula.UNSOLVED:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)


def _xlsx_rows(table: Table) -> Iterator[Row]:
    records = _sheet_records(table.content)
    next(records, None)
    for number, (line, cells) in enumerate(records, 1):
        if number > MAX_ROWS:
            raise UnreadableFile("too_many_rows", line=line)
        if _Formula.UNSOLVED in cells:
            yield Row(line, {}, "formula")
            continue
        texts = [_cell_text(cell) for cell in cells]
        if any(text.strip() for text in texts[len(table.columns) :]):
            yield Row(line, {}, "extra_cells")
        elif any(len(text) > MAX_CELL for text in texts):
            yield Row(line, {}, "cell_too_long")
        else:
            values = {name: unguard(text) for name, text in zip(table.columns, texts, strict=False) if name}
            yield Row(line, values)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _json_rows(content: bytes) -> Iterator[Row]:
    text = content.removeprefix(b"\xef\xbb\xbf")
    count = 0
    # Split at line feeds only: splitlines() would also split at U+2028 inside a JSON string.
    for line, raw in enumerate(text.split(b"\n"), 1):
        if not raw.strip():
            continue
        count += 1
        if count > MAX_ROWS:
            raise UnreadableFile("too_many_rows", line=line)
        try:
            value = json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
        except UnicodeDecodeError:
            yield Row(line, {}, "encoding")
        except (ValueError, RecursionError):
            yield Row(line, {}, "json")
        else:
            if not isinstance(value, dict):
                yield Row(line, {}, "json_object")
            else:
                yield Row(line, value)
