"""What runs beside a contract's steps: the opinions of experts and objections."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import APIRouter
from starlette.responses import Response

from market.db import Session
from market.errors import Conflict, WrongState
from market.permissions import Action, require
from market.scrutiny import objections, opinions
from market.scrutiny.models import ObjectionState
from market.scrutiny.objections import DecisionInput, ObjectionInput, ObjectionView
from market.scrutiny.opinions import OpinionInput
from web import rate
from web.contract_page import detail
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.routes.auth import client_address

router = APIRouter()


@dataclass(frozen=True)
class ObjectionsPage:
    """Context of the officials' list of objections."""

    items: list[tuple[ObjectionView, str, str]]
    total: int
    current_page: int
    pages: int
    state: ObjectionState | None


@router.get("/contracts/objections")
def list_objections(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """The objections, oldest first; those that are open unless another state is asked for."""
    require(page.actor, Action.CONTRACT_REGISTER)
    asked = page.request.query_params.get("state", ObjectionState.OPEN.value)
    state = ObjectionState(asked) if asked in set(ObjectionState) else None
    items, total = objections.register_of(
        session, page.actor, (state,) if state else (), limit=paging.per_page, offset=paging.offset
    )
    context = ObjectionsPage(items, total, paging.page, -(-total // paging.per_page), state)
    return page.render("contracts/objections.html", context)


@router.post("/contracts/{contract_id}/opinions")
def enter_opinion(page: PageDep, form: FormDep, contract_id: RowId) -> Response:
    """Enter what an expert wrote."""

    def action(session: Session) -> str:
        opinions.enter(session, page.actor, page.now, contract_id, form.parse(OpinionInput))
        return f"/contracts/{contract_id}#opinions"

    return page.submit(form, action, lambda form: detail(page, contract_id, opinion=form), flash="saved")


@router.post("/contracts/{contract_id}/objections")
def file_objection(page: PageDep, form: FormDep, contract_id: RowId) -> Response:
    """Object to a registered contract."""
    rate.spend(page.parts, rate.OBJECTIONS, client_address(page))

    def action(session: Session) -> str:
        objections.file(session, page.actor, page.now, contract_id, form.parse(ObjectionInput))
        return f"/contracts/{contract_id}#objections"

    return page.submit(
        form, action, lambda form: detail(page, contract_id, objection=form), flash="contract_objection_filed"
    )


@router.post("/contracts/{contract_id}/objections/{objection_id}/answer")
def answer_objection(page: PageDep, form: FormDep, contract_id: RowId, objection_id: RowId) -> Response:
    """Uphold or reject an objection, with an answer."""
    require(page.actor, Action.CONTRACT_REGISTER)

    def action(session: Session) -> str:
        entered = {name: values for name, values in form.entered.items() if name != "version"}
        data = replace(form, entered=entered).parse(DecisionInput)
        version = form.number("version") or None
        objections.decide(session, page.actor, page.now, contract_id, objection_id, data, version=version)
        return f"/contracts/{contract_id}#objections"

    def again(form: Form) -> Response:
        named = {**form.entered, "objection_id": [str(objection_id)]}
        return detail(page, contract_id, decision=replace(form, entered=named))

    try:
        return page.submit(form, action, again, flash="objection_answered")
    except (Conflict, WrongState):
        answer = again(form)
        answer.status_code = 409
        return answer


@router.post("/contracts/{contract_id}/objections/{objection_id}/withdraw")
def withdraw_objection(page: PageDep, form: FormDep, contract_id: RowId, objection_id: RowId) -> Response:
    """Take one's own objection back."""

    def action(session: Session) -> str:
        objections.withdraw(session, page.actor, page.now, contract_id, objection_id)
        return f"/contracts/{contract_id}#objections"

    return page.submit(form, action, lambda _form: detail(page, contract_id), flash="withdrawn")
