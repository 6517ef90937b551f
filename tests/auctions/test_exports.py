"""Exports of lots with something secret, from both databases: what is told while they run and afterwards."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from auctions import journal, queries
from auctions.rules import commands as c
from auctions.verify import verify_lines
from market.db import Session
from tests.auctions.machines.sealed import envelope
from tests.auctions.rows import ENDS, OPENS, Rows

S = dt.timedelta(seconds=1)
NONCE = "a" * 32


def staged(session: Session, **terms: Any) -> int:
    """A lot with three admitted bidders, open."""
    rows = Rows(session)
    lot_id = rows.lot(**terms)
    for _ in range(3):
        rows.admitted(lot_id)
    journal.apply(session, c.Open(lot_id=lot_id), OPENS)
    return lot_id


def bid(
    session: Session, lot_id: int, alias: int, act: str, amount: int | None, at: dt.datetime, **extra: Any
) -> None:
    command = c.PlaceBid(
        lot_id=lot_id, client_bid_id=f"bid-{alias:05}", amount_fen=amount, received_at=at, act=act,
        extra=extra, nonce=NONCE, alias=alias,
    )  # fmt: skip
    journal.apply(session, command, at)


def export(session: Session, lot_id: int, *, openings: bool = False) -> list[str]:
    return list(queries.export_journal(session, lot_id, openings=openings))


def secrets(lines: list[str]) -> list[int]:
    return [json.loads(line)["seq"] for line in lines if json.loads(line)["type"] == "secret"]


def test_maxima_are_opened_after_the_lot_but_for_what_the_winner_would_have_paid(session: Session) -> None:
    lot_id = staged(session)
    bid(session, lot_id, 1, "maximum", 1_500_000, OPENS + S)
    bid(session, lot_id, 2, "maximum", 1_200_000, OPENS + 2 * S)
    bid(session, lot_id, 3, "maximum", 7_770_000, OPENS + 3 * S)
    running = export(session, lot_id, openings=True)
    assert secrets(running) == []
    assert verify_lines(running).violations == []
    for hidden in ("1500000", "7770000"):
        assert hidden not in "".join(running)
    journal.apply(session, c.Close(lot_id=lot_id), ENDS + S)
    public, whole = export(session, lot_id), export(session, lot_id, openings=True)
    assert (len(secrets(public)), len(secrets(whole))) == (1, 2)
    assert "7770000" not in "".join(public)
    assert "1500000" in "".join(public)
    for lines in (public, whole):
        report = verify_lines(lines)
        assert report.violations == []
        assert (report.winner, report.hammer_fen) == (3, 1_510_000)


def test_a_lot_read_back_still_knows_its_maxima(session: Session) -> None:
    lot_id = staged(session)
    bid(session, lot_id, 1, "maximum", 1_500_000, OPENS + S)
    head = journal.lock(session.connection(), [lot_id])[lot_id]
    assert head.lot.book == {"1": 1_500_000}
    bid(session, lot_id, 2, "bid", 1_400_000, OPENS + 2 * S)
    lot = journal.lock(session.connection(), [lot_id])[lot_id].lot
    assert (lot.leader, lot.price_fen) == (1, 1_410_000)


def test_sealed_bids_are_checked_from_the_export(session: Session) -> None:
    lot_id = staged(
        session,
        format="sealed",
        params={"pricing": "second", "reveal_s": 120, "unopened": "void"},
        window_s=0,
    )
    amounts = {1: 1_500_000, 2: 1_800_000, 3: 1_600_000}
    for alias, amount in amounts.items():
        seal = envelope(alias, amount, NONCE, lot=lot_id)
        bid(session, lot_id, alias, "seal", None, OPENS + alias * S, commitment=seal)
    assert not any(str(amount) in "".join(export(session, lot_id)) for amount in amounts.values())
    journal.apply(session, c.Close(lot_id=lot_id), ENDS + S)
    for alias in (1, 2):
        bid(session, lot_id, alias, "open", amounts[alias], ENDS + (1 + alias) * S, nonce=NONCE)
    journal.apply(session, c.Close(lot_id=lot_id), ENDS + 122 * S)
    report = verify_lines(export(session, lot_id))
    assert report.violations == []
    assert (report.winner, report.hammer_fen, report.reason) == (2, 1_500_000, "sold")
