"""Sessions of auctions (专场): made, changed, and closed when all their lots have ended.

How the lots of a sale follow each other is fixed as soon as one of them is published, because bidders
rely on it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from auctions.models import Lot, Sale, SaleInput, SaleMode
from auctions.rules.state import ENDED, LotState
from market import audit
from market.clock import as_utc
from market.db import Session, for_update, t
from market.errors import Conflict, InvalidInput, NotFound, WrongState
from market.parties.models import Organisation
from market.permissions import Action, Actor, require

LOT, SALE = t(Lot), t(Sale)
OVER = [state.value for state in ENDED]
NOT_IN_TURN = [*OVER, LotState.DRAFT.value]
"""States in which a lot holds nobody up: it has ended, or was never announced."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a sale came to. Amounts in fen; `premium_fen` is what the sold lots fetched over their start
    prices."""

    lots: int
    open: int
    sold: int
    passed_in: int
    dropped: int
    """Withdrawn, cancelled or defaulted."""
    start_fen: int
    total_fen: int

    @property
    def premium_fen(self) -> int:
        """What the sold lots fetched over their start prices (溢价)."""
        return self.total_fen - self.start_fen


@dataclass(frozen=True, slots=True)
class Predecessor:
    """The lot that another waits for."""

    lot_id: int
    number: int
    title: str


def create_sale(session: Session, actor: Actor, values: SaleInput, now: dt.datetime) -> int:
    """Create a session of an auction (专场); returns its id. Raises NotAllowed, InvalidInput."""
    require(actor, Action.LOT_CONDUCT)
    sale = Sale(**_columns(session, values), created_by=actor.person_id, created_at=now)
    session.add(sale)
    session.flush()
    assert sale.id is not None
    audit.record(session, actor, "sale.created", sale.id, now, after=_audited(sale))
    return sale.id


def edit_sale(
    session: Session, actor: Actor, sale_id: int, values: SaleInput, version: int, now: dt.datetime
) -> int:
    """Change a session; returns the new version. Raises NotFound, NotAllowed, WrongState (closed),
    Conflict (stale version), InvalidInput (also: how its lots follow each other, once one is published)."""
    require(actor, Action.LOT_CONDUCT)
    sale = _locked(session, sale_id)
    if sale.closed_at is not None:
        raise WrongState(state="closed", action="edit_sale")
    if sale.version != version:
        raise Conflict(version=sale.version)
    if _published(session, sale_id):
        fixed: list[tuple[str, str, dict[str, Any]]] = [
            (name, "fixed_by_published_lots", {})
            for name in ("mode", "ends_together")
            if getattr(values, name) != getattr(sale, name)
        ]
        if fixed:
            raise InvalidInput(fixed)
    before = _audited(sale)
    for name, value in _columns(session, values).items():
        setattr(sale, name, value)
    sale.version += 1
    session.add(sale)
    audit.record(session, actor, "sale.edited", sale_id, now, before=before, after=_audited(sale))
    return sale.version


def close_sale(session: Session, actor: Actor, sale_id: int, now: dt.datetime) -> Summary:
    """Close a session whose lots have all ended. Closing it again changes nothing.

    Raises NotFound, NotAllowed, WrongState (a lot is not over, or there is none).
    """
    require(actor, Action.LOT_CONDUCT)
    sale = _locked(session, sale_id)
    result = summary(session, sale_id)
    if sale.closed_at is not None:
        return result
    if result.open or not result.lots:
        raise WrongState(state="open", action="close_sale", lots=result.open)
    sale.closed_at = now
    session.add(sale)
    audit.record(
        session, actor, "sale.closed", sale_id, now,
        after={"lots": result.lots, "sold": result.sold, "total_fen": result.total_fen},
    )  # fmt: skip
    return result


def summary(session: Session, sale_id: int) -> Summary:
    """What the published lots of a sale came to so far. One statement."""
    c = LOT.c
    sold = c.state == LotState.SOLD.value

    def count(*states: LotState) -> Any:
        return sa.func.coalesce(
            sa.func.sum(sa.case((c.state.in_([state.value for state in states]), 1), else_=0)), 0
        )

    def total(amount: Any) -> Any:
        return sa.func.coalesce(sa.func.sum(sa.case((sold, amount), else_=0)), 0)

    row = session.execute(
        sa.select(
            sa.func.count(),
            count(*(set(LotState) - ENDED)),
            count(LotState.SOLD),
            count(LotState.PASSED_IN),
            count(LotState.WITHDRAWN, LotState.CANCELLED, LotState.DEFAULTED),
            total(c.start_fen),
            total(c.hammer_fen),
        ).where(c.sale_id == sale_id, c.state != LotState.DRAFT.value)
    ).one()
    return Summary(*(int(value) for value in row))


def waits_for(session: Session, lot_id: int) -> Predecessor | None:
    """The lot of a sequential sale that must end before this one opens. One statement."""
    earlier = LOT.alias("earlier")
    row = session.execute(
        sa.select(earlier.c.id, earlier.c.number, earlier.c.title)
        .join_from(LOT, earlier, _before(earlier, LOT))
        .join(SALE, SALE.c.id == LOT.c.sale_id)
        .where(
            LOT.c.id == lot_id,
            LOT.c.state.in_([LotState.ANNOUNCED.value, LotState.REGISTRATION.value]),
            SALE.c.mode == SaleMode.SEQUENTIAL.value,
        )
        .order_by(earlier.c.number.desc(), earlier.c.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Predecessor(*row)


def not_yet(lot: Any = LOT) -> Any:
    """A condition: a lot's turn in its sale has not come, because an earlier one has not ended."""
    earlier = LOT.alias("predecessor")
    return (
        sa.exists()
        .where(SALE.c.id == lot.c.sale_id, SALE.c.mode == SaleMode.SEQUENTIAL.value, _before(earlier, lot))
        .correlate(lot)
    )


def _before(earlier: Any, lot: Any) -> Any:
    e, c = earlier.c, lot.c
    return sa.and_(
        e.sale_id == c.sale_id,
        e.state.not_in(NOT_IN_TURN),
        sa.or_(e.number < c.number, sa.and_(e.number == c.number, e.id < c.id)),
    )


def _locked(session: Session, sale_id: int) -> Sale:
    statement = sa.select(Sale).where(SALE.c.id == sale_id)
    sale = session.execute(for_update(statement, session)).scalar_one_or_none()
    if sale is None:
        raise NotFound(subject="sale")
    return sale


def _published(session: Session, sale_id: int) -> bool:
    statement = sa.select(LOT.c.id).where(LOT.c.sale_id == sale_id, LOT.c.state != LotState.DRAFT.value)
    return session.execute(statement.limit(1)).first() is not None


def _columns(session: Session, values: SaleInput) -> dict[str, Any]:
    problems: list[tuple[str, str, dict[str, Any]]] = []
    organiser = values.organiser_organisation_id
    if organiser is not None and session.get(Organisation, organiser) is None:
        problems.append(("organiser_organisation_id", "unknown_organisation", {}))
    if values.ends_together and values.mode is SaleMode.SEQUENTIAL:
        problems.append(("ends_together", "not_one_after_another", {}))
    if problems:
        raise InvalidInput(problems)
    return {
        "title": values.title,
        "introduction": values.introduction,
        "organiser_organisation_id": organiser,
        "starts_at": as_utc(values.starts_at),
        "mode": values.mode.value,
        "ends_together": values.ends_together,
    }


def _audited(sale: Sale) -> dict[str, Any]:
    return {
        "title": sale.title,
        "starts_at": sale.starts_at,
        "mode": sale.mode,
        "ends_together": sale.ends_together,
    }
