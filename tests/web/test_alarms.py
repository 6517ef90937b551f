"""What the auction rooms ring for reaches people: record, pages, mail; and their word reaches the clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from market import alarms
from market.audit import AuditRecord
from market.clock import FixedClock
from market.db import Database, t
from market.permissions import Actor, Role
from market.work import WorkItem
from tests.conftest import NOW
from tests.market.parties import Parties
from web import i18n, mailing, wiring
from web.alarms import AlarmBook
from web.app import create_app
from web.mail import MemoryMailer
from web.settings import Environment, Settings, WorkerMode
from web.wiring import Parts

HOUR = dt.timedelta(hours=1)
SignIn = Callable[[TestClient, Actor], TestClient]


class Machine:
    """A clock that can be set, beside seconds that pass all the same."""

    def __init__(self) -> None:
        self.clock, self.tick = FixedClock(NOW), 0.0

    def passes(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        self.tick += seconds

    def jumps(self, by: dt.timedelta) -> None:
        self.clock.at += by


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def parts(database: Database, tmp_path: Path, machine: Machine) -> Iterator[Parts]:
    settings = Settings(
        environment=Environment.TEST,
        data_dir=tmp_path / "data",
        database_url=database.url.render_as_string(hide_password=False),  # type: ignore[arg-type]
        base_url="http://testserver",
        worker=WorkerMode.SEPARATE,
    )
    joined = wiring.build(
        settings, clock=machine.clock, monotonic=lambda: machine.tick, db=database, mailer=MemoryMailer()
    )
    yield joined
    joined.index.close()


@pytest.fixture
def client(parts: Parts) -> TestClient:
    return TestClient(create_app(parts), headers={"accept-language": "en"}, follow_redirects=False)


def person(parts: Parts, role: Role) -> Actor:
    with parts.db.write() as session:
        parties = Parties(session, parts.clock.now())
        return parties.actor(parties.person((parties.organisation(), role)))


def look(parts: Parts) -> None:
    """What the writer or the timekeeper does, then what the book's thread does."""
    parts.writer.watch_clock()
    parts.alarms.look()


def codes(parts: Parts) -> list[tuple[str, int]]:
    with parts.db.read() as session:
        return [(alarm.code, alarm.count) for alarm in alarms.recent(session)[0]][::-1]


def mails(parts: Parts) -> list[str]:
    c = t(WorkItem).c
    with parts.db.read() as session:
        rows = session.execute(sa.select(c.payload).where(c.kind == "mail.send").order_by(c.id)).scalars()
        return [row["params"]["code"] for row in rows if row["template"] == "alarm"]


def test_a_clock_that_jumps_is_told_to_staff_and_trusted_by_them(
    parts: Parts, client: TestClient, machine: Machine, sign_in: SignIn
) -> None:
    staff = person(parts, Role.STAFF)
    person(parts, Role.BIDDER)
    look(parts)
    sign_in(client, staff)
    assert "All clocks are trusted" in client.get("/admin/alarms").text
    assert "not being closed" not in client.get("/lots").text
    machine.jumps(HOUR)
    machine.passes(5)
    look(parts)
    assert codes(parts) == [("clock_jumped", 1)]
    assert mails(parts) == ["clock_jumped"]
    page = client.get("/admin/alarms").text
    assert "Lots are not being closed" in page
    assert "+3600.000" in page
    assert "it serves this page" in page
    for path in ("/lots", "/workbench"):
        assert "a clock is not trusted" in client.get(path).text
    assert "a clock is not trusted" not in TestClient(client.app).get("/lots").text
    answer = client.post(
        "/admin/alarms/trust",
        data={"process": parts.alarms.process},
        headers={"sec-fetch-site": "same-origin"},
    )
    assert answer.status_code == 303
    look(parts)
    assert not parts.writer.closings_paused
    assert [code for code, _ in codes(parts)] == ["clock_jumped", "clock_accepted", "clock_trusted"]
    assert parts.clock.now() == machine.clock.at
    assert "a clock is not trusted" not in client.get("/lots").text
    with parts.db.read() as session:
        row = session.execute(
            sa.select(AuditRecord.__table__).where(t(AuditRecord).c.action == "clock.accepted")  # type: ignore[attr-defined]
        ).one()
    assert row.actor_id == staff.person_id
    assert row.after["process"] == parts.alarms.process
    assert "Clock accepted as right" in client.get("/admin/audit").text


def test_the_word_reaches_another_process(
    parts: Parts, client: TestClient, machine: Machine, sign_in: SignIn
) -> None:
    trusted = [True]

    def trust() -> None:
        trusted[0] = True

    other = AlarmBook(parts.db, machine.clock, lambda: trusted[0], trust)
    look(parts)
    other.look()
    trusted[0] = False
    other.ring("clock_apart", {"offset_s": -2.5})
    other.look()
    look(parts)
    assert parts.alarms.closings_paused
    sign_in(client, person(parts, Role.ADMINISTRATOR))
    page = client.get("/admin/alarms").text
    assert other.process in page
    assert "-2.500" in page
    same = {"sec-fetch-site": "same-origin"}
    assert client.post("/admin/alarms/trust", data={"process": "nobody:1"}, headers=same).status_code == 404
    assert (
        client.post("/admin/alarms/trust", data={"process": other.process}, headers=same).status_code == 303
    )
    assert not trusted[0]
    other.look()
    assert trusted[0]
    other.ring("clock_trusted", {})
    other.look()
    look(parts)
    assert not parts.alarms.closings_paused
    # The word was for that time only.
    trusted[0] = False
    other.look()
    other.look()
    assert not trusted[0]


def test_a_paused_process_repeats_itself_and_a_dead_one_is_forgotten(parts: Parts, machine: Machine) -> None:
    person(parts, Role.STAFF)
    look(parts)
    machine.jumps(-HOUR)
    look(parts)
    for _ in range(12):
        machine.passes(60)
        look(parts)
    assert [code for code, _ in codes(parts)] == ["clock_jumped", *["closings_paused"] * 3]
    assert mails(parts) == ["clock_jumped", "closings_paused"]
    machine.passes(601)
    with parts.db.read() as session:
        assert alarms.paused(session, parts.clock.now()) == []
    parts.alarms.stop()
    assert codes(parts)[-1] == ("stopped", 1)


def test_many_alike_are_one_row_and_one_mail(parts: Parts, machine: Machine) -> None:
    person(parts, Role.STAFF)
    for _ in range(1000):
        parts.alarms.ring("command_failed", {"command": "PlaceBid", "lot_id": 1, "error": "x"})
    look(parts)
    for _ in range(500):
        parts.alarms.ring("command_failed", {"command": "PlaceBid", "lot_id": 1, "error": "x"})
    look(parts)
    assert codes(parts) == [("command_failed", 1000)]
    machine.passes(61)
    look(parts)
    assert codes(parts) == [("command_failed", 1000), ("command_failed", 500)]
    assert mails(parts) == ["command_failed"]
    machine.passes(1800)
    parts.alarms.ring("command_failed", {})
    look(parts)
    assert mails(parts) == ["command_failed"] * 2


def test_what_rings_while_the_database_is_away_is_written_later(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.alarms.ring("database_unreachable", {"commands": 3, "error": "gone"})
    with monkeypatch.context() as patched:

        def away(*_: object) -> None:
            raise sa.exc.OperationalError("SELECT", {}, Exception("gone"))

        patched.setattr(alarms, "record", away)
        with pytest.raises(sa.exc.OperationalError):
            parts.alarms.look()
    assert codes(parts) == []
    parts.alarms.look()
    assert codes(parts) == [("database_unreachable", 1)]


def test_only_people_on_duty_see_and_decide(parts: Parts, client: TestClient, sign_in: SignIn) -> None:
    same = {"sec-fetch-site": "same-origin"}
    for role in (Role.BIDDER, Role.OFFICIAL, Role.BROKER):
        sign_in(client, person(parts, role))
        assert client.get("/admin/alarms").status_code == 403
        answer = client.post("/admin/alarms/trust", data={"process": parts.alarms.process}, headers=same)
        assert answer.status_code == 403
    client.cookies.clear()
    assert client.get("/admin/alarms").status_code in (303, 401)


def test_health_tells_of_the_clock_and_goes_on_serving(
    parts: Parts, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auctions.reads.database_time", lambda _session: None)
    with TestClient(create_app(parts)) as running:
        assert running.get("/health").json() == {"ok": True, "wrong": [], "warnings": []}
        machine.jumps(HOUR)
        machine.passes(1)
        parts.clock.now()
        answer = running.get("/health")
    assert answer.status_code == 200
    assert answer.json()["warnings"] == ["clock"]


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_every_alarm_has_its_words_and_its_mail(parts: Parts, language: str) -> None:
    rung = {
        "clock_jumped", "clock_apart", "clock_trusted", "clock_behind_journal", "command_failed",
        "commit_unknown", "database_unreachable", *alarms.PAUSING, *alarms.RESUMING, alarms.ACCEPTED,
    }  # fmt: skip
    for code in rung:
        words = i18n.term(f"alarm.{code}", language)
        params = {"code": code, "detail": {"offset_s": 3600.0}, "process": "host:1"}
        mail = mailing.compose(parts, "a@example.org", "alarm", language, params)
        assert words in mail.subject
        assert "/admin/alarms" in mail.body
