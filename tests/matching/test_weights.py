import json
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from market.db import Session, t
from market.errors import SignInRequired
from market.permissions import COMMAND_LINE, VISITOR
from matching import adopted, weights
from matching.models import MatchWeights
from matching.weights import Band, Part
from tests.conftest import NOW


def data(**changes: Any) -> dict[str, Any]:
    return {**weights.write(weights.shipped()), **changes}


class TestReading:
    def test_what_is_written_is_read_again(self) -> None:
        shipped = weights.shipped()
        assert weights.read(json.loads(json.dumps(weights.write(shipped)))) == shipped

    def test_every_part_has_a_weight(self) -> None:
        assert set(weights.shipped().parts) == set(Part)
        assert weights.shipped().parts[Part.TITLE] > 0

    @pytest.mark.parametrize(
        "broken",
        [
            {"parts": None},
            {"liking": "much"},
            {"liking": True},
            {"strong": float("nan")},
            {"least": 9},
            {"calibration": {"title": 1, "text": 1, "points": [[0, 1]]}},
            {"calibration": {"title": 1, "text": 1, "points": [[0, 3], [1, 2]]}},
            {"calibration": {"title": 1, "text": 1, "points": [[1, 1], [1, 2]]}},
            {"calibration": {}},
        ],
    )
    def test_what_cannot_be_scored_with_is_refused(self, broken: dict[str, Any]) -> None:
        with pytest.raises(ValueError):
            weights.read(data(**broken))


class TestCalibration:
    def test_the_level_lies_between_the_points(self) -> None:
        line = weights.Calibration(1, 1, ((0.0, 1.0), (0.5, 2.0), (1.0, 4.0)))
        assert line.level(-1) == 1
        assert line.level(0.25) == pytest.approx(1.5)
        assert line.level(0.75) == pytest.approx(3)
        assert line.level(9) == 4

    def test_bands_begin_at_their_levels(self) -> None:
        shipped = weights.shipped()
        assert shipped.band(shipped.strong) is Band.STRONG
        assert shipped.band(shipped.fair) is Band.FAIR
        assert shipped.band(shipped.fair - 0.01) is Band.WEAK

    @given(st.lists(st.tuples(st.floats(0, 2), st.floats(1, 4)), min_size=2, max_size=60))
    def test_the_line_never_falls(self, pairs: list[tuple[float, float]]) -> None:
        try:
            line = weights.rising_line(pairs)
        except ValueError:
            return
        assert [x for x, _ in line] == sorted({x for x, _ in line})
        assert [y for _, y in line] == sorted(y for _, y in line)

    def test_the_line_keeps_what_rises_already(self) -> None:
        pairs = [(n / 10, 1 + n / 5) for n in range(10)]
        assert weights.rising_line(pairs) == tuple(pairs)

    def test_nothing_to_calibrate_with(self) -> None:
        with pytest.raises(ValueError):
            weights.rising_line([(1, 4), (2, 3), (3, 2)])


class TestInForce:
    def learned(self) -> weights.Weights:
        return weights.read(data(liking=1.5))

    def test_shipped_until_others_are_adopted_and_afterwards(self, session: Session) -> None:
        assert adopted.in_force(session) == weights.shipped()
        kept = adopted.keep(session, COMMAND_LINE, NOW, self.learned(), {}, adopt=False)
        assert adopted.in_force(session).id is None, "kept is not adopted"
        first = adopted.keep(session, COMMAND_LINE, NOW, self.learned(), {}, adopt=True)
        second = adopted.keep(session, COMMAND_LINE, NOW, self.learned(), {"gain": 0.1}, adopt=True)
        assert kept < first < second
        assert adopted.in_force(session).id == second
        assert adopted.in_force(session).liking == 1.5
        adopted.back_to_shipped(session, COMMAND_LINE, NOW)
        assert adopted.in_force(session) == weights.shipped()
        adopted.back_to_shipped(session, COMMAND_LINE, NOW)

    def test_a_row_that_cannot_be_read_does_not_stop_matching(self, session: Session) -> None:
        adopted.keep(session, COMMAND_LINE, NOW, self.learned(), {}, adopt=True)
        session.execute(sa.update(t(MatchWeights)).values(weights={"parts": "?"}))
        assert adopted.in_force(session) == weights.shipped()

    def test_not_for_everybody(self, session: Session) -> None:
        with pytest.raises(SignInRequired):
            adopted.keep(session, VISITOR, NOW, self.learned(), {}, adopt=True)
        assert adopted.in_force(session).id is None
