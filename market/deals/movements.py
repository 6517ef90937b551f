"""What the register counts, as differences that are only ever added: the bookkeeping behind every figure.

A contract is counted by lines: one for itself, and one for each day on which money was received under it. Each
verb that changes them ends by calling `record`, which works out the lines that should stand now, reads the sum
of the contract's movements so far and appends what is missing. So a movement is a consequence and never an
instruction: calling `record` once more appends nothing, and a forgotten call is made good by the next.

Movements carry the register's own time, which only rises and is given under a lock that is kept until the
commit. Whoever has seen a movement has seen every earlier one, and the sum of the movements recorded by a
moment that has been answered for is the same for ever.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import sqlalchemy as sa

from market.db import Session, for_update, t, upsert
from market.deals.models import Contract, ContractState, Movement, Receipt, RegisterClock

BEFORE_ALL = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""The register's time before its first movement."""

_MICROSECOND = dt.timedelta(microseconds=1)
_CHUNK = 500


class Cause(enum.StrEnum):
    """The step that a movement comes from."""

    REGISTER = "register"
    AMEND = "amend"
    RECEIPT = "receipt"
    REVERSE = "reverse"
    """A receipt taken back."""
    DEREGISTER = "deregister"
    REVOKE = "revoke"


CHANGES = (Cause.AMEND, Cause.REVERSE, Cause.DEREGISTER, Cause.REVOKE)
"""Causes that change what was counted before; the others add something of its own day."""

ENDINGS = (Cause.DEREGISTER, Cause.REVOKE)


@dataclass(frozen=True)
class Line:
    """What a part of a contract is counted under."""

    registered_on: dt.date
    signed_on: dt.date | None
    effective_on: dt.date | None
    received_on: dt.date | None
    """None for the contract itself."""
    kind: str
    subkind: str
    technical_field: str
    industry_code: str
    seller_region: str
    buyer_region: str
    seller_town: str
    buyer_town: str
    seller_nature: str
    buyer_nature: str
    source: str
    taxonomy_version: int


@dataclass(frozen=True)
class Amounts:
    """How much is counted under a line: contracts, and fen."""

    contracts: int = 0
    deal_fen: int = 0
    technology_fen: int = 0
    received_fen: int = 0
    received_technology_fen: int = 0

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(*(getattr(self, name) - getattr(other, name) for name in AMOUNTS))

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in AMOUNTS)


LINE = tuple(field.name for field in fields(Line))
AMOUNTS = tuple(field.name for field in fields(Amounts))
Lines = Mapping[Line, Amounts]


def lines(contract: Contract, receipts: Iterable[tuple[dt.date, int, int]] = ()) -> dict[Line, Amounts]:
    """What should stand of a contract, whose receipts are (day, fen, fen for technology).

    Nothing unless it is registered; then one line for itself and one for each day of receipts that do not
    cancel out. Pure.
    """
    if contract.state != ContractState.REGISTERED.value or contract.registered_on is None:
        return {}

    def line(received_on: dt.date | None) -> Line:
        values = {name: getattr(contract, name) for name in LINE if name != "received_on"}
        return Line(**values | {"received_on": received_on, "industry_code": contract.industry_code or ""})

    standing = {line(None): Amounts(1, contract.deal_fen, contract.technology_fen)}
    received: dict[dt.date, tuple[int, int]] = {}
    for day, fen, technology_fen in receipts:
        before = received.get(day, (0, 0))
        received[day] = before[0] + fen, before[1] + technology_fen
    for day in sorted(received):
        amounts = Amounts(0, 0, 0, *received[day])
        if amounts:
            standing[line(day)] = amounts
    return standing


def difference(before: Lines, after: Lines) -> list[tuple[Line, Amounts]]:
    """What must be added to `before` for `after`: what is gone first, then what is new or changed. Pure."""
    gone = [(line, Amounts() - amounts) for line, amounts in before.items() if line not in after]
    new = [(line, amounts - before.get(line, Amounts())) for line, amounts in after.items()]
    return [(line, amounts) for line, amounts in gone + new if amounts]


def tick(session: Session, now: dt.datetime) -> dt.datetime:
    """The register's next time: `now`, or just after its last where that is later.

    Locks the register's clock until the transaction ends, so that what carries this time is seen by
    everybody before anything that carries a later one.
    """
    clock = t(RegisterClock)
    wanted = for_update(sa.select(clock.c.last).where(clock.c.id == 1), session)
    last = session.scalar(wanted)
    if last is None:
        upsert(session, clock, [{"id": 1, "last": BEFORE_ALL}], key=["id"])
        last = session.scalars(wanted).one()
    at: dt.datetime = max(now, last + _MICROSECOND)
    session.execute(sa.update(clock).where(clock.c.id == 1).values(last=at))
    return at


def latest(session: Session) -> dt.datetime:
    """The register's time: nothing will ever be recorded at or before it."""
    last = session.scalar(sa.select(t(RegisterClock).c.last).where(t(RegisterClock).c.id == 1))
    return BEFORE_ALL if last is None else last


def standing(session: Session, contract_id: int) -> dict[Line, Amounts]:
    """The sum of a contract's movements."""
    m = t(Movement).c
    keys = [m[name] for name in LINE]
    sums = [sa.cast(sa.func.sum(m[name]), sa.BigInteger) for name in AMOUNTS]
    rows = session.execute(sa.select(*keys, *sums).where(m.contract_id == contract_id).group_by(*keys))
    found = {Line(*row[: len(LINE)]): Amounts(*row[len(LINE) :]) for row in rows}
    return {line: amounts for line, amounts in found.items() if amounts}


def record(
    session: Session, now: dt.datetime, contract: Contract, cause: Cause | str, changed_on: dt.date
) -> int:
    """Append what a step changed of what is counted; returns the number of movements.

    `changed_on` is the day of the step: of registration, of the amendment, of the end, or the day on which
    a receipt was entered. Called last in a verb, because it locks the register's clock.
    """
    session.flush()
    r = t(Receipt).c
    receipts = session.execute(
        sa.select(r.received_on, r.fen, r.technology_fen).where(r.contract_id == contract.id)
    )
    assert contract.id is not None
    wanted = lines(contract, [(row.received_on, row.fen, row.technology_fen) for row in receipts])
    found = difference(standing(session, contract.id), wanted)
    if found:
        at = tick(session, now)
        _insert(session, [_row(at, contract.id, Cause(cause), changed_on, *one) for one in found])
    return len(found)


def record_registered(session: Session, now: dt.datetime, contract_ids: Sequence[int]) -> int:
    """Append the movements of many contracts that were registered just now and have neither movements nor
    receipts; returns their number. All carry one time, as they become known at once.

    What `lines` says of such a contract is read off its row by the database. Called last in a verb, because it
    locks the register's clock.
    """
    session.flush()
    if not contract_ids:
        return 0
    c = t(Contract).c
    own = {name: c[name] for name in LINE if name != "received_on"} | {
        "contract_id": c.id,
        "changed_on": c.registered_on,
        "industry_code": sa.func.coalesce(c.industry_code, ""),
        "deal_fen": c.deal_fen,
        "technology_fen": c.technology_fen,
    }
    same = {"step": Cause.REGISTER.value, "contracts": 1, "received_fen": 0, "received_technology_fen": 0}
    same |= {"recorded_at": tick(session, now)}
    table = t(Movement)
    columns = own | {name: sa.bindparam(name, one, table.c[name].type) for name, one in same.items()}
    count = 0
    for start in range(0, len(contract_ids), _CHUNK):
        rows = sa.select(*columns.values()).where(
            c.id.in_(contract_ids[start : start + _CHUNK]),
            c.state == ContractState.REGISTERED.value,
            c.registered_on.is_not(None),
        )
        statement = sa.insert(table).from_select(list(columns), rows.order_by(c.id), include_defaults=False)
        count += session.connection().execute(statement).rowcount
    return count


def _row(
    at: dt.datetime, contract_id: int, cause: Cause, changed_on: dt.date, line: Line, amounts: Amounts
) -> dict[str, Any]:
    if cause is Cause.RECEIPT and amounts.received_fen < 0:
        cause = Cause.REVERSE
    return {
        "recorded_at": at,
        "contract_id": contract_id,
        "step": cause.value,
        "changed_on": changed_on,
        **{name: getattr(line, name) for name in LINE},
        **{name: getattr(amounts, name) for name in AMOUNTS},
    }


def _insert(session: Session, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _CHUNK):
        session.execute(sa.insert(t(Movement)), rows[start : start + _CHUNK])
