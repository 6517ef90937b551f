"""The page of experts: people named by published results, found by name, organisation or what they worked on."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from market.taxonomy.queries import industry_names
from matching import experts
from matching.experts import Expert
from matching.index import IndexState
from web.deps import PageDep, PagingDep, ReadTx

router = APIRouter()

LONGEST = 200
"""Characters of a query that are read."""
MOST = 200
"""People that can be paged through."""


@dataclass(frozen=True)
class ExpertsPage:
    """Context of the page."""

    words: str
    industry: str
    industries: dict[str, str]
    found: list[Expert]
    total: int
    current_page: int
    pages: int
    most: int
    building: bool


@router.get("/experts")
def list_experts(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """Who has worked on what."""
    query = page.request.query_params
    words = query.get("q", "")[:LONGEST].strip()
    industries = industry_names(session, page.language)
    industry = query.get("industry", "")
    industry = industry if industry in industries else ""
    found = experts.search(session, page.parts.index, words, industry, MOST)
    context = ExpertsPage(
        words=words,
        industry=industry,
        industries=industries,
        found=found[paging.offset : paging.offset + paging.per_page],
        total=len(found),
        current_page=paging.page,
        pages=-(-len(found) // paging.per_page),
        most=MOST,
        building=page.parts.index.state is IndexState.BUILDING,
    )
    return page.render("experts/list.html", context)
