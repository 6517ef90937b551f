"""What the terms of a lot promise about its deposit and about what follows a sale.

Amounts are fen, shares basis points; working days count from the day after the close, by the statutory
calendar.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auctions.rules.canonical import maybe_instant, maybe_iso

Problem = tuple[str, str, dict[str, Any]]

MOST_HOURS = 720
MOST_DAYS = 366


class ForfeitRest(enum.StrEnum):
    """Whose is what a forfeited deposit leaves after the costs and the shortfall of a failed sale."""

    MARKET = "market"
    SELLER = "seller"
    BIDDER = "bidder"


@dataclass(frozen=True, slots=True)
class SettlementTerms:
    """The part of a lot's terms that is about money before and after the bidding.

    `deposit_share_bp` is the share of the start price that the deposit was worked out from, rounded up to
    the fen; None for an amount of its own. A deposit must be held at `deposit_due_at`; None sets no other
    moment than the admission. Deposits that are not the winner's go back within `refund_hours` of the close.
    Buyer, seller and organiser confirm the sale within `confirm_days`, the contract is signed within
    `contract_days` and the rest of the price is paid within `balance_days`, all working days after the close.

    A defaulter's deposit pays the costs of the failed sale, then what the lot fetched less the second
    time; `forfeit_rest` is whose the rest is (after 法释〔2016〕18号 article 24, which binds courts only: there
    the rest serves the owner's side). With `runner_up` the lot may, after a default, be offered to the next
    bidder at that bidder's own last bid.
    """

    deposit_share_bp: int | None = None
    deposit_due_at: dt.datetime | None = None
    refund_hours: int = 24
    confirm_days: int = 3
    contract_days: int = 5
    balance_days: int = 10
    forfeit_rest: ForfeitRest = ForfeitRest.SELLER
    runner_up: bool = False

    def public(self) -> dict[str, Any]:
        """As published and hashed."""
        return {
            "deposit_share_bp": self.deposit_share_bp,
            "deposit_due_at": maybe_iso(self.deposit_due_at),
            "refund_hours": self.refund_hours,
            "confirm_days": self.confirm_days,
            "contract_days": self.contract_days,
            "balance_days": self.balance_days,
            "forfeit_rest": self.forfeit_rest.value,
            "runner_up": self.runner_up,
        }

    @staticmethod
    def read(value: Mapping[str, Any] | None) -> SettlementTerms:
        """What `public` wrote; the defaults for terms that say nothing (versions 1 and 2)."""
        if value is None:
            return SettlementTerms()
        return SettlementTerms(
            deposit_share_bp=value["deposit_share_bp"],
            deposit_due_at=maybe_instant(value["deposit_due_at"]),
            refund_hours=value["refund_hours"],
            confirm_days=value["confirm_days"],
            contract_days=value["contract_days"],
            balance_days=value["balance_days"],
            forfeit_rest=ForfeitRest(value["forfeit_rest"]),
            runner_up=value["runner_up"],
        )

    def problems(
        self, *, start_fen: int, deposit_fen: int, opens_at: dt.datetime, ranked: bool
    ) -> list[Problem]:
        """What is wrong, given the terms around it; `ranked` says whether the format has a next bidder."""
        found: list[Problem] = []

        def wrong(field: str, code: str, **params: Any) -> None:
            found.append((field, code, params))

        if self.deposit_share_bp is not None:
            if not 0 < self.deposit_share_bp <= 10_000:
                wrong("settlement.deposit_share_bp", "out_of_range", low=1, high=10_000)
            elif deposit_fen != share_of(start_fen, self.deposit_share_bp):
                least = share_of(start_fen, self.deposit_share_bp)
                wrong("deposit_fen", "deposit_is_not_its_share", deposit_fen=least)
        if self.deposit_due_at is not None:
            if not deposit_fen:
                wrong("settlement.deposit_due_at", "no_deposit_to_be_due")
            elif self.deposit_due_at > opens_at:
                wrong("settlement.deposit_due_at", "deposit_due_after_opening")
        if not 1 <= self.refund_hours <= MOST_HOURS:
            wrong("settlement.refund_hours", "out_of_range", low=1, high=MOST_HOURS)
        for name in ("confirm_days", "contract_days", "balance_days"):
            if not 1 <= getattr(self, name) <= MOST_DAYS:
                wrong(f"settlement.{name}", "out_of_range", low=1, high=MOST_DAYS)
        if self.runner_up and not ranked:
            wrong("settlement.runner_up", "no_next_bidder")
        return found


def share_of(start_fen: int, share_bp: int) -> int:
    """The deposit that a share of the start price makes, rounded up to the fen."""
    return -(-start_fen * share_bp // 10_000)


NEXT_BIDDER = ("english", "sealed")
"""Formats that can leave a next bidder with a price of its own; `has_next_bidder` says when."""


def has_next_bidder(lot_format: str, params: Mapping[str, Any]) -> bool:
    """Whether a format leaves a next bidder with a price of its own.

    Open ascending bids do, and sealed bids where each pays its own price. A falling price has one bid. Where
    the winner pays the next best price, nobody bid to pay its own. A score weighs more than the price.
    """
    return lot_format in NEXT_BIDDER and params.get("pricing", "own") == "own"
