from matching import feedback, scoring
from matching.documents import Document, Key, Kind
from matching.feedback import Judged
from matching.scoring import Known, ReasonCode
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


def test_a_candidate_fits_as_well_as_what_it_is_like() -> None:
    found = feedback.likings(
        [Judged(IMPELLER, 4), Judged(CASTING, 1)], [LIKE_IMPELLER, LIKE_CASTING, RICE], WEIGHER
    )
    assert found[LIKE_IMPELLER.key].levels > 0 > found[LIKE_CASTING.key].levels
    assert found[LIKE_IMPELLER.key].nearest == IMPELLER.title
    assert found[LIKE_IMPELLER.key].nearest_relevant
    assert not found[LIKE_CASTING.key].nearest_relevant
    assert RICE.key not in found or abs(found[RICE.key].levels) < 0.1


def test_one_word_says_something_already() -> None:
    alone = feedback.likings([Judged(CASTING, 1)], [LIKE_CASTING], WEIGHER)
    assert alone[LIKE_CASTING.key].levels < 0
    alone = feedback.likings([Judged(IMPELLER, 4)], [LIKE_IMPELLER], WEIGHER)
    assert alone[LIKE_IMPELLER.key].levels > 0


def test_the_nearer_the_heavier() -> None:
    found = feedback.likings([Judged(IMPELLER, 4)], [IMPELLER, LIKE_IMPELLER], WEIGHER)
    assert found[IMPELLER.key].levels > found[LIKE_IMPELLER.key].levels


def test_nothing_judged_moves_nothing() -> None:
    assert feedback.likings([], [IMPELLER], WEIGHER) == {}


def test_only_the_first_ones_given_are_compared_with() -> None:
    many = [Judged(result(100 + n, "无关的标题"), 1) for n in range(feedback.MOST_JUDGED)]
    assert IMPELLER.key not in feedback.likings([*many, Judged(IMPELLER, 4)], [IMPELLER], WEIGHER)


def test_the_order_follows_at_once_and_says_why() -> None:
    candidates = [LIKE_IMPELLER, LIKE_CASTING]

    def order(judged: list[Judged]) -> list[int]:
        known = Known(likings=feedback.likings(judged, candidates, WEIGHER))
        return [one.document.key.id for one in scoring.score(DEMAND, candidates, WEIGHER, known=known)]

    impellers, castings = [Judged(IMPELLER, 4), Judged(CASTING, 1)], [Judged(IMPELLER, 1), Judged(CASTING, 4)]
    assert order(impellers) == [11, 12]
    assert order(castings) == [12, 11]
    known = Known(likings=feedback.likings(castings, candidates, WEIGHER))
    best, worst = scoring.score(DEMAND, candidates, WEIGHER, known=known)
    assert [(r.code, r.params) for r in scoring.known_reasons(best, known)] == [
        (ReasonCode.LIKE_RELEVANT, {"title": CASTING.title})
    ]
    assert [r.code for r in scoring.known_reasons(worst, known)] == [ReasonCode.LIKE_UNRELATED]


def test_no_judgment_lifts_a_band() -> None:
    known = Known(likings=feedback.likings([Judged(IMPELLER, 4)], [LIKE_IMPELLER], WEIGHER))
    plain = scoring.score(DEMAND, [LIKE_IMPELLER], WEIGHER)[0]
    moved = scoring.score(DEMAND, [LIKE_IMPELLER], WEIGHER, known=known)[0]
    assert moved.total > plain.total
    assert moved.band is plain.band
