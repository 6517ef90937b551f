"""What may happen to a deposit, what a gateway is told next, and where forfeited money goes.

    due ──hold──► held ──release──► releasing ──returned──► released
     ▲ │           │├────apply────► applied
     │ └─fail─►failed◄─lapse┘└─forfeit─► forfeited
     └─request─┘ (also from released: a deposit may be asked for again)

Pure. Amounts are fen.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from market.errors import WrongState
from market.payments.gateway import RefundStatus, Seen, Status
from market.payments.models import DepositState, OperationKind

_D = DepositState


class Movement(enum.StrEnum):
    """A step of a deposit."""

    REQUEST = "request"
    HOLD = "hold"
    FAIL = "fail"
    LAPSE = "lapse"
    RELEASE = "release"
    RETURNED = "returned"
    APPLY = "apply"
    FORFEIT = "forfeit"


TRANSITIONS: dict[tuple[DepositState, Movement], DepositState] = {
    (_D.DUE, Movement.HOLD): _D.HELD,
    (_D.DUE, Movement.FAIL): _D.FAILED,
    (_D.FAILED, Movement.REQUEST): _D.DUE,
    (_D.FAILED, Movement.HOLD): _D.HELD,
    # Money that came after it was called off.
    (_D.FAILED, Movement.RELEASE): _D.RELEASING,
    (_D.DUE, Movement.RELEASE): _D.RELEASING,
    (_D.RELEASED, Movement.RELEASE): _D.RELEASING,
    (_D.RELEASED, Movement.REQUEST): _D.DUE,
    (_D.HELD, Movement.LAPSE): _D.FAILED,
    (_D.HELD, Movement.RELEASE): _D.RELEASING,
    (_D.RELEASING, Movement.RETURNED): _D.RELEASED,
    (_D.HELD, Movement.APPLY): _D.APPLIED,
    (_D.HELD, Movement.FORFEIT): _D.FORFEITED,
}


def next_state(state: DepositState, movement: Movement) -> DepositState:
    """Where a movement leads. Raises WrongState."""
    after = TRANSITIONS.get((state, movement))
    if after is None:
        raise WrongState(state=state.value, action=movement.value)
    return after


REFUND_TRIES = 3


@dataclass(frozen=True)
class Told:
    """What a gateway shall be told: an operation and its amount."""

    kind: OperationKind
    amount_fen: int


def next_step(seen: Seen, amount_fen: int, keep_fen: int | None) -> Told | None:
    """What to tell a gateway, given what it sees and how much shall be kept; None when there is nothing.

    What came beyond what shall be kept goes back, whatever else holds; while it is open, that is what
    came beyond the amount asked for. An authorisation is let go, or captured as far as it shall be kept.
    One refund at a time: the next one is worked out when the last one is known to have ended. Where
    refunds failed REFUND_TRIES times it is for people to find another way.
    """
    ended = [one.status for one in seen.refunds]
    if RefundStatus.PENDING in ended or ended.count(RefundStatus.FAILED) >= REFUND_TRIES:
        return None
    beyond = seen.captured_fen - seen.refunded_fen - (amount_fen if keep_fen is None else keep_fen)
    if beyond > 0:
        return Told(OperationKind.REFUND, beyond)
    if keep_fen is None:
        return None
    if seen.status is Status.AUTHORISED:
        if keep_fen:
            return Told(OperationKind.CAPTURE, keep_fen)
        return Told(OperationKind.CANCEL, seen.amount_fen)
    if seen.status in (Status.WAITING, Status.PROCESSING) and keep_fen == 0:
        return Told(OperationKind.CANCEL, seen.amount_fen)
    return None


def is_covered(seen: Seen, amount_fen: int) -> bool:
    """Whether a payment stands for its whole amount: set aside now, or come and not gone back."""
    if seen.status is Status.AUTHORISED:
        return seen.amount_fen >= amount_fen
    withdrawn = sum(one.amount_fen for one in seen.disputes if one.withdrawn)
    back = seen.refunded_fen + seen.refunding_fen + withdrawn
    return seen.status is Status.PAID and seen.captured_fen - back >= amount_fen


def is_settled(seen: Seen, keep_fen: int | None) -> bool:
    """Whether nothing more is to be done or expected of a payment."""
    left = seen.captured_fen - seen.refunded_fen
    if any(one.status is RefundStatus.PENDING for one in seen.refunds):
        return False
    if seen.status is Status.CANCELLED:
        return left == (keep_fen or 0) or left == 0
    return seen.status is Status.PAID and left <= (keep_fen or 0)


class RestTo(enum.StrEnum):
    """Whose is what is left of a forfeited deposit after costs and shortfall; the terms say it."""

    MARKET = "market"
    SELLER = "seller"
    BIDDER = "bidder"


@dataclass(frozen=True)
class Waterfall:
    """Where a forfeited deposit goes. `open_fen` is the part of the shortfall that it does not cover."""

    costs_fen: int
    shortfall_fen: int
    rest_fen: int
    open_fen: int


def waterfall(amount_fen: int, costs_fen: int, shortfall_fen: int) -> Waterfall:
    """Divide a forfeited deposit: first the costs of the failed sale, then what the lot fetched less the
    second time, then the rest. After 法释〔2016〕18号 article 24, a model that binds courts only; the terms of
    the lot say so. Raises ValueError for a negative amount."""
    if min(amount_fen, costs_fen, shortfall_fen) < 0:
        raise ValueError("amounts are not negative")
    costs = min(amount_fen, costs_fen)
    shortfall = min(amount_fen - costs, shortfall_fen)
    rest = amount_fen - costs - shortfall
    return Waterfall(costs, shortfall, rest, costs_fen - costs + shortfall_fen - shortfall)
