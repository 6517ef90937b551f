"""Topics of the car and motorcycle parts industry (汽摩配件)."""

from __future__ import annotations

from market.deals.models import TechnicalField as F
from web.demo.content.grammar import m, topic

TOPICS = (
    topic(
        "vehicle-brake",
        "制动摩擦与制动盘",
        "brake friction materials and discs",
        goal="性能提升",
        field=F.TRANSPORT,
        ipc="F16D 69/02; F16D 65/12; C08J 5/14",
        keywords="制动片 摩擦材料 无铜 制动噪声",
        incumbent="含铜半金属配方",
        objects="""
            乘用车盘式制动片 | car disc-brake pads
            摩托车盘式制动片 | motorcycle disc pads
            电动两轮车制动片 | pads for electric two-wheelers
            商用车鼓式制动衬片 | commercial-vehicle drum linings
            新能源汽车低拖滞制动片 | low-drag pads for electric cars
        """,
        methods="""
            无铜陶瓷基配方 | copper-free ceramic formulation | 以片状钛酸钾镁和改性蛭石代替铜纤维，配合多级粒径填料稳定高温摩擦膜
            芳纶浆粕预分散工艺 | pre-dispersion of aramid pulp | 采用高速犁耙与静电中和预分散芳纶，压制件密度偏差不超过0.04 g/cm³
            阻尼消音片匹配方法 | damping-shim matching | 由复特征值分析找出不稳定模态，再选定消音片层数与背板倒角 | 1 2 3 5
            低温快速压制工艺 | fast low-temperature moulding | 调整树脂流动窗口和排气次数，压制周期由5 min缩短到2 min，密度更均匀
            可溶矿物纤维与可控造孔方法 | soluble mineral fibre with controlled porosity | 以可溶性矿物纤维配合造孔剂提高热衰退后的恢复性，气孔率稳定在12%至16%
        """,
        problems="""
            {o}在350 ℃以上摩擦系数衰退，湿态恢复慢，主机厂台架试验通不过
            {o}低速制动尖叫投诉多，配方、背板和卡钳的影响难以分开
            {o}面临无铜化法规要求，替代配方磨损偏大
        """,
        tried="""
            曾减少铜含量到5%以下，磨损率上升约四成
            曾增加消音片厚度，尖叫减少但踏板感变软
        """,
        metrics=(
            m("350 ℃摩擦系数保持率", "friction retained at 350 °C", "%", (68, 75), (88, 94), 0, "恒速试验机"),
            m("磨损率", "wear rate", "10⁻⁷ cm³/(N·m)", (0.42, 0.52), (0.18, 0.25), 2, "250 ℃"),
            m("制动尖叫发生率", "squeal occurrence", "%", (4, 6.5), (0.4, 0.9), 1, "台架矩阵试验"),
        ),
        proves="12 2 3 2 13",
        answers="3 3 2 3 1",
        wants="""
            {o}无铜配方开发
            {o}制动尖叫治理
            {o}抗热衰退技术
            {o}压制节拍与一致性提升
        """,
        tasks="""
            筛选替代纤维与填料并完成小样试验
            完成惯性台架与噪声矩阵试验
            确定混料、压制和热处理工艺参数
            装车路试不少于2万公里
        """,
        needs="承接方需具备犁耙混料机与多层热压机，配方以技术秘密方式许可",
    ),
    topic(
        "vehicle-lightweight",
        "轻合金压铸与轻量化",
        "light-alloy casting and lightweight parts",
        goal="轻量化",
        field=F.NEW_MATERIALS,
        ipc="B22D 17/00; C22C 21/02; B62D 21/00",
        keywords="铝合金 压铸 轻量化 免热处理",
        incumbent="铸铁件或钢板焊接件",
        objects="""
            摩托车铝合金车架 | aluminium motorcycle frames
            转向节 | steering knuckles
            电机端盖 | motor end covers
            新能源汽车电控壳体 | power-electronics housings
            副车架 | subframes
        """,
        methods="""
            免热处理压铸铝合金 | heat-treatment-free die-casting alloy | 以锰替代铁抗粘模并微量添加锶、钒细化共晶硅，铸态即可满足延伸率
            真空压铸流道设计方法 | vacuum die-casting gating design | 用卷气量和液面前沿温度两个指标优化内浇口与排气块，减少试模轮次
            半固态流变浆料制备工艺 | rheocasting slurry preparation | 以环缝式电磁搅拌在20 s内得到球状初生相，浆料温度波动不超过2 K | 2 3 4
            局部挤压补缩装置 | local squeeze pins | 在热节处布置伺服控制挤压销，按凝固时间触发，缩孔由集中变为可控
            拓扑优化与工艺约束协同设计 | topology optimisation under casting constraints | 把拔模方向、最小壁厚和浇口位置写成约束，优化结果可直接出模
        """,
        problems="""
            {o}要求减重三成以上，同时碰撞或疲劳指标不能降低
            {o}厚薄不均，热节处缩孔多，机加工后缺陷暴露
            {o}的热处理变形和起泡造成校形和报废，成本高
        """,
        tried="""
            曾直接把壁厚减薄0.5 mm，冷隔缺陷增多
            曾采用T6热处理，强度达标但起泡报废率约7%
        """,
        metrics=(
            m("单件减重率", "weight saving", "%", (8, 12), (30, 38), 0, "与替换前零件相比"),
            m("本体取样延伸率", "elongation in the part", "%", (2.2, 3.5), (9, 12), 1, "铸态"),
            m("内部缩孔不良率", "shrinkage reject rate", "%", (4.5, 6.5), (0.6, 1.2), 1, "X射线探伤"),
        ),
        proves="2 23 23 3 1",
        answers="3 2 2 2 1",
        wants="""
            {o}轻量化设计与成形
            {o}压铸缩孔控制
            {o}免热处理材料应用
            {o}以铝代铁方案
        """,
        tasks="""
            完成结构优化与工艺仿真
            确定合金成分、熔炼与压铸工艺
            试模并完成本体力学、疲劳或气密试验
            小批量500件过程能力验证
        """,
        needs="需800 t以上压铸机及真空机组，合金可由铝锭厂定制",
    ),
    topic(
        "vehicle-emotor",
        "两轮与轻型车电驱动",
        "electric drives for two-wheelers and light vehicles",
        goal="效率提升",
        field=F.NEW_ENERGY,
        ipc="H02K 21/14; B60L 15/20; B62M 6/45",
        keywords="轮毂电机 控制器 电驱动 能量回收",
        incumbent="方波控制轮毂电机系统",
        objects="""
            电动摩托车中置电机 | mid-drive motors of electric motorcycles
            电动自行车轮毂电机 | hub motors of e-bikes
            电动三轮车后桥驱动 | rear-axle drives of electric tricycles
            全地形车电驱动系统 | electric drives of all-terrain vehicles
            高尔夫球车驱动桥 | drive axles of golf carts
        """,
        methods="""
            分数槽集中绕组设计 | fractional-slot concentrated winding | 以齿槽转矩和不平衡磁拉力双目标选取槽极配合，端部长度缩短三成
            弱磁扩速控制算法 | field-weakening control | 用电压反馈与查表前馈结合扩展恒功率区，电池电压下降时不抖动
            油冷扁线定子结构 | oil-cooled flat-wire stator | 采用扁线与端部喷油冷却，持续功率密度提升而不加大铁心
            能量回收与机械制动协调策略 | regenerative–mechanical brake blending | 按路面附着估计分配回收力矩，湿滑路面自动退出
            碳化硅驱动控制器 | silicon-carbide controller | 以碳化硅器件和平面变压器驱动提高开关频率，控制器体积缩小约四成
        """,
        problems="""
            {o}爬坡时大电流温升快，十几分钟就进入限功率
            {o}实际续航与标称差距大，低速和频繁起停工况效率低
            {o}控制器与电机来自不同厂家，匹配标定靠试，抖动、异响时有发生
        """,
        tried="""
            曾增大电机铁心长度，温升改善而整车增重1.8 kg
            曾更换正弦波控制器，噪声降低，低速爬坡力矩反而不足
        """,
        metrics=(
            m(
                "综合工况系统效率",
                "drive-cycle system efficiency",
                "%",
                (72, 76),
                (83, 87),
                0,
                "城市循环工况",
            ),
            m(
                "15%坡度持续爬坡时间",
                "continuous climbing time on a 15% grade",
                "min",
                (8, 12),
                (26, 34),
                0,
                "环境30 ℃、满载",
            ),
            m("持续功率密度", "continuous power density", "kW/kg", (0.55, 0.65), (0.95, 1.15), 2, "电机本体"),
        ),
        proves="13 1 23 1 12",
        answers="2 3 1 2 2",
        wants="""
            {o}效率与续航提升
            {o}爬坡温升控制
            {o}控制器匹配与标定方法
            {o}制动能量回收技术
        """,
        tasks="""
            采集典型道路工况并建立能耗模型
            完成电机电磁、热设计与控制策略开发
            台架完成效率图谱与温升试验
            装车路试并完成标定文件交付
        """,
        needs="需有测功机台架和绕线或扁线成形设备，控制器可对外采购功率模块",
    ),
    topic(
        "vehicle-damper",
        "减振器与悬架",
        "dampers and suspension",
        goal="舒适性提升",
        field=F.TRANSPORT,
        ipc="F16F 9/32; B60G 17/015; F16F 9/36",
        keywords="减振器 悬架 油封 阻尼可调",
        incumbent="普通双筒液压减振器",
        objects="""
            摩托车前减振器 | motorcycle front forks
            全地形车后减振器 | rear shocks of all-terrain vehicles
            乘用车双筒减振器 | twin-tube car dampers
            驾驶室座椅减振器 | cab-seat dampers
            电动自行车前叉 | e-bike front forks
        """,
        methods="""
            阀片叠层抗空化设计 | anti-cavitation valve stack | 以阀片叠层刚度渐变与流道倒角抑制高速段空化，连续冲击下阻尼力平稳
            低摩擦油封配方与唇口设计 | low-friction oil-seal design | 以氢化丁腈加固体润滑剂配方并减小唇口过盈，起动摩擦力明显降低
            电磁比例阀半主动控制 | semi-active control with proportional valve | 用天棚与地棚混合算法控制比例阀并补偿油温漂移，单通道响应不超过12 ms
            活塞杆镀层替代硬铬工艺 | alternative to hard chrome on rods | 以等离子氮化加氧化复合处理替代电镀硬铬，无含铬废水
            气液分离防乳化结构 | anti-aeration structure | 采用弹性浮动活塞隔离气室，大行程连续冲击时阻尼力不衰减
        """,
        problems="""
            {o}连续颠簸后油液乳化，阻尼力衰减明显，手感变软
            {o}冬季起动摩擦大、夏季渗油，售后更换集中在前两年
            {o}的阻尼调校依赖试车员主观评价，开发周期长
        """,
        tried="""
            曾提高充气压力，乳化有所改善，但油封磨损加快
            曾更换进口油封，渗油减少，低温摩擦仍偏大
        """,
        metrics=(
            m(
                "30 min连续冲击后阻尼力保持率",
                "damping retained after 30 min of shocks",
                "%",
                (70, 78),
                (91, 96),
                0,
                "示功试验",
            ),
            m("起动摩擦力", "breakaway friction", "N", (62, 80), (24, 34), 0, "-20 ℃"),
            m("耐久后渗油率", "leak rate after endurance", "%", (3.5, 5), (0.3, 0.8), 1, "100万次往复"),
        ),
        proves="1 23 1 3 1",
        answers="1 2 1 2 1",
        wants="""
            {o}阻尼衰减与乳化治理
            {o}低摩擦与防渗油技术
            {o}半主动控制方案
            {o}调校仿真与试验方法
        """,
        tasks="""
            完成油路与阀系建模并与示功图对标
            提供阀系、油封或表面处理方案
            完成耐久、高低温与路试验证
            给出量产检验方法与成本测算
        """,
        needs="需示功机与耐久台架，阀片冲压模可沿用",
    ),
    topic(
        "vehicle-battery-thermal",
        "动力电池热管理与安全",
        "thermal management and safety of traction batteries",
        goal="热安全",
        field=F.NEW_ENERGY,
        ipc="H01M 10/613; H01M 10/48; H01M 50/383",
        keywords="电池热管理 热失控 均温 电池箱",
        incumbent="自然散热电池箱",
        objects="""
            电动摩托车换电电池包 | swappable packs of electric motorcycles
            两轮车锂电池组 | two-wheeler lithium packs
            电动叉车电池系统 | forklift battery systems
            房车驻车电池 | recreational-vehicle house batteries
            户外储能电源 | portable power stations
        """,
        methods="""
            相变材料与液冷复合结构 | phase-change and liquid-cooling hybrid | 在电芯间布置定型相变片承担峰值热流，液冷板只带走平均热量
            热失控气体早期探测方法 | early gas detection of thermal runaway | 同时监测氢气与电解液挥发物并以电压微降校验，报警早于冒烟
            气凝胶隔热防扩散结构 | aerogel barrier | 以预氧丝气凝胶毡与云母片组合隔热，单体失控不引燃相邻电芯
            电池内阻在线估计算法 | on-line resistance estimation | 用脉冲负载的电压响应递推估计内阻，识别连接松动与析锂倾向
            定向泄压与阻燃壳体 | directional venting with flame-retardant case | 在箱体底部设置折弯泄压通道并用陶瓷化硅橡胶密封
        """,
        problems="""
            {o}夏季快充时电芯温差大，循环寿命衰减不一致
            {o}室内充电起火风险受关注，强制标准对热扩散提出新要求
            {o}空间狭小又要求防水，常规风冷难以布置
        """,
        tried="""
            曾在箱体内加装风扇，温差降低有限且防护等级下降
            曾使用普通泡棉隔热，针刺试验仍发生扩散
        """,
        metrics=(
            m(
                "快充末端电芯最大温差",
                "maximum cell temperature difference",
                "K",
                (9, 13),
                (2.5, 4.0),
                1,
                "1C充电、环境35 ℃",
            ),
            m("热失控预警提前时间", "warning time before venting", "min", (0.5, 1.5), (6, 11), 0, "过充触发"),
            m(
                "单体失控后相邻电芯不起火时间",
                "time without propagation",
                "min",
                (3, 6),
                (35, 60),
                0,
                "加热触发",
            ),
            m(
                "600次循环后容量保持率",
                "capacity retained after 600 cycles",
                "%",
                (74, 79),
                (87, 91),
                0,
                "常温",
            ),
        ),
        proves="14 2 3 24 3",
        answers="3 2 2 1 2",
        wants="""
            {o}热扩散防护
            {o}快充均温技术
            {o}故障预警与健康评估
            {o}轻量化防水箱体与散热
        """,
        tasks="""
            建立电芯产热与箱体传热模型
            设计隔热、散热与泄压方案并试制
            完成热扩散、针刺、浸水试验
            提供预警算法与阈值标定报告
        """,
        needs="需防爆试验条件，电芯厂需提供产热参数",
    ),
    topic(
        "vehicle-gear",
        "齿轮与传动件制造",
        "gears and driveline parts",
        goal="降噪延寿",
        field=F.ADVANCED_MANUFACTURING,
        ipc="F16H 55/17; B23F 19/00; C21D 9/32",
        keywords="齿轮 啸叫 热处理变形 修形",
        incumbent="滚剃加渗碳淬火的常规工艺",
        objects="""
            摩托车变速齿轮 | motorcycle transmission gears
            减速器斜齿轮 | helical reducer gears
            差速器锥齿轮 | differential bevel gears
            主减速器齿轮 | final-drive gears
            电动车两挡变速器齿轮 | gears of two-speed electric drives
        """,
        methods="""
            冷精锻近净成形工艺 | cold near-net forging | 采用分流法和浮动凹模成形齿形，锻后只需磨定位面，材料利用率提高 | 1 3
            齿面拓扑修形方法 | topological flank modification | 以传动误差峰峰值最小为目标，联合优化齿向鼓形和齿顶修缘
            真空低压渗碳与气淬工艺 | low-pressure carburising with gas quench | 按齿厚分段控制碳势脉冲和气淬压力，变形量可重复
            齿面超精强力珩磨工艺 | power honing | 用可控偏摆的珩轮去除热处理变形，齿面纹理有利于降噪 | 1 2 4 5
            复合喷丸强化工艺 | duplex shot peening | 先高强度后低强度两次喷丸，齿根残余压应力提高而齿面粗糙度不变差
        """,
        problems="""
            {o}改用电驱动后没有发动机声掩蔽，啸叫成为主要投诉
            {o}渗碳淬火后齿形变形分散，磨齿成本高
            {o}的磨齿、珩齿工序占加工成本三成以上，产能受制于进口设备
        """,
        tried="""
            曾把齿轮精度由7级提到6级，成本上升约25%，啸叫只略有改善
            曾用剃齿代替磨齿，热处理后噪声离散，返修率约8%
        """,
        metrics=(
            m(
                "传动误差峰峰值",
                "peak-to-peak transmission error",
                "μm",
                (5.5, 7.5),
                (1.6, 2.4),
                1,
                "额定转矩",
            ),
            m("1 m处啸叫声级", "whine level at 1 m", "dB(A)", (74, 78), (63, 67), 0, "台架扫频"),
            m("接触疲劳寿命", "contact fatigue life", "万次", (480, 620), (1150, 1450), -1, "同一应力水平"),
        ),
        proves="3 12 13 12 3",
        answers="3 1 2 2 2",
        wants="""
            {o}啸叫控制
            {o}热处理变形控制
            {o}高效精加工与降本
            {o}下线检测与故障定位
        """,
        tasks="""
            测量现有齿轮误差与噪声阶次
            提供修形、成形或热处理方案
            试制三批并做过程能力评估
            完成疲劳与整箱台架试验
        """,
        needs="需磨齿或珩齿设备以及可编程气氛热处理炉",
    ),
    topic(
        "vehicle-sensor",
        "车用位置与转速传感器",
        "automotive position and speed sensors",
        goal="可靠性提升",
        field=F.ELECTRONICS,
        ipc="G01D 5/14; G01P 3/488; G01D 11/24",
        keywords="车用传感器 霍尔 防水封装 功能安全",
        incumbent="现行量产件",
        objects="""
            轮速传感器 | wheel-speed sensors
            曲轴位置传感器 | crankshaft-position sensors
            油门转把位置传感器 | throttle-grip position sensors
            换挡位置传感器 | gear-position sensors
            电子驻车位置传感器 | parking-brake position sensors
        """,
        methods="""
            差分霍尔自校准电路 | self-calibrating differential Hall circuit | 上电后利用前几圈信号校准气隙与偏置，安装误差放宽一倍
            低压注塑封装工艺 | low-pressure overmoulding | 用聚酰胺热熔胶在0.4 MPa下包封，元件不受冲击，省去灌胶固化
            接触件镀层替代方法 | alternative contact plating | 以锡银合金配合微动抑制结构替代镀金，接触电阻长期稳定
            多余度信号诊断算法 | redundant-signal diagnosis | 用双通道反向输出互检并识别断线、短路与漂移，单通道失效时可降级工作
            电磁屏蔽端接结构 | shielded termination | 采用360度环压屏蔽端接，减小共模辐射且可自动装配
        """,
        problems="""
            {o}装在泥水和振动环境，进水、信号丢失占售后问题的一半以上
            {o}气隙和装配误差要求严，产线调试返修多
            {o}价格竞争激烈，镀金和进口芯片成本占比高
        """,
        tried="""
            曾加大灌胶量，冷热冲击后仍从线缆根部渗水
            曾改用国产芯片直接替换，高温漂移超差
        """,
        metrics=(
            m(
                "冷热冲击后失效率",
                "failure rate after thermal shock",
                "10⁻⁶",
                (850, 1300),
                (60, 130),
                -1,
                "-40至125 ℃、1000次",
            ),
            m("允许安装气隙", "permissible air gap", "mm", (1.0, 1.3), (2.2, 2.8), 1, "全温区"),
            m("单件材料成本", "material cost per piece", "元", (11.5, 13.5), (7.2, 8.6), 1, "月产5万件"),
        ),
        proves="2 13 13 1 13",
        answers="2 1 3 1 1",
        wants="""
            {o}防水与耐候可靠性提升
            {o}国产芯片替代
            {o}自动化封装工艺
            {o}自诊断与功能安全开发
        """,
        tasks="""
            完成失效件分析与环境剖面定义
            开发封装、电路或算法方案
            完成电磁兼容、冷热冲击、防水试验
            小批量装车验证
        """,
        needs="需低压注塑机或自动压接线，车规试验可委托第三方",
    ),
    topic(
        "vehicle-rubber",
        "密封件与橡塑件",
        "sealing and rubber–plastic parts",
        goal="耐久性提升",
        field=F.NEW_MATERIALS,
        ipc="C08L 23/16; F16J 15/10; C08K 3/04",
        keywords="橡胶密封 耐老化 低压缩永久变形 低气味",
        incumbent="普通三元乙丙或丁腈胶料",
        objects="""
            电池箱密封圈 | battery-box gaskets
            冷却水管 | coolant hoses
            车窗密封条 | window weatherstrips
            制动皮碗 | brake cups
            线束护套 | wiring grommets
        """,
        methods="""
            低压缩永久变形胶料配方 | low-compression-set compound | 采用双活性助交联剂与高顺式主链匹配，密封力保持时间延长
            微孔发泡连续挤出工艺 | continuous microcellular extrusion | 以微波与热风分段硫化控制泡孔，密度波动不超过3% | 1 3
            白炭黑原位改性方法 | in-situ modification of silica | 在密炼阶段完成硅烷化并控制排气，动态压缩生热下降
            气味与挥发物脱除工艺 | odour and VOC stripping | 在挤出段引入水汽提脱挥并加装真空分离，成品气味等级不高于3级 | 3 5
            防老剂接枝方法 | grafted antioxidant | 把防老剂接枝到橡胶主链，长期受热不迁移、不喷霜
        """,
        problems="""
            {o}在介质浸泡和高低温交变下密封力衰减，两三年后渗漏
            {o}的气味和挥发物指标收紧，配方调整后硫化又变慢
            {o}长期受热后变硬、表面喷霜，更换周期短于整车保养周期
        """,
        tried="""
            曾提高硫化程度，压缩永久变形降低，但低温变脆
            曾加倍添加防老剂，表面喷霜被主机厂退货
        """,
        metrics=(
            m("压缩永久变形", "compression set", "%", (32, 40), (12, 18), 0, "125 ℃、1000 h"),
            m(
                "热老化后拉伸强度保持率",
                "tensile strength kept after ageing",
                "%",
                (66, 73),
                (86, 92),
                0,
                "150 ℃、504 h",
            ),
            m("总挥发性有机物", "total volatile organics", "μg/g", (78, 105), (24, 38), 0, "热脱附法"),
        ),
        proves="12 1 1 3 2",
        answers="1 1 1 2 3",
        wants="""
            {o}长寿命配方开发
            {o}低气味低挥发技术
            {o}耐热老化与防喷霜配方
            {o}硫化工艺与模具改进
        """,
        tasks="""
            明确工况介质与密封力要求
            完成配方设计与小试、中试
            做老化、浸液、低温与气味试验
            给出模具流道与硫化曲线
        """,
        needs="需密炼、挤出或平板硫化设备，配方以技术秘密许可",
    ),
    topic(
        "vehicle-coating",
        "表面处理与绿色涂装",
        "surface treatment and clean coating",
        goal="清洁生产",
        field=F.ENVIRONMENT,
        ipc="C25D 11/02; B05D 7/14; C23C 22/34",
        keywords="表面处理 涂装 无铬 粉末涂料",
        incumbent="含铬钝化加溶剂型喷漆",
        objects="""
            铝轮毂 | aluminium wheels
            摩托车油箱 | motorcycle fuel tanks
            紧固件 | fasteners
            铝合金车架 | aluminium frames
            汽车踏板护杠 | running boards and bars
        """,
        methods="""
            无铬锆系转化膜工艺 | chromium-free zirconium conversion | 以氟锆酸与有机硅共沉积形成转化膜，室温处理且不需镍封 | 1 2 4 5
            微弧氧化复合封孔工艺 | micro-arc oxidation with sealing | 用双极性脉冲降低能耗，并以溶胶封孔提高耐蚀 | 1 4
            低温固化粉末涂料 | low-cure powder coating | 调整固化剂使固化温度降至150 ℃，同膜厚下能耗下降 | 1 2 4 5
            喷涂轨迹与膜厚预测方法 | path and film-thickness prediction | 由喷枪沉积模型离线规划轨迹，首件膜厚即在公差内 | 1 2 4 5
            锌铝片涂层配方 | zinc–aluminium flake coating | 以水性硅酸盐黏结剂替代有机溶剂，不含六价铬且无氢脆 | 3
        """,
        problems="""
            {o}的含铬、含镍工序受排放限制，园区要求限期替代
            {o}异形件膜厚不均，返喷率高
            {o}烘烤能耗占涂装成本近四成
        """,
        tried="""
            曾换用三价铬钝化，盐雾时间达不到主机厂要求
            曾改水性漆，冬季湿度大时流挂严重
        """,
        metrics=(
            m("中性盐雾时间", "neutral salt-spray time", "h", (360, 480), (960, 1300), -1, "划叉件"),
            m("返喷率", "rework rate", "%", (11, 15), (2.0, 3.5), 1, "月度统计"),
            m("单件涂装能耗", "energy per coated part", "kWh", (1.9, 2.3), (1.1, 1.4), 1, "同一零件"),
        ),
        proves="13 1 3 2 1",
        answers="1 1 3 2 1",
        wants="""
            {o}无铬表面处理
            {o}低能耗涂装工艺
            {o}膜厚一致性提升
            {o}高耐蚀涂层
        """,
        tasks="""
            对比三种替代工艺的耐蚀与成本
            完成中试线改造方案与试运行
            测算排放与能耗变化
            形成槽液管理和检验规程
        """,
        needs="现有前处理线可改造，槽体需换用耐氟材料",
    ),
)
