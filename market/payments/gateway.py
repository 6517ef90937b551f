"""The gateway port: whoever moves the money.

A gateway is an outside system: it is called with no database transaction open, may answer late or not
at all, and is asked again with the same key until it answers. Every call returns what the gateway now
*sees* of a payment, in full; what follows from that is decided here (`rules.next_step`), so that
messages may come late, twice and out of order.

Amounts are minor units of the currency (fen for CNY). Adapters turn them into what a gateway counts in.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from market.errors import MarketError


class Method(enum.StrEnum):
    """How a payer pays (支付方式)."""

    CARD = "card"
    """A bank card. The amount is authorised (预授权) and captured only when it is needed."""
    ALIPAY = "alipay"
    """支付宝: charged at once, given back by a refund."""
    WECHAT_PAY = "wechat_pay"
    """微信支付: charged at once, given back by a refund."""
    BANK_TRANSFER = "bank_transfer"
    """对公转账: the payer transfers it and writes a reference on it."""


AUTHORISED_FIRST = frozenset({Method.CARD})
"""Methods by which an amount is authorised first and captured later."""


class Status(enum.StrEnum):
    """Where a payment stands at its gateway."""

    WAITING = "waiting"
    """The payer has to act: pay, choose another card, authenticate, transfer."""
    PROCESSING = "processing"
    """The payer has acted; the gateway does not know yet."""
    AUTHORISED = "authorised"
    """The amount is set aside at the payer's bank and can be captured until `expires_at`."""
    PAID = "paid"
    """The money has come: `captured_fen`, of which `refunded_fen` went back."""
    CANCELLED = "cancelled"
    """Nothing more will come: called off, or lapsed."""


class RefundStatus(enum.StrEnum):
    """Where a refund stands at its gateway."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    """The gateway tried and could not; the money is with the gateway again."""


class Decline(enum.StrEnum):
    """Why a payer's bank said no, as far as the payer may be told (`Decline.<code>` in the catalogues)."""

    DECLINED = "declined"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    EXPIRED_CARD = "expired_card"
    INCORRECT_DETAILS = "incorrect_details"
    AUTHENTICATION_FAILED = "authentication_failed"
    LIMIT_EXCEEDED = "limit_exceeded"
    NOT_SUPPORTED = "not_supported"
    TRY_AGAIN = "try_again"


@dataclass(frozen=True)
class Ask:
    """What a payer is asked for.

    `manual_capture` asks for an authorisation where the method has one. `reusable` lets the gateway keep
    the method, so that the amount can be authorised again before the authorisation lapses. The two
    addresses are where the payer's browser comes back to. Holds no personal datum: `payment_id`,
    `organisation_id`, `lot_id` are keys of ours. `customer` is the gateway's own name of the payer.
    """

    payment_id: int
    organisation_id: int
    lot_id: int | None
    purpose: str
    amount_fen: int
    currency: str
    method: Method
    manual_capture: bool
    return_url: str
    cancel_url: str
    reusable: bool = False
    locale: str = "zh-Hans"
    customer: str | None = None

    @property
    def metadata(self) -> dict[str, str]:
        """Our ids as a gateway keeps them."""
        found: Mapping[str, object] = {
            "payment_id": self.payment_id,
            "organisation_id": self.organisation_id,
            "lot_id": self.lot_id,
            "purpose": self.purpose,
        }
        return {name: str(value) for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class SeenRefund:
    """A refund as its gateway sees it. `key` is the key that we asked with, or None for one made elsewhere."""

    reference: str
    amount_fen: int
    status: RefundStatus
    key: str | None = None


@dataclass(frozen=True)
class SeenDispute:
    """A payer's bank takes a payment back (拒付): `amount_fen`, and whether the money is withdrawn now."""

    reference: str
    amount_fen: int
    status: str
    reason: str
    withdrawn: bool
    evidence_due_at: dt.datetime | None = None


@dataclass(frozen=True)
class Seen:
    """All that a gateway sees of a payment at this moment.

    `captured_fen` is what came, refunds not deducted. `pay_url` is the page where the payer pays, if
    there is one. `expires_at` is when an authorisation lapses. `fee_fen` is what the gateway kept for
    itself, None while unknown.
    """

    reference: str
    status: Status
    amount_fen: int
    currency: str
    captured_fen: int = 0
    pay_url: str | None = None
    expires_at: dt.datetime | None = None
    decline: Decline | None = None
    refunds: tuple[SeenRefund, ...] = ()
    disputes: tuple[SeenDispute, ...] = ()
    customer: str | None = None
    fee_fen: int | None = None

    @property
    def refunded_fen(self) -> int:
        """What went back."""
        return sum(one.amount_fen for one in self.refunds if one.status is RefundStatus.DONE)

    @property
    def refunding_fen(self) -> int:
        """What is on its way back."""
        return sum(one.amount_fen for one in self.refunds if one.status is RefundStatus.PENDING)


class GatewayUnavailable(MarketError):
    """No answer, or none that says what happened: ask again with the same key."""

    code = "gateway_unavailable"


class GatewayRefused(MarketError):
    """The gateway said no, and will again. Params: `reason`, a code of the gateway's."""

    code = "gateway_refused"


class Gateway(Protocol):
    """Moves money. The same key twice is one movement, and gets the same answer.

    Every method may raise GatewayUnavailable (nothing is known) and GatewayRefused (nothing was done).
    """

    name: str
    simulated: bool
    methods: tuple[Method, ...]

    def start(self, key: str, ask: Ask) -> Seen:
        """Ask a payer for an amount."""
        ...

    def look(self, reference: str) -> Seen:
        """What the gateway sees of a payment. GatewayRefused where it knows none of that reference."""
        ...

    def capture(self, key: str, reference: str, amount_fen: int) -> Seen:
        """Take (a part of) an authorised amount; the rest of the authorisation is let go."""
        ...

    def cancel(self, key: str, reference: str) -> Seen:
        """Call off what has not been paid, or let an authorisation go. Refused once captured."""
        ...

    def refund(self, key: str, reference: str, amount_fen: int) -> Seen:
        """Give (a part of) what was captured back the way that it came. Refused beyond what is left."""
        ...

    def authorise_again(self, key: str, ask: Ask, reference: str) -> Seen:
        """Authorise an amount anew, without the payer, by the method of an earlier payment.

        A new payment with a reference of its own; the earlier one stays as it is. An answer that is
        neither authorised nor paid says why in `decline`.
        """
        ...


@dataclass(frozen=True)
class Gateways:
    """The gateways of this market, in the order in which payers are offered them."""

    each: tuple[Gateway, ...] = ()
    retired: tuple[Gateway, ...] = field(default=())
    """Offered no more, but known: payments that were begun there are still pursued."""

    @property
    def known(self) -> tuple[Gateway, ...]:
        """All of them, offered or not."""
        return (*self.retired, *self.each)

    def named(self, name: str) -> Gateway:
        """The gateway of a name. Raises KeyError."""
        return {one.name: one for one in self.known}[name]

    def offers(self) -> list[tuple[Gateway, Method]]:
        """Every way to pay."""
        return [(gateway, method) for gateway in self.each for method in gateway.methods]

    @property
    def names(self) -> Collection[str]:
        """What they are called."""
        return [one.name for one in self.each]
