"""Sealed bids, beside a model that knows every amount from the start."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from auctions.rules import commands as c
from auctions.rules.state import BIDDING, LotState
from auctions.rules.terms import SoleBidderRule
from tests.auctions.histories import LOT, with_terms
from tests.auctions.machines.base import Machine
from tests.auctions.machines.model import BIDDING as BIDDING_NAMES
from tests.auctions.machines.model import Model, S, Taken, Written


def envelope(alias: int, amount: int, nonce: str, lot: int = LOT) -> str:
    """A commitment, as a bidder's program makes it from the text."""
    return hashlib.sha256(f"{lot}:{alias}:{amount}:{nonce}".encode()).hexdigest()


class SealedModel(Model):
    """Envelopes as (order, commitment); opened amounts with the order of their envelope."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.envelopes: dict[int, tuple[int, str]] = {}
        self.opened: dict[int, tuple[int, int]] = {}
        self.seq = 0

    def judge(self, bid: c.PlaceBid, alias: int, received: dt.datetime, now: dt.datetime) -> Taken:
        if bid.act == "seal" and self.state in BIDDING_NAMES:
            return self.seal(bid, alias, received)
        if bid.act == "open" and self.state == "revealing":
            return self.open(bid, alias, received)
        return None

    def seal(self, bid: c.PlaceBid, alias: int, received: dt.datetime) -> Taken:
        commitment = bid.extra.get("commitment")
        if bid.amount_fen is not None or not isinstance(commitment, str) or len(commitment) != 64:
            return None
        self.envelopes[alias] = (self.seq, commitment)
        detail = {"commitment": commitment}
        return [self.accepted(alias, "seal", None, received, standing=False, detail=detail)]

    def open(self, bid: c.PlaceBid, alias: int, received: dt.datetime) -> Taken:
        amount, nonce = bid.amount_fen, str(bid.extra.get("nonce", ""))
        if alias not in self.envelopes or alias in self.opened or amount is None:
            return None
        order, commitment = self.envelopes[alias]
        if len(nonce) < 32 or envelope(alias, amount, nonce) != commitment:
            return None
        if amount < self.terms.start_fen or amount > (self.terms.cap_fen or amount):
            return None
        self.opened[alias] = (amount, order)
        detail = {"nonce": nonce, "sealed_seq": order}
        best = self.ranking()[0] == alias
        return [self.accepted(alias, "open", amount, received, standing=best, detail=detail)]

    def ranking(self) -> list[int]:
        def key(alias: int) -> tuple[int, float, int]:
            amount, order = self.opened[alias]
            rank = self.admitted.get(alias)
            return -amount, float("inf") if rank is None else rank, order

        return sorted(self.opened, key=key)

    def ending(self, now: dt.datetime) -> Taken:
        if self.state != "revealing" and self.envelopes:
            self.state, self.end = "revealing", now + self.terms.params["reveal_s"] * S
            return [("opening_began", {"ends_at": self.end})]
        return [self.closed()]

    def closed(self) -> Written:
        terms, ranking = self.terms, self.ranking()
        left = [a for a in sorted(self.envelopes) if a not in self.opened and a in self.admitted]
        detail = {"unopened": left, "unopened_rule": terms.params["unopened"]}
        if not ranking:
            return self.closes("no_bid", detail=detail)
        amounts = [self.opened[alias][0] for alias in ranking]
        if amounts[0] < (terms.reserve_fen or 0):
            return self.closes("reserve_not_met", detail=detail)
        if len(ranking) == 1 and terms.sole_bidder == "pass_in":
            return self.closes("sole_bidder", detail=detail)
        second = max([*amounts[1:2], terms.reserve_fen or 0, terms.start_fen])
        pays = amounts[0] if terms.params["pricing"] == "own" else second
        return self.closes("sold", ranking[0], pays, detail)


ENVELOPES = st.tuples(
    st.sampled_from([1, 2, 3, 4, 1, 2, 3, 4, 5]),
    st.sampled_from([999, 1000, 1499, 1500, 1800, 1800, 1800, 1800, 2400, 2501]),
    st.sampled_from(["0" * 32, "0" * 32, "f" * 64, "0" * 31]),
)
"""(alias, amount, nonce)"""


class SealedMachine(Machine):
    MODEL = SealedModel
    model: SealedModel

    @initialize(
        pricing=st.sampled_from(["own", "second"]),
        unopened=st.sampled_from(["void", "forfeit"]),
        reserve=st.sampled_from([None, 1500]),
        sole=st.sampled_from(list(SoleBidderRule)),
        priorities=st.sampled_from([[None, None, None, 1], [None, 2, None, 1], [None] * 4]),
        cap=st.sampled_from([None, 2500]),
        late=st.sampled_from([0, 5, 100]),
        envelopes=st.lists(ENVELOPES, min_size=2, max_size=6),
        alike=st.booleans(),
    )
    def start(
        self, pricing: str, unopened: str, reserve: int | None, sole: SoleBidderRule,
        priorities: list[int | None], cap: int | None, late: float, envelopes: list[tuple[int, int, str]],
        alike: bool,
    ) -> None:  # fmt: skip
        terms = with_terms(
            format="sealed",
            params={"pricing": pricing, "reveal_s": 120, "unopened": unopened},
            hard_end=None,
            window_s=0,
            reserve_fen=reserve,
            reserve_nonce="5" * 32 if reserve else "",
            sole_bidder=sole,
            cap_fen=cap,
        )
        self.known: dict[int, list[tuple[int, str]]] = {}
        self.begin(terms, priorities, [100] * 4, late)
        # Ties are where priority and order decide.
        self.seal_all([(a, 1800, n) for a, _, n in envelopes] if alike else envelopes, 0)

    def tell(self, command: c.Command) -> Any:
        self.model.seq = self.lot.seq + 1
        return super().tell(command)

    @precondition(lambda self: self.ready and self.lot.state in BIDDING)
    @rule(envelopes=st.lists(ENVELOPES, min_size=1, max_size=5), lag=st.sampled_from([0, 0, 1, 400, -5]))
    def seal(self, envelopes: list[tuple[int, int, str]], lag: int) -> None:
        self.seal_all(envelopes, lag)

    def seal_all(self, envelopes: list[tuple[int, int, str]], lag: float) -> None:
        for alias, amount, nonce in envelopes:
            if self.place(alias, "seal", None, lag, commitment=envelope(alias, amount, nonce)) is None:
                self.known.setdefault(alias, []).append((amount, nonce))

    @rule(
        alias=st.integers(1, 4),
        amount=st.sampled_from([None, None, 1500]),
        commitment=st.sampled_from(["", "0" * 63, "0" * 64, 7]),
        act=st.sampled_from(["seal", "seal", "bid", "maximum"]),
    )
    def seal_wrongly(self, alias: int, amount: int | None, commitment: str | int, act: str) -> None:
        if self.place(alias, act, amount, commitment=commitment) is None:
            self.known.setdefault(alias, []).append((0, "0" * 32))

    @precondition(lambda self: self.ready and self.lot.state in BIDDING and self.known)
    @rule()
    def end_the_bidding(self) -> None:
        assert self.lot.ends_at is not None
        self.history.clock = max(self.history.clock, self.lot.ends_at + S)
        self.tell(c.Close(lot_id=LOT))

    @rule(
        alias=st.integers(1, 4),
        which=st.sampled_from([-1, -1, -1, -1, 0]),
        off=st.sampled_from([0, 0, 0, 0, 1]),
        lag=st.sampled_from([0, 0, 400, 130_000]),
    )
    def open(self, alias: int, which: int, off: int, lag: int) -> None:
        if alias in self.known:
            amount, nonce = self.known[alias][which]
            self.place(alias, "open", amount + off, lag, nonce=nonce)

    @precondition(lambda self: self.ready and self.lot.state is LotState.REVEALING)
    @rule(order=st.permutations([1, 2, 3, 4]), most=st.integers(2, 4))
    def open_all(self, order: list[int], most: int) -> None:
        for alias in order[:most]:
            if alias in self.known:
                amount, nonce = self.known[alias][-1]
                self.place(alias, "open", amount, nonce=nonce)

    @precondition(lambda self: self.ready and self.lot.state is LotState.REVEALING)
    @rule(
        alias=st.integers(1, 4),
        amount=st.sampled_from([None, 1800]),
        nonce=st.sampled_from(["0" * 32, "0" * 31, "F" * 32, ""]),
    )
    def open_wrongly(self, alias: int, amount: int | None, nonce: str) -> None:
        self.place(alias, "open", amount, nonce=nonce)

    @precondition(lambda self: self.ready and self.lot.state is LotState.REVEALING)
    @rule(late=st.sampled_from([0.5, 1]))
    def end_the_opening(self, late: float) -> None:
        if not self.model.opened:
            return
        assert self.lot.ends_at is not None
        self.history.clock = max(self.history.clock, self.lot.ends_at + late * S)
        self.tell(c.Close(lot_id=LOT))

    def last_words(self) -> None:
        if self.lot.state is LotState.REVEALING:
            self.come_near(1)
            for alias in sorted(self.known, key=lambda alias: (alias + self.lot.seq) % 5)[:3]:
                amount, nonce = self.known[alias][-1]
                self.place(alias, "open", amount, nonce=nonce)

    def holds(self) -> None:
        super().holds()
        # Nothing tells an amount before it is opened.
        for entry in self.history.entries:
            if entry.kind == "bid_accepted" and entry.data["act"] == "seal":
                assert entry.data["amount_fen"] is None
                assert entry.secret is None
                assert set(entry.data["detail"]) == {"commitment"}
