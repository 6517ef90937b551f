"""Money received and files of a contract: pages and API, who sees them, and what a refusal keeps."""

from __future__ import annotations

import datetime as dt
import html
import re

import pytest

from tests.web.register import As, Register

PDF = b"%PDF-1.4\n%%EOF\n"


@pytest.fixture
def contract(register: Register) -> int:
    return register.enter(
        dt.date(2024, 5, 6), price_form="instalments", deductions=[],
        instalments=[
            {"due_on": "2024-06-01", "fen": 20_000_000, "condition": "验收"},
            {"due_on": "2099-06-01", "fen": 30_000_000},
        ],
    )  # fmt: skip


def test_money_is_entered_and_reversed_on_the_page(as_: As, contract: int) -> None:
    address = f"/contracts/{contract}"
    client = as_("officer")
    assert "¥200,000 fell due" in html.unescape(client.get(address).text)
    form = {"received_on": "2024-06-20", "fen": "12万", "technology_fen": "13万", "note": "第一期部分款"}
    refused = client.post(f"{address}/receipts", data=form)
    assert refused.status_code == 422
    assert 'href="#f-technology_fen"' in refused.text
    assert 'value="第一期部分款"' in refused.text
    assert client.post(f"{address}/receipts", data=form | {"technology_fen": ""}).status_code == 303
    page = html.unescape(client.get(address).text)
    assert "¥80,000 fell due" in page
    found = re.search(r"/receipts/(\d+)/reverse", page)
    assert found is not None
    silent = client.post(f"{address}/receipts/{found.group(1)}/reverse", data={"reason": ""})
    assert silent.status_code == 422
    assert re.search(r"<details open><summary>Reverse", silent.text)
    gone = client.post(f"{address}/receipts/{found.group(1)}/reverse", data={"reason": "录错合同"})
    assert gone.status_code == 303
    page = html.unescape(client.get(address).text)
    assert "录错合同" in page
    assert "¥200,000 fell due" in page
    assert (
        client.post(f"{address}/receipts/{found.group(1)}/reverse", data={"reason": "再"}).status_code == 409
    )


def test_a_program_keeps_the_ledger_too(as_: As, contract: int) -> None:
    address = f"/api/v1/contracts/{contract}/receipts"
    made = as_("official").post(address, json={"received_on": "2024-06-20", "fen": 25_000_000})
    assert made.status_code == 201
    body = made.json()
    assert [one["received_fen"] for one in body["due"]] == [20_000_000, 5_000_000]
    assert body["late_fen"] == 0
    row = body["items"][0]["id"]
    back = as_("officer").post(f"{address}/{row}/reverse", json={"reason": "退款"}).json()
    assert (back["received_fen"], back["late_fen"]) == (0, 20_000_000)


@pytest.mark.parametrize(
    ("who", "status"), [("visitor", 404), ("stranger", 404), ("bidder", 404), ("buyer", 200), ("staff", 200)]
)
def test_ledger_and_files_are_not_the_publics(as_: As, contract: int, who: str, status: int) -> None:
    for what in ("receipts", "attachments"):
        assert as_(who).get(f"/api/v1/contracts/{contract}/{what}").status_code == status
    page = as_(who).get(f"/contracts/{contract}").text
    assert ("Money received" in page) is (status == 200)


def test_files_are_kept_by_what_they_prove(as_: As, register: Register) -> None:
    contract = register.draft()
    address = f"/contracts/{contract}"
    client = as_("officer")
    assert "Asked for and not there" in client.get(address).text
    refused = client.post(
        f"{address}/attachments", data={"evidence_kind": ""}, files={"file": ("一.pdf", PDF)}
    )
    assert refused.status_code == 422
    assert 'href="#f-evidence_kind"' in refused.text
    for kind in ("contract_text", "registration_form", "cost_breakdown"):
        data = {"evidence_kind": kind}
        files = {"file": (f"{kind}.pdf", PDF + kind.encode())}
        assert client.post(f"{address}/attachments", data=data, files=files).status_code == 303
    page = client.get(address).text
    assert "Asked for and not there" not in page
    found = client.get(f"/api/v1/contracts/{contract}/attachments").json()
    assert found["missing"] == []
    file = found["items"][0]
    assert file["sha256"] in page
    opened = f"/attachments/{file['attachment_id']}"
    assert as_("buyer").get(opened).content == PDF + b"contract_text"
    assert as_("stranger").get(opened).status_code == 404
    assert as_("officer").post(f"{opened}/remove").status_code == 303
    assert as_("buyer").get(opened).status_code == 404
    wrong = as_("officer").post(
        f"{address}/attachments", data={"evidence_kind": "other"}, files={"file": ("x.exe", b"MZ")}
    )
    assert wrong.status_code == 415
