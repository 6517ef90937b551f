"""Entering many contracts that were registered before: what `service.enter_registered` does, in bulk.

`settle` judges one contract and opens nothing; `enter` writes what was settled, in the caller's transaction:
contracts, their events, audit records and movements, each in as few statements as the database takes.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from market import audit, work
from market.clock import local_date, start_of_local_day
from market.db import Inserter, Session, json_text, reserve_ids, t
from market.deals import movements, recording, rules
from market.deals.inputs import ContractInput, Day
from market.deals.models import Contract, ContractEvent, ContractSource, ContractState
from market.deals.rules import Step
from market.errors import InvalidInput
from market.inputs import RegistrationNo
from market.permissions import Action, Actor, require_party


class RegisteredInput(ContractInput):
    """A contract as a register elsewhere, or a party, gives it."""

    registration_number: RegistrationNo | None = None
    registered_on: Day


def settle(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    data: RegisteredInput,
    source: ContractSource,
    read: recording.Known,
) -> dict[str, Any]:
    """The columns of a contract, or InvalidInput with everything that is wrong: days out of order or to
    come, amounts that do not add up, parties that are one and the same."""
    days = (("signed_on", data.signed_on), ("registered_on", data.registered_on))
    problems = rules.check_days(days, local_date(now))
    try:
        values = recording.values_of(session, actor, data, read=read)
    except InvalidInput as error:
        raise InvalidInput([*problems, *error.problems]) from None
    if problems:
        raise InvalidInput(problems)
    return values | {
        "registration_number": data.registration_number,
        "registered_on": data.registered_on,
        "source": source.value,
    }


_CHUNK = 500
"""How many contracts are written at once, and told of in one piece of work."""

_CONTRACT = tuple(column.name for column in t(Contract).columns)
_JSON = tuple(column.name for column in t(Contract).columns if isinstance(column.type, sa.JSON))
_CONTRACTS = Inserter(t(Contract), _CONTRACT)
_EVENTS = Inserter(
    t(ContractEvent),
    (
        "contract_id", "at", "step", "state_before", "state_after", "actor_id", "actor_name", "reason",
        "deal_fen_before", "deal_fen_after", "technology_fen_before", "technology_fen_after",
    ),
)  # fmt: skip


def enter(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    contracts: Iterable[Mapping[str, Any]],
    reason: str = "",
    *,
    years: Mapping[int, int] | None = None,
    progress: Callable[[int], None] = lambda _count: None,
) -> list[int]:
    """Write settled contracts as registered; returns their ids in the same order.

    The day of registration becomes an event at its start (Shanghai); that it was entered later is the last
    event, at `now`. However many they are, few are held at once, if `years` says how many were registered in
    each year. What others wait for is locked last: the register's clock, for the movements. Raises NotAllowed
    unless the actor registers contracts, and IntegrityError where a registration number or an import key was
    taken meanwhile.
    """
    require_party(actor, Action.CONTRACT_REGISTER)
    if years is None:
        contracts = list(contracts)
        years = Counter(values["registered_on"].year for values in contracts)
    numbers = _numbers(session, years)
    ids: list[int] = []
    rest = iter(contracts)
    while some := list(itertools.islice(rest, _CHUNK)):
        ids += _write(session, actor, now, some, numbers, reason)
        progress(len(ids))
    movements.record_registered(session, now, ids)
    for start in range(0, len(ids), _CHUNK):
        told = ids[start : start + _CHUNK]
        key = f"{told[0]}-{told[-1]}"
        recording.leave_news(session, now, key, told)
        work.enqueue(session, recording.ENTERED, {"contract_ids": told}, key=key, now=now)
    return ids


def _numbers(session: Session, years: Mapping[int, int]) -> dict[int, Iterator[str]]:
    # In the order of years: two imports at once take the locks of years in the same order.
    return {year: iter(recording.next_numbers(session, year, years[year])) for year in sorted(years)}


def _write(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    contracts: Sequence[Mapping[str, Any]],
    numbers: Mapping[int, Iterator[str]],
    reason: str,
) -> list[int]:
    ids = reserve_ids(session, t(Contract), len(contracts))
    given = {
        "state": ContractState.REGISTERED.value,
        "version": 1,
        "created_by": actor.person_id,
        "created_at": now,
        "updated_at": now,
    }
    rows = [
        {
            **values,
            **given,
            "id": key,
            "local_number": next(numbers[values["registered_on"].year]),
            "taxonomy_version": rules.taxonomy(values["kind"], values["registered_on"]),
        }
        for key, values in zip(ids, contracts, strict=True)
    ]
    connection = session.connection()
    _CONTRACTS.insert(connection, [_stored(row) for row in rows])
    _EVENTS.insert(connection, [event for row in rows for event in _events(actor, now, row, reason)])
    told = ((row["id"], recording.told(row)) for row in rows)
    audit.record_new(session, actor, "contract.entered", now, told, reason or None)
    return ids


def _stored(row: Mapping[str, Any]) -> tuple[Any, ...]:
    texts = {name: json_text(row[name]) for name in _JSON}
    return tuple(texts[name] if name in texts else row.get(name) for name in _CONTRACT)


def _events(actor: Actor, now: dt.datetime, row: Mapping[str, Any], reason: str) -> Iterator[tuple[Any, ...]]:
    amounts = (row["deal_fen"], row["deal_fen"], row["technology_fen"], row["technology_fen"])
    after = ContractState.REGISTERED.value
    for step, at, before, why in (
        (Step.REGISTER.value, start_of_local_day(row["registered_on"]), ContractState.ACCEPTED.value, ""),
        ("enter", now, after, reason),
    ):
        yield row["id"], at, step, before, after, actor.person_id, actor.name, why, *amounts
