"""Lots open and close on time with nobody watching."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from auctions import queries
from auctions.bus import LocalBus
from auctions.receipts import Signer
from auctions.rules.commands import PlaceBid
from auctions.rules.formats.sealed import seal
from auctions.rules.state import LotState
from auctions.timekeeper import Timekeeper
from auctions.verify import verify_lines
from auctions.writer import Writer
from market.clock import FixedClock, SystemClock
from market.db import Database
from tests.auctions.rows import ENDS, NOW, OPENS, stage

S = dt.timedelta(seconds=1)


def state(database: Database, lot_id: int) -> LotState:
    with database.read() as session:
        return queries.lot_detail(session, lot_id).card.state


def test_each_step_happens_when_due_and_once(database: Database, clock: FixedClock) -> None:
    (lot,), _, _ = stage(database, bidders=0, registration_opens_at=NOW + 60 * S)
    writer = Writer(database, clock, Signer(bytes(32)), LocalBus())
    writer.start()
    try:
        timekeeper = Timekeeper(database, clock, writer)

        def at(moment: dt.datetime) -> tuple[int, LotState]:
            clock.set(moment)
            answers = [answer.result(20) for answer in timekeeper.tick()]
            return sum(answer.accepted for answer in answers), state(database, lot)

        assert at(NOW) == (0, LotState.ANNOUNCED)
        assert at(NOW + 60 * S) == (1, LotState.REGISTRATION)
        assert at(OPENS - S) == (0, LotState.REGISTRATION)
        assert at(OPENS) == (1, LotState.LIVE)
        assert at(ENDS) == (0, LotState.LIVE)
        assert at(ENDS + 0.5 * S) == (1, LotState.PASSED_IN)
        assert at(ENDS + 9 * S) == (0, LotState.PASSED_IN)
    finally:
        assert writer.stop(20)


def test_a_long_absence_is_caught_up_without_taking_the_bidders_time(
    database: Database, clock: FixedClock
) -> None:
    (lot,), _, _ = stage(database, bidders=0)
    writer = Writer(database, clock, Signer(bytes(32)), LocalBus())
    writer.start()
    try:
        timekeeper = Timekeeper(database, clock, writer)
        clock.set(ENDS + dt.timedelta(hours=5))
        for _ in range(3):
            for answer in timekeeper.tick():
                answer.result(20)
        assert state(database, lot) is LotState.LIVE
        with database.read() as session:
            assert queries.lot_detail(session, lot).card.ends_at == clock.now() + (ENDS - OPENS)
            assert verify_lines(queries.export_journal(session, lot)).violations == []
    finally:
        assert writer.stop(20)


@pytest.mark.parametrize("keepers", [1, 2])
def test_its_thread_closes_a_lot_by_the_real_clock(sqlite_database: Database, keepers: int) -> None:
    from auctions import service
    from tests.auctions.rows import Rows, lot_input

    clock = SystemClock()
    now = clock.now()
    with sqlite_database.write() as session:
        rows = Rows(session)
        values = lot_input(opens_at=now + 0.3 * S, ends_at=now + 0.6 * S, window_s=0)
        lot = service.create_lot(session, rows.officer, rows.result(), values, now)
        service.publish(session, rows.staff, lot, now)
    closed = threading.Event()
    trouble: list[str] = []
    writer = Writer(sqlite_database, clock, Signer(bytes(32)), LocalBus(), on_closed=lambda *_: closed.set())
    writer.start()
    made = [
        Timekeeper(sqlite_database, clock, writer, on_trouble=lambda code, _: trouble.append(code))
        for _ in range(keepers)
    ]
    for timekeeper in made:
        timekeeper.start()
    assert closed.wait(20)
    for timekeeper in made:
        timekeeper.stop()
        assert not timekeeper.alive
    assert writer.stop(20)
    assert state(sqlite_database, lot) is LotState.PASSED_IN
    assert trouble == []


def test_envelopes_are_opened_and_closed_on_time(database: Database, clock: FixedClock) -> None:
    (lot,), ((bidder,),), _ = stage(database, bidders=1, format="sealed", params={"reveal_s": 60})
    clock.set(OPENS)
    writer = Writer(database, clock, Signer(b"1" * 32), LocalBus())
    writer.start()
    keeper = Timekeeper(database, clock, writer)

    def moved() -> LotState:
        for answer in keeper.tick():
            assert answer.result(20).accepted
        return state(database, lot)

    def bid(number: int, amount: int | None, act: str, **extra: str) -> bool:
        command = PlaceBid(
            lot_id=lot,
            person_id=bidder.person_id,
            client_bid_id=f"envelope-{number}",
            amount_fen=amount,
            act=act,
            extra=extra,
            received_at=clock.now(),
        )
        return writer.submit(command).result(20).accepted

    nonce = "7" * 32
    assert moved() is LotState.LIVE
    assert bid(1, None, "seal", commitment=seal(lot, 1, 1_234_500, nonce))
    clock.set(ENDS + S)
    assert moved() is LotState.REVEALING
    assert not keeper.tick()
    assert bid(2, 1_234_500, "open", nonce=nonce)
    clock.advance(seconds=61)
    assert moved() is LotState.SOLD
    writer.stop()
    with database.read() as session:
        assert queries.lot_detail(session, lot).card.hammer_fen == 1_234_500
