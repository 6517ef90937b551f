"""The judgement itself: it finds what it is there to find."""

from __future__ import annotations

import random
from pathlib import Path

from auctions.protocol import project
from tests.faults.checks import Verdict, out_of_order, same_end
from tests.faults.clients import Bidder, Notebook, Record, World, digest

VIEW = {"state": "live", "price_fen": None, "bid_count": 0, "recent": []}


def bidder(tmp_path: Path) -> Bidder:
    world = World(1, lambda _name, _tries: "127.0.0.1:1", Record(), 7)
    return Bidder("bidder1", world, 1, 1, "token", tmp_path / "notes")


def test_a_history_made_in_real_time_is_in_order() -> None:
    throw = random.Random(11)
    operations = []
    for seq in range(1, 400):
        # Each takes effect at its own instant, somewhere between its beginning and its end.
        operations.append((seq - throw.uniform(0, 9), seq + throw.uniform(0, 9), 2 * seq, f"bid {seq}"))
        operations.append((seq + 0.5 - throw.random(), seq + 0.5 + throw.random(), 2 * seq + 1, "read"))
    throw.shuffle(operations)
    assert list(out_of_order(operations)) == []


def test_what_contradicts_real_time_is_found() -> None:
    later_first = [(1.0, 2.0, 2 * 8, "eight"), (3.0, 4.0, 2 * 7, "seven")]
    assert list(out_of_order(later_first)) == [("eight", "seven")]
    stale = [(1.0, 2.0, 2 * 8, "bid"), (3.0, 4.0, 2 * 7 + 1, "stale read")]
    assert list(out_of_order(stale)) == [("bid", "stale read")]
    too_soon = [(1.0, 2.0, 2 * 8 + 1, "read"), (3.0, 4.0, 2 * 8, "bid seen before it was made")]
    assert list(out_of_order(too_soon)) == [("read", "bid seen before it was made")]
    unknown = [(1.0, float("inf"), 2 * 9, "never answered"), (3.0, 4.0, 2 * 8, "bid")]
    assert list(out_of_order(unknown)) == []


def test_a_client_notices_gaps_doubles_and_older_snapshots(tmp_path: Path) -> None:
    def snapshot(seq: int) -> dict[str, object]:
        return {"type": "snapshot", "epoch": "e", "seq": seq, "hash": "h", "state": VIEW}

    def event(seq: int) -> dict[str, object]:
        return {
            "type": "event", "seq": seq, "kind": "announcement", "state": "live", "ends_at": "", "hash": "h",
            "data": {"text": "…"},
        }  # fmt: skip

    def faults(*messages: dict[str, object]) -> int:
        client = bidder(tmp_path)
        for message in messages:
            client._take(message, None)  # type: ignore[arg-type]
        return len(client.world.record.faults)

    bundle = {"type": "events", "events": [event(6), event(7)]}
    assert faults(snapshot(5), bundle, event(8)) == 0
    assert faults(snapshot(5), event(7)) == 1
    assert faults(snapshot(5), event(6), event(6)) == 1
    assert faults(snapshot(5), snapshot(4)) == 1
    assert faults(snapshot(5), {"type": "heartbeat", "seq": 6, "hash": "h"}) == 1
    assert faults(event(1)) == 1
    client = bidder(tmp_path)
    client.known, client._asked, client._fresh = 9, 9, True
    client._take(snapshot(8), None)  # type: ignore[arg-type]
    assert any("R2" in fault for fault in client.world.record.faults)


def test_different_ends_are_told_apart() -> None:
    verdict = Verdict()
    other = project(VIEW, {"kind": "announcement", "state": "live", "ends_at": "", "data": {"text": "…"}})
    same_end(verdict, {"one": (5, "h", digest(VIEW)), "two": (5, "h", digest(other))})
    assert len(verdict.violations) == 1


def test_a_notebook_gives_back_what_was_not_answered(tmp_path: Path) -> None:
    Notebook(tmp_path / "notes").plan("first", 100)
    Notebook(tmp_path / "notes").plan("second", 200)
    Notebook(tmp_path / "notes").done("first")
    assert Notebook(tmp_path / "notes").open_bids() == [("second", 200)]
