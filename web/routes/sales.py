"""Sessions of auctions (专场): what there is, how one goes, and for staff making, changing and closing one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from auctions import queries, sales
from auctions.models import SaleInput, SaleMode
from auctions.queries import LotCard, SaleCard
from auctions.rules.state import UPCOMING
from auctions.sales import Summary
from market.clock import SHANGHAI
from market.errors import InvalidInput
from market.permissions import Action, require
from web.deps import FormDep, PageDep, PagingDep, ReadTx, RowId
from web.forms import Form
from web.render import Page

router = APIRouter()


@dataclass(frozen=True)
class SalesPage:
    """Context of the list of sessions."""

    sales: list[SaleCard]
    page: int
    more: bool
    can_conduct: bool


@dataclass(frozen=True)
class Line:
    """A lot of a session. `after` is the number of the lot that it waits for."""

    lot: LotCard
    after: int | None


@dataclass(frozen=True)
class SalePage:
    """Context of one session."""

    sale: SaleCard
    lines: list[Line]
    summary: Summary
    can_conduct: bool
    can_close: bool


@dataclass(frozen=True)
class SaleForm:
    """Context of the form of a session."""

    form: Form
    sale: SaleCard | None
    modes: list[SaleMode]
    fixed: bool
    """Whether a published lot fixes how the lots follow each other."""


@router.get("/sales")
def list_sales(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """Sessions, the latest first."""
    found = queries.list_sales(session, limit=paging.per_page + 1, offset=paging.offset)
    return page.render(
        "sales/list.html",
        SalesPage(
            found[: paging.per_page],
            paging.page,
            len(found) > paging.per_page,
            page.actor.can(Action.LOT_CONDUCT),
        ),
    )


@router.get("/sales/new")
def new_sale(page: PageDep) -> Response:
    """The form of a new session."""
    require(page.actor, Action.LOT_CONDUCT)
    starts = (page.now + dt.timedelta(days=8)).astimezone(SHANGHAI).replace(hour=14, minute=0)
    values = {"starts_at": starts.strftime("%Y-%m-%dT%H:%M"), "mode": SaleMode.PARALLEL}
    return _form(page, Form.from_values(values))


def _form(page: Page, form: Form, sale: SaleCard | None = None) -> Response:
    fixed = sale is not None and sale.lot_count > 0
    return page.render("sales/edit.html", SaleForm(form, sale, list(SaleMode), fixed))


def _read(form: Form) -> SaleInput:
    values: dict[str, Any] = {"ends_together": form.has("ends_together")}
    for name in ("title", "introduction", "mode", "organiser_organisation_id"):
        if form.value(name).strip():
            values[name] = form.value(name).strip()
    typed = form.value("starts_at").strip()
    if typed:
        try:
            values["starts_at"] = dt.datetime.fromisoformat(typed).replace(tzinfo=SHANGHAI)
        except ValueError:
            raise InvalidInput([("starts_at", "datetime_parsing", {})]) from None
    return SaleInput.model_validate(values)


@router.post("/sales/new")
def create_sale(page: PageDep, form: FormDep) -> Response:
    """Make a session."""
    require(page.actor, Action.LOT_CONDUCT)
    return page.submit(
        form,
        lambda session: f"/sales/{sales.create_sale(session, page.actor, _read(form), page.now)}",
        lambda form: _form(page, form),
        flash="saved",
    )


def _lines(cards: list[LotCard], sale: SaleCard) -> list[Line]:
    lines, before = [], None
    for card in cards:
        waiting = sale.mode is SaleMode.SEQUENTIAL and card.state in UPCOMING
        lines.append(Line(card, before if waiting else None))
        if card.state.value not in sales.NOT_IN_TURN:
            before = card.number
    return lines


@router.get("/sales/{sale_id}")
def show_sale(page: PageDep, session: ReadTx, sale_id: RowId) -> Response:
    """A session with its lots as they stand now."""
    sale = queries.sale_card(session, sale_id)
    cards, _ = queries.list_lots(session, sale_id=sale_id, limit=500)
    conduct = page.actor.can(Action.LOT_CONDUCT)
    return page.render(
        "sales/show.html",
        SalePage(
            sale,
            _lines(cards, sale),
            sales.summary(session, sale_id),
            conduct,
            conduct and sale.closed_at is None and sale.lot_count > 0 and not sale.open_count,
        ),
    )


@router.get("/sales/{sale_id}/edit")
def edit_sale(page: PageDep, session: ReadTx, sale_id: RowId) -> Response:
    """The form of a session."""
    sale = queries.sale_card(session, sale_id)
    require(page.actor, Action.LOT_CONDUCT)
    if sale.closed_at is not None:
        return page.redirect(f"/sales/{sale_id}")
    form = Form.from_values(
        {
            "title": sale.title,
            "introduction": sale.introduction,
            "organiser_organisation_id": sale.organiser_organisation_id,
            "starts_at": sale.starts_at.astimezone(SHANGHAI).strftime("%Y-%m-%dT%H:%M"),
            "mode": sale.mode,
            "version": sale.version,
            **({"ends_together": "on"} if sale.ends_together else {}),
        }
    )
    return _form(page, form, sale)


@router.post("/sales/{sale_id}/edit")
def save_sale(page: PageDep, form: FormDep, sale_id: RowId) -> Response:
    """Change a session."""
    require(page.actor, Action.LOT_CONDUCT)

    def act(session: Any) -> str:
        sales.edit_sale(session, page.actor, sale_id, _read(form), form.number("version"), page.now)
        return f"/sales/{sale_id}"

    def again(form: Form) -> Response:
        with page.parts.db.read() as session:
            sale = queries.sale_card(session, sale_id)
        return _form(page, form, sale)

    return page.submit(form, act, again, flash="saved")


@router.post("/sales/{sale_id}/close")
def close_sale(page: PageDep, sale_id: RowId) -> Response:
    """Close a session whose lots have all ended."""
    with page.parts.db.write() as session:
        sales.close_sale(session, page.actor, sale_id, page.now)
    return page.redirect(f"/sales/{sale_id}", flash="saved")
