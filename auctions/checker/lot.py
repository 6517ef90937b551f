"""A lot's life, whatever its format: states, times, who may bid, the outcome.

A format adds what makes a bid good and who has won: a subclass of `Format` in `auctions/checker/formats`.
"""

# ruff: noqa: ARG002  (every handler has one signature, whatever it needs of it)
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from auctions.checker.reading import BROKEN, File, canonical, is_hash, maybe_time, sha256, time, whole

LATE = timedelta(seconds=5)
NOTHING = timedelta(0)
SOLD, NO_BID, RESERVE_NOT_MET, SOLE_BIDDER = "sold", "no_bid", "reserve_not_met", "sole_bidder"
BIDDING = frozenset({"live", "extending"})
OPEN = BIDDING | {"revealing"}
ENDED = frozenset({"sold", "passed_in", "withdrawn", "cancelled", "defaulted"})
OUTCOMES = frozenset({"closed", "withdrawn", "cancelled"})


@dataclass(frozen=True)
class Outcome:
    """How a lot closes."""

    reason: str
    winner: int | None = None
    hammer_fen: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bid:
    """A bid's entry. `following` is the body after it, if any."""

    seq: int
    alias: int
    act: str
    amount: int | None
    received: datetime
    at: datetime
    end: datetime
    standing: bool
    matched: bool
    detail: Mapping[str, Any]
    sealed: bool
    following: Mapping[str, Any] | None


class Format:
    """What a format adds. One object serves one lot."""

    name: ClassVar[str]
    acts: ClassVar[Mapping[str, str]]
    """Act → when: `bidding` or `revealing`."""
    details: ClassVar[Mapping[str, frozenset[str]]] = {}
    """Act → what its `detail` tells, no more and no less; nothing for acts that are not here."""
    secrets: ClassVar[bool] = False
    """Whether bids may seal something."""

    def __init__(self, lot: Lot) -> None:
        self.lot = lot

    def bid(self, bid: Bid) -> None:
        """Check a bid. The lot is as it was before it."""
        raise NotImplementedError

    def end_after(self, bid: Bid) -> datetime:
        """The end in force after a bid."""
        return self.lot.end

    def outcome(self) -> Outcome:
        """What the lot closes with when its time has come."""
        return self.lot.highest_wins()

    def terms_good(self) -> bool:
        """Whether the terms can be those of this format."""
        return True

    def opening(self) -> bool:
        """Whether the end of bidding must be followed by an opening."""
        return False

    def noted(self, kind: str, at: datetime) -> None:
        """Told of every other entry, before its effect."""

    def finish(self) -> None:
        """Check what can only be told from the whole."""

    def stands(self, bid: Bid, expected: bool) -> None:
        """Note a bid that stands where it should not, or the other way."""
        if bid.standing is not expected:
            self.lot.wrong("wrong_standing")

    def matches(self, bid: Bid, expected: bool) -> None:
        """Note a bid that is called a match and is none, or the other way."""
        if bid.matched is not expected:
            self.lot.wrong("false_match")


class Lot:
    """The lot as the entries tell it; what they should not tell is noted in the file's report."""

    def __init__(self, file: File, formats: Mapping[str, type[Format]]) -> None:
        self.file, self.report = file, file.report
        self.terms: dict[str, Any] = {**_VERSION_1, **file.terms}
        self.state = "draft"
        self.seq = 0
        self.at: datetime | None = None
        self.opens, self.end = time(self.terms["opens_at"]), time(self.terms["ends_at"])
        self.hard = maybe_time(self.terms["hard_end"])
        self.price: int | None = None
        self.leader: int | None = None
        self.admitted: dict[int, int | None] = {}
        self.deposits: dict[int, int] = {}
        self.commitments: dict[int, str] = {}
        self.bidders: set[int] = set()
        self.stopped_at: datetime | None = None
        self.stopped_from = ""
        self.hand_extensions = 0
        self.due: tuple[int, Outcome] | None = None
        # Told by the close alone, against its commitment; before, whether a lot would be sold cannot be known.
        closing = next((body for body in file.bodies if body.get("kind") == "closed"), {})
        self.reserve: int | None = closing.get("reserve_fen")
        self.format = formats[self.terms["format"]](self)

    def wrong(self, code: str, detail: str = "", seq: int | None = None) -> None:
        """Note a violation of the present entry."""
        self.file.wrong(code, detail, self.seq if seq is None else seq)

    def must_close(self, outcome: Outcome) -> None:
        """The next entry must close the lot, in the same moment, with this outcome."""
        self.due = (self.seq + 1, outcome)

    def settlement_good(self) -> bool:
        """Whether what the terms say of deposit and settlement can be so."""
        said = self.terms.get("settlement")
        if said is None:
            return int(self.terms["v"]) < 3
        deposit, share = whole(self.terms["deposit_fen"]), said["deposit_share_bp"]
        due = maybe_time(said["deposit_due_at"])
        if share is not None and deposit != -(-whole(self.terms["start_fen"]) * whole(share) // 10_000):
            return False
        if due is not None and (not deposit or due > self.opens):
            return False
        counts = [
            whole(said[name]) for name in ("refund_hours", "confirm_days", "contract_days", "balance_days")
        ]
        ranked = self.format.name == "english" or self.terms["params"].get("pricing") == "own"
        return (
            min(counts) >= 1
            and said["forfeit_rest"] in ("market", "seller", "bidder")
            and (ranked or said["runner_up"] is False)
        )

    def play(self) -> None:
        """Go through the entries."""
        bodies = self.file.bodies
        for place, body in enumerate(bodies):
            self.seq = body["seq"]
            try:
                self._entry(body, bodies[place + 1] if place + 1 < len(bodies) else None)
            except BROKEN as error:
                self.wrong("line_malformed", repr(error))
        if self.due is not None:
            self.wrong("not_closed_at_once", seq=self.due[0])
        self.format.finish()
        self.report.state = self.state
        self._openings()

    def _entry(self, body: dict[str, Any], following: dict[str, Any] | None) -> None:
        kind, at, before = body["kind"], time(body["at"]), self.end
        handler = getattr(self, f"_on_{kind}", None)
        if handler is None:
            self.wrong("line_malformed", f"kind {kind}")
            return
        if self.at is not None and at < self.at:
            self.wrong("time_backwards", f"{at} after {self.at}")
        if self.seq == 1 and kind != "announced":
            self.wrong("no_announcement")
        if self.state in ENDED and kind not in ("defaulted", "announcement"):
            self.wrong("second_outcome" if kind in OUTCOMES else "after_the_end", kind)
        if self.due is not None and (kind != "closed" or at != self.at or self.seq != self.due[0]):
            self.wrong("not_closed_at_once", seq=self.due[0])
            self.due = None
        if kind == "bid_accepted":
            self._bid(body, at, following)
        else:
            self.format.noted(kind, at)
            handler(body, at)
        self.at = at
        if body["state"] != self.state:
            self.wrong("state_mismatch", f"says {body['state']}, is {self.state}")
        if time(body["ends_at"]) != self.end:
            self.wrong("state_mismatch", f"says end {body['ends_at']}, is {self.end}")
        if self.end < before:
            self.wrong("end_moved_back", f"{before} to {self.end}")

    def _need(self, *states: str) -> None:
        if self.state not in states:
            self.wrong("illegal_transition", f"in {self.state}")

    # Rules that formats share

    def step(self, price: int) -> int:
        """The step in force at a price."""
        return [int(row[1]) for row in self.terms["steps"] if row[0] <= price][-1]

    def higher(self, alias: int, other: int | None) -> bool:
        """Whether a bidder has the higher priority of two."""
        mine = self.admitted.get(alias)
        theirs = None if other is None else self.admitted.get(other)
        return mine is not None and (theirs is None or mine < theirs)

    def covered(self, alias: int, amount: int) -> None:
        """Note an amount that the bidder's deposit does not cover."""
        share = self.terms["cover_bp"]
        if share is not None and amount > self.deposits.get(alias, 0) * 10_000 // share:
            self.wrong("deposit_does_not_cover", f"{amount}")

    def soft_end(self, received: datetime) -> datetime:
        """The end after a late bid."""
        if self.end - received > timedelta(seconds=self.terms["window_s"]):
            return self.end
        wanted = received + timedelta(seconds=self.terms["extension_s"])
        return max(self.end, wanted if self.hard is None else min(wanted, self.hard))

    def highest_wins(self, bidders: int | None = None, detail: Mapping[str, Any] | None = None) -> Outcome:
        """The outcome of all formats."""
        nothing = {} if detail is None else detail
        reserve = self.reserve
        if self.leader is None or self.price is None:
            return Outcome(NO_BID, detail=nothing)
        if reserve is not None and self.price < reserve:
            return Outcome(RESERVE_NOT_MET, detail=nothing)
        count = len(self.bidders) if bidders is None else bidders
        if self.terms["sole_bidder"] == "pass_in" and count == 1:
            return Outcome(SOLE_BIDDER, detail=nothing)
        return Outcome(SOLD, self.leader, self.price, nothing)

    # Bids

    def _on_bid_accepted(self, body: dict[str, Any], at: datetime) -> None:
        raise NotImplementedError

    def _bid(self, body: dict[str, Any], at: datetime, following: dict[str, Any] | None) -> None:
        self.report.bids += 1
        amount = body["amount_fen"]
        bid = Bid(
            self.seq,
            whole(body["alias"]),
            body.get("act", "bid"),
            None if amount is None else whole(amount),
            time(body["received_at"]),
            at,
            time(body["ends_at"]),
            body.get("standing", True),
            body["matched"],
            body.get("detail", {}),
            body.get("sealed") is not None,
            following,
        )
        phase = self.format.acts.get(bid.act)
        if phase is None:
            self.wrong("act_unknown", str(bid.act))
            return
        if self.state not in (BIDDING if phase == "bidding" else {"revealing"}):
            self.wrong("bid_while_closed", f"in {self.state}")
        if bid.alias not in self.admitted:
            self.wrong("bid_by_stranger", f"alias {bid.alias}")
        if bid.received > at:
            self.wrong("received_in_future", f"{bid.received} at {at}")
        if bid.received >= self.end:
            self.wrong("bid_after_end", f"received {bid.received}, end {self.end}")
        if bid.amount is not None:
            self.covered(bid.alias, bid.amount)
        elif bid.standing:
            self.wrong("wrong_standing", "without an amount")
        if set(bid.detail) != self.format.details.get(bid.act, frozenset()):
            self.wrong("wrong_detail", ", ".join(bid.detail))
        if bid.sealed and not self.format.secrets:
            self.wrong("secret_out_of_place", bid.act)
        self.format.bid(bid)
        expected = self.format.end_after(bid)
        if bid.end != expected:
            self.wrong("wrong_extension", f"to {bid.end} instead of {expected}")
        if bid.end > self.end:
            self.state = "extending"
        self.end = bid.end
        self.bidders.add(bid.alias)
        if bid.standing and bid.amount is not None:
            self.price, self.leader = bid.amount, bid.alias

    # Everything else

    def _on_announced(self, body: dict[str, Any], at: datetime) -> None:
        self._need("draft")
        if body["terms_hash"] != sha256(canonical(self.file.terms)):
            self.wrong("terms_hash", "the announcement names other terms")
        self.state = "announced"

    def _on_registration_opened(self, body: dict[str, Any], at: datetime) -> None:
        self._need("announced")
        self.state = "registration"

    def _on_bidder_admitted(self, body: dict[str, Any], at: datetime) -> None:
        self._need("registration", "live", "extending", "paused", "suspended")
        alias = body["alias"]
        if alias in self.admitted or alias < 1 or not is_hash(body["commitment"]):
            self.wrong("bad_admission", f"alias {alias}")
        if alias in self.commitments:
            if self.commitments[alias] != body["commitment"]:
                self.wrong("bad_admission", f"alias {alias} changed hands")
        elif alias != len(self.commitments) + 1:
            self.wrong("bad_admission", f"alias {alias} out of order")
        if whole(body["deposit_fen"]) < self.terms["deposit_fen"]:
            self.wrong("deposit_short", f"alias {alias}")
        self.admitted[alias] = body["priority"]
        self.deposits[alias] = body["deposit_fen"]
        self.commitments[alias] = body["commitment"]

    def _on_admission_revoked(self, body: dict[str, Any], at: datetime) -> None:
        if self.admitted.pop(body["alias"], -1) == -1 or body["alias"] == self.leader:
            self.wrong("bad_admission", f"alias {body['alias']} revoked")

    def _on_opened(self, body: dict[str, Any], at: datetime) -> None:
        self._need("registration")
        late = at - self.opens
        if late < NOTHING:
            self.wrong("illegal_transition", "opened early")
        self._shift(body, late if late > LATE else NOTHING)
        self.opens = at
        self.state = "live"

    def _shift(self, body: dict[str, Any], shift: timedelta) -> None:
        end, hard = time(body["ends_at"]), maybe_time(body["hard_end"])
        if end != self.end + shift or hard != (None if self.hard is None else self.hard + shift):
            self.wrong("wrong_shift", f"by {end - self.end} instead of {shift}")
        self.end, self.hard = end, hard

    def _on_opening_began(self, body: dict[str, Any], at: datetime) -> None:
        self._need(*BIDDING)
        self._due(at)
        if not self.format.opening():
            self.wrong("illegal_transition", "nothing to open")
        end, wanted = time(body["ends_at"]), at + timedelta(seconds=self.terms["params"].get("reveal_s", 0))
        if end != wanted:
            self.wrong("wrong_extension", f"to {end} instead of {wanted}")
        self.end, self.state = end, "revealing"

    def _on_paused(self, body: dict[str, Any], at: datetime) -> None:
        self._need(*OPEN)
        self.stopped_at, self.stopped_from, self.state = at, self.state, "paused"

    def _on_suspended(self, body: dict[str, Any], at: datetime) -> None:
        self._need("announced", "registration", "paused", *OPEN)
        if self.state != "paused":
            self.stopped_at, self.stopped_from = at, self.state
        self.state = "suspended"

    def _on_resumed(self, body: dict[str, Any], at: datetime) -> None:
        self._need("paused", "suspended")
        stopped_at = self.stopped_at or at
        opens = time(body["opens_at"])
        if self.stopped_from in OPEN:
            self._shift(body, at - stopped_at)
            if opens != self.opens:
                self.wrong("wrong_shift", "the opening moved")
        else:
            shift = max(NOTHING, at - self.opens)
            self._shift(body, shift)
            if opens != self.opens + shift:
                self.wrong("wrong_shift", "the opening moved wrongly")
            self.opens = opens
        self.state = self.stopped_from or self.state
        self.stopped_at, self.stopped_from = None, ""

    def _extended(self, body: dict[str, Any], end: datetime, hard: datetime | None) -> None:
        says = time(body["ends_at"]), maybe_time(body["hard_end"])
        if says != (end, hard):
            self.wrong("wrong_extension", f"to {says[0]}, {says[1]} instead of {end}, {hard}")
        self.end, self.hard = says
        if self.state in BIDDING:
            self.state = "extending"

    def _on_outage_extended(self, body: dict[str, Any], at: datetime) -> None:
        self._need(*OPEN)
        if at <= self._latest_close:
            self.wrong("wrong_extension", "there was no outage")
        end = at + timedelta(seconds=self.terms["outage_extension_s"])
        self._extended(body, end, None if self.hard is None else max(self.hard, end))

    def _on_extended_by_hand(self, body: dict[str, Any], at: datetime) -> None:
        self._need(*BIDDING)
        self.hand_extensions += 1
        if self.hand_extensions > self.terms["hand_extensions"] or at >= self.end or not body["reason"]:
            self.wrong("extension_not_allowed", f"the {self.hand_extensions}. by hand")
        more = timedelta(seconds=self.terms["hand_extension_s"])
        self._extended(body, self.end + more, None if self.hard is None else self.hard + more)

    def _on_extended_together(self, body: dict[str, Any], at: datetime) -> None:
        self._need(*BIDDING)
        end = time(body["ends_at"])
        if not self.terms["ends_together"] or end <= self.end or body["with_lot"] == self.report.lot:
            self.wrong("extension_not_allowed", f"with lot {body['with_lot']} to {end}")
        self._extended(body, end, None if self.hard is None else max(self.hard, end))

    def _on_announcement(self, body: dict[str, Any], at: datetime) -> None:
        if self.state == "draft":
            self.wrong("illegal_transition", "announcement before publication")

    @property
    def _earliest_close(self) -> datetime:
        return self.end + timedelta(milliseconds=self.terms["ingress_margin_ms"])

    @property
    def _latest_close(self) -> datetime:
        return self._earliest_close + timedelta(seconds=self.terms["outage_grace_s"])

    def _due(self, at: datetime) -> None:
        if at < self._earliest_close:
            self.wrong("closed_early", f"{at}, end {self.end}")
        if at > self._latest_close:
            self.wrong("closed_late", f"{at}, end {self.end}")

    def _on_closed(self, body: dict[str, Any], at: datetime) -> None:
        self._need(*OPEN)
        reserve = body["reserve_fen"]
        promised = self.terms["reserve_commitment"]
        opened = None if reserve is None else sha256(f"{body['reserve_nonce']}:{reserve}".encode())
        if opened != promised:
            self.wrong("reserve_opening")
        if self.due is not None:
            outcome, self.due = self.due[1], None
        else:
            self._due(at)
            if self.state in BIDDING and self.format.opening():
                self.wrong("opening_skipped")
            outcome = self.format.outcome()
        says = (body["reason"], body["winner"], body["hammer_fen"], body.get("detail", {}))
        if says != (outcome.reason, outcome.winner, outcome.hammer_fen, outcome.detail):
            self.wrong("wrong_outcome", f"computed {outcome}")
        self.report.winner, self.report.hammer_fen = outcome.winner, outcome.hammer_fen
        self.report.reason = outcome.reason
        self.state = "passed_in" if outcome.winner is None else "sold"

    def _on_withdrawn(self, body: dict[str, Any], at: datetime) -> None:
        if self.report.bids or self.state == "draft":
            self.wrong("illegal_transition", "withdrawn after a bid")
        self.state = "withdrawn"

    def _on_cancelled(self, body: dict[str, Any], at: datetime) -> None:
        if self.state == "draft":
            self.wrong("illegal_transition", "cancelled before publication")
        self.state = "cancelled"

    def _on_defaulted(self, body: dict[str, Any], at: datetime) -> None:
        if self.state != "sold":
            self.wrong("wrong_default", f"in {self.state}")
        self.state = "defaulted"

    # Who was behind the aliases

    def _openings(self) -> None:
        parties: dict[int, int] = {}
        barred = {
            self.terms["seller_organisation_id"],
            self.terms["organiser_organisation_id"],
            *self.terms["barred_organisation_ids"],
        }
        for opening in self.file.openings:
            try:
                alias, organisation = opening["alias"], opening["organisation_id"]
                party = f"{organisation}:{opening['person_id']}"
                if sha256(f"{opening['nonce']}:{party}".encode()) != self.commitments.get(alias):
                    self.wrong("opened_identity", f"alias {alias}", 0)
                if organisation in barred:
                    self.wrong("barred_bidder", f"alias {alias}", 0)
                if parties.setdefault(organisation, alias) != alias:
                    self.wrong("one_party_twice", f"alias {alias}", 0)
            except BROKEN as error:
                self.wrong("line_malformed", repr(error), 0)


_VERSION_1: dict[str, Any] = {
    "params": {},
    "cap_rule": "lead",
    "maxima": False,
    "cover_bp": None,
    "hand_extension_s": 0,
    "hand_extensions": 0,
    "ends_together": False,
}
"""What terms of version 1 leave unsaid."""


def table_good(steps: Any) -> bool:
    """Whether a step table can be one."""
    floors = [row[0] for row in steps]
    return floors[:1] == [0] and floors == sorted(set(floors)) and all(whole(row[1]) > 0 for row in steps)
