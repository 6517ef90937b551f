"""Organisations and demo accounts, all invented; only the places are real.

Credit codes carry valid check characters (GB 32100-2015) over made-up bodies `MAD0…`; telephone numbers
begin with a zero after the area code, so that nobody can be reached by them; addresses are at example.com.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from stdnum.cn import uscc

from market.parties.models import OrganisationKind as K
from market.permissions import Role

WENLING = "331081"

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_BODY_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True)
class DemoOrganisation:
    """An organisation. `topics` are the beginnings of topic keys that it works on; `industry` is the
    code of the industry it belongs to, empty where it serves all."""

    key: str
    name: str
    name_en: str
    kind: K
    credit_code: str
    region_code: str
    town: str
    nature_code: str
    introduction: str
    contact_name: str
    contact_phone: str
    contact_email: str
    promised_reply_hours: int | None
    topics: tuple[str, ...]
    industry: str

    @property
    def is_local(self) -> bool:
        """Whether it sits in the city."""
        return self.region_code == WENLING


@dataclass(frozen=True)
class DemoPerson:
    """An account. The password is the loader's; `featured` ones are offered on the sign-in page."""

    key: str
    name: str
    email: str
    phone: str
    organisation: str
    role: Role
    featured: bool


def credit_code(department: str, region: str, serial: int) -> str:
    """A well-formed unified social credit code over an invented organisation number.

    `department` is the first two characters: 12 public institution, 91 firm, 11 government body.
    """
    body = f"MAD0{serial:04d}"
    total = sum(_ALPHABET.index(char) * weight for char, weight in zip(body, _BODY_WEIGHTS, strict=True))
    check = "0123456789X0"[11 - total % 11]
    head = f"{department}{region}{body}{check}"
    return head + uscc.calc_check_digit(head)


# key | name | English name | region | town | nature | reply hours | topics | introduction
_INSTITUTES = """
kuocang|括苍理工大学|Kuocang University of Technology|330100|-|022|48|pump-hydraulics pump-noise pump-motor pump-vacuum pump-monitoring tool- vehicle-emotor vehicle-damper vehicle-gear vehicle-sensor electronics-power electronics-sensing electronics-vision health-rehab digital-|以机械、电气和控制学科见长的工科高校，设有流体机械与机床两个校企联合实验室，每年向企业转让和许可技术成果近百项。
dongji|东矶海洋大学|Dongji Ocean University|330900|-|022|72|pump-wear pump-solar green-ocean health-material digital-safety electronics-iot|以海洋工程、水产和海洋材料为特色的高校，长期在浙东沿海开展循环水养殖、海洋防腐和渔船安全试验。
tiaoxi|苕溪工业大学|Tiaoxi Industrial University|330500|-|022|48|electronics- laser- vehicle-battery vehicle-emotor digital- tool-inspection tool-automation health-imaging health-monitor pump-monitoring|信息与光电学科较强的应用型大学，建有功率电子、机器视觉和工业物联网实验平台，成果以样机和软件形态交付为主。
tianmu|天姥医科大学|Tianmu Medical University|330600|-|022|72|health-|医工结合的医科院校，附属医院参与器械可用性评价和多中心研究，设有医疗器械转化办公室。
ouyue|瓯越纺织服装学院|Ouyue College of Textiles and Fashion|330300|-|022|24|shoe- fabric- apparel- fashion- leather-|面向鞋革、服装和纺织材料的专业院校，可提供材料评价、楦型设计和小批量试制服务。
taiwen|台温流体机械研究院|Taiwen Institute of Fluid Machinery|331081|大溪镇|021|24|pump- compressor- green-energy|设在泵业集聚区的新型研发机构，拥有B级精度水泵试验台、半消声室和真空泵测试台，承接共性技术攻关与检测。
henghu|横湖激光应用研究所|Henghu Institute of Laser Applications|331081|城东街道|021|24|laser- tool-welding electronics-cooling electronics-lighting electronics-pcb pump-forming|从事激光加工、再制造与电子散热的研究所，配有光纤激光加工平台、失效分析室和可靠性试验室。
qianwan|钱湾先进材料研究院|Qianwan Institute of Advanced Materials|330100|-|021|48|pump-wear pump-seal tool-cutting tool-welding vehicle-brake vehicle-lightweight vehicle-rubber vehicle-coating shoe-midsole shoe-adhesive shoe-safety fabric- leather- green-material green-foundry green-plating electronics-cooling health-material|聚焦金属、高分子与表面工程的研究院，具备从配方小试到吨级中试的放大能力，成果以专利许可和技术秘密许可为主。
"""

# key | name | English name | town | industry | topics | introduction
_FIRMS = """
lanchi|浙江岚驰沄泵业有限公司|Lanchiyun Pump|大溪镇|pumps_motors|pump-hydraulics pump-noise pump-motor pump-seal digital-design digital-quality|主营井用潜水泵和家用增压泵，年产整机约60万台，产品六成出口，建有企业研究院。
qushan|温岭渠山流体设备有限公司|Qushan Fluid Equipment|大溪镇|pumps_motors|pump-seal pump-wear pump-monitoring green-foundry|生产污水泵与成套泵站，具备铸造、机加工和装配全流程，近年向运维服务延伸。
zhaoyun|浙江棹云屏蔽泵有限公司|Zhaoyun Canned Pump|温峤镇|pumps_motors|pump-noise pump-motor|专做采暖与空气能配套的循环屏蔽泵，自有驱动板贴片线，出厂全检噪声和绝缘。
luoxia|温岭落霞真空科技有限公司|Luoxia Vacuum|泽国镇|pumps_motors|pump-vacuum tool-precision|生产干式螺杆与爪式真空泵，客户集中在锂电干燥和制药行业。
tiefeng|浙江帖峰空压机有限公司|Tiefeng Compressor|泽国镇|pumps_motors|compressor- pump-motor green-energy|螺杆空压机整机企业，提供空压站节能改造与合同能源管理。
xiqiao|温岭溪乔电机有限公司|Xiqiao Motor|泽国镇|pumps_motors|pump-motor pump-forming vehicle-emotor digital-scheduling|水泵与小型设备电机配套厂，年产定转子约200万套，正在推进扁线与自动下线改造。
yuchu|浙江雨锄灌溉装备股份有限公司|Yuchu Irrigation|城西街道|pumps_motors|pump-solar pump-hydraulics pump-forming green-ocean|光伏水泵与喷灌机组制造商，产品销往东南亚和非洲，在三个国家设有服务点。
hengduan|浙江衡锻数控机床有限公司|Hengduan CNC|温峤镇|machine_tools|tool-thermal tool-spindle tool-chatter tool-remanufacture digital-scheduling digital-design digital-maintenance|斜床身数控车床和车削中心制造企业，年产约2400台，用户以泵轴、阀体加工为主。
juewei|温岭榷微机床附件有限公司|Juewei Machine Components|箬横镇|machine_tools|tool-precision tool-spindle tool-inspection|生产滚珠丝杠、电主轴等功能部件，配套省内十余家主机厂。
qishan|浙江歧山工具有限公司|Qishan Cutting Tools|温峤镇|machine_tools|tool-cutting tool-chatter|整体硬质合金刀具和车削刀片企业，自有五轴工具磨床与涂层委外渠道。
shuori|温岭朔日智能装备有限公司|Shuori Automation|城北街道|machine_tools|tool-automation tool-inspection shoe-automation digital-maintenance|机床上下料、去毛刺与检测单元集成商，累计交付产线近300条。
dunkai|浙江敦铠再制造有限公司|Dunkai Remanufacturing|滨海镇|machine_tools|tool-welding tool-remanufacture pump-wear|从事模具、轴类激光修复与二手机床再制造，服务半径覆盖台州和温州。
chuanli|浙江舛力汽车部件有限公司|Chuanli Auto Parts|泽国镇|auto_parts|vehicle-brake vehicle-damper vehicle-rubber|制动与减振零件供应商，为乘用车和全地形车企业配套，设有惯性台架试验室。
moyuan|温岭陌原摩托车配件有限公司|Moyuan Motorcycle Parts|横峰街道|auto_parts|vehicle-lightweight vehicle-coating vehicle-damper digital-safety|摩托车车架、前叉与表面处理企业，正推进以铝代钢和无铬化改造。
jiguang|浙江霁广传动有限公司|Jiguang Driveline|箬横镇|auto_parts|vehicle-gear vehicle-emotor digital-maintenance digital-scheduling|变速齿轮与减速器齿轮制造商，年产齿轮约900万件。
lvcheng|温岭侣程新能源科技有限公司|Lvcheng New Energy|东部新区|auto_parts|vehicle-battery vehicle-emotor vehicle-sensor electronics-power|两轮车电池包、控制器与传感器企业，参与换电标准试点。
suxing|浙江粟行鞋业有限公司|Suxing Footwear|横峰街道|footwear|shoe-adhesive shoe-midsole shoe-automation apparel-digital|休闲鞋与童鞋出口企业，年产约700万双，拥有六条成型流水线。
weibu|温岭微埠鞋材有限公司|Weibu Shoe Materials|横峰街道|footwear|shoe-midsole shoe-safety fashion-waste|中底、大底和鞋垫材料供应商，正在筹建超临界发泡产线。
canglan|浙江苍澜时装有限公司|Canglan Apparel|城东街道|footwear|fabric- apparel- digital-scheduling|户外与童装品牌企业，实行小单快反，线上销售占六成。
geyi|温岭革弈新材料有限公司|Geyi Synthetic Leather|松门镇|footwear|leather- shoe-adhesive fashion-waste|鞋面革与沙发革制造商，正由湿法工艺转向无溶剂工艺。
guangsuo|浙江光溯激光装备有限公司|Guangsuo Laser|城北街道|laser_electronics|laser- electronics-cooling electronics-sensing|激光切割、打标与清洗设备企业，年产整机约900台。
dianfu|温岭电阜电子有限公司|Dianfu Electronics|城东街道|laser_electronics|electronics-power electronics-pcb electronics-cooling|电源与驱动板制造商，为水泵、电动工具和通信设备配套。
weizhao|浙江维昭物联科技有限公司|Weizhao IoT|太平街道|laser_electronics|electronics-iot electronics-lighting pump-monitoring health-monitor|水表终端、环境监测与照明控制企业，自建物联网平台。
shijian|温岭市视笺智能科技有限公司|Shijian Vision|城东街道|laser_electronics|electronics-vision electronics-sensing tool-inspection digital-quality|工业视觉检测企业，已在电机、压铸与鞋面检测上线近百套系统。
anjiong|浙江安泂医疗器械有限公司|Anjiong Medical|东部新区|medical|health-pump health-rehab health-packaging health-imaging digital-quality|输注与康复器械注册人企业，建有万级装配车间。
jieshu|温岭洁淑生物科技有限公司|Jieshu Biotech|松门镇|medical|health-diagnosis health-material health-sterilisation|从事快速检测与海洋来源敷料开发，持有多张二类器械注册证。
yiyou|温岭市颐佑养老服务有限公司|Yiyou Elderly Care|太平街道|medical|health-monitor|运营四家养老机构和居家服务站，为看护终端提供试用场景。
hailan|浙江海岚渔业股份有限公司|Hailan Fisheries|石塘镇|agri_marine|green-ocean digital-safety|海水养殖与水产加工企业，拥有循环水养殖水体约1.2万立方米。
zhuyun|温岭铸耘机械铸造有限公司|Zhuyun Foundry|新河镇|environment|green-foundry green-energy digital-quality digital-maintenance|泵壳与机床铸件生产企业，两条造型线年产铸件约2.6万吨。
luyuan|浙江麓湲环保科技有限公司|Luyuan Environment|滨海镇|environment|green-plating green-energy vehicle-coating digital-safety|工业废水与表面处理园区运营企业，承接分质回用与余热改造工程。
fuheng|温岭复桁新材料有限公司|Fuheng New Materials|城南镇|new_materials|green-material vehicle-rubber fashion-waste|再生工程塑料与橡塑密封件企业，配有双螺杆造粒和密炼产线。
shuzhou|浙江数舟工业软件有限公司|Shuzhou Industrial Software|太平街道|digital|digital- pump-monitoring apparel-digital|为泵业、鞋服和机加工企业提供排产、质量与设备管理软件。
"""

# key | name | English name | region | town | introduction
_AGENCIES = """
qiaolu|温岭桥鹿技术转移有限公司|Qiaolu Technology Transfer|331081|太平街道|专职技术经纪机构，为本地企业提炼需求、组织校企对接并跟踪合同履行。
zhengheng|台州正珩科技评估事务所|Zhengheng Technology Appraisal|331002|-|提供技术价值评估、成熟度评价与尽职调查。
ruilian|浙江瑞琏知识产权代理有限公司|Ruilian Intellectual Property|330100|-|办理专利代理、权属核查和许可备案。
keyu|温岭科渝孵化器有限公司|Keyu Incubator|331081|城东街道|运营科技企业孵化器与中试场地，为转化项目提供落地服务。
jinling|温岭市矜陵科技金融服务中心|Jinling Technology Finance|331081|太平街道|对接知识产权质押、科技贷款与转化保险。
"""

_GOVERNMENT = """
market|温岭市科技大市场服务中心（演示）|Wenling Technology Market Service Centre (demo)|运营科技大市场：核验单位、组织挂牌与网络竞价、办理成果公示。本条目为演示数据，不代表任何机关。
office|温岭市技术合同登记处（演示）|Wenling Technology Contract Registry (demo)|受理技术合同认定登记，核定成交额与技术交易额。本条目为演示数据，不代表任何机关。
bureau|温岭市科技统计监测组（演示）|Wenling Technology Statistics Group (demo)|汇总技术交易与计划指标，发布统计口径和快照。本条目为演示数据，不代表任何机关。
"""

_SURNAMES = "林陈王李张叶金郑潘蔡江徐朱黄毛梁颜阮赵谢柯应洪胡郭吴周罗方夏余丁冯施"
_GIVEN = (
    "书衡",
    "若川",
    "知遥",
    "明澈",
    "亦舟",
    "雨棠",
    "景行",
    "怀瑾",
    "清和",
    "思齐",
    "望舒",
    "承屿",
    "砚秋",
    "予安",
    "舒白",
    "晓帆",
    "立言",
    "子衿",
    "云帆",
    "嘉木",
    "星野",
    "映雪",
    "文澜",
    "一鸣",
    "青岚",
    "予宁",
    "季同",
    "修远",
    "静姝",
    "向榆",
    "秉文",
    "令仪",
    "允之",
    "昭明",
    "念慈",
    "长风",
    "采薇",
    "守一",
    "其琛",
    "乐山",
    "闻笛",
    "疏影",
    "南乔",
    "北辰",
    "锦程",
    "海若",
    "竹青",
    "时雨",
    "如松",
    "见微",
)

_FEATURED = (
    ("results", "顾予衡", "results@example.com", "kuocang", Role.RESULTS_OFFICER),
    ("demands", "林屿安", "demands@example.com", "lanchi", Role.DEMAND_OWNER),
    ("bidder-one", "陈望川", "bidder1@example.com", "lanchi", Role.BIDDER),
    ("bidder-two", "叶知微", "bidder2@example.com", "qushan", Role.BIDDER),
    ("broker", "潘映棠", "broker@example.com", "qiaolu", Role.BROKER),
    ("staff", "郑景澜", "staff@example.com", "market", Role.STAFF),
    ("official", "金砚书", "official@example.com", "office", Role.OFFICIAL),
    ("administrator", "徐怀舟", "admin@example.com", "market", Role.ADMINISTRATOR),
)
"""One account for every role, two bidders of different firms."""


def person_name(rng: random.Random) -> str:
    """An invented Chinese name."""
    return rng.choice(_SURNAMES) + rng.choice(_GIVEN)


def organisations(rng: random.Random) -> tuple[DemoOrganisation, ...]:
    """All organisations, government bodies first."""
    found: list[DemoOrganisation] = []

    def add(
        key: str,
        name: str,
        name_en: str,
        kind: K,
        department: str,
        region: str,
        town: str,
        nature: str,
        introduction: str,
        hours: int | None,
        topics: str = "",
        industry: str = "",
    ) -> None:
        serial = len(found) + 1
        found.append(
            DemoOrganisation(
                key=key,
                name=name,
                name_en=name_en,
                kind=kind,
                credit_code=credit_code(department, region, serial),
                region_code=region,
                town="" if town == "-" else town,
                nature_code=nature,
                introduction=introduction,
                contact_name=person_name(rng),
                contact_phone=f"0576-0{rng.randrange(1_000_000, 10_000_000)}",
                contact_email=f"{key}@example.com",
                promised_reply_hours=hours,
                topics=tuple(topics.split()),
                industry=industry,
            )
        )

    for key, name, name_en, text in _rows(_GOVERNMENT, 4):
        add(key, name, name_en, K.GOVERNMENT, "11", WENLING, "太平街道", "010", text, 24)
    for key, name, name_en, region, town, nature, promise, topics, text in _rows(_INSTITUTES, 9):
        kind = K.UNIVERSITY if nature == "022" else K.RESEARCH_INSTITUTE
        add(key, name, name_en, kind, "12", region, town, nature, text, int(promise), topics)
    for key, name, name_en, town, industry, topics, text in _rows(_FIRMS, 7):
        nature = "160" if "股份" in name else "150"
        hours = rng.choice((24, 48, 72, None))
        english = f"{name_en} Co., Ltd."
        add(key, name, english, K.FIRM, "91", WENLING, town, nature, text, hours, topics, industry)
    for key, name, name_en, region, town, text in _rows(_AGENCIES, 6):
        add(key, name, name_en, K.SERVICE_AGENCY, "91", region, town, "150", text, 24)
    return tuple(found)


def people(rng: random.Random, found: tuple[DemoOrganisation, ...]) -> tuple[DemoPerson, ...]:
    """The featured accounts, then for every university, institute and firm somebody who lists or asks,
    and for every firm somebody who bids."""
    accounts = [
        DemoPerson(
            key, name, email, f"0576-0{rng.randrange(1_000_000, 10_000_000)}", organisation, role, True
        )
        for key, name, email, organisation, role in _FEATURED
    ]
    taken = {account.name for account in accounts}
    held = {(account.organisation, account.role) for account in accounts}

    def add(organisation: DemoOrganisation, role: Role, word: str) -> None:
        if (organisation.key, role) in held:
            return
        name = person_name(rng)
        while name in taken:
            name = person_name(rng)
        taken.add(name)
        accounts.append(
            DemoPerson(
                key=f"{organisation.key}-{word}",
                name=name,
                email=f"{word}.{organisation.key}@example.com",
                phone=f"0576-0{rng.randrange(1_000_000, 10_000_000)}",
                organisation=organisation.key,
                role=role,
                featured=False,
            )
        )

    for organisation in found:
        if organisation.kind in (K.UNIVERSITY, K.RESEARCH_INSTITUTE):
            add(organisation, Role.RESULTS_OFFICER, "results")
        elif organisation.kind is K.FIRM:
            add(organisation, Role.DEMAND_OWNER, "demands")
            add(organisation, Role.RESULTS_OFFICER, "results")
            add(organisation, Role.BIDDER, "bids")
        elif organisation.kind is K.SERVICE_AGENCY:
            add(organisation, Role.BROKER, "broker")
    return tuple(accounts)


def _rows(text: str, count: int) -> list[list[str]]:
    rows = [line.split("|") for line in text.strip().splitlines()]
    wrong = [row[0] for row in rows if len(row) != count]
    if wrong:
        raise ValueError(f"{count} columns expected: {wrong}")
    return rows
