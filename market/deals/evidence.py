"""Files that prove a contract: kept with it, told apart by what they prove, and what is still missing.

What is asked for is data (`evidence.json`), each with its basis. Nothing missing refuses a step: the official
sees it and decides. A file is taken away while the parties may still change what they wrote; afterwards it stays.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from market.db import Session, t
from market.deals import recording, rules
from market.deals.models import Contract, ContractEvidence, ContractState, EvidenceKind, PolicyStanding
from market.deals.receipts import CONTRACT
from market.errors import NotAllowed, NotFound, WrongState
from market.files import queries as files
from market.files import service as keeping
from market.files.models import Visibility
from market.files.queries import FileView
from market.files.rules import MAX_BYTES
from market.files.store import FileStore
from market.permissions import Action, Actor, reaches, require_party

VISIBLE = (Visibility.PARTIES,)
"""A contract's files are for its parties and for those who keep the register."""


@dataclass(frozen=True)
class Wanted:
    """A kind of evidence that is asked for. `when`: always, if_needed (which people judge), with_ip,
    with_deductions."""

    kind: EvidenceKind
    when: str
    standing: PolicyStanding
    basis: str
    basis_en: str


@functools.cache
def wanted() -> tuple[Wanted, ...]:
    """Every kind that may be asked for, in the order of the form."""
    found = json.loads((Path(__file__).parent / "evidence.json").read_text(encoding="utf-8"))
    return tuple(
        Wanted(
            EvidenceKind(one["kind"]),
            one["when"],
            PolicyStanding(one["standing"]),
            one["basis"],
            one["basis_en"],
        )
        for one in found
    )


def asked_for(*, has_ip: bool, has_deductions: bool) -> list[Wanted]:
    """What a contract must come with; what depends on how it was signed is left to people."""
    facts = {"always": True, "with_ip": has_ip, "with_deductions": has_deductions}
    return [one for one in wanted() if facts.get(one.when, False)]


def missing(present: Collection[EvidenceKind], *, has_ip: bool, has_deductions: bool) -> list[Wanted]:
    """What is asked for and not there."""
    return [one for one in asked_for(has_ip=has_ip, has_deductions=has_deductions) if one.kind not in present]


@dataclass(frozen=True)
class Proof:
    """A file and what it proves."""

    file: FileView
    kind: EvidenceKind


def attach(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    store: FileStore,
    contract_id: int,
    *,
    kind: EvidenceKind,
    name: str,
    content: bytes,
    limit: int = MAX_BYTES,
) -> int:
    """Keep a file with a contract; returns the attachment's id. Parties and officials may, in any state.

    Raises NotFound, NotAllowed and what the files' own service raises.
    """
    contract = recording.locked(session, actor, contract_id, None)
    require_party(actor, Action.CONTRACT_EDIT, contract.seller_id, contract.buyer_id)
    row = keeping.attach(
        session,
        actor,
        now,
        store,
        owner_kind=CONTRACT,
        owner_id=contract_id,
        organisation_id=_keeper(actor, contract),
        name=name,
        content=content,
        visibility=Visibility.PARTIES,
        limit=limit,
    )
    assert row.id is not None
    e = t(ContractEvidence).c
    known = session.scalar(sa.select(e.id).where(e.attachment_id == row.id))
    if known is None:
        session.add(ContractEvidence(contract_id=contract_id, attachment_id=row.id, kind=kind.value))
        session.flush()
    return row.id


def _keeper(actor: Actor, contract: Contract) -> int:
    parties = [one for one in (contract.seller_id, contract.buyer_id) if one is not None]
    mine = [one for one in parties if one in actor.organisation_ids]
    found = mine or parties or sorted(actor.organisation_ids)
    if not found:
        raise NotAllowed(action=Action.CONTRACT_EDIT.value)
    return found[0]


def may_open(session: Session, actor: Actor, file: FileView) -> bool:
    """Whether the actor may open a contract's file: its parties and those who keep the register."""
    c = t(Contract).c
    row = session.execute(sa.select(c.seller_id, c.buyer_id).where(c.id == file.owner_id)).first()
    return row is not None and reaches(actor, Action.CONTRACT_READ, row.seller_id, row.buyer_id)


def remove(session: Session, actor: Actor, now: dt.datetime, file: FileView) -> None:
    """Take a file away while the contract may still be changed. Raises NotFound, NotAllowed, WrongState."""
    contract = recording.locked(session, actor, file.owner_id, None)
    require_party(actor, Action.CONTRACT_EDIT, contract.seller_id, contract.buyer_id)
    state = ContractState(contract.state)
    if state not in rules.EDITABLE:
        raise WrongState(state=state.value, action="remove_file")
    keeping.remove(session, actor, now, file.id)


def proofs(session: Session, actor: Actor, contract_id: int) -> list[Proof]:
    """The files of a contract that the actor may read in detail. Two statements. Raises NotFound."""
    e = t(ContractEvidence).c
    kinds = {
        row.attachment_id: EvidenceKind(row.kind)
        for row in session.execute(sa.select(e.attachment_id, e.kind).where(e.contract_id == contract_id))
    }
    found = files.of(session, CONTRACT, contract_id, VISIBLE)
    if found and not may_open(session, actor, found[0]):
        raise NotFound
    return [Proof(one, kinds.get(one.id, EvidenceKind.OTHER)) for one in found]
