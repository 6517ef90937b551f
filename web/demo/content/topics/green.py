"""Topics of green manufacturing and new materials (绿色制造与新材料), which serve several industries."""

from __future__ import annotations

from market.deals.models import TechnicalField as F
from web.demo.content.grammar import m, topic

TOPICS = (
    topic(
        "green-foundry",
        "铸造清洁生产与熔炼节能",
        "clean and energy-saving foundry work",
        goal="节能减排",
        field=F.ENVIRONMENT,
        ipc="B22C 5/00; B22C 1/22; F27B 14/00",
        keywords="铸造 旧砂再生 熔炼 低排放",
        incumbent="现行树脂砂与人工炉前作业",
        objects="""
            泵壳铸铁件 | cast-iron pump casings
            机床床身铸件 | machine-bed castings
            电机壳铸件 | motor-housing castings
            阀体铸件 | valve-body castings
            齿轮箱体铸件 | gearbox castings
        """,
        methods="""
            热法与机械联合旧砂再生系统 | thermal–mechanical sand reclamation | 先低温焙烧脱膜再柔性搓擦，微粉与灼减量同时受控，余热用于预热
            低甲醛树脂与固化剂匹配工艺 | low-formaldehyde binder matching | 按砂温湿度自动改变固化剂配比，减少树脂加入量与烟气
            中频炉功率与加料协同控制 | coordinated furnace power and charging | 依据炉料称重与液位预测功率曲线，保温时间缩短
            炉前成分快速判定方法 | quick melt assessment | 由热分析曲线判断碳当量和孕育效果，替代等待化验
            集气罩流场优化设计 | optimised fume hoods | 按浇注位置分区联动抽风，风量降低而捕集率提高
        """,
        problems="""
            {o}生产中旧砂外运量大，处置费与环保督查压力逐年增加
            {o}熔炼电耗占成本两成以上，保温等待造成浪费
            {o}浇注烟气和异味投诉多，整体抽风电费又过高
        """,
        tried="""
            曾购置机械再生机，再生砂灼减量偏高、发气量大
            曾加大抽风机功率，电费增加三成而死角仍有烟
        """,
        metrics=(
            m("旧砂回用率", "sand reuse", "%", (58, 68), (91, 95), 0, "月度物料衡算"),
            m(
                "吨铁水综合电耗",
                "electricity per tonne of melt",
                "kWh/t",
                (690, 740),
                (560, 610),
                -1,
                "含保温",
            ),
            m("车间颗粒物浓度", "dust in the workshop", "mg/m³", (5.5, 8), (1.4, 2.4), 1, "浇注时段均值"),
        ),
        proves="1 3 2 2 3",
        answers="1 3 2 2 3",
        wants="""
            {o}旧砂再生与减量
            {o}熔炼节能
            {o}低排放造型工艺
            {o}烟尘治理与节电
        """,
        tasks="""
            完成砂、铁、电的物料与能量衡算
            确定再生、熔炼或收尘改造方案
            在一条造型线上连续运行三个月
            第三方检测排放并核算回收期
        """,
        needs="示范线改造需停产7至10天，场地约200平方米",
    ),
    topic(
        "green-plating",
        "电镀与酸洗废水处理",
        "plating and pickling wastewater",
        goal="减排回用",
        field=F.ENVIRONMENT,
        ipc="C02F 9/00; C02F 1/44; C25D 21/18",
        keywords="电镀废水 重金属 膜分离 资源回收",
        incumbent="加药沉淀后达标排放",
        objects="""
            镍铬电镀线废水 | nickel–chromium plating wastewater
            不锈钢酸洗废液 | spent stainless pickling liquor
            阳极氧化废水 | anodising wastewater
            磷化清洗水 | phosphating rinse water
            锌镍合金电镀废水 | zinc–nickel plating wastewater
        """,
        methods="""
            选择性电渗析分盐系统 | selective electrodialysis | 用单价选择性膜把可回用盐与杂质分开，浓水量减少
            络合态金属破络与结晶回收工艺 | de-complexing with crystallisation | 以紫外高级氧化破坏络合物后定向结晶，重金属可回收出售 | 1 5
            扩散渗析酸回收方法 | diffusion-dialysis acid recovery | 利用浓差推动回收游离酸，不消耗蒸汽 | 2 3
            耐污染平板陶瓷膜装置 | fouling-resistant ceramic membrane | 以低压错流与间歇臭氧清洗保持通量，替代多级砂滤
            分质分流与药剂精确投加系统 | source separation and exact dosing | 依据在线氧化还原电位、酸碱度和络合指数分流加药
        """,
        problems="""
            {o}成分复杂，络合态重金属难以稳定达标
            {o}盐分与污泥量大，危废处置和外排指标受限
            {o}水质随订单波动，人工加药过量、成本高
        """,
        tried="""
            曾增加药剂用量，出水达标但污泥量增加约四成
            曾用普通反渗透膜，三个月内通量下降过半
        """,
        metrics=(
            m("废水回用率", "water reuse", "%", (25, 38), (76, 86), 0, "连续运行三个月"),
            m("吨水污泥产生量", "sludge per cubic metre", "kg/m³", (6.5, 9), (1.6, 2.6), 1, "含水率75%"),
            m("吨水处理成本", "treatment cost", "元/m³", (38, 48), (21, 27), 0, "含药剂与电费"),
        ),
        proves="1 2 23 13 23",
        answers="2 1 2 2 3",
        wants="""
            {o}稳定达标与回用
            {o}有价组分回收
            {o}污泥减量
            {o}自动加药与在线监测
        """,
        tasks="""
            连续采样不少于15天并分析水质波动
            完成小试和日处理10 m³的中试
            测算回收收益与危废减量
            提交工程设计与运行手册
        """,
        needs="需提供废水分流条件，中试装置占地约60平方米",
    ),
    topic(
        "green-ocean",
        "海水养殖与水产加工",
        "mariculture and seafood processing",
        goal="绿色高效",
        field=F.AGRICULTURE,
        ipc="A01K 63/04; A23B 4/06; C02F 3/30",
        keywords="海水养殖 尾水 保鲜 循环水",
        incumbent="池塘换水养殖与常规冷冻",
        objects="""
            陆基大黄鱼循环水养殖 | land-based croaker recirculation
            对虾工厂化养殖 | indoor shrimp farming
            青蟹工厂化暂养 | indoor holding of mud crabs
            海鲈循环水养殖 | sea-bass recirculation
            贝类净化暂养 | depuration of shellfish
        """,
        methods="""
            低能耗微滤与生物载体系统 | microscreen with carrier biofilter | 用液位差自动反洗与高比表面积载体，能耗和占地同时下降
            氨氮和溶氧联合预测控制 | predictive control of ammonia and oxygen | 由投饵、温度和历史趋势提前调节增氧与换水，避免夜间骤降
            尾水多级生态净化方法 | staged tail-water treatment | 以滤食贝类、藻类与低碳源反硝化组合脱氮，外排水可回用
            个体行为视觉识别算法 | behaviour recognition | 由游速和摄食强度判断应激，减少过量投饵 | 1 2 4
            纳米气泡增氧结构 | nano-bubble oxygenation | 控制进气与切割压力，气泡停留时间长，增氧电耗降低
        """,
        problems="""
            {o}受外海水质和赤潮影响大，换水量大且病害风险高
            {o}尾水氮磷指标收紧，现有沉淀池难以满足
            {o}能耗与饵料占成本七成以上，管理依赖夜间值守
        """,
        tried="""
            曾加大换水量，水质改善但电费与病原输入增加
            曾安装普通在线仪表，探头结垢后数据不可用
        """,
        metrics=(
            m(
                "单位产量换水",
                "water per kilogram produced",
                "m³/kg",
                (2.6, 3.8),
                (0.25, 0.6),
                2,
                "一个养殖周期",
            ),
            m("成活率", "survival", "%", (68, 76), (88, 94), 0, "一个养殖周期"),
            m(
                "单位产量电耗",
                "electricity per kilogram produced",
                "kWh/kg",
                (6.8, 8.2),
                (3.8, 4.8),
                1,
                "含增氧",
            ),
        ),
        proves="13 23 1 2 3",
        answers="1 3 2 3 3",
        wants="""
            {o}节能增氧与水质控制
            {o}尾水净化与回用
            {o}病害预警与精准投喂
            {o}智能化无人值守
        """,
        tasks="""
            调查水质、能耗与病害基线
            设计系统并完成一个养殖周期验证
            测定尾水、成活率与能耗
            形成操作规程与培训教材
        """,
        needs="需至少两个独立养殖池作对照，电力与海水供应稳定",
    ),
    topic(
        "green-energy",
        "工业余热与分布式能源",
        "industrial waste heat and distributed energy",
        goal="能效提升",
        field=F.NEW_ENERGY,
        ipc="F28D 20/00; H02J 3/32; F25B 30/06",
        keywords="余热 热泵 储能 微电网",
        incumbent="电加热与市电直接供能",
        objects="""
            注塑车间能源系统 | energy systems of moulding plants
            热处理车间能源系统 | energy systems of heat-treatment shops
            鞋材烘干线供热系统 | heating of shoe-material dryers
            涂装烘道供热系统 | heating of paint ovens
            园区光储充系统 | solar–storage–charging systems of parks
        """,
        methods="""
            高温热泵梯级利用系统 | staged high-temperature heat pump | 用双级压缩把50 ℃余热提至95 ℃以上，先烘干后预热水 | 1 3 4
            工业储热材料与换热结构 | industrial heat storage | 以复合盐石墨储热块吸收谷电与余热，放热功率稳定 | 1 2 3 4
            产能与用能联合调度算法 | joint production–energy dispatch | 按排产、天气与分时电价滚动优化，不中断关键工序
            直流微网故障隔离方法 | fault isolation in DC microgrids | 以分段限流与快速关断代替整段停机，储能不倒灌 | 1 5
            能耗异常诊断系统 | energy anomaly diagnosis | 建立产品—工况—能耗基线，自动定位漏气、空转和保温过久
        """,
        problems="""
            {o}余热与用热时间错位，电费和碳排核算压力并存
            {o}的光伏午间多余电量无法消纳，峰段仍需高价购电
            {o}的负荷随订单波动，单台设备节能后整厂用电变化不明显
        """,
        tried="""
            曾安装独立余热换热器，夏季热量用不完、冬季又不足
            曾配置储能，因控制策略简单，实际充放次数不到设计一半
        """,
        metrics=(
            m("综合能源费用", "energy bill", "元/万元产值", (330, 410), (220, 270), -1, "相近订单结构"),
            m("光伏自用率", "self-consumed solar", "%", (52, 66), (87, 94), 0, "年均"),
            m("余热利用率", "use of waste heat", "%", (18, 32), (58, 72), 0, "可测余热"),
        ),
        proves="13 13 12 2 1",
        answers="1 1 3 2 3",
        wants="""
            {o}余热利用
            {o}光储与工艺联合调度
            {o}能耗诊断与核算
            {o}削峰填谷改造
        """,
        tasks="""
            采集至少30天能耗、产量和电价数据
            完成用能画像与改造方案
            实施一处示范并连续运行三个月
            核算节能量与投资回收期
        """,
        needs="需开放电表、余热测点和排产数据，改造可安排分段停机",
    ),
    topic(
        "green-material",
        "再生与高性能复合材料",
        "recycled and high-performance composites",
        goal="性能提升",
        field=F.NEW_MATERIALS,
        ipc="C08J 11/06; C08L 77/00; C08K 7/14",
        keywords="再生塑料 复合材料 增强 低碳",
        incumbent="原生料或普通玻纤增强料",
        objects="""
            电动工具外壳材料 | power-tool housing materials
            水泵叶轮工程塑料 | engineering plastics for pump impellers
            汽车支架材料 | materials for car brackets
            户外箱体材料 | outdoor-enclosure materials
            电机端盖工程塑料 | engineering plastics for motor covers
        """,
        methods="""
            再生尼龙扩链与除杂工艺 | chain extension of recycled nylon | 以反应挤出与在线真空去除低分子，强度衰减得到恢复
            短切碳纤维界面改性方法 | interface treatment of chopped carbon fibre | 用温和氧化和反应型上浆，保持长度并提高结合
            无卤阻燃协效配方 | halogen-free flame-retardant synergy | 以次膦酸盐与层状矿物成炭，阻燃同时不明显降低冲击
            注塑纤维取向预测方法 | prediction of fibre orientation | 把取向张量用于结构仿真，翘曲与强度误差降低
            长玻纤浸渍造粒工艺 | long-glass-fibre impregnation | 采用波形辊系使熔体充分浸透，粒料无白丝
        """,
        problems="""
            {o}要求减重和低碳，但再生料冲击与颜色批次差异大
            {o}在湿热与长期载荷下强度下降，易翘曲开裂
            {o}的阻燃、导热与加工流动性互相制约
        """,
        tried="""
            曾直接掺入两成回料，缺口冲击下降约三分之一
            曾换进口改性料，成本高且交期长
        """,
        metrics=(
            m("缺口冲击强度", "notched impact strength", "kJ/m²", (6.5, 8.5), (12, 16), 1, "23 ℃干态"),
            m("翘曲变形", "warpage", "mm", (1.8, 2.6), (0.5, 0.8), 1, "200 mm试样"),
            m("再生组分比例", "recycled content", "%", (5, 15), (36, 52), 0, "性能合格条件下"),
        ),
        proves="13 1 1 2 12",
        answers="1 2 3 2 1",
        wants="""
            {o}再生化替代
            {o}翘曲与强度控制
            {o}无卤阻燃改性
            {o}低碳材料核算与选材
        """,
        tasks="""
            完成配方与来料质量控制方案
            中试不少于500 kg并注塑试模
            完成力学、老化、阻燃与有害物质检测
            提供碳足迹计算边界与数据
        """,
        needs="可利用现有双螺杆挤出机，模具需重新核对收缩率",
    ),
)
