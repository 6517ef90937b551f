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
from market.deals import price, queries, rules, service
from market.deals.deadlines import CLOCKED
from market.deals.inputs import ContractInput, StepInput
from market.deals.models import (
    ContractKind,
    ContractState,
    ContractSubkind,
    PriceForm,
    RoyaltyBase,
    TechnicalField,
)
from market.deals.queries import Change, ContractCard, ContractDetail, Filter, PartyChoice
from market.deals.rules import Step
from market.errors import Conflict, InvalidInput, NotAllowed, SignInRequired, WrongState
from market.listings.models import IpKind, PricingMode
from market.money import yuan
from market.permissions import Action, reaches, require
from market.taxonomy.queries import IndustryView, RegionView, industries, nearby_first, regions
from web import countries
from web.contract_page import detail, percent
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
            if one.decide_by is not None and one.state in CLOCKED
        },
        may_create=page.actor.can(Action.CONTRACT_CREATE),
        may_register=page.actor.can(Action.CONTRACT_REGISTER),
    )
    return page.render("contracts/list.html", context)


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
    natures: tuple[str, ...]
    countries: tuple[tuple[str, str], ...]
    currencies: tuple[str, ...]
    price_forms: list[PriceForm]
    royalty_bases: list[RoyaltyBase]
    ip_kinds: list[IpKind]
    pricing_modes: list[PricingMode]
    changes: list[Change]
    still_open: bool


def _edit_page(
    page: Page, form: Form, contract_id: int | None, local_number: str = "", *, since: int | None = None
) -> Response:
    """The form. `since`: the version that was read by whoever sends it too late; what changed since is told, and
    sending it again puts what they typed in the place of that."""
    chosen = [number for name in ("seller_id", "buyer_id") if (number := form.number(name))]
    with page.parts.db.read() as session:
        changes: list[Change] = []
        still_open = True
        if contract_id is not None and since is not None:
            found = queries.contract(session, page.actor, contract_id)
            changes = queries.changes_since(session, page.actor, contract_id, since)
            still_open = found.state in rules.EDITABLE
            form = replace(form, entered={**form.entered, "version": [str(found.version)]})
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
            natures=price.NATURES,
            countries=countries.choices(page.language),
            currencies=tuple(price.CURRENCIES),
            price_forms=list(PriceForm),
            royalty_bases=list(RoyaltyBase),
            ip_kinds=list(IpKind),
            pricing_modes=list(PricingMode),
            changes=changes,
            still_open=still_open,
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


@router.get("/contracts/{contract_id}")
def show_contract(page: PageDep, contract_id: RowId) -> Response:
    """One contract and its life."""
    return detail(page, contract_id)


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
        "deal_fen": yuan(found.deal_fen) if found.deal_fen and not found.foreign_minor else None,
        "technology_fen": yuan(found.technology_fen) if found.technology_fen else None,
        "deductions": [{"item": one["item"], "fen": yuan(one["fen"])} for one in found.deductions],
        "seller_town": found.seller_town,
        "seller_nature": found.seller_nature,
        "seller_country": found.seller_country,
        "buyer_town": found.buyer_town,
        "buyer_nature": found.buyer_nature,
        "buyer_country": found.buyer_country,
        "price_form": found.price_form,
        "instalments": [{**one, "fen": yuan(one["fen"])} for one in found.instalments],
        "entry_fee_fen": yuan(found.entry_fee_fen) if found.entry_fee_fen else None,
        "royalty_base": found.royalty_base,
        "royalty_ppm": percent(found.royalty_ppm),
        "currency": found.currency,
        "foreign_amount": price.in_units(found.foreign_minor, found.currency)
        if found.foreign_minor
        else None,
        "exchange_rate": found.exchange_rate,
        "rate_on": found.rate_on,
        "ip": found.ip,
        "pricing_mode": found.pricing_mode,
        "trade_secret": found.trade_secret,
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

    def again(form: Form) -> Response:
        return _edit_page(page, form, contract_id, found.local_number)

    try:
        return page.submit(form, action, again, flash="saved")
    except (Conflict, WrongState):
        answer = _edit_page(page, form, contract_id, found.local_number, since=_version(form) or 0)
        answer.status_code = 409
        return answer


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
        if amending and data.deal_fen is None and data.foreign_amount is None:
            raise InvalidInput([("deal_fen", "missing", {})])
        service.step(
            session,
            page.actor,
            page.now,
            contract_id,
            data.step,
            reason=data.reason,
            registration_number=data.registration_number,
            kind=data.kind,
            subkind=data.subkind,
            deal_fen=data.deal_fen,
            technology_fen=data.technology_fen,
            # Whoever amends or registers sees every deduction in the form: none left means none.
            deductions=(data.deductions or []) if amending or form.has("deductions.0.item") else None,
            instalments=data.instalments,
            entry_fee_fen=data.entry_fee_fen,
            royalty_ppm=data.royalty_ppm,
            foreign_amount=data.foreign_amount,
            version=_version(form),
        )
        return f"/contracts/{contract_id}"

    try:
        return page.submit(
            form, action, lambda form: detail(page, contract_id, step=form), flash="contract_step"
        )
    except Conflict:
        answer = detail(page, contract_id, step=form, since=_version(form) or 0)
        answer.status_code = 409
        return answer
