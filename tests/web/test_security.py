"""Guards around the whole application: origins, sizes of requests, caches, addresses behind a proxy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any

import pytest
from jinja2 import filters
from jinja2.nodes import EvalContext
from pydantic import ValidationError
from starlette.testclient import TestClient

from market.db import Session
from market.parties import access, accounts, members
from market.parties.inputs import TokenInput
from market.parties.models import MembershipRow
from market.permissions import Actor, Role
from market.taxonomy.models import Industry
from tests.conftest import NOW
from tests.market.parties import Parties
from web import serve
from web.app import create_app
from web.render import environment
from web.security import PLAIN_BYTES, most_bytes
from web.settings import Settings
from web.wiring import Parts

MIB = 1024 * 1024
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}


def person(parts: Parts, role: Role = Role.BIDDER) -> Actor:
    with parts.db.write() as session:
        parties = Parties(session, parts.clock.now())
        return parties.actor(parties.person((parties.organisation(), role)))


def pieces(total: int, taken: list[int]) -> Iterator[bytes]:
    """A body sent in pieces with no length named; `taken` grows by each piece that was asked for."""
    while total > 0:
        size = min(MIB, total)
        taken.append(size)
        total -= size
        yield b"a" * size


class TestSizes:
    @pytest.mark.parametrize(
        ("path", "headers"), [("/sign-in", FORM), ("/api/v1/contracts", JSON), ("/no-such-page", JSON)]
    )
    def test_a_body_beyond_the_limit_is_refused_by_its_length(
        self, client: TestClient, path: str, headers: dict[str, str]
    ) -> None:
        answer = client.post(path, content=b"a" * (PLAIN_BYTES + 1), headers=headers)
        assert answer.status_code == 413
        if path.startswith("/api/"):
            assert answer.json()["code"] == "too_large"
        assert "content-security-policy" in answer.headers

    @pytest.mark.parametrize(("path", "headers"), [("/sign-in", FORM), ("/api/v1/contracts", JSON)])
    def test_a_body_without_a_length_is_refused_when_it_has_grown_too_large(
        self, client: TestClient, path: str, headers: dict[str, str]
    ) -> None:
        answer = client.post(path, content=pieces(PLAIN_BYTES + 2, []), headers=headers)
        assert answer.status_code == 413

    def test_many_large_fields_are_no_way_around(self, client: TestClient, parts: Parts) -> None:
        limit = most_bytes("multipart/form-data; boundary=b", parts.settings)
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
        headers = {"content-type": "multipart/form-data; boundary=b", "content-length": str(limit + 1)}
        assert client.post("/register", content=head, headers=headers).status_code == 413

    def test_files_have_more_room(self, parts: Parts) -> None:
        settings = parts.settings
        room = most_bytes("Multipart/Form-Data; boundary=b", settings)
        assert room > max(settings.max_upload_mb, settings.max_import_mb) * MIB
        assert most_bytes("", settings) == most_bytes("application/json", settings) == PLAIN_BYTES

    def test_a_length_that_is_no_number(self, client: TestClient) -> None:
        headers = {**FORM, "content-length": "many"}
        assert client.post("/sign-in", content=b"a=b", headers=headers).status_code in (400, 422)


class TestOrigins:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"sec-fetch-site": "cross-site"}, 403),
            ({"sec-fetch-site": "same-site"}, 403),
            ({"origin": "https://evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({"origin": "http://testserver.evil.example"}, 403),
            ({"origin": "http://testserver", "sec-fetch-site": "cross-site"}, 403),
            ({"origin": "http://testserver"}, 303),
            ({"sec-fetch-site": "same-origin"}, 303),
            ({}, 303),
        ],
    )
    def test_writes_come_from_our_own_pages(
        self, client: TestClient, headers: dict[str, str], status: int
    ) -> None:
        answer = client.post("/preferences", data={"lang": "en"}, headers=headers)
        assert answer.status_code == status

    def test_a_bearer_token_takes_the_cookie_out_of_play(
        self, client: TestClient, parts: Parts, sign_in: Callable[[TestClient, Actor], TestClient]
    ) -> None:
        sign_in(client, person(parts))
        headers = {"origin": "https://evil.example", "authorization": "Bearer nonsense"}
        assert client.put("/api/v1/me", json={"name": "x"}, headers=headers).status_code == 401


class TestCaches:
    def test_what_somebody_signed_in_sees_is_kept_nowhere(
        self, client: TestClient, parts: Parts, sign_in: Callable[[TestClient, Actor], TestClient]
    ) -> None:
        sign_in(client, person(parts))
        for path in ("/account", "/api/v1/me", "/api/v1/results", "/no-such-page", "/sign-in"):
            assert client.get(path).headers["cache-control"] == "private, no-store", path

    def test_what_a_token_sees_is_kept_nowhere(self, client: TestClient, parts: Parts) -> None:
        with parts.db.write() as session:
            parties = Parties(session, parts.clock.now())
            actor = parties.actor(parties.person((parties.organisation(), Role.BIDDER)))
            entered = TokenInput(name="t", scopes=["read"], days=30)
            _, secret = accounts.create_token(session, actor, entered, parts.clock.now())
        answer = client.get("/api/v1/me", headers={"authorization": f"Bearer {secret}"})
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "private, no-store")

    def test_public_files_stay_cached(
        self, client: TestClient, parts: Parts, sign_in: Callable[[TestClient, Actor], TestClient]
    ) -> None:
        sign_in(client, person(parts))
        answer = client.get("/static/css/market.css?v=1")
        assert "immutable" in answer.headers["cache-control"]


class TestBehindAProxy:
    def test_the_address_of_a_trusted_proxy_is_not_the_client(self, parts: Parts, monkeypatch: Any) -> None:
        given: dict[str, Any] = {}

        class Configured(Exception):
            """The server got its options."""

        def configure(_app: Any, **options: Any) -> None:
            given.update(options)
            raise Configured

        monkeypatch.setattr(serve.uvicorn, "Config", configure)
        with pytest.raises(Configured):
            serve.run(parts)
        assert given["proxy_headers"] is True
        assert given["forwarded_allow_ips"] == parts.settings.trusted_proxies == "127.0.0.1,::1"

    def test_nobody_is_trusted_blindly(self) -> None:
        with pytest.raises(ValidationError, match="trusted_proxies"):
            Settings(trusted_proxies="*")


class TestRaces:
    def test_two_who_pass_the_same_check_at_once(
        self,
        client: TestClient,
        parts: Parts,
        sign_in: Callable[[TestClient, Actor], TestClient],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        sign_in(client, person(parts))

        def twice(session: Session, *_args: Any) -> None:
            session.add_all(Industry(code="same", name="同", updated_at=parts.clock.now()) for _ in range(2))
            session.flush()

        monkeypatch.setattr(members, "edit_profile", twice)
        answer = client.put("/api/v1/me", json={"name": "林"})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        with parts.db.read() as session:
            assert session.get(Industry, "same") is None

    def test_other_violations_stay_faults(
        self,
        parts: Parts,
        sign_in: Callable[[TestClient, Actor], TestClient],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        quiet = TestClient(create_app(parts), raise_server_exceptions=False)
        sign_in(quiet, person(parts))

        def orphan(session: Session, *_args: Any) -> None:
            session.add(MembershipRow(person_id=10**9, organisation_id=10**9, role="bidder", created_at=NOW))
            session.flush()

        monkeypatch.setattr(members, "edit_profile", orphan)
        assert quiet.put("/api/v1/me", json={"name": "林"}).status_code == 500


def test_what_is_copied_stays_inside_its_attribute() -> None:
    template = '{% import "components/ui.html" as ui with context %}{{ ui.copy(value, "R") }}'
    env = environment("en")
    receipt = {"id": 'a" onclick="x', "note": "<b>&amp;"}
    for value, meant in ((filters.do_tojson(EvalContext(env), receipt), receipt), ('"&lt;', '"&lt;')):
        html = env.from_string(template).render(value=value)
        copied = unescape(html.split('data-copy="')[1].split('"')[0])
        assert (json.loads(copied) if meant is receipt else copied) == meant


def test_bad_settings_do_not_print_secrets() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(environment="production", secret_key="hush-hush", demo_password="whisper")
    told = f"{raised.value} {raised.value.errors(include_input=False)}"
    assert "hush" not in told
    assert "whisper" not in told


def test_secrets_are_stored_as_digests_only() -> None:
    secret = access.new_secret()
    assert secret not in access.digest(secret)
    assert len(secret) >= 43
