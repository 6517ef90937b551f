import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from market.db import Session, t
from market.dirty import read_marks
from market.enquiries.models import Enquiry
from market.errors import Conflict, Duplicate, InvalidInput, NotAllowed, NotFound, SignInRequired, WrongState
from market.listings import history, rules, service
from market.listings.inputs import IpInput, ResultInput
from market.listings.models import (
    CooperationMode,
    EvidenceGrade,
    ListingState,
    ListingVersion,
    PricingMode,
    Result,
    Stage,
)
from market.listings.queries import Filter, contact_visible, result_detail, results
from market.listings.rules import Step
from market.parties.models import MembershipRow, OrganisationKind, Person
from market.permissions import SYSTEM, VISITOR, Actor, Membership, Role, Via
from market.work import WorkItem
from tests.matching.rows import Rows
from web import i18n

FULL: dict[str, Any] = {
    "title": "高效节能潜水泵水力模型",
    "industry_code": "pumps",
    "abstract": "一种潜水泵水力模型。",
    "trl": 6,
    "modes": ["licence"],
    "contact_name": "王工",
    "contact_phone": "0576-86000000",
}


def given(**changes: Any) -> ResultInput:
    return ResultInput.model_validate({**FULL, **changes})


@pytest.fixture
def rows(session: Session) -> Rows:
    return Rows(session)


def person(session: Session, rows: Rows, role: Role, organisation: Any, *, verified: bool = True) -> Actor:
    row = Person(
        name=role.value, email=f"{role.value}{organisation.id}@example.com", password_hash="",
        created_at=rows.university.created_at, updated_at=rows.university.created_at,
    )  # fmt: skip
    session.add(row)
    session.flush()
    session.add(
        MembershipRow(
            person_id=row.id, organisation_id=organisation.id, role=role.value, created_at=row.created_at
        )
    )
    session.flush()
    return Actor(
        row.id, row.name, Via.SESSION, (Membership(organisation.id, organisation.name, role, verified),)
    )


@pytest.fixture
def officer(session: Session, rows: Rows) -> Actor:
    return person(session, rows, Role.RESULTS_OFFICER, rows.university)


@pytest.fixture
def buyer(session: Session, rows: Rows) -> Actor:
    return person(session, rows, Role.DEMAND_OWNER, rows.firm)


@pytest.fixture
def draft(session: Session, rows: Rows, officer: Actor, now: dt.datetime) -> Result:
    assert rows.university.id is not None
    return service.create_result(session, officer, now, rows.university.id, given())


@pytest.fixture
def published(session: Session, officer: Actor, now: dt.datetime, draft: Result) -> Result:
    assert draft.id is not None
    return service.publish_result(session, officer, now, draft.id)


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    seen: list[str] = []
    connection = session.connection()

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith(("SAVEPOINT", "RELEASE", "BEGIN")):
            seen.append(statement)

    sa.event.listen(connection, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(connection, "before_cursor_execute", note)


class TestStates:
    ALLOWED = {
        (ListingState.DRAFT, Step.PUBLISH): ListingState.PUBLISHED,
        (ListingState.WITHDRAWN, Step.PUBLISH): ListingState.PUBLISHED,
        (ListingState.EXPIRED, Step.PUBLISH): ListingState.PUBLISHED,
        (ListingState.PUBLISHED, Step.RECONFIRM): ListingState.PUBLISHED,
        (ListingState.WITHDRAWN, Step.RECONFIRM): ListingState.PUBLISHED,
        (ListingState.EXPIRED, Step.RECONFIRM): ListingState.PUBLISHED,
        (ListingState.PUBLISHED, Step.WITHDRAW): ListingState.WITHDRAWN,
        (ListingState.EXPIRED, Step.WITHDRAW): ListingState.WITHDRAWN,
        (ListingState.PUBLISHED, Step.EXPIRE): ListingState.EXPIRED,
        (ListingState.PUBLISHED, Step.CONCLUDE): ListingState.CONCLUDED,
        (ListingState.CONCLUDED, Step.REOPEN): ListingState.PUBLISHED,
        (ListingState.PUBLISHED, Step.MERGE): ListingState.WITHDRAWN,
        (ListingState.EXPIRED, Step.MERGE): ListingState.WITHDRAWN,
        (ListingState.WITHDRAWN, Step.MERGE): ListingState.WITHDRAWN,
        (ListingState.WITHDRAWN, Step.SEPARATE): ListingState.PUBLISHED,
        **{(s, Step.EDIT): s for s in ListingState if s is not ListingState.CONCLUDED},
    }

    @pytest.mark.parametrize("state", ListingState)
    @pytest.mark.parametrize("step", Step)
    def test_every_pair(self, state: ListingState, step: Step) -> None:
        expected = self.ALLOWED.get((state, step))
        if expected is None:
            with pytest.raises(WrongState) as refused:
                rules.after(state, step)
            assert refused.value.params == {"state": state.value, "action": step.value}
        else:
            assert rules.after(state, step) is expected

    def test_a_whole_life(
        self, session: Session, officer: Actor, now: dt.datetime, published: Result
    ) -> None:
        assert published.id is not None
        first = published.published_at
        assert published.valid_until == dt.date(2026, 8, 29)
        service.withdraw_result(session, officer, now, published.id, "技术更新")
        assert (published.state, published.state_reason) == ("withdrawn", "技术更新")
        later = now + dt.timedelta(days=30)
        service.reconfirm_result(session, officer, later, published.id, days=90)
        assert (published.state, published.state_reason) == ("published", "")
        assert published.published_at == first
        assert published.confirmed_at == later
        assert published.valid_until == dt.date(2026, 6, 30)
        service.conclude_result(session, officer, later, published.id, "已签订许可合同")
        with pytest.raises(WrongState):
            service.edit_result(session, officer, later, published.id, given(trl=9))
        steps = [event.action for event in history.events(session, "result", published.id)]
        assert steps == ["concluded", "reconfirmed", "withdrawn", "published", "created"]

    def test_withdrawing_needs_a_reason(
        self, session: Session, officer: Actor, now: dt.datetime, published: Result
    ) -> None:
        assert published.id is not None
        with pytest.raises(InvalidInput) as refused:
            service.withdraw_result(session, officer, now, published.id, "  ")
        assert refused.value.problems == [("reason", "missing", {})]

    def test_only_what_visitors_see_marks_the_index(
        self, session: Session, officer: Actor, now: dt.datetime, draft: Result
    ) -> None:
        assert draft.id is not None
        service.edit_result(session, officer, now, draft.id, given(trl=7))
        assert not read_marks(session)
        service.publish_result(session, officer, now, draft.id)
        assert [(mark.kind, mark.row_id) for mark in read_marks(session)] == [("result", draft.id)]


class TestCompleteness:
    @pytest.mark.parametrize(
        ("changes", "missing"),
        [
            ({"abstract": " "}, [("abstract", "missing")]),
            ({"trl": None}, [("trl", "maturity_missing")]),
            ({"trl": None, "stage": "pilot"}, []),
            ({"modes": []}, [("modes", "missing")]),
            ({"pricing_mode": "listing"}, [("price_low_fen", "base_price_missing")]),
            ({"pricing_mode": "auction", "price_low_fen": 100}, []),
            ({"contact_name": ""}, [("contact_name", "missing")]),
            ({"contact_phone": ""}, [("contact_phone", "contact_missing")]),
            ({"contact_phone": "", "contact_email": "a@b.cn"}, []),
        ],
    )
    def test_what_is_needed_to_publish(
        self,
        session: Session,
        rows: Rows,
        officer: Actor,
        now: dt.datetime,
        changes: dict[str, Any],
        missing: list[tuple[str, str]],
    ) -> None:
        assert rows.university.id is not None
        row = service.create_result(session, officer, now, rows.university.id, given(**changes))
        assert [problem[:2] for problem in service.missing(row)] == missing
        assert row.id is not None
        if missing:
            with pytest.raises(InvalidInput):
                service.publish_result(session, officer, now, row.id)
        else:
            assert service.publish_result(session, officer, now, row.id).state == "published"

    def test_an_import_says_what_it_says(self, session: Session, rows: Rows, now: dt.datetime) -> None:
        assert rows.university.id is not None
        data = ResultInput(title="导入成果", industry_code="pumps", abstract="简介")
        row = service.create_result(
            session, SYSTEM, now, rows.university.id, data, source="zjw", source_id="17"
        )
        assert row.id is not None
        assert service.publish_result(session, SYSTEM, now, row.id).trl is None
        assert service.find_by_source(session, "zjw", "17") == row.id
        assert service.find_by_source(session, "zjw", "18") is None
        with pytest.raises(Duplicate):
            service.create_result(
                session, SYSTEM, now, rows.university.id, data, source="zjw", source_id="17"
            )

    def test_the_database_keeps_sources_unique_too(
        self, session: Session, rows: Rows, now: dt.datetime
    ) -> None:
        rows.result("a", source="zjw", source_id="1")
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            rows.result("b", source="zjw", source_id="1")
        rows.result("c")
        rows.result("d")

    def test_a_published_result_stays_complete(
        self, session: Session, officer: Actor, now: dt.datetime, published: Result
    ) -> None:
        assert published.id is not None
        with pytest.raises(InvalidInput):
            service.edit_result(session, officer, now, published.id, given(abstract=""))

    def test_unknown_and_retired_industries(
        self, session: Session, rows: Rows, officer: Actor, now: dt.datetime, draft: Result
    ) -> None:
        assert rows.university.id is not None
        assert draft.id is not None
        with pytest.raises(InvalidInput) as refused:
            service.create_result(session, officer, now, rows.university.id, given(industry_code="no"))
        assert refused.value.problems == [("industry_code", "unknown_industry", {})]
        session.execute(sa.text("UPDATE industry SET active = false WHERE code = 'pumps'"))
        service.edit_result(session, officer, now, draft.id, given(trl=7))
        with pytest.raises(InvalidInput):
            service.create_result(session, officer, now, rows.university.id, given())


class TestHistory:
    def test_each_edit_keeps_what_was_there(
        self, session: Session, officer: Actor, now: dt.datetime, published: Result
    ) -> None:
        assert published.id is not None
        claims = [{"statement": "效率", "figure": "86 %"}]
        service.edit_result(session, officer, now, published.id, given(trl=7, claims=claims))
        service.edit_result(session, officer, now, published.id, given(trl=8, claims=claims))
        assert published.version == 4
        found = history.revisions(session, "result", published.id, service.content_of(session, published))
        assert [
            {change.field: (change.before, change.after) for change in revision.changes} for revision in found
        ] == [
            {"trl": (7, 8)},
            {
                "trl": (6, 7),
                "claims": ([], [{**claims[0], "comparator": "", "source": ""}]),
            },
        ]
        assert {revision.changed_by for revision in found} == {"results_officer"}

    def test_nothing_changed_is_no_version(
        self, session: Session, officer: Actor, now: dt.datetime, published: Result
    ) -> None:
        assert published.id is not None
        service.edit_result(session, officer, now, published.id, given(), published.version)
        assert published.version == 2
        assert session.scalar(sa.select(sa.func.count()).select_from(t(ListingVersion))) == 0

    def test_no_lost_update(
        self, session: Session, officer: Actor, now: dt.datetime, published: Result
    ) -> None:
        assert published.id is not None
        seen = published.version
        service.edit_result(session, officer, now, published.id, given(trl=7), seen)
        with pytest.raises(Conflict) as refused:
            service.edit_result(session, officer, now, published.id, given(trl=8), seen)
        assert refused.value.params["current"] == seen + 1
        assert published.trl == 7


class TestRights:
    def test_who_may_create(
        self, session: Session, rows: Rows, officer: Actor, buyer: Actor, now: dt.datetime
    ) -> None:
        assert rows.university.id is not None
        with pytest.raises(SignInRequired):
            service.create_result(session, VISITOR, now, rows.university.id, given())
        with pytest.raises(NotAllowed):
            service.create_result(session, buyer, now, rows.university.id, given())
        unverified = Actor(
            officer.person_id, "x", Via.SESSION,
            (Membership(rows.university.id, "x", Role.RESULTS_OFFICER, False),),
        )  # fmt: skip
        with pytest.raises(NotAllowed):
            service.create_result(session, unverified, now, rows.university.id, given())

    def test_a_draft_is_unknown_to_others(
        self, session: Session, officer: Actor, buyer: Actor, now: dt.datetime, draft: Result
    ) -> None:
        assert draft.id is not None
        for actor in (VISITOR, buyer):
            with pytest.raises(NotFound):
                result_detail(session, actor, draft.id)
            with pytest.raises(NotFound):
                service.edit_result(session, actor, now, draft.id, given())
        service.publish_result(session, officer, now, draft.id)
        with pytest.raises(NotAllowed):
            service.edit_result(session, buyer, now, draft.id, given())
        with pytest.raises(SignInRequired):
            service.withdraw_result(session, VISITOR, now, draft.id, "x")

    def test_lists_hold_only_what_one_may_know(
        self, session: Session, officer: Actor, buyer: Actor, draft: Result
    ) -> None:
        every = Filter(states=tuple(ListingState))
        assert results(session, officer, every, limit=9)[1] == 1
        for actor in (VISITOR, buyer):
            assert results(session, actor, every, limit=9) == ([], 0)

    def test_the_contact_is_hidden_until_an_enquiry(
        self, session: Session, rows: Rows, officer: Actor, buyer: Actor, now: dt.datetime, published: Result
    ) -> None:
        assert published.id is not None
        assert contact_visible(session, officer, published)
        for actor in (VISITOR, buyer):
            assert not contact_visible(session, actor, published)
            assert result_detail(session, actor, published.id).contact is None
        session.add(
            Enquiry(
                subject_kind="result",
                subject_id=published.id,
                from_person_id=buyer.person_id,
                from_organisation_id=rows.firm.id,
                to_organisation_id=rows.university.id,
                created_at=now,
                updated_at=now,
            )
        )
        session.flush()
        contact = result_detail(session, buyer, published.id).contact
        assert contact is not None
        assert contact.phone == "0576-86000000"
        assert not contact_visible(session, VISITOR, published)

    def test_offering_a_result_shows_its_contact_to_the_other_side(
        self, session: Session, rows: Rows, officer: Actor, buyer: Actor, now: dt.datetime, published: Result
    ) -> None:
        demand = rows.demand("需求")
        session.add(
            Enquiry(
                subject_kind="demand",
                subject_id=demand,
                offered_result_id=published.id,
                from_person_id=officer.person_id,
                from_organisation_id=rows.university.id,
                to_organisation_id=rows.firm.id,
                created_at=now,
                updated_at=now,
            )
        )
        session.flush()
        assert contact_visible(session, buyer, published)


class TestValidity:
    def test_expires_the_day_after_its_last(
        self, session: Session, officer: Actor, now: dt.datetime, published: Result
    ) -> None:
        assert published.valid_until is not None
        midnight = dt.datetime.combine(published.valid_until, dt.time(15, 59, 59), dt.UTC)
        assert service.expire_due(session, midnight) == []
        assert service.expire_due(session, midnight + dt.timedelta(seconds=1)) == [published.id]
        assert published.state == "expired"
        assert service.expire_due(session, midnight + dt.timedelta(days=9)) == []

    def test_the_owner_may_want_less_and_never_more(
        self, session: Session, rows: Rows, officer: Actor, now: dt.datetime
    ) -> None:
        assert rows.university.id is not None
        soon = service.create_result(
            session, officer, now, rows.university.id, given(valid_until="2026-04-01")
        )
        late = service.create_result(
            session, officer, now, rows.university.id, given(valid_until="2030-01-01")
        )
        assert soon.id is not None
        assert late.id is not None
        assert service.publish_result(session, officer, now, soon.id).valid_until == dt.date(2026, 4, 1)
        assert service.publish_result(session, officer, now, late.id).valid_until == dt.date(2026, 8, 29)
        service.edit_result(session, officer, now, late.id, given(valid_until="2040-01-01"))
        assert late.valid_until == dt.date(2026, 8, 29)
        past = service.create_result(
            session, officer, now, rows.university.id, given(valid_until="2026-03-01")
        )
        assert past.id is not None
        with pytest.raises(InvalidInput) as refused:
            service.publish_result(session, officer, now, past.id)
        assert refused.value.problems == [("valid_until", "date_past", {})]

    def test_reminds_once_for_each_last_day(
        self, session: Session, officer: Actor, now: dt.datetime, published: Result
    ) -> None:
        assert published.id is not None
        assert service.remind_expiring(session, now) == (0, None)
        near = now + dt.timedelta(days=170)
        for _ in range(2):
            assert service.remind_expiring(session, near) == (1, None)
        mails = session.scalars(
            sa.select(t(WorkItem).c.payload).where(t(WorkItem).c.kind == "mail.send")
        ).all()
        assert len(mails) == 1
        assert mails[0]["template"] == "listing_expiring"
        assert mails[0]["params"]["valid_until"] == "2026-08-29"
        service.reconfirm_result(session, officer, near, published.id)
        assert service.remind_expiring(session, near) == (0, None)


class TestEvidence:
    @pytest.mark.parametrize(
        ("figure", "comparator", "source", "expected"),
        [
            ("", "", "", EvidenceGrade.STATED),
            ("很高", "同类产品", "报告", EvidenceGrade.STATED),
            ("86.5 %", "", "报告", EvidenceGrade.QUANTIFIED),
            ("86.5 %", "同类产品 82 %", " ", EvidenceGrade.COMPARED),
            ("86.5 %", "同类产品 82 %", "检测报告 2025-118", EvidenceGrade.SOURCED),
        ],
    )
    def test_grades(self, figure: str, comparator: str, source: str, expected: EvidenceGrade) -> None:
        assert rules.grade(figure, comparator, source) is expected

    def test_they_are_stored_with_the_claim(
        self, session: Session, rows: Rows, officer: Actor, now: dt.datetime
    ) -> None:
        assert rows.university.id is not None
        claim = {"statement": "效率", "figure": "86.5 %", "comparator": "82 %", "source": "报告"}
        row = service.create_result(
            session, officer, now, rows.university.id, given(claims=[claim, {"statement": "可靠"}])
        )
        assert row.id is not None
        found = result_detail(session, officer, row.id).claims
        assert [item.grade for item in found] == [EvidenceGrade.SOURCED, EvidenceGrade.STATED]


class TestPatents:
    @pytest.mark.parametrize(
        ("kind", "number", "stored"),
        [
            ("invention", "ZL 2007 1 0308494.X", "200710308494.X"),
            ("invention", "CN97101765.4", "97101765.4"),
            ("software", "2024SR0123456", "2024SR0123456"),
            ("invention", "", ""),
        ],
    )
    def test_canonical(self, kind: str, number: str, stored: str) -> None:
        assert IpInput.model_validate({"kind": kind, "number": number}).number == stored

    @pytest.mark.parametrize(
        ("kind", "number", "code", "params"),
        [
            ("invention", "200710308494.1", "patent_number_check_digit", {"expected": "X"}),
            ("invention", "2007", "patent_number_format", {}),
            ("design", "200710308494.X", "patent_number_kind", {"expected": "3", "found": "1"}),
        ],
    )
    def test_refused_at_the_field_with_what_would_be_right(
        self, kind: str, number: str, code: str, params: dict[str, str]
    ) -> None:
        with pytest.raises(ValidationError) as refused:
            given(ip=[{"kind": "software"}, {"kind": kind, "number": number}])
        (problem,) = refused.value.errors()
        assert problem["loc"] == ("ip", 1, "number")
        assert (problem["type"], problem.get("ctx", {})) == (code, params)
        for language in i18n.LANGUAGES:
            sentence = i18n.term(f"invalid.{code}", language, params)
            assert all(value in sentence for value in params.values())


class TestLists:
    @pytest.mark.parametrize(
        ("wanted", "titles"),
        [
            (Filter(), {"pump", "lathe", "open"}),
            (Filter(industry="machine-tools"), {"lathe"}),
            (Filter(trl_min=5, trl_max=6), {"lathe"}),
            (Filter(mode=CooperationMode.LICENCE), {"pump"}),
            (Filter(mode=CooperationMode.EXCLUSIVE_LICENCE), {"lathe"}),
            (Filter(price_from_fen=30, price_to_fen=50), {"pump"}),
            (Filter(price_from_fen=41, price_to_fen=59), set()),
            (Filter(price_to_fen=60), {"pump", "lathe"}),
            (Filter(owner_kind=OrganisationKind.FIRM), set()),
            (Filter(words="U"), {"pump"}),
            (Filter(words="%"), set()),
            (Filter(states=(ListingState.CONCLUDED,)), {"gone"}),
        ],
    )
    def test_filters(self, session: Session, rows: Rows, wanted: Filter, titles: set[str]) -> None:
        rows.result("pump", trl=7, modes=["licence"], price_low_fen=20, price_high_fen=40)
        rows.result(
            "lathe", industry_code="machine-tools", trl=5, modes=["exclusive_licence"], price_low_fen=60
        )
        rows.result("open")
        rows.result("gone", state="concluded")
        rows.result("hidden", state="expired")
        found, total = results(session, VISITOR, wanted, limit=10)
        assert {card.title for card in found} == titles
        assert total == len(titles)

    def test_newest_first_and_paged(self, session: Session, rows: Rows, now: dt.datetime) -> None:
        for number in range(5):
            rows.result(f"r{number}", published_at=now + dt.timedelta(days=number))
        found, total = results(session, VISITOR, Filter(), limit=2, offset=2)
        assert ([card.title for card in found], total) == (["r2", "r1"], 5)

    def test_statements_do_not_grow_with_rows(
        self, session: Session, rows: Rows, officer: Actor, buyer: Actor, published: Result
    ) -> None:
        for number in range(12):
            rows.result(f"r{number}")
        assert published.id is not None
        with statements(session) as seen:
            results(session, buyer, Filter(), limit=20)
        assert len(seen) == 2
        with statements(session) as seen:
            result_detail(session, buyer, published.id)
        assert len(seen) == 5

    def test_types_of_a_card(self, session: Session, rows: Rows) -> None:
        rows.result("高效泵", title_en="Pump", stage="pilot", modes=["licence"])
        (card,), _ = results(session, VISITOR, Filter(), limit=1, english=True)
        assert card.title == "Pump"
        assert card.owner_name == "浙江某大学"
        assert (card.stage, card.modes, card.pricing_mode) == (
            Stage.PILOT, [CooperationMode.LICENCE], PricingMode.NEGOTIATED,
        )  # fmt: skip
