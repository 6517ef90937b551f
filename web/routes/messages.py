"""Messages from payment services as staff see them, and asking again when some were lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from market.payments import replaying
from market.payments.replaying import Message
from web.deps import PageDep, PagingDep, ReadTx
from web.routes.admin import Tab, tabs

router = APIRouter()
Name = Annotated[str, Path(max_length=255)]


@dataclass(frozen=True)
class MessagesPage:
    """Context of the messages. `unsettled` counts the payments that are not over."""

    tabs: list[Tab]
    items: list[Message]
    waiting_only: bool
    waiting: int
    unsettled: int
    total: int
    current_page: int
    pages: int


@router.get("/admin/messages")
def show_messages(page: PageDep, session: ReadTx, paging: PagingDep, state: str = "all") -> Response:
    """What payment services told this market, newest first."""
    only = state == "waiting"
    items, total, waiting = replaying.messages(
        session, page.actor, waiting=only, offset=paging.offset, limit=paging.per_page
    )
    context = MessagesPage(
        tabs=tabs(page),
        items=items,
        waiting_only=only,
        waiting=waiting,
        unsettled=len(replaying.unsettled(session)),
        total=total,
        current_page=paging.page,
        pages=-(-total // paging.per_page),
    )
    return page.render("admin/messages.html", context)


@router.post("/admin/messages/ask")
def ask_all(page: PageDep) -> Response:
    """Ask about every unsettled payment; the worker does it."""
    with page.parts.db.write() as session:
        replaying.pursue_unsettled(session, page.actor, page.now)
    return page.redirect("/admin/messages", flash="payments_asked")


@router.post("/admin/messages/{source}/{external_id}/again")
def handle_again(page: PageDep, source: Name, external_id: Name) -> Response:
    """Handle one message again."""
    with page.parts.db.write() as session:
        replaying.handle_again(session, page.actor, page.now, source, external_id)
    return page.redirect("/admin/messages", flash="retried")
