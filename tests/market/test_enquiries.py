"""Enquiries from the first message to an outcome, on both databases."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
import sqlalchemy as sa

from market.db import Session, t
from market.demands.models import Demand
from market.enquiries import queries, rules, service
from market.enquiries.inputs import EnquiryInput, NextStepInput, PassInput
from market.enquiries.models import Enquiry, EnquiryState, PassReason
from market.enquiries.queries import Box
from market.enquiries.rules import Side, Step
from market.errors import Duplicate, InvalidInput, NotAllowed, NotFound, SignInRequired, WrongState
from market.listings.models import Result
from market.permissions import VISITOR, Actor, Membership, Role, Via
from market.work import WorkItem
from tests.auctions.rows import NOW, Rows


class World:
    """A university with a result and its officer, a firm with a demand and its owner, a broker."""

    def __init__(self, session: Session) -> None:
        self.session = session
        rows = Rows(session)
        self.rows = rows
        self.officer, self.staff = rows.officer, rows.staff
        self.broker = rows.actor(rows.market, Role.BROKER)
        self.firm = rows.organisation("某泵业")
        self.asker = rows.actor(self.firm, Role.DEMAND_OWNER)
        self.stranger = rows.actor(rows.organisation("别家"), Role.DEMAND_OWNER)
        self.result = rows.result()
        demand = Demand(
            organisation_id=self.firm, title="降噪", difficulty="难", industry_code="pumps",
            state="published", created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        session.add(demand)
        session.flush()
        assert demand.id is not None
        self.demand = demand.id

    def ask(self, at: dt.datetime = NOW) -> int:
        data = EnquiryInput(subject_kind="result", subject_id=self.result, body="请问价格？")
        return service.open_enquiry(self.session, self.asker, at, data)

    def state(self, number: int) -> str:
        return self.session.scalars(sa.select(t(Enquiry).c.state).where(t(Enquiry).c.id == number)).one()

    def mailed(self) -> list[str]:
        c = t(WorkItem).c
        rows = self.session.execute(sa.select(c.payload).where(c.kind == "mail.send").order_by(c.id))
        return [f"{row.payload['template']}:{row.payload['to']}" for row in rows]


@pytest.fixture
def world(session: Session) -> World:
    return World(session)


def test_every_state_is_reached_and_left_as_drawn() -> None:
    reached = {EnquiryState.OPEN} | {state for table in rules.STEPS.values() for state in table.values()}
    assert reached == set(EnquiryState)
    for step, table in rules.STEPS.items():
        for state in EnquiryState:
            if state in table:
                assert rules.after(state, step) is table[state]
            else:
                with pytest.raises(WrongState):
                    rules.after(state, step)


@pytest.mark.parametrize(
    ("hours", "median"), [([], None), ([3], 3.0), ([1, 2, 9], 2.0), ([1, 2, 3, 10], 2.5)]
)
def test_median(hours: list[int], median: float | None) -> None:
    assert rules.median_hours([dt.timedelta(hours=one) for one in hours]) == median


def test_a_deal_begins(world: World) -> None:
    session = world.session
    number = world.ask()
    detail = queries.enquiry(session, world.officer, number, NOW)
    assert (detail.state, detail.sides) == (EnquiryState.OPEN, frozenset({Side.OWNER}))
    assert detail.due_on == rules.reply_due(NOW, None)
    assert len(world.mailed()) == 1
    later = NOW + dt.timedelta(hours=5)
    service.reply(session, world.officer, later, number, "三十万起。")
    detail = queries.enquiry(session, world.asker, number, later)
    assert (detail.state, detail.first_reply_at, detail.owner_person_id) == (
        EnquiryState.ANSWERED, later, world.officer.person_id,
    )  # fmt: skip
    assert [message.organisation_side for message in detail.messages] == [Side.ASKING, Side.OWNER]
    service.negotiate(session, world.asker, later, number)
    with pytest.raises(NotAllowed):
        service.agree(session, world.asker, later, number)
    service.agree(session, world.officer, later, number, "普通许可")
    assert world.state(number) == "agreed"
    with pytest.raises(WrongState):
        service.reply(session, world.asker, later, number, "再问")
    times = queries.reply_time(session, world.rows.seller, later)
    assert (times.median_hours, times.answered, times.waiting) == (5.0, 1, 0)


def test_only_the_owners_reply_stops_the_clock(world: World) -> None:
    number = world.ask()
    service.reply(world.session, world.broker, NOW, number, "请尽快回复")
    service.reply(world.session, world.asker, NOW, number, "补充")
    detail = queries.enquiry(world.session, world.broker, number, NOW)
    assert (detail.state, detail.first_reply_at) == (EnquiryState.OPEN, None)
    assert queries.reply_time(world.session, world.rows.seller, NOW).waiting == 1


def test_strangers_know_nothing(world: World) -> None:
    number = world.ask()
    session = world.session
    with pytest.raises(NotFound):
        queries.enquiry(session, world.stranger, number, NOW)
    with pytest.raises(NotFound):
        service.reply(session, world.stranger, NOW, number, "hi")
    assert queries.enquiries(session, world.stranger, NOW)[1] == 0
    assert queries.enquiries(session, world.asker, NOW, box=Box.SENT)[1] == 1
    assert queries.enquiries(session, world.asker, NOW, box=Box.RECEIVED)[1] == 0
    assert queries.enquiries(session, world.officer, NOW, box=Box.RECEIVED)[1] == 1
    with pytest.raises(SignInRequired):
        service.open_enquiry(
            session, VISITOR, NOW, EnquiryInput(subject_kind="result", subject_id=world.result, body="x")
        )


def test_what_may_not_be_asked(world: World) -> None:
    session = world.session
    own = EnquiryInput(subject_kind="result", subject_id=world.result, body="x")
    with pytest.raises(InvalidInput) as refused:
        service.open_enquiry(session, world.officer, NOW, own)
    assert refused.value.problems[0][1] == "own_listing"
    with pytest.raises(NotFound):
        service.open_enquiry(session, world.asker, NOW, own.model_copy(update={"subject_id": 10**9}))
    number = world.ask()
    with pytest.raises(Duplicate) as again:
        world.ask()
    assert again.value.params["value"] == number
    session.execute(sa.update(t(Result)).values(state="withdrawn").where(t(Result).c.id == world.result))
    with pytest.raises(NotFound):
        service.open_enquiry(session, world.stranger, NOW, own)


def test_who_asks_for_several_organisations_says_for_which(world: World) -> None:
    other = world.rows.organisation("分公司")
    both = Actor(
        world.asker.person_id, "两家", Via.SESSION,
        tuple(Membership(one, "x", Role.DEMAND_OWNER, True) for one in (world.firm, other)),
    )  # fmt: skip
    data = EnquiryInput(subject_kind="result", subject_id=world.result, body="x")
    for chosen, code in ((None, "missing"), (world.rows.market, "not_your_organisation")):
        with pytest.raises(InvalidInput) as refused:
            service.open_enquiry(
                world.session, both, NOW, data.model_copy(update={"from_organisation_id": chosen})
            )
        assert refused.value.problems[0][1] == code


def test_following_up_and_the_board(world: World) -> None:
    session = world.session
    number = world.ask()
    with pytest.raises(NotAllowed):
        queries.board(session, world.officer, NOW)
    late = NOW + dt.timedelta(days=10)
    cards, total, numbers = queries.board(session, world.broker, late)
    assert [(card.id, card.overdue) for card in cards] == [(number, True)]
    assert (total, numbers) == (1, {"": 1, "overdue": 1, "unassigned": 1})
    with pytest.raises(NotAllowed):
        service.take(session, world.asker, late, number)
    service.take(session, world.broker, late, number)
    due = dt.date(2026, 3, 20)
    service.set_next_step(
        session, world.broker, late, number, NextStepInput(next_step="现场看样", due_on=due)
    )
    with pytest.raises(InvalidInput):
        service.set_next_step(session, world.broker, late, number, NextStepInput(due_on=dt.date(2026, 3, 1)))
    cards, _, numbers = queries.board(session, world.staff, late)
    assert (cards[0].next_step, cards[0].due_on, cards[0].owner_name) == ("现场看样", due, world.broker.name)
    assert numbers == {"": 1, "overdue": 0, "unassigned": 0}
    assert world.officer.person_id is not None
    service.assign(session, world.broker, late, number, world.officer.person_id)
    assert f"enquiry_assigned:p{world.officer.name[2:]}@example.org" in world.mailed()
    with pytest.raises(InvalidInput):
        assert world.stranger.person_id is not None
        service.assign(session, world.broker, late, number, world.stranger.person_id)
    assert queries.enquiries(session, world.officer, late, box=Box.MINE)[1] == 1


def test_passing_asks_to_hear_again(world: World) -> None:
    session = world.session
    session.execute(sa.update(t(Result)).values(trl=4).where(t(Result).c.id == world.result))
    number = world.ask()
    with pytest.raises(InvalidInput) as refused:
        service.pass_on(session, world.asker, NOW, number, PassInput(reason="too_early", reinvite_trl=4))
    assert refused.value.problems[0][1] == "trl_reached"
    service.pass_on(session, world.asker, NOW, number, PassInput(reason="too_early", reinvite_trl=6))
    detail = queries.enquiry(session, world.officer, number, NOW)
    assert (detail.pass_reason, detail.reinvite_trl, detail.due_on) == (PassReason.TOO_EARLY, 6, None)
    assert detail.messages[-1].step == "decline"
    assert detail.messages[-1].told == {"reason": "too_early", "trl": 6}
    with pytest.raises(NotAllowed):
        service.resume(session, world.asker, NOW, number)
    assert service.reinvite_due(session, NOW, world.result, 5) == []
    assert service.reinvite_due(session, NOW, world.result, 6) == [number]
    assert service.reinvite_due(session, NOW, world.result, 7) == [], "each is told once"
    assert any(one.startswith("enquiry_reinvited") for one in world.mailed())
    assert [card.id for card in queries.reinvitations(session, world.asker, NOW)] == [number]
    assert Step.RESUME in queries.enquiry(session, world.asker, number, NOW).steps
    service.resume(session, world.asker, NOW, number)
    assert world.state(number) == "answered"


def test_answers_to_demands(world: World) -> None:
    session = world.session
    data = EnquiryInput(
        subject_kind="demand", subject_id=world.demand, offered_result_id=world.result, body="我们有"
    )
    number = service.open_enquiry(session, world.officer, NOW, data)
    detail = queries.enquiry(session, world.asker, number, NOW)
    assert (detail.title, detail.offered_result_id, detail.sides) == (
        "降噪", world.result, frozenset({Side.OWNER}),
    )  # fmt: skip
    service.pass_on(session, world.asker, NOW, number, PassInput(reason="too_early", reinvite_trl=7))
    assert service.reinvite_due(session, NOW, world.result, 8) == [number]
    assert world.mailed()[-1].startswith("enquiry_reinvited")
    with pytest.raises(InvalidInput):
        wrong = EnquiryInput(subject_kind="result", subject_id=world.result, offered_result_id=1, body="x")
        service.open_enquiry(session, world.stranger, NOW, wrong)


def test_only_the_asker_withdraws(world: World) -> None:
    number = world.ask()
    with pytest.raises(NotAllowed):
        service.withdraw(world.session, world.officer, NOW, number)
    service.withdraw(world.session, world.asker, NOW, number, "已解决")
    assert world.state(number) == "withdrawn"
    assert world.ask() > number, "a finished enquiry is no obstacle"


def test_lists_take_a_fixed_number_of_statements(world: World) -> None:
    def count(act: object) -> int:
        seen = itertools.count()
        engine = world.session.connection().engine

        def told(*_args: object) -> None:
            next(seen)

        sa.event.listen(engine, "before_cursor_execute", told)
        act()  # type: ignore[operator]
        sa.event.remove(engine, "before_cursor_execute", told)
        return next(seen)

    number = world.ask()
    assert count(lambda: queries.enquiries(world.session, world.broker, NOW)) == 2
    assert count(lambda: queries.enquiry(world.session, world.broker, number, NOW)) == 2
    assert count(lambda: queries.board(world.session, world.broker, NOW)) == 2
