"""The brokers' queue: what is suggested, decided and undone, on both databases."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.demands.models import Demand
from market.enquiries import queries as enquiries
from market.enquiries import service as enquiry_service
from market.enquiries.inputs import EnquiryInput, PassInput
from market.enquiries.models import EnquiryState
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound, WrongState
from market.listings.models import Result
from market.permissions import Actor, Role
from market.work import WorkItem
from matching.models import Judgment, Proposal, ProposalEvent, ProposalState, RejectReason
from matching.proposals import queries, rules, service
from matching.proposals.inputs import AcceptInput, AssignInput, RejectInput, SnoozeInput
from matching.proposals.queries import Wanted, Whose
from matching.proposals.rules import PairGone, ProposalStep
from matching.proposals.service import Suggestion
from matching.scoring import Band, Part, Reason, ReasonCode
from tests.auctions.rows import NOW, Rows

DAY = dt.timedelta(days=1)
SHARED = Reason(Part.TEXT, ReasonCode.SHARED_WORDS, 1.0, {"words": ("自吸泵", "叶轮")})


class World:
    """A university with some results, a firm with a demand, two brokers."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.rows = rows = Rows(session)
        self.officer, self.staff = rows.officer, rows.staff
        self.broker = rows.actor(rows.market, Role.BROKER)
        self.colleague = rows.actor(rows.market, Role.BROKER)
        self.firm = rows.organisation("某泵业")
        self.owner = rows.actor(self.firm, Role.DEMAND_OWNER)
        self.results = [rows.result() for _ in range(8)]
        self.demand = self.wanted(self.firm)

    def wanted(self, organisation_id: int) -> int:
        row = Demand(
            organisation_id=organisation_id, title="自吸泵叶轮防堵", difficulty="难", industry_code="pumps",
            state="published", created_by=self.owner.person_id, created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        assert row.id is not None
        return row.id

    def suggest(self, count: int = 1, *, at: dt.datetime = NOW, skip: int = 0) -> int:
        found = [
            Suggestion(result, "strong" if rank == 0 else "fair", 5000 - rank, (SHARED,))
            for rank, result in enumerate(self.results[skip : skip + count])
        ]
        return service.suggest(self.session, at, self.demand, found)

    def pair(self, place: int = 0) -> Proposal:
        c = t(Proposal).c
        statement = sa.select(Proposal).where(c.result_id == self.results[place])
        return self.session.scalars(statement.execution_options(populate_existing=True)).one()

    def accept(self, place: int = 0, *, at: dt.datetime = NOW, by: Actor | None = None, **more: Any) -> int:
        row = self.pair(place)
        values = {"next_step": "联系高校", "due_on": local_date(at) + 3 * DAY, **more}
        made = service.accept(
            self.session, by or self.broker, at, self.number(place), AcceptInput(**values), row.version
        )
        return made.enquiry_id

    def number(self, place: int = 0) -> int:
        found = self.pair(place).id
        assert found is not None
        return found

    def events(self, place: int = 0) -> list[str]:
        c = t(ProposalEvent).c
        rows = self.session.scalars(
            sa.select(c.step).where(c.proposal_id == self.pair(place).id).order_by(c.id)
        )
        return list(rows)

    def levels(self) -> list[tuple[int, int]]:
        c = t(Judgment).c
        return [tuple(row) for row in self.session.execute(sa.select(c.result_id, c.level).order_by(c.id))]

    def mailed(self) -> list[tuple[str, str]]:
        c = t(WorkItem).c
        rows = self.session.scalars(sa.select(c.payload).where(c.kind == "mail.send").order_by(c.id))
        return [(row["template"], row["params"].get("side", "")) for row in rows]


@pytest.fixture
def world(session: Session) -> World:
    return World(session)


def test_every_state_is_reached_and_left_as_drawn() -> None:
    reached = {ProposalState.SUGGESTED} | {
        state for table in rules.STEPS.values() for state in table.values()
    }
    assert reached == set(ProposalState)
    for step, table in rules.STEPS.items():
        for state in ProposalState:
            if state in table:
                assert rules.after(state, step) is table[state]
            else:
                with pytest.raises(WrongState):
                    rules.after(state, step)
    assert rules.steps_from("accepted") == frozenset()


def test_the_best_few_are_suggested_once(world: World) -> None:
    assert world.suggest(8) == rules.OPEN_EACH
    assert world.suggest(8) == 0
    cards = queries.queue(world.session, world.broker, Wanted())
    assert [card.result_id for card in cards] == world.results[: rules.OPEN_EACH]
    assert cards[0].band is Band.STRONG
    assert cards[0].reasons == (
        Reason(Part.TEXT, ReasonCode.SHARED_WORDS, 1.0, {"words": ["自吸泵", "叶轮"]}),
    )
    assert world.events() == ["suggested"]
    numbers = queries.numbers(world.session, world.broker, Wanted())
    assert numbers.whose == {Whose.ALL: 5, Whose.MINE: 0, Whose.NOBODY: 5}
    assert numbers.industries == {"pumps": 5}


def test_a_new_score_moves_a_pair_and_is_no_new_version(world: World) -> None:
    world.suggest(2)
    second = world.pair(1)
    found = [
        Suggestion(world.results[1], "strong", 9000, ()), Suggestion(world.results[0], "fair", 4000, ()),
    ]  # fmt: skip
    service.suggest(world.session, NOW + DAY, world.demand, found)
    after = world.pair(1)
    assert (after.rank, after.band, after.version, after.updated_at) == (9000, "strong", 1, NOW + DAY)
    cards = queries.queue(world.session, world.broker, Wanted())
    assert [card.id for card in cards] == [second.id, world.pair(0).id]


def test_what_is_not_found_any_more_lapses_unless_somebody_has_it(world: World) -> None:
    world.suggest(3)
    service.assign(
        world.session, world.broker, NOW, world.number(1), AssignInput(person_id=world.broker.person_id), 1
    )
    world.suggest(1)
    assert [world.pair(n).state for n in range(3)] == ["suggested", "suggested", "lapsed"]
    world.suggest(3)
    assert world.pair(2).state == "suggested"
    assert world.events(2) == ["suggested", "lapsed", "returned"]


def test_a_side_that_is_gone_takes_the_pair_out(world: World) -> None:
    world.suggest(2)
    c = t(Result).c
    world.session.execute(sa.update(t(Result)).values(state="withdrawn").where(c.id == world.results[0]))
    assert service.lapse_gone(world.session, NOW) == 1
    assert service.lapse_gone(world.session, NOW) == 0
    assert [world.pair(n).state for n in range(2)] == ["lapsed", "suggested"]
    with pytest.raises(WrongState):
        world.accept()
    world.session.execute(
        sa.update(t(Demand)).values(state="withdrawn").where(t(Demand).c.id == world.demand)
    )
    with pytest.raises(PairGone):
        world.accept(1)
    assert world.suggest(3) == 0


def test_accepting_opens_an_enquiry_that_both_sides_see(world: World) -> None:
    world.suggest()
    number = world.accept(body="两家不妨先通个电话。")
    session = world.session
    for actor in (world.owner, world.officer, world.broker):
        detail = enquiries.enquiry(session, actor, number, NOW)
        assert (detail.for_demand_id, detail.for_demand_title) == (world.demand, "自吸泵叶轮防堵")
        assert [message.step or message.body for message in detail.messages] == [
            "introduced", "两家不妨先通个电话。",
        ]  # fmt: skip
    assert (detail.from_organisation_id, detail.from_person_id) == (world.firm, world.owner.person_id)
    assert (detail.owner_person_id, detail.next_step) == (world.broker.person_id, "联系高校")
    assert world.mailed() == [("enquiry_introduced", "asking"), ("enquiry_introduced", "owner")]
    assert world.levels() == [(world.results[0], 4)]
    behind = queries.behind(session, number)
    assert behind is not None
    assert (behind.by_name, behind.reasons[0].code) == (world.broker.name, ReasonCode.SHARED_WORDS)
    assert world.events() == ["suggested", "accepted"]
    # The firm did not write it, and may say no.
    enquiry_service.pass_on(session, world.owner, NOW, number, PassInput(reason="no_budget"))
    assert enquiries.enquiry(session, world.officer, number, NOW).state is EnquiryState.PASSED


def test_the_owner_hears_what_the_firm_writes_though_a_broker_follows_it_up(world: World) -> None:
    world.suggest()
    number = world.accept()
    enquiry_service.reply(world.session, world.owner, NOW + DAY, number, "我们想看样机。")
    c = t(WorkItem).c
    payloads = world.session.scalars(sa.select(c.payload).where(c.key.like("%enquiry_reply%"))).all()
    assert len(payloads) == 2
    enquiry_service.reply(world.session, world.officer, NOW + DAY, number, "欢迎。")
    detail = enquiries.enquiry(world.session, world.broker, number, NOW)
    assert detail.state is EnquiryState.ANSWERED
    assert detail.due_on == local_date(NOW) + 8 * DAY
    assert detail.next_step == ""


def test_a_firm_without_accounts_is_spoken_for_by_the_broker(world: World) -> None:
    world.demand = world.wanted(world.rows.organisation("无人泵业"))
    world.suggest()
    detail = enquiries.enquiry(world.session, world.broker, world.accept(), NOW)
    assert detail.from_person_id == world.broker.person_id


@pytest.mark.parametrize("who", ["asked", "offered"])
def test_a_pair_in_touch_already_is_linked(world: World, who: str) -> None:
    world.suggest()
    asked = EnquiryInput(subject_kind="result", subject_id=world.results[0], body="请问？")
    offered = EnquiryInput(
        subject_kind="demand", subject_id=world.demand, offered_result_id=world.results[0], body="可以。"
    )
    number = (
        enquiry_service.open_enquiry(world.session, world.owner, NOW, asked)
        if who == "asked"
        else enquiry_service.open_enquiry(world.session, world.officer, NOW, offered)
    )
    assert world.accept(at=NOW + DAY) == number
    detail = enquiries.enquiry(world.session, world.broker, number, NOW + DAY)
    assert (detail.for_demand_id, detail.owner_person_id) == (None, world.broker.person_id)
    assert [one.step for one in detail.messages] == ["", "introduced", "taken", "next_step"]
    assert world.pair().enquiry_id == number


def test_the_second_broker_sees_that_somebody_was_faster(world: World) -> None:
    world.suggest()
    seen = world.pair().version
    world.accept()
    with pytest.raises(Conflict) as refused:
        service.reject(world.session, world.colleague, NOW, world.number(), RejectInput(reason="known"), seen)
    assert refused.value.field == "version"
    assert world.pair().state == "accepted"


@pytest.mark.parametrize(
    ("reason", "level"),
    [("other_problem", 1), ("conditions", 2), ("known", None), ("duplicate", None), ("too_early", None)],
)
def test_a_rejection_judges_the_match_only_where_it_speaks_of_it(
    world: World, reason: str, level: int | None
) -> None:
    world.suggest(2)
    row = world.pair()
    service.reject(world.session, world.broker, NOW, world.number(), RejectInput(reason=reason), row.version)
    assert world.levels() == ([] if level is None else [(world.results[0], level)])
    world.suggest(2)
    assert world.pair().state == "rejected"
    service.reopen(world.session, world.colleague, NOW, world.number(), world.pair().version)
    after = world.pair()
    assert (after.state, after.reject_reason, after.decided_by) == ("suggested", None, None)
    assert after.assigned_to == world.colleague.person_id
    assert world.levels() == []
    assert world.events() == ["suggested", "rejected", "reopened"]


def test_another_reason_needs_words(world: World) -> None:
    world.suggest()
    with pytest.raises(InvalidInput) as refused:
        service.reject(
            world.session, world.broker, NOW, world.number(), RejectInput(reason=RejectReason.OTHER), 1
        )
    assert refused.value.problems[0][:2] == ("note", "missing")


def test_what_is_put_off_comes_back_on_its_day(world: World) -> None:
    world.suggest()
    today = local_date(NOW)
    for until in (today, today + 400 * DAY):
        with pytest.raises(InvalidInput):
            service.snooze(world.session, world.broker, NOW, world.number(), SnoozeInput(until=until), 1)
    service.snooze(world.session, world.broker, NOW, world.number(), SnoozeInput(until=today + 2 * DAY), 1)
    put_off = world.pair()
    assert (put_off.state, put_off.assigned_to) == ("snoozed", world.broker.person_id)
    world.suggest(0)
    assert world.pair().state == "snoozed"
    assert service.return_snoozed(world.session, NOW + DAY) == 0
    assert service.return_snoozed(world.session, NOW + 2 * DAY) == 1
    back = world.pair()
    assert (back.state, back.snoozed_until) == ("suggested", None)
    mine = queries.queue(world.session, world.broker, Wanted(whose=Whose.MINE))
    assert [card.id for card in mine] == [world.number()]


def test_assigning_keeps_the_day_and_tells_whom_it_is_given_to(world: World) -> None:
    world.suggest()
    with pytest.raises(InvalidInput):
        service.assign(
            world.session, world.broker, NOW, world.number(), AssignInput(person_id=world.owner.person_id), 1
        )
    until = local_date(NOW) + 2 * DAY
    service.snooze(world.session, world.broker, NOW, world.number(), SnoozeInput(until=until), 1)
    given = AssignInput(person_id=world.colleague.person_id)
    service.assign(world.session, world.broker, NOW, world.number(), given, 2)
    after = world.pair()
    assert (after.state, after.snoozed_until, after.assigned_to) == (
        "snoozed", until, world.colleague.person_id,
    )  # fmt: skip
    assert world.mailed() == [("proposal_assigned", "")]
    pair = queries.pair(world.session, world.broker, world.number())
    assert [(event.step, event.params["given"]) for event in pair.events][-1] == (
        ProposalStep.ASSIGN, world.colleague.name,
    )  # fmt: skip


def test_the_queue_is_for_brokers_and_staff(world: World) -> None:
    world.suggest()
    for actor in (world.owner, world.officer):
        with pytest.raises(NotAllowed):
            queries.queue(world.session, actor, Wanted())
        with pytest.raises(NotAllowed):
            queries.pair(world.session, actor, world.number())
        with pytest.raises(NotAllowed):
            service.reject(world.session, actor, NOW, world.number(), RejectInput(reason="known"), 1)
    with pytest.raises(NotFound):
        queries.pair(world.session, world.staff, 10**9)
    pair = queries.pair(world.session, world.staff, world.number())
    assert pair.demand.texts == (("difficulty", "难"),)
    assert pair.result.on_offer


def test_what_is_overdue_is_told(world: World) -> None:
    world.suggest(2)
    number = world.accept()
    today = local_date(NOW)
    assert queries.due(world.session, before=today + 3 * DAY) == []
    found = queries.due(world.session, before=today + 4 * DAY, owner_id=world.broker.person_id)
    assert [(one.enquiry_id, one.next_step, one.due_on) for one in found] == [
        (number, "联系高校", today + 3 * DAY)
    ]
    assert queries.due(world.session, before=today + 9 * DAY, since=today + 4 * DAY) == []
    assert queries.due(world.session, before=today + 4 * DAY, owner_id=world.colleague.person_id) == []
