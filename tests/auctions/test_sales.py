"""Sessions of auctions: one lot after another, lots that end together, and closing a session."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from auctions import queries, reads, sales, service
from auctions import writer as writing
from auctions.bus import LocalBus
from auctions.models import Lot, LotInput, SaleInput, SaleMode
from auctions.receipts import Signer
from auctions.rules import commands as c
from auctions.rules.canonical import iso
from auctions.rules.state import LotState
from auctions.timekeeper import Timekeeper
from auctions.verify import verify_lines
from auctions.writer import Answer, Writer
from market.clock import FixedClock
from market.db import Database, Session, t
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound, WrongState
from market.permissions import Actor
from tests.auctions.rows import ENDS, NOW, OPENS, Rows, lot_input

S = dt.timedelta(seconds=1)
LONG = ENDS - OPENS


def of_sale(session: Session, rows: Rows, sale: int, number: int, **terms: Any) -> int:
    values: LotInput = lot_input(**terms).model_copy(update={"sale_id": sale, "number": number})
    lot = service.create_lot(session, rows.staff, rows.result(), values, NOW)
    service.publish(session, rows.staff, lot, NOW)
    return lot


class Hall:
    """A sale with lots and two bidders in each, run by writer and timekeeper under one clock."""

    def __init__(
        self, database: Database, clock: FixedClock, sale: SaleInput, lots: list[dict[str, Any]]
    ) -> None:
        with database.write() as session:
            self.rows = Rows(session)
            self.sale = sales.create_sale(session, self.rows.staff, sale, NOW)
            self.lots = [
                of_sale(session, self.rows, self.sale, number, **terms)
                for number, terms in enumerate(lots, 1)
            ]
            self.bidders = [[self.rows.admitted(lot) for _ in range(2)] for lot in self.lots]
        self.database, self.clock, self.bids = database, clock, 0
        self.writer = Writer(database, clock, Signer(bytes(32)), LocalBus())
        self.writer.start()
        self.timekeeper = Timekeeper(database, clock, self.writer)

    def at(self, moment: dt.datetime) -> list[LotState]:
        self.clock.set(moment)
        for _ in range(4):
            for answer in self.timekeeper.tick():
                answer.result(20)
        return [self.lot(number).state for number in range(len(self.lots))]

    def lot(self, number: int) -> Any:
        with self.database.read() as session:
            return session.execute(sa.select(t(Lot)).where(t(Lot).c.id == self.lots[number])).one()

    def do(self, command: c.Command) -> Answer:
        answer = self.writer.submit(command).result(20)
        # What the writer told itself comes after it in the queue.
        self.writer.submit(c.Announce(lot_id=self.lots[0], text="请继续出价")).result(20)
        return answer

    def bid(self, number: int, bidder: int, amount: int) -> Answer:
        actor: Actor = self.bidders[number][bidder]
        self.bids += 1
        return self.do(
            c.PlaceBid(
                lot_id=self.lots[number],
                person_id=actor.person_id,
                client_bid_id=f"bid-{self.bids:05d}",
                amount_fen=amount,
                received_at=self.clock.now(),
            )
        )


@pytest.fixture
def halls(database: Database, clock: FixedClock) -> Iterator[Any]:
    made: list[Hall] = []

    def make(sale: SaleInput, *lots: dict[str, Any]) -> Hall:
        made.append(Hall(database, clock, sale, list(lots)))
        return made[-1]

    yield make
    for hall in made:
        assert hall.writer.stop(20)
        with database.read() as session:
            for lot in hall.lots:
                assert verify_lines(queries.export_journal(session, lot)).violations == []


def sale_input(**changes: Any) -> SaleInput:
    return SaleInput(title="泵与电机专场", starts_at=OPENS, **changes)


SEQUENTIAL = sale_input(mode=SaleMode.SEQUENTIAL)
TOGETHER = sale_input(ends_together=True)


def test_one_after_another(halls: Any, database: Database) -> None:
    hall = halls(SEQUENTIAL, {}, {}, {"opens_at": OPENS + 5 * LONG, "ends_at": OPENS + 6 * LONG})
    live, waits, over = LotState.LIVE, LotState.REGISTRATION, LotState.PASSED_IN
    assert hall.at(OPENS) == [live, waits, waits]
    with database.read() as session:
        waiting = sales.waits_for(session, hall.lots[1])
        assert waiting is not None
        assert (waiting.lot_id, waiting.number) == (hall.lots[0], 1)
        assert sales.waits_for(session, hall.lots[0]) is None
        assert reads.next_due(session) == ENDS + 0.5 * S
    assert hall.bid(0, 0, 1_000_000).accepted
    assert hall.do(c.Pause(lot_id=hall.lots[0], reason="核查")).accepted
    assert hall.at(ENDS + 60 * S) == [LotState.PAUSED, waits, waits]
    assert hall.do(c.Resume(lot_id=hall.lots[0])).accepted
    ended = hall.lot(0).ends_at + S
    assert hall.at(ended) == [LotState.SOLD, live, waits]
    assert hall.lot(1).ends_at == ended + LONG  # opened late: its bidders have their whole time
    ended += LONG + S
    assert hall.at(ended) == [LotState.SOLD, over, waits]  # its own time has not come
    assert hall.at(OPENS + 5 * LONG) == [LotState.SOLD, over, live]
    assert hall.lot(2).ends_at == OPENS + 6 * LONG


def test_a_lot_that_is_taken_out_holds_nobody_up(halls: Any) -> None:
    hall = halls(SEQUENTIAL, {}, {})
    assert hall.do(c.Withdraw(lot_id=hall.lots[0], reason="委托人撤回")).accepted
    assert hall.at(OPENS) == [LotState.WITHDRAWN, LotState.LIVE]


def test_an_extension_takes_the_others_along(halls: Any) -> None:
    hall = halls(TOGETHER, {}, {"hard_end": ENDS + 10 * S}, {})
    hall.at(OPENS)
    assert hall.do(c.Pause(lot_id=hall.lots[2], reason="核查")).accepted
    hall.clock.set(ENDS - 10 * S)
    assert hall.bid(0, 0, 1_000_000).accepted
    until = ENDS + 50 * S
    assert [hall.lot(n).ends_at for n in range(3)] == [until, until, ENDS]
    assert hall.lot(1).fold["hard_end"] == iso(until)  # a hard end gives way: the sale ends as one
    hall.at(until - 5 * S)
    assert hall.do(c.Resume(lot_id=hall.lots[2])).accepted
    # The paused one got its time back, and now the others wait for it.
    longest = ENDS + (until - 5 * S - OPENS)
    assert [hall.lot(n).ends_at for n in range(3)] == [longest] * 3
    assert LotState.SOLD not in hall.at(until + S)
    states = hall.at(longest + S)
    assert states == [LotState.SOLD, LotState.PASSED_IN, LotState.PASSED_IN]
    assert hall.lot(0).closed_at == hall.lot(1).closed_at == hall.lot(2).closed_at


def test_nobody_is_told_and_yet_no_lot_closes_before_the_others(
    halls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process died between the commit of an extension and telling the others: the close looks itself."""
    hall = halls(TOGETHER, {}, {})
    hall.at(OPENS)
    monkeypatch.setattr(writing, "_followers", lambda *_: [])
    hall.clock.set(ENDS - 10 * S)
    assert hall.bid(0, 0, 1_000_000).accepted
    assert hall.lot(1).ends_at == ENDS
    assert hall.at(ENDS + S) == [LotState.EXTENDING, LotState.EXTENDING]
    assert hall.lot(1).ends_at == hall.lot(0).ends_at == ENDS + 50 * S
    assert hall.bid(1, 0, 1_000_000).accepted
    # That bid moved the second one once more, and again the first only learns of it at its close.
    assert hall.at(ENDS + 51 * S) == [LotState.EXTENDING, LotState.EXTENDING]
    assert hall.at(ENDS + 62 * S) == [LotState.SOLD, LotState.SOLD]


@pytest.fixture
def rows(session: Session) -> Rows:
    return Rows(session)


def test_a_session_is_changed_until_it_binds_and_closed_when_all_is_over(
    session: Session, rows: Rows
) -> None:
    with pytest.raises(NotAllowed):
        sales.create_sale(session, rows.officer, SEQUENTIAL, NOW)
    with pytest.raises(InvalidInput):
        sales.create_sale(session, rows.staff, sale_input(mode=SaleMode.SEQUENTIAL, ends_together=True), NOW)
    sale = sales.create_sale(session, rows.staff, sale_input(), NOW)
    with pytest.raises(WrongState):
        sales.close_sale(session, rows.staff, sale, NOW)
    assert sales.edit_sale(session, rows.staff, sale, TOGETHER, 1, NOW) == 2
    with pytest.raises(Conflict):
        sales.edit_sale(session, rows.staff, sale, TOGETHER, 1, NOW)
    lot = of_sale(session, rows, sale, 1)
    terms = queries.private_terms(session, lot)
    assert (terms.sale_id, terms.ends_together) == (sale, True)
    with pytest.raises(InvalidInput):
        sales.edit_sale(session, rows.staff, sale, sale_input(), 2, NOW)
    renamed = TOGETHER.model_copy(update={"title": "夏季专场"})
    assert sales.edit_sale(session, rows.staff, sale, renamed, 2, NOW) == 3
    with pytest.raises(WrongState) as open_:
        sales.close_sale(session, rows.staff, sale, NOW)
    assert open_.value.params["lots"] == 1
    session.execute(
        sa.update(t(Lot)).where(t(Lot).c.id == lot).values(state="sold", hammer_fen=1_230_000, closed_at=NOW)
    )
    summary = sales.close_sale(session, rows.staff, sale, NOW)
    assert (summary.lots, summary.sold, summary.total_fen, summary.premium_fen) == (1, 1, 1_230_000, 230_000)
    assert sales.close_sale(session, rows.staff, sale, NOW) == summary
    with pytest.raises(WrongState):
        sales.edit_sale(session, rows.staff, sale, TOGETHER, 3, NOW)
    with pytest.raises(InvalidInput):
        of_sale(session, rows, sale, 2)
    with pytest.raises(NotFound):
        sales.close_sale(session, rows.staff, 10**9, NOW)


def test_what_does_not_end_softly_does_not_end_together(session: Session, rows: Rows) -> None:
    sale = sales.create_sale(session, rows.staff, TOGETHER, NOW)
    with pytest.raises(InvalidInput) as invalid:
        of_sale(session, rows, sale, 1, format="sealed")
    assert invalid.value.problems[0][:2] == ("sale_id", "not_with_this_format")
