"""Sessions of auctions (专场) over the API."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from auctions import queries, sales
from auctions.models import SaleInput, SaleMode
from web.deps import CurrentActor, Now, PagingDep, ReadTx, RowId, Tx, etag, require_match
from web.routes.api import problems
from web.routes.api.lots import LotSummary

router = APIRouter(prefix="/sales", tags=["auctions"])


class SaleOut(BaseModel):
    """A session of an auction."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    title: str
    introduction: str
    organiser_organisation_id: int | None = Field(description="Null: the market itself.")
    organiser_name: str | None
    starts_at: dt.datetime
    mode: SaleMode = Field(description="`sequential`: no lot opens before every earlier one has ended.")
    ends_together: bool = Field(description="An extension of one lot extends all that are open.")
    closed_at: dt.datetime | None
    version: int
    lot_count: int = Field(description="Published lots.")
    open_count: int = Field(description="Those of them that are not over.")


class SalesOut(BaseModel):
    """A page of sessions, the latest first."""

    items: list[SaleOut]
    page: int
    per_page: int


class SummaryOut(BaseModel):
    """What a session came to so far; amounts in fen."""

    model_config = ConfigDict(from_attributes=True)
    lots: int
    open: int
    sold: int
    passed_in: int
    dropped: int = Field(description="Withdrawn, cancelled or defaulted.")
    total_fen: int = Field(description="Hammer prices of the sold lots.")
    premium_fen: int = Field(description="Their hammer prices over their start prices.")


class SaleWhole(SaleOut):
    """A session with its published lots by number."""

    summary: SummaryOut
    lots: list[LotSummary]


@router.get("", responses=problems())
def list_sales(session: ReadTx, paging: PagingDep) -> SalesOut:
    """Sessions, the latest first."""
    found = queries.list_sales(session, limit=paging.per_page, offset=paging.offset)
    return SalesOut(
        items=[SaleOut.model_validate(sale) for sale in found], page=paging.page, per_page=paging.per_page
    )


@router.get("/{sale_id}", responses=problems(404))
def get_sale(session: ReadTx, response: Response, sale_id: RowId) -> SaleWhole:
    """A session, its results so far and its lots."""
    sale = queries.sale_card(session, sale_id)
    cards, _ = queries.list_lots(session, sale_id=sale_id, limit=500)
    response.headers["ETag"] = etag(sale.version)
    return SaleWhole(
        **SaleOut.model_validate(sale).model_dump(),
        summary=SummaryOut.model_validate(sales.summary(session, sale_id)),
        lots=[LotSummary.model_validate(card) for card in cards],
    )


@router.post("", status_code=201, responses=problems())
def create_sale(session: Tx, actor: CurrentActor, now: Now, body: SaleInput) -> SaleOut:
    """Make a session (staff)."""
    sale_id = sales.create_sale(session, actor, body, now)
    return SaleOut.model_validate(queries.sale_card(session, sale_id))


@router.put("/{sale_id}", responses=problems(404, 409, 412, 428))
def edit_sale(
    session: Tx, actor: CurrentActor, now: Now, request: Request, sale_id: RowId, body: SaleInput
) -> SaleOut:
    """Change a session (staff); `If-Match` names the version that is changed. Once a lot of it is
    published, `mode` and `ends_together` are fixed."""
    sale = queries.sale_card(session, sale_id)
    require_match(request, sale.version)
    sales.edit_sale(session, actor, sale_id, body, sale.version, now)
    session.flush()
    return SaleOut.model_validate(queries.sale_card(session, sale_id))


@router.post("/{sale_id}/close", responses=problems(404, 409))
def close_sale(session: Tx, actor: CurrentActor, now: Now, sale_id: RowId) -> SummaryOut:
    """Close a session whose lots have all ended (staff); closing it again changes nothing."""
    return SummaryOut.model_validate(sales.close_sale(session, actor, sale_id, now))
