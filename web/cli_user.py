"""`market user`: accounts and roles from the server's own command line, for the first administrator and
for emergencies. Whoever may run it may do everything; each change is audited as made by the command line."""

from __future__ import annotations

import sys
from typing import Annotated

import sqlalchemy as sa
import typer
from rich.table import Table

from market import audit
from market.db import Session, t
from market.errors import InvalidInput, NotFound
from market.parties import accounts, members, passwords, queries, rules, service
from market.parties.inputs import EmailInput, NewPasswordInput, OrganisationInput, ProfileInput
from market.parties.models import MembershipRow, Organisation, OrganisationKind, Person
from market.parties.rules import OrganisationStep
from market.permissions import COMMAND_LINE, Role
from web import i18n
from web.cli_support import console, is_terminal, parts, refusals

app = typer.Typer(no_args_is_help=True, help="Accounts and roles.")
roles = typer.Typer(no_args_is_help=True, help="Give and end roles.")
app.add_typer(roles, name="role")

EmailArgument = Annotated[str, typer.Argument(help="The account's e-mail address.")]
OrganisationOption = Annotated[
    str, typer.Option("--organisation", "-o", help="Unified social credit code of the organisation.")
]
RoleOption = Annotated[Role, typer.Option("--role", "-r", help="What the person may do.")]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


def _read_password(from_stdin: bool, *, email: str, name: str) -> str:
    if from_stdin:
        given = sys.stdin.readline().rstrip("\n")
    elif is_terminal():
        given = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        raise InvalidInput([("password", "missing", {})])
    password = NewPasswordInput(password=given).password
    rules.check_password(password, email=email, name=name)
    return password


def _person(session: Session, email: str) -> Person:
    wanted = EmailInput(email=email).email
    row = session.scalars(sa.select(Person).where(t(Person).c.email == wanted)).one_or_none()
    if row is None:
        raise NotFound(field="email")
    return row


def _organisation(session: Session, code: str) -> Organisation | None:
    statement = sa.select(Organisation).where(t(Organisation).c.credit_code == code.strip().upper())
    return session.scalars(statement).one_or_none()


def _organisation_id(session: Session, code: str) -> int:
    row = _organisation(session, code)
    if row is None or row.id is None:
        raise NotFound(field="organisation")
    return row.id


def _ensure_organisation(session: Session, code: str, name: str, kind: OrganisationKind) -> int:
    """The organisation with a credit code, made and verified at once when it is new and has a name."""
    held = _organisation(session, code)
    if held is not None and held.id is not None:
        return held.id
    if not name:
        raise NotFound(field="organisation")
    settings, now = parts().settings, parts().clock.now()
    entered = OrganisationInput(name=name, kind=kind, credit_code=code, region_code=settings.region_code)
    row = service.create_organisation(session, COMMAND_LINE, entered, now)
    assert row.id is not None
    service.decide(session, COMMAND_LINE, row.id, OrganisationStep.VERIFY, now)
    return row.id


@app.command()
def add(
    email: EmailArgument,
    name: Annotated[str, typer.Argument(help="The person's name.")],
    role: RoleOption,
    organisation: OrganisationOption,
    organisation_name: Annotated[
        str, typer.Option(help="Registers and verifies the organisation when its code is not known yet.")
    ] = "",
    organisation_kind: Annotated[
        OrganisationKind, typer.Option(help="What that organisation is.")
    ] = OrganisationKind.GOVERNMENT,
    language: Annotated[str, typer.Option(help="zh-Hans or en")] = "zh-Hans",
    password_stdin: Stdin = False,
) -> None:
    """Make an account with a password and a role in an organisation."""
    joined = parts()
    with refusals():
        address = EmailInput(email=email).email
        profile = ProfileInput(name=name, language=language)
        hashed = passwords.hash_password(_read_password(password_stdin, email=address, name=profile.name))
        now = joined.clock.now()
        with joined.db.write() as session:
            organisation_id = _ensure_organisation(
                session, organisation, organisation_name, organisation_kind
            )
            person = members.new_person(
                session,
                email=address,
                name=profile.name,
                language=profile.language,
                password_hash=hashed,
                now=now,
            )
            assert person.id is not None
            after = {"name": person.name, "email": person.email}
            audit.record(session, COMMAND_LINE, "person.created", person.id, now, after=after)
            members.grant(session, COMMAND_LINE, person.id, organisation_id, role, now)
    console.print(f"[green]{address}[/green] {i18n.label(role, 'en')}")


@app.command("list")
def list_people(
    words: Annotated[str, typer.Argument(help="Part of a name or e-mail address.")] = "",
    role: Annotated[Role | None, typer.Option("--role", "-r", help="Only those who hold it.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 100,
) -> None:
    """List accounts, newest first."""
    with parts().db.read() as session:
        found, total = queries.people(session, COMMAND_LINE, words=words, role=role, limit=limit)
    table = Table("id", "name", "e-mail", "works", "roles", "last sign-in (UTC)")
    for row in found:
        held = "\n".join(f"{i18n.label(each, 'en')}, {name}" for _, name, each in row.roles)
        seen = row.last_sign_in_at.strftime("%Y-%m-%d %H:%M") if row.last_sign_in_at else ""
        table.add_row(str(row.id), row.name, row.email, "yes" if row.active else "no", held, seen)
    console.print(table)
    if total > len(found):
        console.print(f"{len(found)} / {total}")


def _set_active(email: str, active: bool) -> None:
    with refusals(), parts().db.write() as session:
        row = _person(session, email)
        assert row.id is not None
        members.set_active(session, COMMAND_LINE, row.id, active, parts().clock.now())
    console.print(f"[green]{row.email}[/green] {'activated' if active else 'deactivated'}")


@app.command()
def deactivate(email: EmailArgument) -> None:
    """End an account: its sign-ins and tokens stop working at once."""
    _set_active(email, active=False)


@app.command()
def activate(email: EmailArgument) -> None:
    """Let somebody sign in again."""
    _set_active(email, active=True)


@roles.command("grant")
def grant_role(email: EmailArgument, role: RoleOption, organisation: OrganisationOption) -> None:
    """Give somebody a role in an organisation."""
    with refusals(), parts().db.write() as session:
        row = _person(session, email)
        assert row.id is not None
        organisation_id = _organisation_id(session, organisation)
        members.grant(session, COMMAND_LINE, row.id, organisation_id, role, parts().clock.now())
    console.print(f"[green]{row.email}[/green] + {i18n.label(role, 'en')}")


@roles.command("end")
def end_role(email: EmailArgument, role: RoleOption, organisation: OrganisationOption) -> None:
    """End a role that somebody holds."""
    with refusals(), parts().db.write() as session:
        row = _person(session, email)
        organisation_id = _organisation_id(session, organisation)
        m = t(MembershipRow).c
        held = session.scalar(
            sa.select(m.id).where(
                m.person_id == row.id,
                m.organisation_id == organisation_id,
                m.role == role.value,
                m.ended_at.is_(None),
            )
        )
        if held is None:
            raise NotFound(field="role")
        members.end_membership(session, COMMAND_LINE, organisation_id, held, parts().clock.now())
    console.print(f"[green]{row.email}[/green] - {i18n.label(role, 'en')}")


@app.command("reset-password")
def reset_password(email: EmailArgument, password_stdin: Stdin = False) -> None:
    """Set somebody's password; all their sign-ins end and they are told by mail."""
    joined = parts()
    with refusals():
        with joined.db.read() as session:
            row = _person(session, email)
            person_id, address, name = row.id, row.email, row.name
        assert person_id is not None
        hashed = passwords.hash_password(_read_password(password_stdin, email=address, name=name))
        with joined.db.write() as session:
            accounts.set_password(session, COMMAND_LINE, person_id, hashed, joined.clock.now())
    console.print(f"[green]{address}[/green] password set, signed out everywhere")


@app.command("revoke-sessions")
def revoke_sessions(email: EmailArgument) -> None:
    """Sign somebody out everywhere."""
    with refusals(), parts().db.write() as session:
        row = _person(session, email)
        assert row.id is not None
        ended = accounts.revoke_sessions(session, COMMAND_LINE, row.id, parts().clock.now())
    console.print(f"[green]{row.email}[/green] {ended} ended")
