"""What drafts lack. The demands are written for these tests, in the manner of real ones of six industries."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from matching import drafting
from matching.drafting import Draft, DraftTarget, Figure, HintCode

GOOD: dict[str, dict[str, Any]] = {
    "pumps_motors": {
        "title": "含砂工况下潜水电泵机械密封寿命提升",
        "difficulty": "250QJ 系列潜水电泵用于井灌，介质为含砂量 1.2% 的井水，水温不超过 25℃。现用碳化硅对石墨机械密封平均 "
        "2300 小时即泄漏，拆检发现端面沟槽深 0.3 mm。\n换用进口密封后达到 6000 小时，但单套价格 420 元，无法接受。",
        "research": "研究端面材料与微槽形貌，使密封在含砂量 1.5%、压差 1.6 MPa 下寿命不低于 8000 小时，单套成本不高于 120 元。",
    },
    "machine_tools": {
        "title": "高效精密数控车床主轴热伸长补偿",
        "difficulty": "CK6150 数控车床主轴转速 4000 r/min 连续运行 2 小时后，轴向热伸长达 35 μm，加工 45 钢轴类零件"
        "（直径 60 mm）时长度尺寸超差，补偿后仍有 12 μm。",
        "research": "建立热误差模型，补偿后轴向误差不大于 5 μm，算法在现有系统的控制器上运行，单次计算时间小于 10 ms。",
    },
    "auto_parts": {
        "title": "新能源汽车减速器啸叫抑制",
        "difficulty": "单挡减速器输入转速 6000 至 12000 r/min、扭矩 120 N·m 时，26 阶啸叫声压级 78 dB(A)，主机厂要求不高于 70 dB(A)。",
        "research": "提出齿面修形与壳体加强方案，按 QC/T 1022 在台架上验证。",
    },
    "footwear": {
        "title": "可回收发泡鞋中底",
        "difficulty": "现用 EVA 中底密度 0.18 g/cm3，回弹率 45%，压缩永久变形 42%，边角料无法回用。",
        "research": "开发 TPU 超临界发泡中底：密度不高于 0.16 g/cm3，回弹率不低于 60%，耐折 5 万次不断裂，边角料回用比例不低于 30%。",
    },
    "laser_electronics": {
        "title": "紫外激光切割柔性电路板的热影响区控制",
        "difficulty": "用 15 W 纳秒紫外激光切割 0.1 mm 厚聚酰亚胺覆铜板时，热影响区宽 45 μm，边缘发黑，绝缘电阻下降。",
        "research": "热影响区宽度不大于 15 μm，切割速度不低于 200 mm/s，碳化长度不超过 5 μm。",
    },
    "medical": {
        "title": "血清中低丰度标志物的化学发光检测试剂",
        "difficulty": "现有试剂检出限 5 ng/mL，对早期患者血清样本的灵敏度只有 61%，批间差异 14%。",
        "research": "检出限不高于 0.5 ng/mL，灵敏度不低于 85%，特异性不低于 90%，按二类医疗器械注册要求完成验证。",
    },
}  # fmt: skip


def draft(**values: Any) -> Draft:
    """A draft in which everything but its wording is in order."""
    return Draft(**{"has_mode": True, "has_budget": True, "has_deadline": True, **values})


def found(**values: Any) -> dict[HintCode, tuple[str, ...]]:
    return {hint.code: hint.words for hint in drafting.check(draft(**values))}


LONG = (
    "用于井灌的潜水电泵，介质为清水，扬程五十米上下，配三相电源，每年生产约三万台，冬季停用，夏季连续运行。"
)


@pytest.mark.parametrize("industry", GOOD)
def test_nothing_is_asked_about_a_good_demand(industry: str) -> None:
    assert drafting.check(draft(industry=industry, **GOOD[industry])) == []


class TestVague:
    @pytest.mark.parametrize(
        ("text", "topic", "quoted"),
        [
            ("希望提高水泵效率，降低用电。", "efficiency", "提高水泵效率"),
            ("现有密封使用寿命短，用户投诉多。", "life", "寿命短"),
            ("降低单件生产成本。", "cost", "降低单件生产成本"),
            ("主轴精度不稳定，加工出来的零件一致性差。", "precision", "精度不稳定"),
            ("齿轮噪声大，主机厂不接受。", "noise", "噪声大"),
            ("鞋底透气性差，夏天闷脚。", "comfort", "透气性差"),
            ("试剂灵敏度不高，容易出现漏检。", "detection", "灵敏度不高"),
            ("切割速度低，不能满足订单。", "speed", "速度低"),
            ("We want to improve the pump efficiency.", "efficiency", "improve the pump efficiency"),
        ],
    )
    def test_a_wish_without_measure(self, text: str, topic: str, quoted: str) -> None:
        hints = drafting.check(draft(difficulty=LONG + text))
        told = [hint for hint in hints if hint.code is HintCode.VAGUE and hint.topic == topic]
        assert [hint.words for hint in told] == [(quoted,)]
        assert told[0].field == "difficulty"

    @pytest.mark.parametrize(
        "text",
        [
            "水泵效率由 72% 提高到 80%。",
            "降低成本 15% 以上。",
            "寿命较现有产品延长一倍。",
            "能耗降低百分之二十。",
            "本产品精度高，出口多个国家。",
            "高效潜水泵与低噪声电机的配套。",
            "我公司生产效率低于同行，员工 120 人。",
            "提高认识，组织专家到厂交流。",
        ],
    )
    def test_what_is_measured_or_no_wish_is_left_alone(self, text: str) -> None:
        assert HintCode.VAGUE not in found(difficulty=LONG + text)

    def test_a_target_that_names_the_measure_answers_it(self) -> None:
        targets = ((0, DraftTarget("机组效率", "80", "%")),)
        assert HintCode.VAGUE not in found(difficulty=LONG + "提高机组效率。", targets=targets)

    def test_each_measure_is_asked_about_once(self) -> None:
        hints = drafting.check(draft(difficulty=LONG + "提高效率。效率低。", research="提升效率。"))
        assert [hint.words for hint in hints if hint.code is HintCode.VAGUE] == [("提高效率", "效率低")]

    @pytest.mark.parametrize(
        ("text", "quoted"),
        [
            ("技术达到国内领先水平。", "国内领先水平"),
            ("要求涂层具有优异的耐磨性。", "优异的耐磨性"),
            ("泵体尽可能轻。", "尽可能轻"),
            ("厚度越薄越好，重量越轻越好。", "越轻越好"),
        ],
    )
    def test_praise(self, text: str, quoted: str) -> None:
        assert quoted in found(difficulty=LONG + text)[HintCode.PRAISE]

    @pytest.mark.parametrize(
        "text",
        [
            "我公司拥有国内领先的缆索生产线。",
            "自主设计的生产线居国内外领先水平。",
            "双方有良好的合作基础。",
            "涂层具有优异的耐磨性，磨损量不大于 3 mg。",
        ],
    )
    def test_what_a_firm_says_of_itself_is_no_praise_of_the_wanted(self, text: str) -> None:
        assert HintCode.PRAISE not in found(difficulty=LONG + text)

    def test_a_comparison_names_no_figure(self) -> None:
        assert found(difficulty=LONG + "性能优于国外同类产品。")[HintCode.COMPARISON] == ("优于国外同类产品",)
        assert HintCode.COMPARISON not in found(difficulty=LONG + "效率优于国外同类产品 3 个百分点。")

    def test_a_standard_without_number(self) -> None:
        assert found(research=LONG + "排放符合国家标准。")[HintCode.STANDARD_UNNAMED] == ("符合国家标准",)
        assert HintCode.STANDARD_UNNAMED not in found(research=LONG + "符合国家标准 GB/T 2816-2014。")
        assert HintCode.STANDARD_UNNAMED not in found(research=LONG + "满足国六排放标准。")


class TestFigures:
    def test_a_figure_without_unit(self) -> None:
        assert found(difficulty=LONG + "流量要求达到25，扬程不低于 50 m。")[HintCode.FIGURE_WITHOUT_UNIT] == (
            "流量要求达到25",
        )

    @pytest.mark.parametrize(
        "text",
        [
            "pH 不低于 6.5。",
            "粗糙度 Ra 小于 1.6。",
            "硬度 HRC 大于 58。",
            "功率因数不低于 0.95，",
            "达到3台。",
        ],
    )
    def test_some_figures_need_none(self, text: str) -> None:
        assert HintCode.FIGURE_WITHOUT_UNIT not in found(difficulty=LONG + text)

    def test_a_target_row_without_unit(self) -> None:
        rows = (
            (2, DraftTarget("流量", "25")),
            (3, DraftTarget("传动比", "9.5")),
            (4, DraftTarget("", "", "m")),
        )
        hints = [h for h in drafting.check(draft(targets=rows)) if h.code is HintCode.TARGET_WITHOUT_UNIT]
        assert [(hint.field, hint.words) for hint in hints] == [("targets.2.unit", ("流量 25",))]

    def test_no_figure_at_all(self) -> None:
        assert HintCode.NO_FIGURES in found(
            difficulty="密封容易坏，2015 年以来改了 3 次，没有效果，请专家帮助。"
        )
        assert HintCode.NO_FIGURES in found(difficulty="我公司占地 5000 平方米，希望有人帮助解决密封问题。")
        assert HintCode.NO_FIGURES not in found(difficulty="密封寿命只有 2300 小时。")
        assert HintCode.NO_FIGURES not in found(targets=((0, DraftTarget("流量", "25", "m³/h")),))

    @pytest.mark.parametrize(
        ("text", "figure"),
        [
            ("流量 25 m³/h", Figure("流量", "about", "25", "", "m³/h")),
            ("流量达到25立方米/小时以上", Figure("流量", "at_least", "25", "", "m³/h")),
            ("扬程不低于５０米", Figure("扬程", "at_least", "50", "", "m")),
            ("噪声低于 70 dB(A)", Figure("噪声", "at_most", "70", "", "dB(A)")),
            ("工作温度 -40~85℃", Figure("温度", "between", "-40", "85", "℃")),
            ("主轴转速为 3,000 转/分", Figure("转速", "about", "3000", "", "r/min")),
            ("使用寿命≥8000小时", Figure("使用寿命", "at_least", "8000", "", "小时")),
            ("机组效率由 72% 提高到 80%", Figure("机组效率", "at_least", "80", "", "%")),
            ("耐压 1.6兆帕", Figure("耐压", "about", "1.6", "", "MPa")),
            ("定位精度±5 μm", Figure("定位精度", "at_most", "5", "", "μm")),
            ("单件成本控制在 120 元以内", Figure("单件成本", "at_most", "120", "", "元")),
        ],
    )
    def test_found_figures(self, text: str, figure: Figure) -> None:
        assert drafting.figures(draft(difficulty=f"要求{text}。")) == [figure]

    @pytest.mark.parametrize(
        "text",
        [
            "我公司年产值 3 亿元，员工 48 人。",
            "目前流量 20 m³/h。",
            "采用 250QJ50 型泵。",
            "驾驶区噪声降低至少 2 dB(A)。",
            "产量 3 台。",
            "温度 80~20℃。",
            "2026年12月前完成。",
        ],
    )
    def test_what_is_no_target(self, text: str) -> None:
        assert drafting.figures(draft(difficulty=text)) == []

    def test_what_stands_in_a_row_is_not_offered_again(self) -> None:
        text = "流量不低于 25 m³/h，扬程不低于 50 m。"
        rows = ((0, DraftTarget("流量", "25", "m³/h")),)
        assert [f.name for f in drafting.figures(draft(difficulty=text, targets=rows))] == ["扬程"]


class TestTheRest:
    def test_conditions_of_the_industry(self) -> None:
        text = (
            "产品容易坏，经常要修，想找老师看看有没有新的办法，价格可以谈，时间也可以谈，先来厂里看看再说。"
        )
        hints = {h.code: h for h in drafting.check(draft(industry="pumps_motors", difficulty=text))}
        assert hints[HintCode.NO_CONDITIONS].conditions[:2] == ("medium", "duty_point")
        # Two of them said are enough: the form is no questionnaire.
        said = text + "输送含砂井水，扬程 50 m。"
        assert HintCode.NO_CONDITIONS not in found(industry="pumps_motors", difficulty=said)
        assert HintCode.NO_CONDITIONS not in found(industry="digital", difficulty=text)

    def test_every_industry_asks_for_known_conditions(self) -> None:
        data = drafting._data()
        assert {key for keys in data["industries"].values() for key in keys} == set(data["conditions"])

    def test_budget_deadline_and_mode(self) -> None:
        hints = {hint.code: hint for hint in drafting.check(Draft(difficulty=LONG))}
        assert {HintCode.NO_MODE, HintCode.NO_BUDGET, HintCode.NO_DEADLINE} <= hints.keys()
        text = LONG + "公司拟投入研发经费 300 万元。"
        hints = {hint.code: hint for hint in drafting.check(Draft(difficulty=text))}
        assert hints[HintCode.BUDGET_IN_TEXT].words == ("投入研发经费 300 万",)
        assert HintCode.NO_BUDGET not in hints

    def test_length(self) -> None:
        assert HintCode.TOO_SHORT in found(difficulty="密封漏水，寿命 100 小时。")
        assert HintCode.TOO_SHORT not in found(difficulty=LONG)
        assert HintCode.ONE_LINE in found(research=LONG * 8)
        assert HintCode.ONE_LINE not in found(research=LONG * 4 + "\n" + LONG * 4)

    @pytest.mark.parametrize(
        ("text", "quoted"),
        [
            ("请联系陈工 13800138000。", "13800138000"),
            ("电话 0576-86123456", "0576-86123456"),
            ("邮箱 chen.gong@example.com.cn", "chen.gong@example.com.cn"),
            ("微信号：pump_2026", "微信号：pump_2026"),
            ("身份证 11010519491231002X", "11010519491231002X"),
        ],
    )
    def test_contact_data_in_a_public_text(self, text: str, quoted: str) -> None:
        hints = drafting.check(draft(background=text))
        assert (hints[0].code, hints[0].field, hints[0].words) == (
            HintCode.CONTACT_IN_TEXT,
            "background",
            (quoted,),
        )

    @pytest.mark.parametrize(
        "text", ["专利号 200710308494.X", "订单 110105194912310021", "销量 13800 台，2026-03-02"]
    )
    def test_other_numbers_are_no_contact(self, text: str) -> None:
        assert drafting.contacts(text) == []

    @pytest.mark.parametrize(
        "text",
        ["1" * 20_000, "提高" * 9_000, "效率不低于" * 4_000, "@" * 20_000, "流量 " * 9_000, "1," * 9_000],
    )
    def test_nonsense_is_read_without_harm(self, text: str) -> None:
        assert isinstance(drafting.check(draft(difficulty=text)), list)
        drafting.figures(draft(difficulty=text))


def test_real_demands(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing falls over on real demands; prints which hints how many of them get."""
    path = Path(os.environ.get("MARKET_TEST_DATA", "-")) / "bdci_demands.jsonl"
    if not path.exists():
        pytest.skip("MARKET_TEST_DATA names no folder with bdci_demands.jsonl")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    counts: Counter[str] = Counter()
    for row in rows:
        one = draft(title=row["title"], difficulty=row["text"])
        counts.update({hint.code.value for hint in drafting.check(one)})
        counts["figures"] += bool(drafting.figures(one))
    with capsys.disabled():
        print(f"\n{len(rows)} demands: {dict(counts.most_common())}")
    assert 0 < counts[HintCode.VAGUE.value] < len(rows)
