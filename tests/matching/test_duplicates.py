"""Which listings are nearly the same, and what becomes of a pair."""

from __future__ import annotations

import datetime as dt
import random
import re
from typing import Any

import pytest
import sqlalchemy as sa

from market.db import Database, t
from market.errors import InvalidInput, NotAllowed, NotFound
from market.listings.models import Result
from market.parties.models import Person
from market.permissions import Actor, Membership, Role, Via
from matching import duplicates, merging
from matching.documents import Document, Key, Kind
from matching.duplicates import Cursor, Ground
from matching.embedded.index import TantivyIndex
from matching.indexer import drain, reindex
from matching.models import Judgment, LookAlike, Proposal, ProposalEvent
from tests.matching.rows import AT, Rows

LATER = AT + dt.timedelta(minutes=1)
BROKER = Actor(1, "经纪人", Via.SESSION, (Membership(1, "市场", Role.BROKER, True),))
TEXT = (
    "本成果针对含砂井水中潜水电泵机械密封早期失效的问题，提出端面微槽与碳化硅复合涂层相结合的密封结构，"
    "在含砂量百分之一点五、压差一点六兆帕的条件下连续运行八千小时，端面磨损深度不大于二十微米，单套成本下降六成。"
    "结构可直接替换现有型号，不需要改动轴与泵体，已在三家企业完成台架试验和两个灌溉季的现场考核。"
)
OTHER = (
    "本成果提出一种用于数控车床主轴热误差补偿的方法，通过布置四只温度传感器，建立轴向热伸长与温度场之间的模型，"
    "并把补偿量实时写入控制器，使四千转连续运行两小时后的轴向误差由三十五微米降到五微米以内。"
)


def edited(text: str, seed: int = 1) -> str:
    """A copy as somebody retypes it: some clauses struck out, some words replaced."""
    chance = random.Random(seed)
    clauses = [clause for clause in re.split(r"(?<=[，。])", text) if chance.random() > 0.15]
    return "".join(clauses).replace("本成果", "该技术").replace("条件下", "工况下")


def document(number: int = 1, **values: Any) -> Document:
    """A result as it is compared; its owner's credit code stands last among the numbers."""
    rights = values.pop("rights", ())
    return Document(
        **{"key": Key(Kind.RESULT, number), "title": "密封结构", "text": TEXT, "owner_id": 1, "numbers": (*rights, "X"),
           **values}
    )  # fmt: skip


class TestLikeness:
    def test_an_edited_copy(self) -> None:
        one = duplicates.likeness(document(1), document(2, title="新型密封", text=edited(TEXT), owner_id=2))
        assert one.grounds == (Ground.NEAR_TEXT,)
        assert one.share >= duplicates.NEAR

    def test_something_else(self) -> None:
        assert duplicates.likeness(document(1), document(2, title="热补偿", text=OTHER)).grounds == ()

    def test_a_shared_number_however_it_is_written(self) -> None:
        one = document(1, rights=("ZL 2007 1 0308494.X",))
        other = document(2, title="另一个名字", text=OTHER, rights=("200710308494.X",), owner_id=2)
        assert duplicates.likeness(one, other).grounds == (Ground.SAME_NUMBER,)
        assert duplicates.likeness(one, other).numbers == ("ZL 2007 1 0308494.X",)

    def test_the_owners_credit_code_is_no_right(self) -> None:
        one, other = document(1, text=""), document(2, title="另一个名字", text="")
        assert duplicates.likeness(one, other).grounds == ()

    def test_a_family_of_patents_must_be_all_but_equal(self) -> None:
        one = document(1, rights=("200710308494.X",))
        other = document(2, text=edited(TEXT), rights=("200710308495.4",))
        assert duplicates.likeness(one, other).grounds == ()
        same = document(2, text=TEXT + "另见附件。", rights=("200710308495.4",))
        assert duplicates.likeness(one, same).grounds == (Ground.NEAR_TEXT,)

    def test_titles_count_within_one_owner(self) -> None:
        one = document(1, title="潜水泵（密封）", text="")
        assert duplicates.likeness(one, document(2, title="潜水泵 (密封)", text="")).grounds == (
            Ground.SAME_TITLE,
        )
        assert (
            duplicates.likeness(one, document(2, title="潜水泵（密封）", text="", owner_id=2)).grounds == ()
        )

    def test_short_texts_prove_nothing(self) -> None:
        one, other = document(1, title="甲", text="详见附件。"), document(2, title="乙", text="详见附件。")
        assert duplicates.likeness(one, other).grounds == ()


class Market:
    def __init__(self, database: Database) -> None:
        self.database = database
        with database.write() as session:
            self.rows = Rows(session)
            person = Person(name="员", email="s@x.cn", password_hash="", created_at=AT, updated_at=AT)
            session.add(person)
            session.flush()
            assert person.id is not None
            self.university, self.firm = self.rows.university.id, self.rows.firm.id
            self.staff = Actor(
                person.id, "员", Via.SESSION, (Membership(self.university or 0, "市场", Role.STAFF, True),)
            )
        self.index = TantivyIndex(None)
        reindex(database, self.index)

    def result(self, title: str, abstract: str = "", **values: Any) -> int:
        with self.database.write() as session:
            self.rows.session = session
            return self.rows.result(title, abstract, **values)

    def demand(self, title: str, difficulty: str = "", **values: Any) -> int:
        with self.database.write() as session:
            self.rows.session = session
            return self.rows.demand(title, difficulty, **values)

    def look(self, after: Cursor = Cursor(), now: dt.datetime = LATER) -> Cursor | None:
        """To the end, as the worker does."""
        drain(self.database, self.index)
        last: Cursor | None = after
        while last is not None:
            after = last
            with self.database.read() as session:
                found, last = duplicates.look(session, self.index, now, after)
            with self.database.write() as session:
                duplicates.keep(session, found)
        return after

    def pairs(self) -> list[tuple[int, int, tuple[Ground, ...]]]:
        with self.database.read() as session:
            found, total = duplicates.pairs(session, self.staff, limit=200)
            assert total == len(found) == duplicates.count_pairs(session)
        return [(pair.one.id, pair.other.id, pair.grounds) for pair in found]

    def change(self, result_id: int, **values: Any) -> None:
        with self.database.write() as session:
            session.execute(sa.update(t(Result)).where(t(Result).c.id == result_id).values(**values))


@pytest.fixture
def market(database: Database) -> Market:
    return Market(database)


class TestLooking:
    def test_pairs_across_organisations_the_surest_first(self, market: Market) -> None:
        one = market.result("潜水电泵密封结构", TEXT)
        two = market.result("一种密封", edited(TEXT), organisation_id=market.firm)
        three = market.result("主轴热补偿", OTHER, patent="200710308494.X")
        four = market.result("车床热误差", "", patent="200710308494.X", organisation_id=market.firm)
        market.result("无关的成果", "水稻病害防治，农药残留检测。" * 8)
        market.look()
        assert market.pairs() == [(three, four, (Ground.SAME_NUMBER,)), (one, two, (Ground.NEAR_TEXT,))]

    def test_what_is_found_again_stays_one_pair_found_then(self, market: Market) -> None:
        market.result("潜水电泵密封结构", TEXT)
        market.result("潜水电泵密封结构", TEXT)
        market.look()
        market.look(now=LATER + dt.timedelta(days=1))
        with market.database.read() as session:
            (pair,), _ = duplicates.pairs(session, market.staff, limit=9)
        assert (pair.found_at, pair.share) == (LATER, 1.0)
        assert set(pair.grounds) == {Ground.SAME_TITLE, Ground.NEAR_TEXT}

    def test_an_edit_that_tells_them_apart_ends_it(self, market: Market) -> None:
        market.result("密封", TEXT)
        two = market.result("密封结构", TEXT)
        cursor = market.look()
        assert len(market.pairs()) == 1
        market.change(two, abstract=OTHER, title="热补偿", updated_at=LATER)
        after = market.look(cursor or Cursor(), now=LATER + dt.timedelta(minutes=1))
        assert market.pairs() == []
        assert after == Cursor(LATER, two)

    def test_only_what_changed_is_looked_at_again(self, market: Market) -> None:
        market.result("密封", TEXT)
        cursor = market.look()
        two = market.result("密封结构", TEXT, updated_at=LATER)
        market.look(cursor or Cursor(), now=LATER + dt.timedelta(minutes=1))
        assert [(one, other) for one, other, _ in market.pairs()] == [(two - 1, two)]

    def test_what_changed_this_moment_waits(self, market: Market) -> None:
        market.result("密封", TEXT)
        with market.database.read() as session:
            assert duplicates.look(session, market.index, AT, Cursor())[1] is None

    def test_a_number_that_all_share_fills_nobodys_list(self, market: Market) -> None:
        for number in range(14):
            market.result(f"成果{number}号", f"{number}" * 50, patent="200710308494.X")
        market.look()
        times: dict[int, int] = {}
        for one, other, _ in market.pairs():
            for each in (one, other):
                times[each] = times.get(each, 0) + 1
        assert times
        assert max(times.values()) <= duplicates.MOST_PAIRS

    @pytest.mark.parametrize(
        "values", [{"state": "withdrawn"}, {"state": "draft"}, {"state": "withdrawn", "merged_into_id": 1}]
    )
    def test_what_is_off_the_market_is_not_shown(self, market: Market, values: dict[str, Any]) -> None:
        one = market.result("密封", TEXT)
        two = market.result("密封结构", TEXT)
        market.look()
        assert len(market.pairs()) == 1
        values = {**values, **({"merged_into_id": one} if "merged_into_id" in values else {})}
        market.change(two, **values)
        assert market.pairs() == []

    def test_only_staff_may_see_the_pairs(self, market: Market) -> None:
        with market.database.read() as session, pytest.raises(NotAllowed):
            duplicates.pairs(session, BROKER, limit=9)


class TestDeciding:
    def test_not_duplicates_are_not_shown_again(self, market: Market) -> None:
        one, two = market.result("密封", TEXT), market.result("密封结构", TEXT)
        market.look()
        with market.database.write() as session:
            duplicates.not_duplicates(session, market.staff, LATER, two, one, " 两种规格 ")
            # Said twice, the latest word stands.
            duplicates.not_duplicates(session, market.staff, LATER, one, two, "两个型号")
        market.look()
        assert market.pairs() == []
        with market.database.read() as session:
            assert session.scalar(sa.select(sa.func.count()).select_from(t(LookAlike))) == 1

    def test_what_is_refused(self, market: Market) -> None:
        one, two = market.result("密封", TEXT), market.result("密封结构", TEXT)
        for pair, actor, reason, error in (
            ((one, two), market.staff, "  ", InvalidInput),
            ((one, two), market.staff, "长" * 301, InvalidInput),
            ((one, one), market.staff, "同", NotFound),
            ((one, 10**9), market.staff, "同", NotFound),
            ((one, two), BROKER, "同", NotAllowed),
        ):
            with market.database.write() as session, pytest.raises(error):
                duplicates.not_duplicates(session, actor, LATER, *pair, reason)


class TestDemands:
    def test_open_demands_like_a_draft(self, market: Market) -> None:
        near = market.demand("潜水电泵密封寿命提升", TEXT)
        market.demand("潜水电泵密封寿命提升", TEXT, state="withdrawn")
        market.demand("车床主轴热补偿", OTHER)
        drain(market.database, market.index)

        def found(key: int, title: str, text: str) -> list[int]:
            draft = Document(key=Key(Kind.DEMAND, key), title=title, text=text)
            with market.database.read() as session:
                return [one.document.key.id for one in duplicates.near_demands(draft, session, market.index)]

        assert found(0, "求密封方案", edited(TEXT)) == [near]
        assert found(0, "潜水电泵密封寿命的提升", "") == [near]
        assert found(near, "潜水电泵密封寿命提升", TEXT) == []
        assert found(0, "棉花病虫害", "棉铃虫抗药性强。" * 20) == []
        assert found(0, "", TEXT) == []


class TestMoving:
    def proposal(self, session: Any, demand: int, result: int, state: str = "suggested") -> int:
        row = Proposal(
            demand_id=demand, result_id=result, industry_code="pumps", band="fair", rank=1, state=state,
            created_at=AT, updated_at=AT,
        )  # fmt: skip
        session.add(row)
        session.flush()
        assert row.id is not None
        return row.id

    def test_proposals(self, market: Market) -> None:
        one, two = market.result("密封", TEXT), market.result("密封结构", TEXT)
        demands = [market.demand(f"需求{n}") for n in range(4)]
        with market.database.write() as session:
            free = self.proposal(session, demands[0], two)
            repeated = self.proposal(session, demands[1], two)
            self.proposal(session, demands[1], one)
            accepted = self.proposal(session, demands[2], two, "accepted")
            undecided = self.proposal(session, demands[2], one)
            both = [self.proposal(session, demands[3], each, "accepted") for each in (one, two)]
            moved = merging.move(session, market.staff, LATER, two, one)
        assert moved["proposals"] == [free]
        with market.database.read() as session:
            p, e = t(Proposal).c, t(ProposalEvent).c
            rows = {
                row.id: row for row in session.execute(sa.select(p.id, p.result_id, p.state, p.reject_reason))
            }
            events = list(session.scalars(sa.select(e.proposal_id).order_by(e.id)))
        assert (rows[free].result_id, rows[free].state) == (one, "suggested")
        # Suggested twice for one demand: whichever was undecided is turned down as a repetition.
        assert (rows[repeated].state, rows[repeated].reject_reason) == ("rejected", "duplicate")
        assert (rows[undecided].state, rows[accepted].state) == ("rejected", "accepted")
        assert [rows[each].state for each in both] == ["accepted", "accepted"]
        assert events == [repeated, undecided]
        with market.database.write() as session:
            merging.move_back(session, moved, two)
        with market.database.read() as session:
            assert session.scalar(sa.select(p.result_id).where(p.id == free)) == two

    def test_judgments_and_the_latest_word(self, market: Market) -> None:
        one, two = market.result("密封", TEXT), market.result("密封结构", TEXT)
        demands = [market.demand(f"需求{n}") for n in range(3)]

        def judgment(session: Any, demand: int, result: int, level: int, at: dt.datetime) -> int:
            row = Judgment(
                demand_id=demand, result_id=result, person_id=market.staff.person_id or 0, source="click",
                level=level, at=at,
            )  # fmt: skip
            session.add(row)
            session.flush()
            assert row.id is not None
            return row.id

        with market.database.write() as session:
            alone = judgment(session, demands[0], two, 4, AT)
            older = judgment(session, demands[1], one, 1, AT)
            judgment(session, demands[1], two, 4, LATER)
            newer = judgment(session, demands[2], one, 1, LATER)
            judgment(session, demands[2], two, 4, AT)
            moved = merging.move(session, market.staff, LATER, two, one)

        def levels() -> dict[int, tuple[int, int]]:
            c = t(Judgment).c
            with market.database.read() as session:
                return {
                    row.id: (row.result_id, row.level)
                    for row in session.execute(sa.select(c.id, c.result_id, c.level))
                }

        assert moved["judgments"] == [alone]
        now = levels()
        assert (now[alone], now[older], now[newer]) == ((one, 4), (one, 4), (one, 1))
        assert len(now) == 5
        with market.database.write() as session:
            merging.move_back(session, moved, two)
        now = levels()
        assert (now[alone], now[older]) == ((two, 4), (one, 1))
