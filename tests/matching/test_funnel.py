"""The funnel counts every step once, in its period, and tells suggested from unsuggested, on both databases."""

from __future__ import annotations

import datetime as dt

import pytest

from market.db import Session
from market.deals import service as deals
from market.enquiries import service as enquiries
from market.enquiries.inputs import EnquiryInput, PassInput
from market.errors import NotAllowed, SignInRequired
from market.permissions import VISITOR, Role
from matching.proposals import funnel, service
from matching.proposals.funnel import FunnelStep, Period, Which
from matching.proposals.inputs import RejectInput
from tests.auctions.rows import NOW
from tests.matching.test_proposals import World

S = FunnelStep
DAY = dt.timedelta(days=1)
MARCH = Period(dt.date(2026, 3, 1), dt.date(2026, 3, 31))
APRIL = Period(dt.date(2026, 4, 1), dt.date(2026, 4, 30))


@pytest.fixture
def world(session: Session) -> World:
    return World(session)


@pytest.mark.parametrize(
    ("quarter", "since", "until"),
    [(None, "2026-01-01", "2026-12-31"), (1, "2026-01-01", "2026-03-31"), (2, "2026-04-01", "2026-06-30"),
     (3, "2026-07-01", "2026-09-30"), (4, "2026-10-01", "2026-12-31")],
)  # fmt: skip
def test_periods(quarter: int | None, since: str, until: str) -> None:
    found = Period.of(2026, quarter)
    assert (found.since.isoformat(), found.until.isoformat()) == (since, until)


def played(world: World) -> None:
    """Four pairs suggested in March: one goes to a contract in April, one is rejected, one linked, one waits."""
    session, april = world.session, NOW + 30 * DAY
    asked = EnquiryInput(subject_kind="result", subject_id=world.results[2], body="请问？")
    own = enquiries.open_enquiry(session, world.owner, NOW, asked)
    world.suggest(4)
    number = world.accept(0, at=NOW + DAY)
    service.reject(session, world.colleague, NOW + DAY, world.number(1), RejectInput(reason="too_early"), 1)
    assert world.accept(2, at=NOW + DAY) == own
    for enquiry in (number, own):
        enquiries.reply(session, world.officer, NOW + 2 * DAY, enquiry, "可以谈。")
        enquiries.negotiate(session, world.officer, april, enquiry)
    enquiries.agree(session, world.officer, april, number)
    deals.draft_from_enquiry(session, world.officer, april, number)


def test_each_step_counts_once_and_in_its_period(world: World) -> None:
    played(world)
    march = funnel.funnel(world.session, world.staff, MARCH)
    assert march.total == {
        S.SUGGESTED: 4, S.REJECTED: 1, S.CONTACTS: 1, S.ANSWERED: 1, S.NEGOTIATIONS: 0, S.CONTRACTS: 0,
        S.REGISTERED: 0,
    }  # fmt: skip
    april = funnel.funnel(world.session, world.staff, APRIL)
    assert {step for step, count in april.total.items() if count} == {S.NEGOTIATIONS, S.CONTRACTS}
    assert march.without == {
        S.CONTACTS: 1, S.ANSWERED: 1, S.NEGOTIATIONS: 0, S.CONTRACTS: 0, S.REGISTERED: 0,
    }  # fmt: skip
    assert april.without[S.NEGOTIATIONS] == 1
    assert march.industries == {"pumps": march.total}
    broker, colleague = world.broker.person_id, world.colleague.person_id
    assert {one: counts[S.SUGGESTED] for one, counts in march.brokers.items()} == {
        broker: 2, colleague: 1, None: 1,
    }  # fmt: skip
    assert april.brokers[broker][S.CONTRACTS] == 1
    assert march.broker_names[broker or 0] == world.broker.name


def test_what_is_undone_or_taken_up_again_is_not_counted_twice(world: World) -> None:
    world.suggest()
    service.reject(world.session, world.broker, NOW, world.number(), RejectInput(reason="known"), 1)
    service.reopen(world.session, world.broker, NOW, world.number(), 2)
    assert funnel.funnel(world.session, world.staff, MARCH).total[S.REJECTED] == 0
    number = world.accept()
    enquiries.reply(world.session, world.officer, NOW, number, "可以。")
    enquiries.negotiate(world.session, world.officer, NOW, number)
    enquiries.pass_on(world.session, world.owner, NOW, number, PassInput(reason="too_early", reinvite_trl=9))
    enquiries.reinvite_due(world.session, NOW + DAY, world.results[0], 9)
    enquiries.resume(world.session, world.owner, NOW + DAY, number)
    enquiries.negotiate(world.session, world.officer, NOW + DAY, number)
    found = funnel.funnel(world.session, world.staff, MARCH)
    assert (found.total[S.SUGGESTED], found.total[S.NEGOTIATIONS]) == (1, 1)
    listed, total = funnel.taken(world.session, world.staff, MARCH, Which(S.NEGOTIATIONS))
    assert (len(listed), total, listed[0].at) == (1, 1, NOW + DAY)


def test_every_number_has_its_list(world: World) -> None:
    played(world)
    for period in (MARCH, APRIL):
        found = funnel.funnel(world.session, world.staff, period)
        narrowed = [(Which(step), found.total[step]) for step in S]
        narrowed += [(Which(step, industry="pumps"), found.total[step]) for step in S]
        narrowed += [(Which(step, industry="other"), 0) for step in S]
        narrowed += [
            (Which(step, broker=one or 0), counts[step])
            for one, counts in found.brokers.items()
            for step in S
        ]
        narrowed += [(Which(step, without=True), count) for step, count in found.without.items()]
        for which, count in narrowed:
            listed, total = funnel.taken(world.session, world.staff, period, which)
            assert (len(listed), total) == (count, count), which
            for one in listed:
                assert one.result_title == "无堵塞自吸泵叶轮"
                assert one.wanting_name.startswith("某泵业")
                assert one.having_name.startswith("浙江某大学")
    (contract,), _ = funnel.taken(world.session, world.staff, APRIL, Which(S.CONTRACTS))
    assert contract.contract_number.startswith("WL-2026-")
    assert contract.broker_name == world.broker.name


def test_who_may_read_what(world: World) -> None:
    played(world)
    official = world.rows.actor(world.rows.market, Role.OFFICIAL)
    assert funnel.funnel(world.session, official, MARCH).total[S.CONTACTS] == 1
    assert funnel.taken(world.session, official, MARCH, Which(S.CONTACTS))[1] == 1
    with pytest.raises(NotAllowed):
        funnel.taken(world.session, official, MARCH, Which(S.CONTACTS, without=True))
    for actor in (world.owner, world.officer):
        with pytest.raises(NotAllowed):
            funnel.funnel(world.session, actor, MARCH)
    with pytest.raises(SignInRequired):
        funnel.funnel(world.session, VISITOR, MARCH)


def test_years_go_back_to_the_first_suggestion(world: World) -> None:
    assert funnel.years(world.session, NOW) == [2026]
    world.suggest()
    assert funnel.years(world.session, NOW + 700 * DAY) == [2028, 2027, 2026]
