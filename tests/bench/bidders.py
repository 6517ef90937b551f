"""Bidders in one process: bids at a steady rate over websockets, and when each was sent and answered.

    python -m tests.bench.bidders PORT LOT RATE SECONDS FIRST_FEN STEP_FEN TOKEN…

Bids go out one after the other over the sockets of the tokens' holders, each one step above the last, on
schedule whatever the answers. The last line of standard output is JSON: for each bid
[sent, answered, seq or null], instants of CLOCK_MONOTONIC in nanoseconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import websockets

ANSWERS = ('{"v":1,"type":"receipt"', '{"v":1,"type":"refused"')
Line = list[int | None]


async def listen(connection: Any, lines: dict[str, Line]) -> None:
    """Note the answers of one socket."""
    async for text in connection:
        if not text.startswith(ANSWERS):
            continue
        at = time.monotonic_ns()
        answer = json.loads(text)
        line = lines[answer["client_bid_id"]]
        line[1], line[2] = at, answer["seq"] if answer["type"] == "receipt" else None


async def bid(
    port: int, lot: int, rate: float, seconds: float, first: int, step: int, tokens: list[str]
) -> list[Line]:
    """Bid, and wait a while for the last answers."""
    connections = []
    for token in tokens:
        connection = await websockets.connect(
            f"ws://127.0.0.1:{port}/ws/lots/{lot}",
            additional_headers={"authorization": f"Bearer {token}"},
            compression=None,
            max_size=None,
        )
        await connection.send('{"v":1,"type":"hello"}')
        while json.loads(await connection.recv())["type"] != "you":
            continue
        connections.append(connection)
    lines: dict[str, Line] = {}
    listeners = [asyncio.create_task(listen(connection, lines)) for connection in connections]
    started = time.monotonic()
    for number in range(int(rate * seconds)):
        wait = started + number / rate - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        id_ = f"bench-{number:08}"
        lines[id_] = [time.monotonic_ns(), None, None]
        text = json.dumps({"v": 1, "type": "bid", "client_bid_id": id_, "amount_fen": first + number * step})
        await connections[number % len(connections)].send(text)
    for _ in range(200):
        if all(line[1] for line in lines.values()):
            break
        await asyncio.sleep(0.05)
    for listener in listeners:
        listener.cancel()
    return list(lines.values())


def main() -> None:
    """Bid once."""
    port, lot, rate, seconds, first, step, *tokens = sys.argv[1:]
    done = bid(int(port), int(lot), float(rate), float(seconds), int(first), int(step), tokens)
    print(json.dumps(asyncio.run(done)))


if __name__ == "__main__":
    main()
