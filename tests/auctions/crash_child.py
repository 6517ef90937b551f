"""A writer process to be killed: bids as fast as it can, telling what it sends and what it is answered.

Lines out: `S id person amount` before a bid is submitted, `A <answer as JSON>` once it is answered.
Lines in, first: bids of earlier lives that were never answered, then an empty line.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import threading
from typing import Any

from auctions.bus import LocalBus
from auctions.receipts import Signer
from auctions.rules.commands import PlaceBid
from auctions.writer import Writer
from market.clock import FixedClock
from market.db import Database

_out = threading.Lock()


def say(kind: str, value: str) -> None:
    with _out:
        sys.stdout.write(f"{kind} {value}\n")
        sys.stdout.flush()


def main(url: str, lot_id: int, at: str, life: str, people: list[int], base: int) -> None:
    clock = FixedClock(dt.datetime.fromisoformat(at))
    writer = Writer(Database(url), clock, Signer(bytes(32)), LocalBus(), max_batch=16)
    writer.start()

    def bid(id_: str, person: int, amount: int) -> None:
        say("S", f"{id_} {person} {amount}")
        command = PlaceBid(
            lot_id=lot_id, person_id=person, client_bid_id=id_, amount_fen=amount, received_at=clock.now()
        )
        answer = writer.submit(command).result(30)
        content: Any = json.loads((answer.receipt or {})["content"])
        say("A", json.dumps({"id": id_, "person": person, "receipt": answer.receipt, "content": content}))

    for line in iter(sys.stdin.readline, "\n"):
        id_, person, amount = line.split()
        bid(id_, int(person), int(amount))

    def rush(mine: int) -> None:
        for n in range(100_000):
            bid(f"{life}-{mine}-{n:06d}", people[mine], base + (n * len(people) + mine) * 10_000)

    threads = [threading.Thread(target=rush, args=(n,)) for n in range(len(people))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    _, url_, lot_, at_, life_, people_, base_ = sys.argv
    main(url_, int(lot_), at_, life_, json.loads(people_), int(base_))
