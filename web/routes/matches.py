"""What people say of a proposed pair: 相关 or 不相关, and taking it back."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from market.db import Session
from market.errors import NotFound, SignInRequired
from matching import judgments
from web.deps import FormDep, PageDep
from web.forms import Form
from web.render import Page
from web.routes.listing_pages import back_of

router = APIRouter()

LEVELS = {"relevant": judgments.RELATED, "unrelated": judgments.UNRELATED, "none": None}


def _row_id(form: Form, name: str) -> int:
    """Raises NotFound for what names no row: such a form is not ours."""
    value = form.value(name)
    if not value.isdecimal() or not 0 < int(value[:20]) < 2**63:
        raise NotFound(kind="demand")
    return int(value)


@router.get("/matches/judge")
def return_to_demands(page: PageDep) -> Response:
    """Where somebody arrives who had to sign in again before judging."""
    return page.redirect("/demands")


@router.post("/matches/judge")
def judge_pair(page: PageDep, form: FormDep) -> Response:
    """Keep one's word on a pair; the listing's partners are put in order by it at once."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    word = form.value("word")
    if word not in LEVELS:
        raise NotFound(kind="demand")
    demand_id, result_id = _row_id(form, "demand_id"), _row_id(form, "result_id")
    back = back_of(form, f"/demands/{demand_id}#partners")

    def action(session: Session) -> str:
        judgments.click(session, page.actor, page.now, demand_id, result_id, LEVELS[word])
        return back

    def again(_refused: Form) -> Response:
        return Page.redirect(page, back)

    return page.submit(form, action, again, flash=f"judged_{word}")
