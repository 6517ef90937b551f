"""Hypothesis drives a lot against a small model and, at the end, the independent checker.

Amounts and moments are drawn relative to the present price and end: drawn from fixed ranges they miss
the edges where faults live.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from auctions import journal
from auctions.rules import commands as c
from auctions.rules.state import BIDDING, ENDED, STOPPED, Lot, LotState
from auctions.rules.terms import SoleBidderRule
from auctions.verify import verify_lines
from tests.auctions.histories import ENDS, LOT, OPENS, History, with_terms

S = dt.timedelta(seconds=1)
MS = dt.timedelta(milliseconds=1)


class LotMachine(RuleBasedStateMachine):
    @initialize(
        hard=st.sampled_from([None, 0, 30, 150]),
        reserve=st.sampled_from([None, 1500]),
        sole=st.sampled_from(list(SoleBidderRule)),
        priority=st.sampled_from([1, 2, None]),
        cap=st.sampled_from([2000, 8000]),
    )
    def start(
        self, hard: int | None, reserve: int | None, sole: SoleBidderRule, priority: int | None, cap: int
    ) -> None:
        terms = with_terms(
            hard_end=None if hard is None else ENDS + hard * S,
            reserve_fen=reserve,
            reserve_nonce="5" * 32 if reserve else "",
            sole_bidder=sole,
            cap_fen=cap,
        )
        self.history = History(terms)
        self.history.do(c.Publish(lot_id=LOT))
        for organisation_id in (11, 12, 13):
            self.history.admit(organisation_id)
        self.history.admit(14, priority=priority)
        self.history.do(c.Open(lot_id=LOT), OPENS)
        self.model: dict[str, Any] = {"price": None, "leader": None, "bids": 0}

    @property
    def lot(self) -> Lot:
        return self.history.lot

    @rule(
        alias=st.integers(0, 5),
        steps=st.integers(-1, 4),
        off=st.sampled_from([0, 0, 0, 0, 1, -1]),
        lag=st.sampled_from([0, 1, 400]),
    )
    def bid(self, alias: int, steps: int, off: int, lag: int) -> None:
        base = self.lot.terms.start_fen if self.lot.price_fen is None else self.lot.price_fen
        self._place(alias, base + steps * self.lot.terms.step(base) + off, lag)

    @precondition(lambda self: self.lot.state in BIDDING)
    @rule(pick=st.integers(0, 2), steps=st.sampled_from([1, 1, 1, 3, 20]))
    def outbid(self, pick: int, steps: int) -> None:
        # Drawn blindly, good bids are rare: without this rule no lot gets far.
        others = [alias for alias in sorted(self.lot.admitted) if alias != self.lot.leader]
        if others:
            price = self.lot.price_fen
            amount = 1000 if price is None else price + steps * self.lot.terms.step(price)
            self._place(others[pick % len(others)], amount, 0)

    @precondition(lambda self: self.lot.state in BIDDING and self.lot.price_fen is not None)
    @rule(alias=st.sampled_from([4, 4, 1]), steps=st.sampled_from([0, 0, 1]))
    def match(self, alias: int, steps: int) -> None:
        if alias == 4 and self.lot.leader == 4:
            self._place(1, (self.lot.price_fen or 0) + self.lot.terms.step(self.lot.price_fen or 0), 0)
        price = self.lot.price_fen or 0
        self._place(alias, price + steps * self.lot.terms.step(price), 0)

    @precondition(lambda self: self.lot.state in BIDDING and self.lot.bid_count > 1)
    @rule()
    def run_out(self) -> None:
        assert self.lot.ends_at is not None
        self.history.clock = max(self.history.clock, self.lot.ends_at + S)
        self.close(False)

    def _place(self, alias: int, amount: int, lag: int) -> None:
        before = self.lot
        received = self.history.clock - lag * MS
        refusal = self.history.bid(alias or None, amount, self.history.clock, received)
        expected = self._model_accepts(before, alias, amount, received)
        assert (refusal is None) == expected, (refusal, amount)
        if refusal is None:
            self.model = {"price": amount, "leader": alias, "bids": self.model["bids"] + 1}
            assert self.lot.ends_at is not None
            assert before.ends_at is not None
            assert self.lot.ends_at >= before.ends_at
        else:
            assert refusal.seq <= self.lot.seq
            assert self.lot is before

    def _model_accepts(self, lot: Lot, alias: int, amount: int, received: dt.datetime) -> bool:
        assert lot.ends_at is not None
        if lot.state not in BIDDING or alias not in lot.admitted or received >= lot.ends_at:
            return False
        price, leader = self.model["price"], self.model["leader"]
        cap = lot.terms.cap_fen or 0
        if leader == alias:
            return False
        if price is None:
            return amount >= 1000 and (amount - 1000) % 100 == 0 and amount <= min(3000, cap)
        if amount == price:
            mine, theirs = lot.admitted[alias], lot.admitted.get(leader)
            return mine is not None and (theirs is None or mine < theirs)
        step = 100 if price < 3000 else 500
        extra = amount - price
        return extra > 0 and extra % step == 0 and extra <= 20 * step and amount <= cap

    @rule(seconds=st.sampled_from([0.001, 0.4, 1, 10, 61]))
    def wait(self, seconds: float) -> None:
        self.history.clock += dt.timedelta(seconds=seconds)

    @rule(left=st.sampled_from([61, 60, 59, 1, 0.000001, 0, -0.3]))
    def near_the_end(self, left: float) -> None:
        assert self.lot.ends_at is not None
        target = self.lot.ends_at - dt.timedelta(seconds=left)
        self.history.clock = max(self.history.clock, target)

    @rule(seconds=st.sampled_from([0.5, 5]))
    def clock_runs_back(self, seconds: float) -> None:
        self.history.clock -= dt.timedelta(seconds=seconds)

    @rule()
    def pause(self) -> None:
        self.history.do(c.Pause(lot_id=LOT, reason="故障"))

    @rule()
    def suspend(self) -> None:
        self.history.do(c.Suspend(lot_id=LOT, reason="争议"))

    @precondition(lambda self: self.lot.state in STOPPED)
    @rule()
    def resume(self) -> None:
        assert self.history.do(c.Resume(lot_id=LOT)) is None

    @rule(alias=st.sampled_from([3, 3, 2, 4]))
    def revoke(self, alias: int) -> None:
        self.history.do(c.RevokeAdmission(lot_id=LOT, alias=alias, reason="退出"))

    @rule(outage=st.booleans())
    def close(self, outage: bool) -> None:
        if outage:
            assert self.lot.ends_at is not None
            self.history.clock = max(self.history.clock, self.lot.ends_at + 3600 * S)
        before = self.lot
        if self.history.do(c.Close(lot_id=LOT)) is None and self.lot.state in ENDED:
            assert before.ends_at is not None
            assert self.lot.closed_at is not None
            assert self.lot.closed_at >= before.ends_at
            sold = self.model["price"] is not None and self.model["price"] >= (before.terms.reserve_fen or 0)
            if before.terms.sole_bidder is SoleBidderRule.PASS_IN and len(before.bidders) < 2:
                sold = False
            assert self.lot.winner == (self.model["leader"] if sold else None)
            assert (self.lot.state is LotState.SOLD) == sold

    @invariant()
    def model_and_lot_agree(self) -> None:
        if not hasattr(self, "history"):
            return
        assert (self.lot.price_fen, self.lot.leader, self.lot.bid_count) == (
            self.model["price"],
            self.model["leader"],
            self.model["bids"],
        )

    def teardown(self) -> None:
        if not hasattr(self, "history"):
            return
        report = verify_lines(self.history.lines())
        assert report.violations == []
        assert report.state == self.lot.state
        assert report.head_hash == self.history.head.hash
        bodies = [json.loads(entry.body) for entry in self.history.entries]
        assert journal.replay(LOT, self.lot.terms, bodies) == self.lot


LotMachine.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)
TestLot = LotMachine.TestCase
