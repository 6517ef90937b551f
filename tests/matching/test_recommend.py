from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from market.db import Database, Session, t
from market.listings.models import Result
from matching.documents import Kind
from matching.embedded.index import TantivyIndex
from matching.indexer import reindex
from matching.recommend import partners
from matching.scoring import Band, ReasonCode
from tests.matching.rows import Rows

TEXT = "叶轮与蜗壳的水力模型优化，降低汽蚀，提高离心泵效率。"


@pytest.fixture
def market(database: Database) -> dict[str, int]:
    with database.write() as session:
        rows = Rows(session)
        numbers = {
            "pump": rows.result("离心泵叶轮水力优化", TEXT, trl=7, price_low_fen=100, modes=["licence"]),
            "other": rows.result("水稻病害防治", "农药残留检测", industry_code="machine-tools"),
            "demand": rows.demand(
                "离心泵叶轮水力效率提升", TEXT, wanted_trl=6, budget_high_fen=500, modes=["licence"]
            ),
            "own": rows.result("离心泵叶轮", "本单位的叶轮", organisation_id=rows.firm.id),
        }
        for number in range(30):
            rows.result(f"机床主轴{number}", "主轴温升", industry_code="machine-tools")
    return numbers


@pytest.fixture
def index(database: Database, market: dict[str, int]) -> TantivyIndex:
    index = TantivyIndex(None)
    reindex(database, index)
    return index


@contextmanager
def statements(session: Session) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    engine = session.get_bind()
    sa.event.listen(engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(engine, "before_cursor_execute", note)


def test_the_best_partner_and_why(database: Database, market: dict[str, int], index: TantivyIndex) -> None:
    with database.read() as session:
        found = partners(Kind.DEMAND, market["demand"], session, index)
    best = found[0]
    assert best.key.id == market["pump"]
    assert best.band is Band.STRONG
    codes = {reason.code for reason in best.reasons}
    assert {
        ReasonCode.SHARED_WORDS,
        ReasonCode.SAME_INDUSTRY,
        ReasonCode.READY_ENOUGH,
        ReasonCode.WITHIN_BUDGET,
        ReasonCode.SAME_MODE,
    } <= codes
    assert market["other"] not in {one.key.id for one in found}


def test_both_directions(database: Database, market: dict[str, int], index: TantivyIndex) -> None:
    with database.read() as session:
        found = partners(Kind.RESULT, market["pump"], session, index)
    assert [one.key.id for one in found] == [market["demand"]]


def test_ones_own_listing_is_marked(database: Database, market: dict[str, int], index: TantivyIndex) -> None:
    with database.read() as session:
        found = {one.key.id: one for one in partners(Kind.DEMAND, market["demand"], session, index)}
    assert found[market["own"]].same_owner
    assert not found[market["pump"]].same_owner


def test_what_was_withdrawn_a_moment_ago_is_not_shown(
    database: Database, market: dict[str, int], index: TantivyIndex
) -> None:
    with database.write() as session:
        session.execute(
            sa.update(t(Result)).where(t(Result).c.id == market["pump"]).values(state="withdrawn")
        )
    assert any(hit.key.id == market["pump"] for hit in index.search("水力优化").hits)
    with database.read() as session:
        assert market["pump"] not in {
            one.key.id for one in partners(Kind.DEMAND, market["demand"], session, index)
        }


def test_nothing_for_what_is_not_published(database: Database, index: TantivyIndex) -> None:
    with database.read() as session:
        assert partners(Kind.DEMAND, 999_999, session, index) == []


def test_an_index_being_built_proposes_nothing(database: Database, market: dict[str, int]) -> None:
    with database.read() as session:
        assert partners(Kind.DEMAND, market["demand"], session, TantivyIndex(None)) == []


def test_statements_do_not_grow_with_the_market(
    database: Database, market: dict[str, int], index: TantivyIndex
) -> None:
    with database.read() as session, statements(session) as seen:
        partners(Kind.DEMAND, market["demand"], session, index)
    few = len(seen)
    with database.write() as session:
        rows = Rows.__new__(Rows)
        rows.session = session
        rows.university = session.merge(_university(session))
        for number in range(80):
            rows.result(f"离心泵叶轮{number}", TEXT)
    reindex(database, index)
    with database.read() as session, statements(session) as seen:
        assert len(partners(Kind.DEMAND, market["demand"], session, index)) == 10
    assert len(seen) <= few <= 11


def _university(session: Session) -> Any:
    from market.parties.models import Organisation

    return session.execute(sa.select(Organisation).where(t(Organisation).c.kind == "university")).scalar_one()
