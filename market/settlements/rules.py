"""Pure rules of settlements: which days are due, what is late, what is still to be paid.

Working days are those of the statutory calendar in Shanghai; the day of the close does not count. Amounts
are fen.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from market.clock import local_date
from market.deals.rules import deadline


class StepKind(enum.StrEnum):
    """What a settlement asks for, in its usual order."""

    CONFIRMATION = "confirmation"
    """Buyer, seller and organiser have signed the confirmation of sale."""
    CONTRACT = "contract"
    """The contract is signed."""
    BALANCE = "balance"
    """The whole price is paid, the deposit counted."""
    REGISTRATION = "registration"
    """The contract is registered; the terms set no day for it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the checklist. `due_on` is the last day in time."""

    kind: StepKind
    due_on: dt.date | None
    done_on: dt.date | None

    def days_late(self, today: dt.date) -> int:
        """Calendar days past its last day, when it was done or else by today; 0 in time."""
        if self.due_on is None:
            return 0
        return max(0, ((self.done_on or today) - self.due_on).days)

    def is_late(self, today: dt.date) -> bool:
        """Whether it is open and its last day has passed."""
        return self.done_on is None and self.days_late(today) > 0


def last_day(closed_at: dt.datetime, working_days: int) -> dt.date:
    """The last day of a limit in working days after an instant."""
    return deadline(local_date(closed_at), working_days, "working_days").day


def outstanding(price_fen: int, deposit_fen: int, paid_fen: int) -> int:
    """What is still to be paid of a price: less the deposit that is there, less what was paid; never negative."""
    return max(0, price_fen - deposit_fen - paid_fen)


def shortfall(price_fen: int, next_price_fen: int | None) -> int:
    """What a lot fetched less the second time; 0 while it was not sold again, or sold for more."""
    return 0 if next_price_fen is None else max(0, price_fen - next_price_fen)


def digest(facts: Mapping[str, Any]) -> str:
    """SHA-256 of facts as canonical JSON: keys sorted, no spaces, UTF-8."""
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
