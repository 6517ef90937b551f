"""An independent checker of exported journals.

It reads nothing but the lines that `market lot export` writes, and shares no code with the engine: the
rules are written here a second time, from their text, so that one mistake cannot hide in both. Anyone
may run it: `python -m auctions.verify journal.jsonl`. Only the standard library is needed.

What is checked, by code:
  line_malformed, no_terms, terms_hash            the file itself; the terms are those that were hashed
  seq_gap, broken_chain, body_mismatch            1. numbering and the hash chain over the stored bytes
  time_backwards, illegal_transition, no_announcement, after_the_end, state_mismatch
  bid_below_start, bid_too_low, bid_off_step, bid_above_cap, bid_too_far, bid_by_leader, false_match
                                                  2. amounts
  bid_by_stranger, bad_admission, deposit_short, opened_identity, barred_bidder, one_party_twice
                                                  3. who may bid
  bid_while_closed, bid_after_end, received_in_future, wrong_extension, end_moved_back, wrong_shift
                                                  4. when
  closed_early, wrong_outcome, reserve_opening, second_outcome, wrong_default   5. the outcome
  receipt_missing                                 6. receipts given beside the journal
"""

# ruff: noqa: ARG002  (every handler has one signature, whatever it needs of it)
from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

LATE = timedelta(seconds=5)


@dataclass(frozen=True)
class Violation:
    """A rule that the journal breaks; `seq` is 0 for the file as a whole."""

    seq: int
    code: str
    detail: str = ""

    def __str__(self) -> str:
        return f"seq {self.seq}: {self.code}" + (f" ({self.detail})" if self.detail else "")


@dataclass
class Report:
    """What the checker found. `outcome` is what the bids lead to, computed here."""

    lot: int | None = None
    entries: int = 0
    bids: int = 0
    head_hash: str = ""
    state: str = "draft"
    winner: int | None = None
    hammer_fen: int | None = None
    reason: str | None = None
    violations: list[Violation] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.violations

    @property
    def outcome(self) -> dict[str, Any]:
        """What the bids lead to, as computed here."""
        return {
            "lot": self.lot,
            "state": self.state,
            "winner": self.winner,
            "hammer_fen": self.hammer_fen,
            "reason": self.reason,
        }


def verify_lines(lines: Iterable[str], receipts: Iterable[Mapping[str, Any]] = ()) -> Report:
    """Check an exported journal; `receipts` are contents of accepted bids' receipts that must be in it."""
    checker = _Checker()
    for number, line in enumerate(lines, 1):
        if line.strip():
            checker.line(number, line)
    checker.finish(list(receipts))
    return checker.report


def _time(text: Any) -> datetime:
    if not isinstance(text, str) or not text.endswith("Z"):
        raise ValueError("not an instant in UTC")
    return datetime.fromisoformat(text[:-1]).replace(tzinfo=UTC)


def _maybe_time(text: Any) -> datetime | None:
    return None if text is None else _time(text)


class _Checker:
    def __init__(self) -> None:
        self.report = Report()
        self.terms: dict[str, Any] = {}
        self.state = "draft"
        self.seq = 0
        self.hash = ""
        self.at: datetime | None = None
        self.opens = self.end = datetime.min.replace(tzinfo=UTC)
        self.hard: datetime | None = None
        self.price: int | None = None
        self.leader: int | None = None
        self.admitted: dict[int, int | None] = {}
        self.commitments: dict[int, str] = {}
        self.bidders: set[int] = set()
        self.stopped_at: datetime | None = None
        self.stopped_from = ""
        self.closed = False
        self.hashes: dict[int, str] = {}
        self.parties: dict[str, int] = {}

    def wrong(self, code: str, detail: str = "", seq: int | None = None) -> None:
        self.report.violations.append(Violation(self.seq if seq is None else seq, code, detail))

    def line(self, number: int, line: str) -> None:
        try:
            value = json.loads(line)
            kind = value["type"]
            if kind == "terms":
                self._terms(value)
            elif kind == "entry":
                self._entry(value)
            elif kind == "opening":
                self._opening(value)
            else:
                self.wrong("line_malformed", f"line {number}: {kind}")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.wrong("line_malformed", f"line {number}: {error!r}")

    def _terms(self, value: Mapping[str, Any]) -> None:
        if self.terms:
            self.wrong("line_malformed", "terms twice")
            return
        computed = hashlib.sha256(value["terms"].encode()).hexdigest()
        if computed != value["terms_hash"]:
            self.wrong("terms_hash", f"computed {computed}")
        self.terms = json.loads(value["terms"])
        self.hash = computed
        self.report.lot = value["lot"]
        self.opens, self.end = _time(self.terms["opens_at"]), _time(self.terms["ends_at"])
        self.hard = _maybe_time(self.terms["hard_end"])

    def _entry(self, value: Mapping[str, Any]) -> None:
        if not self.terms:
            self.wrong("no_terms")
            raise ValueError("an entry before the terms")
        if value["seq"] != self.seq + 1:
            self.wrong("seq_gap", f"{value['seq']} after {self.seq}", value["seq"])
        self.seq = value["seq"]
        computed = hashlib.sha256(bytes.fromhex(self.hash) + value["body"].encode()).hexdigest()
        if value["prev_hash"] != self.hash or value["hash"] != computed:
            self.wrong("broken_chain", f"computed {computed}")
        self.hash = value["hash"]
        self.hashes[self.seq] = value["hash"]
        body = json.loads(value["body"])
        if body["seq"] != value["seq"] or body["lot"] != self.report.lot:
            self.wrong("body_mismatch")
        self.report.entries += 1
        at = _time(body["at"])
        if self.at is not None and at < self.at:
            self.wrong("time_backwards", f"{at} after {self.at}")
        before = self.end
        handler = getattr(self, f"_on_{body['kind']}", None)
        if handler is None:
            self.wrong("line_malformed", f"kind {body['kind']}")
            return
        if self.seq == 1 and body["kind"] != "announced":
            self.wrong("no_announcement")
        if self.state in _ENDED and body["kind"] not in ("defaulted", "announcement"):
            self.wrong("second_outcome" if body["kind"] in _OUTCOMES else "after_the_end", body["kind"])
        handler(body, at)
        self.at = at
        if body["state"] != self.state:
            self.wrong("state_mismatch", f"says {body['state']}, is {self.state}")
        if _time(body["ends_at"]) != self.end:
            self.wrong("state_mismatch", f"says end {body['ends_at']}, is {self.end}")
        if self.end < before:
            self.wrong("end_moved_back", f"{before} to {self.end}")

    def _need(self, *states: str) -> None:
        if self.state not in states:
            self.wrong("illegal_transition", f"in {self.state}")

    # What may happen

    def _on_announced(self, body: dict[str, Any], at: datetime) -> None:
        self._need("draft")
        if body["terms_hash"] != hashlib.sha256(_canonical(self.terms)).hexdigest():
            self.wrong("terms_hash", "the announcement names other terms")
        self.state = "announced"

    def _on_registration_opened(self, body: dict[str, Any], at: datetime) -> None:
        self._need("announced")
        self.state = "registration"

    def _on_bidder_admitted(self, body: dict[str, Any], at: datetime) -> None:
        self._need("registration", "live", "extending", "paused", "suspended")
        alias = body["alias"]
        if alias in self.admitted or alias < 1 or not _is_hash(body["commitment"]):
            self.wrong("bad_admission", f"alias {alias}")
        if alias in self.commitments:
            if self.commitments[alias] != body["commitment"]:
                self.wrong("bad_admission", f"alias {alias} changed hands")
        elif alias != len(self.commitments) + 1:
            self.wrong("bad_admission", f"alias {alias} out of order")
        if body["deposit_fen"] < self.terms["deposit_fen"]:
            self.wrong("deposit_short", f"alias {alias}")
        self.admitted[alias] = body["priority"]
        self.commitments[alias] = body["commitment"]

    def _on_admission_revoked(self, body: dict[str, Any], at: datetime) -> None:
        if self.admitted.pop(body["alias"], -1) == -1 or body["alias"] == self.leader:
            self.wrong("bad_admission", f"alias {body['alias']} revoked")

    def _on_opened(self, body: dict[str, Any], at: datetime) -> None:
        self._need("registration")
        late = at - self.opens
        if late < timedelta(0):
            self.wrong("illegal_transition", "opened early")
        self._shift(body, late if late > LATE else timedelta(0))
        self.opens = at
        self.state = "live"

    def _shift(self, body: dict[str, Any], shift: timedelta) -> None:
        end, hard = _time(body["ends_at"]), _maybe_time(body["hard_end"])
        if end != self.end + shift or hard != (None if self.hard is None else self.hard + shift):
            self.wrong("wrong_shift", f"by {end - self.end} instead of {shift}")
        self.end, self.hard = end, hard

    def _on_bid_accepted(self, body: dict[str, Any], at: datetime) -> None:
        self.report.bids += 1
        alias, amount, received = body["alias"], body["amount_fen"], _time(body["received_at"])
        if self.state not in ("live", "extending"):
            self.wrong("bid_while_closed", f"in {self.state}")
        if alias not in self.admitted:
            self.wrong("bid_by_stranger", f"alias {alias}")
        if alias == self.leader:
            self.wrong("bid_by_leader", f"alias {alias}")
        if received > at:
            self.wrong("received_in_future", f"{received} at {at}")
        if received >= self.end:
            self.wrong("bid_after_end", f"received {received}, end {self.end}")
        self._amount(alias, amount, body["matched"])
        end = _time(body["ends_at"])
        expected = self._extended(received)
        if end != expected:
            self.wrong("wrong_extension", f"to {end} instead of {expected}")
        if end > self.end:
            self.state = "extending"
        self.end = end
        self.price, self.leader = amount, alias
        self.bidders.add(alias)

    def _extended(self, received: datetime) -> datetime:
        if self.end - received > timedelta(seconds=self.terms["window_s"]):
            return self.end
        wanted = received + timedelta(seconds=self.terms["extension_s"])
        if self.hard is not None and wanted > self.hard:
            wanted = self.hard
        return max(self.end, wanted)

    def _amount(self, alias: int, amount: int, matched: bool) -> None:
        cap, most = self.terms["cap_fen"], self.terms["max_steps"]
        if not isinstance(amount, int) or isinstance(amount, bool):
            self.wrong("line_malformed", "amount")
            return
        if amount == self.price:
            mine = self.admitted.get(alias)
            theirs = self.admitted.get(self.leader) if self.leader is not None else None
            if not matched or mine is None or (theirs is not None and theirs <= mine):
                self.wrong("bid_too_low", "equals the price without a right to")
            return
        if matched:
            self.wrong("false_match")
        standing = self.terms["start_fen"] if self.price is None else self.price
        step = [row[1] for row in self.terms["steps"] if row[0] <= standing][-1]
        if amount < standing:
            self.wrong("bid_below_start" if self.price is None else "bid_too_low", f"{amount} < {standing}")
        elif self.price is not None and amount < standing + step:
            self.wrong("bid_too_low", f"{amount} < {standing} + {step}")
        if (amount - standing) % step:
            self.wrong("bid_off_step", f"{amount} - {standing} by {step}")
        if cap is not None and amount > cap:
            self.wrong("bid_above_cap")
        if most is not None and amount - standing > most * step:
            self.wrong("bid_too_far")

    def _on_paused(self, body: dict[str, Any], at: datetime) -> None:
        self._need("live", "extending")
        self.stopped_at, self.stopped_from, self.state = at, self.state, "paused"

    def _on_suspended(self, body: dict[str, Any], at: datetime) -> None:
        self._need("announced", "registration", "live", "extending", "paused")
        if self.state != "paused":
            self.stopped_at, self.stopped_from = at, self.state
        self.state = "suspended"

    def _on_resumed(self, body: dict[str, Any], at: datetime) -> None:
        self._need("paused", "suspended")
        stopped_at = self.stopped_at or at
        opens = _time(body["opens_at"])
        if self.stopped_from in ("live", "extending"):
            self._shift(body, at - stopped_at)
            if opens != self.opens:
                self.wrong("wrong_shift", "the opening moved")
        else:
            shift = max(timedelta(0), at - self.opens)
            self._shift(body, shift)
            if opens != self.opens + shift:
                self.wrong("wrong_shift", "the opening moved wrongly")
            self.opens = opens
        self.state = self.stopped_from or self.state

    def _on_outage_extended(self, body: dict[str, Any], at: datetime) -> None:
        self._need("live", "extending")
        due = self.end + timedelta(milliseconds=self.terms["ingress_margin_ms"])
        if at <= due + timedelta(seconds=self.terms["outage_grace_s"]):
            self.wrong("wrong_extension", "there was no outage")
        end, hard = _time(body["ends_at"]), _maybe_time(body["hard_end"])
        wanted = at + timedelta(seconds=self.terms["outage_extension_s"])
        if end != wanted or hard != (None if self.hard is None else max(self.hard, wanted)):
            self.wrong("wrong_extension", f"to {end} instead of {wanted}")
        self.end, self.hard, self.state = end, hard, "extending"

    def _on_announcement(self, body: dict[str, Any], at: datetime) -> None:
        if self.state == "draft":
            self.wrong("illegal_transition", "announcement before publication")

    def _on_closed(self, body: dict[str, Any], at: datetime) -> None:
        self._need("live", "extending")
        if at < self.end + timedelta(milliseconds=self.terms["ingress_margin_ms"]):
            self.wrong("closed_early", f"{at}, end {self.end}")
        reserve = body["reserve_fen"]
        promised = self.terms["reserve_commitment"]
        if (reserve is None) != (promised is None) or (
            promised is not None
            and hashlib.sha256(f"{body['reserve_nonce']}:{reserve}".encode()).hexdigest() != promised
        ):
            self.wrong("reserve_opening")
        if self.leader is None or self.price is None:
            reason = "no_bid"
        elif reserve is not None and self.price < reserve:
            reason = "reserve_not_met"
        elif self.terms["sole_bidder"] == "pass_in" and len(self.bidders) == 1:
            reason = "sole_bidder"
        else:
            reason = "sold"
        winner = self.leader if reason == "sold" else None
        hammer = self.price if reason == "sold" else None
        if (body["reason"], body["winner"], body["hammer_fen"]) != (reason, winner, hammer):
            self.wrong("wrong_outcome", f"computed {reason}, {winner}, {hammer}")
        self.report.winner, self.report.hammer_fen, self.report.reason = winner, hammer, reason
        self.state = "passed_in" if winner is None else "sold"

    def _on_withdrawn(self, body: dict[str, Any], at: datetime) -> None:
        if self.price is not None or self.state == "draft":
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

    # What is opened afterwards

    def _opening(self, value: Mapping[str, Any]) -> None:
        alias, organisation = value["alias"], value["organisation_id"]
        party = f"{organisation}:{value['person_id']}"
        promised = self.commitments.get(alias)
        if hashlib.sha256(f"{value['nonce']}:{party}".encode()).hexdigest() != promised:
            self.wrong("opened_identity", f"alias {alias}", 0)
        barred = {
            self.terms["seller_organisation_id"],
            self.terms["organiser_organisation_id"],
            *self.terms["barred_organisation_ids"],
        }
        if organisation in barred:
            self.wrong("barred_bidder", f"alias {alias}", 0)
        if self.parties.setdefault(f"organisation:{organisation}", alias) != alias:
            self.wrong("one_party_twice", f"alias {alias}", 0)

    def finish(self, receipts: Sequence[Mapping[str, Any]]) -> None:
        if not self.terms:
            self.wrong("no_terms", seq=0)
        for receipt in receipts:
            if receipt.get("accepted") and self.hashes.get(receipt["seq"]) != receipt["hash"]:
                self.wrong("receipt_missing", str(receipt.get("client_bid_id")), receipt["seq"])
        self.report.head_hash, self.report.state = self.hash, self.state


_ENDED = frozenset({"sold", "passed_in", "withdrawn", "cancelled", "defaulted"})
_OUTCOMES = frozenset({"closed", "withdrawn", "cancelled"})


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _is_hash(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 64 and all(c in "0123456789abcdef" for c in text)


def main(arguments: Sequence[str]) -> int:
    """Check the named files; 0 when all are clean, 1 when not, 2 without a file."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    status = 0
    for path in arguments:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            report = verify_lines(file)
        print(
            json.dumps(
                {
                    "file": path,
                    "lot": report.lot,
                    "clean": report.clean,
                    "entries": report.entries,
                    "bids": report.bids,
                    "state": report.state,
                    "winner": report.winner,
                    "hammer_fen": report.hammer_fen,
                    "reason": report.reason,
                    "head_hash": report.head_hash,
                    "violations": [[v.seq, v.code, v.detail] for v in report.violations],
                },
                ensure_ascii=False,
            )
        )
        status = max(status, 0 if report.clean else 1)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
