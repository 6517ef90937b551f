"""What well-behaved bidders notice of hostile clients: send to receipt, calm and under each attack.

    python -m tests.bench.bench_hostile [--seconds 6] [--bidders 6] [--rate 6] [--only NAME] [--runs 1]

The market is served as by `market serve`, on SQLite. Bidders at one address bid in turn in one room and note
how long each signed answer took. Each attack of `tests.faults.hostile` comes from another address and a
process of its own at the lowest priority; before and after it the same bidders bid in calm, and `ratio` is
the attack's p99 beside theirs. `cpu` is the share of one core that the server used, which other work on
the machine does not change; read the load before believing a latency.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import migrations
from market.db import Database
from tests.bench.floor import emit, load_average, median, say
from tests.faults import hostile, servers, staging


@dataclass
class Slice:
    """What was measured for a while: seconds of the answers, and the server's share of a core."""

    took: list[float]
    cpu: float

    @property
    def p50(self) -> float:
        """Milliseconds."""
        return hostile.percentile(self.took, 0.5) * 1000

    @property
    def p99(self) -> float:
        """Milliseconds."""
        return hostile.percentile(self.took, 0.99) * 1000


def cpu_seconds(pid: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Bench:
    """One served market and its bidders."""

    def __init__(self, process: servers.Process, stage: staging.Stage, stranger: str, seconds: float) -> None:
        self.process, self.stage, self.stranger, self.seconds = process, stage, stranger, seconds

    async def slice(self, friends: hostile.Friends) -> Slice:
        """Bid for a while."""
        used = cpu_seconds(self.process.pid)
        took = await friends.bid(self.seconds)
        return Slice(took, (cpu_seconds(self.process.pid) - used) / self.seconds)

    async def run(self, names: list[str], runs: int, rate: float) -> list[dict[str, Any]]:
        """Every attack, each between two calm slices."""
        friends = hostile.Friends(self.process.port, self.stage.lot, self.stage.bidders, rate)
        await friends.come()
        await friends.bid(3.0)  # what is made once is made
        rows = []
        calm = await self.slice(friends)
        for name in names:
            ratios, before_p99, slices, outcome = [], [], [], {}
            for _ in range(runs):
                attack = asyncio.create_task(
                    hostile.run(name, self.process.port, self.stage.lot, self.seconds + 1.0, self.stranger)
                )
                await asyncio.sleep(1.0)
                under = await self.slice(friends)
                outcome = await attack
                await asyncio.sleep(5.0)  # what the doorkeeper holds back is over
                after = await self.slice(friends)
                both = Slice(calm.took + after.took, (calm.cpu + after.cpu) / 2)
                ratios.append(under.p99 / both.p99)
                before_p99.append(both.p99)
                slices.append(under)
                last_calm, calm = both, after
            row = {
                "bench": "hostile",
                "attack": name,
                "calm_p99_ms": round(median(before_p99), 1),
                "p50_ms": round(median([each.p50 for each in slices]), 1),
                "p99_ms": round(median([each.p99 for each in slices]), 1),
                "ratio": round(median(ratios), 2),
                "cpu": round(median([each.cpu for each in slices]), 2),
                "calm_cpu": round(last_calm.cpu, 2),
                "load": round(os.getloadavg()[0], 1),
                "outcome": outcome,
                "faults": len(friends.faults),
            }
            rows.append(row)
            say(
                f"{name:<15} calm p99 {row['calm_p99_ms']:7.1f} ms, under attack p50 {row['p50_ms']:6.1f} "
                f"p99 {row['p99_ms']:7.1f} ms, ratio {row['ratio']:5.2f}, server {row['cpu']:.2f} of a core "
                f"(calm {row['calm_cpu']:.2f}), load {row['load']}, {outcome} {friends.faults[:2]}"
            )
        await friends.leave()
        return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=6.0, help="length of a slice")
    parser.add_argument("--bidders", type=int, default=6)
    parser.add_argument("--rate", type=float, default=6.0, help="bids a second of each bidder")
    parser.add_argument("--runs", type=int, default=1, help="times each attack is made")
    parser.add_argument("--only", default="", help="some attacks, by name, with commas")
    options = parser.parse_args()
    names = [name for name in hostile.ATTACKS if not options.only or name in options.only.split(",")]
    say(load_average())
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'market.db'}"
        database = Database(url)
        migrations.upgrade(database)
        stage = staging.stage(database, bidders=options.bidders, opens_in_s=2, lasts_s=7200)
        strangers = staging.stage(database, bidders=1, opens_in_s=2, lasts_s=7200)
        env = servers.environment(folder / "data", url, servers.free_port())
        with servers.market_serve(env) as process:
            process.wait_listening()
            bench = Bench(process, stage, strangers.bidders[0].token, options.seconds)
            rows = asyncio.run(bench.run(names, options.runs, options.rate))
        database.dispose()
    say(load_average())
    emit(rows)


if __name__ == "__main__":
    main()
