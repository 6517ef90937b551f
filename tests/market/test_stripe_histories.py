"""The random histories of `test_payment_histories`, played at Stripe's adapter against the stand-in.

Here the line itself is bad: answers are dropped, refused for the moment or none at all; keys are forgotten,
refunds take their time, messages come shuffled and twice. What Stripe has at the end is what the ledger says.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.clock import FixedClock
from market.db import Database
from market.errors import MarketError
from market.payments import stripe_inbox
from market.payments.gateway import Ask, Gateways, Seen, Status
from market.payments.simulated import SimulatedPayment
from market.payments.stripe_gateway import StripeGateway, read_event
from market.work import run_one
from tests import stripe_server
from tests.market.test_payment_histories import Died, World, check
from tests.paying import addresses, handlers
from tests.stripe_server import SECRET, Json, StripeServer

FAULTS = ("drop", "error", "error_after", "busy", "limit", "garbage")


class Dying(StripeGateway):
    """Stripe's adapter in a process that may die before or after a call."""

    def __init__(self, server: StripeServer, clock: FixedClock, chance: random.Random, rate: float) -> None:
        super().__init__(server.key, base=server.url)
        self.server, self.chance, self.rate = server, chance, rate

    def _call(self, act: Callable[[], Seen]) -> Seen:
        if self.chance.random() < self.rate:
            self.server.fail_next(self.chance.choice(FAULTS), self.chance.choice(["", "POST", "GET"]))
        if self.chance.random() < self.rate / 4:
            raise Died
        seen = act()
        if self.chance.random() < self.rate / 4:
            raise Died
        return seen

    def start(self, key: str, ask: Ask) -> Seen:
        return self._call(lambda: super(Dying, self).start(key, ask))

    def look(self, reference: str) -> Seen:
        return self._call(lambda: super(Dying, self).look(reference))

    def capture(self, key: str, reference: str, amount_fen: int) -> Seen:
        return self._call(lambda: super(Dying, self).capture(key, reference, amount_fen))

    def cancel(self, key: str, reference: str) -> Seen:
        return self._call(lambda: super(Dying, self).cancel(key, reference))

    def refund(self, key: str, reference: str, amount_fen: int) -> Seen:
        return self._call(lambda: super(Dying, self).refund(key, reference, amount_fen))

    def authorise_again(self, key: str, ask: Ask, reference: str) -> Seen:
        return self._call(lambda: super(Dying, self).authorise_again(key, ask, reference))


class StripeWorld(World):
    """The same lots and bidders, and payers at Stripe's page."""

    def __init__(self, database: Database, seed: int, rate: float, server: StripeServer) -> None:
        super().__init__(database, seed, 0.0)
        self.server = server
        server._now, server.refunds_pend = (lambda: self.clock.now().timestamp()), False
        # The check counts the payers' money: fees in another currency are none of this ledger's.
        server.settlement_currency = "hkd"
        server.events.clear()
        self.stripe = Dying(server, self.clock, self.chance, rate)
        self.gateway = self.stripe  # type: ignore[assignment]
        self.gateways = Gateways((self.stripe,))

    def begin(self) -> None:
        for lot in self.lots:
            for person in self.people:
                if self.chance.random() < 0.7:
                    with contextlib.suppress(Died, MarketError):
                        self.ask(lot, person)
                        for page in self.open_pages()[-1:]:
                            self.server.pay(page)
                        self.deliver()

        if self.chance.random() < 0.4:
            # Long enough for authorisations to be made again.
            self.clock.advance(hours=135)
            with contextlib.suppress(Died, MarketError):
                self.sweep()
                self.work()

    def open_pages(self) -> list[str]:
        known = [reference for _, reference in self.references()]
        return [one for one in known if self.server.objects[one].get("status") == "open"]

    def pay(self) -> None:
        """Somebody does something at an open page, and the messages come or do not."""
        if pages := self.open_pages():
            page = self.chance.choice(pages[-2:])
            act = self.chance.choice(["pay"] * 8 + ["decline", "expire", "process"])
            getattr(self.server, act)(page)
            if act == "process":
                self.server.settle(page, agreed=self.chance.random() < 0.8)
        if self.chance.random() < 0.7:
            self.deliver()

    def deliver(self) -> None:
        def post(body: bytes, signature: str) -> None:
            event = read_event(body, signature, SECRET, self.clock.now())
            assert event is not None
            with self.database.write() as session:
                stripe_inbox.keep(session, event, self.clock.now())

        self.server.send(post, twice=self.chance.random() < 0.3, chance=self.chance)
        self.work()

    def work(self) -> None:
        inbox = stripe_inbox.handler(self.database, self.clock, self.gateways, addresses)
        work = {**handlers(self.database, self.clock, self.gateways), stripe_inbox.KIND: inbox}
        for _ in range(self.chance.randrange(1, 6)):
            if not run_one(self.database, work, self.clock.now):
                return

    def sweep(self) -> None:
        self.server.advance(0)
        super().sweep()

    def wait(self) -> None:
        super().wait()
        self.server.advance(0)
        self.server.refunds_pend = self.chance.random() < 0.3
        if self.chance.random() < 0.3:
            self.server.forget_keys()

    def by_hand(self) -> None:
        for _, reference in self.references():
            left = self.left(reference)
            if left > 1 and self.chance.random() < 0.1:
                self.server.give_back(reference, self.chance.randrange(1, left))
                return

    def intent(self, reference: str) -> Json | None:
        thing = self.server.objects[reference]
        name = thing["payment_intent"] if thing["object"] == "checkout.session" else reference
        return self.server.objects[name] if name else None

    def refunds(self, intent: Json) -> list[Json]:
        return [one for one in self.server._of("refund", payment_intent=intent["id"]) if not one["_released"]]

    def left(self, reference: str) -> int:
        intent = self.intent(reference)
        if intent is None:
            return 0
        return int(intent["amount_received"]) - sum(one["amount"] for one in self.refunds(intent))

    def finish(self) -> None:
        # What failed under a key is answered so until the key is forgotten.
        self.server._faults.clear()
        self.server.forget_keys()
        self.server.refunds_pend = False
        for refund in self.server._of("refund", status="pending"):
            self.server.finish_refund(refund["id"], done=True)
        super().finish()
        with self.database.write() as session:
            session.add_all([self.mirrored(reference) for _, reference in self.references()])

    def mirrored(self, reference: str) -> SimulatedPayment:
        """What Stripe has of a payment, written where the check looks for what is outside."""
        thing, intent = self.server.objects[reference], self.intent(reference)
        held = intent is not None and intent["status"] == "requires_capture"
        return SimulatedPayment(
            reference=reference,
            amount_fen=intent["amount"] if intent else thing["amount_total"],
            currency="CNY",
            method="card",
            manual_capture=True,
            status=(Status.AUTHORISED if held else Status.CANCELLED).value,
            captured_fen=intent["amount_received"] if intent else 0,
            refunds=[
                {"amount_fen": one["amount"], "key": one["metadata"].get("key", f"by-hand-{one['id']}")}
                for one in (self.refunds(intent) if intent else [])
            ],
            return_url="",
            cancel_url="",
        )


@pytest.fixture
def server() -> Iterator[StripeServer]:
    with stripe_server.running() as server:
        yield server


def played(world: StripeWorld, length: int) -> Counter[str]:
    """A whole history, and what must hold after it."""
    world.begin()
    for _ in range(length):
        world.step()
    world.finish()
    ends = check(world)
    # Whatever was asked twice: one payment took money or set it aside once.
    took = Counter(
        intent["metadata"]["payment_id"]
        for intent in world.server._of("payment_intent")
        if intent["status"] in ("requires_capture", "succeeded")
    )
    assert [payment for payment, times in took.items() if times > 1] == []
    return ends


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(seed=st.integers(0, 2**32), rate=st.sampled_from([0.0, 0.2, 0.5]), length=st.integers(5, 30))
def test_what_stripe_has_is_what_the_ledger_says(
    database: Database, server: StripeServer, seed: int, rate: float, length: int
) -> None:
    played(StripeWorld(database, seed, rate, server), length)


@pytest.mark.long
def test_histories_at_stripe_come_to_every_end(sqlite_database: Database, server: StripeServer) -> None:
    """They are worth something only if they reach what they are about, within thirty of them."""
    wanted = {"held", "released", "applied", "forfeited", "failed"}
    wanted |= {"intents.create", "intents.capture", "intents.cancel", "refunds.create", "sessions.expire"}
    reached: set[str] = set()
    for seed in range(30):
        reached |= set(played(StripeWorld(sqlite_database, seed, 0.05, server), 20)) | set(server.calls)
        if wanted <= reached:
            break
    assert wanted - reached == set()
