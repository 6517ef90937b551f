"""Sealed bids (一次报价), checked."""

from __future__ import annotations

from dataclasses import dataclass

from auctions.checker.lot import NO_BID, RESERVE_NOT_MET, SOLD, SOLE_BIDDER, Bid, Format, Outcome
from auctions.checker.reading import is_hash, sha256


@dataclass(frozen=True)
class Opened:
    """An amount that was opened, and the entry of its envelope."""

    alias: int
    amount: int
    seq: int


class Sealed(Format):
    """Envelopes until the end, amounts after it."""

    name = "sealed"
    acts = {"seal": "bidding", "open": "revealing"}
    details = {"seal": frozenset({"commitment"}), "open": frozenset({"nonce", "sealed_seq"})}

    def terms_good(self) -> bool:
        """See `Format`."""
        p = self.lot.terms["params"]
        known = p["pricing"] in ("own", "second") and p["unopened"] in ("void", "forfeit")
        self.envelopes: dict[int, tuple[str, int]] = {}
        self.opened: dict[int, Opened] = {}
        return known and int(p["reveal_s"]) > 0

    def opening(self) -> bool:
        """See `Format`."""
        return bool(self.envelopes)

    def bid(self, bid: Bid) -> None:
        """See `Format`."""
        self.matches(bid, False)
        (self._seal if bid.act == "seal" else self._open)(bid)

    def _seal(self, bid: Bid) -> None:
        commitment = bid.detail.get("commitment")
        if not is_hash(commitment):
            self.lot.wrong("envelope_malformed", f"alias {bid.alias}")
        if bid.amount is not None:
            self.lot.wrong("envelope_malformed", "an amount that anybody can read")
        self.stands(bid, False)
        self.envelopes[bid.alias] = (str(commitment), bid.seq)

    def _open(self, bid: Bid) -> None:
        lot, nonce = self.lot, bid.detail.get("nonce")
        commitment, seq = self.envelopes.get(bid.alias, ("", 0))
        if not commitment:
            lot.wrong("envelope_missing", f"alias {bid.alias}")
        if bid.alias in self.opened:
            lot.wrong("opened_twice", f"alias {bid.alias}")
        if not isinstance(nonce, str) or not 32 <= len(nonce) <= 64 or set(nonce) - set("0123456789abcdef"):
            lot.wrong("opening_differs", "the nonce")
        sealed = sha256(f"{lot.report.lot}:{bid.alias}:{bid.amount}:{nonce}".encode())
        if sealed != commitment or bid.detail.get("sealed_seq") != seq:
            lot.wrong("opening_differs", f"alias {bid.alias}")
        if bid.amount is None:
            return
        if bid.amount < lot.terms["start_fen"]:
            lot.wrong("bid_below_start", f"{bid.amount}")
        if lot.terms["cap_fen"] is not None and bid.amount > lot.terms["cap_fen"]:
            lot.wrong("bid_above_cap", f"{bid.amount}")
        mine = Opened(bid.alias, bid.amount, seq)
        self.stands(bid, all(self._beats(mine, other) for other in self.opened.values()))
        self.opened[bid.alias] = mine

    def _beats(self, one: Opened, other: Opened) -> bool:
        if one.amount != other.amount:
            return one.amount > other.amount
        if self.lot.higher(one.alias, other.alias):
            return True
        return not self.lot.higher(other.alias, one.alias) and one.seq < other.seq

    def outcome(self) -> Outcome:
        """See `Format`."""
        lot, rule = self.lot, self.lot.terms["params"]
        left = sorted(a for a in self.envelopes if a not in self.opened and a in lot.admitted)
        detail = {"unopened": left, "unopened_rule": rule["unopened"]}
        best = None
        for one in self.opened.values():
            if best is None or self._beats(one, best):
                best = one
        if best is None:
            return Outcome(NO_BID, detail=detail)
        if lot.reserve is not None and best.amount < lot.reserve:
            return Outcome(RESERVE_NOT_MET, detail=detail)
        others = [one.amount for one in self.opened.values() if one is not best]
        if not others and lot.terms["sole_bidder"] == "pass_in":
            return Outcome(SOLE_BIDDER, detail=detail)
        pays = best.amount
        if rule["pricing"] == "second":
            pays = max([lot.terms["start_fen"], lot.reserve or 0, *others])
        return Outcome(SOLD, best.alias, pays, detail)
