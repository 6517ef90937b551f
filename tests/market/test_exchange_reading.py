"""Readers, writers and mappings: what a cell means, on every form of file."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from market.deals.inputs import ContractInput
from market.exchange.fields import FIELDS, Form, Kind, importable
from market.exchange.mapping import (
    ColumnMapping,
    FieldSource,
    Mapper,
    Vocabulary,
    check,
    guess,
    read_mapping,
    unmet,
)
from market.exchange.problems import BadMapping, UnreadableFile
from market.exchange.readers import FileForm, Row, open_table
from market.exchange.writers import guard, write, write_csv, write_xlsx

WORDS = Vocabulary(
    fields={"title": ("名称", "Title"), "keywords": ("关键词", "Keywords")},
    choices={"IpKind": {"发明专利": "invention"}, "IpStatus": {"已授权": "granted"}},
    industries={"pumps": "pumps", "泵与电机": "pumps"},
    organisations={"91330100799655058B": 7, "同名单位": 0, "某单位": 7},
)


def values(kind: Kind, fields: dict, cells: dict) -> dict:
    mapping = ColumnMapping.model_validate({"fields": fields})
    found, problems = Mapper(kind, mapping, WORDS).values(Row(2, cells))
    assert not problems, problems
    return found


def refusal(fields: dict, cells: dict, kind: Kind = Kind.RESULTS) -> tuple[str, str]:
    mapping = ColumnMapping.model_validate({"fields": fields})
    _, problems = Mapper(kind, mapping, WORDS).values(Row(2, cells))
    assert len(problems) == 1
    return problems[0].field, problems[0].code


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_csv_in_any_encoding_and_delimiter(encoding: str, delimiter: str) -> None:
    text = f'名称{delimiter}简介\n水泵{delimiter}"两行\n文字"\n\n阀门{delimiter}短\n'
    table = open_table(text.encode(encoding), "a.csv")
    assert table.columns == ("名称", "简介")
    rows = list(table.rows)
    assert [row.line for row in rows] == [2, 5], "a record begins on its first line; blank lines count"
    assert rows[0].values == {"名称": "水泵", "简介": "两行\n文字"}


def test_jsonl_tells_bad_lines_apart() -> None:
    content = b'{"a": 1}\nnot json\n[1]\n\n{"a": NaN}\n{"a": "\\u2028x"}\n{"a": "\xff"}\n'
    faults = {row.line: row.fault for row in open_table(content, "a.jsonl").rows}
    assert faults == {1: "", 2: "json", 3: "json_object", 5: "json", 6: "", 7: "encoding"}


def test_xlsx_reads_what_a_person_sees() -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Title", "n", "day"])
    sheet.append(["a", 3.0, __import__("datetime").datetime(2026, 3, 1)])
    sheet.append([None, None, None])
    sheet.append(["b", 2.5, None])
    held = io.BytesIO()
    book.save(held)
    rows = list(open_table(held.getvalue(), "a.XLSX").rows)
    assert [(row.line, list(row.values.values())) for row in rows] == [
        (2, ["a", "3", "2026-03-01"]),
        (4, ["b", "2.5", ""]),
    ]


def test_a_bomb_is_refused_unopened() -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"\0" * 60_000_000)
    with pytest.raises(UnreadableFile) as refused:
        open_table(held.getvalue(), "a.xlsx")
    assert refused.value.reason == "too_large"


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "a.csv", "empty"),
        (b"x", "a.pdf", "form"),
        (b"PK\x03\x04 not a zip", "a.xlsx", "xlsx"),
        (b"\xff\x00\x81\xff\xff,\n", "a.csv", "encoding"),
        (b'a,b\n"' + b"x" * 300_000, "a.csv", "csv"),
        (b",".join(b"c%d" % n for n in range(300)), "a.csv", "too_many_columns"),
    ],
)
def test_unreadable_files_say_why(content: bytes, name: str, reason: str) -> None:
    with pytest.raises(UnreadableFile) as refused:
        list(open_table(content, name).rows)
    assert refused.value.reason == reason


def test_more_cells_than_the_header_is_a_bad_row() -> None:
    rows = list(open_table(b"a,b\n1,2,3\n1,2,\n", "a.csv").rows)
    assert [row.fault for row in rows] == ["extra_cells", ""]


@pytest.mark.parametrize("text", ["=1+1", "+86 576", "-5", "@x", "'=1", "'plain", "''=2"])
def test_formulas_are_guarded_and_come_back(text: str) -> None:
    written = b"".join(write_csv(["a"], [[text]]))
    assert not written.split(b"\r\n")[1].startswith((b"=", b"+", b"-", b"@"))
    assert next(open_table(written, "a.csv").rows).values == {"a": text}
    assert next(open_table(write_xlsx([("s", ["a"], [[text]])]), "a.xlsx").rows).values == {"a": text}


def test_plain_text_is_left_alone() -> None:
    assert guard("plain") == "plain"
    assert guard("'plain") == "'plain"


ROW = {
    "organisation": "91330100799655058B",
    "title": "-40℃ 低温泵",
    "industry": "pumps",
    "abstract": "第一行\n第二行",
    "keywords": ["a、b", "c；d"],
    "ipc": ["F04D 29/24"],
    "trl": 6,
    "price_low": 30_000_050,
    "ips": [
        {
            "kind": "invention", "number": "200710308494.X", "title": "a|b\\", "status": "granted",
            "fee_paid_to": None, "pledged": False,
        }
    ],
    "claims": [{"statement": "多行\n说明", "figure": "86.5 %", "comparator": "", "source": "报告"}],
}  # fmt: skip


@pytest.mark.parametrize("form", list(FileForm))
def test_what_is_written_is_read_back(form: FileForm) -> None:
    content = b"".join(write(Kind.RESULTS, form, [ROW], lambda field: f"列 [{field.name}]", "成果"))
    table = open_table(content, f"a.{form.value}")
    mapping = guess(Kind.RESULTS, table.columns, Vocabulary())
    assert set(mapping.fields) >= {"title", "ips", "claims", "keywords"}
    read, problems = Mapper(Kind.RESULTS, mapping, WORDS).values(next(table.rows))
    assert not problems
    assert read["organisation_id"] == 7
    assert read["title"] == ROW["title"]
    assert read["abstract"] == ROW["abstract"]
    assert read["keywords"] == ROW["keywords"]
    assert read["price_low_fen"] == "300000.50"
    assert read["trl"] == 6
    right = read["ip"][0]
    assert (right["kind"], right["title"], right["pledged"]) == ("invention", "a|b\\", False)
    assert read["claims"][0] == {"statement": "多行\n说明", "figure": "86.5 %", "source": "报告"}


def test_choices_are_taken_by_label_or_code() -> None:
    record = values(
        Kind.RESULTS, {"ips": "ip"}, {"ip": "发明专利|200710308494.X||已授权\ninvention||秘密|granted"}
    )
    assert [one["kind"] for one in record["ip"]] == ["invention", "invention"]
    assert refusal({"ips": "ip"}, {"ip": "专利|1"}) == ("ips.0.kind", "unknown_choice")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-03-01", "2026-03-01"),
        ("2026/3/1", "2026-03-01"),
        ("2026年3月1日", "2026-03-01"),
        ("20260301", "2026-03-01"),
        ("2026.3.1", "2026-03-01"),
        ("２０２６－０３－０１", "2026-03-01"),
        ("2026-03-01 08:30", "2026-03-01"),
    ],
)
def test_days_as_people_write_them(text: str, day: str) -> None:
    assert values(Kind.DEMANDS, {"deadline": "d"}, {"d": text}) == {"deadline": day}


def test_a_day_that_is_none_is_refused() -> None:
    assert refusal({"deadline": "d"}, {"d": "2026-02-30"}, Kind.DEMANDS) == ("deadline", "date")
    for text in ("03/04/2026", "May 6 2026", "2026-03"):
        assert refusal({"deadline": "d"}, {"d": text}, Kind.DEMANDS) == ("deadline", "date")
    assert refusal({"deadline": "d"}, {"d": "46082"}, Kind.DEMANDS) == ("deadline", "date_serial")


def test_a_formula_without_its_result_is_a_bad_row() -> None:
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["名称", "金额"], ["甲", "=50*2"], ["乙", 100], [None, None], ["丙", '=IF(1,"",2)']):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    told = [(row.line, row.fault) for row in open_table(out.getvalue(), "a.xlsx").rows]
    assert told == [(2, "formula"), (3, ""), (5, "formula")]
    solved = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(out.getvalue())) as old, zipfile.ZipFile(solved, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            if name.endswith("sheet1.xml"):
                text = text.replace(b"<f>50*2</f><v></v>", b"<f>50*2</f><v>100</v>")
                text = text.replace(b'<c r="B5"><f>', b'<c r="B5" t="str"><f>')
            new.writestr(name, text)
    rows = list(open_table(solved.getvalue(), "a.xlsx").rows)
    assert [(row.line, row.fault, row.values.get("金额")) for row in rows] == [
        (2, "", "100"), (3, "", "100"), (5, "", ""),
    ]  # fmt: skip


def test_codes_in_full_width_letters_are_codes() -> None:
    fields = {"seller_region": "区划", "title": "名称"}
    assert values(Kind.CONTRACTS, fields, {"区划": "３３１０８１", "名称": "（甲）"}) == {
        "seller_region": "331081", "title": "（甲）",
    }  # fmt: skip


def test_sources_of_a_field() -> None:
    fields = {
        "title": {"column": "long", "cut": 3},
        "keywords": {"column": "kw", "split": " "},
        "abstract": {"column": "empty", "fallback": "long"},
        "holder": {"column": "deep.name"},
        "awards": {"column": "list", "join": "、"},
        "industry": {"constant": "泵与电机"},
        "ips": {"parts": {"kind": {"constant": "发明专利"}, "number": "no"}},
        "trl": {"column": "stage", "values": {"中试": "6"}},
        "inventors": {"column": "none", "default": "佚名"},
    }
    cells = {
        "long": "abcdef", "kw": "水泵 叶轮", "empty": " ", "deep": {"name": "甲"}, "list": ["x", "y"],
        "no": "200710308494.X", "stage": "中试",
    }  # fmt: skip
    assert values(Kind.RESULTS, fields, cells) == {
        "title": "abc",
        "keywords": ["水泵", "叶轮"],
        "abstract": "abcdef",
        "holder": "甲",
        "awards": "x、y",
        "industry_code": "pumps",
        "ip": [{"kind": "invention", "number": "200710308494.X"}],
        "trl": 6,
        "inventors": ["佚名"],
    }
    assert values(Kind.RESULTS, {"ips": fields["ips"]}, {"no": ""}) == {"ip": None}


def test_organisations_by_code_or_exact_name() -> None:
    fields = {"organisation": "o"}
    assert values(Kind.RESULTS, fields, {"o": "9133 0100 7996 5505 8b"}) == {"organisation_id": 7}
    assert refusal(fields, {"o": "同名单位"}) == ("organisation", "ambiguous_organisation")
    assert refusal(fields, {"o": "别家"}) == ("organisation", "unknown_organisation")


def test_guess_reads_labels_codes_and_ids() -> None:
    mapping = guess(Kind.RESULTS, ["ID", "名称 *", "关 键 词", "x"], WORDS)
    assert {name: one.column for name, one in mapping.fields.items()} == {
        "source_id": "ID", "title": "名称 *", "keywords": "关 键 词",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "json"),
        ('{"fields": {"title": {"colum": "a"}}}', "form"),
        ('{"fields": {"tittle": "a"}}', "field"),
        ('{"fields": {"title": {"parts": {"kind": "a"}}}}', "parts"),
        ('{"fields": {"title": "b"}}', "column"),
        ('{"kind": "demands", "fields": {}}', "kind"),
    ],
)
def test_mappings_that_cannot_be_meant_are_refused(text: str, reason: str) -> None:
    with pytest.raises(BadMapping) as refused:
        check(read_mapping(text), Kind.RESULTS, ["a"])
    assert refused.value.reason == reason


def test_fields_are_columns_of_their_models() -> None:
    from market.exchange.importing import MODELS

    models = {**MODELS, Kind.CONTRACTS: ContractInput}
    for kind, fields in FIELDS.items():
        beside = {"organisation_id", "source", "source_id"}
        if kind is Kind.CONTRACTS:
            # Beside what a contract says: how it was registered elsewhere.
            beside = {"source", "registration_number", "registered_on", "seller_code", "buyer_code"}
        for field in importable(kind).values():
            assert field.model_name in models[kind].model_fields or field.model_name in beside
        assert all(field.parts for field in fields if field.form is Form.PARTS)


@pytest.mark.parametrize("constant", ["a\x00b", "\ud800", ["\x00"]])
def test_mappings_that_no_database_can_store_are_refused(constant: object) -> None:
    with pytest.raises(BadMapping):
        read_mapping(json.dumps({"fields": {"title": {"constant": constant}}}))


def test_an_amount_s_heading_tells_its_unit() -> None:
    words = Vocabulary(fields={"deal": ("合同成交额（元）",), "technology": ("技术交易额（元）",)})
    mapping = guess(Kind.CONTRACTS, ["合同成交额（万元）", "技术交易额"], words)
    assert mapping.fields["deal"] == FieldSource(column="合同成交额（万元）", unit="wan")
    assert mapping.fields["technology"] == FieldSource(column="技术交易额")
    row = Row(2, {"合同成交额（万元）": "1,035.5", "技术交易额": "35万"})
    assert Mapper(Kind.CONTRACTS, mapping, words).values(row)[0] == {
        "deal_fen": "1,035.5万",
        "technology_fen": "35万",
    }
    wide = Row(2, {"合同成交额（万元）": "￥１００．５", "技术交易额": "８"})
    assert Mapper(Kind.CONTRACTS, mapping, words).values(wide)[0] == {
        "deal_fen": "￥100.5万", "technology_fen": "8",
    }  # fmt: skip
    # What says its unit itself is left as it is.
    spoken = Row(2, {"合同成交额（万元）": "0.1亿"})
    assert Mapper(Kind.CONTRACTS, mapping, words).values(spoken)[0]["deal_fen"] == "0.1亿"


def test_what_every_row_needs_and_nothing_fills_is_told() -> None:
    assert unmet(ColumnMapping(fields={"title": FieldSource(column="a")}), Kind.CONTRACTS) == [
        "contract_kind", "subkind", "technical_field", "signed_on", "registered_on",
    ]  # fmt: skip
