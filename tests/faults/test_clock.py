"""Clocks that jump, stand still, drift and disagree: no lot closes early, no late bid gets in.

Each process of these tests is a writer and a timekeeper with a clock of their own over one database. True
time is the test's, and moves only when told to; every answer is judged by it, never by what a process
believed. The last test lets two processes' worth of threads run by real time.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from auctions import queries
from auctions.bus import LocalBus
from auctions.receipts import Signer
from auctions.rules import commands as c
from auctions.rules.state import LotState
from auctions.timekeeper import Timekeeper
from auctions.verify import verify_lines
from auctions.writer import Answer, Writer
from market.clock import GuardedClock, SystemClock, elapsed
from market.db import Database
from market.permissions import Actor
from tests.auctions.rows import ENDS, OPENS, stage
from tests.conftest import make_database
from tests.faults.staging import stage as stage_now

S = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)
_ids = itertools.count(1)


class World:
    """True time, the same for everybody."""

    def __init__(self, at: dt.datetime) -> None:
        self.at = self._start = at

    def elapsed(self) -> float:
        return 5000.0 + (self.at - self._start).total_seconds()


class Shown:
    """What one machine's clock shows: true time and an error, or what it showed when it froze."""

    def __init__(self, world: World, error: dt.timedelta = dt.timedelta(0)) -> None:
        self._world = world
        self.error = error
        self.rate = 1.0
        self._since = world.at
        self.frozen: dt.datetime | None = None

    def now(self) -> dt.datetime:
        if self.frozen is not None:
            return self.frozen
        return self._world.at + self.error + (self._world.at - self._since) * (self.rate - 1.0)

    def freeze(self) -> None:
        self.frozen = self.now()


class Process:
    """A writer and a timekeeper with a clock of their own."""

    def __init__(
        self, database: Database, world: World, error: dt.timedelta = dt.timedelta(0), witness: Any = None
    ) -> None:
        self.world = world
        self.shown = Shown(world, error)
        self.clock = GuardedClock(self.shown, world.elapsed)
        self.alarms: list[str] = []
        self.writer = Writer(
            database, self.clock, Signer(bytes(32)), LocalBus(),
            on_alarm=lambda code, _detail: self.alarms.append(code),
        )  # fmt: skip
        self.keeper = Timekeeper(database, self.clock, self.writer, witness=witness or (lambda: None))
        self.writer.start()

    def look(self) -> list[Answer]:
        """One look of the timekeeper; what it moved."""
        return [one for answer in self.keeper.tick() if (one := answer.result(20)).accepted]

    def bid(self, lot_id: int, who: Actor, amount: int) -> Answer:
        return self.submit(lot_id, who, amount).result(20)

    def submit(self, lot_id: int, who: Actor, amount: int) -> Future[Answer]:
        """A bid that arrives now, whatever this process believes to be now."""
        return self.writer.submit(
            c.PlaceBid(
                lot_id=lot_id, person_id=who.person_id, client_bid_id=f"bid-{next(_ids):08d}",
                amount_fen=amount, received_at=self.clock.now(),
            )
        )  # fmt: skip


class Scene:
    """An open lot that ends at ENDS, with bidders, in a world some minutes before its end."""

    def __init__(self, database: Database, **terms: Any) -> None:
        self.database = database
        (self.lot,), (self.people,), _ = stage(database, **{"window_s": 0, **terms})
        self.world = World(OPENS)
        self._processes: list[Process] = []
        self._amount = 990_000
        opener = self.process()
        assert opener.look()
        self.world.at = ENDS - 300 * S

    def process(self, error: dt.timedelta = dt.timedelta(0), witness: Any = None) -> Process:
        made = Process(self.database, self.world, error, witness)
        self._processes.append(made)
        return made

    def next(self) -> tuple[int, Actor, int]:
        """A bid that the rules accept while the lot is open."""
        self._amount += 10_000
        return self.lot, self.people[self._amount // 10_000 % 2], self._amount

    @property
    def state(self) -> LotState:
        with self.database.read() as session:
            return queries.lot_detail(session, self.lot).card.state

    def entries(self) -> list[dict[str, Any]]:
        with self.database.read() as session:
            return [json.loads(entry.body) for entry in queries.entries_after(session, self.lot, 0)]

    def stamped(self) -> dt.datetime:
        """When the journal says that its last entry was made."""
        return dt.datetime.fromisoformat(self.entries()[-1]["at"])

    def end(self) -> None:
        for process in self._processes:
            assert process.writer.stop(20)
        with self.database.read() as session:
            assert verify_lines(list(queries.export_journal(session, self.lot))).violations == []


@pytest.fixture
def scene(database: Database) -> Iterator[Scene]:
    made = Scene(database)
    yield made
    made.end()


def disturb(shown: Shown, fault: str) -> None:
    if fault == "frozen":
        shown.freeze()
    else:
        shown.error += {"forwards": HOUR, "backwards": -HOUR}[fault]


def mend(shown: Shown) -> None:
    shown.frozen, shown.error = None, dt.timedelta(0)


@pytest.mark.parametrize("fault", ["forwards", "backwards", "frozen"])
def test_a_wrong_clock_closes_nothing_and_bids_go_on_in_true_time(scene: Scene, fault: str) -> None:
    process, world = scene.process(), scene.world
    assert process.bid(*scene.next()).accepted
    disturb(process.shown, fault)
    world.at += 2 * S
    assert process.look() == []
    assert process.alarms == ["clock_jumped"]
    assert process.writer.closings_paused
    # In time by true time: taken, and stamped with it, so that no other process is pushed ahead.
    assert process.bid(*scene.next()).accepted
    assert scene.stamped() == world.at
    world.at = ENDS - 0.2 * S
    assert process.bid(*scene.next()).accepted
    assert scene.entries()[-1]["received_at"] == scene.entries()[-1]["at"]
    # After the true end nobody gets in, although nothing closes.
    for late in (0, 1, 10):
        world.at = ENDS + late * S
        assert process.look() == []
        assert process.bid(*scene.next()).code == "bid_after_end"
    assert scene.state is LotState.LIVE
    mend(process.shown)
    world.at += 1 * S
    assert [answer.lot_id for answer in process.look()] == [scene.lot]
    assert scene.state is LotState.SOLD
    assert process.alarms == ["clock_jumped", "clock_trusted"]


@pytest.mark.parametrize("fault", ["forwards", "backwards"])
def test_closings_wait_for_the_operator_and_for_nothing_else(scene: Scene, fault: str) -> None:
    """The clock was wrong from the start and is set right while the process runs."""
    wrong = -HOUR if fault == "forwards" else HOUR
    scene.world.at = OPENS + 60 * S
    process = scene.process(wrong)
    process.clock.now()
    disturb(process.shown, fault)
    for _ in range(20):
        scene.world.at += 30 * S
        process.look()
    assert process.writer.closings_paused
    process.writer.trust_clock()
    scene.world.at = ENDS + 1 * S
    before = process.look()
    assert process.alarms == ["clock_jumped", "clock_trusted"]
    assert [answer.accepted for answer in before] == [True]
    assert scene.state is LotState.PASSED_IN


def test_closings_that_stood_still_for_long_are_made_up_for_by_the_published_extension(scene: Scene) -> None:
    process = scene.process()
    disturb(process.shown, "forwards")
    process.look()
    scene.world.at = ENDS + 600 * S
    assert process.look() == []
    mend(process.shown)
    assert process.look()
    assert scene.state in (LotState.LIVE, LotState.EXTENDING)
    assert scene.entries()[-1]["kind"] == "outage_extended"
    assert process.bid(*scene.next()).accepted


def test_a_soft_close_is_not_moved_by_a_wrong_clock(database: Database) -> None:
    scene = Scene(database, window_s=60, extension_s=60)
    process = scene.process()
    disturb(process.shown, "forwards")
    assert process.bid(*scene.next()).accepted
    assert scene.entries()[-1]["ends_at"] == ENDS.isoformat(timespec="microseconds").replace("+00:00", "Z")
    scene.world.at = ENDS - 10 * S
    assert process.bid(*scene.next()).accepted
    assert dt.datetime.fromisoformat(scene.entries()[-1]["ends_at"]) == scene.world.at + 60 * S
    mend(process.shown)
    scene.end()


@pytest.mark.parametrize("rate", [1.00005, 0.99995, 1.01, 0.99])
def test_a_drifting_clock(scene: Scene, rate: float) -> None:
    """Slow drift is followed, and the margin after the end covers it; a fast one is seen."""
    process, world = scene.process(), scene.world
    process.shown.rate = rate
    end = ENDS + 5 * S
    while world.at < end and scene.state is LotState.LIVE:
        world.at += (0.25 if world.at >= ENDS - 2 * S else 5) * S
        for answer in process.look():
            assert answer.accepted
            assert world.at >= ENDS
        answer = process.bid(*scene.next())
        # Within the tenth of a second that the slow drift makes in these minutes.
        assert answer.accepted == (world.at < ENDS) or abs(world.at - ENDS) < 0.1 * S
    slow = abs(rate - 1) < 0.001
    assert process.alarms == ([] if slow else ["clock_jumped"])
    assert scene.state is (LotState.SOLD if slow else LotState.LIVE)
    process.writer.trust_clock()


@pytest.fixture
def postgres(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database that several processes may serve."""
    yield from make_database("postgresql", request, tmp_path)


@pytest.fixture
def shared(postgres: Database) -> Iterator[Scene]:
    """A lot that several processes serve."""
    made = Scene(postgres)
    yield made
    made.end()


def test_two_processes_half_a_second_apart_share_the_databases_time(shared: Scene) -> None:
    world = shared.world
    pair = [shared.process(sign * 0.5 * S, lambda: world.at) for sign in (1, -1)]
    closed = 0
    world.at = ENDS - 3 * S
    while world.at < ENDS + 2 * S:
        for process in pair:
            moved = process.look()
            if moved:
                assert world.at >= ENDS
                closed += 1
            answer = process.bid(*shared.next())
            assert answer.accepted == (world.at < ENDS), (world.at - ENDS, answer.code)
        world.at += 0.1 * S
    assert closed == 1
    assert [process.alarms for process in pair] == [[], []]


def test_without_a_witness_two_processes_err_by_their_own_clocks_and_close_nothing_early(
    shared: Scene,
) -> None:
    world = shared.world
    pair = [shared.process(sign * 0.5 * S) for sign in (1, -1)]
    closed: list[dt.datetime] = []
    world.at = ENDS - 3 * S
    while world.at < ENDS + 2 * S:
        for process in pair:
            closed += [world.at for _ in process.look()]
            answer = process.bid(*shared.next())
            if answer.accepted:
                assert world.at < ENDS + 0.5 * S
            elif world.at < ENDS - 0.5 * S:
                pytest.fail(f"refused in time: {answer.code}")
            if closed:
                assert not answer.accepted
        world.at += 0.1 * S
    assert len(closed) == 1
    assert closed[0] >= ENDS


@pytest.mark.parametrize("fault", ["forwards", "backwards", "frozen"])
def test_one_process_with_a_wrong_clock_leaves_the_closing_to_the_other(shared: Scene, fault: str) -> None:
    world = shared.world
    good, bad = (shared.process(witness=lambda: world.at) for _ in range(2))
    for process in (good, bad):
        process.look()
    disturb(bad.shown, fault)
    world.at += 2 * S
    bad.look()
    assert bad.alarms == ["clock_jumped"]
    for process in (bad, good, bad):
        assert process.bid(*shared.next()).accepted
        assert shared.stamped() == world.at
    world.at = ENDS + 0.5 * S
    assert bad.look() == []
    assert bad.bid(*shared.next()).code == "bid_after_end"
    assert len(good.look()) == 1
    assert shared.state is LotState.SOLD
    assert good.alarms == []
    mend(bad.shown)


def test_a_witness_that_is_wrong_stops_closings_until_it_is_right(shared: Scene) -> None:
    world, wrong = shared.world, [HOUR]
    process = shared.process(witness=lambda: world.at + wrong[0])
    process.look()
    assert process.alarms == ["clock_apart"]
    assert process.bid(*shared.next()).accepted
    assert shared.stamped() == world.at
    world.at = ENDS + 1 * S
    assert process.look() == []
    assert process.bid(*shared.next()).code == "bid_after_end"
    wrong[0] = 0 * S
    assert len(process.look()) == 1
    assert process.alarms == ["clock_apart", "clock_trusted"]


def test_a_journal_ahead_of_the_clock_is_not_closed_by_it(shared: Scene) -> None:
    """A process that began with its clock an hour ahead has stamped a bid; the others do not close on it."""
    world = shared.world
    ahead, right = shared.process(60 * S), shared.process()
    assert ahead.bid(*shared.next()).accepted
    world.at += 1 * S
    assert right.bid(*shared.next()).accepted
    world.at = ENDS - 1 * S
    assert right.look() == []
    world.at = ENDS + 0.5 * S
    assert len(right.look()) == 1
    assert shared.state is LotState.SOLD


class Offset:
    """The machine's clock, and an error."""

    def __init__(self, error: dt.timedelta) -> None:
        self._error = error

    def now(self) -> dt.datetime:
        return SystemClock().now() + self._error


def test_two_pairs_of_threads_half_a_second_apart_by_real_time(postgres: Database) -> None:
    """Bids rush in through both until the lot has closed; the database's own clock is their witness."""
    staged = stage_now(postgres, bidders=4, opens_in_s=1.0, lasts_s=2.0, window_s=0)
    true = SystemClock()
    closed_at: list[dt.datetime] = []
    closed = threading.Event()

    def note(*_: Any) -> None:
        closed_at.append(true.now())
        closed.set()

    alarms: list[str] = []
    pairs = []
    for sign in (1, -1):
        clock = GuardedClock(Offset(sign * 0.5 * S), elapsed)
        writer = Writer(
            postgres, clock, Signer(bytes(32)), LocalBus(), on_closed=note,
            on_alarm=lambda code, _detail: alarms.append(code),
        )  # fmt: skip
        keeper = Timekeeper(postgres, clock, writer, look_s=0.2)
        writer.start()
        keeper.start()
        pairs.append((clock, writer, keeper))
    accepted: list[dt.datetime] = []

    def rush(place: int) -> None:
        clock, writer, _ = pairs[place % 2]
        who = staged.bidders[place]
        number = 0
        while not closed.is_set():
            number += 1
            at = true.now()
            bid = c.PlaceBid(
                lot_id=staged.lot, person_id=who.person_id, client_bid_id=f"rush-{place}-{number:06d}",
                amount_fen=1_000_000 + (number * 4 + place) * 10_000, received_at=clock.now(),
            )  # fmt: skip
            answer = writer.submit(bid).result(30)
            if answer.accepted:
                accepted.append(at)
            closed.wait(0.01)

    threads = [threading.Thread(target=rush, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    assert closed.wait(60)
    for thread in threads:
        thread.join(30)
    for _, writer, keeper in pairs:
        keeper.stop()
        assert writer.stop(20)
    assert alarms == []
    assert len(closed_at) == 1
    with postgres.read() as session:
        lines = list(queries.export_journal(session, staged.lot))
        ends = queries.lot_detail(session, staged.lot).card.ends_at
    assert verify_lines(lines).violations == []
    assert closed_at[0] >= ends
    assert accepted
    # What a witness cannot settle is half of how long its answer took.
    assert [at for at in accepted if at > ends + 0.25 * S] == []
