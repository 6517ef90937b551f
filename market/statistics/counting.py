"""How a figure is added up: sums over the register's movements, made in the database.

A contract lies in a period by the day that the caliber names. With `restate` every movement of it lies there,
so the period is counted anew after a change; with `when_changed` amendments, ends and receipts taken back lie
in the period of the change. Only movements recorded by the moment asked for are summed, and nothing is ever
recorded at a moment that has been answered for.

The movements of a period are read once (a materialised common table) and summed by each dimension from there;
codes that stand for one group (natures of parties, regions) are folded afterwards.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.clock import start_of_local_day
from market.db import Session, t
from market.deals.models import Contract, ContractState, Movement, RegisterClock
from market.deals.movements import BEFORE_ALL, CHANGES, ENDINGS
from market.statistics import rules
from market.statistics.models import AmendmentRule, AmountMeasure, DatedBy, GdpRelease, Side, Vintage
from market.statistics.rules import Dimension

ALL = tuple(Dimension)
CHUNK = 500


@dataclass(frozen=True)
class CaliberRow:
    """A caliber as figures use it."""

    id: int
    code: str
    version: int
    name: str
    name_en: str
    measure: AmountMeasure
    side: Side
    region_code: str
    states: tuple[str, ...]
    dated_by: DatedBy
    amendments: AmendmentRule
    is_default: bool
    valid_from: dt.date
    valid_to: dt.date | None
    note: str
    note_en: str


CALIBER = tuple(CaliberRow.__dataclass_fields__)


def caliber_row(row: Sequence[Any]) -> CaliberRow:
    """A caliber from the columns CALIBER."""
    values: dict[str, Any] = dict(zip(CALIBER, row, strict=True))
    for name, kind in (
        ("measure", AmountMeasure), ("side", Side), ("dated_by", DatedBy), ("amendments", AmendmentRule),
        ("states", tuple),
    ):  # fmt: skip
        values[name] = kind(values[name])
    return CaliberRow(**values)


@dataclass(frozen=True)
class ReleaseRow:
    """A GDP release. `value_fen` is at current prices."""

    id: int
    region_code: str
    year: int
    quarter: int
    vintage: Vintage
    value_fen: int
    published_on: dt.date
    source: str
    entered_at: dt.datetime


@dataclass(frozen=True)
class Held:
    """What is not told yet of the days between two: movements recorded after a moment."""

    first: dt.date
    last: dt.date
    after: dt.datetime


@dataclass(frozen=True)
class Scope:
    """Which movements are counted: of a caliber, between two days, recorded by a moment."""

    counting: CaliberRow
    first: dt.date
    last: dt.date
    known_at: dt.datetime
    held: tuple[Held, ...] = ()
    """Left out for those who may not tell single amounts."""


@dataclass(frozen=True)
class Cell:
    """One row of a breakdown. `fen` is None where it is withheld.

    `count` is how many contracts more the period has; `touched`, how many the amount speaks of, which is
    more where a caliber counts changes or receipts by their own day.
    """

    key: str
    count: int
    fen: int | None
    touched: int
    taxonomies: tuple[int, ...] = ()
    """The oldest and the newest taxonomy of kinds under which its movements were recorded; empty where not read."""


def end_of_day(day: dt.date) -> dt.datetime:
    """The last moment of a calendar day in Shanghai."""
    return start_of_local_day(day + dt.timedelta(days=1)) - dt.timedelta(microseconds=1)


def known(session: Session, moment: dt.datetime) -> dt.datetime:
    """The moment that an answer is for: the one asked for, or the latest of which everything is known.

    Asked again for what is returned here, every figure is the same for ever.
    """
    clock = sa.select(t(RegisterClock).c.last).where(t(RegisterClock).c.id == 1).scalar_subquery()
    entered = sa.select(sa.func.max(t(GdpRelease).c.entered_at)).scalar_subquery()
    last, release = session.execute(sa.select(clock, entered)).one()
    return min(moment, max(last or BEFORE_ALL, release or BEFORE_ALL))


_m = t(Movement).c
_AMOUNT = {
    AmountMeasure.DEAL: _m.deal_fen,
    AmountMeasure.TECHNOLOGY: _m.technology_fen,
    AmountMeasure.RECEIVED: _m.received_fen,
}
_OWN_DAY: dict[DatedBy, sa.ColumnElement[dt.date]] = {
    DatedBy.REGISTRATION: _m.registered_on,
    DatedBy.SIGNING: sa.func.coalesce(_m.signed_on, _m.registered_on),
    # A contract that names no day takes effect when it is made (民法典 502).
    DatedBy.EFFECT: sa.func.coalesce(_m.effective_on, _m.signed_on, _m.registered_on),
    DatedBy.RECEIPT: _m.received_on,
}
_CHANGES = [cause.value for cause in CHANGES]


def _day(counting: CaliberRow) -> sa.ColumnElement[dt.date]:
    own = _OWN_DAY[counting.dated_by]
    if counting.amendments is AmendmentRule.RESTATE:
        return own
    return sa.case((_m.step.in_(_CHANGES), _m.changed_on), else_=own)


def inside(column: sa.ColumnElement[str], region: str) -> sa.ColumnElement[bool]:
    """Whether a column of codes of regions lies in a region."""
    prefix = rules.region_prefix(region)
    if len(prefix) == len(region):
        return column == region
    return sa.func.substr(column, 1, len(prefix)) == prefix


def _sides(counting: CaliberRow) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return inside(_m.seller_region, counting.region_code), inside(_m.buyer_region, counting.region_code)


def _sign(counting: CaliberRow) -> int:
    """Ended contracts alone are counted by what their ends took away."""
    return 1 if ContractState.REGISTERED.value in counting.states else -1


def _where(scope: Scope) -> list[sa.ColumnElement[bool]]:
    counting, first, last = scope.counting, scope.first, scope.last
    own: sa.ColumnElement[bool] = _OWN_DAY[counting.dated_by].between(first, last)
    if counting.amendments is AmendmentRule.WHEN_CHANGED:
        changed = _m.step.in_(_CHANGES)
        # Two ranges of columns, which have indexes, rather than one of an expression, which has none.
        own = sa.or_(sa.and_(sa.not_(changed), own), sa.and_(changed, _m.changed_on.between(first, last)))
    day = _day(counting)
    return [
        own,
        _m.recorded_at <= scope.known_at,
        *(
            sa.not_(sa.and_(day.between(one.first, one.last), _m.recorded_at > one.after))
            for one in scope.held
            if one.first <= last and first <= one.last
        ),
        *_counted(counting),
    ]


def _counted(counting: CaliberRow) -> list[sa.ColumnElement[bool]]:
    """Which movements a caliber adds up, of whatever day."""
    seller, buyer = _sides(counting)
    own_lines = counting.measure is not AmountMeasure.RECEIVED
    found = [
        {Side.SELLER: seller, Side.BUYER: buyer, Side.EITHER: sa.or_(seller, buyer)}[counting.side],
        _m.received_on.is_(None) if own_lines else _m.received_on.is_not(None),
    ]
    ended = {ContractState.DEREGISTERED.value: "deregister", ContractState.REVOKED.value: "revoke"}
    steps = [step for state, step in ended.items() if state in counting.states]
    if _sign(counting) < 0:
        found.append(_m.step.in_(steps))
    elif steps:
        found.append(_m.step.not_in(steps))
    return found


def moved(session: Session, counting: CaliberRow, since: dt.datetime) -> Iterator[rules.Move]:
    """What a caliber adds up of the movements recorded after a moment, in the register's order."""
    rows = session.execute(
        sa.select(_m.recorded_at, _day(counting), _m.contract_id, _m.contracts, _AMOUNT[counting.measure])
        .where(_m.recorded_at > since, *_counted(counting))
        .order_by(_m.recorded_at)
    )
    for at, day, *rest in rows:
        # A CASE of days comes back from SQLite as it is stored.
        yield rules.Move(at, day if isinstance(day, dt.date) else dt.date.fromisoformat(day), *rest)


def _key(counting: CaliberRow, dimension: Dimension) -> sa.ColumnElement[Any]:
    """What a dimension is grouped by, before folding."""
    seller, buyer = _sides(counting)
    plain = {
        Dimension.KIND: _m.kind,
        Dimension.SUBKIND: _m.kind + "/" + _m.subkind,
        Dimension.INDUSTRY: _m.industry_code,
        Dimension.FIELD: _m.technical_field,
        Dimension.SELLER: _m.seller_nature,
        Dimension.BUYER: _m.buyer_nature,
        Dimension.SOURCE: _m.source,
    }
    if dimension in plain:
        return plain[dimension]
    if dimension is Dimension.MONTH:
        return sa.extract("month", _day(counting))
    if dimension is Dimension.FLOW:
        flows = rules.Flow
        return sa.case(
            (sa.and_(seller, buyer), flows.LOCAL.value), (seller, flows.OUT.value), else_=flows.IN.value
        )
    if dimension is Dimension.TOWN:
        inside = sa.not_(buyer) if counting.side is Side.BUYER else seller
        return sa.case((inside, _m.seller_town), else_=_m.buyer_town)
    return sa.case((seller, _m.buyer_region), else_=_m.seller_region)


def _group(counting: CaliberRow, dimension: Dimension) -> sa.ColumnElement[Any]:
    """What a dimension is grouped by, folded in the database."""
    key, fold = _key(counting, dimension), rules.FOLDS.get(dimension)
    if fold is None:
        return key
    groups = [
        (sa.func.substr(key, 1, len(prefix)) == prefix, group.value) for prefix, group in fold if prefix
    ]
    return sa.case(*groups, else_=fold[-1][1].value)


def _shown(counting: CaliberRow, dimension: Dimension, key: Any) -> str:
    if dimension is Dimension.MONTH:
        return f"{int(key):02d}"
    fold = None if _counts_lines(counting) else rules.FOLDS.get(dimension)
    return str(key) if fold is None else rules.folded(str(key), fold)


def _counts_lines(counting: CaliberRow) -> bool:
    """Whether a contract may have several rows in a cell, so that contracts must be told apart."""
    return counting.measure is AmountMeasure.RECEIVED or counting.amendments is AmendmentRule.WHEN_CHANGED


def summed(
    session: Session, scope: Scope, dimensions: Sequence[Dimension] = ALL
) -> tuple[Cell, dict[Dimension, list[Cell]]]:
    """The whole and its cells by each dimension, unsorted; cells that come to nothing are left out."""
    rows = session.execute(summed_statement(scope, dimensions))
    apart: dict[str, dict[str, Cell]] = {"": {}, **{dimension.value: {} for dimension in dimensions}}
    for name, key, *sums in rows:
        shown = _shown(scope.counting, Dimension(name), key) if name else ""
        cell = _cell(shown, sums)
        apart[name][shown] = _joined(apart[name][shown], cell) if shown in apart[name] else cell
    cells = {
        name: [cell for cell in found.values() if cell.count or cell.fen] for name, found in apart.items()
    }
    whole = cells.pop("") or [Cell("", 0, 0, 0)]
    return whole[0], {Dimension(name): found for name, found in cells.items()}


def _cell(key: str, sums: Sequence[Any]) -> Cell:
    count, touched, fen, oldest, newest = sums
    versions = () if oldest is None else (int(oldest), int(newest))
    return Cell(key, int(count or 0), int(fen or 0), int(touched or 0), rules.ends(versions))


def _joined(one: Cell, other: Cell) -> Cell:
    return Cell(
        one.key,
        one.count + other.count,
        (one.fen or 0) + (other.fen or 0),
        one.touched + other.touched,
        rules.ends((*one.taxonomies, *other.taxonomies)),
    )


def summed_statement(
    scope: Scope, dimensions: Sequence[Dimension]
) -> sa.Select[Any] | sa.CompoundSelect[Any]:
    """Rows (dimension, key, contracts, touched, fen, oldest and newest taxonomy); the empty dimension is the whole, and
    alone has taxonomies."""
    counting = scope.counting
    by_lines = _counts_lines(counting)
    keys = [_group(counting, one) if by_lines else _key(counting, one) for one in dimensions]
    base = (
        sa.select(
            *([_m.contract_id] if by_lines else []),
            _m.contracts,
            _m.taxonomy_version,
            _AMOUNT[counting.measure].label("fen"),
            *(key.label(f"by_{one.value}") for key, one in zip(keys, dimensions, strict=True)),
        )
        .where(*_where(scope))
        .cte("counted")
        .prefix_with("MATERIALIZED")
    )
    parts = [_cells(scope, base, [], sa.literal(""), sa.literal(""))]
    for one in dimensions:
        key = base.c[f"by_{one.value}"]
        parts.append(
            _cells(scope, base, [key], sa.literal(one.value), sa.cast(key, sa.String), taxonomies=False)
        )
    return sa.union_all(*parts)


def _cells(
    scope: Scope,
    base: sa.FromClause,
    keys: list[sa.ColumnElement[Any]],
    *shown: sa.ColumnElement[Any],
    taxonomies: bool = True,
) -> sa.Select[Any]:
    """What is shown, contracts, touched, fen, oldest and newest taxonomy (where wanted: they cost a fifth of the time of
    a breakdown) of each combination of keys."""
    counting, sign = scope.counting, _sign(scope.counting)
    nothing: sa.ColumnElement[Any] = sa.cast(sa.null(), sa.Integer)

    def ends(oldest: sa.ColumnElement[Any], newest: sa.ColumnElement[Any]) -> list[sa.ColumnElement[Any]]:
        return [sa.func.min(oldest), sa.func.max(newest)] if taxonomies else [nothing, nothing]

    if not _counts_lines(counting):
        number = sa.cast(sa.func.sum(base.c.contracts * sign), sa.BigInteger)
        fen = sa.cast(sa.func.sum(base.c.fen * sign), sa.BigInteger)
        versions = ends(base.c.taxonomy_version, base.c.taxonomy_version)
        return sa.select(*shown, number, number, fen, *versions).select_from(base).group_by(*keys)
    # A contract may have several rows in a cell, which may come to nothing.
    more, amount = sa.func.sum(base.c.contracts), sa.func.sum(base.c.fen)
    each = (
        sa.select(
            *(one.label(f"shown{place}") for place, one in enumerate(shown)),
            more.label("more"),
            amount.label("fen"),
            *(
                one.label(name)
                for one, name in zip(
                    ends(base.c.taxonomy_version, base.c.taxonomy_version), ("oldest", "newest"), strict=True
                )
            ),
        )
        .select_from(base)
        .group_by(*keys, base.c.contract_id)
        .having(sa.or_(more != 0, amount != 0))
        .subquery()
    )
    names = [each.c[f"shown{place}"] for place in range(len(shown))]
    touched: sa.ColumnElement[Any] = sa.func.count()
    in_all: sa.ColumnElement[Any] = sa.cast(sa.func.sum(each.c.more * sign), sa.BigInteger)
    if counting.measure is AmountMeasure.RECEIVED:
        in_all = touched
    versions = ends(each.c.oldest, each.c.newest)
    return sa.select(
        *names, in_all, touched, sa.cast(sa.func.sum(each.c.fen * sign), sa.BigInteger), *versions
    ).group_by(*names)


def by_year_and_kind(session: Session, scope: Scope) -> dict[int, dict[str, Cell]]:
    """The cells by kind of each year between the scope's days."""
    counting = scope.counting
    base = (
        sa.select(
            _m.contract_id,
            _m.contracts,
            _m.taxonomy_version,
            _AMOUNT[counting.measure].label("fen"),
            sa.extract("year", _day(counting)).label("year"),
            _m.kind,
        )
        .where(*_where(scope))
        .subquery()
    )
    keys: list[sa.ColumnElement[Any]] = [base.c.year, base.c.kind]
    found: dict[int, dict[str, Cell]] = {}
    for year, kind, *sums in session.execute(_cells(scope, base, keys, *keys)):
        cell = _cell(kind, sums)
        if cell.count or cell.fen:
            found.setdefault(int(year), {})[kind] = cell
    return found


def by_year_until(session: Session, scope: Scope, month: int, day: int) -> dict[int, tuple[int, int]]:
    """Of each year between the scope's days: fen up to a day of the year (it included), and fen of the whole year."""
    own = _day(scope.counting)
    on = sa.extract("month", own) * 100 + sa.extract("day", own)
    by_then = sa.case((on <= month * 100 + day, 0), else_=1)
    found: dict[int, list[int]] = {}
    base = (
        sa.select(
            sa.extract("year", own).label("year"),
            by_then.label("after"),
            _AMOUNT[scope.counting.measure].label("fen"),
        )
        .where(*_where(scope))
        .subquery()
    )
    total = sa.cast(sa.func.sum(base.c.fen * _sign(scope.counting)), sa.BigInteger)
    for year, after, amount in session.execute(
        sa.select(base.c.year, base.c.after, total).group_by(base.c.year, base.c.after)
    ):
        found.setdefault(int(year), [0, 0])[int(after)] = int(amount)
    return {year: (parts[0], parts[0] + parts[1]) for year, parts in found.items()}


def came_in(session: Session, scope: Scope, contract_ids: Sequence[int]) -> dict[int, int]:
    """Of some contracts, those that a scope counts, with the fen that it counts."""
    found: dict[int, int] = {}
    fen = sa.cast(sa.func.sum(_AMOUNT[scope.counting.measure] * _sign(scope.counting)), sa.BigInteger)
    for start in range(0, len(contract_ids), CHUNK):
        rows = session.execute(
            sa.select(_m.contract_id, fen)
            .where(*_where(scope), _m.contract_id.in_(contract_ids[start : start + CHUNK]))
            .group_by(_m.contract_id)
            .having(sa.func.sum(_m.contracts) != 0)
        )
        found |= {row[0]: int(row[1]) for row in rows}
    return found


@dataclass(frozen=True)
class Counted:
    """A contract inside a figure, under what was known of it then. `fen` is what the caliber counts."""

    id: int
    local_number: str
    registration_number: str | None
    title: str
    kind: str
    subkind: str
    registered_on: dt.date
    seller_name: str
    seller_region: str
    seller_nature: str
    buyer_name: str
    buyer_region: str
    buyer_nature: str
    industry_code: str | None
    technical_field: str
    source: str
    deal_fen: int
    technology_fen: int
    received_fen: int
    fen: int


def _narrowed(scope: Scope, cells: Mapping[Dimension, str]) -> list[sa.ColumnElement[bool]]:
    found = _where(scope)
    for dimension, wanted in cells.items():
        key = _group(scope.counting, dimension)
        if dimension is Dimension.MONTH:
            found.append(key == (int(wanted) if wanted.isascii() and wanted.isdigit() else 0))
        else:
            found.append(key == wanted)
    return found


def _by_contract(scope: Scope, cells: Mapping[Dimension, str]) -> sa.Select[Any]:
    sign = _sign(scope.counting)
    fen = sa.cast(sa.func.sum(_AMOUNT[scope.counting.measure] * sign), sa.BigInteger)
    return (
        sa.select(_m.contract_id, fen.label("fen"), sa.func.min(_m.registered_on).label("registered_on"))
        .where(*_narrowed(scope, cells))
        .group_by(_m.contract_id)
        .having(sa.or_(fen != 0, sa.func.sum(_m.contracts) != 0))
    )


def contracts(
    session: Session, scope: Scope, cells: Mapping[Dimension, str], *, limit: int, offset: int = 0
) -> list[Counted]:
    """A page of the contracts that a figure, or a cell of it, counts, by day of registration."""
    found = _by_contract(scope, cells).order_by(sa.text("registered_on"), _m.contract_id)
    rows = session.execute(found.limit(limit).offset(offset)).all()
    return _told(session, scope, {row.contract_id: row.fen for row in rows})


def all_contracts(session: Session, scope: Scope, cells: Mapping[Dimension, str]) -> Iterator[Counted]:
    """All of them, read in pieces."""
    found = _by_contract(scope, cells).order_by(sa.text("registered_on"), _m.contract_id)
    rows = session.execute(found, execution_options={"yield_per": CHUNK})
    for piece in rows.partitions():
        yield from _told(session, scope, {row.contract_id: row.fen for row in piece})


def total(session: Session, scope: Scope, cells: Mapping[Dimension, str]) -> tuple[int, int]:
    """How many contracts `contracts` pages through, and what they come to in fen."""
    each = _by_contract(scope, cells).subquery()
    number, fen = session.execute(sa.select(sa.func.count(), sa.func.sum(each.c.fen)).select_from(each)).one()
    return number, int(fen or 0)


_UNDER = (
    "kind", "subkind", "registered_on", "seller_region", "seller_nature", "buyer_region", "buyer_nature",
    "industry_code", "technical_field", "source",
)  # fmt: skip
_NAMED = ("local_number", "registration_number", "title", "seller_name", "buyer_name")


def _told(session: Session, scope: Scope, counted: Mapping[int, int]) -> list[Counted]:
    """Contracts with what stood of them at the scope's moment; of an ended one, what stood before its end."""
    c = t(Contract).c
    ids = list(counted)
    under = [_m[name] for name in _UNDER]
    own = sa.and_(_m.step.not_in([cause.value for cause in ENDINGS]), _m.contract_id.in_(ids))
    sums = [sa.cast(sa.func.sum(_m[name]), sa.BigInteger) for name in ("deal_fen", "technology_fen")]
    received = sa.cast(sa.func.sum(_m.received_fen), sa.BigInteger)
    rows = session.execute(
        sa.select(_m.contract_id, *under, *sums, received, sa.func.sum(_m.contracts))
        .where(own, _m.recorded_at <= scope.known_at)
        .group_by(_m.contract_id, *under)
    )
    then = {row[0]: row for row in rows if row[-1] > 0}
    named = {
        row[0]: row[1:]
        for row in session.execute(sa.select(c.id, *(c[name] for name in _NAMED)).where(c.id.in_(ids)))
    }
    found = []
    for id_, fen in counted.items():
        row = then[id_]
        values = dict(zip(_UNDER, row[1:], strict=False)) | dict(zip(_NAMED, named[id_], strict=True))
        deal, technology, paid = row[len(_UNDER) + 1 : -1]
        values["industry_code"] = values["industry_code"] or None
        found.append(
            Counted(
                id=id_, **values, deal_fen=int(deal), technology_fen=int(technology), received_fen=int(paid),
                fen=int(fen),
            )
        )  # fmt: skip
    return found
