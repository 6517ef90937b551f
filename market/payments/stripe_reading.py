"""What Stripe's answers mean: amounts, states, declines and events, without asking Stripe anything.

Written from Stripe's public API reference for the version that `stripe_gateway.API_VERSION` names. An
answer is plain JSON here. Where Stripe may add a value any day (a status, a decline code), an unknown one
has a stated meaning.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from market.clock import UTC
from market.payments.gateway import (
    Decline,
    GatewayRefused,
    RefundStatus,
    Seen,
    SeenDispute,
    SeenRefund,
    Status,
)

Json = Mapping[str, Any]

IN_HUNDREDTHS = frozenset({"ISK", "UGX"})
"""Currencies without a minor unit (ISO 4217) that Stripe counts in hundredths all the same, always whole."""
IN_WHOLE_UNITS = frozenset({"MGA"})
"""Currencies with a minor unit (ISO 4217) of which Stripe counts whole units only."""
IN_TENS = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})
"""Currencies in thousandths, of which Stripe takes multiples of ten only."""

ATTEMPTS: Mapping[str, Status] = {
    "requires_payment_method": Status.WAITING,
    "requires_confirmation": Status.WAITING,
    "requires_action": Status.WAITING,
    "processing": Status.PROCESSING,
    "requires_capture": Status.AUTHORISED,
    "succeeded": Status.PAID,
    "canceled": Status.CANCELLED,
}
"""A payment intent's status as ours."""

REFUNDS: Mapping[str, RefundStatus] = {
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "succeeded": RefundStatus.DONE,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
"""A refund's status as ours."""

DECLINES: Mapping[str, Decline] = {
    "insufficient_funds": Decline.INSUFFICIENT_FUNDS,
    "expired_card": Decline.EXPIRED_CARD,
    "incorrect_address": Decline.INCORRECT_DETAILS,
    "incorrect_cvc": Decline.INCORRECT_DETAILS,
    "incorrect_number": Decline.INCORRECT_DETAILS,
    "incorrect_pin": Decline.INCORRECT_DETAILS,
    "incorrect_zip": Decline.INCORRECT_DETAILS,
    "invalid_account": Decline.INCORRECT_DETAILS,
    "invalid_cvc": Decline.INCORRECT_DETAILS,
    "invalid_expiry_month": Decline.INCORRECT_DETAILS,
    "invalid_expiry_year": Decline.INCORRECT_DETAILS,
    "invalid_number": Decline.INCORRECT_DETAILS,
    "invalid_pin": Decline.INCORRECT_DETAILS,
    "authentication_required": Decline.AUTHENTICATION_FAILED,
    "authentication_not_handled": Decline.AUTHENTICATION_FAILED,
    "mobile_device_authentication_required": Decline.AUTHENTICATION_FAILED,
    "payment_intent_authentication_failure": Decline.AUTHENTICATION_FAILED,
    "amount_too_large": Decline.LIMIT_EXCEEDED,
    "card_velocity_exceeded": Decline.LIMIT_EXCEEDED,
    "charge_exceeds_source_limit": Decline.LIMIT_EXCEEDED,
    "charge_exceeds_transaction_limit": Decline.LIMIT_EXCEEDED,
    "charge_exceeds_weekly_limit": Decline.LIMIT_EXCEEDED,
    "withdrawal_count_limit_exceeded": Decline.LIMIT_EXCEEDED,
    "card_not_supported": Decline.NOT_SUPPORTED,
    "currency_not_supported": Decline.NOT_SUPPORTED,
    "not_permitted": Decline.NOT_SUPPORTED,
    "service_not_allowed": Decline.NOT_SUPPORTED,
    "transaction_not_allowed": Decline.NOT_SUPPORTED,
    "approve_with_id": Decline.TRY_AGAIN,
    "issuer_not_available": Decline.TRY_AGAIN,
    "payment_intent_payment_attempt_expired": Decline.TRY_AGAIN,
    "payment_method_provider_timeout": Decline.TRY_AGAIN,
    "processing_error": Decline.TRY_AGAIN,
    "reenter_transaction": Decline.TRY_AGAIN,
    "try_again_later": Decline.TRY_AGAIN,
}
"""What a payer may be told of a decline. Every other code (fraud, a lost card, no reason given) is `declined`:
Stripe asks that a payer not learn more."""

SHORTEST_HOLD = dt.timedelta(days=4, hours=18)
"""How long an authorisation lives at least where Stripe does not say (its shortest: Visa, without the payer)."""

HANDLED = frozenset(
    {
        "checkout.session.completed", "checkout.session.expired",
        "checkout.session.async_payment_succeeded", "checkout.session.async_payment_failed",
        "payment_intent.amount_capturable_updated", "payment_intent.succeeded",
        "payment_intent.payment_failed", "payment_intent.canceled", "payment_intent.processing",
        "charge.refunded", "refund.created", "refund.updated", "refund.failed",
        "charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed",
        "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated",
    }
)  # fmt: skip
"""The events after which a payment is looked at; all others are answered and forgotten."""


def to_stripe(amount: int, currency: str) -> int:
    """An amount in minor units of a currency (ISO 4217; fen for CNY) as Stripe counts it.

    Raises GatewayRefused (`amount_not_possible`) for one that Stripe cannot hold exactly.
    """
    code = currency.upper()
    if code in IN_HUNDREDTHS:
        return amount * 100
    if code in IN_WHOLE_UNITS:
        if amount % 100:
            raise GatewayRefused(reason="amount_not_possible")
        return amount // 100
    if code in IN_TENS and amount % 10:
        raise GatewayRefused(reason="amount_not_possible")
    return amount


def from_stripe(amount: int, currency: str) -> int:
    """An amount as Stripe counts it in minor units of its currency. The other way round of `to_stripe`."""
    code = currency.upper()
    if code in IN_HUNDREDTHS:
        return amount // 100
    return amount * 100 if code in IN_WHOLE_UNITS else amount


def decline_of(error: Json | None) -> Decline | None:
    """Why an attempt failed, as far as a payer may be told; None where none did."""
    if not error:
        return None
    codes = [str(error.get(name)) for name in ("decline_code", "code")]
    return next((DECLINES[code] for code in codes if code in DECLINES), Decline.DECLINED)


def status_of(session: Json | None, intent: Json | None) -> Status:
    """Where a payment stands, by its hosted page (if it has one) and its intent (once it has one).

    A status that is not known here is `processing`: something happened, and it has to be looked at again.
    """
    if intent is None:
        if session is None:
            return Status.PROCESSING
        return {"open": Status.WAITING, "expired": Status.CANCELLED}.get(
            str(session.get("status")), Status.PROCESSING
        )
    status = ATTEMPTS.get(str(intent["status"]), Status.PROCESSING)
    # A page that is over takes no further attempt.
    if status is Status.WAITING and session is not None and session.get("status") != "open":
        return Status.CANCELLED
    return status


def moment(seconds: int | None) -> dt.datetime | None:
    """An instant that Stripe gives in seconds since 1970, UTC."""
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, UTC)


def key_of(thing: Json) -> str | None:
    """The key of ours that a thing at Stripe was asked for with."""
    key = (thing.get("metadata") or {}).get("key")
    return str(key) if key else None


def read_refunds(refunds: Iterable[Json]) -> tuple[SeenRefund, ...]:
    """Refunds as the port tells them, oldest first.

    What was never captured and is let go (the rest of a partial capture) is listed as a refund too, one
    that touched no balance: it is left out.
    """
    found = [
        SeenRefund(
            reference=str(one["id"]),
            amount_fen=from_stripe(one["amount"], one["currency"]),
            status=REFUNDS.get(str(one.get("status")), RefundStatus.PENDING),
            key=key_of(one),
        )
        for one in refunds
        if key_of(one) or one.get("status") != "succeeded" or one.get("balance_transaction")
    ]
    return tuple(reversed(found))


def read_disputes(disputes: Iterable[Json]) -> tuple[SeenDispute, ...]:
    """Disputes as the port tells them. Money is withdrawn while what was taken exceeds what came back."""
    return tuple(
        SeenDispute(
            reference=str(one["id"]),
            amount_fen=from_stripe(one["amount"], one["currency"]),
            status=str(one["status"]),
            reason=str(one["reason"]),
            withdrawn=sum(line["amount"] for line in one.get("balance_transactions") or []) < 0,
            evidence_due_at=moment((one.get("evidence_details") or {}).get("due_by")),
        )
        for one in disputes
    )


def _expanded(value: object) -> Json | None:
    return value if isinstance(value, Mapping) else None


def intent_of(session: Json) -> Json | None:
    """The expanded intent of a hosted page; None before the first attempt."""
    return _expanded(session.get("payment_intent"))


def charge_of(intent: Json | None) -> Json | None:
    """The expanded last charge of an intent; None before there is one."""
    return _expanded((intent or {}).get("latest_charge"))


def _name(value: object) -> str | None:
    thing = _expanded(value)
    name = thing["id"] if thing else value
    return str(name) if name else None


def _expires(intent: Json, charge: Json | None) -> dt.datetime | None:
    if intent["status"] != "requires_capture":
        return None
    if charge is None:
        return moment(intent.get("created"))
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    said = moment(card.get("capture_before"))
    made = moment(charge.get("created"))
    return said or (made + SHORTEST_HOLD if made else None)


def _fee(charge: Json | None, currency: str) -> int | None:
    booked = _expanded((charge or {}).get("balance_transaction"))
    # An account that is settled in another currency pays its fees in that one: no amount of this payment's.
    if booked is None or booked["currency"] != currency:
        return None
    return from_stripe(booked["fee"], currency)


def read(
    session: Json | None, intent: Json | None, refunds: Iterable[Json] = (), disputes: Iterable[Json] = ()
) -> Seen:
    """A payment as the port tells it. At least one of session and intent is there.

    Its reference is the hosted page's where there is one (it is known before an intent is), else the
    intent's; so it is the same all the payment's life.
    """
    named: Json | None = session or intent
    assert named is not None
    status = status_of(session, intent)
    currency = str((intent or named)["currency"])
    amount = intent["amount"] if intent is not None else named["amount_total"]
    decline = None
    if intent is not None and status in (Status.WAITING, Status.CANCELLED):
        decline = decline_of(intent.get("last_payment_error"))
        if decline is None and session is None and status is Status.WAITING:
            # Asked without the payer there, and the bank wants the payer.
            decline = (
                Decline.AUTHENTICATION_FAILED if intent["status"] == "requires_action" else Decline.DECLINED
            )
    charge = charge_of(intent)
    return Seen(
        reference=str(named["id"]),
        status=status,
        amount_fen=from_stripe(amount, currency),
        currency=currency.upper(),
        captured_fen=from_stripe((intent or {}).get("amount_received") or 0, currency),
        pay_url=session.get("url") if session is not None and status is Status.WAITING else None,
        expires_at=_expires(intent, charge) if intent is not None else None,
        decline=decline,
        refunds=read_refunds(refunds),
        disputes=read_disputes(disputes),
        customer=_name((intent or {}).get("customer") or named.get("customer")),
        fee_fen=_fee(charge, currency),
    )
