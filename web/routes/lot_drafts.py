"""Drafts of lots: written, published, and made anew from lots that did not sell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from auctions import policies, queries, service
from auctions.errors import LotRefusal
from auctions.policies import AuctionRule
from auctions.queries import SaleCard
from auctions.rules.formats import RULES, dutch
from auctions.rules.settlement import NEXT_BIDDER, ForfeitRest, SettlementTerms
from auctions.rules.state import LotState
from auctions.rules.terms import CapRule, OrganiserType, SoleBidderRule, Terms
from market.clock import SHANGHAI, local_date
from market.deals.policies import Policy
from market.errors import InvalidInput, NotFound, WrongState
from market.listings.models import ListingState, PricingMode, Result
from market.money import yuan
from market.permissions import Action, require
from web import lot_forms
from web.deps import FormDep, PageDep, RowId
from web.forms import Form
from web.render import Page

router = APIRouter()


@dataclass(frozen=True)
class Price:
    """One step of a published descending price."""

    step: int
    at: dt.datetime
    fen: int


@dataclass(frozen=True)
class EditPage:
    """Context of the form of a draft lot."""

    form: Form
    result_id: int
    result_title: str
    lot_id: int | None
    previous_lot_id: int | None
    can_publish: bool
    format: str
    formats: list[str]
    asked: Mapping[str, list[lot_forms.Asked]]
    soft: list[str]
    """Formats with a soft close."""
    stepped: list[str]
    """Formats with a step table."""
    sales: list[SaleCard]
    cap_rules: list[CapRule]
    organiser_types: list[OrganiserType]
    sole_bidder_rules: list[SoleBidderRule]
    forfeit_rests: list[ForfeitRest]
    deposit_fen: int | None
    """The deposit that a share made when the draft was last saved."""
    ranked: list[str]
    """Formats that may have a next bidder."""
    rules: Sequence[tuple[OrganiserType, Mapping[AuctionRule, Policy]]]
    prices: list[Price]
    price_count: int
    ends_at: dt.datetime | None


def _edit_page(
    page: Page, form: Form, result_id: int, lot_id: int | None = None, status: int = 200
) -> Response:
    terms, previous = None, None
    with page.parts.db.read() as session:
        result = session.get(Result, result_id)
        if result is None:
            raise NotFound
        require(page.actor, Action.LOT_CREATE, result.organisation_id)
        title = result.title
        if lot_id is not None:
            terms = queries.private_terms(session, lot_id)
            previous = terms.previous_lot_id
        sales = [sale for sale in queries.list_sales(session, limit=100) if sale.closed_at is None]
        day = local_date(page.now)
        rules = [(kind, policies.in_force(session, kind, day)) for kind in OrganiserType]
    chosen = form.value("terms.format")
    prices = _prices(terms)
    context = EditPage(
        form,
        result_id,
        title,
        lot_id,
        previous,
        page.actor.can(Action.LOT_CONDUCT),
        chosen if chosen in RULES else lot_forms.DEFAULT,
        lot_forms.formats(),
        lot_forms.asked(chosen),
        [name for name, rule in RULES.items() if rule.SOFT_CLOSE],
        [name for name, rule in RULES.items() if rule.STEPS],
        sales,
        list(CapRule),
        list(OrganiserType),
        list(SoleBidderRule),
        list(ForfeitRest),
        terms.deposit_fen if terms and terms.settlement.deposit_share_bp is not None else None,
        list(NEXT_BIDDER),
        rules,
        prices if len(prices) <= 12 else [*prices[:10], prices[-1]],
        len(prices),
        None if terms is None else terms.ends_at,
    )
    return page.render("lots/edit.html", context, status=status)


def _prices(terms: Terms | None) -> list[Price]:
    if terms is None or terms.format != dutch.NAME:
        return []
    interval = dt.timedelta(seconds=terms.params["interval_s"])
    return [
        Price(step, terms.opens_at + step * interval, dutch.price_at(terms, step))
        for step in range(dutch.steps(terms))
    ]


@router.get("/lots/new")
def new_lot(page: PageDep, result: int = 0) -> Response:
    """A form for a lot of a result, filled with defaults that staff may change."""
    with page.parts.db.read() as session:
        row = session.get(Result, result) if 0 < result < 2**63 else None
        if row is None:
            raise NotFound
        if row.state != ListingState.PUBLISHED and not page.actor.can(Action.LOT_CREATE, row.organisation_id):
            raise NotFound
        require(page.actor, Action.LOT_CREATE, row.organisation_id)
        if row.state != ListingState.PUBLISHED or row.pricing_mode == PricingMode.NEGOTIATED:
            raise WrongState(state=row.state, action="create_lot")
        title, low = row.title, row.price_low_fen
        in_force = policies.in_force(session, OrganiserType.MARKET, local_date(page.now))
        limits = {rule: policy.value for rule, policy in in_force.items()}
    # One day over the longest notice, so that the draft can be published as it is.
    opens = (page.now + dt.timedelta(days=8)).astimezone(SHANGHAI).replace(hour=14, minute=0, second=0)
    start = low or 10_000_000
    usual = SettlementTerms()
    form = lot_forms.fresh(
        {
            "title": title,
            "terms.start_fen": yuan(start).removesuffix(".00"),
            "terms.step_fen": yuan(max(100_000, start // 50 // 100_000 * 100_000)).removesuffix(".00"),
            "terms.settlement.deposit_share_bp": 10,
            "terms.settlement.deposit_due_at": opens.strftime("%Y-%m-%dT%H:%M"),
            "terms.settlement.refund_hours": limits.get(AuctionRule.REFUND, usual.refund_hours),
            "terms.settlement.confirm_days": usual.confirm_days,
            "terms.settlement.contract_days": limits.get(AuctionRule.CONTRACT, usual.contract_days),
            "terms.settlement.balance_days": usual.balance_days,
            "terms.settlement.forfeit_rest": usual.forfeit_rest,
            "terms.opens_at": opens.strftime("%Y-%m-%dT%H:%M"),
            "terms.ends_at": (opens + dt.timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M"),
            "terms.window_s": 300,
            "terms.extension_s": 300,
            "terms.sole_bidder": SoleBidderRule.SELL,
            "terms.cap_rule": CapRule.LEAD,
            "terms.organiser_type": OrganiserType.MARKET,
        }
    )
    return _edit_page(page, form, result)


@router.post("/lots/new")
def create_lot(page: PageDep, form: FormDep) -> Response:
    """Draft the lot."""
    result_id = form.number("result_id")

    def act(session: Any) -> str:
        values = lot_forms.read(form)
        return f"/lots/{service.create_lot(session, page.actor, result_id, values, page.now)}/edit"

    return page.submit(form, act, lambda form: _edit_page(page, form, result_id), flash="saved")


@router.get("/lots/{lot_id}/edit")
def edit_lot(page: PageDep, lot_id: RowId) -> Response:
    """The form of a draft."""
    with page.parts.db.read() as session:
        lot = queries.lot_detail(session, lot_id, draft=True)
        if not page.actor.can(Action.LOT_CREATE, lot.card.seller_organisation_id):
            raise NotFound
        if lot.card.state is not LotState.DRAFT:
            return page.redirect(f"/lots/{lot_id}")
        terms = queries.private_terms(session, lot_id)
    form = lot_forms.fill(lot.card.title, lot.card.sale_id, lot.card.number, terms)
    form.entered["version"] = [str(lot.version)]
    return _edit_page(page, form, lot.card.result_id, lot_id)


@router.post("/lots/{lot_id}/edit")
def save_lot(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Save the draft; with `publish`, freeze the terms and announce the lot."""
    with page.parts.db.read() as session:
        lot = queries.lot_detail(session, lot_id, draft=True).card
    if lot.state is LotState.DRAFT and not page.actor.can(Action.LOT_CREATE, lot.seller_organisation_id):
        raise NotFound(subject="lot")
    result_id = lot.result_id
    version = form.number("version")

    def act(session: Any) -> str:
        service.edit_lot(session, page.actor, lot_id, lot_forms.read(form), version, page.now)
        if not form.has("publish"):
            return f"/lots/{lot_id}/edit"
        try:
            service.publish(session, page.actor, lot_id, page.now)
        except LotRefusal as refusal:
            raise as_input(refusal) from None
        return f"/lots/{lot_id}"

    flash = "published" if form.has("publish") else "saved"
    return page.submit(form, act, lambda form: _edit_page(page, form, result_id, lot_id), flash=flash)


@router.post("/lots/{lot_id}/again")
def offer_again(page: PageDep, lot_id: RowId) -> Response:
    """A new draft from a lot that did not sell."""
    with page.parts.db.write() as session:
        draft = service.offer_again(session, page.actor, lot_id, page.now)
    return page.redirect(f"/lots/{draft}/edit", flash="saved")


def as_input(refusal: LotRefusal) -> Exception:
    """Problems of the terms at their fields; any other refusal stays what it is."""
    found = refusal.params.get("problems")
    if not found:
        return refusal
    return InvalidInput([(f"terms.{field}", code, {}) for field, code in found])
