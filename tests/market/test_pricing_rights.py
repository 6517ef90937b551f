"""Priority rights, trials and open licences: their states, days, papers and readers."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from market.db import Session, t
from market.deals import queries as deals
from market.deals import seed, service
from market.deals.models import Contract, ContractSource
from market.errors import InvalidInput, NotAllowed, NotFound, WrongState
from market.files import queries as files
from market.files.store import DiskStore
from market.listings.models import Result, ResultIp
from market.permissions import VISITOR, Actor, Membership, Role, Via
from market.pricing import licences, priority, rules, trials
from market.pricing.inputs import AnswerInput, LicenceInput, PriorityInput, TrialInput, TrialTermsInput
from market.pricing.models import LicenceState, PriorityAnswer, TrialState
from market.pricing.rules import LicenceStep, PriorityStep, TrialStep
from tests.market.test_deals import OFFICIAL, World, make_world

DAY = dt.timedelta(days=1)
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


@pytest.fixture
def world(session: Session, now: dt.datetime) -> World:
    seed.seed_policies(session)
    world = make_world(session, now)
    session.execute(sa.update(t(Result)).where(t(Result).c.id == world.result).values(state="published"))
    return world


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path)


def buyer(world: World) -> Actor:
    return Actor(
        world.person, "企业", Via.SESSION, (Membership(world.buyer, "泵业", Role.DEMAND_OWNER, True),)
    )


STRANGER = Actor(987654, "外人", Via.SESSION, (Membership(12345, "别处", Role.RESULTS_OFFICER, True),))


def ask(session: Session, world: World, now: dt.datetime, **changes: object) -> int:
    values = {
        "basis": "inventor", "holder_name": "张三", "asked_on": now.date(), "answer_by": now.date() + 15 * DAY,
    }  # fmt: skip
    data = PriorityInput.model_validate(values | changes)
    return priority.ask(session, world.officer(), now, world.result, data)


def test_a_waiver_needs_its_paper(session: Session, now: dt.datetime, world: World, store: DiskStore) -> None:
    right, officer = ask(session, world, now), world.officer()
    said = AnswerInput(answered_on=now.date())
    with pytest.raises(InvalidInput) as refused:
        priority.answer(session, officer, now, store, right, PriorityStep.WAIVE, said)
    assert refused.value.problems == [("file", "missing", {})]
    paper = ("放弃声明.pdf", PDF)
    priority.answer(session, officer, now, store, right, PriorityStep.WAIVE, said, file=paper)
    (found,) = priority.rights_of(session, result_id=world.result)
    assert (found.answer, found.answered_on) == (PriorityAnswer.WAIVED, now.date())
    assert found.attachment_id is not None
    file = files.one(session, found.attachment_id)
    for actor, may in ((officer, True), (OFFICIAL, True), (STRANGER, False), (VISITOR, False)):
        assert priority.may_open(session, actor, file) is may
    with pytest.raises(WrongState):
        priority.answer(session, officer, now, store, right, PriorityStep.EXERCISE, said, file=paper)


def test_a_right_is_silent_after_its_day_and_an_answer_in_time_can_be_entered_late(
    session: Session, now: dt.datetime, world: World, store: DiskStore
) -> None:
    right, officer = ask(session, world, now), world.officer()
    assert priority.expire_due(session, now + 15 * DAY) == []
    later = now + 16 * DAY
    assert priority.expire_due(session, later) == [right]
    assert priority.expire_due(session, later) == []
    exercise = PriorityStep.EXERCISE
    with pytest.raises(InvalidInput) as refused:
        said = AnswerInput(answered_on=later.date())
        priority.answer(session, officer, later, store, right, exercise, said)
    assert refused.value.problems[0][1] == "answer_out_of_time"
    said = AnswerInput(answered_on=now.date() + 15 * DAY)
    priority.answer(session, officer, later, store, right, exercise, said)
    assert priority.rights_of(session, result_id=world.result)[0].answer is PriorityAnswer.EXERCISED


def test_rights_are_the_owners_and_belong_to_its_contracts(
    session: Session, now: dt.datetime, world: World, store: DiskStore
) -> None:
    officer = world.officer()
    contract = service.create_contract(session, officer, now, world.input(result_id=world.result))
    other = service.create_contract(session, officer, now, world.input(title="无关的合同"))
    free, named = ask(session, world, now), ask(session, world, now, contract_id=contract)
    assert [one.id for one in priority.rights_of(session, contract_id=contract)] == [free, named]
    assert priority.rights_of(session, contract_id=other) == []
    with pytest.raises(NotAllowed):
        data = PriorityInput(
            basis="client",
            holder_name="x",
            asked_on=now.date(),
            answer_by=now.date(),  # type: ignore[arg-type]
        )
        priority.ask(session, STRANGER, now, world.result, data)
    with pytest.raises(NotFound):
        said = AnswerInput(answered_on=now.date())
        priority.answer(session, STRANGER, now, store, free, PriorityStep.EXERCISE, said)
    for changes, name in (
        ({"asked_on": now.date() + DAY}, "asked_on"),
        ({"answer_by": now.date() - DAY}, "answer_by"),
        ({"contract_id": 2**40}, "contract_id"),
    ):
        with pytest.raises(InvalidInput) as refused:
            ask(session, world, now, **changes)
        assert [problem[0] for problem in refused.value.problems] == [name]


def apply(session: Session, world: World, now: dt.datetime) -> int:
    data = TrialInput(result_id=world.result, user_id=world.buyer, purpose="在两台泵上试用")
    return trials.apply(session, buyer(world), now, data)


def terms(now: dt.datetime, **changes: object) -> TrialTermsInput:
    values = {
        "terms": "免费试用，故障由双方共同分析", "transfer_mode": "licence", "price_fen": 20_000_000,
        "starts_on": now.date(), "ends_on": now.date() + 90 * DAY, "insured": True,
    }  # fmt: skip
    return TrialTermsInput.model_validate(values | changes)


def test_a_trial_becomes_a_contract_at_the_price_agreed_before(
    session: Session, now: dt.datetime, world: World
) -> None:
    officer, firm = world.officer(), buyer(world)
    trial = apply(session, world, now)
    with pytest.raises(InvalidInput):
        apply(session, world, now)
    with pytest.raises(NotAllowed):
        trials.agree(session, firm, now, trial, terms(now))
    trials.agree(session, officer, now, trial, terms(now))
    with pytest.raises(WrongState):
        trials.convert(session, firm, now, trial)
    with pytest.raises(NotAllowed):
        trials.begin(session, officer, now, trial)
    trials.begin(session, firm, now, trial)
    before = session.scalar(sa.select(sa.func.count()).select_from(t(Contract)))
    contract = trials.convert(session, firm, now + 30 * DAY, trial)
    made = deals.contract(session, officer, contract)
    assert (made.source, made.deal_fen, made.result_id) == (ContractSource.TRIAL, 20_000_000, world.result)
    assert (made.seller_id, made.buyer_id, made.kind.value) == (world.seller, world.buyer, "licence")
    assert session.scalar(sa.select(sa.func.count()).select_from(t(Contract))) == (before or 0) + 1
    with pytest.raises(WrongState):
        trials.convert(session, firm, now, trial)
    found = trials.trial(session, firm, trial)
    assert [event.step for event in found.events] == ["apply", "agree", "begin", "convert"]
    assert [one.id for one in trials.trials(session, OFFICIAL, contract_id=contract)[0]] == [trial]
    for stranger in (STRANGER, VISITOR):
        with pytest.raises(NotFound):
            trials.trial(session, stranger, trial)
        assert trials.trials(session, stranger)[1] == 0


def test_a_trial_lapses_when_its_days_are_over(session: Session, now: dt.datetime, world: World) -> None:
    trial, firm = apply(session, world, now), buyer(world)
    trials.agree(session, world.officer(), now, trial, terms(now))
    trials.begin(session, firm, now, trial)
    late = now + 91 * DAY
    with pytest.raises(InvalidInput):
        trials.convert(session, firm, late, trial)
    assert trials.steps_for(firm, trials.trial(session, firm, trial), late.date()) == [TrialStep.END]
    assert trials.expire_due(session, now + 90 * DAY) == []
    assert trials.expire_due(session, late) == [trial]
    assert trials.trial(session, firm, trial).state is TrialState.LAPSED
    assert apply(session, world, late) != trial


def test_who_refuses_or_ends_a_trial_says_why(session: Session, now: dt.datetime, world: World) -> None:
    officer, trial = world.officer(), apply(session, world, now)
    with pytest.raises(InvalidInput):
        trials.refuse(session, officer, now, trial, "")
    trials.refuse(session, officer, now, trial, "样机已借出")
    second = apply(session, world, now)
    trials.agree(session, officer, now, second, terms(now))
    trials.begin(session, buyer(world), now, second)
    trials.end(session, officer, now, second, "试用不达标")
    assert [one.state for one in trials.trials(session, officer)[0]] == [TrialState.ENDED, TrialState.REFUSED]
    assert not {state for state, _ in rules.TRIAL_STEPS} & {
        TrialState.CONVERTED, TrialState.ENDED, TrialState.LAPSED, TrialState.REFUSED,
    }  # fmt: skip
    own = TrialInput(result_id=world.result, user_id=world.seller, purpose="自己")
    with pytest.raises(InvalidInput):
        trials.apply(session, officer, now, own)
    session.execute(sa.update(t(Result)).where(t(Result).c.id == world.result).values(state="withdrawn"))
    with pytest.raises(NotFound):
        apply(session, world, now)


NUMBERS = {"invention": "200710308494.X", "utility_model": "201520271230.1"}


def licence(session: Session, world: World, now: dt.datetime, **changes: object) -> int:
    values = {
        "patent_number": NUMBERS["invention"], "fee": "每年五万元，签订后三十日内支付",
        "starts_on": now.date(), "ends_on": now.date() + 365 * DAY, "free_of_bars": True,
    }  # fmt: skip
    data = LicenceInput.model_validate(values | changes)
    return licences.create(session, world.officer(), now, world.result, data)


@pytest.fixture
def patents(session: Session, world: World) -> None:
    for kind, number in NUMBERS.items():
        session.add(ResultIp(result_id=world.result, kind=kind, number=number, status="granted"))
    session.flush()


@pytest.mark.usefixtures("patents")
def test_a_licence_is_declared_lapses_and_is_withdrawn(
    session: Session, now: dt.datetime, world: World
) -> None:
    officer, first = world.officer(), licence(session, world, now)
    with pytest.raises(NotFound):
        licences.licence(session, VISITOR, first)
    licences.declare(session, officer, now, first)
    seen = licences.licence(session, VISITOR, first)
    assert seen.state is LicenceState.DECLARED
    assert [(event.step, event.actor_name) for event in seen.events] == [("declare", "")]
    assert licences.expire_due(session, now + 365 * DAY) == []
    assert licences.expire_due(session, now + 366 * DAY) == [first]
    second, third = licence(session, world, now), licence(session, world, now)
    licences.declare(session, officer, now, second)
    assert [one.id for one in licences.licences(session, VISITOR)[0]] == [second]
    for one in (second, third):
        licences.withdraw(session, officer, now, one, "改为独占许可")
    # What was once declared stays to be read; a draft that was thrown away was nobody else's business.
    assert licences.licence(session, VISITOR, second).state is LicenceState.WITHDRAWN
    with pytest.raises(NotFound):
        licences.licence(session, VISITOR, third)
    assert licences.steps_for(licences.licence(session, officer, second)) == []


@pytest.mark.usefixtures("patents")
def test_what_bars_a_licence_is_said_at_its_field(session: Session, now: dt.datetime, world: World) -> None:
    officer = world.officer()
    model = licence(session, world, now, patent_number=NUMBERS["utility_model"], free_of_bars=False)
    with pytest.raises(InvalidInput) as refused:
        licences.declare(session, officer, now, model)
    assert [problem[0] for problem in refused.value.problems] == ["evaluation_report", "free_of_bars"]
    session.execute(sa.update(t(ResultIp)).values(status="applied"))
    with pytest.raises(InvalidInput) as refused:
        licences.declare(session, officer, now, licence(session, world, now))
    assert [problem[1] for problem in refused.value.problems] == ["patent_not_granted"]
    session.execute(sa.delete(t(ResultIp)))
    with pytest.raises(InvalidInput) as refused:
        licence(session, world, now)
    assert [problem[1] for problem in refused.value.problems] == ["patent_of_other_result"]
    assert (LicenceState.DECLARED, LicenceStep.EDIT) not in rules.LICENCE_STEPS
