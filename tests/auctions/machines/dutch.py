"""Falling prices, beside a model that counts the time for which the price has run."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from auctions.rules import commands as c
from auctions.rules.state import BIDDING
from tests.auctions.histories import LOT, OPENS, with_terms
from tests.auctions.machines.base import Machine
from tests.auctions.machines.model import BIDDING as BIDDING_NAMES
from tests.auctions.machines.model import MS, US, Model, S, Taken

LADDERS = [(400, 250, 60), (400, 300, 5), (999, 1, 60), (1, 333, 10)]
"""(floor, decrement, interval)"""


def prices(floor: int, decrement: int) -> list[int]:
    """Every price from 1000 down."""
    found = [1000]
    while found[-1] > floor:
        found.append(max(floor, found[-1] - decrement))
    return found


class DutchModel(Model):
    """`zero` is when the first price began to run, moved by every stop."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        p = self.terms.params
        self.prices = prices(p["floor_fen"], p["decrement_fen"])
        self.interval = p["interval_s"] * S
        self.zero = self.opens
        self.outage = False

    def on_open(self, command: c.Open, now: dt.datetime) -> Taken:
        self.went_on = now
        if now - self.zero > 5 * S:
            self.zero = now
        return super().on_open(command, now)

    def on_resume(self, command: c.Resume, now: dt.datetime) -> Taken:
        taken = super().on_resume(command, now)
        if taken:
            self.zero += now - self.stopped_at
            self.went_on = now
        return taken

    def on_close(self, command: c.Close, now: dt.datetime) -> Taken:
        taken = super().on_close(command, now)
        self.outage = self.outage or bool(taken and taken[0][0] == "outage_extended")
        return taken

    def step_at(self, at: dt.datetime) -> int:
        """The place in the list of prices."""
        if self.outage:
            return len(self.prices) - 1
        return min((max(at, self.went_on) - self.zero) // self.interval, len(self.prices) - 1)

    def judge(self, bid: c.PlaceBid, alias: int, received: dt.datetime, now: dt.datetime) -> Taken:
        step = self.step_at(received)
        if self.state not in BIDDING_NAMES or bid.act != "take":
            return None
        if bid.amount_fen != self.prices[step] or bid.extra.get("step") != step:
            return None
        taken = self.accepted(alias, "take", self.prices[step], received, detail={"step": step})
        return [taken, self.closes("sold", alias, self.prices[step])]


class DutchMachine(Machine):
    MODEL = DutchModel
    model: DutchModel

    @initialize(ladder=st.sampled_from(LADDERS), late=st.sampled_from([0, 4, 5.000001, 100]))
    def start(self, ladder: tuple[int, int, int], late: float) -> None:
        floor, decrement, interval = ladder
        terms = with_terms(
            format="dutch",
            params={"floor_fen": floor, "decrement_fen": decrement, "interval_s": interval},
            ends_at=OPENS + len(prices(floor, decrement)) * interval * S,
            hard_end=None,
            window_s=0,
            reserve_fen=None,
            reserve_nonce="",
            cap_fen=None,
        )
        self.begin(terms, [None, None, None, 1], [100] * 4, late)

    @rule(step=st.integers(0, 5), off=st.sampled_from([-1, 0, 1, 2_000_000]))
    def near_a_step(self, step: int, off: int) -> None:
        """Microseconds around the moment at which a step begins."""
        at = self.model.zero + (step % len(self.model.prices)) * self.model.interval + off * US
        self.history.clock = max(self.history.clock, at)

    @precondition(lambda self: self.ready and self.lot.state in BIDDING)
    @rule(
        step=st.integers(1, 3),
        off=st.sampled_from([-1, 0, -2_000_000]),
        stood=st.sampled_from([1, 999_999, 61_000_000]),
        waits=st.sampled_from([0, 0, 1, 2_000_000]),
        lag=st.sampled_from([None, 0, 0.001, 1, 2000]),
    )
    def stop_near_a_step(self, step: int, off: int, stood: int, waits: int, lag: float | None) -> None:
        """Microseconds; then perhaps a take that was received during or before the stop."""
        self.near_a_step(step, off)
        self.tell(c.Pause(lot_id=LOT, reason="故障"))
        self.history.clock += stood * US
        self.tell(c.Resume(lot_id=LOT))
        self.history.clock += waits * US
        if lag is not None:
            now = self.model.step_at(self.history.clock - lag * 1000 * US)
            self.place(2, "take", self.model.prices[now], lag, step=now)

    @rule(
        alias=st.integers(0, 5),
        steps=st.sampled_from([-1, 1, 1]),
        lag=st.sampled_from([0, 0.001, 400, -5]),
        act=st.sampled_from(["take", "take", "bid"]),
    )
    def take_wrongly(self, alias: int, steps: int, lag: float, act: str) -> None:
        step = self.model.step_at(self.history.clock) + steps
        if 0 <= step < len(self.model.prices):
            self.place(alias, act, self.model.prices[step], lag, step=step)

    @rule(alias=st.integers(1, 4), off=st.sampled_from([-1, 1]), which=st.booleans())
    def take_almost(self, alias: int, off: int, which: bool) -> None:
        step = self.model.step_at(self.history.clock)
        price = self.model.prices[step]
        self.place(alias, "take", price + off * which, step=step + off * (not which))

    @precondition(lambda self: self.ready and self.lot.state in BIDDING)
    @rule(
        alias=st.integers(0, 4),
        dice=st.integers(0, 3),
        lag=st.sampled_from([0, 0.001, 1, 400, 61_000]),
        seen=st.booleans(),
        near=st.sampled_from([None, 0, 1, 2, 3]),
        off=st.sampled_from([-1, 0, 1]),
    )
    def take(self, alias: int, dice: int, lag: float, seen: bool, near: int | None, off: int) -> None:
        # A take ends the lot, so most runs go on without one.
        if dice == 0:
            if near is not None:
                self.near_a_step(near, off)
            at = self.history.clock - lag * 1000 * US
            step = self.model.step_at(at if seen else self.history.clock)
            self.place(alias, "take", self.model.prices[step], lag, step=step)

    @precondition(lambda self: self.ready and self.lot.state in BIDDING)
    @rule(late=st.sampled_from([499, 500, 60_500, 60_500.001]), dice=st.integers(0, 3))
    def nobody_takes(self, late: float, dice: int) -> None:
        if dice == 0:
            assert self.lot.ends_at is not None
            self.history.clock = max(self.history.clock, self.lot.ends_at + late * MS)
            self.tell(c.Close(lot_id=LOT))

    def last_words(self) -> None:
        """Somebody takes at one of the prices still to come."""
        step = (self.lot.seq * 7) % len(self.model.prices)
        if self.lot.seq % 3:
            self.near_a_step(step, -1)
            now = self.model.step_at(self.history.clock)
            self.place(1, "take", self.model.prices[now], step=now)
