"""Verification pages, the command, downloads of receipts, and confirmations of sale."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pypdf
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from typer.testing import CliRunner

import auctions.verify
from auctions import lookups, queries, receipts
from auctions.models import JournalEntry, Lot
from auctions.rules import commands as c
from market.clock import FixedClock
from market.db import t
from market.permissions import Actor
from tests.auctions.ended import Played, play
from web import cli, confirmations, i18n, wiring
from web.routes import lot_proof

SignIn = Callable[[TestClient, Actor], TestClient]


@pytest.fixture
def writer(parts: wiring.Parts) -> Iterator[Any]:
    parts.writer.start()
    yield parts.writer
    assert parts.writer.stop()


@pytest.fixture
def played(parts: wiring.Parts, writer: Any, clock: FixedClock) -> Played:
    return play(parts.db, writer, clock)


def closing(parts: wiring.Parts, lot_id: int) -> lookups.Place:
    with parts.db.read() as session:
        found = lookups.closing(session, lot_id)
    assert found is not None
    return found


def journal(client: TestClient, lot_id: int) -> str:
    return client.get(f"/lots/{lot_id}/journal.jsonl").text


class TestLotPage:
    def test_a_sound_journal_is_told_with_its_outcome_and_how_to_repeat_it(
        self, client: TestClient, played: Played, parts: wiring.Parts
    ) -> None:
        page = client.get(f"/lots/{played.lot_id}/verify")
        assert page.status_code == 200
        head = json.loads(journal(client, played.lot_id).splitlines()[-1])["hash"]
        for words in (
            "The journal is sound", "¥10,200", "bidder 1", head, parts.public_key, parts.signer.key_id,
            f"http://testserver/lots/{played.lot_id}/journal.jsonl", "http://testserver/verify/checker.pyz",
        ):  # fmt: skip
            assert words in page.text, words
        assert "日志核验通过" in client.get(f"/lots/{played.lot_id}/verify?lang=zh-Hans").text

    def test_a_confirmation_is_compared_entry_by_entry(
        self, client: TestClient, played: Played, parts: wiring.Parts
    ) -> None:
        place = closing(parts, played.lot_id)

        def claim(seq: object, digest: str) -> str:
            return client.get(f"/lots/{played.lot_id}/verify", params={"seq": seq, "hash": digest}).text

        good = claim(place.seq, place.hash)
        assert f"This confirmation matches entry {place.seq} of the journal" in good
        assert "does not match" not in good
        for bad in (
            (place.seq, "0" * 64), (place.seq - 1, place.hash), (place.seq, ""), ("", place.hash),
            (10**12, place.hash), ("x", "y"), (place.seq, place.hash[:-1]),
        ):  # fmt: skip
            page = claim(*bad)
            assert "does not match" in page, bad
            assert 'role="alert"' in page

    def test_a_confirmation_still_matches_after_a_default(
        self, client: TestClient, played: Played, parts: wiring.Parts, writer: Any
    ) -> None:
        place = closing(parts, played.lot_id)
        assert writer.submit(c.RecordDefault(lot_id=played.lot_id, reason="未签约")).result(20).accepted
        page = client.get(f"/lots/{played.lot_id}/verify", params={"seq": place.seq, "hash": place.hash})
        assert "matches entry" in page.text
        assert "The journal is sound" in page.text

    def test_a_lot_that_goes_on_is_not_computed(
        self, client: TestClient, parts: wiring.Parts, writer: Any, clock: FixedClock
    ) -> None:
        played = play(parts.db, writer, clock, until="bid")
        page = client.get(f"/lots/{played.lot_id}/verify")
        assert page.status_code == 200
        assert "has not ended" in page.text
        assert "The journal is sound" not in page.text
        assert client.get("/lots/999999/verify").status_code == 404

    def test_what_was_found_is_kept_until_the_journal_grows(
        self, client: TestClient, played: Played, writer: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = []
        true_export = queries.export_journal

        def counting(*arguments: Any, **options: Any) -> Any:
            calls.append(arguments)
            return true_export(*arguments, **options)

        monkeypatch.setattr(queries, "export_journal", counting)
        path = f"/lots/{played.lot_id}/verify"
        first = client.get(path).text
        assert client.get(path).text == first
        assert len(calls) == 1
        writer.submit(c.Announce(lot_id=played.lot_id, text="资料已归档")).result(20)
        assert "The journal is sound" in client.get(path).text
        assert len(calls) == 2

    def test_a_changed_journal_is_told_in_sentences(
        self, client: TestClient, played: Played, parts: wiring.Parts
    ) -> None:
        """The rows cannot be changed by hand; a copy that was changed is found out."""
        lines = journal(client, played.lot_id).splitlines()
        forged = [line.replace("1020000", "2020000") for line in lines]
        page = client.post("/verify", files={"journal": ("a.jsonl", "\n".join(forged))})
        assert page.status_code == 200
        assert "The journal is not sound" in page.text
        assert "The chain of hashes is broken" in page.text
        assert "broken_chain" in page.text


class TestReceipts:
    def test_own_receipts_are_downloaded_and_hold(
        self, client: TestClient, played: Played, parts: wiring.Parts, sign_in: SignIn
    ) -> None:
        path = f"/lots/{played.lot_id}/receipts.json"
        assert client.get(path).headers["location"].startswith("/sign-in")
        sign_in(client, played.winner)
        answer = client.get(path)
        assert answer.headers["cache-control"] == "private, no-store"
        assert answer.json() == [*played.refused, *played.accepted[1:]]
        page = client.post("/verify", data={"receipt": answer.text})
        assert page.text.count("Signed by the market") == 2
        assert "Refused: " in page.text
        both = client.post(
            "/verify",
            data={"receipt": answer.text},
            files={"journal": ("j.jsonl", journal(client, played.lot_id))},
        )
        assert both.text.count("Signed by the market") == 2
        assert "The journal is sound" in both.text
        kept = client.post("/verify", files={"receipts": ("lot-1-receipts.json", answer.content)})
        assert kept.text.count("Signed by the market") == 2

    @pytest.mark.parametrize("content", [b"no receipt", b"\xff\xfe", b"[" * 200_000, b" " * (4 * 2**20 + 1)])
    def test_a_file_that_holds_none_is_answered_at_its_field(
        self, client: TestClient, content: bytes
    ) -> None:
        page = client.post("/verify", files={"receipts": ("r.json", content)})
        assert page.status_code == 422
        assert 'id="f-receipts-error"' in page.text

    def test_each_is_checked_by_a_link_and_only_by_its_owner(
        self, client: TestClient, played: Played, sign_in: SignIn
    ) -> None:
        path = f"/lots/{played.lot_id}/verify?receipt=second-bid"
        assert client.get(path).headers["location"].startswith("/sign-in")
        sign_in(client, played.winner)
        assert "the journal holds the bid" in client.get(path).text
        assert "what the refusal cites" in client.get(path.replace("second", "lower")).text
        listed = client.get(f"/lots/{played.lot_id}/journal").text
        assert "receipt=second-bid" in listed
        sign_in(client, played.loser)
        assert client.get(path).status_code == 404

    def test_a_forged_one_and_another_key_are_named(
        self, client: TestClient, played: Played, parts: wiring.Parts
    ) -> None:
        bent = {**played.accepted[0], "content": played.accepted[0]["content"].replace("1000000", "9000000")}
        assert (
            "something in it was changed" in client.post("/verify", data={"receipt": json.dumps(bent)}).text
        )
        other = base64.b64encode(receipts.Signer(bytes(32)).public_key).decode()
        page = client.post("/verify", data={"receipt": json.dumps(played.accepted[0]), "key": other})
        assert "another key than the one given" in page.text
        (unknown,) = parts.signer.sign([{"lot_id": 9**9, "seq": 1, "hash": "", "accepted": True}])
        assert "its journal is not here" in client.post("/verify", data={"receipt": json.dumps(unknown)}).text

    def test_text_that_no_database_takes_is_no_receipt_of_ours(
        self, client: TestClient, played: Played, sign_in: SignIn
    ) -> None:
        made = {"lot_id": played.lot_id, "seq": 1, "hash": "\0", "accepted": False}
        forged = {"content": json.dumps(made), "signature": ""}
        assert client.post("/verify", data={"receipt": json.dumps(forged)}).status_code == 200
        sign_in(client, played.winner)
        path = f"/lots/{played.lot_id}/verify?receipt="
        for one in ("%00", "second-bid%00", "second-bid" + "x" * 80):
            assert client.get(path + one).status_code == 404


BAD = [
    ({}, None, "Choose a journal or a file of receipts"),
    ({"receipt": "hello"}, None, "No receipt can be read here"),
    ({"receipt": "{}", "key": "abc"}, None, "32 bytes"),
    ({}, b"", "The file is empty"),
    ({}, b"\n\n", "The file is empty"),
    ({}, b"not json\n", "The file is not JSON"),
    ({}, b'{"type":"entry"}\n', "JSON but no journal"),
    ({}, b"[]", "JSON but no journal"),
    ({}, b'{"content":"{}","signature":""}', "This is a receipt, not a journal"),
    ({}, b'[\n {"content":"{}","signature":""}\n]', "This is a receipt, not a journal"),
    ({}, b"\xff\xfe\x00", "not UTF-8 text"),
]


@pytest.mark.parametrize(("data", "content", "words"), BAD)
def test_bad_input_is_answered_with_what_to_do(
    client: TestClient, data: dict[str, str], content: bytes | None, words: str
) -> None:
    files = None if content is None else {"journal": ("j.jsonl", content)}
    page = client.post("/verify", data=data, files=files)
    assert page.status_code == 422
    assert words in page.text
    assert client.get("/verify").status_code == 200


def test_a_file_too_large_is_for_the_command(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lot_proof, "MOST_MB", 0)
    page = client.post("/verify", files={"journal": ("j.jsonl", "{}")})
    assert page.status_code == 422
    assert "market verify" in page.text


def test_files_are_bounded_in_lines_and_checked_one_at_a_time(
    client: TestClient, played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"journal": ("j.jsonl", journal(client, played.lot_id))}
    with lot_proof._SLOT:
        busy = client.post("/verify", files=files)
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
    monkeypatch.setattr(lot_proof, "MOST_LINES", 3)
    assert client.post("/verify", files=files).status_code == 422
    monkeypatch.undo()
    assert client.post("/verify", files=files).status_code == 200


def test_checking_stores_nothing(client: TestClient, played: Played, parts: wiring.Parts) -> None:
    def rows() -> list[int]:
        with parts.db.read() as session:
            metadata = sa.MetaData()
            metadata.reflect(session.connection())
            return [
                session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for _, table in sorted(metadata.tables.items())
            ]

    before = rows()
    files = {"journal": ("j.jsonl", journal(client, played.lot_id))}
    assert client.post("/verify", files=files).status_code == 200
    assert rows() == before


def test_the_checker_is_served_and_runs_alone(client: TestClient, played: Played, tmp_path: Path) -> None:
    (tmp_path / "checker.pyz").write_bytes(client.get("/verify/checker.pyz").content)
    (tmp_path / "lot.jsonl").write_text(journal(client, played.lot_id), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-I", "checker.pyz", "lot.jsonl"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["hammer_fen"] == 1_020_000


def test_every_violation_has_a_sentence() -> None:
    """Those that the checker's description lists, and those that its code names."""
    folder = Path(auctions.verify.__file__).parent
    sources = [folder / "verify.py", *(folder / "checker").rglob("*.py")]
    named = {
        code
        for path in sources
        for code in re.findall(r'\bwrong\(\s*"(\w+)"', path.read_text(encoding="utf-8"))
    }
    listed = (auctions.verify.__doc__ or "").split("by code:")[1].split("\n\n")[0]
    codes = named | set(re.findall(r"\b[a-z]+_[a-z_]+\b", listed)) | {"unreadable", "other"}
    assert len(codes) > 50
    absent = sorted(code for code in codes if not i18n.has_term(f"violation.{code}", "zh-Hans"))
    assert absent == []


class TestCommand:
    def run(self, *arguments: object) -> tuple[int, str]:
        done = CliRunner().invoke(cli.app, ["verify", *map(str, arguments)])
        return done.exit_code, re.sub(r"\s+", " ", done.output)

    @pytest.fixture
    def files(self, client: TestClient, played: Played, tmp_path: Path) -> tuple[Path, Path]:
        journal_file, receipt_file = tmp_path / "lot [1].jsonl", tmp_path / "receipts.json"
        journal_file.write_text(journal(client, played.lot_id), encoding="utf-8")
        receipt_file.write_text(json.dumps([*played.accepted, *played.refused]), encoding="utf-8")
        return journal_file, receipt_file

    def test_journals_and_receipts(self, parts: wiring.Parts, files: tuple[Path, Path]) -> None:
        journal_file, receipt_file = files
        status, out = self.run(journal_file, "--receipt", receipt_file, "--key", parts.public_key)
        assert status == 0, out
        assert "sound" in out
        assert out.count("signed and in the journal") == 3
        status, out = self.run(journal_file, "--receipt", receipt_file)
        assert (status, "Signatures were not checked" in out) == (0, True)

    def test_what_is_wrong_has_its_status(
        self, parts: wiring.Parts, files: tuple[Path, Path], tmp_path: Path, played: Played
    ) -> None:
        journal_file, receipt_file = files
        other = base64.b64encode(receipts.Signer(bytes(32)).public_key).decode()
        status, out = self.run(journal_file, "--receipt", receipt_file, "--key", other)
        assert (status, out.count("another key")) == (1, 3)
        assert self.run(journal_file, "--receipt", receipt_file, "--key", "abc")[0] == 2
        assert self.run(journal_file, "--receipt", journal_file.with_name("none"))[0] == 2
        assert self.run(tmp_path / "none")[0] == 2
        lines = journal_file.read_text(encoding="utf-8").splitlines()
        cut = tmp_path / "cut.jsonl"
        seq = json.loads(played.accepted[1]["content"])["seq"]
        cut.write_text("\n".join(lines[:seq]), encoding="utf-8")
        status, out = self.run(cut, "--receipt", receipt_file, "--key", parts.public_key)
        assert (status, "does not hold the entry" in out) == (1, True)


class TestConfirmation:
    def text(self, content: bytes) -> str:
        reader = pypdf.PdfReader(io.BytesIO(content))
        assert len(reader.pages) == 1
        page = reader.pages[0]
        assert (round(float(page.mediabox.width)), round(float(page.mediabox.height))) == (595, 842)
        return re.sub(r"\s+", "", page.extract_text().replace("\u200b", ""))

    def test_it_says_who_what_and_how_to_check(
        self, client: TestClient, played: Played, parts: wiring.Parts, sign_in: SignIn
    ) -> None:
        sign_in(client, played.winner)
        path = f"/lots/{played.lot_id}/confirmation.pdf"
        answer = client.get(path, headers={"accept-language": "zh"})
        assert answer.headers["content-type"] == "application/pdf"
        text = self.text(answer.content)
        place = closing(parts, played.lot_id)
        with parts.db.read() as session:
            lot = queries.lot_detail(session, played.lot_id)
            facts = confirmations.read(session, lot)
        for words in (
            "竞价成交确认书", "无堵塞自吸泵叶轮", facts.seller.name, facts.winner.name,
            facts.winner.credit_code, "¥10,200.00", "壹万零贰佰元整", "竞买号1", place.hash, lot.head_hash,
            lot.terms_hash, parts.signer.key_id, "北京时间", "盖章",
        ):  # fmt: skip
            assert words in text, words
        english = self.text(client.get(path).content)
        assert "ConfirmationofSalebyOpenBidding" in english
        assert "壹万零贰佰元整" in english

    def test_the_same_journal_gives_the_same_bytes(
        self, client: TestClient, played: Played, sign_in: SignIn, clock: FixedClock
    ) -> None:
        sign_in(client, played.winner)
        path = f"/lots/{played.lot_id}/confirmation.pdf"
        first = client.get(path).content
        clock.advance(days=3)
        assert client.get(path).content == first
        date = pypdf.PdfReader(io.BytesIO(first)).metadata
        assert date is not None
        assert date.creation_date is not None
        assert date.creation_date.date().isoformat() == "2026-03-09"

    def test_an_auction_houses_is_named_by_the_law(
        self, parts: wiring.Parts, writer: Any, clock: FixedClock
    ) -> None:
        played = play(parts.db, writer, clock, organiser_type="auction_house", reserve_fen=1_010_000)
        with parts.db.read() as session:
            facts = confirmations.read(session, queries.lot_detail(session, played.lot_id))
        made = confirmations.make(facts, parts.settings, parts.signer.key_id, "zh-Hans")
        text = self.text(made)
        for words in (
            "拍卖成交确认书",
            "第五十二条",
            "买受人",
            "拍卖人",
            "委托人",
            "保留价¥10,100（已达到）",
        ):
            assert words in text, words

    def test_only_its_parties_and_staff_may_have_it(
        self, client: TestClient, played: Played, sign_in: SignIn
    ) -> None:
        path = f"/lots/{played.lot_id}/confirmation.pdf"
        assert client.get(path).status_code == 404
        for who, status in (
            (played.loser, 404), (played.winner, 200), (played.rows.staff, 200), (played.rows.officer, 200),
        ):  # fmt: skip
            sign_in(client, who)
            assert client.get(path).status_code == status, who.name
            linked = path in client.get(f"/lots/{played.lot_id}").text
            assert linked is (status == 200)

    def test_there_is_none_without_a_sale(
        self, client: TestClient, parts: wiring.Parts, writer: Any, clock: FixedClock, sign_in: SignIn
    ) -> None:
        played = play(parts.db, writer, clock, reserve_fen=5_000_000)
        sign_in(client, played.rows.staff)
        assert client.get(f"/lots/{played.lot_id}/confirmation.pdf").status_code == 409
        sign_in(client, played.winner)
        assert client.get(f"/lots/{played.lot_id}/confirmation.pdf").status_code == 404

    def test_titles_are_text_and_never_markup(
        self, client: TestClient, played: Played, parts: wiring.Parts, sign_in: SignIn
    ) -> None:
        with parts.db.write() as session:
            title = '#panic("x") $y$ *b* \\ "quoted" #sys.inputs'
            session.execute(sa.update(t(Lot)).where(t(Lot).c.id == played.lot_id).values(title=title))
        sign_in(client, played.winner)
        answer = client.get(f"/lots/{played.lot_id}/confirmation.pdf")
        assert answer.status_code == 200
        assert '#panic("x")$y$*b*\\"quoted"#sys.inputs' in self.text(answer.content)

    @pytest.mark.parametrize("language", i18n.LANGUAGES)
    def test_long_names_stay_on_one_page(self, played: Played, parts: wiring.Parts, language: str) -> None:
        with parts.db.read() as session:
            facts = confirmations.read(session, queries.lot_detail(session, played.lot_id))
        card = replace(
            facts.lot.card, title="柔性作业调度与能耗协同优化方法及系统" * 10, hammer_fen=98_765_432_109
        )
        seller = lookups.Party("浙江省台州市温岭高端装备产业技术联合创新研究院" * 2, "12330300MAD0000867")
        facts = replace(facts, lot=replace(facts.lot, card=card, sale_title="专场" * 20), seller=seller)
        made = confirmations.make(facts, parts.settings, parts.signer.key_id, language)
        assert "玖亿捌仟柒佰陆拾伍万肆仟叁佰贰拾壹元" in self.text(made)

    def test_the_code_leads_to_the_public_page(self, played: Played, parts: wiring.Parts) -> None:
        place = closing(parts, played.lot_id)
        link = confirmations.proof_url(parts.settings, played.lot_id, place)
        assert link == f"http://testserver/lots/{played.lot_id}/verify?seq={place.seq}&hash={place.hash}"
        assert confirmations.qr_code(link).startswith("<svg")

    def test_without_a_chinese_font_it_says_what_to_install(
        self,
        client: TestClient,
        played: Played,
        parts: wiring.Parts,
        sign_in: SignIn,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from web.doctor import examine

        confirmations._fonts.cache_clear()
        monkeypatch.setattr(confirmations, "FONTS", ("No Such Family",))
        sign_in(client, played.winner)
        page = client.get(f"/lots/{played.lot_id}/confirmation.pdf")
        assert page.status_code == 503
        assert "fonts-noto-cjk" in page.text
        (check,) = [check for check in examine(parts) if check.part == "certificates"]
        assert (check.ok, "fonts-noto-cjk" in check.state) == (False, True)
        monkeypatch.undo()
        (check,) = [check for check in examine(parts) if check.part == "certificates"]
        assert check.ok


def test_the_losers_note_is_on_the_lots_page(client: TestClient, played: Played, sign_in: SignIn) -> None:
    note = "You were number 2 of 2 bidders"
    for who, shown in ((played.loser, True), (played.winner, False), (played.bidders[2], False)):
        sign_in(client, who)
        page = client.get(f"/lots/{played.lot_id}").text
        assert (note in page) is shown
        if shown:
            assert "¥10,000 was ¥200 below the best" in page


def test_a_big_journal_is_streamed(parts: wiring.Parts, played: Played, client: TestClient) -> None:
    """More entries than one page of the export: the whole is read, page by page."""
    with parts.db.read() as session:
        count = session.execute(
            sa.select(sa.func.count()).where(t(JournalEntry).c.lot_id == played.lot_id)
        ).scalar_one()
    for number in range(600 - count):
        parts.writer.submit(c.Announce(lot_id=played.lot_id, text=f"公告 {number}"))
    parts.writer.submit(c.Announce(lot_id=played.lot_id, text="完")).result(60)
    page = client.get(f"/lots/{played.lot_id}/verify").text
    assert "The journal is sound" in page
    assert "Entries read: 601" in page
