"""What can be asked of a lot.

A command names its lot and, where a person stands behind it, that person. Nothing here is trusted:
`decide` judges every command against the state, and answers each with events or a refusal.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from auctions.rules.refusal import RefusalCode


@dataclass(frozen=True, kw_only=True)  # without slots, for `PlaceBid.by`
class Command:
    """Something asked of a lot; `person_id` is None for the timekeeper and the command line."""

    lot_id: int
    person_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish(Command):
    """Announce a draft lot and freeze its terms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRegistration(Command):
    """Begin to admit bidders (timekeeper)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admit(Command):
    """Admit a bidder. `alias` is given only to one who was admitted before."""

    organisation_id: int
    bidder_person_id: int
    is_staff: bool
    deposit_fen: int
    commitment: str
    alias: int | None = None
    priority: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeAdmission(Command):
    """Take a bidder's admission back."""

    alias: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Open(Command):
    """Begin the bidding (timekeeper)."""


@dataclass(frozen=True, kw_only=True)
class PlaceBid(Command):
    """A bid. `received_at` is the server's clock at its arrival, and is what the deadline judges.

    `client_bid_id` is made by the bidder's program before sending and kept there: the same id always
    gets the same answer. `act` is what the format calls it (bid, maximum, seal, open, take, offer);
    `amount_fen` is None where no amount may be known; `extra` is whatever else the act needs, small and
    flat. `nonce` hides a maximum in the journal; it is made by the market, at the edge.

    `organisation_ids` are those that the person may bid for at this moment (None: no limit). `alias` and
    `problem` are filled in by the writer under the lot's lock: None is not admitted, and a rule that
    keeps the bidder from bidding now.
    """

    client_bid_id: str
    amount_fen: int | None
    received_at: dt.datetime
    act: str = "bid"
    extra: Mapping[str, int | str] = field(default_factory=dict)
    nonce: str = ""
    organisation_ids: frozenset[int] | None = None
    alias: int | None = None
    problem: RefusalCode | None = None

    def by(self, alias: int, problem: RefusalCode | None) -> PlaceBid:
        """The bid with who bids: `dataclasses.replace` at a fraction of the cost, for every bid."""
        new = object.__new__(PlaceBid)
        fields = vars(new)
        fields.update(vars(self))
        fields["alias"], fields["problem"] = alias, problem
        return new


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Command):
    """Stop the bidding for a moment (暂停)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspend(Command):
    """Stop the lot until a matter is settled (中止)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(Command):
    """Go on after a pause or suspension."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(Command):
    """Take the lot back before any bid (撤拍)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(Command):
    """End the lot without an outcome."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Close(Command):
    """End the bidding and find the outcome (timekeeper).

    `together_until` is filled in by the writer: the latest end of the open lots of the same sale, where
    the lots end together, and the lot that has it.
    """

    together_until: dt.datetime | None = None
    together_with: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend(Command):
    """Give more time by the published rule, with a reason (organiser)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendTogether(Command):
    """Follow another lot of the sale that was extended (writer)."""

    ends_at: dt.datetime
    with_lot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Announce(Command):
    """Tell the room something."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordDefault(Command):
    """Record that the winner did not sign or pay (悔拍)."""

    reason: str
