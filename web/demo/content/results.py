"""Results on offer, written from the topics."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from itertools import count

from market.listings.models import CooperationMode as Mode
from market.listings.models import IpKind, IpStatus, ListingState, PricingMode, Stage
from market.parties.models import OrganisationKind
from web.demo.content.grammar import Method, Metric, Named, Topic
from web.demo.content.organisations import DemoOrganisation, person_name
from web.demo.content.topics import TOPICS
from web.demo.content.wording import (
    as_invention,
    as_technique,
    before_after,
    capital,
    is_tangible,
    measured,
    patent_number,
    where,
)

PER_TOPIC = 7
SHORTEST = 132
"""An abstract shorter than this also says what a taker needs."""
WAN = 1_000_000
"""Ten thousand yuan (万元) in fen."""


@dataclass(frozen=True)
class DemoClaim:
    """A claim; its grade follows from which of the three supports it has."""

    statement: str
    figure: str
    comparator: str
    source: str


@dataclass(frozen=True)
class DemoRight:
    """A right that a result rests on."""

    kind: IpKind
    number: str
    title: str
    status: IpStatus
    fee_paid_to: dt.date | None
    pledged: bool


@dataclass(frozen=True)
class DemoResult:
    """A result. Amounts are fen; `published_days_ago` counts back from the day of loading."""

    key: str
    topic: str
    object_zh: str
    organisation: str
    title: str
    title_en: str
    abstract: str
    summary_en: str
    advantages: str
    application: str
    keywords: tuple[str, ...]
    industry_code: str
    ipc: tuple[str, ...]
    trl: int
    stage: Stage
    modes: tuple[Mode, ...]
    pricing_mode: PricingMode
    price_low_fen: int | None
    price_high_fen: int | None
    inventors: tuple[str, ...]
    awards: str
    claims: tuple[DemoClaim, ...]
    rights: tuple[DemoRight, ...]
    state: ListingState
    state_reason: str
    published_days_ago: int


_STAGES = {3: Stage.RESEARCH, 4: Stage.PROTOTYPE, 5: Stage.SMALL_TRIAL, 6: Stage.PILOT, 7: Stage.PILOT}
_TRLS = (3, 4, 4, 5, 5, 6, 6, 6, 7, 7, 7, 8, 8, 9)
_PRICE_WAN = {3: (8, 30), 4: (12, 60), 5: (20, 90), 6: (30, 160), 7: (45, 280), 8: (60, 420), 9: (80, 600)}
_REPORTS = (
    "第三方检测报告，演示编号DT-{year}-{serial:04d}",
    "两家企业现场试用记录（{year}年），演示编号SY-{serial:04d}",
    "省级计量检测机构测试报告，演示编号JC{year}-{serial:04d}",
    "用户应用证明（{year}年）与原始数据记录，演示编号YY-{serial:04d}",
)
_MATURITY = {
    3: ("目前完成原理验证，关键参数还需在实际工况下确认", "已完成仿真与原理试验，尚未经过现场检验"),
    4: (
        "已在实验室条件下完成验证，正在寻找愿意提供试验条件的企业",
        "实验室样品已通过功能验证，下一步计划开展小试",
    ),
    5: ("已完成小试，正与一家企业商定中试方案", "小试结果重复性良好，具备开展中试的条件"),
    6: ("已在{n}家企业开展中试，工艺或参数文件基本齐全", "中试连续运行{m}个月，正在完善操作规程"),
    7: ("已通过中试，在{n}家企业现场累计运行{m}个月", "现场示范运行{m}个月，期间未更改主要参数"),
    8: (
        "已在{n}家企业小批量应用，可提供成套图纸或工艺文件",
        "已形成定型方案，在{n}家企业使用，转化后约{m}个月可投产",
    ),
    9: ("已在{n}家企业批量应用超过两年，交付文件和培训材料齐全", "成熟应用于{n}家企业，可直接复制"),
}
_SOFT_CLAIMS = (
    "改造工作量小，不需更换主要设备",
    "所用材料和元件均可在国内采购",
    "可在现有产品系列中逐个规格推广",
    "操作人员经一两天培训即可掌握",
)
_AWARDS = (
    "",
    "",
    "",
    "",
    "通过行业协会组织的成果评价（演示）",
    "曾入选市级重点研发计划（演示）",
    "获校级科技成果转化奖（演示）",
)


_USERS = frozenset({"yiyou", "hailan", "canglan"})
"""Firms that use technology and don't offer any."""


def results(
    rng: random.Random, organisations: tuple[DemoOrganisation, ...], today: dt.date
) -> tuple[DemoResult, ...]:
    """Seven results of every topic: each method once or twice, always for another object."""
    serials = count(9_500_017, 137)
    titles: set[str] = set()
    found = []
    for industry, topic in TOPICS:
        owners: dict[str, DemoOrganisation] = {}
        for position, (item, method) in enumerate(_spread(rng, topic)):
            owner = owners.setdefault(method.zh, _owner(rng, organisations, topic))
            key = f"result-{topic.key}-{position + 1}"
            found.append(_result(rng, key, industry, topic, item, method, owner, serials, titles, today))
    return tuple(found)


def _spread(rng: random.Random, topic: Topic) -> list[tuple[Named, Method]]:
    """Pairs that use all methods and objects about equally often."""
    left = topic.pairs()
    rng.shuffle(left)
    used: dict[str, int] = {}
    chosen = []
    for _ in range(min(PER_TOPIC, len(left))):
        best = min(left, key=lambda pair: (used.get(pair[1].zh, 0), used.get(pair[0].zh, 0)))
        left.remove(best)
        chosen.append(best)
        for part in best:
            used[part.zh] = used.get(part.zh, 0) + 1
    return chosen


def _owner(rng: random.Random, organisations: tuple[DemoOrganisation, ...], topic: Topic) -> DemoOrganisation:
    """Mostly an institute of the field, sometimes a firm of it."""
    working = [one for one in organisations if any(topic.key.startswith(start) for start in one.topics)]
    firms = [one for one in working if one.kind is OrganisationKind.FIRM and one.key not in _USERS]
    institutes = [one for one in working if one.kind is not OrganisationKind.FIRM]
    return rng.choice(firms if firms and rng.random() < 0.17 else institutes)


def _title(topic: Topic, item: Named, method: Method, pattern: int) -> str:
    name = as_technique(method)
    match pattern % 4:
        case 0:
            return f"{item.zh}{name}"
        case 1:
            return f"基于{method.zh}的{item.zh}{topic.goal}技术"
        case 2:
            return f"面向{item.zh}的{name}"
        case _:
            return f"采用{method.zh}的{item.zh}{topic.goal}方案"


def _effect(metric: Metric, before: str, after: str, *, full: bool = False) -> str:
    change = "提高到" if metric.higher_is_better else "降低到"
    return f"{where(metric) if full else metric.zh}由{measured(before, metric.unit)}{change}{measured(after, metric.unit)}"


def _result(
    rng: random.Random,
    key: str,
    industry: str,
    topic: Topic,
    item: Named,
    method: Method,
    owner: DemoOrganisation,
    serials: count[int],
    titles: set[str],
    today: dt.date,
) -> DemoResult:
    trl = rng.choice(_TRLS)
    metrics = [topic.metrics[place] for place in method.proves]
    figures = [(metric, *before_after(rng, metric)) for metric in metrics]
    pattern = rng.randrange(4)
    title = _title(topic, item, method, pattern)
    while title in titles:
        pattern += 1
        title = _title(topic, item, method, pattern)
    titles.add(title)
    low, high = _prices(rng, trl)
    mode = rng.choices(
        (PricingMode.NEGOTIATED, PricingMode.LISTING, PricingMode.AUCTION), weights=(66, 22, 12)
    )[0]
    if mode is PricingMode.NEGOTIATED and rng.random() < 0.3:
        low = high = None
    state, reason = rng.choices(
        (
            (ListingState.PUBLISHED, ""),
            (ListingState.CONCLUDED, "已签订技术合同"),
            (ListingState.WITHDRAWN, "权利人调整转化计划，暂不对外转让"),
            (ListingState.EXPIRED, ""),
            (ListingState.DRAFT, ""),
        ),
        weights=(92, 3, 2, 2, 1),
    )[0]
    first = figures[0]
    title_en = capital(f"{method.en} for {item.en}")
    return DemoResult(
        key=key,
        topic=topic.key,
        object_zh=item.zh,
        organisation=owner.key,
        title=title,
        title_en=title_en,
        abstract=_abstract(rng, topic, item, method, figures, trl),
        summary_en=(
            f"{title_en}: {first[0].en} changed from {measured(first[1], _unit_en(first[0]))} to "
            f"{measured(first[2], _unit_en(first[0]))}, compared with the current solution; TRL {trl}."
        ),
        advantages="；".join(_effect(*figure) for figure in figures[:2])
        + f"（与{topic.incumbent}比较）。"
        + rng.choice(
            (
                "不需更换主要设备，改造周期短。",
                "关键材料和元件均可在国内采购。",
                "参数与工艺文件齐全，便于移植到系列产品。",
                "可先在一条产线或一个规格上试用，再决定是否推广。",
            )
        ),
        application=f"适用于{'、'.join(_others(topic, item, method))}等。{topic.needs}。",
        keywords=tuple(dict.fromkeys((item.zh, *topic.keywords)))[:6],
        industry_code=industry,
        ipc=topic.ipc[: rng.choice((2, 3))],
        trl=trl,
        stage=_STAGES.get(trl, Stage.PRODUCTION),
        modes=_modes(rng, trl),
        pricing_mode=mode,
        price_low_fen=low,
        price_high_fen=high,
        inventors=tuple(dict.fromkeys(person_name(rng) for _ in range(rng.choice((2, 3, 3, 4, 5))))),
        awards=rng.choice(_AWARDS) if trl >= 6 else "",
        claims=_claims(rng, topic, figures, trl),
        rights=_rights(rng, item, method, trl, serials, today),
        state=state,
        state_reason=reason,
        published_days_ago=published_days_ago(rng, state),
    )


def _abstract(
    rng: random.Random,
    topic: Topic,
    item: Named,
    method: Method,
    figures: list[tuple[Metric, str, str]],
    trl: int,
) -> str:
    problem = topic.problems[method.answers].format(o=item.zh)
    seen = "实测" if trl > 3 else "原理试验中"
    maturity = rng.choice(_MATURITY[trl]).format(n=rng.randrange(2, 6), m=rng.randrange(3, 13))
    how = f"本成果{method.how}"
    effect = "，".join(_effect(*figure, full=True) for figure in figures[:2])
    match rng.randrange(4):
        case 0:
            text = f"{problem}。{how}。与{topic.incumbent}相比，{effect}。{maturity}。"
        case 1:
            text = f"{problem}。为此，{how}。{seen}{effect}。{maturity}。"
        case 2:
            text = f"{how}。此前，{problem}；采用本成果后，{effect}。{maturity}。"
        case _:
            text = (
                f"{how}，用于解决{item.zh}的{topic.goal}问题。{problem}。对比试验中，{effect}。{maturity}。"
            )
    return text if len(text) >= SHORTEST else f"{text}转化条件：{topic.needs}。"


def _unit_en(metric: Metric) -> str:
    english = metric.unit
    for zh, en in _UNITS_EN:
        english = english.replace(zh, en)
    return english


_UNITS_EN = (
    ("百分点", "percentage points"), ("万元产值", "10k CNY of output"), ("万元", "10k CNY"), ("元", "CNY"),
    ("百小时", "100 h"), ("万次", "×10⁴ cycles"), ("次", "times"), ("站", "station"), ("台", "machine"),
    ("月", "months"), ("件/刃", "parts/edge"), ("轮", "rounds"), ("级", "grade"), ("年", "years"),
    ("人", "workers"), ("天", "day"),
)  # fmt: skip


def _others(topic: Topic, item: Named, method: Method) -> list[str]:
    fitting = [one.zh for one, other in topic.pairs() if other is method and one is not item]
    return [item.zh, *fitting[:2]]


def _prices(rng: random.Random, trl: int) -> tuple[int | None, int | None]:
    floor, ceiling = _PRICE_WAN[trl]
    low = round(floor * (ceiling / floor) ** (rng.random() ** 1.4))
    low = low if low < 30 else round(low / 5) * 5
    high = round(low * rng.choice((1.25, 1.5, 1.6, 2.0)))
    return low * WAN, (high if high < 30 else round(high / 5) * 5) * WAN


def _modes(rng: random.Random, trl: int) -> tuple[Mode, ...]:
    pool: tuple[Mode, ...]
    if trl <= 5:
        pool = (Mode.JOINT_DEVELOPMENT, Mode.COMMISSIONED_DEVELOPMENT, Mode.ASSIGNMENT, Mode.EQUITY)
    else:
        pool = (
            Mode.LICENCE,
            Mode.EXCLUSIVE_LICENCE,
            Mode.ASSIGNMENT,
            Mode.SOLE_LICENCE,
            Mode.SERVICE,
            Mode.EQUITY,
        )
    chosen = rng.sample(pool, rng.choice((1, 2, 2, 3)))
    return tuple(sorted(chosen, key=list(Mode).index))


def _claims(
    rng: random.Random, topic: Topic, figures: list[tuple[Metric, str, str]], trl: int
) -> tuple[DemoClaim, ...]:
    """A claim for each figure; the riper the result, the better they are supported."""
    found = []
    for metric, before, after in figures:
        support = rng.choices((3, 2, 1, 0), weights=(trl * 9, 30, 14, 12 - trl))[0]
        word = "更高" if metric.higher_is_better else "更低"
        found.append(
            DemoClaim(
                statement=where(metric) if support else f"{metric.zh}比{topic.incumbent}{word}",
                figure=measured(after, metric.unit) if support else "",
                comparator=f"{topic.incumbent}：{measured(before, metric.unit)}" if support >= 2 else "",
                source=rng.choice(_REPORTS).format(
                    year=rng.randrange(2022, 2027), serial=rng.randrange(1, 9999)
                )
                if support == 3
                else "",
            )
        )
    if len(found) == 1:
        found.append(DemoClaim(rng.choice(_SOFT_CLAIMS), "", "", ""))
    return tuple(found)


def _rights(
    rng: random.Random, item: Named, method: Method, trl: int, serials: count[int], today: dt.date
) -> tuple[DemoRight, ...]:
    """One to three rights: an invention, a utility model where there is a thing, software, know-how."""
    software = method.zh.endswith(("算法", "模型", "系统", "平台", "方法")) and rng.random() < 0.3
    found = []
    year = rng.randrange(2018, 2024) if trl >= 6 else rng.randrange(2021, 2026)
    granted = year <= 2023 and rng.random() < 0.85
    found.append(
        DemoRight(
            kind=IpKind.INVENTION,
            number=patent_number(year, 1, next(serials)),
            title=as_invention(item.zh, method),
            status=IpStatus.GRANTED if granted else IpStatus.APPLIED,
            fee_paid_to=_fee_paid_to(rng, today) if granted else None,
            pledged=granted and rng.random() < 0.03,
        )
    )
    if is_tangible(method) and rng.random() < 0.6:
        filed = rng.randrange(year, 2026)
        found.append(
            DemoRight(
                kind=IpKind.UTILITY_MODEL,
                number=patent_number(filed, 2, next(serials)),
                title=as_invention(item.zh, method),
                status=IpStatus.GRANTED,
                fee_paid_to=_fee_paid_to(rng, today),
                pledged=False,
            )
        )
    if software:
        found.append(
            DemoRight(
                kind=IpKind.SOFTWARE,
                number=f"{rng.randrange(2020, 2026)}SR9{rng.randrange(100_000, 1_000_000)}",
                title=f"{method.zh.removesuffix('方法').removesuffix('系统')}软件（{item.zh}）V1.0",
                status=IpStatus.GRANTED,
                fee_paid_to=None,
                pledged=False,
            )
        )
    if trl >= 7 and rng.random() < 0.25:
        found.append(
            DemoRight(
                IpKind.KNOW_HOW, "", f"{item.zh}{method.zh}：参数与作业文件", IpStatus.UNKNOWN, None, False
            )
        )
    return tuple(found)


def published_days_ago(rng: random.Random, state: ListingState) -> int:
    """An expired listing is older than its validity; one that ended otherwise had some weeks to do so."""
    match state:
        case ListingState.EXPIRED:
            return rng.randrange(186, 240)
        case ListingState.WITHDRAWN | ListingState.CONCLUDED:
            return rng.randrange(50, 172)
        case _:
            return rng.randrange(1, 172)


def _fee_paid_to(rng: random.Random, today: dt.date) -> dt.date:
    """Mostly the better part of a year ahead; some fall due within weeks."""
    days = rng.randrange(5, 60) if rng.random() < 0.08 else rng.randrange(60, 380)
    return today + dt.timedelta(days=days)
