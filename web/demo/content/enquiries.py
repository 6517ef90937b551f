"""Enquiries and what was written in them, with days relative to the moment of loading."""

from __future__ import annotations

import random
from dataclasses import dataclass

from market.enquiries.inputs import SubjectKind
from market.enquiries.models import EnquiryState as E
from market.enquiries.models import PassReason
from market.enquiries.rules import Side
from market.listings.models import ListingState
from market.parties.models import OrganisationKind
from web.demo.content.demands import DemoDemand
from web.demo.content.organisations import DemoOrganisation
from web.demo.content.results import DemoResult


@dataclass(frozen=True)
class DemoMessage:
    """A message, hours before loading."""

    hours_ago: float
    side: Side
    body: str


@dataclass(frozen=True)
class DemoEnquiry:
    """An enquiry. `due_in_days` is negative where the next step is overdue; `closed_hours_ago` is when it
    reached its last state, None while it is still active."""

    key: str
    subject_kind: SubjectKind
    subject: str
    offered_result: str
    from_organisation: str
    to_organisation: str
    state: E
    messages: tuple[DemoMessage, ...]
    next_step: str
    due_in_days: int | None
    with_broker: bool
    outcome: str
    pass_reason: PassReason | None
    reinvite_trl: int | None
    closed_hours_ago: float | None


# state, days since it was opened, due in days, with the broker
_PLAN: tuple[tuple[E, float, int | None, bool], ...] = (
    (E.OPEN, 0.4, 2, False), (E.OPEN, 1.2, 1, False), (E.OPEN, 2.5, 0, False), (E.OPEN, 4.0, -1, False),
    (E.OPEN, 6.5, -3, True), (E.OPEN, 9.0, -6, False), (E.OPEN, 12.0, -9, True), (E.OPEN, 1.6, 1, False),
    (E.ANSWERED, 5.0, 3, False), (E.ANSWERED, 7.0, 6, True), (E.ANSWERED, 8.5, 1, False),
    (E.ANSWERED, 11.0, -2, True), (E.ANSWERED, 13.0, 4, False), (E.ANSWERED, 16.0, -5, False),
    (E.ANSWERED, 18.0, 8, True), (E.ANSWERED, 9.5, 5, False), (E.ANSWERED, 21.0, 10, False),
    (E.NEGOTIATING, 20.0, 5, True), (E.NEGOTIATING, 24.0, 7, True), (E.NEGOTIATING, 28.0, -1, True),
    (E.NEGOTIATING, 33.0, 12, False), (E.NEGOTIATING, 26.0, 3, True), (E.NEGOTIATING, 38.0, -4, True),
    (E.NEGOTIATING, 30.0, 15, False), (E.NEGOTIATING, 22.0, 2, True),
    (E.AGREED, 40.0, None, True), (E.AGREED, 45.0, None, True), (E.AGREED, 36.0, None, False),
    (E.AGREED, 48.0, None, True), (E.AGREED, 42.0, None, False), (E.AGREED, 34.0, None, True),
    (E.PASSED, 27.0, None, False), (E.PASSED, 31.0, None, True), (E.PASSED, 19.0, None, False),
    (E.PASSED, 35.0, None, False), (E.PASSED, 23.0, None, True), (E.PASSED, 29.0, None, False),
    (E.PASSED, 37.0, None, False), (E.PASSED, 25.0, None, True), (E.WITHDRAWN, 17.0, None, False),
    (E.WITHDRAWN, 32.0, None, False), (E.ANSWERED, 14.0, 2, True),
)  # fmt: skip

_ASK = (
    "我们正在做{object}方面的改进，看到贵方成果写明{metric}可达{figure}。请问这是在什么条件下测得的？换到我们的工况，结果还能保持吗？",
    "您好，想了解{object}这项成果的交付内容：是图纸和工艺文件，还是包含样机调试？如果先小批量试用，需要我们准备哪些条件？",
    "我们现有方案的{metric}达不到要求，主要客户明年要验收。贵方能否先用我们的样件做一轮对比试验？费用我们承担。",
    "请问该成果是否已有排他许可？我们只在本企业产品上使用，想先确认权利范围和专利年费缴纳情况。",
    "公司准备明年上半年改造一条线，预算已批。想约贵团队来现场看一次，再决定采用许可还是委托开发。",
)
_REPLY = (
    "感谢关注。{metric}的数据来自{condition}，原始记录可以提供。工况有差别，建议先做一轮小样确认，我们可在两周内给出测试结果。",
    "交付内容包括设计文件、关键工艺参数和一次现场调试。试用前{needs}，其余由我们负责。",
    "可以安排对比试验。请寄样件并注明材料牌号和使用工况，试验报告双方共有，未经同意不对外公开。",
    "目前没有排他许可，只有一家普通许可。专利年费已缴，可提供缴费凭证。限定应用范围的许可可以谈。",
    "可以。下周二、周四都能安排两人到现场，请提前发一份产线布置图和近期质量统计，便于带着方案来。",
)
"""The answer to each question."""
_FOLLOW = (
    "样件和检测记录已寄出。另外想了解：若许可后我们自行改进，改进成果归哪一方？",
    "内部讨论过了，技术路线可行，主要顾虑是首年投入。能否采用较低入门费加销售提成的方式？",
    "现场看过后，生产部认为工位要重新布置。麻烦给一份布置图和停产时间估算，我们报总经理会讨论。",
)
_FOLLOWS = (0, 1, 0, 1, 2)
"""Which of them goes on from which question."""
_TERMS = (
    "改进成果按各自贡献归属，双方可互相免费使用，这一条可写入合同。附上合同草案，请法务审阅。",
    "入门费加提成可以接受，提成建议按净销售额计，逐年递减，封顶三年。草案本周发出。",
    "布置图和停产计划见附件，改造分两段进行，每段停产三天。验收指标建议以连续运行一个月的数据为准。",
)
_OFFER = (
    "看到贵公司需求“{demand}”。我们的成果“{result}”正对应这个问题，{metric}做到{figure}。能否提供现有样件和工况，我们先做一轮可行性判断？",
    "关于“{demand}”，我团队已有相近基础：{metric}由现有水平改进到{figure}。希望了解贵方对周期和投入方式的要求。",
)
_OFFER_REPLY = (
    "谢谢。我们最关心批量条件下能不能稳定。随信附上近三个月的检测统计，请评估指标是否可以达到，周期希望不超过八个月。",
    "方向吻合。请补充说明与我们现有设备的衔接方式，以及是否需要新增工序。下周三以后可以安排现场交流。",
)
_NEXT = {
    E.OPEN: ("首次回复询问方", "确认由谁答复并回电"),
    E.ANSWERED: ("询问方确认测试样件与工况", "约定现场交流时间", "补充专利与年费凭证", "整理双方问题清单"),
    E.NEGOTIATING: (
        "法务审阅合同草案",
        "确认提成比例与封顶年限",
        "样件对比试验出具报告",
        "总经理会讨论改造投入",
        "商定验收指标与试运行期",
    ),
}
_AGREED = (
    "双方同意普通许可，入门费加三年递减提成，进入合同起草。",
    "确定委托开发，分三期付款，以连续运行一个月的数据验收。",
    "同意先试用三个月，达到约定指标后转为正式许可。",
)
_PASSED = (
    (PassReason.TOO_EARLY, "目前仍是样品阶段，希望通过中试后再谈。"),
    (PassReason.BENEFIT_UNCLEAR, "按我们的产量测算，四年以上才能收回投入。"),
    (PassReason.PRICE, "报价超出今年预算，转让价格暂不能接受。"),
    (PassReason.HAVE_SOLUTION, "内部改进后指标已满足客户要求，暂不需要外部方案。"),
    (PassReason.RIGHTS_UNCLEAR, "共同权利人尚未书面同意，法务建议等权属明确。"),
    (PassReason.NO_BUDGET, "项目未列入年度技改计划，明年再评估。"),
    (PassReason.NOT_RELEVANT, "交流后确认介质和工况与我们不同，不适用。"),
    (PassReason.TOO_EARLY, "缺少长期运行数据，希望完成示范应用后再联系。"),
)


def enquiries(
    rng: random.Random,
    organisations: tuple[DemoOrganisation, ...],
    results: tuple[DemoResult, ...],
    demands: tuple[DemoDemand, ...],
    lot_results: frozenset[str],
) -> tuple[DemoEnquiry, ...]:
    """Two thirds ask about results, the rest answer demands; no party asks twice about one thing."""
    known = {one.key: one for one in organisations}
    shown = [
        one
        for one in results
        if one.state is ListingState.PUBLISHED and one.key not in lot_results and one.claims
    ]
    wanted = [one for one in demands if one.state is ListingState.PUBLISHED]
    used: set[str] = set()
    passes = list(_PASSED)
    found = []
    for place, (state, days, due, broker) in enumerate(_PLAN, 1):
        reason, note = passes.pop(0) if state is E.PASSED else (None, "")
        early = reason is PassReason.TOO_EARLY
        about_result = place % 3 != 0 or early
        if about_result:
            subject = rng.choice(
                [
                    one
                    for one in shown
                    if one.key not in used
                    and one.published_days_ago > days + 1
                    and _measured(one) is not None
                    and (one.trl <= 5 if early else one.trl >= 5)
                    and known[one.organisation].kind is not OrganisationKind.FIRM
                ],
            )
            asker = _asker(rng, organisations, subject)
            used.add(subject.key)
            found.append(_enquiry(rng, place, subject, None, asker, state, days, due, broker, reason, note))
        else:
            demand, result = _answer(rng, wanted, shown, used, known, days)
            used.add(demand.key)
            found.append(
                _enquiry(
                    rng,
                    place,
                    result,
                    demand,
                    result.organisation,
                    state,
                    days,
                    due,
                    broker,
                    reason,
                    note,
                )
            )
    return tuple(found)


def _measured(result: DemoResult) -> tuple[str, str, str] | None:
    """(metric, condition, figure) of the first claim that has a number."""
    for claim in result.claims:
        if claim.figure and claim.statement.endswith("）"):
            name, _, condition = claim.statement[:-1].rpartition("（")
            return name, condition.split("，")[-1], claim.figure
    return None


def _asker(rng: random.Random, organisations: tuple[DemoOrganisation, ...], result: DemoResult) -> str:
    return rng.choice(
        [
            one.key
            for one in organisations
            if one.kind is OrganisationKind.FIRM
            and one.key != result.organisation
            and any(result.topic.startswith(start) for start in one.topics)
        ]
    )


def _answer(
    rng: random.Random,
    wanted: list[DemoDemand],
    shown: list[DemoResult],
    used: set[str],
    known: dict[str, DemoOrganisation],
    days: float,
) -> tuple[DemoDemand, DemoResult]:
    """A demand and an institute's result of the same topic."""
    offers: dict[str, list[DemoResult]] = {}
    for result in shown:
        if (
            result.published_days_ago > days + 1
            and known[result.organisation].kind is not OrganisationKind.FIRM
        ):
            offers.setdefault(result.topic, []).append(result)
    pairs = [
        (demand, result)
        for demand in wanted
        if demand.key not in used and demand.published_days_ago > days + 1
        for result in offers.get(demand.topic, ())
        if _measured(result) is not None
    ]
    close = [pair for pair in pairs if pair[0].object_zh == pair[1].object_zh]
    return rng.choice(close or pairs)


def _enquiry(
    rng: random.Random,
    place: int,
    result: DemoResult,
    demand: DemoDemand | None,
    asker: str,
    state: E,
    days: float,
    due: int | None,
    broker: bool,
    reason: PassReason | None,
    note: str,
) -> DemoEnquiry:
    measured = _measured(result)
    assert measured is not None
    metric, condition, figure = measured
    words = {
        "metric": metric,
        "condition": condition,
        "figure": figure,
        "object": result.object_zh,
        "result": result.title,
        "demand": demand.title if demand else "",
        "needs": result.application.split("。")[1].removesuffix("。"),
    }
    asking, replying = (_OFFER, _OFFER_REPLY) if demand else (_ASK, _REPLY)
    if demand:
        opening = rng.randrange(len(_OFFER))
        going_on = opening + 1
    else:
        # Who has a budget does not pass for want of one.
        opening = rng.randrange(len(_ASK) - (state is E.PASSED))
        going_on = _FOLLOWS[opening]
    # The firm raises the doubts and the institute answers them, whoever wrote first.
    doubt, terms = (Side.OWNER, Side.ASKING) if demand else (Side.ASKING, Side.OWNER)
    lines = [
        (Side.ASKING, asking[opening]),
        (Side.OWNER, replying[opening]),
        (doubt, _FOLLOW[going_on]),
        (terms, _TERMS[going_on]),
    ]
    count = {E.OPEN: 1, E.ANSWERED: 2, E.NEGOTIATING: 4, E.AGREED: 4, E.PASSED: 2, E.WITHDRAWN: 1}[state]
    hours = days * 24
    gap = hours / (count + 1.5)
    messages = tuple(
        DemoMessage(round(hours - turn * gap * rng.uniform(0.7, 1.0), 1), side, body.format(**words))
        for turn, (side, body) in enumerate(lines[:count])
    )
    active = state in _NEXT
    outcome = note
    if state is E.AGREED:
        outcome = rng.choice(_AGREED)
    elif state is E.WITHDRAWN:
        outcome = "项目内部调整，暂不继续。"
    return DemoEnquiry(
        key=f"enquiry-{place:02d}",
        subject_kind=SubjectKind.DEMAND if demand else SubjectKind.RESULT,
        subject=demand.key if demand else result.key,
        offered_result=result.key if demand else "",
        from_organisation=asker,
        to_organisation=demand.organisation if demand else result.organisation,
        state=state,
        messages=messages,
        next_step=rng.choice(_NEXT[state]) if active else "",
        due_in_days=due,
        with_broker=broker,
        outcome=outcome,
        pass_reason=reason,
        reinvite_trl=min(9, result.trl + 2) if reason is PassReason.TOO_EARLY else None,
        closed_hours_ago=None if active else round(messages[-1].hours_ago * 0.4, 1),
    )
