"""What a score is made of, and how much each part weighs: data, not code.

`weights.json` holds what is shipped; `market train` may put others in its place (`matching.training`). Pure:
which weights are in force is asked of `matching.adopted`.

The shipped order is that of two cosines of characters, equally weighted: of everything tried on judged pairs
nothing untrained ranked better, and what was trained on half of them did not on the other half. The remaining
textual parts are measured, can be read and can be trained, but weigh nothing as shipped; for stated fields no
judged pairs exist, so their weights are small.
"""

import enum
import functools
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any


class Part(enum.StrEnum):
    """What a score is made of."""

    TITLE = "title"
    """The two titles' characters: the cosine of their 1- to 3-grams."""
    TEXT = "text"
    """The same of title and text."""
    FORWARD = "forward"
    """How much of the demand's title the result's text holds."""
    BACKWARD = "backward"
    """How much of the result's title the demand's text holds."""
    OVERLAP = "overlap"
    """Words that stand in both titles, the rarer the heavier."""
    TERMS = "terms"
    """Technical terms of both: model codes, units, abbreviations, long names."""
    INDUSTRY = "industry"
    IPC = "ipc"
    TRL = "trl"
    PRICE = "price"
    MODE = "mode"
    PLACE = "place"
    FRESH = "fresh"
    """How lately the candidate was published."""
    DEALINGS = "dealings"
    """What the two organisations have done before."""
    MEANING_TITLE = "meaning_title"
    """The cosine of the titles' vectors, where there are any (`matching.vectors`)."""
    MEANING_TEXT = "meaning_text"
    """The same of title and text."""


TEXTUAL = (Part.TITLE, Part.TEXT, Part.FORWARD, Part.BACKWARD, Part.OVERLAP)
MEANING = (Part.MEANING_TITLE, Part.MEANING_TEXT)
COMPARED = (*TEXTUAL, *MEANING)
"""Parts that mean something only beside the other candidates: they are standardised. The others run from -1 to 1."""
STATED = tuple(part for part in Part if part not in COMPARED)


class Band(enum.StrEnum):
    """How strong a proposal is. Never a percentage: the judgments it rests on are four coarse levels."""

    STRONG = "strong"
    FAIR = "fair"
    WEAK = "weak"


@dataclass(frozen=True, slots=True)
class Calibration:
    """From an absolute score to the level, 1 to 4, that people would give: a rising line through points."""

    title: float
    text: float
    points: tuple[tuple[float, float], ...]

    def absolute(self, title: float, text: float) -> float:
        """The score that bands rest on, of the two cosines as they are."""
        return self.title * title + self.text * text

    def level(self, absolute: float) -> float:
        """The expected level; the nearest point's beyond either end."""
        before = self.points[0]
        if absolute <= before[0]:
            return before[1]
        for point in self.points[1:]:
            if absolute <= point[0]:
                share = (absolute - before[0]) / (point[0] - before[0])
                return before[1] + share * (point[1] - before[1])
            before = point
        return before[1]


@dataclass(frozen=True, slots=True)
class Weights:
    """A set of weights with its calibration. `id` is the row it stands in; None for what is shipped.

    A part's weight is what one standard deviation (of a compared part) or the whole way from 0 to 1 (of a
    stated one) adds to the score; `liking` is what one level of likeness to judged listings adds, and so how much
    score is worth a level where judgments are compared with the order. `strong` and `fair` are the levels from
    which a pair is in that band; one below `least` is not proposed.
    """

    parts: Mapping[Part, float]
    liking: float
    calibration: Calibration
    strong: float
    fair: float
    least: float
    id: int | None = None

    def band(self, level: float) -> Band:
        """The band of an expected level."""
        if level >= self.strong:
            return Band.STRONG
        return Band.FAIR if level >= self.fair else Band.WEAK


def read(data: Mapping[str, Any], weights_id: int | None = None) -> Weights:
    """Weights from JSON data. Raises ValueError for anything that could not be scored with."""
    try:
        parts = {part: _number(data["parts"].get(part.value, 0.0)) for part in Part}
        calibration = data["calibration"]
        points = tuple((_number(x), _number(y)) for x, y in calibration["points"])
        found = Weights(
            parts,
            _number(data["liking"]),
            Calibration(_number(calibration["title"]), _number(calibration["text"]), points),
            _number(data["strong"]),
            _number(data["fair"]),
            _number(data["least"]),
            weights_id,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a set of weights: {error!r}") from error
    rising = all(a[0] < b[0] and a[1] <= b[1] for a, b in itertools.pairwise(points))
    if len(points) < 2 or not rising or not found.least <= found.fair <= found.strong:
        raise ValueError("calibration and bands must rise")
    return found


def write(weights: Weights) -> dict[str, Any]:
    """The JSON data that `read` reads."""
    return {
        "parts": {part.value: round(value, 4) for part, value in weights.parts.items()},
        "liking": weights.liking,
        "calibration": {
            "title": weights.calibration.title,
            "text": weights.calibration.text,
            "points": [[round(x, 4), round(y, 4)] for x, y in weights.calibration.points],
        },
        "strong": weights.strong,
        "fair": weights.fair,
        "least": weights.least,
    }


@functools.cache
def shipped() -> Weights:
    """What comes with the program."""
    return read(json.loads(resources.files(__package__).joinpath("weights.json").read_text("utf-8")))


def _number(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(f"not a number: {value!r}")
    return number


def rising_line(pairs: Sequence[tuple[float, float]], pieces: int = 10) -> tuple[tuple[float, float], ...]:
    """The rising line nearest to (score, level) pairs: pooled adjacent violators over equally large groups.

    Raises ValueError with fewer than two different scores.
    """
    ordered = sorted(pairs)
    size = max(1, len(ordered) // pieces)
    groups = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    pooled: list[tuple[float, float, int]] = []
    for group in groups:
        level = math.fsum(y for _, y in group) / len(group)
        score = math.fsum(x for x, _ in group) / len(group)
        count = len(group)
        while pooled and (pooled[-1][1] >= level or pooled[-1][0] >= score):
            x, y, n = pooled.pop()
            score = (score * count + x * n) / (count + n)
            level = (level * count + y * n) / (count + n)
            count += n
        pooled.append((score, level, count))
    if len(pooled) < 2:
        raise ValueError("nothing to calibrate with")
    return tuple((score, level) for score, level, _ in pooled)
