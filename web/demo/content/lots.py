"""Lots: a dozen that are over, told bid by bid for replay through the real writer, and some to come.

These are English auctions; `lot_formats` has a few of every other format.

The bids obey the rules of an English auction (whole steps, the leader does not raise, soft close); what
the replay decides is the truth, and `expected` only says what this script was written to end in.
"""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass

from market.listings.models import ListingState, PricingMode
from web.demo.content.organisations import DemoOrganisation
from web.demo.content.results import DemoResult

YUAN = 100
DAY = 86_400.0


class Outcome(enum.StrEnum):
    """What a script is written to end in."""

    SOLD = "sold"
    NO_BID = "no_bid"
    RESERVE_NOT_MET = "reserve_not_met"
    SOLE_BIDDER = "sole_bidder"
    """Sold to the only one who bid, which the terms allow."""
    CANCELLED = "cancelled"
    DEFAULTED = "defaulted"
    """Sold, and the winner did not sign."""
    OPEN = "open"
    """Still running, or yet to open, when the demonstration is loaded."""


@dataclass(frozen=True)
class DemoTerms:
    """Terms; amounts fen, times in seconds. `hard_end_s` counts from the opening. `params` are the format's own."""

    start_fen: int
    step_fen: int
    reserve_fen: int | None
    deposit_fen: int
    duration_s: int
    window_s: int
    extension_s: int
    hard_end_s: int | None
    max_steps: int | None
    sole_bidder_sells: bool
    format: str = "english"
    params: tuple[tuple[str, int | str], ...] = ()


@dataclass(frozen=True)
class DemoBidder:
    """An organisation asking for admission, seconds before the opening. `priority` is a rank, 1 first."""

    organisation: str
    asked_before_s: int
    priority: int | None


@dataclass(frozen=True)
class DemoBid:
    """A bid, seconds after the opening. `act` and what comes after it are those of the lot's format; the
    amount of an envelope is known to this script, not to the market."""

    offset_s: float
    organisation: str
    amount_fen: int
    act: str = "bid"
    royalty_bp: int = 0
    nonce: str = ""


@dataclass(frozen=True)
class DemoStop:
    """A pause: when it came, how long it lasted (None: the lot was cancelled), and why. Offsets of bids
    after it count the time of the stop too."""

    offset_s: float
    lasted_s: float | None
    reason: str


@dataclass(frozen=True)
class DemoLot:
    """A lot. `opens_in_s` counts from the moment of loading, negative for the past; the lot is published
    `published_before_s` before its opening."""

    key: str
    sale: str
    number: int
    result: str
    title: str
    opens_in_s: float
    published_before_s: float
    terms: DemoTerms
    bidders: tuple[DemoBidder, ...]
    bids: tuple[DemoBid, ...]
    stop: DemoStop | None
    expected: Outcome
    winner: str
    hammer_fen: int | None


@dataclass(frozen=True)
class DemoSale:
    """A session of an auction."""

    key: str
    title: str
    introduction: str
    starts_in_s: float


SALES = (
    DemoSale(
        "sale-spring",
        "泵与电机专场",
        "面向泵业企业的成果竞价专场，标的均可到台温流体机械研究院试验台现场查验。",
        -95 * DAY,
    ),
    DemoSale(
        "sale-summer",
        "机床与汽摩零部件专场",
        "集中推出刀具、主轴、制动和齿轮方面的成果，成交后可申请为期三个月的技术辅导。",
        -60 * DAY,
    ),
    DemoSale("sale-autumn", "激光电子与新材料专场", "成果以软件、样机和工艺文件形式交付。", -28 * DAY),
    DemoSale(
        "sale-now", "科技成果竞价周", "每日开放若干标的，自由竞价结束前五分钟内有出价的，自动顺延。", -1 * DAY
    ),
)

# sale | days ago | bidders | written to end in | industries
_PAST = (
    ("sale-spring", 95.0, 4, Outcome.SOLD, ("pumps_motors",)),
    ("sale-spring", 95.0, 5, Outcome.SOLD, ("pumps_motors",)),
    ("sale-spring", 94.0, 2, Outcome.SOLD, ("pumps_motors",)),
    ("sale-spring", 94.0, 1, Outcome.SOLE_BIDDER, ("pumps_motors",)),
    ("sale-summer", 60.0, 3, Outcome.SOLD, ("machine_tools", "auto_parts")),
    ("sale-summer", 60.0, 4, Outcome.DEFAULTED, ("machine_tools", "auto_parts")),
    ("sale-summer", 59.0, 2, Outcome.RESERVE_NOT_MET, ("machine_tools", "auto_parts")),
    ("sale-summer", 59.0, 1, Outcome.NO_BID, ("machine_tools", "auto_parts")),
    ("sale-autumn", 28.0, 5, Outcome.SOLD, ("laser_electronics", "new_materials", "digital")),
    ("sale-autumn", 28.0, 3, Outcome.SOLD, ("laser_electronics", "new_materials", "environment")),
    ("sale-autumn", 27.0, 2, Outcome.CANCELLED, ("laser_electronics", "medical")),
    ("sale-autumn", 27.0, 3, Outcome.SOLD, ("laser_electronics", "medical", "footwear")),
)


def lots(
    rng: random.Random, organisations: tuple[DemoOrganisation, ...], results: tuple[DemoResult, ...]
) -> tuple[DemoLot, ...]:
    """Twelve that are over, two that are open, two to come. No result is used twice."""
    taken: set[str] = set()
    numbers: dict[str, int] = {}
    found = []
    for place, (sale, days, count, ending, industries) in enumerate(_PAST, 1):
        result = fitting_result(results, taken, days + 12, industries)
        numbers[sale] = numbers.get(sale, 0) + 1
        opens = -days * DAY + (numbers[sale] % 4) * 5400.0
        found.append(
            _past(
                rng,
                f"lot-{place:02d}",
                sale,
                numbers[sale],
                result,
                opens,
                count,
                ending,
                organisations,
                place,
            )
        )
    # What anyone can watch after loading: one that ends soon, one that lasts for days, two that open later.
    for key, opens, duration, bids, industries in (
        ("lot-live-soon", -2700.0, 6300, 9, ("pumps_motors",)),
        ("lot-live-long", -7200.0, 5 * 86_400, 5, ("laser_electronics", "auto_parts")),
        ("lot-next", 86_400.0, 7200, 0, ("pumps_motors", "machine_tools")),
        ("lot-later", 4 * DAY, 86_400, 0, ("auto_parts", "medical", "footwear")),
    ):
        result = fitting_result(results, taken, 25, industries)
        numbers["sale-now"] = numbers.get("sale-now", 0) + 1
        found.append(_coming(rng, key, numbers["sale-now"], result, opens, duration, bids, organisations))
    return tuple(found)


def fitting_result(
    results: tuple[DemoResult, ...], taken: set[str], age: float, industries: tuple[str, ...]
) -> DemoResult:
    """An unused result that was on offer at the time, not sold by negotiation, of an institute if there is one."""
    fitting = [
        one
        for one in results
        if one.key not in taken
        and one.state is ListingState.PUBLISHED
        and one.pricing_mode is not PricingMode.NEGOTIATED
        and one.price_low_fen is not None
        and one.published_days_ago >= age
        and one.trl >= 5
        and one.industry_code in industries
    ]
    best = min(fitting, key=lambda one: (one.pricing_mode is not PricingMode.AUCTION, one.key))
    taken.add(best.key)
    return best


def _terms(
    rng: random.Random, result: DemoResult, duration: int, *, reserve: bool, sole_sells: bool
) -> DemoTerms:
    assert result.price_low_fen is not None
    start = result.price_low_fen
    step = next(
        step * YUAN
        for limit, step in ((150_000, 2_000), (400_000, 5_000), (1_200_000, 10_000), (10**9, 20_000))
        if start <= limit * YUAN
    )
    return DemoTerms(
        start_fen=start,
        step_fen=step,
        reserve_fen=start + step * rng.randrange(6, 14) if reserve else None,
        deposit_fen=max(1, round(start / 10 / (1000 * YUAN))) * 1000 * YUAN,
        duration_s=duration,
        window_s=300,
        extension_s=300,
        hard_end_s=duration + 4 * 3600,
        max_steps=50,
        sole_bidder_sells=sole_sells,
    )


def firms(
    rng: random.Random, result: DemoResult, organisations: tuple[DemoOrganisation, ...], count: int
) -> list[str]:
    """Firms of the result's industry first, never its owner."""
    firms = [one for one in organisations if one.industry and one.key != result.organisation]
    rng.shuffle(firms)
    firms.sort(key=lambda one: not any(result.topic.startswith(start) for start in one.topics))
    near = [one for one in firms if one.industry == result.industry_code]
    return [one.key for one in (near + [one for one in firms if one not in near])[:count]]


def _past(
    rng: random.Random,
    key: str,
    sale: str,
    number: int,
    result: DemoResult,
    opens: float,
    count: int,
    ending: Outcome,
    organisations: tuple[DemoOrganisation, ...],
    place: int,
) -> DemoLot:
    terms = _terms(
        rng,
        result,
        rng.choice((1800, 3600, 5400)),
        reserve=ending is Outcome.RESERVE_NOT_MET or place in (1, 5, 9),
        sole_sells=True,
    )
    names = firms(rng, result, organisations, count)
    priority = names[-1] if place == 2 else ""
    bids: list[DemoBid] = []
    stop = None
    if ending is not Outcome.NO_BID:
        bids = _bidding(rng, terms, names, modest=ending is Outcome.RESERVE_NOT_MET, priority=priority)
    if ending is Outcome.CANCELLED:
        bids = bids[:2]
        stop = DemoStop(bids[-1].offset_s + 90, None, "第三方对专利权属提出异议，权利人申请终止竞价")
    elif place == 9:
        middle = bids[len(bids) // 2].offset_s + 1
        stop = DemoStop(middle, 420, "竞买人反映页面无法提交，暂停核查网络")
        bids = [
            bid if bid.offset_s < middle else DemoBid(bid.offset_s + 420, bid.organisation, bid.amount_fen)
            for bid in bids
        ]
    sold = ending in (Outcome.SOLD, Outcome.DEFAULTED, Outcome.SOLE_BIDDER)
    return DemoLot(
        key=key,
        sale=sale,
        number=number,
        result=result.key,
        title=result.title,
        opens_in_s=opens,
        published_before_s=10 * DAY,
        terms=terms,
        bidders=tuple(
            DemoBidder(name, rng.randrange(7_200, 6 * 86_400), 1 if name == priority else None)
            for name in names
        ),
        bids=tuple(bids),
        stop=stop,
        expected=ending,
        winner=bids[-1].organisation if sold else "",
        hammer_fen=bids[-1].amount_fen if sold else None,
    )


def _bidding(
    rng: random.Random, terms: DemoTerms, names: list[str], *, modest: bool, priority: str
) -> list[DemoBid]:
    """Bidders with limits of their own, in a hurry towards the end."""
    steps = {name: rng.randrange(3, 9 if modest else 34) for name in names}
    if modest:
        assert terms.reserve_fen is not None
        steps = dict.fromkeys(names, (terms.reserve_fen - terms.start_fen) // terms.step_fen - 1)
    elif terms.reserve_fen is not None:
        # Somebody is willing to go well beyond a reserve that is meant to be met; and somebody pushes.
        needed = (terms.reserve_fen - terms.start_fen) // terms.step_fen + 4
        for name in names[:2]:
            steps[name] = needed + rng.randrange(2, 12)
    found: list[DemoBid] = []
    clock, end = rng.uniform(40, 200), float(terms.duration_s)
    place = rng.randrange(0, 2)
    leader = ""
    while True:
        able = [
            name for name in names if name != leader and steps[name] >= (place if not found else place + 1)
        ]
        if priority and leader != priority and found and steps[priority] <= place:
            # The holder of priority equals the standing price instead of raising it.
            found.append(DemoBid(round(clock, 1), priority, found[-1].amount_fen))
            return found
        if not able or clock >= end - 2:
            return found
        name = rng.choice(able)
        if found:
            place += min(rng.choice((1, 1, 1, 2, 2, 3)), steps[name] - place)
        found.append(DemoBid(round(clock, 1), name, terms.start_fen + place * terms.step_fen))
        leader = name
        if clock >= end - terms.window_s:
            end = max(end, clock + terms.extension_s)
            if terms.hard_end_s is not None:
                end = min(end, float(terms.hard_end_s))
        left = end - clock
        clock += (
            rng.uniform(8, 210) if left <= terms.window_s else min(rng.expovariate(9 / end) + 5, left - 45)
        )


def _coming(
    rng: random.Random,
    key: str,
    number: int,
    result: DemoResult,
    opens: float,
    duration: int,
    bids: int,
    organisations: tuple[DemoOrganisation, ...],
) -> DemoLot:
    """A lot that is open or yet to open; both demo bidders are admitted where bidding is on."""
    terms = _terms(rng, result, duration, reserve=key == "lot-live-long", sole_sells=True)
    others = [one for one in firms(rng, result, organisations, 6) if one not in ("lanchi", "qushan")]
    if bids:
        names = [*(one for one in ("lanchi", "qushan") if one != result.organisation), *others[:2]]
    else:
        names = others[:2]
    placed: list[DemoBid] = []
    price = terms.start_fen
    for place in range(bids):
        pool = [name for name in names if not placed or name != placed[-1].organisation]
        price += terms.step_fen * (rng.choice((1, 1, 2, 3)) if placed else 0)
        at = -opens * (place + 0.6) / (bids + 0.8)
        placed.append(DemoBid(round(at, 1), rng.choice(pool), price))
    return DemoLot(
        key=key,
        sale="sale-now",
        number=number,
        result=result.key,
        title=result.title,
        opens_in_s=opens,
        published_before_s=8 * DAY,
        terms=terms,
        bidders=tuple(DemoBidder(name, rng.randrange(90_000, 5 * 86_400), None) for name in names),
        bids=tuple(placed),
        stop=None,
        expected=Outcome.OPEN,
        winner="",
        hammer_fen=None,
    )
