"""Calibers: every version with its text; officials publish the next one, filled in from the one before."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.permissions import Action, require
from market.statistics import calibers
from market.statistics.inputs import CaliberInput, CountedState
from market.statistics.models import AmendmentRule, AmountMeasure, DatedBy, Side
from web.deps import FormDep, PageDep, ReadTx
from web.forms import Form
from web.render import Page
from web.routes.statistics import asked_for

router = APIRouter()


@dataclass(frozen=True)
class CalibersPage:
    """Context of the calibers."""

    versions: list[calibers.Version]
    form: Form
    measures: list[AmountMeasure]
    sides: list[Side]
    days: list[DatedBy]
    amendments: list[AmendmentRule]
    states: list[CountedState]
    may_manage: bool


def _show(page: Page, session: Session, form: Form | None = None) -> Response:
    found = calibers.versions(session)
    if form is None:
        code = asked_for(page).caliber
        chosen = next((one.caliber for one in found if one.current and one.caliber.code == code), None)
        names = CaliberInput.model_fields
        filled = {name: getattr(chosen, name) for name in names} if chosen else {"states": ["registered"]}
        form = Form.from_values(filled | {"valid_from": local_date(page.now)})
    context = CalibersPage(
        versions=found,
        form=form,
        measures=list(AmountMeasure),
        sides=list(Side),
        days=list(DatedBy),
        amendments=list(AmendmentRule),
        states=list(CountedState),
        may_manage=page.actor.can(Action.STATISTICS_MANAGE),
    )
    return page.render("statistics/calibers.html", context)


@router.get("/statistics/calibers")
def show_calibers(page: PageDep, session: ReadTx) -> Response:
    """Every version; for officials the form of the next, of the caliber that the address names."""
    return _show(page, session)


@router.post("/statistics/calibers")
def publish(page: PageDep, form: FormDep) -> Response:
    """Publish a version."""
    require(page.actor, Action.STATISTICS_MANAGE)

    def action(session: Session) -> str:
        data = form.parse(CaliberInput)
        calibers.publish(session, page.actor, page.now, data)
        return "/statistics/calibers"

    def again(form: Form) -> Response:
        with page.parts.db.read() as session:
            return _show(page, session, form)

    return page.submit(form, action, again, flash="published")
