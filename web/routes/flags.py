"""Pages of flags on contracts, for those who keep the register: what is open by kind, one flag, closing it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.deals.policies import Policy
from market.errors import Conflict, WrongState
from market.permissions import Action, require
from market.scrutiny import flag_queries, flag_rules, flags
from market.scrutiny.flag_queries import FlagView
from market.scrutiny.models import FlagKind
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.render import Page

router = APIRouter()


@dataclass(frozen=True)
class ListPage:
    """Context of the list. `counts` are of the flags shown: the open ones, or those closed."""

    items: list[FlagView]
    total: int
    current_page: int
    pages: int
    kind: FlagKind | None
    closed: bool
    counts: dict[FlagKind, int]
    policies: list[Policy]


@router.get("/flags")
def list_flags(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """Open flags, or closed ones, of every kind or of one."""
    require(page.actor, Action.CONTRACT_REGISTER)
    query = page.request.query_params
    named, closed = query.get("kind", ""), query.get("show") == "closed"
    kind = FlagKind(named) if named in set(FlagKind) else None
    items, total = flag_queries.flags(
        session, page.actor, kind=kind, closed=closed, limit=paging.per_page, offset=paging.offset
    )
    context = ListPage(
        items=items,
        total=total,
        current_page=paging.page,
        pages=-(-total // paging.per_page),
        kind=kind,
        closed=closed,
        counts=flag_queries.counts(session, closed=closed),
        policies=_policies(session, page, kind) if kind else [],
    )
    return page.render("flags/list.html", context)


def _policies(session: Session, page: Page, kind: FlagKind) -> list[Policy]:
    """The rows that a rule reads, as they are today."""
    known = flags.in_force(session, local_date(page.now))
    return [known[name] for name in flag_rules.POLICIES[kind] if name in known]


@dataclass(frozen=True)
class FlagPage:
    """Context of one flag."""

    flag: FlagView
    policies: list[Policy]
    form: Form
    stale: bool
    """The flag has changed since the form was read."""


def _show(page: Page, flag_id: int, form: Form | None = None, *, stale: bool = False) -> Response:
    with page.parts.db.read() as session:
        found = flag_queries.flag(session, page.actor, flag_id)
        policies = _policies(session, page, found.kind)
    return page.render("flags/show.html", FlagPage(found, policies, form or Form(), stale))


@router.get("/flags/{flag_id}")
def show_flag(page: PageDep, flag_id: RowId) -> Response:
    """One flag: what was found, by which thresholds, and the contracts side by side."""
    return _show(page, flag_id)


@router.post("/flags/{flag_id}/close")
def close_flag(page: PageDep, form: FormDep, flag_id: RowId) -> Response:
    """Close a flag with what the review found."""
    version = form.value("version")

    def action(session: Session) -> str:
        seen = int(version) if re.fullmatch(r"[0-9]{1,9}", version) else None
        flags.close(session, page.actor, page.now, flag_id, form.value("reason"), version=seen)
        return "/flags"

    try:
        return page.submit(form, action, lambda form: _show(page, flag_id, form), flash="flag_closed")
    except (Conflict, WrongState):
        answer = _show(page, flag_id, form, stale=True)
        answer.status_code = 409
        return answer
