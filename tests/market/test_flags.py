"""Flags on contracts: looked for, kept, closed, and when they come back, on both databases."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from market.audit import AuditRecord
from market.clock import local_date
from market.db import Database, Session, t
from market.deals import evidence, receipts, seed, service
from market.deals.models import Contract, ContractState, EvidenceKind, PolicyRow
from market.deals.receipts import ReceiptInput
from market.deals.rules import Step
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound, SignInRequired, WrongState
from market.files.store import DiskStore
from market.parties.models import MembershipRow, Organisation, Person
from market.permissions import VISITOR, Role
from market.scrutiny import flag_queries, flags
from market.scrutiny.flags import Kept
from market.scrutiny.models import ContractFlag, FlagKind
from market.work import WorkItem
from tests.market.test_deals import OFFICIAL, STAFF, World, make_world

DAY = dt.timedelta(days=1)
PDF = b"%PDF-1.4\n%%EOF\n"


@pytest.fixture
def world(session: Session, now: dt.datetime) -> World:
    seed.seed_policies(session)
    return make_world(session, now)


def enter(session: Session, now: dt.datetime, world: World, *steps: Step, **changes: object) -> int:
    contract = service.create_contract(session, STAFF, now, world.input(**changes))
    for step in steps:
        service.step(session, OFFICIAL, now, contract, step)
    return contract


REGISTER = (Step.SUBMIT, Step.ACCEPT, Step.REGISTER)


def standing(session: Session, *, closed: bool = False) -> list[tuple[int, str, str]]:
    found, total = flag_queries.flags(session, OFFICIAL, closed=closed, limit=100)
    assert total == len(found)
    return sorted((one.contract.id, one.kind.value, one.about) for one in found)


def only(session: Session) -> flag_queries.FlagView:
    found, _ = flag_queries.flags(session, OFFICIAL)
    assert len(found) == 1
    return found[0]


def test_a_pair_is_one_flag_whichever_is_looked_at(session: Session, now: dt.datetime, world: World) -> None:
    first = enter(session, now, world, Step.SUBMIT)
    second = enter(session, now, world, Step.SUBMIT, signed_on="2026-02-20", deal_fen=51_000_000)
    enter(session, now, world, title="阀门检测服务", signed_on="2026-02-20")  # a draft
    assert flags.look(session, now, [first]) == Kept(raised=1)
    assert flags.look(session, now, [second]) == Kept()
    assert standing(session) == [(second, "duplicate_terms", str(first))]
    found = only(session)
    assert found.other is not None
    assert (found.other.id, found.detail["days"], found.detail["difference_fen"]) == (first, 19, 1_000_000)
    for each in (first, second):
        assert [one.id for one in flag_queries.of_contract(session, OFFICIAL, each)] == [found.id]


def test_members_that_were_renamed_are_the_same_parties(
    session: Session, now: dt.datetime, world: World
) -> None:
    first = enter(session, now, world, Step.SUBMIT)
    session.execute(
        sa.update(t(Organisation)).where(t(Organisation).c.id == world.buyer).values(name="温岭新泵业")
    )
    second = enter(session, now, world, Step.SUBMIT)
    back = enter(
        session, now, world, Step.SUBMIT, title="检测", seller_id=world.buyer, buyer_id=world.seller,
    )  # fmt: skip
    flags.look(session, now, [first])
    assert standing(session) == [
        (second, "duplicate_terms", str(first)), (back, "cycle", str(first)),
    ]  # fmt: skip
    flags.look(session, now, [back])
    assert (back, "cycle", str(second)) in standing(session)


def test_numbers_one_digit_off(session: Session, now: dt.datetime, world: World) -> None:
    made = [
        enter(session, now, world, *REGISTER, title=title, signed_on=day)
        for title, day in (
            ("一", "2026-02-01"),
            ("完全不同的标题", "2025-06-01"),
            ("二三四五六", "2024-06-01"),
        )
    ]
    for contract, number in zip(
        made, ("2026330100000001", "2026330100000009", "2026330100000010"), strict=True
    ):
        session.execute(
            sa.update(t(Contract)).where(t(Contract).c.id == contract).values(registration_number=number)
        )
    flags.look(session, now, made[:1])
    assert standing(session) == [(made[1], "duplicate_number", str(made[0]))]


def test_the_same_file_save_what_lies_with_many(
    session: Session, now: dt.datetime, world: World, tmp_path: Path
) -> None:
    store = DiskStore(tmp_path)
    first = enter(session, now, world, Step.SUBMIT, title="一", signed_on="2025-01-01")
    second = enter(session, now, world, Step.SUBMIT, title="二二二二二二", signed_on="2026-01-01")

    def keep(contract: int, kind: EvidenceKind, name: str, content: bytes) -> int:
        return evidence.attach(session, OFFICIAL, now, store, contract, kind=kind, name=name, content=content)

    for contract in (first, second):
        keep(contract, EvidenceKind.PARTY_REGISTRATION, "执照.pdf", PDF)
    assert flags.look(session, now, [first, second]) == Kept()
    keep(first, EvidenceKind.CONTRACT_TEXT, "合同.pdf", PDF + b"1\n")
    gone = keep(second, EvidenceKind.CONTRACT_TEXT, "另一份合同.pdf", PDF + b"1\n")
    assert flags.look(session, now, [first]) == Kept(raised=1)
    found = only(session)
    assert (found.contract.id, found.kind, found.detail) == (
        second, FlagKind.DUPLICATE_FILE, {"names": ["另一份合同.pdf"]},
    )  # fmt: skip
    from market.files.models import Attachment

    session.execute(sa.update(t(Attachment)).where(t(Attachment).c.id == gone).values(removed_at=now))
    assert flags.look(session, now, [second]) == Kept(lapsed=1)


def test_people_who_act_for_both_sides(session: Session, now: dt.datetime, world: World) -> None:
    contract = enter(session, now, world, Step.SUBMIT)
    person = Person(name="两头", email="both@example.com", password_hash="x", created_at=now, updated_at=now)
    session.add(person)
    session.flush()
    rows = [
        MembershipRow(
            person_id=person.id, organisation_id=organisation, role=role.value, created_at=now
        )
        for organisation, role in (
            (world.seller, Role.RESULTS_OFFICER), (world.buyer, Role.BROKER), (world.buyer, Role.DEMAND_OWNER),
        )
    ]  # fmt: skip
    session.add_all(rows[:2])
    session.flush()
    assert flags.look(session, now, [contract]) == Kept()
    session.add(rows[2])
    session.flush()
    flags.look(session, now, [contract])
    assert standing(session) == [(contract, "related_party", "people")]
    rows[2].ended_at = now
    session.flush()
    assert flags.look(session, now, [contract]) == Kept(lapsed=1)


def test_only_a_firms_founding_day_counts(session: Session, now: dt.datetime, world: World) -> None:
    contract = enter(session, now, world, Step.SUBMIT, deal_fen=200_000_000)
    session.execute(sa.update(t(Organisation)).values(founded_on=dt.date(2026, 1, 1)))
    flags.look(session, now, [contract])
    assert standing(session) == [(contract, "young_firm", "buyer")]


def test_nothing_received_is_found_by_time_alone_and_lapses_with_a_receipt(
    session: Session, now: dt.datetime, world: World
) -> None:
    contract = enter(session, now, world, *REGISTER, ends_on=local_date(now).isoformat())
    assert flags.look(session, now + 180 * DAY, [contract]) == Kept()
    late = now + 181 * DAY
    assert flags.look(session, late, [contract]) == Kept(raised=1)
    data = ReceiptInput.model_validate({"received_on": local_date(late).isoformat(), "fen": 100})
    receipts.add(session, OFFICIAL, late, contract, data)
    assert flags.look(session, late, [contract]) == Kept(lapsed=1)
    assert only_closed(session).lapsed


def test_what_fell_due_before_the_rows_first_day_is_not_asked_for(
    session: Session, now: dt.datetime, world: World
) -> None:
    days = ("2024-12-31", "2025-01-01")
    first, second = (
        enter(session, now, world, *REGISTER, title=day, signed_on="2024-01-01", ends_on=day) for day in days
    )
    flags.look(session, now, [first, second])
    assert (first, "no_receipt", "") not in standing(session)
    assert (second, "no_receipt", "") in standing(session)


def only_closed(session: Session) -> flag_queries.FlagView:
    found, _ = flag_queries.flags(session, OFFICIAL, closed=True)
    assert len(found) == 1
    return found[0]


def test_a_closed_flag_comes_back_only_when_its_facts_change(
    session: Session, now: dt.datetime, world: World
) -> None:
    first = enter(session, now, world, *REGISTER)
    second = enter(session, now, world, *REGISTER)
    flags.look(session, now, [second])
    flag = only(session)
    assert flags.close(session, OFFICIAL, now + DAY, flag.id, " 两份补充协议，已核对原件 ") == second
    assert standing(session) == []
    closed = only_closed(session)
    assert (closed.reason, closed.lapsed, closed.closed_at) == (
        "两份补充协议，已核对原件", False, now + DAY,
    )  # fmt: skip
    for _ in range(2):
        assert flags.look(session, now + DAY, [first, second]) == Kept()
    # It is no longer so, and then again as it was: what the reviewer found still stands.
    session.execute(sa.update(t(Contract)).where(t(Contract).c.id == first).values(state="revoked"))
    assert flags.look(session, now + DAY, [first]) == Kept()
    session.execute(sa.update(t(Contract)).where(t(Contract).c.id == first).values(state="registered"))
    assert flags.look(session, now + DAY, [first]) == Kept()
    service.step(
        session, OFFICIAL, now + DAY, first, Step.AMEND, reason="补充协议", deal_fen=50_500_000,
    )  # fmt: skip
    assert flags.look(session, now + 2 * DAY, [first]) == Kept(raised=1)
    again = only(session)
    assert (again.id, again.raised_at, again.reason, again.detail["difference_fen"]) == (
        flag.id, now + 2 * DAY, "", 500_000,
    )  # fmt: skip


def test_an_open_flag_follows_the_facts_and_lapses_and_returns(
    session: Session, now: dt.datetime, world: World
) -> None:
    first = enter(session, now, world, *REGISTER)
    second = enter(session, now, world, *REGISTER)
    flags.look(session, now, [second])
    before = only(session)
    service.step(session, OFFICIAL, now, second, Step.AMEND, reason="更正", deal_fen=50_500_000)
    assert flags.look(session, now, [second]) == Kept(changed=1)
    assert only(session).version == before.version + 1
    service.step(session, OFFICIAL, now, second, Step.AMEND, reason="更正", deal_fen=500_000_000)
    assert flags.look(session, now, [first]) == Kept(lapsed=1)
    service.step(session, OFFICIAL, now, second, Step.AMEND, reason="更正", deal_fen=50_500_000)
    assert flags.look(session, now, [first]) == Kept(raised=1)


def test_a_look_says_beforehand_whether_it_would_write(
    session: Session, now: dt.datetime, world: World
) -> None:
    first = enter(session, now, world, *REGISTER)
    second = enter(session, now, world, *REGISTER)
    for prepare in (
        lambda: None,
        lambda: flags.close(session, OFFICIAL, now, only(session).id, "已核"),
        lambda: service.step(session, OFFICIAL, now, first, Step.AMEND, reason="更正", deal_fen=50_100_000),
        lambda: service.step(session, OFFICIAL, now, first, Step.AMEND, reason="更正", deal_fen=50_200_000),
        lambda: service.step(session, OFFICIAL, now, first, Step.REVOKE, reason="重复"),
    ):
        prepare()
        found = flags.survey(session, now, [first, second])
        wrote = flags.differs(session, found)
        assert wrote is (flags.keep(session, now, found) != Kept())
        assert not flags.differs(session, flags.survey(session, now, [first, second]))


@pytest.mark.parametrize("state", list(ContractState))
def test_what_is_unsaid_or_over_is_not_compared(
    session: Session, now: dt.datetime, world: World, state: ContractState
) -> None:
    first = enter(session, now, world, Step.SUBMIT, related_party=True)
    second = enter(session, now, world, Step.SUBMIT)
    session.execute(sa.update(t(Contract)).where(t(Contract).c.id == first).values(state=state.value))
    flags.look(session, now, [first, second])
    compared = state.value in {"submitted", "accepted", "supplement", "expert_review", "registered"}
    assert bool(standing(session)) is compared


def test_closing_wants_the_right_a_reason_and_the_flag_as_it_was_read(
    session: Session, now: dt.datetime, world: World
) -> None:
    contract = enter(session, now, world, Step.SUBMIT, related_party=True)
    flags.look(session, now, [contract])
    flag = only(session)
    for actor, error in ((VISITOR, SignInRequired), (world.officer(), NotAllowed)):
        with pytest.raises(error):
            flags.close(session, actor, now, flag.id, "已核")
        with pytest.raises(error):
            flag_queries.flags(session, actor)
        with pytest.raises(error):
            flag_queries.flag(session, actor, flag.id)
        assert flag_queries.of_contract(session, actor, contract) == []
    with pytest.raises(NotFound):
        flags.close(session, OFFICIAL, now, flag.id + 1, "已核")
    with pytest.raises(NotFound):
        flag_queries.flag(session, OFFICIAL, flag.id + 1)
    for reason in ("", "  ", "长" * (flags.REASON_MAX + 1)):
        with pytest.raises(InvalidInput):
            flags.close(session, OFFICIAL, now, flag.id, reason)
    with pytest.raises(Conflict):
        flags.close(session, OFFICIAL, now, flag.id, "已核", version=flag.version + 1)
    flags.close(session, OFFICIAL, now, flag.id, "已核", version=flag.version)
    with pytest.raises(WrongState):
        flags.close(session, OFFICIAL, now, flag.id, "再核")


def test_every_change_of_a_flag_is_audited_with_its_contract(
    session: Session, now: dt.datetime, world: World
) -> None:
    contract = enter(session, now, world, Step.SUBMIT, related_party=True)
    flags.look(session, now, [contract])
    flags.close(session, OFFICIAL, now, only(session).id, "子公司，价格有评估报告")
    a = t(AuditRecord).c
    found = session.execute(
        sa.select(a.action, a.actor_name, a.reason)
        .where(a.subject == "contract", a.subject_id == contract, a.action.startswith("contract.flag_"))
        .order_by(a.id)
    ).all()
    assert [tuple(row) for row in found] == [
        ("contract.flag_raised", "system", None),
        ("contract.flag_closed", OFFICIAL.name, "子公司，价格有评估报告"),
    ]


def test_each_step_leaves_a_look_and_none_is_refused(
    session: Session, now: dt.datetime, world: World
) -> None:
    first = enter(session, now, world, *REGISTER, related_party=True)
    flags.look(session, now, [first])
    service.step(session, OFFICIAL, now, first, Step.AMEND, reason="更正", deal_fen=60_000_000)
    w = t(WorkItem).c
    left = session.scalars(sa.select(w.payload).where(w.kind == service.STEPPED)).all()
    assert list(left) == [{"contract_id": first}] * 4


def test_thresholds_are_those_in_force_on_the_day(session: Session, now: dt.datetime, world: World) -> None:
    contract = enter(session, now, world, Step.SUBMIT, signed_on="2025-12-31", deal_fen=100_000_000)
    p = t(PolicyRow).c
    flags.look(session, now, [contract])
    assert standing(session) == [(contract, "round_year_end", "")]
    session.execute(
        sa.update(t(PolicyRow)).where(p.name == "flag.round_from").values(valid_to=local_date(now))
    )
    session.add(
        PolicyRow(
            name="flag.round_from", value=100_000_001, unit="fen", valid_from=local_date(now + DAY),
            standing="recalled",
        )
    )  # fmt: skip
    session.flush()
    assert flags.look(session, now, [contract]) == Kept()
    assert flags.look(session, now + DAY, [contract]) == Kept(lapsed=1)


def test_two_looks_at_once_raise_a_flag_once(database: Database, now: dt.datetime) -> None:
    with database.write() as session:
        seed.seed_policies(session)
        world = make_world(session, now)
        contract = enter(session, now, world, Step.SUBMIT, related_party=True)
    gate = threading.Barrier(2)
    kept: list[Kept] = []

    def run() -> None:
        with database.read() as session:
            found = flags.survey(session, now, [contract])
        gate.wait()
        with database.write() as session:
            kept.append(flags.keep(session, now, found))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.raised for one in kept) == [0, 1]
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(t(ContractFlag))) == 1
        actions = sa.select(sa.func.count()).where(t(AuditRecord).c.action == "contract.flag_raised")
        assert session.scalar(actions) == 1
