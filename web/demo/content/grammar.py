"""The grammar that demo listings are written from: one topic is one technical question of an industry.

A topic keeps together only what fits together physically: its objects, methods, problems and figures may
be combined freely within the topic and never across topics. The texts are written in lines,
`Chinese | English | sentence`, because they are edited far more often than the code that reads them.

Everything here is invented for the demonstration, the figures included; none of it is a measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

from market.deals.models import TechnicalField


@dataclass(frozen=True)
class Named:
    """A noun phrase in both languages."""

    zh: str
    en: str


@dataclass(frozen=True)
class Method:
    """A way to solve a topic's question. `how` is a clause that follows 本成果."""

    zh: str
    en: str
    how: str
    fits: tuple[int, ...]
    """Positions of the objects it can be applied to; empty means all of them."""
    proves: tuple[int, ...]
    """Positions of the metrics that it improves."""
    answers: int
    """Position of the problem that it answers."""


@dataclass(frozen=True)
class Metric:
    """A figure that tells whether a solution is good.

    `before` is what is usual today, `after` what a good solution reaches; whichever is larger says
    whether more is better. `condition` is a phrase of where it is measured.
    """

    zh: str
    en: str
    unit: str
    before: tuple[float, float]
    after: tuple[float, float]
    digits: int
    condition: str

    @property
    def higher_is_better(self) -> bool:
        """Whether the good value is the larger one."""
        return self.after[0] > self.before[0]


@dataclass(frozen=True)
class Topic:
    """One technical question, with everything that can sensibly be said about it."""

    key: str
    zh: str
    en: str
    goal: str
    """What is done for the object, as a short noun: 提效, 降噪."""
    field: TechnicalField
    ipc: tuple[str, ...]
    keywords: tuple[str, ...]
    incumbent: str
    """What a result is compared with."""
    objects: tuple[Named, ...]
    methods: tuple[Method, ...]
    problems: tuple[str, ...]
    """Full sentences without the final stop; `{o}` stands for the object."""
    tried: tuple[str, ...]
    """What a firm has tried in vain, as full sentences without the final stop."""
    metrics: tuple[Metric, ...]
    wants: tuple[str, ...]
    """Titles of demands, with `{o}`."""
    tasks: tuple[str, ...]
    """Parts of the research content of a demand."""
    needs: str
    """What a taker must bring along to put it to use."""

    def pairs(self) -> list[tuple[Named, Method]]:
        """Every object with every method that fits it."""
        return [
            (item, method)
            for method in self.methods
            for position, item in enumerate(self.objects)
            if not method.fits or position in method.fits
        ]


def m(
    zh: str,
    en: str,
    unit: str,
    before: tuple[float, float],
    after: tuple[float, float],
    digits: int,
    condition: str,
) -> Metric:
    """A `Metric`, shortly written."""
    return Metric(zh, en, unit, before, after, digits, condition)


def topic(
    key: str,
    zh: str,
    en: str,
    *,
    goal: str,
    field: TechnicalField,
    ipc: str,
    keywords: str,
    incumbent: str,
    objects: str,
    methods: str,
    problems: str,
    tried: str,
    metrics: tuple[Metric, ...],
    proves: str,
    answers: str,
    wants: str,
    tasks: str,
    needs: str,
) -> Topic:
    """Read a topic from its lines. `ipc` is parted by `;`, `keywords` by blanks.

    A method may end in the numbers, from one, of the only objects that it fits: `… | 1 3`. `proves` has a
    word for each method: the numbers of the metrics that it improves, `12 3 …`; `answers` the number of
    the problem that it answers.

    Raises ValueError when a line has not as many parts as it needs.
    """
    return Topic(
        key=key,
        zh=zh,
        en=en,
        goal=goal,
        field=field,
        ipc=tuple(part.strip() for part in ipc.split(";")),
        keywords=tuple(keywords.split()),
        incumbent=incumbent,
        objects=tuple(Named(*_parts(line, 2)) for line in _lines(objects)),
        methods=tuple(
            _method(line, *numbers)
            for line, *numbers in zip(_lines(methods), proves.split(), answers.split(), strict=True)
        ),
        problems=_lines(problems),
        tried=_lines(tried),
        metrics=metrics,
        wants=_lines(wants),
        tasks=_lines(tasks),
        needs=needs,
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip().rstrip("。") for line in text.strip().splitlines() if line.strip())


def _method(line: str, metrics: str, problem: str) -> Method:
    text, fits = line.rsplit("|", 1) if line.count("|") == 3 else (line, "")
    zh, en, how = _parts(text, 3)
    return Method(
        zh,
        en,
        how.rstrip("。"),
        fits=tuple(int(number) - 1 for number in fits.split()),
        proves=tuple(int(digit) - 1 for digit in metrics),
        answers=int(problem) - 1,
    )


def _parts(line: str, count: int) -> list[str]:
    parts = [part.strip() for part in line.split("|")]
    if len(parts) != count or not all(parts):
        raise ValueError(f"{count} parts expected: {line}")
    return parts
