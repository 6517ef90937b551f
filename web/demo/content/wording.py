"""Small rules of writing: numbers with units, nouns that need a suffix, invented patent numbers."""

from __future__ import annotations

import random

from web.demo.content.grammar import Method, Metric

_NOUN_ENDINGS = (
    "装置",
    "系统",
    "结构",
    "机构",
    "算法",
    "模型",
    "工艺",
    "材料",
    "涂层",
    "平台",
    "方法",
    "配方",
    "方案",
    "策略",
    "设计",
    "电路",
    "装配",
    "终端",
    "测头",
    "体系",
    "组件",
    "合金",
    "涂料",
    "膜",
    "胶",
    "剂",
    "料",
    "控制",
    "优化",
    "环",
    "阀",
    "检漏",
    "定位",
    "反演",
    "中底",
    "底座",
    "转子",
)
_TANGIBLE = ("装置", "结构", "机构", "系统", "终端", "测头", "组件", "底座", "中底", "平衡环", "电路")
_PATENT_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)


def number(value: float, digits: int) -> str:
    """A figure as it is printed; negative digits round to tens and hundreds."""
    return f"{value:.{digits}f}" if digits > 0 else str(int(round(value, digits)))


def measured(text: str, unit: str) -> str:
    """A number with its unit; a Latin unit stands off, %, ° and Chinese ones
    don't, a power of ten is a factor."""
    if not unit:
        return text
    if unit[0].isdigit():
        return f"{text}×{unit}"
    close = unit[0] in "%°" or ("\u4e00" <= unit[0] <= "\u9fff")
    return text + unit if close else f"{text} {unit}"


def where(metric: Metric) -> str:
    """The name of a metric with the condition it is measured under."""
    if metric.zh.endswith("）"):
        return f"{metric.zh[:-1]}，{metric.condition}）"
    return f"{metric.zh}（{metric.condition}）"


def draw(rng: random.Random, span: tuple[float, float]) -> float:
    """Somewhere in a range."""
    low, high = min(span), max(span)
    return low + (high - low) * rng.random()


def before_after(rng: random.Random, metric: Metric) -> tuple[str, str]:
    """What is usual and what is reached, as printed numbers."""
    return (
        number(draw(rng, metric.before), metric.digits),
        number(draw(rng, metric.after), metric.digits),
    )


def is_tangible(method: Method) -> bool:
    """Whether the method is a thing, so that a utility model (实用新型) can protect it."""
    return method.zh.endswith(_TANGIBLE)


def as_technique(method: Method) -> str:
    """The method as the head of a title: 叶片造型 → 叶片造型技术, 检测装置 stays."""
    return method.zh if method.zh.endswith(_NOUN_ENDINGS) else f"{method.zh}技术"


def as_invention(object_zh: str, method: Method) -> str:
    """The title of a right: 一种…的…."""
    name = method.zh if method.zh.endswith(_NOUN_ENDINGS) else f"{method.zh}方法"
    return f"一种用于{object_zh}的{name}"


def capital(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


def patent_number(year: int, kind: int, serial: int) -> str:
    """A well-formed application number.

    The serials used here start at 9 500 000, far above what a year's filings reach, so that an invented
    number does not point at a real application; the check character is right, the application is not.
    """
    body = f"{year}{kind}{serial:07d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, _PATENT_WEIGHTS, strict=True))
    return f"{body}.{'0123456789X'[total % 11]}"
