"""Search and proposed partners as JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from market.db import Session
from market.errors import NotFound
from market.listings.models import CooperationMode
from market.parties.models import OrganisationKind
from market.taxonomy import queries as taxonomy
from matching import documents, recommend
from matching.documents import Document, Key, Kind
from matching.index import (
    DEEPEST,
    Circle,
    Facet,
    Filters,
    IndexState,
    SearchIndex,
    Sort,
    circle_codes,
    circle_counts,
)
from matching.query import Field as QueryField
from matching.query import parse
from matching.scoring import Band, Part
from web.deps import PagingDep, PartsDep, ReadTx
from web.errors import language_of
from web.matches import href_of, sentence
from web.routes.api import problems

router = APIRouter(tags=["search"])


class Owner(BaseModel):
    """The organisation that lists something."""

    id: int
    name: str
    kind: str


class Listing(BaseModel):
    """A published result or demand in short. Amounts are fen: the price asked, or the budget."""

    kind: Kind
    id: int
    href: str = Field(description="Path of its page.")
    title: str
    industry: str = Field(description="Code of the industry.")
    ipc: list[str]
    trl: int | None = Field(description="Readiness it has; of a demand, the lowest that would help.")
    modes: list[str]
    price_low_fen: int | None
    price_high_fen: int | None
    region: str = Field(description="The owner's region, GB/T 2260.")
    owner: Owner
    published_at: dt.datetime | None


class Found(Listing):
    """A listing found. `score` orders within one answer only."""

    score: float


class Condition(BaseModel):
    """What was read of the words beside plain ones: a phrase, an exclusion, a field."""

    text: str
    field: QueryField | None
    phrase: bool
    excluded: bool


class FoundPage(BaseModel):
    """A page of what was found."""

    total: int = Field(description=f"All that match; the first {DEEPEST} can be paged through.")
    page: int
    per_page: int
    relaxed: bool = Field(description="Nothing held enough of the words; what is shown holds some of them.")
    complete: bool = Field(description="False while the index is being built: answers are empty until then.")
    state: IndexState = Field(
        description="`stale`: the engine is out of reach, and the answer comes from the last known index."
    )
    terms: list[str] = Field(description="The terms searched for, to mark in what is shown.")
    conditions: list[Condition] = Field(description="All of them hold.")
    suggestion: str = Field(
        description="If nothing was found, or only some of the words: another spelling that finds something."
    )
    facets: dict[str, dict[str, int]] = Field(
        description="Counts by facet and value; a facet's counts ignore that facet's own filter."
    )
    circles: dict[Circle, int] = Field(
        description="Counts around the market's own place; each circle but `outside` holds the one before."
    )
    items: list[Found]


class Why(BaseModel):
    """A reason for or against a pair. `value` runs from -1 (against) to 1 (for)."""

    part: Part
    code: str
    value: float
    params: dict[str, Any]
    text: str = Field(description="The reason as a sentence in the asker's language.")


class ProposedPartner(Listing):
    """A proposed partner. The band is coarse on purpose; there is no percentage behind it."""

    band: Band
    same_owner: bool = Field(description="Listed by the same organisation.")
    reasons: list[Why]


class Partners(BaseModel):
    """The partners proposed for a listing, best first, at most ten."""

    complete: bool = Field(description="False while the index is being built.")
    items: list[ProposedPartner]


def _short(document: Document) -> dict[str, Any]:
    return {
        "kind": document.key.kind,
        "id": document.key.id,
        "href": href_of(document.key),
        "title": document.title,
        "industry": document.industry,
        "ipc": list(document.ipc),
        "trl": document.trl,
        "modes": list(document.modes),
        "price_low_fen": document.price_low,
        "price_high_fen": document.price_high,
        "region": document.region,
        "owner": Owner(id=document.owner_id, name=document.owner_name, kind=document.owner_kind),
        "published_at": document.published_at,
    }


def _values(given: Iterable[Any] | None) -> frozenset[str]:
    return frozenset(str(getattr(value, "value", value)) for value in given or ())


Amount = Annotated[int | None, Query(ge=0, le=10**15, description="Fen.")]


@router.get("/search", responses=problems())
def search(
    parts: PartsDep,
    session: ReadTx,
    paging: PagingDep,
    q: Annotated[
        str,
        Query(
            max_length=500,
            description='Words, a patent number, an IPC symbol or a credit code; also `"phrases"`, '
            "`-exclusions` and `title:` `owner:` `number:` `ipc:` `inventor:`.",
        ),
    ] = "",
    kind: Annotated[list[Kind] | None, Query()] = None,
    industry: Annotated[list[str] | None, Query(max_length=50)] = None,
    trl: Annotated[list[Annotated[int, Field(ge=1, le=9)]] | None, Query(max_length=9)] = None,
    mode: Annotated[list[CooperationMode] | None, Query()] = None,
    owner: Annotated[list[OrganisationKind] | None, Query(description="Kinds of owners.")] = None,
    region: Annotated[
        str | None,
        Query(pattern=r"^[0-9]{2,6}$", description="GB/T 2260 code; includes what lies in it."),
    ] = None,
    circle: Annotated[
        Circle | None, Query(description="Around the market's own place; ignored when `region` is given.")
    ] = None,
    year: Annotated[
        list[Annotated[int, Field(ge=1900, le=9999)]] | None,
        Query(max_length=20, description="Calendar years of publication, Shanghai."),
    ] = None,
    price_from: Amount = None,
    price_to: Amount = None,
    sort: Sort = Sort.RELEVANCE,
) -> FoundPage:
    """Search results and demands. Without words everything that passes the filters is found, newest first."""
    home = parts.settings.region_code
    if region is not None:
        circle = None
    near = circle_codes(home).get(circle) if circle is not None else region
    filters = Filters(
        kinds=_values(kind),
        industries=_values(industry),
        modes=_values(mode),
        owner_kinds=_values(owner),
        trls=frozenset(trl or ()),
        price_from=price_from,
        price_to=price_to,
        region=near if circle is not Circle.OUTSIDE else None,
        outside=near if circle is Circle.OUTSIDE else None,
        years=frozenset(year or ()),
    )
    read = parse(q)
    hits = parts.index.search(
        read, filters, sort=sort, offset=paging.offset, limit=paging.per_page, facets=list(Facet)
    )
    found = documents.load(session, [hit.key for hit in hits.hits])
    return FoundPage(
        total=hits.total,
        page=paging.page,
        per_page=paging.per_page,
        relaxed=hits.relaxed,
        complete=parts.index.state is not IndexState.BUILDING,
        state=parts.index.state,
        terms=list(hits.terms),
        conditions=[
            Condition(text=one.text, field=one.field, phrase=one.phrase, excluded=one.excluded)
            for one in read.clauses
        ],
        suggestion=hits.suggestion,
        facets={facet.value: dict(counts) for facet, counts in hits.facets.items()},
        circles=circle_counts(hits.facets[Facet.REGION], home),
        items=[Found(**_short(found[hit.key]), score=hit.score) for hit in hits.hits if hit.key in found],
    )


ListingId = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.get("/results/{result_id}/partners", responses=problems(404))
def partners_of_result(result_id: ListingId, request: Request, parts: PartsDep, session: ReadTx) -> Partners:
    """Demands that a published result may answer, with reasons."""
    return _partners(Key(Kind.RESULT, result_id), session, parts.index, language_of(request))


@router.get("/demands/{demand_id}/partners", responses=problems(404))
def partners_of_demand(demand_id: ListingId, request: Request, parts: PartsDep, session: ReadTx) -> Partners:
    """Results that may answer a published demand, with reasons."""
    return _partners(Key(Kind.DEMAND, demand_id), session, parts.index, language_of(request))


def _partners(key: Key, session: Session, index: SearchIndex, language: str) -> Partners:
    subject = documents.load(session, [key]).get(key)
    if subject is None:
        raise NotFound
    industries = taxonomy.industry_names(session, language)
    found = recommend.partners_of(subject, session, index)
    return Partners(
        complete=index.state is IndexState.READY,
        items=[_proposed(one, industries, language) for one in found],
    )


def _proposed(one: recommend.Partner, industries: Mapping[str, str], language: str) -> ProposedPartner:
    return ProposedPartner(
        **_short(one.document),
        band=one.band,
        same_owner=one.same_owner,
        reasons=[
            Why(
                part=reason.part,
                code=reason.code.value,
                value=reason.value,
                params=dict(reason.params),
                text=sentence(reason, industries, language),
            )
            for reason in one.reasons
            if not reason.inside
        ],
    )
