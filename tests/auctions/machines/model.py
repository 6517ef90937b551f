"""What a lot shows, computed by a second hand: plain Python from the text, without the engine's code.

A model answers a command with what must be written, as (kind, fields) pairs, or None for a refusal.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from auctions.rules import commands as c
from auctions.rules.terms import Terms

Written = tuple[str, dict[str, Any]]
Taken = list[Written] | None

S = dt.timedelta(seconds=1)
MS = dt.timedelta(milliseconds=1)
US = dt.timedelta(microseconds=1)
BIDDING = ("live", "extending")
OPEN = (*BIDDING, "revealing")
STOPPED = ("paused", "suspended")
ENDED = ("sold", "passed_in", "withdrawn", "cancelled", "defaulted")


class Model:
    """A lot from its opening on."""

    def __init__(self, terms: Terms, admitted: dict[int, int | None], deposits: dict[int, int]) -> None:
        self.terms = terms
        self.state = "registration"
        self.opens, self.end, self.hard = terms.opens_at, terms.ends_at, terms.hard_end
        self.admitted, self.deposits = dict(admitted), dict(deposits)
        self.aliases = dict(admitted)
        self.price: int | None = None
        self.leader: int | None = None
        self.count = self.by_hand = 0
        self.bidders: list[int] = []
        self.stopped_at = self.opens
        self.stopped_from = ""
        self.winner: int | None = None
        self.hammer: int | None = None

    def shows(self) -> tuple[Any, ...]:
        """What must be equal in model and lot after every command."""
        return (
            self.state, self.price, self.leader, self.count, self.opens, self.end, self.hard, self.winner,
            self.hammer, sorted(self.admitted),
        )  # fmt: skip

    def apply(self, command: c.Command, now: dt.datetime) -> Taken:
        """What a command must come to."""
        handler = getattr(self, f"on_{type(command).__name__.lower()}")
        taken: Taken = handler(command, now)
        return taken

    # Bids

    def on_placebid(self, bid: c.PlaceBid, now: dt.datetime) -> Taken:
        received = min(bid.received_at, now)
        if bid.alias not in self.admitted or self.state not in OPEN or received >= self.end:
            return None
        return self.judge(bid, bid.alias, received, now)

    def judge(self, bid: c.PlaceBid, alias: int, received: dt.datetime, now: dt.datetime) -> Taken:
        """A bid of an admitted bidder while the lot is open, before its end."""
        raise NotImplementedError

    def accepted(
        self,
        alias: int,
        act: str,
        amount: int | None,
        received: dt.datetime,
        *,
        standing: bool = True,
        matched: bool = False,
        end: dt.datetime | None = None,
        detail: dict[str, Any] | None = None,
    ) -> Written:
        """A bid's entry, with its effect."""
        self.count += 1
        if alias not in self.bidders:
            self.bidders.append(alias)
        if end is not None and end > self.end:
            self.state, self.end = "extending", end
        if standing:
            self.price, self.leader = amount, alias
        return "bid_accepted", {
            "alias": alias,
            "act": act,
            "amount_fen": amount,
            "received_at": received,
            "standing": standing,
            "matched": matched,
            "ends_at": self.end,
            "detail": detail or {},
        }

    def soft(self, received: dt.datetime) -> dt.datetime:
        """The end after a late bid."""
        if (self.end - received).total_seconds() > self.terms.window_s:
            return self.end
        wanted = received + self.terms.extension_s * S
        if self.hard is not None:
            wanted = min(wanted, self.hard)
        return max(self.end, wanted)

    # The end

    def on_close(self, command: c.Close, now: dt.datetime) -> Taken:
        due = self.end + self.terms.ingress_margin_ms * MS
        if self.state not in OPEN or now < due:
            return None
        if now > due + self.terms.outage_grace_s * S:
            return self.extended("outage_extended", now + self.terms.outage_extension_s * S, None)
        until = command.together_until
        if self.terms.ends_together and until is not None and until > self.end:
            return self.extended("extended_together", until, None)
        return self.ending(now)

    def ending(self, now: dt.datetime) -> Taken:
        """What the due close comes to."""
        return [self.closed()]

    def closed(self) -> Written:
        """The outcome of most formats."""
        detail = self.sold_detail()
        if self.price is None:
            return self.closes("no_bid")
        if self.terms.reserve_fen is not None and self.price < self.terms.reserve_fen:
            return self.closes("reserve_not_met")
        if self.terms.sole_bidder == "pass_in" and len(self.bidders) == 1:
            return self.closes("sole_bidder")
        return self.closes("sold", self.leader, self.price, detail)

    def sold_detail(self) -> dict[str, Any]:
        return {}

    def closes(
        self,
        reason: str,
        winner: int | None = None,
        hammer: int | None = None,
        detail: dict[str, Any] | None = None,
    ) -> Written:
        self.state = "passed_in" if winner is None else "sold"
        self.winner, self.hammer = winner, hammer
        return "closed", {
            "reason": reason,
            "winner": winner,
            "hammer_fen": hammer,
            "detail": detail or {},
            "reserve_fen": self.terms.reserve_fen,
        }

    def extended(self, kind: str, end: dt.datetime, hard: dt.datetime | None) -> Taken:
        self.end = end
        if self.hard is not None:
            self.hard = max(self.hard, end) if hard is None else hard
        if self.state != "revealing":
            self.state = "extending"
        return [(kind, {"ends_at": end, "hard_end": self.hard})]

    def on_extend(self, command: c.Extend, now: dt.datetime) -> Taken:
        allowed = self.by_hand < self.terms.hand_extensions and now < self.end
        if self.state not in BIDDING or not allowed or not command.reason:
            return None
        self.by_hand += 1
        more = self.terms.hand_extension_s * S
        return self.extended("extended_by_hand", self.end + more, self.hard and self.hard + more)

    def on_extendtogether(self, command: c.ExtendTogether, now: dt.datetime) -> Taken:
        if self.state not in BIDDING or not self.terms.ends_together or command.ends_at <= self.end:
            return None
        return self.extended("extended_together", command.ends_at, None)

    # Everything else

    def on_open(self, command: c.Open, now: dt.datetime) -> Taken:
        late = now - self.opens
        if self.state != "registration" or late < 0 * S:
            return None
        if late > 5 * S:
            self.end += late
            self.hard = self.hard and self.hard + late
        self.opens, self.state = now, "live"
        return [("opened", {"ends_at": self.end, "hard_end": self.hard})]

    def on_pause(self, command: c.Pause, now: dt.datetime) -> Taken:
        return self.stops("paused", now) if self.state in OPEN else None

    def on_suspend(self, command: c.Suspend, now: dt.datetime) -> Taken:
        if self.state == "paused":
            self.state = "suspended"
            return [("suspended", {})]
        return self.stops("suspended", now) if self.state in OPEN else None

    def stops(self, kind: str, now: dt.datetime) -> Taken:
        self.stopped_at, self.stopped_from, self.state = now, self.state, kind
        return [(kind, {})]

    def on_resume(self, command: c.Resume, now: dt.datetime) -> Taken:
        if self.state not in STOPPED:
            return None
        stood = now - self.stopped_at
        self.state, self.end = self.stopped_from, self.end + stood
        self.hard = self.hard and self.hard + stood
        return [("resumed", {"opens_at": self.opens, "ends_at": self.end, "hard_end": self.hard})]

    def on_admit(self, command: c.Admit, now: dt.datetime) -> Taken:
        alias = command.alias
        if alias is None or alias in self.admitted or self.state not in (*BIDDING, *STOPPED):
            return None
        self.admitted[alias], self.deposits[alias] = command.priority, command.deposit_fen
        return [("bidder_admitted", {"alias": alias, "deposit_fen": command.deposit_fen})]

    def on_revokeadmission(self, command: c.RevokeAdmission, now: dt.datetime) -> Taken:
        if self.state in ENDED or command.alias not in self.admitted or command.alias == self.leader:
            return None
        del self.admitted[command.alias]
        return [("admission_revoked", {"alias": command.alias})]

    def on_announce(self, command: c.Announce, now: dt.datetime) -> Taken:
        return [("announcement", {"text": command.text})]

    def on_withdraw(self, command: c.Withdraw, now: dt.datetime) -> Taken:
        if self.state in ENDED or self.count:
            return None
        self.state = "withdrawn"
        return [("withdrawn", {})]

    def on_cancel(self, command: c.Cancel, now: dt.datetime) -> Taken:
        if self.state in ENDED:
            return None
        self.state = "cancelled"
        return [("cancelled", {})]

    def on_recorddefault(self, command: c.RecordDefault, now: dt.datetime) -> Taken:
        if self.state != "sold":
            return None
        self.state = "defaulted"
        return [("defaulted", {})]

    def higher(self, alias: int, other: int | None) -> bool:
        """Whether a bidder has the higher priority of two."""
        mine, theirs = self.admitted.get(alias), self.admitted.get(other or 0)
        return mine is not None and (theirs is None or mine < theirs)
