"""What is kept with a contract, over the API: money received and the files that prove it."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from market.clock import local_date
from market.db import Session
from market.deals import evidence, price, queries, receipts
from market.deals.models import EvidenceKind
from market.deals.receipts import ReceiptInput
from market.errors import NotFound
from market.inputs import Input, Line
from market.permissions import Actor
from web.deps import CurrentActor, Now, PartsDep, ReadTx, RowId, SignedIn, Tx
from web.routes.api import problems
from web.routes.attachments import read_upload

router = APIRouter(prefix="/contracts/{contract_id}", tags=["contracts"])


class ReceiptOut(BaseModel):
    """A row of the ledger."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    received_on: dt.date
    fen: int = Field(description="Negative where it reverses another.")
    technology_fen: int = Field(description="技术性收入, fen.")
    note: str
    attachment_id: int | None
    reverses_id: int | None
    reversed_by: int | None
    entered_at: dt.datetime


class DueOut(BaseModel):
    """An instalment; receipts pay the earliest first."""

    model_config = ConfigDict(from_attributes=True)
    due_on: dt.date
    fen: int
    condition: str
    received_fen: int
    late: bool


class LedgerOut(BaseModel):
    """Money received under a contract and what is due."""

    model_config = ConfigDict(from_attributes=True)
    items: list[ReceiptOut]
    due: list[DueOut]
    received_fen: int
    technology_fen: int
    late_fen: int = Field(description="What fell due and has not come.")


class ReversalInput(Input):
    """Why a receipt is taken back."""

    reason: Annotated[Line, Field(min_length=1, max_length=300)]


class EvidenceOut(BaseModel):
    """A file and what it proves."""

    attachment_id: int
    kind: EvidenceKind
    name: str
    size: int
    sha256: str


class EvidenceList(BaseModel):
    """The files of a contract and the kinds of evidence that are asked for and not there."""

    items: list[EvidenceOut]
    missing: list[EvidenceKind]


def _readable(session: Session, actor: Actor, contract_id: int) -> queries.ContractDetail:
    found = queries.contract(session, actor, contract_id)
    if not found.detail:
        raise NotFound
    return found


def _ledger(session: Session, actor: Actor, now: dt.datetime, contract_id: int) -> LedgerOut:
    found = _readable(session, actor, contract_id)
    kept = receipts.ledger(session, contract_id, price.instalments_of(found.instalments), local_date(now))
    return LedgerOut(
        items=[ReceiptOut.model_validate(row) for row in kept.rows],
        due=[DueOut.model_validate(one) for one in kept.due],
        received_fen=kept.received_fen,
        technology_fen=kept.technology_fen,
        late_fen=kept.late_fen,
    )


@router.get("/receipts", responses=problems(404))
def list_receipts(session: ReadTx, actor: CurrentActor, now: Now, contract_id: RowId) -> LedgerOut:
    """Money received under a contract and its instalments, for its parties and officials."""
    return _ledger(session, actor, now, contract_id)


@router.post("/receipts", status_code=201, responses=problems(404, 409))
def add_receipt(session: Tx, actor: SignedIn, now: Now, contract_id: RowId, data: ReceiptInput) -> LedgerOut:
    """Enter money received. A receipt is never changed; see `reverse`."""
    receipts.add(session, actor, now, contract_id, data)
    session.flush()
    return _ledger(session, actor, now, contract_id)


@router.post("/receipts/{receipt_id}/reverse", status_code=201, responses=problems(404, 409))
def reverse_receipt(
    session: Tx, actor: SignedIn, now: Now, contract_id: RowId, receipt_id: RowId, data: ReversalInput
) -> LedgerOut:
    """Take a receipt back by one of the opposite sign on the same day."""
    receipts.reverse(session, actor, now, contract_id, receipt_id, data.reason)
    session.flush()
    return _ledger(session, actor, now, contract_id)


def _evidence(session: Session, actor: Actor, contract_id: int) -> EvidenceList:
    found = _readable(session, actor, contract_id)
    proofs = evidence.proofs(session, actor, contract_id)
    lacking = evidence.missing(
        {one.kind for one in proofs}, has_ip=bool(found.ip), has_deductions=bool(found.deductions)
    )
    return EvidenceList(
        items=[
            EvidenceOut(
                attachment_id=one.file.id,
                kind=one.kind,
                name=one.file.name,
                size=one.file.size,
                sha256=one.file.sha256,
            )
            for one in proofs
        ],
        missing=[one.kind for one in lacking],
    )


@router.get("/attachments", responses=problems(404))
def list_evidence(session: ReadTx, actor: CurrentActor, contract_id: RowId) -> EvidenceList:
    """The files that prove a contract, for its parties and officials."""
    return _evidence(session, actor, contract_id)


@router.post("/attachments", status_code=201, responses=problems(400, 404, 409, 413, 415))
def add_evidence(
    session: Tx,
    actor: SignedIn,
    now: Now,
    parts: PartsDep,
    contract_id: RowId,
    file: Annotated[
        UploadFile, File(description="PDF, PNG, JPEG, WebP, or an Office document without macros.")
    ],
    kind: Annotated[EvidenceKind, Form(description="What it proves.")] = EvidenceKind.OTHER,
) -> EvidenceList:
    """Keep a file with a contract."""
    limit = parts.settings.max_upload_mb * 1024 * 1024
    name, content = read_upload(file, limit)
    evidence.attach(
        session, actor, now, parts.files, contract_id, kind=kind, name=name, content=content, limit=limit
    )
    return _evidence(session, actor, contract_id)
