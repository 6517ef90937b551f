"""Saved searches: kept by page and API, told by mail once for each entry, stopped by a link."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from market.clock import FixedClock
from market.db import t
from market.listings.models import Result
from market.parties import accounts
from market.parties.inputs import TokenInput
from market.permissions import Actor, Scope
from market.work import WorkItem, run_one
from matching.indexer import drain, reindex
from matching.models import SavedSearch, SavedSearchTold
from matching.saved import queries, rules, service
from tests.market.parties import Parties
from tests.matching.rows import Rows
from web import saved_search_mail, wiring
from web.mail import Mail, MemoryMailer, message
from web.worker import handlers

DAY = dt.timedelta(days=1)
SignIn = Callable[[TestClient, Actor], TestClient]


class World:
    """A market with an old pump, somebody who keeps searches, and the mail as it goes out."""

    def __init__(self, parts: wiring.Parts, clock: FixedClock) -> None:
        self.parts, self.clock = parts, clock
        assert parts.index.acquire()
        with parts.db.write() as session:
            self.rows = Rows(session)
            self.old = self.rows.result("离心泵旧叶轮", published_at=clock.now() - 9 * DAY)
            people = Parties(session, clock.now())
            self.keeper = people.actor(people.person(language="en"))
            self.other = people.actor(people.person())
        reindex(parts.db, parts.index)

    def publish(self, title: str, kind: str = "result", **values: Any) -> int:
        with self.parts.db.write() as session:
            self.rows.session = session
            make = getattr(self.rows, kind)
            row_id = make(title, published_at=self.clock.now(), **values)
        drain(self.parts.db, self.parts.index)
        return int(row_id)

    def save(self, query: str = "q=离心泵", actor: Actor | None = None, alert: bool = True) -> int:
        with self.parts.db.write() as session:
            row = service.save(session, actor or self.keeper, "Pumps", query, alert, self.clock.now())
            assert row.id is not None
            return row.id

    def sweep(self) -> None:
        saved_search_mail.Sweeper(self.parts)()

    def send(self) -> list[Mail]:
        mailer = self.parts.mailer
        assert isinstance(mailer, MemoryMailer)
        mailer.sent.clear()
        work = handlers(self.parts)
        while run_one(self.parts.db, work, self.parts.clock.now):
            pass
        return list(mailer.sent)

    def round(self) -> list[Mail]:
        self.sweep()
        return self.send()

    def saved(self, search_id: int) -> queries.Saved | None:
        with self.parts.db.read() as session:
            return queries.one(session, search_id)

    def count(self, model: Any) -> int:
        with self.parts.db.read() as session:
            return session.scalar(sa.select(sa.func.count()).select_from(t(model))) or 0


@pytest.fixture
def world(parts: wiring.Parts, clock: FixedClock) -> World:
    return World(parts, clock)


class TestMail:
    def test_what_is_new_is_told_once_and_a_day_later_at_the_earliest(self, world: World) -> None:
        search_id = world.save()
        world.clock.advance(hours=1)
        pump = world.publish("新型离心泵叶轮")
        world.publish("数控机床主轴")
        assert world.round() == [], "a day has not passed"
        world.clock.advance(hours=23)
        (mail,) = world.round()
        assert mail.to == _address(world)
        assert mail.subject == "New entries (1): Pumps"
        assert "新型离心泵叶轮" in mail.body
        assert f"http://testserver/results/{pump}" in mail.body
        assert "旧叶轮" not in mail.body
        assert "主轴" not in mail.body
        assert "http://testserver/search?q=离心泵&sort=newest" in mail.body
        assert world.round() == []
        world.clock.advance(days=1)
        assert world.round() == [], "nothing is told twice"
        demand = world.publish("求购离心泵", "demand")
        world.clock.advance(days=1)
        (mail,) = world.round()
        assert f"http://testserver/demands/{demand}" in mail.body
        assert "新型" not in mail.body
        saved = world.saved(search_id)
        assert saved is not None
        assert saved.checked_at == world.clock.now()

    def test_a_mail_can_be_stopped_by_the_mail_program(self, world: World) -> None:
        world.save()
        world.publish("新型离心泵叶轮")
        world.clock.advance(days=1)
        (mail,) = world.round()
        built = message(mail, "market@example.com")
        assert built["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = built["List-Unsubscribe"].strip("<>")
        assert re.search(r"^http://testserver/searches/stop/\d+\.[0-9a-f]{40}$", link)
        assert link in mail.body

    def test_a_crash_before_the_commit_neither_loses_nor_repeats(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.save()
        world.publish("新型离心泵叶轮")
        world.clock.advance(days=1)

        def fail(*_args: Any, **_options: Any) -> None:
            raise RuntimeError("killed")

        with monkeypatch.context() as broken:
            broken.setattr(service, "enqueue", fail)
            world.sweep()
        assert (world.count(SavedSearchTold), world.count(WorkItem)) == (0, 0)
        assert len(world.round()) == 1
        assert world.round() == []

    def test_two_processes_that_look_at_once_tell_once(self, world: World) -> None:
        search_id = world.save()
        world.publish("新型离心泵叶轮")
        world.clock.advance(days=1)
        seen = world.saved(search_id)
        assert seen is not None
        assert saved_search_mail.look(world.parts, seen) == 1
        world.clock.advance(seconds=1)
        assert saved_search_mail.look(world.parts, seen) == 0
        assert len(world.send()) == 1

    def test_what_is_no_longer_shown_when_the_mail_goes_out_is_left_out(self, world: World) -> None:
        world.save()
        gone, stays = world.publish("离心泵甲"), world.publish("离心泵乙")
        world.clock.advance(days=1)
        world.sweep()
        _withdraw(world, gone)
        (mail,) = world.send()
        assert mail.subject == "New entries (1): Pumps"
        assert f"/results/{stays}" in mail.body
        assert f"/results/{gone}" not in mail.body
        only = world.publish("离心泵丙")
        world.clock.advance(days=1)
        world.sweep()
        _withdraw(world, only)
        assert world.send() == []

    @pytest.mark.parametrize("change", ["stopped", "deleted"])
    def test_nothing_is_sent_once_it_is_not_wanted(self, world: World, change: str) -> None:
        search_id = world.save()
        world.publish("新型离心泵叶轮")
        world.clock.advance(days=1)
        world.sweep()
        with world.parts.db.write() as session:
            if change == "stopped":
                service.stop_mail(session, search_id)
            else:
                service.delete(session, world.keeper, search_id)
        assert world.send() == []
        world.clock.advance(days=1)
        assert world.round() == []

    def test_what_came_while_the_mail_was_off_is_not_told(self, world: World) -> None:
        search_id = world.save(alert=False)
        world.publish("离心泵甲")
        world.clock.advance(days=3)
        assert world.round() == []
        with world.parts.db.write() as session:
            entered = service.SavedSearchChange(name="Pumps", alert=True)
            service.change(session, world.keeper, search_id, entered, world.clock.now())
        world.clock.advance(hours=1)
        later = world.publish("离心泵乙")
        world.clock.advance(days=1)
        (mail,) = world.round()
        assert f"/results/{later}" in mail.body
        assert "离心泵甲" not in mail.body

    def test_an_index_that_is_not_whole_is_not_asked(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.save()
        world.publish("新型离心泵叶轮")
        world.clock.advance(days=1)
        for state in (saved_search_mail.IndexState.BUILDING, saved_search_mail.IndexState.STALE):
            with monkeypatch.context() as away:
                away.setattr(type(world.parts.index), "state", property(lambda _self, s=state: s))
                assert world.round() == []
        assert len(world.round()) == 1

    def test_one_bad_search_does_not_hold_up_the_others(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.save("q=离心泵")
        world.save("q=叶轮")
        world.publish("新型离心泵叶轮")
        world.clock.advance(days=1)
        search = type(world.parts.index).search

        def sometimes(self: Any, words: str, *args: Any, **options: Any) -> Any:
            if words == "离心泵":
                raise RuntimeError("bad")
            return search(self, words, *args, **options)

        monkeypatch.setattr(type(world.parts.index), "search", sometimes)
        assert len(world.round()) == 1

    def test_filters_count_and_a_long_list_is_cut(self, world: World) -> None:
        world.save("kind=result&industry=pumps")
        for number in range(service.LISTED + 3):
            world.publish(f"新叶轮{number}")
        world.publish("新主轴", industry_code="machine-tools")
        world.publish("新需求", "demand")
        world.clock.advance(days=1)
        (mail,) = world.round()
        assert mail.subject == f"New entries ({service.LISTED + 3}): Pumps"
        assert mail.body.count("http://testserver/results/") == service.LISTED
        assert "not listed here: 3" in mail.body

    def test_what_holds_only_some_of_the_words_is_not_told(self, world: World) -> None:
        world.save("q=火星 汽蚀")
        world.publish("离心泵汽蚀")
        world.clock.advance(days=1)
        assert world.parts.index.search("火星 汽蚀").relaxed
        assert world.round() == []
        both = world.publish("火星 汽蚀研究")
        world.clock.advance(days=1)
        (mail,) = world.round()
        assert mail.body.count("http://testserver/results/") == 1
        assert f"/results/{both}" in mail.body

    def test_the_mail_is_in_its_readers_language(self, world: World) -> None:
        world.save(actor=world.other)
        world.publish("新型离心泵叶轮")
        world.clock.advance(days=1)
        (mail,) = world.round()
        assert mail.subject == "有 1 条新内容：Pumps"
        assert "成果：新型离心泵叶轮" in mail.body
        assert "No more" not in mail.body


def _address(world: World) -> str:
    from market.parties.models import Person

    with world.parts.db.read() as session:
        return str(
            session.scalar(sa.select(t(Person).c.email).where(t(Person).c.id == world.keeper.person_id))
        )


def _withdraw(world: World, result_id: int) -> None:
    with world.parts.db.write() as session:
        session.execute(sa.update(t(Result)).where(t(Result).c.id == result_id).values(state="withdrawn"))


class TestStopping:
    def test_a_link_works_signed_out_and_only_when_it_is_meant(
        self, world: World, client: TestClient
    ) -> None:
        search_id = world.save()
        path = f"/searches/stop/{saved_search_mail.token(world.parts.settings, search_id)}"
        asked = client.get(path)
        assert "Stop the mail about this search?" in asked.text
        assert "Pumps" in asked.text
        saved = world.saved(search_id)
        assert saved is not None
        assert saved.alert, "whoever only looks changes nothing"
        # As a mail provider does it: no cookie, no origin, no redirect followed.
        stopped = client.post(path, data={"List-Unsubscribe": "One-Click"})
        assert stopped.status_code == 200
        assert "no longer mailed" in stopped.text
        saved = world.saved(search_id)
        assert saved is not None
        assert not saved.alert
        assert client.post(path).status_code == 200, "twice is once"

    def test_a_link_outlives_its_search(self, world: World, client: TestClient) -> None:
        search_id = world.save()
        path = f"/searches/stop/{saved_search_mail.token(world.parts.settings, search_id)}"
        with world.parts.db.write() as session:
            service.delete(session, world.keeper, search_id)
        assert "no longer kept" in client.get(path).text
        assert client.post(path).status_code == 200

    @pytest.mark.parametrize("change", ["number", "signature", "nothing", "superscript", "long"])
    def test_a_forged_link_is_none(self, world: World, client: TestClient, change: str) -> None:
        search_id = world.save()
        number, _, signature = saved_search_mail.token(world.parts.settings, search_id).partition(".")
        forged = {
            "number": f"{search_id + 1}.{signature}",
            "signature": f"{number}.{'0' * 40}",
            "nothing": number,
            "superscript": f"²{number}.{signature}",
            "long": f"{'9' * 5000}.{signature}",
        }[change]
        assert client.get(f"/searches/stop/{forged}").status_code == 404
        assert client.post(f"/searches/stop/{forged}").status_code == 404
        saved = world.saved(search_id)
        assert saved is not None
        assert saved.alert


class TestPages:
    def test_from_the_search_page_to_the_account_and_back(
        self, world: World, client: TestClient, sign_in: SignIn
    ) -> None:
        sign_in(client, world.keeper)
        page = client.get("/search?sort=newest&kind=result&q=离心泵&page=1&trl=&industry=pumps").text
        query, name = (
            re.search(rf'name="{one}"[^>]* value="([^"]*)"', _saving(page)) for one in ("query", "name")
        )
        assert query is not None
        assert name is not None
        assert query[1] == "q=%E7%A6%BB%E5%BF%83%E6%B3%B5&amp;kind=result&amp;industry=pumps"
        assert name[1] == "离心泵 · Results · 泵与电机"
        data = {"name": "My pumps", "query": query[1].replace("&amp;", "&"), "alert": "on"}
        answer = client.post("/account/searches", data=data)
        assert (answer.status_code, answer.headers["location"]) == (303, "/account/searches")
        listed = client.get("/account/searches").text
        assert f'href="/search?{query[1]}"' in listed
        assert "My pumps" in listed
        assert "daily" in listed
        assert "My pumps" in client.get("/search?industry=pumps&kind=result&q=离心泵").text
        (edit,) = set(re.findall(r'href="(/account/searches/\d+)"', listed))
        assert 'value="My pumps"' in client.get(edit).text
        assert client.post(edit, data={"name": "Pumps, quietly"}).status_code == 303
        listed = client.get("/account/searches").text
        assert "Pumps, quietly" in listed
        assert "daily" not in listed
        assert client.post(f"{edit}/delete").status_code == 303
        assert "You have saved no search" in client.get("/account/searches").text
        assert client.get(edit).status_code == 404

    def test_a_visitor_is_asked_to_sign_in(self, world: World, client: TestClient) -> None:
        assert 'href="/sign-in?next=%2Fsearch%3Fq%3D' in client.get("/search?q=pump").text
        for method, path in (("GET", "/account/searches"), ("POST", "/account/searches")):
            answer = client.request(method, path)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/sign-in")

    def test_what_is_refused_comes_back_at_its_field(
        self, world: World, client: TestClient, sign_in: SignIn
    ) -> None:
        sign_in(client, world.keeper)
        world.save("q=pump")
        again = client.post("/account/searches", data={"name": "Again", "query": "page=2&q=pump&sort=newest"})
        assert again.status_code == 409
        assert "You have saved the same search already, as “Pumps”." in again.text
        assert 'value="Again"' in again.text
        assert 'value="page=2&amp;q=pump&amp;sort=newest"' in again.text
        for name in ("", "x" * 121):
            assert client.post("/account/searches", data={"name": name, "query": "q=a"}).status_code == 422
        long = client.post("/account/searches", data={"name": "Long", "query": "q=" + "泵" * 400})
        assert long.status_code == 422
        assert "use fewer words" in long.text

    def test_so_many_and_no_more(self, world: World, client: TestClient, sign_in: SignIn) -> None:
        for number in range(rules.MOST):
            world.save(f"q={number}")
        sign_in(client, world.keeper)
        answer = client.post("/account/searches", data={"name": "One more", "query": "q=more"})
        assert answer.status_code == 409
        assert f"You can save {rules.MOST} searches at most" in answer.text
        assert world.count(SavedSearch) == rules.MOST

    def test_other_peoples_are_not_there(self, world: World, client: TestClient, sign_in: SignIn) -> None:
        search_id = world.save(actor=world.other)
        sign_in(client, world.keeper)
        path = f"/account/searches/{search_id}"
        assert client.get(path).status_code == 404
        assert client.post(path, data={"name": "Mine"}).status_code == 404
        assert client.post(f"{path}/delete").status_code == 404
        assert "Pumps" not in client.get("/account/searches").text


def _saving(page: str) -> str:
    """The form that saves a search."""
    start = page.index('<form class="form stack" method="post" action="/account/searches">')
    return page[start : page.index("</form>", start)]


class TestApi:
    def test_a_life(self, world: World, client: TestClient) -> None:
        with world.parts.db.write() as session:
            entered = TokenInput(name="test", scopes=[Scope.READ, Scope.WRITE])
            _, secret = accounts.create_token(session, world.keeper, entered, world.clock.now())
        world.save(actor=world.other)

        def call(method: str, path: str = "", json: Any = None) -> Any:
            headers = {"authorization": f"Bearer {secret}"}
            return client.request(method, f"/api/v1/saved-searches{path}", json=json, headers=headers)

        made = call("POST", json={"name": "Pumps", "query": "page=3&kind=result&q=pump&nonsense=1"})
        assert made.status_code == 201
        saved = made.json()
        assert (saved["query"], saved["alert"]) == ("q=pump&kind=result", True)
        assert saved["href"] == "/search?q=pump&kind=result"
        assert saved["feed"] == "/search/feed.atom?q=pump&kind=result"
        assert made.headers["location"] == f"/api/v1/saved-searches/{saved['id']}"
        again = call("POST", json={"name": "Again", "query": "kind=result&q=pump"})
        assert (again.status_code, again.json()["code"]) == (409, "saved_already")
        path = f"/{saved['id']}"
        assert call("PUT", path, {"name": "Quiet", "alert": False}).json()["name"] == "Quiet"
        assert call("GET").json()["items"] == [call("GET", path).json()]
        assert call("DELETE", path).status_code == 204
        assert call("GET", path).status_code == 404
        assert call("GET").json() == {"items": []}
        assert client.get("/api/v1/saved-searches").status_code == 401
