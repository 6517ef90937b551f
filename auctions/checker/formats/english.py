"""English auction (多次报价), checked, maxima too.

A maximum that the file opens is known; of another the entries tell bounds, which must not contradict each
other: an answer below what the rules would otherwise ask gives the maximum itself away.
"""

# ruff: noqa: ARG002  (every format has the methods of `Format`)
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from auctions.checker.lot import SOLD, Bid, Format, Outcome


@dataclass
class Maximum:
    """What is known of a maximum: from `low` to `high`, both possible; `high` None for no bound."""

    seq: int
    alias: int
    low: int
    high: int | None = None

    @property
    def known(self) -> int | None:
        """The maximum, where there is only one possible."""
        return self.low if self.low == self.high else None


class English(Format):
    """Ascending bids by whole steps; a leader's maximum answers."""

    name = "english"
    acts = {"bid": "bidding", "maximum": "bidding", "auto": "bidding"}
    secrets = True

    def terms_good(self) -> bool:
        """See `Format`."""
        self.maximum: Maximum | None = None
        self.maxima: list[Maximum] = []
        self.best: dict[int, int] = {}
        self.answer: tuple[int, int, int, datetime] | None = None
        return True

    # The worth of who leads

    def _opened(self, seq: int, alias: int, low: int) -> Maximum:
        """The maximum that an entry sealed, at least `low` by what the rules ask of it."""
        secret = self.lot.file.secrets.get(seq)
        value = None if secret is None else secret["maximum_fen"]
        found = Maximum(seq, alias, low if value is None else value, value)
        self.maxima.append(found)
        if value is not None:
            self.best[alias] = max(value, self.best.get(alias, 0))
            self.lot.covered(alias, value)
            self._under_the_cap(value)
        return found

    def _at_least(self, low: int) -> None:
        self._bound(low, None)

    def _at_most(self, high: int) -> None:
        self._bound(0, high)

    def _exactly(self, value: int) -> None:
        self._bound(value, value)

    def _bound(self, low: int, high: int | None) -> None:
        """Learn of the leader's worth; where the leader has no maximum it is the standing price."""
        price = self.lot.price or 0
        held = self.maximum
        if held is None:
            if low > price or (high is not None and high < price):
                self.lot.wrong("wrong_answer", "there is no maximum")
            return
        low, high = max(low, held.low), held.high if high is None else min(high, held.high or high)
        if high is not None and low > high:
            self.lot.wrong("maximum_contradicted", f"of seq {held.seq}")
            return
        held.low, held.high = low, high

    def _worth(self) -> int | None:
        """The leader's worth, where it is known."""
        price = self.lot.price or 0
        if self.maximum is None:
            return price
        if self.maximum.high is not None and self.maximum.high <= price:
            return price
        return self.maximum.known

    # Bids

    def bid(self, bid: Bid) -> None:
        """See `Format`."""
        lot = self.lot
        answer, self.answer = self.answer, None
        if bid.act == "auto":
            self._auto(bid, answer)
        elif answer is not None:
            lot.wrong("answer_missing", seq=answer[0])
        if bid.sealed and bid.act != "maximum":
            lot.wrong("secret_out_of_place", bid.act)
        if bid.act == "auto":
            pass
        elif bid.act == "maximum" and not lot.terms["maxima"]:
            lot.wrong("maxima_not_taken")
        elif bid.act == "maximum" and bid.alias == lot.leader:
            self._raise(bid)
        else:
            self._place(bid)
        if bid.amount is not None:
            self._under_the_cap(bid.amount)
            self.best[bid.alias] = max(bid.amount, self.best.get(bid.alias, 0))
            if bid.standing and self.answer is None:
                self._cap(bid)

    def _place(self, bid: Bid) -> None:
        lot, amount = self.lot, bid.amount
        self.stands(bid, True)
        if amount is None:
            lot.wrong("bid_below_start", "no amount")
            return
        if bid.alias == lot.leader:
            lot.wrong("bid_by_leader", f"alias {bid.alias}")
        if bid.sealed:
            self._leads_by_maximum(bid, amount)
            return
        match = self._amount(bid, amount)
        after = bid.following or {}
        answered = after.get("kind") == "bid_accepted" and after.get("act") == "auto"
        if lot.leader is None:
            if bid.act == "maximum":
                lot.wrong("secret_missing", "it leads")
            self.matches(bid, False)
            self.maximum = None
            return
        worth = self._worth()
        over = lot.higher(bid.alias, lot.leader)
        if worth is not None:
            must = worth > amount or (worth == amount and not over)
            if must != answered:
                lot.wrong("answer_missing" if must else "wrong_answer", f"worth {worth}, bid {amount}")
        if answered:
            # The worth is as high as the bid at least; the answer itself is judged when it comes.
            self._at_least(amount if not over else amount + 1)
            self.matches(bid, match)
            self.answer = (bid.seq + 1, lot.leader, amount, bid.received)
            return
        if bid.act == "maximum":
            lot.wrong("secret_missing", "it leads")
        equal = bid.matched and over
        self._at_most(amount if equal else amount - 1)
        self.matches(bid, amount == worth if worth is not None else equal)
        self.maximum = None

    def _leads_by_maximum(self, bid: Bid, shown: int) -> None:
        """The entry of a maximum that leads: what it shows follows from both worths."""
        lot, price = self.lot, self.lot.price
        if price is None or lot.leader is None:
            mine = self._opened(bid.seq, bid.alias, shown)
            if shown != lot.terms["start_fen"]:
                lot.wrong("bid_too_low" if shown < lot.terms["start_fen"] else "wrong_price", f"{shown}")
            self._on_step(mine.known, lot.terms["start_fen"], 0)
            self.matches(bid, False)
            self.maximum = mine
            return
        least = price + lot.step(price)
        over = lot.higher(bid.alias, lot.leader)
        mine = self._opened(bid.seq, bid.alias, shown)
        worth, value = self._worth(), mine.known
        if bid.matched:
            # By priority it equals what it meets.
            if not over:
                lot.wrong("bid_too_low", "equals without a right to")
            self._exactly(shown)
            if value is not None and value != shown:
                lot.wrong("wrong_price", f"{shown} for {value}")
            mine.low = mine.high = shown
            if shown != price:
                self._on_step(shown, price, 1)
        else:
            self._on_step(value, price, 1)
            most = None if worth is None else max(least, worth + lot.step(worth))
            if shown < least:
                lot.wrong("bid_too_low", f"{shown} < {least}")
            elif value is not None and worth is not None and value <= worth:
                lot.wrong("false_match" if value == worth and over else "wrong_leader", f"{value}, {worth}")
            elif value is not None and most is not None and shown != max(least, min(value, most)):
                lot.wrong("wrong_price", f"{shown} of {value} over {worth}")
            elif most is not None and shown > most:
                lot.wrong("wrong_price", f"{shown} over {worth}")
            elif most is not None and shown < most:
                mine.high = shown
            self._at_most(max(price, shown - 1))
        self.maximum = mine

    def _raise(self, bid: Bid) -> None:
        lot, price = self.lot, self.lot.price or 0
        self.stands(bid, False)
        self.matches(bid, False)
        if bid.amount is not None:
            lot.wrong("wrong_price", "raising a maximum has no amount")
        if not bid.sealed:
            lot.wrong("secret_missing", "a raised maximum")
            return
        low = price if self.maximum is None else max(price, self.maximum.low)
        raised = self._opened(bid.seq, bid.alias, low + 1)
        if raised.known is not None:
            if raised.known <= low:
                lot.wrong("maximum_contradicted", "not raised")
            self._on_step(raised.known, price, 1)
            self._at_most(raised.known - 1)
        self.maximum = raised

    def _auto(self, bid: Bid, answer: tuple[int, int, int, datetime] | None) -> None:
        lot, amount = self.lot, bid.amount
        self.stands(bid, True)
        if answer is None or (bid.seq, bid.alias, bid.received) != (answer[0], answer[1], answer[3]):
            lot.wrong("answer_out_of_place", f"alias {bid.alias}")
            return
        if bid.at != lot.at:
            lot.wrong("answer_out_of_place", "in another moment")
        beaten = answer[2]
        most = beaten + lot.step(beaten)
        if amount is None or not beaten <= amount <= most:
            lot.wrong("wrong_answer", f"{amount} to {beaten}")
            return
        self._bound(amount, None if amount == most else amount)
        worth = self._worth()
        if worth is not None and amount != min(worth, most):
            lot.wrong("wrong_answer", f"{amount} of {worth} to {beaten}")
        self.matches(bid, amount == beaten)

    # Amounts

    def _amount(self, bid: Bid, amount: int) -> bool:
        """Check an amount that is told; whether it is a match of the standing price."""
        lot, most = self.lot, self.lot.terms["max_steps"]
        if lot.price is not None and amount == lot.price:
            if not lot.higher(bid.alias, lot.leader):
                lot.wrong("bid_too_low", "equals the price without a right to")
            return True
        standing = lot.terms["start_fen"] if lot.price is None else lot.price
        self._on_step(amount, standing, 0 if lot.price is None else 1)
        if bid.act == "bid" and most is not None and amount - standing > most * lot.step(standing):
            lot.wrong("bid_too_far")
        return False

    def _on_step(self, amount: int | None, standing: int, least: int) -> None:
        if amount is None:
            return
        lot, step = self.lot, self.lot.step(standing)
        if amount < standing + least * step:
            code = "bid_below_start" if lot.price is None else "bid_too_low"
            lot.wrong(code, f"{amount} < {standing} + {least * step}")
        if (amount - standing) % step:
            lot.wrong("bid_off_step", f"{amount} - {standing} by {step}")

    def _under_the_cap(self, amount: int) -> None:
        cap = self.lot.terms["cap_fen"]
        if cap is not None and amount > cap:
            self.lot.wrong("bid_above_cap", f"{amount}")

    def _cap(self, bid: Bid) -> None:
        lot = self.lot
        if lot.terms["cap_rule"] != "close" or bid.amount != lot.terms["cap_fen"]:
            return
        if lot.terms["sole_bidder"] == "pass_in" and not lot.bidders - {bid.alias}:
            return
        lot.must_close(Outcome(SOLD, bid.alias, bid.amount))

    def end_after(self, bid: Bid) -> datetime:
        """See `Format`."""
        if bid.act == "auto" or (bid.act == "maximum" and not bid.standing):
            return self.lot.end
        return self.lot.soft_end(bid.received)

    def noted(self, kind: str, at: datetime) -> None:
        """See `Format`."""
        if self.answer is not None:
            self.lot.wrong("answer_missing", seq=self.answer[0])
            self.answer = None

    def finish(self) -> None:
        """What is open after the end: everything that the last leader would not still have paid."""
        lot = self.lot
        if self.answer is not None:
            lot.wrong("answer_missing", seq=self.answer[0])
        if lot.state not in ("sold", "passed_in", "withdrawn", "cancelled", "defaulted"):
            return
        for one in self.maxima:
            if one.seq in lot.file.secrets:
                continue
            if one.alias != lot.leader or (one.high is not None and one.high <= (lot.price or 0)):
                lot.wrong("secret_missing", f"alias {one.alias}", one.seq)
        worth = max(lot.price or 0, self.best.get(lot.leader or 0, 0))
        held = any(one.alias == lot.leader and one.seq not in lot.file.secrets for one in self.maxima)
        beaten = [alias for alias, best in self.best.items() if alias != lot.leader and best > worth]
        if beaten and not held:
            lot.wrong("wrong_leader", f"alias {beaten[0]}", 0)
