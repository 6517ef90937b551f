"""Reconciliation: agreement is told where there is, and every difference, gap and lateness where there is not."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from market.clock import FixedClock
from market.db import Database, t
from market.errors import NotFound
from market.payments import ledger, reconciliation, service, statements, wishes
from market.payments.bank import service as bank
from market.payments.bank.inputs import ProposalInput
from market.payments.bank.models import MatchKind
from market.payments.ledger import Account
from market.payments.models import AccountKind, Payment, PaymentDispute
from market.payments.reconciliation import Reconciliation, Trouble
from market.payments.statements import Statement
from market.permissions import SYSTEM
from market.work import WorkItem
from tests.market.bank import Bank


@pytest.fixture
def market(database: Database, clock: FixedClock) -> Bank:
    return Bank.open(database, clock)


def worked_out(market: Bank) -> Reconciliation:
    with market.db.read() as session:
        return reconciliation.reconcile(session, market.clock.now())


def differences(found: Reconciliation) -> list[int]:
    return [one.difference_fen for one in found.gateways] + [one.difference_fen for one in found.banks]


def paid(market: Bank, amount: int = 5_000, lot_id: int = 7) -> tuple[int, int, str]:
    """A deposit that came: the organisation, the deposit, the reference."""
    actor, organisation = market.bidder()
    deposit, reference = market.deposit(actor, organisation, lot_id, amount)
    (line,) = market.imported(market.line(amount, reference))
    market.explain(line, MatchKind.PAYMENT, market.transfer_id(reference))
    return organisation, deposit, reference


def test_what_came_agrees_and_what_nobody_explained_is_told(market: Bank) -> None:
    paid(market)
    market.imported(market.line(300, "货款"))
    found = worked_out(market)
    assert differences(found) == [0, 0]
    assert found.unexplained == {"CNY": 300}
    assert found.troubles == ()
    assert [(one.code, one.amount_fen) for one in found.late] == [("line_open", 300)]


def test_a_payment_that_was_not_pursued_is_behind_the_difference(market: Bank) -> None:
    actor, organisation = market.bidder()
    _, reference = market.deposit(actor, organisation, 7, 5_000)
    (line,) = market.imported(market.line(5_000, reference))
    data = ProposalInput(kind=MatchKind.PAYMENT, target=market.transfer_id(reference))
    with market.db.write() as session:
        bank.propose(session, market.first, market.clock.now(), line, data, [])
        bank.confirm(session, market.second, market.clock.now(), line)
    found = worked_out(market)
    (gateway,) = found.gateways
    assert gateway.difference_fen == -5_000
    (behind,) = gateway.behind
    assert (behind.reference, behind.ours_fen, behind.theirs_fen) == (reference, 0, 5_000)
    market.work()
    (gateway,) = worked_out(market).gateways
    assert (gateway.difference_fen, gateway.behind) == (0, ())


def test_a_missing_statement_leaves_a_gap(market: Bank) -> None:
    market.imported(market.line(100, balance_fen=1_100))
    (account,) = worked_out(market).banks
    assert (account.told_fen, account.worked_out_fen, account.gap_fen) == (1_100, 1_100, 0)
    market.imported(market.line(50, balance_fen=1_450, booked_on=dt.date(2026, 3, 4)))
    (account,) = worked_out(market).banks
    assert (account.gap_fen, account.difference_fen) == (300, 0)
    market.imported(market.line(300, balance_fen=1_400, booked_on=dt.date(2026, 3, 3)))
    (account,) = worked_out(market).banks
    assert (account.told_fen, account.gap_fen) == (1_450, 0)


def test_a_settlement_moves_money_from_the_gateway_to_the_bank(market: Bank) -> None:
    now = market.clock.now()
    organisation, deposit, _ = paid(market)
    with market.db.write() as session:
        session.add(
            Payment(
                purpose="deposit", deposit_id=deposit, lot_id=7, organisation_id=organisation, amount_fen=900,
                gateway="stripe", method="alipay", status="paid", captured_fen=900, fee_fen=20, created_at=now,
            )
        )  # fmt: skip
        ledger.post(session, "s", "test", ledger.cash("stripe"), Account(AccountKind.INCOME), 900, now)
        ledger.post(
            session, "f", "test", Account(AccountKind.FEES, gateway="stripe"), ledger.cash("stripe"), 20, now
        )
    by_name = {one.gateway: one for one in worked_out(market).gateways}
    assert (by_name["stripe"].ours_fen, by_name["stripe"].theirs_fen) == (880, 880)
    (line,) = market.imported(market.line(800))
    market.explain(line, MatchKind.SETTLEMENT, gateway="stripe")
    found = worked_out(market)
    by_name = {one.gateway: one for one in found.gateways}
    assert (by_name["stripe"].ours_fen, by_name["stripe"].theirs_fen) == (80, 80)
    assert set(differences(found)) == {0}


def test_what_is_late_is_told(market: Bank) -> None:
    now = market.clock.now()
    organisation, deposit, reference = paid(market)
    with market.db.write() as session:
        service.release_deposit(session, market.first, now, deposit, refund_hours=1)
    market.work()
    market.clock.advance(hours=2)
    with market.db.write() as session:
        p = t(Payment).c
        payment = session.execute(sa.select(p.id).where(p.reference == reference)).scalar_one()
        session.add(
            PaymentDispute(
                payment_id=payment, reference="d", amount_fen=7, status="needs_response", reason="fraudulent",
                created_at=now, updated_at=now,
            )
        )  # fmt: skip
        session.add(
            WorkItem(
                kind=wishes.KIND, key="x", payload={"payment_id": payment}, state="dead", due_at=now,
                created_at=now,
            )
        )  # fmt: skip
        session.execute(
            sa.text(
                "INSERT INTO payment_operation (payment_id, kind, key, amount_fen, state, error, created_at) "
                "VALUES (:payment, 'capture', 'k', 5, 'refused', 'nothing_authorised', :now)"
            ),
            {"payment": payment, "now": now.replace(tzinfo=None) if market.db.is_sqlite else now},
        )
    codes = [one.code for one in worked_out(market).late]
    assert codes == ["refund", "dead", "operation", "dispute", "pay_out_waiting"]
    del organisation


def test_damage_is_found(market: Bank) -> None:
    organisation, deposit, _ = paid(market)
    with market.db.read() as session:
        assert reconciliation.health(session) == []
    with market.db.write() as session:
        ledger.post(
            session, "wrong", "test", ledger.held(organisation, 7), Account(AccountKind.INCOME), 1,
            market.clock.now(), actor=SYSTEM,
        )  # fmt: skip
        ledger.post(
            session, "nobody", "test", Account(AccountKind.INCOME), ledger.held(organisation, 99), 2,
            market.clock.now(),
        )  # fmt: skip
    with market.db.read() as session:
        assert reconciliation.health(session) == [
            Trouble("held", f"deposit {deposit}", -1), Trouble("held", f"held:{organisation}:99", 2),
        ]  # fmt: skip


def adds_up(found: Statement) -> bool:
    return all(
        one.opening_fen + sum(entry.fen for entry in one.entries) == one.closing_fen for one in found.sections
    )


def test_statements_open_add_up_and_close(market: Bank) -> None:
    organisation, deposit, _ = paid(market)
    other, _, _ = paid(market, 900, 8)
    market.clock.advance(days=2)
    with market.db.write() as session:
        service.release_deposit(session, market.first, market.clock.now(), deposit)
    with market.db.read() as session:
        whole = statements.of_organisation(session, market.first, organisation)
        late = statements.of_organisation(session, market.first, organisation, dt.date(2026, 3, 3))
        early = statements.of_organisation(session, market.first, organisation, None, dt.date(2026, 3, 3))
        lot = statements.of_lot(session, market.first, 7)
        assert all(adds_up(one) for one in (whole, late, early, lot))
        held, returning = whole.sections
        assert [entry.cause for entry in held.entries] == ["payment.paid", "payment.promised"]
        assert (held.closing_fen, returning.closing_fen) == (0, 5_000)
        assert (late.sections[0].opening_fen, late.sections[0].closing_fen) == (5_000, 0)
        assert [one.closing_fen for one in early.sections] == [5_000]
        assert {one.account.kind for one in lot.sections} == {AccountKind.HELD, AccountKind.RETURNING}
        assert statements.of_organisation(session, market.first, organisation, lot_id=8).sections == ()
        found, total = statements.holders(session)
        assert {one.id for one in found} == {organisation, other}
        assert total == 2
        assert statements.lots(session) == [8, 7]
    actor, _ = market.bidder("某机电有限公司")
    with market.db.read() as session:
        with pytest.raises(NotFound):
            statements.of_organisation(session, actor, organisation)
        with pytest.raises(NotFound):
            statements.of_lot(session, actor, 7)
        with pytest.raises(NotFound):
            statements.of_organisation(session, market.first, 10**9)


def test_the_buyer_reads_what_it_paid_towards_the_price(market: Bank) -> None:
    now = market.clock.now()
    organisation, _, reference = paid(market)
    with market.db.write() as session:
        p = t(Payment).c
        payment = session.execute(sa.select(p.id).where(p.reference == reference)).scalar_one()
        for key, whose in (("mine", payment), ("theirs", None)):
            ledger.post(
                session,
                key,
                "payment.paid",
                ledger.cash("offline"),
                ledger.price(7),
                40,
                now,
                payment_id=whose,
            )
    with market.db.read() as session:
        found = statements.of_organisation(session, market.first, organisation)
    assert [(one.account.kind, one.closing_fen) for one in found.sections] == [
        (AccountKind.HELD, 5_000), (AccountKind.PRICE, 40),
    ]  # fmt: skip
