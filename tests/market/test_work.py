from __future__ import annotations

import datetime as dt
import threading

import sqlalchemy as sa

from market.clock import FixedClock
from market.db import Database, Session, t
from market.dirty import DirtyMark, clear_marks, mark_dirty, read_marks
from market.inbox import InboxMessage, receive
from market.work import (
    LEASE,
    MAX_TRIES,
    Claimed,
    WorkItem,
    WorkState,
    claim,
    enqueue,
    fail,
    finish,
    retry_dead,
    run_one,
)


def states(database: Database) -> list[tuple[str, int]]:
    with database.read() as session:
        c = t(WorkItem).c
        return [tuple(row) for row in session.execute(sa.select(c.state, c.tries).order_by(c.id))]


def test_work_is_part_of_the_change_that_needs_it(database: Database, now: dt.datetime) -> None:
    try:
        with database.write() as session:
            enqueue(session, "mail.send", {"to": "a"}, key="1", now=now)
            raise RuntimeError
    except RuntimeError:
        pass
    assert states(database) == []


def test_the_same_key_is_the_same_work(session: Session, now: dt.datetime) -> None:
    for _ in range(2):
        enqueue(session, "mail.send", {"to": "a"}, key="1", now=now)
    enqueue(session, "lot.closed", {"to": "a"}, key="1", now=now)
    assert session.execute(sa.select(sa.func.count()).select_from(t(WorkItem))).scalar_one() == 2


def test_failures_are_tried_again_with_growing_pauses_and_end_dead(
    database: Database, clock: FixedClock
) -> None:
    def explode(item: Claimed) -> None:
        raise ValueError(item.payload["why"])

    with database.write() as session:
        enqueue(session, "x", {"why": "because"}, key="1", now=clock.now())
    pauses = []
    for _ in range(MAX_TRIES):
        assert run_one(database, {"x": explode}, clock.now)
        assert not run_one(database, {"x": explode}, clock.now)
        with database.read() as session:
            row = session.execute(sa.select(t(WorkItem).c.due_at, t(WorkItem).c.last_error)).one()
        assert "because" in row.last_error
        pauses.append(row.due_at - clock.now())
        clock.set(row.due_at)
    assert pauses == sorted(pauses)
    assert states(database) == [(WorkState.DEAD.value, MAX_TRIES)]
    with database.write() as session:
        item_id = session.execute(sa.select(t(WorkItem).c.id)).scalar_one()
        assert retry_dead(session, item_id, clock.now())
        assert not retry_dead(session, item_id, clock.now())
    done = []
    assert run_one(database, {"x": done.append}, clock.now)
    assert states(database) == [(WorkState.DONE.value, 1)]


def test_a_claim_that_outlives_its_lease_is_free_again(database: Database, clock: FixedClock) -> None:
    with database.write() as session:
        enqueue(session, "x", {}, key="1", now=clock.now())
    with database.write() as session:
        assert claim(session, clock.now()) is not None
    with database.write() as session:
        assert claim(session, clock.now()) is None
    clock.at += LEASE
    with database.write() as session:
        assert claim(session, clock.now()) is not None


def test_work_that_takes_its_process_along_ends_dead(database: Database, clock: FixedClock) -> None:
    with database.write() as session:
        enqueue(session, "x", {}, key="1", now=clock.now())
    for _ in range(MAX_TRIES):
        with database.write() as session:
            assert claim(session, clock.now()) is not None
        clock.at += LEASE
    with database.write() as session:
        assert claim(session, clock.now()) is None
    assert states(database) == [(WorkState.DEAD.value, MAX_TRIES)]


def test_who_comes_too_late_changes_nothing(database: Database, clock: FixedClock) -> None:
    with database.write() as session:
        enqueue(session, "x", {}, key="1", now=clock.now())
    with database.write() as session:
        late = claim(session, clock.now())
    clock.at += LEASE
    with database.write() as session:
        taken = claim(session, clock.now())
    assert late is not None
    assert taken is not None
    with database.write() as session:
        fail(session, late, clock.now(), "late")
        finish(session, late, clock.now())
    assert states(database) == [(WorkState.RUNNING.value, 2)]
    with database.write() as session:
        finish(session, taken, clock.now())
    assert states(database) == [(WorkState.DONE.value, 2)]


def test_two_workers_never_take_the_same_piece(database: Database, clock: FixedClock) -> None:
    with database.write() as session:
        for number in range(40):
            enqueue(session, "x", {"n": number}, key=str(number), now=clock.now())
    done: list[int] = []

    def work() -> None:
        while run_one(database, {"x": lambda item: done.append(item.payload["n"])}, clock.now):
            pass

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(40))


def test_an_edit_during_indexing_stays_dirty(session: Session) -> None:
    mark_dirty(session, "result", 1, 2)
    marks = read_marks(session)
    mark_dirty(session, "result", 2)
    clear_marks(session, marks)
    left = session.execute(sa.select(t(DirtyMark).c.row_id)).scalars().all()
    assert left == [2]


def test_a_message_from_outside_is_kept_and_handled_once(session: Session, now: dt.datetime) -> None:
    assert receive(session, "gateway", "evt_1", "paid", {"a": 1}, now)
    assert not receive(session, "gateway", "evt_1", "paid", {"a": 1}, now)
    assert session.execute(sa.select(sa.func.count()).select_from(t(InboxMessage))).scalar_one() == 1
    assert session.execute(sa.select(sa.func.count()).select_from(t(WorkItem))).scalar_one() == 1
