"""What terms say of deposit and settlement: hashed since version 3, checked, taken from the policies in force."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auctions import policies, service
from auctions.errors import LotRefusal
from auctions.models import Lot, SettlementInput
from auctions.policies import AuctionRule, PolicyInput
from auctions.queries import lot_detail, private_terms
from auctions.rules.formats import problems
from auctions.rules.settlement import ForfeitRest, SettlementTerms, share_of
from auctions.rules.terms import OrganiserType, Terms
from market.clock import local_date
from market.db import Session
from market.deals.models import PolicyStanding
from market.errors import InvalidInput
from market.payments.models import Deposit
from market.permissions import Role
from tests.auctions.histories import OPENS as HISTORY_OPENS
from tests.auctions.histories import TERMS
from tests.auctions.rows import NOW, OPENS, Rows, lot_input

S = dt.timedelta(seconds=1)


@pytest.fixture
def rows(session: Session) -> Rows:
    return Rows(session)


@pytest.mark.parametrize(
    ("version", "hashed"),
    [
        (1, "f5aebf7025a24561e65747cf1083f721ca0f860a912e649b84cdf7e7da41def9"),
        (2, "5b740a4ae44f6fcfd9859ed0ed76b1a982e8cf8a58090fd6039f7b224c2ee093"),
    ],
)
def test_terms_of_earlier_versions_keep_their_text_and_hash(version: int, hashed: str) -> None:
    terms = replace(TERMS, version=version, settlement=SettlementTerms(refund_hours=1))
    assert "settlement" not in terms.public()
    assert terms.hash() == hashed
    read = Terms.from_private(terms.private())
    assert (read.version, read.hash(), read.settlement) == (version, hashed, SettlementTerms())


def test_every_word_of_the_settlement_is_hashed() -> None:
    changes: list[dict[str, Any]] = [
        {"deposit_share_bp": 1000}, {"deposit_due_at": HISTORY_OPENS}, {"refund_hours": 48}, {"confirm_days": 4},
        {"contract_days": 6}, {"balance_days": 11}, {"forfeit_rest": ForfeitRest.MARKET}, {"runner_up": True},
    ]  # fmt: skip
    made = [replace(TERMS, settlement=replace(SettlementTerms(), **change)) for change in changes]
    assert all(problems(terms) == [] for terms in made)
    assert len({terms.hash() for terms in [TERMS, *made]}) == len(changes) + 1
    assert [Terms.from_private(terms.private()) for terms in made] == made


@given(start=st.integers(1, 10**13), share=st.integers(1, 10_000))
def test_a_share_is_never_less_than_its_part_of_the_start_and_never_a_fen_more(
    start: int, share: int
) -> None:
    deposit = share_of(start, share)
    assert 0 <= deposit * 10_000 - start * share < 10_000


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"settlement": SettlementTerms(deposit_share_bp=999)}, "deposit_fen", None),
        ({"settlement": SettlementTerms(deposit_share_bp=1001)}, "deposit_fen", "deposit_is_not_its_share"),
        ({"settlement": SettlementTerms(deposit_due_at=HISTORY_OPENS + S)}, "settlement.deposit_due_at", "deposit_due_after_opening"),
        ({"deposit_fen": 0, "settlement": SettlementTerms(deposit_due_at=HISTORY_OPENS)}, "settlement.deposit_due_at", "no_deposit_to_be_due"),
        ({"settlement": SettlementTerms(refund_hours=0)}, "settlement.refund_hours", "out_of_range"),
        ({"settlement": SettlementTerms(balance_days=367)}, "settlement.balance_days", "out_of_range"),
    ],
)  # fmt: skip
def test_what_cannot_be_promised(changes: dict[str, Any], field: str, code: str | None) -> None:
    found = problems(replace(TERMS, **changes))
    if code is None:  # 99.9 rounded up is the deposit that stands there
        assert found == []
    else:
        assert [(name, what) for name, what, _ in found] == [(field, code)]


@pytest.mark.parametrize(
    ("values", "right"),
    [
        ({}, True),
        ({"format": "sealed", "params": {"pricing": "own", "reveal_s": 600}}, True),
        ({"format": "sealed", "params": {"pricing": "second", "reveal_s": 600}}, False),
        (
            {"format": "dutch", "params": {"floor_fen": 500_000, "decrement_fen": 100_000, "interval_s": 60}, "ends_at": None},
            False,
        ),
        (
            {
                "format": "scoring",
                "params": {"price_weight": 50, "royalty_weight": 50, "royalty_unit_bp": 100, "royalty_most_bp": 500, "score_step": 100},
            },
            False,
        ),
    ],
)  # fmt: skip
def test_only_formats_with_prices_of_their_own_have_a_next_bidder(
    session: Session, rows: Rows, values: dict[str, Any], right: bool
) -> None:
    asked = lot_input(**values, settlement=SettlementInput(runner_up=True))
    if right:
        lot_id = service.create_lot(session, rows.officer, rows.result(), asked, NOW)
        assert private_terms(session, lot_id).settlement.runner_up
        return
    with pytest.raises(InvalidInput) as invalid:
        service.create_lot(session, rows.officer, rows.result(), asked, NOW)
    assert [problem[:2] for problem in invalid.value.problems] == [
        ("terms.settlement.runner_up", "no_next_bidder")
    ]


def test_what_is_left_open_takes_the_rule_in_force_and_nothing_longer_is_published(
    session: Session, rows: Rows
) -> None:
    policies.seed_policies(session)
    keeper = rows.actor(rows.market, Role.ADMINISTRATOR)
    for rule, value in ((AuctionRule.REFUND, 12), (AuctionRule.CONTRACT, 4)):
        made = PolicyInput(
            organiser=OrganiserType.MARKET, rule=rule, value=value, valid_from=local_date(NOW),
            standing=PolicyStanding.RECALLED, basis="本市场竞价规则第九条",
        )  # fmt: skip
        policies.add_version(session, keeper, made, NOW)
    lot_id = rows.draft(settlement=SettlementInput(deposit_share_bp=1000, deposit_due_at=OPENS))
    promised = private_terms(session, lot_id)
    assert (promised.deposit_fen, promised.settlement.refund_hours, promised.settlement.contract_days) == (
        100_000, 12, 4,
    )  # fmt: skip
    service.publish(session, rows.staff, lot_id, NOW)
    told = lot_detail(session, lot_id)
    assert told.terms["settlement"]["deposit_share_bp"] == 1000
    assert told.card.deposit_fen == 100_000

    longer = rows.draft(settlement=SettlementInput(refund_hours=13, contract_days=5))
    with pytest.raises(InvalidInput) as invalid:
        service.publish(session, rows.staff, longer, NOW)
    assert list(invalid.value.problems) == [
        ("terms.settlement.refund_hours", "longer_than_the_rule", {"limit": 12}),
        ("terms.settlement.contract_days", "longer_than_the_rule", {"limit": 4}),
    ]


@pytest.mark.parametrize(("share", "right"), [(499, False), (500, True), (2000, True), (2001, False)])
def test_a_share_is_held_against_the_range_as_a_share(
    session: Session, rows: Rows, share: int, right: bool
) -> None:
    policies.seed_policies(session)
    # 20% of this start is no whole number of fen: rounded up it is beyond the range in fen, not as a share.
    lot_id = rows.draft(start_fen=1_000_001, settlement=SettlementInput(deposit_share_bp=share))
    if right:
        service.publish(session, rows.staff, lot_id, NOW)
        return
    with pytest.raises(InvalidInput) as invalid:
        service.publish(session, rows.staff, lot_id, NOW)
    assert [problem[:2] for problem in invalid.value.problems] == [
        ("terms.deposit_fen", "deposit_out_of_range")
    ]


def test_a_deposit_and_an_amount_of_its_own_must_agree(session: Session, rows: Rows) -> None:
    with pytest.raises(InvalidInput) as invalid:
        rows.draft(deposit_fen=99_999, settlement=SettlementInput(deposit_share_bp=1000))
    assert list(invalid.value.problems) == [
        ("terms.deposit_fen", "deposit_is_not_its_share", {"deposit_fen": 100_000})
    ]


def test_a_deposit_that_comes_late_admits_nobody(session: Session, rows: Rows) -> None:
    due = OPENS - dt.timedelta(hours=1)
    lot_id = rows.lot(deposit_fen=100_000, settlement=SettlementInput(deposit_due_at=due))
    in_time, late, later = rows.bidder(), rows.bidder(), rows.bidder()
    admissions = [rows.request(lot_id, one) for one in (in_time, late)]
    deposits = [rows.deposit(lot_id, one, 100_000) for one in (in_time, late)]
    for deposit_id, at in zip(deposits, (due, due + S), strict=True):
        session.get_one(Deposit, deposit_id).updated_at = at
    session.flush()
    after = due + dt.timedelta(minutes=10)
    # What was held in time admits, also when staff come to it later.
    assert service.admit(session, rows.staff, admissions[0], after, deposit_id=deposits[0]) == 1
    with pytest.raises(LotRefusal) as refused:
        service.admit(session, rows.staff, admissions[1], after, deposit_id=deposits[1])
    assert refused.value.code == "deposit_late"
    with pytest.raises(LotRefusal) as refused:
        service.request_admission(
            session, later, lot_id, later.memberships[0].organisation_id,
            session.get_one(Lot, lot_id).terms_hash, after,
        )  # fmt: skip
    assert refused.value.code == "deposit_late"


def test_a_lot_offered_again_promises_the_same_at_later_times(session: Session, rows: Rows) -> None:
    settlement = SettlementInput(
        deposit_share_bp=1000, deposit_due_at=OPENS, refund_hours=20, confirm_days=2, contract_days=4,
        balance_days=7, forfeit_rest=ForfeitRest.MARKET, runner_up=True,
    )  # fmt: skip
    first = rows.lot(settlement=settlement)
    row = session.get_one(Lot, first)
    row.state, row.closed_at = "passed_in", NOW
    session.flush()
    again = private_terms(session, service.offer_again(session, rows.officer, first, NOW))
    before = private_terms(session, first)
    assert again.settlement.deposit_due_at is not None
    shift = again.opens_at - before.opens_at
    assert (
        replace(again.settlement, deposit_due_at=again.settlement.deposit_due_at - shift) == before.settlement
    )
    assert (again.deposit_fen, again.version) == (100_000, 3)
