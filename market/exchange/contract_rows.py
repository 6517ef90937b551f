"""Contracts as files hold them: what an import compares with and what an export writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.deals.models import Contract
from market.deals.price import CNY, in_units
from market.exchange import content
from market.exchange.fields import FIELDS, Kind
from market.parties.models import Organisation
from market.permissions import Action, Actor, require

_COLUMNS = [
    t(Contract).c[field.model_name] for field in FIELDS[Kind.CONTRACTS] if field.model_name in t(Contract).c
]
_KEYS = (t(Contract).c.id, t(Contract).c.seller_id, t(Contract).c.buyer_id, t(Contract).c.foreign_minor)


def reach(actor: Actor) -> frozenset[int] | None:
    """The organisations whose contracts an actor may export; None for all.

    Raises SignInRequired or NotAllowed for who may export none.
    """
    own = actor.organisations_for(Action.CONTRACT_READ)
    if own is not None and not own:
        require(actor, Action.EXPORT)
    return own


def of(organisations: frozenset[int]) -> sa.ColumnElement[bool]:
    """Contracts to which one of the organisations is a party."""
    c, ids = t(Contract).c, sorted(organisations)
    return sa.or_(c.seller_id.in_(ids), c.buyer_id.in_(ids))


def load(session: Session, where: sa.ColumnElement[bool]) -> Iterator[dict[str, Any]]:
    """The columns of contracts that files speak of, with their ids and those of their parties."""
    for row in session.execute(sa.select(*_KEYS, *_COLUMNS).where(where).order_by(t(Contract).c.id)):
        yield row._asdict()


def rows(session: Session, row_ids: Iterable[int]) -> Iterator[dict[str, Any]]:
    """The rows of an export by field name, as `writers` take them."""
    names = [(field.name, field.model_name) for field in FIELDS[Kind.CONTRACTS]]
    codes: dict[int, str] = {}
    for some in content.chunks(row_ids):
        loaded = list(load(session, t(Contract).c.id.in_(some)))
        _add_codes(session, codes, loaded)
        for values in loaded:
            values |= {f"{side}_code": codes.get(values[f"{side}_id"], "") for side in ("seller", "buyer")}
            values["foreign_amount"] = _foreign(values)
            yield {name: values[model_name] for name, model_name in names}


def _add_codes(session: Session, codes: dict[int, str], loaded: Sequence[Mapping[str, Any]]) -> None:
    parties = {row[f"{side}_id"] for row in loaded for side in ("seller", "buyer")}
    missing = sorted(one for one in parties if one is not None and one not in codes)
    o = t(Organisation).c
    if missing:
        found = session.execute(sa.select(o.id, o.credit_code).where(o.id.in_(missing)))
        codes.update((row.id, row.credit_code) for row in found)


def _foreign(values: Mapping[str, Any]) -> str:
    home = values["currency"] == CNY or values["foreign_minor"] is None
    return "" if home else in_units(values["foreign_minor"], values["currency"])
