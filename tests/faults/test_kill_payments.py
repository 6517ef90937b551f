"""The process that pursues payments is killed between row, call and record: nothing is done twice or forgotten.

The gateway keeps its own database, so it remembers what it did however its caller ended. Each life begins six
minutes later, when the leases of the dead have run out. The seed is printed.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from market.clock import FixedClock
from market.db import Database, t
from market.payments import collecting, ledger, service
from market.payments.gateway import Gateways, Method
from market.payments.models import Deposit, DepositState, Payment
from market.payments.rules import RestTo
from market.payments.simulated import PayerAct, SimulatedGateway, SimulatedPayment
from market.permissions import Actor, Membership, Role, Via
from tests.conftest import NOW
from tests.faults.seeds import seed
from tests.paying import addresses, bidder

STAFF = Actor(None, "工作人员", Via.SESSION, (Membership(998, "市场", Role.STAFF, True),))
POINTS = ("before_call", "after_call", "after_record")
KILLS = 100
LIFE = dt.timedelta(minutes=6)


@contextmanager
def pursuers(market: str, gateway: str) -> Iterator[subprocess.Popen[str]]:
    """The process that forks the lives."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.pursuer", market, gateway],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield process
        assert process.stdin is not None
        process.stdin.close()


def order(process: subprocess.Popen[str], **values: object) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(values) + "\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@pytest.mark.long
def test_no_death_doubles_a_capture_or_forgets_a_refund(database: Database, tmp_path: Path) -> None:
    throw = random.Random(seed())
    outside = Database(f"sqlite:///{tmp_path / 'gateway.db'}")
    t(SimulatedPayment).create(outside.engine)
    clock = FixedClock(NOW)
    gateway = SimulatedGateway(outside, clock)
    market_url = database.url.render_as_string(hide_password=False)
    deaths: Counter[str] = Counter()
    lot, life = 0, 0
    deposits: list[int] = []
    with pursuers(market_url, outside.url.render_as_string(hide_password=False)) as process:
        while sum(deaths.values()) < KILLS:
            life += 1
            assert life < 20 * KILLS, deaths
            if life % 4 == 1:
                lot += 1
                deposits += _a_lot_closes(database, clock, gateway, lot, throw)
            clock.advance(seconds=LIFE.total_seconds())
            if throw.random() < 0.75:
                least = min(deaths[point] for point in POINTS)
                point = throw.choice([one for one in POINTS if deaths[one] == least])
                plan = {"point": point, "passages": throw.randint(0, 6)}
            else:
                point, plan = "at a random instant", {"seconds": throw.uniform(0.0, 0.25)}
            if order(process, at=clock.now().isoformat(), **plan) == "killed":
                deaths[point] += 1
        for _ in range(12):
            clock.advance(seconds=7 * 3600)
            assert order(process, at=clock.now().isoformat()) == "done"
    print("deaths:", dict(deaths), "lives:", life, "deposits:", len(deposits))
    assert all(deaths[point] >= KILLS // 8 for point in POINTS), deaths
    _everything_ended_once(database, outside, deposits)
    outside.dispose()


def _a_lot_closes(
    database: Database, clock: FixedClock, gateway: SimulatedGateway, lot: int, throw: random.Random
) -> list[int]:
    """Four deposits are put down; the lot closes, one wins, one forfeits; what follows is left to the pursuers."""
    found = []
    with database.write() as session:
        people = [bidder(session, clock.now()) for _ in range(4)]
    for actor, organisation in people:
        with database.write() as session:
            deposit = service.request_deposit(session, actor, clock.now(), lot, organisation, 1_000)
            method = throw.choice([Method.CARD, Method.ALIPAY])
            payment = service.begin_payment(session, actor, clock.now(), deposit, gateway, method)
        collecting.pursue(database, clock, Gateways((gateway,)), addresses, payment)
        gateway.act(f"sim-{payment}", PayerAct.SUCCEED)
        if throw.random() < 0.8:
            collecting.pursue(database, clock, Gateways((gateway,)), addresses, payment)
        found.append(deposit)
    with database.write() as session:
        service.settle_lot_deposits(session, clock.now(), lot, people[0][1])
        rows = {
            row.id: row.state for row in session.scalars(sa.select(Deposit).where(t(Deposit).c.id.in_(found)))
        }
        if rows[found[0]] == DepositState.HELD:
            match throw.randrange(3):
                case 0:
                    service.apply_deposit(session, STAFF, clock.now(), found[0])
                case 1:
                    service.forfeit_deposit(
                        session, STAFF, clock.now(), found[0], reason="悔拍", costs_fen=100, shortfall_fen=250,
                        rest_to=throw.choice(list(RestTo)),
                    )  # fmt: skip
    return found


def _everything_ended_once(database: Database, outside: Database, deposits: list[int]) -> None:
    p, d, s = t(Payment).c, t(Deposit).c, t(SimulatedPayment).c
    with outside.read() as session:
        there = {row.reference: row for row in session.execute(sa.select(t(SimulatedPayment)).order_by(s.id))}
    with database.read() as session:
        states = Counter(session.scalars(sa.select(d.state).where(d.id.in_(deposits))))
        assert set(states) <= {"released", "held", "applied", "forfeited"}, states
        assert states["released"] >= len(deposits) // 2
        payments = session.execute(sa.select(t(Payment)).where(p.deposit_id.in_(deposits))).all()
        for row in payments:
            seen = there[row.reference]
            refunded = [one["amount_fen"] for one in seen.refunds]
            assert len(refunded) <= 1, "one decision, one refund"
            kept = row.amount_fen if row.keep_fen is None else row.keep_fen
            if row.method == "card":
                assert seen.captured_fen == (row.keep_fen or 0) or sum(refunded) == seen.captured_fen - kept
            assert seen.captured_fen - sum(refunded) == (row.keep_fen or 0)
            assert (row.captured_fen, row.refunded_fen) == (seen.captured_fen, sum(refunded))
            assert row.settled
        assert not [
            code
            for (code, _), fen in ledger.balances(session).items()
            if code.startswith("returning") and fen
        ]
        assert set(ledger.total(session).values()) <= {0}
