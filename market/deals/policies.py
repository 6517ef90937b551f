"""Rules with a number, read from rows with validity days."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.deals.models import PolicyRow, PolicyStanding
from market.deals.rules import Deadline, deadline

DECIDE = "contract.decide_limit"
DECIDE_LARGE = "contract.large_decide_limit"
LARGE_FROM = "contract.large_from"


@dataclass(frozen=True)
class Policy:
    """A rule in force on a day."""

    name: str
    value: int
    unit: str
    valid_from: dt.date
    valid_to: dt.date | None
    standing: PolicyStanding
    basis: str
    basis_en: str


_COLUMNS = ("name", "value", "unit", "valid_from", "valid_to", "standing", "basis", "basis_en")


def _policy(row: Any) -> Policy:
    name, value, unit, valid_from, valid_to, standing, basis, basis_en = row
    return Policy(name, value, unit, valid_from, valid_to, PolicyStanding(standing), basis, basis_en)


def policy_at(session: Session, name: str, day: dt.date) -> Policy | None:
    """The row of a rule that holds on a day; None where no row says anything."""
    c = t(PolicyRow).c
    row = session.execute(
        sa.select(*(c[column] for column in _COLUMNS))
        .where(c.name == name, c.valid_from <= day, sa.or_(c.valid_to.is_(None), c.valid_to >= day))
        .order_by(c.valid_from.desc())
        .limit(1)
    ).first()
    return None if row is None else _policy(row)


def policies(session: Session, prefix: str = "") -> list[Policy]:
    """Every row, by name and day, for those who keep the rules."""
    c = t(PolicyRow).c
    rows = session.execute(
        sa.select(*(c[column] for column in _COLUMNS))
        .where(c.name.startswith(prefix, autoescape=True))
        .order_by(c.name, c.valid_from)
    )
    return [_policy(row) for row in rows]


def limit_for(session: Session, technology_fen: int, accepted_on: dt.date) -> Policy | None:
    """The registrar's limit for a contract accepted on a day; None where no row gives one."""
    large = policy_at(session, DECIDE_LARGE, accepted_on)
    threshold = policy_at(session, LARGE_FROM, accepted_on)
    if large is not None and threshold is not None and technology_fen >= threshold.value:
        return large
    return policy_at(session, DECIDE, accepted_on)


def decide_by(session: Session, technology_fen: int, accepted_on: dt.date) -> Deadline | None:
    """The last day on which the registrar may decide; None where no row gives a limit."""
    policy = limit_for(session, technology_fen, accepted_on)
    return None if policy is None else deadline(accepted_on, policy.value, policy.unit)
