"""The register: states, amounts, clock, numbers, rights."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from market.audit import AuditRecord
from market.clock import UTC
from market.db import Database, Session, t
from market.deals import policies, rules, seed, service
from market.deals.inputs import ContractInput
from market.deals.models import (
    Contract,
    ContractEvent,
    ContractKind,
    ContractState,
    ContractSubkind,
    PolicyRow,
)
from market.deals.rules import Step
from market.enquiries.models import Enquiry
from market.errors import Conflict, Duplicate, InvalidInput, NotAllowed, NotFound, SignInRequired, WrongState
from market.listings.models import Result
from market.parties.models import Organisation, Person
from market.permissions import VISITOR, Actor, Membership, Role, Via
from market.taxonomy.models import Industry

OFFICIAL = Actor(None, "官员", Via.SESSION, (Membership(999, "科技局", Role.OFFICIAL, True),))
STAFF = Actor(None, "工作人员", Via.SESSION, (Membership(998, "市场", Role.STAFF, True),))


@dataclasses.dataclass
class World:
    seller: int
    buyer: int
    person: int
    result: int

    def officer(self, organisation: int | None = None) -> Actor:
        return Actor(
            self.person,
            "成果专员",
            Via.SESSION,
            (Membership(organisation or self.seller, "大学", Role.RESULTS_OFFICER, True),),
        )

    def input(self, **changes: object) -> ContractInput:
        values = {
            "title": "高效离心泵水力模型技术开发",
            "kind": "development",
            "subkind": "commissioned_development",
            "seller_id": self.seller,
            "buyer_id": self.buyer,
            "deal_fen": 50_000_000,
            "deductions": [{"item": "样机", "fen": 8_000_000}],
            "technical_field": "advanced_manufacturing",
            "signed_on": "2026-02-01",
        }
        return ContractInput.model_validate(values | changes)


def make_world(session: Session, now: dt.datetime) -> World:
    organisations = [
        Organisation(
            name=name,
            kind=kind,
            credit_code=code,
            region_code=region,
            state="verified",
            created_at=now,
            updated_at=now,
        )
        for name, kind, code, region in (
            ("浙江大学", "university", "12100000470095016Q", "330106"),
            ("温岭泵业有限公司", "firm", "91331081MA2XTEST01", "331081"),
        )
    ]
    person = Person(
        name="成果专员", email="officer@example.com", password_hash="x", created_at=now, updated_at=now
    )
    session.add_all([*organisations, person, Industry(code="pump", name="泵与电机", updated_at=now)])
    session.flush()
    result = Result(
        organisation_id=organisations[0].id,
        title="离心泵",
        industry_code="pump",
        modes=["exclusive_licence"],
        created_at=now,
        updated_at=now,
    )
    session.add(result)
    session.flush()
    assert organisations[0].id
    assert organisations[1].id
    assert person.id
    assert result.id
    return World(organisations[0].id, organisations[1].id, person.id, result.id)


@pytest.fixture
def world(session: Session, now: dt.datetime) -> World:
    seed.seed_policies(session)
    return make_world(session, now)


def take(session: Session, now: dt.datetime, contract: int, *steps: Step) -> ContractState:
    state = ContractState.DRAFT
    for step in steps:
        state = service.step(session, OFFICIAL, now, contract, step, reason="理由")
    return state


PATHS = {
    ContractState.DRAFT: (),
    ContractState.SUBMITTED: (Step.SUBMIT,),
    ContractState.ACCEPTED: (Step.SUBMIT, Step.ACCEPT),
    ContractState.SUPPLEMENT: (Step.SUBMIT, Step.ACCEPT, Step.ASK_SUPPLEMENT),
    ContractState.EXPERT_REVIEW: (Step.SUBMIT, Step.ACCEPT, Step.SEND_TO_EXPERTS),
    ContractState.REGISTERED: (Step.SUBMIT, Step.ACCEPT, Step.REGISTER),
    ContractState.REFUSED: (Step.SUBMIT, Step.REFUSE),
    ContractState.DEREGISTERED: (Step.SUBMIT, Step.ACCEPT, Step.REGISTER, Step.DEREGISTER),
    ContractState.REVOKED: (Step.SUBMIT, Step.ACCEPT, Step.REGISTER, Step.REVOKE),
}


@pytest.mark.parametrize("state", list(ContractState))
def test_a_state_permits_the_steps_of_the_table_and_no_other(
    session: Session, now: dt.datetime, world: World, state: ContractState
) -> None:
    official = dataclasses.replace(
        OFFICIAL, memberships=(*OFFICIAL.memberships, *world.officer().memberships)
    )
    for step in Step:
        contract = service.create_contract(session, STAFF, now, world.input())
        take(session, now, contract, *PATHS[state])
        expected = rules.TRANSITIONS.get((state, step))
        if expected is None:
            with pytest.raises(WrongState):
                service.step(session, official, now, contract, step, reason="理由")
        else:
            assert service.step(session, official, now, contract, step, reason="理由") is expected


def test_every_state_is_reached_and_every_subkind_has_a_kind() -> None:
    assert set(rules.TRANSITIONS.values()) | {ContractState.DRAFT} == set(ContractState)
    assert {sub for subs in rules.SUBKINDS.values() for sub in subs} == set(ContractSubkind)
    assert set(rules.SUBKINDS) == set(ContractKind)


def test_each_step_is_an_event_with_actor_reason_and_amounts(
    session: Session, now: dt.datetime, world: World
) -> None:
    contract = service.create_contract(session, world.officer(), now, world.input())
    service.step(session, world.officer(), now, contract, Step.SUBMIT)
    service.step(session, OFFICIAL, now, contract, Step.ACCEPT)
    service.step(session, OFFICIAL, now, contract, Step.REGISTER, registration_number="2026331000000123")
    service.step(session, OFFICIAL, now, contract, Step.AMEND, deal_fen=60_000_000, reason="补充协议")
    c = t(ContractEvent).c
    rows = session.execute(
        sa.select(c.step, c.state_before, c.state_after, c.actor_name, c.reason, c.deal_fen_before,
                  c.deal_fen_after, c.technology_fen_after)
        .where(c.contract_id == contract).order_by(c.id)
    ).all()  # fmt: skip
    assert [row.step for row in rows] == ["create", "submit", "accept", "register", "amend"]
    assert tuple(rows[-1]) == (
        "amend", "registered", "registered", "官员", "补充协议", 50_000_000, 60_000_000, 52_000_000,
    )  # fmt: skip
    a = t(AuditRecord).c
    actions = session.scalars(
        sa.select(a.action).where(a.subject == "contract", a.subject_id == contract).order_by(a.id)
    )
    assert list(actions) == [
        "contract.created", "contract.submitted", "contract.accepted", "contract.registered", "contract.amended",
    ]  # fmt: skip


def test_steps_that_take_something_away_say_why(session: Session, now: dt.datetime, world: World) -> None:
    for state, step in ((ContractState.SUBMITTED, Step.REFUSE), (ContractState.REGISTERED, Step.AMEND),
                        (ContractState.REGISTERED, Step.REVOKE)):  # fmt: skip
        contract = service.create_contract(session, STAFF, now, world.input())
        take(session, now, contract, *PATHS[state])
        with pytest.raises(InvalidInput) as refused:
            service.step(session, OFFICIAL, now, contract, step, reason="  ")
        assert refused.value.problems == [("reason", "missing", {})]


@pytest.mark.parametrize(
    ("deal", "technology", "deductions", "expected"),
    [
        (100, None, [], (100, [])),
        (100, None, [("设备", 30), ("材料", 20)], (50, [])),
        (100, 50, [("设备", 50)], (50, [])),
        (100, 0, [("设备", 100)], (0, [])),
        (100, 60, [("设备", 50)], (60, ["deductions_sum"])),
        (100, 50, [], (50, ["deductions_sum"])),
        (100, 101, [], (101, ["technology_exceeds_deal"])),
        (100, None, [("设备", 101)], (0, ["deductions_exceed_deal"])),
    ],
)
def test_amounts(deal, technology, deductions, expected) -> None:  # type: ignore[no-untyped-def]
    amount, problems = rules.amounts(deal, technology, deductions)
    assert (amount, [code for _, code, _ in problems]) == expected


def test_an_input_that_does_not_hold_together_names_every_field(
    session: Session, now: dt.datetime, world: World
) -> None:
    data = world.input(
        subkind="training", buyer_id=world.seller, industry_code="nothing", technology_fen=1, result_id=10**12
    )
    with pytest.raises(InvalidInput) as refused:
        service.create_contract(session, STAFF, now, data)
    assert {(field, code) for field, code, _ in refused.value.problems} == {
        ("subkind", "subkind_of_other_kind"),
        ("deductions", "deductions_sum"),
        ("industry_code", "unknown_choice"),
        ("result_id", "unknown_choice"),
    }
    with pytest.raises(InvalidInput) as refused:
        service.create_contract(session, STAFF, now, world.input(buyer_id=world.seller))
    assert refused.value.problems == [("buyer_id", "same_party", {})]
    with pytest.raises(InvalidInput) as refused:
        service.create_contract(session, STAFF, now, world.input(buyer_id=None))
    assert {field for field, _, _ in refused.value.problems} == {"buyer_name", "buyer_region"}
    with pytest.raises(ValidationError):
        world.input(signed_on="0001-01-01")


# Spring Festival 2026 is off from 15 to 23 February; the 14th and the 28th are worked Saturdays.
@pytest.mark.parametrize(
    ("start", "limit", "unit", "last", "known"),
    [
        (dt.date(2026, 2, 12), 1, "working_days", dt.date(2026, 2, 13), True),
        (dt.date(2026, 2, 12), 2, "working_days", dt.date(2026, 2, 14), True),
        (dt.date(2026, 2, 12), 3, "working_days", dt.date(2026, 2, 24), True),
        (dt.date(2026, 2, 12), 7, "working_days", dt.date(2026, 2, 28), True),
        (dt.date(2026, 3, 2), 15, "working_days", dt.date(2026, 3, 23), True),
        (dt.date(2026, 3, 2), 10, "days", dt.date(2026, 3, 12), True),
        (dt.date(2090, 3, 1), 5, "working_days", dt.date(2090, 3, 8), False),
    ],
)
def test_clock_counts_working_days_of_the_chinese_calendar(start, limit, unit, last, known) -> None:  # type: ignore[no-untyped-def]
    assert rules.deadline(start, limit, unit) == rules.Deadline(last, known)


def test_working_days_left_falls_below_zero_when_overdue() -> None:
    assert rules.working_days_left(dt.date(2026, 3, 2), dt.date(2026, 3, 4)) == 2
    assert rules.working_days_left(dt.date(2026, 3, 4), dt.date(2026, 3, 4)) == 0
    assert rules.working_days_left(dt.date(2026, 3, 9), dt.date(2026, 3, 6)) == -1


def test_limits_come_from_the_rows_of_the_day(session: Session, now: dt.datetime, world: World) -> None:
    small = service.create_contract(session, STAFF, now, world.input())
    large = service.create_contract(session, STAFF, now, world.input(deal_fen=500_000_000, deductions=[]))
    for contract in (small, large):
        take(session, now, contract, Step.SUBMIT, Step.ACCEPT)
    c = t(Contract).c
    found = {
        row.id: row.decide_by
        for row in session.execute(sa.select(c.id, c.decide_by).where(c.id.in_([small, large])))
    }
    assert found == {small: dt.date(2026, 3, 23), large: dt.date(2026, 4, 14)}
    before = policies.policy_at(session, policies.DECIDE, dt.date(2026, 2, 28))
    after = policies.policy_at(session, policies.DECIDE, dt.date(2026, 3, 1))
    assert before is not None
    assert (before.value, before.unit) == (30, "days")
    assert after is not None
    assert (after.value, after.unit, after.standing.value) == (
        15,
        "working_days",
        "draft",
    )
    assert policies.policy_at(session, "no.such", dt.date(2026, 3, 1)) is None
    assert policies.policy_at(session, policies.DECIDE, dt.date(1999, 1, 1)) is None


def test_no_recalled_number_is_called_law_and_seeding_twice_changes_nothing(
    session: Session, world: World
) -> None:
    before = session.scalar(sa.select(sa.func.count()).select_from(t(PolicyRow)))
    seed.seed_policies(session)
    assert session.scalar(sa.select(sa.func.count()).select_from(t(PolicyRow))) == before
    found = policies.policies(session)
    assert all(policy.basis and policy.basis_en for policy in found)
    # The one number whose text in force was read: 促进科技成果转化法, article 45.
    assert [policy.name for policy in found if policy.standing.value == "law"] == [
        "split.award_share_national"
    ]


def test_a_supplement_restarts_the_clock_and_may_be_edited(
    session: Session, now: dt.datetime, world: World
) -> None:
    contract = service.create_contract(session, world.officer(), now, world.input())
    take(session, now, contract, *PATHS[ContractState.SUPPLEMENT])
    later = now + dt.timedelta(days=7)
    service.edit_contract(session, world.officer(), later, contract, world.input(deal_fen=40_000_000))
    service.step(session, world.officer(), later, contract, Step.RESUME)
    row = session.get(Contract, contract)
    assert row is not None
    assert (row.accepted_on, row.decide_by) == (dt.date(2026, 3, 9), dt.date(2026, 3, 30))
    with pytest.raises(WrongState):
        service.edit_contract(session, world.officer(), later, contract, world.input())


def test_rights(session: Session, now: dt.datetime, world: World) -> None:
    staff = dataclasses.replace(STAFF, person_id=world.person)
    stranger = world.officer(77)
    with pytest.raises(NotAllowed):
        service.create_contract(session, stranger, now, world.input())
    with pytest.raises(SignInRequired):
        service.create_contract(session, VISITOR, now, world.input())
    contract = service.create_contract(session, world.officer(), now, world.input())
    with pytest.raises(NotFound):
        service.step(session, stranger, now, contract, Step.SUBMIT)
    with pytest.raises(NotFound):
        service.edit_contract(session, stranger, now, contract, world.input())
    with pytest.raises(NotAllowed):  # the seller registers, not the buyer
        service.step(session, world.officer(world.buyer), now, contract, Step.SUBMIT)
    service.step(session, world.officer(), now, contract, Step.SUBMIT)
    with pytest.raises(NotAllowed):
        service.step(session, staff, now, contract, Step.ACCEPT)
    with pytest.raises(NotAllowed):
        service.enter_registered(session, staff, now, world.input(), registered_on=dt.date(2026, 2, 3))
    with pytest.raises(NotFound):
        service.step(session, OFFICIAL, now, 10**12, Step.ACCEPT)


def test_another_version_is_a_conflict(session: Session, now: dt.datetime, world: World) -> None:
    contract = service.create_contract(session, world.officer(), now, world.input())
    version = service.edit_contract(session, world.officer(), now, contract, world.input(), version=1)
    assert version == 2
    with pytest.raises(Conflict):
        service.step(session, world.officer(), now, contract, Step.SUBMIT, version=1)


def test_a_registration_number_counts_once_and_its_parts_only_raise_doubts(
    session: Session, now: dt.datetime, world: World
) -> None:
    first, second = (service.create_contract(session, STAFF, now, world.input()) for _ in range(2))
    for contract in (first, second):
        take(session, now, contract, Step.SUBMIT, Step.ACCEPT)
    number = "2026331000000123"
    service.step(session, OFFICIAL, now, first, Step.REGISTER, registration_number=number)
    with pytest.raises(Duplicate):
        service.step(session, OFFICIAL, now, second, Step.REGISTER, registration_number=number)
    day = dt.date(2026, 3, 2)
    assert rules.registration_number_doubts(number, day, "331081") == []
    assert rules.registration_number_doubts("2025330100000123", day, "331081") == ["year", "area"]


def test_a_won_lot_becomes_one_draft(session: Session, now: dt.datetime, world: World) -> None:
    ids = {
        service.draft_from_lot(
            session,
            now,
            lot_id=5,
            title="离心泵独占许可",
            result_id=world.result,
            seller_organisation_id=world.seller,
            buyer_organisation_id=world.buyer,
            hammer_fen=12_000_000,
        )
        for _ in range(2)
    }
    assert len(ids) == 1
    row = session.get(Contract, ids.pop())
    assert row is not None
    assert (row.kind, row.subkind, row.industry_code, row.deal_fen, row.signed_on, row.source) == (
        "licence", "patent", "pump", 12_000_000, None, "lot",
    )  # fmt: skip
    with pytest.raises(InvalidInput) as refused:
        service.step(session, world.officer(), now, row.id, Step.SUBMIT)
    assert {field for field, _, _ in refused.value.problems} == {"technical_field", "signed_on"}


def test_an_enquiry_becomes_one_draft(session: Session, now: dt.datetime, world: World) -> None:
    enquiry = Enquiry(
        subject_kind="result",
        subject_id=world.result,
        from_organisation_id=world.buyer,
        from_person_id=world.person,
        to_organisation_id=world.seller,
        created_at=now,
        updated_at=now,
    )
    session.add(enquiry)
    session.flush()
    assert enquiry.id
    first = service.draft_from_enquiry(session, world.officer(), now, enquiry.id)
    assert service.draft_from_enquiry(session, world.officer(), now, enquiry.id) == first
    row = session.get(Contract, first)
    assert row is not None
    assert (row.title, row.seller_id, row.buyer_id) == ("离心泵", world.seller, world.buyer)
    with pytest.raises(NotAllowed):
        service.draft_from_enquiry(session, world.officer(77), now, enquiry.id)
    stranger = dataclasses.replace(world.officer(77), person_id=world.person + 1000)
    with pytest.raises(NotFound):
        service.draft_from_enquiry(session, stranger, now, enquiry.id)


def test_a_contract_tells_nobody_of_a_result_not_shown(
    session: Session, now: dt.datetime, world: World
) -> None:
    session.execute(sa.update(t(Result)).where(t(Result).c.id == world.result).values(state="draft"))
    buyer = Actor(
        world.person, "需求负责人", Via.SESSION, (Membership(world.buyer, "公司", Role.DEMAND_OWNER, True),)
    )
    with pytest.raises(InvalidInput) as refused:
        service.create_contract(session, buyer, now, world.input(result_id=world.result))
    assert refused.value.problems == [("result_id", "unknown_choice", {})]
    mine = service.create_contract(session, world.officer(), now, world.input(result_id=world.result))
    service.edit_contract(session, buyer, now, mine, world.input(result_id=world.result, title="改名"))
    assert service.create_contract(session, OFFICIAL, now, world.input(result_id=world.result))


def test_history_is_entered_on_its_own_days(session: Session, now: dt.datetime, world: World) -> None:
    contract = service.enter_registered(
        session,
        OFFICIAL,
        now,
        world.input(signed_on="2024-03-01"),
        submitted_on=dt.date(2024, 3, 4),
        accepted_on=dt.date(2024, 3, 5),
        registered_on=dt.date(2024, 3, 15),
    )
    row = session.get(Contract, contract)
    assert row is not None
    assert (row.local_number, row.state, row.decide_by) == (
        "WL-2024-000001",
        "registered",
        dt.date(2024, 4, 4),
    )
    c = t(ContractEvent).c
    events = session.execute(sa.select(c.step, c.at).where(c.contract_id == contract).order_by(c.id)).all()
    assert [event.step for event in events] == ["submit", "accept", "register", "enter"]
    assert events[2].at == dt.datetime(2024, 3, 14, 16, tzinfo=UTC)
    with pytest.raises(InvalidInput):
        service.enter_registered(session, OFFICIAL, now, world.input(), registered_on=dt.date(2026, 1, 31))
    with pytest.raises(InvalidInput):
        service.enter_registered(session, OFFICIAL, now, world.input(), registered_on=dt.date(2026, 3, 3))


def test_local_numbers_are_gapless_when_several_write_at_once(database: Database, now: dt.datetime) -> None:
    with database.write() as session:
        world = make_world(session, now)
    failures: list[BaseException] = []

    def write(count: int) -> None:
        try:
            for number in range(count):
                try:
                    with database.write() as session:
                        service.create_contract(session, STAFF, now, world.input())
                        if number == 1:
                            raise KeyError
                except KeyError:
                    continue
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(4,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    with database.read() as session:
        numbers = sorted(session.scalars(sa.select(t(Contract).c.local_number)))
    assert numbers == [f"WL-2026-{number:06d}" for number in range(1, 13)]


@pytest.mark.parametrize(
    ("days", "wrong"),
    [
        (("2026-02-02", None, None, "2026-02-02"), []),
        (("2026-02-02", None, None, "2026-02-01"), [("registered_on", "day_order")]),
        (("2026-02-03", "2026-02-02", "2026-02-01", "2026-02-04"),
         [("submitted_on", "day_order"), ("accepted_on", "day_order")]),
        (("2026-02-02", None, "2026-02-03", "2026-03-03"), [("registered_on", "signed_in_future")]),
    ],
)  # fmt: skip
def test_days_of_what_was_registered_before(
    days: tuple[str | None, ...], wrong: list[tuple[str, str]]
) -> None:
    names = ("signed_on", "submitted_on", "accepted_on", "registered_on")
    given = [
        (name, dt.date.fromisoformat(day) if day else None) for name, day in zip(names, days, strict=True)
    ]
    assert [one[:2] for one in rules.check_days(given, dt.date(2026, 3, 2))] == wrong
