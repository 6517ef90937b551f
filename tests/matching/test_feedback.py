import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from matching import feedback, scoring, weights
from matching.documents import Document, Key, Kind
from matching.feedback import Judged
from matching.scoring import Liking, ReasonCode, Scored
from tests.matching.test_scoring import NoRarity


def result(number: int, title: str) -> Document:
    return Document(Key(Kind.RESULT, number), title)


WEIGHER = scoring.Weigher(NoRarity())
IMPELLER, CASTING, RICE = (
    result(1, "离心泵叶轮水力优化"),
    result(2, "铸件砂型快速成形"),
    result(3, "水稻病害防治"),
)
LIKE_IMPELLER, LIKE_CASTING = result(11, "混流泵叶轮水力设计"), result(12, "铸件砂型烘干")
DEMAND = Document(Key(Kind.DEMAND, 1), "泵用铸件叶轮")


def moved(judged: Sequence[Judged], candidates: Sequence[Document]) -> list[Scored]:
    """The candidates in the order that the judgments make; what is judged is scored with them, as on a page."""
    documents = {one.key: one for one in (*candidates, *(one.document for one in judged))}
    scored = scoring.score(DEMAND, list(documents.values()), WEIGHER)
    wanted = {one.key for one in candidates}
    found = feedback.moved(scored, judged, WEIGHER, weights.shipped())
    return [one for one in found if one.document.key in wanted]


def likings(judged: Sequence[Judged], candidates: Sequence[Document]) -> dict[Key, Liking]:
    return {one.document.key: one.liking for one in moved(judged, candidates) if one.liking is not None}


def test_a_candidate_fits_as_well_as_what_it_is_like() -> None:
    found = likings([Judged(IMPELLER, 4), Judged(CASTING, 1)], [LIKE_IMPELLER, LIKE_CASTING, RICE])
    assert found[LIKE_IMPELLER.key].levels > 0 > found[LIKE_CASTING.key].levels
    assert found[LIKE_IMPELLER.key].nearest == IMPELLER.title
    assert found[LIKE_IMPELLER.key].nearest_relevant
    assert not found[LIKE_CASTING.key].nearest_relevant
    assert abs(found[RICE.key].levels) < abs(found[LIKE_CASTING.key].levels)


def test_what_is_like_nothing_judged_names_nothing() -> None:
    (other,) = moved([Judged(IMPELLER, 4)], [result(4, "儿童绘本")])
    assert other.liking is not None
    assert (other.liking.nearest, scoring.known_reasons(other)) == ("", [])


def test_one_word_says_something_already() -> None:
    assert likings([Judged(CASTING, 1)], [LIKE_CASTING])[LIKE_CASTING.key].levels < 0
    assert likings([Judged(IMPELLER, 4)], [LIKE_IMPELLER])[LIKE_IMPELLER.key].levels > 0


def test_the_nearer_the_heavier() -> None:
    found = likings([Judged(IMPELLER, 4)], [IMPELLER, LIKE_IMPELLER, RICE])
    assert found[IMPELLER.key].levels > found[LIKE_IMPELLER.key].levels > found[RICE.key].levels


def test_one_surprise_is_shared_as_a_gaussian_process_says() -> None:
    scored = scoring.score(DEMAND, [LIKE_IMPELLER], WEIGHER)
    # The judged one is not among the scored: the usual level was expected of it.
    (one,) = feedback.moved(scored, [Judged(IMPELLER, 4)], WEIGHER, weights.shipped())
    likeness = scoring.cosine(WEIGHER.vector(IMPELLER.whole_text), WEIGHER.vector(LIKE_IMPELLER.whole_text))
    pull = (4 - feedback.USUAL_LEVEL) / (feedback.OF_THE_WHOLE + feedback.OF_LIKENESS + feedback.OF_THE_JUDGE)
    assert one.liking is not None
    assert one.liking.levels == pytest.approx(feedback.OF_LIKENESS * likeness * pull)
    # Alone among the candidates it stands in the middle of the order.
    assert one.liking.expected == pytest.approx(
        feedback.USUAL_LEVEL + feedback.OF_THE_WHOLE * pull + one.liking.levels
    )
    assert one.total == pytest.approx(scored[0].total + weights.shipped().liking * one.liking.levels)


def test_the_pulls_solve_their_equations() -> None:
    lower = [[2.0], [0.5, 1.5], [0.25, -0.5, 1.0]]
    whole = [[lower[max(i, j)][min(i, j)] for j in range(3)] for i in range(3)]
    solution = feedback._solved(lower, [1.0, -2.0, 0.5])
    back = [math.fsum(a * b for a, b in zip(row, solution, strict=True)) for row in whole]
    assert back == pytest.approx([1.0, -2.0, 0.5])


def test_the_same_listing_judged_time_and_again_is_no_trouble() -> None:
    found = likings([Judged(IMPELLER, 4)] * 30, [LIKE_IMPELLER])
    once = likings([Judged(IMPELLER, 4)], [LIKE_IMPELLER])
    assert found[LIKE_IMPELLER.key].levels > once[LIKE_IMPELLER.key].levels > 0


def test_the_worst_that_was_expected_is_no_surprise() -> None:
    scored = [replace(one, total=-20.0) for one in scoring.score(DEMAND, [CASTING, LIKE_CASTING], WEIGHER)]
    found = feedback.moved(scored, [Judged(CASTING, 1)], WEIGHER, weights.shipped())
    assert [one.liking.levels for one in found if one.liking] == [0.0, 0.0]


def test_nothing_judged_moves_nothing() -> None:
    scored = scoring.score(DEMAND, [IMPELLER], WEIGHER)
    assert feedback.moved(scored, [], WEIGHER, weights.shipped()) == scored


def test_weights_that_leave_judgments_out_leave_the_order() -> None:
    weighing = replace(weights.shipped(), liking=0.0)
    scored = scoring.score(DEMAND, [LIKE_IMPELLER, LIKE_CASTING], WEIGHER, weighing)
    found = feedback.moved(scored, [Judged(CASTING, 4), Judged(IMPELLER, 1)], WEIGHER, weighing)
    assert [one.total for one in found] == [one.total for one in scored]


def test_only_the_first_ones_given_are_compared_with() -> None:
    many = [Judged(result(100 + n, "无关的标题"), 1) for n in range(feedback.MOST_JUDGED)]
    assert likings([*many, Judged(IMPELLER, 4)], [IMPELLER])[IMPELLER.key].nearest != IMPELLER.title


def test_the_order_follows_at_once_and_says_why() -> None:
    candidates = [LIKE_IMPELLER, LIKE_CASTING]
    impellers, castings = [Judged(IMPELLER, 4), Judged(CASTING, 1)], [Judged(IMPELLER, 1), Judged(CASTING, 4)]
    assert [one.document.key.id for one in moved(impellers, candidates)] == [11, 12]
    best, worst = moved(castings, candidates)
    assert [best.document.key.id, worst.document.key.id] == [12, 11]
    assert [(r.code, r.params) for r in scoring.known_reasons(best)] == [
        (ReasonCode.LIKE_RELEVANT, {"title": CASTING.title})
    ]
    assert [r.code for r in scoring.known_reasons(worst)] == [ReasonCode.LIKE_UNRELATED]


def test_no_judgment_lifts_a_band() -> None:
    scored = scoring.score(DEMAND, [LIKE_IMPELLER], WEIGHER)
    (one,) = feedback.moved(scored, [Judged(IMPELLER, 4)], WEIGHER, weights.shipped())
    assert one.total > scored[0].total
    assert (one.band, one.level) == (scored[0].band, scored[0].level)
