"""Bank statements as banks export them: which column is what, and every line of the file or what is wrong with it.

Banks put lines about the account above the heading and sums below the last line; amounts come signed in one
column, in two (收入 and 支出), or bare beside a mark (借 or 贷). Digits and punctuation may be full-width. Of the
counterparty's account the last four digits are kept.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import openpyxl
from pydantic import Field

from market import money
from market.exchange.mapping import folded
from market.exchange.problems import Problem, UnreadableFile, shown
from market.exchange.readers import FileForm, Row, Table, open_table
from market.inputs import Input
from market.payments.bank.rules import StatementLine

Column = Annotated[str, Field(max_length=200)]

MAX_LINES = 5_000
HEADING_WITHIN = 30
"""How many lines may stand above the heading."""

WORDS: dict[str, tuple[str, ...]] = {
    "booked_on": (
        "交易日期", "记账日期", "入账日期", "交易时间", "记账日", "交易日", "日期", "date", "booking date", "transaction date",
    ),
    "amount": ("交易金额", "发生额", "金额", "amount", "transaction amount"),
    "credit": ("贷方发生额", "贷方金额", "收入金额", "收入", "转入金额", "存入金额", "贷方", "credit", "credit amount", "money in"),
    "debit": ("借方发生额", "借方金额", "支出金额", "支出", "转出金额", "支取金额", "借方", "debit", "debit amount", "money out"),
    "direction": ("借贷标志", "借贷", "借贷方向", "收支", "收/支", "借/贷", "交易方向", "direction", "debit/credit"),
    "counterparty": (
        "对方户名", "对方名称", "对方单位", "对方账户名称", "对方单位名称", "交易对手", "对手方名称", "对方账户名",
        "counterparty", "counterparty name", "payer",
    ),
    "account": ("对方账号", "对方账户", "对方卡号", "对手方账号", "对方帐号", "counterparty account"),
    "remark": ("附言", "摘要", "用途", "备注", "交易附言", "remark", "reference", "description"),
    "purpose": ("用途", "摘要", "交易摘要", "purpose", "details"),
    "serial": ("交易流水号", "流水号", "交易序号", "凭证号", "核心流水号", "银行流水号", "serial", "serial number", "transaction id"),
    "balance": ("账户余额", "余额", "本次余额", "交易后余额", "balance", "running balance"),
}  # fmt: skip
"""What banks call the columns, the surest first (gathered from published descriptions; recalled)."""

_TOTALS = re.compile(r"^(合计|总计|小计|本页|累计|total|sum)", re.IGNORECASE)
_DAY = re.compile(r"^(\d{4})\s*[-/.年]?\s*(\d{1,2})\s*[-/.月]?\s*(\d{1,2})\s*日?(?:[\sT]+\d{1,2}:?\d{2}.*)?$")
_PACKED = re.compile(r"^(\d{4})(\d{2})(\d{2})(?:\s*\d{6})?$")
_IN = frozenset({"贷", "收", "收入", "贷方", "转入", "来账", "c", "cr", "credit", "in", "+"})
_OUT = frozenset({"借", "支", "支出", "借方", "转出", "往账", "d", "dr", "debit", "out", "-"})


class BankMapping(Input):
    """Which column of a bank's file is what. An amount is `amount`, with its sign or beside `direction`, or
    stands in `credit` and `debit`."""

    booked_on: Column = ""
    amount: Column = ""
    credit: Column = ""
    debit: Column = ""
    direction: Column = ""
    counterparty: Column = ""
    account: Column = ""
    remark: Column = ""
    purpose: Column = ""
    serial: Column = ""
    balance: Column = ""

    def columns(self) -> dict[str, str]:
        """The columns that are named, by field."""
        return {name: str(value) for name, value in self.model_dump().items() if value}


FIELDS = tuple(BankMapping.model_fields)


def problems_of(mapping: BankMapping, columns: Iterable[str]) -> list[tuple[str, str, dict[str, Any]]]:
    """What a mapping lacks or takes from nowhere, by field, as InvalidInput wants it."""
    known, named = set(columns), mapping.columns()
    found: list[tuple[str, str, dict[str, Any]]] = [
        (field, "unknown_choice", {}) for field, column in named.items() if column not in known
    ]
    if not mapping.booked_on:
        found.append(("booked_on", "missing", {}))
    if not mapping.amount and not (mapping.credit and mapping.debit):
        found.append(("amount", "bank_amount_columns", {}))
    return found


def guess(columns: Sequence[str]) -> BankMapping:
    """The mapping that the columns' names suggest; each column is used once."""
    free = {folded(_bare(name)): name for name in reversed(columns) if name}
    found: dict[str, str] = {}
    for field, words in WORDS.items():
        for word in words:
            column = free.get(folded(word))
            if column is not None and column not in found.values():
                found[field] = column
                break
    if "credit" in found and "debit" in found:
        found.pop("amount", None)
    return BankMapping.model_validate(found)


def _bare(name: str) -> str:
    return re.sub(r"[\[［(（][^\])）］]*[\])）］]\s*$", "", unicodedata.normalize("NFKC", name))


def is_heading(cells: Sequence[str]) -> bool:
    """Whether a line of a file names the columns of a statement."""
    return not problems_of(guess([cell.strip() for cell in cells]), [cell.strip() for cell in cells])


@dataclass(frozen=True)
class StatementFile:
    """A bank's file, begun at its heading. `above` is how many lines of the file stand before that."""

    table: Table
    above: int


def open_statement(content: bytes, name: str, columns: Iterable[str] = ()) -> StatementFile:
    """A bank's file from its heading on: the line that holds all of `columns` (where another file of the bank
    told them), or the first that looks like one; where none does, the first line. Raises UnreadableFile."""
    wanted = {one for one in columns if one}

    def is_it(cells: Sequence[str]) -> bool:
        stripped = [cell.strip() for cell in cells]
        return wanted <= set(stripped) if wanted else is_heading(stripped)

    table = open_table(content, name)
    if is_it(table.columns):
        return StatementFile(table, 0)
    cut = _below_csv if table.form is FileForm.CSV else _below_xlsx if table.form is FileForm.XLSX else None
    found = cut(table, is_it) if cut is not None else None
    if found is None:
        return StatementFile(table, 0)
    rest, above = found
    return StatementFile(open_table(rest, name), above)


def _below_csv(table: Table, is_it: Callable[[Sequence[str]], bool]) -> tuple[bytes, int] | None:
    lines = table.content.decode(table.encoding).splitlines(keepends=True)
    for above, line in enumerate(lines[:HEADING_WITHIN]):
        for delimiter in (",", "\t", ";", "|"):
            if is_it(next(csv.reader([line], delimiter=delimiter), [])):
                return "".join(lines[above:]).encode("utf-8"), above
    return None


def _below_xlsx(table: Table, is_it: Callable[[Sequence[str]], bool]) -> tuple[bytes, int] | None:
    # `open_table` has looked at the archive: it is no bomb.
    book = openpyxl.load_workbook(io.BytesIO(table.content), data_only=True)
    sheet: Any = next((one for one in book.worksheets if one.sheet_state == "visible"), None)
    for above, cells in enumerate(sheet.iter_rows(max_row=HEADING_WITHIN, values_only=True)):
        if is_it(["" if cell is None else str(cell) for cell in cells]):
            sheet.delete_rows(1, above)
            out = io.BytesIO()
            book.save(out)
            return out.getvalue(), above
    return None


def read_lines(file: StatementFile, mapping: BankMapping) -> tuple[list[StatementLine], list[Problem]]:
    """Every line of a file, and everything that is wrong with any. Raises UnreadableFile."""
    lines: list[StatementLine] = []
    problems: list[Problem] = []
    for each in file.table.rows:
        row = replace(each, line=each.line + file.above)
        if len(lines) + len(problems) > MAX_LINES:
            raise UnreadableFile("too_many_rows", line=row.line)
        if row.fault:
            problems.append(Problem(row.line, "", row.fault))
            continue
        first = next((str(one).strip() for one in row.values.values() if str(one or "").strip()), "")
        if _TOTALS.match(first):
            continue
        wrong: list[Problem] = []
        line = _line(row, mapping, wrong)
        problems += wrong
        if line is not None and not wrong:
            lines.append(line)
    return lines, problems


def _line(row: Row, mapping: BankMapping, wrong: list[Problem]) -> StatementLine | None:
    def cell(field: str) -> str:
        column = getattr(mapping, field)
        return _plain(row.values.get(column)) if column else ""

    day = _day(cell("booked_on"))
    if day is None:
        wrong.append(Problem(row.line, "booked_on", "date", {}, shown(cell("booked_on"))))
    amount = _amount(row.line, mapping, cell, wrong)
    balance = None
    if cell("balance"):
        balance = _fen(cell("balance"))
        if balance is None:
            wrong.append(Problem(row.line, "balance", "amount", {}, shown(cell("balance"))))
    if day is None or amount is None:
        return None
    remarks = dict.fromkeys(one for one in (cell("remark"), cell("purpose")) if one)
    digits = re.sub(r"[^0-9A-Za-z]", "", cell("account"))
    return StatementLine(
        row.line,
        day,
        amount,
        cell("counterparty")[:200],
        digits[-4:] if len(digits) > 4 else "",
        " / ".join(remarks)[:1000],
        cell("serial")[:64],
        balance,
    )


def _amount(line: int, mapping: BankMapping, cell: Any, wrong: list[Problem]) -> int | None:
    sides = []
    for field, sign in (
        (("credit", 1), ("debit", -1)) if mapping.credit and mapping.debit else (("amount", 1),)
    ):
        text = cell(field)
        fen = 0 if text in ("", "-", "--") else _fen(text)
        if fen is None:
            wrong.append(Problem(line, field, "amount", {}, shown(text)))
            return None
        sides.append(sign * fen)
    if len(sides) == 2 and all(sides):
        wrong.append(Problem(line, "credit", "bank_two_amounts", {}, shown(cell("credit"))))
        return None
    amount = sum(sides)
    if len(sides) == 1 and mapping.direction:
        word = cell("direction").lower()
        if word not in _IN | _OUT:
            wrong.append(Problem(line, "direction", "bank_mark", {}, shown(word)))
            return None
        amount = abs(amount) if word in _IN else -abs(amount)
    if amount == 0:
        wrong.append(Problem(line, "credit" if len(sides) == 2 else "amount", "bank_no_amount"))
        return None
    return amount


def _plain(value: Any) -> str:
    text = unicodedata.normalize("NFKC", "" if value is None else str(value))
    return re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()


def _fen(text: str) -> int | None:
    negative = text.startswith("(") and text.endswith(")")
    try:
        fen = money.parse_fen(text.strip("()").replace(" ", "").removeprefix("+"))
    except ValueError:
        return None
    return -fen if negative else fen


def _day(text: str) -> dt.date | None:
    match = _PACKED.match(text) or _DAY.match(text)
    if match is None:
        return None
    try:
        day = dt.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2100 else None
