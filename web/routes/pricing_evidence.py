"""How the price of one contract came about, on a page and as a bundle of evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from market.pricing.evidence import Evidence, gather
from web import evidence_bundle
from web.deps import PageDep, RowId
from web.routes.attachments import disposition

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
    made = evidence_bundle.make(found, page.parts.files, page.parts.settings, page.now, page.language)
    headers = {
        "Content-Disposition": disposition(f"{found.contract.local_number}.zip", inline=False),
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(_blocks(made), media_type="application/zip", headers=headers)


def _blocks(made: IO[bytes]) -> Iterator[bytes]:
    with made:
        while block := made.read(evidence_bundle.BLOCK):
            yield block
