"""How well a result answers a demand, in named parts that can be told to people.

What is compared of the texts (`weights.COMPARED`) is standardised over the candidates, weighed and added: that
gives the order. Two of those parts added as they are give the expected level and the band, because only an
absolute score may say that nothing fits. What the two sides state (industry, patent class, readiness, price, way
of working together, place, age, former dealings) weighs little and never lifts a pair into a higher band.

Pure functions: no rows, no index, no clock. A reason is a code with parameters; sentences are made elsewhere.
"""

import datetime as dt
import enum
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matching import text, weights
from matching.documents import Document, Key, Kind
from matching.index import Rarity
from matching.weights import Band, Part, Weights

LIKE_A_CATALOGUE = 5000
"""Titles that frequencies are scaled up to, so that a young market's scores mean what a full one's do."""
LONGEST_TEXT = 500
"""Characters compared: between 500 and 3,000 the measured quality is the same, and time is not."""

MOST_REMEMBERED = 400_000
"""Weights kept from one comparison to the next, about 40 MB."""
MOST_VECTORS = 256
"""Vectors that a weigher keeps: a page asks for those of its candidates up to three times, and no page for more."""

COMMON_WORD = 0.08
"""A word that a larger share of the entries mentions says nothing about two of them."""
_BOILERPLATE = (
    "技术 研究 问题 解决 提高 存在 现有 针对 开发 应用 方法 装置 系统 设备 产品 项目 企业 公司 需求 成果 合作 要求 生产 制造 "
    "工艺 处理 控制 功能 性能 使用 设计 关键 以下 水平 影响 过程 条件 环境 工作 行业 国内 国内外 目标 指标 内容 方案 "
    "降低 满足 达到 需要 具备 进一步 有效 结构 一定 范围 完成 部件 连接 市场 发展 创新 领域 当前 希望 难以 容易 不能 "
    "method system device technology research development application product process"
)
BOILERPLATE = frozenset(_BOILERPLATE.split())
"""What every listing says: never offered as the reason of a match. Only wording, the scores ignore it."""


class ReasonCode(enum.StrEnum):
    """Why two sides may, or may not, fit. The parameters are named behind each."""

    SHARED_WORDS = "shared_words"
    """words: rarest first"""
    SAME_INDUSTRY = "same_industry"
    """industry: code"""
    SAME_IPC_GROUP = "same_ipc_group"
    """ipc: main group, `F04D 29`"""
    SAME_IPC_CLASS = "same_ipc_class"
    """ipc: subclass, `F04D`"""
    READY_ENOUGH = "ready_enough"
    """has, wanted: TRL"""
    NOT_READY = "not_ready"
    """has, wanted: TRL"""
    WITHIN_BUDGET = "within_budget"
    """price_low, price_high, budget_low, budget_high: fen"""
    ABOVE_BUDGET = "above_budget"
    """as before"""
    SAME_MODE = "same_mode"
    """modes: CooperationMode values wanted by both"""
    SHARED_TERMS = "shared_terms"
    """words: technical terms, as one side writes them"""
    TITLE_WORDS = "title_words"
    """words: in both titles"""
    TITLE_IN_RESULT = "title_in_result"
    """words: of the demand's title, told of in the result's text"""
    TITLE_IN_DEMAND = "title_in_demand"
    """words: of the result's title, told of in the demand's text"""
    SAME_IPC_SECTION = "same_ipc_section"
    """ipc: class, `F04`"""
    SAME_CITY = "same_city"
    SAME_PREFECTURE = "same_prefecture"
    SAME_PROVINCE = "same_province"
    PUBLISHED_LATELY = "published_lately"
    """days"""
    DEALT_BEFORE = "dealt_before"
    """times"""
    TURNED_DOWN = "turned_down"
    """times"""
    ANSWERS_QUICKLY = "answers_quickly"
    """hours: half of its first answers came within so many"""
    CLOSE_IN_MEANING = "close_in_meaning"
    LIKE_RELEVANT = "like_relevant"
    """title: of a listing judged relevant"""
    LIKE_UNRELATED = "like_unrelated"
    """title: of a listing judged not relevant"""


@dataclass(frozen=True, slots=True)
class Reason:
    """One part of the score. `value` runs from -1 (speaks against) to 1 (speaks for)."""

    part: Part
    code: ReasonCode
    value: float
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def favourable(self) -> bool:
        """True if it speaks for the pair."""
        return self.value > 0

    @property
    def inside(self) -> bool:
        """True for what only the two sides' own people and the market's may read."""
        return self.code in (ReasonCode.DEALT_BEFORE, ReasonCode.TURNED_DOWN)


@dataclass(frozen=True, slots=True)
class Dealing:
    """How the subject's organisation and a candidate's got on: agreed and refused enquiries between them, and the
    hours within which half of the other's first answers came to anybody (None: too few)."""

    agreed: int = 0
    refused: int = 0
    answer_hours: float | None = None


@dataclass(frozen=True, slots=True)
class Liking:
    """How much better (in levels; worse if below zero) a candidate should fit for its likeness to judged ones,
    the level that is expected of it then, and the title of the nearest of them (empty: none is near)."""

    levels: float
    expected: float
    nearest: str
    nearest_relevant: bool


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the candidates beside their documents; an empty field is silent.

    `dealings` is by organisation; `meaning` holds the cosines of vectors of the titles and of the whole texts.
    """

    now: dt.datetime | None = None
    dealings: Mapping[int, Dealing] = field(default_factory=dict)
    meaning: Mapping[Key, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its place in the order (`total`), its absolute score, the level expected of it, band and
    reasons; `parts` is what each part came to before it was weighed, `liking` what judgments of others have
    added since (`matching.feedback`)."""

    document: Document
    total: float
    absolute: float
    level: float
    band: Band
    title: float
    text: float
    reasons: tuple[Reason, ...]
    parts: Mapping[Part, float]
    liking: Liking | None = None


@dataclass(frozen=True, slots=True)
class Vector:
    """Weights by gram, and the square root of the sum of their squares."""

    values: Mapping[str, float]
    length: float


class Weigher:
    """Turns texts into unit vectors of character grams, weighted by how rare a gram is among titles."""

    def __init__(self, rarity: Rarity) -> None:
        self._rarity = rarity
        self._weights = rarity.weights
        self._vectors: dict[str, Vector] = {}
        self._documents = max(1, rarity.documents)
        self._scale = max(1.0, LIKE_A_CATALOGUE / self._documents)

    def weight(self, gram: str) -> float:
        """Smoothed inverse document frequency, from 1 up."""
        weight = self._weights.get(gram)
        if weight is None:
            frequency = (self._rarity.frequency(gram) + 0.5) * self._scale
            weight = math.log((1 + self._documents * self._scale) / (1 + frequency)) + 1
            if len(self._weights) >= MOST_REMEMBERED:
                self._weights.clear()
            weight = self._weights[gram] = max(weight, 0.1)
        return weight

    @property
    def rarity(self) -> Rarity:
        """The counts behind the weights."""
        return self._rarity

    def rareness(self, words: Iterable[str]) -> float:
        """The weights of words added up, by the entries that mention them; what every listing says is nothing."""
        said = (word for word in sorted(words) if len(word) > 1 and word not in BOILERPLATE)
        return math.fsum(math.log(1 + self._documents / (1 + self._rarity.mentions(word))) for word in said)

    def vector(self, written: str) -> Vector:
        """The weighted grams of a text and their length; empty for a text without letters."""
        written = written[:LONGEST_TEXT]
        found = self._vectors.get(written)
        if found is None:
            if len(self._vectors) >= MOST_VECTORS:
                self._vectors.clear()
            found = self._vectors[written] = self._made(written)
        return found

    def _made(self, written: str) -> Vector:
        known = self._weights.get
        values: dict[str, float] = {}
        square = 0.0
        for gram, times in Counter(text.grams(written)).items():
            value = known(gram) or self.weight(gram)
            if times > 1:
                value *= 1 + math.log(times)
            values[gram] = value
            square += value * value
        return Vector(values, math.sqrt(square))


def cosine(one: Vector, other: Vector) -> float:
    """From 0 (nothing in common, or nothing there) to 1."""
    if len(one.values) > len(other.values):
        one, other = other, one
    if not one.length:
        return 0.0
    there = other.values
    return sum(value * there[gram] for gram, value in one.values.items() if gram in there) / (
        one.length * other.length
    )


def textual(subject: Document, candidates: Sequence[Document], weigher: Weigher) -> list[tuple[float, float]]:
    """For each candidate the cosine of the titles and that of the subject's whole text with the candidate's."""
    title, whole = weigher.vector(subject.title), weigher.vector(subject.whole_text)
    return [
        (cosine(title, weigher.vector(c.title)), cosine(whole, weigher.vector(c.whole_text)))
        for c in candidates
    ]


def standardised(values: Sequence[float | None]) -> list[float]:
    """Distances from the mean in standard deviations; zero where the values are equal or there is none."""
    there = [value for value in values if value is not None]
    if not there:
        return [0.0] * len(values)
    mean = math.fsum(there) / len(there)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in there) / len(there))
    if deviation <= 1e-12:
        return [0.0] * len(values)
    return [0.0 if value is None else (value - mean) / deviation for value in values]


def score(
    subject: Document,
    candidates: Sequence[Document],
    weigher: Weigher,
    weighing: Weights | None = None,
    known: Known = Known(),
) -> list[Scored]:
    """Every candidate scored against the subject, best first; ties by key. Either side may be the subject."""
    weighing = weighing or weights.shipped()
    raw = compared(subject, candidates, weigher, known)
    values = {part: standardised(column) for part, column in raw.items()}
    scored: list[Scored] = []
    for number, candidate in enumerate(candidates):
        reasons = stated_reasons(subject, candidate, known)
        terms = shared_terms(subject, candidate)
        if terms is not None:
            reasons.insert(0, terms)
        parts = {part: column[number] for part, column in values.items()}
        for reason in reasons:
            parts[reason.part] = parts.get(reason.part, 0.0) + reason.value
        total = math.fsum(weighing.parts[part] * value for part, value in parts.items())
        title, whole = raw[Part.TITLE][number] or 0.0, raw[Part.TEXT][number] or 0.0
        absolute = weighing.calibration.absolute(title, whole)
        level = weighing.calibration.level(absolute)
        scored.append(
            Scored(
                candidate, total, absolute, level, weighing.band(level), title, whole, tuple(reasons), parts
            )
        )
    scored.sort(key=lambda one: (-round(one.total, 9), one.document.key))
    return scored


def compared(
    subject: Document, candidates: Sequence[Document], weigher: Weigher, known: Known = Known()
) -> dict[Part, list[float | None]]:
    """What the texts of each candidate come to beside the subject's, part by part, before standardising. A part
    without anything to compare is left out; None stands for a candidate that has nothing."""
    title, whole = weigher.vector(subject.title), weigher.vector(subject.whole_text)
    found: dict[Part, list[float | None]] = {part: [] for part in weights.TEXTUAL}
    subject_words = set(text.words(subject.title))
    ours, theirs = Part.FORWARD, Part.BACKWARD
    if subject.key.kind is Kind.RESULT:
        ours, theirs = theirs, ours
    for candidate in candidates:
        other, other_whole = weigher.vector(candidate.title), weigher.vector(candidate.whole_text)
        found[Part.TITLE].append(cosine(title, other))
        found[Part.TEXT].append(cosine(whole, other_whole))
        found[ours].append(_held(title, other_whole))
        found[theirs].append(_held(other, whole))
        found[Part.OVERLAP].append(weigher.rareness(subject_words.intersection(text.words(candidate.title))))
    if known.meaning:
        there = [known.meaning.get(candidate.key) for candidate in candidates]
        found[Part.MEANING_TITLE] = [one and one[0] for one in there]
        found[Part.MEANING_TEXT] = [one and one[1] for one in there]
    return found


def _held(part: Vector, whole: Vector) -> float:
    """The share of a title's grams, by weight, that a text holds; characters alone say too little."""
    asked = {gram: value for gram, value in part.values.items() if len(gram) > 1}
    total = math.fsum(asked.values())
    return math.fsum(value for gram, value in asked.items() if gram in whole.values) / total if total else 0.0


def shared_words(subject: Document, candidate: Document, rarity: Rarity, most: int = 5) -> Reason | None:
    """The words that both sides use and few others do; a word inside a longer shared word is not told twice."""
    ours, theirs = (set(text.words(document.whole_text[:LONGEST_TEXT])) for document in (subject, candidate))
    in_titles = set(text.words(subject.title)) | set(text.words(candidate.title))
    # In a small market every word is common: below a handful of entries the share says nothing.
    common = max(COMMON_WORD * rarity.documents, 8)
    weights: dict[str, float] = {}
    for word in ours & theirs:
        if len(word) < 2 or word in BOILERPLATE or word.replace(".", "").isdigit():
            continue
        mentions = rarity.mentions(word)
        if mentions <= common:
            rareness = math.log(1 + max(rarity.documents, 1) / (1 + mentions))
            weights[word] = rareness * (2 if word in in_titles else 1)
    chosen: list[str] = []
    for word in sorted(weights, key=lambda word: (-weights[word], word)):
        if len(chosen) < most and not any(word in other for other in chosen):
            chosen = [other for other in chosen if other not in word]
            chosen.append(word)
    if not chosen:
        return None
    return Reason(Part.TEXT, ReasonCode.SHARED_WORDS, 1.0, {"words": tuple(chosen)})


_TECHNICAL = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9][A-Za-z0-9\-+/.²³]*[A-Za-z0-9+²³]")
_LONG_NAME = 4
"""Characters from which a Chinese word is the name of something particular."""


def technical_terms(written: str) -> dict[str, str]:
    """Model codes, units, materials and abbreviations in Latin letters, folded, with the spelling found first.

    A word of plain letters longer than three is English prose, not a term.
    """
    found: dict[str, str] = {}
    for token in _TECHNICAL.findall(written):
        letters = sum(char.isalpha() for char in token)
        prose = token.isalpha() and (token.islower() or token.istitle()) and len(token) > 3
        if letters and not prose and text.fold(token) not in text.STOP_WORDS:
            found.setdefault(text.fold(token), token)
    return found


def shared_terms(subject: Document, candidate: Document, most: int = 5) -> Reason | None:
    """The technical terms that both sides write; half of the whole way for one, all of it for three."""
    one, other = subject.whole_text[:LONGEST_TEXT], candidate.whole_text[:LONGEST_TEXT]
    ours, theirs = technical_terms(one), technical_terms(other)
    shared = [ours[term] for term in ours if term in theirs]
    for mine, written in ((subject.title, other), (candidate.title, one)):
        for word in text.words(mine):
            if len(word) >= _LONG_NAME and not word.isascii() and word in written and word not in shared:
                shared.append(word)
    if not shared:
        return None
    value = min(1.0, 0.25 + 0.25 * len(shared))
    return Reason(Part.TERMS, ReasonCode.SHARED_TERMS, value, {"words": tuple(shared[:most])})


def worded_reasons(subject: Document, candidate: Document, rarity: Rarity, most: int = 5) -> list[Reason]:
    """The words behind the compared parts: in both titles, and of one side's title in the other's text."""
    demand, result = (subject, candidate) if subject.key.kind is Kind.DEMAND else (candidate, subject)
    asked, offered = set(text.words(demand.title)), set(text.words(result.title))
    told = set(text.words(result.whole_text[:LONGEST_TEXT])) - offered
    wanted = set(text.words(demand.whole_text[:LONGEST_TEXT])) - asked
    found = []
    for part, code, words in (
        (Part.OVERLAP, ReasonCode.TITLE_WORDS, asked & offered),
        (Part.FORWARD, ReasonCode.TITLE_IN_RESULT, asked & told),
        (Part.BACKWARD, ReasonCode.TITLE_IN_DEMAND, offered & wanted),
    ):
        telling = _telling(words, rarity, most)
        if telling:
            found.append(Reason(part, code, 1.0, {"words": telling}))
    return found


def _telling(words: Iterable[str], rarity: Rarity, most: int) -> tuple[str, ...]:
    """The rarest of the words first; a word inside a longer one is not told twice."""
    kept = [word for word in words if len(word) > 1 and word not in BOILERPLATE]
    kept.sort(key=lambda word: (rarity.mentions(word), -len(word), word))
    chosen: list[str] = []
    for word in kept:
        if not any(word in other for other in chosen):
            chosen = [other for other in chosen if other not in word]
            chosen.append(word)
    return tuple(chosen[:most])


CLOSE = 1.0
"""Standard deviations above the other candidates from which vectors are worth telling of."""
LEAST_MOVED = 0.05
"""Levels: a likeness that moves a candidate by less is no reason."""


def known_reasons(one: Scored) -> list[Reason]:
    """What vectors and judgments of like listings say of a scored candidate."""
    found: list[Reason] = []
    meaning = max((one.parts.get(part, 0.0) for part in weights.MEANING), default=0.0)
    if meaning >= CLOSE:
        found.append(Reason(Part.MEANING_TEXT, ReasonCode.CLOSE_IN_MEANING, 1.0))
    liking = one.liking
    if liking is None or not liking.nearest or abs(liking.levels) < LEAST_MOVED:
        return found
    if liking.nearest_relevant == (liking.levels > 0):
        code = ReasonCode.LIKE_RELEVANT if liking.levels > 0 else ReasonCode.LIKE_UNRELATED
        value = max(-1.0, min(1.0, liking.levels))
        found.append(Reason(Part.TEXT, code, value, {"title": liking.nearest}))
    return found


def stated_reasons(one: Document, other: Document, known: Known = Known()) -> list[Reason]:
    """What the stated fields say, in the order of Part; silent where either side has not said anything.

    `other` is the candidate: its age and its owner's dealings are what counts.
    """
    result, demand = (one, other) if one.key.kind is Kind.RESULT else (other, one)
    found = (
        _industry(result, demand),
        _ipc(result, demand),
        _trl(result, demand),
        _price(result, demand),
        _mode(result, demand),
        _place(one, other),
        _fresh(other, known.now),
        *_dealings(known.dealings.get(other.owner_id)),
    )
    return [reason for reason in found if reason is not None]


def _industry(result: Document, demand: Document) -> Reason | None:
    if not result.industry or result.industry != demand.industry:
        return None
    return Reason(Part.INDUSTRY, ReasonCode.SAME_INDUSTRY, 1.0, {"industry": result.industry})


def _ipc(result: Document, demand: Document) -> Reason | None:
    def heads(document: Document, length: int) -> set[str]:
        bare = (symbol.replace(" ", "").upper() for symbol in document.ipc)
        return {symbol.split("/")[0] if length > 4 else symbol[:4] for symbol in bare if len(symbol) >= 4}

    groups = sorted(symbol for symbol in heads(result, 8) & heads(demand, 8) if len(symbol) > 4)
    if groups:
        group = f"{groups[0][:4]} {groups[0][4:]}"
        return Reason(Part.IPC, ReasonCode.SAME_IPC_GROUP, 1.0, {"ipc": group})
    classes = sorted(heads(result, 4) & heads(demand, 4))
    if classes:
        return Reason(Part.IPC, ReasonCode.SAME_IPC_CLASS, 0.6, {"ipc": classes[0]})
    wide = sorted({symbol[:3] for symbol in heads(result, 4)} & {symbol[:3] for symbol in heads(demand, 4)})
    if wide:
        return Reason(Part.IPC, ReasonCode.SAME_IPC_SECTION, 0.3, {"ipc": wide[0]})
    return None


def _trl(result: Document, demand: Document) -> Reason | None:
    if result.trl is None or demand.trl is None:
        return None
    params = {"has": result.trl, "wanted": demand.trl}
    if result.trl >= demand.trl:
        return Reason(Part.TRL, ReasonCode.READY_ENOUGH, 1.0, params)
    # Each missing level weighs alike; four or more make it a different kind of undertaking.
    return Reason(Part.TRL, ReasonCode.NOT_READY, -min(1.0, (demand.trl - result.trl) / 4), params)


def _price(result: Document, demand: Document) -> Reason | None:
    if result.price_low is None or demand.price_high is None:
        return None
    params = {
        "price_low": result.price_low,
        "price_high": result.price_high,
        "budget_low": demand.price_low,
        "budget_high": demand.price_high,
    }
    if result.price_low <= demand.price_high:
        return Reason(Part.PRICE, ReasonCode.WITHIN_BUDGET, 1.0, params)
    # Prices are negotiated: a little above counts little, twice the budget counts in full.
    over = (result.price_low - demand.price_high) / max(1, demand.price_high)
    return Reason(Part.PRICE, ReasonCode.ABOVE_BUDGET, -min(1.0, over), params)


def _mode(result: Document, demand: Document) -> Reason | None:
    both = tuple(mode for mode in result.modes if mode in demand.modes)
    return Reason(Part.MODE, ReasonCode.SAME_MODE, 1.0, {"modes": both}) if both else None


_NEAR = (
    (6, ReasonCode.SAME_CITY, 1.0),
    (4, ReasonCode.SAME_PREFECTURE, 0.7),
    (2, ReasonCode.SAME_PROVINCE, 0.4),
)


def _place(one: Document, other: Document) -> Reason | None:
    """Codes of GB/T 2260 nest by pairs of digits; a pair of zeros names nothing smaller."""
    ours, theirs = one.region, other.region
    for digits, code, value in _NEAR:
        if len(ours) >= digits and ours[:digits] == theirs[:digits] and ours[digits - 2 : digits] != "00":
            return Reason(Part.PLACE, code, value)
    return None


LATELY_DAYS = 90
"""A listing is new for so long; the newer, the more it counts."""


def _fresh(candidate: Document, now: dt.datetime | None) -> Reason | None:
    if now is None or candidate.published_at is None:
        return None
    days = (now - candidate.published_at).days
    if not 0 <= days < LATELY_DAYS:
        return None
    return Reason(Part.FRESH, ReasonCode.PUBLISHED_LATELY, 1 - days / LATELY_DAYS, {"days": days})


QUICK_HOURS = 48
"""Half of the first answers within so many hours is quick."""


def _dealings(dealing: Dealing | None) -> list[Reason]:
    if dealing is None:
        return []
    found = []
    if dealing.agreed:
        found.append(Reason(Part.DEALINGS, ReasonCode.DEALT_BEFORE, 1.0, {"times": dealing.agreed}))
    elif dealing.refused:
        value = -min(1.0, 0.5 * dealing.refused)
        found.append(Reason(Part.DEALINGS, ReasonCode.TURNED_DOWN, value, {"times": dealing.refused}))
    if dealing.answer_hours is not None and dealing.answer_hours <= QUICK_HOURS:
        hours = max(1, math.ceil(dealing.answer_hours))
        found.append(Reason(Part.DEALINGS, ReasonCode.ANSWERS_QUICKLY, 0.5, {"hours": hours}))
    return found
