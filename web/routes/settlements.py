"""What follows a sale, by page: the checklist of a settlement, money paid directly, a default, the next bidder."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from auctions import after_sale
from auctions.after_sale import NextBidder
from market.clock import SHANGHAI, local_date
from market.db import Session
from market.errors import InvalidInput, NotFound, SignInRequired, WrongState
from market.files import service as files
from market.files.models import Visibility
from market.files.queries import FileView
from market.payments import service as payments
from market.payments.models import DepositState, Purpose
from market.payments.queries import PaymentLine
from market.permissions import Action, Actor, require
from market.settlements import queries, rules, service
from market.settlements.inputs import DirectPaymentInput, ForfeitInput, OfferInput
from market.settlements.models import OfferState, Origin, Party, SettlementState
from market.settlements.queries import OfferLine, SettlementDetail, SettlementLine, Show
from market.settlements.rules import StepKind
from web import i18n
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.render import Page, local, money
from web.routes import attachments
from web.routes import payments as paying
from web.routes.attachments import read_upload
from web.routes.payments import Way

router = APIRouter()


@dataclass(frozen=True)
class ListPage:
    """Context of the list of settlements."""

    items: list[SettlementLine]
    total: int
    current_page: int
    pages: int
    show: Show | None
    shows: list[tuple[Show | None, int]]
    today: dt.date
    is_staff: bool


@router.get("/settlements")
def list_settlements(page: PageDep, session: ReadTx, paging: PagingDep, show: str = "open") -> Response:
    """The settlements that one may know of: staff all, parties their own. The latest first due first."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    today = local_date(page.now)
    chosen = Show(show) if show in set(Show) else None
    items, total = queries.settlements(
        session, page.actor, show=chosen, today=today, limit=paging.per_page, offset=paging.offset
    )
    counts = queries.counts(session, page.actor, today)
    return page.render(
        "settlements/list.html",
        ListPage(
            items, total, paging.page, max(1, -(-total // paging.per_page)), chosen,
            [(one, counts[one]) for one in Show], today, page.actor.can(Action.LOT_CONDUCT),
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class SettlementPage:
    """Context of a settlement. What the asker may do is told by the flags."""

    it: SettlementDetail
    today: dt.date
    offers: list[OfferLine]
    open_payment: PaymentLine | None
    """A payment of the balance that is begun and has not come."""
    ways: list[Way]
    signs: list[Party]
    """Whom the asker may still sign for."""
    can_pay: bool
    can_pay_deposit: bool
    can_enter: bool
    can_forfeit: bool
    can_default: bool
    next: NextBidder | None
    person_id: int | None
    fetched_fen: int | None
    """What the lot fetched the second time."""
    shortfall_fen: int
    max_mb: int
    act: str
    form: Form


def _page(
    page: Page, settlement_id: int, form: Form | None = None, *, act: str = "", status: int = 200
) -> Response:
    actor = page.actor
    with page.parts.db.read() as session:
        it = queries.settlement(session, actor, settlement_id)
        line = it.line
        staff, defaulted = actor.can(Action.LOT_CONDUCT), line.state is SettlementState.DEFAULTED
        offers = queries.offers_of_lot(session, line.lot_id) if defaulted else []
        following = after_sale.next_bidder(session, line.lot_id) if staff and defaulted else None
        if any(one.state is OfferState.OPEN for one in offers) or after_sale.being_settled(
            session, line.lot_id
        ):
            following = None
        fetched = after_sale.fetched_again(session, line.lot_id) if defaulted else None
    is_open = line.state is SettlementState.OPEN
    buys = actor.can(Action.BID_PLACE, line.buyer_organisation_id)
    due = it.deposit is not None and it.deposit.state in (DepositState.DUE, DepositState.FAILED)
    context = SettlementPage(
        it=it,
        today=local_date(page.now),
        offers=offers,
        open_payment=next(
            (one for one in it.payments if one.status.value in ("waiting", "processing")), None
        ),
        ways=paying.ways(page.parts),
        signs=[
            party
            for party in service.signs_for(actor, line.seller_organisation_id, line.buyer_organisation_id)
            if is_open and party not in it.signatures
        ],
        can_pay=is_open and buys and it.outstanding_fen > 0 and not due,
        can_pay_deposit=is_open and buys and due,
        can_enter=is_open and actor.can(Action.MONEY_MANAGE) and it.outstanding_fen > 0,
        can_forfeit=defaulted and it.forfeited_at is None and actor.can(Action.MONEY_MANAGE),
        can_default=is_open and staff and line.origin is Origin.RUNNER_UP,
        next=following,
        person_id=actor.person_id,
        fetched_fen=fetched,
        shortfall_fen=rules.shortfall(line.price_fen, fetched),
        max_mb=page.parts.settings.max_upload_mb,
        act=act,
        form=form or Form(),
    )
    return page.render("settlements/settlement.html", context, status=status)


@router.get("/settlements/{settlement_id}")
def show_settlement(page: PageDep, settlement_id: RowId) -> Response:
    """One settlement: what is done, what is due, who is late."""
    return _page(page, settlement_id)


@router.post("/settlements/{settlement_id}/sign")
def sign(page: PageDep, form: FormDep, settlement_id: RowId) -> Response:
    """Acknowledge the confirmation of sale."""

    def action(session: Session) -> str:
        queries.settlement(session, page.actor, settlement_id)
        if not form.has("read"):
            raise InvalidInput([("read", "accept_terms", {})])
        party = form.value("party")
        if party not in set(Party):
            raise NotFound(kind=service.KIND)
        service.sign(session, page.actor, page.now, settlement_id, Party(party), form.value("facts_hash"))
        return f"/settlements/{settlement_id}"

    return page.submit(
        form, action, lambda form: _page(page, settlement_id, form, act="sign"), flash="confirmation_signed"
    )


@router.post("/settlements/{settlement_id}/balance")
def pay_balance(page: PageDep, form: FormDep, settlement_id: RowId) -> Response:
    """Pay what is outstanding of the price, by a way of the buyer's choosing."""
    started: list[int] = []

    def action(session: Session) -> str:
        it = queries.settlement(session, page.actor, settlement_id)
        require(page.actor, Action.BID_PLACE, it.line.buyer_organisation_id)
        if it.line.state is not SettlementState.OPEN or not it.outstanding_fen:
            raise WrongState(state=it.line.state.value, action="pay")
        gateway, method = paying.way_of(page.parts, form.value("way"))
        started.append(
            payments.request_payment(
                session,
                page.actor,
                page.now,
                purpose=Purpose.BALANCE,
                lot_id=it.line.lot_id,
                organisation_id=it.line.buyer_organisation_id,
                amount_fen=it.outstanding_fen,
                currency=it.line.currency,
                gateway=gateway,
                method=method,
            )
        )
        return f"/settlements/{settlement_id}"

    answer = page.submit(form, action, lambda form: _page(page, settlement_id, form, act="balance"))
    return paying.start(page, started[0]) if started and answer.status_code == 303 else answer


@router.post("/settlements/{settlement_id}/payments")
def enter_payment(page: PageDep, form: FormDep, settlement_id: RowId) -> Response:
    """Enter money that the buyer paid the seller directly; it waits for a second officer."""
    limit = page.parts.settings.max_upload_mb * 1024 * 1024

    def action(session: Session) -> str:
        require(page.actor, Action.MONEY_MANAGE)
        it = queries.settlement(session, page.actor, settlement_id)
        data = form.parse(DirectPaymentInput)
        name, content = read_upload(next(iter(form.files.get("file", ())), None), limit)
        file = files.attach(
            session,
            page.actor,
            page.now,
            page.parts.files,
            owner_kind=service.KIND,
            owner_id=settlement_id,
            organisation_id=it.line.seller_organisation_id,
            name=name,
            content=content,
            visibility=Visibility.PRIVATE,
            limit=limit,
        )
        service.enter_direct_payment(session, page.actor, page.now, settlement_id, data, file.id)
        return f"/settlements/{settlement_id}#payments"

    return page.submit(
        form, action, lambda form: _page(page, settlement_id, form, act="payment"), flash="payment_entered"
    )


@router.post("/settlements/{settlement_id}/payments/{receipt_id}")
def decide_payment(page: PageDep, form: FormDep, settlement_id: RowId, receipt_id: RowId) -> Response:
    """Approve or refuse what another officer entered."""

    def action(session: Session) -> str:
        it = queries.settlement(session, page.actor, settlement_id)
        if receipt_id not in {one.id for one in it.receipts}:
            raise NotFound(kind=service.KIND)
        step = form.value("step")
        if step not in ("approve", "refuse"):
            raise InvalidInput([("step", "missing", {})])
        service.decide_direct_payment(
            session, page.actor, page.now, receipt_id, approve=step == "approve", reason=form.value("reason")
        )
        return f"/settlements/{settlement_id}#payments"

    return page.submit(
        form, action, lambda form: _page(page, settlement_id, form, act=f"decide-{receipt_id}"), flash="saved"
    )


@router.post("/settlements/{settlement_id}/forfeit")
def forfeit(page: PageDep, form: FormDep, settlement_id: RowId) -> Response:
    """Divide a defaulter's deposit: costs, shortfall, and the rest as the terms say."""

    def action(session: Session) -> str:
        queries.settlement(session, page.actor, settlement_id)
        service.forfeit(session, page.actor, page.now, settlement_id, form.parse(ForfeitInput))
        return f"/settlements/{settlement_id}#default"

    return page.submit(
        form, action, lambda form: _page(page, settlement_id, form, act="forfeit"), flash="deposit_forfeited"
    )


@router.post("/settlements/{settlement_id}/default")
def record_default(page: PageDep, form: FormDep, settlement_id: RowId) -> Response:
    """Record that a next bidder who had accepted did not keep to the terms."""

    def action(session: Session) -> str:
        it = queries.settlement(session, page.actor, settlement_id)
        reason = form.value("reason").strip()[:500]
        if not reason:
            raise InvalidInput([("reason", "missing", {})])
        after_sale.runner_up_defaulted(session, page.actor, page.now, settlement_id, reason)
        alias = it.facts["buyer"]["bidder"]
        _announce(session, page.actor, page.now, it.line.lot_id, "defaulted", {"n": alias, "reason": reason})
        return f"/settlements/{settlement_id}#default"

    return page.submit(
        form, action, lambda form: _page(page, settlement_id, form, act="default"), flash="saved"
    )


@router.post("/settlements/{settlement_id}/offer")
def offer_next(page: PageDep, form: FormDep, settlement_id: RowId) -> Response:
    """Offer a defaulted lot to the next bidder."""

    def action(session: Session) -> str:
        it = queries.settlement(session, page.actor, settlement_id)
        typed = form.value("answer_by").strip()
        try:
            moment = dt.datetime.fromisoformat(typed).replace(tzinfo=SHANGHAI)
        except ValueError:
            code = "datetime_parsing" if typed else "missing"
            raise InvalidInput([("answer_by", code, {})]) from None
        data = OfferInput(answer_by=moment)
        _, found = after_sale.offer_next(session, page.actor, page.now, it.line.lot_id, data.answer_by)
        shown = {"n": found.alias, "amount": money(found.amount_fen), "at": local(data.answer_by)}
        _announce(session, page.actor, page.now, it.line.lot_id, "offered", shown)
        return f"/settlements/{settlement_id}#next"

    return page.submit(
        form, action, lambda form: _page(page, settlement_id, form, act="offer"), flash="offer_made"
    )


@dataclass(frozen=True)
class OfferPage:
    """Context of an offer, for the bidder that it was made to and for staff."""

    offer: OfferLine
    title: str
    deposit_fen: int
    days: tuple[tuple[StepKind, int], ...]
    can_answer: bool
    over: bool
    form: Form


def _offer(session: Session, actor: Actor, offer_id: int) -> OfferLine:
    found = queries.offer(session, offer_id)
    if found is None or not (
        found.organisation_id in actor.organisation_ids or actor.can(Action.LOT_CONDUCT)
    ):
        raise NotFound(kind="offer")
    return found


def _offer_page(page: Page, offer_id: int, form: Form | None = None, status: int = 200) -> Response:
    with page.parts.db.read() as session:
        offer = _offer(session, page.actor, offer_id)
        terms = after_sale.promised(session, offer.lot_id)
    over = page.now > offer.answer_by
    return page.render(
        "settlements/offer.html",
        OfferPage(
            offer,
            terms.title,
            terms.deposit_fen,
            (
                (StepKind.CONFIRMATION, terms.settlement.confirm_days),
                (StepKind.CONTRACT, terms.settlement.contract_days),
                (StepKind.BALANCE, terms.settlement.balance_days),
            ),
            offer.state is OfferState.OPEN
            and not over
            and page.actor.can(Action.BID_PLACE, offer.organisation_id),
            over,
            form or Form(),
        ),
        status=status,
    )


@router.get("/offers/{offer_id}")
def show_offer(page: PageDep, offer_id: RowId) -> Response:
    """An offer of a lot after a default."""
    return _offer_page(page, offer_id)


@router.post("/offers/{offer_id}")
def answer_offer(page: PageDep, form: FormDep, offer_id: RowId) -> Response:
    """Accept or decline an offer."""

    def action(session: Session) -> str:
        found = _offer(session, page.actor, offer_id)
        answer = form.value("answer")
        if answer not in ("accept", "decline"):
            raise InvalidInput([("answer", "missing", {})])
        if answer == "accept" and not form.has("read"):
            raise InvalidInput([("read", "accept_terms", {})])
        offer = after_sale.answer(
            session, page.actor, page.now, offer_id, accept=answer == "accept",
            reason=form.value("reason").strip()[:500],
        )  # fmt: skip
        shown = {"n": found.alias, "amount": money(found.amount_fen)}
        _announce(session, page.actor, page.now, found.lot_id, offer.state, shown)
        if answer == "decline":
            return f"/offers/{offer_id}"
        return f"/settlements/{queries.of_lot(session, found.lot_id)[-1].id}"

    return page.submit(form, action, lambda form: _offer_page(page, offer_id, form), flash="offer_answered")


def _announce(
    session: Session, actor: Actor, now: dt.datetime, lot_id: int, what: str, params: dict[str, Any]
) -> None:
    """Put what happened to an offer into the lot's journal, in the market's language."""
    text = i18n.term(f"settlement.announce.{what}", i18n.DEFAULT, params)
    after_sale.announce(session, actor, now, lot_id, text)


def _may_open(session: Session, actor: Actor, file: FileView) -> bool:
    """The file that proves a direct payment: for the settlement's parties and staff."""
    try:
        queries.settlement(session, actor, file.owner_id)
    except NotFound:
        return False
    return True


attachments.READERS[service.KIND] = _may_open
