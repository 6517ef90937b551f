"""Killed at any instant, the writer has kept every answer it gave, and gives it again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from auctions import queries, receipts
from auctions.bus import LocalBus
from auctions.receipts import Signer
from auctions.rules import commands as c
from auctions.verify import verify_lines
from auctions.writer import Writer
from market.clock import FixedClock
from market.db import Database
from tests.auctions.rows import OPENS, stage

ROOT = Path(__file__).parents[2]
PUBLIC = Signer(bytes(32)).public_key


class Parent:
    def __init__(self, database: Database, lot: int, people: list[int]) -> None:
        self.url = database.url.render_as_string(hide_password=False)
        self.lot, self.people = lot, people
        self.unanswered: dict[str, str] = {}
        self.answers: dict[tuple[str, int], dict[str, Any]] = {}
        self.again = 0
        self.base = 1_000_000

    def life(self, number: int, answers: int) -> None:
        """Let a writer live until it has given so many answers, then kill it."""
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.auctions.crash_child",
                self.url,
                str(self.lot),
                OPENS.isoformat(),
                f"life{number:03d}",
                json.dumps(self.people),
                str(self.base),
            ],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        retries = set(self.unanswered)
        process.stdin.write("".join(f"{line}\n" for line in self.unanswered.values()) + "\n")
        process.stdin.flush()
        seen = 0
        for line in process.stdout:
            seen += self._take(line, retries)
            if seen >= answers + len(retries):
                process.send_signal(signal.SIGKILL)
                break
        for line in process.stdout:  # what it had still written before it died
            self._take(line, retries)
        process.wait()
        process.stdin.close()
        process.stdout.close()
        assert seen, "the writer gave no answer at all"

    def _take(self, line: str, retries: set[str]) -> int:
        if not line.endswith("\n"):
            return 0
        kind, _, value = line.rstrip("\n").partition(" ")
        if kind == "S":
            self.unanswered[value.split()[0]] = value
            return 0
        answer = json.loads(value)
        self.unanswered.pop(answer["id"], None)
        key = (answer["id"], answer["person"])
        assert key not in self.answers
        self.answers[key] = answer
        self.again += answer["id"] in retries and answer["content"]["accepted"]
        if answer["content"]["accepted"]:
            self.base = max(self.base, answer["content"]["amount_fen"] + 10_000)
        return 1


def killed(database: Database, kills: int) -> None:
    (lot,), (actors,), _ = stage(database, bidders=4)
    writer = Writer(database, FixedClock(OPENS), Signer(bytes(32)), LocalBus())
    writer.start()
    assert writer.submit(c.Open(lot_id=lot)).result(20).accepted
    assert writer.stop(20)
    parent = Parent(database, lot, [actor.person_id or 0 for actor in actors])
    throw = random.Random(5)
    for number in range(kills):
        parent.life(number, throw.randint(1, 60))
    contents = []
    for answer in parent.answers.values():
        content = receipts.verify(answer["receipt"], PUBLIC)
        assert content == answer["content"]
        contents.append(content)
    with database.read() as session:
        report = verify_lines(queries.export_journal(session, lot), contents)
        kept = {
            (line.client_bid_id, actor.person_id): line.receipt
            for actor in actors
            for line in queries.bid_answers(session, lot, actor.person_id or 0, 100_000)
        }
    assert report.violations == []
    accepted = [content for content in contents if content and content["accepted"]]
    assert accepted
    assert len({content["seq"] for content in accepted}) == len(accepted)
    for key, answer in parent.answers.items():
        assert kept[key] == answer["receipt"]


def test_killed_a_few_times(database: Database) -> None:
    killed(database, 2)


@pytest.mark.long
def test_killed_many_times(database: Database) -> None:
    killed(database, 10)
