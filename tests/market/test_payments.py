"""Deposits and the ledger: every row is balanced, and nothing moves twice."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from market.clock import FixedClock
from market.db import Database, Session, t
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound, WrongState
from market.parties.models import Person
from market.payments import collecting, holding, ledger, queries, rules, service
from market.payments.gateway import Ask, Gateways, Method, RefundStatus, Seen, SeenDispute, SeenRefund, Status
from market.payments.ledger import Account, KeyReused
from market.payments.models import (
    AccountKind,
    Deposit,
    DepositState,
    OperationKind,
    OperationState,
    Payment,
    PaymentOperation,
    Purpose,
)
from market.payments.rules import Movement, RestTo, Told
from market.payments.simulated import LIFE, PayerAct, SimulatedGateway
from market.permissions import Actor, Membership, Role, Via
from market.work import WorkItem
from tests.paying import addresses, begin, bidder, put_down, work_off

STAFF = Actor(None, "工作人员", Via.SESSION, (Membership(998, "市场", Role.STAFF, True),))
A, B = Account(AccountKind.COSTS, lot_id=1), Account(AccountKind.INCOME, lot_id=1)


def state_of(database: Database, deposit_id: int) -> str:
    with database.read() as session:
        return str(session.scalar(sa.select(t(Deposit).c.state).where(t(Deposit).c.id == deposit_id)))


def payments_of(database: Database, deposit_id: int) -> list[queries.PaymentLine]:
    with database.read() as session:
        return queries.payments_of_deposit(session, deposit_id)


def all_balances(database: Database) -> dict[str, int]:
    with database.read() as session:
        assert set(ledger.total(session).values()) <= {0}
        return {code: fen for (code, _), fen in ledger.balances(session).items()}


def test_the_table_of_movements() -> None:
    for state in DepositState:
        for movement in Movement:
            expected = rules.TRANSITIONS.get((state, movement))
            if expected is None:
                with pytest.raises(WrongState):
                    rules.next_state(state, movement)
            else:
                assert rules.next_state(state, movement) is expected


@given(amount=st.integers(0, 10**12), costs=st.integers(0, 10**12), shortfall=st.integers(0, 10**12))
def test_a_waterfall_divides_to_the_fen(amount: int, costs: int, shortfall: int) -> None:
    parts = rules.waterfall(amount, costs, shortfall)
    assert parts.costs_fen + parts.shortfall_fen + parts.rest_fen == amount
    assert parts.open_fen == costs + shortfall - parts.costs_fen - parts.shortfall_fen
    assert min(parts.costs_fen, parts.shortfall_fen, parts.rest_fen, parts.open_fen) >= 0
    if parts.rest_fen:
        assert parts.open_fen == 0
    if parts.shortfall_fen:
        assert parts.costs_fen == costs


def test_a_waterfall_takes_no_negative_amount() -> None:
    with pytest.raises(ValueError, match="negative"):
        rules.waterfall(1, -1, 0)


def seen(status: Status, **values: object) -> Seen:
    return Seen("r", status, 100, "CNY", **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("at", "keep", "told"),
    [
        (seen(Status.WAITING), None, None),
        (seen(Status.AUTHORISED), None, None),
        (seen(Status.PAID, captured_fen=100), None, None),
        (seen(Status.PAID, captured_fen=130), None, Told(OperationKind.REFUND, 30)),
        (seen(Status.WAITING), 0, Told(OperationKind.CANCEL, 100)),
        (seen(Status.WAITING), 100, None),
        (seen(Status.AUTHORISED), 0, Told(OperationKind.CANCEL, 100)),
        (seen(Status.AUTHORISED), 60, Told(OperationKind.CAPTURE, 60)),
        (seen(Status.PAID, captured_fen=100), 60, Told(OperationKind.REFUND, 40)),
        (seen(Status.PAID, captured_fen=60), 60, None),
        (seen(Status.CANCELLED), 100, None),
        (seen(Status.CANCELLED, captured_fen=30), 0, Told(OperationKind.REFUND, 30)),
        (
            seen(Status.PAID, captured_fen=100, refunds=(SeenRefund("x", 40, RefundStatus.PENDING),)),
            0,
            None,
        ),
        (
            seen(Status.PAID, captured_fen=100, refunds=(SeenRefund("x", 40, RefundStatus.DONE),)),
            0,
            Told(OperationKind.REFUND, 60),
        ),
        (
            seen(Status.PAID, captured_fen=100, refunds=(SeenRefund("x", 100, RefundStatus.FAILED),) * 3),
            0,
            None,
        ),
    ],
)
def test_what_a_gateway_is_told_next(at: Seen, keep: int | None, told: Told | None) -> None:
    assert rules.next_step(at, 100, keep) == told


class TestLedger:
    def test_a_transfer_moves_one_amount_once(self, session: Session, now: dt.datetime) -> None:
        assert ledger.post(session, "key", "test", A, B, 5, now)
        assert not ledger.post(session, "key", "test", A, B, 5, now)
        assert (ledger.balance(session, A), ledger.balance(session, B)) == (-5, 5)
        assert set(ledger.total(session).values()) == {0}
        with pytest.raises(KeyReused):
            ledger.post(session, "key", "test", A, B, 6, now)

    @pytest.mark.parametrize("fen", [0, -1])
    def test_nothing_and_less_is_no_movement(self, session: Session, now: dt.datetime, fen: int) -> None:
        with pytest.raises(ValueError, match="positive"):
            ledger.post(session, "key", "test", A, B, fen, now)

    @pytest.mark.parametrize(("fen", "same"), [(0, False), (-5, False), (5, True)])
    def test_the_database_refuses_what_is_not_balanced(
        self, session: Session, now: dt.datetime, fen: int, *, same: bool
    ) -> None:
        ledger.post(session, "first", "test", A, B, 1, now)
        table = SQL_TRANSFER
        one = session.execute(sa.select(table.c.debit_id, table.c.credit_id)).one()
        values = {
            "key": "by hand", "cause": "test", "debit_id": one[0], "credit_id": one[0] if same else one[1],
            "amount_fen": fen, "at": now, "detail": {},
        }  # fmt: skip
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            session.execute(sa.insert(table).values(**values))

    def test_currencies_do_not_mix(self, session: Session, now: dt.datetime) -> None:
        ledger.post(session, "a", "test", A, B, 5, now)
        ledger.post(session, "b", "test", A, B, 7, now, currency="JPY")
        assert ledger.balance(session, B) == 5
        assert ledger.balance(session, B, "JPY") == 7
        assert ledger.total(session) == {"CNY": 0, "JPY": 0}


SQL_TRANSFER = t(ledger.LedgerTransfer)


class TestAsking:
    def test_a_deposit_is_asked_for_once(self, session: Session, now: dt.datetime) -> None:
        actor, organisation = bidder(session, now)
        first = service.request_deposit(session, actor, now, 7, organisation, 1_000)
        assert service.request_deposit(session, actor, now, 7, organisation, 1_000) == first
        with pytest.raises(Conflict):
            service.request_deposit(session, actor, now, 7, organisation, 2_000)
        stranger, _ = bidder(session, now)
        with pytest.raises(NotAllowed):
            service.request_deposit(session, stranger, now, 7, organisation, 1_000)
        with pytest.raises(InvalidInput):
            service.request_deposit(session, actor, now, 8, organisation, 0)
        with pytest.raises(NotFound):
            service.release_deposit(session, STAFF, now, 10**12)
        assert [row.id for row in queries.deposits(session, actor)[0]] == [first]
        assert queries.deposits(session, stranger) == ([], 0)
        assert queries.deposits(session, STAFF, lot_id=7)[1] == 1

    def test_only_staff_move_deposits(self, session: Session, now: dt.datetime) -> None:
        actor, organisation = bidder(session, now)
        deposit = service.request_deposit(session, actor, now, 7, organisation, 1_000)
        for verb in (service.release_deposit, service.apply_deposit, service.secure_deposit):
            with pytest.raises(NotAllowed):
                verb(session, actor, now, deposit)
        with pytest.raises(NotAllowed):
            service.forfeit_deposit(session, actor, now, deposit, reason="悔拍")
        with pytest.raises(InvalidInput) as error:
            service.forfeit_deposit(session, STAFF, now, deposit, reason=" ", costs_fen=-1)
        assert {problem[0] for problem in error.value.problems} == {"reason", "costs_fen"}

    def test_another_way_calls_the_first_off(self, database: Database, clock: FixedClock) -> None:
        with database.write() as session:
            actor, organisation = bidder(session, clock.now())
        gateway = SimulatedGateway(database, clock)
        deposit, first = begin(database, clock, gateway, actor, 7, organisation, 1_000)
        with database.write() as session:
            same = service.begin_payment(session, actor, clock.now(), deposit, gateway, Method.CARD)
            assert same == first
            other = service.begin_payment(session, actor, clock.now(), deposit, gateway, Method.ALIPAY)
            assert other != first
        work_off(database, clock, Gateways((gateway,)))
        assert [one.status for one in payments_of(database, deposit)] == [Status.CANCELLED, Status.WAITING]
        gateway.act(f"sim-{other}", PayerAct.SUCCEED)
        collecting.pursue(database, clock, Gateways((gateway,)), addresses, other)
        assert state_of(database, deposit) == "held"
        assert all_balances(database) == {"cash:simulated": -1_000, f"held:{organisation}:7": 1_000}

    def test_a_method_that_is_not_offered_is_refused(self, database: Database, clock: FixedClock) -> None:
        gateway = SimulatedGateway(database, clock)
        with database.write() as session:
            actor, organisation = bidder(session, clock.now())
            deposit = service.request_deposit(session, actor, clock.now(), 7, organisation, 1_000)
            with pytest.raises(InvalidInput):
                service.begin_payment(session, actor, clock.now(), deposit, gateway, Method.BANK_TRANSFER)


class Asked(SimulatedGateway):
    """Remembers what payers were asked."""

    asks: list[Ask]

    def start(self, key: str, ask: Ask) -> Seen:
        self.asks = [*getattr(self, "asks", []), ask]
        return super().start(key, ask)


@pytest.mark.parametrize("language", ["zh-Hans", "en"])
def test_a_payer_is_asked_in_its_language(database: Database, clock: FixedClock, language: str) -> None:
    gateway = Asked(database, clock)
    with database.write() as session:
        actor, organisation = bidder(session, clock.now())
        person = session.get(Person, actor.person_id)
        assert person is not None
        person.language = language
    begin(database, clock, gateway, actor, 7, organisation, 1_000)
    assert [ask.locale for ask in gateway.asks] == [language]


class TestHolding:
    def test_a_card_is_only_set_aside(self, database: Database, clock: FixedClock) -> None:
        with database.write() as session:
            actor, organisation = bidder(session, clock.now())
        deposit = put_down(database, clock, actor, 7, organisation, 1_000)
        assert state_of(database, deposit) == "held"
        assert all_balances(database) == {"authorised:simulated": -1_000, f"held:{organisation}:7": 1_000}

    def test_a_declined_card_leaves_the_deposit_due(self, database: Database, clock: FixedClock) -> None:
        with database.write() as session:
            actor, organisation = bidder(session, clock.now())
        gateway = SimulatedGateway(database, clock)
        deposit, payment = begin(database, clock, gateway, actor, 7, organisation, 1_000)
        gateway.act(f"sim-{payment}", PayerAct.INSUFFICIENT_FUNDS)
        collecting.pursue(database, clock, Gateways((gateway,)), addresses, payment)
        assert state_of(database, deposit) == "due"
        assert payments_of(database, deposit)[0].decline == "insufficient_funds"
        gateway.act(f"sim-{payment}", PayerAct.SUCCEED)
        collecting.pursue(database, clock, Gateways((gateway,)), addresses, payment)
        assert state_of(database, deposit) == "held"

    def test_a_payment_that_is_cancelled_may_be_begun_again(
        self, database: Database, clock: FixedClock
    ) -> None:
        with database.write() as session:
            actor, organisation = bidder(session, clock.now())
        gateway = SimulatedGateway(database, clock)
        deposit, payment = begin(database, clock, gateway, actor, 7, organisation, 1_000)
        gateway.act(f"sim-{payment}", PayerAct.CANCEL)
        collecting.pursue(database, clock, Gateways((gateway,)), addresses, payment)
        assert state_of(database, deposit) == "failed"
        put_down(database, clock, actor, 7, organisation, 1_000, gateway=gateway)
        assert state_of(database, deposit) == "held"

    def test_an_authorisation_that_would_lapse_is_made_again(
        self, database: Database, clock: FixedClock
    ) -> None:
        with database.write() as session:
            actor, organisation = bidder(session, clock.now())
        gateway = SimulatedGateway(database, clock)
        deposit = put_down(database, clock, actor, 7, organisation, 1_000, gateway=gateway)
        clock.advance(seconds=(LIFE - dt.timedelta(hours=30)).total_seconds())
        with database.write() as session:
            assert collecting.sweep(session, clock.now()) >= 1
        work_off(database, clock, Gateways((gateway,)))
        assert state_of(database, deposit) == "held"
        first, second = payments_of(database, deposit)
        assert (first.status, second.status) == (Status.CANCELLED, Status.AUTHORISED)
        assert all_balances(database) == {"authorised:simulated": -1_000, f"held:{organisation}:7": 1_000}
        clock.advance(seconds=dt.timedelta(hours=30).total_seconds())
        with database.write() as session:
            collecting.sweep(session, clock.now())
        work_off(database, clock, Gateways((gateway,)))
        assert state_of(database, deposit) == "held"

    def test_an_authorisation_that_lapses_lets_the_deposit_go(
        self, database: Database, clock: FixedClock
    ) -> None:
        with database.write() as session:
            actor, organisation = bidder(session, clock.now())
        gateway = SimulatedGateway(database, clock)
        deposit = put_down(database, clock, actor, 7, organisation, 1_000, gateway=gateway)
        clock.advance(seconds=LIFE.total_seconds())
        payment = payments_of(database, deposit)[0].id
        collecting.pursue(database, clock, Gateways((gateway,)), addresses, payment)
        assert state_of(database, deposit) == "failed"
        assert all_balances(database) == {}


class TestAfterTheClose:
    def close(self, database: Database, clock: FixedClock, method: Method) -> tuple[list[int], list[int]]:
        with database.write() as session:
            people = [bidder(session, clock.now()) for _ in range(3)]
        deposits = [
            put_down(database, clock, actor, 9, organisation, 500, method=method)
            for actor, organisation in people
        ]
        for _ in range(2):
            with database.write() as session:
                service.settle_lot_deposits(session, clock.now(), 9, people[1][1])
        return deposits, [organisation for _, organisation in people]

    @pytest.mark.parametrize("method", [Method.CARD, Method.ALIPAY])
    def test_losers_get_theirs_back_and_the_winners_is_taken_and_held(
        self, database: Database, clock: FixedClock, method: Method
    ) -> None:
        deposits, organisations = self.close(database, clock, method)
        states = [state_of(database, one) for one in deposits]
        assert states == ["releasing", "held", "releasing"]
        work_off(database, clock, Gateways((SimulatedGateway(database, clock),)))
        states = [state_of(database, one) for one in deposits]
        assert states == ["released", "held", "released"]
        assert all_balances(database) == {"cash:simulated": -500, f"held:{organisations[1]}:9": 500}
        with database.write() as session:
            service.apply_deposit(session, STAFF, clock.now(), deposits[1])
            service.apply_deposit(session, STAFF, clock.now(), deposits[1])
        assert all_balances(database) == {"cash:simulated": -500, "price:9": 500}

    @pytest.mark.parametrize("rest_to", list(RestTo))
    def test_a_defaulters_goes_down_the_waterfall(
        self, database: Database, clock: FixedClock, rest_to: RestTo
    ) -> None:
        deposits, _ = self.close(database, clock, Method.CARD)
        work_off(database, clock, Gateways((SimulatedGateway(database, clock),)))
        with database.write() as session:
            parts = service.forfeit_deposit(
                session, STAFF, clock.now(), deposits[1], reason="悔拍", costs_fen=100, shortfall_fen=150,
                rest_to=rest_to,
            )  # fmt: skip
        assert (parts.costs_fen, parts.shortfall_fen, parts.rest_fen, parts.open_fen) == (100, 150, 250, 0)
        work_off(database, clock, Gateways((SimulatedGateway(database, clock),)))
        assert state_of(database, deposits[1]) == "forfeited"
        back = rest_to is RestTo.BIDDER
        expected = {"costs:9": 100, "shortfall:9": 150, "cash:simulated": -250 if back else -500}
        if not back:
            expected[f"forfeited:9:{rest_to.value}"] = 250
        assert all_balances(database) == expected

    def test_money_that_comes_after_it_was_called_off_goes_back(
        self, database: Database, clock: FixedClock
    ) -> None:
        gateway = SimulatedGateway(database, clock)
        with database.write() as session:
            actor, organisation = bidder(session, clock.now())
        deposit, payment = begin(database, clock, gateway, actor, 9, organisation, 500, Method.ALIPAY)
        gateway.act(f"sim-{payment}", PayerAct.SUCCEED)
        with database.write() as session:
            service.settle_lot_deposits(session, clock.now(), 9, None)
        work_off(database, clock, Gateways((gateway,)))
        assert state_of(database, deposit) == "released"
        assert all_balances(database) == {}


def recorded(session: Session, payment_id: int, at: Seen, now: dt.datetime) -> Payment:
    row = session.get(Payment, payment_id)
    assert row is not None
    collecting.record(session, row, at, now)
    return row


class TestBooking:
    """What is seen at a gateway, in orders that only a gateway can think of."""

    @pytest.fixture
    def begun(self, session: Session, now: dt.datetime) -> tuple[int, int, int]:
        actor, organisation = bidder(session, now)
        deposit = service.request_deposit(session, actor, now, 9, organisation, 100)
        gateway = SimulatedGateway.__new__(SimulatedGateway)
        return (
            deposit,
            service.begin_payment(session, actor, now, deposit, gateway, Method.CARD),
            organisation,
        )

    def test_one_look_twice_books_once(
        self, session: Session, now: dt.datetime, begun: tuple[int, int, int]
    ) -> None:
        deposit, payment, organisation = begun
        for _ in range(2):
            recorded(session, payment, seen(Status.AUTHORISED), now)
        assert ledger.balance(session, ledger.held(organisation, 9)) == 100
        row = session.get(Deposit, deposit)
        assert row is not None
        assert row.state == "held"

    def test_paid_without_a_word_of_the_authorisation(
        self, session: Session, now: dt.datetime, begun: tuple[int, int, int]
    ) -> None:
        _, payment, organisation = begun
        recorded(session, payment, seen(Status.PAID, captured_fen=100), now)
        assert ledger.balance(session, ledger.cash("simulated")) == -100
        assert ledger.balance(session, ledger.held(organisation, 9)) == 100

    def test_given_back_at_the_gateway_by_hand(
        self, session: Session, now: dt.datetime, begun: tuple[int, int, int]
    ) -> None:
        deposit, payment, organisation = begun
        recorded(session, payment, seen(Status.PAID, captured_fen=100), now)
        by_hand = (SeenRefund("x", 100, RefundStatus.DONE),)
        recorded(session, payment, seen(Status.PAID, captured_fen=100, refunds=by_hand), now)
        assert ledger.balance(session, ledger.held(organisation, 9)) == 0
        row = session.get(Deposit, deposit)
        assert row is not None
        assert row.state == "failed"
        assert ledger.balances(session) == {}

    def test_a_part_given_back_by_hand_gives_the_rest_back_too(
        self, session: Session, now: dt.datetime, begun: tuple[int, int, int]
    ) -> None:
        deposit, payment, organisation = begun
        recorded(session, payment, seen(Status.PAID, captured_fen=100), now)
        service.secure_deposit(session, STAFF, now, deposit)
        by_hand = (SeenRefund("x", 36, RefundStatus.DONE),)
        row = recorded(session, payment, seen(Status.PAID, captured_fen=100, refunds=by_hand), now)
        assert row.keep_fen == 0
        assert ledger.balance(session, ledger.held(organisation, 9)) == 0
        assert ledger.balance(session, ledger.returning(organisation, 9)) == 64
        found = session.get(Deposit, deposit)
        assert found is not None
        assert found.state == "releasing"

    def test_a_refund_that_comes_back_is_owed_again(
        self, session: Session, now: dt.datetime, begun: tuple[int, int, int]
    ) -> None:
        deposit, payment, organisation = begun
        recorded(session, payment, seen(Status.PAID, captured_fen=100), now)
        service.release_deposit(session, STAFF, now, deposit)
        done, failed = (SeenRefund("x", 100, status) for status in (RefundStatus.DONE, RefundStatus.FAILED))
        recorded(session, payment, seen(Status.PAID, captured_fen=100, refunds=(done,)), now)
        assert ledger.balance(session, ledger.returning(organisation, 9)) == 0
        row = recorded(session, payment, seen(Status.PAID, captured_fen=100, refunds=(failed,)), now)
        assert ledger.balance(session, ledger.returning(organisation, 9)) == 100
        assert not row.settled

    def test_what_a_bank_takes_back_is_owed(
        self, session: Session, now: dt.datetime, begun: tuple[int, int, int]
    ) -> None:
        deposit, payment, organisation = begun
        recorded(session, payment, seen(Status.PAID, captured_fen=100), now)
        for withdrawn, owed in ((True, -100), (True, -100), (False, 0)):
            disputes = (SeenDispute("d", 100, "needs_response", "fraudulent", withdrawn),)
            recorded(session, payment, seen(Status.PAID, captured_fen=100, disputes=disputes), now)
            assert ledger.balance(session, ledger.owed(organisation, 9)) == owed
        row = session.get(Deposit, deposit)
        assert row is not None
        assert row.state in ("failed", "held")

    def test_more_than_was_asked_for_goes_back(
        self, session: Session, now: dt.datetime, begun: tuple[int, int, int]
    ) -> None:
        _, payment, organisation = begun
        recorded(session, payment, seen(Status.PAID, captured_fen=130), now)
        assert ledger.balance(session, ledger.held(organisation, 9)) == 100
        assert ledger.balance(session, ledger.returning(organisation, 9)) == 30


def test_a_stale_look_is_thrown_away(database: Database, clock: FixedClock) -> None:
    gateway = SimulatedGateway(database, clock)
    with database.write() as session:
        actor, organisation = bidder(session, clock.now())
    deposit = put_down(database, clock, actor, 9, organisation, 500, gateway=gateway, method=Method.ALIPAY)
    payment = payments_of(database, deposit)[0].id
    with database.write() as session:
        call = collecting._first(session, clock.now(), payment, addresses)
    assert call is not None
    before = gateway.look(f"sim-{payment}")
    with database.write() as session:
        service.release_deposit(session, STAFF, clock.now(), deposit)
    work_off(database, clock, Gateways((gateway,)))
    assert state_of(database, deposit) == "released"
    with database.write() as session:
        again = collecting._record(session, clock.now(), call, before)
    assert again is not None
    assert again.kind is None
    assert state_of(database, deposit) == "released"
    assert all_balances(database) == {}


def test_a_balance_is_paid_into_the_price(database: Database, clock: FixedClock) -> None:
    gateway = SimulatedGateway(database, clock)
    with database.write() as session:
        actor, organisation = bidder(session, clock.now())
        ask = {
            "purpose": Purpose.BALANCE, "lot_id": 9, "organisation_id": organisation, "amount_fen": 700,
            "currency": "CNY", "gateway": gateway, "method": Method.ALIPAY,
        }  # fmt: skip
        payment = service.request_payment(session, actor, clock.now(), **ask)  # type: ignore[arg-type]
        assert service.request_payment(session, actor, clock.now(), **ask) == payment  # type: ignore[arg-type]
    work_off(database, clock, Gateways((gateway,)))
    gateway.act(f"sim-{payment}", PayerAct.SUCCEED)
    collecting.pursue(database, clock, Gateways((gateway,)), addresses, payment)
    assert all_balances(database) == {"cash:simulated": -700, "price:9": 700}


def test_every_operation_is_on_record_with_its_key(database: Database, clock: FixedClock) -> None:
    gateway = SimulatedGateway(database, clock)
    with database.write() as session:
        actor, organisation = bidder(session, clock.now())
    deposit = put_down(database, clock, actor, 9, organisation, 500, gateway=gateway)
    with database.write() as session:
        service.release_deposit(session, STAFF, clock.now(), deposit)
    work_off(database, clock, Gateways((gateway,)))
    with database.read() as session:
        c = t(PaymentOperation).c
        rows = session.execute(sa.select(c.key, c.kind, c.state).order_by(c.id)).all()
    payment = payments_of(database, deposit)[0].id
    assert [tuple(row) for row in rows] == [
        (f"payment-{payment}-start-1", OperationKind.START, OperationState.DONE),
        (f"payment-{payment}-cancel-1", OperationKind.CANCEL, OperationState.DONE),
    ]


def test_a_late_refund_rings_once(database: Database, clock: FixedClock) -> None:
    gateway = SimulatedGateway(database, clock)
    with database.write() as session:
        actor, organisation = bidder(session, clock.now())
    deposit = put_down(database, clock, actor, 9, organisation, 500, gateway=gateway)
    with database.write() as session:
        service.release_deposit(session, STAFF, clock.now(), deposit, refund_hours=24)
        assert holding.escalate_late(session, clock.now()) == 0
    clock.advance(hours=24, seconds=1)
    for expected in (1, 0):
        with database.write() as session:
            assert holding.escalate_late(session, clock.now()) == expected
    work_off(database, clock, Gateways((gateway,)))
    assert state_of(database, deposit) == "released"


def test_bidders_are_told_what_becomes_of_their_deposit(database: Database, clock: FixedClock) -> None:
    gateway = SimulatedGateway(database, clock)
    with database.write() as session:
        actor, organisation = bidder(session, clock.now())
    deposit = put_down(database, clock, actor, 9, organisation, 500, gateway=gateway)
    with database.write() as session:
        service.release_deposit(session, STAFF, clock.now(), deposit)
    work_off(database, clock, Gateways((gateway,)))
    with database.read() as session:
        w = t(WorkItem).c
        mails = session.scalars(sa.select(w.payload).where(w.kind == "mail.send").order_by(w.id)).all()
    assert [mail["params"]["state"] for mail in mails] == ["held", "releasing", "released"]
    assert {mail["params"]["amount_fen"] for mail in mails} == {500}


def test_four_workers_pursue_one_payment(database: Database, clock: FixedClock) -> None:
    gateway = SimulatedGateway(database, clock)
    with database.write() as session:
        actor, organisation = bidder(session, clock.now())
    deposit = put_down(database, clock, actor, 9, organisation, 500, gateway=gateway, method=Method.ALIPAY)
    payment = payments_of(database, deposit)[0].id
    with database.write() as session:
        service.release_deposit(session, STAFF, clock.now(), deposit)
    start = threading.Barrier(4)

    def pursue(_: int) -> None:
        start.wait()
        collecting.pursue(database, clock, Gateways((gateway,)), addresses, payment)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(pursue, range(4)))
    assert state_of(database, deposit) == "released"
    assert all_balances(database) == {}
    assert [one.reference for one in gateway.look(f"sim-{payment}").refunds] == [f"sim-{payment}-r1"]
