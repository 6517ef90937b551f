"""Random histories of deposits with a gateway that fails and a process that dies: not a fen is lost or doubled.

Every call to the gateway may be lost on its way there, or on its way back, or the process may die before or
after it. Messages come late, twice, or never. At the end the faults stop, time passes, and everything must have
come to its end, with the ledger saying what the gateway says.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections import Counter
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.clock import FixedClock
from market.db import Database, t
from market.errors import MarketError
from market.payments import collecting, ledger, service, wishes
from market.payments.gateway import (
    Ask,
    Gateways,
    GatewayUnavailable,
    Method,
    Seen,
    Status,
)
from market.payments.models import (
    AccountKind,
    Deposit,
    DepositState,
    LedgerAccount,
    LedgerTransfer,
    OperationState,
    Payment,
    PaymentOperation,
)
from market.payments.rules import RestTo
from market.payments.simulated import PayerAct, SimulatedGateway, SimulatedPayment
from market.permissions import Actor, Membership, Role, Via
from market.work import run_one
from tests.conftest import NOW
from tests.paying import addresses, bidder, handlers

STAFF = Actor(None, "工作人员", Via.SESSION, (Membership(998, "市场", Role.STAFF, True),))
_lots = itertools.count(1000)
METHODS = (Method.CARD, Method.ALIPAY)


class Died(BaseException):
    """The process is gone; nothing that it would have done next is done."""


class Faulty(SimulatedGateway):
    """The simulated gateway behind a bad line, asked by a process that may die."""

    def __init__(self, database: Database, clock: FixedClock, chance: random.Random, rate: float) -> None:
        super().__init__(database, clock)
        self.chance, self.rate = chance, rate

    def _call(self, act: Callable[[], Seen]) -> Seen:
        fault = self.chance.random() >= self.rate
        if fault:
            return act()
        match self.chance.randrange(4):
            case 0:
                raise GatewayUnavailable
            case 1:
                raise Died
            case 2:
                act()
                raise GatewayUnavailable
            case _:
                act()
                raise Died

    def start(self, key: str, ask: Ask) -> Seen:
        return self._call(lambda: super(Faulty, self).start(key, ask))

    def look(self, reference: str) -> Seen:
        return self._call(lambda: super(Faulty, self).look(reference))

    def capture(self, key: str, reference: str, amount_fen: int) -> Seen:
        return self._call(lambda: super(Faulty, self).capture(key, reference, amount_fen))

    def cancel(self, key: str, reference: str) -> Seen:
        return self._call(lambda: super(Faulty, self).cancel(key, reference))

    def refund(self, key: str, reference: str, amount_fen: int) -> Seen:
        return self._call(lambda: super(Faulty, self).refund(key, reference, amount_fen))

    def authorise_again(self, key: str, ask: Ask, reference: str) -> Seen:
        return self._call(lambda: super(Faulty, self).authorise_again(key, ask, reference))


class World:
    """Two lots, some bidders, and all that may happen to their deposits."""

    def __init__(self, database: Database, seed: int, rate: float) -> None:
        self.database, self.chance = database, random.Random(seed)
        self.clock = FixedClock(NOW)
        self.gateway = Faulty(database, self.clock, self.chance, rate)
        self.gateways = Gateways((self.gateway,))
        self.lots = [next(_lots), next(_lots)]
        with database.write() as session:
            self.people = [bidder(session, NOW) for _ in range(3)]
        self.deposits: list[int] = []
        self.closed: set[int] = set()

    def begin(self) -> None:
        """Most of the bidders put their deposits down, as far as the line lets them."""
        for lot, person in itertools.product(self.lots, self.people):
            if self.chance.random() < 0.7:
                try:
                    self.ask(lot, person)
                except (Died, MarketError):
                    continue
                for payment, reference in self.references()[-1:]:
                    self.gateway.act(reference, PayerAct.SUCCEED)
                    self.message(payment)

    def step(self) -> None:
        act = self.chance.choice(
            [self.ask, self.ask, self.pay, self.pay, self.pay, self.close, self.decide, self.decide,
             self.tell, self.work, self.work, self.sweep, self.wait, self.by_hand]
        )  # fmt: skip
        try:
            act()
        except (Died, MarketError):
            return

    def ask(self, lot: int | None = None, person: tuple[Actor, int] | None = None) -> None:
        lot = lot or self.chance.choice(self.lots)
        actor, organisation = person or self.chance.choice(self.people)
        if lot in self.closed:
            return
        with self.database.write() as session:
            deposit = service.request_deposit(
                session, actor, self.clock.now(), lot, organisation, 1_000 + lot % 7,
                hold_until=self.clock.now() + dt.timedelta(days=30),
            )  # fmt: skip
            if deposit not in self.deposits:
                self.deposits.append(deposit)
            payment = service.begin_payment(
                session, actor, self.clock.now(), deposit, self.gateway, self.chance.choice(METHODS)
            )
        collecting.pursue(self.database, self.clock, self.gateways, addresses, payment)

    def references(self) -> list[tuple[int, str]]:
        p = t(Payment).c
        with self.database.read() as session:
            rows = session.execute(
                sa.select(p.id, p.reference).where(p.deposit_id.in_(self.deposits), p.reference.is_not(None))
            )
            return [(row[0], row[1]) for row in rows]

    def pay(self) -> None:
        found = self.references()
        if found:
            payment, reference = self.chance.choice(found[-2:])
            self.gateway.act(reference, self.chance.choice([PayerAct.SUCCEED] * 25 + list(PayerAct)))
            if self.chance.random() < 0.7:
                self.message(payment)
                self.work()

    def message(self, payment: int) -> None:
        with self.database.write() as session:
            wishes.leave_pursuit(session, payment, self.clock.now(), f"event-{self.chance.random()}")

    def tell(self) -> None:
        for payment, _ in self.references():
            for _ in range(self.chance.randrange(3)):
                self.message(payment)

    def close(self) -> None:
        lot = self.chance.choice(self.lots)
        d = t(Deposit).c
        with self.database.read() as session:
            held = session.scalars(
                sa.select(d.organisation_id).where(d.lot_id == lot, d.state == DepositState.HELD.value)
            ).all()
        winner = self.chance.choice([None, *held, *held])
        forfeiting = [self.chance.choice(self.people)[1]] if self.chance.random() < 0.3 else []
        if lot not in self.closed and self.chance.random() < (0.9 if held else 0.2):
            with self.database.write() as session:
                service.settle_lot_deposits(session, self.clock.now(), lot, winner, forfeiting=forfeiting)
            self.closed.add(lot)

    def decide(self) -> None:
        if not self.deposits:
            return
        d = t(Deposit).c
        with self.database.write() as session:
            waiting = session.scalars(
                sa.select(d.id).where(
                    d.id.in_(self.deposits), d.lot_id.in_(self.closed), d.state == DepositState.HELD.value
                )
            ).all()
            deposit = self.chance.choice([self.chance.choice(self.deposits), *waiting, *waiting])
            row = session.get(Deposit, deposit)
            assert row is not None
            if row.lot_id not in self.closed:
                return
            match self.chance.randrange(3):
                case 0:
                    service.apply_deposit(session, STAFF, self.clock.now(), deposit)
                case 1:
                    service.forfeit_deposit(
                        session, STAFF, self.clock.now(), deposit, reason="悔拍",
                        costs_fen=self.chance.randrange(600), shortfall_fen=self.chance.randrange(900),
                        rest_to=self.chance.choice(list(RestTo)),
                    )  # fmt: skip
                case _:
                    service.release_deposit(session, STAFF, self.clock.now(), deposit)

    def work(self) -> None:
        work = handlers(self.database, self.clock, self.gateways)
        for _ in range(self.chance.randrange(1, 6)):
            if not run_one(self.database, work, self.clock.now):
                return

    def sweep(self) -> None:
        with self.database.write() as session:
            collecting.sweep(session, self.clock.now())

    def wait(self) -> None:
        self.clock.advance(hours=self.chance.choice([0.01, 0.2, 1, 6, 40, 70]))

    def by_hand(self) -> None:
        """Somebody gives money back at the gateway itself, past us."""
        found = self.references()
        if found and self.chance.random() < 0.2:
            _, reference = self.chance.choice(found)
            amount = self.chance.randrange(1, 400)
            SimulatedGateway.refund(self.gateway, f"by-hand-{self.chance.random()}", reference, amount)

    def finish(self) -> None:
        """The faults stop, lots close, time passes."""
        self.gateway.rate = 0.0
        for lot in self.lots:
            if lot not in self.closed:
                with self.database.write() as session:
                    service.settle_lot_deposits(session, self.clock.now(), lot, None)
        # Messages about what was done at the gateway itself come at last.
        for payment, _ in self.references():
            self.message(payment)
        work = handlers(self.database, self.clock, self.gateways)
        for _ in range(12):
            self.clock.advance(hours=7)
            self.sweep()
            while run_one(self.database, work, self.clock.now):
                pass


def check(world: World) -> Counter[str]:
    """What must hold at the end; returns how many deposits came to which end."""
    p, d, s = t(Payment).c, t(Deposit).c, t(SimulatedPayment).c
    a, x, o = t(LedgerAccount).c, t(LedgerTransfer).c, t(PaymentOperation).c
    ends: Counter[str] = Counter()
    with world.database.read() as session:
        assert set(ledger.total(session).values()) <= {0}
        payments = session.execute(
            sa.select(
                p.id, p.deposit_id, p.organisation_id, p.lot_id, p.amount_fen, p.keep_fen, p.status, p.settled,
                p.captured_fen, p.refunded_fen, p.authorised_fen, p.promised_fen, p.let_go_fen, p.reference,
            ).where(p.deposit_id.in_(world.deposits))
        ).all()  # fmt: skip
        outside = {
            row.reference: row
            for row in session.execute(
                sa.select(s.reference, s.status, s.captured_fen, s.refunds, s.amount_fen)
            )
        }
        planned = session.execute(
            sa.select(o.key, o.state).where(o.payment_id.in_([row.id for row in payments]))
        ).all()
        assert not [row.key for row in planned if row.state == OperationState.PLANNED]
        for row in payments:
            if row.reference is None:
                assert row.status == Status.CANCELLED
                continue
            there = outside[row.reference]
            refunded = sum(one["amount_fen"] for one in there.refunds)
            keys = [one["key"] for one in there.refunds]
            assert len(keys) == len(set(keys))
            assert (row.captured_fen, row.refunded_fen) == (there.captured_fen, refunded)
            assert row.authorised_fen == (there.amount_fen if there.status == Status.AUTHORISED else 0)
            if row.keep_fen is not None:
                by_hand = sum(one["amount_fen"] for one in there.refunds if one["key"].startswith("by-hand"))
                ours = refunded - by_hand
                # Never more than what should go back, beside what others gave back by hand.
                assert ours <= max(there.captured_fen - row.keep_fen, 0)
                assert there.captured_fen - refunded <= row.keep_fen
                assert row.settled
        deposits = session.execute(
            sa.select(d.id, d.organisation_id, d.lot_id, d.state, d.amount_fen).where(
                d.id.in_(world.deposits)
            )
        ).all()
        for row in deposits:
            ends[row.state] += 1
            assert row.state not in (DepositState.RELEASING, DepositState.DUE)
            mine = [one for one in payments if one.deposit_id == row.id]
            held = ledger.held(row.organisation_id, row.lot_id)
            returning = ledger.returning(row.organisation_id, row.lot_id)
            assert ledger.balance(session, returning) == 0
            account = session.scalar(sa.select(a.id).where(a.code == held.code))
            sums: Counter[str] = Counter()
            kinds = {one.id: one.kind for one in session.execute(sa.select(a.id, a.kind))}
            for line in session.execute(sa.select(x.debit_id, x.credit_id, x.amount_fen)):
                if line.credit_id == account:
                    sums["taken"] += line.amount_fen
                elif line.debit_id == account:
                    sums[kinds[line.credit_id]] += line.amount_fen
            forfeited = sums["costs"] + sums["shortfall"] + sums["forfeited"]
            back = sums["returning"] + sums["authorised"] + sums["cash"]
            left = ledger.balance(session, held)
            assert left + back + sums["price"] + forfeited == sums["taken"]
            assert sums["taken"] == sum(
                one.captured_fen + one.let_go_fen + one.authorised_fen for one in mine
            )
            owed = -ledger.balance(session, ledger.owed(row.organisation_id, row.lot_id))
            gone = sum(one.refunded_fen + one.let_go_fen for one in mine)
            assert back + owed == gone
            assert (left > 0) == (row.state == DepositState.HELD)
            if row.state == DepositState.APPLIED:
                assert sums["price"] == row.amount_fen
        by_kind: Counter[str] = Counter()
        for line in session.execute(
            sa.select(x.debit_id, x.credit_id, x.amount_fen).where(
                x.payment_id.in_([row.id for row in payments])
            )
        ):
            by_kind[kinds[line.credit_id]] += line.amount_fen
            by_kind[kinds[line.debit_id]] -= line.amount_fen
        cash = sum(row.captured_fen - row.refunded_fen for row in payments)
        assert by_kind[AccountKind.CASH] == -cash
        assert by_kind[AccountKind.AUTHORISED] == -sum(row.authorised_fen for row in payments)
    return ends


HISTORIES = {
    "seed": st.integers(0, 2**32),
    "rate": st.sampled_from([0.0, 0.15, 0.5]),
    "length": st.integers(5, 40),
}


def play(database: Database, seed: int, rate: float, length: int) -> None:
    world = World(database, seed, rate)
    world.begin()
    for _ in range(length):
        world.step()
    world.finish()
    check(world)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(**HISTORIES)
def test_not_a_fen_is_lost_or_doubled(database: Database, seed: int, rate: float, length: int) -> None:
    play(database, seed, rate, length)


@pytest.mark.long
@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(**HISTORIES)
def test_nor_in_many_histories(database: Database, seed: int, rate: float, length: int) -> None:
    play(database, seed, rate, length)


def test_histories_come_to_every_end(sqlite_database: Database) -> None:
    """The histories are worth something only if they reach what they are about."""
    ends: Counter[str] = Counter()
    for seed in range(16):
        world = World(sqlite_database, seed, 0.3)
        world.begin()
        for _ in range(25):
            world.step()
        world.finish()
        ends += check(world)
    assert set(ends) == {"held", "released", "applied", "forfeited", "failed"}
    with sqlite_database.read() as session:
        o = t(PaymentOperation).c
        told = session.execute(sa.select(o.kind).where(o.state == OperationState.DONE.value).distinct())
        assert {row.kind for row in told} >= {"start", "capture", "cancel", "refund"}


class Generous(Faulty):
    """A gateway that gives a part back once more."""

    def refund(self, key: str, reference: str, amount_fen: int) -> Seen:
        super().refund(key, reference, amount_fen)
        return super().refund(f"{key}-more", reference, amount_fen)


class Absent(Faulty):
    """A gateway that says yes to a refund and makes none."""

    def refund(self, key: str, reference: str, amount_fen: int) -> Seen:
        return self.look(reference)


@pytest.mark.parametrize("kind", [Generous, Absent])
def test_the_check_notices_what_it_is_for(sqlite_database: Database, kind: type[Faulty]) -> None:
    world = World(sqlite_database, 1, 0.0)
    world.gateway = kind(sqlite_database, world.clock, world.chance, 0.0)
    world.gateways = Gateways((world.gateway,))
    lot, (actor, organisation) = world.lots[0], world.people[0]
    world.ask(lot, (actor, organisation))
    for payment, reference in world.references():
        world.gateway.act(reference, PayerAct.SUCCEED)
        collecting.pursue(sqlite_database, world.clock, world.gateways, addresses, payment)
    with sqlite_database.write() as session:
        service.settle_lot_deposits(session, world.clock.now(), lot, organisation)
    world.closed.add(lot)
    work = handlers(sqlite_database, world.clock, world.gateways)
    while run_one(sqlite_database, work, world.clock.now):
        pass
    with sqlite_database.write() as session:
        service.forfeit_deposit(
            session, STAFF, world.clock.now(), world.deposits[0], reason="悔拍", costs_fen=700,
            rest_to=RestTo.BIDDER,
        )  # fmt: skip
    with pytest.raises(AssertionError):
        world.finish()
        check(world)
