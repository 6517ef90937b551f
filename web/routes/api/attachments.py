"""JSON API of attachments of results and demands."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Self

from fastapi import APIRouter, File, Form, Response, UploadFile
from pydantic import BaseModel, Field

from market.db import Session
from market.demands.models import Demand
from market.demands.service import DEMAND
from market.errors import NotFound
from market.files import queries
from market.files.models import Visibility
from market.files.queries import FileView
from market.listings import attachments
from market.listings.lifecycle import Trade
from market.listings.models import Result
from market.listings.queries import listing_contact_visible, standing
from market.listings.service import RESULT
from market.permissions import Actor
from web.deps import CurrentActor, Now, PartsDep, ReadTx, RowId, SignedIn, Tx
from web.routes import attachments as pages
from web.routes.api import problems
from web.wiring import Parts

router = APIRouter(tags=["attachments"])


class AttachmentOut(BaseModel):
    """A file."""

    id: int = Field(examples=[1])
    name: str = Field(examples=["检测报告.pdf"])
    media_type: str = Field(description="As its content shows.", examples=["application/pdf"])
    size: int = Field(description="Bytes.", examples=[48213])
    sha256: str = Field(description="Digest of its bytes, hexadecimal.")
    visibility: Visibility = Field(description="Who may open it.")
    created_at: dt.datetime = Field(description="UTC.")
    href: str = Field(description="Where its bytes are.", examples=["/api/v1/attachments/1/content"])

    @classmethod
    def of(cls, file: FileView) -> Self:
        """A file as it is answered."""
        return cls(
            id=file.id, name=file.name, media_type=file.media_type, size=file.size, sha256=file.sha256,
            visibility=file.visibility, created_at=file.created_at,
            href=f"/api/v1/attachments/{file.id}/content",
        )  # fmt: skip


class AttachmentList(BaseModel):
    """A thing's attachments that the asker may open, in the order of upload."""

    items: list[AttachmentOut]
    total: int = Field(examples=[1])


Upload = Annotated[
    UploadFile,
    File(
        description="PDF, PNG, JPEG, WebP, or an Office document without macros; its content must agree with "
        "its name."
    ),
]
Who = Annotated[Visibility, Form(description="Who may open it.")]


def _list(
    session: Session, actor: Actor, trade: Trade, model: type[Result] | type[Demand], row_id: int
) -> AttachmentList:
    row = standing(session, actor, trade, model, row_id)
    party = listing_contact_visible(session, actor, trade.kind, row.id, row.organisation_id)
    wanted = queries.openable(actor, row.organisation_id, party=party)
    items = [AttachmentOut.of(file) for file in queries.of(session, trade.kind, row_id, wanted)]
    return AttachmentList(items=items, total=len(items))


def _attach(
    session: Session,
    actor: Actor,
    now: dt.datetime,
    parts: Parts,
    trade: Trade,
    model: type[Result] | type[Demand],
    row_id: int,
    file: UploadFile,
    visibility: Visibility,
) -> AttachmentOut:
    limit = parts.settings.max_upload_mb * 1024 * 1024
    name, content = pages.read_upload(file, limit)
    row = attachments.attach(
        session, actor, now, parts.files, trade, model, row_id,
        name=name, content=content, visibility=visibility, limit=limit,
    )  # fmt: skip
    assert row.id is not None
    return AttachmentOut.of(queries.one(session, row.id))


@router.get("/results/{result_id}/attachments", responses=problems(404))
def list_result_attachments(session: ReadTx, actor: CurrentActor, result_id: RowId) -> AttachmentList:
    """A result's files that the asker may open."""
    return _list(session, actor, RESULT, Result, result_id)


@router.post("/results/{result_id}/attachments", status_code=201, responses=problems(400, 404, 409, 413, 415))
def attach_to_result(
    session: Tx,
    actor: SignedIn,
    now: Now,
    parts: PartsDep,
    result_id: RowId,
    file: Upload,
    visibility: Who = Visibility.PUBLIC,
) -> AttachmentOut:
    """Attach a file to a result."""
    return _attach(session, actor, now, parts, RESULT, Result, result_id, file, visibility)


@router.get("/demands/{demand_id}/attachments", responses=problems(404))
def list_demand_attachments(session: ReadTx, actor: CurrentActor, demand_id: RowId) -> AttachmentList:
    """A demand's files that the asker may open."""
    return _list(session, actor, DEMAND, Demand, demand_id)


@router.post("/demands/{demand_id}/attachments", status_code=201, responses=problems(400, 404, 409, 413, 415))
def attach_to_demand(
    session: Tx,
    actor: SignedIn,
    now: Now,
    parts: PartsDep,
    demand_id: RowId,
    file: Upload,
    visibility: Who = Visibility.PUBLIC,
) -> AttachmentOut:
    """Attach a file to a demand."""
    return _attach(session, actor, now, parts, DEMAND, Demand, demand_id, file, visibility)


@router.get("/attachments/{attachment_id}", responses=problems(404))
def get_attachment(session: ReadTx, actor: CurrentActor, attachment_id: RowId) -> AttachmentOut:
    """A file's name, type and digest."""
    return AttachmentOut.of(pages.file_for(session, actor, attachment_id))


@router.get(
    "/attachments/{attachment_id}/content",
    response_class=Response,
    responses={
        **problems(404, 503),
        200: {
            "description": "The file's bytes, with its name in Content-Disposition.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
    },
)
def get_attachment_content(
    session: ReadTx, actor: CurrentActor, parts: PartsDep, attachment_id: RowId
) -> Response:
    """A file's bytes."""
    return pages.content(pages.file_for(session, actor, attachment_id), parts.files)


@router.delete("/attachments/{attachment_id}", status_code=204, responses=problems(404, 409))
def remove_attachment(session: Tx, actor: SignedIn, now: Now, attachment_id: RowId) -> None:
    """Take a file away from a listing that the asker may edit."""
    file = pages.file_for(session, actor, attachment_id)
    if file.owner_kind not in pages.TRADES:
        raise NotFound(kind="attachment")
    trade, model = pages.TRADES[file.owner_kind]
    attachments.remove(session, actor, now, trade, model, file)
