"""Synonyms of the search, for staff: groups of words that find each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from market.db import Session
from market.inputs import Line
from market.permissions import Action, require
from matching import synonym_groups
from matching.synonym_groups import Group, GroupInput
from web.deps import FormDep, PageDep, PagingDep, RowId
from web.forms import Form
from web.render import Page
from web.routes.admin import Tab, tabs
from web.searching import storable

router = APIRouter()
PER_PAGE = 50


@dataclass(frozen=True)
class SynonymsPage:
    """Context of the groups. `changing` is the id of the one in the form; 0 for a new one."""

    tabs: list[Tab]
    groups: list[Group]
    total: int
    number: int
    pages: int
    word: str
    changing: int
    form: Form
    most: int


def _page(page: Page, form: Form | None, changing: int = 0, word: str = "", number: int = 1) -> Response:
    with page.parts.db.read() as session:
        groups = synonym_groups.find(session, word)
        chosen = synonym_groups.one(session, changing) if changing else None
    values = (
        {
            "words": "\n".join(chosen.words),
            "note": chosen.note,
            "seen": synonym_groups.stamp(chosen.updated_at),
        }
        if chosen
        else {}
    )
    pages = -(-len(groups) // PER_PAGE)
    number = max(1, min(number, pages))
    context = SynonymsPage(
        tabs=tabs(page),
        groups=groups[(number - 1) * PER_PAGE : number * PER_PAGE],
        total=len(groups),
        number=number,
        pages=pages,
        word=word,
        changing=changing if chosen or form else 0,
        form=form or Form.from_values(values),
        most=synonym_groups.MOST_WORDS,
    )
    return page.render("admin/synonyms.html", context)


@router.get("/admin/synonyms")
def show(
    page: PageDep,
    paging: PagingDep,
    q: Annotated[Line, Query(max_length=80)] = "",
    change: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
) -> Response:
    """The groups, and a form for one of them or a new one."""
    require(page.actor, Action.SYNONYMS_EDIT)
    return _page(page, None, change, q, paging.page)


def _entered(form: Form) -> GroupInput:
    return GroupInput(words=synonym_groups.split(storable(form.value("words"))), note=form.value("note"))


@router.post("/admin/synonyms")
def add(page: PageDep, form: FormDep) -> Response:
    """Make a group."""
    require(page.actor, Action.SYNONYMS_EDIT)

    def act(session: Session) -> str:
        synonym_groups.add(session, page.actor, _entered(form), page.now)
        return "/admin/synonyms"

    return page.submit(form, act, lambda form: _page(page, form), flash="synonyms_saved")


@router.post("/admin/synonyms/{group_id}")
def change(page: PageDep, form: FormDep, group_id: RowId) -> Response:
    """Give a group other words."""
    require(page.actor, Action.SYNONYMS_EDIT)

    def act(session: Session) -> str:
        synonym_groups.change(session, page.actor, group_id, _entered(form), form.value("seen"), page.now)
        return "/admin/synonyms"

    return page.submit(form, act, lambda form: _page(page, form, group_id), flash="synonyms_saved")


@router.post("/admin/synonyms/{group_id}/delete")
def delete(page: PageDep, group_id: RowId) -> Response:
    """Let the words of a group find each other no more."""
    with page.parts.db.write() as session:
        synonym_groups.delete(session, page.actor, group_id, page.now)
    return page.redirect("/admin/synonyms", flash="synonyms_saved")
