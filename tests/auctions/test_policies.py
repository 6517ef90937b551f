"""Rules by organiser type: from rows with days and sources, checked at publication."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from auctions import journal, policies, service
from auctions.models import Lot
from auctions.policies import AuctionRule, PolicyInput
from auctions.rules import commands as c
from auctions.rules.terms import OrganiserType
from market.clock import local_date
from market.db import Session, t
from market.deals.models import PolicyStanding
from market.errors import Duplicate, InvalidInput, NotAllowed
from market.permissions import Role
from tests.auctions.rows import NOW, Rows

DAY = dt.timedelta(days=1)
TODAY = local_date(NOW)


@pytest.fixture
def rows(session: Session) -> Rows:
    return Rows(session)


def problems(session: Session, rows: Rows, lot: int) -> list[tuple[str, str, dict[str, object]]]:
    with pytest.raises(InvalidInput) as invalid:
        service.publish(session, rows.staff, lot, NOW)
    return list(invalid.value.problems)


def new(**changes: object) -> PolicyInput:
    values: dict[str, object] = {
        "organiser": OrganiserType.MARKET,
        "rule": AuctionRule.NOTICE,
        "value": 3,
        "valid_from": TODAY,
        "standing": PolicyStanding.RECALLED,
        "basis": "本市场竞价规则第五条",
    }
    return PolicyInput.model_validate(values | changes)


def test_without_rows_there_is_no_rule(session: Session, rows: Rows) -> None:
    lot = rows.draft(opens_at=NOW + dt.timedelta(minutes=1), deposit_fen=990_000)
    service.publish(session, rows.staff, lot, NOW)
    assert policies.in_force(session, OrganiserType.MARKET, TODAY) == {}


def test_what_is_shipped_is_seeded_once_and_says_where_it_comes_from(session: Session) -> None:
    assert policies.seed_policies(session) > 0
    assert policies.seed_policies(session) == 0
    house = policies.in_force(session, OrganiserType.AUCTION_HOUSE, TODAY)
    notice = house[AuctionRule.NOTICE]
    assert (notice.value, notice.unit, notice.standing) == (7, "days", PolicyStanding.LAW)
    assert "第四十五条" in notice.basis
    assert all(policy.basis and policy.basis_en for policy in house.values())
    market = policies.in_force(session, OrganiserType.MARKET, TODAY)
    assert AuctionRule.NOTICE not in market
    assert market[AuctionRule.DEPOSIT_LEAST].standing is PolicyStanding.MODEL


def test_an_auction_in_the_laws_sense_needs_its_seven_days(session: Session, rows: Rows) -> None:
    policies.seed_policies(session)
    kind = OrganiserType.AUCTION_HOUSE
    lot = rows.draft(opens_at=NOW + 7 * DAY - dt.timedelta(minutes=1), organiser_type=kind)
    [(field, code, params)] = problems(session, rows, lot)
    assert (field, code) == ("terms.opens_at", "notice_days_missed")
    assert params == {"days": 7, "earliest": "2026-03-09 10:00"}
    service.publish(session, rows.staff, rows.draft(opens_at=NOW + 7 * DAY, organiser_type=kind), NOW)
    service.publish(session, rows.staff, rows.draft(opens_at=NOW + DAY), NOW)


@pytest.mark.parametrize(
    ("deposit", "right"), [(49_999, False), (50_000, True), (200_000, True), (200_001, False)]
)
def test_deposits_stay_in_their_range(session: Session, rows: Rows, deposit: int, right: bool) -> None:
    policies.seed_policies(session)
    lot = rows.draft(deposit_fen=deposit)
    if right:
        service.publish(session, rows.staff, lot, NOW)
        return
    assert problems(session, rows, lot) == [
        ("terms.deposit_fen", "deposit_out_of_range", {"low_fen": 50_000, "high_fen": 200_000})
    ]


def test_a_version_holds_from_its_day_and_none_is_edited(session: Session, rows: Rows) -> None:
    keeper = rows.actor(rows.market, Role.ADMINISTRATOR)
    with pytest.raises(NotAllowed):
        policies.add_version(session, rows.staff, new(), NOW)
    with pytest.raises(InvalidInput):
        policies.add_version(session, keeper, new(valid_from=TODAY - DAY), NOW)
    with pytest.raises(InvalidInput):
        policies.add_version(session, keeper, new(valid_to=TODAY - DAY), NOW)
    policies.add_version(session, keeper, new(), NOW)
    policies.add_version(session, keeper, new(valid_from=TODAY + 10 * DAY, value=5), NOW)
    with pytest.raises(Duplicate):
        policies.add_version(session, keeper, new(value=9), NOW)

    def value(day: dt.date) -> int:
        return policies.in_force(session, OrganiserType.MARKET, day)[AuctionRule.NOTICE].value

    assert (value(TODAY), value(TODAY + 9 * DAY), value(TODAY + 10 * DAY)) == (3, 3, 5)
    versions = dict(policies.versions(session, OrganiserType.MARKET))
    assert [policy.value for policy in versions[AuctionRule.NOTICE]] == [3, 5]
    assert problems(session, rows, rows.draft(opens_at=NOW + 2 * DAY))[0][1] == "notice_days_missed"


def test_a_lot_is_offered_again_with_links_a_bar_and_a_bounded_cut(session: Session, rows: Rows) -> None:
    policies.seed_policies(session)
    first = rows.lot()
    defaulter = rows.admitted(first)
    organisation = defaulter.memberships[0].organisation_id
    for command in (c.Suspend(lot_id=first, reason="核查"), c.Cancel(lot_id=first, reason="核查未过")):
        journal.apply(session, command, NOW)
    lot = t(Lot)
    session.execute(
        sa.update(lot)
        .where(lot.c.id == first)
        .values(state="defaulted", winner_organisation_id=organisation, closed_at=NOW)
    )
    session.expire_all()
    with pytest.raises(NotAllowed):
        service.offer_again(session, defaulter, first, NOW)
    second = service.offer_again(session, rows.officer, first, NOW)
    row = session.get(Lot, second)
    assert row is not None
    assert row.previous_lot_id == row.terms["previous_lot_id"] == first
    assert row.terms["barred_organisation_ids"] == [organisation]
    assert row.opens_at >= NOW + 7 * DAY
    from tests.auctions.rows import lot_input

    late = NOW + 31 * DAY
    bad = lot_input(start_fen=799_999, opens_at=late, ends_at=late + DAY)
    service.edit_lot(session, rows.officer, second, bad, 1, NOW)
    assert [(field, code) for field, code, _ in problems(session, rows, second)] == [
        ("terms.opens_at", "reauction_too_late"),
        ("terms.start_fen", "cut_too_deep"),
    ]
    service.edit_lot(session, rows.officer, second, lot_input(start_fen=800_000), 2, NOW)
    service.publish(session, rows.staff, second, NOW)
    assert row.terms["previous_lot_id"] == first
    assert row.terms["barred_organisation_ids"] == [organisation]
