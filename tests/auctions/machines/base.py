"""What the machines of all formats share: commands against a model, and what must hold of every history."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from auctions import journal, protocol
from auctions.rules import commands as c
from auctions.rules import events as e
from auctions.rules.canonical import commitment, iso
from auctions.rules.evolve import evolve
from auctions.rules.refusal import Refusal
from auctions.rules.state import ENDED, OPEN, STOPPED, Lot
from auctions.rules.terms import Terms
from auctions.verify import verify_lines
from tests.auctions.histories import LOT, T0, History
from tests.auctions.machines.model import MS, US, Model, S, Written

NEAR = [61, 60, 59, 1, 0.000001, 0, -0.000001, -0.3]
"""Seconds before the end at which things change."""


def plain(value: Any) -> Any:
    """Model's values as the journal writes them."""
    return iso(value) if isinstance(value, dt.datetime) else value


class Machine(RuleBasedStateMachine):
    """A lot and its model. A format's machine sets them up with `begin` and adds rules for its acts."""

    MODEL: ClassVar[type[Model]]

    def begin(self, terms: Terms, priorities: list[int | None], deposits: list[int], late: float) -> None:
        """Publish, admit one bidder for each priority, open."""
        self.history = History(terms)
        self.receipts: list[dict[str, Any]] = []
        self.commands: list[tuple[c.Command, dt.datetime, Refusal | None]] = []
        self.last_bid: c.PlaceBid | None = None
        assert self.history.do(c.Publish(lot_id=LOT)) is None
        admitted: dict[int, int | None] = {}
        held: dict[int, int] = {}
        for place, (priority, deposit) in enumerate(zip(priorities, deposits, strict=True), 1):
            assert self.history.admit(10 + place, priority=priority, deposit_fen=deposit) is None
            admitted[place], held[place] = priority, deposit
        self.model = self.MODEL(terms, admitted, held)
        self.history.clock = terms.opens_at + dt.timedelta(seconds=late)
        self.tell(c.Open(lot_id=LOT))

    @property
    def lot(self) -> Lot:
        return self.history.lot

    @property
    def ready(self) -> bool:
        return hasattr(self, "history")

    def tell(self, command: c.Command) -> Refusal | None:
        """Give a command to lot and model; they must agree on every field."""
        before, had = self.lot, len(self.history.entries)
        now = before.time(self.history.clock)
        expected = self.model.apply(command, now)
        refusal = self.history.do(command)
        self.commands.append((command, self.history.clock, refusal))
        assert (refusal is None) == (expected is not None), (command, refusal, expected)
        if refusal is not None:
            assert refusal.seq <= self.lot.seq
            assert self.lot is before
            return refusal
        entries = self.history.entries[had:]
        self._same(entries, expected or [])
        lot = self.lot
        assert self.model.shows() == (
            lot.state.value, lot.price_fen, lot.leader, lot.bid_count, lot.opens_at, lot.ends_at,
            lot.hard_end, lot.winner, lot.hammer_fen, sorted(lot.admitted),
        )  # fmt: skip
        if isinstance(command, c.PlaceBid):
            own = entries[0]
            self.receipts.append(
                {
                    "accepted": True,
                    "client_bid_id": command.client_bid_id,
                    "alias": command.alias,
                    "act": command.act,
                    "amount_fen": command.amount_fen,
                    "extra": dict(command.extra),
                    "seq": own.seq,
                    "hash": own.hash,
                }
            )
        return None

    def _same(self, entries: list[journal.Entry], expected: list[Written]) -> None:
        assert [entry.kind for entry in entries] == [kind for kind, _ in expected]
        for entry, (_, fields) in zip(entries, expected, strict=True):
            told = {name: entry.data[name] for name in fields}
            assert told == {name: plain(value) for name, value in fields.items()}, entry.data

    def place(
        self, alias: int, act: str, amount: int | None, lag: float = 0, **extra: int | str
    ) -> Refusal | None:
        """A bid, received `lag` milliseconds before it is decided."""
        self.history.nonces += 1
        command = c.PlaceBid(
            lot_id=LOT,
            person_id=alias or None,
            client_bid_id=f"bid-{self.history.nonces:05}",
            amount_fen=amount,
            received_at=self.history.clock - lag * MS,
            act=act,
            extra=extra,
            nonce=f"{self.history.nonces:032x}",
            alias=alias or None,
        )
        self.last_bid = command
        return self.tell(command)

    def others(self) -> list[int]:
        return [alias for alias in sorted(self.lot.admitted) if alias != self.lot.leader]

    # Few rules with much in them: Hypothesis leaves whole rules out of a run, and a lot without bids shows
    # nothing.

    @rule(
        seconds=st.sampled_from([0.000001, 0.001, 0.4, 1, 10, 61, -0.5, -5]),
        left=st.sampled_from([None, None, *NEAR]),
    )
    def time_passes(self, seconds: float, left: float | None) -> None:
        """Time passes, or the clock runs back, or the end comes near."""
        assert self.lot.ends_at is not None
        if left is None:
            self.history.clock += dt.timedelta(seconds=seconds)
        else:
            self.come_near(left)

    def come_near(self, left: float) -> None:
        assert self.lot.ends_at is not None
        target = self.lot.ends_at - dt.timedelta(seconds=left)
        self.history.clock = max(self.history.clock, target)

    @rule(
        what=st.sampled_from(
            ["pause", "pause", "suspend", "resume", "extend", "extend", "together", "together", "revoke",
             "announce", "revoke", "admit", "again", "withdraw", "cancel", "default"]
        ),
        alias=st.integers(1, 4),
        seconds=st.sampled_from([-1, 0, 0.000001, 90]),
        dice=st.integers(0, 9),
    )  # fmt: skip
    def organiser(self, what: str, alias: int, seconds: float, dice: int) -> None:
        if what in ("cancel", "withdraw") and dice:
            return
        if what == "again":
            if self.last_bid is not None:
                self.tell(replace(self.last_bid, received_at=self.history.clock))
            return
        assert self.lot.ends_at is not None
        end = self.lot.ends_at + dt.timedelta(seconds=seconds)
        organisation = 10 + alias
        commands = {
            "pause": c.Pause(lot_id=LOT, reason="故障"),
            "suspend": c.Suspend(lot_id=LOT, reason="争议"),
            "resume": c.Resume(lot_id=LOT),
            "extend": c.Extend(lot_id=LOT, reason="网络拥堵"),
            "together": c.ExtendTogether(lot_id=LOT, ends_at=end, with_lot=LOT + 1),
            "announce": c.Announce(lot_id=LOT, text="请注意"),
            "revoke": c.RevokeAdmission(lot_id=LOT, alias=alias, reason="退出"),
            "admit": c.Admit(
                lot_id=LOT,
                organisation_id=organisation,
                bidder_person_id=organisation + 1000,
                is_staff=False,
                deposit_fen=[100, 300, 1000][dice % 3],
                commitment=commitment(f"{organisation:032d}", f"{organisation}:{organisation + 1000}"),
                alias=alias,
                priority=self.model.aliases[alias],
            ),
            "withdraw": c.Withdraw(lot_id=LOT, reason="撤回"),
            "cancel": c.Cancel(lot_id=LOT, reason="撤销"),
            "default": c.RecordDefault(lot_id=LOT, reason="悔拍"),
        }
        for _ in range(1 + dice % 3 if what == "extend" else 1):
            self.tell(commands[what])

    @precondition(lambda self: self.ready and self.lot.state in STOPPED)
    @rule(after=st.sampled_from([0, 0.000001, 30, 61]))
    def resume(self, after: float) -> None:
        self.history.clock += dt.timedelta(seconds=after)
        self.tell(c.Resume(lot_id=LOT))

    @precondition(lambda self: self.ready and self.lot.state in OPEN and self.lot.bid_count > 2)
    @rule(
        late=st.sampled_from([-1, 499, 499.999, 500, 500, 1000, 60_500, 60_500.001, 3_600_000]),
        other=st.sampled_from([None, None, -5, 0, 45]),
    )
    def close(self, late: float, other: float | None) -> None:
        """The timekeeper at the end, milliseconds late: too early, in time, after an outage; perhaps with
        another lot of the sale that ends seconds later."""
        assert self.lot.ends_at is not None
        self.history.clock = max(self.history.clock, self.lot.ends_at + late * MS)
        until = None if other is None else self.lot.ends_at + dt.timedelta(seconds=other)
        self.tell(c.Close(lot_id=LOT, together_until=until, together_with=LOT + 1))

    # What must hold of every history

    def teardown(self) -> None:
        if self.ready:
            self.holds()
            if self.lot.state not in ENDED:
                self.run_out()
                self.holds()

    def run_out(self) -> None:
        """Let the lot come to its end: what Hypothesis leaves unfinished tells the most then."""
        if self.lot.state in STOPPED:
            self.tell(c.Resume(lot_id=LOT))
        while self.lot.state in OPEN:
            self.last_words()
            self.come_near(-1)
            self.tell(c.Close(lot_id=LOT))

    def last_words(self) -> None:
        """What bidders do before the end."""

    def holds(self) -> None:
        """What must hold of every history, at any place."""
        for opened in ("all", "public"):
            report = verify_lines(self.history.lines(opened), self.receipts)
            assert report.violations == [], opened
            assert (report.state, report.head_hash) == (self.lot.state, self.history.head.hash)
            assert (report.winner, report.hammer_fen, report.bids) == (
                self.lot.winner, self.lot.hammer_fen, self.lot.bid_count,
            )  # fmt: skip
        self.folds_are_the_lot()
        self.frames_tell_what_a_fresh_view_would()

    def folds_are_the_lot(self) -> None:
        entries, terms = self.history.entries, self.lot.terms
        bodies = [json.loads(entry.body) for entry in entries]
        secrets = {entry.seq: json.loads(entry.secret) for entry in entries if entry.secret}
        assert journal.replay(LOT, terms, bodies, secrets) == self.lot
        public = journal.replay(LOT, terms, bodies)
        assert replace(public, book=self.lot.book) == self.lot
        assert Lot.from_fold(LOT, terms, json.loads(json.dumps(self.lot.fold()))) == self.lot

    def frames_tell_what_a_fresh_view_would(self) -> None:
        entries, terms = self.history.entries, self.lot.terms
        start = len(entries) // 3
        lot, seen, client = Lot.draft(LOT, terms), [], None
        for entry in entries:
            secret = json.loads(entry.secret) if entry.secret else None
            lot = evolve(lot, e.from_data(entry.kind, entry.data, secret), entry.at)
            seen.append(entry)
            fresh = fresh_view(lot, seen)
            if client is not None:
                frame = json.loads(frame_of(terms, entry))
                for _ in range(2):  # doubled
                    if frame["seq"] > client[0]:
                        client = (frame["seq"], protocol.project(client[1], frame))
                assert client[1] == fresh
            elif entry.seq > start:
                client = (entry.seq, fresh)


def frame_of(terms: Terms, entry: journal.Entry) -> str:
    """The frame that everybody in the room gets."""
    return protocol.event_frame(terms, LOT, entry.seq, entry.hash, entry.data, T0)


def fresh_view(lot: Lot, entries: list[journal.Entry]) -> dict[str, Any]:
    """The public view at a seq, as `auctions.reads.room_state` reads it from the rows."""
    bids = [entry for entry in entries if entry.kind == "bid_accepted"]
    standing = next((entry for entry in bids if entry.seq == lot.leader_seq), None)
    told = [entry.data for entry in entries if entry.kind in NOTICES]
    closed = [entry.data for entry in entries if entry.kind == "closed"]
    fold, terms, price = lot.fold(), lot.terms, lot.price_fen
    return {
        **protocol.start_view(LOT, "标的", terms),
        "state": fold["state"],
        "price_fen": price,
        "leader": lot.leader,
        "bid_count": lot.bid_count,
        "next_fen": protocol.minimum_after(terms, price),
        "step_fen": terms.step(terms.start_fen if price is None else price),
        "lead_detail": standing.data["detail"] if standing else {},
        "opens_at": fold["opens_at"],
        "ends_at": fold["ends_at"],
        "hard_end": fold["hard_end"],
        "stopped_at": fold["stopped_at"],
        "outages": fold["outages"],
        "bidders_admitted": len(lot.admitted),
        "recent": [
            protocol.bid_line(entry.seq, entry.data["at"], entry.data)
            for entry in reversed(bids[-protocol.RECENT_BIDS :])
        ],
        "notice": told[-1].get("text", told[-1].get("reason")) if told else None,
        "outcome": protocol.outcome(closed[-1]) if closed else None,
    }


NOTICES = {
    "announcement", "paused", "suspended", "resumed", "withdrawn", "cancelled", "defaulted",
}  # fmt: skip


def profile(examples: int, steps: int = 30) -> settings:
    """Settings of a run that is the same every time."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
    )


__all__ = ["ENDED", "MS", "NEAR", "US", "Machine", "S", "frame_of", "fresh_view", "profile"]
