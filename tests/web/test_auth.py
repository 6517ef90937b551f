"""Signing in and out, registering, mailed links: what a browser sees, on both databases."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from starlette.testclient import TestClient

from market.clock import FixedClock
from market.db import t
from market.parties import access, passwords
from market.parties.models import Organisation, Person, SignInSession
from market.permissions import Actor, Role
from market.taxonomy.seed import seed_taxonomy
from market.work import run_one
from tests.market.parties import Parties, credit_code
from web import mailing, wiring
from web.app import create_app
from web.deps import COOKIE
from web.mail import MemoryMailer
from web.wiring import Parts

PASSWORD = "correct horse battery"
CHEAP = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
"""Hashes that cost nothing: what is tested here is everything around them."""
HASH = CHEAP.hash(PASSWORD)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_hasher", CHEAP)


def person(parts: Parts, email: str = "lin@example.com", role: Role = Role.BIDDER, **values: Any) -> Actor:
    with parts.db.write() as session:
        parties = Parties(session, parts.clock.now())
        office = parties.organisation()
        person_id = parties.person((office, role), email=email, password_hash=HASH, **values)
        return parties.actor(person_id)


def enter(client: TestClient, email: str = "lin@example.com", password: str = PASSWORD, **more: str) -> Any:
    return client.post("/sign-in", data={"email": email, "password": password, **more})


def work(parts: Parts) -> list[Any]:
    """Runs the background work and returns the mail sent."""
    while run_one(parts.db, mailing.handlers(parts), parts.clock.now):
        pass
    assert isinstance(parts.mailer, MemoryMailer)
    return parts.mailer.sent


class TestSigningIn:
    def test_in_and_out(self, parts: Parts, client: TestClient) -> None:
        person(parts)
        page = client.get("/sign-in", params={"next": "/account"})
        assert page.status_code == 200
        assert 'name="next" value="/account"' in page.text
        answer = enter(client, " LIN@example.com ", next="/account")
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        cookie = next(value for value in answer.headers.get_list("set-cookie") if COOKIE in value).lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "secure" not in cookie
        assert "林晓" in client.get("/account").text
        assert client.get("/sign-in").headers["location"] == "/"
        answer = client.post("/sign-out")
        assert answer.headers["location"] == "/"
        assert client.get("/account").headers["location"] == "/sign-in?next=/account"

    def test_signing_out_ends_the_session_itself(self, parts: Parts, client: TestClient) -> None:
        person(parts)
        enter(client)
        secret = client.cookies[COOKIE]
        client.post("/sign-out")
        with parts.db.read() as session:
            assert access.actor_for_session(session, secret, parts.clock.now()) is None

    def test_the_session_is_rotated(self, parts: Parts, client: TestClient) -> None:
        person(parts)
        enter(client)
        first = client.cookies[COOKIE]
        enter(client)
        assert client.cookies[COOKIE] != first
        with parts.db.read() as session:
            assert access.actor_for_session(session, first, parts.clock.now()) is None

    def test_a_strange_cookie_is_no_session(self, parts: Parts, client: TestClient) -> None:
        client.cookies.set(COOKIE, "guessed")
        assert client.get("/account").status_code == 303

    @pytest.mark.parametrize(
        "next_path", ["https://evil.example/", "//evil.example", "/\\evil", "javascript:x"]
    )
    def test_next_stays_on_this_site(self, parts: Parts, client: TestClient, next_path: str) -> None:
        person(parts)
        assert enter(client, next=next_path).headers["location"] == "/"

    @pytest.mark.parametrize(
        ("email", "password"),
        [
            ("lin@example.com", "wrong"),
            ("nobody@example.com", PASSWORD),
            ("gone@example.com", PASSWORD),
            ("", ""),
            ("a\x00b@example.com", "\x00"),
            ("not an address", PASSWORD),
        ],
    )
    def test_whatever_is_wrong_the_answer_is_the_same(
        self, parts: Parts, client: TestClient, email: str, password: str
    ) -> None:
        person(parts)
        person(parts, "gone@example.com", active=False)
        answer = enter(client, email, password)
        assert answer.status_code == 422
        assert "The e-mail address or the password is not right" in answer.text
        assert COOKIE not in answer.cookies
        if email.isascii() and "\x00" not in email and email:
            assert f'value="{email}"' in answer.text
        assert password == "" or "\x00" in password or f'value="{password}"' not in answer.text

    def test_somebody_unknown_costs_a_hash_all_the_same(
        self, parts: Parts, client: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str | None] = []
        verify = passwords.verify

        def noting(password: str, stored: str | None) -> tuple[bool, str | None]:
            asked.append(stored)
            return verify(password, stored)

        monkeypatch.setattr(passwords, "verify", noting)
        enter(client, "nobody@example.com")
        assert asked == [None]

    def test_too_many_tries_have_to_wait(self, parts: Parts, client: TestClient) -> None:
        person(parts)
        person(parts, "other@example.com")
        for _ in range(parts.settings.sign_in_tries):
            assert enter(client, password="wrong").status_code == 422
        answer = enter(client)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["retry-after"]) <= 900
        assert "Too many attempts" in answer.text
        assert enter(client, "other@example.com").status_code == 303

    def test_a_success_forgives_the_failures(self, parts: Parts, client: TestClient) -> None:
        person(parts)
        for _ in range(3):
            for _ in range(parts.settings.sign_in_tries - 1):
                enter(client, password="wrong")
            assert enter(client).status_code == 303

    def test_another_sites_form_is_refused(self, parts: Parts, client: TestClient) -> None:
        person(parts)
        answer = client.post(
            "/sign-in",
            data={"email": "lin@example.com", "password": PASSWORD},
            headers={"origin": "https://evil.example"},
        )
        assert answer.status_code == 403

    def test_the_language_of_the_person_is_taken_where_none_was_chosen(
        self, parts: Parts, client: TestClient
    ) -> None:
        person(parts, language="zh-Hans")
        assert enter(client).cookies["lang"] == "zh-Hans"
        client.cookies.set("lang", "en")
        assert "lang" not in enter(client).cookies


class TestHttps:
    def test_the_cookie_is_secure(self, parts: Parts) -> None:
        person(parts)
        parts.settings = parts.settings.model_copy(update={"base_url": "https://testserver"})
        client = TestClient(create_app(parts), base_url="https://testserver", follow_redirects=False)
        cookies = enter(client).headers.get_list("set-cookie")
        assert any(COOKIE in value and "Secure" in value for value in cookies)


class TestDemo:
    @pytest.fixture
    def demo(self, parts: wiring.Parts) -> TestClient:
        parts.settings = parts.settings.model_copy(update={"demo": True})
        return TestClient(create_app(parts), headers={"accept-language": "en"}, follow_redirects=False)

    def test_accounts_are_offered_by_role_and_one_click_signs_in(
        self, parts: Parts, demo: TestClient
    ) -> None:
        hashed = passwords.hash_password(parts.settings.demo_password.get_secret_value())
        with parts.db.write() as session:
            parties = Parties(session, parts.clock.now())
            office = parties.organisation()
            shown = parties.person((office, Role.STAFF), name="演示员", demo=True, password_hash=hashed)
            real = parties.person((office, Role.STAFF), name="真实员", password_hash=hashed)
        page = demo.get("/sign-in").text
        assert "演示员" in page
        assert "Market staff (auctioneer)" in page
        assert "真实员" not in page
        assert demo.post("/sign-in", data={"demo": str(real)}).status_code == 422
        assert demo.post("/sign-in", data={"demo": "x" * 30}).status_code == 422
        answer = demo.post("/sign-in", data={"demo": str(shown), "next": "/account"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")

    def test_never_outside_demo_mode(self, parts: Parts, client: TestClient) -> None:
        hashed = passwords.hash_password(parts.settings.demo_password.get_secret_value())
        with parts.db.write() as session:
            parties = Parties(session, parts.clock.now())
            shown = parties.person((parties.organisation(), Role.STAFF), demo=True, password_hash=hashed)
            email = session.scalar(sa.select(t(Person).c.email).where(t(Person).c.id == shown))
        assert "Demonstration accounts" not in client.get("/sign-in").text
        assert client.post("/sign-in", data={"demo": str(shown)}).status_code == 422
        # Their password is published, so it opens nothing where a demo was loaded once.
        password = parts.settings.demo_password.get_secret_value()
        assert enter(client, str(email), password).status_code == 422


class TestSlidingSessions:
    def test_use_is_noted_now_and_then_and_moves_the_end(
        self, parts: Parts, client: TestClient, clock: FixedClock
    ) -> None:
        person(parts)
        enter(client)

        def row() -> Any:
            with parts.db.read() as session:
                columns = t(SignInSession).c
                return session.execute(sa.select(columns.seen_at, columns.expires_at)).one()

        start = clock.now()
        clock.advance(minutes=9)
        assert COOKIE not in client.get("/account").cookies
        assert row().seen_at == start
        clock.advance(minutes=2)
        assert COOKIE in client.get("/account").cookies
        assert row() == (clock.now(), clock.now() + dt.timedelta(days=parts.settings.session_days))
        for _ in range(4):
            clock.advance(days=10)
            assert client.get("/account").status_code == 200
        clock.advance(days=15)
        assert client.get("/account").status_code == 303


def registration(**changes: str) -> dict[str, str]:
    return {
        "name": "林晓",
        "email": "lin@example.com",
        "phone": "13800000000",
        "password": PASSWORD,
        "organisation.name": "温岭某泵业有限公司",
        "organisation.kind": "firm",
        "organisation.credit_code": credit_code(),
        "organisation.region_code": "331081",
        **changes,
    }


class TestRegistering:
    @pytest.fixture(autouse=True)
    def taxonomy(self, parts: Parts) -> None:
        with parts.db.write() as session:
            seed_taxonomy(session, parts.clock.now())

    def test_one_form_makes_person_and_organisation(self, parts: Parts, client: TestClient) -> None:
        page = client.get("/register")
        assert page.status_code == 200
        assert '<option value="331081" selected>' in page.text
        answer = client.post("/register", data=registration())
        assert answer.status_code == 303
        profile = client.get(answer.headers["location"])
        assert "Waiting to be verified" in profile.text
        with parts.db.read() as session:
            assert session.scalars(sa.select(t(Organisation).c.state)).all() == ["pending"]
        visitor = TestClient(client.app, follow_redirects=False)
        assert visitor.get(answer.headers["location"]).status_code == 404

    @pytest.mark.parametrize(
        ("language", "sentence"),
        [
            ("en", "The check character does not fit: the last one should be B"),
            ("zh-CN", "B"),
        ],
    )
    def test_a_bad_credit_code_is_told_at_its_field_and_nothing_entered_is_lost(
        self, client: TestClient, language: str, sentence: str
    ) -> None:
        entered = registration(**{"organisation.credit_code": "91330100799655058A"})
        page = client.post("/register", data=entered, headers={"accept-language": language})
        assert page.status_code == 422
        error = re.search(r'id="f-organisation\.credit_code-error">(.*?)</p>', page.text, re.DOTALL)
        assert error is not None
        assert sentence in error[1]
        assert ("校验" in error[1]) is (language == "zh-CN")
        for name in ("name", "email", "phone", "organisation.name", "organisation.credit_code"):
            assert f'value="{entered[name]}"' in page.text
        assert '<option value="firm" selected>' in page.text
        assert PASSWORD not in page.text
        assert COOKIE not in page.cookies

    def test_everything_wrong_is_told_at_once(self, client: TestClient) -> None:
        page = client.post("/register", data={"email": "x", "password": "short"})
        assert page.status_code == 422
        for field in ("name", "email", "password"):
            assert f'id="f-{field}-error"' in page.text

    def test_an_organisation_registers_once(self, client: TestClient) -> None:
        entered = registration()
        assert client.post("/register", data=entered).status_code == 303
        again = client.post("/register", data={**entered, "email": "other@example.com"})
        assert again.status_code == 409
        assert 'id="f-organisation.credit_code-error"' in again.text
        assert 'value="other@example.com"' in again.text


class TestForgottenPasswords:
    def test_from_asking_to_signing_in(self, parts: Parts, client: TestClient, clock: FixedClock) -> None:
        person(parts, language="en")
        enter(client)
        page = client.post("/password/forgot", data={"email": "LIN@example.com"})
        assert "a link is on its way" in page.text
        mail = work(parts)[0]
        assert mail.to == "lin@example.com"
        assert "choose a new password" in mail.subject
        assert "Hello 林晓" in mail.body
        link = re.search(r"http://testserver(/password/reset\?token=\S+)", mail.body)
        assert link is not None
        form = client.get(link[1])
        assert form.status_code == 200
        assert form.headers["referrer-policy"] == "no-referrer"
        assert "lin@example.com" in form.text
        token = link[1].partition("=")[2]
        weak = client.post("/password/reset", data={"token": token, "password": "lin@example.com"})
        assert weak.status_code == 422
        assert "must not be your e-mail address" in weak.text
        answer = client.post("/password/reset", data={"token": token, "password": "another long one"})
        assert answer.headers["location"] == "/sign-in"
        assert client.get("/account").status_code == 303
        assert enter(client).status_code == 422
        assert enter(client, password="another long one").status_code == 303
        assert client.get(link[1]).status_code == 410
        again = client.post("/password/reset", data={"token": token, "password": "a third long one"})
        assert again.status_code == 410
        assert "your password was changed" in work(parts)[1].subject

    def test_the_link_ends_after_an_hour(self, parts: Parts, client: TestClient, clock: FixedClock) -> None:
        person(parts)
        client.post("/password/forgot", data={"email": "lin@example.com"})
        link = re.search(r"/password/reset\?token=\S+", work(parts)[0].body)
        assert link is not None
        clock.advance(minutes=59)
        assert client.get(link[0]).status_code == 200
        clock.advance(minutes=1)
        assert client.get(link[0]).status_code == 410

    def test_nobody_learns_who_has_an_account(self, parts: Parts, client: TestClient) -> None:
        person(parts)
        known = client.post("/password/forgot", data={"email": "lin@example.com"})
        unknown = client.post("/password/forgot", data={"email": "nil@example.com"})
        assert known.text == unknown.text
        assert [mail.to for mail in work(parts)] == ["lin@example.com"]

    def test_the_secret_is_stored_nowhere(self, parts: Parts, client: TestClient) -> None:
        person(parts)
        client.post("/password/forgot", data={"email": "lin@example.com"})
        link = re.search(r"token=(\S+)", work(parts)[0].body)
        assert link is not None
        with parts.db.read() as session:
            for table in ("work_item", "password_reset", "audit_record"):
                assert link[1] not in str(session.execute(sa.text(f"SELECT * FROM {table}")).all())

    def test_links_are_limited(self, parts: Parts, client: TestClient) -> None:
        for _ in range(5):
            assert client.post("/password/forgot", data={"email": "lin@example.com"}).status_code == 200
        answer = client.post("/password/forgot", data={"email": "lin@example.com"})
        assert answer.status_code == 429
        assert "retry-after" in answer.headers
        assert client.post("/password/forgot", data={"email": "nil@example.com"}).status_code == 200

    def test_no_address_is_told_at_the_field(self, client: TestClient) -> None:
        page = client.post("/password/forgot", data={"email": "nobody"})
        assert page.status_code == 422
        assert 'id="f-email-error"' in page.text


class TestAccount:
    SignIn = Callable[[TestClient, Actor], TestClient]

    def test_every_page_wants_somebody(self, client: TestClient) -> None:
        for path in ("/account", "/account/security", "/account/tokens", "/admin", "/admin/people"):
            assert client.get(path).headers["location"].startswith("/sign-in?next=")

    def test_profile(self, parts: Parts, client: TestClient) -> None:
        person(parts)
        enter(client)
        answer = client.post("/account", data={"name": "林小小", "language": "en", "phone": "0576-86110000"})
        assert answer.cookies["lang"] == "en"
        assert "林小小" in client.get("/account").text
        assert client.get("/me").headers["location"] == "/account"
        bad = client.post("/account", data={"name": "", "language": "en", "phone": "call me"})
        assert bad.status_code == 422
        assert 'value="call me"' in bad.text

    def test_changing_the_password_signs_out_elsewhere(self, parts: Parts, client: TestClient) -> None:
        person(parts, language="en")
        elsewhere = TestClient(client.app, follow_redirects=False)
        enter(elsewhere)
        enter(client)
        wrong = client.post(
            "/account/password", data={"current_password": "no", "password": "another long one"}
        )
        assert wrong.status_code == 422
        assert "The present password is not right" in wrong.text
        answer = client.post(
            "/account/password", data={"current_password": PASSWORD, "password": "another long one"}
        )
        assert answer.headers["location"] == "/account/security"
        assert client.get("/account").status_code == 200
        assert elsewhere.get("/account").status_code == 303

    def test_sessions_are_listed_and_revoked(self, parts: Parts, client: TestClient) -> None:
        person(parts)
        other = TestClient(client.app, headers={"user-agent": "Old phone"}, follow_redirects=False)
        enter(other)
        enter(client)
        page = client.get("/account/security").text
        assert "Old phone" in page
        path = re.search(r"/account/sessions/\d+/revoke", page)
        assert path is not None
        client.post(path[0])
        assert other.get("/account").status_code == 303
        assert client.post(path[0]).status_code == 404
        enter(other)
        client.post("/account/sessions/revoke-others")
        assert other.get("/account").status_code == 303
        assert client.get("/account").status_code == 200

    def test_a_token_is_shown_once(self, parts: Parts, client: TestClient) -> None:
        person(parts)
        enter(client)
        made = client.post("/account/tokens", data={"name": "sync", "scopes": ["read", "bid"], "days": "30"})
        secret = re.search(r"mkt_[\w-]{30,}", made.text)
        assert made.status_code == 200
        assert secret is not None
        page = client.get("/account/tokens").text
        assert secret[0] not in page
        assert secret[0][:12] in page
        bare = TestClient(client.app)
        headers = {"authorization": f"Bearer {secret[0]}"}
        me = bare.get("/api/v1/me", headers=headers).json()
        assert (me["name"], me["via"], me["scopes"]) == ("林晓", "token", ["bid", "read"])
        path = re.search(r"/account/tokens/\d+/revoke", page)
        assert path is not None
        client.post(path[0])
        assert bare.get("/api/v1/me", headers=headers).status_code == 401
        nothing = client.post("/account/tokens", data={"name": "kept", "days": "30"})
        assert nothing.status_code == 422
        assert 'value="kept"' in nothing.text
