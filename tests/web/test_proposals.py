"""The brokers' queue by page, the sweep that fills it, the reminders, on both databases."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from market.clock import FixedClock, local_date
from market.db import t
from market.deals.models import Contract
from market.demands.models import Demand
from market.dirty import mark_dirty
from market.enquiries.models import Enquiry
from market.listings.models import Result
from market.permissions import Actor, Role
from market.work import run_one
from matching.indexer import drain, reindex
from matching.models import Judgment, Proposal, ProposalEvent
from tests.auctions.rows import NOW, Rows
from web import proposal_work, wiring
from web.mail import MemoryMailer
from web.proposal_work import Sweeper
from web.worker import handlers

SignIn = Callable[[TestClient, Actor], TestClient]
DAY = dt.timedelta(days=1)
WANTED = "求低噪声自吸泵叶轮防堵塞技术"
OFFERED = ("低噪声自吸泵防堵塞叶轮", "自吸泵叶轮防堵塞结构及低噪声设计", "热处理炉温度均匀性控制方法")
TEXTS = (
    "提出一种自吸泵叶轮，流道加宽，含纤维杂质的污水不堵塞，噪声降低六分贝，适用于排污自吸泵。",
    "自吸泵叶轮采用双流道防堵塞结构，输送含杂质污水时噪声低，效率高。",
    "热处理炉分区控温，炉温均匀性达到正负三摄氏度。",
)


class World:
    """A university with three results, a firm with a demand, two brokers, an indexed market."""

    def __init__(self, parts: wiring.Parts) -> None:
        self.parts = parts
        with parts.db.write() as session:
            rows = Rows(session)
            self.officer, self.staff = rows.officer, rows.staff
            self.broker = rows.actor(rows.market, Role.BROKER)
            self.colleague = rows.actor(rows.market, Role.BROKER)
            self.firm = rows.organisation("某泵业")
            self.owner = rows.actor(self.firm, Role.DEMAND_OWNER)
            self.university = rows.seller
            self.results = []
            for title, text in zip(OFFERED, TEXTS, strict=True):
                number = rows.result()
                values = {"title": title, "abstract": text, "trl": 6, "keywords": ["自吸泵"]}
                session.execute(sa.update(t(Result)).where(t(Result).c.id == number).values(**values))
                self.results.append(number)
            demand = Demand(
                organisation_id=self.firm, title=WANTED, difficulty="现有自吸泵叶轮输送含纤维杂质污水时堵塞，噪声大。",
                industry_code="pumps", state="published", created_by=self.owner.person_id,
                created_at=NOW, updated_at=NOW, published_at=NOW,
            )  # fmt: skip
            session.add(demand)
            session.flush()
            assert demand.id is not None
            self.demand = demand.id
        assert parts.index.acquire()
        reindex(parts.db, parts.index)
        self.sweep = Sweeper(parts)

    def pairs(self) -> dict[int, tuple[str, int, int]]:
        """Result → state, id and version of its pair."""
        c = t(Proposal).c
        with self.parts.db.read() as session:
            rows = session.execute(sa.select(c.result_id, c.state, c.id, c.version))
            return {row.result_id: (row.state, row.id, row.version) for row in rows}

    def first(self) -> tuple[str, int]:
        """The address and version of the best pair."""
        _state, number, version = self.pairs()[self.results[0]]
        return f"/proposals/{number}", version

    def judged(self) -> set[tuple[str, int, int | None]]:
        """Source, level and side of every word said of the first pair."""
        c = t(Judgment).c
        with self.parts.db.read() as session:
            rows = session.execute(
                sa.select(c.source, c.level, c.organisation_id).where(c.result_id == self.results[0])
            )
            return {(row.source, row.level, row.organisation_id) for row in rows}

    def work_off(self) -> MemoryMailer:
        while run_one(self.parts.db, handlers(self.parts), self.parts.clock.now):
            pass
        assert isinstance(self.parts.mailer, MemoryMailer)
        return self.parts.mailer


@pytest.fixture
def world(parts: wiring.Parts) -> World:
    return World(parts)


def test_the_sweep_fills_the_queue_and_changes_nothing_twice(world: World) -> None:
    world.sweep()
    assert {number: state for number, (state, _, _) in world.pairs().items()} == {
        world.results[0]: "suggested", world.results[1]: "suggested",
    }  # fmt: skip
    world.sweep()
    Sweeper(world.parts)()
    with world.parts.db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(t(ProposalEvent))) == 2


def test_the_sweep_waits_for_the_index(world: World) -> None:
    with world.parts.db.write() as session:
        mark_dirty(session, "result", world.results[0])
    world.sweep()
    assert world.pairs() == {}
    drain(world.parts.db, world.parts.index)
    world.sweep()
    assert len(world.pairs()) == 2


def test_an_edited_demand_is_looked_at_again_and_new_results_after_a_while(
    world: World, clock: FixedClock
) -> None:
    assert world.sweep.fill() == 1
    assert world.sweep.fill() == 0
    with world.parts.db.write() as session:
        session.execute(sa.update(t(Demand)).values(version=2))
    assert world.sweep.fill() == 1
    clock.advance(minutes=10)
    with world.parts.db.write() as session:
        session.execute(
            sa.update(t(Result)).where(t(Result).c.id == world.results[2]).values(updated_at=clock.now())
        )
    assert world.sweep.fill() == 0
    clock.advance(minutes=51)
    assert world.sweep.fill() == 1
    assert world.sweep.fill() == 0


def test_many_new_results_are_compared_at_once(
    world: World, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposal_work, "MANY", 3)
    assert world.sweep.fill() == 1
    clock.advance(seconds=5)
    with world.parts.db.write() as session:
        session.execute(sa.update(t(Result)).values(updated_at=clock.now()))
    assert world.sweep.fill() == 1


def test_a_demand_that_cannot_be_looked_at_does_not_keep_the_others_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.parts.db.write() as session:
        bad = Demand(
            organisation_id=world.firm, title="坏", difficulty="难", industry_code="pumps", state="published",
            created_at=NOW, updated_at=NOW, published_at=NOW + DAY,
        )  # fmt: skip
        session.add(bad)
        session.flush()
    look = proposal_work.partners

    def fails(parts: wiring.Parts, demand_id: int, *more: Any) -> Any:
        if demand_id == bad.id:
            raise RuntimeError("no luck")
        return look(parts, demand_id, *more)

    monkeypatch.setattr(proposal_work, "partners", fails)
    with pytest.raises(RuntimeError):
        world.sweep()
    with pytest.raises(RuntimeError):
        world.sweep()
    assert len(world.pairs()) == 2
    monkeypatch.setattr(proposal_work, "partners", look)
    assert world.sweep.fill() == 1
    assert world.sweep.fill() == 0


def test_one_organisation_is_not_brought_together_with_itself(world: World) -> None:
    with world.parts.db.write() as session:
        session.execute(sa.update(t(Result)).values(organisation_id=world.firm))
        mark_dirty(session, "result", *world.results)
    drain(world.parts.db, world.parts.index)
    world.sweep()
    assert world.pairs() == {}


def test_what_is_withdrawn_leaves_the_queue(world: World) -> None:
    world.sweep()
    with world.parts.db.write() as session:
        session.execute(sa.update(t(Result)).values(state="withdrawn"))
    world.sweep()
    assert {state for state, _, _ in world.pairs().values()} == {"lapsed"}


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_a_broker_works_through_the_queue(
    client: TestClient, world: World, sign_in: SignIn, language: str
) -> None:
    client.cookies.set("lang", language)
    world.sweep()
    assert client.get("/proposals").status_code == 303
    sign_in(client, world.owner)
    assert client.get("/proposals").status_code == 403
    sign_in(client, world.broker)
    page = client.get("/proposals?industry=pumps&whose=nobody").text
    assert WANTED in page
    assert "泵与电机" in page
    place, version = world.first()
    pair = client.get(f"{place}?whose=nobody")
    assert pair.status_code == 200, pair.text
    assert "<mark>" in pair.text
    assert f"{place}/accept?whose=nobody" in pair.text
    for text in (page, pair.text, client.get("/workbench").text):
        assert "proposal." not in text
        assert "workbench.prop" not in text
    taken = client.post(f"{place}/take?whose=nobody", data={"version": version})
    assert taken.headers["location"] == "/proposals?whose=nobody"
    assert WANTED in client.get("/proposals?whose=mine").text
    for state in ("snoozed", "accepted", "rejected", "lapsed", "nonsense"):
        assert client.get(f"/proposals?state={state}").status_code == 200


def test_from_a_pair_to_a_contract(
    client: TestClient, world: World, sign_in: SignIn, clock: FixedClock
) -> None:
    world.sweep()
    sign_in(client, world.broker)
    place, version = world.first()
    due = local_date(NOW) + 2 * DAY
    entered = {"version": version, "next_step": "约双方通话", "due_on": due.isoformat(), "body": "两位好"}
    past = client.post(f"{place}/accept", data={**entered, "due_on": "2026-01-01"})
    assert past.status_code == 422
    assert "两位好" in past.text
    assert client.post(f"{place}/accept", data=entered).status_code == 303
    assert "brought the two together" in client.get(place).text
    mails = world.work_off().sent
    assert len(mails) == 2
    assert any("自吸泵" in mail.body for mail in mails)
    with world.parts.db.read() as session:
        number = session.scalars(sa.select(t(Enquiry).c.id)).one()
    enquiry = f"/enquiries/{number}"

    sign_in(client, world.owner)
    page = client.get(enquiry).text
    assert "Your organisation did not write this." in page
    assert "Both speak of: " in page
    sign_in(client, world.officer)
    assert "Your organisation did not write this." not in client.get(enquiry).text
    assert client.post(f"{enquiry}/reply", data={"body": "可以谈"}).status_code == 303
    assert client.post(f"{enquiry}/negotiate").status_code == 303
    agreed = client.post(f"{enquiry}/agree", data={"outcome": "普通许可"})
    assert agreed.headers["location"].startswith("/contracts/")
    with world.parts.db.read() as session:
        c = t(Contract).c
        contract = session.execute(sa.select(c.seller_id, c.buyer_id, c.title, c.result_id)).one()
    assert tuple(contract) == (world.university, world.firm, OFFERED[0], world.results[0])
    world.work_off()
    assert world.judged() == {("queue", 4, None), ("contact", 4, None)}


def test_a_firm_that_finds_the_result_beside_the_point_teaches_the_match(
    client: TestClient, world: World, sign_in: SignIn
) -> None:
    world.sweep()
    sign_in(client, world.broker)
    place, version = world.first()
    entered = {"version": version, "next_step": "约双方通话", "due_on": "2026-03-04"}
    assert client.post(f"{place}/accept", data=entered).status_code == 303
    with world.parts.db.read() as session:
        number = session.scalars(sa.select(t(Enquiry).c.id)).one()
    sign_in(client, world.owner)
    passed = client.post(f"/enquiries/{number}/pass", data={"reason": "not_relevant"})
    assert passed.status_code == 303
    world.work_off()
    assert world.judged() == {("queue", 4, None), ("contact", 1, world.firm)}


def test_who_comes_too_late_sees_what_happened_and_loses_nothing(
    client: TestClient, world: World, sign_in: SignIn
) -> None:
    world.sweep()
    sign_in(client, world.broker)
    place, version = world.first()
    rejected = client.post(f"{place}/reject", data={"version": version, "reason": "known"})
    assert rejected.status_code == 303
    sign_in(client, world.colleague)
    late = client.post(
        f"{place}/accept",
        data={"version": version, "next_step": "约", "due_on": "2026-03-05", "body": "想说的话"},
    )
    assert late.status_code == 409
    assert world.broker.name in late.text
    assert "The two know each other already" in late.text
    assert "想说的话" in late.text
    undo = client.post(f"{place}/reopen", data={"version": version + 1})
    assert undo.status_code == 303
    assert world.pairs()[world.results[0]][0] == "suggested"
    # Somebody only took it meanwhile: what was entered stands in the form again, and can be sent.
    sign_in(client, world.broker)
    again = client.post(f"{place}/reject", data={"version": version, "reason": "other", "note": "说明"})
    assert again.status_code == 409
    assert again.text.count("说明</textarea>") == 1, "in the form that was sent, not in the others"
    assert "This pair has changed since you opened it" in again.text
    # Loaded anew, or in the other language, the refused form's address leads back to the pair.
    assert client.get(f"{place}/reject?industry=pumps").headers["location"] == f"{place}?industry=pumps"
    assert f'name="version" value="{version + 2}"' in again.text
    missing = client.post(f"{place}/reject", data={"version": version + 2, "reason": "other"})
    assert missing.status_code == 422
    assert client.post(f"{place}/reject", data={"version": version + 2}).status_code == 422
    empty = client.post(f"{place}/accept", data={"version": version + 2, "next_step": "", "note": "记"})
    assert empty.status_code == 422
    assert re.search(r'name="next_step"[^>]* value=""', empty.text), "what was emptied is not filled in again"
    assert empty.text.count("记</textarea>") == 1


def test_a_pair_put_off_comes_back(
    client: TestClient, world: World, sign_in: SignIn, clock: FixedClock
) -> None:
    world.sweep()
    sign_in(client, world.broker)
    place, version = world.first()
    assert client.post(f"{place}/snooze", data={"version": version, "until": "2026-03-02"}).status_code == 422
    assert client.post(f"{place}/snooze", data={"version": version, "until": "2026-03-04"}).status_code == 303
    assert "2026-03-04" in client.get("/proposals?state=snoozed").text
    clock.advance(days=2)
    world.sweep()
    assert world.pairs()[world.results[0]][0] == "suggested"


def test_a_due_step_is_reminded_of_once_and_shown_when_overdue(
    client: TestClient, world: World, sign_in: SignIn, clock: FixedClock
) -> None:
    world.sweep()
    sign_in(client, world.broker)
    place, version = world.first()
    entered = {"version": version, "next_step": "约双方通话", "due_on": "2026-03-04"}
    assert client.post(f"{place}/accept", data=entered).status_code == 303
    world.work_off().sent.clear()

    def reminded() -> int:
        Sweeper(world.parts).remind()
        world.sweep.remind()
        return len(world.work_off().sent)

    assert reminded() == 0
    clock.set(dt.datetime(2026, 3, 3, 23, 0, tzinfo=dt.UTC))  # seven in the morning
    assert reminded() == 0
    clock.advance(hours=2)
    assert reminded() == 1
    assert reminded() == 1
    assert "约双方通话" not in client.get("/proposals").text
    clock.advance(days=1)
    assert reminded() == 1
    assert "约双方通话" in client.get("/proposals").text
    assert "next step overdue" in client.get("/workbench").text
    assert "约双方通话" in client.get("/workbench").text


def test_what_is_not_there_and_what_is_nonsense(client: TestClient, world: World, sign_in: SignIn) -> None:
    sign_in(client, world.broker)
    assert client.get("/proposals/999999").status_code == 404
    assert client.post("/proposals/999999/accept", data={"version": "1"}).status_code in (404, 422)
    assert client.post("/proposals/999999/reopen", data={"version": "x"}).status_code == 404
    sign_in(client, world.officer)
    assert client.post("/proposals/1/reopen", data={"version": "1"}).status_code == 403
