"""Pages of pay-outs: the list by state with its steps, lists for the bank, money for a lot's seller; where an
organisation is paid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from auctions import queries as auctions
from market.db import Session
from market.errors import NotFound
from market.exchange.readers import FileForm
from market.exchange.writers import MEDIA_TYPES, write_csv, write_xlsx
from market.money import yuan
from market.parties import queries as parties
from market.payments.bank import accounts, payouts, queries
from market.payments.bank.inputs import AccountInput, PayOutInput, PrepareInput, TroubleInput
from market.payments.bank.models import AccountState, PayOutKind, PayOutState
from market.payments.bank.payouts import BankOrder
from market.payments.bank.queries import AccountView, BatchView, PayOutView
from market.permissions import Action, require
from web import i18n
from web.deps import FormDep, PageDep, PagingDep, RowId
from web.forms import Form
from web.render import Page
from web.routes.payments_bank import Tab, bank_tabs

router = APIRouter()


@dataclass(frozen=True)
class PayOutsPage:
    """Context of the list. `choices` are accounts to pay to by pay-out; `strange` says that the transfer came
    from another account; `wrong` is the pay-out whose form was refused."""

    tabs: list[Tab]
    states: list[tuple[PayOutState, int]]
    state: PayOutState
    items: list[PayOutView]
    choices: dict[int, list[tuple[str, str]]]
    tails: dict[int, list[str]]
    batches: list[BatchView]
    total: int
    total_fen: int
    current_page: int
    pages: int
    person_id: int | None
    form: Form
    wrong: int


def _list(
    page: Page, state: str, number: int = 1, per_page: int = 20, form: Form | None = None, wrong: int = 0
) -> Response:
    require(page.actor, Action.MONEY_MANAGE)
    known = {one.value: one for one in PayOutState}
    chosen = known.get(state, PayOutState.WAITING)
    with page.parts.db.read() as session:
        items, counts = queries.pay_outs(session, chosen, limit=per_page, offset=(number - 1) * per_page)
        payable: dict[int, list[AccountView]] = {}
        tails: dict[int, set[str]] = {}
        if chosen is PayOutState.WAITING:
            payable = queries.accounts_for(session, {one.organisation_id for one in items})
            tails = queries.tails_of(session, [one.id for one in items])
        context = PayOutsPage(
            bank_tabs(page, session),
            list(counts.items()),
            chosen,
            items,
            {
                one.id: [
                    (str(each.id), f"{each.holder} · {each.bank} {each.number}")
                    for each in payable.get(one.organisation_id, [])
                    if each.currency == one.currency
                ]
                for one in items
            },
            {key: sorted(found) for key, found in tails.items()},
            queries.batches(session),
            counts[chosen],
            sum(one.amount_fen for one in items),
            number,
            -(-counts[chosen] // per_page),
            page.actor.person_id,
            form or Form(),
            wrong,
        )
    return page.render("payments/pay_outs.html", context)


@router.get("/bank/pay-outs")
def list_pay_outs(page: PageDep, paging: PagingDep, state: str = "waiting") -> Response:
    """Pay-outs by state, with what may be done."""
    return _list(page, state, paging.page, paging.per_page)


def _prepare(session: Session, page: Page, pay_out_id: int, form: Form) -> None:
    payouts.prepare(session, page.actor, page.now, pay_out_id, form.parse(PrepareInput))


def _fail(session: Session, page: Page, pay_out_id: int, form: Form) -> None:
    payouts.fail(session, page.actor, page.now, pay_out_id, form.parse(TroubleInput))


def _plain(verb: Callable[..., None]) -> Callable[[Session, Page, int, Form], None]:
    def run(session: Session, page: Page, pay_out_id: int, form: Form) -> None:
        del form
        verb(session, page.actor, page.now, pay_out_id)

    return run


_STEPS: dict[str, tuple[Callable[[Session, Page, int, Form], None], PayOutState]] = {
    "prepare": (_prepare, PayOutState.WAITING),
    "approve": (_plain(payouts.approve), PayOutState.PREPARED),
    "withdraw": (_plain(payouts.withdraw), PayOutState.PREPARED),
    "cancel": (_plain(payouts.cancel), PayOutState.WAITING),
    "left": (_plain(payouts.say_left), PayOutState.EXPORTED),
    "fail": (_fail, PayOutState.EXPORTED),
}
"""Steps by the end of their address, and the list that one is taken from."""


@router.post("/bank/pay-outs/{pay_out_id}/{step}")
def step_pay_out(page: PageDep, form: FormDep, pay_out_id: RowId, step: str) -> Response:
    """Take a pay-out one step further, or back."""
    if step not in _STEPS:
        raise NotFound(kind="page")
    verb, state = _STEPS[step]

    def action(session: Session) -> str:
        verb(session, page, pay_out_id, form)
        return f"/bank/pay-outs?state={state.value}"

    return page.submit(
        form, action, lambda form: _list(page, state.value, form=form, wrong=pay_out_id), flash="saved"
    )


@router.post("/bank/lists")
def make_list(page: PageDep, form: FormDep) -> Response:
    """Gather all that is approved into one list for the bank."""

    def action(session: Session) -> str:
        payouts.export(session, page.actor, page.now)
        return "/bank/pay-outs?state=exported"

    return page.submit(form, action, lambda form: _list(page, "approved", form=form), flash="saved")


COLUMNS = ("number", "holder", "account", "bank", "branch_code", "amount", "currency", "remark")


@router.post("/bank/lists/{batch_id}")
def carry_away(page: PageDep, form: FormDep, batch_id: RowId) -> Response:
    """A list as a file for the bank, with whole account numbers; who took it is recorded."""
    kind = FileForm.XLSX if form.value("format") == "xlsx" else FileForm.CSV
    with page.parts.db.write() as session:
        orders = payouts.carry_away(session, page.actor, page.now, batch_id)
    header = [i18n.term(f"bank.column.{name}", page.language) for name in COLUMNS]
    rows = list(_rows(orders))
    if kind is FileForm.XLSX:
        body = write_xlsx([(i18n.term("bank.tab.pay_outs", page.language), header, rows)])
    else:
        body = b"".join(write_csv(header, rows))
    return Response(
        body,
        media_type=MEDIA_TYPES[kind],
        headers={
            "Content-Disposition": f'attachment; filename="pay-outs-{batch_id}.{kind.value}"',
            "Cache-Control": "private, no-store",
        },
    )


def _rows(orders: list[BankOrder]) -> Iterator[list[str]]:
    for number, one in enumerate(orders, 1):
        yield [
            str(number), one.holder, one.number, one.bank, one.branch_code, yuan(one.amount_fen),
            one.currency, one.reference,
        ]  # fmt: skip


@dataclass(frozen=True)
class OrderPage:
    """Context of the form for a seller's money. `there` is what of each kind nobody has ordered yet."""

    tabs: list[Tab]
    lot_id: int
    lot_title: str
    seller_name: str
    there: list[tuple[str, str, int]]
    form: Form


def _lot(session: Session, lot_id: int) -> auctions.LotCard:
    if not lot_id:
        raise NotFound(kind="lot")
    return auctions.lot_detail(session, lot_id, draft=True).card


def _order_page(page: Page, lot_id: int, form: Form | None = None) -> Response:
    require(page.actor, Action.MONEY_MANAGE)
    with page.parts.db.read() as session:
        lot = _lot(session, lot_id)
        kinds = [one for one in PayOutKind if one is not PayOutKind.REFUND]
        there = [
            (one.value, i18n.label(one, page.language), payouts.available(session, one, lot_id))
            for one in kinds
        ]
        context = OrderPage(
            bank_tabs(page, session), lot_id, lot.title, lot.seller_name, there, form or Form()
        )
    return page.render("payments/pay_out_new.html", context)


@router.get("/bank/orders/new")
def new_order(page: PageDep, lot: Annotated[int, Query(ge=1, le=2**63 - 1)]) -> Response:
    """The form for paying a lot's seller."""
    return _order_page(page, lot)


@router.post("/bank/orders")
def make_order(page: PageDep, form: FormDep) -> Response:
    """Put a seller's money on the list."""
    require(page.actor, Action.MONEY_MANAGE)
    lot_id = form.number("lot_id")

    def action(session: Session) -> str:
        lot = _lot(session, lot_id)
        data = form.parse(PayOutInput)
        payouts.order(session, page.actor, page.now, data, lot.seller_organisation_id)
        return "/bank/pay-outs?state=waiting"

    return page.submit(form, action, lambda form: _order_page(page, lot_id, form), flash="saved")


@dataclass(frozen=True)
class AccountPage:
    """Context of where an organisation is paid."""

    organisation_id: int
    organisation_name: str
    in_force: AccountView | None
    proposed: AccountView | None
    earlier: list[AccountView]
    may_edit: bool
    may_confirm: bool
    mine: bool
    form: Form


def _account_page(page: Page, organisation_id: int, form: Form | None = None) -> Response:
    if not page.actor.can(Action.MONEY_READ, organisation_id):
        require(page.actor, Action.MONEY_READ)
        raise NotFound(kind="organisation")
    with page.parts.db.read() as session:
        organisation = parties.organisation(session, page.actor, organisation_id)
        found = queries.accounts_of(session, organisation_id)
    proposed = next((one for one in found if one.state is AccountState.PROPOSED), None)
    context = AccountPage(
        organisation_id,
        organisation.name,
        next((one for one in found if one.state is AccountState.IN_FORCE), None),
        proposed,
        [one for one in found if one.state in (AccountState.REPLACED, AccountState.WITHDRAWN)],
        page.actor.can(Action.MONEY_ACCOUNT, organisation_id),
        page.actor.can(Action.MONEY_MANAGE),
        proposed is not None and proposed.proposed_by == page.actor.person_id,
        form or Form.from_values({"holder": organisation.name}),
    )
    return page.render("payments/account.html", context)


@router.get("/organisations/{organisation_id}/bank-account")
def show_account(page: PageDep, organisation_id: RowId) -> Response:
    """Where an organisation is paid, masked, and the form for a change."""
    return _account_page(page, organisation_id)


@router.post("/organisations/{organisation_id}/bank-account")
def change_account(page: PageDep, form: FormDep, organisation_id: RowId) -> Response:
    """Propose where an organisation is paid; staff confirm it."""
    if not page.actor.can(Action.MONEY_READ, organisation_id):
        require(page.actor, Action.MONEY_READ)
        raise NotFound(kind="organisation")

    def action(session: Session) -> str:
        accounts.propose(session, page.actor, page.now, organisation_id, form.parse(AccountInput))
        return f"/organisations/{organisation_id}/bank-account"

    return page.submit(form, action, lambda form: _account_page(page, organisation_id, form), flash="saved")
