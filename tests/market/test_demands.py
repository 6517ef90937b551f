import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from market.db import Session
from market.demands import service
from market.demands.inputs import DemandInput, TargetInput
from market.demands.models import Demand
from market.demands.queries import contact_visible, demand_detail, demands
from market.enquiries.models import Enquiry
from market.errors import Conflict, Duplicate, InvalidInput, NotAllowed, NotFound, WrongState
from market.listings import history
from market.listings.models import ListingState
from market.listings.queries import Filter
from market.permissions import SYSTEM, VISITOR, Actor, Membership, Role, Via
from tests.market.test_results import person, statements
from tests.matching.rows import Rows

TARGET = {"name": "流量", "comparator": "at_least", "threshold": "25", "unit": "m³/h"}
FULL: dict[str, Any] = {
    "title": "潜水电泵机械密封寿命提升",
    "industry_code": "pumps",
    "difficulty": "含砂工况下密封寿命不足。",
    "targets": [TARGET],
    "deadline": "2026-12-31",
    "contact_name": "陈工",
    "contact_email": "chen@example.com",
}


def given(**changes: Any) -> DemandInput:
    return DemandInput.model_validate({**FULL, **changes})


@pytest.fixture
def rows(session: Session) -> Rows:
    return Rows(session)


@pytest.fixture
def owner(session: Session, rows: Rows) -> Actor:
    return person(session, rows, Role.DEMAND_OWNER, rows.firm)


@pytest.fixture
def published(session: Session, rows: Rows, owner: Actor, now: dt.datetime) -> Demand:
    assert rows.firm.id is not None
    row = service.create_demand(session, owner, now, rows.firm.id, given())
    assert row.id is not None
    return service.publish_demand(session, owner, now, row.id)


class TestTargets:
    @pytest.mark.parametrize(
        ("target", "place", "code"),
        [
            ({"threshold": "many"}, "threshold", "decimal_parsing"),
            ({"threshold": ""}, "threshold", "too_short"),
            ({"threshold": "1e9"}, "threshold", "decimal_parsing"),
            ({"comparator": "between"}, "threshold_high", "missing"),
            ({"comparator": "between", "threshold_high": "24"}, "threshold_high", "range_order"),
        ],
    )
    def test_refused_at_the_field(self, target: dict[str, str], place: str, code: str) -> None:
        with pytest.raises(ValidationError) as refused:
            TargetInput.model_validate({**TARGET, **target})
        assert [(error["loc"], error["type"]) for error in refused.value.errors()] == [((place,), code)]

    def test_numbers_are_folded_and_upper_ends_dropped(self) -> None:
        target = TargetInput.model_validate({**TARGET, "threshold": "１,250．5", "threshold_high": "9"})
        assert (target.threshold, target.threshold_high) == ("1250.5", "")


class TestCompleteness:
    @pytest.mark.parametrize(
        ("changes", "missing"),
        [
            ({"difficulty": ""}, ("difficulty", "missing", {})),
            ({"targets": []}, ("targets", "targets_missing", {})),
            ({"deadline": "2026-03-01"}, ("deadline", "date_past", {})),
            ({"contact_email": ""}, ("contact_phone", "contact_missing", {})),
        ],
    )
    def test_vague_needs_are_not_shown(
        self, session: Session, rows: Rows, owner: Actor, now: dt.datetime, changes: Any, missing: Any
    ) -> None:
        assert rows.firm.id is not None
        row = service.create_demand(session, owner, now, rows.firm.id, given(**changes))
        assert row.id is not None
        with pytest.raises(InvalidInput) as refused:
            service.publish_demand(session, owner, now, row.id)
        assert refused.value.problems == [missing]

    def test_an_import_says_what_it_says(self, session: Session, rows: Rows, now: dt.datetime) -> None:
        assert rows.firm.id is not None
        data = DemandInput(title="导入需求", industry_code="pumps", difficulty="难点")
        row = service.create_demand(session, SYSTEM, now, rows.firm.id, data, source="s", source_id="1")
        assert row.id is not None
        assert service.publish_demand(session, SYSTEM, now, row.id).state == "published"
        assert service.find_by_source(session, "s", "1") == row.id
        with pytest.raises(Duplicate):
            service.create_demand(session, SYSTEM, now, rows.firm.id, data, source="s", source_id="1")

    def test_the_database_keeps_sources_unique_too(self, session: Session, rows: Rows) -> None:
        rows.demand("a", source="s", source_id="1")
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            rows.demand("b", source="s", source_id="1")


class TestLife:
    def test_edit_withdraw_reconfirm_conclude(
        self, session: Session, owner: Actor, now: dt.datetime, published: Demand
    ) -> None:
        assert published.id is not None
        edited = given(targets=[TARGET, {**TARGET, "name": "扬程"}])
        service.edit_demand(session, owner, now, published.id, edited, 2)
        with pytest.raises(Conflict):
            service.edit_demand(session, owner, now, published.id, given(), 2)
        (revision,) = history.revisions(
            session, "demand", published.id, service.content_of(session, published)
        )
        assert [change.field for change in revision.changes] == ["targets"]
        service.withdraw_demand(session, owner, now, published.id, "已自行解决")
        with pytest.raises(NotFound):
            demand_detail(session, VISITOR, published.id)
        service.reconfirm_demand(session, owner, now, published.id)
        service.conclude_demand(session, owner, now, published.id)
        assert demand_detail(session, VISITOR, published.id).state is ListingState.CONCLUDED
        with pytest.raises(WrongState):
            service.edit_demand(session, owner, now, published.id, given())

    def test_a_deadline_gone_by_blocks_reconfirming_not_editing(
        self, session: Session, owner: Actor, now: dt.datetime, published: Demand
    ) -> None:
        assert published.id is not None
        later = dt.datetime(2027, 1, 2, tzinfo=dt.UTC)
        service.edit_demand(session, owner, later, published.id, given(background="更新"))
        with pytest.raises(InvalidInput):
            service.reconfirm_demand(session, owner, later, published.id)
        with pytest.raises(InvalidInput):
            service.edit_demand(session, owner, later, published.id, given(deadline="2027-01-01"))

    def test_expires(self, session: Session, now: dt.datetime, published: Demand) -> None:
        assert service.expire_due(session, now + dt.timedelta(days=181)) == [published.id]
        assert service.remind_expiring(session, now) == (0, None)

    def test_rights(self, session: Session, rows: Rows, now: dt.datetime, published: Demand) -> None:
        assert published.id is not None
        assert rows.university.id is not None
        other = Actor(1, "x", Via.SESSION, (Membership(rows.university.id, "x", Role.RESULTS_OFFICER, True),))
        with pytest.raises(NotAllowed):
            service.edit_demand(session, other, now, published.id, given())
        with pytest.raises(NotAllowed):
            service.create_demand(session, other, now, rows.university.id, given())


class TestReads:
    def test_the_contact_is_hidden_until_an_enquiry(
        self, session: Session, rows: Rows, owner: Actor, now: dt.datetime, published: Demand
    ) -> None:
        assert published.id is not None
        asker = person(session, rows, Role.RESULTS_OFFICER, rows.university)
        assert contact_visible(session, owner, published)
        assert not contact_visible(session, asker, published)
        session.add(
            Enquiry(
                subject_kind="demand",
                subject_id=published.id,
                from_person_id=asker.person_id,
                to_organisation_id=rows.firm.id,
                created_at=now,
                updated_at=now,
            )
        )
        session.flush()
        contact = demand_detail(session, asker, published.id).contact
        assert contact is not None
        assert contact.email == "chen@example.com"

    def test_filters_and_statements(self, session: Session, rows: Rows, published: Demand) -> None:
        rows.demand("预算", wanted_trl=6, modes=["licence"], budget_low_fen=10, budget_high_fen=20)
        with statements(session) as seen:
            found, total = demands(session, VISITOR, Filter(trl_max=6, price_from_fen=15), limit=5)
        assert ([card.title for card in found], total, len(seen)) == (["预算"], 1, 2)
        assert found[0].budget_fen == 20
        assert published.id is not None
        with statements(session) as seen:
            detail = demand_detail(session, VISITOR, published.id)
        assert len(seen) == 3
        assert [(x.name, x.threshold, x.unit) for x in detail.targets] == [("流量", "25", "m³/h")]
