"""The serving process is killed again and again while clients bid: nothing that was promised is lost.

The server is `market serve` over its own data folder, forked from a warm process. Deaths come at random
instants from outside, and from inside at the instants that matter most: on either side of a commit, before
and after publication, between a piece of work's claim and its end. The seed is printed.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from market import work
from market.clock import SystemClock
from market.db import Database, t
from market.deals.models import Contract
from tests.faults.checks import IN_TIME, judge, same_end
from tests.faults.clients import Bidder, Crowd, Record, Watcher, World
from tests.faults.seeds import seed
from tests.faults.servers import Nursery, Process, environment, free_port, nursery
from tests.faults.staging import stage
from web import settlement

POINTS = ("before_commit", "after_commit", "before_publish", "after_publish")
WORK_POINTS = ("between_work", "after_work")


def killed(database: Database, folder: Path, *, kills: int, bidders: int, watchers: int, lots: int) -> None:
    """Kill the server so many times while the crowd bids, then let the lot end and judge."""
    throw = random.Random(seed())
    port = free_port()
    url = database.url.render_as_string(hide_password=False)
    env = environment(folder / "data", url, port)
    record = Record()
    staged = stage(
        database, bidders=bidders, opens_in_s=2.0, lasts_s=15.0, window_s=15, extension_s=10,
        more_lots_ending_s=tuple(1.0 + 1.5 * number for number in range(lots)),
    )  # fmt: skip
    world = World(staged.lot, lambda _name, _try: f"127.0.0.1:{port}", record, throw.randrange(2**32))
    deaths: Counter[str] = Counter()

    async def lives(server: Process, answers: int) -> bool:
        """Until clients were told so many answers, and a random moment more; whether it died meanwhile."""
        end, before = time.monotonic() + 20.0, record.counts["answers"]
        while record.counts["answers"] < before + answers and time.monotonic() < end:
            if await asyncio.to_thread(server.wait, 0.004):
                return True
        await asyncio.sleep(throw.uniform(0.0, 0.02))
        return not server.alive

    async def die(warm: Nursery) -> None:
        """One life of the server, and its death."""
        plan = None
        if throw.random() < 0.35:
            # Where it died least so far: a point that was planned and not reached comes up again.
            points = (*POINTS, *WORK_POINTS)
            least = min(deaths[point] for point in points)
            point = throw.choice([point for point in points if deaths[point] == least])
            plan = f"{point}:{0 if point in WORK_POINTS else throw.randint(0, 12)}"
        server = warm.serve(env, death=plan)
        if throw.random() < 0.1:  # while it starts
            await asyncio.sleep(throw.uniform(0.0, 0.1))
        else:
            await asyncio.to_thread(server.wait_listening)
            if await lives(server, throw.randint(1, 60) if plan is None else 150):
                deaths[plan.partition(":")[0] if plan else "by itself"] += 1
                return
        server.kill()
        deaths["at a random instant"] += 1

    async def scene(warm: Nursery) -> None:
        watching = [Watcher(f"watcher{number}", world) for number in range(watchers)]
        bidding = [
            Bidder(
                f"bidder{number}", world, who.person_id, who.alias, who.token, folder / f"notebook{number}",
                pace_s=0.15,
            )
            for number, who in enumerate(staged.bidders)
        ]  # fmt: skip
        async with Crowd(world, watching, bidding) as crowd:
            for number in range(kills):
                await die(warm)
                if number % 3 == 0:
                    await crowd.restart(throw.choice(crowd.bidders))
                throw.choice(crowd.everybody).drop()
            server = warm.serve(env)
            await crowd.settle(120)
            for _ in range(6):  # the lot ends, or not, while the server dies a few times more
                await asyncio.sleep(throw.uniform(0.3, 1.5))
                server.kill()
                deaths["at a random instant"] += 1
                server = warm.serve(env)
            await asyncio.to_thread(server.wait_listening)
            await crowd.until(crowd.closed, 120, "the end of the lot")
            await crowd.ask_again(1_000)
            await crowd.until(crowd.level, 60, "everybody at the same head")
            ends = {each.name: (each.seq, each.hash, each.digest) for each in crowd.everybody}
            await asyncio.sleep(0.3)
        server.send(signal.SIGTERM)
        assert await asyncio.to_thread(server.wait, 60), "the server did not end when told to"
        settle_work(database)
        verdict = judge(database, staged, record)
        same_end(verdict, ends)
        print("deaths:", dict(deaths), sum(deaths.values()))
        print("clients:", dict(record.counts))
        print(verdict)
        assert verdict.violations == []
        assert verdict.counts[IN_TIME] == 0
        assert sum(deaths.values()) >= kills
        assert verdict.counts["receipts"]
        assert verdict.counts["refusals"]
        assert verdict.counts["lots ended"] == len(staged.lots)
        if kills >= 50:
            assert all(deaths[point] for point in ("before_commit", "after_commit")), deaths
        settled_once(database, staged.lots)

    with nursery() as warm:
        asyncio.run(scene(warm))


def settle_work(database: Database) -> None:
    """Do what work is left, as a server would once the leases of the dead have run out."""
    now = SystemClock().now() + work.LEASE + dt.timedelta(hours=2)
    handlers = {settlement.KIND: settlement.handler(database, SystemClock())}
    for _ in range(1000):
        if not work.run_one(database, handlers, lambda: now):
            return
    raise AssertionError("the work does not end")


def settled_once(database: Database, lots: list[int]) -> None:
    """Every sold lot led to one draft of a contract, and its work is done."""
    w, c = t(work.WorkItem).c, t(Contract).c
    with database.read() as session:
        states = Counter(session.execute(sa.select(w.state).where(w.kind == settlement.KIND)).scalars())
        drafts = Counter(
            session.execute(sa.select(c.source_lot_id).where(c.source_lot_id.in_(lots))).scalars()
        )
    assert states == {"done": len(lots)}
    assert all(count == 1 for count in drafts.values())
    assert drafts, "no contract was drafted for the sold lot"


def test_killed_a_few_times(database: Database, tmp_path: Path) -> None:
    killed(database, tmp_path, kills=4, bidders=8, watchers=4, lots=2)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_killed_fifty_times(database: Database, tmp_path: Path) -> None:
    killed(database, tmp_path, kills=50, bidders=50, watchers=10, lots=20)
