"""Deposits and the ledger: it always sums to zero, and nothing moves twice."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.clock import FixedClock
from market.db import Database, Session, t
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound, WrongState
from market.parties.models import Organisation, Person
from market.payments import ledger, queries, rules, service, settling
from market.payments.gateway import Gateway, OfflineGateway, SimulatedGateway, gateway_named
from market.payments.models import Deposit, DepositState
from market.payments.rules import KeyReused, Line, Movement, Unbalanced
from market.permissions import Actor, Membership, Role, Via
from market.work import Claimed, WorkItem, run_one

STAFF = Actor(None, "工作人员", Via.SESSION, (Membership(998, "市场", Role.STAFF, True),))
SIMULATED, OFFLINE = SimulatedGateway(), OfflineGateway()
_codes = itertools.count()
_lots = itertools.count(1)


def bidder(session: Session, now: dt.datetime) -> tuple[Actor, int]:
    number = next(_codes)
    organisation = Organisation(
        name="泵业",
        kind="firm",
        credit_code=f"C{number:017d}",
        region_code="331081",
        created_at=now,
        updated_at=now,
    )
    person = Person(
        name="竞买人", email=f"b{number}@example.com", password_hash="x", created_at=now, updated_at=now
    )
    session.add_all([organisation, person])
    session.flush()
    assert organisation.id
    member = Membership(organisation.id, "泵业", Role.BIDDER, True)
    return Actor(person.id, "竞买人", Via.SESSION, (member,)), organisation.id


def test_the_table_of_movements() -> None:
    for state in DepositState:
        for movement in Movement:
            expected = rules.TRANSITIONS.get((state, movement))
            if expected is None:
                with pytest.raises(WrongState):
                    rules.next_state(state, movement)
            else:
                assert rules.next_state(state, movement) is expected


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [Line("a", 5)],
        [Line("a", 5), Line("b", -4)],
        [Line("a", 5, "CNY"), Line("b", -5, "USD")],
        [Line("a", 5), Line("b", -5), Line("c", 0)],
    ],
)
def test_a_transfer_that_does_not_balance_is_refused(
    session: Session, now: dt.datetime, lines: list[Line]
) -> None:
    with pytest.raises(Unbalanced):
        ledger.post(session, "k", "test", lines, now)


def test_a_key_moves_money_once(session: Session, now: dt.datetime) -> None:
    lines = [Line("a", 5), Line("b", -5)]
    assert ledger.post(session, "key", "test", lines, now)
    assert not ledger.post(session, "key", "test", lines, now)
    assert (ledger.balance(session, "a"), ledger.balance(session, "b")) == (5, -5)
    with pytest.raises(KeyReused):
        ledger.post(session, "key", "test", [Line("a", 6), Line("b", -6)], now)


def ask(session: Session, now: dt.datetime, lot: int, amount: int = 1_000) -> tuple[Actor, int, int]:
    """A simulated deposit that its payer has paid."""
    actor, organisation = bidder(session, now)
    deposit = service.request_deposit(session, actor, now, lot, organisation, amount, SIMULATED)
    service.confirm_deposit(session, actor, now, deposit, gateway=SIMULATED)
    return actor, organisation, deposit


def test_a_simulated_deposit_is_paid_by_a_button_that_says_so(session: Session, now: dt.datetime) -> None:
    actor, organisation = bidder(session, now)
    first = service.request_deposit(session, actor, now, 7, organisation, 1_000, SIMULATED)
    assert service.request_deposit(session, actor, now, 7, organisation, 1_000, SIMULATED) == first
    assert not queries.held_for(session, 7, organisation)
    stranger, _ = bidder(session, now)
    with pytest.raises(NotAllowed):
        service.confirm_deposit(session, stranger, now, first, gateway=SIMULATED)
    service.confirm_deposit(session, actor, now, first, gateway=SIMULATED)
    assert queries.held_for(session, 7, organisation)
    assert ledger.balance(session, rules.held(organisation, 7)) == 1_000
    with pytest.raises(Conflict):
        service.request_deposit(session, actor, now, 7, organisation, 2_000, SIMULATED)
    assert gateway_named("simulated").simulated
    assert not gateway_named("offline").simulated


def test_a_bank_transfer_is_due_until_staff_confirm_it(session: Session, now: dt.datetime) -> None:
    actor, organisation = bidder(session, now)
    deposit = service.request_deposit(session, actor, now, 7, organisation, 1_000, OFFLINE)
    assert not queries.held_for(session, 7, organisation)
    for gateway in (None, OFFLINE):
        with pytest.raises(NotAllowed):
            service.confirm_deposit(session, actor, now, deposit, gateway=gateway)
    with pytest.raises(WrongState):
        service.release_deposit(session, STAFF, now, deposit, OFFLINE)
    service.fail_deposit(session, STAFF, now, deposit, reason="未到账")
    assert service.request_deposit(session, actor, now, 7, organisation, 1_000, OFFLINE) == deposit
    for _ in range(2):
        assert service.confirm_deposit(session, STAFF, now, deposit) is DepositState.HELD
    assert ledger.balance(session, rules.outside("offline")) == -1_000


def test_rights_and_refusals(session: Session, now: dt.datetime) -> None:
    actor, organisation = bidder(session, now)
    other, _ = bidder(session, now)
    with pytest.raises(NotAllowed):
        service.request_deposit(session, other, now, 7, organisation, 1_000, SIMULATED)
    with pytest.raises(InvalidInput):
        service.request_deposit(session, actor, now, 7, organisation, 0, SIMULATED)
    with pytest.raises(NotFound):
        service.release_deposit(session, STAFF, now, 10**12, SIMULATED)
    deposit = service.request_deposit(session, actor, now, 7, organisation, 1_000, SIMULATED)
    with pytest.raises(InvalidInput):
        service.forfeit_deposit(session, STAFF, now, deposit, SIMULATED, reason=" ")
    assert [row.id for row in queries.deposits(session, actor)[0]] == [deposit]
    assert queries.deposits(session, other) == ([], 0)
    assert queries.deposits(session, STAFF, lot_id=7)[1] == 1


def test_a_closed_lot_leaves_work_that_gives_back_and_applies(database: Database, clock: FixedClock) -> None:
    now = clock.now()
    with database.write() as session:
        asked = [ask(session, now, 9, 500) for _ in range(3)]
    for _ in range(2):
        with database.write() as session:
            assert service.settle_lot_deposits(session, now, 9, asked[1][1]) == 3
    handlers = {settling.KIND: settling.handler(database, clock, SIMULATED)}
    done = 0
    while run_one(database, handlers, clock.now):
        done += 1
    assert done == 3
    handlers[settling.KIND](Claimed(1, settling.KIND, {"deposit_id": asked[0][2], "movement": "release"}, 2))
    with database.read() as session:
        states = [session.get(Deposit, deposit) for _, _, deposit in asked]
        assert [one.state for one in states if one] == ["released", "applied", "released"]
        assert ledger.balances(session) == {("gateway:simulated", "CNY"): -500, ("lots:9:price", "CNY"): 500}
        w = t(WorkItem).c
        assert set(session.scalars(sa.select(w.state).where(w.kind == settling.KIND))) == {"done"}


ENDS = {
    Movement.RELEASE: service.release_deposit,
    Movement.APPLY: service.apply_deposit,
}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    plan=st.lists(
        st.tuples(
            st.integers(1, 10**12),
            st.booleans(),
            st.lists(st.sampled_from(list(Movement)), max_size=4),
        ),
        max_size=5,
    )
)
def test_held_released_applied_and_forfeited_are_what_was_taken(
    session: Session, now: dt.datetime, plan: list[tuple[int, bool, list[Movement]]]
) -> None:
    actor, organisation = bidder(session, now)
    ids: list[int] = []
    for amount, simulated, movements in plan:
        gateway: Gateway = SIMULATED if simulated else OFFLINE
        lot = next(_lots)
        deposit = service.request_deposit(session, actor, now, lot, organisation, amount, gateway)
        ids.append(deposit)
        for movement in movements:
            try:
                if movement is Movement.CONFIRM:
                    service.confirm_deposit(session, STAFF, now, deposit)
                elif movement is Movement.FAIL:
                    service.fail_deposit(session, STAFF, now, deposit, reason="未到账")
                elif movement is Movement.REQUEST:
                    service.request_deposit(session, actor, now, lot, organisation, amount, gateway)
                elif movement is Movement.FORFEIT:
                    service.forfeit_deposit(session, STAFF, now, deposit, gateway, reason="悔拍")
                else:
                    ENDS[movement](session, STAFF, now, deposit, gateway)
            except WrongState:
                continue
    session.flush()
    rows = [row for row in queries.deposits(session, actor, limit=100)[0] if row.id in ids]
    sums = dict.fromkeys(DepositState, 0)
    for row in rows:
        sums[row.state] += row.amount_fen
    accounts = ledger.balances(session, "deposits:held:")
    prefix = f"deposits:held:{organisation}:"
    held = sum(amount for (account, _), amount in accounts.items() if account.startswith(prefix))
    taken = sum(row.amount_fen for row in rows if row.state not in (DepositState.DUE, DepositState.FAILED))
    assert held == sums[DepositState.HELD]
    assert taken == sum(
        sums[state]
        for state in (DepositState.HELD, DepositState.RELEASED, DepositState.APPLIED, DepositState.FORFEITED)
    )
    assert set(ledger.total(session).values()) <= {0}
