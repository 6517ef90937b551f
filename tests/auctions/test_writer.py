"""The writer on both databases: groups, answers, trouble."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from auctions import journal, queries, receipts
from auctions.bus import LocalBus, LotNews
from auctions.errors import Busy, CommandFailed, Draining, OutcomeUnknown
from auctions.journal import Outcome
from auctions.models import BidAnswer, JournalEntry, Lot
from auctions.rules import commands as c
from auctions.rules.state import LotState
from auctions.verify import verify_lines
from auctions.writer import Answer, Batch, Writer
from market.clock import FixedClock
from market.db import Database, t
from market.permissions import Actor
from market.work import WorkItem, enqueue
from tests.auctions.rows import ENDS, NOW, OPENS, stage
from tests.conftest import DIALECTS, make_database

KEY = bytes(range(32))
PUBLIC = receipts.Signer(KEY).public_key
S = dt.timedelta(seconds=1)


class Desk:
    """A writer with everything it does written down."""

    def __init__(self, database: Database, clock: FixedClock, **options: Any) -> None:
        self.batches: list[Batch] = []
        self.alarms: list[str] = []
        self.news: list[LotNews] = []
        self.bus = LocalBus()
        self.bus.publish = lambda news: self.news.extend(news)  # type: ignore[method-assign]
        self.clock = clock
        self.writer = Writer(
            database,
            clock,
            receipts.Signer(KEY),
            self.bus,
            on_alarm=lambda code, detail: self.alarms.append(code),
            on_batch=self.batches.append,
            **options,
        )

    def bid(self, lot_id: int, actor: Actor, amount: int, id_: str = "bid-00001") -> Future[Answer]:
        return self.writer.submit(place(lot_id, actor, amount, self.clock.now(), id_))

    def do(self, command: c.Command) -> Answer:
        return self.writer.submit(command).result(20)


def place(lot_id: int, actor: Actor, amount: int, at: dt.datetime, id_: str) -> c.PlaceBid:
    return c.PlaceBid(
        lot_id=lot_id, person_id=actor.person_id, client_bid_id=id_, amount_fen=amount, received_at=at
    )


@pytest.fixture
def desks() -> Iterator[Any]:
    made: list[Desk] = []

    def make(database: Database, clock: FixedClock, **options: Any) -> Desk:
        made.append(Desk(database, clock, **options))
        return made[-1]

    yield make
    for desk in made:
        if desk.writer._thread.is_alive():
            assert desk.writer.stop(20)


def opened(desk: Desk, lot_ids: list[int]) -> None:
    desk.clock.set(OPENS)
    for lot_id in lot_ids:
        assert desk.do(c.Open(lot_id=lot_id)).accepted


def export(database: Database, lot_id: int, *, openings: bool = False) -> list[str]:
    with database.read() as session:
        return list(queries.export_journal(session, lot_id, openings=openings))


def rows(database: Database, statement: Any) -> list[Any]:
    with database.read() as session:
        return list(session.execute(statement))


def test_bids_that_wait_are_committed_together(database: Database, clock: FixedClock, desks: Any) -> None:
    lots, people, _ = stage(database, lots=2)
    desk = desks(database, clock)
    clock.set(OPENS)
    answers = [desk.writer.submit(c.Open(lot_id=lot_id)) for lot_id in lots]
    answers += [
        desk.bid(lots[n % 2], people[n % 2][n // 2 % 2], 1_000_000 + n // 2 * 10_000, f"bid-{n:05d}")
        for n in range(20)
    ]
    desk.writer.start()
    results = [answer.result(20) for answer in answers]
    assert all(result.accepted for result in results)
    assert desk.batches == [Batch(22, 22, 2, 0)]
    # Opened is entry 6 (announced, registration, three admissions); then ten bids each.
    assert [r.seq for r in results[2::2]] == list(range(7, 17))
    assert [[seq for seq, _, _ in news.frames] for news in desk.news] == [list(range(6, 17))] * 2
    for lot_id in lots:
        report = verify_lines(export(database, lot_id))
        assert report.violations == []
        assert report.bids == 10


def test_receipts_are_signed_and_found_in_the_journal(
    database: Database, clock: FixedClock, desks: Any
) -> None:
    (lot,), (people,), _ = stage(database)
    desk = desks(database, clock)
    desk.writer.start()
    opened(desk, [lot])
    good = desk.bid(lot, people[0], 1_000_000, "bid-good1").result(20)
    low = desk.bid(lot, people[1], 1_005_000, "bid-low01").result(20)
    assert good.accepted
    assert (low.code, low.params, low.seq) == (
        "bid_too_low",
        {"minimum_fen": 1_010_000, "price_fen": 1_000_000},
        good.seq,
    )
    contents = []
    for answer in (good, low):
        assert answer.receipt is not None
        content = receipts.verify(answer.receipt, PUBLIC)
        assert content is not None
        assert (content["seq"], content["hash"]) == (answer.seq, answer.hash)
        assert (
            receipts.verify(
                {**answer.receipt, "content": answer.receipt["content"].replace("1", "2")}, PUBLIC
            )
            is None
        )
        contents.append(content)
    assert verify_lines(export(database, lot), contents).violations == []


def test_the_same_id_gets_the_same_answer_also_after_a_restart(
    database: Database, clock: FixedClock, desks: Any
) -> None:
    (lot,), (people,), _ = stage(database)
    desk = desks(database, clock)
    desk.writer.start()
    opened(desk, [lot])
    first = desk.bid(lot, people[0], 1_000_000, "bid-one11").result(20)
    refused = desk.bid(lot, people[0], 1_010_000, "bid-two22").result(20)
    assert refused.code == "leader_cannot_raise"
    assert desk.writer.stop(20)
    again = desks(database, clock)
    twice = [
        again.bid(lot, people[0], 1_000_000, "bid-one11"),
        again.bid(lot, people[0], 1_000_000, "bid-one11"),
    ]
    other = again.bid(lot, people[0], 1_020_000, "bid-one11")
    theirs = again.bid(lot, people[1], 1_010_000, "bid-one11")
    still = again.bid(lot, people[0], 1_010_000, "bid-two22")
    again.writer.start()
    for answer in twice:
        result = answer.result(20)
        assert (result.accepted, result.seq, result.receipt, result.repeated) == (
            True,
            first.seq,
            first.receipt,
            True,
        )
    assert other.result(20).code == "client_bid_id_reused"
    assert theirs.result(20).accepted
    assert still.result(20).receipt == refused.receipt
    count = sa.select(sa.func.count()).select_from(t(BidAnswer))
    assert rows(database, count)[0][0] == 3


def test_the_same_id_twice_in_one_batch_is_one_bid(database: Database, clock: FixedClock, desks: Any) -> None:
    (lot,), (people,), _ = stage(database)
    desk = desks(database, clock)
    clock.set(OPENS)
    desk.writer.submit(c.Open(lot_id=lot))
    answers = [desk.bid(lot, people[0], 1_000_000, "bid-same1") for _ in range(3)]
    answers.append(desk.bid(lot, people[0], 1_200_000, "bid-same1"))
    desk.writer.start()
    results = [answer.result(20) for answer in answers]
    assert [r.accepted for r in results] == [True, True, True, False]
    assert len({r.seq for r in results[:3]}) == 1
    assert results[0].receipt == results[2].receipt
    assert results[3].code == "client_bid_id_reused"


def test_a_poisoned_command_does_not_fail_its_neighbours(
    database: Database, clock: FixedClock, desks: Any
) -> None:
    (lot,), (people,), _ = stage(database)
    desk = desks(database, clock)
    clock.set(OPENS)
    desk.writer.submit(c.Open(lot_id=lot))
    before = desk.bid(lot, people[0], 1_000_000, "bid-before")
    poison = desk.writer.submit(c.Announce(lot_id=lot, text="\ud800"))
    too_long = desk.bid(lot, people[2], 1_005_000, "x" * 100_000)
    after = desk.bid(lot, people[1], 1_010_000, "bid-after1")
    desk.writer.start()
    assert before.result(20).accepted
    assert after.result(20).accepted
    with pytest.raises(CommandFailed):
        poison.result(20)
    if not database.is_sqlite:  # SQLite does not limit the length; PostgreSQL refuses the row
        with pytest.raises(CommandFailed):
            too_long.result(20)
    assert "command_failed" in desk.alarms
    assert verify_lines(export(database, lot)).violations == []


def test_a_full_queue_says_busy_at_once(sqlite_database: Database, clock: FixedClock, desks: Any) -> None:
    (lot,), (people,), _ = stage(sqlite_database)
    desk = desks(sqlite_database, clock, max_waiting=2)
    desk.bid(lot, people[0], 1_000_000)
    desk.bid(lot, people[0], 1_000_000)
    with pytest.raises(Busy):
        desk.bid(lot, people[0], 1_000_000)
    desk.writer.start()


def test_stopping_answers_everything_that_was_taken(
    database: Database, clock: FixedClock, desks: Any
) -> None:
    (lot,), (people,), _ = stage(database)
    desk = desks(database, clock, max_batch=4)
    clock.set(OPENS)
    answers = [desk.writer.submit(c.Open(lot_id=lot))]
    answers += [desk.bid(lot, people[n % 2], 1_000_000 + n * 10_000, f"bid-{n:05d}") for n in range(30)]
    desk.writer.start()
    assert desk.writer.stop(20)
    assert all(answer.done() and answer.result().accepted for answer in answers)
    with pytest.raises(Draining):
        desk.bid(lot, people[0], 9_000_000)


def test_an_unknown_commit_is_said_to_be_unknown_and_the_same_id_tells(
    database: Database, clock: FixedClock, desks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lot,), (people,), _ = stage(database)
    desk = desks(database, clock)
    desk.writer.start()
    opened(desk, [lot])
    commit = Connection.commit
    for number, really in enumerate((True, False)):

        def broken(self: Connection, really: bool = really) -> None:
            if really:
                commit(self)
            raise sa.exc.OperationalError(
                "COMMIT", {}, Exception("connection lost"), connection_invalidated=True
            )

        id_ = f"bid-{number:05d}"
        amount = 1_000_000 + number * 10_000
        monkeypatch.setattr(Connection, "commit", broken)
        lost = desk.bid(lot, people[number], amount, id_)
        with pytest.raises(OutcomeUnknown):
            lost.result(20)
        monkeypatch.setattr(Connection, "commit", commit)
        told = desk.bid(lot, people[number], amount, id_).result(20)
        assert told.accepted
        assert told.repeated is really
    assert desk.alarms == ["commit_unknown", "commit_unknown"]
    report = verify_lines(export(database, lot))
    assert report.violations == []
    assert report.bids == 2


def test_the_end_leaves_its_work_in_the_same_transaction(
    database: Database, clock: FixedClock, desks: Any
) -> None:
    (lot, other), (people, _), _ = stage(database, lots=2)
    seen: list[tuple[int, Outcome]] = []

    def on_closed(connection: Connection, lot_id: int, outcome: Outcome, now: dt.datetime) -> None:
        seen.append((lot_id, outcome))
        if lot_id == other:
            raise RuntimeError("settlement is broken")
        enqueue(connection, "lot.closed", {"lot_id": lot_id}, key=str(lot_id), now=now)

    desk = desks(database, clock, on_closed=on_closed)
    desk.writer.start()
    opened(desk, [lot, other])
    desk.bid(lot, people[1], 1_000_000).result(20)
    clock.set(ENDS + S)
    closes = [desk.writer.submit(c.Close(lot_id=x)) for x in (lot, other)]
    assert closes[0].result(20).accepted
    with pytest.raises(CommandFailed):
        closes[1].result(20)
    winner = people[1].memberships[0].organisation_id
    assert Outcome(LotState.SOLD, "sold", 2, winner, 1_000_000) in [outcome for _, outcome in seen]
    assert rows(database, sa.select(t(WorkItem).c.kind, t(WorkItem).c.payload)) == [
        ("lot.closed", {"lot_id": lot})
    ]
    with database.read() as session:
        sold = queries.lot_detail(session, lot)
        assert (sold.card.state, sold.winner_organisation_id, sold.card.hammer_fen) == (
            LotState.SOLD,
            winner,
            1_000_000,
        )
        assert sold.outcome == {
            "reason": "sold",
            "winner": 2,
            "hammer_fen": 1_000_000,
            "reserve_fen": None,
            "detail": {},
        }
        assert queries.lot_detail(session, other).card.state is LotState.LIVE
    assert verify_lines(export(database, lot, openings=True)).violations == []
    desk.do(c.RecordDefault(lot_id=lot, reason="逾期未签约"))
    assert seen[-1][1].state is LotState.DEFAULTED
    assert seen[-1][1].winner_organisation_id == winner


def test_the_row_is_the_fold_of_the_journal(database: Database, clock: FixedClock, desks: Any) -> None:
    (lot,), (people,), _ = stage(database, reserve_fen=1_030_000)
    desk = desks(database, clock)
    desk.writer.start()
    opened(desk, [lot])
    for n in range(6):
        desk.bid(lot, people[n % 3], 1_000_000 + n * 10_000, f"bid-{n:05d}").result(20)
    desk.do(c.Pause(lot_id=lot, reason="故障"))
    clock.advance(seconds=40)
    desk.do(c.Resume(lot_id=lot))
    clock.set(ENDS + 41 * S)
    desk.do(c.Close(lot_id=lot))
    with database.read() as session:
        row = session.execute(sa.select(t(Lot)).where(t(Lot).c.id == lot)).one()
        entries = queries.entries_after(session, lot, 0)
        terms = queries.private_terms(session, lot)
    folded = journal.replay(lot, terms, [json.loads(entry.body) for entry in entries])
    assert folded.fold() == row.fold
    assert (row.state, row.price_fen, row.hammer_fen, row.head_seq, row.head_hash) == (
        "sold",
        1_050_000,
        1_050_000,
        len(entries),
        entries[-1].hash,
    )
    assert row.next_due_at is None


def test_two_writers_on_one_lot_leave_one_gapless_journal(
    database: Database, clock: FixedClock, desks: Any
) -> None:
    (lot,), (people,), _ = stage(database, bidders=4)
    first, second = desks(database, clock), desks(database, clock)
    first.writer.start()
    second.writer.start()
    opened(first, [lot])

    def rush(desk: Desk, mine: list[Actor], out: list[Future[Answer]]) -> None:
        out.extend(desk.bid(lot, mine[n % 2], 1_000_000 + n * 10_000, f"bid-{n:05d}") for n in range(40))

    answers: tuple[list[Future[Answer]], list[Future[Answer]]] = ([], [])
    threads = [
        threading.Thread(target=rush, args=args)
        for args in ((first, people[:2], answers[0]), (second, people[2:], answers[1]))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait([*answers[0], *answers[1]], 60)
    results = [answer.result() for answer in [*answers[0], *answers[1]]]
    accepted = [result for result in results if result.accepted]
    assert accepted
    report = verify_lines(
        export(database, lot), [receipts.verify(r.receipt or {}, PUBLIC) or {} for r in accepted]
    )
    assert report.violations == []
    assert report.bids == len(accepted)


def test_only_for_organisations_that_one_may_bid_for_now(
    sqlite_database: Database, clock: FixedClock, desks: Any
) -> None:
    import dataclasses

    (lot,), (people,), _ = stage(sqlite_database)
    desk = desks(sqlite_database, clock)
    desk.writer.start()
    opened(desk, [lot])
    bid = place(lot, people[0], 1_000_000, clock.now(), "bid-00001")
    gone = dataclasses.replace(bid, organisation_ids=frozenset({1}))
    assert desk.do(gone).code == "not_admitted"
    own = people[0].memberships[0].organisation_id
    assert desk.do(
        dataclasses.replace(bid, client_bid_id="bid-00002", organisation_ids=frozenset({own}))
    ).accepted


def test_a_clock_that_jumps_back_stops_closings_and_not_bids(
    sqlite_database: Database, clock: FixedClock, desks: Any
) -> None:
    (lot, other), (people, _), _ = stage(sqlite_database, lots=2)
    desk = desks(sqlite_database, clock)
    desk.writer.start()
    opened(desk, [lot, other])
    clock.set(ENDS - S)
    desk.bid(lot, people[0], 1_000_000, "bid-00001").result(20)
    clock.advance(seconds=-30)
    answer = desk.bid(lot, people[1], 1_010_000, "bid-00002").result(20)
    assert answer.accepted
    assert desk.writer.closings_paused
    assert desk.do(c.Close(lot_id=other)).code == "closings_paused"
    clock.set(ENDS + S)
    assert desk.do(c.Close(lot_id=other)).accepted
    assert desk.alarms == ["clock_jumped", "clock_trusted"]
    assert verify_lines(export(sqlite_database, lot)).violations == []


def test_the_loop_is_answered_and_a_cancelled_waiter_harms_nobody(
    sqlite_database: Database, clock: FixedClock, desks: Any
) -> None:
    (lot,), (people,), _ = stage(sqlite_database)
    desk = desks(sqlite_database, clock)
    clock.set(OPENS)

    async def scene() -> list[Answer]:
        tasks = [asyncio.create_task(desk.writer.ask(c.Open(lot_id=lot)))]
        tasks += [
            asyncio.create_task(
                desk.writer.ask(place(lot, people[n % 2], 1_000_000 + n * 10_000, OPENS, f"bid-{n:05d}"))
            )
            for n in range(5)
        ]
        await asyncio.sleep(0)
        tasks[2].cancel()
        desk.writer.start()
        return [await task for n, task in enumerate(tasks) if n != 2]

    answers = asyncio.run(scene())
    assert all(answer.accepted for answer in answers)
    # The cancelled bid counted all the same.
    assert verify_lines(export(sqlite_database, lot)).bids == 5


def test_the_thread_survives_a_database_that_is_away(
    sqlite_database: Database, clock: FixedClock, desks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (lot,), (people,), _ = stage(sqlite_database)
    desk = desks(sqlite_database, clock)
    desk.writer.start()
    opened(desk, [lot])
    lock = journal.lock

    def away(*_: Any) -> Any:
        raise sa.exc.OperationalError("SELECT", {}, Exception("gone"), connection_invalidated=True)

    monkeypatch.setattr(journal, "lock", away)
    with pytest.raises(CommandFailed):
        desk.bid(lot, people[0], 1_000_000).result(20)
    monkeypatch.setattr(journal, "lock", lock)
    assert desk.bid(lot, people[0], 1_000_000).result(20).accepted
    assert desk.alarms == ["database_unreachable"]


def test_a_journal_row_cannot_be_written_twice(database: Database) -> None:
    (lot,), _, _ = stage(database)
    with database.read() as session:
        row = dict(
            session.execute(sa.select(t(JournalEntry)).where(t(JournalEntry).c.lot_id == lot))
            .mappings()
            .first()
            or {}
        )
    with pytest.raises(sa.exc.IntegrityError), database.write() as session:
        session.execute(sa.insert(t(JournalEntry)), [row])


def test_changed_terms_stop_the_lot_and_no_other(database: Database, clock: FixedClock, desks: Any) -> None:
    (lot, other), (people, others), _ = stage(database, lots=2)
    desk = desks(database, clock)
    desk.writer.start()
    opened(desk, [lot, other])
    assert desk.writer.stop(20)
    with database.write() as session:
        row = session.get_one(Lot, lot)
        row.terms = {**row.terms, "start_fen": 1}
    desk = desks(database, clock)
    bad = desk.bid(lot, people[0], 1_000_000)
    good = desk.bid(other, others[0], 1_000_000)
    desk.writer.start()
    with pytest.raises(CommandFailed):
        bad.result(20)
    assert good.result(20).accepted


def test_a_draft_is_unknown_to_bidders(sqlite_database: Database, clock: FixedClock, desks: Any) -> None:
    _, (people,), rows = stage(sqlite_database)
    with sqlite_database.write() as session:
        rows.session = session
        draft = rows.draft()
    desk = desks(sqlite_database, clock)
    desk.writer.start()
    for lot_id in (draft, 10**9):
        answer = desk.bid(lot_id, people[0], 1_000_000).result(20)
        assert (answer.code, answer.seq, answer.hash) == ("no_such_lot", 0, "")


def test_both_databases_tell_the_same_story(
    request: pytest.FixtureRequest, tmp_path: Path, desks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda size: "7" * 2 * size)
    stories, folds = [], []
    for dialect in DIALECTS:
        for database in make_database(dialect, request, tmp_path):
            clock = FixedClock(NOW)
            (lot,), (people,), _ = stage(database, reserve_fen=1_030_000, deposit_fen=500)
            desk = desks(database, clock)
            desk.writer.start()
            opened(desk, [lot])
            for n in range(9):
                clock.set(ENDS - 40 * S + 7 * n * S)
                desk.bid(lot, people[n % 3], 1_000_000 + (n - n % 2) * 10_000, f"bid-{n:05d}").result(20)
            clock.set(ENDS + 500 * S)
            desk.do(c.Close(lot_id=lot))
            clock.set(ENDS + 900 * S)
            desk.do(c.Close(lot_id=lot))
            lines = [json.loads(line) for line in export(database, lot)]
            bodies = [json.loads(line["body"]) for line in lines[1:]]
            for body in bodies:
                body.pop("commitment", None)  # hides ids, which the databases number as they like
            stories.append(bodies)
            folds.append(rows(database, sa.select(t(Lot).c.fold, t(Lot).c.state, t(Lot).c.hammer_fen)))
            assert desk.writer.stop(20)
    assert stories[0] == stories[1]
    assert folds[0] == folds[1]
