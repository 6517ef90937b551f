"""Price notices: their days, what starts them anew, objections, who learns what."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from market.clock import UTC
from market.db import Session, t
from market.deals import seed, service
from market.deals.models import PolicyRow
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound, SignInRequired, WrongState
from market.permissions import VISITOR, Actor, Membership, Role, Via
from market.pricing import notices, queries, rules
from market.pricing.inputs import DecisionInput, NoticeInput, ObjectionInput, StartInput
from market.pricing.models import NoticeState, PricingEvent, PricingNotice
from market.pricing.rules import NoticeStep
from market.scrutiny.models import Objection, ObjectionState
from tests.market.test_deals import OFFICIAL, World, make_world

DAY = dt.timedelta(days=1)


@pytest.fixture
def world(session: Session, now: dt.datetime) -> World:
    seed.seed_policies(session)
    return make_world(session, now)


def data(world: World, **changes: object) -> NoticeInput:
    values = {
        "title": "离心泵专利独占许可",
        "abstract": "高效离心泵水力模型",
        "transfer_mode": "exclusive_licence",
        "price_fen": 50_000_000,
        "transferee_id": world.buyer,
        "procedure": "公示期内以书面形式向科研院提出",
    }
    return NoticeInput.model_validate(values | changes)


def buyer(world: World) -> Actor:
    return Actor(
        world.person, "企业", Via.SESSION, (Membership(world.buyer, "泵业", Role.DEMAND_OWNER, True),)
    )


def running(session: Session, world: World, now: dt.datetime, **changes: object) -> int:
    notice = notices.create(session, world.officer(), now, world.result, data(world, **changes))
    start = StartInput(unit_place="本单位公告栏", unit_from=now.date())
    notices.start(session, world.officer(), now, notice, start)
    return notice


def row(session: Session, notice: int) -> PricingNotice:
    found = session.get(PricingNotice, notice, populate_existing=True)
    assert found is not None
    return found


OBJECTION = ObjectionInput(contact="13800000000", grounds="定价明显偏低")


@given(st.dates(dt.date(2020, 1, 1), dt.date(2030, 1, 1)), st.integers(-60, 60), st.integers(1, 60))
def test_the_days_count_from_the_later_of_the_two_notices(day: dt.date, apart: int, limit: int) -> None:
    other = day + apart * DAY
    last = rules.notice_ends(day, other, limit, "days").day
    for first in (day, other):
        # The day a notice is put up does not count.
        assert (last - first).days >= limit
    assert limit in ((last - day).days, (last - other).days)


def test_every_state_has_a_way_to_its_end() -> None:
    ends = {NoticeState.SIGNED, NoticeState.WITHDRAWN}
    assert not {state for state, _ in rules.NOTICE_STEPS} & ends
    for state in set(NoticeState) - ends:
        assert (state, NoticeStep.WITHDRAW) in rules.NOTICE_STEPS


@pytest.mark.parametrize(
    ("open_", "upheld", "late"), [*itertools.product((0, 2), (False, True), (False, True))]
)
def test_objections_and_days_say_where_a_notice_stands(open_: int, upheld: bool, late: bool) -> None:
    last = dt.date(2026, 3, 17)
    state = rules.settled(open_objections=open_, upheld=upheld, today=last + late * DAY, ends_on=last)
    expected = NoticeState.EXPIRED if late else NoticeState.RUNNING
    assert state is (NoticeState.OBJECTED if open_ or upheld else expected)


def test_a_notice_runs_its_days_and_is_signed_after_them(
    session: Session, now: dt.datetime, world: World
) -> None:
    officer = world.officer()
    notice = notices.create(session, officer, now, world.result, data(world))
    with pytest.raises(NotFound):
        queries.notice(session, VISITOR, notice)
    with pytest.raises(NotFound):
        notices.start(session, buyer(world), now, notice, StartInput(unit_place="x", unit_from=now.date()))
    last = notices.start(
        session, officer, now, notice, StartInput(unit_place="公告栏", unit_from=now.date() + DAY)
    )
    assert last == now.date() + 16 * DAY
    assert queries.notice(session, VISITOR, notice).state is NoticeState.RUNNING
    contract = service.create_contract(session, officer, now, world.input())
    with pytest.raises(WrongState):
        notices.sign(session, officer, now, notice, contract)
    assert notices.expire_due(session, now + 16 * DAY) == []
    assert notices.expire_due(session, now + 17 * DAY) == [notice]
    assert notices.expire_due(session, now + 17 * DAY) == []
    notices.sign(session, officer, now + 17 * DAY, notice, contract)
    assert row(session, notice).state == "signed"
    assert [one.id for one in queries.notices_of(session, officer, contract_id=contract)] == [notice]
    steps = session.scalars(
        sa.select(t(PricingEvent).c.step)
        .where(t(PricingEvent).c.subject_id == notice)
        .order_by(t(PricingEvent).c.id)
    )
    assert list(steps) == ["create", "start", "expire", "sign"]
    with pytest.raises(WrongState):
        notices.withdraw(session, officer, now, notice, "太晚了")


def test_the_days_are_the_policy_rows(session: Session, now: dt.datetime, world: World) -> None:
    session.execute(sa.update(t(PolicyRow)).where(t(PolicyRow).c.name == notices.DAYS).values(value=20))
    assert row(session, running(session, world, now)).ends_on == now.date() + 20 * DAY
    session.execute(sa.delete(t(PolicyRow)).where(t(PolicyRow).c.name == notices.DAYS))
    with pytest.raises(InvalidInput):
        running(session, world, now)


@pytest.mark.parametrize(
    ("changes", "anew"),
    [
        ({"price_fen": 49_000_000}, True),
        ({"transferee_id": None, "transferee_name": "别的公司"}, True),
        ({"transfer_mode": "assignment"}, True),
        ({"related_party": True, "relation_note": "发明人持股"}, True),
        ({"procedure": "电话或书面"}, False),
        ({"abstract": "更清楚的摘要"}, False),
    ],
)
def test_what_matters_starts_the_days_anew(
    session: Session, now: dt.datetime, world: World, changes: dict[str, object], anew: bool
) -> None:
    notice, later = running(session, world, now), now + 10 * DAY
    said = data(world, unit_from=later.date(), **changes)
    assert notices.edit(session, world.officer(), later, notice, said) is anew
    found = row(session, notice)
    assert found.restarts == anew
    assert found.ends_on == (later if anew else now).date() + 15 * DAY
    event = queries.notice(session, VISITOR, notice).events[-1]
    assert event.step == ("change" if anew else "start")
    if "price_fen" in changes:
        assert event.detail["price_fen"] == [50_000_000, 49_000_000]
        assert event.detail["ends_on"] == ["2026-03-17", "2026-03-27"]


def test_a_change_that_starts_anew_needs_the_units_new_day(
    session: Session, now: dt.datetime, world: World
) -> None:
    notice = running(session, world, now)
    with pytest.raises(InvalidInput) as refused:
        notices.edit(session, world.officer(), now, notice, data(world, price_fen=1))
    assert refused.value.problems == [("unit_from", "missing", {})]
    with pytest.raises(Conflict):
        notices.edit(session, world.officer(), now, notice, data(world, title="x"), version=1)


def test_a_rejected_objection_lets_the_days_go_on_and_an_upheld_one_does_not(
    session: Session, now: dt.datetime, world: World
) -> None:
    notice, officer, other = running(session, world, now), world.officer(), buyer(world)
    with pytest.raises(SignInRequired):
        notices.object_to(session, VISITOR, now, notice, OBJECTION)
    first = notices.object_to(session, other, now + DAY, notice, OBJECTION)
    second = notices.object_to(session, other, now + DAY, notice, OBJECTION)
    assert row(session, notice).state == "objected"
    rejected = DecisionInput(answer="评估报告支持该价格")
    assert notices.decide(session, officer, now + 2 * DAY, notice, first, rejected) is NoticeState.OBJECTED
    with pytest.raises(WrongState):
        notices.decide(session, officer, now + 2 * DAY, notice, first, rejected)
    assert notices.take_back(session, other, now + 2 * DAY, notice, second) is NoticeState.RUNNING
    third = notices.object_to(session, other, now + 15 * DAY, notice, OBJECTION)
    with pytest.raises(WrongState):
        notices.object_to(session, other, now + 16 * DAY, notice, OBJECTION)
    assert notices.expire_due(session, now + 16 * DAY) == []
    upheld = DecisionInput(upheld=True, answer="重新定价")
    assert notices.decide(session, officer, now + 16 * DAY, notice, third, upheld) is NoticeState.OBJECTED
    later = now + 18 * DAY
    assert notices.edit(
        session, officer, later, notice, data(world, price_fen=60_000_000, unit_from=later.date())
    )
    found = row(session, notice)
    assert (found.state, found.ends_on) == ("running", later.date() + 15 * DAY)
    fourth = notices.object_to(session, other, later + DAY, notice, OBJECTION)
    # The objection upheld before the change does not hold the notice up again.
    assert notices.decide(session, officer, later + 2 * DAY, notice, fourth, rejected) is NoticeState.RUNNING


def test_the_public_learns_of_an_objection_and_not_whose(
    session: Session, now: dt.datetime, world: World
) -> None:
    notice, other = running(session, world, now), buyer(world)
    objection = notices.object_to(session, other, now, notice, OBJECTION)
    stranger = dataclasses.replace(other, person_id=None, memberships=())
    seen = queries.notice(session, stranger, notice).objections[0]
    assert (seen.state, seen.objector_name, seen.grounds, seen.contact) == (ObjectionState.OPEN, "", "", "")
    assert not any(event.actor_name for event in queries.notice(session, VISITOR, notice).events)
    for reader in (other, OFFICIAL, dataclasses.replace(world.officer(), person_id=None)):
        assert queries.notice(session, reader, notice).objections[0].grounds == "定价明显偏低"
    with pytest.raises(NotAllowed):
        notices.decide(session, other, now, notice, objection, DecisionInput(answer="自己答复"))
    with pytest.raises(NotAllowed):
        notices.take_back(session, OFFICIAL, now, notice, objection)


def test_a_contract_at_another_price_or_with_another_buyer_is_not_the_notices(
    session: Session, now: dt.datetime, world: World
) -> None:
    officer, later = world.officer(), now + 30 * DAY
    notice = running(session, world, now)
    cheap = service.create_contract(session, officer, now, world.input(deal_fen=40_000_000))
    other = service.create_contract(
        session, officer, now, world.input(buyer_id=None, buyer_name="别的公司", buyer_region="331081")
    )
    for contract, code in ((cheap, "notice_price"), (other, "notice_transferee"), (2**40, "unknown_choice")):
        with pytest.raises(InvalidInput) as refused:
            notices.sign(session, officer, later, notice, contract)
        assert [problem[1] for problem in refused.value.problems] == [code]


def test_a_withdrawn_notice_says_why_and_stays_to_be_read(
    session: Session, now: dt.datetime, world: World
) -> None:
    notice = running(session, world, now)
    with pytest.raises(InvalidInput):
        notices.withdraw(session, world.officer(), now, notice, " ")
    notices.withdraw(session, world.officer(), now, notice, "受让方放弃")
    assert queries.notice(session, VISITOR, notice).state is NoticeState.WITHDRAWN
    assert queries.public_notices(session)[1] == 0
    assert queries.public_notices(session, over=True)[1] == 1
    with pytest.raises(WrongState):
        notices.object_to(session, buyer(world), now, notice, OBJECTION)
    assert session.scalar(sa.select(sa.func.count()).select_from(t(Objection))) == 0


def test_what_is_wrong_with_a_notice_is_said_at_its_field(
    session: Session, now: dt.datetime, world: World
) -> None:
    for changes, problem in (
        ({"transferee_id": None}, ("transferee_name", "missing")),
        ({"transferee_id": world.seller}, ("transferee_id", "same_party")),
        ({"transferee_id": 2**40}, ("transferee_id", "unknown_choice")),
        ({"related_party": True}, ("relation_note", "missing")),
    ):
        with pytest.raises(InvalidInput) as refused:
            notices.create(session, world.officer(), now, world.result, data(world, **changes))
        assert problem in [found[:2] for found in refused.value.problems]


def test_the_day_of_the_notice_is_shanghais(session: Session, world: World) -> None:
    night = dt.datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
    notice = notices.create(session, world.officer(), night, world.result, data(world))
    notices.start(
        session, world.officer(), night, notice, StartInput(unit_place="x", unit_from=dt.date(2026, 3, 1))
    )
    assert row(session, notice).ends_on == dt.date(2026, 3, 18)
