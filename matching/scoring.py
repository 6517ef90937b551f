"""How well a result answers a demand, in named parts that can be told to people.

Two parts are measured on judged pairs (`make bench-matching`): the cosine of the titles' character 1- to
3-grams, and that of title and text. Standardised over the candidates and added they give the order; added
as they are they give the band, because only an absolute score may say that nothing fits. The other parts
(industry, patent class, readiness, price, way of working together) come from stated fields; no judged data
exists for them, so their weights are small, and they never lift a pair into a higher band.

Pure functions: no rows, no index, no clock. A reason is a code with parameters; sentences are made elsewhere.
"""

import enum
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matching import text
from matching.documents import Document, Kind
from matching.index import Rarity

LIKE_A_CATALOGUE = 5000
"""Titles that frequencies are scaled up to, so that a young market's scores mean what a full one's do."""
LONGEST_TEXT = 500
"""Characters compared: between 500 and 3,000 the measured quality is the same, and time is not."""

MOST_REMEMBERED = 400_000
"""Weights kept from one comparison to the next, about 40 MB."""

STRONG = 0.36
"""Sum of the two cosines from which a pair is called strong. Of 3,630 judged pairs 3 % are, and of those 48 %
were judged related (levels 3 and 4 of 4) and 3 % unrelated (level 1)."""
FAIR = 0.21
"""From here it is fair (11 % of the pairs; 30 % related, 8 % unrelated); below it is weak (9 %, 50 %)."""
LEAST = 0.06
"""Below this nothing but common characters is shared, and the pair is not proposed at all."""


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


class Band(enum.StrEnum):
    """How strong a proposal is. Never a percentage: the judgments it rests on are four coarse levels."""

    STRONG = "strong"
    FAIR = "fair"
    WEAK = "weak"


class Part(enum.StrEnum):
    """What a score is made of."""

    TITLE = "title"
    TEXT = "text"
    INDUSTRY = "industry"
    IPC = "ipc"
    TRL = "trl"
    PRICE = "price"
    MODE = "mode"


WEIGHTS: Mapping[Part, float] = {
    Part.INDUSTRY: 0.3,
    Part.IPC: 0.3,
    Part.TRL: 0.2,
    Part.PRICE: 0.2,
    Part.MODE: 0.1,
}
"""What a stated field at its best (1) or worst (-1) moves, in standard deviations of the textual sum."""


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


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its place in the order (`total`), its absolute score, band and reasons."""

    document: Document
    total: float
    absolute: float
    band: Band
    title: float
    text: float
    reasons: tuple[Reason, ...]


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

    def vector(self, written: str) -> Vector:
        """The weighted grams of a text and their length; empty for a text without letters."""
        known = self._weights.get
        values: dict[str, float] = {}
        square = 0.0
        for gram, times in Counter(text.grams(written[:LONGEST_TEXT])).items():
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


def standardised(values: Sequence[float]) -> list[float]:
    """Distances from the mean in standard deviations; all zero where the values are equal."""
    if not values:
        return []
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / len(values))
    return [(value - mean) / deviation if deviation > 1e-12 else 0.0 for value in values]


def band_of(absolute: float) -> Band:
    """The band of an absolute score (the sum of both cosines, 0 to 2)."""
    if absolute >= STRONG:
        return Band.STRONG
    return Band.FAIR if absolute >= FAIR else Band.WEAK


def score(subject: Document, candidates: Sequence[Document], weigher: Weigher) -> list[Scored]:
    """Every candidate scored against the subject, best first; ties by key. Either side may be the subject."""
    pairs = textual(subject, candidates, weigher)
    titles = standardised([title for title, _ in pairs])
    texts = standardised([whole for _, whole in pairs])
    scored: list[Scored] = []
    for candidate, (title, whole), title_z, text_z in zip(candidates, pairs, titles, texts, strict=True):
        stated = stated_reasons(subject, candidate)
        total = title_z + text_z + sum(WEIGHTS[reason.part] * reason.value for reason in stated)
        absolute = title + whole
        scored.append(Scored(candidate, total, absolute, band_of(absolute), title, whole, tuple(stated)))
    scored.sort(key=lambda one: (-round(one.total, 9), one.document.key))
    return scored


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


def stated_reasons(one: Document, other: Document) -> list[Reason]:
    """What the stated fields say, in the order of Part; silent where either side has not said anything."""
    result, demand = (one, other) if one.key.kind is Kind.RESULT else (other, one)
    found = (
        _industry(result, demand),
        _ipc(result, demand),
        _trl(result, demand),
        _price(result, demand),
        _mode(result, demand),
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
