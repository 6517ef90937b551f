"""Transfers: asked for, imported once, said by one person and confirmed by another, given back, never lost."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import threading

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.audit import AuditRecord
from market.clock import FixedClock
from market.db import Database, Session, t
from market.errors import InvalidInput, MarketError, NotAllowed, NotFound, WrongState
from market.payments import ledger, service
from market.payments.bank import accounts, payouts, queries
from market.payments.bank import service as bank
from market.payments.bank.inputs import AccountInput, PayOutInput, PrepareInput, ProposalInput, TroubleInput
from market.payments.bank.models import AccountState, LineState, MatchKind, PayOut, PayOutKind, PayOutState
from market.payments.bank.rules import SecondPerson, StatementLine
from market.payments.gateway import Ask, GatewayRefused, Method, RefundStatus, Status
from market.payments.ledger import Account
from market.payments.models import AccountKind, Deposit, DepositState
from tests.market.bank import ACCOUNT, Bank

ASK = Ask(1, 1, 1, "deposit", 5_000, "CNY", Method.BANK_TRANSFER, False, "", "")
UNEXPLAINED = Account(AccountKind.UNEXPLAINED)


@pytest.fixture
def market(database: Database, clock: FixedClock) -> Bank:
    return Bank.open(database, clock)


def deposit_state(market: Bank, deposit_id: int) -> DepositState:
    with market.db.read() as session:
        row = session.get(Deposit, deposit_id)
        assert row is not None
        return DepositState(row.state)


def balances(market: Bank) -> dict[str, int]:
    with market.db.read() as session:
        assert set(ledger.total(session).values()) <= {0}
        return {code: fen for (code, _), fen in ledger.balances(session).items()}


def test_asking_twice_is_one_transfer(market: Bank) -> None:
    first = market.gateway.start("k", ASK)
    assert market.gateway.start("k", ASK) == first
    assert (first.status, first.captured_fen, first.pay_url) == (Status.WAITING, 0, None)
    assert market.gateway.look(first.reference) == first
    with pytest.raises(GatewayRefused):
        market.gateway.look("TM2345678")
    with pytest.raises(GatewayRefused):
        market.gateway.capture("c", first.reference, 1)
    with pytest.raises(GatewayRefused):
        market.gateway.refund("r", first.reference, 1)
    with pytest.raises(GatewayRefused):
        market.gateway.authorise_again("a", ASK, first.reference)
    with pytest.raises(GatewayRefused):
        market.gateway.start("k", dataclasses.replace(ASK, amount_fen=1))
    for unknown in ("", "sim-unknown"):
        for verb in (market.gateway.look, functools.partial(market.gateway.cancel, "x")):
            with pytest.raises(GatewayRefused):
                verb(unknown)
    for _ in range(2):
        assert market.gateway.cancel("x", first.reference).status is Status.CANCELLED
    assert market.gateway.start("k", ASK).status is Status.CANCELLED


def test_a_transfer_is_held_when_two_people_say_that_it_came(market: Bank) -> None:
    actor, organisation = market.bidder()
    deposit, reference = market.deposit(actor, organisation, 7, 5_000)
    (line,) = market.imported(
        market.line(5_000, f"竞买 {reference.lower()}", counterparty="温岭某泵业有限公司")
    )
    own = f"cash:bank:{market.account_id}"
    assert balances(market) == {own: -5_000, "unexplained": 5_000}
    with market.db.read() as session:
        view = queries.line(session, line)
        found = queries.suggestions(session, view)
        assert found[0].candidate.reference == reference
    data = ProposalInput(kind=MatchKind.PAYMENT, target=found[0].candidate.id)
    with market.db.write() as session:
        bank.propose(session, market.first, market.clock.now(), line, data, [])
    with pytest.raises(SecondPerson), market.db.write() as session:
        bank.confirm(session, market.first, market.clock.now(), line)
    assert deposit_state(market, deposit) is DepositState.DUE
    with market.db.write() as session:
        bank.confirm(session, market.second, market.clock.now(), line)
    market.work()
    assert deposit_state(market, deposit) is DepositState.HELD
    assert balances(market) == {own: -5_000, f"held:{organisation}:7": 5_000}
    with pytest.raises(WrongState), market.db.write() as session:
        bank.confirm(session, market.second, market.clock.now(), line)
    with pytest.raises(GatewayRefused):
        market.gateway.cancel("x", reference)


def test_parts_are_added_up_and_what_is_too_much_goes_back(market: Bank) -> None:
    actor, organisation = market.bidder()
    deposit, reference = market.deposit(actor, organisation, 7, 5_000)
    target = market.transfer_id(reference)
    parts = market.imported(market.line(2_000, reference), market.line(3_500, reference))
    market.explain(parts[0], MatchKind.PAYMENT, target)
    assert deposit_state(market, deposit) is DepositState.DUE
    assert market.gateway.look(reference).captured_fen == 2_000
    market.explain(parts[1], MatchKind.PAYMENT, target)
    assert deposit_state(market, deposit) is DepositState.HELD
    seen = market.gateway.look(reference)
    assert (seen.status, seen.captured_fen, seen.refunding_fen) == (Status.PAID, 5_500, 500)
    assert balances(market)[f"held:{organisation}:7"] == 5_000


def test_money_that_comes_after_it_was_called_off_goes_back(market: Bank) -> None:
    actor, organisation = market.bidder()
    deposit, reference = market.deposit(actor, organisation, 7, 5_000)
    with market.db.write() as session:
        service.release_deposit(session, market.first, market.clock.now(), deposit)
    market.work()
    assert market.gateway.look(reference).status is Status.CANCELLED
    (line,) = market.imported(market.line(5_000, reference))
    market.explain(line, MatchKind.PAYMENT, market.transfer_id(reference))
    seen = market.gateway.look(reference)
    assert (seen.captured_fen, [one.status for one in seen.refunds]) == (5_000, [RefundStatus.PENDING])
    assert balances(market)[f"returning:{organisation}:7"] == 5_000
    assert f"held:{organisation}:7" not in balances(market)
    pay(market, organisation)
    assert balances(market) == {"cash:offline": 5_000, f"cash:bank:{market.account_id}": -5_000}
    assert deposit_state(market, deposit) is DepositState.RELEASED


def payable(market: Bank, organisation: int) -> int:
    """An account in force of an organisation."""
    now = market.clock.now()
    with market.db.write() as session:
        data = AccountInput.model_validate(ACCOUNT | {"holder": "某泵业", "number": "6222020000009876"})
        account = accounts.propose(session, market.first, now, organisation, data)
        accounts.confirm(session, market.second, now, account)
    return account


def order_to_bank(market: Bank, organisation: int) -> tuple[int, int]:
    """The one waiting pay-out, prepared, approved and handed to the bank; its id and the list's."""
    now, account = market.clock.now(), payable(market, organisation)
    with market.db.read() as session:
        (waiting,) = queries.pay_outs(session, PayOutState.WAITING)[0]
    with market.db.write() as session:
        payouts.prepare(session, market.first, now, waiting.id, PrepareInput(account_id=account))
    with pytest.raises(SecondPerson), market.db.write() as session:
        payouts.approve(session, market.first, now, waiting.id)
    with market.db.write() as session:
        payouts.approve(session, market.second, now, waiting.id)
    with market.db.write() as session:
        batch = payouts.export(session, market.first, now)
    return waiting.id, batch


def pay(market: Bank, organisation: int) -> int:
    """The one waiting pay-out, carried out as far as people say; its id."""
    order, _ = order_to_bank(market, organisation)
    with pytest.raises(SecondPerson), market.db.write() as session:
        payouts.say_left(session, market.second, market.clock.now(), order)
    with market.db.write() as session:
        payouts.say_left(session, market.first, market.clock.now(), order)
    market.work()
    return order


def released(market: Bank) -> tuple[int, int, str]:
    """A deposit that came and is promised back: the organisation, the deposit, the reference."""
    actor, organisation = market.bidder()
    deposit, reference = market.deposit(actor, organisation, 7, 5_000)
    (line,) = market.imported(market.line(5_000, reference))
    market.explain(line, MatchKind.PAYMENT, market.transfer_id(reference))
    with market.db.write() as session:
        service.release_deposit(session, market.first, market.clock.now(), deposit)
    market.work()
    assert deposit_state(market, deposit) is DepositState.RELEASING
    return organisation, deposit, reference


def test_a_refund_is_a_pay_out_that_the_statement_shows(market: Bank) -> None:
    organisation, deposit, reference = released(market)
    order, batch = order_to_bank(market, organisation)
    with market.db.write() as session:
        (told,) = payouts.carry_away(session, market.first, market.clock.now(), batch)
    assert (told.number, told.amount_fen) == ("6222020000009876", 5_000)
    with pytest.raises(InvalidInput), market.db.write() as session:
        payouts.export(session, market.first, market.clock.now())
    wrong, right = market.imported(market.line(-4_999), market.line(-5_000, told.reference))
    with pytest.raises(InvalidInput), market.db.write() as session:
        bank.propose(
            session, market.first, market.clock.now(), wrong,
            ProposalInput(kind=MatchKind.PAY_OUT, target=order), [],
        )  # fmt: skip
    market.explain(right, MatchKind.PAY_OUT, order)
    assert deposit_state(market, deposit) is DepositState.RELEASED
    assert balances(market) == {f"cash:bank:{market.account_id}": 4_999, "unexplained": -4_999}
    assert market.gateway.look(reference).refunded_fen == 5_000


def test_a_pay_out_that_comes_back_is_paid_again(market: Bank) -> None:
    organisation, deposit, reference = released(market)
    order, _ = order_to_bank(market, organisation)
    out, back = market.imported(market.line(-5_000), market.line(5_000, "退汇"))
    market.explain(out, MatchKind.PAY_OUT, order)
    market.explain(back, MatchKind.RETURNED, order)
    assert market.gateway.look(reference).refunding_fen == 5_000
    books = balances(market)
    assert books[f"returning:{organisation}:7"] == 5_000
    assert "cash:offline" not in books
    order_to_bank(market, organisation)
    (again,) = market.imported(market.line(-5_000))
    market.explain(again, MatchKind.PAY_OUT, order)
    assert balances(market) == {}
    assert market.gateway.look(reference).refunded_fen == 5_000
    assert deposit_state(market, deposit) is DepositState.RELEASED


def test_a_pay_out_that_failed_waits_again_and_one_that_left_after_all_is_not_paid_twice(
    market: Bank,
) -> None:
    organisation, deposit, _ = released(market)
    order, batch = order_to_bank(market, organisation)
    with market.db.write() as session:
        payouts.fail(session, market.first, market.clock.now(), order, TroubleInput(reason="户名不符"))
    with market.db.write() as session:
        assert payouts.carry_away(session, market.first, market.clock.now(), batch) == []
    with market.db.read() as session:
        (waiting,) = queries.pay_outs(session, PayOutState.WAITING)[0]
        assert (waiting.trouble, waiting.account) == ("户名不符", "")
    (out,) = market.imported(market.line(-5_000))
    market.explain(out, MatchKind.PAY_OUT, order)
    assert deposit_state(market, deposit) is DepositState.RELEASED
    with market.db.read() as session:
        row = session.get(PayOut, order)
        assert row is not None
        assert row.state == PayOutState.LEFT


def test_the_price_goes_to_the_seller_by_two_people(market: Bank) -> None:
    now = market.clock.now()
    with market.db.write() as session:
        ledger.post(session, "x", "test", ledger.cash("offline"), ledger.price(7), 9_000, now)
    with market.db.write() as session:
        _, seller = _seller(session, market)
    order = PayOutInput(kind=PayOutKind.PRICE, lot_id=7, amount_fen=6_000)
    with market.db.write() as session:
        payouts.order(session, market.first, now, order, seller)
        with pytest.raises(InvalidInput):
            payouts.order(session, market.first, now, order, seller)
        with pytest.raises(InvalidInput):
            payouts.order(
                session,
                market.first,
                now,
                PayOutInput(kind=PayOutKind.REFUND, lot_id=7, amount_fen=1),
                seller,
            )
    one, _ = order_to_bank(market, seller)
    assert balances(market)[f"paying_out:{seller}:7"] == 6_000
    with market.db.write() as session:
        payouts.fail(session, market.first, now, one, TroubleInput(reason="退回"))
    assert balances(market) == {"cash:offline": -9_000, "price:7": 9_000}
    pay(market, seller)
    assert balances(market) == {"cash:offline": -3_000, "price:7": 3_000}
    (line,) = market.imported(market.line(-6_000))
    market.explain(line, MatchKind.PAY_OUT, one)
    assert balances(market) == {
        "cash:offline": -9_000, f"cash:bank:{market.account_id}": 6_000, "price:7": 3_000,
    }  # fmt: skip
    with market.db.write() as session:
        more = payouts.order(
            session, market.first, now, PayOutInput(kind=PayOutKind.PRICE, lot_id=7, amount_fen=3_000), seller
        )
        payouts.cancel(session, market.first, now, more)
        assert payouts.available(session, PayOutKind.PRICE, 7) == 3_000


def _seller(session: Session, market: Bank) -> tuple[object, int]:
    from tests.market.parties import Parties

    return None, Parties(session, market.clock.now()).organisation("某大学")


def test_a_statement_imported_twice_is_there_once(market: Bank) -> None:
    lines = [
        market.line(5),
        market.line(-3),
        market.line(5, serial="", remark="同"),
    ]
    more = [*lines, market.line(5, serial="", remark="同")]
    now = market.clock.now()
    with market.db.write() as session:
        for given, expected in ((lines, (3, 0)), (lines, (0, 3)), (more, (1, 3))):
            one = bank.upload_statement(session, market.first, now, market.account_id, "a.csv", "0" * 64)
            done = bank.import_statement(session, market.first, now, one, given)
            assert (done.new, done.known) == expected
        with pytest.raises(WrongState):
            bank.import_statement(session, market.first, now, one, given)
    assert balances(market)[f"cash:bank:{market.account_id}"] == -12


def test_a_statement_is_taken_whole_or_not(market: Bank) -> None:
    now = market.clock.now()
    wrong = [market.line(5, balance_fen=5), market.line(5, balance_fen=11), market.line(5, balance_fen=16)]
    with pytest.raises(InvalidInput) as refusal, market.db.write() as session:
        one = bank.upload_statement(session, market.first, now, market.account_id, "a.csv", "0" * 64)
        bank.import_statement(session, market.first, now, one, wrong)
    assert refusal.value.problems == [("lines.2", "bank_balance", {})]
    assert balances(market) == {}
    # The same line with its serial number and without could be two: somebody must look.
    market.imported(market.line(5))
    with pytest.raises(InvalidInput) as refusal, market.db.write() as session:
        one = bank.upload_statement(session, market.first, now, market.account_id, "a.csv", "0" * 64)
        bank.import_statement(session, market.first, now, one, [market.line(5, serial="")])
    assert refusal.value.problems[0][1] == "bank_serial_mixed"


def test_what_a_line_may_be(market: Bank) -> None:
    came, went = market.imported(market.line(5_000), market.line(-700))
    now = market.clock.now()
    bad = [
        (went, ProposalInput(kind=MatchKind.PAYMENT, target=1), "kind"),
        (came, ProposalInput(kind=MatchKind.FEE), "kind"),
        (came, ProposalInput(kind=MatchKind.PAYMENT), "target"),
        (came, ProposalInput(kind=MatchKind.IGNORED, reason=" "), "reason"),
        (came, ProposalInput(kind=MatchKind.SETTLEMENT, gateway="nobody"), "gateway"),
        (went, ProposalInput(kind=MatchKind.PAY_OUT, target=99), "target"),
    ]
    for line, data, field in bad:
        with market.db.write() as session, pytest.raises(InvalidInput) as refusal:
            bank.propose(session, market.first, now, line, data, ["stripe"])
        assert refusal.value.problems[0][0] == field
    with market.db.write() as session, pytest.raises(NotFound):
        bank.propose(session, market.first, now, 10**9, bad[0][1], [])
    actor, _ = market.bidder()
    with market.db.write() as session, pytest.raises(NotAllowed):
        bank.propose(session, actor, now, came, ProposalInput(kind=MatchKind.INTEREST), [])
    fee = ProposalInput(kind=MatchKind.FEE)
    with market.db.write() as session:
        bank.propose(session, market.first, now, went, fee, [])
        with pytest.raises(WrongState):
            bank.propose(session, market.second, now, went, fee, [])
        bank.withdraw(session, market.first, now, went)
        with pytest.raises(WrongState):
            bank.withdraw(session, market.first, now, went)
    market.explain(went, MatchKind.FEE)
    market.explain(came, MatchKind.SETTLEMENT, gateway="stripe")
    own = f"cash:bank:{market.account_id}"
    assert balances(market) == {own: -4_300, "fees:bank": -700, "cash:stripe": 5_000}
    (other,) = market.imported(market.line(300))
    market.explain(other, MatchKind.IGNORED, reason="与市场无关")
    assert balances(market)[own] == -4_300
    with market.db.read() as session:
        _, counted = queries.lines(session, LineState.OPEN)
        assert counted[LineState.IGNORED] == 1


def test_two_who_confirm_at_once_confirm_it_once(market: Bank) -> None:
    actor, organisation = market.bidder()
    deposit, reference = market.deposit(actor, organisation, 7, 5_000)
    (line,) = market.imported(market.line(5_000, reference))
    with market.db.write() as session:
        target = queries.transfer(session, reference).id
        data = ProposalInput(kind=MatchKind.PAYMENT, target=target)
        bank.propose(session, market.first, market.clock.now(), line, data, [])
    outcomes: list[str] = []
    ready = threading.Barrier(4)

    def confirm() -> None:
        ready.wait()
        try:
            with market.db.write() as session:
                bank.confirm(session, market.second, market.clock.now(), line)
            outcomes.append("confirmed")
        except MarketError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=confirm) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["confirmed", "wrong_state", "wrong_state", "wrong_state"]
    market.work()
    assert market.gateway.look(reference).captured_fen == 5_000
    assert deposit_state(market, deposit) is DepositState.HELD


def test_an_account_is_put_in_force_by_another_and_shown_masked(market: Bank) -> None:
    actor, organisation = market.bidder()
    stranger, _ = market.bidder("某机电有限公司")
    now = market.clock.now()
    data = AccountInput.model_validate(ACCOUNT | {"number": "６２２２ 0200-0000 9876"})
    with market.db.write() as session:
        with pytest.raises(NotAllowed):
            accounts.propose(session, stranger, now, organisation, data)
        with pytest.raises(NotAllowed):
            accounts.propose(session, actor, now, None, data)
        first = accounts.propose(session, actor, now, organisation, data)
        with pytest.raises(NotAllowed):
            accounts.confirm(session, actor, now, first)
        with pytest.raises(NotFound):
            accounts.confirm(session, stranger, now, first)
        accounts.confirm(session, market.first, now, first)
        second = accounts.propose(session, market.first, now, organisation, data)
        with pytest.raises(SecondPerson):
            accounts.confirm(session, market.first, now, second)
        third = accounts.propose(session, actor, now, organisation, data)
        accounts.confirm(session, market.second, now, third)
        found = {one.id: one for one in queries.accounts_of(session, organisation)}
        assert [found[one].state for one in (first, second, third)] == [
            AccountState.REPLACED, AccountState.WITHDRAWN, AccountState.IN_FORCE,
        ]  # fmt: skip
        assert {one.number for one in found.values()} == {"**** 9876"}
        session.flush()
        told = session.scalars(sa.select(t(AuditRecord).c.after)).all()
        assert not any("6222020000009876" in str(one) for one in told)
        own = queries.receiving_account(session)
        assert own is not None
        assert own.number == "3300123456789012"


@settings(max_examples=12, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    plan=st.lists(
        st.tuples(
            st.integers(-9_000, 9_000).filter(bool), st.sampled_from(["", "fee", "ignored", "withdrawn"])
        ),
        min_size=1,
        max_size=8,
    )
)
def test_the_books_hold_what_the_statement_says(market: Bank, plan: list[tuple[int, str]]) -> None:
    def books() -> tuple[int, int]:
        with market.db.read() as session:
            own = ledger.balance(session, bank.bank_cash(market.account_id))
            return own, ledger.balance(session, UNEXPLAINED)

    before_own, before_open = books()
    lines = [market.line(amount) for amount, _ in plan]
    ids = market.imported(*lines)
    market.imported(*lines)
    own, unexplained = books()
    total = sum(amount for amount, _ in plan)
    assert (own - before_own, unexplained - before_open) == (-total, total)
    ignored = explained = 0
    for line, (amount, fate) in zip(ids, plan, strict=True):
        if fate == "ignored":
            market.explain(line, MatchKind.IGNORED, reason="与市场无关")
            ignored += amount
        elif fate == "fee":
            market.explain(line, MatchKind.FEE if amount < 0 else MatchKind.INTEREST)
            explained += amount
        elif fate == "withdrawn":
            data = ProposalInput(kind=MatchKind.FEE if amount < 0 else MatchKind.INTEREST)
            with market.db.write() as session:
                bank.propose(session, market.first, market.clock.now(), line, data, [])
                bank.withdraw(session, market.second, market.clock.now(), line)
    own, unexplained = books()
    assert own - before_own == -(total - ignored)
    assert unexplained - before_open == total - ignored - explained
    with market.db.read() as session:
        assert set(ledger.total(session).values()) <= {0}


def test_a_line_keeps_its_day(market: Bank) -> None:
    (line,) = market.imported(StatementLine(1, dt.date(2026, 2, 28), 5, serial="day"))
    with market.db.read() as session:
        assert queries.line(session, line).booked_on == dt.date(2026, 2, 28)


def test_two_who_import_at_once_import_it_once(market: Bank) -> None:
    now, lines = market.clock.now(), [market.line(amount) for amount in (5, -3, 9)]
    with market.db.write() as session:
        files = [
            bank.upload_statement(session, market.first, now, market.account_id, "a.csv", "0" * 64)
            for _ in range(3)
        ]
    done: list[tuple[int, int]] = []
    ready = threading.Barrier(3)

    def run(statement_id: int) -> None:
        ready.wait()
        with market.db.write() as session:
            brought = bank.import_statement(session, market.first, now, statement_id, lines)
        done.append((brought.new, brought.known))

    threads = [threading.Thread(target=run, args=(one,)) for one in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [(0, 3), (0, 3), (3, 0)]
    assert balances(market)[f"cash:bank:{market.account_id}"] == -11


def test_a_refund_is_ordered_once_and_never_beyond_what_came(market: Bank) -> None:
    actor, organisation = market.bidder()
    _, reference = market.deposit(actor, organisation, 7, 5_000)
    (line,) = market.imported(market.line(5_000, reference))
    market.explain(line, MatchKind.PAYMENT, market.transfer_id(reference))
    outcomes: list[str] = []
    ready = threading.Barrier(4)

    def refund(key: str) -> None:
        ready.wait()
        try:
            market.gateway.refund(key, reference, 3_000)
            outcomes.append("ordered")
        except GatewayRefused as error:
            outcomes.append(error.params["reason"])

    threads = [threading.Thread(target=refund, args=(key,)) for key in ("a", "a", "b", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["beyond_what_is_left", "beyond_what_is_left", "ordered", "ordered"]
    assert market.gateway.look(reference).refunding_fen == 3_000
    with pytest.raises(GatewayRefused):
        market.gateway.refund("c", reference, 2_001)
    with pytest.raises(GatewayRefused):
        market.gateway.refund("c", reference, 0)
    assert market.gateway.refund("c", reference, 2_000).refunding_fen == 5_000
