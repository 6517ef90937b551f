"""What the demonstration's price notices, priority rights, trials and open licences say. All invented."""

from __future__ import annotations

from dataclasses import dataclass

PROCEDURE = (
    "公示期内，对定价或受让方有异议的，请以书面形式向本单位成果转化办公室提出，写明理由和联系方式；"
    "本单位在收到异议后十个工作日内答复，答复前不签订合同。"
)
UNIT_PLACE = "本单位办公楼一层公示栏及单位内网"
RELATION = "受让方的技术负责人为本成果完成人之一，持有受让方百分之十二的股权。"
GROUNDS = "公示价格明显低于同类泵阀成果近两年的成交价，请说明评估依据。"
CONTACT = "演示联系方式"
TRIAL_PURPOSE = "在两条装配线上各试用一台，比较能耗、噪声和返修率，达到约定指标后签订许可合同。"
TRIAL_TERMS = "试用期内不收费；样机由权利人提供并负责培训，企业负责安装和日常维护；达到约定指标后按约定价格签订许可合同。"
FEE = "按年支付，每年三万元；首年许可费在签订合同后三十日内付清，其后每年在同一日前付清。"


@dataclass(frozen=True)
class DemoNotice:
    """A notice that began some days ago, and how it went: `state` is where it stands at the end."""

    price_fen: int
    days_ago: int
    state: str
    mode: str = "licence"
    related: bool = False
    raised_days_ago: int | None = None
    """When the price was raised and the days started anew."""


NOTICES = (
    DemoNotice(68_000_000, 6, "running"),
    DemoNotice(120_000_000, 12, "running", "exclusive_licence", related=True, raised_days_ago=4),
    DemoNotice(35_000_000, 9, "objected", "assignment"),
    DemoNotice(52_000_000, 20, "expired"),
    DemoNotice(45_000_000, 0, "draft"),
)
