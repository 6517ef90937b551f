"""Documents of a lot: added and removed by seller and staff, opened by those who may, marked when new."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.responses import Response

from auctions import papers
from market.db import Session
from market.errors import InvalidInput
from market.files.models import Visibility
from web.deps import FormDep, PageDep, RowId
from web.routes import attachments
from web.routes.attachments import read_upload
from web.routes.lots import room_page

router = APIRouter()

attachments.READERS[papers.KIND] = papers.may_open
attachments.REMOVERS[papers.KIND] = papers.remove


@router.post("/lots/{lot_id}/attachments")
def add_document(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Add one or more files to a lot."""
    limit = page.parts.settings.max_upload_mb * 1024 * 1024

    def action(session: Session) -> str:
        try:
            visibility = Visibility(form.value("visibility") or Visibility.PUBLIC.value)
        except ValueError:
            choices = ", ".join(papers.VISIBILITIES)
            raise InvalidInput([("visibility", "unknown_choice", {"choices": choices})]) from None
        files: list[UploadFile | None] = [*form.files.get("file", ())] or [None]
        for file in files:
            name, content = read_upload(file, limit)
            papers.attach(
                session, page.actor, page.now, page.parts.files, lot_id,
                name=name, content=content, visibility=visibility, limit=limit,
            )  # fmt: skip
        return f"/lots/{lot_id}#documents"

    return page.submit(form, action, lambda form: room_page(page, lot_id, form=form), flash="document_added")


@router.post("/lots/{lot_id}/looks")
def record_look(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Record that the reader has looked at the documents; the page's script asks with `quiet`."""

    def action(session: Session) -> str:
        papers.look(session, page.actor, lot_id, page.now)
        return f"/lots/{lot_id}#documents"

    if form.has("quiet"):
        with page.parts.db.write() as session:
            action(session)
        return Response(status_code=204)
    return page.submit(form, action, lambda form: room_page(page, lot_id, form=form), flash="documents_seen")
