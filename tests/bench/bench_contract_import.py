"""How fast a file of registered contracts is imported, beside a bare executemany of the rows that it leaves.

    python -m tests.bench.bench_contract_import [--contracts 100000] [--engine sqlite]

The file is CSV, made by chance, with two members among the parties. `import` is the whole of `market import
contracts`: reading, judging, and writing contracts, their events, audit records and movements in one
transaction, with its bar of progress on standard error. The floor takes those same rows, read back from the
database, and gives them to the driver's executemany, one table after the other in one transaction, into tables
without indexes, references or triggers. `again` runs the same file once more and must find everything unchanged.
"""

import argparse
import csv
import datetime as dt
import io
import os
import random
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import migrations
from market.audit import AuditRecord
from market.db import Database, t
from market.deals.models import Contract, ContractEvent, Movement, TechnicalField
from market.deals.rules import SUBKINDS
from market.exchange import queries, runner, service
from market.exchange.fields import Kind
from market.exchange.models import RunState
from market.files.store import DiskStore
from market.parties.models import Organisation
from market.permissions import COMMAND_LINE
from tests.bench.bench_bids import databases
from tests.bench.floor import emit, load_average, say
from web import importing

CONTRACTS = 100_000
CODES = ("91330100799655058B", "91310000MA1FL3LL52")
NOW = dt.datetime(2027, 1, 4, 1, 0, tzinfo=dt.UTC)
NAMES = (
    "registration_number", "title", "contract_kind", "subkind", "seller_code", "seller_name", "seller_region",
    "buyer_code", "buyer_name", "buyer_region", "deal", "technology", "deductions", "technical_field",
    "signed_on", "registered_on",
)  # fmt: skip
Row = dict[str, Any]


def made(count: int) -> bytes:
    """A file of contracts; always the same."""
    rng = random.Random(5)
    kinds = [(kind.value, sub.value) for kind, subs in SUBKINDS.items() for sub in subs]
    fields = [field.value for field in TechnicalField]
    held = io.StringIO()
    writer = csv.writer(held)
    writer.writerow(NAMES)
    for number in range(count):
        kind, subkind = rng.choice(kinds)
        deal = rng.randint(10_000, 50_000_000)
        equipment = rng.choice((0, 0, deal // 10))
        signed = dt.date(2026, 1, 1) + dt.timedelta(days=rng.randint(0, 330))
        writer.writerow(
            (
                f"2026330100{number:06d}", f"技术合同第{number}号：高效水力模型的开发", kind, subkind,
                CODES[0] if number % 10 == 0 else "", f"某大学{number % 997}", "330106",
                CODES[1] if number % 7 == 0 else "", f"某公司{number % 9973}", "331081",
                deal, deal - equipment, f"样机|{equipment}" if equipment else "", rng.choice(fields),
                signed.isoformat(), (signed + dt.timedelta(days=rng.randint(1, 30))).isoformat(),
            )
        )  # fmt: skip
    return held.getvalue().encode()


def _memory(name: str) -> int:
    found = re.search(
        rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE
    )
    return int(found.group(1)) * 1024 if found else 0


def _members(database: Database) -> None:
    with database.write() as session:
        for number, code in enumerate(CODES):
            session.add(
                Organisation(
                    name=f"单位{number}", kind="firm", credit_code=code, region_code="331081", state="verified",
                    created_at=NOW, updated_at=NOW,
                )
            )  # fmt: skip


def once(database: Database, store: DiskStore, content: bytes) -> tuple[queries.RunView, float]:
    """One import, with its bar; and its seconds."""
    with database.write() as session:
        run_id = service.create_run(
            session, COMMAND_LINE, NOW, Kind.CONTRACTS, "a.csv", store.put(content), len(content)
        )
        service.queue_run(
            session, COMMAND_LINE, NOW, run_id, service.RunOptions(), dry_run=False, as_work=False
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    began = time.perf_counter()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bars: dict[str, Any] = {}

        def watch(phase: str, done: int, total: int) -> None:
            if phase not in bars:
                bars[phase] = progress.add_task(phase, total=total)
            progress.update(bars[phase], completed=done)

        runner.execute(database, store, run_id, importing.words(Kind.CONTRACTS), lambda: NOW, watch=watch)
    took = time.perf_counter() - began
    with database.read() as session:
        return queries.run(session, COMMAND_LINE, run_id), took


def floor(database: Database, since: dict[str, int]) -> tuple[int, float]:
    """Rows and seconds of a bare executemany of everything added after the ids of `since`."""
    work: list[tuple[str, Sequence[Any]]] = []
    with database.connect_for_writing() as connection:
        for model in (Contract, ContractEvent, AuditRecord, Movement):
            table = t(model)
            shown = [
                f"CAST({c.name} AS TEXT)"
                if isinstance(c.type, sa.JSON) and not database.is_sqlite
                else c.name
                for c in table.c
            ]
            rows = connection.exec_driver_sql(
                f"SELECT {', '.join(shown)} FROM {table.name} WHERE id > {since[table.name]}"
            ).all()
            copied = f"floor_{table.name}"
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {copied}")
            connection.exec_driver_sql(f"CREATE TABLE {copied} AS SELECT * FROM {table.name} WHERE 1 = 0")
            names = ", ".join(c.name for c in table.c)
            marks = ", ".join(["?" if database.is_sqlite else "%s"] * len(shown))
            work.append((f"INSERT INTO {copied} ({names}) VALUES ({marks})", [tuple(row) for row in rows]))
        connection.commit()
        connection.begin()
        cursor: Any = connection.connection.cursor()
        began = time.perf_counter()
        for statement, rows in work:
            cursor.executemany(statement, rows)
        connection.commit()
        took = time.perf_counter() - began
        for model in (Contract, ContractEvent, AuditRecord, Movement):
            connection.exec_driver_sql(f"DROP TABLE floor_{t(model).name}")
        connection.commit()
    return sum(len(rows) for _, rows in work), took


def measure(database: Database, count: int) -> list[Row]:
    """Import, floor, and the same file again."""
    _members(database)
    content = made(count)
    with database.read() as session:
        since = {
            t(model).name: session.scalar(sa.select(sa.func.max(t(model).c.id))) or 0
            for model in (Contract, ContractEvent, AuditRecord, Movement)
        }
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        store = DiskStore(Path(folder))
        before = _memory("VmRSS")
        run, took = once(database, store, content)
        grown = _memory("VmHWM") - before
        if run.state is not RunState.DONE or run.created != count:
            raise SystemExit(f"the import did not take everything: {run.state} {run.problems[:3]}")
        rows, bare = floor(database, since)
        again, second = once(database, store, content)
        if again.unchanged != count:
            raise SystemExit("the same file again changed something")
    row = {
        "bench": "contract_import",
        "database": "sqlite" if database.is_sqlite else "postgresql",
        "contracts": count,
        "rows": rows,
        "file_mib": round(len(content) / 2**20, 1),
        "import_s": round(took, 1),
        "contracts_per_s": round(count / took),
        "floor_s": round(bare, 2),
        "floor_contracts_per_s": round(count / bare),
        "ratio": round(took / bare, 1),
        "again_s": round(second, 1),
        "rss_growth_mib": round(grown / 2**20),
        "load": round(os.getloadavg()[0], 2),
    }
    say(
        f"{row['database']}: {count:,} contracts in {took:.1f} s ({row['contracts_per_s']:,}/s), bare executemany "
        f"of their {rows:,} rows {bare:.1f} s: {row['ratio']} times; again {second:.1f} s; memory grew "
        f"{row['rss_growth_mib']} MiB; {load_average()}"
    )
    return [row]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contracts", type=int, default=CONTRACTS)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), help="default: both")
    options = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench") as name, databases(Path(name)) as found:
        for dialect, url in found.items():
            if options.engine in (None, dialect):
                database = Database(url)
                try:
                    migrations.upgrade(database)
                    rows += measure(database, options.contracts)
                finally:
                    database.dispose()
    emit(rows)


if __name__ == "__main__":
    main()
