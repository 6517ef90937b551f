"""The database goes away, or stands still, or clients do: no false word to anybody."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from market.db import Database
from migrations import upgrade
from tests import services
from tests.conftest import HOW_POSTGRES, missing
from tests.faults.checks import IN_TIME, judge, same_end
from tests.faults.clients import Record, World
from tests.faults.proxy import Relay
from tests.faults.seeds import seed
from tests.faults.servers import environment, free_port, frozen, nursery
from tests.faults.staging import stage
from tests.faults.test_kill import settle_work, settled_once
from tests.faults.test_processes import busy, crowd_of


@pytest.fixture
def own_postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Database, int]]:
    """A PostgreSQL server that the test may stop: its database, and the id of its first process."""
    monkeypatch.delenv("MARKET_TEST_DATABASE_URL", raising=False)
    with services.postgres() as url:
        if url is None:
            missing("PostgreSQL", HOW_POSTGRES)
        assert url is not None
        address = make_url(url)
        pid = int(Path(str(address.query["host"]), "data", "postmaster.pid").read_text().split()[0])
        database = Database(address)
        upgrade(database)
        yield database, pid
        database.dispose()


def terminate(database: Database, throw: random.Random) -> int:
    """End some of the servers' connections, whatever they are at; how many."""
    with database.write() as session:
        pids = session.execute(
            sa.text(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        ).scalars()
        chosen = [pid for pid in pids if throw.random() < 0.7]
        for pid in chosen:
            session.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    return len(chosen)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_database_goes_away(own_postgres: tuple[Database, int], tmp_path: Path) -> None:
    """Connections are cut in the midst of batches; the database stands still for a moment; then for so
    long that the end passes and the lot is extended by its published rule."""
    database, postmaster = own_postgres
    record = Record()
    staged = stage(
        database, bidders=20, opens_in_s=2.0, lasts_s=8.0, window_s=8, extension_s=6, outage_grace_s=10,
        outage_extension_s=60,
    )  # fmt: skip
    ports = [free_port() for _ in range(2)]
    url = database.url.render_as_string(hide_password=False)

    with nursery() as warm:

        async def scene() -> None:
            throw = random.Random(seed())
            servers = [
                warm.serve(environment(tmp_path / f"data{n}", url, port)) for n, port in enumerate(ports)
            ]
            for server in servers:
                await asyncio.to_thread(server.wait_listening)
            world = World(
                staged.lot,
                lambda name, tries: f"127.0.0.1:{ports[(sum(name.encode()) + tries) % 2]}",
                record,
                throw.randrange(2**32),
            )
            async with crowd_of(world, staged, 20, tmp_path, 0.2) as crowd:
                await busy(record, crowd, 20, "bids")
                cut = 0
                for _ in range(40):
                    cut += await asyncio.to_thread(terminate, database, throw)
                    await asyncio.sleep(throw.uniform(0.02, 0.3))
                await busy(record, crowd, 20, "bids after connections were cut")
                told = await stand_still(record, postmaster, 4.0)
                await busy(record, crowd, 20, "bids after the database stood still")
                # Nobody bids while the end passes, save who tries in vain.
                told += await stand_still(record, postmaster, 20.0)
                await busy(record, crowd, 20, "bids after the end had passed")
                await crowd.settle(120)
                await crowd.ask_again(1_000)
                await crowd.until(crowd.level, 60, "everybody at the same head")
                ends = {each.name: (each.seq, each.hash, each.digest) for each in crowd.everybody}
            for server in servers:
                server.send(signal.SIGTERM)
            for server in servers:
                assert await asyncio.to_thread(server.wait, 120), "a server did not end when told to"
            verdict = judge(database, staged, record, ended=False)
            same_end(verdict, ends)
            print("connections cut:", cut)
            print("clients:", dict(record.counts))
            print(verdict)
            assert verdict.violations == []
            assert told == 0, "an answer by the rules came while the database stood still"
            assert extensions(database, staged.lot) == 1

        asyncio.run(scene())


async def stand_still(record: Record, postmaster: int, seconds: float) -> int:
    """Stop the database; how many answers by the rules were given meanwhile."""
    with frozen(postmaster):
        await asyncio.sleep(1.0)  # what was answered before is still on its way
        before = record.counts["answers"]
        await asyncio.sleep(seconds - 1.0)
        return record.counts["answers"] - before


def extensions(database: Database, lot: int) -> int:
    """How often a lot was extended because the market was out of reach."""
    with database.read() as session:
        count: int = session.execute(
            sa.text("SELECT count(*) FROM journal_entry WHERE lot_id = :lot AND kind = 'outage_extended'"),
            {"lot": lot},
        ).scalar_one()
    return count


@pytest.mark.long
@pytest.mark.timeout(900)
def test_clients_fall_silent(sqlite_database: Database, tmp_path: Path) -> None:
    """Half of the clients lose what they send, or what they are sent, without either side being told:
    bids that arrived count once, bids that did not are sent again, and the dead sockets are let go."""
    record = Record()
    staged = stage(sqlite_database, bidders=20, opens_in_s=2.0, lasts_s=8.0, window_s=8, extension_s=6)
    port = free_port()
    url = sqlite_database.url.render_as_string(hide_password=False)

    with nursery() as warm:

        async def scene() -> None:
            throw = random.Random(seed())
            server = warm.serve(environment(tmp_path / "data", url, port))
            await asyncio.to_thread(server.wait_listening)
            relay = Relay(port)
            await relay.start()

            def address(name: str, tries: int) -> str:
                # Every second client has two networks, a bad one and a good one.
                bad = sum(name.encode()) % 2 and tries % 2 == 0
                return f"127.0.0.1:{relay.port if bad else port}"

            world = World(staged.lot, address, record, throw.randrange(2**32))
            async with crowd_of(world, staged, 20, tmp_path, 0.2) as crowd:
                await busy(record, crowd, 20, "bids")
                for _ in range(8):
                    relay.mute, relay.deaf = throw.choice(((True, False), (False, True), (True, True)))
                    await asyncio.sleep(throw.uniform(1.0, 2.5))
                    relay.mute = relay.deaf = False
                    await asyncio.sleep(throw.uniform(0.5, 1.5))
                await busy(record, crowd, 20, "bids on a good network")
                await crowd.settle(120)
                await crowd.until(crowd.closed, 120, "the end of the lot")
                await crowd.ask_again(1_000)
                await crowd.until(crowd.level, 60, "everybody at the same head")
                ends = {each.name: (each.seq, each.hash, each.digest) for each in crowd.everybody}
                await crowd.until(
                    lambda: record.watchers == len(crowd.everybody), 100, "the dead sockets to be let go"
                )
            await relay.stop()
            server.send(signal.SIGTERM)
            assert await asyncio.to_thread(server.wait, 120), "the server did not end when told to"
            settle_work(sqlite_database)
            verdict = judge(sqlite_database, staged, record)
            same_end(verdict, ends)
            print("bytes lost:", relay.dropped)
            print("clients:", dict(record.counts))
            print(verdict)
            assert verdict.violations == []
            assert verdict.counts[IN_TIME] == 0
            assert relay.dropped
            settled_once(sqlite_database, staged.lots)

        asyncio.run(scene())
