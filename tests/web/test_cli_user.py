"""`market user`: the first administrator, emergencies, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from click.testing import Result
from typer.testing import CliRunner

from market.audit import AuditRecord
from market.db import t
from market.parties import access, accounts, passwords
from market.parties.models import Organisation
from market.permissions import Role
from tests.market.parties import Parties, credit_code
from web import cli_support, cli_user
from web.wiring import Parts

PASSWORD = "correct horse battery"
Run = Callable[..., Result]


@pytest.fixture
def run(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command over the test's market and gives its result."""
    monkeypatch.setattr(cli_user, "parts", lambda: parts)
    monkeypatch.setattr(cli_support.console, "width", 200)

    def command(*words: str, stdin: str = "") -> Result:
        return CliRunner().invoke(cli_user.app, list(words), input=stdin)

    with parts.db.write() as session:
        Parties(session, parts.clock.now())
    return command


def add(run: Run, code: str, email: str = "boss@example.com", *more: str, password: str = PASSWORD) -> Result:
    words = ["add", email, "管理员", "--role", "administrator", "-o", code, "--password-stdin", *more]
    return run(*words, stdin=f"{password}\n")


def test_the_first_administrator(run: Run, parts: Parts) -> None:
    code = credit_code()
    assert add(run, code).exit_code == 1
    made = add(run, code, "Boss@Example.com", "--organisation-name", "温岭市科学技术局")
    assert made.exit_code == 0, made.output
    with parts.db.read() as session:
        person = accounts.account_of(session, "boss@example.com")
        assert person is not None
        assert passwords.verify(PASSWORD, person.password_hash)[0]
        held = access.memberships_of(session, person.id)
        assert [(each.role, each.verified) for each in held] == [(Role.ADMINISTRATOR, True)]
        vias = set(session.scalars(sa.select(t(AuditRecord).c.via)))
        assert vias == {"command"}
        assert session.scalar(sa.select(t(Organisation).c.region_code)) == "331081"


@pytest.mark.parametrize("password", ["short", "boss@example.com", "aaaaaaaaaaaa"])
def test_weak_passwords_are_refused(run: Run, password: str) -> None:
    refused = add(run, credit_code(), "boss@example.com", "--organisation-name", "科技局", password=password)
    assert refused.exit_code == 1


def test_an_account_is_made_once(run: Run) -> None:
    code = credit_code()
    assert add(run, code, "boss@example.com", "--organisation-name", "科技局").exit_code == 0
    assert add(run, code).exit_code == 1


def test_roles_activity_passwords_and_sessions(run: Run, parts: Parts) -> None:
    code = credit_code()
    add(run, code, "boss@example.com", "--organisation-name", "科技局")
    last = run("role", "end", "boss@example.com", "--role", "administrator", "-o", code)
    assert last.exit_code == 1
    assert run("deactivate", "boss@example.com").exit_code == 1
    assert run("role", "grant", "boss@example.com", "--role", "staff", "-o", code).exit_code == 0
    assert run("role", "grant", "boss@example.com", "--role", "staff", "-o", code).exit_code == 1
    assert run("role", "end", "boss@example.com", "--role", "staff", "-o", code).exit_code == 0
    assert run("role", "end", "boss@example.com", "--role", "staff", "-o", code).exit_code == 1
    second = add(run, code, "second@example.com")
    assert second.exit_code == 0, second.output
    listed = run("list", "--role", "administrator")
    assert "second@example.com" in listed.output
    assert run("deactivate", "second@example.com").exit_code == 0
    assert run("activate", "second@example.com").exit_code == 0
    assert run("activate", "nobody@example.com").exit_code == 1
    reset = run("reset-password", "second@example.com", "--password-stdin", stdin="another long one\n")
    assert reset.exit_code == 0, reset.output
    with parts.db.read() as session:
        person = accounts.account_of(session, "second@example.com")
    assert person is not None
    assert passwords.verify("another long one", person.password_hash)[0]
    assert run("revoke-sessions", "second@example.com").exit_code == 0
