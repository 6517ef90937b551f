"""My listings: what one's own organisations offer and want, by state, what ends soonest first."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from market.clock import local_date
from market.demands.models import Demand
from market.demands.queries import demands
from market.demands.service import DEMAND
from market.errors import SignInRequired
from market.listings import rules
from market.listings.models import ListingState, Result
from market.listings.queries import Filter, count_by_state, results
from market.listings.rules import Step
from market.listings.service import RESULT
from web.deps import PageDep, PagingDep, ReadTx
from web.routes.listing_forms import member

router = APIRouter()


@dataclass(frozen=True)
class OwnListing:
    """A row of one's own list."""

    id: int
    title: str
    owner_name: str
    state: ListingState
    valid_until: dt.date | None
    confirmed_at: dt.datetime | None
    updated_at: dt.datetime
    days_left: int | None
    """Days until the last day, for what is published."""
    steps: frozenset[str]


@dataclass(frozen=True)
class MyListingsPage:
    """Context of one's own listings."""

    kind: str
    base: str
    kinds: list[tuple[str, int]]
    state: ListingState | None
    counts: dict[ListingState, int]
    items: list[OwnListing]
    total: int
    current_page: int
    pages: int
    words: str
    may_create: bool
    remind_days: int


@router.get("/my/listings")
def my_listings(page: PageDep, session: ReadTx, paging: PagingDep) -> Response:
    """One's own results or demands. Four statements."""
    if not page.actor.is_signed_in:
        raise SignInRequired
    query = page.request.query_params
    mine = {
        trade.kind: frozenset(
            m.organisation_id for m in page.actor.memberships if page.actor.can(trade.read, m.organisation_id)
        )
        for trade in (RESULT, DEMAND)
    }
    kind = query.get("kind", "")
    if kind not in mine:
        kind = "result" if mine["result"] or not mine["demand"] else "demand"
    trade, reader = (RESULT, results) if kind == "result" else (DEMAND, demands)
    tallies = {
        "result": count_by_state(session, Result, mine["result"]),
        "demand": count_by_state(session, Demand, mine["demand"]),
    }
    state = member(ListingState, query.get("state"))
    words = "".join(c for c in query.get("q", "") if c.isprintable())[:100].strip()
    wanted = Filter(
        states=(state,) if state else tuple(ListingState), organisation_ids=mine[kind], words=words
    )
    read: Any = reader
    cards, total = read(
        session, page.actor, wanted,
        limit=paging.per_page, offset=paging.offset, english=page.language == "en", expiring_first=True,
    )  # fmt: skip
    today = local_date(page.now)
    items = [
        OwnListing(
            id=card.id,
            title=card.title,
            owner_name=card.owner_name,
            state=card.state,
            valid_until=card.valid_until,
            confirmed_at=card.confirmed_at,
            updated_at=card.updated_at,
            days_left=(
                (card.valid_until - today).days
                if card.valid_until and card.state is ListingState.PUBLISHED
                else None
            ),
            steps=frozenset(
                step.value
                for step in (
                    rules.steps_from(card.state)
                    if page.actor.can(trade.edit, card.organisation_id)
                    else frozenset[Step]()
                )
            ),
        )
        for card in cards
    ]
    context = MyListingsPage(
        kind=kind,
        base=f"/{kind}s",
        kinds=[(name, sum(tallies[name].values())) for name in tallies],
        state=state,
        counts=tallies[kind],
        items=items,
        total=total,
        current_page=paging.page,
        pages=-(-total // paging.per_page),
        words=words,
        may_create=page.actor.can(trade.create),
        remind_days=rules.REMIND_DAYS,
    )
    return page.render("results/mine.html", context)
