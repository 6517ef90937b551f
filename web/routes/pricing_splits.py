"""The page on which a seller works out how the income of a contract is shared out, and keeps what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.deals.policies import Policy
from market.errors import InvalidInput
from market.money import yuan
from market.permissions import Action, reaches
from market.pricing import splits
from market.pricing.inputs import SplitInput
from market.pricing.splits import Outcome, ReceiptChoice, SplitView
from web.contract_page import percent
from web.deps import FormDep, PageDep, RowId
from web.errors import field_problems
from web.forms import Form
from web.render import Page

router = APIRouter()
_DEFAULTS = (
    ("award_ppm", "split.award_share", "split.award_share_national"),
    ("main_ppm", "split.main_share", ""),
    ("transfer_ppm", "split.transfer_share", ""),
)


@dataclass(frozen=True)
class SplitsPage:
    """Context of the page. `outcome` is what was worked out and is not kept yet."""

    contract_id: int
    local_number: str
    title: str
    form: Form
    people: list[int]
    receipts: list[ReceiptChoice]
    policies: list[Policy]
    outcome: Outcome | None
    saved: list[SplitView]
    may_save: bool


def _show(page: Page, contract_id: int, form: Form | None = None, outcome: Outcome | None = None) -> Response:
    with page.parts.db.read() as session:
        contract = splits.contract_for(session, page.actor, contract_id)
        rules = splits.rules_for(session, contract.seller_region, local_date(page.now))
        receipts = splits.receipts_of(session, contract_id)
        saved = splits.splits_of(session, contract_id)
    if form is None:
        values: dict[str, object] = {"received_on": local_date(page.now)}
        if receipts:
            values |= {"received_on": receipts[-1].received_on, "income_fen": yuan(receipts[-1].fen)}
        elif contract.deal_fen:
            values["income_fen"] = yuan(contract.deal_fen)
        for name, *policies in _DEFAULTS:
            found = next((rules.rows[one] for one in policies if one in rules.rows), None)
            values[name] = percent(found.value * 100) if found else "0"
        form = Form.from_values(values)
    rows = form.rows("people", at_least=3)
    context = SplitsPage(
        contract_id=contract_id,
        local_number=contract.local_number,
        title=contract.title,
        form=form,
        people=rows,
        receipts=receipts,
        policies=list(rules.rows.values()),
        outcome=outcome,
        saved=saved,
        may_save=reaches(page.actor, Action.CONTRACT_EDIT, contract.seller_id),
    )
    return page.render("pricing/splits.html", context)


@router.get("/contracts/{contract_id}/splits")
def show_splits(page: PageDep, contract_id: RowId) -> Response:
    """The calculator, filled with the least rates in force, and the splits kept so far."""
    return _show(page, contract_id)


def _input(form: Form) -> SplitInput:
    """The form as an input; a row in which nobody is named is no row."""
    blank = {
        name.rsplit(".", 1)[0]
        for name, values in form.entered.items()
        if name.startswith("people.") and name.endswith(".name") and not any(one.strip() for one in values)
    }
    entered = {
        name: values
        for name, values in form.entered.items()
        if name != "keep" and name.rsplit(".", 1)[0] not in blank
    }
    return replace(form, entered=entered).parse(SplitInput)


@router.post("/contracts/{contract_id}/splits")
def work_out_split(page: PageDep, form: FormDep, contract_id: RowId) -> Response:
    """Work a split out, or keep it (`keep`)."""
    if form.has("keep"):

        def action(session: Session) -> str:
            splits.save(session, page.actor, page.now, contract_id, _input(form))
            return f"/contracts/{contract_id}/splits"

        return page.submit(form, action, lambda form: _show(page, contract_id, form), flash="saved")
    try:
        with page.parts.db.read() as session:
            contract = splits.contract_for(session, page.actor, contract_id)
            outcome = splits.work_out(session, contract.seller_region, _input(form))
    except (ValidationError, InvalidInput) as error:
        refused = form.with_problems(field_problems(error, page.language))
        response = _show(page, contract_id, refused)
        response.status_code = 422
        return response
    return _show(page, contract_id, form, outcome)
