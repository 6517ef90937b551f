import pytest

from market.db import Database
from market.parties.models import Organisation
from matching import experts, recommend
from matching.documents import Document, Key, Kind
from matching.embedded.index import TantivyIndex
from matching.experts import Fitting
from matching.indexer import reindex
from matching.weights import Band
from tests.matching.rows import AT, Rows

TEXT = "叶轮与蜗壳的水力模型优化，降低汽蚀，提高离心泵效率。"


def result(
    number: int, *inventors: str, owner: int = 1, industry: str = "pumps", worth: float = 1
) -> Fitting:
    document = Document(
        Key(Kind.RESULT, number),
        f"成果{number}",
        inventors=inventors,
        industry=industry,
        owner_id=owner,
        owner_name=f"单位{owner}",
        numbers=("2020100000001", "credit code"),
    )
    return Fitting(document, worth, Band.FAIR)


class TestPeople:
    def test_namesakes_are_kept_apart_by_organisation(self) -> None:
        found = experts.experts([result(1, "王伟"), result(2, "王伟", owner=2), result(3, "王伟")])
        assert {(one.name, one.organisation_id, one.count) for one in found} == {
            ("王伟", 1, 2),
            ("王伟", 2, 1),
        }

    def test_one_fitting_work_comes_before_many_that_fit_less(self) -> None:
        few = [result(1, "张三", worth=2)]
        many = [result(n, "李四", worth=0.9) for n in range(2, 9)]
        assert [one.name for one in experts.experts([*many, *few])] == ["张三", "李四"]

    def test_works_are_the_best_first_and_patents_counted(self) -> None:
        (person,) = experts.experts([result(n, "张三", worth=n) for n in range(1, 9)])
        assert [work.result_id for work in person.works] == [8, 7, 6, 5, 4]
        assert person.count == 8
        assert person.works[0].patents == 1
        assert person.works[0].band is Band.FAIR

    def test_fields_are_the_most_frequent_first(self) -> None:
        found = experts.experts([result(1, "张三"), result(2, "张三", industry="cars"), result(3, "张三")])
        assert found[0].industries == ("pumps", "cars")

    def test_a_name_told_twice_or_empty(self) -> None:
        found = experts.experts([result(1, "张三", " 张三 ", "", "Li  Si")])
        assert sorted((one.name, one.count) for one in found) == [("Li Si", 1), ("张三", 1)]

    def test_order_does_not_depend_on_the_order_given(self) -> None:
        made = [result(n, f"人{n % 3}", owner=n % 2 + 1) for n in range(12)]
        assert experts.experts(made) == experts.experts(reversed(made))


@pytest.fixture
def market(database: Database) -> dict[str, int]:
    with database.write() as session:
        rows = Rows(session)
        other = Organisation(
            name="台州某研究院", kind="research_institute", region_code="331002", credit_code="12331000471234567K",
            state="verified", created_at=AT, updated_at=AT,
        )  # fmt: skip
        session.add(other)
        session.flush()
        return {
            "pump": rows.result(
                "离心泵叶轮水力优化", TEXT, inventors=["陈泵", "王伟"], patent="2020100000001"
            ),
            "other": rows.result(
                "水稻病害防治", "农药残留检测", inventors=["赵稻"], organisation_id=other.id
            ),
            "namesake": rows.result("机床主轴温升", "主轴", inventors=["王伟"], organisation_id=other.id),
            "own": rows.result("离心泵叶轮", TEXT, inventors=["自家人"], organisation_id=rows.firm.id),
            "hidden": rows.result("离心泵叶轮草稿", TEXT, inventors=["草稿人"], state="draft"),
            "demand": rows.demand("离心泵叶轮水力效率提升", TEXT),
        }


def test_people_of_a_demand_with_their_results(database: Database, market: dict[str, int]) -> None:
    index = TantivyIndex(None)
    reindex(database, index)
    with database.read() as session:
        found = recommend.proposals(Kind.DEMAND, market["demand"], session, index)
        of_result = recommend.proposals(Kind.RESULT, market["pump"], session, index)
    assert found is not None
    assert of_result is not None
    assert {one.name for one in found.experts} == {"陈泵", "王伟"}, (
        "not one's own people, nor of what does not fit"
    )
    assert found.experts[0].works[0].title == "离心泵叶轮水力优化"
    assert found.experts[0].works[0].band is Band.STRONG
    assert of_result.experts == []


def test_people_are_found_by_name_and_by_what_they_did(database: Database, market: dict[str, int]) -> None:
    index = TantivyIndex(None)
    reindex(database, index)
    with database.read() as session:
        by_name = experts.search(session, index, "王伟")
        by_work = experts.search(session, index, "水稻病害")
        everybody = experts.search(session, index, "")
        of_pumps = experts.search(session, index, "", "machine-tools")
    assert [(one.name, one.works[0].result_id) for one in by_name[:2]] in (
        [("王伟", market["pump"]), ("王伟", market["namesake"])],
        [("王伟", market["namesake"]), ("王伟", market["pump"])],
    )
    assert [one.name for one in by_work] == ["赵稻"]
    assert {one.name for one in everybody} == {"陈泵", "王伟", "赵稻", "自家人"}
    assert of_pumps == []
