"""Topics of the pump and motor industry (泵与电机)."""

from __future__ import annotations

from market.deals.models import TechnicalField as F
from web.demo.content.grammar import m, topic

TOPICS = (
    topic(
        "pump-hydraulics",
        "潜水电泵水力设计",
        "hydraulic design of submersible pumps",
        goal="提效",
        field=F.ADVANCED_MANUFACTURING,
        ipc="F04D 29/22; F04D 29/44; F04D 13/08",
        keywords="潜水泵 水力设计 叶轮 高效区",
        incumbent="同规格现行叶轮机型",
        objects="""
            井用潜水泵 | submersible borehole pumps
            不锈钢深井泵 | stainless-steel deep-well pumps
            农用小型潜水泵 | small agricultural submersible pumps
            立式井筒多级泵 | vertical borehole multistage pumps
            地源热泵井用潜水泵 | submersible pumps for ground-source heat pumps
        """,
        methods="""
            叶轮与导叶匹配优化 | impeller–diffuser matching | 把叶轮出口角与导叶进口角作为一组变量联合寻优，在0.8、1.0、1.2倍额定流量三点同时约束效率和扬程，避免只在设计点好看
            空间导叶流道重构 | reshaped spatial diffuser passages | 以过流断面面积沿流线均匀变化为约束重建空间导叶流道，消除了导叶喉部的二次流分离
            变曲率叶片造型 | variable-curvature blade shaping | 用四段贝塞尔曲线描述叶片骨线，按载荷前移分布反求曲率，叶片数由7片减为6片而扬程不降
            低比转速叶轮复合设计 | compound design of low-specific-speed impellers | 在长叶片之间布置短叶片并向吸力面偏置，抑制低比转速叶轮流道内的轴向旋涡
            口环间隙流动控制 | wear-ring leakage control | 在口环静止面加工反向螺旋浅槽，使间隙泄漏量下降而不缩小间隙，含沙水中不易抱死
        """,
        problems="""
            {o}在偏离设计点运行时效率下降快，实际井况流量又常年落在额定值的六到八成，用户端电耗高
            {o}受井筒尺寸限制，叶轮外径不能加大，靠增加级数提扬程带来轴长和轴向力同时增大的问题
            {o}的流道表面粗糙、叶片厚度偏差大，样机与批量产品的效率相差可达3个百分点
        """,
        tried="""
            曾把叶轮口环间隙由0.30 mm收到0.20 mm，效率只提高约1个百分点，含沙水中反而出现抱轴
            曾委托外协仿制国外叶轮，样机达标而批量件效率离散，合格率不到六成
        """,
        metrics=(
            m("水泵效率", "pump efficiency", "%", (58, 63), (66, 71), 0, "额定工况"),
            m(
                "高效区宽度（占额定流量）",
                "width of the efficient range",
                "%",
                (34, 42),
                (55, 66),
                0,
                "效率不低于峰值的92%",
            ),
            m("单级扬程", "head per stage", "m", (6.2, 6.8), (7.4, 8.1), 1, "额定流量、2850 r/min"),
        ),
        proves="12 12 13 13 1",
        answers="1 1 2 2 1",
        wants="""
            {o}宽高效区水力模型开发
            {o}在六至八成流量下的提效技术
            {o}批量件与样机效率一致性控制
            在井径不变条件下提高{o}单级扬程的水力方案
        """,
        tasks="""
            建立三个流量点的联合优化模型并给出两套水力方案
            完成样机试制与第三方台架试验，提供外特性曲线
            给出铸造流道的尺寸公差与表面粗糙度控制要求
            编制系列化放大（相似换算）数据表
        """,
        needs="承接方需具备精密铸造或注塑叶轮的开模能力和B级精度水泵试验台",
    ),
    topic(
        "pump-noise",
        "循环泵与家用泵减振降噪",
        "noise and vibration of domestic and circulator pumps",
        goal="降噪",
        field=F.ADVANCED_MANUFACTURING,
        ipc="F04D 29/66; F04D 29/22; H02K 5/24",
        keywords="循环泵 降噪 振动 流致噪声",
        incumbent="现售同功率机型",
        objects="""
            热水循环屏蔽泵 | canned hot-water circulators
            家用增压泵 | domestic booster pumps
            空气能热泵用循环泵 | circulators for air-source heat pumps
            燃气壁挂炉循环泵 | circulators for gas boilers
            小型管道泵 | small in-line pumps
        """,
        methods="""
            不等距叶片布置 | unevenly spaced blades | 采用不等距叶片打散叶频能量，再以动平衡约束修正角度组合，把叶频峰值分摊到邻近频带
            蜗壳隔舌斜切与双涡室匹配 | slanted tongue with a double volute | 将隔舌沿轴向斜切并与双涡室错位匹配，使叶轮尾迹不同时撞击隔舌
            定子槽口与转子斜极协同 | joint stator-slot and rotor-skew design | 以径向电磁力的2阶分量为目标同时选取定子槽口宽度和转子斜极角，避开机壳固有频率
            底座局域共振隔振 | locally resonant base isolation | 在底座内嵌质量—橡胶单元，带隙覆盖90 Hz至140 Hz，不加大外形
            气液两相吸入消声 | suction muffling for gas–liquid flow | 在吸入腔设置渐扩稳流格栅和排气通道，减少夹气运行时的间歇性爆鸣
        """,
        problems="""
            {o}装在厨房、阳台等居室环境，夜间低频噪声投诉多，而叶频与电磁噪声叠加后难以分清来源
            {o}整机噪声离散大，同一批产品之间相差5 dB(A)以上，出厂全检又没有合适的静音工位
            {o}为降成本采用薄壁机壳，机壳模态与二倍电源频率接近，容易共振
        """,
        tried="""
            曾在机壳外贴阻尼片，高频有改善而100 Hz附近基本没有变化
            曾更换低噪声轴承，整机只降低约1 dB(A)，成本增加6元
        """,
        metrics=(
            m(
                "整机噪声（A计权，距机壳1 m）",
                "sound pressure level at 1 m",
                "dB(A)",
                (50, 55),
                (40, 44),
                0,
                "半消声室、额定工况",
            ),
            m(
                "机脚振动速度有效值",
                "r.m.s. vibration velocity",
                "mm/s",
                (2.4, 3.1),
                (1.0, 1.5),
                1,
                "额定工况",
            ),
            m(
                "同批产品噪声极差",
                "noise spread within a batch",
                "dB(A)",
                (4.5, 6.0),
                (1.6, 2.4),
                1,
                "50台抽检",
            ),
        ),
        proves="1 12 123 12 13",
        answers="1 1 3 3 1",
        wants="""
            {o}低频噪声治理技术
            {o}整机噪声降至居室可接受水平的方案
            {o}噪声在线检测与异音判别
            {o}电磁噪声与水力噪声分离及源头改进
        """,
        tasks="""
            用阵列测量和阶次分析区分水力、电磁、机械三类声源
            提出水力与电磁两侧的改进方案并各做两台样机
            建立出厂噪声在线检测的判据与工位方案
            给出成本增加不超过单台8元的量产方案
        """,
        needs="承接方需有半消声室或可租用的测试条件，并能配合修改蜗壳模具",
    ),
    topic(
        "pump-seal",
        "泵用机械密封与轴承可靠性",
        "mechanical seals and bearings of pumps",
        goal="延寿",
        field=F.ADVANCED_MANUFACTURING,
        ipc="F16J 15/34; F04D 29/12; F16C 33/10",
        keywords="机械密封 碳化硅 干运转 滑动轴承",
        incumbent="普通石墨—陶瓷配对密封",
        objects="""
            污水潜水泵 | sewage submersible pumps
            农用自吸泵 | self-priming farm pumps
            化工流程离心泵 | chemical process pumps
            立式多级泵 | vertical multistage pumps
            排沙潜水泵 | sand-handling submersible pumps
        """,
        methods="""
            密封端面激光微织构 | laser microtexturing of seal faces | 用皮秒激光在碳化硅环上加工深6至8 μm的椭圆微坑，按泵送方向排布，停机时贴合、运行时形成流体动压膜
            类金刚石涂层密封环 | diamond-like-carbon coated seal rings | 在碳化硅环表面沉积含钨过渡层的类金刚石膜，短时断水干摩擦不烧环
            双端面自补偿密封结构 | self-compensating double seal | 以波形弹簧与压差活塞共同补偿端面磨损，油室压力随介质压力自动跟随
            水润滑滑动轴承材料 | water-lubricated bearing material | 以碳纤维和聚四氟乙烯改性聚醚醚酮作轴瓦，并在承载区开收敛楔形槽 | 1 4 5
            密封腔防砂循环流道 | sand-shedding seal chamber | 在密封腔内布置螺旋导流肋，使砂粒向外缘迁移并经平衡孔排出，不需外接冲洗水
        """,
        problems="""
            {o}的售后返修中近半数由密封泄漏引起，且泄漏多发生在启停和短时断水之后
            {o}介质含砂或含纤维，密封腔内颗粒聚集，端面在几百小时内即被划伤
            {o}更换密封需整机拆解，单次停机损失远高于密封件本身价格
        """,
        tried="""
            曾改用进口密封，寿命延长约三成，但单价是国产件的四倍
            曾加装干运转保护电路，能防烧机却不能解决启停阶段的端面磨损
        """,
        metrics=(
            m(
                "密封平均寿命",
                "mean seal life",
                "h",
                (2600, 3500),
                (7200, 9000),
                -2,
                "含砂量0.1%的清水循环台",
            ),
            m(
                "断水干运转不泄漏时间",
                "dry-running time without leakage",
                "min",
                (1.5, 3),
                (15, 25),
                0,
                "2900 r/min",
            ),
            m(
                "端面摩擦系数",
                "friction coefficient of the faces",
                "",
                (0.11, 0.14),
                (0.04, 0.06),
                2,
                "0.6 MPa、水润滑",
            ),
        ),
        proves="13 23 1 2 1",
        answers="1 1 3 1 2",
        wants="""
            {o}耐干运转机械密封
            {o}含砂介质下的密封延寿技术
            {o}密封国产替代与寿命评价方法
            {o}轴承与密封一体化延寿方案
        """,
        tasks="""
            分析返修件失效形貌，区分干磨、磨粒和热裂三种机理
            提供密封副材料与端面结构方案并完成摩擦副试验
            搭建加速寿命试验台，给出与现场寿命的换算关系
            完成不少于20台整机的现场挂机验证
        """,
        needs="需要密封环研磨与端面检测设备；织构或镀膜工序可委托加工",
    ),
    topic(
        "pump-motor",
        "泵用永磁电机与驱动控制",
        "permanent-magnet motors and drives for pumps",
        goal="节能",
        field=F.NEW_ENERGY,
        ipc="H02K 1/27; H02P 21/22; F04D 15/00",
        keywords="永磁同步电机 无位置传感器 变频 恒压供水",
        incumbent="三相异步电机加外置变频器",
        objects="""
            变频供水泵 | variable-speed water-supply pumps
            高速永磁离心泵 | high-speed permanent-magnet centrifugal pumps
            净水设备增压泵 | booster pumps of water purifiers
            一体化智能增压泵 | integrated smart booster pumps
            空调冷冻水泵 | chilled-water pumps
        """,
        methods="""
            铁氧体辅助磁阻转子 | ferrite-assisted reluctance rotor | 用三层磁障铁氧体辅助同步磁阻转子替代稀土永磁，按泵类负载的平方转矩特性优化磁障张角
            无位置传感器低速起动控制 | sensorless low-speed starting | 低速段用高频方波注入、中高速段用磁链观测器，两段之间按置信度加权切换，不产生转矩冲击
            无传感器恒压估计 | sensorless constant-pressure estimation | 由电流、转速和泵特性曲线实时反推流量与扬程，省去压力传感器仍可恒压供水
            电机与驱动器一体化水冷结构 | water-cooled integrated motor drive | 让驱动器功率板贴靠泵腔背板，由被输送介质带走热量，取消散热风扇
            谐波抑制薄膜电容整流 | film-capacitor rectifier with harmonic suppression | 以小容量薄膜电容配合有源阻尼控制代替电解电容，输入谐波满足并网限值且寿命延长
        """,
        problems="""
            {o}长期在部分负荷运行，异步电机低速段效率低，外置变频器又占空间、接线多
            {o}对成本敏感，稀土磁钢价格波动时整机毛利被吃掉
            {o}驱动板装在潮湿、高温的泵房里，电解电容和风扇是最先失效的部件
        """,
        tried="""
            曾外购通用变频器配套，低速时压力波动大，用户反映水忽冷忽热
            曾自行开发驱动板，起动失败率约千分之五，带载反转时容易过流保护
        """,
        metrics=(
            m("电机与驱动系统效率", "motor-drive system efficiency", "%", (72, 76), (84, 88), 0, "50%负载点"),
            m(
                "恒压控制压力波动",
                "pressure ripple under constant-pressure control",
                "%",
                (7, 10),
                (1.8, 3.0),
                1,
                "用水量阶跃50%",
            ),
            m(
                "带载起动成功率",
                "success rate of loaded starts",
                "%",
                (99.2, 99.5),
                (99.95, 99.99),
                2,
                "连续1万次起停",
            ),
        ),
        proves="1 3 2 1 1",
        answers="2 1 1 3 3",
        wants="""
            {o}低成本高效永磁驱动方案
            {o}无传感器恒压控制算法
            {o}驱动器高温高湿可靠性提升
            {o}少稀土电机开发
        """,
        tasks="""
            完成电机电磁方案并给出与现有定子冲片的通用性评估
            移植控制算法到国产微控制器，提供源代码与参数整定说明
            开展高温高湿和电压暂降下的可靠性试验
            完成整机能效标识检测
        """,
        needs="承接方需具备电机下线装配线和驱动板贴片配套，控制代码可按芯片平台移植",
    ),
    topic(
        "pump-wear",
        "泵过流部件耐蚀耐磨",
        "corrosion and wear of wetted pump parts",
        goal="耐蚀耐磨",
        field=F.NEW_MATERIALS,
        ipc="C23C 4/12; C22C 38/44; F04D 29/02",
        keywords="过流部件 耐磨涂层 双相不锈钢 空蚀",
        incumbent="普通304不锈钢部件",
        objects="""
            海水提升泵 | seawater lift pumps
            渣浆泵 | slurry pumps
            养殖循环水泵 | aquaculture circulating pumps
            污水切割泵 | sewage grinder pumps
            盐化工离心泵 | centrifugal pumps for brine
        """,
        methods="""
            超音速火焰喷涂碳化钨涂层 | high-velocity flame-sprayed tungsten-carbide coating | 在叶轮出口边和口环处喷涂碳化钨—钴铬涂层，机器人按叶片曲面恒距走枪，涂层厚度偏差不超过25 μm
            双相不锈钢砂型铸造工艺 | sand casting of duplex stainless steel | 控制氮含量和固溶后水冷速度，使铁素体比例稳定在45%至55%，避免薄壁处析出σ相
            激光熔覆钴基修复 | cobalt-based laser cladding repair | 以同轴送粉在磨损叶轮上熔覆钴基合金，层间温度闭环控制，旧件可返修两次以上
            陶瓷颗粒增强聚氨酯衬里 | ceramic-filled polyurethane lining | 在泵壳内浇注碳化硅颗粒增强聚氨酯，底涂采用双组分偶联层，冲击下不起皮
            阴极保护与涂层联合防护 | cathodic protection combined with coating | 在泵壳内腔按电位分布布置小型牺牲阳极并配合环氧涂层，避免异种金属接触处的电偶腐蚀
        """,
        problems="""
            {o}接触高氯离子介质，普通不锈钢件半年内出现点蚀，停机换泵影响生产
            {o}在含固颗粒的冲刷下叶轮出口边最先变薄，扬程逐月下降而用户不易察觉
            {o}的过流件牌号和热处理缺少评价依据，换料只能凭经验试
        """,
        tried="""
            曾把泵体换成316L，成本上升四成，缝隙腐蚀仍在密封压盖处出现
            曾在叶轮上刷环氧漆，两个月后在进口边脱落
        """,
        metrics=(
            m("冲蚀磨损失重速率", "erosion mass-loss rate", "mg/h", (38, 46), (6, 10), 0, "含砂5%、冲角30°"),
            m(
                "中性盐雾无锈蚀时间",
                "salt-spray time to first rust",
                "h",
                (240, 360),
                (1500, 2000),
                -1,
                "GB/T 10125",
            ),
            m(
                "现场平均更换周期",
                "mean replacement interval on site",
                "个月",
                (5, 7),
                (16, 22),
                0,
                "三个用户现场",
            ),
        ),
        proves="13 23 13 13 23",
        answers="2 1 2 2 1",
        wants="""
            {o}过流件耐氯离子腐蚀材料与工艺
            {o}叶轮表面强化与再制造
            {o}用低成本耐磨衬里
            {o}过流部件寿命评价与选材方法
        """,
        tasks="""
            对失效件做成分、金相和腐蚀产物分析
            提供两种材料或涂层方案的冲蚀与腐蚀对比数据
            确定量产工艺参数与检验规程
            选两个以上用户现场挂机满半年
        """,
        needs="喷涂、熔覆工序可由成果方试制，量产需新增机器人喷涂或熔覆工位",
    ),
    topic(
        "pump-vacuum",
        "干式真空泵",
        "dry vacuum pumps",
        goal="性能提升",
        field=F.ADVANCED_MANUFACTURING,
        ipc="F04C 18/16; F04C 25/02; F04C 29/00",
        keywords="干式真空泵 螺杆转子 热态间隙 极限真空",
        incumbent="上一代等螺距干式机型",
        objects="""
            干式螺杆真空泵 | dry screw vacuum pumps
            锂电干燥用螺杆真空泵 | screw vacuum pumps for battery drying
            多级爪式真空泵 | multistage claw vacuum pumps
            多级罗茨真空泵 | multistage Roots vacuum pumps
            制药用干式真空机组 | dry vacuum sets for pharmaceuticals
        """,
        methods="""
            变螺距转子型线设计 | variable-pitch rotor profiling | 以内压缩比和排气温度双约束求解变螺距转子型线，并给出单刀成形的加工轨迹 | 1 2 5
            转子腔分区冷却 | zoned cooling of the rotor chamber | 把泵体冷却水道分为吸气、压缩、排气三区独立控温，使转子与泵腔热膨胀同步
            非接触转子间隙预测 | prediction of non-contact clearances | 由温度场和载荷场耦合计算热态间隙，反推冷态装配间隙，减少试装次数
            自润滑轴封与氮气隔离结构 | self-lubricating shaft seal with nitrogen barrier | 采用改性聚四氟乙烯唇封与氮气微正压组合，磨屑少，齿轮箱油不进入泵腔
            可凝性气体防凝结结构 | condensation-proof gas path | 在压缩腔引入受控气镇并加热端盖，抽水汽时不乳化、不积液
        """,
        problems="""
            {o}热态间隙难以控制，间隙小会咬死，间隙大则极限真空度上不去
            {o}抽取水汽或粉尘时容易积液、结垢，连续运行不到三个月就要拆洗
            {o}的转子加工与配对依赖老师傅，装配返工率高
        """,
        tried="""
            曾把装配间隙统一放大0.03 mm，咬死没有了，极限真空却差了一个量级
            曾外购转子，交期长且端面跳动超差，仍需逐台研配
        """,
        metrics=(
            m("极限压力", "ultimate pressure", "Pa", (18, 30), (2, 5), 0, "封闭吸气口稳定2 h后"),
            m(
                "单位抽速功耗",
                "power per unit pumping speed",
                "kW/(100 m³/h)",
                (3.0, 3.4),
                (2.2, 2.5),
                1,
                "吸气压力1 kPa",
            ),
            m(
                "无故障连续运行时间",
                "continuous running time without fault",
                "h",
                (1800, 2500),
                (6000, 8000),
                -2,
                "含水汽工况",
            ),
        ),
        proves="12 13 13 3 3",
        answers="1 1 3 2 2",
        wants="""
            {o}热态间隙控制与咬死预防
            {o}极限真空提升技术
            抽水汽工况下{o}的防积液方案
            {o}转子型线与高效加工工艺
        """,
        tasks="""
            完成型线或结构方案及温度场—间隙耦合计算
            给出转子加工轨迹、刀具方案与测量方法
            试制两台样机并完成抽速曲线和极限压力测试
            形成装配间隙与配对的工艺规范
        """,
        needs="需有四轴以上铣削或专用磨齿设备，装配间需恒温",
    ),
    topic(
        "compressor-energy",
        "空气压缩机节能",
        "energy saving in air compressors",
        goal="节能",
        field=F.NEW_ENERGY,
        ipc="F04C 18/16; F04C 29/04; F04C 28/08",
        keywords="空压机 比功率 余热回收 联动控制",
        incumbent="单级定频螺杆机",
        objects="""
            永磁变频螺杆空压机 | permanent-magnet variable-speed screw compressors
            工频螺杆空压机 | fixed-speed screw compressors
            两级压缩螺杆空压机 | two-stage screw compressors
            激光切割用螺杆空压机 | screw compressors for laser cutting
            纺织车间用螺杆空压机 | screw compressors of textile mills
        """,
        methods="""
            喷油量自适应调节 | adaptive oil injection | 根据排气温度和压比实时调节喷油量，在保证密封的前提下减少搅油损失
            转子型线与端面间隙优化 | rotor-profile and end-clearance optimisation | 按实际压比重新匹配转子型线的内容积比，并以分组选配把排气端面间隙控制在0.04 mm以内
            多机联动调度算法 | multi-unit dispatch | 用管网压力和未来10分钟的用气预测决定加卸载顺序，压力带由0.15 MPa收窄到0.05 MPa
            油路余热梯级回收 | staged recovery of oil heat | 把油冷却器改为双级换热，先产60 ℃热水再预热进风，不影响排气温度下限
            级间冷却气水分离结构 | intercooler with moisture separation | 在级间冷却器内集成折流分离段，使二级吸气温度和含水同时降低 | 3
        """,
        problems="""
            {o}电费占使用成本七成以上，部分负荷时比功率明显变差
            {o}的排气压力带设置过宽，末端真正需要的压力低于供气压力，浪费在减压阀上
            {o}夏季排气温度高、含水多，后处理能耗随之上升
        """,
        tried="""
            曾直接加装变频器，低速时油气分离效果变差，含油量超标
            曾做余热改造，热水温度不稳，冬季反而要补电加热
        """,
        metrics=(
            m(
                "整机输入比功率",
                "specific input power",
                "kW/(m³/min)",
                (7.4, 8.0),
                (6.2, 6.7),
                1,
                "排气压力0.7 MPa（表压）、额定流量",
            ),
            m("卸载功率占比", "share of unloaded power", "%", (32, 40), (9, 14), 0, "典型三班工况"),
            m("余热回收率", "share of heat recovered", "%", (30, 45), (66, 75), 0, "出水60 ℃"),
        ),
        proves="1 1 2 3 1",
        answers="1 1 2 1 3",
        wants="""
            {o}部分负荷节能技术
            {o}比功率达到一级能效的改进方案
            {o}联动控制与用气预测
            {o}余热回收与除湿一体化
        """,
        tasks="""
            完成现有机型损失分解并排序改进项
            提出主机、油路或控制改进方案并在两台机上验证
            连续采集不少于30天用气与电量数据，给出节能量计算方法
            给出改造投资与回收期测算
        """,
        needs="改造类应用需停机2至3天；控制类应用需开放空压机通信接口",
    ),
    topic(
        "pump-monitoring",
        "泵站状态监测与智能运维",
        "condition monitoring of pump stations",
        goal="运维",
        field=F.ELECTRONICS,
        ipc="F04D 15/00; G01M 99/00; G05B 23/02",
        keywords="状态监测 故障诊断 泵站 边缘计算",
        incumbent="人工巡检加定期大修",
        objects="""
            二次供水泵房 | secondary water-supply pump rooms
            农田灌溉泵站 | irrigation pumping stations
            城市排涝泵站 | urban drainage pumping stations
            一体化污水提升泵站 | packaged sewage lift stations
            工业循环水泵组 | industrial circulating pump sets
        """,
        methods="""
            电流特征分析诊断模型 | motor-current signature diagnosis | 只用三相电流判断气蚀、堵塞、轴承损伤和偏载，不需在泵体上装传感器
            振动与声学融合的边缘诊断终端 | vibration–acoustic edge terminal | 把诊断模型量化到终端芯片上，只上传特征与告警，流量每月不超过30 MB
            小样本迁移诊断算法 | few-shot transfer diagnosis | 先在台架故障库上预训练，再用现场不超过20条记录校准，换泵型不必重新采集
            水锤与空管识别算法 | detection of water hammer and empty pipes | 由压力梯度和阀门动作时序识别水锤前兆，提前调整停泵曲线
            多泵组合能效优化调度系统 | energy-optimal pump scheduling | 在线辨识各台泵的实际特性曲线，按日用水曲线滚动求解开机组合与转速
        """,
        problems="""
            {o}点多面广、无人值守，故障多在用户投诉后才发现
            {o}的传感器加装困难，潜没部分不便布线，数据又缺少故障样本
            {o}老旧泵的实际特性已偏离样本曲线，按铭牌调度并不节能
        """,
        tried="""
            曾接入通用物联网平台，告警多而准确率低，运维人员最后关闭了推送
            曾给每台泵加装振动传感器，一年内损坏三成
        """,
        metrics=(
            m(
                "典型故障识别准确率",
                "accuracy of fault recognition",
                "%",
                (68, 76),
                (92, 96),
                0,
                "六类故障、现场数据",
            ),
            m("误报次数", "false alarms", "次/(站·月)", (9, 14), (0.8, 1.6), 1, "连续6个月"),
            m(
                "吨水百米电耗",
                "energy per tonne lifted 100 m",
                "kWh",
                (0.46, 0.52),
                (0.38, 0.42),
                2,
                "全年平均",
            ),
        ),
        proves="12 12 12 2 3",
        answers="2 1 2 1 3",
        wants="""
            {o}少传感器故障诊断
            {o}无人值守运维与告警降噪
            {o}节能调度与能效评价
            {o}水锤预警与停泵保护
        """,
        tasks="""
            建立六类以上典型故障的台架与现场样本库
            开发边缘终端和诊断模型，支持断网运行
            在不少于10个站点试运行半年并统计误报与漏报
            提供与现有监控平台的数据接口
        """,
        needs="需开放配电柜电流互感器接线或提供历史运行数据，终端安装每站半天",
    ),
    topic(
        "pump-forming",
        "泵用零件成形与连接工艺",
        "forming and joining of pump parts",
        goal="工艺提升",
        field=F.ADVANCED_MANUFACTURING,
        ipc="B21D 22/02; B23K 26/21; F04D 29/22",
        keywords="冲压焊接 叶轮 激光焊 自动化装配",
        incumbent="现行电阻点焊与人工装配线",
        objects="""
            不锈钢冲压泵叶轮 | stamped stainless pump impellers
            薄壁不锈钢泵壳 | thin-walled stainless pump casings
            不锈钢导叶组件 | stainless diffuser assemblies
            不锈钢冲压蜗壳 | stamped stainless volutes
            潜水泵导流壳 | diffuser bowls of submersible pumps
        """,
        methods="""
            摆动激光焊接工艺 | oscillating laser welding | 采用光斑摆动焊接薄壁不锈钢搭接缝，对间隙的容忍由0.05 mm放宽到0.20 mm，焊后不需校形
            视觉引导自动定位装置 | vision-guided positioning | 由双目相机识别叶片位姿并补偿夹具误差，换型时只换软件配方
            多工位级进冲压工艺 | progressive stamping | 把落料、拉深、整形合并到七工位级进模，按回弹模型预补偿型面 | 1 2 3 5
            内高压胀形工艺 | hydroforming | 以加载路径优化控制壁厚减薄，将原来三段焊接件改为整体件 | 2 4
            在线视觉与气密复合检测 | combined visual and leak inspection | 把焊缝视觉判定与压差检漏放在同一工位，单件节拍不超过12 s
        """,
        problems="""
            {o}批量大、换型频繁，焊接与装配仍靠人工定位，节拍和一致性都受限
            {o}焊后变形使流道偏移，需要人工校形，效率波动大
            {o}的模具多靠经验修模，新品从开模到定型平均要四轮试模
        """,
        tried="""
            曾引进通用机器人焊接单元，来料间隙一变就虚焊，仍要人工补焊
            曾增加校形工序，变形有所改善，节拍却增加20 s
        """,
        metrics=(
            m("一次合格率", "first-pass yield", "%", (88, 92), (97.5, 99), 1, "连续生产5000件"),
            m("单件节拍", "cycle time", "s", (34, 42), (14, 19), 0, "单线、含上下料"),
            m(
                "关键尺寸偏差",
                "deviation of the critical dimension",
                "mm",
                (0.35, 0.45),
                (0.10, 0.16),
                2,
                "三坐标抽检",
            ),
        ),
        proves="13 123 23 13 2",
        answers="2 1 3 2 1",
        wants="""
            {o}自动化焊接与变形控制
            {o}少人化生产单元
            {o}成形工艺仿真与减少试模
            {o}在线质量检测技术
        """,
        tasks="""
            分析来料偏差与缺陷的对应关系，确定工艺窗口
            设计工装与控制系统并完成单机调试
            连续试产不少于5000件并统计合格率与节拍
            交付工艺文件、备件清单和操作培训
        """,
        needs="需要约60平方米场地和压缩空气、三相电源；模具可利旧改造",
    ),
    topic(
        "pump-solar",
        "光伏提水与电动水泵系统",
        "solar pumping and electric water-pump systems",
        goal="优化",
        field=F.NEW_ENERGY,
        ipc="F04B 17/00; H02S 10/10; H02J 3/38",
        keywords="光伏水泵 最大功率点 直流无刷 灌溉",
        incumbent="恒压频比控制的光伏水泵",
        objects="""
            光伏深井提水系统 | solar deep-well pumping systems
            光伏灌溉水泵 | solar irrigation pumps
            海岛光伏供水装置 | solar water supply for islands
            牧区直流无刷提水泵 | brushless DC pumps for pastures
            光储一体喷灌机组 | solar-and-storage sprinkler sets
        """,
        methods="""
            弱光起动与变步长跟踪算法 | weak-light starting with variable-step tracking | 以光照估计决定起动门限，跟踪步长随功率曲线斜率变化，清晨傍晚仍可出水
            泵—阵列容量匹配设计方法 | sizing of pump and array | 用逐时辐照数据和井水位变化联合选型，避免阵列配大而水泵常年限功率
            光伏与市电柔性切换驱动器 | drive with seamless solar–grid switching | 直流母线并接市电整流支路，按光伏余量补足缺额，切换时不停泵
            干井与缺相保护策略 | dry-well and phase-loss protection | 由功率—转速关系判断干井，自动降速试探后再停机，减少误停
            少量储能平滑控制 | smoothing with a small battery | 仅用15分钟容量的磷酸铁锂电池吸收云遮波动，使泵在稳定转速运行
        """,
        problems="""
            {o}在早晚和多云时段频繁起停，日出水量达不到选型计算值
            {o}用在电网末端或无电地区，故障后维修半径大，保护误动作也会造成断水
            {o}出口市场要求一套驱动器适应多种泵型，参数现场整定困难
        """,
        tried="""
            曾采用通用光伏逆变器，云遮时反复起停，电机轴承磨损加快
            曾把光伏阵列放大三成，晴天限功率、阴天仍不出水
        """,
        metrics=(
            m(
                "日有效出水时间",
                "effective pumping time per day",
                "h",
                (6.0, 6.8),
                (8.2, 9.0),
                1,
                "浙东沿海4月典型日",
            ),
            m("最大功率点跟踪效率", "tracking efficiency", "%", (93, 95), (98.2, 99.1), 1, "动态辐照剖面"),
            m("多云日起停次数", "starts on a cloudy day", "次", (26, 38), (4, 8), 0, "实测10日平均"),
        ),
        proves="123 1 13 3 13",
        answers="1 1 2 2 1",
        wants="""
            {o}弱光出水与防频繁起停控制
            {o}多泵型自适应驱动器
            {o}容量匹配与选型软件
            {o}远程监控与保护策略
        """,
        tasks="""
            建立阵列—驱动—泵—井联合仿真模型
            开发控制算法并在两种功率等级上验证
            完成户外不少于60天的实证运行
            编制出口目标市场所需的测试报告
        """,
        needs="承接方需具备驱动器硬件平台与户外试验场地，算法可提供定点实现",
    ),
)
