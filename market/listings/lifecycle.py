"""Steps that results and demands share: finding a row to change, publishing, withdrawing, expiring."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlmodel import SQLModel

from market import audit
from market.clock import local_date
from market.db import Session, for_update, t
from market.dirty import mark_dirty
from market.errors import Conflict, InvalidInput, NotFound, WrongState
from market.listings import rules
from market.listings.models import ListingState
from market.listings.rules import Step
from market.parties.models import MembershipRow, Organisation, OrganisationState, Person
from market.permissions import SYSTEM, Action, Actor, Role, can, require
from market.taxonomy.models import Industry
from market.work import enqueue

Row = TypeVar("Row", bound=SQLModel)
CHUNK = 200
"""Rows expired or reminded of at a time."""


@dataclass(frozen=True)
class Trade:
    """What differs between results and demands: names, rights, whom to remind."""

    kind: str
    create: Action
    edit: Action
    read: Action
    role: Role


_ORGANISATION = t(Organisation).alias("verified")
_VERIFIED = sa.select(_ORGANISATION.c.id).where(_ORGANISATION.c.state == OrganisationState.VERIFIED.value)
"""Built once: every list of listings asks it."""


def of_verified(c: Any) -> sa.ColumnElement[bool]:
    """The condition that a listing's organisation is verified: what a suspended one lists is not shown."""
    found: sa.ColumnElement[bool] = c.organisation_id.in_(_VERIFIED)
    return found


def may_see(session: Session, actor: Actor, trade: Trade, row: Any) -> bool:
    """Whether an actor may know of a listing (anything with `state` and `organisation_id`): what is shown of
    a verified organisation is public. At most one statement."""
    if can(actor, trade.read, row.organisation_id):
        return True
    if ListingState(row.state) not in rules.SHOWN:
        return False
    o = t(Organisation).c
    state = session.scalar(sa.select(o.state).where(o.id == row.organisation_id))
    return bool(state == OrganisationState.VERIFIED.value)


class Merged(WrongState):
    """The result was merged into another, which goes on for it. Params: `into`, an id."""


def refuse_merged(row: Any) -> None:
    """Raise Merged for a result that another goes on for."""
    into = getattr(row, "merged_into_id", None)
    if into is not None:
        raise Merged(into=into)


def locked_row(session: Session, model: type[Row], row_id: int, *, kind: str = "result") -> Row:
    """A row as it is now, locked. Raises NotFound."""
    statement = sa.select(model).where(t(model).c.id == row_id).execution_options(populate_existing=True)
    row: Row | None = session.scalars(for_update(statement, session)).one_or_none()
    if row is None:
        raise NotFound(kind=kind)
    return row


def row_to_change(
    session: Session,
    actor: Actor,
    trade: Trade,
    model: type[Row],
    row_id: int,
    *,
    version: int | None = None,
) -> Row:
    """The row, locked. Raises NotFound for what the actor may not know of, NotAllowed for what they may
    only see, Merged, Conflict (field `version`) when it is no longer at `version`."""
    row: Any = locked_row(session, model, row_id, kind=trade.kind)
    if not may_see(session, actor, trade, row):
        raise NotFound(kind=trade.kind)
    require(actor, trade.edit, row.organisation_id)
    refuse_merged(row)
    if version is not None and version != row.version:
        raise Conflict(field="version", current=row.version)
    found: Row = row
    return found


def check_places(
    session: Session, organisation_id: int | None, industry_code: str, *, known_industry: str = ""
) -> None:
    """Refuse an organisation or an industry that is not there (a retired industry may be kept, not chosen).

    Raises InvalidInput.
    """
    problems: list[rules.Problem] = []
    if organisation_id is not None and not session.scalar(
        sa.select(sa.exists().where(t(Organisation).c.id == organisation_id))
    ):
        problems.append(("organisation_id", "unknown_organisation", {}))
    if industry_code != known_industry and not session.scalar(
        sa.select(sa.exists().where(t(Industry).c.code == industry_code, t(Industry).c.active.is_(True)))
    ):
        problems.append(("industry_code", "unknown_industry", {}))
    rules.refuse(problems)


def move(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    trade: Trade,
    row: Any,
    step: Step,
    *,
    reason: str = "",
    days: int = rules.LISTING_DAYS,
) -> None:
    """Take a step with a locked row: state, validity, audit, dirty mark. Raises WrongState, InvalidInput.

    A listing keeps its first day of publication, so reconfirming does not push it to the front.
    """
    before = _standing(row)
    was = row.state
    row.state = rules.after(row.state, step).value
    if step in (Step.PUBLISH, Step.RECONFIRM):
        first = was == ListingState.DRAFT.value
        if first and rules.is_past(row.valid_until, now):
            raise InvalidInput([("valid_until", "date_past", {})])
        row.valid_until = rules.last_day(now, days, row.valid_until if first else None)
        row.confirmed_at = now
        row.published_at = row.published_at or now
    row.state_reason = reason
    row.version += 1
    row.updated_at = now
    done = {
        Step.PUBLISH: "published", Step.RECONFIRM: "reconfirmed", Step.WITHDRAW: "withdrawn",
        Step.EXPIRE: "expired", Step.CONCLUDE: "concluded", Step.REOPEN: "reopened",
    }[step]  # fmt: skip
    audit.record(
        session, actor, f"{trade.kind}.{done}", row.id, now,
        before=before, after=_standing(row), reason=reason or None,
    )  # fmt: skip
    mark_dirty(session, trade.kind, row.id)
    session.flush()


def _standing(row: Any) -> dict[str, Any]:
    return {"state": row.state, "valid_until": row.valid_until, "confirmed_at": row.confirmed_at}


def expire_due(session: Session, now: dt.datetime, trade: Trade, model: type[SQLModel]) -> list[int]:
    """Expire published rows whose last day has gone by, at most CHUNK; returns their ids."""
    c = t(model).c
    statement = (
        sa.select(model)
        .where(c.state == ListingState.PUBLISHED.value, c.valid_until < local_date(now))
        .order_by(c.id)
        .limit(CHUNK)
        .execution_options(populate_existing=True)
    )
    rows = session.scalars(for_update(statement, session, skip_locked=True)).all()
    for row in rows:
        move(session, SYSTEM, now, trade, row, Step.EXPIRE)
    return [row.id for row in rows]


def remind_expiring(
    session: Session, now: dt.datetime, trade: Trade, model: type[SQLModel], *, after_id: int = 0
) -> tuple[int, int | None]:
    """Leave a mail for those who look after each listing that ends within REMIND_DAYS, once per last day.

    Works through CHUNK rows beyond `after_id`; returns how many mails were left and where to go on.
    """
    c, m, p = t(model).c, t(MembershipRow).c, t(Person).c
    today = local_date(now)
    rows = session.execute(
        sa.select(c.id, c.title, c.valid_until, c.organisation_id)
        .where(
            c.id > after_id,
            c.state == ListingState.PUBLISHED.value,
            c.valid_until.between(today, today + dt.timedelta(days=rules.REMIND_DAYS)),
        )
        .order_by(c.id)
        .limit(CHUNK)
    ).all()
    keepers: dict[int, list[sa.RowMapping]] = {}
    for person in session.execute(
        sa.select(m.organisation_id, p.id, p.name, p.email, p.language)
        .join_from(t(MembershipRow), t(Person), m.person_id == p.id)
        .where(
            m.organisation_id.in_({row.organisation_id for row in rows}),
            m.role == trade.role.value,
            m.ended_at.is_(None),
            p.active.is_(True),
        )
        .order_by(m.id)
    ).mappings():
        keepers.setdefault(person["organisation_id"], []).append(person)
    left = 0
    for row in rows:
        for person in keepers.get(row.organisation_id, []):
            payload = {
                "template": "listing_expiring",
                "to": person["email"],
                "language": person["language"],
                "params": {
                    "name": person["name"],
                    "kind": trade.kind,
                    "id": row.id,
                    "title": row.title,
                    "valid_until": row.valid_until.isoformat(),
                },
            }
            key = f"listing_expiring:{trade.kind}:{row.id}:{row.valid_until}:{person['id']}"
            enqueue(session, "mail.send", payload, key=key, now=now)
            left += 1
    return left, rows[-1].id if len(rows) == CHUNK else None
