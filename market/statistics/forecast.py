"""What a running year may come to: what is registered, what waits in the register, what earlier years had still to come.

A forecast is no statistic: it is never published, frozen or mixed with what is counted. Its model is plain and
nothing in it is fitted beyond shares counted out of this register:

- *registered*: what the caliber counts of the year by now;
- *waiting*: contracts between draft and decision, each state with the share of those that waited in it on the same day
  of earlier years and were registered in that year, (came + 1) / (waited + 2);
- *not yet known*: what earlier years registered after this day beyond what had waited, in proportion to what they had
  by it. Of a year of whose waiting contracts nothing is known, all that came after this day, less what waits now.

The middle takes the median of the earlier years for the last part, the range their least and most and, for what
waits, the earlier year in which least and most of it came (none and all of it where no year tells). With fewer than
three earlier years, or nothing registered yet, there is no middle, and the range goes from what is registered to that
and all that waits.

As of a past moment it uses what was known then: movements by the register's time, steps of contracts by their events,
releases of GDP by when they were entered. Not kept by time are a contract's parties and title, which are read as they
stand, and the order of steps that were taken at one moment by two clocks. A lot that was sold waits as soon as its
contract is drafted. Amounts are fen; days are calendar days in Shanghai; integers and fractions throughout.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import sqlalchemy as sa

from market.clock import local_date
from market.db import Session, t
from market.deals.models import Contract, ContractEvent, ContractState
from market.errors import InvalidInput
from market.statistics import counting as sums
from market.statistics import queries, rules
from market.statistics.counting import CaliberRow, ReleaseRow, Scope
from market.statistics.models import AmountMeasure, DatedBy, PlanTarget, Side

WAITING = (
    ContractState.DRAFT,
    ContractState.SUBMITTED,
    ContractState.ACCEPTED,
    ContractState.SUPPLEMENT,
    ContractState.EXPERT_REVIEW,
)
"""States from which a contract may still be registered, as it comes nearer to it."""

LOOKED_BACK = 5
"""How many earlier years are looked at."""

ENOUGH = 3
"""How many of them must tell something."""

STALE = dt.timedelta(days=365)
"""A contract without a step for so long no longer waits."""


class GdpBasis(enum.StrEnum):
    """Which GDP the forecast is held against."""

    OWN = "own"
    """The year's own release."""
    GROWN = "grown"
    """The last year's that is published, grown by the median growth of the years before."""
    LAST = "last"
    """The last year's that is published; no growth is known."""
    NONE = "none"


@dataclass(frozen=True)
class Waiting:
    """A contract that waits, with what the caliber would count of it."""

    id: int
    state: ContractState
    fen: int


@dataclass(frozen=True)
class Stage:
    """What waits in one state, and what became of what waited in it in earlier years."""

    state: ContractState
    count: int
    fen: int
    waited: int
    came: int

    @property
    def rate(self) -> Fraction:
        """The share that is expected to be registered within the year."""
        return Fraction(self.came + 1, self.waited + 2)


@dataclass(frozen=True)
class Earlier:
    """An earlier year around the same day. `came_fen` is None where nothing is known of what waited then."""

    year: int
    by_day_fen: int
    whole_fen: int
    came_fen: int | None
    beyond_fen: int
    """What this year would still bring beyond what waits, if it went on as that one."""


@dataclass(frozen=True)
class Gdp:
    """The denominator. `growth` is of one year."""

    basis: GdpBasis
    fen: int
    release: ReleaseRow | None
    growth: Fraction | None = None


@dataclass(frozen=True)
class Forecast:
    """What the year may come to, and of what that is made. `mid_fen` is None where history is too thin."""

    caliber: CaliberRow
    year: int
    at: dt.datetime
    """The moment that it stands for."""
    known_at: dt.datetime
    """Up to where the register's movements were read."""
    registered_fen: int
    registered_count: int
    stages: tuple[Stage, ...]
    expected_fen: int
    """Of what waits."""
    beyond_fen: int
    """Not yet known to the register."""
    earlier: tuple[Earlier, ...]
    low_fen: int
    mid_fen: int | None
    high_fen: int
    gdp: Gdp
    target: PlanTarget | None

    @property
    def day(self) -> dt.date:
        """The day that it stands for."""
        return local_date(self.at)

    @property
    def waiting_fen(self) -> int:
        """All that waits."""
        return sum(stage.fen for stage in self.stages)

    @property
    def waiting_count(self) -> int:
        """How many contracts wait."""
        return sum(stage.count for stage in self.stages)

    @property
    def needed_fen(self) -> int | None:
        """What the plan's target asks for over this GDP, rounded up; None without either."""
        if self.target is None or not self.gdp.fen:
            return None
        return -(-Fraction(self.target.value) * self.gdp.fen // 100)

    def share(self, fen: int) -> Fraction | None:
        """An amount as a share of the GDP; None without one."""
        return Fraction(fen, self.gdp.fen) if self.gdp.fen else None


def can_foretell(counting: CaliberRow) -> bool:
    """Whether a caliber counts what waiting contracts bring: their price, in the year of their registration."""
    return (
        counting.measure is not AmountMeasure.RECEIVED
        and counting.dated_by is DatedBy.REGISTRATION
        and ContractState.REGISTERED.value in counting.states
    )


def forecast(session: Session, counting: CaliberRow, *, at: dt.datetime) -> Forecast:
    """The forecast of the year in which a moment lies, as of that moment.

    Raises InvalidInput (`no_forecast`) for a caliber that does not count prices by their registration.
    """
    if not can_foretell(counting):
        raise InvalidInput([("caliber", "no_forecast", {})])
    day = local_date(at)
    figure = queries.figure(session, counting, day.year, as_of=day, at=at, dimensions=())
    scope = Scope(
        counting,
        dt.date(day.year - LOOKED_BACK, 1, 1),
        dt.date(day.year - 1, 12, 31),
        figure.known_at,
    )
    by_year = sums.by_year_until(session, scope, day.month, day.day)
    then = {year: waiting(session, counting, _same_day(at, year), known=at) for year in sorted(by_year)}
    came = {
        year: sums.came_in(
            session,
            Scope(counting, local_date(_same_day(at, year)), dt.date(year, 12, 31), figure.known_at),
            [one.id for one in found],
        )
        for year, found in then.items()
    }
    stages = _stages(waiting(session, counting, at, known=at), then, came)
    expected = int(sum((stage.fen * stage.rate for stage in stages), Fraction(0)))
    earlier = _earlier(figure.numerator_fen, expected, by_year, then, came)
    low, mid, high, beyond = _range(figure.numerator_fen, stages, expected, earlier, then, came)
    return Forecast(
        caliber=counting,
        year=day.year,
        at=at,
        known_at=figure.known_at,
        registered_fen=figure.numerator_fen,
        registered_count=figure.contract_count,
        stages=stages,
        expected_fen=expected,
        beyond_fen=beyond,
        earlier=earlier,
        low_fen=low,
        mid_fen=mid,
        high_fen=high,
        gdp=gdp_of(queries.releases(session, counting.region_code), day.year, day, figure.known_at),
        target=queries.plan_target(session),
    )


def waiting(session: Session, counting: CaliberRow, at: dt.datetime, *, known: dt.datetime) -> list[Waiting]:
    """The contracts of a caliber's region that waited at a moment, of those that this register held by `known`.

    Contracts that were entered as registered never waited here.
    """
    c, e, later = t(Contract).c, t(ContractEvent).c, t(ContractEvent).alias().c
    entered = t(ContractEvent).alias().c
    seller, buyer = (
        sums.inside(column, counting.region_code) for column in (c.seller_region, c.buyer_region)
    )
    after = sa.or_(later.at > e.at, sa.and_(later.at == e.at, later.id > e.id))
    fen = e.deal_fen_after if counting.measure is AmountMeasure.DEAL else e.technology_fen_after
    rows = session.execute(
        sa.select(c.id, e.state_after, fen)
        .select_from(t(ContractEvent).join(t(Contract), e.contract_id == c.id))
        .where(
            e.at > at - STALE,
            e.at <= at,
            e.state_after.in_([state.value for state in WAITING]),
            c.created_at <= known,
            {Side.SELLER: seller, Side.BUYER: buyer, Side.EITHER: sa.or_(seller, buyer)}[counting.side],
            sa.not_(sa.exists().where(later.contract_id == e.contract_id, later.at <= at, after)),
            sa.not_(
                sa.exists().where(
                    entered.contract_id == e.contract_id, entered.step == "enter", entered.at <= known
                )
            ),
        )
        .order_by(c.id)
    )
    return [Waiting(id_, ContractState(state), amount or 0) for id_, state, amount in rows]


@dataclass(frozen=True)
class WaitingContract:
    """A waiting contract as a list shows it."""

    id: int
    local_number: str
    title: str
    seller_name: str
    buyer_name: str
    signed_on: dt.date | None
    decide_by: dt.date | None
    state: ContractState
    fen: int


def named(session: Session, found: Sequence[Waiting]) -> list[WaitingContract]:
    """The same contracts with what a list shows of them, read as it stands."""
    c = t(Contract).c
    rows = {
        row.id: row
        for row in session.execute(
            sa.select(
                c.id, c.local_number, c.title, c.seller_name, c.buyer_name, c.signed_on, c.decide_by
            ).where(c.id.in_([one.id for one in found]))
        )
    }
    return [WaitingContract(*rows[one.id], state=one.state, fen=one.fen) for one in found]


def gdp_of(releases: Iterable[ReleaseRow], year: int, day: dt.date, known_at: dt.datetime) -> Gdp:
    """The GDP that a year's forecast is held against, of what was published by a day and entered by a moment."""
    found = list(releases)
    whole = {
        one: release
        for one in sorted({release.year for release in found if release.quarter == 4})
        if (release := queries.choose_release(found, rules.Period(one, 4), day, known_at)) is not None
    }
    if year in whole:
        return Gdp(GdpBasis.OWN, whole[year].value_fen, whole[year])
    before = [one for one in whole if one < year]
    if not before:
        return Gdp(GdpBasis.NONE, 0, None)
    last = whole[max(before)]
    grown = [
        Fraction(whole[one].value_fen, whole[one - 1].value_fen)
        for one in before[-LOOKED_BACK:]
        if one - 1 in whole
    ]
    if not grown:
        return Gdp(GdpBasis.LAST, last.value_fen, last)
    growth = _median(grown)
    return Gdp(GdpBasis.GROWN, int(last.value_fen * growth ** (year - last.year)), last, growth - 1)


def _same_day(at: dt.datetime, year: int) -> dt.datetime:
    """The end of the same day of another year; 28 February for the 29th."""
    day = local_date(at)
    if (day.month, day.day) == (2, 29):
        day -= dt.timedelta(days=1)
    return sums.end_of_day(day.replace(year=year))


Then = Mapping[int, Sequence[Waiting]]
Came = Mapping[int, Mapping[int, int]]


def _stages(now: Sequence[Waiting], then: Then, came: Came) -> tuple[Stage, ...]:
    stages = []
    for state in WAITING:
        fens = [one.fen for one in now if one.state is state]
        waited = [one.id in came[year] for year, found in then.items() for one in found if one.state is state]
        stages.append(Stage(state, len(fens), sum(fens), len(waited), sum(waited)))
    return tuple(stages)


def _earlier(
    registered: int, expected: int, by_year: Mapping[int, tuple[int, int]], then: Then, came: Came
) -> tuple[Earlier, ...]:
    found = []
    for year, (by_day, whole) in sorted(by_year.items()):
        if by_day <= 0:
            continue
        rest = whole - by_day
        known = sum(came[year].values()) if then[year] else None
        if known is None:
            beyond = registered * rest // by_day - expected
        else:
            beyond = registered * (rest - known) // by_day
        found.append(Earlier(year, by_day, whole, known, max(0, beyond)))
    return tuple(found)


def _range(
    registered: int,
    stages: Sequence[Stage],
    expected: int,
    earlier: Sequence[Earlier],
    then: Then,
    came: Came,
) -> tuple[int, int | None, int, int]:
    """Low, middle, high, and what is not yet known in the middle."""
    whole = sum(stage.fen for stage in stages)
    if len(earlier) < ENOUGH or registered <= 0:
        return registered, None, registered + whole, 0
    least, most = 0, whole
    watched = [year for year, found in then.items() if found]
    if watched:
        outcomes = [_as_in(year, stages, then, came) for year in watched]
        least, most = min(expected, *outcomes), max(expected, *outcomes)
    beyond = sorted(one.beyond_fen for one in earlier)
    middle = int(_median([Fraction(fen) for fen in beyond]))
    return (
        registered + least + beyond[0],
        registered + expected + middle,
        registered + most + beyond[-1],
        middle,
    )


def _as_in(year: int, stages: Sequence[Stage], then: Then, came: Came) -> int:
    """What of the waiting contracts would come if as many came as in that year; by all years where it had none."""
    total = Fraction(0)
    for stage in stages:
        waited = [one.id in came[year] for one in then[year] if one.state is stage.state]
        total += stage.fen * (Fraction(sum(waited), len(waited)) if waited else stage.rate)
    return int(total)


def _median(values: Sequence[Fraction]) -> Fraction:
    found, half = sorted(values), len(values) // 2
    return found[half] if len(found) % 2 else (found[half - 1] + found[half]) / 2
