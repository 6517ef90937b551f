"""Six years of technology contracts, with amounts that add up to a believable share of GDP.

Amounts are drawn from a long-tailed distribution and then scaled, year by year, so that the contracts
whose seller is in the city come near the year's aim; they are rounded to thousands of yuan afterwards,
so the shares do not come out round. All parties are invented.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from market.deals.models import ContractKind as K
from market.deals.models import ContractState, TechnicalField
from market.deals.models import ContractSubkind as S
from market.deals.rules import is_working_day as looked_up
from web.demo.content.grammar import Topic
from web.demo.content.organisations import DemoOrganisation
from web.demo.content.results import DemoResult
from web.demo.content.statistics import yearly_gdp_fen
from web.demo.content.topics import TOPICS
from web.demo.content.trading import Parties, Party
from web.demo.content.wording import as_invention, as_technique

LAST_DAY = dt.date(2026, 11, 20)
"""Nothing is dated later, whenever the demonstration is loaded."""

THOUSAND_YUAN = 100_000
"""In fen; amounts are whole thousands of yuan."""

_AIMS = {2020: 910, 2021: 1118, 2022: 1327, 2023: 1563, 2024: 1786, 2025: 1968, 2026: 2034}
"""Share of GDP aimed at for sellers in the city, in hundred-thousandths; 2026 for three quarters."""
_COUNTS = {2020: 64, 2021: 74, 2022: 84, 2023: 96, 2024: 106, 2025: 116, 2026: 104}
_ANCHORS = {2020: 10, 2021: 12, 2022: 13, 2023: 15, 2024: 17, 2025: 19, 2026: 15}
"""Large projects of a year, with lines and equipment in the price: most of the value, as in real registers."""
_MEDIAN_YUAN = {
    K.DEVELOPMENT: 1_900_000,
    K.LICENCE: 1_100_000,
    K.ASSIGNMENT: 620_000,
    K.SERVICE: 780_000,
    K.CONSULTING: 130_000,
}
"""Median price of an ordinary contract of a kind."""
_LARGEST = 0.14
"""No large project is more than this part of the year's large projects."""


@dataclass(frozen=True)
class DemoContract:
    """A contract and how far it got. Amounts are fen.

    A party is an organisation's key, or empty where only a name and a region are known. `state` is where
    it stands at the end; `amended_…` are the amounts after an amendment on `amended_on`.
    """

    key: str
    title: str
    kind: K
    subkind: S
    seller: str
    seller_name: str
    seller_region: str
    buyer: str
    buyer_name: str
    buyer_region: str
    deal_fen: int
    technology_fen: int
    deductions: tuple[tuple[str, int], ...]
    technical_field: TechnicalField
    industry_code: str
    related_party: bool
    signed_on: dt.date
    effective_on: dt.date
    ends_on: dt.date
    submitted_on: dt.date | None
    accepted_on: dt.date | None
    registered_on: dt.date | None
    state: ContractState
    reason: str
    ended_on: dt.date | None
    amended_on: dt.date | None
    amended_deal_fen: int | None
    amended_technology_fen: int | None
    amended_deductions: tuple[tuple[str, int], ...] | None
    result: str
    """Key of the result that it is about, or empty."""

    @property
    def counted_deal_fen(self) -> int:
        """What counts today under a caliber by price; nothing unless it is registered."""
        if self.state is not ContractState.REGISTERED:
            return 0
        return self.deal_fen if self.amended_deal_fen is None else self.amended_deal_fen


_DEDUCTIONS = {
    K.DEVELOPMENT: ("样机与试验设备购置", "外购仪器仪表", "原材料与试制件", "配套控制柜及安装"),
    K.LICENCE: ("专用工装模具", "随许可交付的设备", "首批关键原材料"),
    K.ASSIGNMENT: ("随转让移交的试验装置", "模具与工装"),
    K.SERVICE: ("现场设备及备件", "监测终端硬件", "材料与耗材"),
    K.CONSULTING: (),
}


def contracts(
    rng: random.Random,
    organisations: tuple[DemoOrganisation, ...],
    results: tuple[DemoResult, ...],
) -> tuple[DemoContract, ...]:
    """All contracts, oldest first."""
    parties = Parties(rng, organisations)
    links = [one for one in results if one.trl >= 6]
    rng.shuffle(links)
    titles: set[str] = set()
    found: list[DemoContract] = []
    for year, number in _COUNTS.items():
        days = _registration_days(rng, year, number)
        large = set(rng.sample([place for place, day in enumerate(days) if day.month < 10], _ANCHORS[year]))
        drafts = [
            _draft(rng, parties, links, titles, day, large=place in large) for place, day in enumerate(days)
        ]
        found += _with_amounts(rng, year, drafts)
    found += [_unfinished(rng, parties, titles, place) for place in range(len(_UNFINISHED))]
    return tuple(
        _numbered(one, place) for place, one in enumerate(sorted(found, key=lambda one: one.signed_on), 1)
    )


@lru_cache(maxsize=4096)
def is_working_day(day: dt.date) -> bool:
    """Whether a day is worked in China; looked up once, because the calendar's lookup is slow."""
    return looked_up(day)[0]


def _registration_days(rng: random.Random, year: int, number: int) -> list[dt.date]:
    """Working days, more of them towards the middle and the end of the year."""
    last = min(dt.date(year, 12, 31), LAST_DAY)
    days = [
        day
        for place in range((last - dt.date(year, 1, 4)).days + 1)
        if is_working_day(day := dt.date(year, 1, 4) + dt.timedelta(days=place))
    ]
    weights = [{6: 1.5, 9: 1.2, 11: 1.6, 12: 2.3, 2: 0.5}.get(day.month, 1.0) for day in days]
    return sorted(rng.choices(days, weights=weights, k=number))


@dataclass
class _Draft:
    kind: K
    subkind: S
    title: str
    topic: Topic
    industry: str
    seller: Party
    buyer: Party
    signed_on: dt.date
    registered_on: dt.date
    large: bool
    size: float
    """Yuan; of a large project only a weight."""
    result: str


_KINDS = {
    K.DEVELOPMENT: (44, (S.COMMISSIONED_DEVELOPMENT, S.COMMISSIONED_DEVELOPMENT, S.JOINT_DEVELOPMENT, S.TECHNOLOGY_CONVERSION)),
    K.SERVICE: (24, (S.GENERAL_SERVICE, S.GENERAL_SERVICE, S.GENERAL_SERVICE, S.TRAINING)),
    K.LICENCE: (15, (S.PATENT, S.PATENT, S.KNOW_HOW, S.SOFTWARE)),
    K.ASSIGNMENT: (11, (S.PATENT, S.PATENT, S.PATENT_APPLICATION, S.KNOW_HOW)),
    K.CONSULTING: (6, (S.FEASIBILITY, S.EVALUATION, S.SURVEY)),
}  # fmt: skip


def _draft(
    rng: random.Random,
    parties: Parties,
    links: list[DemoResult],
    titles: set[str],
    day: dt.date,
    *,
    large: bool = False,
) -> _Draft:
    industry, topic = rng.choice(_WEIGHTED_TOPICS)
    seller, buyer = parties.pair(topic, industry, day.year, large=large)
    link = ""
    if large:
        kind = rng.choices((K.DEVELOPMENT, K.SERVICE, K.LICENCE), weights=(6, 2, 2))[0]
        subkind = {
            K.DEVELOPMENT: S.COMMISSIONED_DEVELOPMENT,
            K.SERVICE: S.GENERAL_SERVICE,
            K.LICENCE: S.KNOW_HOW,
        }[kind]
        title = _unique(titles, rng.choice(_LARGE_TITLES[kind]).format(t=topic.zh))
        size = math.exp(rng.gauss(0, 0.6))
    else:
        kind = rng.choices(list(_KINDS), weights=[weight for weight, _ in _KINDS.values()])[0]
        subkind = rng.choice(_KINDS[kind][1])
        match = None
        if day.year >= 2025 and seller.key and kind in (K.LICENCE, K.ASSIGNMENT):
            match = next(
                (one for one in links if (one.organisation, one.topic) == (seller.key, topic.key)), None
            )
        if match is not None:
            links.remove(match)
            link, subkind = match.key, S.PATENT
            verb = "专利实施许可" if kind is K.LICENCE else "专利权转让"
            title = _unique(titles, f"“{match.rights[0].title}”{verb}")
        else:
            title = _title(rng, topic, kind, subkind, titles)
        size = _MEDIAN_YUAN[kind] * math.exp(rng.gauss(0, 0.8)) * (1 + 0.05 * (day.year - 2020))
        if subkind is S.TRAINING:
            size *= 0.15
        if not seller.is_local:
            size *= 0.6
    return _Draft(
        kind=kind,
        subkind=subkind,
        title=title,
        topic=topic,
        industry=industry,
        seller=seller,
        buyer=buyer,
        signed_on=day - dt.timedelta(days=rng.choice((18, 22, 25, 31, 36, 44, 52, 67, 85))),
        registered_on=day,
        large=large,
        size=size,
        result=link,
    )


_LARGE_TITLES = {
    K.DEVELOPMENT: (
        "{t}成套装备技术开发与产线建设",
        "{t}系列产品平台委托开发",
        "{t}智能制造示范线技术开发",
        "{t}新一代机型整机技术开发",
    ),
    K.SERVICE: ("{t}全流程技术改造服务", "{t}多厂区升级技术服务"),
    K.LICENCE: ("{t}成套技术秘密使用许可及产业化", "{t}产品平台技术秘密使用许可"),
}


def _unique(titles: set[str], title: str) -> str:
    """The title, with a phase where it was used before (第二期)."""
    place, found = 1, title
    while found in titles:
        place += 1
        found = f"{title}（第{'零一二三四五六七八九十'[place] if place <= 10 else place}期）"
    titles.add(found)
    return found


_WEIGHTED_TOPICS = [
    pair
    for pair in TOPICS
    for _ in range({"pumps_motors": 4, "machine_tools": 3, "auto_parts": 2}.get(pair[0], 1))
]


def _title(rng: random.Random, topic: Topic, kind: K, subkind: S, titles: set[str]) -> str:
    title = topic.zh
    for _ in range(12):
        item, method = rng.choice(topic.pairs())
        match subkind:
            case S.COMMISSIONED_DEVELOPMENT:
                title = f"{item.zh}{as_technique(method)}委托开发"
            case S.JOINT_DEVELOPMENT:
                title = f"{item.zh}{topic.goal}技术合作开发"
            case S.TECHNOLOGY_CONVERSION:
                title = f"{method.zh}在{item.zh}上的产业化"
            case S.GENERAL_SERVICE:
                title = f"{item.zh}{topic.goal}技术服务"
            case S.TRAINING:
                title = f"{topic.zh}技术培训（{item.zh}）"
            case S.FEASIBILITY:
                title = f"{item.zh}采用{method.zh}的可行性论证"
            case S.EVALUATION:
                title = f"{item.zh}{topic.goal}方案分析评价"
            case S.SURVEY:
                title = f"{topic.zh}专题技术调查"
            case S.KNOW_HOW:
                title = f"{item.zh}{method.zh}技术秘密{'使用许可' if kind is K.LICENCE else '转让'}"
            case S.SOFTWARE:
                title = f"{item.zh}控制与分析软件著作权许可"
            case S.PATENT_APPLICATION:
                title = f"“{as_invention(item.zh, method)}”专利申请权转让"
            case _:
                title = f"“{as_invention(item.zh, method)}”{'专利实施许可' if kind is K.LICENCE else '专利权转让'}"
        if title not in titles:
            break
    return _unique(titles, title)


def _with_amounts(rng: random.Random, year: int, drafts: list[_Draft]) -> list[DemoContract]:
    """Scale the large projects so that the sellers in the city reach the year's aim.

    The aim of 2026 is for three quarters, because that is what the newest GDP estimate covers; there is
    no large project after September.
    """
    last = dt.date(year, 9, 30) if year == 2026 else dt.date(year, 12, 31)
    ordinary = sum(
        one.size for one in drafts if one.seller.is_local and not one.large and one.registered_on <= last
    )
    large = [one for one in drafts if one.large]
    weights = _capped([one.size for one in large])
    unit = (yearly_gdp_fen(year) * _AIMS[year] // 100_000 / 100 - ordinary) / sum(weights)
    for one, weight in zip(large, weights, strict=True):
        one.size = weight * unit
    found = [
        _contract(rng, one, max(38, round(one.size * 100 / THOUSAND_YUAN)) * THOUSAND_YUAN) for one in drafts
    ]
    return _marred(rng, found, year)


def _capped(weights: list[float]) -> list[float]:
    """Weights of which none is more than `_LARGEST` of the sum."""
    for _ in range(20):
        limit = sum(weights) * _LARGEST
        if max(weights) <= limit * 1.0001:
            break
        weights = [min(weight, limit * 0.97) for weight in weights]
    return weights


def _deductions(rng: random.Random, kind: K, deal: int) -> tuple[tuple[str, int], ...]:
    """Equipment and material inside the price; the larger the deal, the likelier and the more."""
    names = _DEDUCTIONS[kind]
    million = deal / 100_000_000
    if not names or rng.random() > 0.12 + 0.1 * million:
        return ()
    total = deal * (rng.uniform(0.08, 0.28) + min(0.3, 0.006 * million))
    chosen = rng.sample(names, min(len(names), rng.choice((1, 2, 2, 3))))
    parts = [rng.uniform(0.5, 1.5) for _ in chosen]
    return tuple(
        (name, max(1, round(total * part / sum(parts) / THOUSAND_YUAN)) * THOUSAND_YUAN)
        for name, part in zip(chosen, parts, strict=True)
    )


def _contract(rng: random.Random, one: _Draft, deal: int) -> DemoContract:
    cut = _deductions(rng, one.kind, deal)
    accepted = _working_days_before(one.registered_on, rng.randrange(4, 11))
    submitted = _working_days_before(accepted, rng.randrange(1, 4))
    signed = min(one.signed_on, submitted - dt.timedelta(days=2))
    return DemoContract(
        key="",
        title=one.title,
        kind=one.kind,
        subkind=one.subkind,
        seller=one.seller.key,
        seller_name=one.seller.name,
        seller_region=one.seller.region,
        buyer=one.buyer.key,
        buyer_name=one.buyer.name,
        buyer_region=one.buyer.region,
        deal_fen=deal,
        technology_fen=deal - sum(fen for _, fen in cut),
        deductions=cut,
        technical_field=one.topic.field,
        industry_code=one.industry,
        related_party=False,
        signed_on=signed,
        effective_on=signed + dt.timedelta(days=rng.choice((0, 0, 0, 1, 5))),
        ends_on=signed + dt.timedelta(days=rng.choice((180, 365, 365, 540, 730, 1095))),
        submitted_on=submitted,
        accepted_on=accepted,
        registered_on=one.registered_on,
        state=ContractState.REGISTERED,
        reason="",
        ended_on=None,
        amended_on=None,
        amended_deal_fen=None,
        amended_technology_fen=None,
        amended_deductions=None,
        result=one.result,
    )


def _marred(rng: random.Random, found: list[DemoContract], year: int) -> list[DemoContract]:
    """A few of a year's contracts are amended, deregistered or revoked later."""
    places = [place for place, one in enumerate(found) if one.deal_fen < 400_000_000]
    rng.shuffle(places)

    def day_after(one: DemoContract, low: int, high: int) -> dt.date:
        assert one.registered_on is not None
        return min(one.registered_on + dt.timedelta(days=rng.randrange(low, high)), LAST_DAY)

    for place in places[:2]:
        one = found[place]
        deal = (
            max(1, round(one.deal_fen * rng.choice((0.8, 0.85, 1.1, 1.15)) / THOUSAND_YUAN)) * THOUSAND_YUAN
        )
        cut = tuple((name, fen) for name, fen in one.deductions if fen * 3 < deal)
        found[place] = _changed(
            one,
            amended_on=day_after(one, 40, 200),
            amended_deal_fen=deal,
            amended_technology_fen=deal - sum(fen for _, fen in cut),
            amended_deductions=cut,
            reason="双方签订补充协议，调整验收内容与价款",
        )
    if len(places) > 2 and year < 2026:
        place = places[2]
        found[place] = _changed(
            found[place],
            state=ContractState.DEREGISTERED,
            ended_on=day_after(found[place], 60, 240),
            reason="双方协商解除合同，技术资料已退还",
        )
    if len(places) > 3 and year == 2023:
        place = places[3]
        found[place] = _changed(
            found[place],
            state=ContractState.REVOKED,
            ended_on=day_after(found[place], 90, 200),
            related_party=True,
            reason="核查发现同一合同在外地已登记，撤销重复登记",
        )
    return found


# state, days before LAST_DAY of signing, submission, acceptance (None: not reached), reason
_UNFINISHED = (
    (ContractState.DRAFT, 6, None, None, ""),
    (ContractState.DRAFT, 11, None, None, ""),
    (ContractState.DRAFT, 3, None, None, ""),
    (ContractState.SUBMITTED, 20, 1, None, ""),
    (ContractState.SUBMITTED, 26, 2, None, ""),
    (ContractState.SUBMITTED, 16, 1, None, ""),
    (ContractState.ACCEPTED, 34, 10, 8, ""),
    (ContractState.ACCEPTED, 41, 15, 11, ""),
    (ContractState.ACCEPTED, 52, 24, 22, ""),
    (ContractState.ACCEPTED, 29, 6, 4, ""),
    (ContractState.SUPPLEMENT, 45, 18, 16, "请补充设备费用明细和外购件发票复印件"),
    (ContractState.SUPPLEMENT, 38, 14, 11, "合同缺少技术指标附件，请补交并由双方盖章"),
    (ContractState.EXPERT_REVIEW, 60, 25, 21, ""),
    (ContractState.REFUSED, 75, 40, 36, "合同内容为一般设备买卖，不含技术开发、转让或服务内容"),
    (ContractState.REFUSED, 90, 50, 45, "未约定技术内容和验收标准，不符合技术合同认定条件"),
)


def _unfinished(rng: random.Random, parties: Parties, titles: set[str], place: int) -> DemoContract:
    """A contract that is still on its way, sold by a member in the city."""
    state, signed, submitted, accepted, reason = _UNFINISHED[place]
    while True:
        draft = _draft(rng, parties, [], titles, LAST_DAY)
        if draft.seller.key and draft.seller.is_local:
            break
    thousands = (
        rng.randrange(6_200, 9_800) if state is ContractState.EXPERT_REVIEW else rng.randrange(80, 2_400)
    )
    one = _contract(rng, draft, thousands * THOUSAND_YUAN)
    if state is ContractState.EXPERT_REVIEW:
        one = _changed(one, technology_fen=one.deal_fen, deductions=())

    def back(days: int | None) -> dt.date | None:
        return None if days is None else LAST_DAY - dt.timedelta(days=days)

    signed_on = LAST_DAY - dt.timedelta(days=signed)
    return _changed(
        one,
        signed_on=signed_on,
        effective_on=signed_on,
        ends_on=signed_on + dt.timedelta(days=365),
        submitted_on=back(submitted),
        accepted_on=back(accepted),
        registered_on=None,
        state=state,
        reason=reason,
        ended_on=None,
        result="",
    )


def _changed(one: DemoContract, **values: Any) -> DemoContract:
    return DemoContract(**{**vars(one), **values})


def _numbered(one: DemoContract, place: int) -> DemoContract:
    return _changed(one, key=f"contract-{place:04d}")


def _working_days_before(day: dt.date, count: int) -> dt.date:
    while count:
        day -= dt.timedelta(days=1)
        count -= is_working_day(day)
    return day
