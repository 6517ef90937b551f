import json
import random
from pathlib import Path

import pytest

from market.db import Database, Session
from market.enquiries.models import Enquiry
from market.parties.models import Person
from matching import training, weights
from matching.documents import Key, Kind
from matching.embedded.index import TantivyIndex
from matching.indexer import reindex
from matching.models import Judgment, JudgmentSource
from matching.training import Examples, Pair
from matching.weights import Part
from tests.conftest import NOW
from tests.matching.rows import Rows

SHIPPED = weights.shipped()


def examples(demands: int, good: Part, seed: int = 3, noise: float = 0.3) -> Examples:
    """Demands whose levels follow one part, with some noise."""
    rng = random.Random(seed)
    made: Examples = {}
    for demand in range(demands):
        judged = []
        for number in range(14):
            parts = {part: rng.gauss(0, 1) for part in (Part.TITLE, Part.TEXT, Part.OVERLAP, Part.TERMS)}
            level = max(1, min(4, round(2 + parts[good] + rng.gauss(0, noise))))
            judged.append(Pair(str(number), parts, rng.random(), rng.random(), level))
        made[str(demand)] = judged
    return made


class TestLearning:
    def test_a_part_that_orders_well_is_found_and_may_take_over(self) -> None:
        found, report = training.train(examples(40, Part.OVERLAP), SHIPPED)
        assert found.parts[Part.OVERLAP] > found.parts[Part.TERMS]
        assert report.better
        assert report.low > 0
        assert report.after > report.before
        assert found.id is None

    def test_pure_noise_is_never_adopted(self) -> None:
        adopted = 0
        for seed in range(8):
            rng = random.Random(seed)
            made = examples(30, Part.TITLE, seed)
            for judged in made.values():
                levels = [pair.level for pair in judged]
                rng.shuffle(levels)
                judged[:] = [
                    Pair(pair.name, pair.parts, pair.title, pair.text, level)
                    for pair, level in zip(judged, levels, strict=True)
                ]
            adopted += training.train(made, SHIPPED)[1].better
        assert adopted <= 1, "an interval of 95 % may err once in forty"

    def test_too_little_teaches_nothing(self) -> None:
        found, report = training.train(examples(training.LEAST_DEMANDS - 1, Part.TERMS), SHIPPED)
        assert not report.enough
        assert not report.better
        assert found is SHIPPED

    def test_no_weight_counts_against_what_speaks_for(self) -> None:
        made = examples(30, Part.TITLE)
        for judged in made.values():
            for pair in judged:
                assert isinstance(pair.parts, dict)
                pair.parts[Part.TERMS] = -pair.parts[Part.TITLE]
        assert training.fit(made, SHIPPED.parts)[Part.TERMS] >= 0

    def test_the_same_examples_teach_the_same(self) -> None:
        made = examples(25, Part.TEXT)
        shuffled = dict(reversed(made.items()))
        assert training.train(made, SHIPPED)[1] == training.train(shuffled, SHIPPED)[1]

    def test_what_was_learned_can_be_kept_and_read(self) -> None:
        found, _ = training.train(examples(25, Part.TEXT), SHIPPED)
        again = weights.read(json.loads(json.dumps(weights.write(found))))
        assert again.parts[Part.TEXT] == pytest.approx(found.parts[Part.TEXT], abs=1e-4)


def test_equations_are_solved_whatever_their_order() -> None:
    assert training.solve([[0, 2, 1], [1, 1, 0], [3, 0, 1]], [7, 3, 6]) == pytest.approx([1, 2, 3])


def test_ndcg_by_hand() -> None:
    pairs = [Pair("a", {Part.TITLE: 1.0}, 0, 0, 1), Pair("b", {Part.TITLE: 0.0}, 0, 0, 4)]
    assert training.ndcg(pairs, {Part.TITLE: -1.0}) == 1
    assert training.ndcg(pairs, {Part.TITLE: 1.0}) == pytest.approx(0.63093, abs=1e-4)


class TestMarket:
    @pytest.fixture
    def people(self, database: Database) -> dict[str, int]:
        with database.write() as session:
            rows = Rows(session)
            person = Person(
                name="经纪人", email="b@example.com", password_hash="x", created_at=NOW, updated_at=NOW
            )
            session.add(person)
            session.flush()
            assert person.id is not None
            found = {"person": person.id, "firm": rows.firm.id or 0, "university": rows.university.id or 0}
            found["demand"] = rows.demand("离心泵叶轮水力效率提升")
            for number, title in enumerate(
                ("离心泵叶轮水力优化", "机床主轴温升", "水稻病害防治", "泵体铸造")
            ):
                found[f"r{number}"] = rows.result(title)
        return found

    def judge(self, session: Session, people: dict[str, int], result: str, level: int, **more: int) -> None:
        session.add(
            Judgment(
                demand_id=people["demand"],
                result_id=people[result],
                person_id=people["person"],
                source=JudgmentSource.CLICK.value,
                level=level,
                at=NOW,
                **more,
            )
        )

    def test_judgments_and_contacts_become_examples(self, database: Database, people: dict[str, int]) -> None:
        index = TantivyIndex(None)
        reindex(database, index)
        with database.write() as session:
            self.judge(session, people, "r0", 4)
            self.judge(session, people, "r1", 1)
            for result, state, reason in (
                ("r0", "passed", "not_relevant"),
                ("r2", "passed", "not_relevant"),
                ("r3", "agreed", None),
                ("r1", "passed", "no_budget"),
            ):
                session.add(
                    Enquiry(
                        subject_kind="demand",
                        subject_id=people["demand"],
                        offered_result_id=people[result],
                        from_organisation_id=people["university"],
                        from_person_id=people["person"],
                        to_organisation_id=people["firm"],
                        state=state,
                        pass_reason=reason,
                        created_at=NOW,
                        updated_at=NOW,
                    )
                )
        with database.read() as session:
            found = training.from_market(session, index)
        levels = {pair.name: pair.level for pair in found[str(people["demand"])]}
        keys = {name: str(Key(Kind.RESULT, people[name])) for name in ("r0", "r1", "r2", "r3")}
        assert levels == {keys["r0"]: 4, keys["r1"]: 1, keys["r2"]: 1, keys["r3"]: 4}

    def test_a_demand_with_one_level_is_no_example(self, database: Database, people: dict[str, int]) -> None:
        index = TantivyIndex(None)
        reindex(database, index)
        with database.write() as session:
            for result in ("r0", "r1", "r2"):
                self.judge(session, people, result, 4)
        with database.read() as session:
            assert training.from_market(session, index) == {}


class TestFolder:
    def write(self, folder: Path, name: str, rows: list[object]) -> None:
        (folder / f"bdci_{name}.jsonl").write_text(
            "\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8"
        )

    def test_judged_files_are_read(self, tmp_path: Path) -> None:
        self.write(tmp_path, "demands", [{"id": "d", "title": "离心泵叶轮", "text": "降低汽蚀"}])
        titles = (["离心泵", "叶轮"], ["水稻"], ["主轴"])
        self.write(
            tmp_path, "achievements", [{"id": f"a{n}", "title_tokens": t} for n, t in enumerate(titles)]
        )
        judged = [
            {"demand": "d", "achievement": f"a{n}", "level": level} for n, level in enumerate((4, 1, 2))
        ]
        self.write(tmp_path, "judgments", [*judged, {"demand": "?", "achievement": "a0", "level": 4}])
        found = training.from_folder(tmp_path)
        assert found["d"][0].level == 4, "the likest first"
        assert len(found["d"]) == 3

    def test_a_line_without_what_is_needed_is_named(self, tmp_path: Path) -> None:
        self.write(tmp_path, "demands", [{"id": "d", "title": "x"}, {"id": "e"}])
        with pytest.raises(ValueError, match=r"bdci_demands.jsonl:2: without title"):
            training.from_folder(tmp_path)
