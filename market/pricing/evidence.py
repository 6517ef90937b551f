"""Everything that shows how one deal came about, gathered for those who may see it: the contract with its
events and files, price notices with objections, priority rights, splits, trials and flags.

The buyer sees the priority rights named for this contract and no split; flags are for those who register.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from market.db import Session, t
from market.deals import queries as deals
from market.deals.evidence import Proof, proofs
from market.deals.queries import ContractDetail
from market.errors import NotAllowed, SignInRequired
from market.files.models import Attachment, Visibility
from market.files.queries import FileView
from market.permissions import Action, Actor, can, reaches
from market.pricing import priority, queries, splits, trials
from market.pricing.priority import RightView
from market.pricing.queries import NoticeDetail
from market.pricing.splits import SplitView
from market.pricing.trials import TrialView
from market.scrutiny.models import ContractFlag, FlagKind


@dataclass(frozen=True)
class FlagLine:
    """Something that a reviewer looked at, and what came of it."""

    kind: FlagKind
    raised_at: dt.datetime
    closed_at: dt.datetime | None
    reason: str


@dataclass(frozen=True)
class Evidence:
    """How a deal came about, as far as the reader may know."""

    contract: ContractDetail
    files: tuple[Proof, ...]
    notices: tuple[NoticeDetail, ...]
    rights: tuple[RightView, ...]
    papers: dict[int, FileView]
    """Papers that answers of rights came on, by right."""
    splits: tuple[SplitView, ...]
    trials: tuple[TrialView, ...]
    flags: tuple[FlagLine, ...]
    sees_splits: bool


def gather(session: Session, actor: Actor, contract_id: int) -> Evidence:
    """The evidence of a contract. Raises NotFound for one that the actor may not know of, SignInRequired and
    NotAllowed for those who may see it without its detail."""
    contract = deals.contract(session, actor, contract_id)
    if not contract.detail:
        if not actor.is_signed_in:
            raise SignInRequired(action=Action.CONTRACT_READ.value)
        raise NotAllowed(action=Action.CONTRACT_READ.value)
    sellers = reaches(actor, Action.CONTRACT_READ, contract.seller_id)
    rights = [
        one
        for one in priority.rights_of(session, contract_id=contract_id)
        if sellers or one.contract_id == contract_id
    ]
    return Evidence(
        contract=contract,
        files=tuple(proofs(session, actor, contract_id)),
        notices=tuple(
            queries.notice(session, actor, one.id)
            for one in queries.notices_of(session, actor, contract_id=contract_id)
        ),
        rights=tuple(rights),
        papers=_papers(session, rights),
        splits=tuple(splits.splits_of(session, contract_id)) if sellers else (),
        trials=tuple(trials.trials(session, actor, contract_id=contract_id, limit=20)[0]),
        flags=_flags(session, actor, contract_id),
        sees_splits=sellers,
    )


def _papers(session: Session, rights: list[RightView]) -> dict[int, FileView]:
    by_file = {one.attachment_id: one.id for one in rights if one.attachment_id is not None}
    c = t(Attachment).c
    rows = session.execute(
        sa.select(*(c[name] for name in FileView.__dataclass_fields__))
        .where(c.id.in_(by_file), c.removed_at.is_(None))
        .order_by(c.id)
    ).mappings()
    return {
        by_file[row["id"]]: FileView(**{**row, "visibility": Visibility(row["visibility"])}) for row in rows
    }


def _flags(session: Session, actor: Actor, contract_id: int) -> tuple[FlagLine, ...]:
    if not can(actor, Action.CONTRACT_REGISTER):
        return ()
    c = t(ContractFlag).c
    rows = session.execute(
        sa.select(c.kind, c.raised_at, c.closed_at, c.reason)
        .where(c.contract_id == contract_id)
        .order_by(c.id)
    )
    return tuple(FlagLine(FlagKind(row.kind), row.raised_at, row.closed_at, row.reason) for row in rows)
