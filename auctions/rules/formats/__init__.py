"""What differs between auction formats. A format is one module of this package, with what `Rules` names.

Nothing else has to be told of a new one: modules are found by being here. The public checker states each
format's rules a second time, independently (`auctions/checker/formats/`). `docs/auction-formats.md` has
the rules in words, and CONTRIBUTING how to add one.
"""

from __future__ import annotations

import datetime as dt
import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any, Protocol, cast

from auctions.rules.commands import PlaceBid
from auctions.rules.events import Event
from auctions.rules.formats.parameters import Parameter, parameter_problems
from auctions.rules.refusal import Refusal
from auctions.rules.state import Lot
from auctions.rules.terms import Problem, Terms

DEFAULT = "english"


class Rules(Protocol):
    """What a format decides. All of it is pure."""

    NAME: str
    """The name in the terms. Once used it never changes its meaning."""
    ACTS: tuple[str, ...]
    """What a bidder may do, the usual act first."""
    PARAMETERS: tuple[Parameter, ...]
    """The format's own terms (`Terms.params`), for the form and for checking."""
    SOFT_CLOSE: bool
    """Whether late bids extend the lot, and so the terms' window, extension and hard end mean anything."""
    STEPS: bool
    """Whether the terms' step table means anything."""

    def problems(self, terms: Terms) -> list[Problem]:
        """What is wrong with terms of this format, beyond each parameter's own range."""
        ...

    def ends_at(self, terms: Terms) -> dt.datetime:
        """The end that the terms must have: their own, unless the format computes it."""
        ...

    def decide_bid(self, lot: Lot, bid: PlaceBid, now: dt.datetime) -> tuple[Event, ...] | Refusal:
        """Judge a bid. The bidder is admitted, the lot is open, and the end has not come. The first
        event is the bid's own."""
        ...

    def close(self, lot: Lot, now: dt.datetime) -> tuple[Event, ...]:
        """What follows when the end has come: usually `Closed`."""
        ...

    def book_after(self, lot: Lot, event: Event, seq: int) -> Mapping[str, Any]:
        """The format's own state (`Lot.book`) after an event; the same object where nothing changed."""
        ...

    def minimum_after(self, terms: Terms, price_fen: int | None) -> int | None:
        """The least amount that a bidder without priority may bid over a standing price (None: no bid
        yet); None when no further bid is possible."""
        ...


RULES: dict[str, Rules] = {}
for _info in pkgutil.iter_modules(__path__):
    _module = importlib.import_module(f"{__name__}.{_info.name}")
    if hasattr(_module, "NAME"):
        RULES[_module.NAME] = cast("Rules", _module)


def rules_of(lot: Lot) -> Rules:
    """The rules of a lot's format."""
    return RULES[lot.terms.format]


def minimum_after(terms: Terms, price_fen: int | None) -> int | None:
    """The least next bid under the terms' own format; see `Rules`."""
    return RULES[terms.format].minimum_after(terms, price_fen)


def problems(terms: Terms, now: dt.datetime | None = None) -> list[Problem]:
    """Everything that is wrong with terms: what all formats share, and the format's own."""
    rules = RULES.get(terms.format)
    if rules is None:
        return [("format", "unknown_format", {"formats": ", ".join(sorted(RULES))})]
    found = terms.problems(now)
    own = parameter_problems(rules.PARAMETERS, terms.params)
    if not own:
        own = rules.problems(terms)
        if rules.ends_at(terms) != terms.ends_at:
            own.append(("ends_at", "end_not_of_format", {"ends_at": rules.ends_at(terms).isoformat()}))
    if not rules.SOFT_CLOSE:
        own += [
            (name, "not_with_this_format", {})
            for name in ("window_s", "hard_end", "hand_extensions", "ends_together")
            if getattr(terms, name)
        ]
    return found + own
