"""What every gateway must do, run on each adapter (`RIGS`).

A rig has the gateway and its payer: what a payer does at Stripe is told to a stand-in of our own
(`tests/stripe_server.py`), at the simulated gateway it is a button.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Protocol

import pytest

from market.clock import FixedClock
from market.db import Database
from market.payments.gateway import (
    Ask,
    Decline,
    Gateway,
    GatewayRefused,
    GatewayUnavailable,
    Method,
    RefundStatus,
    Status,
)
from market.payments.simulated import PayerAct, SimulatedGateway
from market.payments.stripe_gateway import StripeGateway
from tests import stripe_server

_numbers = itertools.count(1)


class Rig(Protocol):
    """A gateway and its payer."""

    gateway: Gateway

    def pay(self, reference: str) -> None:
        """The payer pays, and the bank agrees."""

    def decline(self, reference: str, decline: Decline) -> None:
        """The payer tries, and the bank says no."""

    def process(self, reference: str) -> None:
        """The payer pays, and the answer takes its time."""

    def settle(self, reference: str) -> None:
        """It has taken its time."""

    def leave(self, reference: str) -> None:
        """The payer will not pay."""

    def pass_time(self, span: dt.timedelta) -> None:
        """Time goes by."""


class StripeRig:
    """Stripe's adapter against the stand-in."""

    DECLINES = {
        Decline.DECLINED: ("generic_decline", "card_declined"),
        Decline.INSUFFICIENT_FUNDS: ("insufficient_funds", "card_declined"),
        Decline.EXPIRED_CARD: (None, "expired_card"),
        Decline.AUTHENTICATION_FAILED: (None, "payment_intent_authentication_failure"),
    }

    def __init__(self, server: stripe_server.StripeServer, clock: FixedClock) -> None:
        self.server, self.clock = server, clock
        self.gateway = StripeGateway(server.key, base=server.url)

    def pay(self, reference: str) -> None:
        self.server.pay(reference)

    def decline(self, reference: str, decline: Decline) -> None:
        self.server.decline(reference, *self.DECLINES[decline])

    def process(self, reference: str) -> None:
        self.server.process(reference)

    def settle(self, reference: str) -> None:
        self.server.settle(reference, agreed=True)

    def leave(self, reference: str) -> None:
        self.server.expire(reference)

    def pass_time(self, span: dt.timedelta) -> None:
        self.server.advance(span.total_seconds())
        self.clock.set(self.clock.now() + span)


class SimulatedRig:
    """The simulated gateway and its buttons."""

    def __init__(self, db: Database, clock: FixedClock) -> None:
        self.clock = clock
        self.gateway = SimulatedGateway(db, clock, "http://127.0.0.1")

    def pay(self, reference: str) -> None:
        self.gateway.act(reference, PayerAct.SUCCEED)

    def decline(self, reference: str, decline: Decline) -> None:
        self.gateway.act(reference, PayerAct(decline.value))

    def process(self, reference: str) -> None:
        self.gateway.act(reference, PayerAct.SLOW)

    def settle(self, reference: str) -> None:
        self.pass_time(dt.timedelta(minutes=1))

    def leave(self, reference: str) -> None:
        self.gateway.act(reference, PayerAct.CANCEL)

    def pass_time(self, span: dt.timedelta) -> None:
        self.clock.set(self.clock.now() + span)


RIGS = ("stripe", "simulated-sqlite", "simulated-postgresql")


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, clock: FixedClock) -> Iterator[Rig]:
    from tests.conftest import make_database

    kind, _, dialect = request.param.partition("-")
    with contextlib.ExitStack() as stack:
        if kind == "stripe":
            server = stripe_server.running(now=lambda: clock.now().timestamp())
            yield StripeRig(stack.enter_context(server), clock)
        else:
            databases = make_database(dialect, request, request.getfixturevalue("tmp_path"))
            yield SimulatedRig(stack.enter_context(contextlib.contextmanager(lambda: databases)()), clock)


def ask(method: Method = Method.CARD, amount_fen: int = 500_00, *, manual: bool | None = None) -> Ask:
    """A payment that nobody asked for yet."""
    number = next(_numbers)
    held = method is Method.CARD if manual is None else manual
    return Ask(
        number, 7, 3, "deposit", amount_fen, "CNY", method, held,
        "http://127.0.0.1/paid", "http://127.0.0.1/back", reusable=held,
    )  # fmt: skip


def key() -> str:
    return f"key-{next(_numbers)}"


def started(rig: Rig, wanted: Ask | None = None) -> str:
    return rig.gateway.start(key(), wanted or ask()).reference


def authorised(rig: Rig, amount_fen: int = 500_00) -> str:
    reference = started(rig, ask(amount_fen=amount_fen))
    rig.pay(reference)
    return reference


def paid(rig: Rig, amount_fen: int = 500_00) -> str:
    reference = started(rig, ask(Method.ALIPAY, amount_fen))
    rig.pay(reference)
    return reference


class TestAskingAPayer:
    def test_a_payment_waits_at_a_page(self, rig: Rig) -> None:
        seen = rig.gateway.start(key(), ask())
        assert (seen.status, seen.amount_fen, seen.currency) == (Status.WAITING, 500_00, "CNY")
        assert (seen.captured_fen, seen.refunds, seen.decline) == (0, (), None)
        assert seen.pay_url is not None
        assert rig.gateway.look(seen.reference) == seen

    def test_the_same_key_asks_once(self, rig: Rig) -> None:
        wanted, once = ask(), key()
        assert rig.gateway.start(once, wanted) == rig.gateway.start(once, wanted)

    def test_the_same_key_answers_what_is_now(self, rig: Rig) -> None:
        wanted, once = ask(), key()
        reference = rig.gateway.start(once, wanted).reference
        rig.pay(reference)
        assert rig.gateway.start(once, wanted).status is Status.AUTHORISED

    def test_a_key_is_for_one_amount(self, rig: Rig) -> None:
        wanted, once = ask(), key()
        rig.gateway.start(once, wanted)
        with pytest.raises(GatewayRefused):
            rig.gateway.start(once, dataclasses.replace(wanted, amount_fen=1))

    def test_two_payments_are_two(self, rig: Rig) -> None:
        assert started(rig) != started(rig)

    def test_a_card_is_authorised_first(self, rig: Rig) -> None:
        seen = rig.gateway.look(authorised(rig))
        assert (seen.status, seen.captured_fen, seen.pay_url) == (Status.AUTHORISED, 0, None)
        assert seen.expires_at is not None
        assert seen.expires_at > rig.clock.now()  # type: ignore[attr-defined]

    def test_a_card_without_authorisation_pays_at_once(self, rig: Rig) -> None:
        reference = started(rig, ask(manual=False))
        rig.pay(reference)
        assert rig.gateway.look(reference).captured_fen == 500_00

    def test_other_methods_pay_at_once(self, rig: Rig) -> None:
        seen = rig.gateway.look(paid(rig))
        assert (seen.status, seen.captured_fen, seen.expires_at) == (Status.PAID, 500_00, None)

    @pytest.mark.parametrize("method", [Method.CARD, Method.ALIPAY])
    def test_what_takes_its_time_is_processing(self, rig: Rig, method: Method) -> None:
        reference = started(rig, ask(method))
        rig.process(reference)
        assert rig.gateway.look(reference).status is Status.PROCESSING
        rig.settle(reference)
        wanted = Status.AUTHORISED if method is Method.CARD else Status.PAID
        assert rig.gateway.look(reference).status is wanted

    @pytest.mark.parametrize("decline", StripeRig.DECLINES)
    def test_a_decline_is_told_and_the_payer_may_try_again(self, rig: Rig, decline: Decline) -> None:
        reference = started(rig)
        rig.decline(reference, decline)
        seen = rig.gateway.look(reference)
        assert (seen.status, seen.decline) == (Status.WAITING, decline)
        assert seen.pay_url is not None
        rig.pay(reference)
        seen = rig.gateway.look(reference)
        assert (seen.status, seen.decline) == (Status.AUTHORISED, None)

    def test_a_payer_who_leaves_pays_nothing(self, rig: Rig) -> None:
        reference = started(rig)
        rig.leave(reference)
        seen = rig.gateway.look(reference)
        assert (seen.status, seen.pay_url, seen.captured_fen) == (Status.CANCELLED, None, 0)

    @pytest.mark.parametrize("reference", ["cs_unknown", "pi_unknown", "sim-unknown", ""])
    def test_what_it_does_not_know_is_refused(self, rig: Rig, reference: str) -> None:
        for verb in (
            lambda: rig.gateway.look(reference),
            lambda: rig.gateway.capture(key(), reference, 1_00),
            lambda: rig.gateway.cancel(key(), reference),
            lambda: rig.gateway.refund(key(), reference, 1_00),
            lambda: rig.gateway.authorise_again(key(), ask(), reference),
        ):
            with pytest.raises(GatewayRefused):
                verb()


class TestCapturing:
    def test_the_whole(self, rig: Rig) -> None:
        seen = rig.gateway.capture(key(), authorised(rig), 500_00)
        assert (seen.status, seen.captured_fen, seen.expires_at) == (Status.PAID, 500_00, None)

    def test_a_part_lets_the_rest_go(self, rig: Rig) -> None:
        reference = authorised(rig)
        seen = rig.gateway.capture(key(), reference, 120_00)
        assert (seen.status, seen.captured_fen, seen.refunded_fen) == (Status.PAID, 120_00, 0)
        with pytest.raises(GatewayRefused):
            rig.gateway.capture(key(), reference, 1_00)

    def test_the_same_key_captures_once(self, rig: Rig) -> None:
        reference, once = authorised(rig), key()
        assert rig.gateway.capture(once, reference, 120_00) == rig.gateway.capture(once, reference, 120_00)
        assert rig.gateway.look(reference).captured_fen == 120_00

    def test_beyond_is_refused(self, rig: Rig) -> None:
        reference = authorised(rig)
        with pytest.raises(GatewayRefused):
            rig.gateway.capture(key(), reference, 500_01)
        assert rig.gateway.look(reference).status is Status.AUTHORISED

    def test_what_was_not_paid_is_refused(self, rig: Rig) -> None:
        with pytest.raises(GatewayRefused):
            rig.gateway.capture(key(), started(rig), 500_00)

    def test_a_refused_capture_may_be_asked_differently(self, rig: Rig) -> None:
        reference = authorised(rig)
        with pytest.raises(GatewayRefused):
            rig.gateway.capture(key(), reference, 500_01)
        assert rig.gateway.capture(key(), reference, 500_00).captured_fen == 500_00


class TestCancelling:
    def test_an_authorisation_goes(self, rig: Rig) -> None:
        seen = rig.gateway.cancel(key(), authorised(rig))
        assert (seen.status, seen.captured_fen, seen.refunded_fen) == (Status.CANCELLED, 0, 0)
        assert seen.expires_at is None

    def test_a_page_closes(self, rig: Rig) -> None:
        seen = rig.gateway.cancel(key(), started(rig))
        assert (seen.status, seen.pay_url) == (Status.CANCELLED, None)

    def test_a_page_closes_after_a_decline(self, rig: Rig) -> None:
        reference = started(rig)
        rig.decline(reference, Decline.DECLINED)
        assert rig.gateway.cancel(key(), reference).status is Status.CANCELLED

    @pytest.mark.parametrize("begin", [started, authorised])
    def test_again_changes_nothing(self, rig: Rig, begin: object) -> None:
        assert callable(begin)
        reference, once = begin(rig), key()
        first = rig.gateway.cancel(once, reference)
        assert rig.gateway.cancel(once, reference) == first == rig.gateway.cancel(key(), reference)

    def test_captured_is_refused(self, rig: Rig) -> None:
        reference = authorised(rig)
        rig.gateway.capture(key(), reference, 500_00)
        for one in (reference, paid(rig)):
            with pytest.raises(GatewayRefused):
                rig.gateway.cancel(key(), one)
            assert rig.gateway.look(one).captured_fen == 500_00

    def test_what_was_cancelled_is_not_captured(self, rig: Rig) -> None:
        reference = authorised(rig)
        rig.gateway.cancel(key(), reference)
        with pytest.raises(GatewayRefused):
            rig.gateway.capture(key(), reference, 500_00)


class TestRefunding:
    def test_a_part_and_then_the_rest(self, rig: Rig) -> None:
        reference, first, second = paid(rig), key(), key()
        seen = rig.gateway.refund(first, reference, 200_00)
        assert (seen.captured_fen, seen.refunded_fen, seen.status) == (500_00, 200_00, Status.PAID)
        seen = rig.gateway.refund(second, reference, 300_00)
        assert [(one.key, one.amount_fen, one.status) for one in seen.refunds] == [
            (first, 200_00, RefundStatus.DONE),
            (second, 300_00, RefundStatus.DONE),
        ]

    def test_the_same_key_refunds_once(self, rig: Rig) -> None:
        reference, once = paid(rig), key()
        assert rig.gateway.refund(once, reference, 200_00) == rig.gateway.refund(once, reference, 200_00)
        assert rig.gateway.look(reference).refunded_fen == 200_00

    def test_beyond_what_is_left_is_refused(self, rig: Rig) -> None:
        reference = paid(rig)
        with pytest.raises(GatewayRefused):
            rig.gateway.refund(key(), reference, 500_01)
        rig.gateway.refund(key(), reference, 200_00)
        with pytest.raises(GatewayRefused):
            rig.gateway.refund(key(), reference, 300_01)
        rig.gateway.refund(key(), reference, 300_00)
        with pytest.raises(GatewayRefused):
            rig.gateway.refund(key(), reference, 1)
        assert rig.gateway.look(reference).refunded_fen == 500_00

    def test_beyond_what_was_captured_is_refused(self, rig: Rig) -> None:
        reference = authorised(rig)
        rig.gateway.capture(key(), reference, 120_00)
        with pytest.raises(GatewayRefused):
            rig.gateway.refund(key(), reference, 120_01)
        assert rig.gateway.refund(key(), reference, 120_00).refunded_fen == 120_00

    @pytest.mark.parametrize("begin", [started, authorised])
    def test_uncaptured_is_refused(self, rig: Rig, begin: object) -> None:
        assert callable(begin)
        reference = begin(rig)
        before = rig.gateway.look(reference)
        with pytest.raises(GatewayRefused):
            rig.gateway.refund(key(), reference, 1_00)
        assert rig.gateway.look(reference) == before


class TestAuthorisingAgain:
    def test_a_new_authorisation_beside_the_old(self, rig: Rig) -> None:
        first = authorised(rig)
        seen = rig.gateway.authorise_again(key(), ask(amount_fen=400_00), first)
        assert (seen.status, seen.amount_fen, seen.decline) == (Status.AUTHORISED, 400_00, None)
        assert seen.reference != first
        assert seen.expires_at is not None
        assert rig.gateway.look(first).status is Status.AUTHORISED
        assert rig.gateway.cancel(key(), first).status is Status.CANCELLED
        assert rig.gateway.capture(key(), seen.reference, 400_00).captured_fen == 400_00

    def test_the_same_key_authorises_once(self, rig: Rig) -> None:
        first, wanted, once = authorised(rig), ask(), key()
        seen = rig.gateway.authorise_again(once, wanted, first)
        assert rig.gateway.authorise_again(once, wanted, first) == seen

    def test_from_one_that_was_made_again_itself(self, rig: Rig) -> None:
        second = rig.gateway.authorise_again(key(), ask(), authorised(rig)).reference
        assert rig.gateway.authorise_again(key(), ask(), second).status is Status.AUTHORISED

    def test_from_one_that_was_let_go(self, rig: Rig) -> None:
        first = authorised(rig)
        rig.gateway.cancel(key(), first)
        assert rig.gateway.authorise_again(key(), ask(), first).status is Status.AUTHORISED


class TestLapsing:
    def test_an_authorisation_lapses(self, rig: Rig) -> None:
        reference = authorised(rig)
        expires_at = rig.gateway.look(reference).expires_at
        assert expires_at is not None
        rig.pass_time(expires_at - rig.clock.now() + dt.timedelta(seconds=1))  # type: ignore[attr-defined]
        seen = rig.gateway.look(reference)
        assert (seen.status, seen.captured_fen, seen.expires_at) == (Status.CANCELLED, 0, None)
        with pytest.raises(GatewayRefused):
            rig.gateway.capture(key(), reference, 500_00)

    def test_what_was_captured_stays(self, rig: Rig) -> None:
        reference = authorised(rig)
        rig.gateway.capture(key(), reference, 500_00)
        rig.pass_time(dt.timedelta(days=30))
        assert rig.gateway.look(reference).captured_fen == 500_00


def test_refusals_and_silence_are_two_things() -> None:
    assert not issubclass(GatewayRefused, GatewayUnavailable)
    assert not issubclass(GatewayUnavailable, GatewayRefused)
