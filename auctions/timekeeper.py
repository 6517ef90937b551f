"""The timekeeper: moves lots on when their time has come, with nobody watching.

It holds no schedule of its own: each look asks the database which lots are due and submits the
command for each; a restart therefore forgets nothing. Several processes may each run one, since every
command is judged under the lot's lock and a second close is refused. It sleeps until the next lot is
due, at most `look_s`.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from concurrent.futures import Future

from auctions import reads
from auctions.rules.commands import Close, Command, Open, OpenRegistration
from auctions.rules.state import OPEN, LotState
from auctions.writer import Answer, Writer
from market.clock import Clock
from market.db import Database
from market.errors import Unavailable

LOOK_S = 1.0
SHORTEST_S = 0.01


class Timekeeper:
    """Submits openings and closings, and has the clock looked at. `tick` may be called directly by tests.

    `witness` tells another time than the machine's; by default the database's, where it has its own.
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        writer: Writer,
        *,
        look_s: float = LOOK_S,
        on_trouble: Callable[[str, BaseException], None] | None = None,
        witness: Callable[[], dt.datetime | None] | None = None,
    ) -> None:
        self._db = db
        self._clock = clock
        self._writer = writer
        self._look_s = look_s
        self._on_trouble = on_trouble or (lambda _code, _error: None)
        self._witness = witness
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="auction-timekeeper", daemon=True)

    def start(self) -> None:
        """Begin to keep time, on a thread of its own."""
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        """Stop; before the writer is stopped."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        """Whether the thread works: part of the readiness check."""
        return self._thread.is_alive()

    def tick(self) -> list[Future[Answer]]:
        """Submit a command for every lot that is due now; the answers to come. Raises what the
        database raises."""
        with self._db.read() as session:
            self._writer.clock.compare(self._witness or (lambda: reads.database_time(session)))
            self._writer.watch_clock()
            due = reads.due(session, self._clock.now())
        answers = []
        for item in due:
            try:
                answers.append(self._writer.submit(_command(item)))
            except Unavailable as error:  # busy or draining: the lot is still due at the next look
                self._on_trouble("timekeeper_refused", error)
                break
        return answers

    def _pause(self) -> float:
        with self._db.read() as session:
            due = reads.next_due(session)
        if due is None:
            return self._look_s
        left = (due - self._clock.now()) / dt.timedelta(seconds=1)
        return min(self._look_s, max(SHORTEST_S, left))

    def _work(self) -> None:
        while not self._stop.is_set():
            pause = self._look_s
            try:
                answers = self.tick()
                moved = False
                for answer in answers:
                    try:
                        moved |= answer.result(30.0).accepted
                    except Exception as error:
                        # One lot's trouble must not hold up the others.
                        self._on_trouble("timekeeper_command_failed", error)
                pause = self._pause()
                if answers and not moved:
                    # What could not be moved stays due: do not ask for it without a rest.
                    pause = max(pause, min(0.2, self._look_s))
            except Exception as error:
                self._on_trouble("timekeeper_failed", error)
            self._stop.wait(pause)


def _command(item: reads.Due) -> Command:
    if item.state is LotState.ANNOUNCED:
        return OpenRegistration(lot_id=item.lot_id)
    if item.state is LotState.REGISTRATION:
        return Open(lot_id=item.lot_id)
    assert item.state in OPEN
    return Close(lot_id=item.lot_id)
