"""Topics of the machine-tool industry (机床工具)."""

from __future__ import annotations

from market.deals.models import TechnicalField as F
from web.demo.content.grammar import m, topic

TOPICS = (
    topic(
        "tool-thermal",
        "数控机床热误差补偿",
        "thermal-error compensation of machine tools",
        goal="热误差控制",
        field=F.ADVANCED_MANUFACTURING,
        ipc="B23Q 15/18; G05B 19/404; B23Q 11/14",
        keywords="热误差 数控机床 补偿 主轴热伸长",
        incumbent="开机预热加人工对刀",
        objects="""
            斜床身数控车床 | slant-bed CNC lathes
            车削中心 | turning centres
            立式加工中心 | vertical machining centres
            排刀式数控车床 | gang-tool CNC lathes
            车铣复合机床 | turn-mill machines
        """,
        methods="""
            主轴热伸长预测模型 | spindle-growth prediction | 以主轴转速历程和三个测温点为输入，用状态空间模型预测热伸长并写入数控系统的原点偏置
            温度敏感点优选方法 | selection of temperature-sensitive points | 用灰色关联与共线性剔除从24个候选测点中选出4个，换批机床不需重新布点
            床身强制循环冷却系统 | forced-circulation bed cooling | 把冷却油引入床身热源侧并按温差控制流量，使床身上下温差不超过1.5 K
            丝杠中空冷却与预拉伸结构 | hollow-cooled pre-stretched ball screw | 让冷却油通过丝杠中孔并保持恒定预拉力，丝杠温升不随进给频率明显变化
            在机测头自校准方法 | on-machine probe calibration | 利用加工间隙测量标准球并增量修正模型系数，补偿效果不随季节衰减
        """,
        problems="""
            {o}从冷机到热平衡需要两三个小时，其间尺寸漂移，操作工只能频繁补刀
            {o}装在没有恒温的车间，昼夜温差大，早晚两班加工的零件尺寸分成两簇
            {o}的热误差随转速和环境变化，固定系数的补偿表夏天有效、冬天失准
        """,
        tried="""
            曾让机床每天提前一小时空转预热，能耗增加而漂移只减少约三分之一
            曾使用数控系统自带的线性补偿，换产品后又要重新标定
        """,
        metrics=(
            m(
                "4 h主轴轴向热漂移",
                "axial drift of the spindle in 4 h",
                "μm",
                (38, 52),
                (7, 11),
                0,
                "转速交变工况",
            ),
            m(
                "批量件关键尺寸极差",
                "spread of the critical size in a batch",
                "μm",
                (26, 34),
                (8, 12),
                0,
                "连续加工200件",
            ),
            m(
                "开机到稳定加工时间",
                "time from start to stable cutting",
                "min",
                (90, 130),
                (15, 25),
                0,
                "环境20±5 ℃",
            ),
        ),
        proves="12 1 13 2 23",
        answers="3 3 1 1 2",
        wants="""
            {o}热误差实时补偿技术
            无恒温车间{o}尺寸稳定性提升
            {o}主轴温升与热伸长控制
            {o}免预热开机加工方案
        """,
        tasks="""
            在春夏秋三个季节采集温度与误差数据
            建立补偿模型并在国产数控系统上实现
            在不少于5台同型机床上验证模型通用性
            给出传感器布置、标定与维护规程
        """,
        needs="需数控系统开放外部原点偏置接口，每台增配4个测温元件",
    ),
    topic(
        "tool-spindle",
        "电主轴与主轴轴承",
        "motorised spindles and spindle bearings",
        goal="性能提升",
        field=F.ADVANCED_MANUFACTURING,
        ipc="B23B 19/02; F16C 19/16; H02K 7/08",
        keywords="电主轴 轴承预紧 动平衡 油气润滑",
        incumbent="皮带式机械主轴",
        objects="""
            车铣复合铣削主轴 | milling spindles of turn-mill machines
            钻攻中心主轴 | drill-tap centre spindles
            龙门铣高速主轴 | high-speed spindles of gantry mills
            雕铣机高速主轴 | engraving-mill spindles
            木工加工中心主轴 | spindles of woodworking centres
        """,
        methods="""
            可调预紧力机构 | variable-preload mechanism | 用液压膜片按转速分三档调节轴承预紧力，低速保证刚度、高速减少发热
            在线动平衡环 | on-line balancing ring | 在主轴前端集成电磁驱动的双配重环，换刀后3 s内完成自动平衡
            微量油气润滑系统 | oil–air micro-lubrication | 以脉冲计量阀逐点供油并监测油膜流动，断油10 s内降速停机
            拉刀力状态监测装置 | drawbar-force monitoring | 在碟簧后端埋入应变片和无线供电线圈，拉刀力衰减15%即提示更换
            陶瓷球混合轴承配对方法 | matching of hybrid ceramic bearings | 以实测接触角和球径分组配对，给出前后轴承的预紧量计算表
        """,
        problems="""
            {o}转速提高后轴承温升快，前轴承寿命往往不到设计值的一半
            {o}的装配依赖选配和反复跑合，每根主轴要占用试验台两天以上
            {o}出厂时振动合格，用户换刀柄后不平衡量变化，表面粗糙度变差
        """,
        tried="""
            曾换用进口轴承，温升降低约5 ℃，单根成本增加近3000元
            曾加大冷却水流量，壳体温度降下来了，内圈温度变化不大
        """,
        metrics=(
            m(
                "前轴承温升",
                "temperature rise of the front bearing",
                "K",
                (32, 40),
                (16, 21),
                0,
                "最高转速连续2 h",
            ),
            m(
                "前端径向跳动",
                "radial run-out at the nose",
                "μm",
                (4.5, 6),
                (1.5, 2.2),
                1,
                "距端面300 mm检棒",
            ),
            m(
                "平均无故障工作时间",
                "mean time between failures",
                "h",
                (4500, 6000),
                (10500, 13000),
                -2,
                "用户现场统计",
            ),
        ),
        proves="12 3 13 3 13",
        answers="1 3 1 3 2",
        wants="""
            {o}温升控制与轴承延寿
            {o}国产化开发
            {o}在线动平衡与状态监测
            {o}快速装配与跑合工艺
        """,
        tasks="""
            完成主轴热—结构耦合分析与轴承选型
            试制三根样机并完成1000 h耐久试验
            建立装配参数与振动、温升的对应关系
            提供装配工装图纸和跑合程序
        """,
        needs="需有恒温装配间和动平衡机，轴承采用国产P4级以上",
    ),
    topic(
        "tool-cutting",
        "切削刀具与涂层",
        "cutting tools and coatings",
        goal="延寿",
        field=F.NEW_MATERIALS,
        ipc="B23B 27/14; C23C 14/06; B23C 5/10",
        keywords="刀具 涂层 刃口钝化 硬质合金",
        incumbent="市售同规格涂层刀具",
        objects="""
            不锈钢车削刀片 | inserts for stainless steel
            整体硬质合金立铣刀 | solid-carbide end mills
            深孔钻头 | deep-hole drills
            铝合金壳体成形铰刀 | form reamers for aluminium housings
            螺纹铣刀 | thread mills
        """,
        methods="""
            铝钛硅氮多层涂层 | multilayer AlTiSiN coating | 以高功率脉冲磁控溅射交替沉积纳米层，膜基结合力提高而刃口不积瘤
            刃口微钝化工艺 | edge honing | 用磨粒流把刃口半径控制在12±2 μm并去除毛刺，涂层后崩刃显著减少
            断屑槽型参数化设计 | parametric chip-breaker design | 按进给和切深把槽宽、反屑角分三组系列化，在中小切深下形成稳定的C形屑 | 1
            不等螺旋角结构 | variable-helix geometry | 采用不等螺旋角与不等齿距组合打断再生颤振，悬伸较长时仍可满刃切削 | 2 5
            内冷微孔布置 | internal coolant channels | 把内冷孔出口移到后刀面附近，冷却液直接到达磨损带 | 2 3 4 5
        """,
        problems="""
            {o}在批量加工中寿命离散，操作工为保险提前换刀，刀具成本偏高
            {o}加工黏性材料时积屑瘤严重，切屑缠绕导致自动线停机
            {o}依赖进口，交期八周以上，规格稍改就要重新询价
        """,
        tried="""
            曾试用两家国产涂层，平均寿命接近进口件，但最差的一成不足一半
            曾降低切削速度换取寿命，单件工时增加约两成
        """,
        metrics=(
            m(
                "刀具平均寿命",
                "mean tool life",
                "件/刃",
                (160, 210),
                (330, 420),
                -1,
                "用户产线、后刀面磨损0.2 mm",
            ),
            m("寿命离散系数", "coefficient of variation of tool life", "%", (26, 34), (9, 14), 0, "30个刃口"),
            m("加工表面粗糙度Ra", "surface roughness Ra", "μm", (1.4, 1.8), (0.6, 0.9), 1, "精加工参数"),
        ),
        proves="1 12 12 13 1",
        answers="2 1 2 1 2",
        wants="""
            {o}国产替代
            {o}寿命一致性提升
            {o}断屑与防积屑瘤技术
            {o}涂层与刃口处理工艺
        """,
        tasks="""
            分析失效刀具的磨损形态与热裂纹
            确定基体、槽型、钝化和涂层的匹配方案
            在用户产线上对比不少于30个刃口
            提供批量质量控制方法和刀具管理建议
        """,
        needs="需有五轴工具磨床；涂层可委托，首批试制约2000件",
    ),
    topic(
        "tool-chatter",
        "加工颤振与工艺参数优化",
        "chatter and process-parameter optimisation",
        goal="稳定切削",
        field=F.ADVANCED_MANUFACTURING,
        ipc="B23Q 11/00; B23Q 17/12; G05B 19/4155",
        keywords="颤振 切削参数 稳定性 薄壁件",
        incumbent="凭经验选定的切削参数",
        objects="""
            薄壁铝壳体铣削 | milling of thin-walled aluminium housings
            细长轴车削 | turning of slender shafts
            泵体内孔镗削 | boring of pump bodies
            铝合金支架铣削 | milling of aluminium brackets
            模具深腔加工 | deep-cavity die machining
        """,
        methods="""
            稳定性图谱快速测试方法 | quick stability-lobe testing | 用一把测力锤和机床自带编码器在10 min内得到刀尖频响并生成转速—切深图
            主轴转速自适应调节 | adaptive spindle-speed control | 由主轴电流与麦克风信号识别颤振萌生，0.3 s内把转速移到邻近稳定区
            调谐质量阻尼刀杆 | tuned-mass damped boring bar | 在刀杆前端腔体内置钨合金质量块与黏弹性环，悬伸比达到8仍可切削 | 3 5
            残余应力对称去除工艺 | symmetric stress-relieving removal | 按实测残余应力分布安排对称余量和加工顺序，松夹后变形可预测 | 1 4
            柔性多点支承装置 | flexible multi-point support | 用气控锁紧的随形顶杆支承薄壁区，单次装夹完成粗精加工 | 1 4
        """,
        problems="""
            {o}时容易出现振纹，只能降低切深和转速，效率上不去
            {o}后松开夹具零件变形，平面度超差，需要多次装夹修正
            {o}的工艺参数由个人经验决定，换人换机床后质量波动大
        """,
        tried="""
            曾加厚工装提高夹紧力，振纹减轻但夹紧变形更大
            曾使用软件厂商推荐参数，未考虑本厂刀柄悬伸，实际不可用
        """,
        metrics=(
            m(
                "材料去除率",
                "material removal rate",
                "cm³/min",
                (42, 58),
                (96, 124),
                0,
                "无颤振条件、实测中位数",
            ),
            m("松夹后变形量", "distortion after unclamping", "mm", (0.18, 0.26), (0.04, 0.07), 2, "抽检20件"),
            m("单件工时", "machining time per part", "min", (23, 28), (13, 16), 0, "同一机床"),
        ),
        proves="13 13 13 2 23",
        answers="3 1 1 2 2",
        wants="""
            {o}颤振抑制与效率提升
            {o}变形控制工艺
            {o}切削参数数据库建设
            {o}在线监测与自适应控制
        """,
        tasks="""
            测试现场机床—刀具—工件的动态特性
            给出稳定切削参数表与装夹方案
            在两种典型零件上连续验证100件以上
            形成工艺规范并培训操作人员
        """,
        needs="需安排机床停机测试约1天，提供典型零件和夹具图纸",
    ),
    topic(
        "tool-precision-transmission",
        "精密丝杠",
        "precision screws",
        goal="精度保持",
        field=F.ADVANCED_MANUFACTURING,
        ipc="F16H 25/22; F16H 25/24; B24B 19/02",
        keywords="滚珠丝杠 硬旋铣 精度保持性 磨削",
        incumbent="C5级国产常规产品",
        objects="""
            精密滚珠丝杠副 | precision ball screws
            注塑机用重载滚珠丝杠 | heavy-duty ball screws of moulding machines
            行星滚柱丝杠 | planetary roller screws
            微型滚珠丝杠 | miniature ball screws
            机床进给滚珠丝杠 | feed ball screws of machine tools
        """,
        methods="""
            硬态旋风铣削工艺 | hard whirling | 以成形刀盘硬态旋风铣代替粗磨，变质层厚度不超过8 μm，螺旋面只留精磨余量
            砂轮廓形在机修整方法 | in-process wheel dressing | 由测得的截形误差反算金刚滚轮轨迹，首件即合格
            感应淬火温度场控制 | temperature control in induction hardening | 用双频感应与红外闭环控制硬化层深度，校直量减少一半以上
            返向器流道优化 | optimised return path | 按滚珠运动轨迹的曲率连续条件重做返向器流道，高速时冲击和噪声同时降低 | 1 2 4 5
            滚珠分组与预紧选配方法 | ball grouping and preload matching | 按滚道实测偏差分组选配滚珠，使全行程预紧力波动减小，磨损均匀
        """,
        problems="""
            {o}初始精度已接近进口产品，使用一年后精度衰减明显更快
            {o}热处理变形大，磨削余量不均，烧伤和废品率居高不下
            {o}的寿命与精度保持性缺少试验数据，主机厂不敢批量采用
        """,
        tried="""
            曾放慢磨削进给，烧伤减少而产能下降约三成
            曾换用进口轴承钢，硬度均匀性改善，变形仍没有解决
        """,
        metrics=(
            m(
                "任意300 mm行程变动量",
                "travel variation over 300 mm",
                "μm",
                (16, 22),
                (6, 8),
                0,
                "激光干涉仪",
            ),
            m(
                "等效两年磨损后预紧力保持率",
                "preload retained after two equivalent years",
                "%",
                (58, 66),
                (84, 90),
                0,
                "变载谱试验",
            ),
            m("磨削废品率", "grinding scrap rate", "%", (6, 8.5), (1.2, 2), 1, "月度统计"),
        ),
        proves="13 13 23 2 12",
        answers="2 2 2 1 1",
        wants="""
            {o}精度保持性提升
            {o}热处理变形控制
            {o}高效硬切削替代磨削
            {o}寿命试验与评价方法
        """,
        tasks="""
            对标进口产品完成材料、硬化层与廓形检测
            确定热处理与精加工工艺窗口并稳定试制
            完成加速寿命试验并出具报告
            配合两家主机厂上机验证
        """,
        needs="需有数控螺纹磨床或旋风铣设备，恒温计量室",
    ),
    topic(
        "tool-automation",
        "机床上下料与柔性单元",
        "machine tending and flexible cells",
        goal="自动化",
        field=F.ADVANCED_MANUFACTURING,
        ipc="B23Q 7/04; B25J 9/16; B65G 47/90",
        keywords="机器人 上下料 柔性制造单元 视觉抓取",
        incumbent="一人看两机的人工上下料",
        objects="""
            数控车床桁架上下料 | gantry loading of CNC lathes
            泵轴加工单元 | pump-shaft machining cells
            阀体多机连线 | multi-machine lines for valve bodies
            小批量齿轮加工岛 | small-batch gear cells
            铸件毛坯去毛刺工位 | deburring stations for castings
        """,
        methods="""
            散料三维视觉抓取系统 | 3-D bin picking | 用结构光相机与点云配准识别堆叠毛坯，反光表面采用多曝光融合，抓取失败自动换姿态 | 1 2 3 4
            免示教轨迹生成方法 | teach-free path generation | 由数模直接生成抓取与放置轨迹并做碰撞检查，换产只需选择零件号
            力控浮动去毛刺装置 | force-controlled deburring | 以恒力浮动主轴跟随分型线，毛坯偏差2 mm以内仍可均匀倒棱 | 5
            快换夹爪与零点定位结构 | quick-change grippers with zero-point location | 让夹爪、卡爪和托盘共用一套零点接口，换型不超过8 min | 1 2 3 4
            单元排产与刀具寿命联动系统 | scheduling linked with tool life | 把刀具剩余寿命写入排产约束，夜间无人段只安排可完成的批次 | 1 2 3 4
        """,
        problems="""
            {o}品种多、批量小，传统桁架换型要停半天，自动化反而不划算
            {o}毛坯尺寸偏差大、表面有油污，视觉识别率不稳定
            {o}招工困难，夜班开机率不足六成
        """,
        tried="""
            曾购置两套示教型机器人，换型要请集成商来调，最后固定做一种零件
            曾用振动盘供料，零件磕碰划伤较多
        """,
        metrics=(
            m("换型时间", "changeover time", "min", (150, 240), (10, 20), 0, "同族零件切换"),
            m("设备综合效率", "overall equipment effectiveness", "%", (48, 56), (74, 81), 0, "两班制月均"),
            m("抓取成功率", "picking success rate", "%", (93, 95.5), (99.2, 99.7), 1, "含油污毛坯1000次"),
        ),
        proves="3 1 2 12 2",
        answers="2 1 3 1 3",
        wants="""
            {o}小批量快速换型方案
            {o}视觉抓取与防错
            {o}无人化夜班生产
            {o}自动化改造与产线数据采集
        """,
        tasks="""
            梳理零件族并确定通用夹具与抓手
            搭建样板单元并试运行三个月
            统计换型时间、故障停机与人均产出
            输出可复制的改造清单与投资测算
        """,
        needs="机床需有自动门与开放的信号接口，单元占地约25平方米",
    ),
    topic(
        "tool-inspection",
        "在机测量与尺寸检测",
        "on-machine and in-line measurement",
        goal="检测",
        field=F.ADVANCED_MANUFACTURING,
        ipc="G01B 11/24; G01B 5/00; B23Q 17/20",
        keywords="在机测量 视觉检测 尺寸 过程控制",
        incumbent="人工卡规抽检",
        objects="""
            轴类零件外径 | outer diameters of shafts
            刀具刃口几何 | cutting-edge geometry
            内螺纹质量 | internal threads
            齿轮端面与齿形 | gear faces and profiles
            阀体内孔 | bores of valve bodies
        """,
        methods="""
            远心光学快速测量装置 | telecentric optical gauging | 用双远心镜头与蓝光背光测量轮廓，环境光变化不影响边缘提取 | 1 2 4
            气动与电感复合测头 | combined air–inductive probe | 在切削液环境下以气动测头定位、电感测头读数，重复性达到微米级 | 1 5
            光谱共焦内窥测头 | confocal bore probe | 以直径6 mm的光谱共焦测头旋转扫描内壁，一次装夹得到直径、圆度和表面缺陷 | 3 5
            测量—补偿闭环系统 | measurement–compensation loop | 把在线测量结果按过程能力规则滤波后写回刀补，不因单件异常误补 | 1 4 5
            缺陷图像生成与小样本识别方法 | synthetic-defect few-shot recognition | 用参数化渲染生成缺陷样本扩充训练集，每类只需十余张真实图片 | 2 3 4
        """,
        problems="""
            {o}靠人工抽检，发现超差时往往已有整筐废品
            {o}检测节拍跟不上加工节拍，全检只能增加人手
            {o}现场有切削液和粉尘，光学检测误判较多
        """,
        tried="""
            曾购买通用视觉软件自行集成，油膜反光造成误判率超过8%
            曾在三坐标上全检，单件6 min，无法用于产线
        """,
        metrics=(
            m("测量重复性（6σ）", "repeatability (6σ)", "μm", (8, 11), (1.8, 2.8), 1, "现场30次"),
            m("误判率", "false-reject rate", "%", (5, 8), (0.5, 1.0), 1, "连续1万件"),
            m("单件检测时间", "inspection time per part", "s", (45, 70), (4, 8), 0, "含上下料"),
        ),
        proves="13 1 13 2 2",
        answers="2 3 1 1 3",
        wants="""
            {o}在线全检
            {o}测量与刀补闭环控制
            {o}缺陷识别降误判
            切削液环境下{o}的测量技术
        """,
        tasks="""
            明确检测项目、公差和节拍并做量具能力分析
            研制检测装置并与机床或机器人联线
            连续运行1万件，统计漏检与误判
            与质量追溯系统对接
        """,
        needs="需提供标准件和典型缺陷件，现场有稳定压缩空气",
    ),
    topic(
        "tool-remanufacture",
        "老旧机床数控化改造",
        "retrofit of old machine tools",
        goal="改造",
        field=F.ADVANCED_MANUFACTURING,
        ipc="G05B 19/414; B23Q 15/22; B23P 6/00",
        keywords="机床再制造 数控系统 刮研 联网",
        incumbent="仅更换数控系统的改造",
        objects="""
            老旧数控车床 | ageing CNC lathes
            老旧立式加工中心 | ageing vertical machining centres
            老旧数控外圆磨床 | ageing CNC cylindrical grinders
            进口二手加工中心 | second-hand imported machining centres
            老旧数控铣床 | ageing CNC milling machines
        """,
        methods="""
            导轨贴塑与淬硬修复工艺 | guideway coating and hardening repair | 对磨损导轨激光淬硬后贴塑配刮，恢复几何精度而不需整体导轨磨 | 1 3 5
            国产数控系统移植方案 | migration to domestic controllers | 以通用输入输出映射表和宏指令转换工具把原有程序移植到国产系统，程序无需重写
            伺服直驱替代液压结构 | servo drive replacing hydraulics | 用伺服电机与行星丝杠替代夹紧、换刀等液压执行机构，待机能耗接近零
            加装型数据采集终端 | add-on data terminal | 不改原电气线路，由电流钳和主轴编码器推断运行、待机、报警三种状态，并提示空转时段和可停辅机
            几何误差快速检定方法 | quick geometric-error check | 用球杆仪与步距规在4 h内分离出主要误差项，指导有针对性的修复
        """,
        problems="""
            {o}在中小企业存量大，机械部分尚好而电气老化，整机报废可惜
            {o}没有数据接口，产量和开机率靠人工填表
            {o}改造后的精度与寿命缺少验收标准，用户顾虑多
        """,
        tried="""
            曾只换数控系统，几何精度没有恢复，改造后仍不能做精加工
            曾自行加装采集盒，各型号接线不同，维护工作量过大
        """,
        metrics=(
            m("定位精度", "positioning accuracy", "μm", (45, 60), (12, 18), 0, "全行程"),
            m(
                "单台改造费用占新机比例",
                "cost relative to a new machine",
                "%",
                (62, 70),
                (32, 41),
                0,
                "同规格",
            ),
            m("单件能耗", "energy per part", "kWh", (0.82, 0.95), (0.48, 0.58), 2, "同一零件"),
        ),
        proves="12 2 3 3 12",
        answers="3 1 1 2 3",
        wants="""
            {o}低成本数控化改造
            {o}联网与产量采集
            {o}精度恢复工艺
            {o}节能改造
        """,
        tasks="""
            对现有设备做几何精度和电气状态普查
            提出分级改造方案与验收指标
            完成不少于10台示范改造
            建立备件与远程维护机制
        """,
        needs="每台改造停机5至7天，设备需能提供电气原理图或现场测绘",
    ),
    topic(
        "tool-welding-robot",
        "激光再制造与增减材",
        "laser remanufacturing and hybrid processes",
        goal="工艺提升",
        field=F.ADVANCED_MANUFACTURING,
        ipc="B23K 26/342; B33Y 10/00; B23P 6/00",
        keywords="增材制造 激光 熔覆 复合加工",
        incumbent="手工堆焊加机械加工",
        objects="""
            冲裁模刃口修复 | repair of blanking-die edges
            机床铸件缺陷修复 | repair of casting defects
            压铸模型腔修复 | repair of die-casting cavities
            油缸活塞杆修复 | repair of piston rods
            齿轮轴轴颈修复 | repair of gear-shaft journals
        """,
        methods="""
            同轴送粉激光增材系统 | coaxial-powder laser deposition | 以熔池温度和高度双闭环控制单层厚度，悬垂角45度以内不加支撑
            增减材复合加工方法 | additive–subtractive machining | 每沉积2 mm切削一次基准面，累积误差不随高度增长 | 1 3
            梯度材料过渡层设计 | graded transition layer | 用镍基过渡粉逐层改变成分，避免铸铁基体的白口和裂纹 | 2
            损伤扫描与轨迹自动生成系统 | damage scanning with automatic path generation | 扫描磨损面与原始数模比对得到缺失体积，自动分层并生成激光头姿态
            超高速激光熔覆工艺 | extreme high-speed laser cladding | 把粉末在到达基体前熔化，单层厚0.1至0.3 mm，稀释率低于4% | 4 5
        """,
        problems="""
            {o}多靠手工堆焊，热影响区大、易开裂，修后寿命不足新件一半
            {o}的对象各不相同、批量小，专用工装不经济
            {o}后的变形和气孔要二次返修，交期难以保证
        """,
        tried="""
            曾用冷焊机修补，结合强度低，受冲击后脱落
            曾购置激光熔覆头自行摸索，裂纹率一直在一成左右
        """,
        metrics=(
            m("修复层裂纹率", "crack rate of the deposit", "%", (9, 13), (0.6, 1.5), 1, "着色检测"),
            m(
                "修复后使用寿命与新件之比",
                "service life relative to a new part",
                "%",
                (42, 52),
                (88, 102),
                0,
                "现场跟踪",
            ),
            m("单件修复工时", "repair time per part", "h", (7, 9), (2.4, 3.2), 1, "典型件"),
        ),
        proves="12 3 12 3 23",
        answers="1 3 1 2 1",
        wants="""
            {o}低热输入工艺
            {o}激光增材技术
            {o}裂纹与变形控制
            {o}自动化与质量评价
        """,
        tasks="""
            确定基体与粉末匹配并完成工艺试验
            建立热输入—变形—硬度数据库
            修复不少于30件并跟踪使用寿命
            编制修复件检验规范
        """,
        needs="需3 kW以上激光器和机器人或机床平台，粉末可国产采购",
    ),
)
