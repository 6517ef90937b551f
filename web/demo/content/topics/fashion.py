"""Topics of the shoe and clothing industry (时尚鞋服)."""

from __future__ import annotations

from market.deals.models import TechnicalField as F
from web.demo.content.grammar import m, topic

TOPICS = (
    topic(
        "shoe-adhesive",
        "制鞋胶粘与贴合",
        "bonding in shoemaking",
        goal="环保粘接",
        field=F.NEW_MATERIALS,
        ipc="C09J 175/04; A43D 25/20; C09J 5/06",
        keywords="水性胶 贴底 剥离强度 制鞋",
        incumbent="溶剂型氯丁胶",
        objects="""
            注塑鞋底与鞋面 | injected soles and uppers
            休闲鞋大底 | outsoles of casual shoes
            童鞋贴底 | children's shoe soles
            登山鞋橡胶底 | rubber soles of hiking boots
            发泡中底复合 | foamed midsole laminates
        """,
        methods="""
            水性聚氨酯活化胶 | heat-activated waterborne polyurethane | 以磺酸盐型聚酯二元醇提高固含量至50%，55 ℃即可活化，不需加长烘箱
            等离子体表面活化工艺 | plasma surface activation | 用大气压旋转等离子体代替药水处理鞋底，处理后4 h内粘接强度不衰减
            单组分湿固化热熔胶 | moisture-curing hot melt | 以端异氰酸酯预聚物获得高初粘强度，开放时间可调到3 min，适合机器人涂胶
            机器人涂胶轨迹自生成系统 | automatic glue-path generation | 用线激光扫描鞋帮或中底得到咬合线，左右脚和码数自动缩放
            可逆解粘接方法 | reversible debonding | 在胶层加入热触发微胶囊，回收时加热即可分离鞋面与鞋底
        """,
        problems="""
            {o}的溶剂型胶水气味大，车间挥发物收集处理成本高，出口客户要求限期替换
            {o}材料种类多，水性胶在高弹或低表面能材料上容易开胶
            {o}的刷胶依靠熟练工，胶量和边线不一致，溢胶清理占用工时
        """,
        tried="""
            曾试用两种水性胶，冬季活化不充分，开胶率上升到2%以上
            曾用处理剂二次涂刷，强度达标但又带来溶剂排放
        """,
        metrics=(
            m("初期剥离强度", "initial peel strength", "N/mm", (1.8, 2.3), (3.4, 4.2), 1, "贴合5 min后"),
            m(
                "车间非甲烷总烃排放",
                "NMHC emission of the workshop",
                "mg/m³",
                (48, 65),
                (8, 14),
                0,
                "收集口监测",
            ),
            m("开胶返修率", "delamination rework rate", "%", (1.8, 2.6), (0.3, 0.6), 1, "月度统计"),
        ),
        proves="12 13 12 3 1",
        answers="1 2 1 3 1",
        wants="""
            {o}水性化粘接技术
            {o}低温活化与防开胶
            {o}机器人自动涂胶
            {o}可回收拆解粘接方案
        """,
        tasks="""
            建立材料—胶种—处理方式匹配表
            完成小试并在一条流水线上连续试产2万双
            检测排放、耐黄变、耐水解和剥离强度
            给出设备改造清单与成本对比
        """,
        needs="现有烘箱可沿用，需增加等离子处理头或涂胶机器人",
    ),
    topic(
        "shoe-midsole",
        "鞋材发泡与中底",
        "foaming and midsoles",
        goal="轻弹",
        field=F.NEW_MATERIALS,
        ipc="C08J 9/12; A43B 13/18; C08L 23/08",
        keywords="超临界发泡 中底 回弹 轻量",
        incumbent="化学发泡EVA中底",
        objects="""
            跑鞋中底 | running-shoe midsoles
            老人防滑鞋中底 | midsoles of senior shoes
            劳保鞋鞋垫 | safety-shoe insoles
            儿童运动鞋中底 | children's sports midsoles
            拖鞋整体发泡件 | one-piece foamed slippers
        """,
        methods="""
            超临界氮气发泡工艺 | supercritical nitrogen foaming | 用快速泄压和两段保温控制泡孔直径，不使用化学发泡剂，产品无氨味
            热塑性聚酯弹性体共混改性 | thermoplastic polyester elastomer blend | 以扩链剂提高熔体强度，使发泡倍率与回弹同时提高
            三维格栅中底设计方法 | lattice midsole design | 由足底压力图分区生成格栅密度，一体打印不需粘合 | 1 2 3 4
            生物基弹性体配方 | bio-based elastomer | 以生物基二元酸合成软段，生物基碳含量不低于40%，耐水解指标满足两年储存
            变密度一次成型模具 | single-shot variable-density mould | 通过分区模温与预填量控制前后掌硬度差
        """,
        problems="""
            {o}既要轻又要回弹持久，普通EVA穿两个月后明显塌陷
            {o}的发泡剂残留气味和偶氮分解物受到出口检测限制
            {o}收缩率大且随季节变化，配底时尺寸不配
        """,
        tried="""
            曾提高发泡倍率，密度下降但压缩变形超标
            曾外购超临界粒子，单双成本增加6元以上
        """,
        metrics=(
            m("密度", "density", "g/cm³", (0.19, 0.22), (0.11, 0.14), 2, "成品取样"),
            m("落球回弹率", "ball rebound", "%", (44, 50), (62, 70), 0, "23 ℃"),
            m(
                "4万次压缩后厚度损失",
                "thickness loss after 40 000 compressions",
                "%",
                (14, 19),
                (4, 6.5),
                1,
                "疲劳机",
            ),
        ),
        proves="12 123 13 2 3",
        answers="2 1 1 2 3",
        wants="""
            {o}轻质高回弹材料
            {o}清洁发泡工艺
            {o}尺寸稳定性控制
            {o}足部压力分区设计
        """,
        tasks="""
            确定材料配方与发泡参数窗口
            试制三种硬度样品并完成疲劳与穿着试验
            完成200双小批量并评估收缩率
            核算单双成本和设备投资
        """,
        needs="超临界方案需高压釜；配方方案可在现有小发泡机上实施",
    ),
    topic(
        "shoe-automation",
        "制鞋成型自动化",
        "automation of shoe lasting and assembly",
        goal="少人化",
        field=F.ADVANCED_MANUFACTURING,
        ipc="A43D 21/00; A43D 117/00; B25J 11/00",
        keywords="鞋机 自动化 视觉 柔性抓取",
        incumbent="人工传统流水线",
        objects="""
            绷帮定型工序 | lasting and setting
            鞋面车缝工序 | upper stitching
            套楦与脱楦工位 | last inserting and slipping
            鞋底打磨工位 | sole roughing
            鞋面贴合工序 | upper laminating
        """,
        methods="""
            多指力控绷帮装置 | force-controlled lasting | 用独立伺服拉指按材质设定力—位移曲线，真皮和网布共用一台设备 | 1
            鞋面柔性料抓取末端 | gripper for limp uppers | 采用静电吸附与微针复合抓取，多层不粘连且不留孔 | 2 5
            楦型自动识别与调机系统 | last recognition and machine setting | 由楦底条码和轮廓识别自动调用参数，换款不超过3 min | 1 3 4
            视觉引导曲线缝纫系统 | vision-guided contour stitching | 相机实时修正针迹起点和曲率，边距误差0.3 mm以内 | 2
            磨削力自适应打磨方法 | force-adaptive roughing | 按鞋底胶料硬度调节接触力，咬花深度均匀而不磨穿 | 4
            工位视觉防错系统 | visual error-proofing | 在工位上方用相机核对材料、码数和左右脚，不良图片按工序归档
        """,
        problems="""
            {o}用工多、流动性大，新人培训两个月才能顶岗
            {o}材料柔软、款式每周更换，通用机器人难以稳定抓取
            {o}左右脚与码段差异导致频繁调机，自动化设备利用率低
        """,
        tried="""
            曾引进一台进口绷帮机，只适合少数款式，后改为手工
            曾用普通吸盘上料，网布漏气导致抓取失败率高
        """,
        metrics=(
            m("单工序用工", "workers per operation", "人", (5, 8), (1, 2), 0, "单班产量1200双"),
            m("换款调机时间", "changeover time", "min", (35, 55), (3, 6), 0, "同楦型系列"),
            m("工序一次合格率", "first-pass yield", "%", (90, 93), (97.8, 99), 1, "连续1万双"),
        ),
        proves="13 1 2 13 13 3",
        answers="1 2 3 1 1 3",
        wants="""
            {o}自动化设备开发
            {o}快速换款与参数管理
            {o}柔性材料抓取技术
            {o}视觉检测与质量追溯
        """,
        tasks="""
            采集主要款式与材料的工艺参数
            研制单机并嵌入现有流水线
            连续试产1万双，统计节拍与不良
            形成操作与维护手册并培训
        """,
        needs="需要流水线预留约12平方米，气源0.6 MPa",
    ),
    topic(
        "fabric-functional",
        "功能面料与后整理",
        "functional fabrics and finishing",
        goal="功能化",
        field=F.NEW_MATERIALS,
        ipc="D06M 15/277; D06M 11/79; D06M 15/263",
        keywords="功能面料 无氟拒水 吸湿速干 整理",
        incumbent="含氟或溶剂型整理面料",
        objects="""
            冲锋衣面料 | shell-jacket fabrics
            羽绒服面料 | down-jacket fabrics
            户外裤面料 | outdoor-trouser fabrics
            校服外套面料 | school-uniform jacket fabrics
            雨衣面料 | raincoat fabrics
        """,
        methods="""
            无氟拒水整理剂 | fluorine-free repellent finish | 以长链丙烯酸酯与支化聚硅氧烷复配，20次水洗后拒水等级不降级
            内侧亲水单面整理工艺 | one-side hydrophilic finishing | 用泡沫整理仅处理面料内侧，汗液沿内侧铺开蒸发而外侧仍拒水
            防水透湿微孔膜复合工艺 | microporous membrane lamination | 以点状热熔胶复合聚氨酯微孔膜，上胶面积比控制在35%以内，手感与透湿兼顾 | 1 3 4 5
            小浴比数字配色染整方法 | low-liquor dyeing with digital recipes | 以光谱数据库预测配方并在线修正浴比和升温曲线，小单一次成样率提高
            再生聚酯增白与除杂方法 | purification of recycled polyester | 在造粒前做色选、水解抑制和固相增黏，纱线强度接近原生料
        """,
        problems="""
            {o}的含氟整理剂被欧盟限用，替代品水洗后拒水下降快
            {o}要兼顾防水、透湿和手感，涂层一厚就不透气
            {o}小单多色，染整一次成功率低，回修消耗大
        """,
        tried="""
            曾更换两种无氟助剂，初始拒水合格，5次水洗后降到3级
            曾用覆膜代替涂层，成本增加约3元每米
        """,
        metrics=(
            m(
                "20次水洗后拒水等级",
                "water repellency after 20 washes",
                "级",
                (2, 3),
                (4, 4.5),
                1,
                "GB/T 4745",
            ),
            m("透湿量", "water-vapour transmission", "g/(m²·24h)", (3200, 4300), (8600, 10500), -2, "正杯法"),
            m("染色一次成功率", "right-first-time dyeing", "%", (82, 87), (94, 97), 0, "月度统计"),
        ),
        proves="1 12 12 3 3",
        answers="1 2 2 3 3",
        wants="""
            {o}无氟拒水整理
            {o}防水透湿平衡技术
            {o}功能耐久性提升
            {o}绿色再生原料应用
        """,
        tasks="""
            建立整理剂、工艺与手感的评价矩阵
            完成中试放样并做多次水洗试验
            提供第三方检测与有害物质符合性报告
            确定量产配方和成本
        """,
        needs="需泡沫整理或轧—烘—焙设备，助剂可由成果方供应母样",
    ),
    topic(
        "apparel-digital",
        "数字化量体与智能打版",
        "digital fitting and pattern making",
        goal="数字化",
        field=F.ELECTRONICS,
        ipc="A41H 1/00; G06T 17/20; G06F 30/10",
        keywords="三维试衣 打版 尺码推荐 虚拟样衣",
        incumbent="人工打版与实物样",
        objects="""
            童装样板 | children's wear patterns
            泳装款式 | swimwear styles
            鞋楦设计 | shoe-last design
            职业装定制 | made-to-measure uniforms
            帽类产品 | headwear
        """,
        methods="""
            双目手机足型与体型测量方法 | phone-based body and foot measuring | 由手机短视频和标定纸重建关键围度，不需专用设备
            参数化版型生成模型 | parametric pattern generation | 把版师规则写成约束图，改围度时结构线自动保持关系 | 1 2 4 5
            面料力学参数反演虚拟试衣 | fabric-parameter inversion for virtual fitting | 用悬垂视频反求弯曲刚度，虚拟样衣与实样褶皱接近 | 1 2 4
            楦底曲面自动放码算法 | automatic grading of lasts | 以形变约束放码，保持前跷和跟高不变 | 3
            尺码推荐与退货预测模型 | size recommendation and return prediction | 结合测量、历史退换和评论，给出尺码与退货风险
        """,
        problems="""
            {o}打样轮次多，一款从设计到定版要两到三周
            {o}线上退货中因尺码不合的占三成以上
            {o}的版师经验难以传承，放码比例凭个人习惯
        """,
        tried="""
            曾采购通用三维试衣软件，面料参数不准，设计师仍要求实样
            曾印制尺码表引导选择，退货率基本没有变化
        """,
        metrics=(
            m("打样轮次", "sampling rounds", "轮", (3.2, 4.0), (1.2, 1.6), 1, "100款平均"),
            m("尺寸测量误差", "measuring error", "mm", (8, 12), (2, 3.5), 1, "与人工比较"),
            m("尺码相关退货率", "size-related returns", "%", (15, 19), (6, 8.5), 1, "电商店铺3个月"),
        ),
        proves="23 1 1 1 3",
        answers="2 3 1 3 2",
        wants="""
            {o}快速打版与放码
            {o}虚拟样品替代实样
            {o}尺码推荐降退货
            {o}版型数据库与知识传承
        """,
        tasks="""
            整理历史版型与面料参数建库
            开发测量与版型生成工具并与现有软件对接
            在不少于100款产品上对比打样轮次
            提供培训并交付源数据格式说明
        """,
        needs="需提供历史样板文件与授权，部署可用单台图形工作站",
    ),
    topic(
        "shoe-safety",
        "鞋类安全与穿着性能",
        "shoe safety and wearing performance",
        goal="性能提升",
        field=F.NEW_MATERIALS,
        ipc="A43B 13/22; A43B 7/32; C08L 9/06",
        keywords="防滑 防穿刺 减震 劳保鞋",
        incumbent="普通橡胶大底",
        objects="""
            厨师防滑鞋 | slip-resistant chef shoes
            劳保安全鞋 | safety shoes
            老年健步鞋 | walking shoes for the elderly
            雪地靴 | snow boots
            骑行靴 | riding boots
        """,
        methods="""
            防滑花纹与胶料协同设计 | joint tread and compound design | 以排水沟槽角度和湿摩擦胶料联合优化，在油水瓷砖上仍能保持接触
            冰面微孔中空纤维胶料 | hollow-fibre rubber for ice | 把中空玻璃纤维露出表面形成微刺，常温不脱落 | 4
            非金属防穿刺中底 | non-metallic penetration-resistant midsole | 采用高强聚乙烯多层错角织物热压，弯折不回弹硬化 | 2
            足跟冲击吸收结构 | heel-impact absorbing structure | 以波形泡沫与薄壁腔室串联吸能，行走与落地分别起作用 | 2 3 4 5
            高耐磨发泡橡胶配方 | wear-resistant foamed rubber | 以液体橡胶接枝白炭黑补强发泡胶料，密度降低两成而磨耗不增
        """,
        problems="""
            {o}在油污、湿滑地面上摩擦系数不足，赔付与投诉时有发生
            {o}既要防护又要轻便，材料加厚后偏重且弯折不便
            {o}出口认证项目多，每换材料都要重新送检，周期长
        """,
        tried="""
            曾降低胶料硬度，防滑改善但三个月磨平
            曾加厚大底提高防护，成鞋偏重、久穿脚累
        """,
        metrics=(
            m(
                "油水瓷砖动摩擦系数",
                "slip resistance on oily ceramic tile",
                "",
                (0.14, 0.20),
                (0.34, 0.42),
                2,
                "足跟水平",
            ),
            m("单只鞋重量", "weight per shoe", "g", (460, 520), (350, 400), -1, "42码"),
            m("磨耗体积", "abrasion volume", "mm³", (190, 240), (95, 130), -1, "GB/T 9867"),
        ),
        proves="13 1 2 2 23",
        answers="1 1 2 2 2",
        wants="""
            {o}防滑与耐磨平衡技术
            {o}轻量化防护
            {o}减震舒适设计
            {o}认证周期缩短与材料评价
        """,
        tasks="""
            明确目标市场标准和测试地面
            开发胶料与花纹方案并试模
            完成摩擦、穿刺、耐磨及穿着试验
            协助取得目标市场检测报告
        """,
        needs="现有炼胶与硫化线可用，需新开花纹模具两副",
    ),
    topic(
        "fashion-waste",
        "鞋服边角料回收",
        "recycling of footwear and textile waste",
        goal="资源化",
        field=F.ENVIRONMENT,
        ipc="B29B 17/04; C08J 11/06; D01G 11/00",
        keywords="废料回收 再生 EVA 混纺",
        incumbent="焚烧或填埋处置",
        objects="""
            EVA发泡边料 | EVA foam scrap
            废旧鞋类 | discarded shoes
            涤棉混纺边角布 | polyester–cotton offcuts
            PU革裁断余料 | PU leather cuttings
            橡胶大底飞边 | rubber outsole flash
        """,
        methods="""
            低温破碎分选系统 | cryogenic crushing and separation | 用空气冷却脆化破碎与风选联用，各组分纯度可达95% | 1 2 4 5
            交联发泡料再活化方法 | re-activation of cross-linked foam | 以超声剪切部分解交联后回掺，掺量三成时回弹下降不超过5个百分点 | 1 5
            混纺布选择性溶解工艺 | selective dissolution of blends | 用可循环溶剂溶出纤维素，聚酯纤维保持长度可直接造粒 | 3
            边料热压板成型工艺 | hot-press boards from offcuts | 不另加胶，利用残余聚氨酯熔融黏结成隔声板 | 1 4
            废料成分近红外识别装置 | near-infrared material sorting | 以近红外与重量信息联合分选，节拍每件0.8 s | 2 3 4
        """,
        problems="""
            {o}材质混杂、带胶带色，回收企业不愿接收，只能焚烧
            {o}处置费逐年上涨，园区固废指标紧张
            {o}再生后性能下降，只能做低值填充料
        """,
        tried="""
            曾破碎后直接回掺5%，成品表面出现颗粒
            曾委托外地企业处理，运费高于处置费
        """,
        metrics=(
            m("资源化率", "share recovered", "%", (20, 32), (78, 87), 0, "月度物料衡算"),
            m(
                "再生料掺用比例",
                "share of recycled material",
                "%",
                (5, 10),
                (28, 36),
                0,
                "成品性能合格条件下",
            ),
            m("单位处置成本", "disposal cost per tonne", "元/t", (780, 950), (160, 260), -1, "含运输"),
        ),
        proves="13 2 1 13 1",
        answers="1 3 1 2 1",
        wants="""
            {o}高值化再生
            {o}分选与纯化技术
            {o}就地减量化方案
            {o}再生料回用品质控制
        """,
        tasks="""
            完成一个月的废料成分与产生量调查
            开展破碎、分选与再生试验
            试产再生制品并完成有害物质检测
            给出日处理1 t示范线方案与经济测算
        """,
        needs="需提供每日产生量与分类台账，示范线占地约150平方米",
    ),
    topic(
        "apparel-cutting",
        "裁断与排版装备",
        "cutting and nesting equipment",
        goal="高效加工",
        field=F.ADVANCED_MANUFACTURING,
        ipc="B26D 5/00; A41H 42/00; B26F 1/38",
        keywords="裁床 排版 皮料利用率 真空吸附",
        incumbent="人工排版与普通裁床",
        objects="""
            真皮振动刀裁断 | oscillating-knife leather cutting
            针织弹力布铺裁 | spreading and cutting of stretch knits
            网布多层裁断 | multi-ply mesh cutting
            皮革拼接件裁断 | cutting of patchwork leather
            帽片裁断 | cap-panel cutting
        """,
        methods="""
            瑕疵感知智能排版算法 | defect-aware nesting | 用相机识别皮面疤痕、松紧区并按部位等级排版，皮料利用率提高
            零张力铺布结构 | tension-free spreading | 以浮辊与松布量预测闭环，弹力布裁片回缩量减小 | 2 3
            真空分区吸附结构 | zoned vacuum hold-down | 按裁刀位置分区开合真空腔并补偿漏气，省去覆膜仍能压紧料层
            裁头惯性力对消设计 | inertia-cancelling cutting head | 用偏心惯量对消裁刀往复惯性力，拐角不减速也不跑偏
            刀具磨损补偿方法 | knife-wear compensation | 以驱动电流推断刀刃状态并自动偏置轨迹
        """,
        problems="""
            {o}材料占成本六成，排版利用率差一个点就影响利润
            {o}的料层弹性或厚薄变化大，裁片尺寸不稳定
            {o}设备真空泵常开、能耗高，缺少产量与质量数据
        """,
        tried="""
            曾使用进口排版软件，皮料瑕疵仍要人工圈画
            曾更换进口刀头，速度提高但拐角过切增多
        """,
        metrics=(
            m("材料利用率", "material utilisation", "%", (76, 80), (85, 88), 1, "100张料平均"),
            m("裁片尺寸偏差", "cut-piece deviation", "mm", (1.6, 2.2), (0.4, 0.7), 1, "弹力料"),
            m(
                "裁断单位电耗",
                "energy per area cut",
                "kWh/100 m²",
                (5.2, 6.4),
                (2.6, 3.3),
                1,
                "混合订单一周平均",
            ),
        ),
        proves="1 2 23 2 2",
        answers="1 2 3 2 2",
        wants="""
            {o}利用率提升
            {o}裁片尺寸精度控制
            {o}节能与数据采集
            {o}瑕疵识别技术
        """,
        tasks="""
            建立材料瑕疵与变形数据集
            开发控制或排版系统并在两台设备上验证
            与订单系统对接并统计利用率
            输出可复制的升级套件
        """,
        needs="需开放设备控制接口或更换控制器，样机调试约两周",
    ),
    topic(
        "leather-clean",
        "合成革清洁制造",
        "clean manufacture of synthetic leather",
        goal="清洁制造",
        field=F.ENVIRONMENT,
        ipc="D06N 3/14; D06N 3/00; C08G 18/08",
        keywords="无溶剂 合成革 水性聚氨酯 低气味",
        incumbent="二甲基甲酰胺湿法工艺",
        objects="""
            鞋面合成革 | synthetic leather for uppers
            沙发合成革 | upholstery synthetic leather
            服装合成革 | garment synthetic leather
            箱包超纤革 | microfibre leather for bags
            汽车内饰合成革 | automotive interior synthetic leather
        """,
        methods="""
            无溶剂双组分涂布工艺 | solvent-free two-component coating | 以反应型聚氨酯在线混合涂布，控制预聚物黏度和凝胶时间，生产线不需回收塔
            水性聚氨酯干法贴面配方 | waterborne dry-process top coat | 采用自消光树脂与多碳化二亚胺交联，耐黄变和耐折同时达标
            机械发泡无溶剂中间层工艺 | mechanically frothed solvent-free layer | 以机械发泡聚氨酯层代替湿法凝固层，泡孔直径80至150 μm，手感接近湿法产品
            超纤减量废液回用系统 | reuse of microfibre reduction liquor | 把碱减量废液经酸析和结晶回收，对苯二甲酸可回用 | 4
            低气味脱挥后整理 | odour-removal finishing | 用热风—真空交替脱挥替代长时间陈放
        """,
        problems="""
            {o}的溶剂回收能耗高，溶剂残留与气味不合车用和童鞋要求
            {o}水性和无溶剂路线手感偏硬、耐折不足，客户接受度不一
            {o}的凝固槽废水处理费用不断上升
        """,
        tried="""
            曾试用水性贴面，低温耐折不到2万次开裂
            曾延长陈放时间，占用库房且效果不稳定
        """,
        metrics=(
            m("溶剂残留", "residual solvent", "mg/kg", (260, 420), (8, 20), 0, "成品检测"),
            m("低温耐折次数", "cold flexing", "万次", (1.5, 2.5), (5, 7), 1, "-20 ℃"),
            m(
                "单位产品综合能耗",
                "energy per unit area",
                "kgce/m²",
                (0.62, 0.74),
                (0.31, 0.40),
                2,
                "不含前处理",
            ),
        ),
        proves="13 12 13 3 1",
        answers="1 2 3 3 1",
        wants="""
            {o}无溶剂工艺
            {o}低气味技术
            {o}耐折与手感兼顾方案
            {o}废水减量与回用
        """,
        tasks="""
            对比三种路线的性能、能耗与排放
            在中试线上验证并优化配方
            完成第三方检测与客户试用
            制定改造分步方案
        """,
        needs="需涂布线改造约两周，配方可按手感要求调整",
    ),
)
