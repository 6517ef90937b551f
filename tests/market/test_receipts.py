"""The ledger of receipts and the files that prove a contract, on both databases."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.deals import evidence, receipts, seed, service
from market.deals.models import EvidenceKind, Movement, Receipt
from market.deals.receipts import ReceiptInput
from market.deals.rules import Step
from market.errors import InvalidInput, NotAllowed, NotFound, WrongState
from market.files import queries as files
from market.files.store import DiskStore
from market.permissions import VISITOR, Actor, Membership, Role, Via
from tests.market.test_deals import OFFICIAL, STAFF, World, make_world

DAY = dt.timedelta(days=1)
STRANGER = Actor(None, "外人", Via.SESSION, (Membership(997, "外单位", Role.RESULTS_OFFICER, True),))


@pytest.fixture
def world(session: Session, now: dt.datetime) -> World:
    seed.seed_policies(session)
    return make_world(session, now)


@pytest.fixture
def registered(session: Session, now: dt.datetime, world: World) -> int:
    contract = service.create_contract(session, STAFF, now, world.input())
    for step in (Step.SUBMIT, Step.ACCEPT, Step.REGISTER):
        service.step(session, OFFICIAL, now, contract, step)
    return contract


def money(now: dt.datetime, fen: int = 10_000_000, **changes: object) -> ReceiptInput:
    return ReceiptInput.model_validate({"received_on": local_date(now).isoformat(), "fen": fen} | changes)


def counted(session: Session, contract: int) -> tuple[int, int]:
    m = t(Movement).c
    row = session.execute(
        sa.select(sa.func.sum(m.received_fen), sa.func.sum(m.received_technology_fen)).where(
            m.contract_id == contract
        )
    ).one()
    return int(row[0] or 0), int(row[1] or 0)


def test_technology_is_the_contracts_own_share_unless_it_is_stated(
    session: Session, now: dt.datetime, world: World, registered: int
) -> None:
    officer = world.officer()
    receipts.add(session, officer, now, registered, money(now, 10_000_001))
    receipts.add(session, officer, now, registered, money(now, 5_000_000, technology_fen=5_000_000))
    found = receipts.ledger(session, registered, (), local_date(now))
    assert [(row.fen, row.technology_fen) for row in found.rows] == [
        (10_000_001, 8_400_001),  # 42/50 of it is 8,400,000.84
        (5_000_000, 5_000_000),
    ]
    assert (found.received_fen, found.technology_fen) == (15_000_001, 13_400_001)
    assert counted(session, registered) == (15_000_001, 13_400_001)


def test_a_mistake_is_reversed_once_and_stays_to_be_seen(
    session: Session, now: dt.datetime, world: World, registered: int
) -> None:
    officer = world.officer()
    first = receipts.add(session, officer, now - 40 * DAY, registered, money(now - 40 * DAY))
    back = receipts.reverse(session, officer, now, registered, first, "重复录入")
    found = receipts.ledger(session, registered, (), local_date(now))
    assert [(row.id, row.fen, row.reverses_id, row.reversed_by) for row in found.rows] == [
        (first, 10_000_000, None, back),
        (back, -10_000_000, first, None),
    ]
    assert found.rows[1].received_on == found.rows[0].received_on
    assert not any(row.may_be_reversed for row in found.rows)
    assert counted(session, registered) == (0, 0)
    for again in (first, back):
        with pytest.raises(WrongState):
            receipts.reverse(session, officer, now, registered, again, "再次")


def test_what_is_wrong_with_a_receipt_is_told_at_its_field(
    session: Session, now: dt.datetime, world: World, registered: int
) -> None:
    wrong = money(now + 2 * DAY, technology_fen=10_000_001, attachment_id=987)
    with pytest.raises(InvalidInput) as refused:
        receipts.add(session, world.officer(), now, registered, wrong)
    assert [name for name, _, _ in refused.value.problems] == [
        "received_on",
        "technology_fen",
        "attachment_id",
    ]
    receipt = receipts.add(session, world.officer(), now, registered, money(now))
    for reason in ("  ", "长" * 301):
        with pytest.raises(InvalidInput):
            receipts.reverse(session, world.officer(), now, registered, receipt, reason)
    with pytest.raises(NotFound):
        receipts.reverse(session, world.officer(), now, registered, receipt + 1, "没有")


def test_receipts_are_for_parties_and_officials(
    session: Session, now: dt.datetime, world: World, registered: int
) -> None:
    bidder = Actor(world.person, "竞买", Via.SESSION, (Membership(world.buyer, "泵业", Role.BIDDER, True),))
    for actor in (VISITOR, STRANGER, bidder):
        with pytest.raises((NotFound, NotAllowed)):
            receipts.add(session, actor, now, registered, money(now))
    for actor in (world.officer(world.buyer), OFFICIAL):
        receipts.add(session, actor, now, registered, money(now))


def test_nothing_is_received_under_a_draft_and_what_ended_counts_nothing(
    session: Session, now: dt.datetime, world: World, registered: int
) -> None:
    draft = service.create_contract(session, STAFF, now, world.input())
    with pytest.raises(WrongState):
        receipts.add(session, world.officer(), now, draft, money(now))
    receipt = receipts.add(session, OFFICIAL, now, registered, money(now))
    service.step(session, OFFICIAL, now, registered, Step.DEREGISTER, reason="解除")
    assert counted(session, registered) == (0, 0)
    with pytest.raises(WrongState):
        receipts.add(session, OFFICIAL, now, registered, money(now))
    receipts.reverse(session, OFFICIAL, now, registered, receipt, "退款")
    assert counted(session, registered) == (0, 0)


def test_money_before_registration_counts_from_registration(
    session: Session, now: dt.datetime, world: World
) -> None:
    contract = service.create_contract(session, STAFF, now, world.input())
    service.step(session, OFFICIAL, now, contract, Step.SUBMIT)
    receipts.add(session, OFFICIAL, now, contract, money(now))
    assert counted(session, contract) == (0, 0)
    service.step(session, OFFICIAL, now, contract, Step.ACCEPT)
    service.step(session, OFFICIAL, now, contract, Step.REGISTER)
    assert counted(session, contract) == (10_000_000, 8_400_000)


def test_the_database_holds_one_reversal_of_a_receipt(
    session: Session, now: dt.datetime, world: World, registered: int
) -> None:
    first = receipts.add(session, OFFICIAL, now, registered, money(now))
    row = {
        "contract_id": registered, "received_on": local_date(now), "fen": -1, "technology_fen": 0, "note": "",
        "reverses_id": first, "entered_at": now,
    }  # fmt: skip
    session.execute(sa.insert(t(Receipt)).values(**row))
    with pytest.raises(sa.exc.IntegrityError):
        session.execute(sa.insert(t(Receipt)).values(**row))


PDF = b"%PDF-1.4\n%%EOF\n"


def test_evidence_is_told_apart_and_what_is_missing_is_known(
    session: Session, now: dt.datetime, world: World, tmp_path: Path
) -> None:
    store = DiskStore(tmp_path)
    contract = service.create_contract(session, STAFF, now, world.input())
    officer = world.officer()

    def attach(kind: EvidenceKind, content: bytes) -> int:
        return evidence.attach(
            session, officer, now, store, contract, kind=kind, name="文件.pdf", content=content
        )

    text = attach(EvidenceKind.CONTRACT_TEXT, PDF)
    assert attach(EvidenceKind.OTHER, PDF) == text
    attach(EvidenceKind.COST_BREAKDOWN, PDF + b" ")
    found = evidence.proofs(session, officer, contract)
    assert [one.kind for one in found] == [EvidenceKind.CONTRACT_TEXT, EvidenceKind.COST_BREAKDOWN]
    assert all(len(one.file.sha256) == 64 for one in found)
    lacking = evidence.missing({one.kind for one in found}, has_ip=True, has_deductions=True)
    assert [one.kind for one in lacking] == [EvidenceKind.REGISTRATION_FORM, EvidenceKind.IP_PROOF]
    assert {one.kind for one in evidence.asked_for(has_ip=False, has_deductions=False)} == {
        EvidenceKind.CONTRACT_TEXT,
        EvidenceKind.REGISTRATION_FORM,
    }


def test_files_are_for_the_parties_and_stay_once_submitted(
    session: Session, now: dt.datetime, world: World, tmp_path: Path
) -> None:
    store = DiskStore(tmp_path)
    contract = service.create_contract(session, STAFF, now, world.input())
    officer = world.officer()
    first = evidence.attach(
        session, officer, now, store, contract, kind=EvidenceKind.OTHER, name="一.pdf", content=PDF
    )
    file = files.one(session, first)
    assert evidence.may_open(session, world.officer(world.buyer), file)
    assert evidence.may_open(session, OFFICIAL, file)
    assert not evidence.may_open(session, STRANGER, file)
    assert not evidence.may_open(session, VISITOR, file)
    with pytest.raises(NotFound):
        evidence.attach(
            session, STRANGER, now, store, contract, kind=EvidenceKind.OTHER, name="二.pdf", content=PDF
        )
    evidence.remove(session, officer, now, file)
    assert evidence.proofs(session, officer, contract) == []
    second = evidence.attach(
        session, officer, now, store, contract, kind=EvidenceKind.OTHER, name="一.pdf", content=PDF
    )
    service.step(session, officer, now, contract, Step.SUBMIT)
    with pytest.raises(WrongState):
        evidence.remove(session, officer, now, files.one(session, second))
