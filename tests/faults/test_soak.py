"""A full hall for a minute, with a restart in the middle: nobody loses anything without being told."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import time
from pathlib import Path

import pytest

from market.db import Database
from tests.faults.checks import IN_TIME, judge, same_end
from tests.faults.clients import Bidder, Crowd, Record, Watcher, World
from tests.faults.seeds import seed
from tests.faults.servers import environment, free_port, market_serve
from tests.faults.staging import stage
from tests.faults.test_kill import settle_work, settled_once
from tests.faults.test_processes import lag

WATCHERS, BIDDERS, HALF_S = 600, 200, 20.0


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_full_hall_and_a_restart(sqlite_database: Database, tmp_path: Path) -> None:
    """`market serve` is told to stop and started again while eight hundred sockets watch and bids go on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))
    record = Record()
    port = free_port()
    staged = stage(
        sqlite_database, bidders=BIDDERS, opens_in_s=8.0, lasts_s=30.0, window_s=30, extension_s=30
    )
    env = environment(tmp_path / "data", sqlite_database.url.render_as_string(hide_password=False), port)
    world = World(
        staged.lot, lambda _name, _tries: f"127.0.0.1:{port}", record, seed(), ping_s=20.0, deaf_s=60.0,
        wait_s=15.0, longest_pause_s=3.0, forwarded=True,
    )  # fmt: skip

    async def scene() -> None:
        watchers = [Watcher(f"watcher{number}", world) for number in range(WATCHERS)]
        bidders = [
            Bidder(
                f"bidder{n}", world, who.person_id, who.alias, who.token, tmp_path / f"notes{n}",
                pace_s=12.0, by_http=0.1,
            )
            for n, who in enumerate(staged.bidders)
        ]  # fmt: skip
        with contextlib.ExitStack() as alive:
            server = alive.enter_context(market_serve(env))
            await asyncio.to_thread(server.wait_listening)
            async with Crowd(world, watchers, bidders) as crowd:
                await crowd.until(
                    lambda: all(each.greeted.is_set() for each in crowd.everybody), 240, "a full hall"
                )
                began = time.monotonic()
                await asyncio.sleep(HALF_S)
                lost = record.counts["connections lost"]
                print("first half:", lag(record, began, time.monotonic()))
                server.send(signal.SIGTERM)
                assert await asyncio.to_thread(server.wait, 120), "the server did not end when told to"
                server = alive.enter_context(market_serve(env))
                await asyncio.to_thread(server.wait_listening)
                await crowd.until(
                    lambda: all(each.greeted.is_set() for each in crowd.everybody), 240, "the hall full again"
                )
                again = time.monotonic()
                await asyncio.sleep(HALF_S)
                print("second half:", lag(record, again, time.monotonic()))
                await crowd.settle(180)
                await crowd.until(crowd.closed, 180, "the end of the lot")
                await crowd.until(crowd.level, 120, "everybody at the same head")
                ends = {each.name: (each.seq, each.hash, each.digest) for each in crowd.everybody}
            server.send(signal.SIGTERM)
            assert await asyncio.to_thread(server.wait, 120), "the server did not end when told to"
        settle_work(sqlite_database)
        verdict = judge(sqlite_database, staged, record)
        same_end(verdict, ends)
        print("connections lost before the restart:", lost)
        print("clients:", dict(record.counts))
        print(verdict)
        assert verdict.violations == []
        assert verdict.counts[IN_TIME] == 0
        assert len(ends) == WATCHERS + BIDDERS
        assert record.counts["told to come back"] >= len(ends) - lost
        settled_once(sqlite_database, staged.lots)

    asyncio.run(scene())
