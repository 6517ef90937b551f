"""Pages of the register: the list and the registrar's queue, one contract, its form and its steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.deals import policies, queries, rules, service
from market.deals.inputs import ContractInput, StepInput
from market.deals.models import ContractKind, ContractState, ContractSubkind, TechnicalField
from market.deals.policies import Policy
from market.deals.queries import ContractCard, ContractDetail, Filter, PartyChoice
from market.deals.recording import reaches
from market.deals.rules import Step
from market.errors import InvalidInput, NotAllowed, SignInRequired
from market.money import yuan
from market.permissions import Action, require
from market.taxonomy.queries import IndustryView, RegionView, industries, nearby_first, region_names, regions
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.render import Page

router = APIRouter()


@dataclass(frozen=True)
class ListPage:
    """Context of the list. `days_left` is by contract id, in working days."""

    items: list[ContractCard]
    total: int
    current_page: int
    pages: int
    counts: dict[ContractState, int]
    open_count: int
    state: ContractState | None
    queue: bool
    words: str
    days_left: dict[int, int]
    may_create: bool
    may_register: bool


@router.get("/contracts")
def list_contracts(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """The contracts of one's organisations; everybody's, with the queue, for those who keep the register."""
    query = page.request.query_params
    state = query.get("state", "")
    wanted = Filter(
        states=(ContractState(state),) if state in set(ContractState) else (),
        words=re.sub(r"[\x00-\x1f]", " ", query.get("q", ""))[:100].strip(),
        queue=query.get("view") == "queue",
    )
    items, total = queries.contracts(session, page.actor, wanted, limit=paging.per_page, offset=paging.offset)
    counts = queries.count_by_state(session, page.actor)
    today = local_date(page.now)
    context = ListPage(
        items=items,
        total=total,
        current_page=paging.page,
        pages=-(-total // paging.per_page),
        counts=counts,
        open_count=sum(counts[one] for one in rules.OPEN),
        state=wanted.states[0] if wanted.states else None,
        queue=wanted.queue,
        words=wanted.words,
        days_left={
            one.id: rules.working_days_left(today, one.decide_by)
            for one in items
            if one.decide_by is not None and one.state in _CLOCKED
        },
        may_create=page.actor.can(Action.CONTRACT_CREATE),
        may_register=page.actor.can(Action.CONTRACT_REGISTER),
    )
    return page.render("contracts/list.html", context)


_CLOCKED = (ContractState.ACCEPTED, ContractState.EXPERT_REVIEW)


@dataclass(frozen=True)
class EditPage:
    """Context of the form."""

    form: Form
    contract_id: int | None
    local_number: str
    parties: list[PartyChoice]
    industries: list[IndustryView]
    regions: list[RegionView]
    kinds: list[ContractKind]
    subkinds: dict[ContractKind, tuple[ContractSubkind, ...]]
    fields: list[TechnicalField]


def _edit_page(page: Page, form: Form, contract_id: int | None, local_number: str = "") -> Response:
    chosen = [number for name in ("seller_id", "buyer_id") if (number := form.number(name))]
    with page.parts.db.read() as session:
        context = EditPage(
            form=form,
            contract_id=contract_id,
            local_number=local_number,
            parties=queries.party_choices(session, chosen),
            industries=industries(session),
            regions=nearby_first(regions(session), page.parts.settings.region_code),
            kinds=list(ContractKind),
            subkinds=rules.SUBKINDS,
            fields=list(TechnicalField),
        )
    return page.render("contracts/edit.html", context)


_PARTY = (("seller_id", "seller_name", "seller_region"), ("buyer_id", "buyer_name", "buyer_region"))


def _input(form: Form) -> ContractInput:
    """The form as an input. A party that is a member leaves the other two fields out."""
    entered = {
        name: values
        for name, values in form.entered.items()
        if name != "version" and not (name.startswith("deductions.") and not any(values))
    }
    for key, name, region in _PARTY:
        if form.value(key):
            entered.pop(name, None)
            entered.pop(region, None)
    return replace(form, entered=entered).parse(ContractInput)


def _version(form: Form) -> int | None:
    value = form.value("version")
    return int(value) if re.fullmatch(r"[0-9]{1,9}", value) else None


@router.get("/contracts/new")
def new_contract(page: PageDep) -> Response:
    """The empty form, with one's own organisation as the seller."""
    require(page.actor, Action.CONTRACT_CREATE)
    own = sorted(page.actor.organisations_for(Action.CONTRACT_CREATE) or ())
    form = Form.from_values({"seller_id": own[0] if own else None, "kind": ContractKind.DEVELOPMENT})
    return _edit_page(page, form, None)


@router.post("/contracts")
def create_contract(page: PageDep, form: FormDep) -> Response:
    """Write a contract down."""
    require(page.actor, Action.CONTRACT_CREATE)

    def action(session: Session) -> str:
        return f"/contracts/{service.create_contract(session, page.actor, page.now, _input(form))}"

    return page.submit(form, action, lambda form: _edit_page(page, form, None), flash="saved")


@dataclass(frozen=True)
class DetailPage:
    """Context of one contract."""

    contract: ContractDetail
    steps: list[Step]
    may_edit: bool
    step_form: Form
    policy: Policy | None
    calendar_known: bool
    days_left: int | None
    doubts: list[str]
    region: dict[str, str]
    reasoned: frozenset[Step]
    missing: frozenset[str]


def _detail(page: Page, contract_id: int, step_form: Form | None = None) -> Response:
    today = local_date(page.now)
    with page.parts.db.read() as session:
        found = queries.contract(session, page.actor, contract_id)
        policy, known, left = None, True, None
        if found.accepted_on is not None and found.technology_fen is not None:
            policy = policies.limit_for(session, found.technology_fen, found.accepted_on)
            if policy is not None:
                known = rules.deadline(found.accepted_on, policy.value, policy.unit).calendar_known
        if found.decide_by is not None and found.state in _CLOCKED:
            left = rules.working_days_left(today, found.decide_by)
        places = region_names(session, {found.seller_region, found.buyer_region}, page.language)
    missing = (
        rules.missing_to_submit(
            title=found.title,
            technical_field=found.technical_field,
            signed_on=found.signed_on,
            deal_fen=found.deal_fen or 0,
            today=today,
        )
        if found.detail and found.state is ContractState.DRAFT
        else []
    )
    context = DetailPage(
        contract=found,
        steps=queries.steps_for(page.actor, found),
        may_edit=queries.may_edit(page.actor, found),
        step_form=step_form or Form(),
        policy=policy,
        calendar_known=known,
        days_left=left,
        doubts=rules.registration_number_doubts(
            found.registration_number, found.registered_on, page.parts.settings.region_code
        )
        if found.detail
        else [],
        region=places,
        reasoned=rules.REASONED,
        missing=frozenset(name for name, _, _ in missing),
    )
    return page.render("contracts/detail.html", context)


@router.get("/contracts/{contract_id}")
def show_contract(page: PageDep, contract_id: RowId) -> Response:
    """One contract and its life."""
    return _detail(page, contract_id)


def _values(found: ContractDetail) -> Mapping[str, Any]:
    return {
        "title": found.title,
        "kind": found.kind,
        "subkind": found.subkind,
        "seller_id": found.seller_id,
        "seller_name": found.seller_name if found.seller_id is None else None,
        "seller_region": found.seller_region if found.seller_id is None else None,
        "buyer_id": found.buyer_id,
        "buyer_name": found.buyer_name if found.buyer_id is None else None,
        "buyer_region": found.buyer_region if found.buyer_id is None else None,
        "deal_fen": yuan(found.deal_fen) if found.deal_fen else None,
        "technology_fen": yuan(found.technology_fen) if found.technology_fen else None,
        "deductions": [{"item": one["item"], "fen": yuan(one["fen"])} for one in found.deductions],
        "technical_field": found.technical_field,
        "industry_code": found.industry_code,
        "related_party": found.related_party,
        "signed_on": found.signed_on,
        "effective_on": found.effective_on,
        "ends_on": found.ends_on,
        "version": found.version,
    }


def _editable(page: Page, contract_id: int) -> ContractDetail:
    with page.parts.db.read() as session:
        found = queries.contract(session, page.actor, contract_id)
    if not reaches(page.actor, Action.CONTRACT_EDIT, found.seller_id, found.buyer_id):
        raise NotAllowed if page.actor.is_signed_in else SignInRequired
    return found


@router.get("/contracts/{contract_id}/edit")
def edit_contract(page: PageDep, contract_id: RowId) -> Response:
    """The filled form, while the parties may still change it."""
    found = _editable(page, contract_id)
    if found.state not in rules.EDITABLE:
        return page.redirect(f"/contracts/{contract_id}")
    return _edit_page(page, Form.from_values(_values(found)), contract_id, found.local_number)


@router.post("/contracts/{contract_id}/edit")
def save_contract(page: PageDep, form: FormDep, contract_id: RowId) -> Response:
    """Save the form."""
    found = _editable(page, contract_id)

    def action(session: Session) -> str:
        service.edit_contract(
            session, page.actor, page.now, contract_id, _input(form), version=_version(form)
        )
        return f"/contracts/{contract_id}"

    return page.submit(
        form, action, lambda form: _edit_page(page, form, contract_id, found.local_number), flash="saved"
    )


@router.post("/contracts/{contract_id}/steps")
def take_step(page: PageDep, form: FormDep, contract_id: RowId) -> Response:
    """Take the contract one step further."""

    def action(session: Session) -> str:
        entered = {
            name: values
            for name, values in form.entered.items()
            if name != "version" and not (name.startswith("deductions.") and not any(values))
        }
        data = replace(form, entered=entered).parse(StepInput)
        amending = data.step is Step.AMEND
        if amending and data.deal_fen is None:
            raise InvalidInput([("deal_fen", "missing", {})])
        service.step(
            session,
            page.actor,
            page.now,
            contract_id,
            data.step,
            reason=data.reason,
            registration_number=data.registration_number,
            deal_fen=data.deal_fen,
            technology_fen=data.technology_fen,
            # A person who amends sees every deduction in the form: none left means none.
            deductions=(data.deductions or []) if amending else None,
            version=_version(form),
        )
        return f"/contracts/{contract_id}"

    return page.submit(form, action, lambda form: _detail(page, contract_id, form), flash="contract_step")
