"""One's saved searches, as JSON."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from starlette.datastructures import QueryParams

from matching.saved import queries, service
from matching.saved.inputs import SavedSearchChange, SavedSearchInput
from matching.saved.queries import Saved
from web import searching
from web.deps import Now, ReadTx, RowId, SignedIn, Tx
from web.routes.api import problems

router = APIRouter(prefix="/saved-searches", tags=["saved searches"])


class SavedSearchOut(BaseModel):
    """A saved search."""

    id: int
    name: str
    query: str = Field(
        description="Query string of the search page and its feed, in canonical order.",
        examples=["q=pump&kind=result"],
    )
    href: str = Field(description="Path of what it finds now.")
    feed: str = Field(description="Path of its Atom feed.")
    alert: bool = Field(description="Whether new entries are told by mail.")
    created_at: dt.datetime


class SavedSearches(BaseModel):
    """One's saved searches, newest first."""

    items: list[SavedSearchOut]


def _out(saved: Saved) -> SavedSearchOut:
    query = f"?{saved.query}" if saved.query else ""
    return SavedSearchOut(
        id=saved.id,
        name=saved.name,
        query=saved.query,
        href=f"/search{query}",
        feed=f"/search/feed.atom{query}",
        alert=saved.alert,
        created_at=saved.created_at,
    )


@router.get("", responses=problems())
def list_saved(session: ReadTx, actor: SignedIn) -> SavedSearches:
    """One's saved searches, newest first."""
    return SavedSearches(items=[_out(saved) for saved in queries.of_person(session, actor)])


@router.post("", status_code=201, responses=problems(409))
def save_search(
    session: Tx, actor: SignedIn, now: Now, entered: SavedSearchInput, response: Response
) -> SavedSearchOut:
    """Keep a search. The same search is kept once, whatever the order of its parameters."""
    query = searching.read(QueryParams(entered.query)).canonical
    row = service.save(session, actor, entered.name, query, entered.alert, now)
    response.headers["Location"] = f"/api/v1/saved-searches/{row.id}"
    return _out(queries.own(session, actor, row.id or 0))


@router.get("/{search_id}", responses=problems(404))
def get_saved(session: ReadTx, actor: SignedIn, search_id: RowId) -> SavedSearchOut:
    """One of one's saved searches."""
    return _out(queries.own(session, actor, search_id))


@router.put("/{search_id}", responses=problems(404))
def change_saved(
    session: Tx, actor: SignedIn, now: Now, search_id: RowId, entered: SavedSearchChange
) -> SavedSearchOut:
    """Rename one, turn its mail on or off."""
    service.change(session, actor, search_id, entered, now)
    return _out(queries.own(session, actor, search_id))


@router.delete("/{search_id}", status_code=204, responses=problems(404))
def delete_saved(session: Tx, actor: SignedIn, search_id: RowId) -> None:
    """Keep one no longer."""
    service.delete(session, actor, search_id)
