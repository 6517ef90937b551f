"""Topics of the medical and health industry (医疗健康)."""

from __future__ import annotations

from market.deals.models import TechnicalField as F
from web.demo.content.grammar import m, topic

TOPICS = (
    topic(
        "health-pump",
        "医用微量输注与液路",
        "medical micro-infusion and fluid paths",
        goal="输注精度提升",
        field=F.BIOMEDICINE,
        ipc="A61M 5/142; F04B 43/12; A61M 5/168",
        keywords="输液泵 流量精度 气泡检测 蠕动泵",
        incumbent="现售同类国产机型",
        objects="""
            便携式输液泵 | portable infusion pumps
            肠内营养泵 | enteral feeding pumps
            透析机血泵组件 | blood-pump units of dialysis machines
            体外诊断加样泵 | dispensing pumps of in-vitro diagnostics
            创面负压冲洗泵 | wound irrigation pumps
        """,
        methods="""
            蠕动管疲劳在线补偿算法 | on-line compensation of tube fatigue | 由电机电流与转角的滞回面积估计管路弹性衰减，自动修正每转排量
            多指错相挤压结构 | phase-shifted multi-finger squeezing | 用十二指错相凸轮使瞬时流量重叠，低流速下脉动明显减小
            电容—超声双通道气泡检测 | dual capacitive–ultrasonic bubble detection | 让两种原理互相校验，可区分附壁小气泡与空管，减少误停机
            一次性液路快插组件 | disposable quick-connect fluid set | 用双唇密封与视窗一体注塑件，插拔不滴液并可防误接
            阻塞压力无接触测量方法 | non-contact occlusion sensing | 用泵体微变形推算管内压力，不在液路中串入传感器
        """,
        problems="""
            {o}在低流速下流量脉动大，长时间运行后精度随管路疲劳漂移
            {o}的误报警频繁，护理人员需反复到床旁确认
            {o}的关键耗材与传感器依赖进口，注册变更周期长，不敢轻易替换
        """,
        tried="""
            曾缩短耗材更换周期，精度合格但耗材费用增加一倍
            曾提高气泡报警阈值，误报减少，微小气泡漏报又增加
        """,
        metrics=(
            m("24 h流量误差", "flow error over 24 h", "%", (7, 10), (1.8, 3.0), 1, "5 mL/h、37 ℃"),
            m("误报警次数", "false alarms", "次/百小时", (6, 9), (0.5, 1.2), 1, "模拟病房"),
            m("瞬时流量脉动", "flow pulsation", "%", (28, 36), (7, 11), 0, "1 mL/h"),
        ),
        proves="1 3 2 2 2",
        answers="1 1 2 3 2",
        wants="""
            {o}低流速精度提升
            {o}误报警治理
            {o}国产耗材与传感器替代
            {o}小型化与静音设计
        """,
        tasks="""
            分析流量误差来源并建立泵管模型
            完成结构或算法改进并试制10台样机
            按适用的行业标准完成精度与报警试验
            提供注册检验所需的设计文件
        """,
        needs="承接方应具备医疗器械生产质量管理体系，样机可提供电子资料包",
    ),
    topic(
        "health-rehab",
        "康复训练与助行器具",
        "rehabilitation and walking aids",
        goal="训练效果提升",
        field=F.BIOMEDICINE,
        ipc="A61H 1/02; A61H 3/00; A61B 5/11",
        keywords="康复 外骨骼 步态 柔顺控制",
        incumbent="被动式训练器具",
        objects="""
            下肢康复训练器 | lower-limb trainers
            手功能康复手套 | hand-rehabilitation gloves
            踝关节训练仪 | ankle trainers
            减重步行训练架 | body-weight support walkers
            肩肘康复训练器 | shoulder–elbow trainers
        """,
        methods="""
            柔顺驱动关节结构 | compliant actuated joint | 以串联弹性元件和小减速比电机实现被动可反驱，痉挛时不硬拉
            按需辅助控制策略 | assist-as-needed control | 由患者主动力矩占比实时降低辅助量，避免偷懒效应
            惯性与压力融合运动评估算法 | fusion-based movement assessment | 用惯性单元和压力分布估计关节角与对称性，自动生成训练报告
            自适应重力补偿方法 | adaptive gravity compensation | 在线辨识肢体重量参数，换人使用无需重新标定
            任务化游戏训练系统 | task-based training software | 把关节活动度与力量指标映射为可量化任务，难度随评分自动调整
        """,
        problems="""
            {o}多为固定轨迹被动训练，患者参与度低、疗程长
            {o}的评估依赖治疗师主观量表，疗效难以横向比较
            {o}体积大、价格高，基层医院与家庭难以配置
        """,
        tried="""
            曾引进一台进口设备，操作复杂，日均使用不足两人次
            曾在器具上加装普通角度计，噪声大，数据无法用于评价
        """,
        metrics=(
            m("患者主动参与比例", "share of active effort", "%", (34, 42), (66, 76), 0, "30例试用者平均"),
            m("关节角估计误差", "joint-angle error", "°", (6, 9), (1.6, 2.6), 1, "与光学动捕比较"),
            m("整机重量", "device weight", "kg", (14, 19), (6.5, 9.5), 1, "不含底座"),
        ),
        proves="13 1 2 1 1",
        answers="1 1 2 1 1",
        wants="""
            {o}主动柔顺训练技术
            {o}量化评估方法
            {o}轻量化家用化设计
            {o}远程康复与数据管理
        """,
        tasks="""
            确定适用人群与评价指标
            完成驱动、传感和控制样机
            完成电气安全与不少于30例可用性试验
            提供训练数据管理软件与接口
        """,
        needs="需有医疗器械注册人资质或合作医院，结构件可由本地机加工企业配套",
    ),
    topic(
        "health-diagnosis",
        "体外诊断与快速检测",
        "in-vitro diagnostics and rapid testing",
        goal="检测灵敏度提升",
        field=F.BIOMEDICINE,
        ipc="G01N 33/543; G01N 33/558; B01L 3/00",
        keywords="体外诊断 微流控 荧光 快检",
        incumbent="胶体金目测试纸",
        objects="""
            炎症因子床旁检测卡 | point-of-care cards for inflammation markers
            肾功能尿液检测条 | urine strips for kidney function
            心肌标志物检测盒 | cardiac-marker kits
            水产药残快检卡 | drug-residue cards for aquatic products
            食源性致病菌检测芯片 | chips for food-borne pathogens
        """,
        methods="""
            量子点荧光标记方法 | quantum-dot labelling | 用羧基化量子点微球定向偶联抗体，批内变异小且不易淬灭
            离心微流控芯片结构 | centrifugal microfluidic chip | 以虹吸阀和定容腔在一张碟片上完成分离、稀释、反应，不需移液
            时间分辨读数装置 | time-resolved reader | 用延迟门控去除背景荧光，读数仪体积小于一个饭盒
            膜材亲水改性与喷点工艺 | membrane treatment and dispensing | 控制表面张力和喷点间距，线型均匀、边缘不扩散
            标准曲线自校准算法 | self-calibrating standard curve | 利用片内双质控线修正温度与批间差异，现场无需定标
        """,
        problems="""
            {o}灵敏度和定量能力不足，结果须送中心实验室复检
            {o}操作步骤多，对人员要求高，基层现场使用误差大
            {o}批间差异大，抗体与膜材更换后要重新验证
        """,
        tried="""
            曾增加标记物用量，灵敏度略升而背景同步升高
            曾更换膜材供应商，批间变异系数升到20%以上
        """,
        metrics=(
            m(
                "检出限（以现有方法为100%）",
                "detection limit relative to the current method",
                "%",
                (100, 100),
                (8, 16),
                0,
                "系列稀释样品",
            ),
            m("批间变异系数", "between-batch CV", "%", (15, 21), (5, 7.5), 1, "三批各20份"),
            m("样品到结果时间", "time to result", "min", (35, 50), (9, 14), 0, "含前处理"),
        ),
        proves="12 3 1 2 2",
        answers="1 2 1 3 3",
        wants="""
            {o}灵敏度提升
            {o}批间一致性控制
            {o}免前处理快速检测
            {o}读数仪小型化
        """,
        tasks="""
            确定标记、膜材和反应条件
            完成三批试生产和性能评估
            完成不少于200份样品的方法学比对
            提供注册或认证所需的研究资料
        """,
        needs="需十万级洁净车间和喷点划膜设备，抗体可由成果方推荐",
    ),
    topic(
        "health-material",
        "生物医用材料与敷料",
        "biomedical materials and dressings",
        goal="性能提升",
        field=F.BIOMEDICINE,
        ipc="A61L 15/42; A61L 27/50; A61L 31/14",
        keywords="生物材料 抗菌敷料 水凝胶 医用涂层",
        incumbent="普通纱布或泡沫敷料",
        objects="""
            慢性创面敷料 | chronic-wound dressings
            术后切口敷料 | surgical-incision dressings
            供皮区敷料 | donor-site dressings
            压疮防护敷料 | pressure-sore dressings
            烧伤创面敷料 | burn-wound dressings
        """,
        methods="""
            海洋多糖复合水凝胶 | marine-polysaccharide hydrogel | 以虾蟹壳来源羧甲基壳聚糖与氧化海藻酸钠动态交联，可随形贴合并自愈合
            双层非对称膜工艺 | asymmetric bilayer membrane | 使外层微孔疏水阻菌、内层高吸液并定向导液，揭除时不粘连
            可控释银与锌抗菌体系 | controlled silver–zinc release | 把离子载入层状硅酸盐，释放速率平稳，细胞毒性合格
            静电纺梯度纤维工艺 | graded electrospinning | 由表层到内层逐级增大纤维直径，兼顾阻隔与透气
            湿态粘附贴合材料 | wet-adhesive material | 用儿茶酚改性聚合物提高湿润皮肤粘附力，剥离疼痛评分降低
        """,
        problems="""
            {o}吸液与透气难以兼顾，渗液多时浸渍周围皮肤
            {o}更换时粘连创面，患者疼痛明显且延长护理时间
            {o}抗菌成分释放前高后低，使用两三天后效果下降
        """,
        tried="""
            曾提高载银量，抗菌有效但细胞毒性试验不合格
            曾采用进口基材，原料价格高且供货不稳定
        """,
        metrics=(
            m("吸液量", "fluid uptake", "g/100 cm²", (9, 13), (22, 29), 0, "生理盐水、30 min"),
            m("48 h抗菌率", "antibacterial rate after 48 h", "%", (72, 82), (97, 99.4), 1, "两种指示菌"),
            m("剥离力", "peel force", "N/25 mm", (2.6, 3.4), (0.9, 1.4), 1, "湿态皮肤模型"),
        ),
        proves="13 13 2 1 3",
        answers="1 2 3 1 2",
        wants="""
            {o}湿性愈合材料
            {o}持续抗菌与低毒平衡
            {o}减少换药疼痛的方案
            {o}国产基材与规模化工艺
        """,
        tasks="""
            完成材料配方和工艺放大
            完成生物相容性与抗菌持久性评价
            完成三批稳定性与灭菌验证
            提供注册检验用样品与研究资料
        """,
        needs="需洁净涂布或冻干产线，灭菌工艺由双方共同验证",
    ),
    topic(
        "health-imaging",
        "医学影像与辅助诊断软件",
        "medical imaging software",
        goal="辅助诊断",
        field=F.ELECTRONICS,
        ipc="G16H 30/40; G06T 7/00; A61B 5/00",
        keywords="医学影像 辅助诊断 分割 质控",
        incumbent="人工阅片与手工测量",
        objects="""
            膝关节磁共振影像 | knee MRI
            口腔全景片 | dental panoramic radiographs
            眼底照相 | fundus photographs
            肺部低剂量CT | low-dose chest CT
            甲状腺超声影像 | thyroid ultrasound images
        """,
        methods="""
            多中心一致性迁移模型 | multi-centre domain adaptation | 用频域风格扰动与少量目标样本校准，换设备后性能不明显下降
            半自动病灶分割算法 | interactive lesion segmentation | 只需医生两次点击即可得到边界，修改结果用于增量学习
            结构化报告生成系统 | structured reporting | 把测量值与文字模板绑定，修改任一项可追溯到图像位置
            图像质量实时质控方法 | real-time image quality control | 在采集完成时即判断伪影、体位和曝光，不合格当场提示重拍
            模型不确定度提示方法 | uncertainty display | 对低置信病例给出提示并转人工复核，不强行给结论
        """,
        problems="""
            {o}的阅片量逐年上升而基层医生数量不足，漏诊与重复检查并存
            {o}在不同设备上图像差异大，软件换医院后准确率下降
            {o}的测量依赖手工，随访时不同医生结果不可比
        """,
        tried="""
            曾试用两款软件，假阳性偏多，医生最后关闭了提示
            曾组织人工双读，报告时间延长一倍
        """,
        metrics=(
            m("病灶检出灵敏度", "lesion sensitivity", "%", (80, 85), (93, 96), 0, "多中心测试集"),
            m("单例阅片时间", "reading time per case", "min", (7.5, 10), (2.6, 3.8), 1, "含报告"),
            m(
                "跨设备准确率下降",
                "accuracy loss across scanners",
                "百分点",
                (9, 14),
                (1.5, 2.8),
                1,
                "三种设备",
            ),
        ),
        proves="13 2 2 1 1",
        answers="2 3 1 1 1",
        wants="""
            {o}辅助诊断与质控
            {o}跨设备稳定性
            {o}结构化报告与随访
            {o}低假阳性检出算法
        """,
        tasks="""
            在合规授权下整理并标注不少于1500例影像
            开发算法与软件并对接影像系统
            完成多中心回顾性评价和可用性试验
            编制软件研究资料和风险管理文件
        """,
        needs="需医院合作与伦理审查，软件部署于院内网络",
    ),
    topic(
        "health-monitor",
        "可穿戴监测与养老看护",
        "wearable monitoring and elderly care",
        goal="可靠性提升",
        field=F.ELECTRONICS,
        ipc="A61B 5/0205; A61B 5/11; G08B 21/04",
        keywords="可穿戴 跌倒 心率 养老",
        incumbent="普通消费级手环",
        objects="""
            养老机构生命体征监测 | vital-sign monitoring in care homes
            居家老人看护 | home monitoring of the elderly
            术后患者随访监测 | post-operative follow-up monitoring
            出海渔民体征监测 | vital-sign monitoring of fishermen at sea
            睡眠呼吸居家筛查 | home screening of sleep breathing
        """,
        methods="""
            毫米波雷达非接触检测装置 | non-contact millimetre-wave sensing | 以相位解缠和多目标分离提取呼吸与心率，不摄像、不穿戴
            光电与惯性融合抗运动伪影算法 | motion-artefact removal | 用三轴加速度自适应滤除运动干扰，走动时心率仍可用
            压电薄膜床垫传感结构 | piezo-film mattress sensor | 采用分区聚偏氟乙烯薄膜，翻身与离床可以区分 | 1 2 5
            异常分级告警策略 | graded alert policy | 按个人基线与持续时间分级通知，减少夜间误告
            终端间歇供电与离线缓存系统 | intermittent power with offline storage | 以事件触发采集和断网缓存，续航延长且数据不丢
        """,
        problems="""
            {o}要求长期连续使用，佩戴不适和频繁充电造成依从性差
            {o}的误告警过多，看护人员产生疲劳后容易忽略真实事件
            {o}涉及隐私与数据安全，摄像方案难以被接受
        """,
        tried="""
            曾统一配发手环，三个月后在用率不足三成
            曾安装摄像头，因隐私顾虑只能用于公共区域
        """,
        metrics=(
            m("异常事件识别率", "event detection rate", "%", (78, 85), (95, 98), 0, "现场30天"),
            m(
                "每人每日误告警",
                "false alerts per person and day",
                "次",
                (1.6, 2.6),
                (0.08, 0.2),
                2,
                "现场30天",
            ),
            m("三个月持续使用率", "use after three months", "%", (28, 38), (78, 88), 0, "试点用户"),
        ),
        proves="13 12 13 2 3",
        answers="3 2 1 2 1",
        wants="""
            {o}非接触监测
            {o}误告警降低
            {o}长续航低打扰设计
            {o}数据安全与平台对接
        """,
        tasks="""
            明确监测参数和告警分级
            开发终端与算法并在不少于50人中试用
            评估识别率、误报和依从性
            完成数据安全测评与接口规范
        """,
        needs="需试点场所配合安装与知情同意，服务平台可利用现有系统",
    ),
    topic(
        "health-packaging",
        "药品与医用包装装备",
        "pharmaceutical and medical packaging",
        goal="质量提升",
        field=F.ADVANCED_MANUFACTURING,
        ipc="B65B 55/04; B65B 7/28; B65D 81/20",
        keywords="药品包装 密封 检漏 无菌",
        incumbent="现行人工抽检包装线",
        objects="""
            冻干粉针瓶包装 | lyophilised-vial packaging
            疫苗预灌封组件包装 | packaging of prefilled syringes
            医用敷料真空包装 | vacuum packs of dressings
            滴眼剂单剂量包装 | unit-dose eye-drop packs
            骨科植入物包装 | orthopaedic-implant packs
        """,
        methods="""
            多室真空衰减检漏装置 | multi-chamber vacuum-decay testing | 多工位真空腔并行测量衰减并用参考腔扣除温漂，微孔与慢漏均可在线判别
            多参数热封闭环控制系统 | closed-loop heat sealing | 同时监测温度、压力、时间，封口强度的批间波动降低
            视觉与三维封口检查装置 | visual and 3-D seal inspection | 用线激光测量封边宽度与褶皱，替代人工目视
            无菌隔离换型结构 | isolated changeover | 用快换仓与灭菌传递袋，换型不破坏洁净等级
            配方化参数装载系统 | recipe-driven set-up | 扫码调用规格配方并自动核对温度、压力和模具，换型首件即合格
        """,
        problems="""
            {o}的微漏用目视难以发现，抽检发现后批次召回范围大
            {o}材料薄、规格多，换型和参数调整耗时
            {o}的无菌与追溯要求提高，设备数据分散无法合并
        """,
        tried="""
            曾加大抽检比例，人力成本上升而微漏仍有漏检
            曾更换进口封口机，备件与耗材被供应商锁定
        """,
        metrics=(
            m("微漏检出率", "micro-leak detection", "%", (70, 80), (97.5, 99.5), 1, "20 μm标准孔"),
            m("封口强度变异系数", "CV of seal strength", "%", (14, 19), (3.5, 6), 1, "连续三批"),
            m("换型时间", "changeover time", "min", (85, 130), (18, 30), 0, "含清场"),
        ),
        proves="1 2 2 3 3",
        answers="1 2 1 3 2",
        wants="""
            {o}微漏在线检出
            {o}封口质量闭环控制
            {o}快速换型与无菌保障
            {o}追溯与数据完整性
        """,
        tasks="""
            分析泄漏与封口不良的原因
            研制检测或控制装置并在产线验证
            完成安装、运行、性能三阶段确认
            交付数据完整性与审计追踪方案
        """,
        needs="需开放设备通信协议，验证期产线停机约5天",
    ),
    topic(
        "health-sterilisation",
        "消毒灭菌与空气净化",
        "sterilisation and air purification",
        goal="高效消杀",
        field=F.BIOMEDICINE,
        ipc="A61L 9/20; F24F 8/22; A61L 2/20",
        keywords="消毒 净化 紫外 过氧化氢",
        incumbent="汞灯紫外或药剂熏蒸",
        objects="""
            手术室空气消毒机 | operating-room air disinfectors
            冷链外包装消毒设备 | cold-chain package disinfection
            口腔诊室净化装置 | dental-surgery air cleaners
            制药洁净车间传递窗 | pass boxes of clean rooms
            水产加工车间消毒系统 | disinfection for fish processing
        """,
        methods="""
            深紫外发光二极管阵列设计 | deep-UV LED array | 以剂量分布反求灯珠排列和反射腔，照射死角减少，无臭氧
            汽化过氧化氢浓度闭环控制系统 | closed-loop hydrogen-peroxide vapour | 按温湿度与残留浓度调节汽化和分解，周期缩短
            低温等离子与过滤复合结构 | plasma–filter hybrid | 把电场降解置于可清洗滤网前，压降低，臭氧被后级分解
            消毒剂量实时监测方法 | real-time dose monitoring | 由多点传感与模型推算最不利点剂量，避免盲目延长
            光催化自清洁滤材 | photocatalytic self-cleaning filter | 用负载型氧化钛在可见光下分解附着物，更换周期延长
        """,
        problems="""
            {o}消毒时间长、影响周转，且残留与臭氧指标受限
            {o}的死角剂量不足，效果只能靠事后培养验证
            {o}维护频繁，灯管与滤材更换费用偏高
        """,
        tried="""
            曾延长照射时间，设备周转下降而死角仍不合格
            曾使用臭氧消毒，残留味道大且腐蚀橡胶件
        """,
        metrics=(
            m(
                "自然菌消亡率",
                "reduction of natural bacteria",
                "%",
                (86, 91),
                (98.5, 99.6),
                1,
                "30 min模拟现场",
            ),
            m("消毒周期", "disinfection cycle", "min", (60, 90), (18, 28), 0, "典型空间"),
            m("臭氧残留", "ozone residue", "mg/m³", (0.08, 0.12), (0.01, 0.03), 2, "出风口"),
        ),
        proves="13 2 13 2 1",
        answers="2 1 1 2 3",
        wants="""
            {o}快速低残留消毒
            {o}剂量监测与可追溯
            {o}低维护长寿命设计
            {o}节能与静音
        """,
        tasks="""
            建立剂量场模型并识别最不利点
            研制样机并完成模拟现场与现场试验
            完成安全性与残留检测
            提供使用规程与验证方案
        """,
        needs="需微生物试验条件，可委托有资质机构检测",
    ),
)
