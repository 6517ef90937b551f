"""Roles and accounts: granting and ending, the last administrator, sessions, links, tokens."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from market.audit import AuditRecord, find
from market.db import Session, t
from market.errors import InvalidInput, NotAllowed, NotFound, SignInRequired
from market.parties import access, accounts, members, passwords, queries, rules, service
from market.parties.inputs import MembershipInput, ProfileInput, TokenInput
from market.parties.models import Person
from market.parties.rules import LastAdministrator, OrganisationStep
from market.permissions import MARKET_ROLES, VISITOR, Actor, Role, Scope, Via
from market.work import WorkItem
from tests.market.parties import Parties

FORTNIGHT = dt.timedelta(days=14)


@pytest.fixture
def parties(session: Session, now: dt.datetime) -> Parties:
    return Parties(session, now)


def work_of(session: Session, kind: str) -> list[dict[str, Any]]:
    return list(session.scalars(sa.select(t(WorkItem).c.payload).where(t(WorkItem).c.kind == kind)))


class TestMemberships:
    def test_a_new_person_is_invited_and_an_old_one_is_not(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        organisation_id = parties.organisation()
        staff = parties.market(Role.STAFF)
        entered = MembershipInput(email="New@Example.com", name="新同事", role=Role.BIDDER)
        row = members.add_membership(session, staff, organisation_id, entered, now)
        assert [each["email"] for each in work_of(session, "account.link")] == ["new@example.com"]
        again = MembershipInput(email="new@example.com", role=Role.DEMAND_OWNER)
        members.add_membership(session, staff, organisation_id, again, now)
        assert len(work_of(session, "account.link")) == 1
        held = queries.members(session, organisation_id)
        assert {each.role for each in held} == {Role.BIDDER, Role.DEMAND_OWNER}
        with pytest.raises(members.RoleHeld):
            members.add_membership(session, staff, organisation_id, entered, now)
        assert row.id is not None
        members.end_membership(session, staff, organisation_id, row.id, now)
        renewed = members.add_membership(session, staff, organisation_id, entered, now)
        assert renewed.id == row.id

    def test_a_new_person_needs_a_name(self, parties: Parties, session: Session, now: dt.datetime) -> None:
        with pytest.raises(InvalidInput) as refused:
            members.add_membership(
                session,
                parties.market(Role.STAFF),
                parties.organisation(),
                MembershipInput(email="new@example.com", role=Role.BIDDER),
                now,
            )
        assert refused.value.problems == [("name", "missing", {})]

    @pytest.mark.parametrize("role", Role)
    def test_only_administrators_give_and_end_market_roles(
        self, parties: Parties, session: Session, now: dt.datetime, role: Role
    ) -> None:
        organisation_id, staff = parties.organisation(), parties.market(Role.STAFF)
        administrator = parties.market(Role.ADMINISTRATOR)
        person_id = parties.person()
        if role in MARKET_ROLES:
            with pytest.raises(NotAllowed):
                members.grant(session, staff, person_id, organisation_id, role, now)
        row = members.grant(session, administrator, person_id, organisation_id, role, now)
        assert row.id is not None
        if role in MARKET_ROLES:
            with pytest.raises(NotAllowed):
                members.end_membership(session, staff, organisation_id, row.id, now)
        members.end_membership(session, administrator, organisation_id, row.id, now)
        assert queries.members(session, organisation_id) == []

    def test_members_do_not_manage_members(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        organisation_id = parties.organisation()
        member = parties.actor(parties.person((organisation_id, Role.RESULTS_OFFICER)))
        entered = MembershipInput(email="new@example.com", name="新同事", role=Role.BIDDER)
        with pytest.raises(NotAllowed):
            members.add_membership(session, member, organisation_id, entered, now)
        with pytest.raises(NotFound):
            members.end_membership(session, parties.market(Role.STAFF), organisation_id, 10**15, now)


class TestTheLastAdministrator:
    Ender = Callable[[Session, Parties, Actor, dt.datetime], object]

    @staticmethod
    def end_role(session: Session, parties: Parties, actor: Actor, now: dt.datetime) -> None:
        organisation_id = actor.memberships[0].organisation_id
        held = [m for m in queries.members(session, organisation_id) if m.person_id == actor.person_id]
        members.end_membership(session, actor, organisation_id, held[0].id, now)

    @staticmethod
    def deactivate(session: Session, parties: Parties, actor: Actor, now: dt.datetime) -> None:
        assert actor.person_id is not None
        members.set_active(session, actor, actor.person_id, False, now)

    @staticmethod
    def suspend(session: Session, parties: Parties, actor: Actor, now: dt.datetime) -> None:
        organisation_id = actor.memberships[0].organisation_id
        staff = parties.market(Role.STAFF)
        service.decide(session, staff, organisation_id, OrganisationStep.SUSPEND, now, reason="核查")

    @pytest.mark.parametrize("end", ["end_role", "deactivate", "suspend"])
    def test_remains(self, parties: Parties, session: Session, now: dt.datetime, end: str) -> None:
        act: TestTheLastAdministrator.Ender = getattr(self, end)
        first = parties.market(Role.ADMINISTRATOR)
        with pytest.raises(LastAdministrator), session.begin_nested():
            act(session, parties, first, now)
        parties.market(Role.ADMINISTRATOR)
        act(session, parties, first, now)

    def test_a_deactivated_one_does_not_count(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        first, second = parties.market(Role.ADMINISTRATOR), parties.market(Role.ADMINISTRATOR)
        self.deactivate(session, parties, second, now)
        with pytest.raises(LastAdministrator):
            self.end_role(session, parties, first, now)

    def test_one_of_an_unverified_organisation_does_not_count(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        first = parties.market(Role.ADMINISTRATOR)
        parties.person((parties.organisation(state="suspended"), Role.ADMINISTRATOR))
        with pytest.raises(LastAdministrator):
            self.deactivate(session, parties, first, now)


class TestPeople:
    def test_deactivating_ends_sessions_and_tokens(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        person_id = parties.person()
        cookie = accounts.sign_in(session, person_id, now, lasts=FORTNIGHT)
        entered = TokenInput(name="x", scopes=[Scope.READ])
        _, token = accounts.create_token(session, parties.actor(person_id), entered, now)
        assert access.actor_for_session(session, cookie, now)
        assert access.actor_for_token(session, token, now)
        administrator = parties.market(Role.ADMINISTRATOR)
        members.set_active(session, administrator, person_id, False, now)
        assert accounts.account(session, person_id) is None
        members.set_active(session, administrator, person_id, True, now)
        assert access.actor_for_session(session, cookie, now) is None
        assert access.actor_for_token(session, token, now) is None
        with pytest.raises(NotAllowed):
            members.set_active(session, parties.market(Role.STAFF), person_id, False, now)

    def test_one_edits_oneself_and_administrators_everybody(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        person_id = parties.person()
        entered = ProfileInput(name="林小小", language="en")
        members.edit_profile(session, parties.actor(person_id), person_id, entered, now)
        assert queries.profile(session, person_id).language == "en"
        other = parties.actor(parties.person())
        with pytest.raises(NotAllowed):
            members.edit_profile(session, other, person_id, entered, now)
        with pytest.raises(NotAllowed):
            queries.people(session, parties.market(Role.STAFF))
        found, total = queries.people(session, parties.market(Role.ADMINISTRATOR), words="小小")
        assert ([each.id for each in found], total) == ([person_id], 1)


class TestSessions:
    def test_a_session_ends_when_it_was_not_used(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        secret = accounts.sign_in(session, parties.person(), now, lasts=FORTNIGHT)
        later = now + dt.timedelta(days=13)
        actor = access.actor_for_session(session, secret, later)
        assert actor is not None
        assert actor.seen_at == now
        accounts.note_use(session, actor, later, FORTNIGHT)
        assert access.actor_for_session(session, secret, now + dt.timedelta(days=26)) is not None
        assert access.actor_for_session(session, secret, now + dt.timedelta(days=28)) is None

    def test_only_a_digest_is_stored(self, parties: Parties, session: Session, now: dt.datetime) -> None:
        secret = accounts.sign_in(session, parties.person(), now, lasts=FORTNIGHT)
        for table in ("sign_in_session", "audit_record", "work_item"):
            rows = session.execute(sa.text(f"SELECT * FROM {table}")).all()
            assert secret not in str(rows)

    def test_signing_in_again_replaces_the_browsers_session(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        person_id = parties.person()
        first = accounts.sign_in(session, person_id, now, lasts=FORTNIGHT)
        second = accounts.sign_in(session, person_id, now, lasts=FORTNIGHT, replacing=first)
        assert access.actor_for_session(session, first, now) is None
        assert access.actor_for_session(session, second, now) is not None

    def test_what_a_browser_says_of_itself_is_stored_safely(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        person_id = parties.person()
        accounts.sign_in(session, person_id, now, lasts=FORTNIGHT, agent="a\x00b\ud800" + "c" * 400)
        actor = parties.actor(person_id)
        assert queries.sessions_of(session, actor, now)[0].agent == "ab" + "c" * 298

    def test_one_revokes_ones_own_sessions_only(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        mine, theirs = parties.person(), parties.person()
        accounts.sign_in(session, theirs, now, lasts=FORTNIGHT)
        foreign = queries.sessions_of(session, parties.actor(theirs), now)[0].id
        with pytest.raises(NotFound):
            accounts.revoke_session(session, parties.actor(mine), foreign, now)
        with pytest.raises(NotAllowed):
            accounts.revoke_sessions(session, parties.actor(mine), theirs, now)
        assert accounts.revoke_sessions(session, parties.market(Role.ADMINISTRATOR), theirs, now) == 1

    def test_changing_the_password_ends_the_other_sessions(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        person_id = parties.person()
        here = accounts.sign_in(session, person_id, now, lasts=FORTNIGHT)
        there = accounts.sign_in(session, person_id, now, lasts=FORTNIGHT)
        actor = access.actor_for_session(session, here, now)
        assert actor is not None
        accounts.change_password(session, actor, "new hash", now)
        assert access.actor_for_session(session, here, now) is not None
        assert access.actor_for_session(session, there, now) is None
        assert [each["template"] for each in work_of(session, "mail.send")] == ["password_changed"]
        record = session.scalars(sa.select(AuditRecord).order_by(sa.desc("id"))).first()
        assert record is not None
        assert (record.action, record.before, record.after) == ("person.password_changed", {}, {})
        with pytest.raises(SignInRequired):
            accounts.change_password(session, dataclasses.replace(actor, via=Via.TOKEN), "hash", now)


class TestLinks:
    def test_a_link_works_once_and_ends_every_session(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        person_id = parties.person()
        cookie = accounts.sign_in(session, person_id, now, lasts=FORTNIGHT)
        secret = accounts.new_link(session, person_id, now, accounts.RESET_LASTS)
        accounts.reset_password(session, secret, "new hash", now)
        account = accounts.account(session, person_id)
        assert account is not None
        assert account.password_hash == "new hash"
        assert access.actor_for_session(session, cookie, now) is None
        with pytest.raises(rules.LinkExpired):
            accounts.reset_password(session, secret, "another", now)

    def test_old_links_and_strange_ones_do_not_work(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        person_id = parties.person()
        first = accounts.new_link(session, person_id, now, accounts.RESET_LASTS)
        second = accounts.new_link(session, person_id, now, accounts.RESET_LASTS)
        for secret, at in ((first, now), (second, now + accounts.RESET_LASTS), ("", now), ("x", now)):
            with pytest.raises(rules.LinkExpired):
                accounts.account_of_link(session, secret, at)
        assert accounts.account_of_link(session, second, now).id == person_id

    def test_asking_for_a_link_looks_the_same_for_anybody(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        person_id = parties.person(email="known@example.com")
        for email in ("known@example.com", "unknown@example.com"):
            accounts.ask_reset(session, email, "en", now)
        assert len(work_of(session, "account.link")) == 2
        assert "token" not in str(work_of(session, "account.link"))
        assert session.get(Person, person_id) is not None


class TestTokens:
    def test_a_token_acts_within_its_scopes_until_it_ends(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        organisation_id = parties.organisation()
        owner = parties.actor(parties.person((organisation_id, Role.RESULTS_OFFICER)))
        entered = TokenInput(name="同步", scopes=[Scope.READ], days=30)
        row, secret = accounts.create_token(session, owner, entered, now)
        assert secret.startswith("mkt_")
        assert secret.startswith(row.prefix)
        actor = access.actor_for_token(session, secret, now)
        assert actor is not None
        assert (actor.via, actor.scopes, actor.roles) == (
            Via.TOKEN, frozenset({Scope.READ}), frozenset({Role.RESULTS_OFFICER}),
        )  # fmt: skip
        assert access.actor_for_token(session, secret, now + dt.timedelta(days=30)) is None
        assert row.id is not None
        accounts.revoke_token(session, owner, row.id, now)
        accounts.revoke_token(session, owner, row.id, now)
        assert access.actor_for_token(session, secret, now) is None
        assert queries.tokens_of(session, owner, now) == []

    def test_a_token_makes_no_wider_token(self, parties: Parties, session: Session, now: dt.datetime) -> None:
        owner = parties.actor(parties.person())
        narrow = dataclasses.replace(owner, via=Via.TOKEN, scopes=frozenset({Scope.READ, Scope.WRITE}))
        accounts.create_token(session, narrow, TokenInput(name="a", scopes=[Scope.WRITE]), now)
        with pytest.raises(NotAllowed):
            accounts.create_token(session, narrow, TokenInput(name="a", scopes=[Scope.BID]), now)
        with pytest.raises(SignInRequired):
            accounts.create_token(session, VISITOR, TokenInput(name="a", scopes=[Scope.READ]), now)

    def test_a_token_makes_none_that_outlives_it(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        owner = parties.actor(parties.person())
        first, secret = accounts.create_token(
            session, owner, TokenInput(name="a", scopes=[Scope.READ, Scope.WRITE], days=30), now
        )
        later = now + dt.timedelta(days=20)
        by_token = access.actor_for_token(session, secret, later)
        assert by_token is not None
        for days, ends in ((365, first.expires_at), (1, later + dt.timedelta(days=1))):
            entered = TokenInput(name="b", scopes=[Scope.WRITE], days=days)
            assert accounts.create_token(session, by_token, entered, later)[0].expires_at == ends

    def test_tokens_are_bounded_and_ones_own(
        self, parties: Parties, session: Session, now: dt.datetime
    ) -> None:
        owner = parties.actor(parties.person())
        entered = TokenInput(name="a", scopes=[Scope.READ])
        for _ in range(rules.MOST_TOKENS):
            row, _secret = accounts.create_token(session, owner, entered, now)
        with pytest.raises(rules.TooManyTokens):
            accounts.create_token(session, owner, entered, now)
        assert row.id is not None
        with pytest.raises(NotFound):
            accounts.revoke_token(session, parties.actor(parties.person()), row.id, now)

    @pytest.mark.parametrize("changes", [{"scopes": []}, {"days": 0}, {"days": 400}, {"name": " "}])
    def test_what_makes_no_token(self, changes: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            TokenInput.model_validate({"name": "a", "scopes": ["read"], **changes})


class TestPasswords:
    def test_verify(self) -> None:
        stored = passwords.hash_password("correct horse battery")
        assert stored.startswith("$argon2id$")
        assert passwords.verify("correct horse battery", stored) == (True, None)
        assert passwords.verify("wrong", stored) == (False, None)
        assert passwords.verify("wrong", None) == (False, None)
        assert passwords.verify("!", passwords.UNUSABLE) == (False, None)
        assert passwords.verify("x", "not a hash") == (False, None)

    def test_a_weak_hash_is_renewed(self) -> None:
        from pwdlib.hashers.argon2 import Argon2Hasher

        weak = Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1).hash("correct horse battery")
        matches, newer = passwords.verify("correct horse battery", weak)
        assert matches
        assert newer is not None
        assert passwords.verify("correct horse battery", newer) == (True, None)


class TestAudit:
    def test_filters(self, parties: Parties, session: Session, now: dt.datetime) -> None:
        staff = parties.market(Role.STAFF)
        first, second = (parties.organisation(state="pending") for _ in range(2))
        day = dt.timedelta(days=1)
        service.decide(session, staff, first, OrganisationStep.VERIFY, now)
        service.decide(session, staff, second, OrganisationStep.REJECT, now + day, reason="名称有误")

        def ids(**wanted: Any) -> list[int]:
            return [entry.subject_id for entry in find(session, staff, **wanted)[0]]

        assert ids() == [second, first]
        assert ids(subject="organisation", subject_id=first) == [first]
        assert ids(subject="person") == []
        assert ids(since=now + day) == [second]
        assert ids(until=now + day) == [first]
        assert ids(actor_id=staff.person_id) == [second, first]
        assert ids(actor_name="STAFF") == [second, first]
        assert ids(limit=1, offset=1) == [first]
        assert find(session, staff, limit=1)[1] == 2
        with pytest.raises(SignInRequired):
            find(session, VISITOR)
        with pytest.raises(NotAllowed):
            find(session, parties.actor(parties.person()))
