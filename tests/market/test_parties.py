"""Organisations: registering, editing, checking, and who may know of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from market.audit import AuditRecord
from market.db import Session, t
from market.dirty import read_marks
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound, SignInRequired, WrongState
from market.parties import queries, rules, service
from market.parties.inputs import RegistrationInput
from market.parties.models import OrganisationState
from market.parties.rules import OrganisationStep
from market.permissions import VISITOR, Action, Role
from market.work import WorkItem
from tests.market.parties import Parties, credit_code, organisation_input


@pytest.fixture
def parties(session: Session, now: dt.datetime) -> Parties:
    return Parties(session, now)


def registration(**changes: Any) -> RegistrationInput:
    values = {
        "name": "林晓",
        "email": "Lin@Example.com",
        "password": "correct horse battery",
        "organisation": organisation_input().model_dump(),
        **changes,
    }
    return RegistrationInput.model_validate(values)


def changes_of(session: Session, action: str) -> list[AuditRecord]:
    session.flush()
    return list(session.scalars(sa.select(AuditRecord).where(t(AuditRecord).c.action == action)))


def test_registering_makes_a_person_with_the_roles_of_a_pending_organisation(
    parties: Parties, session: Session, now: dt.datetime
) -> None:
    person, organisation = service.register(session, registration(), "hash", "en", now)
    assert (person.email, person.language, organisation.state) == ("lin@example.com", "en", "pending")
    assert person.id is not None
    actor = parties.actor(person.id)
    assert {each.role for each in actor.memberships} == {
        Role.RESULTS_OFFICER, Role.DEMAND_OWNER, Role.BIDDER,
    }  # fmt: skip
    assert not actor.can(Action.RESULT_CREATE)
    assert not actor.can(Action.BID_PLACE)
    assert actor.can(Action.ORGANISATION_EDIT, organisation.id)
    record = changes_of(session, "organisation.registered")[0]
    assert (record.actor_id, record.after["credit_code"]) == (person.id, organisation.credit_code)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": "lin@example.com"}, "password"),
        ({"password": "aaaaaaaaaaaa"}, "password"),
        ({"name": "lin xiao yang", "password": "Lin Xiao Yang"}, "password"),
    ],
)
def test_a_password_that_anybody_would_try_first_is_refused(
    parties: Parties, session: Session, now: dt.datetime, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        service.register(session, registration(**changes), "hash", "en", now)
    assert refused.value.problems[0][0] == field


def test_registering_twice_is_told_at_the_field(parties: Parties, session: Session, now: dt.datetime) -> None:
    first = registration()
    service.register(session, first, "hash", "en", now)
    with pytest.raises(rules.MarketError) as refused:
        service.register(session, registration(), "hash", "en", now)
    assert (refused.value.code, refused.value.field) == ("email_taken", "email")
    again = registration(email="other@example.com", organisation=first.organisation.model_dump())
    with pytest.raises(rules.MarketError) as refused:
        service.register(session, again, "hash", "en", now)
    assert (refused.value.code, refused.value.field) == (
        "organisation_registered", "organisation.credit_code",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"credit_code": "91330100799655058A"}, "credit_code_check_digit"),
        ({"credit_code": "9133"}, "credit_code_format"),
        ({"website": "javascript:alert(1)"}, "website"),
        ({"contact_email": "nobody"}, "email"),
        ({"contact_phone": "call me"}, "phone"),
        ({"promised_reply_hours": 0}, "greater_than_equal"),
        ({"name": "a\x00b"}, "control_character"),
        ({"region_code": "33108"}, "string_pattern_mismatch"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_a_code(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        organisation_input(**changes)
    assert refused.value.errors()[0]["type"] == code


def test_an_unknown_region_is_refused(parties: Parties, session: Session, now: dt.datetime) -> None:
    staff = parties.market(Role.STAFF)
    with pytest.raises(InvalidInput) as refused:
        service.create_organisation(session, staff, organisation_input(region_code="990000"), now)
    assert refused.value.problems == [("region_code", "region_unknown", {})]


def test_visitors_register_no_further_organisations(
    parties: Parties, session: Session, now: dt.datetime
) -> None:
    with pytest.raises(SignInRequired):
        service.create_organisation(session, VISITOR, organisation_input(), now)


def test_staff_do_not_become_members_of_what_they_enter(
    parties: Parties, session: Session, now: dt.datetime
) -> None:
    row = service.create_organisation(session, parties.market(Role.STAFF), organisation_input(), now)
    assert row.id is not None
    assert queries.members(session, row.id) == []


STEPS = {
    ("pending", "verify"): "verified",
    ("pending", "reject"): "rejected",
    ("verified", "suspend"): "suspended",
    ("suspended", "reinstate"): "verified",
    ("rejected", "resubmit"): "pending",
}


@pytest.mark.parametrize("state", OrganisationState)
@pytest.mark.parametrize("step", OrganisationStep)
def test_every_step_from_every_state(state: OrganisationState, step: OrganisationStep) -> None:
    expected = STEPS.get((state.value, step.value))
    if expected is None:
        with pytest.raises(WrongState):
            rules.next_state(state, step)
    else:
        assert rules.next_state(state, step) == expected


def test_verifying_tells_the_members_and_gives_them_their_rights(
    parties: Parties, session: Session, now: dt.datetime
) -> None:
    person, organisation = service.register(session, registration(), "hash", "en", now)
    assert person.id is not None
    assert organisation.id is not None
    row = service.decide(session, parties.market(Role.STAFF), organisation.id, OrganisationStep.VERIFY, now)
    assert (row.state, row.verified_at, row.version) == ("verified", now, 2)
    assert parties.actor(person.id).can(Action.BID_PLACE, organisation.id)
    payload = session.scalars(sa.select(t(WorkItem).c.payload).where(t(WorkItem).c.kind == "mail.send")).one()
    assert (payload["to"], payload["template"], payload["language"]) == (
        "lin@example.com", "organisation_verified", "en",
    )  # fmt: skip
    record = changes_of(session, "organisation.verified")[0]
    assert (record.before, record.after) == ({"state": "pending"}, {"state": "verified"})
    assert ("organisation", organisation.id) in {(mark.kind, mark.row_id) for mark in read_marks(session)}


def test_turning_down_needs_a_reason_and_the_right(
    parties: Parties, session: Session, now: dt.datetime
) -> None:
    organisation_id = parties.organisation(state="pending")
    staff = parties.market(Role.STAFF)
    with pytest.raises(InvalidInput):
        service.decide(session, staff, organisation_id, OrganisationStep.REJECT, now, reason=" ")
    administrator = parties.market(Role.ADMINISTRATOR)
    with pytest.raises(NotAllowed):
        service.decide(session, administrator, organisation_id, OrganisationStep.VERIFY, now)
    with pytest.raises(WrongState):
        service.decide(session, staff, organisation_id, OrganisationStep.RESUBMIT, now)
    with pytest.raises(NotFound):
        service.decide(session, staff, 10**15, OrganisationStep.VERIFY, now)


def test_a_rejected_organisation_is_sent_in_again_by_correcting_it(
    parties: Parties, session: Session, now: dt.datetime
) -> None:
    organisation_id = parties.organisation(state="pending")
    member = parties.actor(parties.person((organisation_id, Role.RESULTS_OFFICER)))
    staff = parties.market(Role.STAFF)
    row = service.decide(session, staff, organisation_id, OrganisationStep.REJECT, now, reason="名称有误")
    assert queries.organisation(session, member, organisation_id).state_reason == "名称有误"
    corrected = organisation_input(name="温岭另一泵业有限公司")
    row = service.edit_organisation(session, member, organisation_id, row.version, corrected, now)
    assert (row.state, row.state_reason, row.name) == ("pending", "", "温岭另一泵业有限公司")


def test_a_member_edits_what_staff_have_not_checked(
    parties: Parties, session: Session, now: dt.datetime
) -> None:
    organisation_id = parties.organisation()
    member = parties.actor(parties.person((organisation_id, Role.RESULTS_OFFICER)))
    seen = queries.organisation(session, member, organisation_id)
    same = {"name": seen.name, "credit_code": seen.credit_code}
    entered = organisation_input(**same, introduction="做水泵的", promised_reply_hours=48)
    row = service.edit_organisation(session, member, organisation_id, 1, entered, now)
    assert (row.version, row.introduction) == (2, "做水泵的")
    record = changes_of(session, "organisation.edited")[0]
    assert record.before == {"introduction": "", "promised_reply_hours": None}
    assert record.after == {"introduction": "做水泵的", "promised_reply_hours": 48}
    with pytest.raises(Conflict):
        service.edit_organisation(session, member, organisation_id, 1, entered, now)
    changed = organisation_input(kind="university", name="另一个名称")
    with pytest.raises(InvalidInput) as refused:
        service.edit_organisation(session, member, organisation_id, 2, changed, now)
    assert {name for name, _, _ in refused.value.problems} == {"name", "kind", "credit_code"}
    staff = parties.market(Role.STAFF)
    row = service.edit_organisation(session, staff, organisation_id, 2, organisation_input(), now)
    assert row.version == 3


def test_saving_without_a_change_changes_nothing(
    parties: Parties, session: Session, now: dt.datetime
) -> None:
    organisation_id = parties.organisation()
    staff = parties.market(Role.STAFF)
    seen = queries.organisation(session, staff, organisation_id)
    same = organisation_input(name=seen.name, credit_code=seen.credit_code)
    assert service.edit_organisation(session, staff, organisation_id, 1, same, now).version == 1
    assert changes_of(session, "organisation.edited") == []


def test_a_credit_code_cannot_be_taken_over(parties: Parties, session: Session, now: dt.datetime) -> None:
    code = credit_code()
    parties.organisation("甲公司", credit_code=code)
    other = parties.organisation("乙公司")
    with pytest.raises(service.OrganisationRegistered):
        service.edit_organisation(
            session, parties.market(Role.STAFF), other, 1, organisation_input(credit_code=code), now
        )


def test_not_found_before_not_allowed(parties: Parties, session: Session, now: dt.datetime) -> None:
    """Whoever may not know of an organisation is not told that it exists."""
    hidden = parties.organisation(state="pending")
    public = parties.organisation()
    stranger = parties.actor(parties.person((public, Role.BIDDER)))
    other = parties.actor(parties.person((parties.organisation(), Role.RESULTS_OFFICER)))
    for actor in (VISITOR, stranger):
        with pytest.raises(NotFound):
            queries.organisation(session, actor, hidden)
        with pytest.raises(NotFound):
            service.edit_organisation(session, actor, hidden, 1, organisation_input(), now)
    with pytest.raises(NotAllowed):
        service.edit_organisation(session, other, public, 1, organisation_input(), now)
    with pytest.raises(SignInRequired):
        service.edit_organisation(session, VISITOR, public, 1, organisation_input(), now)


def test_contacts_are_for_members_and_staff(parties: Parties, session: Session) -> None:
    organisation_id = parties.organisation(contact_name="王工", contact_phone="0576-86110000")
    member = parties.actor(parties.person((organisation_id, Role.BIDDER)))
    assert queries.organisation(session, VISITOR, organisation_id).contact_name == ""
    for actor in (member, parties.market(Role.STAFF)):
        assert queries.organisation(session, actor, organisation_id).contact_name == "王工"


def test_the_list_shows_verified_organisations_and_staff_the_rest(parties: Parties, session: Session) -> None:
    parties.organisation("甲_泵业")
    parties.organisation("乙大学", kind="university", region_code="330106", name_en="Second University")
    parties.organisation("丙公司", state="pending")

    def names(**wanted: Any) -> list[str]:
        return [row.name for row in queries.organisations(session, VISITOR, **wanted)[0]]

    assert set(names()) == {"甲_泵业", "乙大学"}
    assert names(kind=queries.OrganisationKind.UNIVERSITY) == ["乙大学"]
    assert names(words="second") == ["乙大学"]
    assert names(words="_") == ["甲_泵业"]
    assert names(words="%") == []
    assert names(region="330100") == ["乙大学"]
    assert names(region="331081") == ["甲_泵业"]
    assert len(names(region="330000")) == 2
    with pytest.raises(SignInRequired):
        names(state=OrganisationState.PENDING)
    found, total = queries.organisations(session, parties.market(Role.STAFF), state=OrganisationState.PENDING)
    assert ([row.name for row in found], total) == (["丙公司"], 1)
    assert queries.count_by_state(session)[OrganisationState.PENDING] == 1
