"""Published figures: signed, recomputed by the script that ships, revisions explained contract by contract."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import io
import json
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa
from starlette.testclient import TestClient

from market.db import t
from market.deals import service as deals
from market.deals.rules import Step
from market.statistics import service
from market.statistics.models import Snapshot
from tests.web.register import As, Register
from web import seals, wiring

SCRIPT = Path(__file__).parents[2] / "docs" / "recompute_figure.py"
DAY = dt.date(2024, 5, 6)
WANTED = {"caliber": "C4", "year": "2024", "quarter": "4"}


def publish(client: TestClient, **more: str) -> str:
    answer = client.post("/statistics/snapshots", data=WANTED | more)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].split("?")[0]


def recompute(download: bytes, folder: Path) -> tuple[int, list[list[str]]]:
    path = folder / "figure.json"
    path.write_bytes(download)
    run = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPT), str(path)], capture_output=True, text=True, check=False
    )
    return run.returncode, [line.split("\t") for line in run.stdout.splitlines()]


def test_the_download_recomputes_and_what_was_touched_does_not(
    as_: As, register: Register, tmp_path: Path
) -> None:
    for number in range(7):
        register.enter(DAY, deal_fen=33_333_333_33 + number, deductions=[], title=f"技术“开发”{number}")
    client = as_("official")
    place = publish(client)
    answer = client.get(f"{place}.json")
    status, lines = recompute(answer.content, tmp_path)
    assert status == 0
    told = {line[1]: line[3] for line in lines}
    assert told["numerator (fen)"] == str(7 * 33_333_333_33 + 21)
    assert told["contracts"] == "7"
    assert told["share (%)"] == answer.json()["content"]["share_percent"]
    for touch in ("fen", "local_number"):
        changed = json.loads(answer.content)
        one = changed["content"]["contracts"][3]
        one[touch] = one[touch] + (1 if touch == "fen" else "x")
        status, lines = recompute(json.dumps(changed).encode(), tmp_path)
        assert status == 1
        wrong = {line[1] for line in lines if line[0] == "DIFFERENT"}
        assert wrong == ({"fingerprint", "numerator (fen)"} if touch == "fen" else {"fingerprint"})


def test_the_figure_is_signed_by_the_market_s_key(as_: As, register: Register, parts: wiring.Parts) -> None:
    register.enter(DAY)
    client = as_("official")
    place = publish(client)
    told = client.get(f"{place}.json").json()
    key = base64.b64decode(told["public_key"])
    assert key == parts.signer.public_key
    assert seals.verify(told["sha256"], told["signature"], key)
    other = "0" * 64
    assert not seals.verify(other, told["signature"], key)
    assert not seals.verify(told["sha256"], "no base64", key)
    assert not seals.verify(told["sha256"], told["signature"], b"short")
    page = as_("visitor").get(place).text
    assert told["signature"] in page
    assert "signature is this market" in page


def test_single_amounts_are_downloaded_by_officials_only(as_: As, register: Register) -> None:
    register.enter(DAY)
    place = publish(as_("official"))
    for who, status in (("visitor", 303), ("officer", 403), ("official", 200)):
        for form in ("json", "csv"):
            assert as_(who).get(f"{place}.{form}").status_code == status, (who, form)
    answer = as_("official").get(f"{place}.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["registered_on"], row["counted"]) for row in rows] == [("2024-05-06", "500000.00")]
    assert as_("official").get("/statistics/snapshots/999.json").status_code == 404


def test_a_revision_names_each_contract_with_its_step(
    as_: As, register: Register, parts: wiring.Parts
) -> None:
    amended, gone, _same = (register.enter(DAY) for _ in range(3))
    client = as_("official")
    first = publish(client)
    officer, now = register.actors["official"], parts.clock.now()
    with parts.db.write() as session:
        deals.step(session, officer, now, amended, Step.AMEND, deal_fen=60_000_000, reason="补充协议一")
        deals.step(session, officer, now, gone, Step.REVOKE, reason="虚假材料")
    register.enter(dt.date(2024, 9, 9), deal_fen=7_000_000, deductions=[])
    second = publish(client, reason="三份合同有变动")
    page = client.get(second).text
    for words in (
        "三份合同有变动", "WL-2024-000001", "WL-2024-000002", "WL-2024-000004", "补充协议一", "虚假材料",
        "another amount", "no longer counted", "added", "¥600,000", "¥70,000",
    ):  # fmt: skip
        assert words in page, words
    changed = page.split('id="changes"')[1].split('id="inputs"')[0]
    assert "WL-2024-000003" not in changed
    public = as_("visitor").get(second).text
    assert "WL-2024-000001" in public
    assert "补充协议一" not in public
    assert "600,000" not in public
    assert "补充协议一" not in as_("official").get(first).text


def test_what_was_published_before_lines_were_kept_reads_on(
    as_: As, register: Register, parts: wiring.Parts
) -> None:
    contract = register.enter(DAY)
    place = publish(as_("official"))
    number = int(place.rsplit("/", 1)[1])
    with parts.db.write() as session:
        row = session.execute(sa.select(t(Snapshot)).where(t(Snapshot).c.id == number)).mappings().one()
        line = {"id": contract, "local_number": "WL-2024-000001", "registered_on": "2024-05-06", "fen": 1}
        content = {**row["content"], "format": 1, "contracts": [line]}
        old = dict(row) | {
            "content": content, "sha256": service.fingerprint(content), "signature": "", "key_id": "",
            "known_at": None,
        }  # fmt: skip
        del old["id"]
        older = session.scalar(sa.insert(t(Snapshot)).values(old).returning(t(Snapshot).c.id))
    client = as_("official")
    page = client.get(f"/statistics/snapshots/{older}")
    assert page.status_code == 200
    assert "published before figures were signed" in page.text
    assert client.get(f"/statistics/snapshots/{older}.json").json()["content"] == content
    register.enter(DAY, deal_fen=2_00, deductions=[])
    later = client.get(publish(client, reason="重新发布")).text
    assert later.count("another amount") == 1
    assert later.count(">added<") + later.count("added</span>") >= 1
