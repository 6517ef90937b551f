"""What follows a sale: the checklist, a default and what it costs, and the offer to the next bidder."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from auctions import after_sale, queries, service
from auctions.models import Lot
from auctions.queries import private_terms
from auctions.rules.events import Kind
from market.alarms import AlarmRecord
from market.clock import UTC, local_date
from market.db import Session, t
from market.deals.models import Contract
from market.deals.rules import is_working_day
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound, WrongState
from market.files.models import Attachment
from market.payments import ledger
from market.payments.bank.rules import SecondPerson
from market.payments.models import Deposit, Payment
from market.permissions import Role
from market.settlements import offers, rules
from market.settlements import queries as reads
from market.settlements import service as settling
from market.settlements.inputs import DirectPaymentInput, ForfeitInput
from market.settlements.models import Party, Settlement
from market.settlements.queries import Show
from market.settlements.rules import Step, StepKind
from market.work import WorkItem
from tests.auctions.selling import BIDS, CLOSED, Sold, default, organisation_of, sold

DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


def state_of(session: Session, settlement_id: int) -> Any:
    session.expire_all()
    return session.get_one(Settlement, settlement_id)


def deposit_of(session: Session, lot: Sold, alias: int) -> Deposit:
    d = t(Deposit).c
    return session.scalars(
        sa.select(Deposit).where(d.lot_id == lot.lot_id, d.organisation_id == lot.organisation(alias))
    ).one()


def sign_all(session: Session, lot: Sold, settlement_id: int, buyer: int, now: dt.datetime) -> None:
    row = session.get_one(Settlement, settlement_id)
    for actor, party in (
        (lot.bidders[buyer], Party.BUYER), (lot.rows.officer, Party.SELLER), (lot.rows.staff, Party.ORGANISER),
    ):  # fmt: skip
        settling.sign(session, actor, now, settlement_id, party, row.facts_hash)


def pay(session: Session, lot: Sold, alias: int, amount: int, now: dt.datetime) -> None:
    session.add(
        Payment(
            purpose="balance", lot_id=lot.lot_id, organisation_id=lot.organisation(alias), amount_fen=amount,
            gateway="simulated", method="alipay", reference=f"test-{lot.lot_id}-{alias}-{amount}", status="paid",
            captured_fen=amount, created_at=now,
        )
    )  # fmt: skip
    session.flush()


def register(session: Session, contract_id: int, day: dt.date) -> None:
    contract = session.get_one(Contract, contract_id)
    contract.signed_on, contract.registered_on, contract.state = day, day, "registered"
    session.flush()


# Days


@given(
    closed=st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2026, 12, 1), timezones=st.just(UTC)),
    limit=st.integers(1, 30),
)
def test_a_last_day_is_a_working_day_with_as_many_before_it_as_promised(
    closed: dt.datetime, limit: int
) -> None:
    last, first = rules.last_day(closed, limit), local_date(closed)
    assert is_working_day(last)[0]
    between = [first + n * DAY for n in range(1, (last - first).days + 1)]
    assert sum(is_working_day(day)[0] for day in between) == limit
    assert rules.last_day(closed, limit + 1) > last


@given(
    due=st.none() | st.dates(dt.date(2026, 1, 1), dt.date(2026, 3, 1)),
    done=st.none() | st.dates(dt.date(2026, 1, 1), dt.date(2026, 3, 1)),
    today=st.dates(dt.date(2026, 1, 1), dt.date(2026, 3, 1)),
)
def test_a_step_is_late_only_while_it_is_open_and_its_day_has_passed(
    due: dt.date | None, done: dt.date | None, today: dt.date
) -> None:
    step = Step(StepKind.BALANCE, due, done)
    assert step.is_late(today) == (done is None and due is not None and today > due)
    late = step.days_late(today)
    assert late >= 0
    if due is not None:
        assert late == max(0, ((done or today) - due).days)
    # Whoever waits gets no earlier, and what is done gets no later.
    assert step.days_late(today + DAY) == late + (done is None and due is not None and today >= due)


@given(price=st.integers(1, 10**12), deposit=st.integers(0, 10**12), paid=st.integers(0, 10**12))
def test_what_is_outstanding_is_never_negative_and_falls_by_what_comes(
    price: int, deposit: int, paid: int
) -> None:
    left = rules.outstanding(price, deposit, paid)
    assert left >= 0
    assert left == 0 or left + deposit + paid == price


# The checklist


def test_a_sale_is_settled_step_by_step(session: Session) -> None:
    lot = sold(session, settlement={"confirm_days": 2, "contract_days": 4, "balance_days": 6})
    row = state_of(session, lot.settlement_id)
    # 9 March 2026 is a Monday.
    assert (row.confirm_by, row.contract_by, row.balance_by) == (
        dt.date(2026, 3, 11), dt.date(2026, 3, 13), dt.date(2026, 3, 17),
    )  # fmt: skip
    assert (row.price_fen, row.deposit_fen, row.state, row.contract_id) == (
        1_300_000, 100_000, "open", lot.contract_id,
    )  # fmt: skip
    assert rules.digest(row.facts) == row.facts_hash
    assert row.facts["buyer"]["bidder"] == 3
    assert deposit_of(session, lot, 3).state == "held"
    staff = lot.rows.staff
    found = reads.settlement(session, staff, lot.settlement_id)
    assert (found.deposit_there_fen, found.outstanding_fen) == (100_000, 1_200_000)

    sign_all(session, lot, lot.settlement_id, 3, CLOSED + HOUR)
    assert state_of(session, lot.settlement_id).confirmed_on == local_date(CLOSED)
    pay(session, lot, 3, 1_200_000, CLOSED + DAY)
    settling.advance(session, CLOSED + DAY, lot.settlement_id)
    assert state_of(session, lot.settlement_id).balance_paid_on == local_date(CLOSED + DAY)
    assert deposit_of(session, lot, 3).state == "applied"
    assert ledger.balance(session, ledger.price(lot.lot_id)) == 100_000
    register(session, lot.contract_id, local_date(CLOSED + 2 * DAY))
    assert settling.advance_due(session, CLOSED + 3 * DAY) is None
    row = state_of(session, lot.settlement_id)
    assert (row.state, row.registered_on) == ("complete", local_date(CLOSED + 2 * DAY))
    # Nothing moves twice.
    version = row.version
    settling.advance(session, CLOSED + 4 * DAY, lot.settlement_id)
    assert state_of(session, lot.settlement_id).version == version
    assert reads.settlements(session, staff, show=Show.COMPLETE, today=local_date(CLOSED))[1] == 1


def test_each_side_signs_for_itself_what_it_has_read(session: Session) -> None:
    lot = sold(session)
    key, facts = lot.settlement_id, state_of(session, lot.settlement_id).facts_hash
    with pytest.raises(NotFound):  # not even known to a bidder who lost
        settling.sign(session, lot.bidders[1], CLOSED, key, Party.BUYER, facts)
    with pytest.raises(NotFound):
        reads.settlement(session, lot.bidders[1], key)
    with pytest.raises(NotAllowed):
        settling.sign(session, lot.bidders[3], CLOSED, key, Party.SELLER, facts)
    with pytest.raises(NotAllowed):  # staff draft lots for sellers, and do not sign for them
        settling.sign(session, lot.rows.staff, CLOSED, key, Party.SELLER, facts)
    with pytest.raises(Conflict):
        settling.sign(session, lot.bidders[3], CLOSED, key, Party.BUYER, "0" * 64)
    settling.sign(session, lot.bidders[3], CLOSED, key, Party.BUYER, facts)
    settling.sign(session, lot.bidders[3], CLOSED + HOUR, key, Party.BUYER, facts)
    signed = reads.settlement(session, lot.rows.officer, key).signatures
    assert {party: line.at for party, line in signed.items()} == {Party.BUYER: CLOSED}
    assert state_of(session, key).confirmed_on is None


def test_money_paid_directly_counts_when_a_second_officer_says_so(session: Session) -> None:
    lot = sold(session)
    key, staff = lot.settlement_id, lot.rows.staff
    second = lot.rows.actor(lot.rows.market, Role.STAFF)
    file = Attachment(
        owner_kind="settlement", owner_id=key, organisation_id=lot.rows.seller, name="回单.pdf",
        media_type="application/pdf", size=1, sha256="a" * 64, visibility="private", created_at=CLOSED,
    )  # fmt: skip
    session.add(file)
    session.flush()

    def enter(amount: int, day: dt.date, attachment_id: int | None) -> int:
        data = DirectPaymentInput(amount_fen=amount, paid_on=day, note="对公转账")
        return settling.enter_direct_payment(session, staff, CLOSED, key, data, attachment_id)

    today = local_date(CLOSED)
    for amount, day, file_id, field in (
        (1_200_001, today, file.id, "amount_fen"),
        (1, today + DAY, file.id, "paid_on"),
        (1, today, None, "file"),
        (1, today, (file.id or 0) + 1, "file"),
    ):
        with pytest.raises(InvalidInput) as refused:
            enter(amount, day, file_id)
        assert [problem[0] for problem in refused.value.problems] == [field]
    with pytest.raises(NotAllowed):
        settling.enter_direct_payment(
            session, lot.bidders[3], CLOSED, key, DirectPaymentInput(amount_fen=1, paid_on=today), file.id
        )
    first = enter(1_000_000, today, file.id)
    with pytest.raises(SecondPerson):
        settling.decide_direct_payment(session, staff, CLOSED, first, approve=True)
    with pytest.raises(InvalidInput):
        settling.decide_direct_payment(session, second, CLOSED, first, approve=False)
    settling.decide_direct_payment(session, second, CLOSED, first, approve=False, reason="回单不清")
    again = enter(1_200_000, today, file.id)
    assert reads.settlement(session, staff, key).outstanding_fen == 1_200_000
    settling.decide_direct_payment(session, second, CLOSED, again, approve=True)
    settling.decide_direct_payment(session, second, CLOSED, again, approve=True)
    found = reads.settlement(session, staff, key)
    assert (found.outstanding_fen, found.paid_fen) == (0, 1_200_000)
    assert [line.state.value for line in found.receipts] == ["refused", "approved"]
    assert deposit_of(session, lot, 3).state == "applied"


def test_what_is_late_is_told_once_for_each_step(session: Session) -> None:
    lot = sold(session, settlement={"confirm_days": 1, "contract_days": 3, "balance_days": 5})
    w, a = t(WorkItem).c, t(AlarmRecord).c

    def told() -> tuple[int, int]:
        session.flush()
        mails = session.scalars(sa.select(w.payload).where(w.kind == "mail.send")).all()
        late = [one for one in mails if one["template"] == "settlement_late"]
        rang = session.scalar(sa.select(sa.func.count()).where(a.code == "settlement_late"))
        return len(late), rang or 0

    row = state_of(session, lot.settlement_id)
    on_time = dt.datetime.combine(row.confirm_by, dt.time(15, 59), UTC)  # 23:59 in Shanghai
    settling.escalate_due(session, on_time)
    assert told() == (0, 0)
    assert reads.settlements(session, lot.rows.staff, show=Show.LATE, today=local_date(on_time))[1] == 0
    late = on_time + dt.timedelta(minutes=1)
    settling.escalate_due(session, late)
    settling.escalate_due(session, late + HOUR)
    people = 3  # staff, the seller's officer, the buyer's bidder
    assert told() == (people, 1)
    [line] = reads.settlements(session, lot.rows.staff, show=Show.LATE, today=local_date(late))[0]
    assert line.days_late(local_date(late)) == 1
    settling.escalate_due(session, late + 30 * DAY)
    assert told() == (2 * people, 3)


def test_who_lists_settlements_sees_its_own(session: Session) -> None:
    lot = sold(session)
    today = local_date(CLOSED)
    for actor, count in (
        (lot.rows.staff, 1), (lot.rows.officer, 1), (lot.bidders[3], 1), (lot.bidders[1], 0),
    ):  # fmt: skip
        assert reads.settlements(session, actor, today=today)[1] == count


# Default


def test_a_default_costs_the_deposit_in_the_order_of_the_terms(session: Session) -> None:
    lot = sold(session, settlement={"forfeit_rest": "market", "runner_up": True})
    staff, key = lot.rows.staff, lot.settlement_id
    data = ForfeitInput(costs_fen=30_000, shortfall_fen=20_000, reason="竞得人逾期未付款")
    with pytest.raises(WrongState):
        settling.forfeit(session, staff, CLOSED, key, data)
    default(session, lot, CLOSED + DAY)
    assert state_of(session, key).state == "defaulted"
    assert deposit_of(session, lot, 3).state == "held"
    with pytest.raises(NotAllowed):
        settling.forfeit(session, lot.rows.officer, CLOSED + DAY, key, data)
    parts = settling.forfeit(session, staff, CLOSED + DAY, key, data)
    assert (parts.costs_fen, parts.shortfall_fen, parts.rest_fen, parts.open_fen) == (
        30_000,
        20_000,
        50_000,
        0,
    )
    assert deposit_of(session, lot, 3).state == "forfeited"
    balances = ledger.balances(session, lot_id=lot.lot_id)
    assert balances[f"forfeited:{lot.lot_id}:market", "CNY"] == 50_000
    with pytest.raises(WrongState):
        settling.forfeit(session, staff, CLOSED + DAY, key, data)


def test_what_the_deposit_does_not_cover_is_owed_by_a_day(session: Session) -> None:
    lot = sold(session)
    default(session, lot, CLOSED + DAY)
    staff, key, today = lot.rows.staff, lot.settlement_id, local_date(CLOSED + DAY)

    def forfeit(owed_by: dt.date | None) -> Any:
        data = ForfeitInput(costs_fen=30_000, shortfall_fen=100_000, owed_by=owed_by, reason="竞得人逾期")
        return settling.forfeit(session, staff, CLOSED + DAY, key, data)

    for day in (None, today - DAY):
        with pytest.raises(InvalidInput) as refused:
            forfeit(day)
        assert refused.value.problems[0][0] == "owed_by"
    assert forfeit(today + 10 * DAY).open_fen == 30_000
    row = state_of(session, key)
    assert (row.owed_fen, row.owed_by, row.costs_fen) == (30_000, today + 10 * DAY, 30_000)


def test_who_defaulted_may_not_ask_for_the_lot_again(session: Session) -> None:
    lot = sold(session, settlement={"runner_up": False})
    default(session, lot, CLOSED + DAY)
    assert after_sale.next_bidder(session, lot.lot_id) is None
    with pytest.raises(WrongState):
        after_sale.offer_next(session, lot.rows.staff, CLOSED + DAY, lot.lot_id, CLOSED + 3 * DAY)
    again = service.offer_again(session, lot.rows.officer, lot.lot_id, CLOSED + DAY)
    assert private_terms(session, again).barred_organisation_ids == (lot.organisation(3),)
    service.publish(session, lot.rows.staff, again, CLOSED + DAY)
    terms_hash = session.get_one(Lot, again).terms_hash
    for alias, right in ((3, False), (1, True)):
        actor = lot.bidders[alias]
        asked = service.request_admission(
            session, actor, again, organisation_of(actor), terms_hash, CLOSED + DAY
        )
        deposit = lot.rows.deposit(again, actor, 100_000)
        if right:
            assert service.admit(session, lot.rows.staff, asked, CLOSED + DAY, deposit_id=deposit) == 1
        else:
            with pytest.raises(service.LotRefusal) as refused:
                service.admit(session, lot.rows.staff, asked, CLOSED + DAY, deposit_id=deposit)
            assert refused.value.code == "barred_from_bidding"


# The next bidder


def test_the_next_bidder_takes_the_lot_at_its_own_last_bid(session: Session) -> None:
    lot = sold(session)
    staff, now = lot.rows.staff, CLOSED + DAY
    with pytest.raises(WrongState):  # sold, and nobody has defaulted
        after_sale.offer_next(session, staff, now, lot.lot_id, now + DAY)
    default(session, lot, now)
    with pytest.raises(NotAllowed):
        after_sale.offer_next(session, lot.rows.officer, now, lot.lot_id, now + DAY)
    with pytest.raises(InvalidInput):
        after_sale.offer_next(session, staff, now, lot.lot_id, now)
    offer_id, found = after_sale.offer_next(session, staff, now, lot.lot_id, now + 2 * DAY)
    assert (found.alias, found.organisation_id, found.amount_fen) == (1, lot.organisation(1), 1_200_000)
    with pytest.raises(WrongState):
        after_sale.offer_next(session, staff, now, lot.lot_id, now + DAY)
    with pytest.raises(WrongState):  # nor is it offered to everybody meanwhile
        service.offer_again(session, lot.rows.officer, lot.lot_id, now)
    for stranger in (lot.bidders[2], lot.rows.staff, lot.rows.officer):
        with pytest.raises(NotFound):
            after_sale.answer(session, stranger, now, offer_id, accept=True)
    # Its deposit has gone back: it is due once more.
    deposit = deposit_of(session, lot, 1)
    deposit.state = "released"
    session.flush()
    after_sale.answer(session, lot.bidders[1], now + DAY, offer_id, accept=True)
    session.expire_all()
    line = reads.of_lot(session, lot.lot_id)[-1]
    assert (line.origin.value, line.state.value, line.price_fen) == ("runner_up", "open", 1_200_000)
    assert line.steps[0].due_on == rules.last_day(now + DAY, 3)
    assert deposit_of(session, lot, 1).state == "due"
    contract = session.get_one(Contract, lot.contract_id)
    assert (contract.buyer_id, contract.deal_fen, contract.technology_fen) == (
        lot.organisation(1), 1_200_000, 1_200_000,
    )  # fmt: skip
    held = deposit_of(session, lot, 1)
    held.state = "held"
    session.flush()
    sign_all(session, lot, line.id, 1, now + DAY)
    pay(session, lot, 1, 1_100_000, now + DAY)
    register(session, lot.contract_id, local_date(now + 2 * DAY))
    settling.advance_due(session, now + 2 * DAY)
    assert state_of(session, line.id).state == "complete"
    assert deposit_of(session, lot, 1).state == "applied"


def test_nobody_is_asked_twice_and_the_next_one_follows(session: Session) -> None:
    lot = sold(session)
    staff, now = lot.rows.staff, CLOSED + DAY
    default(session, lot, now)
    first, _ = after_sale.offer_next(session, staff, now, lot.lot_id, now + DAY)
    after_sale.answer(session, lot.bidders[1], now, first, accept=False, reason="资金另有安排")
    second, found = after_sale.offer_next(session, staff, now, lot.lot_id, now + DAY)
    assert (found.alias, found.amount_fen) == (2, 1_100_000)
    assert offers.lapse_due(session, now + DAY) == []
    with pytest.raises(WrongState):
        after_sale.answer(session, lot.bidders[2], now + DAY + HOUR, second, accept=True)
    assert offers.lapse_due(session, now + DAY + HOUR) == [(lot.lot_id, 2)]
    with pytest.raises(WrongState):
        after_sale.answer(session, lot.bidders[2], now, second, accept=True)
    with pytest.raises(WrongState):  # nobody is left
        after_sale.offer_next(session, staff, now + 2 * DAY, lot.lot_id, now + 3 * DAY)
    assert [line.state.value for line in reads.offers_of_lot(session, lot.lot_id)] == ["declined", "lapsed"]
    assert service.offer_again(session, lot.rows.officer, lot.lot_id, now + 2 * DAY)


def test_a_next_bidder_may_default_too_and_is_barred(session: Session) -> None:
    lot = sold(session)
    staff, now = lot.rows.staff, CLOSED + DAY
    default(session, lot, now)
    offer_id, _ = after_sale.offer_next(session, staff, now, lot.lot_id, now + DAY)
    after_sale.answer(session, lot.bidders[1], now, offer_id, accept=True)
    first, second = reads.of_lot(session, lot.lot_id)
    with pytest.raises(WrongState):
        after_sale.runner_up_defaulted(session, staff, now, first.id, "逾期")
    with pytest.raises(WrongState):
        service.offer_again(session, lot.rows.officer, lot.lot_id, now)
    after_sale.runner_up_defaulted(session, staff, now, second.id, "逾期未签约")
    third, found = after_sale.offer_next(session, staff, now, lot.lot_id, now + DAY)
    assert found.alias == 2
    after_sale.answer(session, lot.bidders[2], now, third, accept=False)
    again = service.offer_again(session, lot.rows.officer, lot.lot_id, now)
    barred = private_terms(session, again).barred_organisation_ids
    assert set(barred) == {lot.organisation(3), lot.organisation(1)}


@pytest.mark.parametrize(
    ("changes", "right"),
    [({}, 1), ({"revoked": 1}, 2), ({"suspended": 1}, 2), ({"reserve_fen": 1_150_000}, 1), ({"reserve_fen": 1_250_000}, None)],
)  # fmt: skip
def test_who_is_next_may_still_bid_and_reached_the_reserve(
    session: Session, changes: dict[str, Any], right: int | None
) -> None:
    terms = {name: changes[name] for name in ("reserve_fen",) if name in changes}
    lot = sold(session, **terms)
    default(session, lot, CLOSED + DAY)
    if "suspended" in changes:
        session.execute(
            sa.text("UPDATE organisation SET state = 'suspended' WHERE id = :id"),
            {"id": lot.organisation(changes["suspended"])},
        )
    if "revoked" in changes:
        row = session.get_one(Lot, lot.lot_id)
        row.fold = {
            **row.fold, "admitted": [one for one in row.fold["admitted"] if one[0] != changes["revoked"]]
        }  # fmt: skip
        session.flush()
    found = after_sale.next_bidder(session, lot.lot_id)
    assert (found.alias if found else None) == right


def test_of_equal_bids_the_match_stands_before_the_one_it_matched(session: Session) -> None:
    lot = sold(session, bids=((1, 1_000_000), (2, 1_000_000), (3, 1_200_000)), priorities={2: 1})
    default(session, lot, CLOSED + DAY)
    found = after_sale.next_bidder(session, lot.lot_id)
    assert found is not None
    assert (found.alias, found.amount_fen) == (2, 1_000_000)


def test_a_contract_that_went_further_than_a_draft_stops_the_offer(session: Session) -> None:
    lot = sold(session)
    now = CLOSED + DAY
    default(session, lot, now)
    offer_id, _ = after_sale.offer_next(session, lot.rows.staff, now, lot.lot_id, now + DAY)
    register(session, lot.contract_id, local_date(now))
    with pytest.raises(WrongState):
        after_sale.answer(session, lot.bidders[1], now, offer_id, accept=True)


def test_a_notice_of_the_offer_is_in_the_journal(session: Session) -> None:
    lot = sold(session)
    default(session, lot, CLOSED + DAY)
    after_sale.announce(session, lot.rows.staff, CLOSED + DAY, lot.lot_id, "按约定向1号竞买人递补")
    last = queries.journal_page(session, lot.lot_id, after_seq=0, limit=100)[-1]
    assert (last.kind, last.data["text"]) == (Kind.ANNOUNCEMENT, "按约定向1号竞买人递补")
    assert len(BIDS) == queries.lot_detail(session, lot.lot_id).card.bid_count
