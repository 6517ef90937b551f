"""The guarded clock: steady whatever the clock under it does, and honest about when it cannot know."""

from __future__ import annotations

import datetime as dt
import threading

import pytest

from market.clock import FixedClock, GuardedClock, SystemClock, elapsed
from tests.conftest import NOW

HOUR = 3600.0


class Machine:
    """A machine whose clock and whose count of seconds can be moved apart."""

    def __init__(self) -> None:
        self.tick = 1000.0
        self.clock = FixedClock(NOW)
        self.guarded = GuardedClock(self.clock, lambda: self.tick)
        self.guarded.now()

    def passes(self, real: float, shown: float | None = None) -> float:
        """Let time pass; how far the guarded clock is then from what has really passed."""
        self.tick += real
        self.clock.advance(seconds=real if shown is None else shown)
        return self.error()

    def error(self) -> float:
        true = NOW + dt.timedelta(seconds=self.tick - 1000.0)
        return (self.guarded.now() - true).total_seconds()

    def codes(self) -> list[str]:
        return [code for code, _ in self.guarded.changes()]


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 1.5, -1.5])
def test_a_jump_is_seen_at_once_and_moves_nothing(jump: float) -> None:
    machine = Machine()
    assert machine.passes(10.0) == 0.0
    assert machine.passes(1.0, 1.0 + jump) == 0.0
    assert not machine.guarded.trusted
    assert machine.guarded.offset_s == pytest.approx(jump, abs=0.01)
    assert machine.codes() == ["clock_jumped"]
    for _ in range(100):
        assert machine.passes(60.0) == 0.0
    assert not machine.guarded.trusted  # a wrong clock goes on as steadily as a right one
    assert machine.codes() == []
    assert machine.passes(1.0, 1.0 - jump) == 0.0
    assert machine.guarded.trusted
    assert machine.codes() == ["clock_trusted"]


def test_a_clock_that_stands_still_is_seen_and_time_goes_on() -> None:
    machine = Machine()
    for _ in range(100):
        assert abs(machine.passes(0.1, 0.0)) < 0.001
    assert machine.codes() == ["clock_jumped"]


def test_slow_drift_is_followed_and_fast_drift_is_not() -> None:
    machine = Machine()
    for _ in range(3600):
        machine.passes(1.0, 1.00005)
    assert machine.guarded.trusted
    assert machine.error() == pytest.approx(3600 * 0.00005, abs=0.01)
    machine = Machine()
    for _ in range(3600):
        machine.passes(1.0, 1.01)
    assert machine.codes() == ["clock_jumped"]
    assert machine.error() < 0.02  # it was followed for a hundred seconds, then no more


def test_somebody_in_charge_says_that_the_clock_is_right() -> None:
    machine = Machine()
    machine.passes(1.0, 1.0 + HOUR)
    assert machine.codes() == ["clock_jumped"]
    machine.guarded.accept()
    assert machine.guarded.trusted
    assert machine.codes() == ["clock_trusted"]
    assert machine.error() == HOUR
    assert machine.passes(5.0) == HOUR


def test_a_witness_within_a_second_is_followed() -> None:
    machine = Machine()
    machine.guarded.compare(lambda: machine.clock.now() + dt.timedelta(seconds=0.5))
    assert machine.error() == 0.5
    assert machine.guarded.trusted
    machine.passes(3600.0)
    machine.guarded.compare(lambda: machine.clock.now() + dt.timedelta(seconds=0.5))
    assert machine.error() == pytest.approx(0.5, abs=0.001)


def test_a_witness_far_off_is_told_of_and_not_followed() -> None:
    machine = Machine()
    far = dt.timedelta(hours=1)
    machine.guarded.compare(lambda: machine.clock.now() + far)
    assert machine.error() == 0.0
    assert machine.guarded.changes() == [("clock_apart", {"offset_s": HOUR})]
    machine.guarded.compare(machine.clock.now)
    assert machine.codes() == ["clock_trusted"]
    machine.guarded.compare(lambda: machine.clock.now() + far)
    machine.guarded.accept()  # our clock is right and the database's is not
    machine.guarded.compare(lambda: machine.clock.now() + far)
    assert machine.guarded.trusted
    assert machine.error() == 0.0


def test_a_slow_witness_says_little() -> None:
    machine = Machine()

    def slow() -> dt.datetime:
        machine.tick += 2.0
        return machine.clock.now()

    machine.guarded.compare(slow)
    assert machine.guarded.trusted
    machine.guarded.compare(lambda: None)


def test_without_a_count_of_seconds_only_a_jump_backwards_shows() -> None:
    clock = FixedClock(NOW)
    guarded = GuardedClock(clock)
    assert guarded.now() == NOW
    clock.advance(hours=1)
    assert guarded.now() == clock.at
    assert guarded.trusted
    clock.advance(seconds=-2)
    assert guarded.now() == clock.at
    assert [code for code, _ in guarded.changes()] == ["clock_jumped"]
    guarded.compare(lambda: pytest.fail("nobody is asked"))
    clock.advance(seconds=3)
    assert [code for code, _ in guarded.changes()] == ["clock_trusted"]


def test_many_threads_read_one_time_that_never_goes_back() -> None:
    guarded = GuardedClock(SystemClock(), elapsed)
    wrong: list[int] = []

    def read() -> None:
        last = guarded.now()
        for _ in range(5_000):
            now = guarded.now()
            if now < last:
                wrong.append(1)
            last = now

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert guarded.trusted
