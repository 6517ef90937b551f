"""What is true of a lot: the fold of its journal.

                        ┌────────────► withdrawn (before any bid)
draft ─► announced ─► registration ─► live ─► extending ──close──► sold ─► defaulted
             │              │           │  └─────┤   │        └──► passed_in
             │              │           │        └───┴─► revealing (sealed bids) ──close──► …
             │              │           └── paused (resume returns where it was)
             └──────────────┴───────────┴── suspended (resume returns where it was)
every state before the close ─► cancelled
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auctions.rules.canonical import instant, maybe_instant, maybe_iso
from auctions.rules.terms import Terms


class LotState(enum.StrEnum):
    """Where a lot stands. Only `draft` is without a journal."""

    DRAFT = "draft"
    ANNOUNCED = "announced"
    REGISTRATION = "registration"
    LIVE = "live"
    EXTENDING = "extending"
    REVEALING = "revealing"
    """Sealed bids are opened by their bidders (开标)."""
    PAUSED = "paused"
    SUSPENDED = "suspended"
    SOLD = "sold"
    PASSED_IN = "passed_in"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    DEFAULTED = "defaulted"


BIDDING = frozenset({LotState.LIVE, LotState.EXTENDING})
"""States in which bids are taken."""
OPEN = BIDDING | {LotState.REVEALING}
"""States with an end to come, in which something is taken from bidders."""
STOPPED = frozenset({LotState.PAUSED, LotState.SUSPENDED})
UPCOMING = frozenset({LotState.ANNOUNCED, LotState.REGISTRATION})
ENDED = frozenset(
    {LotState.SOLD, LotState.PASSED_IN, LotState.WITHDRAWN, LotState.CANCELLED, LotState.DEFAULTED}
)
"""States that take no more bids, ever."""


@dataclass(frozen=True)  # without slots, for `changed`
class Lot:
    """A lot at a seq. Aliases only; who is behind them is not part of the fold.

    Not for publication as it is: `book` holds maxima. The public view is `auctions.protocol`'s.
    """

    lot_id: int
    terms: Terms
    state: LotState = LotState.DRAFT
    seq: int = 0
    last_at: dt.datetime | None = None
    state_seq: int = 0
    """The entry that brought the present state about."""
    price_fen: int | None = None
    leader: int | None = None
    leader_seq: int = 0
    """The entry of the standing bid."""
    bid_count: int = 0
    bidders: tuple[int, ...] = ()
    """Aliases that have bid, in order of their first bid."""
    admitted: Mapping[int, int | None] = field(default_factory=dict)
    """Alias → priority rank, of those who may bid now."""
    deposits: Mapping[int, int] = field(default_factory=dict)
    """Alias → deposit held at admission, fen."""
    book: Mapping[str, Any] = field(default_factory=dict)
    """What the format keeps for itself, plain JSON. May hold what nobody else may see."""
    hand_extensions: int = 0
    outages: int = 0
    """How often the end was moved because the market was out of reach."""
    alias_count: int = 0
    opens_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None
    hard_end: dt.datetime | None = None
    stopped_at: dt.datetime | None = None
    stopped_from: LotState | None = None
    winner: int | None = None
    hammer_fen: int | None = None
    closed_at: dt.datetime | None = None

    @staticmethod
    def draft(lot_id: int, terms: Terms) -> Lot:
        """A lot before its journal begins."""
        return Lot(lot_id, terms, opens_at=terms.opens_at, ends_at=terms.ends_at, hard_end=terms.hard_end)

    def changed(self, changes: Mapping[str, Any]) -> Lot:
        """The lot with some fields changed: `dataclasses.replace` at a fraction of the cost, for every bid."""
        new = object.__new__(Lot)
        fields = vars(new)
        fields.update(vars(self))
        fields.update(changes)
        return new

    def fold(self) -> dict[str, Any]:
        """The state as plain JSON, without the terms; `from_fold` reads it back."""
        return {
            "state": self.state.value,
            "seq": self.seq,
            "last_at": maybe_iso(self.last_at),
            "state_seq": self.state_seq,
            "price_fen": self.price_fen,
            "leader": self.leader,
            "leader_seq": self.leader_seq,
            "bid_count": self.bid_count,
            "bidders": list(self.bidders),
            "admitted": [[alias, rank] for alias, rank in sorted(self.admitted.items())],
            "deposits": [[alias, fen] for alias, fen in sorted(self.deposits.items())],
            "book": dict(self.book),
            "hand_extensions": self.hand_extensions,
            "outages": self.outages,
            "alias_count": self.alias_count,
            "opens_at": maybe_iso(self.opens_at),
            "ends_at": maybe_iso(self.ends_at),
            "hard_end": maybe_iso(self.hard_end),
            "stopped_at": maybe_iso(self.stopped_at),
            "stopped_from": self.stopped_from.value if self.stopped_from else None,
            "winner": self.winner,
            "hammer_fen": self.hammer_fen,
            "closed_at": maybe_iso(self.closed_at),
        }

    @staticmethod
    def from_fold(lot_id: int, terms: Terms, value: Mapping[str, Any]) -> Lot:
        """The state that `fold` wrote; an empty mapping is a draft."""
        if not value:
            return Lot.draft(lot_id, terms)
        return Lot(
            lot_id=lot_id,
            terms=terms,
            state=LotState(value["state"]),
            seq=value["seq"],
            last_at=maybe_instant(value["last_at"]),
            state_seq=value["state_seq"],
            price_fen=value["price_fen"],
            leader=value["leader"],
            leader_seq=value["leader_seq"],
            bid_count=value["bid_count"],
            bidders=tuple(value["bidders"]),
            admitted={row[0]: row[1] for row in value["admitted"]},
            deposits={row[0]: row[1] for row in value.get("deposits", ())},
            book=value.get("book", {}),
            hand_extensions=value.get("hand_extensions", 0),
            outages=value.get("outages", 0),
            alias_count=value["alias_count"],
            opens_at=instant(value["opens_at"]),
            ends_at=instant(value["ends_at"]),
            hard_end=maybe_instant(value["hard_end"]),
            stopped_at=maybe_instant(value["stopped_at"]),
            stopped_from=LotState(value["stopped_from"]) if value["stopped_from"] else None,
            winner=value["winner"],
            hammer_fen=value["hammer_fen"],
            closed_at=maybe_instant(value["closed_at"]),
        )

    def time(self, clock: dt.datetime) -> dt.datetime:
        """The lot's time for a reading of the clock: it never runs backwards."""
        return clock if self.last_at is None else max(self.last_at, clock)

    @property
    def next_due_at(self) -> dt.datetime | None:
        """When the timekeeper must act next, if at all."""
        if self.state is LotState.ANNOUNCED:
            return self.terms.registration_opens_at or self.opens_at
        if self.state is LotState.REGISTRATION:
            return self.opens_at
        if self.state in OPEN and self.ends_at is not None:
            return self.ends_at + self.terms.ingress_margin
        return None
