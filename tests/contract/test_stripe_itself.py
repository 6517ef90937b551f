"""The adapter against Stripe's own test mode, where `STRIPE_TEST_KEY` is a test key of an account.

Nobody clicks on a hosted page here: a page is asked for and closed, and what follows a payment is run on
intents whose card was saved beforehand.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable

import pytest
import stripe

from market.payments.gateway import Ask, Decline, GatewayRefused, Method, Status
from market.payments.stripe_gateway import API_VERSION, StripeGateway

pytestmark = [
    pytest.mark.extra(variable="STRIPE_TEST_KEY"),
    pytest.mark.enable_socket,
]

Key = Callable[[], str]


@pytest.fixture
def secret() -> str:
    found = os.environ["STRIPE_TEST_KEY"]
    assert found.startswith(("sk_test_", "rk_test_")), "only a test key may be used here"
    return found


@pytest.fixture
def gateway(secret: str) -> StripeGateway:
    return StripeGateway(secret, market=f"test-{secrets.token_hex(4)}")


@pytest.fixture
def key() -> Key:
    return lambda: f"key-{secrets.token_hex(8)}"


def ask(amount_fen: int = 500_00) -> Ask:
    return Ask(
        secrets.randbelow(10**9), 7, 3, "deposit", amount_fen, "CNY", Method.CARD, True,
        "https://example.com/paid", "https://example.com/back", reusable=True,
    )  # fmt: skip


def first(secret: str, saved: str = "pm_card_visa", *, pays: bool = True) -> str:
    """An intent with a customer and a saved card: what a hosted payment leaves behind, authorised if it `pays`."""
    client = stripe.StripeClient(secret, stripe_version=API_VERSION)
    customer = client.v1.customers.create({}).id
    card = client.v1.payment_methods.attach(saved, {"customer": customer})
    intent = client.v1.payment_intents.create(
        {
            "amount": 500_00,
            "currency": "cny",
            "customer": customer,
            "payment_method": card.id,
            "allowed_payment_method_types": ["card"],
            "capture_method": "manual",
            "confirm": pays,
        }
    )
    return intent.id


def test_a_page_is_asked_for_once_and_closed(gateway: StripeGateway, key: Key) -> None:
    wanted, once = ask(), key()
    seen = gateway.start(once, wanted)
    assert (seen.status, seen.amount_fen, seen.currency) == (Status.WAITING, 500_00, "CNY")
    assert seen.pay_url is not None
    assert gateway.start(once, wanted).reference == seen.reference
    assert gateway.payment_of(seen.reference) == wanted.payment_id
    closed = key()
    assert gateway.cancel(closed, seen.reference).status is Status.CANCELLED
    assert gateway.cancel(closed, seen.reference).status is Status.CANCELLED


def test_authorised_again_captured_in_part_and_refunded(
    gateway: StripeGateway, secret: str, key: Key
) -> None:
    reference, once = first(secret), key()
    wanted = ask(400_00)
    again = gateway.authorise_again(once, wanted, reference)
    assert (again.status, again.amount_fen) == (Status.AUTHORISED, 400_00)
    assert again.expires_at is not None
    assert gateway.authorise_again(once, wanted, reference).reference == again.reference
    assert gateway.cancel(key(), reference).status is Status.CANCELLED
    with pytest.raises(GatewayRefused):
        gateway.capture(key(), again.reference, 400_01)
    taken = key()
    seen = gateway.capture(taken, again.reference, 300_00)
    assert (seen.status, seen.captured_fen, seen.refunded_fen) == (Status.PAID, 300_00, 0)
    assert gateway.capture(taken, again.reference, 300_00).captured_fen == 300_00
    with pytest.raises(GatewayRefused):
        gateway.cancel(key(), again.reference)
    back = key()
    gateway.refund(back, again.reference, 100_00)
    seen = gateway.refund(back, again.reference, 100_00)
    assert [(one.key, one.amount_fen) for one in seen.refunds] == [(back, 100_00)]
    with pytest.raises(GatewayRefused):
        gateway.refund(key(), again.reference, 200_01)


def test_a_decline_without_the_payer_is_told(gateway: StripeGateway, secret: str, key: Key) -> None:
    reference = first(secret, "pm_card_chargeCustomerFail", pays=False)
    seen = gateway.authorise_again(key(), ask(), reference)
    assert (seen.status, seen.decline) == (Status.WAITING, Decline.DECLINED)


def test_what_is_not_there_is_refused(gateway: StripeGateway) -> None:
    for reference in ("pi_nobody", "cs_test_nobody"):
        with pytest.raises(GatewayRefused):
            gateway.look(reference)
