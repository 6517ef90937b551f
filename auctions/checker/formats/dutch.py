"""Descending price (降价式), checked."""

from __future__ import annotations

from datetime import datetime, timedelta

from auctions.checker.lot import NO_BID, SOLD, Bid, Format, Outcome
from auctions.checker.reading import time


class Dutch(Format):
    """A take at the price of its instant ends the lot."""

    name = "dutch"
    acts = {"take": "bidding"}
    details = {"take": frozenset({"step"})}
    went_on: datetime | None = None
    outage = False

    def terms_good(self) -> bool:
        """See `Format`."""
        terms, params = self.lot.terms, self.lot.terms["params"]
        if not 0 < params["floor_fen"] < terms["start_fen"] or params["decrement_fen"] < 1:
            return False
        lasts = timedelta(seconds=params["interval_s"]) * self._count()
        return params["interval_s"] > 0 and time(terms["ends_at"]) == time(terms["opens_at"]) + lasts

    def _count(self) -> int:
        params = self.lot.terms["params"]
        whole, rest = divmod(self.lot.terms["start_fen"] - params["floor_fen"], params["decrement_fen"])
        return int(whole) + (2 if rest else 1)

    def _step(self, at: datetime) -> int:
        last = self._count() - 1
        if self.outage:
            return last
        if self.went_on is not None and at < self.went_on:
            at = self.went_on
        interval = timedelta(seconds=self.lot.terms["params"]["interval_s"])
        # How many whole intervals are left tells how many have gone.
        left = -((at - self.lot.end) // interval)
        return max(0, min(last, last + 1 - left))

    def bid(self, bid: Bid) -> None:
        """See `Format`."""
        params, step = self.lot.terms["params"], self._step(bid.received)
        price = max(params["floor_fen"], self.lot.terms["start_fen"] - step * params["decrement_fen"])
        if bid.detail.get("step") != step:
            self.lot.wrong("wrong_step", f"{bid.detail.get('step')} instead of {step}")
        if bid.amount != price:
            self.lot.wrong("wrong_price", f"{bid.amount} instead of {price}")
        self.stands(bid, True)
        self.matches(bid, False)
        self.lot.must_close(Outcome(SOLD, bid.alias, bid.amount))

    def noted(self, kind: str, at: datetime) -> None:
        """See `Format`."""
        if kind == "outage_extended":
            self.outage = True
        elif kind == "resumed" and self.lot.stopped_from in ("live", "extending"):
            self.went_on = at

    def outcome(self) -> Outcome:
        """See `Format`."""
        return Outcome(NO_BID)
