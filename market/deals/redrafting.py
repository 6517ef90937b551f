"""A draft contract whose buyer fell away: the next bidder takes its place."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from market import audit
from market.db import Session, for_update, t
from market.deals import recording
from market.deals.models import Contract, ContractState
from market.errors import NotFound, WrongState
from market.permissions import Actor


def put_buyer(
    session: Session, actor: Actor, now: dt.datetime, contract_id: int, *, buyer_id: int, deal_fen: int
) -> None:
    """Make a draft one with another buyer at another price. What the former buyer's people entered about the price
    (deductions, instalments) is dropped with it.

    Raises NotFound, WrongState (no longer a draft).
    """
    statement = sa.select(Contract).where(t(Contract).c.id == contract_id)
    contract = session.scalars(for_update(statement, session)).one_or_none()
    buyer = recording.organisation(session, buyer_id)
    if contract is None or buyer is None:
        raise NotFound
    if contract.state != ContractState.DRAFT:
        raise WrongState(state=contract.state, action="put_buyer")
    before, amounts = recording.audited(contract), (contract.deal_fen, contract.technology_fen)
    for name, value in recording.party_columns("buyer", buyer_id, buyer).items():
        setattr(contract, name, value)
    contract.deal_fen = contract.technology_fen = deal_fen
    contract.deductions, contract.instalments = [], []
    contract.signed_on = contract.effective_on = None
    recording.touch(contract, now)
    recording.add_event(session, actor, now, contract, "edit", ContractState.DRAFT, amounts=amounts)
    audit.record(
        session, actor, "contract.edited", contract_id, now, before=before, after=recording.audited(contract)
    )
    session.flush()
