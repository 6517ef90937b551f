"""Bank statements' files: whatever their encoding, heading and way of telling amounts, each line or what is wrong."""

from __future__ import annotations

import datetime as dt
import io

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.exchange import statements as reading
from market.exchange.problems import Problem, UnreadableFile
from market.exchange.statements import BankMapping
from market.money import yuan
from market.payments.bank.rules import StatementLine

HEAD = "交易日期,交易流水号,收入金额,支出金额,账户余额,对方户名,对方账号,附言,摘要"


def read(content: bytes, name: str = "a.csv") -> tuple[list[StatementLine], list[Problem]]:
    file = reading.open_statement(content, name)
    return reading.read_lines(file, reading.guess(file.table.columns))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("above", ["", "账号：３３００,户名：某市场\n查询日期 2026-03-02\n"])
def test_a_bank_s_export_is_read(encoding: str, above: str) -> None:
    text = (
        f'{above}{HEAD}\n２０２６０３０２,A1,"１，０００．５０",,1000.50,某泵业,6222 0000 1234,TM 3K7A,保证金\n'
        "2026/3/3 10:11:12,A2,0.00,￥200.50,800.00,某校,12,,\n合计,,1000.50,200.50,,,,,\n"
    )
    lines, problems = read(text.encode(encoding))
    assert problems == []
    first = 2 + above.count("\n")
    assert lines == [
        StatementLine(
            first, dt.date(2026, 3, 2), 100_050, "某泵业", "1234", "TM 3K7A / 保证金", "A1", 100_050
        ),
        StatementLine(first + 1, dt.date(2026, 3, 3), -20_050, "某校", "", "", "A2", 80_000),
    ]


def test_a_workbook_with_lines_above_its_heading_is_read() -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (
        ["账号", "3300123456789012"],
        ["记账日期", "流水号", "借贷标志", "交易金额", "余额", "对方户名", "对方账号", "附言"],
        [dt.datetime(2026, 3, 2), "1", "贷", 12.5, 12.5, "某泵业", "6222000012345678", "x"],
        ["2026年3月2日", "2", "借", 2, 10.5, "某银行", None, "手续费"],
        ["总计", None, None, 14.5, None, None, None, None],
    ):
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    lines, problems = read(out.getvalue(), "a.xlsx")
    assert problems == []
    assert [(one.position, one.amount_fen, one.balance_fen, one.tail) for one in lines] == [
        (3, 1_250, 1_250, "5678"), (4, -200, 1_050, ""),
    ]  # fmt: skip


def test_everything_that_is_wrong_is_told() -> None:
    text = (
        f"{HEAD}\n昨天,1,x,,y,,,,\n2026-02-30,2,1,,,,,,\n2026-03-02,3,1,1,,,,,\n2026-03-02,4,,,,,,,\n"
        "2026-03-02,5,1.005,,,,,,\n2026-03-02,6,1,,,,,,,,多\n2026-03-02,7,1,,,,,,\n"
    )
    lines, problems = read(text.encode())
    assert [one.serial for one in lines] == ["7"]
    assert [(one.line, one.field, one.code) for one in problems] == [
        (2, "booked_on", "date"), (2, "credit", "amount"), (2, "balance", "amount"), (3, "booked_on", "date"),
        (4, "credit", "bank_two_amounts"), (5, "credit", "bank_no_amount"), (6, "credit", "amount"),
        (7, "", "extra_cells"),
    ]  # fmt: skip
    marked = reading.guess(["日期", "金额", "借贷标志"])
    assert reading.problems_of(marked, ["日期", "金额", "借贷标志"]) == []
    file = reading.open_statement(
        "日期,金额,借贷标志\n2026-03-02,-5.00,借\n2026-03-02,5,?\n".encode(), "a.csv"
    )
    lines, problems = reading.read_lines(file, marked)
    assert [one.amount_fen for one in lines] == [-500]
    assert [one.code for one in problems] == ["bank_mark"]


def test_a_mapping_says_what_it_lacks() -> None:
    assert [field for field, _, _ in reading.problems_of(BankMapping(), [])] == ["booked_on", "amount"]
    one_side = BankMapping(booked_on="a", credit="b", serial="z")
    assert [(field, code) for field, code, _ in reading.problems_of(one_side, ["a", "b"])] == [
        ("serial", "unknown_choice"), ("amount", "bank_amount_columns"),
    ]  # fmt: skip
    with pytest.raises(UnreadableFile):
        reading.open_statement(b"x", "a.exe")


def test_a_heading_known_from_last_time_is_found_in_any_words() -> None:
    text = "某行\nwhen,what,how much\n2026-03-02,S1,-3.00\n"
    columns = {"booked_on": "when", "serial": "what", "amount": "how much"}
    file = reading.open_statement(text.encode(), "a.csv", columns.values())
    assert file.above == 1
    lines, _ = reading.read_lines(file, BankMapping.model_validate(columns))
    assert [(one.position, one.amount_fen, one.serial) for one in lines] == [(3, -300, "S1")]


amounts = st.integers(-(10**12), 10**12).filter(bool)


@given(
    st.lists(
        st.tuples(st.dates(dt.date(2000, 1, 1), dt.date(2100, 12, 31)), amounts), min_size=1, max_size=20
    )
)
def test_no_amount_is_lost_or_changed(moved: list[tuple[dt.date, int]]) -> None:
    signed = "\n".join(["日期,金额", *(f"{day},{yuan(fen)}" for day, fen in moved)])
    sides = "\n".join(
        [
            "日期,收入,支出",
            *(f"{day},{yuan(fen)}," if fen > 0 else f"{day},,{yuan(-fen)}" for day, fen in moved),
        ]
    )
    for text in (signed, sides):
        lines, problems = read(text.encode("gb18030"))
        assert problems == []
        assert [(one.booked_on, one.amount_fen) for one in lines] == moved
