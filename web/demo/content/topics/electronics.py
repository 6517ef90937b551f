"""Topics of the laser and electronics industry (激光电子)."""

from __future__ import annotations

from market.deals.models import TechnicalField as F
from web.demo.content.grammar import m, topic

TOPICS = (
    topic(
        "laser-cutting",
        "激光切割装备",
        "laser cutting equipment",
        goal="质量提升",
        field=F.ADVANCED_MANUFACTURING,
        ipc="B23K 26/38; B23K 26/08; B23K 26/70",
        keywords="激光切割 环模光斑 工艺数据库 穿孔",
        incumbent="同功率现售机型的厂家默认参数",
        objects="""
            厚板光纤激光切割机 | fibre-laser cutters for thick plate
            不锈钢管材切管机 | tube cutters for stainless steel
            卷料激光落料机 | laser blanking lines for coil
            型钢坡口激光切割机 | laser bevel cutters for sections
            三维五轴激光切割机 | five-axis laser cutters
        """,
        methods="""
            光斑环模调节方法 | ring-mode beam shaping | 独立调节中心与环形功率比，薄板快速切、厚板断面挂渣少，不需更换切割头
            分段变焦穿孔工艺 | multi-stage piercing | 按反射光强度分四段变焦和变气压，穿孔飞溅明显减少
            熔池反射光监测系统 | melt-pool reflection monitoring | 用同轴光电二极管与频域特征识别未切透和等离子体，50 ms内报警停光
            机架轻量化拓扑设计 | lightweight gantry design | 用变截面铝型材和阻尼填充提高一阶频率，加速度提高而拐角不过冲
            工艺参数自寻优算法 | self-tuning process parameters | 以贝叶斯优化代替逐项试切，新材料约15次试切即可定参
        """,
        problems="""
            {o}切换材料和厚度后要反复试切，工艺依赖厂家工程师
            {o}断面挂渣与条纹不稳定，后续打磨占用人工
            {o}在夏季和连续满载时功率衰减，切割质量下半天变差
        """,
        tried="""
            曾按厂家参数表设置，换一批来料即需重新调整
            曾提高气压去除挂渣，气体成本上升近四成
        """,
        metrics=(
            m("断面挂渣高度", "dross height", "mm", (0.32, 0.45), (0.06, 0.12), 2, "各机型典型板厚"),
            m(
                "新材料定参所需试切次数",
                "trial cuts for a new material",
                "次",
                (60, 90),
                (12, 18),
                0,
                "首次使用",
            ),
            m("未切透漏检率", "undetected incomplete cuts", "%", (3.2, 4.6), (0.1, 0.4), 1, "连续两周"),
            m(
                "小孔轮廓误差",
                "contour error of small holes",
                "mm",
                (0.14, 0.20),
                (0.04, 0.07),
                2,
                "孔径等于板厚",
            ),
        ),
        proves="1 14 3 4 2",
        answers="2 2 3 2 1",
        wants="""
            {o}参数自适应与数据库
            {o}断面质量提升
            {o}过程监测与防未切透
            {o}轻量化高动态结构
        """,
        tasks="""
            采集主要材料与厚度的切割数据
            研制监测或调焦模块并集成到控制系统
            完成不少于三种材料的对比试验
            交付参数库与使用培训
        """,
        needs="需要开放切割头与控制系统接口，样机停机约3天",
    ),
    topic(
        "laser-source",
        "激光打标与清洗",
        "laser marking and cleaning",
        goal="性能提升",
        field=F.ELECTRONICS,
        ipc="H01S 3/067; B23K 26/36; G02B 26/10",
        keywords="激光打标 振镜 功率稳定 光学镀膜",
        incumbent="市售同功率机型",
        objects="""
            光纤激光打标机 | fibre-laser markers
            紫外激光打标机 | ultraviolet laser markers
            激光深雕机 | deep-engraving laser machines
            产线飞行打标系统 | on-the-fly marking systems
            手持激光清洗机 | hand-held laser cleaners
        """,
        methods="""
            高反射率低应力镀膜工艺 | low-stress high-reflection coating | 以离子辅助沉积的混合材料控制膜层应力，损伤阈值提高
            泵浦合束器熔接方法 | fused pump-combiner splicing | 控制锥区拉制速度和包层剥离功率，合束效率提高且温升低 | 1 3 5
            振镜闭环延迟补偿算法 | galvo delay compensation | 用模型预测控制替代固定延迟，拐角不烧点、直线不弯曲
            种子源波形整形电路 | seed-pulse shaping | 用任意波形驱动种子半导体激光器，补偿放大增益饱和，脉宽可调 | 1 3 5
            光学件污染在线监测装置 | in-line contamination monitoring | 由散射光判断窗口污染程度，提前提示更换，避免烧透
        """,
        problems="""
            {o}连续工作后功率漂移，打标深浅不均，客户退货集中在夏季
            {o}的关键膜层和器件依赖进口，交期与价格不稳
            {o}维护靠经验更换耗材，污染后容易扩大损坏
        """,
        tried="""
            曾加强水冷，功率波动由6%降到4%，仍不满足打深雕要求
            曾更换国产镜片，500 h后镀膜起泡
        """,
        metrics=(
            m("8 h功率稳定性", "power stability over 8 h", "%", (4.5, 6.5), (1.0, 1.8), 1, "环境10至35 ℃"),
            m("膜层损伤阈值", "damage threshold of the coating", "J/cm²", (12, 16), (26, 33), 0, "10 ns脉冲"),
            m("扫描轮廓误差", "contour error of scanning", "μm", (32, 45), (7, 11), 0, "2 m/s"),
        ),
        proves="2 1 3 1 1",
        answers="2 1 1 1 3",
        wants="""
            {o}国产化开发
            {o}功率稳定性提升
            {o}镀膜与器件可靠性
            {o}扫描控制与在线监测
        """,
        tasks="""
            完成关键部件设计与样件试制
            完成寿命、环境与损伤阈值测试
            在整机上连续运行1000 h
            提供工艺规范和检验标准
        """,
        needs="需千级洁净装配间，镀膜可委托合作单位",
    ),
    topic(
        "electronics-power",
        "电源与功率变换",
        "power supplies and converters",
        goal="高效可靠",
        field=F.ELECTRONICS,
        ipc="H02M 3/335; H02M 1/42; H02M 7/219",
        keywords="开关电源 功率变换 氮化镓 电磁兼容",
        incumbent="硅器件硬开关电源",
        objects="""
            激光器驱动电源 | laser-diode driver supplies
            户外储能充电模块 | charging modules of portable storage
            电动工具充电器 | power-tool chargers
            工业焊接电源 | industrial welding supplies
            通信备电整流模块 | rectifiers for telecom back-up
        """,
        methods="""
            氮化镓软开关拓扑 | gallium-nitride soft switching | 采用交错临界导通模式与磁集成电感，500 kHz下温升可控
            宽范围谐振变换器参数设计方法 | wide-range resonant converter design | 以时域分段模型给出增益边界，输入变化一倍时仍保持软开关
            共模噪声对消绕组结构 | common-mode cancelling windings | 在变压器内加补偿绕组，减少一级共模滤波器
            数字均流与故障容错控制 | digital current sharing with fault tolerance | 用主从无线切换均流，单模块失效时不中断输出
            结温在线估计与降额策略 | on-line junction-temperature estimation | 由导通压降估算结温，按寿命模型平滑降额
        """,
        problems="""
            {o}体积和效率难以兼顾，散热器占成本较高
            {o}的传导骚扰整改反复，认证周期拖长
            {o}在高温、粉尘环境失效率高，电容和风扇为主要失效件
        """,
        tried="""
            曾提高开关频率，体积减小但传导骚扰超标6 dB
            曾换用长寿命电容，成本增加约8%，风扇故障依旧
        """,
        metrics=(
            m("满载效率", "full-load efficiency", "%", (88.5, 90.5), (94.5, 96.2), 1, "额定输入"),
            m("功率密度", "power density", "W/cm³", (0.8, 1.1), (2.2, 3.0), 1, "含散热器"),
            m("三年累计失效率", "three-year failure rate", "%", (3.2, 4.5), (0.6, 1.0), 1, "用户现场推算"),
        ),
        proves="12 1 2 3 3",
        answers="1 1 2 3 3",
        wants="""
            {o}高功率密度设计
            {o}电磁兼容设计与整改
            {o}高温可靠性提升
            {o}国产器件替代
        """,
        tasks="""
            完成拓扑、磁件与散热设计
            试制样机并完成效率、电磁兼容、寿命试验
            给出国产器件清单与替代验证结论
            完成认证整改
        """,
        needs="需电磁兼容预检与老化房，磁件可定制",
    ),
    topic(
        "electronics-sensing",
        "光电位移与厚度测量",
        "optical displacement and thickness measurement",
        goal="精度提升",
        field=F.ELECTRONICS,
        ipc="G01B 11/06; G01B 11/02; G01B 9/02",
        keywords="光电测量 厚度 位移传感 温漂校准",
        incumbent="现有接触式或离线抽检",
        objects="""
            薄膜厚度在线测量 | in-line film-thickness measuring
            电池极片厚度测量 | electrode-thickness measuring
            涂层厚度在线测量 | in-line coating-thickness measuring
            激光位移传感器 | laser displacement sensors
            玻璃盖板平面度测量 | flatness measuring of cover glass
        """,
        methods="""
            多波长干涉解包裹算法 | multi-wavelength phase unwrapping | 用三波长等效合成扩展量程而不损失分辨率，振动环境可用
            偏振分离抗反光成像装置 | polarisation-resolved imaging | 以四方向偏振片阵列去除镜面反射，划痕与污渍可分开
            温漂自校准电路 | temperature self-calibration | 用片上参考通道实时扣除零点漂移，全温区不需人工标定
            双侧对射厚度测量结构 | dual-sided thickness gauge | 上下测头共用碳纤维框架并用标准片周期自校，框架热变形不计入读数 | 1 2 3
            高速线扫描同步控制系统 | synchronised line-scan control | 按编码器位置触发并补偿速度波动，图像不拉伸
        """,
        problems="""
            {o}在线环境有振动和温度变化，实验室精度难以保持
            {o}的对象反光、透明或较软，普通测头读数跳变
            {o}依赖进口传感器，维护和备件等待时间长
        """,
        tried="""
            曾用国产同类传感器替换，夏季零点漂移超差
            曾离线抽检，发现超差时已有数百米不合格
        """,
        metrics=(
            m(
                "在线测量与离线比对偏差",
                "deviation from off-line reference",
                "μm",
                (3.5, 5.0),
                (0.6, 1.0),
                1,
                "200个样点",
            ),
            m("测量重复性", "repeatability", "μm", (2.2, 3.4), (0.3, 0.6), 1, "现场24 h"),
            m(
                "全温区零点漂移",
                "zero drift over temperature",
                "%FS",
                (0.8, 1.2),
                (0.08, 0.15),
                2,
                "-10至50 ℃",
            ),
        ),
        proves="12 1 3 12 1",
        answers="1 2 1 1 1",
        wants="""
            {o}国产替代与精度提升
            {o}反光与透明对象测量算法
            {o}温漂与振动抑制
            {o}产线集成与防误判
        """,
        tasks="""
            确定误差来源并搭建试验台
            开发样机与算法并现场连续运行
            提供标定方法与不确定度评定
            与产线控制系统联机
        """,
        needs="需提供样件和安装空间，说明产线速度",
    ),
    topic(
        "electronics-pcb",
        "印制板与电子装联",
        "printed boards and assembly",
        goal="可靠性提升",
        field=F.ELECTRONICS,
        ipc="H05K 3/34; H05K 1/02; H05K 3/28",
        keywords="印制板 回流焊 三防 散热",
        incumbent="普通贴装与手工涂覆工艺",
        objects="""
            水泵驱动板 | pump drive boards
            厚铜功率板 | thick-copper power boards
            储能电池管理板 | battery-management boards
            车载控制板 | automotive control boards
            电动工具控制板 | power-tool control boards
        """,
        methods="""
            空洞率可控真空回流工艺 | vacuum reflow with controlled voids | 用两段真空曲线控制助焊剂挥发，大焊盘空洞稳定可测
            选择性涂覆路径规划 | selective-coating path planning | 由板图自动避让连接器并补偿黏度，涂覆边界误差0.5 mm以内
            厚铜散热埋块结构 | embedded copper blocks | 在功率管下嵌入铜块并做应力释放槽，冷热循环不分层
            助焊残留清洗与离子检测方法 | cleaning with ionic control | 用水基清洗与在线电导监测，替代人工擦拭
            焊点寿命预测模型 | solder-life prediction | 由实测温度谱累积损伤推算寿命，指导选型
        """,
        problems="""
            {o}工作温度高且有振动，焊点开裂和电容脱落是主要失效
            {o}涂覆靠人工刷，漏涂与流挂并存，湿热环境下漏电
            {o}大电流走线温升高，板厂多方案试错
        """,
        tried="""
            曾增加三防漆厚度，连接器接触不良反而增多
            曾加大焊盘面积，空洞率反而升高
        """,
        metrics=(
            m("大焊盘空洞率", "void fraction in large pads", "%", (18, 26), (3, 6), 0, "X射线抽检"),
            m(
                "冷热循环1000次后失效率",
                "failures after 1000 thermal cycles",
                "%",
                (4.5, 7),
                (0.3, 0.9),
                1,
                "-40至105 ℃",
            ),
            m(
                "功率器件结到壳外温升",
                "temperature rise of power devices",
                "K",
                (46, 55),
                (27, 33),
                0,
                "额定电流",
            ),
        ),
        proves="12 2 3 2 2",
        answers="1 2 3 2 1",
        wants="""
            {o}高温焊点可靠性
            {o}自动涂覆与防潮
            {o}大电流散热设计
            {o}寿命评价与选型
        """,
        tasks="""
            分析失效件并确定主要应力
            优化板层、焊接与涂覆工艺
            完成温循、湿热、振动组合试验
            输出设计准则与检验标准
        """,
        needs="需真空回流或选择涂覆设备，可先委外试制",
    ),
    topic(
        "electronics-lighting",
        "照明与光健康",
        "lighting and healthy light",
        goal="光效提升",
        field=F.ELECTRONICS,
        ipc="F21V 29/70; H01L 33/50; H05B 45/10",
        keywords="照明 荧光粉 散热 调光",
        incumbent="普通白光发光二极管灯具",
        objects="""
            船用甲板灯 | marine deck lights
            教室护眼灯 | classroom lamps
            隧道灯 | tunnel lights
            激光照明灯具 | laser-based luminaires
            球场高杆灯 | sports floodlights
        """,
        methods="""
            氮化物荧光玻璃封装 | phosphor-in-glass encapsulation | 以低温玻璃包覆氮化物荧光粉，高温高湿下光衰小
            二次光学自由曲面设计 | freeform secondary optics | 由能量映射反求自由曲面，眩光限制与均匀度同时满足
            相变材料散热基座 | phase-change cooling base | 在散热基座内嵌定型相变材料，峰值功率下结温下降
            宽电压无频闪驱动 | wide-range flicker-free driver | 用两级结构与前馈补偿，输入波动和低亮度时不频闪
            高反射漫反射腔结构 | high-reflectance diffuse cavity | 以微孔漫反射材料替代喷白反光腔，多次反射损失减小
        """,
        problems="""
            {o}在盐雾或高温环境下光衰快，两年左右更换
            {o}眩光和频闪投诉多，标准条款更新快
            {o}高功率密度下散热受限，灯具越来越重
        """,
        tried="""
            曾加厚铝散热器，重量增加约三成而结温仅下降4 ℃
            曾采购低价驱动，低亮度闪烁被抽检不合格
        """,
        metrics=(
            m("整灯光效", "luminaire efficacy", "lm/W", (98, 112), (142, 158), 0, "稳态"),
            m("5000 h光通维持率", "lumen maintenance at 5000 h", "%", (86, 90), (96, 98), 0, "55 ℃"),
            m("整灯重量", "luminaire weight", "kg", (5.2, 6.2), (3.1, 3.8), 1, "同光通"),
        ),
        proves="2 1 23 1 1",
        answers="1 2 3 2 2",
        wants="""
            {o}散热与减重
            {o}耐候长寿命光源
            {o}无眩光光学设计
            {o}智能调光与低待机
        """,
        tasks="""
            建立热—光—电联合模型并确定指标
            试制样灯并完成光度与寿命试验
            取得强制检测报告
            给出材料与工艺清单
        """,
        needs="需积分球与老化架，光学模具约4周",
    ),
    topic(
        "electronics-iot",
        "物联网终端与低功耗通信",
        "internet-of-things terminals",
        goal="低功耗通信",
        field=F.ELECTRONICS,
        ipc="H04W 52/02; H04L 67/12; G01D 21/02",
        keywords="物联网 低功耗 无线 边缘",
        incumbent="普通公网模组终端",
        objects="""
            智能水表终端 | smart water-meter terminals
            渔港浮标监测终端 | harbour buoy terminals
            温室环境监测节点 | greenhouse monitoring nodes
            燃气表终端 | gas-meter terminals
            危化储罐监测终端 | chemical-tank monitors
        """,
        methods="""
            唤醒无线电协议优化 | wake-up radio protocol | 以低功耗接收链路判断地址后再唤醒主机，平均功耗降到微安级
            多制式链路自适应切换 | multi-link adaptive switching | 按信号、资费和时限选择短距、自组网或公网，断链自动缓存
            天线与金属结构协同设计 | antenna co-design with metal housing | 在金属壳体开缝激励特性模，不加外置天线
            终端固件安全升级方法 | secure firmware update | 用差分包、双备份和签名校验，弱网可断点续传
            电池健康在线估计 | on-line battery health | 以脉冲内阻和自放电推算剩余寿命，提前三个月提示更换
        """,
        problems="""
            {o}布设分散，换电池和现场维护成本高于设备本身
            {o}金属、地下或海上环境信号差，上线率不稳定
            {o}协议各异，平台对接反复，安全要求不断提高
        """,
        tried="""
            曾缩短上报间隔，电池寿命由五年降到两年
            曾外接天线，破坏防护等级且易损坏
        """,
        metrics=(
            m("电池续航", "battery life", "年", (2.2, 3.0), (6.5, 9.0), 1, "每日24次上报"),
            m("数据到达率", "delivery ratio", "%", (91, 94.5), (99.1, 99.7), 1, "现场3个月"),
            m("固件升级成功率", "firmware update success", "%", (86, 91), (99.2, 99.8), 1, "弱网"),
        ),
        proves="1 2 2 3 1",
        answers="1 2 2 3 1",
        wants="""
            {o}低功耗长续航设计
            {o}复杂环境通信
            {o}安全升级与对接
            {o}天线与结构一体化
        """,
        tasks="""
            完成链路与功耗预算
            开发终端硬件、协议与安全升级
            在不少于50个点位试运行三个月
            提供接入协议与测试报告
        """,
        needs="需提供平台接入规范，模组可采用国产通信芯片",
    ),
    topic(
        "electronics-cooling",
        "电子散热与热界面材料",
        "thermal management of electronics",
        goal="散热",
        field=F.NEW_MATERIALS,
        ipc="H05K 7/20; C09K 5/14; F28D 15/02",
        keywords="散热 热界面 均热板 导热",
        incumbent="铝型材与硅脂方案",
        objects="""
            通信基站功放模块 | base-station power amplifiers
            激光器泵浦源冷板 | pump-source cold plates
            车载充电机 | on-board chargers
            服务器冷板 | server cold plates
            逆变器功率单元 | inverter power units
        """,
        methods="""
            微通道分形流道冷板 | fractal microchannel cold plate | 由热流分布生成逐级分叉流道，压降小且热点温差低
            超薄均热板吸液芯烧结工艺 | sintered-wick vapour chamber | 控制铜粉级配与烧结气氛，吸液芯渗透率与毛细力同时提高
            高导热绝缘垫片配方 | filled insulating pad | 用取向氮化硼与柔性硅基体，垂直方向导热提高而不易粉化
            直接贴装陶瓷覆铜方法 | direct-bonded ceramic substrate | 采用活性金属钎焊和图形应力槽，冷热循环不脱层
            压接力保持结构 | constant-pressure clip | 用多点弹片均衡压接力，长期热阻不增长
        """,
        problems="""
            {o}功率密度翻倍而空间不变，热点温度接近器件上限
            {o}硅脂泵出和干涸造成两年后热阻上升
            {o}液冷接头与冷板泄漏影响可靠性
        """,
        tried="""
            曾加大风扇转速，噪声超标且灰尘堵塞
            曾更换进口垫片，性能好但价格是原来的5倍
        """,
        metrics=(
            m("热点温差", "hot-spot temperature difference", "K", (14, 19), (4, 6.5), 1, "额定热流"),
            m(
                "界面热阻",
                "interface thermal resistance",
                "K·cm²/W",
                (0.32, 0.42),
                (0.08, 0.13),
                2,
                "0.2 MPa压接",
            ),
            m(
                "1000次温循后热阻变化",
                "resistance change after 1000 cycles",
                "%",
                (22, 31),
                (3, 6),
                0,
                "-40至125 ℃",
            ),
        ),
        proves="1 1 23 3 23",
        answers="1 1 2 2 2",
        wants="""
            {o}高热流散热
            {o}长寿命热界面材料
            {o}液冷冷板与防漏
            {o}轻薄均热方案
        """,
        tasks="""
            测定实际热源分布并建立热阻网络
            设计并试制散热部件
            完成温循、振动与泄漏试验
            给出量产工艺和成本
        """,
        needs="需提供器件功耗与结构边界，样件试制约六周",
    ),
    topic(
        "electronics-vision",
        "机器视觉与缺陷检测软件",
        "machine vision software",
        goal="智能化",
        field=F.ELECTRONICS,
        ipc="G06T 7/00; G06V 10/82; G01N 21/95",
        keywords="机器视觉 深度学习 缺陷 标注",
        incumbent="传统模板匹配加人工复核",
        objects="""
            电机绕组外观检测 | motor-winding inspection
            注塑件外观检测 | moulded-part inspection
            鞋面缝线检测 | upper-stitch inspection
            铸件表面缺陷检测 | casting-surface inspection
            药瓶贴标检测 | vial-label inspection
        """,
        methods="""
            半监督异常检测算法 | semi-supervised anomaly detection | 只用合格品建立特征记忆库，缺陷不必预先收集
            多光照融合成像系统 | multi-illumination imaging | 用四向频闪照明合成法线图，反光件的凹坑与划伤清晰
            主动标注平台 | active-labelling platform | 由模型筛选最有价值的图片，标注量减少七成
            轻量模型边缘部署方法 | lightweight edge deployment | 把模型剪枝量化后部署到国产边缘盒，单图30 ms以内，换型只传权重文件
            模型漂移监视与再训练方法 | drift monitoring and retraining | 以每班抽检图片估计漂移，超限自动排入再训练并保留旧版本，可一键回退
        """,
        problems="""
            {o}缺陷样本少、种类多，模型上线后频繁误报
            {o}反光、纹理复杂，换料换色要重新调参
            {o}的结果与工艺脱节，只挑出坏件不能减少坏件
        """,
        tried="""
            曾购置三套视觉设备，换产品后误报升高，后改回人工
            曾委托外包训练模型，数据变化后没人维护
        """,
        metrics=(
            m("漏检率", "missed-defect rate", "%", (1.5, 2.4), (0.08, 0.2), 2, "连续两周"),
            m("误报率", "false-alarm rate", "%", (8, 13), (1.0, 2.2), 1, "连续两周"),
            m("新产品上线时间", "time to bring up a new product", "h", (30, 48), (3, 6), 0, "含采图"),
        ),
        proves="13 12 3 3 12",
        answers="1 2 1 2 1",
        wants="""
            {o}小样本视觉检测
            {o}误报降低与自维护
            {o}边缘部署与提速
            {o}缺陷追溯与工艺改进
        """,
        tasks="""
            采集不少于5000张合格与缺陷图片
            设计光学与算法方案并在产线试运行
            评估漏检、误报与换型时间
            交付标注、训练与版本管理工具
        """,
        needs="需提供合格品与典型缺陷件，产线预留相机安装位",
    ),
)
