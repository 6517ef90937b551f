"""How the price of one contract came about, on a page and as a bundle of evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from auctions import queries as lots
from auctions import receipts
from market.db import Session
from market.errors import NotFound
from market.permissions import Action
from market.pricing.evidence import Evidence, gather
from web import confirmations, evidence_bundle
from web.deps import PageDep, RowId
from web.evidence_bundle import Made
from web.render import Page
from web.routes.attachments import disposition
from web.routes.lots import may_have_confirmation

router = APIRouter()


@dataclass(frozen=True)
class EvidencePage:
    """Context of the page."""

    evidence: Evidence


@router.get("/contracts/{contract_id}/pricing")
def show_evidence(page: PageDep, contract_id: RowId) -> Response:
    """How the price came about, for the parties and those who keep the register."""
    with page.parts.db.read() as session:
        found = gather(session, page.actor, contract_id)
    return page.render("pricing/contract.html", EvidencePage(found))


@router.get("/contracts/{contract_id}/evidence.zip")
def download_evidence(page: PageDep, contract_id: RowId) -> Response:
    """The evidence as a ZIP."""
    with page.parts.db.read() as session:
        found = gather(session, page.actor, contract_id)
        made = _confirmation(page, session, found.contract.source_lot_id)
    archive = evidence_bundle.make(
        found, made, page.parts.files, page.parts.settings, page.now, page.language
    )
    headers = {
        "Content-Disposition": disposition(f"{found.contract.local_number}.zip", inline=False),
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(_blocks(archive), media_type="application/zip", headers=headers)


def _confirmation(page: Page, session: Session, lot_id: int | None) -> list[Made]:
    """The confirmation of sale of the lot that the contract came from, for those who may have it."""
    if lot_id is None:
        return []
    try:
        lot = lots.lot_detail(session, lot_id)
        facts = confirmations.read(session, lot)
    except NotFound:
        return []
    if not (may_have_confirmation(page.actor, lot) or page.actor.can(Action.CONTRACT_REGISTER)):
        return []
    key_id = receipts.key_id(page.parts.signer.public_key)
    pdf = confirmations.make(facts, page.parts.settings, key_id, page.language)
    return [(f"confirmation-{lot_id}.pdf", "bundle.confirmation", pdf)]


def _blocks(made: IO[bytes]) -> Iterator[bytes]:
    with made:
        while block := made.read(evidence_bundle.BLOCK):
            yield block
