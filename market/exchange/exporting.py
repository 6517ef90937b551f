"""What an export holds: the listings and organisations that its asker may see whole, by filters.

Rows are given one after the other, so that an export of any length needs little memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.exchange import content, contract_rows
from market.exchange.fields import FIELDS, Kind
from market.parties.models import Organisation
from market.permissions import Action, Actor, require

LOCAL_SOURCE = "market"
"""The source that an export names for rows that no import brought; with it goes the row's id."""

_READ = {
    Kind.RESULTS: Action.RESULT_READ_UNPUBLISHED,
    Kind.DEMANDS: Action.DEMAND_READ_UNPUBLISHED,
    Kind.ORGANISATIONS: Action.ORGANISATION_EDIT,
}


@dataclass(frozen=True)
class Filters:
    """Which rows are wanted; empty means any."""

    state: str = ""
    industry: str = ""
    organisation_id: int | None = None


def reach(actor: Actor, kind: Kind) -> frozenset[int] | None:
    """The organisations whose rows an actor may export; None for all.

    Raises SignInRequired or NotAllowed for who may export nothing.
    """
    if kind is Kind.CONTRACTS:
        return contract_rows.reach(actor)
    if actor.can(Action.EXPORT):
        return None
    own = actor.organisations_for(_READ[kind])
    if not own:
        require(actor, Action.EXPORT)
    return own


def ids(session: Session, actor: Actor, kind: Kind, filters: Filters) -> list[int]:
    """The rows of an export, oldest first."""
    table = content.TABLES[kind]
    if kind is Kind.CONTRACTS:
        return _contract_ids(session, actor, filters)
    owner = table.c.id if kind is Kind.ORGANISATIONS else table.c.organisation_id
    statement = sa.select(table.c.id).order_by(table.c.id)
    allowed = reach(actor, kind)
    if allowed is not None:
        statement = statement.where(owner.in_(sorted(allowed)))
    if filters.organisation_id is not None:
        statement = statement.where(owner == filters.organisation_id)
    if filters.state:
        statement = statement.where(table.c.state == filters.state)
    if filters.industry and kind is not Kind.ORGANISATIONS:
        statement = statement.where(table.c.industry_code == filters.industry)
    return list(session.scalars(statement))


def _contract_ids(session: Session, actor: Actor, filters: Filters) -> list[int]:
    c = content.TABLES[Kind.CONTRACTS].c
    statement = sa.select(c.id).order_by(c.id)
    allowed = contract_rows.reach(actor)
    if allowed is not None:
        statement = statement.where(contract_rows.of(allowed))
    if filters.organisation_id is not None:
        statement = statement.where(contract_rows.of(frozenset({filters.organisation_id})))
    if filters.state:
        statement = statement.where(c.state == filters.state)
    if filters.industry:
        statement = statement.where(c.industry_code == filters.industry)
    return list(session.scalars(statement))


def rows(session: Session, kind: Kind, row_ids: list[int]) -> Iterator[dict[str, Any]]:
    """The rows by field name, as `writers` take them."""
    if kind is Kind.CONTRACTS:
        yield from contract_rows.rows(session, row_ids)
        return
    names = [(field.name, field.model_name) for field in FIELDS[kind]]
    o = t(Organisation).c
    codes: dict[int, str] = {}
    for some in content.chunks(row_ids):
        loaded = content.load(session, kind, some)
        if kind is not Kind.ORGANISATIONS:
            missing = {row["organisation_id"] for row in loaded.values()} - codes.keys()
            if missing:
                found = session.execute(sa.select(o.id, o.credit_code).where(o.id.in_(sorted(missing))))
                codes.update((row.id, row.credit_code) for row in found)
        for row_id, values in loaded.items():
            shown = {name: values[model_name] for name, model_name in names}
            if kind is not Kind.ORGANISATIONS:
                shown["organisation"] = codes[values["organisation_id"]]
                if not values["source_id"]:
                    shown["source"], shown["source_id"] = LOCAL_SOURCE, str(row_id)
            yield shown
