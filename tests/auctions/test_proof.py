"""Receipts beside a journal: what is found, and what is not."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from auctions import lookups, proof, queries, receipts
from auctions.bus import LocalBus
from auctions.proof import Opened, Places, ReceiptFinding
from auctions.writer import Writer
from market.clock import FixedClock
from market.db import Database
from tests.auctions.ended import Played, play
from tests.auctions.rows import NOW

SIGNER = receipts.Signer(bytes(range(32)))
OTHER = receipts.Signer(bytes(range(1, 33)))


@pytest.fixture
def played(database: Database) -> Iterator[Played]:
    clock = FixedClock(NOW)
    writer = Writer(database, clock, SIGNER, LocalBus())
    writer.start()
    yield play(database, writer, clock)
    assert writer.stop()


def exported(database: Database, lot_id: int) -> list[str]:
    with database.read() as session:
        return list(queries.export_journal(session, lot_id))


def judged(lines: list[str], receipt: Any, key: bytes | None = SIGNER.public_key) -> Opened:
    one = proof.open_receipt(receipt, key)
    _, places = proof.check(lines, [one])
    proof.judge(one, places)
    return one


def signed(receipt: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The same receipt with another content, truly signed: what a dishonest market could hand out."""
    (made,) = SIGNER.sign([{**json.loads(receipt["content"]), **changes}])
    return made


def test_what_was_handed_out_holds(database: Database, played: Played) -> None:
    lines = exported(database, played.lot_id)
    report, _ = proof.check(lines)
    assert report.violations == []
    for receipt in [*played.accepted, *played.refused]:
        one = judged(lines, receipt)
        assert (one.good, one.signed) == (True, True)
        assert judged(lines, receipt, None).signed is None


def test_the_same_is_found_by_keys_as_by_streaming(database: Database, played: Played) -> None:
    with database.read() as session:
        for receipt in [*played.accepted, *played.refused]:
            one = proof.open_receipt(receipt, SIGNER.public_key)
            assert one.content is not None
            proof.judge(one, lookups.places(session, played.lot_id, [one.content]))
            assert one.good
        assert lookups.places(session, 10**9, []).lot_id is None


F = ReceiptFinding
FORGED = [
    (True, {"hash": "0" * 64}, [F.MISSING]),
    (True, {"seq": 10**12}, [F.MISSING]),
    (True, {"seq": 1}, [F.MISSING]),
    (True, {"amount_fen": 1}, [F.OTHER_BID]),
    (True, {"alias": 3}, [F.OTHER_BID]),
    (True, {"received_at": "2026-01-01T00:00:00.000000Z"}, [F.OTHER_BID]),
    (True, {"lot_id": 10**9}, [F.OTHER_LOT]),
    (True, {"seq": "1"}, [F.NOT_A_RECEIPT]),
    (True, {"accepted": 1}, [F.NOT_A_RECEIPT]),
    (False, {"hash": "0" * 64}, [F.UNKNOWN_HEAD]),
    (False, {"seq": 10**6}, [F.UNKNOWN_RULE]),
    (False, {"seq": -1, "hash": ""}, [F.UNKNOWN_HEAD, F.UNKNOWN_RULE]),
]


@pytest.mark.parametrize(("accepted", "changes", "findings"), FORGED)
def test_a_lying_receipt_is_found_out(
    sqlite_database: Database, accepted: bool, changes: dict[str, Any], findings: list[ReceiptFinding]
) -> None:
    clock = FixedClock(NOW)
    writer = Writer(sqlite_database, clock, SIGNER, LocalBus())
    writer.start()
    played = play(sqlite_database, writer, clock)
    assert writer.stop()
    receipt = signed((played.accepted if accepted else played.refused)[0], **changes)
    assert judged(exported(sqlite_database, played.lot_id), receipt).findings == findings


def test_a_refusal_that_cites_what_came_later_is_found_out(database: Database, played: Played) -> None:
    lines = exported(database, played.lot_id)
    refusal = played.refused[0]
    head = json.loads(refusal["content"])["hash"]
    seq = next(json.loads(line)["seq"] for line in lines[1:] if json.loads(line)["hash"] == head)
    assert judged(lines, signed(refusal, seq=seq + 1)).findings == [F.UNKNOWN_RULE]


def test_signatures_and_shapes() -> None:
    (receipt,) = SIGNER.sign([{"lot_id": 1, "seq": 1, "hash": "0", "accepted": True}])
    assert proof.open_receipt(receipt, OTHER.public_key).findings == [F.OTHER_KEY]
    bent = copy.deepcopy(receipt)
    bent["content"] = bent["content"].replace('"seq":1', '"seq":2')
    assert proof.open_receipt(bent, SIGNER.public_key).findings == [F.BAD_SIGNATURE]
    for nothing in (None, 1, "text", [], {}, {"content": 1}, {"content": "[]"}, {"content": "{"}):
        assert proof.open_receipt(nothing, SIGNER.public_key).findings == [F.NOT_A_RECEIPT]


def test_receipts_are_read_however_they_come() -> None:
    one = {"content": "…", "signature": ""}
    for text in (
        json.dumps(one),
        json.dumps([one]),
        json.dumps(one) + "\n",
        json.dumps({"type": "receipt", "receipt": one}),
        "\ufeff" + json.dumps([{"receipt": one}]),
    ):
        assert proof.read_receipts(text) == [one]
    assert proof.read_receipts(json.dumps(one) + "\n\n" + json.dumps(one)) == [one, one]
    for text in ("", "  ", "[]", "hello", "{", "[" * 5000):
        with pytest.raises(proof.NotReceipts):
            proof.read_receipts(text)


def test_keys_are_32_bytes_of_base64() -> None:
    text = base64.b64encode(SIGNER.public_key).decode()
    assert proof.parse_key(f" {text[:20]}\n{text[20:]} ") == SIGNER.public_key
    for bad in ("", "abc", text[:-4], "é" * 44):
        with pytest.raises(ValueError):
            proof.parse_key(bad)


def test_a_file_made_to_break_the_checker_is_a_finding(database: Database, played: Played) -> None:
    lines = exported(database, played.lot_id)
    first = json.loads(lines[0])
    terms = json.loads(first["terms"])
    for steps in ([], [[0, 0]], [[10**12, 1]]):
        forged = json.dumps({**first, "terms": json.dumps({**terms, "steps": steps})})
        report, _ = proof.check([forged, *lines[1:]])
        assert report.violations, steps
    report, _ = proof.check(["[" * 200_000])
    assert report.violations
    report, _ = proof.check([lines[0], '{"type":"entry","seq":' + "9" * 5000 + "}"])
    assert report.violations


def test_only_cited_places_are_kept(database: Database, played: Played) -> None:
    lines = exported(database, played.lot_id)
    places = Places()
    content = json.loads(played.accepted[0]["content"])
    assert list(places.passing(lines, [content])) == lines
    assert (places.lot_id, set(places.by_seq), len(places.by_hash)) == (played.lot_id, {content["seq"]}, 1)


def test_where_a_bidder_came_in(database: Database, played: Played) -> None:
    with database.read() as session:
        aliases = {who.person_id: n for n, who in enumerate(played.bidders, 1)}
        first = lookups.standing(session, played.lot_id, aliases[played.winner.person_id])
        second = lookups.standing(session, played.lot_id, aliases[played.loser.person_id])
        assert lookups.standing(session, played.lot_id, 3) is None
        assert lookups.standing(session, 10**9, 1) is None
        assert lookups.standings(session, played.lot_id) == {
            aliases[played.winner.person_id]: first,
            aliases[played.loser.person_id]: second,
        }
    assert first == lookups.Standing(1, 2, 1_020_000, 1_020_000, 0)
    assert second == lookups.Standing(2, 2, 1_000_000, 1_020_000, 20_000)
