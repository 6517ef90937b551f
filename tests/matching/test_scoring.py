import dataclasses

import pytest

from matching import scoring
from matching.documents import Document, Key, Kind
from matching.scoring import Band, Part, ReasonCode


class NoRarity:
    documents = 0

    def __init__(self) -> None:
        self.weights: dict[str, float] = {}

    def frequency(self, gram: str) -> int:
        return 0

    def mentions(self, word: str) -> int:
        return 0


def result(number: int = 1, title: str = "高效离心泵水力设计", **values: object) -> Document:
    return dataclasses.replace(Document(Key(Kind.RESULT, number), title), **values)  # type: ignore[arg-type]


def demand(title: str = "离心泵效率提升", **values: object) -> Document:
    return dataclasses.replace(Document(Key(Kind.DEMAND, 1), title), **values)  # type: ignore[arg-type]


@pytest.fixture
def weigher() -> scoring.Weigher:
    return scoring.Weigher(NoRarity())


def only(reasons: list[scoring.Reason], part: Part) -> scoring.Reason | None:
    return next((reason for reason in reasons if reason.part is part), None)


class TestScore:
    def test_the_like_comes_first_and_the_same_text_is_strong(self, weigher: scoring.Weigher) -> None:
        same, near, far = result(1, "离心泵效率提升"), result(2, "离心泵叶轮"), result(3, "水稻病害防治")
        ranked = scoring.score(demand(), [far, near, same], weigher)
        assert [one.document.key.id for one in ranked] == [1, 2, 3]
        assert ranked[0].absolute == pytest.approx(2)
        assert ranked[0].band is Band.STRONG
        assert ranked[2].band is Band.WEAK

    def test_order_does_not_depend_on_the_order_given(self, weigher: scoring.Weigher) -> None:
        candidates = [result(n, "离心泵") for n in (3, 1, 2)]
        ranked = scoring.score(demand(), candidates, weigher)
        assert [one.document.key.id for one in ranked] == [1, 2, 3]

    def test_stated_fields_settle_ties_but_never_raise_the_band(self, weigher: scoring.Weigher) -> None:
        plain, fitting = result(1, "水稻病害"), result(2, "水稻病害", industry="pumps", trl=9)
        ranked = scoring.score(demand(industry="pumps", trl=5), [plain, fitting], weigher)
        assert ranked[0].document.key.id == 2
        assert ranked[0].band is ranked[1].band is Band.WEAK

    def test_nothing_to_compare(self, weigher: scoring.Weigher) -> None:
        assert scoring.score(demand(), [], weigher) == []
        assert scoring.score(demand(""), [result(1, "")], weigher)[0].absolute == 0

    def test_either_side_may_ask(self, weigher: scoring.Weigher) -> None:
        forth = scoring.score(demand(trl=5), [result(trl=3)], weigher)[0]
        back = scoring.score(result(trl=3), [demand(trl=5)], weigher)[0]
        assert forth.absolute == pytest.approx(back.absolute)
        assert forth.reasons == back.reasons


class TestReasons:
    def test_readiness(self) -> None:
        ready = only(scoring.stated_reasons(result(trl=7), demand(trl=6)), Part.TRL)
        assert ready is not None
        assert ready.code is ReasonCode.READY_ENOUGH
        missing = only(scoring.stated_reasons(result(trl=4), demand(trl=6)), Part.TRL)
        assert missing is not None
        assert (missing.code, missing.value) == (ReasonCode.NOT_READY, -0.5)
        assert only(scoring.stated_reasons(result(trl=None), demand(trl=6)), Part.TRL) is None

    @pytest.mark.parametrize(
        ("asked", "budget", "code"),
        [
            ((100, 200), (50, 150), ReasonCode.WITHIN_BUDGET),
            ((100, 200), (50, 100), ReasonCode.WITHIN_BUDGET),
            ((100, 200), (50, 99), ReasonCode.ABOVE_BUDGET),
        ],
    )
    def test_price(self, asked: tuple[int, int], budget: tuple[int, int], code: ReasonCode) -> None:
        found = only(
            scoring.stated_reasons(
                result(price_low=asked[0], price_high=asked[1]),
                demand(price_low=budget[0], price_high=budget[1]),
            ),
            Part.PRICE,
        )
        assert found is not None
        assert found.code is code

    def test_negotiable_says_nothing(self) -> None:
        assert only(scoring.stated_reasons(result(), demand(price_low=1, price_high=2)), Part.PRICE) is None

    def test_patent_classes(self) -> None:
        group = only(
            scoring.stated_reasons(result(ipc=("F04D 29/42",)), demand(ipc=("F04D 29/18",))), Part.IPC
        )
        assert group is not None
        assert (group.code, group.params["ipc"]) == (ReasonCode.SAME_IPC_GROUP, "F04D 29")
        subclass = only(
            scoring.stated_reasons(result(ipc=("F04D 29/42",)), demand(ipc=("F04D 1/00",))), Part.IPC
        )
        assert subclass is not None
        assert (subclass.code, subclass.params["ipc"]) == (ReasonCode.SAME_IPC_CLASS, "F04D")

    def test_modes_wanted_by_both(self) -> None:
        found = only(
            scoring.stated_reasons(result(modes=("licence", "equity")), demand(modes=("equity",))), Part.MODE
        )
        assert found is not None
        assert found.params["modes"] == ("equity",)

    def test_words_of_both_sides_without_boilerplate(self) -> None:
        one = result(title="离心泵叶轮技术研究", text="解决汽蚀问题")
        other = demand(title="离心泵汽蚀技术", text="解决叶轮汽蚀问题")
        found = scoring.shared_words(one, other, NoRarity())
        assert found is not None
        words = set(found.params["words"])
        assert "叶轮" in words
        assert not words & scoring.BOILERPLATE

    def test_nothing_shared(self) -> None:
        assert scoring.shared_words(result(), demand("水稻"), NoRarity()) is None
