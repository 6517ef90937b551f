"""A market full of rows, made in bulk: for benches, for counting statements, for whatever needs many.

The text is put together from small lists and a seeded generator, so that two markets of the same size are
alike. Rows keep to the same constraints as real ones: valid credit codes, results with rights and claims,
demands with target figures, lots with a journal made by the rules, contracts with events.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlmodel import SQLModel
from stdnum.cn import uscc

from auctions import journal, service
from auctions.models import LotInput, TermsInput
from auctions.queries import lot_detail
from auctions.rules import commands as c
from market.db import Database, Session, t
from market.deals import movements
from market.deals.models import Contract, ContractEvent
from market.demands.models import Demand, DemandTarget
from market.enquiries.models import Enquiry, EnquiryMessage
from market.listings.models import Result, ResultClaim, ResultIp
from market.parties import access
from market.parties.models import ApiToken, MembershipRow, Organisation, Person, SignInSession
from market.permissions import MARKET_ROLES, Actor, Membership, Role, Scope, Via
from market.scrutiny.models import ContractFlag, FlagKind
from matching.models import Proposal, ProposalEvent
from web.seed import seed

DAY = dt.timedelta(days=1)
INDUSTRIES = ("pumps_motors", "machine_tools", "auto_parts", "footwear")
THINGS = (
    "自吸泵",
    "数控车床",
    "减速器",
    "永磁电机",
    "鞋底材料",
    "激光切割头",
    "空压机",
    "热处理炉",
    "刹车盘",
    "密封环",
)
WAYS = ("低噪声", "高效率", "耐磨损", "可回收", "智能化", "轻量化", "免维护", "高精度", "低能耗", "抗腐蚀")
MEANS = ("表面涂层", "结构优化", "控制方法", "在线检测", "仿真设计", "复合材料", "故障诊断", "柔性装配")
MODES = ("licence", "assignment", "joint_development", "exclusive_licence")


@dataclass(frozen=True)
class Account:
    """Somebody with one role, and two ways in: a cookie's secret and a token with every scope."""

    actor: Actor
    organisation_id: int
    cookie: str
    token: str

    @property
    def person_id(self) -> int:
        assert self.actor.person_id is not None
        return self.actor.person_id


@dataclass(frozen=True)
class Market:
    """What was made."""

    accounts: dict[Role, Account]
    results: list[int]
    demands: list[int]
    lots: list[int]
    contracts: list[int]
    enquiries: list[int]
    proposals: list[int]
    flags: list[int]


def bulk(session: Session, model: type[SQLModel], rows: list[dict[str, Any]]) -> list[int]:
    """Insert rows in one statement a chunk; returns their ids in order."""
    table = t(model)
    if not rows:
        return []
    defaults = {
        column.name: "" if isinstance(column.type, sa.String) else []
        for column in table.columns
        if not column.nullable and not column.primary_key and column.default is None
    }
    plain = {name for name, field in model.model_fields.items() if not field.is_required()}
    filled = []
    for row in rows:
        given = dict(row)
        for name in plain - given.keys() - {"id"}:
            given[name] = model.model_fields[name].get_default(call_default_factory=True)
        filled.append({**{k: v for k, v in defaults.items() if k not in given}, **given})
    statement = sa.insert(table).returning(table.c.id, sort_by_parameter_order=True)
    return list(session.execute(statement, filled).scalars())


def credit_code(number: int) -> str:
    """A credit code with a right check digit."""
    body = f"91331081{number:09d}"
    return body + str(uscc.calc_check_digit(body))


def organisations(session: Session, now: dt.datetime, kind: str, count: int, first: int) -> list[int]:
    """Verified organisations of a kind; `first` keeps their credit codes apart."""
    words = {"university": "大学", "firm": "有限公司", "service_agency": "服务中心", "government": "局"}
    return bulk(
        session,
        Organisation,
        [
            {
                "name": f"台州{THINGS[n % 10]}第{first + n}{words[kind]}",
                "name_en": f"Taizhou {kind} no. {first + n}",
                "kind": kind,
                "credit_code": credit_code(first + n),
                "region_code": "331081",
                "introduction": "研究与生产。" * 5,
                "contact_name": "联系人",
                "contact_phone": "0576-80000000",
                "state": "verified",
                "verified_at": now - 300 * DAY,
                "created_at": now - 300 * DAY,
                "updated_at": now - 300 * DAY,
            }
            for n in range(count)
        ],
    )


def account(session: Session, now: dt.datetime, organisation_id: int, role: Role, number: int) -> Account:
    """A person with a role, a sign-in session and a token."""
    (person_id,) = bulk(
        session,
        Person,
        [
            {
                "name": f"{role.value}{number}",
                "email": f"{role.value}{number}@example.org",
                "password_hash": "-",
                "created_at": now,
                "updated_at": now,
            }
        ],
    )
    bulk(
        session,
        MembershipRow,
        [{"person_id": person_id, "organisation_id": organisation_id, "role": role.value, "created_at": now}],
    )
    cookie, token = access.new_secret(), access.new_secret()
    bulk(
        session,
        SignInSession,
        [
            {
                "person_id": person_id,
                "secret_hash": access.digest(cookie),
                "created_at": now,
                "seen_at": now,
                "expires_at": now + 30 * DAY,
            }
        ],
    )
    bulk(
        session,
        ApiToken,
        [
            {
                "person_id": person_id,
                "name": "test",
                "prefix": token[:8],
                "secret_hash": access.digest(token),
                "scopes": [scope.value for scope in Scope],
                "created_at": now,
                "used_at": now,
            }
        ],
    )
    actor = Actor(
        person_id, f"{role.value}{number}", Via.SESSION, (Membership(organisation_id, "", role, True),)
    )
    return Account(actor, organisation_id, cookie, token)


def accounts(
    session: Session, now: dt.datetime, university: int, firm: int, agency: int
) -> dict[Role, Account]:
    """One person for each role."""
    home = dict.fromkeys(MARKET_ROLES, agency) | {
        Role.RESULTS_OFFICER: university,
        Role.DEMAND_OWNER: firm,
        Role.BIDDER: firm,
    }
    return {role: account(session, now, home[role], role, 0) for role in Role}


def _title(chance: random.Random, number: int) -> str:
    return f"{chance.choice(WAYS)}{chance.choice(THINGS)}{chance.choice(MEANS)}{number}"


def results(session: Session, now: dt.datetime, owners: list[int], count: int) -> list[int]:
    """Published results, each with a right and two claims."""
    chance = random.Random(1)
    ids = bulk(
        session,
        Result,
        [
            {
                "organisation_id": owners[n % len(owners)],
                "title": _title(chance, n),
                "title_en": f"A better pump no. {n}",
                "abstract": f"本成果提出一种{chance.choice(MEANS)}，用于{chance.choice(THINGS)}。" * 4,
                "advantages": f"比现有{chance.choice(THINGS)}节能百分之十五，{chance.choice(WAYS)}。",
                "application": f"适用于{chance.choice(THINGS)}生产企业。",
                "keywords": chance.sample(THINGS, 2) + chance.sample(MEANS, 2),
                "industry_code": INDUSTRIES[n % 4],
                "ipc": ["F04D 29/42"],
                "trl": n % 9 + 1,
                "stage": "prototype",
                "modes": [MODES[n % 4]],
                "pricing_mode": ("negotiated", "listing", "auction")[n % 3],
                "price_low_fen": 100_000_00 + n * 1_000_00 if n % 2 else None,
                "price_high_fen": 300_000_00 + n * 1_000_00 if n % 2 else None,
                "inventors": ["发明人甲", "发明人乙"],
                "contact_name": "联系人",
                "contact_phone": "0576-80000000",
                "state": "published",
                "published_at": now - dt.timedelta(minutes=7 * n + 1),
                "confirmed_at": now - dt.timedelta(minutes=7 * n + 1),
                "valid_until": (now + 90 * DAY).date(),
                "created_at": now - dt.timedelta(minutes=7 * n + 1),
                "updated_at": now - dt.timedelta(minutes=7 * n + 1),
            }
            for n in range(count)
        ],
    )
    bulk(
        session,
        ResultIp,
        [
            {
                "result_id": id_,
                "kind": "invention",
                "number": "200710308494.X",
                "title": "一种泵",
                "status": "granted",
            }
            for id_ in ids
        ],
    )
    bulk(
        session,
        ResultClaim,
        [
            {
                "result_id": id_,
                "statement": f"效率提高{n}",
                "figure": "15 %",
                "comparator": "同类产品",
                "grade": "compared",
            }
            for id_ in ids
            for n in (1, 2)
        ],
    )
    return ids


def demands(session: Session, now: dt.datetime, owners: list[int], count: int) -> list[int]:
    """Published demands, each with two target figures."""
    chance = random.Random(2)
    ids = bulk(
        session,
        Demand,
        [
            {
                "organisation_id": owners[n % len(owners)],
                "title": "求" + _title(chance, n),
                "title_en": f"Wanted: a better pump no. {n}",
                "difficulty": f"现有{chance.choice(THINGS)}寿命短，需要{chance.choice(MEANS)}。" * 3,
                "research": f"研究{chance.choice(MEANS)}在{chance.choice(THINGS)}上的应用。" * 2,
                "background": "企业年产十万台。",
                "keywords": chance.sample(THINGS, 2) + chance.sample(MEANS, 1),
                "industry_code": INDUSTRIES[n % 4],
                "modes": [MODES[(n + 1) % 4]],
                "wanted_trl": n % 7 + 1,
                "budget_low_fen": 200_000_00,
                "budget_high_fen": 900_000_00,
                "deadline": (now + 200 * DAY).date(),
                "contact_name": "联系人",
                "contact_phone": "0576-80000000",
                "state": "published",
                "published_at": now - dt.timedelta(minutes=11 * n + 1),
                "confirmed_at": now - dt.timedelta(minutes=11 * n + 1),
                "valid_until": (now + 90 * DAY).date(),
                "created_at": now - dt.timedelta(minutes=11 * n + 1),
                "updated_at": now - dt.timedelta(minutes=11 * n + 1),
            }
            for n in range(count)
        ],
    )
    bulk(
        session,
        DemandTarget,
        [
            {"demand_id": id_, "name": name, "comparator": "at_least", "threshold": "25", "unit": unit}
            for id_ in ids
            for name, unit in (("流量", "m³/h"), ("扬程", "m"))
        ],
    )
    return ids


def live_lot(
    session: Session,
    now: dt.datetime,
    staff: Actor,
    result_id: int,
    bidders: list[Account],
    *,
    bids: int = 0,
    **terms: Any,
) -> int:
    """A published lot with admitted bidders. With `bids` it is live, and they have bid in turn.

    It was published an hour before `now`; it opened half an hour before and ends a day after. Fields of
    TermsInput in `terms` change that.
    """
    published = now - dt.timedelta(hours=1)
    values: dict[str, Any] = {
        "start_fen": 1_000_000,
        "step_fen": 10_000,
        "opens_at": now - dt.timedelta(minutes=30),
        "ends_at": now + DAY,
        "window_s": 60,
        "extension_s": 60,
        **terms,
    }
    session.execute(sa.update(t(Result)).where(t(Result).c.id == result_id).values(pricing_mode="auction"))
    draft = LotInput(title=f"标的 {result_id}", terms=TermsInput(**values))
    lot_id = service.create_lot(session, staff, result_id, draft, published)
    service.publish(session, staff, lot_id, published)
    terms_hash = lot_detail(session, lot_id).terms_hash
    for bidder in bidders:
        admission = service.request_admission(
            session, bidder.actor, lot_id, bidder.organisation_id, terms_hash, published
        )
        service.admit(session, staff, admission, published)
    if bids:
        opened = values["opens_at"]
        journal.apply(session, c.Open(lot_id=lot_id), opened)
        aliases = list(range(1, len(bidders) + 1))
        for number in range(bids):
            at = opened + dt.timedelta(seconds=number + 1)
            journal.apply(
                session,
                c.PlaceBid(
                    lot_id=lot_id,
                    person_id=bidders[number % len(bidders)].person_id,
                    client_bid_id=f"factory-{number:06}",
                    amount_fen=values["start_fen"] + number * values["step_fen"],
                    received_at=at,
                    alias=aliases[number % len(bidders)],
                ),
                at,
            )
    return lot_id


def contracts(session: Session, now: dt.datetime, seller: int, buyer: int, count: int) -> list[int]:
    """Registered contracts of the last two years, each with two events."""
    days = [(now - (n * 97 % 700 + 1) * DAY).date() for n in range(count)]
    ids = bulk(
        session,
        Contract,
        [
            {
                "local_number": f"WL-{days[n].year}-{900_000 + n}",
                "registration_number": f"{2025_3310_0000_0000 + n}",
                "title": f"技术合同{n}",
                "kind": "assignment",
                "subkind": "patent",
                "seller_id": seller,
                "seller_name": "卖方",
                "seller_region": "331081",
                "buyer_id": buyer,
                "buyer_name": "买方",
                "buyer_region": "331081",
                "deal_fen": 500_000_00 + n * 100,
                "technology_fen": 400_000_00 + n * 100,
                "deductions": [{"item": "设备", "fen": 100_000_00}],
                "technical_field": "advanced_manufacturing",
                "industry_code": INDUSTRIES[n % 4],
                "signed_on": days[n],
                "effective_on": days[n],
                "registered_on": days[n],
                "accepted_on": days[n],
                "state": "registered",
                "source": "entered",
                "created_at": now - (n * 97 % 700 + 1) * DAY,
                "updated_at": now - (n * 97 % 700 + 1) * DAY,
            }
            for n in range(count)
        ],
    )
    bulk(
        session,
        ContractEvent,
        [
            {
                "contract_id": id_,
                "at": now - (n * 97 % 700 + 1) * DAY,
                "step": step,
                "state_before": before,
                "state_after": after,
                "actor_name": "登记员",
                "deal_fen_before": None,
                "deal_fen_after": 500_000_00 + n * 100,
                "technology_fen_after": 400_000_00 + n * 100,
            }
            for n, id_ in enumerate(ids)
            for step, before, after in (("create", None, "draft"), ("register", "accepted", "registered"))
        ],
    )
    movements.record_registered(session, now, ids)
    return ids


def flags(session: Session, now: dt.datetime, contracts: list[int]) -> list[int]:
    """Open flags: one on every contract, and four more on two that are about the first one or themselves."""
    return bulk(
        session,
        ContractFlag,
        [
            {
                "contract_id": id_,
                "kind": kind.value,
                "about": about,
                "other_id": contracts[0] if kind is FlagKind.CYCLE else None,
                "detail": {"days": 3, "deal_fen": 1, "other_fen": 1, "signed_on": now.date().isoformat()},
                "raised_at": now,
            }
            for id_ in contracts[1:3]
            for kind, about in ((FlagKind.CYCLE, str(contracts[0])), (FlagKind.ROUND_YEAR_END, ""))
        ]
        + [
            {
                "contract_id": id_,
                "kind": FlagKind.RELATED_PARTY.value,
                "about": "declared",
                "detail": {},
                "raised_at": now,
            }
            for id_ in contracts
        ],
    )


def enquiries(
    session: Session, now: dt.datetime, from_: Account, to: Account, subjects: list[int], count: int
) -> list[int]:
    """Open enquiries about results, each with three messages."""
    ids = bulk(
        session,
        Enquiry,
        [
            {
                "subject_kind": "result",
                "subject_id": subjects[n % len(subjects)],
                "from_organisation_id": from_.organisation_id,
                "from_person_id": from_.person_id,
                "to_organisation_id": to.organisation_id,
                "owner_person_id": to.person_id if n % 2 else None,
                "state": ("open", "answered", "negotiating")[n % 3],
                "next_step": "回复报价",
                "due_on": (now + (n % 20 - 10) * DAY).date(),
                "created_at": now - (n % 30) * DAY,
                "updated_at": now - (n % 30) * DAY,
            }
            for n in range(count)
        ],
    )
    bulk(
        session,
        EnquiryMessage,
        [
            {"enquiry_id": id_, "person_id": from_.person_id, "body": f"请问价格{n}", "at": now - DAY}
            for id_ in ids
            for n in range(3)
        ],
    )
    return ids


def proposals(
    session: Session, now: dt.datetime, demands_: list[int], results_: list[int], count: int
) -> list[int]:
    """Suggested pairs, each with its first event; no more than there are different ones."""
    pairs = list(
        dict.fromkeys((demands_[n % len(demands_)], results_[n % len(results_)]) for n in range(count))
    )
    ids = bulk(
        session,
        Proposal,
        [
            {
                "demand_id": demands_[n % len(demands_)],
                # No pair comes twice, however few there are.
                "result_id": results_[(n + n // math.lcm(len(demands_), len(results_))) % len(results_)],
                "industry_code": INDUSTRIES[n % 4],
                "band": "fair",
                "rank": 3000 - n,
                "reasons": [
                    {
                        "part": "text",
                        "code": "shared_words",
                        "value": 1.0,
                        "params": {"words": [THINGS[n % 10]]},
                    }
                ],
                "state": "suggested",
                "created_at": now - DAY,
                "updated_at": now - DAY,
            }
            for n, (demand_id, result_id) in enumerate(pairs)
        ],
    )
    bulk(
        session,
        ProposalEvent,
        [{"proposal_id": id_, "step": "suggested", "params": {}, "at": now - DAY} for id_ in ids],
    )
    return ids


def fill(
    database: Database,
    now: dt.datetime,
    *,
    results_: int,
    demands_: int,
    lots_: int = 3,
    bids: int = 4,
    contracts_: int = 10,
    enquiries_: int = 6,
    proposals_: int = 6,
) -> Market:
    """Seed an empty, migrated database and fill it; one write transaction."""
    seed(database, now)
    with database.write() as session:
        universities = organisations(session, now, "university", 2 + results_ // 50, 1_000)
        firms = organisations(session, now, "firm", 4 + demands_ // 20, 5_000)
        (agency,) = organisations(session, now, "service_agency", 1, 9_000)
        people = accounts(session, now, universities[0], firms[0], agency)
        result_ids = results(session, now, universities, results_)
        demand_ids = demands(session, now, firms, demands_)
        staff = people[Role.STAFF].actor
        others = [people[Role.BIDDER]] + [
            account(session, now, firm, Role.BIDDER, n) for n, firm in enumerate(firms[1:4], 1)
        ]
        lot_ids = [
            live_lot(session, now, staff, result_id, others, bids=0 if n % 3 == 2 else bids, **_times(n, now))
            for n, result_id in enumerate(result_ids[:lots_])
        ]
        contract_ids = contracts(session, now, universities[0], firms[0], contracts_)
        enquiry_ids = enquiries(
            session, now, people[Role.DEMAND_OWNER], people[Role.RESULTS_OFFICER], result_ids, enquiries_
        )
        proposal_ids = proposals(session, now, demand_ids, result_ids, proposals_)
        flag_ids = flags(session, now, contract_ids)
    return Market(people, result_ids, demand_ids, lot_ids, contract_ids, enquiry_ids, proposal_ids, flag_ids)


def _times(number: int, now: dt.datetime) -> dict[str, Any]:
    # Every third lot is still to come.
    return {"opens_at": now + DAY, "ends_at": now + 2 * DAY} if number % 3 == 2 else {}
