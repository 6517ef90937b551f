"""Entering many contracts that were registered before: what `service.enter_registered` does, in bulk.

`settle` judges one contract and opens nothing; `enter` writes what was settled, in the caller's transaction:
contracts, their events, audit records and movements, each in as few statements as the database takes.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import sqlalchemy as sa

from market import audit, work
from market.clock import local_date, start_of_local_day
from market.db import Session, t
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
    problems: rules.Problems = []
    if data.registered_on < data.signed_on:
        problems.append(("registered_on", "day_order", {"after": data.signed_on.isoformat()}))
    if data.registered_on > local_date(now):
        problems.append(("registered_on", "signed_in_future", {}))
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


def enter(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    contracts: Sequence[Mapping[str, Any]],
    reason: str = "",
) -> list[int]:
    """Write settled contracts as registered; returns their ids in the same order.

    The day of registration becomes an event at its start (Shanghai); that it was entered later is the last
    event, at `now`. Raises NotAllowed unless the actor registers contracts, and IntegrityError where a
    registration number or an import key was taken meanwhile.
    """
    require_party(actor, Action.CONTRACT_REGISTER)
    if not contracts:
        return []
    rows = [
        {
            **values,
            "local_number": number,
            "state": ContractState.REGISTERED.value,
            "taxonomy_version": 2021,
            "version": 1,
            "created_by": actor.person_id,
            "created_at": now,
            "updated_at": now,
        }
        for values, number in zip(contracts, _numbers(session, contracts), strict=True)
    ]
    table = t(Contract)
    statement = sa.insert(table).returning(table.c.id, sort_by_parameter_order=True)
    ids = list(session.scalars(statement, rows))
    session.execute(
        sa.insert(t(ContractEvent)),
        [
            event
            for contract_id, row in zip(ids, rows, strict=True)
            for event in _events(actor, now, contract_id, row, reason)
        ],
    )
    audit.record_new(
        session,
        actor,
        "contract.entered",
        now,
        zip(ids, map(recording.told, rows), strict=True),
        reason or None,
    )
    entered = [SimpleNamespace(id=one, **row) for one, row in zip(ids, rows, strict=True)]
    movements.record_registered(session, now, cast("list[Contract]", entered))
    key = f"{ids[0]}-{ids[-1]}"
    recording.leave_news(session, now, key, ids)
    work.enqueue(session, recording.ENTERED, {"contract_ids": ids}, key=key, now=now)
    return ids


def _numbers(session: Session, contracts: Sequence[Mapping[str, Any]]) -> list[str]:
    years = [values["registered_on"].year for values in contracts]
    # In the order of years: two imports at once take the locks of years in the same order.
    given = {
        year: iter(recording.next_numbers(session, year, len(list(same))))
        for year, same in itertools.groupby(sorted(years))
    }
    return [next(given[year]) for year in years]


def _events(
    actor: Actor, now: dt.datetime, contract_id: int, row: Mapping[str, Any], reason: str
) -> list[dict[str, Any]]:
    steps = (
        (Step.REGISTER.value, start_of_local_day(row["registered_on"]), ContractState.ACCEPTED, ""),
        ("enter", now, ContractState.REGISTERED, reason),
    )
    return [
        {
            "contract_id": contract_id,
            "at": at,
            "step": step,
            "state_before": before.value,
            "state_after": ContractState.REGISTERED.value,
            "actor_id": actor.person_id,
            "actor_name": actor.name,
            "reason": why,
            "deal_fen_before": row["deal_fen"],
            "deal_fen_after": row["deal_fen"],
            "technology_fen_before": row["technology_fen"],
            "technology_fen_after": row["technology_fen"],
        }
        for step, at, before, why in steps
    ]
