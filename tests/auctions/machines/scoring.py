"""Price and royalty, beside a model that scores in whole numbers."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from auctions.rules import commands as c
from auctions.rules.state import BIDDING
from auctions.rules.terms import SoleBidderRule
from tests.auctions.histories import ENDS, with_terms
from tests.auctions.machines.base import NEAR, Machine
from tests.auctions.machines.model import BIDDING as BIDDING_NAMES
from tests.auctions.machines.model import Model, S, Taken

WEIGHTS = [(60, 40, 100), (1, 1, 7), (7, 3, 33), (1000, 1, 10_000)]
"""(price weight, royalty weight, royalty unit)"""


class ScoringModel(Model):
    """Scores over one common denominator."""

    top = 0
    royalty = 0

    @property
    def denominator(self) -> int:
        p = self.terms.params
        return int(self.terms.start_fen * p["royalty_unit_bp"] * (p["price_weight"] + p["royalty_weight"]))

    def points(self, price: int, royalty: int) -> int:
        """The score, in parts of the denominator."""
        p = self.terms.params
        return int(
            100 * p["price_weight"] * price * p["royalty_unit_bp"]
            + 100 * p["royalty_weight"] * royalty * self.terms.start_fen
        )

    def written(self, points: int) -> str:
        divisor = math.gcd(points, self.denominator)
        over, under = points // divisor, self.denominator // divisor
        return str(over) if under == 1 else f"{over}/{under}"

    def judge(self, bid: c.PlaceBid, alias: int, received: dt.datetime, now: dt.datetime) -> Taken:
        price, royalty = bid.amount_fen, bid.extra.get("royalty_bp")
        if bid.act != "offer" or self.state not in BIDDING_NAMES or alias == self.leader:
            return None
        if not isinstance(royalty, int) or not 0 <= royalty <= self.terms.params["royalty_most_bp"]:
            return None
        if price is None or price < self.terms.start_fen:
            return None
        points = self.points(price, royalty)
        step = self.terms.params["score_step"]
        if self.leader is not None and 100 * (points - self.top) < step * self.denominator:
            return None
        self.top, self.royalty = points, royalty
        hundredths = points * 100 // self.denominator
        detail = {
            "royalty_bp": royalty,
            "score": self.written(points),
            "points": f"{hundredths / 100:.2f}",
        }
        return [self.accepted(alias, "offer", price, received, end=self.soft(received), detail=detail)]

    def sold_detail(self) -> dict[str, Any]:
        return {"royalty_bp": self.royalty, "score": self.written(self.top)}


OFFERS = st.tuples(
    st.integers(0, 3),
    st.integers(0, 50),
    st.sampled_from([-1, 0, 0, 0, 1, 500]),
    st.sampled_from([False, False, False, True]),
)
"""(whose, royalty, fen more than needed, the leader's own)"""


class ScoringMachine(Machine):
    MODEL = ScoringModel
    model: ScoringModel

    @initialize(
        weights=st.sampled_from(WEIGHTS),
        score_step=st.sampled_from([1, 100, 333]),
        hard=st.sampled_from([None, 0, 30]),
        reserve=st.sampled_from([None, 3500]),
        sole=st.sampled_from(list(SoleBidderRule)),
        hand=st.sampled_from([0, 1]),
        late=st.sampled_from([0, 100]),
        offers=st.lists(OFFERS, min_size=1, max_size=6),
    )
    def start(
        self, weights: tuple[int, int, int], score_step: int, hard: int | None, reserve: int | None,
        sole: SoleBidderRule, hand: int, late: float, offers: list[tuple[int, int, int, bool]],
    ) -> None:  # fmt: skip
        price, royalty, unit = weights
        terms = with_terms(
            start_fen=3000,
            format="scoring",
            params={
                "price_weight": price,
                "royalty_weight": royalty,
                "royalty_unit_bp": unit,
                "royalty_most_bp": 50,
                "score_step": score_step,
            },
            hard_end=None if hard is None else ENDS + hard * S,
            reserve_fen=reserve,
            reserve_nonce="5" * 32 if reserve else "",
            sole_bidder=sole,
            cap_fen=None,
            hand_extensions=hand,
            hand_extension_s=60 if hand else 0,
        )
        self.begin(terms, [None, None, None, 1], [100] * 4, late)
        for offer in offers:
            self.offer(*offer)

    @rule(
        alias=st.integers(0, 5),
        price=st.sampled_from([2999, 3000, 3499, 3500, 9000]),
        royalty=st.sampled_from([-1, 0, 25, 50, 51, "1"]),
        act=st.sampled_from(["offer", "offer", "bid"]),
        lag=st.sampled_from([0, 400, -5]),
    )
    def anything(self, alias: int, price: int, royalty: int | str, act: str, lag: int) -> None:
        self.place(alias, act, price, lag, royalty_bp=royalty)

    @precondition(lambda self: self.ready and self.lot.state in BIDDING)
    @rule(offers=st.lists(OFFERS, min_size=1, max_size=5), left=st.sampled_from([None, None, *NEAR]))
    def better_it(self, offers: list[tuple[int, int, int, bool]], left: float | None) -> None:
        if left is not None:
            self.come_near(left)
        for offer in offers:
            self.offer(*offer)

    def offer(self, pick: int, royalty: int, off: int, leader: bool) -> None:
        """Just the price that is needed with this royalty, more or less a fen."""
        m, p = self.model, self.lot.terms.params
        needed = m.top if m.leader is None else m.top + -(-p["score_step"] * m.denominator // 100)
        each = 100 * p["price_weight"] * p["royalty_unit_bp"]
        price = max(3000, -(-(needed - m.points(0, royalty)) // each)) + off
        others = self.others()
        alias = (m.leader or 1) if leader or not others else others[pick % len(others)]
        self.place(alias, "offer", price, royalty_bp=royalty)
