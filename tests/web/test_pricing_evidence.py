"""The evidence of a deal: what is in the bundle, that it agrees with what is kept, and who gets what."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pypdf
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from auctions import queries
from market.clock import FixedClock
from market.db import t
from market.deals import evidence, service
from market.deals.models import EvidenceKind
from market.files.models import Attachment
from market.parties.models import MembershipRow
from market.permissions import Actor
from market.pricing import notices, priority, splits
from market.pricing.inputs import (
    AnswerInput,
    DecisionInput,
    NoticeInput,
    ObjectionInput,
    PriorityInput,
    SplitInput,
    StartInput,
)
from market.pricing.rules import PriorityStep
from market.scrutiny.models import ContractFlag
from tests.auctions.ended import play
from tests.web.pricing import PDF, make_result
from tests.web.register import As, Register
from web import wiring

SignIn = Callable[[TestClient, Actor], TestClient]


@pytest.fixture
def deal(register: Register, parts: wiring.Parts) -> int:
    """A contract with a notice that was objected to, two rights, a split, a flag and two files."""
    result = make_result(register)
    contract = register.draft(result_id=result, deductions=[])
    officer, buyer, now = register.actors["officer"], register.actors["buyer"], register.now
    with register.db.write() as session:
        said = NoticeInput.model_validate(
            {
                "title": "离心泵许可", "abstract": "摘要", "transfer_mode": "licence", "price_fen": 50_000_000,
                "transferee_id": register.organisations["firm"], "procedure": "向科研院提出",
            }
        )  # fmt: skip
        notice = notices.create(session, officer, now, result, said)
        notices.start(session, officer, now, notice, StartInput(unit_place="公告栏", unit_from=now.date()))
        about = ObjectionInput(contact="13800000000", grounds="价格偏低的理由")
        objection = notices.object_to(session, buyer, now, notice, about)
        notices.decide(session, officer, now, notice, objection, DecisionInput(answer="依据评估"))
        later = now.replace(month=4)
        notices.expire_due(session, later)
        notices.sign(session, officer, later, notice, contract)
        for name, of in (("张三", contract), ("李四", None)):
            asked = PriorityInput.model_validate(
                {"basis": "inventor", "holder_name": name, "asked_on": now.date(), "answer_by": now.date()}
                | {"contract_id": of}
            )
            right = priority.ask(session, officer, now, result, asked)
            priority.answer(
                session, officer, now, parts.files, right, PriorityStep.WAIVE,
                AnswerInput(answered_on=now.date()), file=(f"{name}放弃.pdf", PDF + name.encode()),
            )  # fmt: skip
        evidence.attach(
            session, officer, now, parts.files, contract,
            kind=EvidenceKind.CONTRACT_TEXT, name="合同.pdf", content=PDF,
        )  # fmt: skip
        shared = SplitInput.model_validate(
            {"received_on": now.date(), "income_fen": 50_000_000, "award_ppm": "70", "main_ppm": "70"}
            | {"transfer_ppm": "5", "people": [{"name": "王五", "part": "main"}]}
        )
        splits.save(session, officer, now, contract, shared)
        session.add(
            ContractFlag(
                contract_id=contract, kind="related_party", about="declared", raised_at=now, reason="已核实"
            )
        )
    return contract


def bundle(client: TestClient, contract: int, language: str = "zh") -> zipfile.ZipFile:
    answer = client.get(f"/contracts/{contract}/evidence.zip", headers={"accept-language": language})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def text_of(archive: zipfile.ZipFile) -> str:
    pages = pypdf.PdfReader(io.BytesIO(archive.read("index.pdf"))).pages
    return re.sub(r"\s+", "", "".join(page.extract_text() for page in pages).replace("\u200b", ""))


def test_the_index_lists_every_file_with_the_digest_of_its_bytes(
    as_: As, register: Register, deal: int
) -> None:
    archive = bundle(as_("officer"), deal)
    text = text_of(archive)
    names = [name for name in archive.namelist() if name.startswith("files/")]
    assert names == ["files/001 合同.pdf", "files/002 张三放弃.pdf", "files/003 李四放弃.pdf"]
    sums = dict(line.split("  ", 1)[::-1] for line in archive.read("SHA256SUMS").decode().splitlines())
    assert sorted(sums) == sorted(set(archive.namelist()) - {"SHA256SUMS"})
    for name, digest in sums.items():
        assert hashlib.sha256(archive.read(name)).hexdigest() == digest
    for name in names:
        assert sums[name] in text
    with register.db.read() as session:
        kept = set(session.scalars(sa.select(t(Attachment).c.sha256)))
    assert {sums[name] for name in names} == kept
    for words in (
        "成交证据目录", "高效离心泵水力模型技术开发", "¥500,000", "2026-03-17", "价格偏低的理由", "依据评估",
        "公示期满", "王五", "张三", "职务", "放弃",
    ):  # fmt: skip
        assert words in text, words
    facts = json.loads(archive.read("index.json"))
    assert facts["contract"]["deal_fen"] == 50_000_000
    assert [one["sha256"] for one in facts["files"]] == [sums[name] for name in names]
    assert "IndexofEvidence" in text_of(bundle(as_("officer"), deal, "en"))


def test_everybody_gets_what_they_may_know(as_: As, deal: int) -> None:
    for who, status in (("visitor", 404), ("stranger", 404), ("bidder", 404)):
        for page in ("evidence.zip", "pricing"):
            assert as_(who).get(f"/contracts/{deal}/{page}").status_code == status, who
    seen = {who: bundle(as_(who), deal) for who in ("officer", "buyer", "official")}
    # Of the priority rights the buyer sees what was asked for this contract, of the splits nothing.
    for who, named, split, flag in (
        ("officer", True, True, False), ("buyer", False, False, False), ("official", True, True, True),
    ):  # fmt: skip
        everything = seen[who].read("index.json").decode() + text_of(seen[who])
        assert ("李四" in everything) is named, who
        assert ("王五" in everything) is split, who
        assert ("已核实" in everything) is flag, who
        assert ("李四" in as_(who).get(f"/contracts/{deal}/pricing").text) is named, who
        assert "evidence.zip" in as_(who).get(f"/contracts/{deal}").text


def test_of_a_registered_contract_strangers_learn_no_evidence(as_: As, register: Register) -> None:
    contract = register.enter(dt.date(2024, 5, 6))
    assert as_("visitor").get(f"/contracts/{contract}/evidence.zip").status_code == 303
    assert as_("stranger").get(f"/contracts/{contract}/evidence.zip").status_code == 403
    assert "evidence.zip" not in as_("stranger").get(f"/contracts/{contract}").text


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_file_that_is_not_what_it_was_stops_the_bundle(
    as_: As, register: Register, deal: int, parts: wiring.Parts, harm: str
) -> None:
    with register.db.read() as session:
        digest = session.scalar(sa.select(t(Attachment).c.sha256).order_by(t(Attachment).c.id).limit(1))
    assert digest is not None
    root: Path = parts.files.root  # type: ignore[attr-defined]
    path = root / digest[:2] / digest[2:]
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(b"other")
    assert as_("officer").get(f"/contracts/{deal}/evidence.zip").status_code == 503


def test_the_bundle_of_a_won_lot_holds_its_confirmation_of_sale(
    client: TestClient, parts: wiring.Parts, clock: FixedClock, sign_in: SignIn
) -> None:
    parts.writer.start()
    played = play(parts.db, parts.writer, clock)
    assert parts.writer.stop()
    with parts.db.read() as session:
        lot = queries.lot_detail(session, played.lot_id)
    assert lot.winner_organisation_id is not None
    with parts.db.write() as session:
        contract = service.draft_from_lot(
            session, clock.now(), lot_id=played.lot_id, title=lot.card.title, result_id=None,
            seller_organisation_id=lot.card.seller_organisation_id,
            buyer_organisation_id=lot.winner_organisation_id, hammer_fen=1_020_000,
        )  # fmt: skip
        # Those who bid hold no right to contracts; the same organisation's demand owner does.
        session.add(
            MembershipRow(
                person_id=played.winner.person_id, organisation_id=lot.winner_organisation_id,
                role="demand_owner", created_at=clock.now(),
            )
        )  # fmt: skip
    archive = bundle(sign_in(client, played.winner), contract)
    (name,) = (name for name in archive.namelist() if name.startswith("files/"))
    assert name == f"files/001 confirmation-{played.lot_id}.pdf"
    text = text_of(archive)
    assert hashlib.sha256(archive.read(name)).hexdigest() in text
    assert "成交确认书" in text
    alone = client.get(f"/lots/{played.lot_id}/confirmation.pdf", headers={"accept-language": "zh"})
    assert archive.read(name) == alone.content
