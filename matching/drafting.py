"""What the text of a demand (需求) still lacks: hints with the words that caused them, and figures found in it.

A vague need finds nobody. The rules here read a draft as a broker would and ask back: how much, from what to
what, measured how, under which conditions. A hint never blocks; a wrong one costs trust, so that each rule
rather stays silent than guesses: a sentence that holds a quantity is not called vague, what a firm says of
itself is not taken for a target, and names of products ("高效潜水泵") are left alone.

Words, units and what the industries ask for are data (`drafting.json`). A unit is only recognised and spelled
in one way, never converted, so that a table does and no library of units is needed. Pure functions: no rows, no
index, no clock; sentences stand in the terms catalogue under `HintCode.<code>`, `HintTopic.<topic>` and
`HintCondition.<condition>`.
"""

from __future__ import annotations

import enum
import functools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from stdnum.cn import ric

SHORT = 40
"""Characters of difficulty and research together below which nobody can tell what is wanted."""
LONG_LINE = 260
"""Characters that are read well without a paragraph."""
LONGEST = 20_000
"""Characters of a field that are looked at; forms take no more."""
MOST_WORDS = 3
"""Quotations shown with a hint."""
MOST_FIGURES = 6
LEAST_CONDITIONS = 2
"""Of what an industry's solvers ask for, so many are enough: a form is no questionnaire."""


class HintCode(enum.StrEnum):
    """What may be lacking. The parameters of its sentence are named behind each."""

    CONTACT_IN_TEXT = "contact_in_text"
    """words: telephone, e-mail or identity number in a text that everybody reads"""
    TOO_SHORT = "too_short"
    """least: characters"""
    ONE_LINE = "one_line"
    NO_FIGURES = "no_figures"
    FIGURE_WITHOUT_UNIT = "figure_without_unit"
    """words"""
    TARGET_WITHOUT_UNIT = "target_without_unit"
    """words: name and threshold"""
    VAGUE = "vague"
    """words, topic: what is to be asked (`HintTopic.<topic>`)"""
    PRAISE = "praise"
    """words: measure of nothing (“国内领先”)"""
    COMPARISON = "comparison"
    """words: better than something whose figure is not told"""
    STANDARD_UNNAMED = "standard_unnamed"
    """words"""
    NO_CONDITIONS = "no_conditions"
    """conditions: keys of what solvers of this industry ask for first"""
    NO_MODE = "no_mode"
    NO_BUDGET = "no_budget"
    BUDGET_IN_TEXT = "budget_in_text"
    """words"""
    NO_DEADLINE = "no_deadline"


@dataclass(frozen=True, slots=True)
class DraftTarget:
    """A target figure as entered; every part may be empty."""

    name: str = ""
    threshold: str = ""
    unit: str = ""
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A demand as far as it is written. `row` of a target is its index in the form."""

    title: str = ""
    difficulty: str = ""
    research: str = ""
    background: str = ""
    experts: str = ""
    industry: str = ""
    keywords: tuple[str, ...] = ()
    targets: tuple[tuple[int, DraftTarget], ...] = ()
    has_mode: bool = False
    has_budget: bool = False
    has_deadline: bool = False


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing to say better. `field` names the input (`targets.2.unit`), `words` quote what caused it."""

    code: HintCode
    field: str
    words: tuple[str, ...] = ()
    topic: str = ""
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A target figure found in the text. `comparator` is a value of `market.demands.models.Comparator`."""

    name: str
    comparator: str
    threshold: str
    threshold_high: str
    unit: str


@functools.cache
def _data() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        resources.files("matching").joinpath("drafting.json").read_text(encoding="utf-8")
    )
    return found


@functools.cache
def units() -> frozenset[str]:
    """The units that are recognised, as they are written."""
    return frozenset(_data()["units"])


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(set(words), key=len, reverse=True))


_NUMBER = r"(?<![A-Za-z\d.,])[+\-−±]?\d{1,15}(?:,\d{3}){0,4}(?:\.\d{1,9})?"
"""A number that is no part of a model's name. Bounded, so that no text makes the search slow."""
_SPOKEN = r"百分之[零一二三四五六七八九十百\d]+|[一二两三四五六七八九十半几数]+(?:倍|成)|一半|翻番|翻一番"
_RANGE = r"\s*(?:~|～|—|–|-|至|到|﹣)\s*"
_AT_LEAST = (
    "不低于|不小于|不少于|不短于|不得低于|不得小于|大于等于|大于|高于|超过|至少|最低|≥|>=|＞|>|≧|提高到|提升到|"
    "提高至|提升至|增加到|增加至|延长到|延长至|达到|达|at least|no less than"
)
_AT_MOST = (
    "不高于|不大于|不超过|不多于|不得高于|不得超过|小于等于|小于|低于|少于|最高|最大|最多|≤|<=|＜|<|≦|降低到|降低至|降到|降至|"
    "减少到|减少至|缩短到|缩短至|控制在|at most|no more than|below"
)
_ABOUT = "约为|约|大约|左右|为|是|：|:|=|＝|about"


@functools.cache
def _patterns() -> dict[str, re.Pattern[str]]:
    data = _data()
    units = rf"(?:{_any_of(data['units'])})(?![A-Za-z])"
    quantity = rf"{_NUMBER}(?:\s*{units})?(?:{_RANGE}{_NUMBER})?\s*{units}"
    topics = "|".join(data["topics"].values())
    whole = rf"(?:{_AT_LEAST}|{_AT_MOST})"
    return {
        "quantity": re.compile(rf"{quantity}|{_SPOKEN}"),
        "unit": re.compile(units),
        "unitless": re.compile(
            rf"([一-鿿A-Za-z]{{0,12}}?)(?:{whole})(?:了)?\s*({_NUMBER}(?:{_RANGE}{_NUMBER})?)\s*"
            r"(?=$|[。，,；;、！!？?\n)）]|以上|以下|以内|左右)"
        ),
        "change": re.compile(
            rf"(?:{data['change']})(?:了)?(?:[一-鿿]{{0,8}}?|[A-Za-z ]{{0,24}}?)(?:{topics})", re.IGNORECASE
        ),
        "lack": re.compile(
            rf"(?:{topics})(?:也|都|仍|还|普遍|相对|比较|明显)?(?:{data['lack']})", re.IGNORECASE
        ),
        "praise": re.compile(data["praise"], re.IGNORECASE),
        "own": re.compile(data["own_affairs"], re.IGNORECASE),
        "comparison": re.compile(data["comparison"]),
        "standard": re.compile(data["standard"]),
        "standard_number": re.compile(data["standard_number"], re.IGNORECASE),
        "money": re.compile(data["money"], re.IGNORECASE),
        "dimensionless": re.compile(rf"(?:{data['dimensionless']})"),
        "figure": re.compile(
            rf"(?P<name>{_any_of(data['measures'].split('|'))})"
            rf"(?P<between>[^。；;！!？?\n，,、:：=\d]{{0,8}}?)(?:(?:从|由)\s*{_NUMBER}\s*(?:{units})?\s*)?"
            rf"\s*(?P<how>{_AT_LEAST}|{_AT_MOST}|{_ABOUT})?(?:了)?\s*"
            rf"(?P<low>{_NUMBER})\s*(?P<first>{units})?(?:{_RANGE}(?P<high>{_NUMBER}))?"
            rf"\s*(?P<unit>{units})(?P<after>以上|及以上|以下|以内|左右)?"
        ),
    }


_PHONE = re.compile(
    r"(?<!\d)(?:\+?86[- ]?)?1[3-9]\d[- ]?\d{4}[- ]?\d{4}(?!\d)|(?<!\d)0\d{2,3}[-－—]\d{7,8}(?!\d)"
)
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4}", re.ASCII)
_ACCOUNT = re.compile(r"(?:微信|QQ|VX|wechat)(?:号|同号)?\s*[:：]?\s*[A-Za-z\d_-]{5,20}", re.IGNORECASE)
_IDENTITY = re.compile(r"(?<!\d)\d{17}[\dXx](?![\dA-Za-z])")
_NARROW = str.maketrans("０１２３４５６７８９．", "0123456789.")
_SENTENCE = re.compile(r"[^。！!？?；;\n]+")
TEXTS = ("difficulty", "research", "background", "experts")
"""Fields of prose, all of them public."""


def contacts(text: str) -> list[str]:
    """Telephone numbers, e-mail addresses, accounts and identity numbers (check digit verified) in a text."""
    text = text[:LONGEST]
    found = [match.group().strip() for each in (_PHONE, _MAIL, _ACCOUNT) for match in each.finditer(text)]
    found += [match.group() for match in _IDENTITY.finditer(text) if ric.is_valid(match.group().upper())]
    return list(dict.fromkeys(found))


def check(draft: Draft) -> list[Hint]:
    """What the draft lacks, what is public and should not be first, then field by field."""
    hints = [
        Hint(HintCode.CONTACT_IN_TEXT, name, tuple(found[:MOST_WORDS]))
        for name in ("title", *TEXTS)
        if (found := contacts(getattr(draft, name)))
    ]
    told = draft.difficulty.strip() + draft.research.strip()
    if len("".join(told.split())) < SHORT:
        hints.append(Hint(HintCode.TOO_SHORT, "difficulty"))
    hints += _wording(draft)
    for name in ("difficulty", "research"):
        text = getattr(draft, name).strip()
        if len(text) >= LONG_LINE and "\n" not in text:
            hints.append(Hint(HintCode.ONE_LINE, name))
    hints += _figures(draft)
    missing = _conditions(draft)
    if missing and told:
        hints.append(Hint(HintCode.NO_CONDITIONS, "difficulty", conditions=missing))
    if not draft.has_mode:
        hints.append(Hint(HintCode.NO_MODE, "modes"))
    if not draft.has_budget:
        hints.append(_budget(draft))
    if not draft.has_deadline:
        hints.append(Hint(HintCode.NO_DEADLINE, "deadline"))
    return hints


def _sentences(text: str) -> Iterator[str]:
    for match in _SENTENCE.finditer(text[:LONGEST].translate(_NARROW)):
        yield match.group().strip()


def _wording(draft: Draft) -> list[Hint]:
    """Vague words of difficulty and research, each kind told once for a field, each topic once in all."""
    patterns = _patterns()
    named = " ".join(target.name for _, target in draft.targets if target.threshold)
    hints: list[Hint] = []
    asked: set[str] = set()
    for name in ("difficulty", "research"):
        once: dict[HintCode, list[str]] = {}
        topics: dict[str, list[str]] = {}
        for sentence in _sentences(getattr(draft, name)):
            own = patterns["own"].search(sentence) is not None
            exact = patterns["quantity"].search(sentence) is not None
            if patterns["standard_number"].search(sentence) is None:
                for match in patterns["standard"].finditer(sentence):
                    once.setdefault(HintCode.STANDARD_UNNAMED, []).append(match.group())
            for match in patterns["unitless"].finditer(sentence):
                if not patterns["dimensionless"].search(match.group(1) + sentence[: match.start()][-10:]):
                    once.setdefault(HintCode.FIGURE_WITHOUT_UNIT, []).append(match.group().strip())
            if exact or own:
                continue
            compared = [match.group() for match in patterns["comparison"].finditer(sentence)]
            compared = [
                words
                for words in compared
                if not patterns["standard"].search(words) and not patterns["praise"].search(words)
            ]
            if compared:
                once.setdefault(HintCode.COMPARISON, []).extend(compared)
            for each in ("change", "lack"):
                for match in patterns[each].finditer(sentence):
                    topic, measure = _topic(match.group())
                    if each == "lack" and not _is_lack(topic, match.group()):
                        continue
                    if topic and measure not in named and topic not in asked:
                        topics.setdefault(topic, []).append(match.group())
            # "显著提高效率" is asked about once, as efficiency.
            if not compared and not topics:
                for match in patterns["praise"].finditer(sentence):
                    once.setdefault(HintCode.PRAISE, []).append(match.group())
        for topic, words in topics.items():
            hints.append(Hint(HintCode.VAGUE, name, _few(words), topic=topic))
        asked |= set(topics)
        hints += [Hint(code, name, _few(words)) for code, words in once.items()]
    return hints


def _few(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))[:MOST_WORDS]


def _topic(words: str) -> tuple[str, str]:
    """Which measure is spoken of: the last named in the words, for "提高产品质量" speaks of quality."""
    best = (-1, 0, "", "")
    for topic, pattern in _data()["topics"].items():
        for match in re.finditer(pattern, words, re.IGNORECASE):
            best = max(best, (match.end(), len(match.group()), topic, match.group()))
    return best[2], best[3]


def _is_lack(topic: str, words: str) -> bool:
    """Whether "high" is meant as a fault: of a cost it is, of a precision it is not."""
    data = _data()
    high = re.search(rf"(?<!不)(?:{data['high']})$", words, re.IGNORECASE) is not None
    return high == (topic in data["worse_when_high"]) or bool(re.search("不|难|有待", words))


def _figures(draft: Draft) -> list[Hint]:
    patterns = _patterns()
    hints = [
        Hint(HintCode.TARGET_WITHOUT_UNIT, f"targets.{row}.unit", (f"{target.name} {target.threshold}",))
        for row, target in draft.targets
        if target.name
        and target.threshold
        and not target.unit
        and not patterns["dimensionless"].search(target.name)
    ]
    if any(target.threshold for _, target in draft.targets):
        return hints
    if not any(_quantities(draft)):
        hints.append(Hint(HintCode.NO_FIGURES, "targets"))
    return hints


def _quantities(draft: Draft) -> Iterator[str]:
    """Figures with units that may be targets: not those of the firm itself, not plain counts."""
    patterns = _patterns()
    counters = set(_data()["counters"])
    for sentence in _sentences(f"{draft.title}\n{draft.difficulty}\n{draft.research}"):
        if patterns["own"].search(sentence):
            continue
        for match in patterns["quantity"].finditer(sentence):
            unit = re.sub(r"^[\d,.+\-−±~～—–至到\s]*", "", match.group())
            if unit not in counters:
                yield match.group()


def _conditions(draft: Draft) -> tuple[str, ...]:
    """What the industry's solvers ask for and the draft says nothing of; nothing while it says enough."""
    data = _data()
    wanted = data["industries"].get(draft.industry, ())
    targets = (f"{t.name} {t.threshold} {t.unit} {t.condition}" for _, t in draft.targets)
    text = "\n".join((draft.title, draft.difficulty, draft.research, draft.background, *targets))[
        : 4 * LONGEST
    ]
    missing = [key for key in wanted if not re.search(data["conditions"][key], text, re.IGNORECASE)]
    return () if not wanted or len(wanted) - len(missing) >= LEAST_CONDITIONS else tuple(missing)


def _budget(draft: Draft) -> Hint:
    texts = "\n".join(getattr(draft, name)[:LONGEST] for name in TEXTS)
    said = _few(match.group() for match in _patterns()["money"].finditer(texts))
    return Hint(HintCode.BUDGET_IN_TEXT if said else HintCode.NO_BUDGET, "budget_high_fen", said)


def figures(draft: Draft) -> list[Figure]:
    """Figures of difficulty and research that look like targets and stand in no row yet, in reading order."""
    patterns = _patterns()
    have = {_bare(target.threshold) for _, target in draft.targets if target.threshold}
    found: dict[tuple[str, str], Figure] = {}
    for sentence in _sentences(f"{draft.difficulty}\n{draft.research}"):
        if patterns["own"].search(sentence):
            continue
        for match in patterns["figure"].finditer(sentence):
            figure = _figure(match, sentence)
            if (
                figure is not None
                and figure.threshold not in have
                and figure.threshold_high not in (have - {""})
            ):
                found.setdefault((figure.name, figure.threshold), figure)
    return list(found.values())[:MOST_FIGURES]


_COUNTS = frozenset("台套件个只双批支片种人例头株亩点路行道组根条辆块班位成分盒瓶")
"""Units of things counted, no measure of one."""


def _bare(number: str) -> str:
    return re.sub(r"[,\s+]", "", number).replace("−", "-")


def _figure(match: re.Match[str], sentence: str) -> Figure | None:
    between, how = match["between"] or "", match["how"] or ""
    if re.search(r"目前|现在|现有|当前|原来|仅", sentence[: match.start()][-8:] + between):
        # What is, not what is wanted.
        return None
    if (
        re.search(r"(?:降低|减少|下降|缩短|提高|提升|增加|延长)(?:了)?$", between)
        or (between and not how)
        or match["unit"] in _COUNTS
    ):
        return None
    low, high = _bare(match["low"]), _bare(match["high"] or "")
    if low.startswith("±"):
        low, how = low[1:], how or "≤"
    unit = _data()["spelled"].get(match["unit"], match["unit"])
    if unit == "度" and re.search(r"温", match["name"]):
        unit = "℃"
    if high and not (_is_number(low) and _is_number(high) and float(low) < float(high)):
        return None
    if not _is_number(low):
        return None
    after = match["after"] or ""
    if high:
        comparator = "between"
    elif after in ("以上", "及以上"):
        comparator = "at_least"
    elif after in ("以下", "以内"):
        comparator = "at_most"
    elif re.fullmatch(_AT_LEAST, how):
        comparator = "at_least"
    elif re.fullmatch(_AT_MOST, how):
        comparator = "at_most"
    else:
        comparator = "about"
    return Figure(match["name"], comparator, low, high, unit)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d{1,18}(\.\d{1,12})?", text) is not None
