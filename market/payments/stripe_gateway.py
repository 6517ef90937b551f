"""Stripe behind the gateway port, by its own package and a client of ours: no setting of the module is touched.

Payers pay on Stripe's hosted page (Checkout), so no card datum comes near this market. A payment's
reference is the hosted page's id (`cs_…`), known before any attempt; one that was authorised again without
the payer has its intent's (`pi_…`).

Stripe remembers idempotency keys for a day. So that a key is one movement for ever, it is also written
into the metadata of what it made, and looked for there first.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import stripe

from market.payments import stripe_reading as reading
from market.payments.gateway import (
    AUTHORISED_FIRST,
    Ask,
    GatewayRefused,
    GatewayUnavailable,
    Method,
    Seen,
    Status,
)
from market.payments.stripe_reading import Json, to_stripe

if TYPE_CHECKING:
    from stripe.params import CustomerCreateParams, PaymentIntentCreateParams, RefundCreateParams
    from stripe.params.checkout import SessionCreateParams

API_VERSION = "2026-10-28.endive"
"""The version that is spoken, whatever a newer package or the account's settings prefer."""

PATIENCE = (5.0, 30.0)
"""Seconds to wait for a connection, and for an answer."""

TOLERANCE = dt.timedelta(minutes=5)
"""How old, or how far ahead of our clock, a webhook's signature may be."""

_METHODS = {Method.CARD: "card", Method.ALIPAY: "alipay", Method.WECHAT_PAY: "wechat_pay"}
_EXPAND = "latest_charge.balance_transaction"
_PAGE = 100

# Its lines hold Stripe's sentences, which may quote what was sent.
logging.getLogger("stripe").setLevel(logging.WARNING)


class NotGenuine(Exception):
    """A message that Stripe did not sign, or signed long ago. Holds nothing of it."""


@dataclass(frozen=True)
class Event:
    """What is kept of a message of Stripe's: ids and its type.

    `payment_id` is ours and `market` whose, from the metadata; `reference` is Stripe's name of a hosted page or an
    intent.
    """

    id: str
    type: str
    payment_id: int | None
    market: str | None
    reference: str | None
    livemode: bool


def read_event(
    raw: bytes,
    signature: str | None,
    secret: str,
    now: dt.datetime,
    tolerance: dt.timedelta = TOLERANCE,
) -> Event | None:
    """The event that a webhook brings, once its signature over the raw body is proved; None for other news.

    Only ids are read, which are the same in every version of the API: what happened is always read back
    from Stripe. Raises NotGenuine for a forged, unsigned, stale or unreadable message.
    """
    try:
        stripe.WebhookSignature.verify_header(raw, signature, secret, tolerance=None)
        stamp = next(part for part in (signature or "").split(",") if part.startswith("t="))
        signed_at = reading.moment(int(stamp[2:]))
        event = json.loads(raw)
    except (stripe.SignatureVerificationError, ValueError, OverflowError, OSError, StopIteration):
        event = signed_at = None
    if signed_at is None or abs(now - signed_at) > tolerance or not isinstance(event, dict):
        raise NotGenuine
    data = event.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    if (
        event.get("object") != "event"
        or event.get("type") not in reading.HANDLED
        or not isinstance(about, dict)
    ):
        return None
    metadata = about.get("metadata") or {}
    own = about.get("object") in ("checkout.session", "payment_intent")
    return Event(
        id=str(event["id"]),
        type=str(event["type"]),
        payment_id=_number(metadata.get("payment_id")),
        market=metadata.get("market"),
        reference=about.get("id") if own else about.get("payment_intent"),
        livemode=bool(event.get("livemode")),
    )


def _number(text: object) -> int | None:
    plain = isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19
    return int(str(text)) if plain else None


def _plainly(ask: Ask) -> str:
    """What a payment is called on Stripe's page where nobody says it better."""
    return f"{ask.purpose} {ask.lot_id if ask.lot_id is not None else ask.payment_id}"


class StripeGateway:
    """Moves money through a Stripe account.

    `key` is the account's secret key. `market` tells this market's payments from those of others that share the
    account (a rehearsal's and the real one's test keys, say): it is part of every idempotency key. `base` is
    another address than Stripe's own, for tests. `describe` names a payment to its payer, without personal
    data.
    """

    name = "stripe"
    simulated = False

    def __init__(
        self,
        key: str,
        *,
        market: str = "market",
        methods: tuple[Method, ...] = tuple(_METHODS),
        base: str | None = None,
        describe: Callable[[Ask], str] = _plainly,
        patience: tuple[float, float] = PATIENCE,
        http_client: stripe.HTTPClient | None = None,
    ) -> None:
        if unknown := set(methods) - set(_METHODS):
            raise ValueError(f"Stripe is not asked for {', '.join(sorted(unknown))}")
        self.market = market
        self.methods = methods
        self.livemode = key.startswith(("sk_live_", "rk_live_"))
        self._describe = describe
        # A call is tried once: whoever asks asks again, with the same key.
        client = stripe.StripeClient(
            key,
            stripe_version=API_VERSION,
            base_addresses={"api": base} if base else None,
            max_network_retries=0,
            http_client=http_client or stripe.RequestsClient(timeout=patience),
        )
        self._v1 = client.v1

    def start(self, key: str, ask: Ask) -> Seen:
        """A hosted page where the payer pays by the one method asked for."""
        kind = _METHODS.get(ask.method)
        if kind is None or ask.method not in self.methods:
            raise GatewayRefused(reason="payment_method_unavailable")
        metadata = self._metadata(key, ask)
        params: SessionCreateParams = {
            "mode": "payment",
            "allowed_payment_method_types": [kind],
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": ask.currency.lower(),
                        "unit_amount": to_stripe(ask.amount_fen, ask.currency),
                        "product_data": {"name": self._describe(ask)},
                    },
                }
            ],
            "payment_intent_data": {"metadata": metadata},
            "metadata": metadata,
            "client_reference_id": str(ask.payment_id),
            "customer": ask.customer or self._customer(ask),
            "success_url": ask.return_url,
            "cancel_url": ask.cancel_url,
            "locale": "zh" if ask.locale.startswith("zh") else "en",
            # The amount is asked for in its own currency, never in the payer's.
            "adaptive_pricing": {"enabled": False},
        }
        if ask.method in AUTHORISED_FIRST:
            if ask.manual_capture:
                params["payment_intent_data"]["capture_method"] = "manual"
            if ask.reusable:
                params["payment_intent_data"]["setup_future_usage"] = "off_session"
        if ask.method is Method.WECHAT_PAY:
            params["payment_method_options"] = {"wechat_pay": {"client": "web"}}
        session = _asked(lambda: self._v1.checkout.sessions.create(params, self._once(key)))
        # Stripe leaves out silently what the account, the currency or the amount does not allow.
        if session.get("payment_method_types") != [kind]:
            raise GatewayRefused(reason="payment_method_unavailable")
        return self.look(session["id"])

    def look(self, reference: str) -> Seen:
        """The hosted page with its intent, last charge, refunds and disputes, as they are now."""
        session, intent = self._found(reference)
        if intent is None or not intent.get("amount_received"):
            return reading.read(session, intent)
        charge = reading.charge_of(intent)
        disputed = charge is not None and charge.get("disputed")
        return reading.read(
            session,
            intent,
            self._refunds(intent["id"]),
            self._disputes(intent["id"]) if disputed else (),
        )

    def capture(self, key: str, reference: str, amount_fen: int) -> Seen:
        """Take an authorised amount or a part of it, once; Stripe lets the rest go."""
        intent = self._intent(reference)
        if intent["metadata"].get("capture_key") == key:
            return self.look(reference)
        amount = to_stripe(amount_fen, intent["currency"])
        _asked(
            lambda: self._v1.payment_intents.capture(
                intent["id"],
                {"amount_to_capture": amount, "metadata": {"capture_key": key}},
                self._once(key),
            )
        )
        return self.look(reference)

    def cancel(self, key: str, reference: str) -> Seen:
        """Close a page that is open, or let an authorisation go. What is cancelled already stays so."""
        session, intent = self._found(reference)
        if reading.status_of(session, intent) is Status.CANCELLED:
            return self.look(reference)
        if session is not None and session.get("status") == "open":
            # Keys belong to one address each: the page's is another than the intent's.
            _asked(lambda: self._v1.checkout.sessions.expire(reference, {}, self._once(f"{key}/page")))
        elif intent is not None:
            _asked(
                lambda: self._v1.payment_intents.cancel(intent["id"], {}, self._once(key)),
            )
        return self.look(reference)

    def refund(self, key: str, reference: str, amount_fen: int) -> Seen:
        """Give back what was captured, or a part. Stripe refuses what is beyond."""
        intent = self._intent(reference)
        if any(reading.key_of(one) == key for one in self._refunds(intent["id"])):
            return self.look(reference)
        if not intent.get("amount_received"):
            # Stripe would let the authorisation go instead, which nobody asked for.
            raise GatewayRefused(reason="payment_intent_unexpected_state")
        params: RefundCreateParams = {
            "payment_intent": intent["id"],
            "amount": to_stripe(amount_fen, intent["currency"]),
            "metadata": {"key": key, **_kept(intent["metadata"], "payment_id", "market")},
        }
        _asked(lambda: self._v1.refunds.create(params, self._once(key)))
        return self.look(reference)

    def authorise_again(self, key: str, ask: Ask, reference: str) -> Seen:
        """A new intent, confirmed without the payer with the card that the earlier payment saved."""
        earlier = self._intent(reference)
        card, customer = earlier.get("payment_method"), earlier.get("customer")
        if not card or not customer or ask.method not in AUTHORISED_FIRST:
            raise GatewayRefused(reason="payment_method_missing")
        made = self._made_with(key, customer, earlier["created"])
        if made is not None:
            return self.look(made)
        params: PaymentIntentCreateParams = {
            "amount": to_stripe(ask.amount_fen, ask.currency),
            "currency": ask.currency.lower(),
            "customer": customer,
            "payment_method": card,
            "allowed_payment_method_types": ["card"],
            "capture_method": "manual" if ask.manual_capture else "automatic",
            "confirm": True,
            "off_session": True,
            "metadata": self._metadata(key, ask),
        }
        intent = _asked(lambda: self._v1.payment_intents.create(params, self._once(key)), declined=_declined)
        return self.look(intent["id"])

    def payment_of(self, reference: str) -> int | None:
        """Our payment's id in the metadata of a page or an intent; None for what is not this market's."""
        session, intent = self._found(reference)
        metadata = (session or intent or {}).get("metadata") or {}
        return _number(metadata.get("payment_id")) if metadata.get("market") == self.market else None

    def _customer(self, ask: Ask) -> str:
        # Two payments of one organisation begun within a day share one; without name or address.
        params: CustomerCreateParams = {"metadata": _kept(ask.metadata, "organisation_id")}
        once = self._once(f"customer/{ask.organisation_id}")
        return str(_asked(lambda: self._v1.customers.create(params, once))["id"])

    def _once(self, key: str) -> stripe.RequestOptions:
        return {"idempotency_key": f"{self.market}/{key}"}

    def _metadata(self, key: str, ask: Ask) -> dict[str, str]:
        return {**ask.metadata, "key": key, "market": self.market}

    def _found(self, reference: str) -> tuple[Json | None, Json | None]:
        if reference.startswith("cs_"):
            expand = [f"payment_intent.{_EXPAND}"]
            session = _asked(lambda: self._v1.checkout.sessions.retrieve(reference, {"expand": expand}))
            return session, reading.intent_of(session)
        if reference.startswith("pi_"):
            return None, _asked(lambda: self._v1.payment_intents.retrieve(reference, {"expand": [_EXPAND]}))
        raise GatewayRefused(reason="resource_missing")

    def _intent(self, reference: str) -> Json:
        _, intent = self._found(reference)
        if intent is None:
            raise GatewayRefused(reason="payment_intent_unexpected_state")
        return intent

    def _refunds(self, intent: str) -> list[Json]:
        return _every(
            lambda after: self._v1.refunds.list({"payment_intent": intent, "limit": _PAGE, **after})
        )

    def _disputes(self, intent: str) -> list[Json]:
        return _every(
            lambda after: self._v1.disputes.list({"payment_intent": intent, "limit": _PAGE, **after})
        )

    def _made_with(self, key: str, customer: str, since: int) -> str | None:
        intents = _every(
            lambda after: self._v1.payment_intents.list(
                {"customer": customer, "created": {"gte": since}, "limit": _PAGE, **after}
            )
        )
        return next((str(one["id"]) for one in intents if reading.key_of(one) == key), None)


def _kept(metadata: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: metadata[name] for name in names if name in metadata}


def _every(ask: Callable[[Any], stripe.ListObject[Any]]) -> list[Json]:
    """All of a list, page by page; newest first, as Stripe tells it."""
    found: list[Json] = []

    def following() -> stripe.ListObject[Any]:
        return ask({"starting_after": found[-1]["id"]} if found else {})

    more = True
    while more:
        page = _asked(following)
        found += page["data"]
        more = bool(page["has_more"] and page["data"])
    return found


def _declined(error: stripe.StripeError) -> Json | None:
    """The intent of an attempt that a bank declined: it was made all the same."""
    body = error.json_body if isinstance(error.json_body, dict) else {}
    intent = (body.get("error") or {}).get("payment_intent")
    return intent if isinstance(error, stripe.CardError) and isinstance(intent, dict) else None


def _asked(
    call: Callable[[], stripe.StripeObject],
    declined: Callable[[stripe.StripeError], Json | None] = lambda _: None,
) -> Json:
    """An answer as plain JSON, or what its refusal means.

    Unknown or passing: no answer, an answer that is none, too many questions (429), a key or an object in
    use (409), trouble at Stripe (5xx), and a key that the account does not take (401, 403), which
    somebody mends. Every other refusal is for good. Stripe's own exceptions quote what was sent and
    answered, so none is kept as a cause.
    """
    try:
        return call().to_dict()
    except stripe.StripeError as error:
        status, code = error.http_status, error.code
        kind = type(error).__name__
        intent = declined(error)
        reason = _reason(error)
    if intent is not None:
        return intent
    if (
        status is None
        or status < 400
        or status in (401, 403, 409, 429)
        or status >= 500
        or code == "lock_timeout"
    ):
        raise GatewayUnavailable(reason=kind)
    raise GatewayRefused(reason=reason)


def _reason(error: stripe.StripeError) -> str:
    """Stripe's most precise code for a refusal, never its sentence."""
    body = error.json_body if isinstance(error.json_body, dict) else {}
    told = body.get("error") or {}
    found = told.get("decline_code") or told.get("code") or told.get("type")
    return str(found)[:64] if found else type(error).__name__
