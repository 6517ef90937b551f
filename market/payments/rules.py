"""What may happen to a deposit, and what a ledger transfer must satisfy.

    due ──confirm──► held ──release──► released
     ▲ │                ├──apply────► applied
     │ └─fail─► failed  └──forfeit──► forfeited
     └──request──┘

Pure. Amounts are fen.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from market.errors import Conflict, WrongState
from market.payments.models import DepositState

_D = DepositState


class Movement(enum.StrEnum):
    """A step of a deposit."""

    CONFIRM = "confirm"
    FAIL = "fail"
    REQUEST = "request"
    RELEASE = "release"
    APPLY = "apply"
    FORFEIT = "forfeit"


TRANSITIONS: dict[tuple[DepositState, Movement], DepositState] = {
    (_D.DUE, Movement.CONFIRM): _D.HELD,
    (_D.DUE, Movement.FAIL): _D.FAILED,
    (_D.FAILED, Movement.REQUEST): _D.DUE,
    (_D.HELD, Movement.RELEASE): _D.RELEASED,
    (_D.HELD, Movement.APPLY): _D.APPLIED,
    (_D.HELD, Movement.FORFEIT): _D.FORFEITED,
}


def next_state(state: DepositState, movement: Movement) -> DepositState:
    """Where a movement leads. Raises WrongState."""
    after = TRANSITIONS.get((state, movement))
    if after is None:
        raise WrongState(state=state.value, action=movement.value)
    return after


class Unbalanced(ValueError):
    """A transfer whose lines do not sum to zero in each currency: a bug, never an input."""


class KeyReused(Conflict):
    """The same key was posted before with other lines. Params: `key`."""


@dataclass(frozen=True)
class Line:
    """One side of a transfer: positive into the account, negative out of it."""

    account: str
    amount_fen: int
    currency: str = "CNY"


def check_balanced(lines: Sequence[Line]) -> None:
    """Raise Unbalanced unless there are two lines or more, none is zero, and each currency sums to zero."""
    sums: dict[str, int] = {}
    for line in lines:
        sums[line.currency] = sums.get(line.currency, 0) + line.amount_fen
    if len(lines) < 2 or any(sums.values()) or any(line.amount_fen == 0 for line in lines):
        raise Unbalanced


def outside(gateway: str) -> str:
    """The account of the world behind a gateway; what it owes us is what bidders put in."""
    return f"gateway:{gateway}"


def held(organisation_id: int, lot_id: int) -> str:
    """The account of one bidder's deposit for one lot."""
    return f"deposits:held:{organisation_id}:{lot_id}"


def settled(movement: Movement, gateway: str, lot_id: int) -> str:
    """Where a held deposit goes: back out of the gateway, towards the price, or to the market."""
    if movement is Movement.RELEASE:
        return outside(gateway)
    return f"lots:{lot_id}:price" if movement is Movement.APPLY else "market:forfeited"
