"""One result goes on for another: what is chosen, what moves, what forbids it, and the way back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from market.audit import AuditRecord
from market.db import Session, t
from market.dirty import read_marks
from market.enquiries import merging as enquiries
from market.enquiries.models import Enquiry
from market.errors import Conflict, InvalidInput, NotAllowed, NotFound
from market.files.models import Attachment
from market.listings import history, merging, service
from market.listings.inputs import ResultInput
from market.listings.lifecycle import Merged
from market.listings.models import ListingState, Result, ResultIp
from market.listings.queries import result_detail
from market.permissions import SYSTEM, Actor, Membership, Role, Via
from tests.matching.rows import Rows

STAFF = Actor(None, "工作人员", Via.SESSION, (Membership(99, "市场", Role.STAFF, True),))
BROKER = Actor(1, "经纪人", Via.SESSION, (Membership(99, "市场", Role.BROKER, True),))
BASE: dict[str, Any] = {
    "title": "高效节能潜水泵水力模型",
    "industry_code": "pumps",
    "abstract": "一种潜水泵水力模型。",
    "trl": 6,
    "modes": ["licence"],
    "contact_name": "王工",
    "contact_phone": "0576-86000000",
}


def codes(error: pytest.ExceptionInfo[InvalidInput]) -> list[tuple[str, str]]:
    return [(field, code) for field, code, _ in error.value.problems]


class Market:
    def __init__(self, session: Session, now: dt.datetime) -> None:
        self.session, self.now = session, now
        self.rows = Rows(session)

    def result(self, organisation: Any = None, *, publish: bool = True, **values: Any) -> int:
        owner = (organisation or self.rows.university).id
        data = ResultInput.model_validate({**BASE, **values})
        row = service.create_result(self.session, SYSTEM, self.now, owner, data)
        assert row.id is not None
        if publish:
            service.publish_result(self.session, SYSTEM, self.now, row.id)
        return row.id

    def merge(self, staying: int, going: int, reason: str = "同一项专利", **values: Any) -> None:
        choices = values.pop("choices", {})
        moved = values.pop("moved", {})
        pair = merging.lock(self.session, STAFF, staying, going, values.pop("versions", (None, None)))
        merging.merge(self.session, STAFF, self.now, *pair, choices, reason, moved=moved)

    def row(self, result_id: int) -> Result:
        row = self.session.get(Result, result_id, populate_existing=True)
        assert row is not None
        return row

    def attachment(self, result_id: int, name: str, visibility: str = "public") -> int:
        row = Attachment(
            owner_kind="result", owner_id=result_id, organisation_id=self.row(result_id).organisation_id,
            name=name, media_type="application/pdf", size=1, sha256=name, visibility=visibility, created_at=self.now,
        )  # fmt: skip
        self.session.add(row)
        self.session.flush()
        assert row.id is not None
        return row.id

    def files(self, result_id: int) -> list[str]:
        c = t(Attachment).c
        return list(self.session.scalars(sa.select(c.name).where(c.owner_id == result_id).order_by(c.id)))


@pytest.fixture
def market(session: Session, now: dt.datetime) -> Market:
    return Market(session, now)


RIGHT = {"kind": "invention", "number": "200710308494.X", "title": "一种泵", "status": "granted"}


class TestChoices:
    def test_the_fuller_is_proposed(self) -> None:
        mine = ResultInput.model_validate({**BASE, "keywords": ["泵"], "trl": None}).model_dump(mode="json")
        theirs = ResultInput.model_validate(
            {**BASE, "title": "潜水泵水力模型及其优化设计方法", "abstract": "更长的一段摘要，说得更清楚。", "keywords": ["叶轮"],
             "contact_name": "李", "advantages": "节能", "price_low_fen": 100}
        ).model_dump(mode="json")  # fmt: skip
        assert merging.proposed(mine, theirs) == {
            "title": "staying", "abstract": "going", "advantages": "going", "keywords": "both",
            "maturity": "going", "price": "going", "contact": "staying",
        }  # fmt: skip

    def test_both_lists_in_order_and_without_repetition(self) -> None:
        mine = {**dict.fromkeys(name for names in merging.GROUPS.values() for name in names), "ip": [RIGHT]}
        mine.update(keywords=["泵", "叶轮"], claims=[], ipc=[], modes=[], inventors=["王一"])
        theirs = {
            **mine,
            "keywords": ["叶轮", "节能"],
            "ip": [{**RIGHT, "title": "一种潜水泵"}],
            "inventors": ["李二"],
        }
        content = merging.merged(mine, theirs, {"keywords": "both", "ip": "both", "inventors": "going"})
        assert content["keywords"] == ["泵", "叶轮", "节能"]
        assert content["ip"] == [RIGHT]
        assert content["inventors"] == ["李二"]

    def test_both_is_not_proposed_where_it_would_be_too_much(self) -> None:
        mine = ResultInput.model_validate({**BASE, "keywords": [f"词{n}" for n in range(12)]}).model_dump()
        theirs = ResultInput.model_validate({**BASE, "keywords": [f"語{n}" for n in range(13)]}).model_dump()
        assert merging.proposed(mine, theirs) == {"keywords": "going"}

    @pytest.mark.parametrize("chosen", ["both", "neither", ""])
    def test_a_choice_there_is_not(self, chosen: str) -> None:
        mine, theirs = {"title": "甲"}, {"title": "乙"}
        with pytest.raises(InvalidInput) as error:
            merging.merged(mine, theirs, {"title": chosen})
        assert codes(error) == [("keep.title", "unknown_choice")]


class TestMerging:
    def test_one_goes_on_for_the_other(self, market: Market, session: Session) -> None:
        one = market.result(keywords=["泵"])
        two = market.result(keywords=["叶轮"], abstract="更长的一段摘要，说得更清楚。", ip=[RIGHT])
        choices = {"keywords": "both", "abstract": "going", "ip": "both"}
        market.merge(one, two, choices=choices)
        detail = result_detail(session, STAFF, one)
        assert detail.keywords == ["泵", "叶轮"]
        assert detail.abstract == "更长的一段摘要，说得更清楚。"
        assert [right.number for right in detail.ip] == ["200710308494.X"]
        gone = market.row(two)
        assert (gone.state, gone.merged_into_id, gone.state_reason) == ("withdrawn", one, "同一项专利")
        # Nothing is deleted: the one that went keeps its rows and its history.
        assert session.scalar(sa.select(sa.func.count()).where(t(ResultIp).c.result_id == two)) == 1
        assert [edit.version for edit in history.revisions(session, "result", two, {})] == [2]
        assert next(event.action for event in history.events(session, "result", two)) == "merged"
        assert next(event.action for event in history.events(session, "result", one)) == "absorbed"
        marks = {(mark.kind, mark.row_id) for mark in read_marks(session)}
        assert {("result", one), ("result", two)} <= marks

    def test_nothing_more_can_be_done_with_the_one_that_went(self, market: Market, session: Session) -> None:
        one, two = market.result(), market.result()
        market.merge(one, two)
        data = ResultInput.model_validate(BASE)
        for verb in (
            lambda: service.edit_result(session, STAFF, market.now, two, data),
            lambda: service.publish_result(session, STAFF, market.now, two),
            lambda: service.reconfirm_result(session, STAFF, market.now, two),
            lambda: service.withdraw_result(session, STAFF, market.now, two, "x"),
            lambda: market.merge(two, one),
            lambda: market.merge(market.result(), two),
        ):
            with pytest.raises(Merged) as error:
                verb()
            assert error.value.params == {"into": one}

    def test_files_move_and_equal_ones_stay(self, market: Market) -> None:
        one, two = market.result(), market.result()
        market.attachment(one, "same")
        for name in ("same", "new"):
            market.attachment(two, name)
        market.attachment(two, "secret", "private")
        market.merge(one, two)
        assert market.files(one) == ["same", "new", "secret"]
        assert market.files(two) == ["same"]

    def test_another_organisations_papers_are_not_shown(self, market: Market, session: Session) -> None:
        one, two = market.result(), market.result(market.rows.firm)
        public = market.attachment(two, "public")
        for visibility in ("parties", "private"):
            market.attachment(two, visibility, visibility)
        market.merge(one, two)
        assert market.files(one) == ["public"]
        assert market.files(two) == ["parties", "private"]
        moved = session.get(Attachment, public, populate_existing=True)
        assert moved is not None
        assert moved.organisation_id == market.rows.university.id

    def test_earlier_mergers_follow(self, market: Market) -> None:
        one, two, three = market.result(), market.result(), market.result()
        market.merge(two, three)
        market.merge(one, two)
        assert [market.row(each).merged_into_id for each in (one, two, three)] == [None, one, one]

    def test_a_sold_one_keeps_what_it_says(self, market: Market, session: Session) -> None:
        one, two = market.result(), market.result(abstract="更长的一段摘要，说得更清楚。")
        service.conclude_result(session, SYSTEM, market.now, one)
        market.attachment(two, "report")
        market.merge(one, two, choices={"abstract": "going"})
        assert market.row(one).abstract == BASE["abstract"]
        assert market.files(one) == ["report"]
        assert market.row(two).merged_into_id == one

    def test_what_cannot_be_merged(self, market: Market, session: Session) -> None:
        one, two, draft, sold = (
            market.result(),
            market.result(),
            market.result(publish=False),
            market.result(),
        )
        service.conclude_result(session, SYSTEM, market.now, sold)
        for pair, code in (
            ((one, one), "merge_same"),
            ((one, draft), "merge_draft"),
            ((draft, one), "merge_draft"),
            ((one, sold), "merge_concluded"),
        ):
            with pytest.raises(InvalidInput) as error:
                merging.lock(session, STAFF, *pair)
            assert codes(error) == [("going", code)]
        with pytest.raises(NotFound):
            merging.lock(session, STAFF, one, 10**9)
        with pytest.raises(NotAllowed):
            merging.lock(session, BROKER, one, two)
        with pytest.raises(Conflict):
            merging.lock(session, STAFF, one, two, (2, 1))
        with pytest.raises(InvalidInput) as error:
            market.merge(one, two, reason="  ")
        assert codes(error) == [("reason", "missing")]
        assert market.row(two).merged_into_id is None

    def test_what_the_result_may_not_say_is_refused(self, market: Market) -> None:
        one = market.result(keywords=[f"词{n}" for n in range(20)])
        two = market.result(keywords=["多一个"])
        with pytest.raises(ValidationError):
            market.merge(one, two, choices={"keywords": "both"})


class TestUndoing:
    def test_back_to_what_it_was(self, market: Market, session: Session) -> None:
        one, two, three = market.result(keywords=["泵"]), market.result(keywords=["叶轮"]), market.result()
        market.attachment(two, "report")
        market.merge(two, three)
        market.merge(one, two, choices={"keywords": "going"}, moved={"proposals": [7]})
        merger, restored = merging.separate(session, STAFF, market.now, two, "是两项成果")
        assert (restored, merger.staying_id, merger.moved["proposals"]) == (True, one, [7])
        assert (market.row(two).state, market.row(two).merged_into_id) == ("published", None)
        assert market.row(one).keywords == ["泵"]
        assert market.files(two) == ["report"]
        assert market.row(three).merged_into_id == two
        assert next(event.action for event in history.events(session, "result", two)) == "separated"
        with pytest.raises(NotFound):
            merging.separate(session, STAFF, market.now, two, "again")

    def test_an_edit_since_is_kept(self, market: Market, session: Session) -> None:
        one, two = market.result(keywords=["泵"]), market.result(keywords=["叶轮"])
        market.merge(one, two, choices={"keywords": "both"})
        data = ResultInput.model_validate({**BASE, "keywords": ["泵", "叶轮", "新"]})
        service.edit_result(session, STAFF, market.now, one, data)
        _, restored = merging.separate(session, STAFF, market.now, two, "是两项成果")
        assert not restored
        assert market.row(one).keywords == ["泵", "叶轮", "新"]

    def test_a_day_that_went_by_keeps_it_withdrawn(self, market: Market, session: Session) -> None:
        one, two = market.result(), market.result(valid_until=(market.now + dt.timedelta(days=3)).date())
        market.merge(one, two)
        merging.separate(session, STAFF, market.now + dt.timedelta(days=9), two, "是两项成果")
        assert market.row(two).state == ListingState.WITHDRAWN.value

    def test_what_cannot_be_undone(self, market: Market, session: Session) -> None:
        one, two, other = market.result(), market.result(), market.result()
        market.merge(one, two)
        later = market.now + dt.timedelta(days=merging.UNDO_DAYS, seconds=1)
        for now, reason, code in ((market.now, "", "missing"), (later, "是两项", "merge_too_old")):
            with pytest.raises(InvalidInput) as error:
                merging.separate(session, STAFF, now, two, reason)
            assert codes(error) == [("reason", code)]
        with pytest.raises(NotFound):
            merging.separate(session, STAFF, market.now, other, "是两项")
        with pytest.raises(NotAllowed):
            merging.separate(session, BROKER, market.now, two, "是两项")
        # The record itself cannot be edited, so that the way back is always the one that was taken.
        merger = merging.merger_of(session, two)
        assert merger is not None
        assert merger.state_before is ListingState.PUBLISHED
        assert (
            session.scalar(sa.select(sa.func.count()).where(t(AuditRecord).c.action == "result.merged")) == 1
        )


def test_enquiries_follow_and_come_back(market: Market, session: Session) -> None:
    one, two = market.result(), market.result()

    def enquiry(**values: Any) -> int:
        row = Enquiry(
            **{
                "subject_kind": "result", "subject_id": two, "from_person_id": person,
                "to_organisation_id": market.rows.university.id, "created_at": market.now, "updated_at": market.now,
                **values,
            }
        )  # fmt: skip
        session.add(row)
        session.flush()
        assert row.id is not None
        return row.id

    from market.parties.models import Person

    asker = Person(name="问", email="a@x.cn", password_hash="", created_at=market.now, updated_at=market.now)
    session.add(asker)
    session.flush()
    person = asker.id
    about, demand = enquiry(), market.rows.demand("需求")
    offering = enquiry(subject_kind="demand", subject_id=demand, offered_result_id=two)
    same_number = enquiry(subject_kind="demand", subject_id=two)
    moved = enquiries.move(session, two, one)
    assert moved == {"enquiries": [about], "offers": [offering]}

    def subjects() -> list[tuple[int, int | None]]:
        c = t(Enquiry).c
        return list(session.execute(sa.select(c.subject_id, c.offered_result_id).order_by(c.id)))

    assert subjects() == [(one, None), (demand, one), (two, None)]
    enquiries.move_back(session, moved, two)
    assert subjects() == [(two, None), (demand, two), (two, None)]
    assert same_number
