"""The figure counted once more, from contracts, their events and receipts alone: no movement is read.

What kind a contract was of at which time is told by whoever made the register, for events do not say it. Written from the calibers' words and from the law's names of things, not from the code that it checks. Slow and
plain: every contract's life is read whole, and each caliber asks each life what it adds to which day.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from market.db import Session
from market.statistics.counting import CaliberRow

SHANGHAI = ZoneInfo("Asia/Shanghai")


Kind = tuple[str, str]
"""Kind and sub-kind."""
Kinds = list[tuple[dt.datetime, Kind]]
"""What kind a contract was of from when on."""


@dataclass(frozen=True)
class Paid:
    """A receipt, or the taking back of one."""

    at: dt.datetime
    day: dt.date
    fen: int
    reverses: bool


@dataclass(frozen=True)
class Life:
    """A contract that was registered at some time."""

    row: Any
    known: dt.datetime
    first: tuple[int, int]
    """Price and price of the technology when it was registered."""
    amended: tuple[tuple[dt.datetime, int, int], ...]
    ended: tuple[dt.datetime, dt.date, str] | None
    paid: tuple[Paid, ...]
    kinds: Kinds

    def kind(self, at: dt.datetime) -> Kind:
        """What kind it was of at a moment."""
        return next(kind for when, kind in reversed(self.kinds) if when <= at)


def day_of(at: dt.datetime) -> dt.date:
    """The day in China."""
    return at.astimezone(SHANGHAI).date()


def lives(session: Session, kinds: Mapping[int, Kinds]) -> list[Life]:
    """Every contract that was ever registered."""
    tables = sa.MetaData()
    bind = session.connection()
    contract, event, receipt = (
        sa.Table(name, tables, autoload_with=bind, resolve_fks=False)
        for name in ("contract", "contract_event", "contract_receipt")
    )

    def instant(value: dt.datetime) -> dt.datetime:
        return value if value.tzinfo else value.replace(tzinfo=dt.UTC)

    events, paid = defaultdict(list), defaultdict(list)
    for row in session.execute(sa.select(event).order_by(event.c.id)):
        events[row.contract_id].append(row)
    for row in session.execute(sa.select(receipt).order_by(receipt.c.id)):
        paid[row.contract_id].append(
            Paid(instant(row.entered_at), row.received_on, row.fen, row.reverses_id is not None)
        )
    found = []
    for row in session.execute(sa.select(contract).where(contract.c.registered_on.is_not(None))):
        by_step = {one.step: one for one in events[row.id]}
        # What was registered elsewhere, or on paper, is known from the day it was entered.
        begin = by_step.get("enter") or by_step["register"]
        end = by_step.get("deregister") or by_step.get("revoke")
        found.append(
            Life(
                row,
                instant(begin.at),
                (begin.deal_fen_after, begin.technology_fen_after),
                tuple(
                    (instant(one.at), one.deal_fen_after, one.technology_fen_after)
                    for one in events[row.id]
                    if one.step == "amend"
                ),
                (instant(end.at), row.ended_on, row.state) if end else None,
                tuple(paid[row.id]),
                kinds[row.id],
            )
        )
    return found


def own_day(life: Life, dated_by: str) -> dt.date:
    """The day that puts a contract into a period."""
    row = life.row
    if dated_by == "signing":
        day = row.signed_on or row.registered_on
    elif dated_by == "effect":
        day = row.effective_on or row.signed_on or row.registered_on
    else:
        day = row.registered_on
    assert isinstance(day, dt.date)
    return day


Share = tuple[dt.date, int, int, Kind]
"""(day, contracts, fen, kind)."""


def adds(life: Life, caliber: CaliberRow, known_at: dt.datetime) -> list[Share]:
    """What a contract adds to which day, as known at a moment."""
    if life.known > known_at:
        return []
    end = life.ended if life.ended and life.ended[0] <= known_at else None
    when_changed = caliber.amendments == "when_changed"
    until = min(known_at, end[0]) if end else known_at
    if caliber.measure == "received":
        found = received(life, caliber, until)
    else:
        found = priced(life, caliber, until)
    kind = life.kind(until)
    number, fen = sum(one[1] for one in found), sum(one[2] for one in found)
    if "registered" not in caliber.states:
        if end is None or end[2] not in caliber.states:
            return []
        return [(end[1], number, fen, kind)] if when_changed else found
    if end is not None and end[2] not in caliber.states:
        if not when_changed:
            return []
        found.append((end[1], -number, -fen, kind))
    return found


def priced(life: Life, caliber: CaliberRow, until: dt.datetime) -> list[Share]:
    """By the price, or the price of the technology."""
    which = 1 if caliber.measure == "deal" else 2
    day = own_day(life, caliber.dated_by)
    steps = [(life.known, *life.first), *(one for one in life.amended if one[0] <= until)]
    if caliber.amendments == "restate":
        return [(day, 1, steps[-1][which], life.kind(until))]
    found = [(day, 1, steps[0][which], life.kind(life.known))]
    for before, after in itertools.pairwise(steps):
        was, now = life.kind(before[0]), life.kind(after[0])
        if was == now:
            found.append((day_of(after[0]), 0, after[which] - before[which], now))
        else:
            found.append((day_of(after[0]), -1, -before[which], was))
            found.append((day_of(after[0]), 1, after[which], now))
    return found


def received(life: Life, caliber: CaliberRow, until: dt.datetime) -> list[Share]:
    """By what was received."""
    day = own_day(life, caliber.dated_by)

    def own(one: Paid) -> dt.date:
        return one.day if caliber.dated_by == "receipt" else day

    paid = [one for one in life.paid if one.at <= until]
    if caliber.amendments == "restate":
        return [(own(one), 0, one.fen, life.kind(until)) for one in paid]
    found: list[Share] = []
    for one in paid:
        late = one.reverses and one.at > life.known
        found.append((day_of(one.at) if late else own(one), 0, one.fen, life.kind(max(one.at, life.known))))
    for (_, was), (when, now) in itertools.pairwise(life.kinds):
        if life.known < when <= until:
            moved = sum(one.fen for one in paid if one.at <= when)
            found += [(day_of(when), 0, -moved, was), (day_of(when), 0, moved, now)]
    return found


def inside(code: str, region: str) -> bool:
    """Whether a place lies in a region (GB/T 2260: two digits each for province, prefecture, county)."""
    while region.endswith("00"):
        region = region[:-2]
    return code.startswith(region)


def circle(code: str) -> str:
    """台州湾—长三角—国内—国际."""
    if code == "000000":
        return "international"
    if code.startswith("3310"):
        return "taizhou_bay"
    return "yangtze_delta" if code[:2] in ("31", "32", "33", "34") else "domestic"


def nature(code: str) -> str:
    """The group of a nature code."""
    special = {"021": "institute", "022": "university", "023": "hospital"}
    begins = {"01": "government", "02": "institution", "03": "association"}
    first = {"1": "firm", "2": "foreign", "3": "foreign", "4": "person"}
    return special.get(code) or begins.get(code[:2]) or first.get(code[:1]) or "unknown"


def keys(life: Life, caliber: CaliberRow, day: dt.date, kind: Kind) -> dict[str, str]:
    """What a contract is counted under in each breakdown."""
    row = life.row
    sells, buys = (
        inside(row.seller_region, caliber.region_code),
        inside(row.buyer_region, caliber.region_code),
    )
    at_home = buys if caliber.side == "buyer" else not sells
    return {
        "kind": kind[0],
        "subkind": "/".join(kind),
        "industry": row.industry_code or "",
        "field": row.technical_field,
        "seller": nature(row.seller_nature),
        "buyer": nature(row.buyer_nature),
        "circle": circle(row.buyer_region if sells else row.seller_region),
        "town": row.buyer_town if at_home else row.seller_town,
        "month": day.isoformat()[5:7],
        "flow": "local" if sells and buys else "out" if sells else "in",
        "source": row.source if row.source in ("imported", "declared") else "own",
    }


@dataclass
class Recount:
    """A figure counted once more."""

    fen: int
    count: int
    cells: dict[str, dict[str, tuple[int, int]]]
    """(contracts, fen) by dimension and key; what comes to nothing is left out."""
    contracts: dict[int, int]
    """fen of each contract that is counted."""


def recount(
    found: Iterable[Life], caliber: CaliberRow, first: dt.date, last: dt.date, known_at: dt.datetime
) -> Recount:
    """The figure of the days from first to last."""
    numbers: Counter[tuple[str, str]] = Counter()
    sums: Counter[tuple[str, str]] = Counter()
    contracts = {}
    for life in found:
        row = life.row
        sells, buys = (
            inside(row.seller_region, caliber.region_code),
            inside(row.buyer_region, caliber.region_code),
        )
        if not {"seller": sells, "buyer": buys, "either": sells or buys}[caliber.side]:
            continue
        apart: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for day, number, fen, kind in adds(life, caliber, known_at):
            if first <= day <= last:
                for key in [*keys(life, caliber, day, kind).items(), ("", "")]:
                    apart[key][0] += number
                    apart[key][1] += fen
        for key, (number, fen) in apart.items():
            numbers[key] += (fen != 0) if caliber.measure == "received" else number
            sums[key] += fen
        number, fen = apart.get(("", ""), (0, 0))
        if number or fen:
            contracts[row.id] = fen
    cells: dict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for (name, shown), number in numbers.items():
        if name and (number or sums[name, shown]):
            cells[name][shown] = (number, sums[name, shown])
    return Recount(sums["", ""], numbers["", ""], cells, contracts)
