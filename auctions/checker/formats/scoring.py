"""Price and royalty (综合评分报价), checked."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from auctions.checker.lot import SOLD, Bid, Format, Outcome
from auctions.checker.reading import whole


class Scoring(Format):
    """The highest score wins at its own price and royalty."""

    name = "scoring"
    acts = {"offer": "bidding"}
    details = {"offer": frozenset({"royalty_bp", "score", "points"})}
    score: Fraction | None = None
    royalty = 0

    def terms_good(self) -> bool:
        """See `Format`."""
        p = self.lot.terms["params"]
        names = ("price_weight", "royalty_weight", "royalty_unit_bp", "royalty_most_bp", "score_step")
        return self.lot.terms["start_fen"] > 0 and all(whole(p[name]) > 0 for name in names)

    def bid(self, bid: Bid) -> None:
        """See `Format`."""
        lot, p = self.lot, self.lot.terms["params"]
        royalty = whole(bid.detail["royalty_bp"])
        if bid.amount is None:
            lot.wrong("bid_below_start", "no amount")
            return
        if bid.alias == lot.leader:
            lot.wrong("bid_by_leader", f"alias {bid.alias}")
        if bid.amount < lot.terms["start_fen"]:
            lot.wrong("bid_below_start", f"{bid.amount} < {lot.terms['start_fen']}")
        if not 0 <= royalty <= p["royalty_most_bp"]:
            lot.wrong("royalty_out_of_range", f"{royalty}")
        weights = p["price_weight"] + p["royalty_weight"]
        score = Fraction(100 * p["price_weight"] * bid.amount, lot.terms["start_fen"] * weights) + Fraction(
            100 * p["royalty_weight"] * royalty, p["royalty_unit_bp"] * weights
        )
        cut = int(score * 100)
        if bid.detail["score"] != str(score) or bid.detail["points"] != f"{cut // 100}.{cut % 100:02}":
            lot.wrong("wrong_score", f"{bid.detail['score']} instead of {score}")
        if self.score is not None and (score - self.score) * 100 < p["score_step"]:
            lot.wrong("score_too_low", f"{score} after {self.score}")
        self.stands(bid, True)
        self.matches(bid, False)
        self.score, self.royalty = score, royalty

    def end_after(self, bid: Bid) -> datetime:
        """See `Format`."""
        return self.lot.soft_end(bid.received)

    def outcome(self) -> Outcome:
        """See `Format`."""
        outcome = self.lot.highest_wins()
        if outcome.reason != SOLD:
            return outcome
        return replace(outcome, detail={"royalty_bp": self.royalty, "score": str(self.score)})
