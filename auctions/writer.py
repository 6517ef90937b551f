"""The writer: one thread per process that decides commands and makes them durable, in groups.

It takes everything waiting (up to `max_batch`), sorts by lot, locks each lot's row once, decides each
command in order of arrival in plain Python, writes entries, answers and heads in bulk, commits once; then
acknowledges, then rings the bus. So a command acknowledged is a command on disk (I3), and nothing is
published before its commit (R6).

- The queue is bounded: `submit` raises Busy at once rather than let anyone wait unseen.
- A command that breaks something cannot fail its neighbours: a failed batch is rolled back and its
  members are tried one by one.
- A commit whose outcome is not known is answered OutcomeUnknown: the same bid id, sent again, is
  answered from the record or decided afresh. No client is ever told "no" for a bid that counted.
- `stop` drains: whatever was accepted into the queue is answered.
- The clock is guarded (`market.clock.GuardedClock`). When it is off by more than a second, against the time
  that has passed, the database's clock or a lot's journal, closings stand still and the alarm rings
  until it is right again or an operator trusts it. Bids go on and are stamped and judged by the steady
  time: nobody is late because a clock was set, and nobody gets in after the true end.

Threads: `submit` and `ask` may be called from any; everything else runs on the writer's own. Deposits
and whatever else must happen with the end of a lot hang on `on_closed`, called inside the transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from auctions import answers, journal
from auctions.answers import Answer
from auctions.bus import Bus, LotNews
from auctions.errors import Busy, CommandFailed, Draining, OutcomeUnknown
from auctions.protocol import event_frame
from auctions.receipts import Signer
from auctions.rules.commands import Close, Command, ExtendTogether, PlaceBid
from auctions.rules.refusal import Refusal, RefusalCode
from auctions.rules.state import BIDDING, LotState
from market.clock import Clock, GuardedClock
from market.db import Database

JUMP = dt.timedelta(seconds=1)

OnClosed = Callable[[Connection, int, journal.Outcome, dt.datetime], None]
"""(connection, lot_id, outcome, now): called in the ending's own transaction for every end of a lot
(sold, passed in, withdrawn, cancelled) and for a default. It may write; it must not commit or wait."""

Alarm = Callable[[str, dict[str, Any]], None]
"""(code, detail): clock_jumped, clock_apart, clock_trusted, clock_behind_journal, command_failed,
commit_unknown, database_unreachable. From the writer's or the timekeeper's thread; must not block."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch did, for the metrics. `waiting` is the queue's length when it was taken."""

    commands: int
    entries: int
    lots: int
    waiting: int


@dataclass(slots=True)
class _Job:
    command: Command
    future: Future[Answer] | None = None
    loop: asyncio.AbstractEventLoop | None = None
    waiter: asyncio.Future[Answer] | None = None
    result: Answer | Exception | None = None


class _CommitUnknown(Exception):
    pass


class _NotBegun(Exception):
    """The transaction could not get as far as deciding: no connection, or no lock."""


class Writer:
    """See the module. `monotonic` (`market.clock.elapsed`) guards a clock that is not guarded already."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        signer: Signer,
        bus: Bus,
        *,
        on_closed: OnClosed | None = None,
        on_alarm: Alarm | None = None,
        on_batch: Callable[[Batch], None] | None = None,
        monotonic: Callable[[], float] | None = None,
        max_waiting: int = 4096,
        max_batch: int = 512,
    ) -> None:
        self._db = db
        self.clock = clock if isinstance(clock, GuardedClock) else GuardedClock(clock, monotonic)
        """The time that commands are judged by; whoever stamps a bid's arrival uses it too."""
        self._signer = signer
        self._bus = bus
        self._on_closed = on_closed
        self._on_alarm = on_alarm or (lambda _code, _detail: None)
        self._on_batch = on_batch or (lambda _batch: None)
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._queue: deque[_Job] = deque()
        self._gate = threading.Condition()
        self._draining = False
        self._thread = threading.Thread(target=self._work, name="auction-writer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, timeout: float = 30.0) -> bool:
        """Take no more, answer all that was taken; False if that took longer than `timeout` seconds."""
        with self._gate:
            self._draining = True
            self._gate.notify()
        if not self._thread.is_alive():
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """How many commands wait, about."""
        return len(self._queue)

    @property
    def closings_paused(self) -> bool:
        """Whether the clock is distrusted at present."""
        return not self.clock.trusted

    @property
    def alive(self) -> bool:
        """Whether the thread works: part of the readiness check."""
        return self._thread.is_alive() and not self._draining

    def trust_clock(self) -> None:
        """An operator's word that the clock is right as it is now: closings go on."""
        self.clock.accept()

    def watch_clock(self) -> None:
        """Ring for what has changed about the clock. Called often, also while nothing is asked of any lot."""
        for code, detail in self.clock.changes():
            self._on_alarm(code, detail)

    def submit(self, command: Command) -> Future[Answer]:
        """Queue a command; its future gets an Answer, or raises OutcomeUnknown or CommandFailed.

        Raises Busy or Draining at once, having done nothing.
        """
        job = _Job(command, future=Future())
        self._put(job)
        assert job.future is not None
        return job.future

    async def ask(self, command: Command) -> Answer:
        """`submit` for the event loop: one wake-up of the loop answers a whole batch.

        A waiter that is cancelled does not undo its command.
        """
        return await self.queue(command)

    def queue(self, command: Command) -> asyncio.Future[Answer]:
        """`ask` without waiting: the future is the calling loop's."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Answer] = loop.create_future()
        self._put(_Job(command, loop=loop, waiter=waiter))
        return waiter

    def _put(self, job: _Job) -> None:
        with self._gate:
            if self._draining:
                raise Draining
            if len(self._queue) >= self._max_waiting:
                raise Busy
            self._queue.append(job)
            if len(self._queue) == 1:
                self._gate.notify()

    def _take(self) -> list[_Job]:
        """What waits, in order of arrival; nothing when no more will come."""
        with self._gate:
            while not self._queue and not self._draining:
                self._gate.wait()
            return [self._queue.popleft() for _ in range(min(len(self._queue), self._max_batch))]

    def _work(self) -> None:
        while jobs := self._take():
            news: list[LotNews] = []
            try:
                news = self._run(jobs)
            except Exception as error:
                self._fail([job for job in jobs if job.result is None], error)
            self._acknowledge(jobs)
            if news:
                self._bus.publish(news)

    def _run(self, jobs: list[_Job]) -> list[LotNews]:
        """Decide jobs in one transaction; on trouble, in smaller ones. Every job gets a result."""
        jobs = sorted(jobs, key=lambda job: job.command.lot_id)
        try:
            return self._transact(jobs)
        except _CommitUnknown as error:
            self._on_alarm("commit_unknown", {"commands": len(jobs), "error": repr(error.__cause__)})
            for job in jobs:
                job.result = OutcomeUnknown()
            return []
        except _NotBegun as error:
            groups: dict[int, list[_Job]] = defaultdict(list)
            for job in jobs:
                groups[job.command.lot_id].append(job)
            cause = error.__cause__
            gone = not isinstance(cause, sa.exc.DBAPIError) or cause.connection_invalidated
            if len(groups) == 1 or gone:
                self._on_alarm("database_unreachable", {"commands": len(jobs), "error": repr(cause)})
                for job in jobs:
                    job.result = CommandFailed()
                return []
            return [news for group in groups.values() for news in self._run(group)]
        except Exception as error:
            if len(jobs) == 1:
                self._fail(jobs, error)
                return []
            return [news for job in jobs for news in self._run([job])]

    def _fail(self, jobs: Sequence[_Job], error: Exception) -> None:
        for job in jobs:
            self._on_alarm(
                "command_failed",
                {"command": type(job.command).__name__, "lot_id": job.command.lot_id, "error": repr(error)},
            )
            failure = CommandFailed()
            failure.__cause__ = error
            job.result = failure

    def _transact(self, jobs: list[_Job]) -> list[LotNews]:
        self.watch_clock()
        clock = self.clock.now()
        try:
            manager = self._db.connect_for_writing()
            connection = manager.__enter__()
        except sa.exc.SQLAlchemyError as error:
            raise _NotBegun from error
        try:
            return self._decide(connection, jobs, clock)
        except BaseException:
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                connection.rollback()
            raise
        finally:
            manager.__exit__(None, None, None)

    def _decide(self, connection: Connection, jobs: list[_Job], clock: dt.datetime) -> list[LotNews]:
        bids = [job.command for job in jobs if isinstance(job.command, PlaceBid)]
        try:
            heads = journal.lock(connection, {job.command.lot_id for job in jobs})
        except sa.exc.SQLAlchemyError as error:
            raise _NotBegun from error
        held = journal.standings(
            connection, ((bid.lot_id, bid.person_id) for bid in bids if bid.person_id is not None)
        )
        ends = {lot_id: head.lot.ends_at for lot_id, head in heads.items()}
        known = answers.known(
            connection,
            ((bid.lot_id, bid.person_id, bid.client_bid_id) for bid in bids if bid.person_id is not None),
        )
        entries: list[journal.Entry] = []
        touched: dict[int, journal.Head] = {}
        results: list[Answer | None] = []
        verdicts: list[answers.Verdict] = []
        copies: list[tuple[int, int]] = []
        record: dict[answers.Key, int] = {}
        for place, job in enumerate(jobs):
            command = job.command
            head = heads.get(command.lot_id)
            key: answers.Key | None = None
            reused = False
            results.append(None)
            if isinstance(command, PlaceBid) and command.person_id is not None:
                key = (command.lot_id, command.person_id, command.client_bid_id)
                if key in record and _same_bid(jobs[record[key]].command, command):
                    copies.append((place, record[key]))
                    continue
                earlier = known.get(key)
                if earlier is not None and earlier[0] == answers.body_hash(command):
                    results[place] = earlier[1]
                    continue
                reused = key in record or earlier is not None
                command = _standing(held, command)
            elif isinstance(command, Close) and head is not None and head.lot.terms.ends_together:
                command = _with_siblings(connection, head, command)
            outcome: journal.Step | Refusal
            if head is None or (isinstance(command, PlaceBid) and head.lot.state is LotState.DRAFT):
                head = None  # a draft is nobody's business
                outcome = Refusal(RefusalCode.NO_SUCH_LOT, 0)
            elif reused:
                outcome = Refusal(RefusalCode.CLIENT_BID_ID_REUSED, head.lot.seq)
            elif isinstance(command, Close) and self._distrusts(head, clock):
                outcome = Refusal(RefusalCode.CLOSINGS_PAUSED, head.lot.seq)
            else:
                outcome = journal.step(head, command, clock)
            code: str | None = None
            params: Mapping[str, Any] = {}
            if isinstance(outcome, Refusal):
                seq, hash_ = outcome.seq, "" if head is None else head.hash
                code, params = outcome.code.value, outcome.params
            else:
                heads[command.lot_id] = touched[command.lot_id] = outcome.head
                entries += outcome.entries
                # A bid is answered with its own entry, whatever the rules added after it.
                own = outcome.entries[0 if isinstance(command, PlaceBid) else -1]
                seq, hash_ = own.seq, own.hash
            if not isinstance(command, PlaceBid):
                results[place] = Answer(command.lot_id, code is None, seq, hash_, code, dict(params))
                continue
            kept = None if head is None or reused else key
            if kept is not None:
                record[kept] = place
            verdicts.append(answers.Verdict(place, command, code is None, seq, hash_, code, params, kept))
        receipts = self._signer.sign([verdict.content(clock) for verdict in verdicts])
        for verdict, receipt in zip(verdicts, receipts, strict=True):
            results[verdict.place] = verdict.answer(receipt)
        for place, original in copies:
            answer = results[original]
            assert answer is not None
            results[place] = replace(answer, repeated=True)
        ended = journal.store(connection, list(touched.values()), entries)
        answers.store(connection, verdicts, receipts, clock)
        if self._on_closed is not None:
            for lot_id, outcome_ in ended:
                self._on_closed(connection, lot_id, outcome_, heads[lot_id].lot.last_at or clock)
        news = _news(heads, entries, clock)
        following = _followers(connection, touched, ends)
        try:
            connection.commit()
        except Exception as error:
            raise _CommitUnknown from error
        # From here on nothing may raise: a retry would do what is already done.
        for follower in following:
            # Should the queue be full: a lot that ends with others is not closed before them either.
            with contextlib.suppress(Busy, Draining):
                self._put(_Job(follower))
        for job, result in zip(jobs, results, strict=True):
            job.result = result
        with contextlib.suppress(Exception):
            self._on_batch(Batch(len(jobs), len(entries), len(touched), self.waiting))
        return news

    def _distrusts(self, head: journal.Head, clock: dt.datetime) -> bool:
        if not self.clock.trusted:
            return True
        if head.lot.last_at is not None and head.lot.last_at - clock > JUMP:
            self._on_alarm("clock_behind_journal", {"lot_id": head.lot.lot_id, "clock": clock.isoformat()})
            return True
        return False

    def _acknowledge(self, jobs: Sequence[_Job]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = defaultdict(list)
        for job in jobs:
            result = job.result if job.result is not None else CommandFailed()
            job.result = result
            if job.loop is not None:
                by_loop[job.loop].append(job)
            elif job.future is not None:
                with contextlib.suppress(InvalidStateError):  # its owner cancelled it
                    if isinstance(result, Exception):
                        job.future.set_exception(result)
                    else:
                        job.future.set_result(result)
        for loop, waiting in by_loop.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_resolve, waiting)


def _resolve(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        if job.waiter is None or job.waiter.done():
            continue
        if isinstance(job.result, Exception):
            job.waiter.set_exception(job.result)
        elif job.result is not None:
            job.waiter.set_result(job.result)


def _standing(held: dict[tuple[int, int], journal.Standing], bid: PlaceBid) -> PlaceBid:
    """The bid with who bids, if the admission is for one of the organisations that the person may bid for."""
    standing = None if bid.person_id is None else held.get((bid.lot_id, bid.person_id))
    if standing is None:
        return bid
    if bid.organisation_ids is not None and standing.organisation_id not in bid.organisation_ids:
        return bid
    return bid.by(standing.alias, standing.problem)


def _with_siblings(connection: Connection, head: journal.Head, command: Close) -> Close:
    terms = head.lot.terms
    if terms.sale_id is None:
        return command
    for lot_id, end in journal.siblings(connection, terms.sale_id, head.lot.lot_id)[:1]:
        return replace(command, together_until=end, together_with=lot_id)
    return command


def _followers(
    connection: Connection, touched: dict[int, journal.Head], ends: dict[int, dt.datetime | None]
) -> list[Command]:
    """What the other lots of a sale that ends together must be told of lots that were extended."""
    told: list[Command] = []
    for lot_id, head in touched.items():
        terms, end, before = head.lot.terms, head.lot.ends_at, ends[lot_id]
        if not terms.ends_together or terms.sale_id is None or end is None or before is None or end <= before:
            continue
        if head.lot.state not in BIDDING:
            continue
        told += [
            ExtendTogether(lot_id=sibling, ends_at=end, with_lot=lot_id)
            for sibling, theirs in journal.siblings(connection, terms.sale_id, lot_id)
            if theirs < end
        ]
    return told


def _same_bid(one: Command, other: PlaceBid) -> bool:
    return isinstance(one, PlaceBid) and (one.act, one.amount_fen, one.extra) == (
        other.act,
        other.amount_fen,
        other.extra,
    )


def _news(
    heads: dict[int, journal.Head], entries: Sequence[journal.Entry], clock: dt.datetime
) -> list[LotNews]:
    frames: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    for entry in entries:
        terms = heads[entry.lot_id].lot.terms
        frame = event_frame(terms, entry.lot_id, entry.seq, entry.hash, entry.data, clock)
        frames[entry.lot_id].append((entry.seq, entry.hash, frame))
    return [LotNews(lot_id, tuple(items)) for lot_id, items in frames.items()]
