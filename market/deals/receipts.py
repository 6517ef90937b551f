"""Money received under a contract: the ledger of receipts (技术性收入 and the rest), its verbs and its reads.

A receipt is never edited. A mistake is reversed by a receipt of the opposite sign on the same day, with a
reason, so that what a day received is the sum of its rows and the mistake stays to be seen. Parties and
officials enter receipts; what is registered is told to the register's movements.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

import sqlalchemy as sa
from pydantic import Field

from market import audit
from market.clock import local_date
from market.db import Session, for_update, t
from market.deals import movements, price
from market.deals.inputs import Day, Key
from market.deals.models import Contract, ContractState, Receipt
from market.deals.movements import Cause
from market.deals.price import Due
from market.errors import InvalidInput, NotFound, WrongState
from market.files.models import Attachment
from market.inputs import Input, Line, TypedAmount
from market.parties.models import Person
from market.permissions import Action, Actor, reaches, require_party

CONTRACT = "contract"
"""Kind of a contract's attachments."""

_C = ContractState
OPEN_TO_RECEIPTS = frozenset({_C.SUBMITTED, _C.ACCEPTED, _C.SUPPLEMENT, _C.EXPERT_REVIEW, _C.REGISTERED})
"""States in which money may be entered; a mistake is reversed in any."""


class ReceiptInput(Input):
    """Money received."""

    received_on: Day
    fen: Annotated[TypedAmount, Field(gt=0)]
    technology_fen: Annotated[
        TypedAmount | None,
        Field(
            description="The part that pays for technology (技术性收入); left out: the contract's own share of it."
        ),
    ] = None
    note: Annotated[Line, Field(max_length=300)] = ""
    attachment_id: Annotated[Key, Field(description="A file of the contract that proves it.")] | None = None


def technology_part(fen: int, deal_fen: int, technology_fen: int) -> int:
    """The part of a receipt that pays for technology in the contract's own proportion, rounded half up."""
    if deal_fen <= 0:
        return fen
    return (2 * fen * technology_fen + deal_fen) // (2 * deal_fen)


def add(session: Session, actor: Actor, now: dt.datetime, contract_id: int, data: ReceiptInput) -> int:
    """Enter money received; returns the receipt's id.

    Raises NotFound, NotAllowed, WrongState, InvalidInput (a day to come, more technology than money, a file
    that is not the contract's).
    """
    contract = _open_contract(session, actor, contract_id)
    state = ContractState(contract.state)
    if state not in OPEN_TO_RECEIPTS:
        raise WrongState(state=state.value, action="receive")
    today = local_date(now)
    technology = (
        technology_part(data.fen, contract.deal_fen, contract.technology_fen)
        if data.technology_fen is None
        else data.technology_fen
    )
    problems: list[tuple[str, str, dict[str, object]]] = []
    if data.received_on > today:
        problems.append(("received_on", "signed_in_future", {}))
    if technology > data.fen:
        problems.append(("technology_fen", "technology_exceeds_receipt", {}))
    if data.attachment_id is not None and not _is_file_of(session, data.attachment_id, contract_id):
        problems.append(("attachment_id", "unknown_choice", {}))
    if problems:
        raise InvalidInput(problems)
    row = Receipt(
        contract_id=contract_id,
        received_on=data.received_on,
        fen=data.fen,
        technology_fen=technology,
        note=data.note,
        attachment_id=data.attachment_id,
        entered_at=now,
        entered_by=actor.person_id,
    )
    _keep(session, actor, now, contract, row, Cause.RECEIPT, "")
    assert row.id is not None
    return row.id


def reverse(
    session: Session, actor: Actor, now: dt.datetime, contract_id: int, receipt_id: int, reason: str
) -> int:
    """Take a receipt back by one of the opposite sign on its day; returns the id of that one.

    Raises NotFound, NotAllowed, InvalidInput (no reason), WrongState (it is a reversal itself, or is
    reversed already).
    """
    contract = _open_contract(session, actor, contract_id)
    receipt = session.get(Receipt, receipt_id)
    if receipt is None or receipt.contract_id != contract_id:
        raise NotFound
    reason = reason.strip()
    if not reason:
        raise InvalidInput([("reason", "missing", {})])
    if len(reason) > 300:
        raise InvalidInput([("reason", "string_too_long", {"max_length": 300})])
    if receipt.reverses_id is not None:
        raise WrongState(state="reversal", action="reverse")
    r = t(Receipt).c
    if session.scalar(sa.select(r.id).where(r.reverses_id == receipt_id)) is not None:
        raise WrongState(state="reversed", action="reverse")
    row = Receipt(
        contract_id=contract_id,
        received_on=receipt.received_on,
        fen=-receipt.fen,
        technology_fen=-receipt.technology_fen,
        note=reason,
        reverses_id=receipt_id,
        entered_at=now,
        entered_by=actor.person_id,
    )
    _keep(session, actor, now, contract, row, Cause.REVERSE, reason)
    assert row.id is not None
    return row.id


def _open_contract(session: Session, actor: Actor, contract_id: int) -> Contract:
    # The row's lock puts two receipts, or a receipt and a step, one after the other.
    contract = session.scalars(
        for_update(sa.select(Contract).where(t(Contract).c.id == contract_id), session)
    ).one_or_none()
    if contract is None or not reaches(actor, Action.CONTRACT_READ, contract.seller_id, contract.buyer_id):
        raise NotFound
    require_party(actor, Action.CONTRACT_EDIT, contract.seller_id, contract.buyer_id)
    return contract


def _keep(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    contract: Contract,
    row: Receipt,
    cause: Cause,
    reason: str,
) -> None:
    assert contract.id is not None
    session.add(row)
    session.flush()
    audit.record(
        session, actor, f"contract.{'receipt_added' if cause is Cause.RECEIPT else 'receipt_reversed'}",
        contract.id, now, reason=reason or None,
        after={
            "receipt_id": row.id, "received_on": row.received_on, "fen": row.fen,
            "technology_fen": row.technology_fen, "note": row.note, "reverses_id": row.reverses_id,
        },
    )  # fmt: skip
    movements.record(session, now, contract, cause, local_date(now))


def _is_file_of(session: Session, attachment_id: int, contract_id: int) -> bool:
    a = t(Attachment).c
    found = session.scalar(
        sa.select(a.id).where(
            a.id == attachment_id,
            a.owner_kind == CONTRACT,
            a.owner_id == contract_id,
            a.removed_at.is_(None),
        )
    )
    return found is not None


@dataclass(frozen=True)
class ReceiptView:
    """A row of the ledger. `reversed_by` names the row that took it back."""

    id: int
    received_on: dt.date
    fen: int
    technology_fen: int
    note: str
    attachment_id: int | None
    reverses_id: int | None
    entered_at: dt.datetime
    entered_by: str | None
    reversed_by: int | None = None

    @property
    def may_be_reversed(self) -> bool:
        """Whether it stands."""
        return self.reverses_id is None and self.reversed_by is None


@dataclass(frozen=True)
class Ledger:
    """What was received under a contract and what is due; amounts in fen."""

    rows: tuple[ReceiptView, ...]
    due: tuple[Due, ...]

    @property
    def received_fen(self) -> int:
        """All money received, reversals taken off."""
        return sum(row.fen for row in self.rows)

    @property
    def technology_fen(self) -> int:
        """技术性收入 so far."""
        return sum(row.technology_fen for row in self.rows)

    @property
    def late_fen(self) -> int:
        """What fell due and has not come."""
        return sum(one.open_fen for one in self.due if one.late)


def ledger(
    session: Session, contract_id: int, instalments: tuple[price.Instalment, ...], today: dt.date
) -> Ledger:
    """The ledger of a contract that the asker may read in detail. One statement."""
    r, p = t(Receipt).c, t(Person).c
    found = session.execute(
        sa.select(
            r.id, r.received_on, r.fen, r.technology_fen, r.note, r.attachment_id, r.reverses_id,
            r.entered_at, p.name,
        )
        .select_from(t(Receipt).outerjoin(t(Person), r.entered_by == p.id))
        .where(r.contract_id == contract_id)
        .order_by(r.received_on, r.id)
    ).all()  # fmt: skip
    backs = {row.reverses_id: row.id for row in found if row.reverses_id is not None}
    rows = tuple(ReceiptView(*row, reversed_by=backs.get(row.id)) for row in found)
    received = sum(row.fen for row in rows)
    return Ledger(rows, tuple(price.schedule(instalments, received, today)))
