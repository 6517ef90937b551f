"""The rehearsal room plays whole lots by the real rules, with nothing behind it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auctions import protocol
from auctions.receipts import verify
from auctions.rehearsal import YOU, Rehearsal
from auctions.rules.formats import RULES, dutch, sealed
from auctions.rules.state import BIDDING, ENDED, LotState
from market.clock import FixedClock
from tests.conftest import NOW


class Practice:
    """Drives a rehearsal second by second and follows it as the page does."""

    def __init__(self, format_name: str, seed: int = 1) -> None:
        self.clock = FixedClock(NOW)
        self.rehearsal = Rehearsal(format_name, "练习标的", self.clock, seed=seed)
        self.seen: dict[str, Any] = self.rehearsal.snapshot().state.model_dump(mode="json")
        self._bids = 0

    def follow(self, frames: list[str]) -> None:
        for frame in frames:
            self.seen = protocol.project(self.seen, json.loads(frame))

    def pass_time(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self.clock.advance(seconds=1)
            self.follow(self.rehearsal.tick())

    def until_bidding(self) -> None:
        while self.rehearsal.lot.state not in BIDDING:
            self.pass_time()

    def bid(self, **values: Any) -> protocol.Receipt | protocol.Refused:
        self._bids += 1
        message = protocol.Bid(client_bid_id=f"practice-{self._bids}", **values)
        answered = self.rehearsal.bid(message)
        self.follow(answered.frames)
        assert self.rehearsal.bid(message) == type(answered)(answered.message, [])
        return answered.message

    def end(self) -> None:
        for _ in range(1200):
            if self.rehearsal.ended:
                return
            self.pass_time()
        raise AssertionError("it never ends")


@pytest.mark.parametrize("format_name", sorted(RULES))
@pytest.mark.parametrize("seed", range(6))
def test_every_format_ends_and_the_page_sees_all_of_it(format_name: str, seed: int) -> None:
    practice = Practice(format_name, seed)
    practice.end()
    assert practice.rehearsal.lot.state in ENDED
    assert practice.seen == practice.rehearsal.snapshot().state.model_dump(mode="json")
    assert practice.seen["outcome"] is not None


def test_someone_answers_an_english_bid() -> None:
    practice = Practice("english")
    practice.until_bidding()
    assert isinstance(practice.bid(amount_fen=10_000_000), protocol.Receipt)
    assert practice.seen["leader"] == YOU
    practice.pass_time(12)
    assert practice.seen["leader"] not in (None, YOU)
    refused = practice.bid(amount_fen=10_000_000)
    assert isinstance(refused, protocol.Refused)
    assert refused.code == "bid_too_low"


def test_a_maximum_answers_for_its_owner() -> None:
    practice = Practice("english")
    practice.until_bidding()
    assert isinstance(practice.bid(act="maximum", amount_fen=30_000_000), protocol.Receipt)
    practice.end()
    assert practice.seen["outcome"]["winner"] == YOU
    assert practice.seen["outcome"]["hammer_fen"] < 30_000_000
    assert any(line["act"] == "auto" and line["alias"] == YOU for line in practice.seen["recent"])


def test_an_envelope_is_opened_after_the_end() -> None:
    practice = Practice("sealed")
    practice.until_bidding()
    nonce = "a1" * 16
    answer = practice.bid(act="seal", extra={"commitment": sealed.seal(0, YOU, 50_000_000, nonce)})
    assert isinstance(answer, protocol.Receipt)
    while practice.rehearsal.lot.state is not LotState.REVEALING:
        practice.pass_time()
    opened = practice.bid(act="open", amount_fen=50_000_000, extra={"nonce": nonce})
    assert isinstance(opened, protocol.Receipt)
    practice.end()
    assert practice.seen["outcome"]["winner"] == YOU
    assert practice.seen["outcome"]["hammer_fen"] == 50_000_000


def test_a_take_at_the_price_in_force_wins_at_once() -> None:
    practice = Practice("dutch")
    practice.until_bidding()
    practice.pass_time(15)
    step = dutch.step_at(practice.rehearsal.lot, practice.clock.now())
    price = dutch.price_at(practice.rehearsal.terms, step)
    assert isinstance(practice.bid(act="take", amount_fen=price, extra={"step": step}), protocol.Receipt)
    assert practice.seen["outcome"]["winner"] == YOU


def test_an_offer_is_beaten_by_a_better_score() -> None:
    practice = Practice("scoring")
    practice.until_bidding()
    answer = practice.bid(act="offer", amount_fen=10_000_000, extra={"royalty_bp": 100})
    assert isinstance(answer, protocol.Receipt)
    practice.pass_time(12)
    assert practice.seen["leader"] != YOU


def test_its_receipts_are_signed_with_a_key_of_its_own() -> None:
    practice = Practice("english")
    practice.until_bidding()
    answer = practice.bid(amount_fen=10_000_000)
    assert answer.receipt is not None
    other = Practice("english").rehearsal
    assert verify(answer.receipt, practice.rehearsal._signer.public_key) is not None
    assert verify(answer.receipt, other._signer.public_key) is None
