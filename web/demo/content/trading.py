"""Who sells technology to whom: members of the market, firms and institutes elsewhere, small neighbours.

All names are invented; the places they are said to sit in are real.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from market.parties.models import OrganisationKind
from web.demo.content.grammar import Topic
from web.demo.content.organisations import WENLING, DemoOrganisation

# name | region | industries
_OUTSIDE_FIRMS = """
江苏澄岱水务装备有限公司|320200|pumps_motors,environment
安徽庐稷农业工程有限公司|340100|pumps_motors,agri_marine
江西赣屿环保设备有限公司|360000|environment,pumps_motors
湖北楚垣泵阀有限公司|420000|pumps_motors,machine_tools
山东岱溪机械股份有限公司|370000|pumps_motors,machine_tools,auto_parts
广东穗砚家居科技有限公司|440000|footwear,laser_electronics,new_materials
福建闽垣鞋业有限公司|350000|footwear
宁波甬峤精密机械有限公司|330200|machine_tools,auto_parts,laser_electronics,digital
杭州钱溯自动化有限公司|330100|machine_tools,digital,laser_electronics
绍兴稽岚纺织科技有限公司|330600|footwear,new_materials
嘉兴禾峪电气有限公司|330400|pumps_motors,laser_electronics
湖州苕桁新能源有限公司|330500|auto_parts,environment,laser_electronics
苏州吴峤激光技术有限公司|320500|laser_electronics,machine_tools
常州晋溯电机有限公司|320400|pumps_motors,auto_parts,digital
南通崇屿船舶设备有限公司|320600|agri_marine,pumps_motors,machine_tools
上海浦垣工业科技有限公司|310000|digital,laser_electronics,medical
重庆巴岚动力有限公司|500000|auto_parts,machine_tools
四川蜀峪医疗科技有限公司|510000|medical
河南嵩砚铸造有限公司|410000|environment,machine_tools
湖南湘屿工程机械有限公司|430000|machine_tools,auto_parts,environment
陕西秦桁装备制造有限公司|610000|machine_tools,pumps_motors,digital
河北冀溯管业有限公司|130000|pumps_motors,new_materials
辽宁辽垣重工有限公司|210000|machine_tools,pumps_motors,environment
玉环岬屿阀门有限公司|331083|pumps_motors,machine_tools,digital
路桥峰砚塑机有限公司|331004|machine_tools,new_materials,auto_parts
黄岩橘峪模具有限公司|331003|machine_tools,new_materials,auto_parts
椒江澜桁医药装备有限公司|331002|medical,digital
临海括屿户外用品有限公司|331082|footwear,agri_marine
衢州信岚氟材料有限公司|330800|new_materials,environment,footwear
金华婺溯电动工具有限公司|330700|laser_electronics,auto_parts,new_materials
"""
_OUTSIDE_INSTITUTES = """
江淮岱岳工学院|340100
沪渎应用技术研究院|310000
金陵钟麓理工大学|320100
荆楚云梦工业研究院|420000
岭海智能制造研究院|440000
关中雍原科技大学|610000
闽江云麓材料研究所|350000
甬江东屿工业研究院|330200
"""
_LOCAL_SMALL = """
温岭市砺屿机械厂|331081|machine_tools,environment,digital
温岭市澄峤泵业配件厂|331081|pumps_motors
温岭市桁溪电机有限公司|331081|pumps_motors,laser_electronics,digital
温岭市砚山模具有限公司|331081|machine_tools,new_materials,auto_parts
温岭市岚埭鞋业有限公司|331081|footwear,digital
温岭市屿塘水产合作社|331081|agri_marine,medical
温岭市湖漫塑胶制品厂|331081|new_materials,environment
温岭市峤岭摩配有限公司|331081|auto_parts
"""
_ABROAD = (
    "Halvorsen Fluidteknikk AS（境外）",
    "Nakamori Pump Works（境外）",
    "Brennero Utensili S.r.l.（境外）",
)


@dataclass(frozen=True)
class Party:
    """A side of a contract; `key` is empty for who is not a member of the market."""

    key: str
    name: str
    region: str

    @property
    def is_local(self) -> bool:
        """Whether it sits in the city."""
        return self.region == WENLING


class Parties:
    """Who sells to whom."""

    def __init__(self, rng: random.Random, organisations: tuple[DemoOrganisation, ...]) -> None:
        self.rng = rng
        self.known = [one for one in organisations if one.topics]
        self.firms = _tagged(_OUTSIDE_FIRMS)
        self.institutes = [Party("", *line.split("|")) for line in _OUTSIDE_INSTITUTES.split()]
        self.small = _tagged(_LOCAL_SMALL)
        self.abroad = [Party("", name, "000000") for name in _ABROAD]

    def _member(self, topic: Topic, *, local: bool | None, firm: bool | None) -> Party | None:
        fitting = [
            one
            for one in self.known
            if any(topic.key.startswith(start) for start in one.topics)
            and (local is None or one.is_local is local)
            and (firm is None or (one.kind is OrganisationKind.FIRM) is firm)
        ]
        if not fitting:
            return None
        one = self.rng.choice(fitting)
        return Party(one.key, one.name, one.region_code)

    def outside(self, industry: str) -> Party:
        """A firm elsewhere that has use for the industry's technology."""
        return self.rng.choice([one for one, industries in self.firms if industry in industries])

    def neighbour(self, industry: str) -> Party:
        """A small firm in the city, not a member of the market."""
        return self.rng.choice([one for one, industries in self.small if industry in industries])

    def pair(self, topic: Topic, industry: str, year: int, *, large: bool) -> tuple[Party, Party]:
        """(seller, buyer): two thirds sold from the city, the rest bought by it."""
        rng = self.rng
        if large:
            return self._member(topic, local=True, firm=True) or self.neighbour(industry), self.outside(
                industry
            )
        if rng.random() < 0.6:
            seller = self._member(topic, local=True, firm=None) or self.neighbour(industry)
            chance = rng.random()
            if chance < 0.2:
                buyer = self.neighbour(industry)
            elif chance < 0.24 and year >= 2022:
                buyer = rng.choice(self.abroad)
            else:
                buyer = self.outside(industry)
        else:
            member = self._member(topic, local=False, firm=False) if rng.random() < 0.62 else None
            seller = member or (
                rng.choice(self.institutes) if rng.random() < 0.75 else self.outside(industry)
            )
            buyer = self._member(topic, local=True, firm=True) or self.neighbour(industry)
        return (seller, buyer) if seller.name != buyer.name else (seller, self.outside(industry))


def _tagged(text: str) -> list[tuple[Party, frozenset[str]]]:
    rows = (line.split("|") for line in text.split())
    return [(Party("", name, region), frozenset(industries.split(","))) for name, region, industries in rows]
