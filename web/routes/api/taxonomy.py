"""Industries and regions, as JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from market.errors import NotFound
from market.permissions import Action, require
from market.taxonomy import queries, service
from market.taxonomy.models import IndustryInput
from web.deps import Now, ReadTx, SignedIn, Tx, etag, require_match
from web.routes.api import problems

router = APIRouter(tags=["taxonomy"])
Code = Annotated[
    str,
    Path(pattern=r"^[a-z][a-z0-9_]{1,31}$", description="The industry's code.", examples=["pumps_motors"]),
]


class IndustryOut(BaseModel):
    """One of the city's industries."""

    model_config = ConfigDict(from_attributes=True)

    code: str = Field(examples=["pumps_motors"])
    name: str = Field(examples=["泵与电机"])
    name_en: str
    ipc_prefixes: list[str] = Field(examples=[["F04", "H02K"]])
    sort: int
    active: bool = Field(description="Whether new listings may choose it.")
    version: int = Field(description="Send it back in If-Match, in quotes.")


class IndustryList(BaseModel):
    """Every industry, in order."""

    items: list[IndustryOut]


class RegionOut(BaseModel):
    """A region by its GB/T 2260 code; 000000 is abroad."""

    model_config = ConfigDict(from_attributes=True)

    code: str = Field(examples=["331081"])
    name: str = Field(examples=["温岭市"])
    name_en: str
    parent_code: str = Field(examples=["331000"])


class RegionList(BaseModel):
    """Regions, by code."""

    items: list[RegionOut]


@router.get("/industries", responses=problems())
def list_industries(
    session: ReadTx, retired: Annotated[bool, Query(description="Also those no longer chosen.")] = False
) -> IndustryList:
    """The city's industries."""
    found = queries.industries(session, retired=retired)
    return IndustryList(items=[IndustryOut.model_validate(item) for item in found])


@router.get("/industries/{code}", responses=problems(404))
def get_industry(session: ReadTx, code: Code, response: Response) -> IndustryOut:
    """One industry."""
    found = IndustryOut.model_validate(queries.industry(session, code))
    response.headers["ETag"] = etag(found.version)
    return found


@router.put(
    "/industries/{code}",
    responses={**problems(409, 412, 428), 201: {"model": IndustryOut, "description": "Added."}},
)
def put_industry(
    session: Tx, actor: SignedIn, now: Now, code: Code, entered: IndustryInput, request: Request,
    response: Response,
) -> IndustryOut:  # fmt: skip
    """Add an industry, or replace one whose version If-Match names; for administrators."""
    require(actor, Action.TAXONOMY_EDIT)
    try:
        held = queries.industry(session, code)
    except NotFound:
        row = service.add_industry(session, actor, code, entered, now)
        response.status_code = 201
    else:
        require_match(request, held.version)
        row = service.change_industry(session, actor, code, held.version, entered, now)
    response.headers["ETag"] = etag(row.version)
    return IndustryOut.model_validate(row)


@router.get("/regions", responses=problems())
def list_regions(
    session: ReadTx,
    under: Annotated[
        str, Query(pattern=r"^(\d{6})?$", max_length=6, description="Only those directly under this one.")
    ] = "",
) -> RegionList:
    """Regions in force."""
    found = queries.regions(session, under=under)
    return RegionList(items=[RegionOut.model_validate(item) for item in found])
