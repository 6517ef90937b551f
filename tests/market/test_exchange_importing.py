"""Imports from plan to rows, on both databases: all or nothing, again without duplicates, rights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from market.clock import FixedClock
from market.db import Database, t
from market.demands.models import Demand, DemandTarget
from market.dirty import read_marks
from market.errors import NotAllowed, NotFound, SignInRequired
from market.exchange import exporting, importing, queries, runner, service, writers
from market.exchange.fields import Kind
from market.exchange.mapping import ColumnMapping, Vocabulary
from market.exchange.models import RunState
from market.exchange.queries import RunView
from market.exchange.readers import FileForm
from market.files.store import DiskStore
from market.listings.models import ListingVersion, Result, ResultIp
from market.parties.models import MembershipRow, Organisation, Person
from market.permissions import COMMAND_LINE, VISITOR, Actor, Membership, Role, Via
from market.taxonomy.models import Industry
from tests.conftest import NOW

CODE, OTHER = "91330100799655058B", "91310000MA1FL3LL52"


class World:
    """A market with two organisations and two industries."""

    def __init__(self, db: Database, folder: Path) -> None:
        self.db, self.store, self.clock = db, DiskStore(folder / "files"), FixedClock(NOW)
        with db.write() as session:
            for code, name in ((CODE, "甲大学"), (OTHER, "乙公司")):
                session.add(
                    Organisation(
                        name=name, kind="university", credit_code=code, region_code="331081",
                        state="verified", created_at=NOW, updated_at=NOW,
                    )
                )  # fmt: skip
            for industry in ("pumps", "other"):
                session.add(Industry(code=industry, name=industry, updated_at=NOW))
            session.add(
                Person(
                    name="Officer", email="o@example.com", password_hash="-", created_at=NOW, updated_at=NOW
                )
            )
            session.flush()
            session.add(
                MembershipRow(person_id=1, organisation_id=1, role=Role.RESULTS_OFFICER.value, created_at=NOW)
            )
        self.officer = Actor(
            1, "Officer", Via.SESSION, (Membership(1, "甲大学", Role.RESULTS_OFFICER, True),)
        )

    def run(
        self,
        rows: list[dict[str, Any]] | bytes,
        kind: Kind = Kind.RESULTS,
        *,
        actor: Actor = COMMAND_LINE,
        dry_run: bool = False,
        mapping: dict[str, Any] | None = None,
        **options: Any,
    ) -> RunView:
        content = rows if isinstance(rows, bytes) else "\n".join(json.dumps(row) for row in rows).encode()
        read = ColumnMapping.model_validate(mapping or {})
        with self.db.write() as session:
            sha256 = self.store.put(content)
            run_id = service.create_run(session, actor, NOW, kind, "rows.jsonl", sha256, len(content))
            chosen = service.RunOptions(mapping=read, **options)
            service.queue_run(session, actor, NOW, run_id, chosen, dry_run=dry_run, as_work=False)
        runner.execute(self.db, self.store, run_id, Vocabulary(), self.clock.now)
        with self.db.read() as session:
            return queries.run(session, actor, run_id)

    def count(self, model: type) -> int:
        with self.db.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(t(model))) or 0

    def all(self, model: type) -> list[Any]:
        with self.db.read() as session:
            return list(session.execute(sa.select(t(model)).order_by(t(model).c.id)))


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


def row(number: int = 1, **more: Any) -> dict[str, Any]:
    base = {"source_id": str(number), "organisation": CODE, "title": f"成果 {number}", "industry": "pumps"}
    return base | {"abstract": "简介"} | more


def counts(run: RunView) -> tuple[int, int, int, int]:
    return run.created, run.updated, run.unchanged, run.bad


def test_a_dry_run_writes_nothing(world: World) -> None:
    done = world.run([row(1), row(2)], dry_run=True)
    assert (done.state, counts(done)) == (RunState.DONE, (2, 0, 0, 0))
    assert world.count(Result) == 0


def test_again_finds_everything_unchanged(world: World) -> None:
    right = {"kind": "invention", "number": "ZL200710308494.X", "status": "granted"}
    rows = [row(1, ips=[right], keywords=["泵", "泵"], price_low="35万"), row(2)]
    assert counts(world.run(rows, publish=True)) == (2, 0, 0, 0)
    assert counts(world.run(rows, publish=True)) == (0, 0, 2, 0)
    stored = world.all(Result)
    assert [(one.state, one.version) for one in stored] == [("published", 1)] * 2
    assert stored[0].price_low_fen == 35_000_000
    assert stored[0].keywords == ["泵"]
    assert world.all(ResultIp)[0].number == "200710308494.X"
    assert world.count(ListingVersion) == 0
    with world.db.read() as session:
        assert {mark.row_id for mark in read_marks(session)} == {1, 2}


def test_a_change_updates_and_keeps_what_the_file_does_not_say(world: World) -> None:
    world.run([row(1, advantages="省电")])
    done = world.run([{"source_id": "1", "organisation": CODE, "title": "新名称", "industry": "other"}])
    assert counts(done) == (0, 1, 0, 0)
    stored = world.all(Result)[0]
    assert (stored.title, stored.industry_code, stored.advantages) == ("新名称", "other", "省电")
    assert stored.version == 2
    assert world.all(ListingVersion)[0].content["title"] == "成果 1"


def test_an_empty_cell_of_a_mapped_column_empties_the_field(world: World) -> None:
    world.run([row(1, advantages="省电")])
    assert counts(world.run([row(1, advantages="")])) == (0, 1, 0, 0)
    assert world.all(Result)[0].advantages == ""


def test_one_bad_row_stops_all_unless_partial(world: World) -> None:
    rows = [
        row(1),
        row(2, title=""),
        row(3, ips=[{"kind": "invention", "number": "200710308494.1"}]),
        row(4, industry="nowhere", trl="12"),
        row(1),
    ]
    done = world.run(rows)
    assert done.state is RunState.REFUSED
    assert world.count(Result) == 0
    told = [(one["line"], one["field"], one["code"]) for one in done.problems]
    assert told == [
        (2, "title", "missing"),
        (3, "ips.0.number", "patent_number_check_digit"),
        (4, "industry", "unknown_industry"),
        (5, "source_id", "repeated_row"),
    ]
    assert done.problems[1]["params"] == {"expected": "X"}
    long = world.run([row(9, keywords=["x" * 41])], dry_run=True).problems[0]
    assert (long["field"], long["code"]) == ("keywords.0", "string_too_long")
    assert done.bad == 4
    done = world.run(rows, partial=True)
    assert (done.state, counts(done)) == (RunState.DONE, (1, 0, 0, 4))
    assert world.count(Result) == 1


def test_constants_fill_what_the_source_lacks(world: World) -> None:
    mapping = {
        "source": "list",
        "fields": {
            "title": "name", "abstract": "text", "holder": "owner", "source_id": "nr",
            "industry": {"constant": "other"}, "organisation": {"constant": "甲大学"},
        },
    }  # fmt: skip
    done = world.run([{"nr": 5, "name": "x", "text": "y", "owner": "某厂"}], mapping=mapping, publish=True)
    assert counts(done) == (1, 0, 0, 0)
    stored = world.all(Result)[0]
    assert (stored.source, stored.source_id, stored.holder, stored.trl) == ("list", "5", "某厂", None)


def test_rows_without_an_id_are_known_by_organisation_and_title(world: World) -> None:
    one = {name: value for name, value in row(1).items() if name != "source_id"}
    assert counts(world.run([one])) == (1, 0, 0, 0)
    assert counts(world.run([one | {"abstract": "neu"}])) == (0, 1, 0, 0)
    assert counts(world.run([one, one], dry_run=True, partial=True)) == (0, 1, 0, 1)
    assert world.count(Result) == 1


def test_publishing_asks_for_what_the_rules_ask(world: World) -> None:
    done = world.run([row(1, abstract="")], publish=True)
    assert [(one["field"], one["code"]) for one in done.problems] == [("abstract", "missing")]
    assert counts(world.run([row(1, abstract="")])) == (1, 0, 0, 0)
    done = world.run([row(1)], publish=True)
    assert counts(done) == (0, 1, 0, 0)
    assert world.all(Result)[0].state == "published"


def test_an_officer_imports_only_for_their_organisation(world: World) -> None:
    done = world.run([row(1), row(2, organisation=OTHER)], actor=world.officer)
    assert [(one["line"], one["code"]) for one in done.problems] == [(2, "unknown_organisation")]
    assert counts(world.run([row(1)], actor=world.officer)) == (1, 0, 0, 0)
    with world.db.write() as session:
        with pytest.raises(NotAllowed):
            importing.reach(world.officer, Kind.ORGANISATIONS)
        with pytest.raises(NotAllowed):
            importing.reach(world.officer, Kind.DEMANDS)
        with pytest.raises(SignInRequired):
            importing.reach(VISITOR, Kind.RESULTS)
        stranger = Actor(99, "X", Via.SESSION, (Membership(2, "乙", Role.RESULTS_OFFICER, True),))
        with pytest.raises(NotFound):
            queries.run(session, stranger, 1)


def test_another_organisations_row_is_not_taken_over(world: World) -> None:
    world.run([row(1, organisation=OTHER)])
    done = world.run([row(1)], actor=world.officer)
    assert [one["code"] for one in done.problems] == ["other_organisation"]


def test_demands_with_targets(world: World) -> None:
    target = {"name": "流量", "threshold": 25, "unit": "m³/h"}
    demand = row(1, difficulty="难", targets=[target], budget_high="60万", deadline="2027-06-30")
    del demand["abstract"]
    assert counts(world.run([demand], Kind.DEMANDS, publish=True)) == (1, 0, 0, 0)
    assert counts(world.run([demand], Kind.DEMANDS, publish=True)) == (0, 0, 1, 0)
    assert world.all(DemandTarget)[0].threshold == "25"
    assert counts(world.run([demand | {"research": "试验"}], Kind.DEMANDS)) == (0, 1, 0, 0)
    assert world.all(Demand)[0].research == "试验"
    assert world.count(DemandTarget) == 1


def test_organisations_by_credit_code(world: World) -> None:
    new = {"credit_code": "9133 0000 1429 2071 8C", "name": "丙公司", "kind": "firm", "region_code": "331081"}
    assert counts(world.run([new], Kind.ORGANISATIONS)) == (1, 0, 0, 0)
    assert world.all(Organisation)[2].state == "pending"
    assert counts(world.run([new | {"town": "泽国镇"}], Kind.ORGANISATIONS, publish=True)) == (0, 1, 0, 0)
    assert (world.all(Organisation)[2].state, world.all(Organisation)[2].town) == ("verified", "泽国镇")
    bad = world.run([new | {"credit_code": "91330000142920718D"}], Kind.ORGANISATIONS)
    assert bad.problems[0]["code"] == "credit_code_check_digit"


@pytest.mark.parametrize("form", list(FileForm))
@pytest.mark.parametrize("kind", [Kind.RESULTS, Kind.DEMANDS, Kind.ORGANISATIONS])
def test_an_export_imports_as_unchanged(world: World, kind: Kind, form: FileForm) -> None:
    world.run([row(1, ips=[{"kind": "know_how", "title": "-x|y"}], keywords=["a、b"]), row(2)])
    demand = {name: value for name, value in row(1).items() if name != "abstract"}
    world.run(
        [
            demand
            | {"targets": [{"name": "n", "comparator": "between", "threshold": "1", "threshold_high": "2"}]}
        ],
        Kind.DEMANDS,
    )
    with world.db.write() as session:
        session.execute(sa.update(t(Result)).values(source="", source_id=None).where(t(Result).c.id == 2))
    with world.db.read() as session:
        ids = exporting.ids(session, COMMAND_LINE, kind, exporting.Filters())
        rows = exporting.rows(session, kind, ids)
        content = b"".join(writers.write(kind, form, rows, lambda field: f"列 [{field.name}]", "表"))
    with world.db.write() as session:
        sha256 = world.store.put(content)
        run_id = service.create_run(session, COMMAND_LINE, NOW, kind, f"a.{form.value}", sha256, 1)
        service.queue_run(
            session, COMMAND_LINE, NOW, run_id, service.RunOptions(), dry_run=False, as_work=False
        )
    runner.execute(world.db, world.store, run_id, Vocabulary(), world.clock.now)
    with world.db.read() as session:
        done = queries.run(session, COMMAND_LINE, run_id)
    assert not done.problems
    assert (done.unchanged, done.created, done.updated) == (len(ids), 0, 0)


def test_an_export_reaches_as_far_as_its_asker(world: World) -> None:
    world.run([row(1), row(2, organisation=OTHER)])
    with world.db.read() as session:
        assert exporting.ids(session, world.officer, Kind.RESULTS, exporting.Filters()) == [1]
        assert exporting.ids(session, COMMAND_LINE, Kind.RESULTS, exporting.Filters("published")) == []
        assert exporting.ids(session, COMMAND_LINE, Kind.RESULTS, exporting.Filters(industry="pumps")) == [
            1,
            2,
        ]
        with pytest.raises(SignInRequired):
            exporting.ids(session, VISITOR, Kind.RESULTS, exporting.Filters())


def test_a_broken_file_fails_and_says_why(world: World) -> None:
    content = b'{"a": 1}'
    done = world.run(content, mapping={"fields": {"title": {"column": "a"}}})
    assert done.state is RunState.REFUSED
    with world.db.write() as session:
        sha256 = world.store.put(b"PK\x03\x04")
        run_id = service.create_run(session, COMMAND_LINE, NOW, Kind.RESULTS, "a.xlsx", sha256, 4)
        service.queue_run(session, COMMAND_LINE, NOW, run_id, service.RunOptions(), dry_run=False)
    runner.execute(world.db, world.store, run_id, Vocabulary(), world.clock.now)
    with world.db.read() as session:
        done = queries.run(session, COMMAND_LINE, run_id)
    assert (done.state, done.problems[0]["code"]) == (RunState.FAILED, "file_xlsx")


def test_mappings_are_saved_by_name_and_kept_from_others(world: World) -> None:
    mapping = ColumnMapping.model_validate({"fields": {"title": "t"}})
    with world.db.write() as session:
        number = service.save_mapping(session, world.officer, NOW, Kind.RESULTS, "ours", mapping)
        assert service.save_mapping(session, world.officer, NOW, Kind.RESULTS, "ours", mapping) == number
        stranger = Actor(99, "X", Via.SESSION, (Membership(2, "乙", Role.RESULTS_OFFICER, True),))
        assert queries.mappings(session, stranger, Kind.RESULTS) == []
        with pytest.raises(NotFound):
            service.delete_mapping(session, stranger, NOW, number)
        assert queries.mapping(session, world.officer, Kind.RESULTS, number).content == {
            "fields": {"title": {"column": "t"}}
        }
        service.delete_mapping(session, world.officer, NOW, number)
        assert queries.mappings(session, world.officer, Kind.RESULTS) == []


def test_text_that_cannot_be_stored_is_a_bad_row(world: World) -> None:
    rows = [row(1, title="a\x00b"), row("\ud800"), row(3, source="\x00"), row(4, claims=[{"\x00": "x"}])]  # type: ignore[arg-type]
    done = world.run(rows, partial=True)
    assert [(one["line"], one["code"]) for one in done.problems] == [
        (1, "control_character"), (2, "control_character"), (3, "control_character"), (4, "extra_forbidden"),
    ]  # fmt: skip


def test_a_result_that_was_merged_is_not_changed_behind_the_other_one(world: World) -> None:
    assert counts(world.run([row(1), row(2)], publish=True)) == (2, 0, 0, 0)
    with world.db.write() as session:
        session.execute(
            sa.update(t(Result)).where(t(Result).c.id == 2).values(merged_into_id=1, state="withdrawn")
        )
    done = world.run([row(1), row(2, title="成果 2 改名")])
    assert [(one["code"], one["params"]) for one in done.problems] == [("merged", {"into": 1})]
    assert world.all(Result)[1].title == "成果 2"
    assert counts(world.run([row(1), row(2)])) == (0, 0, 2, 0)
