"""Statements of money: of an organisation, of a lot; as a page, CSV and PDF."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from market.clock import local_date
from market.db import Session
from market.errors import NotFound
from market.payments import statements
from market.payments.statements import Holder, Statement
from market.permissions import Action, require
from web import money_documents
from web.deps import PageDep, PagingDep, ReadTx, RowId
from web.render import Page, url
from web.routes.payments_bank import Tab, bank_tabs

router = APIRouter()


@dataclass(frozen=True)
class HoldersPage:
    """Context of the list of organisations and lots with money in the ledger."""

    tabs: list[Tab]
    items: list[Holder]
    words: str
    lots: list[int]
    total: int
    current_page: int
    pages: int


@router.get("/money/organisations")
def list_holders(
    page: PageDep, session: ReadTx, paging: PagingDep, q: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """Whose statements there are; whoever may read one organisation's alone is led to it."""
    require(page.actor, Action.MONEY_READ)
    reach = page.actor.organisations_for(Action.MONEY_READ)
    if reach is not None:
        return page.redirect(f"/money/organisations/{min(reach)}")
    items, total = statements.holders(session, words=q.strip(), limit=paging.per_page, offset=paging.offset)
    context = HoldersPage(
        bank_tabs(page, session) if page.actor.can(Action.MONEY_MANAGE) else [],
        items,
        q.strip(),
        statements.lots(session),
        total,
        paging.page,
        -(-total // paging.per_page),
    )
    return page.render("payments/holders.html", context)


@dataclass(frozen=True)
class Row:
    """A movement in words."""

    at: dt.datetime
    cause: str
    counter: str
    reason: str
    fen: int
    balance_fen: int


@dataclass(frozen=True)
class Part:
    """An account in words, with what moved."""

    title: str
    currency: str
    opening_fen: int
    rows: list[Row]
    closing_fen: int


@dataclass(frozen=True)
class StatementPage:
    """Context of a statement. `address` is its own, without period, for the files."""

    title: str
    statement: Statement
    parts: list[Part]
    since: str
    until: str
    address: str
    query: dict[str, str]
    others: list[tuple[int, str]]
    """Further organisations of the reader's, with statements of their own."""
    account_href: str
    pay_href: str
    """Where staff put a lot's money for its seller on the list of pay-outs."""


def _day(text: str) -> dt.date | None:
    try:
        found = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year <= 2100 else None


def _period(page: Page) -> tuple[dt.date | None, dt.date | None]:
    query = page.request.query_params
    return _day(query.get("since", "")), _day(query.get("until", ""))


def _organisation(page: Page, session: Session, organisation_id: int) -> Statement:
    lot = page.request.query_params.get("lot", "")
    lot_id = int(lot) if lot.isascii() and lot.isdecimal() and len(lot) < 19 else None
    return statements.of_organisation(session, page.actor, organisation_id, *_period(page), lot_id=lot_id)


def _show(page: Page, found: Statement, address: str, account_href: str = "") -> Response:
    language = page.language
    parts = [
        Part(
            money_documents.side_name(one.account, language),
            one.currency,
            one.opening_fen,
            [
                Row(
                    entry.at,
                    money_documents.cause_name(entry.cause, language),
                    money_documents.side_name(entry.counter, language),
                    entry.reason,
                    entry.fen,
                    entry.balance_fen,
                )
                for entry in one.entries
            ],
            one.closing_fen,
        )
        for one in found.sections
    ]
    others = [
        (one.organisation_id, one.organisation_name)
        for one in page.actor.memberships
        if page.actor.can(Action.MONEY_READ, one.organisation_id)
        and not address.endswith(f"/organisations/{one.organisation_id}")
    ]
    shown = {
        name: value
        for name in ("since", "until", "lot")
        if (value := page.request.query_params.get(name, ""))
    }
    context = StatementPage(
        money_documents.title(found, language),
        found,
        parts,
        found.since.isoformat() if found.since else "",
        found.until.isoformat() if found.until else "",
        address,
        shown,
        list(dict.fromkeys(others)) if found.organisation_name else [],
        account_href,
        url("/bank/orders/new", lot=found.lot_id)
        if found.lot_id is not None and not found.organisation_name and page.actor.can(Action.MONEY_MANAGE)
        else "",
    )
    return page.render("payments/statement.html", context)


def _file(page: Page, found: Statement, form: str, name: str) -> Response:
    if form == "pdf":
        body: bytes | str = money_documents.statement_pdf(found, page.parts.settings, page.language, page.now)
        media_type = "application/pdf"
    else:
        body, media_type = money_documents.statement_csv(found, page.language), "text/csv; charset=utf-8"
    day = local_date(page.now).isoformat()
    headers = {
        "Content-Disposition": f'attachment; filename="statement-{name}-{day}.{form}"',
        "Cache-Control": "private, no-store",
    }
    return Response(body, media_type=media_type, headers=headers)


@router.get("/money/organisations/{organisation_id}.{form}")
def organisation_file(page: PageDep, session: ReadTx, organisation_id: RowId, form: str) -> Response:
    """An organisation's statement as CSV or PDF."""
    if form not in ("csv", "pdf"):
        raise NotFound(kind="page")
    return _file(page, _organisation(page, session, organisation_id), form, f"organisation-{organisation_id}")


@router.get("/money/organisations/{organisation_id}")
def show_organisation(page: PageDep, session: ReadTx, organisation_id: RowId) -> Response:
    """An organisation's statement."""
    found = _organisation(page, session, organisation_id)
    account = url(f"/organisations/{organisation_id}/bank-account")
    return _show(page, found, f"/money/organisations/{organisation_id}", account)


@router.get("/money/lots/{lot_id}.{form}")
def lot_file(page: PageDep, session: ReadTx, lot_id: RowId, form: str) -> Response:
    """A lot's statement as CSV or PDF."""
    if form not in ("csv", "pdf"):
        raise NotFound(kind="page")
    return _file(page, statements.of_lot(session, page.actor, lot_id, *_period(page)), form, f"lot-{lot_id}")


@router.get("/money/lots/{lot_id}")
def show_lot(page: PageDep, session: ReadTx, lot_id: RowId) -> Response:
    """A lot's statement, with all who put money down."""
    return _show(
        page, statements.of_lot(session, page.actor, lot_id, *_period(page)), f"/money/lots/{lot_id}"
    )
