"""The API of organisations, people, tokens, taxonomy and audit: scopes, versions, statuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from market.clock import FixedClock
from market.parties import accounts, queries
from market.parties.inputs import TokenInput
from market.permissions import Actor, Role, Scope
from tests.market.parties import Parties, credit_code
from web.wiring import Parts

Api = Callable[..., "Caller"]


class Caller:
    """Calls the API with a token."""

    def __init__(self, client: TestClient, secret: str = "") -> None:
        self.client, self.secret = client, secret

    def __call__(self, method: str, path: str, json: Any = None, **headers: str) -> Any:
        if self.secret:
            headers["authorization"] = f"Bearer {self.secret}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, f"/api/v1{path}", json=json, headers=named)


@pytest.fixture
def rows(parts: Parts) -> Callable[[Callable[[Parties], Any]], Any]:
    """Runs a function over `Parties` in a transaction of its own and returns what it returns."""

    def run(make: Callable[[Parties], Any]) -> Any:
        with parts.db.write() as session:
            return make(Parties(session, parts.clock.now()))

    return run


@pytest.fixture
def api(parts: Parts, client: TestClient) -> Api:
    """A caller that acts for somebody with some scopes (all but for a visitor)."""

    def run(actor: Actor | None = None, *scopes: Scope) -> Caller:
        if actor is None:
            return Caller(client)
        entered = TokenInput(name="test", scopes=list(scopes or Scope))
        with parts.db.write() as session:
            _, secret = accounts.create_token(session, actor, entered, parts.clock.now())
        return Caller(client, secret)

    return run


def organisation(**changes: Any) -> dict[str, Any]:
    return {
        "name": "另一公司", "kind": "firm", "credit_code": credit_code(), "region_code": "331081", **changes,
    }  # fmt: skip


def test_a_life_of_an_organisation(rows: Any, api: Api) -> None:
    person, staff = rows(lambda p: (p.actor(p.person()), p.market(Role.STAFF)))
    mine, theirs, visitor = api(person), api(staff), api()
    made = mine("POST", "/organisations", organisation())
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert made.json()["state"] == "pending"
    path = f"/organisations/{made.json()['id']}"
    assert made.headers["location"] == f"/api/v1{path}"
    assert visitor("GET", path).status_code == 404
    assert visitor("GET", path).json()["code"] == "not_found"
    again = mine("POST", "/organisations", organisation(credit_code=made.json()["credit_code"]))
    assert again.status_code == 409
    assert again.json()["errors"][0]["field"] == "credit_code"
    rejected = theirs("POST", f"{path}/reject", {"reason": "名称有误"})
    assert (rejected.status_code, rejected.json()["state_reason"]) == (200, "名称有误")
    stored = {key: made.json()[key] for key in organisation()}
    changed = {**stored, "name": "改好的公司"}
    assert mine("PUT", path, changed).status_code == 428
    assert mine("PUT", path, changed, if_match='"1"').status_code == 412
    assert api(person, Scope.READ)("PUT", path, changed, if_match='"2"').status_code == 403
    edited = mine("PUT", path, changed, if_match='"2"')
    assert (edited.status_code, edited.json()["state"], edited.headers["etag"]) == (200, "pending", '"3"')
    assert mine("POST", f"{path}/verify").status_code == 403
    assert theirs("POST", f"{path}/verify").json()["state"] == "verified"
    assert theirs("POST", f"{path}/verify").status_code == 409
    shown = visitor("GET", path)
    assert (shown.status_code, shown.json()["name"]) == (200, "改好的公司")
    assert visitor("GET", "/organisations?q=改好").json()["total"] == 1
    assert theirs("POST", f"{path}/suspend", {"reason": "核查"}).json()["state"] == "suspended"
    assert visitor("GET", path).status_code == 404
    assert theirs("POST", f"{path}/reinstate").json()["state"] == "verified"


def test_contacts_do_not_leave_through_the_api(rows: Any, api: Api) -> None:
    made = rows(lambda p: p.organisation(contact_phone="0576-86110000"))
    assert api()("GET", f"/organisations/{made}").json()["contact_phone"] == ""


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/me"), ("GET", "/people"), ("GET", "/tokens"), ("POST", "/tokens"),
        ("GET", "/audit-records"), ("GET", "/organisations?state=pending"), ("POST", "/organisations"),
        ("PUT", "/industries/robots"), ("GET", "/organisations/1/memberships"),
        ("POST", "/people/1/deactivate"),
    ],
)  # fmt: skip
def test_what_needs_somebody_says_401(rows: Any, api: Api, method: str, path: str) -> None:
    rows(lambda p: p.organisation())
    answer = api()(method, path, {} if method != "GET" else None)
    assert answer.status_code in (401, 422)
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert Caller(api().client, "mkt_wrong")(method, path).status_code in (401, 422)


def test_memberships(rows: Any, api: Api) -> None:
    organisation_id, administrator, staff = rows(
        lambda p: (p.organisation(), p.market(Role.ADMINISTRATOR), p.market(Role.STAFF))
    )
    path = f"/organisations/{organisation_id}/memberships"
    entered = {"email": "new@example.com", "name": "新同事", "role": "official"}
    assert api(staff)("POST", path, entered).status_code == 403
    mine = api(administrator)
    made = mine("POST", path, entered)
    assert (made.status_code, made.json()["role"]) == (201, "official")
    assert mine("POST", path, entered).status_code == 409
    assert [item["email"] for item in mine("GET", path).json()["items"]] == ["new@example.com"]
    assert mine("DELETE", f"{path}/{made.json()['id']}").status_code == 204
    assert mine("DELETE", f"{path}/{made.json()['id']}").status_code == 404
    assert mine("POST", "/organisations/999999/memberships", entered).status_code == 404


def test_people(rows: Any, api: Api) -> None:
    person_id, administrator, staff = rows(
        lambda p: (p.person(name="周工"), p.market(Role.ADMINISTRATOR), p.market(Role.STAFF))
    )
    mine = api(administrator)
    assert api(staff)("GET", "/people").status_code == 403
    found = mine("GET", "/people?q=周").json()
    assert [item["id"] for item in found["items"]] == [person_id]
    assert mine("POST", f"/people/{person_id}/deactivate").json() == {"id": person_id, "active": False}
    assert mine("POST", f"/people/{person_id}/activate").json()["active"] is True
    assert mine("POST", f"/people/{administrator.person_id}/deactivate").status_code == 409
    assert mine("POST", "/people/999999/deactivate").status_code == 404
    changed = mine("PUT", "/me", {"name": "周大工", "language": "en"})
    assert (changed.status_code, changed.json()["name"]) == (200, "周大工")


class TestTokens:
    def test_scopes(self, rows: Any, api: Api) -> None:
        person = rows(lambda p: p.actor(p.person()))
        reader, writer = api(person, Scope.READ), api(person, Scope.WRITE)
        assert reader("GET", "/me").json()["scopes"] == ["read"]
        refused = reader("POST", "/tokens", {"name": "a", "scopes": ["read"]})
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")
        assert writer("GET", "/me").status_code == 403
        wider = writer("POST", "/tokens", {"name": "a", "scopes": ["write", "bid"]})
        assert wider.status_code == 403
        made = writer("POST", "/tokens", {"name": "a", "scopes": ["write"], "days": 1})
        assert made.status_code == 201
        assert made.headers["cache-control"] == "no-store"
        assert made.json()["secret"].startswith(made.json()["prefix"])
        assert writer("DELETE", f"/tokens/{made.json()['id']}").status_code == 204
        assert writer("DELETE", "/tokens/999999").status_code == 404
        listed = reader("GET", "/tokens").json()["items"]
        assert len(listed) == 2
        assert all("secret" not in item for item in listed)

    def test_use_is_noted(self, rows: Any, api: Api, parts: Parts, clock: FixedClock) -> None:
        person = rows(lambda p: p.actor(p.person()))
        reader = api(person, Scope.READ)
        reader("GET", "/me")
        first = clock.now()
        clock.advance(minutes=5)
        reader("GET", "/me")
        with parts.db.read() as session:
            assert queries.tokens_of(session, person, clock.now())[0].used_at == first

    def test_a_token_ends(self, rows: Any, api: Api, clock: FixedClock) -> None:
        reader = api(rows(lambda p: p.actor(p.person())), Scope.READ)
        clock.advance(days=91)
        assert reader("GET", "/me").status_code == 401


def test_industries_and_regions(rows: Any, api: Api) -> None:
    administrator, staff = rows(lambda p: (p.market(Role.ADMINISTRATOR), p.market(Role.STAFF)))
    visitor, mine = api(), api(administrator)
    assert visitor("GET", "/industries").json()["items"][0]["code"] == "pumps_motors"
    entered = {"name": "机器人", "ipc_prefixes": ["B25J"], "sort": 5}
    assert api(staff)("PUT", "/industries/robots", entered).status_code == 403
    assert mine("PUT", "/industries/robots", entered).status_code == 201
    assert mine("PUT", "/industries/robots", entered).status_code == 428
    changed = mine("PUT", "/industries/robots", {**entered, "active": False}, if_match='"1"')
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert mine("PUT", "/industries/robots", entered, if_match='"1"').status_code == 412
    assert "robots" not in str(visitor("GET", "/industries").json())
    assert "robots" in str(visitor("GET", "/industries?retired=true").json())
    assert visitor("GET", "/industries/robots").headers["etag"] == '"2"'
    assert visitor("GET", "/industries/none").status_code == 404
    assert visitor("GET", "/industries/NO").status_code == 422
    below = visitor("GET", "/regions?under=331000").json()["items"]
    assert "温岭市" in {item["name"] for item in below}
    assert len(below) == 9


def test_audit_records(rows: Any, api: Api) -> None:
    organisation_id, staff, stranger = rows(
        lambda p: (p.organisation(state="pending"), p.market(Role.STAFF), p.actor(p.person()))
    )
    mine = api(staff)
    mine("POST", f"/organisations/{organisation_id}/verify")
    found = mine("GET", f"/audit-records?subject=organisation&subject_id={organisation_id}").json()
    assert found["total"] == 1
    record = found["items"][0]
    assert (record["action"], record["via"], record["actor_id"]) == (
        "organisation.verified", "token", staff.person_id,
    )  # fmt: skip
    assert (record["before"], record["after"]) == ({"state": "pending"}, {"state": "verified"})
    assert record["at"].endswith("Z")
    assert api(stranger)("GET", "/audit-records").status_code == 403
    assert mine("GET", "/audit-records?since=2026-01-01T00:00:00").status_code == 422
    assert mine("GET", "/audit-records?since=2026-01-01T00:00:00Z").json()["total"] >= 1


@pytest.mark.parametrize(
    ("language", "expected"), [("en", "The check character does not fit"), ("zh-CN", "校验")]
)
def test_a_bad_credit_code_is_told_in_the_askers_language(
    rows: Any, api: Api, language: str, expected: str
) -> None:
    mine = api(rows(lambda p: p.actor(p.person())))
    entered = organisation(credit_code="91330100799655058A")
    answer = mine("POST", "/organisations", entered, accept_language=language)
    assert answer.status_code == 422
    error = answer.json()["errors"][0]
    assert (error["field"], error["code"]) == ("credit_code", "credit_code_check_digit")
    assert expected in error["message"]


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "%", "_", "\\", "'"])
def test_no_text_breaks_a_search(rows: Any, api: Api, text: str) -> None:
    mine = api(rows(lambda p: p.market(Role.ADMINISTRATOR)))
    from urllib.parse import quote

    wanted = quote(text, errors="surrogatepass")
    for path in ("/organisations?q=", "/people?q=", "/audit-records?subject="):
        assert mine("GET", f"{path}{wanted}").status_code in (200, 422)
