"""Pages of organisations and of the administration, on both databases."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from market.db import t
from market.parties.models import Organisation
from market.permissions import Actor, Role
from market.work import MAX_TRIES, Claimed, WorkItem, enqueue, fail, run_one
from tests.market.parties import Parties, credit_code
from web import mailing
from web.mail import MemoryMailer
from web.wiring import Parts

SignIn = Callable[[TestClient, Actor], TestClient]


@pytest.fixture
def rows(parts: Parts) -> Iterator[Callable[[Callable[[Parties], Any]], Any]]:
    """Runs a function over `Parties` in a transaction of its own and returns what it returns."""

    def run(make: Callable[[Parties], Any]) -> Any:
        with parts.db.write() as session:
            return make(Parties(session, parts.clock.now()))

    return run


@pytest.fixture
def visitor(client: TestClient) -> TestClient:
    return TestClient(client.app, headers={"accept-language": "en"}, follow_redirects=False)


def sent(parts: Parts) -> list[Any]:
    while run_one(parts.db, mailing.handlers(parts), parts.clock.now):
        pass
    assert isinstance(parts.mailer, MemoryMailer)
    return parts.mailer.sent


class TestPublicPages:
    def test_the_list_is_filtered_and_paged(self, rows: Any, client: TestClient) -> None:
        def make(p: Parties) -> None:
            for number in range(23):
                p.organisation(f"泵业{number:02d}")
            p.organisation("某大学", kind="university", name_en="Some University")
            p.organisation("待审公司", state="pending")

        rows(make)
        page = client.get("/organisations").text
        assert "24 organisations" in page
        assert "待审公司" not in page
        assert 'rel="next"' in page
        page = client.get("/organisations", params={"kind": "university"}).text
        assert "Some University" in page
        assert "泵业" not in page
        assert "泵业07" in client.get("/organisations", params={"q": "业07"}).text
        assert "No organisation fits" in client.get("/organisations", params={"q": "没有"}).text
        assert client.get("/organisations", params={"kind": "nonsense"}).status_code == 200
        assert client.get("/organisations", params={"q": "a\x00"}).status_code == 422

    def test_the_profile_keeps_contacts_from_strangers(
        self, rows: Any, client: TestClient, visitor: TestClient, sign_in: SignIn
    ) -> None:
        def make(p: Parties) -> tuple[int, Actor]:
            made = p.organisation(
                contact_name="王工", introduction="做水泵的", website="https://example.com",
                promised_reply_hours=48,
            )  # fmt: skip
            return made, p.actor(p.person((made, Role.RESULTS_OFFICER)))

        organisation_id, member = rows(make)
        page = visitor.get(f"/organisations/{organisation_id}").text
        assert "做水泵的" in page
        assert "48 hours" in page
        assert "王工" not in page
        assert "/edit" not in page
        page = sign_in(client, member).get(f"/organisations/{organisation_id}").text
        assert "王工" in page
        assert f"/organisations/{organisation_id}/edit" in page

    def test_404_before_403(
        self, rows: Any, client: TestClient, visitor: TestClient, sign_in: SignIn
    ) -> None:
        def make(p: Parties) -> tuple[int, int, Actor]:
            hidden, public = p.organisation(state="pending"), p.organisation()
            return hidden, public, p.actor(p.person((p.organisation(), Role.RESULTS_OFFICER)))

        hidden, public, stranger = rows(make)
        assert visitor.get(f"/organisations/{hidden}").status_code == 404
        sign_in(client, stranger)
        assert client.get(f"/organisations/{hidden}/edit").status_code == 404
        assert client.post(f"/organisations/{hidden}/verify").status_code == 404
        assert client.get(f"/organisations/{public}/edit").status_code == 403
        assert client.get(f"/organisations/{public}/members").status_code == 403
        assert client.post(f"/organisations/{public}/suspend").status_code == 403
        assert visitor.get(f"/organisations/{public}/edit").status_code == 303
        assert client.get("/organisations/0").status_code == 404


class TestEditing:
    def test_a_member_edits_and_keeps_what_was_entered(
        self, rows: Any, client: TestClient, sign_in: SignIn
    ) -> None:
        def make(p: Parties) -> tuple[int, Actor]:
            made = p.organisation(country_code="CHN", nature_code="170")
            return made, p.actor(p.person((made, Role.RESULTS_OFFICER)))

        organisation_id, member = rows(make)
        sign_in(client, member)
        path = f"/organisations/{organisation_id}/edit"
        page = client.get(path).text
        form = page[page.index(f'action="{path}"') : page.index("</main>")]
        values = dict(re.findall(r'name="([a-z_]+)"[^>]*? value="([^"]*)"', form))
        data = {**values, "kind": "firm", "region_code": "331081", "introduction": "做水泵的"}
        bad = client.post(path, data={**data, "website": "not an address"})
        assert bad.status_code == 422
        assert "做水泵的" in bad.text
        assert 'value="not an address"' in bad.text
        assert client.post(path, data=data).headers["location"] == f"/organisations/{organisation_id}"
        assert "做水泵的" in client.get(f"/organisations/{organisation_id}").text
        stale = client.post(path, data={**data, "introduction": "改一改"})
        assert stale.status_code == 409
        assert "改一改" in stale.text
        renamed = client.post(path, data={**data, "version": "2", "name": "别的名称"})
        assert renamed.status_code == 422
        assert "Staff have checked this" in renamed.text

    def test_a_further_organisation(
        self, rows: Any, client: TestClient, visitor: TestClient, sign_in: SignIn
    ) -> None:
        person = rows(lambda p: p.actor(p.person()))
        assert visitor.get("/organisations/new").status_code == 303
        sign_in(client, person)
        assert client.get("/organisations/new").status_code == 200
        data = {"name": "另一公司", "kind": "firm", "credit_code": credit_code(), "region_code": "331081"}
        answer = client.post("/organisations/new", data=data)
        assert answer.status_code == 303
        assert "Waiting to be verified" in client.get(answer.headers["location"]).text


class TestChecking:
    def test_staff_verify_and_reject_from_the_queue(
        self, rows: Any, parts: Parts, client: TestClient, sign_in: SignIn
    ) -> None:
        def make(p: Parties) -> tuple[int, int, Actor]:
            first, second = (
                p.organisation("甲公司", state="pending"),
                p.organisation("乙公司", state="pending"),
            )
            p.person((first, Role.BIDDER), email="a@example.com", language="en")
            p.person((second, Role.BIDDER), email="b@example.com")
            return first, second, p.market(Role.STAFF)

        first, second, staff = rows(make)
        sign_in(client, staff)
        page = client.get("/admin").text
        assert "甲公司" in page
        assert "乙公司" in page
        answer = client.post(f"/organisations/{first}/verify", data={"from": "queue"})
        assert answer.headers["location"] == "/admin"
        assert "its members are told" in client.get("/admin").text
        assert client.post(f"/organisations/{second}/reject", data={"reason": ""}).status_code == 422
        client.post(f"/organisations/{second}/reject", data={"reason": "执照过期 <b>"})
        assert client.post(f"/organisations/{second}/reject", data={"reason": "再次"}).status_code == 409
        mail = {each.to: each for each in sent(parts)}
        assert mail["a@example.com"].subject == "甲公司 is verified"
        assert "未通过审核" in mail["b@example.com"].subject
        assert "执照过期 <b>" in mail["b@example.com"].body
        assert "乙公司" in client.get("/admin", params={"state": "rejected"}).text
        assert "执照过期" in client.get("/admin/audit").text

    def test_an_official_sees_the_audit_only(self, rows: Any, client: TestClient, sign_in: SignIn) -> None:
        sign_in(client, rows(lambda p: p.market(Role.OFFICIAL)))
        assert client.get("/admin").headers["location"] == "/admin/audit"
        page = client.get("/admin/audit").text
        assert "/admin/people" not in page
        for path in ("/admin/people", "/admin/industries", "/admin/work"):
            assert client.get(path).status_code == 403

    def test_a_member_sees_no_administration(self, rows: Any, client: TestClient, sign_in: SignIn) -> None:
        sign_in(client, rows(lambda p: p.actor(p.person((p.organisation(), Role.BIDDER)))))
        for path in ("/admin", "/admin/audit", "/admin/people", "/admin/industries", "/admin/work"):
            assert client.get(path).status_code == 403


class TestMembers:
    def test_inviting_ending_and_the_last_administrator(
        self, rows: Any, parts: Parts, client: TestClient, sign_in: SignIn
    ) -> None:
        def make(p: Parties) -> tuple[int, Actor]:
            return p.organisation(), p.market(Role.ADMINISTRATOR)

        organisation_id, administrator = rows(make)
        sign_in(client, administrator)
        path = f"/organisations/{organisation_id}/members"
        nameless = client.post(f"{path}/add", data={"email": "new@example.com", "role": "bidder"})
        assert nameless.status_code == 422
        assert 'id="f-name-error"' in nameless.text
        assert 'value="new@example.com"' in nameless.text
        data = {"email": "new@example.com", "name": "新同事", "role": "bidder"}
        assert client.post(f"{path}/add", data=data).status_code == 303
        page = client.get(path).text
        assert "新同事" in page
        assert client.post(f"{path}/add", data=data).status_code == 409
        invitation = sent(parts)[0]
        assert invitation.to == "new@example.com"
        assert "/password/reset?token=" in invitation.body
        end = re.search(rf"{path}/\d+/end", page)
        assert end is not None
        assert client.post(end[0]).status_code == 303
        assert "新同事" not in client.get(path).text
        own = administrator.memberships[0].organisation_id
        end = re.search(
            rf"/organisations/{own}/members/\d+/end", client.get(f"/organisations/{own}/members").text
        )
        assert end is not None
        refused = client.post(end[0])
        assert refused.status_code == 409
        assert "At least one administrator must remain" in refused.text

    def test_staff_are_offered_no_market_roles(self, rows: Any, client: TestClient, sign_in: SignIn) -> None:
        organisation_id, staff = rows(lambda p: (p.organisation(), p.market(Role.STAFF)))
        sign_in(client, staff)
        path = f"/organisations/{organisation_id}/members"
        assert 'value="administrator"' not in client.get(path).text
        data = {"email": "new@example.com", "name": "新同事", "role": "administrator"}
        assert client.post(f"{path}/add", data=data).status_code == 403


class TestAdministration:
    def test_people_are_found_deactivated_and_activated(
        self, rows: Any, client: TestClient, sign_in: SignIn
    ) -> None:
        def make(p: Parties) -> tuple[int, Actor]:
            return p.person((p.organisation(), Role.BIDDER), name="周工"), p.market(Role.ADMINISTRATOR)

        person_id, administrator = rows(make)
        sign_in(client, administrator)
        assert "周工" in client.get("/admin/people", params={"q": "周", "role": "bidder"}).text
        assert "周工" not in client.get("/admin/people", params={"active": "no"}).text
        client.post(f"/admin/people/{person_id}/deactivate")
        assert "周工" in client.get("/admin/people", params={"active": "no"}).text
        client.post(f"/admin/people/{person_id}/activate")
        assert client.post(f"/admin/people/{administrator.person_id}/deactivate").status_code == 409

    def test_industries_are_added_changed_and_retired(
        self, rows: Any, client: TestClient, sign_in: SignIn
    ) -> None:
        sign_in(client, rows(lambda p: p.market(Role.ADMINISTRATOR)))
        assert "泵与电机" in client.get("/admin/industries", headers={"accept-language": "zh"}).text
        data = {
            "code": "robots",
            "name": "机器人",
            "ipc_prefixes": "B25J，b23k_26",
            "sort": "5",
            "active": "on",
        }
        assert client.post("/admin/industries", data=data).status_code == 303
        page = client.get("/admin/industries", params={"code": "robots"}).text
        assert "B25J, B23K 26" in page
        assert 'value="B25J B23K_26"' in page
        assert client.post("/admin/industries", data=data).status_code == 409
        bad = client.post("/admin/industries", data={**data, "code": "Robots 2", "ipc_prefixes": "XX"})
        assert bad.status_code == 422
        assert 'value="Robots 2"' in bad.text
        retired = {"code": "robots", "version": "1", "name": "机器人", "sort": "5"}
        assert client.post("/admin/industries", data=retired).status_code == 303
        assert client.post("/admin/industries", data=retired).status_code == 409
        assert client.get("/admin/industries", params={"code": "none"}).status_code == 404
        audited = client.get("/admin/audit", params={"subject": "industry"}).text
        assert "robots.active" in audited

    def test_dead_work_is_seen_and_tried_again(
        self, rows: Any, parts: Parts, client: TestClient, sign_in: SignIn
    ) -> None:
        now = parts.clock.now()
        with parts.db.write() as session:
            enqueue(session, "mail.send", {"to": "x@example.com"}, key="x", now=now)
            item = session.execute(sa.select(t(WorkItem).c.id)).scalar_one()
            session.execute(sa.update(t(WorkItem)).values(state="running", tries=MAX_TRIES))
            fail(session, Claimed(item, "mail.send", {}, MAX_TRIES), now, "Traceback\nOSError: no route")
        sign_in(client, rows(lambda p: p.market(Role.STAFF)))
        page = client.get("/admin/work").text
        assert "OSError: no route" in page
        assert client.post(f"/admin/work/{item}/retry").status_code == 303
        assert client.post(f"/admin/work/{item}/retry").status_code == 404
        assert "mail.send" in client.get("/admin/work", params={"state": "pending"}).text

    def test_the_audit_is_filtered_by_day_in_shanghai(
        self, rows: Any, parts: Parts, client: TestClient, sign_in: SignIn
    ) -> None:
        def make(p: Parties) -> tuple[int, Actor]:
            return p.organisation("甲公司", state="pending"), p.market(Role.STAFF)

        organisation_id, staff = rows(make)
        sign_in(client, staff)
        client.post(f"/organisations/{organisation_id}/verify")
        today = (parts.clock.now() + dt.timedelta(hours=8)).date()

        def found(**query: Any) -> bool:
            return "Organisation verified" in client.get("/admin/audit", params=query).text

        assert found()
        assert found(since=str(today), until=str(today), subject="organisation", actor="staff")
        assert not found(until=str(today - dt.timedelta(days=1)))
        assert not found(since=str(today + dt.timedelta(days=1)))
        assert not found(subject_id=str(organisation_id + 1))
        assert found(since="nonsense", subject_id="nonsense")
        assert found(until="9999-12-31")


def test_every_page_of_this_feature_speaks_chinese(
    rows: Any, parts: Parts, client: TestClient, sign_in: SignIn
) -> None:
    """No sentence of these pages is left in English; names of people and codes aside."""

    def make(p: Parties) -> tuple[int, Actor]:
        made = p.organisation("甲公司", state="pending")
        boss = p.person((made, Role.ADMINISTRATOR), (p.organisation("乙公司"), Role.STAFF), name="全能")
        return made, p.actor(boss)

    organisation_id, actor = rows(make)
    client.headers["accept-language"] = "zh-CN"
    paths = ["/sign-in", "/register", "/password/forgot", "/password/reset?token=x", "/organisations"]
    pages = [client.get(path) for path in paths]
    sign_in(client, actor)
    base = f"/organisations/{organisation_id}"
    for path in (base, f"{base}/edit", f"{base}/members", "/organisations/new", "/account",
                 "/account/security", "/account/tokens", "/admin", "/admin/audit", "/admin/work"):  # fmt: skip
        pages.append(client.get(path))
    known = {"English", "Authorization", "Bearer", "https", "testclient"}
    for page in pages:
        assert page.status_code in (200, 410), page.url
        body = page.text[page.text.index("<main") : page.text.index("</main>")]
        words = re.sub(r"<code.*?</code>|<[^>]+>|[\w.]+@[\w.]+", " ", body, flags=re.DOTALL)
        left = set(re.findall(r"[A-Za-z]{4,}", words)) - known
        assert not left, page.url


def test_no_row_is_left_half_made(rows: Any, parts: Parts, client: TestClient) -> None:
    """A refused registration leaves neither person nor organisation."""
    rows(lambda p: p.person(email="lin@example.com"))
    data = {
        "name": "林晓", "email": "lin@example.com", "password": "correct horse battery",
        "organisation.name": "甲公司", "organisation.kind": "firm",
        "organisation.credit_code": credit_code(), "organisation.region_code": "331081",
    }  # fmt: skip
    assert client.post("/register", data=data).status_code == 409
    with parts.db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(t(Organisation))) == 0
