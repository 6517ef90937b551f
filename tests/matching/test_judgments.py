import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

from market.db import Database, Session, t
from market.enquiries.models import Enquiry
from market.errors import NotAllowed, NotFound, SignInRequired
from market.parties.models import Person
from market.permissions import VISITOR, Actor, Membership, Role, Via
from matching import judgments, recommend
from matching.dealings import dealings
from matching.documents import Key, Kind
from matching.embedded.index import TantivyIndex
from matching.indexer import reindex
from matching.judgments import RELATED, UNRELATED
from matching.models import Judgment, JudgmentSource
from matching.recommend import Proposals
from matching.scoring import ReasonCode
from tests.conftest import NOW
from tests.matching.rows import Rows

LATER = NOW + dt.timedelta(minutes=1)
TITLES = ("离心泵叶轮水力优化", "离心泵叶轮水力设计", "离心泵铸件砂型成形", "离心泵铸件砂型烘干")


def person(session: Session, name: str) -> int:
    row = Person(name=name, email=f"{name}@example.com", password_hash="x", created_at=NOW, updated_at=NOW)
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def actor(person_id: int, organisation_id: int, role: Role) -> Actor:
    return Actor(person_id, "某人", Via.SESSION, (Membership(organisation_id, "单位", role, True),))


class Market:
    """A demand, four results, and people of each side."""

    def __init__(self, session: Session) -> None:
        self.rows = rows = Rows(session)
        firm, university = rows.firm.id or 0, rows.university.id or 0
        self.firm, self.university = firm, university
        self.demand = rows.demand("离心泵叶轮与铸件")
        self.results = [rows.result(title) for title in TITLES]
        self.draft = rows.result("离心泵草稿", state="draft")
        self.owner = actor(person(session, "firm"), firm, Role.DEMAND_OWNER)
        self.colleague = actor(person(session, "colleague"), firm, Role.DEMAND_OWNER)
        self.broker = actor(person(session, "broker"), university, Role.BROKER)
        self.officer = actor(person(session, "officer"), university, Role.RESULTS_OFFICER)
        self.bidder = actor(person(session, "bidder"), firm, Role.BIDDER)

    @property
    def key(self) -> Key:
        return Key(Kind.DEMAND, self.demand)

    def levels(self, session: Session) -> dict[int, int]:
        return {key.id: word.level for key, word in judgments.words_on(session, self.key).items()}


@pytest.fixture
def market(session: Session) -> Market:
    return Market(session)


class TestClicks:
    def test_the_latest_word_stands_and_can_be_taken_back(self, session: Session, market: Market) -> None:
        first = market.results[0]
        judgments.click(session, market.owner, NOW, market.demand, first, UNRELATED)
        judgments.click(session, market.owner, LATER, market.demand, first, RELATED)
        assert market.levels(session) == {first: RELATED}
        assert judgments.clicked_by(session, market.owner, market.key) == {first}
        assert judgments.clicked_by(session, market.owner, Key(Kind.RESULT, first)) == {market.demand}
        assert judgments.clicked_by(session, market.broker, market.key) == set()
        assert len(session.execute(sa.select(t(Judgment).c.id)).all()) == 1
        judgments.click(session, market.owner, LATER, market.demand, first, None)
        assert market.levels(session) == {}
        judgments.click(session, market.owner, LATER, market.demand, first, None)

    def test_the_demands_side_is_heard_before_the_market(self, session: Session, market: Market) -> None:
        first = market.results[0]
        judgments.click(session, market.owner, NOW, market.demand, first, UNRELATED)
        judgments.click(session, market.broker, LATER, market.demand, first, RELATED)
        assert market.levels(session) == {first: UNRELATED}
        judgments.click(session, market.colleague, LATER, market.demand, first, RELATED)
        assert market.levels(session) == {first: RELATED}
        word = judgments.words_on(session, Key(Kind.RESULT, first))[market.key]
        assert word.by_demand_side
        assert word.relevant

    def test_both_directions_see_the_word(self, session: Session, market: Market) -> None:
        judgments.click(session, market.owner, NOW, market.demand, market.results[1], UNRELATED)
        assert list(judgments.words_on(session, Key(Kind.RESULT, market.results[1]))) == [market.key]
        assert judgments.words_on(session, Key(Kind.RESULT, market.results[0])) == {}

    def test_who_may_not(self, session: Session, market: Market) -> None:
        first = market.results[0]
        for stranger in (market.officer, market.bidder):
            with pytest.raises(NotAllowed):
                judgments.click(session, stranger, NOW, market.demand, first, RELATED)
        with pytest.raises(SignInRequired):
            judgments.click(session, VISITOR, NOW, market.demand, first, RELATED)
        assert market.levels(session) == {}

    def test_only_pairs_on_offer(self, session: Session, market: Market) -> None:
        for demand, result in (
            (market.demand, market.draft),
            (market.demand, 9999),
            (9999, market.results[0]),
        ):
            with pytest.raises(NotFound):
                judgments.click(session, market.owner, NOW, demand, result, RELATED)

    def test_the_stamp_moves_with_every_word(self, session: Session, market: Market) -> None:
        seen = [judgments.stamp(session, market.key)]
        judgments.click(session, market.owner, NOW, market.demand, market.results[0], RELATED)
        seen.append(judgments.stamp(session, market.key))
        judgments.click(session, market.owner, LATER, market.demand, market.results[0], UNRELATED)
        seen.append(judgments.stamp(session, market.key))
        judgments.click(session, market.owner, LATER, market.demand, market.results[0], None)
        assert judgments.stamp(session, market.key) == seen[0]
        assert len(set(seen)) == 3

    def test_sources_stand_beside_each_other(self, session: Session, market: Market) -> None:
        first = market.results[0]
        judgments.record(session, market.broker, NOW, market.demand, first, 4, JudgmentSource.QUEUE)
        judgments.click(session, market.broker, LATER, market.demand, first, UNRELATED)
        assert judgments.training_pairs(session) == [(market.demand, first, UNRELATED)]
        judgments.click(session, market.broker, LATER, market.demand, first, None)
        assert judgments.training_pairs(session) == [(market.demand, first, 4)]


class TestOrder:
    def find(self, database: Database, index: TantivyIndex, market: Market, **more: Any) -> Proposals:
        with database.read() as session:
            found = recommend.proposals(Kind.DEMAND, market.demand, session, index, **more)
        assert found is not None
        return found

    def test_the_rest_follows_at_once(self, database: Database) -> None:
        with database.write() as session:
            market = Market(session)
        index = TantivyIndex(None)
        reindex(database, index)
        impeller, like_impeller, casting, like_casting = market.results
        assert {one.key.id for one in self.find(database, index, market).partners} == set(market.results)
        for good, bad, expected in (
            (impeller, casting, [impeller, like_impeller, like_casting]),
            (casting, impeller, [casting, like_casting, like_impeller]),
        ):
            with database.write() as session:
                judgments.click(session, market.owner, NOW, market.demand, good, RELATED)
                judgments.click(session, market.owner, NOW, market.demand, bad, UNRELATED)
            found = self.find(database, index, market)
            assert [one.key.id for one in found.partners] == expected
            assert [one.key.id for one in found.put_aside] == [bad]
            codes = [{reason.code for reason in one.reasons} for one in found.partners]
            assert ReasonCode.LIKE_RELEVANT in codes[1]
            assert ReasonCode.LIKE_UNRELATED in codes[2]
            assert found.partners[0].judged is not None

    def test_what_was_judged_relevant_is_shown_however_little_it_is_alike(self, database: Database) -> None:
        with database.write() as session:
            market = Market(session)
            far = market.rows.result("qwertz")
        index = TantivyIndex(None)
        reindex(database, index)
        assert far not in {one.key.id for one in self.find(database, index, market).partners}
        with database.write() as session:
            judgments.click(session, market.broker, NOW, market.demand, far, RELATED)
        assert far in {one.key.id for one in self.find(database, index, market).partners}

    def test_age_counts_where_the_day_is_known(self, database: Database) -> None:
        with database.write() as session:
            market = Market(session)
        index = TantivyIndex(None)
        reindex(database, index)
        plain = self.find(database, index, market).partners[0]
        dated = self.find(database, index, market, now=NOW + dt.timedelta(days=3)).partners[0]
        assert ReasonCode.PUBLISHED_LATELY not in {reason.code for reason in plain.reasons}
        told = {reason.code: reason.params for reason in dated.reasons}
        assert told[ReasonCode.PUBLISHED_LATELY] == {"days": 3}


class TestDealings:
    def enquire(self, session: Session, market: Market, state: str, **more: Any) -> None:
        session.add(
            Enquiry(
                **{
                    "subject_kind": "result",
                    "subject_id": market.results[0],
                    "from_organisation_id": market.firm,
                    "from_person_id": market.owner.person_id,
                    "to_organisation_id": market.university,
                    "state": state,
                    "created_at": NOW,
                    "updated_at": NOW,
                    **more,
                }
            )
        )
        session.flush()

    def test_nothing_is_said_of_strangers(self, session: Session, market: Market) -> None:
        assert dealings(session, market.firm, [market.university, market.firm]) == {}
        assert dealings(session, market.firm, []) == {}

    def test_what_the_two_did_before(self, session: Session, market: Market) -> None:
        self.enquire(session, market, "agreed")
        self.enquire(session, market, "passed", pass_reason="not_relevant")
        self.enquire(session, market, "passed", pass_reason="no_budget")
        for one, other in ((market.firm, market.university), (market.university, market.firm)):
            found = dealings(session, one, [other])[other]
            assert (found.agreed, found.refused) == (1, 1)

    def test_how_quickly_the_other_answers(self, session: Session, market: Market) -> None:
        for hours in (1, 5, 200):
            self.enquire(session, market, "answered", first_reply_at=NOW + dt.timedelta(hours=hours))
        assert dealings(session, market.firm, [market.university])[market.university].answer_hours == 5

    def test_two_answers_are_too_few(self, session: Session, market: Market) -> None:
        for _ in range(2):
            self.enquire(session, market, "answered", first_reply_at=NOW)
        assert dealings(session, market.firm, [market.university]) == {}
