"""The figure over the API: the share of GDP, its contracts, calibers, GDP releases and snapshots."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from market.clock import local_date
from market.deals.models import ContractKind, ContractState
from market.errors import Invalid
from market.permissions import Action, Actor, require
from market.statistics import forecast, queries, rules, service, snapshots
from market.statistics.counting import Held, end_of_day
from market.statistics.forecast import Forecast, GdpBasis
from market.statistics.inputs import GdpReleaseInput, SnapshotInput
from market.statistics.models import AmendmentRule, AmountMeasure, DatedBy, Side, Vintage
from web.deps import CurrentActor, Now, PagingDep, PartsDep, ReadTx, RowId, Tx
from web.routes.api import Listed, problems

router = APIRouter(prefix="/statistics", tags=["statistics"])


def _sane_day(value: dt.date | dt.datetime) -> dt.date | dt.datetime:
    if not 1990 <= value.year <= 2100:
        raise Invalid("day_out_of_range")
    return value


def _day_or_moment(value: object) -> object:
    """A text with a time is a moment, even where its time is midnight. A plus that was not escaped is a space."""
    if not isinstance(value, str) or len(value) <= len("2024-01-01"):
        return value
    try:
        moment = dt.datetime.fromisoformat(value.replace(" ", "+"))
    except ValueError:
        return value
    if moment.tzinfo is None:
        raise Invalid("timezone_aware")
    return moment


Year = Annotated[int | None, Query(ge=1990, le=2100, description="Default: the newest year with a GDP.")]
Quarter = Annotated[int, Query(ge=1, le=4, description="Year to date through this quarter.")]
Code = Annotated[
    str | None,
    Query(pattern=r"^[A-Z][0-9A-Z]{0,7}$", description="Caliber; default: the default one.", examples=["C4"]),
]
AsOf = Annotated[
    dt.date | AwareDatetime | None,
    Query(
        description="As the register and the GDP releases stood at the end of this day, or at this moment (RFC 3339, with "
        "an offset); default: now. For the public the last end of a quarter by then counts, and of the running quarter "
        "what was told in steps of three contracts: single amounts are not told.",
        examples=["2025-02-28", "2025-02-28T12:00:00+08:00"],
    ),
    BeforeValidator(_day_or_moment),
    AfterValidator(lambda value: value if value is None else _sane_day(value)),
]


class CaliberOut(BaseModel):
    """A named way to count."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    code: str = Field(examples=["C4"])
    version: int
    name: str
    name_en: str
    measure: AmountMeasure
    side: Side
    region_code: str
    states: list[str] = Field(description="Contract states that count.")
    dated_by: DatedBy = Field(description="Which day puts a contract into a period.")
    amendments: AmendmentRule = Field(description="Whether a change counts in its own period or restates.")
    is_default: bool
    valid_from: dt.date
    valid_to: dt.date | None
    note: str
    note_en: str


class ReleaseOut(BaseModel):
    """A published GDP figure at current prices."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    region_code: str
    year: int
    quarter: int
    vintage: Vintage
    value_fen: int
    published_on: dt.date
    source: str
    entered_at: dt.datetime


class TargetOut(BaseModel):
    """The plan's target as printed."""

    model_config = ConfigDict(from_attributes=True)
    year: int
    value: str
    unit: str
    source: str


class GdpShare(BaseModel):
    """Registered technology contracts as a share of GDP, with every input."""

    year: int
    quarter: int
    as_of: dt.date
    known_at: dt.datetime = Field(
        description="What was registered and published by this moment of the register's time is counted."
    )
    numerator_fen: int
    denominator_fen: int | None = Field(description="Null where no GDP is published for the period.")
    share_percent: str | None = Field(
        description="Percent with four decimals, rounded half up; null without a denominator.",
        examples=["2.0013"],
    )
    provisional: list[str] = Field(
        description="Why it is not the last word: year_running, part_of_year, first_release."
    )
    contract_count: int
    contracts: str = Field(description="Address of the contracts counted.")
    caliber: CaliberOut
    gdp_release: ReleaseOut | None
    plan_target: TargetOut | None


class CountedOut(BaseModel):
    """A contract inside a figure. Amounts are null to those who may not read them."""

    id: int
    local_number: str
    registration_number: str | None
    title: str
    kind: ContractKind
    registered_on: dt.date
    seller_name: str
    seller_region: str
    buyer_name: str
    buyer_region: str
    industry_code: str | None
    source: str
    deal_fen: int | None
    technology_fen: int | None
    counted_fen: int | None


class CountedList(Listed):
    """A page of the contracts inside a figure."""

    items: list[CountedOut]


class StageOut(BaseModel):
    """What waits in a state, and what became of what waited in it on the same day of earlier years."""

    model_config = ConfigDict(from_attributes=True)
    state: ContractState
    count: int
    fen: int
    waited: int = Field(description="Contracts that waited in it on the same day of earlier years.")
    came: int = Field(description="Of these, how many were registered in the same year.")


class EarlierOut(BaseModel):
    """An earlier year around the same day."""

    model_config = ConfigDict(from_attributes=True)
    year: int
    by_day_fen: int
    whole_fen: int
    came_fen: int | None = Field(description="Of what waited then; null where nothing is known of it.")
    beyond_fen: int = Field(
        description="What this year would still bring beyond what waits, if it went on as that one."
    )


class ForecastOut(BaseModel):
    """What the running year may come to: a forecast, not a statistic."""

    year: int
    at: dt.datetime = Field(
        description="The moment that it stands for: the end of a day, unless a moment was asked for."
    )
    known_at: dt.datetime
    caliber: CaliberOut
    registered_fen: int
    registered_count: int
    stages: list[StageOut] = Field(description="Contracts that wait, by state.")
    expected_fen: int = Field(description="Of what waits: (came + 1) / (waited + 2) of each state's amount.")
    beyond_fen: int = Field(description="Not yet known to the register; the median of the earlier years.")
    earlier: list[EarlierOut]
    low_fen: int
    mid_fen: int | None = Field(description="Null where history is too thin: fewer than three earlier years.")
    high_fen: int
    gdp_basis: GdpBasis = Field(
        description="own, grown by the median growth of earlier years, last without growth, none."
    )
    gdp_fen: int | None
    gdp_release: ReleaseOut | None
    low_percent: str | None
    mid_percent: str | None
    high_percent: str | None
    needed_fen: int | None = Field(description="What the plan's target asks for over this GDP.")
    plan_target: TargetOut | None


class Calibers(BaseModel):
    """Every caliber in its newest version."""

    items: list[CaliberOut]


class Releases(BaseModel):
    """Every GDP release, newest first."""

    items: list[ReleaseOut]


class SnapshotOut(BaseModel):
    """A published figure."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    caliber_code: str
    caliber_version: int
    year: int
    quarter: int
    numerator_fen: int
    denominator_fen: int
    share_percent: str
    contract_count: int
    sha256: str = Field(description="Over `content` as JSON: sorted keys, no spaces, UTF-8.")
    signature: str = Field(description="Ed25519 over the fingerprint, base64; see docs/verification.md.")
    key_id: str
    published_at: dt.datetime
    known_at: dt.datetime | None = Field(description="The register's time that was counted up to.")
    supersedes_id: int | None
    reason: str = Field(description="Why a revision was published.")
    content: dict[str, Any] | None = Field(
        default=None, description="What was frozen, with single amounts; only for those who may read them."
    )


class Snapshots(Listed):
    """A page of published figures."""

    items: list[SnapshotOut]


def _figure(
    session: Any,
    actor: Actor,
    now: dt.datetime,
    caliber: str | None,
    year: int | None,
    quarter: int,
    as_of: dt.date | dt.datetime | None,
) -> queries.Figure:
    today, moment = local_date(now), as_of if isinstance(as_of, dt.datetime) else None
    day = local_date(moment) if moment else as_of or today
    counting = queries.caliber(session, caliber)
    held: tuple[Held, ...] = ()
    if not actor.can(Action.STATISTICS_READ_DETAIL):
        day, moment = rules.public_day(day, today), None
        held = queries.held_back(session, counting, now) if day >= today else ()
    if year is None:
        published = queries.releases(session, counting.region_code)
        year = max(
            (one.year for one in published if one.quarter == quarter and one.published_on <= day),
            default=day.year,
        )
    return queries.figure(session, counting, year, quarter, as_of=day, at=moment, dimensions=(), held=held)


def _again(actor: Actor, figure: queries.Figure, as_of: dt.date | dt.datetime | None) -> str:
    """What to ask for to get the same figure: its moment where one was asked for, else its day."""
    if isinstance(as_of, dt.datetime) and actor.can(Action.STATISTICS_READ_DETAIL):
        return as_of.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    return figure.as_of.isoformat()


@router.get("/gdp-share", response_model=GdpShare, responses=problems(404))
def gdp_share(
    session: ReadTx,
    actor: CurrentActor,
    now: Now,
    year: Year = None,
    caliber: Code = None,
    quarter: Quarter = 4,
    as_of: AsOf = None,
) -> GdpShare:
    """The city's registered technology contracts as a share of its GDP."""
    figure = _figure(session, actor, now, caliber, year, quarter, as_of)
    target = queries.plan_target(session)
    release, period = figure.denominator, figure.period
    link = (
        f"/api/v1/statistics/contracts?year={period.year}&quarter={period.quarter}"
        f"&caliber={figure.caliber.code}&as_of={_again(actor, figure, as_of)}"
    )
    return GdpShare(
        year=period.year,
        quarter=period.quarter,
        as_of=figure.as_of,
        known_at=figure.known_at,
        numerator_fen=figure.numerator_fen,
        denominator_fen=release.value_fen if release else None,
        share_percent=None if figure.percent is None else str(figure.percent),
        provisional=list(figure.provisional),
        contract_count=figure.contract_count,
        contracts=link,
        caliber=CaliberOut.model_validate(figure.caliber),
        gdp_release=ReleaseOut.model_validate(release) if release else None,
        plan_target=TargetOut.model_validate(target) if target else None,
    )


@router.get("/forecast", response_model=ForecastOut, responses=problems(403, 404))
def get_forecast(
    session: ReadTx, actor: CurrentActor, now: Now, caliber: Code = None, as_of: AsOf = None
) -> ForecastOut:
    """What the year of a day or moment may come to, as of then. For those who may read single amounts."""
    require(actor, Action.STATISTICS_READ_DETAIL)
    counting = queries.caliber(session, caliber)
    at = as_of if isinstance(as_of, dt.datetime) else end_of_day(as_of or local_date(now))
    return _forecast(forecast.forecast(session, counting, at=min(at, end_of_day(local_date(now)))))


def _forecast(found: Forecast) -> ForecastOut:
    def percent(fen: int | None) -> str | None:
        share = None if fen is None else found.share(fen)
        return None if share is None else str(rules.percent(share))

    return ForecastOut(
        year=found.year,
        at=found.at,
        known_at=found.known_at,
        caliber=CaliberOut.model_validate(found.caliber),
        registered_fen=found.registered_fen,
        registered_count=found.registered_count,
        stages=[StageOut.model_validate(one) for one in found.stages],
        expected_fen=found.expected_fen,
        beyond_fen=found.beyond_fen,
        earlier=[EarlierOut.model_validate(one) for one in found.earlier],
        low_fen=found.low_fen,
        mid_fen=found.mid_fen,
        high_fen=found.high_fen,
        gdp_basis=found.gdp.basis,
        gdp_fen=found.gdp.fen or None,
        gdp_release=ReleaseOut.model_validate(found.gdp.release) if found.gdp.release else None,
        low_percent=percent(found.low_fen),
        mid_percent=percent(found.mid_fen),
        high_percent=percent(found.high_fen),
        needed_fen=found.needed_fen,
        plan_target=TargetOut.model_validate(found.target) if found.target else None,
    )


@router.get("/contracts", response_model=CountedList, responses=problems(404))
def counted_contracts(
    session: ReadTx,
    actor: CurrentActor,
    now: Now,
    paging: PagingDep,
    year: Year = None,
    caliber: Code = None,
    quarter: Quarter = 4,
    as_of: AsOf = None,
) -> CountedList:
    """The contracts inside a figure, by day of registration. The public gets them without amounts."""
    figure = _figure(session, actor, now, caliber, year, quarter, as_of)
    detail = actor.can(Action.STATISTICS_READ_DETAIL)
    shown = queries.contracts(session, figure, limit=paging.per_page, offset=paging.offset)
    return CountedList(
        items=[
            CountedOut(
                id=one.id,
                local_number=one.local_number,
                registration_number=one.registration_number,
                title=one.title,
                kind=ContractKind(one.kind),
                registered_on=one.registered_on,
                seller_name=one.seller_name,
                seller_region=one.seller_region,
                buyer_name=one.buyer_name,
                buyer_region=one.buyer_region,
                industry_code=one.industry_code,
                source=one.source,
                deal_fen=one.deal_fen if detail else None,
                technology_fen=one.technology_fen if detail else None,
                counted_fen=one.fen if detail else None,
            )
            for one in shown
        ],
        total=figure.contract_count,
        page=paging.page,
        per_page=paging.per_page,
    )


@router.get("/calibers", response_model=Calibers, responses=problems())
def list_calibers(session: ReadTx) -> Calibers:
    """The calibers."""
    return Calibers(items=[CaliberOut.model_validate(one) for one in queries.calibers(session)])


@router.get("/gdp-releases", response_model=Releases, responses=problems())
def list_gdp_releases(session: ReadTx) -> Releases:
    """The GDP figures entered, with vintage, day of publication and source."""
    return Releases(items=[ReleaseOut.model_validate(one) for one in queries.releases(session)])


@router.post("/gdp-releases", response_model=ReleaseOut, status_code=201, responses=problems(409))
def add_gdp_release(session: Tx, actor: CurrentActor, now: Now, data: GdpReleaseInput) -> ReleaseOut:
    """Enter a published GDP figure. A restatement is a new release; none is ever changed."""
    release_id = service.add_gdp_release(session, actor, now, data)
    found = next(one for one in queries.releases(session, data.region_code) if one.id == release_id)
    return ReleaseOut.model_validate(found)


def _snapshot(row: snapshots.SnapshotRow, content: dict[str, Any] | None = None) -> SnapshotOut:
    values = {**row.__dict__, "share_percent": str(row.percent), "content": content}
    return SnapshotOut(**values)


@router.get("/snapshots", response_model=Snapshots, responses=problems())
def list_snapshots(session: ReadTx, paging: PagingDep) -> Snapshots:
    """The published figures, newest first."""
    found, total = snapshots.snapshots(session, limit=paging.per_page, offset=paging.offset)
    return Snapshots(
        items=[_snapshot(row) for row in found], total=total, page=paging.page, per_page=paging.per_page
    )


@router.post("/snapshots", response_model=SnapshotOut, status_code=201, responses=problems(404))
def publish_snapshot(
    session: Tx, actor: CurrentActor, now: Now, data: SnapshotInput, parts: PartsDep, response: Response
) -> SnapshotOut:
    """Freeze a figure as it stands now, with everything it was computed from, and publish it."""
    snapshot_id = service.publish_snapshot(session, actor, now, data, parts.seal)
    response.headers["Location"] = f"/api/v1/statistics/snapshots/{snapshot_id}"
    return _snapshot(*snapshots.snapshot(session, snapshot_id))


@router.get("/snapshots/{snapshot_id}", response_model=SnapshotOut, responses=problems(404))
def get_snapshot(session: ReadTx, actor: CurrentActor, snapshot_id: RowId) -> SnapshotOut:
    """One published figure; with its frozen content for those who may read single amounts."""
    if not actor.can(Action.STATISTICS_READ_DETAIL):
        return _snapshot(snapshots.head(session, snapshot_id)[0])
    return _snapshot(*snapshots.snapshot(session, snapshot_id))
