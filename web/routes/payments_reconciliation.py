"""The reconciliation: what we think, what the gateways say, what the bank said, and what is different or late."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.payments import reconciliation
from market.payments.reconciliation import Late, Reconciliation
from market.permissions import Action, require
from web import money_documents
from web.deps import PageDep, ReadTx
from web.routes.payments_bank import Tab, bank_tabs

router = APIRouter()


@dataclass(frozen=True)
class Kind:
    """What is late of a kind, with the days that it waits."""

    code: str
    items: list[tuple[Late, int]]


@dataclass(frozen=True)
class ReconciliationPage:
    """Context of the page."""

    tabs: list[Tab]
    found: Reconciliation
    late: list[Kind]
    sound: bool
    """Whether nothing differs and no damage was found."""


@router.get("/bank/reconciliation")
def show(page: PageDep, session: ReadTx) -> Response:
    """Everything on one page, worked out now."""
    require(page.actor, Action.MONEY_MANAGE)
    found = reconciliation.reconcile(session, page.now)
    today = local_date(page.now)
    kinds: dict[str, list[tuple[Late, int]]] = {}
    for one in found.late:
        day = local_date(one.since) if isinstance(one.since, dt.datetime) else one.since
        kinds.setdefault(one.code, []).append((one, (today - day).days))
    differing = [one for one in found.gateways if one.difference_fen or one.behind]
    at_bank = [one for one in found.banks if one.difference_fen or one.gap_fen]
    context = ReconciliationPage(
        bank_tabs(page, session),
        found,
        [Kind(code, items) for code, items in kinds.items()],
        not differing and not at_bank and not found.troubles,
    )
    return page.render("payments/reconciliation.html", context)


@router.get("/bank/reconciliation.csv")
def as_csv(page: PageDep, session: ReadTx) -> Response:
    """The same as a table."""
    require(page.actor, Action.MONEY_MANAGE)
    found = reconciliation.reconcile(session, page.now)
    name = f"reconciliation-{local_date(page.now).isoformat()}.csv"
    return Response(
        money_documents.reconciliation_csv(found, page.language),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )
