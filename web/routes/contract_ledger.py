"""What is kept with a contract: the money received under it, and the files that prove it."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter
from starlette.responses import Response

from market.db import Session
from market.deals import evidence, receipts
from market.deals.models import EvidenceKind
from market.deals.receipts import ReceiptInput
from market.errors import InvalidInput
from web.contract_page import detail
from web.deps import FormDep, PageDep, RowId
from web.forms import Form
from web.routes import attachments
from web.routes.attachments import read_upload

router = APIRouter()

attachments.READERS[receipts.CONTRACT] = evidence.may_open
attachments.REMOVERS[receipts.CONTRACT] = evidence.remove


@router.post("/contracts/{contract_id}/receipts")
def add_receipt(page: PageDep, form: FormDep, contract_id: RowId) -> Response:
    """Enter money received."""

    def action(session: Session) -> str:
        receipts.add(session, page.actor, page.now, contract_id, form.parse(ReceiptInput))
        return f"/contracts/{contract_id}#receipts"

    return page.submit(
        form, action, lambda form: detail(page, contract_id, receipt=form), flash="receipt_added"
    )


@router.post("/contracts/{contract_id}/receipts/{receipt_id}/reverse")
def reverse_receipt(page: PageDep, form: FormDep, contract_id: RowId, receipt_id: RowId) -> Response:
    """Take a receipt back, with a reason."""

    def action(session: Session) -> str:
        receipts.reverse(session, page.actor, page.now, contract_id, receipt_id, form.value("reason"))
        return f"/contracts/{contract_id}#receipts"

    def again(form_again: Form) -> Response:
        named = {**form_again.entered, "receipt_id": [str(receipt_id)]}
        return detail(page, contract_id, reversal=replace(form_again, entered=named))

    return page.submit(form, action, again, flash="receipt_reversed")


@router.post("/contracts/{contract_id}/attachments")
def add_evidence(page: PageDep, form: FormDep, contract_id: RowId) -> Response:
    """Keep a file with a contract."""
    limit = page.parts.settings.max_upload_mb * 1024 * 1024

    def action(session: Session) -> str:
        kind = form.value("evidence_kind")
        if kind not in set(EvidenceKind):
            raise InvalidInput([("evidence_kind", "unknown_choice" if kind else "missing", {})])
        name, content = read_upload(next(iter(form.files.get("file", ())), None), limit)
        evidence.attach(
            session, page.actor, page.now, page.parts.files, contract_id,
            kind=EvidenceKind(kind), name=name, content=content, limit=limit,
        )  # fmt: skip
        return f"/contracts/{contract_id}#evidence"

    return page.submit(form, action, lambda form: detail(page, contract_id, file=form), flash="file_attached")
