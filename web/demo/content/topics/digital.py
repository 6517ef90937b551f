"""Topics of industrial software and digital manufacturing (数字制造), which serve several industries."""

from __future__ import annotations

from market.deals.models import TechnicalField as F
from web.demo.content.grammar import m, topic

TOPICS = (
    topic(
        "digital-scheduling",
        "离散制造排产与物料协同",
        "scheduling of discrete manufacturing",
        goal="排产优化",
        field=F.ELECTRONICS,
        ipc="G06Q 10/0631; G05B 19/418; G06Q 10/087",
        keywords="排产 制造执行 齐套 交期",
        incumbent="电子表格与经验排产",
        objects="""
            水泵装配车间 | pump assembly shops
            鞋服小单快反车间 | quick-response apparel shops
            汽摩零件机加工车间 | machining shops for vehicle parts
            电机绕组车间 | motor-winding shops
            机床装配车间 | machine-tool assembly shops
        """,
        methods="""
            齐套约束滚动排产算法 | material-constrained rolling scheduling | 把到料概率和替代料写入约束，只重排受影响工序
            瓶颈识别与换型聚类方法 | bottleneck and setup clustering | 由停机、等待和换型数据动态识别瓶颈，减少频繁换型
            车间数字孪生仿真系统 | workshop digital twin | 用设备节拍、物流和人员数据预演急单影响，给出可解释方案
            计划异常自动归因模型 | attribution of plan deviations | 把延误区分为缺料、设备、质量和人员，避免只催工序
            移动派工与批次追踪系统 | mobile dispatch with batch tracking | 以扫码与免输入采集维护在制状态，断网可继续作业
        """,
        problems="""
            {o}急单插入后计划失真，缺料与等工同时存在
            {o}的在制品多、批次混放，交期靠计划员反复询问
            {o}的工时和良率数据不准，系统给出的计划现场不执行
        """,
        tried="""
            曾采购通用排产软件，主数据不准，上线后仍用电子表格
            曾增加安全库存，缺料减少但资金占用明显上升
        """,
        metrics=(
            m("准时交付率", "on-time delivery", "%", (70, 80), (92, 96), 0, "连续三个月"),
            m("在制品周转天数", "work-in-process days", "d", (13, 18), (6, 8.5), 1, "典型产品族"),
            m("计划员排产时间", "planner time", "h/天", (4.5, 6), (0.7, 1.3), 1, "两班制"),
        ),
        proves="13 12 1 1 2",
        answers="1 2 1 3 2",
        wants="""
            {o}急单与齐套排产
            {o}在制品压降与追溯
            {o}瓶颈与换型优化
            {o}轻量化制造执行系统
        """,
        tasks="""
            梳理物料、工艺与设备主数据
            开发排产模型并接入现有管理系统
            在一个车间连续运行三个月
            培训计划员并移交维护工具
        """,
        needs="需开放物料、工单与设备数据，安排一名工艺和一名计划人员",
    ),
    topic(
        "digital-maintenance",
        "设备健康与预测性维护",
        "equipment health and predictive maintenance",
        goal="预测性维护",
        field=F.ELECTRONICS,
        ipc="G05B 23/02; G06Q 10/20; G01M 13/00",
        keywords="预测性维护 边缘 设备健康 剩余寿命",
        incumbent="固定周期保养与事后维修",
        objects="""
            注塑机群 | injection-moulding machines
            数控机床群 | CNC machine fleets
            空压站设备 | compressor-station equipment
            鞋机设备 | shoe machinery
            冲压与压铸设备 | stamping and die-casting equipment
        """,
        methods="""
            多设备工况自适应诊断模型 | condition-adaptive diagnosis | 按产品、转速与负载分组建立基线，换产不反复误报
            无侵入电参量采集终端 | non-intrusive power sensing | 只用钳形互感器采集功率与谐波，不改电控
            剩余寿命概率预测算法 | probabilistic remaining life | 输出到期概率与置信区间，维修窗口可与排产联动
            维护知识图谱检索系统 | maintenance knowledge graph | 把手册、工单与备件关联，可按故障现象检索
            边缘模型增量更新方法 | incremental edge learning | 现场确认标签后小步更新并保留旧模型，可回退
        """,
        problems="""
            {o}品牌和年限不同，接口不统一、故障样本少
            {o}按时保养仍有突发停机，备件库存又偏高
            {o}的维修记录分散在纸质和老师傅经验中，难以传承
        """,
        tried="""
            曾加装一批振动传感器，误报多，半年后停止使用
            曾统一缩短保养周期，停机减少有限而工时增加
        """,
        metrics=(
            m("非计划停机时间", "unplanned downtime", "h/(台·月)", (9, 14), (2.5, 4.0), 1, "连续六个月"),
            m("故障预警准确率", "warning precision", "%", (48, 60), (86, 92), 0, "人工核实"),
            m("备件库存金额", "spare-part stock", "万元", (80, 110), (42, 58), 0, "50台规模"),
        ),
        proves="12 2 13 1 2",
        answers="1 1 2 3 1",
        wants="""
            {o}少传感器预警
            {o}剩余寿命与备件预测
            {o}维修知识传承
            {o}联网采集与边缘诊断
        """,
        tasks="""
            确定关键失效与数据采集点
            部署终端并建立工况基线
            连续运行半年核实预警与停机
            整理可复用的故障和备件知识库
        """,
        needs="需提供至少一年维修工单，互感器安装可不停机或短时停机",
    ),
    topic(
        "digital-design",
        "产品数字设计与仿真协同",
        "digital product design and simulation",
        goal="研发提速",
        field=F.ELECTRONICS,
        ipc="G06F 30/20; G06F 30/10; G06F 111/10",
        keywords="仿真 参数化 优化 产品数据",
        incumbent="逐件建模与人工传递参数",
        objects="""
            离心泵系列化设计 | centrifugal-pump families
            电机产品系列化设计 | motor families
            铸件结构设计 | casting structures
            鞋机关键部件设计 | shoe-machine parts
            机床床身结构设计 | machine-bed structures
        """,
        methods="""
            参数化规则库与自动建模系统 | rule-based parametric modelling | 把设计表、工艺约束和审批规则关联，规格切换自动更新
            多精度代理模型优化方法 | multi-fidelity surrogate optimisation | 用快速计算筛选、精细仿真修正，减少昂贵计算次数
            仿真—试验数据校核平台 | simulation–test reconciliation | 统一工况和网格版本，自动给出偏差来源与适用范围
            工艺可制造性检查方法 | manufacturability checking | 在设计阶段检查壁厚、拔模、装夹和测量可达性
            设计变更影响追踪系统 | change-impact tracking | 按图号、物料、工装和在制品追踪影响，避免漏改
        """,
        problems="""
            {o}规格多而复用少，小改动也要重新建模和出图
            {o}的仿真结果依赖个人设置，与试验偏差难解释
            {o}的研发、工艺和采购数据不一致，变更常漏到现场
        """,
        tried="""
            曾建立共享文件夹，版本重名后无法确认有效图纸
            曾采购仿真软件，工程师调参差异大，结果不可复现
        """,
        metrics=(
            m("设计周期", "design lead time", "d", (22, 30), (9, 13), 0, "系列化变型"),
            m("仿真与试验偏差", "simulation–test deviation", "%", (14, 20), (4, 7), 0, "主要性能指标"),
            m("图纸重复率", "duplicated drawings", "%", (18, 26), (3, 6), 0, "同类图库"),
        ),
        proves="13 1 2 1 3",
        answers="1 1 2 3 3",
        wants="""
            {o}参数化与知识复用
            {o}仿真标准化
            {o}变更与数据一致性
            {o}优化设计加速
        """,
        tasks="""
            整理典型产品与设计规则
            开发参数化或仿真工具并用历史数据验证
            与产品数据和物料系统对接
            完成人员培训与规则维护交接
        """,
        needs="需提供脱敏历史图纸、试验报告和现有软件接口",
    ),
    topic(
        "digital-quality",
        "质量追溯与知识推理",
        "quality tracing and knowledge reasoning",
        goal="追溯",
        field=F.ELECTRONICS,
        ipc="G06Q 10/0639; G06F 16/36; G06Q 50/04",
        keywords="质量追溯 统计过程控制 根因 知识图谱",
        incumbent="纸质流转卡与人工统计",
        objects="""
            电机装配质量 | motor-assembly quality
            泵类产品售后质量 | after-sales quality of pumps
            鞋服订单质量 | apparel order quality
            医疗器械批次质量 | medical-device batch quality
            压铸件过程质量 | die-casting process quality
        """,
        methods="""
            多源批次关联方法 | multi-source batch linking | 用时间窗、设备和物料约束补齐缺失批号，每条关联保留置信度
            过程能力动态预警算法 | dynamic process-capability warning | 按设备与班次分层控制，不把正常换产误作异常
            质量根因知识图谱平台 | root-cause knowledge graph | 把失效现象、工序参数和纠正措施关联，结论可追溯到记录
            检测数据可信封存方法 | trusted inspection records | 对原始测量与修订采用链式摘要，保留修改原因与责任人
            售后故障早期聚类模型 | early clustering of field failures | 从短文本和更换件发现新故障，按批次缩小排查范围
        """,
        problems="""
            {o}数据分散，客户投诉后追溯往往需要数天
            {o}的检测记录多为事后补录，统计结果与现场不一致
            {o}相同问题反复发生，根因经验没有沉淀
        """,
        tried="""
            曾上线扫码系统，人工漏扫后关键批次断链
            曾建立质量群聊，信息多但无法统计和复用
        """,
        metrics=(
            m("批次追溯时间", "batch tracing time", "h", (18, 36), (0.3, 0.8), 1, "随机批次演练"),
            m("重复质量问题占比", "share of repeated issues", "%", (26, 36), (7, 12), 0, "季度统计"),
            m("原始记录完整率", "complete original records", "%", (72, 84), (98.5, 99.7), 1, "月度抽查"),
        ),
        proves="1 2 2 3 12",
        answers="1 3 3 2 3",
        wants="""
            {o}快速追溯与根因分析
            {o}可信检测记录
            {o}过程预警
            {o}售后质量知识库
        """,
        tasks="""
            梳理批次、工序、检测与售后数据
            建立数据关联和原始记录机制
            在两个产品族上试运行三个月
            通过模拟召回验证追溯范围与时间
        """,
        needs="需开放检测设备和售后数据，明确记录修改权限",
    ),
    topic(
        "digital-safety",
        "工业安全与渔船监管",
        "industrial safety and fishing-vessel supervision",
        goal="智能化",
        field=F.URBAN_DEVELOPMENT,
        ipc="G08B 21/00; G06V 20/52; G08B 31/00",
        keywords="安全预警 视频识别 渔船 消防",
        incumbent="人工巡查与普通摄像监控",
        objects="""
            渔船码头安全监管 | fishing-wharf safety supervision
            喷涂车间安全预警 | spray-shop safety warning
            小微企业消防监测 | fire monitoring of small firms
            涉氨冷库安全监管 | ammonia cold-store supervision
            冲压工位防护监测 | press-station protection monitoring
        """,
        methods="""
            多传感融合危险识别模型 | multi-sensor hazard recognition | 把温度、气体和视频时序融合，区分短时扰动与真实升温
            隐私保护边缘识别装置 | privacy-preserving edge recognition | 本地只保留骨架与区域状态，不上传原始人像
            风险等级动态评价方法 | dynamic risk rating | 按人员、设备状态和作业许可变化更新等级，避免固定告警
            告警闭环处置系统 | closed-loop alarm handling | 把通知、到场、确认与复查串联，超时自动升级
            无线应急信标与定位结构 | wireless emergency beacon | 采用低功耗信标和双链路定位，断电后仍可持续工作
        """,
        problems="""
            {o}点位分散、人员变化快，人工巡查难以持续
            {o}的单一传感误报多，预警后处置责任和时间不清楚
            {o}既要保护隐私又要掌握现场，不能长期保存全部视频
        """,
        tried="""
            曾安装普通摄像头，夜间和烟雾环境下不可用
            曾设置固定阈值，误报多后人员习惯性关闭
        """,
        metrics=(
            m("真实风险识别率", "hazard detection", "%", (72, 82), (95, 98), 0, "演练与现场记录"),
            m("每日误告警", "false alarms per day", "次", (7, 13), (0.5, 1.2), 1, "连续30天"),
            m("告警到现场时间", "time to reach the scene", "min", (18, 30), (5, 8), 0, "演练中位数"),
        ),
        proves="12 12 2 3 3",
        answers="2 3 2 2 1",
        wants="""
            {o}误报抑制
            {o}边缘隐私保护
            {o}处置闭环
            {o}低功耗应急定位
        """,
        tasks="""
            梳理风险场景、责任与处置流程
            完成终端、算法和闭环系统开发
            连续试运行30天并组织不少于3次演练
            统计识别率、误告和到场时间
        """,
        needs="需明确视频与定位使用范围，提供断电断网演练条件",
    ),
)
