"""One's saved searches, and the link in their mail that stops it without signing in."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.datastructures import QueryParams
from starlette.responses import Response

from market.db import Session
from market.errors import NotFound, SignInRequired
from matching.saved import queries, rules, service
from matching.saved.inputs import SavedSearchChange, SavedSearchInput
from matching.saved.queries import Saved
from web import saved_search_mail, searching
from web.deps import FormDep, PageDep, ReadTx, RowId
from web.forms import Form
from web.render import Page

router = APIRouter()


@dataclass(frozen=True)
class SavedLine:
    """A saved search as its keeper sees it: `said` is what it asks for, in words."""

    saved: Saved
    href: str
    said: list[str]


@dataclass(frozen=True)
class SavedPage:
    """Context of the list. `form` holds a search that could not be saved, with why."""

    lines: list[SavedLine]
    form: Form
    most: int


@dataclass(frozen=True)
class SavedEditPage:
    """Context of the page that changes one."""

    line: SavedLine
    form: Form


@dataclass(frozen=True)
class StopPage:
    """Context of the page behind the link in a mail. `name` is empty once the search is gone."""

    name: str
    stopped: bool


def _lines(session: Session, found: list[Saved], page: Page) -> list[SavedLine]:
    asked = [searching.read(QueryParams(saved.query)) for saved in found]
    names = searching.names(session, page.language, asked)
    return [
        SavedLine(
            saved,
            f"/search?{saved.query}" if saved.query else "/search",
            searching.said(one, names, page.language),
        )
        for saved, one in zip(found, asked, strict=True)
    ]


def _list(page: Page, form: Form) -> Response:
    with page.parts.db.read() as session:
        lines = _lines(session, queries.of_person(session, page.actor), page)
    return page.render("account/searches.html", SavedPage(lines, form, rules.MOST))


@router.get("/account/searches")
def saved_searches(page: PageDep) -> Response:
    """One's saved searches."""
    return _list(page, Form())


@router.post("/account/searches")
def save_search(page: PageDep, form: FormDep) -> Response:
    """Keep a search of the search page."""
    if not page.actor.is_signed_in:
        raise SignInRequired

    def act(session: Session) -> str:
        entered = SavedSearchInput.model_validate(
            {"name": form.value("name"), "query": form.value("query"), "alert": form.has("alert")}
        )
        query = searching.read(QueryParams(entered.query)).canonical
        service.save(session, page.actor, entered.name, query, entered.alert, page.now)
        return "/account/searches"

    return page.submit(form, act, lambda form: _list(page, form), flash="search_saved")


def _edit(page: Page, search_id: int, form: Form | None) -> Response:
    with page.parts.db.read() as session:
        saved = queries.own(session, page.actor, search_id)
        (line,) = _lines(session, [saved], page)
    filled = form or Form.from_values({"name": saved.name, "alert": saved.alert})
    return page.render("account/search.html", SavedEditPage(line, filled))


@router.get("/account/searches/{search_id}")
def edit_search(page: PageDep, search_id: RowId) -> Response:
    """The form of one's saved search."""
    return _edit(page, search_id, None)


@router.post("/account/searches/{search_id}")
def change_search(page: PageDep, form: FormDep, search_id: RowId) -> Response:
    """Rename one, turn its mail on or off."""

    def act(session: Session) -> str:
        entered = {"name": form.value("name"), "alert": form.has("alert")}
        service.change(session, page.actor, search_id, SavedSearchChange.model_validate(entered), page.now)
        return "/account/searches"

    return page.submit(form, act, lambda form: _edit(page, search_id, form), flash="saved")


@router.post("/account/searches/{search_id}/delete")
def delete_search(page: PageDep, search_id: RowId) -> Response:
    """Keep one no longer."""
    with page.parts.db.write() as session:
        service.delete(session, page.actor, search_id)
    return page.redirect("/account/searches", flash="search_deleted")


@router.get("/searches/stop/{token}")
def ask_to_stop(page: PageDep, session: ReadTx, token: str) -> Response:
    """Ask before the mail stops: programs that check the links of a mail open them all."""
    saved = queries.one(session, _named(page, token))
    context = StopPage(saved.name if saved else "", stopped=saved is None or not saved.alert)
    return page.render("search/stop.html", context)


@router.post("/searches/stop/{token}")
def stop(page: PageDep, token: str) -> Response:
    """Stop the mail, also at the click of a mail program's own button (RFC 8058), which follows no redirect."""
    search_id = _named(page, token)
    with page.parts.db.write() as session:
        service.stop_mail(session, search_id)
        saved = queries.one(session, search_id)
    return page.render("search/stop.html", StopPage(saved.name if saved else "", stopped=True))


def _named(page: Page, token: str) -> int:
    search_id = saved_search_mail.search_of(page.parts.settings, token)
    if search_id is None:
        raise NotFound(subject="saved_search")
    return search_id
