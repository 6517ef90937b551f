"""Versions of calibers: published by officials, never edited. Figures are counted by the newest of each code;
a published figure keeps the text and the version that it was counted by."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from market import audit
from market.clock import local_date
from market.db import Session, t
from market.errors import InvalidInput
from market.parties.models import Person
from market.permissions import Action, Actor, require
from market.statistics import queries, rules
from market.statistics.counting import CALIBER, CaliberRow, caliber_row
from market.statistics.inputs import CaliberInput
from market.statistics.models import AmountMeasure, Caliber


@dataclass(frozen=True)
class Version:
    """A version of a caliber, and who published it when; None for those that the market began with."""

    caliber: CaliberRow
    published_at: dt.datetime | None
    published_by: str | None
    current: bool


def versions(session: Session) -> list[Version]:
    """Every version of every caliber, by code, newest first."""
    c, p = t(Caliber).c, t(Person).c
    rows = session.execute(
        sa.select(*(c[name] for name in CALIBER), c.published_at, p.name)
        .select_from(t(Caliber).outerjoin(t(Person), c.published_by == p.id))
        .order_by(c.code, c.version.desc())
    )
    found: list[Version] = []
    for *values, at, who in rows:
        one = caliber_row(values)
        current = not found or found[-1].caliber.code != one.code
        found.append(Version(one, at, who, current))
    return found


def by_measure(found: list[CaliberRow], shown: CaliberRow) -> list[tuple[AmountMeasure, CaliberRow]]:
    """For the switch: of each amount, the caliber of the same side; the one shown stands for its own amount."""
    same = [one for one in found if one.side is shown.side and one.region_code == shown.region_code]
    first = {one.measure: one for one in reversed(same)} | {shown.measure: shown}
    return [(measure, first[measure]) for measure in AmountMeasure if measure in first]


def publish(session: Session, actor: Actor, now: dt.datetime, data: CaliberInput) -> int:
    """Publish a version of a caliber; returns its id. A code in use gets its next version.

    Raises NotAllowed, InvalidInput: `receipt_dates_receipts` where what is not received is dated by receipt,
    `valid_later` for a first day in the future, `nothing_changed` where it counts and says what the last does.
    """
    require(actor, Action.STATISTICS_MANAGE)
    problem = rules.caliber_problem(data.measure, data.dated_by)
    if problem:
        raise InvalidInput([("dated_by", problem, {})])
    if data.valid_from > local_date(now):
        raise InvalidInput([("valid_from", "valid_later", {})])
    all_of_them = queries.calibers(session)
    last = next((one for one in all_of_them if one.code == data.code), None)
    values = data.model_dump() | {
        "measure": data.measure.value,
        "side": data.side.value,
        "dated_by": data.dated_by.value,
        "amendments": data.amendments.value,
        "states": [state.value for state in data.states],
    }
    said = [name for name in values if name not in ("code", "valid_from")]
    if last is not None and all(_plain(getattr(last, name)) == values[name] for name in said):
        raise InvalidInput([("note", "nothing_changed", {})])
    row = Caliber(
        **values,
        version=last.version + 1 if last else 1,
        region_code=last.region_code if last else queries.caliber(session).region_code,
        is_default=bool(last and last.is_default),
        published_at=now,
        published_by=actor.person_id,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    after = values | {"valid_from": data.valid_from.isoformat(), "version": row.version}
    audit.record(session, actor, "caliber.published", row.id, now, after=after)
    return row.id


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else getattr(value, "value", value)
