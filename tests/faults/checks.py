"""The judgement after a fault test: what the clients were told, against the journal and the rows.

`judge` gathers every violation it finds, by the names of the invariants, with counts of what was looked at.
The engine's rules are not asked: the checks read the journal's entries and compute with a few lines of
their own, beside `auctions.verify`, which is a program of its own as well.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from auctions import journal, queries, receipts
from auctions.models import BidAnswer, JournalEntry, Lot
from auctions.protocol import event_frame, project
from auctions.reads import entries_after
from auctions.receipts import Signer
from auctions.rules.terms import Terms
from auctions.verify import verify_lines
from market.db import Database, t
from market.work import WorkItem
from tests.faults.clients import Bid, Record, digest
from tests.faults.servers import KEY
from tests.faults.staging import Stage

PUBLIC = Signer(KEY).public_key
LOT, ENTRY, ANSWER, WORK = t(Lot), t(JournalEntry), t(BidAnswer), t(WorkItem)

IN_TIME = "received before the end, refused after the close"
"""Nobody's fault where a process or the database stood still; a violation of A8 where none did."""


@dataclass
class Verdict:
    """Violations found, and how much was looked at."""

    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def wrong(self, rule: str, what: str) -> None:
        """Note a violation."""
        self.violations.append(f"{rule}: {what}")

    def __str__(self) -> str:
        shown = "; ".join(f"{name} {count}" for name, count in sorted(self.counts.items()))
        return "\n".join([shown, *self.violations[:20]])


@dataclass
class Prefix:
    """The lot after an entry, computed here. Prefix 0 is the lot before its journal."""

    hash: str
    state: str = "draft"
    price: int | None = None
    leader: int | None = None
    leader_seq: int = 0
    state_seq: int = 0
    ends_at: str = ""


def prefixes(terms: Terms, genesis: str, bodies: Sequence[tuple[str, dict[str, Any]]]) -> list[Prefix]:
    """The lot after each entry: (hash, parsed body) in order of seq."""
    lots = [Prefix(genesis)]
    for hash_, body in bodies:
        last = lots[-1]
        now = Prefix(
            hash_, body["state"], last.price, last.leader, last.leader_seq, last.state_seq, body["ends_at"]
        )
        if body["kind"] == "bid_accepted":
            now.price, now.leader, now.leader_seq = body["amount_fen"], body["alias"], body["seq"]
        if now.state != last.state:
            now.state_seq = body["seq"]
        lots.append(now)
    return lots


def judge(database: Database, stage: Stage, record: Record, *, ended: bool = True) -> Verdict:
    """Hold everything that was told against what is stored. Call it when nothing runs any more."""
    verdict = Verdict()
    verdict.violations += [f"told: {fault}" for fault in record.faults]
    with database.read() as session:
        row: Any = session.execute(sa.select(LOT).where(LOT.c.id == stage.lot)).one()
        entries = entries_after(session, stage.lot, 0, 1_000_000)
        owners = list(
            session.execute(
                sa.select(ENTRY.c.seq, ENTRY.c.actor_person_id, ENTRY.c.client_bid_id)
                .where(ENTRY.c.lot_id == stage.lot, ENTRY.c.kind == "bid_accepted")
                .order_by(ENTRY.c.seq)
            )
        )
        answers = {
            (each.person_id, each.client_bid_id): each.answer
            for each in session.execute(
                sa.select(ANSWER.c.person_id, ANSWER.c.client_bid_id, ANSWER.c.answer).where(
                    ANSWER.c.lot_id == stage.lot
                )
            )
        }
    terms = Terms.from_private(row.terms)
    lots = prefixes(terms, row.terms_hash, [(entry.hash, entry.data) for entry in entries])
    verdict.counts["entries"] = len(entries)
    _once(verdict, record, owners)
    _answers(verdict, record, lots, answers, terms)
    _real_time(verdict, record, lots, {(o.actor_person_id, o.client_bid_id): o.seq for o in owners})
    _views(verdict, record, stage, terms, entries)
    _rows(verdict, database, row, terms, entries, lots[-1])
    for lot_id in stage.lots:
        _verified(verdict, database, record, lot_id, ended=ended, first=lot_id == stage.lot)
    return verdict


def _once(verdict: Verdict, record: Record, owners: Sequence[Any]) -> None:
    """I1: no bid is in the journal twice, and none that nobody made."""
    seen = Counter((owner.actor_person_id, owner.client_bid_id) for owner in owners)
    verdict.counts["bids made"] = len(record.bids)
    verdict.counts["bids accepted"] = len(seen)
    for key, count in seen.items():
        if count > 1:
            verdict.wrong("I1", f"{key} is {count} times in the journal")
        if key not in record.bids:
            verdict.wrong("I1", f"{key} was never made")


def _answers(
    verdict: Verdict, record: Record, lots: Sequence[Prefix], stored: dict[tuple[int, str], Any], terms: Terms
) -> None:
    """I1, I3, A7: answers are signed, durable, the same however often asked for, and true."""
    place = {lot.hash: seq for seq, lot in enumerate(lots)}
    for key, bid in record.bids.items():
        verdict.counts["sent more than once"] += sum(bid.sent.values()) > 1
        verdict.counts["sent by both ways"] += len(bid.sent) > 1
        if not bid.told:
            verdict.counts["outcome unknown to the client"] += 1
            continue
        verdict.counts["answers told"] += len(bid.told)
        texts = {told.text for told in bid.told}
        if len(texts) > 1:
            verdict.wrong("I1", f"{key} was answered differently: {sorted(texts)}")
        message = bid.told[0].message
        content = receipts.verify(message["receipt"], PUBLIC)
        if content is None:
            verdict.wrong("I3", f"{key}: the receipt is not signed by the market")
            continue
        if (content["client_bid_id"], content["amount_fen"], content["alias"]) != (
            bid.id, bid.amount_fen, bid.alias,
        ):  # fmt: skip
            verdict.wrong("I3", f"{key}: the receipt is for something else")
        kept = stored.get(key)
        if kept is None or kept != message["receipt"]:
            verdict.wrong("I3", f"{key}: the answer is not kept as it was given")
        if content["accepted"]:
            verdict.counts["receipts"] += 1
            seq = content["seq"]
            if not 0 < seq < len(lots) or lots[seq].hash != content["hash"]:
                verdict.wrong("I3", f"{key}: receipt for {seq}, which is not in the journal so")
            continue
        verdict.counts["refusals"] += 1
        if content["code"] == "lot_ended" and content["received_at"] < lots[-1].ends_at:
            verdict.counts[IN_TIME] += 1
        prefix = place.get(content["hash"])
        if prefix is None or not 0 <= content["seq"] <= prefix:
            verdict.wrong("A7", f"{key}: refused at a head that is not in the journal")
        elif not _true(content, bid, lots[prefix], terms):
            verdict.wrong("A7", f"{key}: {content['code']} is not true of prefix {prefix}")


def _true(content: dict[str, Any], bid: Bid, lot: Prefix, terms: Terms) -> bool:
    """Whether the reason of a refusal holds where it says, and names the entry that made it so."""
    code, params, amount = content["code"], content["params"], bid.amount_fen
    base = terms.start_fen if lot.price is None else lot.price
    step = terms.step(base)
    bidding = lot.state in ("live", "extending")
    if code == "bid_too_low":
        return (
            bidding
            and lot.price is not None
            and amount < lot.price + step == params["minimum_fen"]
            and content["seq"] == lot.leader_seq
        )
    if code == "leader_cannot_raise":
        return bidding and lot.leader == bid.alias and content["seq"] == lot.leader_seq
    if code == "bid_below_start":
        return bidding and lot.price is None and amount < terms.start_fen
    if code == "bid_off_step":
        return bidding and (amount - base) % step != 0
    if code == "bid_after_end":
        return bidding and content["received_at"] >= lot.ends_at
    if code == "lot_not_open":
        return lot.state in ("announced", "registration")
    if code == "lot_ended":
        return lot.state in ("sold", "passed_in") and content["seq"] == lot.state_seq
    return False


def _real_time(
    verdict: Verdict, record: Record, lots: Sequence[Prefix], seqs: dict[tuple[int, str], int]
) -> None:
    """G1 by the witness: in the order of seq, nothing that had ended comes after what began later.

    An accepted bid takes effect at its seq, a refusal and a reading just after the last entry they saw.
    What was never answered may have taken effect at any time after it was sent.
    """
    place = {lot.hash: seq for seq, lot in enumerate(lots)}
    operations: list[tuple[float, float, int, str]] = []
    for key, bid in record.bids.items():
        seq = seqs.get(key)
        if seq is not None:
            point = 2 * seq
        elif bid.told and bid.told[0].message["hash"] in place:
            point = 2 * place[bid.told[0].message["hash"]] + 1
        else:
            continue
        returned = float("inf") if bid.returned is None else bid.returned
        operations.append((bid.invoked, returned, point, bid.id))
    operations += [
        (read.invoked, read.returned, 2 * read.seq + 1, f"read by {read.client}") for read in record.reads
    ]
    verdict.counts["operations in real time"] = len(operations)
    for early, late in out_of_order(operations):
        verdict.wrong("G1", f"{early} had ended before {late} began, and yet comes after it")


def out_of_order(operations: Sequence[tuple[float, float, int, str]]) -> Iterator[tuple[str, str]]:
    """Pairs (invoked, returned, point, name) whose points contradict real time; one for each late one."""
    by_return = sorted(operations, key=lambda each: each[1])
    done, highest, whose = 0, -1, ""
    for invoked, _, point, name in sorted(operations):
        while done < len(by_return) and by_return[done][1] < invoked:
            if by_return[done][2] > highest:
                highest, whose = by_return[done][2], by_return[done][3]
            done += 1
        if highest > point:
            yield whose, name


def _views(
    verdict: Verdict, record: Record, stage: Stage, terms: Terms, entries: Sequence[journal.Entry]
) -> None:
    """R4: every snapshot and reading is the first view with the journal's events applied to it."""
    seq, view = stage.first
    views = {seq: digest(view)}
    for entry in entries:
        if entry.seq > seq:
            frame = event_frame(terms, entry.lot_id, entry.seq, entry.hash, entry.data, entry.at)
            view = project(view, json.loads(frame))
            views[entry.seq] = digest(view)
    hashes = {entry.seq: entry.hash for entry in entries}
    verdict.counts["snapshots compared"] = len(record.seen)
    verdict.counts["readings compared"] = len(record.reads)
    for (at, shown), client in record.seen.items():
        if views.get(at) != shown:
            verdict.wrong("R4", f"{client} was shown another view at {at}")
    for read in record.reads:
        if views.get(read.seq) != read.digest or hashes.get(read.seq) != read.hash:
            verdict.wrong("R4", f"{read.client} read another view at {read.seq}")


def _rows(
    verdict: Verdict,
    database: Database,
    row: Any,
    terms: Terms,
    entries: Sequence[journal.Entry],
    last: Prefix,
) -> None:
    """L5: the lot's row is the fold of its journal."""
    folded = journal.replay(row.id, terms, [entry.data for entry in entries])
    head = (row.head_seq, row.head_hash, row.price_fen, row.leader, row.state)
    expected = (len(entries), last.hash, last.price, last.leader, last.state)
    if head != expected:
        verdict.wrong("L5", f"the row says {head}, the journal {expected}")
    if row.fold != folded.fold():
        verdict.wrong("L5", "the stored fold is not the journal's")


def _verified(
    verdict: Verdict, database: Database, record: Record, lot_id: int, *, ended: bool, first: bool
) -> None:
    """The public checker finds nothing; the lot ended once and left its work once (S6)."""
    contents = []
    if first:
        for message in record.first_answers():
            content = receipts.verify(message["receipt"], PUBLIC)
            if content is not None:
                contents.append(content)
    with database.read() as session:
        report = verify_lines(queries.export_journal(session, lot_id), contents)
        closed = session.execute(
            sa.select(sa.func.count())
            .select_from(ENTRY)
            .where(ENTRY.c.lot_id == lot_id, ENTRY.c.kind == "closed")
        ).scalar_one()
        left = session.execute(
            sa.select(sa.func.count())
            .select_from(WORK)
            .where(WORK.c.kind == "lot.closed", WORK.c.key.like(f"lot.closed:{lot_id}:%"))
        ).scalar_one()
    for violation in report.violations[:10]:
        verdict.wrong("verify", f"lot {lot_id}: {violation}")
    verdict.counts["lots ended"] += closed
    if ended and (closed, left) != (1, 1):
        verdict.wrong("S6", f"lot {lot_id} was closed {closed} times and left {left} pieces of work")


def same_end(verdict: Verdict, crowd_digests: dict[str, tuple[int, str, str]]) -> None:
    """R4 at the end: every client shows the same seq, hash and view."""
    groups: dict[tuple[int, str, str], list[str]] = defaultdict(list)
    for name, shown in crowd_digests.items():
        groups[shown].append(name)
    verdict.counts["clients at the end"] = len(crowd_digests)
    if len(groups) != 1:
        shown_ = {key: (len(names), names[:3]) for key, names in groups.items()}
        verdict.wrong("R4", f"clients end with different views: {shown_}")
