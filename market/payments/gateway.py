"""The gateway port: whoever holds the money. No gateway is called inside a database transaction
that it could outlive; both gateways here answer at once and move nothing outside this system.

`SimulatedGateway` moves no money and says so wherever it shows. `OfflineGateway` stands for a bank
transfer: the money moves at the bank, and staff confirm what they saw in the account.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol


class HoldState(enum.StrEnum):
    """What a gateway says of a deposit that it was asked to hold."""

    HELD = "held"
    PENDING = "pending"
    """The payer has yet to pay; staff, or a message from the gateway, confirm that it arrived."""


@dataclass(frozen=True)
class Hold:
    """A gateway's answer: where the money is and under which reference."""

    state: HoldState
    reference: str


class Gateway(Protocol):
    """Holds deposits. Every call carries a key; the same key twice is one movement."""

    name: str
    simulated: bool

    def hold(self, key: str, amount_fen: int, currency: str) -> Hold:
        """Ask for money to be held."""
        ...

    def release(self, key: str, reference: str, amount_fen: int) -> None:
        """Give it back to whoever paid it."""
        ...

    def apply(self, key: str, reference: str, amount_fen: int) -> None:
        """Pass it on to the seller as part of the price."""
        ...

    def forfeit(self, key: str, reference: str, amount_fen: int) -> None:
        """Keep it for the market because the payer broke the terms."""
        ...


class SimulatedGateway:
    """Pretends: the payer presses a button that says so, and no money moves. Refused in production."""

    name = "simulated"
    simulated = True

    def hold(self, key: str, amount_fen: int, currency: str) -> Hold:
        del amount_fen, currency
        return Hold(HoldState.PENDING, f"sim-{key}")

    def release(self, key: str, reference: str, amount_fen: int) -> None:
        """Nothing moves."""

    def apply(self, key: str, reference: str, amount_fen: int) -> None:
        """Nothing moves."""

    def forfeit(self, key: str, reference: str, amount_fen: int) -> None:
        """Nothing moves."""


class OfflineGateway:
    """A bank transfer: the payer writes the reference on it, staff confirm it and pay it out."""

    name = "offline"
    simulated = False

    def hold(self, key: str, amount_fen: int, currency: str) -> Hold:
        del amount_fen, currency
        return Hold(HoldState.PENDING, f"TM-{key}")

    def release(self, key: str, reference: str, amount_fen: int) -> None:
        """Staff pay it back at the bank; the ledger records that they did."""

    def apply(self, key: str, reference: str, amount_fen: int) -> None:
        """Staff pay it on at the bank; the ledger records that they did."""

    def forfeit(self, key: str, reference: str, amount_fen: int) -> None:
        """It stays in the market's account."""


def gateway_named(name: str) -> Gateway:
    """The gateway of a name: `simulated` or `offline`. Raises KeyError."""
    known: dict[str, Gateway] = {one.name: one for one in (SimulatedGateway(), OfflineGateway())}
    return known[name]
