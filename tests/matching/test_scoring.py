import dataclasses
import datetime as dt

import pytest

from matching import scoring, weights
from matching.documents import Document, Key, Kind
from matching.scoring import Band, Dealing, Known, Part, ReasonCode


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


class TestParts:
    NOW = dt.datetime(2026, 3, 2, tzinfo=dt.UTC)

    def test_how_much_of_a_title_the_other_text_holds(self, weigher: scoring.Weigher) -> None:
        asked = demand("离心泵叶轮", text="输送海水")
        telling, silent = result(1, "新结构", text="用于离心泵叶轮"), result(2, "新结构", text="用于机床")
        raw = scoring.compared(asked, [telling, silent], weigher)
        assert raw[Part.FORWARD] == [pytest.approx(1), pytest.approx(0)]
        back = scoring.compared(telling, [asked], weigher)
        assert back[Part.FORWARD] == [pytest.approx(1)], (
            "the demand's title in the result's text, whoever asks"
        )
        wanting = scoring.compared(demand("新结构", text="用于离心泵"), [result(1, "离心泵")], weigher)
        assert wanting[Part.BACKWARD] == [pytest.approx(1)]

    def test_rare_words_of_both_titles_weigh_more(self) -> None:
        class Counted(NoRarity):
            documents = 1000

            def mentions(self, word: str) -> int:
                return 500 if "离心" in word else 1

        weigher = scoring.Weigher(Counted())
        raw = scoring.compared(demand("离心泵叶轮"), [result(1, "离心泵"), result(2, "叶轮")], weigher)
        common, rare = raw[Part.OVERLAP]
        assert rare is not None
        assert common is not None
        assert rare > common > 0

    def test_vectors_count_only_for_those_that_have_them(self, weigher: scoring.Weigher) -> None:
        candidates = [result(n, "离心泵") for n in (1, 2, 3, 4)]
        cosines = ((2, 0.9), (3, 0.7), (4, 0.69))
        known = Known(meaning={candidates[n - 1].key: (value, value) for n, value in cosines})
        ranked = scoring.score(demand(), candidates, weigher, known=known)
        assert [one.document.key.id for one in ranked] == [2, 1, 3, 4]
        assert [r.code for r in scoring.known_reasons(ranked[0])] == [ReasonCode.CLOSE_IN_MEANING]
        assert scoring.known_reasons(ranked[1]) == []

    @pytest.mark.parametrize(
        ("written", "terms"),
        [
            ("304L不锈钢，流量25 m³/h", {"304l", "m3/h"}),
            ("基于PLC与AGV的 smart factory System", {"plc", "agv"}),
            ("45CrNiMo 锻件 IE4 kW 12 34", {"45crnimo", "ie4", "kw"}),
            ("the of a", set()),
            ("", set()),
        ],
    )
    def test_technical_terms(self, written: str, terms: set[str]) -> None:
        assert set(scoring.technical_terms(written)) == terms

    def test_shared_terms_are_told_as_written(self) -> None:
        found = scoring.shared_terms(demand("用 PLC 控制", text="IE4 电机"), result(1, "plc 柜", text="ie4"))
        assert found is not None
        assert found.params["words"] == ("PLC", "IE4")
        assert found.value == pytest.approx(0.75)
        assert scoring.shared_terms(demand("泵"), result(1, "泵")) is None

    def test_the_words_behind_the_comparison(self) -> None:
        found = scoring.worded_reasons(
            demand("离心泵叶轮", text="输送海水"), result(1, "离心泵", text="叶轮耐蚀"), NoRarity()
        )
        assert {reason.code: reason.params["words"] for reason in found} == {
            ReasonCode.TITLE_WORDS: ("离心泵",),
            ReasonCode.TITLE_IN_RESULT: ("叶轮",),
        }

    @pytest.mark.parametrize(
        ("ours", "theirs", "code"),
        [
            ("331081", "331081", ReasonCode.SAME_CITY),
            ("331081", "331002", ReasonCode.SAME_PREFECTURE),
            ("331081", "331000", ReasonCode.SAME_PREFECTURE),
            ("331000", "331000", ReasonCode.SAME_PREFECTURE),
            ("331081", "330106", ReasonCode.SAME_PROVINCE),
            ("330000", "330000", ReasonCode.SAME_PROVINCE),
            ("331081", "310115", None),
            ("331081", "", None),
        ],
    )
    def test_place(self, ours: str, theirs: str, code: ReasonCode | None) -> None:
        found = only(scoring.stated_reasons(demand(region=ours), result(region=theirs)), Part.PLACE)
        assert (found and found.code) == code

    def test_the_same_wide_class(self) -> None:
        reasons = scoring.stated_reasons(result(ipc=("F04D 29/42",)), demand(ipc=("F04B 1/00",)))
        found = only(reasons, Part.IPC)
        assert found is not None
        assert (found.code, found.params["ipc"]) == (ReasonCode.SAME_IPC_SECTION, "F04")

    @pytest.mark.parametrize(("days", "told"), [(0, True), (89, True), (90, False), (-2, False)])
    def test_age(self, days: int, told: bool) -> None:
        published = self.NOW - dt.timedelta(days=days)
        reasons = scoring.stated_reasons(demand(), result(published_at=published), Known(self.NOW))
        assert (only(reasons, Part.FRESH) is not None) == told

    def test_the_newer_counts_more_and_it_is_the_candidates_age(self) -> None:
        new, old = (result(published_at=self.NOW - dt.timedelta(days=days)) for days in (1, 60))
        values = [
            only(scoring.stated_reasons(demand(), one, Known(self.NOW)), Part.FRESH) for one in (new, old)
        ]
        assert values[0] is not None
        assert values[1] is not None
        assert values[0].value > values[1].value > 0
        assert only(scoring.stated_reasons(new, demand(), Known(self.NOW)), Part.FRESH) is None

    def test_what_organisations_did_before(self) -> None:
        def told(dealing: Dealing) -> dict[ReasonCode, float]:
            reasons = scoring.stated_reasons(demand(), result(owner_id=7), Known(dealings={7: dealing}))
            return {reason.code: reason.value for reason in reasons if reason.part is Part.DEALINGS}

        assert told(Dealing(agreed=2, refused=3)) == {ReasonCode.DEALT_BEFORE: 1}
        assert told(Dealing(refused=1)) == {ReasonCode.TURNED_DOWN: -0.5}
        assert told(Dealing(answer_hours=5.2)) == {ReasonCode.ANSWERS_QUICKLY: 0.5}
        assert told(Dealing(answer_hours=72)) == {}

    def test_what_two_did_before_is_not_for_everybody(self) -> None:
        inside = {code for code in ReasonCode if scoring.Reason(Part.DEALINGS, code, 1).inside}
        assert inside == {ReasonCode.DEALT_BEFORE, ReasonCode.TURNED_DOWN}

    def test_weights_decide(self, weigher: scoring.Weigher) -> None:
        near, local = result(1, "离心泵效率"), result(2, "水稻", region="331081")
        asked = demand(region="331081")
        assert scoring.score(asked, [near, local], weigher)[0].document is near
        parts = dict.fromkeys(Part, 0.0) | {Part.PLACE: 1.0}
        only_place = dataclasses.replace(weights.shipped(), parts=parts)
        assert scoring.score(asked, [near, local], weigher, only_place)[0].document is local
