"""The adapter against `localstripe`, which others wrote: a happy path through a server that knows nothing of ours.

It is an older and smaller Stripe: no Checkout, no disputes, no idempotency keys, no refund ceilings. What it
does not know of what is sent is left out on the way there, and the amount received, which it does not tell, is
added on the way back (`Older`); whether that is right is for the stand-in and Stripe's own test mode.
"""

from __future__ import annotations

import dataclasses
import json
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
import stripe

from market.clock import SystemClock
from market.payments.gateway import Ask, GatewayRefused, Method, RefundStatus, Status
from market.payments.stripe_gateway import StripeGateway, read_event

KEY, SECRET = "sk_test_localstripe", "whsec_localstripe"
UNKNOWN = {
    "POST /v1/payment_intents": ("allowed_payment_method_types",),
    "POST /v1/payment_intents/*/capture": ("metadata",),
    "GET /v1/payment_intents": ("customer", "created"),
}
"""Parameters that it refuses, by call."""
SERVER = (
    # It keeps everything in one file for all who run it, which no test needs.
    "from localstripe import resources, server; type(resources.store).dump_to_disk = lambda _: None; server.start()"
)


class Older(stripe.RequestsClient):
    """Speaks with a server that is older than the version of the adapter."""

    def __init__(self) -> None:
        super().__init__(timeout=10)
        self.captured: dict[str, int] = {}

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        parts = urlsplit(url)
        path = parts.path.split("/")
        call = f"{method.upper()} {'/'.join('*' if part.startswith('pi_') else part for part in path)}"
        unknown = UNKNOWN.get(call, ())
        sent = parse_qsl(post_data or parts.query)
        known = urlencode([pair for pair in sent if pair[0].split("[")[0] not in unknown])
        for name, value in sent:
            if name == "amount_to_capture":
                self.captured[path[-2]] = int(value)
        if method == "get":
            url, post_data = parts._replace(query=known).geturl(), None
        else:
            post_data = known
        body, status, answered = super().request(method, url, headers, post_data)
        thing = json.loads(body)
        if thing.get("object") == "payment_intent":
            whole = self.captured.get(thing["id"], thing["amount"])
            thing["amount_received"] = whole if thing["status"] == "succeeded" else 0
        for one in thing.get("data", []):
            if one["object"] == "refund" and not one["metadata"]:
                # What a partial capture lets go is booked here as if it had come.
                one["balance_transaction"] = None
        return json.dumps(thing).encode(), status, answered


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, "localstripe has ended"
            try:
                httpx.get(f"{url}/v1/customers", headers={"authorization": f"Bearer {KEY}"})
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def gateway(base: str) -> StripeGateway:
    return StripeGateway(KEY, base=base, http_client=Older())


def asked(base: str, path: str, **fields: str) -> dict[str, Any]:
    answer = httpx.post(f"{base}/v1/{path}", data=fields, headers={"authorization": f"Bearer {KEY}"})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def saved(base: str, card: str = "pm_card_visa") -> dict[str, str]:
    """A customer with a card: what the first, hosted payment leaves behind."""
    customer = asked(base, "customers")["id"]
    return {
        "customer": customer,
        "payment_method": asked(base, f"payment_methods/{card}/attach", customer=customer)["id"],
    }


def first(base: str, **fields: str) -> str:
    """An intent of a payer who was there."""
    return str(asked(base, "payment_intents", amount="50000", currency="cny", confirm="true", **fields)["id"])


ASK = Ask(
    41, 7, 3, "deposit", 400_00, "CNY", Method.CARD, True, "http://127.0.0.1/paid", "http://127.0.0.1/back"
)  # fmt: skip


def test_authorised_again_captured_in_part_and_refunded(base: str, gateway: StripeGateway) -> None:
    reference = first(base, capture_method="manual", **saved(base))
    assert gateway.look(reference).status is Status.AUTHORISED
    again = gateway.authorise_again("key-1", ASK, reference)
    assert (again.status, again.amount_fen, again.currency) == (Status.AUTHORISED, 400_00, "CNY")
    assert gateway.authorise_again("key-1", ASK, reference) == again
    assert gateway.payment_of(again.reference) == 41
    assert gateway.cancel("key-2", reference).status is Status.CANCELLED
    seen = gateway.capture("key-3", again.reference, 300_00)
    assert (seen.status, seen.captured_fen, seen.refunds) == (Status.PAID, 300_00, ())
    with pytest.raises(GatewayRefused):
        gateway.capture("key-4", again.reference, 1_00)
    with pytest.raises(GatewayRefused):
        gateway.cancel("key-5", again.reference)
    seen = gateway.refund("key-6", again.reference, 100_00)
    assert [(one.key, one.amount_fen, one.status) for one in seen.refunds] == [
        ("key-6", 100_00, RefundStatus.DONE)
    ]
    assert gateway.refund("key-6", again.reference, 100_00) == seen


def test_beyond_the_authorised_is_refused(base: str, gateway: StripeGateway) -> None:
    reference = first(base, capture_method="manual", **saved(base))
    with pytest.raises(GatewayRefused):
        gateway.capture("key-7", reference, 500_01)
    assert gateway.look(reference).status is Status.AUTHORISED


def test_charged_at_once(base: str, gateway: StripeGateway) -> None:
    seen = gateway.look(first(base, capture_method="automatic", **saved(base)))
    assert (seen.status, seen.captured_fen, seen.expires_at) == (Status.PAID, 500_00, None)


def test_a_decline_without_the_payer_is_told(base: str, gateway: StripeGateway) -> None:
    """Its refusal does not name the intent, as Stripe's does: so all that is known is that it was declined."""
    card = saved(base, "pm_card_chargeCustomerFail")
    reference = asked(base, "payment_intents", amount="50000", currency="cny", **card)["id"]
    with pytest.raises(GatewayRefused) as refused:
        gateway.authorise_again("key-8", dataclasses.replace(ASK, payment_id=42), reference)
    assert refused.value.params == {"reason": "card_declined"}


def test_what_is_not_there_is_refused(gateway: StripeGateway) -> None:
    with pytest.raises(GatewayRefused):
        gateway.look("pi_nobody")


def test_its_messages_are_proved_and_lead_to_the_payment(base: str) -> None:
    came: queue.Queue[tuple[bytes, str]] = queue.Queue()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            came.put((body, self.headers["stripe-signature"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Listener) as http:
        threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True).start()
        hook = {
            "url": f"http://127.0.0.1:{http.server_address[1]}/", "secret": SECRET, "events": ["payment_intent.succeeded"],
        }  # fmt: skip
        assert httpx.post(f"{base}/_config/webhooks/here", json=hook).status_code == 200
        named = {"metadata[payment_id]": "43", "metadata[market]": "market"}
        reference = first(base, **saved(base), **named)
        # News of what other tests did comes late, and to this address too.
        found = []
        while not found or found[-1].reference != reference:
            event = read_event(*came.get(timeout=60), SECRET, SystemClock().now())
            assert event is not None
            found.append(event)
        http.shutdown()
    event = found[-1]
    assert (event.type, event.payment_id, event.market) == ("payment_intent.succeeded", 43, "market")
    assert event.livemode is False
