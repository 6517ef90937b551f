"""English auctions with maxima, beside their model."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from auctions.rules import commands as c
from auctions.rules.state import BIDDING
from auctions.rules.terms import CapRule, SoleBidderRule
from tests.auctions.histories import ENDS, LOT, History, with_terms
from tests.auctions.machines.base import NEAR, Machine, frame_of
from tests.auctions.machines.model import BIDDING as BIDDING_NAMES
from tests.auctions.machines.model import Model, S, Taken


class EnglishModel(Model):
    """Worths by bidder; who leads and at what price follows from the two highest."""

    worth = 0

    def step(self, price: int) -> int:
        return max((floor, step) for floor, step in self.terms.steps if floor <= price)[1]

    def amount_good(self, bid: c.PlaceBid, alias: int, amount: int) -> bool:
        t = self.terms
        if t.cover_bp is not None and amount * t.cover_bp > self.deposits[alias] * 10_000:
            return False
        if self.price is not None and amount == self.price and self.higher(alias, self.leader):
            return True
        base = t.start_fen if self.price is None else self.price
        steps, rest = divmod(amount - base, self.step(base))
        if rest or steps < (0 if self.price is None else 1) or amount > (t.cap_fen or amount):
            return False
        return bid.act == "maximum" or t.max_steps is None or steps <= t.max_steps

    def judge(self, bid: c.PlaceBid, alias: int, received: dt.datetime, now: dt.datetime) -> Taken:
        amount, maximum = bid.amount_fen, bid.act == "maximum"
        if bid.act not in ("bid", "maximum") or amount is None or self.state not in BIDDING_NAMES:
            return None
        if maximum and not self.terms.maxima:
            return None
        if alias == self.leader:
            if not maximum or not self.amount_good(bid, alias, amount) or amount <= self.worth:
                return None
            self.worth = amount
            return [self.accepted(alias, "maximum", None, received, standing=False)]
        if not self.amount_good(bid, alias, amount):
            return None
        written = self.meet(alias, bid.act, amount, received, self.soft(received))
        cap = self.terms.cap_rule == "close" and self.price == self.terms.cap_fen
        alone = self.terms.sole_bidder == "pass_in" and len(self.bidders) < 2
        return [*written, self.closed()] if cap and not alone else written

    def meet(self, alias: int, act: str, amount: int, received: dt.datetime, end: dt.datetime) -> list[Any]:
        price, leader, worth = self.price, self.leader, self.worth
        if price is None or leader is None:
            self.worth = amount
            shown = self.terms.start_fen if act == "maximum" else amount
            return [self.accepted(alias, act, shown, received, end=end)]
        if amount > worth or (amount == worth and self.higher(alias, leader)):
            shown = amount
            if act == "maximum" and amount != worth:
                shown = max(price + self.step(price), min(amount, worth + self.step(worth)))
            self.worth = amount
            return [self.accepted(alias, act, shown, received, end=end, matched=amount == worth)]
        lost = self.accepted(alias, act, amount, received, end=end, matched=amount == price)
        answer = min(worth, amount + self.step(amount))
        return [
            lost,
            self.accepted(leader, "auto", answer, received, matched=amount == worth),
        ]


Move = tuple[str, int, str, int]
"""(kind, whose, act, steps)"""
MOVES = st.tuples(
    st.sampled_from(["outbid", "outbid", "meet", "meet", "match", "own", "own", "cap", "wait"]),
    st.integers(0, 2),
    st.sampled_from(["bid", "maximum"]),
    st.sampled_from([0, 1, 1, 2, 2, 3, 4, 8, 21]),
)


class EnglishMachine(Machine):
    MODEL = EnglishModel
    model: EnglishModel

    @initialize(
        hard=st.sampled_from([None, 0, 30, 150]),
        reserve=st.sampled_from([None, 1500]),
        sole=st.sampled_from(list(SoleBidderRule)),
        priorities=st.sampled_from([[None, None, None, 1], [None, 2, None, 1], [None] * 4]),
        cap=st.sampled_from([None, 1700, 2000, 8000]),
        cap_rule=st.sampled_from(list(CapRule)),
        cover=st.sampled_from([None, None, 1000]),
        steps=st.sampled_from([((0, 100), (3000, 500)), ((0, 300), (2200, 100)), ((0, 100), (1500, 700))]),
        maxima=st.sampled_from([True, True, True, False]),
        hand=st.sampled_from([0, 1, 1, 2]),
        together=st.booleans(),
        late=st.sampled_from([0, 5, 5.000001, 100]),
        moves=st.lists(MOVES, min_size=2, max_size=8),
    )
    def start(
        self, hard: int | None, reserve: int | None, sole: SoleBidderRule, priorities: list[int | None],
        cap: int | None, cap_rule: CapRule, cover: int | None, steps: tuple[tuple[int, int], ...],
        maxima: bool, hand: int, together: bool, late: float, moves: list[Move],
    ) -> None:  # fmt: skip
        terms = with_terms(
            hard_end=None if hard is None else ENDS + hard * S,
            reserve_fen=reserve,
            reserve_nonce="5" * 32 if reserve else "",
            sole_bidder=sole,
            cap_fen=cap,
            cap_rule=cap_rule,
            cover_bp=cover,
            steps=steps,
            maxima=maxima,
            hand_extensions=hand,
            hand_extension_s=120 if hand else 0,
            ends_together=together,
            sale_id=3 if together else None,
        )
        self.begin(terms, priorities, [100, 300, 1000, 500], late)
        for move in moves:
            self.move(*move)

    @property
    def base(self) -> tuple[int, int]:
        """The standing price, or the start, and the step in force."""
        price = self.lot.terms.start_fen if self.lot.price_fen is None else self.lot.price_fen
        return price, self.lot.terms.step(price)

    @rule(
        alias=st.integers(0, 5),
        act=st.sampled_from(["bid", "maximum", "take"]),
        steps=st.integers(-1, 4),
        off=st.sampled_from([0, 0, 0, 1, -1]),
        lag=st.sampled_from([0, 1, 400, -5]),
    )
    def anything(self, alias: int, act: str, steps: int, off: int, lag: int) -> None:
        price, step = self.base
        self.place(alias, act, price + steps * step + off, lag)

    @precondition(lambda self: self.ready and self.lot.state in BIDDING)
    @rule(moves=st.lists(MOVES, min_size=1, max_size=6), left=st.sampled_from([None, None, None, *NEAR]))
    def bidding_war(self, moves: list[Move], left: float | None) -> None:
        # Drawn blindly, good bids are rare: without this no lot gets far.
        if left is not None:
            self.come_near(left)
        for move in moves:
            self.move(*move)

    def move(self, kind: str, pick: int, act: str, steps: int) -> None:
        price, step = self.base
        others, worth = self.others(), self.model.worth
        alias = others[pick % len(others)] if others else 1
        if kind == "wait":
            self.history.clock += (1 + steps) * S
        elif kind == "cap":
            self.place(alias, act, (self.lot.terms.cap_fen or price) - steps // 4 * step)
        elif kind == "outbid" or self.lot.price_fen is None:
            self.place(alias, act, price + (steps - (self.lot.price_fen is None)) * step)
        elif kind == "meet":
            # Nobody but the market knows where the maximum is; there the rules turn.
            self.place(alias, act, worth + (steps - 2) * step)
        elif kind == "match":
            self.place(others[-1] if others else 1, act, [price, worth][steps % 2])
        else:
            self.place(self.lot.leader or 1, "maximum" if steps else act, worth + steps * step)

    def holds(self) -> None:
        super().holds()
        self.nobody_can_tell_how_high()

    def nobody_can_tell_how_high(self) -> None:
        """P6: the same bidding with another unexposed maximum looks the same to everybody else."""
        opened = {line["seq"] for line in self.history.secrets("public")}
        hidden = [
            entry
            for entry in self.history.entries
            if entry.secret and entry.data["alias"] == self.lot.leader and entry.seq not in opened
        ]
        if not hidden or self.lot.price_fen is None:
            return
        last = hidden[-1]
        maximum = json.loads(last.secret or "")["maximum_fen"]
        if maximum <= self.lot.price_fen:
            return
        for other in (maximum + 100_000, maximum - 1):
            if other <= max(self.lot.price_fen, self._beaten_by(last.seq)):
                continue
            twin = self._twin(maximum, other, last.data["alias"])
            assert [public(self.lot.terms, entry) for entry in twin.entries] == [
                public(self.lot.terms, entry) for entry in self.history.entries
            ]

    def _beaten_by(self, seq: int) -> int:
        """What a maximum had to exceed: the leader's own earlier one."""
        own = [
            json.loads(entry.secret)["maximum_fen"]
            for entry in self.history.entries
            if entry.secret and entry.seq < seq and entry.data["alias"] == self.lot.leader
        ]
        return max(own, default=0)

    def _twin(self, maximum: int, other: int, alias: int) -> History:
        """The same commands, but one bidder's maximum. Its amount need not fit the steps: it is put in
        behind the rules' check, as nothing but the rules' treatment of it is compared."""
        twin = History(self.lot.terms)
        twin.do(c.Publish(lot_id=LOT))
        for opening, priority in zip(self.history.openings, self.model.aliases.values(), strict=True):
            deposit = next(
                entry.data["deposit_fen"]
                for entry in self.history.entries
                if entry.kind == "bidder_admitted" and entry.data["alias"] == opening["alias"]
            )
            twin.admit(opening["organisation_id"], priority=priority, deposit_fen=deposit)
        for command, clock, refusal in self.commands:
            own = isinstance(command, c.PlaceBid) and command.alias == alias
            if own and refusal is not None:
                continue  # what the bidder is told of its own maximum is for nobody else
            assert twin.do(command, clock) == refusal
            if own and twin.lot.book.get(str(alias)) == maximum:
                book = {**twin.lot.book, str(alias): other}
                twin.head = replace(twin.head, lot=replace(twin.lot, book=book))
        return twin


def public(terms: Any, entry: Any) -> dict[str, Any]:
    """The frame of an entry, but for the hashes."""
    frame: dict[str, Any] = json.loads(frame_of(terms, entry))
    frame["hash"] = ""
    frame["data"].pop("sealed", None)
    return frame
