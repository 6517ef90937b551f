"""Import and export by page, API and command, and the work item of large files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from typer.testing import CliRunner

from market.db import t
from market.exchange.fields import Kind, importable
from market.exchange.readers import open_table
from market.listings.models import Result
from market.parties.models import Organisation
from market.permissions import Actor, Role
from market.work import run_one
from tests.auctions.rows import Rows
from web import importing, wiring

SignIn = Callable[[TestClient, Actor], TestClient]


class World:
    """A university's results officer, staff, a firm's bidder."""

    def __init__(self, parts: wiring.Parts) -> None:
        with parts.db.write() as session:
            rows = Rows(session)
            self.staff, self.officer = rows.staff, rows.officer
            self.bidder = rows.bidder()
            self.official = rows.actor(rows.market, Role.OFFICIAL)
            organisation = session.get(Organisation, rows.seller)
            assert organisation is not None
            self.code, self.name = organisation.credit_code, organisation.name


@pytest.fixture
def world(parts: wiring.Parts) -> World:
    return World(parts)


def table(world: World, *titles: str) -> bytes:
    lines = ["名称,简介,单位名,nr"]
    lines += [f"{title},说明,{world.name},{number}" for number, title in enumerate(titles, 1)]
    return "\n".join(lines).encode("gb18030")


def upload(client: TestClient, content: bytes, name: str = "表.csv", kind: str = "results") -> str:
    answer = client.post("/exchange", data={"kind": kind}, files={"file": (name, content)})
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


FORM = {
    "column.title": "名称", "column.abstract": "简介", "column.organisation": "单位名", "column.source_id": "nr",
    "constant.industry": "pumps", "source": "表",
}  # fmt: skip


def results(parts: wiring.Parts) -> list[str]:
    with parts.db.read() as session:
        return list(session.scalars(sa.select(t(Result).c.title).order_by(t(Result).c.id)))


def test_from_upload_to_rows(client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn) -> None:
    sign_in(client, world.officer)
    mapping = upload(client, table(world, "泵", "阀"))
    page = client.get(mapping)
    assert page.status_code == 200
    assert "泵" in page.text, "the first rows are shown"
    assert '<option value="名称" selected>' in page.text, "columns are guessed by their Chinese labels"
    answer = client.post(mapping, data={**FORM, "then": "check"})
    run = answer.headers["location"]
    report = client.get(run)
    assert "2 would be new" in report.text
    assert results(parts) == []
    assert client.post(f"{run}/run").status_code == 303
    assert "2 new" in client.get(run).text
    assert results(parts) == ["泵", "阀"]
    assert client.post(f"{run}/run").status_code == 409, "done for good is done"


def test_bad_rows_are_shown_and_can_be_left_out(
    client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn
) -> None:
    sign_in(client, world.officer)
    mapping = upload(client, table(world, "泵", ""))
    run = client.post(mapping, data={**FORM, "then": "run"}).headers["location"]
    page = client.get(run)
    assert "nothing was taken" in page.text
    assert "This is required" in page.text
    assert results(parts) == []
    report = open_table(client.get(f"{run}/report.csv").content, "r.csv")
    assert next(iter(next(report.rows).values.values())) == "3"
    assert client.post(f"{run}/run", data={"partial": "1"}).status_code == 303
    assert results(parts) == ["泵"]


def test_a_mapping_is_saved_and_used(client: TestClient, world: World, sign_in: SignIn) -> None:
    sign_in(client, world.officer)
    mapping = upload(client, table(world, "泵"))
    answer = client.post(mapping, data={**FORM, "then": "save", "mapping_name": "每月"})
    assert answer.status_code == 303
    again = upload(client, b"x,y\n1,2\n", "other.csv")
    number = answer.headers["location"].rpartition("=")[2]
    used = client.post(again, data={"then": "use", "mapping_id": number}).headers["location"]
    page = client.get(used)
    assert "每月" in page.text
    assert '<option value="名称" selected>' in page.text
    refused = client.post(again, data={**FORM, "then": "check"})
    assert refused.status_code == 422
    assert "has no column called" in refused.text
    assert client.post(f"/exchange/mappings/{number}/delete").status_code == 303


def test_large_files_are_work(client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn) -> None:
    sign_in(client, world.officer)
    rows = [
        {
            "title": f"成果 {n}",
            "organisation": world.code,
            "industry": "pumps",
            "abstract": "长" * 200,
            "source_id": n,
        }
        for n in range(900)
    ]
    content = "\n".join(json.dumps(row) for row in rows).encode()
    mapping = upload(client, content, "many.jsonl")
    fields = {f"column.{name}": name for name in rows[0]}
    run = client.post(mapping, data={**fields, "then": "run", "publish": "on"}).headers["location"]
    waiting = client.get(run)
    assert "Refresh" in waiting.headers
    assert results(parts) == []
    assert run_one(parts.db, importing.handlers(parts), parts.clock.now)
    assert "900 new" in client.get(run).text
    assert len(results(parts)) == 900


def test_what_is_no_table_is_refused_at_the_field(client: TestClient, world: World, sign_in: SignIn) -> None:
    sign_in(client, world.staff)
    answer = client.post("/exchange", data={"kind": "results"}, files={"file": ("a.pdf", b"%PDF")})
    assert answer.status_code == 422
    assert "use CSV, XLSX or JSON Lines" in answer.text
    assert client.post("/exchange", data={"kind": "results"}).status_code == 422


def test_who_may_come_here(client: TestClient, world: World, sign_in: SignIn) -> None:
    assert client.get("/exchange").status_code == 303
    sign_in(client, world.bidder)
    assert client.get("/exchange").status_code == 403
    sign_in(client, world.officer)
    home = client.get("/exchange")
    assert home.status_code == 200
    assert 'value="organisations"' not in home.text.partition('id="export"')[0]
    run = upload(client, table(world, "泵")).rpartition("/")[0]
    sign_in(client, world.bidder)
    assert client.get(run).status_code == 404


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("form", ["csv", "xlsx", "jsonl"])
def test_templates_are_understood(
    client: TestClient, world: World, sign_in: SignIn, kind: Kind, form: str
) -> None:
    sign_in(client, world.staff)
    answer = client.get(f"/exchange/templates/{kind.value}.{form}")
    columns = open_table(answer.content, f"a.{form}").columns
    from market.exchange.mapping import guess

    found = guess(kind, columns, importing.words(kind)).fields
    assert len(found) == len(columns)
    if form == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(answer.content))
        assert len(book.sheetnames) == 2
        assert book.worksheets[1].max_row == len(importable(kind)) + 1


def test_api_imports_reports_and_exports(
    client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn
) -> None:
    sign_in(client, world.officer)
    mapping = {
        "source": "api",
        "fields": {"title": "t", "organisation": {"constant": world.code}, "industry": {"constant": "nope"}},
    }
    answer = client.post(
        "/api/v1/imports",
        data={"kind": "results", "mapping": json.dumps(mapping)},
        files={"file": ("a.jsonl", b'{"t": "x"}\n')},
    )
    assert answer.status_code == 202
    body = answer.json()
    assert (body["state"], body["bad"]) == ("refused", 1)
    assert body["problems"][0] | {"message": ""} == {
        "line": 1, "field": "industry", "code": "unknown_industry", "message": "", "value": "nope",
    }  # fmt: skip
    mapping["fields"]["industry"] = {"constant": "pumps"}
    answer = client.post(
        "/api/v1/imports",
        data={"kind": "results", "mapping": json.dumps(mapping)},
        files={"file": ("a.jsonl", b'{"t": "x"}\n')},
    )
    assert answer.json()["created"] == 1
    assert client.get("/api/v1/imports").json()["total"] == 2
    assert client.get(f"/api/v1/imports/{answer.json()['id']}").json()["state"] == "done"
    exported = client.get("/api/v1/exports/results")
    assert [json.loads(line)["title"] for line in exported.text.splitlines()] == ["x"]
    bad = client.post(
        "/api/v1/imports", data={"kind": "results", "mapping": "{"}, files={"file": ("a.jsonl", b"{}\n")}
    )
    assert bad.status_code == 422
    assert bad.json()["errors"][0]["code"] in ("file_no_rows", "mapping_json")


def test_command_line(
    parts: wiring.Parts, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    from web import cli_import

    monkeypatch.setattr(cli_import, "parts", lambda: parts)
    app = typer.Typer()
    cli_import.register(app)
    file = tmp_path / "rows.jsonl"
    file.write_text('{"name": "甲", "text": "一"}\n{"name": "", "text": "二"}\n', encoding="utf-8")
    mapping = tmp_path / "mapping.json"
    mapping.write_text(json.dumps({"fields": {"title": "name", "abstract": "text"}}), encoding="utf-8")
    report = tmp_path / "bad.csv"
    command = [
        "import", "results", str(file), "--mapping", str(mapping), "--set", "industry=pumps",
        "--set", f"organisation={world.code}", "--source", "list", "--publish", "--report", str(report),
    ]  # fmt: skip
    runner = CliRunner()
    refused = runner.invoke(app, command)
    assert refused.exit_code == 1
    assert "nothing was taken" in refused.output.replace("\n", " ")
    assert "This is required" in report.read_text(encoding="utf-8-sig")
    assert results(parts) == []
    assert runner.invoke(app, [*command, "--partial"]).exit_code == 1
    assert results(parts) == ["甲"]
    out = tmp_path / "out.xlsx"
    assert runner.invoke(app, ["export", "results", str(out)]).exit_code == 0
    again = runner.invoke(app, ["import", "results", str(out)])
    assert again.exit_code == 0
    assert "1 unchanged" in again.output.replace("\n", " ")


def test_an_official_brings_in_contracts_and_reads_why_three_rows_are_bad(
    client: TestClient, parts: wiring.Parts, world: World, sign_in: SignIn
) -> None:
    from market.deals.models import Contract

    sign_in(client, world.official)
    columns = (
        "登记编号,名称 [title],合同类别,合同子类,卖方名称,卖方地区代码,买方名称,买方地区代码,"
        "合同成交额（元）,技术领域,签订日期,登记日期"
    )

    def line(number: str, deal: str = "60万", registered: str = "2026-02-20") -> str:
        return (
            f"{number},水力模型开发,技术开发,委托开发,某大学,330106,某公司,331081,"
            f"{deal},先进制造,2026-02-02,{registered}"
        )

    lines = [
        line("2026330100000001"), line("202633"), line("2026330100000002", deal="许多"),
        line("2026330100000003", registered="2026-01-01"), line("2026330100000004"),
    ]  # fmt: skip
    mapping = upload(client, "\n".join([columns, *lines]).encode(), kind="contracts")
    page = client.get(mapping)
    assert 'name="publish"' not in page.text
    chosen = {
        f"column.{name}": column
        for name, column in zip(
            (
                "registration_number", "title", "contract_kind", "subkind", "seller_name", "seller_region",
                "buyer_name", "buyer_region", "deal", "technical_field", "signed_on", "registered_on",
            ),
            columns.split(","),
            strict=True,
        )
    }  # fmt: skip
    answer = client.post(mapping, data=chosen | {"then": "run"})
    report = client.get(answer.headers["location"]) if answer.status_code == 303 else answer
    assert all(value in report.text for value in ("202633", "许多", "2026-01-01")), report.text
    csv = client.get(mapping.rpartition("/")[0] + "/report.csv").text
    assert [row.split(",")[0] for row in csv.splitlines()[1:]] == ["3", "4", "5"]
    client.post(mapping.rpartition("/")[0] + "/run", data={"partial": "1"})
    with parts.db.read() as session:
        assert session.scalars(sa.select(t(Contract).c.registration_number)).all() == [
            "2026330100000001", "2026330100000004",
        ]  # fmt: skip
    exported = client.get("/exchange/export?kind=contracts&format=jsonl&state=registered")
    assert len(exported.text.splitlines()) == 2


def test_a_mended_file_keeps_its_columns_and_what_they_leave_out_is_told(
    client: TestClient, world: World, sign_in: SignIn
) -> None:
    sign_in(client, world.official)
    columns = "编号甲,项目名称,合同类别,合同小类,卖方,卖方行政区划,买方,买方行政区划,合同成交额（万元）,技术领域,签订日期,登记日期,备注"
    row = "2026330100000001,水力模型开发,技术开发,委托开发,某大学,330106,某公司,331081,60,先进制造,2026-02-02,{}"
    mapping = upload(client, f"{columns}\n{row.format('2026-02-30')},x".encode(), kind="contracts")
    page = client.get(mapping).text
    for column in ("项目名称", "合同小类", "买方行政区划", "合同成交额（万元）"):
        assert f'<option value="{column}" selected>' in page, column
    assert "not be imported: 编号甲, 备注" in page
    assert "read as 10,000 yuan" in page
    chosen = {
        "column.title": "项目名称", "column.contract_kind": "合同类别", "column.subkind": "合同小类",
        "column.seller_name": "卖方", "column.seller_region": "卖方行政区划", "column.buyer_name": "买方",
        "column.buyer_region": "买方行政区划", "column.deal": "合同成交额（万元）", "column.technical_field": "技术领域",
        "column.signed_on": "签订日期", "column.registration_number": "编号甲", "then": "check",
    }  # fmt: skip
    refused = client.post(mapping, data=chosen)
    assert refused.status_code == 422
    assert 'href="#f-column.registered_on"' in refused.text
    assert '<option value="编号甲" selected>' in refused.text, "nothing chosen is lost"
    run = client.post(mapping, data=chosen | {"column.registered_on": "登记日期"}).headers["location"]
    report = client.get(run).text
    assert "2026-02-30" in report
    number = run.rpartition("/")[2]
    assert f'name="like" value="{number}"' in report
    mended = client.post(
        "/exchange",
        data={"kind": "contracts", "like": number},
        files={"file": ("改.csv", f"{columns}\n{row.format('2026-02-20')},x".encode())},
    ).headers["location"]
    assert '<option value="编号甲" selected>' in client.get(mended).text, "what was chosen by hand is kept"
    done = client.post(mended, data=chosen | {"column.registered_on": "登记日期", "then": "run"})
    assert "1 new" in client.get(done.headers["location"]).text
    exported = json.loads(client.get("/exchange/export?kind=contracts&format=jsonl").text)
    assert (exported["deal"], exported["registration_number"]) == ("600000.00", "2026330100000001")
    hidden = client.post(
        "/exchange", data={"kind": "contracts", "like": "999"}, files={"file": ("改.csv", b"a\n1")}
    )
    assert hidden.status_code == 404


def test_every_field_and_choice_has_its_words() -> None:
    from web import i18n

    for kind in Kind:
        for field in importable(kind).values():
            for language in i18n.LANGUAGES:
                assert i18n.has_term(f"field.{field.name}", language), field.name
                assert i18n.has_term(f"exchange.form.{field.form.value}", language)
                for part in field.parts:
                    assert i18n.has_term(f"field.{field.name}.{part.name}", language)
                for one in (field, *field.parts):
                    for member in one.choices or ():
                        assert i18n.has_term(f"{type(member).__name__}.{member.value}", language)
