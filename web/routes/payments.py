"""Paying: choosing a way to pay a deposit, a payment's own page, and the simulated gateway's pay page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from market.errors import InvalidInput, NotFound, SignInRequired, WrongState
from market.payments import queries, service
from market.payments.bank import queries as bank
from market.payments.bank.gateway import OfflineGateway
from market.payments.bank.queries import AccountView
from market.payments.gateway import Gateway, Method, Status
from market.payments.models import DepositState
from market.payments.queries import DepositLine, PaymentLine
from market.payments.simulated import PayerAct, SimulatedGateway, SimulatedPayment
from market.permissions import Action
from web import payment_work
from web.deps import FormDep, PageDep, RowId
from web.errors import field_problems
from web.forms import Form
from web.render import Page
from web.wiring import Parts

router = APIRouter()

JUST_NOW = dt.timedelta(seconds=5)
"""Reloading the page asks the gateway no more often."""


@dataclass(frozen=True)
class Way:
    """A way to pay as the page offers it. `value` is what the form sends."""

    value: str
    gateway: str
    method: Method
    simulated: bool


def ways(parts: Parts) -> list[Way]:
    """Every way to pay, in the settings' order."""
    return [
        Way(f"{gateway.name}:{method.value}", gateway.name, method, gateway.simulated)
        for gateway, method in parts.gateways.offers()
    ]


def way_of(parts: Parts, value: str) -> tuple[Gateway, Method]:
    """The way that a form names. Raises InvalidInput."""
    for gateway, method in parts.gateways.offers():
        if value == f"{gateway.name}:{method.value}":
            return gateway, method
    raise InvalidInput([("way", "unknown_choice" if value else "missing", {})])


@dataclass(frozen=True)
class PaymentPage:
    """Context of a payment's page. `came` is how the browser came back: paid, cancelled, or nothing."""

    payment: PaymentLine
    deposit: DepositLine | None
    ways: list[Way]
    can_pay: bool
    simulated: bool
    came: str
    account: AccountView | None
    """Where a transfer goes."""
    form: Form


def _page(
    page: Page, payment_id: int, form: Form | None = None, *, came: str = "", status: int = 200
) -> Response:
    with page.parts.db.read() as session:
        found = queries.payment(session, page.actor, payment_id)
        deposit = queries.deposit(session, page.actor, found.deposit_id) if found.deposit_id else None
        account = bank.receiving_account(session, found.currency)
    gateway = page.parts.gateways.named(found.gateway)
    due = deposit is not None and deposit.state in (DepositState.DUE, DepositState.FAILED)
    context = PaymentPage(
        payment=found,
        deposit=deposit,
        ways=ways(page.parts),
        can_pay=due and page.actor.can(Action.BID_PLACE, found.organisation_id),
        simulated=gateway.simulated,
        came=came,
        account=account if found.gateway == OfflineGateway.name else None,
        form=form or Form(),
    )
    return page.render("payments/payment.html", context, status=status)


@dataclass(frozen=True)
class ChoicePage:
    """Context of the choice of a way to pay, where none or none of ours was chosen."""

    deposit: DepositLine
    ways: list[Way]
    form: Form


def start(page: Page, payment_id: int) -> Response:
    """Go on to where the payer pays: this market's own pay page, or the payment's page, which links to the
    gateway's (a form may not lead to another site: the content security policy)."""
    payment_work.pursue_now(page.parts, payment_id)
    with page.parts.db.read() as session:
        found = queries.payment(session, page.actor, payment_id)
    if found.gateway == SimulatedGateway.name and found.pay_url:
        return page.redirect(f"/payments/simulated/{found.reference}")
    return page.redirect(f"/payments/{payment_id}")


@router.post("/lots/{lot_id}/deposit")
def pay_deposit(page: PageDep, form: FormDep, lot_id: RowId) -> Response:
    """Choose how to pay one's organisation's deposit for a lot, and go there."""
    with page.parts.db.read() as session:
        deposits, _ = queries.deposits(session, page.actor, lot_id=lot_id, limit=100)
    mine = [one for one in deposits if page.actor.can(Action.BID_PLACE, one.organisation_id)]
    if not mine:
        raise NotFound(kind="deposit")
    asked = form.value("deposit_id")
    deposit = next((one for one in mine if str(one.id) == asked), mine[0])
    try:
        gateway, method = way_of(page.parts, form.value("way"))
    except InvalidInput as error:
        shown = form.with_problems(field_problems(error, page.language))
        return page.render("payments/choose.html", ChoicePage(deposit, ways(page.parts), shown), status=422)
    with page.parts.db.write() as session:
        payment_id = service.begin_payment(session, page.actor, page.now, deposit.id, gateway, method)
    return start(page, payment_id)


@router.get("/payments/{payment_id}")
def show_payment(
    page: PageDep, payment_id: RowId, came: Annotated[str, Query(alias="from", max_length=16)] = ""
) -> Response:
    """Where a payment stands, and what the payer can do about it.

    A payer who comes back from the gateway does not wait for its message: the market looks, unless it just has.
    """
    if came == "paid":
        with page.parts.db.read() as session:
            found = queries.payment(session, page.actor, payment_id)
        fresh = found.seen_at is not None and page.now - found.seen_at < JUST_NOW
        if found.status in (Status.WAITING, Status.PROCESSING) and not fresh:
            payment_work.pursue_now(page.parts, payment_id)
    return _page(page, payment_id, came=came)


@router.post("/payments/{payment_id}/look")
def look_again(page: PageDep, payment_id: RowId) -> Response:
    """Ask the gateway now instead of waiting for its message."""
    with page.parts.db.read() as session:
        queries.payment(session, page.actor, payment_id)
    error = payment_work.pursue_now(page.parts, payment_id)
    return page.redirect(
        f"/payments/{payment_id}", flash="payment_not_reached" if error else "payment_looked"
    )


@dataclass(frozen=True)
class SimulatedPage:
    """Context of the simulated gateway's pay page."""

    payment: PaymentLine
    row: SimulatedPayment
    acts: list[PayerAct]


def _simulated(page: Page, reference: str) -> tuple[SimulatedGateway, PaymentLine, SimulatedPayment]:
    """The simulated gateway's payment of a reference, for whoever may pay it."""
    gateway = next((one for one in page.parts.gateways.each if isinstance(one, SimulatedGateway)), None)
    if gateway is None:
        raise NotFound(kind="payment")
    if not page.actor.is_signed_in:
        raise SignInRequired
    row = gateway.page(reference)
    number = reference.removeprefix("sim-")
    if row is None or not number.isdecimal():
        raise NotFound(kind="payment")
    with page.parts.db.read() as session:
        found = queries.payment(session, page.actor, int(number))
    return gateway, found, row


@router.get("/payments/simulated/{reference}")
def show_simulated(page: PageDep, reference: str) -> Response:
    """The simulated gateway's pay page: buttons for what a payer and a bank can do."""
    _, payment, row = _simulated(page, reference)
    asked = [PayerAct.SUCCEED, PayerAct.AUTHENTICATION_FAILED, PayerAct.CANCEL]
    acts = (
        asked
        if row.authenticating
        else [*(one for one in PayerAct if one is not PayerAct.CANCEL), PayerAct.CANCEL]
    )
    return page.render("payments/simulated.html", SimulatedPage(payment, row, acts))


@router.post("/payments/simulated/{reference}")
def act_simulated(page: PageDep, form: FormDep, reference: str) -> Response:
    """Do what a payer would, and have the market look."""
    gateway, payment, _ = _simulated(page, reference)
    if not page.actor.can(Action.BID_PLACE, payment.organisation_id):
        raise WrongState(state=payment.status.value, action="pay")
    value = form.value("act")
    if value not in list(PayerAct):
        raise InvalidInput([("act", "unknown_choice" if value else "missing", {})])
    act = PayerAct(value)
    gateway.act(reference, act)
    payment_work.pursue_now(page.parts, payment.id)
    if act not in (PayerAct.SUCCEED, PayerAct.SLOW, PayerAct.CANCEL):
        return page.redirect(f"/payments/simulated/{reference}")
    return page.redirect(f"/payments/{payment.id}?from={'cancelled' if act is PayerAct.CANCEL else 'paid'}")
