"""Attachments: opened by those who may, removed by those who may edit the thing they belong to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import BinaryIO
from urllib.parse import quote

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.responses import Response, StreamingResponse

from market.db import Session
from market.demands.models import Demand
from market.demands.service import DEMAND
from market.errors import NotFound, Unavailable
from market.files import queries
from market.files.queries import FileView
from market.files.rules import INLINE, FileEmpty, FileTooLarge
from market.files.store import FileStore
from market.listings import attachments
from market.listings.lifecycle import Trade
from market.listings.models import Result
from market.listings.service import RESULT
from market.permissions import Actor
from web.deps import FormDep, PageDep, ReadTx, RowId

router = APIRouter()

TRADES: dict[str, tuple[Trade, type]] = {"result": (RESULT, Result), "demand": (DEMAND, Demand)}

Reader = Callable[[Session, Actor, FileView], bool]
READERS: dict[str, Reader] = {}
"""Who may open the files of things other than listings: owner kind → decision. A feature adds its own
where it is routed (`READERS["contract"] = …`); a kind that nobody answers for is opened by nobody."""

Remover = Callable[[Session, Actor, dt.datetime, FileView], None]
REMOVERS: dict[str, Remover] = {}
"""How the files of such things are taken away, asking for the right to; a kind not here keeps its files."""

BLOCK = 64 * 1024


def read_upload(file: UploadFile | None, limit: int) -> tuple[str, bytes]:
    """The name and bytes of an upload. Raises FileEmpty for none, FileTooLarge beyond `limit` bytes without
    reading the rest."""
    if file is None:
        raise FileEmpty(field="file")
    content = file.file.read(limit + 1)
    if len(content) > limit:
        raise FileTooLarge(field="file", limit_mb=limit // (1024 * 1024))
    return file.filename or "", content


def file_for(session: Session, actor: Actor, attachment_id: int) -> FileView:
    """A file that the actor may open. Raises NotFound, also for one they may not know of."""
    file = queries.one(session, attachment_id)
    if file.owner_kind in TRADES:
        trade, model = TRADES[file.owner_kind]
        allowed = attachments.may_open(session, actor, trade, model, file)
    else:
        reader = READERS.get(file.owner_kind)
        allowed = reader is not None and reader(session, actor, file)
    if not allowed:
        raise NotFound(kind="attachment")
    return file


def disposition(name: str, *, inline: bool) -> str:
    """A Content-Disposition that keeps the name in any language (RFC 6266, RFC 8187)."""
    plain = "".join(c if 32 <= ord(c) < 127 and c not in '"\\%' else "_" for c in name)
    return f"{'inline' if inline else 'attachment'}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def content(file: FileView, store: FileStore) -> Response:
    """A file's bytes. Only what browsers show safely is shown in place; nothing in it may run or load."""
    try:
        handle = store.open(file.sha256)
    except FileNotFoundError:
        raise Unavailable from None
    headers = {
        "Content-Disposition": disposition(file.name, inline=file.media_type in INLINE),
        "Content-Length": str(file.size),
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{file.sha256}"',
    }
    if file.media_type != "application/pdf":
        # Browsers' own PDF viewers do not open in a sandbox; they run no script of the page's origin.
        headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return StreamingResponse(_blocks(handle), media_type=file.media_type, headers=headers)


def _blocks(handle: BinaryIO) -> Iterator[bytes]:
    with handle:
        while block := handle.read(BLOCK):
            yield block


@router.get("/attachments/{attachment_id}")
def open_attachment(page: PageDep, session: ReadTx, attachment_id: RowId) -> Response:
    """Open or download a file."""
    return content(file_for(session, page.actor, attachment_id), page.parts.files)


@router.post("/attachments/{attachment_id}/remove")
def remove_attachment(page: PageDep, form: FormDep, attachment_id: RowId) -> Response:
    """Take a file away from a listing."""

    def action(session: Session) -> str:
        file = file_for(session, page.actor, attachment_id)
        if file.owner_kind in REMOVERS:
            REMOVERS[file.owner_kind](session, page.actor, page.now, file)
            return f"/{file.owner_kind}s/{file.owner_id}"
        if file.owner_kind not in TRADES:
            raise NotFound(kind="attachment")
        trade, model = TRADES[file.owner_kind]
        attachments.remove(session, page.actor, page.now, trade, model, file)
        return f"/{trade.kind}s/{file.owner_id}/edit#attachments"

    return page.submit(form, action, lambda _form: page.redirect("/my/listings"), flash="file_removed")
