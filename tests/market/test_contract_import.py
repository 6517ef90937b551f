"""Registered contracts from files: every bad row told, all or nothing, again without doubles, out and in again."""

from __future__ import annotations

import datetime as dt
import io
import json
import threading
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa

from market.audit import AuditRecord
from market.clock import FixedClock
from market.db import Database, t
from market.deals import entering, movements, recording
from market.deals import service as deals
from market.deals.models import Contract, ContractEvent, Movement
from market.deals.recording import ENTERED
from market.errors import Conflict, NotAllowed
from market.exchange import contracts, exporting, importing, queries, runner, service, writers
from market.exchange.fields import Kind
from market.exchange.mapping import ColumnMapping, Vocabulary
from market.exchange.models import RunState
from market.exchange.queries import RunView
from market.exchange.readers import FileForm
from market.files.store import DiskStore
from market.parties.models import MembershipRow, Organisation, Person
from market.permissions import COMMAND_LINE, Actor, Membership, Role, Via
from market.taxonomy.models import Industry
from market.work import WorkItem
from tests.conftest import NOW

CODE, STRANGER = "91330100799655058B", "91310000MA1FL3LL52"


class World:
    """A market with one member, an official and somebody of the member."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.store, self.clock = db, DiskStore(folder / "files"), FixedClock(NOW)
        with db.write() as session:
            for name, code in (("泵业公司", CODE), ("科技局", "11331081002680000B")):
                session.add(
                    Organisation(
                        name=name, kind="firm", credit_code=code, region_code="331081",
                        state="verified", created_at=NOW, updated_at=NOW,
                    )
                )  # fmt: skip
            session.add(Industry(code="pumps", name="pumps", updated_at=NOW))
            for number, role in ((1, Role.DEMAND_OWNER), (2, Role.OFFICIAL)):
                session.add(
                    Person(
                        name=role.value, email=f"{role.value}@example.com", password_hash="-",
                        created_at=NOW, updated_at=NOW,
                    )
                )  # fmt: skip
                session.flush()
                session.add(
                    MembershipRow(person_id=number, organisation_id=number, role=role.value, created_at=NOW)
                )
        self.party = Actor(1, "p", Via.SESSION, (Membership(1, "泵业公司", Role.DEMAND_OWNER, True),))
        self.official = Actor(2, "official", Via.SESSION, (Membership(2, "科技局", Role.OFFICIAL, True),))

    def run(
        self,
        rows: list[dict[str, Any]] | bytes,
        name: str = "rows.jsonl",
        *,
        dry_run: bool = False,
        **options: Any,
    ) -> RunView:
        content = rows if isinstance(rows, bytes) else "\n".join(json.dumps(row) for row in rows).encode()
        with self.db.write() as session:
            sha256 = self.store.put(content)
            run_id = service.create_run(
                session, self.official, NOW, Kind.CONTRACTS, name, sha256, len(content)
            )
            chosen = service.RunOptions(mapping=ColumnMapping(), **options)
            service.queue_run(session, self.official, NOW, run_id, chosen, dry_run=dry_run, as_work=False)
        runner.execute(self.db, self.store, run_id, Vocabulary(), self.clock.now)
        with self.db.read() as session:
            return queries.run(session, self.official, run_id)

    def all(self, model: type) -> list[Any]:
        with self.db.read() as session:
            return list(session.execute(sa.select(t(model)).order_by(t(model).c.id)))

    def export(self, form: FileForm) -> bytes:
        with self.db.read() as session:
            ids = exporting.ids(session, self.official, Kind.CONTRACTS, exporting.Filters())
            rows = exporting.rows(session, Kind.CONTRACTS, ids)
            return b"".join(writers.write(Kind.CONTRACTS, form, rows, lambda field: field.name, "x"))


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


def row(number: int | None = 1, **more: Any) -> dict[str, Any]:
    """A row as a register elsewhere might give it; None leaves its number out."""
    made = {
        "registration_number": "" if number is None else f"2026330100{number:06d}",
        "title": "水力模型技术开发", "contract_kind": "development", "subkind": "commissioned_development",
        "seller_name": "某大学", "seller_region": "330106", "buyer_code": CODE, "buyer_name": "泵业公司",
        "deal": "60万", "technology": "550000", "deductions": [{"item": "样机", "fen": "50000"}],
        "technical_field": "advanced_manufacturing", "industry": "pumps", "signed_on": "2026-02-02",
        "registered_on": "2026-02-20",
    }  # fmt: skip
    return made | more


def counts(run: RunView) -> tuple[int, int, int, int]:
    return run.created, run.updated, run.unchanged, run.bad


def test_a_file_of_contracts_enters_the_register_with_all_that_a_verb_leaves(world: World) -> None:
    run = world.run(
        [row(1), row(2, buyer_code="", buyer_region="331081", source="declared")], source="provincial office"
    )
    assert counts(run) == (2, 0, 0, 0)
    first, second = world.all(Contract)
    assert (first.state, first.deal_fen, first.technology_fen) == ("registered", 60_000_000, 55_000_000)
    assert (first.buyer_id, first.buyer_region, first.seller_id) == (1, "331081", None)
    assert (first.source, second.source, second.buyer_id) == ("imported", "declared", None)
    assert [one.local_number for one in (first, second)] == ["WL-2026-000001", "WL-2026-000002"]
    assert [(one.step, one.reason) for one in world.all(ContractEvent)] == [
        ("register", ""), ("enter", "provincial office"),
    ] * 2  # fmt: skip
    moved = world.all(Movement)
    assert [(one.contract_id, one.contracts, one.deal_fen) for one in moved] == [
        (first.id, 1, 60_000_000), (second.id, 1, 60_000_000),
    ]  # fmt: skip
    entered = [one for one in world.all(AuditRecord) if one.action == "contract.entered"]
    assert [(one.subject_id, one.after["registration_number"]) for one in entered] == [
        (first.id, "2026330100000001"), (second.id, "2026330100000002"),
    ]  # fmt: skip


def test_in_bulk_and_one_by_one_leave_the_same(world: World) -> None:
    from market.deals.entering import RegisteredInput
    from market.deals.inputs import ContractInput

    world.run([row(1)])
    stated = {
        "title": "水力模型技术开发", "kind": "development", "subkind": "commissioned_development",
        "seller_name": "某大学", "seller_region": "330106", "buyer_id": 1, "deal_fen": 60_000_000,
        "technology_fen": 55_000_000, "deductions": [{"item": "样机", "fen": 5_000_000}],
        "technical_field": "advanced_manufacturing", "industry_code": "pumps", "signed_on": "2026-02-02",
    }  # fmt: skip
    with world.db.write() as session:
        deals.enter_registered(
            session, world.official, NOW, ContractInput.model_validate(stated),
            registered_on=dt.date(2026, 2, 20), registration_number="2026330100000002",
        )  # fmt: skip
    assert set(ContractInput.model_fields) < set(RegisteredInput.model_fields)
    own = {"id", "local_number", "registration_number", "contract_id", "recorded_at", "subject_id"}
    for model, each in ((Contract, 1), (ContractEvent, 2), (Movement, 1)):
        rows = [{k: v for k, v in one._asdict().items() if k not in own} for one in world.all(model)]
        assert rows[:each] == rows[each:], model
    bulk, single = (one for one in world.all(AuditRecord) if one.action == "contract.entered")
    assert bulk.after | {"local_number": "", "registration_number": ""} == single.after | {
        "local_number": "", "registration_number": "",
    }  # fmt: skip


def test_every_bad_row_is_told_and_nothing_is_taken_unless_asked(world: World) -> None:
    rows = [
        row(1),
        row(2, registered_on="2026-02-01"),
        row(3, deductions=[]),
        row(4, registration_number="12"),
        row(5, seller_code="91330100799655058C"),
        row(1, title="again"),
        row(6, subkind="training"),
        row(7, contract_kind="gift"),
        row(8, source="lot"),
        row(9, registered_on="2036-01-01"),
        row(10, signed_on=""),
    ]
    run = world.run(rows)
    assert run.state is RunState.REFUSED
    assert [(one["line"], one["field"], one["code"]) for one in run.problems] == [
        (2, "registered_on", "day_order"),
        (3, "deductions", "deductions_sum"),
        (4, "registration_number", "registration_number_format"),
        (5, "seller_code", "credit_code_check_digit"),
        (6, "registration_number", "repeated_row"),
        (7, "subkind", "subkind_of_other_kind"),
        (8, "contract_kind", "unknown_choice"),
        (9, "source", "unknown_choice"),
        (10, "registered_on", "signed_in_future"),
        (11, "signed_on", "missing"),
    ]
    assert world.all(Contract) == []
    assert counts(world.run(rows, partial=True)) == (1, 0, 0, 10)
    assert len(world.all(Contract)) == 1


def test_a_bad_value_is_repeated_as_it_was_written(world: World) -> None:
    run = world.run(
        [row(1, deal="-5"), row(2, seller_region="杭州市"), row(3, technology="90万"), row(4, deal="壹佰万")]
    )
    assert [(one["line"], one["field"], one["code"], one["value"]) for one in run.problems] == [
        (1, "deal", "greater_than_equal", "-5"),
        (2, "seller_region", "region_code", "杭州市"),
        (3, "technology", "technology_exceeds_deal", "900000.00"),
        (4, "deal", "amount", "壹佰万"),
    ]


def test_again_finds_everything_unchanged_with_and_without_numbers(world: World) -> None:
    rows = [row(1), row(None), row(None, title="另一项")]
    assert counts(world.run(rows, dry_run=True)) == (3, 0, 0, 0)
    assert world.all(Contract) == []
    assert counts(world.run(rows)) == (3, 0, 0, 0)
    assert counts(world.run(rows)) == (0, 0, 3, 0)
    assert len(world.all(Contract)) == 3
    assert counts(world.run([row(None), row(None)])) == (0, 0, 1, 1)


def test_what_is_registered_is_not_edited_by_a_file(world: World) -> None:
    world.run([row(1)])
    run = world.run([row(1, deal="61万", technology="560000", buyer_name="泵业公司")], partial=True)
    assert [(one["field"], one["code"], one["value"]) for one in run.problems] == [
        ("deal", "differs_from_register", "610000.00"), ("technology", "differs_from_register", "560000.00"),
    ]  # fmt: skip
    assert world.all(Contract)[0].deal_fen == 60_000_000


@pytest.mark.parametrize("form", list(FileForm))
def test_an_export_holds_everything_and_imports_as_unchanged(world: World, form: FileForm) -> None:
    world.run(
        [
            row(1),
            row(
                2, price_form="entry_royalty", entry_fee="100000", royalty_base="sales", royalty="3.5",
                ips=[{"kind": "invention", "number": "200710308494.X"}], pricing_mode="negotiated",
                trade_secret="1", effective_on="2026-03-03", ends_on="2027-03-03", related_party="1",
            ),
            row(
                3, price_form="instalments", deal="", technology="", deductions="", currency="USD",
                foreign_amount="100.50", exchange_rate="7", rate_on="2026-03-01",
                instalments=[{"due_on": "2026-05-01", "fen": "703.50", "condition": "验收|合格"}],
            ),
            row(None, seller_region="000000", seller_country="DEU", seller_nature="400", buyer_town="泽国镇"),
        ]
    )  # fmt: skip
    file = world.export(form)
    if form is FileForm.JSONL:
        held = [json.loads(line) for line in file.splitlines()]
        assert (held[1]["royalty"], held[1]["entry_fee"], held[2]["deal"]) == ("3.5", "100000.00", "703.50")
        assert held[2]["instalments"][0] == {
            "due_on": "2026-05-01",
            "fen": "703.50",
            "condition": "验收|合格",
        }
    if form is FileForm.XLSX:
        assert openpyxl.load_workbook(io.BytesIO(file)).worksheets[0].max_row == 5
    again = world.run(file, f"a.{form.value}")
    assert (again.problems, counts(again)) == ([], (0, 0, 4, 0))


def test_officials_export_all_parties_their_own_and_only_officials_import(world: World) -> None:
    world.run([row(1), row(2, buyer_code="", buyer_name="别家公司", buyer_region="331081")])
    with world.db.read() as session:
        assert exporting.ids(session, world.official, Kind.CONTRACTS, exporting.Filters()) == [1, 2]
        assert exporting.ids(session, world.party, Kind.CONTRACTS, exporting.Filters()) == [1]
        assert exporting.ids(session, world.official, Kind.CONTRACTS, exporting.Filters("revoked")) == []
    with pytest.raises(NotAllowed):
        importing.reach(world.party, Kind.CONTRACTS)
    assert importing.reach(world.official, Kind.CONTRACTS) is None
    with pytest.raises(NotAllowed):
        importing.reach(world.official, Kind.RESULTS)
    assert importing.reach(COMMAND_LINE, Kind.CONTRACTS) is None


def test_two_imports_at_once_enter_a_contract_without_a_number_once(world: World) -> None:
    content = "\n".join(json.dumps(one) for one in (row(None), row(None, title="另一项"))).encode()
    runs = []
    for name in ("one.jsonl", "other.jsonl"):
        with world.db.write() as session:
            sha256 = world.store.put(content)
            run_id = service.create_run(
                session, world.official, NOW, Kind.CONTRACTS, name, sha256, len(content)
            )
            service.queue_run(
                session, world.official, NOW, run_id, service.RunOptions(), dry_run=False, as_work=False
            )
            runs.append(run_id)
    planned = threading.Barrier(2)

    def execute(run_id: int) -> None:
        def watch(phase: str, _done: int, _total: int) -> None:
            if phase == "checking":
                planned.wait(60)

        runner.execute(world.db, world.store, run_id, Vocabulary(), world.clock.now, watch=watch)

    threads = [threading.Thread(target=execute, args=(run_id,)) for run_id in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    with world.db.read() as session:
        views = [queries.run(session, world.official, run_id) for run_id in runs]
    assert {view.state for view in views} == {RunState.DONE, RunState.FAILED}
    (failed,) = (view for view in views if view.state is RunState.FAILED)
    assert [problem["code"] for problem in failed.problems] == ["conflict"]
    assert len(world.all(Contract)) == 2
    assert counts(world.run(content)) == (0, 0, 2, 0)


def test_what_an_import_brings_is_left_to_be_looked_at(world: World) -> None:
    world.run([row(1), row(2)])
    ids = [one.id for one in world.all(Contract)]
    left = [one for one in world.all(WorkItem) if one.kind == ENTERED]
    assert [one.payload for one in left] == [{"contract_ids": ids}]
    world.run([row(1), row(2)])
    assert len([one for one in world.all(WorkItem) if one.kind == ENTERED]) == 1


def test_a_long_file_locks_the_register_s_clock_last_and_leaves_no_gap(world: World) -> None:
    rows = [
        row(n, signed_on=f"{2025 + n % 2}-02-02", registered_on=f"{2025 + n % 2}-02-20")
        for n in range(1, 621)
    ]
    assert counts(world.run(rows)) == (620, 0, 0, 0)
    made = world.all(Contract)
    for year in (2025, 2026):
        numbers = [one.local_number for one in made if one.registered_on.year == year]
        assert numbers == [f"WL-{year}-{number:06d}" for number in range(1, 311)]
    moved = world.all(Movement)
    assert [one.contract_id for one in moved] == [one.id for one in made]
    assert len({one.recorded_at for one in moved}) == 1
    told = [one.payload["contract_ids"] for one in world.all(WorkItem) if one.kind == recording.ENTERED]
    assert sorted(told) == [[one.id for one in made[:500]], [one.id for one in made[500:]]]


def test_the_clock_stands_while_contracts_are_written(world: World) -> None:
    world.run([row(1)])
    (first,) = world.all(Contract)
    settled = {name: value for name, value in first._asdict().items() if name not in ("id", "local_number")}
    seen: list[tuple[int, dt.datetime]] = []
    with world.db.write() as session:
        before = movements.latest(session)
        entering.enter(
            session, COMMAND_LINE, NOW, [settled | {"registration_number": None}] * 1_001,
            progress=lambda count: seen.append((count, movements.latest(session))),
        )  # fmt: skip
        assert seen == [(500, before), (1_000, before), (1_001, before)]
        assert movements.latest(session) > before


def test_a_number_taken_meanwhile_is_a_conflict(world: World) -> None:
    world.run([row(1)])
    (first,) = world.all(Contract)
    again = {name: value for name, value in first._asdict().items() if name not in ("id", "local_number")}
    with pytest.raises(Conflict), world.db.write() as session:
        contracts.apply(session, COMMAND_LINE, NOW, [(1, again)], importing.Options())
    assert len(world.all(Contract)) == 1
