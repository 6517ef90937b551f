"""The independent checker: clean on what the engine makes, and not fooled by forgeries or faulty rules."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import auctions.verify
from auctions.rules import commands as c
from auctions.rules import decide as deciding
from auctions.rules import events as e
from auctions.rules.canonical import instant, iso
from auctions.rules.formats import english
from auctions.rules.refusal import Refusal
from auctions.rules.state import Lot
from auctions.verify import verify_lines
from tests.auctions.histories import ENDS, LOT, OPENS, Body, History, forged, sample, with_terms

S = dt.timedelta(seconds=1)


def codes(lines: list[str]) -> set[str]:
    return {violation.code for violation in verify_lines(lines).violations}


def test_a_true_history_is_clean_and_its_outcome_is_computed_again() -> None:
    report = verify_lines(sample().lines())
    assert report.violations == []
    assert (report.state, report.winner, report.hammer_fen, report.reason) == ("defaulted", 2, 3500, "sold")
    assert report.bids == 6


def test_an_unforged_rewrite_is_clean() -> None:
    assert codes(forged(sample(), lambda bodies: None)) == set()


def test_the_checker_shares_no_code_with_the_engine() -> None:
    import ast

    folder = Path(auctions.verify.__file__).parent
    imported = {
        name
        for path in [folder / "verify.py", *(folder / "checker").rglob("*.py")]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    }
    ours = {name for name in imported if name.startswith("auctions.checker")}
    assert {name.split(".")[0] for name in imported - ours} <= set(sys.stdlib_module_names) | {"__future__"}


def test_it_runs_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text("\n".join(sample().lines()), encoding="utf-8")
    good = subprocess.run(
        [sys.executable, auctions.verify.__file__, str(path)], capture_output=True, text=True, check=False
    )
    assert good.returncode == 0
    assert json.loads(good.stdout)["clean"] is True
    path.write_text("\n".join(sample().lines()[:-6]).replace("1300", "1250"), encoding="utf-8")
    bad = subprocess.run(
        [sys.executable, auctions.verify.__file__, str(path)], capture_output=True, text=True, check=False
    )
    assert bad.returncode == 1


def of(bodies: list[Body], kind: str, place: int = 0) -> Body:
    return [body for body in bodies if body["kind"] == kind][place]


def drop(bodies: list[Body], kind: str, place: int = 0) -> None:
    bodies.remove(of(bodies, kind, place))


def change(kind: str, place: int = 0, **values: Any) -> Callable[[list[Body]], None]:
    return lambda bodies: of(bodies, kind, place).update(values)


def move(kind: str, place: int, seconds: float, *fields: str) -> Callable[[list[Body]], None]:
    def apply(bodies: list[Body]) -> None:
        body = of(bodies, kind, place)
        for field in fields:
            body[field] = iso(instant(body[field]) + dt.timedelta(seconds=seconds))

    return apply


def swap(bodies: list[Body]) -> None:
    bodies[6], bodies[7] = bodies[7], bodies[6]


FORGERIES: list[tuple[str, Callable[[list[Body]], None], str]] = [
    ("a first bid below the start", change("bid_accepted", 0, amount_fen=900), "bid_below_start"),
    ("a bid under the step", change("bid_accepted", 1, amount_fen=1050), "bid_too_low"),
    ("a bid off the step", change("bid_accepted", 1, amount_fen=1350), "bid_off_step"),
    ("a bid above the cap", change("bid_accepted", -1, amount_fen=200_000), "bid_above_cap"),
    ("a bid that leaps", change("bid_accepted", 0, amount_fen=9000), "bid_too_far"),
    ("a stranger's bid", change("bid_accepted", 1, alias=9), "bid_by_stranger"),
    ("the leader's own raise", change("bid_accepted", 1, alias=1), "bid_by_leader"),
    ("a match without priority", change("bid_accepted", 2, alias=3), "bid_too_low"),
    ("a raise called a match", change("bid_accepted", 1, matched=True), "false_match"),
    ("a bid after the end", move("bid_accepted", -1, 600, "received_at", "at"), "bid_after_end"),
    ("a bid received later than decided", move("bid_accepted", 0, 5, "received_at"), "received_in_future"),
    ("an extension too long", move("bid_accepted", 3, 5, "ends_at"), "wrong_extension"),
    ("an extension without cause", move("bid_accepted", 1, 60, "ends_at"), "wrong_extension"),
    ("an end moved back", move("bid_accepted", 1, -60, "ends_at"), "end_moved_back"),
    ("a pause paid back too richly", move("resumed", 0, 30, "ends_at", "hard_end"), "wrong_shift"),
    ("closed before the end", move("closed", 0, -5, "at"), "closed_early"),
    ("another winner", change("closed", winner=1), "wrong_outcome"),
    ("another price", change("closed", hammer_fen=3000), "wrong_outcome"),
    ("a reserve lowered afterwards", change("closed", reserve_fen=1000), "reserve_opening"),
    ("no close at all", lambda b: drop(b, "closed"), "wrong_default"),
    ("two closes", lambda b: b.insert(-1, dict(of(b, "closed"))), "second_outcome"),
    ("an admission left out", lambda b: drop(b, "bidder_admitted"), "bad_admission"),
    ("a deposit too small", change("bidder_admitted", 0, deposit_fen=1), "deposit_short"),
    ("an admission in another's name", change("bidder_admitted", 0, commitment="a" * 64), "opened_identity"),
    ("a bid dropped", lambda b: drop(b, "bid_accepted", 2), "bid_by_stranger_or_state"),
    ("two entries swapped", swap, "time_backwards"),
    ("an opening left out", lambda b: drop(b, "opened"), "bid_while_closed"),
    ("a resumption left out", lambda b: drop(b, "resumed"), "bid_while_closed"),
    ("a state misnamed", change("bid_accepted", 0, state="extending"), "state_mismatch"),
    ("time running backwards", move("bid_accepted", 1, -15, "at", "received_at"), "time_backwards"),
]


@pytest.mark.parametrize(("name", "forge", "code"), FORGERIES, ids=[f[0] for f in FORGERIES])
def test_forgeries_with_a_right_chain_are_seen(
    name: str, forge: Callable[[list[Body]], None], code: str
) -> None:
    found = codes(forged(sample(), forge))
    if code == "bid_by_stranger_or_state":
        # Dropping a matching bid leaves a history that is lawful in itself: only the head gives it away.
        assert verify_lines(forged(sample(), forge)).head_hash != verify_lines(sample().lines()).head_hash
    else:
        assert code in found


def test_openings_show_a_seller_who_bid() -> None:
    lines = forged(sample(), lambda bodies: None, {"seller_organisation_id": 12})
    assert codes(lines) == {"barred_bidder"}


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda lines: lines.pop(5), "seq_gap"),
        (lambda lines: lines.pop(0), "no_terms"),
        (lambda lines: lines.insert(6, lines[6]), "seq_gap"),
        (lambda lines: lines.__setitem__(0, lines[0].replace("1000", "2000")), "terms_hash"),
        (lambda lines: lines.__setitem__(8, lines[8].replace("1000", "1100")), "broken_chain"),
        (lambda lines: lines.__setitem__(4, "{"), "line_malformed"),
    ],
)
def test_a_tampered_file_is_seen(edit: Callable[[list[str]], None], code: str) -> None:
    lines = sample().lines()
    edit(lines)
    assert code in codes(lines)


def test_a_receipt_without_its_entry_is_seen() -> None:
    history = sample()
    entry = next(x for x in history.entries if x.kind == "bid_accepted")
    receipt = {"accepted": True, "seq": entry.seq, "hash": entry.hash, "client_bid_id": "x"}
    assert verify_lines(history.lines(), [receipt]).clean
    found = verify_lines(history.lines(), [{**receipt, "hash": "0" * 64}])
    assert [violation.code for violation in found.violations] == ["receipt_missing"]


# Rules with a fault in them: the engine believes itself, the checker does not.


def _real(lot: Lot, bid: c.PlaceBid, now: dt.datetime) -> Any:
    return REAL(lot, bid, now)


REAL = english.decide_bid


def lenient(lot: Lot, bid: c.PlaceBid, now: dt.datetime) -> Any:
    return (
        e.BidAccepted(
            bid.alias or 0, bid.amount_fen, bid.received_at, False, english.extended_end(lot, bid.received_at)
        ),
    )


def never_extends(lot: Lot, received_at: dt.datetime) -> dt.datetime:
    assert lot.ends_at is not None
    return lot.ends_at


def ignores_hard_end(lot: Lot, received_at: dt.datetime) -> dt.datetime:
    return EXTEND(replace(lot, hard_end=None), received_at)


def always_extends(lot: Lot, received_at: dt.datetime) -> dt.datetime:
    assert lot.ends_at is not None
    return max(lot.ends_at, received_at + 600 * S)


EXTEND = english.extended_end
OUTCOME = english.outcome


def ignores_reserve(lot: Lot) -> e.Closed:
    closed = OUTCOME(replace(lot, terms=replace(lot.terms, reserve_fen=None, reserve_nonce="")))
    return replace(closed, reserve_fen=lot.terms.reserve_fen, reserve_nonce=lot.terms.reserve_nonce)


def first_bidder_wins(lot: Lot) -> e.Closed:
    closed = OUTCOME(lot)
    return replace(closed, winner=lot.bidders[0]) if closed.winner else closed


def _play(history: History) -> None:
    history.do(c.Publish(lot_id=LOT))
    for organisation_id in (11, 12):
        history.admit(organisation_id)
    history.do(c.Open(lot_id=LOT), OPENS)
    history.bid(1, 1000, OPENS + 10 * S)
    history.bid(1, 1200, OPENS + 11 * S)
    history.bid(2, 1250, OPENS + 12 * S)
    history.bid(2, 1300, OPENS + 13 * S)
    history.bid(1, 1310, OPENS + 14 * S)
    end = history.lot.ends_at
    assert end is not None
    alias = 1 if history.lot.leader == 2 else 2
    price = history.lot.price_fen or 0
    for i in range(8):
        history.bid(
            alias, price + 100 * (i + 1) if price % 100 == 0 else 1400 + 100 * i, end - S + 30 * i * S
        )
        alias = 3 - alias
    end = history.lot.ends_at
    assert end is not None
    history.do(c.Close(lot_id=LOT), end + S)


@pytest.mark.parametrize(
    ("name", "fault", "terms"),
    [
        ("decide_bid", lenient, {}),
        ("extended_end", never_extends, {}),
        ("extended_end", ignores_hard_end, {}),
        ("extended_end", always_extends, {}),
        ("outcome", ignores_reserve, {"reserve_fen": 90_000, "reserve_nonce": "5" * 32}),
        ("outcome", first_bidder_wins, {"hard_end": ENDS + 30 * S}),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_faulty_rules_are_seen(
    monkeypatch: pytest.MonkeyPatch, name: str, fault: Any, terms: dict[str, Any]
) -> None:
    honest = History(with_terms(**terms))
    _play(honest)
    assert verify_lines(honest.lines()).violations == []
    monkeypatch.setattr(english, name, fault)
    faulty = History(with_terms(**terms))
    _play(faulty)
    assert verify_lines(faulty.lines()).violations


def test_a_deadline_that_includes_its_end_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def lenient(lot: Lot, command: c.Command, now: dt.datetime) -> Any:
        if isinstance(command, c.PlaceBid) and lot.ends_at is not None:
            lot = replace(lot, ends_at=lot.ends_at + dt.timedelta(microseconds=1))
        return deciding.decide(lot, command, now)

    history = History()
    history.do(c.Publish(lot_id=LOT))
    history.admit(11)
    history.do(c.Open(lot_id=LOT), OPENS)
    end = history.lot.ends_at
    assert end is not None
    assert isinstance(history.bid(1, 1000, end), Refusal)
    monkeypatch.setattr("auctions.journal.decide", lenient)
    assert history.bid(1, 1000, end) is None
    assert "bid_after_end" in codes(history.lines())
