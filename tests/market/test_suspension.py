"""What a suspended organisation lists is shown to nobody but staff, and comes back when it is reinstated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from market.clock import FixedClock
from market.db import Session
from market.demands import queries as demand_queries
from market.dirty import read_marks
from market.enquiries import service as enquiries
from market.enquiries.inputs import EnquiryInput, SubjectKind
from market.errors import NotFound
from market.listings import queries, service
from market.listings.models import Result
from market.listings.service import RESULT
from market.parties import service as parties_service
from market.parties.rules import OrganisationStep
from market.permissions import VISITOR, Actor, Role
from matching import documents
from matching.documents import Key, Kind
from tests.market.parties import Parties
from tests.market.test_results import person
from tests.matching.rows import Rows

Seen = Callable[[Actor], bool]


@pytest.fixture
def rows(session: Session) -> Rows:
    return Rows(session)


def suspend(session: Session, staff: Actor, organisation_id: int, now: dt.datetime) -> None:
    parties_service.decide(session, staff, organisation_id, OrganisationStep.SUSPEND, now, reason="资料不实")
    session.expire_all()


def known(session: Session, actor: Actor, result_id: int) -> bool:
    """Whether every read agrees that the actor may, or may not, know of a result."""
    found = set()
    try:
        queries.result_detail(session, actor, result_id)
        found.add(True)
    except NotFound:
        found.add(False)
    try:
        queries.standing(session, actor, RESULT, Result, result_id)
        found.add(True)
    except NotFound:
        found.add(False)
    listed, total = queries.results(session, actor, queries.Filter(), limit=50)
    assert total == len(listed)
    found.add(result_id in {card.id for card in listed})
    assert len(found) == 1
    return found.pop()


def test_suspended_listings_are_hidden(session: Session, rows: Rows, clock: FixedClock) -> None:
    now = clock.now()
    result_id = rows.result("高效离心泵水力模型")
    demand_id = rows.demand("潜水电泵机械密封")
    keys = [Key(Kind.RESULT, result_id), Key(Kind.DEMAND, demand_id)]
    staff = Parties(session, now).market(Role.STAFF)
    other = Parties(session, now)
    firm = other.actor(other.person((other.organisation("温岭某机床厂"), Role.DEMAND_OWNER)))
    owner_id = queries.standing(session, VISITOR, RESULT, Result, result_id).organisation_id
    owner = person(session, rows, Role.RESULTS_OFFICER, rows.university)
    assert known(session, VISITOR, result_id)
    assert set(documents.load(session, keys)) == set(keys)

    suspend(session, staff, owner_id, now)
    assert ("organisation", owner_id) in {(mark.kind, mark.row_id) for mark in read_marks(session, 100)}
    assert not known(session, VISITOR, result_id)
    assert not known(session, firm, result_id)
    assert known(session, staff, result_id)
    assert Key(Kind.RESULT, result_id) not in documents.load(session, keys)
    asked = EnquiryInput(subject_kind=SubjectKind.RESULT, subject_id=result_id, body="能否改造？")
    with pytest.raises(NotFound):
        enquiries.open_enquiry(session, firm, now, asked)
    suspended_owner = Parties(session, now).actor(owner.person_id or 0)
    with pytest.raises(NotFound):
        service.withdraw_result(session, suspended_owner, now, result_id, "撤下")

    parties_service.decide(session, staff, owner_id, OrganisationStep.REINSTATE, now)
    assert known(session, VISITOR, result_id)
    assert set(documents.load(session, keys)) == set(keys)


def test_demands_alike(session: Session, rows: Rows, clock: FixedClock) -> None:
    demand_id = rows.demand("潜水电泵机械密封")
    assert demand_queries.demand_detail(session, VISITOR, demand_id).id == demand_id
    staff = Parties(session, clock.now()).market(Role.STAFF)
    assert rows.firm.id is not None
    suspend(session, staff, rows.firm.id, clock.now())
    with pytest.raises(NotFound):
        demand_queries.demand_detail(session, VISITOR, demand_id)
    assert documents.load(session, [Key(Kind.DEMAND, demand_id)]) == {}
