"""What can go wrong in the auction room, as seen from outside it."""

from __future__ import annotations

from typing import Any

from auctions.rules.refusal import Refusal
from market.errors import Conflict, MarketError, Unavailable


class LotRefusal(MarketError):
    """The rules refused a command. `code` is the RefusalCode, `seq` the entry that made it apply."""

    def __init__(self, refusal: Refusal) -> None:
        self.code: str = refusal.code.value
        params: dict[str, Any] = dict(refusal.params)
        super().__init__(**params)
        self.refusal = refusal
        self.seq = refusal.seq


class Busy(Unavailable):
    """The writer's queue is full; nothing was done. Send the same command again in a moment."""


class Draining(Unavailable):
    """The process is shutting down; nothing was done. Send the same command to another one."""


class OutcomeUnknown(Unavailable):
    """The database went away during the commit. Send the same bid id again to learn what happened."""


class CommandFailed(Unavailable):
    """The command met an unexpected error; nothing was done. The alarm has the details."""


class TermsChanged(Conflict):
    """The terms that the bidder accepted are not the lot's."""
