"""Rows as their input models would give them: what an import compares with and what an export writes.

A content is a mapping by the input model's names: plain values, amounts in fen, days as dates, lists of
records for what lies in tables of its own. Reading many takes as many statements as reading one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from market.db import Session, t
from market.deals.models import Contract
from market.demands.models import Demand, DemandTarget
from market.exchange.fields import FIELDS, Field, Form, Kind
from market.listings.models import Result, ResultClaim, ResultIp
from market.parties.models import Organisation

TABLES: dict[Kind, sa.Table] = {
    Kind.RESULTS: t(Result),
    Kind.DEMANDS: t(Demand),
    Kind.ORGANISATIONS: t(Organisation),
    Kind.CONTRACTS: t(Contract),
}
CHILDREN: dict[Kind, dict[str, tuple[sa.Table, str]]] = {
    Kind.RESULTS: {"ip": (t(ResultIp), "result_id"), "claims": (t(ResultClaim), "result_id")},
    Kind.DEMANDS: {"targets": (t(DemandTarget), "demand_id")},
    Kind.ORGANISATIONS: {},
    Kind.CONTRACTS: {},
}
"""Name in the input model → the table of its records and that table's reference to the listing."""

CHUNK = 500


def chunks(items: Iterable[Any], size: int = CHUNK) -> Iterable[list[Any]]:
    """Items in lists of at most `size`."""
    held: list[Any] = []
    for item in items:
        held.append(item)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held


def own_columns(kind: Kind) -> list[Field]:
    """The fields of a kind that are columns of its table."""
    return [field for field in FIELDS[kind] if field.form is not Form.PARTS]


def load(session: Session, kind: Kind, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The content of rows by id, in the order of `ids`; unknown ids are left out."""
    table = TABLES[kind]
    names = [field.model_name for field in own_columns(kind)]
    found: dict[int, dict[str, Any]] = {}
    for some in chunks(ids):
        rows = session.execute(
            sa.select(table.c.id, *(table.c[name] for name in names)).where(table.c.id.in_(some))
        )
        for row in rows:
            values = row._asdict()
            found[values.pop("id")] = values | {name: [] for name in CHILDREN[kind]}
        for name, (child, parent) in CHILDREN[kind].items():
            parts = next(field.parts for field in FIELDS[kind] if field.model_name == name)
            records = session.execute(
                sa.select(child.c[parent], *(child.c[part.name] for part in parts))
                .where(child.c[parent].in_(some))
                .order_by(child.c.id)
            )
            for record in records:
                values = record._asdict()
                found[values.pop(parent)][name].append(values)
    return {row_id: found[row_id] for row_id in ids if row_id in found}
