"""What differs between auction formats. A format is one module with the functions of `Rules`.

To add one: write `formats/<name>.py`, give `Format` a value, enter it in `RULES`, and teach
`auctions/verify.py` the same rules a second time, independently.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from auctions.rules.commands import PlaceBid
from auctions.rules.events import Closed, Event
from auctions.rules.formats import english
from auctions.rules.refusal import Refusal
from auctions.rules.state import Lot
from auctions.rules.terms import Format, Terms


class Rules(Protocol):
    """What a format decides."""

    def decide_bid(self, lot: Lot, bid: PlaceBid, now: dt.datetime) -> tuple[Event, ...] | Refusal:
        """Judge the amount. The bidder is admitted, the lot takes bids, and the end has not come."""
        ...

    def outcome(self, lot: Lot) -> Closed:
        """Who won, if anyone, when the lot closes now."""
        ...

    def minimum_after(self, terms: Terms, price_fen: int | None) -> int | None:
        """The least amount that a bidder without priority may bid over a standing price (None: no bid
        yet); None when no further bid is possible."""
        ...


RULES: dict[Format, Rules] = {Format.ENGLISH: english}


def rules_of(lot: Lot) -> Rules:
    """The rules of a lot's format."""
    return RULES[lot.terms.format]


def minimum_after(terms: Terms, price_fen: int | None) -> int | None:
    """The least next bid under the terms' own format; see `Rules`."""
    return RULES[terms.format].minimum_after(terms, price_fen)
