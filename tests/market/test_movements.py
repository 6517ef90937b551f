"""Movements: lines and differences, the register's time, and what the migration makes of older contracts."""

from __future__ import annotations

import datetime as dt
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

import migrations
from market.clock import UTC
from market.db import Database, Session, t
from market.deals import movements, service
from market.deals.inputs import ContractInput
from market.deals.models import Contract, ContractSource, ContractState, Movement, Receipt
from market.deals.movements import Amounts, Cause, Line
from market.deals.rules import Step
from market.permissions import Actor, Membership, Role, Via
from tests.conftest import make_empty_database

OFFICIAL = Actor(None, "官员", Via.SESSION, (Membership(999, "科技局", Role.OFFICIAL, True),))
DAY = dt.date(2026, 2, 3)
LATER = dt.timedelta(minutes=5)


def contract(**changes: Any) -> Contract:
    values: dict[str, Any] = {
        "id": 1, "local_number": "WL-2026-000001", "title": "服务", "kind": "service",
        "subkind": "general_service", "seller_name": "甲", "seller_region": "331081", "buyer_name": "乙",
        "buyer_region": "330106", "deal_fen": 1000, "technology_fen": 900, "technical_field": "nuclear",
        "signed_on": DAY, "registered_on": DAY, "state": "registered", "source": "entered",
    }  # fmt: skip
    return Contract(**values | changes)


def test_a_contract_has_a_line_and_each_day_of_receipts_another() -> None:
    found = movements.lines(
        contract(), [(DAY, 300, 200), (DAY, 100, 100), (DAY + dt.timedelta(1), 5, 0), (DAY, -100, -100)]
    )
    assert [(line.received_on, amounts) for line, amounts in found.items()] == [
        (None, Amounts(1, 1000, 900)),
        (DAY, Amounts(0, 0, 0, 300, 200)),
        (DAY + dt.timedelta(1), Amounts(0, 0, 0, 5, 0)),
    ]


@pytest.mark.parametrize("state", [one for one in ContractState if one is not ContractState.REGISTERED])
def test_nothing_stands_of_a_contract_that_is_not_registered(state: ContractState) -> None:
    assert movements.lines(contract(state=state.value), [(DAY, 300, 200)]) == {}


def test_receipts_that_cancel_out_leave_no_line() -> None:
    assert len(movements.lines(contract(), [(DAY, 300, 200), (DAY, -300, -200)])) == 1


KEYS = [
    next(iter(movements.lines(contract(kind=kind, deal_fen=1))))
    for kind in ("service", "licence", "consulting")
]
AMOUNTS = st.builds(Amounts, *[st.integers(-2, 2)] * 5)
LINES = st.dictionaries(st.sampled_from(KEYS), AMOUNTS)


@given(LINES, LINES)
def test_what_stood_and_the_difference_make_what_stands(
    before: dict[Line, Amounts], after: dict[Line, Amounts]
) -> None:
    found = dict(before)
    for line, amounts in movements.difference(before, after):
        assert amounts
        found[line] = amounts - (Amounts() - found.get(line, Amounts()))
    assert {line: one for line, one in found.items() if one} == {
        line: one for line, one in after.items() if one
    }


def enter(session: Session, now: dt.datetime, **changes: Any) -> int:
    data = ContractInput.model_validate(
        {
            "title": "技术服务", "kind": "service", "subkind": "general_service", "seller_name": "甲",
            "seller_region": "331081", "buyer_name": "乙", "buyer_region": "330106", "deal_fen": 1000,
            "deductions": [{"item": "设备", "fen": 100}], "technical_field": "nuclear", "signed_on": DAY,
        } | changes
    )  # fmt: skip
    return service.enter_registered(
        session, OFFICIAL, now, data, registered_on=DAY, source=ContractSource.ENTERED
    )


def rows(session: Session, contract_id: int) -> list[tuple[Any, ...]]:
    m = t(Movement).c
    found = session.execute(
        sa.select(m.step, m.changed_on, m.contracts, m.deal_fen, m.technology_fen, m.received_fen)
        .where(m.contract_id == contract_id)
        .order_by(m.id)
    )
    return [tuple(row) for row in found]


def test_each_step_appends_what_it_changed(session: Session, now: dt.datetime) -> None:
    today = dt.date(2026, 3, 2)
    one = enter(session, now)
    service.step(session, OFFICIAL, now, one, Step.AMEND, deal_fen=1500, reason="补充")
    service.step(session, OFFICIAL, now, one, Step.DEREGISTER, reason="解除")
    assert rows(session, one) == [
        ("register", DAY, 1, 1000, 900, 0),
        ("amend", today, 0, 500, 500, 0),
        ("deregister", today, -1, -1500, -1400, 0),
    ]
    assert movements.standing(session, one) == {}


def test_recording_again_appends_nothing_and_a_forgotten_step_is_made_good(
    session: Session, now: dt.datetime
) -> None:
    one = enter(session, now)
    held = session.get(Contract, one)
    assert held is not None
    assert movements.record(session, now, held, Cause.AMEND, DAY) == 0
    held.kind, held.subkind = "consulting", "survey"
    assert movements.record(session, now, held, Cause.AMEND, DAY) == 2
    assert [row[2:] for row in rows(session, one)] == [
        (1, 1000, 900, 0), (-1, -1000, -900, 0), (1, 1000, 900, 0),
    ]  # fmt: skip


def test_a_receipt_taken_back_is_a_change(session: Session, now: dt.datetime) -> None:
    one = enter(session, now)
    held = session.get(Contract, one)
    assert held is not None
    receipt = Receipt(contract_id=one, received_on=DAY, fen=400, technology_fen=300, entered_at=now)
    session.add(receipt)
    movements.record(session, now, held, Cause.RECEIPT, DAY)
    session.add(
        Receipt(
            contract_id=one, received_on=DAY, fen=-400, technology_fen=-300, entered_at=now,
            reverses_id=receipt.id,
        )
    )  # fmt: skip
    movements.record(session, now, held, Cause.RECEIPT, DAY)
    assert [(row[0], row[5]) for row in rows(session, one)] == [
        ("register", 0), ("receipt", 400), ("reverse", -400),
    ]  # fmt: skip


def test_the_register_s_time_rises_whatever_the_clock_says(session: Session, now: dt.datetime) -> None:
    first = movements.tick(session, now)
    assert first == now
    assert movements.tick(session, now - dt.timedelta(days=1)) == now + dt.timedelta(microseconds=1)
    assert movements.tick(session, now + LATER) == now + LATER == movements.latest(session)


@pytest.fixture(params=["sqlite", "postgresql"])
def older(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    for database in make_empty_database(request.param, request, tmp_path):
        migrations.upgrade(database, "0008")
        yield database


AT = dt.datetime(2026, 2, 3, 1, tzinfo=UTC)


def _contract(session: Session, id_: int, **changes: Any) -> None:
    values: dict[str, Any] = {
        "id": id_, "local_number": f"WL-2026-{id_:06d}", "title": "服务", "kind": "service",
        "subkind": "general_service", "seller_name": "甲", "seller_region": "331081", "buyer_name": "乙",
        "buyer_region": "330106", "deal_fen": 1000, "technology_fen": 900, "deductions": "[]",
        "technical_field": "nuclear", "related_party": False, "signed_on": DAY, "registered_on": DAY,
        "ended_on": None, "state": "registered", "source": "entered", "version": 1, "created_at": AT,
        "updated_at": AT,
    } | changes  # fmt: skip
    _insert(session, "contract", values)


def _event(session: Session, id_: int, step: str, at: dt.datetime, *amounts: int) -> None:
    """Amounts after, and before where they differ."""
    before = amounts[2:] or amounts
    _insert(
        session,
        "contract_event",
        {
            "contract_id": id_, "at": at, "step": step, "state_after": "registered", "actor_name": "官员",
            "reason": "", "deal_fen_before": before[0], "deal_fen_after": amounts[0],
            "technology_fen_before": before[1], "technology_fen_after": amounts[1],
        },
    )  # fmt: skip


def _insert(session: Session, table: str, values: dict[str, Any]) -> None:
    names = ", ".join(values)
    plain = {
        name: value.replace(tzinfo=None).isoformat(" ", "microseconds")
        if isinstance(value, dt.datetime) and session.get_bind().dialect.name == "sqlite"
        else value.isoformat()
        if isinstance(value, dt.date) and session.get_bind().dialect.name == "sqlite"
        else value
        for name, value in values.items()
    }
    session.execute(
        sa.text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in values)})"),
        plain,
    )


def test_older_contracts_get_the_movements_of_their_steps(older: Database) -> None:
    with older.write() as session:
        _contract(session, 1, deal_fen=1500, technology_fen=1400)
        _event(session, 1, "submit", AT, 1000, 900)
        _event(session, 1, "register", AT, 1000, 900)
        _event(session, 1, "amend", AT + 2 * LATER, 1500, 1400, 1000, 900)
        _contract(
            session, 2, state="revoked", ended_on=DAY + dt.timedelta(9), registered_on=dt.date(2024, 5, 6)
        )
        _event(session, 2, "register", dt.datetime(2024, 5, 5, 16, tzinfo=UTC), 1000, 900)
        _event(session, 2, "enter", AT + LATER, 1000, 900)
        _event(session, 2, "revoke", AT + 2 * LATER, 1000, 900)
        _contract(session, 3, state="draft", registered_on=None)
        _event(session, 3, "create", AT, 1000, 900)
        session.execute(
            sa.text(
                "INSERT INTO gdp_release (region_code, year, quarter, vintage, value_fen, published_on, source,"
                " entered_at) VALUES ('331081', 2024, 4, 'first', 1, '2025-02-28', 'x', '2026-02-09 00:00:00')"
            )
        )
    migrations.upgrade(older)
    m = t(Movement).c
    with older.read() as session:
        assert [
            tuple(row)
            for row in session.execute(
                sa.select(
                    m.contract_id, m.step, m.recorded_at, m.changed_on, m.contracts, m.deal_fen,
                    m.technology_fen,
                ).order_by(m.id)
            )
        ] == [
            (1, "register", AT, DAY, 1, 1000, 900),
            (2, "register", AT + LATER, dt.date(2024, 5, 6), 1, 1000, 900),
            (1, "amend", AT + 2 * LATER, DAY, 0, 500, 500),
            (2, "revoke", AT + 2 * LATER + dt.timedelta(microseconds=1), DAY + dt.timedelta(9), -1, -1000, -900),
        ]  # fmt: skip
        assert movements.latest(session) == dt.datetime(2026, 2, 9, tzinfo=UTC)
        held = session.get(Contract, 1)
        assert held is not None
        assert movements.standing(session, 1) == movements.lines(held)
        assert movements.standing(session, 2) == {}


def test_whoever_comes_second_is_recorded_later_and_seen_later(database: Database) -> None:
    """The clock's lock is kept until the commit: a reader never sees a later time without the earlier ones."""
    now = dt.datetime(2026, 3, 2, 2, tzinfo=UTC)
    holds, go = threading.Event(), threading.Event()
    times: dict[str, dt.datetime] = {}

    def first() -> None:
        with database.write() as session:
            times["first"] = movements.tick(session, now)
            holds.set()
            go.wait(20)

    def second() -> None:
        with database.write() as session:
            times["second"] = movements.tick(session, now - LATER)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert holds.wait(20)
    threads[1].start()
    with database.read() as session:
        assert movements.latest(session) == movements.BEFORE_ALL
    assert "second" not in times
    go.set()
    for thread in threads:
        thread.join(30)
    assert times == {"first": now, "second": now + dt.timedelta(microseconds=1)}
    with database.read() as session:
        assert movements.latest(session) == times["second"]
