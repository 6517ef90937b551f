"""Technology wanted, written from the same topics, so that matching finds true partners."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass

from market.demands.models import Comparator, DemandSource
from market.listings.models import CooperationMode as Mode
from market.listings.models import ListingState
from market.parties.models import OrganisationKind
from web.demo.content.grammar import Metric, Topic
from web.demo.content.organisations import DemoOrganisation
from web.demo.content.results import WAN, published_days_ago
from web.demo.content.topics import TOPICS
from web.demo.content.wording import number


@dataclass(frozen=True)
class DemoTarget:
    """A figure to be reached."""

    name: str
    comparator: Comparator
    threshold: str
    unit: str
    condition: str


@dataclass(frozen=True)
class DemoDemand:
    """A demand. Amounts are fen; days count from the day of loading."""

    key: str
    topic: str
    object_zh: str
    organisation: str
    title: str
    title_en: str
    difficulty: str
    research: str
    background: str
    keywords: tuple[str, ...]
    industry_code: str
    ipc: tuple[str, ...]
    modes: tuple[Mode, ...]
    wanted_trl: int
    budget_low_fen: int | None
    budget_high_fen: int | None
    deadline: dt.date
    experts: str
    origin: DemandSource
    targets: tuple[DemoTarget, ...]
    state: ListingState
    state_reason: str
    published_days_ago: int


def demands(
    rng: random.Random, organisations: tuple[DemoOrganisation, ...], today: dt.date
) -> tuple[DemoDemand, ...]:
    """One demand for every title of a topic, and a fifth for the city's largest industry."""
    found = []
    titles: set[str] = set()
    for industry, topic in TOPICS:
        objects = list(topic.objects)
        rng.shuffle(objects)
        wanted = [(want, objects[place % len(objects)]) for place, want in enumerate(topic.wants)]
        if industry in ("pumps_motors", "machine_tools"):
            wanted.append((topic.wants[rng.randrange(len(topic.wants))], objects[-1]))
        for place, (want, item) in enumerate(wanted):
            title = want.format(o=item.zh)
            if title in titles:
                continue
            titles.add(title)
            key = f"demand-{topic.key}-{place + 1}"
            found.append(_demand(rng, key, industry, topic, item.zh, item.en, title, organisations, today))
    return tuple(found)


def _demand(
    rng: random.Random,
    key: str,
    industry: str,
    topic: Topic,
    object_zh: str,
    object_en: str,
    title: str,
    organisations: tuple[DemoOrganisation, ...],
    today: dt.date,
) -> DemoDemand:
    firm = _firm(rng, organisations, topic, object_zh)
    first, second = (problem.format(o=object_zh) for problem in rng.sample(topic.problems, 2))
    second = second.removeprefix(object_zh).removeprefix("的").removeprefix("，")
    joined = f"{first}；同时{second}"
    tasks = rng.sample(topic.tasks, 3)
    tasks.sort(key=topic.tasks.index)
    metrics = rng.sample(topic.metrics, rng.choice((2, 2, 3)))
    low = rng.choice((15, 20, 25, 30, 35, 40, 50, 60, 80, 100, 120, 150, 180, 220, 300))
    high = round(low * rng.choice((1.2, 1.5, 1.6, 2)) / 5) * 5
    open_budget = rng.random() < 0.18
    state, reason = rng.choices(
        (
            (ListingState.PUBLISHED, ""),
            (ListingState.CONCLUDED, "已与高校签约解决"),
            (ListingState.WITHDRAWN, "项目计划调整"),
            (ListingState.EXPIRED, ""),
        ),
        weights=(91, 4, 3, 2),
    )[0]
    return DemoDemand(
        key=key,
        topic=topic.key,
        object_zh=object_zh,
        organisation=firm.key,
        title=title,
        title_en=f"Technology wanted: {topic.en} ({object_en})",
        difficulty=f"{joined}。{rng.choice(topic.tried)}。",
        research="；".join(f"{place}. {task}" for place, task in enumerate(tasks, 1)) + "。",
        background=_background(rng, firm, object_zh, topic),
        keywords=tuple(dict.fromkeys((object_zh, *topic.keywords)))[:6],
        industry_code=industry,
        ipc=topic.ipc[:2],
        modes=_modes(rng),
        wanted_trl=rng.choice((4, 5, 5, 6, 6, 7)),
        budget_low_fen=None if open_budget else low * WAN,
        budget_high_fen=None if open_budget else max(high, low) * WAN,
        deadline=today + dt.timedelta(days=rng.randrange(75, 430)),
        experts=rng.choice(
            (
                f"希望与从事{topic.zh}研究并有企业合作经验的团队对接。",
                f"优先考虑能提供{topic.keywords[0]}试验条件的高校或研究院。",
                "不限地区，要求项目负责人能到现场工作，每月不少于两次。",
                "希望团队已有同类样机或现场案例，可先签保密协议再交流细节。",
            )
        ),
        origin=rng.choices(list(DemandSource), weights=(62, 26, 12))[0],
        targets=tuple(_target(rng, metric) for metric in topic.metrics if metric in metrics),
        state=state,
        state_reason=reason,
        published_days_ago=published_days_ago(rng, state),
    )


_OBJECT_FIRMS = {
    "水泵装配车间": "lanchi",
    "鞋服小单快反车间": "canglan",
    "汽摩零件机加工车间": "jiguang",
    "电机绕组车间": "xiqiao",
    "机床装配车间": "hengduan",
    "注塑机群": "fuheng",
    "数控机床群": "jiguang",
    "空压站设备": "tiefeng",
    "鞋机设备": "suxing",
    "冲压与压铸设备": "moyuan",
    "离心泵系列化设计": "lanchi",
    "电机产品系列化设计": "xiqiao",
    "铸件结构设计": "zhuyun",
    "鞋机关键部件设计": "shuori",
    "机床床身结构设计": "hengduan",
    "电机装配质量": "xiqiao",
    "泵类产品售后质量": "lanchi",
    "鞋服订单质量": "canglan",
    "医疗器械批次质量": "anjiong",
    "压铸件过程质量": "moyuan",
    "渔船码头安全监管": "hailan",
    "喷涂车间安全预警": "moyuan",
    "小微企业消防监测": "luyuan",
    "涉氨冷库安全监管": "hailan",
    "冲压工位防护监测": "xiqiao",
    "注塑车间能源系统": "fuheng",
    "热处理车间能源系统": "jiguang",
    "鞋材烘干线供热系统": "weibu",
    "涂装烘道供热系统": "moyuan",
    "园区光储充系统": "luyuan",
    "童装样板": "canglan",
    "泳装款式": "canglan",
    "鞋楦设计": "suxing",
    "职业装定制": "canglan",
    "帽类产品": "canglan",
    "泵轴加工单元": "lanchi",
    "阀体多机连线": "qushan",
    "小批量齿轮加工岛": "jiguang",
    "铸件毛坯去毛刺工位": "zhuyun",
    "泵体内孔镗削": "qushan",
    "阀体内孔": "qushan",
    "齿轮端面与齿形": "jiguang",
    "齿轮轴轴颈修复": "jiguang",
    "齿轮箱体铸件": "zhuyun",
    "压铸模型腔修复": "moyuan",
    "注塑机用重载滚珠丝杠": "juewei",
    "铝合金车架": "moyuan",
    "铝轮毂": "moyuan",
    "摩托车油箱": "moyuan",
    "电池箱密封圈": "fuheng",
    "水产药残快检卡": "jieshu",
}
"""Who has such a thing, where the topic alone would not tell."""


def _firm(
    rng: random.Random, organisations: tuple[DemoOrganisation, ...], topic: Topic, object_zh: str
) -> DemoOrganisation:
    """A firm of the field; software houses sell what others want."""
    wanted = _OBJECT_FIRMS.get(object_zh)
    firms = [one for one in organisations if one.kind is OrganisationKind.FIRM and one.industry != "digital"]
    if wanted:
        return next(one for one in firms if one.key == wanted)
    return rng.choice([one for one in firms if any(topic.key.startswith(start) for start in one.topics)])


def _background(rng: random.Random, firm: DemoOrganisation, object_zh: str, topic: Topic) -> str:
    value = rng.choice((600, 900, 1200, 1500, 1800, 2400, 3200, 4500, 6000, 8000))
    share = rng.randrange(8, 42)
    why = rng.choice(
        (
            "主要客户已把相关指标写入明年的采购条件",
            "近两年售后与返工成本持续上升，内部改进已到瓶颈",
            "同行已推出改进产品，公司希望在一年内跟上",
            "公司计划借新产线投产之机一并解决",
            "出口市场的检测与认证要求提高，原有方案难以满足",
        )
    )
    return (
        f"{firm.introduction}{object_zh}相关业务年产值约{value}万元，约占公司收入的{share}%。"
        f"现有方案为{topic.incumbent}，{why}。"
    )


def _modes(rng: random.Random) -> tuple[Mode, ...]:
    pool = (
        Mode.COMMISSIONED_DEVELOPMENT,
        Mode.JOINT_DEVELOPMENT,
        Mode.LICENCE,
        Mode.ASSIGNMENT,
        Mode.EXCLUSIVE_LICENCE,
        Mode.SERVICE,
    )
    return tuple(sorted(rng.sample(pool, rng.choice((1, 2, 2, 3))), key=list(Mode).index))


def _target(rng: random.Random, metric: Metric) -> DemoTarget:
    """A threshold that a good solution of the topic reaches, or nearly."""
    near, far = sorted(metric.after, key=lambda value: abs(value - metric.before[0]))
    value = near + (far - near) * rng.choice((-0.15, 0.0, 0.0, 0.3, 0.5))
    return DemoTarget(
        name=metric.zh,
        comparator=Comparator.AT_LEAST if metric.higher_is_better else Comparator.AT_MOST,
        threshold=number(value, metric.digits),
        unit=metric.unit,
        condition=metric.condition,
    )
